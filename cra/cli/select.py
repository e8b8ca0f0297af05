"""Which session or journal a command is about: what an id, the beginning of one, a word or a path
names."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from itertools import pairwise
from pathlib import Path
from typing import Annotated, Final, TypeAlias

import typer

from cra.cli.project import open_config
from cra.errors import NotFound, UsageError
from cra.ledger.index import JOURNAL_FILE, SUFFIX, LedgerFile, session_files, session_id_of
from cra.printable import did_you_mean

SessionName: TypeAlias = Annotated[
    str,
    typer.Argument(
        metavar="SESSION",
        help="An id or how one begins, `last` (begun last, by any agent), or a file.",
        show_default=False,
    ),
]
LogName: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="SESSION",
        help="An id or how one begins, `last` (begun last, by any agent), `journal`, or a file.",
        show_default=False,
    ),
]
LogOrAll: TypeAlias = Annotated[
    str | None,
    typer.Argument(
        metavar="SESSION",
        help="An id or how one begins, `last` (begun last, by any agent), `journal`, or a file. "
        "None: all sessions.",
        show_default=False,
    ),
]
# Whoever writes a command with options only has one for the session as well.
NamedSession: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--session", "--trace-id", metavar="SESSION", help="Another way to write SESSION."
    ),
]

JOURNAL: Final = "journal"
_MAX_CANDIDATES: Final = 10
_MAX_GUESSED: Final = 200
_SHORTEST: Final = 8
_ID: Final = re.compile("[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}", re.IGNORECASE)


def stated(argument: str | None, option: str | None) -> str | None:
    """What an argument or the option in its place names, if any. Raises UsageError for both."""
    if argument is not None and option is not None:
        raise UsageError(f"expected one session, found {argument:.60} and --session {option:.60}")
    return argument if option is None else option


def the_one(argument: str | None, option: str | None) -> str:
    """As `stated`, where there has to be one."""
    name = stated(argument, option)
    if name is None:
        raise UsageError(
            "expected a session, found none",
            fix="name one of cra trace list; `last` is the one begun last",
        )
    return name


def open_session(text: str, project: Path | None, trace_dir: Path | None) -> Path:
    """The file of the session that a command's arguments name; a path needs no project.

    Raises ConfigError, NotFound or UsageError.
    """
    return find_session(_directory(text, project, trace_dir), text)


def open_log(text: str, project: Path | None, trace_dir: Path | None) -> Path:
    """As `open_session`, for a command that reads the journal as well."""
    return find_log(_directory(text, project, trace_dir), text)


def find_log(directory: Path, text: str) -> Path:
    """The file of the session, or of the journal, that a text names. Raises as `find_session`."""
    if text != JOURNAL:
        return find_session(directory, text)
    path = directory / JOURNAL_FILE
    if not path.is_file():
        refuse_gone(directory)
        raise NotFound(
            "expected a journal, found none", where=str(directory), fix="cra session start"
        )
    return path


def sessions_of(directory: Path) -> list[Path]:
    """The files of the sessions in a ledger's directory, the last one begun first.

    Raises IntegrityError if there is none, and a ledger was seen there before.
    """
    found = session_files(directory)
    if not found:
        refuse_gone(directory)
    return found


def refuse_gone(directory: Path) -> None:
    """Where nothing is recorded, something may have been. Raises IntegrityError."""
    from cra.cli.ledger import config_of, open_memory  # what reads a ledger goes without
    from cra.ledger.memory import check_not_gone

    check_not_gone(open_memory(config_of(directory)), directory)


def find_session(directory: Path, text: str) -> Path:
    """The file of the session that a text names.

    Raises NotFound, UsageError for several, or IntegrityError for a ledger that is gone.
    """
    if is_path(text):
        path = Path(text)
        if path.is_file():
            return path
        raise NotFound("expected a session's file, found none", where=text, fix="cra trace list")
    found = sessions_of(directory)
    if text == "last" and found:
        return found[0]
    fitting = [path for path in found if text and path.name.startswith(text.lower())]
    if len(fitting) == 1:
        return fitting[0]
    if fitting:
        raise _ambiguous(text, fitting)
    if text == JOURNAL:
        raise NotFound(
            "expected a session, found the journal",
            where=str(directory),
            fix="cra trace show journal",
        )
    missing = f"expected the session {text}, found none{_near(text, found)}"
    raise NotFound(
        missing if found else "expected a session, found none",
        where=str(directory),
        fix="cra trace list" if found else "cra session start",
    )


def find_execution(directory: Path, text: str) -> Path | None:
    """The file of the session with the execution that an id names, as `cra execute` says it."""
    if not _ID.fullmatch(text):
        return None
    from cra.ledger.filter import containing  # most names are of sessions
    from cra.ledger.outline import readable

    span = text.lower()
    begins = containing(f'"span_id":"{span}"'.encode())
    for path in sessions_of(directory):
        with LedgerFile(path) as session:
            events = filter(None, (readable(line) for _, line in session.search(begins)))
            # A session and a resolution are spans as well.
            spans = {
                event.header["span_id"]
                for event in events
                if event.event_type.startswith(("action.", "approval."))
            }
            if span in spans:
                return path
    return None


def short_length(paths: Iterable[Path]) -> int:
    """How many characters of an id tell each session from the others, and are worth showing."""
    length = _SHORTEST
    for one, other in pairwise(sorted(map(session_id_of, paths))):
        while one != other and one[:length] == other[:length]:
            length += 1
    return length


def _directory(text: str, project: Path | None, trace_dir: Path | None) -> Path:
    return Path() if is_path(text) else open_config(project, trace_dir).trace_directory


def is_path(text: str) -> bool:
    return "/" in text or text.endswith(SUFFIX)


def _near(text: str, paths: list[Path]) -> str:
    """The question whether another session was meant: of those that begin like no other."""
    ids = [session_id_of(path) for path in paths[:_MAX_GUESSED]]
    begun = Counter(one[: len(text)] for one in ids)
    spelled = {"last": "last", JOURNAL: JOURNAL}
    spelled |= {one[: len(text)]: one for one in ids if begun[one[: len(text)]] == 1}
    return did_you_mean(text.lower(), spelled, spelled)


def _ambiguous(text: str, fitting: list[Path]) -> UsageError:
    listed = [session_id_of(path) for path in fitting[:_MAX_CANDIDATES]]
    if len(fitting) > _MAX_CANDIDATES:
        listed.append(f"and {len(fitting) - _MAX_CANDIDATES} more")
    first = f"expected one session, found {len(fitting)} whose id begins with {text}:"
    return UsageError("\n".join([first, *listed]), fix="name one with more of its id")
