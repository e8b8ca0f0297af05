"""Appending to one log from several processes at once, each event under its own lock."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from time import perf_counter
from typing import Any, Final, NamedTuple

from bench import child
from bench.append import open_raw, write_locked
from bench.measure import Sample, alternate, repeated
from bench.report import Measured, Row, Table
from bench.rivals import SqliteLog
from bench.workload import EVENT_TYPE, PAYLOADS, Setting, new_session
from cra.ledger.store import Ledger
from cra.ledger.verify import Trust, verify_ledger

PROCESSES: Final = (1, 2, 4)


class Team(NamedTuple):
    """What makes a log ready and names it, and what each process then does with it."""

    prepare: Callable[[Setting, Path], str]
    write: Callable[[str, str, int], Sample]


def prepare_ours(_: Setting, directory: Path) -> str:
    ledger, session = new_session(directory)
    ledger.close()
    return session.id


def write_ours(directory: str, session_id: str, count: int) -> Sample:
    ledger = Ledger(Path(directory) / "cra.trace")
    session = ledger.session(session_id)
    sample = _timed(partial(session.append, EVENT_TYPE), PAYLOADS, count)
    ledger.close()
    return sample


def prepare_raw(setting: Setting, directory: Path) -> str:
    path = directory / "lines"
    path.write_bytes(b"".join(setting.lines))
    return path.name


def write_raw(directory: str, name: str, count: int) -> Sample:
    lines = (Path(directory) / name).read_bytes().splitlines(keepends=True)
    fd = open_raw(Path(directory))
    sample = _timed(partial(write_locked, fd), lines, count)
    os.fdatasync(fd)
    os.close(fd)
    return sample


def prepare_sqlite(_: Setting, directory: Path) -> str:
    path = directory / "log.db"
    SqliteLog(path, "NORMAL").close()
    return path.name


def write_sqlite(directory: str, name: str, count: int) -> Sample:
    log = SqliteLog(Path(directory) / name, "NORMAL")
    sample = _timed(log.append, PAYLOADS, count)
    log.close()
    return sample


OURS: Final = Team(prepare_ours, write_ours)
RAW: Final = Team(prepare_raw, write_raw)
SQLITE: Final = Team(prepare_sqlite, write_sqlite)


def measure_writers(setting: Setting) -> Table:
    contestants = {
        (name, processes): partial(_run, setting, one, processes)
        for processes in PROCESSES
        for name, one in (("ours", OURS), ("flock + write", RAW), ("sqlite3 WAL/NORMAL", SQLITE))
    }
    found = alternate(contestants, setting.repetitions)

    def measured(name: str, processes: int, what: str) -> Measured:
        return Measured(what, "/s", found[name, processes]["rate"])

    rows = []
    for processes in PROCESSES:
        suffix = f"{processes} process" + ("es" if processes > 1 else "")
        rows.append(
            Row(
                measured("ours", processes, suffix),
                (measured("flock + write", processes, f"flock + write, {suffix}"),),
                (measured("sqlite3 WAL/NORMAL", processes, f"sqlite3 WAL/NORMAL, {suffix}"),),
            )
        )
    return Table("all append to one session, a lock per event; events per second in total", rows)


def _run(setting: Setting, contestant: Team, processes: int) -> Sample:
    count = setting.share(50, at_least=100, at_most=20_000)
    with setting.folder() as directory:
        name = contestant.prepare(setting, directory)
        children = [
            child.start(contestant.write, str(directory), name, count) for _ in range(processes)
        ]
        for one in children:
            child.wait_until_ready(one)
        for one in children:
            child.let_go(one)
        samples = [child.finish(one) for one in children]
        if contestant is OURS:
            _check(directory)
    # One clock for all processes.
    took = max(sample["end"] for sample in samples) - min(sample["start"] for sample in samples)
    return {"rate": processes * count / took}


def _timed(step: Callable[[Any], object], items: Sequence[Any], count: int) -> Sample:
    feed = repeated(items, count)
    child.wait_for_go()
    start = perf_counter()
    for item in feed:
        step(item)
    return {"start": start, "end": perf_counter()}


def _check(directory: Path) -> None:
    report = verify_ledger(directory / "cra.trace", Trust())
    if report.verdict.exit_code != 0:
        raise RuntimeError(f"expected an intact ledger, found {report.verdict.name}")
