"""A policy document means exactly what it says, and every mistake in it is told at its place."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from cra.config import text
from cra.policy.document import read_rules
from cra.policy.document_schema import policy_schema
from cra.policy.pattern import Pattern
from cra.policy.rule import Conditions, Limit, RuleOrigin, TimeWindow
from cra.protocol.schema import text_of
from tests.policies import ATLAS, KEY, OVER_100, read, rules_of

ROOT = Path(__file__).parents[1]
SCHEMA = jsonschema_rs.validator_for(policy_schema())
FULL: dict[str, Any] = {
    "policy_id": "refund-cap",
    "type": "deny",
    "actions": ["refund.make", "*.production.*"],
    "priority": 10,
    "reason": "refunds over 100 need a person",
    "description": "Agreed with finance.",
    "conditions": {
        "agents": ["cli"],
        "roles": ["support", "intern"],
        "scopes": ["refunds"],
        "risk_tiers": ["low", "medium"],
        "time_window": {
            "days": ["mon", "fri"],
            "start": "22:30",
            "end": "06:00",
            "utc_offset": "-05:30",
        },
        "context": {"env": ["prod", 1, None], "beta": False},
        "parameters": OVER_100,
    },
}


def test_a_rule_holds_everything_that_its_document_says():
    (found,) = rules_of(FULL, atlas_id=ATLAS)

    assert found.policy_id == "refund-cap"
    assert found.type == "deny"
    assert found.patterns == (Pattern("refund.make"), Pattern("*.production.*"))
    assert found.priority == 10
    assert found.reason == "refunds over 100 need a person"
    assert found.origin == RuleOrigin("policies/p.json", 1, 2, ATLAS)
    assert found.conditions == Conditions(
        agents=frozenset(["cli"]),
        roles=frozenset(["support", "intern"]),
        scopes=frozenset(["refunds"]),
        risk_tiers=frozenset(["low", "medium"]),
        time_window=TimeWindow(frozenset([0, 4]), 22 * 60 + 30, 6 * 60, -330),
        context={"env": ("prod", 1, None), "beta": (False,)},
        parameters=OVER_100,
    )


def test_the_schema_in_the_repository_is_the_one_that_the_reader_goes_by():
    stored = (ROOT / "specs/schemas/policy.schema.json").read_text(encoding="utf-8")

    assert stored == text_of(policy_schema())
    assert SCHEMA.is_valid(FULL)


def is_beyond_a_schema(key: str, expected: str) -> bool:
    """Whether a mistake is of a kind that JSON Schema has no words for."""
    is_within_a_schema = key.startswith("conditions.parameters.")
    return is_within_a_schema or expected in ("once", "other than the start", "canonical", "RE2")


def test_what_is_left_out_asks_for_nothing():
    (found,) = rules_of({"policy_id": "a", "type": "allow"})

    assert (found.patterns, found.priority, found.reason) == (None, 0, "")
    assert found.conditions == Conditions()
    assert (found.limit, found.approvers, found.settings) == (None, (), None)


@pytest.mark.parametrize(
    ("document", "member", "expected"),
    [
        ({"type": "requires_approval"}, "type", "require_approval"),
        ({"type": "deny", "parameters": {"reason": "closed"}}, "reason", "closed"),
        (
            {"type": "rate_limit", "parameters": {"max_calls": 0, "window_seconds": 60}},
            "limit",
            Limit(0, 60, "session"),
        ),
        (
            {"type": "budget", "parameters": {"max_cost": 9, "window_seconds": 1, "per": "agent"}},
            "limit",
            Limit(9, 1, "agent"),
        ),
        ({"type": "require_approval", "parameters": {"approvers": [KEY]}}, "approvers", (KEY,)),
        (
            {"type": "redact", "parameters": {"kinds": ["iban"], "patterns": ["AB[0-9]+"]}},
            "settings",
            {"kinds": ("iban",), "patterns": ("AB[0-9]+",)},
        ),
        (
            {"type": "scope", "parameters": {"max_context_tokens": 0, "context_packs": ["faq"]}},
            "settings",
            {"max_context_tokens": 0, "context_packs": ("faq",)},
        ),
        (
            {"type": "scope", "parameters": {"context_packs": ["a"]}},
            "settings", {"context_packs": ("a",)},
        ),
        ({"type": "allow", "conditions": {}}, "conditions", Conditions()),
        (
            {"type": "allow", "conditions": {"time_window": {"end": "24:00", "start": "09:00"}}},
            "conditions",
            Conditions(time_window=TimeWindow(start=540)),
        ),
    ],
)  # fmt: skip
def test_each_type_has_its_own_settings(document, member, expected):
    (found,) = rules_of({"policy_id": "a", **document})

    assert getattr(found, member) == expected
    assert SCHEMA.is_valid({"policy_id": "a", **document})


@pytest.mark.parametrize("wrong", ["requires_aproval", "require_aproval", ["deny"], 1])
def test_of_a_type_that_has_two_spellings_a_mistake_tells_one(wrong):
    _, [(*_, expected, _, nearest)] = read(json.dumps({"policy_id": "a", "type": wrong}))

    assert expected == "one of deny, require_approval, rate_limit, budget, allow, redact, scope"
    assert nearest == ("require_approval" if isinstance(wrong, str) else None)


@pytest.mark.parametrize("form", ["one", "list", "policies"])
def test_a_document_is_one_rule_or_a_list_or_an_object_with_policies(form):
    one = {"policy_id": "a", "type": "allow"}
    document = {"one": one, "list": [one], "policies": {"policies": [one]}}[form]

    rules, notes = read(json.dumps(document))

    assert notes == []
    assert [found.policy_id for found in rules] == ["a"]
    assert SCHEMA.is_valid(document)


def noted(document: Any) -> list[tuple[str, str, str, str | None]]:
    rules, notes = read(document if isinstance(document, str) else json.dumps(document))
    assert rules == () or len(notes) == 1
    return [note[2:] for note in notes]


@pytest.mark.parametrize(
    ("change", "key", "expected", "found", "nearest"),
    [
        ({"polcy": 1}, "polcy", "a known key", "an unknown one", "policy_id"),
        ({"not": {}}, "not", "a known key", "an unknown one", None),
        ({"policy_id": None}, "policy_id", "letters, digits", "null", None),
        ({"policy_id": "default:deny"}, "policy_id", "letters", '"default:deny"', None),
        ({"policy_id": "a\n"}, "policy_id", "letters", '"a\\n"', None),
        ({"policy_id": "a" * 129}, "policy_id", "at most 128", '"aaa', None),
        ({"type": "denny"}, "type", "one of deny, ", '"denny"', "deny"),
        ({"type": "Allow"}, "type", "one of deny, ", '"Allow"', "allow"),
        ({"type": 5}, "type", "one of deny, ", "5", None),
        ({"actions": []}, "actions", "at least one value", "an empty list", None),
        ({"actions": "*"}, "actions", "a list", '"*"', None),
        ({"actions": [5]}, "actions[0]", "", "5", None),
        ({"actions": ["*", "Db.*"]}, "actions[1]", "a glob like ticket.*", "'Db.*'", None),
        ({"actions": ["db.d*"]}, "actions[0]", "whole segments", "'db.d*'", None),
        ({"actions": ["db"]}, "actions[0]", "whole segments", "'db'", None),
        ({"actions": ["db.**"]}, "actions[0]", "whole segments", "'db.**'", None),
        ({"actions": ["!db.drop"]}, "actions[0]", "whole segments", "'!db.drop'", None),
        ({"actions": ["db.drop\n"]}, "actions[0]", "whole segments", "'db.drop\\n'", None),
        ({"actions": ["\u0430b.c"]}, "actions[0]", "whole segments", "'\u0430b.c'", None),
        ({"actions": ["a" * 300]}, "actions[0]", "whole segments", "'aaa", None),
        ({"priority": "high"}, "priority", "a whole number", '"high"', None),
        ({"priority": True}, "priority", "a whole number", "true", None),
        ({"priority": 1.5}, "priority", "a whole number", "1.5", None),
        ({"priority": 10**9}, "priority", "a whole number", "1000000000", None),
        ({"reason": ""}, "reason", "a text", '""', None),
        (
            {"reason": "a", "parameters": {"reason": "b"}},
            "parameters.reason", "once", "again", None,
        ),
        ({"description": 5}, "description", "a text", "5", None),
        ({"conditions": []}, "conditions", "an object", "a list", None),
        ({"conditions": {"agent": ["a"]}}, "conditions.agent", "a known", "unknown", "agents"),
        ({"conditions": {"not": {"agents": ["a"]}}}, "conditions.not", "a known", "unknown", None),
        ({"conditions": {"agents": []}}, "conditions.agents", "at least one", "empty list", None),
        ({"conditions": {"roles": "a"}}, "conditions.roles", "a list", '"a"', None),
        ({"conditions": {"scopes": [" "]}}, "conditions.scopes[0]", "a name", '" "', None),
        (
            {"conditions": {"risk_tiers": ["hihg"]}},
            "conditions.risk_tiers[0]", "one of low", '"hihg"', "high",
        ),
        ({"conditions": {"context": {}}}, "conditions.context", "keys", "an object", None),
        ({"conditions": {"context": ["a"]}}, "conditions.context", "an object", "a list", None),
        (
            {"conditions": {"context": {"a": []}}},
            "conditions.context.a", "one value", "empty", None,
        ),
        (
            {"conditions": {"context": {"a": {}}}},
            "conditions.context.a", "a text", "an object", None,
        ),
        (
            {"conditions": {"context": {"a": [[]]}}},
            "conditions.context.a", "a text", "a list", None,
        ),
        (
            {"conditions": {"context": {"a": 2**60}}},
            "conditions.context.a", "canonical", "115", None,
        ),
        (
            {"conditions": {"time_window": {}}},
            "conditions.time_window", "days, start", "none", None,
        ),
        ({"conditions": {"time_window": 5}}, "conditions.time_window", "an object", "5", None),
        (
            {"conditions": {"time_window": {"days": ["sunday"]}}},
            "conditions.time_window.days[0]", "one of mon", '"sunday"', "sun",
        ),
        (
            {"conditions": {"time_window": {"start": "9:00"}}},
            "conditions.time_window.start", "a time like 09:00", '"9:00"', None,
        ),
        (
            {"conditions": {"time_window": {"start": "24:00"}}},
            "conditions.time_window.start", "a time like 09:00", '"24:00"', None,
        ),
        (
            {"conditions": {"time_window": {"start": "09:00", "end": "09:00"}}},
            "conditions.time_window", "other than the start", "09:00", None,
        ),
        (
            {"conditions": {"time_window": {"start": "09:00", "utc_offset": "CET"}}},
            "conditions.time_window.utc_offset", "+02:00", '"CET"', None,
        ),
        (
            {"conditions": {"parameters": True}},
            "conditions.parameters", "a JSON Schema as an object", "true", None,
        ),
        (
            {"conditions": {"parameters": {"maximun": 3}}},
            "conditions.parameters.maximun", "a known keyword", "unknown", "maximum",
        ),
        (
            {"conditions": {"parameters": {"properties": {"a": {"maximum": 3}}}}},
            "conditions.parameters.properties.a.maximum", '"type": "number"', "none", None,
        ),
        (
            {"conditions": {"parameters": {"allOf": [{"$ref": "http://a/b"}]}}},
            "conditions.parameters.allOf[0].$ref", "inside the document", "http", None,
        ),
        (
            {"conditions": {"parameters": {"$schema": "x"}}},
            "conditions.parameters.$schema", "one of http", '"x"', None,
        ),
        (
            {"conditions": {"parameters": {"const": 2**60}}},
            "conditions.parameters", "canonical", "115", None,
        ),
        ({"parameters": 5}, "parameters", "an object", "5", None),
        ({"parameters": {"max_calls": 3}}, "parameters.max_calls", "a known", "unknown", None),
        ({"type": "redact"}, "parameters", "at least one setting", "none", None),
        (
            {"type": "redact", "parameters": {"kinds": ["mail"]}},
            "parameters.kinds[0]", "one of email", '"mail"', "email",
        ),
        (
            {"type": "redact", "parameters": {"patterns": ["a*"]}},
            "parameters.patterns[0]", "RE2", "matches the empty text", None,
        ),
        (
            {"type": "redact", "parameters": {"patterns": ["(a"]}},
            "parameters.patterns[0]", "RE2", "missing )", None,
        ),
        (
            {"type": "redact", "parameters": {"patterns": ["(?=a)b"]}},
            "parameters.patterns[0]", "RE2", "invalid perl operator", None,
        ),
        (
            {"type": "redact", "parameters": {"patterns": [5]}},
            "parameters.patterns[0]", "", "5", None,
        ),
        ({"type": "scope", "parameters": {}}, "parameters", "at least one setting", "none", None),
        (
            {"type": "scope", "parameters": {"max_context_tokens": -1}},
            "parameters.max_context_tokens", "a whole number", "-1", None,
        ),
        (
            {"type": "require_approval", "parameters": {"approvers": []}},
            "parameters.approvers", "at least one", "an empty list", None,
        ),
        (
            {"type": "require_approval", "parameters": {"approvers": ["sam"]}},
            "parameters.approvers[0]", "a verifier key", '"sam"', None,
        ),
        (
            {"type": "budget", "parameters": {"max_cost": 1, "window_seconds": 0}},
            "parameters.window_seconds", "seconds from 1", "0", None,
        ),
        (
            {"type": "rate_limit", "parameters": {"max_calls": 1, "window_seconds": 1, "per": "x"}},
            "parameters.per", "one of session", '"x"', None,
        ),
        (
            {"type": "rate_limit", "parameters": {"max_calls": "9", "window_seconds": 1}},
            "parameters.max_calls", "a whole number", '"9"', None,
        ),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_place_and_the_nearest_word(
    change, key, expected, found, nearest
):
    ((at, wanted, seen, word),) = noted({"policy_id": "a", "type": "allow", **change})

    assert at == key
    assert expected in wanted
    assert found in seen
    assert nearest is None or word == nearest
    is_accepted = SCHEMA.is_valid({"policy_id": "a", "type": "allow", **change})
    assert is_accepted is is_beyond_a_schema(key, expected)


@pytest.mark.parametrize(
    ("change", "known"),
    [
        ({"conditions": {"time_window": {"begin": "09:00"}}}, "days, start, end, utc_offset"),
        (
            {
                "type": "rate_limit",
                "parameters": {"max_calls": 1, "window_seconds": 1, "limit": 5},
            },
            "reason, max_calls, window_seconds, per",
        ),
        (
            {"type": "budget", "parameters": {"max_cost": 1, "window_seconds": 1, "max": 5}},
            "reason, max_cost, window_seconds, per",
        ),
        (
            {"type": "scope", "parameters": {"context_packs": ["a"], "tokens": 5}},
            "reason, max_context_tokens, context_packs",
        ),
    ],
)
def test_an_unknown_key_is_told_with_those_that_are_known(change, known):
    ((_, wanted, found, _),) = noted({"policy_id": "a", "type": "allow", **change})

    assert (wanted, found) == (f"a known key ({known})", "an unknown one")


@pytest.mark.parametrize(
    ("document", "keys"),
    [
        (5, ["the document", "policy_id", "type"]),
        ({}, ["policy_id", "type"]),
        ([{}, "x"], ["[0].policy_id", "[0].type", "[1]", "[1].policy_id", "[1].type"]),
        ({"policies": {}}, ["policies"]),
        ({"policies": [], "more": 1}, ["more"]),
        ({"policies": [{"type": "deny"}]}, ["policies[0].policy_id"]),
        (
            {"policy_id": "a", "type": "budget"},
            ["parameters.max_cost", "parameters.window_seconds"],
        ),
        (
            {"policy_id": "a", "type": "rate_limit", "parameters": {"max_cost": 3}},
            ["parameters.max_cost", "parameters.max_calls", "parameters.window_seconds"],
        ),
        ({"policy_id": "a", "type": "dney", "parameters": {"max_calls": 3}}, ["type"]),
        (
            {
                "policy_id": "",
                "type": "allow",
                "actions": ["A", "b.c", "D"],
                "conditions": {"x": 1},
            },
            ["policy_id", "actions[0]", "actions[2]", "conditions.x"],
        ),
    ],
)
def test_all_mistakes_are_told_at_once(document, keys):
    assert [key for key, *_ in noted(document)] == keys
    assert not SCHEMA.is_valid(document)


def test_a_rule_with_a_mistake_is_left_out_and_the_others_are_read():
    rules, notes = read('[{"policy_id": "a", "type": "deny"},\n {"policy_id": "b", "typ": "deny"}]')

    assert [found.policy_id for found in rules] == ["a"]
    assert [(line, column, key) for line, column, key, *_ in notes] == [
        (2, 21, "[1].typ"),
        (2, 2, "[1].type"),
    ]


def test_a_mistake_within_a_schema_is_told_where_it_stands():
    _, notes = read(
        '{"policy_id": "a", "type": "deny", "conditions": {"parameters": {\n'
        '  "anyOf": [true,\n'
        '    {"properties": {"a": {"pattern": "(?=a)", "type": "string"}}, "type": "object"}]}}}'
    )

    assert [note[:3] for note in notes] == [
        (3, 38, "conditions.parameters.anyOf[1].properties.a.pattern")
    ]


def test_a_policy_id_is_given_once():
    ((at, expected, found, _),) = noted(
        [{"policy_id": "a", "type": "deny"}, {"policy_id": "a", "type": "allow"}]
    )

    assert (at, expected) == ("[1].policy_id", "each policy_id once")
    assert found == "a as at policies/p.json:1:2"


def test_every_place_of_a_schema_can_be_told():
    _, notes = read(
        '{"policy_id": "a", "type": "deny", "conditions": {"parameters": {"x": {"y": 1},\n'
        '"allOf": [5, {"$ref": "#/$defs/a"}],\n'
        '"$defs": {"a": {"typ": 1}, "b": {"required": ["c"]}}}}}'
    )

    assert sorted((note[0], note[2]) for note in notes) == [
        (1, "conditions.parameters.x"),
        (2, "conditions.parameters.allOf[0]"),
        (3, "conditions.parameters.$defs.a.typ"),
        (3, "conditions.parameters.$defs.b.required"),
    ]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-3, 3) | st.sampled_from(["a", "deny", "*", "09:00"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                [
                    "policies",
                    *FULL,
                    "agents",
                    "context",
                    "time_window",
                    "days",
                    "start",
                    "per",
                    "type",
                ]
            ),
            inner,
            max_size=5,
        )
    ),
    max_leaves=15,
)


@given(JSON)
def test_any_document_is_read_or_refused_without_a_fault(document):
    content = json.dumps(document)
    notes: list[Any] = []
    node = text.parse(content, lambda *mistake: notes.append(mistake))
    assert node is not None

    rules = read_rules(
        node, lambda *mistake: notes.append(mistake), file="p", place=lambda _: (1, 1)
    )

    assert all(0 <= offset < len(content) for offset, *_ in notes)
    assert all(found.policy_id for found in rules)
    assert notes or SCHEMA.is_valid(document)
