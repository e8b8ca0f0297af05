"""The runtime: resolving a goal and executing an action, all of it recorded."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.measure import Sample, alternate, latencies
from bench.report import Budget, Measured, Row, Table
from bench.workload import Setting
from cra.runtime.project import Project
from cra.runtime.session import GovernedSession
from tests.corpus import corpus

CALLS: Final = 2_000
GOALS: Final = 200

_VERBS: Final = ("read", "list", "close", "reply", "open", "count", "merge", "tag", "move", "rate")


def measure_governed(setting: Setting) -> Table:
    goals = [goal.text for goal in corpus()[1]][:GOALS]
    with setting.folder() as folder, Project.temporary([_atlas()]) as project:
        session = project.session("bench")
        session.resolve("read a ticket")
        steps: dict[str, Callable[[], Sample]] = {
            "resolve, cached": partial(_each, session.resolve, ["read a ticket"] * CALLS),
            "resolve, a goal not asked before": partial(_new_goals, project, goals),
            "execute a literal": partial(_each, partial(_execute, session, "ticket.read")),
            "execute a Python function": partial(_each, partial(_execute, session, "ticket.list")),
            "a denied call": partial(_each, partial(_execute, session, "ticket.delete")),
            "naive: a line of JSON": partial(_each, partial(_naive, folder / "log")),
        }
        found = alternate(steps, setting.repetitions)
    ceiling = Measured("naive: a line of JSON", "s", found["naive: a line of JSON"]["p50"])
    budgets = {
        "resolve, cached": Budget("≤", 20e-6),
        "resolve, a goal not asked before": Budget("≤", 60e-6),
        "a denied call": Budget("≤", 20e-6),
    }
    rows = [
        Row(Measured(f"{name}, p50", "s", found[name]["p50"]), (ceiling,), budget=budgets.get(name))
        for name in steps
        if name != "naive: a line of JSON"
    ]
    return Table("an atlas of 10 actions, events appended, no barrier", rows)


def _each(step: Callable[[Any], object], items: list[Any] | None = None) -> Sample:
    return latencies(step, items or [{"id": 4}] * CALLS)


def _new_goals(project: Project, goals: list[str]) -> Sample:
    # A session remembers what it was asked.
    return latencies(project.session("bench").resolve, goals)


def _execute(session: GovernedSession, action_id: str, arguments: dict[str, Any]) -> object:
    return session.execute(action_id, arguments)


def _naive(path: Path, arguments: dict[str, Any]) -> None:
    """What a program without any of this writes of a call."""
    with path.open("a") as file:
        file.write(f'{{"action": "ticket.read", "arguments": {arguments}}}\n')


def _atlas() -> tuple[dict[str, Any], dict[str, bytes]]:
    schema = {
        "type": "object",
        "properties": {"id": {"type": "integer"}},
        "required": ["id"],
        "additionalProperties": False,
    }
    verbs = (*_VERBS[:9], "delete")
    actions = [
        {
            "action_id": f"ticket.{verb}",
            "name": f"{verb} a ticket",
            "description": f"{verb} a ticket of a customer",
            "risk_tier": "low",
            "parameters_schema": schema,
            "executor": (
                "python:desk:run"
                if verb == "list"
                else {"type": "static", "result": {"id": 4, "title": "The printer is on fire"}}
            ),
        }
        for verb in verbs
    ]
    manifest = {
        "atlas_version": "1.0",
        "atlas_id": "com.example.bench",
        "version": "1.0.0",
        "name": "Tickets",
        "description": "Tickets of customers",
        "actions": actions,
        "policies": [
            {"policy_id": "work", "type": "allow", "actions": ["ticket.*"]},
            {"policy_id": "kept", "type": "deny", "actions": ["*.delete"]},
        ],
    }
    return manifest, {"desk.py": b"def run(id):\n    return {'id': id}\n"}
