"""Amounts as people read them."""

from __future__ import annotations

import pytest

from cra.amount import counted, duration, seconds_of


@pytest.mark.parametrize(
    ("count", "words", "expected"),
    [
        (0, ("event",), "0 events"),
        (1, ("event",), "1 event"),
        (2, ("event",), "2 events"),
        (300_001, ("event",), "300,001 events"),
        (1, ("atlas", "atlases"), "1 atlas"),
        (2, ("atlas", "atlases"), "2 atlases"),
    ],
)
def test_a_count_agrees_with_its_noun(count, words, expected):
    assert counted(count, *words) == expected


@pytest.mark.parametrize(
    ("microseconds", "expected"),
    [
        (0, "0 µs"),
        (7, "7 µs"),
        (999.4, "999 µs"),
        (999.5, "1.0 ms"),
        (1_500, "1.5 ms"),
        (999_949, "999.9 ms"),
        (999_999, "1.0 s"),
        (2_500_000, "2.5 s"),
        (59_999_999, "1 min"),
        (90_000_000, "1 min 30 s"),
        (3_600_000_000, "1 h"),
        (7_260_000_000, "2 h 1 min"),
        (7_265_000_000, "2 h 1 min"),
        (90_061_000_000, "1 d 1 h"),
        (86_400_000_000, "1 d"),
    ],
)
def test_a_duration_has_the_unit_that_suits_it(microseconds, expected):
    assert duration(microseconds) == expected


@pytest.mark.parametrize(
    ("text", "expected"),
    [("90s", 90), ("15m", 900), ("2h", 7_200), ("30d", 2_592_000), ("0s", 0)],
)
def test_a_duration_is_read_in_its_unit(text, expected):
    assert seconds_of(text) == expected


@pytest.mark.parametrize("text", ["", "15", "m", "1.5h", "-1s", "1y", "1h 2m", "1234567890s", "²s"])
def test_what_is_no_duration_is_none(text):
    assert seconds_of(text) is None
