"""A large session: indexing it, reading a line anywhere, a search, and opening it to append."""

from __future__ import annotations

import fcntl
import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from typing import Final

from bench import child
from bench.measure import Sample, alternate, elapsed, latencies
from bench.report import Budget, Measured, Row, Table
from bench.rivals import SqliteLog
from bench.verify import read_file
from bench.workload import Setting
from cra.ledger.chain import MAX_LINE
from cra.ledger.filter import parse
from cra.ledger.index import LedgerFile
from cra.ledger.store import Ledger

ACCESSES: Final = 1000
# It stands in no event, so all of them are searched.
WORD: Final = "zebra"


def read_ours(path: str) -> Sample:
    file = LedgerFile(Path(path))
    build = elapsed(lambda: LedgerFile(Path(path)).close())
    anywhere = latencies(file.line, _numbers(file.count))
    end = elapsed(lambda: file.line(file.count - 1))
    wanted = parse(WORD)
    search = elapsed(lambda: list(file.search(wanted)))
    file.close()
    return {"index": build, "end": end, "search": search, **anywhere}


def read_raw(path: str, line: int) -> Sample:
    """Lines of equal length need no index: what is left is the system call."""
    fd = os.open(path, os.O_RDONLY)
    count = os.fstat(fd).st_size // line
    found = latencies(lambda number: os.pread(fd, line, number * line), _numbers(count))
    os.close(fd)
    return found


def read_sqlite(path: str, count: int) -> Sample:
    log = SqliteLog(Path(path), "NORMAL")
    return latencies(log.read, _numbers(count))


def open_ours(directory: str, session_id: str) -> Sample:
    """A ledger and one of its sessions, up to the point where an event could be appended."""

    def work() -> None:
        with Ledger(Path(directory)).session(session_id).batch():
            pass

    return {"open": elapsed(work)}


def open_at_end(path: str) -> Sample:
    """Opening, locking, and reading as much of the end as a line can take."""

    def work() -> None:
        fd = os.open(path, os.O_RDWR | os.O_APPEND)
        fcntl.flock(fd, fcntl.LOCK_EX)
        os.pread(fd, MAX_LINE, max(0, os.fstat(fd).st_size - MAX_LINE))
        os.close(fd)

    return {"open": elapsed(work)}


def measure_read(setting: Setting) -> Table:
    large = setting.large
    data = str(large.data)
    line = large.bytes // setting.events
    contestants: dict[str, Callable[[], Sample]] = {
        "index": partial(child.run, read_ours, data),
        "reading the file": partial(child.run, read_file, data),
        "pread of a line": partial(child.run, read_raw, data, line),
        "sqlite3 by key": partial(
            child.run, read_sqlite, str(setting.large_sqlite), setting.events
        ),
        "open": partial(child.run, open_ours, str(large.directory), large.session_id),
        "open, flock, pread": partial(child.run, open_at_end, data),
    }
    found = alternate(contestants, setting.repetitions)

    def seconds(what: str, name: str, quantity: str) -> Measured:
        return Measured(what, "s", found[name][quantity])

    reading = (seconds("reading the file", "reading the file", "time"),)
    rows = [
        Row(seconds("index", "index", "index"), reading, budget=Budget("≤", setting.millions)),
        Row(seconds("jump to the end", "index", "end"), budget=Budget("≤", 0.05)),
        Row(
            seconds("search for a word", "index", "search"),
            reading,
            budget=Budget("≤", setting.millions / 2),
        ),
        *(
            Row(
                seconds(f"line anywhere, {rank}", "index", rank),
                (seconds(f"pread of a line, {rank}", "pread of a line", rank),),
                (seconds(f"sqlite3 by key, {rank}", "sqlite3 by key", rank),),
            )
            for rank in ("p50", "p99")
        ),
        Row(
            Measured("index and search, memory", "B", found["index"]["memory"]),
            budget=Budget("≤", 100e6),
        ),
        Row(
            seconds("open for append", "open", "open"),
            (seconds("open, flock, pread", "open, flock, pread", "open"),),
        ),
        Row(Measured("open for append, memory", "B", found["open"]["memory"])),
    ]
    return Table(large.title(setting.events), rows)


def _numbers(count: int) -> list[int]:
    """The same places for all contestants."""
    random = Random(1)
    return [random.randrange(count) for _ in range(ACCESSES)]
