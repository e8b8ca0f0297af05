"""What is said about a denial is true: the command that it names comes to the same decision."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from cra import Denied, ExecutionFailed, Project, govern
from cra.atlas.lock import pin_of, write_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.package import read_package
from cra.runtime.result import ExecutionResult
from tests.console import follow
from tests.program import answer, cra

ACTION = "refund.make"
SCHEMA = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "note": {"type": "string"},
        "code": {"type": ["string", "integer"]},
        "lines": {"type": "array"},
    },
}
OVER_100 = {
    "type": "object",
    "properties": {"amount": {"type": "number", "exclusiveMinimum": 100}},
    "required": ["amount"],
}
NOT_SAID = {"not": {"required": ["amount"], "type": "object"}}


def rule(policy_id: str, kind: str, **members: Any) -> dict[str, Any]:
    return {"policy_id": policy_id, "type": kind, "actions": [ACTION], **members}


def project_with(root: Path, *rules: Mapping[str, Any], **config: Any) -> Path:
    atlas = {
        "atlas_version": "1.0",
        "atlas_id": "org.example.shop",
        "version": "1.0.0",
        "actions": [
            {
                "action_id": ACTION,
                "risk_tier": "low",
                "parameters_schema": SCHEMA,
                "executor": {"type": "static", "result": "done"},
            }
        ],
    }
    (root / "shop").mkdir()
    (root / "shop/atlas.json").write_text(json.dumps(atlas))
    (root / "policies").mkdir()
    (root / "policies/shop.json").write_text(json.dumps([rule("shop", "allow"), *rules]))
    (root / "cra.config.json").write_text(json.dumps({"atlases": ["shop"], **config}))
    write_lock(root, [pin_of(load_atlas(read_package(root / "shop"), "shop"), "shop")])
    return root


def denied(
    root: Path, arguments: Mapping[str, Any], agent: str = "cli", **task: Any
) -> ExecutionResult:
    with Project.open(root) as project:
        session = project.session(agent)
        session.resolve("make a refund", **task)
        found = session.execute(ACTION, arguments)
    assert found.status == "denied"
    return found


def explained(root: Path, found: ExecutionResult) -> tuple[int, str]:
    """The exit code of the command that a denial names, and the rule that decides in it."""
    with pytest.raises(Denied) as raised:
        _ = found.result
    assert raised.value.fix is not None
    [ran] = follow(root, f"$ {raised.value.fix} --json\n")
    return ran.done.returncode, json.loads(ran.done.stdout)["decision"]["policy_id"]


CAP = rule("cap", "deny", conditions={"parameters": OVER_100})
UNSAID = rule("unsaid", "deny", conditions={"parameters": NOT_SAID})


@pytest.mark.parametrize(
    ("arguments", "command"),
    [
        ({"amount": 120}, "cra explain refund.make -p amount=120"),
        ({"amount": 120.5}, "cra explain refund.make -p amount=120.5"),
        (
            {"amount": 120, "note": "it's $(late)"},
            "cra explain refund.make -p amount=120 -p 'note=it'\"'\"'s $(late)'",
        ),
        ({"amount": 120, "note": "two\nlines"}, None),
        ({"amount": 120, "code": "12"}, None),
        ({"amount": 120, "lines": [1, {"a": "b"}]}, None),
        ({"amount": 120, "a=b": "c"}, None),
        ({"amount": 120, "unknown": 1}, None),
    ],
)
def test_the_command_of_a_denial_has_its_arguments(tmp_path, arguments, command):
    found = denied(project_with(tmp_path, CAP), arguments)

    assert found.fix is not None
    assert found.fix == command if command else found.fix.startswith("printf %s ")
    assert explained(tmp_path, found) == (1, "cap")


def test_no_arguments_are_arguments_where_a_rule_looks_at_them(tmp_path):
    found = denied(project_with(tmp_path, UNSAID), {})

    assert explained(tmp_path, found) == (1, "unsaid")


def test_no_arguments_are_left_out_where_none_decide(tmp_path):
    found = denied(project_with(tmp_path, rule("no", "deny")), {})

    assert found.fix == "cra explain refund.make"


@pytest.mark.parametrize(
    ("conditions", "who"),
    [
        ({"agents": ["night"]}, {"agent": "night"}),
        ({"roles": ["clerk"]}, {"agent": "day shift"}),
        ({"risk_tiers": ["critical"]}, {"risk_tier": "critical"}),
        ({"context": {"env": "live"}}, {"context": {"env": "live"}}),
        ({"context": {"env": "it's"}}, {"context": {"env": "it's", "shift": 2, "late": True}}),
    ],
)
def test_the_command_of_a_denial_has_who_asked_and_what_the_task_stated(tmp_path, conditions, who):
    wanted = rule("no", "deny", conditions={**conditions, "parameters": OVER_100})
    root = project_with(tmp_path, wanted, agents={"day shift": {"roles": ["clerk"]}})

    assert explained(root, denied(root, {"amount": 120}, **who)) == (1, "no")


@pytest.mark.parametrize("scopes", [["small"], []])
def test_the_command_of_a_denial_has_the_scopes_of_a_session_that_has_fewer(tmp_path, scopes):
    large = {"policy_id": "more", "type": "allow", "conditions": {"scopes": ["large"]}}
    root = project_with(tmp_path, agents={"night": {"scopes": ["small", "large"]}})
    (root / "policies/shop.json").write_text(json.dumps(large))
    with Project.open(root) as project:
        session = project.session("night", scopes=scopes)
        session.resolve("make a refund")
        found = session.execute(ACTION)

    assert explained(root, found) == (1, "default:no-rule-allows")


@pytest.mark.parametrize(
    ("arguments", "context"),
    [({"amount": 120, "note": "x" * 500}, {}), ({"amount": 120}, {"count": "12"})],
)
def test_what_no_short_command_states_is_looked_up_in_the_trace(tmp_path, arguments, context):
    found = denied(project_with(tmp_path, CAP), arguments, context=context)

    assert found.fix == "cra trace show last --event-type action.denied"
    [ran] = follow(tmp_path, f"$ {found.fix}\n")
    assert "(cap)" in ran.done.stdout


def test_a_goal_is_to_be_resolved_where_only_that_is_missing(tmp_path):
    root = project_with(tmp_path)
    session = answer(root, "session", "start", "--agent", "night")

    said = cra(root, "execute", ACTION, "--agent", "night", "--session", session)

    assert "(default:no-resolution)" in said.stdout
    assert 'fix: cra resolve --agent night --goal "…"\n' in said.stderr


def test_a_limit_that_is_used_up_has_no_command(tmp_path):
    pace = rule("pace", "rate_limit", parameters={"max_calls": 1, "window_seconds": 60})
    root = project_with(tmp_path, pace)
    answer(root, "resolve", "--goal", "make a refund")
    answer(root, "execute", ACTION)

    said = cra(root, "execute", ACTION)

    assert "fix: wait, or raise the maximum of pace\n" in said.stderr


@pytest.mark.parametrize("tier", [[], ["low"]])
def test_a_refusal_by_a_person_is_found_among_the_approvals(tmp_path, tier):
    ask = [] if tier else [rule("ask", "require_approval")]
    root = project_with(tmp_path, *ask, policies={"require_approval_for": tier})
    with Project.open(root) as project:
        session = project.session("cli")
        session.resolve("make a refund")
        found = session.execute(ACTION, approver=lambda _: False)

    assert found.status == "denied"
    assert found.fix is not None
    command, _, rest = found.fix.partition(" says ")
    assert rest == "who refused it, and until when"
    [ran] = follow(root, f"$ {command}\n")
    assert "denied" in ran.done.stdout


def test_a_function_of_the_program_is_mended_by_a_rule_that_is_stated(tmp_path):
    root = project_with(tmp_path)

    def pack(parcel: str) -> str:
        return parcel

    with Project.open(root) as project:
        packed = govern(pack, session=project.session("night"), name="parcel.pack")
        with pytest.raises(Denied) as raised:
            packed("x")

    assert raised.value.fix is not None
    added = json.loads(raised.value.fix.removeprefix("add to the project's policies: "))
    assert (added["actions"], added["type"]) == (["parcel.pack"], "allow")


def test_the_command_line_says_the_command_as_well(tmp_path):
    root = project_with(tmp_path, CAP)
    answer(root, "resolve", "--goal", "make a refund")

    said = cra(root, "execute", ACTION, "-p", "amount=120")

    assert said.returncode == 1
    assert said.stderr.startswith("fix: cra explain refund.make -p amount=120\n")


@pytest.mark.parametrize("is_repeated", [False, True])
def test_a_failure_has_the_fix_that_its_executor_knows(tmp_path, is_repeated):
    atlas = json.loads((project_with(tmp_path) / "shop/atlas.json").read_text())
    atlas["actions"][0]["executor"] = {"type": "process", "command": ["echo", "{note}"]}
    (tmp_path / "shop/atlas.json").write_text(json.dumps(atlas))
    answer(tmp_path, "atlas", "lock", "--yes")
    answer(tmp_path, "resolve", "--goal", "make a refund")
    call = ["execute", ACTION, "-p", "note=--all", "--idempotency-key", "once"]

    said = [cra(tmp_path, *call) for _ in range(1 + is_repeated)][-1]

    assert said.returncode == 5
    assert said.stdout.startswith("FAILED: refused: expected a value of note that is no option")
    assert said.stderr.startswith("fix: name note in allow_options if it may be one\n")
    with Project.open(tmp_path) as project:
        session = project.session("night")
        session.resolve("make a refund")
        failed = session.execute(ACTION, {"note": "--all"})
    with pytest.raises(ExecutionFailed) as raised:
        _ = failed.result
    assert raised.value.fix == "name note in allow_options if it may be one"
