"""What the words on a command line stand for: times, principals, places in a ledger."""

from __future__ import annotations

import os
import re
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cra.errors import UsageError
from cra.ledger import files

if TYPE_CHECKING:
    from cra.protocol.events import Principal

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile("([0-9]{1,9})([smhd])")
_EVENT: Final = re.compile("(.+):([0-9]{1,16})")


def seconds(text: str) -> int:
    """The seconds of a duration like 90s, 15m, 1h or 30d. Raises UsageError."""
    match = _DURATION.fullmatch(text)
    if match is None:
        raise UsageError(f"expected a duration like 90s, 15m, 1h or 30d, found {text!r:.40}")
    return int(match[1]) * _UNITS[match[2]]


def principal(text: str) -> Principal:
    """Who a session acts for, from TYPE:ID. Raises UsageError."""
    kind, _, name = text.partition(":")
    if not 1 <= len(name) <= 256:
        raise UsageError(f"expected a principal TYPE:ID, found {text!r:.80}")
    match kind:
        case "user" | "service" | "agent":
            return {"type": kind, "id": name}
    raise UsageError(f"expected a principal of type user, service or agent, found {kind!r:.40}")


def event_place(directory: Path, text: str) -> tuple[Path, str, int]:
    """The ledger, the log and the sequence of SESSION:SEQUENCE, an event id or an event hash.

    Raises UsageError or NotFound.
    """
    from cra.cli.select import find_session
    from cra.ledger.index import session_id_of

    match = _EVENT.fullmatch(text)
    if match is None:
        from cra.ledger.proof import find_event

        return directory, *find_event(directory, text)
    if match[1] == "journal":
        return directory, "journal", int(match[2])
    path = find_session(directory, match[1])
    return path.parent, session_id_of(path), int(match[2])


def user_name() -> str:
    """Who the system says is running this; recorded as who changed a ledger."""
    from pwd import getpwuid

    with suppress(KeyError):
        return getpwuid(os.getuid()).pw_name
    return f"uid {os.getuid()}"


def save(path: Path, parts: Iterable[bytes]) -> None:
    """Write a file so that it is complete or not there."""
    temporary = path.with_name(f"{path.name}.{os.getpid()}.tmp")
    try:
        with open(temporary, "xb") as file:
            file.writelines(parts)
            file.flush()
            os.fsync(file.fileno())
        os.rename(temporary, path)
    finally:
        files.remove(temporary)
