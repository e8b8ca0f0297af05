"""Verify a ledger: read it in the order that no writer can race, and judge what was found.

The table that decides is in `verdict`; this module only gathers its facts. It never writes into the
project (specs/PROTOCOL.md sections 4.1, 7 and 10).
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from cra.amount import counted
from cra.errors import Code, IntegrityError, NotFound
from cra.ledger import files
from cra.ledger.chain import MAX_LINE, Event, decode
from cra.ledger.checkpoint import MAX_NOTE, UNSIGNED, VerifierKey, open_checkpoint, parse_key
from cra.ledger.memory import Head, Memory
from cra.ledger.merkle import EMPTY_ROOT
from cra.ledger.place import Lines, Place, hash_before
from cra.ledger.reading import Advance, Target, mark_of, read_chain
from cra.ledger.source import Source
from cra.ledger.verdict import (
    SESSION_HEADS,
    Attestation,
    Finding,
    JournalEntry,
    Level,
    Reading,
    RememberedHead,
    Verdict,
    doubted_ranges,
    judge_chain,
    judge_memory,
    judge_missing,
    judge_redactions,
    judge_session,
    unattested_bounds,
    worst,
)
from cra.protocol.events import EVENT_TYPES

JOURNAL: Final = "journal"
_SUFFIX: Final = ".trace.jsonl"
# How often a verification looks again at what went on while it read.
_PATIENCE: Final = 5
# Where anchors are read from: what the caller states, a file of the caller's, or the repository.
AnchorSource: TypeAlias = Literal["line", "file", "git"]
_ABOUT_SESSIONS: Final = SESSION_HEADS | {"journal.pruned", "journal.redacted"}


class Trust(NamedTuple):
    """The keys a verifier holds. `own` counts only if the journal names it."""

    confirmed: tuple[VerifierKey, ...] = ()
    unconfirmed: tuple[VerifierKey, ...] = ()
    own: VerifierKey | None = None

    @property
    def keys(self) -> tuple[VerifierKey, ...]:
        return tuple(dict.fromkeys(self.confirmed + self.unconfirmed))


@dataclass
class ChainReport:
    """The verdict on one chain and the facts behind it."""

    name: str
    verdict: Verdict = Verdict.INTACT
    code: Code | None = None
    message: str | None = None
    level: Level = Level.L0
    events: int = 0
    covered: int = 0
    root: str = ""
    redacted: int = 0
    is_pruned: bool = False
    # How many events were not read again, and the day (UTC) on which they were.
    skipped: int = 0
    verified_on: str | None = None
    warnings: list[str] = field(default_factory=list)

    @property
    def unattested(self) -> int:
        return max(0, self.events - self.covered)


@dataclass
class LedgerReport:
    """The verdict on a ledger: the worst of its parts, and the lowest of their levels."""

    directory: Path
    ledger_id: str | None
    journal: ChainReport | None
    sessions: list[ChainReport]
    notes: list[str] = field(default_factory=list)
    anchored_in: AnchorSource | None = None

    @property
    def parts(self) -> list[ChainReport]:
        return ([self.journal] if self.journal else []) + self.sessions

    @property
    def events(self) -> int:
        """How many events the sessions have; the journal keeps its own of them."""
        return sum(part.events for part in self.sessions)

    @property
    def decisive(self) -> ChainReport | None:
        return max(self.parts, key=lambda part: part.verdict, default=None)

    @property
    def verdict(self) -> Verdict:
        return self.decisive.verdict if self.decisive else Verdict.INTACT

    @property
    def level(self) -> Level:
        return min((part.level for part in self.parts), default=Level.L0)


class Anchor(NamedTuple):
    """A head of the journal that somebody kept elsewhere."""

    ledger_id: str
    size: int
    root: bytes


def verify_ledger(  # noqa: PLR0913  # each is a question that a verifier can be asked
    directory: Path,
    trust: Trust,
    *,
    sessions: list[str] | None = None,
    memory: Memory | None = None,
    anchors: tuple[Anchor, ...] = (),
    since_verified: bool = False,
    cores: int = 1,
    advance: Advance | None = None,
) -> LedgerReport:
    """Judge a ledger directory: its journal and all sessions, or those named. Raises NotFound.

    `advance` is told of bytes as they are read.
    """
    memory = memory or Memory(None)
    read = partial(read_chain, cores=cores, advance=advance)
    if not directory.is_dir():
        raise NotFound(
            "expected a ledger directory, found none",
            where=str(directory),
            fix="cra session start",
        )
    journal = _Journal(directory, trust, memory, anchors, read)
    found = journal.session_ids() if sessions is None else sorted(sessions)
    for name in sessions or ():
        journal.require(name)
    reports = {name: journal.judge(name, since_verified) for name in found}
    for _ in range(_PATIENCE):
        # A session may have been begun, redacted or pruned since the journal was read; a journal
        # that is read afterwards knows.
        bad = [name for name, part in reports.items() if part.verdict.exit_code != 0]
        if not bad or not journal.has_grown():
            break
        journal = _Journal(directory, trust, memory, anchors, read)
        reports |= {name: journal.judge(name, since_verified) for name in bad}
    parts = list(reports.values())
    report = LedgerReport(directory, journal.ledger_id, journal.report, parts, journal.notes)
    if memory.is_usable and report.verdict.exit_code == 0 and journal.report.events:
        journal.remember(report.level)
    elif not memory.is_usable:
        report.notes.append("L2 unavailable: no state directory to remember heads in")
    return report


def verify_file(
    path: Path, trust: Trust, *, cores: int = 1, advance: Advance | None = None
) -> LedgerReport:
    """Judge a session file on its own, with the checkpoint beside it if there is one."""
    session_id = path.name.removesuffix(_SUFFIX)
    if not path.exists():
        raise NotFound("expected a session file, found none", where=str(path))
    first = _first_event(path)
    ledger_id = str((first.payload or {}).get("ledger_id")) if first else None
    origin = f"cra.local/{ledger_id}/{session_id}" if first else None
    note = files.read_all(path.with_name(f"{session_id}.checkpoint"), MAX_NOTE)
    attestation = _hold(note, origin, trust)
    target = Target(path, session_id, is_journal=False, marks=[attestation.size])
    reading, place = read_chain(target, cores=cores, advance=advance)
    findings = judge_chain(reading, attestation) + judge_redactions(reading, attestation, ())
    report = _report(session_id, reading, place, attestation, findings)
    if report.verdict.exit_code == 0 and attestation.is_authentic:
        report.level = Level.L1 if attestation.is_confirmed else Level.L1_UNCONFIRMED
    notes = ["judged without a journal: whether the ledger lists this session is not known"]
    return LedgerReport(path.parent, ledger_id, None, [report], notes)


class _Journal:
    """The journal, read and judged once, and what it says of sessions."""

    def __init__(
        self,
        directory: Path,
        trust: Trust,
        memory: Memory,
        anchors: tuple[Anchor, ...],
        read: Callable[..., tuple[Reading, Place]],
    ) -> None:
        self._directory = directory
        self._memory = memory
        self._read = read
        self.notes: list[str] = []
        self._path = path = directory / f"{JOURNAL}{_SUFFIX}"
        self._seen = self._identity()
        note = files.read_all(directory / f"{JOURNAL}.checkpoint", MAX_NOTE)
        first = _first_event(path)
        self.ledger_id = first.header["session_id"] if first else None
        self._trust = _resolve(trust, path, self.ledger_id, memory)
        self.attestation = _hold(note, self._origin(JOURNAL), self._trust)
        remembered = self._remembered()
        anchored = [RememberedHead(item.ledger_id, item.size, item.root) for item in anchors]
        self._place: Place | None = None
        self._reading = Reading(roots={0: EMPTY_ROOT})
        if path.exists():
            marks = [self.attestation.size, *(head.size for head in remembered + anchored)]
            target = Target(path, self.ledger_id or "", is_journal=True, marks=marks)
            self._reading, self._place = read(target)
        self._entries = self._facts(path)
        findings = judge_chain(self._reading, self.attestation)
        findings += judge_redactions(self._reading, self.attestation, ())
        findings += judge_memory(self._reading, self.ledger_id, remembered, Code.ROLLED_BACK)
        findings += judge_memory(self._reading, self.ledger_id, anchored, Code.ANCHOR_UNMET)
        self.report = _report(JOURNAL, self._reading, self._place, self.attestation, findings)
        self.report.level = self._level(self.report, self.attestation)
        self._has_memory, self._has_anchor = bool(remembered), bool(anchored)
        self.report.level = self._raised(self.report.level)

    def has_grown(self) -> bool:
        """Whether the journal or its checkpoint is another than when they were read."""
        return self._identity() != self._seen

    def _identity(self) -> list[tuple[int, int] | None]:
        return [_identity(path) for path in (self._path, self._directory / f"{JOURNAL}.checkpoint")]

    def session_ids(self) -> list[str]:
        """Sessions that have a file, and those the journal lists."""
        present = {
            name.removesuffix(_SUFFIX)
            for name in os.listdir(self._directory)
            if name.endswith(_SUFFIX) and name != f"{JOURNAL}{_SUFFIX}"
        }
        listed = {name for name, entry in self._entries.items() if entry.is_listed}
        return sorted(present | listed)

    def require(self, session_id: str) -> None:
        """Raise NotFound for a session that neither has a file nor is in the journal."""
        path = self._directory / f"{session_id}{_SUFFIX}"
        if not path.exists() and session_id not in self._entries:
            raise NotFound(
                f"expected the session {session_id}, found none",
                where=str(path),
                fix="cra trace list",
            )

    def judge(self, session_id: str, since_verified: bool) -> ChainReport:
        entry = self._entries.get(session_id, JournalEntry())
        path = self._directory / f"{session_id}{_SUFFIX}"
        if not path.exists():
            report = ChainReport(session_id, is_pruned=entry.is_pruned)
            if entry.is_pruned:
                report.level = self.report.level
            else:
                _conclude(report, [judge_missing()])
            return report
        try:
            short = self._judge_since(session_id, path, entry) if since_verified else None
            return short or self._judge_whole(session_id, path, entry)
        except FileNotFoundError:
            # Pruned between the look and the reading, or taken away: the journal will tell.
            report = ChainReport(session_id)
            _conclude(report, [judge_missing()])
            return report

    def _judge_whole(self, session_id: str, path: Path, entry: JournalEntry) -> ChainReport:
        attestation = self._hold_session(session_id)
        marks = [attestation.size, entry.size]
        target = Target(path, session_id, is_journal=False, marks=marks)
        reading, place = self._read(target)
        report = self._judged(session_id, reading, place, attestation, entry)
        self._remember_mark(report, place, Source().now()[:10])
        return report

    def _judge_since(self, session_id: str, path: Path, entry: JournalEntry) -> ChainReport | None:
        """Judge only what came after the last verification; None if the long way has to decide."""
        mark = self._memory.mark_of(self.ledger_id or "", session_id)
        attestation = self._hold_session(session_id)
        if mark is None or min(attestation.size, entry.size) < mark.size:
            return None
        if hash_before(path, mark.offset) != mark.head:
            return None
        marks = [attestation.size, entry.size]
        target = Target(path, session_id, is_journal=False, marks=marks)
        reading, place = self._read(target, since=mark)
        report = self._judged(session_id, reading, place, attestation, entry)
        report.skipped, report.verified_on = mark.size, mark.verified_on
        report.redacted += mark.redacted
        self._remember_mark(report, place, mark.verified_on)
        return report if report.verdict is Verdict.INTACT else None

    def _remember_mark(self, report: ChainReport, place: Place, verified_on: str) -> None:
        if report.verdict is Verdict.INTACT and self.ledger_id:
            mark = mark_of(place, verified_on, report.redacted)
            self._memory.remember_mark(self.ledger_id, report.name, mark)

    def _hold_session(self, session_id: str) -> Attestation:
        note = files.read_all(self._directory / f"{session_id}.checkpoint", MAX_NOTE)
        return _hold(note, self._origin(session_id), self._trust)

    def _judged(
        self,
        session_id: str,
        reading: Reading,
        place: Place,
        attestation: Attestation,
        entry: JournalEntry,
    ) -> ChainReport:
        findings = judge_chain(reading, attestation) + judge_session(reading, attestation, entry)
        report = _report(session_id, reading, place, attestation, findings)
        report.is_pruned = entry.is_pruned
        if not findings and not entry.is_listed:
            report.verdict = Verdict.STILLBORN
            report.message = "begun, but its writer died before the journal listed it"
        if report.redacted and not self.attestation.is_authentic:
            report.warnings.append("redacted, unauthenticated: the journal is not signed")
        # A session without a checkpoint has nothing that a signature could be about.
        own = self._level(report, attestation) if attestation.size else self.report.level
        report.level = min(own, self.report.level) if report.verdict.exit_code == 0 else Level.L0
        report.level = self._raised(report.level)
        return report

    def _level(self, report: ChainReport, attestation: Attestation) -> Level:
        if report.verdict.exit_code != 0 or not attestation.is_authentic:
            return Level.L0
        return Level.L1 if attestation.is_confirmed else Level.L1_UNCONFIRMED

    def _raised(self, level: Level) -> Level:
        """L1 becomes L2 or L3 where the journal agrees with what is remembered or anchored."""
        if level < Level.L1 or self.report.verdict.exit_code != 0:
            return level
        if self._has_anchor:
            return Level.L3
        return Level.L2 if self._has_memory else level

    def remember(self, level: Level) -> None:
        """Keep the journal's head for the next time, unless a larger one is kept already."""
        size, signer = self.attestation.size, self.attestation.signer
        known = self._memory.of_ledger(self.ledger_id or "")
        if known is not None and known.size > size:
            return
        place = self._place
        # What no checkpoint covers yet is not worth remembering.
        if place is None or place.chain.size != size:
            return
        head = Head(
            self.ledger_id or "",
            size,
            place.tree.root().hex(),
            str(signer) if signer else UNSIGNED,
            place.offset,
            place.chain.head,
        )
        kept = self._memory.remember(self._directory, head)
        if kept and level >= Level.L1 and not self._has_memory:
            self.notes.append("this head is remembered from now on: the next verdict can be L2")

    def _origin(self, name: str) -> str | None:
        return f"cra.local/{self.ledger_id}/{name}" if self.ledger_id else None

    def _remembered(self) -> list[RememberedHead]:
        heads = []
        for ledger_id in dict.fromkeys((*self._memory.seen_at(self._directory), self.ledger_id)):
            head = self._memory.of_ledger(ledger_id) if ledger_id else None
            if head is not None:
                heads.append(RememberedHead(head.ledger_id, head.size, bytes.fromhex(head.root)))
            elif ledger_id and ledger_id != self.ledger_id:
                heads.append(RememberedHead(ledger_id, 0, EMPTY_ROOT))
        return heads

    def _facts(self, path: Path) -> dict[str, JournalEntry]:
        """Fold the attested events of the journal: two passes, for a later event can revoke."""
        entries: dict[str, JournalEntry] = {}
        end = min(self.attestation.size, self._reading.size)
        if self.attestation.expects_signature and not self.attestation.is_authentic:
            end = 0
        doubted = doubted_ranges(
            [
                (event.sequence, bounds)
                for event in _events(path, end=end, types={"ledger.recovered"})
                if (bounds := unattested_bounds(event.payload)) is not None
            ]
        )
        for event in _events(path, end=end, types=_ABOUT_SESSIONS):
            if any(event.sequence in doubt for doubt in doubted):
                continue
            session_id = (event.payload or {}).get("session_id")
            if isinstance(session_id, str):
                entry = entries.setdefault(session_id, JournalEntry())
                entry.take(event.event_type, event.payload or {})
        return entries


def _resolve(trust: Trust, journal: Path, ledger_id: str | None, memory: Memory) -> Trust:
    """Add the key that is remembered for this ledger, and the user's own if the journal names
    it."""
    confirmed = list(trust.confirmed)
    head = memory.of_ledger(ledger_id) if ledger_id else None
    if head is not None and head.signer != UNSIGNED and not trust.confirmed:
        confirmed.append(parse_key(head.signer))
    if trust.own is not None and any(
        (event.payload or {}).get("signer") == str(trust.own)
        for event in _events(journal, end=None, types={"journal.opened", "journal.key_added"})
    ):
        confirmed.append(trust.own)
    # Whoever knows which key it has to be does not mean any that the project may have added.
    return Trust(tuple(confirmed), () if confirmed else trust.unconfirmed)


def _hold(note: bytes | None, origin: str | None, trust: Trust) -> Attestation:
    """Hold a checkpoint against the keys."""
    expects = bool(trust.keys)
    if note is None:
        return Attestation(expects_signature=expects)
    try:
        opened = open_checkpoint(note, origin, trust.keys, signed=expects)
    except IntegrityError as error:
        return Attestation(refused=error, expects_signature=expects)
    return Attestation(
        opened.checkpoint,
        signer=opened.signer,
        is_confirmed=opened.signer in trust.confirmed,
        expects_signature=expects,
    )


def _report(
    name: str,
    reading: Reading,
    place: Place | None,
    attestation: Attestation,
    findings: list[Finding],
) -> ChainReport:
    report = ChainReport(name, events=reading.size, covered=min(attestation.size, reading.size))
    report.redacted = len(reading.redacted)
    report.root = place.tree.root().hex() if place else ""
    _conclude(report, findings)
    if reading.clock_steps:
        report.warnings.append(f"the clock stepped back {counted(reading.clock_steps, 'time')}")
    unknown = sorted(reading.types.keys() - EVENT_TYPES.keys())
    if unknown:
        report.warnings.append(f"event types that TRACE/1.1 does not have: {', '.join(unknown)}")
    return report


def _conclude(report: ChainReport, findings: list[Finding]) -> None:
    finding = worst(findings)
    if finding is not None:
        report.verdict, report.code, report.message = (
            finding.verdict,
            finding.code,
            finding.message,
        )


def _identity(path: Path) -> tuple[int, int] | None:
    try:
        status = path.stat()
    except FileNotFoundError:
        return None
    return status.st_ino, status.st_size


def _first_event(path: Path) -> Event | None:
    """Event 0 if it can be read on its own."""
    try:
        fd = files.open_for_reading(path)
    except FileNotFoundError:
        return None
    try:
        line, newline, _ = os.pread(fd, MAX_LINE + 1, 0).partition(b"\n")
        return decode(line) if newline else None
    except IntegrityError:
        return None
    finally:
        os.close(fd)


def _events(path: Path, *, end: int | None, types: set[str] | frozenset[str]) -> Iterator[Event]:
    """The events of some types among the first `end` lines, as far as they can be read."""
    if not path.exists():
        return
    names = [f'"event_type":"{name}"'.encode() for name in types]
    fd = files.open_for_reading(path)
    try:
        number = 0
        for lines in Lines(fd):
            for line in lines:
                if end is not None and number >= end:
                    return
                number += 1
                if any(name in line for name in names):
                    try:
                        event = decode(line)
                    except IntegrityError:
                        return
                    if event.event_type in types:
                        yield event
    finally:
        os.close(fd)
