"""The events of TRACE/1.1: every type, who writes it, how severe it is, and what its payload holds.

Payloads are typed dictionaries: plain objects at run time, checked by mypy where they are written,
turned into JSON Schema by `cra schema`, and closed: `check_payload` refuses members not named here.
The table in specs/PROTOCOL.md section 9 says when each is written.
"""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from collections.abc import Mapping
from dataclasses import dataclass
from fnmatch import fnmatchcase
from functools import cached_property
from typing import Any, Final, Literal, NotRequired

from typing_extensions import TypedDict

from cra.errors import UsageError

ActorType = Literal["runtime", "agent", "user", "tool"]
Severity = Literal["debug", "info", "warn", "error"]
SEVERITIES: Final[tuple[Severity, ...]] = ("debug", "info", "warn", "error")


class Actor(TypedDict):
    type: ActorType
    id: str


class AtlasName(TypedDict):
    atlas_id: str
    version: str


class Artifact(TypedDict):
    content_type: str
    name: str
    sha256: str
    uri: str


class EventHeader(TypedDict):
    """The members of every event (specs/PROTOCOL.md section 2.1)."""

    actor: Actor
    artifacts: NotRequired[list[Artifact]]
    atlas: NotRequired[AtlasName]
    event_id: str
    # One of the table's, or of a later version's.
    event_type: str
    parent_span_id: str | None
    payload_hash: str
    previous_event_hash: str
    sequence: int
    session_id: str
    severity: Severity
    span_id: str
    timestamp: str
    trace_id: str
    trace_version: Literal["1.1"]


class Principal(TypedDict):
    type: Literal["user", "service", "agent"]
    id: str


class SessionSummary(TypedDict):
    events: int
    resolutions: int
    actions: int
    denials: int


class SessionStarted(TypedDict):
    agent_id: str
    principal: Principal
    scopes: list[str]
    # What the host program that began the session says of it, beside the configuration.
    roles: NotRequired[list[str]]
    context: NotRequired[dict[str, Any]]
    ttl_seconds: int
    expires_at: str
    parent_session_id: str | None
    ledger_id: str
    signer: str
    boot_id: str
    cra_version: str


class SessionFinished(TypedDict):
    reason: str
    duration_ms: int
    summary: SessionSummary


class RequestReceived(TypedDict):
    request_id: str
    operation: Literal["resolve", "execute", "validate"]
    request: dict[str, Any]


class Decision(TypedDict):
    type: Literal["allow", "deny", "partial", "requires_approval"]
    reason: str
    policy_id: NotRequired[str | None]


class ResolutionCompleted(TypedDict):
    request_id: str
    resolution_id: str
    decision: Decision
    snapshot: str
    # What was read of the project, where a host program has added its own actions.
    project: NotRequired[str]
    # The ids of the allowed actions: all that a call needs to know of a resolution.
    allowed: list[str]
    expires_at: str
    duration_us: int
    resolution: dict[str, Any]


class ResolutionCached(TypedDict):
    request_id: str
    resolution_id: str
    # The event of the same session that holds the answer.
    completed_event_id: str
    snapshot: str
    project: NotRequired[str]
    expires_at: str
    duration_us: int


class PolicyEvaluated(TypedDict):
    action_id: str
    policy_id: str
    # The rung of the ladder that the rule stands on.
    type: str
    outcome: Literal["applies", "does not apply", "undecided", "failed"]
    reason: str


class ContextInjected(TypedDict):
    block_id: str
    source: str
    token_estimate: int


class ContextRedacted(TypedDict):
    block_id: str
    reason: str
    count: int


class Binding(TypedDict):
    """All that an approval is for; no arguments digest: whatever the arguments."""

    action_digest: str
    action_id: str
    agent_id: str
    arguments_digest: str | None
    ledger_id: str
    session_id: str
    snapshot: str


class ApprovalRequested(TypedDict):
    approval_id: str
    action_id: str
    reason: str
    policy_id: str
    risk_tier: str
    arguments: dict[str, Any]
    arguments_digest: str
    binding: Binding
    resolution_id: str | None
    expires_at: str
    # The keys that may grant it; if there are none, a person's word does.
    approvers: list[str]
    request_id: NotRequired[str]
    simulated: NotRequired[bool]


class Approver(TypedDict):
    # On a terminal or through the host program, by a word that nobody checks; or by a signature.
    how: Literal["terminal", "program", "key"]
    name: str
    key: NotRequired[str]


class ApprovalGranted(TypedDict):
    approval_id: str
    action_id: str
    # The digest of the binding.
    binding: str
    any_arguments: bool
    # How many calls; null: any number.
    uses: int | None
    expires_at: str
    reason: str
    approver: Approver
    signature: NotRequired[str]


class ApprovalDenied(TypedDict):
    approval_id: str
    action_id: str
    expires_at: str
    reason: str
    approver: Approver
    signature: NotRequired[str]


class ApprovalExpired(TypedDict):
    approval_id: str
    action_id: str


class ApprovalConsumed(TypedDict):
    approval_id: str
    action_id: str
    execution_id: str


class ActionRequested(TypedDict):
    action_id: str
    arguments: dict[str, Any]


class ActionApproved(TypedDict):
    execution_id: str
    action_id: str
    resolution_id: str | None
    arguments: dict[str, Any]
    arguments_digest: str
    decision: Decision
    # What the call takes of which limit.
    counted: NotRequired[dict[str, int]]
    idempotency_key: NotRequired[str]
    # Of a request that came as a document.
    request_id: NotRequired[str]
    simulated: NotRequired[bool]


class ActionDenied(TypedDict):
    action_id: str
    reason: str
    policy_id: str | None
    arguments: NotRequired[dict[str, Any]]
    resolution_id: NotRequired[str | None]
    request_id: NotRequired[str]
    # That a person refused.
    approval_id: NotRequired[str]
    # When the limit that denies it has room again.
    possible_at: NotRequired[str]
    simulated: NotRequired[bool]


class ActionExecuted(TypedDict):
    execution_id: str
    action_id: str
    duration_us: int
    result: Any
    simulated: NotRequired[bool]


class ActionFailed(TypedDict):
    execution_id: str
    action_id: str
    duration_us: int
    error: dict[str, Any]
    still_running: NotRequired[bool]
    simulated: NotRequired[bool]


class Removed(TypedDict):
    offset: int
    bytes: int
    sha256: str
    kept_as: str


class BrokenFrom(TypedDict):
    ledger_id: str
    size: int
    root: str


class LedgerRecovered(TypedDict):
    reason: Literal["unattested", "completed", "partial_line", "power_loss", "accepted"]
    boot_id: str
    unattested: NotRequired[list[int]]
    removed: NotRequired[Removed]
    broken_from: NotRequired[BrokenFrom]


class ErrorOccurred(TypedDict):
    code: str
    message: str
    details: NotRequired[dict[str, Any]]


class JournalOpened(TypedDict):
    ledger_id: str
    signer: str
    boot_id: str
    cra_version: str


class SessionHead(TypedDict):
    session_id: str
    size: int
    root: str


class SessionPruned(TypedDict):
    session_id: str
    size: int
    root: str
    leaves: Any
    totals: dict[str, int]
    reason: str


class PayloadRedacted(TypedDict):
    session_id: str
    sequence: int
    event_hash: str
    reason: str


class KeyAdded(TypedDict):
    signer: str
    reason: str


class LimitReserved(TypedDict):
    session_id: str
    policy_id: str
    key: str
    cost: int
    window_ends: str


class IdempotencyReserved(TypedDict):
    session_id: str
    idempotency_key: str


class ProjectChanged(TypedDict):
    what: str
    before: str | None
    after: str | None


@dataclass(frozen=True)
class EventType:
    """One row of the table: `payload` names the members, the rest are what `append` fills in."""

    payload: type
    actor: ActorType = "runtime"
    severity: Severity = "info"
    # Members that come from outside, and are wrapped where canonical JSON cannot hold them.
    outputs: tuple[str, ...] = ()

    @cached_property
    def required(self) -> frozenset[str]:
        names: frozenset[str] = self.payload.__required_keys__  # type: ignore[attr-defined]
        return names

    @cached_property
    def allowed(self) -> frozenset[str]:
        optional: frozenset[str] = self.payload.__optional_keys__  # type: ignore[attr-defined]
        return self.required | optional


EVENT_TYPES: Final[Mapping[str, EventType]] = {
    "session.started": EventType(SessionStarted),
    "session.ended": EventType(SessionFinished),
    "carp.request.received": EventType(RequestReceived, "agent"),
    "carp.resolution.completed": EventType(ResolutionCompleted),
    "carp.resolution.cached": EventType(ResolutionCached),
    "policy.evaluated": EventType(PolicyEvaluated, severity="debug"),
    "policy.violated": EventType(PolicyEvaluated, severity="warn"),
    "context.injected": EventType(ContextInjected, severity="debug"),
    "context.redacted": EventType(ContextRedacted),
    "approval.requested": EventType(ApprovalRequested),
    "approval.granted": EventType(ApprovalGranted, "user"),
    "approval.denied": EventType(ApprovalDenied, "user", "warn"),
    "approval.expired": EventType(ApprovalExpired),
    "approval.consumed": EventType(ApprovalConsumed),
    "action.requested": EventType(ActionRequested, "agent"),
    "action.approved": EventType(ActionApproved),
    "action.denied": EventType(ActionDenied, severity="warn"),
    "action.executed": EventType(ActionExecuted, "tool", outputs=("result",)),
    "action.failed": EventType(ActionFailed, "tool", "error", ("error",)),
    "ledger.recovered": EventType(LedgerRecovered, severity="warn"),
    "error.occurred": EventType(ErrorOccurred, severity="error"),
    "journal.opened": EventType(JournalOpened),
    "journal.session_opened": EventType(SessionHead),
    "journal.checkpoint": EventType(SessionHead, severity="debug"),
    "journal.session_closed": EventType(SessionHead),
    "journal.pruned": EventType(SessionPruned, "user"),
    "journal.redacted": EventType(PayloadRedacted, "user", "warn"),
    "journal.key_added": EventType(KeyAdded, "user", "warn"),
    "limit.reserved": EventType(LimitReserved, severity="debug"),
    "idempotency.reserved": EventType(IdempotencyReserved, severity="debug"),
    "project.changed": EventType(ProjectChanged, severity="warn"),
}

ALIASES: Final[Mapping[str, str]] = {
    "carp.resolve.requested": "carp.request.received",
    "carp.resolve.returned": "carp.resolution.completed",
    "action.invoked": "action.approved",
    "action.completed": "action.executed",
}


def check_payload(event_type: str, payload: Mapping[str, Any]) -> EventType:
    """The table's row for a type. Raises UsageError for an unknown type or members not its own."""
    row = EVENT_TYPES.get(event_type)
    if row is None:
        raise UsageError(f"expected an event type of TRACE/1.1, found {event_type!r}")
    names = payload.keys()
    if not row.required <= names or not names <= row.allowed:
        missing = ", ".join(sorted(row.required - names)) or "nothing"
        unknown = ", ".join(sorted(names - row.allowed)) or "nothing"
        raise UsageError(
            f"expected the members of a {event_type} payload; "
            f"missing: {missing}; unknown: {unknown}"
        )
    return row


def matching_types(pattern: str) -> frozenset[str]:
    """The event types that a glob, an alias, or either with the prefix `trace.` stands for."""
    pattern = pattern.removeprefix("trace.")
    pattern = ALIASES.get(pattern, pattern)
    return frozenset(name for name in EVENT_TYPES if fnmatchcase(name, pattern))
