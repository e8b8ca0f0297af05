"""Files of rules as they would be after a change, and the change as a unified diff.

A rule is taken out by its place: every byte that is not its own, or between it and its neighbours,
stays as it is.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator
from difflib import unified_diff
from json import JSONDecoder
from typing import NamedTuple

from cra.config.text import Node, parse
from cra.errors import ValueRefused

_NOWHERE = "/dev/null"


class Rewritten(NamedTuple):
    """A file before and after a change; None: there is none."""

    file: str
    before: str | None
    after: str | None


def without_rules(text: str, places: Collection[tuple[int, int]]) -> str | None:
    """A JSON file of rules without those that begin at some lines and columns, from 1 on; None if
    the file is that one rule. Raises ValueRefused if none begins at one of them."""
    rules = _rules_in(text)
    offsets = {_offset(text, *place) for place in places}
    if isinstance(rules.value, dict) and offsets == {rules.offset}:
        return None
    items = rules.value if isinstance(rules.value, list) else []
    spans = [(item.offset, _end(text, item)) for item in items]
    if not offsets <= {start for start, _ in spans}:
        raise ValueRefused("expected a rule at each place, found another text")
    if len(offsets) == len(spans):
        return text[: rules.offset + 1] + text[_end(text, rules) - 1 :]
    kept, parts, is_first = 0, [], True
    for at, (start, end) in enumerate(spans):
        if start not in offsets:
            is_first = False
            continue
        # With the comma before it; the first ones with the comma after them.
        cut, resumed = (start, spans[at + 1][0]) if is_first else (spans[at - 1][1], end)
        parts.append(text[kept:cut])
        kept = resumed
    return "".join([*parts, text[kept:]])


def diff_of(changed: Collection[Rewritten]) -> str:
    """What `git apply` and `patch -p1` take, from the directory that the files are named in."""
    return "".join(line for one in changed for line in _diff(one))


def _diff(one: Rewritten) -> Iterator[str]:
    # A tab ends a name that has a space in it.
    name = f"{one.file}\t" if " " in one.file else one.file
    before, after = (
        _NOWHERE if text is None else f"{side}/{name}"
        for side, text in (("a", one.before), ("b", one.after))
    )
    for line in unified_diff(_lines(one.before), _lines(one.after), before, after):
        yield line if line.endswith("\n") else f"{line}\n\\ No newline at end of file\n"


def _lines(text: str | None) -> list[str]:
    *lines, last = (text or "").split("\n")
    return [f"{line}\n" for line in lines] + ([last] if last else [])


def _rules_in(text: str) -> Node:
    """The list of the rules, or the one rule."""
    mistakes: list[str] = []

    def note(_at: int, _key: str, expected: str, found: str, _nearest: str | None) -> None:
        mistakes.append(f"expected {expected}, found {found}")

    root = parse(text, note)
    if root is None:
        raise ValueRefused(mistakes[0])
    if isinstance(root.value, dict) and "policies" in root.value:
        policies: Node = root.value["policies"][1]
        return policies
    return root


def _offset(text: str, line: int, column: int) -> int:
    before = text.split("\n")[: line - 1]
    return sum(len(one) + 1 for one in before) + column - 1


def _end(text: str, node: Node) -> int:
    return JSONDecoder().raw_decode(text, node.offset)[1]
