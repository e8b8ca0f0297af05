"""What differs, in words and in pieces, for every front end that shows it."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, Final, NamedTuple

from cra import canonical
from cra.amount import counted
from cra.replay.compare import Comparison, TraceDifference, compare
from cra.replay.golden import PENDING, manifest_in, trace_of
from cra.replay.manifest import read_manifest
from cra.replay.reading import Trace
from cra.replay.step import words_of

# A shape beside the colour: nothing is said by colour alone.
MARKS: Final[Mapping[str, str]] = {
    "changed": "~",
    "inserted": "+",
    "removed": "-",
    "moved": "↕",
    "unverifiable": "?",
}


class Compared(NamedTuple):
    """Two traces and how they differ."""

    golden: Path
    found: Path
    comparison: Comparison


def compare_pending(pending: Path) -> Compared:
    """What waits beside a golden, held against it. Raises CraError."""
    return compare_with(golden_of(pending), trace_of(manifest_in(pending)))


def compare_with(golden: Path, found: Path) -> Compared:
    """A trace held against a golden, as the golden's manifest says. Raises CraError."""
    manifest = read_manifest(manifest_in(golden))
    known = trace_of(manifest_in(golden))
    with Trace(known) as before, Trace(found) as after:
        done = compare(before, after, manifest.nondeterminism, manifest.order)
    return Compared(known, found, done)


def golden_of(pending: Path) -> Path:
    """The directory of the golden that something waits beside."""
    return pending.with_name(pending.name.removesuffix(PENDING))


def tally(differences: Sequence[TraceDifference]) -> str:
    """How many differences there are, in words."""
    own = sum(not one.follows for one in differences)
    follow = len(differences) - own
    words = counted(own, "difference")
    return f"{words}, and {follow} that follow" if follow else words


def steps_around(
    one: TraceDifference, trace: Trace
) -> tuple[list[tuple[int, str]], list[tuple[int, str]]]:
    """The step before a difference, which both have, and the one after it, each if there is one."""
    if one.golden is None:
        return [], []
    before = next(_steps(trace, range(one.golden - 1, -1, -1)), None)
    after = next(_steps(trace, range(one.golden + 1, len(trace))), None)
    return [before] if before else [], [after] if after else []


def _steps(trace: Trace, numbers: range) -> Iterator[tuple[int, str]]:
    for number in numbers:
        words = words_of(trace.event(number))
        if words is not None:
            yield number, words


def text_of(value: Any) -> str:
    """A value of a difference: text as it is, anything else as JSON."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    try:
        return json.dumps(value, ensure_ascii=False, sort_keys=True, indent=1)
    except (TypeError, ValueError):
        return canonical.text_of(value).decode()
