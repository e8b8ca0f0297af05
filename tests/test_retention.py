"""Redaction and pruning: what goes, what stays provable, and what an interruption leaves."""

from __future__ import annotations

import os
import shutil
from contextlib import suppress
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from cra import canonical
from cra.errors import (
    Code,
    CraError,
    IntegrityError,
    NotFound,
    SessionOpen,
    UsageError,
    ValueRefused,
    WriteFailed,
    WriterStopped,
)
from cra.ledger import files
from cra.ledger.chain import Chain, Draft, decode
from cra.ledger.chain import redact as redacted_line
from cra.ledger.keys import create_key
from cra.ledger.merkle import root_of
from cra.ledger.retention import is_due, plan_prune, prune, redact
from cra.ledger.source import Source, later
from cra.ledger.store import Ledger, read_events
from cra.ledger.verify import Trust, verify_ledger

DENIED = {"action_id": "ticket.delete", "reason": "no rule allows it", "policy_id": None}
RESULT = {"execution_id": "e", "action_id": "file.read", "duration_us": 1, "result": "x" * 70_000}
LARGE = 11


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "cra.trace", signer=create_key(tmp_path / "key"))
    yield ledger
    ledger.close()


def fill(ledger: Ledger) -> str:
    """A session of 13 events; event 11 has a blob."""
    session = ledger.start_session("tester")
    for _ in range(10):
        session.append("action.denied", DENIED)
    session.append("action.executed", RESULT)
    session.end()
    return session.id


@pytest.fixture
def session_id(ledger):
    return fill(ledger)


def data_of(ledger: Ledger, session_id: str) -> Path:
    return Path(ledger.directory / f"{session_id}.trace.jsonl")


def blobs(ledger: Ledger) -> list[str]:
    return os.listdir(ledger.directory / "blobs")


def journal(ledger: Ledger, event_type: str) -> list[dict[str, Any]]:
    events = read_events(ledger.directory / "journal.trace.jsonl")
    return [event.payload or {} for event in events if event.event_type == event_type]


def verdict(ledger: Ledger, session_id: str | None = None) -> tuple[str, str | None, str]:
    trust = Trust((ledger.signer.key,)) if ledger.signer else Trust()
    wanted = None if session_id is None else [session_id]
    report = verify_ledger(ledger.directory, trust, sessions=wanted)
    assert report.decisive is not None
    return report.verdict.name, report.decisive.code, str(report.level)


def redact_large(ledger: Ledger, session_id: str) -> None:
    redact(ledger, session_id, LARGE, "too much")


def prune_old(ledger: Ledger, session_id: str) -> None:
    try:
        prune(ledger, session_id, "old")
    except NotFound:
        assert list(ledger.directory.glob(f"{session_id}*")) == []


INTACT = ("INTACT", None, "L1")


def test_a_redacted_payload_is_gone_and_the_rest_still_proves_itself(ledger, session_id):
    before = data_of(ledger, session_id).read_bytes().split(b"\n")
    done = redact(ledger, session_id, 4, "holds a name", actor_id="officer")
    after = data_of(ledger, session_id).read_bytes().split(b"\n")

    assert after[4] == redacted_line(decode(before[4]))
    assert [*after[:4], *after[5:]] == [*before[:4], *before[5:]]
    assert (done.sequence, done.event_hash) == (4, decode(before[4]).event_hash)
    assert verdict(ledger) == INTACT
    assert journal(ledger, "journal.redacted") == [
        {
            "session_id": session_id,
            "sequence": 4,
            "event_hash": done.event_hash,
            "reason": "holds a name",
        }
    ]


def test_redaction_removes_the_blobs_of_the_event_alone(ledger, session_id):
    other = fill(ledger)
    assert len(blobs(ledger)) == 2
    done = redact(ledger, session_id, LARGE, "too much")

    assert done.blobs == 1
    assert len(blobs(ledger)) == 1
    assert verdict(ledger) == INTACT
    assert redact(ledger, other, LARGE, "that too").blobs == 1
    assert blobs(ledger) == []


def test_the_file_keeps_its_mode(ledger, session_id):
    path = data_of(ledger, session_id)
    path.chmod(0o640)
    redact(ledger, session_id, 4, "a name")

    assert path.stat().st_mode & 0o777 == 0o640


def test_who_redacted_is_recorded(ledger, session_id):
    redact(ledger, session_id, 4, "a name", actor_id="officer")
    last = list(read_events(ledger.directory / "journal.trace.jsonl"))[-1]

    assert last.header["actor"] == {"id": "officer", "type": "user"}


def test_redacting_again_changes_nothing(ledger, session_id):
    redact(ledger, session_id, LARGE, "too much")
    before = data_of(ledger, session_id).read_bytes()
    again = redact(ledger, session_id, LARGE, "too much")

    assert again.was_done
    assert data_of(ledger, session_id).read_bytes() == before
    assert len(journal(ledger, "journal.redacted")) == 1


def test_many_events_can_be_redacted_and_a_new_process_goes_on(ledger, session_id):
    for sequence in (1, 2, 12):
        redact(ledger, session_id, sequence, "a name")
    ledger.close()
    again = Ledger(ledger.directory, signer=ledger.signer)
    redact(again, session_id, 3, "a name")
    again.close()

    assert verdict(ledger) == INTACT


def test_an_open_session_is_left_alone(ledger):
    session = ledger.start_session("tester")
    session.append("action.denied", DENIED)
    before = session.paths.data.read_bytes()

    with pytest.raises(SessionOpen, match="ended"):
        redact(ledger, session.id, 1, "a name")
    with pytest.raises(SessionOpen, match="ended"):
        prune(ledger, session.id, "old")
    assert session.paths.data.read_bytes() == before
    assert not journal(ledger, "journal.redacted") + journal(ledger, "journal.pruned")


@pytest.mark.parametrize("reason", ["", " ", "x" * 501])
def test_a_reason_has_bounds(ledger, session_id, reason):
    with pytest.raises(ValueRefused, match="reason"):
        redact(ledger, session_id, 4, reason)
    with pytest.raises(ValueRefused, match="reason"):
        prune(ledger, session_id, reason)


def test_what_does_not_exist_is_said_and_makes_no_file(ledger, session_id):
    before = sorted(ledger.directory.rglob("*"))
    with pytest.raises(NotFound, match="event 13"):
        redact(ledger, session_id, 13, "a name")
    with pytest.raises(NotFound):
        redact(ledger, "019a0000-0000-7000-8000-000000000000", 0, "a name")
    with pytest.raises(NotFound):
        prune(ledger, "019a0000-0000-7000-8000-000000000000", "old")
    assert sorted(ledger.directory.rglob("*")) == before


@pytest.mark.usefixtures("session_id")
def test_the_journal_is_no_session(ledger):
    with pytest.raises(CraError):
        redact(ledger, "journal", 1, "a name")
    with pytest.raises(CraError):
        prune(ledger, "journal", "old")


def test_the_event_that_names_the_ledger_is_kept(ledger, session_id):
    with pytest.raises(UsageError, match=r"session\.started"):
        redact(ledger, session_id, 0, "a name")


def test_an_edited_session_is_evidence(ledger, session_id):
    path = data_of(ledger, session_id)
    path.write_bytes(path.read_bytes().replace(b"no rule allows it", b"no rule forbids it", 1))
    before = path.read_bytes()

    for change in (redact_large, prune_old):
        with pytest.raises(IntegrityError):
            change(ledger, session_id)
    assert path.read_bytes() == before
    assert not journal(ledger, "journal.redacted") + journal(ledger, "journal.pruned")


def test_a_redaction_that_nobody_recorded_is_not_made_good(ledger, session_id):
    path = data_of(ledger, session_id)
    lines = path.read_bytes().split(b"\n")
    lines[4] = redacted_line(decode(lines[4]))
    path.write_bytes(b"\n".join(lines))

    with pytest.raises(IntegrityError) as caught:
        redact(ledger, session_id, 4, "a name")
    assert caught.value.finding == Code.REDACTION_UNKNOWN


def test_a_forged_record_of_a_redaction_excuses_nothing(ledger, session_id, tmp_path):
    ledger.close()
    # Without the key: the journal's data is continued, its checkpoint stays as it is.
    path = data_of(ledger, session_id)
    lines = path.read_bytes().split(b"\n")
    event = decode(lines[4])
    note = (ledger.directory / "journal.checkpoint").read_bytes()
    key = ledger.signer
    forged = tmp_path / "forged"
    shutil.copytree(ledger.directory, forged)
    fact = {"session_id": session_id, "sequence": 4, "event_hash": event.event_hash}
    append_without_key(
        forged / "journal.trace.jsonl", "journal.redacted", {**fact, "reason": "forged"}
    )
    shutil.copy(forged / "journal.trace.jsonl", ledger.directory)
    assert (ledger.directory / "journal.checkpoint").read_bytes() == note
    lines[4] = redacted_line(event)
    path.write_bytes(b"\n".join(lines))

    assert verdict(ledger)[:2] == ("TAMPERED", Code.REDACTION_UNKNOWN)
    # Nor does it once an honest writer has opened the ledger and signed what it found.
    again = Ledger(ledger.directory, signer=key)
    again.start_session("later").end()
    again.close()
    assert verdict(ledger)[:2] == ("TAMPERED", Code.REDACTION_UNKNOWN)


def append_without_key(journal: Path, event_type: str, payload: dict[str, object]) -> None:
    """Continue a journal's chain and leave its checkpoint alone."""
    chain = Chain(next(read_events(journal)).header["session_id"], is_journal=True)
    for event in read_events(journal):
        chain.check(event.line)
    event_id, timestamp, salt = Source().stamp()
    actor = '{"id":"cra","type":"user"}'
    body = canonical.encode(payload)
    draft = Draft(event_id, event_type, event_id, None, "warn", timestamp, actor, body, salt)
    with open(journal, "ab") as file:
        file.write(chain.seal(draft)[0])


class Killed(BaseException):
    """What a killed process is like to the code that it was in."""


CALLS = [
    (files, "write_all"),
    (files, "sync_directory"),
    (files, "remove"),
    (os, "rename"),
    (os, "fsync"),
    (os, "fdatasync"),
]


def broken_off(ledger: Ledger, change, session_id: str, call, at: int, error) -> bool:
    """Let the call number `at` of a function fail while `change` runs; False if there is none."""
    target, name = call
    count = 0
    original = getattr(target, name)

    def failing(*arguments: object, **options: object) -> object:
        nonlocal count
        count += 1
        if count == at:
            raise error
        return original(*arguments, **options)

    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(target, name, failing)
        with suppress(WriteFailed, WriterStopped, Killed):
            change(ledger, session_id)
    ledger.journal.abandon()
    return count >= at


@pytest.mark.parametrize(
    "error", [OSError(5, "Input/output error"), Killed()], ids=["error", "kill"]
)
@pytest.mark.parametrize("call", CALLS, ids=[name for _, name in CALLS])
@pytest.mark.parametrize("change", [redact_large, prune_old], ids=["redact", "prune"])
def test_what_broke_off_is_no_tampering_and_is_finished_by_doing_it_again(
    ledger, change, call, error
):
    at, reached = 1, True
    while reached:
        session_id = fill(ledger)
        reached = broken_off(ledger, change, session_id, call, at, error)
        assert verdict(ledger)[0] in {"INTACT", "INCOMPLETE"}, at

        ledger = Ledger(ledger.directory, signer=ledger.signer)
        change(ledger, session_id)
        assert verdict(ledger) == INTACT
        assert blobs(ledger) == []
        at += 1
    ledger.close()
    assert at > 1


def test_a_pruned_session_is_gone_and_the_journal_keeps_its_leaves(ledger, session_id):
    leaves = [event.event_hash for event in read_events(data_of(ledger, session_id))]
    done = prune(ledger, session_id, "retention of 30 days")
    [said] = journal(ledger, "journal.pruned")

    assert (done.events, done.blobs) == (13, 1)
    assert list(ledger.directory.glob(f"{session_id}*")) == []
    assert verdict(ledger) == INTACT
    assert said["leaves"] == "".join(leaves)
    assert said["size"] == 13
    assert said["root"] == root_of(list(map(bytes.fromhex, leaves))).hex()
    assert said["totals"] == {
        "action.denied": 10,
        "action.executed": 1,
        "session.ended": 1,
        "session.started": 1,
    }


def test_the_leaves_of_a_long_session_become_a_blob(ledger):
    session = ledger.start_session("tester")
    with session.batch():
        for _ in range(1200):
            session.append("action.denied", DENIED)
    session.end()
    prune(ledger, session.id, "old")
    [said] = journal(ledger, "journal.pruned")

    assert said["leaves"]["$blob"] in blobs(ledger)
    assert verdict(ledger) == INTACT


def test_the_bytes_that_a_recovery_kept_are_pruned_too(ledger, session_id):
    kept = ledger.directory / f"{session_id}.removed-100-abcdef01"
    kept.write_bytes(b"half a line")
    prune(ledger, session_id, "old")

    assert not kept.exists()


def test_a_redacted_session_can_be_pruned(ledger, session_id):
    redact(ledger, session_id, LARGE, "too much")
    prune(ledger, session_id, "old")

    assert verdict(ledger) == INTACT


def reserve(ledger: Ledger, session_id: str, ends: str) -> None:
    facts = {"policy_id": "p", "key": "agent:tester", "cost": 1, "window_ends": ends}
    ledger.journal.append("limit.reserved", {"session_id": session_id, **facts})


def test_a_session_that_a_limit_counts_is_kept(ledger, session_id):
    other = fill(ledger)
    reserve(ledger, session_id, later(ledger.source.now(), -1))
    reserve(ledger, other, later(ledger.source.now(), 60))

    with pytest.raises(SessionOpen, match="window"):
        prune(ledger, other, "old")
    assert prune(ledger, session_id, "old").events == 13
    assert verdict(ledger) == INTACT


def test_a_window_that_cannot_be_read_keeps_the_session(ledger, session_id):
    reserve(ledger, session_id, "some day")

    with pytest.raises(SessionOpen, match="some day"):
        prune(ledger, session_id, "old")


def test_a_file_that_only_looks_put_aside_is_left_alone(ledger, session_id):
    other = fill(ledger)
    shutil.copy(data_of(ledger, other), ledger.directory / f"{session_id}.pruned")
    before = sorted(blobs(ledger))

    with pytest.raises(IntegrityError):
        prune(ledger, session_id, "old")
    assert sorted(blobs(ledger)) == before
    assert (ledger.directory / f"{session_id}.pruned").exists()


def test_a_session_that_came_back_after_its_pruning_is_judged_and_pruned_again(
    ledger, session_id, tmp_path
):
    shutil.copytree(ledger.directory, tmp_path / "kept")
    prune(ledger, session_id, "old")
    for path in (tmp_path / "kept").glob(f"{session_id}*"):
        shutil.copy(path, ledger.directory)
    # Its blob is gone for good.
    assert verdict(ledger, session_id)[:2] == ("TAMPERED", Code.BLOB_WRONG)
    shutil.copytree(tmp_path / "kept" / "blobs", ledger.directory / "blobs", dirs_exist_ok=True)
    assert verdict(ledger, session_id) == INTACT
    prune(ledger, session_id, "old")

    assert verdict(ledger) == INTACT
    assert len(journal(ledger, "journal.pruned")) == 1


def test_a_plan_knows_what_ended_when(ledger, session_id):
    session = ledger.start_session("open")
    aside = fill(ledger)
    data_of(ledger, aside).rename(ledger.directory / f"{aside}.pruned")
    ended = list(read_events(data_of(ledger, session_id)))[-1].header["timestamp"]
    plan = {item.session_id: item for item in plan_prune(ledger.directory)}

    assert plan[session_id].ended_at == ended
    assert plan[session_id].bytes == data_of(ledger, session_id).stat().st_size
    assert plan[session.id].ended_at is None
    assert plan[aside].is_begun
    assert list(plan) == sorted(plan)


@pytest.mark.usefixtures("session_id")
def test_retention_counts_from_the_end_of_a_session(ledger):
    ledger.start_session("open")
    plan = plan_prune(ledger.directory)
    ended, still_open = sorted(plan, key=lambda item: item.ended_at is None)
    day = timedelta(days=1)
    now = later(str(ended.ended_at), 86_400)

    assert is_due(ended, now, day)
    assert not is_due(ended, later(now, -0.001), day)
    assert not is_due(still_open, later(now, 1e9), day)


def test_a_session_that_recovered_after_its_end_is_seen_as_ended(ledger, session_id):
    ledger.close()
    with open(data_of(ledger, session_id), "ab") as file:
        file.write(b"half a line")
    again = Ledger(ledger.directory, signer=ledger.signer)
    again.session(session_id)
    again.close()
    [candidate] = plan_prune(ledger.directory)

    assert candidate.ended_at is not None
