"""The ladder: deny, require_approval, rate_limit, budget, allow, and whatever is left is denied."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cra.errors import ConfigError, ValueRefused
from cra.policy.call import Call, Granted
from cra.policy.condition import words_of_conditions
from cra.policy.engine import MAX_PLANS, compile_policy, decide, limits_of
from cra.policy.ladder import APPROVAL_TIER, NO_RULE, UNKNOWN_ACTION
from cra.policy.rule import Conditions, Limit, Rule, RuleOrigin
from tests.policies import (
    ACTIONS,
    ALLOW,
    ASK,
    ATLAS,
    BUDGET,
    DENY,
    KEY,
    MONDAY_NOON,
    OTHER,
    OVER_100,
    RATE,
    answer,
    at,
    call,
    policy_of,
    rule,
    rules_of,
)

FREE = {"session:rate": 0, "session:cost": 0}
SPENT = {"session:rate": 3, "session:cost": 12}


@pytest.mark.parametrize(
    ("documents", "used", "approval", "expected"),
    [
        ([], FREE, None, ("deny", NO_RULE)),
        ([ASK, RATE, BUDGET], FREE, None, ("deny", NO_RULE)),
        ([ALLOW], FREE, None, ("allow", "yes")),
        ([ALLOW, BUDGET], FREE, None, ("allow", "yes")),
        ([ALLOW, BUDGET], SPENT, None, ("deny", "cost")),
        ([ALLOW, BUDGET, RATE], SPENT, None, ("deny", "rate")),
        ([BUDGET, RATE], SPENT, None, ("deny", "rate")),
        ([ALLOW, BUDGET, RATE, ASK], FREE, None, ("requires_approval", "ask")),
        ([ALLOW, BUDGET, RATE, ASK], SPENT, None, ("deny", "rate")),
        ([ALLOW, BUDGET, ASK], SPENT, Granted(), ("deny", "cost")),
        ([ALLOW, BUDGET, RATE, ASK], FREE, Granted(), ("allow", "yes")),
        ([ALLOW, BUDGET, RATE, ASK, DENY], FREE, Granted(), ("deny", "no")),
        ([ASK], FREE, Granted(), ("deny", NO_RULE)),
    ],
)
def test_each_rung_is_asked_before_the_ones_below(documents, used, approval, expected):
    policy = policy_of(*documents)

    assert answer(policy, call(**at(used=used, approval=approval))) == expected


@pytest.mark.parametrize(
    ("first", "second", "expected"),
    [
        (rule("a", "deny"), rule("b", "deny"), "a"),
        (rule("b", "deny"), rule("a", "deny"), "a"),
        (rule("a", "deny"), rule("b", "deny", priority=1), "b"),
        (rule("a", "deny", priority=-1), rule("b", "deny"), "b"),
        (rule("a", "allow"), rule("b", "allow", priority=1), "b"),
        (rule("a", "deny", priority=-9), rule("b", "allow", priority=9), "a"),
        (rule("a", "redact", priority=9, parameters={"kinds": ["email"]}), rule("b", "allow"), "b"),
        (rule("a", "scope", parameters={"max_context_tokens": 1}), rule("b", "redact",
         parameters={"kinds": ["email"]}), NO_RULE),
    ],
)  # fmt: skip
def test_within_a_rung_the_higher_priority_decides_and_then_the_name(first, second, expected):
    assert decide(policy_of(first, second), call()).policy_id == expected


@pytest.mark.parametrize(
    ("wanted", "fitting", "missing"),
    [
        ({"agents": ["a", "cli"]}, {}, {"agent": "b"}),
        ({"roles": ["x", "y"]}, {"roles": frozenset("yz")}, {"roles": frozenset("z")}),
        ({"scopes": ["x"]}, {"scopes": frozenset("x")}, {}),
        ({"risk_tiers": ["medium"]}, {}, None),
        ({"risk_tiers": ["low", "high"]}, None, {}),
        ({"context": {"env": "prod"}}, {"trusted_context": {"env": "prod"}}, {}),
        ({"context": {"n": ["a", 1]}}, {"trusted_context": {"n": 1}}, {}),
        ({"context": {"n": 1}}, {"trusted_context": {"n": 1}}, {"trusted_context": {"n": True}}),
        ({"context": {"n": 1}}, {"trusted_context": {"n": 1.0}}, {"trusted_context": {"n": "1"}}),
        ({"context": {"n": None}}, {"trusted_context": {"n": None}}, {}),
        ({"context": {"a": 1, "b": 2}}, {"trusted_context": {"a": 1, "b": 2}}, {}),
        ({"parameters": OVER_100}, at(arguments={"amount": 101}), at(arguments={"amount": 100})),
        ({"parameters": OVER_100}, at(arguments={"amount": 100.5}), at(arguments={})),
        (
            {"agents": ["cli"], "roles": ["x"]},
            {"roles": frozenset("x")},
            {"agent": "b", "roles": frozenset("x")},
        ),
    ],
)  # fmt: skip
@pytest.mark.parametrize("rule_type", ["allow", "deny", "require_approval"])
def test_a_rule_applies_where_its_conditions_hold(rule_type, wanted, fitting, missing):
    other = [] if rule_type == "allow" else [ALLOW]
    policy = policy_of(rule("r", rule_type, conditions=wanted), *other)

    if fitting is not None:
        assert answer(policy, call(**(at() | fitting)))[1] == "r"
    if missing is not None:
        assert answer(policy, call(**(at() | missing)))[1] == ("yes" if other else NO_RULE)


def test_each_condition_has_words():
    (wordy,) = rules_of(
        rule(
            "wordy",
            "deny",
            conditions={
                "agents": ["night", "bot"],
                "roles": ["clerk"],
                "scopes": ["small"],
                "risk_tiers": ["high"],
                "context": {"env": ["live", 2]},
                "time_window": {"days": ["sat"]},
                "parameters": OVER_100,
            },
        )
    )

    assert words_of_conditions(wordy.conditions) == (
        "for the agent bot or night",
        "for the role clerk",
        "with the scope small",
        "at the risk high",
        'if env is "live" or 2',
        "on sat 00:00 to 24:00 UTC+00:00",
        f"if the arguments fit {json.dumps(OVER_100, separators=(',', ':'))}",
    )
    assert words_of_conditions(Conditions()) == ()


@pytest.mark.parametrize(
    ("window", "minutes", "expected"),
    [
        ({"start": "12:00"}, 0, True),
        ({"start": "12:01"}, 0, False),
        ({"end": "12:00"}, 0, False),
        ({"end": "12:01"}, 0, True),
        ({"days": ["mon"]}, 11 * 60 + 59, True),
        ({"days": ["mon"]}, 12 * 60, False),
        ({"days": ["sun"]}, -12 * 60 - 1, True),
        ({"days": ["tue"], "utc_offset": "+12:00"}, 0, True),
        ({"days": ["mon"], "start": "06:30", "end": "06:31", "utc_offset": "-05:30"}, 0, True),
        ({"start": "22:00", "end": "06:00"}, 10 * 60, True),
        ({"start": "22:00", "end": "06:00"}, 18 * 60 - 1, True),
        ({"start": "22:00", "end": "06:00"}, 18 * 60, False),
        ({"days": ["mon"], "start": "22:00", "end": "06:00"}, 17 * 60, True),
        ({"days": ["tue"], "start": "22:00", "end": "06:00"}, 17 * 60, False),
        ({"days": ["sun"], "start": "22:00", "end": "06:00"}, -7 * 60, True),
    ],
)
def test_a_time_window_is_of_days_and_minutes_at_its_own_offset(window, minutes, expected):
    policy = policy_of(rule("r", "deny", conditions={"time_window": window}), ALLOW)

    decision = decide(policy, call(**at(now=MONDAY_NOON + 60 * minutes)))

    assert (decision.policy_id == "r") is expected


@pytest.mark.parametrize("rule_type", ["deny", "require_approval", "rate_limit", "allow"])
@pytest.mark.parametrize(
    ("wanted", "asked", "message"),
    [
        ({"context": {"env": "p"}}, {"trusted_context": {"env": ["p"]}}, "found list"),
        ({"context": {"env": "p"}}, {"trusted_context": {"env": float("nan")}}, "another number"),
        ({"parameters": OVER_100}, at(arguments={"amount": float("nan")}), "found nan"),
        ({"parameters": OVER_100}, at(arguments={"amount": 101, "x": 2**60}), "found 1152"),
        ({"parameters": OVER_100}, at(arguments={"amount": 101, "x": object()}), "found a Python"),
        ({"time_window": {"days": ["mon"]}}, at(now=float("nan")), "whole seconds, found nan"),
    ],
)
def test_a_condition_that_cannot_be_evaluated_denies(rule_type, wanted, asked, message):
    limit = {"max_calls": 3, "window_seconds": 60} if rule_type == "rate_limit" else {}
    policy = policy_of(
        rule("r", rule_type, conditions=wanted, parameters=limit), rule("z", "allow")
    )

    decision = decide(policy, call(**(at() | asked)))

    assert (decision.outcome, decision.policy_id) == ("deny", "r")
    assert message in decision.reason
    assert "r cannot be evaluated" in decision.reason


@pytest.mark.parametrize("amount", ["1,000,000", "101", None, [101], {"n": 101}, True])
def test_an_argument_of_another_type_does_not_escape_a_rule_about_it(amount):
    policy = policy_of(rule("cap", "deny", conditions={"parameters": OVER_100}), ALLOW)

    decision = decide(policy, call(**at(arguments={"amount": amount})))

    assert (decision.outcome, decision.policy_id) == ("deny", "cap")
    assert "amount: expected number" in decision.reason


@pytest.mark.parametrize("amount", ["1", True, None, [1]])
def test_an_argument_of_another_type_does_not_meet_an_allow_rule(amount):
    small = {"properties": {"amount": {"type": "number", "maximum": 3}}, "required": ["amount"]}
    policy = policy_of(rule("small", "allow", conditions={"parameters": small}))

    assert answer(policy, call(**at(arguments={"amount": 1}))) == ("allow", "small")
    assert answer(policy, call(**at(arguments={"amount": amount}))) == ("deny", NO_RULE)


@pytest.mark.parametrize(
    "name",
    [
        "Ticket.close",
        "ticket.close ",
        " ticket.close",
        "ticket.close\n",
        "ticket.close\x00",
        "ticket.\u200bclose",
        "\uff54icket.close",
        "tick\u0435t.close",
        "ticket..close",
        "ticket",
        "*",
        "ticket.*",
        "",
    ],
)
def test_a_name_that_only_resembles_an_action_is_denied(name):
    assert answer(policy_of(ALLOW), call(name)) == ("deny", UNKNOWN_ACTION)
    assert limits_of(policy_of(RATE), call(name)) == ()


@pytest.mark.parametrize(
    ("pattern", "matched"),
    [
        ("ticket.close", ["ticket.close"]),
        ("ticket.*", ["ticket.read", "ticket.close", "ticket.delete", "ticket.note.add"]),
        ("*", list(ACTIONS)),
        ("*.*", list(ACTIONS)),
        ("*.*.*", ["ticket.note.add"]),
        ("*.add", ["ticket.note.add"]),
        ("*.note.*", ["ticket.note.add"]),
        ("ticket.*.add", ["ticket.note.add"]),
        ("ticket.*.close", []),
        ("note.*", []),
        ("tick.*", []),
    ],
)
def test_a_star_stands_for_one_or_more_whole_segments(pattern, matched):
    policy = policy_of(rule("r", "allow", pattern), require_approval_for=())

    assert [name for name in ACTIONS if decide(policy, call(name)).outcome == "allow"] == matched


@pytest.mark.parametrize(
    ("required", "action_id", "tier", "default", "outcome"),
    [
        (("high", "critical"), "ticket.read", None, "medium", "allow"),
        (("high", "critical"), "ticket.read", "high", "medium", "requires_approval"),
        (("high", "critical"), "ticket.delete", None, "medium", "requires_approval"),
        (("high", "critical"), "ticket.delete", "low", "medium", "requires_approval"),
        (("high",), "ticket.read", "critical", "medium", "requires_approval"),
        (("critical",), "ticket.delete", None, "medium", "allow"),
        (("medium",), "ticket.note.add", None, "medium", "requires_approval"),
        (("medium",), "ticket.note.add", None, "low", "allow"),
        (("medium",), "ticket.note.add", "low", "low", "allow"),
        ((), "ticket.delete", "critical", "medium", "allow"),
    ],
)
def test_from_the_lowest_configured_tier_upwards_an_approval_is_needed(
    required, action_id, tier, default, outcome
):
    policy = policy_of(ALLOW, require_approval_for=required, default_tier=default)

    decision = decide(policy, call(action_id, risk_tier=tier))

    assert decision.outcome == outcome
    assert decision.policy_id == ("yes" if outcome == "allow" else APPROVAL_TIER)
    granted = call(action_id, risk_tier=tier, **at(approval=Granted()))
    assert answer(policy, granted) == ("allow", "yes")


def test_a_rule_with_approvers_takes_the_approval_of_no_one_else():
    signed = rule("signed", "require_approval", parameters={"approvers": [KEY]})
    policy = policy_of(ALLOW, rule("any", "require_approval", priority=1), signed)

    assert answer(policy, call(**at())) == ("requires_approval", "any")
    for granted in (Granted(), Granted("another")):
        found = answer(policy, call(**at(approval=granted)))
        assert found == ("requires_approval", "signed")
    assert answer(policy, call(**at(approval=Granted(KEY)))) == ("allow", "yes")


def test_the_project_s_approvers_are_those_of_each_rule_that_names_none():
    policy = policy_of(ALLOW, rule("any", "require_approval"), approvers=[KEY])

    for granted in (Granted(), Granted("another")):
        found = answer(policy, call(**at(approval=granted)))
        assert found == ("requires_approval", "any")
    assert answer(policy, call(**at(approval=Granted(KEY)))) == ("allow", "yes")


def test_an_atlas_speaks_about_its_own_actions_and_allows_what_it_was_granted():
    own = rules_of(rule("own-allow", "allow"), rule("own-deny", "deny", "*.close"), atlas_id=ATLAS)

    assert answer(policy_of(more=own), call("ticket.read")) == ("deny", NO_RULE)
    granted = policy_of(more=own, grants={ATLAS: ["ticket.read"]})
    assert answer(granted, call("ticket.read")) == ("allow", "own-allow")
    assert answer(granted, call("ticket.note.add")) == ("deny", NO_RULE)
    everything = policy_of(ALLOW, more=own, grants={ATLAS: ["*"], OTHER: ["*"]})
    assert answer(everything, call("ticket.close")) == ("deny", "own-deny")
    assert answer(everything, call("refund.make")) == ("allow", "yes")


def test_an_atlas_may_use_the_policy_id_of_another_without_sharing_its_count():
    limit = rules_of(
        rule("rate", "rate_limit", parameters={"max_calls": 9, "window_seconds": 9}), atlas_id=OTHER
    )
    policy = policy_of(RATE, ALLOW, more=limit)

    assert [one.key for one in limits_of(policy, call())] == [
        "session:rate",
        f"session:{OTHER}/rate",
    ]


def test_limits_are_counted_by_session_agent_or_project_and_budgets_by_cost():
    limits = [
        rule(f"{kind}-{per}", kind, parameters={name: 7, "window_seconds": 60, "per": per})
        for kind, name in (("rate_limit", "max_calls"), ("budget", "max_cost"))
        for per in ("session", "agent", "project")
    ]
    over = rule("over", "rate_limit", conditions={"parameters": OVER_100},
                parameters={"max_calls": 1, "window_seconds": 60})  # fmt: skip
    policy = policy_of(*limits, over, ALLOW)

    found = {one.key: one.amount for one in limits_of(policy, call(**at()))}

    assert found == {
        "session:rate_limit-session": 1,
        "agent:rate_limit-agent:cli": 1,
        "project:rate_limit-project": 1,
        "session:budget-session": 5,
        "agent:budget-agent:cli": 5,
        "project:budget-project": 5,
    }
    assert decide(policy, call(**at(used=dict.fromkeys(found, 2)))).outcome == "allow"
    assert answer(policy, call(**at(used=dict.fromkeys(found, 3)))) == ("deny", "budget-agent")
    assert answer(policy, call(**at(used=dict.fromkeys(found, 7)))) == ("deny", "rate_limit-agent")
    # One that cannot be told counts.
    odd = call(**at(arguments={"amount": "x"}))
    assert "session:over" in {one.key for one in limits_of(policy, odd)}


@pytest.mark.parametrize("used", [None, -1, "0", 1.0, True])
def test_a_limit_of_which_nobody_knows_the_use_denies(used):
    counts = {} if used is None else {"session:rate": used}

    decision = decide(policy_of(RATE, ALLOW), call(**at(used=counts)))

    assert (decision.outcome, decision.policy_id) == ("deny", "rate")
    assert "how much of session:rate is used" in decision.reason


def test_the_reason_is_the_rules_own_or_says_which_rule_it_is():
    assert decide(policy_of(DENY), call()).reason == "a rule denies it"
    assert decide(policy_of({**DENY, "reason": "closed"}), call()).reason == "closed"
    spent = decide(policy_of(RATE, ALLOW), call(**at(used=SPENT)))
    assert spent.reason == "3 of 3 calls per session are used within 60 s"
    costly = decide(policy_of(BUDGET, ALLOW), call(**at(used=SPENT)))
    assert costly.reason == "12 of 12 cost units per session are used within 60 s"


# While resolving.


def constraints(policy: Any, asked: Call) -> dict[str, tuple[str, ...]]:
    found = decide(policy, asked).constraints
    return {one.rule.policy_id: one.undecided for one in found}


def test_while_resolving_limits_are_constraints():
    policy = policy_of(ALLOW, RATE, BUDGET)

    assert answer(policy, call()) == ("allow", "yes")
    assert constraints(policy, call()) == {"rate": (), "cost": ()}
    assert [one.key for one in limits_of(policy, call())] == ["session:rate", "session:cost"]


WAITING = {"parameters": OVER_100, "time_window": {"days": ["mon"]}}


def test_while_resolving_an_undecided_allow_still_lists_the_action():
    policy = policy_of(rule("later", "allow", conditions=WAITING))

    assert answer(policy, call()) == ("allow", "later")
    assert constraints(policy, call()) == {"later": ("time_window", "parameters")}


def test_while_resolving_an_open_allow_leaves_the_undecided_ones_out():
    policy = policy_of(rule("later", "allow", conditions=WAITING, priority=1), ALLOW)

    assert answer(policy, call()) == ("allow", "yes")
    assert constraints(policy, call()) == {}


@pytest.mark.parametrize("rule_type", ["deny", "require_approval", "rate_limit"])
def test_while_resolving_an_undecided_rule_does_not_fire_and_is_a_constraint(rule_type):
    limit = {"max_calls": 1, "window_seconds": 1} if rule_type == "rate_limit" else {}
    policy = policy_of(rule("later", rule_type, conditions=WAITING, parameters=limit), ALLOW)

    assert answer(policy, call()) == ("allow", "yes")
    assert constraints(policy, call()) == {"later": ("time_window", "parameters")}


def test_while_resolving_a_condition_that_fails_already_leaves_no_constraint():
    wanted = {**WAITING, "context": {"env": "prod"}}
    policy = policy_of(rule("later", "deny", conditions=wanted), ALLOW)

    assert constraints(policy, call()) == {}
    assert constraints(policy, call(context={"env": "prod"})) == {
        "later": ("time_window", "parameters")
    }


# What is refused.


def made(**rest: Any) -> Rule:
    values: dict[str, Any] = {
        "policy_id": "r",
        "type": "deny",
        "patterns": None,
        "priority": 0,
        "reason": "",
        "conditions": Conditions(),
        "origin": RuleOrigin("p.json", 1, 1),
    }
    return Rule(**(values | rest))


@pytest.mark.parametrize(
    ("rules", "error", "message"),
    [
        ([made(), made(type="allow")], ConfigError, "each policy_id once, found r again"),
        ([made(type="rate_limit")], ConfigError, "expected a limit"),
        ([made(type="allow", limit=Limit(1, 1))], ConfigError, "a limit alone|budget alone"),
        ([made(conditions=Conditions(parameters={"maximun": 1}))], ValueRefused, "maximun"),
        ([made(conditions=Conditions(parameters={"maxItems": 1}))], ValueRefused, "array"),
    ],
)
def test_rules_that_cannot_be_held_are_no_policy(rules, error, message):
    with pytest.raises(error, match=message):
        compile_policy(rules, ACTIONS, {}, require_approval_for=(), default_tier="low")


@pytest.mark.parametrize("rule_type", ["allow", "deny"])
def test_a_schema_that_is_found_wrong_when_it_is_used_denies(rule_type):
    bad = made(type=rule_type, conditions=Conditions(parameters={"type": "intger"}))
    rules = [bad, made(policy_id="z", type="allow")]
    policy = compile_policy(rules, ACTIONS, {}, require_approval_for=(), default_tier="low")

    decision = decide(policy, call(**at(arguments={})))

    assert (decision.outcome, decision.policy_id) == ("deny", "r")
    assert "r cannot be evaluated: the schema, type: expected what JSON Schema" in decision.reason


def test_no_number_of_callers_makes_a_policy_grow_without_end():
    policy = policy_of(rule("r", "allow", conditions={"agents": ["a7"]}))

    found = [decide(policy, call(agent=f"a{number}")).outcome for number in range(MAX_PLANS + 9)]

    assert found.count("allow") == 1
    assert len(policy.plans) <= MAX_PLANS
