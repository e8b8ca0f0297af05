"""Values held against the types of the configuration's fields."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, fields, is_dataclass
from typing import Annotated, Any, Final, Literal, get_args, get_origin, get_type_hints

from cra.config.text import Node, Note

WRONG: Final = object()


@dataclass(frozen=True)
class Limits:
    """What a value has to meet beside its type: in words, and as keywords of JSON Schema."""

    words: str
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None

    def accept(self, value: Any) -> bool:
        if self.pattern is not None:
            return re.fullmatch(self.pattern, value) is not None
        return (self.minimum is None or self.minimum <= value) and (
            self.maximum is None or value <= self.maximum
        )

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Callable[[Any], Any]) -> Any:
        keywords = {
            "minimum": self.minimum,
            "maximum": self.maximum,
            "pattern": f"^(?:{self.pattern})$" if self.pattern else None,
        }
        return handler(core_schema) | {
            key: limit for key, limit in keywords.items() if limit is not None
        }


def read_value(kind: Any, node: Node, name: str, note: Note) -> Any:
    """The value of a node as its type has it; WRONG if it is not one, which then is noted."""
    kind, limits, is_nullable = _unwrapped(kind)
    value = node.value
    if value is None and is_nullable:
        return None
    if is_dataclass(kind):
        return _read_object(kind, node, name, note)
    if get_origin(kind) is tuple and isinstance(value, list):
        item = get_args(kind)[0]
        return tuple(read_value(item, node, f"{name}[{at}]", note) for at, node in enumerate(value))
    if get_origin(kind) is Mapping and isinstance(value, dict):
        item = get_args(kind)[1]
        return {
            key: read_value(item, node, f"{name}.{key}", note) for key, (_, node) in value.items()
        }
    if _is_of(kind, value) and (limits is None or limits.accept(value)):
        return value
    choices = {choice: choice for choice in get_args(kind) if isinstance(choice, str)}
    nearest = nearest_of(value, choices) if isinstance(value, str) else None
    note(node.offset, name, _words(kind, limits), shown(value), nearest)
    return WRONG


def value_of_text(kind: Any, text: str) -> Any:
    """What the text of a variable stands for where JSON would have a number, a truth or a list."""
    kind, _, _ = _unwrapped(kind)
    if kind is int and re.fullmatch("-?[0-9]{1,18}", text):
        return int(text)
    if kind is bool:
        return {"true": True, "1": True, "false": False, "0": False}.get(text.lower(), text)
    if get_origin(kind) is tuple:
        return [Node(0, part.strip()) for part in text.split(",") if part.strip()]
    return text


def shown(value: Any) -> str:
    """A value in a message: what it is, or its text if that is short."""
    if isinstance(value, dict | list):
        return "an object" if isinstance(value, dict) else "a list"
    text = json.dumps(value, ensure_ascii=False)
    return text if len(text) <= 60 else text[:59] + "…"


def nearest_of(word: str, names: Mapping[str, str]) -> str | None:
    """What the name most like a word stands for; None if no name is like it."""
    from difflib import get_close_matches

    found = get_close_matches(word, names, n=1)
    return names[found[0]] if found else None


def _read_object(kind: Any, node: Node, name: str, note: Note) -> Any:
    shorthand = getattr(kind, "SHORTHAND", None)
    members = node.value
    if shorthand and isinstance(members, str):
        members = {shorthand: (node.offset, node)}
    if not isinstance(members, dict):
        words = "an object or a path" if shorthand else "an object"
        note(node.offset, name, words, shown(members), None)
        return WRONG
    hints = get_type_hints(kind, include_extras=True)
    known = {key.name: f"{name}.{key.name}" for key in fields(kind)}
    values = {}
    for key, (offset, member) in members.items():
        if key in known:
            values[key] = read_value(hints[key], member, known[key], note)
        else:
            nearest = nearest_of(key, known)
            note(offset, f"{name}.{key}", "a known key", "an unknown one", nearest)
    if shorthand and shorthand not in values:
        note(node.offset, name, f"a {shorthand}", "none", None)
        return WRONG
    return kind(**values)


def _unwrapped(kind: Any) -> tuple[Any, Limits | None, bool]:
    """A type without `| None` and without limits, the limits, and whether null is a value of it."""
    options = get_args(kind)
    is_nullable = type(None) in options
    if is_nullable:
        kind = options[0]
    if get_origin(kind) is Annotated:
        kind, limits = get_args(kind)
        return kind, limits, is_nullable
    return kind, None, is_nullable


def _is_of(kind: Any, value: Any) -> bool:
    if get_origin(kind) is Literal:
        return isinstance(value, str) and value in get_args(kind)
    return type(value) is kind


def _words(kind: Any, limits: Limits | None) -> str:
    if limits is not None:
        return limits.words
    if get_origin(kind) is Literal:
        return "one of " + ", ".join(get_args(kind))
    return {bool: "true or false", tuple: "a list"}.get(get_origin(kind) or kind, "an object")
