"""What a source has for an atlas, and what of it an atlas cannot have."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from cra.printable import safe

# Reading is allowed, changing waits for an approval, deleting is denied.
Effect: TypeAlias = Literal["reads", "changes", "deletes"]

MAX_NAME: Final = 80
MAX_DESCRIPTION: Final = 500
_ABOUT: Final = "context/about.md"
# The bytes of context that a resolution has room for.
ROOM: Final = 32_000


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
    # What it has otherwise than the source, or without a part, and what it does not have.
    reduced: tuple[Mention, ...] = ()
    left_out: tuple[Mention, ...] = ()


def about(title: str, text: object) -> tuple[tuple[Mapping[str, Any], ...], dict[str, bytes]]:
    """A context pack of what a source says of itself, and its file; none if it says nothing."""
    if not isinstance(text, str) or not text.strip():
        return (), {}
    lines = [safe(line) for line in text[:ROOM].strip().splitlines()]
    page = "\n".join([f"# {title}", "", *lines, ""]).encode()
    pack = {"pack_id": "about", "name": title, "purpose": "What it is", "files": [_ABOUT]}
    return (pack,), {_ABOUT: page}


def line_of(text: object, limit: int = MAX_NAME) -> str:
    """A text of a source as one line in which nothing is hidden; nothing for what is no text."""
    line = safe(" ".join(text.split())) if isinstance(text, str) else ""
    return line if len(line) <= limit else line[: limit - 1] + "…"
