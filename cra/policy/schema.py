"""JSON Schema: a closed part of it, compiled once, whose cost is known before it is used.

A schema's words are read at once, and its validator is made when a value is first held against it:
to load the library takes as long as the rest of a short command, most of which validate nothing.

A schema is read as draft 2020-12 unless its `$schema` names 2019-09 or draft 7. Everything that
would make it mean less than it says is refused when it is loaded: an unknown keyword or format,
a regex that needs backtracking, a reference that leaves the document or comes back to itself.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from functools import cached_property, lru_cache
from itertools import islice
from typing import TYPE_CHECKING, Any, Final

import orjson

from cra import canonical
from cra.config.values import nearest_of, shown
from cra.errors import ValueRefused
from cra.policy.vocabulary import Flaw, flaw_of_refusal, flaws_of_words

if TYPE_CHECKING:
    from jsonschema_rs import ValidationError, Validator

MAX_BYTES: Final = 1 << 16
MAX_FLAWS: Final = 20


class Schema:
    """A compiled schema. Values that canonical JSON cannot hold, such as NaN, never meet it."""

    def __init__(self, schema: Any) -> None:
        self.document = schema

    @cached_property
    def built(self) -> Validator | Flaw:
        """What holds values against the schema, or why JSON Schema does not allow it."""
        return _built(self.document)

    @cached_property
    def validator(self) -> Validator:
        """Raises ValueRefused for a schema that JSON Schema does not allow."""
        if isinstance(self.built, Flaw):
            raise _refusal(self.built)
        return self.built

    def accepts(self, value: Any) -> bool:
        """Raises ValueRefused for a value that is no canonical JSON."""
        canonical.encode(value)
        return self.validator.is_valid(value)

    def flaws(self, value: Any) -> tuple[Flaw, ...]:
        """Why a value is not accepted, the first few reasons; none if it is."""
        try:
            canonical.encode(value)
        except ValueRefused as error:
            return (flaw_of_refusal(error),)
        errors = islice(self.validator.iter_errors(value), MAX_FLAWS)
        found = (flaw for error in errors for flaw in _flaws_of(error, self.document, value))
        return tuple(dict.fromkeys(found))[:MAX_FLAWS]


def compile_schema(schema: Any, *, typed: bool = False) -> Schema:
    """The compiled form of a schema, kept by its canonical bytes; `typed` as in `flaws_of`.

    Raises ValueRefused; what only the validator finds wrong, it raises when a value is held
    against it.
    """
    found = _compiled(canonical.encode(schema), typed)
    if isinstance(found, Schema):
        return found
    raise _refusal(found[0])


def flaws_of(schema: Any, *, typed: bool = False) -> tuple[Flaw, ...]:
    """What is wrong with a schema; nothing, if it can be compiled.

    `typed` asks for a `type` beside each keyword that is about values of one type alone: without
    it, {"maximum": 100} holds for the text "1,000,000".
    """
    try:
        found = _compiled(canonical.encode(schema), typed)
    except ValueRefused as error:
        return (flaw_of_refusal(error),)
    if not isinstance(found, Schema):
        return found
    return (found.built,) if isinstance(found.built, Flaw) else ()


def shape_of(schema: Any) -> dict[str, Any]:
    """Of a schema that says more, what it says of the types of values and their members."""
    if not isinstance(schema, dict):
        return {}
    shape: dict[str, Any] = {}
    if "type" in schema:
        shape["type"] = schema["type"]
    if "properties" in schema:
        shape["properties"] = {
            name: shape_of(member) for name, member in schema["properties"].items()
        }
    if "items" in schema:
        shape["items"] = shape_of(schema["items"])
    return shape


@lru_cache(maxsize=1024)
def _compiled(text: bytes, typed: bool) -> Schema | tuple[Flaw, ...]:
    if len(text) > MAX_BYTES:
        return (Flaw((), f"at most {MAX_BYTES} bytes", f"{len(text)}"),)
    schema = orjson.loads(text)
    if isinstance(schema, dict):
        # A name that a reference could take for another document's.
        schema.pop("$id", None)
    # Each definition is read where it stands and where it is referred to.
    flaws = tuple(dict.fromkeys(flaws_of_words(schema, typed)))
    return flaws[:MAX_FLAWS] or Schema(schema)


def _built(schema: Any) -> Validator | Flaw:
    import jsonschema_rs

    try:
        return jsonschema_rs.validator_for(
            schema,
            # Linear in the input. The default engine backtracks, gives up, and calls that no match.
            pattern_options=jsonschema_rs.RegexOptions(),
            validate_formats=True,
            ignore_unknown_formats=False,
            offline=True,
        )
    except jsonschema_rs.ValidationError as error:
        expected = "what JSON Schema allows"
        if error.kind.name == "format":
            expected = "a regex without lookaround, backreferences and large repetitions"
        return Flaw(tuple(error.instance_path), expected, error.message)


def _refusal(flaw: Flaw) -> ValueRefused:
    return ValueRefused(f"the schema, {flaw}")


def _flaws_of(error: ValidationError, schema: Any, value: Any) -> Iterator[Flaw]:
    path = tuple(error.instance_path)
    facts = error.kind.as_dict()
    name = error.kind.name
    unexpected = _unexpected(error, value)
    if unexpected:
        beside = _at(schema, list(error.schema_path)[:-1])
        known = {key: key for key in beside.get("properties", ())}
        for key in unexpected:
            yield Flaw((*path, key), "a known key", "an unknown one", nearest_of(key, known))
    elif name == "required":
        yield Flaw((*path, facts["property"]), "a value", "none")
    else:
        words = (
            _WORDS[name](facts) if name in _WORDS else " ".join([name, *map(str, facts.values())])
        )
        yield Flaw(path, words, shown(error.instance))


def _unexpected(error: ValidationError, value: Any) -> list[str]:
    """The members of an object for which a schema has no place."""
    name = error.kind.name
    if name in ("additionalProperties", "unevaluatedProperties"):
        return list(map(str, error.kind.as_dict()["unexpected"]))
    if name == "falseSchema" and list(error.schema_path)[-1:] == ["additionalProperties"]:
        # Beside no `properties`, the validator tells of a member's value without its name.
        members = _at(value, error.instance_path)
        if isinstance(members, dict) and error.instance in members.values():
            return list(members)
    return []


def _at(value: Any, path: Iterable[str | int]) -> Any:
    for step in path:
        value = value[step]
    return value


def _counted(count: int, noun: str) -> str:
    return f"{count} {noun}{'s' * (count != 1)}"


_WORDS: Final[Mapping[str, Callable[[Any], str]]] = {
    "type": lambda facts: " or ".join(facts["types"]),
    "enum": lambda facts: "one of " + ", ".join(map(shown, facts["options"])),
    "const": lambda facts: shown(facts["expected_value"]),
    "minimum": lambda facts: f"at least {facts['limit']}",
    "maximum": lambda facts: f"at most {facts['limit']}",
    "exclusiveMinimum": lambda facts: f"more than {facts['limit']}",
    "exclusiveMaximum": lambda facts: f"less than {facts['limit']}",
    "multipleOf": lambda facts: f"a multiple of {facts['multiple_of']}",
    "minLength": lambda facts: f"a text of at least {_counted(facts['limit'], 'character')}",
    "maxLength": lambda facts: f"a text of at most {_counted(facts['limit'], 'character')}",
    "pattern": lambda facts: f"a text that fits {facts['pattern']}",
    "format": lambda facts: f"a text of the format {facts['format']}",
    "minItems": lambda facts: f"at least {_counted(facts['limit'], 'item')}",
    "maxItems": lambda facts: f"at most {_counted(facts['limit'], 'item')}",
    "uniqueItems": lambda _: "items that are all different",
    "contains": lambda _: "as many items of a kind as a schema asks for",
    "minProperties": lambda facts: f"at least {_counted(facts['limit'], 'member')}",
    "maxProperties": lambda facts: f"at most {_counted(facts['limit'], 'member')}",
    "falseSchema": lambda _: "nothing",
    "anyOf": lambda _: "a value that one of several schemas accepts",
    "oneOf": lambda _: "a value that exactly one of several schemas accepts",
    "not": lambda _: "a value that a schema refuses",
    "propertyNames": lambda _: "other names of members",
}
