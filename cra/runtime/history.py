"""What the ledger tells of calls that were decided, for whoever decides them again."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import Any

from cra import canonical
from cra.errors import ValueRefused
from cra.ledger.blobs import read_member
from cra.ledger.index import LedgerFile, session_files, session_id_of
from cra.policy.backtest import PastCall
from cra.policy.call import Call, Granted, Moment
from cra.policy.ladder import Outcome
from cra.runtime.decision import NO_RESOLUTION
from cra.runtime.project import Project
from cra.runtime.state import SessionState, event_of

# The events that tell what was decided of a call.
OUTCOMES: dict[str, Outcome] = {
    "action.approved": "allow",
    "action.denied": "deny",
    "approval.requested": "requires_approval",
}


@dataclass
class History:
    """Past calls in the order of their times, and how many could not be told, by why."""

    calls: list[PastCall] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    def leave_out(self, why: str) -> None:
        self.left_out[why] = self.left_out.get(why, 0) + 1


def past_calls(project: Project, *, since: str = "", agent: str | None = None) -> History:
    """The calls of all sessions from a time on, of an agent or of all. Raises IntegrityError."""
    history = History()
    for path in session_files(project.config.trace_directory):
        for event, state in events_of(path):
            outcome = OUTCOMES.get(event["event_type"])
            if outcome is None or event["timestamp"] < since:
                continue
            if agent is None or state.started.get("agent_id") == agent:
                _add(history, project, path, event, state, outcome)
    history.calls.sort(key=lambda past: (past.timestamp, past.session_id, past.sequence))
    return history


def events_of(path: Path) -> Iterator[tuple[dict[str, Any], SessionState]]:
    """Each event of a session, and the session as it was before it. Raises IntegrityError."""
    state = SessionState()
    with LedgerFile(path) as session:
        for sequence, line in enumerate(session.lines(0, session.count)):
            event = event_of(line, sequence)
            yield event, state
            state.take(event)


def _add(
    history: History,
    project: Project,
    path: Path,
    event: dict[str, Any],
    state: SessionState,
    outcome: Outcome,
) -> None:
    payload = event.get("payload")
    if payload is None:
        history.leave_out("redacted")
    elif payload.get("simulated"):
        return
    elif "arguments" not in payload or payload.get("policy_id") == NO_RESOLUTION:
        history.leave_out("not decided by policy")
    elif outcome == "deny" and "approval_id" in payload:
        history.leave_out("denied by a person")
    elif payload["action_id"] not in project.snapshot.actions:
        history.leave_out("of no atlas of the project, or of a host program")
    else:
        try:
            call = call_of(project, path, event, state)
        except ValueRefused:
            history.leave_out("with a secret in the arguments, which is not recorded")
            return
        decision = payload.get("decision", payload)
        session_id, sequence = session_id_of(path), event["sequence"]
        approval = _approval(event, state)
        history.calls.append(
            PastCall(
                session_id,
                sequence,
                event["timestamp"],
                call,
                outcome,
                decision["policy_id"],
                approval,
            )
        )


def call_of(project: Project, path: Path, event: dict[str, Any], state: SessionState) -> Call:
    """The call that an event decided, as policy saw it. Raises ValueRefused if a part of it is not
    recorded."""
    payload = event["payload"]
    caller = project.caller_of(state.started)
    held = state.resolutions.get(payload.get("resolution_id") or "")
    stored = read_member(payload["arguments"], event["salt"], path.parent / "blobs")
    seconds = int(datetime.fromisoformat(event["timestamp"]).timestamp())
    return Call(
        payload["action_id"],
        caller.agent,
        caller.roles,
        caller.scopes,
        held.risk_tier if held else None,
        caller.context,
        held.context if held else {},
        Moment(canonical.unwrap(stored), seconds),
    )


def _approval(event: dict[str, Any], state: SessionState) -> Granted | None:
    """The grant that an allowed call consumed."""
    approval_id = state.consumed.get(event["span_id"])
    approval = state.approvals.get(approval_id or "")
    if event["event_type"] != "action.approved" or approval is None:
        return None
    given = next((one for one in approval.decisions if one.is_grant), None)
    return Granted(given.payload["approver"].get("key") if given else None)
