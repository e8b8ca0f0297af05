"""The ladder that a call climbs: deny, require_approval, rate_limit, budget, allow, else deny."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple, TypeAlias

from cra.config import RiskTier
from cra.errors import ValueRefused
from cra.policy.call import Call, Moment
from cra.policy.condition import Check
from cra.policy.rule import Limit, Rule

Outcome: TypeAlias = Literal["allow", "requires_approval", "deny"]

# What decides where no rule does. A colon is in no policy_id.
NO_RULE: Final = "default:no-rule-allows"
UNKNOWN_ACTION: Final = "default:unknown-action"
# What policy allows and nothing could carry out.
NOT_EXECUTABLE: Final = "default:not-executable"
APPROVAL_TIER: Final = "config:require_approval_for"


class ActionFacts(NamedTuple):
    """What policy knows of an action: whose it is, how risky it says it is, what it costs."""

    atlas_id: str
    risk_tier: RiskTier | None = None
    cost: int = 1


class Constraint(NamedTuple):
    """A rule whose say comes when the call is executed, and the conditions that wait for it."""

    rule: Rule
    undecided: tuple[str, ...] = ()


class Ruling(NamedTuple):
    """The answer, and the one rule that gives it; `rule` None: what `policy_id` names does."""

    outcome: Outcome
    policy_id: str
    reason: str
    rule: Rule | None = None
    # The effective one; None for an unknown action.
    risk_tier: RiskTier | None = None
    constraints: tuple[Constraint, ...] = ()


class Weighed(NamedTuple):
    """A rule of the ladder with what is left to look at; `key` is what a limit is counted under."""

    rule: Rule
    checks: tuple[Check, ...]
    key: str = ""


class Plan(NamedTuple):
    """The rules that can say something about an action for a caller, in the ladder's order."""

    facts: ActionFacts
    risk_tier: RiskTier
    asks_approval: bool
    ladder: tuple[Weighed, ...]
    # Whose approval an action of such a tier needs.
    approvers: tuple[str, ...] = ()
    # The answer, if nothing about the call can change it.
    settled: Ruling | None = None


def climb(plan: Plan, call: Call) -> Ruling:
    """What a plan's rules say of a call. Approval is asked last: all below it has to allow."""
    moment = call.moment
    waiting: list[Constraint] = []
    asked: Rule | None = None
    for weighed in plan.ladder:
        rule = weighed.rule
        try:
            found = holds(weighed, call)
        except ValueRefused as error:
            return _denied(plan, rule, f"{rule.policy_id} cannot be evaluated: {error.message}")
        if found is False:
            continue
        if found is None:
            waiting.append(Constraint(rule, _undecided(weighed, call)))
        elif rule.type == "allow":
            return _allowed(plan, moment, rule, asked, waiting)
        elif rule.type == "require_approval":
            asked = asked or _unlifted(rule, moment)
        elif rule.limit is None:
            return _denied(plan, rule, _reason(rule))
        elif moment is None:
            waiting.append(Constraint(rule))
        elif excess := overdrawn(weighed, rule.limit, plan.facts, moment):
            return _denied(plan, rule, rule.reason or excess)
    return _half_allowed(plan, moment, asked, waiting)


def holds(weighed: Weighed, call: Call) -> bool | None:
    """Whether the conditions hold; None if that is still to be told. Raises ValueRefused."""
    result: bool | None = True
    for check in weighed.checks:
        found = check.test(call)
        if found is False:
            return False
        if found is None:
            result = None
    return result


def overdrawn(weighed: Weighed, limit: Limit, facts: ActionFacts, moment: Moment) -> str | None:
    """Why a call is over a rule's limit; None if it is not."""
    used = moment.used.get(weighed.key)
    if type(used) is not int or used < 0:
        return f"expected how much of {weighed.key} is used, found {used!r}"
    if used + amount_of(weighed.rule, facts) <= limit.maximum:
        return None
    what = "calls" if weighed.rule.type == "rate_limit" else "cost units"
    return (
        f"{used} of {limit.maximum} {what} per {limit.per} are used within {limit.window_seconds} s"
    )


def amount_of(rule: Rule, facts: ActionFacts) -> int:
    return facts.cost if rule.type == "budget" else 1


def _denied(plan: Plan, rule: Rule, reason: str) -> Ruling:
    return Ruling("deny", rule.policy_id, reason, rule, plan.risk_tier)


def _unlifted(rule: Rule, moment: Moment | None) -> Rule | None:
    """An approval rule, unless an approval was granted that satisfies it."""
    return None if _is_approved(moment, rule.approvers) else rule


def _is_approved(moment: Moment | None, approvers: tuple[str, ...]) -> bool:
    if moment is None or moment.approval is None:
        return False
    return not approvers or moment.approval.key in approvers


def _allowed(
    plan: Plan, moment: Moment | None, rule: Rule, asked: Rule | None, waiting: list[Constraint]
) -> Ruling:
    tier = plan.risk_tier
    # Where a rule allows whatever comes, it does not matter what else might.
    is_open = any(constraint.rule is rule for constraint in waiting)
    constraints = tuple(one for one in waiting if is_open or one.rule.type != "allow")
    if asked is not None:
        reason = _reason(asked)
        return Ruling("requires_approval", asked.policy_id, reason, asked, tier, constraints)
    if plan.asks_approval and not _is_approved(moment, plan.approvers):
        reason = f"an action of risk tier {tier} needs an approval"
        return Ruling("requires_approval", APPROVAL_TIER, reason, None, tier, constraints)
    return Ruling("allow", rule.policy_id, _reason(rule), rule, tier, constraints)


def _half_allowed(
    plan: Plan, moment: Moment | None, asked: Rule | None, waiting: list[Constraint]
) -> Ruling:
    """Allowed by the first allow rule that is still undecided, denied if there is none."""
    for constraint in waiting:
        if constraint.rule.type == "allow":
            return _allowed(plan, moment, constraint.rule, asked, waiting)
    return Ruling("deny", NO_RULE, "no rule allows it", None, plan.risk_tier)


def _undecided(weighed: Weighed, call: Call) -> tuple[str, ...]:
    return tuple(check.name for check in weighed.checks if check.test(call) is None)


def _reason(rule: Rule) -> str:
    return rule.reason or _REASONS[rule.type]


_REASONS: Final[Mapping[str, str]] = {
    "deny": "a rule denies it",
    "require_approval": "a rule asks for an approval",
    "allow": "a rule allows it",
}
