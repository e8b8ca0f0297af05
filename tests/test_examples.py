"""The examples are what they say: each is valid, passes its own tests, and does what it shows."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from cra import Project
from examples.agents import loop
from tests.console import blocks, follow, follow_page, untrue
from tests.program import ROOT, answer, at_terminal, cra

EXAMPLES = ROOT / "examples"
ATLASES = sorted(path.parent for path in EXAMPLES.glob("atlases/*/atlas.json"))
of_each_atlas = pytest.mark.parametrize("atlas", ATLASES, ids=lambda path: path.name)

# What each page leads through, from an empty directory to a proof.
JOURNEY = ["init", "atlas add", "resolve", "execute", "trace verify", "atlas test", "policy test"]


@of_each_atlas
def test_an_example_passes_its_own_scenarios(tmp_path, atlas):
    found = json.loads(answer(tmp_path, "atlas", "test", atlas, "--json"))

    assert found["failed"] == 0
    assert found["passed"] >= 2


@of_each_atlas
def test_an_example_has_no_warning(tmp_path, atlas):
    found = json.loads(answer(tmp_path, "atlas", "validate", atlas, "--json"))

    assert found["warnings"] == []


@of_each_atlas
def test_the_page_of_an_example_is_true(tmp_path, atlas):
    """Output that is shown is what comes, and the exit code is 0 unless another is stated."""
    page = (atlas / "README.md").read_text()

    assert untrue(follow_page(tmp_path, page)) == []


@of_each_atlas
def test_the_page_of_an_example_leads_the_whole_way(atlas):
    """One execution with a result, one denied by a rule that has a name."""
    commands = "\n".join(blocks((atlas / "README.md").read_text(), "console"))

    assert [step for step in JOURNEY if f"\n$ cra {step}" not in f"\n{commands}"] == []
    assert re.search(r"^\$ cra execute [^#\n]*\n[{\"]", commands, re.MULTILINE)
    assert re.search(r"^DENIED: .* \([a-z-]+\)$", commands, re.MULTILINE)


def added(place: Path, name: str, *how: str) -> Path:
    """A project with one of the examples."""
    shutil.copytree(EXAMPLES / "atlases" / name, place / name)
    answer(place, "init", *how)
    answer(place, "atlas", "add", name, "--yes")
    return place


def test_the_desk_is_one_file_of_the_project_wherever_its_commands_are_run(tmp_path):
    shop = added(tmp_path, "support-desk")
    answer(shop, "resolve", "--goal", "answer the ticket about the printer")
    answer(shop / "support-desk", "execute", "ticket.close", "--param", "id=1042")

    [ticket] = json.loads(answer(shop, "execute", "ticket.list"))

    assert ticket["id"] == 1043
    assert list(shop.rglob("desk.db")) == [shop / "desk.db"]


@pytest.fixture
def copy(tmp_path):
    """A copy of the examples: their programs take what they need from beside them."""
    shutil.copytree(EXAMPLES, tmp_path / "examples")
    return tmp_path


def test_every_program_of_the_examples_is_run_here():
    programs = {
        f"$ python examples/{path.relative_to(EXAMPLES)}"
        for path in EXAMPLES.rglob("*.py")
        if not path.is_relative_to(EXAMPLES / "atlases")
    }

    assert len(programs) >= 3
    assert {one for one in programs if one not in Path(__file__).read_text()} == set()


def test_the_governed_script_packs_nothing_without_a_rule(copy):
    [ran] = follow(added(copy, "support-desk"), "$ python examples/governed_script.py\n")

    denied, fix = ran.done.stdout.splitlines()[-2:]
    assert denied == "not packed: parcel.pack: no rule allows it (default:no-rule-allows)"
    assert fix.startswith("  fix: add to the project's policies: {")


def test_the_demo_tells_its_story_to_the_end(copy):
    [told] = follow(copy, "$ python examples/demo.py\n")

    assert (told.done.returncode, told.done.stderr.count("Traceback")) == (0, 0)
    for words in ("GRANTED: refund.issue", "approval.consumed", '"$redacted":"github_token"',
                  "2 of 6 calls would be decided otherwise", "TAMPERED",
                  "passed     refunds  decide, identical\n",
                  "the decision flipped: allowed by desk-work, now"):  # fmt: skip
        assert words in told.done.stdout
    shown = [shlex.split(line[2:]) for line in told.done.stdout.splitlines() if line[:2] == "$ "]
    [resolve] = [words for words in shown if words[:2] == ["cra", "resolve"]]
    assert resolve[2:] == ["--goal", "answer the ticket about the printer and refund it"]


# The agent loop

LOOP = "$ python examples/agents/loop.py --project shop"
RESOLVED = ("carp.resolution.completed", "carp.resolution.cached")
OUTCOMES = ("action.executed", "action.failed", "action.denied")


def looped(place: Path, *options: str, script: list[dict[str, Any]] | None = None) -> list[str]:
    """The lines that the loop prints."""
    if script is not None:
        (place / "script.json").write_text(json.dumps(script))
        options = (*options, "--script", "script.json")
    [ran] = follow(place, f"{LOOP} {shlex.join(options)}\n")
    assert ran.done.returncode == 0, ran.done.stderr
    return ran.done.stdout.splitlines()


def test_the_agents_loop_says_which_file_the_model_speaks_from(copy):
    [ran] = follow(copy, "$ python examples/agents/loop.py --help\n")

    assert "a file of the model's lines" in ran.done.stdout
    assert "script.json" in ran.done.stdout


def said(lines: list[str], who: str) -> list[str]:
    return [line.removeprefix(who).lstrip() for line in lines if line.startswith(f"{who} ")]


def told(lines: list[str]) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said(lines, "told")]


def recorded(shop: Path, *types: str) -> list[dict[str, Any]]:
    """The events of the last session."""
    path = max((shop / "cra.trace").glob("0*.trace.jsonl"))
    events = [json.loads(line) for line in path.read_text().split("\n") if line]
    return [event for event in events if event["event_type"] in types]


def test_the_loop_shows_a_denial_an_approval_an_invented_tool_and_a_false_claim(copy):
    lines = looped(copy)

    found = told(lines)
    assert {
        "denied": "refunds over 100 need a person",
        "rule": "refund-limit",
        "you_may": ["ticket-reply", "ticket-read", "ticket-list"],
    } in found
    [invented] = [one for one in found if "customer.call" in one.get("denied", "")]
    assert invented["rule"] is None
    assert said(lines, "owner") == [
        'grants refund.issue {"amount": 80, "ticket": 1042}, asked by owner-sees-refunds'
    ]
    assert {"result": {"ticket": 1042, "amount": 80}} in found
    verdicts = [one.rpartition(": ")[2] for one in said(lines, "claims")]
    assert verdicts == ["recorded", "recorded", "NOT RECORDED, so it did not happen"]
    assert said(lines, "claims")[2].startswith("ticket-close ")
    assert "action.denied ticket.close by customers-close" in said(lines, "trace")
    assert (said(lines, "ended"), said(lines, "verdict")) == (["completed"], ["INTACT, L0"])
    assert Path(*said(lines, "record")).is_file()
    assert "INTACT" in answer(copy / "shop", "trace", "verify")


def test_what_the_loop_s_model_is_told_is_what_is_recorded(copy):
    found = told(looped(copy))

    expected = []
    for event in recorded(copy / "shop", *OUTCOMES):
        payload = event["payload"]
        match event["event_type"]:
            case "action.executed":
                expected.append({"result": payload["result"]})
            case "action.failed":
                expected.append({"failed": payload["error"]["message"]})
            case "action.denied":
                denied = {"denied": payload["reason"], "rule": payload["policy_id"]}
                expected.append({**denied, "you_may": found[len(expected)]["you_may"]})
    assert found == expected
    assert len(found) == 8


REFUND = {"tool": "refund-issue", "arguments": {"ticket": 1042, "amount": 80}}
REFUNDED = [{"calls": [REFUND]}, {"say": "It is refunded.", "did": [REFUND]}]


def test_the_loop_waits_for_a_person_in_another_terminal(copy):
    (copy / "script.json").write_text(json.dumps(REFUNDED))
    command = [sys.executable, "examples/agents/loop.py", "--project", "shop", "--wait", "60"]
    with subprocess.Popen(
        [*command, "--script", "script.json"], cwd=copy, stdout=subprocess.PIPE, encoding="utf-8",
        env={**os.environ, "PYTHONPATH": str(ROOT)},
    ) as running:  # fmt: skip
        assert running.stdout is not None
        lines = []
        for line in running.stdout:
            lines.append(line.rstrip("\n"))
            if line.startswith("waits "):
                words = shlex.split(line)[2:]
                code, screen = at_terminal(copy / "shop", *words, typed="y\n")
                assert code == 0, screen

    assert told(lines) == [{"result": {"ticket": 1042, "amount": 80}}]
    [granted] = recorded(copy / "shop", "approval.granted")
    assert granted["payload"]["approver"]["how"] == "terminal"


def test_a_refund_that_nobody_grants_is_none_whatever_the_model_says(copy):
    lines = looped(copy, "--wait", "0", script=REFUNDED)

    others = ["ticket-reply", "ticket-read", "ticket-list"]
    reason = "the owner sees every refund"
    assert told(lines) == [
        {"waits_for_approval": reason, "rule": "owner-sees-refunds", "you_may": others}
    ]
    [claim] = said(lines, "claims")
    assert claim.endswith(": NOT RECORDED, so it did not happen")
    assert recorded(copy / "shop", *OUTCOMES) == []


def test_what_is_claimed_twice_has_to_be_done_twice(copy):
    lines = looped(copy, script=[REFUNDED[0], {"say": "Twice.", "did": [REFUND, REFUND]}])

    verdicts = [one.rpartition(": ")[2] for one in said(lines, "claims")]
    assert verdicts == ["recorded", "NOT RECORDED, so it did not happen"]


def test_a_loop_whose_model_never_ends_is_ended_with_the_reason(copy):
    lines = looped(copy, script=[{"calls": [{"tool": "ticket-list", "arguments": {}}]}])

    assert said(lines, "ended") == ["no answer after 20 turns"]
    [ended] = recorded(copy / "shop", "session.ended")
    assert ended["payload"]["reason"] == "no answer after 20 turns"
    assert ended["payload"]["summary"]["actions"] == 20


class OtherModel:
    """One that speaks for itself: it says messages as they are, each after some seconds."""

    def __init__(self, *said: dict[str, Any], seconds: float = 0) -> None:
        self._said = iter(said)
        self._seconds = seconds
        self.seen: list[Any] = []
        self.offered: list[str] = []

    def answer(self, messages, tools, /):
        self.seen = messages
        self.offered = [tool["function"]["name"] for tool in tools]
        time.sleep(self._seconds)
        return next(self._said)


def calling(tool: str, arguments: str) -> dict[str, Any]:
    function = {"name": tool, "arguments": arguments}
    return {"role": "assistant", "tool_calls": [{"id": "one", "function": function}]}


@pytest.fixture
def shop(copy, monkeypatch):
    loop.set_up(copy)
    monkeypatch.chdir(copy)
    return copy


def test_the_loop_offers_a_model_what_the_resolution_allows_and_tells_it_what_came_of_it(shop):
    model = OtherModel(calling("ticket-list", "{}"), {"role": "assistant", "content": "Done."})
    with Project.open(shop) as project:
        session = project.session()
        words = loop.run(session, model, loop.GOAL, loop.owner)
        allowed = session.resolve(loop.GOAL).allowed

    assert words == "Done."
    assert model.offered == [one.replace(".", "-") for one in allowed]
    system, user, *_, last = model.seen[:-1]
    assert "No ticket is ever deleted." in system["content"]
    assert user == {"role": "user", "content": loop.GOAL}
    assert (last["role"], last["tool_call_id"]) == ("tool", "one")
    assert [one["id"] for one in json.loads(last["content"])["result"]] == [1042, 1043]


@pytest.mark.parametrize("arguments", ["{", '["id"]', "7", "[" * 100_000])
def test_arguments_that_are_none_are_refused_and_recorded(shop, arguments):
    model = OtherModel(calling("ticket-read", arguments), {"content": "{}"})
    with Project.open(shop) as project:
        words = loop.run(project.session(), model, loop.GOAL, loop.owner)
        assert words == "{}"

    [denied] = recorded(shop, "action.denied")
    answered = json.loads(model.seen[-2]["content"])
    assert answered["denied"] == denied["payload"]["reason"]
    assert "expected arguments by name" in answered["denied"]


@pytest.mark.parametrize(("seconds", "succeeds"), [(1, True), (0, False)])
def test_a_resolution_that_has_expired_is_asked_for_anew_once(shop, seconds, succeeds):
    config = json.loads((shop / "cra.config.json").read_text())
    config.setdefault("policies", {})["resolution_ttl_seconds"] = seconds
    (shop / "cra.config.json").write_text(json.dumps(config))
    model = OtherModel(calling("ticket-list", "{}"), {"content": ""}, seconds=seconds * 1.1)
    with Project.open(shop) as project:
        loop.run(project.session(), model, loop.GOAL, loop.owner)

    kinds = [event["event_type"] for event in recorded(shop, *OUTCOMES, *RESOLVED)]
    done = "action.executed" if succeeds else "action.denied"
    assert kinds == [RESOLVED[0], "action.denied", RESOLVED[1], done]
    answered = json.loads(model.seen[-2]["content"])
    assert ("result" in answered) is succeeds


@pytest.mark.parametrize("words", ["It is closed.", "[]", '{"say": 1, "did": [7]}', "{}"])
def test_words_that_name_nothing_are_followed_by_what_the_trace_says(shop, words, capsys):
    with Project.open(shop) as project:
        session = project.session()
        session.resolve(loop.GOAL)
        session.execute("ticket.close", {"id": 1042})
        loop.report(session, words)

    assert capsys.readouterr().out.splitlines() == [
        f"says     {words}",
        "trace    action.denied ticket.close by customers-close",
    ]


def test_no_word_of_a_model_reaches_the_terminal_as_a_command(capsys):
    loop.show("says", "done\x1b[2J\r")

    assert capsys.readouterr().out == 'says     "done\\u001b[2J\\r"\n'


@pytest.mark.parametrize(
    ("file", "before", "after", "mode"),
    [
        ("script.json", '"amount": 950', '"amount": 90', ("compare", "--trace", "last")),
        ("loop.py", "tool.replace", "tool.upper().replace", ("compare", "--trace", "last")),
        ("policies/desk.json", '"ticket.close"', '"ticket.list"', ("decide",)),
    ],
)
def test_the_golden_of_the_loop_notices_a_change_of_it(copy, file, before, after, mode):
    changed = copy / "examples" / "agents" / file
    text = changed.read_text()
    assert before in text
    changed.write_text(text.replace(before, after))
    looped(copy)
    golden = copy / "shop" / "goldens" / "agent-loop"
    shutil.copytree(EXAMPLES / "traces" / "golden" / "agent-loop", golden)

    found = cra(copy / "shop", "replay", "--mode", *mode, "-m", golden / "manifest.json")

    assert (found.returncode, "DIFFERENT  agent-loop" in found.stdout) == (1, True)


@pytest.mark.parametrize("page", ["agents", "traces/golden"])
def test_the_page_of_the_loop_is_true(tmp_path, page):
    """That of its golden replays it, and compares what the loop does now."""
    ran = follow_page(tmp_path, (EXAMPLES / page / "README.md").read_text())

    assert untrue(ran) == []
    assert len(ran) > 1


@of_each_atlas
def test_a_project_with_an_example_decides_as_its_goldens_say(
    tmp_path, monkeypatch, request, atlas
):
    project = added(tmp_path, atlas.name, "--no-sign")  # as the goldens are
    shutil.copytree(atlas / "goldens", project / "goldens")
    monkeypatch.setenv("CRA_PROJECT", str(project))
    golden = request.getfixturevalue("golden")

    for place in sorted((project / "goldens").iterdir()):
        golden.check(place.name, fail_on="minor")


@pytest.fixture
def two_goldens(tmp_path):
    """A project with two atlases and a golden of each."""
    project = added(tmp_path, "hello-world")
    shutil.copytree(EXAMPLES / "atlases" / "support-desk", project / "support-desk")
    answer(project, "atlas", "add", "support-desk", "--yes")
    for name, call in (
        ("hello-world", ("greeting.say", "-p", "name=World")),
        ("support-desk", ("ticket.list",)),
    ):
        answer(project, "resolve", "--goal", "do it", "--atlas", f"com.example.{name}")
        answer(project, "execute", *call)
        answer(project, "session", "end")
        answer(project, "golden", "record", "last", "--name", name)
    return project


@pytest.mark.parametrize(
    ("change", "mode", "verdict", "told"),
    [
        (("atlas.json", "^[A-Z ]{2,}$", "^W.*$"), "decide", ("different", "breaking"),
         "the decision flipped: allowed by greetings, now denied by no-shouting"),
        (("atlas.json", '"minLength": 1', '"maxLength": 3'), "decide", ("different", "breaking"),
         "greeting.say"),
        (("greeting.py", "Hello", "Hi"), "execute", ("different", "breaking"),
         "result is another"),
        (("greeting.py", "Hello", "Hi"), "decide", ("passed", "minor"),
         "implementation changed, not run: the code of greeting.say"),
    ],
    ids=["a rule", "a schema", "a result", "code"],
)  # fmt: skip
def test_the_one_golden_reacts_that_a_change_is_about(two_goldens, change, mode, verdict, told):
    file, before, after = change
    changed = two_goldens / "hello-world" / file
    text = changed.read_text()
    assert before in text
    changed.write_text(text.replace(before, after))
    answer(two_goldens, "atlas", "lock", "--yes")

    found = json.loads(cra(two_goldens, "replay", "--mode", mode, "--json").stdout)["goldens"]

    states = {one["name"]: (one["state"], one["compatibility"]) for one in found}
    assert states == {
        "hello-world": verdict,
        "support-desk": ("passed", "identical"),
    }
    assert told in " ".join(one["reason"] for one in found[0]["differences"])


WORKFLOWS = {
    "github": lambda jobs: [one["run"] for one in jobs["jobs"]["replay"]["steps"] if "run" in one],
    "gitlab": lambda jobs: jobs["replay"]["script"],
}


@pytest.fixture
def guarded(tmp_path):
    """A project with a golden, in a repository on a branch that its commands are told of."""
    desk = added(tmp_path, "support-desk")
    answer(desk, "resolve", "--goal", "refund the ticket about the printer")
    answer(desk, "execute", "refund.issue", "-p", "ticket=1042", "-p", "amount=40")
    answer(desk, "golden", "record", "last", "--name", "refunds")
    git(desk, "init", "--quiet")
    git(desk, "add", "goldens", ".gitattributes")
    who = ("-c", "user.name=A Tester", "-c", "user.email=tester@example.com")
    git(desk, *who, "commit", "--quiet", "-m", "goldens")
    git(desk, "update-ref", "refs/remotes/origin/main", "HEAD")
    return desk


@pytest.mark.parametrize("name", WORKFLOWS)
def test_a_workflow_replays_the_goldens_and_keeps_the_report(guarded, monkeypatch, name):
    text = (EXAMPLES / "ci" / f"{name}.yml").read_text()
    workflow = yaml.safe_load(text)
    commands = [line for line in WORKFLOWS[name](workflow) if line.startswith("cra ")]
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("GITHUB_ACTIONS", "true" if name == "github" else "false")
    monkeypatch.setenv("GITHUB_BASE_REF", "main")
    monkeypatch.setenv("CI_MERGE_REQUEST_DIFF_BASE_SHA", git(guarded, "rev-parse", "HEAD").strip())

    [passed] = follow(guarded, *(f"$ {line}\n" for line in commands))
    rule = {"policy_id": "no-refunds", "type": "deny", "actions": ["refund.issue"]}
    (guarded / "policies").mkdir()
    (guarded / "policies" / "refunds.json").write_text(json.dumps(rule))
    [failed] = follow(guarded, *(f"$ {line}\n" for line in commands))

    assert (passed.done.returncode, failed.done.returncode) == (0, 1)
    assert ("::error file=goldens/refunds/" in failed.done.stderr) is (name == "github")
    assert 'failures="1"' in (guarded / "report.xml").read_text()
    assert text.count("report.xml") > 1
    assert not (guarded / "goldens" / "refunds.new").exists()


def test_an_action_of_a_workflow_is_pinned_to_a_major_version():
    workflow = yaml.safe_load((EXAMPLES / "ci" / "github.yml").read_text())
    used = [step["uses"] for step in workflow["jobs"]["replay"]["steps"] if "uses" in step]

    assert len(used) == 3
    assert [one for one in used if not re.fullmatch(r"actions/[a-z-]+@v[0-9]+", one)] == []


@pytest.fixture
def repository(tmp_path):
    page = (EXAMPLES / "atlases" / "devops" / "README.md").read_text()
    follow(tmp_path, blocks(page, "console")[0].partition("$ cra init")[0])
    return added(tmp_path, "devops")


def git(place: Path, *arguments: str) -> str:
    return subprocess.run(
        ["git", *arguments], cwd=place, check=True, capture_output=True, text=True
    ).stdout


def test_an_agent_commits_on_its_own_branch_and_changes_no_other(repository):
    begun = git(repository, "rev-parse", "main")
    (repository / "notes.txt").write_text("Water the plants.")
    with Project.open(repository) as project:
        session = project.session()
        session.resolve("commit the change of the notes on a branch")

        for action_id, arguments in [
            ("git.branch.create", {"name": "agent/plants"}),
            ("git.add", {"path": "notes.txt"}),
            ("git.commit", {"message": "Remember the plants; echo $(id)"}),
        ]:
            assert session.execute(action_id, arguments).status == "success"

    assert git(repository, "log", "-1", "--format=%an: %s", "agent/plants") == (
        "An agent: Remember the plants; echo $(id)\n"
    )
    assert git(repository, "rev-parse", "main", "agent/plants~1") == begun * 2


@pytest.mark.parametrize(
    ("action_id", "arguments"),
    [
        ("git.diff", {"path": "--output=notes.txt"}),
        ("git.add", {"path": "--force"}),
        ("git.commit", {"message": "--amend --no-edit"}),
    ],
)
def test_no_argument_of_an_agent_becomes_an_option_of_git(repository, action_id, arguments):
    with Project.open(repository) as project:
        session = project.session()
        session.resolve("commit the change of the notes on a branch")

        result = session.execute(action_id, arguments)

    assert result.error is not None
    assert result.error["code"] == "refused"


@pytest.fixture
def code(tmp_path):
    git(tmp_path, "init", "--quiet")
    (tmp_path / "src").mkdir()
    (tmp_path / "src" / "secret.py").write_text('OPTION = "--open-files-in-pager=id"\n')
    for name in (".env", "deploy/.ENV.local", "deploy/server.pem"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("PASSWORD=--open-files-in-pager=id\n")
    return added(tmp_path, "coding-agent")


def test_a_coding_agent_searches_for_any_text_and_not_in_secrets(code):
    with Project.open(code) as project:
        session = project.session()
        session.resolve("search the code")

        found = session.execute("code.search", {"text": "--open-files-in-pager=id"}).result
        none = session.execute("code.search", {"text": "nowhere" + "-to-be-found"}).result

    lines = found["stdout"].splitlines()
    assert [line for line in lines if not line.startswith("coding-agent/")] == [
        'src/secret.py:1:OPTION = "--open-files-in-pager=id"'
    ]
    assert (none["exit_code"], none["stdout"]) == (1, "")


@pytest.mark.parametrize(
    ("action_id", "arguments", "rule"),
    [
        ("code.read", {"path": "deploy/.ENV.local"}, "secrets-stay"),
        ("code.read", {"path": "deploy/server.pem"}, "secrets-stay"),
        ("code.write", {"path": "Makefile", "content": ""}, "sources-and-tests"),
        ("code.write", {"path": "tests/POLICIES/x.json", "content": ""}, "rules-are-not-its-own"),
        ("code.delete", {"path": "src/secret.py"}, "nothing-is-deleted"),
        ("git.push", {"remote": "origin", "branch": "main"}, "nothing-leaves"),
    ],
)
def test_what_a_coding_agent_may_not_do_is_denied(code, action_id, arguments, rule):
    with Project.open(code) as project:
        session = project.session()
        session.resolve("change the code")

        result = session.execute(action_id, arguments)

    assert (result.status, result.policy_id) == ("denied", rule)


def test_a_coding_agent_writes_no_file_by_a_way_round(code):
    with Project.open(code) as project:
        session = project.session()
        session.resolve("change the code")

        result = session.execute("code.write", {"path": "src/../Makefile", "content": ""})

    assert result.error is not None
    assert result.error["code"] == "refused"
    assert not (code / "Makefile").exists()
