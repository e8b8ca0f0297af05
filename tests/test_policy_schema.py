"""JSON Schema as cra reads it: nothing is passed over or fetched, and nothing takes forever."""

from __future__ import annotations

import re
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cra.errors import ValueRefused
from cra.policy import vocabulary
from cra.policy.schema import MAX_BYTES, compile_schema, flaws_of, shape_of

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
DRAFT_2019 = "https://json-schema.org/draft/2019-09/schema"


def doubled(levels: int) -> dict[str, Any]:
    """A small schema that refers to 2^levels others."""
    twice = {
        f"d{level}": {"allOf": [{"$ref": f"#/$defs/d{level + 1}"}] * 2} for level in range(levels)
    }
    return {"$ref": "#/$defs/d0", "$defs": {**twice, f"d{levels}": {"type": "integer"}}}


def nested(levels: int) -> dict[str, Any]:
    schema: dict[str, Any] = {"type": "integer"}
    for _ in range(levels):
        schema = {"items": schema}
    return schema


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        ({"maximun": 3}, "maximun: expected a known keyword, .*nearest: maximum"),
        ({"properties": {"a": {"typ": "string"}}}, "properties.a.typ: .*nearest: type"),
        ({"$anchor": "a"}, "unknown"),
        ({"properties": {"a": {"$schema": DRAFT_7}}}, "properties.a.\\$schema: expected a known"),
        ({"type": "intger"}, "type: expected what JSON Schema allows"),
        ({"type": 5}, "type: expected what JSON Schema allows"),
        ({"required": "a"}, "required: expected what JSON Schema allows"),
        ({"properties": 5}, "properties: expected what JSON Schema allows"),
        ({"items": [{"type": "string"}]}, "items: expected what JSON Schema allows"),
        ({"properties": {"a": 5}}, "properties.a: expected a schema"),
        ({"allOf": [{}, 5]}, r"allOf\[1\]: expected a schema"),
        (5, "it: expected a schema: an object, true or false, found 5"),
        (None, "found null"),
        ({"maximum": float("nan")}, "canonical JSON can hold, found nan"),
        ({"const": 2**60}, "canonical JSON can hold"),
        ({"format": "emial"}, "format: .*Unknown format"),
        ({"pattern": "(?=a)"}, "pattern: expected a regex without lookaround"),
        ({"pattern": r"(a)\1"}, "pattern: expected a regex without lookaround"),
        ({"pattern": "(a{999}){999}"}, "pattern: expected a regex without lookaround"),
        ({"patternProperties": {"(": {}}}, "regex without lookaround"),
        ({"$ref": "http://127.0.0.1:1/x"}, "reference inside the document"),
        ({"$ref": "file:///etc/passwd"}, "reference inside the document"),
        ({"$ref": "other.json#/a"}, "reference inside the document"),
        ({"$ref": "https://json-schema.org/draft/2020-12/schema"}, "reference inside the document"),
        ({"$id": "http://a/b", "$ref": "http://a/b#/$defs/c"}, "reference inside the document"),
        ({"$ref": "#name"}, "reference inside the document"),
        ({"$ref": 5}, "reference inside the document"),
        ({"$ref": "#/$defs/a%62", "$defs": {"a%62": {}}}, "reference inside the document"),
        ({"$ref": "#/$defs/a"}, "reference to something in the document"),
        ({"$ref": "#/allOf/3", "allOf": [{}]}, "reference to something in the document"),
        ({"$ref": "#/title/x", "title": "t"}, "reference to something in the document"),
        ({"$ref": "#"}, "does not lead back to itself"),
        ({"properties": {"a": {"$ref": "#/properties"}}}, "expected"),
        ({"properties": {"a": {"items": {"$ref": "#/properties/a"}}}}, "back to itself"),
        (
            {
                "$ref": "#/$defs/a",
                "$defs": {"a": {"$ref": "#/$defs/b"}, "b": {"$ref": "#/$defs/a"}},
            },
            "back to itself",
        ),
        (doubled(40), "at most 10000 subschemas"),
        (nested(80), "64 levels"),
        ({"enum": ["x" * MAX_BYTES]}, "at most 65536 bytes"),
        ({"$schema": "http://example.org/mine"}, r"\$schema: expected one of"),
        ({"$schema": 7}, r"\$schema: expected one of"),
        ({"$schema": DRAFT_7, "prefixItems": [{}]}, "prefixItems: expected a known keyword"),
        ({"$schema": DRAFT_2019, "prefixItems": [{}]}, "prefixItems: expected a known keyword"),
        ({"dependencies": {"a": ["b"]}}, "dependencies: expected a known keyword"),
        (
            {"$schema": DRAFT_7, "$ref": "#/definitions/a", "maximum": 3, "definitions": {"a": {}}},
            "maximum: expected nothing beside \\$ref",
        ),
    ],
)
def test_a_schema_that_means_less_than_it_says_is_refused(schema, message):
    flaws = flaws_of(schema)

    assert re.search(message, str(flaws[0]))
    with pytest.raises(ValueRefused):
        compile_schema(schema).accepts({})


@pytest.mark.parametrize(
    ("schema", "good", "bad"),
    [
        (True, 1, None),
        ({"type": "integer"}, 2**53 - 1, True),
        ({"type": "number"}, 1.5, "1,000,000"),
        ({"type": "number"}, -3, False),
        ({"maximum": 3, "type": "integer"}, 3, 4),
        ({"pattern": "^a$"}, "a", "a\n"),
        ({"pattern": "^(a+)+$"}, "aaa", "a" * 50_000 + "b"),
        ({"format": "date"}, "2026-01-05", "2026-13-05"),
        ({"$ref": "#/$defs/a", "$defs": {"a": {"type": "string"}}}, "x", 1),
        ({"$ref": "#/$defs/a~1b", "$defs": {"a/b": {"type": "string"}}}, "x", 1),
        ({"$ref": "#/allOf/0", "allOf": [{"type": "string"}]}, "x", 1),
        (doubled(5), 1, "x"),
        ({"$id": "https://example.org/a", "type": "string"}, "x", 1),
        ({"x-group": 3, "$comment": "c", "title": "t", "type": "string"}, "x", 1),
        ({"$schema": DRAFT_7, "type": "array", "items": [{"type": "string"}]}, ["x"], [1]),
        (
            {"$schema": DRAFT_7, "dependencies": {"a": ["b"], "c": {"required": ["d"]}}},
            {"a": 1, "b": 1},
            {"c": 1},
        ),
        ({"$schema": DRAFT_7, "$ref": "#/definitions/a", "definitions": {"a": False}}, None, 1),
    ],
)
def test_a_value_is_accepted_by_type_and_never_by_likeness(schema, good, bad):
    compiled = compile_schema(schema)

    assert good is None or compiled.accepts(good)
    assert bad is None or not compiled.accepts(bad)
    assert compiled.flaws(bad) or bad is None


@pytest.mark.parametrize("value", [float("nan"), float("inf"), 2**60, b"x", {1: 2}, "\ud800"])
def test_what_is_no_json_meets_no_schema(value):
    schema = compile_schema({})

    with pytest.raises(ValueRefused):
        schema.accepts({"a": [value]})
    assert len(schema.flaws({"a": [value]})) == 1


@pytest.mark.parametrize(
    ("schema", "value", "message"),
    [
        (
            {"properties": {"a": {"type": "integer"}}},
            {"a": "1,000"},
            'a: expected integer, found "1',
        ),
        ({"required": ["q"]}, {}, "q: expected a value, found none"),
        (
            {"properties": {"a": {"required": ["b"]}}},
            {"a": {}},
            "a.b: expected a value, found none",
        ),
        (
            {"properties": {"name": {}}, "additionalProperties": False},
            {"nme": 1},
            "^nme: expected a known key, found an unknown one; nearest: name$",
        ),
        (
            {"items": {"$ref": "#/$defs/a~1b"},
             "$defs": {"a/b": {"properties": {"x": {}}, "unevaluatedProperties": False}}},
            [{"q": 1}],
            r"^\[0\].q: expected a known key, found an unknown one$",
        ),
        ({"additionalProperties": False}, {"q": 1}, "^q: expected a known key"),
        (
            {"properties": {"additionalProperties": False}},
            {"additionalProperties": {"a": 1}},
            "^additionalProperties: expected nothing, found an object$",
        ),
        ({"properties": {"additionalProperties": False}}, {"additionalProperties": 1},
         "^additionalProperties: expected nothing, found 1$"),
        (False, 1, "^it: expected nothing, found 1$"),
        ({"items": {"enum": ["x", 3]}}, [3, "y"], r'\[1\]: expected one of "x", 3, found "y"'),
        ({"const": "x"}, "y", 'it: expected "x", found "y"'),
        ({"minimum": 2}, 1, "expected at least 2, found 1"),
        ({"maximum": 100}, 100.5, "expected at most 100, found 100.5"),
        ({"exclusiveMinimum": 2}, 2, "expected more than 2, found 2"),
        ({"exclusiveMaximum": 2}, 2, "expected less than 2, found 2"),
        ({"multipleOf": 2}, 3, "expected a multiple of 2, found 3"),
        ({"minLength": 1}, "", 'expected a text of at least 1 character, found ""'),
        ({"maxLength": 2}, "abc", 'expected a text of at most 2 characters, found "abc"'),
        ({"pattern": "^a"}, "b", 'expected a text that fits \\^a, found "b"'),
        ({"format": "date"}, "b", 'expected a text of the format date, found "b"'),
        ({"minItems": 1}, [], "expected at least 1 item, found a list"),
        ({"maxItems": 0}, [1], "expected at most 0 items, found a list"),
        ({"uniqueItems": True}, [1, 1], "expected items that are all different, found a list"),
        ({"contains": {"type": "string"}}, [1], "as many items of a kind as a schema asks for"),
        ({"minProperties": 2}, {"a": 1}, "expected at least 2 members, found an object"),
        ({"maxProperties": 1}, {"a": 1, "b": 2}, "expected at most 1 member, found an object"),
        ({"items": [{}], "additionalItems": False, "$schema": DRAFT_7}, [1, 2],
         "expected additionalItems 1, found a list"),
        ({"properties": {"a": False}}, {"a": 1}, "a: expected nothing, found 1"),
        ({"anyOf": [{"type": "string"}]}, 1, "one of several schemas accepts, found 1"),
        ({"not": {"type": "integer"}}, 1, "that a schema refuses, found 1"),
        ({"propertyNames": {"maxLength": 1}}, {"ab": 1}, "other names of members"),
        ({"oneOf": [{}, {}]}, 1, "exactly one of several"),
    ],
)  # fmt: skip
def test_a_refused_value_is_told_where_what_was_expected_and_found(schema, value, message):
    assert re.search(message, str(compile_schema(schema).flaws(value)[0]))


def test_each_member_that_is_too_many_is_told_once():
    for schema in ({"additionalProperties": False}, {"unevaluatedProperties": False}):
        found = compile_schema(schema).flaws({"a": 1, "b": 2})

        assert [flaw.path for flaw in found] == [("a",), ("b",)]


@pytest.mark.parametrize(
    ("schema", "good"),
    [
        ({"properties": {"a": {"type": "number", "maximum": 3}}, "required": ["a"]}, True),
        ({"properties": {"a": {"type": ["integer", "null"], "maximum": 3}}}, True),
        ({"properties": {"a": {"enum": [1, 2]}, "b": {"const": "x"}}}, True),
        ({"properties": {"a": {"maximum": 3}}}, False),
        ({"properties": {"a": {"type": ["integer", "string"], "maximum": 3}}}, False),
        ({"properties": {"a": {"type": "null", "maximum": 3}}}, False),
        ({"properties": {"a": {"type": 5, "maximum": 3}}}, False),
        ({"properties": {"a": {"type": "number", "pattern": "a"}}}, False),
        ({"properties": {"a": {"properties": {"b": {"const": 1}}}}}, False),
        ({"anyOf": [{"required": ["a"]}]}, False),
        ({"maximum": 3}, False),
    ],
)
def test_a_condition_states_the_type_that_it_is_about(schema, good):
    assert (flaws_of(schema, typed=True) == ()) is good


def test_the_shape_of_a_schema_is_what_it_says_of_types():
    schema = {
        "properties": {"a": {"type": "number", "maximum": 3}, "b": {"items": {"type": "string"}}},
        "required": ["a"],
        "patternProperties": {"x": True},
    }

    assert shape_of(schema) == {
        "properties": {"a": {"type": "number"}, "b": {"items": {"type": "string"}}}
    }
    assert shape_of(True) == {}


def test_one_schema_is_compiled_once_however_its_members_are_ordered():
    first = compile_schema({"type": "string", "minLength": 2})

    assert compile_schema({"minLength": 2, "type": "string"}) is first


JSON = st.recursive(
    st.none() | st.booleans() | st.integers(-9, 9) | st.sampled_from(["type", "#", "#/a", "x"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(
                ["type", "$ref", "properties", "items", "allOf", "a", "required", "$defs"]
            ),
            inner,
            max_size=4,
        )
    ),
    max_leaves=12,
)


@given(JSON, st.booleans(), JSON)
def test_any_schema_is_refused_in_words_or_can_be_asked(schema, typed, value):
    if flaws_of(schema, typed=typed):
        return
    compiled = compile_schema(schema)

    assert compiled.accepts(value) is (compiled.flaws(value) == ())


def test_the_words_for_a_place_name_members_and_items():
    assert vocabulary.words_of(("items", 0, "name")) == "items[0].name"
    assert vocabulary.words_of(()) == ""
