"""`cra session show --at`: a session at any of its events, from the ledger alone."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cra.runtime.project import Project
from tests.governed import ALLOW, GOAL, limit, rule, write_project
from tests.program import answer, cra

ASK = rule("a-person-looks", "require_approval", "ticket.pay")
FEW = limit("few-notes", "session", 3)


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = write_project(tmp_path / "project", ALLOW, ASK, FEW)
    with Project.open(place, environ={"HOME": str(tmp_path)}) as project:
        session = project.session("cli")
        session.resolve(GOAL)  # events 1 and 2
        session.execute("ticket.note", {"file": str(tmp_path / "witness")})  # 3 and 4
        asked = session.execute("ticket.pay", {"file": "x"})  # 5
        session.approvals.grant(asked.approval_id or "", {"how": "program", "name": "me"})  # 6
        session.end()  # 7
    return place


def at(place: Path, sequence: int) -> dict[str, Any]:
    found: dict[str, Any] = json.loads(
        answer(place, "session", "show", "last", "--at", str(sequence), "--json")
    )
    return found


def test_what_comes_later_is_not_there_yet(place):
    states = {sequence: at(place, sequence) for sequence in range(8)}

    assert [len(states[number]["resolutions"]) for number in range(8)] == [0, 0, 1, 1, 1, 1, 1, 1]
    assert [len(states[number]["open_intents"]) for number in range(8)] == [0, 0, 0, 1, 0, 0, 0, 0]
    assert [states[number]["state"] for number in (0, 6, 7)] == ["open", "open", "ended"]
    assert states[2]["used"] == {}
    assert states[3]["used"] == {"session:few-notes": {"calls": 1, "amount": 1}}
    assert states[4]["approvals"] == []
    assert [states[number]["approvals"][0]["state"] for number in (5, 6)] == ["pending", "granted"]


def test_it_needs_neither_the_rules_nor_the_configuration_of_today(place):
    before = at(place, 5)
    (place / "policies" / "rules.json").write_text("[]")

    assert at(place, 5) == before


def test_it_is_told_in_words(place):
    told = answer(place, "session", "show", "last", "--at", "5")

    assert "action" in told
    assert "approval     event 5, ticket.pay: pending" in told
    assert "limit        session:few-notes: 1 call, 1 taken" in told
    assert "open intent  event 3, ticket.note" in answer(
        place, "session", "show", "last", "--at", "3"
    )
    assert "nothing resolved" in answer(place, "session", "show", "last", "--at", "0")


@pytest.mark.parametrize("word", ["8", "-1", "x"])
def test_there_is_no_state_at_an_event_that_is_not_there(place, word):
    refused = cra(place, "session", "show", "last", f"--at={word}")

    assert refused.returncode == 2
    assert "expected" in refused.stderr
