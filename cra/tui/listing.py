"""A list of any length that draws the rows which are seen: nothing holds the others."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import ClassVar, Final, TypeAlias

from rich.cells import cell_len, set_cell_size
from rich.segment import Segment
from rich.style import Style
from textual import events
from textual.binding import Binding, BindingType
from textual.geometry import Size
from textual.message import Message
from textual.scroll_view import ScrollView
from textual.strip import Strip

# Text with one of the styles of `Listing`.
Part: TypeAlias = tuple[str, str]

_TRACK: Final = "│"
_THUMB: Final = "┃"
_TICK: Final = "━"


def fitted(text: str, columns: int) -> str:
    """Text in exactly so many columns; what is cut off leaves `…`."""
    if cell_len(text) <= columns:
        return set_cell_size(text, columns)
    return set_cell_size(text, columns - 1) + "…" if columns > 0 else ""


def strip_of(parts: Iterable[Part], columns: int, styles: dict[str, Style]) -> Strip:
    """Parts side by side in so many columns; the last one that does not fit is cut."""
    segments, room = [], columns
    for text, style in parts:
        taken = min(cell_len(text), room)
        segments.append(Segment(fitted(text, taken), styles.get(style)))
        room -= taken
        if room == 0:
            break
    return Strip([*segments, Segment(" " * room)], columns)


class Listing(ScrollView, can_focus=True):
    """Rows with a cursor. Who derives from it says how many there are and draws one of them."""

    COMPONENT_CLASSES: ClassVar[set[str]] = {
        "listing--accent",
        "listing--bad",
        "listing--cursor",
        "listing--dim",
        "listing--faint",
        "listing--good",
        "listing--hit",
        "listing--strong",
        "listing--warn",
    }
    DEFAULT_CSS = """
    Listing {
        scrollbar-size: 0 0;
        overflow-x: hidden;
        background: $background;
        color: $foreground;
    }
    Listing > .listing--accent { color: $text-primary; }
    Listing > .listing--bad { color: $text-error; }
    Listing > .listing--good { color: $text-success; }
    Listing > .listing--warn { color: $text-warning; }
    Listing > .listing--dim { color: $foreground 65%; }
    Listing > .listing--faint { color: $foreground 30%; }
    Listing > .listing--strong { text-style: bold; }
    Listing > .listing--hit { color: $text-accent; text-style: bold; }
    Listing > .listing--cursor { background: $foreground 12%; }
    Listing:focus > .listing--cursor {
        background: $primary 35%;
        text-style: bold;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down,j", "move(1)", "Down", show=False),
        Binding("up,k", "move(-1)", "Up", show=False),
        Binding("pagedown", "page(1)", "A page down", show=False),
        Binding("pageup", "page(-1)", "A page up", show=False),
        Binding("ctrl+d", "page(0.5)", "Half a page down", show=False),
        Binding("ctrl+u", "page(-0.5)", "Half a page up", show=False),
        Binding("home,g", "first", "To the first", show=False),
        Binding("end,G", "last", "To the last", show=False),
        Binding("enter", "choose", "Open", show=False),
    ]

    class Moved(Message):
        """The cursor stands on another row, or this row is another one."""

        def __init__(self, listing: Listing) -> None:
            super().__init__()
            self.listing = listing

        @property
        def control(self) -> Listing:
            return self.listing

    class Chosen(Message):
        """Somebody wants to go into the row under the cursor."""

        def __init__(self, listing: Listing) -> None:
            super().__init__()
            self.listing = listing

        @property
        def control(self) -> Listing:
            return self.listing

    empty_text = ""

    def __init__(self, *, id: str | None = None) -> None:  # Textual's own name
        super().__init__(id=id)
        self.cursor = 0
        self.rows = 0
        self._drawn_styles: dict[str, Style] | None = None

    # What derived lists say.

    def parts_of(self, row: int, columns: int) -> Iterable[Part]:
        """What stands in a row."""
        raise NotImplementedError

    def ticks(self) -> Sequence[tuple[int, str]]:
        """Rows that show on the right edge, each with a style; later ones cover earlier ones."""
        return ()

    # What others call.

    def resize_to(self, rows: int) -> None:
        """Have so many rows from now on, the first of which are as they were."""
        if rows != self.rows:
            self.rows = rows
            self.virtual_size = Size(self.size.width, rows)
            self.cursor = max(0, min(self.cursor, rows - 1))
        self.refresh()

    def move_to(self, row: int, *, middle: bool = False) -> None:
        """Put the cursor on a row and show it."""
        self.cursor = max(0, min(row, self.rows - 1))
        height = max(1, self.size.height)
        top = round(self.scroll_y)
        if self.cursor < top or self.cursor >= top + height:
            if middle:
                top = self.cursor - height // 2
            else:
                top = self.cursor if self.cursor < top else self.cursor - height + 1
            self.scroll_to(y=top, animate=False, force=True)
        self.refresh()
        self.post_message(self.Moved(self))

    # What Textual calls.

    def render_line(self, y: int) -> Strip:
        width, row = self.size.width, y + round(self.scroll_y)
        styles = self._styles()
        base = styles["base"]
        if self.rows == 0:
            text = self.empty_text if y == min(1, self.size.height - 1) else ""
            return strip_of([(f"  {text}", "dim")], width, styles).apply_style(base)
        edge = self._edge(y, styles)
        if row >= self.rows:
            return Strip.join([Strip.blank(width - 1), edge]).apply_style(base)
        strip = strip_of(self.parts_of(row, width - 1), width - 1, styles)
        if row == self.cursor:
            strip = strip.apply_style(styles["cursor"])
        return Strip.join([strip, edge]).apply_style(base)

    def notify_style_update(self) -> None:
        super().notify_style_update()
        self._drawn_styles = None

    def _styles(self) -> dict[str, Style]:
        """The styles of the theme, without the background of those that state none, and the base of
        them all."""
        known = self._drawn_styles
        if known is None:
            known = self._drawn_styles = {
                name.removeprefix("listing--"): self._style(name)
                for name in Listing.COMPONENT_CLASSES
            }
            known["base"] = self.rich_style
        return known

    def _style(self, name: str) -> Style:
        # Only a whole style has its colours mixed with what is below them.
        whole = self.get_component_rich_style(name)
        stated = self.get_component_rich_style(name, partial=True)
        return Style(
            color=whole.color if stated.color else None,
            bgcolor=whole.bgcolor if stated.bgcolor else None,
            bold=stated.bold,
        )

    def _edge(self, y: int, styles: dict[str, Style]) -> Strip:
        """The right edge: where in the list one is, and where in it something is."""
        height = max(1, self.size.height)
        low, high = y * self.rows // height, (y + 1) * self.rows // height
        found = self.tick_between(low, max(high, low + 1)) if self.rows > height else ""
        if found:
            return Strip([Segment(_TICK, styles[found])], 1)
        if self.rows <= height:
            return Strip([Segment(" ")], 1)
        top = round(self.scroll_y)
        is_seen = low < top + height and high > top
        shape = Segment(_THUMB, styles["dim"]) if is_seen else Segment(_TRACK, styles["faint"])
        return Strip([shape], 1)

    def tick_between(self, low: int, high: int) -> str:
        """The style of what there is to see between two rows; none if there is nothing."""
        return next((style for row, style in self.ticks() if low <= row < high), "")

    def on_resize(self) -> None:
        self.virtual_size = Size(self.size.width, self.rows)
        self.call_after_refresh(self._keep_in_sight)

    def _keep_in_sight(self) -> None:
        top, height = round(self.scroll_y), max(1, self.size.height)
        if self.rows and not top <= self.cursor < top + height:
            self.scroll_to(y=self.cursor - height // 2, animate=False, force=True)

    def on_click(self, event: events.Click) -> None:
        place = event.get_content_offset(self)
        if place is None or self.rows == 0:
            return
        if place.x >= self.size.width - 1:
            self.move_to(place.y * self.rows // max(1, self.size.height), middle=True)
            return
        row = place.y + round(self.scroll_y)
        if row < self.rows:
            self.move_to(row)
            if event.chain > 1:
                self.post_message(self.Chosen(self))

    def action_move(self, count: int) -> None:
        self.move_to(self.cursor + count)

    def action_page(self, share: float) -> None:
        self.move_to(self.cursor + round(share * max(2, self.size.height - 1)))

    def action_first(self) -> None:
        self.move_to(0)

    def action_last(self) -> None:
        self.move_to(self.rows - 1)

    def action_choose(self) -> None:
        if self.rows:
            self.post_message(self.Chosen(self))


class Page(Listing):
    """Lines that are known: read from the top to the bottom."""

    def __init__(
        self,
        lines: Iterable[Sequence[Part]] = (),
        *,
        id: str | None = None,  # Textual's own name
    ) -> None:
        super().__init__(id=id)
        self._written = [*lines]

    def on_mount(self) -> None:
        self.resize_to(len(self._written))

    def write(self, lines: Iterable[Sequence[Part]]) -> None:
        """Have these lines from now on."""
        self._written = [*lines]
        self.cursor = 0
        self.scroll_to(y=0, animate=False, force=True)
        self.resize_to(len(self._written))

    def parts_of(self, row: int, columns: int) -> Iterable[Part]:  # noqa: ARG002
        return self._written[row]


def wrapped(text: str, columns: int) -> list[str]:
    """A safe text in pieces of so many columns, broken at spaces where there are some."""
    pieces, rest = [], text
    while cell_len(rest) > columns:
        end = columns if rest.isascii() else _end_of(rest, columns)
        space = rest.rfind(" ", end // 2, end + 1)
        end = space + 1 if space > 0 else end
        pieces.append(rest[:end].rstrip(" "))
        rest = rest[end:]
    return [*pieces, rest]


def _end_of(text: str, columns: int) -> int:
    taken = 0
    for at, char in enumerate(text):
        taken += cell_len(char)
        if taken > columns:
            return max(1, at)
    return len(text)
