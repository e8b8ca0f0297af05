"""The verdict on a ledger as the list of its sessions tells it, whatever of it can be read."""

from __future__ import annotations

import os
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cra.amount import counted
from cra.errors import Code, NotFound
from cra.ledger import files
from cra.ledger.filter import containing
from cra.ledger.index import JOURNAL_FILE, SUFFIX, LedgerFile, session_files, session_id_of
from cra.ledger.outline import readable
from cra.printable import safe
from cra.tui.sessions import CHECKPOINT, Glance, without_outline

if TYPE_CHECKING:
    from cra.ledger.verify import ChainReport, LedgerReport
    from cra.tui.setting import Setting

_MISSING: Final = "no file, though the journal lists it"
# Of so many parts that are not sound a verdict says what is wrong with them.
_MAX_TOLD: Final = 5


class LedgerVerdict(NamedTuple):
    """What a verification of a ledger came to, in words for a line, for rows and for a notice."""

    verdict: str
    is_sound: bool
    by_session: Mapping[str, str]
    # The sessions that the journal lists and that have no file.
    missing: tuple[Glance, ...]
    # What was left out because it cannot be read, and why, by their ids.
    unread: Mapping[str, str]
    explained: str


def judge_ledger(setting: Setting, unread: Iterable[str]) -> LedgerVerdict:
    """The verdict on all sessions but those that cannot be read. Raises CraError, OSError.

    `unread` are those of them that are known.
    """
    from cra.ledger.verify import verify_ledger

    directory = setting.directory

    def verified(names: list[str] | None) -> LedgerReport:
        return verify_ledger(
            directory, setting.trust, sessions=names, memory=setting.memory, cores=setting.cores
        )

    if not any(unread):
        try:
            return _told(directory, verified(None), {})
        except OSError:
            # It may be a checkpoint.
            if not (refused := _refused(directory)):
                raise
    else:
        refused = _refused(directory)
    names = _listed(directory) - refused.keys()
    while True:
        try:
            return _told(directory, verified(sorted(names)), refused)
        except NotFound as error:
            # Listed by events that a recovery doubts, which do not count.
            doubted = session_id_of(Path(error.where or ""))
            if doubted not in names:
                raise
            names.remove(doubted)


def _refused(directory: Path) -> dict[str, str]:
    """The sessions whose file or checkpoint cannot be opened, and why."""
    refused = {}
    for path in session_files(directory):
        name = session_id_of(path)
        for needed in (path, directory / f"{name}{CHECKPOINT}"):
            try:
                os.close(files.open_for_reading(needed))
            except FileNotFoundError:
                continue
            except OSError as error:
                refused[name] = error.strerror or str(error)
    return refused


def _listed(directory: Path) -> set[str]:
    """The sessions that have a file, and those that the journal says were begun."""
    names = {session_id_of(path) for path in session_files(directory) if path.exists()}
    with suppress(FileNotFoundError), LedgerFile(directory / JOURNAL_FILE) as journal:
        for _, line in journal.search(containing(b'"event_type":"journal.session_opened"')):
            event = readable(line)
            name = (event.payload or {}).get("session_id") if event else None
            if isinstance(name, str):
                names.add(name)
    return names


def _told(directory: Path, report: LedgerReport, unread: Mapping[str, str]) -> LedgerVerdict:
    is_sound = report.verdict.exit_code == 0
    by_session = {
        part.name: f"{part.verdict.name} {part.level.name.split('_')[0]}"
        if part.verdict.exit_code == 0
        else part.verdict.name
        for part in report.sessions
    }
    missing = tuple(
        without_outline(directory / f"{part.name}{SUFFIX}", _MISSING, "missing")
        for part in report.sessions
        if part.code is Code.SESSION_MISSING
    )
    words = [f"{report.verdict.name}, {report.level}"]
    unsound = [part for part in report.parts if part.verdict.exit_code != 0]
    words += _some([_wrong(part) for part in unsound])
    if is_sound:
        journal = "the journal and " if report.journal is not None else ""
        events = sum(part.events for part in report.parts)
        covered = sum(part.covered for part in report.parts)
        words.append(
            f"{journal}{counted(len(report.sessions), 'session')}: "
            f"{counted(events, 'event')} in order, {covered:,} covered"
        )
    words += _some([f"{name} unreadable: {why}" for name, why in sorted(unread.items())])
    words += [*report.notes, "cra trace verify"]
    return LedgerVerdict(
        f"{report.verdict.name} {report.level}",
        is_sound,
        by_session,
        missing,
        unread,
        "\n".join(map(safe, words)),
    )


def _wrong(part: ChainReport) -> str:
    return f"{part.name} {part.verdict.name} {part.code}: {part.message}"


def _some(lines: list[str]) -> list[str]:
    """The first of some lines, and how many more there are."""
    more = len(lines) - _MAX_TOLD
    return [*lines[:_MAX_TOLD], *([f"and {more:,} more"] if more > 0 else [])]
