"""Where two JSON values differ, path by path, and which of it is of lesser weight."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Final, Literal, NamedTuple, TypeAlias

ChangeType: TypeAlias = Literal["changed", "inserted", "removed", "moved"]


class Item(str):
    """A step into an array whose items have names: the name of one."""

    __slots__ = ()


Path: TypeAlias = tuple[str | int, ...]

# Arrays of a resolution whose items are known by a member of their own.
_KEYED: Final[Mapping[str, str]] = {
    "allowed_actions": "action_id",
    "constraints": "policy_id",
    "context_blocks": "block_id",
    "denied_actions": "action_id",
    "denylist": "pattern",
}
_RESOLUTION: Final = ("payload", "resolution")
# What was asked for and what came of it: all in it counts in full, however it is called.
_CONTENT: Final = frozenset({"arguments", "error", "request", "result"})
# Words for people, what ranks, and what is decided again at the call.
_LESSER: Final = frozenset(
    {
        "confidence",
        "constraints",
        "counted",
        "denylist",
        "description",
        "merge_rules",
        "name",
        "next_steps",
        "omitted",
        "policy_id",
        "reason",
        "relevance",
        "token_estimate",
        "ttl_seconds",
        "version",
    }
)


class ValueChange(NamedTuple):
    """One place at which two values differ; what is inserted has no `before`."""

    path: Path
    type: ChangeType
    before: Any
    after: Any


def changes(before: Any, after: Any, path: Path = ()) -> Iterator[ValueChange]:
    """Where a value differs from the one before, in the order of its members."""
    if isinstance(before, dict) and isinstance(after, dict):
        yield from _of_objects(before, after, path)
    elif isinstance(before, list) and isinstance(after, list):
        yield from _of_arrays(before, after, path)
    elif before != after or isinstance(before, bool) is not isinstance(after, bool):
        yield ValueChange(path, "changed", before, after)


def text_of(path: Path) -> str:
    """A path in words: `payload.resolution.allowed_actions[ticket.read].risk_tier`."""
    parts = [f"[{step}]" if isinstance(step, int | Item) else f".{step}" for step in path]
    return "".join(parts).removeprefix(".")


def is_lesser(change: ValueChange) -> bool:
    """Whether a change of an event is of words, ranks or names alone."""
    path = change.path
    if path[0] == "payload" and path[1:2] and path[1] in _CONTENT:
        return False
    if change.type == "moved":
        return True
    return any(step in _LESSER for step in path if not isinstance(step, Item))


def _of_objects(before: dict[str, Any], after: dict[str, Any], path: Path) -> Iterator[ValueChange]:
    for key in sorted(before.keys() | after.keys()):
        inner = (*path, key)
        if key not in after:
            yield ValueChange(inner, "removed", before[key], None)
        elif key not in before:
            yield ValueChange(inner, "inserted", None, after[key])
        else:
            yield from changes(before[key], after[key], inner)


def _of_arrays(before: list[Any], after: list[Any], path: Path) -> Iterator[ValueChange]:
    key = _KEYED.get(str(path[-1])) if path[:-1] == _RESOLUTION else None
    if key is not None:
        named = [_by_name(one, key) for one in (before, after)]
        if named[0] is not None and named[1] is not None:
            yield from _of_named(named[0], named[1], path)
            return
    yield from _of_sequences(before, after, path)


def _by_name(items: Sequence[Any], key: str) -> dict[str, Any] | None:
    found = {str(item.get(key)): item for item in items if isinstance(item, dict)}
    return found if len(found) == len(items) else None


def _of_named(before: dict[str, Any], after: dict[str, Any], path: Path) -> Iterator[ValueChange]:
    for name in (*before, *(name for name in after if name not in before)):
        inner = (*path, Item(name))
        if name not in after:
            yield ValueChange(inner, "removed", before[name], None)
        elif name not in before:
            yield ValueChange(inner, "inserted", None, after[name])
        else:
            yield from changes(before[name], after[name], inner)
    first = [name for name in before if name in after]
    second = [name for name in after if name in before]
    if first != second:
        yield ValueChange(path, "moved", first, second)


def _of_sequences(before: list[Any], after: list[Any], path: Path) -> Iterator[ValueChange]:
    """Items are compared place by place between the beginning and the end that are the same, so
    that one item more does not make all that follow others."""
    start = 0
    shorter = min(len(before), len(after))
    while start < shorter and _are_same(before[start], after[start]):
        start += 1
    end = 0
    while end < shorter - start and _are_same(before[-1 - end], after[-1 - end]):
        end += 1
    old, new = before[start : len(before) - end], after[start : len(after) - end]
    for at in range(max(len(old), len(new))):
        inner = (*path, start + at)
        if at >= len(new):
            yield ValueChange(inner, "removed", old[at], None)
        elif at >= len(old):
            yield ValueChange(inner, "inserted", None, new[at])
        else:
            yield from changes(old[at], new[at], inner)


def _are_same(one: Any, other: Any) -> bool:
    # For Python, true is one.
    return bool(one == other) and next(changes(one, other), None) is None
