"""`cra trace list|show|tail|stats` and `cra session list|show`, run as programs."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cra import canonical
from cra.cli.output import width
from cra.cli.select import find_session, short_length
from cra.errors import NotFound, UsageError
from cra.ledger.chain import Chain, Draft, decode, redact
from cra.ledger.store import Ledger, Session
from tests.program import ROOT, cra

HEAVY = {"asyncio", "cryptography", "jinja2", "pydantic", "rich", "textual", "watchfiles", "yaml"}
ENVIRON = {**os.environ, "PYTHONPATH": str(ROOT)}
DECISION = {"type": "allow", "reason": "tickets are allowed", "policy_id": "p"}


def answer(folder: Path, *arguments: str, code: int = 0, **more: str) -> str:
    done = cra(folder, *arguments, **more)
    assert done.returncode == code, done.stderr
    return done.stdout


def answer_json(folder: Path, *arguments: str, code: int = 0) -> Any:
    return json.loads(answer(folder, *arguments, "--json", code=code))


def deny(session: Session, reason: str = "no rule allows it") -> None:
    payload = {"action_id": "ticket.delete", "reason": reason, "policy_id": None}
    session.append("action.denied", payload)


def approve(session: Session, execution: str, note: str = "") -> None:
    session.append(
        "action.approved",
        {
            "execution_id": execution,
            "action_id": "ticket.close",
            "resolution_id": None,
            "arguments": {"note": note},
            "arguments_digest": "0" * 64,
            "decision": DECISION,
        },
    )


def execute(session: Session, execution: str) -> None:
    payload = {"execution_id": execution, "action_id": "ticket.close"}
    session.append("action.executed", payload | {"duration_us": 5300, "result": {"ok": True}})


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A project with three sessions, the ids from the oldest to the newest."""
    folder = tmp_path_factory.mktemp("project")
    (folder / "cra.config.json").write_text("{}")
    ledger = Ledger(folder / "cra.trace")
    calm = ledger.start_session("calm")
    approve(calm, "e1")
    execute(calm, "e1")
    calm.end()
    busy = ledger.start_session("busy\x1b[31m\u202e", scopes=("tickets",))
    approve(busy, "e2", note="hidden \x1b]0;title\x07 text")
    for number in range(8):
        deny(busy, f"reason {number}")
    busy.end(force=True)
    brief = ledger.start_session("brief")
    deny(brief)
    ledger.close()
    return folder, [calm.id, busy.id, brief.id]


@pytest.fixture
def folder(recorded: tuple[Path, list[str]]) -> Path:
    return recorded[0]


@pytest.fixture
def ids(recorded: tuple[Path, list[str]]) -> list[str]:
    return recorded[1]


@pytest.fixture
def own(tmp_path: Path) -> tuple[Path, Session]:
    """A project of the test's own, with an open session."""
    (tmp_path / "cra.config.json").write_text("{}")
    return tmp_path, Ledger(tmp_path / "cra.trace").start_session("demo")


def file_of(folder: Path, session_id: str) -> Path:
    return folder / "cra.trace" / f"{session_id}.trace.jsonl"


# Which session is meant.


def test_a_session_is_named_by_its_id_its_beginning_last_or_a_path(folder, ids):
    directory = folder / "cra.trace"
    length = short_length(directory.glob("0*.jsonl"))
    for session_id in ids:
        expected = file_of(folder, session_id)
        for name in (session_id, session_id[:length], session_id.upper(), str(expected)):
            assert find_session(directory, name) == expected
    assert find_session(directory, "last") == file_of(folder, ids[-1])


def test_a_beginning_that_several_ids_share_is_an_error_that_lists_them(folder, ids):
    with pytest.raises(UsageError) as caught:
        find_session(folder / "cra.trace", ids[0][:2])

    assert all(session_id in caught.value.message for session_id in ids)


@pytest.mark.parametrize("text", ["f00", "", "no/where.trace.jsonl", "nowhere.trace.jsonl"])
def test_a_session_that_there_is_not_is_not_found(folder, text):
    with pytest.raises(NotFound) as caught:
        find_session(folder / "cra.trace", text)

    assert caught.value.fix == "cra trace list"


def test_many_candidates_are_not_all_listed(tmp_path):
    for number in range(30):
        (tmp_path / f"01a{number:02}.trace.jsonl").touch()

    with pytest.raises(UsageError, match="and 20 more"):
        find_session(tmp_path, "01a")


def test_the_last_of_no_sessions_says_how_to_begin_one(tmp_path):
    with pytest.raises(NotFound) as caught:
        find_session(tmp_path, "last")

    assert caught.value.fix == "cra session start"


def test_a_path_is_read_without_a_project(folder, ids, tmp_path):
    path = str(file_of(folder, ids[0]))

    assert answer_json(tmp_path, "trace", "show", path)["total_count"] == 4
    assert "project" in cra(tmp_path, "trace", "show", "last").stderr


@pytest.mark.parametrize("command", ["show", "tail", "stats", "export", "verify"])
@pytest.mark.parametrize("option", ["--session", "--trace-id"])
def test_a_session_is_an_argument_or_an_option(folder, ids, command, option):
    said = answer(folder, "trace", command, option, ids[0])

    assert said == answer(folder, "trace", command, ids[0])
    assert said != answer(folder, "trace", command, option, ids[1])
    if command != "verify":
        assert cra(folder, "trace", command, ids[1], option, ids[0]).returncode == 2


@pytest.mark.parametrize("option", ["--session", "--trace-id"])
def test_one_session_is_pruned_by_its_name(folder, ids, option):
    said = answer_json(folder, "trace", "prune", option, ids[0], "--dry-run")

    assert [item["session_id"] for item in said["sessions"]] == [ids[0]]


@pytest.mark.parametrize("command", ["show", "export"])
def test_a_command_about_one_session_says_that_it_needs_one(folder, command):
    done = cra(folder, "trace", command)

    assert (done.returncode, done.stdout) == (2, "")
    assert "error[CRA-1001]: expected a session, found none" in done.stderr


@pytest.mark.parametrize("command", ["show", "tail", "stats", "export", "verify"])
def test_the_journal_is_read_like_a_session(folder, command):
    done = cra(folder, "trace", command, "journal")

    assert done.returncode == 0, done.stderr
    assert "journal.session_opened" in done.stdout or command == "verify"


def test_a_journal_that_there_is_not_is_not_found(tmp_path):
    (tmp_path / "cra.config.json").write_text("{}")
    done = cra(tmp_path, "trace", "show", "journal")

    assert done.returncode == 2
    assert "error[CRA-1002]: expected a journal, found none" in done.stderr


def test_the_journal_is_no_session(folder):
    for command in ("session show journal", "trace export journal --format bundle"):
        assert cra(folder, *command.split()).returncode == 2


# cra trace list


def test_sessions_are_listed_from_the_newest_on(folder, ids):
    header, *rows = answer(folder, "trace", "list").splitlines()

    assert header.split()[:4] == ["SESSION", "AGENT", "STATE", "EVENTS"]
    assert [row.split()[0] for row in rows] == [i[: len(rows[0].split()[0])] for i in ids[::-1]]
    assert rows[2].split()[1:4] == ["calm", "ended", "4"]
    assert ids[0] in answer(folder, "trace", "list", "--full")


def test_a_list_has_pages_and_says_when_it_is_not_whole(folder, ids):
    done = cra(folder, "trace", "list", "--limit", "1", "--offset", "1")
    page = answer_json(folder, "trace", "list", "--limit", "1", "--offset", "1")
    rest = answer_json(folder, "trace", "list", "--offset", "2")

    assert "1 of 3 sessions; --offset 2 shows more" in done.stderr
    assert len(done.stdout.splitlines()) == 2
    assert [item["session_id"] for item in page["sessions"]] == [ids[1]]
    assert (page["total_count"], page["has_more"]) == (3, True)
    assert rest["has_more"] is False


def test_the_facts_of_a_session_are_the_same_as_json(folder, ids):
    (item,) = answer_json(folder, "trace", "list", "--agent", "calm")["sessions"]

    assert item["session_id"] == ids[0]
    assert (item["agent_id"], item["state"], item["events"]) == ("calm", "ended", 4)
    assert item["started"] < item["last_activity"]


def test_a_list_has_all_sessions_of_a_trace(own):
    folder, session = own
    ledger = session._ledger  # noqa: SLF001
    child = ledger.start_session("helper", parent_session_id=session.id)
    grandchild = ledger.start_session("helper", parent_session_id=child.id)
    ledger.start_session("other")
    ledger.close()

    def listed(*arguments: str) -> list[str]:
        page = answer_json(folder, "trace", "list", *arguments)
        return [item["session_id"] for item in page["sessions"]]

    whole = [grandchild.id, child.id, session.id]
    assert listed("--trace-id", session.id) == listed("--session", session.id.upper()) == whole
    assert listed("--session", child.id) == [child.id]
    assert listed("--trace-id", session.id, "--agent", "helper") == whole[:2]
    assert listed("--session", "last", "--agent", "helper") == []
    assert len(listed("--session", "last")) == 1


def test_anomalies_name_the_sessions_and_what_is_wrong_in_them(folder, ids):
    text = answer(folder, "trace", "list", "--anomalies")
    found = answer_json(folder, "trace", "list", "--anomalies")

    assert "calm" not in text
    assert "open        event 1, ticket.close" in text
    assert "denied      event 2, ticket.delete: reason 0" in text
    assert "denied      3 more" in text
    assert [item["session_id"] for item in found["sessions"]] == ids[:0:-1]
    assert found["sessions"][1]["anomalies"]["open"]["first"] == [
        {"session_id": ids[1], "sequence": 1, "action_id": "ticket.close"}
    ]
    assert found["sessions"][1]["anomalies"]["denied"]["count"] == 8
    assert answer(folder, "trace", "list", "--anomalies", "--agent", "calm") == ""


def test_without_a_session_a_list_is_empty_and_says_how_to_begin(tmp_path):
    (tmp_path / "cra.config.json").write_text("{}")
    for command in ("trace list", "session list"):
        done = cra(tmp_path, *command.split())
        assert (done.returncode, done.stdout) == (0, "")
        assert "cra session start" in done.stderr
    assert answer_json(tmp_path, "trace", "list")["sessions"] == []
    assert answer_json(tmp_path, "trace", "stats")["sessions"] == 0


# cra trace show


def test_events_are_shown_as_a_table_with_words(folder, ids):
    header, *rows = answer(folder, "trace", "show", ids[0]).splitlines()

    assert header.split() == ["SEQ", "TIME", "SEVERITY", "TYPE", "SUMMARY"]
    assert [row.split()[0] for row in rows] == ["0", "1", "2", "3"]
    assert "• info" in rows[1]
    assert 'ticket.close {"note":""}' in rows[1]
    assert 'ticket.close in 5.3 ms: {"ok":true}' in rows[2]


def test_events_are_shown_in_pages(folder, ids):
    page = answer_json(folder, "trace", "show", ids[1], "--limit", "3", "--offset", "2")
    done = cra(folder, "trace", "show", ids[1], "--limit", "3", "--offset", "2")

    assert [event["sequence"] for event in page["events"]] == [2, 3, 4]
    assert (page["total_count"], page["has_more"]) == (11, True)
    assert "3 of 11 events; --offset 5 shows more" in done.stderr
    assert [line.split()[0] for line in done.stdout.splitlines()[1:]] == ["2", "3", "4"]


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--filter", "type:action.approved"], [1]),
        (["--filter", 'severity:warn -"reason 3" seq:4..6'], [4, 6]),
        (["--event-type", "session.*"], [0, 10]),
        (["--event-type", "action.invoked"], [1]),
        (["--severity", "warn", "--filter", "reason 7"], [9]),
        (["--actor", "runtime/cra", "--severity", "error"], []),
        (["--filter", "time:-1h..", "--limit", "1"], [0]),
        (["--filter", "seq:3..", "--limit", "2", "--offset", "3"], [6, 7]),
        (["--filter", "payload.arguments.note~hidden*"], [1]),
    ],
)
def test_filters_choose_events(folder, ids, options, expected):
    page = answer_json(folder, "trace", "show", ids[1], *options)

    assert [event["sequence"] for event in page["events"]] == expected


def test_events_as_json_are_what_is_stored(folder, ids):
    page = answer_json(folder, "trace", "show", ids[0])
    stored = [json.loads(line) for line in file_of(folder, ids[0]).read_bytes().splitlines()]

    assert page["events"] == [event | {"covered": True} for event in stored]


def test_plain_events_are_one_record_a_line_with_tabs(folder, ids):
    (line,) = answer(folder, "trace", "show", ids[1], "--plain", "--filter", "seq:1").splitlines()

    number, moment, *words, summary = line.split("\t")
    assert number == "1"
    assert moment.endswith("Z")
    assert words == ["info", "action.approved", "covered"]
    assert summary.startswith("ticket.close {")


def test_one_event_is_shown_whole(folder, ids):
    text = answer(folder, "trace", "show", ids[0], "--seq", "2")
    facts = answer_json(folder, "trace", "show", ids[0], "--seq", "2")

    for name in ("event_hash", "payload_hash", "previous_event_hash", "span_id", "timestamp"):
        assert facts[name] in text
    assert "covered       yes, by a checkpoint over 4 events, which was not verified" in text
    assert '"ok": true' in text
    assert facts["covered"] is True


def test_an_event_is_shown_by_its_session_and_number(folder, ids):
    whole = answer(folder, "trace", "show", ids[0], "--seq", "2")

    assert answer(folder, "trace", "show", f"{ids[0]}:2") == whole
    assert answer(folder, "trace", "show", f"{ids[0][:-2]}:2") == whole
    both = cra(folder, "trace", "show", f"{ids[0]}:2", "--seq", "3")
    assert (both.returncode, "found 2 and --seq 3" in both.stderr) == (2, True)
    assert cra(folder, "trace", "show", f"{ids[0]}:99").returncode == 2


def test_a_number_beyond_the_last_event_is_not_found(folder, ids):
    done = cra(folder, "trace", "show", ids[0], "--seq", "4")

    assert done.returncode == 2
    assert "from 0 to 3, found 4" in done.stderr


def test_a_number_and_a_filter_do_not_go_together(folder):
    assert cra(folder, "trace", "show", "last", "--seq", "1", "--severity", "warn").returncode == 2


def test_a_filter_with_a_mistake_says_what_would_do(folder):
    done = cra(folder, "trace", "show", "last", "--filter", "typ:action.*")

    assert done.returncode == 2
    assert "error[CRA-1004]" in done.stderr
    assert "fix: type:" in done.stderr


@pytest.mark.parametrize("command", ["show", "tail", "export"])
@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (["--severity", "warn"], [2, 3, 4, 5, 6, 7, 8, 9]),
        (["--severity", "warn", "--filter", "reason 3"], [5]),
        (["--event-type", "session.*"], [0, 10]),
        (["--event-type", "action.*", "--severity", "error"], []),
    ],
)
def test_all_who_list_events_choose_them_by_the_same_options(
    folder, ids, command, options, expected
):
    form = {"show": ["--json"], "tail": ["--json"], "export": ["--format", "json"]}[command]
    said = answer(folder, "trace", command, ids[1], *form, *options)

    if command == "tail":
        events = [json.loads(line) for line in said.splitlines()]
    else:
        found = json.loads(said)
        events = found["events"] if command == "show" else found
    assert [event["sequence"] for event in events] == expected


@pytest.mark.parametrize("command", ["show", "tail", "export"])
@pytest.mark.parametrize(
    ("option", "value", "fix"),
    [
        ("--severity", "warning", "--severity warn"),
        ("--event-type", "acton.*", "--event-type action.*"),
        ("--event-type", "action.execute", "--event-type action.executed"),
    ],
)
def test_a_mistake_in_an_option_is_told_as_that_option_is_written(
    folder, command, option, value, fix
):
    done = cra(folder, "trace", command, "last", option, value)

    assert (done.returncode, done.stdout) == (2, "")
    assert f"where: {option}\n  fix: {fix}\n" in done.stderr


def test_events_that_no_checkpoint_covers_are_marked(own):
    folder, session = own
    earlier = session.paths.checkpoint.read_bytes()
    deny(session, "late")
    session.close()
    session.paths.checkpoint.write_bytes(earlier)
    rows = answer(folder, "trace", "show", "last").splitlines()
    plain = answer(folder, "trace", "show", "last", "--plain").splitlines()
    events = answer_json(folder, "trace", "show", "last")["events"]
    done = cra(folder, "trace", "show", "last", "--seq", "1")

    assert rows[0].split()[4] == "*"
    assert ["  *  " in row for row in rows[1:]] == [False, True]
    assert [line.split("\t")[4] for line in plain] == ["covered", "unattested"]
    assert [event["covered"] for event in events] == [True, False]
    assert "covered       no" in done.stdout


def test_a_line_that_is_no_event_is_shown_as_damaged_and_the_code_says_so(own):
    folder, session = own
    deny(session, "changed")
    session.barrier()
    path = session.paths.data
    path.write_bytes(path.read_bytes().replace(b"changed", b"CHANGED"))

    text = answer(folder, "trace", "show", "last", code=3)
    assert "✗ damaged" in text.splitlines()[2]
    assert "damaged" in answer(folder, "trace", "show", "last", "--plain", code=3)
    page = answer_json(folder, "trace", "show", "last", code=3)
    assert page["events"][1]["error"]["code"] == "CRA-3002"
    assert answer_json(folder, "trace", "show", "last", "--seq", "1", code=3)["sequence"] == 1
    assert cra(folder, "trace", "show", "last", "--seq", "1").returncode == 3
    assert "damaged" in answer(folder, "trace", "tail", "last", code=3)
    lines = answer(folder, "trace", "tail", "last", "--json", code=3).splitlines()
    assert json.loads(lines[1])["error"]


def test_a_checkpoint_that_cannot_be_read_covers_nothing(own):
    folder, session = own
    session.paths.checkpoint.write_bytes(b"no note")
    done = cra(folder, "trace", "show", "last")

    assert done.returncode == 0
    assert "  *  " in done.stdout
    assert "cra trace verify" in done.stderr


def test_a_redacted_event_says_that_it_is_redacted(own):
    folder, session = own
    deny(session, "private")
    session.end()
    lines = session.paths.data.read_bytes().split(b"\n")
    lines[1] = redact(decode(lines[1]))
    session.paths.data.write_bytes(b"\n".join(lines))

    assert "(payload redacted)" in answer(folder, "trace", "show", "last")
    assert "payload       redacted" in answer(folder, "trace", "show", "last", "--seq", "1")
    assert "payload" not in answer_json(folder, "trace", "show", "last", "--seq", "1")


# What is shown is what is stored, and nothing here is verified.


def rewritten(session: Session, change: Callable[[list[bytes]], list[bytes]]) -> list[bytes]:
    """The session's lines, changed by somebody else, with all of them under a checkpoint."""
    path = session.paths.data
    path.write_bytes(b"".join(change(path.read_bytes().splitlines(keepends=True))))
    return path.read_bytes().splitlines()


def forged(line: bytes) -> bytes:
    """The line with another payload and with hashes that fit, as whoever can count makes them."""
    event = decode(line.removesuffix(b"\n"))
    chain = Chain(event.header["session_id"], trace_id=event.header["trace_id"])
    chain.resume(event.sequence, event.header["previous_event_hash"], ended=False, latest="")
    header = event.header
    draft = Draft(
        header["event_id"],
        header["event_type"],
        header["span_id"],
        header["parent_span_id"],
        header["severity"],
        header["timestamp"],
        canonical.encode(header["actor"]).decode(),
        canonical.encode({**(event.payload or {}), "reason": "forged"}),
        line[-115:-83].decode(),
    )
    return chain.seal(draft)[0]


@pytest.fixture
def told(own: tuple[Path, Session]) -> tuple[Path, Session]:
    """A session of six events under its checkpoint."""
    folder, session = own
    for number in range(5):
        deny(session, f"reason {number}")
    session.close()
    return folder, session


# What somebody did to the lines, and the places that then are wrong.
CHANGES = {
    "two swapped": (lambda lines: [lines[0], lines[3], lines[2], lines[1], *lines[4:]], [1, 3]),
    "one deleted": (lambda lines: [*lines[:2], *lines[3:]], [2, 3, 4]),
    "one doubled": (lambda lines: [*lines[:3], *lines[2:]], [3, 4, 5, 6]),
    "one forged": (lambda lines: [*lines[:3], forged(lines[3]), *lines[4:]], [3, 4]),
    "the first forged": (lambda lines: [forged(lines[0]), *lines[1:]], [0, 1]),
}


@pytest.mark.parametrize(("change", "wrong"), CHANGES.values(), ids=CHANGES)
def test_an_event_that_is_not_in_its_place_is_said_to_be(told, change, wrong):
    folder, session = told
    rewritten(session, change)

    page = answer_json(folder, "trace", "show", "last", code=3)
    marked = [at for at, event in enumerate(page["events"]) if "error" in event]
    assert marked == wrong
    assert {page["events"][at]["error"]["code"] for at in marked} == {"CRA-3004"}
    assert not any(page["events"][at]["covered"] for at in marked)
    rows = answer(folder, "trace", "show", "last", code=3).splitlines()[1:]
    assert [at for at, row in enumerate(rows) if "✗ damaged" in row] == wrong
    plain = answer(folder, "trace", "show", "last", "--plain", code=3).splitlines()
    assert [at for at, row in enumerate(plain) if row.split("\t")[2] == "damaged"] == wrong
    for at in range(len(rows)):
        code = 3 if at in wrong else 0
        text = answer(folder, "trace", "show", "last", "--seq", str(at), code=code)
        assert ("CRA-3004" in text) == (at in wrong)
        one = ("--offset", str(at), "--limit", "1")
        found = answer_json(folder, "trace", "show", "last", *one, code=code)
        assert ["error" in event for event in found["events"]] == [at in wrong]


def test_an_event_of_another_session_is_not_in_its_place(told):
    folder, session = told
    other = Ledger(folder / "cra.trace").start_session("other")
    for _ in range(2):
        deny(other)
    other.close()
    lines = other.paths.data.read_bytes().splitlines(keepends=True)
    rewritten(session, lambda own: [*own[:1], lines[1], *own[2:]])

    page = answer_json(folder, "trace", "show", session.id, code=3)
    codes = [event.get("error", {}).get("code") for event in page["events"][:3]]
    assert codes == [None, "CRA-3005", None]


def test_a_tail_ends_with_an_alarm_where_the_events_do_not_follow_one_another(told):
    folder, session = told
    rewritten(session, CHANGES["one deleted"][0])

    done = cra(folder, "trace", "tail", "last")
    assert (done.returncode, len(done.stdout.splitlines())) == (3, 3)
    assert "error[CRA-3004]" in done.stderr


@pytest.mark.parametrize("change", [CHANGES["one deleted"][0], CHANGES["one doubled"][0]])
def test_a_list_does_not_count_events_that_are_not_there(told, change):
    folder, session = told
    there = len(rewritten(session, change))

    [row] = answer_json(folder, "trace", "list")["sessions"]
    assert (row["state"], row["events"]) == ("damaged", there)


def test_what_a_checkpoint_covers_is_not_called_attested(told):
    folder, session = told
    event = forged(session.paths.data.read_bytes().splitlines(keepends=True)[5])
    rewritten(session, lambda lines: [*lines[:5], event])
    name, _, rest = session.paths.checkpoint.read_text().partition("\n")
    session.paths.checkpoint.write_text(f"{name}\n{rest}\u2014 cra.local {'A' * 91}=\n")

    for arguments in (["--seq", "5"], [], ["--plain"], ["--json"], ["--seq", "5", "--json"]):
        done = cra(folder, "trace", "show", "last", *arguments)
        assert done.returncode == 0, done
        assert "attested" not in done.stdout.replace("unattested", "")
    text = answer(folder, "trace", "show", "last", "--seq", "5")
    assert "covered       yes, by a checkpoint over 6 events, which was not verified" in text
    page = answer_json(folder, "trace", "show", "last")
    assert page["checkpoint"] == {"size": 6, "verified": False}
    one = answer_json(folder, "trace", "show", "last", "--seq", "5")
    assert (one["covered"], one["checkpoint"]) == (True, page["checkpoint"])
    hint = f"as it is stored; cra trace verify {session.id} proves it"
    assert hint in cra(folder, "trace", "show", "last").stderr
    assert hint in cra(folder, "trace", "show", "last", "--seq", "5").stderr
    assert cra(folder, "trace", "verify").returncode == 3


# cra trace tail


def test_the_last_events_are_shown_of_one_session_or_of_all(folder, ids):
    one = answer(folder, "trace", "tail", ids[1], "-n", "2").splitlines()
    every = answer(folder, "trace", "tail", "--lines", "3", "--json").splitlines()

    assert [line.split()[1] for line in one] == ["9", "10"]
    assert [json.loads(line)["session_id"] for line in every] == [ids[1], ids[2], ids[2]]
    assert answer(folder, "trace", "tail", "-n", "0") == ""
    last = ("-n", "1", "--filter", "payload.reason~reason*")
    assert "reason 7" in answer(folder, "trace", "tail", *last)


class Follower:
    """`cra trace tail -f` in the background."""

    def __init__(self, folder: Path, *arguments: str) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-m", "cra", "trace", "tail", "-f", *arguments],
            cwd=folder,
            env=ENVIRON,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            encoding="utf-8",
        )

    def line(self) -> str:
        assert self.process.stdout is not None
        return self.process.stdout.readline()

    def end(self) -> tuple[int, str]:
        _, said = self.process.communicate(timeout=30)
        return self.process.returncode, said


def test_following_shows_events_as_they_are_recorded_until_it_is_interrupted(own):
    folder, session = own
    follower = Follower(folder, "--json")
    assert json.loads(follower.line())["event_type"] == "session.started"
    for number in range(3):
        deny(session, f"{number}")
        assert json.loads(follower.line())["payload"]["reason"] == f"{number}"

    follower.process.send_signal(signal.SIGINT)
    assert follower.end() == (130, "interrupted\n")


@pytest.mark.parametrize("way", ["cut", "replaced", "removed"])
def test_following_ends_with_an_alarm_when_the_file_is_not_what_it_was(own, way):
    folder, session = own
    follower = Follower(folder, "last")
    assert "session.started" in follower.line()
    path = session.paths.data
    if way == "cut":
        os.truncate(path, 10)
    elif way == "removed":
        path.unlink()
    else:
        path.with_name("other").write_bytes(path.read_bytes() * 2)
        os.rename(path.with_name("other"), path)

    code, said = follower.end()

    assert code == 3
    assert "error[CRA-3" in said
    assert f"fix: cra trace verify {session.id}" in said


@pytest.mark.parametrize("events_follow", [True, False])
def test_following_ends_quietly_when_its_reader_leaves(own, events_follow):
    folder, session = own
    follower = Follower(folder, "last", "--json")
    follower.line()
    assert follower.process.stdout is not None
    follower.process.stdout.close()
    follower.process.stdout = None
    if events_follow:
        deny(session)

    assert follower.end() == (0, "")


def test_a_session_that_is_pruned_while_it_is_followed_is_told(own):
    folder, session = own
    session.end()
    follower = Follower(folder)
    for _ in range(2):
        follower.line()
    ledger = Ledger(folder / "cra.trace")
    head = {"session_id": session.id, "size": 2, "root": "0" * 64}
    more = {"leaves": "", "totals": {}, "reason": "old"}
    ledger.journal.append("journal.pruned", head | more)
    ledger.close()
    session.paths.data.unlink()
    assert follower.process.stderr is not None
    said = follower.process.stderr.readline()
    follower.process.send_signal(signal.SIGINT)

    assert f"session {session.id}: the journal says that it was pruned" in said
    assert follower.end()[0] == 130


# cra trace stats


def test_stats_count_one_session_or_all(folder, ids):
    one = answer_json(folder, "trace", "stats", ids[0])
    every = answer_json(folder, "trace", "stats")
    text = answer(folder, "trace", "stats")

    assert one["cra_trace_events_total"]["action.executed"] == 1
    assert (every["sessions"], sum(every["cra_trace_events_total"].values())) == (3, 17)
    assert every["cra_actions_total"] == [
        {"action_id": "ticket.close", "status": "success", "value": 1},
        {"action_id": "ticket.delete", "status": "denied", "value": 9},
    ]
    assert text.splitlines()[0].startswith("3 sessions, 17 events, ")
    lines = [line.split() for line in text.splitlines()]
    assert ["cra_actions_total", "ticket.delete", "denied", "9"] in lines
    assert ["cra_action_duration_seconds", "p50", "5.3", "ms"] in lines
    assert ["cra_action_duration_seconds", "sum", "5.3", "ms"] in lines
    assert ["cra_denial_ratio", "0.900"] in lines
    assert every["cra_action_duration_seconds"]["p50"] == 0.0053


def test_stats_say_how_many_lines_are_no_events(own):
    folder, session = own
    with session.paths.data.open("ab") as file:
        file.write(b"noise\n")

    assert "1 line is no event: cra trace verify" in cra(folder, "trace", "stats").stderr


# cra session


def test_session_list_says_whose_the_sessions_are_and_until_when(folder, ids):
    header, *rows = answer(folder, "session", "list").splitlines()
    page = answer_json(folder, "session", "list")

    assert header.split()[:4] == ["SESSION", "AGENT", "STATE", "PRINCIPAL"]
    assert rows[2].split()[1:5] == ["calm", "ended", "agent", "calm"]
    assert [item["session_id"] for item in page["sessions"]] == ids[::-1]
    assert page["sessions"][1]["scopes"] == ["tickets"]


def test_session_show_has_the_facts_the_totals_and_the_open_intents(folder, ids):
    text = answer(folder, "session", "show", ids[1])
    facts = answer_json(folder, "session", "show", ids[1])

    assert facts["principal"]["type"] == "agent"
    assert facts["totals"]["action.denied"] == 8
    assert facts["open_intents"] == [
        {"session_id": ids[1], "sequence": 1, "action_id": "ticket.close"}
    ]
    assert "scopes             tickets" in text
    assert "valid for          1 h" in text
    assert "open intent        event 1, ticket.close" in text
    assert ids[1] in text


def test_a_session_that_is_none_or_has_none_says_what_there_is(folder, tmp_path):
    (tmp_path / "cra.config.json").write_text("{}")
    named = cra(folder, "session", "show", "journal")
    tailed = cra(tmp_path, "trace", "tail")

    assert "expected a session, found the journal" in named.stderr
    assert "fix: cra trace show journal" in named.stderr
    assert (tailed.returncode, tailed.stdout) == (0, "")
    assert "cra session start begins one" in tailed.stderr


# Every command.

COMMANDS = [
    "trace list",
    "trace list --anomalies",
    "trace show {1}",
    "trace show {1} --seq 1",
    "trace show {1} --plain",
    "trace tail {1}",
    "trace tail",
    "trace stats",
    "trace show journal",
    "trace tail journal",
    "trace stats journal",
    "session list",
    "session show {1}",
]


@pytest.mark.parametrize("command", COMMANDS)
def test_nothing_recorded_is_obeyed_by_a_terminal(folder, ids, command):
    done = cra(folder, *command.format(*ids).split())

    assert done.returncode == 0
    for text in (done.stdout, done.stderr):
        assert not set(text) & {"\x1b", "\x07", "\u202e"}


# Paths and JSON are not cut, and a plain record is a line however long it is.
@pytest.mark.parametrize(
    "command",
    [
        line
        for line in COMMANDS
        if not {"--plain", "--seq", "session show {1}"} & {line, *line.split()}
    ],
)
def test_every_line_fits_eighty_columns(folder, ids, command):
    text = answer(folder, *command.format(*ids).split(), COLUMNS="80")

    assert [line for line in text.splitlines() if width(line) > 80] == []


@pytest.mark.parametrize("command", [*COMMANDS, "trace show {0} --filter type:action.*"])
def test_a_reading_command_loads_nothing_heavy(folder, ids, command):
    code = (
        "import sys\nfrom cra.__main__ import main\nassert main() == 0\n"
        "print(*sys.modules, file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", code, *command.format(*ids).split()],
        cwd=folder,
        env=ENVIRON,
        capture_output=True,
        encoding="utf-8",
        check=True,
        timeout=60,
    )

    assert HEAVY & set(done.stderr.splitlines()[-1].split()) == set()


def test_the_lnav_format_knows_every_member_of_a_line(folder, ids):
    text = (ROOT / "examples" / "lnav" / "cra.json").read_text()
    known = json.loads(text)["cra_trace"]["value"]
    stored = json.loads(file_of(folder, ids[0]).read_bytes().split(b"\n")[0])

    assert {name for name in stored if name not in {"actor", "timestamp"}} <= known.keys()
