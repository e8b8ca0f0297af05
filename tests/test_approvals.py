"""Approvals: who may grant what, for which call, how often and until when."""

from __future__ import annotations

import asyncio
import json
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

import pytest

from cra.atlas.lock import pin_of, write_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.package import read_package
from cra.errors import Denied, NotFound, SignerRefused, UsageError
from cra.ledger import source
from cra.ledger.checkpoint import Signer
from cra.ledger.keys import create_key
from cra.ledger.store import Session as Record
from cra.protocol.events import Approver
from cra.runtime.approval import Scope
from cra.runtime.project import Project
from cra.runtime.session import GovernedSession
from tests.governed import (
    ALLOW,
    DESK,
    GOAL,
    begun,
    configure,
    events,
    limit,
    payload_of,
    rule,
    types_since,
    write_project,
    write_rules,
)

ASK = rule("a-person-looks", "require_approval", "ticket.note", "ticket.pay")
BY: Approver = {"how": "program", "name": "reviewer"}
CONSUMED = ["approval.consumed", "action.approved", "action.executed"]


@pytest.fixture
def desk() -> Iterator[GovernedSession]:
    with Project.temporary([DESK], [ALLOW, ASK]) as project:
        yield begun(project)


@pytest.fixture
def note(tmp_path: Path) -> tuple[str, dict[str, str]]:
    return "ticket.note", {"file": str(tmp_path / "witness")}


def runs(note: tuple[str, dict[str, str]]) -> int:
    witness = Path(note[1]["file"])
    return len(witness.read_text().splitlines()) if witness.exists() else 0


def asked(session: GovernedSession, call: tuple[str, dict[str, str]]) -> str:
    pending = session.execute(*call)
    assert (pending.status, pending.policy_id) == ("pending_approval", "a-person-looks")
    assert pending.approval_id is not None
    return pending.approval_id


def later(monkeypatch: pytest.MonkeyPatch, seconds: int) -> None:
    now = source.time.time_ns()
    monkeypatch.setattr(source.time, "time_ns", lambda: now + seconds * 10**9)


# Asking and granting


def test_a_granted_call_runs_once(desk, note):
    approval_id = asked(desk, note)
    desk.approvals.grant(approval_id, BY)
    before = desk.size
    done = desk.execute(*note)

    assert (done.status, done.approval_id) == ("success", approval_id)
    assert types_since(desk, before) == CONSUMED
    assert desk.approvals.standing(approval_id) == "used up"

    again = desk.execute(*note)
    assert again.status == "pending_approval"
    assert again.approval_id != approval_id
    assert runs(note) == 1


def test_what_was_asked_says_what_the_grant_will_bind_to(desk, note):
    approval_id = asked(desk, note)
    [event] = events(desk, "approval.requested")
    said = payload_of(event)

    assert said["approval_id"] == approval_id
    assert said["arguments"] == note[1]
    assert said["binding"] == {
        "action_digest": desk.project.snapshot.actions["ticket.note"][0].digest,
        "action_id": "ticket.note",
        "agent_id": "agent",
        "arguments_digest": said["arguments_digest"],
        "ledger_id": desk.project.ledger.id,
        "session_id": desk.id,
        "snapshot": desk.project.snapshot.digest,
    }


def test_whoever_asks_again_asks_for_the_same_approval(desk, note):
    assert asked(desk, note) == asked(desk, note)
    assert len(events(desk, "approval.requested")) == 1


@pytest.mark.parametrize("how", ["terminal", "key", "program"])
def test_the_word_of_a_program_is_recorded_as_that_whatever_it_says(desk, note, how):
    session = desk
    session.approvals.grant(asked(session, note), {"how": how, "name": "reviewer"})

    [granted] = events(session, "approval.granted")
    assert payload_of(granted)["approver"] == {"how": "program", "name": "reviewer"}
    assert session.execute(*note).status == "success"


def test_a_grant_is_for_its_arguments_alone(desk, note):
    desk.approvals.grant(asked(desk, note), BY)
    other = desk.execute("ticket.note", {**note[1], "text": "more"})

    assert other.status == "pending_approval"
    assert runs(note) == 0


def test_a_grant_is_for_its_action_alone(desk, note):
    desk.approvals.grant(asked(desk, note), BY)

    assert desk.execute("ticket.pay", note[1]).status == "pending_approval"


def test_a_grant_for_another_call_is_refused_where_none_is_needed(desk, note):
    approval_id = asked(desk, note)
    desk.approvals.grant(approval_id, BY)

    with pytest.raises(UsageError, match="was given for another call"):
        desk.execute("ticket.read", {"id": 1}, approval_id=approval_id)
    with pytest.raises(NotFound):
        desk.execute("ticket.read", {"id": 1}, approval_id="none")
    assert [one.event_type for one in events(desk)].count("action.executed") == 0
    assert desk.execute(*note, approval_id=approval_id).status == "success"


def test_a_grant_is_for_its_session_alone(desk, note):
    desk.approvals.grant(asked(desk, note), BY)
    other = begun(desk.project)

    assert other.execute(*note).status == "pending_approval"
    [event] = events(desk, "approval.requested")
    with pytest.raises(NotFound, match="expected an approval of the session"):
        other.approvals.grant(payload_of(event)["approval_id"], BY)


@pytest.mark.parametrize(("scope", "allowed"), [(Scope(uses=3), 3), (Scope(uses=None), 5)])
def test_a_grant_holds_for_as_many_calls_as_it_says(desk, note, scope, allowed):
    desk.approvals.grant(asked(desk, note), BY, scope=scope)

    answers = [desk.execute(*note).status for _ in range(5)]
    assert answers.count("success") == allowed
    assert runs(note) == allowed


def test_a_grant_for_any_arguments_holds_for_others_too(desk, note):
    desk.approvals.grant(asked(desk, note), BY, scope=Scope(uses=2, any_arguments=True))

    assert desk.execute("ticket.note", {**note[1], "text": "more"}).status == "success"
    assert desk.execute("ticket.pay", note[1]).status == "pending_approval"


def test_a_critical_action_is_never_approved_for_any_arguments(desk, note):
    desk.resolve(GOAL, risk_tier="critical")
    approval_id = asked(desk, note)

    with pytest.raises(UsageError, match="risk tier critical"):
        desk.approvals.grant(approval_id, BY, scope=Scope(any_arguments=True))
    assert desk.approvals.standing(approval_id) == "pending"


def test_a_grant_for_any_arguments_does_not_reach_a_critical_task(desk, note):
    desk.approvals.grant(asked(desk, note), BY, scope=Scope(uses=None, any_arguments=True))
    critical = desk.resolve(GOAL, risk_tier="critical").resolution_id
    found = desk.execute("ticket.note", {**note[1], "text": "x"}, resolution_id=critical)

    assert found.status == "pending_approval"


def test_a_denial_holds_against_the_same_call(desk, note):
    desk.approvals.deny(asked(desk, note), BY, reason="not today")
    before = desk.size
    found = desk.execute(*note)

    assert (found.status, found.policy_id) == ("denied", "a-person-looks")
    assert "reviewer denied it: not today" in found.reason
    assert types_since(desk, before) == ["action.denied"]
    assert desk.execute("ticket.note", {**note[1], "text": "x"}).status == "pending_approval"


@pytest.mark.parametrize("first", ["grant", "deny"])
def test_the_first_decision_wins(desk, note, first):
    approval_id = asked(desk, note)
    getattr(desk.approvals, first)(approval_id, BY)

    for second in (desk.approvals.grant, desk.approvals.deny):
        with pytest.raises(UsageError, match="that waits for a decision"):
            second(approval_id, BY)
    assert (desk.execute(*note).status == "success") is (first == "grant")


def test_an_approval_lifts_no_other_rung(note):
    rate = limit("few", "session", 1)
    with Project.temporary([DESK], [ALLOW, ASK, rate]) as project:
        session = begun(project)
        session.approvals.grant(asked(session, note), BY, scope=Scope(uses=5))

        assert session.execute(*note).status == "success"
        over = session.execute(*note)
        assert (over.status, over.policy_id) == ("denied", "few")
        assert len(events(session, "approval.consumed")) == 1


def test_a_dry_run_consumes_no_grant(desk, note):
    approval_id = asked(desk, note)
    desk.approvals.grant(approval_id, BY)

    assert desk.simulate(*note).status == "success"
    assert desk.approvals.standing(approval_id) == "granted"
    assert runs(note) == 0


def test_an_approval_can_be_named(desk, note):
    approval_id = asked(desk, note)
    with pytest.raises(UsageError, match="is pending"):
        desk.execute(*note, approval_id=approval_id)
    desk.approvals.grant(approval_id, BY)

    with pytest.raises(UsageError, match="given for another call"):
        desk.execute("ticket.pay", note[1], approval_id=approval_id)
    assert desk.execute(*note, approval_id=approval_id).approval_id == approval_id


@pytest.mark.parametrize("uses", [0, -1, 1_000_001])
def test_a_grant_is_for_a_number_of_calls(uses):
    with pytest.raises(UsageError, match="a grant for 1 to"):
        Scope(uses=uses)


# Time


def test_a_request_for_an_approval_expires_and_is_made_anew(note, monkeypatch):
    config = {"policies": {"approval_ttl_seconds": 60}}
    with Project.temporary([DESK], [ALLOW, ASK], config=config) as project:
        session = begun(project)
        first = asked(session, note)
        later(monkeypatch, 61)

        with pytest.raises(UsageError, match="is expired"):
            session.approvals.grant(first, BY)
        second = asked(session, note)

        assert second != first
        assert [payload_of(e)["approval_id"] for e in events(session, "approval.expired")] == [
            first
        ]


def test_a_grant_expires(note, monkeypatch):
    config = {"policies": {"approval_ttl_seconds": 60}}
    with Project.temporary([DESK], [ALLOW, ASK], config=config) as project:
        session = begun(project)
        session.approvals.grant(asked(session, note), BY, scope=Scope(uses=None))
        assert session.execute(*note).status == "success"
        later(monkeypatch, 61)

        assert session.execute(*note).status == "pending_approval"


def test_a_clock_that_steps_back_revives_no_grant(note, monkeypatch):
    config = {"policies": {"approval_ttl_seconds": 60}}
    with Project.temporary([DESK], [ALLOW, ASK], config=config) as project:
        session = begun(project)
        session.approvals.grant(asked(session, note), BY, scope=Scope(uses=None))
        later(monkeypatch, 61)
        assert session.execute(*note).status == "pending_approval"
        later(monkeypatch, -120)

        assert session.execute(*note).status == "pending_approval"
        assert runs(note) == 0


# Keys


@pytest.fixture
def approver(tmp_path: Path) -> Signer:
    return create_key(tmp_path / "keys" / "approver.pem")


def signed_desk(*keys: str, in_rule: bool = True) -> Project:
    asking = rule("a-person-looks", "require_approval", "ticket.note",
                  parameters={"approvers": list(keys)} if in_rule else {})  # fmt: skip
    config = {} if in_rule else {"policies": {"approvers": list(keys)}}
    return Project.temporary([DESK], [ALLOW, asking], config=config)


@pytest.mark.parametrize("in_rule", [True, False])
def test_a_listed_key_approves(note, approver, in_rule):
    with signed_desk(str(approver.key), in_rule=in_rule) as project:
        session = begun(project)
        approval_id = asked(session, note)
        session.approvals.grant(approval_id, BY, signer=approver)

        assert session.execute(*note).status == "success"
        [granted] = events(session, "approval.granted")
        assert payload_of(granted)["approver"] == {
            "how": "key", "key": str(approver.key), "name": "reviewer"}  # fmt: skip


@pytest.mark.parametrize("in_rule", [True, False])
def test_where_keys_are_listed_nobody_s_word_counts(note, approver, in_rule):
    with signed_desk(str(approver.key), in_rule=in_rule) as project:
        session = begun(project)
        approval_id = asked(session, note)

        with pytest.raises(SignerRefused, match="expected a signature"):
            session.approvals.grant(approval_id, BY)
        with pytest.raises(SignerRefused, match="expected a signature"):
            session.execute(*note, approver=lambda _: True)
        assert session.execute(*note).status == "pending_approval"


def test_a_key_that_nobody_listed_approves_nothing(tmp_path, note, approver):
    stranger = create_key(tmp_path / "keys" / "stranger.pem")
    with signed_desk(str(approver.key)) as project:
        session = begun(project)
        with pytest.raises(SignerRefused, match="listed approver"):
            session.approvals.grant(asked(session, note), BY, signer=stranger)
    with Project.temporary([DESK], [ALLOW, ASK]) as project:
        session = begun(project)
        with pytest.raises(SignerRefused, match="listed approver"):
            session.approvals.grant(asked(session, note), BY, signer=stranger)


def test_the_ledger_s_key_approves_nothing(tmp_path, note, approver):
    place = write_project(tmp_path / "project", ALLOW, rule(
        "a-person-looks", "require_approval", "ticket.note",
        parameters={"approvers": [str(approver.key)]}))  # fmt: skip
    environ = {
        "HOME": str(tmp_path),
        "CRA_SIGNING_KEY_FILE": str(tmp_path / "keys" / "approver.pem"),
    }
    settings = {"atlases": ["atlases/desk"], "keys": [str(approver.key)]}
    (place / "cra.config.json").write_text(json.dumps(settings))
    with Project.open(place, environ=environ) as project:
        assert project.ledger.signer is not None
        session = begun(project)
        with pytest.raises(SignerRefused, match="the key that signs the ledger"):
            session.approvals.grant(asked(session, note), BY, signer=approver)


def test_a_signature_is_over_all_that_the_grant_says(note, approver):
    """Each member of a signed grant, changed as whoever can write the ledger could change it."""
    changes = {
        "uses": 99,
        "any_arguments": True,
        "expires_at": "2999-01-01T00:00:00.000000Z",
        "reason": "because",
        "binding": "0" * 64,
    }
    with signed_desk(str(approver.key)) as project:
        for name, value in changes.items():
            session = begun(project)
            approval_id = asked(session, note)
            made = unrecorded_grant(session, approval_id, approver)
            record_of(session).append("approval.granted", {**made, name: value})

            assert session.execute(*note).status == "pending_approval", name
    assert runs(note) == 0


def test_a_signed_grant_does_not_move_to_another_request(note, approver):
    with signed_desk(str(approver.key)) as project:
        first, second = begun(project), begun(project)
        made = unrecorded_grant(first, asked(first, note), approver)
        record_of(second).append("approval.granted", {**made, "approval_id": asked(second, note)})

        assert second.execute(*note).status == "pending_approval"


def unrecorded_grant(
    session: GovernedSession, approval_id: str, signer: Signer | None = None
) -> dict[str, object]:
    """The payload of a grant that is made and does not reach the ledger."""
    recorded: list[dict[str, object]] = []
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(record_of(session), "append", lambda _, said, **__: recorded.append(said))
        session.approvals.grant(approval_id, BY, signer=signer)
    return json.loads(json.dumps(recorded[0]))


def record_of(session: GovernedSession) -> Record:
    return session.project.ledger.session(session.id)


# Who asks in which process


def run(place: Path, program: str) -> str:
    done = subprocess.run(
        [sys.executable, "-c", "import sys\nfrom cra.runtime.project import Project\n"
         "project = Project.open('.')\n" + program],
        cwd=place,
        env={"PYTHONPATH": str(Path(__file__).parents[1]), "HOME": str(place)},
        capture_output=True, encoding="utf-8", check=False, timeout=60,
    )  # fmt: skip
    assert "Traceback" not in done.stderr, done.stderr
    return done.stdout


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project", ALLOW, ASK)


def opened(place: Path) -> Project:
    return Project.open(place, environ={"HOME": str(place)})


def test_a_grant_of_another_process_counts(place, note):
    with opened(place) as project:
        session = begun(project)
        approval_id = asked(session, note)
        session.barrier()
        run(
            place,
            f"""
project.session(session_id={session.id!r}).approvals.grant({approval_id!r}, {BY!r})
project.close()""",
        )

        assert session.execute(*note).status == "success"


def test_a_policy_that_changed_is_asked_for_anew(place, note):
    with opened(place) as project:
        session = begun(project)
        approval_id = asked(session, note)
        session.approvals.grant(approval_id, BY)
    write_rules(place, ALLOW, ASK, rule("another", "deny", "ticket.fail"))
    with opened(place) as project:
        session = project.session(session_id=session.id)
        session.resolve(GOAL)
        assert session.execute(*note).status == "pending_approval"
        assert runs(note) == 0


def test_what_was_asked_under_other_rules_cannot_be_granted(place, note):
    with opened(place) as project:
        session = begun(project)
        approval_id = asked(session, note)
    write_rules(place, ALLOW, ASK, rule("another", "deny", "ticket.fail"))
    with opened(place) as project:
        again = project.session(session_id=session.id)
        with pytest.raises(UsageError, match="they have changed"):
            again.approvals.grant(approval_id, BY)


def test_a_grant_under_other_settings_confers_nothing(place, note):
    with opened(place) as project:
        session = begun(project)
        session.approvals.grant(asked(session, note), BY)
    configure(place, agents={"agent": {"roles": ["admin"]}})
    with opened(place) as project:
        session = project.session(session_id=session.id)
        session.resolve(GOAL)
        assert session.execute(*note).status == "pending_approval"
        assert runs(note) == 0


def test_an_atlas_that_changed_is_asked_for_anew(place, note):
    with opened(place) as project:
        session = begun(project)
        approval_id = asked(session, note)
        session.approvals.grant(approval_id, BY)
    code = place / "atlases" / "desk" / "desk.py"
    code.write_bytes(code.read_bytes() + b"\n# another program\n")
    atlas = load_atlas(read_package(place / "atlases" / "desk"), "desk")
    write_lock(place, [pin_of(atlas, "atlases/desk")])
    with opened(place) as project:
        again = project.session(session_id=session.id)
        again.resolve(GOAL)
        assert again.execute(*note).status == "pending_approval"
    assert runs(note) == 0


def test_a_grant_of_another_project_confers_nothing(tmp_path, note):
    """The same atlas, rules, call and names: the ledger is another, and so is the session."""
    made: list[dict[str, object]] = []
    for name in ("one", "other"):
        there = write_project(tmp_path / name, ALLOW, ASK)
        with Project.open(there, environ={"HOME": str(there)}) as project:
            session = begun(project)
            approval_id = asked(session, note)
            made.append(unrecorded_grant(session, approval_id))
            if name == "other":
                foreign = {**made[0], "approval_id": approval_id}
                record_of(session).append("approval.granted", foreign)
                assert session.execute(*note).status == "pending_approval"
    assert runs(note) == 0


def test_an_approver_listed_after_a_call_was_asked_for_can_grant_it(place, note, approver):
    with opened(place) as project:
        session = begun(project)
        first = asked(session, note)
    configure(place, policies={"approvers": [str(approver.key)]})
    with opened(place) as project:
        again = project.session(session_id=session.id)
        again.resolve(GOAL)
        second = asked(again, note)
        again.approvals.grant(second, BY, signer=approver)

        assert second != first
        assert again.execute(*note).status == "success"


FORGE = """
from cra.ledger.chain import decode
import os
record = project.ledger.session({session!r})
record.append("approval.granted", {payload!r})
# Killed before any checkpoint: nobody vouches for what was appended.
os._exit(9)
"""


def test_a_grant_that_nobody_vouches_for_confers_nothing(place, note):
    with opened(place) as project:
        session = begun(project)
        approval_id = asked(session, note)
        session.barrier()
        payload = unrecorded_grant(session, approval_id)
        run(place, FORGE.format(session=session.id, payload=payload))

        assert session.execute(*note).status == "pending_approval"
        assert [event.event_type for event in events(session)].count("approval.granted") == 1
        # And it is no decision: a person can still decide.
        session.approvals.deny(approval_id, BY)
        assert session.execute(*note).status == "denied"
    assert runs(note) == 0


def test_what_was_answered_can_be_granted_though_who_asked_was_killed(place, note):
    with opened(place) as project:
        session = begun(project)
        program = f"""
import os, sys
print(project.session(session_id={session.id!r}).execute(*{note!r}).approval_id)
sys.stdout.flush()
os._exit(0)
"""
        session.barrier()
        session.approvals.grant(run(place, program).strip(), BY)

        assert session.execute(*note).status == "success"


def test_a_question_that_nobody_vouches_for_is_asked_anew(place, note):
    with opened(place) as project:
        session = begun(project)
        session.barrier()
        # Killed within the barrier: the event is there, and no checkpoint covers it.
        run(
            place,
            "import os\n"
            "from cra.ledger import files\n"
            "files.replace = lambda *_, **__: os._exit(0)\n"
            f"project.session(session_id={session.id!r}).execute(*{note!r})",
        )
        approval_id = asked(session, note)
        lost, anew = (payload_of(one) for one in events(session, "approval.requested"))

        assert [lost["binding"], anew["approval_id"]] == [anew["binding"], approval_id]
        session.approvals.grant(approval_id, BY)
        assert session.execute(*note).status == "success"


def test_decisions_and_uses_of_many_threads_have_one_winner(place, note):
    with opened(place) as project, ThreadPoolExecutor(4) as pool:
        for _ in range(20):
            session = begun(project)
            approvals, approval_id = session.approvals, asked(session, note)
            ways = [approvals.grant, approvals.deny] * 2
            won = list(pool.map(did, [partial(way, approval_id, BY) for way in ways]))
            before = runs(note)
            done = list(pool.map(lambda call: call().status, [partial(session.execute, *note)] * 4))

            assert won.count(True) == 1
            is_granted = won.index(True) % 2 == 0
            assert done.count("success") == is_granted == runs(note) - before


def did(decide: Callable[[], None]) -> bool:
    try:
        decide()
    except UsageError:
        return False
    return True


def test_a_grant_is_consumed_by_one_of_many_processes(place, note):
    with opened(place) as project:
        session = begun(project)
        approval_id = asked(session, note)
        session.approvals.grant(approval_id, BY)
        session.barrier()
    program = f"print(project.session(session_id={session.id!r}).execute(*{note!r}).status)"
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda _: run(place, program).strip(), range(4)))

    assert sorted(answers) == ["pending_approval"] * 3 + ["success"]
    assert runs(note) == 1


DECIDE = """
import os, time
from cra.errors import UsageError
approvals = project.session(session_id={session!r}).approvals
decide = getattr(approvals, {way!r})
open({ready!r}, "w").close()
while not os.path.exists("go"):
    time.sleep(0.001)
for approval_id in {asked!r}:
    try:
        decide(approval_id, {by!r})
        print({way!r})
    except UsageError:
        print("late")
"""


def test_a_grant_and_a_denial_of_many_processes_have_one_winner(place, note):
    action, arguments = note
    calls = [(action, {**arguments, "text": str(number)}) for number in range(8)]
    with opened(place) as project:
        session = begun(project)
        waiting = [asked(session, call) for call in calls]
    ready = [place / f"ready-{number}" for number in range(4)]

    def decide(number: int) -> list[str]:
        way = ("grant", "deny")[number % 2]
        facts = {"session": session.id, "asked": waiting, "by": BY}
        program = DECIDE.format(way=way, ready=str(ready[number]), **facts)
        return run(place, program).split()

    with ThreadPoolExecutor(4) as pool:
        running = [pool.submit(decide, number) for number in range(4)]
        while not all(path.exists() for path in ready):
            time.sleep(0.01)
        (place / "go").touch()
        said = [one.result() for one in running]

    won = [[way for way in each if way != "late"] for each in zip(*said, strict=True)]
    assert [len(ways) for ways in won] == [1] * len(calls)
    with opened(place) as project:
        again = project.session(session_id=session.id)
        done = [again.execute(*call).status for call in calls]
    assert done == ["success" if ways == ["grant"] else "denied" for ways in won]
    assert runs(note) == done.count("success")


# A host program that asks in its own way


def test_a_program_s_own_approver_sees_the_call_and_decides(desk, note):
    seen = []

    def ask(approval) -> bool:
        seen.append((approval.action_id, approval.arguments, approval.asked["policy_id"]))
        return True

    assert desk.execute(*note, approver=ask).status == "success"
    assert seen == [("ticket.note", note[1], "a-person-looks")]
    [granted] = events(desk, "approval.granted")
    assert payload_of(granted)["approver"]["how"] == "program"
    assert "ask" in payload_of(granted)["approver"]["name"]


def test_a_program_s_own_approver_may_refuse_or_leave_it(desk, note):
    assert desk.execute(*note, approver=lambda _: None).status == "pending_approval"
    refused = desk.execute(*note, approver=lambda _: False)

    assert refused.status == "denied"
    with pytest.raises(Denied, match="denied it"):
        _ = refused.result
    assert runs(note) == 0


@pytest.mark.parametrize(("decision", "status"), [("grant", "success"), ("deny", "denied")])
def test_an_approver_that_leaves_it_to_others_may_wait_for_them(tmp_path, note, decision, status):
    place = write_project(tmp_path / "desk", ALLOW, ASK)
    with ThreadPoolExecutor() as elsewhere, Project.open(place) as project:
        session, decided = begun(project), []

        def decide(approval_id: str) -> None:
            with Project.open(place) as other:
                approvals = other.session(session_id=session.id).approvals
                getattr(approvals, decision)(approval_id, BY)

        def wait(approval) -> None:
            decided.append(elsewhere.submit(decide, approval.approval_id))
            session.approvals.wait(approval.approval_id, 60)

        done = session.execute(*note, approver=wait)

        assert [one.result() for one in decided] == [None]
    assert done.status == status
    assert runs(note) == (status == "success")


def test_a_wait_ends_with_the_seconds_or_with_the_approval(desk, note, monkeypatch):
    approval_id = asked(desk, note)

    assert desk.approvals.wait(approval_id, 0.01) == "pending"
    later(monkeypatch, 3_601)
    assert desk.approvals.wait(approval_id) == "expired"
    with pytest.raises(NotFound):
        desk.approvals.wait("another")


def test_an_approver_is_asked_for_what_waits_alone(desk, note):
    def never(_approval) -> bool:
        raise AssertionError

    assert desk.execute("ticket.read", {"id": 1}, approver=never).status == "success"
    assert desk.simulate(*note).status == "pending_approval"
    desk.approvals.grant(asked(desk, note), BY)
    assert desk.execute(*note, approver=never).status == "success"


def test_an_approver_that_fails_grants_nothing(desk, note):
    def fail(_approval) -> bool:
        raise RuntimeError("the chat is down")

    with pytest.raises(RuntimeError, match="the chat is down"):
        desk.execute(*note, approver=fail)
    assert desk.execute(*note).status == "pending_approval"


def test_a_task_may_await_its_approver(desk, note):
    async def ask(_approval) -> bool:
        await asyncio.sleep(0)
        return True

    assert asyncio.run(desk.execute_async(*note, approver=ask)).status == "success"
    assert asyncio.run(desk.execute_async(*note, approver=lambda _: False)).status == "denied"


def test_large_arguments_are_shown_whole(desk, note):
    long = {**note[1], "text": "x" * 200_000}
    approval_id = asked(desk, ("ticket.note", long))

    assert desk.approvals.find(approval_id).arguments == long
    desk.approvals.grant(approval_id, BY)
    assert desk.execute("ticket.note", long).status == "success"
