"""`cra approvals`, and what `cra execute` does with a call that waits for one."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.governed import ALLOW, rule, write_project, write_rules
from tests.program import ROOT, answer, at_terminal, cra

ASK = rule("a-person-looks", "require_approval", "ticket.note", reason="notes are public")
GOAL = "note something on a ticket"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = write_project(tmp_path / "project", ALLOW, ASK)
    answer(place, "resolve", "--goal", GOAL)
    return place


def note(place: Path) -> tuple[str, ...]:
    return "ticket.note", "--param", f"file={place.parent / 'witness'}"


def runs(place: Path) -> int:
    witness = place.parent / "witness"
    return len(witness.read_text().splitlines()) if witness.exists() else 0


def asked(place: Path) -> str:
    """Have the call asked for. Returns the approval's id."""
    pending = cra(place, "execute", *note(place), "--json")
    assert pending.returncode == 4, pending.stderr
    approval_id = json.loads(pending.stdout)["approval_id"]
    assert isinstance(approval_id, str)
    return approval_id


def listed(place: Path, *options: str) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = json.loads(answer(place, "approvals", "list", "--json", *options))
    return found


def test_a_call_that_waits_says_how_it_is_granted(place):
    pending = cra(place, "execute", *note(place))

    assert pending.returncode == 4
    assert "PENDING: notes are public (a-person-looks)" in pending.stdout
    [waiting] = listed(place)
    assert f"next: cra approvals grant {waiting['approval_id']}" in pending.stderr


def test_a_person_grants_it_and_it_runs_once(place):
    approval_id = asked(place)
    code, screen = at_terminal(place, "approvals", "grant", approval_id[:20], typed="y\n")

    assert code == 0, screen
    assert "Let it be done once? [y/N]" in screen
    assert "GRANTED: ticket.note" in screen
    assert listed(place) == []
    assert "1 of 1 uses left" in answer(place, "approvals", "show", approval_id)
    done = cra(place, "execute", "--approval", "last")
    assert done.returncode == 0, done.stderr
    assert "0 of 1 uses left" in answer(place, "approvals", "show", approval_id)
    assert runs(place) == 1
    assert cra(place, "execute", *note(place)).returncode == 4
    assert runs(place) == 1


def test_the_last_approval_that_nobody_has_granted_yet_says_how_it_is(place):
    none = cra(place, "execute", "--approval", "last")
    approval_id = asked(place)
    pending = cra(place, "execute", "--approval", "last")

    assert (none.returncode, pending.returncode) == (2, 4)
    assert "expected an approval that is granted in an open session, found none" in none.stderr
    assert "found one for ticket.note that is pending" in pending.stderr
    assert f"fix: cra approvals grant {approval_id}\n" in pending.stderr
    assert runs(place) == 0


def test_an_approver_sees_all_that_there_is_to_know(place):
    answer(place, "execute", "ticket.read", "--param", "id=4")
    asked(place)
    shown = answer(place, "approvals", "show", "last")

    for words in ("a-person-looks", "policies/rules.json:", "notes are public", GOAL, "witness",
                  "a grant binds to", "ticket.read: success", "anybody on a terminal"):  # fmt: skip
        assert words in shown
    facts = json.loads(answer(place, "approvals", "show", "last", "--json"))
    assert (facts["state"], facts["goal"], facts["before"][0]["action_id"]) == (
        "pending", GOAL, "ticket.read")  # fmt: skip


def test_a_list_has_room_for_the_arguments_of_an_agent_with_a_long_name(place):
    agent = "the-night-shift-of-the-support-desk"
    for name in ("cli", agent):
        answer(place, "resolve", "--goal", GOAL, "--agent", name)
        cra(place, "execute", *note(place), "--agent", name)

    lines = answer(place, "approvals", "list", COLUMNS="80").splitlines()
    whole = answer(place, "approvals", "list").splitlines()

    assert [line for line in lines if len(line) > 80] == []
    assert all('{"file": ' in line for line in lines[1:])
    assert agent in whole[1]
    for line in lines[1:]:
        assert answer(place, "approvals", "show", line.split()[0])


def test_the_last_approval_is_the_one_asked_for_last_whichever_session_began_last(place):
    asked(place)
    answer(place, "resolve", "--goal", GOAL, "--agent", "other")
    cra(place, "execute", *note(place), "--agent", "other")
    last = json.loads(
        cra(place, "execute", *note(place), "--param", "text=more", "--agent", "cli",
            "--json").stdout)["approval_id"]  # fmt: skip

    assert json.loads(answer(place, "approvals", "show", "last", "--json"))["approval_id"] == last
    assert listed(place)[0]["approval_id"] == last


@pytest.mark.parametrize("decision", ["grant", "deny"])
def test_nobody_decides_without_a_terminal_or_a_key(place, decision):
    asked(place)
    for words in ((), ("--reason", "yes"), ("--json",)):
        refused = cra(place, "approvals", decision, "last", *words, stdin="y\n")
        assert refused.returncode == 2
        assert "expected a person on a terminal" in refused.stderr
    assert "no such option: --yes" in cra(
        place, "approvals", decision, "last", "--yes").stderr.lower()  # fmt: skip
    assert listed(place)[0]["state"] == "pending"


def test_a_no_decides_nothing(place):
    asked(place)
    code, screen = at_terminal(place, "approvals", "grant", "last", typed="n\n")

    assert code == 1
    assert "nothing was decided" in screen
    assert listed(place)[0]["state"] == "pending"


def test_a_denial_denies_the_call(place):
    asked(place)
    code, screen = at_terminal(
        place, "approvals", "deny", "last", "--reason", "not today", typed="y\n")  # fmt: skip
    assert code == 0, screen
    denied = cra(place, "execute", *note(place))

    assert denied.returncode == 1
    assert "denied it: not today" in denied.stdout
    assert runs(place) == 0
    [found] = listed(place, "--all")
    [given] = found["decisions"]
    show = f"cra approvals show {found['approval_id']}"
    assert f"fix: {show} says who refused it, and until when" in denied.stderr
    shown = " ".join(answer(place, *show.split()[1:]).split())
    who = f"by {given['approver']['name']}, on a terminal, until {given['expires_at']}"
    assert f"denied: {who}: not today" in shown


@pytest.mark.parametrize(
    ("options", "question", "expected"),
    [
        (("--times", "2"), "2 times", [0, 0, 4]),
        (("--session",), "any number of times, until", [0, 0, 0]),
        (("--until", "30m"), "any number of times, until", [0, 0, 0]),
        (("--once", "--until", "30m"), "once, until", [0, 4, 4]),
    ],
)
def test_the_scope_of_a_grant_is_what_the_question_says(place, options, question, expected):
    asked(place)
    code, screen = at_terminal(place, "approvals", "grant", "last", *options, typed="y\n")

    assert code == 0, screen
    assert question in screen
    assert [cra(place, "execute", *note(place)).returncode for _ in expected] == expected


def test_a_grant_for_any_arguments_says_so(place):
    asked(place)
    code, screen = at_terminal(
        place, "approvals", "grant", "last", "--any-arguments", typed="y\n")  # fmt: skip
    assert code == 0, screen
    assert "with any arguments" in screen

    assert cra(place, "execute", *note(place), "--param", "text=other").returncode == 0


@pytest.mark.parametrize(
    ("options", "found"),
    [
        (("--once", "--session"), "found several"),
        (("--times", "0"), "1 to"),
        (("--until", "2020-01-01T00:00:00Z"), "a time to come"),
        (("--until", "soon"), "a duration like"),
        (("--until", "00:00:00Z"), "for tomorrow: "),
        (("--until", "999999999d"), "before the year 10000"),
    ],
)
def test_a_scope_that_cannot_be_is_refused(place, options, found):
    asked(place)
    refused = cra(place, "approvals", "grant", "last", *options)

    assert refused.returncode == 2
    assert found in refused.stderr


@pytest.mark.parametrize("name", ["last", "0192f0c1", ""])
def test_an_approval_that_is_not_there_is_named(place, name):
    missing = cra(place, "approvals", "show", name)

    assert missing.returncode == 2
    assert "error[CRA-1002]" in missing.stderr


def test_a_listed_key_grants_without_a_terminal(place, tmp_path):
    key = answer(place, "approvals", "key", tmp_path / "approver.pem")
    stranger = tmp_path / "stranger.pem"
    answer(place, "approvals", "key", stranger)
    write_rules(place, ALLOW, {**ASK, "parameters": {"approvers": [key]}})
    answer(place, "resolve", "--goal", GOAL)
    asked(place)

    refused = cra(place, "approvals", "grant", "last", "--key", stranger)
    assert (refused.returncode, "listed approver" in refused.stderr) == (2, True)
    answer(
        place, "approvals", "grant", "last", CRA_APPROVER_KEY_FILE=str(tmp_path / "approver.pem")
    )
    assert cra(place, "execute", *note(place)).returncode == 0
    assert runs(place) == 1


@pytest.mark.parametrize("decision", ["grant", "deny"])
def test_where_nobody_is_listed_the_key_of_the_environment_is_not_read_and_a_word_counts(
    place, tmp_path, decision
):
    asked(place)
    named = {"CRA_APPROVER_KEY_FILE": str(tmp_path / "missing.pem")}
    code, screen = at_terminal(place, "approvals", decision, "last", typed="y\n", **named)

    assert (code, "[y/N]" in screen) == (0, True), screen
    [given] = listed(place, "--all")[0]["decisions"]
    assert given["approver"]["how"] == "terminal"


def test_where_nobody_is_listed_a_key_that_is_stated_is_refused(place, tmp_path):
    key = tmp_path / "approver.pem"
    answer(place, "approvals", "key", key)
    asked(place)
    refused = cra(place, "approvals", "grant", "last", "--key", key)

    assert (refused.returncode, "listed approver" in refused.stderr) == (2, True)


@pytest.mark.parametrize("decision", ["grant", "deny"])
def test_where_keys_are_listed_a_person_is_not_asked_but_told_that_a_key_counts(
    place, tmp_path, decision
):
    key = answer(place, "approvals", "key", tmp_path / "approver.pem")
    write_rules(place, ALLOW, {**ASK, "parameters": {"approvers": [key]}})
    answer(place, "resolve", "--goal", GOAL)
    pending = cra(place, "execute", *note(place))
    code, screen = at_terminal(place, "approvals", decision, "last", typed="y\n")

    [waiting] = listed(place)
    assert f"next: cra approvals grant {waiting['approval_id']} --key FILE\n" in pending.stderr
    assert (code, "[y/N]" in screen, waiting["state"]) == (2, False, "pending")
    assert "only a listed key counts here" in " ".join(screen.split())


def test_a_key_is_made_once_and_can_be_read_by_its_owner_alone(place, tmp_path):
    file = tmp_path / "keys" / "approver.pem"

    assert answer(place, "approvals", "key", file) == answer(place, "approvals", "key", file)
    assert file.stat().st_mode & 0o077 == 0


def test_execute_asks_whoever_sits_at_the_terminal(place):
    code, screen = at_terminal(place, "execute", *note(place), typed="y\n")

    assert code == 0, screen
    assert "Let it be done once? [y/N]" in screen
    assert runs(place) == 1

    code, screen = at_terminal(place, "execute", *note(place), typed="\n")
    assert code == 4, screen
    assert runs(place) == 1


@pytest.mark.parametrize(
    "words", [("--wait", "60s"), ("--wait", "60"), ("--wait",), ("--wait", "--json")]
)
def test_execute_waits_for_somebody_else(place, words):
    with subprocess.Popen(
        [sys.executable, "-m", "cra", "execute", *note(place), *words],
        cwd=place, env={"PYTHONPATH": str(ROOT), "HOME": str(place)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
    ) as waiting:  # fmt: skip
        assert waiting.stderr is not None
        assert "waiting for the approval" in waiting.stderr.readline()
        code, screen = at_terminal(
            place, "approvals", "grant", "last", typed="y\n", HOME=str(place))  # fmt: skip
        assert code == 0, screen
        assert waiting.wait(60) == 0
    assert runs(place) == 1


@pytest.mark.parametrize("words", [("--wait", "1s"), ("--wait", "1"), ("--wait=1s",)])
def test_execute_waits_no_longer_than_it_says(place, words):
    pending = cra(place, "execute", *words, *note(place))

    assert pending.returncode == 4
    assert listed(place)[0]["state"] == "pending"


def test_a_wait_without_a_time_ends_when_the_approval_expires(place):
    settings = json.loads((place / "cra.config.json").read_text())
    settings.setdefault("policies", {})["approval_ttl_seconds"] = 1
    (place / "cra.config.json").write_text(json.dumps(settings))
    answer(place, "resolve", "--goal", "note a ticket")

    assert cra(place, "execute", "--wait", *note(place)).returncode == 4
    assert listed(place, "--all")[0]["state"] == "expired"


@pytest.mark.parametrize("word", ["1y", "1.5", "-1s"])
def test_a_wait_for_no_time_is_refused(place, word):
    refused = cra(place, "execute", *note(place), f"--wait={word}")

    assert refused.returncode == 2
    assert "expected a duration like 90s" in refused.stderr


def test_what_was_decided_stays_in_the_list_of_all(place):
    asked(place)
    at_terminal(place, "approvals", "grant", "last", typed="y\n")

    [found] = listed(place, "--all")
    assert (found["state"], found["decisions"][0]["decision"]) == ("granted", "granted")
    assert "granted" in answer(place, "approvals", "list", "--all")
    assert answer(place, "approvals", "list") == ""


def test_an_action_or_an_approval_is_needed(place):
    missing = cra(place, "execute")

    assert missing.returncode == 2
    assert "expected an action" in missing.stderr


# What changed since a call was asked for.


def other_rules(place: Path) -> None:
    write_rules(place, ALLOW, {**ASK, "reason": "notes are read by many"})


def test_an_approval_that_was_asked_for_under_other_rules_is_listed_as_stale(place):
    asked(place)
    other_rules(place)
    shown = cra(place, "approvals", "list")

    assert "stale" in shown.stdout
    assert "pending" not in shown.stdout
    assert "stale: what it was asked under has changed; have the call made again" in shown.stderr
    assert listed(place)[0]["state"] == "stale"
    assert json.loads(answer(place, "approvals", "show", "last", "--json"))["state"] == "stale"
    assert "have the call made again" in answer(place, "explain", "--session", "last")


def test_a_stale_approval_is_in_the_list_until_the_call_is_made_again(place):
    stale = asked(place)
    other_rules(place)
    answer(place, "resolve", "--goal", GOAL)
    again = asked(place)

    assert [(one["approval_id"], one["state"]) for one in listed(place)] == [(again, "pending")]
    states = {one["approval_id"]: one["state"] for one in listed(place, "--all")}
    assert states == {stale: "stale", again: "pending"}


def test_approvals_are_listed_where_the_project_cannot_be_read(place):
    asked(place)
    (place / "policies" / "rules.json").write_text("{")

    assert listed(place)[0]["state"] == "pending"


def test_a_stale_approval_is_refused_before_anybody_is_asked(place):
    asked(place)
    other_rules(place)
    code, screen = at_terminal(place, "approvals", "grant", "last", typed="y\n")

    assert (code, "[y/N]" in screen) == (2, False), screen
    assert "they have changed: a grant would not count" in " ".join(screen.split())
    code, screen = at_terminal(place, "approvals", "deny", "last", typed="y\n")
    assert code == 0, screen


@pytest.mark.parametrize("decision", ["grant", "deny"])
def test_what_is_decided_is_refused_before_anybody_is_asked(place, decision):
    approval_id = asked(place)
    at_terminal(place, "approvals", "deny", approval_id, typed="y\n")
    code, screen = at_terminal(place, "approvals", decision, approval_id, typed="y\n")

    assert (code, "[y/N]" in screen) == (2, False), screen
    assert "denied" in screen


def test_a_wait_ends_when_no_grant_would_count_any_more(place):
    with subprocess.Popen(
        [sys.executable, "-m", "cra", "execute", *note(place), "--wait"],
        cwd=place, env={"PYTHONPATH": str(ROOT), "HOME": str(place)}, stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, encoding="utf-8",
    ) as waiting:  # fmt: skip
        assert waiting.stderr is not None
        assert "waiting for the approval" in waiting.stderr.readline()
        other_rules(place)
        assert waiting.wait(60) == 2
        assert "a grant would not count" in waiting.stderr.read()


# What is asked.


def test_the_question_has_room_on_a_terminal_with_the_arguments_right_above_it(place):
    for _ in range(5):
        answer(place, "execute", "ticket.read", "--param", "id=4")
    _, screen = at_terminal(
        place, "execute", *note(place), "--param", "text=hello", typed="n\n", COLUMNS="80",
        LINES="24")  # fmt: skip
    lines = screen.partition("[y/N]")[0].splitlines()

    assert len(lines) <= 24, screen
    shown = " ".join(" ".join(lines).split())
    for words in ("action: ticket.note", "agent: cli", GOAL, "a-person-looks",
                  "policies/rules.json:", "notes are public", "ticket.read: success",
                  "expires at: "):  # fmt: skip
        assert words in shown
    assert [line.split(":")[0].strip() for line in lines if ":" in line][-3:] == [
        "arguments", "file", "text"]  # fmt: skip
    assert "digest" not in shown


@pytest.mark.parametrize("command", ["grant", "deny"])
def test_what_a_grant_binds_to_is_shown_on_request(place, command):
    approval_id = asked(place)
    _, short = at_terminal(place, "approvals", command, "last", typed="n\n")
    _, whole = at_terminal(place, "approvals", command, "last", "-v", typed="n\n")

    assert ("a grant binds to" in short, approval_id in short) == (False, False)
    assert ("a grant binds to" in whole, approval_id in whole) == (True, True)
    assert "a grant binds to" in answer(place, "approvals", "show", "last")
