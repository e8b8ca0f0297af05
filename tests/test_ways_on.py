"""What does not work, or is only begun, is answered with the command that leads on from there."""

from __future__ import annotations

import json

import pytest

from tests import governed
from tests.program import answer, cra


@pytest.fixture
def desk(tmp_path):
    asks = governed.rule("desk-asks", "require_approval", "ticket.close")
    denies = governed.rule("no-pay", "deny", "ticket.pay")
    return governed.write_project(tmp_path, governed.ALLOW, asks, denies)


def test_the_next_step_of_a_resolution_is_a_command_of_its_agent(desk):
    done = cra(desk, "resolve", "--agent", "the desk", "--goal", "read a ticket")
    found = answer(desk, "resolve", "--agent", "the desk", "--goal", "read a ticket", "--json")

    step = "cra execute ticket.read --param id=… --agent 'the desk'"
    assert f"next: {step}\n" in done.stderr
    assert json.loads(found)["next_steps"][0] == step
    assert cra(desk, "execute", "ticket.read", "-p", "id=4", "--agent", "the desk").returncode == 0


def test_an_agent_without_a_session_is_told_whose_are_open_and_how_to_use_one(desk):
    for agent in ("gone", "clerk", "desk"):
        answer(desk, "session", "start", "--agent", agent)
    answer(desk, "session", "end", "--agent", "gone")

    done = cra(desk, "execute", "ticket.read", "-p", "id=4")
    assert done.returncode == 2
    assert "of the agent cli, found none but of desk, clerk\n" in done.stderr
    assert "fix: to go on with that of desk, add --agent desk here; else cra res" in done.stderr
    done = cra(desk, "session", "end")
    assert "add --agent desk here; else cra session list\n" in done.stderr
    answer(desk, "session", "end", "--agent", "desk")
    answer(desk, "session", "start")
    assert "add --agent cli here; else" in cra(desk, "session", "end", "--agent", "desk").stderr


def test_what_is_no_project_is_not_refreshed(tmp_path):
    done = cra(tmp_path, "init", "--refresh")

    assert (done.returncode, list(tmp_path.iterdir())) == (2, [])
    assert "expected a project to refresh, found no cra.config.json" in done.stderr
    assert "fix: cra init\n" in done.stderr
    assert "fix: cra init 'a b'\n" in cra(tmp_path, "init", "a b", "--refresh").stderr


def test_a_goal_without_quotes_is_proposed_whole(desk):
    done = cra(desk, *["resolve", "refund", "the", "printer", "--agent", "desk"])

    assert done.returncode == 2
    assert "did you mean --goal 'refund the printer'?\n" in done.stderr
    assert "fix: cra resolve --goal 'refund the printer' --agent desk\n" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        ("atlas show", "cra atlas list"),
        ("atlas remove", "cra atlas list"),
        ("atlas add", "cra atlas create PATH makes one"),
        ("approvals grant", "cra approvals list"),
        ("trace diff last", "cra trace list"),
        ("trace redact", "cra trace show last"),
        # A fix that is an example would take away another event.
        ("trace redact last:2", "cra trace redact last:2 --reason TEXT"),
        ("golden record last", "cra golden record last --name NAME"),
    ],
)
def test_what_is_missing_is_answered_with_what_there_is_and_no_example(desk, arguments, fix):
    done = cra(desk, *arguments.split())

    assert done.returncode == 2
    assert done.stderr.endswith(f"fix: {fix}\n")


@pytest.mark.parametrize(
    ("arguments", "fix"),
    [
        ("-C a/b doctor --fix", "cra doctor -C a/b --fix"),
        ("trace -C a/b show last", "cra trace show -C a/b last"),
        ("-C a/b", "cra --help"),
    ],
)
def test_options_before_their_command_are_put_behind_it(tmp_path, arguments, fix):
    done = cra(tmp_path, *arguments.split())

    assert "a command stands before its options" in done.stderr
    assert done.stderr.endswith(f"fix: {fix}\n")


@pytest.mark.parametrize("command", ["doctor", "trace list"])
def test_a_directory_that_is_not_there_is_said_to_be_none(tmp_path, command):
    done = cra(tmp_path, *command.split(), "-C", "not here")

    assert (done.returncode, done.stdout) == (2, "")
    assert "found no such directory" in done.stderr
    assert "fix: cra init 'not here'\n" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("policy list", "cra policy check"),
        ("policy show", "cra explain RULE"),
        ("golden show", "cra golden list"),
        ("template show", "cra template list"),
        ("help policy show", "cra explain RULE"),
    ],
)
def test_a_command_that_other_groups_have_is_answered_with_what_tells_it(desk, arguments, meant):
    done = cra(desk, *arguments.split())

    assert done.returncode == 2
    assert f"did you mean {meant}?\n  fix: {meant}\n" in done.stderr


def test_an_event_beyond_the_end_is_answered_with_those_that_there_are(desk):
    session = answer(desk, "session", "start")
    done = cra(desk, "trace", "show", "last", "--seq", "5")

    assert "expected an event from 0 to 0, found 5" in done.stderr
    assert f"fix: cra trace show {session}\n" in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("atlases/desk", "fix: name another, or cra atlas validate atlases/desk for what is there"),
        ("x --from-openapi nofile", "found no such file\n  where: nofile\n  fix: name the file"),
        ("x --from-openapi old.json", "found swagger 2.0\n  where: old.json\n  fix: convert it"),
        ("x --from-docs atlases/desk/desk.py", "found a file\n  where: atlases/desk/desk.py\n"),
        ("x --from-docs atlases/desk/desk.py", "fix: --from-docs atlases/desk\n"),
        ("x --from-docs none", "found no such directory\n  where: none\n  fix: name another"),
    ],
)
def test_what_no_atlas_can_be_made_of_is_answered_with_what_can(desk, arguments, said):
    (desk / "old.json").write_text('{"swagger": "2.0"}')
    done = cra(desk, "atlas", "create", *arguments.split())

    assert done.returncode == 2
    assert said in done.stderr


def test_a_rule_is_explained_by_the_id_that_a_denial_names(desk):
    told = answer(desk, "explain", "no-pay")

    assert told.split("\n")[0] == "no-pay"
    assert "where:  policies/rules.json:1:" in told
    assert "says:   deny ticket.pay" in told
    assert "about:  ticket.pay" in told
    assert "no-pay" in cra(desk, "explain", "no-pay", "-p", "a=1").stderr


def test_a_rule_of_an_atlas_and_one_on_no_rung_are_explained_as_well(desk):
    limits = {"rate_limit": {"max_calls": 3, "window_seconds": 60}}
    manifest = json.loads((desk / "atlases/desk/atlas.json").read_text())
    manifest["actions"][0] |= limits
    manifest["policies"] = [governed.rule("ours", "deny")]
    (desk / "atlases/desk/atlas.json").write_text(json.dumps(manifest))
    hides = {"policy_id": "hides", "type": "redact", "parameters": {"patterns": ["secret"]}}
    (desk / "policies/more.json").write_text(json.dumps([hides]))
    answer(desk, "atlas", "lock", "--yes")

    [ours] = json.loads(answer(desk, "explain", "ours", "--json"))["rules"]
    assert (ours["atlas_id"], len(ours["about"])) == ("com.example.desk", 8)
    assert "rate_limit ticket.read to 3 in 60 s" in answer(
        desk, "explain", "action:ticket.read:rate"
    )
    assert "says:   redact everything" in answer(desk, "explain", "hides")


def test_an_execution_is_explained_and_shown_by_the_id_that_execute_prints(desk):
    answer(desk, "resolve", "--goal", governed.GOAL)
    made = cra(desk, "execute", "ticket.read", "-p", "id=4")
    denied = cra(desk, "execute", "ticket.pay", "-p", "file=x")
    answer(desk, "session", "end")
    answer(desk, "session", "start")
    first, second = (one.stderr.split("execution ")[1].strip() for one in (made, denied))

    [call] = json.loads(answer(desk, "explain", first, "--json"))["calls"]
    assert (call["action_id"], call["status"]) == ("ticket.read", "success")
    told = answer(desk, "explain", second.upper())
    assert "DENIED  ticket.pay" in told
    assert "ticket.read" not in told
    events = json.loads(answer(desk, "trace", "show", first, "--json"))["events"]
    assert [one["event_type"] for one in events] == ["action.approved", "action.executed"]


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("last", "fix: cra explain --session last\n"),
        ("3010", "fix: cra explain CRA-3010\n"),
        ("9999", "fix: cra atlas actions"),
        ("SESSION", "fix: cra explain --session SESSION\n"),
        ("--last", "no such option: --last; did you mean --session last?\n"),
    ],
)
def test_what_explain_takes_as_an_option_is_answered_with_that(desk, arguments, said):
    session = answer(desk, "session", "start")
    done = cra(desk, "explain", arguments.replace("SESSION", session))

    assert done.returncode == 2
    assert said.replace("SESSION", session) in done.stderr


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("ticket.read 1042", "found 1042; did you mean --param id=1042?\n"),
        ("ticket.die 1042", "found 1042; did you mean --param NAME=1042?\n"),
        ("no.action 1042", "found 1042; did you mean --param NAME=1042?\n"),
        ("ticket.read -p id", "found 'id'\n  fix: id=VALUE\n"),
        ("ticket.read -p id=1 -p id=2", "found 'id=2'\n  fix: leave one of them out\n"),
        ("ticket.read --params {}", "expected a FILE or - for stdin behind --params, found the "),
        ("ticket.read", "fix: cra execute ticket.read --param id=… --agent desk, by what cra atl"),
        ("ticket.read -p id=x", "by what cra atlas show com.example.desk says\n"),
    ],
)
def test_arguments_that_are_not_stated_rightly_are_answered_with_how(desk, arguments, said):
    answer(desk, "session", "start", "--agent", "desk")
    done = cra(desk, "execute", "--agent", "desk", *arguments.split())

    assert done.returncode == 2
    assert said in done.stderr


def test_explain_says_how_a_call_is_explained_with_its_arguments(desk):
    done = cra(desk, "explain", "ticket.read", "-p", "more=1", "--agent", "desk")

    assert "fix: cra explain ticket.read --param id=… --agent desk, by what" in done.stderr


def test_a_summary_names_the_action_of_wrong_arguments_once(desk):
    answer(desk, "session", "start")
    assert cra(desk, "execute", "ticket.read").returncode == 2

    assert "  ticket.read: id: expected a value, found none" in answer(
        desk, "trace", "show", "last"
    )


def test_a_quiet_doctor_says_what_is_not_in_order_alone(desk):
    loud = answer(desk, "doctor").split("\n")
    quiet = answer(desk, "doctor", "-q").split("\n")

    assert any(line.startswith("OK ") for line in loud)
    assert quiet[0].startswith("WARN")
    assert not any(line.startswith("OK ") for line in quiet)
    checks = json.loads(answer(desk, "doctor", "-q", "--json"))["checks"]
    assert {"OK", "WARN"} <= {check["state"] for check in checks}
