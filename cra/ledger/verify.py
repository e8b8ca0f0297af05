"""Verify a ledger: read it in the order that no writer can race, and judge what was found.

The table that decides is in `verdict`; this module only gathers its facts. It never writes into the
project (specs/PROTOCOL.md sections 4.1, 7 and 10).
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from cra.amount import counted
from cra.errors import Code, IntegrityError, NotFound
from cra.ledger import files
from cra.ledger.chain import ID, MAX_LINE, Chain, Event, decode
from cra.ledger.checkpoint import MAX_NOTE, UNSIGNED, VerifierKey, open_checkpoint, parse_key
from cra.ledger.memory import Head, Mark, Memory
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
    take_entry,
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
_FULL_ID: Final = re.compile(ID)
_ABOUT_SESSIONS: Final = SESSION_HEADS | {"journal.pruned", "journal.redacted"}


Read: TypeAlias = Callable[..., tuple[Reading, Place]]


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
    found = journal.said.session_ids() if sessions is None else sorted(sessions)
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
    said = journal.said
    report = LedgerReport(directory, said.ledger_id, said.report, parts, journal.notes)
    require_something(report, said.report.events)
    if memory.is_usable and report.verdict.exit_code == 0 and said.report.events:
        journal.remember(report.level)
    elif not memory.is_usable:
        report.notes.append("L2 unavailable: no state directory to remember heads in")
    return report


def require_something(report: LedgerReport, events: int) -> None:
    """Raise NotFound where INTACT would be about nothing: no session, and no events of a journal
    (specs/PROTOCOL.md section 7)."""
    if report.verdict is Verdict.INTACT and not report.sessions and not events:
        raise NotFound(
            "expected a ledger or a bundle, found neither an event nor a session",
            where=str(report.directory),
            fix="name the directory of a ledger; cra session start begins one",
        )


def verify_file(
    path: Path, trust: Trust, *, cores: int = 1, advance: Advance | None = None
) -> LedgerReport:
    """Judge a session file on its own, with the checkpoint beside it if there is one."""
    session_id = path.name.removesuffix(_SUFFIX)
    if not path.exists():
        raise NotFound("expected a session file, found none", where=str(path))
    note = _read_note(path.parent, session_id)
    first = _opening(path, Chain(session_id))
    named = (first.payload or {}).get("ledger_id") if first else None
    ledger_id = named if isinstance(named, str) and _FULL_ID.fullmatch(named) else None
    attestation = _hold(note, session_id, ledger_id, trust)
    target = Target(path, session_id, is_journal=False, marks=[attestation.size])
    reading, place = read_chain(target, cores=cores, advance=advance)
    findings = judge_chain(reading, attestation) + judge_redactions(reading, attestation, ())
    report = _report(session_id, reading, place, attestation, findings)
    if report.verdict.exit_code == 0 and attestation.is_authentic:
        report.level = Level.L1 if attestation.is_confirmed else Level.L1_UNCONFIRMED
    notes = ["judged without a journal: whether the ledger lists this session is not known"]
    return LedgerReport(path.parent, ledger_id, None, [report], notes)


@dataclass
class Said:
    """What a journal says of sessions, or a bundle proves of one, and what that rests on."""

    directory: Path
    ledger_id: str | None
    trust: Trust
    # On the journal, or on the proof that stands for it.
    report: ChainReport
    is_authentic: bool = False
    entries: Mapping[str, JournalEntry] = field(default_factory=dict)
    # What L1 becomes where the journal agrees with what is remembered or anchored.
    best: Level = Level.L1

    def session_ids(self) -> list[str]:
        """Sessions that have a file, and those that are listed."""
        present = {
            name.removesuffix(_SUFFIX)
            for name in os.listdir(self.directory)
            if name.endswith(_SUFFIX) and name != f"{JOURNAL}{_SUFFIX}"
        }
        listed = {name for name, entry in self.entries.items() if entry.is_listed}
        return sorted(listed | {name for name in present if self._path(name).exists()})

    def judge(
        self, session_id: str, read: Read, mark: Mark | None = None
    ) -> tuple[ChainReport, Place | None]:
        """The verdict on a session, and where its file ends; what lies before a mark that fits is
        not read."""
        entry = self.entries.get(session_id, JournalEntry())
        path = self._path(session_id)
        if not path.exists():
            return self._missing(session_id, entry), None
        note = _read_note(self.directory, session_id)
        attestation = _hold(note, session_id, self.ledger_id, self.trust)
        if mark is not None and not _fits(mark, path, min(attestation.size, entry.size)):
            mark = None
        marks = [attestation.size, entry.size]
        try:
            reading, place = read(
                Target(path, session_id, is_journal=False, marks=marks), since=mark
            )
        except FileNotFoundError:
            # Pruned between the look and the reading, or taken away: the journal will tell.
            return self._missing(session_id, JournalEntry()), None
        findings = judge_chain(reading, attestation) + judge_session(reading, attestation, entry)
        report = _report(session_id, reading, place, attestation, findings)
        report.is_pruned = entry.is_pruned
        if mark is not None:
            report.skipped, report.verified_on = mark.size, mark.verified_on
            report.redacted += mark.redacted
        if not findings and not entry.is_listed:
            report.verdict = Verdict.STILLBORN
            report.message = "begun, but its writer died before the journal listed it"
        if report.redacted and not self.is_authentic:
            report.warnings.append("redacted, unauthenticated: the journal is not signed")
        # A session without a checkpoint has nothing that a signature could be about.
        own = _level(report, attestation) if attestation.size else self.report.level
        report.level = min(own, self.report.level) if report.verdict.exit_code == 0 else Level.L0
        report.level = self.raised(report.level)
        return report, place

    def raised(self, level: Level) -> Level:
        is_sound = level >= Level.L1 and self.report.verdict.exit_code == 0
        return self.best if is_sound else level

    def _missing(self, session_id: str, entry: JournalEntry) -> ChainReport:
        report = ChainReport(session_id, is_pruned=entry.is_pruned)
        if entry.is_pruned:
            report.level = self.report.level
        else:
            _conclude(report, [judge_missing()])
        return report

    def _path(self, session_id: str) -> Path:
        return self.directory / f"{session_id}{_SUFFIX}"


class _Journal:
    """The journal, read and judged once, and what it says of sessions."""

    def __init__(
        self,
        directory: Path,
        trust: Trust,
        memory: Memory,
        anchors: tuple[Anchor, ...],
        read: Read,
    ) -> None:
        self._directory = directory
        self._memory = memory
        self._read = read
        self.notes: list[str] = []
        self._path = path = directory / f"{JOURNAL}{_SUFFIX}"
        self._seen = self._identity()
        note = _read_note(directory, JOURNAL)
        stated = _first_event(path)
        named = stated.header["session_id"] if stated else ""
        first = _opening(path, Chain(named, is_journal=True))
        ledger_id = named if first else None
        trust = _resolve(trust, path, ledger_id, memory)
        self.attestation = attestation = _hold(note, JOURNAL, ledger_id, trust)
        remembered = _remembered(directory, ledger_id, memory)
        anchored = [RememberedHead(item.ledger_id, item.size, item.root) for item in anchors]
        self._place: Place | None = None
        reading = Reading(roots={0: EMPTY_ROOT})
        if path.exists():
            marks = [attestation.size, *(head.size for head in remembered + anchored)]
            reading, self._place = read(Target(path, named, is_journal=True, marks=marks))
        findings = judge_chain(reading, attestation)
        findings += judge_redactions(reading, attestation, ())
        findings += judge_memory(reading, ledger_id, remembered, Code.ROLLED_BACK)
        findings += judge_memory(reading, ledger_id, anchored, Code.ANCHOR_UNMET)
        report = _report(JOURNAL, reading, self._place, attestation, findings)
        report.level = _level(report, attestation)
        vouched = _vouched(attestation, reading.size)
        recovered = list(_events(path, end=vouched, types={"ledger.recovered"}))
        self.notes += _breaks(recovered)
        self.said = Said(
            directory,
            ledger_id,
            trust,
            report,
            is_authentic=attestation.is_authentic,
            entries=_facts(path, vouched, recovered),
            best=Level.L3 if anchored else Level.L2 if remembered else Level.L1,
        )
        report.level = self.said.raised(report.level)

    def has_grown(self) -> bool:
        """Whether the journal or its checkpoint is another than when they were read."""
        return self._identity() != self._seen

    def _identity(self) -> list[tuple[int, int] | None]:
        return [_identity(path) for path in (self._path, self._directory / f"{JOURNAL}.checkpoint")]

    def require(self, session_id: str) -> None:
        """Raise NotFound for a session that neither has a file nor is listed in the journal."""
        path = self._directory / f"{session_id}{_SUFFIX}"
        entry = self.said.entries.get(session_id, JournalEntry())
        if not path.exists() and not entry.is_listed:
            raise NotFound(
                f"expected the session {session_id}, found none",
                where=str(path),
                fix="cra trace list",
            )

    def judge(self, session_id: str, since_verified: bool) -> ChainReport:
        """The verdict on a session; what was verified before is read again if the rest is bad."""
        ledger_id = self.said.ledger_id or ""
        mark = self._memory.mark_of(ledger_id, session_id) if since_verified else None
        report, place = self.said.judge(session_id, self._read, mark)
        if report.skipped and report.verdict is not Verdict.INTACT:
            report, place = self.said.judge(session_id, self._read)
        if report.verdict is Verdict.INTACT and place is not None and ledger_id:
            day = report.verified_on or Source().now()[:10]
            new = mark_of(place, day, report.redacted)
            self._memory.remember_mark(ledger_id, session_id, new)
        return report

    def remember(self, level: Level) -> None:
        """Keep the journal's head for the next time, unless a larger one is kept already."""
        size, signer = self.attestation.size, self.attestation.signer
        ledger_id = self.said.ledger_id or ""
        known = self._memory.of_ledger(ledger_id)
        if known is not None and known.size > size:
            return
        place = self._place
        # What no checkpoint covers yet is not worth remembering.
        if place is None or place.chain.size != size:
            return
        head = Head(
            ledger_id,
            size,
            place.tree.root().hex(),
            str(signer) if signer else UNSIGNED,
            place.offset,
            place.chain.head,
        )
        kept = self._memory.remember(self._directory, head)
        if kept and level >= Level.L1 and known is None:
            self.notes.append("this head is remembered from now on: the next verdict can be L2")


def _remembered(directory: Path, ledger_id: str | None, memory: Memory) -> list[RememberedHead]:
    heads = []
    for known in dict.fromkeys((*memory.seen_at(directory), ledger_id)):
        head = memory.of_ledger(known) if known else None
        if head is not None:
            heads.append(RememberedHead(head.ledger_id, head.size, bytes.fromhex(head.root)))
        elif known and known != ledger_id:
            heads.append(RememberedHead(known, 0, EMPTY_ROOT))
    return heads


def _vouched(attestation: Attestation, size: int) -> int:
    """How many events of the journal a checkpoint stands for that is as it has to be."""
    is_forged = attestation.expects_signature and not attestation.is_authentic
    return 0 if is_forged else min(attestation.size, size)


def _breaks(recovered: list[Event]) -> Iterator[str]:
    """What a person has accepted that is not here any more."""
    for event in recovered:
        match (event.payload or {}).get("broken_from"):
            case {"ledger_id": str(ledger_id), "size": int(size)}:
                yield (
                    f"on {event.header['timestamp'][:10]} a person gave up what was seen here "
                    f"before: {counted(size, 'event')} of the journal of the ledger {ledger_id}"
                )


def _facts(path: Path, end: int, recovered: list[Event]) -> dict[str, JournalEntry]:
    """Fold the attested events of the journal; the recoveries first, for a later one can revoke."""
    entries: dict[str, JournalEntry] = {}
    doubted = doubted_ranges(
        [
            (event.sequence, bounds)
            for event in recovered
            if (bounds := unattested_bounds(event.payload)) is not None
        ]
    )
    for event in _events(path, end=end, types=_ABOUT_SESSIONS):
        if any(event.sequence in doubt for doubt in doubted):
            continue
        take_entry(entries, event.event_type, event.payload or {})
    return entries


def _fits(mark: Mark, path: Path, vouched: int) -> bool:
    """Whether a reading can go on from a mark: all before it is vouched for, and it is there."""
    return mark.size <= vouched and hash_before(path, mark.offset) == mark.head


def _level(report: ChainReport, attestation: Attestation) -> Level:
    if report.verdict.exit_code != 0 or not attestation.is_authentic:
        return Level.L0
    return Level.L1 if attestation.is_confirmed else Level.L1_UNCONFIRMED


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


def _read_note(directory: Path, name: str) -> bytes | None:
    return files.read_all(directory / f"{name}.checkpoint", MAX_NOTE)


def _hold(note: bytes | None, name: str, ledger_id: str | None, trust: Trust) -> Attestation:
    """Hold the checkpoint of a chain against the keys; of an unknown ledger, any will do."""
    expects = bool(trust.keys)
    if note is None:
        return Attestation(expects_signature=expects)
    stated = re.match(f"cra\\.local/({ID})/", note[:64].decode(errors="replace"))
    ledger_id = ledger_id or (stated[1] if stated else "<ledger_id>")
    try:
        origin = f"cra.local/{ledger_id}/{name}"
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
    except OSError:
        return None
    return status.st_ino, status.st_size


def _opening(path: Path, blank: Chain) -> Event | None:
    """Event 0 if it is one by all checks of specs/PROTOCOL.md section 2.3."""
    first = _first_event(path)
    try:
        if first is not None:
            blank.check(first.line)
    except IntegrityError:
        return None
    return first


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
