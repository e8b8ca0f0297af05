"""Text for people: recorded text as a terminal or a command line may have it, how many columns it
takes, and the name that was probably meant."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from types import MappingProxyType
from typing import Final

_MAX_MARKS: Final = 4
# Characters that Python calls printable and that show nothing: fillers, joiners, variations.
_INVISIBLE: Final = frozenset(
    "\u034f\u115f\u1160\u17b4\u17b5\u180b\u180c\u180d\u180f\u2800\u3164\uffa0"
    + "".join(map(chr, range(0xFE00, 0xFE10)))
    + "".join(map(chr, range(0xE0100, 0xE01F0)))
)
# Spaces that Python does not call printable, and that a terminal shows as spaces.
_SPACES: Final = frozenset("\u00a0\u3000")


def safe(text: str) -> str:
    """Recorded text as it may reach a terminal: in one line, with nothing hidden in it or obeyed.

    Control characters, bidi overrides, characters without width and piled-up marks become escapes.
    """
    if text.isascii() and text.isprintable():
        return text
    from unicodedata import category  # ASCII does without it

    parts, marks = [], _MAX_MARKS
    for char in text:
        marks = marks + 1 if category(char) in {"Mn", "Me"} else 0
        parts.append(char if is_plain(char) and marks <= _MAX_MARKS else _escaped(char))
    return "".join(parts)


def width(text: str) -> int:
    """How many columns a safe text takes on a terminal."""
    if text.isascii():
        return len(text)
    from unicodedata import category, east_asian_width

    return sum(
        0 if category(char) in {"Mn", "Me"} else 2 if east_asian_width(char) in "WF" else 1
        for char in text
    )


def is_plain(char: str) -> bool:
    return (char.isprintable() and char not in _INVISIBLE) or char in _SPACES


def _escaped(char: str) -> str:
    code = ord(char)
    if char in "\t\n\r":
        return {"\t": "\\t", "\n": "\\n", "\r": "\\r"}[char]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"


def did_you_mean(
    word: str, names: Iterable[str], spelled: Mapping[str, str] = MappingProxyType({})
) -> str:
    """The end of an error about a name that is not there: the nearest one, as it is spelled."""
    from difflib import get_close_matches

    nearest = get_close_matches(word, list(names), n=1)
    return f"; did you mean {spelled.get(nearest[0], nearest[0])}?" if nearest else ""


def naming(agent: str | None) -> str:
    """What a command line has to say for an agent, if anything."""
    from shlex import quote  # a list of sessions does without it

    return "" if agent in (None, "cli") else f" --agent {quote(str(agent))}"
