"""The first screen: every session of the ledger, as they come and go on."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Footer, Static
from textual.worker import Worker, get_current_worker

from cra.amount import counted
from cra.errors import CraError, NotFound
from cra.ledger.index import session_id_of
from cra.ledger.source import Source
from cra.printable import safe
from cra.tui.judging import LedgerVerdict, judge_ledger
from cra.tui.listing import Listing
from cra.tui.prompt import Prompt, PromptedScreen
from cra.tui.sessions import (
    CHECKPOINT,
    ORDERS,
    Count,
    Glance,
    SessionList,
    Stamp,
    arranged,
    count_on,
    heading_of,
    stamps,
    survey,
)
from cra.tui.telling import in_words

if TYPE_CHECKING:
    from collections.abc import Mapping

    from cra.tui.app import TraceApp

_NOTHING: Final = "there is nothing to verify: no session is recorded here yet"
_LOOK_SECONDS: Final = 1.0
# What is larger is verified when somebody asks.
_MAX_VERIFIED: Final = 256 << 20
# What is larger is not verified again by itself whenever it has grown: that takes half a second.
_MAX_AGAIN: Final = 32 << 20


class Surveyed(Message):
    """The sessions that are found so far; once it is all of them, with the stamps of the files."""

    def __init__(self, found: list[Glance], files: dict[str, Stamp] | None = None) -> None:
        super().__init__()
        self.found = found
        self.files = files


class Unreadable(Message):
    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words


class LedgerJudged(Message):
    """The verdict on the ledger; None if there is none, for a problem or for want of a ledger."""

    def __init__(self, verdict: LedgerVerdict | None, problem: str = "") -> None:
        super().__init__()
        self.verdict = verdict
        self.problem = problem


class Recounted(Message):
    """How far the calls of a session are counted, as its file was with a stamp."""

    def __init__(self, path: Path, stamp: Stamp, count: Count) -> None:
        super().__init__()
        self.path = path
        self.stamp = stamp
        self.count = count


class SessionsScreen(PromptedScreen):
    """All sessions, with what is known of each."""

    app: TraceApp

    CSS = """
    SessionsScreen > #columns { height: 1; color: $text-primary; }
    SessionsScreen > SessionList { height: 1fr; }
    """
    AUTO_FOCUS = "SessionList"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("slash", "search", "Find", key_display="/", priority=True),
        Binding("s", "sort", "Sort"),
        Binding("space", "mark", "Mark to compare", show=False),
        Binding("D", "compare", "Compare"),
        Binding("A", "app.approvals", "Approvals"),
        Binding("R", "app.review", "Goldens"),
        Binding("v", "verify", "Verify the ledger", show=False),
        Binding("q", "app.leave", "Quit"),
        Binding("escape", "undo", "Undo the search", show=False),
    ]

    def __init__(self) -> None:
        super().__init__()
        self._found: list[Glance] = []
        self._order = ORDERS[0]
        self._words = ""
        self._is_surveying = False
        self._verdict: LedgerVerdict | None = None
        self._problem = ""
        self._is_verifying = False
        # Whether a verification was begun: somebody may remember a ledger that is empty now.
        self._is_begun = False
        # Whether somebody waits for what the verification comes to.
        self._is_asked = False
        # The files as they are, and as they were when they were verified.
        self._files: dict[str, Stamp] = {}
        self._judged: dict[str, Stamp] = {}
        self._counts: dict[Path, tuple[Stamp, Count]] = {}
        self._counting: Worker[None] | None = None
        self._wrong = ""

    def compose(self) -> ComposeResult:
        yield Static("", id="head", markup=False)
        yield Static("", id="columns", markup=False)
        yield SessionList(id="sessions")
        yield Static("", id="status", markup=False)
        yield Prompt()
        yield Footer(show_command_palette=False)

    @property
    def _list(self) -> SessionList:
        return self.query_one(SessionList)

    def on_mount(self) -> None:
        self._list.empty_text = "looking …"
        self._look()
        self.set_interval(_LOOK_SECONDS, self._look)
        self._tell()

    def on_resize(self) -> None:
        self.query_one("#columns", Static).update(Content(heading_of(self.app.size.width - 1)))

    # What is there.

    def _look(self) -> None:
        if self._is_surveying or not self.is_current:
            return
        self._is_surveying = True
        directory = self.app.setting.directory
        known = {one.path: one for one in self._found}

        def work() -> None:
            worker = get_current_worker()
            try:
                # Before what is in them: what changes meanwhile is another file the next time.
                files = stamps(directory)
                found = survey(
                    directory,
                    known,
                    lambda: worker.is_cancelled,
                    lambda some: self._post(Surveyed(some)),
                )
            except OSError as error:
                self.post_message(Unreadable(f"{error.strerror}: {directory}"))
            else:
                self.post_message(Surveyed(found, files))

        self.run_worker(work, group="survey", thread=True)

    def _post(self, message: Message) -> None:
        self.post_message(message)

    def on_surveyed(self, message: Surveyed) -> None:
        self._found = [self._with_count(one) for one in message.found]
        self._wrong = ""
        if message.files is not None:
            self._files = message.files
            self._is_surveying = False
            self._list.empty_text = (
                "no session has these words: escape shows all"
                if self._words and self._found
                else SessionList.empty_text
            )
        self._arrange()
        if message.files is not None:
            size = sum(size for _, size, *_ in self._files.values())
            # No writer takes a file away: that is worth a verification.
            has_all = self._verdict is not None and self._judged.keys() <= self._files.keys()
            limit = _MAX_AGAIN if has_all else _MAX_VERIFIED
            if size <= limit and (self._has_changed or not self._is_begun):
                self._verify()
            self._count()

    def on_unreadable(self, message: Unreadable) -> None:
        self._is_surveying = False
        self._wrong = safe(message.words)
        self._list.empty_text = self._wrong
        self._arrange()

    @property
    def _has_changed(self) -> bool:
        """Whether a file is not what was verified, has come or has gone."""
        return self._files != self._judged

    def _is_judged(self, path: Path) -> bool:
        """Whether a session is what was verified."""
        names = (path.name, f"{session_id_of(path)}{CHECKPOINT}")
        return all(self._judged.get(name) == self._files.get(name) for name in names)

    def _arrange(self) -> None:
        found = self._found
        verdicts: Mapping[str, str] = {}
        if self._verdict is not None:
            verdicts = self._verdict.by_session
            if self._has_changed:
                old = {one.outline.id for one in found if not self._is_judged(one.path)}
                verdicts = {name: told for name, told in verdicts.items() if name not in old}
        if self._verdict is not None and self._verdict.missing:
            paths = {one.path for one in found}
            missing = [one for one in self._verdict.missing if one.path not in paths]
            found = sorted([*found, *missing], key=lambda one: one.path.name, reverse=True)
        self._list.verdicts = verdicts
        self._list.show(arranged(found, self._order, self._words), Source().now())
        self._tell()

    # The calls of large sessions.

    def _count(self) -> None:
        """Count the calls of the large sessions that are not what was counted, the smallest
        first."""
        is_counting = self._counting is not None and not self._counting.is_finished
        if is_counting or not self.is_current:
            return
        waiting = []
        large = [one for one in self._found if one.is_large]
        for one in sorted(large, key=lambda one: one.stamp[1]):
            stamp, count = self._counts.get(one.path, (one.stamp, Count()))
            is_same = stamp == one.stamp
            if not (is_same and count.is_whole):
                # What was counted holds for a file that has only grown.
                goes_on = is_same or one.stamp[1] > stamp[1]
                waiting.append((one.path, one.stamp, count if goes_on else Count()))
        if not waiting:
            return

        def work() -> None:
            worker = get_current_worker()
            for path, stamp, before in waiting:
                if worker.is_cancelled:
                    break
                try:
                    count = count_on(path, before, lambda: worker.is_cancelled)
                except (CraError, OSError):
                    # What is wrong with it is said elsewhere.
                    continue
                self.post_message(Recounted(path, stamp, count))

        self._counting = self.run_worker(work, group="count", thread=True)

    def on_recounted(self, message: Recounted) -> None:
        self._counts[message.path] = (message.stamp, message.count)
        self._found = [self._with_count(one) for one in self._found]
        self._arrange()

    def _with_count(self, one: Glance) -> Glance:
        """A session with what was counted of it last, if it was not counted at a glance."""
        if not one.is_large or one.path not in self._counts:
            return one
        _, count = self._counts[one.path]
        is_known = count.is_whole and count.inode == one.stamp[0]
        return one._replace(outcomes=count.outcomes) if is_known else one

    def on_screen_suspend(self) -> None:
        # Another screen has the machine to itself; it goes on from here when this one is back.
        self.workers.cancel_group(self, "count")

    # The verdict on all of it.

    def action_verify(self) -> None:
        self._is_asked = True
        self._verify()

    def _verify(self) -> None:
        if self._is_verifying:
            return
        self._is_verifying = self._is_begun = True
        self._judged = self._files
        setting = self.app.setting
        unread = [one.outline.id for one in self._found if one.state == "unreadable"]

        def work() -> None:
            try:
                found = LedgerJudged(judge_ledger(setting, unread))
            except NotFound:
                found = LedgerJudged(None, "no session can be read" if unread else "")
            except OSError as error:
                name = safe(Path(error.filename or setting.directory).name)
                found = LedgerJudged(None, f"{error.strerror}: {name}")
            except CraError as error:
                found = LedgerJudged(None, in_words(error))
            self.post_message(found)

        self.run_worker(work, group="verify", exclusive=True, thread=True)
        self._tell()

    def on_ledger_judged(self, message: LedgerJudged) -> None:
        self._verdict, self._problem = message.verdict, message.problem
        self._is_verifying = False
        self._arrange()
        if self._is_asked:
            self._is_asked = False
            self._explain()

    def _explain(self) -> None:
        """Say what the verdict rests on, or what is wrong and with which parts."""
        found = self._verdict
        severity: Any = "information"
        if self._wrong or self._problem or (found is not None and found.unread):
            severity = "warning"
        if found is not None and not found.is_sound:
            severity = "error"
        problem = self._wrong or self._problem
        words = found.explained if found is not None else problem or _NOTHING
        self.notify(words, severity=severity, timeout=15, markup=False)

    # Keys.

    def on_listing_chosen(self, message: Listing.Chosen) -> None:
        message.stop()
        # A second key may come before the session does.
        if self.app.screen is self:
            self.action_open()

    def action_open(self) -> None:
        chosen = self._list.chosen
        if chosen is not None:
            self.app.read(chosen.path)

    def action_sort(self) -> None:
        self._order = ORDERS[(ORDERS.index(self._order) + 1) % len(ORDERS)]
        self._arrange()

    def action_mark(self) -> None:
        chosen = self._list.chosen
        if chosen is not None:
            self._list.marked = None if self._list.marked == chosen.path else chosen.path
            self._list.refresh()
            self._tell()

    def action_compare(self) -> None:
        chosen, marked = self._list.chosen, self._list.marked
        if chosen is None:
            self.notify("there is no session to compare")
        elif marked is None or chosen.path == marked:
            self.app.compare_with_golden(chosen.path)
        else:
            self.app.compare(marked, chosen.path)

    def action_search(self) -> None:
        self._prompt.open("find", "/", self._words, "words of the id, the agent or the goal")

    def on_prompt_typed(self, message: Prompt.Typed) -> None:
        self._words = message.text
        self._arrange()

    def on_prompt_entered(self, message: Prompt.Entered) -> None:
        self._words = message.text
        self._close_prompt()

    def on_prompt_left(self, _: Prompt.Left) -> None:
        self._words = ""
        self._close_prompt()

    def _close_prompt(self) -> None:
        self._prompt.close()
        self.set_focus(self._list)
        self._arrange()

    def action_undo(self) -> None:
        if self._words:
            self._words = ""
            self._arrange()
        else:
            self.app.leave()

    def _tell(self) -> None:
        place = safe("/".join(self.app.setting.directory.parts[-2:]))
        head = [("cra trace  ", "bold $text-primary"), (place, "dim")]
        if self._words:
            head.append((f"  only {safe(self._words)}", "$text-warning"))
        self.query_one("#head", Static).update(Content.assemble(*head))
        parts = [self._trust()]
        parts.append((f"  {counted(len(self._list.glances), 'session')}", ""))
        if unread := self._unread:
            parts.append((f"  {unread:,} unreadable", "$text-warning"))
        marked = self._list.marked
        if marked is not None:
            is_shown = any(one.path == marked for one in self._list.glances)
            place = "" if is_shown else ", not shown"
            parts.append((f"  1 marked{place}: D compares it", "$text-primary"))
        parts.append((f"  by {self._order}", "dim"))
        self.query_one("#status", Static).update(Content.assemble(*parts))

    @property
    def _unread(self) -> int:
        """How many sessions could not be read."""
        seen = {one.outline.id for one in self._found if one.state == "unreadable"}
        return len(seen | (self._verdict.unread.keys() if self._verdict is not None else set()))

    def _trust(self) -> tuple[str, str]:
        found = self._verdict
        if self._wrong:
            return "✗ unreadable", "bold $text-error"
        if self._problem:
            return f"? not verified: {self._problem}", "bold $text-warning"
        if found is not None:
            return self._told(found)
        if self._is_verifying:
            return "verifying", "dim"
        return "not verified (v)" if self._found else "empty", "dim"

    def _told(self, found: LedgerVerdict) -> tuple[str, str]:
        """The verdict in a few words, and whether it is on what is there now."""
        is_late = self._has_changed and not self._is_verifying
        late = " before the last change (v)" if is_late else ""
        if not found.is_sound:
            return f"✗ {found.verdict}{late}", "bold $text-error"
        if is_late:
            return f"{found.verdict}{late}", "dim"
        is_clean = found.verdict.startswith("INTACT") and not found.unread
        style = "$text-success" if is_clean else "$text-warning"
        return f"{'?' if found.unread else '✓'} {found.verdict}", f"bold {style}"
