"""Action ids and the patterns that stand for some of them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Final

from cra.errors import ValueRefused

_SEGMENT: Final = "[a-z][a-z0-9_]*"
# Part of the format: ASCII, at least two segments. \Z, for $ lets a line feed pass.
ACTION_ID: Final = re.compile(rf"{_SEGMENT}(?:\.{_SEGMENT})+\Z")
MAX_ACTION_ID: Final = 256
# An id, or something with a `*`: a single other segment would stand for no action at all.
PATTERN: Final = re.compile(
    rf"(?:{_SEGMENT}(?:\.{_SEGMENT})+|(?:{_SEGMENT}\.)*\*(?:\.(?:\*|{_SEGMENT}))*)\Z"
)


@dataclass(frozen=True)
class Pattern:
    """An action id, or a glob in which a whole-segment `*` stands for one or more segments."""

    text: str

    def __post_init__(self) -> None:
        """Raises ValueRefused for anything else."""
        if len(self.text) > MAX_ACTION_ID or not PATTERN.match(self.text):
            raise ValueRefused(
                "expected an action id or a glob like ticket.* with `*` as whole segments, "
                f"found {self.text!r:.80}"
            )

    @property
    def is_glob(self) -> bool:
        return "*" in self.text

    def matches(self, action_id: str) -> bool:
        if not self.is_glob:
            return action_id == self.text
        return _matches(self.text.split("."), action_id.split("."))

    def __str__(self) -> str:
        return self.text


def _matches(wanted: list[str], found: list[str]) -> bool:
    """Whether segments fit, by the table of which prefixes fit which: no pattern is expensive."""
    fits = [True] + [False] * len(found)
    for segment in wanted:
        row = [False]
        for at, given in enumerate(found):
            if segment == "*":
                row.append(fits[at] or row[at])
            else:
                row.append(fits[at] and segment == given)
        fits = row
    return fits[-1]
