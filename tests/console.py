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
_SAVED = re.compile(r"(?:Save this as `([^`]+)`:\n\n)?^```(\w+)\n(.*?)^```", re.M | re.S)
_COMMAND = re.compile(r"^\$ ((?:.*\\\n)*.*)\n", re.M)
_EXIT_CODE = re.compile(r"# exit code (\d)$")
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

    @property
    def stated(self) -> int:
        """The exit code that a comment states; 0 without one."""
        found = _EXIT_CODE.search(self.command)
        return int(found[1]) if found else 0


def blocks(page: str, language: str) -> list[str]:
    found: list[str] = re.findall(f"^```{language}\n(.*?)^```", page, re.DOTALL | re.MULTILINE)
    return found


def follow(place: Path, *consoles: str) -> list[Ran]:
    """Run the commands of console blocks in a directory, each in a shell of its own."""
    parts = [_COMMAND.split(block)[1:] for block in consoles]
    steps = [step for part in parts for step in zip(part[::2], part[1::2], strict=True)]
    return [Ran(command, shown, _run(place, command)) for command, shown in steps]


def follow_page(place: Path, page: str) -> list[Ran]:
    """Do what a page says, from its top to its end: save its files, run its commands."""
    ran = []
    for name, language, text in _SAVED.findall(page):
        if name:
            (place / name).parent.mkdir(parents=True, exist_ok=True)
            (place / name).write_text(text)
        elif language == "console":
            ran += follow(place, text)
    return ran


def untrue(ran: list[Ran]) -> list[str]:
    """What did not happen as a page says: the output that it shows, and the exit codes."""
    return [
        f"$ {step.command}\n{step.seen}exit code {step.done.returncode}\n{step.done.stderr}"
        for step in ran
        if (step.seen, step.done.returncode) != (step.shown, step.stated)
    ]


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
