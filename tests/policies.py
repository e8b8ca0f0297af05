"""Policies for tests, read from documents as a project's are."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from typing import Any

from cra.config.text import line_and_column, parse
from cra.policy.call import Call, Moment
from cra.policy.document import read_rules
from cra.policy.engine import Policy, compile_policy, decide
from cra.policy.ladder import ActionFacts
from cra.policy.pattern import Pattern
from cra.policy.rule import Rule

ATLAS = "org.example.support"
OTHER = "org.example.billing"
ACTIONS = {
    "ticket.read": ActionFacts(ATLAS, "low"),
    "ticket.close": ActionFacts(ATLAS, "low"),
    "ticket.delete": ActionFacts(ATLAS, "high"),
    "ticket.note.add": ActionFacts(ATLAS),
    "refund.make": ActionFacts(OTHER, "medium", cost=5),
}
# 2026-01-05 is a Monday.
MONDAY_NOON = 1_767_614_400

KEY = "cra.local+50b0137e+Af5XZmM0DQB7UDU7hU+iRA9ud9jVguHk9oV78ewwzu0K"
OVER_100 = {
    "properties": {"amount": {"type": "number", "exclusiveMinimum": 100}},
    "required": ["amount"],
}

Note = tuple[int, int, str, str, str, str | None]


def read(text: str, atlas_id: str | None = None) -> tuple[tuple[Rule, ...], list[Note]]:
    """The rules of a text, and what was noted: line, column, key, expected, found, nearest."""
    notes: list[Note] = []

    def note(offset: int, key: str, expected: str, found: str, nearest: str | None) -> None:
        notes.append((*line_and_column(text, offset), key, expected, found, nearest))

    node = parse(text, note)
    assert node is not None, notes
    rules = read_rules(
        node,
        note,
        file="policies/p.json",
        place=lambda offset: line_and_column(text, offset),
        atlas_id=atlas_id,
    )
    return rules, notes


def rules_of(*documents: Mapping[str, Any], atlas_id: str | None = None) -> tuple[Rule, ...]:
    """Rules without mistakes."""
    rules, notes = read(json.dumps(documents), atlas_id)
    assert notes == []
    return rules


def policy_of(
    *documents: Mapping[str, Any],
    more: Sequence[Rule] = (),
    grants: Mapping[str, Sequence[str]] | None = None,
    **settings: Any,
) -> Policy:
    return compile_policy(
        [*rules_of(*documents), *more],
        ACTIONS,
        {name: tuple(map(Pattern, texts)) for name, texts in (grants or {}).items()},
        require_approval_for=settings.get("require_approval_for", ("high", "critical")),
        default_tier=settings.get("default_tier", "medium"),
        approvers=settings.get("approvers", ()),
    )


def rule(policy_id: str, rule_type: str, *actions: str, **rest: Any) -> dict[str, Any]:
    document = {"policy_id": policy_id, "type": rule_type, **rest}
    return {**document, "actions": list(actions)} if actions else document


def moment(**rest: Any) -> Moment:
    values: dict[str, Any] = {"arguments": {}, "now": MONDAY_NOON}
    return Moment(**(values | rest))


def answer(policy: Policy, asked: Call) -> tuple[str, str]:
    decision = decide(policy, asked)
    return decision.outcome, decision.policy_id


def call(action_id: str = "refund.make", /, **rest: Any) -> Call:
    return Call(action_id, **({"agent": "cli"} | rest))


def at(**rest: Any) -> dict[str, Any]:
    return {"moment": moment(**rest)}


ALLOW = rule("yes", "allow")
DENY = rule("no", "deny")
ASK = rule("ask", "require_approval")
RATE = rule("rate", "rate_limit", parameters={"max_calls": 3, "window_seconds": 60})
BUDGET = rule("cost", "budget", parameters={"max_cost": 12, "window_seconds": 60})
