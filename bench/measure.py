"""How things are measured: contestants that take turns, percentiles, a process's peak memory."""

from __future__ import annotations

import resource
import sys
from collections import defaultdict
from collections.abc import Callable, Mapping, Sequence
from math import ceil
from pathlib import Path
from time import perf_counter, perf_counter_ns
from typing import Any, Final, TypeVar

Item = TypeVar("Item")
Name = TypeVar("Name")

# What one run of a contestant yields: quantities by name, in seconds, bytes or events per second.
Sample = dict[str, float]

# The unit of ru_maxrss.
_UNIT: Final = 1 if sys.platform == "darwin" else 1024


def alternate(
    contestants: Mapping[Name, Callable[[], Sample]], repetitions: int
) -> dict[Name, dict[str, list[float]]]:
    """The samples of each contestant, by quantity.

    All take a turn in each repetition, another one first each time, so noise hits all alike.
    """
    samples: dict[Name, dict[str, list[float]]] = {name: defaultdict(list) for name in contestants}
    names = list(contestants)
    for repetition in range(repetitions):
        first = repetition % len(names)
        for name in names[first:] + names[:first]:
            for quantity, value in contestants[name]().items():
                samples[name][quantity].append(value)
    return samples


def elapsed(work: Callable[[], object]) -> float:
    start = perf_counter()
    work()
    return perf_counter() - start


def latencies(step: Callable[[Item], object], items: Sequence[Item]) -> Sample:
    """The p50, p99 and maximum of a step, in seconds."""
    took = []
    for item in items:
        start = perf_counter_ns()
        step(item)
        took.append(perf_counter_ns() - start)
    return percentiles([nanoseconds / 1e9 for nanoseconds in took])


def percentiles(values: Sequence[float]) -> Sample:
    ordered = sorted(values)
    rank = {share: ordered[ceil(share * len(ordered)) - 1] for share in (0.5, 0.95, 0.99)}
    return {"p50": rank[0.5], "p95": rank[0.95], "p99": rank[0.99], "max": ordered[-1]}


def repeated(items: Sequence[Any], count: int) -> list[Any]:
    """As many items as asked for, from the beginning again and again."""
    return (list(items) * (count // len(items) + 1))[:count]


def peak_memory() -> float:
    """The most memory that this process has held, and the largest of its children, in bytes."""
    return own_peak_memory() + resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * _UNIT


def own_peak_memory() -> float:
    """The most memory that this process has held, in bytes."""
    try:
        # A process begins with its parent's ru_maxrss, even after an exec; this begins at zero.
        status = Path("/proc/self/status").read_text(encoding="ascii")
    except FileNotFoundError:
        return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * _UNIT
    (own,) = [line.split()[1] for line in status.splitlines() if line.startswith("VmHWM:")]
    return int(own) * 1024.0
