"""The screen that plays a golden beside its replay, one step after the other."""

from __future__ import annotations

import shutil
from bisect import bisect_left, bisect_right
from collections.abc import Iterable, Sequence
from pathlib import Path
from tempfile import mkdtemp
from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.timer import Timer
from textual.widgets import Footer, Static

from cra.errors import CraError, GoldenRefused
from cra.printable import safe
from cra.replay.check import Report
from cra.replay.compare import TraceDifference
from cra.replay.differing import MARKS
from cra.tui.comparing import STYLES
from cra.tui.goldens import (
    Reviewed,
    ReviewingScreen,
    error_lines,
    refused,
    replays_of,
    verdict_of,
    waiting_beside,
)
from cra.tui.listing import Listing, Page, Part, fitted
from cra.tui.prompt import Prompt, PromptedScreen
from cra.tui.setting import Setting
from cra.tui.source import number_at
from cra.tui.telling import in_words
from cra.tui.walk import (
    SIDE_BY_SIDE,
    Side,
    Walk,
    standing_lines,
    step_lines,
    walk_alone,
    walk_beside,
)

# How many steps a second a play makes.
_PACES: Final = (1, 2, 4, 8, 16, 32)
_USUAL_PACE: Final = 2
_STYLE_OF_VERDICT: Final = {"good": "$text-success", "bad": "$text-error"}


class WalkList(Listing):
    """The golden's events on the left, the replay's on the right."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Open the event", show=False),
        # Also here: what scrolls has them for itself otherwise, and help would not tell of them.
        Binding("right,l", "move(1)", "One step on", show=False),
        Binding("left,h", "move(-1)", "One step back", show=False),
    ]
    empty_text = "reading …"

    def __init__(self, *, id: str | None = None) -> None:  # Textual's own name
        super().__init__(id=id)
        self.walk: Walk | None = None

    def parts_of(self, row: int, columns: int) -> Iterable[Part]:
        walk = self.walk
        assert walk is not None
        golden, found = walk.pairs[row]
        mark, style = _mark_of(walk.differences.get(row, ()))
        number, half = _halves_of(walk, columns)
        yield f" {'' if golden is None else golden:>{number}} ", "dim"
        yield f"{mark} ", style
        is_wide = columns >= SIDE_BY_SIDE
        one = walk.golden if golden is not None or is_wide else walk.found
        at = golden if golden is not None or is_wide else found
        yield from _cell(one, at, half, "")
        if is_wide:
            yield "│", "faint"
            yield f" {'' if found is None else found:>{number}} ", "dim"
            yield from _cell(walk.found, found, half, "" if mark.strip() else "dim")

    def tick_between(self, low: int, high: int) -> str:
        walk = self.walk
        if walk is None:
            return ""
        at = bisect_left(walk.places, low)
        if at == len(walk.places) or walk.places[at] >= high:
            return ""
        return _mark_of(walk.differences[walk.places[at]])[1]


def _halves_of(walk: Walk, columns: int) -> tuple[int, int]:
    """How wide the numbers are, and each of the two sides."""
    logs = [side.log for side in (walk.golden, walk.found) if side is not None]
    number = len(str(max(log.count for log in logs)))
    if columns < SIDE_BY_SIDE:
        return number, columns - number - 4
    return number, (columns - 2 * number - 7) // 2


def _cell(side: Side | None, number: int | None, room: int, style: str) -> Iterable[Part]:
    if side is None or number is None:
        yield " " * room, ""
        return
    try:
        row = side.log.row(number)
    except (CraError, OSError) as error:
        yield fitted(in_words(error), room), "bad"
        return
    word = row.outcome or row.event_type.removeprefix("carp.")
    if row.severity == "damaged":
        yield fitted(f"{word}: {row.summary}", room), "bad"
    elif len(word) >= room:
        yield fitted(word, room), row.style or style
    else:
        yield word, row.style or style
        yield fitted(f" {row.summary}", room - len(word)), style


def _mark_of(differences: Sequence[TraceDifference]) -> Part:
    """The mark of the first difference that stands for itself, in the weight of the heaviest."""
    if not differences:
        return " ", ""
    own = [one for one in differences if not one.follows]
    if not own:
        return MARKS[differences[0].type], "dim"
    is_breaking = any(one.significance == "breaking" for one in own)
    return MARKS[own[0].type], STYLES["breaking" if is_breaking else "minor"]


class Walked(Message):
    """A golden that was read, or beside its replay once that is made, or why it is not."""

    def __init__(self, walk: Walk | None, report: Report | None, wrong: str = "") -> None:
        super().__init__()
        self.walk = walk
        self.report = report
        self.wrong = wrong


class Stood(Message):
    """What the session was at a row, in the golden and in the replay."""

    def __init__(self, walk: Walk, row: int, sides: tuple[list[tuple[str, str]], ...]) -> None:
        super().__init__()
        self.walk = walk
        self.row = row
        self.sides = sides


class WalkScreen(PromptedScreen, ReviewingScreen):
    """A golden and its replay, one step after the other."""

    CSS = """
    WalkScreen > #head, WalkScreen > #status { text-wrap: nowrap; text-overflow: ellipsis; }
    WalkScreen > #sides { height: 1; color: $foreground 60%; }
    WalkScreen > WalkList { height: 1fr; }
    WalkScreen > Page { height: 50%; border-top: solid $foreground 20%; }
    """
    AUTO_FOCUS = "WalkList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("space", "play", "Play"),
        Binding("right,l", "step(1)", "One step on", show=False),
        Binding("left,h", "step(-1)", "One step back", show=False),
        Binding("plus,equals_sign", "pace(1)", "Play faster", show=False),
        Binding("minus", "pace(-1)", "Play slower", show=False),
        Binding("n", "next(1)", "Next difference"),
        Binding("p", "next(-1)", "The difference before", show=False),
        Binding("colon", "seek", "Go to an event", key_display=":", show=False),
        Binding("x", "replay", "Replay"),
        Binding("d", "differences", "Compare", show=False),
        Binding("a", "review('accept')", "Accept"),
        Binding("r", "review('reject')", "Reject"),
        Binding("q,escape", "app.leave", "Back"),
        Binding("tab,shift+tab", "app.focus_next", "To the other pane", show=False),
    ]

    def __init__(self, manifest: Path) -> None:
        super().__init__()
        self._manifest = manifest
        # Where the replays' own ledgers are, for as long as the screen is.
        self._place: Path | None = None
        self._is_gone = False
        self._replays = 0
        self._is_replaying = False
        self._report: Report | None = None
        self._wrong = ""
        self._waits: Path | None = None
        self._pace = _USUAL_PACE
        self._timer: Timer | None = None
        self._stood: Stood | None = None

    def compose(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        yield Static("", id="sides", markup=False)
        yield WalkList()
        yield Page()
        yield Prompt()
        yield Static("", id="status", markup=False)
        yield Footer(show_command_palette=False)

    @property
    def _list(self) -> WalkList:
        return self.query_one(WalkList)

    def on_mount(self) -> None:
        self.action_replay()

    def on_unmount(self) -> None:
        self._is_gone = True
        # A replay that still runs fails without it, and takes away what it has written since.
        self._clear()

    def _clear(self) -> None:
        if self._place is not None:
            shutil.rmtree(self._place, ignore_errors=True)

    def on_screen_suspend(self) -> None:
        self._pause()

    # The replay.

    def action_replay(self) -> None:
        if self._is_replaying:
            self._say("it is replayed just now")
            return
        self._is_replaying = True
        self._is_told = ""
        self._replays += 1
        manifest, setting = self._manifest, self.app.setting

        def work() -> None:
            self._work(manifest, setting)
            if self._is_gone:
                self._clear()

        self.run_worker(work, group="replay", thread=True)
        self._tell()

    def _work(self, manifest: Path, setting: Setting) -> None:
        alone, wrong = None, ""
        try:
            alone = walk_alone(manifest)
        except (CraError, OSError) as error:
            wrong = in_words(error)
        self.post_message(Walked(alone, None, wrong))
        report = self._replayed(manifest, setting)
        walk = alone
        try:
            # Somebody may have put another one in its place meanwhile.
            walk = walk_beside(walk_alone(manifest), manifest, report)
        except (CraError, OSError) as error:
            wrong = in_words(error)
        self.post_message(Walked(walk, report, wrong))

    def _replayed(self, manifest: Path, setting: Setting) -> Report:
        try:
            place = self._place = self._place or Path(mkdtemp(prefix="cra-walk-"))
        except OSError as error:
            words = f"expected a place for a replay's own ledger, found: {error.strerror}"
            return refused(manifest, GoldenRefused(words, where=error.filename, fix="TMPDIR=DIR"))
        [report] = replays_of(setting, [manifest], place / str(self._replays))
        return report

    def on_walked(self, message: Walked) -> None:
        report = message.report
        self._wrong = message.wrong
        if report is not None:
            self._is_replaying = False
            self._report = report
            self.app.reports[report.manifest] = report
        self._waits = waiting_beside(self._manifest)
        if report is not None or self._list.walk is None:
            self._take(message.walk)
        self._tell()
        self._show()

    def _take(self, walk: Walk | None) -> None:
        """Show another walk, at the same event of the golden."""
        shown, before = self._list, self._list.walk
        here = before.reached(shown.cursor)[0] if before is not None and before.pairs else None
        shown.walk = walk
        shown.empty_text = self._wrong or "no events"
        shown.resize_to(len(walk.pairs) if walk is not None else 0)
        if walk is not None and walk.pairs:
            shown.move_to(walk.row_of(here or 0))

    # What is seen.

    def on_resize(self) -> None:
        self._tell()
        self._show()

    def on_listing_moved(self, message: Listing.Moved) -> None:
        if message.listing is self._list:
            self._tell()
            self._show()

    def _tell(self) -> None:
        shown, walk = self._list, self._list.walk
        head = [
            ("cra trace  ", "bold $text-primary"),
            (safe(self._manifest.parent.name), "bold"),
            ("  ", ""),
            self._verdict(),
        ]
        self.query_one("#head", Static).update(Content.assemble(*head))
        sides = ""
        columns = self.app.size.width - 1
        if walk is not None and columns >= SIDE_BY_SIDE:
            number, half = _halves_of(walk, columns)
            lead = " " * (number + 4)
            sides = lead + fitted("golden", half) + "│ " + " " * (number + 1) + "now"
        title = self.query_one("#sides", Static)
        title.display = bool(sides)
        title.update(Content(sides))
        parts = [("▶ playing" if self._timer is not None else "‖ paused", "bold")]
        parts.append((f" {_PACES[self._pace]}/s", "dim"))
        if walk is not None and walk.pairs:
            parts.append((f"  step {shown.cursor + 1:,} of {len(walk.pairs):,}", ""))
        if self._waits is not None:
            parts.append(("  ◆ waits", "$text-warning"))
        if self._is_told:
            parts.append((f"  {self._is_told}", "$text-primary"))
        if walk is not None and walk.places:
            nth = bisect_right(walk.places, shown.cursor)
            is_here = shown.cursor in walk.differences
            which = f"{nth} of " if is_here else ""
            parts.append((f"  {which}{len(walk.places):,} that differ", ""))
        self.query_one("#status", Static).update(Content.assemble(*parts))

    def _verdict(self) -> tuple[str, str]:
        if self._is_replaying:
            return "replaying …", "$text-primary"
        if self._report is None:
            return "", ""
        words, style = verdict_of(self._report)
        return words, f"bold {_STYLE_OF_VERDICT[style]}"

    def _show(self) -> None:
        """What the step is, what differs in it, and what the session is then."""
        shown, walk = self._list, self._list.walk
        columns = max(20, self.app.size.width - 3)
        report = self._report
        lines: list[list[Part]] = []
        if report is not None and report.error is not None and not self._is_replaying:
            lines += [*error_lines(report, columns), [("", "")]]
        if walk is not None and shown.cursor < len(walk.pairs):
            lines += step_lines(walk, shown.cursor, columns)
            lines += self._standing_lines(walk, shown.cursor, columns)
        self.query_one(Page).write([[(" ", ""), *line] for line in lines])

    def _standing_lines(self, walk: Walk, row: int, columns: int) -> list[list[Part]]:
        stood = self._stood
        is_known = stood is not None and stood.walk is walk and stood.row == row
        if not is_known:
            self._stand(walk, row)
        if stood is None:
            return []
        # What was so at another step shows until a thread knows better: in a moment.
        return standing_lines(stood.sides, columns, "" if is_known else "dim")

    def _stand(self, walk: Walk, row: int) -> None:
        golden, found = walk.reached(row)
        asked = [(walk.golden, golden), (walk.found, found)]

        def work() -> None:
            sides = tuple(
                side.fold.told_at(number)
                for side, number in asked
                if side is not None and number is not None
            )
            if not worker.is_cancelled:
                self.post_message(Stood(walk, row, sides))

        worker = self.run_worker(work, group="stand", exclusive=True, thread=True)

    def on_stood(self, message: Stood) -> None:
        self._stood = message
        if message.walk is self._list.walk and message.row == self._list.cursor:
            self._show()

    # Steps.

    def action_step(self, count: int) -> None:
        if self._list.rows:
            self._list.move_to(self._list.cursor + count)

    def action_play(self) -> None:
        shown = self._list
        if self._timer is not None:
            self._pause()
        elif shown.rows:
            if shown.cursor == shown.rows - 1:
                shown.move_to(0)
            self._play()

    def _play(self) -> None:
        self._timer = self.set_interval(1 / _PACES[self._pace], self._step_on)
        self._tell()

    def _pause(self) -> None:
        if self._timer is not None:
            self._timer.stop()
            self._timer = None
            self._tell()

    def _step_on(self) -> None:
        shown = self._list
        shown.move_to(shown.cursor + 1)
        if shown.cursor >= shown.rows - 1:
            self._pause()

    def action_pace(self, step: int) -> None:
        self._pace = max(0, min(self._pace + step, len(_PACES) - 1))
        if self._timer is not None:
            self._timer.stop()
            self._play()
        self._tell()

    def action_next(self, step: int) -> None:
        """To the next difference or the one before; after the last one comes the first."""
        shown, walk = self._list, self._list.walk
        if walk is None or not walk.places:
            self._say("nothing differs" if self._report is not None else "nothing is known yet")
            return
        places = walk.places
        if step > 0:
            at = bisect_right(places, shown.cursor)
        else:
            at = bisect_left(places, shown.cursor) - 1
        shown.move_to(places[at % len(places)], middle=True)

    def action_seek(self) -> None:
        if self._list.rows:
            self._prompt.open("go", ":", "", "the number of an event of the golden, or +10")

    def on_prompt_entered(self, message: Prompt.Entered) -> None:
        walk = self._list.walk
        if walk is None:
            self._close_prompt()
            return
        near = walk.reached(self._list.cursor)[0] or 0
        try:
            number = number_at(walk.golden.log, message.text, near)
        except (CraError, OSError) as error:
            self._prompt.say(in_words(error))
            return
        self._close_prompt()
        self._list.move_to(walk.row_of(number), middle=True)

    def on_prompt_left(self, _: Prompt.Left) -> None:
        self._close_prompt()

    def _close_prompt(self) -> None:
        self._prompt.close()
        self.set_focus(self._list)

    def on_listing_chosen(self, message: Listing.Chosen) -> None:
        message.stop()
        walk = self._list.walk
        if message.listing is not self._list or walk is None or self.app.screen is not self:
            return
        golden, _ = walk.pairs[self._list.cursor]
        if golden is None:
            self._say("the golden has no such event")
        else:
            self.app.read(walk.golden.log.path, at=golden)

    # What waits.

    def _waiting(self) -> Path | None:
        if self._is_replaying:
            self._say("it is replayed just now")
            return None
        self._waits = waiting_beside(self._manifest)
        if self._waits is None:
            self._say("nothing waits")
        return self._waits

    def on_reviewed(self, message: Reviewed) -> None:
        self._waits = waiting_beside(self._manifest)
        if not message.wrong and message.review == "accept":
            # The golden is another one now.
            self.action_replay()
        self._say(message.wrong or message.words)
