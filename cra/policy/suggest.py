"""The narrowest allow rules that cover calls which were made, and tests that hold them."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable
from typing import Any, Final

from cra.amount import counted
from cra.policy.backtest import PastCall
from cra.policy.engine import Policy, decide, limits_of

# What a policy_id keeps of an agent's name.
_PLAIN: Final = frozenset("abcdefghijklmnopqrstuvwxyz0123456789-_.")


def suggested_rules(calls: Iterable[PastCall]) -> list[dict[str, Any]]:
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


def suggested_tests(policy: Policy, calls: Iterable[PastCall]) -> list[dict[str, Any]]:
    """A test for each action that an agent was let do: its first call, as a policy decides it."""
    first: dict[tuple[str, str], PastCall] = {}
    for past in calls:
        if past.outcome == "allow":
            first.setdefault((past.call.agent, past.call.action_id), past)
    return [_test(policy, past) for _, past in sorted(first.items())]


def _test(policy: Policy, past: PastCall) -> dict[str, Any]:
    call, moment = past.call, past.call.moment
    assert moment is not None
    used = {one.key: 0 for one in limits_of(policy, call)}
    ruling = decide(policy, call._replace(moment=moment._replace(used=used)))
    stated: dict[str, Any] = {
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
        "call": {key: value for key, value in stated.items() if value},
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
