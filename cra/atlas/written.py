"""A manifest as it is written, and the one table of the other spellings that it may use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any, Final, Literal

from cra.atlas.fields import AtlasId, FilePath, Id, Name, Seconds, SemVer, Word
from cra.atlas.model import Action, Capability, ContextPack, PythonExecutor
from cra.config.values import UNREAD, Alias, Limits, Spelling, Spellings

MANIFESTS: Final = ("atlas.json", "atlas.yaml", "atlas.yml")

_PATH: Final = Limits(
    "a path inside of the atlas, with /", pattern=r"[^/\\\x00-\x1f\x7f][^\\\x00-\x1f\x7f]*"
)


@dataclass(frozen=True)
class Manifest:
    """What `atlas.json` or `atlas.yaml` holds."""

    atlas_version: Literal["1.0"]
    atlas_id: AtlasId
    version: SemVer
    name: Name
    description: str = ""
    authors: tuple[Name, ...] = ()
    license: str = ""
    domains: tuple[Name, ...] = ()
    capabilities: tuple[Capability, ...] = ()
    context_packs: tuple[ContextPack, ...] = ()
    # Inline, or paths of files that hold one or a list.
    policies: Annotated[tuple[Mapping[str, Any] | FilePath, ...], UNREAD] = ()
    actions: Annotated[tuple[Action | FilePath, ...], UNREAD] = ()
    adapters: Mapping[Id, FilePath] = field(default_factory=dict)
    dependencies: Mapping[AtlasId, Word] = field(default_factory=dict)
    tests: tuple[FilePath, ...] = ()
    # Shown, never trusted.
    certification: Mapping[str, Any] | None = None
    homepage: str = ""
    repository: str = ""
    metadata: Mapping[str, Any] | None = None


def _python_executor(text: str) -> dict[str, Any]:
    _, module, function = text.split(":")
    return {"file": module.replace(".", "/") + ".py", "function": function}


SPELLINGS: Final[Spellings] = {
    Manifest: Spelling(
        aliases={"id": Alias("atlas_id")},
        defaults={"name": lambda given: given["atlas_id"]},
        empty_lists=frozenset({"dependencies"}),
    ),
    Action: Spelling(
        aliases={
            "schema": Alias("parameters_schema"),
            "requires_approval": Alias("requires_confirmation"),
            "timeout_seconds": Alias("timeout_ms", Seconds, lambda seconds: seconds * 1000),
        },
        defaults={
            "name": lambda given: given["action_id"],
            "description": lambda _: "",
            # An action that states no parameters has none.
            "parameters_schema": lambda _: {"type": "object", "additionalProperties": False},
        },
    ),
    Capability: Spelling(
        defaults={"name": lambda given: given["capability_id"]},
        shorthand=Limits("an id", pattern=r"[A-Za-z0-9][A-Za-z0-9._/-]{0,254}"),
        expand=lambda text: {"capability_id": text},
    ),
    ContextPack: Spelling(
        defaults={"name": lambda given: given["pack_id"]},
        shorthand=_PATH,
        expand=lambda text: {"pack_id": text, "files": [text]},
    ),
    PythonExecutor: Spelling(
        shorthand=Limits(
            "python:module:function",
            pattern=r"python:{0}(?:\.{0})*:{0}".format("[A-Za-z_][A-Za-z0-9_]*"),
        ),
        expand=_python_executor,
    ),
}
