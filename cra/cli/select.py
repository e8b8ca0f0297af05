"""Which session a command is about: what an id, the beginning of one, `last` or a path names."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from cra.cli.project import open_config
from cra.errors import NotFound, UsageError
from cra.ledger.index import SUFFIX, session_files, session_id_of

SessionName: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="SESSION", help="An id or how one begins, `last`, or a file.", show_default=False
    ),
]

_MAX_CANDIDATES: Final = 10
_SHORTEST: Final = 8


def open_session(text: str, project: Path | None, trace_dir: Path | None) -> Path:
    """The file of the session that a command's arguments name; a path needs no project.

    Raises ConfigError, NotFound or UsageError.
    """
    if _is_path(text):
        return find_session(Path(), text)
    return find_session(open_config(project, trace_dir).trace_directory, text)


def find_session(directory: Path, text: str) -> Path:
    """The file of the session that a text names. Raises NotFound, or UsageError for several."""
    if _is_path(text):
        path = Path(text)
        if path.is_file():
            return path
        raise NotFound("expected a session's file, found none", where=text, fix="cra trace list")
    found = session_files(directory)
    if text == "last" and found:
        return found[0]
    fitting = [path for path in found if text and path.name.startswith(text.lower())]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise _ambiguous(text, fitting)
    raise NotFound(
        f"expected the session {text}, found none" if found else "expected a session, found none",
        where=str(directory),
        fix="cra trace list" if found else "cra session start",
    )


def short_length(paths: Iterable[Path]) -> int:
    """How many characters of an id tell each session from the others, and are worth showing."""
    length = _SHORTEST
    for one, other in pairwise(sorted(map(session_id_of, paths))):
        while one != other and one[:length] == other[:length]:
            length += 1
    return length


def _is_path(text: str) -> bool:
    return "/" in text or text.endswith(SUFFIX)


def _ambiguous(text: str, fitting: list[Path]) -> UsageError:
    listed = [session_id_of(path) for path in fitting[:_MAX_CANDIDATES]]
    if len(fitting) > _MAX_CANDIDATES:
        listed.append(f"and {len(fitting) - _MAX_CANDIDATES} more")
    first = f"expected one session, found {len(fitting)} whose id begins with {text}:"
    return UsageError("\n".join([first, *listed]), fix="name one with more of its id")
