"""Events as they are shown: each held against its number and its neighbours, and not verified.

What lies in the file is believed as far as nothing beside it says otherwise; `cra trace verify` is
what judges it.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from cra.errors import Code, IntegrityError
from cra.ledger.chain import GENESIS, Event, decode
from cra.ledger.index import JOURNAL_FILE, LedgerFile, session_id_of


class Shown(NamedTuple):
    """A line with its number, the event that it is, if it is one, and what is wrong with it."""

    number: int
    line: bytes
    event: Event | None
    fault: IntegrityError | None


def shown(ledger: LedgerFile, found: Sequence[tuple[int, bytes]]) -> list[Shown]:
    """Numbered lines of a file, in their order, as what they are in their places."""
    # A journal's name does not say whose its events are.
    is_journal = ledger.path.name == JOURNAL_FILE
    session_id = None if is_journal else session_id_of(ledger.path)
    rows = []
    for first, lines in _runs(found):
        # There is none before in a file that was cut meanwhile.
        before = _lines(ledger, first - 1)[-1:]
        around = [*before, *lines, *_lines(ledger, first + len(lines))]
        begin = first - len(before)
        read = [_read(line, number, session_id) for number, line in enumerate(around, begin)]
        for at, line in enumerate(lines, first - begin):
            event, fault = read[at]
            if event is not None and fault is None:
                previous = read[at - 1] if at else None
                following = read[at + 1] if at + 1 < len(read) else None
                fault = _unchained(event, previous, following)
            rows.append(Shown(begin + at, line, event, fault))
    return rows


_Read = tuple[Event | None, IntegrityError | None]


def _runs(found: Sequence[tuple[int, bytes]]) -> Iterable[tuple[int, list[bytes]]]:
    """Lines that follow one another, each run with the number of its first."""
    first, lines = 0, list[bytes]()
    for number, line in found:
        if lines and number != first + len(lines):
            yield first, lines
            lines = []
        if not lines:
            first = number
        lines.append(line)
    if lines:
        yield first, lines


def _lines(ledger: LedgerFile, number: int) -> list[bytes]:
    """The line with a number; none beyond either end."""
    return list(ledger.lines(number, number + 1)) if number >= 0 else []


def _read(line: bytes, number: int, session_id: str | None) -> _Read:
    """The event of a line, and why it is none or not the one with this number."""
    try:
        event = decode(line)
    except IntegrityError as error:
        return None, error
    found = event.header["session_id"]
    if session_id not in (None, found):
        return event, IntegrityError(
            Code.FOREIGN_EVENT, f"expected an event of {session_id}, found one of {found}"
        )
    if event.sequence != number:
        return event, _broken(f"expected event {number}, found event {event.sequence}")
    return event, None


def _unchained(event: Event, before: _Read | None, after: _Read | None) -> IntegrityError | None:
    """Why an event does not chain to a neighbour that is one; another line there is no link."""
    stated = event.header["previous_event_hash"]
    previous = GENESIS if event.sequence == 0 else None
    if before is not None and before[0] is not None and before[1] is None:
        previous = before[0].event_hash
    if previous not in (None, stated):
        return _broken(f"expected an event after {previous:.12}…, found one after {stated:.12}…")
    if after is None or after[0] is None or after[1] is not None:
        return None
    following = after[0].header["previous_event_hash"]
    if following != event.event_hash:
        return _broken(
            f"expected the event that the next one follows, {following:.12}…, "
            f"found {event.event_hash:.12}…"
        )
    return None


def _broken(message: str) -> IntegrityError:
    return IntegrityError(Code.BROKEN_CHAIN, message)
