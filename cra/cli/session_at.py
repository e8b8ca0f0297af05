"""`cra session show --at`: what a session was at one of its events, by its ledger alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cra.cli import output
from cra.errors import UsageError
from cra.ledger.index import LedgerFile, session_id_of
from cra.runtime.standing import standing_at, told_standing

if TYPE_CHECKING:
    from cra.runtime.standing import SessionAtFacts

_NARROWEST = 12


def show_at(path: Path, at: int, *, as_json: bool) -> None:
    """Print what the events up to one say. Raises UsageError if there is no such event."""
    with LedgerFile(path) as session:
        if not 0 <= at < session.count:
            raise UsageError(
                f"expected an event from 0 to {session.count - 1}, found --at {at}",
                fix=f"cra trace show {session_id_of(path)}",
            )
        answer = standing_at(session, at)
    if as_json:
        output.answer_json(answer)
    else:
        _show(answer)


def _show(answer: SessionAtFacts) -> None:
    output.answer(
        f"{output.style('session', 'accent')} {answer['session_id']} at event {answer['at']}"
    )
    output.answer(f"  {answer['event_type']}, {answer['timestamp']}: {answer['state']}")
    rows = told_standing(answer)
    for name, words in rows:
        lead = f"  {name:<{_NARROWEST}} "
        output.answer(output.wrapped(lead + words, hang=" " * len(lead)))
    if not rows:
        output.answer("  nothing resolved, asked for or open")
