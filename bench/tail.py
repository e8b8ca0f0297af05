"""Following: how long after an append in one process another one has the event."""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import partial
from pathlib import Path
from random import Random
from time import perf_counter, sleep
from typing import NamedTuple

from bench import child
from bench.append import open_raw
from bench.measure import Sample, alternate, percentiles
from bench.report import Budget, Measured, Row, Table
from bench.workload import EVENT_TYPE, PAYLOADS, Setting, new_session
from cra.ledger.tail import Tail, follow


class Pair(NamedTuple):
    """What opens a file for appending, and what watches it in another process."""

    open: Callable[[Setting, Path], Appender]
    watch: Callable[[str, int, int], Sample]


class Appender(NamedTuple):
    file: Path
    line: int
    append: Callable[[], object]
    close: Callable[[], object]


def open_ours(setting: Setting, directory: Path) -> Appender:
    ledger, session = new_session(directory)
    append = partial(session.append, EVENT_TYPE, PAYLOADS[0])
    return Appender(session.paths.data, len(setting.lines[0]), append, ledger.close)


def watch_ours(file: str, count: int, _: int) -> Sample:
    """When each event was seen, by its number."""
    path = Path(file)
    tail = Tail(path.parent, path)
    seen: Sample = {}
    child.wait_for_go()
    for lines in follow(tail, lambda: len(seen) >= count):
        now = perf_counter()
        for _line in lines:
            seen[str(len(seen))] = now
    return seen


def open_file(setting: Setting, directory: Path) -> Appender:
    fd = open_raw(directory)
    line = setting.lines[0]
    return Appender(
        directory / "raw", len(line), partial(os.write, fd, line), partial(os.close, fd)
    )


def watch_size(file: str, count: int, line: int) -> Sample:
    """The same, by looking without a pause, at the cost of a core."""
    fd = os.open(file, os.O_RDONLY)
    seen: Sample = {}
    child.wait_for_go()
    while len(seen) < count:
        # A write that crosses a page grows the file in two steps: only whole lines count.
        lines = os.fstat(fd).st_size // line
        now = perf_counter()
        for number in range(len(seen), lines):
            seen[str(number)] = now
    os.close(fd)
    return seen


def measure_tail(setting: Setting) -> Table:
    count = setting.share(1000, at_least=50, at_most=200)
    ours = Pair(open_ours, watch_ours)
    raw = Pair(open_file, watch_size)
    found = alternate(
        {
            "follow": partial(_run, setting, ours, count),
            "busy fstat": partial(_run, setting, raw, count),
        },
        setting.repetitions,
    )

    def measured(name: str, rank: str) -> Measured:
        return Measured(f"{name}, {rank}", "s", found[name][rank])

    rows = [
        Row(
            measured("follow", rank),
            (measured("busy fstat", rank),),
            budget=Budget("≤", 0.05),
        )
        for rank in ("p50", "p99", "max")
    ]
    rows.append(Row(Measured("follow, memory", "B", found["follow"]["memory"])))
    return Table(f"{count} events, 5 to 25 ms apart, one process to another", rows)


def _run(setting: Setting, pair: Pair, count: int) -> Sample:
    random = Random(1)
    with setting.folder() as directory:
        appender = pair.open(setting, directory)
        watcher = child.start(pair.watch, str(appender.file), count, appender.line)
        child.wait_until_ready(watcher)
        child.let_go(watcher)
        appended = []
        for _ in range(count):
            sleep(random.uniform(0.005, 0.025))
            appended.append(perf_counter())
            appender.append()
        seen = child.finish(watcher)
        appender.close()
    # One clock for all processes.
    waits = [seen[str(number)] - moment for number, moment in enumerate(appended)]
    return {**percentiles(waits), "memory": seen["memory"]}
