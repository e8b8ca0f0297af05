"""Schemas of an OpenAPI document in the JSON Schema that cra reads, with every reference replaced
by what it leads to."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias
from urllib.parse import unquote

from cra import canonical
from cra.adapters.imported import MAX_DESCRIPTION, line_of
from cra.errors import ValueRefused
from cra.policy.schema import flaws_of

# Who states a value: a property that is only read is in no request.
Direction: TypeAlias = Literal["request", "response"]

_MAX_SUBSCHEMAS: Final = 2_000
_MAX_DEPTH: Final = 48
_MAX_HOPS: Final = 16


def _words(text: str) -> frozenset[str]:
    return frozenset(text.split())


_FORMATS: Final = _words(
    "date-time date time duration email idn-email hostname idn-hostname ipv4 ipv6 uri"
    " uri-reference iri iri-reference uuid uri-template json-pointer relative-json-pointer regex"
)
# They say how a number or a text is kept, and nothing of its form.
_KEPT_SO: Final = _words("binary byte double float int32 int64 password")
_TEXTS: Final = _words("title description")
_LIMITS: Final = _words(
    "multipleOf maximum minimum exclusiveMaximum exclusiveMinimum maxLength minLength maxItems"
    " minItems uniqueItems maxContains minContains maxProperties minProperties"
)
_PLAIN: Final = _words("type enum const default required dependentRequired")
_IN_ONE: Final = _words(
    "not if then else additionalProperties propertyNames contains items unevaluatedItems"
    " unevaluatedProperties"
)
_IN_LIST: Final = _words("allOf anyOf oneOf prefixItems")
_IN_MEMBERS: Final = _words("properties patternProperties dependentSchemas")
# What says nothing about values, and what is read beside the keyword that it belongs to.
_PASSED_OVER: Final = _words(
    "$comment $defs $ref $schema contentEncoding contentMediaType definitions deprecated"
    " discriminator example examples externalDocs format nullable pattern readOnly writeOnly xml"
)


class NotCarried(Exception):
    """Something of a document that an action cannot have; its words say what."""


class _Read(NamedTuple):
    """A schema that is read, how many it consists of, and how deep they lie."""

    schema: Any
    size: int
    height: int


class Schemas:
    """The schemas of a document; what lies behind a reference is read once."""

    def __init__(self, root: Mapping[str, Any], *, is_3_0: bool) -> None:
        self._root = root
        self._is_3_0 = is_3_0
        self._known: dict[tuple[str, Direction], _Read] = {}
        self._regexes: dict[str, bool] = {}
        # What has been left out of schemas, in words, since it was last taken.
        self._said: dict[str, None] = {}

    def take_said(self) -> list[str]:
        said, self._said = list(self._said), {}
        return said

    def of(self, node: Any, direction: Direction) -> dict[str, Any]:
        """The schema at a node. Raises NotCarried."""
        read = self._read(node, direction, (), 0)
        if read.schema is False:
            raise NotCarried("a schema that accepts nothing")
        return {} if read.schema is True else read.schema

    def object_at(self, node: Any, what: str) -> Mapping[str, Any]:
        """An object, at a node or where its references lead. Raises NotCarried."""
        for _ in range(_MAX_HOPS):
            if not isinstance(node, dict):
                raise NotCarried(f"{what} is no object")
            if "$ref" not in node:
                return node
            node = self._target(node["$ref"])
        raise NotCarried(f"{what} is a reference that leads back to itself")

    def _target(self, reference: Any) -> Any:
        if not isinstance(reference, str) or not reference.startswith("#"):
            raise NotCarried(f"a reference to another document: {line_of(reference)}")
        value: Any = self._root
        for part in reference.removeprefix("#").split("/")[1:]:
            step = unquote(part).replace("~1", "/").replace("~0", "~")
            is_index = isinstance(value, list) and step.isascii() and step.isdecimal()
            try:
                value = value[int(step[:9])] if is_index else value[step]
            except (KeyError, IndexError, TypeError):
                raise NotCarried(f"a reference to nothing: {line_of(reference)}") from None
        return value

    def _read(self, node: Any, direction: Direction, within: tuple[str, ...], depth: int) -> _Read:
        if isinstance(node, bool):
            return _Read(node, 1, 1)
        if not isinstance(node, dict):
            raise NotCarried("a schema that is no object")
        if depth > _MAX_DEPTH:
            raise NotCarried(f"a schema of more than {_MAX_DEPTH} levels")
        if "$ref" not in node:
            return self._keywords(node, direction, within, depth)
        target = self._referred(node["$ref"], direction, within, depth)
        beside = {key: value for key, value in node.items() if key != "$ref"}
        # OpenAPI 3.0 passes over what stands beside a reference.
        if self._is_3_0 or not beside:
            return target
        more = self._keywords(beside, direction, within, depth)
        if not more.schema:
            return target
        if more.schema.keys() <= _TEXTS and isinstance(target.schema, dict):
            return target._replace(schema={**target.schema, **more.schema})
        count, height = target.size + more.size + 1, max(target.height, more.height) + 1
        return self._bounded({"allOf": [target.schema, more.schema]}, count, height, depth)

    def _referred(
        self, reference: Any, direction: Direction, within: tuple[str, ...], depth: int
    ) -> _Read:
        if reference in within:
            raise NotCarried(f"a schema that holds itself: {line_of(reference)}")
        known = self._known.get((str(reference), direction))
        if known is None:
            target = self._target(reference)
            known = self._read(target, direction, (*within, reference), depth + 1)
            self._known[reference, direction] = known
        return self._bounded(known.schema, known.size, known.height, depth)

    def _bounded(self, schema: Any, count: int, height: int, depth: int) -> _Read:
        if count > _MAX_SUBSCHEMAS or depth + height > _MAX_DEPTH:
            limits = f"{_MAX_SUBSCHEMAS} subschemas and {_MAX_DEPTH} levels"
            raise NotCarried(f"a schema of more than {limits}")
        return _Read(schema, count, height)

    def _keywords(
        self, node: Mapping[str, Any], direction: Direction, within: tuple[str, ...], depth: int
    ) -> _Read:
        schema: dict[str, Any] = {}
        count, height = 1, 1
        gone = self._gone(node, direction)
        for key, value in node.items():
            if key in _TEXTS:
                schema |= {key: line_of(value, MAX_DESCRIPTION)} if isinstance(value, str) else {}
            elif key in _PLAIN:
                schema[key] = value
            elif key in _LIMITS:
                schema |= self._limit(key, value, node)
            elif key in _IN_ONE or key in _IN_LIST or key in _IN_MEMBERS:
                inner = [
                    (name, self._read(one, direction, within, depth + 1))
                    for name, one in _inside(key, value)
                    if not (key == "properties" and name in gone)
                ]
                count += sum(read.size for _, read in inner)
                height = max([height, *(read.height + 1 for _, read in inner)])
                schema |= self._gathered(key, inner)
            elif key not in _PASSED_OVER and not key.startswith("x-"):
                self._say(f"the keyword {line_of(key)} of a schema")
        if gone and isinstance(schema.get("required"), list):
            schema["required"] = [name for name in schema["required"] if name not in gone]
        schema |= self._form(node)
        return self._bounded(self._with_null(schema, node), count, height, depth)

    def _gone(self, node: Mapping[str, Any], direction: Direction) -> set[str]:
        """The properties that the other side alone states."""
        mark = "readOnly" if direction == "request" else "writeOnly"
        members = node.get("properties")
        if not isinstance(members, dict):
            return set()
        return {
            name for name, one in members.items() if isinstance(one, dict) and one.get(mark) is True
        }

    def _gathered(self, key: str, inner: list[tuple[Any, _Read]]) -> dict[str, Any]:
        if key in _IN_ONE:
            [(_, read)] = inner
            return {key: read.schema}
        if key in _IN_LIST:
            return {key: [read.schema for _, read in inner]}
        found = {name: read.schema for name, read in inner}
        if key == "patternProperties":
            found = {name: schema for name, schema in found.items() if self._is_regex(name)}
        return {key: found}

    def _limit(self, key: str, value: Any, node: Mapping[str, Any]) -> dict[str, Any]:
        if key.startswith("exclusive") and isinstance(value, bool):
            # In OpenAPI 3.0 it is said of the bound.
            bound = node.get(key.removeprefix("exclusive").lower())
            return {key: bound} if value and _is_number(bound) else {}
        exclusive = f"exclusive{key.capitalize()}"
        if node.get(exclusive) is True:
            return {}
        if not _is_number(value) and _is_numeric(value):
            self._say(f"a {key} that is more than all readers of JSON agree on")
            return {}
        return {key: value}

    def _form(self, node: Mapping[str, Any]) -> dict[str, Any]:
        """The form of a text, as far as cra checks it."""
        form: dict[str, Any] = {}
        stated, pattern = node.get("format"), node.get("pattern")
        if isinstance(stated, str) and stated in _FORMATS:
            form["format"] = stated
        elif stated is not None and line_of(stated) not in _KEPT_SO:
            self._say(f"the format {line_of(stated)}, which is not checked")
        if isinstance(pattern, str) and self._is_regex(pattern):
            form["pattern"] = pattern
        return form

    def _is_regex(self, pattern: str) -> bool:
        if pattern not in self._regexes:
            flaws = flaws_of({"type": "string", "pattern": pattern})
            self._regexes[pattern] = not flaws
            if flaws:
                self._say(f"a pattern that cra cannot check: {line_of(pattern)}")
        return self._regexes[pattern]

    def _with_null(self, schema: dict[str, Any], node: Mapping[str, Any]) -> dict[str, Any]:
        """OpenAPI 3.0 says with `nullable` that null is a value, too."""
        if not self._is_3_0 or node.get("nullable") is not True:
            return schema
        if isinstance(schema.get("enum"), list) and None not in schema["enum"]:
            schema["enum"] = [*schema["enum"], None]
        if isinstance(schema.get("type"), str):
            schema["type"] = [schema["type"], "null"]
            return schema
        return {"anyOf": [schema, {"type": "null"}]}

    def _say(self, words: str) -> None:
        self._said[words] = None


def _inside(key: str, value: Any) -> Iterator[tuple[Any, Any]]:
    """The subschemas of a keyword by their names. Raises NotCarried for what holds none."""
    if key in _IN_ONE and isinstance(value, dict | bool):
        yield key, value
    elif key in _IN_LIST and isinstance(value, list):
        yield from enumerate(value)
    elif key in _IN_MEMBERS and isinstance(value, dict):
        yield from value.items()
    else:
        raise NotCarried(f"a schema whose {key} is none")


def _is_numeric(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_number(value: Any) -> bool:
    """Whether a value is a number that canonical JSON has."""
    try:
        canonical.encode(value)
    except ValueRefused:
        return False
    return _is_numeric(value)
