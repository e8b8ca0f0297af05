"""Limits in practice: exact under many processes, seen by people, and not reset by tricks."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from cra.errors import SessionOpen
from cra.ledger import source
from cra.ledger.retention import prune
from cra.runtime.project import Project
from tests.governed import ALLOW, DESK, begun, limit, write_project
from tests.program import ROOT, answer, cra

CROWD = 20
EACH = 3
MAXIMUM = 25

PROGRAM = """
import sys
from cra.runtime.project import Project
from tests.governed import GOAL
with Project.open(".") as project:
    session = project.session(sys.argv[1], session_id=sys.argv[2] or None)
    if not sys.argv[2]:
        session.resolve(GOAL)
    sys.stdin.readline()
    done = [session.execute("ticket.note", {"file": sys.argv[3]}) for _ in range(int(sys.argv[4]))]
print(*(one.status for one in done))
"""


def crowd(place: Path, session_id: str = "", agent: str = "agent") -> list[str]:
    """What becomes of the calls of many processes that begin at once."""
    witness = str(place.parent / "witness")
    processes = [
        subprocess.Popen(
            [sys.executable, "-c", PROGRAM, agent, session_id, witness, str(EACH)],
            cwd=place,
            env={"PYTHONPATH": str(ROOT), "HOME": str(place)},
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            encoding="utf-8",
        )
        for _ in range(CROWD)
    ]
    found: list[str] = []
    for process in processes:
        assert process.stdin is not None
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in processes:
        said, _ = process.communicate(timeout=120)
        assert process.returncode == 0
        found += said.split()
    return found


@pytest.mark.parametrize("per", ["session", "agent", "project"])
def test_a_limit_holds_exactly_under_twenty_processes(tmp_path, per):
    place = write_project(tmp_path / "project", ALLOW, limit("few", per, MAXIMUM))
    session_id = ""
    if per == "session":
        with Project.open(place, environ={"HOME": str(place)}) as project:
            session_id = begun(project).id
    done = crowd(place, session_id)

    assert (done.count("success"), done.count("denied")) == (MAXIMUM, CROWD * EACH - MAXIMUM)
    assert len((tmp_path / "witness").read_text().splitlines()) == MAXIMUM
    # Decided again by the same rules, in whatever order they were recorded, nothing flips.
    assert json.loads(answer(place, "policy", "backtest", "--json"))["flips"] == []


@pytest.mark.parametrize("per", ["session", "agent", "project"])
def test_a_clock_that_steps_back_gives_nothing_back(tmp_path, monkeypatch, per):
    call = ("ticket.note", {"file": str(tmp_path / "witness")})
    with Project.temporary([DESK], [ALLOW, limit("one", per, 1)]) as project:
        session = begun(project)
        assert session.execute(*call).status == "success"
        now = source.time.time_ns()
        monkeypatch.setattr(source.time, "time_ns", lambda: now - 3_000 * 10**9)

        assert session.execute(*call).policy_id == "one"


@pytest.mark.parametrize("per", ["agent", "project"])
def test_a_session_that_a_limit_still_counts_is_not_pruned(tmp_path, per):
    call = ("ticket.note", {"file": str(tmp_path / "witness")})
    with Project.temporary([DESK], [ALLOW, limit("one", per, 1)]) as project:
        session = begun(project)
        session.execute(*call)
        session.end()

        with pytest.raises(SessionOpen, match="no limit counts any more"):
            prune(project.ledger, session.id, "tidying")
        assert begun(project).execute(*call).policy_id == "one"


def test_a_new_session_and_a_child_get_nothing_of_a_shared_limit(tmp_path):
    call = ("ticket.note", {"file": str(tmp_path / "witness")})
    with Project.temporary([DESK], [ALLOW, limit("one", "agent", 1)]) as project:
        parent = begun(project)
        assert parent.execute(*call).status == "success"

        assert begun(project).execute(*call).policy_id == "one"
        assert begun(project, parent=parent.id).execute(*call).policy_id == "one"


# What people see


@pytest.fixture
def place(tmp_path: Path) -> Path:
    place = write_project(
        tmp_path / "project", ALLOW, limit("own", "session", 2), limit("all", "project", 3)
    )
    answer(place, "resolve", "--goal", "note something")
    for _ in range(2):
        answer(place, "execute", "ticket.note", "-p", f"file={tmp_path / 'witness'}")
    return place


def test_a_session_shows_its_limits_and_what_is_left(place):
    shown = " ".join(answer(place, "session", "show", "last").split())

    assert "own: 0 of 2 calls left per session within 600 s, more at " in shown
    assert "all: 1 of 3 calls left per project within 600 s" in shown
    found = json.loads(answer(place, "session", "show", "last", "--json"))["limits"]
    assert [(one["policy_id"], one["used"], one["left"]) for one in found] == [
        ("all", 2, 1), ("own", 2, 0)]  # fmt: skip
    assert [one["free_at"] is None for one in found] == [True, False]


def test_a_session_that_has_ended_is_under_no_limit(place):
    answer(place, "session", "end")

    assert json.loads(answer(place, "session", "show", "last", "--json"))["limits"] == []


def test_doctor_shows_the_limits_and_what_is_left(place):
    checks = json.loads(answer(place, "doctor", "--json"))["checks"]
    [found] = [one for one in checks if one["name"] == "limits"]

    assert found["state"] == "OK"
    assert found["message"].startswith("2 limits in force; ")
    assert "own: 0 of 2 calls left per session" in found["message"]


def test_a_refused_call_says_when_it_will_be_possible(place, tmp_path):
    refused = cra(place, "execute", "ticket.note", "-p", f"file={tmp_path / 'witness'}")

    assert refused.returncode == 1
    assert "possible again at 20" in refused.stderr
