"""Which goldens are others than at a git revision.

One that is rewritten as a whole, by whoever may commit, passes every other check.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final

from cra.errors import UsageError
from cra.ledger.git import run_git

_SECONDS: Final = 60


def changed_since(project: Path, environ: Mapping[str, str], revision: str) -> list[Path]:
    """The files of a project that differ from a revision, or are not in it. Raises UsageError."""
    diff = ("diff", "--name-only", "-z", "--relative", "--no-renames", "--no-ext-diff")
    tracked = _git(project, environ, *diff, "--end-of-options", revision, "--", ".")
    untracked = _git(
        project, environ, "ls-files", "--others", "--exclude-standard", "-z", "--", "."
    )
    names = {name for data in (tracked, untracked) for name in data.split(b"\0") if name}
    return [project.resolve() / os.fsdecode(name) for name in sorted(names)]


def _git(project: Path, environ: Mapping[str, str], *arguments: str) -> bytes:
    try:
        done = run_git(project, environ, *arguments, timeout=_SECONDS)
    except FileNotFoundError:
        raise UsageError("expected git for --base, found none", fix="install git") from None
    if done.returncode == 0:
        return done.stdout
    said = done.stderr.decode(errors="replace").strip().partition("\n")[0]
    raise UsageError(f"expected a revision for --base, found: {said[:200]}", fix="--base main")
