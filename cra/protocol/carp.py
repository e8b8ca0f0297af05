"""The answers of CARP/1.0: what a resolution and an execution result hold.

They are typed dictionaries: plain objects at run time, checked by mypy where they are made, and
turned into JSON Schema by `cra schema`. Requests come from outside: `cra.resolver.request` reads
them.
"""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from typing import Any, Final, Literal, NotRequired

from typing_extensions import TypedDict

CARP_VERSION: Final = "1.0"

Status = Literal["success", "error", "denied", "pending_approval"]


class Conclusion(TypedDict):
    type: Literal["allow", "deny", "partial", "requires_approval"]
    reason: str
    expires_at: str


class BlockFacts(TypedDict):
    """A block of context without its content."""

    block_id: str
    source: str
    purpose: str
    content_type: str
    # Whether it is the whole file; else it was cut to the budget.
    is_whole: bool
    priority: int
    token_estimate: int
    ttl_seconds: int


class ContextBlock(BlockFacts):
    content: str


class CallLimit(TypedDict):
    max_calls: int
    window_seconds: int


class AllowedAction(TypedDict):
    action_id: str
    atlas_id: str
    name: str
    description: str
    parameters_schema: dict[str, Any]
    risk_tier: Literal["low", "medium", "high", "critical"]
    requires_approval: bool
    relevance: float
    rate_limit: NotRequired[CallLimit]


class DeniedAction(TypedDict):
    action_id: str
    reason: str
    policy_id: str


class DenyPattern(TypedDict):
    pattern: str
    reason: str


class WindowLimit(TypedDict):
    maximum: int
    window_seconds: int
    per: Literal["session", "agent", "project"]


class PendingRule(TypedDict):
    """A rule that is decided when an action is executed."""

    policy_id: str
    type: Literal["deny", "require_approval", "rate_limit", "budget", "allow"]
    actions: list[str]
    reason: str
    undecided: list[str]
    limit: NotRequired[WindowLimit]


class LeftOut(TypedDict):
    """How many actions were left out as less relevant."""

    allowed: int
    denied: int


class ResolutionDocument(TypedDict):
    resolution_id: str
    request_id: str
    timestamp: str
    decision: Conclusion
    context_blocks: list[ContextBlock]
    allowed_actions: list[AllowedAction]
    denied_actions: list[DeniedAction]
    denylist: list[DenyPattern]
    constraints: list[PendingRule]
    omitted: LeftOut
    merge_rules: dict[str, str]
    next_steps: list[str]
    confidence: float
    ttl_seconds: int
    trace_id: str
    span_id: str


class ErrorDocument(TypedDict):
    code: str
    message: str
    details: NotRequired[dict[str, Any]]


class ResultDocument(TypedDict):
    # Null for a call that was none: no such action, or arguments that do not fit.
    execution_id: str | None
    request_id: str
    action_id: str
    resolution_id: str | None
    status: Status
    result: Any
    reason: str
    policy_id: str | None
    approval_id: str | None
    # When a limit that denies the call has room again.
    possible_at: str | None
    error: ErrorDocument | None
    # Whether nothing was done: a dry run, or an action that says of itself that it pretends.
    simulated: bool
    # Whether it is the recorded outcome of an earlier call with the same idempotency key.
    repeated: bool
    trace_id: str
