"""`cra trace verify`, `prove`, `verify-proof`, `anchor`, `export`, run as a program."""

from __future__ import annotations

import csv
import io
import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cra.cli.project import user_dirs
from cra.ledger.bundle import verifier_path
from cra.ledger.chain import decode
from cra.ledger.checkpoint import open_checkpoint, seal
from cra.ledger.keys import create_key, load_key
from cra.ledger.memory import Memory
from cra.ledger.store import Ledger
from tests.program import ROOT, answer, at_terminal, cra

DENIED = {"action_id": "ticket.delete", "reason": "no rule allows it", "policy_id": None}
RESULT = {"execution_id": "e", "action_id": "file.read", "duration_us": 1, "result": "x" * 70_000}

# What a verdict says of an anchor: how far away it is, as far as that is known.
SAID = {
    "line": "the head that --anchor states",
    "file": "a head in the file that --anchor names",
    "git": "a head noted in this repository, which is as far away as its other copies",
}


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    answer(folder, "init")
    record(folder)
    return folder


def record(project: Path, *, ended: bool = True) -> str:
    """A session of 6 or 7 events in the project's ledger, by the user."""
    signer = load_key(user_dirs().signing_key)
    ledger = Ledger(project / "cra.trace", signer=signer, memory=Memory(user_dirs().state))
    session = ledger.start_session("tester")
    for _ in range(4):
        session.append("action.denied", DENIED)
    session.append("action.executed", RESULT)
    if ended:
        session.end()
    ledger.close()
    return session.id


@pytest.fixture
def session_id(project):
    [path] = (project / "cra.trace").glob("0*.trace.jsonl")
    return path.name.partition(".")[0]


@pytest.fixture
def key():
    return str(load_key(user_dirs().signing_key).key)


def elsewhere(tmp_path: Path) -> dict[str, str]:
    """The environment of somebody else: another home, no memory, no key."""
    home = tmp_path / "another home"
    home.mkdir(exist_ok=True)
    names = ("XDG_CONFIG_HOME", "XDG_STATE_HOME")
    return {"HOME": str(home), **{name: str(home / name) for name in names}}


def edit(path: Path, old: bytes, new: bytes) -> None:
    data = path.read_bytes()
    assert old in data
    path.write_bytes(data.replace(old, new, 1))


def test_verify_prints_a_line_per_chain_and_the_level(project, session_id):
    lines = answer(project, "trace", "verify").split("\n")

    assert lines[0].split() == ["VERDICT", "CHAIN", "EVENTS", "UNATTESTED", "LEVEL"]
    assert lines[2].split() == ["INTACT", session_id, "7", "0", "L2"]
    assert lines[-1].startswith("INTACT: 1 session, 7 events; L2: ")


def test_verify_tells_programs_the_same(project, session_id):
    facts = json.loads(answer(project, "trace", "verify", "--json"))

    assert (facts["verdict"], facts["code"], facts["level"], facts["exit"]) == (
        "INTACT",
        None,
        "L2",
        0,
    )
    assert facts["journal"]["verdict"] == "INTACT"
    [session] = facts["sessions"]
    assert (session["name"], session["events"], session["unattested"]) == (session_id, 7, 0)


def test_tampering_is_said_in_words_in_json_and_by_the_exit_code(project, session_id):
    edit(project / "cra.trace" / f"{session_id}.trace.jsonl", b"no rule", b"our rule")
    said = cra(project, "trace", "verify")
    facts = cra(project, "trace", "verify", "--json")

    assert (said.returncode, facts.returncode) == (3, 3)
    assert f"{session_id}: CRA-3002: " in said.stdout
    assert said.stdout.rstrip().endswith(f"TAMPERED: {session_id}, CRA-3002")
    assert json.loads(facts.stdout)["code"] == "CRA-3002"
    assert json.loads(facts.stdout)["level"] is None


@pytest.mark.parametrize("name", ["{id}", "{id:.13}", "last"])
def test_one_session_can_be_verified(project, name):
    first = record(project)
    session_id = record(project)
    edit(project / "cra.trace" / f"{first}.trace.jsonl", b"no rule", b"our rule")
    named = name.replace("{id:.13}", session_id[:23]).replace("{id}", session_id)
    facts = json.loads(answer(project, "trace", "verify", named, "--json"))

    assert [part["name"] for part in facts["sessions"]] == [session_id]
    assert cra(project, "trace", "verify").returncode == 3
    assert cra(project, "trace", "verify", "journal").returncode == 0


def test_a_session_whose_file_is_gone_is_missed(project, session_id):
    (project / "cra.trace" / f"{session_id}.trace.jsonl").unlink()

    for arguments in ((), (session_id,)):
        said = cra(project, "trace", "verify", *arguments)
        assert said.returncode == 3
        assert "CRA-3021" in said.stdout


def test_a_ledger_whose_directory_is_gone_is_missed(project):
    shutil.rmtree(project / "cra.trace")
    said = cra(project, "trace", "verify")

    assert (said.returncode, said.stdout) == (3, "")
    assert "CRA-3030" in said.stderr


def test_a_key_that_is_stated_gives_level_one_to_a_stranger(project, key, tmp_path):
    stranger = elsewhere(tmp_path)
    key_file = tmp_path / "key.txt"
    key_file.write_text(f"{key}\n")
    edit(project / "cra.config.json", f'"{key}"'.encode(), b"")

    def level(*arguments: str | Path, **environ: str) -> str:
        said = answer(project, "trace", "verify", "--json", *arguments, **stranger, **environ)
        shutil.rmtree(Path(stranger["XDG_STATE_HOME"]))
        return str(json.loads(said)["level"])

    assert level() == "L0"
    assert level("--key", key) == "L1"
    assert level("--key", key_file) == "L1"
    assert level(CRA_VERIFY_KEY=key) == "L1"


def test_the_projects_own_word_on_the_key_is_called_unconfirmed(project, tmp_path):
    said = cra(project, "trace", "verify", "--require", "L1", **elsewhere(tmp_path))

    assert said.returncode == 3
    assert "L1, key unconfirmed" in said.stdout
    assert "error[CRA-3040]: expected the level L1, found L1, key unconfirmed" in said.stderr


def test_a_level_that_is_required_is_met_or_an_error(project):
    assert cra(project, "trace", "verify", "--require", "l2").returncode == 0
    unmet = cra(project, "trace", "verify", "--require", "L3", "--json")

    assert unmet.returncode == 3
    assert json.loads(unmet.stderr)["error"]["code"] == "CRA-3040"
    assert cra(project, "trace", "verify", "--require", "L9").returncode == 2


def test_a_verdict_that_is_printed_is_the_one_that_the_exit_code_means(project):
    for options, code, finding in ((), 0, None), (("--require", "L3"), 3, "CRA-3040"):
        plain = cra(project, "trace", "verify", *options)
        said = cra(project, "trace", "verify", "--json", *options)
        facts = json.loads(said.stdout)

        assert (plain.returncode, said.returncode, facts["exit"]) == (code, code, code)
        assert (facts["verdict"], facts["level"], facts["code"]) == ("INTACT", "L2", finding)
        assert plain.stdout.splitlines()[-1].startswith("INTACT: ") is (code == 0)


def test_another_key_is_a_signature_missing(project, tmp_path):
    other = create_key(tmp_path / "other").key
    said = cra(project, "trace", "verify", "--key", str(other), **elsewhere(tmp_path))

    assert said.returncode == 3
    assert "CRA-3013" in said.stdout


def test_a_key_that_is_none_is_a_usage_error(project):
    for key in ("nonsense", "cra.local+00000000+AA=="):
        assert cra(project, "trace", "verify", "--key", key).returncode == 2


def test_a_rolled_back_ledger_is_seen_by_memory(project, tmp_path):
    shutil.copytree(project / "cra.trace", tmp_path / "kept")
    record(project)
    shutil.rmtree(project / "cra.trace")
    shutil.copytree(tmp_path / "kept", project / "cra.trace")
    said = cra(project, "trace", "verify")

    assert said.returncode == 3
    assert "CRA-3030" in said.stdout


def test_an_anchor_reaches_level_three_and_sees_a_rollback(project, tmp_path):
    shutil.copytree(project / "cra.trace", tmp_path / "kept")
    record(project)
    line = answer(project, "trace", "anchor")
    log = tmp_path / "ci.log"
    log.write_text(f"[12:00] {line}\n")
    facts = json.loads(answer(project, "trace", "anchor", "--json"))

    assert facts["anchor"] == line == f"cra:{facts['ledger_id']}:{facts['size']}:{facts['root']}"
    for source, kind in ((line, "line"), (log, "file")):
        met = ("trace", "verify", "--anchor", source, "--require", "L3")
        assert json.loads(answer(project, *met, "--json"))["anchor"] == kind
        assert answer(project, *met).endswith("; L3: signed, and it goes on from " + SAID[kind])
    assert json.loads(answer(project, "trace", "verify", "--json"))["anchor"] is None
    shutil.rmtree(project / "cra.trace")
    shutil.copytree(tmp_path / "kept", project / "cra.trace")
    stranger = elsewhere(tmp_path)
    for source in (line, log):
        said = cra(project, "trace", "verify", "--anchor", source, **stranger)
        assert said.returncode == 3
        assert "CRA-3032" in said.stdout


def test_an_anchor_in_git_is_kept_and_found(project):
    def git(*arguments: str) -> None:
        subprocess.run(["git", "-C", str(project), *arguments], check=True, capture_output=True)

    nowhere = cra(project, "trace", "anchor", "--git")
    assert (nowhere.returncode, nowhere.stdout) == (2, "")
    git("init", "--quiet")
    git("config", "user.name", "A Tester")
    git("config", "user.email", "tester@example.com")
    assert "expected a commit" in cra(project, "trace", "anchor", "--git").stderr
    assert cra(project, "trace", "verify", "--anchor", "git").returncode == 2
    git("add", "agents.md")
    git("commit", "--quiet", "-m", "begin")
    said = cra(project, "trace", "anchor", "--git")

    assert said.returncode == 0
    assert "git push origin refs/notes/cra" in said.stderr
    said = answer(project, "trace", "verify", "--anchor", "git", "--require", "L3")
    assert said.endswith("; L3: signed, and it goes on from " + SAID["git"])
    (project / "below").mkdir()
    below = project / "below"
    assert cra(below, "trace", "verify", "--anchor", "git", "--require", "L3").returncode == 0


def test_a_ledger_begun_anew_has_no_anchor_in_a_shared_place(project, tmp_path):
    log = tmp_path / "ci.log"
    log.write_text(answer(project, "trace", "anchor"))
    shutil.rmtree(project / "cra.trace")
    stranger = elsewhere(tmp_path)
    answer(project, "session", "start", **stranger)
    said = cra(project, "trace", "verify", "--anchor", log, **stranger)

    assert said.returncode == 3
    assert "error[CRA-3032]" in said.stderr


def test_since_verified_says_what_it_did_not_read_again(project, session_id):
    whole = answer(project, "trace", "verify")
    facts = json.loads(answer(project, "trace", "verify", "--since-verified", "--json"))
    [part] = facts["sessions"]
    assert "not read again" not in whole
    assert (part["skipped"], part["events"]) == (7, 7)

    path = project / "cra.trace" / f"{session_id}.trace.jsonl"
    edit(path, b"no rule", b"No rule")
    said = answer(project, "trace", "verify", "--since-verified").split("\n")
    assert re.fullmatch("[0-9]{4}-[0-9]{2}-[0-9]{2}", part["verified_on"])
    words = f"7 events not read again, as verified on {part['verified_on']} (UTC)"
    assert f"  {session_id}: {words}" in said
    assert said[-1].startswith(f"INTACT: 1 session, 7 events; {words}; L2: ")
    assert cra(project, "trace", "verify").returncode == 3


def test_what_grew_is_read_and_the_rest_keeps_the_day_on_which_it_was(project):
    session_id = record(project, ended=False)
    answer(project, "trace", "verify")
    for path in user_dirs().state.glob("verified/*.json"):
        path.write_text(json.dumps({**json.loads(path.read_text()), "verified_on": "2026-01-02"}))
    first = json.loads(answer(project, "trace", "verify", "--since-verified", "--json"))
    answer(project, "session", "end", session_id)
    answer(project, "trace", "verify", "--since-verified")
    again = json.loads(answer(project, "trace", "verify", "--since-verified", "--json"))

    [before] = [part for part in first["sessions"] if part["name"] == session_id]
    [after] = [part for part in again["sessions"] if part["name"] == session_id]
    assert (before["skipped"], after["skipped"]) == (6, 7)
    assert before["verified_on"] == after["verified_on"] == "2026-01-02"


def test_a_verdict_says_how_many_payloads_are_redacted_at_every_level(
    project, session_id, tmp_path
):
    for sequence in (1, 2):
        event = f"{session_id}:{sequence}"
        answer(project, "trace", "redact", event, "--reason", "a name", "--yes")
    answer(project, "trace", "export", "last", "--format", "bundle", "-o", tmp_path / "b.zip")
    words = "2 payloads redacted"
    for path, environ in [
        (project / "cra.trace", {}),
        (project / "cra.trace", elsewhere(tmp_path)),
        (tmp_path / "b.zip", {}),
    ]:
        said = answer(project, "trace", "verify", path, **environ).split("\n")
        assert f"  {session_id}: {words}" in said
        assert said[-1].startswith(f"INTACT: 1 session, 7 events; {words}; L")
    said = answer(project, "trace", "verify", "--since-verified").split("\n")
    assert "; 7 events not read again, " in said[-1]
    assert f"; {words}; L2" in said[-1]


def test_a_file_alone_a_ledger_and_a_bundle_are_verified_by_their_path(
    project, session_id, tmp_path, key
):
    stranger = elsewhere(tmp_path)
    ledger = project / "cra.trace"
    (tmp_path / "alone").mkdir()
    for path in ledger.glob(f"{session_id}.*"):
        shutil.copy(path, tmp_path / "alone")
    shutil.copytree(ledger / "blobs", tmp_path / "alone" / "blobs")
    answer(project, "trace", "export", "last", "--format", "bundle", "-o", tmp_path / "b.zip")
    for path in (
        ledger,
        ledger / f"{session_id}.trace.jsonl",
        tmp_path / "alone" / f"{session_id}.trace.jsonl",
        tmp_path / "b.zip",
    ):
        said = cra(tmp_path, "trace", "verify", path, "--key", key, "--json", **stranger)
        facts = json.loads(said.stdout)

        assert (said.returncode, facts["verdict"]) == (0, "INTACT"), path
        assert facts["level"] in {"L1", "L2"}
        assert [part["name"] for part in facts["sessions"]] == [session_id]


def test_the_keys_of_a_project_say_nothing_about_a_bundle_from_elsewhere(project, tmp_path):
    answer(project, "trace", "export", "last", "--format", "bundle", "-o", tmp_path / "b.zip")
    stranger = elsewhere(tmp_path)
    theirs = tmp_path / "theirs"
    theirs.mkdir()
    answer(theirs, "init", **stranger)
    said = cra(theirs, "trace", "verify", tmp_path / "b.zip", "--json", **stranger)

    assert (said.returncode, json.loads(said.stdout)["level"]) == (0, "L0")


@pytest.mark.parametrize("path", ["missing.trace.jsonl", "./missing", "cra.config.json", "./below"])
def test_a_path_that_holds_nothing_to_verify_is_a_usage_error(project, path):
    (project / "below").mkdir()
    said = cra(project, "trace", "verify", path)

    assert (said.returncode, said.stdout) == (2, "")


def test_a_directory_is_named_by_its_bare_name_where_no_session_could_be_meant(project, tmp_path):
    shutil.copytree(project / "cra.trace", project / "copy")
    shutil.copytree(project / "cra.trace", tmp_path / "elsewhere" / "copy")
    for place in (project, tmp_path / "elsewhere"):
        assert answer(place, "trace", "verify", "copy") == answer(
            place, "trace", "verify", "./copy"
        )
    assert "expected the session copies" in cra(project, "trace", "verify", "copies").stderr


@pytest.mark.parametrize(("place", "path"), [("project", "."), ("", "project")])
def test_whoever_names_a_project_is_told_where_its_ledger_is(project, place, path):
    config = project / "cra.config.json"
    settings = json.loads(config.read_text())
    config.write_text(json.dumps({**settings, "trace": {"directory": "the records"}}))
    (project / "cra.trace").rename(project / "the records")
    stood = project.parent / place
    said = cra(stood, "trace", "verify", path)

    assert (said.returncode, said.stdout) == (2, "")
    _, _, fix = said.stderr.rstrip().rpartition("fix: ")
    assert answer(stood, *shlex.split(fix)[1:]).splitlines()[-1].startswith("INTACT")


def test_a_path_stands_alone(project, session_id):
    assert cra(project, "trace", "verify", session_id, "cra.trace/").returncode == 2
    line = answer(project, "trace", "anchor")
    answer(project, "trace", "export", "last", "--format", "bundle", "-o", "b.zip")
    assert cra(project, "trace", "verify", "b.zip", "--anchor", line).returncode == 2


def test_a_proof_needs_nothing_else(project, session_id, key, tmp_path):
    path = tmp_path / "event.tlog-proof"
    answer(project, "trace", "prove", f"{session_id}:3", "--output", path)
    shutil.rmtree(project)
    stranger = elsewhere(tmp_path)
    plain = cra(tmp_path, "trace", "verify-proof", path, **stranger)
    signed = cra(tmp_path, "trace", "verify-proof", path, "--key", key, "--json", **stranger)
    facts = json.loads(signed.stdout)

    assert plain.returncode == 0
    assert "event:      action.denied" in plain.stdout
    assert f"session:    {session_id}:3" in plain.stdout
    assert plain.stdout.endswith("VALID, L0\n")
    assert (facts["valid"], facts["level"], facts["signer"]) == (True, "L1", key)
    assert facts["event"]["payload"] == DENIED


def test_an_event_is_named_in_three_ways(project, session_id):
    lines = (project / "cra.trace" / f"{session_id}.trace.jsonl").read_bytes().split(b"\n")
    event = decode(lines[2])
    proof = answer(project, "trace", "prove", "last:2")

    assert answer(project, "trace", "prove", event.header["event_id"]) == proof
    assert answer(project, "trace", "prove", event.event_hash[:12]) == proof
    assert "journal" in answer(project, "trace", "prove", "journal:1")


def test_nothing_is_proven_by_a_checkpoint_that_another_key_signed(project, session_id, tmp_path):
    path = project / "cra.trace" / f"{session_id}.checkpoint"
    note = path.read_bytes()
    opened = open_checkpoint(note, None, (), signed=False)
    path.write_bytes(seal(opened.checkpoint, create_key(tmp_path / "forger")))
    said = cra(project, "trace", "prove", "last:2")

    assert (said.returncode, said.stdout) == (3, "")
    assert "CRA-3013" in said.stderr


@pytest.mark.parametrize(
    "event", ["last:99", "last:x", "last", "0" * 12, "0" * 11, "none:1", "journal:1000"]
)
def test_an_event_that_is_not_there_is_a_usage_error(project, event):
    said = cra(project, "trace", "prove", event)

    assert (said.returncode, said.stdout) == (2, "")


def test_an_event_beyond_the_last_one_is_said_not_to_be_there(project):
    said = cra(project, "trace", "prove", "last:77")

    assert said.returncode == 2
    assert "error[CRA-1002]: expected an event from 0 to 6, found 77" in said.stderr


def test_an_event_that_no_checkpoint_covers_yet_is_said_to_wait_for_one(project, session_id):
    path = project / "cra.trace" / f"{session_id}.checkpoint"
    covered = path.read_bytes()
    path.write_bytes(covered.replace(b"\n7\n", b"\n6\n", 1))
    said = cra(project, "trace", "prove", "last:6", **elsewhere(project.parent))

    assert said.returncode == 2
    assert "error[CRA-4000]: expected an event under the checkpoint of 6 events" in said.stderr


def test_an_edited_proof_is_refused(project):
    proof = answer(project, "trace", "prove", "last:2")
    for edited in (
        proof.replace("index 2", "index 3"),
        proof.replace("c2sp.org", "example.org"),
        proof[:-20],
        "",
    ):
        said = cra(project, "trace", "verify-proof", "-", stdin=edited + "\n")

        assert (said.returncode, said.stdout) == (3, "")
        assert "error[CRA-30" in said.stderr


def test_a_proof_can_come_through_a_pipe(project):
    proof = answer(project, "trace", "prove", "last:2") + "\n"

    assert cra(project, "trace", "verify-proof", "-", stdin=proof).stdout.endswith("VALID, L1\n")
    assert cra(project, "trace", "verify-proof", "nothing.here").returncode == 2


def test_a_head_is_proven_to_be_a_prefix(project):
    line = answer(project, "trace", "anchor")
    record(project)
    proof = answer(project, "trace", "prove", "--from", line) + "\n"
    said = cra(project, "trace", "verify-proof", "-", stdin=proof)
    wrong = line[:-4] + ("0000" if line[-4:] != "0000" else "1111")

    assert said.returncode == 0
    assert f"anchor:     {line}" in said.stdout
    assert cra(project, "trace", "prove", "--from", wrong).returncode == 3
    assert cra(project, "trace", "prove", "--from", "cra:x").returncode == 2
    assert cra(project, "trace", "prove").returncode == 2
    assert cra(project, "trace", "prove", "last:1", "--from", line).returncode == 2


def test_export_writes_what_is_stored(project, session_id):
    stored = (project / "cra.trace" / f"{session_id}.trace.jsonl").read_text()

    for to_stdout in ((), ("-o", "-")):
        said = cra(project, "trace", "export", "last", *to_stdout)
        assert (said.returncode, said.stdout, said.stderr) == (0, stored, "")
    said = cra(project, "trace", "export", "last", "-o", "out.jsonl")
    assert (said.returncode, said.stdout, said.stderr) == (0, "out.jsonl\n", "7 events\n")
    assert (project / "out.jsonl").read_text() == stored


def exported(project: Path, *arguments: str) -> tuple[int, bytes]:
    """The code and the bytes that come through a pipe."""
    done = subprocess.run(
        [sys.executable, "-m", "cra", "trace", "export", "last", *arguments],
        cwd=project,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
    )
    return done.returncode, done.stdout


def test_export_writes_the_bytes_that_are_stored_whatever_they_are(project, session_id):
    path = project / "cra.trace" / f"{session_id}.trace.jsonl"
    path.write_bytes(path.read_bytes() + b"\xff\x1b[31m\n")

    assert exported(project) == (3, path.read_bytes())


def test_export_filters(project):
    arguments = ("trace", "export", "last", "--filter", "type:action.denied")
    events = json.loads(answer(project, *arguments, "--format", "json"))
    rows = csv.DictReader(io.StringIO(answer(project, *arguments, "--format", "csv")))

    assert [event["sequence"] for event in events] == [1, 2, 3, 4]
    assert [row["event_type"] for row in rows] == ["action.denied"] * 4


@pytest.mark.parametrize(
    "arguments",
    [
        "--format xml",
        "--filter type:",
        "--format bundle --filter type:action.*",
        "--format bundle --severity warn",
        "--force",
        "--json",
        "--format csv --json",
        "--output - --json",
        "--format bundle --output - --json",
    ],
)
def test_export_refuses_what_it_does_not_know_and_what_does_not_go_together(project, arguments):
    said = cra(project, "trace", "export", "last", *arguments.split())

    assert (said.returncode, said.stdout) == (2, "")
    assert "expected" in said.stderr
    assert not list(project.glob("*.zip"))


@pytest.mark.parametrize("form", ["jsonl", "json", "csv", "bundle"])
def test_export_reports_what_it_wrote_as_json(project, session_id, form):
    said = answer(project, "trace", "export", "last", "--format", form, "-o", "x", "--json")

    facts = json.loads(said)
    assert {name: facts[name] for name in ("output", "format", "session_id", "events")} == {
        "output": "x",
        "format": form,
        "session_id": session_id,
        "events": 7,
    }
    assert facts["verdict"] == "INTACT"
    assert (project / "x").stat().st_size > 0


def test_a_bundle_goes_through_a_pipe_and_not_to_a_terminal(project):
    bundle = ("trace", "export", "last", "--format", "bundle", "-o")
    answer(project, *bundle, "b.zip")
    piped = exported(project, "--format", "bundle", "-o", "-")
    code, screen = at_terminal(project, *bundle, "-", typed="")

    assert piped == (0, (project / "b.zip").read_bytes())
    assert not (project / "-").exists()
    assert (code, "found a terminal" in screen) == (2, True)


@pytest.mark.parametrize(
    "command", ["export last", "export last --format bundle", "prove last:1", "export last --json"]
)
def test_a_file_that_is_there_is_replaced_if_the_user_says_so(project, command):
    target = project / "mine"
    target.write_text("mine")
    words = ("trace", *command.split(), "-o", "mine")
    refused = cra(project, *words)

    assert (refused.returncode, target.read_text()) == (2, "mine")
    assert "Replace mine?" in refused.stderr
    assert "add --yes" in refused.stderr
    code, screen = at_terminal(project, *words, typed="n\n")
    assert (code, target.read_text()) == (0, "mine")
    assert "nothing was written" in screen
    assert at_terminal(project, *words, typed="y\n")[0] == 0
    assert target.stat().st_size > 4
    assert cra(project, *words, "--yes").returncode == 0


@pytest.mark.parametrize("command", ["export last", "export last --format bundle", "prove last:1"])
@pytest.mark.parametrize("place", ["nowhere/x", "agents.md/x"])
def test_a_place_where_no_file_can_be_is_named_as_it_was_stated(project, command, place):
    said = cra(project, "trace", *command.split(), "-o", place)

    assert said.returncode == 2
    assert f"where: {place}\n" in said.stderr


@pytest.mark.parametrize("place", ["cra.trace", "/dev/null"])
def test_what_is_no_file_is_not_replaced_by_one(project, place):
    said = cra(project, "trace", "export", "last", "-o", place, "--yes")

    assert said.returncode == 2
    assert "expected a place for a file, found another thing" in said.stderr


@pytest.mark.parametrize("change", ["edited", "cut"])
def test_an_export_of_what_was_changed_says_so(project, session_id, change):
    path = project / "cra.trace" / f"{session_id}.trace.jsonl"
    if change == "edited":
        edit(path, b"no rule", b"our rule")
    else:
        path.write_bytes(b"".join(path.read_bytes().splitlines(keepends=True)[:-1]))
    stored = path.read_text()
    finding = "CRA-3002" if change == "edited" else "CRA-3010"

    plain = cra(project, "trace", "export", "last")
    filed = cra(project, "trace", "export", "last", "-o", "x", "--json")
    table = cra(project, "trace", "export", "last", "--format", "csv", "-o", "y")

    assert (plain.returncode, plain.stdout) == (3, stored)
    assert f"warning: TAMPERED: {session_id}: {finding}: " in plain.stderr
    assert (filed.returncode, (project / "x").read_text()) == (3, stored)
    assert json.loads(filed.stdout)["verdict"] == "TAMPERED"
    assert json.loads(filed.stdout)["code"] == finding
    assert table.returncode == 3
    if change == "edited":
        assert f"where: {path}\n" in table.stderr
        assert not (project / "y").exists()


def test_a_file_that_is_named_like_no_session_is_exported_without_a_verdict(project, session_id):
    shutil.copy(project / "cra.trace" / f"{session_id}.trace.jsonl", project / "kept.log")

    said = answer(project, "trace", "export", "./kept.log", "-o", "x", "--json")

    assert (json.loads(said)["events"], json.loads(said)["verdict"]) == (7, None)


def test_a_bundle_is_accepted_by_the_verifier_that_stands_alone(project, session_id, key):
    said = cra(project, "trace", "export", "last", "--format", "bundle")
    path = project / said.stdout.rstrip()
    command = [sys.executable, str(verifier_path()), str(path), "--key", key]
    verdict = subprocess.run(command, capture_output=True, text=True, check=False)

    assert path.name == f"{session_id}.zip"
    assert key in said.stderr
    assert verdict.returncode == 0, verdict.stdout + verdict.stderr


def test_a_session_that_is_not_intact_is_exported_by_force_alone(project, session_id):
    edit(project / "cra.trace" / f"{session_id}.trace.jsonl", b"no rule", b"our rule")
    refused = cra(project, "trace", "export", "last", "--format", "bundle")

    assert refused.returncode == 3
    assert not list(project.glob("*.zip"))
    answer(project, "trace", "export", "last", "--format", "bundle", "--force", "-o", "e.zip")
    assert cra(project, "trace", "verify", "e.zip").returncode == 3


def test_reading_commands_leave_the_project_as_it_is(project):
    before = {path: path.stat().st_mtime_ns for path in (project / "cra.trace").rglob("*")}
    for arguments in (
        ("verify",),
        ("verify", "--since-verified"),
        ("prove", "last:1"),
        ("anchor",),
        ("export", "last"),
        ("repair",),
        ("prune", "--dry-run"),
    ):
        assert cra(project, "trace", *arguments).returncode == 0
    after = {path: path.stat().st_mtime_ns for path in (project / "cra.trace").rglob("*")}

    assert after == before
