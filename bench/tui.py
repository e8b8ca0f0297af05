"""The viewer on a large session: from nothing to rows, to the end, through a search and a filter,
how long a key waits meanwhile, and what it takes to follow a session that grows.

It is driven without a terminal, at 140 by 40: what a terminal takes to draw is not in it.
"""

from __future__ import annotations

import asyncio
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Final

from textual.events import Key

from bench import child
from bench.measure import Sample, alternate, own_peak_memory, percentiles
from bench.report import Budget, Measured, Row, Table
from bench.verify import read_file
from bench.workload import EVENT_TYPE, PAYLOADS, Setting, new_session
from cra.ledger.memory import Memory
from cra.ledger.reading import usable_cores
from cra.ledger.verify import Trust

if TYPE_CHECKING:
    from rich.console import RenderableType
    from textual.screen import Screen

    from cra.tui.app import TraceApp

_SIZE: Final = (140, 40)
# It stands in no event, so all of them are searched.
_WORD: Final = "zebra"
_FILTER: Final = "payload.result.id=T-100123"
# So long the viewer waits for the next letter.
_TYPING: Final = 0.12
_TICK: Final = 0.002
_WINK: Final = 0.01
_RATE: Final = 1_000
_FOLLOWED_SECONDS: Final = 4


def view(path: str, events: int) -> Sample:
    begun = time.perf_counter()
    return asyncio.run(_driven(Path(path), events, begun))


def keep_up(path: str, events: int) -> Sample:
    """How much of a core it takes to follow a session to which so many events are appended."""
    return asyncio.run(_followed(Path(path), events))


def _app(path: Path) -> TraceApp:
    from cra.tui.app import TraceApp
    from cra.tui.setting import Setting as Place

    state, cores = path.parent.parent / "state", usable_cores()
    return TraceApp(
        Place(path.parent, state, Trust(), Memory(None), {}, "bench", cores=cores), path
    )


async def _driven(path: Path, events: int, begun: float) -> Sample:
    app = _app(path)
    found: Sample = {}
    async with app.run_test(size=_SIZE) as pilot:
        found["paint"] = time.perf_counter() - begun
        await _until(app, 1)
        found["rows"] = time.perf_counter() - begun
        await _until(app, events)
        found["indexed"] = time.perf_counter() - begun
        waits: list[float] = []
        watching = asyncio.create_task(_watch(waits))
        await _idle(app)
        found["verified"] = time.perf_counter() - begun
        watching.cancel()
        found |= {f"wait {rank}": value for rank, value in percentiles(waits).items()}
        keys = _Keys(app)
        found["end"] = await keys.press("end")
        await _idle(app)
        found["page"] = await keys.press("pageup")
        await _idle(app)
        await pilot.press("slash", *_WORD)
        typed = time.perf_counter()
        await _idle(app)
        found["search"] = time.perf_counter() - typed - _QUIET
        await pilot.press("enter", "slash", *reversed(_WORD), "enter")
        took = [await keys.press("up")]
        while any(not worker.is_finished for worker in app.workers):
            took.append(await keys.press("up"))
            await asyncio.sleep(_WINK)
        found["key"] = percentiles(took)["p95"]
        await pilot.press("escape", "f", *_FILTER)
        typed = time.perf_counter()
        await pilot.press("enter")
        await _idle(app)
        found["filter"] = time.perf_counter() - typed - _QUIET
        found["own memory"] = own_peak_memory()
    return found


async def _followed(path: Path, events: int) -> Sample:
    app = _app(path)
    async with app.run_test(size=_SIZE) as pilot:
        await _until(app, 1)
        await pilot.press("F")
        await _idle(app)
        child.wait_for_go()
        begun, used = time.perf_counter(), time.process_time()
        await _until(app, events)
        passed = time.perf_counter() - begun
        return {"share": (time.process_time() - used) / passed, "seconds": passed}


async def _until(app: TraceApp, rows: int) -> None:
    from cra.tui.timeline import Timeline

    while app.screen.query_one(Timeline).rows < rows:
        await asyncio.sleep(_TICK)


async def _watch(waits: list[float]) -> None:
    """How much longer than asked for a sleep takes: so long a key waits, too."""
    while True:
        begun = time.perf_counter()
        await asyncio.sleep(_WINK)
        waits.append(time.perf_counter() - begun - _WINK)


class _Keys:
    """Presses keys, and knows when the picture after one is handed out."""

    def __init__(self, app: TraceApp) -> None:
        self._app = app
        self._show = app._display  # noqa: SLF001  # every picture goes through it
        self._painted = asyncio.Event()
        app._display = self._shown  # type: ignore[assignment, method-assign]  # noqa: SLF001

    async def press(self, key: str) -> float:
        """How long it takes from a key to the picture after it."""
        self._painted.clear()
        begun = time.perf_counter()
        self._app.post_message(Key(key, None))
        await self._painted.wait()
        return time.perf_counter() - begun

    def _shown(self, screen: Screen[object], picture: RenderableType | None) -> None:
        self._show(screen, picture)
        self._painted.set()


# So long no thread works before it is taken that none is about to.
_QUIET: Final = 0.24


async def _idle(app: TraceApp) -> None:
    """Wait until no thread works, and none is about to."""
    quiet = 0.0
    while quiet < _QUIET:
        is_busy = any(not worker.is_finished for worker in app.workers)
        quiet = 0 if is_busy else quiet + _TICK
        await asyncio.sleep(_TICK)


def _follow(setting: Setting) -> Sample:
    """Append at a steady rate to a session that the viewer follows in another process."""
    with setting.folder() as directory:
        ledger, session = new_session(directory)
        events = _RATE * _FOLLOWED_SECONDS
        viewer = child.start(keep_up, str(session.paths.data), events)
        child.wait_until_ready(viewer)
        child.let_go(viewer)
        begun = time.perf_counter()
        for number in range(events):
            session.append(EVENT_TYPE, PAYLOADS[number % len(PAYLOADS)])
            time.sleep(max(0, begun + number / _RATE - time.perf_counter()))
        ledger.close()
        return child.finish(viewer)


def measure_tui(setting: Setting) -> Table:
    large = setting.large
    data = str(large.data)
    found = alternate(
        {
            "tui": partial(child.run, view, data, setting.events),
            "reading the file": partial(child.run, read_file, data),
            "following": partial(_follow, setting),
        },
        setting.repetitions,
    )

    def seconds(what: str, quantity: str) -> Measured:
        return Measured(what, "s", found["tui"][quantity])

    reading = (Measured("reading the file", "s", found["reading the file"]["time"]),)
    millions = setting.millions
    share = Measured(f"of a core, to follow {_RATE:,}/s", "share", found["following"]["share"])
    rows = [
        Row(seconds("first paint, from the import on", "paint"), budget=Budget("≤", 0.35)),
        Row(seconds("first rows", "rows")),
        Row(seconds("all counted", "indexed"), reading, budget=Budget("≤", 0.35 + millions)),
        Row(seconds("jump to the end", "end"), budget=Budget("≤", 0.05)),
        Row(seconds("a page up", "page"), budget=Budget("≤", 0.05)),
        Row(
            seconds("search for a word, from the last key", "search"),
            reading,
            budget=Budget("≤", _TYPING + 0.5 * millions),
        ),
        Row(seconds("filter by a value", "filter"), reading),
        Row(seconds("a key meanwhile, p95", "key"), budget=Budget("≤", 0.05)),
        Row(seconds("verified, in the background", "verified"), reading),
        Row(seconds("a key waits meanwhile, p50", "wait p50")),
        Row(seconds("a key waits meanwhile, p99", "wait p99"), budget=Budget("≤", 0.05)),
        Row(share),
        Row(Measured("memory", "B", found["tui"]["own memory"]), budget=Budget("≤", 100e6)),
        Row(Measured("memory, with one that verifies", "B", found["tui"]["memory"])),
    ]
    return Table(large.title(setting.events), rows)
