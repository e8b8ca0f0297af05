"""The verdict table, row by row (specs/PROTOCOL.md section 7)."""

from __future__ import annotations

import pytest

from cra.errors import Code, ExitCode, IntegrityError
from cra.ledger.checkpoint import Checkpoint, VerifierKey
from cra.ledger.verdict import (
    Attestation,
    JournalEntry,
    Level,
    Reading,
    RememberedHead,
    Verdict,
    doubted_ranges,
    judge_chain,
    judge_memory,
    judge_missing,
    judge_session,
    unattested_bounds,
    worst,
)

KEY = VerifierKey("cra.local", bytes(range(32)))
ROOT, OTHER = b"r" * 32, b"o" * 32
BROKEN = IntegrityError(Code.BROKEN_CHAIN, "x")
REFUSED = IntegrityError(Code.SIGNATURE_MISSING, "x")


def signed(size: int) -> Attestation:
    return Attestation(Checkpoint("o", size, ROOT), KEY, expects_signature=True)


def unsigned(size: int) -> Attestation:
    return Attestation(Checkpoint("o", size, ROOT))


def read(size: int, **facts) -> Reading:
    return Reading(size, roots=dict.fromkeys(range(size + 1), ROOT), **facts)


CHAIN = {
    "everything covered": (read(3), signed(3), None, None),
    "events beyond the checkpoint": (read(5), signed(3), None, None),
    "no checkpoint": (read(3), Attestation(), None, None),
    "a checkpoint refused": (
        read(3), Attestation(refused=REFUSED, expects_signature=True),
        Verdict.TAMPERED, Code.SIGNATURE_MISSING,
    ),
    "a checkpoint refused where nothing is signed": (
        read(3), Attestation(refused=IntegrityError(Code.CHECKPOINT_MALFORMED, "x")),
        Verdict.DAMAGED, Code.CHECKPOINT_MALFORMED,
    ),
    "broken below": (read(2, broken=BROKEN), signed(3), Verdict.TAMPERED, Code.BROKEN_CHAIN),
    "broken below, unsigned": (
        read(2, broken=BROKEN), unsigned(3), Verdict.DAMAGED, Code.BROKEN_CHAIN
    ),
    "broken beyond": (read(3, broken=BROKEN), signed(3), Verdict.DAMAGED, Code.BROKEN_CHAIN),
    "too few": (read(2), signed(3), Verdict.TAMPERED, Code.CHECKPOINT_UNMET),
    "too few, unsigned": (read(2), unsigned(3), Verdict.DAMAGED, Code.CHECKPOINT_UNMET),
    "another root": (
        Reading(3, roots={3: OTHER}), signed(3), Verdict.TAMPERED, Code.CHECKPOINT_UNMET
    ),
    "a blob below": (read(3, wrong_blob=(2, "x")), signed(3), Verdict.TAMPERED, Code.BLOB_WRONG),
    "a blob below, unsigned": (
        read(3, wrong_blob=(2, "x")), unsigned(3), Verdict.DAMAGED, Code.BLOB_WRONG
    ),
    "a blob beyond": (read(4, wrong_blob=(3, "x")), signed(3), Verdict.DAMAGED, Code.BLOB_WRONG),
    "a partial line": (read(3, rest=9), signed(3), Verdict.INCOMPLETE, Code.PARTIAL_LINE),
    "a partial line after a break": (
        read(3, rest=9, broken=BROKEN), signed(3), Verdict.DAMAGED, Code.BROKEN_CHAIN
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CHAIN)
def test_a_chain_is_judged_by_its_checkpoint(case):
    reading, attestation, verdict, code = CHAIN[case]

    found = worst(judge_chain(reading, attestation))

    assert (found and found.verdict, found and found.code) == (verdict, code)


def entry(size: int = 3, root: bytes = ROOT, **facts) -> JournalEntry:
    return JournalEntry(size, root, **{"is_listed": True, **facts})


SESSION = {
    "as recorded": (read(3), signed(3), entry(), None, None),
    "recorded and grown": (read(9), signed(7), entry(), None, None),
    "recorded larger": (read(5), signed(3), entry(4), Verdict.TAMPERED, Code.JOURNAL_AHEAD),
    "recorded with another root": (
        read(5), signed(3), entry(3, OTHER), Verdict.TAMPERED, Code.JOURNAL_AHEAD
    ),
    "not listed": (read(2), signed(2), JournalEntry(), Verdict.UNLISTED, Code.SESSION_UNLISTED),
    "not listed, one event": (read(1), signed(1), JournalEntry(), None, None),
    "redacted, unknown": (
        read(3, redacted=[(1, "h")]), signed(3), entry(),
        Verdict.TAMPERED, Code.REDACTION_UNKNOWN,
    ),
    "redacted, unknown, unsigned": (
        read(3, redacted=[(1, "h")]), unsigned(3), entry(),
        Verdict.DAMAGED, Code.REDACTION_UNKNOWN,
    ),
    "redacted, recorded": (
        read(3, redacted=[(1, "h")]), signed(3), entry(redactions={(1, "h")}), None, None
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", SESSION)
def test_a_session_is_judged_by_the_journal(case):
    reading, attestation, known, verdict, code = SESSION[case]

    found = worst(judge_session(reading, attestation, known))

    assert (found and found.verdict, found and found.code) == (verdict, code)


def test_a_listed_session_without_a_file_is_tampering():
    assert judge_missing().verdict is Verdict.TAMPERED


@pytest.mark.parametrize(
    ("ledger_id", "size", "root", "code"),
    [
        ("me", 3, ROOT, None),
        ("me", 4, ROOT, Code.ROLLED_BACK),
        ("me", 3, OTHER, Code.ROLLED_BACK),
        ("you", 3, ROOT, Code.LEDGER_REPLACED),
        (None, 4, ROOT, Code.ROLLED_BACK),
    ],
)
def test_the_journal_is_judged_by_what_is_remembered(ledger_id, size, root, code):
    remembered = [RememberedHead("me", size, root)]

    found = worst(judge_memory(read(3), ledger_id, remembered, Code.ROLLED_BACK))

    assert (found and found.code) == code
    assert found is None or found.verdict is Verdict.TAMPERED


HEAD = {"session_id": "s", "size": 2, "root": "ab" * 32}


def test_journal_events_fold_into_what_is_known_of_a_session():
    known = JournalEntry()
    known.take("journal.session_opened", HEAD)
    known.take("journal.checkpoint", {**HEAD, "size": 5})
    known.take("journal.redacted", {"sequence": 1, "event_hash": "cd" * 32})
    known.take("journal.pruned", HEAD)

    assert known == JournalEntry(5, bytes.fromhex("ab" * 32), True, True, {(1, "cd" * 32)})


@pytest.mark.parametrize(
    ("event_type", "payload"),
    [
        ("journal.session_opened", {}),
        ("journal.session_opened", {**HEAD, "size": "2"}),
        ("journal.session_opened", {**HEAD, "root": "xy"}),
        ("journal.session_opened", {**HEAD, "root": 5}),
        ("journal.redacted", {"sequence": None, "event_hash": "h"}),
        ("journal.redacted", {"sequence": 1, "event_hash": None}),
        ("journal.redacted", {"sequence": 1, "event_hash": "h"}),
        ("journal.pruned", {}),
        ("journal.pruned", {**HEAD, "root": None}),
        ("journal.opened", HEAD),
    ],
)
def test_a_payload_of_another_shape_says_nothing(event_type, payload):
    known = JournalEntry()
    known.take(event_type, payload)

    assert known == JournalEntry()


def test_verdicts_and_levels_are_ordered_and_only_three_are_failures():
    assert [verdict.name for verdict in Verdict if verdict.exit_code is ExitCode.INTEGRITY] == [
        "UNLISTED",
        "DAMAGED",
        "TAMPERED",
    ]
    assert [str(level) for level in Level] == ["L0", "L1, key unconfirmed", "L1", "L2", "L3"]


@pytest.mark.parametrize(
    ("recoveries", "doubted"),
    [
        ([], []),
        ([(5, range(2, 4))], [2, 3]),
        ([(5, range(2, 9))], [2, 3, 4]),
        ([(5, range(2, 4)), (7, range(5, 6))], [5]),
        ([(5, range(2, 4)), (7, range(6, 7)), (9, range(7, 8))], [2, 3, 7]),
    ],
)
def test_a_recovery_has_a_say_about_what_precedes_it_unless_a_later_one_names_it(
    recoveries, doubted
):
    assert sorted({item for named in doubted_ranges(recoveries) for item in named}) == doubted


@pytest.mark.parametrize(
    ("payload", "named"),
    [
        (None, None),
        ({}, None),
        ({"unattested": [1]}, None),
        ({"unattested": [1, "2"]}, None),
        ({"unattested": [1, 2]}, range(1, 3)),
    ],
)
def test_only_two_numbers_name_a_range(payload, named):
    assert unattested_bounds(payload) == named
