"""Traces made by hand, for tests of what compares them."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from copy import deepcopy
from hashlib import sha256
from typing import Any

Event = dict[str, Any]
# Its type, the name of its span, and its payload.
Said = tuple[str, str, Mapping[str, Any]]

OWN = "own"
# Where an argument or a result says `@name`, the trace has the id of that name.
_REFERENCE = "@"


class Made:
    """Events as a trace hands them out: each reading gives objects of their own."""

    def __init__(self, events: list[Event]) -> None:
        self.events = events

    def __iter__(self) -> Iterator[Event]:
        return iter(deepcopy(self.events))

    def event(self, sequence: int) -> Event:
        return deepcopy(self.events[sequence])


def id_of(name: str, seed: int = 0) -> str:
    digest = sha256(f"{seed} {name}".encode()).hexdigest()
    return f"{digest[:8]}-{digest[8:12]}-7{digest[12:15]}-8{digest[15:18]}-{digest[18:30]}"


def made(*said: Said, seed: int = 0) -> Made:
    """A trace of a session that begins; another seed makes all its ids, times and hashes others."""
    return Made([_event(at, one, seed) for at, one in enumerate((started(), *said))])


def started() -> Said:
    return "session.started", OWN, {"agent_id": "agent", "expires_at": "@@time", "scopes": []}


def asked(span: str, goal: str = "read a ticket") -> Said:
    request = {"task": {"goal": goal}}
    payload = {"operation": "resolve", "request": request, "request_id": f"@request of {span}"}
    return "carp.request.received", span, payload


def answered(span: str, **resolution: Any) -> Said:
    document = {"allowed_actions": [], "denied_actions": [], "timestamp": "@@time", **resolution}
    payload = {
        "request_id": f"@request of {span}",
        "resolution_id": f"@resolution of {span}",
        "snapshot": "@@hash",
        "resolution": document,
    }
    return "carp.resolution.completed", span, payload


def offered(action_id: str, **members: Any) -> dict[str, Any]:
    return {"action_id": action_id, "risk_tier": "low", "requires_approval": False, **members}


def denied(span: str, action_id: str, arguments: Mapping[str, Any], by: str = "no") -> Said:
    payload = {
        "action_id": action_id,
        "arguments": arguments,
        "policy_id": by,
        "reason": f"{by} denies it",
        "resolution_id": None,
    }
    return "action.denied", span, payload


def approved(
    span: str, action_id: str, arguments: Mapping[str, Any], on: str | None = None
) -> Said:
    payload = {
        "execution_id": f"@{span}",
        "action_id": action_id,
        "arguments": arguments,
        "arguments_digest": "@@hash",
        "decision": {"type": "allow", "policy_id": "yes", "reason": "yes allows it"},
        "resolution_id": None if on is None else f"@resolution of {on}",
    }
    return "action.approved", span, payload


def executed(span: str, action_id: str, result: Any) -> Said:
    payload = {
        "execution_id": f"@{span}",
        "action_id": action_id,
        "duration_us": "@@duration",
        "result": result,
    }
    return "action.executed", span, payload


def call(
    span: str, action_id: str, arguments: Mapping[str, Any] | None = None, result: Any = None
) -> tuple[Said, Said]:
    """An action that is allowed and done."""
    return approved(span, action_id, arguments or {}), executed(span, action_id, result)


def ended(**summary: int) -> Said:
    return "session.ended", OWN, {"reason": "completed", "summary": summary, "duration_ms": 5}


def _event(at: int, said: Said, seed: int) -> Event:
    event_type, span, payload = said
    span, _, parent = span.partition("<")
    return {
        "actor": {"id": "cra", "type": "runtime"},
        "event_id": id_of(f"event {at}", seed),
        "event_type": event_type,
        "event_hash": _hash(f"event {at}", seed),
        "parent_span_id": id_of(parent, seed) if parent else None,
        "payload_hash": _hash(f"payload {at}", seed),
        "previous_event_hash": _hash(f"event {at - 1}", seed),
        "sequence": at,
        "session_id": id_of(OWN, seed),
        "severity": "info",
        "span_id": id_of(span, seed),
        "timestamp": _time(at, seed),
        "trace_id": id_of(OWN, seed),
        "trace_version": "1.1",
        "salt": _hash(f"salt {at}", seed)[:32],
        "payload": _filled(payload, at, seed),
    }


def _filled(value: Any, at: int, seed: int) -> Any:
    if isinstance(value, Mapping):
        return {key: _filled(member, at, seed) for key, member in value.items()}
    if isinstance(value, list):
        return [_filled(item, at, seed) for item in value]
    if not (isinstance(value, str) and value.startswith(_REFERENCE)):
        return value
    generated = {
        "@@time": _time(at + 3_600, seed),
        "@@hash": _hash(f"value {at}", seed),
        "@@duration": at + seed,
    }
    return generated.get(value) or id_of(value[1:].partition("<")[0], seed)


def _hash(name: str, seed: int) -> str:
    return sha256(f"{seed} {name}".encode()).hexdigest()


def _time(at: int, seed: int) -> str:
    minutes, seconds = divmod(at + seed, 60)
    return f"2026-01-05T{minutes // 60:02}:{minutes % 60:02}:{seconds:02}.000000Z"
