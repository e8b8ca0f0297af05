"""The compiled decision is the naive one, and nothing but an allow rule ever widens it."""

from __future__ import annotations

from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cra.policy.call import TIERS, Call, Granted
from cra.policy.engine import compile_policy, decide
from cra.policy.ladder import APPROVAL_TIER, NO_RULE, UNKNOWN_ACTION
from cra.policy.pattern import Pattern
from cra.policy.rule import LADDER, Rule
from tests.policies import (
    ACTIONS,
    ATLAS,
    KEY,
    MONDAY_NOON,
    OTHER,
    OVER_100,
    answer,
    moment,
    rules_of,
)

PATTERNS = ["*", "ticket.*", "*.close", "ticket.close", "refund.make", "*.note.*", "gone.away"]
SUBSETS: dict[str, list[str]] = {
    "agents": ["cli", "bot"],
    "roles": ["r1", "r2"],
    "scopes": ["s1"],
    "risk_tiers": list(TIERS),
}


def some(values: list[str]) -> Any:
    return st.lists(st.sampled_from(values), min_size=1, max_size=3)


CONDITIONS = st.fixed_dictionaries(
    {},
    optional={
        **{key: some(values) for key, values in SUBSETS.items()},
        "context": st.fixed_dictionaries(
            {}, optional={"env": some(["prod", "dev"]), "n": st.just(1)}
        ).filter(bool),
        "time_window": st.sampled_from([{"days": ["mon"]}, {"start": "13:00"}]),
        "parameters": st.just(OVER_100),
    },
)
PARAMETERS = {
    "rate_limit": st.builds(
        lambda most, per: {"max_calls": most, "window_seconds": 60, "per": per},
        st.integers(0, 3),
        st.sampled_from(["session", "agent", "project"]),
    ),
    "budget": st.builds(lambda most: {"max_cost": most, "window_seconds": 60}, st.integers(0, 9)),
    "require_approval": st.sampled_from([{}, {"approvers": [KEY]}]),
}


@st.composite
def documents(draw: Any, policy_id: str, rule_type: str | None = None) -> dict[str, Any]:
    kind = rule_type or draw(st.sampled_from([*LADDER, "allow"]))
    document = {
        "policy_id": policy_id,
        "type": kind,
        "priority": draw(st.integers(-1, 1)),
        "conditions": draw(CONDITIONS) if draw(st.booleans()) else {},
        "parameters": draw(PARAMETERS.get(kind, st.just({}))),
    }
    if draw(st.booleans()):
        document["actions"] = draw(some(PATTERNS))
    return document


@st.composite
def rule_sets(draw: Any) -> list[Rule]:
    found: list[Rule] = []
    for number in range(draw(st.integers(0, 7))):
        atlas_id = draw(st.sampled_from([None, None, ATLAS, OTHER]))
        found += rules_of(draw(documents(f"p{number}")), atlas_id=atlas_id)
    return found


VALUES = st.sampled_from(["prod", "dev", "x", 1, True, ["prod"]])
CONTEXTS = st.dictionaries(st.sampled_from(["env", "n", "other"]), VALUES, max_size=2)
MOMENTS = st.builds(
    lambda amount, now, level, approval: moment(
        arguments={} if amount is None else {"amount": amount},
        now=now,
        used=Levels(level),
        approval=approval,
    ),
    st.sampled_from([None, 50, 150, 100.5, "150", True]),
    st.sampled_from([MONDAY_NOON, MONDAY_NOON + 3600, MONDAY_NOON + 86_400]),
    st.integers(-1, 3),
    st.sampled_from([None, Granted(), Granted(KEY)]),
)


class Levels(dict):
    """The same use of every limit, or, below zero, none that is known."""

    def __init__(self, level: int) -> None:
        self.level = level

    def get(self, _key: str, _default: Any = None) -> int | None:
        return None if self.level < 0 else self.level


CALLS = st.builds(
    Call,
    st.sampled_from([*ACTIONS, "ticket.unknown"]),
    st.sampled_from(["cli", "bot"]),
    st.frozensets(st.sampled_from(["r1", "r2"])),
    st.frozensets(st.sampled_from(["s1", "s2"])),
    st.sampled_from([None, *TIERS]),
    CONTEXTS,
    CONTEXTS,
    st.none() | MOMENTS,
)
GRANTS = {ATLAS: ["ticket.*"], OTHER: []}


def compiled(rules: list[Rule]) -> Any:
    grants = {name: tuple(map(Pattern, texts)) for name, texts in GRANTS.items()}
    settings: dict[str, Any] = {"require_approval_for": ["high"], "default_tier": "medium"}
    return compile_policy(rules, ACTIONS, grants, **settings)


class Broken(Exception):
    pass


def naive_fit(pattern: str, name: str) -> bool:
    head, *rest = pattern.split(".")
    first, *others = name.split(".")
    if head not in ("*", first):
        return False
    if not rest or not others:
        return not rest and (not others or head == "*")
    tail, remaining = ".".join(rest), ".".join(others)
    return naive_fit(tail, remaining) or (head == "*" and naive_fit(pattern, remaining))


def naive_context(one: Rule, asked: Call) -> bool:
    for key, accepted in (one.conditions.context or {}).items():
        found = []
        for context in (asked.trusted_context, *([] if one.type == "allow" else [asked.context])):
            if key in context:
                if isinstance(context[key], list):
                    raise Broken
                found.append(context[key])
        if not any(type(a) is type(b) and a == b for a in found for b in accepted):
            return False
    return True


def naive_time(one: Rule, now: int) -> bool:
    window = one.conditions.time_window
    if window is None:
        return True
    if window.start:
        return (now // 3600) % 24 >= 13
    return now < MONDAY_NOON + 12 * 3600


def naive_amount(one: Rule, amount: Any) -> bool:
    if one.conditions.parameters is None:
        return True
    if isinstance(amount, str | bool):
        if one.type != "allow":
            raise Broken
        return False
    return amount > 100


def naive_holds(one: Rule, asked: Call) -> bool | None:
    wanted = one.conditions
    own = ACTIONS[asked.action_id].risk_tier or "medium"
    effective = max(own, asked.risk_tier or "low", key=TIERS.index)
    in_tiers = [not wanted.risk_tiers or tier in wanted.risk_tiers for tier in (own, effective)]
    if not (
        (not wanted.agents or asked.agent in wanted.agents)
        and (not wanted.roles or wanted.roles & asked.roles)
        and (not wanted.scopes or wanted.scopes & asked.scopes)
        and (all(in_tiers) if one.type == "allow" else any(in_tiers))
        and naive_context(one, asked)
    ):
        return False
    if asked.moment is None:
        return None if wanted.time_window or wanted.parameters else True
    amount = asked.moment.arguments.get("amount", 0)
    return naive_time(one, asked.moment.now) and naive_amount(one, amount)


def naive_rung(rung: str, rules: list[Rule], asked: Call) -> list[Rule]:
    """The rules of a rung that are about the action, in order."""
    owner = ACTIONS[asked.action_id].atlas_id
    return [
        one
        for one in sorted(rules, key=lambda one: (-one.priority, one.policy_id))
        if one.type == rung
        and any(naive_fit(str(text), asked.action_id) for text in one.patterns or ["*"])
        and one.origin.atlas_id in (None, owner)
        and not (rung == "allow" and one.origin.atlas_id == OTHER)
    ]


def naive_decision(rules: list[Rule], asked: Call) -> tuple[str, str]:
    if asked.action_id not in ACTIONS:
        return "deny", UNKNOWN_ACTION
    asking: str | None = None
    half: str | None = None
    for rung in LADDER:
        for one in naive_rung(rung, rules, asked):
            try:
                found = naive_holds(one, asked)
            except Broken:
                return "deny", one.policy_id
            if found is None and rung == "allow":
                half = half or one.policy_id
            if found and rung == "allow":
                return naive_allowed(asked, one.policy_id, asking)
            if found and rung == "require_approval":
                asking = asking or naive_asking(one, asked)
            elif found and naive_denies(one, asked):
                return "deny", one.policy_id
    return naive_allowed(asked, half, asking) if half else ("deny", NO_RULE)


def naive_asking(one: Rule, asked: Call) -> str | None:
    granted = asked.moment.approval if asked.moment else None
    if granted and (granted.key == KEY or not one.approvers):
        return None
    return one.policy_id


def naive_denies(one: Rule, asked: Call) -> bool:
    if one.limit is None:
        return True
    if asked.moment is None:
        return False
    used = asked.moment.used.get("")
    amount = ACTIONS[asked.action_id].cost if one.type == "budget" else 1
    return used is None or used + amount > one.limit.maximum


def naive_allowed(asked: Call, policy_id: str, asking: str | None) -> tuple[str, str]:
    own = ACTIONS[asked.action_id].risk_tier or "medium"
    if asking:
        return "requires_approval", asking
    granted = asked.moment and asked.moment.approval
    if not granted and {own, asked.risk_tier} & {"high", "critical"}:
        return "requires_approval", APPROVAL_TIER
    return "allow", policy_id


@given(rule_sets(), CALLS)
def test_the_compiled_decision_is_the_naive_one(rules, asked):
    policy = compiled(rules)

    assert answer(policy, asked) == naive_decision(rules, asked)
    # The second time from what is remembered.
    assert answer(policy, asked) == naive_decision(rules, asked)


STRICTNESS = ["allow", "requires_approval", "deny"]


def strictness(policy: Any, asked: Call) -> int:
    return STRICTNESS.index(decide(policy, asked).outcome)


@given(
    rule_sets(), st.sampled_from(LADDER[:-1]).flatmap(lambda kind: documents("new", kind)), CALLS
)
def test_a_rule_that_is_no_allow_never_widens(rules, added, asked):
    wider = strictness(compiled(rules), asked)

    assert strictness(compiled([*rules, *rules_of(added)]), asked) >= wider


@given(rule_sets(), CALLS)
def test_what_a_caller_states_never_widens(rules, asked):
    policy = compiled(rules)
    silent = asked._replace(context={}, risk_tier=None)

    assert strictness(policy, asked) >= strictness(policy, silent)


@given(rule_sets(), CALLS)
def test_the_order_in_which_rules_are_written_does_not_matter(rules, asked):
    assert decide(compiled(rules[::-1]), asked) == decide(compiled(rules), asked)


@given(rule_sets(), CALLS)
def test_an_approval_lifts_no_denial(rules, asked):
    policy = compiled(rules)
    now = asked.moment or moment(used=Levels(0))
    without = decide(policy, asked._replace(moment=now._replace(approval=None)))
    granted = decide(policy, asked._replace(moment=now._replace(approval=Granted(KEY))))

    assert granted.outcome == ("deny" if without.outcome == "deny" else "allow")


@given(rule_sets(), CALLS)
def test_every_decision_names_what_decides(rules, asked):
    decision = decide(compiled(rules), asked)

    if decision.rule is None:
        assert decision.policy_id in (NO_RULE, UNKNOWN_ACTION, APPROVAL_TIER)
    else:
        assert decision.policy_id == decision.rule.policy_id
    assert decision.reason
