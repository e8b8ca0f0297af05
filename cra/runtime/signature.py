"""What the annotations of a function say of its parameters, as JSON Schema."""

from __future__ import annotations

import inspect
import re
from collections.abc import Callable, Mapping
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Final, Literal, Union, get_args, get_origin, get_type_hints

from cra import canonical
from cra.errors import ValueRefused

_TYPES: Final[Mapping[Any, str]] = {
    str: "string",
    int: "integer",
    float: "number",
    bool: "boolean",
    list: "array",
    dict: "object",
    NoneType: "null",
}


def hint_of(function: Callable[..., Any], parameter: inspect.Parameter) -> Any:
    """The type that an annotation stands for; Any for one that cannot be read."""
    if parameter.annotation is parameter.empty:
        return Any
    space = getattr(inspect.unwrap(function), "__globals__", {})
    stated = SimpleNamespace(__annotations__={"it": parameter.annotation})
    try:
        return get_type_hints(stated, globalns=space)["it"]
    except (NameError, TypeError, SyntaxError, AttributeError):
        return Any


def schema_of(hint: Any) -> dict[str, Any]:
    """The JSON Schema of a type; one that takes any value for a type that has none."""
    if isinstance(hint, type) and hint in _TYPES:
        return {"type": _TYPES[hint]}
    origin, inner = get_origin(hint), get_args(hint)
    if origin is Literal:
        return {"enum": list(inner)} if all(map(is_json, inner)) else {}
    if origin in (Union, UnionType):
        members = [schema_of(member) for member in inner]
        return {"anyOf": members} if all(members) else {}
    if origin is list:
        return {"type": "array", "items": schema_of(inner[0])}
    if origin is dict:
        return {"type": "object", "additionalProperties": schema_of(inner[1])}
    return {}


def is_json(value: Any) -> bool:
    try:
        canonical.encode(value)
    except (ValueRefused, TypeError):
        return False
    return True


def fitting(name: str) -> str:
    """A dotted name as an action id has to be written."""
    segments = (
        re.sub(r"[^a-z0-9_]", "_", segment.lower()).strip("_")
        for segment in name.replace("<locals>.", "").split(".")
    )
    return ".".join(
        segment if segment[:1].isalpha() else f"f_{segment}".rstrip("_") for segment in segments
    )
