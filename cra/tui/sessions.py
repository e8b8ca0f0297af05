"""All sessions of a ledger at a glance, from the first and last lines of their files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import ClassVar, Final, NamedTuple

from textual.binding import Binding, BindingType

from cra.errors import CraError
from cra.ledger import files
from cra.ledger.filter import parse
from cra.ledger.index import LedgerFile, session_files
from cra.ledger.outline import Outline, outline, readable
from cra.printable import safe
from cra.tui.listing import Listing, Part, fitted

# How much is read of a file's beginning to find what the session is for.
_BEGINNING: Final = 1 << 16
# What is longer is not read whole for a list.
_MAX_COUNTED: Final = 32 << 20

# What is said of a call, and its span, which is its own.
_CALL: Final = re.compile(rb'"event_type":"action\.([a-z]+)".*?"span_id":"([0-9a-f-]{36})"')
# Beside the state of a session with a call that has begun and not come to anything.
_INTENT: Final = "▶"

ORDERS: Final = ("begun", "last activity", "trouble", "events")
_STATES: Final = {
    "open": ("● open", "good"),
    "ended": ("○ ended", "dim"),
    "expired": ("○ expired", "dim"),
    "empty": ("· empty", "dim"),
    "damaged": ("✗ damaged", "bad"),
}
_WITH_LONG_ID: Final = 100
_WITH_ACTIVITY: Final = 64
_WITH_TROUBLE: Final = 48
_WITH_VERDICT: Final = 112
_VERDICTS: Final = {"INTACT": "good", "STILLBORN": "dim", "INCOMPLETE": "warn"}


class Outcomes(NamedTuple):
    """What became of a session's calls."""

    denials: int
    failures: int
    # Calls that have begun, and of which nothing is recorded since.
    intents: int


class Glance(NamedTuple):
    """A session in a list; `outcomes` is None where nobody counted."""

    outline: Outline
    goal: str
    outcomes: Outcomes | None
    # What tells one state of the file from another.
    stamp: tuple[int, int, int]
    error: str = ""

    @property
    def path(self) -> Path:
        return self.outline.path

    @property
    def trouble(self) -> int:
        return sum(self.outcomes) if self.outcomes is not None else 0

    @property
    def words(self) -> str:
        """What a search for sessions looks at."""
        agent = self.outline.agent or ""
        return f"{self.outline.id} {agent} {self.goal}".lower()


def glance(path: Path) -> Glance:
    """A session as it is now, whatever is wrong with it."""
    try:
        stamp = _stamp(path)
        known = outline(path)
        goal = _goal(path)
    except (CraError, OSError) as error:
        nothing = Outline(path, None, None, None, is_ended=False, is_whole=False)
        return Glance(nothing, "", None, (0, 0, 0), safe(str(error)))
    return Glance(known, goal, _counted(path) if stamp[1] <= _MAX_COUNTED else None, stamp)


def _stamp(path: Path) -> tuple[int, int, int]:
    status = os.stat(path)
    return status.st_ino, status.st_size, status.st_mtime_ns


def _goal(path: Path) -> str:
    """What the first request is for."""
    fd = files.open_for_reading(path)
    try:
        beginning = os.pread(fd, _BEGINNING, 0)
    finally:
        os.close(fd)
    for line in beginning.split(b"\n")[:-1]:
        if b'"event_type":"carp.request.received"' in line:
            event = readable(line)
            request = (event.payload or {}).get("request") if event else None
            task = request.get("task") if isinstance(request, dict) else None
            goal = task.get("goal") if isinstance(task, dict) else None
            if isinstance(goal, str):
                return safe(goal)
    return ""


def _counted(path: Path) -> Outcomes | None:
    denials = failures = 0
    begun: set[bytes] = set()  # their spans
    try:
        with LedgerFile(path) as log:
            for _, line in log.search(parse("type:action.*")):
                found = _CALL.search(line)
                kind, span = (found[1], found[2]) if found else (b"", b"")
                denials += kind == b"denied"
                failures += kind == b"failed"
                if kind != b"approved":
                    begun.discard(span)
                elif not _is_simulated(line):
                    begun.add(span)
    except (CraError, OSError):
        return None
    return Outcomes(denials, failures, len(begun))


def _is_simulated(line: bytes) -> bool:
    """Whether a call was decided and not made: nothing comes of it."""
    event = readable(line) if b'"simulated":true' in line else None
    return event is not None and (event.payload or {}).get("simulated") is True


def survey(
    directory: Path,
    known: dict[Path, Glance],
    is_cancelled: Callable[[], bool],
    report: Callable[[list[Glance]], None],
) -> list[Glance]:
    """Every session, the last begun first; what is known of a file that is as it was is kept.

    `report` is handed what there is after each part of them.
    """
    found: list[Glance] = []
    paths = session_files(directory)
    for at, path in enumerate(paths, 1):
        if is_cancelled():
            break
        found.append(_again(path, known.get(path)))
        if at % 200 == 0 and len(known) < len(paths):
            report([*found])
    return found


def _again(path: Path, before: Glance | None) -> Glance:
    if before is not None and not before.error:
        try:
            if _stamp(path) == before.stamp:
                return before
        except OSError:
            pass
    return glance(path)


def arranged(found: Iterable[Glance], order: str, wanted: str) -> list[Glance]:
    """The sessions that have some words in their id, agent or goal, in an order."""
    words = wanted.lower().split()
    chosen = [one for one in found if all(word in one.words for word in words)]
    if order == "last activity":
        chosen.sort(key=lambda one: one.outline.last_activity or "", reverse=True)
    elif order == "trouble":
        chosen.sort(key=lambda one: one.trouble, reverse=True)
    elif order == "events":
        chosen.sort(key=lambda one: one.outline.events or 0, reverse=True)
    return chosen


class SessionList(Listing):
    """The rows of sessions."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Open")]

    empty_text = "no session is recorded here yet: cra session start begins one"

    def __init__(self, *, id: str | None = None) -> None:  # Textual's own name
        super().__init__(id=id)
        self.glances: list[Glance] = []
        self.now = ""
        self.verdicts: dict[str, str] = {}
        self.marked: Path | None = None

    def show(self, glances: list[Glance], now: str) -> None:
        """Show these sessions, with the cursor on the one that it was on."""
        here = self.chosen
        self.glances, self.now = glances, now
        self.resize_to(len(glances))
        if here is not None:
            at = next((at for at, one in enumerate(glances) if one.path == here.path), None)
            if at is not None and at != self.cursor:
                self.move_to(at)

    @property
    def chosen(self) -> Glance | None:
        return self.glances[self.cursor] if self.cursor < len(self.glances) else None

    def parts_of(self, row: int, columns: int) -> Iterable[Part]:
        one = self.glances[row]
        known = one.outline
        state, style = _STATES[known.state(self.now)]
        if one.outcomes is not None and one.outcomes.intents:
            state, style = f"{state:<9}{_INTENT}", "warn"
        yield ("◆" if one.path == self.marked else " ", "accent")
        # Of sessions that begin in the same minute, the first eight digits are the same.
        yield f"{known.id[: _id_room(columns) - 1]} ", "dim"
        yield fitted(state, 10), style
        yield fitted(safe(known.agent or "?"), 12 if columns >= _WITH_ACTIVITY else 8) + " ", ""
        events = "?" if known.events is None else f"{known.events:,}"
        yield f"{events:>8} ", ""
        if columns >= _WITH_ACTIVITY:
            yield fitted((known.last_activity or "")[5:19].replace("T", " "), 15), "dim"
        if columns >= _WITH_TROUBLE:
            yield from _trouble(one)
        if columns >= _WITH_VERDICT:
            verdict = self.verdicts.get(known.id, "")
            yield fitted(verdict, 12), _VERDICTS.get(verdict.split(" ")[0], "bad")
        yield f" {one.error or one.goal}", "bad" if one.error else ""


def _trouble(one: Glance) -> Iterable[Part]:
    denials, failures = (None, None) if one.outcomes is None else one.outcomes[:2]
    for count, shape, style in ((denials, "▲", "warn"), (failures, "✗", "bad")):
        text = f"{shape} {count:,}" if count else "" if count == 0 else "?"
        yield fitted(text, 6), style if count else "dim"


def _id_room(columns: int) -> int:
    return 14 if columns >= _WITH_LONG_ID else 9


def heading_of(columns: int) -> str:
    """What stands in the columns of a list of sessions."""
    parts = [f" {'SESSION':<{_id_room(columns)}}{'STATE':<10}"]
    parts.append(f"{'AGENT':<13}" if columns >= _WITH_ACTIVITY else f"{'AGENT':<9}")
    parts.append(f"{'EVENTS':>8} ")
    if columns >= _WITH_ACTIVITY:
        parts.append(f"{'LAST ACTIVITY':<15}")
    if columns >= _WITH_TROUBLE:
        parts.append(f"{'DENY':<6}{'FAIL':<6}")
    if columns >= _WITH_VERDICT:
        parts.append(f"{'VERDICT':<12}")
    return "".join(parts) + " GOAL"
