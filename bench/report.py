"""What was measured, as text and as JSON: one table of ours, one of what stands beside it."""

from __future__ import annotations

import os
import platform
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import Any, Final, Literal, NamedTuple

Unit = Literal["/s", "s", "B", "share"]

COLUMNS: Final = ("what", "ours", "spread", "ceiling", "ratio", "budget", "met?")
BESIDE_COLUMNS: Final = ("beside it", "kind", "measured", "spread", "of our", "ours is")

# What a median of at least so much is shown in: the factor, the unit and the digits.
_SCALES: Final[dict[Unit, tuple[tuple[float, float, str, int], ...]]] = {
    "/s": ((0, 1, " /s", 0),),
    "s": ((1, 1, " s", 2), (1e-3, 1e3, " ms", 2), (0, 1e6, " µs", 2)),
    "B": ((0, 1e-6, " MB", 1),),
    "share": ((0, 100, " %", 1),),
}


class Measured(NamedTuple):
    """One quantity, sampled once per repetition."""

    what: str
    unit: Unit
    samples: Sequence[float]

    @property
    def median(self) -> float:
        return median(self.samples)

    @property
    def spread(self) -> str:
        _, factor, _, digits = self._scale()
        low, high = min(self.samples), max(self.samples)
        return f"{low * factor:,.{digits}f}-{high * factor:,.{digits}f}"

    def __str__(self) -> str:
        _, factor, unit, digits = self._scale()
        return f"{self.median * factor:,.{digits}f}{unit}"

    def _scale(self) -> tuple[float, float, str, int]:
        return next(scale for scale in _SCALES[self.unit] if self.median >= scale[0])


@dataclass(frozen=True)
class Budget:
    """What the design asks of a median, or of its ratio to the first ceiling."""

    sense: Literal["≥", "≤"]
    limit: float
    is_ratio: bool = False

    def is_met(self, row: Row) -> bool:
        value = row.ratio if self.is_ratio else row.ours.median
        if value is None:
            return False
        return value >= self.limit if self.sense == "≥" else value <= self.limit

    def text(self, unit: Unit) -> str:
        limit = f"{self.limit:g}x" if self.is_ratio else str(Measured("", unit, [self.limit]))
        return f"{self.sense} {limit}"


@dataclass(frozen=True)
class Row:
    """A measurement of this ledger, the ceilings and rivals of the same work, and the budget."""

    ours: Measured
    ceilings: tuple[Measured, ...] = ()
    rivals: tuple[Measured, ...] = ()
    budget: Budget | None = None

    @property
    def ratio(self) -> float | None:
        return self.ours.median / self.ceilings[0].median if self.ceilings else None

    @property
    def beside(self) -> list[tuple[str, Measured]]:
        return [("ceiling", one) for one in self.ceilings] + [("rival", one) for one in self.rivals]


@dataclass
class Table:
    title: str
    rows: list[Row]
    # What kept a measurement from being made.
    missing: list[str] = field(default_factory=list)


def as_text(name: str, table: Table) -> str:
    parts = [f"{name}: {table.title}", _aligned(COLUMNS, map(_cells, table.rows))]
    beside = [
        (one.what, kind, str(one), one.spread, row.ours.what, _times(row.ours, one))
        for row in table.rows
        for kind, one in row.beside
    ]
    if beside:
        parts.append(_aligned(BESIDE_COLUMNS, beside))
    if table.missing:
        parts.append("\n".join(f"missing: {line}" for line in table.missing))
    return "\n\n".join(parts)


def as_facts(table: Table) -> dict[str, Any]:
    return {
        "title": table.title,
        "rows": [
            {
                **_facts(row.ours),
                "ratio": row.ratio,
                "budget": row.budget.text(row.ours.unit) if row.budget else None,
                "met": row.budget.is_met(row) if row.budget else None,
                "beside": [{"kind": kind, **_facts(one)} for kind, one in row.beside],
            }
            for row in table.rows
        ],
        "missing": table.missing,
    }


def machine(directory: Path) -> dict[str, str]:
    """What the numbers depend on, and nothing that says whose machine it is."""
    return {
        "CPU": f"{os.cpu_count()} x {_cpu_model()}",
        "Python": f"{platform.python_implementation()} {platform.python_version()}",
        "system": platform.system(),
        "filesystem": _filesystem(directory),
    }


def _cells(row: Row) -> tuple[str, ...]:
    budget = row.budget
    return (
        row.ours.what,
        str(row.ours),
        row.ours.spread,
        str(row.ceilings[0]) if row.ceilings else "",
        "" if row.ratio is None else f"{row.ratio:.2f}x",
        budget.text(row.ours.unit) if budget else "",
        ("yes" if budget.is_met(row) else "no") if budget else "",
    )


def _times(ours: Measured, other: Measured) -> str:
    noun = {"/s": "rate", "s": "time", "B": "memory", "share": "share"}[ours.unit]
    return f"{ours.median / other.median:.2f}x its {noun}"


def _facts(measured: Measured) -> dict[str, Any]:
    return {
        "what": measured.what,
        "unit": measured.unit,
        "median": measured.median,
        "min": min(measured.samples),
        "max": max(measured.samples),
        "samples": list(measured.samples),
    }


def _aligned(columns: Sequence[str], rows: Iterable[Sequence[str]]) -> str:
    """Columns of text; those of numbers to the right."""
    lines = [columns, *rows]
    widths = [max(map(len, cells)) for cells in zip(*lines, strict=True)]
    to_right = {"ours", "measured", "spread", "ceiling", "ratio", "budget", "ours is"}
    return "\n".join(
        "  ".join(
            cell.rjust(room) if column in to_right else cell.ljust(room)
            for cell, room, column in zip(line, widths, columns, strict=True)
        ).rstrip()
        for line in lines
    )


def _cpu_model() -> str:
    try:
        text = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except FileNotFoundError:
        return platform.processor() or platform.machine()
    models = [line for line in text.splitlines() if line.startswith("model name")]
    return models[0].partition(":")[2].strip() if models else platform.machine()


def _filesystem(directory: Path) -> str:
    """The type of the mount that a directory is on."""
    try:
        mounts = Path("/proc/self/mounts").read_text(encoding="utf-8").splitlines()
    except FileNotFoundError:
        return "unknown"
    kinds = {fields[1]: fields[2] for fields in map(str.split, mounts)}
    real = directory.resolve()
    return next(
        (kinds[str(path)] for path in (real, *real.parents) if str(path) in kinds), "unknown"
    )
