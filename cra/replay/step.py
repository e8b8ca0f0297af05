"""A trace in a few words for each step, for whoever reads a manifest or a difference."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, Final

from cra.replay.normal import Event

_MAX_GOAL: Final = 120
_NO_CALL: Final = "no rule: no such call"
_REQUEST: Final = "carp.request.received"


def told(events: Iterable[Event]) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The steps of a trace in words, and the actions that were called."""
    steps, called = [], []
    for event in events:
        words = words_of(event)
        if words is not None:
            steps.append(words)
            action_id = (event.get("payload") or {}).get("action_id")
            if isinstance(action_id, str):
                called.append(action_id)
    return tuple(steps), tuple(sorted(set(called)))


def words_of(event: Event) -> str | None:
    """What an event is as a step; None for one that only belongs to a step."""
    event_type, payload = event["event_type"], event.get("payload")
    said = _SAID.get(event_type)
    if payload is None:
        is_step = said is not None or event_type == _REQUEST
        return f"{event_type}, which is redacted" if is_step else None
    if said is not None:
        return f"{payload.get('action_id')}: {said(payload)}"
    if event_type == _REQUEST:
        goal = _member(payload, "request", "task", "goal")
        return f"resolve: {str(goal)[:_MAX_GOAL]}"
    return None


def _member(value: Any, *names: str) -> Any:
    """What an event that may say anything has at a place; None for nothing."""
    for name in names:
        value = value.get(name) if isinstance(value, dict) else None
    return value


_SAID: Final[Mapping[str, Callable[[Mapping[str, Any]], str]]] = {
    "action.approved": lambda payload: f"allowed by {_member(payload, 'decision', 'policy_id')}",
    "action.denied": lambda payload: f"denied by {payload.get('policy_id') or _NO_CALL}",
    "approval.requested": lambda payload: f"to be approved, by {payload.get('policy_id')}",
    "approval.granted": lambda _: "granted by a person",
    "approval.denied": lambda _: "refused by a person",
}
