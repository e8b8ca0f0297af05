"""A golden trace, done again: the same under the same rules, and else exactly what has changed."""

from __future__ import annotations

import threading
from collections.abc import Callable
from pathlib import Path
from random import Random
from typing import Any, TypeAlias

import pytest

from cra import govern
from cra.errors import ArgumentsRefused, CraError, UnknownAction, UsageError, Denied
from cra.ledger import source
from cra.ledger.keys import create_key
from cra.protocol.events import Approver
from cra.runtime.approval import Scope
from cra.runtime.project import Project
from cra.runtime.session import GovernedSession
from tests.goldens import change_desk, opened, recorded, replayed, set_config, told, write_desk
from tests.governed import (
    ALLOW,
    DESK,
    GOAL,
    MANIFEST,
    begun,
    limit,
    rule,
    write_project,
    write_rules,
)
from tests.secrets_corpus import KEYS

TOKEN = KEYS["github_token"][0](Random(1))
OTHER = KEYS["github_token"][0](Random(2))
BY: Approver = {"how": "terminal", "name": "reviewer"}
ASK = rule("a-person-looks", "require_approval", "ticket.note", "ticket.pay")
NOTE = {"file": "/dev/null"}
Life: TypeAlias = Callable[[Project, pytest.MonkeyPatch], GovernedSession]


def later(patch, seconds):
    now = source.time.time_ns()
    patch.setattr(source.time, "time_ns", lambda: now + seconds * 10**9)


LIVES = {}


def life(*policies, **settings):
    def keep(function):
        LIVES[function.__name__] = (function, policies or (ALLOW,), settings)
        return function

    return keep


@life()
def only_begun(project, patch):
    return project.session()


@life()
def allowed(project, patch):
    s = begun(project)
    s.execute("ticket.read", {"id": 4})
    s.execute("ticket.note", NOTE)
    s.end()
    return s


@life(ALLOW, rule("no-notes", "deny", "ticket.note"))
def denied_by_a_rule(project, patch):
    s = begun(project)
    s.execute("ticket.note", NOTE)
    return s


@life(rule("reads", "allow", "ticket.read"))
def denied_by_no_rule(project, patch):
    s = begun(project)
    s.execute("ticket.note", NOTE)
    return s


@life()
def nothing_resolved(project, patch):
    s = project.session()
    s.execute("ticket.note", NOTE)
    return s


@life()
def bogus_resolution(project, patch):
    s = begun(project)
    s.execute("ticket.note", NOTE, resolution_id="nothing")
    other = begun(project)
    held = other.resolve(GOAL).document["resolution_id"]
    s.execute("ticket.note", NOTE, resolution_id=held)
    return s


@life()
def refused_arguments(project, patch):
    s = begun(project)
    with pytest.raises(ArgumentsRefused):
        s.execute("ticket.note", {"file": 3})
    with pytest.raises(ArgumentsRefused):
        s.execute(
            "ticket.note",
            {"file": "x", "more": 3},
            request_id="01a21e15-ca3f-7045-bb5d-e6366bd372b7",
        )
    with pytest.raises(UnknownAction):
        s.execute("ticket.nope", {})
    with pytest.raises(UnknownAction):
        s.execute(f"ticket.{TOKEN}", {})
    return s


@life(ALLOW, ASK)
def granted(project, patch):
    s = begun(project)
    found = s.execute("ticket.note", NOTE)
    s.execute("ticket.note", NOTE)
    s.approvals.grant(found.approval_id, BY, reason="fine")
    s.execute("ticket.note", NOTE)
    s.execute("ticket.note", NOTE)
    return s


@life(ALLOW, ASK)
def refused(project, patch):
    s = begun(project)
    found = s.execute("ticket.note", NOTE)
    s.approvals.deny(found.approval_id, BY, reason="no")
    s.execute("ticket.note", NOTE)
    return s


@life(ALLOW, ASK)
def expired(project, patch):
    s = begun(project)
    found = s.execute("ticket.note", NOTE)
    later(patch, 950)
    s.execute("ticket.note", NOTE)
    return s


@life(ALLOW, ASK)
def grant_expired(project, patch):
    s = begun(project)
    found = s.execute("ticket.note", NOTE)
    s.approvals.grant(found.approval_id, BY, reason="fine")
    later(patch, 950)
    s.resolve(GOAL)
    s.execute("ticket.note", NOTE)
    return s


@life(ALLOW, ASK)
def any_arguments(project, patch):
    s = begun(project)
    found = s.execute("ticket.note", NOTE)
    s.approvals.grant(found.approval_id, BY, scope=Scope(uses=2, any_arguments=True))
    for text in "abc":
        s.execute("ticket.note", {**NOTE, "text": text})
    found = s.execute("ticket.pay", NOTE)
    s.approvals.grant(
        found.approval_id, BY, scope=Scope(uses=None, until="2100-01-01T00:00:00.000000Z")
    )
    for text in "abc":
        s.execute("ticket.pay", NOTE)
    return s


@life(ALLOW, ASK)
def explicit_approval(project, patch):
    s = begun(project)
    one = s.execute("ticket.note", NOTE)
    two = s.execute("ticket.note", {**NOTE, "text": "b"})
    s.approvals.grant(one.approval_id, BY, scope=Scope(uses=2, any_arguments=True))
    s.approvals.grant(two.approval_id, BY, scope=Scope(uses=2, any_arguments=True))
    s.execute("ticket.note", NOTE, approval_id=one.approval_id)
    s.execute("ticket.note", NOTE)
    return s


@life(ALLOW, ASK)
def program_approves(project, patch):
    s = begun(project)
    s.execute("ticket.note", NOTE, approver=lambda _: True)
    s.execute("ticket.pay", NOTE, approver=lambda _: False)
    s.execute("ticket.note", {**NOTE, "text": "b"}, approver=lambda _: None)
    return s


@life(ALLOW, ASK, rule("no-pay", "deny", "ticket.close"))
def dry_runs(project, patch):
    s = begun(project)
    s.simulate("ticket.read", {"id": 4})
    s.simulate("ticket.note", NOTE)
    s.simulate("ticket.close", NOTE)
    s.execute("ticket.pretend")
    return s


@life()
def keys(project, patch):
    s = begun(project)
    s.execute("ticket.read", {"id": 4}, idempotency_key="k")
    s.execute("ticket.read", {"id": 4}, idempotency_key="k")
    with pytest.raises(UsageError):
        s.execute("ticket.read", {"id": 5}, idempotency_key="k")
    s.execute("ticket.fail", {"why": "x"}, idempotency_key="l")
    s.execute("ticket.fail", {"why": "x"}, idempotency_key="l")
    return s


def _limited(per):
    def limited(project, patch):
        a, b = begun(project), begun(project, agent="agent")
        c = begun(project, agent="other")
        for s in (a, b, c, a, b, c, a, b, c):
            s.execute("ticket.note", NOTE)
        return b

    limited.__name__ = f"limit_per_{per}"
    return limited


for per in ("session", "agent", "project"):
    life(ALLOW, limit("few", per, 4 if per != "session" else 2))(_limited(per))

BUDGET = {"max_cost": 12, "window_seconds": 600, "per": "project"}


@life(ALLOW, rule("cost", "budget", "ticket.pay", parameters=BUDGET))
def budgets(project, patch):
    a, b = begun(project), begun(project)
    for s in (a, b, a, b):
        s.execute("ticket.pay", NOTE)
    later(patch, 700)
    for s in (a, b, a, b):
        s.resolve(GOAL)
        s.execute("ticket.pay", NOTE)
    return a


@life(ALLOW, rule("hosts", "allow", "host.*"))
def host_functions(project, patch):
    s = begun(project)

    def refund(ticket: int, amount: float = 5.0) -> dict:
        return {"ticket": ticket}

    f = govern(refund, session=s)
    f(3)
    f(4, amount=2.5)
    return s


@life(ALLOW, rule("hosts", "allow", "host.*"))
def host_session(project, patch):
    def refund(ticket: int, amount: float = 5.0) -> dict:
        return {"ticket": ticket}

    def fail(ticket: int) -> dict:
        raise KeyError("x")

    f = govern(refund, project=project)
    f(3)
    with pytest.raises(KeyError):
        govern(fail, project=project)(3)
    f(4, amount=2.5)
    return project.host_session()


@life(ALLOW)
def host_denied(project, patch):
    def refund(ticket: int, amount: float = 5.0) -> dict:
        return {"ticket": ticket}

    f = govern(refund, project=project)
    with pytest.raises(Denied):
        f(3)
    return project.host_session()


@life()
def child(project, patch):
    p = begun(project, scopes=["a", "b"])
    s = begun(project, parent=p.id, scopes=["a"])
    s.execute("ticket.note", NOTE)
    return s


@life()
def child_of_ended(project, patch):
    p = begun(project)
    s = begun(project, parent=p.id)
    s.execute("ticket.note", NOTE)
    p.end()
    with pytest.raises(CraError):
        s.execute("ticket.note", NOTE)
    return s


@life(
    rule("roles", "allow", conditions={"roles": ["lead"]}),
    agents={"agent": {"roles": ["x"], "scopes": ["a"], "context": {"site": "paris"}}},
)
def roles(project, patch):
    s = begun(
        project,
        roles=["lead"],
        context={"team": "blue", "token": TOKEN},
        principal={"id": "u1", "type": "user"},
    )
    s.execute("ticket.note", NOTE)
    return s


@life(ALLOW, ASK, trace={"detail": "full"})
def full(project, patch):
    s = begun(project)
    s.execute("ticket.read", {"id": 4})
    s.execute("ticket.note", NOTE)
    s.execute("ticket.fail", {"why": "x"})
    return s


@life(trace={"detail": "full"})
def full_without_calls(project, patch):
    s = project.session()
    return s


@life()
def cached(project, patch):
    s = begun(project)
    s.resolve(GOAL)
    s.execute("ticket.read", {"id": 4})
    s.resolve(
        "read a ticket",
        risk_tier="low",
        hints=["x"],
        capabilities=[],
        atlas_ids=["com.example.desk"],
        context={"a": 1},
    )
    s.resolve(GOAL)
    return s


@life()
def resolved_in_another_opening(project, patch):
    s = begun(project)
    s.barrier()
    with opened(project.root) as again:
        t = again.session(session_id=s.id)
        t.resolve(GOAL)
        t.execute("ticket.read", {"id": 4})
        t.barrier()
    s.resolve(GOAL)
    s.execute("ticket.read", {"id": 4})
    return s


@life()
def failures(project, patch):
    s = begun(project)
    s.execute("ticket.fail", {"why": "x"})
    s.execute("ticket.fail", {"why": TOKEN})
    s.execute("ticket.read", {"id": 1})
    return s


@life()
def blobs(project, patch):
    s = begun(project)
    s.execute("ticket.sort", {"items": ["x" * 70_000]})
    s.execute("ticket.sort", {"items": [["x" * 70_000], {"a": list(range(20000))}]})
    return s


@life()
def secrets(project, patch):
    s = begun(project)
    s.execute("ticket.note", {**NOTE, "text": f"use {TOKEN} now"})
    s.execute("ticket.note", {**NOTE, "text": f"use {OTHER} now"})
    s.execute("ticket.sort", {"items": [TOKEN, 1]})
    s.resolve(f"use {TOKEN}", hints=[TOKEN], context={"key": TOKEN})
    s.execute("ticket.note", {**NOTE, "text": f"use {TOKEN} now"})
    return s


@life()
def secret_misfit(project, patch):
    s = begun(project)
    with pytest.raises(ArgumentsRefused):
        s.execute("ticket.note", {"file": 3, "text": TOKEN})
    return s


@life(ALLOW, ASK)
def secret_granted(project, patch):
    s = begun(project)
    call = {**NOTE, "text": TOKEN}
    found = s.execute("ticket.note", call)
    s.approvals.grant(found.approval_id, BY)
    s.execute("ticket.note", call)
    s.execute("ticket.note", call)
    return s


@life()
def odd_values(project, patch):
    s = begun(project)
    s.execute(
        "ticket.sort", {"items": [{"$redacted": "x"}, {"$blob": 3}, {"$text": []}, {"$obj": 1}]}
    )
    s.execute("ticket.sort", {"items": [1e300, 2**53 - 1, "é\u2028\x00", None, True, {}]})
    s.execute(
        "ticket.sort",
        {"items": [{"[redacted github_token 12345678]": "[redacted github_token 12345678]"}]},
    )
    return s


@life()
def threads(project, patch):
    s = begun(project)

    def work(n):
        for at in range(5):
            s.execute("ticket.sort", {"items": [n, at]})

    found = [threading.Thread(target=work, args=(n,)) for n in range(3)]
    [t.start() for t in found]
    [t.join() for t in found]
    return s


@life()
def session_expired(project, patch):
    s = project.session(ttl_seconds=60)
    s.resolve(GOAL)
    s.execute("ticket.read", {"id": 4})
    later(patch, 100)
    with pytest.raises(CraError):
        s.execute("ticket.read", {"id": 4})
    s.end()
    return s


@life()
def resolution_expired(project, patch):
    s = begun(project)
    s.execute("ticket.read", {"id": 4})
    later(patch, 1000)
    s.execute("ticket.read", {"id": 4})
    s.resolve(GOAL)
    s.execute("ticket.read", {"id": 4})
    return s


@life()
def open_intent(project, patch):
    s = begun(project)
    call = s.freeze("ticket.read", {"id": 4})
    s.intend(call, None, None)
    s.execute("ticket.read", {"id": 4})
    return s


@life()
def open_intent_ended(project, patch):
    s = begun(project)
    call = s.freeze("ticket.read", {"id": 4})
    s.intend(call, None, None)
    s.end("gone", force=True)
    return s


@life()
def clock_back(project, patch):
    s = begun(project)
    s.execute("ticket.read", {"id": 4})
    later(patch, -100)
    s.execute("ticket.read", {"id": 4})
    s.resolve(GOAL)
    s.execute("ticket.read", {"id": 4})
    return s


@life()
def requests(project, patch):
    s = project.session()
    new = s.project.ledger.source.new_id
    from cra.resolver.request import task_of

    one = s.resolve_task(task_of(GOAL), new())
    s.execute(
        "ticket.read", {"id": 4}, request_id=new(), resolution_id=one.document["resolution_id"]
    )
    s.simulate("ticket.read", {"id": 4}, request_id=new())
    return s


@pytest.mark.parametrize("name", LIVES)
def test_life(name, tmp_path, monkeypatch):
    function, policies, settings = LIVES[name]
    place = write_desk(tmp_path / "p", *policies, settings=settings)
    with opened(place) as project, pytest.MonkeyPatch.context() as patch:
        done = recorded(function(project, patch))
    report = replayed(place, writes=True)
    assert not report.error, report.error
    assert (report.compatibility, done.report.compatibility, report.pending) == (
        "identical",
        "identical",
        None,
    ), report.differences
    print(report.unverifiable)
