"""Past calls under other rules: what flips, what a limit would have left, which rules suffice."""

from __future__ import annotations

from typing import Any

import pytest

from cra.policy.backtest import PastCall, PastUse, backtest
from cra.policy.call import Granted
from cra.policy.condition import words_of_rule
from cra.policy.lint import empty_file
from cra.policy.suggest import suggested_rules, suggested_tests
from tests.policies import (
    ALLOW,
    ASK,
    DENY,
    KEY,
    MONDAY_NOON,
    RATE,
    at,
    call,
    policy_of,
    rule,
    rules_of,
)


def past(
    action_id: str = "ticket.read",
    *,
    outcome: Any = "allow",
    after: int = 0,
    session_id: str = "s",
    approval: Granted | None = None,
    is_chosen: bool = True,
    **rest: Any,
) -> PastCall:
    asked = call(action_id, **at(now=MONDAY_NOON + after), **rest)
    stamp = f"2026-01-05T12:00:{after % 60:02}.000000Z"
    return PastCall(
        session_id, after, stamp, after * 1_000_000, asked, outcome, None, approval, is_chosen
    )


def flips(policy: Any, *calls: PastCall | PastUse) -> list[tuple[int, str, bool]]:
    return [
        (one.past.sequence, one.ruling.outcome, one.is_wider) for one in backtest(policy, calls)
    ]


def test_a_call_that_is_decided_otherwise_flips_one_way_or_the_other():
    denied, allowed = past(outcome="deny", after=1), past(after=2)

    assert flips(policy_of(ALLOW), denied, allowed) == [(1, "allow", True)]
    assert flips(policy_of(DENY), denied, allowed) == [(2, "deny", False)]


def test_an_approval_that_a_call_stood_on_counts_again():
    asked = past(after=1, outcome="requires_approval")
    stood = past(after=2, approval=Granted())

    assert flips(policy_of(ALLOW, ASK), asked, stood) == []
    assert flips(policy_of(ALLOW, ASK), past(after=3)) == [(3, "requires_approval", False)]


def test_a_limit_counts_what_it_would_have_let_through():
    calls = [past(after=number) for number in range(5)]

    assert flips(policy_of(ALLOW, RATE), *calls) == [(3, "deny", False), (4, "deny", False)]
    assert flips(policy_of(ALLOW, RATE), *calls[:3], past(after=60)) == []


@pytest.mark.parametrize(("per", "flipped"), [("session", []), ("project", [3])])
def test_the_share_of_a_limit_is_a_session_s_own_or_everybody_s(per, flipped):
    one = rule("rate", "rate_limit", parameters={"max_calls": 3, "window_seconds": 60, "per": per})
    calls = [*(past(after=number) for number in range(3)), past(after=3, session_id="other")]

    assert [number for number, *_ in flips(policy_of(ALLOW, one), *calls)] == flipped


@pytest.mark.parametrize(("per", "session_id"), [("session", "s"), ("project", "gone")])
def test_what_cannot_be_decided_again_has_taken_its_share(per, session_id):
    one = rule("rate", "rate_limit", parameters={"max_calls": 3, "window_seconds": 60, "per": per})
    used = PastUse(session_id, 0, {f"{per}:rate": 2, "session:another": 9})

    assert flips(policy_of(ALLOW, one), used, past(), past(after=1), past(after=61)) == [
        (1, "deny", False)
    ]


def test_calls_that_nobody_asks_about_take_of_limits_and_do_not_flip():
    others = [past(after=number, is_chosen=False) for number in range(4)]

    assert flips(policy_of(ALLOW, RATE), *others, past(after=5)) == [(5, "deny", False)]


def test_each_agent_is_suggested_what_it_was_let_do_and_no_more():
    calls = [
        past("ticket.read"),
        past("ticket.close"),
        past("ticket.read"),
        past("ticket.delete", outcome="deny"),
        past("refund.make", agent="Night Shift"),
    ]

    assert suggested_rules(calls) == [
        {
            "policy_id": "used-by-night-shift",
            "type": "allow",
            "actions": ["refund.make"],
            "reason": "what Night Shift did in 1 call",
            "conditions": {"agents": ["Night Shift"]},
        },
        {
            "policy_id": "used-by-cli",
            "type": "allow",
            "actions": ["ticket.close", "ticket.read"],
            "reason": "what cli did in 3 calls",
            "conditions": {"agents": ["cli"]},
        },
    ]


def test_agents_whose_names_are_alike_have_rules_of_their_own():
    found = suggested_rules(past(agent=agent) for agent in ("a b", "a-b", "A B"))

    assert sorted(one["policy_id"] for one in found) == [
        "used-by-a-b", "used-by-a-b-2", "used-by-a-b-3"]  # fmt: skip


def test_a_suggested_rule_has_a_test_that_it_passes():
    calls = [
        past("ticket.read", roles=frozenset({"clerk"}), context={"env": "live"}),
        past("ticket.read", after=9),
        past("ticket.delete", outcome="deny"),
        past("ticket.read")._replace(call=call("ticket.read")),
    ]
    rules = suggested_rules(calls)

    assert suggested_tests(policy_of(*rules, RATE), calls) == [
        {
            "name": "cli did ticket.read",
            "call": {
                "action": "ticket.read",
                "agent": "cli",
                "roles": ["clerk"],
                "context": {"env": "live"},
                "time": "2026-01-05T12:00:00Z",
            },
            "expect": {"decision": "allow", "policy_id": "used-by-cli"},
        }
    ]


@pytest.mark.parametrize(
    ("document", "words"),
    [
        (ALLOW, "allow everything"),
        ({**DENY, "actions": ["*.delete"], "priority": 7}, "deny *.delete with priority 7"),
        (RATE, "rate_limit everything to 3 in 60 s per session"),
        ({**ASK, "parameters": {"approvers": [KEY]}}, f"require_approval everything by {KEY}"),
        (
            {"policy_id": "p", "type": "redact", "parameters": {"kinds": ["email"]}},
            'redact everything {"kinds":["email"]}',
        ),
        ({**DENY, "conditions": {"roles": ["guest"]}}, "deny everything for the role guest"),
    ],
)
def test_a_rule_is_said_in_words(document, words):
    assert words_of_rule(*rules_of(document)) == words


def test_a_file_without_rules_is_a_finding_in_that_file():
    found = empty_file("policies/none.json")

    assert (found.kind, found.message) == ("no-rules", "policies/none.json holds no rule")
    assert found.origin is not None
    assert (found.origin.file, found.origin.line) == ("policies/none.json", 1)
