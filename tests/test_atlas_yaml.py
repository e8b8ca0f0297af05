"""YAML that says the same as JSON, and nothing else of YAML; the caps that both keep."""

from __future__ import annotations

import json
from typing import Any

import pytest
import yaml
from hypothesis import given
from hypothesis import strategies as st

from cra.config.text import MAX_BYTES, MAX_DEPTH, Node, line_and_column, parse, placed, plain
from cra.config.yaml_text import parse_yaml

Mistake = tuple[int, str, str, str]


def read(text: str, parser: Any = parse_yaml) -> tuple[Node | None, list[Mistake]]:
    mistakes: list[Mistake] = []
    node = parser(text, lambda *mistake: mistakes.append(mistake[:4]))
    return node, mistakes


def value_of(text: str) -> Any:
    node, mistakes = read(text)
    assert mistakes == []
    assert node is not None
    return plain(node)


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("no", "no"),
        ("NO", "NO"),
        ("on", "on"),
        ("yes", "yes"),
        ("y", "y"),
        ("2024-01-01", "2024-01-01"),
        ("2024-01-01T10:00:00Z", "2024-01-01T10:00:00Z"),
        ("1_000", "1_000"),
        ("12:30", "12:30"),
        ("190:20:30", "190:20:30"),
        ("0b101", "0b101"),
        ("1e", "1e"),
        ("tRuE", "tRuE"),
        ("true", True),
        ("True", True),
        ("FALSE", False),
        ("null", None),
        ("~", None),
        ("Null", None),
        ("12", 12),
        ("-12", -12),
        ("+12", 12),
        ("0777", 777),
        ("0o17", 15),
        ("0xFf", 255),
        ("1.5", 1.5),
        ("1.", 1.0),
        (".5", 0.5),
        ("1e3", 1000.0),
        ("-1.5E-3", -0.0015),
        ("'true'", "true"),
        ('"12"', "12"),
        ('""', ""),
        ("|\n  12\n", "12\n"),
        ("[a, 1, {b: no}]", ["a", 1, {"b": "no"}]),
        ("a:\nb: x", {"a": None, "b": "x"}),
        ("? a\n: 1", {"a": 1}),
        ("no: 1", {"no": 1}),
        ("'<<': 1", {"<<": 1}),
        ("---\na: 1\n...\n", {"a": 1}),
        ("# a note\na: 1 # another\n", {"a": 1}),
    ],
)
def test_a_plain_scalar_is_what_the_core_schema_says(text, value):
    assert value_of(text) == value
    assert type(value_of(text)) is type(value)


@pytest.mark.parametrize(
    ("text", "place", "expected", "found"),
    [
        ("a: &x 1\nb: 2", (1, 4), "no anchors", "&x"),
        ("a: 1\nb: *x", (2, 4), "a value", "an alias, *x"),
        ("a: !!str 1", (1, 4), "no tags", "tag:yaml.org,2002:str"),
        ("a: !x 1", (1, 4), "no tags", "!x"),
        ("!!python/object/apply:os.system [x]", (1, 1), "no tags", None),
        ("%YAML 1.1\n---\na: no", (1, 1), "no directives", "one"),
        ("%TAG ! tag:x,2000:\n---\na: 1", (1, 1), "no directives", "one"),
        ("a: 1\n---\nb: 2", (2, 1), "one document", "a second one"),
        ("a: 1\nb:\n  <<: {c: 1}", (3, 3), "no merge keys", "<<"),
        ("1: a", (1, 1), "a string as a key", "another value"),
        ("true: a", (1, 1), "a string as a key", None),
        ("~: a", (1, 1), "a string as a key", None),
        ("[a]: b", (1, 1), "a string as a key", None),
        ("{a: b}: c", (1, 1), "a string as a key", None),
        ("a: .inf", (1, 4), "a number that JSON has", ".inf"),
        ("a: -.Inf", (1, 4), "a number that JSON has", None),
        ("a: .nan", (1, 4), "a number that JSON has", ".nan"),
        ("a: 1e999", (1, 4), "a number that JSON has", "1e999"),
        ("a: " + "9" * 5000, (1, 4), "a number of ordinary size", None),
        ("", (1, 1), "a YAML document", "none"),
        ("a: [1", None, "YAML", None),
        ("a: b: c", None, "YAML", None),
        ("\ta: 1", None, "YAML", None),
        ("a: \x07", None, "YAML", None),
    ],
)
def test_what_json_has_not_is_refused_with_its_place(text, place, expected, found):
    node, ((offset, _, wanted, seen), *_) = read(text)

    assert node is None
    assert wanted == expected
    assert place is None or line_and_column(text, offset) == place
    assert found is None or seen == found


def test_all_mistakes_are_noted_at_once():
    _, mistakes = read("a: &x 1\nb: *x\nc: !!int 2\n3: d\n")

    assert [expected for _, _, expected, _ in mistakes] == [
        "no anchors",
        "a value",
        "no tags",
        "a string as a key",
    ]


def test_a_duplicate_key_is_a_mistake_even_where_the_first_one_denies():
    node, mistakes = read("rules:\n  effect: deny\n  effect: allow\n")

    assert node is not None
    assert [mistake[1:] for mistake in mistakes] == [
        ("rules.effect", "each key once", "it again"),
    ]


def test_an_alias_bomb_costs_nothing():
    lines = ["a0: &a0 [x, x]"]
    lines += [f"a{n}: &a{n} [{', '.join([f'*a{n - 1}'] * 9)}]" for n in range(1, 30)]
    node, mistakes = read("\n".join(lines))

    assert node is None
    assert len(mistakes) == 30 + 29 * 9


@pytest.mark.parametrize(
    ("text", "parser"),
    [
        ("[" * 100_000, parse_yaml),
        ("[" * 100_000 + "]" * 100_000, parse),
        ('{"a":' * 100_000 + "1" + "}" * 100_000, parse),
        ("{a: " * 10_000 + "1" + "}" * 10_000, parse_yaml),
        ("- " * 100_000 + "x", parse_yaml),
        ("? " * 100_000 + "x", parse_yaml),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), parse_yaml),
        ("[" * (MAX_DEPTH + 1) + "]" * (MAX_DEPTH + 1), parse),
    ],
)
def test_nesting_beyond_the_cap_is_a_mistake_and_not_a_crash(text, parser):
    node, mistakes = read(text, parser)

    assert node is None
    assert len(mistakes) == 1


@pytest.mark.parametrize("parser", [parse, parse_yaml])
def test_nesting_up_to_the_cap_is_read(parser):
    node, mistakes = read("[" * MAX_DEPTH + "]" * MAX_DEPTH, parser)

    assert (node is not None, mistakes) == (True, [])


@pytest.mark.parametrize("parser", [parse, parse_yaml])
@pytest.mark.parametrize("char", ["x", "é"])
def test_a_text_beyond_the_cap_is_not_read(parser, char):
    text = json.dumps(char * (MAX_BYTES // len(char.encode())), ensure_ascii=False)
    node, ((offset, _, expected, _),) = read(text, parser)

    assert (node, offset, expected) == (None, 0, f"at most {MAX_BYTES} bytes")


TEXT = st.text(st.characters(categories=("L", "N", "P", "S", "Zs")))
VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers()
    | st.floats(allow_nan=False, allow_infinity=False)
    | TEXT,
    lambda inner: st.lists(inner) | st.dictionaries(TEXT, inner),
    max_leaves=20,
)


@given(VALUES)
def test_json_read_as_yaml_says_the_same(value):
    assert value_of(json.dumps(value, ensure_ascii=False)) == value


@given(VALUES)
def test_nodes_of_a_value_say_the_value(value):
    assert plain(placed(value, 7)) == value


@given(st.text(alphabet="abn0123-+.:_ex#'\"[]{},&*!|>%@~ \n\t", max_size=40))
def test_what_both_parsers_of_the_library_read_means_one_thing(text):
    fast, _ = read(text)
    with pytest.MonkeyPatch.context() as patch:
        patch.delattr(yaml, "CSafeLoader")
        slow, _ = read(text)

    assert fast is None or slow is None or fast == slow
