"""Following a ledger: what is appended to one session or to all, as soon as a line is whole.

A file that is cut below what was read, replaced or removed raises IntegrityError, unless the
journal says why: then a `Notice` stands for it.
"""

from __future__ import annotations

import os
import re
import time
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Final, Literal, TypeAlias

from cra.errors import Code, IntegrityError
from cra.ledger import files
from cra.ledger.chain import MAX_LINE
from cra.ledger.filter import Filter
from cra.ledger.index import (
    JOURNAL_FILE,
    end_of_lines,
    gone,
    lines_backwards,
    replaced,
    session_files,
    session_id_of,
    shrunk,
)

if TYPE_CHECKING:
    from cra.ledger.verdict import JournalEntry

POLL_SECONDS: Final = 0.02
# What one poll reads of one file at most: a follower that starts late does not hold it all.
_MOST: Final = 4 << 20
# The end of a line: its event's hash, which also stays when the payload is redacted.
_SEAL: Final = 64 + len('"}\n')
_PREVIOUS: Final = re.compile(rb'"previous_event_hash":"([0-9a-f]{64})"')
_TIMESTAMP: Final = re.compile(rb'"timestamp":"([^"]*)"')


@dataclass(frozen=True)
class Notice:
    """The journal's word on why a followed file is another one now, or none."""

    session_id: str
    what: Literal["redacted", "pruned"]


Update: TypeAlias = bytes | Notice


@dataclass
class _Followed:
    """A file and how far it was read; `seal` is how the last line that was read ends."""

    path: Path
    identity: tuple[int, int]
    offset: int = 0
    seal: bytes = b""


class Tail:
    """Follows one session's file, or all of a directory and those that are begun there.

    The first poll hands out the last events that were there before, `last` of them at most.
    """

    def __init__(
        self,
        directory: Path,
        session: Path | None = None,
        *,
        wanted: Filter | None = None,
        last: int = 0,
    ) -> None:
        self._directory = directory
        self.alarm: IntegrityError | None = None
        self._follows_all = session is None
        self._wanted = wanted or Filter()
        self._files: dict[Path, _Followed] = {}
        # The directory's time of change at the last two polls.
        self._changes = (-1, -2)
        found: list[bytes] = []
        for path in session_files(directory) if session is None else [session]:
            found += self._begin(path, last)
        if session is None:
            found.sort(key=_timestamp)
        self._waiting: list[Update] = list(found[max(0, len(found) - last) :])

    def poll(self) -> list[Update]:
        """What was appended since the last time: whole lines that the filter accepts, and notices.

        Raises IntegrityError, once what was read before the alarm has been handed out.
        """
        batch, self._waiting = self._waiting, []
        if self.alarm is None:
            try:
                if self._follows_all:
                    self._discover()
                for followed in list(self._files.values()):
                    self._look(followed, batch)
            except IntegrityError as error:
                self.alarm = error
        if self.alarm is not None and not batch:
            raise self.alarm
        return batch

    def _begin(self, path: Path, last: int) -> list[bytes]:
        """Follow a file from its present end on; return its last events, the oldest first."""
        found: list[bytes] = []
        fd = files.open_for_reading(path)
        try:
            followed = _Followed(path, _identity(os.fstat(fd)))
            _move_to_end(followed, fd)
            before = _chained_backwards(path, lines_backwards(fd, followed.offset))
            found.extend(islice(filter(self._wanted.matches, before), last))
        except IntegrityError as error:
            self.alarm = error
        finally:
            os.close(fd)
        self._files[path] = followed
        return found[::-1]

    def _discover(self) -> None:
        """Follow new sessions from their first event on."""
        try:
            change = os.stat(self._directory).st_mtime_ns
        except FileNotFoundError:
            return
        # A file made within the clock tick of a listing changes no time: one more listing sees it.
        if self._changes == (change, change):
            return
        self._changes = (change, self._changes[0])
        for path in reversed(session_files(self._directory)):
            if path not in self._files:
                with suppress(FileNotFoundError):
                    self._files[path] = _Followed(path, _identity(os.stat(path)))

    def _look(self, followed: _Followed, batch: list[Update]) -> None:
        try:
            status = os.stat(followed.path)
        except FileNotFoundError:
            batch.append(self._explain_removal(followed))
            return
        if _identity(status) != followed.identity:
            batch.append(self._explain_replacement(followed))
        elif status.st_size < followed.offset:
            raise shrunk(followed.path, followed.offset, status.st_size)
        elif status.st_size > followed.offset:
            self._read(followed, batch)

    def _read(self, followed: _Followed, batch: list[Update]) -> None:
        fd = files.open_for_reading(followed.path)
        try:
            # An inode's number may be used again, a hash is not.
            start = followed.offset - len(followed.seal)
            if os.pread(fd, len(followed.seal), start) != followed.seal:
                raise replaced(followed.path)
            *lines, rest = os.pread(fd, _MOST, followed.offset).split(b"\n")
        finally:
            os.close(fd)
        for line in lines:
            self._take(line, followed, batch)
        if len(rest) > MAX_LINE and not lines:
            raise _too_long(followed)

    def _take(self, line: bytes, followed: _Followed, batch: list[Update]) -> None:
        if len(line) > MAX_LINE:
            raise _too_long(followed)
        _check_link(followed.path, followed.seal, line)
        followed.offset += len(line) + 1
        followed.seal = line[1 - _SEAL :] + b"\n"
        if self._wanted.matches(line):
            batch.append(line)

    def _explain_removal(self, followed: _Followed) -> Notice:
        session_id = session_id_of(followed.path)
        if not journal_entry(self._directory, session_id).is_pruned:
            raise gone(followed.path)
        del self._files[followed.path]
        return Notice(session_id, "pruned")

    def _explain_replacement(self, followed: _Followed) -> Notice:
        """A redacted file ends in the event that the one before it ended in."""
        session_id = session_id_of(followed.path)
        seal = followed.seal
        fd = files.open_for_reading(followed.path)
        try:
            followed.identity = _identity(os.fstat(fd))
            _move_to_end(followed, fd)
        finally:
            os.close(fd)
        entry = journal_entry(self._directory, session_id)
        if followed.seal != seal or not entry.redactions:
            raise replaced(followed.path)
        return Notice(session_id, "redacted")


def _chained_backwards(path: Path, lines: Iterator[bytes]) -> Iterator[bytes]:
    later = b""
    for line in lines:
        _check_link(path, line[1 - _SEAL :], later)
        yield line
        later = line


def _check_link(path: Path, seal: bytes, line: bytes) -> None:
    """Raise IntegrityError if a line says that it follows another one than the one before it.

    What is no event says nothing.
    """
    stated = _PREVIOUS.search(line)
    if stated is not None and seal and seal[:64] != stated[1]:
        found = stated[1].decode()
        raise IntegrityError(
            Code.BROKEN_CHAIN,
            f"expected an event after {seal[:12].decode(errors='replace')}…, "
            f"found one after {found:.12}…",
            where=str(path),
            fix=f"cra trace verify {session_id_of(path)}",
        )


def follow(tail: Tail, stop: Callable[[], bool]) -> Iterator[list[Update]]:
    """What is appended, in batches, until `stop` says so. Raises IntegrityError."""
    while not stop():
        batch = tail.poll()
        if batch:
            yield batch
        else:
            time.sleep(POLL_SECONDS)


def _identity(status: os.stat_result) -> tuple[int, int]:
    return status.st_dev, status.st_ino


def _move_to_end(followed: _Followed, fd: int) -> None:
    followed.offset = end_of_lines(fd)
    length = min(_SEAL, followed.offset)
    followed.seal = os.pread(fd, length, followed.offset - length)


def journal_entry(directory: Path, session_id: str) -> JournalEntry:
    """What the journal says of a session, believed as it stands: `cra trace verify` judges it."""
    # Only a file that is another one now pays for these imports.
    from cra.ledger.attested import events_naming
    from cra.ledger.verdict import JournalEntry

    entry = JournalEntry()
    journal = directory / JOURNAL_FILE
    if journal.exists():
        for event in events_naming(journal, session_id, {"journal.pruned", "journal.redacted"}):
            entry.take(event.event_type, event.payload or {})
    return entry


def _timestamp(line: bytes) -> bytes:
    found = _TIMESTAMP.search(line)
    return found[1] if found else b""


def _too_long(followed: _Followed) -> IntegrityError:
    return IntegrityError(
        Code.MALFORMED_LINE,
        f"expected an event of TRACE/1.1, found a line of more than {MAX_LINE} bytes",
        where=f"{followed.path}, byte {followed.offset}",
        fix=f"cra trace verify {session_id_of(followed.path)}",
    )
