"""The goldens of a project: replayed here, and decided on where something differs."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, ClassVar, Final, Literal, NamedTuple, TypeAlias

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.widgets import Footer, Static

from cra import config as configuration
from cra.amount import counted
from cra.config import UserDirs
from cra.errors import CraError, NotFound
from cra.printable import safe
from cra.replay.check import Report, check, usual_settings
from cra.replay.differing import MARKS, compare_pending, golden_of, tally
from cra.replay.golden import FOLDER, find_manifests, manifest_in
from cra.replay.manifest import read_manifest
from cra.replay.writing import accept, all_pending, pending_of, reject
from cra.tui.asking import ConfirmScreen
from cra.tui.comparing import STYLES, DifferencesScreen
from cra.tui.listing import Listing, Page, Part, fitted, wrapped
from cra.tui.setting import Setting
from cra.tui.telling import fault_lines, in_words

if TYPE_CHECKING:
    from cra.tui.app import TraceApp

Review: TypeAlias = Literal["accept", "reject"]

_DONE: Final[Mapping[Review, str]] = {"accept": "accepted", "reject": "rejected"}
_WITH_STEPS: Final = 64
_WITH_LONG_NAME: Final = 100
_STEPS_ROOM: Final = 7
_REVIEW_ROOM: Final = 8


class GoldenRow(NamedTuple):
    """A golden in a list."""

    manifest: Path
    # In words; none of a manifest that cannot be read, and why.
    steps: tuple[str, ...]
    wrong: str
    # What a replay found otherwise, until somebody decides on it.
    waits: Path | None

    @property
    def name(self) -> str:
        return self.manifest.parent.name


def golden_row(manifest: Path) -> GoldenRow:
    """A golden as it is now, whatever is wrong with it."""
    steps: tuple[str, ...] = ()
    wrong = ""
    try:
        steps = read_manifest(manifest).steps
    except (CraError, OSError) as error:
        wrong = in_words(error)
    return GoldenRow(manifest, steps, wrong, waiting_beside(manifest))


def goldens_of(root: Path) -> list[GoldenRow]:
    """The goldens of a project, and what waits beside one that is gone."""
    try:
        manifests = find_manifests(root / FOLDER)
    except NotFound:
        manifests = []
    folders = {path.parent for path in manifests}
    waiting = [golden_of(path) for path in all_pending(root / FOLDER)]
    alone = [manifest_in(folder) for folder in waiting if folder not in folders]
    return [*map(golden_row, sorted([*manifests, *alone]))]


def waiting_beside(manifest: Path) -> Path | None:
    """Where what a replay found otherwise waits, if it does."""
    pending = pending_of(manifest.parent)
    return pending if manifest_in(pending).is_file() else None


def replays_of(
    setting: Setting, manifests: Sequence[Path], keep: Path | None = None
) -> Iterator[Report]:
    """Replay goldens as `cra replay` does. What is wrong with one is in its report."""
    assert setting.root is not None
    dirs = UserDirs.of(setting.environ, Path.home())
    settings = replace(usual_settings(setting.trust, setting.environ, dirs), keep=keep)
    try:
        config = configuration.load(setting.root, {}, None, {})
    except CraError as error:
        yield from (refused(path, error) for path in manifests)
    else:
        # Here in this process: a screen has the streams that others would be started with.
        yield from (check(path, config, settings) for path in manifests)


def refused(manifest: Path, error: CraError) -> Report:
    """The report on a golden that no replay could begin with."""
    facts = error.code, error.message, error.where, error.fix
    return Report(manifest.parent.name, manifest, "decide", "refused", error=facts)


def verdict_of(report: Report) -> Part:
    """What a replay came to, in a few words."""
    if report.error is not None:
        word = "damaged" if report.state == "integrity" else "refused"
        return f"{word}: {safe(report.error[1].splitlines()[0])}", "bad"
    facts = []
    if report.state == "passed":
        facts.append("passed, its files alone" if report.mode == "verify" else "passed")
    if report.differences and report.compatibility is not None:
        facts += [report.compatibility.replace("_", " "), tally(report.differences)]
    return " ".join(facts), "bad" if report.state != "passed" else "good"


def lines_of(row: GoldenRow, report: Report | None, columns: int) -> list[list[Part]]:
    """What there is to know of a golden: what its replay came to, and the steps that it has."""
    lines: list[list[Part]] = []
    if report is not None and report.error is not None:
        lines += error_lines(report, columns)
    elif row.wrong:
        lines += [[(part, "bad")] for part in wrapped(row.wrong, columns)]
    elif report is not None:
        if report.changed:
            text = f"since it was recorded: {safe(', '.join(report.changed))}"
            lines += [[(part, "dim")] for part in wrapped(text, columns)]
        for text in (*report.warnings, *report.unverifiable):
            lines += [[(part, "warn")] for part in wrapped(safe(text), columns)]
        for one in report.differences:
            if not one.follows:
                parts = wrapped(safe(one.told), columns - 2)
                mark = (f"{MARKS[one.type]} ", STYLES[one.significance])
                lines += [
                    [mark if at == 0 else ("  ", ""), (part, "")] for at, part in enumerate(parts)
                ]
    if lines and row.steps:
        lines.append([("", "")])
    lines += [[(part, "dim")] for text in row.steps for part in wrapped(safe(text), columns)]
    return lines


def error_lines(report: Report, columns: int) -> list[list[Part]]:
    """What kept a golden from being compared, and the way out."""
    assert report.error is not None
    code, message, where, fix = report.error
    return fault_lines(f"{code}: {message}", where, fix, columns)


# What waits.


class Reviewed(Message):
    """What waited was decided on, or why it could not be."""

    def __init__(self, pending: Path, review: Review, wrong: str) -> None:
        super().__init__()
        self.golden = manifest_in(golden_of(pending))
        self.review = review
        self.wrong = wrong

    @property
    def words(self) -> str:
        return f"{safe(self.golden.parent.name)} {_DONE[self.review]}"


def ask_to(review: Review, pending: Path, screen: Screen[None]) -> None:
    """Accept or reject what waits, if somebody says yes; the screen is told of it."""
    act: Callable[[Path], object] = accept if review == "accept" else reject

    def work() -> None:
        wrong = ""
        try:
            act(pending)
        except (CraError, OSError) as error:
            wrong = in_words(error)
        screen.post_message(Reviewed(pending, review, wrong))

    def take(is_yes: bool | None) -> None:
        if is_yes:
            screen.run_worker(work, group="review", thread=True)

    name = safe(golden_of(pending).name)
    question = f"{review.capitalize()} what was found for {name}?"
    screen.app.push_screen(ConfirmScreen(question), take)


# The screen.


class GoldenList(Listing):
    """The rows of goldens."""

    BINDINGS: ClassVar[list[BindingType]] = [Binding("enter", "choose", "Walk")]
    empty_text = "looking …"

    def __init__(self, *, id: str | None = None) -> None:  # Textual's own name
        super().__init__(id=id)
        self.goldens: list[GoldenRow] = []
        self.reports: Mapping[Path, Report] = {}
        # Those that are replayed now, and those that are next.
        self.at_work: Sequence[Path] = ()

    @property
    def chosen(self) -> GoldenRow | None:
        return self.goldens[self.cursor] if self.cursor < len(self.goldens) else None

    def parts_of(self, row: int, columns: int) -> Iterable[Part]:
        one = self.goldens[row]
        name, steps, _ = rooms_of(columns)
        yield " " + fitted(safe(one.name), name) + " ", "strong"
        if steps:
            yield f"{len(one.steps) if not one.wrong else '?':>{steps - 2}}  ", ""
        yield fitted("◆ waits" if one.waits else "", _REVIEW_ROOM) + " ", "warn"
        yield self._verdict(one)

    def _verdict(self, one: GoldenRow) -> Part:
        if one.manifest in self.at_work:
            is_first = one.manifest == self.at_work[0]
            return ("replaying …", "accent") if is_first else ("next", "dim")
        report = self.reports.get(one.manifest)
        if report is not None:
            return verdict_of(report)
        return (f"refused: {one.wrong}", "bad") if one.wrong else ("not replayed", "dim")


def rooms_of(columns: int) -> tuple[int, int, int]:
    """How wide the name, the steps and the review are."""
    name = 28 if columns >= _WITH_LONG_NAME else 16
    return name, _STEPS_ROOM if columns >= _WITH_STEPS else 0, _REVIEW_ROOM


def _heading(columns: int) -> str:
    name, steps, review = rooms_of(columns)
    counted_steps = f"{'STEPS':>{steps - 2}}  " if steps else ""
    return f" {'GOLDEN':<{name}} {counted_steps}{'REVIEW':<{review}} VERDICT"


class GoldensSeen(Message):
    """The goldens that there are."""

    def __init__(self, found: list[GoldenRow]) -> None:
        super().__init__()
        self.found = found


class ReplayMade(Message):
    """What the replay of a golden came to; None once all that were asked for are done."""

    def __init__(self, report: Report | None, row: GoldenRow | None) -> None:
        super().__init__()
        self.report = report
        self.row = row


class ReviewingScreen(Screen[None]):
    """A screen on which what a replay found otherwise is looked at, accepted or rejected."""

    app: TraceApp

    def __init__(self) -> None:
        super().__init__()
        self._is_told = ""

    def _waiting(self) -> Path | None:
        """What is to be decided on now; None, and said, if that is nothing."""
        raise NotImplementedError

    def _tell(self) -> None:
        raise NotImplementedError

    def _say(self, words: str) -> None:
        self._is_told = words
        self._tell()

    def action_differences(self) -> None:
        pending = self._waiting()
        if pending is not None:
            self.app.push_screen(differences_screen(pending))

    def action_review(self, review: Review) -> None:
        pending = self._waiting()
        if pending is not None:
            ask_to(review, pending, self)


class GoldensScreen(ReviewingScreen):
    """Every golden, with what its last replay here came to and whether something waits."""

    CSS = """
    GoldensScreen > #status { text-wrap: nowrap; text-overflow: ellipsis; }
    GoldensScreen > #heading { height: 1; color: $foreground 60%; }
    GoldensScreen > GoldenList { height: 1fr; }
    GoldensScreen > Page { height: 35%; border-top: solid $foreground 20%; }
    """
    AUTO_FOCUS = "GoldenList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("x", "replay", "Replay"),
        Binding("X", "replay_all", "Replay all"),
        Binding("d", "differences", "Compare"),
        Binding("a", "review('accept')", "Accept"),
        Binding("r", "review('reject')", "Reject"),
        Binding("q,escape", "app.leave", "Back"),
        Binding("tab,shift+tab", "app.focus_next", "To the other pane", show=False),
    ]

    def __init__(self, root: Path) -> None:
        super().__init__()
        self._root = root
        # Those that are asked for while others are replayed.
        self._asked: list[Path] = []

    def compose(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        yield Static("", id="heading", markup=False)
        yield GoldenList()
        yield Page()
        yield Static("", id="status", markup=False)
        yield Footer(show_command_palette=False)

    def on_mount(self) -> None:
        head = [("cra trace  ", "bold $text-primary"), ("goldens", "bold")]
        self.query_one("#head", Static).update(Content.assemble(*head))
        self._list.reports = self.app.reports

    @property
    def _list(self) -> GoldenList:
        return self.query_one(GoldenList)

    def on_screen_resume(self) -> None:
        self._look()

    def on_resize(self) -> None:
        self.query_one("#heading", Static).update(_heading(self.app.size.width - 1))
        self._show()

    def _look(self) -> None:
        root = self._root

        def work() -> None:
            self.post_message(GoldensSeen(goldens_of(root)))

        self.run_worker(work, group="goldens", exclusive=True, thread=True)

    def on_goldens_seen(self, message: GoldensSeen) -> None:
        shown = self._list
        here = shown.chosen
        shown.goldens = message.found
        shown.empty_text = "no golden: cra golden record SESSION --name NAME makes one"
        shown.resize_to(len(message.found))
        paths = [one.manifest for one in message.found]
        if here is not None and here.manifest in paths:
            shown.move_to(paths.index(here.manifest))
        self._tell()
        self._show()

    def on_listing_moved(self, message: Listing.Moved) -> None:
        if message.listing is self._list:
            self._show()

    def _show(self) -> None:
        one = self._list.chosen
        page = self.query_one(Page)
        if one is None:
            page.write([])
            return
        lines = lines_of(one, self.app.reports.get(one.manifest), self.app.size.width - 3)
        page.write([[(" ", ""), *line] for line in lines])

    def _tell(self) -> None:
        shown = self._list
        waiting = sum(one.waits is not None for one in shown.goldens)
        parts = [(counted(len(shown.goldens), "golden"), "bold")]
        if waiting:
            words = counted(waiting, "golden waits", "goldens wait")
            parts.append((f"  {words} for a word", "$text-warning"))
        if shown.at_work:
            parts.append((f"  replaying, {len(shown.at_work)} to go", "$text-primary"))
        if self._is_told:
            parts.append((f"  {self._is_told}", "$text-primary"))
        self.query_one("#status", Static).update(Content.assemble(*parts))

    # Replays.

    def action_replay(self) -> None:
        one = self._list.chosen
        self._replay([one.manifest] if one is not None else [])

    def action_replay_all(self) -> None:
        self._replay([one.manifest for one in self._list.goldens])

    def _replay(self, manifests: Sequence[Path]) -> None:
        shown = self._list
        new = [path for path in manifests if path not in shown.at_work]
        if not new:
            return
        is_at_work = bool(shown.at_work)
        shown.at_work = [*shown.at_work, *new]
        self._asked += new
        self._is_told = ""
        if not is_at_work:
            self._begin()
        shown.refresh()
        self._tell()

    def _begin(self) -> None:
        """Replay what is asked for, one batch after the other."""
        manifests, self._asked = self._asked, []
        setting = self.app.setting

        def work() -> None:
            for report in replays_of(setting, manifests):
                self.post_message(ReplayMade(report, golden_row(report.manifest)))
                if worker.is_cancelled:
                    return
            self.post_message(ReplayMade(None, None))

        worker = self.run_worker(work, group="replay", thread=True)

    def on_replay_made(self, message: ReplayMade) -> None:
        shown = self._list
        report = message.report
        if report is None:
            if self._asked:
                self._begin()
            return
        self.app.reports[report.manifest] = report
        shown.at_work = [path for path in shown.at_work if path != report.manifest]
        shown.goldens = [
            message.row if message.row is not None and one.manifest == report.manifest else one
            for one in shown.goldens
        ]
        shown.refresh()
        self._tell()
        self._show()

    # Keys.

    def on_listing_chosen(self, message: Listing.Chosen) -> None:
        message.stop()
        one = self._list.chosen
        if one is None or message.listing is not self._list or self.app.screen is not self:
            return
        if self._is_busy(one):
            return
        from cra.tui.walking import WalkScreen

        self.app.push_screen(WalkScreen(one.manifest))

    def _is_busy(self, one: GoldenRow) -> bool:
        is_busy = one.manifest in self._list.at_work
        if is_busy:
            self._say(f"{safe(one.name)} is replayed just now")
        return is_busy

    def _waiting(self) -> Path | None:
        one = self._list.chosen
        if one is None or self._is_busy(one):
            return None
        if one.waits is None:
            self._say("nothing waits")
        return one.waits

    def on_reviewed(self, message: Reviewed) -> None:
        if not message.wrong and message.review == "accept":
            # What the last replay said was of the golden before.
            self.app.reports.pop(message.golden, None)
        self._say(message.wrong or message.words)
        self._look()


def differences_screen(pending: Path) -> DifferencesScreen:
    """What waits, held against its golden."""
    title = f"{golden_of(pending).name}: the golden, and what a replay found"
    return DifferencesScreen(title, lambda: compare_pending(pending))
