"""What all contestants get: the same events, a place on the same disk, and one large session."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from tempfile import mkdtemp
from typing import Any, Final, NamedTuple

from bench.rivals import NaiveLog, SqliteLog
from cra.ledger.store import Ledger, Session
from cra.ledger.writer import Durability

BATCH: Final = 250
MILLION: Final = 1_000_000
EVENT_TYPE: Final = "action.executed"

Payload = dict[str, Any]

PAYLOADS: Final[tuple[Payload, ...]] = tuple(
    {
        "execution_id": f"01a1fa72-7e8f-7048-b0a2-{number:012x}",
        "action_id": "ticket.create",
        "duration_us": 1000 + 7 * number,
        "result": {"id": f"T-{100_000 + number}"},
    }
    for number in range(BATCH)
)


class Large(NamedTuple):
    """A session that was appended to and closed."""

    directory: Path
    session_id: str
    data: Path

    @property
    def bytes(self) -> int:
        return self.data.stat().st_size

    def title(self, events: int) -> str:
        size = f"{events:,} events, {self.bytes / 1e6:,.0f} MB"
        return f"{size} in the page cache; budgets of time are for that many"


@dataclass
class Setting:
    """One run of the benchmarks: where it writes, how many events, how often."""

    directory: Path
    events: int
    repetitions: int

    @contextmanager
    def folder(self) -> Iterator[Path]:
        """A new directory, removed afterwards."""
        path = self._new_folder()
        try:
            yield path
        finally:
            shutil.rmtree(path)

    def share(self, one_in: int, *, at_least: int = 1, at_most: int = 50_000) -> int:
        """A part of the run's events, for work that is too slow or too fast for all of them."""
        return max(at_least, min(at_most, self.events // one_in))

    @property
    def millions(self) -> float:
        return self.events / MILLION

    @cached_property
    def lines(self) -> tuple[bytes, ...]:
        """The lines that the payloads become."""
        with self.folder() as path:
            stored = _record(path, len(PAYLOADS)).data.read_bytes()
        return tuple(stored.splitlines(keepends=True)[1:])

    @cached_property
    def large(self) -> Large:
        return _record(self._new_folder(), self.events)

    @cached_property
    def large_naive(self) -> Path:
        path = self._new_folder() / "naive.jsonl"
        log = NaiveLog(path)
        for number in range(self.events):
            log.append(PAYLOADS[number % BATCH])
        log.close()
        return path

    @cached_property
    def large_sqlite(self) -> Path:
        path = self._new_folder() / "log.db"
        log = SqliteLog(path, "NORMAL")
        for first in range(0, self.events, BATCH):
            log.append_all(PAYLOADS[: self.events - first])
        log.close()
        return path

    def _new_folder(self) -> Path:
        return Path(mkdtemp(dir=self.directory))


def new_session(directory: Path, durability: Durability = "batch") -> tuple[Ledger, Session]:
    ledger = Ledger(directory / "cra.trace", durability=durability)
    return ledger, ledger.start_session("bench")


def _record(directory: Path, events: int) -> Large:
    ledger, session = new_session(directory)
    for first in range(0, events, BATCH):
        with session.batch():
            for payload in PAYLOADS[: events - first]:
                session.append(EVENT_TYPE, payload)
    ledger.close()
    return Large(ledger.directory, session.id, session.paths.data)
