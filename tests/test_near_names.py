"""A name that is nearly one of the project's is answered with the one that it has."""

from __future__ import annotations

import pytest

from tests import governed
from tests.program import answer, cra


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    place = tmp_path_factory.mktemp("near")
    asks = governed.rule("desk-asks", "require_approval", "ticket.close")
    governed.write_project(place, governed.ALLOW, asks)
    answer(place, "resolve", "--goal", governed.GOAL)
    assert cra(place, "execute", "ticket.close", "-p", "file=none").returncode == 4
    answer(place, "golden", "record", "last", "--name", "ticket-asks")
    return place


@pytest.mark.parametrize(
    ("arguments", "meant"),
    [
        ("execute tiket.read", "ticket.read"),
        ("explain ticket.reed", "ticket.read"),
        ("atlas show com.example.dek", "com.example.desk"),
        ("atlas actions --atlas com.example.dek", "com.example.desk"),
        ("trace show lats", "last"),
        ("trace show jurnal", "journal"),
        ("session show LATS", "last"),
        ("approvals show lats", "last"),
        ("replay tiket-asks", "ticket-asks"),
        ("replay goldens/ticket-ask", "goldens/ticket-asks"),
    ],
)
def test_the_nearest_name_of_the_project_is_asked_for(desk, arguments, meant):
    done = cra(desk, *arguments.split())

    assert done.returncode == 2
    assert f"; did you mean {meant}?" in done.stderr


def test_an_id_with_one_wrong_digit_is_answered_with_the_whole_one(desk):
    [path] = (desk / "cra.trace").glob("*-*.trace.jsonl")
    session = path.name.partition(".")[0]
    wrong = f"{session[:10]}{'0' if session[10] != '0' else '1'}{session[11:13]}"
    approval = answer(desk, "approvals", "list").split("\n")[1].split()[0]

    assert f"did you mean {session}?" in cra(desk, "trace", "show", wrong).stderr
    near = cra(desk, "approvals", "show", f"{approval[:-1]}x").stderr
    assert f"did you mean {approval}" in near


@pytest.mark.parametrize(
    "arguments", ["execute qqq", "trace show zzz", "approvals show zzz", "replay qqq"]
)
def test_nothing_is_asked_where_nothing_is_near(desk, arguments):
    done = cra(desk, *arguments.split())

    assert done.returncode == 2
    assert "did you mean" not in done.stderr


def test_a_golden_that_waits_is_asked_for_by_the_name_of_one_that_does(desk):
    waiting = desk / "goldens" / "ticket-asks.new"
    waiting.mkdir()
    (waiting / "manifest.json").write_text("{}")
    done = cra(desk, "golden", "review", "tiket-asks", "--reject")

    assert "found none for 'tiket-asks'; did you mean ticket-asks?" in done.stderr


@pytest.mark.parametrize("arguments", ["execute ticket.read -qz", "trace show last -qx"])
def test_a_letter_that_no_option_has_is_named_however_it_is_written(desk, arguments):
    done = cra(desk, *arguments.split())

    assert done.returncode == 2
    assert f"no such option: -{arguments[-1]}" in done.stderr


def test_execute_without_an_action_asks_for_one_first(tmp_path):
    governed.write_project(tmp_path, governed.ALLOW)

    done = cra(tmp_path, "execute")

    assert (done.returncode, "expected an action, found none" in done.stderr) == (2, True)
