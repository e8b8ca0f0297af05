"""Following a ledger shows every whole line once, and tells a crash from an attack."""

from __future__ import annotations

import os
import threading
import time
from pathlib import Path
from typing import Any

import pytest

from cra.errors import Code, IntegrityError
from cra.ledger.chain import MAX_LINE, decode, redact
from cra.ledger.filter import parse
from cra.ledger.store import Ledger, Session
from cra.ledger.tail import Notice, Tail, Update, follow


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "trace")


@pytest.fixture
def session(ledger: Ledger) -> Session:
    return ledger.start_session("demo")


def deny(session: Session, reason: str = "no") -> None:
    payload = {"action_id": "ticket.delete", "reason": reason, "policy_id": None}
    session.append("action.denied", payload)


def tail_of(session: Session, **options: Any) -> Tail:
    return Tail(session.paths.directory, session.paths.data, **options)


def said(updates: list[Update]) -> list[str]:
    """The reasons of denials, the types of other events, and notices."""
    words: list[str] = []
    for update in updates:
        if isinstance(update, Notice):
            words.append(update.what)
        else:
            event = decode(update)
            words.append((event.payload or {}).get("reason", event.event_type))
    return words


def test_what_is_appended_is_seen_once_and_in_order(session):
    tail = tail_of(session)
    assert tail.poll() == []

    for reason in ("a", "b"):
        deny(session, reason)
    assert said(tail.poll()) == ["a", "b"]
    assert tail.poll() == []

    deny(session, "c")
    assert said(tail.poll()) == ["c"]


def test_it_begins_with_the_last_events_that_were_there(session):
    for reason in "abcde":
        deny(session, reason)
    tail = tail_of(session, last=3)
    deny(session, "f")

    assert said(tail.poll()) == ["c", "d", "e", "f"]


def test_only_events_that_the_filter_accepts_are_shown_and_counted(session):
    for reason in "abcabc":
        deny(session, reason)
    tail = tail_of(session, last=2, wanted=parse("-payload.reason=b"))
    for reason in "bd":
        deny(session, reason)

    assert said(tail.poll()) == ["a", "c", "d"]


def test_a_partial_line_is_held_back_until_it_is_whole(session):
    tail = tail_of(session)
    deny(session, "whole")
    whole = session.paths.data.read_bytes()
    line = whole[whole.index(b"\n") + 1 :]
    with session.paths.data.open("wb") as file:
        file.write(whole[: -len(line)])
        for byte in (line[:1], line[1:100], line[100:-1]):
            file.write(byte)
            file.flush()
            assert tail.poll() == []
        file.write(b"\n")
        file.flush()

        assert said(tail.poll()) == ["whole"]


def test_a_partial_line_that_is_rolled_back_is_no_alarm(session):
    tail = tail_of(session)
    size = session.paths.data.stat().st_size
    deny(session, "later")
    line = session.paths.data.read_bytes()[size:]
    os.truncate(session.paths.data, size + 300)
    assert tail.poll() == []

    os.truncate(session.paths.data, size)
    assert tail.poll() == []
    with session.paths.data.open("ab") as file:
        file.write(line)

    assert said(tail.poll()) == ["later"]


def test_a_file_that_was_cut_below_what_was_read_is_an_alarm(session):
    deny(session)
    tail = tail_of(session)
    os.truncate(session.paths.data, 1_000)

    with pytest.raises(IntegrityError, match="was cut") as caught:
        tail.poll()
    assert caught.value.finding is Code.CHECKPOINT_UNMET
    with pytest.raises(IntegrityError, match="was cut"):
        tail.poll()


def test_what_was_read_before_an_alarm_is_handed_out_first(ledger, session):
    other = ledger.start_session("other")
    tail = Tail(ledger.directory)
    first, second = sorted((session, other), key=lambda item: item.id, reverse=True)
    deny(first, "seen")
    os.truncate(second.paths.data, 100)

    assert said(tail.poll()) == ["seen"]
    with pytest.raises(IntegrityError, match="was cut"):
        tail.poll()


@pytest.mark.parametrize("way", ["rename", "unlink", "in place"])
def test_a_file_that_was_replaced_is_an_alarm(session, way):
    deny(session, "a")
    tail = tail_of(session)
    path = session.paths.data
    forged = path.read_bytes().replace(b"demo", b"evil")[:-70] + b"0" * 67 + b'"}\n' + b"x" * 2_000
    if way == "rename":
        path.with_name("other").write_bytes(forged)
        os.rename(path.with_name("other"), path)
    else:
        if way == "unlink":
            path.unlink()
        path.write_bytes(forged)

    with pytest.raises(IntegrityError, match="another in its place") as caught:
        tail.poll()
    assert caught.value.finding is Code.SESSION_MISSING


def test_a_line_that_does_not_follow_the_one_before_it_is_an_alarm(session, tmp_path):
    other = Ledger(tmp_path / "other").start_session("other")
    for reason in "abc":
        deny(other, reason)
    *_, first, second = other.paths.data.read_bytes().splitlines(keepends=True)
    tail = tail_of(session)
    deny(session, "seen")
    with session.paths.data.open("ab") as file:
        file.write(first + second)

    assert said(tail.poll()) == ["seen"]
    with pytest.raises(IntegrityError, match="expected an event after") as caught:
        tail.poll()
    assert caught.value.finding is Code.BROKEN_CHAIN

    late = tail_of(session, last=10)
    assert said(late.poll()) == ["b", "c"]
    with pytest.raises(IntegrityError, match="expected an event after"):
        late.poll()


@pytest.mark.parametrize("others", [[], ["journal.trace.jsonl"]])
def test_a_file_that_was_removed_is_an_alarm(session, others):
    tail = tail_of(session)
    session.paths.data.unlink()
    for name in others:
        (session.paths.directory / name).unlink()

    with pytest.raises(IntegrityError, match="found none"):
        tail.poll()


def test_a_session_that_the_journal_says_was_pruned_is_a_notice(ledger, session):
    session.end()
    tail = Tail(ledger.directory)
    head = {"session_id": session.id, "size": session.size, "root": session.covered_head()[1].hex()}
    more = {"leaves": "", "totals": {}, "reason": "old"}
    ledger.journal.append("journal.pruned", head | more)
    session.paths.data.unlink()

    assert tail.poll() == [Notice(session.id, "pruned")]
    assert tail.poll() == []


def redact_event(ledger: Ledger, session: Session, sequence: int, *, recorded: bool) -> None:
    lines = session.paths.data.read_bytes().split(b"\n")
    event = decode(lines[sequence])
    if recorded:
        payload = {"session_id": session.id, "sequence": sequence, "event_hash": event.event_hash}
        ledger.journal.append("journal.redacted", payload | {"reason": "private"})
    lines[sequence] = redact(event)
    staged = session.paths.data.with_name("staged")
    staged.write_bytes(b"\n".join(lines))
    os.rename(staged, session.paths.data)


@pytest.mark.parametrize("sequence", [1, 2])
def test_a_session_that_the_journal_says_was_redacted_is_a_notice(ledger, session, sequence):
    deny(session)
    session.end()
    tail = tail_of(session)
    redact_event(ledger, session, sequence, recorded=True)

    assert tail.poll() == [Notice(session.id, "redacted")]
    assert tail.poll() == []


def test_a_redaction_that_the_journal_does_not_know_is_an_alarm(ledger, session):
    deny(session)
    session.end()
    tail = tail_of(session)
    redact_event(ledger, session, 1, recorded=False)

    with pytest.raises(IntegrityError, match="another in its place"):
        tail.poll()


def test_another_file_under_the_name_of_a_redacted_session_is_an_alarm(ledger, session):
    deny(session)
    session.end()
    redact_event(ledger, session, 1, recorded=True)
    tail = tail_of(session)
    staged = session.paths.data.with_name("staged")
    staged.write_bytes(session.paths.data.read_bytes()[:-3] + b'0"}\n')
    os.rename(staged, session.paths.data)

    with pytest.raises(IntegrityError, match="another in its place"):
        tail.poll()


def test_a_line_that_is_longer_than_an_event_is_an_alarm_and_is_not_held(session):
    tail = tail_of(session)
    deny(session, "before")
    with session.paths.data.open("ab") as file:
        file.write(b"x" * 20 * MAX_LINE)

    assert said(tail.poll()) == ["before"]
    with pytest.raises(IntegrityError, match="a line of more than") as caught:
        tail.poll()
    assert caught.value.finding is Code.MALFORMED_LINE


def test_all_sessions_are_followed_and_new_ones_from_their_first_event(ledger, session):
    deny(session, "a")
    tail = Tail(ledger.directory, last=2)
    assert said(tail.poll()) == ["session.started", "a"]

    new = ledger.start_session("new")
    deny(new, "b")
    deny(session, "c")
    seen = said(tail.poll()) + said(tail.poll())

    assert sorted(seen) == ["b", "c", "session.started"]
    newer = ledger.start_session("newer")
    deny(newer, "d")
    assert said(tail.poll()) == ["session.started", "d"]


def test_the_last_events_of_all_sessions_come_in_the_order_of_time(ledger, session):
    other = ledger.start_session("other")
    for one, reason in ((other, "a"), (session, "b"), (other, "c"), (session, "d")):
        deny(one, reason)

    assert said(Tail(ledger.directory, last=3).poll()) == ["b", "c", "d"]


def test_a_directory_that_is_not_there_yet_is_followed(tmp_path):
    tail = Tail(tmp_path / "trace")
    assert tail.poll() == []

    session = Ledger(tmp_path / "trace").start_session("demo")
    assert said(tail.poll()) == ["session.started"]
    deny(session, "a")
    assert said(tail.poll()) == ["a"]


def test_a_late_follower_of_much_takes_it_in_parts(ledger, session):
    tail = Tail(ledger.directory)
    with session.batch():
        for number in range(8_000):
            deny(session, f"{number}")
    first = tail.poll()
    seen = list(first)
    while batch := tail.poll():
        seen += batch

    assert len(first) < 8_000
    assert said(seen) == [str(number) for number in range(8_000)]


def test_following_ends_when_it_is_told_to_and_not_before(session):
    done = threading.Event()
    tail = tail_of(session)

    def write() -> None:
        for number in range(20):
            deny(session, f"{number}")
            time.sleep(0.005)

    writer = threading.Thread(target=write)
    writer.start()
    seen: list[str] = []
    for batch in follow(tail, done.is_set):
        seen += said(batch)
        if len(seen) == 20:
            done.set()
    writer.join()

    assert seen == [str(number) for number in range(20)]
