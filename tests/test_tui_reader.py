"""The screen of one session: what is narrowed, drawn over time, completed, and handed to others."""

from __future__ import annotations

import asyncio
import os
import re
import stat
import subprocess
import sys
import time
from pathlib import Path
from threading import Thread

import pytest

from cra.tui.app import TraceApp
from cra.tui.narrowing import KINDS, Narrowing, completed, of_action
from cra.tui.setting import Choices, recall, remember
from cra.tui.source import Cancelled, OpenLog, look
from tests.governed import ALLOW, rule, write_project
from tests.program import ROOT, answer, cra
from tests.traces import DESK, EVENTS, lines_of, many, write_session
from tests.viewer import WIDE, at_rest, press, reading, setting_of, settled, until, viewed

NOW = "2026-11-20T10:00:00.000000Z"


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "cra.trace"


@pytest.fixture
def desk(ledger):
    return write_session(ledger, DESK, lines_of(DESK))


def shown_by(app: TraceApp, *keys: str, size=WIDE) -> str:
    return viewed(app, lambda pilot: press(pilot, *keys), size)


# A file that is long.


def test_the_first_events_can_be_read_while_the_rest_is_counted(ledger):
    log = OpenLog(write_session(ledger, DESK, lines_of(DESK, many(5_000))))
    read = []

    def advance(count: int, position: int) -> None:
        log.take(count)
        read.append((count, position, log.row(0).event_type, log.row(count - 1).number))

    whole = look(log, advance)

    assert len(read) > 2
    assert all((kind, last) == ("session.started", count - 1) for count, _, kind, last in read)
    assert whole == 5_000 == read[-1][0]
    log.close()


def test_counting_that_was_stopped_goes_on_where_it_was(ledger):
    path = write_session(ledger, DESK, lines_of(DESK, many(5_000)))
    log = OpenLog(path)

    def stop(*_: int) -> None:
        raise Cancelled

    with pytest.raises(Cancelled):
        look(log, stop)

    assert 0 < log.file.count < 5_000
    assert look(log) == 5_000
    log.take(5_000)
    assert [log.row(at).number for at in (0, 1_234, 4_999)] == [0, 1_234, 4_999]
    log.close()


def test_a_place_to_begin_at_is_gone_to_however_long_the_file_is(ledger):
    path = write_session(ledger, DESK, lines_of(DESK, many(5_000)))

    assert "event 4,321 of 5,000" in shown_by(reading(path, at=4_321))


# Quick filters.


def numbers_under(narrowing: Narrowing) -> list[int]:
    wanted = narrowing.filter(NOW)
    assert wanted is not None
    return [at for at, line in enumerate(lines_of(DESK)) if wanted.matches(line[:-1])]


def test_quick_filters_of_one_kind_add_up_and_those_of_others_narrow():
    both = Narrowing().toggled(KINDS["denials"]).toggled(KINDS["errors"])

    assert numbers_under(both) == [5, 7]
    assert numbers_under(both.toggled(of_action("refund.issue"))) == [5, 7]
    assert numbers_under(both.toggled(of_action("ticket.read")).inverted()) == [5, 7]
    assert numbers_under(both._replace(expression="the bank")) == [7]


def test_a_quick_filter_that_is_turned_round_leaves_out_what_it_chose():
    denials = Narrowing().toggled(KINDS["denials"])

    assert numbers_under(denials.inverted()) == [0, 1, 2, 3, 4, 6, 7, 8]
    assert numbers_under(denials.toggled(KINDS["errors"]).inverted()) == [5]
    assert denials.inverted().inverted() == denials
    assert denials.inverted().toggled(KINDS["denials"]) == Narrowing()


def test_an_action_with_any_name_is_chosen_exactly():
    odd = of_action('tick" OR type:*')

    assert numbers_under(Narrowing().toggled(odd)) == []
    assert numbers_under(Narrowing().toggled(of_action("ticket.read"))) == [3, 4]


def test_a_key_shows_the_action_under_the_cursor_alone_and_all_again(desk):
    async def script(pilot):
        action = await press(pilot, "c")
        others = await press(pilot, "exclamation_mark")
        return action, others, await press(pilot, "0")

    action, others, everything = viewed(reading(desk, at=5), script)

    assert "only refund.issue" in action
    assert "of 3 shown" in action
    assert "no refund.issue" in others
    assert "of 6 shown" in others
    assert "event 8 of 9" in everything
    assert "refund.issue  " not in everything.split("\n")[0]


def test_a_key_shows_the_span_under_the_cursor_alone(desk):
    async def script(pilot):
        span = await press(pilot, "s")
        return span, await press(pilot, "s")

    span, everything = viewed(reading(desk, at=7), script)

    assert "row 2 of 2 shown" in span
    assert "shown" not in everything


def test_keys_that_have_nothing_to_narrow_say_so(desk):
    async def script(pilot):
        await pilot.press("c")
        action = await settled(pilot)
        await pilot.press("exclamation_mark")
        return action, await settled(pilot)

    action, inverted = viewed(reading(desk), script, notifies=True)

    assert "this event has no action" in action
    assert "! turns a quick filter round" in inverted


# What is typed is completed.


@pytest.mark.parametrize(
    ("typed", "proposed"),
    [
        ("ty", "type:"),
        ("type:action.d", "type:action.denied"),
        ("card -sev", "card -severity:"),
        ("severity:w", "severity:warn"),
        ("payload.action_id=ticket.c", "payload.action_id=ticket.close"),
        ("nothing:begins:so", None),
        ("type:action.denied ", None),
    ],
)
def test_the_last_term_of_a_filter_is_completed(typed, proposed):
    assert completed(typed, ["ticket.close", "ticket.read"]) == proposed


def test_tab_takes_what_is_proposed(desk):
    shown = shown_by(reading(desk), "f", *"type:action.den", "tab", "enter")

    assert "filter type:action.denied" in shown
    assert "row 1 of 1 shown" in shown


def test_the_actions_of_the_project_are_proposed(tmp_path):
    place = write_project(tmp_path / "project", ALLOW)
    answer(place, "session", "start", "--agent", "cli")
    answer(place, "resolve", "--goal", "read a ticket")
    from cra import Project

    setting = setting_of(place / "cra.trace", project=lambda: Project.open(place), root=place)
    [path] = (place / "cra.trace").glob("0*.trace.jsonl")

    shown = shown_by(TraceApp(setting, path), "f", *"payload.action_id=ticket.cl", "tab")

    assert "payload.action_id=ticket.close" in shown


# The waterfall.


def bars_of(shown: str) -> list[str]:
    rows = [line for line in shown.split("\n") if re.match(r" {2,4}\d", line)]
    return ["".join(char for char in row if char in "━╵") for row in rows]


def test_a_waterfall_draws_how_long_each_call_took_where_it_was(desk):
    shown = shown_by(reading(desk), "i", "w")
    rows = [line for line in shown.split("\n") if re.match(r" {2,4}\d", line)]
    instants = [row.index("╵") for row in rows if "╵" in row]
    whole = next(row for row in rows if "session.ended" in row)

    assert bars_of(shown)[3] == "╵"
    assert instants == sorted(instants)
    assert instants[-1] > instants[0] + 10
    # The session lasted as long as all of it.
    assert whole.count("━") >= max(20, instants[-1] - instants[0])
    assert "bars: 9.0 s" in shown


def test_a_span_has_a_bar_from_its_first_event_to_its_last(desk, ledger):
    remember(ledger.parent / "state", Choices(tree=True, bars=True, details=False))

    shown = shown_by(reading(desk))
    [head] = [row for row in shown.split("\n") if "▾ request.received" in row]
    [inner] = [row for row in shown.split("\n") if "resolution.completed" in row]

    assert head.count("━") > 15
    assert inner.count("━") <= 1


def test_a_waterfall_is_not_drawn_and_not_remembered_where_there_is_no_room(desk, ledger):
    async def script(pilot):
        return await press(pilot, "w")

    narrow = viewed(reading(desk), script, (56, 20), notifies=True)

    assert "a waterfall" in narrow
    assert not any(bars_of(narrow))
    assert recall(ledger.parent / "state").bars is False


# A tree that grows.


def test_a_tree_takes_in_what_comes_and_is_followed(ledger):
    lines = lines_of(DESK)
    path = write_session(ledger, DESK, lines[:4])
    remember(ledger.parent / "state", Choices(tree=True))

    async def script(pilot):
        before = await press(pilot, "F")
        with path.open("ab") as file:
            file.write(b"".join(lines[4:]))
        return before, await until(pilot, "event 8 of 9")

    before, after = viewed(reading(path), script)

    assert "▾ request.received" in before
    assert "FOLLOWS" in after
    assert "▾ request.received" in after
    assert "session.ended" in after


def test_a_span_that_was_closed_stays_closed_when_the_tree_grows(ledger):
    lines = lines_of(DESK)
    path = write_session(ledger, DESK, lines[:5])
    remember(ledger.parent / "state", Choices(tree=True))

    async def script(pilot):
        await press(pilot, "down", "left")
        with path.open("ab") as file:
            file.write(b"".join(lines[5:]))
        return await until(pilot, "of 9")

    shown = viewed(reading(path), script)

    assert "▸ request.received" in shown
    assert "action.denied" not in shown


# Nobody waits for what takes long.


def longest_turn(path: Path, monkeypatch: pytest.MonkeyPatch) -> float:
    """How much of the processor a turn of the event loop takes at most, while a session is opened,
    gone through, searched, filtered and ordered: so long a key waits."""
    keys = (
        ("r",),
        ("end", "pageup", "home", "w", "space", "m"),
        ("t",),
        ("left", "right", "end", "t", "d"),
        ("d", "slash", *"declined", "enter"),
        ("n", "N", "colon", *"77", "enter", "F"),
    )
    found: list[float] = []
    turn = asyncio.Handle._run  # noqa: SLF001  # every turn goes through it

    def measured(self: asyncio.Handle) -> None:
        begun = time.thread_time()
        turn(self)
        found.append(time.thread_time() - begun)

    async def script(pilot):
        found.clear()  # what a program takes to begin with is another matter
        for some in keys:
            await pilot.press(*some)
            await at_rest(pilot)

    with monkeypatch.context() as patched:
        patched.setattr(asyncio.Handle, "_run", measured)
        viewed(reading(path), script)
    return max(found)


def test_no_turn_of_the_event_loop_grows_with_the_session(tmp_path, monkeypatch):
    small, large = (
        write_session(tmp_path / str(count) / "cra.trace", DESK, lines_of(DESK, many(count)))
        for count in (300, 20_000)
    )

    # The least of several is what the program itself takes.
    usual, longest = (
        min(longest_turn(path, monkeypatch) for _ in range(2)) for path in (small, large)
    )

    assert longest < 2 * usual + 0.02, (longest, usual)


# A file that is changed while it is read.


@pytest.fixture
def ended(tmp_path):
    place = write_project(tmp_path / "project", ALLOW)
    answer(place, "resolve", "--goal", "close a ticket")
    cra(place, "execute", "ticket.close", "-p", "file=secret")
    cra(place, "session", "end", "last")
    return place


def session_in(place: Path) -> Path:
    [path] = (place / "cra.trace").glob("0*.trace.jsonl")
    return path


def test_a_redaction_that_the_journal_tells_of_is_a_notice(ended):
    path = session_in(ended)

    async def script(pilot):
        cra(ended, "trace", "redact", f"{path.name.split('.')[0]}:3", "--reason", "why", "--yes")
        notice = await until(pilot, "notice")
        return notice, await press(pilot, "r", "colon", "3", "enter")

    notice, again = viewed(reading(path), script)

    assert "an event was redacted" in notice
    assert "integrity" not in notice
    assert "redacted" in again
    assert "✓ INTACT" in again


def test_a_session_that_the_journal_says_was_pruned_is_a_notice(ended):
    path = session_in(ended)

    async def script(pilot):
        cra(ended, "trace", "prune", "--session", path.name.split(".")[0], "--reason", "why", "-y")
        notice = await until(pilot, "notice")
        return notice, await press(pilot, "r")

    for shown in viewed(reading(path), script):
        assert "notice: the journal says that the session was pruned" in shown
        assert "integrity" not in shown
    assert "verifying" not in shown


def test_a_fault_of_the_journal_is_told_as_that_and_leads_to_no_event(ended):
    journal = ended / "cra.trace" / "journal.trace.jsonl"
    journal.write_bytes(
        journal.read_bytes().replace(b'"severity":"debug"', b'"severity":"error"', 1)
    )

    async def script(pilot):
        await until(pilot, "✗")
        return await press(pilot, "v")

    shown = viewed(reading(session_in(ended)), script, notifies=True)

    assert "✗ DAMAGED in the journal" in shown
    assert "event 0 of" in shown


def test_another_file_in_its_place_is_an_alarm(desk):
    async def script(pilot):
        other = desk.with_suffix(".other")
        other.write_bytes(b"".join(lines_of(DESK, many(30))))
        other.replace(desk)
        alarm = await until(pilot, "integrity")
        return alarm, await press(pilot, "r")

    alarm, again = viewed(reading(desk), script)

    assert "found another in its place" in alarm
    assert "of 30" in again


def test_a_session_is_read_while_it_is_written_as_fast_as_can_be(ledger):
    lines = lines_of(DESK, many(6_000))
    path = write_session(ledger, DESK, lines[:10])

    def write() -> None:
        with path.open("ab", buffering=0) as file:
            for line in lines[10:]:
                file.write(line[:100])
                file.write(line[100:])

    async def script(pilot):
        writer = Thread(target=write)
        await pilot.press("F", "t")
        writer.start()
        while writer.is_alive():
            await pilot.press("up", "d", "end", "d", "slash", *"card", "enter", "t", "F")
        writer.join()
        await pilot.press("0", "end")
        return await until(pilot, "of 6,000")

    shown = viewed(reading(path), script)

    assert "integrity" not in shown
    assert "Traceback" not in shown


# For other programs.


def copied(app: TraceApp, *keys: str) -> str:
    """What is handed to the terminal to be copied."""
    texts: list[str] = []
    app.copy = texts.append  # type: ignore[assignment, method-assign]
    viewed(app, lambda pilot: press(pilot, *keys))
    [text] = texts
    return text


def test_a_command_is_copied_that_decides_the_call_again(tmp_path):
    place = write_project(tmp_path / "project", ALLOW, rule("never", "deny", "ticket.close"))
    answer(place, "resolve", "--goal", "close a ticket, it's done")
    assert cra(place, "execute", "ticket.close", "-p", "file=it's $HOME").returncode == 1
    [path] = (place / "cra.trace").glob("0*.trace.jsonl")
    denied = len(path.read_bytes().splitlines()) - 1

    command = copied(reading(path, at=denied), "Y")
    resolving = copied(reading(path, at=1), "Y")
    showing = copied(reading(path, at=0), "Y")

    told = subprocess.run(
        ["bash", "-c", command.replace("cra ", f"{sys.executable} -m cra ")],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert (told.returncode, "never" in told.stdout) == (1, True), told.stderr
    assert "it's $HOME" in command.replace("'\"'\"'", "'")
    assert resolving == "cra resolve --goal 'close a ticket, it'\"'\"'s done'"
    assert showing == f"cra trace show {path.name.split('.')[0]} --seq 0"


def test_what_is_redacted_is_shown_and_not_repeated(ledger):
    started, denied = EVENTS[0], EVENTS[5]
    secret = {**denied[3], "arguments": {"token": {"$redacted": "token", "mac": "00"}}}
    path = write_session(ledger, DESK, lines_of(DESK, [started, (*denied[:3], secret)]))

    assert copied(reading(path, at=1), "Y") == f"cra trace show {DESK} --seq 1"


def test_an_event_is_opened_in_the_editor_and_nothing_of_it_is_kept(desk, ledger, tmp_path):
    seen_there = tmp_path / "seen.json"
    editor = tmp_path / "editor"
    editor.write_text(f'#!/bin/sh\ncp "$1" {seen_there}\necho "$1" > {tmp_path}/path\n')
    editor.chmod(editor.stat().st_mode | stat.S_IXUSR)
    setting = setting_of(ledger)
    app = TraceApp(setting._replace(environ={"EDITOR": str(editor)}), desk, at=5)
    app.suspend = _Suspended

    shown_by(app, "E")

    assert '"event_type": "action.denied"' in seen_there.read_text()
    assert not Path((tmp_path / "path").read_text().strip()).exists()


class _Suspended:
    """A terminal that a test has not got: nothing is to be given back."""

    def __enter__(self) -> None:
        pass

    def __exit__(self, *_: object) -> None:
        pass


def test_an_editor_that_is_not_there_is_said_to_be_so(desk, ledger):
    setting = setting_of(ledger)._replace(environ={"EDITOR": "no-such-editor"})
    app = TraceApp(setting, desk)
    app.suspend = _Suspended

    told = viewed(app, lambda pilot: press(pilot, "E"), notifies=True)

    assert "set EDITOR" in told


@pytest.mark.parametrize(("word", "suffix"), [("text", "txt"), ("picture", "svg")])
def test_the_screen_is_written_by_the_palette(desk, tmp_path, monkeypatch, word, suffix):
    monkeypatch.chdir(tmp_path)

    async def script(pilot):
        await pilot.press("ctrl+p")
        await pilot.pause()
        await pilot.press(*word)
        await settled(pilot)
        await pilot.press("enter")
        return await settled(pilot)

    viewed(reading(desk), script)

    [written] = tmp_path.glob(f"cra-trace-*.{suffix}")
    assert "action.denied" in written.read_text(encoding="utf-8")


def test_a_mouse_that_was_switched_off_stays_off(desk, ledger):
    state = ledger.parent / "state"

    assert reading(desk).choices.mouse
    assert not reading(desk, has_mouse=False).choices.mouse
    assert not reading(desk).choices.mouse
    assert reading(desk, has_mouse=True).choices.mouse
    assert recall(state).mouse


def test_leaving_a_session_that_was_asked_for_shows_the_others(desk):
    async def script(pilot):
        sessions = await press(pilot, "q")
        await pilot.press("q")
        return sessions, pilot.app.return_code

    sessions, code = viewed(reading(desk), script)

    assert "1 session" in sessions
    assert code == 0
