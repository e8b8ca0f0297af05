"""The decision: deny, require_approval, rate_limit, budget, allow, and else deny.

Rules are compiled once. What an action and its caller settle is settled when the two are first
seen together; after that, a call costs one look-up and the rules that have to look at its context,
its arguments, the time or what is used.
"""

from __future__ import annotations

from bisect import insort
from collections import defaultdict
from collections.abc import Collection, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, NamedTuple

from cra.config import RiskTier
from cra.errors import ConfigError, ValueRefused
from cra.policy.call import TIERS, Call
from cra.policy.condition import checks_of, fixed_miss
from cra.policy.ladder import (
    UNKNOWN_ACTION,
    ActionFacts,
    Plan,
    Ruling,
    Weighed,
    amount_of,
    climb,
    holds,
)
from cra.policy.pattern import Pattern
from cra.policy.rule import LADDER, Limit, Rule

# Callers whose rules are kept sorted out; beyond, all are forgotten.
MAX_PLANS: Final = 4096


class Counted(NamedTuple):
    """A limit that a call counts against, and how much of it the call takes."""

    rule: Rule
    key: str
    amount: int

    @property
    def limit(self) -> Limit:
        assert self.rule.limit is not None
        return self.rule.limit


@dataclass(frozen=True, eq=False)
class Policy:
    """Compiled rules. `plans` only remembers what follows from the rest."""

    # In the ladder's order.
    rules: tuple[Weighed, ...]
    # Numbers of rules: by an exact action id, and of those with a glob or without patterns.
    exact: Mapping[str, Sequence[int]]
    general: Sequence[int]
    actions: Mapping[str, ActionFacts]
    grants: Mapping[str, Sequence[Pattern]]
    approval_tiers: frozenset[RiskTier]
    default_tier: RiskTier
    # The keys that approve where no rule names any.
    approvers: tuple[str, ...] = ()
    plans: dict[tuple[object, ...], Plan] = field(default_factory=dict, repr=False)


def compile_policy(
    rules: Iterable[Rule],
    actions: Mapping[str, ActionFacts],
    grants: Mapping[str, Sequence[Pattern]],
    *,
    require_approval_for: Collection[RiskTier],
    default_tier: RiskTier,
    approvers: Sequence[str] = (),
) -> Policy:
    """The rules of a project and its atlases as one policy.

    `grants` has, by atlas, the patterns of actions that its own allow rules may allow. An approval
    is needed from the lowest tier of `require_approval_for` upwards; where a rule names no
    `approvers`, these are its own. Raises ConfigError for two
    rules of one name, ValueRefused for a condition that cannot be compiled.
    """
    ladder = [_with_approvers(rule, tuple(approvers)) for rule in in_order(rules)]
    for again, first in duplicates(ladder):
        raise ConfigError(
            f"expected each policy_id once, found {again.policy_id} again",
            where=str(again.origin),
            fix=f"rename it, or the one at {first.origin}",
        )
    exact, general = _index(ladder)
    for rule in ladder:
        if (rule.limit is None) is (rule.type in ("rate_limit", "budget")):
            raise ConfigError(
                f"expected a limit for a rate_limit or a budget alone, found {rule.policy_id}",
                where=str(rule.origin),
            )
    needed = [tier for tier in TIERS if tier in require_approval_for]
    return Policy(
        tuple(Weighed(rule, checks_of(rule)) for rule in ladder),
        exact,
        general,
        dict(actions),
        dict(grants),
        frozenset(TIERS[TIERS.index(needed[0]) :] if needed else ()),
        default_tier,
        tuple(approvers),
    )


def decide(policy: Policy, call: Call) -> Ruling:
    """What the rules say of a call; of one without a moment, what they say of it so far."""
    plan = policy.plans.get((call.action_id, call.agent, call.roles, call.scopes, call.risk_tier))
    if plan is None:
        if call.action_id not in policy.actions:
            reason = f"no atlas of this project has an action {call.action_id!r:.80}"
            return Ruling("deny", UNKNOWN_ACTION, reason)
        plan = plan_of(policy, call)
    return plan.settled or climb(plan, call)


def limits_of(policy: Policy, call: Call) -> tuple[Counted, ...]:
    """The limits that a call counts against, each with its key; what is used plays no part."""
    if call.action_id not in policy.actions:
        return ()
    plan = plan_of(policy, call)
    return tuple(
        Counted(weighed.rule, weighed.key, amount_of(weighed.rule, plan.facts))
        for weighed in plan.ladder
        if weighed.rule.limit is not None and _may_hold(weighed, call)
    )


def in_order(rules: Iterable[Rule]) -> list[Rule]:
    """The rules of the ladder, in the order in which they are asked."""
    return sorted(
        (rule for rule in rules if rule.type in LADDER),
        key=lambda rule: (
            LADDER.index(rule.type),
            -rule.priority,
            rule.policy_id,
            rule.origin.atlas_id or "",
        ),
    )


def duplicates(rules: Iterable[Rule]) -> Iterator[tuple[Rule, Rule]]:
    """Each rule whose name another one of the same atlas, or of the project, has, and that one."""
    seen: dict[str, Rule] = {}
    for rule in rules:
        first = seen.setdefault(name_of(rule), rule)
        if first is not rule:
            yield rule, first


def name_of(rule: Rule) -> str:
    """A rule's name among those of all atlases."""
    atlas_id = rule.origin.atlas_id
    return rule.policy_id if atlas_id is None else f"{atlas_id}/{rule.policy_id}"


def key_of(rule: Rule, call: Call) -> str:
    """What a call is counted under for a limit; nothing for any other rule."""
    if rule.limit is None:
        return ""
    who = f":{call.agent}" if rule.limit.per == "agent" else ""
    return f"{rule.limit.per}:{name_of(rule)}{who}"


def foreign_to(
    rule: Rule,
    action_id: str,
    actions: Mapping[str, ActionFacts],
    grants: Mapping[str, Sequence[Pattern]],
) -> str | None:
    """Why an atlas's rule says nothing about an action that its patterns match; None if it does."""
    atlas_id = rule.origin.atlas_id
    if atlas_id is None:
        return None
    if actions[action_id].atlas_id != atlas_id:
        return "atlas"
    granted = grants.get(atlas_id, ())
    if rule.type == "allow" and not any(pattern.matches(action_id) for pattern in granted):
        return "grants"
    return None


def matching(
    policy: Policy, action_id: str, atlas_ids: Collection[str | None] | None = None
) -> Iterator[Weighed]:
    """The rules of the ladder whose patterns match an action; those of some atlases, if they are
    given, and under None the project's."""
    for number in sorted({*policy.exact.get(action_id, ()), *policy.general}):
        weighed = policy.rules[number]
        # Each atlas has globs, and asking one takes ten times as long as this.
        if atlas_ids is not None and weighed.rule.origin.atlas_id not in atlas_ids:
            continue
        patterns = weighed.rule.patterns
        if patterns is None or any(pattern.matches(action_id) for pattern in patterns):
            yield weighed


def tiers_of(policy: Policy, call: Call) -> tuple[RiskTier, RiskTier]:
    """The tier of a call's action, and the effective one: the higher of it and the task's."""
    own = policy.actions[call.action_id].risk_tier or policy.default_tier
    return own, max(own, call.risk_tier or own, key=TIERS.index)


def plan_of(policy: Policy, call: Call) -> Plan:
    """The plan for a known action and who calls it, remembered from the first time on."""
    who = (call.action_id, call.agent, call.roles, call.scopes, call.risk_tier)
    plan = policy.plans.get(who)
    if plan is None:
        plan = _planned(policy, call)
        if len(policy.plans) >= MAX_PLANS:
            policy.plans.clear()
        policy.plans[who] = plan
    return plan


def _with_approvers(rule: Rule, approvers: tuple[str, ...]) -> Rule:
    if rule.type != "require_approval" or rule.approvers or not approvers:
        return rule
    return rule._replace(approvers=approvers)


def _index(ladder: Sequence[Rule]) -> tuple[dict[str, list[int]], list[int]]:
    exact: dict[str, list[int]] = defaultdict(list)
    general: list[int] = []
    for number, rule in enumerate(ladder):
        if rule.patterns is None or any(pattern.is_glob for pattern in rule.patterns):
            general.append(number)
        else:
            for pattern in rule.patterns:
                insort(exact[pattern.text], number)
    return dict(exact), general


def _planned(policy: Policy, call: Call) -> Plan:
    own, effective = tiers_of(policy, call)
    ladder: list[Weighed] = []
    facts = policy.actions[call.action_id]
    # A rule of another atlas says nothing about it.
    for weighed in matching(policy, call.action_id, (None, facts.atlas_id)):
        rule = weighed.rule
        if foreign_to(rule, call.action_id, policy.actions, policy.grants):
            continue
        if fixed_miss(rule, call, frozenset([own, effective])):
            continue
        ladder.append(weighed._replace(key=key_of(rule, call)))
        # Nothing after it is ever asked.
        if rule.type in ("deny", "allow") and not weighed.checks:
            break
    asks = effective in policy.approval_tiers
    plan = Plan(facts, effective, asks, tuple(ladder), policy.approvers)
    if any(weighed.checks or weighed.rule.limit is not None for weighed in ladder):
        return plan
    decision = climb(plan, call._replace(moment=None))
    # An approval is a fact of the call.
    return plan if decision.outcome == "requires_approval" else plan._replace(settled=decision)


def _may_hold(weighed: Weighed, call: Call) -> bool:
    try:
        return holds(weighed, call) is not False
    except ValueRefused:
        return True
