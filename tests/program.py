"""Running cra as its users do: as a program, in a directory."""

from __future__ import annotations

import os
import pty
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path

ROOT = Path(__file__).parents[1]


def cra(
    place: Path, *arguments: str | Path, stdin: str | None = None, **environ: str
) -> subprocess.CompletedProcess[str]:
    """Run `cra` with these arguments in a directory, and say what came of it."""
    return subprocess.run(
        [sys.executable, "-m", "cra", *map(str, arguments)],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        input=stdin or "",
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def answer(place: Path, *arguments: str | Path, **environ: str) -> str:
    """What a command that has to succeed prints on stdout."""
    done = cra(place, *arguments, **environ)
    assert done.returncode == 0, done.stderr
    return done.stdout.removesuffix("\n")


def at_terminal(
    place: Path,
    *arguments: str | Path,
    typed: str,
    meanwhile: Callable[[], object] | None = None,
    **environ: str,
) -> tuple[int, str]:
    """Run `cra` on a terminal of its own where somebody types. Returns the code and the screen.

    What is done `meanwhile` is done while the first question waits, which is answered after that.
    """
    ours, its = pty.openpty()
    with subprocess.Popen(
        [sys.executable, "-m", "cra", *map(str, arguments)],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT), "NO_COLOR": "1", **environ},
        stdin=its,
        stdout=its,
        stderr=its,
        start_new_session=True,
    ) as process:
        os.close(its)
        if meanwhile is None:
            os.write(ours, typed.encode())
        screen = b""
        while True:
            try:
                part = os.read(ours, 65_536)
            except OSError:  # nobody holds the other end any more
                break
            if not part:
                break
            screen += part
            if meanwhile is not None and b"[y/N]" in screen:
                meanwhile()
                meanwhile = None
                os.write(ours, typed.encode())
        os.close(ours)
        return process.wait(120), screen.decode()
