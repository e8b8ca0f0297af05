"""The atlas of the host program: `local.host`, of the functions that it lets be governed.

No file holds it and it grants nothing, so that project policies alone allow its actions. The digest
of a snapshot with it is the SHA-256, in lower-case hex, of `cra snapshot with host 1` LF, the
digest without it LF, and the tree digest of the host's manifest.
"""

from __future__ import annotations

import hashlib
from collections.abc import Mapping
from typing import Any, Final

from cra import canonical
from cra.atlas.model import Action, Atlas, HostExecutor, Pin, Snapshot
from cra.atlas.package import digest_of
from cra.errors import UsageError

HOST: Final = "local.host"
_VERSION: Final = "1.0.0"
_DOMAIN: Final = b"cra snapshot with host 1\n"


def with_host(read: Snapshot, actions: Mapping[str, Action]) -> Snapshot:
    """What was read of a project, with actions of the host program, by their ids.

    Raises UsageError if an atlas of the project has one of the ids.
    """
    if HOST in read.pins:
        raise UsageError(
            f"expected no atlas with the id of the host program, found {HOST} in the project",
            fix=f"give that atlas another id than {HOST}",
        )
    for action_id in read.actions.keys() & actions.keys():
        raise id_taken(action_id, f"in {read.actions[action_id][0].atlas_id}")
    atlas = _host_atlas(actions)
    return read._replace(
        atlases=tuple(sorted([*read.atlases, atlas], key=lambda each: each.atlas_id)),
        pins={**read.pins, HOST: Pin(HOST, _VERSION, HOST, atlas.digest, grants=())},
        actions={**read.actions, **{each.action_id: (atlas, each) for each in atlas.actions}},
        digest=hashlib.sha256(_DOMAIN + f"{read.digest}\n{atlas.digest}".encode()).hexdigest(),
    )


def id_taken(action_id: str, found: str) -> UsageError:
    return UsageError(
        f"expected {action_id} for one action, found it {found} too",
        fix="give the function another name: govern(function, name=...)",
    )


def _host_atlas(actions: Mapping[str, Action]) -> Atlas:
    ordered = [actions[action_id] for action_id in sorted(actions)]
    manifest = {
        "atlas_id": HOST,
        "version": _VERSION,
        "actions": [described(action) for action in ordered],
    }
    files = {"atlas.json": canonical.encode(manifest)}
    return Atlas(
        atlas_id=HOST,
        version=_VERSION,
        name="Host program",
        description="Functions of the program that cra runs in",
        actions=tuple(ordered),
        policies=(),
        context_packs=(),
        capabilities=(),
        dependencies={},
        files=files,
        digest=digest_of(files),
    )


def described(action: Action) -> dict[str, Any]:
    """What a function of the host program says of itself, as a manifest would."""
    assert isinstance(action.executor, HostExecutor)
    return {
        "action_id": action.action_id,
        "name": action.name,
        "description": action.description,
        "parameters_schema": action.parameters_schema,
        "risk_tier": action.risk_tier,
        "executor": {"type": HostExecutor.TYPE, "origin": action.executor.origin},
    }
