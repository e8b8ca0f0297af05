"""Two traces side by side where they differ, and goldens whose differences wait for a word."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import ModalScreen, Screen
from textual.widgets import Footer, Static

from cra.amount import counted
from cra.errors import CraError
from cra.printable import safe
from cra.replay.compare import TraceDifference, compare
from cra.replay.differing import (
    MARKS,
    Compared,
    compare_pending,
    compare_with,
    golden_of,
    steps_around,
    tally,
    text_of,
)
from cra.replay.reading import Trace
from cra.replay.writing import accept, all_pending, reject
from cra.tui.listing import Listing, Page, Part, fitted, wrapped

if TYPE_CHECKING:
    from cra.tui.app import TraceApp

_STYLES: Final = {"breaking": "bad", "minor": "warn"}
_VERDICTS: Final = {"breaking": "$text-error", "minor": "$text-warning"}
_MAX_LINES: Final = 400
_SIDE_BY_SIDE: Final = 60


def compare_sessions(one: Path, other: Path) -> Compared:
    """Two sessions, as `cra trace diff` compares them. Raises CraError."""
    with Trace(one) as golden, Trace(other) as found:
        return Compared(one, other, compare(golden, found))


def sides_of(one: TraceDifference, golden: Path, columns: int) -> list[list[Part]]:
    """A difference with what is before and after it, the golden on the left."""
    with Trace(golden) as trace:
        before, after = steps_around(one, trace)
    lines: list[list[Part]] = [
        [(f"{MARKS[one.type]} {one.significance}  ", _STYLES[one.significance]), (part, "strong")]
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
            [(" " * (number + 3) + fitted("golden", half), "accent"), (" │ now", "accent")]
        )
        for at, words in before:
            lines += _pair(str(at), " ", (words, words), (number, half), "dim")
        lines += _pair(*_own(one), (number, half), _STYLES[one.significance])
        for at, words in after:
            lines += _pair(str(at), " ", (words, "…"), (number, half), "dim")
        return lines
    _, _, (old, new) = _own(one)
    for title, text in (("golden", old), ("now", new)):
        lines.append([(title, "accent")])
        lines += [
            [("  " + part, "")]
            for line in text.split("\n")
            for part in wrapped(safe(line), columns - 2)
        ]
    return lines


def _own(one: TraceDifference) -> tuple[str, str, tuple[str, str]]:
    number = "" if one.golden is None else str(one.golden)
    before = text_of(one.before) if one.type != "inserted" else ""
    after = text_of(one.after) if one.type != "removed" else ""
    return number, MARKS[one.type], (before, after)


def _pair(
    number: str, mark: str, texts: tuple[str, str], room: tuple[int, int], style: str
) -> Iterable[list[Part]]:
    left, right = (
        [part for line in text.split("\n") for part in wrapped(safe(line), room[1])]
        for text in texts
    )
    for at in range(min(_MAX_LINES, max(len(left), len(right)))):
        one = left[at] if at < len(left) else ""
        other = right[at] if at < len(right) else ""
        first = number if at == 0 else ""
        is_other = one != other
        yield [
            (f"{first:>{room[0]}} {mark} ", style),
            (fitted(one, room[1]), "" if is_other else "dim"),
            (" │ ", "faint"),
            (other, "" if is_other else "dim"),
        ]


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
        yield f" {MARKS[one.type]} ", _STYLES[one.significance]
        yield fitted(one.significance, 9), _STYLES[one.significance]
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
    DifferencesScreen > #head { height: 1; padding: 0 1; background: $surface; }
    DifferencesScreen > DifferenceList { height: 40%; }
    DifferencesScreen > Page { height: 1fr; border-top: solid $foreground 20%; }
    DifferencesScreen > #status { height: 1; padding: 0 1; background: $surface; }
    """
    AUTO_FOCUS = "DifferenceList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("n", "next(1)", "Next"),
        Binding("p", "next(-1)", "Before"),
        Binding("x", "following", "Those that follow"),
        Binding("q,escape", "app.leave", "Back"),
    ]

    def __init__(self, title: str, work: Callable[[], Compared]) -> None:
        super().__init__()
        self._title_text = title
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
                self.post_message(Differing(None, safe(str(error).split("\n")[0])))

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
            lines = sides_of(one, compared.golden, self.app.size.width - 3)
        except (CraError, OSError) as error:
            lines = [[(safe(str(error).split("\n")[0]), "bad")]]
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
        one = shown.differences[shown.cursor]
        if one.found is not None:
            self.app.read(compared.found, at=one.found)
        elif one.golden is not None:
            self.app.read(compared.golden, at=one.golden)


# Goldens.


class PendingList(Listing):
    """The rows of goldens with a difference that waits."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Show what differs")]
    empty_text = "looking …"

    def __init__(self, *, id: str | None = None) -> None:  # Textual's own name
        super().__init__(id=id)
        self.pending: list[tuple[Path, str, str]] = []

    def parts_of(self, row: int, columns: int) -> Iterable[Part]:  # noqa: ARG002
        path, verdict, told = self.pending[row]
        yield " " + fitted(safe(golden_of(path).name), 28) + " ", "strong"
        yield fitted(verdict.replace("_", " "), 16), _STYLES.get(verdict, "")
        yield told, ""


class PickScreen(ModalScreen[Path | None]):
    """One of several paths by its name."""

    CSS = """
    PickScreen { align: center middle; }
    PickScreen > * { width: 60; max-width: 100%; background: $surface; }
    PickScreen > #title {
        height: 1; padding: 0 1; background: $primary; color: $background; text-style: bold;
    }
    PickScreen > Page { height: auto; max-height: 60%; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q", "cancel", "Choose none", show=False)
    ]

    def __init__(self, title: str, paths: list[Path]) -> None:
        super().__init__()
        self._title_text = title
        self._paths = paths

    def compose(self) -> ComposeResult:
        yield Static(self._title_text, id="title", markup=False)
        yield Page([[("  " + safe(path.name), "")] for path in self._paths])

    def on_mount(self) -> None:
        self.query_one(Page).styles.height = min(len(self._paths), 16)

    def on_listing_chosen(self, message: Listing.Chosen) -> None:
        message.stop()
        self.dismiss(self._paths[self.query_one(Page).cursor])

    def action_cancel(self) -> None:
        self.dismiss(None)


class ConfirmScreen(ModalScreen[bool]):
    """A question that y answers with yes, and anything else that closes it with no."""

    CSS = """
    ConfirmScreen { align: center middle; }
    ConfirmScreen > Static {
        width: auto; max-width: 90%; padding: 1 3; background: $surface;
        border: solid $warning;
    }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("y", "answer(True)", "Yes", show=False),
        Binding("n,escape,q", "answer(False)", "No", show=False),
    ]

    def __init__(self, question: str) -> None:
        super().__init__()
        self._question = question

    def compose(self) -> ComposeResult:
        yield Static(Content(f"{self._question}  [y] yes  [n] no"))

    def action_answer(self, is_yes: bool) -> None:  # a key's own argument
        self.dismiss(is_yes)


class Pending(Message):
    def __init__(self, found: list[tuple[Path, str, str]]) -> None:
        super().__init__()
        self.found = found


class ReviewScreen(Screen[None]):
    """What a replay found otherwise, until somebody accepts or rejects it."""

    app: TraceApp

    CSS = """
    ReviewScreen > #head { height: 1; padding: 0 1; background: $surface; }
    ReviewScreen > PendingList { height: 1fr; }
    ReviewScreen > #status { height: 1; padding: 0 1; background: $surface; }
    """
    AUTO_FOCUS = "PendingList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("a", "accept", "Accept"),
        Binding("r", "reject", "Reject"),
        Binding("q,escape", "app.leave", "Back"),
    ]

    def __init__(self, goldens: Path) -> None:
        super().__init__()
        self._goldens = goldens
        self._is_told = ""

    def compose(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        yield PendingList()
        yield Static("", id="status", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        head = [("cra trace  ", "bold $text-primary"), ("goldens that wait for a word", "bold")]
        self.query_one("#head", Static).update(Content.assemble(*head))

    @property
    def _list(self) -> PendingList:
        return self.query_one(PendingList)

    def on_screen_resume(self) -> None:
        self._look()

    def _look(self) -> None:
        goldens = self._goldens

        def work() -> None:
            self.post_message(Pending([_judged_pending(path) for path in all_pending(goldens)]))

        self.run_worker(work, group="pending", exclusive=True, thread=True)

    def on_pending(self, message: Pending) -> None:
        shown = self._list
        shown.pending = message.found
        shown.empty_text = "nothing waits: cra replay writes what differs"
        shown.resize_to(len(message.found))
        words = counted(len(message.found), "golden waits", "goldens wait")
        parts = [(words, "bold"), (f"  {self._is_told}", "$text-success")]
        self.query_one("#status", Static).update(Content.assemble(*parts))

    @property
    def _chosen(self) -> Path | None:
        shown = self._list
        return shown.pending[shown.cursor][0] if shown.cursor < len(shown.pending) else None

    def on_listing_chosen(self, message: Listing.Chosen) -> None:
        message.stop()
        path = self._chosen
        if path is not None:
            title = f"{golden_of(path).name}: the golden, and what a replay found"
            self.app.push_screen(DifferencesScreen(title, lambda: compare_pending(path)))

    def action_accept(self) -> None:
        self._settle("Accept", "accepted", accept)

    def action_reject(self) -> None:
        self._settle("Reject", "rejected", reject)

    def _settle(self, what: str, done: str, act: Callable[[Path], object]) -> None:
        path = self._chosen
        if path is None:
            self.notify("nothing waits")
            return
        name = safe(golden_of(path).name)

        def take(is_yes: bool | None) -> None:
            if not is_yes:
                return
            try:
                act(path)
            except (CraError, OSError) as error:
                self.notify(safe(str(error).split("\n")[0]), severity="error")
            else:
                self._is_told = f"{name} {done}"
            self._look()

        self.app.push_screen(ConfirmScreen(f"{what} what was found for {name}?"), take)


def _judged_pending(path: Path) -> tuple[Path, str, str]:
    try:
        done = compare_pending(path).comparison
    except (CraError, OSError) as error:
        return path, "unreadable", safe(str(error).split("\n")[0])
    return path, done.compatibility, tally(done.differences)


def compare_golden(golden: Path, session: Path) -> Callable[[], Compared]:
    """What holds a session against a golden."""
    return lambda: compare_with(golden, session)
