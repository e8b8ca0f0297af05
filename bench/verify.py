"""Verifying a large session whole: every byte, hash and link of it, on one core and on two."""

from __future__ import annotations

from functools import partial
from hashlib import file_digest, sha256
from pathlib import Path
from typing import Final

from bench import child
from bench.measure import Sample, alternate, elapsed
from bench.report import Budget, Measured, Row, Table, Unit
from bench.rivals import SqliteLog, verify_naive
from bench.workload import Setting
from cra.ledger.reading import PARALLEL_FROM
from cra.ledger.verify import Trust, verify_ledger

CHUNK: Final = 1 << 20


def verify_ours(directory: str, cores: int, expected: int) -> Sample:
    def work() -> None:
        report = verify_ledger(Path(directory), Trust(), cores=cores)
        events = sum(session.events for session in report.sessions)
        if report.verdict.exit_code != 0 or events < expected:
            raise RuntimeError(f"expected {expected} events, found {events}, {report.verdict.name}")

    return {"time": elapsed(work)}


def rehash_lines(path: str) -> Sample:
    def work() -> None:
        with Path(path).open("rb", buffering=CHUNK) as file:
            for line in file:
                sha256(line)

    return {"time": elapsed(work)}


def hash_file(path: str) -> Sample:
    with Path(path).open("rb") as file:
        return {"time": elapsed(partial(file_digest, file, "sha256"))}


def read_file(path: str) -> Sample:
    def work() -> None:
        with Path(path).open("rb", buffering=0) as file:
            while file.read(CHUNK):
                pass

    return {"time": elapsed(work)}


def verify_naive_log(path: str) -> Sample:
    return {"time": elapsed(partial(verify_naive, Path(path)))}


def verify_sqlite(path: str) -> Sample:
    log = SqliteLog(Path(path), "NORMAL")
    return {"time": elapsed(log.verify)}


def measure_verify(setting: Setting) -> Table:
    large, events = setting.large, setting.events
    data, ledger = str(large.data), str(large.directory)
    found = alternate(
        {
            "one core": partial(child.run, verify_ours, ledger, 1, events),
            "two cores": partial(child.run, verify_ours, ledger, 2, events),
            "SHA-256 of the file": partial(child.run, hash_file, data),
            "SHA-256 of each line": partial(child.run, rehash_lines, data),
            "reading the file": partial(child.run, read_file, data),
            "naive hash chain": partial(child.run, verify_naive_log, str(setting.large_naive)),
            "sqlite3": partial(child.run, verify_sqlite, str(setting.large_sqlite)),
        },
        setting.repetitions,
    )

    def measured(name: str, quantity: str = "time") -> Measured:
        unit: Unit = "s" if quantity == "time" else "B"
        return Measured(f"{name}, memory" if unit == "B" else name, unit, found[name][quantity])

    ceilings = tuple(
        map(measured, ("SHA-256 of the file", "SHA-256 of each line", "reading the file"))
    )
    rivals = tuple(map(measured, ("naive hash chain", "sqlite3")))
    rows = [
        Row(measured("one core"), ceilings, rivals, Budget("≤", 4.5 * setting.millions)),
        Row(measured("two cores"), ceilings[:1], (), Budget("≤", 2.6 * setting.millions)),
        *(
            Row(measured(name, "memory"), budget=Budget("≤", 64e6))
            for name in ("one core", "two cores")
        ),
    ]
    title = large.title(events)
    if large.bytes < PARALLEL_FROM:
        title += "; too few for two cores, which then are one"
    return Table(title, rows)
