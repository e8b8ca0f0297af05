"""Secrets under governance: what is found never reaches the disk, and what is equal stays equal."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cra import canonical
from cra.errors import ArgumentsRefused, ConfigError, UsageError
from cra.ledger.store import Ledger
from cra.runtime.project import Project
from cra.runtime.session import GovernedSession
from tests.governed import (
    ALLOW,
    DESK,
    MANIFEST,
    begun,
    events,
    payload_of,
    rule,
    types_since,
    write_project,
)
from tests.program import answer, cra
from tests.secrets_corpus import KEYS

TOKEN = KEYS["github_token"][0](Random(1))
OTHER = KEYS["github_token"][0](Random(2))
BY: Any = {"how": "program", "name": "reviewer"}

CODE = (
    DESK[1]["desk.py"]
    + b"""

def key():
    with open(KEY) as file:
        return file.read()


def leak(id):
    return {"id": id, "text": "the key is " + key(), "raw": key()}


def burst(id):
    raise ValueError("cannot use " + key())
"""
)


def _leaking(name: str, function: str) -> dict[str, Any]:
    read = next(one for one in MANIFEST["actions"] if one["action_id"] == "ticket.read")
    return {**read, "action_id": name, "executor": f"python:desk:{function}"}


@pytest.fixture
def desk(tmp_path: Path) -> Iterator[GovernedSession]:
    key = tmp_path / "key"
    key.write_text(TOKEN)
    actions = [
        *MANIFEST["actions"],
        _leaking("ticket.leak", "leak"),
        _leaking("ticket.burst", "burst"),
    ]
    files = {"desk.py": f"KEY = {str(key)!r}\n".encode() + CODE}
    with Project.temporary([({**MANIFEST, "actions": actions}, files)], [ALLOW]) as project:
        yield begun(project)


def on_disk(session: GovernedSession) -> bytes:
    """All that the project holds, blobs too, but for the atlas and its own secret."""
    session.barrier()
    trace = session.project.config.trace_directory
    return b"".join(path.read_bytes() for path in sorted(trace.rglob("*")) if path.is_file())


def test_an_argument_reaches_its_action_and_not_the_ledger(desk, tmp_path):
    witness = tmp_path / "witness"
    desk.execute("ticket.note", {"file": str(witness), "text": f"use {TOKEN} now"})

    assert witness.read_text() == f"use {TOKEN} now\n"
    assert TOKEN.encode() not in on_disk(desk)
    [event] = events(desk, "action.approved")
    before, marker, after = payload_of(event)["arguments"]["text"]["$text"]
    assert (before, marker["$redacted"], after) == ("use ", "github_token", " now")


@pytest.mark.parametrize("place", ["key", "nested", "json", "list"])
def test_wherever_it_stands_in_arguments_it_is_found(desk, place):
    items: dict[str, list[Any]] = {
        "key": [{TOKEN: 1}],
        "nested": [{"a": [{"b": TOKEN}]}],
        "json": [json.dumps({"header": f"Bearer {TOKEN}"})],
        "list": [TOKEN, 1],
    }
    desk.execute("ticket.sort", {"items": [json.dumps(items[place])]})
    desk.execute("ticket.sort", {"items": items[place]})

    assert TOKEN.encode() not in on_disk(desk)


def test_a_result_reaches_its_caller_and_not_the_ledger(desk):
    done = desk.execute("ticket.leak", {"id": 1})

    assert done.result["raw"] == TOKEN
    assert TOKEN.encode() not in on_disk(desk)
    [event] = events(desk, "action.executed")
    assert payload_of(event)["result"]["raw"]["$redacted"] == "github_token"


def test_a_failure_says_what_failed_and_not_the_secret(desk):
    done = desk.execute("ticket.burst", {"id": 1})

    assert done.status == "error"
    assert TOKEN.encode() not in on_disk(desk)
    [event] = events(desk, "action.failed")
    assert "cannot use [redacted github_token " in payload_of(event)["error"]["message"]


def test_a_goal_and_what_is_stated_beside_it_are_kept_out(desk):
    found = desk.resolve(f"use {TOKEN}", hints=[TOKEN], context={"key": TOKEN})

    assert found.decision == "allow"
    assert TOKEN.encode() not in on_disk(desk)


def test_a_question_a_denial_and_a_reason_are_kept_out(tmp_path):
    rules = [ALLOW, rule("asks", "require_approval", "ticket.note"),
             rule("no-sorting", "deny", "ticket.sort")]  # fmt: skip
    with Project.temporary([DESK], rules) as project:
        session = begun(project)
        call = ("ticket.note", {"file": str(tmp_path / "x"), "text": TOKEN})
        asked = session.execute(*call).approval_id
        assert asked is not None
        session.approvals.deny(asked, BY, reason=f"do not use {TOKEN}")
        session.execute(*call)
        session.execute("ticket.sort", {"items": [TOKEN]})
        session.simulate("ticket.sort", {"items": [TOKEN]})
        with pytest.raises(ArgumentsRefused):
            session.execute("ticket.sort", {"items": TOKEN})
        session.end(f"because of {TOKEN}")

        assert TOKEN.encode() not in on_disk(session)


def test_what_a_host_program_says_of_a_session_is_kept_out():
    with Project.temporary([DESK], [ALLOW]) as own:
        session = begun(own, context={"token": TOKEN, "desk": 4}, roles=["clerk"])

        assert TOKEN.encode() not in on_disk(session)
        assert session.execute("ticket.read", {"id": 1}).status == "success"
        assert session.caller.context["desk"] == 4
        assert str(session.caller.context["token"]).startswith("[redacted github_token ")


def test_a_reason_that_a_person_gives_is_kept_out(tmp_path):
    answer(tmp_path, "init", "--no-sign")
    why = f"leaked {TOKEN}"
    for number in range(2):
        answer(tmp_path, "session", "start", "--agent", f"bot-{number}")
        answer(tmp_path, "session", "end", "last", "--reason", why)
    answer(tmp_path, "trace", "redact", "last:1", "--reason", why, "--yes")
    answer(tmp_path, "trace", "prune", "--session", "last", "--reason", why, "--yes")

    files = [path.read_bytes() for path in (tmp_path / "cra.trace").rglob("*") if path.is_file()]
    assert [data for data in files if TOKEN.encode() in data] == []
    assert any(b"leaked [redacted github_token " in data for data in files)


@pytest.mark.parametrize(
    "arguments",
    [
        ("execute", "ticket.read", "-p", TOKEN),
        ("execute", "ticket.read", "-p", "id=1", "-p", f"id={TOKEN}"),
        ("execute", "ticket.read", "--params", TOKEN),
        ("execute", "ticket.read", "--session", TOKEN),
        ("execute", "ticket.read", TOKEN),
        ("execute", "ticket.read", "--approval", TOKEN, "--idempotency-key", TOKEN * 20),
        ("execute", "ticket.read", f"--{TOKEN}"),
        ("resolve", "--goal", "x", "--risk-tier", TOKEN),
        ("session", "start", "--principal", f"{TOKEN}:me"),
        ("session", "start", "--principal", TOKEN),
        ("session", "start", "--ttl", TOKEN),
        ("session", "start", "--agent", f"bot\n{TOKEN}"),
        ("trace", "show", f"{TOKEN}/x"),
        ("approvals", "show", TOKEN),
        (TOKEN,),
    ],
)
@pytest.mark.parametrize("more", [(), ("--json",), ("--verbose",)])
def test_a_mistake_on_the_command_line_repeats_no_secret(tmp_path, arguments, more):
    answer(tmp_path, "init", "--no-sign")
    answer(tmp_path, "session", "start")
    done = cra(tmp_path, *arguments, *more)

    assert done.returncode == 2
    assert done.stderr
    assert TOKEN[:12] not in done.stderr + done.stdout


def test_full_detail_keeps_it_out_too():
    config = {"trace": {"detail": "full"}}
    with Project.temporary([DESK], [ALLOW], config=config) as project:
        session = begun(project)
        session.execute("ticket.sort", {"items": [TOKEN]})

        assert "action.requested" in types_since(session, 0)
        assert TOKEN.encode() not in on_disk(session)


def test_context_is_redacted_before_the_agent_sees_it():
    packs = [{"pack_id": "rules", "name": "Rules", "files": ["a.md"], "priority": 1}]
    files = {**DESK[1], "a.md": f"Use {TOKEN} for tests.\n".encode()}
    with Project.temporary([({**MANIFEST, "context_packs": packs}, files)], [ALLOW]) as project:
        session = project.session()
        found = session.resolve("read a ticket")

        [block] = found.document["context_blocks"]
        assert block["content"].startswith("Use [redacted github_token ")
        assert TOKEN.encode() not in on_disk(session)
        [event] = events(session, "context.redacted")
        assert payload_of(event) == {
            "block_id": block["block_id"], "reason": "github_token", "count": 1}  # fmt: skip
        again = session.resolve("read a ticket")
        assert again.document["context_blocks"] == found.document["context_blocks"]


def test_equal_secrets_are_seen_to_be_equal_and_others_are_not(desk):
    for token in (TOKEN, TOKEN, OTHER):
        desk.execute("ticket.sort", {"items": [token]})
    first, second, third = (
        payload_of(event)["arguments"]["items"][0] for event in events(desk, "action.approved")
    )

    assert first == second != third
    digests = [payload_of(event)["arguments_digest"] for event in events(desk, "action.approved")]
    assert digests[0] == digests[1] != digests[2]


def test_no_caller_can_write_what_stands_for_a_secret(desk):
    desk.execute("ticket.sort", {"items": [TOKEN]})
    [event] = events(desk, "action.approved")
    forged = payload_of(event)["arguments"]["items"][0]
    desk.execute("ticket.sort", {"items": [forged]})
    genuine, other = events(desk, "action.approved")

    assert payload_of(other)["arguments"]["items"] == [
        {"$obj": [[k, v] for k, v in forged.items()]}
    ]
    assert payload_of(genuine)["arguments_digest"] != payload_of(other)["arguments_digest"]


def test_a_grant_for_one_secret_is_none_for_another(tmp_path):
    with Project.temporary([DESK], [ALLOW, rule("asks", "require_approval", "ticket.note")]) as own:
        session = begun(own)
        file = str(tmp_path / "witness")
        asked = session.execute("ticket.note", {"file": file, "text": TOKEN}).approval_id
        assert asked is not None
        session.approvals.grant(asked, BY)

        other = session.execute("ticket.note", {"file": file, "text": OTHER})
        assert other.status == "pending_approval"
        with pytest.raises(UsageError, match="found a secret in them"):
            session.approvals.arguments_of(asked)
        assert session.execute("ticket.note", {"file": file, "text": TOKEN}).status == "success"


def test_an_outcome_that_was_redacted_is_not_given_again_and_not_made_again(desk):
    desk.execute("ticket.leak", {"id": 1}, idempotency_key="k")

    with pytest.raises(UsageError, match="holds a secret, which was not recorded"):
        desk.execute("ticket.leak", {"id": 1}, idempotency_key="k")
    assert len(events(desk, "action.approved")) == 1


def test_an_idempotency_key_holds_for_arguments_with_a_secret(desk):
    first = desk.execute("ticket.sort", {"items": ["b", TOKEN]}, idempotency_key="k")
    with pytest.raises(UsageError, match="other arguments"):
        desk.execute("ticket.sort", {"items": ["b", OTHER]}, idempotency_key="k")

    assert first.status == "success"


def test_large_results_are_redacted_in_their_blobs(desk, tmp_path):
    (tmp_path / "key").write_text("x" * 100_000 + " " + TOKEN)
    desk.execute("ticket.leak", {"id": 1})

    assert TOKEN.encode() not in on_disk(desk)
    assert list(desk.project.config.trace_directory.glob("blobs/*"))


# Rules


def redacting(*actions: str, **parameters: Any) -> dict[str, Any]:
    return {"policy_id": "private", "type": "redact", "parameters": parameters,
            **({"actions": list(actions)} if actions else {})}  # fmt: skip


EMAIL = "someone" + "@" + "example.org"


@pytest.mark.parametrize(
    ("parameters", "item"),
    [
        ({"kinds": ["email"]}, EMAIL),
        ({"patterns": [r"EMP-\d{6}"]}, "EMP-123456"),
        ({"fields": ["items.salary", "salary"]}, {"salary": 70_000}),
    ],
)
def test_a_rule_redacts_what_it_names(parameters, item):
    text = canonical.encode(item).strip(b'"{}')
    with Project.temporary([DESK], [ALLOW]) as project:
        session = begun(project)
        session.execute("ticket.sort", {"items": [item]})
        assert text in on_disk(session)
    with Project.temporary([DESK], [ALLOW, redacting(**parameters)]) as project:
        session = begun(project)
        session.execute("ticket.sort", {"items": [item]})
        assert text not in on_disk(session)


def test_a_rule_is_about_its_actions_and_agents_alone():
    rules = [
        ALLOW,
        redacting("ticket.sort", kinds=["email"]) | {"conditions": {"agents": ["clerk"]}},
    ]
    with Project.temporary([DESK], rules) as project:
        for agent, is_redacted in (("clerk", True), ("agent", False)):
            session = begun(project, agent=agent)
            session.execute("ticket.sort", {"items": [EMAIL]})
            recorded = canonical.encode(payload_of(events(session, "action.approved")[0]))
            assert (EMAIL.encode() not in recorded) is is_redacted


@pytest.mark.parametrize(
    ("parameters", "found"),
    [
        ({"kinds": ["emial"]}, "email"),
        ({"patterns": ["("]}, "a regex of RE2"),
        ({"fields": ["a..b"]}, "keys with points"),
        ({"secrets": ["x"]}, "secrets"),
    ],
)
def test_a_rule_that_cannot_be_meant_is_an_error(parameters, found):
    with pytest.raises(Exception, match=found):
        Project.temporary([DESK], [redacting(**parameters)])


# The project's secret


def test_the_secret_is_made_when_it_is_needed_outside_the_project(tmp_path):
    place = write_project(tmp_path / "project", ALLOW)
    config = tmp_path / "config"
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(config)}
    with Project.open(place, environ=environ) as project:
        session = begun(project)
        session.execute("ticket.sort", {"items": ["plain"]})
        assert not config.exists()
        session.execute("ticket.sort", {"items": [TOKEN]})
    [secret] = config.rglob("*.redaction")

    assert secret.stat().st_mode & 0o077 == 0
    assert len(secret.read_bytes()) == 32
    with Project.open(place, environ=environ) as project:
        session = project.session(session_id=session.id)
        session.execute("ticket.sort", {"items": [TOKEN]})
        one, other = events(session, "action.approved")[-2:]
        assert payload_of(one)["arguments_digest"] == payload_of(other)["arguments_digest"]


def test_without_a_place_for_the_secret_the_action_does_not_run(tmp_path):
    place = write_project(tmp_path / "project", ALLOW)
    (tmp_path / "config").write_text("a file")
    environ = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": str(tmp_path / "config")}
    with Project.open(place, environ=environ) as project:
        session = begun(project)
        call = ("ticket.note", {"file": str(tmp_path / "witness"), "text": TOKEN})
        with pytest.raises(ConfigError, match="a place for the secret"):
            session.execute(*call)

    assert not (tmp_path / "witness").exists()


# A ledger that was written before


def recorded_before(place: Path, *results: object) -> str:
    """A session with results in which nobody looked for secrets."""
    with closing(Ledger(place / "cra.trace")) as ledger:
        session = ledger.start_session("cli")
        for result in results:
            payload = {"execution_id": "e", "action_id": "a.b", "duration_us": 1, "result": result}
            session.append("action.executed", payload)
        session.end()
        return session.id


def secrets_in(place: Path) -> tuple[int, dict[str, Any]]:
    done = cra(place, "trace", "verify", "--secrets", "--json")
    return done.returncode, json.loads(done.stdout)


def test_what_was_recorded_before_is_found_and_can_be_taken_away(tmp_path):
    answer(tmp_path, "init", "--no-sign")
    session_id = recorded_before(tmp_path, "plain", f"the key is {TOKEN}", {"text": TOKEN})
    code, found = secrets_in(tmp_path)

    assert code == 1
    assert found["verdict"] == "INTACT"
    assert [(one["sequence"], one["counts"]) for one in found["secrets"]] == [
        (2, {"github_token": 1}), (3, {"github_token": 1})]  # fmt: skip
    shown = cra(tmp_path, "trace", "verify", "--secrets")
    assert f"{session_id}:2" in shown.stdout
    assert TOKEN not in shown.stdout + shown.stderr
    for sequence in (2, 3):
        place = f"{session_id}:{sequence}"
        answer(tmp_path, "trace", "redact", place, "--reason", "a key", "--yes")
    assert secrets_in(tmp_path)[0] == 0
    assert secrets_in(tmp_path)[1]["secrets"] == []


def test_what_cannot_be_redacted_is_said_to_go_with_its_session_or_not_at_all(tmp_path):
    answer(tmp_path, "init", "--no-sign")
    with closing(Ledger(tmp_path / "cra.trace")) as ledger:
        session = ledger.start_session("cli", context={"token": TOKEN})
        session.end()
        fact = {"signer": "none", "reason": f"leaked {TOKEN}"}
        ledger.journal.append("journal.key_added", fact)
    shown = cra(tmp_path, "trace", "verify", "--secrets")

    assert shown.returncode == 1
    assert "journal.key_added: 1 github_token" in shown.stdout
    assert f"fix: cra trace prune --session {session.id}" in shown.stderr
    assert "fix: nothing is taken out of the journal" in shown.stderr
    assert "trace redact" not in shown.stderr
    answer(tmp_path, "trace", "prune", "--session", session.id, "--yes")
    assert [one["session_id"] for one in secrets_in(tmp_path)[1]["secrets"]] == ["journal"]


def test_a_secret_in_a_blob_is_found(tmp_path):
    answer(tmp_path, "init", "--no-sign")
    recorded_before(tmp_path, "x" * 200_000 + " " + TOKEN)

    assert secrets_in(tmp_path)[1]["secrets"][0]["counts"] == {"github_token": 1}


def test_a_rule_of_the_project_is_looked_for_too(tmp_path):
    answer(tmp_path, "init", "--no-sign")
    recorded_before(tmp_path, f"write to {EMAIL}")
    assert secrets_in(tmp_path)[0] == 0
    (tmp_path / "policies").mkdir()
    (tmp_path / "policies" / "p.json").write_text(json.dumps([redacting(kinds=["email"])]))

    assert secrets_in(tmp_path)[1]["secrets"][0]["counts"] == {"email": 1}


def test_a_ledger_without_secrets_says_so(tmp_path, desk):
    desk.execute("ticket.leak", {"id": 1})
    desk.barrier()
    trace = desk.project.config.trace_directory
    done = cra(tmp_path, "trace", "verify", trace, "--secrets")

    assert done.returncode == 0, done.stdout + done.stderr
    assert "secrets: none found" in done.stdout


def test_no_file_no_export_and_no_message_of_a_run_holds_it(tmp_path):
    place, temporary = write_project(tmp_path / "p", ALLOW), tmp_path / "tmp"
    temporary.mkdir()
    environ = {"TMPDIR": str(temporary), "CRA_TRACE_DETAIL": "full"}
    done = [
        cra(place, *arguments, **environ)
        for arguments in (
            ("resolve", "--goal", f"note {TOKEN}"),
            ("execute", "ticket.note", "-p", f"file={tmp_path / 'witness'}", "-p", f"text={TOKEN}"),
            ("execute", "ticket.note", "-p", f"file={place / 'no' / 'x'}", "-p", f"text={TOKEN}"),
            ("execute", "ticket.sort", "-p", f"items={TOKEN}"),
            ("execute", "ticket.sort", "-p", f"items={'-' * 60}{TOKEN}"),
            ("execute", "ticket.read", "-p", f"id={TOKEN}"),
            ("execute", "ticket.read", "-p", f"{TOKEN}=1"),
            ("execute", f"ticket.{TOKEN}"),
            ("explain", "ticket.sort", "-p", f"items={TOKEN}"),
            ("explain", "ticket.sort", "-p", f"items={'-' * 60}{TOKEN}"),
            ("explain", f"ticket.{TOKEN}"),
            ("explain", "--session", "last"),
            ("trace", "show", "last", "--json"),
            ("trace", "tail", "last"),
            *[("trace", "export", "last", "--format", form) for form in ("jsonl", "json", "csv")],
            ("trace", "export", "last", "--format", "bundle", "-o", "../out.zip"),
            ("session", "show", "last"),
            ("doctor",),
        )
    ]  # fmt: skip

    assert [one.returncode for one in done[:7]] == [0, 0, 5, 2, 2, 2, 2]
    assert (tmp_path / "witness").read_text() == f"{TOKEN}\n"
    # A result is its caller's.
    told = [one for one in done if one is not done[1]]
    assert [one.args for one in told if TOKEN[:12] in one.stdout + one.stderr] == []
    files = [path for path in tmp_path.rglob("*") if path.is_file() and path.name != "witness"]
    assert [path for path in files if TOKEN[:12].encode() in path.read_bytes()] == []
