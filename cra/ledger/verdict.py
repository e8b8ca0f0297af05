"""What a reader concludes: the verdict table of specs/PROTOCOL.md section 7, from facts alone."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import IntEnum
from typing import Any, Final, NamedTuple

from cra.amount import counted
from cra.errors import Code, ExitCode, IntegrityError
from cra.ledger.chain import ID
from cra.ledger.checkpoint import Checkpoint, VerifierKey

SESSION_HEADS: Final = frozenset(
    {"journal.session_opened", "journal.checkpoint", "journal.session_closed"}
)
_FULL_ID: Final = re.compile(ID)
_HASH: Final = re.compile("[0-9a-f]{64}")


class Verdict(IntEnum):
    """From best to worst."""

    INTACT = 0
    STILLBORN = 1
    INCOMPLETE = 2
    UNLISTED = 3
    DAMAGED = 4
    TAMPERED = 5

    @property
    def exit_code(self) -> ExitCode:
        return ExitCode.OK if self <= Verdict.INCOMPLETE else ExitCode.INTEGRITY


class Level(IntEnum):
    """How much the verdict rests on; L1 with an unconfirmed key is below L1."""

    L0 = 0
    L1_UNCONFIRMED = 1
    L1 = 2
    L2 = 3
    L3 = 4

    def __str__(self) -> str:
        return "L1, key unconfirmed" if self is Level.L1_UNCONFIRMED else self.name


class Finding(NamedTuple):
    verdict: Verdict
    code: Code
    message: str


@dataclass
class Reading:
    """What reading one chain brought to light, before anything is concluded."""

    size: int = 0
    roots: dict[int, bytes] = field(default_factory=dict)
    broken: IntegrityError | None = None
    rest: int = 0
    redacted: list[tuple[int, str]] = field(default_factory=list)
    wrong_blob: tuple[int, str] | None = None
    types: dict[str, int] = field(default_factory=dict)
    clock_steps: int = 0


class Attestation(NamedTuple):
    """A checkpoint held against the verifier's keys: what it covers and how far it can be
    trusted."""

    checkpoint: Checkpoint | None = None
    signer: VerifierKey | None = None
    is_confirmed: bool = False
    refused: IntegrityError | None = None
    expects_signature: bool = False

    @property
    def size(self) -> int:
        return self.checkpoint.size if self.checkpoint else 0

    @property
    def is_authentic(self) -> bool:
        return self.signer is not None

    def blame(self) -> Verdict:
        """The verdict on what a checkpoint that covers it contradicts."""
        return Verdict.TAMPERED if self.is_authentic else Verdict.DAMAGED

    def expected_blame(self) -> Verdict:
        return Verdict.TAMPERED if self.expects_signature else Verdict.DAMAGED


@dataclass
class JournalEntry:
    """What attested journal events say of a session; `size` and `root` are its recorded head."""

    size: int = 0
    root: bytes = b""
    is_listed: bool = False
    is_pruned: bool = False
    redactions: set[tuple[int, str]] = field(default_factory=set)

    def take(self, event_type: str, payload: Mapping[str, Any]) -> None:
        """Fold one event in. A payload that is not of its type's shape says nothing."""
        if event_type == "journal.redacted":
            sequence, event_hash = payload.get("sequence"), _hash_in(payload, "event_hash")
            if type(sequence) is int and event_hash:
                self.redactions.add((sequence, event_hash))
            return
        size, root = payload.get("size"), _hash_in(payload, "root")
        if type(size) is not int or not root:
            return
        if event_type in SESSION_HEADS:
            self.size, self.root = size, bytes.fromhex(root)
            self.is_listed = self.is_listed or event_type == "journal.session_opened"
        elif event_type == "journal.pruned":
            self.is_pruned = True


def take_entry(
    entries: dict[str, JournalEntry], event_type: str, payload: Mapping[str, Any]
) -> None:
    """Fold in what an attested event of the journal says of the session that it names."""
    session_id = payload.get("session_id")
    if isinstance(session_id, str) and _FULL_ID.fullmatch(session_id):
        entries.setdefault(session_id, JournalEntry()).take(event_type, payload)


class RememberedHead(NamedTuple):
    ledger_id: str
    size: int
    root: bytes


def _hash_in(payload: Mapping[str, Any], name: str) -> str:
    """The hash that a member of a payload is; empty if it is none."""
    value = payload.get(name)
    return value if isinstance(value, str) and _HASH.fullmatch(value) else ""


def judge_chain(reading: Reading, attestation: Attestation) -> list[Finding]:
    """The rows that hold for any chain with a checkpoint, in the table's order."""
    findings = []
    if attestation.refused is not None:
        findings.append(_finding(attestation.expected_blame(), attestation.refused))
    broken, covered = reading.broken, attestation.size
    if broken is not None and reading.size < covered:
        findings.append(_broken(attestation.blame(), reading.size, broken))
    elif reading.size < covered:
        findings.append(
            Finding(
                attestation.blame(),
                Code.CHECKPOINT_UNMET,
                f"expected the {counted(covered, 'event')} of the checkpoint, "
                f"found {reading.size:,}",
            )
        )
    elif attestation.checkpoint and reading.roots[covered] != attestation.checkpoint.root:
        findings.append(
            Finding(
                attestation.blame(),
                Code.CHECKPOINT_UNMET,
                f"expected the checkpoint's root over {counted(covered, 'event')}, found another",
            )
        )
    if broken is not None and reading.size >= covered:
        findings.append(_broken(Verdict.DAMAGED, reading.size, broken))
    if reading.wrong_blob is not None:
        sequence, message = reading.wrong_blob
        verdict = attestation.blame() if sequence < covered else Verdict.DAMAGED
        findings.append(Finding(verdict, Code.BLOB_WRONG, f"event {sequence}: {message}"))
    if broken is None and reading.rest:
        findings.append(
            Finding(
                Verdict.INCOMPLETE,
                Code.PARTIAL_LINE,
                f"{counted(reading.rest, 'byte')} after the last line, "
                "as a killed writer leaves them",
            )
        )
    return findings


def judge_session(reading: Reading, attestation: Attestation, entry: JournalEntry) -> list[Finding]:
    """The rows about a session that a journal, or the lack of one, adds to `judge_chain`."""
    findings = judge_redactions(reading, attestation, entry.redactions)
    if entry.size > attestation.size:
        findings.append(
            Finding(
                Verdict.TAMPERED,
                Code.JOURNAL_AHEAD,
                f"expected a checkpoint of at least the {counted(entry.size, 'event')} that the "
                f"journal recorded, found {attestation.size:,}",
            )
        )
    elif entry.size and reading.roots.get(entry.size, entry.root) != entry.root:
        findings.append(
            Finding(
                Verdict.TAMPERED,
                Code.JOURNAL_AHEAD,
                f"expected the root over {counted(entry.size, 'event')} that the journal recorded, "
                "found another",
            )
        )
    if not entry.is_listed and reading.size > 1:
        findings.append(
            Finding(
                Verdict.UNLISTED,
                Code.SESSION_UNLISTED,
                "expected a session that the journal lists, "
                f"found {counted(reading.size, 'event')} that it does not know",
            )
        )
    return findings


def judge_redactions(
    reading: Reading, attestation: Attestation, allowed: Collection[tuple[int, str]]
) -> list[Finding]:
    """Redacted lines that nothing allows: all of a journal, and of a file on its own."""
    unknown = [item for item in reading.redacted if item not in allowed]
    if not unknown:
        return []
    return [
        Finding(
            attestation.expected_blame(),
            Code.REDACTION_UNKNOWN,
            f"expected a journal entry for the redaction of event {unknown[0][0]}, found none",
        )
    ]


def judge_missing() -> Finding:
    return Finding(
        Verdict.TAMPERED,
        Code.SESSION_MISSING,
        "expected the session that the journal lists, found no file",
    )


def judge_memory(
    reading: Reading, ledger_id: str | None, remembered: Iterable[RememberedHead], code: Code
) -> list[Finding]:
    """The rows about heads of the journal that somebody remembers."""
    findings = []
    for head in remembered:
        if ledger_id is not None and ledger_id != head.ledger_id:
            message = f"expected the ledger {head.ledger_id}, found {ledger_id}"
            findings.append(Finding(Verdict.TAMPERED, Code.LEDGER_REPLACED, message))
        elif reading.roots.get(head.size) != head.root:
            found = f"{counted(reading.size, 'event')}, others among them"
            message = (
                f"expected a journal that begins with the {counted(head.size, 'event')} seen "
                f"before, found {'fewer' if reading.size < head.size else found}"
            )
            findings.append(Finding(Verdict.TAMPERED, code, message))
    return findings


def unattested_bounds(payload: Mapping[str, Any] | None) -> range | None:
    """The events that a `ledger.recovered` names as nobody's, if it names some."""
    found = (payload or {}).get("unattested")
    if isinstance(found, list) and len(found) == 2 and all(type(item) is int for item in found):
        return range(found[0], found[1] + 1)
    return None


def doubted_ranges(recoveries: Sequence[tuple[int, range]]) -> list[range]:
    """What attested recoveries, given as (sequence, named events) in order, leave unattested.

    From the last one back: one that a later one names has no say, and none has a say in what comes
    after it. Otherwise a forged recovery could strike out the events of honest writers (section 5).
    """
    doubted: list[range] = []
    for sequence, named in reversed(recoveries):
        if not any(sequence in doubt for doubt in doubted):
            doubted.append(range(named.start, min(named.stop, sequence)))
    return doubted


def worst(findings: Iterable[Finding]) -> Finding | None:
    """The first of the worst."""
    return max(findings, key=lambda finding: finding.verdict, default=None)


def _broken(verdict: Verdict, sequence: int, error: IntegrityError) -> Finding:
    return Finding(verdict, error.finding, f"event {sequence}: {error.message}")


def _finding(verdict: Verdict, error: IntegrityError) -> Finding:
    return Finding(verdict, error.finding, error.message)
