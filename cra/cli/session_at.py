"""`cra session show --at`: what a session was at one of its events, by its ledger alone."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from cra.amount import counted
from cra.cli import output
from cra.errors import UsageError
from cra.ledger.index import LedgerFile, session_id_of
from cra.runtime.state import SessionState, event_of

if TYPE_CHECKING:
    from cra.cli.answers.session import HeldAtFacts, SessionAtAnswer, StandingFacts

_NARROWEST = 12


def show_at(path: Path, at: int, *, as_json: bool) -> None:
    """Print what the events up to one say. Raises UsageError if there is no such event."""
    state = SessionState()
    with LedgerFile(path) as session:
        if not 0 <= at < session.count:
            raise UsageError(
                f"expected an event from 0 to {session.count - 1}, found --at {at}",
                fix=f"cra trace show {session_id_of(path)}",
            )
        for sequence, line in enumerate(session.lines(0, at + 1)):
            event = event_of(line, sequence)
            state.take(event)
    answer = _answer(path, state, event["timestamp"], event["event_type"])
    if as_json:
        output.answer_json(answer)
    else:
        _show(answer)


def _answer(path: Path, state: SessionState, now: str, event_type: str) -> SessionAtAnswer:
    expires_at = state.started.get("expires_at", "")
    is_expired = bool(expires_at) and expires_at <= now
    resolutions: list[HeldAtFacts] = [
        {
            "resolution_id": held.resolution_id,
            "sequence": held.sequence,
            "goal": held.goal,
            "allowed": sorted(held.allowed),
            "expires_at": held.expires_at,
            "valid": held.expires_at > now,
        }
        for held in state.resolutions.values()
    ]
    approvals: list[StandingFacts] = [
        {
            "approval_id": one.approval_id,
            "sequence": one.sequence,
            "action_id": one.action_id,
            "state": one.standing(now, lambda _: True),
            "uses": one.uses,
        }
        for one in state.approvals.values()
    ]
    return {
        "session_id": session_id_of(path),
        "at": state.size - 1,
        "event_type": event_type,
        "timestamp": now,
        "state": "ended" if state.is_ended else "expired" if is_expired else "open",
        "resolutions": resolutions,
        "approvals": approvals,
        "used": {
            key: {"calls": len(uses), "amount": sum(use.amount for use in uses)}
            for key, uses in state.uses.items()
        },
        "open_intents": [
            {
                "session_id": session_id_of(path),
                "sequence": one.sequence,
                "action_id": one.action_id,
            }
            for one in state.open_intents()
        ],
    }


def _show(answer: SessionAtAnswer) -> None:
    output.answer(
        f"{output.style('session', 'accent')} {answer['session_id']} at event {answer['at']}"
    )
    output.answer(f"  {answer['event_type']}, {answer['timestamp']}: {answer['state']}")
    rows = [
        (
            "resolution",
            f"event {held['sequence']}, {counted(len(held['allowed']), 'action')}, "
            f"{'valid' if held['valid'] else 'not valid any more'}: {held['goal']}",
        )
        for held in answer["resolutions"]
    ]
    rows += [
        ("approval", f"event {one['sequence']}, {one['action_id']}: {one['state']}")
        for one in answer["approvals"]
    ]
    rows += [
        ("limit", f"{key}: {counted(used['calls'], 'call')}, {used['amount']} taken")
        for key, used in answer["used"].items()
    ]
    rows += [
        ("open intent", f"event {one['sequence']}, {one['action_id']}")
        for one in answer["open_intents"]
    ]
    for name, words in rows:
        lead = f"  {name:<{_NARROWEST}} "
        output.answer(output.wrapped(lead + words, hang=" " * len(lead)))
    if not rows:
        output.answer("  nothing resolved, asked for or open")
