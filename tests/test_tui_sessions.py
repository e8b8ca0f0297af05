"""The list of sessions: what it says of a ledger while others write to it, or change it."""

from __future__ import annotations

import errno
import os
import re
from pathlib import Path

import pytest

from cra.ledger import files
from cra.ledger.memory import Memory
from cra.runtime.project import Project
from cra.tui.app import TraceApp
from cra.tui.sessions import Count, arranged, count_on, glance
from tests.governed import ALLOW, begun, write_project
from tests.traces import DESK, EVENTS, OTHER, lines_of, many, write_session
from tests.viewer import SMALL, WIDE, press, seen, setting_of, settled, until, viewed

NARROW = (50, 20)


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "cra.trace"


@pytest.fixture
def desk(ledger):
    return write_session(ledger, DESK, lines_of(DESK))


@pytest.fixture
def recorded(tmp_path):
    """The directory of a ledger with a journal and three sessions, and their files."""
    place = write_project(tmp_path / "project", ALLOW)
    with Project.open(place) as project:
        for _ in range(3):
            session = begun(project)
            session.execute("ticket.read", {"id": 1042})
            session.end()
    directory = place / "cra.trace"
    return directory, sorted(directory.glob("0*.trace.jsonl"))


def change_a_byte(path: Path, at: int = 1000) -> None:
    data = bytearray(path.read_bytes())
    data[at] ^= 1
    path.write_bytes(data)


def status_of(shown: str) -> str:
    return shown.splitlines()[-2].strip()


def row_of(shown: str, path: Path) -> str:
    [row] = [line for line in shown.splitlines()[2:] if line[1:].startswith(path.name[:13])]
    return row


@pytest.fixture
def no_rights(monkeypatch):
    """Files, by their names, that nobody may read."""
    names: set[str] = set()
    opened = files.open_for_reading

    def refused(path: Path) -> int:
        if path.name in names:
            raise PermissionError(errno.EACCES, os.strerror(errno.EACCES), str(path))
        return opened(path)

    monkeypatch.setattr(files, "open_for_reading", refused)
    return names


# The verdict while the screen is open.


@pytest.mark.parametrize("size", [WIDE, SMALL])
def test_a_session_that_is_deleted_is_missed_at_once_and_has_a_row(recorded, size):
    directory, paths = recorded

    async def script(pilot):
        await until(pilot, "✓ INTACT")
        paths[1].unlink()
        return await until(pilot, "✗ missing")

    shown = viewed(TraceApp(setting_of(directory)), script, size)

    assert "✗ missing" in row_of(shown, paths[1])
    assert status_of(shown).startswith("✗ TAMPERED")
    assert "3 sessions" in status_of(shown)


def test_a_session_that_comes_back_is_no_longer_missing(recorded):
    directory, paths = recorded
    kept = paths[1].rename(directory / "kept")

    async def script(pilot):
        await until(pilot, "✗ missing")
        kept.rename(paths[1])
        return await until(pilot, "✓ INTACT")

    assert "missing" not in viewed(TraceApp(setting_of(directory)), script)


def test_a_ledger_whose_last_session_is_deleted_is_verified_again(recorded):
    directory, paths = recorded

    async def script(pilot):
        await until(pilot, "✓ INTACT")
        for path in paths:
            path.unlink()
        return await until(pilot, "✗ TAMPERED")

    assert viewed(TraceApp(setting_of(directory)), script).count("✗ missing") == 3


@pytest.mark.parametrize(
    ("name", "at"), [("journal.trace.jsonl", 1000), ("journal.checkpoint", 80)]
)
def test_a_journal_that_is_changed_is_verified_again(recorded, name, at):
    directory, _ = recorded

    async def script(pilot):
        await until(pilot, "✓ INTACT")
        change_a_byte(directory / name, at)
        return await until(pilot, "✗ ")

    assert status_of(viewed(TraceApp(setting_of(directory)), script)).startswith("✗ ")


def test_a_ledger_of_which_nothing_is_left_but_a_memory_is_not_called_empty(recorded, tmp_path):
    directory, _ = recorded
    setting = setting_of(directory)._replace(memory=Memory(tmp_path / "memory"))
    viewed(TraceApp(setting), lambda pilot: until(pilot, "✓ INTACT"))
    for path in directory.iterdir():
        if path.is_file():
            path.unlink()

    shown = viewed(TraceApp(setting), lambda pilot: until(pilot, "✗ TAMPERED"))

    assert "0 sessions" in status_of(shown)


def test_a_change_that_leaves_size_and_time_as_they_were_is_verified_again(recorded):
    directory, paths = recorded

    async def script(pilot):
        await until(pilot, "✓ INTACT")
        before = paths[0].stat()
        change_a_byte(paths[0])
        os.utime(paths[0], ns=(before.st_atime_ns, before.st_mtime_ns))
        return await until(pilot, "✗ ")

    assert status_of(viewed(TraceApp(setting_of(directory)), script)).startswith("✗ ")


def test_a_ledger_that_stays_as_it_is_is_verified_once(recorded, monkeypatch):
    from cra.ledger import verify

    directory, _ = recorded
    verified = []
    judged = verify.verify_ledger

    def counting(*arguments, **options):
        verified.append(arguments)
        return judged(*arguments, **options)

    monkeypatch.setattr(verify, "verify_ledger", counting)

    async def script(pilot):
        await until(pilot, "✓ INTACT")
        await pilot.pause(2.5)

    viewed(TraceApp(setting_of(directory)), script)

    assert len(verified) == 1


def test_a_session_that_is_deleted_from_a_large_ledger_is_missed_as_well(recorded, monkeypatch):
    monkeypatch.setattr("cra.tui.browser._MAX_AGAIN", 0)
    directory, paths = recorded

    async def script(pilot):
        await until(pilot, "✓ INTACT")
        paths[1].unlink()
        return await until(pilot, "✗ missing")

    assert "(v)" not in viewed(TraceApp(setting_of(directory)), script)


# What `v` says.


def test_v_names_each_unsound_part_with_its_code_and_what_was_found(recorded):
    directory, paths = recorded
    paths[1].unlink()
    change_a_byte(paths[2])

    async def script(pilot):
        await until(pilot, "✗ TAMPERED")
        return await press(pilot, "v")

    shown = viewed(TraceApp(setting_of(directory)), script, notifies=True)
    told = " ".join(shown.replace("▌", " ").split())

    for path in paths[1:]:
        assert path.name.removesuffix(".trace.jsonl") in told
    assert "CRA-3021" in told
    assert "found no file" in told
    assert "cra trace verify" in told


def test_v_names_some_unsound_parts_and_counts_the_others(ledger):
    for number in range(9):
        session_id = f"{DESK[:-1]}{number}"
        write_session(ledger, session_id, lines_of(session_id))

    async def script(pilot):
        await until(pilot, "✗ UNLISTED")
        return await press(pilot, "v")

    shown = viewed(TraceApp(setting_of(ledger)), script, notifies=True)

    assert "and 4 more" in shown


def test_v_says_what_a_sound_verdict_rests_on(recorded):
    directory, _ = recorded

    async def script(pilot):
        await until(pilot, "✓ INTACT")
        return await press(pilot, "v")

    shown = viewed(TraceApp(setting_of(directory)), script, notifies=True)

    assert "INTACT, L0" in shown
    assert "the journal and 3 sessions" in shown
    assert "covered" in shown
    assert "L2 unavailable" in shown


def test_v_without_anything_to_verify_says_so(ledger):
    async def script(pilot):
        return await press(pilot, "v")

    shown = viewed(TraceApp(setting_of(ledger)), script, notifies=True)

    assert "there is nothing to verify" in shown
    assert "✗" not in shown


# A row.


@pytest.mark.parametrize("size", [WIDE, SMALL, NARROW])
def test_an_unsound_session_is_told_in_its_row_at_every_width(recorded, size):
    directory, paths = recorded
    change_a_byte(paths[1])

    shown = viewed(TraceApp(setting_of(directory)), lambda pilot: until(pilot, "✗ d"), size)

    rows = [line for line in shown.splitlines()[2:] if "✗ damaged" in line or "✗ tampered" in line]
    assert len(rows) == 1


@pytest.mark.parametrize("size", [SMALL, WIDE])
def test_sessions_of_the_same_minute_are_told_apart_by_their_ids(recorded, size):
    directory, paths = recorded

    shown = viewed(TraceApp(setting_of(directory)), settled, size)

    for path in paths:
        row_of(shown, path)


@pytest.mark.parametrize("columns", [40, 50, 60, 70, 79, 80, 90, 100, 112, 120])
@pytest.mark.usefixtures("desk")
def test_no_column_stands_where_it_has_no_room(ledger, columns):
    shown = viewed(TraceApp(setting_of(ledger)), settled, (columns, 20)).splitlines()
    heading, row = shown[1], shown[2]

    assert "…" not in heading
    goal = row[heading.index("GOAL") :] if "GOAL" in heading else "answer"
    assert goal.startswith("answer")


@pytest.mark.parametrize(
    ("today", "size", "told"),
    [
        ("2026-11-20", WIDE, " 10:00:08 "),
        ("2026-11-20", SMALL, " 10:00:08 "),
        ("2026-11-21", WIDE, " 2026-11-20 "),
        ("2026-11-21", SMALL, " 11-20 "),
    ],
)
@pytest.mark.usefixtures("desk")
def test_the_last_activity_is_a_time_today_and_a_date_before(
    ledger, monkeypatch, today, size, told
):
    monkeypatch.setattr("cra.ledger.source.Source.now", lambda _: f"{today}T23:00:00.000000Z")

    shown = viewed(TraceApp(setting_of(ledger)), settled, size)

    assert told in shown.splitlines()[2]


@pytest.mark.parametrize("size", [WIDE, SMALL, NARROW])
def test_the_mark_of_a_call_that_has_begun_stands_apart_from_the_agent(ledger, size, monkeypatch):
    monkeypatch.setattr("cra.tui.browser._MAX_VERIFIED", 0)
    write_session(ledger, DESK, lines_of(DESK, EVENTS[:4]))

    shown = viewed(TraceApp(setting_of(ledger)), settled, size)

    assert re.search("▶ +support", shown)


# What cannot be read.


@pytest.mark.parametrize("ending", [".trace.jsonl", ".checkpoint"])
def test_a_session_that_may_not_be_read_leaves_the_others_their_verdicts(
    recorded, no_rights, ending
):
    directory, paths = recorded
    session_id = paths[1].name.removesuffix(".trace.jsonl")
    no_rights.add(f"{session_id}{ending}")
    change_a_byte(paths[0])
    paths[2].unlink()

    async def script(pilot):
        await until(pilot, "✗ missing")
        return seen(pilot), await press(pilot, "v")

    shown, told = viewed(TraceApp(setting_of(directory)), script, notifies=True)

    assert "✗" in row_of(shown, paths[0])
    assert "✗ missing" in row_of(shown, paths[2])
    assert "1 unreadable" in status_of(shown)
    assert "✗ TAMPERED" in status_of(shown)
    assert "Permission denied" in " ".join(told.split())


def test_a_session_that_may_not_be_read_is_not_called_damaged(recorded, no_rights):
    directory, paths = recorded
    no_rights.add(paths[1].name)

    shown = viewed(TraceApp(setting_of(directory)), lambda pilot: until(pilot, "INTACT L0"))

    assert "? unreadable" in row_of(shown, paths[1])
    assert "INTACT L0" in row_of(shown, paths[0])
    assert "✓" not in status_of(shown)
    assert "1 unreadable" in status_of(shown)


def test_a_journal_that_may_not_be_read_is_named(recorded, no_rights):
    directory, _ = recorded
    no_rights.add("journal.trace.jsonl")

    shown = viewed(TraceApp(setting_of(directory)), lambda pilot: until(pilot, "Permission"))

    assert "Permission denied: journal.trace.jsonl" in status_of(shown)


# Large sessions.


def test_the_calls_of_large_sessions_are_counted_after_a_while(ledger, monkeypatch):
    monkeypatch.setattr("cra.tui.sessions._MAX_COUNTED", 0)
    lines = lines_of(DESK)
    path = write_session(ledger, DESK, lines[:6])
    write_session(ledger, OTHER, lines_of(OTHER, many(450)))

    async def script(pilot):
        both = await until(pilot, "▲ 4")
        with path.open("ab") as file:
            file.write(b"".join(lines[6:]))
        return both, await until(pilot, "✗ 1")

    both, again = viewed(TraceApp(setting_of(ledger)), script)

    assert "▲ 1" in both.splitlines()[3]
    assert "▲ 1   ✗ 1" in again.splitlines()[3]


def test_a_large_session_that_is_changed_where_it_stands_is_counted_anew(ledger, monkeypatch):
    monkeypatch.setattr("cra.tui.sessions._MAX_COUNTED", 0)
    path = write_session(ledger, DESK, lines_of(DESK))

    async def script(pilot):
        await until(pilot, "▲ 1")
        path.write_bytes(path.read_bytes().replace(b"action.failed", b"action.denied"))
        return await until(pilot, "▲ 2")

    viewed(TraceApp(setting_of(ledger)), script)


def test_a_count_that_is_stopped_goes_on_from_where_it_was(ledger):
    path = write_session(ledger, OTHER, lines_of(OTHER, many(3000)))
    asked = []

    def is_cancelled():
        asked.append(None)
        return len(asked) > 2

    stopped = count_on(path, Count(), is_cancelled)
    whole = count_on(path, stopped, lambda: False)

    assert not stopped.is_whole
    assert 0 < stopped.end < path.stat().st_size
    assert whole == count_on(path, Count(), lambda: False)
    assert whole.outcomes.denials == 29


def test_what_a_payload_says_is_no_call(ledger):
    told = {**EVENTS[4][3], "result": {"event_type": "action.denied", "span_id": DESK}}
    path = write_session(ledger, DESK, lines_of(DESK, [*EVENTS[:4], (*EVENTS[4][:3], told)]))

    assert glance(path).outcomes == (0, 0, 0)


def test_by_trouble_sessions_that_nobody_counted_come_last(ledger, monkeypatch):
    calm = glance(write_session(ledger, DESK, lines_of(DESK, EVENTS[:4])))
    calm = calm._replace(outcomes=calm.outcomes._replace(intents=0))
    monkeypatch.setattr("cra.tui.sessions._MAX_COUNTED", 0)
    large = glance(write_session(ledger, OTHER, lines_of(OTHER)))

    assert arranged([large, calm], "trouble", "") == [calm, large]


# Marks.


@pytest.mark.usefixtures("desk")
def test_a_marked_session_that_a_search_leaves_out_is_told_of(ledger):
    write_session(ledger, OTHER, lines_of(OTHER, many(20)))

    async def script(pilot):
        before = await press(pilot, "space")
        return before, await press(pilot, "slash", *"1042", "enter")

    before, narrowed = viewed(TraceApp(setting_of(ledger)), script, SMALL)

    assert "1 marked: D compares it" in status_of(before)
    assert "1 marked, not shown: D compares it" in status_of(narrowed)
