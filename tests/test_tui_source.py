"""What the viewer reads of a session, without a screen."""

from __future__ import annotations

from array import array

import pytest

from cra.errors import IntegrityError, NotFound, UsageError
from cra.ledger.filter import either, every, mentioning, parse
from cra.tui.clipboard import copy
from cra.tui.sessions import arranged, glance, survey
from cra.tui.setting import Choices, recall, remember
from cra.tui.source import (
    Cancelled,
    folded,
    judge,
    links_of,
    look,
    number_at,
    numbers_of,
    opened,
    tree_of,
)
from tests.traces import DESK, EVENTS, OTHER, lines_of, many, write_session
from tests.viewer import setting_of


def never() -> bool:
    return False


@pytest.fixture
def ledger(tmp_path):
    return tmp_path / "cra.trace"


@pytest.fixture
def desk(ledger):
    log = opened(write_session(ledger, DESK, lines_of(DESK)))
    yield log
    log.close()


def test_a_row_says_what_came_of_a_call_and_how_long_it_took(desk):
    denied, done = desk.row(5), desk.row(4)

    assert (denied.severity, denied.event_type, denied.outcome) == (
        "warn",
        "action.denied",
        "denied",
    )
    assert (done.outcome, done.lasted) == ("done", 5200)


def test_a_row_obeys_nothing_that_is_recorded(desk):
    rows = [desk.row(at) for at in range(desk.count)]

    assert all(row.summary.isprintable() for row in rows)


def test_rows_of_a_filter_are_read_by_their_numbers(desk):
    chosen = array("Q", [3, 5])

    assert [desk.row(at, chosen, 1).number for at in (0, 1)] == [3, 5]


def test_rows_that_came_later_are_read_once_they_are_taken_in(ledger):
    lines = lines_of(DESK)
    log = opened(write_session(ledger, DESK, lines[:5]))
    assert log.row(4).number == 4
    with log.path.open("ab") as file:
        file.write(b"".join(lines[5:]))

    log.take(look(log))

    assert log.row(8).event_type == "session.ended"
    log.close()


@pytest.mark.parametrize(
    ("wanted", "numbers"),
    [
        (parse("type:action.*"), [3, 4, 5, 6, 7]),
        (mentioning("declined"), [4, 5]),
        (mentioning("Card"), []),
        (mentioning("The card"), [4]),
        (mentioning("action.denied"), [5]),
        (mentioning("cra"), [*range(9)]),
        (mentioning("CRA"), []),
        (mentioning('{"id":1042}'), [3]),
        (mentioning('"ID"'), []),
        (mentioning("runtime"), [*range(9)]),
        (mentioning("表"), [5]),
        (either([parse("type:action.failed"), parse("type:action.denied")]), [5, 7]),
        (either([parse("severity:error"), parse("declined")]), [4, 5, 7]),
        (every([parse("type:action.*"), mentioning("refund")]), [5, 6, 7]),
    ],
    ids=[
        "type",
        "text",
        "capital",
        "exact",
        "kind",
        "actor",
        "no-actor",
        "json",
        "other-json",
        "kind-of-actor",
        "wide",
        "either",
        "mixed",
        "every",
    ],
)
def test_a_scan_finds_the_events_that_are_meant(desk, wanted, numbers):
    found = numbers_of(desk, wanted, (0, desk.count), never)

    assert [*found] == numbers


def test_a_scan_looks_between_its_bounds_alone(desk):
    assert [*numbers_of(desk, parse("type:action.*"), (4, 6), never)] == [4, 5]


def test_a_scan_stops_when_nobody_wants_it_any_longer(desk):
    with pytest.raises(Cancelled):
        numbers_of(desk, parse("type:action.*"), (0, desk.count), lambda: True)


def test_spans_stand_where_they_begin_and_close(desk):
    tree = tree_of(desk, None, desk.count, never)

    assert [*tree.order] == [*range(9)]
    assert [*tree.depths] == [0, 0, 1, 1, 2, 1, 1, 2, 0]
    # The request holds everything that was done for it.
    numbers, _ = folded(tree, {1})
    assert [*numbers] == [0, 1, 8]
    numbers, _ = folded(tree, {3})
    assert [*numbers] == [0, 1, 2, 3, 5, 6, 7, 8]


def test_an_event_is_linked_to_what_it_has_to_do_with(desk):
    event = desk.event(7).event

    links = links_of(desk, event, desk.count, never)

    found = {(link.what, link.number) for link in links}
    assert ("same span", 6) in found
    assert ("span around it", 1) in found


def test_a_call_is_linked_to_its_resolution_and_to_no_other_call_there(desk):
    links = links_of(desk, desk.event(5).event, desk.count, never)

    assert [link.number for link in links if link.what == "resolution"] == [2]


def test_a_resolution_is_linked_to_all_that_was_done_on_it(desk):
    event = desk.event(2).event

    links = links_of(desk, event, desk.count, never)

    assert [link.number for link in links if link.what == "resolution"] == [3, 5, 6]


@pytest.mark.parametrize(
    ("text", "number"),
    [
        ("4", 4),
        ("+2", 5),
        ("-9", 0),
        ("10:00:05", 5),
        ("10:00", 0),
        ("2026-11-20T10:00:07", 7),
        ("23:59", 8),
    ],
)
def test_a_number_or_a_time_names_an_event(desk, text, number):
    assert number_at(desk, text, near=3) == number


@pytest.mark.parametrize(
    "text",
    ["", "soon", "99", "10:1", "25:99", "10:61", "2026-13-40", "2026-11-20Z1"],
)
def test_what_names_no_event_is_refused(desk, text):
    with pytest.raises(UsageError):
        number_at(desk, text, near=0)


def test_a_file_that_is_cut_is_no_growth(desk):
    with desk.path.open("r+b") as file:
        file.truncate(100)

    with pytest.raises(IntegrityError, match="the file was cut"):
        look(desk)


@pytest.mark.parametrize("left", range(5))
def test_a_line_behind_the_end_of_a_file_that_was_cut_is_no_event_in_its_place(desk, left):
    kept = b"".join(lines_of(DESK)[:left]) + b"{"
    with desk.path.open("r+b") as file:
        file.truncate(0)
        file.write(kept)

    for number in range(left + 1, desk.count):
        try:
            fault = desk.event(number).fault
        except IntegrityError as error:
            fault = error
        assert fault is not None


def test_a_file_that_is_gone_is_said_to_be_gone(desk):
    desk.path.unlink()

    with pytest.raises(IntegrityError, match="found none"):
        look(desk)


def test_a_damaged_line_is_a_row_that_says_so(ledger):
    lines = lines_of(DESK)
    lines[4] = lines[4].replace(b"5200", b"5201")
    path = ledger / f"{DESK}.trace.jsonl"
    ledger.mkdir()
    path.write_bytes(b"".join(lines))

    found = judge(setting_of(ledger), opened(path))

    assert (found.is_sound, found.verdict, found.events) == (False, "DAMAGED", 4)


def test_a_line_that_is_no_event_is_shown_where_it_is(ledger):
    lines = lines_of(DESK)
    lines[4] = b'{"no": "event"}\n'
    ledger.mkdir()
    path = ledger / f"{DESK}.trace.jsonl"
    path.write_bytes(b"".join(lines))
    log = opened(path)

    assert (log.row(4).severity, log.row(4).outcome) == ("damaged", "damaged")
    assert log.event(4).event is None
    with pytest.raises(NotFound):
        log.event(9)
    log.close()


def test_a_sound_session_is_judged_so(desk, ledger):
    found = judge(setting_of(ledger), desk)

    assert (found.verdict, found.is_sound, found.covered) == ("INTACT", True, 9)


def test_a_glance_tells_the_goal_and_counts_trouble(desk):
    one = glance(desk.path)

    assert (one.outline.agent, one.goal) == ("support", "answer ticket 1042")
    assert one.outcomes == (1, 1, 0)


def test_a_call_that_has_begun_is_told_from_one_that_was_only_tried(ledger):
    started, _, _, approved, executed, *_ = EVENTS
    tried = (*approved[:2], 9, {**approved[3], "simulated": True})
    arguments = (*approved[:2], 10, {**approved[3], "arguments": {"simulated": True}})
    path = write_session(ledger, DESK, lines_of(DESK, [started, approved, tried, arguments]))

    assert glance(path).outcomes == (0, 0, 2)

    done = [started, approved, tried, arguments, executed, (*executed[:2], 10, executed[3])]
    path.write_bytes(b"".join(lines_of(DESK, done)))

    assert glance(path).outcomes == (0, 0, 0)


@pytest.mark.usefixtures("desk")
def test_a_survey_keeps_what_has_not_changed(ledger):
    write_session(ledger, OTHER, lines_of(OTHER, many(120)))
    first = survey(ledger, {}, never, lambda _: None)

    again = survey(ledger, {one.path: one for one in first}, never, lambda _: None)

    assert all(one is other for one, other in zip(first, again, strict=True))
    assert [one.outline.id for one in arranged(first, "trouble", "")] == [DESK, OTHER]
    assert [one.outline.id for one in arranged(first, "events", "support")] == [OTHER, DESK]
    assert arranged(first, "begun", "nobody") == []


def test_a_directory_that_is_not_there_has_no_session(tmp_path):
    assert survey(tmp_path / "none", {}, never, lambda _: None) == []


def test_choices_are_remembered(tmp_path):
    remember(tmp_path / "state", Choices(theme="cra-light", tree=True))

    assert recall(tmp_path / "state") == Choices(theme="cra-light", tree=True)


@pytest.mark.parametrize("stored", [b"", b"{", b"[]", b'{"theme": 4, "tree": "yes"}'])
def test_what_is_no_choice_counts_for_nothing(tmp_path, stored):
    (tmp_path / "tui.json").write_bytes(stored)

    assert recall(tmp_path) == Choices()


def test_a_copy_goes_through_the_terminal_over_ssh_and_through_tmux():
    sent = []

    told = copy("text", {"SSH_TTY": "/dev/pts/0", "TMUX": "x"}, sent.append)

    assert sent == ["\x1bPtmux;\x1b\x1b]52;c;dGV4dA==\a\x1b\\"]
    assert "OSC 52" in told
    assert copy("x" * 80_000, {"SSH_TTY": "y"}, sent.append).startswith("not copied")
    assert len(sent) == 1
