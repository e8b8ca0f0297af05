"""What `cra trace verify` works on: a ledger and the sessions in it, or one path."""

from __future__ import annotations

import os
import re
from contextlib import suppress
from pathlib import Path
from shlex import quote
from typing import Final

from cra.cli import output
from cra.cli.ledger import config_of, open_memory, trust_of
from cra.cli.project import open_config
from cra.cli.select import find_session
from cra.config import FILE_NAME
from cra.config import read as read_config
from cra.errors import NotFound, UsageError
from cra.ledger.index import JOURNAL_FILE, SUFFIX, session_id_of
from cra.ledger.memory import Memory, check_not_gone
from cra.ledger.verify import (
    JOURNAL,
    Anchor,
    AnchorSource,
    LedgerReport,
    Trust,
    verify_file,
    verify_ledger,
)

# How an id can begin, and the words that stand for one.
_SESSION: Final = re.compile(f"[0-9a-f-]+|last|{JOURNAL}", re.IGNORECASE)


def judge(
    words: list[str],
    project: Path | None,
    trace_dir: Path | None,
    *,
    keys: list[str] | None,
    anchor_source: str | None,
    since_verified: bool,
    cores: int,
) -> LedgerReport:
    """The verdict on what the words name. Raises CraError if they name nothing to judge."""
    path = _path_among(words)
    config = open_config(project, trace_dir, anywhere=path is not None)
    # The configuration's keys are of its own ledger.
    is_own = path is None or path.resolve().is_relative_to(config.trace_directory.resolve())
    trust = trust_of(config if is_own else None, keys)
    if path is not None and _stands_alone(path):
        if anchor_source is not None:
            raise UsageError(
                "expected a ledger to hold an anchor against, found one session", where=str(path)
            )
        return _verify_alone(path, trust, cores)
    if path is None:
        memory = open_memory(config)
    else:
        memory = open_memory(config_of(path if path.is_dir() else path.parent, config))
    directory, names = _ledger_and_names(config.trace_directory, path, words, memory)
    anchors, kind = _anchors(anchor_source, directory, config.project or directory.parent)
    with output.progress(size_of(directory, names), "verifying") as advance:
        report = verify_ledger(
            directory,
            trust,
            sessions=names,
            memory=memory,
            anchors=anchors,
            since_verified=since_verified,
            cores=cores,
            advance=advance,
        )
    report.anchored_in = kind
    return report


def _path_among(words: list[str]) -> Path | None:
    """The one path that is given instead of sessions."""
    paths = [word for word in words if _is_path(word)]
    if not paths:
        return None
    if len(words) > 1:
        raise UsageError(f"expected one path or sessions by their ids, found {' '.join(words)}")
    path = Path(paths[0])
    if not path.exists():
        check_not_gone(open_memory(), path)
        raise NotFound(
            "expected a ledger, a session's file or a bundle, found nothing", where=str(path)
        )
    return path


def _is_path(word: str) -> bool:
    """Whether a word is a path: ids and `last` have neither / nor dot, and what no id begins with
    may be a directory here."""
    if "/" in word or "." in word:
        return True
    return not _SESSION.fullmatch(word) and Path(word).is_dir()


def _stands_alone(path: Path) -> bool:
    """Whether a path is judged without a ledger: a bundle, or a session's file with no journal."""
    from cra.ledger.bundle import is_bundle

    if path.is_dir():
        return is_bundle(path)
    return not (path.parent / JOURNAL_FILE).exists() or not path.name.endswith(SUFFIX)


def _verify_alone(path: Path, trust: Trust, cores: int) -> LedgerReport:
    from cra.ledger.bundle import is_bundle, verify_bundle

    # A session's name goes before its bytes: behind the last line they may look like a zip file.
    if not path.name.endswith(SUFFIX):
        if is_bundle(path):
            with output.working("verifying"):
                return verify_bundle(path, trust, memory=open_memory(), cores=cores)
        raise UsageError(f"expected a file *{SUFFIX} or a bundle, found another", where=str(path))
    with output.progress(path.stat().st_size, "verifying") as advance:
        return verify_file(path, trust, cores=cores, advance=advance)


def _ledger_and_names(
    configured: Path, path: Path | None, words: list[str], memory: Memory
) -> tuple[Path, list[str] | None]:
    """The ledger to judge, and the sessions in it; None: all of them."""
    if path is not None and path.is_dir():
        _check_no_project(path)
        return path, None
    if path is not None:
        return path.parent, [session_id_of(path)] if path.name != JOURNAL_FILE else []
    if not configured.is_dir():
        check_not_gone(memory, configured)
    if not words:
        return configured, None
    return configured, [_session_id(configured, word) for word in words if word != JOURNAL]


def _check_no_project(path: Path) -> None:
    """Whoever names a project means its ledger, and may not know where that is."""
    if (path / FILE_NAME).is_file() and not (path / JOURNAL_FILE).exists():
        ledger = read_config(path, os.environ, None, {})[0].trace_directory
        raise NotFound(
            "expected the directory of a ledger, found that of a project",
            where=str(path),
            fix=f"cra trace verify {quote(str(ledger))}",
        )


def size_of(directory: Path, names: list[str] | None) -> int:
    """How many bytes there are to read of a ledger, or of sessions in it."""
    total = 0
    for path in directory.glob(f"*{SUFFIX}"):
        if names is None or session_id_of(path) in (JOURNAL, *names):
            with suppress(OSError):  # pruned meanwhile, or a link to nothing
                total += path.stat().st_size
    return total


def _session_id(directory: Path, word: str) -> str:
    """A whole id is taken as it is: the journal may list a session whose file is gone."""
    return word if len(word) == 36 else session_id_of(find_session(directory, word))


def _anchors(
    source: str | None, directory: Path, project: Path
) -> tuple[tuple[Anchor, ...], AnchorSource | None]:
    """The anchors to hold a ledger against, and where they are from."""
    if source is None:
        return (), None
    from cra.ledger.anchor import anchors_in_git, anchors_of_file, own_anchors, parse_anchor

    if source.startswith("cra:"):
        return (parse_anchor(source),), "line"
    if source == "git":
        return own_anchors(directory, anchors_in_git(project, os.environ)), "git"
    return own_anchors(directory, anchors_of_file(Path(source))), "file"
