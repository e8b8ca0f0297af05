"""Which fields of an event may differ between two runs, and how far.

A path names members of an event from the outside in: `payload.result.items[*].id`. `[*]` is any
item, `*` any member, and at the beginning any depth: `*.span_id`. `time` means `timestamp`.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Annotated, Any, Final, Literal, TypeAlias

from cra import canonical
from cra.config.values import Limits

RuleName: TypeAlias = Literal["ignore", "normalize", "tolerance", "pattern", "set"]
# A member's name, an item's number, or ANY of them; DEEP, which only begins a path, is any depth.
Step: TypeAlias = str | int | None
ANY: Final[Step] = None
DEEP: Final[Step] = -1

_MAX_PATTERN: Final = 1_000
_STEP: Final = r"(?:[^.\[\]*\s]+|\*)(?:\[(?:\*|[0-9]{1,9})\])*"
_TOKEN: Final = re.compile(r"([^.\[\]]+)|\[(\*|[0-9]+)\]")

Field: TypeAlias = Annotated[
    str,
    Limits(
        "a path like payload.result.items[*].id",
        pattern=rf"{_STEP}(?:\.{_STEP})*",
        max_length=500,
    ),
]


class _Number:
    """Beside `Any` in `Annotated`: a number from 0 on, for JSON Schema. What is read, `problem`
    judges."""

    def __get_pydantic_json_schema__(self, core_schema: Any, handler: Callable[[Any], Any]) -> Any:
        number = {"type": "number", "minimum": 0}
        return {**handler(core_schema), "anyOf": [number, {"type": "null"}]}


@dataclass(frozen=True)
class FieldRule:
    """One line of a manifest's `nondeterminism`."""

    field: Field
    rule: RuleName
    # How far two numbers may be apart.
    tolerance: Annotated[Any, _Number()] = None
    # What a text has to match from its beginning to its end, in RE2.
    pattern: str | None = None
    reason: str | None = None

    @property
    def path(self) -> tuple[Step, ...]:
        return path_of(self.field)

    def problem(self) -> tuple[str, str] | None:
        """What a rule of its kind has to have and this one has not: what was expected, and found.

        None if it is whole.
        """
        has = {"tolerance": self.tolerance is not None, "pattern": self.pattern is not None}
        for name, is_there in has.items():
            if is_there and self.rule != name:
                return f"{name} in a rule of that name alone", f"it in one to {self.rule}"
            if not is_there and self.rule == name:
                return f"a {name}", "none"
        is_number = isinstance(self.tolerance, int | float) and not isinstance(self.tolerance, bool)
        if has["tolerance"] and not (is_number and self.tolerance >= 0):
            return "a tolerance from 0 on", canonical.text_of(self.tolerance).decode()[:60]
        if self.pattern is not None:
            return _problem_of_pattern(self.pattern)
        return None


@cache
def path_of(field: str) -> tuple[Step, ...]:
    """The steps of a path that has the form of one."""
    steps: list[Step] = []
    for name, item in _TOKEN.findall(field):
        if name == "*":
            steps.append(DEEP if not steps else ANY)
        elif name:
            steps.append(name)
        else:
            steps.append(ANY if item == "*" else int(item))
    if steps == ["time"]:
        return ("timestamp",)
    return tuple(steps)


def places(value: Any, path: Sequence[Step]) -> Iterator[tuple[Any, Any]]:
    """Each object or array, with the key or index of a member, that a path leads to.

    Whoever takes a member away does so before going on.
    """
    step, rest = path[0], path[1:]
    if step == DEEP:
        yield from _at_any_depth(value, rest)
        return
    for key in list(_keys(value, step)):
        if rest:
            yield from places(value[key], rest)
        else:
            yield value, key


def _at_any_depth(value: Any, rest: Sequence[Step]) -> Iterator[tuple[Any, Any]]:
    if not rest:  # `*` alone: every member of the event
        yield from ((value, key) for key in list(_keys(value, ANY)))
        return
    yield from places(value, rest)
    for key in list(_keys(value, ANY)):
        if isinstance(value[key], dict | list):
            yield from _at_any_depth(value[key], rest)


def _keys(value: Any, step: Step) -> Iterator[Any]:
    if isinstance(value, dict):
        if step is ANY:
            yield from value
        elif step in value:
            yield step
    elif isinstance(value, list):
        if step is ANY:
            yield from range(len(value))
        elif isinstance(step, int) and 0 <= step < len(value):
            yield step


@cache
def matcher(pattern: str) -> Any:
    """A pattern, ready to match."""
    import re2  # type: ignore[import-untyped]

    return re2.compile(pattern)


def _problem_of_pattern(pattern: str) -> tuple[str, str] | None:
    # Few manifests have one, and it is an extension module.
    import re2

    if len(pattern) > _MAX_PATTERN:
        return f"a pattern of at most {_MAX_PATTERN} characters", str(len(pattern))
    options = re2.Options()
    options.log_errors = False
    try:
        re2.compile(pattern, options)
    except re2.error as error:
        word = error.args[0]
        found = word.decode(errors="replace") if isinstance(word, bytes) else str(word)
        return "a pattern of RE2", f"one that it refuses: {found[:120]}"
    return None
