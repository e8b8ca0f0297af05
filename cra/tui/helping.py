"""The keys that work now, read from what is bound."""

from __future__ import annotations

from typing import Any, ClassVar, NamedTuple

from textual.app import ComposeResult
from textual.binding import Binding, BindingType
from textual.dom import DOMNode
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
    "Prompt": "The line that is typed in",
    "PromptLine": "The line that is typed in",
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

    def __init__(self, screen: Screen[Any]) -> None:
        super().__init__()
        self._lines_of_keys = _lines(screen)

    def compose(self) -> ComposeResult:
        yield Static("Keys that work here (escape closes)", id="title", markup=False)
        yield Page(self._lines_of_keys)


class Command(NamedTuple):
    """What keys do that work now."""

    # The kind of thing that they are bound by.
    owner: str
    node: DOMNode
    action: str
    told: str
    keys: str


def commands_of(screen: Screen[Any]) -> list[Command]:
    """What the keys do that a screen has now, and what has the focus in it, each once."""
    known: dict[tuple[str, DOMNode, str, str], list[str]] = {}
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
        # What Textual binds for every program means nothing here, or something else.
        if owner and binding.description:
            one = owner, active.node, binding.action, binding.description
            known.setdefault(one, []).append(screen.app.get_key_display(binding))
    return [Command(*one, " ".join(dict.fromkeys(keys))) for one, keys in known.items()]


def _lines(screen: Screen[Any]) -> list[list[Part]]:
    """The keys of a screen and of what has the focus in it, each kind under its title."""
    groups: dict[str, list[Command]] = {title: [] for title in _TITLES.values()}
    for one in commands_of(screen):
        groups[_TITLES[one.owner]].append(one)
    lines: list[list[Part]] = []
    for title, commands in groups.items():
        if not commands:
            continue
        lines += [[(title, "accent")]]
        for one in commands:
            lines.append([(f"  {one.keys:<{_KEY_ROOM}}", "strong"), (f" {one.told}", "")])
        lines.append([("", "")])
    return lines[:-1]


def _own(kind: type) -> list[Binding]:
    """The bindings that a class itself declares."""
    declared = vars(kind).get("BINDINGS", ())
    return list(Binding.make_bindings(declared))
