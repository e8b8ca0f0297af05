"""Proofs: what they show, what makes them, and that no edited one holds."""

from __future__ import annotations

import base64
import subprocess
import sys
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from cra.errors import Code, CraError, IntegrityError, LedgerError, NotFound, UsageError
from cra.ledger import files
from cra.ledger.anchor import format_anchor
from cra.ledger.chain import decode
from cra.ledger.checkpoint import (
    Checkpoint,
    Signer,
    VerifierKey,
    open_checkpoint,
    parse_key,
    seal,
)
from cra.ledger.keys import create_key
from cra.ledger.proof import (
    ConsistencyProof,
    InclusionProof,
    check_proof,
    find_event,
    format_consistency,
    format_inclusion,
    parse_proof,
    prove_event,
    prove_prefix,
)
from cra.ledger.retention import redact
from cra.ledger.store import Ledger, read_events
from cra.ledger.verify import Anchor, Trust

DENIED = {"action_id": "ticket.delete", "reason": "no rule allows it", "policy_id": None}
STRANGER = VerifierKey("cra.local", bytes([9] * 31 + [1]))
VERIFIER = Path(__file__).parents[1] / "specs" / "verify.py"


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "cra.trace", signer=create_key(tmp_path / "key"))
    yield ledger
    ledger.close()


@pytest.fixture
def trust(ledger):
    return Trust((ledger.signer.key,))


@pytest.fixture
def session(ledger):
    session = ledger.start_session("tester")
    for _ in range(10):
        session.append("action.denied", DENIED)
    session.end()
    return session


def head(ledger: Ledger, name: str = "journal") -> Checkpoint:
    note = files.read_all(ledger.directory / f"{name}.checkpoint", 65_536)
    assert note is not None
    return open_checkpoint(note, None, (), signed=False).checkpoint


def anchor_of(ledger: Ledger) -> Anchor:
    checkpoint = head(ledger)
    return Anchor(ledger.id, checkpoint.size, checkpoint.root)


def refusal(proof: InclusionProof | ConsistencyProof, trust: Trust) -> Code:
    with pytest.raises(IntegrityError) as caught:
        check_proof(proof, trust)
    return caught.value.finding


def test_every_event_can_be_proven_and_the_text_reads_back(ledger, session, trust):
    for sequence in range(12):
        proof = prove_event(ledger.directory, session.id, sequence, trust)
        text = format_inclusion(proof)
        proven = check_proof(parse_proof(text), trust)

        assert parse_proof(text) == proof
        assert text.startswith(b"c2sp.org/tlog-proof@v1\nextra ")
        assert proven.event is not None
        assert (proven.event.sequence, str(proven.level)) == (sequence, "L1")
        assert proven.ledger_id == ledger.id


def test_an_event_of_the_journal_can_be_proven(ledger, session, trust):
    event = check_proof(prove_event(ledger.directory, "journal", 1, trust), trust).event

    assert event is not None
    assert event.event_type == "journal.session_opened"
    assert event.payload is not None
    assert event.payload["session_id"] == session.id


def test_the_level_is_what_the_keys_give(ledger, session, trust):
    key = ledger.signer.key
    proof = prove_event(ledger.directory, session.id, 3, trust)

    assert str(check_proof(proof, Trust()).level) == "L0"
    assert str(check_proof(proof, Trust(unconfirmed=(key,))).level) == "L1, key unconfirmed"
    assert refusal(proof, Trust((STRANGER,))) == Code.SIGNATURE_MISSING


def test_a_redacted_event_can_still_be_proven(ledger, session, trust):
    redact(ledger, session.id, 4, "a name")
    event = check_proof(prove_event(ledger.directory, session.id, 4, trust), trust).event

    assert event is not None
    assert (event.sequence, event.payload) == (4, None)


def test_the_other_verifier_accepts_a_proof(ledger, session, trust, tmp_path):
    path = tmp_path / "event.tlog-proof"
    path.write_bytes(format_inclusion(prove_event(ledger.directory, session.id, 5, trust)))
    command = [sys.executable, VERIFIER, path, "--key", str(ledger.signer.key)]
    answer = subprocess.run(command, capture_output=True, text=True, check=False)

    assert (answer.returncode, answer.stdout.split()[0]) == (0, "VALID"), answer.stderr


@pytest.mark.parametrize("shift", [-1, 1, 1 << 40])
def test_another_index_does_not_hold(ledger, session, trust, shift):
    proof = prove_event(ledger.directory, session.id, 5, trust)

    assert refusal(replace(proof, index=5 + shift), trust) == Code.PROOF_INVALID


def test_another_event_does_not_hold(ledger, session, trust):
    proof = prove_event(ledger.directory, session.id, 5, trust)
    other = prove_event(ledger.directory, session.id, 6, trust)

    assert refusal(replace(proof, line=other.line), trust) == Code.PROOF_INVALID
    assert refusal(replace(proof, line=other.line, index=6), trust) == Code.PROOF_INVALID


def test_missing_added_and_swapped_hashes_do_not_hold(ledger, session, trust):
    proof = prove_event(ledger.directory, session.id, 5, trust)
    path = proof.path

    for wrong in (path[:-1], path[1:], (), (*path, bytes(32)), path[::-1]):
        assert refusal(replace(proof, path=wrong), trust) == Code.PROOF_INVALID


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda line: line.replace(b"ticket.delete", b"ticket.create"), Code.PAYLOAD_HASH),
        (lambda line: line.replace(b'"severity":"warn"', b'"severity":"info"'), Code.EVENT_HASH),
        (lambda line: line + b" ", Code.MALFORMED_LINE),
        (lambda line: line.replace(b'{"action_id"', b'{ "action_id"'), Code.MALFORMED_LINE),
    ],
)
def test_an_edited_line_does_not_hold(ledger, session, trust, change, code):
    proof = prove_event(ledger.directory, session.id, 5, trust)

    assert refusal(replace(proof, line=change(proof.line)), trust) == code


def resigned(checkpoint: Checkpoint, signer: Signer | None, **changes: Any) -> bytes:
    return seal(checkpoint._replace(**changes), signer)


@pytest.mark.parametrize("changes", [{"size": 17}, {"size": 8}, {"size": 5}, {"root": bytes(32)}])
def test_another_size_or_root_does_not_hold(ledger, session, trust, changes):
    proof = prove_event(ledger.directory, session.id, 5, trust)
    checkpoint = head(ledger, session.id)
    forged = replace(proof, note=resigned(checkpoint, None, **changes))
    signed_by_the_key = replace(proof, note=resigned(checkpoint, ledger.signer, **changes))

    assert refusal(forged, trust) == Code.SIGNATURE_MISSING
    assert refusal(signed_by_the_key, trust) == Code.PROOF_INVALID


def test_a_checkpoint_of_another_session_does_not_stand_in(ledger, session, trust):
    proof = prove_event(ledger.directory, session.id, 5, trust)
    checkpoint = head(ledger, session.id)
    other = ledger.start_session("other").id
    for origin in (f"cra.local/{ledger.id}/{other}", "example.com/log", "cra.local/x/journal"):
        forged = replace(proof, note=resigned(checkpoint, ledger.signer, origin=origin))

        assert refusal(forged, trust) == Code.CHECKPOINT_FOREIGN


def test_a_signature_that_was_edited_is_wrong(ledger, session, trust):
    proof = prove_event(ledger.directory, session.id, 5, trust)
    start, signature = proof.note[:-1].rsplit(b" ", 1)
    raw = bytearray(base64.b64decode(signature))
    raw[40] ^= 1
    note = start + b" " + base64.b64encode(raw) + b"\n"

    assert refusal(replace(proof, note=note), trust) == Code.SIGNATURE_WRONG


def test_a_weak_key_is_refused_before_it_can_confirm_anything():
    for public in (bytes(32), b"\x01" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f"):
        with pytest.raises(CraError, match="full order"):
            parse_key(str(VerifierKey("cra.local", public)))


@pytest.mark.parametrize(
    "change",
    [
        lambda text: text[:0],
        lambda text: text.replace(b"@v1", b"@v2", 1),
        lambda text: text.replace(b"index 5", b"index 05", 1),
        lambda text: text.replace(b"extra ", b"extra  ", 1),
        lambda text: text.replace(b"index 5\n", b"", 1),
        lambda text: text.replace(b"=\n", b"\n", 1),
        lambda text: text.replace(b"\n\ncra.local", b"\nnot a hash\n\ncra.local", 1),
        lambda text: text.replace(b"\n", b"\r\n"),
        lambda text: b"\xff" + text,
        lambda text: text + b"x" * 300_000,
    ],
)
def test_text_that_is_no_proof_is_refused(ledger, session, trust, change):
    text = format_inclusion(prove_event(ledger.directory, session.id, 5, trust))

    with pytest.raises(IntegrityError) as caught:
        check_proof(parse_proof(change(text)), trust)
    assert caught.value.finding in {Code.PROOF_INVALID, Code.CHECKPOINT_MALFORMED}


def test_an_event_beyond_the_checkpoint_is_not_proven(ledger, trust):
    session = ledger.start_session("tester")
    session.append("action.denied", DENIED)

    with pytest.raises(LedgerError, match="found event 1 beyond it"):
        prove_event(ledger.directory, session.id, 1, trust)


def test_a_session_that_does_not_fit_its_checkpoint_proves_nothing(ledger, session, trust):
    path = session.paths.data
    lines = path.read_bytes().splitlines(keepends=True)
    path.write_bytes(b"".join([*lines[:5], lines[6], lines[5], *lines[7:]]))

    with pytest.raises(IntegrityError) as caught:
        prove_event(ledger.directory, session.id, 2, trust)
    assert caught.value.finding == Code.PROOF_INVALID
    assert caught.value.fix == f"cra trace verify {session.id}"


def test_a_shortened_session_proves_nothing(ledger, session, trust):
    lines = session.paths.data.read_bytes().splitlines(keepends=True)
    session.paths.data.write_bytes(b"".join(lines[:5]))

    with pytest.raises(IntegrityError, match="expected the 12 events"):
        prove_event(ledger.directory, session.id, 2, trust)


def test_an_event_is_found_by_its_id_and_by_its_hash(ledger, session):
    event = list(read_events(session.paths.data))[7]

    assert find_event(ledger.directory, event.header["event_id"]) == (session.id, 7)
    assert find_event(ledger.directory, event.event_hash) == (session.id, 7)
    assert find_event(ledger.directory, event.event_hash[:12]) == (session.id, 7)


def test_words_in_a_payload_do_not_pass_for_an_event(ledger, session):
    event = list(read_events(session.paths.data))[7]
    other = ledger.start_session("tester")
    words = {"event_id": event.header["event_id"], "event_hash": event.event_hash}
    other.append("action.requested", {"action_id": "a.b", "arguments": words})

    assert find_event(ledger.directory, event.header["event_id"]) == (session.id, 7)
    assert find_event(ledger.directory, event.event_hash[:20]) == (session.id, 7)


def test_what_names_no_event_or_too_many_is_said(ledger, session):
    event = decode(session.paths.data.read_bytes().splitlines()[7])
    with pytest.raises(UsageError, match="12 or more digits"):
        find_event(ledger.directory, event.event_hash[:11])
    with pytest.raises(NotFound):
        find_event(ledger.directory, "0" * 12)
    (ledger.directory / "copy.trace.jsonl").write_bytes(session.paths.data.read_bytes())
    with pytest.raises(UsageError, match="found 2"):
        find_event(ledger.directory, event.event_hash)


def test_an_anchored_head_is_shown_to_be_a_prefix(ledger, trust):
    anchored = anchor_of(ledger)
    for _ in range(3):
        ledger.start_session("later").end()
    proof = prove_prefix(ledger.directory, anchored, trust)
    text = format_consistency(proof)

    assert parse_proof(text) == proof
    assert text.decode().split("\n")[1] == f"old {format_anchor(anchored)}"
    assert str(check_proof(proof, trust).level) == "L1"


def test_the_present_head_is_a_prefix_of_itself(ledger, trust):
    assert prove_prefix(ledger.directory, anchor_of(ledger), trust).path == ()


def test_a_proof_of_another_past_does_not_hold(ledger, trust):
    anchored = anchor_of(ledger)
    ledger.start_session("later").end()
    proof = prove_prefix(ledger.directory, anchored, trust)
    other = "019a0000-0000-7000-8000-000000000000"

    for wrong in (
        replace(proof, anchor=anchored._replace(root=bytes(32))),
        replace(proof, anchor=anchored._replace(size=anchored.size - 1)),
        replace(proof, path=proof.path[:-1]),
    ):
        assert refusal(wrong, trust) == Code.PROOF_INVALID
    foreign = replace(proof, anchor=anchored._replace(ledger_id=other))
    assert refusal(foreign, trust) == Code.CHECKPOINT_FOREIGN


def test_a_journal_that_was_rolled_back_has_no_proof(ledger, trust):
    ledger.close()
    kept = {
        path: path.read_bytes() for path in ledger.directory.glob("journal.*") if path.is_file()
    }
    again = Ledger(ledger.directory, signer=ledger.signer)
    again.start_session("later").end()
    again.close()
    anchored = anchor_of(again)
    for path, data in kept.items():
        path.write_bytes(data)

    with pytest.raises(IntegrityError) as caught:
        prove_prefix(ledger.directory, anchored, trust)
    assert caught.value.finding == Code.ANCHOR_UNMET


def test_a_journal_with_another_past_has_no_proof(ledger, trust):
    anchored = anchor_of(ledger)._replace(root=bytes(32))
    ledger.start_session("later").end()

    with pytest.raises(IntegrityError) as caught:
        prove_prefix(ledger.directory, anchored, trust)
    assert caught.value.finding == Code.PROOF_INVALID
