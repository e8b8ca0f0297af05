"""Pictures of the viewer's screens; `pytest --snapshot-update` draws them anew.

What is drawn has fixed ids and times, and no screen here has what a clock or a path would change.
"""

from __future__ import annotations

import pytest
from syrupy.extensions.image import SVGImageSnapshotExtension

from cra import config as configuration
from cra.atlas.snapshot import open_snapshot
from cra.config import UserDirs
from cra.ledger.store import Ledger
from cra.replay.clock import ReplaySource
from cra.runtime.project import Project
from cra.tui.app import TraceApp
from cra.tui.setting import Choices, remember
from tests.goldens import home_of, recorded, write_desk
from tests.governed import ALLOW, begun, rule, write_rules
from tests.traces import DESK, OTHER, lines_of, many, write_session
from tests.viewer import SMALL, press, reading, setting_of, until, viewed

SIZE = (120, 30)


@pytest.fixture
def picture(snapshot):
    return snapshot(extension_class=SVGImageSnapshotExtension)


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "project" / "cra.trace"


@pytest.fixture
def desk(ledger):
    return write_session(ledger, DESK, lines_of(DESK))


@pytest.fixture
def replayed(tmp_path, monkeypatch):
    """A golden whose note is denied by now; no call takes any time."""
    monkeypatch.setattr("time.perf_counter_ns", lambda: 0)
    monkeypatch.chdir(tmp_path)
    place = write_desk(tmp_path / "project", ALLOW)
    config = configuration.load(place, {}, None, {})
    environ = home_of(place)
    with Project(
        config,
        open_snapshot(place, config),
        dirs=UserDirs.of(environ, place.parent),
        environ=environ,
        ledger=Ledger(
            config.trace_directory, source=ReplaySource("2026-11-20T10:00:00.000000Z", b"desk")
        ),
    ) as project:
        session = begun(project)
        session.execute("ticket.read", {"id": 1042})
        session.execute("ticket.note", {"file": "notes"})
        session.execute("ticket.fail", {"why": "no paper"})
        session.end()
        recorded(session, "printer-on-fire")
        recorded(session, "still-as-it-was")
    reason = "nobody writes notes any more"
    write_rules(place, ALLOW, rule("notes-are-over", "deny", "ticket.note", reason=reason))
    return place


def drawn(app: TraceApp, *keys: str, words: str, size: tuple[int, int] = SIZE) -> str:
    async def script(pilot) -> str:
        await press(pilot, *keys)
        await until(pilot, words)
        return pilot.app.export_screenshot()

    return viewed(app, script, size)


@pytest.mark.usefixtures("desk")
def test_sessions(picture, ledger):
    write_session(ledger, OTHER, lines_of(OTHER, many(120)))

    assert drawn(TraceApp(setting_of(ledger)), words="✗ UNLISTED") == picture


def test_a_project_without_sessions(picture, ledger):
    assert drawn(TraceApp(setting_of(ledger)), size=SMALL, words="cra session start") == picture


def test_a_denied_call(picture, desk):
    assert drawn(reading(desk, at=5), words="── linked") == picture


def test_a_denied_call_in_light(picture, desk, ledger):
    remember(ledger.parent / "state", Choices(theme="cra-light"))

    assert drawn(reading(desk, at=5), words="── linked") == picture


def test_a_denied_call_without_colour(picture, desk, monkeypatch):
    monkeypatch.setenv("NO_COLOR", "1")

    assert drawn(reading(desk, at=5), words="── linked") == picture


def test_a_waterfall_of_spans(picture, desk, ledger):
    remember(ledger.parent / "state", Choices(tree=True, bars=True, details=False))

    assert drawn(reading(desk, at=7), words="✓ INTACT") == picture


def test_an_inspector_on_a_small_screen(picture, desk):
    assert drawn(reading(desk, at=7), "enter", size=SMALL, words="── linked") == picture


def test_fifty_columns(picture, desk):
    assert drawn(reading(desk, at=5), size=(50, 20), words="INTACT") == picture


def test_spans_and_hits_of_a_search(picture, desk):
    assert drawn(reading(desk), "t", "slash", *"declined", words="1 of 2 hits") == picture


def test_a_mistake_in_a_filter(picture, desk):
    assert (
        drawn(reading(desk), "f", *"severity:loud", "enter", size=SMALL, words="expected debug")
        == picture
    )


def test_a_long_session_with_its_trouble_on_the_edge(picture, ledger):
    path = write_session(ledger, OTHER, lines_of(OTHER, many(3000)))

    assert drawn(reading(path), "end", size=SMALL, words="INTACT") == picture


def test_damage(picture, ledger):
    lines = lines_of(DESK)
    lines[4] = lines[4].replace(b"5200", b"5201")
    ledger.mkdir(parents=True)
    path = ledger / f"{DESK}.trace.jsonl"
    path.write_bytes(b"".join(lines))

    assert drawn(reading(path, at=4), words="DAMAGED") == picture


@pytest.mark.usefixtures("desk")
def test_differences(picture, ledger):
    write_session(ledger, OTHER, lines_of(OTHER, many(2)))

    assert drawn(TraceApp(setting_of(ledger)), "space", "down", "D", words="breaking  3") == picture


def test_goldens(picture, replayed):
    app = TraceApp(setting_of(replayed / "cra.trace", root=replayed))

    assert drawn(app, "R", "x", words="1 golden waits") == picture


def walked(replayed, size: tuple[int, int] = SIZE) -> str:
    async def script(pilot) -> str:
        for keys, words in (("R", "not replayed"), ("enter", "◆ waits"), ("nn", "2 of")):
            await press(pilot, *([keys] if len(keys) > 2 else keys))
            await until(pilot, words)
        return pilot.app.export_screenshot()

    return viewed(TraceApp(setting_of(replayed / "cra.trace", root=replayed)), script, size)


def test_a_walk_through_a_golden(picture, replayed):
    assert walked(replayed) == picture


@pytest.mark.parametrize("size", [SMALL, (50, 20)], ids=["small", "narrow"])
def test_a_walk_where_there_is_less_room(picture, replayed, size):
    assert walked(replayed, size) == picture


def test_keys(picture, desk):
    assert drawn(reading(desk), "question_mark", size=SMALL, words="Keys that work") == picture
