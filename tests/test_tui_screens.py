"""The viewer's screens: what keys do, and what is seen then."""

from __future__ import annotations

import asyncio
import json
from contextlib import contextmanager
from pathlib import Path

import pytest
from textual.events import Key

from cra.ledger.shown import Shown
from cra.runtime.project import Project
from cra.tui.app import TraceApp
from cra.tui.inspector import command_of
from cra.tui.source import opened as opened_log
from tests.governed import ALLOW, GOAL, limit, rule, write_project
from tests.traces import DESK, EVENTS, OTHER, lines_of, many, write_session
from tests.viewer import SMALL, WIDE, press, reading, seen, setting_of, settled, until, viewed


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "cra.trace"


@pytest.fixture
def desk(ledger):
    return write_session(ledger, DESK, lines_of(DESK))


def after(app: TraceApp, *keys: str, size=WIDE) -> str:
    return viewed(app, lambda pilot: press(pilot, *keys), size)


def typed_ahead(pilot, *keys: str) -> None:
    """Press keys, each before what the one before it does can be seen."""
    for key in keys:
        pilot.app.post_message(Key(key, None))


# The sessions.


@pytest.mark.usefixtures("desk")
def test_sessions_are_listed_with_agent_state_goal_and_trouble(ledger):
    shown = after(TraceApp(setting_of(ledger)))

    [row] = [line for line in shown.split("\n") if DESK[:8] in line]
    for word in ("✗ unlisted", "support", "9", "▲ 1", "✗ 1", "UNLISTED", "answer ticket 1042"):
        assert word in row
    assert "✗ UNLISTED" in shown


@pytest.mark.usefixtures("desk")
def test_typing_chooses_sessions_and_escape_shows_all(ledger):
    write_session(ledger, OTHER, lines_of(OTHER, many(20)))

    async def script(pilot):
        chosen = await press(pilot, "slash", *"1042")
        await pilot.press("enter")
        return chosen, await press(pilot, "escape")

    chosen, everything = viewed(TraceApp(setting_of(ledger)), script)

    assert "1 session " in chosen
    assert "2 sessions " in everything


@pytest.mark.usefixtures("desk")
def test_a_session_that_begins_meanwhile_appears(ledger):
    async def script(pilot):
        write_session(ledger, OTHER, lines_of(OTHER, many(20)))
        for _ in range(40):
            if "2 sessions" in await settled(pilot):
                return True
            await asyncio.sleep(0.05)
        return False

    assert viewed(TraceApp(setting_of(ledger)), script)


def test_an_empty_project_says_how_to_begin(ledger):
    assert "cra session start begins one" in after(TraceApp(setting_of(ledger)))


def test_a_ledger_that_cannot_be_read_is_said_to_be_so(ledger):
    ledger.write_bytes(b"no directory")

    assert "Not a directory" in after(TraceApp(setting_of(ledger)))


def test_a_ledger_of_many_sessions_is_verified_unasked_as_well(ledger):
    for number in range(401):
        session_id = f"{DESK[:-3]}{number:03}"
        write_session(ledger, session_id, lines_of(session_id, EVENTS[:1]))

    shown = viewed(TraceApp(setting_of(ledger)), lambda pilot: until(pilot, "✓"))

    assert "401 sessions" in shown
    assert "not verified" not in shown


def test_a_ledger_that_changes_is_verified_again(ledger):
    path = write_session(ledger, DESK, lines_of(DESK, EVENTS[:1]))

    async def script(pilot):
        await until(pilot, "✓ STILLBORN")
        path.write_bytes(path.read_bytes().replace(b"support", b"suppost"))
        return await until(pilot, "✗ DAMAGED")

    assert "(v)" not in viewed(TraceApp(setting_of(ledger)), script)


def test_a_verdict_on_a_large_ledger_counts_for_the_files_that_were_verified(ledger, monkeypatch):
    monkeypatch.setattr("cra.tui.browser._MAX_AGAIN", 0)
    path = write_session(ledger, DESK, lines_of(DESK, EVENTS[:1]))

    async def script(pilot):
        before = await until(pilot, "✓ STILLBORN")
        path.write_bytes(path.read_bytes().replace(b"support", b"suppost"))
        after = await until(pilot, "STILLBORN L0 before the last change (v)")
        return before, after, await press(pilot, "v")

    before, after, again = viewed(TraceApp(setting_of(ledger)), script)

    assert "STILLBORN L0" in before.splitlines()[2]
    assert "STILLBORN" not in after.splitlines()[2]
    assert "✗" in again.splitlines()[-2]


@pytest.mark.usefixtures("desk")
def test_enter_twice_opens_a_session_once(ledger):
    async def script(pilot):
        typed_ahead(pilot, "enter", "enter")
        await until(pilot, "session.started")
        return await press(pilot, "q")

    assert "1 session" in viewed(TraceApp(setting_of(ledger)), script)


@pytest.mark.usefixtures("desk")
def test_enter_opens_a_session_and_q_comes_back(ledger):
    async def script(pilot):
        inside = await press(pilot, "enter")
        return inside, await press(pilot, "q")

    inside, outside = viewed(TraceApp(setting_of(ledger)), script)

    assert DESK in inside
    assert "by begun" in outside


# A session.


def test_the_first_screen_shows_events_the_chosen_one_and_the_verdict(desk):
    shown = after(reading(desk))

    assert "action.denied" in shown
    assert "event hash" in shown
    assert "✓ INTACT L0" in shown
    assert "event 0 of 9" in shown


def test_options_open_a_place_and_a_filter(desk):
    assert "event 5 of 9" in after(reading(desk, at=5))
    shown = after(reading(desk, expression="type:action.denied"))
    assert "row 1 of 1 shown, event 5 of 9" in shown


def test_a_small_screen_has_the_inspector_when_it_is_asked_for(desk):
    async def script(pilot):
        before = seen(pilot)
        inside = await press(pilot, "end", "up", "up", "up", "enter")
        return before, inside, await press(pilot, "escape")

    before, inside, left = viewed(reading(desk), script, SMALL)

    assert "severity" not in before
    assert "refund-limit" in inside
    assert "severity" not in left


@pytest.mark.parametrize(("size", "keys"), [(SMALL, "ed"), ((50, 20), "d")])
def test_what_narrows_the_events_is_told_however_small_the_screen_is(desk, size, keys):
    head = after(reading(desk), *keys, size=size).splitlines()[0]

    assert "only denials" in head
    assert DESK[:13] in head
    assert len(head.rstrip()) <= size[0]


def test_a_file_name_obeys_nothing_and_is_one_word_of_a_command(desk):
    path = desk.rename(desk.with_name("a; \x1b[31m\u202eb.trace.jsonl"))

    assert r"cra trace  a; \x1b[31m\u202eb  support" in after(reading(path))
    shown = Shown(0, b"", None, None)
    assert command_of(shown, "a; b", "cli") == "cra trace show 'a; b' --seq 0"


@pytest.mark.parametrize("goal", ["answer it\x1b[201~\x15touch /tmp/here\n", "see \u202eevil"])
def test_what_a_paste_would_hide_or_obey_is_in_no_command(ledger, goal):
    asked = ("carp.request.received", "info", 2, {"request": {"task": {"goal": goal}}})
    log = opened_log(write_session(ledger, DESK, lines_of(DESK, [EVENTS[0], asked])))

    assert command_of(log.event(1), DESK, "cli") == f"cra trace show {DESK} --seq 1"
    log.close()


def test_fifty_columns_show_what_matters(desk):
    shown = after(reading(desk), size=(50, 20))

    assert "action.denied" in shown
    assert "INTACT" in shown
    assert "? Keys" in shown.splitlines()[-1]


def test_a_notice_leaves_what_is_going_on_to_be_seen(desk):
    async def script(pilot):
        copied = await press(pilot, "y")
        return copied, await press(pilot, "slash", "x")

    told, typed = viewed(reading(desk), script, (50, 20), notifies=True)

    assert "OSC 52" in told
    assert told.splitlines()[-2].strip().endswith("event 0 of 9")
    assert "OSC 52" in typed
    assert not any("▌" in line for line in typed.splitlines()[-3:])


@pytest.mark.usefixtures("desk")
def test_a_notice_stays_with_the_screen_that_it_is_of(ledger):
    async def script(pilot):
        told = await press(pilot, "v")
        return told, await press(pilot, "enter")

    told, after_it = viewed(TraceApp(setting_of(ledger)), script, notifies=True)

    assert "▌" in told
    assert "▌" not in after_it


def test_denials_errors_and_approvals_are_switched_by_a_key(desk):
    async def script(pilot):
        denials = await press(pilot, "d")
        both = await press(pilot, "e")
        errors = await press(pilot, "d")
        return denials, both, errors, await press(pilot, "e")

    denials, both, errors, everything = viewed(reading(desk), script)

    assert "row 1 of 1 shown" in denials
    assert "of 2 shown" in both
    assert "action.failed" in errors
    assert "shown" not in everything


def test_a_filter_that_fits_nothing_says_so_and_escape_undoes_it(desk):
    async def script(pilot):
        none = await press(pilot, "f", *"type:journal.*", "enter")
        return none, await press(pilot, "escape")

    none, everything = viewed(reading(desk), script)

    assert "no event fits the filter" in none
    assert "event 0 of 9" in everything


def test_a_mistake_in_a_filter_is_told_where_it_is_typed(desk):
    shown = after(reading(desk), "f", *"typ:x", "enter")

    assert "expected one of type:" in shown
    assert "filter typ:x" in shown


def test_search_counts_and_goes_from_hit_to_hit(desk):
    async def script(pilot):
        typed = await press(pilot, "slash", *"declined")
        await pilot.press("enter")
        second = await press(pilot, "n")
        first = await press(pilot, "n")
        last = await press(pilot, "N")
        return typed, second, first, last, await press(pilot, "escape")

    typed, second, first, last, left = viewed(reading(desk), script)

    assert "declined: 1 of 2 hits" in typed
    assert "2 of 2 hits" in second
    assert "1 of 2 hits" in first
    assert "2 of 2 hits" in last
    assert "hit" not in left


def test_what_is_searched_for_is_no_markup(desk):
    async def script(pilot):
        return await press(pilot, "slash", *"[/x]", "enter", "n")

    assert "no event mentions [/x]" in viewed(reading(desk), script, notifies=True)


def test_a_number_and_a_time_are_gone_to(desk):
    async def script(pilot):
        number = await press(pilot, "colon", "6", "enter")
        moment = await press(pilot, "colon", *"10:00:03", "enter")
        return number, moment, await press(pilot, "colon", *"999", "enter")

    number, moment, wrong = viewed(reading(desk), script)

    assert "event 6 of 9" in number
    assert "event 3 of 9" in moment
    assert "expected an event up to 8, found 999" in wrong


def test_linked_events_are_jumped_to_and_come_back_from(desk):
    async def script(pilot):
        there = await press(pilot, "7", "colon", "7", "enter")
        jumped = await press(pilot, "1")
        return there, jumped, await press(pilot, "b")

    there, jumped, back = viewed(reading(desk), script)

    assert "same span: action.approved" in there
    assert "event 6 of 9" in jumped
    assert "event 7 of 9" in back


def test_trouble_is_gone_to_by_brackets(desk):
    async def script(pilot):
        first = await press(pilot, "right_square_bracket")
        second = await press(pilot, "right_square_bracket")
        return first, second, await press(pilot, "left_square_bracket")

    first, second, back = viewed(reading(desk), script)

    assert "event 5 of 9" in first
    assert "event 7 of 9" in second
    assert "event 5 of 9" in back


def test_marks_are_set_and_gone_to(desk):
    async def script(pilot):
        await pilot.press("j", "space", "G", "space")
        marked = await settled(pilot)
        return marked, await press(pilot, "m")

    marked, gone = viewed(reading(desk), script)

    assert "2 marks" in marked
    assert "event 1 of 9" in gone


def test_spans_are_a_tree_that_closes_and_is_remembered(desk, ledger):
    async def script(pilot):
        tree = await press(pilot, "t", "j", "left")
        return tree, await press(pilot, "right")

    closed, opened = viewed(reading(desk), script)

    assert "▸ request.received" in closed
    assert "action.denied" not in closed
    assert "▾ request.received" in opened
    assert "action.denied" in opened
    assert json.loads((ledger.parent / "state" / "tui.json").read_text())["tree"] is True


def test_what_is_gone_to_opens_the_spans_that_hide_it(desk):
    async def script(pilot):
        closed = await press(pilot, "t", "j", "left")
        found = await press(pilot, "slash", *"declined", "enter")
        await press(pilot, "escape", "g", "j", "left")
        gone = await press(pilot, "colon", *"5", "enter")
        await press(pilot, "g", "j", "left")
        return closed, found, gone, await press(pilot, "right_square_bracket")

    closed, *reached = viewed(reading(desk), script)

    assert "row 2 of 3 shown" in closed
    for shown, number in zip(reached, (4, 5, 5), strict=True):
        assert f"event {number} of 9" in shown
        assert "action.denied" in shown


def test_a_tree_has_ticks_where_its_trouble_is(ledger):
    app = reading(write_session(ledger, DESK, lines_of(DESK, many(300))))

    async def script(pilot):
        flat = await settled(pilot)
        return flat, await press(pilot, "t")

    flat, tree = viewed(app, script, SMALL)

    assert ticks_of(flat)
    assert ticks_of(tree)


def ticks_of(shown: str) -> list[int]:
    return [at for at, line in enumerate(shown.splitlines()) if line.rstrip().endswith("━")]


def test_a_mark_that_is_not_shown_is_not_gone_to_and_said_to_be_there(desk):
    async def script(pilot):
        return await press(pilot, "j", "space", "d", "m")

    shown = viewed(reading(desk), script, notifies=True)

    assert "no marked event is shown" in shown
    assert "event 5 of 9" in shown


def test_a_number_beyond_the_last_event_is_said_to_be_none(desk):
    shown = viewed(reading(desk, at=999_999), settled, notifies=True)

    assert "there is no event 999,999: 8 is the last" in shown
    assert "event 8 of 9" in shown


def test_times_are_relative_when_asked_for(desk):
    assert "+5.000" in after(reading(desk), "T")


def test_a_payload_folds(desk):
    async def script(pilot):
        await press(pilot, "colon", "5", "enter", "enter")
        keys = []
        while "▾" not in _line_under_cursor(pilot) and len(keys) < 30:
            keys.append("down")
            await pilot.press("down")
        return await press(pilot, "space")

    assert "▸ {…} 3" in viewed(reading(desk), script)


def _line_under_cursor(pilot) -> str:
    from cra.tui.inspector import Inspector

    inspector = pilot.app.screen.query_one(Inspector)
    return "".join(text for text, _ in inspector.parts_of(inspector.cursor, 80))


def test_what_was_recorded_to_mislead_is_shown_escaped(desk):
    shown = after(reading(desk, at=5))

    assert "\\x1b[31m" in shown
    assert "\\u202e" in shown
    assert "\u202e" not in shown


def test_the_keys_are_those_that_are_bound(desk):
    shown = after(reading(desk), "question_mark", "end")

    assert "Keys that work here" in shown
    assert "Next theme" in shown


def test_events_that_come_are_followed_until_somebody_goes_up(ledger):
    lines = lines_of(DESK)
    path = write_session(ledger, DESK, lines[:4])

    async def script(pilot):
        await press(pilot, "F")
        with path.open("ab") as file:
            file.write(b"".join(lines[4:]))
        for _ in range(40):
            shown = await settled(pilot)
            if "event 8 of 9" in shown:
                break
        return shown, await press(pilot, "up")

    followed, released = viewed(reading(path), script)

    assert "event 8 of 9  FOLLOWS" in followed
    assert "FOLLOWS" not in released


def test_a_file_that_is_cut_raises_an_alarm_and_r_reads_what_is_left(desk):
    async def script(pilot):
        data = desk.read_bytes()
        desk.write_bytes(data[: data.rindex(b"\n", 0, -1) + 1])
        for _ in range(40):
            alarm = await settled(pilot)
            if "integrity" in alarm:
                break
        return alarm, await press(pilot, "r")

    alarm, again = viewed(reading(desk), script)

    assert "the file was cut" in alarm
    assert "INTACT" not in alarm
    assert "event 0 of 8" in again
    assert "✗" in again


@pytest.mark.parametrize(
    "keys",
    [["y"], ["Y"], ["o"], ["E"], ["T"], ["w"], ["colon", "3", "enter"], ["right_square_bracket"]],
    ids=" ".join,
)
def test_no_key_ends_the_viewer_over_a_file_that_was_cut(desk, keys):
    async def script(pilot):
        await press(pilot, "T", "t", "G")
        with desk.open("r+b") as file:
            file.truncate(300)
        await press(pilot, *keys)
        return await until(pilot, "integrity")

    assert "r reads the file again" in viewed(reading(desk), script)


def test_a_row_that_cannot_be_read_says_so_in_one_line(desk):
    async def script(pilot):
        with desk.open("r+b") as file:
            file.truncate(0)
        return await press(pilot, "T", "i")

    shown = viewed(reading(desk), script)

    rows = [line for line in shown.splitlines() if "this row cannot be read" in line]
    assert len(rows) == 9
    assert "fix:" not in shown


def test_a_file_that_is_gone_raises_an_alarm(desk):
    async def script(pilot):
        desk.unlink()
        for _ in range(40):
            alarm = await settled(pilot)
            if "integrity" in alarm:
                break
        return alarm, await press(pilot, "j", "r")

    alarm, again = viewed(reading(desk), script)

    assert "found none" in alarm
    assert "found none" in again
    assert "verifying" not in again


def test_a_byte_that_is_changed_in_place_takes_the_verdict_away(desk):
    async def script(pilot):
        sound = await settled(pilot)
        with desk.open("r+b") as file:
            file.seek(desk.read_bytes().index(b"5200"))
            file.write(b"5201")
        return sound, await until(pilot, "at event 4")

    sound, broken = viewed(reading(desk), script)

    assert "INTACT" in sound
    assert "INTACT" not in broken
    [row] = [line for line in broken.splitlines() if "CRA-3002" in line]
    assert "action.executed" in row
    assert "10:00:04" in row


def test_a_file_that_cannot_be_read_is_neither_damaged_nor_being_verified(desk, monkeypatch):
    def refused(path: Path) -> int:
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr("cra.ledger.files.open_for_reading", refused)
    shown = after(reading(desk))

    assert f"notice: Permission denied: {DESK}.trace" in shown
    assert "integrity" not in shown
    assert "verifying" not in shown


def test_damage_is_shown_where_it_is_and_gone_to(ledger):
    lines = lines_of(DESK)
    lines[4] = lines[4].replace(b"5200", b"5201")
    ledger.mkdir()
    path = ledger / f"{DESK}.trace.jsonl"
    path.write_bytes(b"".join(lines))

    shown = after(reading(path), "v")

    assert "✗ DAMAGED at event 4" in shown
    assert "event 4 of 9" in shown


def test_a_damaged_line_has_what_was_expected_and_found(ledger):
    lines = lines_of(DESK)
    lines[4] = b'{"no": "event"}\n'
    ledger.mkdir()
    path = ledger / f"{DESK}.trace.jsonl"
    path.write_bytes(b"".join(lines))

    shown = after(reading(path, at=4))

    assert "✗ damaged" in shown
    assert "the line as it is stored" in shown


def test_a_session_without_events_says_so(ledger):
    ledger.mkdir()
    path = ledger / f"{DESK}.trace.jsonl"
    path.write_bytes(b"")

    assert "the session has no event" in after(reading(path))


def test_a_theme_is_remembered(desk, ledger):
    after(reading(desk), "f2")

    assert json.loads((ledger.parent / "state" / "tui.json").read_text())["theme"] == "cra-light"


def test_a_page_of_commands_is_turned_before_they_are_drawn(desk):
    async def script(pilot):
        typed_ahead(pilot, "ctrl+p", "pagedown", "pageup")
        await settled(pilot)
        return await press(pilot, "escape")

    assert "event 0 of 9" in viewed(reading(desk), script)


def test_a_resize_keeps_what_is_shown(desk):
    async def script(pilot):
        await press(pilot, "colon", "5", "enter")
        await pilot.resize_terminal(70, 20)
        narrow = await settled(pilot)
        await pilot.resize_terminal(140, 40)
        return narrow, await settled(pilot)

    narrow, wide = viewed(reading(desk), script)

    assert "event 5 of 9" in narrow
    assert "event 5 of 9" in wide
    assert "refund-limit" in wide


def test_the_mouse_chooses_a_row(desk):
    async def script(pilot):
        await pilot.click("Timeline", offset=(10, 5))
        return await settled(pilot)

    assert "event 5 of 9" in viewed(reading(desk), script)


@pytest.mark.usefixtures("desk")
def test_two_sessions_are_compared(ledger):
    write_session(ledger, OTHER, lines_of(OTHER, many(2)))

    shown = after(TraceApp(setting_of(ledger)), "space", "down", "D")

    assert "breaking" in shown
    assert f"{OTHER} and {DESK}" in shown.split("\n")[0]
    # Neither is a golden, nor what a replay found.
    assert "golden" not in shown
    assert "│ now" not in shown
    assert "refund.issue denied by refund-limit" in shown


# What a project has beside its ledger.


@pytest.fixture
def place(tmp_path):
    asking = rule("closing-needs-a-person", "require_approval", "ticket.close")
    return write_project(tmp_path / "project", ALLOW, asking)


def opened(place: Path):
    @contextmanager
    def project():
        with Project.open(place) as found:
            yield found

    return project


def governing(place: Path) -> TraceApp:
    return TraceApp(setting_of(place / "cra.trace", project=opened(place), root=place))


def ask_to_close(place: Path) -> str:
    with Project.open(place) as project:
        session = project.session()
        session.resolve(GOAL)
        done = session.execute("ticket.close", {"file": "closed"})
        assert done.approval_id is not None
        return done.approval_id


def standing_of(place: Path, approval_id: str) -> str:
    from cra.ledger.index import session_files
    from cra.ledger.source import Source
    from cra.runtime.waiting import approvals_in

    found = approvals_in(session_files(place / "cra.trace"), Source().now())
    return next(one.standing for one in found if one.approval.approval_id == approval_id)


def test_a_call_that_waits_is_granted_with_a_scope_and_a_reason(place):
    approval_id = ask_to_close(place)

    async def script(pilot):
        waiting = await press(pilot, "A")
        await press(pilot, "g", "down", "tab", *"fine")
        return waiting, await press(pilot, "enter")

    waiting, done = viewed(governing(place), script)

    assert "1 call waits" in waiting
    assert "policies/rules.json" in waiting
    assert "ticket.close granted 3 times" in done
    assert standing_of(place, approval_id) == "granted"


def test_a_call_that_waits_is_denied(place):
    approval_id = ask_to_close(place)

    shown = after(governing(place), "A", "d", *"no", "enter")

    assert "ticket.close denied" in shown
    assert standing_of(place, approval_id) == "denied"


def test_keys_that_are_typed_faster_than_a_dialogue_comes_open_one(place):
    approval_id = ask_to_close(place)

    async def script(pilot):
        await press(pilot, "A")
        typed_ahead(pilot, "g", "d")
        await settled(pilot)
        return await press(pilot, "escape")

    assert "enter decides" not in viewed(governing(place), script)
    assert standing_of(place, approval_id) == "pending"


def test_escape_decides_nothing(place):
    approval_id = ask_to_close(place)

    after(governing(place), "A", "g", "escape")

    assert standing_of(place, approval_id) == "pending"


def test_the_inspector_names_the_file_of_the_rule_that_decided(place):
    ask_to_close(place)

    shown = after(governing(place), "enter", "end")

    assert "closing-needs-a-person" in shown
    assert "policies/rules.json" in shown


def test_the_inspector_shows_what_the_rule_says_that_decided(tmp_path):
    fits = {"properties": {"file": {"const": "closed"}}, "required": ["file"]}
    window = {"days": ["mon", "tue", "wed", "thu", "fri", "sat", "sun"], "start": "00:00"}
    asking = rule(
        "closing-needs-a-person",
        "require_approval",
        "ticket.close",
        reason="a person sees it",
        priority=7,
        conditions={"agents": ["agent", "bot"], "time_window": window, "parameters": fits},
    )
    place = write_project(tmp_path / "project", ALLOW, asking)
    ask_to_close(place)
    shown = after(governing(place), "enter", "end")

    assert "require_approval, priority 7" in shown
    assert "a person sees it" in shown
    assert "if agents: agent, bot" in shown
    assert "00:00 to 24:00" in " ".join(shown.split())
    assert '"const": "closed"' in shown


def test_the_inspector_shows_the_limit_of_a_rule_that_decided(tmp_path):
    place = write_project(tmp_path / "project", ALLOW, limit("few", "session", 1))
    with Project.open(place) as project:
        session = project.session()
        session.resolve(GOAL)
        notes = [session.execute("ticket.note", {"file": str(tmp_path / "x")}) for _ in range(2)]
    assert notes[1].policy_id == "few"
    shown = after(governing(place), "enter", "end")

    assert "rate_limit" in shown
    assert "at most 1 within" in shown


@pytest.mark.usefixtures("desk")
def test_a_ledger_alone_has_no_approvals_and_no_goldens(ledger):
    app = TraceApp(setting_of(ledger))

    shown = after(app, "R", "A")

    assert "approvals belong to a project" in shown
