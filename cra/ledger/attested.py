"""What a journal says of a session and of its key, and which of it counts (specs/PROTOCOL.md
section 5)."""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator
from pathlib import Path

from cra.errors import IntegrityError
from cra.ledger import files
from cra.ledger.chain import Event, decode
from cra.ledger.checkpoint import UNSIGNED
from cra.ledger.place import Lines
from cra.ledger.verdict import doubted_ranges, unattested_bounds


def events_naming(journal: Path, session_id: str, types: Collection[str]) -> Iterator[Event]:
    """The events of some types that name a session, whether they count or not.

    Raises IntegrityError at one that cannot be read.
    """
    for event in _events(journal, types, f'"session_id":"{session_id}"'):
        if (event.payload or {}).get("session_id") == session_id:
            yield event


def attested_events(
    journal: Path, covered: int, session_id: str, types: Collection[str]
) -> list[Event]:
    """Those of `events_naming` among the first `covered` that no later writer doubts."""
    recoveries = [
        (event.sequence, bounds)
        for event in _events(journal, {"ledger.recovered"}, '"unattested":[')
        if event.sequence < covered and (bounds := unattested_bounds(event.payload)) is not None
    ]
    doubted = doubted_ranges(recoveries)
    return [
        event
        for event in events_naming(journal, session_id, types)
        if event.sequence < covered and not any(event.sequence in doubt for doubt in doubted)
    ]


def signer_named(journal: Path, covered: int) -> str | None:
    """The key that a journal says signs it; None if it names none.

    Event 0 says so in any case, later events only under the checkpoint.
    """
    named = None
    try:
        for event in _events(journal, {"journal.opened", "journal.key_added"}, '"signer":"'):
            if event.sequence < max(1, covered):
                named = (event.payload or {}).get("signer")
    except (FileNotFoundError, IntegrityError):
        pass  # what comes before it has been said
    return named if isinstance(named, str) and named != UNSIGNED else None


def _events(journal: Path, types: Collection[str], words: str) -> Iterator[Event]:
    needle = words.encode()
    fd = files.open_for_reading(journal)
    try:
        for lines in Lines(fd):
            for line in lines:
                if needle in line:
                    event = decode(line)
                    if event.event_type in types:
                        yield event
    finally:
        os.close(fd)
