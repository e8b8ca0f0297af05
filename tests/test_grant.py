"""How far a grant goes, as it is said."""

from __future__ import annotations

import time

import pytest

from cra.errors import UsageError
from cra.runtime.approval import Scope
from cra.runtime.grant import moment, words_of

NOW = "2026-11-27T16:00:00.000000Z"


@pytest.fixture(autouse=True)
def in_berlin(monkeypatch):
    monkeypatch.setenv("TZ", "Europe/Berlin")
    time.tzset()
    yield
    monkeypatch.undo()
    time.tzset()


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("45m", "2026-11-27T16:45:00.000000Z"),
        ("1d", "2026-11-28T16:00:00.000000Z"),
        ("17:30Z", "2026-11-27T17:30:00.000000Z"),
        ("17:30", "2026-11-27T16:30:00.000000Z"),
        # There it is the 28th already.
        ("08:00+15:00", "2026-11-27T17:00:00.000000Z"),
        ("2026-11-28", "2026-11-27T23:00:00.000000Z"),
        ("2026-11-28 09:00", "2026-11-28T08:00:00.000000Z"),
        ("2026-11-28T09:00:00.5Z", "2026-11-28T09:00:00.500000Z"),
    ],
)
def test_a_time_is_one_of_this_machine_unless_it_names_a_zone(text, expected):
    assert moment(text, NOW) == expected


@pytest.mark.parametrize("text", ["", "17", "soon", "45", "1y", "25:00", "17:30\n", "0001-01-01"])
def test_what_is_no_time_is_none(text):
    assert moment(text, NOW) is None


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("0s", "a time to come"),
        ("2020-01-01", "a time to come"),
        # Its year has three digits, which come after four of them as text.
        ("0999-01-01T00:00Z", "a time to come"),
        ("9:30", "for tomorrow: 2026-11-28T09:30:00$"),
        ("9:30Z", r"for tomorrow: 2026-11-28T09:30:00\+00:00$"),
        ("999999999d", "before the year 10000"),
        ("9999-12-31T23:59:59-23:00", "before the year 10000"),
    ],
)
def test_a_time_that_is_over_or_never_comes_is_refused(text, expected):
    with pytest.raises(UsageError) as refused:
        moment(text, NOW)
    assert refused.match(expected)


@pytest.mark.parametrize(
    ("scope", "expected"),
    [
        (Scope(), "once"),
        (Scope(3, "2026-11-27T17:30:00.000000Z"), "3 times, until 17:30:00Z"),
        (
            Scope(None, "2026-11-28T17:30:00.000000Z", any_arguments=True),
            "any number of times, until 2026-11-28T17:30:00Z, with any arguments",
        ),
    ],
)
def test_a_scope_is_told_in_words(scope, expected):
    assert words_of(scope, NOW) == expected
