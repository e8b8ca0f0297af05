"""Writing a ledger: what is acknowledged is there, in order, and verifies."""

from __future__ import annotations

import errno
import fcntl
import json
import os
import threading
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cra import canonical
from cra.errors import (
    Code,
    IntegrityError,
    NotFound,
    SessionEnded,
    SignerRefused,
    UsageError,
    ValueRefused,
    WriterStopped,
)
from cra.ledger import files
from cra.ledger.keys import create_key, load_key
from cra.ledger.memory import Memory
from cra.ledger.reading import usable_cores
from cra.ledger.source import Source, later, milliseconds_between
from cra.ledger.store import Ledger, Session, read_events
from cra.ledger.sync import Syncer
from cra.ledger.verify import Trust, verify_ledger
from tests.test_canonical import JSON

DENIED = {"action_id": "ticket.delete", "reason": "no rule allows it", "policy_id": None}


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "cra.trace", signer=create_key(tmp_path / "key"))
    yield ledger
    ledger.close()


@pytest.fixture
def session(ledger) -> Session:
    return ledger.start_session("tester")


def types(session: Session) -> list[str]:
    return [event.event_type for event in read_events(session.paths.data)]


def journal_types(ledger: Ledger) -> list[str]:
    return [event.event_type for event in read_events(ledger.directory / "journal.trace.jsonl")]


def verdict(ledger: Ledger) -> str:
    report = verify_ledger(ledger.directory, Trust((ledger.signer.key,) if ledger.signer else ()))
    return f"{report.verdict.name} {report.level}"


def test_an_append_is_in_the_file_when_it_returns(session):
    receipt = session.append("action.denied", DENIED, actor_id="policy")

    event = list(read_events(session.paths.data))[-1]
    assert event.payload == DENIED
    assert (event.sequence, event.event_hash) == (receipt.sequence, receipt.event_hash)
    assert (event.header["event_id"], event.header["span_id"]) == receipt[1:3]
    assert event.header["actor"] == {"id": "policy", "type": "runtime"}


def test_a_session_begins_and_ends_with_its_facts(ledger):
    session = ledger.start_session("tester", scopes=("read",), ttl_seconds=60)
    session.append("action.denied", DENIED)
    session.end("done")

    first, *_, last = read_events(session.paths.data)
    assert first.payload["scopes"] == ["read"]
    assert first.payload["signer"] == str(ledger.signer.key)
    lifetime = milliseconds_between(first.header["timestamp"], first.payload["expires_at"])
    assert abs(lifetime - 60_000) < 1000
    assert last.payload["reason"] == "done"
    assert last.payload["summary"] == {"events": 3, "resolutions": 0, "actions": 0, "denials": 1}
    assert journal_types(ledger) == [
        "journal.opened",
        "journal.session_opened",
        "journal.session_closed",
    ]
    assert verdict(ledger) == "INTACT L1"


@pytest.mark.parametrize("agent", ["", "a" * 257, " a", "a\n", "a\nb", "\t", "\udcff", "a\udcff"])
def test_an_agent_that_no_event_could_name_begins_no_session(ledger, agent):
    with pytest.raises(UsageError, match="expected an agent's name of 1 to 256 characters"):
        ledger.start_session(agent)

    assert list(ledger.directory.glob("0*")) == []


def test_an_agent_is_named_in_any_script_and_at_any_length_that_an_event_has_room_for(ledger):
    for agent in ("a", "Prüfer 2", "エージェント", "a" * 256):
        session = ledger.start_session(agent)

        session.append("action.denied", DENIED, actor_id=agent)


def test_what_no_event_can_hold_begins_no_session(ledger):
    for opening in ({"scopes": ("\udcff",)}, {"principal": {"type": "user", "id": "\udcff"}}):
        with pytest.raises(ValueRefused):
            ledger.start_session("tester", **opening)

    assert list(ledger.directory.glob("0*")) == []


def test_nothing_follows_the_end(session):
    session.end()

    with pytest.raises(SessionEnded, match="has ended"):
        session.append("action.denied", DENIED)


def test_a_child_session_shares_the_trace_of_its_root(ledger, session):
    child = ledger.start_session("helper", parent_session_id=session.id)
    grandchild = ledger.start_session("helper", parent_session_id=child.id)

    assert grandchild.trace_id == child.trace_id == session.id
    with pytest.raises(NotFound, match="expected the session"):
        ledger.start_session("helper", parent_session_id=Source().new_id())


def test_a_child_session_is_valid_no_longer_than_its_parent(ledger):
    parent = ledger.start_session("tester", ttl_seconds=60)
    child = ledger.start_session("helper", ttl_seconds=61, parent_session_id=parent.id)

    [ends, bounded] = [next(read_events(one.paths.data)).payload for one in (parent, child)]
    assert bounded["expires_at"] == ends["expires_at"]


def test_a_batch_is_written_at_its_end_and_dropped_on_an_exception(session):
    with session.batch() as batch:
        batch.append("action.denied", DENIED)
        batch.append("action.denied", DENIED)
        assert len(types(session)) == 1
    assert len(types(session)) == 3

    with suppress(ZeroDivisionError), session.batch() as batch:
        batch.append("action.denied", DENIED)
        raise ZeroDivisionError
    assert len(types(session)) == 3
    session.append("action.denied", DENIED)
    assert len(types(session)) == 4


def test_a_batch_inside_a_batch_joins_it(session):
    with session.batch():
        session.append("action.denied", DENIED)
        with session.batch(barrier=True):
            session.append("action.denied", DENIED)
        assert len(types(session)) == 3
        session.append("action.denied", DENIED)
    assert len(types(session)) == 4


def test_a_barrier_puts_everything_under_the_checkpoint_and_into_the_journal(ledger, session):
    session.append("action.denied", DENIED)
    session.barrier()
    session.barrier()

    report = verify_ledger(ledger.directory, Trust())
    assert [part.unattested for part in report.parts] == [0, 0]
    assert journal_types(ledger)[-1] == "journal.checkpoint"
    assert len(journal_types(ledger)) == 3


def test_an_unknown_type_or_member_is_refused_and_leaves_nothing(session):
    for event_type, payload in (("action.guessed", {}), ("action.denied", {**DENIED, "x": 1})):
        with pytest.raises(UsageError, match="expected"):
            session.append(event_type, payload)
    with pytest.raises(ValueRefused, match="actor"):
        session.append("action.denied", DENIED, actor_id="")
    with pytest.raises(ValueRefused, match="can hold"):
        session.append("action.denied", {**DENIED, "arguments": {"x": 2**60}})

    assert types(session) == ["session.started"]
    session.append("action.denied", DENIED, atlas={"atlas_id": "org.example", "version": "1.0.0"})


def executed(result) -> dict:
    return {
        "execution_id": "e",
        "action_id": "file.read",
        "duration_us": 1,
        "result": result,
    }


def deep(levels: int) -> list:
    value: list = []
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize("result", ["x" * 70_000, ["y" * 40_000, "z" * 40_000], deep(200)])
def test_a_large_or_deep_member_is_kept_as_a_blob(ledger, session, result):
    session.append("action.executed", executed(result))

    event = list(read_events(session.paths.data))[-1]
    [artifact] = event.header["artifacts"]
    blob = (ledger.directory / artifact["uri"]).read_bytes()
    assert event.payload["result"] == {"$blob": artifact["sha256"], "bytes": len(blob)}
    assert json.loads(blob) == result
    assert artifact["name"] == "result"
    assert verdict(ledger) == "INTACT L1"


@pytest.mark.parametrize(
    "result", [2**70, float("nan"), b"bytes", {"$int": "5"}, {"a": ["\ud800", -0.0]}, "$5", (1, 2)]
)
def test_an_output_that_json_cannot_hold_is_recorded_without_loss(session, result):
    session.append("action.executed", executed(result))

    stored = list(read_events(session.paths.data))[-1].payload["result"]
    expected = [1, 2] if result == (1, 2) else result
    assert repr(canonical.unwrap(stored)) == repr(expected)


def test_a_missing_or_changed_blob_is_found(ledger, session):
    session.append("action.executed", executed("x" * 70_000))
    session.barrier()
    [blob] = (ledger.directory / "blobs").iterdir()
    content = blob.read_bytes()

    blob.write_bytes(content.replace(b"x", b"y", 1))
    assert verdict(ledger).startswith("TAMPERED")
    blob.unlink()
    assert verdict(ledger).startswith("TAMPERED")
    blob.write_bytes(content)
    assert verdict(ledger) == "INTACT L1"


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=25)
@given(st.lists(st.tuples(JSON, st.booleans()), max_size=8))
def test_whatever_is_appended_verifies(ledger, results):
    session = ledger.start_session("tester")
    for result, barrier in results:
        with session.batch(barrier=barrier):
            session.append("action.executed", executed(result))
    session.end()

    report = verify_ledger(ledger.directory, Trust((ledger.signer.key,)), sessions=[session.id])
    assert (report.verdict.name, str(report.level)) == ("INTACT", "L1")
    assert report.sessions[0].events == len(results) + 2


def test_another_ledger_object_continues_the_session(ledger, session, tmp_path):
    session.append("action.denied", DENIED)
    again = Ledger(ledger.directory, signer=load_key(tmp_path / "key"))
    other = again.session(session.id)
    other.append("action.denied", DENIED)
    session.append("action.denied", DENIED)
    other.end()

    assert again.id == ledger.id
    assert verdict(ledger) == "INTACT L1"
    with pytest.raises(SessionEnded):
        session.append("action.denied", DENIED)
    again.close()


def test_events_of_another_writer_are_named_before_a_checkpoint_covers_them(ledger, session):
    again = Ledger(ledger.directory, signer=ledger.signer)
    other = again.session(session.id)
    session.barrier()
    first = session.append("action.denied", DENIED).sequence
    other.append("action.denied", DENIED)
    other.barrier()

    recovered = list(read_events(session.paths.data))[-1]
    assert recovered.event_type == "ledger.recovered"
    assert recovered.payload["unattested"] == [first, first]
    again.close()


def test_threads_share_a_session(ledger, session):
    def work():
        for _ in range(50):
            session.append("action.denied", DENIED)

    threads = [threading.Thread(target=work) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert session.size == 201
    assert verdict(ledger) == "INTACT L1"


def test_the_background_thread_brings_events_under_a_checkpoint(ledger, session):
    session.append("action.denied", DENIED)
    assert is_soon_attested(ledger, session)


def is_soon_attested(ledger: Ledger, session: Session) -> bool:
    waited = threading.Event()
    for _ in range(1_000):
        report = verify_ledger(ledger.directory, Trust(), sessions=[session.id])
        if report.sessions[0].unattested == 0:
            return True
        waited.wait(0.02)
    return False


def test_nobody_lets_go_of_files_that_the_background_thread_is_at(ledger, session, monkeypatch):
    writes, goes_on = threading.Event(), threading.Event()
    replace = files.replace

    def slowly(*arguments: object, **options: object) -> None:
        writes.set()
        goes_on.wait(10)
        replace(*arguments, **options)

    other = ledger.start_session("another")
    monkeypatch.setattr(files, "replace", slowly)
    session.append("action.denied", DENIED)
    assert writes.wait(10)
    threading.Timer(0.1, goes_on.set).start()
    session.abandon()

    assert goes_on.is_set()
    other.append("action.denied", DENIED)
    assert is_soon_attested(ledger, other)


def test_a_fault_in_the_background_is_told_and_stops_nobody_else(monkeypatch):
    class Writer:
        is_scheduled = False

        def __init__(self, error: Exception | None = None) -> None:
            self.error = error
            self.synced = threading.Event()

        def sync(self) -> None:
            if self.error is not None:
                raise self.error
            self.synced.set()

    told = []
    monkeypatch.setattr(threading, "excepthook", lambda args: told.append(args.exc_value))
    syncer, fault = Syncer(), ZeroDivisionError()
    for ones in ([Writer(fault), Writer()], [Writer()]):
        for one in ones:
            syncer.schedule(one)
        assert ones[-1].synced.wait(10)

    assert told == [fault]


@pytest.mark.parametrize("answer", [None, errno.ENOTSUP, errno.EIO])
def test_where_fsync_stops_short_the_disk_is_asked_to_empty_its_cache(ledger, monkeypatch, answer):
    asked = []

    def fcntl_of_macos(fd: int, command: int) -> None:
        asked.append((fd, command))
        if answer is not None:
            raise OSError(answer, "no")

    session = ledger.start_session("tester")
    monkeypatch.setattr(fcntl, "F_FULLFSYNC", 51, raising=False)
    monkeypatch.setattr(fcntl, "fcntl", fcntl_of_macos)
    monkeypatch.delattr(os, "fdatasync")
    session.append("action.denied", DENIED)
    if answer == errno.EIO:
        with pytest.raises(WriterStopped):
            session.barrier()
        session.abandon()
    else:
        session.barrier()
        assert verdict(ledger) == "INTACT L1"

    assert {command for _, command in asked} == {51}


def test_cores_are_counted_where_no_process_is_kept_to_some_of_them(monkeypatch):
    assert 1 <= usable_cores() <= (os.cpu_count() or 1)
    monkeypatch.delattr(os, "sched_getaffinity")
    assert usable_cores() == os.cpu_count()


def test_durability_always_syncs_each_append(tmp_path, monkeypatch):
    synced = []
    ledger = Ledger(tmp_path / "t", durability="always")
    session = ledger.start_session("tester")
    monkeypatch.setattr("cra.ledger.writer.os.fdatasync", synced.append)
    session.append("action.denied", DENIED)

    assert len(synced) >= 1
    monkeypatch.undo()
    ledger.close()


def test_a_session_that_does_not_exist_is_not_made(ledger):
    missing = Source().new_id()

    with pytest.raises(NotFound, match=missing):
        ledger.session(missing)
    assert not (ledger.directory / f"{missing}.trace.jsonl").exists()


def test_a_ledger_accepts_no_other_key(ledger, tmp_path):
    with pytest.raises(SignerRefused, match="which signs this ledger"):
        Ledger(ledger.directory, signer=create_key(tmp_path / "other"))
    with pytest.raises(SignerRefused, match="found no key"):
        Ledger(ledger.directory)


def test_a_ledger_that_never_had_a_key_stays_unsigned(tmp_path):
    Ledger(tmp_path / "t").close()
    ledger = Ledger(tmp_path / "t", signer=create_key(tmp_path / "key"))

    assert ledger.signer is None
    ledger.close()


def test_a_key_is_made_once_and_kept_private(tmp_path):
    path = tmp_path / "keys" / "ledger.key"
    made = create_key(path)

    assert load_key(path).key == made.key
    assert path.stat().st_mode & 0o077 == 0
    with pytest.raises(SignerRefused, match="found one"):
        create_key(path)
    path.chmod(0o644)
    with pytest.raises(SignerRefused, match="mode 644") as caught:
        load_key(path)
    assert caught.value.fix == f"chmod 600 {path}"


def test_a_key_signs_the_same_however_its_file_is_written(tmp_path):
    path = tmp_path / "key"
    made, usual = create_key(path), path.read_bytes()

    for content in (usual.replace(b"\n", b"\r\n"), b"# my key\n" + usual, usual.rstrip(b"\n")):
        path.write_bytes(content)
        read = load_key(path)
        assert read.key == made.key
        assert read.sign(b"text") == made.sign(b"text")


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"-----BEGIN PRIVATE KEY-----\nxx\n",
        # Of the length of an Ed25519 key, and of X25519.
        b"-----BEGIN PRIVATE KEY-----\n"
        b"MC4CAQAwBQYDK2VuBCIEINTuctv5E1hK1bbY8fdp+K06/nwoy/HU++CXqI9EdVhC\n"
        b"-----END PRIVATE KEY-----\n",
    ],
)
def test_a_file_that_is_no_key_is_refused(tmp_path, content):
    path = tmp_path / "key"
    path.write_bytes(content)
    path.chmod(0o600)

    with pytest.raises(SignerRefused, match="expected an Ed25519 key"):
        load_key(path)
    with pytest.raises(SignerRefused, match="No such file"):
        load_key(tmp_path / "none")


def test_a_ledger_that_was_begun_anew_is_refused_by_whoever_remembers(tmp_path):
    memory, directory = Memory(tmp_path / "state"), tmp_path / "t"
    Ledger(directory, memory=memory).close()
    directory.rename(tmp_path / "thrown away")

    with pytest.raises(IntegrityError, match="found none") as gone:
        Ledger(directory, memory=memory)
    anew = Ledger(directory)
    anew.close()
    with pytest.raises(IntegrityError, match=f"found {anew.id}") as replaced:
        Ledger(directory, memory=memory)
    assert gone.value.finding is Code.ROLLED_BACK
    assert replaced.value.finding is Code.LEDGER_REPLACED


def test_a_journal_that_lost_its_end_is_refused_by_whoever_remembers(tmp_path):
    memory, directory = Memory(tmp_path / "state"), tmp_path / "t"
    ledger = Ledger(directory, memory=memory)
    before = {path: path.read_bytes() for path in directory.glob("journal.*")}
    ledger.start_session("tester")
    ledger.close()
    for path, content in before.items():
        path.write_bytes(content)

    with pytest.raises(IntegrityError) as caught:
        Ledger(directory, memory=memory)
    assert caught.value.finding is Code.ROLLED_BACK


def test_a_state_directory_that_cannot_be_written_is_no_error(tmp_path):
    (tmp_path / "state").write_text("a file where a directory should be")
    memory = Memory(tmp_path / "state")
    ledger = Ledger(tmp_path / "t", memory=memory)
    ledger.start_session("tester")
    ledger.close()

    report = verify_ledger(tmp_path / "t", Trust(), memory=memory)
    assert report.verdict.name == "INTACT"
    assert any("L2 unavailable" in note for note in report.notes)


def test_a_removed_session_file_stops_its_writer(session):
    session.paths.data.unlink()

    with pytest.raises(IntegrityError, match="removed or replaced"):
        session.barrier()
    session.abandon()


def test_a_session_file_that_shrank_stops_its_writer(session):
    session.append("action.denied", DENIED)
    with session.paths.data.open("r+b") as file:
        file.truncate(100)

    with pytest.raises(IntegrityError, match="bytes, found 100"):
        session.append("action.denied", DENIED)
    session.abandon()


def crash(session: Session, tail: bytes) -> Session:
    """Leave a file as a killed writer would: let go, then bytes that nobody finished."""
    ledger = Ledger(session.paths.directory, signer=session._ledger.signer)  # noqa: SLF001
    with session.paths.data.open("ab") as file:
        file.write(tail)
    return ledger.session(session.id)


def next_line(session: Session) -> bytes:
    size = session.paths.data.stat().st_size
    session.append("action.denied", DENIED)
    data = session.paths.data.read_bytes()
    with session.paths.data.open("r+b") as file:
        file.truncate(size)
    return data[size:]


def test_a_partial_line_is_kept_aside_cut_off_and_recorded(ledger, session):
    tail = next_line(session)[:300]
    session.abandon()
    again = crash(session, tail)

    recovered = list(read_events(session.paths.data))[-1]
    assert recovered.payload["reason"] == "partial_line"
    removed = recovered.payload["removed"]
    assert (ledger.directory / removed["kept_as"]).read_bytes() == tail
    again.append("action.denied", DENIED)
    assert verdict(ledger) == "INTACT L1"


def test_a_line_that_only_lacks_its_lf_is_completed(ledger, session):
    line = next_line(session)
    session.abandon()
    again = crash(session, line[:-1])

    *_, completed, recovered, doubted = read_events(session.paths.data)
    assert completed.line == line[:-1]
    assert recovered.payload["reason"] == "completed"
    assert doubted.payload["unattested"] == [1, 1]
    again.append("action.denied", DENIED)
    assert verdict(ledger) == "INTACT L1"


def test_other_damage_waits_for_a_person_unless_the_machine_restarted(ledger, session, monkeypatch):
    session.abandon()
    with pytest.raises(IntegrityError) as caught:
        crash(session, b"garbage\nmore\n")
    assert caught.value.finding is Code.MALFORMED_LINE
    assert verdict(ledger).startswith("DAMAGED")

    monkeypatch.setattr(files, "boot_id", lambda: "another boot")
    session.append("action.denied", DENIED)
    recovered = list(read_events(session.paths.data))[-2]
    assert recovered.payload["reason"] == "power_loss"
    assert verdict(ledger) == "INTACT L1"


def test_repair_accepts_damage_beyond_the_checkpoint(ledger, session):
    session.abandon()
    with session.paths.data.open("ab") as file:
        file.write(b"garbage\n")

    removed = session.repair()

    assert removed is not None
    assert removed["bytes"] == 8
    assert session.repair() is None
    assert verdict(ledger) == "INTACT L1"


def test_damage_below_the_checkpoint_is_never_mended(session):
    session.append("action.denied", DENIED)
    session.barrier()
    session.abandon()
    data = session.paths.data.read_bytes()
    session.paths.data.write_bytes(data.replace(b"no rule", b"a rule!"))

    session.paths.checkpoint.write_bytes(
        b"\n".join(
            line
            for line in session.paths.checkpoint.read_bytes().split(b"\n")
            if not line.startswith(b"resume")
        )
    )
    with pytest.raises(IntegrityError):
        session.repair()
    assert b"a rule!" in session.paths.data.read_bytes()


def test_ids_sort_and_timestamps_are_rfc3339():
    source = Source()
    ids = [source.new_id() for _ in range(10_000)]

    assert ids == sorted(set(ids))
    assert all(made[14] == "7" and made[19] in "89ab" for made in ids)
    assert later("2026-01-01T23:59:59.500000Z", 1) == "2026-01-02T00:00:00.500000Z"
    assert milliseconds_between("2026-01-02T00:00:00.000000Z", "2026-01-01T00:00:00.000000Z") == 0


def test_an_id_does_not_go_back_with_the_clock(monkeypatch):
    source = Source()
    clock = iter([2_000_000_000_000_000_000, *[1_000_000_000_000_000_000] * 5000])
    monkeypatch.setattr("cra.ledger.source.time.time_ns", lambda: next(clock))
    ids = [source.new_id() for _ in range(5001)]

    assert ids == sorted(set(ids))


def test_a_directory_that_cannot_be_made_is_named(tmp_path):
    blocked = tmp_path / "file"
    blocked.write_text("")

    with pytest.raises(Exception, match="expected a directory") as caught:
        Ledger(blocked / "cra.trace")
    assert str(blocked) in caught.value.where


def test_a_journal_that_is_missing_under_its_checkpoint_is_refused(ledger):
    ledger.close()
    (ledger.directory / "journal.trace.jsonl").unlink()

    with pytest.raises(IntegrityError, match="journal that its checkpoint covers"):
        Ledger(ledger.directory, signer=ledger.signer)


def test_a_ledger_ignores_itself_in_git(ledger):
    assert (Path(ledger.directory) / ".gitignore").read_text() == "*\n"


def test_a_journal_event_that_no_checkpoint_covers_is_cut_off_and_kept(ledger, session):
    journal = ledger.directory / "journal.trace.jsonl"
    covered = {path: path.read_bytes() for path in ledger.directory.glob("journal.*")}
    session.append("action.denied", DENIED)
    session.barrier()
    forged = journal.read_bytes()[len(covered[journal]) :]
    checkpoint = ledger.directory / "journal.checkpoint"
    ledger.journal.abandon()
    checkpoint.write_bytes(covered[checkpoint])

    session.append("action.denied", DENIED)
    session.barrier()

    recovered = list(read_events(journal))[-2]
    assert recovered.payload["reason"] == "unattested"
    assert (ledger.directory / recovered.payload["removed"]["kept_as"]).read_bytes() == forged
    assert verdict(ledger) == "INTACT L1"


def test_a_journal_without_its_checkpoint_is_not_gone_on_with(ledger, session):
    session.barrier()
    ledger.close()
    (ledger.directory / "journal.checkpoint").unlink()

    with pytest.raises(IntegrityError, match="expected a checkpoint over the journal"):
        Ledger(ledger.directory, signer=ledger.signer)
