"""The narrowest allow rules that cover calls which were made, and tests that hold them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final, Literal, cast

from typing_extensions import TypedDict

from cra.amount import counted
from cra.config import RiskTier
from cra.policy.backtest import PastCall
from cra.policy.engine import Policy, decide, limits_of
from cra.policy.ladder import Outcome

# What a policy_id keeps of an agent's name.
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


class SuggestedFor(TypedDict):
    agents: list[str]


class SuggestedRule(TypedDict):
    """A rule as a policy file holds it."""

    policy_id: str
    type: Literal["allow"]
    actions: list[str]
    reason: str
    conditions: SuggestedFor


class MadeCall(TypedDict):
    action: str
    agent: str
    time: str


class SuggestedCall(MadeCall, total=False):
    """A call as the file of a test holds it: what is empty is left out."""

    parameters: dict[str, Any]
    roles: list[str]
    scopes: list[str]
    context: dict[str, Any]
    risk_tier: RiskTier


class Expectation(TypedDict):
    decision: Outcome
    policy_id: str


class SuggestedTest(TypedDict):
    """A test as the file of a table holds it."""

    name: str
    call: SuggestedCall
    expect: Expectation


def suggested_rules(calls: Iterable[PastCall]) -> list[SuggestedRule]:
    """A rule for each agent, with exactly the actions that it was let do, as a file holds them."""
    used: dict[str, Counter[str]] = defaultdict(Counter)
    for past in calls:
        if past.outcome == "allow":
            used[past.call.agent][past.call.action_id] += 1
    taken: set[str] = set()
    return [
        {
            "policy_id": _name(agent, taken),
            "type": "allow",
            "actions": sorted(actions),
            "reason": f"what {agent} did in {counted(actions.total(), 'call')}",
            "conditions": {"agents": [agent]},
        }
        for agent, actions in sorted(used.items())
    ]


def suggested_tests(policy: Policy, calls: Iterable[PastCall]) -> list[SuggestedTest]:
    """A test for each action that an agent was let do: its first call, as a policy decides it.

    A call whose arguments are not known is no test.
    """
    first: dict[tuple[str, str], PastCall] = {}
    for past in calls:
        if past.outcome == "allow" and past.call.moment is not None:
            first.setdefault((past.call.agent, past.call.action_id), past)
    return [_test(policy, past) for _, past in sorted(first.items())]


def _test(policy: Policy, past: PastCall) -> SuggestedTest:
    call, moment = past.call, past.call.moment
    assert moment is not None
    used = {one.key: 0 for one in limits_of(policy, call)}
    ruling = decide(policy, call._replace(moment=moment._replace(used=used)))
    whole = {
        "action": call.action_id,
        "parameters": dict(moment.arguments),
        "agent": call.agent,
        "roles": sorted(call.roles),
        "scopes": sorted(call.scopes),
        "context": dict(call.context),
        "risk_tier": call.risk_tier,
        "time": past.timestamp[:19] + "Z",
    }
    return {
        "name": f"{call.agent} did {call.action_id}",
        "call": cast("SuggestedCall", {key: value for key, value in whole.items() if value}),
        "expect": {"decision": ruling.outcome, "policy_id": ruling.policy_id},
    }


def _name(agent: str, taken: set[str]) -> str:
    plain = "".join(char if char in _PLAIN else "-" for char in agent.lower())
    name = wanted = f"used-by-{plain}"
    number = 1
    while name in taken:
        number += 1
        name = f"{wanted}-{number}"
    taken.add(name)
    return name
