"""The dialogue in which a person says how far a grant goes and why, or why a call is denied."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import replace
from typing import TYPE_CHECKING, ClassVar, Final, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen
from textual.widgets import Input, Static

from cra.amount import duration
from cra.errors import CraError, UsageError
from cra.ledger.source import Source, later, milliseconds_between
from cra.printable import safe
from cra.tui.listing import Listing, Part

if TYPE_CHECKING:
    from cra.runtime.approval import Scope
    from cra.runtime.waiting import FoundApproval

# How often the words below the line are said anew: what 45m comes to moves on.
_TELL_SECONDS: Final = 1.0
_MAX_TYPED: Final = 64
_MAX_COUNT: Final = 9
_EXPECTED: Final = "expected once, 3 times, 45m, 17:30, 3 45m or session"


class Choice(NamedTuple):
    """What can be typed, and what it means."""

    typed: str
    meaning: str


_CHOICES: Final = (
    Choice("once", "one call"),
    Choice("3 times", "three calls"),
    Choice("3 45m", "three calls within 45 minutes"),
    Choice("30m", "any number of times within 30 minutes"),
    Choice("2h", "any number of times within 2 hours"),
    Choice("session", "any number of times in the session"),
    Choice("once *", "one call, whatever its arguments"),
)


class Settled(NamedTuple):
    """What a person decided: None denies."""

    scope: Scope | None
    reason: str


def scope_typed(text: str, found: FoundApproval, now: str) -> Scope:
    """How far a grant goes: how often, until when, or both; `*` is for any arguments.

    Raises UsageError.
    """
    from cra.runtime.grant import moment, scope_of

    any_arguments = "*" in text
    words = text.replace("*", " ").split()
    if not words and not any_arguments:
        raise UsageError(f"{_EXPECTED}, found nothing")
    if any_arguments and _is_critical(found):
        raise UsageError(
            "expected the same arguments for an action of risk tier critical, found * for any"
        )
    first, *rest = words or ["once"]
    times, for_session = None, first == "session"
    if first == "once":
        times = 1
    elif _is_count(first):
        times = int(first)
        rest = rest[1:] if rest[:1] in (["time"], ["times"]) else rest
    elif not for_session:
        rest = words
    end = " ".join(rest)
    until = moment(end, now) if end else None
    if end and until is None:
        raise UsageError(f"{_EXPECTED}, found {end!r:.40}")
    return scope_of(
        found, times=times, until=until, for_session=for_session, any_arguments=any_arguments
    )


def told_of(error: CraError | OSError) -> str:
    """What is wrong, where, and what mends it, as one text that is safe to show."""
    if isinstance(error, OSError):
        return safe(str(error))
    where = f"{error.where}: " if error.where else ""
    fix = f"; {error.fix}" if error.fix else ""
    return safe(f"{where}{error.message}{fix}")


def _is_count(word: str) -> bool:
    return word.isascii() and word.isdecimal() and len(word) <= _MAX_COUNT


def _is_critical(found: FoundApproval) -> bool:
    return bool(found.approval.asked["risk_tier"] == "critical")


class ChoiceList(Listing, can_focus=False):
    """What is often chosen. The line above it has the focus, and the keys that move here."""

    def __init__(self, choices: Iterable[Choice]) -> None:
        super().__init__()
        self.choices = [*choices]

    def on_mount(self) -> None:
        self.styles.height = len(self.choices)
        self.resize_to(len(self.choices))

    def show(self, typed: str) -> None:
        """Have the cursor on what is typed, or nowhere."""
        known = [choice.typed for choice in self.choices]
        self.cursor = known.index(typed) if typed in known else -1
        self.refresh()

    def parts_of(self, row: int, columns: int) -> Iterable[Part]:  # noqa: ARG002
        choice = self.choices[row]
        yield f"  {choice.typed:<9}", "strong"
        yield choice.meaning, ""


class ScopeLine(Input):
    """The line in which somebody types how far a grant goes."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("down", "screen.choose(1)", "Next choice", show=False),
        Binding("up", "screen.choose(-1)", "Choice before", show=False),
    ]


class DecisionScreen(ModalScreen[Settled | None]):
    """How far a grant goes, and why; or why a call is denied."""

    CSS = """
    DecisionScreen { align: center middle; }
    DecisionScreen > * { width: 64; max-width: 100%; background: $surface; }
    DecisionScreen > #title {
        height: 1; padding: 0 1; background: $primary; color: $background; text-style: bold;
    }
    DecisionScreen > .told { height: 1; padding: 0 1; color: $text-primary; }
    DecisionScreen > #meaning { height: auto; min-height: 2; max-height: 4; padding: 0 1; }
    DecisionScreen > #meaning { color: $text-success; }
    DecisionScreen > #meaning.-wrong { color: $text-error; }
    DecisionScreen > Input { height: 1; padding: 0 1; background: $panel; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "cancel", "Decide nothing", show=False),
    ]

    def __init__(self, found: FoundApproval, ttl_seconds: int, *, is_grant: bool) -> None:
        super().__init__()
        self._found = found
        self._ttl_seconds = ttl_seconds
        self._is_grant = is_grant

    def compose(self) -> ComposeResult:
        action = safe(self._found.approval.action_id)
        title = f"Let {action} be done" if self._is_grant else f"Deny {action}"
        yield Static(title, id="title", markup=False)
        if self._is_grant:
            is_free = not _is_critical(self._found)
            yield Static(
                "How far it goes (type, or choose with ↑ ↓):", classes="told", markup=False
            )
            yield ScopeLine("once", compact=True, max_length=_MAX_TYPED)
            yield Static("", id="meaning", markup=False)
            yield ChoiceList(one for one in _CHOICES if is_free or "*" not in one.typed)
        yield Static("Why (kept in the session):", classes="told", markup=False)
        yield Input(compact=True, id="why")
        yield Static("enter decides, tab goes on, escape leaves", classes="told", markup=False)

    def on_mount(self) -> None:
        for line in self.query(Input):
            line.cursor_blink = False
        if self._is_grant:
            self._tell()
            self.set_interval(_TELL_SECONDS, self._tell)

    def _tell(self) -> None:
        """Say what is typed comes to, or what is wrong with it."""
        now = Source().now()
        try:
            words, is_wrong = self._words(now), False
        except UsageError as error:
            words, is_wrong = told_of(error), True
        told = self.query_one("#meaning", Static)
        told.set_class(is_wrong, "-wrong")
        told.update(words)

    def _words(self, now: str) -> str:
        from cra.runtime.grant import words_of

        scope = self._scope(now)
        until = scope.until or later(now, self._ttl_seconds)
        left = duration(milliseconds_between(now, until) * 1000)
        return f"{words_of(replace(scope, until=until), now)} ({left} from now)"

    def _scope(self, now: str) -> Scope:
        return scope_typed(self.query_one(ScopeLine).value, self._found, now)

    def on_input_changed(self, event: Input.Changed) -> None:
        if isinstance(event.input, ScopeLine):
            self.query_one(ChoiceList).show(event.value)
            self._tell()

    def on_listing_moved(self, message: Listing.Moved) -> None:
        message.stop()
        chosen = self.query_one(ChoiceList)
        line = self.query_one(ScopeLine)
        line.value = chosen.choices[chosen.cursor].typed
        line.cursor_position = len(line.value)

    def on_listing_chosen(self, message: Listing.Chosen) -> None:
        message.stop()
        self._conclude()

    def on_input_submitted(self) -> None:
        self._conclude()

    def action_choose(self, step: int) -> None:
        self.query_one(ChoiceList).action_move(step)

    def action_cancel(self) -> None:
        self.dismiss(None)

    def _conclude(self) -> None:
        scope = None
        if self._is_grant:
            try:
                scope = self._scope(Source().now())
            except UsageError:
                self._tell()
                self.query_one(ScopeLine).focus()
                return
        self.dismiss(Settled(scope, self.query_one("#why", Input).value.strip()))
