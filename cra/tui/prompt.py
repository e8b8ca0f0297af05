"""The line in which somebody types what to look for, which events to show, or where to go."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TYPE_CHECKING, ClassVar, TypeAlias

from textual.app import ComposeResult
from textual.binding import ActiveBinding, Binding, BindingType
from textual.containers import Horizontal, Vertical
from textual.content import Content
from textual.message import Message
from textual.screen import Screen
from textual.suggester import Suggester
from textual.widgets import Input, Static

if TYPE_CHECKING:
    from cra.tui.app import TraceApp

# What a text that is being typed is probably going to be.
Complete: TypeAlias = Callable[[str], str | None]


class PromptLine(Input):
    """Where it is typed."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "submit", "Take it"),
        # Here: what scrolls has them for itself otherwise, and nobody would be told of them.
        Binding("up", "screen.recall(-1)", "Typed before"),
        Binding("down", "screen.recall(1)", "Typed after", show=False),
    ]


class Prompt(Vertical):
    """A label, a line to type in, and in place what is wrong with it. It shows while it is used."""

    app: TraceApp

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
        Binding("escape", "leave", "Leave it"),
        Binding("tab", "complete", "Complete it"),
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
        self._suggester = _Proposing()
        self._place = 0

    def compose(self) -> ComposeResult:
        yield Static("", id="wrong", markup=False)
        with Horizontal():
            yield Static("", id="label", markup=False)
            yield PromptLine(
                compact=True, select_on_focus=False, id="line", suggester=self._suggester
            )

    def on_mount(self) -> None:
        self.query_one(Input).cursor_blink = False
        self.display = False

    @property
    def _known(self) -> Sequence[str]:
        """What was typed for this purpose before, on any screen."""
        return self.app.choices.typed.get(self.purpose, ())

    @property
    def is_open(self) -> bool:
        return bool(self.purpose)

    def open(
        self,
        purpose: str,
        label: str,
        text: str = "",
        hint: str = "",
        complete: Complete | None = None,
    ) -> None:
        """Ask for a text."""
        self.purpose = purpose
        self._suggester.complete = complete
        self._place = len(self._known)
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

    def does(self, action: str) -> bool:
        """Whether a key comes to anything now."""
        if action == "complete":
            return self._suggester.complete is not None
        return not action.startswith("screen.recall") or bool(self._known)

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
        if event.value:
            self.app.choose(typed=self.app.choices.with_typed(self.purpose, event.value).typed)
            self._place = len(self._known)
        self.post_message(self.Entered(self.purpose, event.value))

    def action_complete(self) -> None:
        line = self.query_one(Input)
        line.action_end()
        line.action_cursor_right()

    def action_leave(self) -> None:
        self.post_message(self.Left(self.purpose))

    def recall(self, step: int) -> None:
        """Have what was typed before or after what stands there."""
        known = self._known
        self._place = max(0, min(self._place + step, len(known)))
        line = self.query_one(Input)
        line.value = known[self._place] if self._place < len(known) else ""
        line.cursor_position = len(line.value)


class _Proposing(Suggester):
    def __init__(self) -> None:
        super().__init__(use_cache=False, case_sensitive=True)
        self.complete: Complete | None = None

    async def get_suggestion(self, value: str) -> str | None:
        return self.complete(value) if self.complete is not None else None


class PromptedScreen(Screen[None]):
    """A screen in which somebody types now and then: meanwhile its keys are text."""

    @property
    def _prompt(self) -> Prompt:
        return self.query_one(Prompt)

    @property
    def active_bindings(self) -> dict[str, ActiveBinding]:
        """The keys that come to anything now, which is what is told of them."""
        found = super().active_bindings
        if not self.is_mounted:
            return found
        does = self._prompt.does
        return {key: one for key, one in found.items() if does(one.binding.action)}

    def action_recall(self, step: int) -> None:
        self._prompt.recall(step)

    def check_action(self, action: str, parameters: tuple[object, ...]) -> bool | None:  # noqa: ARG002
        """Whether a key does something."""
        is_asked = self.is_mounted and self._prompt.is_open
        return not (is_asked and f"action_{action}" in vars(type(self)))
