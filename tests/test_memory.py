"""What is remembered of a project's ledger, whatever its configuration says and wherever it is."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from cra.cli.project import user_dirs
from tests.program import answer, cra

# Exit code, verdict, level and finding.
SEEN = (0, "INTACT", "L2", None)
REPLACED = (3, "TAMPERED", None, "CRA-3031")
ROLLED_BACK = (3, "TAMPERED", None, "CRA-3030")


@pytest.fixture
def project(tmp_path):
    return begun(tmp_path / "project")


def begun(folder: Path) -> Path:
    """A project with a signed ledger that has been seen whole."""
    folder.mkdir(parents=True)
    answer(folder, "init")
    answer(folder, "session", "start")
    assert verdict(folder) == SEEN
    return folder


def verdict(place: Path, *arguments: str | Path, **environ: str) -> tuple:
    done = cra(place, "trace", "verify", *arguments, "--json", **environ)
    if not done.stdout:
        return done.returncode, None, None, json.loads(done.stderr)["error"]["code"]
    facts = json.loads(done.stdout)
    return done.returncode, facts["verdict"], facts["level"], facts["code"]


def configure(project: Path, directory: str) -> None:
    """What an attacker, or a person, writes into the project."""
    path = project / "cra.config.json"
    settings = json.loads(path.read_text())
    path.write_text(json.dumps({**settings, "trace": {"directory": directory}}))


def doctor(project: Path) -> tuple[str, str]:
    """What it says of the ledger."""
    checks = json.loads(cra(project, "doctor", "--json").stdout)["checks"]
    [check] = [check for check in checks if check["name"] == "ledger"]
    return check["state"], check["message"]


def test_a_ledger_in_another_directory_is_not_the_one_of_the_project(project, tmp_path):
    configure(project, "cra.trace2")
    started = cra(project, "session", "start")
    assert (started.returncode, "CRA-3030" in started.stderr) == (3, True)

    other = begun(tmp_path / "other") / "cra.trace"
    assert not (project / "cra.trace2").exists()
    shutil.copytree(other, project / "cra.trace2")
    assert verdict(project) == REPLACED
    for place in (project, tmp_path):
        assert verdict(place, project / "cra.trace2") == REPLACED
    state, message = doctor(project)
    assert (state, "CRA-3031" in message) == ("FAIL", True)


def test_the_history_that_is_thrown_away_with_its_directory_is_missed(project):
    configure(project, "cra.trace2")
    shutil.rmtree(project / "cra.trace")

    assert verdict(project) == (3, None, None, "CRA-3030")
    state, message = doctor(project)
    assert (state, "CRA-3030" in message) == ("FAIL", True)
    (project / "cra.trace2").mkdir()
    assert verdict(project) == ROLLED_BACK
    state, message = doctor(project)
    assert (state, "CRA-3030" in message) == ("FAIL", True)


LOOKING = [
    "trace list",
    "trace list --json",
    "trace tail",
    "trace stats",
    "trace show last",
    "trace show journal",
    "trace prune --dry-run",
    "trace repair last",
    "trace anchor",
    "session list",
    "session show last",
    "session end",
    "explain --session last",
    "explain --resolution last",
    "approvals list",
    "policy backtest",
    "execute ticket.close",
]


@pytest.mark.parametrize("setting", ["cra.trace", "cra.trace2"])
def test_where_nothing_is_found_a_ledger_that_was_there_is_said_to_be_gone(project, setting):
    known = json.loads(answer(project, "trace", "anchor", "--json"))["ledger_id"]
    configure(project, setting)
    shutil.rmtree(project / "cra.trace")
    never = {"XDG_STATE_HOME": str(project / "elsewhere")}

    for command in LOOKING:
        said = cra(project, *command.split())
        assert (said.returncode, f"expected the ledger {known}, found none" in said.stderr) == (
            3,
            True,
        ), command
        assert "cra trace repair --accept" in said.stderr
        assert "CRA-3030" not in cra(project, *command.split(), **never).stderr
    doctor = json.loads(cra(project, "doctor", "--json").stdout)["checks"]
    told = [(check["name"], check["state"]) for check in doctor if check["state"] != "OK"]
    assert [found for found in told if found[0] != "path"] == [("ledger", "FAIL")]
    answer(project, "trace", "repair", "--accept")
    assert cra(project, "trace", "list").returncode == 0


def test_a_person_accepts_another_ledger_and_the_journal_records_what_was_known(project):
    known = json.loads(answer(project, "trace", "anchor", "--json"))
    configure(project, "cra.trace2")
    shutil.rmtree(project / "cra.trace")

    assert cra(project, "trace", "repair").returncode == 1
    answer(project, "trace", "repair", "--accept")
    [event] = [
        line
        for line in (project / "cra.trace2" / "journal.trace.jsonl").read_text().split("\n")
        if "broken_from" in line
    ]
    assert json.loads(event)["payload"]["broken_from"]["ledger_id"] == known["ledger_id"]
    assert verdict(project) == SEEN
    assert doctor(project)[0] == "OK"


def test_a_ledger_that_moves_within_its_project_is_the_same(project):
    configure(project, "data/trace")
    (project / "data").mkdir()
    (project / "cra.trace").rename(project / "data" / "trace")

    answer(project, "session", "start", "--agent", "another")
    assert verdict(project) == SEEN


def test_a_directory_that_a_caller_names_is_not_the_ledger_of_the_project(project, tmp_path):
    foreign = begun(tmp_path / "foreign") / "cra.trace"

    assert verdict(project, "--trace-dir", foreign) == SEEN
    assert verdict(project, foreign) == SEEN
    assert verdict(project, CRA_TRACE_DIRECTORY=str(foreign)) == SEEN
    answer(project, "session", "start", "--trace-dir", tmp_path / "scratch")
    assert verdict(project, "--trace-dir", tmp_path / "scratch") == SEEN
    assert verdict(project) == SEEN


def test_a_project_that_moves_is_the_same_and_a_new_one_in_its_place_is_not(project, tmp_path):
    moved = project.rename(tmp_path / "moved")
    assert verdict(moved) == SEEN

    project.mkdir()
    answer(project, "init")
    assert cra(project, "session", "start").returncode == 3
    assert verdict(project)[0] == 3
    assert verdict(moved) == SEEN


def test_of_a_project_and_its_copy_the_one_that_fell_behind_is_rolled_back(project, tmp_path):
    copied = tmp_path / "copied"
    shutil.copytree(project, copied)
    assert verdict(copied) == SEEN
    answer(copied, "session", "start", "--agent", "another")

    assert verdict(copied) == SEEN
    assert verdict(project) == ROLLED_BACK


def test_ledgers_outside_a_project_are_known_by_their_directories(tmp_path):
    others = []
    for name in ("one", "two"):
        folder = begun(tmp_path / name)
        others.append((folder / "cra.trace").rename(tmp_path / f"{name}.trace"))
        shutil.rmtree(folder)
    for directory in others:
        assert verdict(tmp_path, directory) == SEEN

    shutil.rmtree(others[0])
    shutil.copytree(others[1], others[0])
    assert verdict(tmp_path, others[0]) == REPLACED
    shutil.rmtree(others[0])
    others[0].mkdir()
    assert verdict(tmp_path, others[0]) == ROLLED_BACK


def test_a_ledger_that_is_known_by_its_directory_alone_is_known(project):
    shutil.rmtree(user_dirs().state / "projects")
    assert verdict(project) == SEEN
    shutil.rmtree(user_dirs().state / "projects")

    shutil.rmtree(project / "cra.trace")
    assert verdict(project) == (3, None, None, "CRA-3030")
