"""Sessions of every kind: what one can go through, for tests that have it done again."""

from __future__ import annotations

import json
import threading
from collections.abc import Callable
from random import Random
from typing import Any, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from cra import Denied, govern
from cra.errors import (
    ApprovalPending,
    ArgumentsRefused,
    CraError,
    SignerRefused,
    UnknownAction,
    UsageError,
)
from cra.ledger import source
from cra.ledger.checkpoint import KEY_NAME, Signer, VerifierKey
from cra.protocol.events import Approver
from cra.runtime.approval import Scope
from cra.runtime.carp import answer
from cra.runtime.project import Project
from cra.runtime.session import GovernedSession
from tests.goldens import actions_but, opened, trace_file
from tests.governed import ALLOW, GOAL, MANIFEST, begun, events, limit, payload_of, rule
from tests.secrets_corpus import KEYS

TOKEN = KEYS["github_token"][0](Random(1))
OTHER = KEYS["github_token"][0](Random(2))
_PRIVATE = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
SIGNER = Signer(VerifierKey(KEY_NAME, _PRIVATE.public_key().public_bytes_raw()), _PRIVATE.sign)
APPROVER = str(SIGNER.key)
BY: Approver = {"how": "terminal", "name": "reviewer"}
ASK = rule("a-person-looks", "require_approval", "ticket.note", "ticket.pay")
HOSTS = rule("hosts", "allow", "host.*")
NOTE = {"file": "/dev/null"}


class Life(NamedTuple):
    """What a session goes through, in a desk with these rules, settings and changes."""

    live: Callable[[Project, pytest.MonkeyPatch], GovernedSession]
    policies: tuple[dict[str, Any], ...]
    desk: dict[str, Any]
    settings: dict[str, Any]


LIVES: dict[str, Life] = {}


def life(
    *policies: dict[str, Any], desk: dict[str, Any] | None = None, **settings: Any
) -> Callable[[Callable[[Any, Any], Any]], Callable[[Any, Any], Any]]:
    def keep(live: Callable[[Any, Any], Any]) -> Callable[[Any, Any], Any]:
        LIVES[live.__name__] = Life(live, policies or (ALLOW,), desk or {}, settings)
        return live

    return keep


def later(patch: pytest.MonkeyPatch, seconds: int) -> None:
    now = source.time.time_ns()
    patch.setattr(source.time, "time_ns", lambda: now + seconds * 10**9)


def asked(session: GovernedSession, action_id: str = "ticket.note", **arguments: str) -> str:
    found = session.execute(action_id, {**NOTE, **arguments}).approval_id
    assert found is not None
    return found


@life()
def a_beginning(project, _):
    return project.session()


@life()
def allowed_calls(project, _):
    session = begun(project)
    session.execute("ticket.read", {"id": 4})
    session.execute("ticket.note", NOTE)
    session.end()
    return session


@life(ALLOW, rule("no-notes", "deny", "ticket.note"))
def denied_by_a_rule(project, _):
    session = begun(project)
    session.execute("ticket.note", NOTE)
    return session


@life(rule("reads", "allow", "ticket.read"))
def denied_by_no_rule(project, _):
    session = begun(project)
    session.execute("ticket.note", NOTE)
    return session


@life()
def nothing_resolved(project, _):
    session = project.session()
    session.execute("ticket.note", NOTE)
    return session


@life()
def a_resolution_that_is_none(project, _):
    session = begun(project)
    session.execute("ticket.note", NOTE, resolution_id="nothing")
    other = begun(project)
    held = other.resolve(GOAL).document["resolution_id"]
    session.execute("ticket.note", NOTE, resolution_id=held)
    return session


@life()
def calls_that_are_none(project, _):
    session = begun(project)
    with pytest.raises(ArgumentsRefused):
        session.execute("ticket.note", {"file": 3})
    with pytest.raises(ArgumentsRefused):
        session.execute(
            "ticket.note",
            {"file": "x", "more": 3},
            request_id="01a21e15-ca3f-7045-bb5d-e6366bd372b7",
        )
    with pytest.raises(UnknownAction):
        session.execute("ticket.nope", {})
    with pytest.raises(UnknownAction):
        session.execute(f"ticket.{TOKEN}", {})
    return session


@life(ALLOW, ASK)
def a_granted_call(project, _):
    session = begun(project)
    approval_id = asked(session)
    session.execute("ticket.note", NOTE)
    session.approvals.grant(approval_id, BY, reason="fine")
    session.execute("ticket.note", NOTE)
    session.execute("ticket.note", NOTE)
    return session


@life(ALLOW, ASK)
def a_refused_call(project, _):
    session = begun(project)
    approval_id = asked(session)
    session.approvals.deny(approval_id, BY, reason="no")
    session.execute("ticket.note", NOTE)
    return session


@life(ALLOW, ASK)
def an_approval_that_expired(project, patch):
    session = begun(project)
    session.execute("ticket.note", NOTE)
    later(patch, 950)
    session.execute("ticket.note", NOTE)
    return session


@life(ALLOW, ASK)
def a_grant_that_expired(project, patch):
    session = begun(project)
    approval_id = asked(session)
    session.approvals.grant(approval_id, BY, reason="fine")
    later(patch, 950)
    session.resolve(GOAL)
    session.execute("ticket.note", NOTE)
    return session


@life(ALLOW, ASK)
def a_grant_for_any_arguments_and_one_for_any_number(project, _):
    session = begun(project)
    session.approvals.grant(asked(session), BY, scope=Scope(uses=2, any_arguments=True))
    for text in "abc":
        session.execute("ticket.note", {**NOTE, "text": text})
    scope = Scope(uses=None, until="2100-01-01T00:00:00.000000Z")
    session.approvals.grant(asked(session, "ticket.pay"), BY, scope=scope)
    for _ in range(3):
        session.execute("ticket.pay", NOTE)
    return session


@life(ALLOW, ASK)
def a_call_that_names_its_grant(project, _):
    session = begun(project)
    one, other = asked(session), asked(session, text="b")
    for approval_id in (one, other):
        session.approvals.grant(approval_id, BY, scope=Scope(uses=2, any_arguments=True))
    session.execute("ticket.note", NOTE, approval_id=one)
    session.execute("ticket.note", NOTE)
    return session


@life(ALLOW, ASK)
def a_program_that_approves(project, _):
    session = begun(project)
    session.execute("ticket.note", NOTE, approver=lambda _: True)
    session.execute("ticket.pay", NOTE, approver=lambda _: False)
    session.execute("ticket.note", {**NOTE, "text": "b"}, approver=lambda _: None)
    return session


@life(ALLOW, ASK, rule("no-pay", "deny", "ticket.close"))
def dry_runs_and_a_literal(project, _):
    session = begun(project)
    session.simulate("ticket.read", {"id": 4})
    session.simulate("ticket.note", NOTE)
    session.simulate("ticket.close", NOTE)
    session.execute("ticket.pretend")
    return session


@life()
def idempotency_keys(project, _):
    session = begun(project)
    session.execute("ticket.read", {"id": 4}, idempotency_key="k")
    session.execute("ticket.read", {"id": 4}, idempotency_key="k")
    with pytest.raises(UsageError):
        session.execute("ticket.read", {"id": 5}, idempotency_key="k")
    session.execute("ticket.fail", {"why": "x"}, idempotency_key="l")
    session.execute("ticket.fail", {"why": "x"}, idempotency_key="l")
    return session


def crowded(project: Project) -> GovernedSession:
    """One of three sessions of two agents that call in turns."""
    sessions = [begun(project), begun(project), begun(project, agent="other")]
    for _ in range(3):
        for session in sessions:
            session.execute("ticket.note", NOTE)
    return sessions[1]


@life(ALLOW, limit("few", "session", 2))
def a_limit_of_its_own(project, _):
    return crowded(project)


@life(ALLOW, limit("few", "agent", 4))
def a_limit_of_its_agent(project, _):
    return crowded(project)


@life(ALLOW, limit("few", "project", 4))
def a_limit_of_the_project(project, _):
    return crowded(project)


BUDGET = {"max_cost": 12, "window_seconds": 600, "per": "project"}


@life(ALLOW, rule("cost", "budget", "ticket.pay", parameters=BUDGET))
def a_budget_that_is_full_again_later(project, patch):
    one, other = begun(project), begun(project)
    for _ in range(2):
        for session in (one, other):
            session.execute("ticket.pay", NOTE)
    later(patch, 700)
    for session in (one, other, one, other):
        session.resolve(GOAL)
        session.execute("ticket.pay", NOTE)
    return one


def refund(ticket: int, amount: float = 5.0) -> dict[str, float]:
    return {"ticket": ticket, "amount": amount}


@life(ALLOW, HOSTS)
def host_functions_of_a_session(project, _):
    session = begun(project)
    governed = govern(refund, session=session)
    governed(3)
    governed(4, amount=2.5)
    return session


@life(ALLOW, HOSTS)
def host_functions_of_a_project(project, _):
    def fail(ticket: int) -> None:
        raise KeyError(ticket)

    govern(refund, project=project)(3)
    with pytest.raises(KeyError):
        govern(fail, project=project)(3)
    govern(refund, project=project)(4, amount=2.5)
    return project.host_session()


@life(ALLOW)
def a_host_function_that_is_denied(project, _):
    with pytest.raises(Denied):
        govern(refund, project=project)(3)
    return project.host_session()


@life(ALLOW, HOSTS, rule("asks", "require_approval", "host.*"))
def a_host_function_that_needs_an_approval(project, _):
    governed = govern(refund, project=project)
    with pytest.raises(ApprovalPending):
        governed(3)
    session = project.host_session()
    [event] = events(session, "approval.requested")
    session.approvals.grant(payload_of(event)["approval_id"], BY)
    governed(3)
    return session


@life()
def a_child(project, _):
    parent = begun(project, scopes=["a", "b"])
    session = begun(project, parent=parent.id, scopes=["a"])
    session.execute("ticket.note", NOTE)
    return session


@life()
def a_child_that_outlives_its_parent(project, _):
    parent = begun(project)
    session = begun(project, parent=parent.id)
    session.execute("ticket.note", NOTE)
    parent.end()
    with pytest.raises(CraError):
        session.execute("ticket.note", NOTE)
    return session


@life(
    rule("roles", "allow", conditions={"roles": ["lead"]}),
    agents={"agent": {"roles": ["x"], "scopes": ["a"], "context": {"site": "paris"}}},
)
def roles_and_context_of_the_host(project, _):
    session = begun(
        project,
        roles=["lead"],
        context={"team": "blue", "token": TOKEN},
        principal={"id": "u1", "type": "user"},
    )
    session.execute("ticket.note", NOTE)
    return session


@life(ALLOW, ASK, trace={"detail": "full"})
def full_detail(project, _):
    session = begun(project)
    session.execute("ticket.read", {"id": 4})
    session.execute("ticket.note", NOTE)
    session.execute("ticket.fail", {"why": "x"})
    return session


@life(trace={"detail": "full"})
def full_detail_without_a_call(project, _):
    return project.session()


@life()
def answers_given_again(project, _):
    session = begun(project)
    session.resolve(GOAL)
    session.execute("ticket.read", {"id": 4})
    session.resolve(
        "read a ticket",
        risk_tier="low",
        hints=["x"],
        capabilities=[],
        atlas_ids=["com.example.desk"],
        context={"a": 1},
    )
    session.resolve(GOAL)
    return session


@life()
def resolved_in_another_opening(project, _):
    session = begun(project)
    session.barrier()
    with opened(project.root) as again:
        other = again.session(session_id=session.id)
        other.resolve(GOAL)
        other.execute("ticket.read", {"id": 4})
        other.barrier()
    session.resolve(GOAL)
    session.execute("ticket.read", {"id": 4})
    return session


@life()
def failures_of_code(project, _):
    session = begun(project)
    session.execute("ticket.fail", {"why": "x"})
    session.execute("ticket.fail", {"why": TOKEN})
    session.execute("ticket.read", {"id": 1})
    return session


@life()
def values_beside_the_ledger(project, _):
    session = begun(project)
    session.execute("ticket.sort", {"items": ["x" * 70_000]})
    session.execute("ticket.sort", {"items": [["x" * 70_000], {"a": list(range(20000))}]})
    return session


@life()
def secrets_in_calls_and_tasks(project, _):
    session = begun(project)
    session.execute("ticket.note", {**NOTE, "text": f"use {TOKEN} now"})
    session.execute("ticket.note", {**NOTE, "text": f"use {OTHER} now"})
    session.execute("ticket.sort", {"items": [TOKEN, 1]})
    session.resolve(f"use {TOKEN}", hints=[TOKEN], context={"key": TOKEN})
    session.execute("ticket.note", {**NOTE, "text": f"use {TOKEN} now"})
    return session


@life()
def a_secret_that_does_not_fit(project, _):
    session = begun(project)
    with pytest.raises(ArgumentsRefused):
        session.execute("ticket.note", {"file": 3, "text": TOKEN})
    return session


@life(ALLOW, ASK)
def a_granted_call_with_a_secret(project, _):
    session = begun(project)
    call = {**NOTE, "text": TOKEN}
    session.approvals.grant(asked(session, text=TOKEN), BY)
    session.execute("ticket.note", call)
    session.execute("ticket.note", call)
    return session


@life()
def values_that_look_like_marks(project, _):
    session = begun(project)
    session.execute(
        "ticket.sort", {"items": [{"$redacted": "x"}, {"$blob": 3}, {"$text": []}, {"$obj": 1}]}
    )
    session.execute("ticket.sort", {"items": [1e300, 2**53 - 1, "é\u2028\x00", None, True, {}]})
    session.execute(
        "ticket.sort",
        {"items": [{"[redacted github_token 12345678]": "[redacted github_token 12345678]"}]},
    )
    return session


@life()
def threads_that_interleave(project, _):
    session = begun(project)

    def work(worker: int) -> None:
        for at in range(5):
            session.execute("ticket.sort", {"items": [worker, at]})

    workers = [threading.Thread(target=work, args=(worker,)) for worker in range(3)]
    for worker in workers:
        worker.start()
    for worker in workers:
        worker.join()
    return session


@life()
def a_session_that_expired(project, patch):
    session = project.session(ttl_seconds=60)
    session.resolve(GOAL)
    session.execute("ticket.read", {"id": 4})
    later(patch, 100)
    with pytest.raises(CraError):
        session.execute("ticket.read", {"id": 4})
    session.end()
    return session


@life()
def a_resolution_that_expired(project, patch):
    session = begun(project)
    session.execute("ticket.read", {"id": 4})
    later(patch, 1000)
    session.execute("ticket.read", {"id": 4})
    session.resolve(GOAL)
    session.execute("ticket.read", {"id": 4})
    return session


@life()
def an_open_intent(project, _):
    session = begun(project)
    call = session.freeze("ticket.read", {"id": 4})
    session.intend(call, None, None)
    session.execute("ticket.read", {"id": 4})
    return session


@life()
def an_open_intent_at_the_end(project, _):
    session = begun(project)
    call = session.freeze("ticket.read", {"id": 4})
    session.intend(call, None, None)
    session.end("gone", force=True)
    return session


@life()
def a_clock_that_steps_back(project, patch):
    session = begun(project)
    session.execute("ticket.read", {"id": 4})
    later(patch, -100)
    session.execute("ticket.read", {"id": 4})
    session.resolve(GOAL)
    session.execute("ticket.read", {"id": 4})
    return session


@life()
def requests_with_ids(project, _):
    session = project.session()
    requester = {"agent_id": "agent", "session_id": session.id}

    def request(operation: str, **said: Any) -> Any:
        now = project.ledger.source
        document = {
            "carp_version": "1.0",
            "request_id": now.new_id(),
            "timestamp": now.now(),
            "operation": operation,
            "requester": requester,
            **said,
        }
        return answer(session, json.dumps(document))

    found = request("resolve", task={"goal": GOAL})
    for operation in ("validate", "execute"):
        for action_id in ("ticket.read", "ticket.nope"):
            call = {"action_id": action_id, "parameters": {"id": 4}}
            call["resolution_id"] = found["resolution_id"]
            request(operation, execution=call)
    return session


def _typed(action_id: str, **executor: Any) -> dict[str, Any]:
    return {
        "action_id": action_id,
        "name": action_id,
        "description": f"{action_id} a ticket of the desk",
        "parameters_schema": {"type": "object"},
        "risk_tier": "low",
        "executor": executor,
    }


OTHERS = [
    _typed("ticket.shell", type="process", command=["sh", "-c", "echo no; exit 3"]),
    _typed("ticket.echo", type="process", command=["echo", "yes"]),
    _typed("ticket.open", type="file", operation="read", root="data", path="nothing.txt"),
    _typed("ticket.list", type="file", operation="list", root="data", path="."),
    _typed("ticket.fetch", type="http", method="GET", url="https://localhost/x",
           hosts=["localhost"]),
]  # fmt: skip
RETURNING = {"type": "object", "properties": {"text": {"enum": ["done"]}}}
NOTES = actions_but("ticket.note", returns_schema=RETURNING)


@life(desk={"actions": [*MANIFEST["actions"], *OTHERS]})
def outcomes_of_every_kind_of_executor(project, _):
    (project.root / "data").mkdir()
    session = begun(project)
    outcomes = {one["action_id"]: session.execute(one["action_id"], {}).status for one in OTHERS}
    assert outcomes == {
        "ticket.shell": "error",
        "ticket.echo": "success",
        "ticket.open": "error",
        "ticket.list": "success",
        "ticket.fetch": "error",
    }
    return session


@life(desk={"actions": NOTES})
def a_result_that_does_not_fit(project, _):
    session = begun(project)
    session.execute("ticket.note", NOTE)
    assert session.execute("ticket.note", {**NOTE, "text": "other"}).status == "error"
    return session


PAID = [
    {**action, "requires_confirmation": True, "rate_limit": {"max_calls": 1, "window_seconds": 60}}
    if action["action_id"] == "ticket.pay"
    else action
    for action in MANIFEST["actions"]
]


@life(desk={"actions": PAID})
def what_an_action_asks_for_itself(project, _):
    session = begun(project)
    session.approvals.grant(asked(session, "ticket.pay"), BY, scope=Scope(uses=3))
    for _ in range(2):
        session.execute("ticket.pay", NOTE)
    return session


PACKS = [{"pack_id": "rules", "name": "Rules", "files": ["rules.md"], "priority": 1}]


@life(desk={"context_packs": PACKS, "files": {"rules.md": f"Use {TOKEN} here.\n".encode()}})
def context_with_a_secret(project, _):
    session = begun(project)
    assert session.resolve("read a ticket").document["context_blocks"]
    return session


@life(ALLOW, rule("a-key", "require_approval", "ticket.note", parameters={"approvers": [APPROVER]}))
def a_grant_that_an_approver_signed(project, _):
    session = begun(project)
    session.approvals.grant(asked(session), BY, signer=SIGNER)
    session.execute("ticket.note", NOTE)
    with pytest.raises(SignerRefused):
        session.approvals.deny(session.execute("ticket.note", NOTE).approval_id, BY)
    return session


@life()
def a_ledger_that_was_mended(project, _):
    session = begun(project)
    session.barrier()
    project.ledger.close()
    with open(trace_file(session), "ab") as file:
        file.write(b'{"torn')
    with opened(project.root) as again:
        found = again.session(session_id=session.id)
        found.execute("ticket.read", {"id": 4})
        found.barrier()
        return found


@life()
def an_end_with_a_secret(project, _):
    session = begun(project)
    session.end(f"because of {TOKEN}")
    return session
