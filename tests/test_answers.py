"""What commands print with --json is what `cra schema` says of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cra.cli.schema import SCHEMAS
from cra.policy.schema import compile_schema
from tests.governed import ALLOW, GOAL, limit, rule, write_project
from tests.program import answer, at_terminal, cra

ASK = rule("a-person-looks", "require_approval", "ticket.note", reason="notes are public")
NEVER = rule("no-closing", "deny", "ticket.close", conditions={"roles": ["clerk"]})
FEW = limit("few-notes", "session", 3)


@pytest.fixture(scope="module")
def place(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A project with calls of each kind: done, denied, granted, refused and still waiting."""
    place = write_project(tmp_path_factory.mktemp("answers"), ALLOW, ASK, NEVER, FEW)
    answer(place, "resolve", "--goal", GOAL)
    answer(place, "execute", "ticket.read", "--param", "id=4")
    for decision in ("grant", "deny", None):
        cra(place, "execute", "ticket.note", "--param", f"file={decision}")
        if decision is not None:
            code, screen = at_terminal(place, "approvals", decision, "last", typed="y\n")
            assert code == 0, screen
    cra(place, "execute", "ticket.close", "--param", "file=x")
    (place / "draft.json").write_text(
        json.dumps([ALLOW, rule("no-reading", "deny", "ticket.read")])
    )
    return place


COMMANDS = [
    ("doctor", ("doctor",)),
    ("explain", ("explain", "ticket.close")),
    ("explain", ("explain", "ticket.close", "-p", "file=x", "--role", "clerk")),
    ("explain", ("explain", "ticket.note", "--param", "file=x")),
    ("explain", ("explain", "ticket.read")),
    ("session-show", ("session", "show", "last")),
    ("approvals-list", ("approvals", "list")),
    ("approvals-list", ("approvals", "list", "--all")),
    ("approvals-show", ("approvals", "show", "last")),
    ("policy-backtest", ("policy", "backtest", "--policies", "draft.json")),
]


@pytest.mark.parametrize(("name", "arguments"), COMMANDS, ids=lambda value: "".join(value[:1]))
def test_an_answer_is_as_its_schema_says(place: Path, name: str, arguments: tuple[str, ...]):
    done = cra(place, *arguments, "--json")

    assert done.stdout, done.stderr
    assert flaws(name, json.loads(done.stdout)) == []


@pytest.mark.parametrize(
    "arguments", [("explain", "no.action"), ("session", "show", "none"), ("doctor", "--none")]
)
def test_an_error_is_as_its_schema_says(place: Path, arguments: tuple[str, ...]):
    failed = cra(place, *arguments, "--json")

    assert failed.returncode == 2
    assert flaws("error", json.loads(failed.stderr)) == []


def test_the_answers_that_are_held_against_schemas_have_something_in_them(place: Path):
    decided = json.loads(answer(place, "approvals", "list", "--all", "--json"))
    kinds = {given["decision"] for one in decided for given in one["decisions"]}
    tried = json.loads(
        cra(place, "policy", "backtest", "--policies", "draft.json", "--json").stdout
    )

    assert kinds == {"granted", "denied"}
    assert tried["flips"]
    assert json.loads(answer(place, "session", "show", "last", "--json"))["limits"]


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("error", {"error": {"code": "CRA-1000", "message": "", "where": None}}),
        ("error", {"error": {"code": "C", "message": "", "where": None, "fix": None, "x": 1}}),
        ("doctor", {"checks": [], "mended": [], "healthy": "yes"}),
        ("approvals-list", {}),
    ],
)
def test_an_answer_that_departs_from_its_schema_is_seen(name: str, value: Any):
    assert flaws(name, value) != []


def flaws(name: str, value: Any) -> list[Any]:
    return list(compile_schema(SCHEMAS[name][1]()).flaws(value))
