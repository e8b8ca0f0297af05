"""`cra atlas`, run as a program."""

from __future__ import annotations

import json
import os
import shutil
import zipfile
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from cra.cli.project import user_dirs
from cra.runtime.project import Project
from tests.program import ROOT, answer, at_terminal, cra

EXAMPLES = ROOT / "examples" / "atlases"

DESK = {
    "atlas_version": "1.0",
    "atlas_id": "com.example.desk",
    "version": "1.0.0",
    "name": "Desk",
    "actions": [
        {
            "action_id": "ticket.find",
            "description": "Find a ticket",
            "risk_tier": "low",
            "parameters_schema": {
                "type": "object",
                "properties": {"words": {"type": "string"}, "limit": {"type": "integer"}},
                "required": ["words"],
                "additionalProperties": False,
            },
            "executor": {"type": "static", "result": []},
        },
        {
            "action_id": "ticket.delete",
            "description": "Delete a ticket",
            "executor": {"type": "process", "command": ["rm", "ticket"]},
        },
    ],
    "policies": [
        {"policy_id": "desk-reads", "type": "allow", "actions": ["ticket.find"]},
        {"policy_id": "desk-keeps", "type": "deny", "actions": ["ticket.delete"]},
    ],
    "context_packs": [
        {"pack_id": "guide", "files": ["guide.md"], "purpose": "How it is done", "priority": 3}
    ],
    "tests": ["scenarios.json"],
}
FINDS = {
    "name": "tickets are found",
    "resolve": {"goal": "find a ticket"},
    "expect": {
        "decision": "partial",
        "allowed": ["ticket.find"],
        "denied": {"ticket.delete": "desk-keeps"},
    },
}
KEEPS = {
    "name": "tickets are kept",
    "call": {"action": "ticket.delete"},
    "expect": {"decision": "deny", "policy_id": "desk-keeps"},
}


def write_atlas(folder: Path, *scenarios: object, **changes: object) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "guide.md").write_text("# Guide\n\nTickets are found.\n")
    listed = {"scenarios": scenarios or [FINDS, KEEPS]}
    (folder / "scenarios.json").write_text(json.dumps(listed, indent=2))
    (folder / "atlas.json").write_text(json.dumps({**DESK, **changes}, indent=2))
    return folder


def with_notes(version: str = "1.1.0") -> dict[str, object]:
    """The desk in a later version, which allows more and reaches more."""
    note = {
        "action_id": "ticket.note",
        "parameters_schema": {"type": "object", "additionalProperties": False},
        "executor": {
            "type": "http",
            "method": "POST",
            "url": "https://notes.example.com/",
            "hosts": ["notes.example.com"],
        },
    }
    rule = {"policy_id": "desk-notes", "type": "allow", "actions": ["ticket.note"]}
    return {
        "version": version,
        "actions": [*DESK["actions"], note],
        "policies": [*DESK["policies"], rule],
    }


def facts(place: Path, *arguments: str | Path) -> dict[str, object]:
    return json.loads(cra(place, *arguments, "--json").stdout)


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    answer(folder, "init", "--no-sign")
    return folder


@pytest.fixture
def desk(project):
    return write_atlas(project / "atlases" / "desk")


@pytest.fixture
def added(project, desk):
    answer(project, "atlas", "add", desk, "--yes")
    return project


def written(project: Path) -> tuple[bytes, bytes | None]:
    lock = project / "cra.atlases.lock"
    data = lock.read_bytes() if lock.exists() else None
    is_empty = data is not None and b'"atlases": {}' in data
    return (project / "cra.config.json").read_bytes(), None if is_empty else data


# Validating.


def test_a_right_atlas_is_valid_as_a_directory_and_as_a_zip(tmp_path, desk):
    packed = tmp_path / "desk.zip"
    with zipfile.ZipFile(packed, "w") as archive:
        for path in desk.iterdir():
            archive.write(path, path.name)

    assert answer(tmp_path, "atlas", "validate", desk) == "valid: com.example.desk 1.0.0"
    directory, zipped = (facts(tmp_path, "atlas", "validate", each) for each in (desk, packed))
    assert directory["valid"] is zipped["valid"] is True
    assert directory["digest"] == zipped["digest"]


def test_every_mistake_of_an_atlas_is_told_with_its_place_and_code(tmp_path):
    actions = [{**DESK["actions"][0], "risk_tier": "lwo", "idempotnt": True}]
    place = write_atlas(tmp_path / "desk", actions=actions)
    said = cra(tmp_path, "atlas", "validate", "desk")
    told = facts(tmp_path, "atlas", "validate", place)

    assert said.returncode == 2
    assert said.stdout.splitlines()[-1] == "invalid: desk"
    assert "desk/atlas.json:" in said.stdout
    assert "CRA-2102" in said.stdout
    assert "nearest: low" in said.stdout
    assert told["valid"] is False
    keys = {problem["key"]: problem for problem in told["problems"]}
    assert keys["actions[0].risk_tier"]["nearest"] == "low"
    assert keys["actions[0].idempotnt"]["line"] > 1


def test_a_warning_makes_no_atlas_invalid(tmp_path):
    actions = [{"action_id": "ticket.find"}, DESK["actions"][1]]
    write_atlas(tmp_path / "desk", KEEPS, actions=actions)
    said = cra(tmp_path, "atlas", "validate", "desk")

    assert said.returncode == 0
    assert "warning CRA-2104" in said.stdout
    assert "declared, not executable" in said.stdout


def test_a_rule_that_can_never_matter_is_remarked_on(tmp_path):
    idle = {"policy_id": "desk-idle", "type": "deny", "actions": ["ticket.fnd"]}
    write_atlas(tmp_path / "desk", policies=[*DESK["policies"], idle])
    said = cra(tmp_path, "atlas", "validate", "desk")
    told = facts(tmp_path, "atlas", "validate", "desk")

    assert said.returncode == 0
    assert "desk-idle: ticket.fnd matches no action" in said.stdout
    [remark] = told["remarks"]
    assert (remark["kind"], remark["policy_id"]) == ("matches-nothing", "desk-idle")
    assert remark["where"].startswith("desk/atlas.json:")


MISTAKES = [
    ({**KEEPS, "call": {"action": "ticket.delet"}}, "CRA-2104", "nearest: ticket.delete"),
    ({**KEEPS, "call": {"action": "ticket.find"}}, "CRA-2102", "fit the schema"),
    ({**KEEPS, "resolve": {"goal": "x"}}, "CRA-2102", "found both"),
    ({"name": "x", "expect": {"decision": "deny"}}, "CRA-2102", "found none of them"),
    ({**KEEPS, "expect": {}}, "CRA-2102", "expected a decision"),
    ({**FINDS, "expect": {}}, "CRA-2102", "decision, allowed or denied"),
    ({**FINDS, "expct": {}}, "CRA-2102", "nearest: expect"),
    ({**FINDS, "resolve": {}}, "CRA-2102", "a goal of 1 to"),
    ({**FINDS, "expect": {"allowed": ["ticket.fnd"]}}, "CRA-2104", "nearest: ticket.find"),
    ({**FINDS, "expect": {"denied": {"ticket.x": "y"}}}, "CRA-2104", "an action of an atlas"),
    ({**FINDS, "expect": {"decision": "perhaps"}}, "CRA-2102", "perhaps"),
    ({**KEEPS, "roles": "reader"}, "CRA-2102", "roles"),
    ({**KEEPS, "trusted_context": []}, "CRA-2102", "an object"),
]


@pytest.fixture(scope="module")
def mistaken(tmp_path_factory):
    """What is said of an atlas with a scenario for each of the mistakes."""
    folder = tmp_path_factory.mktemp("mistaken")
    write_atlas(folder / "desk", *(scenario for scenario, _, _ in MISTAKES))
    return cra(folder, "atlas", "validate", "desk"), cra(folder, "atlas", "test", "desk")


@pytest.mark.parametrize("number", range(len(MISTAKES)))
def test_a_mistake_in_a_scenario_is_one_of_the_atlas(mistaken, number):
    validated, tested = mistaken
    _, code, words = MISTAKES[number]
    about = [line for line in validated.stdout.splitlines() if f"scenarios[{number}]" in line]

    assert validated.returncode == tested.returncode == 2
    assert any(code in line and words in line for line in about)
    assert all(line.startswith("desk/scenarios.json:") for line in about)
    assert words in tested.stderr


def test_a_file_without_scenarios_is_a_mistake(tmp_path):
    place = write_atlas(tmp_path / "desk")
    for text in ("{}", '{"scenarios": []}', '{"scenarios": 1}', "[]", "{"):
        (place / "scenarios.json").write_text(text)

        assert cra(tmp_path, "atlas", "validate", "desk").returncode == 2


# Adding.


def test_an_added_atlas_is_pinned_configured_and_opens(project, desk):
    said = answer(project, "atlas", "add", desk.relative_to(project), "--yes")
    config = json.loads((project / "cra.config.json").read_text())
    lock = json.loads((project / "cra.atlases.lock").read_text())

    assert said.splitlines()[-1] == "added: com.example.desk 1.0.0"
    assert config["atlases"] == ["atlases/desk"]
    assert lock["atlases"]["com.example.desk"]["grants"] == ["ticket.find"]
    with Project.open(project) as opened:
        assert set(opened.snapshot.actions) == {"ticket.find", "ticket.delete"}


def test_what_an_atlas_may_do_is_shown_before_it_is_added(project):
    write_atlas(project / "desk", **with_notes())
    said = cra(project, "atlas", "add", "desk")

    assert said.returncode == 2
    assert "fix: add --yes" in said.stderr
    for words in ("ticket.note", "program rm", "host notes.example.com", "desk-notes: allow"):
        assert words in said.stdout
    assert written(project)[1] is None


@pytest.mark.parametrize(("reply", "is_added"), [("y", True), ("n", False), ("", False)])
def test_on_a_terminal_the_question_decides(project, desk, reply, is_added):
    code, screen = at_terminal(project, "atlas", "add", desk, typed=f"{reply}\n")

    assert code == 0, screen
    assert "ticket.find" in screen
    assert "Add com.example.desk, with all that it may do? [y/N]" in screen
    assert (written(project)[1] is not None) is is_added


def with_id(folder: Path, number: int) -> Path:
    """A small atlas of its own."""
    action = {"action_id": f"number{number}.read", "executor": {"type": "static", "result": number}}
    changes = {"policies": [], "tests": [], "context_packs": [], "actions": [action]}
    return write_atlas(folder, atlas_id=f"com.example.number{number}", **changes)


def accepted(project: Path) -> tuple[list[str], list[str]]:
    """The ids in the lock, and the sources in the configuration."""
    lock = json.loads((project / "cra.atlases.lock").read_text())
    config = json.loads((project / "cra.config.json").read_text())
    return sorted(lock["atlases"]), sorted(config.get("atlases", []))


def test_atlases_that_are_added_at_once_are_all_in_the_project(project):
    folders = [with_id(project / f"atlases/number{number}", number) for number in range(6)]
    with ThreadPoolExecutor(6) as pool:
        said = pool.map(lambda folder: answer(project, "atlas", "add", folder, "--yes"), folders)
        assert all("added" in one for one in said)

    assert accepted(project) == (
        [f"com.example.number{number}" for number in range(6)],
        [f"atlases/number{number}" for number in range(6)],
    )
    assert not list(project.glob("*.tmp"))
    with Project.open(project) as opened:
        assert len(opened.snapshot.actions) == 6


def test_what_is_added_while_a_question_waits_is_kept(added):
    first, second = (with_id(added / f"atlases/number{number}", number) for number in (1, 2))

    code, _ = at_terminal(
        added,
        *("atlas", "add", first),
        typed="y\n",
        meanwhile=lambda: answer(added, "atlas", "add", second, "--yes"),
    )
    assert code == 0
    code, _ = at_terminal(
        added,
        *("atlas", "remove", "com.example.desk"),
        typed="y\n",
        meanwhile=lambda: answer(added, "atlas", "remove", "com.example.number2", "--yes"),
    )
    assert code == 0
    assert accepted(added) == (["com.example.number1"], ["atlases/number1"])


def test_two_atlases_that_do_not_go_together_are_not_both_added(project, desk):
    other = write_atlas(project / "atlases" / "other", atlas_id="com.example.other")

    code, screen = at_terminal(
        project,
        *("atlas", "add", other),
        typed="y\n",
        meanwhile=lambda: answer(project, "atlas", "add", desk, "--yes"),
    )

    assert (code, "ticket.find" in screen.partition("[y/N]")[2]) == (2, True)
    assert accepted(project) == (["com.example.desk"], ["atlases/desk"])


def test_a_change_is_accepted_only_as_it_was_shown(added, desk):
    write_atlas(desk, **with_notes())

    code, screen = at_terminal(
        added,
        *("atlas", "lock"),
        typed="y\n",
        meanwhile=lambda: answer(added, "atlas", "remove", "com.example.desk", "--yes"),
    )

    assert (code, "fix: cra atlas lock" in screen) == (2, True)
    assert accepted(added) == ([], [])


def test_adding_in_a_copy_without_a_trace_leaves_nothing_that_git_would_take(project, desk):
    shutil.rmtree(project / "cra.trace")

    answer(project, "atlas", "add", desk, "--yes")

    assert (project / "cra.trace" / ".gitignore").read_text() == "*\n"


def test_a_zip_is_added_and_removed_like_a_directory(project, desk):
    with zipfile.ZipFile(project / "desk.zip", "w") as archive:
        for path in desk.iterdir():
            archive.write(path, path.name)
    answer(project, "atlas", "add", "desk.zip", "--yes")
    assert facts(project, "atlas", "show", "com.example.desk")["source"] == "desk.zip"
    answer(project, "atlas", "remove", "com.example.desk", "--yes")

    assert (project / "desk.zip").is_file()


def test_an_atlas_of_the_project_is_named_by_its_id_or_by_where_it_lies(added, desk):
    by_id = answer(added, "atlas", "show", "com.example.desk")

    for place, name in [
        (added, "atlases/desk"),
        (added, "./atlases/desk/"),
        (desk, "."),
        (desk, desk),
    ]:
        assert answer(place, "atlas", "show", name) == by_id
    other = cra(added, "atlas", "remove", "desk", "--yes")
    assert other.returncode == 2
    assert "expected an atlas of this project, found 'desk'" in other.stderr

    assert "removed: com.example.desk;" in answer(desk, "atlas", "remove", "../desk", "--yes")
    assert "com.example.desk" not in (added / "cra.atlases.lock").read_text()


def test_a_dry_run_adds_locks_and_removes_nothing(added):
    other = write_atlas(
        added / "other", KEEPS, atlas_id="com.example.other", actions=[], policies=[], tests=[]
    )
    before = written(added)

    assert "would add: com.example.other" in answer(added, "atlas", "add", other, "--dry-run")
    assert "would remove" in answer(added, "atlas", "remove", "com.example.desk", "--dry-run")
    assert answer(added, "atlas", "create", "more", "--dry-run").startswith("Would create: ")
    assert written(added) == before
    assert not (added / "more").exists()


def test_the_configuration_keeps_what_else_it_holds_and_its_form(project, desk):
    path = project / "cra.config.json"
    path.write_text('{"trace": {"retention_days": 7},\n "agents": {"büro": {"roles": ["x"]}}}')
    answer(project, "atlas", "add", desk, "--yes")

    assert path.read_text() == (
        '{\n  "trace": {\n    "retention_days": 7\n  },\n  "agents": {\n    "büro": {\n'
        '      "roles": [\n        "x"\n      ]\n    }\n  },\n  "atlases": [\n'
        '    "atlases/desk"\n  ]\n}\n'
    )


def test_an_atlas_is_named_from_where_the_user_stands(project, desk, tmp_path):
    outside = write_atlas(
        tmp_path / "far", atlas_id="com.example.far", actions=[], policies=[], tests=[]
    )
    answer(project / "atlases", "atlas", "add", "desk", "--yes")
    answer(desk, "atlas", "add", "../../../far", "--yes")
    config = json.loads((project / "cra.config.json").read_text())

    assert config["atlases"] == ["atlases/desk", "../far"]
    answer(project, "atlas", "remove", "com.example.far", "--yes")
    answer(project, "atlas", "add", outside, "--yes")
    config = json.loads((project / "cra.config.json").read_text())
    assert config["atlases"] == ["atlases/desk", str(outside)]


def test_a_project_is_reached_through_a_link_as_well(project, desk, tmp_path):
    (tmp_path / "deep").mkdir()
    link = tmp_path / "deep" / "link"
    link.symlink_to(project)
    answer(tmp_path, "atlas", "add", desk, "--yes", "--project", link)

    assert json.loads((project / "cra.config.json").read_text())["atlases"] == ["atlases/desk"]
    answer(project, "atlas", "list")


def test_a_path_that_is_no_text_is_refused(project):
    place = write_atlas(Path(os.fsdecode(os.fsencode(project) + b"/\xff")))
    said = cra(project, "atlas", "add", place, "--yes")

    assert said.returncode == 2
    assert "a path in UTF-8" in said.stderr
    assert written(project)[1] is None


def test_what_a_users_own_file_lists_stays_in_force(project, desk, tmp_path):
    own = user_dirs().config_file
    own.parent.mkdir(parents=True)
    own.write_text(json.dumps({"atlases": [{"path": str(desk), "auto_load": False}]}))
    answer(project, "atlas", "lock", "--yes")
    empty = {"actions": [], "policies": [], "tests": []}
    far = write_atlas(tmp_path / "far", atlas_id="com.example.far", **empty)
    answer(project, "atlas", "add", far, "--yes")

    rows = facts(project, "atlas", "list")["atlases"]
    assert [(row["atlas_id"], row["auto_load"]) for row in rows] == [
        ("com.example.desk", False),
        ("com.example.far", True),
    ]


def test_adding_again_does_nothing_and_adding_another_of_the_id_is_refused(added, desk):
    before = written(added)
    said = answer(added, "atlas", "add", desk)
    other = shutil.copytree(desk, added / "copy")
    refused = cra(added, "atlas", "add", other, "--yes")

    assert said.splitlines()[-1].startswith("nothing to do")
    assert refused.returncode == 2
    assert "fix: cra atlas remove com.example.desk" in refused.stderr
    write_atlas(desk, version="2.0.0")
    changed = cra(added, "atlas", "add", desk, "--yes")
    assert changed.returncode == 2
    assert "fix: cra atlas lock" in changed.stderr
    assert written(added) == before


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"atlas_id": "com.example.twin"}, "each action in one atlas"),
        ({"atlas_id": "com.example.x", "actions": [], "tests": []}, "each policy_id once"),
        (
            {
                "atlas_id": "com.example.x",
                "actions": [],
                "policies": [],
                "tests": [],
                "dependencies": {"com.example.desk": "^2.0.0"},
            },
            "com.example.desk ^2.0.0",
        ),
        ({"version": "one"}, "a version like"),
    ],
)
def test_an_atlas_that_does_not_fit_the_project_is_not_added(added, changes, words):
    before = written(added)
    other = write_atlas(added / "other", **changes)
    said = cra(added, "atlas", "add", other, "--yes")

    assert said.returncode == 2
    assert words in said.stderr
    assert written(added) == before


def test_a_directory_around_the_project_is_no_atlas_of_it(project):
    write_atlas(project)
    said = cra(project, "atlas", "add", ".", "--yes")

    assert said.returncode == 2
    assert "a directory of its own" in said.stderr


def test_an_addition_that_was_cut_short_is_finished_by_asking_again(added, desk):
    config = added / "cra.config.json"
    whole = config.read_bytes()
    config.write_text("{}")
    assert cra(added, "atlas", "list").returncode == 2
    answer(added, "atlas", "add", desk, "--yes")
    assert facts(added, "atlas", "list")["atlases"][0]["atlas_id"] == "com.example.desk"
    config.write_bytes(whole)
    (added / "cra.atlases.lock").unlink()
    answer(added, "atlas", "add", desk, "--yes")

    assert json.loads(config.read_text())["atlases"] == ["atlases/desk"]
    answer(added, "atlas", "list")


# Looking.


def test_the_atlases_of_a_project_are_listed_and_shown(added):
    listed = facts(added, "atlas", "list")
    shown = facts(added, "atlas", "show", "com.example.desk")
    printed = answer(added, "atlas", "show", "com.example.desk")

    assert [row["atlas_id"] for row in listed["atlases"]] == ["com.example.desk"]
    assert listed["atlases"][0]["digest"] == shown["digest"]
    assert shown["grants"] == ["ticket.find"]
    assert shown["reach"] == ["program rm"]
    assert [rule["policy_id"] for rule in shown["policies"]] == ["desk-reads", "desk-keeps"]
    assert "ticket.find(words: string, limit?: integer) low risk, runs static" in printed
    assert "com.example.desk" in answer(added, "atlas", "list")


def test_a_rule_is_shown_with_its_conditions_and_its_limit(project, desk):
    rules = [
        {"policy_id": "all", "type": "allow"},
        {
            "policy_id": "many",
            "type": "deny",
            "actions": ["ticket.find"],
            "conditions": {
                "roles": ["guest"],
                "parameters": {"properties": {"limit": {"type": "integer", "minimum": 9}}},
            },
        },
        {
            "policy_id": "pace",
            "type": "rate_limit",
            "actions": ["ticket.find"],
            "parameters": {"max_calls": 5, "window_seconds": 60},
        },
        {"policy_id": "kept", "type": "deny", "actions": ["*.delete"]},
    ]
    write_atlas(desk, KEEPS, policies=rules, tests=[])

    said = answer(project, "atlas", "add", desk, "--yes").splitlines()
    shown = facts(project, "atlas", "show", "com.example.desk")

    assert said[said.index("  Rules:") + 1 : said.index("  Context:")] == [
        "    all: allow everything",
        "    many: deny ticket.find for the role guest, if the arguments fit",
        '      {"properties":{"limit":{"type":"integer","minimum":9}}}',
        "    pace: rate_limit ticket.find to 5 in 60 s per session",
        "    kept: deny *.delete",
    ]
    assert said[said.index("  Its own rules may allow:") + 1 :][:2] == [
        "    ticket.delete, which kept denies in any case",
        "    ticket.find",
    ]
    assert [rule["conditions"] for rule in shown["policies"]] == [
        [],
        [
            "for the role guest",
            'if the arguments fit {"properties":{"limit":{"type":"integer","minimum":9}}}',
        ],
        [],
        [],
    ]
    assert shown["grants"] == ["ticket.delete", "ticket.find"]


def test_actions_and_context_are_listed_for_all_atlases_or_one(added):
    told = facts(added, "atlas", "actions")["actions"]
    packs = facts(added, "atlas", "context", "--atlas", "com.example.desk")["context_packs"]

    assert [action["action_id"] for action in told] == ["ticket.find", "ticket.delete"]
    assert told[1]["executor"] == "process"
    assert "words limit?" in answer(added, "atlas", "actions")
    assert [(pack["pack_id"], pack["priority"]) for pack in packs] == [("guide", 3)]
    assert "How it is done" in answer(added, "atlas", "context")


@pytest.mark.parametrize(
    "arguments",
    [
        ("show", "com.example.dsk"),
        ("actions", "--atlas", "com.example.dsk"),
        ("context", "--atlas", "com.example.dsk"),
        ("remove", "com.example.dsk"),
        ("test", "com.example.dsk"),
    ],
)
def test_an_unknown_atlas_is_an_error_that_names_the_nearest(added, arguments):
    said = cra(added, "atlas", *arguments)

    assert said.returncode == 2
    assert "did you mean com.example.desk?" in said.stderr


def test_a_project_without_atlases_says_how_to_get_one(project):
    assert "cra atlas add" in cra(project, "atlas", "list").stderr
    assert facts(project, "atlas", "list")["atlases"] == []
    assert facts(project, "atlas", "actions") == {"actions": []}
    assert facts(project, "atlas", "context") == {"context_packs": []}


def test_control_characters_of_an_atlas_do_not_reach_the_terminal(project):
    place = write_atlas(project / "desk", description="x\x1b[2Jy\u202e")
    said = cra(project, "atlas", "add", place, "--dry-run")

    assert said.returncode == 0
    assert "\x1b" not in said.stdout
    assert "x\\x1b[2Jy\\u202e" in said.stdout


def test_an_atlas_with_a_mistake_in_its_scenarios_is_not_added(project, desk):
    write_atlas(desk, {**KEEPS, "call": {"action": "ticket.delet"}})
    refused = cra(project, "atlas", "add", desk, "--yes")

    assert refused.returncode == 2
    assert "scenarios.json" in refused.stderr
    assert "nearest: ticket.delete" in refused.stderr
    assert facts(project, "atlas", "list")["atlases"] == []


def test_the_steps_after_an_atlas_was_made_can_be_pasted(project):
    made = facts(project, "atlas", "create", "Bad Name")

    assert made["next"][0] == "cra atlas validate 'Bad Name'"


def test_the_atlas_that_asks_is_not_the_nearest_to_the_one_that_is_missing(project, desk):
    write_atlas(desk, dependencies={"com.example.desks": "^1.0"})
    refused = cra(project, "atlas", "add", desk, "--yes")

    assert "no such atlas in the project" in refused.stderr
    assert "nearest" not in refused.stderr


def test_an_action_of_an_atlas_on_request_says_how_it_is_resolved(added):
    path = added / "cra.config.json"
    config = json.loads(path.read_text())
    entry = {"path": config["atlases"][0], "auto_load": False}
    path.write_text(json.dumps({**config, "atlases": [entry]}))
    cra(added, "session", "start")
    denied = cra(added, "execute", "ticket.find", "--param", "words=x")
    told = cra(added, "explain", "--session", "last")

    command = 'cra resolve --goal "…" --atlas com.example.desk'
    assert command in denied.stderr
    assert command in " ".join(told.stdout.split())
    answer(added, *command.replace('"…"', "find").split()[1:])
    assert cra(added, "execute", "ticket.find", "--param", "words=x").returncode == 0


def test_an_atlas_without_an_allow_rule_is_warned_of(project, desk):
    write_atlas(desk, KEEPS, policies=DESK["policies"][1:], tests=[])
    said = cra(project, "atlas", "validate", desk)
    told = facts(project, "atlas", "validate", desk)

    words = "it has no allow rule, so nothing runs unless the project allows it"
    assert (said.returncode, told["valid"]) == (0, True)
    assert f"{desk}: warning no-allow {words}" in " ".join(said.stdout.split())
    assert [(one["kind"], one["message"]) for one in told["remarks"]] == [("no-allow", words)]
    write_atlas(desk, KEEPS, actions=[], policies=[], capabilities=[], tests=[])
    assert facts(project, "atlas", "validate", desk)["remarks"] == []


# Locking.


def test_a_changed_atlas_is_refused_until_its_change_is_accepted(added, desk):
    write_atlas(desk, **with_notes())
    refused = cra(added, "atlas", "list")
    checked = cra(added, "atlas", "lock", "--check")
    told = facts(added, "atlas", "lock", "--check")

    assert refused.returncode == 2
    assert "fix: cra atlas lock" in refused.stderr
    assert checked.returncode == 1
    for words in ("1.0.0 → 1.1.0", "now allows", "ticket.note", "host notes.example.com"):
        assert words in checked.stdout
    [row] = told["atlases"]
    assert (told["changed"], told["accepted"], row["state"]) == (True, False, "changed")
    assert row["change"]["grants_wider"] == ["ticket.note"]
    assert row["change"]["files_changed"] == ["atlas.json"]
    assert cra(added, "atlas", "lock").returncode == 2
    assert answer(added, "atlas", "lock", "--yes").endswith("\naccepted")
    assert answer(added, "atlas", "lock", "--check") == "nothing changed: 1 atlas"
    with Project.open(added) as opened:
        assert "ticket.note" in opened.snapshot.actions


def test_a_restriction_that_is_gone_is_told_before_it_is_accepted(added, desk):
    find, delete = DESK["actions"]
    shell = {"action_id": "desk.shell", "executor": {"type": "process", "command": ["sh", "-c"]}}
    write_atlas(
        desk,
        version="1.0.1",
        actions=[{**find, "risk_tier": "medium"}, delete, shell],
        policies=[{**DESK["policies"][0], "conditions": {"roles": ["clerk"]}}],
    )
    shown = " ".join(cra(added, "atlas", "lock", "--check").stdout.split())
    [row] = facts(added, "atlas", "lock", "--check")["atlases"]

    assert "rule gone desk-keeps: deny ticket.delete" in shown
    assert "desk-reads: allow ticket.find → allow ticket.find for the role clerk" in shown
    assert 'new action desk.shell: executor process, executor.command ["sh", "-c"]' in shown
    assert "action changed ticket.find: risk_tier low → medium" in shown
    assert row["change"]["rules_removed"] == {"desk-keeps": "deny ticket.delete"}
    assert row["change"]["actions_changed"] == {"ticket.find": {"risk_tier": ["low", "medium"]}}
    answer(added, "atlas", "lock", "--yes")
    write_atlas(desk, version="1.0.2", policies=DESK["policies"])
    shown = cra(added, "atlas", "lock", "--check").stdout
    assert "ticket.find: risk_tier medium → low (lower)" in shown
    assert "actions gone     desk.shell" in shown


def test_each_member_of_a_part_that_is_another_is_told_before_it_is_accepted(added, desk):
    find, delete = DESK["actions"]
    [pack] = DESK["context_packs"]
    reads, keeps = DESK["policies"]
    capability = {"capability_id": "desk.work", "name": "Work", "actions": ["ticket.find"]}
    write_atlas(
        desk,
        actions=[
            {**find, "description": "Find all", "idempotent": True},
            {**delete, "returns_schema": {"type": "null"}},
        ],
        context_packs=[{**pack, "purpose": "rules"}],
        policies=[{**reads, "reason": "it reads"}, keeps],
        capabilities=[capability],
    )
    shown = " ".join(cra(added, "atlas", "lock", "--check").stdout.split())
    [row] = facts(added, "atlas", "lock", "--check")["atlases"]

    assert (
        'rule changed desk-reads: allow ticket.find → allow ticket.find; reason "it reads"' in shown
    )
    assert "action changed ticket.find: description Find a ticket → Find all" in shown
    assert "action changed ticket.find: idempotent unstated → true" in shown
    assert 'action changed ticket.delete: returns_schema unstated → {"type": "null"}' in shown
    assert f"pack changed {pack['pack_id']}: purpose How it is done → rules" in shown
    assert 'new capability desk.work: name Work, actions ["ticket.find"]' in shown
    assert row["change"]["capabilities_added"]["desk.work"]["name"] == "Work"
    answer(added, "atlas", "lock", "--yes")
    assert answer(added, "atlas", "lock", "--check").startswith("nothing changed")
    write_atlas(desk, context_packs=[])
    shown = " ".join(cra(added, "atlas", "lock", "--check").stdout.split())
    assert f"pack gone {pack['pack_id']}" in shown
    assert "capability gone desk.work" in shown


def test_a_file_that_is_gone_is_named_once_with_what_brings_it_back(added, desk):
    code = [
        {"action_id": f"desk.{name}", "executor": f"python:run:{name}"} for name in ("a", "b", "c")
    ]
    (desk / "run.py").write_text("def a(): ...\ndef b(): ...\ndef c(): ...\n")
    write_atlas(desk, actions=[*DESK["actions"], *code])
    answer(added, "atlas", "lock", "--yes")
    (desk / "run.py").unlink()
    (desk / "new.md").write_text("new")

    refused = cra(added, "resolve", "--goal", "x")
    locking = cra(added, "atlas", "lock")

    assert "(atlases/desk): run.py is gone, new.md is new\n" in refused.stderr
    assert locking.stderr.count("run.py") == 1
    assert 'expected a file of the atlas, found "run.py", which 3 actions name' in locking.stderr
    assert "fix: bring the file back, or let the manifest name one that is there" in locking.stderr


def test_grants_that_a_person_made_fewer_stay_so_while_the_atlas_is_the_same(added):
    path = added / "cra.atlases.lock"
    lock = json.loads(path.read_text())
    lock["atlases"]["com.example.desk"]["grants"] = []
    path.write_text(json.dumps(lock))
    answer(added, "atlas", "lock", "--check")
    answer(added, "atlas", "lock", "--yes")

    assert facts(added, "atlas", "show", "com.example.desk")["grants"] == []


def test_the_lock_follows_a_configuration_that_was_edited_by_hand(added, desk):
    config = added / "cra.config.json"
    desk.rename(added / "desk")
    config.write_text('{"atlases": [{"path": "desk", "auto_load": false}]}')
    moved = facts(added, "atlas", "lock", "--yes")
    assert [row["state"] for row in moved["atlases"]] == ["moved"]
    assert facts(added, "atlas", "list")["atlases"][0]["auto_load"] is False
    config.write_text("{}")
    gone = facts(added, "atlas", "lock", "--yes")
    assert [row["state"] for row in gone["atlases"]] == ["gone"]
    assert facts(added, "atlas", "list")["atlases"] == []
    config.write_text('{"atlases": ["desk"]}')
    new = cra(added, "atlas", "lock", "--yes")

    assert new.returncode == 0
    assert "program rm" in new.stdout
    assert len(facts(added, "atlas", "list")["atlases"]) == 1


def test_a_broken_lock_is_written_anew(added):
    path = added / "cra.atlases.lock"
    whole = path.read_bytes()
    path.write_text("<<<<<<< merge")

    assert cra(added, "atlas", "list").returncode == 2
    assert cra(added, "atlas", "lock", "--check").returncode == 1
    answer(added, "atlas", "lock", "--yes")
    assert path.read_bytes() == whole


# Removing.


def test_a_removed_atlas_is_out_of_the_project_and_its_files_stay(added, desk):
    config = added / "cra.config.json"
    config.write_text('{"atlases": [{"path": "./atlases/desk", "auto_load": true}]}')
    asked = cra(added, "atlas", "remove", "com.example.desk")
    said = answer(added, "atlas", "remove", "com.example.desk", "--yes")

    assert asked.returncode == 2
    assert said == "removed: com.example.desk; its files are in atlases/desk"
    assert json.loads(config.read_text()) == {"atlases": []}
    assert facts(added, "atlas", "list")["atlases"] == []
    assert (desk / "atlas.json").is_file()


def test_an_atlas_that_another_needs_stays_until_that_one_is_gone(added):
    empty = {"actions": [], "policies": [], "tests": []}
    needs = {"atlas_id": "com.example.x", "dependencies": {"com.example.desk": "^1.0.0"}}
    answer(added, "atlas", "add", write_atlas(added / "x", **empty, **needs), "--yes")
    refused = cra(added, "atlas", "remove", "com.example.desk", "--yes")

    assert refused.returncode == 2
    assert "fix: cra atlas remove com.example.x" in refused.stderr
    answer(added, "atlas", "remove", "com.example.x", "--yes")
    answer(added, "atlas", "remove", "com.example.desk", "--yes")


def test_an_atlas_whose_files_are_lost_can_be_removed(added, desk):
    shutil.rmtree(desk)
    answer(added, "atlas", "remove", "com.example.desk", "--yes")

    assert facts(added, "atlas", "list")["atlases"] == []


# Creating.


def test_a_created_atlas_is_valid_passes_its_scenarios_is_added_and_runs(project):
    answer(project, "atlas", "create", "atlases/My Desk 2", "--id", "com.example.2nd-desk")
    place = "atlases/My Desk 2"
    assert answer(project, "atlas", "validate", place) == "valid: com.example.2nd-desk 0.1.0"
    assert answer(project, "atlas", "test", place).endswith("2 passed, 0 failed")
    answer(project, "atlas", "add", place, "--yes")

    with Project.open(project) as opened:
        session = opened.session("agent")
        [action_id] = session.resolve("count the words of a text").allowed
        assert session.execute(action_id, {"text": "a b c"}).result == {"words": 3}


def test_two_created_atlases_live_in_one_project(project):
    for name in ("one", "two"):
        answer(project, "atlas", "create", name)
        answer(project, "atlas", "add", name, "--yes")

    rows = facts(project, "atlas", "list")["atlases"]
    assert [row["atlas_id"] for row in rows] == ["local.one", "local.two"]
    assert answer(project, "atlas", "test").endswith("4 passed, 0 failed")


def test_creating_replaces_nothing(project, desk):
    before = (desk / "atlas.json").read_bytes()
    for place in (desk, desk / "atlas.json"):
        said = cra(project, "atlas", "create", place)

        assert said.returncode == 2
        assert "an empty or a new directory" in said.stderr
    assert (desk / "atlas.json").read_bytes() == before
    assert cra(project, "atlas", "create", "new", "--id", "Desk").returncode == 2
    assert not (project / "new").exists()


# Testing.


def test_scenarios_that_come_out_as_expected_pass(added):
    by_id = answer(added, "atlas", "test", "com.example.desk")

    assert by_id == (
        "atlases/desk/scenarios.json\n"
        "  passed  tickets are found\n"
        "  passed  tickets are kept\n"
        "2 passed, 0 failed"
    )
    assert answer(added, "atlas", "test", "atlases/desk") == answer(added, "atlas", "test") == by_id
    told = facts(added, "atlas", "test")
    assert (told["passed"], told["failed"]) == (2, 0)
    assert told["scenarios"][0]["atlas_id"] == "com.example.desk"


FAILURES = [
    (
        {**FINDS, "expect": {"decision": "allow"}},
        "decision: expected allow, found partial: 1 allowed, 1 denied",
    ),
    (
        {**FINDS, "expect": {"allowed": []}},
        "allowed: expected none, found ticket.find",
    ),
    (
        {**FINDS, "expect": {"denied": {"ticket.find": "desk-keeps"}}},
        "denied.ticket.find: expected desk-keeps, found it allowed",
    ),
    (
        {**FINDS, "expect": {"denied": {"ticket.delete": "desk-reads"}}},
        "denied.ticket.delete: expected desk-reads, found desk-keeps",
    ),
    (
        {**KEEPS, "expect": {"decision": "allow"}},
        "expected allow by any rule, found deny by desk-keeps: a rule denies it",
    ),
    (
        {**KEEPS, "expect": {"decision": "deny", "policy_id": "desk-reads"}},
        "expected deny by desk-reads, found deny by desk-keeps: a rule denies it",
    ),
]


@pytest.fixture(scope="module")
def failed(tmp_path_factory):
    folder = tmp_path_factory.mktemp("failed")
    write_atlas(folder / "desk", *(scenario for scenario, _ in FAILURES), KEEPS)
    said = cra(folder, "atlas", "test", "desk")
    return said, facts(folder, "atlas", "test", "desk")


@pytest.mark.parametrize("number", range(len(FAILURES)))
def test_a_scenario_that_comes_out_otherwise_fails_with_both(failed, number):
    said, told = failed
    _, problem = FAILURES[number]
    result = told["scenarios"][number]

    assert said.returncode == 1
    assert f" {problem} {result['where']} " in " ".join(said.stdout.split())
    assert said.stdout.endswith(f"1 passed, {len(FAILURES)} failed\n")
    assert result["problems"] == [problem]
    assert result["passed"] is False


def test_a_scenario_states_who_asks_and_what_the_host_knows(tmp_path):
    rule = {
        "policy_id": "desk-reads",
        "type": "allow",
        "actions": ["ticket.find"],
        "conditions": {"roles": ["reader"], "context": {"region": "eu"}},
    }
    call = {"action": "ticket.find", "parameters": {"words": "x"}}
    right = {"roles": ["reader"], "trusted_context": {"region": "eu"}}
    allowed, denied = {"decision": "allow"}, {"decision": "deny"}
    scenarios = [
        {"name": "all", **right, "call": call, "expect": allowed},
        {
            "name": "offered",
            **right,
            "resolve": FINDS["resolve"],
            "expect": {"decision": "partial"},
        },
        {"name": "no role", **right, "roles": [], "call": call, "expect": denied},
        {"name": "said by the caller", "roles": ["reader"], "expect": denied}
        | {"call": {**call, "context": {"region": "eu"}}},
        {"name": "riskier", **right, "expect": {"decision": "requires_approval"}}
        | {"call": {**call, "risk_tier": "high"}},
    ]
    write_atlas(tmp_path / "desk", *scenarios, policies=[rule, DESK["policies"][1]])

    assert answer(tmp_path, "atlas", "test", "desk").endswith("5 passed, 0 failed")


def test_an_action_without_an_executor_is_never_allowed_to_be_called(tmp_path):
    actions = [{"action_id": "ticket.find"}, DESK["actions"][1]]
    call = {"name": "x", "call": {"action": "ticket.find"}, "expect": {"decision": "deny"}}
    write_atlas(tmp_path / "desk", call, actions=actions)
    assert answer(tmp_path, "atlas", "test", "desk").endswith("1 passed, 0 failed")
    write_atlas(tmp_path / "desk", {**call, "expect": {"decision": "allow"}}, actions=actions)

    assert cra(tmp_path, "atlas", "test", "desk").returncode == 1


def test_scenarios_need_no_other_atlas_and_no_project(tmp_path):
    write_atlas(tmp_path / "desk", dependencies={"com.example.absent": "*"})

    assert answer(tmp_path, "atlas", "test", "desk").endswith("2 passed, 0 failed")


def test_scenarios_run_on_the_files_as_they_are_before_a_change_is_accepted(added, desk):
    write_atlas(desk, FINDS, version="1.0.1")

    assert answer(added, "atlas", "test").endswith("1 passed, 0 failed")


def test_a_scenario_without_what_it_expects_is_told_in_words(tmp_path):
    path = write_atlas(tmp_path / "desk", {"name": "a", "goal": "find a ticket"})
    said = cra(tmp_path, "atlas", "validate", path)

    assert "expected an expect, found none" in said.stdout


def test_a_file_that_is_no_python_is_told_once_for_all_its_actions(tmp_path):
    find, *others = DESK["actions"]
    actions = [
        {**find, "action_id": f"ticket.{name}", "executor": f"python:desk:{name}"}
        for name in ("find", "read", "note")
    ]
    path = write_atlas(tmp_path / "desk", actions=[*others, *actions])
    (path / "desk.py").write_text("def find(:")
    said = cra(tmp_path, "atlas", "validate", path)

    assert said.returncode == 2
    assert said.stdout.count("expected a file of Python, found a mistake in it") == 1


def test_an_atlas_that_is_gone_is_named_with_what_mends_it(added, desk):
    desk.rename(desk.with_name("elsewhere"))

    for command in (("resolve", "--goal", "x"), ("atlas", "lock"), ("atlas", "list")):
        said = cra(added, *command)
        assert said.returncode == 2
        assert "expected the atlas com.example.desk at " in said.stderr
        assert "fix: cra atlas remove com.example.desk, or put it there" in said.stderr
    assert cra(added, "atlas", "remove", "com.example.desk", "--yes").returncode == 0
    assert cra(added, "atlas", "list").returncode == 0


def test_without_an_argument_every_atlas_of_the_project_is_checked(added):
    nothing = {"actions": [], "policies": [], "context_packs": [], "tests": []}
    other = write_atlas(added / "atlases/other", atlas_id="com.example.other", **nothing)
    answer(added, "atlas", "add", "atlases/other", "--yes")
    fine, told = cra(added, "atlas", "validate"), facts(added, "atlas", "validate")
    (other / "atlas.json").write_text(json.dumps({**DESK, "version": 1}))
    bad, worse = cra(added, "atlas", "validate"), facts(added, "atlas", "validate")

    assert fine.returncode == 0
    assert [line for line in fine.stdout.splitlines() if line.startswith("valid: ")] == [
        "valid: com.example.desk 1.0.0",
        "valid: com.example.other 1.0.0",
    ]
    assert [one["atlas_id"] for one in told["atlases"]] == ["com.example.desk", "com.example.other"]
    assert (told["valid"], worse["valid"]) == (True, False)
    assert [one["valid"] for one in worse["atlases"]] == [True, False]
    assert bad.returncode == 2
    assert "valid: com.example.desk 1.0.0" in bad.stdout
    assert "invalid: atlases/other" in bad.stdout


@pytest.mark.parametrize("command", ["test", "validate"])
def test_an_atlas_of_the_project_is_named_by_its_id_or_the_last_part_of_it(added, command):
    for name in ("com.example.desk", "desk"):
        said = cra(added, "atlas", command, name)
        assert said.returncode == 0, said.stderr
    unknown = cra(added, "atlas", command, "com.example.desc")

    assert facts(added, "atlas", "validate", "com.example.desk") == (
        facts(added, "atlas", "validate", "desk")
    )
    assert unknown.returncode == 2
    assert "found 'com.example.desc'; did you mean com.example.desk?" in unknown.stderr
    assert "fix: cra atlas list" in unknown.stderr


def test_without_an_atlas_there_is_nothing_to_check(project):
    said = cra(project, "atlas", "validate")

    assert said.returncode == 2
    assert "expected an atlas in the project, found none\n  fix: cra atlas add PATH" in said.stderr


@pytest.mark.parametrize(
    ("place", "found", "instead"),
    [
        ("policies", "policies, which is for the project's own rules", "atlases/NAME"),
        ("policies/desk", "policies, which is for the project's own rules", "atlases/desk"),
        ("tests/policies/a", "tests/policies, which is for the tests of the pr", "atlases/a"),
        ("goldens/desk", "goldens, which is for the project's goldens", "atlases/desk"),
        ("kept/x", "kept, which is for what is recorded", "atlases/x"),
    ],
)
def test_an_atlas_is_not_begun_where_the_project_keeps_something_else(
    project, place, found, instead
):
    (project / "cra.config.json").write_text('{"trace": {"directory": "kept"}}')
    said = cra(project, "atlas", "create", place)

    assert said.returncode == 2
    assert f"expected a directory for an atlas, found {found}" in said.stderr
    assert f"fix: cra atlas create {instead}\n" in said.stderr
    assert not (project / place / "atlas.json").exists()
    answer(project, "atlas", "create", instead)


def test_a_ledger_in_the_projects_own_directory_leaves_it_to_atlases(project):
    (project / "cra.config.json").write_text('{"trace": {"directory": "."}}')

    answer(project, "atlas", "create", "desk")


@pytest.mark.parametrize("command", ["add", "validate"])
def test_a_path_where_no_atlas_is_says_so(project, command):
    said = cra(project, "atlas", command, "nosuch")

    assert said.returncode == 2
    assert "CRA-2104" in said.stderr
    assert "expected an atlas, a directory or a zip file, found nothing there" in said.stderr
    assert "fix: cra atlas create nosuch begins one" in said.stderr


def test_without_an_atlas_there_is_nothing_to_test_or_resolve(project):
    tested = cra(project, "atlas", "test")
    resolved = cra(project, "resolve", "--goal", "read a ticket")

    assert (tested.returncode, resolved.returncode) == (2, 1)
    assert "expected an atlas in the project, found none" in tested.stderr
    assert "fix: cra atlas add PATH" in tested.stderr
    assert "the project has no atlas" in resolved.stderr
    assert "next: cra atlas add PATH" in resolved.stderr


def test_no_scenarios_are_no_success(tmp_path):
    write_atlas(tmp_path / "desk", tests=[])
    said = cra(tmp_path, "atlas", "test", "desk")

    assert said.returncode == 2
    assert "expected scenarios or goldens, found none" in said.stderr


def test_the_goldens_of_an_atlas_are_its_tests_too(tmp_path):
    shutil.copytree(EXAMPLES / "support-desk", tmp_path / "desk")
    manifest = tmp_path / "desk" / "atlas.json"

    assert "desk/goldens\n  passed  printer\n" in answer(tmp_path, "atlas", "test", "desk")

    text = manifest.read_text()
    manifest.write_text(text.replace('"exclusiveMinimum": 100', '"exclusiveMinimum": 10'))
    failed = cra(tmp_path, "atlas", "test", "desk")

    assert failed.returncode == 1
    told = " ".join(failed.stdout.split())
    assert "FAILED printer breaking: refund.issue: the decision flipped: allowed" in told
    assert "now denied by refund-limit" in told
    assert not list(tmp_path.glob("**/*.new"))


def test_a_golden_of_an_atlas_that_was_changed_is_named(tmp_path):
    shutil.copytree(EXAMPLES / "hello-world", tmp_path / "hello")
    [trace] = (tmp_path / "hello" / "goldens" / "hello").glob("*.jsonl")
    trace.write_bytes(trace.read_bytes().replace(b"World", b"Wurld"))
    failed = cra(tmp_path, "atlas", "test", "hello")

    assert failed.returncode == 1
    assert "CRA-3025" in failed.stdout
