"""A golden trace, done again: the same under the same rules, and else exactly what has changed."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path
from time import gmtime
from typing import Any

import pytest

from cra import govern
from cra.atlas.lock import write_lock
from cra.errors import ArgumentsRefused, GoldenRefused, UnknownAction, UsageError
from cra.ledger.retention import redact
from cra.replay.check import Report
from cra.replay.record import record
from cra.runtime.approval import Scope
from cra.runtime.session import GovernedSession
from tests.goldens import (
    actions_but,
    change_desk,
    golden_of,
    manifest_of,
    opened,
    recorded,
    replayed,
    set_config,
    told,
    trace_file,
    write_desk,
)
from tests.governed import ALLOW, CODE, GOAL, MANIFEST, TEXT, begun, limit, rule, write_rules
from tests.lives import APPROVER, ASK, BY, HOSTS, LIVES, NOTE, TOKEN, asked, later, refund

NO_NOTES = rule("no-notes", "deny", "ticket.note", reason="not today")
NOT_RECORDED = "the arguments did not fit, and are not recorded"
CHANGED = ("the atlas com.example.desk has changed",)


def schema(*required: str, **properties: Any) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": {"file": TEXT, "text": TEXT, **properties},
        "required": ["file", *required],
        "additionalProperties": False,
    }


def live(session: GovernedSession) -> None:
    session.execute("ticket.note", NOTE)
    session.execute("ticket.read", {"id": 4})
    session.end()


@pytest.fixture
def desk(tmp_path: Path) -> Path:
    """A desk with a golden `one`: a note is made, and a ticket read."""
    return lived(tmp_path / "desk", live)


def lived(
    place: Path, life: Callable[[GovernedSession], object], *policies: dict[str, Any], **more: Any
) -> Path:
    write_desk(place, *(policies or (ALLOW,)), **more)
    with opened(place) as project:
        session = begun(project)
        life(session)
        assert recorded(session).report.compatibility == "identical"
    return place


def flips(report: Report) -> list[tuple[str | None, str]]:
    """By action: what is decided otherwise at the call."""
    return [
        (one.action_id, one.reason.partition("now ")[2])
        for one in report.differences
        if one.path.endswith("/decision")
    ]


# The same again


@pytest.mark.parametrize("name", LIVES)
def test_what_was_recorded_is_identical_under_the_same_rules(tmp_path, name):
    live, policies, desk, settings = LIVES[name]
    place = write_desk(tmp_path / "desk", *policies, settings=settings, **desk)
    with opened(place) as project, pytest.MonkeyPatch.context() as patch:
        done = recorded(live(project, patch)).report
    again = replayed(place, writes=True)

    assert (again.error, again.differences) == (None, ())
    assert (done.compatibility, again.compatibility) == ("identical", "identical")
    assert (again.state, again.pending, again.changed) == ("passed", None, ())


def test_a_replay_runs_nothing_and_writes_nothing_of_the_project(tmp_path):
    witness = tmp_path / "witness"
    place = lived(
        tmp_path / "desk", lambda session: session.execute("ticket.note", {"file": str(witness)})
    )
    before = {path: path.stat().st_mtime_ns for path in place.rglob("*")}
    assert replayed(place, writes=True).compatibility == "identical"

    assert {path: path.stat().st_mtime_ns for path in place.rglob("*")} == before
    assert witness.read_text() == "done\n"


def test_two_goldens_of_interleaved_sessions_are_each_their_own(tmp_path):
    place = write_desk(tmp_path / "desk", ALLOW, limit("few", "project", 4))
    with opened(place) as project:
        one, other = begun(project), begun(project)
        for _ in range(3):
            for session in (one, other):
                session.execute("ticket.note", NOTE)
        recorded(one, "one")
        recorded(other, "other")

    assert (place / "goldens" / "one" / "limits.json").is_file()
    for name in ("one", "other"):
        assert replayed(place, name).compatibility == "identical"


def test_what_other_sessions_take_of_a_limit_counts_in_the_golden_alone(tmp_path):
    place = lived(tmp_path / "desk", live, ALLOW, limit("few", "project", 3))
    with opened(place) as project:
        session = begun(project)
        for _ in range(5):
            session.execute("ticket.note", NOTE)

    assert replayed(place).compatibility == "identical"


def test_the_time_is_the_goldens(tmp_path, monkeypatch):
    """A rule by the day decides as it did, whenever it is done again."""
    days = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
    today = days[gmtime().tm_wday]
    window = {"time_window": {"days": [today, days[(days.index(today) + 1) % 7]]}}
    place = lived(tmp_path / "desk", live, {**ALLOW, "conditions": window})
    later(monkeypatch, 3 * 86_400)
    with opened(place) as project:
        assert begun(project).execute("ticket.note", NOTE).status == "denied"

    assert replayed(place).compatibility == "identical"


def test_an_order_of_calls_that_overlap_may_be_another(tmp_path):
    """What two threads did at once is done again in the order of the recording."""
    place = write_desk(tmp_path / "desk", ALLOW)
    with opened(place) as project:
        session = begun(project)
        calls = [session.freeze("ticket.read", {"id": at}) for at in range(4)]
        intents = [session.intend(call, None, None) for call in calls]
        for at in (2, 0, 3, 1):
            session.conclude(intents[at], session.run(calls[at]), 5)
        recorded(session)

    for order in ("partial", "strict"):
        assert replayed(place, order=order).compatibility == "identical"


# Something has changed


def test_a_rule_that_denies_now_is_a_flip_and_the_first_difference(desk):
    write_rules(desk, ALLOW, NO_NOTES)
    report = replayed(desk)

    assert (report.state, report.compatibility) == ("different", "breaking")
    assert report.changed == ("policies/rules.json has changed",)
    place = "policies/rules.json:1:74"
    assert told(report) == [
        (
            "breaking",
            "changed",
            f"the decision flipped: allowed, now denied by no-notes: not today ({place})",
        )
    ]
    assert flips(report) == [("ticket.note", f"denied by no-notes: not today ({place})")]
    assert "ticket.read" not in {one.action_id for one in report.differences}


def test_a_rule_that_asks_now_is_a_flip(desk):
    write_rules(desk, ALLOW, rule("asks", "require_approval", "ticket.note"))
    [[action, said]] = flips(replayed(desk))

    assert action == "ticket.note"
    assert said.startswith("to be approved by asks")


def test_another_rule_with_the_same_answer_is_minor(desk):
    write_rules(desk, rule("desk-permits", "allow"))
    report = replayed(desk)

    assert (report.state, report.compatibility) == ("passed", "minor")
    assert {one.path.rpartition(".")[2] for one in report.differences} == {"policy_id"}


def test_a_file_of_rules_that_decide_alike_is_told_and_changes_nothing(desk):
    rules = desk / "policies" / "rules.json"
    rules.write_text(f"{rules.read_text()}\n")
    report = replayed(desk, writes=True)

    assert report.compatibility == "identical"
    assert report.changed == ("policies/rules.json has changed",)
    assert report.pending is None
    assert replayed(desk, writes=True, refreshes=True).pending is not None


def test_a_schema_that_the_call_does_not_fit_any_more_denies_it(desk):
    change_desk(desk, actions=actions_but("ticket.note", parameters_schema=schema("text")))
    report = replayed(desk)

    assert (report.compatibility, report.changed) == ("breaking", CHANGED)
    assert flips(report) == [
        ("ticket.note", "denied: ticket.note: text: expected a value, found none")
    ]
    assert [reason for _, _, reason in told(report)] == ["required is new"]


def test_a_schema_of_an_action_that_nobody_called_is_minor(desk):
    change_desk(desk, actions=actions_but("ticket.pay", parameters_schema=schema("text")))
    report = replayed(desk)

    assert (report.state, report.compatibility) == ("passed", "minor")
    assert {one.action_id for one in report.differences} == {"ticket.pay", None}


def test_code_that_has_changed_is_minor_for_nothing_of_it_was_run(desk):
    change_desk(desk, code=CODE + b"# another\n")
    report = replayed(desk)

    assert (report.state, report.compatibility, report.changed) == ("passed", "minor", CHANGED)
    assert [reason for _, _, reason in told(report)] == [
        f"implementation changed, not run: the code of {name}"
        for name in ("ticket.note", "ticket.read")
    ]


def test_code_that_an_action_imports_is_of_its_implementation(tmp_path):
    helper = b"TITLE = 'The printer is on fire'\n"
    code = b"import more.helper\nfrom more import other\n" + CODE
    files = {"more.py": b"", "unread.py": b"x = (\n", "helper.txt": b"a"}
    place = write_desk(tmp_path / "desk", ALLOW, code=code, files=files)
    (place / "atlases" / "desk" / "more").mkdir()
    packages = {"more/__init__.py": b"from .helper import TITLE\n", "more/helper.py": helper,
                "more/other.py": b""}  # fmt: skip
    (place / "atlases" / "desk" / "more.py").unlink()
    files.pop("more.py")
    change_desk(place, code=code, files={**files, **packages})
    with opened(place) as project:
        session = begun(project)
        session.execute("ticket.read", {"id": 4})
        recorded(session)

    change_desk(place, code=code, files={**files, **packages, "helper.txt": b"b"})
    assert replayed(place).compatibility == "identical"
    change_desk(place, code=code, files={**files, **packages, "more/helper.py": helper + b"#\n"})
    assert [reason for _, _, reason in told(replayed(place))] == [
        "implementation changed, not run: the code of ticket.read"
    ]


def test_another_executor_is_another_implementation(desk):
    change_desk(desk, actions=actions_but("ticket.note", executor="python:desk:sort"))

    assert [reason for _, _, reason in told(replayed(desk))] == [
        "implementation changed, not run: the executor of ticket.note"
    ]


def test_an_executor_that_is_gone_is_another_implementation(desk):
    executor: Any = {"executor": None}
    actions = [dict(one) for one in actions_but("ticket.note", **executor)]
    for action in actions:
        if action["executor"] is None:
            del action["executor"]
    change_desk(desk, actions=actions)
    report = replayed(desk)

    assert report.compatibility == "breaking"
    assert "ticket.note" in {one.action_id for one in report.differences}


@pytest.mark.parametrize("is_whole", [True, False], ids=["the atlas", "the action"])
def test_what_is_gone_is_a_difference_and_no_mistake(desk, is_whole):
    if is_whole:
        (desk / "cra.config.json").write_text("{}")
        write_lock(desk, [])
    else:
        change_desk(desk, actions=[
            one for one in MANIFEST["actions"] if one["action_id"] != "ticket.note"])  # fmt: skip
    report = replayed(desk, writes=True)

    assert (report.state, report.compatibility, report.error) == ("different", "breaking", None)
    words = "the atlas com.example.desk is gone" if is_whole else CHANGED[0]
    assert report.changed == (words,)
    assert flips(report)[0][0] == "ticket.note"
    assert "expected an action of this project's atlases" in flips(report)[0][1]


def test_an_action_that_is_new_and_offered_is_breaking(desk):
    extra = {**MANIFEST["actions"][0], "action_id": "ticket.extra"}
    change_desk(desk, actions=[*MANIFEST["actions"], extra])

    assert told(replayed(desk)) == [("breaking", "inserted", "allowed_actions is new")]


@pytest.mark.parametrize(
    ("policies", "compatibility"),
    [
        ({"resolution_ttl_seconds": 1_000}, "minor"),
        ({"require_approval_for": ["low"]}, "breaking"),
        ({"default_risk_tier": "critical"}, "identical"),
        ({"approval_ttl_seconds": 60}, "identical"),
    ],
)
def test_settings_are_todays(desk, policies, compatibility):
    set_config(desk, policies=policies)

    assert replayed(desk).compatibility == compatibility


def test_scopes_that_an_agent_has_no_more_are_not_there(tmp_path):
    agents = {"agent": {"scopes": ["notes", "reads"]}}
    needs = rule("noters", "allow", "ticket.note", conditions={"scopes": ["notes"]})
    reads = rule("readers", "allow", "ticket.read")
    place = lived(tmp_path / "desk", live, needs, reads, settings={"agents": agents})
    set_config(place, agents={"agent": {"scopes": ["reads"]}})
    report = replayed(place)

    assert report.compatibility == "breaking"
    assert [action for action, _ in flips(report)] == ["ticket.note"]


def test_words_that_have_changed_are_minor(desk):
    change_desk(desk, actions=actions_but("ticket.note", description="note that"))

    assert replayed(desk).compatibility == "minor"


def test_a_context_that_has_changed_is_breaking(tmp_path):
    packs = [{"pack_id": "rules", "name": "Rules", "files": ["rules.md"], "priority": 1}]
    place = write_desk(tmp_path / "desk", ALLOW, context_packs=packs, files={"rules.md": b"Five"})
    with opened(place) as project:
        recorded(begun(project))
    change_desk(place, context_packs=packs, files={"rules.md": b"Six"})
    report = replayed(place)

    assert report.compatibility == "breaking"
    assert "context_blocks[" in report.differences[0].path


def test_an_approval_that_is_not_needed_any_more_is_a_flip(tmp_path):
    def life(session: GovernedSession) -> None:
        session.approvals.grant(asked(session), BY)
        session.execute("ticket.note", NOTE)
        session.execute("ticket.read", {"id": 4})

    place = lived(tmp_path / "desk", life, ALLOW, ASK)
    write_rules(place, ALLOW)
    report = replayed(place)

    assert flips(report)[0] == ("ticket.note", "allowed by desk-allows (policies/rules.json:1:2)")
    assert "ticket.read" not in {one.action_id for one in report.differences}


def test_a_grant_does_not_lift_what_denies_today(tmp_path):
    def life(session: GovernedSession) -> None:
        session.approvals.grant(asked(session), BY, scope=Scope(any_arguments=True))
        session.execute("ticket.note", NOTE)

    place = lived(tmp_path / "desk", life, ALLOW, ASK)
    write_rules(place, ALLOW, ASK, NO_NOTES)
    assert {said.partition(":")[0] for _, said in flips(replayed(place))} == {"denied by no-notes"}

    change_desk(place, actions=actions_but("ticket.note", risk_tier="critical"))
    write_rules(place, ALLOW, ASK)
    report = replayed(place)
    assert [said.partition(":")[0] for _, said in flips(report)] == [
        "to be approved by a-person-looks"
    ]


def test_a_grant_that_only_a_key_may_give_today_does_not_count(tmp_path):
    def life(session: GovernedSession) -> None:
        session.approvals.grant(asked(session), BY)
        session.execute("ticket.note", NOTE)

    place = lived(tmp_path / "desk", life, ALLOW, ASK)
    write_rules(place, ALLOW, {**ASK, "parameters": {"approvers": [APPROVER]}})

    assert [said.partition(" ")[0] for _, said in flips(replayed(place))] == ["to"]


def test_a_call_that_was_none_and_fits_now_is_not_known_well_enough(tmp_path):
    def life(session: GovernedSession) -> None:
        with pytest.raises(ArgumentsRefused):
            session.execute("ticket.note", {**NOTE, "more": "x"})

    place = lived(tmp_path / "desk", life)
    change_desk(place, actions=actions_but("ticket.note", parameters_schema=schema(more=TEXT)))
    report = replayed(place)

    assert report.compatibility == "minor"
    assert report.unverifiable == (f"event 3: {NOT_RECORDED}",)


def test_an_action_that_was_unknown_and_is_there_now_is_not_decided(tmp_path):
    def life(session: GovernedSession) -> None:
        with pytest.raises(UnknownAction):
            session.execute("ticket.extra", {"id": 1})

    place = lived(tmp_path / "desk", life)
    extra = {**MANIFEST["actions"][0], "action_id": "ticket.extra"}
    change_desk(place, actions=[*MANIFEST["actions"], extra])
    report = replayed(place)

    assert [
        (one.type, one.reason) for one in report.differences if one.event_type == "action.denied"
    ] == [("unverifiable", NOT_RECORDED)]


# Really done again


def test_in_the_mode_execute_the_actions_run_in_a_copy(tmp_path):
    place = lived(tmp_path / "desk", write_a_file, actions=WRITING)
    written = place / "data" / "note.txt"
    assert written.read_text() == "hello"
    written.unlink()
    report = replayed(place, mode="execute", environ=dict(os.environ))

    assert (report.mode, report.compatibility) == ("execute", "identical")
    assert not written.exists()


def write_a_file(session: GovernedSession) -> None:
    (session.project.root / "data").mkdir()
    assert session.execute("ticket.write", {"content": "hello"}).status == "success"


WRITING = [
    {
        "action_id": "ticket.write",
        "name": "write a ticket",
        "description": "write a ticket",
        "parameters_schema": {"type": "object", "properties": {"content": TEXT}},
        "executor": {"type": "file", "operation": "write", "root": "data", "path": "note.txt"},
        "risk_tier": "low",
    }
]


def test_a_result_that_is_another_shows_in_the_mode_execute_alone(desk):
    change_desk(desk, code=CODE.replace(b"on fire", b"fine"))
    report = replayed(desk, mode="execute", environ={})
    [one] = report.differences

    assert report.compatibility == "breaking"
    assert one.path.endswith("action.executed/payload.result.title")
    assert (one.before, one.after) == ("The printer is on fire", "The printer is fine")
    assert replayed(desk).compatibility == "minor"


def test_a_failure_that_is_another_shows_in_the_mode_execute(tmp_path):
    place = lived(tmp_path / "desk", lambda session: session.execute("ticket.fail", {"why": "x"}))
    assert replayed(place, mode="execute", environ={}).compatibility == "identical"
    change_desk(place, code=CODE.replace(b"ValueError(why)", b"KeyError(why)"))
    report = replayed(place, mode="execute", environ={})

    assert report.compatibility == "breaking"
    assert "payload.error." in report.differences[0].path


def test_what_cra_cannot_run_in_the_mode_execute_is_unverifiable(tmp_path):
    place = write_desk(tmp_path / "desk", ALLOW, HOSTS)
    with opened(place) as project:
        govern(refund, project=project)(3)
        recorded(project.host_session())
    report = replayed(place, mode="execute", environ={})

    assert (report.state, report.compatibility) == ("passed", "minor")
    assert [(one.type, one.reason) for one in report.differences] == [
        ("unverifiable", "a function of a host program, which cra cannot run")
    ]


def test_a_call_with_a_secret_is_not_run_again(tmp_path):
    witness = tmp_path / "witness"
    call = {"file": str(witness), "text": TOKEN}
    place = lived(tmp_path / "desk", lambda session: session.execute("ticket.note", call))
    report = replayed(place, mode="execute", environ={})

    assert [one.reason for one in report.differences] == ["it is not run, since text is redacted"]
    assert len(witness.read_text().splitlines()) == 1


def test_a_run_that_had_no_outcome_has_one_in_the_mode_execute(tmp_path):
    def life(session: GovernedSession) -> None:
        session.intend(session.freeze("ticket.read", {"id": 4}), None, None)

    place = lived(tmp_path / "desk", life)

    assert [
        (one.type, one.action_id) for one in replayed(place, mode="execute", environ={}).differences
    ] == [("inserted", "ticket.read")]


# Secrets, which are not recorded


def secret_desk(place: Path, *policies: dict[str, Any], **desk: Any) -> Path:
    write_desk(place, ALLOW, *policies, **desk)
    with opened(place) as project:
        session = begun(project)
        session.execute("ticket.note", {**NOTE, "text": f"use {TOKEN}"})
        recorded(session)
    return place


LONG = {"properties": {"text": {"type": "string", "minLength": 30}}, "required": ["text"]}


@pytest.mark.parametrize(
    ("policies", "desk"),
    [
        ([rule("no-long", "deny", "ticket.pay", conditions={"parameters": LONG})], {}),
        ([], {"actions": actions_but("ticket.pay", parameters_schema=schema("text"))}),
    ],
)
def test_a_secret_that_nothing_reads_hinders_nothing(tmp_path, policies, desk):
    place = secret_desk(tmp_path / "desk", *policies, **desk)
    report = replayed(place)

    assert (report.compatibility, report.unverifiable) == ("identical", ())


def reads(**members: Any) -> dict[str, Any]:
    return {"actions": actions_but("ticket.note", parameters_schema=members)}


@pytest.mark.parametrize(
    ("policies", "desk"),
    [
        ([rule("no-long", "deny", "ticket.note", conditions={"parameters": LONG})], {}),
        ([], reads(**schema(text={"type": "string", "minLength": 3}))),
        ([], reads(**schema(), maxProperties=5)),
    ],
)
def test_a_secret_that_a_rule_or_a_schema_reads_is_expected_to_be_unverifiable(
    tmp_path, policies, desk
):
    place = secret_desk(tmp_path / "desk", *policies, **desk)
    report = replayed(place, fail_on="minor")

    assert (report.state, report.differences) == ("passed", ())
    assert report.unverifiable == ("event 3: a rule or the schema reads text, which is redacted",)
    assert manifest_of(place)["expectations"] == {"unverifiable": [3]}


def test_a_rule_that_reads_a_secret_since_it_was_recorded_is_told(tmp_path):
    place = secret_desk(tmp_path / "desk")
    write_rules(
        place, ALLOW, rule("no-long", "deny", "ticket.note", conditions={"parameters": LONG})
    )
    report = replayed(place)

    assert report.compatibility == "minor"
    assert told(report)[-1] == (
        "minor", "unverifiable", "a rule or the schema reads text, which is redacted")  # fmt: skip


SECRET = {**NOTE, "text": TOKEN}


def ask_and_end(session: GovernedSession) -> None:
    session.approvals.grant(asked(session, text=TOKEN), BY)
    session.execute("ticket.note", SECRET)
    session.end()


def deny_and_end(session: GovernedSession) -> None:
    session.approvals.deny(asked(session, text=TOKEN), BY)
    session.execute("ticket.note", SECRET)
    session.end()


@pytest.mark.parametrize("life", [ask_and_end, deny_and_end])
def test_what_follows_from_a_call_that_cannot_be_decided_is_expected_too(tmp_path, life):
    ask = rule("asks", "require_approval", "ticket.note", conditions={"parameters": LONG})
    place = write_desk(tmp_path / "desk", ALLOW, ask)
    with opened(place) as project:
        session = begun(project)
        life(session)
        recorded(session)
    report = replayed(place, fail_on="minor")

    assert (report.state, report.differences) == ("passed", ())
    assert len(report.unverifiable) == 3
    write_rules(place, ALLOW, rule("no-reads", "deny", "ticket.read"), ask)
    assert replayed(place).compatibility == "breaking"


def test_what_does_not_fit_beside_a_secret_is_refused(tmp_path):
    place = secret_desk(tmp_path / "desk")
    change_desk(place, actions=actions_but("ticket.note", parameters_schema={
        "type": "object", "properties": {"text": TEXT}, "required": ["text"],
        "additionalProperties": False}))  # fmt: skip
    report = replayed(place)

    assert [(action, said.partition(":")[0]) for action, said in flips(report)] == [
        ("ticket.note", "denied")
    ]
    change_desk(place, actions=[
        one for one in MANIFEST["actions"] if one["action_id"] != "ticket.note"])  # fmt: skip
    assert flips(replayed(place))[0][0] == "ticket.note"


def test_a_result_with_a_secret_is_taken_from_the_recording(tmp_path):
    place = write_desk(tmp_path / "desk", ALLOW, actions=LEAKING, code=LEAK)
    with opened(place) as project:
        session = begun(project)
        assert session.execute("ticket.read", {"id": 4}).result["text"] == f"it is {TOKEN}"
        recorded(session)

    assert replayed(place).compatibility == "identical"


LEAK = CODE.replace(b'"The printer is on fire"}', f'"x", "text": "it is {TOKEN}"}}'.encode())
LEAKING = actions_but("ticket.read", returns_schema={"type": "object"})


# What cannot be recorded


def test_a_session_with_a_redacted_payload_is_refused(desk):
    with opened(desk) as project:
        session = begun(project)
        live(session)
    with opened(desk) as project:
        redact(project.ledger, session.id, 3, "a slip")
        with pytest.raises(GoldenRefused, match="found event 3 redacted"):
            record(project.config, trace_file(session), "two")

    assert not golden_of(desk, "two").exists()
    assert [path.name for path in (desk / "goldens").iterdir()] == ["one"]


def test_a_damaged_session_is_refused(desk):
    with opened(desk) as project:
        session = begun(project)
        live(session)
    path = trace_file(session)
    path.write_bytes(path.read_bytes().replace(b'"id":4', b'"id":5'))
    with pytest.raises(GoldenRefused, match="expected a whole session"):
        record(project.config, path, "two")

    assert [path.name for path in (desk / "goldens").iterdir()] == ["one"]


@pytest.mark.parametrize("name", ["", "A", "../one", "a/b", ".hidden", "x.new", "x" * 101, "é"])
def test_a_name_that_is_none_is_refused(desk, name):
    with opened(desk) as project:
        session = begun(project)
        with pytest.raises(UsageError, match="expected a name of"):
            recorded(session, name)


def test_a_name_is_taken_once_and_replaced_when_that_is_wanted(desk):
    with opened(desk) as project:
        session = begun(project)
        session.end()
        with pytest.raises(UsageError, match="a name without a golden, found one"):
            recorded(session, "one")
        record(project.config, trace_file(session), "one", replaces=True)

    assert manifest_of(desk)["steps"] == [f"resolve: {GOAL}"]
    names = {path.name for path in golden_of(desk).iterdir()}
    assert names == {"manifest.json", f"{session.id}.trace.jsonl", f"{session.id}.checkpoint"}


def test_git_is_told_once_to_leave_line_ends_alone(desk):
    (desk / ".gitattributes").write_text("*.png binary")
    with opened(desk) as project:
        for name in ("two", "three"):
            recorded(begun(project), name)

    assert (desk / ".gitattributes").read_text() == "*.png binary\ngoldens/** -text\n"
