"""`python -m bench`: this ledger beside the machine's own ceilings and beside rivals, in one run.

Nothing fails for a number: a shared machine is no judge. The budgets are printed beside what was
measured, and so is whether they were met.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from pathlib import Path
from subprocess import DEVNULL
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

from bench.append import measure_append
from bench.child import ROOT
from bench.decide import measure_decide
from bench.governed import measure_governed
from bench.read import measure_read
from bench.redaction import measure_redaction
from bench.relevance import measure_relevance
from bench.replay import measure_replay
from bench.report import Table, as_facts, as_text, machine
from bench.startup import measure_startup
from bench.tail import measure_tail
from bench.tui import measure_tui
from bench.verify import measure_verify
from bench.workload import Setting
from bench.writers import measure_writers

EVENTS: Final = 1_000_000
QUICK_EVENTS: Final = 50_000


class Benchmark(NamedTuple):
    measure: Callable[[Setting], Table]
    summary: str


BENCHMARKS: Final[dict[str, Benchmark]] = {
    "append": Benchmark(measure_append, "append in one process: batch, lock, sync, barrier"),
    "writers": Benchmark(measure_writers, "append to one session from several processes"),
    "verify": Benchmark(measure_verify, "verify a large session: time and memory"),
    "read": Benchmark(measure_read, "index, access and open a large session"),
    "tail": Benchmark(measure_tail, "from an append to another process that follows"),
    "decide": Benchmark(measure_decide, "decide on a call with ten to a thousand rules"),
    "governed": Benchmark(measure_governed, "resolve and execute, recorded"),
    "replay": Benchmark(measure_replay, "compare two large traces, do a session again"),
    "startup": Benchmark(measure_startup, "commands beside an empty interpreter"),
    "tui": Benchmark(measure_tui, "the viewer on a large session: paint, jump, search"),
    "relevance": Benchmark(measure_relevance, "what has to do with a goal: index and query"),
    "redaction": Benchmark(measure_redaction, "secrets found, and what looking costs"),
}


def main(arguments: Sequence[str]) -> None:
    options = _parse(arguments)
    with TemporaryDirectory(prefix="bench-") as name:
        directory = Path(name)
        _isolate(directory)
        facts: dict[str, Any] = {"machine": machine(directory)}
        print("  ".join(f"{key}: {value}" for key, value in facts["machine"].items()))
        repetitions = 3 if options.quick else 5
        setting = Setting(directory, options.events, repetitions)
        print(f"median of {repetitions} (startup: of more), spread min-max, ratio ours / ceiling")
        facts["benchmarks"] = {}
        for chosen in options.names or BENCHMARKS:
            print(f"{chosen} …", file=sys.stderr, flush=True)
            table = BENCHMARKS[chosen].measure(setting)
            print(f"\n{as_text(chosen, table)}", flush=True)
            facts["benchmarks"][chosen] = as_facts(table)
    if options.json:
        options.json.write_text(json.dumps(facts, indent=2) + "\n", encoding="utf-8")


def _parse(arguments: Sequence[str]) -> argparse.Namespace:
    parser = argparse.ArgumentParser(
        prog="python -m bench",
        description="Measure this ledger beside the machine's own ceilings and beside rivals.",
        epilog="benchmarks: "
        + "; ".join(f"{name}: {one.summary}" for name, one in BENCHMARKS.items()),
    )
    parser.add_argument("names", nargs="*", metavar="NAME", help="benchmarks; all if none is named")
    parser.add_argument("--quick", action="store_true", help="fewer events and repetitions")
    parser.add_argument("--events", type=int, metavar="N", help="events in the large session")
    parser.add_argument("--json", type=Path, metavar="FILE", help="write the numbers there as well")
    options = parser.parse_args(arguments)
    unknown = sorted(set(options.names) - BENCHMARKS.keys())
    if unknown:
        parser.error(f"no such benchmark: {', '.join(unknown)}; there are {', '.join(BENCHMARKS)}")
    if options.events is None:
        options.events = QUICK_EVENTS if options.quick else EVENTS
    if options.events < 1:
        parser.error(f"expected events, found --events {options.events}")
    return options


def _isolate(directory: Path) -> None:
    """Measure as on a machine whose user has set nothing and has run `cra` before."""
    foreign = ("CRA_", "XDG_", "PYTHONDONTWRITEBYTECODE")
    for name in [name for name in os.environ if name.startswith(foreign)]:
        del os.environ[name]
    os.environ["HOME"] = str(directory / "home")
    # Compiled modules are found from the second start on, and never written into the checkout.
    os.environ["PYTHONPYCACHEPREFIX"] = str(directory / "pycache")
    # Compiling takes memory and time, which would be the first child's.
    subprocess.run([sys.executable, "-m", "bench", "--help"], cwd=ROOT, stdout=DEVNULL, check=True)


if __name__ == "__main__":
    main(sys.argv[1:])
