"""`cra resolve` and `cra execute`, run as a program: each command is a process of its own."""

from __future__ import annotations

import json
import shlex
import time
from pathlib import Path
from typing import Any

import pytest

from cra.atlas.lock import pin_of, write_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.package import read_package
from cra.cli.project import user_dirs
from cra.ledger.keys import load_key
from cra.ledger.memory import Memory
from cra.ledger.store import Ledger
from tests.governed import ALLOW, write_project
from tests.program import answer, cra

CODE = """
import os


def read(id: int):
    return {"title": "The printer is on fire", "id": id}


def close(id: int, note: str = ""):
    if id == 99:
        os._exit(99)
    if id == 13:
        raise RuntimeError("ticket 13 cannot be closed")
    with open(WITNESS, "a") as file:
        file.write(f"{id}\\n")
    return {"closed": id}
"""
TICKET = {
    "type": "object",
    "properties": {"id": {"type": "integer"}, "note": {"type": "string"}},
    "required": ["id"],
    "additionalProperties": False,
}


def manifest() -> dict[str, Any]:
    actions = [
        ("ticket.read", "Read a ticket", "low", "read"),
        ("ticket.close", "Close a ticket", "medium", "close"),
        ("ticket.delete", "Delete a ticket", "low", "close"),
        ("ticket.escalate", "Escalate a ticket", "critical", "close"),
    ]
    return {
        "atlas_version": "1.0",
        "atlas_id": "com.example.desk",
        "version": "1.0.0",
        "name": "Support desk",
        "description": "Tickets of customers",
        "actions": [
            {
                "action_id": action_id,
                "name": description,
                "description": description,
                "risk_tier": tier,
                "parameters_schema": TICKET,
                "executor": f"python:desk:{function}",
            }
            for action_id, description, tier, function in actions
        ],
        "policies": [
            {"policy_id": "desk", "type": "allow", "actions": ["ticket.*"], "reason": "daily work"},
            {
                "policy_id": "kept",
                "type": "deny",
                "actions": ["*.delete"],
                "reason": "tickets are kept",
            },
        ],
        "context_packs": [
            {"pack_id": "house", "name": "House rules", "files": ["house.md"], "priority": 1}
        ],
    }


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    atlas = folder / "atlases" / "desk"
    atlas.mkdir(parents=True)
    answer(folder, "init")
    witness = f"WITNESS = {str(tmp_path / 'witness')!r}\n"
    (atlas / "desk.py").write_text(witness + CODE)
    (atlas / "house.md").write_text("# House rules\nBe kind.\n")
    (atlas / "atlas.json").write_text(json.dumps(manifest()))
    config = json.loads((folder / "cra.config.json").read_text())
    (folder / "cra.config.json").write_text(json.dumps(config | {"atlases": ["atlases/desk"]}))
    pin(folder)
    return folder


def pin(project: Path) -> None:
    atlas = load_atlas(read_package(project / "atlases" / "desk"), "atlases/desk")
    write_lock(project, [pin_of(atlas, "atlases/desk")])


def closed(project: Path) -> list[str]:
    """The tickets that were really closed."""
    witness = project.parent / "witness"
    return witness.read_text().split() if witness.exists() else []


def types(project: Path) -> list[str]:
    shown = json.loads(answer(project, "trace", "show", "last", "--json"))
    return [event["event_type"] for event in shown["events"]]


def test_a_goal_is_resolved_to_actions_denials_and_context(project):
    said = cra(project, "resolve", "--goal", "close the ticket about the printer", "--json")

    found = json.loads(said.stdout)
    assert (said.returncode, found["decision"]["type"]) == (0, "partial")
    assert found["allowed_actions"][0]["action_id"] == "ticket.close"
    assert found["denied_actions"] == [
        {"action_id": "ticket.delete", "policy_id": "kept", "reason": "tickets are kept"}
    ]
    [block] = found["context_blocks"]
    assert block["content"] == "# House rules\nBe kind.\n"


def test_the_parts_of_a_resolution_stand_one_line_apart(project):
    with_denial = answer(project, "resolve", "--goal", "close the ticket about the printer")
    rules = json.loads((project / "atlases/desk/atlas.json").read_text())
    rules["policies"] = rules["policies"][:1]
    (project / "atlases/desk/atlas.json").write_text(json.dumps(rules))
    pin(project)
    without = answer(project, "resolve", "--goal", "close the ticket about the printer")

    assert "\n\ndenied" in with_denial
    assert "denied" not in without
    for shown in (with_denial, without):
        assert "\n\ncontext" in shown
        assert "\n\n\n" not in shown


@pytest.mark.parametrize(
    ("goal", "share", "leads_on"),
    [
        ("read a ticket", "100 % of the goal's words are in allowed actions or the context", True),
        (
            "promises",
            "100 % of the goal's words are in the context, none in an allowed action",
            False,
        ),
        ("zzz", "0 % of the goal's words are in allowed actions or the context", False),
    ],
)
def test_a_resolution_says_of_what_its_confidence_is_a_share(tmp_path, goal, share, leads_on):
    manifest = json.loads((write_project(tmp_path, ALLOW) / "atlases/desk/atlas.json").read_text())
    pack = {"pack_id": "house", "name": "House", "files": ["house.md"], "purpose": "Promises"}
    (tmp_path / "atlases/desk/house.md").write_text("# What may be promised\n")
    manifest["context_packs"] = [pack]
    (tmp_path / "atlases/desk/atlas.json").write_text(json.dumps(manifest))
    assert cra(tmp_path, "atlas", "lock", "--yes").returncode == 0
    done = cra(tmp_path, "resolve", "--goal", goal)

    assert f"\nconfidence {share}\n" in done.stdout
    assert ("\nnext: cra execute ticket.read" in done.stderr) is leads_on
    assert ("cra help resolve" in done.stderr) is not leads_on


def test_the_help_of_resolve_says_what_relevance_and_confidence_are(tmp_path):
    told = cra(tmp_path, "help", "resolve").stdout

    assert {"relevance", "confidence", "resolve"} <= set(told.replace(",", " ").split())
    assert "environment, errors, " in cra(tmp_path, "--help").stdout
    assert ", resolve\n" in cra(tmp_path, "--help").stdout


def test_an_allowed_action_runs_and_its_intent_and_outcome_are_recorded(project):
    answer(project, "resolve", "--goal", "close a ticket")

    said = answer(project, "execute", "ticket.close", "--param", "id=4", "--json")

    assert json.loads(said)["result"] == {"closed": 4}
    assert closed(project) == ["4"]
    assert types(project)[-2:] == ["action.approved", "action.executed"]


def test_a_result_is_shown_in_its_order_and_recorded_in_the_canonical_one(project):
    answer(project, "resolve", "--goal", "read a ticket")

    said = answer(project, "execute", "ticket.read", "--param", "id=4")
    (session,) = project.glob("cra.trace/[0-9]*.trace.jsonl")

    assert list(json.loads(said)) == ["title", "id"]
    assert '"result":{"id":4,"title":' in session.read_text()


def test_a_denied_action_names_its_rule_and_does_not_run(project):
    answer(project, "resolve", "--goal", "delete a ticket")

    said = cra(project, "execute", "ticket.delete", "--param", "id=4")

    assert said.returncode == 1
    assert said.stdout == "DENIED: tickets are kept (kept)\n"
    assert closed(project) == []
    assert types(project)[-1] == "action.denied"


def test_a_critical_action_waits_for_an_approval(project):
    answer(project, "resolve", "--goal", "escalate a ticket")

    said = [cra(project, "execute", "ticket.escalate", "-p", "id=4", "--json") for _ in range(2)]

    assert [one.returncode for one in said] == [4, 4]
    first, second = (json.loads(one.stdout)["approval_id"] for one in said)
    assert first == second
    assert closed(project) == []
    assert types(project).count("approval.requested") == 1


def test_an_action_that_fails_is_said_to_have_failed(project):
    answer(project, "resolve", "--goal", "close a ticket")

    said = cra(project, "execute", "ticket.close", "-p", "id=13")

    assert said.returncode == 5
    assert "ticket 13 cannot be closed" in said.stdout
    assert types(project)[-1] == "action.failed"


def test_the_same_key_does_not_run_an_action_again(project):
    answer(project, "resolve", "--goal", "close a ticket")
    once = ("execute", "ticket.close", "-p", "id=4", "--idempotency-key", "k", "--json")

    first, second = (json.loads(answer(project, *once)) for _ in range(2))
    other = cra(project, "execute", "ticket.close", "-p", "id=5", "--idempotency-key", "k")
    action = cra(project, "execute", "ticket.read", "-p", "id=4", "--idempotency-key", "k")

    assert (first["repeated"], second["repeated"]) == (False, True)
    assert first["result"] == second["result"]
    assert closed(project) == ["4"]
    assert other.returncode == 2
    assert "found that 'k' was used for ticket.close with other arguments" in other.stderr
    assert "found that 'k' was used for another action, ticket.close" in action.stderr


def test_a_program_that_fails_shows_the_end_of_what_it_said(project):
    script = 'echo "one" >&2; echo "two" >&2; printf "no\\033[2J paper\\n\\n" >&2; exit 3'
    broken = {
        "action_id": "ticket.print",
        "name": "Print a ticket",
        "risk_tier": "low",
        "parameters_schema": {"type": "object"},
        "executor": {"type": "process", "command": ["sh", "-c", script]},
    }
    path = project / "atlases" / "desk" / "atlas.json"
    written = json.loads(path.read_text())
    path.write_text(json.dumps(written | {"actions": [*written["actions"], broken]}))
    pin(project)
    answer(project, "resolve", "--goal", "print a ticket")

    said = cra(project, "execute", "ticket.print")
    error = json.loads(cra(project, "execute", "ticket.print", "--json").stdout)["error"]

    assert said.returncode == 5
    assert said.stdout == "FAILED: exit_code: expected exit code 0, found 3\n"
    assert said.stderr.splitlines()[:3] == [
        "stderr: one", "stderr: two", "stderr: no\\x1b[2J paper"]  # fmt: skip
    assert error["details"]["stderr"] == "one\ntwo\nno\x1b[2J paper\n\n"


def test_a_failure_says_which_event_has_all_of_it(project):
    path = project / "atlases" / "desk" / "desk.py"
    path.write_text(path.read_text() + "\n\ndef read(id):\n    return {}[id]\n")
    pin(project)
    answer(project, "resolve", "--goal", "read a ticket")
    once = ("execute", "ticket.read", "-p", "id=4", "--idempotency-key", "once")
    first, again = (cra(project, *once) for _ in range(2))
    other = cra(project, "execute", "ticket.read", "-p", "id=4")

    assert (first.returncode, again.returncode, other.returncode) == (5, 5, 5)
    assert [one.stderr.count("next: ") for one in (first, again, other)] == [1, 1, 1]
    for one, number in ((first, 4), (again, 4), (other, 6)):
        told = one.stderr.partition("next: cra ")[2].splitlines()[0]
        command = told.removesuffix(" has all that is known of it")
        assert command.endswith(f" --seq {number}")
        shown = answer(project, *command.split())
        assert "action.failed" in shown
        assert "return {}[id]" in shown


def test_a_resolution_is_named_as_explain_names_it(project):
    answer(project, "resolve", "--goal", "read a ticket")
    read = ("execute", "ticket.read", "-p", "id=4", "--resolution")
    recorded = types(project)

    unknown = [cra(project, *read, name) for name in ("lst", "", "0192f0c1")]
    assert [said.returncode for said in unknown] == [2, 2, 2]
    assert "expected the resolution 'lst' in the session" in unknown[0].stderr
    assert types(project) == recorded

    done = json.loads(answer(project, *read, "last", "--json"))
    again = json.loads(answer(project, *read, done["resolution_id"][:20], "--json"))
    assert done["resolution_id"] == again["resolution_id"]


def test_a_dry_run_is_decided_and_recorded_and_runs_nothing(project):
    answer(project, "resolve", "--goal", "close a ticket")

    said = json.loads(
        answer(project, "execute", "ticket.close", "-p", "id=4", "--dry-run", "--json")
    )

    assert (said["status"], said["simulated"], said["result"]) == ("success", True, None)
    assert closed(project) == []


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (("ticket.clsoe", "-p", "id=4"), "did you mean ticket.close?"),
        (("ticket.close", "-p", "id=four"), 'id: expected integer, found "four"'),
        (("ticket.close",), "id"),
        (("ticket.close", "-p", "id=4", "-p", "colour=red"), "colour: expected a known key"),
        (("ticket.close", "-p", "id=4", "-p", "nte=red"), "; nearest: note"),
        (("Ticket.close", "-p", "id=4"), "expected an action of this project's atlases"),
    ],
)
def test_a_call_that_is_none_is_recorded_as_denied(project, arguments, expected):
    answer(project, "resolve", "--goal", "close a ticket")

    said = cra(project, "execute", *arguments)

    assert said.returncode == 2
    assert expected in said.stderr
    assert closed(project) == []
    assert types(project)[-1] == "action.denied"


def test_without_a_resolution_nothing_runs(project):
    answer(project, "session", "start")

    said = cra(project, "execute", "ticket.close", "-p", "id=4")

    assert said.returncode == 1
    assert "resolve a goal first" in said.stdout
    assert closed(project) == []


def test_the_environment_says_who_acts_unless_an_option_does(project):
    def said(*arguments: str, agent: str) -> Any:
        return json.loads(answer(project, *arguments, "--json", CRA_AGENT=agent))

    resolved = said("resolve", "--goal", "read a ticket", agent="desk")
    ran = said("execute", "ticket.read", "-p", "id=1", agent="desk")
    shown = said("explain", "ticket.read", agent="desk")
    other = said("explain", "ticket.read", "--agent", "other", agent="desk")
    begun = said("session", "start", agent="other")
    ended = said("session", "end", agent="other")
    listed = answer(project, "trace", "list", CRA_AGENT="other")

    assert ran["resolution_id"] == resolved["resolution_id"]
    assert (shown["agent"], other["agent"], begun["agent_id"]) == ("desk", "other", "other")
    assert ended["session_id"] == begun["session_id"]
    # What chooses among sessions does not go by it.
    assert " desk " in listed
    assert " other " in listed


@pytest.mark.parametrize("path", ["resolve", "execute", "explain", "session start", "session end"])
def test_the_help_of_an_agents_option_names_the_variable(project, path):
    told = " ".join(cra(project, *path.split(), "--help").stdout.split())

    assert "[env var: CRA_AGENT" in told
    assert "CRA_AGENT" in cra(project, "help", "environment").stdout


def test_last_is_the_session_begun_last_by_whatever_agent_and_help_says_so(project):
    first = answer(project, "session", "start", "--agent", "desk")
    last = answer(project, "session", "start", "--agent", "other")
    answer(project, "resolve", "--goal", "read a ticket", "--agent", "desk")
    shown = json.loads(answer(project, "session", "show", "last", "--json"))

    assert first != last
    assert shown["session_id"] == last
    for path in ("trace show", "session show", "session end", "execute", "explain"):
        told = " ".join(cra(project, *path.split(), "--help").stdout.split())
        assert "`last` (begun last, by any agent)" in told
    assert "the session that was begun last" in cra(project, "help", "formats").stdout


def test_without_a_session_execute_says_how_to_begin_one(project):
    said = cra(project, "execute", "ticket.close", "-p", "id=4")

    assert said.returncode == 2
    assert 'fix: cra resolve --goal "…", which starts one, or cra session start\n' in said.stderr
    another = cra(project, "execute", "ticket.close", "-p", "id=4", "--agent", "it's me")
    named = """ --agent 'it'"'"'s me'"""
    assert f'resolve --goal "…"{named}, which starts one, or cra session start{named}\n' in (
        another.stderr
    )


@pytest.mark.parametrize("command", ["session start", "resolve --goal close"])
def test_an_agent_that_no_session_can_have_is_refused_with_what_it_may_be_called(project, command):
    for agent in ("", "a" * 300):
        said = cra(project, *command.split(), "--agent", agent)

        assert (said.returncode, said.stdout) == (2, "")
        assert f"expected an agent's name of 1 to 256 characters, found {len(agent)}" in said.stderr
        assert "fix: --agent NAME" in said.stderr
    assert list((project / "cra.trace").glob("0*")) == []


def test_several_open_sessions_are_listed(project):
    ids = [answer(project, "session", "start") for _ in range(2)]

    said = cra(project, "resolve", "--goal", "close a ticket")

    assert said.returncode == 2
    assert all(session_id in said.stderr for session_id in ids)
    assert cra(project, "resolve", "--goal", "close a ticket", "--session", ids[0]).returncode == 0


def damage(project: Path, session_id: str, *, first: bool = False) -> None:
    path = project / "cra.trace" / f"{session_id}.trace.jsonl"
    path.write_bytes(
        b"garbage\n" + path.read_bytes() if first else path.read_bytes() + b"garbage\n"
    )


@pytest.mark.parametrize("first", [True, False])
def test_a_damaged_session_is_named_and_no_other_begun_or_taken_in_its_place(project, first):
    answer(project, "session", "start")
    session_id = answer(project, "session", "start")
    damage(project, session_id, first=first)

    for command in (("execute", "ticket.close", "-p", "id=4"), ("resolve", "--goal", "close")):
        said = cra(project, *command)

        assert (said.returncode, said.stdout) == (3, "")
        assert "error[CRA-3001]" in said.stderr
        assert f"{session_id}.trace.jsonl, event {0 if first else 1}\n" in said.stderr
        assert f"cra trace verify {session_id}" in said.stderr
    assert len(list((project / "cra.trace").glob("0*.trace.jsonl"))) == 2


def test_the_event_that_is_not_what_was_recorded_is_named(project):
    resolved = json.loads(answer(project, "resolve", "--goal", "close a ticket", "--json"))
    answer(project, "execute", "ticket.close", "-p", "id=4")
    path = project / "cra.trace" / f"{resolved['trace_id']}.trace.jsonl"
    *_, last = path.read_bytes().splitlines()
    path.write_bytes(path.read_bytes().replace(b'"id":4', b'"id":5'))

    said = cra(project, "execute", "ticket.close", "-p", "id=4")

    assert said.returncode == 3
    assert f"where: {path}, event {json.loads(last)['sequence'] - 1}\n" in said.stderr


def test_a_session_that_is_begun_after_a_damaged_one_is_gone_on_with(project):
    damage(project, answer(project, "session", "start"))
    damage(project, answer(project, "session", "start", "--agent", "another"))
    session_id = answer(project, "session", "start")
    answer(project, "session", "start", "--agent", "another")

    resolved = json.loads(answer(project, "resolve", "--goal", "close a ticket", "--json"))
    assert resolved["trace_id"] == session_id
    answer(project, "session", "end", session_id)
    assert cra(project, "resolve", "--goal", "close a ticket").returncode == 3


def change(project: Path, session_id: str, old: bytes, new: bytes) -> None:
    """Edit a word of what a checkpoint covers; the lines stay where they are."""
    path = project / "cra.trace" / f"{session_id}.trace.jsonl"
    path.write_bytes(path.read_bytes().replace(old, new))


def cut(project: Path, session_id: str) -> None:
    path = project / "cra.trace" / f"{session_id}.trace.jsonl"
    path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))


def resolved_in(project: Path, *arguments: str) -> str:
    said = answer(project, "resolve", "--goal", "close the red door", "--json", *arguments)
    return str(json.loads(said)["trace_id"])


@pytest.mark.parametrize(
    ("agent", "code"), [("cli", "CRA-3002"), ("it's me", "CRA-3002"), ("cli", "CRA-3010")]
)
def test_the_way_on_from_a_session_that_was_tampered_with_leads_on(project, agent, code):
    named = () if agent == "cli" else ("--agent", agent)
    session_id = resolved_in(project, *named)
    if code == "CRA-3002":
        change(project, session_id, b"red door", b"old door")
    else:
        cut(project, session_id)
    fixes = []
    for command in (
        ("resolve", "--goal", "close", *named),
        ("resolve", "--goal", "close", "--session", session_id),
        ("execute", "ticket.close", "-p", "id=4", *named),
        ("session", "end", session_id, "--force"),
    ):
        said = cra(project, *command)
        assert (said.returncode, f"error[{code}]" in said.stderr) == (3, True)
        assert f"where: {project / 'cra.trace' / session_id}.trace.jsonl" in said.stderr
        fixes.append(said.stderr.partition("fix: ")[2].rstrip())

    [fix] = set(fixes)
    verify, way_on = fix.split("; to go on without it: ")
    assert verify == f"cra trace verify {session_id}"
    began = answer(project, *shlex.split(way_on)[1:])
    assert resolved_in(project, *named) == began
    assert cra(project, "execute", "ticket.close", "-p", "id=4", *named).returncode == 0
    assert closed(project) == ["4"]


def test_a_session_that_was_tampered_with_gives_way_to_none_begun_before_it(project):
    earlier, session_id = answer(project, "session", "start"), answer(project, "session", "start")
    resolved_in(project, "--session", session_id)
    change(project, session_id, b"red door", b"old door")

    said = cra(project, "resolve", "--goal", "close")
    assert (said.returncode, earlier in said.stderr, session_id in said.stderr) == (2, True, True)
    answer(project, "session", "end", earlier)
    assert cra(project, "resolve", "--goal", "close").returncode == 3


def test_a_damaged_session_that_is_over_is_in_nobodys_way(project, monkeypatch):
    now = time.time_ns()
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: now - 7_200_000_000_000)
        signer = load_key(user_dirs().signing_key)
        ledger = Ledger(project / "cra.trace", signer=signer, memory=Memory(user_dirs().state))
        session_id = ledger.start_session("cli").id
        ledger.close()
    damage(project, session_id)

    resolved = json.loads(answer(project, "resolve", "--goal", "close a ticket", "--json"))
    assert resolved["trace_id"] != session_id


def test_an_atlas_that_changed_since_it_was_pinned_is_refused(project):
    answer(project, "resolve", "--goal", "close a ticket")
    code = project / "atlases" / "desk" / "desk.py"
    code.write_text(code.read_text() + "\n# changed\n")

    said = cra(project, "execute", "ticket.close", "-p", "id=4")

    assert said.returncode == 2
    assert "cra atlas lock" in said.stderr
    assert closed(project) == []


def test_a_resolution_of_another_snapshot_confers_nothing(project):
    answer(project, "resolve", "--goal", "close a ticket")
    code = project / "atlases" / "desk" / "desk.py"
    code.write_text(code.read_text() + "\n# changed\n")
    pin(project)

    said = cra(project, "execute", "ticket.close", "-p", "id=4")

    assert said.returncode == 1
    assert "have changed since" in said.stdout
    assert closed(project) == []


def test_an_action_that_is_allowed_since_is_denied_as_changed_and_not_as_unknown(project):
    (project / "policies").mkdir(exist_ok=True)
    rules = project / "policies" / "later.json"
    rules.write_text(
        json.dumps([{"policy_id": "not-yet", "type": "deny", "actions": ["ticket.close"]}])
    )
    answer(project, "resolve", "--goal", "close a ticket")
    rules.unlink()
    said = cra(project, "execute", "ticket.close", "-p", "id=4")
    [denied] = [
        event
        for event in json.loads(answer(project, "trace", "show", "last", "--json"))["events"]
        if event["event_type"] == "action.denied"
    ]

    assert said.returncode == 1
    for words in (said.stdout, denied["payload"]["reason"]):
        assert "the atlases, policies or settings have changed since" in words
        assert "does not contain it" not in words
    assert "fix: cra resolve --goal" in said.stderr


def test_the_events_come_first_when_they_are_asked_for(project):
    said = answer(project, "resolve", "--goal", "close a ticket", "--events")

    found = [json.loads(line) for line in said.split("\n")[:3]]
    assert [event["event_type"] for event in found] == [
        "session.started",
        "carp.request.received",
        "carp.resolution.completed",
    ]
    again = answer(project, "resolve", "--goal", "close a ticket", "--events")
    assert json.loads(again.split("\n")[0])["event_type"] == "carp.request.received"


def test_a_denied_goal_exits_1(project):
    said = cra(project, "resolve", "--goal", "close a ticket", "--capability", "none")

    assert said.returncode == 1
    assert "no atlas has the capability none" in said.stdout


def test_what_was_recorded_verifies(project):
    answer(project, "resolve", "--goal", "close a ticket")
    answer(project, "execute", "ticket.close", "-p", "id=4")

    assert cra(project, "trace", "verify", "--require", "L1").returncode == 0


def test_a_session_with_an_action_that_was_broken_off_is_ended_by_force_alone(project):
    answer(project, "resolve", "--goal", "close a ticket")
    died = cra(project, "execute", "ticket.close", "-p", "id=99")
    refused = cra(project, "session", "end")
    forced = answer(project, "session", "end", "--force")

    assert died.returncode == 99
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "ticket.close" in refused.stderr
    assert "--force" in refused.stderr
    assert forced.startswith("ended")
    shown = json.loads(answer(project, "session", "show", "last", "--json"))
    assert shown["state"] == "ended"
    assert [intent["action_id"] for intent in shown["open_intents"]] == ["ticket.close"]
    assert cra(project, "trace", "verify").returncode == 0


# What an action leaves on the terminal, and what a disk refuses afterwards


def rewrite_code(project: Path, code: str) -> None:
    close = "\n\ndef close(id, note=''):\n    return {'closed': id}\n"
    (project / "atlases" / "desk" / "desk.py").write_text(code + close)
    pin(project)
    answer(project, "resolve", "--goal", "read a ticket")


def test_what_an_action_prints_does_not_mix_with_its_result(project):
    rewrite_code(project, "def read(id):\n    print('thinking')\n    return {'id': id}\n")
    done = cra(project, "execute", "ticket.read", "--param", "id=4", "--json")

    assert json.loads(done.stdout)["result"] == {"id": 4}
    assert "thinking" in done.stderr


def test_a_result_is_not_obeyed_by_a_terminal(project):
    rewrite_code(project, "def read(id):\n    return {'a\\u009b31m': '\\u202eevil \\u2028'}\n")
    shown = answer(project, "execute", "ticket.read", "--param", "id=4")

    assert "\\u009b" in shown
    assert not {"\u009b", "\u202e", "\u2028"} & set(shown)


def test_what_has_run_is_not_said_to_be_unrecorded(project):
    """The checkpoint cannot be written any more; the session's file can."""
    code = """
from glob import glob
import os


def read(id):
    for path in glob("cra.trace/0*.checkpoint"):
        os.remove(path)
        os.makedirs(path + "/in-the-way")
    return {"id": id}
"""
    rewrite_code(project, code)
    done = cra(project, "execute", "ticket.read", "--param", "id=4")

    assert done.stdout, done.stderr
    assert json.loads(done.stdout) == {"id": 4}
    assert done.returncode == 5
    assert (
        "error[CRA-4007]: expected to keep the record of ticket.read, which has run" in done.stderr
    )
    assert "do not run it again" in done.stderr
    assert "nothing was recorded" not in done.stderr
