"""One line of words for each type of event: what a listing says of a payload."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import Any, Final

from cra import canonical
from cra.amount import counted, duration
from cra.errors import ValueRefused

# What stands in braces is a path into the payload, with the noun of a count; a part in brackets is
# left out if there is nothing at its paths.
_WORDS: Final[Mapping[str, str]] = {
    "session.started": "{agent_id}, for {principal.type} {principal.id}, until {expires_at}",
    "session.ended": "{reason} after {duration_ms}[, {summary.events event}]"
    "[, {summary.actions action}][, {summary.denials denial}]",
    "carp.request.received": "{operation}[: {request.task.goal}][: {request.execution.action_id}]",
    "carp.resolution.completed": "{decision.type}: {decision.reason} ({duration_us})",
    "carp.resolution.cached": "as in event {completed_event_id} ({duration_us})",
    "policy.evaluated": "{action_id}: {policy_id} {outcome}[: {reason}]",
    "policy.violated": "{action_id}: {policy_id} {outcome}[: {reason}]",
    "context.injected": "{block_id} from {source}, {token_estimate token}",
    "context.redacted": "{block_id}: {reason}, {count time}",
    "approval.requested": "{action_id}: {reason} ({approval_id})",
    "approval.granted": "{action_id} by {approver.name}[: {reason}] ({approval_id})",
    "approval.denied": "{action_id} by {approver.name}[: {reason}] ({approval_id})",
    "approval.expired": "{action_id} ({approval_id})",
    "approval.consumed": "{action_id} ({approval_id})",
    "action.requested": "{action_id} {arguments}",
    "action.approved": "{action_id} {arguments}",
    "action.denied": "{action_id}: {reason}[ ({policy_id})][; possible again at {possible_at}]",
    "action.executed": "{action_id} in {duration_us}: {result}",
    "action.failed": "{action_id} after {duration_us}[: {error.code}][: {error.message}]",
    "ledger.recovered": "{reason}[: events {unattested}][: kept as {removed.kept_as}]"
    "[: after {broken_from.size event} of {broken_from.ledger_id}]",
    "error.occurred": "{code}: {message}",
    "journal.opened": "ledger {ledger_id}, signer {signer}",
    "journal.session_opened": "{size event} of session {session_id}",
    "journal.checkpoint": "{size event} of session {session_id}",
    "journal.session_closed": "{size event} of session {session_id}",
    "journal.pruned": "{size event} of session {session_id}: {reason}",
    "journal.redacted": "event {sequence} of session {session_id}: {reason}",
    "journal.key_added": "{signer}: {reason}",
    "limit.reserved": "{policy_id} {key}, cost {cost}, until {window_ends}",
    "idempotency.reserved": "{idempotency_key} of session {session_id}",
    "project.changed": "{what}[: from {before}][: to {after}]",
}
_PART: Final = re.compile(r"\[([^\]]*)\]|\{([^}]*)\}")
_PATH: Final = re.compile(r"\{([^}]*)\}")
_UNITS: Final = {"duration_us": 1, "duration_ms": 1000}
REDACTED: Final = "(payload redacted)"


def summarize(event_type: str, payload: Mapping[str, Any] | None) -> str:
    """What a payload says, in one line that may be long and is not yet safe for a terminal."""
    if payload is None:
        return REDACTED
    words = _WORDS.get(event_type)
    if words is None:
        return _shown("payload", payload)
    action_id, reason = payload.get("action_id"), payload.get("reason")
    if isinstance(reason, str):
        # What is said of arguments that do not fit begins with the action as well.
        payload = {**payload, "reason": reason.removeprefix(f"{action_id}: ")}
    simulated = "simulated: " if payload.get("simulated") is True else ""

    def fill(part: re.Match[str]) -> str:
        if part[2] is not None:
            return _at(payload, part[2]) or "?"
        values = [_at(payload, path) for path in _PATH.findall(part[1])]
        if not all(values):
            return ""
        return _PATH.sub(lambda path: _at(payload, path[1]), part[1])

    return simulated + _PART.sub(fill, words)


def _at(payload: Mapping[str, Any], place: str) -> str:
    path, _, noun = place.partition(" ")
    value: Any = payload
    for name in path.split("."):
        value = value.get(name) if isinstance(value, dict) else None
    if noun and type(value) is int:
        return counted(value, noun)
    shown = _shown(path, value)
    return f"{shown} {noun}s" if noun and shown else shown


def _shown(name: str, value: Any) -> str:
    if value is None:
        return ""
    if name in _UNITS and type(value) in (int, float):
        return duration(value * _UNITS[name])
    if isinstance(value, str):
        return value
    try:
        return canonical.encode(value).decode()
    except ValueRefused:
        return "(no canonical JSON)"
