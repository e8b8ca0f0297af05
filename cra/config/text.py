"""JSON with places: a text as nodes that know where they stand, for messages that say so."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple, TypeAlias

# Takes a mistake: its offset, the key, what was expected and found, and the nearest valid word.
Note: TypeAlias = Callable[[int, str, str, str, str | None], None]

_TOKEN: Final = re.compile(r'[{}\[\],:]|"(?:[^"\\]|\\.)*"|[^\s{}\[\],:"]+')


class Node(NamedTuple):
    """A value of a text. An object's members are pairs: the offset of the key, and the node."""

    offset: int
    value: Any


def line_and_column(text: str, offset: int) -> tuple[int, int]:
    return text.count("\n", 0, offset) + 1, offset - text.rfind("\n", 0, offset)


def parse(text: str, note: Note) -> Node | None:
    """A JSON text as nodes that know their place; None, and noted, if it is no JSON."""
    try:
        json.loads(text, parse_constant=_refuse_constant)
        tokens = _TOKEN.finditer(text)
        return _node(next(tokens), tokens, "", note)
    except json.JSONDecodeError as error:
        found = f"{error.msg[:1].lower()}{error.msg[1:]}"
        note(error.pos, "the file", "JSON", f"a mistake: {found}", None)
    except (ValueError, RecursionError) as error:
        note(0, "the file", "JSON of an ordinary size", str(error), None)
    return None


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name}, which is no JSON")


def _node(token: re.Match[str], tokens: Iterator[re.Match[str]], path: str, note: Note) -> Node:
    """The value that begins at a token of a text that is known to be JSON."""
    if token[0] == "[":
        items: list[Node] = []
        for following in tokens:
            if following[0] == "]":
                break
            if following[0] != ",":
                items.append(_node(following, tokens, f"{path}[{len(items)}]", note))
        return Node(token.start(), items)
    if token[0] != "{":
        return Node(token.start(), json.loads(token[0]))
    members: dict[str, tuple[int, Node]] = {}
    for following in tokens:
        if following[0] == "}":
            break
        if following[0] != ",":
            key: str = json.loads(following[0])
            name = f"{path}.{key}" if path else key
            if key in members:
                note(following.start(), name, "each key once", "it again", None)
            next(tokens)  # the colon
            members[key] = following.start(), _node(next(tokens), tokens, name, note)
    return Node(token.start(), members)
