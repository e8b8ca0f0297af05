"""Two traces, compared: by what their steps are about, whatever their ids."""

from __future__ import annotations

import threading
from collections.abc import Sequence
from itertools import product
from pathlib import Path
from typing import Any, get_args

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cra.replay.compare import Comparison, Order, TraceDifference, compare, paired
from cra.replay.reading import Trace
from cra.replay.rule import FieldRule
from cra.replay.step import told
from cra.runtime.project import Project
from tests.goldens import trace_file
from tests.governed import ALLOW, DESK, begun, rule
from tests.made import (
    OWN,
    Said,
    answered,
    approved,
    asked,
    call,
    denied,
    ended,
    executed,
    made,
    offered,
)


def compared(
    one: Sequence[Said],
    other: Sequence[Said],
    order: Order = "partial",
    rules: Sequence[FieldRule] = (),
) -> Comparison:
    return compare(made(*one), made(*other, seed=1), rules, order)


def own(found: Comparison) -> list[tuple[str, str, str]]:
    """The differences that stand for themselves: weight, type, reason."""
    return [
        (one.significance, one.type, one.reason) for one in found.differences if not one.follows
    ]


def only(found: Comparison) -> TraceDifference:
    [one] = found.differences
    return one


READ = call("read", "ticket.read", {"id": 1}, "fire")
NOTE = call("note", "ticket.note", {"text": "a"}, "done")
PAY = call("pay", "ticket.pay", {"sum": 3}, "paid")


# Steps that one of the two has


def test_a_step_that_is_gone_is_removed():
    one = only(compared([*READ, *NOTE], READ))

    assert (one.type, one.significance, one.action_id) == ("removed", "breaking", "ticket.note")
    assert one.reason == "missing: ticket.note allowed by yes"
    assert (one.golden, one.found, one.path) == (3, None, "span#3")
    assert one.before["arguments"] == {"text": "a"}
    assert one.before["execution_id"] == "<span>"
    assert one.after is None


def test_a_step_that_is_new_is_inserted():
    one = only(compared(NOTE, [*READ, *NOTE]))

    assert (one.type, one.significance, one.path) == ("inserted", "breaking", "+span#2")
    assert one.reason == "new: ticket.read allowed by yes"
    assert (one.golden, one.found, one.before) == (None, 1, None)


def test_an_inserted_step_makes_no_others_of_those_that_follow():
    found = compared([*READ, *NOTE], [*READ, *PAY, *NOTE])

    assert own(found) == [("breaking", "inserted", "new: ticket.pay allowed by yes")]


def test_of_several_equal_steps_one_more_is_one_more():
    found = compared(READ, [*READ, *call("again", "ticket.read", {"id": 1}, "fire")])

    assert own(found) == [("breaking", "inserted", "new: ticket.read allowed by yes")]


def test_a_step_with_other_arguments_is_the_same_step_changed():
    one = only(compared(READ, call("read", "ticket.read", {"id": 2}, "fire")))

    assert (one.type, one.path) == ("changed", "span#2/action.approved/payload.arguments.id")
    assert (one.before, one.after) == (1, 2)


def test_a_step_is_matched_by_its_call_before_its_action():
    first, second = (call(str(at), "ticket.read", {"id": at}, "fire") for at in (1, 2))
    changed = call("x", "ticket.read", {"id": 2}, "water")
    found = compared([*first, *second], [*changed, *first])

    assert own(found)[0][1:] == ("moved", "another order: action.approved ticket.read comes later")
    [result] = [one for one in found.differences if one.path.endswith("payload.result")]
    assert (result.golden, result.before, result.after) == (4, "fire", "water")


def test_another_goal_is_another_context_of_the_same_step():
    one, other = ([asked("r", goal), answered("r")] for goal in ("read it", "close it"))
    found = only(compared(one, other))

    assert found.path == "span#2/carp.request.received/payload.request.task.goal"
    assert found.significance == "breaking"


def test_an_event_that_a_step_lacks_is_missing_there():
    one = only(compared(READ, READ[:1]))

    assert (one.type, one.path) == ("removed", "span#2/action.executed")
    assert one.reason == "missing: action.executed ticket.read"
    assert only(compared(READ[:1], READ)).type == "inserted"


# Decisions


def test_a_flip_says_both_decisions_and_their_rules():
    one = compared(READ, [denied("read", "ticket.read", {"id": 1}, by="no-reading")])
    [flip, outcome] = one.differences

    assert flip.path == "span#2/decision"
    assert flip.reason == (
        "the decision flipped: allowed by yes, now denied by no-reading: no-reading denies it"
    )
    assert (flip.policy_id, flip.significance, flip.follows) == ("no-reading", "breaking", False)
    assert (outcome.path, outcome.follows) == ("span#2/action.executed", True)


def test_a_flip_from_denied_to_allowed_is_one_too():
    found = compared([denied("read", "ticket.read", {"id": 1})], READ)

    assert found.differences[0].reason.startswith("the decision flipped: denied by no: no denies")
    assert found.differences[0].policy_id == "yes"


def test_another_rule_with_the_same_answer_is_minor():
    one, other = ([denied("a", "x", {}, by=by)] for by in ("no", "never"))
    found = compared(one, other)

    assert found.compatibility == "minor"
    assert [one.path.rpartition(".")[2] for one in found.differences] == ["policy_id", "reason"]


def test_what_was_no_call_and_is_one_now_is_a_flip_alone():
    refused: Said = (
        "action.denied",
        OWN,
        {"action_id": "ticket.read", "reason": "id: expected a number", "policy_id": None},
    )
    for before, after in (([refused], READ), (READ, [refused])):
        found = compared([*before, *NOTE, ended()], [*after, *NOTE, ended()])

        assert own(found)[0][2].startswith("the decision flipped: ")
        assert len(own(found)) == 1
        assert "session.started" not in str(found.differences)


def test_a_difference_is_told_with_its_action_and_names_that_once():
    found = compared(
        [*READ, *NOTE, ended()], [denied("read", "ticket.read", {"id": 1}), *NOTE, ended()]
    )

    assert all(one.told.count(str(one.action_id)) == 1 for one in found.differences)


def test_what_was_no_call_and_is_a_denied_one_now_is_denied_for_another_reason():
    refused: Said = (
        "action.denied",
        OWN,
        {"action_id": "ticket.read", "reason": "id: expected a number", "policy_id": None},
    )
    found = compared([refused, ended()], [denied("read", "ticket.read", {}), ended()])

    assert [one.path.rpartition(".")[2] for one in found.differences] == [
        "arguments",
        "resolution_id",
        "policy_id",
        "reason",
    ]


def test_a_flip_in_a_resolution_names_the_action_and_the_call_follows():
    allow = [asked("r"), answered("r", allowed_actions=[offered("ticket.read")]), *READ]
    refusal = {"action_id": "ticket.read", "policy_id": "no", "reason": "not today"}
    deny = [asked("r"), answered("r", denied_actions=[refusal]),
            denied("read", "ticket.read", {"id": 1})]  # fmt: skip
    found = compared(allow, deny)

    assert own(found) == [
        ("breaking", "changed", "the decision flipped: allowed, now denied by no: not today")
    ]
    first = found.differences[0]
    assert (first.action_id, first.policy_id) == ("ticket.read", "no")
    assert {one.action_id for one in found.differences[1:]} == {"ticket.read"}


def test_an_action_that_needs_an_approval_now_is_a_flip():
    one, other = (
        [asked("r"), answered("r", allowed_actions=[offered("x", requires_approval=needs)])]
        for needs in (False, True)
    )

    assert own(compared(one, other)) == [
        ("breaking", "changed", "the decision flipped: allowed, now allowed, once approved")
    ]


# What an action is


def test_a_schema_of_an_action_that_nobody_calls_is_minor():
    one, other = (
        [asked("r"), answered("r", allowed_actions=[offered("x", parameters_schema=schema)])]
        for schema in ({"type": "object"}, {"type": "object", "required": ["a"]})
    )

    assert compared(one, other).compatibility == "minor"


def test_a_schema_of_an_action_that_is_called_is_breaking():
    one, other = (
        [asked("r"), answered("r", allowed_actions=[offered("x", parameters_schema=schema)]),
         *call("a", "x")]
        for schema in ({"type": "object"}, {"type": "object", "required": ["a"]})
    )  # fmt: skip
    found = only(compared(one, other))

    assert (found.significance, found.action_id) == ("breaking", "x")


def test_an_action_that_is_offered_no_more_is_breaking_though_nobody_calls_it():
    one, other = (
        [asked("r"), answered("r", allowed_actions=[offered("x"), *more])]
        for more in ([], [offered("y")])
    )

    assert only(compared(one, other)).reason == "allowed_actions is new"
    assert compared(other, one).compatibility == "breaking"


@pytest.mark.parametrize(
    "members",
    [
        {"confidence": 0.5},
        {"next_steps": ["cra execute x"]},
        {"merge_rules": {"denylist": "union"}},
        {"omitted": {"allowed": 3}},
        {"ttl_seconds": 60},
        {"denylist": [{"pattern": "y", "reason": "no"}]},
        {"constraints": [{"policy_id": "p", "max": 3}]},
        {"allowed_actions": [offered("x", relevance=0.5)]},
        {"allowed_actions": [offered("x", description="it reads")]},
    ],
)
def test_words_ranks_and_what_is_decided_again_are_minor(members):
    usual = {"allowed_actions": [offered("x")]}
    one, other = ([asked("r"), answered("r", **{**usual, **more})] for more in ({}, members))

    assert compared(one, other).compatibility == "minor"
    assert compared(other, one).compatibility == "minor"


def test_another_order_of_what_is_offered_is_minor():
    one, other = (
        [asked("r"), answered("r", allowed_actions=[offered(each) for each in order])]
        for order in ("xy", "yx")
    )
    found = only(compared(one, other))

    assert (found.type, found.significance) == ("moved", "minor")
    assert (found.before, found.after) == (["x", "y"], ["y", "x"])


def test_another_context_is_breaking():
    one, other = (
        [asked("r"), answered("r", context_blocks=[{"block_id": "b", "content": text}])]
        for text in ("close at five", "close at six")
    )
    found = only(compared(one, other))

    assert found.significance == "breaking"
    assert found.path.endswith("context_blocks[b].content")


def test_a_secret_in_a_context_is_compared_by_its_kind():
    def block(text: str) -> list[Said]:
        return [asked("r"), answered("r", context_blocks=[{"block_id": "b", "content": text}])]

    token, other = ("[redacted github_token 12345678]", "[redacted github_token 87654321]")

    assert compared(block(token), block(other)).compatibility == "identical"
    assert compared(block(token), block("[redacted aws_key 12345678]")).compatibility == "breaking"


def test_items_without_names_or_with_one_name_twice_are_compared_by_their_place():
    one, other = (
        [asked("r"), answered("r", allowed_actions=items)]
        for items in ([offered("x"), offered("x")], [offered("x"), offered("x", risk_tier="high")])
    )

    assert only(compared(one, other)).path.endswith("allowed_actions[1].risk_tier")


# Order


def interleaved(*names: str) -> list[Said]:
    """Events `a` and `A` of calls that begin and end."""
    return [
        approved(name, f"do.{name}", {})
        if name.islower()
        else executed(name.lower(), f"do.{name.lower()}", None)
        for name in names
    ]


ORDERS = get_args(Order)


@pytest.mark.parametrize(
    ("one", "other", "order", "compatibility"),
    [
        ("aAbB", "bBaA", "partial", "breaking"),
        ("abAB", "abBA", "partial", "semantically_equivalent"),
        ("abAB", "baBA", "partial", "semantically_equivalent"),
        # What ran at the same time may run one after the other, and the other way round.
        ("abAB", "bBaA", "partial", "semantically_equivalent"),
        ("aAbB", "abAB", "partial", "semantically_equivalent"),
        ("aAbBcC", "cCaAbB", "partial", "breaking"),
        ("abAB", "abBA", "strict", "breaking"),
        ("aAbB", "aAbB", "strict", "identical"),
        ("aAbB", "bBaA", "unordered", "semantically_equivalent"),
        ("aAbB", "bBaA", "subset", "semantically_equivalent"),
        ("aAbB", "bBaA", "superset", "semantically_equivalent"),
        ("aAbB", "aA", "subset", "semantically_equivalent"),
        ("aA", "aAbB", "subset", "breaking"),
        ("aAbB", "aA", "superset", "breaking"),
        ("aA", "aAbB", "superset", "semantically_equivalent"),
        ("aAbB", "aA", "unordered", "breaking"),
        ("aA", "aAbB", "unordered", "breaking"),
        # Neither overlaps the other, and both overlap what stays in order.
        ("aAbstBST", "stbBaATS", "partial", "breaking"),
    ],
)
def test_order_counts_as_far_as_it_is_asked_for(one, other, order, compatibility):
    assert compared(interleaved(*one), interleaved(*other), order).compatibility == compatibility


def test_what_a_session_comes_to_says_nothing_where_steps_may_be_missing():
    one, other = [*READ, *NOTE, ended(actions=2)], [*READ, ended(actions=1)]

    assert compared(one, other, "subset").compatibility == "semantically_equivalent"
    assert compared(other, one, "superset").compatibility == "semantically_equivalent"
    assert compared(READ, [*READ, ended(actions=1)], "unordered").compatibility == "breaking"


def test_a_step_that_has_moved_says_which_way():
    later = only(compared(interleaved(*"aAbBcC"), interleaved(*"bBcCaA")))
    earlier = only(compared(interleaved(*"aAbBcC"), interleaved(*"cCaAbB")))

    assert (later.type, later.reason) == (
        "moved",
        "another order: action.approved do.a comes later",
    )
    assert earlier.reason == "another order: action.approved do.c comes earlier"
    assert (earlier.golden, earlier.found) == (5, 1)


def test_which_way_a_step_has_moved_is_not_told_by_what_is_new_before_it():
    found = compared(interleaved(*"aAbBcC"), interleaved(*"xXyYzZcCaAbB"))
    [moved] = [one for one in found.differences if one.type == "moved"]

    assert moved.reason == "another order: action.approved do.c comes earlier"


@pytest.mark.parametrize("order", ORDERS)
def test_nothing_differs_from_itself_in_any_order(order):
    life = [asked("r"), answered("r"), *interleaved(*"abBA"), *READ, ended()]

    assert compared(life, life, order).compatibility == "identical"


@given(st.permutations("aAbBcCdD"), st.permutations("aAbBcCdD"))
def test_an_order_breaks_exactly_if_two_steps_change_sides(one, other):
    one, other = (_begun_first(each) for each in (one, other))
    sides = [{name: (each.index(name), each.index(name.upper())) for name in "abcd"}
             for each in (one, other)]  # fmt: skip
    golden, found = sides
    is_broken = any(
        golden[a][1] < golden[b][0] and found[b][1] < found[a][0]
        for a, b in product("abcd", repeat=2)
    )
    result = compared(interleaved(*one), interleaved(*other))

    assert (result.compatibility == "breaking") is is_broken
    assert {each.type for each in result.differences} <= {"moved"}


def _begun_first(order: Sequence[str]) -> list[str]:
    """Each step begins before it ends."""
    seen: set[str] = set()
    result = []
    for name in order:
        low = name.lower()
        result.append(low.upper() if low in seen else low)
        seen.add(low)
    return result


def test_events_of_one_step_have_an_order_within_it():
    spans = ["approval.consumed", "action.approved", "action.executed"]
    life: list[Said] = [(kind, "s", {"action_id": "x"}) for kind in spans]
    swapped = [life[1], life[0], life[2]]

    assert compared(life, swapped).compatibility != "identical"
    assert compared(life, swapped, "strict").compatibility == "breaking"


# What an id refers to


def test_a_call_on_another_resolution_refers_to_another():
    resolutions = [asked("r", "one"), answered("r"), asked("s", "two"), answered("s")]
    one, other = ([*resolutions, approved("a", "x", {}, on=on)] for on in ("r", "s"))
    found = only(compared(one, other))

    assert found.path == "span#4/action.approved/payload.resolution_id"
    assert found.reason == "it refers to another: resolution#1, now resolution#2"
    assert found.significance == "breaking"


def test_an_outcome_of_another_execution_refers_to_another():
    one = [*READ, *NOTE]
    other = [*READ, NOTE[0], ("action.executed", "note", {**NOTE[1][2], "execution_id": "@read"})]

    found = only(compared(one, other))
    assert found.reason == "it refers to another: span#3, now span#2"


def test_a_span_below_another_refers_to_another_though_all_else_is_equal():
    life = [asked("r", "one"), answered("r"), asked("s", "two"), answered("s")]
    one, other = ([*life, approved(f"a<{parent}", "x", {})] for parent in ("r", "s"))
    found = only(compared(one, other))

    assert found.reason == "it refers to another: span#2, now span#3"
    assert found.path.endswith("parent_span_id")


def test_a_span_that_stands_below_nothing_now_differs():
    life = [asked("r"), answered("r")]
    found = compared([*life, approved("a<r", "x", {})], [*life, approved("a", "x", {})])

    assert found.compatibility == "breaking"
    assert found.differences[0].path.endswith("parent_span_id")


def test_ids_of_steps_in_another_order_stand_for_each_other():
    life = [asked("r"), answered("r")]
    one = [*life, approved("a<r", "x", {}, on="r"), approved("b<r", "y", {}, on="r"),
           executed("a<r", "x", 1), executed("b<r", "y", 2)]  # fmt: skip
    other = [*life, one[3], one[2], one[5], one[4]]

    assert compared(one, other).compatibility == "semantically_equivalent"


# Causes come first


def test_what_follows_from_a_difference_comes_after_all_that_do_not():
    one = [*READ, *NOTE, *PAY, ended(actions=3)]
    other = [denied("read", "ticket.read", {"id": 1}), *NOTE,
             *call("pay", "ticket.pay", {"sum": 4}, "paid"), ended(actions=2)]  # fmt: skip
    found = compared(one, other)
    told = [(one.path.partition("/")[0], one.follows) for one in found.differences]

    assert told == [
        ("span#2", False),
        ("span#4", False),
        ("span#2", True),
        ("event 7", True),
    ]


def test_what_stands_on_a_broken_resolution_follows_from_it():
    def life(content: str, result: int) -> list[Said]:
        blocks = [{"block_id": "b", "content": content}]
        return [asked("r"), answered("r", context_blocks=blocks),
                *(( kind, f"{span}<r", payload) for kind, span, payload in
                  call("a", "x", {}, result))]  # fmt: skip

    found = compared(life("one", 1), life("two", 2))

    assert [one.follows for one in found.differences] == [False, True]


def test_a_minor_difference_has_no_consequences():
    one = [denied("a", "x", {}, by="no"), *NOTE]
    other = [denied("a", "x", {}, by="never"), *call("note", "ticket.note", {"text": "b"}, "done")]

    assert not any(each.follows for each in compared(one, other).differences)


# Details


def test_what_full_detail_adds_is_minor():
    more: list[Said] = [("policy.evaluated", "read", {"action_id": "ticket.read", "outcome": "no"})]

    assert own(compared(READ, [*more, *READ])) == [
        ("minor", "inserted", "new: policy.evaluated ticket.read")
    ]
    assert own(compared([*more, *READ], READ))[0][0] == "minor"
    lone: list[Said] = [("context.injected", "own<r", {"block_id": "b"})]
    assert compared(lone, []).compatibility == "minor"
    changed: list[Said] = [
        ("policy.evaluated", "read", {"action_id": "ticket.read", "outcome": "x"})
    ]
    assert compared([*more, *READ], [*changed, *READ]).compatibility == "minor"


def test_events_without_a_payload_are_compared_by_what_they_are():
    one, other = (made(*READ, seed=seed) for seed in (0, 1))
    for trace in (one, other):
        trace.events[2]["payload"] = None

    assert compare(one, other).compatibility == "identical"
    assert compare(one, made(*READ, seed=1)).compatibility == "breaking"


def test_an_answer_given_again_is_as_good_as_the_first():
    one = [asked("r"), answered("r"), asked("s"), answered("s")]
    kind, span, payload = one[3]
    other = [*one[:3], ("carp.resolution.cached", span, payload)]

    assert kind == "carp.resolution.completed"
    assert compared(one, other).compatibility == "identical"


def test_what_says_anything_is_compared_all_the_same():
    odd: list[Said] = [
        asked("r"),
        answered("r", allowed_actions=3, denied_actions=["x"], context_blocks=[1]),
        ("action.denied", "a", {"action_id": [1], "decision": "no"}),
        ("action.approved", "b", {"action_id": "x", "decision": []}),
    ]
    usual = [asked("r"), answered("r"), denied("a", "x", {}), *call("b", "x")]

    assert compared(odd, odd).compatibility == "identical"
    assert compared(odd, usual).compatibility == "breaking"
    assert compared(usual, odd).compatibility == "breaking"
    assert told(made(*odd))[1] == ("x",)


# In words


def test_a_trace_is_told_in_a_line_for_each_step():
    life: list[Said] = [
        asked("r", "read a ticket " + "x" * 200),
        answered("r"),
        *READ,
        denied("b", "ticket.note", {}),
        ("action.denied", OWN, {"action_id": "ticket.nope", "reason": "", "policy_id": None}),
        ("approval.requested", "c", {"action_id": "ticket.pay", "policy_id": "ask"}),
        ("approval.granted", OWN, {"action_id": "ticket.pay"}),
        ("approval.denied", OWN, {"action_id": "ticket.pay"}),
        ended(),
    ]
    steps, called = told(made(*life))

    assert steps[0].startswith("resolve: read a ticket xxx")
    assert len(steps[0]) == len("resolve: ") + 120
    assert steps[1:] == (
        "ticket.read: allowed by yes",
        "ticket.note: denied by no",
        "ticket.nope: denied by no rule: no such call",
        "ticket.pay: to be approved, by ask",
        "ticket.pay: granted by a person",
        "ticket.pay: refused by a person",
    )
    assert called == ("ticket.nope", "ticket.note", "ticket.pay", "ticket.read")


def test_a_step_whose_payload_is_redacted_is_still_a_step():
    trace = made(asked("r"), *READ)
    for event in trace.events:
        event["payload"] = None

    assert told(trace) == (
        ("carp.request.received, which is redacted", "action.approved, which is redacted"),
        (),
    )


# Events that are held against each other


def beside(one: Sequence[Said], other: Sequence[Said]) -> list[tuple[int | None, int | None]]:
    return [*paired(made(*one), made(*other, seed=1))]


def test_what_one_trace_has_alone_stands_in_its_place_beside_nothing():
    life = [*READ, *NOTE, ended()]

    assert beside(life, life) == [(at, at) for at in range(6)]
    assert beside(life, [*READ, ended()]) == [
        (0, 0), (1, 1), (2, 2), (3, None), (4, None), (5, 3)
    ]  # fmt: skip
    assert beside([*READ, ended()], life) == [
        (0, 0), (1, 1), (2, 2), (None, 3), (None, 4), (3, 5)
    ]  # fmt: skip


def test_a_decision_stands_beside_the_one_that_it_became():
    flipped = [*READ, denied("note", "ticket.note", {"text": "a"}), ended()]

    assert beside([*READ, *NOTE, ended()], flipped) == [
        (0, 0), (1, 1), (2, 2), (3, 3), (4, None), (5, 4)
    ]  # fmt: skip


def test_a_call_that_was_asked_for_first_stands_beside_what_it_is_without():
    pay = ("pay", "ticket.pay", {"sum": 3})
    waited = ("approval.requested", "pay", {"action_id": "ticket.pay", "policy_id": "ask"})

    assert beside([waited, approved(*pay)], [approved(*pay)]) == [(0, 0), (1, 1), (2, None)]


def test_what_is_no_behaviour_stands_beside_nothing():
    noted = ("project.changed", OWN, {"what": "a file"})

    assert beside([noted, *READ], [*READ, noted]) == [
        (0, 0), (1, None), (2, 1), (3, 2), (None, 3)
    ]  # fmt: skip


@given(st.permutations("aAbBcC"), st.permutations("aAbBdD"))
def test_every_event_stands_in_one_place_in_the_order_of_the_golden(one, other):
    golden, found = (interleaved(*_begun_first(each)) for each in (one, other))

    pairs = beside(golden, found)

    assert [at for at, _ in pairs if at is not None] == [*range(len(golden) + 1)]
    assert sorted(at for _, at in pairs if at is not None) == [*range(len(found) + 1)]


# Of real sessions


def life_of(*rules: dict[str, Any]) -> tuple[Project, Path]:
    project = Project.temporary([DESK], [*rules])
    session = begun(project)
    session.execute("ticket.read", {"id": 4})
    session.execute("ticket.note", {"file": "/dev/null"})
    session.execute("ticket.fail", {"why": "x"})
    session.end()
    return project, trace_file(session)


def test_two_sessions_with_the_same_behaviour_are_identical():
    one, other = (life_of(ALLOW) for _ in range(2))
    with one[0], other[0], Trace(one[1]) as first, Trace(other[1]) as second:
        for order in ORDERS:
            assert compare(first, second, order=order).compatibility == "identical"


def test_two_sessions_differ_by_their_rules():
    one = life_of(ALLOW)
    other = life_of(ALLOW, rule("no-notes", "deny", "ticket.note"))
    with one[0], other[0], Trace(one[1]) as first, Trace(other[1]) as second:
        found = compare(first, second)

    assert [reason.partition(" (")[0] for _, _, reason in own(found)] == [
        "the decision flipped: allowed, now denied by no-notes: a rule denies it"
    ]


def test_two_runs_of_the_same_threads_are_alike():
    def life(project: Project) -> Path:
        session = begun(project)

        def work(worker: int) -> None:
            for at in range(4):
                session.execute("ticket.sort", {"items": [worker, at]})

        threads = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        return trace_file(session)

    with (
        Project.temporary([DESK], [ALLOW]) as project,
        Trace(life(project)) as one,
        Trace(life(project)) as other,
    ):
        found = compare(one, other, order="unordered")

    assert found.compatibility in ("identical", "semantically_equivalent")
