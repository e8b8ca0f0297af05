"""One operation of an OpenAPI document as an action: where arguments go, what comes back."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple
from urllib.parse import quote

from cra.adapters.imported import MAX_DESCRIPTION, Effect, line_of
from cra.adapters.openapi_schema import NotCarried, Schemas
from cra.atlas.executor import RESERVED_HEADERS
from cra.policy.schema import flaws_of
from cra.printable import safe

EFFECTS: Final[Mapping[str, Effect]] = {
    "get": "reads",
    "head": "reads",
    "post": "changes",
    "put": "changes",
    "patch": "changes",
    "delete": "deletes",
}
_TIERS: Final[Mapping[Effect, str]] = {"reads": "low", "changes": "medium", "deletes": "high"}
# RFC 9110, section 9.2.2.
_IDEMPOTENT: Final = frozenset(["get", "head", "put", "delete"])
_ARGUMENT: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
_HEADER: Final = re.compile(r"[A-Za-z0-9!#$%&'*+.^_`|~-]+")
_MEDIA_TYPE: Final = re.compile(r"[a-z0-9.+-]+/[a-z0-9.+-]+")
_PLACEHOLDER: Final = re.compile(r"\{([^{}]*)\}")
_PERCENT: Final = re.compile("%(?![0-9A-Fa-f]{2})")
_SCALARS: Final = frozenset(["boolean", "integer", "number", "string"])
_COMPOUND: Final = frozenset(["array", "object"])
# OpenAPI passes over them as parameters: other parts of a document say what they are.
_NO_PARAMETERS: Final = frozenset(["accept", "authorization", "content-type"])
_OF_BODY: Final = frozenset(
    ["type", "properties", "required", "additionalProperties", "title", "description", "default"]
)


class Server(NamedTuple):
    """Where the requests of a document go."""

    url: str
    host: str
    is_private: bool


class Operation(NamedTuple):
    """An operation as it stands in a document."""

    method: str
    path: str
    # Of the path, and of the operation, which counts where both say something.
    shared: Mapping[str, Any]
    own: Mapping[str, Any]

    @property
    def place(self) -> str:
        return f"{self.method.upper()} {line_of(self.path, 200)}"


class RequestDraft:
    """What is gathered of an action while its operation is read."""

    def __init__(self) -> None:
        self.properties: dict[str, Any] = {}
        self.required: list[str] = []
        # Names in the path's template, and the arguments that they stand for.
        self.path: dict[str, str] = {}
        self.query: dict[str, str] = {}
        self.headers: dict[str, str] = {}
        self.body: list[str] | None = None
        self.said: list[str] = []

    def add(self, name: str, schema: Any, *, is_required: bool, where: str) -> str:
        """The argument for a name, which another place may have taken already."""
        argument = re.sub("[^A-Za-z0-9_.-]+", "_", name).strip("_")
        argument = argument if _ARGUMENT.fullmatch(argument) else f"p_{argument}"
        if argument in self.properties:
            argument = f"{argument}_{where}"
        if argument in self.properties:
            raise NotCarried(f"two parameters of the name {line_of(name)} in its {where}")
        self.properties[argument] = schema
        if is_required:
            self.required.append(argument)
        return argument

    def leave(self, words: str, *, is_required: bool) -> None:
        """Leave something out; with it the operation, if that cannot do without."""
        if is_required:
            raise NotCarried(words)
        self.said.append(f"without {words}")


def action_of(
    operation: Operation,
    action_id: str,
    server: Server,
    schemas: Schemas,
    secret_headers: Mapping[str, str],
) -> tuple[dict[str, Any], list[str]]:
    """The action, and what of the operation it does without. Raises NotCarried."""
    if operation.own.get("deprecated") is True:
        raise NotCarried("it is deprecated")
    if "servers" in operation.own or "servers" in operation.shared:
        raise NotCarried("it has a server of its own")
    draft = RequestDraft()
    draft.headers |= secret_headers
    _read_body(operation, schemas, draft)
    _read_parameters(operation, schemas, draft)
    url = server.url + _path_of(operation.path, draft.path)
    if "callbacks" in operation.own:
        draft.said.append("without its callbacks")
    output, returns = _answer_of(operation, schemas, draft)
    parameters = {
        "type": "object",
        "properties": draft.properties,
        "required": draft.required,
        "additionalProperties": False,
    }
    flaws = flaws_of(parameters)
    if flaws:
        raise NotCarried(f"its parameters: {line_of(str(flaws[0]), 200)}")
    executor: dict[str, Any] = {
        "type": "http",
        "method": operation.method.upper(),
        "url": url,
        "hosts": [server.host],
        "query": draft.query,
        "headers": draft.headers,
        "body": draft.body,
        "output": output,
        "allow_private": server.is_private,
    }
    own = operation.own
    summary = line_of(own.get("summary")) or line_of(own.get("operationId")) or operation.place
    action = {
        "action_id": action_id,
        "name": summary,
        "description": line_of(own.get("description"), MAX_DESCRIPTION) or summary,
        "risk_tier": _TIERS[EFFECTS[operation.method]],
        "idempotent": operation.method in _IDEMPOTENT,
        "parameters_schema": parameters,
        **({"returns_schema": returns} if returns else {}),
        "executor": {
            key: value for key, value in executor.items() if value not in ({}, None, False)
        },
    }
    return action, [*draft.said, *(f"without {words}" for words in schemas.take_said())]


# Parameters


def _read_parameters(operation: Operation, schemas: Schemas, draft: RequestDraft) -> None:
    found: dict[tuple[str, str], Mapping[str, Any]] = {}
    for source in (operation.shared, operation.own):
        listed = source.get("parameters", [])
        if not isinstance(listed, list):
            raise NotCarried("its parameters are no list")
        for one in listed:
            parameter = schemas.object_at(one, "a parameter")
            name, place = parameter.get("name"), parameter.get("in")
            if not isinstance(name, str) or not isinstance(place, str):
                raise NotCarried("a parameter without a name or a place")
            found[place, name] = parameter
    for (place, name), parameter in found.items():
        _read_parameter(place, name, parameter, schemas, draft)


def _read_parameter(
    place: str, name: str, parameter: Mapping[str, Any], schemas: Schemas, draft: RequestDraft
) -> None:
    if place == "header" and name.lower() in _NO_PARAMETERS:
        return
    is_required = parameter.get("required") is True or place == "path"
    words = f"the {line_of(place, 20)} parameter {line_of(name)}"
    flaw = _flaw_of_parameter(place, name, parameter, draft)
    schema: dict[str, Any] = {}
    if flaw is None:
        try:
            schema = schemas.of(parameter.get("schema", {}), "request")
        except NotCarried as error:
            flaw = str(error)
    if flaw is None:
        flaw = _flaw_of_value(place, parameter, schema)
    if flaw is None and place == "header" and not is_required:
        flaw = "optional ones have no place in a request"
    if flaw is not None:
        draft.leave(f"{words}: {flaw}", is_required=is_required)
        return
    said = line_of(parameter.get("description"), MAX_DESCRIPTION)
    if said and "description" not in schema:
        schema = {**schema, "description": said}
    argument = draft.add(name, schema, is_required=is_required, where=place)
    if place == "path":
        draft.path[name] = argument
    elif place == "query":
        draft.query[name] = argument
    else:
        draft.headers[name] = f"{{{argument}}}"


def _flaw_of_parameter(
    place: str, name: str, parameter: Mapping[str, Any], draft: RequestDraft
) -> str | None:
    """Why a parameter has no place in a request, whatever its value."""
    if place not in ("path", "query", "header"):
        return "only those of path, query and header are sent"
    if not name or safe(name) != name:
        return "its name is no plain text"
    if "content" in parameter:
        return "it is sent as a document of its own"
    usual = "form" if place == "query" else "simple"
    if parameter.get("style", usual) != usual:
        return f"its style is {line_of(parameter.get('style')) or 'none'}"
    if place == "header":
        is_taken = name.lower() in {header.lower() for header in draft.headers}
        if not _HEADER.fullmatch(name) or name.lower() in RESERVED_HEADERS or is_taken:
            return "no action sets that header"
    return None


def _flaw_of_value(
    place: str, parameter: Mapping[str, Any], schema: Mapping[str, Any]
) -> str | None:
    """Why the values of a parameter have no form there."""
    kinds = _kinds_of(schema)
    if place == "query" and kinds == {"array"}:
        if parameter.get("explode", True) is not True:
            return "its items are sent in one"
        items = schema.get("items", {})
        kinds = _kinds_of(items) if isinstance(items, dict) else set()
    unknown = sorted(kinds - _SCALARS - _COMPOUND)
    if unknown:
        return f"its schema names the type {line_of(unknown[0], 40)}, which is none"
    return None if kinds <= _SCALARS else "lists and objects have no form there"


def _kinds_of(schema: Mapping[str, Any]) -> set[str]:
    """The types that a schema names, but null."""
    stated = schema.get("type", [])
    kinds = [stated] if isinstance(stated, str) else stated if isinstance(stated, list) else []
    return {str(kind) for kind in kinds} - {"null"}


def _path_of(template: str, arguments: Mapping[str, str]) -> str:
    """The path with the names of its arguments. Raises NotCarried."""
    parts = _PLACEHOLDER.split(template)
    # Every other part stood between braces.
    literals, names = parts[::2], parts[1::2]
    if any(char in literal for literal in literals for char in "{}?#\\"):
        raise NotCarried("a path with braces, ?, # or \\ in it")
    unknown = sorted({*names} ^ {*arguments})
    if unknown:
        raise NotCarried(f"a path that does not fit its parameters: {line_of(unknown[0])}")
    if any(part in (".", "..") for part in template.split("/")):
        raise NotCarried("a path with . or .. in it")
    return "".join(
        f"{{{arguments[part]}}}" if at % 2 else _quoted(part) for at, part in enumerate(parts)
    )


def _quoted(literal: str) -> str:
    text = _PERCENT.sub("%25", literal)
    try:
        return quote(text, safe="/:@!$&'()*+,;=-._~%")
    except UnicodeEncodeError:
        raise NotCarried("a path that is no text") from None


# The body


def _read_body(operation: Operation, schemas: Schemas, draft: RequestDraft) -> None:
    stated = operation.own.get("requestBody")
    if stated is None:
        return
    body = schemas.object_at(stated, "its body")
    is_required = body.get("required") is True
    content = body.get("content")
    media = dict(_json_of(content if isinstance(content, dict) else {}))
    # Few documents say that a body is required; what changes something is of no use without it.
    is_needed = is_required or (
        EFFECTS[operation.method] == "changes" and body.get("required") is not False
    )
    if not media or EFFECTS[operation.method] == "reads":
        kinds = ", ".join(map(line_of, content)) if isinstance(content, dict) else "nothing"
        draft.leave(f"its body: {kinds or 'nothing'}", is_required=is_needed)
        return
    kind, value = next(iter(media.items()))
    try:
        stated = schemas.object_at(value, "its body").get("schema")
        shape = _named_members(schemas.of(stated, "request"))
    except NotCarried as error:
        draft.leave(f"its body: {error}", is_required=is_needed)
        return
    needed = shape["required"]
    body_names = []
    for name, schema in shape["properties"].items():
        if _ARGUMENT.fullmatch(name):
            draft.properties[name] = schema
            body_names.append(name)
            draft.required += [name] if name in needed else []
        else:
            words = f"the member {line_of(name)} of its body: no argument has such a name"
            draft.leave(words, is_required=name in needed)
    unnamed = sorted(set(needed) - set(shape["properties"]))
    if unnamed:
        raise NotCarried(f"its body needs {line_of(unnamed[0])}, of which it says nothing")
    draft.said += [f"without {key} of its body" for key in shape["others"]]
    if not is_required:
        draft.said.append("its body is sent always, and may be left out by other callers")
    draft.body = body_names
    if kind != "application/json":
        draft.headers["Content-Type"] = kind


def _json_of(content: Mapping[str, Any]) -> Iterator[tuple[str, Any]]:
    """The media types of a body or an answer that are JSON; the usual one first."""
    for name in sorted(content, key=lambda name: name != "application/json"):
        kind = name.partition(";")[0].strip().lower()
        is_json = kind in ("application/json", "text/json") or kind.endswith("+json")
        if is_json and _MEDIA_TYPE.fullmatch(kind):
            yield kind, content[name]


def _named_members(schema: Mapping[str, Any]) -> dict[str, Any]:
    """What a schema says of an object, which has to have members. Raises NotCarried."""
    found = _members(schema)
    if not found["properties"]:
        raise NotCarried("it is no object with named members")
    return found


def _members(schema: Mapping[str, Any]) -> dict[str, Any]:
    """The same, of an object that is put together of several, too."""
    parts = schema.get("allOf", [])
    found: dict[str, Any] = {"properties": {}, "required": [], "others": []}
    for part in parts if isinstance(parts, list) else []:
        if not isinstance(part, dict):
            raise NotCarried("a part of it is no object")
        inner = _members(part)
        clash = sorted(found["properties"].keys() & inner["properties"].keys())
        if clash:
            raise NotCarried(f"two parts of it say something of {line_of(clash[0])}")
        found["properties"] |= inner["properties"]
        for key in ("required", "others"):
            found[key] += [one for one in inner[key] if one not in found[key]]
    if schema.keys() & {"anyOf", "oneOf", "not", "if"}:
        raise NotCarried("it is one of several")
    properties, required = schema.get("properties", {}), schema.get("required", [])
    is_object = _kinds_of(schema) <= {"object"} and isinstance(properties, dict)
    if not is_object or not isinstance(required, list):
        raise NotCarried("it is no object with named members")
    found["properties"] |= properties
    found["required"] += [str(name) for name in required if name not in found["required"]]
    found["others"] += [key for key in schema if key not in _OF_BODY and key != "allOf"]
    if schema.get("additionalProperties", False) is not False:
        found["others"].append("members beyond those that are named")
    return found


# The answer


def _answer_of(
    operation: Operation, schemas: Schemas, draft: RequestDraft
) -> tuple[str, dict[str, Any] | None]:
    """Whether an answer is JSON or text, and the schema of the result, if one can be told."""
    responses = operation.own.get("responses")
    good = [
        value
        for status, value in (responses.items() if isinstance(responses, dict) else ())
        if str(status).startswith("2")
    ]
    try:
        answers = [schemas.object_at(one, "an answer").get("content") for one in good]
    except NotCarried as error:
        draft.said.append(f"without a schema of its answer: {error}")
        return "text", None
    contents = [content for content in answers if isinstance(content, dict) and content]
    found = [next(_json_of(content), None) for content in contents]
    if None in found or operation.method == "head" or not good:
        return "text", None
    is_empty = len(contents) < len(answers)
    try:
        bodies = [_body_schema(one, schemas) for one in found if one is not None]
    except NotCarried as error:
        draft.said.append(f"without a schema of its answer: {error}")
        return "json", None
    if not bodies or {} in bodies:
        return "json", None
    options: Sequence[Any] = [*bodies, *([{"type": "null"}] if is_empty else [])]
    result = {
        "type": "object",
        "properties": {
            "status": {"type": "integer"},
            "headers": {"type": "object"},
            "body": options[0] if len(options) == 1 else {"anyOf": options},
        },
        "required": ["status", "headers", "body"],
    }
    flaws = flaws_of(result)
    if flaws:
        draft.said.append(f"without a schema of its answer: {line_of(str(flaws[0]), 200)}")
        return "json", None
    return "json", result


def _body_schema(media: tuple[str, Any], schemas: Schemas) -> dict[str, Any]:
    return schemas.of(schemas.object_at(media[1], "an answer").get("schema", {}), "response")
