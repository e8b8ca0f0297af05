"""What commands print with `--json`, as types that `cra schema` turns into JSON Schema.

Answers of CARP are in `cra.protocol.carp`.
"""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from typing import Any, Literal

from typing_extensions import TypedDict

from cra.policy.ladder import Outcome
from cra.policy.rule import RuleType
from cra.protocol.events import ApprovalDenied, ApprovalGranted, ApprovalRequested


class ErrorFacts(TypedDict):
    code: str
    message: str
    # The file, the address or the setting that is meant.
    where: str | None
    # What mends it, often a command.
    fix: str | None


class ErrorAnswer(TypedDict):
    """What stands on stderr when a command fails."""

    error: ErrorFacts


class CheckFacts(TypedDict):
    name: str
    state: Literal["OK", "WARN", "FAIL"]
    message: str
    fix: str | None
    can_fix: bool


class DoctorAnswer(TypedDict):
    checks: list[CheckFacts]
    # What --fix did, in words.
    mended: list[str]
    healthy: bool


class PlacedDecision(TypedDict):
    type: Outcome
    policy_id: str
    reason: str
    # Where it is written, if it is.
    where: str | None
    risk_tier: str | None


class ConsideredRule(TypedDict):
    type: RuleType
    policy_id: str
    where: str
    atlas_id: str | None
    state: Literal["applies", "does not apply", "undecided", "failed"]
    why: str | None
    decides: bool


class NewDecision(TypedDict):
    type: Outcome
    policy_id: str
    reason: str


class PatchFacts(TypedDict):
    diff: str
    leads_to: NewDecision


class ExplainAnswer(TypedDict):
    """What `cra explain ACTION` says."""

    action_id: str
    agent: str
    roles: list[str]
    scopes: list[str]
    at: Literal["resolve", "execute"]
    decision: PlacedDecision
    needs_approval_by_tier: bool
    rules: list[ConsideredRule]
    alternatives: list[str]
    changes: list[str]
    patch: PatchFacts | None
    # Why there is no patch, where one was looked for.
    no_patch: str | None


class OpenIntent(TypedDict):
    session_id: str
    sequence: int
    action_id: str


class LimitFacts(TypedDict):
    policy_id: str
    type: Literal["rate_limit", "budget"]
    per: Literal["session", "agent", "project"]
    maximum: int
    window_seconds: int
    used: int
    left: int
    free_at: str | None


class SessionAnswer(TypedDict):
    """What is null is not known: the session is empty or damaged."""

    session_id: str
    agent_id: str | None
    state: Literal["open", "ended", "expired", "empty", "damaged"]
    events: int | None
    started: str | None
    last_activity: str | None
    expires_at: str | None
    ttl_seconds: int | None
    principal: dict[str, Any] | None
    scopes: list[str] | None
    parent_session_id: str | None
    trace_id: str | None
    ledger_id: str | None
    signer: str | None
    cra_version: str | None
    path: str
    # How many events there are of each type.
    totals: dict[str, int]
    open_intents: list[OpenIntent]
    limits: list[LimitFacts]


class GrantedFacts(ApprovalGranted):
    decision: Literal["granted"]


class DeniedFacts(ApprovalDenied):
    decision: Literal["denied"]


class ApprovalFacts(ApprovalRequested):
    state: Literal["pending", "granted", "denied", "expired", "used up"]
    session_id: str
    goal: str | None
    uses: int
    decisions: list[GrantedFacts | DeniedFacts]


class EarlierCall(TypedDict):
    timestamp: str
    action_id: str
    status: str


class ApprovalAnswer(ApprovalFacts):
    # What the agent did last before it asked.
    before: list[EarlierCall]


class RecordedDecision(TypedDict):
    type: Outcome
    policy_id: str | None


class FlipFacts(TypedDict):
    session_id: str
    sequence: int
    timestamp: str
    agent_id: str
    action_id: str
    arguments: dict[str, Any]
    before: RecordedDecision
    after: NewDecision
    widened: bool


class BacktestAnswer(TypedDict):
    calls: int
    # By the reason, how many calls could not be decided again.
    left_out: dict[str, int]
    widened: int
    counts: dict[str, int]
    flips: list[FlipFacts]
