"""`cra explain --resolution` and `--session`: what was decided, and why, from the ledger."""

from __future__ import annotations

import json
import os
import shlex
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from cra.runtime.project import Project
from tests.governed import ALLOW, GOAL, limit, rule, write_project, write_rules
from tests.program import ROOT, answer, at_terminal, cra

ASK = rule("ask-first", "require_approval", "ticket.note", reason="notes are public")
NO = rule("no-pay", "deny", "ticket.pay", reason="by hand only")
OVER = {"properties": {"id": {"type": "integer", "minimum": 100}}, "required": ["id"]}
CAP = rule("cap", "deny", "ticket.read", conditions={"parameters": OVER})
LISTING = (
    "cra atlas actions lists those of atlases; a function that a program governs is known to it "
    "alone"
)
NONE_LEFT = {**limit("few", "session", 1), "actions": ["ticket.sort"]}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = write_project(tmp_path / "project", ALLOW, ASK, NO, CAP, NONE_LEFT)
    answer(place, "resolve", "--goal", GOAL)
    return place


def facts(place: Path, *asked: str) -> Any:
    return json.loads(answer(place, "explain", *asked, "--json"))


def actions(found: Any) -> dict[str, Any]:
    return {action["action_id"]: action for action in found["actions"]}


def calls(place: Path, name: str = "last") -> Any:
    return facts(place, "--session", name)["calls"]


def note(place: Path) -> tuple[str, ...]:
    return "ticket.note", "--param", f"file={place.parent / 'witness'}"


# A resolution


def test_a_resolution_is_told_with_the_rule_behind_each_action(place):
    found = facts(place, "--resolution", "last")

    assert (found["agent_id"], found["goal"], found["is_expired"]) == ("cli", GOAL, False)
    assert found["is_current_snapshot"] is True
    assert found["decision"]["type"] == "partial"
    told = {
        name: (one["outcome"], one["policy_id"], one["where"], one["reason"])
        for name, one in actions(found).items()
        if name in ("ticket.fail", "ticket.note", "ticket.pay")
    }
    file = "policies/rules.json:1:"
    assert {name: (*rest, where.startswith(file), why) for name, (*rest, where, why)
            in told.items()} == {
        "ticket.fail": ("allow", "desk-allows", True, "a rule allows it"),
        "ticket.note": ("requires_approval", "ask-first", True, "notes are public"),
        "ticket.pay": ("deny", "no-pay", True, "by hand only"),
    }  # fmt: skip
    later = {one["policy_id"]: (one["actions"], one["undecided"]) for one in found["constraints"]}
    assert later == {"cap": (["ticket.read"], ["parameters"]), "few": (["ticket.sort"], [])}


def test_a_resolution_of_a_project_that_changed_says_what_is_not_known_any_more(place):
    write_rules(place, ALLOW, ASK)

    found = facts(place, "--resolution", "last")
    shown = answer(place, "explain", "--resolution", "last")

    assert found["is_current_snapshot"] is False
    assert actions(found)["ticket.pay"]["where"] == "no longer there"
    assert actions(found)["ticket.fail"]["policy_id"] is None
    assert actions(found)["ticket.note"]["outcome"] == "requires_approval"
    assert "not the project's any more" in shown
    assert "    by a rule that is not recorded, and the project has changed since\n" in shown
    assert "    no-pay (no longer there): by hand only\n" in shown


def test_a_rule_that_says_otherwise_now_is_not_taken_for_the_one_that_decided(place):
    config = json.loads((place / "cra.config.json").read_text())
    config["policies"] = {"require_approval_for": ["low"]}
    (place / "cra.config.json").write_text(json.dumps(config))

    told = actions(facts(place, "--resolution", "last"))

    assert (told["ticket.fail"]["outcome"], told["ticket.fail"]["policy_id"]) == ("allow", None)


@pytest.mark.parametrize("is_ended", [False, True])
def test_a_resolution_is_found_by_the_beginning_of_its_id_in_any_session(place, is_ended):
    first = facts(place, "--resolution", "last")["resolution_id"]
    if is_ended:
        answer(place, "session", "end", "last")
    answer(place, "resolve", "--goal", "another", "--agent", "other")

    shown = answer(place, "explain", "--resolution", first[:30])
    newest = facts(place, "--resolution", "last")

    assert shown.startswith(f"resolution  {first}\n")
    assert (newest["goal"], newest["agent_id"]) == ("another", "other")


def test_the_same_answer_given_again_is_told_under_its_own_id(place):
    with Project.open(place) as project:
        session = project.session("twice")
        ids = [session.resolve("sort a ticket").resolution_id for _ in range(2)]

    one, other = (facts(place, "--resolution", name) for name in ids)

    assert one["resolution_id"] == ids[0]
    assert other["resolution_id"] == ids[1]
    assert one["actions"] == other["actions"]


def test_a_resolution_whose_answer_was_redacted_says_so(place):
    with Project.open(place) as project:
        session = project.session("twice")
        first, again = (session.resolve("sort a ticket").resolution_id for _ in range(2))
        answered = session.size - 3
        session.end()
    answer(place, "trace", "redact", f"{session.id}:{answered}", "--reason", "r", "--yes")

    assert "found none" in cra(place, "explain", "--resolution", first).stderr
    assert f"expected the answer of {again}, found it redacted" in cra(
        place, "explain", "--resolution", again).stderr  # fmt: skip


@pytest.mark.parametrize(
    ("asked", "said"),
    [
        (["--resolution", "zz"], "expected the resolution 'zz' in the ledger, found none"),
        (["--resolution", ""], "found none"),
        (["--resolution", "0"], "expected one resolution, found 2 whose id begins with 0:"),
        (["--session", "zz"], "expected the session zz, found none"),
        ([], "expected one of an action, --resolution and --session"),
        (["a.b", "--session", "last"], "expected one of an action, --resolution and --session"),
        (["--resolution", "last", "--session", "last"], "expected one of an action"),
        (["--session", "last", "--role", "x"], "with an action alone"),
        (["--resolution", "last", "--patch"], "with an action alone"),
    ],
)
def test_what_names_nothing_or_too_much_is_an_error(place, asked, said):
    answer(place, "resolve", "--goal", "another")

    done = cra(place, "explain", *asked)

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr


def test_without_a_ledger_there_is_no_resolution(tmp_path):
    place = write_project(tmp_path / "project")

    assert "expected a resolution in the ledger, found none" in cra(
        place, "explain", "--resolution", "last").stderr  # fmt: skip


def test_context_is_told_with_its_priority_and_without_its_contents(tmp_path):
    place = write_project(tmp_path / "project", ALLOW)
    atlas = place / "atlases/desk"
    (atlas / "guide.md").write_text("# Tickets\n" * 40)
    pack = {"pack_id": "guide", "name": "Guide", "purpose": "how", "files": ["guide.md"],
            "priority": 7}  # fmt: skip
    manifest = json.loads((atlas / "atlas.json").read_text()) | {"context_packs": [pack]}
    (atlas / "atlas.json").write_text(json.dumps(manifest))
    assert cra(place, "atlas", "lock", "--yes").returncode == 0
    answer(place, "resolve", "--goal", GOAL)

    (block,) = facts(place, "--resolution", "last")["context_blocks"]
    shown = answer(place, "explain", "--resolution", "last")

    assert (block["priority"], block["is_whole"], "content" in block) == (7, True, False)
    assert "guide.md: priority 7, about 100 tokens, whole;" in " ".join(shown.split())


# A session


def test_a_session_is_told_call_by_call(place):
    cra(place, "execute", "ticket.read", "-p", "id=4")
    cra(place, "execute", "ticket.fail", "-p", "why=because")
    cra(place, "execute", "ticket.pay", "-p", "file=x")
    cra(place, "execute", "ticket.read", "-p", "id=400")
    cra(place, "execute", "ticket.raed")
    cra(place, "execute", "ticket.read", "-p", "id=x")
    cra(place, "execute", "ticket.read", "-p", "id=4", "--dry-run")

    found = calls(place)

    assert [
        (one["action_id"], one["outcome"], one["policy_id"], one["status"], one["next"])
        for one in found
    ] == [
        ("ticket.read", "allow", "desk-allows", "success", None),
        ("ticket.fail", "allow", "desk-allows", "error", None),
        ("ticket.pay", "deny", "no-pay", None, "cra explain ticket.pay -p file=x"),
        ("ticket.read", "deny", "cap", None, "cra explain ticket.read -p id=400"),
        ("ticket.raed", "deny", None, None, LISTING),
        ("ticket.read", "deny", None, None, "cra explain ticket.read"),
        ("ticket.read", "allow", "desk-allows", None, None),
    ]
    assert found[1]["error"] == {"code": "exception", "message": "ValueError: because"}
    assert [one["simulated"] for one in found] == [False] * 6 + [True]
    assert [one["sequence"] for one in found] == sorted(one["sequence"] for one in found)
    assert all(
        one["where"].startswith("policies/rules.json:1:") for one in found if one["policy_id"]
    )
    shown = answer(place, "explain", "--session", "last")
    assert "  calls:       7: 3 allowed, 4 denied, 1 failed\n" in shown
    assert "      came of it: failed, exception: ValueError: because\n" in shown
    assert "      next:       cra explain ticket.read -p id=400\n" in shown


def test_arguments_that_a_governed_function_refuses_are_not_looked_for_among_those_of_atlases(
    place,
):
    code = (
        "import cra\n"
        "@cra.govern(name='desk.add')\n"
        "def add(number: int) -> int:\n"
        "    return number\n"
        "try:\n"
        "    add('x')\n"
        "except cra.ArgumentsRefused:\n"
        "    pass\n"
    )
    subprocess.run(
        [sys.executable, "-c", code],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        check=True,
        timeout=60,
    )
    listed = json.loads(answer(place, "session", "list", "--json"))["sessions"]
    newest = max(one["session_id"] for one in listed)
    (call,) = json.loads(answer(place, "explain", "--session", newest, "--json"))["calls"]

    assert (call["action_id"], call["outcome"], call["next"]) == ("desk.add", "deny", LISTING)


def test_the_command_after_a_denial_decides_the_same(place):
    cra(place, "execute", "ticket.pay", "-p", "file=it's $(late)")
    (call,) = calls(place)

    done = cra(place, *shlex.split(call["next"])[1:])

    assert done.returncode == 1
    assert "rule:      no-pay" in done.stdout


def test_a_limit_that_denied_says_until_when(place):
    for _ in range(2):
        cra(place, "execute", "ticket.sort", "--params", "-", stdin='{"items": [1]}')

    over = calls(place)[1]

    assert over["possible_at"]
    assert over["next"] == f"wait until {over['possible_at']}, or raise the maximum of few"


def test_a_call_that_waited_is_told_with_who_decided_it(place):
    cra(place, "execute", *note(place))
    (waiting,) = calls(place)
    approval_id = waiting["approval_id"]
    at_terminal(place, "approvals", "grant", "last", "--reason", "go on", typed="y\n")
    (granted,) = calls(place)
    cra(place, "execute", *note(place))

    used, done = calls(place)

    assert (waiting["approval"]["standing"], waiting["next"]) == (
        "pending", f"cra approvals grant {approval_id}")  # fmt: skip
    assert (granted["approval"]["standing"], granted["next"]) == (
        "granted", f"cra execute ticket.note --approval {approval_id}")  # fmt: skip
    assert (used["approval"]["standing"], used["next"]) == ("used up", None)
    assert (done["outcome"], done["approval_id"], done["status"]) == (
        "allow", approval_id, "success")  # fmt: skip
    (decision,) = done["approval"]["decisions"]
    assert (decision["decision"], decision["reason"]) == ("granted", "go on")
    assert decision["approver"]["how"] == "terminal"
    assert ", on a terminal: go on\n" in answer(place, "explain", "--session", "last")


def test_a_call_that_a_person_refused_says_so(place):
    cra(place, "execute", *note(place))
    at_terminal(place, "approvals", "deny", "last", "--reason", "not now", typed="y\n")
    cra(place, "execute", *note(place))

    waited, refused = calls(place)

    assert (waited["approval"]["standing"], waited["next"]) == ("denied", None)
    assert refused["outcome"] == "deny"
    assert refused["approval"]["decisions"][0]["reason"] == "not now"
    asked = waited["approval_id"]
    assert refused["next"] == f"cra approvals show {asked} says who refused it, and until when"


def test_nothing_is_left_to_do_in_a_session_that_ended(place):
    cra(place, "execute", *note(place))
    answer(place, "session", "end", "last")

    found = facts(place, "--session", "last")

    assert found["state"] == "ended"
    assert found["calls"][0]["next"] is None


def test_a_dry_run_that_would_wait_asks_nobody(place):
    cra(place, "execute", *note(place), "--dry-run")

    (call,) = calls(place)

    assert (call["outcome"], call["approval"], call["next"]) == ("requires_approval", None, None)


def test_a_call_without_a_resolution_leads_to_one(place):
    answer(place, "session", "start", "--agent", "bare")
    cra(place, "execute", "ticket.read", "-p", "id=1", "--agent", "bare")

    (call,) = calls(place)

    assert call["policy_id"] == "default:no-resolution"
    assert (call["where"], call["next"]) == (None, 'cra resolve --agent bare --goal "…"')


def test_an_action_that_stopped_the_program_left_no_outcome(place):
    cra(place, "execute", "ticket.die")

    (call,) = calls(place)

    assert call["status"] == "open"
    assert "came of it: nothing that was recorded" in answer(place, "explain", "--session", "last")


def test_a_redacted_call_keeps_its_place(place):
    cra(place, "execute", "ticket.pay", "-p", "file=x")
    answer(place, "session", "end", "last")
    sequence = calls(place)[0]["sequence"]
    session_id = facts(place, "--session", "last")["session_id"]
    answer(place, "trace", "redact", f"{session_id}:{sequence}", "--reason", "r", "--yes")

    (call,) = calls(place)

    assert (call["sequence"], call["outcome"], call["action_id"]) == (sequence, "deny", None)
    assert "DENIED  ?\n      reason:     the payload was redacted" in answer(
        place, "explain", "--session", "last")  # fmt: skip


def test_a_rule_that_is_gone_is_said_to_be(place):
    cra(place, "execute", "ticket.pay", "-p", "file=x")
    write_rules(place, ALLOW)

    assert calls(place)[0]["where"] == "no longer there"
    assert "no-pay (no longer there)" in answer(place, "explain", "--session", "last")


def test_what_was_recorded_does_not_reach_the_terminal_unescaped(place):
    answer(place, "resolve", "--goal", "read \x1b[2J this", "--agent", "odd")

    assert "\x1b" not in answer(place, "explain", "--resolution", "last")
    assert "read \\x1b[2J this" in answer(place, "explain", "--session", "last")


def test_telling_records_nothing(place):
    before = {path: path.read_bytes() for path in (place / "cra.trace").glob("*.jsonl")}

    facts(place, "--resolution", "last")
    facts(place, "--session", "last")

    assert {path: path.read_bytes() for path in (place / "cra.trace").glob("*.jsonl")} == before


@pytest.mark.parametrize("asked", ["--resolution", "--session"])
def test_a_damaged_session_is_told_as_an_error(place, asked):
    cra(place, "execute", "ticket.read", "-p", "id=4")
    session_id = facts(place, "--session", "last")["session_id"]
    path = place / "cra.trace" / f"{session_id}.trace.jsonl"
    lines = path.read_bytes().split(b"\n")
    path.write_bytes(b"\n".join([*lines[:-2], b"x" + lines[-2], lines[-1]]))

    done = cra(place, "explain", asked, "last")

    assert (done.returncode, done.stdout) == (3, "")
    assert f"expected event {len(lines) - 2}, found a line that is no JSON" in done.stderr
