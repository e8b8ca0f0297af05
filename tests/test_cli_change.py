"""`cra trace repair`, `redact`, `prune` and `cra session start`, `end`, run as a program."""

from __future__ import annotations

import json
import shlex
import shutil
import time
from pathlib import Path

import pytest

from cra.cli.project import user_dirs
from cra.errors import Code, IntegrityError, WriteFailed
from cra.ledger import files
from cra.ledger.keys import create_key, load_key
from cra.ledger.memory import Memory
from cra.ledger.repair import accept_journal, acceptable_in
from cra.ledger.store import Ledger, read_events
from cra.ledger.verify import Trust, verify_ledger
from tests.program import answer, cra

DENIED = {"action_id": "ticket.delete", "reason": "no rule allows it", "policy_id": None}


@pytest.fixture
def project(tmp_path):
    folder = tmp_path / "project"
    folder.mkdir()
    answer(folder, "init")
    record(folder)
    return folder


def open_ledger(project: Path) -> Ledger:
    signer = load_key(user_dirs().signing_key)
    return Ledger(project / "cra.trace", signer=signer, memory=Memory(user_dirs().state))


def record(project: Path, *, ended: bool = True) -> str:
    """A session of 4 or 5 events in the project's ledger, by the user."""
    ledger = open_ledger(project)
    session = ledger.start_session("tester")
    for _ in range(3):
        session.append("action.denied", DENIED)
    if ended:
        session.end()
    ledger.close()
    return session.id


@pytest.fixture
def session_id(project):
    [path] = (project / "cra.trace").glob("0*.trace.jsonl")
    return path.name.partition(".")[0]


def journal(project: Path, event_type: str) -> list[dict[str, object]]:
    events = read_events(project / "cra.trace" / "journal.trace.jsonl")
    return [event.payload or {} for event in events if event.event_type == event_type]


def verdict(project: Path, *arguments: str) -> tuple[str, str | None]:
    facts = json.loads(cra(project, "trace", "verify", "--json", *arguments).stdout)
    return facts["verdict"], facts["level"]


def append(path: Path, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


def test_a_sound_ledger_has_nothing_to_accept(project, session_id):
    everything, journal = "the ledger", "the journal"
    for arguments, where in (
        ((), journal),
        (("--all",), everything),
        (("last",), f"the session {session_id}"),
        (("journal",), journal),
        (("--all", "--accept"), everything),
    ):
        said = cra(project, "trace", "repair", *arguments)

        assert (said.returncode, said.stdout) == (0, f"nothing to accept in {where}\n")
        assert said.stderr == ""


@pytest.mark.parametrize("name", ["an ended session", "an open session", "journal"])
def test_half_a_line_is_removed_when_accepted(project, session_id, name):
    if name == "an open session":
        session_id = record(project, ended=False)
    chain = "journal" if name == "journal" else session_id
    path = project / "cra.trace" / f"{chain}.trace.jsonl"
    whole = path.read_bytes()
    append(path, b'{"half":')
    shown = cra(project, "trace", "repair", chain)

    assert shown.returncode == 1
    assert "--accept would complete the last line" in shown.stdout
    assert path.read_bytes() == whole + b'{"half":'
    assert verdict(project) == ("INCOMPLETE", "L2")
    mended = answer(project, "trace", "repair", "--all", "--accept")
    [kept] = (project / "cra.trace").glob(f"{chain}.removed-*")
    assert f"8 bytes from {len(whole)} on: {kept.name}" in mended
    assert kept.read_bytes() == b'{"half":'
    assert path.read_bytes().startswith(whole)
    *_, recovered = read_events(path)
    assert recovered.event_type == "ledger.recovered" or chain == "journal"
    assert verdict(project) == ("INTACT", "L2")
    assert answer(project, "trace", "repair", "--all", "--accept").startswith("nothing to accept")


def test_an_ended_session_that_is_mended_stays_ended(project, session_id):
    append(project / "cra.trace" / f"{session_id}.trace.jsonl", b'{"half":')
    answer(project, "trace", "repair", "last", "--accept")

    [shown] = json.loads(answer(project, "session", "list", "--json"))["sessions"]
    assert (shown["state"], shown["events"]) == ("ended", 6)
    assert cra(project, "session", "end", "last").returncode == 2


@pytest.mark.parametrize("name", ["session", "journal"])
def test_damage_beyond_the_checkpoint_is_cut_off_when_accepted(project, session_id, name):
    chain = session_id if name == "session" else "journal"
    path = project / "cra.trace" / f"{chain}.trace.jsonl"
    whole = path.read_bytes()
    append(path, b"\0" * 4096 + b"\nrubbish\n")
    shown = cra(project, "trace", "repair", chain)

    assert shown.returncode == 1
    assert "--accept would cut off" in shown.stdout
    assert verdict(project)[0] == "DAMAGED"
    mended = cra(project, "trace", "repair", chain, "--accept")
    assert mended.returncode == 0, mended.stderr
    assert "4,105 bytes" in mended.stdout
    [kept] = (project / "cra.trace").glob(f"{chain}.removed-*")
    assert kept.name in mended.stdout
    assert kept.read_bytes() == b"\0" * 4096 + b"\nrubbish\n"
    assert path.read_bytes().startswith(whole)
    assert verdict(project) == ("INTACT", "L2")


def test_what_to_mend_is_chosen(project, session_id):
    append(project / "cra.trace" / f"{session_id}.trace.jsonl", b"rubbish\n")

    journal = cra(project, "trace", "repair")
    assert (journal.returncode, journal.stdout) == (0, "nothing to accept in the journal\n")
    assert "not looked at: 1 other finding; cra trace repair --all" in journal.stderr
    assert cra(project, "trace", "repair", "--all").returncode == 1
    assert cra(project, "trace", "repair", "last", "--all").returncode == 2
    assert cra(project, "trace", "repair", "none").returncode == 2


@pytest.mark.parametrize("name", ["session", "journal"])
def test_what_a_signed_checkpoint_covers_is_beyond_repair(project, session_id, name):
    chain = session_id if name == "session" else "journal"
    path = project / "cra.trace" / f"{chain}.trace.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"runtime"', b'"agent"', 1))
    edited = path.read_bytes()
    for arguments in ((chain,), (chain, "--accept"), ("--all", "--accept")):
        said = cra(project, "trace", "repair", *arguments)

        assert said.returncode == 3
        assert "Keep it as evidence" in said.stdout
    assert path.read_bytes() == edited


def test_a_session_that_is_beyond_repair_says_how_its_agent_goes_on(project):
    session_id = answer(project, "session", "start", "--agent", "it's me")
    cra(project, "resolve", "--goal", "close the red door", "--agent", "it's me")
    path = project / "cra.trace" / f"{session_id}.trace.jsonl"
    path.write_bytes(path.read_bytes().replace(b"red door", b"old door"))
    said = cra(project, "trace", "repair", "last")

    _, _, command = said.stdout.rstrip().rpartition("with a new session: ")
    assert said.returncode == 3
    begun = answer(project, *shlex.split(command)[1:])
    resolved = cra(project, "resolve", "--goal", "close", "--agent", "it's me", "--json")
    assert json.loads(resolved.stdout)["trace_id"] == begun


def test_a_journal_that_is_beyond_repair_says_how_to_begin_another(project, tmp_path):
    path = project / "cra.trace" / "journal.trace.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"runtime"', b'"agent"', 1))
    refused = cra(project, "session", "start")
    said = cra(project, "trace", "repair")

    assert (refused.returncode, f"where: {path}, event 0\n" in refused.stderr) == (3, True)
    assert "move the directory away; then cra trace repair --accept" in said.stdout
    (project / "cra.trace").rename(tmp_path / "evidence")
    answer(project, "trace", "repair", "--accept")
    answer(project, "session", "start")
    assert verdict(project) == ("INTACT", "L2")


def test_a_session_whose_file_is_gone_is_accepted_by_nobody(project, session_id, tmp_path):
    path = project / "cra.trace" / f"{session_id}.trace.jsonl"
    path.rename(tmp_path / "kept")
    for arguments in ((session_id,), (session_id, "--accept"), ("--all", "--accept")):
        said = cra(project, "trace", "repair", *arguments)

        assert said.returncode == 3
        assert "CRA-3021" in said.stdout
        assert "bring the file back, from a copy. Without it the verdict stays" in said.stdout
        assert "evidence" not in said.stdout
    (tmp_path / "kept").rename(path)
    assert verdict(project) == ("INTACT", "L2")


def test_a_session_of_no_writer_of_the_ledger_is_kept_outside_it(project, tmp_path):
    other = tmp_path / "other"
    answer(tmp_path, "init", other)
    foreign = answer(other, "session", "start")
    cra(other, "resolve", "--goal", "close")
    stray = project / "cra.trace" / f"{foreign}.trace.jsonl"
    shutil.copy(other / "cra.trace" / stray.name, stray)
    said = cra(project, "trace", "repair", "--all")

    assert (said.returncode, "UNLISTED" in said.stdout) == (3, True)
    assert "Keep it as evidence, outside the project" in said.stdout
    stray.rename(tmp_path / "evidence")
    assert verdict(project) == ("INTACT", "L2")


def test_repair_tells_programs_the_same(project, session_id):
    append(project / "cra.trace" / f"{session_id}.trace.jsonl", b"rubbish\n")
    shown = json.loads(cra(project, "trace", "repair", "last", "--json").stdout)
    done = json.loads(cra(project, "trace", "repair", "last", "--accept", "--json").stdout)

    [item] = shown["acceptable"]
    assert (item["name"], item["kind"], shown["accepted"]) == (session_id, "damage", [])
    assert done["accepted"][0]["removed"]["bytes"] == 8


def replaced(project: Path, tmp_path: Path) -> None:
    """Put another ledger, by the same user, in the place of the project's."""
    other = tmp_path / "other"
    other.mkdir()
    answer(other, "init")
    answer(other, "session", "start")
    shutil.rmtree(project / "cra.trace")
    shutil.copytree(other / "cra.trace", project / "cra.trace")


def rolled_back(project: Path, tmp_path: Path) -> None:
    shutil.copytree(project / "cra.trace", tmp_path / "kept")
    record(project)
    shutil.rmtree(project / "cra.trace")
    shutil.copytree(tmp_path / "kept", project / "cra.trace")


def thrown_away(project: Path, tmp_path: Path) -> None:  # noqa: ARG001  # as the two above
    shutil.rmtree(project / "cra.trace")


@pytest.mark.parametrize(
    ("change", "code"),
    [(replaced, "CRA-3031"), (rolled_back, "CRA-3030"), (thrown_away, "CRA-3030")],
)
def test_a_break_with_what_was_remembered_is_recorded_when_accepted(
    project, tmp_path, change, code
):
    [before] = [payload["ledger_id"] for payload in journal(project, "journal.opened")]
    change(project, tmp_path)
    remembered = Memory(user_dirs().state).of_ledger(str(before))
    assert remembered is not None
    verified = cra(project, "trace", "verify")
    shown = cra(project, "trace", "repair")

    assert verified.returncode == 3
    assert code in verified.stdout + verified.stderr
    assert shown.returncode == 1, shown.stderr
    assert "--accept would record in the journal" in shown.stdout
    answer(project, "trace", "repair", "--accept")
    [said] = journal(project, "ledger.recovered")
    assert said["reason"] == "accepted"
    assert said["broken_from"] == {
        "ledger_id": before,
        "size": remembered.size,
        "root": remembered.root,
    }
    assert verdict(project) == ("INTACT", "L2")
    events = f"{remembered.size} event{'s' * (remembered.size != 1)}"
    told = f"what was seen here before: {events} of the journal of the ledger {before}\n"
    assert told in cra(project, "trace", "verify").stderr
    answer(project, "session", "start")
    assert cra(project, "trace", "repair", "--all").returncode == 0


def test_a_ledger_with_a_break_takes_no_session(project, tmp_path):
    rolled_back(project, tmp_path)
    said = cra(project, "session", "start")

    assert said.returncode == 3
    assert "cra trace repair --accept" in said.stderr
    assert cra(project, "trace", "repair", "last", "--accept").returncode == 0
    assert cra(project, "session", "start").returncode == 3


def test_a_ledger_that_is_gone_is_named_and_no_other_begun_in_its_place(project, tmp_path):
    [opened] = journal(project, "journal.opened")
    thrown_away(project, tmp_path)
    said = cra(project, "session", "start")

    assert said.returncode == 3
    assert f"error[CRA-3030]: expected the ledger {opened['ledger_id']}, found none" in said.stderr
    assert "cra trace repair --accept" in said.stderr
    assert not (project / "cra.trace").exists()


def change_key(tmp_path: Path) -> tuple[str, str]:
    """Give the user another key, and return both."""
    path = user_dirs().signing_key
    old = str(load_key(path).key)
    path.rename(tmp_path / "old.key")
    return old, str(create_key(path).key)


def test_another_key_is_recorded_when_accepted(project, tmp_path):
    old, new = change_key(tmp_path)
    refused = cra(project, "session", "start")
    shown = cra(project, "trace", "repair")

    assert refused.returncode == 2
    assert "cra trace repair --accept" in refused.stderr
    assert shown.returncode == 1
    assert "sign every checkpoint with it" in shown.stdout
    accepted = cra(project, "trace", "repair", "--accept", "--reason", "the laptop was lost")
    assert accepted.returncode == 0
    assert "cra.config.json does not list the key that signs now" in accepted.stderr
    assert f'add "{new}" to keys\n' in accepted.stderr
    assert journal(project, "journal.key_added") == [
        {"signer": new, "reason": "the laptop was lost"}
    ]
    assert verdict(project) == ("INTACT", "L2")
    assert verdict(project, "--key", new) == ("INTACT", "L2")
    # Whoever holds the old key alone does not take the ledger's own word for the new one.
    stranger = {"HOME": str(tmp_path), "XDG_CONFIG_HOME": "", "XDG_STATE_HOME": ""}
    for keys, expected in (([old], "TAMPERED"), ([new], "INTACT"), ([old, new], "INTACT")):
        options = [word for key in keys for word in ("--key", key)]
        said = cra(project, "trace", "verify", "--json", *options, **stranger)
        shutil.rmtree(tmp_path / ".local", ignore_errors=True)
        assert json.loads(said.stdout)["verdict"] == expected
    answer(project, "session", "start")
    assert cra(project, "trace", "repair", "--all").returncode == 0
    assert verdict(project) == ("INTACT", "L2")
    # The key that the ledger began with is one of many now.
    begun_with = str(tmp_path / "old.key")
    said = cra(project, "session", "start", CRA_SIGNING_KEY_FILE=begun_with)
    assert (said.returncode, f"expected the key {new}" in said.stderr) == (2, True)


def test_a_key_can_change_more_than_once(project, tmp_path):
    for name in ("one", "two"):
        (tmp_path / name).mkdir()
        change_key(tmp_path / name)
        answer(project, "trace", "repair", "--accept")
        record(project)

    assert len(journal(project, "journal.key_added")) == 2
    assert verdict(project) == ("INTACT", "L2")


def test_a_forged_record_of_a_key_is_not_the_ledgers_word(project, tmp_path):
    forger = create_key(tmp_path / "forger")
    shutil.copytree(project / "cra.trace", tmp_path / "copy")
    shutil.copy(tmp_path / "forger", tmp_path / "forgers.key")
    user_dirs().signing_key.rename(tmp_path / "honest.key")
    shutil.copy(tmp_path / "forger", user_dirs().signing_key)
    answer(tmp_path / "copy", "trace", "repair", "--accept", "--trace-dir", tmp_path / "copy")
    forged = (tmp_path / "copy" / "journal.trace.jsonl").read_bytes()
    shutil.copy(tmp_path / "honest.key", user_dirs().signing_key)
    (project / "cra.trace" / "journal.trace.jsonl").write_bytes(forged)

    assert str(forger.key) in forged.decode()
    assert verdict(project) == ("INTACT", "L2")
    shown = json.loads(cra(project, "trace", "repair", "--json").stdout)
    assert [item["kind"] for item in shown["acceptable"]] == []


def test_a_new_key_vouches_for_nothing_that_is_beyond_repair(project, session_id, tmp_path):
    path = project / "cra.trace" / f"{session_id}.trace.jsonl"
    path.write_bytes(path.read_bytes().replace(b"no rule", b"our rule"))
    change_key(tmp_path)
    before = {path: path.read_bytes() for path in (project / "cra.trace").glob("*.*")}
    said = cra(project, "trace", "repair", "--accept")

    assert said.returncode == 3
    assert "expected a ledger that a new key can vouch for" in said.stderr
    assert {path: path.read_bytes() for path in (project / "cra.trace").glob("*.*")} == before


def test_a_signed_ledger_is_not_repaired_without_a_key(project, tmp_path):
    append(project / "cra.trace" / "journal.trace.jsonl", b"rubbish\n")
    user_dirs().signing_key.rename(tmp_path / "hidden")
    said = cra(project, "trace", "repair", "--accept")

    assert said.returncode == 2
    assert "CRA_SIGNING_KEY_FILE" in said.stderr
    assert "cra init makes another, then cra trace repair --accept" in said.stderr
    answer(project, "init")
    answer(project, "trace", "repair", "--accept")
    answer(project, "session", "start")


def test_an_unsigned_ledger_is_repaired_without_a_key(tmp_path):
    folder = tmp_path / "unsigned"
    folder.mkdir()
    answer(folder, "init", "--no-sign")
    answer(folder, "session", "start")
    append(folder / "cra.trace" / "journal.trace.jsonl", b"rubbish\n")

    assert cra(folder, "trace", "repair").returncode == 1
    answer(folder, "trace", "repair", "--accept")
    assert verdict(folder) == ("INTACT", "L0")


def test_a_change_of_key_that_broke_off_is_finished_by_accepting_again(
    project, tmp_path, monkeypatch
):
    change_key(tmp_path)
    signer = load_key(user_dirs().signing_key)
    memory = Memory(user_dirs().state)

    def judged():
        return verify_ledger(project / "cra.trace", Trust(own=signer.key), memory=memory)

    append(project / "cra.trace" / "journal.trace.jsonl", b"rubbish\n")
    replace = files.replace
    done = False
    for allowed in range(30):
        count = 0

        def counted(*arguments, allowed=allowed, **options):
            nonlocal count
            count += 1
            if count > allowed:
                raise OSError(28, "No space left on device")
            replace(*arguments, **options)

        with monkeypatch.context() as patch:
            patch.setattr(files, "replace", counted)
            try:
                accept_journal(judged(), memory, signer, "lost")
                done = True
            except WriteFailed:
                pass
        assert judged().verdict.name in {"INTACT", "DAMAGED"}, allowed
        if done:
            break
    assert done
    assert [item.kind for item in acceptable_in(judged(), memory, signer)] == []
    assert (judged().verdict.name, str(judged().level)) == ("INTACT", "L2")


def test_redact_takes_a_payload_away(project, session_id):
    said = cra(project, "trace", "redact", "last:2", "--reason", "a name")
    assert (said.returncode, "add --yes" in said.stderr) == (2, True)
    arguments = ("trace", "redact", f"{session_id}:2", "--reason", "a name", "--yes")
    answer(project, *arguments)
    again = json.loads(answer(project, *arguments, "--json"))
    [record] = journal(project, "journal.redacted")

    assert again["was_done"]
    assert (record["sequence"], record["reason"]) == (2, "a name")
    assert verdict(project) == ("INTACT", "L2")


def test_redact_refuses_what_it_cannot_do(project):
    for event in ("last:0", "last:99", "journal:1", "none:1"):
        said = cra(project, "trace", "redact", event, "--reason", "a name", "--yes")
        assert said.returncode == 2, event
    assert cra(project, "trace", "redact", "last:2", "--yes").returncode == 2
    assert cra(project, "trace", "redact", "last:2", "--reason", "", "--yes").returncode == 2
    record(project, ended=False)
    said = cra(project, "trace", "redact", "last:2", "--reason", "a name", "--yes")
    assert (said.returncode, "CRA-4004" in said.stderr) == (2, True)


def test_prune_removes_what_is_past_its_retention(project, session_id):
    still_open = record(project, ended=False)
    dry = json.loads(answer(project, "trace", "prune", "--older-than", "0d", "--dry-run", "--json"))
    asked = cra(project, "trace", "prune", "--older-than", "0d")

    assert [item["session_id"] for item in dry["sessions"]] == [session_id]
    assert (asked.returncode, "add --yes" in asked.stderr) == (2, True)
    assert answer(project, "trace", "prune", "--yes") == "nothing to prune"
    assert session_id in answer(project, "trace", "prune", "--older-than", "0d", "--yes")
    left = [path.name for path in (project / "cra.trace").glob("0*.trace.jsonl")]
    assert left == [f"{still_open}.trace.jsonl"]
    assert journal(project, "journal.pruned")[0]["reason"] == "retention of 0d"
    assert verdict(project) == ("INTACT", "L2")


def test_prune_goes_by_the_configuration(project, session_id):
    config = project / "cra.config.json"
    facts = json.loads(config.read_text())
    config.write_text(json.dumps({**facts, "trace": {"retention_days": 1}}))

    assert answer(project, "trace", "prune", "--dry-run") == "nothing to prune"
    named = answer(project, "trace", "prune", "--session", session_id[:20], "--yes")
    assert session_id in named
    assert journal(project, "journal.pruned")[0]["reason"] == "asked for by id"


def test_prune_keeps_what_is_not_intact_and_goes_on(project, session_id):
    other = record(project)
    path = project / "cra.trace" / f"{session_id}.trace.jsonl"
    path.write_bytes(path.read_bytes().replace(b"no rule", b"our rule"))
    said = cra(project, "trace", "prune", "--older-than", "0d", "--yes", "--json")
    facts = {item["session_id"]: item["kept"] for item in json.loads(said.stdout)["sessions"]}

    assert said.returncode == 3
    assert facts[session_id]
    assert facts[other] is None
    named = cra(project, "trace", "prune", "--session", session_id, "--yes")
    assert (named.returncode, "CRA-3002" in named.stderr) == (3, True)
    assert path.exists()


def test_prune_finishes_what_was_interrupted(project, session_id):
    ledger = project / "cra.trace"
    shutil.copytree(ledger, project / "kept")
    answer(project, "trace", "prune", "--session", session_id, "--yes")
    for path in (project / "kept").glob(f"{session_id}.*"):
        name = path.name.replace(".trace.jsonl", ".pruned")
        shutil.copy(path, ledger / name)

    assert verdict(project)[0] == "INTACT"
    assert session_id in answer(project, "trace", "prune", "--yes")
    assert list(ledger.glob(f"{session_id}*")) == []


@pytest.mark.parametrize("age", ["soon", "1", "-1d", "1w", "1h30m", "٣d"])
def test_an_age_has_a_form(project, age):
    assert cra(project, "trace", "prune", f"--older-than={age}").returncode == 2


def give_scopes(project: Path, agent: str, *scopes: str) -> None:
    config = project / "cra.config.json"
    agents = {agent: {"scopes": scopes}}
    config.write_text(json.dumps({**json.loads(config.read_text()), "agents": agents}))


def test_a_session_starts_and_ends(project):
    give_scopes(project, "reviewer", "a", "b", "c")
    arguments = ("--agent", "reviewer", "--principal", "user:me", "--ttl", "90m")
    session_id = answer(project, "session", "start", *arguments, "--scope", "a", "--scope", "b")
    [started] = list(read_events(project / "cra.trace" / f"{session_id}.trace.jsonl"))
    facts = started.payload or {}

    assert facts["agent_id"] == "reviewer"
    assert facts["principal"] == {"type": "user", "id": "me"}
    assert facts["scopes"] == ["a", "b"]
    assert facts["ttl_seconds"] == 5400
    assert facts["signer"].startswith("cra.local+")
    words = ("--agent", "reviewer", "--reason", "by hand", "--json")
    ended = json.loads(answer(project, "session", "end", *words))
    assert (ended["session_id"], ended["reason"]) == (session_id, "by hand")
    assert ended["summary"]["events"] == 2
    assert verdict(project) == ("INTACT", "L2")


def test_end_wants_one_open_session(project):
    none = cra(project, "session", "end")
    first = answer(project, "session", "start")
    second = json.loads(answer(project, "session", "start", "--json"))["session_id"]
    several = cra(project, "session", "end")

    assert (none.returncode, several.returncode) == (2, 2)
    assert "fix: cra session list\n" in none.stderr
    assert "fix: name the one to end\n" in several.stderr
    assert first in several.stderr
    assert second in several.stderr
    answer(project, "session", "end", first)
    again = cra(project, "session", "end", first)
    assert (again.returncode, "CRA-4003" in again.stderr) == (2, True)
    assert f"fix: cra session show {first}\n" in again.stderr
    assert answer(project, "session", "end") == (
        f"ended {second}: 2 events, 0 resolutions, 0 actions, 0 denials"
    )


def test_end_passes_over_sessions_of_other_agents_and_those_that_are_over(project):
    others = answer(project, "session", "start", "--agent", "reviewer")
    over = answer(project, "session", "start", "--ttl", "1s")
    time.sleep(1.1)
    none = cra(project, "session", "end")
    own = answer(project, "session", "start")

    assert (none.returncode, "of the agent cli, found none" in none.stderr) == (2, True)
    assert answer(project, "session", "end").startswith(f"ended {own}:")
    assert answer(project, "session", "end", "--agent", "reviewer").startswith(f"ended {others}:")
    assert answer(project, "session", "end", over).startswith(f"ended {over}:")


def test_a_child_shares_its_parents_trace_and_is_no_wider(project):
    give_scopes(project, "cli", "a", "b", "c")
    parent = answer(project, "session", "start", "--scope", "a", "--scope", "b")
    child = answer(project, "session", "start", "--parent", "last", "--scope", "a")
    heir = answer(project, "session", "start", "--parent", parent)
    wider = cra(project, "session", "start", "--parent", parent, "--scope", "c")
    [event] = list(read_events(project / "cra.trace" / f"{child}.trace.jsonl"))
    [inherited] = list(read_events(project / "cra.trace" / f"{heir}.trace.jsonl"))

    assert event.header["trace_id"] == parent
    assert (event.payload or {})["parent_session_id"] == parent
    assert (event.payload or {})["scopes"] == ["a"]
    assert (inherited.payload or {})["scopes"] == ["a", "b"]
    assert (wider.returncode, wider.stdout) == (2, "")
    assert verdict(project) == ("INTACT", "L2")


def test_a_child_has_the_time_that_its_parent_has_left(project):
    parent = answer(project, "session", "start", "--ttl", "10m")
    longer = cra(project, "session", "start", "--parent", parent, "--ttl", "11m")
    heir = json.loads(answer(project, "session", "start", "--parent", parent, "--json"))

    assert (longer.returncode, longer.stdout) == (2, "")
    assert parent in longer.stderr
    assert 0 < heir["ttl_seconds"] <= 600


def test_an_agents_scopes_are_bounded_by_the_configuration(project):
    give_scopes(project, "reviewer", "read")
    start = ("session", "start", "--agent", "reviewer")
    session_id = answer(project, *start)
    [event] = list(read_events(project / "cra.trace" / f"{session_id}.trace.jsonl"))

    assert (event.payload or {})["scopes"] == ["read"]
    assert cra(project, *start, "--scope", "read").returncode == 0
    assert cra(project, *start, "--scope", "write").returncode == 2
    stranger = cra(project, "session", "start", "--agent", "nobody", "--scope", "read")
    assert (stranger.returncode, "nobody" in stranger.stderr) == (2, True)


@pytest.mark.parametrize(
    "arguments",
    [
        ("--ttl", "never"),
        ("--ttl", "400d"),
        ("--ttl", "0s"),
        ("--principal", "me"),
        ("--principal", "robot:x"),
        ("--principal", "user:"),
        ("--parent", "none"),
    ],
)
def test_a_session_with_a_wrong_word_is_not_begun(project, arguments):
    before = sorted((project / "cra.trace").glob("*.trace.jsonl"))

    assert cra(project, "session", "start", *arguments).returncode == 2
    assert sorted((project / "cra.trace").glob("*.trace.jsonl")) == before


def test_two_findings_of_the_same_file_are_not_mixed_up(project, session_id):
    """Damage beyond the checkpoint does not make an edit below it acceptable."""
    path = project / "cra.trace" / f"{session_id}.trace.jsonl"
    path.write_bytes(path.read_bytes().replace(b"no rule", b"our rule", 1) + b"rubbish\n")
    said = cra(project, "trace", "repair", session_id, "--accept")

    assert said.returncode == 3
    assert "CRA-3002" in said.stdout
    with pytest.raises(IntegrityError) as caught:
        open_ledger(project).session(session_id)
    assert caught.value.finding in {Code.PAYLOAD_HASH, Code.CHECKPOINT_UNMET, Code.MALFORMED_LINE}
