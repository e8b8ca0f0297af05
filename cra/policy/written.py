"""The parts of a policy document: objects with known keys, lists that are not empty, conditions."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import partial
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from cra import canonical
from cra.config import RiskTier
from cra.config.text import Node, Note
from cra.config.values import WRONG, Limits, nearest_of, read_value, shown
from cra.errors import ValueRefused
from cra.policy.rule import Conditions, TimeWindow
from cra.policy.schema import flaws_of
from cra.policy.vocabulary import Path, flaw_of_refusal, words_of

Name: TypeAlias = Annotated[str, Limits("a name", pattern=r"[^\s\ud800-\udfff](?:.*\S)?")]
_Day: TypeAlias = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]
_Start: TypeAlias = Annotated[
    str, Limits("a time like 09:00", pattern=r"(?:[01][0-9]|2[0-3]):[0-5][0-9]")
]
_End: TypeAlias = Annotated[
    str,
    Limits("a time like 17:00, at most 24:00", pattern=r"(?:[01][0-9]|2[0-3]):[0-5][0-9]|24:00"),
]
_Offset: TypeAlias = Annotated[
    str, Limits("an offset from UTC like +02:00", pattern=r"[+-](?:0[0-9]|1[0-4]):[0-5][0-9]")
]

# The conditions that are lists, and the types of what is in them.
LISTS: Final[Mapping[str, Any]] = {
    "agents": Name,
    "roles": Name,
    "scopes": Name,
    "risk_tiers": RiskTier,
}
WINDOW: Final[Mapping[str, Any]] = {
    "days": tuple[_Day, ...],
    "start": _Start,
    "end": _End,
    "utc_offset": _Offset,
}


def members_of(node: Node, name: str, known: Iterable[str], note: Note) -> dict[str, Node]:
    """The members of an object by their keys; a key that is not known is noted."""
    if not isinstance(node.value, dict):
        note(node.offset, name or "the document", "an object", shown(node.value), None)
        return {}
    names = {key: key for key in known}
    expected = f"a known key ({', '.join(names)})"
    found = {}
    for key, (offset, member) in node.value.items():
        if key in names:
            found[key] = member
        else:
            nearest = nearest_of(key, names)
            note(offset, below(name, key), expected, "an unknown one", nearest)
    return found


def read_list(kind: Any, node: Node, name: str, note: Note) -> tuple[Any, ...]:
    """The values of a list; anything else, and an empty list, is noted."""
    values = read_value(tuple[kind, ...], node, name, note)
    if values == ():
        note(node.offset, name, "at least one value", "an empty list", None)
    return values if isinstance(values, tuple) else ()


def read_or(default: Any, kind: Any, node: Node | None, name: str, note: Note) -> Any:
    """A value, or the default if there is none or, noted, a wrong one."""
    value = WRONG if node is None else read_value(kind, node, name, note)
    return default if value is WRONG else value


def plain(node: Node) -> Any:
    """The value of a node without its places."""
    if isinstance(node.value, dict):
        return {key: plain(member) for key, (_, member) in node.value.items()}
    if isinstance(node.value, list):
        return [plain(item) for item in node.value]
    return node.value


def read_plain(node: Node, name: str, note: Note) -> Any:
    """The value of a node; one that canonical JSON cannot hold is noted."""
    value = plain(node)
    try:
        canonical.encode(value)
    except ValueRefused as error:
        flaw = flaw_of_refusal(error)
        note(node.offset, name, flaw.expected, flaw.found, None)
    return value


def read_conditions(node: Node, name: str, note: Note, *, is_pinned: bool) -> Conditions:
    """What has to hold for a rule to apply (specs/PROTOCOL.md, policies)."""
    readers: dict[str, Callable[[Node, str, Note], Any]] = {
        "time_window": _read_window,
        "context": _read_context,
        "parameters": partial(_read_schema, is_pinned=is_pinned),
    }
    values: dict[str, Any] = {}
    for key, member in members_of(node, name, [*LISTS, *readers], note).items():
        place = below(name, key)
        if key in LISTS:
            values[key] = frozenset(read_list(LISTS[key], member, place, note))
        else:
            values[key] = readers[key](member, place, note)
    return Conditions(**values)


def below(name: str, key: str) -> str:
    return f"{name}.{key}" if name else key


def _read_window(node: Node, name: str, note: Note) -> TimeWindow:
    members = members_of(node, name, WINDOW, note)
    if node.value == {}:
        note(node.offset, name, "days, start or end", "none of them", None)
    days = tuple(get_args(_Day))
    if "days" in members:
        days = read_list(_Day, members["days"], below(name, "days"), note)
    start, end, offset = (
        read_or(default, WINDOW[key], members.get(key), below(name, key), note)
        for key, default in (("start", "00:00"), ("end", "24:00"), ("utc_offset", "+00:00"))
    )
    if start == end:
        note(node.offset, name, "an end other than the start", end, None)
    numbers = frozenset(get_args(_Day).index(day) for day in days if day is not WRONG)
    sign = -1 if offset[0] == "-" else 1
    return TimeWindow(numbers, _minutes(start), _minutes(end), sign * _minutes(offset[1:]))


def _minutes(text: str) -> int:
    return int(text[:2]) * 60 + int(text[3:])


def _read_context(node: Node, name: str, note: Note) -> Mapping[str, tuple[Any, ...]]:
    if not isinstance(node.value, dict) or not node.value:
        note(node.offset, name, "an object of keys and their values", shown(node.value), None)
        return {}
    wanted = {}
    for key, (_, member) in node.value.items():
        place = below(name, key)
        options = member.value if isinstance(member.value, list) else [member]
        if not options:
            note(member.offset, place, "at least one value", "an empty list", None)
        for option in options:
            if isinstance(option.value, dict | list):
                words = "a text, a number, true, false or null, or a list of them"
                note(option.offset, place, words, shown(option.value), None)
        wanted[key] = tuple(read_plain(option, place, note) for option in options)
    return wanted


def _read_schema(node: Node, name: str, note: Note, *, is_pinned: bool) -> Any:
    schema = plain(node)
    if not isinstance(schema, dict):
        note(node.offset, name, "a JSON Schema as an object", shown(schema), None)
        return None
    for flaw in () if is_pinned else flaws_of(schema, typed=True):
        place = below(name, words_of(flaw.path)) if flaw.path else name
        note(_offset_of(node, flaw.path), place, flaw.expected, flaw.found, flaw.nearest)
    return schema


def _offset_of(node: Node, path: Path) -> int:
    for step in path:
        node = node.value[step][1] if isinstance(node.value, dict) else node.value[step]
    return node.offset
