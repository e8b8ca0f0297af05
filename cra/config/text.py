"""JSON with places: a text as nodes that know where they stand, for messages that say so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

# Takes a mistake: its offset, the key, what was expected and found, and the nearest valid word.
Note: TypeAlias = Callable[[int, str, str, str, str | None], None]

# Keys and indices from the outside in.
Path: TypeAlias = tuple[str | int, ...]

# Beyond any file that a person writes; what is larger or deeper only costs time and memory.
MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 64

_TOKEN: Final = re.compile(r'[{}\[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+')

# How the parser's messages begin, and what they mean: what it expected, {} being what closes the
# object or list there, and what it found where that is not the next character.
_MEANT: Final[Mapping[str, tuple[str, str | None]]] = {
    "Expecting ',' delimiter": ("a comma or {}", None),
    "Expecting property name": ("a key in double quotes", None),
    "Expecting ':' delimiter": ("a colon after the key", None),
    "Expecting value": ("a value", None),
    "Extra data": ("the end of the file", None),
    "Illegal trailing comma": ("no comma before {}", None),
    "Unterminated string": ("a text that ends", "no closing quote"),
    "Invalid control character": ("a text in one line", "a line break or the like"),
    "Invalid \\": ("an escape like \\n, \\\\ or \\u00e9", "another one"),
}


class Node(NamedTuple):
    """A value of a text. An object's members are pairs: the offset of the key, and the node."""

    offset: int
    value: Any


class TooDeep(Exception):
    """Nesting beyond MAX_DEPTH begins at an offset; whoever reads a text notes it."""

    def __init__(self, offset: int) -> None:
        super().__init__(offset)
        self.offset = offset


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def name_of(path: Path) -> str:
    """A path as messages write it: `trace.detail`, `keys[0]`."""
    text = "".join(f"[{part}]" if isinstance(part, int) else f".{part}" for part in path)
    return text.removeprefix(".")


def is_too_long(text: str, note: Note, limit: int) -> bool:
    """Whether a text has more bytes than a limit, which then is noted."""
    size = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    if size > limit:
        note(0, "the file", f"at most {limit} bytes", f"{size}", None)
    return size > limit


def plain(node: Node) -> Any:
    """The value of a node and of all nodes in it, without places."""
    value = node.value
    if isinstance(value, dict):
        return {key: plain(member) for key, (_, member) in value.items()}
    return [plain(item) for item in value] if isinstance(value, list) else value


def placed(value: Any, offset: int) -> Node:
    """The opposite of `plain`: nodes for a value, all of which stand at one place."""
    if isinstance(value, dict):
        return Node(
            offset, {key: (offset, placed(member, offset)) for key, member in value.items()}
        )
    if isinstance(value, list):
        return Node(offset, [placed(item, offset) for item in value])
    return Node(offset, value)


def parse(text: str, note: Note, *, max_bytes: int = MAX_BYTES) -> Node | None:
    """A JSON text as nodes that know their place; None, and noted, if it is no JSON."""
    if is_too_long(text, note, max_bytes):
        return None
    try:
        json.loads(text, parse_constant=_refuse_constant)
        tokens = _TOKEN.finditer(text)
        return _node(next(tokens), tokens, (), note)
    except json.JSONDecodeError as error:
        note(error.pos, "the file", *_told(text, error), None)
    except TooDeep as error:
        note(error.offset, "the file", f"at most {MAX_DEPTH} levels of nesting", "more", None)
    except (ValueError, RecursionError) as error:
        note(0, "the file", "JSON of an ordinary size", str(error), None)
    return None


def parse_member(text: str, key: str, note: Note) -> Node:
    """A member of an object, of a text that is known to be JSON, as nodes that know their place.

    The other members are passed over, several times as fast. Raises ValueError if it has no such.
    """
    decode = json.JSONDecoder().raw_decode
    at = _after(text, text.index("{") + 1)
    while text[at] != "}":
        name, end = decode(text, at)
        at = _after(text, end)
        if name == key:
            tokens = _TOKEN.finditer(text, at)
            return _node(next(tokens), tokens, (key,), note)
        at = _after(text, decode(text, at)[1])
    raise ValueError(f"expected a member {key}")


def _after(text: str, at: int) -> int:
    """Where the next key or value begins, or the object ends."""
    while text[at] in " \t\n\r,:":
        at += 1
    return at


def _told(text: str, error: json.JSONDecodeError) -> tuple[str, str]:
    """What the parser expected where it gave up, and what is there, in words."""
    at = error.pos
    meant = (one for begins, one in _MEANT.items() if error.msg.startswith(begins))
    expected, found = next(meant, (None, None))
    if expected is None:
        return "JSON", f"a mistake: {error.msg[:1].lower()}{error.msg[1:]}"
    if "{}" in expected:
        opened = _opened_before(text, at)
        line, column = line_and_column(text, opened)
        closing = "}" if text[opened] == "{" else "]"
        expected = expected.format(f"the {closing} of the {text[opened]} at {line}:{column}")
    if found is None:
        found = _kind_of(text[at : at + 1])
        if text[:at].strip():
            found += "; the mistake may be just before it"
    return f"JSON, here {expected}", found


def _kind_of(char: str) -> str:
    """What begins with a character; not what is in it, which nobody may be meant to read."""
    if char == '"':
        return "a text"
    if char.isalpha():
        return "a word"
    return "a number" if char.isdigit() or char == "-" else char or "the end of the file"


def _opened_before(text: str, offset: int) -> int:
    """Where the innermost object or list begins that is open at an offset of a text, which is JSON
    up to there."""
    opened: list[int] = []
    for token in _TOKEN.finditer(text, 0, offset):
        if token[0] in "{[":
            opened.append(token.start())
        elif token[0] in "}]":
            opened.pop()
    return opened[-1]


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name}, which is no JSON")


def _node(token: re.Match[str], tokens: Iterator[re.Match[str]], path: Path, note: Note) -> Node:
    """The value that begins at a token of a text that is known to be JSON."""
    if token[0] == "[":
        return Node(token.start(), _items(token.start(), tokens, path, note))
    if token[0] == "{":
        return Node(token.start(), _members(token.start(), tokens, path, note))
    return Node(token.start(), _scalar(token[0]))


def _scalar(text: str) -> Any:
    # The usual string is what stands between its quotes.
    return text[1:-1] if text[0] == '"' and "\\" not in text else json.loads(text)


def _items(start: int, tokens: Iterator[re.Match[str]], path: Path, note: Note) -> list[Node]:
    if len(path) == MAX_DEPTH:
        raise TooDeep(start)
    items: list[Node] = []
    for token in tokens:
        if token[0] == "]":
            break
        if token[0] != ",":
            items.append(_node(token, tokens, (*path, len(items)), note))
    return items


def _members(
    start: int, tokens: Iterator[re.Match[str]], path: Path, note: Note
) -> dict[str, tuple[int, Node]]:
    if len(path) == MAX_DEPTH:
        raise TooDeep(start)
    members: dict[str, tuple[int, Node]] = {}
    for token in tokens:
        if token[0] == "}":
            break
        if token[0] != ",":
            key: str = _scalar(token[0])
            inner = (*path, key)
            if key in members:
                note(token.start(), name_of(inner), "each key once", "it again", None)
            next(tokens)  # the colon
            members[key] = token.start(), _node(next(tokens), tokens, inner, note)
    return members
