"""A golden's events beside those of its replay, and what there is to say of each step.

Nothing here knows of a screen; what reads a whole trace is for a thread.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby
from operator import itemgetter
from pathlib import Path
from threading import Lock
from typing import Final, NamedTuple, TypeAlias

from cra.errors import CraError, NotFound
from cra.ledger.index import SUFFIX
from cra.printable import safe
from cra.replay.check import Report
from cra.replay.compare import TraceDifference, paired
from cra.replay.differing import MARKS
from cra.replay.golden import trace_of
from cra.replay.manifest import read_manifest
from cra.replay.reading import Trace
from cra.replay.step import words_of
from cra.runtime.standing import standing_at, told_standing
from cra.runtime.state import SessionState
from cra.tui.comparing import STYLES, values_of
from cra.tui.listing import Part, fitted, wrapped
from cra.tui.source import OpenLog, opened
from cra.tui.telling import in_words

# An event of the golden and the one of the replay that is held against it, each if there is one.
Pair: TypeAlias = tuple[int | None, int | None]

# From how many columns on the two stand side by side.
SIDE_BY_SIDE: Final = 76
_MAX_DIFFERENCES: Final = 20
# How much is shown of what a session holds of each kind.
_MAX_STANDING: Final = 8
_NAME_ROOM: Final = 12


class Fold:
    """A session's file at any of its events, folded on from where it was asked for last."""

    def __init__(self, log: OpenLog) -> None:
        self._log = log
        self._state = SessionState()
        # A thread that nobody waits for any more may still be at it.
        self._lock = Lock()

    def told_at(self, number: int) -> list[tuple[str, str]]:
        """What the session was, each part with its name."""
        with self._lock:
            if self._state.size > number + 1:
                self._state = SessionState()
            try:
                found = standing_at(self._log.file, number, self._state)
            except (CraError, OSError) as error:
                return [("unknown", in_words(error))]
        return [("session", found["state"]), *_latest(told_standing(found))]


def _latest(rows: Iterable[tuple[str, str]]) -> Iterable[tuple[str, str]]:
    """The last ones of each name, and how many there are before them."""
    for name, group in groupby(rows, key=itemgetter(0)):
        those = [*group]
        if len(those) > _MAX_STANDING:
            yield name, f"{len(those) - _MAX_STANDING:,} before these"
        yield from those[-_MAX_STANDING:]


class Side(NamedTuple):
    """One of the two traces."""

    log: OpenLog
    fold: Fold

    @classmethod
    def of(cls, path: Path) -> Side:
        """Raises NotFound, IntegrityError, OSError."""
        log = opened(path)
        return cls(log, Fold(log))


class Walk(NamedTuple):
    """A golden's events, and beside them those of its replay."""

    golden: Side
    found: Side | None
    pairs: Sequence[Pair]
    # By the row: what differs there.
    differences: Mapping[int, Sequence[TraceDifference]]
    # The rows that differ, in order.
    places: Sequence[int]

    def reached(self, row: int) -> Pair:
        """The last event of each side up to a row, and in it."""
        golden = next((one for one, _ in reversed(self.pairs[: row + 1]) if one is not None), None)
        found = next((one for _, one in reversed(self.pairs[: row + 1]) if one is not None), None)
        return golden, found

    def row_of(self, number: int) -> int:
        """The row of an event of the golden."""
        return next((at for at, (one, _) in enumerate(self.pairs) if one == number), 0)


def walk_alone(manifest: Path) -> Walk:
    """A golden without a replay, if its events can be read. Raises CraError, OSError."""
    side = Side.of(_events_of(manifest))
    return Walk(side, None, [(number, None) for number in range(side.log.count)], {}, ())


def walk_beside(alone: Walk, manifest: Path, report: Report) -> Walk:
    """A golden beside what its replay wrote. Raises CraError, OSError."""
    done = report.replayed
    if done is None:
        return alone
    rules = read_manifest(manifest).nondeterminism
    with Trace(alone.golden.log.path) as golden, Trace(done.trace, done.replaced) as found:
        pairs = [*paired(golden, found, rules)]
    rows = {one: at for at, (one, _) in enumerate(pairs) if one is not None}
    others = {other: at for at, (_, other) in enumerate(pairs) if other is not None}
    differences: dict[int, list[TraceDifference]] = {}
    for one in report.differences:
        at = rows.get(one.golden) if one.golden is not None else None
        if at is None and one.found is not None:
            at = others.get(one.found)
        # What is about no event is about the whole.
        differences.setdefault(at or 0, []).append(one)
    return Walk(alone.golden, Side.of(done.trace), pairs, differences, sorted(differences))


def _events_of(manifest: Path) -> Path:
    """The trace of a golden, also where its manifest cannot be read. Raises NotFound."""
    folder = manifest.parent
    try:
        found = [trace_of(manifest)]
    except (CraError, OSError):
        found = [*folder.glob(f"*{SUFFIX}")]
    real = os.path.realpath(folder)
    if len(found) != 1 or not Path(os.path.realpath(found[0])).is_relative_to(real):
        raise NotFound("expected the golden's trace beside its manifest, found none")
    return found[0]


def step_lines(walk: Walk, row: int, columns: int) -> list[list[Part]]:
    """What a step is in words, in the golden and in the replay, and what differs."""
    golden, found = walk.pairs[row]
    lines: list[list[Part]] = []
    for name, side, number in (("golden", walk.golden, golden), ("now", walk.found, found)):
        if side is not None and number is not None:
            told = _told(side, number)
            for at, part in enumerate(wrapped(told, columns - _NAME_ROOM)):
                lead = f"{name} {number}" if at == 0 else ""
                lines.append([(f"{lead:<{_NAME_ROOM - 1}} ", "accent"), (part, "")])
    found_here = walk.differences.get(row, ())
    for at, one in enumerate(found_here[:_MAX_DIFFERENCES]):
        # One that only follows is a line among its like.
        if at == 0 or not (one.follows and found_here[at - 1].follows):
            lines.append([("", "")])
        lines += _difference_lines(one, columns)
    if len(found_here) > _MAX_DIFFERENCES:
        left = len(found_here) - _MAX_DIFFERENCES
        lines.append([(f"… and {left} more: d shows them", "dim")])
    return lines


def _told(side: Side, number: int) -> str:
    """An event in words: its type, and what it is as a step or else what it says."""
    try:
        event = side.log.event(number).event
        row = side.log.row(number)
    except (CraError, OSError) as error:
        return in_words(error)
    if event is None:
        return f"{row.event_type}: {row.summary}"
    kind = event.event_type
    words = words_of({"event_type": kind, "payload": event.payload})
    return f"{safe(kind)}  {safe(words) if words is not None else row.summary}"


def _difference_lines(one: TraceDifference, columns: int) -> Iterable[list[Part]]:
    style = STYLES[one.significance]
    weight = "follows" if one.follows else one.significance
    lead = f"{MARKS[one.type]} {weight:<9} "
    for at, part in enumerate(wrapped(safe(one.told), columns - len(lead))):
        yield [(lead if at == 0 else " " * len(lead), "dim" if one.follows else style), (part, "")]
    if one.follows:
        return
    told = safe(one.path) + ("" if one.policy_id is None else f", decided by {safe(one.policy_id)}")
    for part in wrapped(told, columns - 2):
        yield [("  ", ""), (part, "dim")]
    for line in values_of(one, columns - 2):
        yield [("  ", ""), *line]


def standing_lines(
    sides: Sequence[Sequence[tuple[str, str]]], columns: int, style: str
) -> list[list[Part]]:
    """What the session was: once if it was the same in both, else side by side or below."""
    are_same = len(set(map(tuple, sides))) == 1
    titles = ["the session then", "the session now"]
    told = sides[:1] if are_same else sides
    lines: list[list[Part]] = [[("", "")]]
    if are_same or columns < SIDE_BY_SIDE:
        for title, rows in zip(titles, told, strict=False):
            lines.append([(title, "accent")])
            lines += [[(text, style)] for text in _rows(rows, columns)]
        return lines
    half = (columns - 3) // 2
    lines.append([(fitted(titles[0], half), "accent"), (" │ ", "faint"), (titles[1], "accent")])
    left, right = (_rows(rows, half) for rows in told)
    known = set(left) & set(right)
    for at in range(max(len(left), len(right))):
        one = left[at] if at < len(left) else ""
        other = right[at] if at < len(right) else ""
        lines.append(
            [
                (fitted(one, half), "dim" if one in known else style),
                (" │ ", "faint"),
                (other, "dim" if other in known else style),
            ]
        )
    return lines


def _rows(rows: Sequence[tuple[str, str]], columns: int) -> list[str]:
    return [
        f"{name if at == 0 else '':<{_NAME_ROOM - 1}} {part}"
        for name, words in rows
        for at, part in enumerate(wrapped(safe(words), columns - _NAME_ROOM))
    ]
