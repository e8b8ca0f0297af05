"""Anchors: a head of the journal in one line, kept where whoever writes the project cannot reach.

The line can stand anywhere: a CI log, a ticket, a note in git (docs/adr/0004-anchor-in-git.md).
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cra.errors import Code, IntegrityError, LedgerError, NotFound, UsageError
from cra.ledger import files
from cra.ledger.checkpoint import MAX_NOTE, open_checkpoint
from cra.ledger.git import run_git
from cra.ledger.memory import Memory, check_not_gone
from cra.ledger.store import read_events
from cra.ledger.verify import JOURNAL, Anchor, Trust, verify_ledger

if TYPE_CHECKING:
    import subprocess

NOTES_REF: Final = "refs/notes/cra"
TRAILER: Final = "Cra-Anchor"

_TRAILER: Final = re.compile(rb"^cra-anchor:(.*)$", re.MULTILINE | re.IGNORECASE)
_MAX_SOURCE: Final = 64 << 20
_LINE: Final = re.compile(
    "cra:([0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"
    ":([1-9][0-9]{0,15}):([0-9a-f]{64})"
)


def format_anchor(anchor: Anchor) -> str:
    return f"cra:{anchor.ledger_id}:{anchor.size}:{anchor.root.hex()}"


def parse_anchor(line: str) -> Anchor:
    match = _LINE.fullmatch(line)
    if match is None:
        raise UsageError(
            f"expected an anchor cra:<ledger id>:<size>:<root>, found {line!r:.120}",
            fix="cra trace anchor",
        )
    return _anchor(match)


def anchors_in(text: str) -> list[Anchor]:
    """Every anchor in a text, as it stands in a log between other words."""
    return list(dict.fromkeys(map(_anchor, _LINE.finditer(text))))


def anchors_of_file(path: Path) -> list[Anchor]:
    """Every anchor in a file. Raises NotFound if there is no such file, or none in it."""
    data = files.read_all(path, _MAX_SOURCE)
    found = anchors_in(data.decode(errors="replace")) if data is not None else []
    if not found:
        raise NotFound(
            "expected a file with a line cra:<ledger id>:<size>:<root>, found "
            + ("no file" if data is None else "none in it"),
            where=str(path),
            fix="cra trace anchor",
        )
    return found


def own_anchors(directory: Path, found: list[Anchor]) -> tuple[Anchor, ...]:
    """Those of the anchors in a shared place that are of the ledger in a directory.

    Raises IntegrityError if there are others only: a ledger begun anew has no anchor of its own.
    """
    try:
        first = next(read_events(directory / f"{JOURNAL}.trace.jsonl"), None)
    except (FileNotFoundError, IntegrityError):
        # Then it is for the verdict to say which ledger is missing.
        return tuple(found)
    ledger_id = first.header["session_id"] if first else ""
    own = tuple(anchor for anchor in found if anchor.ledger_id == ledger_id)
    if not own:
        others = ", ".join(sorted({anchor.ledger_id for anchor in found}))
        raise IntegrityError(
            Code.ANCHOR_UNMET,
            f"expected an anchor of the ledger {ledger_id or 'here'}, found anchors of {others}",
            where=str(directory),
            fix="cra trace anchor, if this ledger was never anchored here",
        )
    return own


def present_head(directory: Path, trust: Trust, memory: Memory) -> Anchor:
    """The head of the journal by its checkpoint, once the journal has been verified against it.

    Raises NotFound, LedgerError or IntegrityError.
    """
    path = directory / f"{JOURNAL}.checkpoint"
    note = files.read_all(path, MAX_NOTE) if directory.is_dir() else None
    if note is None:
        check_not_gone(memory, directory)
        raise NotFound(
            "expected a journal with a checkpoint, found none",
            where=str(path),
            fix="cra session start",
        )
    checkpoint = open_checkpoint(note, None, (), signed=False).checkpoint
    ledger_id = checkpoint.origin.removeprefix("cra.local/").removesuffix(f"/{JOURNAL}")
    if not checkpoint.size:
        raise LedgerError("expected a journal with events, found a checkpoint of none")
    head = Anchor(ledger_id, checkpoint.size, checkpoint.root)
    # The journal may have grown since the checkpoint was read, never shrunk: as an anchor it holds.
    journal = verify_ledger(directory, trust, sessions=[], memory=memory, anchors=(head,)).journal
    if journal is not None and journal.code is not None and journal.verdict.exit_code != 0:
        raise IntegrityError(
            journal.code, journal.message or "", where=str(directory), fix="cra trace verify"
        )
    return head


def add_note(project: Path, line: str, environ: Mapping[str, str]) -> str:
    """Record an anchor as a git note on HEAD, and return the commit. Raises LedgerError."""
    _check_repository(project, environ)
    head = _git(project, environ, "rev-parse", "--verify", "--quiet", "HEAD^{commit}")
    commit = head.stdout.decode().strip()
    if head.returncode != 0:
        raise LedgerError(
            "expected a commit to note the anchor on, found none",
            where=str(project),
            fix="git commit, then cra trace anchor --git",
        )
    if line not in _note_on(project, environ, commit):
        added = _git(project, environ, "notes", "--ref", NOTES_REF, "append", "-m", line, commit)
        if added.returncode != 0:
            raise LedgerError(
                f"expected git to keep a note, found: {_last_words(added)}", where=str(project)
            )
    return commit


def anchors_in_git(project: Path, environ: Mapping[str, str]) -> list[Anchor]:
    """The anchors in the notes and the commit trailers of a repository. Raises NotFound."""
    _check_repository(project, environ)
    # The tree of the notes: a note outlives the rewriting of its commit.
    listed = _git(project, environ, "ls-tree", "-r", "--full-tree", NOTES_REF)
    notes = re.findall(rb"^100644 blob ([0-9a-f]+)\t", listed.stdout, re.MULTILINE)
    texts = _git(project, environ, "cat-file", "--batch", stdin=b"\n".join([*notes, b""]))
    wanted = ("--fixed-strings", "--regexp-ignore-case", f"--grep={TRAILER}:")
    commits = _git(
        project, environ, "rev-list", "--all", "--format=%B", "--encoding=UTF-8", *wanted
    )
    trailers = _TRAILER.findall(commits.stdout)
    found = anchors_in(b"\n".join([texts.stdout, *trailers]).decode(errors="replace"))
    if not found:
        raise NotFound(
            f"expected an anchor in {NOTES_REF} or in a commit's {TRAILER}, found none",
            where=str(project),
            fix=f"git fetch origin {NOTES_REF}:{NOTES_REF}, or cra trace anchor --git",
        )
    return found


def _note_on(project: Path, environ: Mapping[str, str], commit: str) -> list[str]:
    """The lines of the note that a commit has."""
    note = _git(project, environ, "notes", "--ref", NOTES_REF, "list", commit)
    if note.returncode != 0:
        return []
    text = _git(project, environ, "cat-file", "blob", note.stdout.decode().strip()).stdout
    return text.decode(errors="replace").split("\n")


def _check_repository(project: Path, environ: Mapping[str, str]) -> None:
    answer = _git(project, environ, "rev-parse", "--git-dir")
    if answer.returncode != 0:
        raise LedgerError(
            f"expected a git repository, found: {_last_words(answer)}",
            where=str(project),
            fix="git init, or keep the line that cra trace anchor prints elsewhere",
        )


def _git(
    project: Path, environ: Mapping[str, str], *arguments: str, stdin: bytes = b""
) -> subprocess.CompletedProcess[bytes]:
    try:
        return run_git(project, environ, *arguments, stdin=stdin)
    except FileNotFoundError:
        raise LedgerError(
            "expected git to record or find the anchor, found no such program",
            fix="install git, or keep the line that cra trace anchor prints elsewhere",
        ) from None


def _last_words(answer: subprocess.CompletedProcess[bytes]) -> str:
    words = answer.stderr.decode(errors="replace").strip().rpartition("\n")[2]
    return words or f"exit code {answer.returncode}"


def _anchor(match: re.Match[str]) -> Anchor:
    return Anchor(match[1], int(match[2]), bytes.fromhex(match[3]))
