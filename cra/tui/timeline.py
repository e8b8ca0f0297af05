"""The events of a session, one to a row, however many there are."""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Sequence
from datetime import UTC, datetime
from typing import ClassVar, Final, NamedTuple, TypeAlias

from textual import events
from textual.binding import Binding, BindingType
from textual.message import Message

from cra.amount import duration
from cra.errors import CraError
from cra.tui.listing import Listing, Part, fitted
from cra.tui.source import OpenLog, Row, Tree, folded
from cra.tui.telling import in_words

# A shape beside the colour: nothing is said by colour alone.
_SHAPES: Final = {
    "debug": ("·", "faint"),
    "info": ("•", "dim"),
    "warn": ("▲", "warn"),
    "error": ("✗", "bad"),
    "damaged": ("✗", "bad"),
}
_UNKNOWN: Final = ("?", "dim")
# From how many columns on a row has room for what it can do without.
_WITH_TIME: Final = 48
_WITH_WHOLE_TYPE: Final = 64
_WITH_OUTCOME: Final = 84
_WITH_TOOK: Final = 104
_TYPE_ROOM: Final = 20
_NARROW_TYPE_ROOM: Final = 15
_LEAST_TYPE_ROOM: Final = 12
_OUTCOME_ROOM: Final = 8
_TOOK_ROOM: Final = 8
_CLOCK: Final = slice(11, 19)
_SINCE_ROOM: Final = 9
_MAX_INDENT: Final = 8
# How wide a waterfall is: a share of the row, within bounds.
WITH_BARS: Final = 60
_BAR_SHARE: Final = 4
_BAR_ROOMS: Final = (14, 48)


# What tells them from others, and the rows of hits and of troubles.
_Ticked: TypeAlias = tuple[tuple[int, int, int], Sequence[int], Sequence[int]]


class Stretch(NamedTuple):
    """From when to when, in microseconds."""

    begin: float
    end: float


class Timeline(Listing):
    """Rows of an open log: all, or those that a filter chose, flat or as spans."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Inspect"),
        Binding("space", "mark", "Mark", show=False),
        Binding("m", "next_mark(1)", "Next mark", show=False),
        Binding("M", "next_mark(-1)", "Mark before", show=False),
        Binding("left", "fold(True)", "Close the span", show=False),
        Binding("right", "fold(False)", "Open the span", show=False),
    ]

    class Released(Message):
        """Somebody went up, and does not want to be taken to the end again."""

    empty_text = "no event"

    def __init__(self, *, id: str | None = None) -> None:  # Textual's own name
        super().__init__(id=id)
        self._log: OpenLog | None = None
        # The numbers of the events that are shown; None: all of them.
        self._numbers: Sequence[int] | None = None
        self._version = 0
        self._tree: Tree | None = None
        # The positions that the rows have in the whole tree, and the first events of closed spans.
        self._places: Sequence[int] = ()
        self._shut: set[int] = set()
        self.marks: set[int] = set()
        self.hits: Sequence[int] = ()
        self.troubles: Sequence[int] = ()
        self.is_relative = False
        self.has_bars = False
        # The events of the tree, once somebody looks for one; the rows of hits and troubles in it.
        self._members: frozenset[int] | None = None
        self._ticked: _Ticked = ((0, 0, 0), (), ())
        # The time that the rows in sight take, and which rows these are.
        self._sight: tuple[tuple[int, ...], Stretch] = ((), Stretch(0, 0))

    # What a screen says to it.

    def show(self, log: OpenLog) -> None:
        """Show another log, from its beginning."""
        self._log = log
        self.hits = self.troubles = ()
        self.marks.clear()
        self._shut.clear()
        self.choose_rows(None, None)

    def choose_rows(self, numbers: Sequence[int] | None, tree: Tree | None) -> None:
        """Show these events, near to where the cursor is."""
        here = self.number
        self._version += 1
        self._tree = tree
        self._members = None
        self._numbers = numbers
        self._fold()
        self.go_to(here if here is not None else 0)

    def grow(self, numbers: Sequence[int] | None) -> None:
        """Show the rows that came; those that were there stay as they are. A tree does not grow: it
        is made again."""
        if self._log is not None and self._tree is None:
            self._numbers = numbers
            if numbers is not None:
                self._version += 1
            self.resize_to(self._log.count if numbers is None else len(numbers))

    @property
    def number(self) -> int | None:
        """The number of the event under the cursor."""
        return self._number_at(self.cursor) if 0 <= self.cursor < self.rows else None

    @property
    def has_tree(self) -> bool:
        return self._tree is not None

    @property
    def is_folded(self) -> bool:
        return self._tree is not None and self.rows < len(self._tree.order)

    def to_newest(self) -> None:
        """Put the cursor on the event that was recorded last, wherever a tree has it."""
        if self._tree is not None and self._numbers:
            self.move_to(self._row_of(max(self._numbers)))
        elif self.rows:
            self.move_to(self.rows - 1)

    def go_to(self, number: int) -> None:
        """Put the cursor on an event, or on the next one that is shown, and open the spans that
        hide it."""
        around = self._closed_around(number)
        if around:
            self._shut -= around
            self._version += 1
            self._fold()
        self.move_to(self._row_of(number), middle=True)

    def seek(self, numbers: Sequence[int], step: int) -> bool:
        """Go to the next or the previous one of some events that is shown; whether there is one."""
        here = self.number
        if here is None:
            return False
        at = bisect_left(numbers, here)
        at = at + (at < len(numbers) and numbers[at] == here) if step > 0 else at - 1
        for _ in numbers:
            # From the last one to the first, and back.
            number = numbers[at % len(numbers)]
            if self._is_chosen(number):
                self.go_to(number)
                return True
            at += step
        return False

    # Rows.

    def parts_of(self, row: int, columns: int) -> Iterable[Part]:
        if self._log is None:
            return ()
        try:
            found = self._log.row(row, self._numbers, self._version)
            return self._parts(row, found, columns)
        except (CraError, OSError, IndexError) as error:
            told = in_words(error)
            return [(f"  this row cannot be read: {told}", "bad")]

    def _parts(self, at: int, row: Row, columns: int) -> list[Part]:
        room = max(3, len(str(self._log.count if self._log else 0)))
        shape, style = _SHAPES.get(row.severity, _UNKNOWN)
        is_hit = _holds(self.hits, row.number)
        parts = [
            ("◆" if row.number in self.marks else " ", "accent"),
            (f"{row.number:>{room}} ", "hit" if is_hit else "dim"),
        ]
        if columns >= _WITH_TIME:
            parts.append((self._when(row), "dim"))
        parts.append((f" {shape} ", style))
        kind_room = _TYPE_ROOM if columns >= _WITH_WHOLE_TYPE else _NARROW_TYPE_ROOM
        indent = self._indent(at)
        if indent:
            parts.append((indent, "dim"))
            # Deeper rows take it from the name, so that what follows stays in its column.
            kind_room = max(_LEAST_TYPE_ROOM, kind_room + 4 - len(indent))
        kind = row.event_type.removeprefix("carp.")
        parts.append((fitted(kind, kind_room) + " ", style if style in ("warn", "bad") else ""))
        if columns >= _WITH_OUTCOME:
            parts.append((fitted(row.outcome, _OUTCOME_ROOM) + " ", row.style))
        if self.has_bars and columns >= WITH_BARS:
            parts += self._bar(at, row, columns)
        if columns >= _WITH_TOOK:
            took = duration(row.lasted) if row.lasted else ""
            parts.append((f"{took:>{_TOOK_ROOM}} ", "dim"))
        parts.append((" " + row.summary, "bad" if row.severity == "damaged" else ""))
        return parts

    def _when(self, row: Row) -> str:
        if not self.is_relative or self._log is None:
            return f"{row.time[_CLOCK]:>8}"
        return f"{_since(self._log.row(0).time, row.time):>{_SINCE_ROOM}}"

    # The waterfall: when each row was, among those in sight.

    @property
    def in_sight(self) -> Stretch:
        """From when to when the rows in sight are."""
        top = round(self.scroll_y)
        key = self._version, top, self.size.height, min(self.rows, top + self.size.height)
        if self._sight[0] != key:
            rows = [self._stretch(at) for at in range(top, key[3])]
            seen = [one for one in rows if one is not None]
            low = min((one.begin for one in seen), default=0)
            self._sight = key, Stretch(low, max((one.end for one in seen), default=0))
        return self._sight[1]

    def _stretch(self, at: int) -> Stretch | None:
        """What an event tells of was going on until it was recorded."""
        if self._log is None:
            return None
        try:
            row = self._log.row(at, self._numbers, self._version)
            return Stretch((end := _microseconds(row.time)) - row.lasted, end)
        except (CraError, OSError, IndexError, ValueError):
            return None

    def _bar(self, at: int, row: Row, columns: int) -> list[Part]:
        room = max(_BAR_ROOMS[0], min(columns // _BAR_SHARE, _BAR_ROOMS[1]))
        sight, own = self.in_sight, self._span(at) or self._stretch(at)
        if own is None:
            return [(" " * (room + 1), "")]
        step = max(1, sight.end - sight.begin) / room
        first = max(0, min(int((own.begin - sight.begin) / step), room - 1))
        last = max(first, min(int((own.end - sight.begin) / step), room - 1))
        shape = "━" * (last - first + 1) if own.end > own.begin else "╵"
        return [
            (" " * first, ""),
            (shape, row.style or "dim"),
            (" " * (room - first - len(shape) + 1), ""),
        ]

    def _span(self, at: int) -> Stretch | None:
        """From the first event of a span to the last one, where a row is its first."""
        if self._tree is None or self._log is None:
            return None
        place = self._places[at]
        size = self._tree.sizes.get(place, 1)
        if size < 2:
            return None
        ends = (self._tree.order[place], self._tree.order[place + size - 1])
        try:
            return Stretch(*(_microseconds(self._log.time(number)) for number in ends))
        except (CraError, OSError, ValueError):
            return None

    def _indent(self, at: int) -> str:
        if self._tree is None:
            return ""
        place = self._places[at]
        size = self._tree.sizes.get(place, 1)
        depth = min(self._tree.depths[place], _MAX_INDENT)
        sign = " " if size < 2 else "▸" if self._tree.order[place] in self._shut else "▾"
        return "  " * depth + sign + " "

    def tick_between(self, low: int, high: int) -> str:
        last = min(high, self.rows) - 1
        if self._tree is not None:
            ticks = zip(self._ticks, ("accent", "bad"), strict=True)
            first = low
        else:
            ticks = zip((self.hits, self.troubles), ("accent", "bad"), strict=True)
            first, last = self._number_at(low), self._number_at(last)
        for places, style in ticks:
            at = bisect_left(places, first)
            if at < len(places) and places[at] <= last:
                return style
        return ""

    @property
    def _ticks(self) -> tuple[Sequence[int], Sequence[int]]:
        """The rows of the hits, and those of the troubles, where a tree orders them."""
        key = self._version, len(self.hits), len(self.troubles)
        if self._ticked[0] != key:
            numbers = self._numbers or ()
            hits, troubles = set(self.hits), set(self.troubles)
            self._ticked = (
                key,
                [row for row, number in enumerate(numbers) if number in hits],
                [row for row, number in enumerate(numbers) if number in troubles],
            )
        return self._ticked[1:]

    def _number_at(self, row: int) -> int:
        return row if self._numbers is None else int(self._numbers[row])

    def _row_of(self, number: int) -> int:
        if self._numbers is None:
            return number
        if self._tree is None:
            return min(bisect_left(self._numbers, number), max(0, len(self._numbers) - 1))
        try:
            return self._numbers.index(number)
        except ValueError:
            pass  # it is in a span that is closed, or not shown
        nearest = min(self._numbers, key=lambda one: abs(one - number), default=None)
        return 0 if nearest is None else self._numbers.index(nearest)

    def _is_chosen(self, number: int) -> bool:
        """Whether an event is among those that are shown, if only in a span that is closed."""
        if self._tree is not None:
            if self._members is None:
                self._members = frozenset(self._tree.order)
            return number in self._members
        return self._numbers is None or _holds(self._numbers, number)

    def _closed_around(self, number: int) -> set[int]:
        """The spans that hide an event because they are closed, each by its first one."""
        if self._tree is None or not self._shut or not self._is_chosen(number):
            return set()
        order, place = self._tree.order, self._tree.order.index(number)
        return {
            order[at]
            for at, size in self._tree.sizes.items()
            if at < place < at + size and order[at] in self._shut
        }

    def _fold(self) -> None:
        if self._log is None:
            return
        if self._tree is not None:
            self._numbers, self._places = folded(self._tree, self._shut)
        self.resize_to(self._log.count if self._numbers is None else len(self._numbers))

    # Keys.

    def action_mark(self) -> None:
        number = self.number
        if number is not None:
            self.marks ^= {number}
            self.action_move(1)

    def action_next_mark(self, step: int) -> None:
        if not self.seek(sorted(self.marks), step):
            told = (
                "no marked event is shown" if self.marks else "no event is marked: space marks one"
            )
            self.notify(told, severity="warning")

    def action_fold(self, is_shut: bool) -> None:  # a key's own argument
        number = self.number
        if self._tree is None or number is None:
            self.notify("t shows spans as a tree, which left and right close and open")
            return
        head = self._head_of(self._places[self.cursor]) if is_shut else number
        self._shut = self._shut | {head} if is_shut else self._shut - {head}
        self._version += 1
        self._fold()
        self.go_to(head)

    def _head_of(self, place: int) -> int:
        """The first event of the innermost span around a place in the tree."""
        assert self._tree is not None
        sizes = self._tree.sizes
        around = [at for at, size in sizes.items() if at <= place < at + size and size > 1]
        return int(self._tree.order[max(around, default=place)])

    def action_move(self, count: int) -> None:
        super().action_move(count)
        if count < 0:
            self.post_message(self.Released())

    def action_page(self, share: float) -> None:
        super().action_page(share)
        if share < 0:
            self.post_message(self.Released())

    def action_first(self) -> None:
        super().action_first()
        self.post_message(self.Released())

    def on_mouse_scroll_up(self, _: events.MouseScrollUp) -> None:
        self.post_message(self.Released())


def _holds(numbers: Sequence[int], number: int) -> bool:
    at = bisect_left(numbers, number)
    return at < len(numbers) and numbers[at] == number


def _since(start: str, moment: str) -> str:
    """How long after the first event, in seconds or in what is longer."""
    try:
        passed = datetime.fromisoformat(moment) - datetime.fromisoformat(start)
    except ValueError:
        return "?"
    seconds = passed.total_seconds()
    if seconds < 600:
        return f"+{seconds:.3f}"
    hours, rest = divmod(int(seconds), 3600)
    return f"+{hours}:{rest // 60:02}:{rest % 60:02}" if hours < 100 else f"+{hours // 24} d"


def _microseconds(moment: str) -> float:
    """A time as microseconds. Raises ValueError."""
    return datetime.fromisoformat(moment).replace(tzinfo=UTC).timestamp() * 1e6
