"""What pages show in their blocks, run as a reader runs it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from tests.program import ROOT

# What a page calls the checkout.
_CHECKOUT = "/path/to/cra"
_PROGRAMS = "\n".join(
    f'{name}() {{ {shlex.join([sys.executable, *arguments])} "$@"; }}'
    for name, arguments in {"cra": ["-m", "cra"], "python": [], "python3": []}.items()
)


class Ran(NamedTuple):
    """A command of a page, and what the page shows below it, if it shows anything."""

    command: str
    shown: str
    done: subprocess.CompletedProcess[str]

    @property
    def seen(self) -> str:
        """What is shown, if it is true: `...` stands for any text. Else what was really said."""
        pattern = ".*".join(map(re.escape, self.shown.split("...")))
        is_true = not self.shown or re.fullmatch(pattern, self.done.stdout, re.DOTALL)
        return self.shown if is_true else self.done.stdout


def blocks(page: str, language: str) -> list[str]:
    found: list[str] = re.findall(f"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return found


def follow(place: Path, *consoles: str) -> list[Ran]:
    """Run the commands of console blocks in a directory, each in a shell of its own."""
    parts = [part for block in consoles for part in re.split(r"^\$ ", block, flags=re.M)[1:]]
    steps = (part.partition("\n") for part in parts)
    return [Ran(command, shown, _run(place, command)) for command, _, shown in steps]


def _run(place: Path, command: str) -> subprocess.CompletedProcess[str]:
    real = command.replace(_CHECKOUT, shlex.quote(str(ROOT)))
    return subprocess.run(
        ["sh", "-c", f"{_PROGRAMS}\n{real}"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        input="",
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )
