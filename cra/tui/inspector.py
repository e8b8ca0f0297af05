"""One event, whole: what it is, what decided it, what it has to do with, and its payload."""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from types import MappingProxyType
from typing import Any, ClassVar, Final, NamedTuple

from rich.cells import cell_len
from textual.binding import Binding, BindingType
from textual.message import Message

from cra.ledger.outline import Coverage
from cra.ledger.shown import Shown
from cra.printable import naming, safe
from cra.tui.listing import Listing, Part, wrapped
from cra.tui.source import Link

_LABEL: Final = 11
_INDENT: Final = "  "
# What is longer is folded until somebody opens it.
_MAX_OPEN: Final = 200


class Line(NamedTuple):
    """A line of the inspector: where it leads to, what it folds, and where in the payload it is."""

    parts: tuple[Part, ...]
    link: int | None = None
    fold: str | None = None
    path: str | None = None


def command_of(shown: Shown, session: str, agent: str) -> str:
    """The command that does again what an event tells of, without an effect; of one that tells of
    nothing that could be done again, the one that shows it."""
    again = _command_again(shown, agent)
    # A terminal obeys what is hidden in a text that is pasted, whatever a shell would make of it.
    if again is not None and safe(again) == again:
        return again
    return f"cra trace show {shlex.quote(safe(session))} --seq {shown.number}"


def _command_again(shown: Shown, agent: str) -> str | None:
    payload = (shown.event.payload if shown.event is not None else None) or {}
    action_id, arguments = payload.get("action_id"), payload.get("arguments")
    task = request.get("task") if isinstance(request := payload.get("request"), dict) else None
    goal = task.get("goal") if isinstance(task, dict) else None
    if isinstance(action_id, str) and isinstance(arguments, dict) and not _is_kept_apart(arguments):
        from cra.runtime.remedy import deciding_again

        return deciding_again(action_id, arguments, agent)
    if isinstance(goal, str):
        return f"cra resolve --goal {shlex.quote(goal)}{naming(agent)}"
    return None


def _is_kept_apart(value: Any) -> bool:
    """Whether a part of a value is not in the event: redacted, or in a file of its own."""
    if isinstance(value, dict):
        is_own = any(name.startswith("$") for name in value)
        return is_own or any(map(_is_kept_apart, value.values()))
    return isinstance(value, list) and any(map(_is_kept_apart, value))


class Beside(NamedTuple):
    """What there is to say of an event beside what its line says; None: not known yet."""

    coverage: Coverage | None = None
    places: Mapping[str, str] | None = None
    links: Sequence[Link] | None = None
    # What each rule says now, by its id.
    rules: Mapping[str, Sequence[str]] = MappingProxyType({})


def lines_of(
    shown: Shown, known: Beside, columns: int, shut: frozenset[str] | set[str] = frozenset()
) -> list[Line]:
    """All that is shown of an event, in lines of so many columns."""
    lines = [*_faults(shown, columns)]
    event = shown.event
    if event is None:
        text = safe(shown.line[:4096].decode(errors="replace"))
        return [
            *lines,
            _heading("the line as it is stored", columns),
            *_wrapped(text, columns, "dim"),
        ]
    header = event.header
    policy = _policy_of(event.payload or {})
    lines += _fact("type", event.event_type, columns, "strong")
    lines += _fact("severity", header["severity"], columns, _severity(header["severity"]))
    lines += _fact("time", header["timestamp"], columns)
    lines += _fact("actor", f"{header['actor']['type']} {header['actor']['id']}", columns)
    if policy:
        lines += _fact("rule", policy, columns, "accent")
        # Without rules to look it up in, nothing is known of where it is written.
        if known.places is None or known.places:
            lines += _fact("written in", _place(policy, known.places), columns)
        for text in known.rules.get(policy, ()):
            lines += _fact("", text, columns, "dim")
    lines += _fact("covered", _covered(shown, known.coverage), columns)
    lines += _links(known.links, columns)
    if event.payload is None:
        lines += [_heading("payload", columns), Line((("redacted: its hash is kept", "warn"),))]
    else:
        lines.append(_heading("payload", columns))
        lines += _json(event.payload, columns, shut)
    lines.append(_heading("in the chain", columns))
    atlas = header.get("atlas")
    if atlas is not None:
        lines += _fact("atlas", f"{atlas['atlas_id']} {atlas['version']}", columns)
    for artifact in header.get("artifacts", ()):
        lines += _fact("blob", f"{artifact['name']}  {artifact['uri']}", columns)
    rows = {
        "event id": header["event_id"],
        "span": header["span_id"],
        "parent": header["parent_span_id"] or "none",
        "payload": header["payload_hash"],
        "previous": header["previous_event_hash"],
        "event hash": event.event_hash,
    }
    for name, value in rows.items():
        lines += _fact(name, value, columns, "dim")
    return lines


def _faults(shown: Shown, columns: int) -> Iterator[Line]:
    if shown.fault is not None:
        yield Line(((f"✗ damaged: {shown.fault.finding}", "bad"),))
        yield from _wrapped(safe(shown.fault.message), columns, "bad")


def _policy_of(payload: Mapping[str, Any]) -> str:
    """The rule that decided, by its id."""
    decision = payload.get("decision")
    for holder in (payload, decision if isinstance(decision, dict) else {}):
        policy = holder.get("policy_id")
        if isinstance(policy, str):
            return policy
    return ""


def _place(policy: str, places: Mapping[str, str] | None) -> str:
    if places is None:
        return "…"
    from cra.runtime.places import place_now

    return place_now(places, policy) or "nowhere: it is what counts where no rule does"


def _covered(shown: Shown, coverage: Coverage | None) -> str:
    if coverage is None:
        return "…"
    if shown.fault is None and coverage.covers(shown.number):
        return f"yes, by a checkpoint over {coverage.size:,} events"
    return "no checkpoint covers it"


def _severity(severity: str) -> str:
    return {"warn": "warn", "error": "bad"}.get(severity, "")


def _links(links: Sequence[Link] | None, columns: int) -> Iterator[Line]:
    if links is None:
        yield Line((("linked".ljust(_LABEL), "accent"), ("…", "dim")))
        return
    if not links:
        return
    yield _heading("linked", columns)
    for at, link in enumerate(links, 1):
        key = f"{at}" if at < 10 else " "
        place = f"{link.number:>5}"
        words = f"{link.what}: {link.words}"
        parts = ((f"{key} ", "accent"), (place, "strong"), (f"  {words}", ""))
        yield Line(_cut(parts, columns), link=link.number)


def _heading(text: str, columns: int) -> Line:
    return Line((("── ", "faint"), (text, "dim"), (" " + "─" * (columns - len(text) - 5), "faint")))


def _fact(name: str, value: str, columns: int, style: str = "") -> Iterator[Line]:
    room = max(8, columns - _LABEL)
    for at, text in enumerate(wrapped(safe(value), room)):
        yield Line(((("" if at else name).ljust(_LABEL), "accent"), (text, style)))


def _wrapped(text: str, columns: int, style: str) -> Iterator[Line]:
    for part in wrapped(text, max(8, columns)):
        yield Line(((part, style),))


def _cut(parts: Iterable[Part], columns: int) -> tuple[Part, ...]:
    cut, room = [], columns
    for text, style in parts:
        if cell_len(text) > room:
            cut.append((text[: max(0, room - 1)] + "…", style))
            break
        cut.append((text, style))
        room -= cell_len(text)
    return tuple(cut)


# The payload as JSON that can be folded.


def _json(payload: Mapping[str, Any], columns: int, shut: frozenset[str] | set[str]) -> list[Line]:
    lines: list[Line] = []
    for name, value in payload.items():
        lines += _member(_key(name), value, 0, columns, shut, f".{_step(name)}")
    return lines or [Line((("{}", "dim"),))]


def _step(name: str) -> str:
    return name if name.isidentifier() else json.dumps(name)


def _key(name: str) -> tuple[Part, ...]:
    return ((safe(name), "accent"), (": ", "dim"))


def _member(  # a place in a text, and what is there
    lead: tuple[Part, ...],
    value: Any,
    depth: int,
    columns: int,
    shut: frozenset[str] | set[str],
    path: str,
) -> Iterator[Line]:
    inset: Part = (_INDENT * depth, "")
    items = _items(value)
    if items is None:
        yield from _scalar((inset, *lead), value, columns, path)
        return
    signs = "{}" if isinstance(value, dict) else "[]"
    if not items:
        yield Line((inset, *lead, (signs, "dim")), path=path)
        return
    is_shut = (path in shut) is not (len(items) > _MAX_OPEN)
    if is_shut:
        told = f"▸ {signs[0]}…{signs[1]} {len(items):,}"
        yield Line((inset, *lead, (told, "dim")), fold=path, path=path)
        return
    yield Line((inset, *lead, ("▾", "dim")), fold=path, path=path)
    for step, (name, item) in items:
        yield from _member(name, item, depth + 1, columns, shut, path + step)


def _items(value: Any) -> list[tuple[str, tuple[tuple[Part, ...], Any]]] | None:
    """The parts of an object or an array; None for what has none."""
    if isinstance(value, dict):
        return [(f".{_step(name)}", (_key(name), item)) for name, item in value.items()]
    if isinstance(value, list):
        return [
            (f"[{at}]", (((f"{at}", "dim"), (": ", "dim")), item)) for at, item in enumerate(value)
        ]
    return None


def _scalar(lead: tuple[Part, ...], value: Any, columns: int, path: str) -> Iterator[Line]:
    if isinstance(value, str):
        text, style = safe(value), "good"
    else:
        text = json.dumps(value)
        style = "warn" if isinstance(value, int | float) and not isinstance(value, bool) else "dim"
    taken = sum(cell_len(part) for part, _ in lead)
    if taken > columns // 2 and cell_len(text) > columns - taken:
        yield Line(_cut(lead, columns), path=path)
        taken = min(taken, 4)
        lead = ((" " * taken, ""),)
    first, *rest = wrapped(text or '""', max(8, columns - taken))
    yield Line((*lead, (first, style)), path=path)
    for piece in rest:
        yield Line(((" " * taken, ""), (piece, style)), path=path)


class Inspector(Listing):
    """The lines of one event; some of them lead to others, or fold what is below them."""

    BINDINGS: ClassVar[list[BindingType]] = [
        Binding("enter", "choose", "Jump"),
        Binding("space,left,right", "fold", "Fold", show=False),
        Binding("p", "copy_path", "Copy the jq path", show=False),
    ]

    class Followed(Message):
        """Somebody wants to see the event that a line leads to."""

        def __init__(self, number: int) -> None:
            super().__init__()
            self.number = number

    class PathWanted(Message):
        """Somebody wants to have the path of a member of the payload."""

        def __init__(self, path: str) -> None:
            super().__init__()
            self.path = path

    empty_text = "no event is chosen"

    def __init__(self, *, id: str | None = None) -> None:  # Textual's own name
        super().__init__(id=id)
        self.shown: Shown | None = None
        self.known = Beside()
        self._shut: set[str] = set()
        self._lines: list[Line] = []

    def show(self, shown: Shown | None, known: Beside) -> None:
        """Show an event, or more of what is known of the same one."""
        is_same = shown is not None and self.shown is not None and self.shown.line == shown.line
        self.shown, self.known = shown, known
        self._write()
        if not is_same:
            self.cursor = 0
            self.scroll_to(y=0, animate=False, force=True)

    def _write(self) -> None:
        columns = max(12, self.size.width - 2)
        if self.shown is None:
            self._lines = []
        else:
            self._lines = lines_of(self.shown, self.known, columns, self._shut)
        self.resize_to(len(self._lines))

    def on_resize(self) -> None:
        self._write()
        super().on_resize()

    def parts_of(self, row: int, columns: int) -> Iterable[Part]:  # noqa: ARG002
        return ((" ", ""), *self._lines[row].parts)

    def action_fold(self) -> None:
        line = self._lines[self.cursor] if self._lines else None
        if line is not None and line.fold is not None:
            self._shut ^= {line.fold}
            self._write()

    def action_choose(self) -> None:
        line = self._lines[self.cursor] if self._lines else None
        if line is not None and line.link is not None:
            self.post_message(self.Followed(line.link))
        elif line is not None and line.fold is not None:
            self.action_fold()
        else:
            self.notify("enter jumps from the line of a linked event, and folds an object")

    def action_copy_path(self) -> None:
        line = self._lines[self.cursor] if self._lines else None
        if line is not None and line.path is not None:
            self.post_message(self.PathWanted(f".payload{line.path}"))
        else:
            self.notify("only a member of the payload has a path")
