"""Goldens for tests: a desk on the disk whose sessions are recorded, changed, and done again."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from hashlib import sha256
from pathlib import Path
from typing import Any

from cra import config
from cra.atlas.lock import pin_of, write_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.package import read_package
from cra.replay.check import Report, Settings, check
from cra.replay.golden import FOLDER
from cra.replay.record import RecordedGolden, record
from cra.runtime.project import Project
from cra.runtime.session import GovernedSession
from tests.governed import CODE, MANIFEST, write_project


@contextmanager
def opened(place: Path) -> Iterator[Project]:
    """The desk with a home of its own, so that its secret is not another's."""
    with Project.open(place, environ=home_of(place)) as project:
        yield project


def home_of(place: Path) -> dict[str, str]:
    return {"HOME": str(place.parent), "XDG_CONFIG_HOME": str(place.parent / "config")}


def write_desk(
    place: Path,
    *policies: Mapping[str, Any],
    settings: Mapping[str, Any] | None = None,
    **changed: Any,
) -> Path:
    """The desk with settings of its own; `changed` is as for `change_desk`."""
    write_project(place, *policies)
    if settings:
        set_config(place, **settings)
    if changed:
        change_desk(place, **changed)
    return place


def set_config(place: Path, **settings: Any) -> None:
    document = {"atlases": ["atlases/desk"], **settings}
    (place / "cra.config.json").write_text(json.dumps(document))


def change_desk(
    place: Path,
    *,
    code: bytes = CODE,
    actions: Sequence[Mapping[str, Any]] | None = None,
    files: Mapping[str, bytes] | None = None,
    **members: Any,
) -> None:
    """Let the desk's atlas be another, and accept it."""
    atlas = place / "atlases" / "desk"
    manifest = {**MANIFEST, **members}
    if actions is not None:
        manifest["actions"] = list(actions)
    (atlas / "atlas.json").write_text(json.dumps(manifest))
    for name, data in {"desk.py": code, **(files or {})}.items():
        (atlas / name).write_bytes(data)
    write_lock(place, [pin_of(load_atlas(read_package(atlas), "desk"), "atlases/desk")])


def actions_but(action_id: str, **changed: Any) -> list[dict[str, Any]]:
    """The actions of the desk, one of them changed."""
    return [
        {**action, **changed} if action["action_id"] == action_id else dict(action)
        for action in MANIFEST["actions"]
    ]


def trace_file(session: GovernedSession) -> Path:
    return session.project.config.trace_directory / f"{session.id}.trace.jsonl"


def recorded(session: GovernedSession, name: str = "one") -> RecordedGolden:
    """A golden of a session, which nobody has to have ended."""
    session.barrier()
    return record(session.project.config, trace_file(session), name)


def replayed(place: Path, name: str = "one", **settings: Any) -> Report:
    """What a replay of a golden says under the project as it is now."""
    found = config.load(place, {}, None, {})
    return check(place / FOLDER / name / "manifest.json", found, Settings(**settings))


def told(report: Report) -> list[tuple[str, str, str]]:
    """The differences of a report that stand for themselves."""
    return [
        (one.significance, one.type, one.reason) for one in report.differences if not one.follows
    ]


def golden_of(place: Path, name: str = "one") -> Path:
    """The directory of a golden."""
    return place / FOLDER / name


def manifest_of(place: Path, name: str = "one") -> dict[str, Any]:
    found: dict[str, Any] = json.loads((golden_of(place, name) / "manifest.json").read_bytes())
    return found


def write_manifest(place: Path, document: Mapping[str, Any], name: str = "one") -> None:
    (golden_of(place, name) / "manifest.json").write_text(json.dumps(document))


def reseal(golden: Path) -> None:
    """Let the manifest name the files as they are now."""
    manifest = golden / "manifest.json"
    document = json.loads(manifest.read_bytes())
    for artifact in document["artifacts"]:
        artifact["sha256"] = sha256((golden / artifact["uri"]).read_bytes()).hexdigest()
    manifest.write_text(json.dumps(document))
