"""Values held against the types of a dataclass's fields.

The types are the format: `Limits` say what a value has to meet beside its type, a union of
dataclasses is told apart by a member `type`, and a `Spelling` says what else may be written.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from functools import cache
from types import MappingProxyType, UnionType
from typing import (
    Annotated,
    Any,
    Final,
    Literal,
    NamedTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
)

from cra.config.text import Node, Note, placed, plain

WRONG: Final = object()
# Marks a field whose node is handed on as it is, for the caller to read.
UNREAD: Final = "unread"


class Limits(NamedTuple):
    """What a value has to meet beside its type: in words, and as keywords of JSON Schema."""

    words: str
    minimum: int | None = None
    maximum: int | None = None
    pattern: str | None = None
    max_length: int | None = None
    min_items: int | None = None

    def accept(self, value: Any) -> bool:
        if self.pattern is not None:
            is_short = self.max_length is None or len(value) <= self.max_length
            return is_short and re.fullmatch(self.pattern, value) is not None
        if self.min_items is not None:
            return len(value) >= self.min_items
        return (self.minimum is None or self.minimum <= value) and (
            self.maximum is None or value <= self.maximum
        )

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Callable[[Any], Any]) -> Any:
        keywords = {
            "minimum": self.minimum,
            "maximum": self.maximum,
            "pattern": f"^(?:{self.pattern})$" if self.pattern else None,
            "maxLength": self.max_length,
            "minItems": self.min_items,
        }
        return handler(core_schema) | {
            key: limit for key, limit in keywords.items() if limit is not None
        }


class Alias(NamedTuple):
    """Another key for a field; `kind` and `convert` if its value is written differently too."""

    field: str
    kind: Any = None
    convert: Callable[[Any], Any] | None = None

    def converted(self, value: Any) -> Any:
        return value if self.convert is None or value is WRONG else self.convert(value)


@dataclass(frozen=True)
class Spelling:
    """What may be written in place of a dataclass's own form."""

    aliases: Mapping[str, Alias] = field(default_factory=dict)
    # Fields that may be left out, and their values by what else was given.
    defaults: Mapping[str, Callable[[Mapping[str, Any]], Any]] = field(default_factory=dict)
    # Maps that an empty list stands for too.
    empty_lists: frozenset[str] = frozenset()
    # A text in place of the object: what it has to be, and the members that it stands for.
    shorthand: Limits | None = None
    expand: Callable[[str], dict[str, Any]] = lambda text: {"": text}


Spellings = Mapping[type, Spelling]
PLAIN: Final = Spelling()
_NONE: Final[Spellings] = MappingProxyType({})


def read_value(kind: Any, node: Node, name: str, note: Note, spellings: Spellings = _NONE) -> Any:
    """The value of a node as its type has it; WRONG if it is not one, which then is noted."""
    return _Reader(note, spellings).value(kind, node, name)


def value_of_text(kind: Any, text: str) -> Any:
    """What the text of a variable stands for where JSON would have a number, a truth or a list."""
    kind = known_type(kind).kind
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


def with_article(key: str) -> str:
    return f"{'an' if key[0] in 'aeio' else 'a'} {key}"


def nearest_of(word: str, names: Mapping[str, str]) -> str | None:
    """What the name most like a word stands for; None if no name is like it."""
    from difflib import get_close_matches

    found = get_close_matches(word, names, n=1)
    return names[found[0]] if found else None


def written_kinds(kinds: Iterable[Any]) -> list[Any]:
    """Those of the dataclasses of a union that a document can name; others come from programs."""
    return [kind for kind in kinds if getattr(kind, "IS_WRITTEN", True)]


@dataclass(frozen=True)
class _Reader:
    note: Note
    spellings: Spellings

    def value(self, kind: Any, node: Node, name: str) -> Any:
        known = known_type(kind)
        value = node.value
        if known.limits is UNREAD:
            return node
        if value is None and known.is_nullable:
            return None
        if known.origin in UNIONS:
            return self._variant(known.arguments, node, name)
        if known.is_object:
            return self._object(known.kind, node, name)
        if known.accepts(value):
            return self._inside(known, node, name)
        nearest = None
        if known.origin is Literal and isinstance(value, str):
            nearest = nearest_of(value, {choice: choice for choice in known.arguments})
        self.note(node.offset, name, known.words(), shown(value), nearest)
        return WRONG

    def _inside(self, known: Known, node: Node, name: str) -> Any:
        """The value of a node that is of its type from outside."""
        if known.origin is tuple:
            item = known.arguments[0]
            return tuple(
                self.value(item, each, f"{name}[{at}]") for at, each in enumerate(node.value)
            )
        if known.origin is Mapping:
            of_key, of_value = known.arguments
            return {
                key: self.value(of_value, member, f"{name}.{key}")
                for key, (offset, member) in node.value.items()
                if self.value(of_key, Node(offset, key), f"{name}.{key}") is not WRONG
            }
        return plain(node) if known.kind is Any else node.value

    def _variant(self, kinds: tuple[Any, ...], node: Node, name: str) -> Any:
        """An object whose member `type` says which dataclass of several it is."""
        members = node.value
        if isinstance(members, str):
            short = (kind for kind in kinds if self._spelling(kind).shorthand)
            return self._object(next(short, kinds[0]), node, name)
        if not isinstance(members, dict):
            self.note(node.offset, name, "an object", shown(members), None)
            return WRONG
        by_type = {kind.TYPE: kind for kind in written_kinds(kinds)}
        offset, tag = members.get("type", (node.offset, Node(node.offset, None)))
        kind = by_type.get(tag.value) if isinstance(tag.value, str) else None
        if kind is None:
            found = shown(tag.value) if "type" in members else "none"
            nearest = nearest_of(str(tag.value), {word: word for word in by_type})
            self.note(offset, f"{name}.type", "one of " + ", ".join(by_type), found, nearest)
            return WRONG
        others = {key: value for key, value in members.items() if key != "type"}
        return self._object(kind, Node(node.offset, others), name)

    def _object(self, kind: Any, node: Node, name: str) -> Any:
        spelling = self._spelling(kind)
        members = self._members(kind, spelling, node, name)
        if members is None:
            return WRONG
        hints, required = shape_of(kind)
        values: dict[str, Any] = {}
        prefix = f"{name}." if name else ""
        for key, (offset, member) in members.items():
            alias = spelling.aliases.get(key) or Alias(key)
            if alias.field not in hints:
                names = {word: prefix + word for word in (*hints, *spelling.aliases)}
                nearest = nearest_of(key, names)
                self.note(offset, prefix + key, "a known key", "an unknown one", nearest)
            elif alias.field in values:
                self.note(offset, prefix + key, f"{alias.field} once", "it again", None)
            elif alias.field in spelling.empty_lists and member.value == []:
                values[alias.field] = {}
            else:
                wanted = alias.kind or hints[alias.field]
                values[alias.field] = alias.converted(self.value(wanted, member, prefix + key))
        missing = [key for key in required if key not in values and key not in spelling.defaults]
        for key in missing:
            self.note(node.offset, name or "the file", with_article(key), "none", None)
            values[key] = WRONG
        for key, default in spelling.defaults.items():
            values.setdefault(key, default(values))
        return kind(**values)

    def _members(
        self, kind: Any, spelling: Spelling, node: Node, name: str
    ) -> Mapping[str, tuple[int, Node]] | None:
        """The members of an object, or of the text that stands for one; None, and noted, if it is
        neither."""
        members = node.value
        if isinstance(members, dict):
            return members
        simple = getattr(kind, "SHORTHAND", None)
        if simple and isinstance(members, str):
            return {simple: (node.offset, node)}
        short = spelling.shorthand
        if short is not None and isinstance(members, str) and short.accept(members):
            expanded: dict[str, tuple[int, Node]]
            expanded = placed(spelling.expand(members), node.offset).value
            return expanded
        words = "a path" if simple else short.words if short else None
        expected = f"an object or {words}" if words else "an object"
        self.note(node.offset, name or "the file", expected, shown(members), None)
        return None

    def _spelling(self, kind: Any) -> Spelling:
        return self.spellings.get(kind, PLAIN)


@cache
def shape_of(kind: Any) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The types of a dataclass's fields, and which fields have to be given."""
    hints = get_type_hints(kind, include_extras=True)
    required = tuple(
        key.name
        for key in fields(kind)
        if key.default is MISSING and key.default_factory is MISSING
    )
    return {key.name: hints[key.name] for key in fields(kind)}, required


class Known(NamedTuple):
    """What there is to know of a type, without `| None` and without limits."""

    kind: Any
    origin: Any
    arguments: tuple[Any, ...]
    limits: Any
    is_nullable: bool
    is_object: bool

    def accepts(self, value: Any) -> bool:
        if self.origin is Literal:
            return isinstance(value, str) and value in self.arguments
        if self.kind is Any:
            return True
        outside = _OUTSIDE.get(self.origin, self.kind)
        return type(value) is outside and (self.limits is None or self.limits.accept(value))

    def words(self) -> str:
        if self.limits is not None:
            return str(self.limits.words)
        if self.origin is Literal:
            return "one of " + ", ".join(self.arguments)
        return _WORDS.get(self.origin or self.kind, "an object")


UNIONS: Final = (Union, UnionType)
_OUTSIDE: Final[Mapping[Any, type]] = {tuple: list, Mapping: dict}
_WORDS: Final[Mapping[Any, str]] = {
    bool: "true or false",
    str: "a text",
    int: "a whole number",
    tuple: "a list",
}


@cache
def known_type(kind: Any) -> Known:
    limits = None
    is_nullable = get_origin(kind) in UNIONS and type(None) in get_args(kind)
    if is_nullable:
        options = tuple(option for option in get_args(kind) if option is not type(None))
        kind = Union[options]  # noqa: UP007  # of as many as there are
    if get_origin(kind) is Annotated:
        kind, limits = get_args(kind)
    is_object = is_dataclass(kind)
    return Known(kind, get_origin(kind), get_args(kind), limits, is_nullable, is_object)
