"""Running cra as its users do: as a program, in a directory."""

from __future__ import annotations

import os
import subprocess
import sys
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
