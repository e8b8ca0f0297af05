"""`cra explain`, `cra policy check` and `cra policy test`, run as programs."""

from __future__ import annotations

import json
import shutil
from pathlib import Path
from typing import Any

import pytest

from cra.atlas.lock import pin_of, write_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.package import read_package
from cra.cli.arguments import pairs, parameters_of
from cra.errors import UsageError
from tests.program import cra

REFUND = {
    "type": "object",
    "properties": {
        "amount": {"type": "number"},
        "note": {"type": "string"},
        "kind": {"$ref": "#/$defs/kind"},
    },
    "required": ["amount"],
    "additionalProperties": False,
    "$defs": {"kind": {"enum": ["full", "part"]}},
}
OVER_100 = {
    "type": "object",
    "properties": {"amount": {"type": "number", "exclusiveMinimum": 100}},
    "required": ["amount"],
}
ATLAS = {
    "atlas_version": "1.0",
    "atlas_id": "org.example.shop",
    "version": "1.0.0",
    "actions": [
        {
            "action_id": action_id,
            "risk_tier": tier,
            "parameters_schema": schema,
            "executor": {"type": "static", "result": "done"},
        }
        for action_id, tier, schema in (
            ("refund.make", "medium", REFUND),
            ("ticket.delete", "high", {"type": "object"}),
            ("ticket.read", "low", {"type": "object"}),
        )
    ],
    "policies": [{"policy_id": "shop-tickets", "type": "allow", "actions": ["ticket.*"]}],
}
RULES = """[
{"policy_id": "cap", "type": "deny", "actions": ["refund.make"], "reason": "over 100 by hand",
 "conditions": {"parameters": %s}},
{"policy_id": "pace", "type": "rate_limit", "actions": ["refund.*"],
 "parameters": {"max_calls": 3, "window_seconds": 60}},
{"policy_id": "clerks", "type": "allow", "actions": ["refund.*"],
 "conditions": {"roles": ["clerk"]}}
]
"""


def lock(root: Path) -> None:
    source = "atlases/shop"
    write_lock(root, [pin_of(load_atlas(read_package(root / source), source), source)])


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("written")
    (root / "atlases/shop").mkdir(parents=True)
    (root / "atlases/shop/atlas.json").write_text(json.dumps(ATLAS, indent=1))
    config = {"atlases": ["atlases/shop"], "agents": {"desk": {"roles": ["clerk"]}}}
    (root / "cra.config.json").write_text(json.dumps(config))
    lock(root)
    (root / "policies").mkdir()
    (root / "policies/refunds.json").write_text(RULES % json.dumps(OVER_100))
    return root


@pytest.fixture
def project(written: Path, tmp_path: Path) -> Path:
    return shutil.copytree(written, tmp_path / "project")


def explained(project: Path, *arguments: str, code: int) -> Any:
    done = cra(project, "explain", *arguments, "--json")
    assert done.returncode == code, done.stderr
    return json.loads(done.stdout)


def states(facts: Any) -> dict[str, str]:
    return {rule["policy_id"]: rule["state"] for rule in facts["rules"]}


# explain


def test_without_arguments_a_call_is_decided_as_while_resolving(project):
    facts = explained(project, "refund.make", "--agent", "desk", code=0)

    assert facts["at"] == "resolve"
    assert facts["decision"]["policy_id"] == "clerks"
    assert states(facts) == {"cap": "undecided", "pace": "undecided", "clerks": "applies"}


def test_with_arguments_it_is_decided_as_at_the_call(project):
    facts = explained(project, "refund.make", "--agent", "desk", "--param", "amount=120", code=1)

    assert facts["at"] == "execute"
    assert facts["decision"] == {
        "type": "deny",
        "policy_id": "cap",
        "reason": "over 100 by hand",
        "where": "policies/refunds.json:2:1",
        "risk_tier": "medium",
    }
    assert states(facts) == {"cap": "applies", "pace": "does not apply", "clerks": "applies"}


def test_a_denial_shows_the_smallest_change_that_would_allow_it_and_that_does(project):
    (change,) = explained(project, "refund.make", "--agent", "guest", code=1)["changes"]
    rule = json.loads(change.partition(": ")[2])
    (project / "policies/more.json").write_text(json.dumps(rule))

    facts = explained(project, "refund.make", "--agent", "guest", code=0)

    assert facts["decision"]["policy_id"] == rule["policy_id"]


def test_a_risky_action_needs_an_approval_and_the_setting_that_asks_for_it_is_named(project):
    facts = explained(project, "ticket.delete", code=4)

    assert facts["decision"]["policy_id"] == "config:require_approval_for"
    assert facts["decision"]["where"] == "default"
    assert cra(project, "explain", "ticket.delete").returncode == 4


def test_a_rule_that_does_not_apply_says_what_it_expected_and_where_it_stands(project):
    done = cra(project, "explain", "refund.make", "--agent", "guest")

    assert done.returncode == 1
    assert "  clerks: does not apply: roles: expected clerk, found none\n" in done.stdout
    assert "    policies/refunds.json:6:1\n" in done.stdout
    assert done.stdout.startswith("DENIED  refund.make\n")
    assert max(map(len, done.stdout.splitlines())) <= 80


def test_the_rungs_without_a_rule_are_one_line(project):
    read, delete = (cra(project, "explain", f"ticket.{name}").stdout for name in ("read", "delete"))

    assert read.endswith("\n\nno rule about it: deny, require_approval, rate_limit, budget\n")
    assert "\nallow\n  shop-tickets: applies, and decides\n" in read
    assert "\n\nno rule about it: deny, rate_limit, budget\n\n" in delete
    assert "\nrequire_approval\n  config:require_approval_for: applies to the" in delete


def test_an_atlas_rule_is_shown_with_the_atlas_it_stands_in(project):
    (rule,) = explained(project, "ticket.read", code=0)["rules"]

    assert rule["where"].startswith("atlases/shop/atlas.json:")


def test_an_atlas_rule_is_named_in_one_way_on_a_screen(project):
    atlas = json.loads((project / "atlases/shop/atlas.json").read_text())
    atlas["policies"].append({"policy_id": "shop-keeps", "type": "deny"})
    (project / "atlases/shop/atlas.json").write_text(json.dumps(atlas))
    lock(project)

    shown = cra(project, "explain", "ticket.read").stdout

    assert "(atlases/shop/atlas.json:1:" in shown
    assert shown.count("atlases/shop/atlas.json:") == shown.count("atlas.json:")


def test_what_an_action_asks_for_itself_is_shown_with_its_atlas(project):
    atlas = json.loads((project / "atlases/shop/atlas.json").read_text())
    atlas["actions"][2]["requires_confirmation"] = True
    (project / "atlases/shop/atlas.json").write_text(json.dumps(atlas))
    lock(project)

    facts = explained(project, "ticket.read", code=4)

    assert facts["decision"]["policy_id"] == "action:ticket.read:confirmation"
    assert facts["decision"]["where"] == "atlases/shop"


@pytest.mark.parametrize("given", [["--role", "clerk"], ["--agent", "desk"]])
def test_roles_are_those_stated_or_those_that_the_configuration_gives(project, given):
    assert explained(project, "refund.make", *given, code=0)["roles"] == ["clerk"]


def test_the_tier_of_the_task_raises_that_of_the_action(project):
    assert explained(project, "ticket.read", "--risk-tier", "critical", code=4)


def test_the_context_of_the_caller_only_makes_it_stricter(project):
    rules = [
        {"policy_id": "live", "type": "deny", "conditions": {"context": {"env": "production"}}},
        {"policy_id": "stage", "type": "allow", "conditions": {"context": {"env": "stage"}}},
    ]
    (project / "policies/context.json").write_text(json.dumps(rules))

    denied = explained(project, "ticket.read", "--context", "env=production", code=1)
    other = explained(project, "ticket.read", "--context", "env=stage", code=0)

    assert denied["decision"]["policy_id"] == "live"
    assert other["decision"]["policy_id"] == "shop-tickets"


def test_parameters_of_a_file_are_read_and_words_go_before_them(project):
    (project / "a.json").write_text('{"amount": 120, "note": "n"}')

    assert explained(project, "refund.make", "--role", "clerk", "--params", "a.json", code=1)
    assert explained(
        project, "refund.make", "--role", "clerk", "--params", "a.json", "-p", "amount=3", code=0
    )
    piped = cra(project, "explain", "refund.make", "--params", "-", stdin='{"amount": 500}')
    assert piped.returncode == 1


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (["refund.mak"], "CRA-1006", "did you mean refund.make?"),
        (["refund.make", "-p", "amount=ten"], "CRA-1007", 'amount: expected number, found "ten"'),
        (["refund.make", "-p", "note=x"], "CRA-1007", "amount: expected a value, found none"),
        (["refund.make", "-p", "amount"], "CRA-1001", "expected NAME=VALUE"),
        (["refund.make", "--risk-tier", "huge"], "CRA-1001", "expected a risk tier of low, medium"),
        (["refund.make", "--params", "none.json"], "CRA-1002", "no such file"),
        (["CRA-9999"], "CRA-1002", "expected a code of cra, found CRA-9999"),
    ],
)
def test_what_cannot_be_explained_is_an_error_that_says_why(project, arguments, code, said):
    done = cra(project, "explain", *arguments)

    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith(f"error[{code}]: ")
    assert said in done.stderr


def test_an_explanation_records_nothing(project):
    explained(project, "refund.make", "-p", "amount=1", "--role", "clerk", code=0)

    assert not (project / "cra.trace").exists()


def test_escapes_in_a_reason_do_not_reach_the_terminal(project):
    rule = {"policy_id": "loud", "type": "deny", "reason": "no \x1b[2J way"}
    (project / "policies/loud.json").write_text(json.dumps(rule))

    assert "no \\x1b[2J way" in cra(project, "explain", "ticket.read").stdout


# Arguments


@pytest.mark.parametrize(
    ("schema", "text", "value"),
    [
        ({"type": "integer"}, "12", 12),
        ({"type": "integer"}, "1.5", "1.5"),
        ({"type": "number"}, "12", 12),
        ({"type": "number"}, "-1.5e3", -1500.0),
        ({"type": "number"}, "NaN", "NaN"),
        ({"type": "boolean"}, "true", True),
        ({"type": "boolean"}, "yes", "yes"),
        ({"type": ["string", "null"]}, "null", None),
        ({"type": "string"}, "12", "12"),
        ({"type": "string"}, '"12"', '"12"'),
        ({"type": "string"}, "a=b", "a=b"),
        ({"type": "object"}, '{"a": [1]}', {"a": [1]}),
        ({"type": "object"}, '{"a": 1, "a": 2}', '{"a": 1, "a": 2}'),
        ({"type": "array"}, "[1, true]", [1, True]),
        ({"enum": [1, 2]}, "2", 2),
        ({"const": "2"}, "2", "2"),
        ({"anyOf": [{"type": "integer"}, {"type": "string"}]}, "7", 7),
        ({"$ref": "#/$defs/many"}, "[]", []),
        ({}, "12", "12"),
        (True, "12", "12"),
    ],
)
def test_a_word_is_read_by_the_type_that_the_schema_gives_it(schema, text, value):
    root = {"properties": {"x": schema}, "$defs": {"many": {"type": "array"}}}

    found = parameters_of([f"x={text}"], None, root)["x"]

    assert (found, type(found)) == (value, type(value))


def test_a_schema_that_refers_to_itself_leaves_a_word_as_it_is():
    root = {"properties": {"x": {"$ref": "#/properties/x"}}}

    assert parameters_of(["x=1"], None, root) == {"x": "1"}


@pytest.mark.parametrize("words", [["x"], ["=1"], ["x=1", "x=2"]])
def test_words_are_names_and_values_each_name_once(words):
    with pytest.raises(UsageError, match="expected NAME=VALUE, each name once"):
        parameters_of(words, None, {})


@pytest.mark.parametrize("text", ["[1]", "{", '{"a": 1, "a": 2}', "[" * 100_000, '{"a": NaN}'])
def test_a_file_of_parameters_is_one_json_object(tmp_path, text):
    file = tmp_path / "a.json"
    file.write_text(text)

    with pytest.raises(UsageError, match="expected parameters as"):
        parameters_of([], str(file), {})


def test_a_mistake_in_parameters_is_told_with_its_place(tmp_path):
    file = tmp_path / "a.json"
    file.write_text('{\n "amount" 5}')

    with pytest.raises(UsageError) as caught:
        parameters_of([], str(file), {})

    found = "expected parameters as JSON, found a mistake: expecting ':' delimiter"
    assert (caught.value.message, caught.value.where) == (found, f"{file}:2:11")


def test_facts_of_the_context_are_what_a_condition_can_compare():
    words = ["a=1", "b=true", "c=null", "d=text", 'e={"x": 1}', "f="]

    assert pairs(words) == {
        "a": 1,
        "b": True,
        "c": None,
        "d": "text",
        "e": '{"x": 1}',
        "f": "",
    }


# policy check


def test_rules_without_a_finding_pass(project):
    done = cra(project, "policy", "check")

    assert (done.returncode, done.stdout) == (0, "no finding in 4 rules\n")


def test_a_finding_names_the_rule_and_where_it_stands(project):
    rule = {"policy_id": "idle", "type": "deny", "actions": ["no.such"]}
    (project / "policies/idle.json").write_text(json.dumps(rule))

    done = cra(project, "policy", "check")
    facts = json.loads(cra(project, "policy", "check", "--json").stdout)

    assert done.returncode == 1
    assert done.stdout == (
        "policies/idle.json:1:1: matches-nothing\n"
        "  idle: no.such matches no action of any atlas; functions that a program governs\n"
        "  are not looked at\n"
        "1 finding in 5 rules\n"
    )
    (finding,) = facts["findings"]
    assert (finding["policy_id"], finding["where"]) == ("idle", "policies/idle.json:1:1")


def test_an_allow_rule_for_a_function_of_a_program_is_noted_and_is_no_finding(project):
    rule = {"policy_id": "parcels", "type": "allow", "actions": ["parcel.pack"]}
    (project / "policies/parcels.json").write_text(json.dumps(rule))

    done = cra(project, "policy", "check")
    facts = json.loads(cra(project, "policy", "check", "--json").stdout)
    health = json.loads(cra(project, "doctor", "--json").stdout)["checks"]

    assert done.returncode == 0
    assert done.stdout == (
        "policies/parcels.json:1:1: note, allows-nothing\n"
        "  parcels: parcel.pack matches no action of any atlas; functions that a program\n"
        "  governs are not looked at\n"
        "no finding in 5 rules\n"
    )
    assert facts["findings"] == []
    assert [note["policy_id"] for note in facts["notes"]] == ["parcels"]
    assert {check["state"] for check in health if check["name"] == "policies"} == {"OK"}


def test_an_unknown_action_may_be_a_function_of_a_program(project):
    done = cra(project, "explain", "parcel.pack")

    assert done.returncode == 2
    assert "a function that a program governs is known to it alone" in done.stderr


def test_a_rule_that_cannot_be_read_is_an_error_with_every_mistake(project):
    rules = [{"policy_id": "a", "type": "denny"}, {"policy_id": "b", "type": "deny", "actions": []}]
    (project / "policies/bad.json").write_text(json.dumps(rules))

    done = cra(project, "policy", "check")

    assert done.returncode == 2
    assert "policies/bad.json:1:29: [0].type" in done.stderr
    assert "actions: expected at least one value" in done.stderr


@pytest.mark.parametrize("command", [["policy", "check"], ["resolve", "--goal", "refund"]])
def test_a_rule_that_cannot_be_read_leads_no_command_back_to_itself(project, command):
    (project / "policies/bad.json").write_text('{"policy_id": "a", "type": "denny"}')

    done = cra(project, *command)

    assert done.returncode == 2
    assert f"cra {' '.join(command[:2])}" not in done.stderr
    assert "fix: cra schema policy has what a rule may hold" in done.stderr


# policy test


def case(name: str, decision: str, policy_id: str | None = None, **call: Any) -> dict[str, Any]:
    expect = {"decision": decision} | ({"policy_id": policy_id} if policy_id else {})
    return {"name": name, "call": {"action": "refund.make", **call}, "expect": expect}


def put_tests(file: Path, *cases: dict[str, Any]) -> None:
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(json.dumps({"tests": cases}))


def test_the_tests_beside_the_policies_are_run(project):
    large = case("large ones are denied", "deny", "cap", parameters={"amount": 120})
    small = case("clerks refund", "allow", "clerks", parameters={"amount": 5}, roles=["clerk"])
    spent = case(
        "three", "deny", "pace", roles=["clerk"], used={"pace": 3}, parameters={"amount": 5}
    )
    put_tests(project / "tests/policies/a.json", large, small)
    put_tests(project / "tests/policies/b.yaml", spent)

    done = cra(project, "policy", "test")

    assert done.returncode == 0, done.stderr
    assert done.stdout == (
        "tests/policies/a.json\n"
        "  passed  large ones are denied\n"
        "  passed  clerks refund\n"
        "tests/policies/b.yaml\n"
        "  passed  three\n"
        "3 passed, 0 failed\n"
    )


def test_a_failure_says_what_was_expected_and_found(project):
    put_tests(project / "one.json", case("wrong", "allow", parameters={"amount": 120}))

    done = cra(project, "policy", "test", "one.json")
    facts = json.loads(cra(project, "policy", "test", "one.json", "--json").stdout)

    assert done.returncode == 1
    assert "expected allow by any rule, found deny by cap" in done.stdout
    assert done.stdout.endswith("0 passed, 1 failed\n")
    assert (facts["passed"], facts["failed"]) == (0, 1)
    assert facts["tests"][0]["found"]["policy_id"] == "cap"


def test_a_call_that_is_none_passes_no_test_of_what_is_denied(project):
    put_tests(
        project / "one.json",
        case("misspelt", "deny", action="refund.mak"),
        case("misfit", "deny", parameters={"note": "much"}),
        case("unknown", "deny", "default:unknown-action", action="parcel.pack"),
    )

    found = json.loads(cra(project, "policy", "test", "one.json", "--json").stdout)
    misspelt, misfit, unknown = (test["problem"] for test in found["tests"])

    assert misspelt.endswith('found "refund.mak"; nearest: refund.make')
    assert "fit the schema of refund.make, found amount: expected a value" in misfit
    assert unknown is None
    assert found["failed"] == 2


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ('{"tests": []}', "expected a list of one test or more"),
        ('{"tests": [{"name": "x"}]}', "expected a call, found none"),
        ("{", "expected JSON"),
    ],
)
def test_tests_that_cannot_be_read_are_an_error_with_their_place(project, text, said):
    (project / "bad.json").write_text(text)

    done = cra(project, "policy", "test", "bad.json")

    assert done.returncode == 2
    assert said in done.stderr
    assert "bad.json:1:" in done.stderr


def test_rules_with_a_missing_brace_are_mended_by_what_the_error_says(project):
    path = project / "policies" / "broken.json"
    path.write_text('[\n  {"policy_id": "a", "type": "deny"\n]\n')
    done = cra(project, "policy", "check")

    assert done.returncode == 2
    assert "expected JSON, here a comma or the } of the { at 2:3, found ];" in done.stderr
    assert "where: policies/broken.json:3:1\n" in done.stderr
    assert "fix: mend it; cra policy check" in done.stderr
    path.write_text('[\n  {"policy_id": "a", "type": "denial"}\n]\n')
    assert "fix: cra schema policy" in cra(project, "policy", "check").stderr


def test_a_project_without_tests_is_told_where_they_go(project):
    done = cra(project, "policy", "test")

    assert done.returncode == 2
    assert "expected tests of policies, found none" in done.stderr
    assert "tests/policies" in done.stderr


@pytest.mark.parametrize("text", ["[]", '{"policies": []}'])
def test_a_file_without_a_rule_is_found(project, text):
    (project / "policies" / "empty.json").write_text(text)
    done = cra(project, "policy", "check")

    assert done.returncode == 1
    assert "policies/empty.json:1:1: no-rules\n  policies/empty.json holds no rule" in done.stdout
    assert done.stdout.count("no-rules") == 1


def test_the_tests_in_a_directory_are_run(project):
    place = project / "checks"
    place.mkdir()
    missing = cra(project, "policy", "test", "checks")
    for name in ("one", "two"):
        call = {"action": "refund.make", "parameters": {"amount": 5}}
        table = {"tests": [{"name": name, "call": call, "expect": {"decision": "allow"}}]}
        (place / f"{name}.json").write_text(json.dumps(table))
    (place / "notes.md").write_text("no test")
    told = json.loads(cra(project, "policy", "test", "checks", "--json").stdout)

    assert "expected tests of policies, found none" in missing.stderr
    assert [one["name"] for one in told["tests"]] == ["one", "two"]
