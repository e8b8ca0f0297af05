"""A bundle: one session in a zip file, with what a stranger needs to check it offline.

specs/PROTOCOL.md section 8. The same ledger gives the same bytes: the order of the entries and
their times are fixed.
"""

from __future__ import annotations

import os
import re
import shutil
import struct
import tempfile
import zipfile
import zlib
from collections.abc import Collection, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import IO, Final

from cra import __version__
from cra.errors import Code, IntegrityError, UsageError
from cra.ledger import files
from cra.ledger.attested import attested_events, signer_named
from cra.ledger.chain import Event, decode
from cra.ledger.checkpoint import MAX_NOTE, open_checkpoint
from cra.ledger.index import end_of_lines
from cra.ledger.memory import Memory
from cra.ledger.merkle import inclusion_proof
from cra.ledger.place import Lines
from cra.ledger.proof import (
    MAX_PROOF,
    InclusionProof,
    Proven,
    check_proof,
    format_inclusion,
    ledger_id_of,
    parse_proof,
    read_leaves,
    remembering,
)
from cra.ledger.reading import read_chain
from cra.ledger.verdict import SESSION_HEADS, JournalEntry, Level, Verdict, take_entry
from cra.ledger.verify import (
    JOURNAL,
    ChainReport,
    LedgerReport,
    Said,
    Trust,
    require_something,
    verify_ledger,
)
from cra.shipped import shipped

HEAD_PROOF: Final = "journal.proof"

_DATA: Final = ".trace.jsonl"
_REDACTION: Final = re.compile(r"redaction-[0-9]{1,16}\.proof")
# What verification reads; everything else in a bundle is for people.
_CHECKED: Final = re.compile(
    rf"[^/]*\.trace\.jsonl|[^/]*\.checkpoint|blobs/[0-9a-f]{{64}}|journal\.proof"
    rf"|{_REDACTION.pattern}"
)
_BEGINNING: Final = (1980, 1, 1, 0, 0, 0)

# What the zip module raises on bytes that are not what they say.
_BROKEN: Final = (
    zipfile.BadZipFile,
    zlib.error,
    struct.error,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)

_README: Final = """\
This is one session of a cra ledger, with what it takes to check it offline.

  {session}.trace.jsonl   the events, one per line
  {session}.checkpoint    how many there are and their Merkle root{signed}
  journal.proof           the ledger's own record of this session
  redaction-N.proof       the ledger's own record that the payload of event N was taken away
  blobs/                  values that are too large for a line
  key.txt                 the key that signs, if the ledger is signed
  verify.py               the verifier of cra {version}

Whoever could change this bundle could change verify.py and key.txt with it. So:

1. Get verify.py from the source of cra {version} yourself. Its SHA-256 is to be
   {digest}
   there as well as here.
2. Get the key from whoever signed, not from this file.
3. python3 -I verify.py THIS_BUNDLE --key KEY

What each file has to hold is in specs/PROTOCOL.md of cra.
"""


@dataclass
class Contents:
    """What went into a bundle."""

    session_id: str
    events: int = 0
    blobs: int = 0
    redactions: int = 0
    key: str | None = None
    verifier: str = ""
    verdict: Verdict = Verdict.INTACT


@dataclass
class _Excerpt:
    """The part of a journal that a bundle proves."""

    note: bytes
    leaves: list[bytes]
    head: Event | None
    redactions: dict[int, Event] = field(default_factory=dict)

    def prove(self, event: Event) -> bytes:
        path = tuple(inclusion_proof(self.leaves, event.sequence))
        return format_inclusion(InclusionProof(event.line, event.sequence, path, self.note))


def write_bundle(
    directory: Path, session_id: str, target: Path, trust: Trust, *, force: bool = False
) -> Contents:
    """Write the bundle of a session to a file that is complete or not there.

    Raises IntegrityError if the session or the journal is not what was recorded, unless `force`.
    """
    report = verify_ledger(directory, trust, sessions=[session_id])
    bad = max(report.parts, key=lambda part: part.verdict)
    if bad.verdict >= Verdict.UNLISTED and not force:
        raise IntegrityError(
            bad.code or Code.CHECKPOINT_UNMET,
            f"expected a session that is intact, found {bad.verdict.name}: {bad.message}",
            where=f"{directory / bad.name}{_DATA}",
            fix=f"cra trace verify {session_id}; --force exports it as evidence",
        )
    contents = Contents(session_id, verdict=report.verdict)
    temporary = target.with_name(f"{target.name}.{os.getpid()}.tmp")
    try:
        with zipfile.ZipFile(temporary, "x", zipfile.ZIP_DEFLATED) as archive:
            _fill(archive, directory, contents)
        _sync(temporary)
        os.rename(temporary, target)
    finally:
        files.remove(temporary)
    return contents


def verify_bundle(
    path: Path, trust: Trust, *, memory: Memory | None = None, cores: int = 1
) -> LedgerReport:
    """Judge a bundle, a zip file or a directory. Raises NotFound if there is nothing in it, and
    UsageError if it cannot be read."""
    with _unpacked(path) as directory:
        trust = remembering(trust, _ledger_id(directory), memory or Memory(None))
        said = _said(directory, trust)
        read = partial(read_chain, cores=cores)
        parts = [said.judge(session_id, read)[0] for session_id in said.session_ids()]
        report = LedgerReport(path, said.ledger_id, said.report, parts)
    require_something(report, 0)
    return report


def is_bundle(path: Path) -> bool:
    """Whether a path is a bundle, and not a ledger or one of its files."""
    if path.is_dir():
        return (path / HEAD_PROOF).exists() and not (path / f"{JOURNAL}{_DATA}").exists()
    return path.is_file() and zipfile.is_zipfile(path)


# Writing.


def _fill(archive: zipfile.ZipFile, directory: Path, contents: Contents) -> None:
    """Read in the order in which no writer can be overtaken: checkpoint, data, journal."""
    session_id = contents.session_id
    verifier = verifier_path().read_bytes()
    contents.verifier = sha256(verifier).hexdigest()
    covered = _size_of(_read_note(directory, JOURNAL))
    contents.key = signer_named(directory / f"{JOURNAL}{_DATA}", covered)
    readme = _README.format(
        session=session_id,
        version=__version__,
        digest=contents.verifier,
        signed=", signed" if contents.key else "",
    )
    _add(archive, "README.txt", readme.encode())
    note = _read_note(directory, session_id)
    blobs, redacted = _add_data(archive, directory, contents)
    if note is not None:
        _add(archive, f"{session_id}.checkpoint", note)
    journal = _read_journal(directory, session_id, _size_of(note))
    if journal is not None and journal.head is not None:
        _add(archive, HEAD_PROOF, journal.prove(journal.head))
    for sequence in redacted:
        said = journal.redactions.get(sequence) if journal is not None else None
        if journal is not None and said is not None:
            _add(archive, f"redaction-{sequence}.proof", journal.prove(said))
            contents.redactions += 1
    for blob_id in blobs:
        contents.blobs += _add_file(archive, directory / "blobs" / blob_id, f"blobs/{blob_id}")
    if contents.key is not None:
        _add(archive, "key.txt", f"{contents.key}\n".encode())
    _add(archive, "verify.py", verifier)


def _add_data(
    archive: zipfile.ZipFile, directory: Path, contents: Contents
) -> tuple[list[str], list[int]]:
    name = f"{contents.session_id}{_DATA}"
    fd = files.open_for_reading(directory / name)
    try:
        end = end_of_lines(fd)
        with _entry(archive, name) as entry:
            for lines in Lines(fd, 0, end):
                entry.writelines(line + b"\n" for line in lines)
                contents.events += len(lines)
        return _unusual(fd, end)
    finally:
        os.close(fd)


def _unusual(fd: int, end: int) -> tuple[list[str], list[int]]:
    """The blobs of the events that have some, and the sequences of those that were redacted."""
    blobs: set[str] = set()
    redacted: list[int] = []
    for lines in Lines(fd, 0, end):
        for line in lines:
            if b'"artifacts":' not in line and b'"trace_version":"1.1","payload":' in line:
                continue
            try:
                event = decode(line)
            except IntegrityError:
                # Exported by force: what cannot be read is evidence as it is.
                continue
            if event.payload is None:
                redacted.append(event.sequence)
            else:
                uris = [artifact["uri"] for artifact in event.header.get("artifacts", ())]
                blobs.update(uri.removeprefix("blobs/") for uri in uris if _CHECKED.fullmatch(uri))
    return sorted(blobs), redacted


def _read_journal(directory: Path, session_id: str, covered: int) -> _Excerpt | None:
    """What the journal says of a session; the head is the last one that its checkpoint reaches.

    None if the journal cannot prove it: what is exported by force is evidence as it is.
    """
    path = directory / f"{JOURNAL}{_DATA}"
    note = _read_note(directory, JOURNAL)
    size = _size_of(note)
    if note is None or not path.exists():
        return None
    try:
        said = attested_events(path, size, session_id, SESSION_HEADS | {"journal.redacted"})
        journal = _Excerpt(note, read_leaves(path, size), None)
    except IntegrityError:
        return None
    for event in said:
        payload = event.payload or {}
        sequence, reached = payload.get("sequence"), payload.get("size")
        if event.event_type == "journal.redacted" and isinstance(sequence, int):
            journal.redactions[sequence] = event
        elif isinstance(reached, int) and reached <= covered:
            journal.head = event
    return journal


def _read_note(directory: Path, name: str) -> bytes | None:
    return files.read_all(directory / f"{name}.checkpoint", MAX_NOTE)


def _size_of(note: bytes | None) -> int:
    """How many events a checkpoint says it covers; 0 if it says nothing."""
    try:
        return open_checkpoint(note or b"", None, (), signed=False).checkpoint.size
    except IntegrityError:
        return 0


def verifier_path() -> Path:
    """The stand-alone verifier."""
    return shipped("specs") / "verify.py"


def _add(archive: zipfile.ZipFile, name: str, data: bytes) -> None:
    with _entry(archive, name) as entry:
        entry.write(data)


def _add_file(archive: zipfile.ZipFile, path: Path, name: str) -> bool:
    if not path.is_file():
        return False
    with open(path, "rb") as source, _entry(archive, name) as entry:
        shutil.copyfileobj(source, entry, files.READ_SIZE)
    return True


def _entry(archive: zipfile.ZipFile, name: str) -> IO[bytes]:
    info = zipfile.ZipInfo(name, _BEGINNING)
    info.compress_type = zipfile.ZIP_DEFLATED
    info.create_system = 3
    info.external_attr = 0o644 << 16
    return archive.open(info, "w", force_zip64=True)


def _sync(path: Path) -> None:
    fd = files.open_for_reading(path)
    try:
        files.sync(fd)
    finally:
        os.close(fd)


# Verifying.


@contextmanager
def _unpacked(path: Path) -> Iterator[Path]:
    """The bundle's directory; for a zip file a temporary one, holding nothing but known names."""
    if path.is_dir():
        yield path
        return
    with tempfile.TemporaryDirectory(prefix="cra-") as place:
        try:
            with zipfile.ZipFile(path) as archive:
                _unpack(archive, Path(place))
        except _BROKEN as error:
            raise UsageError(
                f"expected a bundle, found a broken zip file: {error}", where=str(path)
            ) from None
        except UsageError as error:
            error.where = str(path)
            raise
        yield Path(place)


def _unpack(archive: zipfile.ZipFile, place: Path) -> None:
    """Read all of a zip file, and keep what verification reads (specs/PROTOCOL.md section 8)."""
    entries = archive.infolist()
    names = {info.filename for info in entries}
    if len(names) < len(entries):
        raise UsageError("expected each name once in the bundle, found one twice")
    if f"{JOURNAL}{_DATA}" in names:
        raise UsageError(
            "expected a bundle, found a whole ledger in a zip file",
            fix="unpack it and verify the directory",
        )
    if not {info.compress_type for info in entries} <= {zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED}:
        raise UsageError("expected entries that are stored or deflated, found another compression")
    wanted = [info for info in entries if _CHECKED.fullmatch(info.filename)]
    room = shutil.disk_usage(place).free
    if sum(info.file_size for info in wanted) > room:
        raise UsageError(
            f"expected a bundle that fits into {room} free bytes, found a larger one",
            fix="set TMPDIR, or unpack the bundle and verify the directory",
        )
    (place / "blobs").mkdir()
    for info in entries:
        # What nobody looks at is read for its checksum.
        target = place / info.filename if info in wanted else Path(os.devnull)
        with archive.open(info) as source, open(target, "wb") as copy:
            shutil.copyfileobj(source, copy, files.READ_SIZE)


def _said(directory: Path, trust: Trust) -> Said:
    """What the proofs in a bundle say, in the place of a journal."""
    entries: dict[str, JournalEntry] = {}
    said = Said(directory, None, trust, ChainReport(HEAD_PROOF), entries=entries)
    if not (directory / HEAD_PROOF).exists():
        return said
    try:
        head = _proven(directory / HEAD_PROOF, trust)
    except IntegrityError as error:
        said.report.verdict = Verdict.TAMPERED if trust.keys else Verdict.DAMAGED
        said.report.code, said.report.message = error.finding, error.message
    else:
        said.report.events, said.report.level = 1, head.level
        said.ledger_id, said.is_authentic = head.ledger_id, head.level > Level.L0
        _take(entries, head, SESSION_HEADS)
    for entry in entries.values():
        entry.is_listed = bool(entry.root)
    for path in sorted(directory.iterdir()):
        if _REDACTION.fullmatch(path.name):
            # Where the proof is none, nothing allows that redaction, which is the finding.
            with suppress(IntegrityError):
                proven = _proven(path, trust)
                if proven.ledger_id == said.ledger_id:
                    _take(entries, proven, {"journal.redacted"})
    return said


def _ledger_id(directory: Path) -> str | None:
    try:
        return ledger_id_of(parse_proof(_read_proof(directory / HEAD_PROOF)))
    except IntegrityError:
        return None


def _read_proof(path: Path) -> bytes:
    return files.read_all(path, MAX_PROOF) or b""


def _proven(path: Path, trust: Trust) -> Proven:
    """What a proof in a bundle shows: an event of a journal. Raises IntegrityError."""
    proof = parse_proof(_read_proof(path))
    if not isinstance(proof, InclusionProof):
        raise IntegrityError(
            Code.PROOF_INVALID, "expected a proof of an event, found one of a prefix"
        )
    return check_proof(proof, trust, is_journal=True)


def _take(entries: dict[str, JournalEntry], proven: Proven, types: Collection[str]) -> None:
    if proven.event is not None and proven.event.event_type in types:
        take_entry(entries, proven.event.event_type, proven.event.payload or {})
