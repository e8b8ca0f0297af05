"""Golden traces: comparing two large ones, and doing a session again."""

from __future__ import annotations

import shutil
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Final

import orjson

from bench import child
from bench.measure import Sample, alternate, elapsed
from bench.report import Budget, Measured, Row, Table
from bench.workload import MILLION, Setting
from cra.conformance.trace import golden_of
from cra.replay.compare import compare
from cra.replay.reading import Trace
from cra.replay.replay import replay
from cra.runtime.project import Project
from tests.governed import ALLOW, DESK, GOAL

# The budget is for 100,000 events; fewer where fewer were asked for.
SHARE: Final = 10
# What a call that is allowed leaves: its intent and its outcome.
EVENTS_PER_CALL: Final = 2
REPLAYED_CALLS: Final = 500


def measure_replay(setting: Setting) -> Table:
    events = setting.events // SHARE
    with setting.folder() as folder:
        traces = [str(_trace(folder / name, events)) for name in ("one", "other")]
        found = alternate(
            {
                "compare": partial(child.run, _compare, *traces),
                "parse": partial(child.run, _parse, *traces),
                "replay": partial(child.run, _replay),
            },
            setting.repetitions,
        )

    def measured(what: str, name: str, quantity: str = "time") -> Measured:
        return Measured(what, "s" if quantity == "time" else "B", found[name][quantity])

    is_whole = setting.events == MILLION
    rows = [
        Row(
            measured("compare two traces", "compare"),
            (measured("orjson.loads of both", "parse"),),
            budget=Budget("≤", 5.0) if is_whole else None,
        ),
        Row(measured("compare, memory", "compare", "memory"), budget=Budget("≤", 500e6)),
        Row(measured(f"replay {REPLAYED_CALLS} calls, decide", "replay")),
    ]
    return Table(f"two sessions of {events:,} events that differ in one call", rows)


def _trace(place: Path, events: int) -> Path:
    """A session of as many events, in a ledger that stays."""
    with Project.temporary([DESK], [ALLOW]) as project:
        session = project.session("bench")
        session.resolve(GOAL)
        calls = events // EVENTS_PER_CALL
        for number in range(calls):
            is_other = place.name == "other" and number == calls // 2
            session.execute("ticket.sort" if is_other else "ticket.pretend", _ARGUMENTS[is_other])
        session.barrier()
        shutil.copytree(project.config.trace_directory, place)
        return place / f"{session.id}.trace.jsonl"


_ARGUMENTS: Final[dict[bool, dict[str, list[str]]]] = {False: {}, True: {"items": []}}


def _compare(one: str, other: str) -> Sample:
    def work() -> None:
        with Trace(Path(one)) as golden, Trace(Path(other)) as found:
            if compare(golden, found).compatibility != "breaking":
                raise RuntimeError("expected one call that differs")

    return {"time": elapsed(work)}


def _parse(one: str, other: str) -> Sample:
    def work() -> None:
        for path in (one, other):
            with Path(path).open("rb") as file:
                for line in file:
                    orjson.loads(line)

    return {"time": elapsed(work)}


def _replay() -> Sample:
    with Project.temporary([DESK], [ALLOW]) as project, TemporaryDirectory() as place:
        session = project.session("bench")
        session.resolve(GOAL)
        for _ in range(REPLAYED_CALLS):
            session.execute("ticket.pretend", {})
        golden = golden_of(session)
        work = partial(replay, golden, project.config, project.snapshot, Path(place) / "ledger")
        return {"time": elapsed(work)}
