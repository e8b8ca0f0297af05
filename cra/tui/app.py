"""The viewer as a program: its screens, its themes, and what they share."""

from __future__ import annotations

import asyncio
import gc
import os
import select
import shlex
import signal
import subprocess
import sys
from collections.abc import Iterable, Sequence
from contextlib import suppress
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any, ClassVar, Final

from textual.app import App, SuspendNotSupported, SystemCommand
from textual.binding import Binding, BindingType
from textual.command import CommandPalette
from textual.screen import Screen
from textual.theme import Theme

from cra.errors import ExitCode, NotFound
from cra.ledger.index import session_id_of
from cra.ledger.source import Source
from cra.printable import safe
from cra.tui.browser import SessionsScreen
from cra.tui.clipboard import copy
from cra.tui.helping import HelpScreen, commands_of
from cra.tui.reader import ReaderScreen
from cra.tui.setting import Setting, recall, remember

if TYPE_CHECKING:
    from cra.replay.check import Report

THEMES: Final = (
    Theme(
        name="cra-dark",
        primary="#6cb6ff",
        secondary="#7ee0c6",
        accent="#d2a8ff",
        warning="#e3b341",
        error="#ff7b72",
        success="#56d364",
        foreground="#d7dde5",
        background="#0f141a",
        surface="#1a212a",
        panel="#222b36",
        dark=True,
    ),
    Theme(
        name="cra-light",
        primary="#0a58ca",
        secondary="#0b7a75",
        accent="#8250df",
        warning="#9a6700",
        error="#c2201f",
        success="#1a7f37",
        foreground="#1f2328",
        background="#ffffff",
        surface="#eef1f4",
        panel="#e2e7ec",
        dark=False,
    ),
    Theme(
        name="cra-contrast",
        primary="#66d9ff",
        secondary="#ffffff",
        accent="#ffff00",
        warning="#ffd700",
        error="#ff5555",
        success="#00ff66",
        foreground="#ffffff",
        background="#000000",
        surface="#000000",
        panel="#1c1c1c",
        dark=True,
        text_alpha=1.0,
    ),
)


# A program that is not told of a hang-up, under nohup say, does not outlive its terminal either.
_LOOK_SECONDS: Final = 1.0
_SIGNALLED: Final = 128
# How much of an id mostly tells sessions apart.
_ID_ROOM: Final = 13
# How long a thread that counts or searches keeps the interpreter before a key gets its turn.
_SWITCH_SECONDS: Final = 0.001


class Palette(CommandPalette):
    """Every command by its name."""

    def _action_command_list(self, action: str) -> None:
        # Commands that are not drawn yet have no lines to turn a page of.
        with suppress(KeyError):
            super()._action_command_list(action)


class TraceApp(App[None]):
    """What `cra trace tui` runs."""

    TITLE = "cra trace"
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("question_mark", "help", "Keys", key_display="?"),
        # By its own name: where somebody types, the other one is text.
        Binding("f1", "help", "Keys"),
        Binding(
            "ctrl+p", "command_palette", "Every command by its name", show=False, priority=True
        ),
        Binding("f2", "next_theme", "Next theme", show=False),
        Binding("ctrl+q", "quit", "Quit at once", show=False),
        Binding("ctrl+z", "suspend_process", "Suspend", show=False),
    ]
    CSS = """
    Screen { background: $background; }
    ModalScreen { background: $background 70%; }
    Footer { background: $surface; }
    /* Whatever else there is no room for: the key that shows all keys. */
    Footer > FooterKey:last-child { dock: right; }
    /* Above the line that says what is going on, and the one that is typed in. */
    ToastRack { margin-bottom: 3; }
    Screen > #head, Screen > #status { height: 1; padding: 0 1; background: $surface; }
    """

    def __init__(
        self,
        setting: Setting,
        session: Path | None = None,
        *,
        expression: str = "",
        at: int | None = None,
        has_mouse: bool | None = None,
    ) -> None:
        super().__init__()
        self.setting = setting
        self.choices = recall(setting.state)
        if has_mouse is not None:
            self.choose(mouse=has_mouse)
        # By a golden's manifest: what its last replay here came to.
        self.reports: dict[Path, Report] = {}
        # While another program has the terminal.
        self._is_outside = False
        self._session = session
        self._expression = expression
        self._at = at

    def on_mount(self) -> None:
        sys.setswitchinterval(_SWITCH_SECONDS)
        if not self.is_headless:
            self.set_interval(_LOOK_SECONDS, self._leave_with_terminal)
            loop = asyncio.get_running_loop()

            def leave(number: int, _: object) -> None:
                # Ctrl-C in a pager is for the pager.
                if number != signal.SIGINT or not self._is_outside:
                    loop.call_soon_threadsafe(self._leave_for, number)

            for number in (signal.SIGHUP, signal.SIGINT, signal.SIGTERM):
                signal.signal(number, leave)
        for theme in THEMES:
            self.register_theme(theme)
        known = self.choices.theme in self.available_themes
        self.theme = self.choices.theme if known else THEMES[0].name
        self.theme_changed_signal.subscribe(self, self._keep_theme)
        if self._session is None:
            self.push_screen(SessionsScreen())
        else:
            self.push_screen(ReaderScreen(self._session, self._expression, self._at))

    def on_ready(self) -> None:
        # What is loaded by now stays: to look through all of it for garbage stops a key for 60 ms.
        gc.freeze()

    def _leave_for(self, number: int) -> None:
        """Give the terminal back before a signal ends it all."""
        self.exit(return_code=_SIGNALLED + number)

    def _leave_with_terminal(self) -> None:
        waiting = select.poll()
        waiting.register(sys.stdin.fileno(), 0)  # a hang-up is told unasked
        # macOS answers for a terminal that it cannot be asked about.
        if any(told & select.POLLHUP for _, told in waiting.poll(0)):
            self._leave_for(signal.SIGHUP)

    def _keep_theme(self, theme: Theme) -> None:
        self.choose(theme=theme.name)

    def choose(self, **changed: Any) -> None:
        """See things otherwise from now on, and the next time."""
        choices = self.choices._replace(**changed)
        if choices != self.choices:
            self.choices = choices
            remember(self.setting.state, choices)

    def read(self, path: Path, at: int | None = None) -> None:
        """Show a session."""
        self._go_on(ReaderScreen(path, at=at))

    def compare(self, one: Path, other: Path) -> None:
        """Show how two sessions differ."""
        from cra.tui.comparing import DifferencesScreen, compare_sessions

        whole = session_id_of(one), session_id_of(other)
        short = whole[0][:_ID_ROOM], whole[1][:_ID_ROOM]
        names = short if short[0] != short[1] else whole
        title = " and ".join(names)
        self._go_on(DifferencesScreen(title, lambda: compare_sessions(one, other), names))

    def compare_with_golden(self, session: Path) -> None:
        """Let somebody choose a golden, and show how a session differs from it."""
        from cra.replay.golden import FOLDER, find_manifests
        from cra.tui.asking import PickScreen
        from cra.tui.comparing import DifferencesScreen, compare_golden

        root = self.setting.root
        try:
            manifests = find_manifests(root / FOLDER) if root is not None else []
        except NotFound:
            manifests = []
        goldens = [path.parent for path in manifests]
        if not goldens:
            self.notify(
                "no golden to compare it with; in the list of sessions, space marks one and D "
                "compares it with the one under the cursor"
            )
            return

        def take(golden: Path | None) -> None:
            if golden is not None:
                title = f"{golden.name} (golden) and {session_id_of(session)[:_ID_ROOM]} (now)"
                self._go_on(DifferencesScreen(title, compare_golden(golden, session)))

        self.push_screen(PickScreen("Compare it with which golden?", goldens), take)

    def action_approvals(self) -> None:
        from cra.tui.deciding import ApprovalsScreen

        self._go_on(ApprovalsScreen())

    def action_review(self) -> None:
        from cra.tui.goldens import GoldensScreen

        root = self.setting.root
        if root is None:
            self.notify("goldens belong to a project: there is none here")
        else:
            self._go_on(GoldensScreen(root))

    def _go_on(self, screen: Screen[None]) -> None:
        """Show a screen; what was told on the one before is of that one."""
        self.clear_notifications()
        self.push_screen(screen)

    def leave(self) -> None:
        """Leave the screen; the program with the list of sessions."""
        if len(self.screen_stack) > 2:
            self.pop_screen()
        elif isinstance(self.screen, SessionsScreen):
            self.exit()
        else:
            self.switch_screen(SessionsScreen())

    def action_leave(self) -> None:
        self.leave()

    def copy(self, text: str) -> None:
        """Copy a text, and say how."""

        def write(sequence: str) -> None:
            if self._driver is not None:
                self._driver.write(sequence)

        self.notify(copy(text, self.setting.environ, write), timeout=3)

    def page(self, text: str) -> None:
        """Show a text in the user's pager, on the screen that was there before."""
        self._run_outside(self.setting.environ.get("PAGER") or "less", "PAGER", (), text.encode())

    def edit(self, text: str, name: str) -> None:
        """Open a copy of a text in the user's editor; what is done to it there is not kept."""
        environ = self.setting.environ
        editor = environ.get("VISUAL") or environ.get("EDITOR") or "vi"
        with TemporaryDirectory(prefix="cra-") as folder:
            path = Path(folder) / name
            path.write_text(text, encoding="utf-8")
            self._run_outside(editor, "EDITOR", (str(path),), None)

    def _run_outside(
        self, command: str, name: str, arguments: Sequence[str], given: bytes | None
    ) -> None:
        """Run a program that the user names, on the screen that was there before."""
        self._is_outside = True
        try:
            # What is raised in there would leave the terminal as it is for the program.
            with self.suspend():
                wrong = _run(command, arguments, given)
        except SuspendNotSupported as error:
            wrong = str(error)
        finally:
            self._is_outside = False
        if wrong:
            told = f"{command} cannot be run, {wrong}: set {name}"
            self.notify(safe(told), severity="error", timeout=10, markup=False)

    def _write_picture(self) -> None:
        self._write_screen("svg", self.export_screenshot())

    def _write_text(self) -> None:
        # Nothing public has the lines of a screen.
        strips = self.screen._compositor.render_strips()  # noqa: SLF001
        lines = (strip.text.rstrip() for strip in strips)
        self._write_screen("txt", "\n".join(lines) + "\n")

    def _write_screen(self, suffix: str, text: str) -> None:
        moment = Source().now()[:19].replace(":", "")
        path = Path(f"cra-trace-{moment}.{suffix}")
        try:
            with path.open("x", encoding="utf-8") as file:
                file.write(text)
        except OSError as error:
            self.notify(f"not written: {error.strerror}: {path}", severity="error")
        else:
            self.notify(f"written: {path}")

    def action_command_palette(self) -> None:
        if not isinstance(self.screen, Palette):
            self.push_screen(Palette(id="--command-palette"))

    def action_help(self) -> None:
        if not isinstance(self.screen, HelpScreen):
            self.push_screen(HelpScreen(self.screen))

    def action_next_theme(self) -> None:
        names = [theme.name for theme in THEMES]
        at = names.index(self.theme) + 1 if self.theme in names else 0
        self.theme = names[at % len(names)]
        self.notify(self.theme, timeout=2)

    def get_system_commands(self, screen: Screen[Any]) -> Iterable[SystemCommand]:
        yield SystemCommand("Choose a theme", "By its name", self.action_change_theme)
        yield SystemCommand("Picture", "Write the screen here as SVG", self._write_picture)
        yield SystemCommand("Text", "Write the screen here as text", self._write_text)
        for one in commands_of(screen):
            # To move in a list is quicker by its keys, and this is the palette.
            if one.owner != "Listing" and one.action != "command_palette":
                yield SystemCommand(
                    one.told,
                    f"key {one.keys}",
                    lambda one=one: self.call_later(self.run_action, one.action, one.node),
                )


def _run(command: str, arguments: Sequence[str], given: bytes | None) -> str:
    """Run a program that is named with its first arguments. Returns why it cannot be run."""
    try:
        words = shlex.split(command)
        if not words:
            return "it names no program"
        subprocess.run([*words, *arguments], input=given, check=False)
    except (OSError, ValueError) as error:
        return str(error)
    return ""


def run(app: TraceApp) -> int:
    """Run the viewer until somebody leaves it. Returns the exit code, or ends as a signal does."""
    app.run(mouse=app.choices.mouse)
    code = app.return_code or 0
    if code > _SIGNALLED and code != ExitCode.INTERRUPTED:
        signal.signal(code - _SIGNALLED, signal.SIG_DFL)
        os.kill(os.getpid(), code - _SIGNALLED)
    return code
