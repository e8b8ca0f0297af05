"""Payloads of the events that the suites append."""

from __future__ import annotations

from typing import Any, Final

DENIED: Final[dict[str, Any]] = {
    "action_id": "ticket.create",
    "reason": "no rule allows it",
    "policy_id": None,
}
_ASKED: Final[dict[str, Any]] = {
    "approval_id": "a1",
    "action_id": "ticket.create",
    "reason": "a person looks at it",
    "expires_at": "2026-11-20T10:15:00.000000Z",
}
REQUESTED: Final[dict[str, Any]] = _ASKED | {
    "policy_id": "p1",
    "risk_tier": "high",
    "arguments": {},
    "arguments_digest": "0" * 64,
    "binding": {},
    "resolution_id": None,
    "approvers": [],
}
GRANTED: Final[dict[str, Any]] = _ASKED | {
    "binding": "0" * 64,
    "any_arguments": False,
    "uses": 1,
    "approver": {"how": "terminal", "name": "u1"},
}
# The result is larger than a payload may be, so it becomes a blob.
LARGE: Final[dict[str, Any]] = {
    "execution_id": "e1",
    "action_id": "ticket.create",
    "duration_us": 5,
    "result": "x" * 70_000,
}
# Batches of these are long writes, which a kill may cut in two.
BULKY: Final[dict[str, Any]] = DENIED | {"reason": "no rule allows it. " * 3000}
