"""What a session was at one of its events, by its ledger alone."""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from typing import Literal

from typing_extensions import TypedDict

from cra.amount import counted
from cra.errors import Code, IntegrityError
from cra.ledger.facts import IntentFacts
from cra.ledger.index import LedgerFile, session_id_of
from cra.runtime.state import SessionState, Standing, event_of


class HeldAtFacts(TypedDict):
    resolution_id: str
    sequence: int
    goal: str
    allowed: list[str]
    expires_at: str
    # Whether its time was not over then.
    valid: bool


class StandingFacts(TypedDict):
    approval_id: str
    sequence: int
    action_id: str
    state: Standing
    uses: int


class UsedFacts(TypedDict):
    calls: int
    amount: int


class SessionAtFacts(TypedDict):
    session_id: str
    at: int
    event_type: str
    timestamp: str
    state: Literal["open", "ended", "expired"]
    resolutions: list[HeldAtFacts]
    approvals: list[StandingFacts]
    # By the limit: what was taken of it until then.
    used: dict[str, UsedFacts]
    open_intents: list[IntentFacts]


def standing_at(session: LedgerFile, at: int, state: SessionState | None = None) -> SessionAtFacts:
    """What the events of a session up to one say. Raises IntegrityError for what is no event.

    A state of the session that has taken in none after it is folded on.
    """
    state = SessionState() if state is None else state
    try:
        for sequence, line in enumerate(session.lines(state.size, at + 1), state.size):
            state.take(event_of(line, sequence))
        last = event_of(session.line(at), at)
        return _facts(session_id_of(session.path), state, last["timestamp"], last["event_type"])
    except (KeyError, TypeError) as error:
        raise IntegrityError(
            Code.MALFORMED_LINE,
            f"expected event {state.size}, found a line that is none",
            where=str(session.path),
            fix="cra trace verify",
        ) from error


def _facts(session_id: str, state: SessionState, now: str, event_type: str) -> SessionAtFacts:
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
        "session_id": session_id,
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
            {"session_id": session_id, "sequence": one.sequence, "action_id": one.action_id}
            for one in state.open_intents()
        ],
    }


def told_standing(answer: SessionAtFacts) -> list[tuple[str, str]]:
    """What a session held, asked for, used and had begun, each with what it is."""
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
    return rows
