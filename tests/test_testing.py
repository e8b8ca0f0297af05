"""The pytest plugin, as a project's own tests use it: each test runs pytest in a project."""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.governed import rule, write_rules
from tests.program import ROOT, answer, cra

DESK = ROOT / "examples" / "atlases" / "support-desk"
FORGET = rule("no-reading", "deny", "ticket.read", reason="tickets are private")
# Replays a golden, and compares a session with another one.
CHECKED = """
def test_the_desk_decides_as_before(golden):
    golden.check("desk")
"""
COMPARED = """
from cra import Project

def test_a_clerk_reads_a_ticket(golden):
    with Project.open(golden.project) as project:
        session = project.session("clerk")
        session.resolve("read the ticket about the printer")
        result = session.execute("ticket.read", {"id": 1042})
        golden.session(session, "reads")
"""


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    place = tmp_path_factory.mktemp("desk")
    shutil.copytree(DESK, place / "support-desk")
    answer(place, "init", "--no-sign")
    answer(place, "atlas", "add", "support-desk", "--yes")
    answer(place, "resolve", "--goal", "read the ticket about the printer")
    answer(place, "execute", "ticket.read", "-p", "id=1042")
    answer(place, "golden", "record", "last", "--name", "desk")
    return place


@pytest.fixture
def desk(recorded: Path, tmp_path: Path) -> Path:
    return shutil.copytree(recorded, tmp_path / "desk")


def run_pytest(place: Path, program: str, *arguments: str) -> subprocess.CompletedProcess[str]:
    (place / "test_it.py").write_text(program)
    outside = ("PYTEST_CURRENT_TEST", "PYTEST_XDIST_WORKER", "PYTEST_ADDOPTS")
    return subprocess.run(
        [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", *arguments],
        cwd=place,
        env={name: value for name, value in os.environ.items() if name not in outside},
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


def goldens_in(place: Path) -> dict[str, bytes]:
    files = [path for path in (place / "goldens").rglob("*") if path.is_file()]
    return {str(path.relative_to(place)): path.read_bytes() for path in files}


def test_a_golden_passes_while_nothing_has_changed(desk):
    ran = run_pytest(desk, CHECKED)

    assert (ran.returncode, "1 passed" in ran.stdout) == (0, True), ran.stdout


def test_a_difference_fails_with_what_the_command_prints_and_writes_nothing(desk):
    write_rules(desk, FORGET)
    before = goldens_in(desk)

    ran = run_pytest(desk, CHECKED)

    assert (ran.returncode, goldens_in(desk)) == (1, before)
    said = cra(desk, "replay", "-m", str(desk / "goldens/desk/manifest.json"), CI="true")
    told = said.stdout.partition("\n\n")[2].strip("\n")
    assert told.startswith("DIFFERENT  desk  decide, breaking, 1 difference")
    assert told in ran.stdout
    assert "to accept what is so now: pytest --snapshot-update" in ran.stdout
    assert "def test_" not in ran.stdout


def test_a_difference_is_accepted_with_snapshot_update(desk):
    write_rules(desk, FORGET)

    updated = run_pytest(desk, CHECKED, "--snapshot-update")

    assert updated.returncode == 0, updated.stdout
    assert run_pytest(desk, CHECKED).returncode == 0
    assert answer(desk, "replay").startswith("1 golden: 1 passed, 0 failed\n")
    assert not (desk / "goldens" / "desk.new").exists()


@pytest.mark.parametrize(
    ("call", "is_found"), [('mode="verify"', False), ('fail_on="minor"', True), ("", False)]
)
def test_a_test_says_how_much_may_differ_and_in_which_mode(desk, call, is_found):
    urgent = {"parameters": {"type": "object", "required": ["urgent"]}}
    write_rules(desk, rule("no-hurry", "deny", "ticket.reply", conditions=urgent))

    ran = run_pytest(desk, CHECKED.replace('"desk"', f'"desk", {call}'))

    assert ("1 failed" in ran.stdout) is is_found, ran.stdout


@pytest.mark.parametrize(
    ("program", "words"),
    [
        (CHECKED.replace("desk", "none"), "cra golden record SESSION --name none"),
        (COMPARED, "there is no golden reads: pytest --snapshot-update records it"),
    ],
)
def test_a_golden_that_is_missing_is_a_failure_that_says_how_to_record_it(desk, program, words):
    ran = run_pytest(desk, program)

    assert ran.returncode == 1
    assert words in ran.stdout
    assert not (desk / "goldens" / "reads").exists()


def test_a_session_is_recorded_once_and_compared_from_then_on(desk):
    assert run_pytest(desk, COMPARED, "--snapshot-update").returncode == 0
    before = goldens_in(desk)
    assert run_pytest(desk, COMPARED).returncode == 0
    assert answer(desk, "replay").startswith("2 goldens: 2 passed, 0 failed\n")

    other = COMPARED.replace("1042", "1043")
    ran = run_pytest(desk, other)

    assert (ran.returncode, goldens_in(desk)) == (1, before)
    assert "DIFFERENT  reads  compare, breaking" in ran.stdout
    assert run_pytest(desk, other, "--snapshot-update").returncode == 0
    assert run_pytest(desk, other).returncode == 0
    assert run_pytest(desk, COMPARED).returncode == 1


@pytest.mark.parametrize(
    ("damage", "words"),
    [
        (
            lambda desk: next((desk / "goldens/desk").glob("*.jsonl")).unlink(),
            "expected trace with the digest",
        ),
        (lambda desk: (desk / "cra.config.json").unlink(), "fix: cra init"),
        (lambda desk: (desk / "goldens/desk/manifest.json").write_text("{}"), "a trace_id, found"),
    ],
    ids=["no trace", "no project", "no manifest"],
)
def test_what_cannot_be_replayed_is_a_failure_also_with_snapshot_update(desk, damage, words):
    damage(desk)

    ran = run_pytest(desk, CHECKED, "--snapshot-update")

    assert ran.returncode == 1
    assert words in ran.stdout


def test_the_project_is_the_one_that_the_environment_names(desk, tmp_path, monkeypatch):
    monkeypatch.setenv("CRA_PROJECT", str(desk))
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()

    assert run_pytest(elsewhere, CHECKED).returncode == 0


@pytest.mark.parametrize(
    "arguments",
    [
        ("-p", "syrupy"),
        ("-p", "no:syrupy"),
        ("-p", "cra.testing", "-p", "syrupy", "--disable-plugin-autoload"),
        ("-p", "cra.testing", "--disable-plugin-autoload"),
    ],
    ids=["syrupy", "no syrupy", "cra first", "cra alone"],
)
def test_the_option_is_shared_with_whoever_has_it(desk, arguments):
    write_rules(desk, FORGET)

    ran = run_pytest(desk, CHECKED, "--snapshot-update", *arguments)

    assert (ran.returncode, "1 passed" in ran.stdout) == (0, True), ran.stdout + ran.stderr
    assert run_pytest(desk, "", "--help", *arguments).stdout.count("--snapshot-update ") == 1


def test_a_run_that_asks_for_no_golden_loads_nothing_of_cra_but_the_plugin(tmp_path):
    program = """
import sys

def test_nothing():
    loaded = {name for name in sys.modules if name.partition(".")[0] == "cra"}
    assert loaded == {"cra", "cra.testing"}
    assert not {"orjson", "pydantic", "typer"} & sys.modules.keys()
"""
    arguments = ("-p", "cra.testing", "--disable-plugin-autoload")

    assert run_pytest(tmp_path, program, *arguments).returncode == 0
