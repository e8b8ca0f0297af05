"""Judging a ledger: levels, trust, remembered heads, several cores, and going on from before."""

from __future__ import annotations

import shutil

import pytest

from cra.errors import Code, NotFound
from cra.ledger import reading
from cra.ledger.chain import decode, redact
from cra.ledger.checkpoint import VerifierKey
from cra.ledger.keys import create_key
from cra.ledger.memory import Memory
from cra.ledger.store import Ledger, read_events
from cra.ledger.verify import Anchor, LedgerReport, Trust, verify_file, verify_ledger

DENIED = {"action_id": "ticket.delete", "reason": "no rule allows it", "policy_id": None}
EXECUTED = {"execution_id": "e", "action_id": "file.read", "duration_us": 1}
STRANGER = VerifierKey("cra.local", bytes([9] * 31 + [1]))


@pytest.fixture
def memory(tmp_path):
    return Memory(tmp_path / "state")


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "cra.trace", signer=create_key(tmp_path / "key"))
    session = ledger.start_session("tester")
    for _ in range(20):
        session.append("action.denied", DENIED)
    session.append("action.executed", {**EXECUTED, "result": "x" * 70_000})
    session.end()
    yield ledger
    ledger.close()


def session_of(ledger: Ledger) -> str:
    [path] = [path for path in ledger.directory.glob("*.trace.jsonl") if path.name[0] == "0"]
    return path.name.partition(".")[0]


def found(report: LedgerReport) -> tuple[str, str | None, str]:
    decisive = report.decisive
    assert decisive is not None
    return report.verdict.name, decisive.code, str(report.level)


def levels(ledger: Ledger, trust: Trust, **options) -> str:
    report = verify_ledger(ledger.directory, trust, **options)
    assert report.verdict.name == "INTACT"
    return str(report.level)


def test_the_level_is_what_the_keys_give(ledger):
    key = ledger.signer.key

    assert levels(ledger, Trust()) == "L0"
    assert levels(ledger, Trust((key,))) == "L1"
    assert levels(ledger, Trust(unconfirmed=(key,))) == "L1, key unconfirmed"
    assert levels(ledger, Trust((key,), (key,))) == "L1"
    assert levels(ledger, Trust(own=key)) == "L1"


def test_the_users_own_key_counts_only_where_the_journal_names_it(ledger):
    assert levels(ledger, Trust(own=STRANGER)) == "L0"


def test_another_key_is_a_signature_missing(ledger):
    report = verify_ledger(ledger.directory, Trust((STRANGER,)))

    assert found(report) == ("TAMPERED", Code.SIGNATURE_MISSING, "L0")


def test_a_head_that_was_seen_gives_level_two_and_keeps_the_key(ledger, memory):
    key = ledger.signer.key

    assert levels(ledger, Trust((key,)), memory=memory) == "L1"
    assert levels(ledger, Trust((key,)), memory=memory) == "L2"
    assert levels(ledger, Trust(), memory=memory) == "L2"


def test_what_is_remembered_already_is_not_written_again(ledger, memory, tmp_path):
    def files() -> set[tuple[str, int]]:
        # Each writing is a new file under the old name.
        return {(path.name, path.stat().st_ino) for path in (tmp_path / "state").rglob("*.json")}

    verify_ledger(ledger.directory, Trust(), memory=memory)
    kept = files()
    verify_ledger(ledger.directory, Trust(), memory=memory)
    assert len(kept) == 3
    assert files() == kept

    ledger.start_session("tester").end()
    verify_ledger(ledger.directory, Trust(), memory=memory)
    assert len(files() - kept) == 2


def test_an_anchor_gives_level_three_and_finds_a_rollback(ledger):
    trust = Trust((ledger.signer.key,))
    report = verify_ledger(ledger.directory, trust)
    anchor = Anchor(ledger.id, report.journal.events, bytes.fromhex(report.journal.root))
    assert levels(ledger, trust, anchors=(anchor,)) == "L3"

    other = Anchor(ledger.id, anchor.size, bytes(32))
    assert found(verify_ledger(ledger.directory, trust, anchors=(other,))) == (
        "TAMPERED",
        Code.ANCHOR_UNMET,
        "L0",
    )


def test_rolling_everything_back_is_found_by_whoever_remembers(ledger, memory, tmp_path):
    trust = Trust((ledger.signer.key,))
    shutil.copytree(ledger.directory, tmp_path / "old")
    ledger.start_session("tester").end()
    verify_ledger(ledger.directory, trust, memory=memory)
    shutil.rmtree(ledger.directory)
    shutil.copytree(tmp_path / "old", ledger.directory)

    assert found(verify_ledger(ledger.directory, trust)) == ("INTACT", None, "L1")
    report = verify_ledger(ledger.directory, trust, memory=memory)
    assert found(report) == ("TAMPERED", Code.ROLLED_BACK, "L0")


def test_a_ledger_thrown_away_is_found_by_whoever_remembers(ledger, memory):
    verify_ledger(ledger.directory, Trust((ledger.signer.key,)), memory=memory)
    shutil.rmtree(ledger.directory)
    ledger.directory.mkdir()

    report = verify_ledger(ledger.directory, Trust(), memory=memory)
    assert found(report) == ("TAMPERED", Code.ROLLED_BACK, "L0")


@pytest.fixture
def _in_parts(monkeypatch):
    monkeypatch.setattr(reading, "PARALLEL_FROM", 0)


def as_facts(report: LedgerReport) -> list:
    return [(part.verdict, part.code, part.events, part.root, part.level) for part in report.parts]


@pytest.mark.parametrize("cores", [2, 7])
@pytest.mark.usefixtures("_in_parts")
def test_several_cores_find_what_one_finds(ledger, cores):
    trust = Trust((ledger.signer.key,))
    path = ledger.directory / f"{session_of(ledger)}.trace.jsonl"
    whole = path.read_bytes()
    changes = [
        whole,
        whole.replace(b"no rule", b"no Rule", 1),
        whole[:-100],
        whole + b"x",
        whole[len(whole) // 2 :],
        whole.replace(b"\n", b"\n\n", 1),
        b"",
    ]
    for content in changes:
        path.write_bytes(content)

        assert as_facts(verify_ledger(ledger.directory, trust, cores=cores)) == as_facts(
            verify_ledger(ledger.directory, trust)
        )


def test_a_reading_tells_how_far_it_is(ledger):
    told: list[int] = []

    verify_ledger(ledger.directory, Trust(), advance=told.append)

    assert sum(told) == sum(path.stat().st_size for path in ledger.directory.glob("*.jsonl"))


@pytest.mark.usefixtures("_in_parts")
def test_several_cores_tell_how_far_they_are_about(ledger):
    told: list[int] = []
    total = sum(path.stat().st_size for path in ledger.directory.glob("*.jsonl"))

    verify_ledger(ledger.directory, Trust(), cores=2, advance=told.append)

    assert 0.5 * total < sum(told) < 1.5 * total


@pytest.mark.usefixtures("_in_parts")
def test_several_cores_see_redactions_and_wrong_blobs(ledger):
    path = ledger.directory / f"{session_of(ledger)}.trace.jsonl"
    lines = path.read_bytes().split(b"\n")
    lines[5] = redact(decode(lines[5]))
    path.write_bytes(b"\n".join(lines))
    [blob] = (ledger.directory / "blobs").iterdir()
    blob.write_bytes(b"other")

    one, two = (verify_ledger(ledger.directory, Trust(), cores=cores) for cores in (1, 2))

    assert as_facts(one) == as_facts(two)
    assert one.sessions[0].redacted == two.sessions[0].redacted == 1


def test_verification_goes_on_from_where_it_was(ledger, memory):
    trust = Trust((ledger.signer.key,))
    first = verify_ledger(ledger.directory, trust, memory=memory, since_verified=True)
    again = verify_ledger(ledger.directory, trust, memory=memory, since_verified=True)

    assert first.sessions[0].skipped == 0
    assert again.sessions[0].skipped == again.sessions[0].events == 23
    assert as_facts(again)[1][:4] == as_facts(first)[1][:4]


def test_what_grew_since_is_read_and_judged(ledger, memory):
    trust = Trust((ledger.signer.key,))
    session = ledger.start_session("tester")
    session.barrier()
    verify_ledger(ledger.directory, trust, memory=memory)
    session.append("action.denied", DENIED)
    session.barrier()
    grown = verify_ledger(
        ledger.directory, trust, memory=memory, since_verified=True, sessions=[session.id]
    )
    assert (grown.sessions[0].skipped, grown.sessions[0].events) == (1, 2)

    path = session.paths.data
    path.write_bytes(path.read_bytes().replace(b"no rule", b"no Rule"))
    assert verify_ledger(ledger.directory, trust, memory=memory).verdict.name == "TAMPERED"


def test_a_file_on_its_own_is_judged_by_its_own_checkpoint(ledger, tmp_path):
    name = session_of(ledger)
    path = tmp_path / f"{name}.trace.jsonl"
    shutil.copy(ledger.directory / path.name, path)
    shutil.copytree(ledger.directory / "blobs", tmp_path / "blobs")
    trust = Trust((ledger.signer.key,))

    assert found(verify_file(path, Trust())) == ("INTACT", None, "L0")
    assert found(verify_file(path, trust)) == ("INTACT", None, "L0")
    shutil.copy(ledger.directory / f"{name}.checkpoint", tmp_path)
    assert found(verify_file(path, trust)) == ("INTACT", None, "L1")
    assert found(verify_file(path, Trust(unconfirmed=trust.confirmed)))[2] == "L1, key unconfirmed"
    path.write_bytes(path.read_bytes()[:-10])
    assert found(verify_file(path, trust))[0] == "TAMPERED"


def test_a_missing_ledger_or_session_is_named(ledger, tmp_path):
    with pytest.raises(NotFound, match="ledger directory"):
        verify_ledger(tmp_path / "none", Trust())
    with pytest.raises(NotFound, match="nobody"):
        verify_ledger(ledger.directory, Trust(), sessions=["nobody"])


def test_an_empty_directory_is_nothing_to_verify_unless_a_ledger_was_seen_there(
    ledger, memory, tmp_path
):
    (tmp_path / "empty").mkdir()
    with pytest.raises(NotFound, match="neither an event nor a session"):
        verify_ledger(tmp_path / "empty", Trust(), memory=memory)

    verify_ledger(ledger.directory, Trust(), memory=memory)
    shutil.rmtree(ledger.directory)
    ledger.directory.mkdir()
    report = verify_ledger(ledger.directory, Trust(), memory=memory)
    assert found(report)[:2] == ("TAMPERED", Code.ROLLED_BACK)


def test_a_session_whose_writer_died_before_the_journal_knew_is_stillborn(ledger):
    trust = Trust((ledger.signer.key,))
    session = ledger.start_session("tester")
    journal = ledger.directory / "journal.trace.jsonl"
    lines = journal.read_bytes().split(b"\n")
    journal.write_bytes(b"\n".join(lines[:-2]) + b"\n")
    unlisted = verify_ledger(ledger.directory, Trust(), sessions=[session.id])

    assert unlisted.sessions[0].verdict.name == "STILLBORN"
    assert verify_ledger(ledger.directory, trust).verdict.name == "TAMPERED"


def test_verifying_changes_nothing_in_the_project(ledger, memory):
    def state() -> dict:
        return {
            path: (path.stat().st_mtime_ns, path.read_bytes() if path.is_file() else b"")
            for path in sorted(ledger.directory.rglob("*"))
        }

    before = state()
    verify_ledger(ledger.directory, Trust((ledger.signer.key,)), memory=memory)

    assert state() == before


def test_a_reader_of_events_refuses_what_is_none(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"{}\n")

    with pytest.raises(Exception, match="expected an event"):
        list(read_events(path))
