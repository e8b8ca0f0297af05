"""All sessions of a ledger at a glance, from the first and last lines of their files."""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple, TypeAlias

from textual.binding import Binding, BindingType

from cra.errors import CraError
from cra.ledger import files
from cra.ledger.filter import containing
from cra.ledger.index import (
    SUFFIX,
    end_of_lines,
    session_files,
    whole_lines,
)
from cra.ledger.outline import Outline, outline, readable
from cra.printable import safe
from cra.tui.listing import Listing, Part, fitted

if TYPE_CHECKING:
    pass

# How much is read of a file's beginning to find what the session is for.
_BEGINNING: Final = 1 << 16
# The calls of what is longer are counted after the list is there.
_MAX_COUNTED: Final = 32 << 20
CHECKPOINT: Final = ".checkpoint"

# The type of an event comes before all that a payload could say.
_TYPE: Final = b'"event_type":"'
_CALLS: Final = containing(_TYPE + b"action.")
# What is said of a call, and its span, which is its own.
_CALL: Final = re.compile(_TYPE + rb'action\.([a-z]+)".*?"span_id":"([0-9a-f-]{36})"')
# Beside the state of a session with a call that has begun and not come to anything.
_INTENT: Final = "▶"

ORDERS: Final = ("begun", "last activity", "trouble", "events")
_STATES: Final = {
    "open": ("● open", "good"),
    "ended": ("○ ended", "dim"),
    "expired": ("○ expired", "dim"),
    "empty": ("· empty", "dim"),
    "damaged": ("✗ damaged", "bad"),
    "missing": ("✗ missing", "bad"),
    "unreadable": ("? unreadable", "warn"),
}
# The verdicts that are sound.
_VERDICTS: Final = {"INTACT": "good", "STILLBORN": "dim", "INCOMPLETE": "warn"}
_SOUND: Final = tuple(_VERDICTS)

# From so many columns on there is room for each.
_WITH_TROUBLE: Final = 44
_WITH_EVENTS: Final = 53
_WITH_ACTIVITY: Final = 72
_WITH_LONG_ID: Final = 79
_WITH_LONG_AGENT: Final = 90
_WITH_VERDICT: Final = 112
# A goal in less says nothing; one of them is the space before it.
_LEAST_GOAL: Final = 8

# What tells one state of a file from another: its inode, its size, and when it was changed, which
# whoever changes it can set back in the third number and not in the last.
Stamp: TypeAlias = tuple[int, int, int, int]
_NO_STAMP: Final = (0, 0, 0, 0)


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
    stamp: Stamp
    error: str = ""
    # What it is where there is nothing that its outline could say: missing or unreadable.
    state: str = ""

    @property
    def path(self) -> Path:
        return self.outline.path

    @property
    def trouble(self) -> int:
        """How many calls came to nothing good; below 0 where nobody counted."""
        return sum(self.outcomes) if self.outcomes is not None else -1

    @property
    def words(self) -> str:
        """What a search for sessions looks at."""
        agent = self.outline.agent or ""
        return f"{self.outline.id} {agent} {self.goal}".lower()

    @property
    def is_large(self) -> bool:
        """Whether its calls are not counted at a glance."""
        return self.stamp[1] > _MAX_COUNTED


class Count(NamedTuple):
    """The calls of a file as far as they are counted: up to a line's end."""

    inode: int = 0
    end: int = 0
    denials: int = 0
    failures: int = 0
    begun: frozenset[bytes] = frozenset()  # their spans
    is_whole: bool = False

    @property
    def outcomes(self) -> Outcomes:
        return Outcomes(self.denials, self.failures, len(self.begun))


def glance(path: Path) -> Glance:
    """A session as it is now, whatever is wrong with it. Raises FileNotFoundError."""
    try:
        stamp = _stamp(os.stat(path))
        known = outline(path)
        goal = _goal(path)
    except FileNotFoundError:
        raise
    except OSError as error:
        return without_outline(path, error.strerror or str(error), "unreadable")
    except CraError as error:
        return without_outline(path, str(error), "damaged")
    whole = None
    if stamp[1] <= _MAX_COUNTED:
        with suppress(CraError, OSError):
            whole = count_on(path, Count(), lambda: False)
    return Glance(known, goal, whole.outcomes if whole is not None else None, stamp)


def without_outline(path: Path, error: str, state: str) -> Glance:
    """A session of which nothing is known but what is wrong with it."""
    nothing = Outline(path, None, None, None, is_ended=False, is_whole=False)
    return Glance(nothing, "", None, _NO_STAMP, safe(error), state)


def _stamp(status: os.stat_result) -> Stamp:
    return status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns


def stamps(directory: Path) -> dict[str, Stamp]:
    """The files of a ledger that a verification reads, by their names, as they are now."""
    found: dict[str, Stamp] = {}
    try:
        entries = os.scandir(directory)
    except FileNotFoundError:
        return found
    with entries:
        for entry in entries:
            if entry.name.endswith((SUFFIX, CHECKPOINT)):
                # It may go meanwhile, and a link that leads nowhere is no file.
                with suppress(OSError):
                    found[entry.name] = _stamp(entry.stat())
    return found


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


def count_on(path: Path, before: Count, is_cancelled: Callable[[], bool]) -> Count:
    """Count the calls of a session from where a count ended, or anew if the file is another one.

    Raises CraError, OSError.
    """
    fd = files.open_for_reading(path)
    try:
        inode, stop = os.fstat(fd).st_ino, end_of_lines(fd)
        if before.inode != inode or before.end > stop:
            before = Count()
        _, end, denials, failures, known, _ = before
        begun = set(known)
        for position, chunk in whole_lines(fd, end, stop):
            if is_cancelled():
                return Count(inode, position, denials, failures, frozenset(begun))
            for kind, span, line in _calls(chunk):
                denials += kind == b"denied"
                failures += kind == b"failed"
                if kind != b"approved":
                    begun.discard(span)
                elif not _is_simulated(line):
                    begun.add(span)
    finally:
        os.close(fd)
    return Count(inode, stop, denials, failures, frozenset(begun), is_whole=True)


def _calls(chunk: bytes) -> Iterable[tuple[bytes, bytes, bytes]]:
    """What is said of calls in some lines: what became of one, its span, and the line."""
    for begin, end in _CALLS.candidates(chunk):
        line = chunk[begin:end]
        found = _CALL.match(line, line.find(_TYPE))
        if found is not None:
            yield found[1], found[2], line


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
        # One that is gone meanwhile is missed by the verdict.
        with suppress(FileNotFoundError):
            found.append(_again(path, known.get(path)))
        if at % 200 == 0 and len(known) < len(paths):
            report([*found])
    return found


def _again(path: Path, before: Glance | None) -> Glance:
    if before is not None and not before.error:
        with suppress(OSError):
            if _stamp(os.stat(path)) == before.stamp:
                return before
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
        self.verdicts: Mapping[str, str] = {}
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
        one, room = self.glances[row], _room_in(columns)
        known, verdict = one.outline, self.verdicts.get(one.outline.id, "")
        yield ("◆" if one.path == self.marked else " ", "accent")
        yield f"{known.id[: room.id]:<{room.id}} ", "dim"
        text, style = self._state(one, verdict)
        yield fitted(text, room.state) + " ", style
        yield fitted(safe(known.agent or "?"), room.agent) + " ", ""
        if room.events:
            events = "?" if known.events is None else f"{known.events:,}"
            yield f"{events:>{room.events}} ", ""
        if room.activity:
            yield fitted(self._activity(known, room.activity), room.activity) + " ", "dim"
        if room.trouble:
            yield from _trouble(one, room.trouble)
        if room.verdict:
            style = _VERDICTS.get(verdict.split(" ")[0], "bad")
            yield fitted(verdict, room.verdict), style
        if room.has_goal:
            yield f" {one.error or one.goal}", _STATES[one.state][1] if one.error else ""

    def _state(self, one: Glance, verdict: str) -> Part:
        """The state of a session: what is wrong with it before all else."""
        if one.state:
            return _STATES[one.state]
        if verdict and not verdict.startswith(_SOUND):
            return f"✗ {verdict.lower()}", "bad"
        state, style = _STATES[one.outline.state(self.now)]
        if one.outcomes is not None and one.outcomes.intents:
            return f"{state:<9} {_INTENT}", "warn"
        return state, style

    def _activity(self, known: Outline, room: int) -> str:
        """The time of the last event if it is of today, else its date."""
        last = known.last_activity or ""
        if last[:10] == self.now[:10]:
            return last[11:19]
        return last[:10] if room >= len("2026-11-20") else last[5:10]


def _trouble(one: Glance, room: int) -> Iterable[Part]:
    denials, failures = (None, None) if one.outcomes is None else one.outcomes[:2]
    for count, shape, style in ((denials, "▲", "warn"), (failures, "✗", "bad")):
        text = f"{shape} {count:,}" if count else "" if count == 0 else "?"
        yield fitted(text, room), style if count else "dim"


class _Room(NamedTuple):
    """How wide the columns of the list are; at 0 there is no room for one."""

    id: int
    state: int
    agent: int
    events: int
    activity: int
    trouble: int
    verdict: int
    has_goal: bool = False


def _room_in(columns: int) -> _Room:
    is_wide = columns >= _WITH_LONG_AGENT
    room = _Room(
        # Sessions that begin in the same minute share the first eight digits of their ids.
        id=13 if columns >= _WITH_LONG_ID else 8,
        state=12,
        agent=12 if is_wide else 8,
        events=8 if columns >= _WITH_EVENTS else 0,
        activity=(10 if is_wide else 8) if columns >= _WITH_ACTIVITY else 0,
        trouble=6 if columns >= _WITH_TROUBLE else 0,
        verdict=12 if columns >= _WITH_VERDICT else 0,
    )
    # With the mark, and a space behind each of the first columns.
    taken = 1 + sum(width + 1 for width in room[:5] if width) + 2 * room.trouble + room.verdict
    return room._replace(has_goal=columns - taken >= _LEAST_GOAL)


def heading_of(columns: int) -> str:
    """What stands in the columns of a list of sessions."""
    room = _room_in(columns)
    parts = [f" {'SESSION':<{room.id}} {'STATE':<{room.state}} {'AGENT':<{room.agent}} "]
    if room.events:
        parts.append(f"{'EVENTS':>{room.events}} ")
    if room.activity:
        parts.append(f"{'ACTIVITY':<{room.activity}} ")
    if room.trouble:
        parts.append(f"{'DENY':<{room.trouble}}{'FAIL':<{room.trouble}}")
    if room.verdict:
        parts.append(f"{'VERDICT':<{room.verdict}}")
    return "".join(parts) + (" GOAL" if room.has_goal else "")
