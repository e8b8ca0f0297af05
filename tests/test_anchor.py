"""Anchors: a head in one line, in git or in a file, and what a rollback looks like against it."""

from __future__ import annotations

import os
import shutil
import subprocess
from pathlib import Path

import pytest

from cra.errors import Code, CraError, IntegrityError, LedgerError, NotFound, UsageError
from cra.ledger.anchor import (
    add_note,
    anchors_in,
    anchors_in_git,
    anchors_of_file,
    format_anchor,
    own_anchors,
    parse_anchor,
    present_head,
)
from cra.ledger.keys import create_key
from cra.ledger.memory import Memory
from cra.ledger.store import Ledger
from cra.ledger.verify import Anchor, Trust, verify_ledger

NOWHERE = Memory(None)
OTHER = Anchor("019a0000-0000-7000-8000-000000000000", 7, bytes(range(32)))


@pytest.fixture
def ledger(tmp_path):
    ledger = Ledger(tmp_path / "project" / "cra.trace", signer=create_key(tmp_path / "key"))
    ledger.start_session("tester").end()
    yield ledger
    ledger.close()


@pytest.fixture
def trust(ledger):
    return Trust((ledger.signer.key,))


def git(folder: Path, *arguments: str) -> str:
    command = ["git", "-C", str(folder), *arguments]
    return subprocess.run(command, check=True, capture_output=True, text=True).stdout


def commit(folder: Path, *arguments: str) -> None:
    git(folder, "commit", "--quiet", "--allow-empty", "-m", "a change", *arguments)


@pytest.fixture
def repository(ledger):
    folder = ledger.directory.parent
    git(folder, "init", "--quiet")
    git(folder, "config", "user.name", "A Tester")
    git(folder, "config", "user.email", "tester@example.com")
    commit(folder)
    return folder


def test_the_line_reads_back(ledger, trust):
    head = present_head(ledger.directory, trust, NOWHERE)
    line = format_anchor(head)

    assert parse_anchor(line) == head
    assert line == f"cra:{ledger.id}:{ledger.journal.size}:{ledger.journal.covered_head()[1].hex()}"


@pytest.mark.parametrize(
    "line",
    [
        "",
        "cra:x:1:00",
        format_anchor(OTHER) + " ",
        format_anchor(OTHER).upper(),
        format_anchor(OTHER).replace(":7:", ":07:"),
        format_anchor(OTHER._replace(size=0)),
    ],
)
def test_a_line_with_another_spelling_is_refused(line):
    with pytest.raises(UsageError, match="expected an anchor"):
        parse_anchor(line)


def test_anchors_are_found_between_other_words(tmp_path):
    log = tmp_path / "ci.log"
    second = OTHER._replace(size=8)
    log.write_text(
        f"2026-11-20 \x1b[32mok\x1b[0m {format_anchor(OTHER)}\n"
        f"again {format_anchor(OTHER)}, and ({format_anchor(second)})\n"
    )

    assert anchors_of_file(log) == [OTHER, second]
    assert anchors_in("nothing") == []


def test_a_file_without_an_anchor_is_an_error(tmp_path):
    (tmp_path / "empty.log").write_text("done\n")
    for name in ("empty.log", "missing.log"):
        with pytest.raises(NotFound):
            anchors_of_file(tmp_path / name)


def test_an_anchor_that_holds_gives_level_three(ledger, trust):
    anchored = present_head(ledger.directory, trust, NOWHERE)
    ledger.start_session("later").end()
    report = verify_ledger(ledger.directory, trust, anchors=(anchored,))

    assert (report.verdict.name, str(report.level)) == ("INTACT", "L3")


def test_a_rollback_behind_an_anchor_is_tampering(ledger, trust, tmp_path):
    ledger.close()
    shutil.copytree(ledger.directory, tmp_path / "kept")
    again = Ledger(ledger.directory, signer=ledger.signer)
    again.start_session("later").end()
    again.close()
    anchored = present_head(ledger.directory, trust, NOWHERE)
    shutil.rmtree(ledger.directory)
    shutil.copytree(tmp_path / "kept", ledger.directory)
    report = verify_ledger(ledger.directory, trust, anchors=(anchored,))

    assert report.verdict.name == "TAMPERED"
    assert report.journal is not None
    assert report.journal.code == Code.ANCHOR_UNMET


def test_a_ledger_begun_anew_is_not_the_one_that_was_anchored(ledger, trust):
    report = verify_ledger(ledger.directory, trust, anchors=(OTHER,))

    assert report.journal is not None
    assert report.journal.code == Code.LEDGER_REPLACED
    with pytest.raises(IntegrityError) as caught:
        own_anchors(ledger.directory, [OTHER])
    assert caught.value.finding == Code.ANCHOR_UNMET


def test_a_shared_place_may_hold_the_anchors_of_other_ledgers(ledger, trust):
    anchored = present_head(ledger.directory, trust, NOWHERE)

    assert own_anchors(ledger.directory, [OTHER, anchored]) == (anchored,)


def test_no_anchor_is_made_of_a_journal_that_does_not_hold(ledger, trust):
    path = ledger.directory / "journal.trace.jsonl"
    path.write_bytes(path.read_bytes().replace(b'"type":"runtime"', b'"type":"agent"', 1))

    with pytest.raises(IntegrityError):
        present_head(ledger.directory, trust, NOWHERE)


def test_no_anchor_is_made_of_a_checkpoint_that_another_key_signed(ledger, tmp_path):
    other = create_key(tmp_path / "other").key

    with pytest.raises(IntegrityError) as caught:
        present_head(ledger.directory, Trust((other,)), NOWHERE)
    assert caught.value.finding == Code.SIGNATURE_MISSING


def test_no_ledger_has_no_anchor(tmp_path):
    with pytest.raises(NotFound):
        present_head(tmp_path / "none", Trust(), NOWHERE)


def test_a_note_is_kept_once_and_found_again(ledger, trust, repository):
    first = present_head(ledger.directory, trust, NOWHERE)
    for _ in range(2):
        assert (
            add_note(repository, format_anchor(first), os.environ)
            == git(repository, "rev-parse", "HEAD")[:40]
        )
    ledger.start_session("later").end()
    second = present_head(ledger.directory, trust, NOWHERE)
    add_note(repository, format_anchor(second), os.environ)

    assert anchors_in_git(repository, os.environ) == [first, second]
    assert git(repository, "notes", "--ref", "refs/notes/cra", "show").count("cra:") == 2
    assert git(repository, "status", "--porcelain") == ""


def test_a_note_is_found_from_a_folder_below_and_after_its_commit_is_rewritten(
    ledger, trust, repository
):
    anchored = present_head(ledger.directory, trust, NOWHERE)
    add_note(repository, format_anchor(anchored), os.environ)
    commit(repository, "--amend")
    (repository / "below").mkdir()

    assert anchors_in_git(repository / "below", os.environ) == [anchored]


def test_a_trailer_in_a_commit_is_an_anchor(ledger, trust, repository):
    anchored = present_head(ledger.directory, trust, NOWHERE)
    commit(repository, "--trailer", f"Cra-Anchor: {format_anchor(anchored)}")
    commit(repository)

    assert anchors_in_git(repository, os.environ) == [anchored]


def test_what_git_cannot_do_is_said(ledger, tmp_path, monkeypatch):
    project = ledger.directory.parent
    with pytest.raises(LedgerError, match="expected a git repository"):
        add_note(project, format_anchor(OTHER), os.environ)
    git(project, "init", "--quiet")
    with pytest.raises(LedgerError, match="expected a commit"):
        add_note(project, format_anchor(OTHER), os.environ)
    with pytest.raises(NotFound, match="refs/notes/cra"):
        anchors_in_git(project, os.environ)
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(LedgerError, match="no such program"):
        anchors_in_git(project, os.environ)


def test_git_without_an_identity_says_so(repository):
    git(repository, "config", "user.useConfigOnly", "true")
    git(repository, "config", "--unset", "user.email")

    with pytest.raises(CraError, match="expected git to keep a note"):
        add_note(repository, format_anchor(OTHER), os.environ)
