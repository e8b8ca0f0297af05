"""The words of JSON Schema that cra reads, and the walk that finds any other."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, NamedTuple, TypeAlias

from cra.config.values import nearest_of, shown
from cra.errors import ValueRefused

# Levels of subschemas, and subschemas at all, once every reference is replaced by its target:
# twice a reference in each of forty definitions is a schema of 2^40.
MAX_DEPTH: Final = 64
MAX_SUBSCHEMAS: Final = 10_000

Path: TypeAlias = tuple[str | int, ...]


class Flaw(NamedTuple):
    """One mistake in a schema, or in a value that is held against one."""

    path: Path
    expected: str
    found: str
    nearest: str | None = None

    def __str__(self) -> str:
        return self.said_of("it")

    def said_of(self, whole: str) -> str:
        """The mistake in words, with a name for the whole value."""
        nearest = f"; nearest: {self.nearest}" if self.nearest else ""
        place = words_of(self.path) or whole
        return f"{place}: expected {self.expected}, found {self.found}{nearest}"


def words_of(path: Path) -> str:
    """A place in a value: `items[0].name`; nothing for the value itself."""
    parts = [f"[{step}]" if isinstance(step, int) else f".{step}" for step in path]
    return "".join(parts).removeprefix(".")


def flaw_of_refusal(error: ValueRefused) -> Flaw:
    """A value that was refused, as a mistake of its own."""
    expected, _, found = error.message.removeprefix("expected ").partition(", found ")
    return Flaw((), expected, found)


def flaws_of_words(schema: Any, typed: bool) -> Iterator[Flaw]:
    """The mistakes in a schema that a validator would pass over; one may be found repeatedly."""
    return _Reading(schema, typed).flaws()


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


_DRAFTS: Final[Mapping[str, int]] = {
    "https://json-schema.org/draft/2020-12/schema": 2020,
    "https://json-schema.org/draft/2019-09/schema": 2019,
    "http://json-schema.org/draft-07/schema": 7,
}
# The keywords that say something of values of some types alone, and hold for all others.
_ABOUT: Final[Mapping[str, tuple[str, ...]]] = {
    keyword: tuple(types.split())
    for types, keywords in {
        "number integer": "multipleOf maximum exclusiveMaximum minimum exclusiveMinimum",
        "string": "maxLength minLength pattern format",
        "array": "items prefixItems additionalItems unevaluatedItems contains maxContains"
        " minContains maxItems minItems uniqueItems",
        "object": "properties patternProperties additionalProperties unevaluatedProperties"
        " propertyNames required maxProperties minProperties dependentRequired dependentSchemas"
        " dependencies",
    }.items()
    for keyword in keywords.split()
}
_ANNOTATIONS: Final = _names(
    "title description default examples deprecated readOnly writeOnly $comment contentEncoding"
    " contentMediaType $defs definitions"
)
_AT_ROOT: Final = frozenset(["$schema", "$id"])
_KEYWORDS: Final = _ANNOTATIONS.union(
    _ABOUT,
    ["type", "enum", "const", "allOf", "anyOf", "oneOf", "not", "if", "then", "else", "$ref"],
)
# Where subschemas are: as the value, in a list of them, as the values of an object.
_IN_ONE: Final = _names(
    "not if then else additionalProperties additionalItems propertyNames contains items"
    " unevaluatedItems unevaluatedProperties"
)
_IN_LIST: Final = frozenset(["allOf", "anyOf", "oneOf", "prefixItems", "items"])
_IN_MEMBERS: Final = frozenset(
    ["properties", "patternProperties", "dependentSchemas", "dependencies", "$defs", "definitions"]
)
# A keyword that a draft does not know is passed over in it, whatever it would mean in another.
_UNKNOWN_IN: Final[Mapping[int, frozenset[str]]] = {
    2020: frozenset(["additionalItems", "dependencies"]),
    2019: frozenset(["prefixItems", "dependencies"]),
    7: _names(
        "prefixItems dependentRequired dependentSchemas minContains maxContains unevaluatedItems"
        " unevaluatedProperties"
    ),
}
_BESIDE_REF: Final = _ANNOTATIONS | _AT_ROOT | {"$ref"}


class _Reading:
    """One walk over a schema, with every reference replaced by what it refers to."""

    def __init__(self, root: Any, typed: bool) -> None:
        self.root = root
        self.typed = typed
        self.count = 0
        self.is_beyond = False
        stated = root.get("$schema", next(iter(_DRAFTS))) if isinstance(root, dict) else None
        self.draft = _DRAFTS.get(stated.removesuffix("#"), 0) if isinstance(stated, str) else 0

    def flaws(self) -> Iterator[Flaw]:
        if isinstance(self.root, dict) and not self.draft:
            found = shown(self.root["$schema"])
            yield Flaw(("$schema",), "one of " + ", ".join(_DRAFTS), found)
        else:
            yield from self._schema(self.root, (), ())

    def _schema(
        self, schema: Any, path: Path, within: tuple[str, ...], depth: int = 0
    ) -> Iterator[Flaw]:
        self.count += 1
        if self.is_beyond or isinstance(schema, bool):
            return
        if depth > MAX_DEPTH or self.count > MAX_SUBSCHEMAS:
            self.is_beyond = True
            limits = f"at most {MAX_SUBSCHEMAS} subschemas and {MAX_DEPTH} levels of them"
            yield Flaw((), limits, "more, counting each reference as what it refers to")
        elif not isinstance(schema, dict):
            yield Flaw(path, "a schema: an object, true or false", shown(schema))
        else:
            yield from self._keywords(schema, path)
            if "$ref" in schema:
                yield from self._reference(schema["$ref"], path, within, depth)
            for name, inner in _inner(schema):
                yield from self._schema(inner, (*path, *name), within, depth + 1)

    def _keywords(self, schema: Mapping[str, Any], path: Path) -> Iterator[Flaw]:
        known = _KEYWORDS - _UNKNOWN_IN[self.draft] | (frozenset() if path else _AT_ROOT)
        # What a condition is about is the arguments, always an object.
        types = schema.get("type", None if path else "object")
        for key in schema:
            if key not in known and not key.startswith("x-"):
                nearest = nearest_of(key, {name: name for name in sorted(known)})
                yield Flaw((*path, key), "a known keyword", "an unknown one", nearest)
            needed = _ABOUT.get(key, ())
            if self.typed and needed and not _is_about(types, needed):
                expected = f'"type": "{needed[0]}" beside {key}, which holds for all other types'
                yield Flaw((*path, key), expected, "another type or none")
            if self.draft == 7 and "$ref" in schema and key not in _BESIDE_REF:
                yield Flaw((*path, key), "nothing beside $ref in draft 7, which ignores it", key)

    def _reference(
        self, reference: Any, path: Path, within: tuple[str, ...], depth: int
    ) -> Iterator[Flaw]:
        place = (*path, "$ref")
        # An escape would let the validator look elsewhere than this walk does.
        is_inside = isinstance(reference, str) and reference[:2] in ("#", "#/")
        if not is_inside or "%" in reference:
            yield Flaw(
                place, "a reference inside the document, like #/$defs/name", shown(reference)
            )
        elif reference in within or reference == "#":
            yield Flaw(place, "a reference that does not lead back to itself", shown(reference))
        else:
            target = _at(self.root, reference)
            if target is None:
                yield Flaw(place, "a reference to something in the document", shown(reference))
            else:
                yield from self._schema(target[1], target[0], (*within, reference), depth + 1)


def _inner(schema: Mapping[str, Any]) -> Iterator[tuple[Path, Any]]:
    """The subschemas that a schema holds, by their path in it; a wrong type is left to the
    metaschema."""
    for key, value in schema.items():
        if key in _IN_LIST and isinstance(value, list):
            yield from (((key, at), item) for at, item in enumerate(value))
        elif key in _IN_ONE:
            yield (key,), value
        elif key in _IN_MEMBERS and isinstance(value, dict):
            for name, item in value.items():
                # `dependencies` maps to schemas or to lists of names.
                if key != "dependencies" or not isinstance(item, list):
                    yield (key, name), item


def _at(root: Any, reference: str) -> tuple[Path, Any] | None:
    """The path and the value that a JSON pointer in a fragment leads to (RFC 6901)."""
    value: Any = root
    path: Path = ()
    for part in reference[2:].split("/"):
        step: str | int = part.replace("~1", "/").replace("~0", "~")
        if isinstance(value, list) and part.isascii() and part.isdecimal():
            step = int(part)
        try:
            value = value[step]
        except (KeyError, IndexError, TypeError):
            return None
        path = (*path, step)
    return path, value


def _is_about(types: Any, needed: Sequence[str]) -> bool:
    """Whether all the values of some types, but null, are such as a keyword is about."""
    stated = [types] if isinstance(types, str) else types
    return (
        isinstance(stated, list)
        and any(kind in needed for kind in stated)
        and all(kind in (*needed, "null") for kind in stated)
    )
