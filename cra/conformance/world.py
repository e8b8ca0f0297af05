"""A case's project on the disk, opened as any other, and what its sessions answer and record."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final

from cra.atlas.lock import pin_of, write_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.model import Pin
from cra.atlas.package import read_package
from cra.atlas.snapshot import POLICIES
from cra.atlas.written import MANIFESTS
from cra.config import FILE_NAME
from cra.conformance.case import GivenWorld, TakenAtlas, WrittenAtlas
from cra.errors import UsageError
from cra.policy.pattern import Pattern
from cra.protocol.carp import CARP_VERSION
from cra.runtime.carp import answer
from cra.runtime.project import Project
from cra.runtime.session import GovernedSession

# Where memory has a file system no disk is waited for: nothing here has to outlive its case.
_MEMORY: Final = Path("/dev/shm")


@contextmanager
def opened(given: GivenWorld, atlases: Mapping[str, WrittenAtlas]) -> Iterator[Project]:
    """The project, away from everything of the user's. Raises AtlasError, ConfigError."""
    memory = _MEMORY if os.access(_MEMORY, os.W_OK) else None
    with TemporaryDirectory(prefix="cra-conformance-", dir=memory) as place:
        root = Path(place).resolve()
        environ = {name: str(root) for name in ("XDG_CONFIG_HOME", "XDG_STATE_HOME")}
        project = root / "project"
        _write(project, given, atlases)
        with Project.open(project, environ=environ) as opened_project:
            yield opened_project


def ask(session: GovernedSession, request: Mapping[str, Any], number: int) -> Any:
    """The answer to a request that is made now; None if it is refused."""
    stated = {
        "carp_version": CARP_VERSION,
        "request_id": f"request-{number}",
        "timestamp": session.project.ledger.source.now(),
        "requester": {"agent_id": session.caller.agent},
        **request,
    }
    try:
        return answer(session, json.dumps(stated))
    except UsageError:
        return None


def recorded(session: GovernedSession, first: int) -> list[Any]:
    """The events of a session from a sequence on."""
    return [json.loads(line) for line in session.stored_lines(first)]


def _write(project: Path, given: GivenWorld, atlases: Mapping[str, WrittenAtlas]) -> None:
    (project / POLICIES).mkdir(parents=True)
    _write_json(project / POLICIES / "rules.json", given.policies)
    sources = [
        {"path": f"atlases/{taken.atlas}", "auto_load": taken.auto_load} for taken in given.atlases
    ]
    _write_json(project / FILE_NAME, {**given.config, "atlases": sources})
    write_lock(project, [_accepted(project, taken, atlases) for taken in given.atlases])


def _accepted(project: Path, taken: TakenAtlas, atlases: Mapping[str, WrittenAtlas]) -> Pin:
    source, written = f"atlases/{taken.atlas}", atlases[taken.atlas]
    place = project / source
    _write_json(place / MANIFESTS[0], written.manifest)
    for name, text in written.files.items():
        (place / name).parent.mkdir(parents=True, exist_ok=True)
        (place / name).write_text(text, encoding="utf-8")
    pin = pin_of(load_atlas(read_package(place), source), source)
    if taken.grants is None:
        return pin
    return pin._replace(grants=tuple(map(Pattern, taken.grants)))


def _write_json(path: Path, value: Any) -> None:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(value), encoding="utf-8")
