"""Text for people: nothing hidden in it, nothing obeyed, as wide as it looks."""

from __future__ import annotations

import pytest

from cra.printable import did_you_mean, safe, width


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("plain", "plain"),
        ("née 表", "née 表"),
        ("a\tb\r\n", r"a\tb\r\n"),
        ("\x1b[31m", r"\x1b[31m"),
        ("\u202eevil", r"\u202eevil"),
        ("tag\U000e0041", r"tag\U000e0041"),
        ("a" + "\u0301" * 6, "a" + "\u0301" * 4 + r"\u0301\u0301"),
    ],
)
def test_what_would_hide_or_command_is_an_escape(text, shown):
    assert safe(text) == shown


@pytest.mark.parametrize(
    ("text", "columns"), [("plain", 5), ("née", 3), ("ne\u0301e", 3), ("表ｗ", 4), ("a表", 3)]
)
def test_a_text_is_as_wide_as_its_letters(text, columns):
    assert width(text) == columns


def test_a_name_that_is_near_is_asked_for_as_it_is_written():
    names = ["ticket.read", "ticket.note"]

    assert did_you_mean("ticket.raed", names) == "; did you mean ticket.read?"
    assert did_you_mean("raed", ["read"], {"read": "a/read"}) == "; did you mean a/read?"
    assert did_you_mean("weather", names) == ""
