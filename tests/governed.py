"""A support desk under governance, for tests: its atlas, its rules, and a look at its ledger."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cra.atlas.lock import pin_of, write_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.package import read_package
from cra.ledger.chain import Event, decode
from cra.runtime.project import Project
from cra.runtime.session import GovernedSession

CODE = b"""
import os


def read(id):
    return {"id": id, "title": "The printer is on fire"}


def note(file, text="done"):
    with open(file, "a") as stream:
        stream.write(text + "\\n")
    return {"text": text}


def sort(items):
    items.sort()
    items.append("more")
    return items


def fail(why):
    raise ValueError(why)


def die():
    os._exit(9)
"""


def _schema(required: Sequence[str], **properties: Mapping[str, Any]) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": properties,
        "required": list(required),
        "additionalProperties": False,
    }


TEXT = {"type": "string"}
_NOTE = _schema(["file"], file=TEXT, text=TEXT)
_ACTIONS: Sequence[tuple[str, str, Mapping[str, Any], Mapping[str, Any]]] = [
    ("ticket.read", "read", _schema(["id"], id={"type": "integer"}), {}),
    ("ticket.note", "note", _NOTE, {}),
    ("ticket.pay", "note", _NOTE, {"cost": 5}),
    ("ticket.close", "note", _NOTE, {"risk_tier": "medium"}),
    ("ticket.sort", "sort", _schema(["items"], items={"type": "array"}), {}),
    ("ticket.fail", "fail", _schema(["why"], why=TEXT), {}),
    ("ticket.die", "die", _schema([]), {}),
]
MANIFEST: Mapping[str, Any] = {
    "atlas_version": "1.0",
    "atlas_id": "com.example.desk",
    "version": "1.0.0",
    "name": "Support desk",
    "description": "Tickets of customers",
    "actions": [
        {
            "action_id": action_id,
            "name": f"{function} a ticket",
            "description": f"{function} a ticket of the desk",
            "parameters_schema": schema,
            "executor": f"python:desk:{function}",
            "risk_tier": "low",
            **more,
        }
        for action_id, function, schema, more in _ACTIONS
    ]
    + [
        {
            "action_id": "ticket.pretend",
            "name": "pretend with a ticket",
            "description": "pretend something with a ticket",
            "parameters_schema": _schema([]),
            "executor": {"type": "static", "result": {"pretended": True}},
            "risk_tier": "low",
        }
    ],
}
DESK = (MANIFEST, {"desk.py": CODE})
GOAL = "do everything that can be done with a ticket"


def rule(policy_id: str, kind: str, *actions: str, **more: Any) -> dict[str, Any]:
    return {
        "policy_id": policy_id,
        "type": kind,
        "actions": list(actions) or ["ticket.*"],
        **more,
    }


ALLOW = rule("desk-allows", "allow")


def limit(policy_id: str, per: str, calls: int) -> dict[str, Any]:
    parameters = {"max_calls": calls, "window_seconds": 600, "per": per}
    return rule(policy_id, "rate_limit", "ticket.note", parameters=parameters)


def write_project(place: Path, *policies: Mapping[str, Any]) -> Path:
    """The desk as a project on the disk, which several processes can open."""
    atlas = place / "atlases" / "desk"
    atlas.mkdir(parents=True)
    (atlas / "atlas.json").write_text(json.dumps(MANIFEST))
    (atlas / "desk.py").write_bytes(CODE)
    (place / "cra.config.json").write_text(json.dumps({"atlases": ["atlases/desk"]}))
    write_rules(place, *policies)
    write_lock(place, [pin_of(load_atlas(read_package(atlas), "desk"), "atlases/desk")])
    return place


def write_rules(place: Path, *policies: Mapping[str, Any]) -> None:
    (place / "policies").mkdir(exist_ok=True)
    (place / "policies" / "rules.json").write_text(json.dumps(policies))


def configure(place: Path, **settings: Any) -> None:
    """Add to the project's configuration, or put others in the place of settings."""
    path = place / "cra.config.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | settings))


def begun(project: Project, **options: Any) -> GovernedSession:
    """A session that has resolved all that it may do."""
    session = project.session(**options)
    session.resolve(GOAL)
    return session


def events(session: GovernedSession, event_type: str | None = None) -> list[Event]:
    found = [decode(line) for line in session.stored_lines(0)]
    return [one for one in found if event_type in (None, one.header["event_type"])]


def payload_of(event: Event) -> Mapping[str, Any]:
    assert event.payload is not None
    return event.payload


def types_since(session: GovernedSession, size: int) -> list[str]:
    return [str(decode(line).header["event_type"]) for line in session.stored_lines(size)]
