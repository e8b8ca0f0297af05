"""Taking data away so that the rest still proves itself (specs/PROTOCOL.md section 6).

The journal says what goes before anything goes, under a barrier; doing it again finishes what was
interrupted.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from cra.errors import (
    Code,
    IntegrityError,
    NotFound,
    SessionOpen,
    UsageError,
    ValueRefused,
    WriteFailed,
)
from cra.ledger import files
from cra.ledger.attested import attested_events, events_naming
from cra.ledger.chain import Chain, Event, decode
from cra.ledger.chain import redact as redacted_line
from cra.ledger.index import session_files, session_id_of
from cra.ledger.merkle import root_of
from cra.ledger.outline import outline
from cra.ledger.place import Lines
from cra.ledger.store import Ledger, Session
from cra.ledger.verdict import Verdict
from cra.ledger.verify import Trust, verify_ledger
from cra.ledger.writer import ChainPaths

MAX_REASON: Final = 500

# What verification reads in a payload: which ledger the session is of, and what nobody vouches for.
NEEDED: Final = frozenset({"session.started", "ledger.recovered"})
_BLOB: Final = re.compile("blobs/([0-9a-f]{64})")


@dataclass(frozen=True)
class Redaction:
    """What `redact` left behind; `was_done` if there was nothing left to do."""

    session_id: str
    sequence: int
    event_hash: str
    blobs: int
    was_done: bool


@dataclass(frozen=True)
class Pruning:
    """What `prune` took away."""

    session_id: str
    events: int
    bytes: int
    blobs: int


@dataclass(frozen=True)
class Candidate:
    """A session as retention sees it: when it ended, or None; `is_begun` if a pruning broke off."""

    session_id: str
    ended_at: str | None
    bytes: int
    is_begun: bool = False


def redact(
    ledger: Ledger, session_id: str, sequence: int, reason: str, *, actor_id: str = "cra"
) -> Redaction:
    """Take away the payload and the blobs of an event of a session that has ended.

    Raises SessionOpen, NotFound, UsageError, WriteFailed, or IntegrityError if the session is not
    intact.
    """
    _check_reason(reason)
    ledger.first_event(session_id)
    with _resumable(ledger), _ended_session(ledger, session_id) as session:
        offset, event = _event_at(session.paths.data, sequence)
        if event.event_type in NEEDED:
            raise UsageError(
                f"expected an event that verification can do without, found {event.event_type}",
                where=f"{session_id}:{sequence}",
            )
        if event.payload is not None:
            _journal_redaction(ledger, session_id, event, reason, actor_id)
            _replace_line(session.paths.data, offset, event)
        removed = _remove_blobs(ledger, _blobs_of(event))
    was_done = event.payload is None and not removed
    return Redaction(session_id, sequence, event.event_hash, removed, was_done)


def prune(ledger: Ledger, session_id: str, reason: str, *, actor_id: str = "cra") -> Pruning:
    """Remove the files of a session that has ended; the journal keeps its leaf hashes and totals.

    Raises SessionOpen, also while a limit counts what the session did, NotFound, WriteFailed, or
    IntegrityError if the session is not intact.
    """
    _check_reason(reason)
    with _resumable(ledger):
        return _prune(ledger, ChainPaths(ledger.directory, session_id), reason, actor_id)


def _prune(ledger: Ledger, paths: ChainPaths, reason: str, actor_id: str) -> Pruning:
    session_id = paths.name
    if _aside(paths).exists():
        finished = _finish_pruning(ledger, paths)
        if not paths.data.exists():
            return finished
    ledger.first_event(session_id)
    _check_limits(ledger, session_id)
    with _ended_session(ledger, session_id):
        whole = _read_whole(paths.data, session_id)
        if not _is_pruned(ledger, session_id, whole):
            payload = {
                "session_id": session_id,
                "size": len(whole.leaves),
                "root": whole.root,
                "leaves": b"".join(whole.leaves).hex(),
                "totals": dict(sorted(whole.totals.items())),
                "reason": reason,
            }
            with ledger.journal.batch(barrier=True) as journal:
                journal.append("journal.pruned", payload, actor_id=actor_id)
        # From here on the session is gone in one step, and the rest can be taken away at leisure.
        os.rename(paths.data, _aside(paths))
        files.sync_directory(ledger.directory)
    return _finish_pruning(ledger, paths)


def plan_prune(directory: Path) -> list[Candidate]:
    """Every session of a ledger as retention sees it, in the order of their ids."""
    found = {}
    for path in session_files(directory):
        session_id = session_id_of(path)
        found[session_id] = Candidate(session_id, _ended_at(path), path.stat().st_size)
    for path in directory.glob("*.pruned"):
        session_id = path.name.removesuffix(".pruned")
        size = path.stat().st_size
        found[session_id] = Candidate(session_id, _ended_at(path), size, is_begun=True)
    return [found[session_id] for session_id in sorted(found)]


def is_due(candidate: Candidate, now: str, older_than: timedelta) -> bool:
    """Whether a session ended long enough ago; a pruning that broke off is due at once."""
    if candidate.is_begun or candidate.ended_at is None:
        return candidate.is_begun
    return _time(candidate.ended_at) + older_than <= _time(now)


def _check_reason(reason: str) -> None:
    if not 1 <= len(reason) <= MAX_REASON or not reason.strip():
        raise ValueRefused(
            f"expected a reason of 1 to {MAX_REASON} characters, found {len(reason)}"
        )


@contextmanager
def _resumable(ledger: Ledger) -> Iterator[None]:
    """What the system refuses becomes WriteFailed, which says how to go on."""
    try:
        yield
    except OSError as error:
        raise WriteFailed(
            f"expected to change the ledger, found: {error.strerror or error}",
            where=str(error.filename or ledger.directory),
            fix="run the command again: it goes on where this one stopped",
        ) from error


@contextmanager
def _ended_session(ledger: Ledger, session_id: str) -> Iterator[Session]:
    """Hold the lock of a session that has ended and is intact."""
    session = Session(ledger, session_id)
    try:
        with session.batch():
            if not session.ended:
                raise SessionOpen(
                    "expected a session that has ended, found an open one",
                    where=session_id,
                    fix=f"cra session end {session_id}",
                )
        # What a crash left at the end is mended, and everything is under the checkpoint.
        session.barrier()
        with session.batch():
            _check_intact(ledger, session_id)
            yield session
    finally:
        session.abandon()


def _check_intact(ledger: Ledger, session_id: str) -> None:
    """What is not intact is evidence, and a record of its removal would cover for it."""
    trust = Trust(confirmed=(ledger.signer.key,) if ledger.signer else ())
    report = verify_ledger(ledger.directory, trust, sessions=[session_id])
    for part in report.parts:
        if part.verdict >= Verdict.UNLISTED:
            raise IntegrityError(
                part.code or Code.CHECKPOINT_UNMET,
                part.message or part.verdict.name,
                where=str(ledger.directory / f"{part.name}.trace.jsonl"),
                fix=f"cra trace verify {session_id}; keep the files as evidence",
            )


def _check_limits(ledger: Ledger, session_id: str) -> None:
    now = ledger.source.now()
    # What was used up counts, whether or not anybody vouches for it.
    for event in events_naming(ledger.journal.paths.data, session_id, {"limit.reserved"}):
        ends = (event.payload or {}).get("window_ends")
        if not _has_passed(ends, now):
            raise SessionOpen(
                f"expected a session that no limit counts any more, found a window to {ends}",
                where=session_id,
                fix=f"cra trace prune --session {session_id}, after that",
            )


def _event_at(path: Path, sequence: int) -> tuple[int, Event]:
    """The offset of an event's line, and the event."""
    offset = number = 0
    fd = files.open_for_reading(path)
    try:
        for lines in Lines(fd):
            before = lines[: max(0, sequence - number)]
            offset += sum(map(len, before)) + len(before)
            number += len(before)
            if len(before) < len(lines):
                return offset, decode(lines[len(before)])
    finally:
        os.close(fd)
    raise NotFound(
        f"expected an event {sequence}, found {number} events",
        where=str(path),
        fix=f"cra trace show {path.name.removesuffix('.trace.jsonl')}",
    )


def _journal_redaction(
    ledger: Ledger, session_id: str, event: Event, reason: str, actor_id: str
) -> None:
    """Say it in the journal, unless it says so already."""
    for said in _said(ledger, "journal.redacted", session_id):
        known = said.payload or {}
        if (known.get("sequence"), known.get("event_hash")) == (event.sequence, event.event_hash):
            return
    payload = {
        "session_id": session_id,
        "sequence": event.sequence,
        "event_hash": event.event_hash,
        "reason": reason,
    }
    with ledger.journal.batch(barrier=True) as journal:
        journal.append("journal.redacted", payload, actor_id=actor_id)


def _replace_line(path: Path, offset: int, event: Event) -> None:
    """Put the redacted line in the place of an event's line, in a new file under the old name."""
    temporary = path.with_name(f"{path.name}.tmp")
    source = files.open_for_reading(path)
    flags = os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC | os.O_NOFOLLOW
    target = os.open(temporary, flags, 0o600)
    try:
        os.fchmod(target, os.fstat(source).st_mode & 0o777)
        _copy(source, target, 0, offset)
        files.write_all(target, redacted_line(event))
        _copy(source, target, offset + len(event.line), os.fstat(source).st_size)
        files.sync(target)
    finally:
        os.close(source)
        os.close(target)
    os.rename(temporary, path)
    files.sync_directory(path.parent)


def _copy(source: int, target: int, start: int, stop: int) -> None:
    while start < stop and (data := os.pread(source, min(files.READ_SIZE, stop - start), start)):
        files.write_all(target, data)
        start += len(data)


def _blobs_of(event: Event) -> list[str]:
    found = [_BLOB.fullmatch(artifact["uri"]) for artifact in event.header.get("artifacts", ())]
    return [match[1] for match in found if match]


def _remove_blobs(ledger: Ledger, ids: list[str]) -> int:
    directory = ledger.directory / "blobs"
    present = [directory / blob_id for blob_id in ids if (directory / blob_id).exists()]
    for path in present:
        files.remove(path)
    if present:
        files.sync_directory(directory)
    return len(present)


@dataclass
class _Whole:
    """A chain read to its end."""

    leaves: list[bytes]
    root: str
    totals: dict[str, int]
    blobs: list[str]


def _read_whole(path: Path, session_id: str) -> _Whole:
    """Read a file whose lines continue one another. Raises IntegrityError where one does not."""
    chain = Chain(session_id)
    blobs: list[str] = []
    chain.on_unusual = lambda event: blobs.extend(_blobs_of(event))
    fd = files.open_for_reading(path)
    try:
        leaves = [chain.check(line) for lines in Lines(fd) for line in lines]
    finally:
        os.close(fd)
    return _Whole(leaves, root_of(leaves).hex(), chain.types, blobs)


def _is_pruned(ledger: Ledger, session_id: str, whole: _Whole) -> bool:
    """Whether the journal says that exactly this session was pruned."""
    return any(
        (known.get("size"), known.get("root")) == (len(whole.leaves), whole.root)
        for said in _said(ledger, "journal.pruned", session_id)
        if (known := said.payload or {})
    )


def _finish_pruning(ledger: Ledger, paths: ChainPaths) -> Pruning:
    """Remove what is left of a session whose data file is put aside."""
    aside = _aside(paths)
    with files.exclusive_lock(paths.lock):
        whole = _read_whole(aside, paths.name)
        if not _is_pruned(ledger, paths.name, whole):
            raise IntegrityError(
                Code.SESSION_MISSING,
                "expected the file of a session that the journal calls pruned, found another",
                where=str(aside),
                fix="keep it as evidence, outside the ledger",
            )
        size = aside.stat().st_size
        blobs = _remove_blobs(ledger, whole.blobs)
        if not paths.data.exists():
            files.remove(paths.checkpoint)
        for kept in ledger.directory.glob(f"{paths.name}.removed-*"):
            files.remove(kept)
        files.remove(aside)
        files.sync_directory(ledger.directory)
    return Pruning(paths.name, len(whole.leaves), size, blobs)


def _aside(paths: ChainPaths) -> Path:
    """Where the data of a session waits for its blobs, which it names, to be removed."""
    return paths.directory / f"{paths.name}.pruned"


def _said(ledger: Ledger, event_type: str, session_id: str) -> list[Event]:
    """What the journal says of a session and what counts, all of it on the disk."""
    ledger.journal.barrier()
    with ledger.journal.batch() as journal:
        return attested_events(journal.paths.data, journal.size, session_id, {event_type})


def _ended_at(path: Path) -> str | None:
    """When the last event of an ended session was recorded; None if it has not ended."""
    found = outline(path)
    return found.last_activity if found.is_ended else None


def _has_passed(timestamp: object, now: str) -> bool:
    """Whether a time in a payload lies before now; one that cannot be read has not."""
    try:
        return _time(str(timestamp)) <= _time(now)
    except (ValueError, TypeError):
        return False


def _time(text: str) -> datetime:
    return datetime.fromisoformat(text)
