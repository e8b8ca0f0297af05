"""Which keys and commands are told of, and that they are those that work."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from itertools import pairwise
from pathlib import Path

import pytest

from cra.runtime.project import Project
from cra.tui.app import TraceApp
from tests.goldens import opened, recorded, write_desk
from tests.governed import ALLOW, begun, rule, write_rules
from tests.viewer import SMALL, press, setting_of, settled, until, viewed

TALL = (100, 150)
# Which keys lead to a screen, and what its own keys stand below.
SCREENS = {
    "sessions": ((), "The sessions"),
    "reader": (("enter",), "This session"),
    "approvals": (("A",), "Approvals"),
    "goldens": (("R",), "The goldens"),
    "walk": (("R", "enter"), "A walk through a golden"),
    "differences": (("D", "enter"), "Differences"),
}


@pytest.fixture
def place(tmp_path) -> Path:
    """A project with a golden, and a call that waits."""
    place = write_desk(tmp_path / "project", ALLOW)
    with opened(place) as project:
        session = begun(project)
        session.execute("ticket.read", {"id": 1042})
        session.end()
        recorded(session, "desk")
    write_rules(place, ALLOW, rule("closing-needs-a-person", "require_approval", "ticket.close"))
    with opened(place) as project:
        begun(project).execute("ticket.close", {"file": str(place / "closed")})
    return place


def viewing(place: Path) -> TraceApp:
    @contextmanager
    def project():
        with Project.open(place) as found:
            yield found

    return TraceApp(setting_of(place / "cra.trace", project=project, root=place))


async def came_to(pilot, screen: str) -> None:
    for key in SCREENS[screen][0]:
        await press(pilot, key)


def told_at(place: Path, screen: str, key: str) -> str:
    """What a key shows on a screen that has room for all of it."""

    async def script(pilot):
        await came_to(pilot, screen)
        return await press(pilot, key)

    return viewed(viewing(place), script, TALL)


@pytest.mark.parametrize("screen", SCREENS)
def test_help_tells_of_the_palette_and_of_the_other_pane(place, screen):
    shown = told_at(place, screen, "question_mark")

    assert SCREENS[screen][1] in shown
    assert "Every command by its name" in shown
    assert "^p" in shown
    assert "? f1" in shown
    assert ("To the other pane" in shown) is (screen != "sessions")
    assert "Focus Next" not in shown


@pytest.mark.parametrize("screen", SCREENS)
def test_the_palette_has_every_command_once_and_none_that_means_nothing_here(place, screen):
    shown = told_at(place, screen, "ctrl+p")

    rows = [line.strip(" ▌▎▊█") for line in shown.split("\n")]
    told = Counter(above for above, row in pairwise(rows) if "key " in row[:4])
    assert told["Keys"] == 1
    assert told["Quit at once"] == 1
    assert set(told.values()) == {1}
    for words in ("Focus Next", "Copy selected text", "Maximize", "Minimize", "Screenshot"):
        assert words not in shown
    for words in ("Choose a theme", "Picture", "Text"):
        assert words in rows


def test_the_keys_of_the_palette_are_a_page_that_closes(place):
    async def script(pilot):
        await press(pilot, "ctrl+p")
        await press(pilot, *"keys")
        keys = await press(pilot, "enter")
        return keys, await press(pilot, "escape")

    keys, closed = viewed(viewing(place), script)

    assert "Keys that work here" in keys
    assert "Keys that work here" not in closed
    assert "? Keys" in closed.splitlines()[-1]


def test_a_command_of_what_has_the_focus_is_in_the_palette(place):
    async def script(pilot):
        await press(pilot, "A")
        await until(pilot, "1 call waits")
        await press(pilot, "ctrl+p")
        await press(pilot, *"grant")
        return await press(pilot, "enter")

    assert "Let ticket.close be done" in viewed(viewing(place), script)


def test_in_a_walk_the_next_one_is_the_next_difference(place):
    async def script(pilot):
        await came_to(pilot, "walk")
        return await settled(pilot)

    [*_, footer] = viewed(viewing(place), script, SMALL).splitlines()

    assert "n Next difference" in footer
    assert "q Back" in footer
    assert footer.rstrip().endswith("? Keys")
