"""`cra policy backtest` and `suggest`: recorded calls under other rules."""

from __future__ import annotations

import json
import re
import time
from pathlib import Path
from typing import Any

import pytest

from cra.ledger import source
from cra.ledger.retention import prune
from cra.policy.backtest import backtest
from cra.runtime.history import past_calls
from cra.runtime.project import Project
from cra.runtime.record import record_intent
from cra.runtime.reservations import Reservations
from tests.console import follow
from tests.governed import ALLOW, DESK, begun, limit, rule, write_project, write_rules
from tests.program import answer, cra

NO_NOTES = rule("no-notes", "deny", "ticket.note", reason="notes are closed")
ASK = rule("a-person-looks", "require_approval", "ticket.note")
BY: Any = {"how": "program", "name": "reviewer"}


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project", ALLOW, NO_NOTES)


def record(place: Path, *calls: tuple[str, dict[str, Any]], agent: str = "agent") -> None:
    with Project.open(place, environ={"HOME": str(place)}) as project:
        session = begun(project, agent=agent)
        for action, arguments in calls:
            session.execute(action, arguments)


def note(place: Path, text: str = "x") -> tuple[str, dict[str, Any]]:
    return "ticket.note", {"file": str(place.parent / "witness"), "text": text}


SECRET = "ghp_" + "a1B2c3D4e5F6g7H8i9J0k1L2m3N4o5P6q7R8"
READ = ("ticket.read", {"id": 1})


def draft(place: Path, *rules: Any) -> Path:
    file = place / "draft.json"
    file.write_text(json.dumps(rules))
    return file


def backtested(place: Path, *arguments: str | Path) -> tuple[int, dict[str, Any]]:
    done = cra(place, "policy", "backtest", "--json", *arguments)
    assert done.stdout, done.stderr
    return done.returncode, json.loads(done.stdout)


def test_the_same_rules_decide_the_same(place):
    record(place, READ, note(place), READ)

    assert backtested(place) == (
        0,
        {"calls": 3, "left_out": {}, "widened": 0, "counts": {}, "flips": []},
    )


def test_a_call_that_would_be_allowed_flips_and_fails_a_pipeline(place):
    record(place, READ, note(place))
    code, found = backtested(place, "--policies", draft(place, ALLOW))

    assert (code, found["widened"], found["counts"]) == (1, 1, {"deny → allow": 1})
    [flip] = found["flips"]
    assert (flip["action_id"], flip["agent_id"], flip["widened"]) == ("ticket.note", "agent", True)
    assert flip["before"] == {"type": "deny", "policy_id": "no-notes"}
    assert flip["after"]["policy_id"] == "desk-allows"
    assert backtested(place, "--policies", draft(place, ALLOW), "--allow-widening")[0] == 0


def test_a_call_that_would_be_denied_flips_and_fails_nothing(place):
    record(place, READ, READ)
    stricter = draft(place, ALLOW, rule("no-reading", "deny", "ticket.read"))
    code, found = backtested(place, "--policies", stricter)

    assert (code, found["counts"]) == (0, {"allow → deny": 2})


def test_a_directory_of_rules_stands_in_for_the_project_s(place):
    record(place, note(place))
    drafts = place / "drafts"
    drafts.mkdir()
    (drafts / "a.json").write_text(json.dumps([ALLOW]))
    (drafts / "b.yaml").write_text("- {policy_id: other, type: deny, actions: [ticket.fail]}\n")

    assert backtested(place, "--policies", drafts)[1]["counts"] == {"deny → allow": 1}


def test_arguments_decide_again(place):
    record(place, note(place, "short"), note(place, "long" * 20))
    long = {"type": "object", "properties": {"text": {"type": "string", "minLength": 20}}}
    rules = draft(place, ALLOW, {**NO_NOTES, "conditions": {"parameters": long}})
    found = backtested(place, "--policies", rules)[1]

    assert [flip["arguments"]["text"] for flip in found["flips"]] == ["short"]


def test_calls_are_chosen_by_agent_and_time(place):
    record(place, note(place))
    record(place, note(place), agent="other")
    rules = draft(place, ALLOW)

    assert backtested(place, "--policies", rules)[1]["calls"] == 2
    assert backtested(place, "--policies", rules, "--agent", "other")[1]["calls"] == 1
    assert backtested(place, "--policies", rules, "--since", "1h")[1]["calls"] == 2
    with Project.open(place, environ={"HOME": str(place)}) as project:
        later = source.later(project.ledger.source.now(), 60)
        assert past_calls(project, since=later).calls == []


def test_limits_are_counted_as_the_new_rules_would_have(tmp_path):
    place = write_project(tmp_path / "project", ALLOW)
    record(place, *[note(place)] * 3)
    record(place, *[note(place)] * 3)

    for per, denied in (("session", 2), ("agent", 4), ("project", 4)):
        found = backtested(place, "--policies", draft(place, ALLOW, limit("few", per, 2)))[1]
        assert found["counts"] == {"allow → deny": denied}, per


def test_unchosen_calls_take_of_shared_limits_too(tmp_path):
    place = write_project(tmp_path / "project", ALLOW, limit("few", "project", 2))
    record(place, *[note(place)] * 2, agent="other")
    record(place, note(place))
    code, found = backtested(place, "--agent", "agent")

    assert (code, found["calls"], found["flips"]) == (0, 1, [])


def test_what_cannot_be_decided_again_takes_of_limits_what_it_took(tmp_path):
    rules = [limit(per, per, 2) for per in ("session", "project")]
    place = write_project(tmp_path / "project", ALLOW, *rules)
    record(place, note(place, SECRET), note(place, SECRET), note(place))
    record(place, note(place))
    code, found = backtested(place)

    assert (code, found["calls"], found["flips"]) == (0, 2, [])
    assert found["left_out"] == {"with a secret in the arguments, which is not recorded": 2}


def test_a_session_that_was_pruned_has_taken_of_shared_limits(tmp_path):
    place = write_project(tmp_path / "project", ALLOW, limit("few", "project", 2))
    with Project.open(place, environ={"HOME": str(place)}) as project:
        first = begun(project)
        for _ in range(2):
            first.execute(*note(place))
        first.end()
        begun(project).execute(*note(place))
        later = source.later(project.ledger.source.now(), 601)
        with pytest.MonkeyPatch.context() as patch:
            patch.setattr(project.ledger.source, "now", lambda: later)
            prune(project.ledger, first.id, "tidying")

    assert backtested(place)[1]["flips"] == []


@pytest.mark.parametrize("per", ["session", "project"])
def test_rules_that_did_not_change_flip_nothing_right_at_the_end_of_a_window(tmp_path, per):
    window = {"max_calls": 1, "window_seconds": 1, "per": per}
    short = rule("short", "rate_limit", "ticket.note", parameters=window)
    place = write_project(tmp_path / "project", ALLOW, short)
    with Project.open(place, environ={"HOME": str(place)}) as project:
        session = begun(project)
        done = [session.execute(*note(place)).status for _ in range(1_000)]

    assert len(set(done)) == 2
    assert backtested(place)[1]["flips"] == []


def test_a_share_is_taken_when_it_was_decided_and_not_when_the_journal_had_it(
    tmp_path, monkeypatch
):
    """Between the two lies a moment, in which the window of an earlier share may end."""
    window = {"max_calls": 1, "window_seconds": 1, "per": "project"}
    short = rule("short", "rate_limit", "ticket.note", parameters=window)
    place = write_project(tmp_path / "project", ALLOW, short)
    reserve = Reservations.reserve

    def slow(*stated: Any) -> None:
        monkeypatch.undo()
        time.sleep(0.6)
        reserve(*stated)

    with Project.open(place, environ={"HOME": str(place)}) as project:
        session = begun(project)
        monkeypatch.setattr(Reservations, "reserve", slow)
        done = [session.execute(*note(place)).status]
        time.sleep(0.6)
        done.append(session.execute(*note(place)).status)

    assert done == ["success", "success"]
    assert backtested(place)[1]["flips"] == []


def test_calls_are_in_the_order_in_which_they_took_of_a_shared_limit(tmp_path, monkeypatch):
    """What is reserved first may be recorded last."""
    place = write_project(tmp_path / "project", ALLOW, limit("one", "project", 1))
    with Project.open(place, environ={"HOME": str(place)}) as project:
        first, second = begun(project), begun(project)
        done = []

        def slow(*stated: Any) -> None:
            monkeypatch.undo()
            done.append(second.execute(*note(place)).status)
            record_intent(*stated)

        monkeypatch.setattr("cra.runtime.session.record_intent", slow)
        done.append(first.execute(*note(place)).status)

    assert done == ["denied", "success"]
    assert backtested(place)[1]["flips"] == []


def test_what_was_approved_counts_as_approved(tmp_path):
    place = write_project(tmp_path / "project", ALLOW, ASK)
    with Project.open(place, environ={"HOME": str(place)}) as project:
        session = begun(project)
        asked = session.execute(*note(place)).approval_id
        assert asked is not None
        session.approvals.grant(asked, BY)
        session.execute(*note(place))

    assert backtested(place)[1]["counts"] == {}
    # Without the rule, the call that waited would have been let through.
    code, found = backtested(place, "--policies", draft(place, ALLOW))
    assert (code, found["counts"]) == (1, {"requires_approval → allow": 1})


def test_what_a_person_refused_is_left_out_and_counted(tmp_path):
    place = write_project(tmp_path / "project", ALLOW, ASK)
    with Project.open(place, environ={"HOME": str(place)}) as project:
        session = begun(project)
        asked = session.execute(*note(place)).approval_id
        assert asked is not None
        session.approvals.deny(asked, BY)
        session.execute(*note(place))
    found = backtested(place)[1]

    assert found["left_out"] == {"denied by a person": 1}
    assert found["counts"] == {}


def test_what_policy_did_not_decide_is_left_out_and_counted(place):
    with Project.open(place, environ={"HOME": str(place)}) as project:
        session = project.session()
        session.execute(*READ)  # nothing was resolved yet
        session.resolve("read a ticket")
        session.simulate(*READ)

    assert backtested(place)[1] == {
        "calls": 0,
        "left_out": {"not decided by policy": 1},
        "widened": 0,
        "counts": {},
        "flips": [],
    }


def test_what_is_printed_names_the_calls(place):
    record(place, READ, note(place))
    done = cra(place, "policy", "backtest", "--policies", draft(place, ALLOW))

    assert done.returncode == 1
    assert "deny → allow  ticket.note" in done.stdout
    assert "a rule allows it (desk-allows); before: no-notes" in done.stdout
    assert "1 of 2 calls would be decided otherwise, 1 let further" in done.stdout


@pytest.mark.parametrize(
    ("text", "found"),
    [("[{", "JSON"), ('[{"policy_id": "x"}]', "type"), (None, "found none")],
)
def test_rules_that_cannot_be_read_are_an_error(place, text, found):
    record(place, READ)
    file = place / "bad.json"
    if text is not None:
        file.write_text(text)
    done = cra(place, "policy", "backtest", "--policies", file)

    assert done.returncode == 2
    assert found in done.stderr


def test_nothing_is_recorded_by_a_backtest(place):
    record(place, READ, note(place))
    before = {path: path.read_bytes() for path in (place / "cra.trace").glob("*.jsonl")}
    backtested(place, "--policies", draft(place, ALLOW))
    answer(place, "policy", "suggest")

    assert {path: path.read_bytes() for path in (place / "cra.trace").glob("*.jsonl")} == before


# Suggesting rules


def test_suggested_rules_cover_what_was_done_and_nothing_else(place):
    record(place, READ, READ, note(place), ("ticket.sort", {"items": []}))
    record(place, READ, agent="other one")
    rules = json.loads(answer(place, "policy", "suggest"))

    assert [(one["policy_id"], one["actions"], one["conditions"]) for one in rules] == [
        ("used-by-agent", ["ticket.read", "ticket.sort"], {"agents": ["agent"]}),
        ("used-by-other-one", ["ticket.read"], {"agents": ["other one"]}),
    ]
    code, found = backtested(place, "--policies", draft(place, *rules, NO_NOTES))
    assert (code, found["counts"]) == (0, {})


def test_suggested_tests_pass_with_the_suggested_rules(place):
    record(place, READ, ("ticket.sort", {"items": [2, 1]}))
    tests = answer(place, "policy", "suggest", "--tests")
    rules = json.loads(answer(place, "policy", "suggest"))
    write_rules(place, *rules, NO_NOTES)
    (place / "tests" / "policies").mkdir(parents=True)
    (place / "tests" / "policies" / "used.json").write_text(tests)

    assert json.loads(answer(place, "policy", "test", "--json"))["passed"] == 2
    # Without one of the rules, its test fails.
    write_rules(place, rule("other", "allow", "ticket.sort"), NO_NOTES)
    assert cra(place, "policy", "test").returncode == 1


def test_what_the_help_of_suggest_shows_can_be_done(place):
    record(place, READ)
    (place / "tests" / "policies").mkdir(parents=True)
    examples = re.findall(r"^  (cra .*)", answer(place, "help", "policy", "suggest"), re.MULTILINE)

    ran = follow(place, "".join(f"$ {example}\n" for example in examples))

    assert len(ran) == 3
    assert [step.done.returncode for step in ran] == [0, 0, 0], ran[0].done.stderr


def test_rules_are_suggested_from_one_session(place):
    record(place, ("ticket.sort", {"items": []}))
    record(place, READ)
    [found] = json.loads(answer(place, "policy", "suggest", "--session", "last"))

    assert found["actions"] == ["ticket.read"]
    assert cra(place, "policy", "suggest", "--session", "none").returncode == 2


def test_a_call_with_a_secret_is_covered_and_makes_no_test(place):
    record(place, ("ticket.sort", {"items": [SECRET]}), READ)
    done = cra(place, "policy", "suggest")
    tests = cra(place, "policy", "suggest", "--tests")

    assert json.loads(done.stdout)[0]["actions"] == ["ticket.read", "ticket.sort"]
    assert "left out" not in done.stderr
    assert [one["call"]["action"] for one in json.loads(tests.stdout)["tests"]] == ["ticket.read"]
    assert "left out: 1 with a secret in the arguments" in tests.stderr


def test_where_nothing_was_done_nothing_is_suggested(place):
    record(place, note(place))
    done = cra(place, "policy", "suggest")

    assert (done.returncode, done.stdout) == (1, "")
    assert "nothing to suggest" in done.stderr


def test_an_order_of_outcomes_says_what_is_wider(tmp_path):
    place = write_project(tmp_path / "project", ALLOW, ASK, NO_NOTES)
    record(place, note(place))
    with Project.open(place, environ={"HOME": str(place)}) as project:
        calls = past_calls(project).calls
        rules = [one.rule for one in project.policy.rules if one.rule.policy_id != "no-notes"]
        [flip] = backtest(project.policy_under(rules), calls)

    assert (flip.past.outcome, flip.ruling.outcome, flip.is_wider) == (
        "deny", "requires_approval", True)  # fmt: skip


def test_a_backtest_of_a_temporary_project_reads_its_ledger():
    with Project.temporary([DESK], [ALLOW]) as project:
        begun(project).execute(*READ)
        assert [past.call.action_id for past in past_calls(project).calls] == ["ticket.read"]
