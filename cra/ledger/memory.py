"""Heads that were seen before, kept outside the project: what makes rollback visible (level L2)."""

from __future__ import annotations

import json
import os
import re
import threading
from dataclasses import asdict, dataclass
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, TypeVar

from cra.errors import Code, IntegrityError, SignerRefused
from cra.ledger import files
from cra.ledger.checkpoint import UNSIGNED, parse_key
from cra.ledger.index import JOURNAL_FILE
from cra.ledger.place import hash_before

# What to do about a ledger that was here before, and is not now.
LET_GO: Final = "cra trace repair --accept"
BRING_BACK: Final = f"bring it back; if it is meant to be gone: {LET_GO}"

_MAX_FILE = 65_536
_ID = re.compile("[0-9a-f-]{36}")
_HASH = re.compile("[0-9a-f]{64}")
_NODE = re.compile("[0-9]{1,2}:[A-Za-z0-9+/]{43}=")
_DAY = re.compile("[0-9]{4}-[0-9]{2}-[0-9]{2}")
_T = TypeVar("_T")


@dataclass(frozen=True)
class Head:
    """A ledger as it was last seen whole: its journal's size and root, and the key that signed
    it."""

    ledger_id: str
    size: int
    root: str
    signer: str
    # Where its last event ends and that event's hash: a chain that has it there begins the same.
    offset: int = 0
    head: str = ""

    def __post_init__(self) -> None:
        if not (
            _HASH.fullmatch(self.root)
            and isinstance(self.ledger_id, str)
            and _is_count(self.size)
            and _is_count(self.offset)
            and isinstance(self.head, str)
        ):
            raise ValueError(self)
        if self.signer != UNSIGNED:
            parse_key(self.signer)


@dataclass(frozen=True)
class Mark:
    """How far a session was verified, and what it takes to go on from there.

    `verified_on` is the day (UTC) of the oldest of the readings that came this far.
    """

    size: int
    offset: int
    head: str
    trace_id: str
    ended: bool
    latest: str
    nodes: list[str]
    verified_on: str
    redacted: int

    def __post_init__(self) -> None:
        texts = (self.trace_id, self.head, self.latest, *self.nodes)
        if not (
            _is_count(self.size)
            and _is_count(self.offset)
            and _is_count(self.redacted)
            and type(self.ended) is bool
            and all(isinstance(text, str) for text in texts)
            and isinstance(self.verified_on, str)
            and _DAY.fullmatch(self.verified_on)
            and all(_NODE.fullmatch(node) for node in self.nodes)
        ):
            raise ValueError(self)


class Memory:
    """The user's state directory. One that cannot be written is a missing memory, never an
    error."""

    def __init__(self, directory: Path | None, owner: Path | None = None) -> None:
        """`owner` is the project whose own ledger is asked about. It is known by that path too,
        for the project's configuration says in which directory its ledger is."""
        self._directory = directory
        self._owner = owner

    @property
    def is_usable(self) -> bool:
        """Whether there is a state directory that can be written, now or once it is made."""
        directory = self._directory
        while directory is not None and not directory.exists():
            directory = directory.parent
        return directory is not None and directory.is_dir() and os.access(directory, os.W_OK)

    def seen_at(self, trace_directory: Path) -> tuple[str, ...]:
        """The ledger_ids last seen in the project and in the directory, known by their real paths:
        one, unless a ledger was exchanged."""
        found = [self._read(kind, _path_key(path)) for kind, path in self._places(trace_directory)]
        ids = [str(known.get("ledger_id")) for known in found if known]
        return tuple(dict.fromkeys(filter(_ID.fullmatch, ids)))

    def of_ledger(self, ledger_id: str) -> Head | None:
        found = self._read("ledgers", ledger_id)
        return _as(Head, found)

    def mark_of(self, ledger_id: str, session_id: str) -> Mark | None:
        return _as(Mark, self._read("verified", f"{ledger_id}.{session_id}"))

    def remember(self, trace_directory: Path, head: Head) -> bool:
        """Keep a head for its path and ledger. False if there is nowhere to keep it."""
        return self._write("ledgers", head.ledger_id, asdict(head)) and all(
            self._write(
                kind,
                _path_key(path),
                {"ledger_id": head.ledger_id, "path": os.path.realpath(path)},
            )
            for kind, path in self._places(trace_directory)
        )

    def remember_mark(self, ledger_id: str, session_id: str, mark: Mark) -> bool:
        # One that is lost makes the next verification read more, and there are many.
        name = f"{ledger_id}.{session_id}"
        return self._write("verified", name, asdict(mark), durable=False)

    def _places(self, trace_directory: Path) -> list[tuple[str, Path]]:
        own = [] if self._owner is None else [("projects", self._owner)]
        return [*own, ("paths", trace_directory)]

    def _read(self, kind: str, name: str) -> dict[str, Any] | None:
        if self._directory is None:
            return None
        path = self._directory / kind / f"{name}.json"
        try:
            data = files.read_all(path, _MAX_FILE)
            found = None if data is None else json.loads(data)
        except (OSError, ValueError, RecursionError):
            return None
        return found if isinstance(found, dict) else None

    def _write(self, kind: str, name: str, value: dict[str, Any], *, durable: bool = True) -> bool:
        if self._directory is None:
            return False
        # To bring a file to the disk takes as long as a short verification.
        if self._read(kind, name) == value:
            return True
        path = self._directory / kind / f"{name}.json"
        try:
            path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
            own = f".{os.getpid()}.{threading.get_ident()}.tmp"
            files.replace(path, json.dumps(value).encode(), suffix=own, durable=durable)
        except OSError:
            return False
        return True


def gone_ledger(memory: Memory, trace_directory: Path) -> str | None:
    """The id of the ledger last seen in a directory that holds none now."""
    is_begun = (trace_directory / JOURNAL_FILE).exists()
    seen = () if is_begun else memory.seen_at(trace_directory)
    return seen[0] if seen else None


def check_not_gone(memory: Memory, trace_directory: Path) -> None:
    """Refuse a directory without a ledger where one was seen before. Raises IntegrityError."""
    known = gone_ledger(memory, trace_directory)
    if known is not None:
        raise IntegrityError(
            Code.ROLLED_BACK,
            f"expected the ledger {known}, found none",
            where=str(trace_directory),
            fix=BRING_BACK,
        )


def check_known(memory: Memory, trace_directory: Path, ledger_id: str, journal: Path) -> None:
    """Refuse a ledger that is not the one last seen here, or does not go on from where it was.

    Raises IntegrityError. It is the quick form of what `verify` does for level L2: a chain that
    holds the remembered event where it was begins with all that came before it.
    """
    others = [known for known in memory.seen_at(trace_directory) if known != ledger_id]
    fix = "cra trace verify; if this is meant: cra trace repair --accept"
    if others:
        raise IntegrityError(
            Code.LEDGER_REPLACED,
            f"expected the ledger {others[0]}, found {ledger_id}",
            where=str(trace_directory),
            fix=fix,
        )
    head = memory.of_ledger(ledger_id)
    if head is not None and head.offset and hash_before(journal, head.offset) != head.head:
        raise IntegrityError(
            Code.ROLLED_BACK,
            f"expected a journal that begins with the {head.size} events seen before, "
            "found fewer or others",
            where=str(trace_directory),
            fix=fix,
        )


def _path_key(path: Path) -> str:
    return sha256(os.path.realpath(path).encode()).hexdigest()[:32]


def _as(kind: type[_T], found: dict[str, Any] | None) -> _T | None:
    if found is None:
        return None
    try:
        return kind(**found)
    except (TypeError, ValueError, SignerRefused):
        return None


def _is_count(value: object) -> bool:
    return type(value) is int and value >= 0
