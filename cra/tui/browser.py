"""The first screen: every session of the ledger, as they come and go on."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.message import Message
from textual.widgets import Footer, Static
from textual.worker import get_current_worker

from cra.amount import counted
from cra.errors import CraError
from cra.ledger.source import Source
from cra.printable import safe
from cra.tui.listing import Listing
from cra.tui.prompt import Prompt, PromptedScreen
from cra.tui.sessions import ORDERS, Glance, SessionList, arranged, heading_of, survey

if TYPE_CHECKING:
    from pathlib import Path

    from cra.tui.app import TraceApp

_LOOK_SECONDS: Final = 1.0
# What is larger is verified when somebody asks.
_MAX_VERIFIED: Final = 256 << 20
# What is larger is not verified again by itself whenever it has grown: that takes half a second.
_MAX_AGAIN: Final = 32 << 20


class Surveyed(Message):
    def __init__(self, found: list[Glance], *, is_whole: bool) -> None:
        super().__init__()
        self.found = found
        self.is_whole = is_whole


class Unreadable(Message):
    def __init__(self, words: str) -> None:
        super().__init__()
        self.words = words


class LedgerJudged(Message):
    """The verdict on the ledger and on each of its sessions; a problem where there is none."""

    def __init__(self, verdict: str, by_session: dict[str, str], *, is_sound: bool) -> None:
        super().__init__()
        self.verdict = verdict
        self.by_session = by_session
        self.is_sound = is_sound


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
        self._verdict: LedgerJudged | None = None
        self._is_verifying = False
        # The files that are verified, as they were then.
        self._judged: dict[Path, tuple[int, int, int]] = {}
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
                found = survey(
                    directory,
                    known,
                    lambda: worker.is_cancelled,
                    lambda some: self._post(Surveyed(some, is_whole=False)),
                )
            except OSError as error:
                self.post_message(Unreadable(f"{error.strerror}: {directory}"))
            else:
                self.post_message(Surveyed(found, is_whole=True))

        self.run_worker(work, group="survey", thread=True)

    def _post(self, message: Message) -> None:
        self.post_message(message)

    def on_surveyed(self, message: Surveyed) -> None:
        self._found = message.found
        self._wrong = ""
        if message.is_whole:
            self._is_surveying = False
            self._list.empty_text = (
                "no session has these words: escape shows all"
                if self._words and self._found
                else SessionList.empty_text
            )
        self._arrange()
        if message.is_whole and self._found:
            size = sum(one.stamp[1] for one in self._found)
            if size <= (_MAX_VERIFIED if self._verdict is None else _MAX_AGAIN) and self._unjudged:
                self.action_verify()

    def on_unreadable(self, message: Unreadable) -> None:
        self._is_surveying = False
        self._wrong = safe(message.words)
        self._list.empty_text = self._wrong
        self._arrange()

    @property
    def _unjudged(self) -> set[str]:
        """The sessions that are not what was verified."""
        judged = self._judged
        return {one.outline.id for one in self._found if judged.get(one.path) != one.stamp}

    def _arrange(self) -> None:
        known = self._verdict.by_session if self._verdict is not None else {}
        unjudged = self._unjudged
        self._list.verdicts = {name: told for name, told in known.items() if name not in unjudged}
        self._list.show(arranged(self._found, self._order, self._words), Source().now())
        self._tell()

    # The verdict on all of it.

    def action_verify(self) -> None:
        if self._is_verifying:
            return
        self._is_verifying = True
        self._judged = {one.path: one.stamp for one in self._found}
        setting = self.app.setting

        def work() -> None:
            from cra.ledger.verify import verify_ledger

            try:
                report = verify_ledger(
                    setting.directory, setting.trust, memory=setting.memory, cores=setting.cores
                )
            except (CraError, OSError) as error:
                words = safe(str(error).split("\n")[0])
                self.post_message(LedgerJudged(words, {}, is_sound=False))
                return
            by_session = {
                part.name: f"{part.verdict.name} {part.level.name.split('_')[0]}"
                if part.verdict.exit_code == 0
                else part.verdict.name
                for part in report.sessions
            }
            verdict = f"{report.verdict.name} {report.level}"
            is_sound = report.verdict.exit_code == 0
            self.post_message(LedgerJudged(verdict, by_session, is_sound=is_sound))

        self.run_worker(work, group="verify", exclusive=True, thread=True)
        self._tell()

    def on_ledger_judged(self, message: LedgerJudged) -> None:
        self._verdict, self._is_verifying = message, False
        self._arrange()

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
        parts.append((f"  by {self._order}", "dim"))
        if self._list.marked is not None:
            parts.append(("  1 marked: D compares it", "$text-primary"))
        self.query_one("#status", Static).update(Content.assemble(*parts))

    def _trust(self) -> tuple[str, str]:
        found = self._verdict
        if self._wrong:
            return "✗ unreadable", "bold $text-error"
        if self._is_verifying and found is None:
            return "verifying", "dim"
        if found is None:
            return "not verified (v)" if self._found else "empty", "dim"
        if found.is_sound and self._unjudged:
            return f"{found.verdict} before the last change (v)", "dim"
        if found.is_sound:
            style = "$text-success" if found.verdict.startswith("INTACT") else "$text-warning"
            return f"✓ {found.verdict}", f"bold {style}"
        return f"✗ {found.verdict}", "bold $text-error"
