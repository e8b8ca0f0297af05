"""The decision of policy: two rules, ten, a hundred, a thousand."""

from __future__ import annotations

from functools import partial
from typing import Any, Final

from bench.measure import Sample, alternate, latencies
from bench.report import Budget, Measured, Row, Table
from bench.workload import Setting
from cra.config.text import parse
from cra.policy.call import Call, Moment
from cra.policy.document import read_rules
from cra.policy.engine import Policy, compile_policy, decide
from cra.policy.ladder import ActionFacts

CALLS: Final = 20_000
# Rules, and the budget of a decision in seconds.
SIZES: Final[dict[int, float | None]] = {2: 5e-6, 10: 5e-6, 100: 6e-6, 1000: None}
NOON: Final = 1_767_614_400

# Eight rules that have something to say of a refund or a ticket; all others only might have.
RULES: Final = """[
{"policy_id": "d1", "type": "deny", "actions": ["*.delete"]},
{"policy_id": "d2", "type": "deny", "conditions": {"context": {"env": "production"}}},
{"policy_id": "d3", "type": "deny", "actions": ["refund.*"], "conditions": {"parameters":
    {"properties": {"amount": {"type": "number", "exclusiveMinimum": 100}},
     "required": ["amount"]}}},
{"policy_id": "p1", "type": "require_approval", "conditions": {"roles": ["trainee"]}},
{"policy_id": "r1", "type": "rate_limit", "parameters": {"max_calls": 90, "window_seconds": 60}},
{"policy_id": "b1", "type": "budget", "parameters": {"max_cost": 900, "window_seconds": 3600}},
{"policy_id": "y1", "type": "allow", "actions": ["ticket.*"]},
{"policy_id": "y2", "type": "allow", "actions": ["refund.*"]}
%s]"""
TYPES: Final = ("deny", "allow", "require_approval")
ACTIONS: Final = {
    name: ActionFacts("bench", "low") for name in ("ticket.close", "refund.make", "ticket.delete")
}
# Two rules: one that denies, one that allows.
FEW: Final = """[
{"policy_id": "d1", "type": "deny", "actions": ["*.delete"]},
{"policy_id": "y1", "type": "allow", "actions": ["ticket.*", "refund.*"]}]"""

MOMENT: Final = Moment({"amount": 50}, NOON, {"session:r1": 1, "session:b1": 5})
QUESTIONS: Final[dict[str, Call]] = {
    "by limits": Call("ticket.close", "cli", moment=MOMENT),
    "by arguments": Call("refund.make", "cli", moment=MOMENT),
    "denied": Call("ticket.delete", "cli", moment=MOMENT),
}


def measure_decide(setting: Setting) -> Table:
    runs: dict[tuple[str, int], Any] = {}
    for size in SIZES:
        policy = policy_of(size)
        for name, call in QUESTIONS.items():
            runs[name, size] = partial(_run, policy, call)
    found = alternate(runs, setting.repetitions)
    rows = []
    for (name, size), quantities in found.items():
        limit = SIZES[size]
        for quantity in ("p50", "p99"):
            budget = Budget("≤", limit) if limit and quantity == "p50" else None
            measured = Measured(f"{name}, {size} rules, {quantity}", "s", quantities[quantity])
            rows.append(Row(measured, budget=budget))
    return Table(f"{CALLS} decisions each, the clock's own time included", rows)


def policy_of(size: int) -> Policy:
    """A policy of so many rules: half of the rest are about the actions that are asked for."""
    more = "".join(
        f',{{"policy_id": "x{number}", "type": "{TYPES[number % 3]}", "actions": '
        f'["{"*" if number % 2 else f"other{number}.*"}"], '
        f'"conditions": {{"agents": ["agent{number}"]}}}}'
        for number in range(size - 8)
    )
    mistakes: list[tuple[Any, ...]] = []
    text = FEW if size == 2 else RULES % more
    node = parse(text, lambda *mistake: mistakes.append(mistake))
    if node is None or mistakes:
        raise ValueError(mistakes)
    rules = read_rules(
        node, lambda *mistake: mistakes.append(mistake), file="bench", place=lambda _: (1, 1)
    )
    if mistakes:
        raise ValueError(mistakes)
    return compile_policy(
        rules, ACTIONS, {}, require_approval_for=("high", "critical"), default_tier="medium"
    )


def _run(policy: Policy, call: Call) -> Sample:
    expected = "deny" if call.action_id == "ticket.delete" else "allow"
    if decide(policy, call).outcome != expected:
        raise ValueError(decide(policy, call))
    return latencies(partial(decide, policy), [call] * CALLS)
