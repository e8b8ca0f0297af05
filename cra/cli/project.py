"""What a command works on: the project, its configuration, the user's directories and key."""

from __future__ import annotations

import os
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Any

from cra import config
from cra.cli import output
from cra.config import FILE_NAME, Config, UserDirs, find_project
from cra.errors import ConfigError

if TYPE_CHECKING:
    from cra.ledger.checkpoint import Signer


def user_dirs() -> UserDirs:
    return UserDirs.of(os.environ, Path.home())


def open_config(
    project: Path | None, trace_dir: Path | None = None, *, anywhere: bool = False
) -> Config:
    """The configuration for a command's --project and --trace-dir.

    Raises ConfigError if it has mistakes, or if there is no project, unless --trace-dir is given or
    the command works `anywhere`: on a file that it is told, say.
    """
    place = project_dir(project, required=not anywhere and trace_dir is None)
    overrides: dict[str, Any] = {}
    if trace_dir is not None:
        # A flag counts from where the user stands, a setting from the project's directory.
        overrides["trace.directory"] = str(trace_dir.absolute())
    loaded = config.load(place, os.environ, user_dirs().config_file, overrides)
    for warning in loaded.warnings:
        output.tell(f"warning: {warning}")
    output.tell(f"project: {output.safe(str(place or 'none'))}", detail=True)
    return loaded


def project_dir(stated: Path | None, *, required: bool) -> Path | None:
    """The project's directory: the one stated, or the nearest upwards from here."""
    if stated is not None:
        refuse_nowhere(stated)
    place = find_project(Path()) if stated is None else stated.absolute()
    if place is not None and (place / FILE_NAME).is_file():
        return place
    if stated is None and not required:
        return None
    raise ConfigError(
        f"expected a cra project, found no {FILE_NAME}"
        + (" here or in a directory above" if stated is None else ""),
        where=str(place or Path.cwd()),
        fix="cra init" if stated is None else f"cra init {quote(str(stated))}",
    )


def refuse_nowhere(stated: Path) -> None:
    """Raises ConfigError for a project's directory that is none."""
    if not stated.is_dir():
        raise ConfigError(
            "expected a project's directory, found no such directory",
            where=str(stated.absolute()),
            fix=f"cra init {quote(str(stated))}",
        )


def open_signer() -> Signer | None:
    """The user's signer; None if there is no key. Raises SignerRefused if one cannot be used."""
    dirs = user_dirs()
    if not dirs.has_key():
        return None
    from cra.ledger.keys import load_key

    return load_key(dirs.signing_key)
