"""Goldens in the viewer: replayed, walked through step by step, and decided on."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest

from cra.ledger.index import LedgerFile
from cra.replay.compare import TraceDifference
from cra.runtime.standing import standing_at, told_standing
from cra.tui.app import TraceApp
from cra.tui.comparing import values_of
from cra.tui.walk import Side
from tests.goldens import golden_of, manifest_of, opened, recorded, write_desk, write_manifest
from tests.governed import ALLOW, begun, rule, write_rules
from tests.viewer import SMALL, WIDE, seen, setting_of, settled, until, viewed

NO_NOTES = rule("notes-are-over", "deny", "ticket.note", reason="nobody writes notes any more")


@pytest.fixture
def place(tmp_path) -> Path:
    """A golden of a ticket that is read and noted on: events 3 to 6, and the end is 7."""
    place = write_desk(tmp_path / "project", ALLOW)
    record(place, "desk")
    return place


@pytest.fixture
def otherwise(place) -> Path:
    """The same under rules that deny the note."""
    write_rules(place, ALLOW, NO_NOTES)
    return place


def record(place: Path, name: str) -> None:
    with opened(place) as project:
        session = begun(project)
        session.execute("ticket.read", {"id": 1042})
        session.execute("ticket.note", {"file": str(place.parent / "notes")})
        session.end()
        recorded(session, name)


def damage(place: Path, name: str = "desk") -> None:
    [trace] = golden_of(place, name).glob("*.trace.jsonl")
    lines = trace.read_bytes().split(b"\n")
    lines[4] = b"nothing that is an event"
    trace.write_bytes(b"\n".join(lines))


def viewing(place: Path, **environ: str) -> TraceApp:
    setting = setting_of(place / "cra.trace", root=place)
    return TraceApp(setting._replace(environ={**setting.environ, **environ}))


async def went(pilot, *keys: str) -> str:
    """What is seen after some keys, each pressed once what the one before began is done."""
    is_at_work = False
    for key in keys:
        if is_at_work:
            await settled(pilot)
        await pilot.press(key)
        is_at_work = key in ("R", "enter", "x", "X", "d", "y", "q")
    return await settled(pilot)


def after(place: Path, *keys: str, words: str = "", size=WIDE) -> str:
    """What is seen after some keys on the goldens, once some words are."""

    async def script(pilot):
        shown = await went(pilot, "R", *keys)
        return shown if words in shown else await until(pilot, words)

    return viewed(viewing(place), script, size)


def row_of(shown: str, name: str) -> str:
    return next(line for line in shown.split("\n") if line.startswith(f" {name} "))


def row_at(shown: str, number: int) -> str:
    return next(line for line in shown.split("\n") if line.lstrip().startswith(f"{number} "))


def pending_of(place: Path) -> Path:
    return golden_of(place, "desk.new")


# The goldens.


def test_a_golden_is_listed_with_its_steps_before_anybody_replays_it(place):
    shown = after(place)

    assert row_of(shown, "desk").split() == ["desk", "3", "not", "replayed"]
    assert "ticket.read: allowed by desk-allows" in shown
    assert "1 golden" in shown


def test_a_project_without_goldens_says_how_one_is_made(tmp_path):
    shown = after(write_desk(tmp_path / "project", ALLOW), "x", "X", "a", "d", "enter")

    assert "no golden: cra golden record" in shown


def test_a_golden_that_is_decided_as_recorded_passes(place):
    assert "passed" in row_of(after(place, "x"), "desk")


def test_all_goldens_are_replayed_and_those_that_differ_wait(otherwise):
    with_read = write_desk(otherwise.parent / "elsewhere", ALLOW)
    record(otherwise, "late")
    record(with_read, "other")
    golden_of(with_read, "other").rename(golden_of(otherwise, "other"))

    shown = after(otherwise, "X")

    assert "◆ waits  breaking 1 difference" in row_of(shown, "desk")
    assert "passed" in row_of(shown, "late")
    assert "◆ waits  breaking 1 difference" in row_of(shown, "other")
    assert "2 goldens wait for a word" in shown
    assert "policies/rules.json" in shown


def test_however_many_goldens_there_are_all_are_replayed(place):
    for at in range(20):
        shutil.copytree(golden_of(place, "desk"), golden_of(place, f"desk-{at}"))

    shown = after(place, "X", size=(80, 60))

    assert shown.count("passed") == 21


def test_one_that_is_asked_for_while_another_is_replayed_comes_after_it(place):
    record(place, "later")

    async def script(pilot):
        await went(pilot, "R")
        await pilot.press("x", "down", "x", "x")
        return await settled(pilot)

    shown = viewed(viewing(place), script)

    assert "passed" in row_of(shown, "desk")
    assert "passed" in row_of(shown, "later")


def test_a_replay_that_takes_long_says_so_and_holds_up_nothing(place):
    record(place, "later")

    async def script(pilot):
        await went(pilot, "R")
        with locked(place / "goldens"):
            await pilot.press("x", "a")
            replaying = await appeared(pilot, "just now")
            await pilot.press("down", "enter")
            walking = await appeared(pilot, "session.started")
            await pilot.press("right", "right")
            stepping = await appeared(pilot, "event 2, 8 actions")
        return replaying, walking, stepping, await settled(pilot)

    replaying, walking, stepping, done = viewed(viewing(place), script)

    assert "replaying …" in row_of(replaying, "desk")
    assert "desk is replayed just now" in replaying
    assert "later  replaying …" in walking
    assert "later  replaying …" in stepping
    assert "later  passed" in done
    assert "step 3 of 8" in done


@contextmanager
def locked(goldens: Path) -> Iterator[None]:
    """Somebody else writes goldens, and every replay that would waits for that."""
    descriptor = os.open(goldens, os.O_RDONLY)
    fcntl.flock(descriptor, fcntl.LOCK_EX)
    try:
        yield
    finally:
        os.close(descriptor)


async def appeared(pilot, words: str) -> str:
    """What is seen once some words are, whatever still works."""
    for _ in range(400):
        await pilot.pause(0.05)
        if words in seen(pilot):
            return seen(pilot)
    raise AssertionError(f"expected {words}, found {seen(pilot)}")


def test_what_a_replay_came_to_is_still_known_when_somebody_comes_back(place):
    assert "passed" in row_of(after(place, "x", "q", "R"), "desk")


@pytest.mark.parametrize(("key", "verdict"), [("a", "not replayed"), ("r", "breaking")])
def test_what_a_replay_found_is_seen_and_then_accepted_or_rejected(otherwise, key, verdict):
    golden = golden_of(otherwise, "desk") / "manifest.json"
    before = golden.read_bytes()

    async def script(pilot):
        await went(pilot, "R", "x")
        differing = await went(pilot, "d")
        await went(pilot, "q", key)
        return differing, await went(pilot, "y")

    differing, decided = viewed(viewing(otherwise), script)

    assert "notes-are-over" in differing
    assert "◆" not in decided
    assert verdict in row_of(decided, "desk")
    assert not pending_of(otherwise).exists()
    assert (golden.read_bytes() != before) is (key == "a")


def test_an_accepted_golden_passes(otherwise):
    shown = after(otherwise, "x", "a", "y", "x")

    assert "passed" in row_of(shown, "desk")
    assert "not replayed" not in shown


def test_no_is_no_word_on_what_waits(otherwise):
    shown = after(otherwise, "x", "a", "n")

    assert "◆ waits" in row_of(shown, "desk")
    assert pending_of(otherwise).exists()


def test_nothing_waits_where_nothing_was_replayed(otherwise):
    assert "nothing waits" in after(otherwise, "a")


def test_in_ci_nothing_is_written_beside_a_golden(otherwise):
    async def script(pilot):
        return await went(pilot, "R", "x")

    shown = viewed(viewing(otherwise, CI="true"), script)

    assert "breaking 1 difference" in row_of(shown, "desk")
    assert not pending_of(otherwise).exists()


def test_what_waits_beside_a_golden_that_is_gone_can_be_taken_away(otherwise):
    after(otherwise, "x")
    golden_of(otherwise, "desk").rename(otherwise / "away")

    shown = after(otherwise)

    assert "◆ waits" in row_of(shown, "desk")
    after(otherwise, "r", "y")
    assert not pending_of(otherwise).exists()


@pytest.mark.parametrize("size", [WIDE, SMALL, (50, 20)])
def test_a_golden_that_cannot_be_replayed_says_so_on_its_row(place, size):
    record(place, "spoilt")
    damage(place, "spoilt")
    write_manifest(place, {**manifest_of(place, "desk"), "mode": "dream"}, "desk")

    shown = after(place, "X", size=size)

    assert "refused: expected" in row_of(shown, "desk")
    assert "damaged: expected" in row_of(shown, "spoilt")
    assert "CRA-1008" in shown


def test_a_project_that_cannot_be_read_refuses_every_golden(place):
    async def script(pilot):
        await went(pilot, "R")
        (place / "cra.config.json").write_text('{"atlases": 7}')
        return await went(pilot, "x")

    assert "refused: atlases: expected" in row_of(viewed(viewing(place), script), "desk")


def test_a_value_keeps_its_indentation_also_where_a_line_is_broken():
    before, after = ({"to": {"say": f"{word} the money goes back"}} for word in ("maybe", "surely"))
    one = TraceDifference("", "changed", "minor", "", before, after, "", None, 1, 1)

    lines = ["".join(text for text, _ in line) for line in values_of(one, 63)]

    assert lines == [
        "{                              │ {",
        ' "to": {                       │  "to": {',
        '  "say": "maybe the money goes │   "say": "surely the money',
        '  back"                        │   goes back"',
        " }                             │  }",
        "}                              │ }",
    ]


# A walk.


def test_a_walk_shows_what_was_beside_what_is_now(otherwise):
    shown = after(otherwise, "enter")

    golden, now = row_at(shown, 5).split("│")
    assert "~ allowed ticket.note" in golden
    assert "denied ticket.note: nobody writes notes any more" in now
    golden, now = row_at(shown, 6).split("│")
    assert ("- done ticket.note" in golden, now.strip()) == (True, "")
    golden, now = row_at(shown, 7).split("│")
    assert "ended" in golden
    assert now.split()[0] == "6"


def test_a_step_on_and_a_step_back_say_what_the_session_is_then(place):
    async def script(pilot):
        await went(pilot, "R", "enter")
        on = [await went(pilot, key) for key in ("right", "l", "down", "j", "left")]
        return [shown[shown.index("───") :] for shown in on]

    one, two, three, four, back = viewed(viewing(place), script)

    assert "golden 1" in one
    assert "resolve: do everything" in one
    assert "resolution" not in one
    assert "resolution  event 2, 8 actions, valid" in two
    assert "open intent event 3, ticket.read" in three
    assert "open intent" not in four
    assert back == three


def test_what_the_session_is_stands_twice_where_it_is_another_now(otherwise):
    shown = after(otherwise, "enter", *["right"] * 5)

    assert "the session now" in shown
    [line] = [line for line in shown.split("\n") if "open intent" in line]
    assert line.split("│")[0].strip() == "open intent event 5, ticket.note"


def test_a_play_goes_on_to_the_end_and_stops_there(place):
    async def script(pilot):
        await went(pilot, "R", "enter", *["plus"] * 9)
        await pilot.press("space")
        played = await until(pilot, "step 8 of 8")
        await pilot.press(*["minus"] * 9, "space")
        again = seen(pilot)
        await pilot.press("space")
        return played, again

    played, again = viewed(viewing(place), script)

    assert "‖ paused 32/s" in played
    assert "golden 7" in played
    assert "▶ playing 1/s  step 1 of 8" in again


def test_a_pause_stays_where_it_is(place):
    async def script(pilot):
        await went(pilot, "R", "enter", *["minus"] * 9)
        await pilot.press("space")
        playing = await until(pilot, "step 2 of 8")
        await pilot.press("space")
        paused = seen(pilot)
        await pilot.pause(1.5)
        return playing, paused, seen(pilot)

    playing, paused, later = viewed(viewing(place), script)

    assert "▶ playing 1/s" in playing
    assert "‖ paused 1/s" in paused
    assert step_in(later) == step_in(paused)


def step_in(shown: str) -> str:
    line = next(line for line in shown.split("\n") if "paused" in line)
    return line[line.index("step") :]


def test_another_screen_pauses_a_play(place):
    async def script(pilot):
        await went(pilot, "R", "enter", *["minus"] * 9)
        await pilot.press("space", "question_mark")
        return await went(pilot, "escape")

    assert "‖ paused" in viewed(viewing(place), script)


def test_a_seek_goes_to_the_event_with_a_number(place):
    async def script(pilot):
        await went(pilot, "R", "enter")
        found = await went(pilot, "colon", *"5", "enter")
        beyond = await went(pilot, "colon", *"99", "enter")
        back = await went(pilot, "escape", "home")
        return found, beyond, back, await went(pilot, "end")

    found, beyond, back, end = viewed(viewing(place), script)

    assert "step 6 of 8" in found
    assert "open intent event 5, ticket.note" in found
    assert "expected an event up to 7, found 99" in beyond
    assert "step 1 of 8" in back
    assert "step 8 of 8" in end


def test_the_next_difference_comes_with_its_reason_and_the_place_of_its_rule(otherwise):
    async def script(pilot):
        await went(pilot, "R", "enter")
        return [await went(pilot, key) for key in ("n", "n", "p", "p")]

    first, second, back, around = viewed(viewing(otherwise), script)

    assert "step 3 of 8  ◆ waits  1 of 4 that differ" in first
    assert "~ breaking  ticket.note: the decision flipped" in first
    assert "(policies/rules.json:1:" in first
    assert "decided by notes-are-over" in first
    assert "step 6 of 8  ◆ waits  2 of 4 that differ" in second
    assert "step 3 of 8  ◆ waits  1 of 4 that differ" in back
    assert "step 8 of 8  ◆ waits  4 of 4 that differ" in around


def test_where_nothing_differs_there_is_no_next_difference(place):
    assert "nothing differs" in after(place, "enter", "n")


def test_what_a_walk_finds_is_accepted_and_the_golden_passes(otherwise):
    shown = after(otherwise, "enter", "a", "y", words="passed")

    assert "desk accepted" in shown
    assert not pending_of(otherwise).exists()
    golden, now = row_at(shown, 5).split("│")
    assert "denied ticket.note" in golden
    assert "denied ticket.note" in now


def test_what_a_walk_finds_is_rejected_and_the_golden_stays(otherwise):
    manifest = golden_of(otherwise, "desk") / "manifest.json"
    before = manifest.read_bytes()

    shown = after(otherwise, "enter", "r", "y")

    assert "desk rejected" in shown
    assert "breaking 1 difference" in shown
    assert not pending_of(otherwise).exists()
    assert manifest.read_bytes() == before


def test_a_rule_that_was_edited_counts_for_the_next_replay(otherwise):
    async def script(pilot):
        before = await went(pilot, "R", "enter", "n")
        write_rules(otherwise, ALLOW)
        return before, await went(pilot, "x")

    before, now = viewed(viewing(otherwise), script)

    assert "breaking" in before
    assert "passed" in now
    assert "step 3 of 8" in now
    assert "waits" not in now


def test_a_damaged_golden_says_why_and_shows_what_can_be_read(place):
    damage(place)

    shown = after(place, "enter", *["down"] * 5)

    assert "damaged: expected" in shown
    assert "CRA-" in shown
    assert "git checkout" in shown
    assert "damaged" in row_at(shown, 4)
    assert row_at(shown, 5).split("│")[1].strip() == ""
    assert "golden 5" in shown
    assert "unknown" in shown


@pytest.mark.parametrize("line", [b"[]", b"{}", b'{"event_type":"session.started"}', b"\xff"])
def test_a_line_that_is_no_event_is_no_accident(place, line):
    [trace] = golden_of(place, "desk").glob("*.trace.jsonl")
    lines = trace.read_bytes().split(b"\n")
    lines[2] = line
    trace.write_bytes(b"\n".join(lines))

    shown = after(place, "enter", "end")

    assert "step 8 of 8" in shown
    assert "unknown" in shown


def test_a_refused_golden_is_walked_without_its_manifest(place):
    write_manifest(place, {**manifest_of(place, "desk"), "mode": "dream"}, "desk")

    shown = after(place, "enter", *["right"] * 3)

    assert "refused: expected" in shown
    assert "open intent event 3, ticket.read" in shown
    assert row_at(shown, 3).split("│")[1].strip() == ""


def test_a_golden_without_its_trace_says_so(place):
    [trace] = golden_of(place, "desk").glob("*.trace.jsonl")
    trace.unlink()

    shown = after(place, "enter", "n", "space", "colon", "right")

    assert "damaged: expected" in shown


def test_a_trace_outside_of_the_golden_is_not_opened(place):
    [trace] = golden_of(place, "desk").glob("*.trace.jsonl")
    trace.rename(place / trace.name)
    document = json.dumps(manifest_of(place, "desk"))
    write_manifest(
        place, json.loads(document.replace(trace.name, f"x/../../../{trace.name}")), "desk"
    )
    golden_of(place, "desk").joinpath("x").mkdir()

    shown = after(place, "enter")

    assert "expected the golden's trace beside its manifest" in shown


def test_a_walk_opens_an_event_in_full(place):
    shown = after(place, "enter", *["right"] * 3, "enter", words="── linked")

    assert "action.approved" in shown
    assert "policies/rules.json" not in row_at(shown, 3)


@pytest.mark.parametrize("size", [SMALL, (50, 20)])
def test_a_walk_fits_a_small_screen(otherwise, size):
    shown = after(otherwise, "enter", "n", size=size)

    assert "~ " in row_at(shown, 2)
    assert "golden 2" in shown
    assert "step 3 of 8" in shown


def test_the_ledger_of_a_walk_goes_with_its_screen(otherwise, tmp_path, monkeypatch):
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))

    async def script(pilot):
        await went(pilot, "R", "enter")
        await went(pilot, "x")
        while_there = [*place.glob("*/*/desk/ledger")]
        await went(pilot, "q")
        return while_there

    assert len(viewed(viewing(otherwise), script)) == 2
    assert [*place.iterdir()] == []


def test_a_walk_that_is_left_while_it_replays_leaves_nothing(otherwise, tmp_path, monkeypatch):
    place = tmp_path / "temporary"
    place.mkdir()
    monkeypatch.setattr(tempfile, "tempdir", str(place))

    async def script(pilot):
        await went(pilot, "R")
        with locked(otherwise / "goldens"):
            await pilot.press("enter")
            await appeared(pilot, "session.started")
            while not [*place.glob("*/1/desk/ledger")]:
                await pilot.pause(0.05)
            await pilot.press("q")
            await appeared(pilot, "not replayed")
        return await settled(pilot)

    assert "not replayed" in row_of(viewed(viewing(otherwise), script), "desk")
    assert [*place.iterdir()] == []
    assert not pending_of(otherwise).exists()


def test_without_a_place_for_its_ledger_a_golden_is_shown_alone(place, tmp_path, monkeypatch):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "none"))

    shown = after(place, "enter", *["right"] * 3)

    assert "refused: expected a place for a replay's own ledger" in shown
    assert "open intent event 3, ticket.read" in shown


def test_a_golden_that_is_executed_is_executed(place):
    write_manifest(place, {**manifest_of(place, "desk"), "mode": "execute"}, "desk")
    notes = place.parent / "notes"
    before = notes.read_bytes()

    shown = after(place, "enter")

    assert "passed" in shown
    assert notes.read_bytes() == before * 2


def test_a_golden_whose_files_alone_are_looked_at_has_nothing_beside_it(place):
    write_manifest(place, {**manifest_of(place, "desk"), "mode": "verify"}, "desk")

    shown = after(place, "enter", "n")

    assert "passed, its files alone" in shown
    assert "nothing differs" in shown
    assert row_at(shown, 3).split("│")[1].strip() == ""


def test_the_keys_of_both_screens_are_told(place):
    assert "The goldens" in after(place, "question_mark")

    keys = after(place, "enter", "question_mark", size=(80, 60))

    assert "A walk through a golden" in keys
    for words in ("→ l              One step on", "← h              One step back"):
        assert words in keys


def test_a_session_is_told_the_same_from_whichever_side_one_comes(place):
    [path] = golden_of(place, "desk").glob("*.trace.jsonl")
    fold = Side.of(path).fold

    with LedgerFile(path) as session:
        for at in (7, 3, 5, 4, 4, 0, 6):
            found = standing_at(session, at)
            assert fold.told_at(at) == [("session", found["state"]), *told_standing(found)]
