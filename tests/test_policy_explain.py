"""Why a call is decided so, what would allow it, what looks wrong, and tests beside policies."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given

from cra.config import text
from cra.config.text import line_and_column
from cra.errors import ValueRefused
from cra.policy.call import Granted
from cra.policy.engine import compile_policy, decide
from cra.policy.explain import alternatives, explain, suggested_rule
from cra.policy.fixture import NOON, Case, read_cases, run_cases
from cra.policy.ladder import NO_RULE, ActionFacts
from cra.policy.lint import lint
from cra.policy.patch import Rewritten, diff_of, without_rules
from cra.policy.pattern import Pattern
from cra.policy.rule import RuleOrigin
from tests.policies import (
    ACTIONS,
    ALLOW,
    ASK,
    ATLAS,
    BUDGET,
    DENY,
    MONDAY_NOON,
    OTHER,
    OVER_100,
    RATE,
    at,
    call,
    moment,
    policy_of,
    rule,
    rules_of,
)
from tests.test_policy_reference import CALLS, compiled, rule_sets


def states(policy: Any, asked: Any) -> dict[str, tuple[str, str]]:
    return {one.rule.policy_id: (one.state, one.why) for one in explain(policy, asked).considered}


def words(policy: Any, asked: Any) -> tuple[str, ...]:
    return tuple(change.words for change in explain(policy, asked).changes)


# Who changes a rule of an atlas.
OWNER = f"whoever owns the atlas {ATLAS}, where it is made, and accept that with cra atlas lock"


def test_an_explanation_shows_the_whole_ladder_in_its_order():
    policy = policy_of(
        ALLOW,
        BUDGET,
        RATE,
        ASK,
        DENY,
        rule("agents", "deny", conditions={"agents": ["bot"]}, priority=2),
        rule("elsewhere", "deny", "ticket.*"),
        rule("env", "deny", conditions={"context": {"env": "prod"}}, priority=1),
        rule("cap", "deny", conditions={"parameters": OVER_100}, priority=3),
    )

    found = explain(policy, call(**at(arguments={"amount": 1}, used={"session:rate": 3})))

    assert found.decision.policy_id == "no"
    assert [(one.rule.policy_id, one.state, one.why) for one in found.considered] == [
        ("cap", "does not apply", "parameters"),
        ("agents", "does not apply", "agents"),
        ("env", "does not apply", "context"),
        ("no", "applies", ""),
        ("ask", "applies", ""),
        ("rate", "applies", "3 of 3 calls per session are used within 60 s"),
        ("cost", "applies", "expected how much of session:cost is used, found None"),
        ("yes", "applies", ""),
    ]


@pytest.mark.parametrize(
    ("document", "asked", "expected"),
    [
        (RATE, at(used={"session:rate": 0}), ("does not apply", "not used up")),
        (RATE, {}, ("undecided", "what is used")),
        (rule("r", "deny", conditions={"parameters": OVER_100}), {}, ("undecided", "parameters")),
        (
            rule("r", "deny", conditions={"parameters": OVER_100}),
            at(arguments={"amount": "1"}),
            ("failed", 'in the arguments, amount: expected number, found "1"'),
        ),
        (rule("r", "deny", conditions={"roles": ["x"]}), {}, ("does not apply", "roles")),
        (rule("r", "deny", conditions={"scopes": ["x"]}), {}, ("does not apply", "scopes")),
        (
            rule("r", "deny", conditions={"risk_tiers": ["low"]}),
            {},
            ("does not apply", "risk_tiers"),
        ),
        (
            rule("r", "deny", conditions={"time_window": {"days": ["tue"]}}),
            at(),
            ("does not apply", "time_window"),
        ),
    ],
)  # fmt: skip
def test_a_rule_that_does_not_apply_says_which_condition_keeps_it(document, asked, expected):
    assert states(policy_of(document, ALLOW), call(**asked))[document["policy_id"]] == expected


def test_an_atlas_rule_says_that_it_is_foreign_or_not_granted():
    own = rules_of(rule("own", "allow"), rule("stop", "deny"), atlas_id=ATLAS)
    policy = policy_of(more=own)

    assert states(policy, call("ticket.read")) == {
        "stop": ("applies", ""),
        "own": ("does not apply", "grants"),
    }
    assert states(policy, call("refund.make")) == {
        "stop": ("does not apply", "atlas"),
        "own": ("does not apply", "atlas"),
    }


def test_the_change_for_a_missing_allow_is_a_rule_for_this_agent_and_action():
    policy = policy_of(rule("allow-refund-make", "allow", "ticket.*"))

    (change,) = explain(policy, call()).changes

    start = "add to the project's policies: "
    assert change.words.startswith(start)
    added = json.loads(change.words.removeprefix(start))
    assert added == change.comes
    assert added["policy_id"] == "allow-refund-make-2"
    assert decide(policy_of(added), call()).outcome == "allow"
    assert decide(policy_of(added), call(agent="bot")).policy_id == NO_RULE
    assert decide(policy_of(added), call("ticket.read")).policy_id == NO_RULE


def test_a_change_that_lifts_the_bound_of_another_rule_on_arguments_says_so():
    bounded = rule("over-100", "allow", conditions={"parameters": OVER_100})
    others = rule("bots", "allow", conditions={"agents": ["bot"], "parameters": OVER_100})

    (change,) = explain(policy_of(bounded, others), call(**at(arguments={"amount": 7}))).changes

    assert change.note is not None
    assert change.note.startswith("this allows whatever arguments, and so lifts the bound of over-")
    assert "bots" not in change.note
    assert change.words.endswith(f"; {change.note}")


def test_the_change_for_an_allow_that_was_not_granted_is_the_grant():
    own = rules_of(
        rule("bots", "allow", conditions={"agents": ["bot"]}), rule("own", "allow"), atlas_id=ATLAS
    )

    assert words(policy_of(more=own), call("ticket.read")) == (
        f"grant ticket.read to the atlas {ATLAS}: its rule own would allow it",
    )
    only_bots = words(policy_of(more=own[:1]), call("ticket.read"))
    assert only_bots[0].startswith("add to the project's policies")


def test_the_changes_name_everything_that_stands_against_a_call():
    odd = rule("odd", "deny", conditions={"context": {"env": "p"}})
    policy = policy_of(DENY, odd, RATE)

    asked = call(trusted_context={"env": []}, **at(used={"session:rate": 3}))

    assert [change.partition(" (")[0] for change in words(policy, asked)] == [
        "remove the deny rule no",
        "mend what keeps odd",
        "wait, or raise the maximum of rate",
        f"add to the project's policies: {json.dumps(suggested_rule(policy, asked))}",
    ]


def test_a_rule_of_an_atlas_is_changed_by_its_owner_and_accepted():
    policy = policy_of(ALLOW, more=rules_of(DENY, RATE, atlas_id=ATLAS))
    asked = call("ticket.read", **at(used={f"session:{ATLAS}/rate": 3}))

    assert words(policy, asked) == (
        f"have the deny rule no (policies/p.json:1:2) changed by {OWNER}",
        f"wait, or have the rate_limit rule rate (policies/p.json:1:39) changed by {OWNER}: "
        "3 of 3 calls per session are used within 60 s",
    )


def test_an_unknown_action_is_told_with_the_one_most_like_it():
    found = explain(policy_of(ALLOW), call("ticket.raed"))

    assert found.considered == ()
    assert words(policy_of(ALLOW), call("ticket.raed")) == (
        "add an atlas that has it; nearest: ticket.read",
    )
    assert words(policy_of(ALLOW), call("x")) == ("add an atlas that has it",)


def test_what_is_allowed_needs_no_change():
    assert explain(policy_of(ALLOW), call()).changes == ()


def test_what_waits_for_an_approval_names_all_that_ask_for_one():
    confirming = rules_of(rule("sure", "require_approval"), atlas_id=ATLAS)
    declared = confirming[0]._replace(
        policy_id="action:ticket.delete:confirmation", origin=RuleOrigin(ATLAS, 0, 0, ATLAS)
    )
    elsewhere = rule("elsewhere", "require_approval", conditions={"agents": ["bot"]})
    policy = policy_of(ALLOW, ASK, elsewhere, more=[declared])

    assert words(policy, call("ticket.delete")) == (
        "have it approved, or have the require_approval rule action:ticket.delete:confirmation "
        f"changed by {OWNER}",
        "have it approved, or remove the require_approval rule ask (policies/p.json:1:41)",
        "have it approved, or raise policies.require_approval_for above high",
    )
    assert words(policy_of(ALLOW, ASK), call()) == (
        "have it approved, or remove the require_approval rule ask (policies/p.json:1:41)",
    )


# What is allowed instead.

SHOP = {
    name: ActionFacts(atlas_id)
    for name, atlas_id in {
        "ticket.close": ATLAS,
        "ticket.close_all": ATLAS,
        "ticket.closed": OTHER,
        "ticket.open": ATLAS,
        "ticket.read": ATLAS,
        "note.close": ATLAS,
        "refund.close": OTHER,
    }.items()
}


@pytest.mark.parametrize(
    ("rules", "expected"),
    [
        ([ALLOW], ("ticket.closed", "ticket.close_all", "ticket.open")),
        ([rule("y", "allow", "*.close", "ticket.read")], ("ticket.read", "note.close")),
        ([rule("y", "allow", "refund.*")], ()),
        ([ALLOW, rule("n", "require_approval", "ticket.*")], ("note.close",)),
        ([rule("y", "allow", "ticket.closed", conditions={"agents": ["bot"]})], ()),
    ],
)
def test_the_nearest_allowed_actions_are_of_its_atlas_or_begin_with_its_word(rules, expected):
    policy = compile_policy(
        rules_of(*rules, rule("stop", "deny", "ticket.close")),
        SHOP,
        {},
        require_approval_for=(),
        default_tier="low",
    )

    assert alternatives(policy, call("ticket.close"), SHOP) == expected


def test_what_is_allowed_instead_is_told_before_the_call_and_can_be_carried_out():
    over = rule("over", "deny", conditions={"parameters": OVER_100})
    asked = call("ticket.close", **at(arguments={"amount": 200}))

    found = alternatives(policy_of(ALLOW, over), asked, ["ticket.read", "ticket.close"])

    assert found == ("ticket.read",)


# Rules taken out of the text of a file.

GONE, LEFT, ALSO = (json.dumps(rule(name, "deny"), indent=1) for name in ("gone", "left", "also"))
SHAPES = {
    "first": (f"[{GONE}, {LEFT}]", f"[{LEFT}]"),
    "first of three": (f"[\n {GONE},\n {LEFT},\n {ALSO}\n]\n", f"[\n {LEFT},\n {ALSO}\n]\n"),
    "middle": (f"[\n {LEFT},\n {GONE},\n {ALSO}\n]\n", f"[\n {LEFT},\n {ALSO}\n]\n"),
    "last": (f"[\n {LEFT} ,\n {GONE}\n]", f"[\n {LEFT}\n]"),
    "only one of a list": (f"[\n {GONE}\n]\n", "[]\n"),
    "alone": (f"\n {GONE}\n", None),
    "in an object": (f'{{"policies": [{GONE},\n{LEFT}]}}\n', f'{{"policies": [{LEFT}]}}\n'),
    "only one in an object": (f'{{"policies" : [ {GONE} ] }}', '{"policies" : [] }'),
    "with odd text around": (f'[{{"policy_id":"é\u2028,]","type":"deny"}},{GONE}]',
                             '[{"policy_id":"é\u2028,]","type":"deny"}]'),
}  # fmt: skip


@pytest.mark.parametrize("shape", SHAPES)
@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
def test_a_rule_is_taken_out_and_all_else_stays(shape, line_end):
    text, expected = SHAPES[shape]
    place = line_and_column(text, text.index(GONE))

    found = without_rules(text.replace("\n", line_end), [place])

    assert found == (expected and expected.replace("\n", line_end))


@pytest.mark.parametrize("kept", [set(), {1}, {0, 2}, {3}, {0}, {1, 2}])
def test_several_rules_are_taken_out_at_once(kept):
    texts = [json.dumps(rule(f"r{number}", "deny")) for number in range(4)]
    text = "[" + ", ".join(texts) + "]"
    gone = [line_and_column(text, text.index(texts[at])) for at in range(4) if at not in kept]

    found = without_rules(text, gone)

    assert found == "[" + ", ".join(texts[at] for at in sorted(kept)) + "]"


@pytest.mark.parametrize(
    ("text", "place"),
    [
        (f"[{LEFT}]", (1, 1)),
        (f"[{LEFT}]", (9, 1)),
        (LEFT, (2, 2)),
        ("[]", (1, 2)),
        ('{"policies": []}', (1, 1)),
        ("[", (1, 1)),
    ],
)
def test_a_text_without_the_rule_is_refused(text, place):
    with pytest.raises(ValueRefused):
        without_rules(text, [place])


@pytest.mark.parametrize(
    ("changed", "expected"),
    [
        (
            Rewritten("p/a.json", None, "{}\n"),
            "--- /dev/null\n+++ b/p/a.json\n@@ -0,0 +1 @@\n+{}\n",
        ),
        (
            Rewritten("p/a b.json", "{}", None),
            "--- a/p/a b.json\t\n+++ /dev/null\n@@ -1 +0,0 @@\n-{}\n\\ No newline at end of file\n",
        ),
        (
            Rewritten("a.json", "1\r\n\u20282\r\n", "1\r\n"),
            "--- a/a.json\n+++ b/a.json\n@@ -1,2 +1 @@\n 1\r\n-\u20282\r\n",
        ),
    ],
)
def test_a_diff_is_what_patch_programs_read(changed, expected):
    assert diff_of([changed]) == expected


@given(rule_sets(), CALLS)
def test_an_explanation_gives_the_decision_and_for_a_denial_a_way_out(rules, asked):
    policy = compiled(rules)
    found = explain(policy, asked)

    assert found.decision == decide(policy, asked)
    assert bool(found.changes) is (found.decision.outcome != "allow")
    deciding = found.decision.rule
    if deciding is not None:
        (state,) = {one.state for one in found.considered if one.rule is deciding}
        assert state in ("applies", "failed", "undecided")


@given(rule_sets(), CALLS)
def test_the_suggested_rule_allows_what_no_rule_allowed(rules, asked):
    policy = compiled(rules)
    if decide(policy, asked).policy_id != NO_RULE:
        return
    added = rules_of(suggested_rule(policy, asked))

    assert decide(compiled([*rules, *added]), asked).outcome != "deny"


# Lint.


def findings(*documents: Any, more: Any = (), grants: Any = None) -> list[tuple[str, str | None]]:
    given_grants = {name: tuple(map(Pattern, texts)) for name, texts in (grants or {}).items()}
    found = lint([*rules_of(*documents), *more], ACTIONS, given_grants)
    return [(one.kind, one.policy_id) for one in found]


@pytest.mark.parametrize(
    ("documents", "expected"),
    [
        ([ALLOW], []),
        ([ALLOW, RATE, BUDGET, ASK], []),
        ([], [("no-allow", None)]),
        ([ASK, RATE], [("no-allow", None)]),
        ([ALLOW, rule("r", "deny", "tikcet.*")], [("matches-nothing", "r")]),
        ([ALLOW, rule("r", "deny", "ticket.*", "gone.away")], [("matches-nothing", "r")]),
        (
            [ALLOW, rule("r", "redact", "gone.away", parameters={"kinds": ["email"]})],
            [("matches-nothing", "r")],
        ),
        ([ALLOW, rule("r", "allow", "parcel.pack")], [("allows-nothing", "r")]),
        (
            [rule("r", "allow", "parcel.pack")],
            [("allows-nothing", "r"), ("no-allow", None)],
        ),
        ([ALLOW, rule("z", "allow", "ticket.*")], [("shadowed", "z")]),
        ([ALLOW, rule("z", "allow", conditions={"agents": ["a"]})], [("shadowed", "z")]),
        ([ALLOW, rule("a", "allow", "ticket.*")], []),
        ([ALLOW, rule("z", "allow", "ticket.*", priority=1)], []),
        ([rule("a", "allow", conditions={"agents": ["a"]}), rule("z", "allow")], []),
        ([ALLOW, rule("a", "deny", "ticket.*"), rule("b", "deny", "*.read")], [("shadowed", "b")]),
        ([ALLOW, ASK, rule("z", "require_approval", "ticket.*")], [("shadowed", "z")]),
        ([ALLOW, {**RATE, "policy_id": "a"}, RATE], []),
        (
            [rule("a", "allow", "ticket.*"), rule("b", "allow", "*.close"),
             rule("n", "deny", "ticket.*")],
            [("shadowed", "b"), ("unreachable", "a"), ("unreachable", "b"), ("no-allow", None)],
        ),
        (
            [ALLOW, rule("d1", "deny", "refund.*"), {**BUDGET, "actions": ["refund.make"]},
             {**ASK, "actions": ["refund.make"]}],
            [("unreachable", "ask"), ("unreachable-limit", "cost")],
        ),
        (
            [ALLOW, rule("d", "deny", "ticket.*", conditions={"agents": ["a"]}),
             {**RATE, "actions": ["ticket.*"]}],
            [],
        ),
    ],
)  # fmt: skip
def test_what_can_never_matter_is_found(documents, expected):
    assert findings(*documents) == expected


def test_an_atlas_of_which_no_rule_allows_anything_is_found_by_its_name():
    tickets = rules_of(rule("tickets", "allow", "ticket.*"))
    refunds = rules_of(rule("refunds", "allow", "refund.make"), atlas_id=OTHER)

    [found] = lint(tickets, ACTIONS, {})
    assert (found.kind, found.origin and found.origin.atlas_id) == ("no-allow", OTHER)
    assert found.message == f"no rule allows any action of {OTHER}: all of its are denied"
    assert lint([*tickets, *refunds], ACTIONS, {OTHER: (Pattern("refund.make"),)}) == ()
    beyond = [one.kind for one in lint([*tickets, *refunds], ACTIONS, {OTHER: ()})]
    assert beyond == ["beyond-grants", "no-allow"]


def test_an_allow_rule_of_a_project_without_atlases_is_for_its_programs():
    parcels = rules_of(rule("parcels", "allow", "parcel.pack"))

    (note,) = lint(parcels, {}, {})

    assert note.is_note
    assert [one.kind for one in lint(rules_of(rule("no", "deny")), {}, {})] == ["no-allow"]


def test_an_approval_rule_with_its_own_approvers_is_not_shadowed():
    key = "cra.local+50b0137e+Af5XZmM0DQB7UDU7hU+iRA9ud9jVguHk9oV78ewwzu0K"
    signed = rule("z", "require_approval", parameters={"approvers": [key]})

    assert findings(ALLOW, ASK, signed) == []
    assert findings(ALLOW, signed, {**signed, "policy_id": "zz"}) == [("shadowed", "zz")]


def test_an_allow_rule_that_is_wider_than_its_grants_is_found():
    own = rules_of(rule("own", "allow", "*"), rule("other", "deny", "refund.*"), atlas_id=ATLAS)

    found = lint(own, ACTIONS, {ATLAS: (Pattern("ticket.read"),)})

    assert [(one.kind, one.policy_id, one.is_note) for one in found] == [
        ("matches-nothing", "other", False),
        ("beyond-grants", "own", False),
        ("no-allow", None, False),
    ]
    assert found[1].message == (
        f"own allows ticket.close, ticket.delete, ticket.note.add, which {ATLAS} was not granted: "
        "it does not count there"
    )
    assert found[1].origin == own[0].origin
    assert ("no-allow", None) in findings(more=own)
    assert findings(more=own[:1], grants={ATLAS: ["*"], OTHER: []}) == [("no-allow", None)]


def test_a_long_list_in_a_finding_is_cut():
    found = lint(rules_of(rule("own", "allow"), atlas_id=ATLAS), ACTIONS, {})

    assert "ticket.read, ticket.close, ticket.delete and 1 more, which" in found[0].message


# Tests beside policies.


AMOUNT = {"type": "object", "properties": {"amount": {"type": "number"}}, "maxProperties": 1}


def cases(document: Any) -> tuple[tuple[Case, ...], list[tuple[str, str, str]]]:
    notes: list[tuple[str, str, str]] = []

    def note(_offset: int, key: str, expected: str, found: str, _nearest: str | None) -> None:
        notes.append((key, expected, found))

    node = text.parse(json.dumps(document), note)
    assert node is not None
    return read_cases(node, note), notes


def case(asked: dict[str, Any], decision: str, policy_id: str | None = None) -> dict[str, Any]:
    expected = {"decision": decision} | ({"policy_id": policy_id} if policy_id else {})
    return {"name": "a case", "call": {"action": "refund.make", **asked}, "expect": expected}


@pytest.mark.parametrize(
    ("asked", "decision", "policy_id", "problem"),
    [
        ({}, "allow", "yes", None),
        ({}, "allow", None, None),
        ({}, "deny", None, "expected deny by any rule, found allow by yes: a rule allows it"),
        ({}, "allow", "no", "expected allow by no, found allow by yes: a rule allows it"),
        ({"parameters": {"amount": 101}}, "deny", "cap", None),
        ({"used": {"rate": 3}}, "deny", "rate", None),
        ({"used": {"rate": 2}}, "allow", "yes", None),
        (
            {"used": {"rat": 3}},
            "allow",
            "yes",
            "expected `used` to name limits that count this call, found rat",
        ),
        ({"agent": "bot"}, "deny", "bots", None),
        ({"roles": ["x"], "scopes": ["y"]}, "deny", "xy", None),
        ({"context": {"env": "prod"}}, "deny", "env", None),
        ({"trusted_context": {"env": "prod"}}, "deny", "env", None),
        ({"risk_tier": "critical"}, "requires_approval", None, None),
        ({"time": "2026-01-10T23:59:59Z"}, "deny", "weekend", None),
        ({"time": "2026-01-12T00:30:00+02:00"}, "deny", "weekend", None),
        ({"action": "gone.away"}, "deny", "default:unknown-action", None),
        (
            {"action": "refund.make"},
            "deny",
            "default:unknown-action",
            "expected deny by default:unknown-action, found allow by yes: a rule allows it",
        ),
        (
            {"action": "refund.mak"},
            "deny",
            None,
            'action: expected an action of an atlas, found "refund.mak"; nearest: refund.make',
        ),
        (
            {"parameters": {"amount": "1"}},
            "deny",
            None,
            "parameters: expected arguments that fit the schema of refund.make, found amount: "
            'expected number, found "1"',
        ),
    ],
)
def test_a_case_passes_if_the_decision_is_the_expected_one(asked, decision, policy_id, problem):
    policy = policy_of(
        ALLOW,
        RATE,
        rule("cap", "deny", conditions={"parameters": OVER_100}),
        rule("bots", "deny", conditions={"agents": ["bot"]}),
        rule("xy", "deny", conditions={"roles": ["x"], "scopes": ["y"]}),
        rule("env", "deny", conditions={"context": {"env": "prod"}}),
        rule("weekend", "deny", conditions={"time_window": {"days": ["sat", "sun"]}}),
    )
    read, notes = cases({"tests": [case(asked, decision, policy_id)]})

    (found,) = run_cases(policy, dict.fromkeys(ACTIONS, AMOUNT), read)

    assert notes == []
    assert found.problem == problem
    assert found.case.name == "a case"


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({}, [("tests", "none")]),
        ({"tests": []}, [("tests", "a list")]),
        ({"tests": {}}, [("tests", "an object")]),
        ({"test": []}, [("test", "an unknown one"), ("tests", "none")]),
        (
            {"tests": [{}]},
            [("tests[0].name", "none"), ("tests[0].call", "none"), ("tests[0].expect", "none"),
             ("tests[0].call.action", "none")],
        ),
        (
            {"tests": [{"name": "a", "call": {"action": "a.b"}, "expect": {}}]},
            [("tests[0].expect.decision", "none")],
        ),
        ({"tests": [case({}, "partial")]}, [("tests[0].expect.decision", '"partial"')]),
        ({"tests": [case({"params": {}}, "deny")]}, [("tests[0].call.params", "an unknown one")]),
        ({"tests": [case({"parameters": []}, "deny")]}, [("tests[0].call.parameters", "a list")]),
        ({"tests": [case({"context": {"a": 2**60}}, "deny")]}, [("tests[0].call.context", "115")]),
        ({"tests": [case({"time": "noon"}, "deny")]}, [("tests[0].call.time", '"noon"')]),
        ({"tests": [case({"time": "2026-02-30T00:00:00Z"}, "deny")]}, [("tests[0].call.time", "")]),
        ({"tests": [case({"used": {"a": -1}}, "deny")]}, [("tests[0].call.used.a", "-1")]),
        ({"tests": [case({"roles": []}, "deny")]}, [("tests[0].call.roles", "an empty list")]),
    ],
)  # fmt: skip
def test_a_mistake_in_a_test_document_is_told(document, expected):
    _, notes = cases(document)

    assert [key for key, *_ in notes] == [key for key, _ in expected]
    assert all(found in seen for (_, found), (_, _, seen) in zip(expected, notes, strict=True))


def test_a_case_without_a_time_is_on_a_monday_at_noon():
    assert NOON == MONDAY_NOON
    assert moment(approval=Granted()).now == NOON
