"""The functions of a module that is loaded, as JSON: what actions are made of."""

from __future__ import annotations

import enum
import inspect
from collections.abc import Callable, Iterator
from types import ModuleType
from typing import Any, Final, NamedTuple

from cra.adapters.docstring import first_line, parameters_in
from cra.adapters.shape import Shape, Shapes, Unfit
from cra.runtime.signature import hint_of, is_json

# What begins the names of functions that take JSON; nothing else beside them begins so.
CALL: Final = "call_"

# What makes JSON of what a function returns.
_PLAIN: Final = """def _plain(value):
    if isinstance(value, enum.Enum):
        return _plain(value.value)
    if dataclasses.is_dataclass(value) and not isinstance(value, type):
        fields = dataclasses.fields(value)
        return {field.name: _plain(getattr(value, field.name)) for field in fields}
    if isinstance(value, dict):
        return {_plain(key): _plain(member) for key, member in value.items()}
    if isinstance(value, list | tuple | set | frozenset):
        return [_plain(item) for item in value]
    return value"""


class _Parameters(NamedTuple):
    schema: dict[str, Any]
    # The code that makes the arguments that JSON has no form for, by their names.
    built: dict[str, str]
    said: list[str]


def described(module: ModuleType, name: str) -> dict[str, Any]:
    """The public functions, which of them lack a part or are left out, and the code of those that
    cannot be called with JSON as it is. `name` is what that code calls the module."""
    shapes = Shapes(module, name)
    functions: list[dict[str, Any]] = []
    reduced: list[list[Any]] = []
    left_out: list[list[Any]] = []
    code: list[str] = []
    for public, value in _public(module):
        place = _place_of(value)
        flaw = _flaw_of(value)
        if flaw is not None:
            left_out.append([*place, f"{public}: {flaw}"])
            continue
        try:
            parameters = _parameters(value, shapes)
        except Unfit as error:
            left_out.append([*place, f"{public}: {error}"])
            continue
        reduced += [[*place, f"{public}: {words}"] for words in parameters.said]
        returned = _returned(value, shapes)
        if isinstance(returned, str):
            reduced.append([*place, f"{public}: {returned}"])
            returned = Shape({})
        is_wrapped = bool(parameters.built) or returned.build is not None
        if is_wrapped:
            is_async = inspect.iscoroutinefunction(value)
            has_form = returned.build is not None
            code.append(_wrapper(public, f"{name}.{public}", parameters.built, is_async, has_form))
        functions.append(
            {
                "name": public,
                "description": first_line(inspect.getdoc(value)),
                "parameters_schema": parameters.schema,
                "returns_schema": returned.schema or None,
                "is_wrapped": is_wrapped,
            }
        )
    helpers = [_PLAIN] if any("_plain(" in one for one in code) else []
    return {
        "about": first_line(module.__doc__),
        "documentation": inspect.getdoc(module),
        "functions": functions,
        "reduced": reduced,
        "left_out": left_out,
        "code": [*helpers, *shapes.makers.values(), *code] if code else [],
    }


def _public(module: ModuleType) -> Iterator[tuple[str, Any]]:
    """What `__all__` names, or else the functions that the module itself defines."""
    listed = getattr(module, "__all__", None)
    if listed is not None:
        yield from ((str(name), getattr(module, str(name), None)) for name in listed)
        return
    for name, value in vars(module).items():
        is_own = getattr(value, "__module__", None) == module.__name__
        if is_own and callable(value) and not isinstance(value, type) and name[:1] != "_":
            yield name, value


def _flaw_of(value: Any) -> str | None:
    """Why a value is no function that an action can be."""
    if isinstance(value, type):
        return "a class; an action is a function"
    if not callable(value):
        return "no function"
    if getattr(value, "__name__", "") == "<lambda>":
        return "a lambda, which has no name"
    if inspect.isgeneratorfunction(value) or inspect.isasyncgenfunction(value):
        return "a generator, whose work is not done when it returns"
    try:
        inspect.signature(value)
    except (TypeError, ValueError):
        return "its parameters cannot be read"
    return None


def _place_of(value: Any) -> list[Any]:
    """The file and the line of a function, as far as they are known."""
    code = getattr(inspect.unwrap(value), "__code__", None) if callable(value) else None
    return ["", 0] if code is None else [code.co_filename, code.co_firstlineno]


def _parameters(function: Callable[..., Any], shapes: Shapes) -> _Parameters:
    """Raises Unfit if one that has to be given cannot be."""
    properties: dict[str, Any] = {}
    required: list[str] = []
    built: dict[str, str] = {}
    said: list[str] = []
    signature = inspect.signature(function)
    words = parameters_in(inspect.getdoc(function), signature.parameters)
    for name, parameter in signature.parameters.items():
        is_needed = parameter.default is parameter.empty
        if parameter.kind in (parameter.VAR_POSITIONAL, parameter.VAR_KEYWORD):
            said.append(f"without the parameters *{name}, which have no names")
            continue
        try:
            shape = _shape(function, parameter, shapes)
        except Unfit as error:
            if is_needed:
                raise
            said.append(f"without the parameter {name}, {str(error).removeprefix(f'{name} is ')}")
            continue
        stated = dict(shape.schema)
        if name in words:
            stated["description"] = words[name]
        default = parameter.default
        if isinstance(default, enum.Enum):
            default = default.value
        if is_needed:
            required.append(name)
        elif is_json(default):
            stated["default"] = default
        properties[name] = stated
        if shape.build is not None:
            built[name] = shape.build(f"given[{name!r}]")
    schema = {
        "type": "object",
        "properties": properties,
        "required": required,
        "additionalProperties": False,
    }
    return _Parameters(schema, built, said)


def _shape(function: Callable[..., Any], parameter: inspect.Parameter, shapes: Shapes) -> Shape:
    name = parameter.name
    if parameter.kind is parameter.POSITIONAL_ONLY:
        raise Unfit(f"{name} is positional only, and actions are called by name")
    hint = hint_of(function, parameter)
    if hint is Any and not _is_any(parameter):
        raise Unfit(f"{name} is annotated with {parameter.annotation}, which cannot be read")
    try:
        return shapes.of(hint)
    except Unfit as error:
        raise Unfit(f"{name} is of a type that JSON has no form for: {error}") from None


def _is_any(parameter: inspect.Parameter) -> bool:
    """Whether a parameter says that it takes anything, or says nothing."""
    stated = parameter.annotation
    return stated in (parameter.empty, Any, "Any", "typing.Any", "object", object)


def _returned(function: Callable[..., Any], shapes: Shapes) -> Shape | str:
    """The shape of what comes back, or why there is none."""
    annotation = inspect.signature(function).return_annotation
    if annotation is inspect.Signature.empty:
        return Shape({})
    it = inspect.Parameter("it", inspect.Parameter.KEYWORD_ONLY, annotation=annotation)
    try:
        shape = _shape(function, it, shapes)
        return shape._replace(schema=_opened(shape.schema))
    except Unfit as error:
        return f"without a schema of what it returns: {str(error).removeprefix('it is ')}"


def _opened(schema: Any) -> Any:
    """A schema of results: an object of a subclass has more members, and those that no caller
    states."""
    if isinstance(schema, list):
        return [_opened(item) for item in schema]
    if not isinstance(schema, dict) or "enum" in schema:
        return schema
    return {
        key: {name: _opened(inner) for name, inner in value.items()}
        if key == "properties"
        else _opened(value)
        for key, value in schema.items()
        if not (key == "additionalProperties" and value is False)
    }


def _wrapper(name: str, path: str, built: dict[str, str], is_async: bool, has_form: bool) -> str:
    """The code of a function that takes JSON, and calls another with what it stands for."""
    lines = [f"{'async ' if is_async else ''}def {CALL}{name}(**given):"]
    for parameter, expression in built.items():
        lines.append(f"    if {parameter!r} in given:")
        lines.append(f"        given[{parameter!r}] = {expression}")
    call = f"{'await ' if is_async else ''}{path}(**given)"
    lines.append(f"    return _plain({call})" if has_form else f"    return {call}")
    return "\n".join(lines)
