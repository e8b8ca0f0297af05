"""The line in which somebody types what to look for, which events to show, or where to go."""

from __future__ import annotations

from typing import ClassVar, Final

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.widgets import Input, Static

_MAX_HISTORY: Final = 50


class Prompt(Vertical):
    """A label, a line to type in, and in place what is wrong with it. It shows while it is used."""

    DEFAULT_CSS = """
    Prompt { height: auto; background: $surface; }
    Prompt > Horizontal { height: 1; }
    Prompt #label { width: auto; padding: 0 1; color: $text-primary; text-style: bold; }
    Prompt Input { width: 1fr; background: $surface; }
    Prompt > #wrong { height: auto; max-height: 3; padding: 0 1; display: none; }
    Prompt > #wrong { color: $text-error; }
    Prompt > #wrong.-said { display: block; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape", "leave", "Leave it", show=False),
        Binding("up", "recall(-1)", "What was typed before", show=False),
        Binding("down", "recall(1)", "What was typed after", show=False),
    ]

    class Typed(Message):
        """What stands in the line is another text now."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose = purpose
            self.text = text

    class Entered(Message):
        """Somebody means what stands in the line."""

        def __init__(self, purpose: str, text: str) -> None:
            super().__init__()
            self.purpose = purpose
            self.text = text

    class Left(Message):
        """Somebody does not mean it after all."""

        def __init__(self, purpose: str) -> None:
            super().__init__()
            self.purpose = purpose

    def __init__(self) -> None:
        super().__init__()
        self.purpose = ""
        self._history: dict[str, list[str]] = {}
        self._place = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="wrong", markup=False)
        with Horizontal():
            yield Static("", id="label", markup=False)
            yield Input(compact=True, select_on_focus=False, id="line")

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.display = False

    @property
    def is_open(self) -> bool:
        return bool(self.purpose)

    def open(self, purpose: str, label: str, text: str = "", hint: str = "") -> None:
        """Ask for a text."""
        self.purpose = purpose
        self._place = len(self._history.get(purpose, ()))
        self.query_one("#label", Static).update(label)
        self.say("")
        line = self.query_one(Input)
        with line.prevent(Input.Changed):
            line.value = text
        line.placeholder = hint
        line.cursor_position = len(text)
        self.display = True
        # At once: the next key may be there already.
        self.screen.set_focus(line)
        self.screen.refresh_bindings()

    def close(self) -> None:
        self.display = False
        self.purpose = ""
        self.screen.refresh_bindings()

    def say(self, wrong: str) -> None:
        """Say what is wrong with what stands there."""
        told = self.query_one("#wrong", Static)
        told.update(Content(wrong))
        told.set_class(bool(wrong), "-said")

    def on_input_changed(self, event: Input.Changed) -> None:
        event.stop()
        if self.is_open:
            self.post_message(self.Typed(self.purpose, event.value))

    def on_input_submitted(self, event: Input.Submitted) -> None:
        event.stop()
        known = self._history.setdefault(self.purpose, [])
        if event.value and event.value not in known[-1:]:
            known.append(event.value)
            del known[:-_MAX_HISTORY]
        self.post_message(self.Entered(self.purpose, event.value))

    def action_leave(self) -> None:
        self.post_message(self.Left(self.purpose))

    def action_recall(self, step: int) -> None:
        known = self._history.get(self.purpose, [])
        self._place = max(0, min(self._place + step, len(known)))
        line = self.query_one(Input)
        line.value = known[self._place] if self._place < len(known) else ""
        line.cursor_position = len(line.value)
