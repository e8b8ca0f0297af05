"""What a person can accept so that a ledger goes on, and what nobody can: the record of a break.

Accepting never hides anything: bytes that are cut off stay beside their file, and the journal says
what was accepted. What a signed checkpoint covers is beyond repair.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from enum import Enum
from pathlib import Path
from typing import Final

from cra.errors import Code, IntegrityError, SignerRefused, WriteFailed
from cra.ledger import files
from cra.ledger.attested import signer_named
from cra.ledger.chain import Chain
from cra.ledger.checkpoint import (
    MAX_NOTE,
    Signer,
    VerifierKey,
    open_checkpoint,
    parse_key,
    seal,
)
from cra.ledger.memory import Memory
from cra.ledger.merkle import EMPTY_ROOT
from cra.ledger.source import Source
from cra.ledger.store import JOURNAL, NO_KEY, Ledger, Session
from cra.ledger.verdict import Verdict
from cra.ledger.verify import ChainReport, LedgerReport
from cra.ledger.writer import ChainPaths, ChainWriter
from cra.protocol.events import BrokenFrom, Removed

_LINES: Final = frozenset(
    {
        Code.MALFORMED_LINE,
        Code.PAYLOAD_HASH,
        Code.EVENT_HASH,
        Code.BROKEN_CHAIN,
        Code.FOREIGN_EVENT,
        Code.AFTER_END,
    }
)
_MEMORY: Final = frozenset({Code.ROLLED_BACK, Code.LEDGER_REPLACED})


class Kind(Enum):
    """What can be accepted; the value says what accepting does."""

    PARTIAL = "complete the last line, or cut it off and keep its bytes beside the file"
    DAMAGE = "cut off what follows the last good event, and keep the bytes beside the file"
    BREAK = "record in the journal that what was seen here before is given up, and go on"
    KEY = "record in the journal that this key signs from now on, and sign every checkpoint with it"


@dataclass(frozen=True)
class Acceptable:
    """One thing that a person can accept about a chain."""

    name: str
    kind: Kind
    message: str


@dataclass(frozen=True)
class Accepted:
    """What was done about one chain; `removed` says where the bytes are that were cut off."""

    name: str
    kind: Kind
    removed: Removed | None = None


def acceptable_in(report: LedgerReport, memory: Memory, signer: Signer | None) -> list[Acceptable]:
    """What can be accepted about a ledger that was judged with this memory, the journal first."""
    found = []
    named = _key_named(report)
    if named is not None and signer is not None and named != str(signer.key):
        message = f"expected the key {named}, which signs this ledger, found {signer.key}"
        found.append(Acceptable(JOURNAL, Kind.KEY, message))
    for part in report.parts:
        kind = _kind_of(report.directory, part)
        if kind is not None:
            found.append(Acceptable(part.name, kind, part.message or ""))
    known = memory.seen_at(report.directory)
    is_gone = report.journal is None or not _journal(report).exists()
    if known and is_gone and all(item.kind is not Kind.BREAK for item in found):
        message = f"expected the ledger {known[0]}, found {report.ledger_id or 'none'}"
        found.insert(0, Acceptable(JOURNAL, Kind.BREAK, message))
    return found


def beyond_repair(report: LedgerReport) -> list[ChainReport]:
    """The chains that nothing can be accepted about: evidence."""
    return [
        part
        for part in report.parts
        if part.verdict >= Verdict.UNLISTED and _kind_of(report.directory, part) is None
    ]


def accept_journal(
    report: LedgerReport, memory: Memory, signer: Signer | None, reason: str
) -> list[Accepted]:
    """Accept what `acceptable_in` says about the journal. Doing it again finishes what broke off.

    Raises SignerRefused if the ledger is signed and there is no key, IntegrityError if a new key
    would have to vouch for what is beyond repair, WriteFailed.
    """
    directory = report.directory
    kinds = {item.kind for item in acceptable_in(report, memory, signer) if item.name == JOURNAL}
    signer = _signer_to_go_on(report, signer)
    if Kind.KEY in kinds and signer is not None:
        _sign_everything(report, signer)
        _trust_from_now_on(memory, report, signer)
    removed = _repair_data(report, signer)
    mended = Kind.PARTIAL if Kind.PARTIAL in kinds else Kind.DAMAGE
    done = [Accepted(JOURNAL, mended, removed)] if removed else []
    broken_from = _remembered(memory, report)
    ledger = Ledger(directory, signer=signer, memory=memory, accept_breaks=True)
    try:
        with ledger.journal.batch(barrier=True) as journal:
            if Kind.KEY in kinds and signer is not None:
                journal.append("journal.key_added", {"signer": str(signer.key), "reason": reason})
                done.append(Accepted(JOURNAL, Kind.KEY))
            if Kind.BREAK in kinds:
                fact = {"reason": "accepted", "boot_id": files.boot_id()}
                journal.append("ledger.recovered", {**fact, "broken_from": broken_from})
                done.append(Accepted(JOURNAL, Kind.BREAK))
    finally:
        ledger.close()
    return done


def accept_session(ledger: Ledger, found: Acceptable) -> Accepted:
    """Mend the end of a session's file. Raises IntegrityError for what lies below the
    checkpoint."""
    session = Session(ledger, found.name)
    try:
        return Accepted(found.name, found.kind, session.repair())
    finally:
        session.close()


def _kind_of(directory: Path, part: ChainReport) -> Kind | None:
    if part.name == JOURNAL and part.code in _MEMORY:
        # A journal that cannot be read from its first event on is no journal to go on with.
        return Kind.BREAK if part.events or _is_empty(directory) else None
    if part.verdict is Verdict.INCOMPLETE:
        return Kind.PARTIAL
    if part.verdict is Verdict.DAMAGED and part.code in _LINES:
        note = files.read_all(directory / f"{part.name}.checkpoint", MAX_NOTE)
        covered = open_checkpoint(note, None, (), signed=False).checkpoint.size if note else 0
        return Kind.DAMAGE if part.events >= covered else None
    return None


def _key_named(report: LedgerReport) -> str | None:
    return signer_named(_journal(report), report.journal.covered if report.journal else 0)


def _is_empty(directory: Path) -> bool:
    return not files.read_all(directory / f"{JOURNAL}.trace.jsonl", 0)


def _signer_to_go_on(report: LedgerReport, signer: Signer | None) -> Signer | None:
    """A ledger that has a key goes on with one, a ledger that never had one goes on without."""
    named = _key_named(report)
    if named is not None and signer is None:
        raise SignerRefused(
            f"expected a key to sign the journal with, found none; so far {named} signs it",
            where=str(report.directory),
            fix=NO_KEY,
        )
    return signer if named is not None or report.ledger_id is None else None


def _sign_everything(report: LedgerReport, signer: Signer) -> None:
    """Add a signature to every checkpoint that the ledger's key has signed, the journal's last.

    So a verifier that knows either key is satisfied at any moment.
    """
    broken = beyond_repair(report)
    if broken:
        raise IntegrityError(
            broken[0].code or Code.CHECKPOINT_UNMET,
            f"expected a ledger that a new key can vouch for, found {broken[0].name}: "
            f"{broken[0].message}",
            where=str(report.directory),
            fix="keep the directory as evidence, and begin a new ledger elsewhere",
        )
    named = parse_key(_key_named(report) or "")
    try:
        for name in [*(part.name for part in report.sessions), JOURNAL]:
            paths = ChainPaths(report.directory, name)
            origin = f"cra.local/{report.ledger_id}/{name}"
            with files.exclusive_lock(paths.lock):
                note = files.read_all(paths.checkpoint, MAX_NOTE)
                if note is not None:
                    files.replace(paths.checkpoint, _countersigned(note, origin, named, signer))
    except OSError as error:
        raise WriteFailed(
            f"expected to sign the checkpoints, found: {error.strerror or error}",
            where=str(error.filename or report.directory),
            fix="run the command again: it goes on where this one stopped",
        ) from error


def _trust_from_now_on(memory: Memory, report: LedgerReport, signer: Signer) -> None:
    """Remember the new key before any checkpoint has its signature alone."""
    head = memory.of_ledger(report.ledger_id or "")
    if head is not None and memory.seen_at(report.directory) == (report.ledger_id,):
        memory.remember(report.directory, replace(head, signer=str(signer.key)))


def _countersigned(note: bytes, origin: str, named: VerifierKey, signer: Signer) -> bytes:
    if open_checkpoint(note, origin, (signer.key,), signed=False).signer is not None:
        return note
    checkpoint = open_checkpoint(note, origin, (named,), signed=True).checkpoint
    others = note[len(checkpoint.text().encode()) + 1 :]
    return seal(checkpoint, signer) + others


def _repair_data(report: LedgerReport, signer: Signer | None) -> Removed | None:
    """Cut off what cannot be read at the journal's end; nothing if all of it can."""
    if report.ledger_id is None:
        return None
    journal = ChainWriter(
        ChainPaths(report.directory, JOURNAL),
        Chain(report.ledger_id, is_journal=True),
        f"cra.local/{report.ledger_id}/{JOURNAL}",
        source=Source(),
        signer=signer,
        cuts_foreign=True,
    )
    try:
        return journal.repair()
    finally:
        journal.abandon()


def _journal(report: LedgerReport) -> Path:
    return report.directory / f"{JOURNAL}.trace.jsonl"


def _remembered(memory: Memory, report: LedgerReport) -> BrokenFrom:
    others = [known for known in memory.seen_at(report.directory) if known != report.ledger_id]
    ledger_id = others[0] if others else report.ledger_id or ""
    head = memory.of_ledger(ledger_id)
    if head is None:
        return {"ledger_id": ledger_id, "size": 0, "root": EMPTY_ROOT.hex()}
    return {"ledger_id": ledger_id, "size": head.size, "root": head.root}
