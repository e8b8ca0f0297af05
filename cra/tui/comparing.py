"""Two traces side by side where they differ."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from itertools import islice, zip_longest
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Static

from cra.errors import CraError
from cra.printable import safe
from cra.replay.compare import TraceDifference, compare
from cra.replay.differing import (
    MARKS,
    Compared,
    compare_with,
    steps_around,
    tally,
    text_of,
)
from cra.replay.reading import Trace
from cra.tui.listing import Listing, Page, Part, fitted, wrapped
from cra.tui.telling import in_words

if TYPE_CHECKING:
    from cra.tui.app import TraceApp

STYLES: Final = {"breaking": "bad", "minor": "warn"}
_VERDICTS: Final = {"breaking": "$text-error", "minor": "$text-warning"}
_MAX_LINES: Final = 400
# Of a value that stands among others.
_FEW_LINES: Final = 12
_SIDE_BY_SIDE: Final = 60
# What the two traces are called where one of them is a golden.
_GOLDEN_AND_NOW: Final = ("golden", "now")


def compare_sessions(one: Path, other: Path) -> Compared:
    """Two sessions, as `cra trace diff` compares them. Raises CraError."""
    with Trace(one) as golden, Trace(other) as found:
        return Compared(one, other, compare(golden, found))


def compare_golden(golden: Path, session: Path) -> Callable[[], Compared]:
    """What holds a session against a golden."""
    return lambda: compare_with(golden, session)


def sides_of(
    one: TraceDifference, golden: Path, columns: int, names: tuple[str, str] = _GOLDEN_AND_NOW
) -> list[list[Part]]:
    """A difference with what is before and after it, the golden on the left."""
    with Trace(golden) as trace:
        before, after = steps_around(one, trace)
    lines: list[list[Part]] = [
        [(f"{MARKS[one.type]} {one.significance}  ", STYLES[one.significance]), (part, "strong")]
        if not at
        else [(part, "strong")]
        for at, part in enumerate(wrapped(safe(one.told), columns - 14))
    ]
    lines += [[(part, "dim")] for part in wrapped(safe(one.path), columns)]
    if one.policy_id is not None:
        lines.append([("decided by ", "dim"), (safe(one.policy_id), "accent")])
    lines.append([("", "")])
    number = len(str(max([0, *(at for at, _ in [*before, *after]), one.golden or 0])))
    if columns >= _SIDE_BY_SIDE:
        half = (columns - number - 6) // 2
        lines.append(
            [
                (" " * (number + 3) + fitted(safe(names[0]), half), "accent"),
                (f" │ {safe(names[1])}", "accent"),
            ]
        )
        for at, words in before:
            lines += _pair(str(at), " ", (words, words), (number, half), "dim")
        lines += _pair(*_own(one), (number, half), STYLES[one.significance])
        for at, words in after:
            lines += _pair(str(at), " ", (words, "…"), (number, half), "dim")
        return lines
    return [*lines, *_stacked(_own(one)[2], columns, _MAX_LINES, names)]


def values_of(one: TraceDifference, columns: int) -> list[list[Part]]:
    """The two values of a difference, as far as a few lines hold them."""
    texts = _own(one)[2]
    if not any(texts):
        return []
    shape = _side_by_side if columns >= _SIDE_BY_SIDE else _stacked
    lines = [*shape(texts, columns, _FEW_LINES + 1)]
    return [*lines[:_FEW_LINES], [("…", "dim")]] if len(lines) > _FEW_LINES else lines


def _own(one: TraceDifference) -> tuple[str, str, tuple[str, str]]:
    number = "" if one.golden is None else str(one.golden)
    before = text_of(one.before) if one.type != "inserted" else ""
    after = text_of(one.after) if one.type != "removed" else ""
    return number, MARKS[one.type], (before, after)


def _pair(
    number: str, mark: str, texts: tuple[str, str], room: tuple[int, int], style: str
) -> Iterable[list[Part]]:
    for at, parts in enumerate(_side_by_side(texts, 2 * room[1] + 3, _MAX_LINES)):
        yield [(f"{number if at == 0 else '':>{room[0]}} {mark} ", style), *parts]


def _side_by_side(texts: tuple[str, str], columns: int, most: int) -> Iterable[list[Part]]:
    half = (columns - 3) // 2
    left, right = ([*islice(_pieces(text, half), most)] for text in texts)
    for one, other in zip_longest(left, right, fillvalue=""):
        style = "" if one != other else "dim"
        yield [(fitted(one, half), style), (" │ ", "faint"), (other, style)]


def _stacked(
    texts: tuple[str, str], columns: int, most: int, names: tuple[str, str] = _GOLDEN_AND_NOW
) -> Iterable[list[Part]]:
    for name, text in zip(names, texts, strict=True):
        yield [(safe(name), "accent")]
        for piece in islice(_pieces(text, columns - 2), most):
            yield [("  " + piece, "")]


def _pieces(text: str, columns: int) -> Iterator[str]:
    """The lines of a text; one that is broken goes on below where it began."""
    for line in text.split("\n"):
        words = safe(line).lstrip(" ")
        indent = " " * min(len(line) - len(line.lstrip(" ")), columns // 2)
        yield from (indent + piece for piece in wrapped(words, columns - len(indent)))


class DifferenceList(Listing):
    """The rows of differences."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Open the event")]
    empty_text = "comparing …"

    def __init__(self, *, id: str | None = None) -> None:  # Textual's own name
        super().__init__(id=id)
        self.differences: list[TraceDifference] = []

    def parts_of(self, row: int, columns: int) -> Iterable[Part]:  # noqa: ARG002
        one = self.differences[row]
        places = [f"{'' if at is None else at:>6}" for at in (one.golden, one.found)]
        yield f" {MARKS[one.type]} ", STYLES[one.significance]
        yield fitted(one.significance, 9), STYLES[one.significance]
        yield " ".join(places) + "  ", "dim"
        yield ("↳ " if one.follows else "") + safe(one.told), "dim" if one.follows else ""


class Differing(Message):
    """What a comparison came to, or why there is none."""

    def __init__(self, compared: Compared | None, wrong: str) -> None:
        super().__init__()
        self.compared = compared
        self.wrong = wrong


class DifferencesScreen(Screen[None]):
    """The differences of two traces, one of them at a time in full."""

    app: TraceApp

    CSS = """
    DifferencesScreen > DifferenceList { height: 40%; }
    DifferencesScreen > Page { height: 1fr; border-top: solid $foreground 20%; }
    """
    AUTO_FOCUS = "DifferenceList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "next(1)", "Next"),
        Binding("p", "next(-1)", "Before"),
        Binding("x", "following", "Those that follow"),
        Binding("q,escape", "app.leave", "Back"),
        Binding("tab,shift+tab", "app.focus_next", "To the other pane", show=False),
    ]

    def __init__(
        self,
        title: str,
        work: Callable[[], Compared],
        names: tuple[str, str] = _GOLDEN_AND_NOW,
    ) -> None:
        super().__init__()
        self._title_text = title
        self._names = names
        self._work = work
        self._compared: Compared | None = None
        self._has_following = False

    def compose(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        yield DifferenceList()
        yield Page()
        yield Static("", id="status", markup=False)
        yield Footer(show_command_palette=False)

    @property
    def _list(self) -> DifferenceList:
        return self.query_one(DifferenceList)

    def on_mount(self) -> None:
        head = [("cra trace  ", "bold $text-primary"), (safe(self._title_text), "bold")]
        self.query_one("#head", Static).update(Content.assemble(*head))

        def work() -> None:
            try:
                self.post_message(Differing(self._work(), ""))
            except (CraError, OSError) as error:
                self.post_message(Differing(None, in_words(error)))

        self.run_worker(work, group="compare", thread=True)

    def on_differing(self, message: Differing) -> None:
        self._compared = message.compared
        self._list.empty_text = message.wrong or "nothing differs"
        self._arrange()

    def _arrange(self) -> None:
        if self._compared is None:
            self._list.refresh()
            return
        found = self._compared.comparison.differences
        self._list.differences = [one for one in found if self._has_following or not one.follows]
        self._list.resize_to(len(self._list.differences))
        self._list.move_to(self._list.cursor)
        self._tell()

    def _tell(self) -> None:
        assert self._compared is not None
        done = self._compared.comparison
        words = done.compatibility.replace("_", " ")
        style = _VERDICTS.get(done.compatibility, "$text-success")
        parts = [(words, f"bold {style}")]
        if done.differences:
            parts.append((f"  {tally(done.differences)}", ""))
        parts.append((f"  {done.golden_events:,} and {done.found_events:,} events", "dim"))
        self.query_one("#status", Static).update(Content.assemble(*parts))

    def on_listing_moved(self) -> None:
        self._show()

    def on_resize(self) -> None:
        self._show()

    def _show(self) -> None:
        shown, compared = self._list, self._compared
        page = self.query_one(Page)
        if compared is None or shown.cursor >= len(shown.differences):
            page.write([])
            return
        one = shown.differences[shown.cursor]
        try:
            lines = sides_of(one, compared.golden, self.app.size.width - 3, self._names)
        except (CraError, OSError) as error:
            lines = [[(in_words(error), "bad")]]
        page.write([[(" ", ""), *line] for line in lines])

    def action_next(self, step: int) -> None:
        shown = self._list
        if shown.rows:
            shown.move_to((shown.cursor + step) % shown.rows)

    def action_following(self) -> None:
        self._has_following = not self._has_following
        self._arrange()

    def on_listing_chosen(self, message: Listing.Chosen) -> None:
        shown, compared = self._list, self._compared
        if message.listing is not shown or compared is None or not shown.rows:
            return
        if self.app.screen is not self:
            return
        one = shown.differences[shown.cursor]
        if one.found is not None:
            self.app.read(compared.found, at=one.found)
        elif one.golden is not None:
            self.app.read(compared.golden, at=one.golden)
