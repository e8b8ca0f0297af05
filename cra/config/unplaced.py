"""Values held against the types that `cra.config.values` goes by, without a place to any of them.

It is for bytes that were read before and had no mistake then. One that is found all the same ends
the reading: whoever wants to know what and where asks `read_value`, which takes several times as
long.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, TypeAlias

from cra.config.values import (
    PLAIN,
    UNIONS,
    UNREAD,
    Alias,
    Known,
    Spellings,
    known_type,
    shape_of,
    written_kinds,
)

_Read: TypeAlias = Callable[[Any], Any]


class Mistaken(Exception):
    """A value is not what its type says."""


class UnplacedReader:
    """Reads plain values as `read_value` reads their nodes, with the same spellings."""

    def __init__(self, spellings: Spellings) -> None:
        self._spellings = spellings
        self._readers: dict[Any, _Read] = {}

    def read(self, kind: Any, value: Any) -> Any:
        """The value as its type has it. Raises Mistaken."""
        return self._reader(kind)(value)

    def _reader(self, kind: Any) -> _Read:
        reader = self._readers.get(kind)
        if reader is None:
            reader = self._readers[kind] = self._made(known_type(kind))
        return reader

    def _made(self, known: Known) -> _Read:
        if known.limits is UNREAD:
            return lambda value: value
        if known.origin in UNIONS:
            inner = self._variant(known.arguments)
        elif known.is_object:
            inner = self._object(known.kind)
        else:
            inner = self._checked(known)
        if not known.is_nullable:
            return inner
        return lambda value: None if value is None else inner(value)

    def _checked(self, known: Known) -> _Read:
        accepts = known.accepts
        inside = self._inside(known)

        def read(value: Any) -> Any:
            if not accepts(value):
                raise Mistaken(value)
            return value if inside is None else inside(value)

        return read

    def _inside(self, known: Known) -> _Read | None:
        """What reads the parts of a value; None if it has none that are to be read."""
        if known.origin is tuple:
            item = self._reader(known.arguments[0])
            return lambda value: tuple(map(item, value))
        if known.origin is not Mapping or known.arguments == (str, Any):
            return None
        of_key, of_value = map(self._reader, known.arguments)
        return lambda value: {of_key(key): of_value(member) for key, member in value.items()}

    def _variant(self, kinds: tuple[Any, ...]) -> _Read:
        by_type = {kind.TYPE: self._reader(kind) for kind in written_kinds(kinds)}
        short = [kind for kind in kinds if self._spellings.get(kind, PLAIN).shorthand]
        of_text = self._reader((*short, *kinds)[0])

        def read(value: Any) -> Any:
            if isinstance(value, str):
                return of_text(value)
            if type(value) is not dict or not isinstance(value.get("type"), str):
                raise Mistaken(value)
            reader = by_type.get(value["type"])
            if reader is None:
                raise Mistaken(value)
            return reader({key: member for key, member in value.items() if key != "type"})

        return read

    def _object(self, kind: Any) -> _Read:
        spelling = self._spellings.get(kind, PLAIN)
        hints, required = shape_of(kind)
        keys = {**{name: Alias(name) for name in hints}, **spelling.aliases}
        readers = {
            key: (alias, self._reader(alias.kind or hints[alias.field]))
            for key, alias in keys.items()
        }
        needed = [name for name in required if name not in spelling.defaults]

        def read(value: Any) -> Any:
            values: dict[str, Any] = {}
            for key, member in _members(kind, value, spelling.shorthand, spelling.expand).items():
                if key not in readers:
                    raise Mistaken(key)
                alias, reader = readers[key]
                if alias.field in values:
                    raise Mistaken(key)
                is_no_map = alias.field in spelling.empty_lists and member == []
                values[alias.field] = {} if is_no_map else alias.converted(reader(member))
            if not all(name in values for name in needed):
                raise Mistaken(value)
            for name, default in spelling.defaults.items():
                if name not in values:
                    values[name] = default(values)
            return kind(**values)

        return read


def _members(
    kind: Any, value: Any, shorthand: Any, expand: Callable[[str], dict[str, Any]]
) -> dict[str, Any]:
    if type(value) is dict:
        return value
    simple = getattr(kind, "SHORTHAND", None)
    if simple and isinstance(value, str):
        return {simple: value}
    if shorthand is not None and isinstance(value, str) and shorthand.accept(value):
        return expand(value)
    raise Mistaken(value)
