"""Canonical JSON: RFC 8785, narrowed to values that every implementation keeps."""

from __future__ import annotations

import json
import math
import struct
from collections import OrderedDict

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from cra import canonical
from cra.errors import ValueRefused

REPRESENTABLE_INTEGER = st.integers(-canonical.MAX_INTEGER, canonical.MAX_INTEGER)
TEXT = st.text(st.characters(exclude_categories=["Cs"]))


def is_representable(number: float) -> bool:
    return not (canonical.MAX_INTEGER < abs(number) < 1e21) and str(number) != "-0.0"


FLOAT = st.floats(allow_nan=False, allow_infinity=False).filter(is_representable)
JSON = st.recursive(
    st.none() | st.booleans() | REPRESENTABLE_INTEGER | FLOAT | TEXT,
    lambda children: st.lists(children) | st.dictionaries(TEXT, children),
    max_leaves=20,
)
ANY_TEXT = st.text(st.characters())
OUTPUT = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | ANY_TEXT | st.binary(),
    lambda children: (
        st.lists(children)
        | st.dictionaries(ANY_TEXT | ANY_TEXT.map(lambda key: "$" + key), children)
    ),
    max_leaves=20,
)


@given(JSON)
def test_every_path_writes_what_rfc8785_writes(value):
    assert canonical.encode(value) == rfc8785.dumps(value)


@given(JSON)
def test_a_value_survives_encoding(value):
    assert canonical.decode(canonical.encode(value)) == value


@given(OUTPUT)
def test_any_output_survives_wrapping_and_its_bytes_are_canonical(value):
    stored = canonical.encode(canonical.wrap(value))

    assert repr(canonical.unwrap(canonical.decode(stored))) == repr(normalised(value))


def normalised(value):
    """What a round trip may change: whole floats come back as integers, and nothing else."""
    if isinstance(value, dict):
        names = sorted(value, key=lambda key: key.encode("utf-16-be", "surrogatepass"))
        plain = not any(key[:1] == "$" or has_surrogate(key) for key in value)
        return {key: normalised(value[key]) for key in (names if plain else value)}
    if isinstance(value, list):
        return [normalised(item) for item in value]
    if (
        isinstance(value, float)
        and value.is_integer()
        and is_representable(value)
        and abs(value) < 1e21
    ):
        return int(value)
    return value


def has_surrogate(text):
    return any(0xD800 <= ord(letter) < 0xE000 for letter in text)


# RFC 8785 appendix B: the bits of a float and its text.
@pytest.mark.parametrize(
    ("bits", "text"),
    [
        ("0000000000000000", "0"),
        ("0000000000000001", "5e-324"),
        ("8000000000000001", "-5e-324"),
        ("7fefffffffffffff", "1.7976931348623157e+308"),
        ("ffefffffffffffff", "-1.7976931348623157e+308"),
        ("44b52d02c7e14af5", "9.999999999999997e+22"),
        ("44b52d02c7e14af6", "1e+23"),
        ("44b52d02c7e14af7", "1.0000000000000001e+23"),
        ("444b1ae4d6e2ef50", "1e+21"),
        ("3eb0c6f7a0b5ed8c", "9.999999999999997e-7"),
        ("3eb0c6f7a0b5ed8d", "0.000001"),
        ("41b3de4355555553", "333333333.3333332"),
        ("41b3de4355555554", "333333333.33333325"),
        ("41b3de4355555555", "333333333.3333333"),
        ("41b3de4355555556", "333333333.3333334"),
        ("41b3de4355555557", "333333333.33333343"),
        ("becbf647612f3696", "-0.0000033333333333333333"),
        ("43143ff3c1cb0959", "1424953923781206.2"),
    ],
)
def test_floats_are_written_as_rfc8785_lists_them(bits, text):
    [number] = struct.unpack(">d", bytes.fromhex(bits))

    assert canonical.encode(number) == text.encode()
    assert canonical.encode({"n": [number]}) == f'{{"n":[{text}]}}'.encode()


# The rest of appendix B: values that do not exist here.
@pytest.mark.parametrize(
    "bits",
    [
        "8000000000000000",
        "4340000000000000",
        "c340000000000000",
        "4430000000000000",
        "7fffffffffffffff",
    ],
)
def test_floats_that_other_parsers_would_change_are_refused(bits):
    [number] = struct.unpack(">d", bytes.fromhex(bits))

    with pytest.raises(ValueRefused, match="canonical JSON can hold"):
        canonical.encode({"n": number})


@pytest.mark.parametrize(
    ("value", "found"),
    [
        (2**53, "9007199254740992"),
        (-(2**53), "-9007199254740992"),
        (math.nan, "nan"),
        ([math.inf], "inf"),
        ("\ud800", "ud800"),
        ({"\udfff": 1}, "udfff"),
        (b"bytes", "bytes"),
        ({1: 2}, "a Python int"),
        ({"deep": {None: 1}}, "a Python NoneType"),
        ({1, 2}, "a Python set"),
        ("x" * 100 + "\ud800", "..."),
    ],
)
def test_a_value_without_canonical_form_is_refused_and_named(value, found):
    with pytest.raises(ValueRefused, match="expected") as caught:
        canonical.encode(value)

    assert found in caught.value.message


@pytest.mark.parametrize(
    "text",
    [
        b'{"b":1,"a":2}',
        b'{"a":1,"a":1}',
        b'{"a": 1}',
        b"-0",
        b"1.0",
        b"1e2",
        b"0.0000001",
        b'"\\u0041"',
        b'"\\/"',
        b'{"n":9007199254740992}',
        b'{"n":100000000000000000000}',
        b"[1e400]",
        b"\xef\xbb\xbf{}",
        b"nul",
        b"NaN",
        b"",
        b'"\xff"',
        b'"\\ud800"',
        b"{} ",
        b"[" * 129 + b"]" * 129,
        b"[" * 100_000,
        '{"\uffff":2,"\U0001f600":1}'.encode(),
    ],
)
def test_other_spellings_are_refused(text):
    with pytest.raises(ValueRefused, match=r"expected canonical JSON|levels of nesting|can hold"):
        canonical.decode(text)


def test_nesting_is_held_to_the_limit():
    assert canonical.encode(json.loads("[" * 128 + "]" * 128)) == b"[" * 128 + b"]" * 128
    with pytest.raises(ValueRefused, match="128 levels"):
        canonical.encode(json.loads('{"a":' * 129 + "1" + "}" * 129))


def test_keys_are_ordered_by_utf16():
    value = {"\uffff": 2, "\U0001f600": 1, "a": 0}

    assert canonical.encode(value) == '{"a":0,"\U0001f600":1,"\uffff":2}'.encode()


def test_tuples_and_ordered_dicts_are_arrays_and_objects():
    assert canonical.encode(OrderedDict(b=(1, 2), a=None)) == b'{"a":null,"b":[1,2]}'


@pytest.mark.parametrize(
    ("value", "wrapped"),
    [
        (2**70, {"$int": "1180591620717411303424"}),
        (-0.0, {"$float": "-0"}),
        (-math.inf, {"$float": "-Infinity"}),
        (1e17, {"$float": "1e+17"}),
        (b"\x00\xff", {"$b64": "AP8="}),
        ("\ud800", {"$wtf8": "7aCA"}),
        ({"$int": "5"}, {"$obj": [["$int", "5"]]}),
        ({"$blob": "id", "b": 1}, {"$obj": [["$blob", "id"], ["b", 1]]}),
    ],
)
def test_wrapped_forms_are_those_of_the_specification(value, wrapped):
    assert canonical.wrap(value) == wrapped
    assert repr(canonical.unwrap(wrapped)) == repr(value)


@pytest.mark.parametrize("value", [{1: 2}, object(), {"a": {3}}])
def test_what_is_not_json_is_not_wrapped(value):
    with pytest.raises(ValueRefused, match="found a Python"):
        canonical.wrap(value)


def test_a_marker_that_is_not_one_of_ours_is_left_alone():
    assert canonical.unwrap({"$blob": "x"}) == {"$blob": "x"}


@pytest.mark.parametrize(
    "stored",
    [
        {"$redacted": "card", "mac": "00"},
        [{"a": {"$text": ["pay ", {"$redacted": "card", "mac": "00"}]}}],
        {"$obj": [[{"$redacted": "card", "mac": "00"}, 1]]},
    ],
    ids=str,
)
def test_what_was_redacted_is_refused_instead_of_unwrapped(stored):
    with pytest.raises(ValueRefused, match="found a part that is redacted"):
        canonical.unwrap(stored)


def test_a_value_that_looks_redacted_is_wrapped_and_restored():
    value = {"$redacted": "card", "mac": "00", "said": {"$text": []}}

    assert canonical.unwrap(canonical.wrap(value)) == value


def test_very_deep_output_is_wrapped_and_written_without_recursion():
    deep: list = []
    for _ in range(100_000):
        deep = [deep]

    text = canonical.text_of(canonical.wrap({"b": deep, "a": [1, "x"]}))

    assert text == b'{"a":[1,"x"],"b":' + b"[" * 100_001 + b"]" * 100_001 + b"}"
    assert canonical.depth_of(deep) == 100_001


def test_output_that_contains_itself_is_refused():
    ring: list = []
    ring += [ring, ring]

    with pytest.raises(ValueRefused, match="contains itself"):
        canonical.wrap(ring)


@given(JSON)
def test_the_text_of_a_shallow_value_is_canonical(value):
    assert canonical.text_of(value) == canonical.encode(value)
