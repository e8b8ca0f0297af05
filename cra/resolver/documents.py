"""An atlas as documents for relevance: what it says of each action and of each context pack."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any, Final

from cra.atlas.model import Action, Atlas, Capability, ContextPack
from cra.resolver.relevance import Document

# Of each file of a pack; its beginning says what it is about.
_MAX_FILE: Final = 4096


def documents(atlas: Atlas) -> Iterator[Document]:
    """Actions under their ids, packs under `pack_key`: no action's id has a slash."""
    for action in atlas.actions:
        yield _of_action(atlas, action)
    for pack in atlas.context_packs:
        yield _of_pack(atlas, pack)


def pack_key(atlas_id: str, pack_id: str) -> str:
    return f"{atlas_id}/{pack_id}"


def _of_action(atlas: Atlas, action: Action) -> Document:
    parameters = list(_parameters(action.parameters_schema))
    capabilities = [one for one in atlas.capabilities if action.action_id in one.actions]
    return Document(
        action.action_id,
        {
            "id": action.action_id,
            "name": action.name,
            "description": action.description,
            "capabilities": _named(capabilities),
            "parameters": " ".join(name for name, _ in parameters),
            "parameter_descriptions": "\n".join(said for _, said in parameters),
            "examples": "\n".join(_strings(action.examples)),
            "subject": _subject(atlas),
        },
    )


def _of_pack(atlas: Atlas, pack: ContextPack) -> Document:
    texts = [_text(atlas.files[file]) for file in pack.files if file in atlas.files]
    capabilities = [one for one in atlas.capabilities if pack.pack_id in one.context_packs]
    return Document(
        pack_key(atlas.atlas_id, pack.pack_id),
        {
            "id": pack.pack_id,
            "name": f"{pack.name} {' '.join(pack.files)}",
            "purpose": pack.purpose,
            "capabilities": _named(capabilities),
            "headings": "\n".join(
                line for text in texts for line in text.split("\n") if line.startswith("#")
            ),
            "contents": "\n".join(texts),
            "subject": _subject(atlas),
        },
    )


def _subject(atlas: Atlas) -> str:
    return " ".join((atlas.name, *atlas.domains))


def _named(capabilities: list[Capability]) -> str:
    return "\n".join(f"{one.name} {one.description}" for one in capabilities)


def _text(stored: bytes) -> str:
    return stored[:_MAX_FILE].decode("utf-8", errors="replace")


def _parameters(schema: Mapping[str, Any]) -> Iterator[tuple[str, str]]:
    """The names of a schema's properties and what is said of them, however deep they are."""
    waiting = [schema]
    while waiting:
        one = waiting.pop()
        properties = one.get("properties", {})
        for name, stated in properties.items():
            yield name, stated.get("description", "") if isinstance(stated, Mapping) else ""
        # `true` and `false` are schemas, too.
        inner = [*properties.values(), one.get("items")]
        waiting += [stated for stated in inner if isinstance(stated, Mapping)]


def _strings(value: Any) -> Iterator[str]:
    waiting = [value]
    while waiting:
        one = waiting.pop()
        if isinstance(one, str):
            yield one
        elif isinstance(one, Mapping):
            waiting += one.values()
        elif isinstance(one, list | tuple):
            waiting += one
