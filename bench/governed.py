"""The runtime: resolving a goal and executing an action, all of it recorded."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import ExitStack
from functools import partial
from pathlib import Path
from typing import Any, Final

from bench.measure import Sample, alternate, latencies
from bench.report import Budget, Measured, Row, Table
from bench.workload import Setting
from cra.runtime.govern import govern
from cra.runtime.project import Project
from cra.runtime.session import GovernedSession
from tests.corpus import corpus

CALLS: Final = 2_000
GOALS: Final = 200
SIZES: Final = (10, 100, 2_000)
GOAL: Final = "read a ticket"
NAIVE: Final = "naive: a line of JSON"
HOST: Final = {"policy_id": "host", "type": "allow", "actions": ["host.plain"]}
BUDGETS: Final = {
    "resolve, cached, 10 actions": Budget("≤", 20e-6),
    "resolve, a new goal, 10 actions": Budget("≤", 60e-6),
    "decide and append: a denied call": Budget("≤", 20e-6),
}

_VERBS: Final = ("read", "list", "close", "reply", "open", "count", "merge", "tag", "move", "rate")


def measure_governed(setting: Setting) -> Table:
    goals = [goal.text for goal in corpus()[1]][:GOALS]
    with ExitStack() as opened:
        folder = opened.enter_context(setting.folder())
        projects = {
            size: opened.enter_context(Project.temporary(_atlases(size), [HOST])) for size in SIZES
        }
        sessions = {size: project.session("bench") for size, project in projects.items()}
        for session in sessions.values():
            session.resolve(GOAL)
        steps: dict[str, Callable[[], Sample]] = {}
        for size in SIZES:
            again = partial(_each, sessions[size].resolve, [GOAL] * CALLS)
            steps[f"resolve, cached, {size} actions"] = again
            steps[f"resolve, a new goal, {size} actions"] = partial(
                _new_goals, projects[size], goals
            )
        session = sessions[10]
        governed = govern(_plain, project=projects[10], name="host.plain", risk_tier="low")
        steps |= {
            "execute a literal": partial(_each, partial(_execute, session, "ticket.read")),
            "execute a Python function": partial(_each, partial(_execute, session, "ticket.list")),
            "a governed function": partial(_each, lambda found: governed(found["id"])),
            "decide and append: a denied call": partial(
                _each, partial(_execute, session, "ticket.delete")
            ),
            NAIVE: partial(_each, partial(_naive, folder / "log")),
        }
        found = alternate(steps, setting.repetitions)
    ceiling = Measured(NAIVE, "s", found[NAIVE]["p50"])
    rows = [
        Row(Measured(f"{name}, p50", "s", found[name]["p50"]), (ceiling,), budget=BUDGETS.get(name))
        for name in steps
        if name != NAIVE
    ]
    return Table("events appended, no barrier", rows)


def _plain(number: int) -> int:
    return number


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


def _atlases(size: int) -> list[tuple[dict[str, Any], dict[str, bytes]]]:
    """The ten actions that are asked for, and others in atlases of at most 90 actions."""
    others = range(size - 10)
    return [_atlas("ticket", (*_VERBS[:9], "delete"))] + [
        _atlas(f"other{first}", [f"do{number}" for number in others[first : first + 90]])
        for first in range(0, len(others), 90)
    ]


def _atlas(noun: str, verbs: Sequence[str]) -> tuple[dict[str, Any], dict[str, bytes]]:
    schema = {
        "type": "object",
        "properties": {"id": {"type": "integer"}},
        "required": ["id"],
        "additionalProperties": False,
    }
    actions = [
        {
            "action_id": f"{noun}.{verb}",
            "name": f"{verb} a {noun}",
            "description": f"{verb} a {noun} of a customer",
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
        "atlas_id": f"com.example.{noun}",
        "version": "1.0.0",
        "name": "Tickets",
        "description": "Tickets of customers",
        "actions": actions,
        "policies": [
            {"policy_id": f"{noun}-work", "type": "allow", "actions": [f"{noun}.*"]},
            {"policy_id": f"{noun}-kept", "type": "deny", "actions": ["*.delete"]},
        ],
    }
    return manifest, {"desk.py": b"def run(id):\n    return {'id': id}\n"}
