"""Bundles and exports: what they hold, who accepts them, and what an edited one is called."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import sys
import zipfile
from hashlib import sha256
from pathlib import Path

import pytest

from cra.errors import Code, IntegrityError, UsageError
from cra.ledger.bundle import is_bundle, verifier_path, verify_bundle, write_bundle
from cra.ledger.checkpoint import VerifierKey
from cra.ledger.export import FORMATS
from cra.ledger.index import LedgerFile
from cra.ledger.keys import create_key
from cra.ledger.retention import redact
from cra.ledger.store import Ledger
from cra.ledger.verify import Trust

DENIED = {"action_id": "ticket.delete", "reason": "no rule allows it", "policy_id": None}
RESULT = {"execution_id": "e", "action_id": "file.read", "duration_us": 1, "result": "x" * 70_000}
STRANGER = VerifierKey("cra.local", bytes([9] * 31 + [1]))


def fill(ledger: Ledger, *, ended: bool = True) -> str:
    """A session of 6 or 7 events; event 5 has a blob."""
    session = ledger.start_session("tester")
    for _ in range(4):
        session.append("action.denied", DENIED)
    session.append("action.executed", RESULT)
    if ended:
        session.end()
    session.barrier()
    return session.id


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "cra.trace", signer=create_key(tmp_path / "key"))
    yield ledger
    ledger.close()


@pytest.fixture
def session_id(ledger):
    return fill(ledger)


@pytest.fixture
def trust(ledger):
    return Trust((ledger.signer.key,))


@pytest.fixture
def bundle(ledger, session_id, trust, tmp_path):
    redact(ledger, session_id, 2, "a name")
    fill(ledger)
    path = tmp_path / "session.zip"
    write_bundle(ledger.directory, session_id, path, trust)
    return path


def judged(path: Path, trust: Trust) -> tuple[str, str | None, str]:
    report = verify_bundle(path, trust)
    decisive = report.decisive
    return report.verdict.name, decisive.code if decisive else None, str(report.level)


def other_verdict(path: Path, *keys: VerifierKey) -> tuple[int, str, str | None]:
    options = [word for key in keys for word in ("--key", str(key))]
    command = [sys.executable, str(verifier_path()), str(path), "--json", *options]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)
    assert answer.returncode in {0, 3}, answer.stderr
    result = json.loads(answer.stdout)
    return answer.returncode, result["verdict"], result["code"]


def edited(bundle: Path, changes: dict[str, bytes | None]) -> Path:
    """A copy of a bundle with some entries replaced, or removed where the bytes are None."""
    path = bundle.with_name("edited.zip")
    with zipfile.ZipFile(bundle) as old, zipfile.ZipFile(path, "w") as new:
        for info in old.infolist():
            data = changes.get(info.filename, old.read(info))
            if data is not None:
                new.writestr(info.filename, data)
    return path


def read(bundle: Path, name: str) -> bytes:
    with zipfile.ZipFile(bundle) as archive:
        return archive.read(name)


def test_a_bundle_holds_what_a_stranger_needs(bundle, session_id, ledger):
    with zipfile.ZipFile(bundle) as archive:
        names = archive.namelist()
        blobs = [name for name in names if name.startswith("blobs/")]
        readme = archive.read("README.txt").decode()
        verifier = archive.read("verify.py")
        key = archive.read("key.txt").decode()

    assert len(blobs) == 1
    assert [name for name in names if name not in blobs] == [
        "README.txt",
        f"{session_id}.trace.jsonl",
        f"{session_id}.checkpoint",
        "journal.proof",
        "redaction-2.proof",
        "key.txt",
        "verify.py",
    ]
    assert verifier == verifier_path().read_bytes()
    assert sha256(verifier).hexdigest() in readme
    assert key == f"{ledger.signer.key}\n"


def test_both_verifiers_accept_a_bundle(bundle, trust, ledger):
    assert judged(bundle, trust) == ("INTACT", None, "L1")
    assert judged(bundle, Trust()) == ("INTACT", None, "L0")
    assert judged(bundle, Trust(unconfirmed=(ledger.signer.key,)))[2] == "L1, key unconfirmed"
    assert other_verdict(bundle, ledger.signer.key) == (0, "INTACT", None)
    assert other_verdict(bundle) == (0, "INTACT", None)


def test_an_unpacked_bundle_is_a_bundle(bundle, trust, ledger, tmp_path):
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(tmp_path / "unpacked")

    assert is_bundle(tmp_path / "unpacked")
    assert is_bundle(bundle)
    assert not is_bundle(ledger.directory)
    assert not is_bundle(tmp_path / "key")
    assert judged(tmp_path / "unpacked", trust) == ("INTACT", None, "L1")


def test_the_same_ledger_gives_the_same_bytes(bundle, ledger, session_id, trust, tmp_path):
    again = tmp_path / "again.zip"
    write_bundle(ledger.directory, session_id, again, trust)

    assert again.read_bytes() == bundle.read_bytes()


def test_a_session_that_goes_on_can_be_bundled(ledger, trust, tmp_path):
    session_id = fill(ledger, ended=False)
    ledger.session(session_id).append("action.denied", DENIED)
    path = tmp_path / "open.zip"
    contents = write_bundle(ledger.directory, session_id, path, trust)

    assert contents.events == 7
    assert judged(path, trust) == ("INTACT", None, "L1")
    assert other_verdict(path, ledger.signer.key) == (0, "INTACT", None)


def test_an_unsigned_session_can_be_bundled(tmp_path):
    ledger = Ledger(tmp_path / "unsigned")
    session_id = fill(ledger)
    path = tmp_path / "unsigned.zip"
    contents = write_bundle(ledger.directory, session_id, path, Trust())
    ledger.close()

    assert contents.key is None
    assert judged(path, Trust()) == ("INTACT", None, "L0")
    assert other_verdict(path) == (0, "INTACT", None)


def lines_of(bundle: Path, session_id: str) -> list[bytes]:
    return read(bundle, f"{session_id}.trace.jsonl").splitlines(keepends=True)


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda lines: lines[:-1], Code.CHECKPOINT_UNMET),
        (lambda lines: [*lines[:3], *lines[4:]], Code.BROKEN_CHAIN),
        (lambda lines: lines[:0], Code.CHECKPOINT_UNMET),
        (
            lambda lines: [line.replace(b"no rule", b"our rule") for line in lines],
            Code.PAYLOAD_HASH,
        ),
    ],
    ids=["shortened", "one missing", "emptied", "edited"],
)
def test_an_edited_session_is_tampering(bundle, trust, ledger, session_id, change, code):
    data = b"".join(change(lines_of(bundle, session_id)))
    path = edited(bundle, {f"{session_id}.trace.jsonl": data})

    assert judged(path, trust)[:2] == ("TAMPERED", code)
    assert other_verdict(path, ledger.signer.key) == (3, "TAMPERED", code)


def test_a_bundle_whose_record_of_the_session_is_missing_is_tampering(bundle, trust):
    path = edited(bundle, {"journal.proof": None})

    # Nothing lists the session, and nothing allows the redaction in it, which is worse.
    assert judged(path, trust)[:2] == ("TAMPERED", Code.REDACTION_UNKNOWN)


def test_an_edited_record_is_tampering(bundle, trust, ledger):
    proof = read(bundle, "journal.proof").replace(b"index ", b"index 1", 1)
    path = edited(bundle, {"journal.proof": proof})

    assert judged(path, trust)[0] == "TAMPERED"
    assert other_verdict(path, ledger.signer.key)[:2] == (3, "TAMPERED")


def test_a_redaction_without_its_record_is_tampering(bundle, trust, ledger):
    path = edited(bundle, {"redaction-2.proof": None})

    assert judged(path, trust)[:2] == ("TAMPERED", Code.REDACTION_UNKNOWN)
    assert other_verdict(path, ledger.signer.key) == (3, "TAMPERED", Code.REDACTION_UNKNOWN)


def test_the_record_of_another_redaction_does_not_stand_in(bundle, trust, ledger):
    path = edited(bundle, {"redaction-2.proof": read(bundle, "journal.proof")})

    assert judged(path, trust)[:2] == ("TAMPERED", Code.REDACTION_UNKNOWN)
    assert other_verdict(path, ledger.signer.key) == (3, "TAMPERED", Code.REDACTION_UNKNOWN)


def test_the_checkpoint_of_another_session_does_not_stand_in(bundle, ledger, trust, session_id):
    [other] = [
        path
        for path in ledger.directory.glob("0*.checkpoint")
        if not path.name.startswith(session_id)
    ]
    path = edited(bundle, {f"{session_id}.checkpoint": other.read_bytes()})

    assert judged(path, trust)[:2] == ("TAMPERED", Code.CHECKPOINT_FOREIGN)
    assert other_verdict(path, ledger.signer.key)[:2] == (3, "TAMPERED")


def test_the_record_of_another_session_does_not_stand_in(bundle, ledger, trust, tmp_path):
    other = tmp_path / "other.zip"
    write_bundle(ledger.directory, fill(ledger), other, trust)
    path = edited(bundle, {"journal.proof": read(other, "journal.proof")})

    assert judged(path, trust)[:2] == ("TAMPERED", Code.SESSION_MISSING)
    assert other_verdict(path, ledger.signer.key) == (3, "TAMPERED", Code.SESSION_MISSING)


def test_a_bundle_of_another_ledger_with_the_same_key_does_not_mix(bundle, ledger, trust, tmp_path):
    second = Ledger(tmp_path / "second", signer=ledger.signer)
    other = tmp_path / "other.zip"
    write_bundle(second.directory, fill(second), other, trust)
    second.close()
    path = edited(bundle, {"journal.proof": read(other, "journal.proof")})

    assert judged(path, trust)[0] == "TAMPERED"


def test_a_blob_that_is_missing_or_edited_is_tampering(bundle, ledger, trust):
    with zipfile.ZipFile(bundle) as archive:
        [name] = [name for name in archive.namelist() if name.startswith("blobs/")]
    for data in (None, b"other bytes"):
        path = edited(bundle, {name: data})

        assert judged(path, trust)[:2] == ("TAMPERED", Code.BLOB_WRONG)
        assert other_verdict(path, ledger.signer.key) == (3, "TAMPERED", Code.BLOB_WRONG)


def test_another_key_is_a_signature_missing(bundle):
    assert judged(bundle, Trust((STRANGER,)))[:2] == ("TAMPERED", Code.SIGNATURE_MISSING)


@pytest.mark.parametrize("name", ["../outside", "/tmp/outside", "blobs/../../outside", "a\\b"])
def test_a_bundle_writes_nowhere_but_where_it_is_unpacked(bundle, trust, tmp_path, name):
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.writestr(name, b"planted")

    assert judged(bundle, trust) == ("INTACT", None, "L1")
    assert not list(tmp_path.rglob("*outside*"))


@pytest.mark.filterwarnings("ignore:Duplicate name")
def test_a_bundle_with_a_name_twice_is_refused(bundle, trust, session_id):
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.writestr(f"{session_id}.trace.jsonl", b"")

    with pytest.raises(UsageError, match="twice"):
        verify_bundle(bundle, trust)


def test_a_session_that_the_proof_does_not_name_is_unlisted(bundle, trust, ledger, session_id):
    lacking = edited(bundle, {f"{session_id}.trace.jsonl": None})
    assert judged(lacking, trust)[:2] == ("TAMPERED", Code.SESSION_MISSING)

    other = ledger.start_session("other")
    other.append("action.denied", DENIED)
    other.barrier()
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.write(other.paths.data, other.paths.data.name)
    report = verify_bundle(bundle, trust)
    assert (report.verdict.name, len(report.sessions)) == ("UNLISTED", 2)


@pytest.mark.parametrize(
    ("name", "words"),
    [("journal.trace.jsonl", "a whole ledger"), ("notes.txt", "another compression")],
)
def test_a_zip_file_that_is_no_bundle_is_refused(bundle, trust, name, words):
    with zipfile.ZipFile(bundle, "a") as archive:
        archive.writestr(name, b"x" * 99, zipfile.ZIP_BZIP2)

    with pytest.raises(UsageError, match=words) as caught:
        verify_bundle(bundle, trust)
    assert caught.value.where == str(bundle)


def test_a_broken_zip_is_called_one(bundle, trust):
    whole = bundle.read_bytes()
    for start in range(0, len(whole), 997):
        bundle.write_bytes(whole[:start] + bytes(200) + whole[start + 200 :])
        try:
            verdict = judged(bundle, trust)[0]
        except UsageError:
            continue
        assert verdict == "INTACT"
    bundle.write_bytes(whole[: len(whole) // 2])
    with pytest.raises(UsageError, match="broken zip"):
        verify_bundle(bundle, trust)


def test_no_flipped_bit_in_what_is_checked_goes_unnoticed(bundle, trust, tmp_path):
    folder = tmp_path / "unpacked"
    with zipfile.ZipFile(bundle) as archive:
        archive.extractall(folder)
    for name in ("README.txt", "key.txt", "verify.py"):
        (folder / name).unlink()
    for path in sorted(folder.rglob("*")):
        whole = path.read_bytes() if path.is_file() else b""
        for at in range(0, len(whole), 1 + len(whole) // 60):
            path.write_bytes(whole[:at] + bytes([whole[at] ^ 1]) + whole[at + 1 :])

            assert judged(folder, trust)[0] == "TAMPERED", (path.name, at)
        if whole:
            path.write_bytes(whole)
    assert judged(folder, trust) == ("INTACT", None, "L1")


def test_a_session_that_is_not_intact_is_bundled_only_by_force(ledger, session_id, trust, tmp_path):
    path = ledger.directory / f"{session_id}.trace.jsonl"
    path.write_bytes(path.read_bytes().replace(b"no rule", b"our rule"))
    target = tmp_path / "evidence.zip"

    with pytest.raises(IntegrityError, match="TAMPERED") as caught:
        write_bundle(ledger.directory, session_id, target, trust)
    assert caught.value.finding == Code.PAYLOAD_HASH
    assert not target.exists()
    write_bundle(ledger.directory, session_id, target, trust, force=True)
    assert judged(target, trust)[:2] == ("TAMPERED", Code.PAYLOAD_HASH)
    assert [path.name for path in tmp_path.glob("*.tmp")] == []


@pytest.mark.parametrize("name", ["{}.checkpoint", "journal.checkpoint", "journal.trace.jsonl"])
@pytest.mark.parametrize("damage", [lambda path: path.write_bytes(b"rubbish\n"), Path.unlink])
def test_evidence_is_bundled_whatever_is_left(ledger, session_id, trust, tmp_path, name, damage):
    damage(ledger.directory / name.format(session_id))
    target = tmp_path / "evidence.zip"
    contents = write_bundle(ledger.directory, session_id, target, trust, force=True)

    assert contents.events == 7
    assert contents.verdict.name in {"TAMPERED", "UNLISTED"}


def test_a_bundle_that_breaks_off_leaves_no_file(ledger, session_id, trust, tmp_path, monkeypatch):
    monkeypatch.setattr(
        shutil, "copyfileobj", lambda *_: (_ for _ in ()).throw(OSError(28, "full"))
    )

    with pytest.raises(OSError, match="full"):
        write_bundle(ledger.directory, session_id, tmp_path / "session.zip", trust)
    assert not list(tmp_path.glob("session.zip*"))


def exported(ledger: Ledger, session_id: str, form: str) -> bytes:
    with LedgerFile(ledger.directory / f"{session_id}.trace.jsonl") as log:
        return b"".join(FORMATS[form](log.lines()))


def test_jsonl_is_what_is_stored(ledger, session_id):
    stored = (ledger.directory / f"{session_id}.trace.jsonl").read_bytes()

    assert exported(ledger, session_id, "jsonl") == stored


def test_json_is_one_array_of_header_and_payload(ledger, session_id):
    redact(ledger, session_id, 2, "a name")
    events = json.loads(exported(ledger, session_id, "json"))

    assert [event["sequence"] for event in events] == list(range(7))
    assert events[1]["payload"] == DENIED
    assert events[2]["payload"] is None
    assert len(events[1]["event_hash"]) == 64


def test_no_events_are_an_empty_array():
    assert json.loads(b"".join(FORMATS["json"]([]))) == []


def test_csv_has_a_row_per_event(ledger, session_id):
    rows = list(csv.DictReader(io.StringIO(exported(ledger, session_id, "csv").decode())))

    assert [row["sequence"] for row in rows] == [str(number) for number in range(7)]
    assert json.loads(rows[1]["payload"]) == DENIED
    assert rows[1]["parent_span_id"] == ""


@pytest.mark.parametrize(
    "name",
    ["=1+1", "+1", "-1", "@SUM(A1)", "\tx", "\rx", '=HYPERLINK("http://example.com")', "\n=1"],
)
def test_a_cell_is_never_a_formula(ledger, name):
    session = ledger.start_session("tester")
    session.append("action.denied", DENIED, actor_id=name)
    text = exported(ledger, session.id, "csv").decode()
    rows = list(csv.DictReader(io.StringIO(text, newline="")))

    assert rows[1]["actor_id"] == f"'{name}"
