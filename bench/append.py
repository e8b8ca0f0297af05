"""Appending in one process: a batch under one lock, a lock, a sync or a barrier for each event."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable, Sequence
from functools import partial
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from bench.measure import Sample, alternate, elapsed, latencies, repeated
from bench.report import Budget, Measured, Row, Table, Unit
from bench.rivals import NaiveLog, SqliteLog
from bench.workload import BATCH, EVENT_TYPE, PAYLOADS, Payload, Setting, new_session

# One in so many of the run's events, for work that costs about 10 µs, 0.2 ms and 2 ms each.
FAST, SYNCED, BARRIER = 5, 500, 4000


class Log(NamedTuple):
    """An open log: what appends an item to it, the items, and what closes it."""

    step: Callable[[Any], object]
    items: Sequence[Any]
    close: Callable[[], object]


class Contestant(NamedTuple):
    open: Callable[[Setting, Path], Log]
    one_in: int
    per_step: int = 1


def ours(_: Setting, directory: Path) -> Log:
    ledger, session = new_session(directory)
    return Log(partial(session.append, EVENT_TYPE), PAYLOADS, ledger.close)


def ours_in_batches(_: Setting, directory: Path) -> Log:
    ledger, session = new_session(directory)

    def append_all(payloads: Sequence[Payload]) -> None:
        with session.batch():
            for payload in payloads:
                session.append(EVENT_TYPE, payload)

    return Log(append_all, [PAYLOADS], ledger.close)


def ours_synced(_: Setting, directory: Path) -> Log:
    ledger, session = new_session(directory, "always")
    return Log(partial(session.append, EVENT_TYPE), PAYLOADS, ledger.close)


def ours_with_barriers(_: Setting, directory: Path) -> Log:
    ledger, session = new_session(directory)

    def append(payload: Payload) -> None:
        with session.batch(barrier=True):
            session.append(EVENT_TYPE, payload)

    return Log(append, PAYLOADS, ledger.close)


def raw(setting: Setting, directory: Path) -> Log:
    fd = open_raw(directory)
    return Log(partial(os.write, fd), setting.lines, partial(_close, fd))


def raw_in_batches(setting: Setting, directory: Path) -> Log:
    return raw(setting, directory)._replace(items=[b"".join(setting.lines)])


def raw_locked(setting: Setting, directory: Path) -> Log:
    fd = open_raw(directory)
    return Log(partial(write_locked, fd), setting.lines, partial(_close, fd))


def raw_synced(setting: Setting, directory: Path) -> Log:
    fd = open_raw(directory)

    def write(line: bytes) -> None:
        os.write(fd, line)
        os.fdatasync(fd)

    return Log(write, setting.lines, partial(_close, fd))


def hashed(setting: Setting, _: Path) -> Log:
    return Log(sha256, setting.lines, lambda: None)


def naive(_: Setting, directory: Path) -> Log:
    log = NaiveLog(directory / "naive.jsonl")
    return Log(log.append, PAYLOADS, log.close)


def sqlite(synchronous: str, _: Setting, directory: Path) -> Log:
    log = SqliteLog(directory / "log.db", synchronous)
    return Log(log.append, PAYLOADS, log.close)


def sqlite_in_batches(synchronous: str, _: Setting, directory: Path) -> Log:
    log = SqliteLog(directory / "log.db", synchronous)
    return Log(log.append_all, [PAYLOADS], log.close)


OURS: Final[dict[str, Contestant]] = {
    "batch of 250, one lock": Contestant(ours_in_batches, FAST, BATCH),
    "lock per event": Contestant(ours, FAST),
    "durability always": Contestant(ours_synced, SYNCED),
    "barrier per event": Contestant(ours_with_barriers, BARRIER),
}
CEILINGS: Final[dict[str, Contestant]] = {
    "write of 250 lines": Contestant(raw_in_batches, FAST, BATCH),
    "write": Contestant(raw, FAST),
    "flock + write": Contestant(raw_locked, FAST),
    "write + fdatasync": Contestant(raw_synced, SYNCED),
    "SHA-256 of the line": Contestant(hashed, FAST),
}
RIVALS: Final[dict[str, Contestant]] = {
    "naive hash chain": Contestant(naive, FAST),
    "sqlite3 WAL/NORMAL": Contestant(partial(sqlite, "NORMAL"), FAST),
    "sqlite3 WAL/FULL": Contestant(partial(sqlite, "FULL"), SYNCED),
    "sqlite3 WAL/NORMAL, 250 each": Contestant(partial(sqlite_in_batches, "NORMAL"), FAST, BATCH),
    "sqlite3 WAL/FULL, 250 each": Contestant(partial(sqlite_in_batches, "FULL"), FAST, BATCH),
}


class Comparison(NamedTuple):
    """One of ours, what it is held against, and the budget of its rate."""

    ours: str
    ceilings: tuple[str, ...]
    rivals: tuple[str, ...]
    budget: Budget | None = None


COMPARISONS: Final = (
    Comparison(
        "batch of 250, one lock",
        ("write of 250 lines", "SHA-256 of the line"),
        ("sqlite3 WAL/NORMAL, 250 each", "sqlite3 WAL/FULL, 250 each"),
        Budget("≥", 150_000),
    ),
    Comparison(
        "lock per event",
        ("flock + write", "write"),
        ("naive hash chain", "sqlite3 WAL/NORMAL"),
        Budget("≥", 80_000),
    ),
    Comparison(
        "durability always",
        ("write + fdatasync",),
        ("sqlite3 WAL/FULL",),
        Budget("≥", 0.7, is_ratio=True),
    ),
    Comparison("barrier per event", ("write + fdatasync",), ()),
)


def measure_append(setting: Setting) -> Table:
    contestants = OURS | CEILINGS | RIVALS
    found = alternate(
        {name: partial(_run, setting, one) for name, one in contestants.items()},
        setting.repetitions,
    )
    rows = []
    for comparison in COMPARISONS:
        for quantity in found[comparison.ours]:
            budget = comparison.budget if quantity == "rate" else None

            def measured(name: str, quantity: str = quantity) -> Measured:
                unit: Unit = "/s" if quantity == "rate" else "s"
                what = name if quantity == "rate" else f"{name}, {quantity}"
                return Measured(what, unit, found[name][quantity])

            rows.append(
                Row(
                    measured(comparison.ours),
                    tuple(map(measured, comparison.ceilings)),
                    tuple(map(measured, comparison.rivals)),
                    budget,
                )
            )
    size = sum(map(len, setting.lines)) // len(setting.lines)
    return Table(f"events of {size} bytes, one process", rows)


def _run(setting: Setting, contestant: Contestant) -> Sample:
    count = setting.share(contestant.one_in, at_least=10 * contestant.per_step)
    with setting.folder() as directory:
        log = contestant.open(setting, directory)
        items = repeated(log.items, count // contestant.per_step)
        try:
            _each(log.step, items[:3])
            took = elapsed(partial(_each, log.step, items))
            sample = {"rate": len(items) * contestant.per_step / took}
            if contestant.per_step == 1:
                found = latencies(log.step, items)
                sample |= {"p50": found["p50"], "p99": found["p99"]}
        finally:
            log.close()
    return sample


def _each(step: Callable[[Any], object], items: Sequence[Any]) -> None:
    for item in items:
        step(item)


def open_raw(directory: Path) -> int:
    return os.open(directory / "raw", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)


def write_locked(fd: int, line: bytes) -> None:
    fcntl.flock(fd, fcntl.LOCK_EX)
    os.write(fd, line)
    fcntl.flock(fd, fcntl.LOCK_UN)


def _close(fd: int) -> None:
    # What one contestant leaves to be written would be in the next one's way.
    os.fdatasync(fd)
    os.close(fd)
