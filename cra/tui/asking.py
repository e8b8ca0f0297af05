"""Questions that stand over a screen until they are answered."""

from __future__ import annotations

from pathlib import Path
from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.content import Content
from textual.screen import ModalScreen
from textual.widgets import Static

from cra.printable import safe
from cra.tui.listing import Listing, Page


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
