"""Files that no ledger wrote are judged or refused, and cost neither memory nor a traceback."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import pytest

from cra.errors import Code, CraError, UsageError
from cra.ledger.keys import create_key
from cra.ledger.store import Session
from cra.ledger.verdict import Verdict
from tests.program import ROOT, answer

from .children import start_child
from .harness import Site, add_bytes, die, facts, forged_line, kept_beside, signer, stored_events
from .payloads import DENIED

MALFORMED = Code.MALFORMED_LINE


@dataclass
class Written:
    """A signed ledger with one session, all of it under a checkpoint."""

    site: Site
    session_id: str

    @property
    def path(self) -> Path:
        return self.site.data(self.session_id)

    def next_line(self) -> bytes:
        return forged_line(self.site, self.session_id, "action.denied", DENIED)


@pytest.fixture
def written(tmp_path: Path) -> Written:
    site = Site(tmp_path, signer())
    ledger = site.open()
    session = ledger.start_session("agent")
    session.append("action.denied", DENIED)
    ledger.close()
    die()
    return Written(site, session.id)


Making = Callable[[Written], bytes]

# What follows the last event, and what it is called.
TAILS: dict[str, tuple[Making, Verdict, Code | None]] = {
    "the-next-event": (lambda w: w.next_line(), Verdict.INTACT, None),
    "half-an-event": (lambda w: w.next_line()[:99], Verdict.INCOMPLETE, Code.PARTIAL_LINE),
    "an-event-without-LF": (
        lambda w: w.next_line()[:-1],
        Verdict.INCOMPLETE,
        Code.PARTIAL_LINE,
    ),
    "one-blank-line": (lambda _: b"\n", Verdict.DAMAGED, MALFORMED),
    "CRLF": (lambda w: w.next_line()[:-1] + b"\r\n", Verdict.DAMAGED, MALFORMED),
    "CR": (lambda w: w.next_line()[:-1] + b"\r", Verdict.INCOMPLETE, Code.PARTIAL_LINE),
    "a-BOM": (lambda w: b"\xef\xbb\xbf" + w.next_line(), Verdict.DAMAGED, MALFORMED),
    "a-leading-space": (lambda w: b" " + w.next_line(), Verdict.DAMAGED, MALFORMED),
    "a-list": (lambda _: b"[]\n", Verdict.DAMAGED, MALFORMED),
    "an-empty-object": (lambda _: b"{}\n", Verdict.DAMAGED, MALFORMED),
    "no-UTF-8": (lambda _: b"\xff\xfe\n", Verdict.DAMAGED, MALFORMED),
    "NUL": (lambda _: b"\0\n", Verdict.DAMAGED, MALFORMED),
    "UTF-16": (
        lambda w: w.next_line().decode().encode("utf-16-le"),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "duplicate-keys": (
        lambda w: w.next_line().replace(b'{"action_id"', b'{"action_id":"x","action_id"'),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "an-added-member": (
        lambda w: w.next_line().replace(b'{"actor"', b'{"aaa":1,"actor"'),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "reordered-members": (
        lambda w: w.next_line().replace(
            b'"severity":"info","span_id"', b'"span_id","severity":"info"'
        ),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "minus-zero": (
        lambda w: w.next_line().replace(b'"policy_id":null', b'"policy_id":-0'),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "one-point-zero": (
        lambda w: w.next_line().replace(b'"policy_id":null', b'"policy_id":1.0'),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "a-huge-integer": (
        lambda w: w.next_line().replace(b'"policy_id":null', b'"policy_id":' + b"9" * 5000),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "NaN": (
        lambda w: w.next_line().replace(b'"policy_id":null', b'"policy_id":NaN'),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "a-lone-surrogate": (
        lambda w: w.next_line().replace(b'"policy_id":null', rb'"policy_id":"\ud800"'),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "another-payload": (
        lambda w: w.next_line().replace(b"no rule", b"any rule"),
        Verdict.DAMAGED,
        Code.PAYLOAD_HASH,
    ),
    "nested-deeper-than-allowed": (
        lambda w: w.next_line().replace(b'"policy_id":null', b'"policy_id":' + _nest(200)),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "nested-as-deep-as-a-line-is-long": (
        lambda w: w.next_line().replace(b'"policy_id":null', b'"policy_id":' + _nest(32_000)),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "nested-100000-deep": (
        lambda w: w.next_line().replace(b'"policy_id":null', b'"policy_id":' + _nest(100_000)),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "a-header-nested-deep": (
        lambda w: w.next_line().replace(b'"id":"cra"', b'"id":' + _nest(7_000)),
        Verdict.DAMAGED,
        MALFORMED,
    ),
    "a-long-line": (lambda _: b"x" * 200_000 + b"\n", Verdict.DAMAGED, MALFORMED),
    "a-long-line-without-end": (lambda _: b"x" * 200_000, Verdict.DAMAGED, MALFORMED),
    "zeros": (lambda _: bytes(1000), Verdict.INCOMPLETE, Code.PARTIAL_LINE),
    "many-zeros": (lambda _: bytes(200_000), Verdict.DAMAGED, MALFORMED),
}


def _nest(depth: int) -> bytes:
    return b"[" * depth + b"]" * depth


@pytest.mark.parametrize("name", TAILS)
def test_what_follows_the_last_event_is_judged(written, name):
    make, verdict, code = TAILS[name]
    add_bytes(written.path, make(written))

    report = written.site.verify()

    (session,) = report.sessions
    assert (session.verdict, session.code) == (verdict, code), facts(report)
    assert session.events == 2 + (verdict is Verdict.INTACT)


@pytest.mark.parametrize("name", TAILS)
def test_a_writer_goes_on_only_where_a_crash_can_have_been(written, name):
    """Nothing of it is lost: what is cut off lies beside the file."""
    make, verdict, _ = TAILS[name]
    tail = make(written)
    add_bytes(written.path, tail)
    ledger = written.site.open()

    if verdict is Verdict.DAMAGED:
        with pytest.raises(CraError):
            ledger.session(written.session_id)
        Session(ledger, written.session_id).repair()
    else:
        ledger.session(written.session_id)

    ledger.close()
    data = written.path.read_bytes()
    kept = kept_beside(written.site, written.session_id)
    assert tail.rstrip(b"\n") in data or tail in kept
    assert written.site.verify().verdict is Verdict.INTACT


# Whole files.

FILES: dict[str, tuple[bytes, Verdict]] = {
    "empty": (b"", Verdict.TAMPERED),
    "zeros": (bytes(4096), Verdict.TAMPERED),
    "a-megabyte-of-zeros": (bytes(1 << 20), Verdict.TAMPERED),
    "line-feeds": (b"\n" * 4096, Verdict.TAMPERED),
    "text": (b"hello\n", Verdict.TAMPERED),
}


@pytest.mark.parametrize("name", FILES)
@pytest.mark.parametrize("file", ["session", "journal"])
def test_a_file_that_is_none_is_judged(written, name, file):
    content, verdict = FILES[name]
    target = written.path if file == "session" else written.site.data("journal")
    target.write_bytes(content)

    report = written.site.verify()

    assert report.verdict is verdict, facts(report)


@pytest.mark.parametrize("content", [content for content, _ in FILES.values()], ids=list(FILES))
@pytest.mark.parametrize("file", ["session", "journal"])
def test_a_checkpoint_that_is_none_is_judged(written, content, file):
    name = written.session_id if file == "session" else "journal"
    written.site.checkpoint(name).write_bytes(content)

    assert written.site.verify().verdict is Verdict.TAMPERED


PLACES = {
    "session": lambda w: w.path,
    "journal": lambda w: w.site.data("journal"),
    "checkpoint": lambda w: w.site.checkpoint(w.session_id),
    "journal-checkpoint": lambda w: w.site.checkpoint("journal"),
}


def _replace_by_directory(path: Path) -> None:
    path.mkdir()


def _replace_by_link_to_nowhere(path: Path) -> None:
    path.symlink_to("nowhere")


def _replace_by_link_to_itself(path: Path) -> None:
    path.symlink_to(path.name)


REPLACEMENTS = [_replace_by_directory, _replace_by_link_to_nowhere, _replace_by_link_to_itself]


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("put", REPLACEMENTS, ids=lambda put: put.__name__[12:])
def test_what_is_no_file_is_refused_or_judged(written, place, put):
    path = PLACES[place](written)
    path.unlink()
    put(path)

    assert written.site.answer() != 0
    _open_or_refuse(written, must_refuse=path.name.endswith("jsonl"))


@pytest.mark.parametrize("place", PLACES)
def test_a_pipe_in_place_of_a_file_keeps_nobody_waiting(tmp_path, place):
    key = tmp_path / "keys" / "ledger.key"
    site = Site(tmp_path / "site", create_key(key))
    ledger = site.open()
    session = ledger.start_session("agent")
    ledger.close()
    die()
    path = PLACES[place](Written(site, session.id))
    path.unlink()
    os.mkfifo(path)

    assert reader(site, key, patience=5)["answer"] != 0


def test_a_writer_does_not_follow_a_link(written, tmp_path):
    elsewhere = tmp_path / "elsewhere"
    written.path.rename(elsewhere)
    written.path.symlink_to(elsewhere)
    before = elsewhere.read_bytes()

    _open_or_refuse(written, must_refuse=True)

    assert elsewhere.read_bytes() == before


@pytest.mark.parametrize("place", PLACES)
@pytest.mark.parametrize("changed", [False, True], ids=["unchanged", "changed"])
def test_a_reader_judges_a_file_by_its_bytes_wherever_a_link_leads(
    written, tmp_path, place, changed
):
    path = PLACES[place](written)
    elsewhere = tmp_path / "elsewhere"
    path.rename(elsewhere)
    path.symlink_to(elsewhere)
    if changed:
        data = elsewhere.read_bytes()
        elsewhere.write_bytes(
            data.replace(b'"runtime"', b'"user"', 1) if b"{" in data else data[1:]
        )

    report = written.site.verify()

    assert report.verdict is (Verdict.TAMPERED if changed else Verdict.INTACT), facts(report)
    assert standalone(written) == report.verdict.exit_code


def test_a_link_to_a_real_session_under_another_name_is_no_session_of_that_name(written):
    other = written.site.open().start_session("another").id
    die()
    path = written.site.data(other)
    path.unlink()
    path.symlink_to(written.path)

    report = written.site.verify()

    assert report.verdict is Verdict.TAMPERED, facts(report)
    assert standalone(written) == report.verdict.exit_code


def test_a_link_from_elsewhere_is_read_as_the_session_that_it_leads_to(written, tmp_path):
    link = tmp_path / f"{written.session_id}.trace.jsonl"
    link.symlink_to(written.path)

    shown = json.loads(answer(tmp_path, "trace", "show", link, "--json"))

    assert [event["sequence"] for event in shown["events"]] == [0, 1]
    assert answer(tmp_path, "trace", "export", link) == written.path.read_text().removesuffix("\n")


def standalone(written: Written) -> int:
    """What the verifier that stands alone says, by its exit code."""
    key = written.site.trust.confirmed[0]
    command = [sys.executable, ROOT / "specs" / "verify.py", written.site.directory, "--key", key]
    return subprocess.run([*map(str, command)], capture_output=True, check=False).returncode


def _open_or_refuse(written: Written, *, must_refuse: bool) -> None:
    try:
        written.site.open().session(written.session_id)
    except CraError:
        return
    finally:
        die()
    assert not must_refuse


def test_a_ledger_that_is_not_there_is_a_usage_error(tmp_path):
    with pytest.raises(UsageError):
        Site(tmp_path / "nowhere", signer()).verify()


def test_a_file_in_place_of_the_ledger_is_a_usage_error(tmp_path):
    site = Site(tmp_path, signer())
    site.directory.write_text("no ledger")

    with pytest.raises(UsageError):
        site.verify()
    with pytest.raises(CraError):
        site.open()


LINE_ENDS = ["\u2028", "\u2029", "\u0085", "\u000b", "\u000c", "\u001c", "\r", "\r\n", "\n"]


@pytest.mark.parametrize("end", LINE_ENDS, ids=ascii)
def test_what_ends_a_line_elsewhere_is_a_character_here(tmp_path, end):
    site = Site(tmp_path, signer())
    ledger = site.open()
    session = ledger.start_session("agent", scopes=(f"one{end}two",))
    session.append("action.denied", DENIED | {"reason": f"a{end}b"}, actor_id=f"x{end}y")
    ledger.close()
    die()

    report = site.verify()

    assert report.verdict is Verdict.INTACT, facts(report)
    event = stored_events(site, session.id)[1]
    assert (event.payload or {})["reason"] == f"a{end}b"


# What it costs.


def grow(path: Path, size: int, data: bytes) -> None:
    with path.open("ab") as file:
        for _ in range(size // len(data)):
            file.write(data)


COSTLY: dict[str, Callable[[Written], None]] = {
    "a-line-of-100-MB": lambda w: grow(w.path, 100 << 20, b"x" * (1 << 20)),
    "a-hole-of-4-GB": lambda w: os.truncate(w.path, 4 << 30),
    "a-journal-line-of-100-MB": lambda w: grow(w.site.data("journal"), 100 << 20, b"x" * (1 << 20)),
    "a-first-line-of-100-MB": lambda w: w.path.write_bytes(b"x" * (100 << 20)),
    "a-checkpoint-of-100-MB": lambda w: grow(
        w.site.checkpoint(w.session_id), 100 << 20, b"x" * (1 << 20)
    ),
    "ten-million-blank-lines": lambda w: grow(w.path, 10 << 20, b"\n" * (1 << 20)),
}


@pytest.mark.parametrize("name", COSTLY)
def test_a_hostile_file_costs_little_memory(tmp_path, name):
    key = tmp_path / "keys" / "ledger.key"
    site = Site(tmp_path / "site", create_key(key))
    ledger = site.open()
    session = ledger.start_session("agent")
    ledger.close()
    die()
    COSTLY[name](Written(site, session.id))

    found = reader(site, key)

    assert found["answer"] == 3
    assert found["growth_kb"] < 64 << 10


@pytest.mark.parametrize("name", [*PLACES, "directory"])
@pytest.mark.skipif(os.geteuid() != 0, reason="only root can become somebody without permission")
def test_a_file_without_permission_is_a_usage_error(tmp_path, name):
    key = tmp_path / "keys" / "ledger.key"
    site = Site(tmp_path / "site", create_key(key))
    ledger = site.open()
    session = ledger.start_session("agent")
    ledger.close()
    die()
    for path in site.directory.rglob("*"):
        path.chmod(0o755 if path.is_dir() else 0o644)
    place = PLACES.get(name, lambda w: w.site.directory)
    place(Written(site, session.id)).chmod(0)

    found = reader(site, key, "as-nobody")

    assert found["answer"] == 2, found


def reader(site: Site, key: Path, *options: str, patience: float = 60) -> dict[str, int]:
    """The answer of another process, and what its memory grew by."""
    child = start_child("reader_child", site.root, key, *options)
    try:
        output, complaint = child.communicate(timeout=patience)
    finally:
        child.kill()
        child.communicate()
    assert child.returncode == 0, complaint.decode()
    found: dict[str, int] = json.loads(output)
    return found
