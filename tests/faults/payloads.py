"""Payloads of the events that the suites append."""

from __future__ import annotations

from typing import Any, Final

DENIED: Final[dict[str, Any]] = {
    "action_id": "ticket.create",
    "reason": "no rule allows it",
    "policy_id": None,
}
GRANTED: Final[dict[str, Any]] = {"approval_id": "a1", "action_id": "ticket.create"}
# The result is larger than a payload may be, so it becomes a blob.
LARGE: Final[dict[str, Any]] = {
    "execution_id": "e1",
    "action_id": "ticket.create",
    "duration_us": 5,
    "result": "x" * 70_000,
}
# Batches of these are long writes, which a kill may cut in two.
BULKY: Final[dict[str, Any]] = DENIED | {"reason": "no rule allows it. " * 3000}
