"""Secrets replaced: in a wrapped value before it is written (specs/PROTOCOL.md section 1.1), and in
a text before an agent reads it.

Only `wrap` keeps a caller's value from passing for something redacted, so it comes first.
"""

from __future__ import annotations

import hmac
from base64 import b64decode
from collections import Counter
from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property, partial
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from cra import canonical
from cra.errors import ValueRefused
from cra.redaction.detect import (
    ASSIGNMENT,
    DEFAULT,
    FIELD,
    Detectors,
    Found,
    findings,
    is_secret_member,
    merged,
)

MIN_SECRET: Final = 16

FieldPath: TypeAlias = tuple[str, ...]

# What was found in one place is looked for in all others: if it is so long, and so many of them.
_TELLING: Final = 8
_MOST_KNOWN: Final = 64
_MAC_BYTES: Final = 16
_NOTHING: Final[Mapping[str, int]] = {}


class Redacted(NamedTuple):
    """A value or a text without its secrets, and how many were replaced, by kind."""

    value: Any
    counts: Mapping[str, int]


@dataclass(frozen=True)
class Redactor:
    """What is redacted, and where the secret comes from by which equal values can be seen to be
    equal: it is asked for when there is something to redact."""

    load_secret: Callable[[], bytes] = field(repr=False)
    detectors: Detectors = DEFAULT
    fields: frozenset[FieldPath] = frozenset()

    @cached_property
    def secret(self) -> bytes:
        """Raises ValueRefused for one that could be guessed."""
        secret = self.load_secret()
        if len(secret) < MIN_SECRET:
            raise ValueRefused(
                f"expected a secret of at least {MIN_SECRET} bytes, found {len(secret)}"
            )
        return secret

    def suspects(self, text: bytes) -> frozenset[str] | None:
        """The kinds that may be in a JSON text; None if nothing in it is to be redacted."""
        found = self.detectors.suspects(text)
        if found or self.detectors.own or any(one in text for one in self.field_anchors):
            return found
        return None

    @cached_property
    def field_anchors(self) -> tuple[bytes, ...]:
        """For each path, what a JSON text holds in which the path leads anywhere."""
        return tuple(b"" if path[-1] == "*" else orjson.dumps(path[-1]) for path in self.fields)


def field_path(text: str) -> FieldPath:
    """The keys that lead to a field, like `customer.email`; `*` stands for one key or more, and the
    items of an array are where the array is. Raises ValueRefused if a key is empty."""
    path = tuple(text.split("."))
    if not all(path):
        raise ValueRefused(
            f"expected keys with points between them, like customer.email, found {text!r:.80}"
        )
    return path


def redacted(redactor: Redactor, value: Any) -> Redacted:
    """A wrapped value with what is secret replaced; the same object if nothing is.

    What is found in one place is replaced wherever else it stands in the value.
    """
    suspects = _suspects(redactor, value)
    if suspects is None:
        return Redacted(value, _NOTHING)
    return _searched(redactor, suspects, value, _Search.rebuilt)


def reworded(redactor: Redactor, value: Any) -> Redacted:
    """A text, or a JSON value with texts, in which words stand for a secret, for whoever reads:
    `[redacted card 1f0c23a9]`. Anybody can write these words, so nothing is decided on them."""
    suspects = _suspects(redactor, value)
    if suspects is None:
        return Redacted(value, _NOTHING)
    return _searched(redactor, suspects, value, _Search.reworded)


def _suspects(redactor: Redactor, value: Any) -> frozenset[str] | None:
    try:
        return redactor.suspects(orjson.dumps(value))
    except orjson.JSONEncodeError:  # it nests too deep, or is no JSON
        return frozenset(redactor.detectors.kinds)


def _searched(
    redactor: Redactor,
    suspects: Collection[str],
    value: Any,
    work: Callable[[_Search, Any], Any],
) -> Redacted:
    search = _Search(redactor, suspects, {})
    result = work(search, value)
    if any(secret in text for secret in search.found for text in search.kept):
        search = _Search(redactor, suspects, search.found)
        result = work(search, value)
    return Redacted(result if search.counts else value, search.counts)


class _Search:
    """One walk over a value, which counts what it replaces and keeps what it found and left."""

    def __init__(
        self, redactor: Redactor, suspects: Collection[str], known: Mapping[str, str]
    ) -> None:
        self.redactor = redactor
        self.suspects = suspects
        self.known = known
        self.counts: Counter[str] = Counter()
        # Secrets that are long enough to be looked for, with their kinds.
        self.found: dict[str, str] = {}
        self.kept: list[str] = []
        # What fills the containers that are still empty: depth costs no recursion.
        self._to_fill: list[Callable[[], None]] = []

    def rebuilt(self, value: Any) -> Any:
        result = self._copy(value, None, self.redactor.fields)
        while self._to_fill:
            self._to_fill.pop()()
        return result

    def reworded(self, value: Any) -> Any:
        if isinstance(value, str):
            return self._spelled(value)
        if isinstance(value, dict):
            return {
                self._spelled(key) if isinstance(key, str) else key: self.reworded(item)
                for key, item in value.items()
            }
        if isinstance(value, list | tuple):
            return [self.reworded(item) for item in value]
        return value

    def _spelled(self, text: str) -> str:
        return "".join(
            part if isinstance(part, str) else f"[redacted {part['$redacted']} {part['mac'][:8]}]"
            for part in self._parts(text, None)
        )

    def _copy(self, item: Any, name: Any, paths: frozenset[FieldPath]) -> Any:
        """What takes an item's place: a member of this name, or one of the items of such a member,
        which the rest of some paths is about."""
        if paths and () in paths and not _is_redacted(item):
            if isinstance(item, str):
                self._remember(FIELD, item)
            return self._marker(FIELD, item)
        if isinstance(item, str):
            return self._text(item, name)
        if isinstance(item, dict):
            return item if _is_redacted(item) else self._object(item, paths)
        if isinstance(item, list | tuple):
            copy: list[Any] = []
            self._to_fill.append(partial(self._fill_array, copy, item, name, paths))
            return copy
        return self._scalar(item, _number_text(item))

    def _object(self, item: dict[Any, Any], paths: frozenset[FieldPath]) -> Any:
        content, pairs = _content(item), _pairs(item)
        if content is not None:
            return self._scalar(item, content)
        members = list(item.items()) if pairs is None else pairs
        keys = [self._key(key) for key, _ in members]
        if pairs is None and dict not in map(type, keys):
            copy: dict[Any, Any] = {}
            # {"name": "API_KEY", "value": …}
            label = item.get("name", item.get("key"))
            self._to_fill.append(partial(self._fill_object, copy, members, label, paths))
            return copy
        result: list[list[Any]] = [[key] for key in keys]
        self._to_fill.append(partial(self._fill_pairs, tuple(result), members, paths))
        if pairs is None:
            # The order of members means nothing, and what is gone must not decide it.
            result.sort(key=lambda pair: _json(pair[0]))
        return {"$obj": result}

    def _fill_array(
        self, copy: list[Any], items: Sequence[Any], name: Any, paths: frozenset[FieldPath]
    ) -> None:
        for before, item in zip((None, *items), items, strict=False):
            # ["--password", …]
            is_flag = isinstance(before, str) and before[:1] == "-"
            copy.append(self._copy(item, before if is_flag else name, paths))

    def _fill_object(
        self, copy: dict[Any, Any], members: list[Any], label: Any, paths: frozenset[FieldPath]
    ) -> None:
        for key, item in members:
            name = label if key == "value" else key
            copy[key] = self._copy(item, name, _below(paths, key))

    def _fill_pairs(
        self, pairs: Sequence[list[Any]], members: list[Any], paths: frozenset[FieldPath]
    ) -> None:
        for pair, (key, item) in zip(pairs, members, strict=True):
            pair.append(self._copy(item, key, _below(paths, key)))

    def _key(self, key: Any) -> Any:
        if isinstance(key, str):
            return self._text(key, None)
        content = _content(key) if isinstance(key, dict) else None
        return key if content is None else self._scalar(key, content)

    def _text(self, text: str, name: Any) -> Any:
        parts = self._parts(text, name)
        return {"$text": parts} if len(parts) > 1 else parts[0]

    def _parts(self, text: str, name: Any) -> list[Any]:
        """The pieces of a text: as they were, or what stands for a secret."""
        found = self._findings(text, name)
        if not found:
            self.kept.append(text)
            return [text]
        parts: list[Any] = []
        at = 0
        for kind, start, end in found:
            self._remember(kind, text[start:end])
            parts += [text[at:start], self._marker(kind, text[start:end])]
            at = end
        parts = [part for part in (*parts, text[at:]) if part]
        self.kept += [part for part in parts if isinstance(part, str)]
        return parts

    def _scalar(self, item: Any, text: str) -> Any:
        """What is replaced as a whole if a secret is in its text."""
        found = self._findings(text, None)
        if not found:
            self.kept.append(text)
            return item
        for kind, start, end in found:
            self._remember(kind, text[start:end])
        return self._marker(found[0].kind, item)

    def _findings(self, text: str, name: Any) -> list[Found]:
        detectors = self.redactor.detectors
        found = findings(detectors, text, self.suspects)
        if ASSIGNMENT in self.suspects and isinstance(name, str) and is_secret_member(name, text):
            found.append(Found(ASSIGNMENT, 0, len(text)))
        for secret, kind in self.known.items():
            at = text.find(secret)
            while at >= 0:
                found.append(Found(kind, at, at + len(secret)))
                at = text.find(secret, at + 1)
        return merged(found) if found else found

    def _remember(self, kind: str, secret: str) -> None:
        if len(secret) >= _TELLING and len(self.found) < _MOST_KNOWN:
            self.found[secret] = kind

    def _marker(self, kind: str, value: Any) -> dict[str, str]:
        self.counts[kind] += 1
        message = kind.encode() + b"\0" + _json(value)
        mac = hmac.digest(self.redactor.secret, message, "sha256")[:_MAC_BYTES]
        return {"$redacted": kind, "mac": mac.hex()}


def _is_redacted(item: Any) -> bool:
    return isinstance(item, dict) and ("$redacted" in item or "$text" in item)


def _content(item: dict[Any, Any]) -> str | None:
    """The text of a wrapped scalar; of bytes, a character for each."""
    if len(item) != 1:
        return None
    [(marker, content)] = item.items()
    if not isinstance(content, str):
        return None
    try:
        if marker == "$b64":
            return b64decode(content).decode("latin-1")
        if marker == "$wtf8":
            return b64decode(content).decode("utf-8", "surrogatepass")
    except ValueError:  # no caller of `wrap` has such a value
        return None
    return content if marker in ("$int", "$float") else None


def _pairs(item: dict[Any, Any]) -> list[Any] | None:
    """The members of a wrapped object that has a key starting with `$`."""
    pairs = item.get("$obj") if len(item) == 1 else None
    if isinstance(pairs, list) and all(isinstance(pair, list) and len(pair) == 2 for pair in pairs):
        return pairs
    return None


def _number_text(item: Any) -> str:
    """The decimal of a number that may be one of a card; nothing for any other value."""
    is_number = isinstance(item, int | float) and not isinstance(item, bool)
    return str(item) if is_number and abs(item) < 10**21 else ""


def _below(paths: frozenset[FieldPath], key: Any) -> frozenset[FieldPath]:
    """What is left of paths behind a member."""
    if not paths:
        return paths
    left = {path[1:] for path in paths if path[0] in ("*", key)}
    return frozenset(left.union(path for path in paths if path[0] == "*"))


def _json(value: Any) -> bytes:
    is_wrapped = isinstance(value, dict | list | tuple)
    return canonical.text_of(value if is_wrapped else canonical.wrap(value))
