"""A type of Python as JSON Schema, and how a value of it is made of the JSON that a call brings."""

from __future__ import annotations

import dataclasses
import enum
import inspect
from collections import abc
from collections.abc import Callable, Mapping
from types import ModuleType, NoneType, UnionType
from typing import (
    Any,
    Final,
    Literal,
    NamedTuple,
    Union,
    get_args,
    get_origin,
    get_type_hints,
    is_typeddict,
)

from cra.runtime.signature import is_json, schema_of

_LISTS: Final = (list, abc.Sequence, abc.Collection, abc.Iterable)
_MAPPINGS: Final = (dict, abc.Mapping, abc.MutableMapping)
_OTHER_LISTS: Final[Mapping[Any, str]] = {
    tuple: "tuple",
    set: "set",
    frozenset: "frozenset",
    abc.Set: "frozenset",
}
_LEAVES: Final = (str, int, float, bool, list, dict, NoneType)


class Unfit(Exception):
    """A type that has no form in JSON; its words say which."""


class Shape(NamedTuple):
    """A type; `build` writes the code that makes a value of it, None if JSON's own will do."""

    schema: dict[str, Any]
    build: Callable[[str], str] | None = None


class Shapes:
    """The types of a module; remembers the functions that make the values of its dataclasses."""

    def __init__(self, module: ModuleType, name: str) -> None:
        self._module = module
        self._name = name
        self._within: list[type] = []
        # Their code, by their names.
        self.makers: dict[str, str] = {}

    def of(self, hint: Any) -> Shape:
        """Raises Unfit."""
        hint = getattr(hint, "__supertype__", hint)
        origin, inner = get_origin(hint), get_args(hint)
        if hint in (Any, object):
            return Shape({})
        if hint in _LEAVES or (origin is Literal and schema_of(hint)):
            return Shape(schema_of(hint))
        if origin in (Union, UnionType):
            return self._union(inner)
        if origin is None:
            return self._class(hint)
        return self._generic(origin, inner, hint)

    def _generic(self, origin: Any, inner: tuple[Any, ...], hint: Any) -> Shape:
        if origin in _LISTS and len(inner) == 1:
            return self._items(inner[0], "")
        if origin in _OTHER_LISTS and (len(inner) == 1 or inner[1:] == (...,)):
            return self._items(inner[0], _OTHER_LISTS[origin])
        if origin in _MAPPINGS and inner[:1] == (str,):
            value = self.of(inner[1])
            schema = {"type": "object", "additionalProperties": value.schema}
            build = value.build
            if build is None:
                return Shape(schema)
            return Shape(
                schema, lambda it: f"{{key: {build('each')} for key, each in {it}.items()}}"
            )
        raise Unfit(_said(hint))

    def _items(self, item: Any, kind: str) -> Shape:
        shape = self.of(item)
        schema: dict[str, Any] = {"type": "array", "items": shape.schema}
        if kind in ("set", "frozenset"):
            schema["uniqueItems"] = True
        build = shape.build
        if build is not None:
            return Shape(schema, lambda it: f"{kind or 'list'}({build('each')} for each in {it})")
        return Shape(schema, (lambda it: f"{kind}({it})") if kind else None)

    def _union(self, members: tuple[Any, ...]) -> Shape:
        shapes = [self.of(member) for member in members if member is not NoneType]
        is_optional = NoneType in members
        schemas = [shape.schema for shape in shapes]
        if not all(schemas):
            return Shape({}) if all(shape.build is None for shape in shapes) else _refuse(members)
        if is_optional:
            schemas.append({"type": "null"})
        schema = {"anyOf": schemas}
        built = [shape.build for shape in shapes if shape.build is not None]
        if not built:
            return Shape(schema)
        if len(shapes) > 1:
            # Which of them a value is meant to be, JSON does not say.
            _refuse(members)
        [build] = built
        return Shape(schema, lambda it: f"None if {it} is None else {build(it)}")

    def _class(self, hint: Any) -> Shape:
        if (
            hint in _LISTS
            or hint in _OTHER_LISTS
            or hint in _MAPPINGS
            or not isinstance(hint, type)
        ):
            raise Unfit(_said(hint))
        if hint in self._within:
            raise Unfit(f"{_said(hint)}, which holds itself")
        self._within.append(hint)
        try:
            if issubclass(hint, enum.Enum):
                return self._enum(hint)
            if is_typeddict(hint):
                return self._typed_dict(hint)
            if dataclasses.is_dataclass(hint):
                return self._dataclass(hint)
        finally:
            self._within.pop()
        raise Unfit(_said(hint))

    def _enum(self, kind: type[enum.Enum]) -> Shape:
        values = [member.value for member in kind]
        if issubclass(kind, enum.Flag) or not values or not all(map(is_json, values)):
            raise Unfit(_said(kind))
        path = self._path_of(kind)
        return Shape({"enum": values}, lambda it: f"{path}({it})")

    def _typed_dict(self, kind: Any) -> Shape:
        shapes = {name: self.of(hint) for name, hint in _hints(kind).items()}
        if any(shape.build is not None for shape in shapes.values()):
            raise Unfit(f"{_said(kind)}, whose members are more than JSON has")
        return Shape(_object(shapes, [name for name in shapes if name in kind.__required_keys__]))

    def _dataclass(self, kind: Any) -> Shape:
        hints = _hints(kind)
        fields = [field for field in dataclasses.fields(kind) if field.init]
        shapes = {field.name: self.of(hints[field.name]) for field in fields}
        required = [
            field.name
            for field in fields
            if field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING
        ]
        if set(inspect.signature(kind).parameters) != set(shapes):
            raise Unfit(f"{_said(kind)}, which is made of more than its fields")
        path = self._path_of(kind)
        maker = "_made_" + "_".join(path.split(".")[1:])
        lines = [f"def {maker}(given):", "    made = dict(given)"]
        for name, shape in shapes.items():
            if shape.build is not None:
                lines.append(f"    if {name!r} in made:")
                place = f"made[{name!r}]"
                lines.append(f"        {place} = {shape.build(place)}")
        lines.append(f"    return {path}(**made)")
        self.makers[maker] = "\n".join(lines)
        return Shape(_object(shapes, required), lambda it: f"{maker}({it})")

    def _path_of(self, kind: type) -> str:
        """What a class is called in code beside the module. Raises Unfit for one of a function."""
        found: Any = self._module
        for part in kind.__qualname__.split("."):
            found = getattr(found, part, None)
        if found is not kind:
            raise Unfit(f"{_said(kind)}, which the module has no name for")
        return f"{self._name}.{kind.__qualname__}"


def _object(shapes: Mapping[str, Shape], required: list[str]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {name: shape.schema for name, shape in shapes.items()},
        "required": required,
        "additionalProperties": False,
    }


def _hints(kind: Any) -> dict[str, Any]:
    try:
        return get_type_hints(kind)
    except (NameError, TypeError, SyntaxError, AttributeError):
        raise Unfit(f"{_said(kind)}, whose annotations cannot be read") from None


def _refuse(members: tuple[Any, ...]) -> Any:
    raise Unfit("one of " + ", ".join(_said(member) for member in members))


def _said(hint: Any) -> str:
    """A type in words, without the private name of the module that it was read in."""
    if isinstance(hint, type) and get_origin(hint) is None:
        return hint.__qualname__
    text = str(hint)
    return text if "_cra_atlas_" not in text else "a type of the module"
