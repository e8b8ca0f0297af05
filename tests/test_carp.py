"""CARP/1.0 as documents: which requests are read, how they are answered, what they leave behind."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import datetime, timedelta
from typing import Any

import pytest

from cra.cli.schema import SCHEMAS
from cra.errors import RequestRefused, UsageError
from cra.policy.schema import Schema, compile_schema
from cra.resolver.request import MAX_GOAL, Request, read_request
from cra.runtime.carp import answer
from cra.runtime.project import Project
from cra.runtime.session import GovernedSession
from tests.governed import (
    ALLOW,
    DESK,
    GOAL,
    events,
    limit,
    payload_of,
    rule,
    types_since,
    write_project,
)

NOW = "2026-11-20T10:15:00.000000Z"
READ = {"action_id": "ticket.read", "parameters": {"id": 4}}


@pytest.fixture
def desk() -> Iterator[GovernedSession]:
    rules = [ALLOW, rule("no-closing", "deny", "ticket.close")]
    with Project.temporary([DESK], rules) as project:
        yield project.session("cli")


@pytest.fixture(scope="module")
def schemas() -> dict[str, Schema]:
    return {name: compile_schema(make()) for name, (_, make) in SCHEMAS.items() if "carp" in name}


def request(operation: str = "resolve", **more: Any) -> dict[str, Any]:
    parts = {"task": {"goal": GOAL}} if operation == "resolve" else {"execution": READ}
    return {
        "carp_version": "1.0",
        "request_id": "r-1",
        "timestamp": NOW,
        "operation": operation,
        "requester": {"agent_id": "cli"},
        **parts,
        **more,
    }


def asked(session: GovernedSession, operation: str = "resolve", **more: Any) -> Any:
    """The answer of a session to a request that is made now."""
    stated = request(operation, timestamp=session.project.ledger.source.now(), **more)
    return answer(session, json.dumps(stated))


def read(document: Any, now: str = NOW) -> Request:
    text = document if isinstance(document, str) else json.dumps(document)
    return read_request(text, now=now, tolerance_seconds=300)


# Reading a request


@pytest.mark.parametrize("operation", ["resolve", "execute", "validate"])
def test_a_request_says_what_it_asks(operation):
    stated = read(request(operation))

    assert (stated.operation, stated.requester.agent_id) == (operation, "cli")
    assert stated.task is None or stated.stated_task().goal == GOAL
    assert stated.execution is None or stated.execution.parameters == {"id": 4}


REFUSED = {
    "no JSON": ("{", "JSON"),
    "a list": ([], "an object"),
    "a number that JSON has no form for": (
        '{"context": {"a": NaN}}', "NaN"),
    "another version": (request(carp_version="2.0"), "one of 1.0"),
    "no id": ({"carp_version": "1.0"}, "a request_id"),
    "an id with a space": (request(request_id="r 1"), "an id of 1 to 256"),
    "an operation with a typo": (request(operation="resolv"), "nearest: resolve"),
    "an unknown member": (request(goal="x"), "goal: expected a known key"),
    "an unknown member inside": (request(task={"goal": "x", "tier": "low"}), "task.tier"),
    "a member twice": ('{"task": {"goal": "x"}, "task": {"goal": "y"}}', "each key once"),
    "nothing to resolve": (request(task=None), "task: expected one in a request to resolve"),
    "a call to resolve": (request(execution=READ), "execution: expected none"),
    "nothing to execute": (request("execute", execution=None), "execution: expected one"),
    "a task beside a call": (request("execute", task={"goal": "x"}), "task: expected none"),
    "a context beside a call": (request("execute", context={"a": 1}), "context: expected none"),
    "atlases beside a call": (request("execute", atlas_ids=["a.b"]), "atlas_ids: expected none"),
    "a blank goal": (request(task={"goal": " \n"}), "a goal of 1 to"),
    "a goal beyond any": (request(task={"goal": "x" * (MAX_GOAL + 1)}), "a goal of 1 to"),
    "an empty key": (
        request("execute", execution={**READ, "idempotency_key": ""}), "a key of 1 to"),
    "a time of another form": (request(timestamp="20 Nov 2026"), "a time like"),
    "a time that there is not": (request(timestamp="2026-02-30T10:15:00Z"), "a time that there is"),
}  # fmt: skip


@pytest.mark.parametrize(("document", "found"), REFUSED.values(), ids=REFUSED)
def test_what_is_no_request_is_refused_and_says_why(document, found):
    with pytest.raises(RequestRefused) as caught:
        read(document)

    assert found in caught.value.message
    assert "expected" in caught.value.message


def test_all_mistakes_of_a_request_are_told_at_once():
    with pytest.raises(RequestRefused) as caught:
        read(request(carp_version="2.0", operation="act", goal="x"))

    assert "found 3" in caught.value.message
    assert "the request:1:" in caught.value.message


@pytest.mark.parametrize(
    ("seconds", "is_read"), [(-300, True), (300, True), (-301, False), (301, False)]
)
def test_a_request_is_answered_near_its_time_alone(seconds, is_read):
    there = (datetime.fromisoformat(NOW) + timedelta(seconds=seconds)).isoformat()
    stated = request(timestamp=there.replace("+00:00", "Z"))

    if is_read:
        assert read(stated).request_id == "r-1"
    else:
        with pytest.raises(RequestRefused, match="a time within 300 s"):
            read(stated)


@pytest.mark.parametrize("operation", ["resolve", "execute", "validate"])
def test_the_schema_accepts_what_is_read(schemas, operation):
    assert schemas["carp-request"].accepts(request(operation))


# Texts that are no JSON meet no schema, and which times there are is beyond one.
@pytest.mark.parametrize(
    "name",
    [
        name
        for name, (document, _) in REFUSED.items()
        if not isinstance(document, str) and name != "a time that there is not"
    ],
)
def test_the_schema_refuses_what_is_refused(schemas, name):
    assert not schemas["carp-request"].accepts(REFUSED[name][0])


# Answering one


def test_a_request_to_resolve_is_answered_with_a_resolution(desk, schemas):
    found = asked(desk)

    assert schemas["carp-resolution"].flaws(found) == ()
    assert found["request_id"] == "r-1"
    assert found["decision"]["type"] == "partial"


def test_what_was_resolved_can_be_executed(desk, schemas):
    resolution = asked(desk)
    call = {**READ, "resolution_id": resolution["resolution_id"]}
    done = asked(desk, "execute", request_id="r-2", execution=call)

    assert schemas["carp-execution-result"].flaws(done) == ()
    assert (done["status"], done["request_id"]) == ("success", "r-2")
    assert done["result"]["id"] == 4
    assert done["trace_id"] == resolution["trace_id"]


@pytest.mark.parametrize(
    ("call", "status", "policy_id", "code"),
    [
        ({"action_id": "ticket.close", "parameters": {"file": "x"}}, "denied", "no-closing", None),
        ({"action_id": "ticket.raed"}, "denied", None, "CRA-1006"),
        ({"action_id": "ticket.read", "parameters": {"id": "4"}}, "denied", None, "CRA-1007"),
        ({"action_id": "ticket.fail", "parameters": {"why": "x"}}, "error", "desk-allows",
         "exception"),
    ],
)  # fmt: skip
def test_every_end_of_a_call_is_an_answer(desk, schemas, call, status, policy_id, code):
    asked(desk)
    done = asked(desk, "execute", request_id="r-2", execution=call)

    assert schemas["carp-execution-result"].flaws(done) == ()
    assert (done["status"], done["policy_id"]) == (status, policy_id)
    assert (done["error"] or {}).get("code") == code


def test_validate_decides_like_execute_and_runs_nothing(desk, tmp_path):
    asked(desk)
    witness = tmp_path / "witness"
    call = {"action_id": "ticket.note", "parameters": {"file": str(witness)}}
    done = asked(desk, "validate", request_id="r-2", execution=call)

    assert (done["status"], done["simulated"], done["result"]) == ("success", True, None)
    assert not witness.exists()
    assert types_since(desk, 3) == ["action.approved"]


@pytest.mark.parametrize(
    "requester",
    [
        {"agent_id": "root"},
        {"agent_id": "cli", "session_id": "0192f0c1-0000-7000-8000-000000000001"},
        {"agent_id": "cli", "parent_session_id": "0192f0c1-0000-7000-8000-000000000001"},
    ],
)
def test_a_request_for_somebody_else_is_refused_and_not_recorded(desk, requester):
    before = desk.size
    with pytest.raises(RequestRefused, match="as in the session"):
        asked(desk, requester=requester)

    assert desk.size == before


def test_a_request_may_name_the_session_that_it_is_for(desk):
    requester = {"agent_id": "cli", "session_id": desk.id, "parent_session_id": None}

    assert asked(desk, requester=requester)["decision"]["type"] == "partial"


@pytest.mark.parametrize(
    "first",
    [
        {"operation": "resolve"},
        {"operation": "execute"},
        {"operation": "execute", "execution": {"action_id": "ticket.close",
                                               "parameters": {"file": "x"}}},
        {"operation": "execute", "execution": {"action_id": "ticket.unknown"}},
        {"operation": "validate"},
    ],
)  # fmt: skip
def test_a_request_id_is_answered_once(desk, first):
    asked(desk, request_id="r-0")
    asked(desk, **first)
    before = desk.size

    for operation in ("resolve", "execute", "validate"):
        with pytest.raises(UsageError, match="found r-1 again"):
            asked(desk, operation)
    assert desk.size == before


def test_a_request_id_stays_known_when_the_project_is_opened_again(tmp_path):
    place = write_project(tmp_path / "project", ALLOW)
    with Project.open(place, environ={"HOME": str(tmp_path)}) as first:
        session = first.session("cli")
        asked(session, "execute")
    with Project.open(place, environ={"HOME": str(tmp_path)}) as second:
        again = second.session(session_id=session.id)
        with pytest.raises(UsageError, match="found r-1 again"):
            asked(again, "execute")


def test_a_repeated_request_with_an_idempotency_key_gets_the_recorded_outcome(desk):
    asked(desk)
    call = {**READ, "idempotency_key": "k"}
    first = asked(desk, "execute", request_id="r-2", execution=call)
    again = asked(desk, "execute", request_id="r-2", execution=call)

    assert again == {**first, "repeated": True, "reason": "", "policy_id": None}


# Full detail


@pytest.fixture
def detailed() -> Iterator[GovernedSession]:
    rules = [
        rule("desk-allows", "allow", "ticket.read", "ticket.note"),
        rule("no-closing", "deny", "ticket.close"),
        limit("few-notes", "session", 1),
    ]
    with Project.temporary([DESK], rules, config={"trace": {"detail": "full"}}) as project:
        yield project.session("cli")


def told(session: GovernedSession, event_type: str, since: int = 0) -> list[tuple[str, ...]]:
    return [
        tuple(payload_of(event)[key] for key in ("action_id", "policy_id", "type", "outcome"))
        for event in events(session, event_type)
        if event.header["sequence"] >= since
    ]


def test_full_detail_says_what_each_rule_said_of_each_action(detailed):
    detailed.resolve("read a ticket")

    types = types_since(detailed, 1)
    assert types[0] == "carp.request.received"
    assert types[-1] == "carp.resolution.completed"
    assert set(types[1:-1]) == {"policy.evaluated"}
    assert ("ticket.read", "desk-allows", "allow", "applies") in told(detailed, "policy.evaluated")
    assert ("ticket.note", "few-notes", "rate_limit", "undecided") in told(
        detailed, "policy.evaluated"
    )


def test_full_detail_names_the_rule_that_a_call_violates(detailed, tmp_path):
    detailed.resolve("close a ticket")
    before = detailed.size
    detailed.execute("ticket.close", {"file": str(tmp_path / "x")})

    assert types_since(detailed, before) == ["action.requested", "policy.violated", "action.denied"]
    assert told(detailed, "policy.violated") == [("ticket.close", "no-closing", "deny", "applies")]


def test_full_detail_of_an_allowed_call_is_one_span(detailed, tmp_path):
    detailed.resolve("note something")
    before = detailed.size
    detailed.execute("ticket.note", {"file": str(tmp_path / "x")})

    recorded = [event for event in events(detailed) if event.header["sequence"] >= before]
    assert [event.event_type for event in recorded] == [
        "action.requested",
        "policy.evaluated",
        "policy.evaluated",
        "action.approved",
        "action.executed",
    ]
    assert len({event.header["span_id"] for event in recorded}) == 1
    assert len({event.header["parent_span_id"] for event in recorded}) == 1
    assert told(detailed, "policy.evaluated", before) == [
        ("ticket.note", "few-notes", "rate_limit", "does not apply"),
        ("ticket.note", "desk-allows", "allow", "applies"),
    ]


def test_full_detail_names_each_block_of_context():
    manifest = {
        **DESK[0],
        "context_packs": [
            {"pack_id": "rules", "name": "House rules", "files": ["a.md", "b.md"],
             "purpose": "tone", "priority": 1},
        ],
    }  # fmt: skip
    files = {**DESK[1], "a.md": b"Be kind.\n", "b.md": b"Be brief.\n"}
    with Project.temporary(
        [(manifest, files)], [ALLOW], config={"trace": {"detail": "full"}}
    ) as project:
        session = project.session("cli")
        found = session.resolve("read a ticket")

        injected = [payload_of(event)["block_id"] for event in events(session, "context.injected")]
        assert injected == [block["block_id"] for block in found.document["context_blocks"]]
        assert len(injected) == 2


def test_an_answer_given_before_repeats_no_detail(detailed):
    detailed.resolve("read a ticket")
    before = detailed.size
    detailed.resolve("read a ticket")

    assert types_since(detailed, before) == ["carp.request.received", "carp.resolution.cached"]
