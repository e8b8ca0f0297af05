"""What a docstring says: its first line, and of each parameter, in the style of Google, NumPy or
Sphinx."""

from __future__ import annotations

import re
from collections.abc import Collection, Iterator
from inspect import cleandoc
from itertools import pairwise
from typing import Final

_GOOGLE: Final = frozenset({"args:", "arguments:", "parameters:", "keyword args:"})
_SPHINX: Final = (":param ", ":parameter ", ":arg ", ":argument ", ":key ", ":keyword ")
_NAME: Final = re.compile(r"\*{0,2}([A-Za-z_][A-Za-z0-9_]*)")


def first_line(text: str | None) -> str:
    return " ".join(cleandoc(text or "").partition("\n\n")[0].split())


def parameters_in(text: str | None, names: Collection[str]) -> dict[str, str]:
    """What is said of each of some parameters; what cannot be read simply is not."""
    lines = cleandoc(text or "").split("\n")
    said: dict[str, str] = {}
    for name, words in [*_sphinx(lines), *_google(lines), *_numpy(lines)]:
        if name in names and words:
            said.setdefault(name, words)
    return said


def _sphinx(lines: list[str]) -> Iterator[tuple[str, str]]:
    """`:param int amount: In cents.`"""
    for at, line in enumerate(lines):
        begin = next((one for one in _SPHINX if line.startswith(one)), None)
        if begin is not None:
            before, colon, words = line.removeprefix(begin).partition(":")
            parts = before.split()
            if colon and parts:
                yield parts[-1], _joined(words, lines[at + 1 :], 0)


def _google(lines: list[str]) -> Iterator[tuple[str, str]]:
    """`amount (int): In cents.`, indented below `Args:`"""
    inside, depth = False, None
    for at, line in enumerate(lines):
        indent = len(line) - len(line.lstrip())
        if indent == 0 and line.strip():
            inside, depth = line.strip().lower() in _GOOGLE, None
        elif inside and line.strip():
            depth = depth or indent
            name = _NAME.match(line.strip())
            before, colon, words = line.strip().partition(":")
            if indent == depth and name and colon and "." not in before:
                yield name[1], _joined(words, lines[at + 1 :], indent)


def _numpy(lines: list[str]) -> Iterator[tuple[str, str]]:
    """`amount : int` below `Parameters` and its line, and words indented below that."""
    inside = False
    for at, (line, below) in enumerate(pairwise([*lines, ""])):
        if below.strip() and not below.strip("- "):
            inside = line.strip() == "Parameters"
        elif inside and line and not line.startswith((" ", "-")):
            name = _NAME.match(line)
            if name:
                yield name[1], _joined("", lines[at + 1 :], 0)


def _joined(words: str, rest: list[str], indent: int) -> str:
    """Words, and the lines that go on with them: those that are indented more."""
    found = [words.strip()]
    for line in rest:
        if not line.strip() or len(line) - len(line.lstrip()) <= indent:
            break
        found.append(line.strip())
    return " ".join(found).strip()
