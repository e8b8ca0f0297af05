"""What `cra explain` prints."""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from typing import Any, Literal

from typing_extensions import TypedDict

from cra.cli.answers.atlas import RuleFacts
from cra.cli.answers.policy import NewDecision
from cra.config import RiskTier
from cra.ledger.outline import State as SessionState
from cra.policy.explain import State as RuleState
from cra.policy.ladder import Outcome
from cra.policy.rule import RuleType
from cra.protocol.carp import BlockFacts, LeftOut, PendingRule
from cra.protocol.events import Approver, Decision, Principal
from cra.runtime.state import Progress, Standing


class PlacedDecision(TypedDict):
    type: Outcome
    policy_id: str
    reason: str
    # Where it is written, if it is.
    where: str | None
    risk_tier: RiskTier | None


class ConsideredRule(TypedDict):
    type: RuleType
    policy_id: str
    where: str
    atlas_id: str | None
    state: RuleState
    why: str | None
    decides: bool


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
    # What asks for an approval of a denied call once all that is changed.
    waits_then: list[str]
    patch: PatchFacts | None
    # Why there is no patch, where one was looked for.
    no_patch: str | None


class WrittenRule(RuleFacts):
    # None: the project's own.
    atlas_id: str | None
    # All that it says, in words.
    words: str
    # Those of the project's actions that it is about.
    about: list[str]


class RuleAnswer(TypedDict):
    """What `cra explain RULE` says: of a name that an atlas has as well, each rule."""

    policy_id: str
    rules: list[WrittenRule]


class MendingStep(TypedDict):
    text: str
    command: str | None


class CodeAnswer(TypedDict):
    """What an error code means, and what mends it."""

    code: str
    name: str
    title: str
    happened: str
    matters: str
    mend: list[MendingStep]
    # Commands behind `$ `, and what cra prints; `...` stands for any text.
    example: str
    # What the command that fails with it ends with.
    exit_code: int


class ResolvedAction(TypedDict):
    action_id: str
    outcome: Outcome
    # None: not recorded, and the project has changed since.
    policy_id: str | None
    # Where that is written now, if it is.
    where: str | None
    reason: str
    # Of an action that is not denied, as is the relevance.
    risk_tier: RiskTier | None
    relevance: float | None


class PlacedRule(PendingRule):
    where: str | None


class ResolutionAnswer(TypedDict):
    """What `cra explain --resolution` says."""

    resolution_id: str
    session_id: str
    agent_id: str | None
    principal: Principal | None
    goal: str
    risk_tier: RiskTier | None
    context: dict[str, Any]
    timestamp: str
    expires_at: str
    is_expired: bool
    snapshot: str
    is_current_snapshot: bool
    decision: Decision
    confidence: float
    # The most relevant first, and those that are denied last.
    actions: list[ResolvedAction]
    omitted: LeftOut
    constraints: list[PlacedRule]
    context_blocks: list[BlockFacts]


class HeldFacts(TypedDict):
    sequence: int
    resolution_id: str
    goal: str
    expires_at: str


class CallError(TypedDict):
    code: str | None
    message: str | None


class GivenFacts(TypedDict):
    sequence: int
    decision: Literal["granted", "denied"]
    approver: Approver
    reason: str


class AskedFacts(TypedDict):
    standing: Standing
    expires_at: str
    uses: int
    decisions: list[GivenFacts]


class CallFacts(TypedDict):
    sequence: int
    timestamp: str
    # None: redacted, as are other facts of the payload.
    action_id: str | None
    outcome: Outcome
    policy_id: str | None
    # Where that is written now, if it is.
    where: str | None
    reason: str
    resolution_id: str | None
    simulated: bool
    approval_id: str | None
    # When the limit that denies it has room again.
    possible_at: str | None
    # None: nothing ran.
    status: Progress | None
    error: CallError | None
    approval: AskedFacts | None
    # A command to go on with, or what to wait for.
    next: str | None


class SessionCallsAnswer(TypedDict):
    """What `cra explain --session` says."""

    session_id: str
    agent_id: str | None
    principal: Principal | None
    state: SessionState
    started: str | None
    expires_at: str | None
    resolutions: list[HeldFacts]
    calls: list[CallFacts]
