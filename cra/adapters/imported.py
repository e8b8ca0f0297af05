"""What a source has for an atlas, and what of it an atlas cannot have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from cra.printable import safe

# Reading is allowed, changing waits for an approval, deleting is denied.
Effect: TypeAlias = Literal["reads", "changes", "deletes"]

MAX_NAME: Final = 80
MAX_DESCRIPTION: Final = 500


class Mention(NamedTuple):
    """Something to know of a source: the place in it, and words."""

    where: str
    words: str


class Imported(NamedTuple):
    """A source as parts of an atlas: actions, packs and capabilities as a manifest has them."""

    # One line that says what it is.
    title: str
    actions: tuple[Mapping[str, Any], ...] = ()
    # By action.
    effects: Mapping[str, Effect] = {}
    context_packs: tuple[Mapping[str, Any], ...] = ()
    capabilities: tuple[Mapping[str, Any], ...] = ()
    files: Mapping[str, bytes] = {}
    # The secrets that its actions take, and what each is.
    secrets: Mapping[str, str] = {}
    # How the parts come to what they are, in Markdown, for the reader of the atlas.
    remarks: tuple[str, ...] = ()
    left_out: tuple[Mention, ...] = ()


def line_of(text: object, limit: int = MAX_NAME) -> str:
    """A text of a source as one line in which nothing is hidden; nothing for what is no text."""
    line = safe(" ".join(text.split())) if isinstance(text, str) else ""
    return line if len(line) <= limit else line[: limit - 1] + "…"
