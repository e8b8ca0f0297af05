"""The viewer on a large session: from nothing to rows, to the end, through a search, and how long a
key waits meanwhile.

It is driven without a terminal, at 140 by 40: what a terminal takes to draw is not in it.
"""

from __future__ import annotations

import asyncio
import os
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from bench import child
from bench.measure import Sample, alternate, percentiles
from bench.report import Budget, Measured, Row, Table
from bench.verify import read_file
from bench.workload import Setting
from cra.ledger.memory import Memory
from cra.ledger.verify import Trust

if TYPE_CHECKING:
    from textual.pilot import Pilot

    from cra.tui.app import TraceApp

_SIZE: Final = (140, 40)
# It stands in no event, so all of them are searched.
_WORD: Final = "zebra"
_TICK: Final = 0.002
_WINK: Final = 0.01


def view(path: str) -> Sample:
    begun = time.perf_counter()
    return asyncio.run(_driven(Path(path), begun))


async def _driven(path: Path, begun: float) -> Sample:
    from cra.tui.app import TraceApp
    from cra.tui.setting import Setting as Place
    from cra.tui.timeline import Timeline

    state, cores = path.parent.parent / "state", len(os.sched_getaffinity(0))
    place = Place(path.parent, state, Trust(), Memory(None), {}, "bench", cores=cores)
    app = TraceApp(place, path)
    found: Sample = {}
    async with app.run_test(size=_SIZE) as pilot:
        found["paint"] = time.perf_counter() - begun
        timeline = app.screen.query_one(Timeline)
        while not timeline.rows:
            await asyncio.sleep(_TICK)
        found["rows"] = time.perf_counter() - begun
        waits: list[float] = []
        watching = asyncio.create_task(_watch(waits))
        await _idle(app)
        found["verified"] = time.perf_counter() - begun
        watching.cancel()
        found |= {f"wait {rank}": value for rank, value in percentiles(waits).items()}
        found["end"] = await _pressed(pilot, "end")
        await _idle(app)
        found["page"] = await _pressed(pilot, "pageup")
        await _idle(app)
        await pilot.press("slash", *_WORD)
        typed = time.perf_counter()
        await _idle(app)
        found["search"] = time.perf_counter() - typed
    return found


async def _watch(waits: list[float]) -> None:
    """How much longer than asked for a sleep takes: so long a key waits, too."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(_WINK)
        waits.append(time.perf_counter() - begun - _WINK)


async def _pressed(pilot: Pilot[None], key: str) -> float:
    """How long it takes from a key to the picture after it, with what a test adds to that."""
    begun = time.perf_counter()
    await pilot.press(key)
    return time.perf_counter() - begun


async def _idle(app: TraceApp) -> None:
    """Wait until no thread works, and none is about to."""
    quiet = 0
    while quiet < 3:
        is_busy = any(not worker.is_finished for worker in app.workers)
        quiet = 0 if is_busy else quiet + 1
        await asyncio.sleep(_TICK if is_busy else 0.08)


def measure_tui(setting: Setting) -> Table:
    large = setting.large
    data = str(large.data)
    found = alternate(
        {
            "tui": partial(child.run, view, data),
            "reading the file": partial(child.run, read_file, data),
        },
        setting.repetitions,
    )

    def seconds(what: str, quantity: str) -> Measured:
        return Measured(what, "s", found["tui"][quantity])

    reading = (Measured("reading the file", "s", found["reading the file"]["time"]),)
    millions = setting.millions
    rows = [
        Row(seconds("first paint, from the import on", "paint")),
        Row(seconds("rows", "rows"), reading, budget=Budget("≤", 0.4 + 0.6 * millions)),
        Row(seconds("jump to the end", "end")),
        Row(seconds("a page up", "page")),
        Row(seconds("search for a word", "search"), reading, budget=Budget("≤", 0.3 + millions)),
        Row(seconds("verified, in the background", "verified"), reading),
        Row(seconds("a key waits meanwhile, p50", "wait p50")),
        Row(seconds("a key waits meanwhile, p99", "wait p99"), budget=Budget("≤", 0.05)),
        Row(Measured("memory", "B", found["tui"]["memory"]), budget=Budget("≤", 150e6)),
    ]
    return Table(large.title(setting.events), rows)
