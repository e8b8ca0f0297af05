"""`cra doctor`, run as a program, in projects that are well and in projects that are not."""

from __future__ import annotations

import json
import os
import subprocess
import time
from pathlib import Path
from typing import Any

import pytest

from cra.config import UserDirs, load
from cra.ledger.source import Source
from cra.ledger.store import Ledger, Session
from cra.ledger.verify import Trust
from cra.runtime import health
from tests.program import answer, cra


def checks(place: Path, *arguments: str, code: int = 0, **environ: str) -> dict[str, Any]:
    """Each check by its name; of several with one name the last."""
    done = cra(place, "doctor", "--json", *arguments, **environ)
    assert done.returncode == code, done.stdout + done.stderr
    facts = json.loads(done.stdout)
    assert facts["healthy"] is (code == 0)
    return {check["name"]: check for check in facts["checks"]}


def key_file() -> Path:
    return Path(os.environ["XDG_CONFIG_HOME"]) / "cra/keys/ledger.key"


def git(place: Path, *arguments: str) -> None:
    command = ["git", "-c", "user.name=t", "-c", "user.email=t@example.org", *arguments]
    subprocess.run(command, cwd=place, check=True, capture_output=True, timeout=60)


def approve(session: Session) -> None:
    session.append(
        "action.approved",
        {
            "execution_id": "e1",
            "action_id": "ticket.close",
            "resolution_id": None,
            "arguments": {},
            "arguments_digest": "0" * 64,
            "decision": {"type": "allow", "reason": "r", "policy_id": "p"},
        },
    )


@pytest.fixture
def project(tmp_path: Path) -> Path:
    root = tmp_path / "project"
    answer(tmp_path, "init", str(root))
    return root


@pytest.fixture
def unsigned(tmp_path: Path) -> Path:
    root = tmp_path / "unsigned"
    answer(tmp_path, "init", "--no-sign", str(root))
    return root


def test_a_new_project_is_well(project):
    found = checks(project)

    assert {check["state"] for name, check in found.items() if name != "path"} == {"OK"}
    assert found["runtime"]["message"].startswith("cra 0.")
    assert "CARP/1.0, TRACE/1.1, Atlas/1.0" in found["runtime"]["message"]
    assert "mode 0600" in found["key"]["message"]


def test_each_line_says_how_it_is_and_fits_a_terminal(project):
    done = cra(project, "doctor")

    lines = done.stdout.splitlines()
    heads = [line.split()[0] for line in lines if not line.startswith(" ")]
    assert done.returncode == 0
    assert set(heads) <= {"OK", "WARN"}
    assert max(len(line) for line in lines if "/" not in line) <= 80


def test_the_home_directory_is_not_spelled_out(tmp_path):
    home = tmp_path / "home"
    environ = {"HOME": str(home), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}
    answer(tmp_path, "init", str(home / "work"), **environ)

    done = cra(home / "work", "doctor", **environ)
    told = cra(home / "work", "doctor", "--json", **environ)

    assert "~/.config/cra/keys/ledger.key" in done.stdout
    assert str(home) not in done.stdout + done.stderr + told.stdout
    answer(tmp_path, "init", str(tmp_path / "home-work"), **environ)
    other = cra(tmp_path / "home-work", "doctor", **environ)
    assert f"{home}-work/cra.config.json" in other.stdout


def test_outside_a_project_the_command_that_makes_one_is_named(tmp_path):
    found = checks(tmp_path, code=1)

    assert found["config"]["state"] == "FAIL"
    assert found["config"]["fix"] == "cra init"
    assert "trace" not in found


def test_a_mistake_in_the_configuration_fails_with_its_place(project):
    (project / "cra.config.json").write_text('{"trace": {"detail": "all"}}')

    found = checks(project, code=1)

    assert "cra.config.json:1:" in found["config"]["message"]
    assert found["config"]["fix"] == "cra config validate"


def test_a_setting_that_is_not_the_projects_is_told_with_its_origin(project):
    found = checks(project, CRA_TRACE_DURABILITY="always")["config"]

    assert found["message"].endswith("; set elsewhere: trace.durability by CRA_TRACE_DURABILITY")


# The key


def test_a_project_whose_configuration_lists_keys_needs_one_of_ones_own(project):
    key_file().unlink()
    found = checks(project, code=1)["key"]

    assert (found["state"], found["fix"]) == ("FAIL", "cra init makes a key")


def test_a_key_that_does_not_sign_the_ledger_fails_and_what_is_named_mends_it(project, tmp_path):
    answer(project, "session", "start")
    key_file().rename(tmp_path / "old.key")
    gone = checks(project, code=1)["key"]
    answer(project, "init")
    other = checks(project, code=1)["key"]

    assert (gone["state"], other["state"]) == ("FAIL", "FAIL")
    assert gone["message"].endswith("which signs this ledger, found no key")
    assert gone["fix"].endswith("cra init makes another, then cra trace repair --accept")
    assert other["fix"].endswith("or cra trace repair --accept")
    assert cra(project, "session", "start").returncode == 2
    old = checks(project, CRA_SIGNING_KEY_FILE=str(tmp_path / "old.key"))["key"]
    answer(project, "trace", "repair", "--accept")
    assert (old["state"], checks(project)["key"]["state"]) == ("OK", "WARN")
    answer(project, "session", "start")


def test_a_key_that_the_configuration_does_not_list_is_a_warning_with_what_to_add(project):
    before = checks(project)["key"]
    settings = project / "cra.config.json"
    key_file().unlink()
    answer(project, "init")
    found = checks(project)["key"]
    listed = json.loads(settings.read_text())
    key = found["fix"].split('"')[1]
    settings.write_text(json.dumps({**listed, "keys": [*listed["keys"], key]}))

    assert (before["state"], found["state"]) == ("OK", "WARN")
    assert "which keys in cra.config.json does not list" in found["message"]
    assert found["fix"].startswith('whoever decides on the project adds "cra.local+')
    assert checks(project)["key"]["state"] == "OK"


def test_an_unsigned_ledger_needs_no_key(unsigned):
    answer(unsigned, "session", "start")
    assert checks(unsigned)["key"]["state"] == "WARN"


def test_a_key_that_others_can_read_fails_and_is_closed_on_request(project):
    key_file().chmod(0o644)

    assert cra(project, "doctor", "--quiet").stderr == ""
    broken = checks(project, code=1)["key"]
    mended = checks(project, "--fix")["key"]

    assert "found mode 644" in broken["message"]
    assert broken["can_fix"]
    assert mended["state"] == "OK"
    assert key_file().stat().st_mode & 0o777 == 0o600


def test_without_a_key_the_signer_is_said_to_be_none(unsigned):
    found = checks(unsigned)["key"]

    assert found["message"].startswith("signer: none; ")
    assert found["state"] == "WARN"


def test_a_key_that_the_ledger_is_not_signed_with_is_no_signer(unsigned, project):
    answer(unsigned, "session", "start")

    assert key_file().exists()
    assert checks(unsigned)["key"]["message"].startswith("signer: none; ")
    assert checks(project)["key"]["state"] == "OK"


def test_a_key_that_is_named_and_not_there_fails(project):
    found = checks(project, code=1, CRA_SIGNING_KEY_FILE="/nowhere/ledger.key")

    assert found["key"]["state"] == "FAIL"


def test_a_verifier_key_that_is_none_fails_with_what_it_is_needed_for(project):
    answer(project, "session", "start")

    found = checks(project, code=1, CRA_VERIFY_KEY="nonsense")

    assert found["ledger"]["message"].startswith("not verified: ")
    assert found["key"]["state"] == "OK"


# What is recorded


def test_a_trace_directory_that_git_would_add_is_made_right_on_request(project):
    (project / "cra.trace/.gitignore").unlink()

    broken = checks(project)["trace"]
    mended = cra(project, "doctor", "--fix")

    assert (broken["state"], broken["fix"]) == ("WARN", "cra doctor --fix")
    assert mended.stdout.startswith("mended  made ")
    assert (project / "cra.trace/.gitignore").read_text() == "*\n"
    assert checks(project)["trace"]["state"] == "OK"


def test_a_trace_directory_that_is_missing_is_made_on_request(project):
    (project / "cra.trace/.gitignore").unlink()
    (project / "cra.trace").rmdir()

    assert checks(project)["trace"]["state"] == "WARN"
    assert not (project / "cra.trace").exists()
    assert checks(project, "--fix")["trace"]["state"] == "OK"


def test_a_file_in_place_of_the_trace_directory_fails(project):
    (project / "cra.trace/.gitignore").unlink()
    (project / "cra.trace").rmdir()
    (project / "cra.trace").write_text("")

    assert checks(project, code=1)["trace"]["state"] == "FAIL"


def test_a_ledger_that_git_tracks_fails(project):
    answer(project, "session", "start")
    git(project, "init")
    assert checks(project)["git"]["message"] == "git does not track the ledger"

    git(project, "add", "-f", "cra.trace")
    found = checks(project, code=1)["git"]

    assert found["state"] == "FAIL"
    assert found["fix"].startswith("git rm -r --cached ")


def test_without_git_that_is_said(project, tmp_path):
    (tmp_path / "bin").mkdir()

    assert "no git here" in checks(project, PATH=str(tmp_path / "bin"))["git"]["message"]


def test_damage_to_the_ledger_fails_with_its_verdict(project):
    session = answer(project, "session", "start")
    file = project / f"cra.trace/{session}.trace.jsonl"
    file.write_bytes(file.read_bytes().replace(b'"agent_id":"cli"', b'"agent_id":"cly"'))

    found = checks(project, code=1)["ledger"]

    assert found["message"].startswith(f"TAMPERED: {session}, CRA-30")
    assert found["fix"] == "cra trace verify"


def test_an_intact_ledger_is_told_with_its_level_and_counted_as_verify_does(project):
    answer(project, "session", "start")
    message = checks(project)["ledger"]["message"]
    verified = answer(project, "trace", "verify").splitlines()[-1]

    assert message.startswith("INTACT, L")
    assert message.endswith(": 1 session, 1 event")
    assert verified.startswith("INTACT: 1 session, 1 event; ")


@pytest.mark.parametrize(
    ("is_verified", "said"),
    [(True, "read from where it was last verified"), (False, "the journal alone, ")],
)
@pytest.mark.parametrize("limit", ["_MAX_VERIFIED", "_PER_SESSION"])
def test_of_a_large_ledger_it_is_said_what_was_not_read(
    unsigned, monkeypatch, limit, is_verified, said
):
    answer(unsigned, "session", "start")
    if is_verified:
        answer(unsigned, "trace", "verify")
    # Sessions that are too long, or too many of them.
    monkeypatch.setattr(health, limit, {"_MAX_VERIFIED": 64, "_PER_SESSION": 1 << 30}[limit])
    monkeypatch.setattr(health, "_MAX_FOLDED", 64)
    dirs = UserDirs.of(os.environ, Path.home())
    around = health.Surroundings(
        unsigned, load(unsigned, {}, None, {}), (), dirs, os.environ, Trust(), Source().now()
    )

    found = {check.name: check for check in health.examine(around)}

    assert (found["ledger"].state, found["ledger"].fix) == ("OK", "cra trace verify")
    assert said in found["ledger"].message
    assert "1 long session was not read" in found["intents"].message


def test_an_action_without_an_outcome_is_named(unsigned):
    ledger = Ledger(unsigned / "cra.trace")
    approve(ledger.start_session("busy"))
    ended = ledger.start_session("gone")
    approve(ended)
    ended.end(force=True)
    ledger.close()

    found = checks(unsigned)["intents"]

    assert found["state"] == "WARN"
    assert found["message"].startswith("1 action without an outcome")
    assert "ticket.close" in found["message"]


def test_sessions_past_their_retention_are_counted(unsigned, monkeypatch):
    long_ago = time.time_ns() - 40 * 86_400 * 10**9
    with monkeypatch.context() as patch:
        patch.setattr(time, "time_ns", lambda: long_ago)
        ledger = Ledger(unsigned / "cra.trace")
        ledger.start_session("a").end()
        ledger.start_session("b")
        ledger.close()

    done = cra(unsigned, "doctor")

    assert "1 session past the retention of 30 days" in done.stdout
    assert "fix: cra trace prune" in done.stdout
    assert "1 session expired over 30 days ago, and never ended" in " ".join(done.stdout.split())


# Atlases, policies, programs


def test_an_atlas_that_the_lock_does_not_know_fails(project):
    config = json.loads((project / "cra.config.json").read_text())
    (project / "cra.config.json").write_text(json.dumps({**config, "atlases": ["atlases/a"]}))
    (project / "atlases/a").mkdir(parents=True)

    found = checks(project, code=1)["atlases"]

    assert found["message"].startswith("CRA-2130: ")
    assert found["fix"] == "cra atlas lock"


def test_an_atlas_that_is_listed_and_not_there_fails_with_its_name(project):
    config = json.loads((project / "cra.config.json").read_text())
    (project / "cra.config.json").write_text(json.dumps({**config, "atlases": ["nope"]}))

    found = checks(project, code=1)["atlases"]

    assert found["message"].startswith("CRA-2104: expected an atlas that the configuration lists")
    assert found["message"].endswith(f"at nope, found nothing there ({project / 'nope'})")
    assert found["fix"] == 'take "nope" out of `atlases` in cra.config.json, or put it there'
    locked = cra(project, "atlas", "lock")
    assert (locked.returncode, f"fix: {found['fix']}" in locked.stderr) == (2, True)


def test_mistakes_in_rules_are_told_as_such_with_the_first_of_them(project):
    (project / "policies").mkdir()
    rule = {"policy_id": "idle", "type": "dney", "actions": []}
    (project / "policies/p.json").write_text(json.dumps(rule))

    found = checks(project, code=1)
    message = found["policies"]["message"]

    assert "atlases" not in found
    assert message.startswith("CRA-2100: expected policies without mistakes, found 2, the first: ")
    assert "policies/p.json:1:31: type: expected one of deny" in message
    assert found["policies"]["fix"] == "cra policy check"


def test_findings_about_policies_are_counted(project):
    (project / "policies").mkdir()
    rule = {"policy_id": "idle", "type": "deny", "actions": ["no.such"]}
    (project / "policies/p.json").write_text(json.dumps(rule))

    found = checks(project)["policies"]

    assert (found["state"], found["fix"]) == ("WARN", "cra policy check")
    assert found["message"].startswith("2 findings")


def test_a_second_cra_on_the_path_is_a_warning(project, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        program = tmp_path / name / "cra"
        program.write_text("")
        program.chmod(0o755)
    (tmp_path / "three").symlink_to(tmp_path / "one")

    def path(*names: str) -> dict[str, Any]:
        found: dict[str, Any] = checks(
            project, PATH=os.pathsep.join(str(tmp_path / name) for name in names)
        )["path"]
        return found

    assert path("one")["state"] == path("three", "one")["state"] == "OK"
    assert path("one", "two")["state"] == "WARN"
    assert str(tmp_path / "one/cra") in path("one", "two")["message"]
