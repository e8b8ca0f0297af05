"""The line that is typed in: which keys it has, and what it knows of what was typed before."""

from __future__ import annotations

import stat

import pytest

from cra.tui.app import TraceApp
from cra.tui.setting import Choices, recall, remember
from tests.traces import DESK, OTHER, lines_of, many, write_session
from tests.viewer import press, reading, setting_of, viewed


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "cra.trace"


@pytest.fixture
def desk(ledger):
    return write_session(ledger, DESK, lines_of(DESK))


def after(app: TraceApp, *keys: str) -> str:
    return viewed(app, lambda pilot: press(pilot, *keys))


def footer_of(shown: str) -> str:
    return " ".join(shown.splitlines()[-1].split())


# Its keys.


def test_while_somebody_types_the_keys_below_are_those_of_the_line(desk, ledger):
    search = footer_of(after(reading(desk), "slash"))
    filtering = footer_of(after(reading(desk), "f"))
    sessions = footer_of(after(TraceApp(setting_of(ledger)), "slash"))

    assert search == "⏎ Take it esc Leave it f1 Keys"
    assert filtering == "⏎ Take it esc Leave it tab Complete it f1 Keys"
    assert sessions == search


def test_what_was_typed_before_has_its_key_where_there_is_any(desk):
    async def script(pilot):
        await press(pilot, "slash", *"refund", "enter")
        return await press(pilot, "slash")

    shown = viewed(reading(desk), script)

    assert footer_of(shown) == "↑ Typed before ⏎ Take it esc Leave it f1 Keys"


def test_the_keys_of_the_screen_are_back_when_nobody_types_any_more(desk):
    shown = footer_of(after(reading(desk), "slash", "escape"))

    assert "/ Search" in shown
    assert shown.endswith("? Keys")


def test_help_while_somebody_types_tells_of_the_line(desk):
    shown = after(reading(desk), "f", "f1")

    assert "The line that is typed in" in shown
    for words in ("Take it", "Leave it", "Complete it"):
        assert words in shown


# What was typed before.


def test_what_was_typed_is_known_on_the_next_screen_and_the_next_time(desk, ledger):
    write_session(ledger, OTHER, lines_of(OTHER, many(2)))

    async def script(pilot):
        await press(pilot, "f", *"seq", "colon", "4", "enter")
        await press(pilot, "slash", *"refund", "enter")
        await press(pilot, "q")
        await press(pilot, "down", "enter")
        filtered = await press(pilot, "f", "up")
        return filtered, await press(pilot, "escape", "slash", "up")

    filtered, searched = viewed(reading(desk), script)

    assert "seq:4" in filtered
    assert "refund" in searched.splitlines()[-2]
    assert "refund" in after(reading(desk), "slash", "up").splitlines()[-2]
    assert "seq:4" in after(reading(desk), "f", "up").splitlines()[-2]


def test_of_what_is_typed_the_newest_fifty_are_kept_and_nothing_long(tmp_path):
    choices = Choices()
    for text in ("x" * 201, *map(str, range(60)), "15", "x" * 200):
        choices = choices.with_typed("search", text)
    remember(tmp_path, choices.with_typed("filter", "\x1b[31m"))

    kept = recall(tmp_path).typed

    assert kept["search"] == [*map(str, range(11, 15)), *map(str, range(16, 60)), "15", "x" * 200]
    assert kept["filter"] == []


def test_what_is_remembered_is_for_its_owner_alone(tmp_path):
    def mode() -> int:
        return stat.S_IMODE((tmp_path / "tui.json").stat().st_mode)

    remember(tmp_path, Choices().with_typed("search", "a secret"))
    assert mode() == 0o600

    (tmp_path / "tui.json").chmod(0o644)
    assert recall(tmp_path).typed == {"search": ["a secret"]}
    assert mode() == 0o600


@pytest.mark.parametrize("stored", ["4", "[]", '{"search": "x"}', '{"search": [4, null]}'])
def test_what_nobody_typed_counts_for_nothing(tmp_path, stored):
    (tmp_path / "tui.json").write_text(f'{{"tree": true, "typed": {stored}}}')

    found = recall(tmp_path)

    assert found.tree
    assert not found.typed.get("search")
