"""A session at a glance: what its first and last lines and its checkpoint say, however long it is.

It reads what is stored and believes it; `cra trace verify` is what judges it.
"""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, NamedTuple, TypeAlias

from cra.errors import IntegrityError
from cra.ledger import files
from cra.ledger.chain import Event, decode
from cra.ledger.index import (
    LedgerFile,
    end_of_lines,
    lines_backwards,
    session_id_of,
    whole_lines,
)
from cra.printable import naming

if TYPE_CHECKING:
    from cra.ledger.facts import OutlineFacts

State: TypeAlias = Literal["open", "ended", "expired", "empty", "damaged"]


class Outline(NamedTuple):
    """A session by its first and last lines; `events` is None if the last one cannot be read, and
    the number of lines where the last one's number is another."""

    path: Path
    first: Event | None
    last: Event | None
    events: int | None
    is_ended: bool
    # Whether the last event's number is right, as far as that is seen without reading the file.
    is_whole: bool = True

    @property
    def id(self) -> str:
        return session_id_of(self.path)

    @property
    def opening(self) -> Mapping[str, Any]:
        """The payload of event 0; empty if there is none to be read."""
        return (self.first.payload or {}) if self.first else {}

    @property
    def agent(self) -> str | None:
        agent = self.opening.get("agent_id")
        return agent if isinstance(agent, str) else None

    @property
    def started(self) -> str | None:
        return self.first.header["timestamp"] if self.first else None

    @property
    def last_activity(self) -> str | None:
        return self.last.header["timestamp"] if self.last else None

    def state(self, now: str) -> State:
        if self.events == 0:
            return "empty"
        if self.first is None or self.last is None or not self.is_whole:
            return "damaged"
        if self.is_ended:
            return "ended"
        expires = self.opening.get("expires_at")
        return "expired" if isinstance(expires, str) and expires <= now else "open"

    def facts(self, now: str) -> OutlineFacts:
        """What a list of sessions says of this one."""
        return {
            "session_id": self.id,
            "agent_id": self.agent,
            "state": self.state(now),
            "events": self.events,
            "started": self.started,
            "last_activity": self.last_activity,
        }


def outline(path: Path) -> Outline:
    """The outline of a session's file. Raises OSError."""
    fd = files.open_for_reading(path)
    try:
        end = end_of_lines(fd)
        if end == 0:
            return Outline(path, None, None, 0, is_ended=False)
        _, chunk = next(whole_lines(fd, 0, end))
        first = readable(chunk.partition(b"\n")[0])
        last, is_ended = None, False
        for line in lines_backwards(fd, end):
            event = readable(line)
            last = last or event
            # A recovery may follow the end of a session (specs/PROTOCOL.md section 2.3).
            if event is None or event.event_type != "ledger.recovered":
                is_ended = event is not None and event.event_type == "session.ended"
                break
        count = last.sequence + 1 if last else None
        # A short file has been read whole by now.
        lines = chunk.count(b"\n") if len(chunk) == end else count
        return Outline(path, first, last, count and lines, is_ended, is_whole=lines == count)
    finally:
        os.close(fd)


def way_on(session_id: str, agent: str | None) -> str:
    """The commands for a session that is not what was recorded: its verdict, and to go on
    without it."""
    start = f"cra session start{naming(agent)}"
    return f"cra trace verify {session_id}; to go on without it: {start}"


def readable(line: bytes) -> Event | None:
    """The event of a line on its own; None if it is none."""
    try:
        return decode(line)
    except IntegrityError:
        return None


class Coverage(NamedTuple):
    """Which events of a session a checkpoint covers that no recovery doubts, whoever signed it."""

    size: int
    doubted: tuple[range, ...]

    def covers(self, sequence: int) -> bool:
        return sequence < self.size and not any(sequence in doubt for doubt in self.doubted)


def coverage(session: LedgerFile) -> Coverage:
    """What the checkpoint beside a file says that it covers.

    Raises IntegrityError if the checkpoint cannot be read.
    """
    # A list of sessions does without these.
    from cra.ledger.checkpoint import MAX_NOTE, open_checkpoint
    from cra.ledger.filter import containing

    name = session_id_of(session.path)
    note = files.read_all(session.path.with_name(f"{name}.checkpoint"), MAX_NOTE)
    size = open_checkpoint(note, None, (), signed=False).checkpoint.size if note else 0
    doubted = []
    for _, line in session.search(containing(b'"event_type":"ledger.recovered"')):
        event = readable(line)
        bounds = (event.payload or {}).get("unattested") if event else None
        if isinstance(bounds, list) and [type(bound) for bound in bounds] == [int, int]:
            doubted.append(range(bounds[0], bounds[1] + 1))
    return Coverage(size, tuple(doubted))
