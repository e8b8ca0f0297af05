"""One session on the screen: its events, the one that is chosen, and how far it can be trusted."""

from __future__ import annotations

import os
from bisect import bisect_left
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal
from textual.content import Content
from textual.timer import Timer
from textual.widgets import Footer, Static

from cra.amount import counted, duration
from cra.errors import CraError, FilterError, IntegrityError
from cra.ledger.filter import every, mentioning, parse
from cra.ledger.index import session_id_of
from cra.ledger.source import Source
from cra.printable import safe
from cra.tui.background import (
    Background,
    Grown,
    Judged,
    Linked,
    LogOpened,
    Ordered,
    Placed,
    Scan,
    Scanned,
    Undone,
    Verifying,
)
from cra.tui.inspector import Beside, Inspector, command_of
from cra.tui.listing import Listing
from cra.tui.narrowing import KINDS, Narrowing, Quick, completed, of_action, of_span
from cra.tui.prompt import Prompt, PromptedScreen
from cra.tui.source import MAX_TREE, OpenLog, number_at
from cra.tui.telling import Told, Trusted, head_of, hits_of, in_words, place_in
from cra.tui.timeline import WITH_BARS, Timeline

if TYPE_CHECKING:
    from cra.ledger.chain import Event
    from cra.tui.app import TraceApp

_POLL_SECONDS: Final = 0.1
_TYPING_SECONDS: Final = 0.12
_LINKS_SECONDS: Final = 0.15
# How long after the file has grown it is verified again.
_VERIFY_SECONDS: Final = 1.5
# A tree is made again as the file grows, but most of the time is for other things.
_ORDER_SECONDS: Final = 0.3
_ORDER_SHARE: Final = 8
# From how many columns on the inspector stands beside the events, and from how many lines below.
_SIDE_BY_SIDE: Final = 110
_HIGH: Final = 34
_NARROW: Final = 70
_TROUBLE: Final = "severity:warn"
_MAX_LINK_KEYS: Final = 9


class ReaderScreen(PromptedScreen):
    """The events of a session, with an inspector."""

    app: TraceApp

    CSS = """
    ReaderScreen > #alarm {
        height: auto; max-height: 3; padding: 0 1; display: none;
        background: $error; color: $background; text-style: bold;
    }
    ReaderScreen > #alarm.-raised { display: block; }
    ReaderScreen > #alarm.-notice { background: $warning; }
    ReaderScreen > #panes { height: 1fr; }
    ReaderScreen Timeline { width: 1fr; height: 1fr; }
    ReaderScreen Inspector { display: none; }
    ReaderScreen.-details Inspector { display: block; }
    ReaderScreen.-beside Inspector { width: 42%; height: 1fr; border-left: solid $foreground 20%; }
    ReaderScreen.-below #panes { layout: vertical; }
    ReaderScreen.-below Inspector { width: 1fr; height: 45%; border-top: solid $foreground 20%; }
    ReaderScreen.-zoomed.-details Timeline { display: none; }
    ReaderScreen.-zoomed Inspector { width: 1fr; height: 1fr; border: none; }
    """
    AUTO_FOCUS = "Timeline"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Search", key_display="/", priority=True),
        Binding("n", "hit(1)", "Next hit", show=False),
        Binding("N", "hit(-1)", "Hit before", show=False),
        Binding("f", "filter", "Filter", priority=True),
        Binding("e", "quick('errors')", "Errors"),
        Binding("d", "quick('denials')", "Denials"),
        Binding("a", "quick('approvals')", "Approvals", show=False),
        Binding("c", "only_action", "Only this action", show=False),
        Binding("s", "only_span", "Only this span", show=False),
        Binding(
            "exclamation_mark",
            "invert",
            "Turn the last of these round",
            key_display="!",
            show=False,
        ),
        Binding("0", "all", "All events again", show=False),
        Binding("right_square_bracket", "trouble(1)", "Next trouble", key_display="]", show=False),
        Binding(
            "left_square_bracket", "trouble(-1)", "Trouble before", key_display="[", show=False
        ),
        Binding("colon", "go", "Go to", key_display=":", show=False, priority=True),
        Binding("F", "follow", "Follow"),
        Binding("t", "tree", "Spans", show=False),
        Binding("T", "times", "Relative times", show=False),
        Binding("w", "bars", "Waterfall of durations", show=False),
        Binding("i", "details", "Show or hide the inspector", show=False),
        Binding("z", "zoom", "Zoom the inspector", show=False),
        Binding("y", "copy_event", "Copy the event as JSON", show=False),
        Binding("Y", "copy_command", "Copy the command that decides it again", show=False),
        Binding("o", "page", "Open the event in the pager", show=False),
        Binding("E", "edit", "Open the event in the editor", show=False),
        Binding("b", "back", "Back to where a jump began", show=False),
        Binding("v", "verdict", "Say what the verdict rests on", show=False),
        Binding("r", "reload", "Read the file again", show=False),
        *(
            Binding(str(key), f"link({key})", f"To linked event {key}", show=False)
            for key in range(1, _MAX_LINK_KEYS + 1)
        ),
        Binding("tab", "app.focus_next", "To the other pane", show=False),
        Binding("D", "compare", "Compare with a golden", show=False),
        Binding("A", "app.approvals", "Calls that wait", show=False),
        Binding("q", "leave", "Back"),
        Binding("escape", "undo", "Undo the last of search, filter, inspector", show=False),
    ]

    def __init__(self, path: Path, expression: str = "", at: int | None = None) -> None:
        super().__init__()
        self._path = path
        self._narrowing = Narrowing(expression)
        # Where to go once it is there.
        self._at = at
        self._opened: OpenLog | None = None
        self._place = ("", "")
        # Up to which byte the lines are counted; None: to the end.
        self._position: int | None = 0
        self._choice: Scan | None = None
        self._search: Scan | None = None
        self._words = ""
        self._origin = 0
        self._is_seeking = False
        self._trouble: Scan | None = None
        self._tree_version = 0
        # How long it took to put the rows in the order of spans last.
        self._order_seconds = 0.0
        self._is_following = False
        self._trusted = Trusted()
        self._known = Beside()
        self._actions: Sequence[str] = ()
        self._jumps: list[int] = []
        self._seen = (0, 0, 0)
        self._delays: dict[str, Timer] = {}

    def compose(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        with Horizontal(id="panes"):
            yield Timeline(id="timeline")
            yield Inspector(id="inspector")
        yield Static("", id="alarm", markup=False)
        yield Static("", id="status", markup=False)
        yield Prompt()
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        self._background = Background(self, self.app.setting, self._path)
        self._timeline.empty_text = "opening …"
        self._timeline.is_relative = self.app.choices.relative
        self._timeline.has_bars = self.app.choices.bars
        self._background.open()
        self.set_interval(_POLL_SECONDS, self._poll)

    @property
    def _timeline(self) -> Timeline:
        return self.query_one(Timeline)

    @property
    def _inspector(self) -> Inspector:
        return self.query_one(Inspector)

    # Opening.

    def on_log_opened(self, message: LogOpened) -> None:
        if self._opened is not None:
            self._at = self._timeline.number
        self._opened = message.log
        self._place = (message.agent, message.state)
        self._position = 0
        self._seen = self._stamp()
        self._lower_alarm()
        self._trouble = Scan("trouble", parse(_TROUBLE))
        self._search = None
        self._timeline.show(message.log)
        self._apply_filter()

    def _begin(self) -> None:
        """All lines are counted: see what is in them."""
        log = self._opened
        assert log is not None
        if self._choice is None:
            self._timeline.empty_text = "the session has no event"
            if self._at is not None:
                self._timeline.go_to(self._at)
        if self._at is not None and self._at >= log.count:
            self.notify(f"there is no event {self._at:,}: {log.count - 1:,} is the last")
        self._go_on()
        self._order()
        self._verify()
        if self._known.places is None:
            self._background.find_places()
        self._tell()

    def on_undone(self, message: Undone) -> None:
        words = in_words(message.error)
        if message.what == "open":
            self._timeline.empty_text = words
            self._timeline.refresh()
        if message.what in ("open", "look"):
            is_notice = not isinstance(message.error, IntegrityError)
            self._raise_alarm(words, is_notice=is_notice)
            if message.what == "open":
                self._trusted = Trusted(problem=words)
            elif not is_notice:
                self._trusted = Trusted(problem="the file is not what was opened")
        elif message.what == "places":
            self.on_placed(Placed({}, ()))
        elif message.what == "verify":
            self._trusted = self._trusted._replace(problem=words, share=None)
        else:
            self.notify(words, severity="error", markup=False)
        self._tell()

    # The file as it grows.

    def _stamp(self) -> tuple[int, int, int]:
        try:
            status = os.stat(self._path)
        except OSError:
            return (0, 0, 0)
        # Nobody can put back when a file was changed last.
        return status.st_ino, status.st_size, status.st_ctime_ns

    def _poll(self) -> None:
        log, seen = self._opened, self._stamp()
        if (
            log is None
            or self._position is not None
            or seen == self._seen
            or self.query_one("#alarm").has_class("-raised")
        ):
            return
        is_rewritten, self._seen = seen[:2] == self._seen[:2], seen
        if is_rewritten:
            log.forget()
            self._timeline.refresh()
            self._inspect()
            self._verify()
        else:
            self._background.look(log)

    def on_grown(self, message: Grown) -> None:
        log = message.log
        if log is not self._opened:
            return
        is_new, is_first = message.count > log.count, self._position is not None
        was_last = is_first and 0 < self._timeline.cursor == self._timeline.rows - 1
        if is_new:
            log.take(message.count)
        if is_new and self._timeline.has_tree and not self._has_tree:
            self._show_flat()
        elif is_new and self._choice is None:
            self._timeline.grow(None)
            # Somebody went to the end before that was known.
            if was_last:
                self._timeline.move_to(self._timeline.rows - 1)
        if is_first:
            self._position = message.position
            if message.position is None:
                self._begin()
        elif is_new:
            self._go_on()
            if self._choice is None:
                self._order_soon()
            self._keep_up()
            self._later("verify", _VERIFY_SECONDS, self._verify)
        self._tell()

    def _keep_up(self) -> None:
        if self._is_following:
            self._timeline.to_newest()

    def _raise_alarm(self, words: str, *, is_notice: bool = False) -> None:
        alarm = self.query_one("#alarm", Static)
        lead = "notice" if is_notice else "integrity"
        alarm.update(Content(f"{lead}: {words}  (r reads the file again)"))
        alarm.set_class(is_notice, "-notice")
        alarm.add_class("-raised")

    def _lower_alarm(self) -> None:
        self.query_one("#alarm").remove_class("-raised", "-notice")

    def action_reload(self) -> None:
        self._timeline.empty_text = "opening …"
        self._trusted = Trusted()
        self._background.open()

    # Scans.

    def _go_on(self) -> None:
        """Let all scans look at the events that they have not seen, once these are counted."""
        if self._opened is not None and self._position is None:
            for scan in (self._trouble, self._choice, self._search):
                if scan is not None:
                    self._background.scan(self._opened, scan)

    def on_scanned(self, message: Scanned) -> None:
        scan = message.scan
        if scan not in (self._trouble, self._choice, self._search):
            return
        scan.numbers.extend(message.numbers)
        is_first = scan.stop == 0
        scan.share = message.share
        if message.reached is not None:
            scan.stop, scan.is_running = message.reached, False
            self._go_on()
        if scan is self._trouble:
            self._timeline.troubles = scan.numbers
        elif scan is self._search:
            self._timeline.hits = scan.numbers
            self._seek_first()
        else:
            self._take_choice(is_first=is_first, is_whole=message.reached is not None)
        self._timeline.refresh()
        self._tell()

    # Which events are shown.

    def _apply_filter(self) -> None:
        """Show what the filter and the quick filters choose, if there are any."""
        wanted = self._narrowing.filter(Source().now())
        if wanted is None:
            self._choice = None
            self._background.stop("choice")
            self._timeline.choose_rows(None, None)
            self._order()
        else:
            here = self._timeline.number
            self._at = self._at if here is None else here
            self._choice = Scan("choice", wanted)
            self._timeline.empty_text = "looking …"
            self._timeline.choose_rows(self._choice.numbers, None)
            self._go_on()
        if self._words:
            self._find(self._words)
        self._tell()

    def _narrow(self, narrowing: Narrowing) -> None:
        self._narrowing = narrowing
        self._apply_filter()

    def _take_choice(self, *, is_first: bool, is_whole: bool) -> None:
        assert self._choice is not None
        was_empty = self._timeline.rows == 0
        self._timeline.grow(self._choice.numbers)
        if is_whole:
            self._timeline.empty_text = "no event fits the filter: escape takes it away"
            if is_first and self._at is not None and self._timeline.cursor == 0:
                self._timeline.go_to(self._at)
            (self._order if is_first else self._order_soon)()
        self._keep_up()
        if was_empty and self._timeline.rows:
            self._timeline.move_to(self._timeline.cursor)

    def action_quick(self, name: str) -> None:
        self._narrow(self._narrowing.toggled(KINDS[name]))

    def action_only_action(self) -> None:
        event = self._event
        action_id = (event.payload or {}).get("action_id") if event is not None else None
        self._only(of_action(action_id) if isinstance(action_id, str) else None, "action")

    def action_only_span(self) -> None:
        event = self._event
        self._only(of_span(event.header["span_id"]) if event is not None else None, "span")

    def _only(self, quick: Quick | None, kind: str) -> None:
        """Narrow to what the event is about, or no more to what that was before."""
        before = [one for one in self._narrowing.quick if one.kind == kind]
        wanted = next((one for one in before if not one.is_inverted), quick)
        if wanted is None:
            self.notify(f"this event has no {kind}")
        else:
            self._narrow(self._narrowing.toggled(wanted))

    def action_invert(self) -> None:
        if self._narrowing.quick:
            self._narrow(self._narrowing.inverted())
        else:
            self.notify("! turns a quick filter round: e, d, a, c and s are those")

    def action_all(self) -> None:
        self._narrow(Narrowing())

    def action_filter(self) -> None:
        self._prompt.open(
            "filter",
            "filter",
            self._narrowing.expression,
            "type:action.* severity:warn payload.amount>10",
            lambda text: completed(text, self._actions),
        )

    @property
    def _has_tree(self) -> bool:
        log = self._opened
        return self.app.choices.tree and log is not None and log.count <= MAX_TREE

    def action_tree(self) -> None:
        log = self._opened
        if log is not None and log.count > MAX_TREE and not self.app.choices.tree:
            self.notify(f"a tree is for up to {counted(MAX_TREE, 'event')}", severity="warning")
            return
        self.app.choose(tree=not self.app.choices.tree)
        if self.app.choices.tree:
            self._order()
        else:
            self._show_flat()
        self._tell()

    def _show_flat(self) -> None:
        numbers = self._choice.numbers if self._choice is not None else None
        self._timeline.choose_rows(numbers, None)
        self._keep_up()

    def _order(self) -> None:
        """Put the rows in the order of spans, if that is wanted."""
        log, choice = self._opened, self._choice
        if log is None or not self._has_tree or self._position is not None:
            return
        self._tree_version += 1
        numbers: Sequence[int] | None = choice.numbers[:] if choice is not None else None
        self._background.order(log, numbers, self._tree_version)

    def _order_soon(self) -> None:
        """Order the rows anew that have come, as often as that takes little of the time."""
        if self._has_tree and "order" not in self._delays:
            pause = max(_ORDER_SECONDS, _ORDER_SHARE * self._order_seconds)

            def act() -> None:
                del self._delays["order"]
                self._order()

            self._later("order", pause, act)

    def on_ordered(self, message: Ordered) -> None:
        if message.version != self._tree_version or not self._has_tree:
            return
        self._order_seconds = message.seconds
        self._timeline.choose_rows(message.tree.order, message.tree)
        self._keep_up()
        if self._opened is not None and message.count < self._opened.count:
            self._order_soon()
        self._tell()

    def action_times(self) -> None:
        self.app.choose(relative=not self.app.choices.relative)
        self._timeline.is_relative = self.app.choices.relative
        self._timeline.refresh()

    def action_bars(self) -> None:
        if not self.app.choices.bars and self._timeline.size.width <= WITH_BARS:
            is_beside = self.has_class("-beside") and self.has_class("-details")
            hint = ": i hides the inspector" if is_beside else ""
            self.notify(f"a waterfall needs {WITH_BARS} columns{hint}")
            return
        self.app.choose(bars=not self.app.choices.bars)
        self._timeline.has_bars = self.app.choices.bars
        self._timeline.refresh()
        self._tell()

    def action_follow(self) -> None:
        self._is_following = not self._is_following
        self._keep_up()
        self._tell()

    def on_timeline_released(self) -> None:
        if self._is_following:
            self._is_following = False
            self._tell()

    # Search.

    def action_search(self) -> None:
        self._origin = self._timeline.number or 0
        self._prompt.open("search", "/", "", "a text in the payload, the type or the actor")

    def _find(self, words: str) -> None:
        """Look for a text among the events that are shown."""
        self._words = words
        self._timeline.hits = ()
        if not words:
            self._search = None
            self._background.stop("search")
            self._timeline.refresh()
            self._tell()
            return
        parts = [self._choice.wanted] if self._choice is not None else []
        self._search = Scan("search", every([*parts, mentioning(words)]))
        self._go_on()
        self._tell()

    def _seek_first(self) -> None:
        """While somebody types, show the first hit from where they began."""
        scan = self._search
        if not self._is_seeking or scan is None or not scan.numbers:
            return
        after = bisect_left(scan.numbers, self._origin)
        if after < len(scan.numbers):
            self._timeline.go_to(scan.numbers[after])
            self._is_seeking = False
        elif scan.stop:
            self._timeline.go_to(scan.numbers[0])
            self._is_seeking = False

    def action_hit(self, step: int) -> None:
        if self._search is None:
            self.notify("nothing is searched for: / begins a search")
        elif not self._timeline.seek(self._search.numbers, step):
            self.notify(f"no event{self._shown} mentions {safe(self._words)}", markup=False)

    def action_trouble(self, step: int) -> None:
        scan = self._trouble
        if scan is None or not self._timeline.seek(scan.numbers, step):
            self.notify(f"no event{self._shown} is a warning or an error")

    @property
    def _shown(self) -> str:
        return " that is shown" if self._choice is not None else ""

    # What is typed.

    def action_go(self) -> None:
        self._prompt.open("go", ":", "", "a number, +10, -10, or in UTC 10:15, 2026-11-20T10:15")

    def on_prompt_typed(self, message: Prompt.Typed) -> None:
        if message.purpose == "search":
            text = message.text
            self._later("typing", _TYPING_SECONDS, lambda: self._search_as_typed(text))
        elif message.purpose == "filter":
            try:
                parse(message.text, Source().now())
                self._prompt.say("")
            except FilterError:
                pass  # said when it is meant

    def _search_as_typed(self, text: str) -> None:
        if self._prompt.purpose == "search" and text != self._words:
            self._is_seeking = True
            self._find_safely(text)

    def _find_safely(self, text: str) -> bool:
        try:
            self._find(text)
        except FilterError as error:
            self._prompt.say(safe(error.message))
            return False
        return True

    def on_prompt_entered(self, message: Prompt.Entered) -> None:
        done = {"search": self._enter_search, "filter": self._enter_filter, "go": self._enter_go}
        if done[message.purpose](message.text):
            self._close_prompt()

    def _enter_search(self, text: str) -> bool:
        if text == self._words:
            return True
        self._is_seeking = True
        return self._find_safely(text)

    def _enter_filter(self, text: str) -> bool:
        try:
            parse(text, Source().now())
        except FilterError as error:
            fix = f"; {error.fix}" if error.fix else ""
            self._prompt.say(safe(f"{error.message}{fix}"))
            return False
        self._narrow(self._narrowing._replace(expression=text.strip()))
        return True

    def _enter_go(self, text: str) -> bool:
        log = self._opened
        if log is None or not text.strip():
            return True
        try:
            number = number_at(log, text, self._timeline.number or 0)
        except (CraError, OSError) as error:
            self._prompt.say(in_words(error))
            return False
        self._jump(number)
        return True

    def on_prompt_left(self, message: Prompt.Left) -> None:
        if message.purpose == "search":
            self._find("")
            self._timeline.go_to(self._origin)
        self._close_prompt()

    def _close_prompt(self) -> None:
        self._prompt.close()
        self.set_focus(self._timeline)
        self._tell()

    # The event that is chosen.

    def on_listing_moved(self, message: Listing.Moved) -> None:
        if message.listing is self._timeline:
            self._inspect()
            self._tell()

    def _inspect(self) -> None:
        log, number = self._opened, self._timeline.number
        if log is None or number is None:
            self._inspector.show(None, Beside())
            return
        if not self.has_class("-details"):
            return
        try:
            shown = log.event(number)
        except (CraError, OSError) as error:
            self._raise_alarm(in_words(error))
            return
        same = self._inspector.shown
        links = self._inspector.known.links if same and same.line == shown.line else None
        self._inspector.show(shown, self._known._replace(links=links))
        if links is None:
            self._later("links", _LINKS_SECONDS, self._find_links)

    def _find_links(self) -> None:
        log, shown = self._opened, self._inspector.shown
        if log is not None and shown is not None:
            self._background.find_links(log, shown)

    def on_linked(self, message: Linked) -> None:
        shown = self._inspector.shown
        if shown is not None and shown.number == message.number:
            self._inspector.show(shown, self._known._replace(links=message.links))

    def on_placed(self, message: Placed) -> None:
        self._actions = message.actions
        self._known = self._known._replace(places=message.places, rules=message.rules)
        self._show_known()

    def _show_known(self) -> None:
        shown, known = self._inspector.shown, self._inspector.known
        if shown is not None:
            self._inspector.show(shown, self._known._replace(links=known.links))

    def on_listing_chosen(self, message: Listing.Chosen) -> None:
        if message.listing is self._timeline:
            self.action_inspect()

    def action_inspect(self) -> None:
        self.add_class("-details")
        self._inspect()
        self._inspector.focus()

    def action_details(self) -> None:
        self.app.choose(details=not self.has_class("-details"))
        self._arrange()
        if not self.has_class("-details"):
            self._timeline.focus()
        self._inspect()

    def action_zoom(self) -> None:
        self.add_class("-details")
        self.toggle_class("-zoomed")
        self._inspect()
        (self._inspector if self.has_class("-zoomed") else self._timeline).focus()

    def on_inspector_followed(self, message: Inspector.Followed) -> None:
        self._jump(message.number)

    def action_link(self, key: int) -> None:
        links = self._inspector.known.links
        if not self.has_class("-details"):
            self.notify("enter shows an event with its linked ones")
        elif links is None or key > len(links):
            self.notify(f"no linked event {key}")
        else:
            self._jump(links[key - 1].number)

    def _jump(self, number: int) -> None:
        """Go to an event, even if the filter does not show it."""
        here = self._timeline.number
        if here is not None:
            self._jumps.append(here)
        self._is_following = False
        choice = self._choice
        if choice is not None and place_in(choice.numbers, number) is None:
            self._narrow(Narrowing())
            self.notify("the filter is off: it did not show that event")
        self._timeline.go_to(number)

    def action_back(self) -> None:
        if self._jumps:
            self._timeline.go_to(self._jumps.pop())
        else:
            self.notify("no jump to go back from")

    def action_compare(self) -> None:
        self.app.compare_with_golden(self._path)

    # Copies.

    @property
    def _event(self) -> Event | None:
        """The chosen event, if its line is one."""
        log, number = self._opened, self._timeline.number
        try:
            return None if log is None or number is None else log.event(number).event
        except (CraError, OSError):
            return None

    @property
    def _event_text(self) -> str | None:
        """The chosen event as JSON; a line that is none as it is. None of what is gone, as told."""
        log, number = self._opened, self._timeline.number
        try:
            return None if log is None or number is None else log.text(number)
        except (CraError, OSError) as error:
            self._raise_alarm(in_words(error))
            return None

    def action_copy_event(self) -> None:
        text = self._event_text
        if text is not None:
            self.app.copy(text)

    def action_page(self) -> None:
        text = self._event_text
        if text is not None:
            self.app.page("\n".join(map(safe, text.split("\n"))))

    def action_edit(self) -> None:
        text = self._event_text
        if text is not None:
            self.app.edit(text, f"event-{self._timeline.number}.json")

    def action_copy_command(self) -> None:
        log, number = self._opened, self._timeline.number
        if log is None or number is None:
            return
        try:
            shown = log.event(number)
        except (CraError, OSError) as error:
            self._raise_alarm(in_words(error))
        else:
            self.app.copy(command_of(shown, session_id_of(self._path), self._place[0]))

    def on_inspector_path_wanted(self, message: Inspector.PathWanted) -> None:
        self.app.copy(message.path)

    # The verdict.

    def _verify(self) -> None:
        if self._opened is not None:
            self._trusted = self._trusted._replace(share=0.0)
            self._background.verify(self._opened)

    def on_verifying(self, message: Verifying) -> None:
        self._trusted = self._trusted._replace(share=message.share)
        self._tell()

    def on_judged(self, message: Judged) -> None:
        self._trusted = Trusted(message.judgement)
        self._known = self._known._replace(coverage=message.coverage)
        self._show_known()
        if not message.judgement.is_sound:
            self._timeline.refresh()
        self._tell()

    def action_verdict(self) -> None:
        found, told = self._trusted.judgement, self._trusted.explained(session_id_of(self._path))
        is_sound = found is None or found.is_sound
        severity: Any = "information" if is_sound else "error"
        self.notify(told, severity=severity, timeout=15, markup=False)
        if found is not None and found.broken is not None and self._opened is not None:
            self._jump(min(found.broken, self._opened.count - 1))

    # What is told.

    def _later(self, what: str, seconds: float, act: Callable[[], None]) -> None:
        """Do something in a while, unless it is asked for again until then."""
        if what in self._delays:
            self._delays[what].stop()
        self._delays[what] = self.set_timer(seconds, act)

    def _tell(self) -> None:
        if self.is_mounted:
            name, columns = session_id_of(self._path), self.app.size.width - 2
            head = head_of(name, self._place, self._narrowing, columns)
            self.query_one("#head", Static).update(Content.assemble(*head))
            self.query_one("#status", Static).update(Content.assemble(*self._status()))

    def _status(self) -> list[Told]:
        timeline, log = self._timeline, self._opened
        parts = [self._trusted.told]
        if log is not None and self._position is not None:
            share = self._position / max(1, self._seen[1])
            parts.append((f"  {log.count:,} events … {min(share, 1):.0%}", ""))
        elif log is not None and timeline.rows:
            # A tree lags behind a session that grows: that is not what somebody chose.
            is_chosen = self._choice is not None or timeline.is_folded
            shown = f" of {timeline.rows:,} shown" if is_chosen else ""
            place = f"row {timeline.cursor + 1:,}{shown}, " if shown else ""
            parts.append((f"  {place}event {timeline.number:,} of {log.count:,}", ""))
        if self._is_following:
            parts.append(("  FOLLOWS", "bold $text-success"))
        if self._search is not None:
            hits = hits_of(self._search, self._words, timeline.number)
            # Where there is no room for both, whoever searches wants to see these.
            parts.insert(1 if self.app.size.width < _NARROW else len(parts), hits)
        if self._choice is not None and self._choice.is_running:
            parts.append((f"  filter {self._choice.share:.0%}", "dim"))
        if timeline.has_bars and timeline.rows and timeline.size.width > WITH_BARS:
            sight = timeline.in_sight
            parts.append((f"  bars: {duration(sight.end - sight.begin)}", "dim"))
        if timeline.marks:
            parts.append((f"  {counted(len(timeline.marks), 'mark')}", "dim"))
        return parts

    # The screen's own form.

    def on_resize(self) -> None:
        self._arrange()
        self._tell()

    def _arrange(self) -> None:
        width, height = self.app.size
        is_beside = width >= _SIDE_BY_SIDE
        self.set_class(is_beside, "-beside")
        self.set_class(not is_beside, "-below")
        has_room = is_beside or height >= _HIGH
        is_used = self._inspector.has_focus
        self.set_class((has_room and self.app.choices.details) or is_used, "-details")
        self._inspect()

    def action_leave(self) -> None:
        self.app.leave()

    def action_undo(self) -> None:
        """Take back what was done last, one at a time; there is nothing left: leave."""
        if self.has_class("-zoomed"):
            self.remove_class("-zoomed")
            self._timeline.focus()
        elif self._inspector.has_focus:
            self._timeline.focus()
            self.call_after_refresh(self._arrange)
        elif self._words:
            self._find("")
        elif self._narrowing != Narrowing():
            self._narrow(Narrowing())
        else:
            self.app.leave()
