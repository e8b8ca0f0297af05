"""Proofs as text: that an event is in a log, and that a head of the journal is a prefix of another.

What `format_…` writes `parse_proof` reads, and a proof is checked with nothing but itself and keys
(specs/PROTOCOL.md section 8). Only the functions that make one read a ledger.
"""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from cra.errors import Code, IntegrityError, LedgerError, NotFound, UsageError
from cra.ledger import files
from cra.ledger.anchor import format_anchor, parse_anchor
from cra.ledger.chain import ID, Event, decode
from cra.ledger.checkpoint import (
    MAX_NOTE,
    UNSIGNED,
    Checkpoint,
    Opened,
    open_checkpoint,
    parse_key,
)
from cra.ledger.index import LedgerFile
from cra.ledger.memory import Memory
from cra.ledger.merkle import (
    consistency_proof,
    inclusion_proof,
    is_consistent,
    root_from_inclusion,
)
from cra.ledger.place import Lines
from cra.ledger.verdict import Level
from cra.ledger.verify import JOURNAL, Anchor, Trust

MAX_PROOF: Final = 262_144
MIN_HASH_PREFIX: Final = 12

_INCLUSION: Final = "c2sp.org/tlog-proof@v1"
_CONSISTENCY: Final = "cra.local/consistency@v1"
_BASE64: Final = (
    "(?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?"
)
_EXTRA: Final = re.compile(f"extra ({_BASE64})")
_INDEX: Final = re.compile("index (0|[1-9][0-9]{0,15})")
_HASH: Final = re.compile("[A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=")
_ORIGIN: Final = re.compile(f"cra\\.local/({ID})/")
_FULL_ID: Final = re.compile(ID)
_LEAF: Final = re.compile("[0-9a-f]{64}")
_HEX: Final = re.compile("[0-9a-f]+")


@dataclass(frozen=True)
class InclusionProof:
    """An event's line and place in a log, and what leads from it to a checkpoint's root."""

    line: bytes
    index: int
    path: tuple[bytes, ...]
    note: bytes


@dataclass(frozen=True)
class ConsistencyProof:
    """A head that was anchored, and what leads from it to a later checkpoint's root."""

    anchor: Anchor
    path: tuple[bytes, ...]
    note: bytes


@dataclass(frozen=True)
class Proven:
    """What a valid proof shows, by which checkpoint, and how far that can be trusted."""

    ledger_id: str
    opened: Opened
    level: Level
    event: Event | None = None


# The two formats.


def format_inclusion(proof: InclusionProof) -> bytes:
    extra = base64.b64encode(proof.line).decode()
    return _format([_INCLUSION, f"extra {extra}", f"index {proof.index}"], proof.path, proof.note)


def format_consistency(proof: ConsistencyProof) -> bytes:
    return _format([_CONSISTENCY, f"old {format_anchor(proof.anchor)}"], proof.path, proof.note)


def parse_proof(data: bytes) -> InclusionProof | ConsistencyProof:
    """The proof that a file holds, of either kind. Raises IntegrityError if it is none."""
    head, _, note = data.partition(b"\n\n")
    try:
        lines = head.decode().split("\n")
    except UnicodeDecodeError:
        raise _invalid("bytes that are no text") from None
    if len(data) > MAX_PROOF:
        raise _invalid(f"more than {MAX_PROOF} bytes")
    if lines[0] == _INCLUSION and len(lines) >= 3:
        extra, index = _EXTRA.fullmatch(lines[1]), _INDEX.fullmatch(lines[2])
        if extra is None or index is None:
            raise _invalid("no event or no index in it")
        path = _parse_path(lines[3:])
        return InclusionProof(base64.b64decode(extra[1]), int(index[1]), path, note)
    if lines[0] == _CONSISTENCY and len(lines) >= 2 and lines[1].startswith("old "):
        try:
            anchor = parse_anchor(lines[1][4:])
        except UsageError:
            raise _invalid("no anchor in it") from None
        return ConsistencyProof(anchor, _parse_path(lines[2:]), note)
    raise _invalid(f"the first line {lines[0]!r:.60}")


def _format(head: list[str], path: Sequence[bytes], note: bytes) -> bytes:
    hashes = [base64.b64encode(digest).decode() for digest in path]
    return "\n".join([*head, *hashes, "", ""]).encode() + note


def _parse_path(lines: list[str]) -> tuple[bytes, ...]:
    if not all(map(_HASH.fullmatch, lines)):
        raise _invalid("a line that is no hash")
    return tuple(map(base64.b64decode, lines))


# The checks: pure, given the keys.


def check_proof(
    proof: InclusionProof | ConsistencyProof, trust: Trust, *, is_journal: bool = False
) -> Proven:
    """What a proof shows, held against the keys; with `is_journal`, of a journal alone.

    Raises IntegrityError with the code of the first check of specs/PROTOCOL.md section 8 that
    fails.
    """
    if isinstance(proof, ConsistencyProof):
        old = proof.anchor
        opened = _open(proof.note, _journal_of(old.ledger_id), trust)
        new = opened.checkpoint
        if not is_consistent(old.size, old.root, new.size, new.root, proof.path):
            raise _invalid(
                "hashes that do not lead from the anchored head to the checkpoint's root"
            )
        return Proven(old.ledger_id, opened, _level(opened, trust))
    event = decode(proof.line)
    # A journal's events carry the ledger's id. One key signs every log, so the origin has to fit.
    session_id = event.header["session_id"]
    own = "" if is_journal else f"|cra\\.local/{ID}/{session_id}"
    opened = _open(proof.note, _journal_of(session_id) + own, trust)
    size, root = opened.checkpoint.size, opened.checkpoint.root
    if event.sequence != proof.index:
        raise _invalid(f"the index {proof.index} for event {event.sequence}")
    leaf = bytes.fromhex(event.event_hash)
    if root_from_inclusion(leaf, proof.index, size, proof.path) != root:
        raise _invalid("hashes that do not lead from the event to the checkpoint's root")
    ledger_id = opened.checkpoint.origin.split("/")[1]
    return Proven(ledger_id, opened, _level(opened, trust), event)


def ledger_id_of(proof: InclusionProof | ConsistencyProof) -> str | None:
    """The ledger that a proof says it is from, before anything is checked."""
    origin = _ORIGIN.match(proof.note[:200].decode(errors="replace"))
    return origin[1] if origin else None


def remembering(trust: Trust, ledger_id: str | None, memory: Memory) -> Trust:
    """Add the key that was seen first for a ledger, unless keys are confirmed (section 4.1)."""
    head = memory.of_ledger(ledger_id) if ledger_id is not None else None
    if head is None or head.signer == UNSIGNED or trust.confirmed:
        return trust
    return Trust((parse_key(head.signer),), trust.unconfirmed)


def _open(note: bytes, origins: str, trust: Trust) -> Opened:
    """A checkpoint of one of the logs that a pattern names, held against the keys (section 4.1)."""
    origin = open_checkpoint(note, None, (), signed=False).checkpoint.origin
    if not re.fullmatch(origins, origin):
        raise IntegrityError(
            Code.CHECKPOINT_FOREIGN,
            f"expected a checkpoint of the log that the proof is about, found one of {origin}",
        )
    return open_checkpoint(note, origin, trust.keys, signed=bool(trust.keys))


def _journal_of(ledger_id: str) -> str:
    return f"cra\\.local/{ledger_id}/{JOURNAL}"


def _level(opened: Opened, trust: Trust) -> Level:
    if opened.signer is None:
        return Level.L0
    return Level.L1 if opened.signer in trust.confirmed else Level.L1_UNCONFIRMED


# Making them.


def prove_event(directory: Path, name: str, sequence: int, trust: Trust) -> InclusionProof:
    """The proof for an event of a session, or of the journal, by its present checkpoint.

    Raises NotFound if there is no such event, LedgerError if no checkpoint covers it yet,
    IntegrityError if what is stored does not fit the checkpoint.
    """
    note, checkpoint = _read_checkpoint(directory, name, trust)
    if sequence >= checkpoint.size:
        with LedgerFile(_data_path(directory, name)) as log:
            log.line(sequence)  # raises NotFound
        raise LedgerError(
            f"expected an event under the checkpoint of {checkpoint.size} events, "
            f"found event {sequence} beyond it",
            where=str(directory / f"{name}.checkpoint"),
            fix=f"wait for the writer's next checkpoint; cra trace verify {name} says more",
        )
    leaves = read_leaves(_data_path(directory, name), checkpoint.size)
    with LedgerFile(_data_path(directory, name)) as log:
        line = log.line(sequence)
    proof = InclusionProof(line, sequence, tuple(inclusion_proof(leaves, sequence)), note)
    _check_made(proof, trust, directory, name)
    return proof


def prove_prefix(directory: Path, anchor: Anchor, trust: Trust) -> ConsistencyProof:
    """The proof that an anchored head is a prefix of the journal by its present checkpoint.

    Raises IntegrityError if it is not.
    """
    note, checkpoint = _read_checkpoint(directory, JOURNAL, trust)
    if anchor.size > checkpoint.size:
        raise IntegrityError(
            Code.ANCHOR_UNMET,
            f"expected a journal of at least the {anchor.size} events that were anchored, "
            f"found a checkpoint of {checkpoint.size}",
            where=str(directory / f"{JOURNAL}.checkpoint"),
            fix="cra trace verify --anchor LINE",
        )
    leaves = read_leaves(_data_path(directory, JOURNAL), checkpoint.size)
    proof = ConsistencyProof(anchor, tuple(consistency_proof(leaves, anchor.size)), note)
    _check_made(proof, trust, directory, JOURNAL)
    return proof


def find_event(directory: Path, text: str) -> tuple[str, int]:
    """The log and the sequence of an event, from its id or the beginning of its hash.

    Raises UsageError if `text` is neither or fits several events, NotFound if it fits none.
    """
    is_id = _FULL_ID.fullmatch(text) is not None
    if not is_id and not (len(text) >= MIN_HASH_PREFIX and _HEX.fullmatch(text)):
        raise UsageError(
            f"expected SESSION:SEQUENCE, an event id, or {MIN_HASH_PREFIX} or more digits of an "
            f"event hash, found {text!r:.80}"
        )
    found = [
        (path.name.removesuffix(".trace.jsonl"), event.sequence)
        for path in sorted(directory.glob("*.trace.jsonl"))
        for event in _events_with(path, text, is_id=is_id)
    ]
    if not found:
        raise NotFound(
            f"expected an event {text}, found none", where=str(directory), fix="cra trace list"
        )
    if len(found) > 1:
        names = ", ".join(f"{name}:{sequence}" for name, sequence in found[:4])
        raise UsageError(f"expected {text} to name one event, found {len(found)}: {names}")
    return found[0]


def _events_with(path: Path, text: str, *, is_id: bool) -> list[Event]:
    needle = (f'"event_id":"{text}"' if is_id else f'"event_hash":"{text}').encode()
    found = []
    fd = files.open_for_reading(path)
    try:
        for lines in Lines(fd):
            for line in lines:
                if needle in line:
                    event = decode(line)
                    # A payload may hold the same words.
                    if event.header["event_id"] == text or event.event_hash.startswith(text):
                        found.append(event)
    finally:
        os.close(fd)
    return found


def _data_path(directory: Path, name: str) -> Path:
    return directory / f"{name}.trace.jsonl"


def _read_checkpoint(directory: Path, name: str, trust: Trust) -> tuple[bytes, Checkpoint]:
    path = directory / f"{name}.checkpoint"
    note = files.read_all(path, MAX_NOTE)
    if note is None:
        raise LedgerError(
            "expected a checkpoint to prove by, found none",
            where=str(path),
            fix=f"wait for the writer's next checkpoint; cra trace verify {name} says more",
        )
    try:
        opened = open_checkpoint(note, None, trust.keys, signed=bool(trust.keys))
    except IntegrityError as error:
        raise _located(error, path, name) from None
    return note, opened.checkpoint


def read_leaves(path: Path, size: int) -> list[bytes]:
    """The event hashes that the first `size` lines state. Raises IntegrityError if there are fewer.

    Nothing else is checked: a hash that is not its line's does not lead to the checkpoint's root.
    """
    leaves: list[bytes] = []
    fd = files.open_for_reading(path)
    try:
        for lines in Lines(fd):
            stated = [line[-66:-2].decode(errors="replace") for line in lines[: size - len(leaves)]]
            leaves += [bytes.fromhex(digits) for digits in stated if _LEAF.fullmatch(digits)]
            if len(leaves) == size:
                return leaves
    finally:
        os.close(fd)
    raise IntegrityError(
        Code.CHECKPOINT_UNMET,
        f"expected the {size} events of the checkpoint, found {len(leaves)}",
        where=str(path),
        fix="cra trace verify",
    )


def _check_made(
    proof: InclusionProof | ConsistencyProof, trust: Trust, directory: Path, name: str
) -> None:
    try:
        check_proof(proof, trust)
    except IntegrityError as error:
        raise _located(error, _data_path(directory, name), name) from None


def _located(error: IntegrityError, path: Path, name: str) -> IntegrityError:
    error.where = str(path)
    error.fix = f"cra trace verify {name}" if name != JOURNAL else "cra trace verify"
    return error


def _invalid(found: str) -> IntegrityError:
    return IntegrityError(Code.PROOF_INVALID, f"expected a proof that holds, found {found}")
