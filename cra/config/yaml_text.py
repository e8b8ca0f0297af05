"""YAML with places: the part of it that says the same as JSON, by YAML 1.2's core schema.

No anchors, aliases, tags, directives, merge keys or second documents: a file means what it shows,
and no text grows when it is read. Keys are strings, each once. Plain scalars are null, true,
false, numbers or strings, so `no`, `on`, dates, `1_000` and `12:30` stay strings.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any, Final

from cra.config.text import MAX_BYTES, MAX_DEPTH, Node, Note, Path, TooDeep, is_too_long, name_of

if TYPE_CHECKING:
    from yaml.events import Event

_WORDS: Final[dict[str, Any]] = {
    **dict.fromkeys(("", "~", "null", "Null", "NULL")),
    **dict.fromkeys(("true", "True", "TRUE"), True),
    **dict.fromkeys(("false", "False", "FALSE"), False),
}
# YAML 1.2.2 section 10.3.2. \Z, for $ lets a line feed pass.
_INTEGER: Final = re.compile(r"[-+]?[0-9]+\Z")
_BASED: Final = re.compile(r"0o[0-7]+\Z|0x[0-9a-fA-F]+\Z")
_FLOAT: Final = re.compile(r"[-+]?(?:\.[0-9]+|[0-9]+(?:\.[0-9]*)?)(?:[eE][-+]?[0-9]+)?\Z")
_NO_NUMBER: Final = re.compile(r"[-+]?\.(?:inf|Inf|INF)\Z|\.(?:nan|NaN|NAN)\Z")


def parse_yaml(
    text: str, note: Note, *, max_bytes: int = MAX_BYTES, any_keys: bool = False
) -> Node | None:
    """A YAML text as the nodes that `text.parse` gives for JSON; None, and noted, if it is not of
    the part of YAML that this module names. With `any_keys`, a key that is a number or a word
    stands for its text, as others who write YAML mean it: `200: OK`."""
    import yaml  # takes 31 ms, and few projects use it

    if is_too_long(text, note, max_bytes):
        return None
    # libyaml is twenty times faster. The other, where it is missing, refuses a little more.
    loader: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
    composer = _Composer(note, any_keys=any_keys)
    try:
        return composer.document(yaml.parse(text, Loader=loader))
    except TooDeep as error:
        note(error.offset, "the file", f"at most {MAX_DEPTH} levels of nesting", "more", None)
    except yaml.MarkedYAMLError as error:
        mark = error.problem_mark or error.context_mark
        found = f"a mistake: {error.problem or error.context}"
        note(mark.index if mark else 0, "the file", "YAML", found, None)
    except yaml.YAMLError as error:
        found = f"a mistake: {getattr(error, 'reason', error)}"
        note(getattr(error, "position", 0), "the file", "YAML", found, None)
    return None


class _Composer:
    """Nodes from events; remembers whether anything made the whole text unusable."""

    def __init__(self, note: Note, *, any_keys: bool) -> None:
        self._note = note
        self._any_keys = any_keys
        self._is_refused = False

    def document(self, events: Iterator[Event]) -> Node | None:
        root: Node | None = None
        for event in events:
            kind = type(event).__name__
            if kind == "DocumentStartEvent":
                if root is not None:
                    self._refuse(event, "the file", "one document", "a second one")
                    break
                if event.version or event.tags:  # type: ignore[attr-defined]
                    self._refuse(event, "the file", "no directives", "one")
                root = self._node(next(events), events, ())
        if root is None:
            self._note(0, "the file", "a YAML document", "none", None)
        return None if self._is_refused else root

    def _node(self, event: Any, events: Iterator[Event], path: Path) -> Node:
        offset: int = event.start_mark.index
        kind = type(event).__name__
        if kind == "AliasEvent":
            self._refuse(event, name_of(path), "a value", f"an alias, *{event.anchor}")
            return Node(offset, None)
        if event.anchor is not None:
            self._refuse(event, name_of(path), "no anchors", f"&{event.anchor}")
        if event.tag is not None:
            self._refuse(event, name_of(path), "no tags", event.tag)
        if kind == "ScalarEvent":
            return Node(offset, self._scalar(event, path))
        if len(path) == MAX_DEPTH:
            raise TooDeep(offset)
        if kind == "MappingStartEvent":
            return Node(offset, self._members(events, path))
        return Node(offset, self._items(events, path))

    def _items(self, events: Iterator[Event], path: Path) -> list[Node]:
        items: list[Node] = []
        for event in events:
            if type(event).__name__ == "SequenceEndEvent":
                break
            items.append(self._node(event, events, (*path, len(items))))
        return items

    def _members(self, events: Iterator[Event], path: Path) -> dict[str, tuple[int, Node]]:
        members: dict[str, tuple[int, Node]] = {}
        for event in events:
            if type(event).__name__ == "MappingEndEvent":
                break
            offset, key = self._node(event, events, (*path, "<key>"))
            if self._any_keys and type(event).__name__ == "ScalarEvent":
                key = event.value  # type: ignore[attr-defined]
            if not isinstance(key, str):
                self._refuse(event, name_of(path), "a string as a key", "another value")
                key = f"<{len(members)}>"
            elif key == "<<" and event.implicit[0]:  # type: ignore[attr-defined]
                self._refuse(event, name_of(path), "no merge keys", "<<")
            member = (*path, key)
            if key in members:
                self._note(offset, name_of(member), "each key once", "it again", None)
            members[key] = offset, self._node(next(events), events, member)
        return members

    def _scalar(self, event: Any, path: Path) -> Any:
        text: str = event.value
        if not event.implicit[0]:
            return text
        if text in _WORDS:
            return _WORDS[text]
        try:
            if _INTEGER.match(text):
                return int(text)
            if _BASED.match(text):
                return int(text, 0)
        except ValueError:
            self._refuse(event, name_of(path), "a number of ordinary size", "a longer one")
        if _NO_NUMBER.match(text) or (_FLOAT.match(text) and abs(float(text)) == float("inf")):
            self._refuse(event, name_of(path), "a number that JSON has", text)
        return float(text) if _FLOAT.match(text) else text

    def _refuse(self, event: Any, name: str, expected: str, found: str) -> None:
        self._is_refused = True
        self._note(event.start_mark.index, name or "the file", expected, found, None)
