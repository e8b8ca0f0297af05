"""A value that a schema accepts, for a scenario that calls an action."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, Final

from cra.errors import ValueRefused
from cra.policy.schema import compile_schema

_FORMATS: Final[Mapping[str, str]] = {
    "date": "2026-01-05",
    "date-time": "2026-01-05T12:00:00Z",
    "email": "somebody@example.com",
    "hostname": "example.com",
    "ipv4": "192.0.2.1",
    "ipv6": "2001:db8::1",
    "time": "12:00:00Z",
    "uri": "https://example.com/",
    "uuid": "00000000-0000-4000-8000-000000000000",
}
_MAX_LENGTH: Final = 200


class NoSample(Exception):
    """A schema that asks for more than can be guessed."""


def sample_of(schema: Mapping[str, Any]) -> Any:
    """Raises NoSample. What is guessed has been held against the schema."""
    value = _guess(schema)
    try:
        is_right = compile_schema(schema).accepts(value)
    except ValueRefused:
        is_right = False
    if not is_right:
        raise NoSample
    return value


def _guess(schema: Any) -> Any:
    if not isinstance(schema, dict):
        return "x"
    for key in ("const", "default"):
        if key in schema:
            return schema[key]
    if schema.get("enum"):
        return schema["enum"][0]
    kind = _kind_of(schema)
    if kind is None:
        options = [part for key in ("anyOf", "oneOf", "allOf") for part in schema.get(key, ())]
        return _guess(options[0]) if options else "x"
    return _BY_KIND[kind](schema)


def _kind_of(schema: Mapping[str, Any]) -> str | None:
    stated = schema.get("type")
    kinds = [stated] if isinstance(stated, str) else stated
    if kinds:
        return kinds[0] if kinds[0] in _BY_KIND else None
    return "object" if "properties" in schema else None


def _text(schema: Mapping[str, Any]) -> str:
    length = max(schema.get("minLength", 1), 1)
    if length > _MAX_LENGTH:
        raise NoSample
    return _FORMATS.get(schema.get("format", ""), "x" * length)


def _number(schema: Mapping[str, Any]) -> Any:
    if "minimum" in schema:
        return schema["minimum"]
    if "exclusiveMinimum" in schema:
        return schema["exclusiveMinimum"] + 1
    if "exclusiveMaximum" in schema:
        return schema["exclusiveMaximum"] - 1
    return min(schema.get("maximum", 1), schema.get("multipleOf", 1))


def _items(schema: Mapping[str, Any]) -> list[Any]:
    count = schema.get("minItems", 0)
    item = _guess(schema.get("items"))
    # Lists of lists of items grow beyond every bound.
    if count > _MAX_LENGTH or (count > 1 and isinstance(item, list | dict)):
        raise NoSample
    return [item] * count


def _members(schema: Mapping[str, Any]) -> dict[str, Any]:
    properties = schema.get("properties", {})
    return {name: _guess(properties.get(name)) for name in schema.get("required", ())}


_BY_KIND: Final[Mapping[str, Callable[[Mapping[str, Any]], Any]]] = {
    "array": _items,
    "boolean": lambda _: True,
    "integer": _number,
    "null": lambda _: None,
    "number": _number,
    "object": _members,
    "string": _text,
}
