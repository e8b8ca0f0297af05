"""Other logs that show changes, each as one would write it first.

They promise less: no salt, no checkpoint or signature beside the log, no Merkle root.
"""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from hashlib import sha256
from pathlib import Path
from typing import Any, Final
from uuid import uuid4

import orjson

GENESIS: Final = "0" * 64
SESSION: Final = str(uuid4())


def event(sequence: int, payload: Mapping[str, Any]) -> dict[str, Any]:
    """The members that this ledger records as well."""
    return {
        "actor": {"id": "cra", "type": "tool"},
        "event_id": str(uuid4()),
        "event_type": "action.executed",
        "parent_span_id": None,
        "payload": payload,
        "sequence": sequence,
        "session_id": SESSION,
        "severity": "info",
        "span_id": SESSION,
        "timestamp": datetime.now(UTC).isoformat(),
        "trace_id": SESSION,
    }


class NaiveLog:
    """Lines of JSON, each with a hash of itself serialised once more; one process, no locks."""

    def __init__(self, path: Path) -> None:
        self._file = path.open("a", encoding="utf-8")
        self._previous = GENESIS
        self._size = 0

    def append(self, payload: Mapping[str, Any]) -> None:
        record = {**event(self._size, payload), "previous_hash": self._previous}
        record["hash"] = self._previous = _naive_hash(record)
        self._file.write(json.dumps(record) + "\n")
        self._file.flush()
        self._size += 1

    def close(self) -> None:
        self._file.close()


def verify_naive(path: Path) -> int:
    """How many lines there are. Raises ValueError at one that does not continue the chain."""
    previous, count = GENESIS, 0
    with path.open(encoding="utf-8") as file:
        for line in file:
            record = json.loads(line)
            stated = record.pop("hash")
            if record["previous_hash"] != previous or _naive_hash(record) != stated:
                raise ValueError(f"line {count} does not continue the chain")
            previous = stated
            count += 1
    return count


def _naive_hash(record: Mapping[str, Any]) -> str:
    return sha256(json.dumps(record, sort_keys=True).encode()).hexdigest()


class SqliteLog:
    """Rows with a hash column; each transaction reads the last one, for others may have written."""

    def __init__(self, path: Path, synchronous: str) -> None:
        self._database = sqlite3.connect(path, timeout=60, isolation_level=None)
        self._database.execute("PRAGMA journal_mode = WAL")
        self._database.execute(f"PRAGMA synchronous = {synchronous}")
        self._database.execute(
            "CREATE TABLE IF NOT EXISTS events (sequence INTEGER PRIMARY KEY, body BLOB, hash BLOB)"
        )

    def append(self, payload: Mapping[str, Any]) -> None:
        self.append_all((payload,))

    def append_all(self, payloads: Iterable[Mapping[str, Any]]) -> None:
        """In one transaction."""
        database = self._database
        database.execute("BEGIN IMMEDIATE")
        last = database.execute("SELECT sequence, hash FROM events ORDER BY sequence DESC LIMIT 1")
        sequence, previous = last.fetchone() or (-1, GENESIS.encode())
        for payload in payloads:
            sequence += 1
            body = orjson.dumps(event(sequence, payload))
            previous = sha256(previous + body).digest()
            database.execute("INSERT INTO events VALUES (?, ?, ?)", (sequence, body, previous))
        database.execute("COMMIT")

    def read(self, sequence: int) -> bytes:
        found = self._database.execute("SELECT body FROM events WHERE sequence = ?", (sequence,))
        body: bytes = found.fetchone()[0]
        return body

    def verify(self) -> int:
        """How many rows there are. Raises ValueError at one that does not continue the chain."""
        previous, count = GENESIS.encode(), 0
        for body, stated in self._database.execute(
            "SELECT body, hash FROM events ORDER BY sequence"
        ):
            previous = sha256(previous + body).digest()
            if previous != stated:
                raise ValueError(f"row {count} does not continue the chain")
            count += 1
        return count

    def close(self) -> None:
        self._database.close()
