"""The keys that work now, read from what is bound."""

from __future__ import annotations

from typing import ClassVar

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.screen import ModalScreen, Screen
from textual.widgets import Static

from cra.tui.listing import Page, Part

_KEY_ROOM = 16
_TITLES = {
    "ReaderScreen": "This session",
    "SessionsScreen": "The sessions",
    "ApprovalsScreen": "Approvals",
    "WaitingList": "The calls that wait",
    "DifferencesScreen": "Differences",
    "GoldensScreen": "The goldens",
    "WalkScreen": "A walk through a golden",
    "DifferenceList": "The list of differences",
    "GoldenList": "The list of goldens",
    "WalkList": "The steps of the golden",
    "Timeline": "The list of events",
    "Inspector": "The inspector",
    "SessionList": "The list of sessions",
    "Listing": "Every list",
    "TraceApp": "Everywhere",
}


class HelpScreen(ModalScreen[None]):
    """A page of keys over the screen that they are for."""

    CSS = """
    HelpScreen { align: center middle; }
    HelpScreen > #title {
        width: 76; max-width: 100%; height: 1; padding: 0 1;
        background: $primary; color: $background; text-style: bold;
    }
    HelpScreen > Page { width: 76; max-width: 100%; height: 80%; background: $surface; }
    """
    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("escape,q,question_mark,f1", "dismiss", "Close", show=False)
    ]

    def __init__(self, screen: Screen[object]) -> None:
        super().__init__()
        self._lines_of_keys = _lines(screen)

    def compose(self) -> ComposeResult:
        yield Static("Keys that work here (escape closes)", id="title", markup=False)
        yield Page(self._lines_of_keys)


def _lines(screen: Screen[object]) -> list[list[Part]]:
    """The keys of a screen and of what has the focus in it, each kind under its title."""
    groups: dict[str, dict[tuple[str, str], list[str]]] = {}
    for active in screen.active_bindings.values():
        binding = active.binding
        owner = next(
            (
                kind.__name__
                for kind in type(active.node).__mro__
                if kind.__name__ in _TITLES and binding in _own(kind)
            ),
            "",
        )
        if not owner or not binding.description:
            continue
        shown = screen.app.get_key_display(binding)
        known = groups.setdefault(owner, {})
        known.setdefault((binding.action, binding.description), []).append(shown)
    lines: list[list[Part]] = []
    for owner, title in _TITLES.items():
        if owner not in groups:
            continue
        lines += [[(title, "accent")]]
        for (_, description), keys in groups[owner].items():
            text = " ".join(dict.fromkeys(keys))
            lines.append([(f"  {text:<{_KEY_ROOM}}", "strong"), (f" {description}", "")])
        lines.append([("", "")])
    return lines[:-1]


def _own(kind: type) -> list[Binding]:
    """The bindings that a class itself declares."""
    declared = vars(kind).get("BINDINGS", ())
    return list(Binding.make_bindings(declared))
