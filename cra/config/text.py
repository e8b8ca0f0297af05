"""JSON with places: a text as nodes that know where they stand, for messages that say so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

# Takes a mistake: its offset, the key, what was expected and found, and the nearest valid word.
Note: TypeAlias = Callable[[int, str, str, str, str | None], None]

# Keys and indices from the outside in.
Path: TypeAlias = tuple[str | int, ...]

# Beyond any file that a person writes; what is larger or deeper only costs time and memory.
MAX_BYTES: Final = 1 << 20
MAX_DEPTH: Final = 64

_TOKEN: Final = re.compile(r'[{}\[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+')


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
        found = f"{error.msg[:1].lower()}{error.msg[1:]}"
        note(error.pos, "the file", "JSON", f"a mistake: {found}", None)
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
