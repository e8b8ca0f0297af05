"""Which fields of an event may differ, and how far; and where two values do."""

from __future__ import annotations

from copy import deepcopy
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cra.replay.compare import Comparison, compare
from cra.replay.rule import FieldRule, path_of, places
from cra.replay.value import ValueChange, changes, is_lesser, text_of
from tests.made import OWN, Said, approved, call, denied, ended, executed, id_of, made

# A whole trace is a large example.
FEWER = settings(max_examples=settings().max_examples // 3)
NAME = st.sampled_from("abcd")
TEXT = st.text(max_size=3).filter(lambda text: not text.startswith("@"))
FRACTION = st.floats(0, 1).filter(lambda number: not number.is_integer())
LEAF = st.none() | st.booleans() | st.integers(-3, 3) | TEXT | FRACTION
VALUE = st.recursive(
    LEAF,
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(NAME, inner, max_size=3),
    max_leaves=8,
)
OBJECT = st.dictionaries(NAME, VALUE, max_size=3)


def results(*found: Any, rules: list[FieldRule], more: tuple[Said, ...] = ()) -> Comparison:
    """Two traces of one action, each with a result."""
    one, other = (
        made(*call("a", "ticket.read", {"id": 1}, result), *more, seed=seed)
        for seed, result in enumerate(found)
    )
    return compare(one, other, rules)


def rule(field: str, kind: Any, **more: Any) -> FieldRule:
    found = FieldRule(field, kind, **more)
    assert found.problem() is None
    return found


def said(compared: Comparison) -> list[tuple[str, str]]:
    return [(one.path.partition("/payload.")[2], one.reason) for one in compared.differences]


# Paths


EVENT = {
    "timestamp": "now",
    "span_id": "s",
    "payload": {
        "span_id": "t",
        "result": {"items": [{"id": 1}, {"id": 2, "more": {"span_id": "u"}}, 3], "id": 4},
    },
}


def leads_to(field: str) -> list[Any]:
    return [within[key] for within, key in places(EVENT, path_of(field))]


@pytest.mark.parametrize(
    ("field", "found"),
    [
        ("payload.result.id", [4]),
        ("payload.result.items[*].id", [1, 2]),
        ("payload.result.items[1].id", [2]),
        ("payload.result.items[2]", [3]),
        ("payload.result.items[3]", []),
        ("payload.result.items[0].id.more", []),
        ("payload.*.id", [4]),
        ("payload.result.*.id", []),
        ("*.span_id", ["s", "t", "u"]),
        ("*.items[*].id", [1, 2]),
        ("time", ["now"]),
        ("payload.time", []),
        ("*", ["now", "s", EVENT["payload"]]),
        ("nothing.at.all", []),
        ("payload[0]", []),
    ],
)
def test_a_path_leads_to_every_value_that_it_names(field, found):
    assert leads_to(field) == found


def test_whatever_a_path_leads_to_may_be_taken_away_on_the_way():
    event = deepcopy(EVENT)
    for within, key in places(event, path_of("*.span_id")):
        del within[key]

    assert "span_id" not in str(event)


# Rules that are none


@pytest.mark.parametrize(
    ("document", "expected"),
    [
        ({"rule": "tolerance"}, "a tolerance"),
        ({"rule": "pattern"}, "a pattern"),
        ({"rule": "ignore", "tolerance": 1}, "tolerance in a rule of that name alone"),
        ({"rule": "set", "pattern": "x"}, "pattern in a rule of that name alone"),
        ({"rule": "tolerance", "tolerance": -1}, "a tolerance from 0 on"),
        ({"rule": "tolerance", "tolerance": True}, "a tolerance from 0 on"),
        ({"rule": "tolerance", "tolerance": "1"}, "a tolerance from 0 on"),
        ({"rule": "pattern", "pattern": "("}, "a pattern of RE2"),
        ({"rule": "pattern", "pattern": "(?=a)"}, "a pattern of RE2"),
        ({"rule": "pattern", "pattern": "x" * 1_001}, "a pattern of at most 1000 characters"),
    ],
)
def test_a_rule_without_what_it_needs_says_so(document, expected):
    problem = FieldRule("payload.result", **document).problem()

    assert problem is not None
    assert problem[0] == expected


# What a rule lets pass, and what not


def test_what_is_ignored_may_be_anything_or_not_be_there():
    rules = [rule("payload.result.id", "ignore")]

    assert results({"id": 1}, {"id": [2]}, rules=rules).compatibility == "identical"
    assert results({"id": 1}, {}, rules=rules).compatibility == "identical"
    assert results({"id": 1, "a": 1}, {"id": 1, "a": 2}, rules=rules).compatibility == "breaking"


def test_how_many_ignored_items_there_are_still_counts():
    rules = [rule("payload.result[*]", "ignore")]

    assert results([1, 2], ["x", None], rules=rules).compatibility == "identical"
    assert results([1, 2], [1], rules=rules).compatibility == "breaking"


@pytest.mark.parametrize("field", ["event_type", "payload", "parent_span_id", "span_id"])
def test_no_rule_takes_away_what_an_event_is(field):
    rules = [rule(field, "ignore")]
    one, other = made(*call("a", "x")), made(denied("a", "x", {}), seed=1)

    assert compare(one, made(*call("a", "x"), seed=1), rules).compatibility == "identical"
    assert compare(one, other, rules).compatibility == "breaking"


@pytest.mark.parametrize(
    ("before", "after", "compatibility"),
    [
        ("a", "b", "identical"),
        (1, 2, "identical"),
        (1.5, 2.5, "identical"),
        (id_of("x"), id_of("y"), "identical"),
        ("2026-01-05T00:00:00.000000Z", "2027-01-05T00:00:00.000000Z", "identical"),
        ("0" * 64, "1" * 64, "identical"),
        ([1], [2, 3], "identical"),
        ({"a": 1}, {}, "identical"),
        (True, True, "identical"),
        ("a", 1, "breaking"),
        (1, 1.5, "breaking"),
        (id_of("x"), "x", "breaking"),
        ("2026-01-05T00:00:00.000000Z", "2026-01-05", "breaking"),
        ("0" * 64, "0" * 63, "breaking"),
        (True, False, "breaking"),
        (None, "a", "breaking"),
        ([1], {"a": 1}, "breaking"),
    ],
)
def test_what_is_normalized_keeps_its_shape(before, after, compatibility):
    found = results({"x": before}, {"x": after}, rules=[rule("payload.result.x", "normalize")])

    assert found.compatibility == compatibility


def test_what_is_normalized_has_to_be_there():
    assert results({"x": 1}, {}, rules=[rule("payload.result.x", "normalize")]).compatibility == (
        "breaking"
    )


def test_equal_ids_stay_equal_wherever_they_stand():
    rules = [rule("payload.result[*]", "normalize")]

    assert results(["a", "b", "a"], ["x", "y", "x"], rules=rules).compatibility == "identical"
    changed = results(["a", "b", "a"], ["x", "y", "y"], rules=rules)
    assert changed.compatibility == "breaking"
    [[path, reason]] = said(changed)
    assert path == "result[*]"
    assert reason == "it refers to another: result#1, now result#2"


def test_an_id_that_is_new_is_called_so():
    rules = [rule("payload.result[*]", "normalize")]
    [[_, reason]] = said(results(["a", "a"], ["x", "y"], rules=rules))

    assert reason == "it refers to another: result#1, now +result#2"


def test_an_id_without_a_name_is_called_a_value():
    rules = [rule("*[0][*]", "normalize")]
    compared = results([["a", "a"]], [["x", "y"]], rules=rules)

    assert compared.compatibility == "breaking"


@pytest.mark.parametrize(
    ("after", "compatibility"),
    [(1.5, "semantically_equivalent"), (0.5, "semantically_equivalent"), (1, "identical"),
     (1.51, "breaking"),
     (0.49, "breaking"), ("1", "breaking"), (True, "breaking"), (None, "breaking")],
)  # fmt: skip
def test_a_number_may_be_as_far_off_as_its_tolerance(after, compatibility):
    rules = [rule("payload.result.x", "tolerance", tolerance=0.5)]

    assert results({"x": 1}, {"x": after}, rules=rules).compatibility == compatibility
    assert results({"x": after}, {"x": 1}, rules=rules).compatibility == compatibility


def test_a_number_within_its_tolerance_is_equivalent_beside_another_order():
    rules = [rule("payload.result", "tolerance", tolerance=1)]
    one = made(approved("a", "x", {}), approved("b", "y", {}), executed("a", "x", 1),
               executed("b", "y", 2))  # fmt: skip
    other = made(approved("a", "x", {}), approved("b", "y", {}), executed("b", "y", 2.5),
                 executed("a", "x", 1), seed=1)  # fmt: skip

    assert compare(one, other, rules).compatibility == "semantically_equivalent"


def test_a_number_within_its_tolerance_is_no_difference_beside_one():
    rules = [rule("payload.result.x", "tolerance", tolerance=1)]
    [one] = results({"x": 1, "y": 1}, {"x": 2, "y": 2}, rules=rules).differences

    assert one.path == "span#2/action.executed/payload.result.y"


def test_beyond_its_tolerance_both_numbers_are_told():
    rules = [rule("payload.result.x", "tolerance", tolerance=0.5)]
    [one] = results({"x": 1}, {"x": 3}, rules=rules).differences

    assert (one.before, one.after, one.reason) == (1, 3, "beyond its tolerance of 0.5")
    assert one.path == "span#2/action.executed/payload.result.x"


@pytest.mark.parametrize(
    ("before", "after", "compatibility"),
    [("r-1", "r-2", "identical"), ("r-1", "r-", "breaking"), ("r-1", "r-1x", "breaking"),
     ("r-1", 1, "breaking"), (1, 1, "identical"), ("x", "x", "identical")],
)  # fmt: skip
def test_a_text_has_to_match_its_pattern_as_a_whole(before, after, compatibility):
    rules = [rule("payload.result.x", "pattern", pattern="r-[0-9]+")]

    assert results({"x": before}, {"x": after}, rules=rules).compatibility == compatibility


def test_a_set_has_no_order_and_yet_a_count():
    rules = [rule("payload.result", "set")]

    assert results([1, "a", {"b": 2}], [{"b": 2}, 1, "a"], rules=rules).compatibility == "identical"
    assert results([1, 1, 2], [1, 2, 2], rules=rules).compatibility == "breaking"
    assert results({"a": 1}, {"a": 1}, rules=rules).compatibility == "identical"


def test_ids_within_a_set_have_no_first_appearance():
    rules = [rule("payload.result[*].id", "normalize"), rule("payload.result", "set")]
    one = [{"id": "a", "n": 1}, {"id": "b", "n": 2}]
    other = [{"id": "y", "n": 2}, {"id": "x", "n": 1}]

    assert results(one, other, rules=rules).compatibility == "identical"


def test_time_and_span_ids_may_be_named_though_they_always_may_differ():
    rules = [rule("time", "ignore"), rule("*.span_id", "normalize"), rule("severity", "ignore")]

    assert results(1, 1, rules=rules).compatibility == "identical"
    assert results(1, 1, rules=rules).idle_rules == ()


def test_a_rule_about_nothing_is_named_and_changes_nothing():
    rules = [rule("payload.resutl.id", "ignore"), rule("payload.result.id", "ignore")]
    compared = results({"id": 1}, {"id": 2}, rules=rules)

    assert compared.idle_rules == ("payload.resutl.id",)
    assert compared.compatibility == "identical"


def test_a_rule_that_is_about_one_of_the_two_is_not_idle():
    rules = [rule("payload.result.id", "ignore")]

    assert results({}, {"id": 2}, rules=rules).idle_rules == ()


# What is generated needs no rule, and its shape counts


def test_ids_times_hashes_and_durations_need_no_rule():
    life = (*call("a", "x"), denied("b", "y", {}), ended(events=4))

    assert compare(made(*life), made(*life, seed=9)).compatibility == "identical"


@pytest.mark.parametrize(
    ("member", "value"),
    [("arguments_digest", "short"), ("duration_us", -1), ("duration_us", "5"),
     ("duration_us", True), ("execution_id", None), ("expires_at", "tomorrow")],
)  # fmt: skip
def test_a_generated_value_of_another_shape_shows(member, value):
    one, other = (made(approved("a", "x", {}), executed("a", "x", 1), seed=at) for at in (0, 1))
    for trace, given_value in ((one, None), (other, value)):
        payload = trace.events[-1]["payload"]
        payload["expires_at"] = "2026-01-05T00:00:00.000000Z"
        payload["arguments_digest"] = "0" * 64
        if trace is other:
            payload[member] = given_value

    compared = compare(one, other)

    assert compared.compatibility == "breaking"
    assert f"payload.{member}" in compared.differences[0].path


def test_a_reason_names_ids_and_times_in_passing():
    texts = [f"it expired at {time}, as {id_of('x', seed)} says" for seed, time in (
        (0, "2026-01-05T00:00:00.000000Z"), (1, "2027-01-05T00:00:00.000000Z"))]  # fmt: skip
    one, other = (
        made(("action.denied", "a", {"action_id": "x", "reason": text, "policy_id": "p"}))
        for text in texts
    )

    assert compare(one, other).compatibility == "identical"


def test_a_reason_that_is_no_text_stays_as_it_is():
    one, other = (
        made(("action.denied", "a", {"action_id": "x", "reason": said, "policy_id": "p"}))
        for said in (None, "r")
    )

    assert compare(one, other).compatibility == "minor"


# Where two values differ


def test_a_change_is_found_at_the_place_where_it_is():
    before = {"a": [1, {"b": 2, "c": [3]}], "d": 4}
    after = {"a": [1, {"b": 5, "c": []}], "e": 4}

    assert [(text_of(one.path), one.type) for one in changes(before, after)] == [
        ("a[1].b", "changed"),
        ("a[1].c[0]", "removed"),
        ("d", "removed"),
        ("e", "inserted"),
    ]


def test_one_item_more_makes_no_others_of_those_that_follow():
    assert [(text_of(one.path), one.type) for one in changes([1, 2, 3], [1, 9, 2, 3])] == [
        ("[1]", "inserted")
    ]


def test_true_is_not_one():
    assert list(changes({"a": 1}, {"a": True})) == [ValueChange(("a",), "changed", 1, True)]
    assert list(changes([True], [1])) != []
    assert list(changes([{"a": [1, 2]}], [{"a": [True, 2]}])) != []
    assert results([1], [True], rules=[]).compatibility == "breaking"


@given(VALUE)
def test_a_value_does_not_differ_from_itself(value):
    assert list(changes(value, deepcopy(value))) == []


@given(VALUE, VALUE)
def test_two_values_differ_both_ways_or_not_at_all(one, other):
    there, back = list(changes(one, other)), list(changes(other, one))

    assert bool(there) is bool(back)
    kinds = {"inserted": "removed", "removed": "inserted"}
    assert [(c.path, kinds.get(c.type, c.type), c.after, c.before) for c in there] == [
        tuple(c) for c in back
    ]


@given(OBJECT)
def test_values_of_an_event_count_in_full_however_they_are_called(value):
    arguments = {"reason": value, "name": value}
    for change in changes({"payload": {"arguments": {}}}, {"payload": {"arguments": arguments}}):
        assert not is_lesser(change)


# Properties of whole traces


@st.composite
def lives(draw: st.DrawFn) -> list[Said]:
    """The life of a session: calls one after the other or interleaved, allowed and denied."""
    waiting: list[Said] = []
    life: list[Said] = []
    for at in range(draw(st.integers(0, 5))):
        arguments, result = draw(OBJECT), draw(VALUE)
        action_id = draw(st.sampled_from(["x", "y"]))
        if draw(st.booleans()):
            life.append(denied(f"span {at}", action_id, arguments))
            continue
        begins, ends = call(f"span {at}", action_id, arguments, result)
        life.append(begins)
        if draw(st.booleans()):
            life.append(ends)
        else:
            waiting.append(ends)
    return [*life, *draw(st.permutations(waiting))]


@FEWER
@given(lives())
def test_a_trace_is_identical_to_itself_with_fresh_ids(life):
    compared = compare(made(*life), made(*life, seed=1))

    assert (compared.compatibility, compared.differences) == ("identical", ())


@FEWER
@given(lives(), lives())
def test_two_traces_are_as_compatible_one_way_as_the_other(one, other):
    first, second = made(*one), made(*other, seed=1)
    for order in ("partial", "strict", "unordered"):
        there, back = compare(first, second, (), order), compare(second, first, (), order)
        assert there.compatibility == back.compatibility


@FEWER
@given(lives(), st.data())
def test_any_leaf_of_arguments_or_a_result_that_changes_is_breaking(life, data):
    first, second = made(*life), made(*life, seed=1)
    slots = [
        (within, key)
        for event in second.events
        for member in ("arguments", "result")
        if member in event["payload"]
        for within, key in _leaves(event["payload"], member)
    ]
    if not slots:
        return
    within, key = data.draw(st.sampled_from(slots))
    value = within[key]
    within[key] = data.draw(LEAF.filter(lambda other: repr(other) != repr(value)))
    for order in ("partial", "strict", "unordered"):
        assert compare(first, second, (), order).compatibility == "breaking"


def _leaves(within: Any, key: Any) -> list[tuple[Any, Any]]:
    value = within[key]
    if isinstance(value, dict) and value:
        return [leaf for member in value for leaf in _leaves(value, member)]
    if isinstance(value, list) and value:
        return [leaf for at in range(len(value)) for leaf in _leaves(value, at)]
    return [(within, key)]


def test_events_of_the_machine_are_no_behaviour():
    life = call("a", "x")
    recovered: Said = ("ledger.recovered", OWN, {"reason": "torn"})

    assert compare(made(*life), made(recovered, *life, seed=1)).compatibility == "identical"
