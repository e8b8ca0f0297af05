"""Reading a ledger file anywhere: how many lines it has, the line with a number, the last ones.

The index is a count of lines for each block of the file. It lives in memory, is built by reading
the file once, and is extended as the file grows. Only complete lines count.
"""

from __future__ import annotations

import os
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Final, Self

from cra.errors import Code, IntegrityError, NotFound
from cra.ledger import files
from cra.ledger.chain import MAX_LINE
from cra.ledger.files import READ_SIZE

if TYPE_CHECKING:
    from cra.ledger.filter import Filter

SUFFIX: Final = ".trace.jsonl"
JOURNAL_FILE: Final = f"journal{SUFFIX}"
BLOCK: Final = 1 << 16
# Twice this fits into a core's cache, which makes searching it in lower case a third faster.
_CHUNK: Final = 1 << 18


class LedgerFile:
    """A session's file or the journal's, open for reading while others may write to it."""

    def __init__(self, path: Path, *, reads: bool = True) -> None:
        """Open a file, and look at what is in it now or only once somebody asks for it."""
        self.path = path
        # How many complete lines there are, and where the last of them ends.
        self.count = 0
        self.end = 0
        # Entry k: how many lines end in the first k blocks.
        self._before = array("Q", [0])
        self._fd = files.open_for_reading(path)
        try:
            if reads:
                self.refresh()
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        os.close(self._fd)

    def refresh(self, advance: Callable[[int], None] | None = None) -> int:
        """Take in what was appended since, and return the count.

        `advance` is told up to which byte it is; what is counted until then can be read. Raises
        IntegrityError if the file shrank, or if its path leads to another file or to none.
        """
        status = os.fstat(self._fd)
        try:
            named = os.stat(self.path)
        except FileNotFoundError:
            raise gone(self.path) from None
        if not os.path.samestat(status, named):
            raise replaced(self.path)
        if status.st_size < self.end:
            raise shrunk(self.path, self.end, status.st_size)
        position = self.end
        try:
            while data := os.pread(self._fd, READ_SIZE - position % BLOCK, position):
                self._count(data, position)
                position += len(data)
                if advance is not None:
                    advance(position)
        finally:
            # Blocks behind the last line are counted again: what is in them may be rolled back.
            del self._before[self.end // BLOCK + 1 :]
        return self.count

    def line(self, sequence: int) -> bytes:
        """The line with a number, without its LF. Raises NotFound, IntegrityError."""
        if not 0 <= sequence < self.count:
            raise NotFound(
                f"expected an event from 0 to {self.count - 1}, found {sequence}"
                if self.count
                else f"expected events, found none, so no event {sequence}",
                where=str(self.path),
                fix=f"cra trace show {session_id_of(self.path)}",
            )
        for line in self.lines(sequence, sequence + 1):
            return line
        raise _cut(self.end)

    def lines(self, start: int = 0, stop: int | None = None) -> Iterator[bytes]:
        """The lines from one number up to another, which is not among them."""
        for _, chunk in whole_lines(self._fd, self._offset(start), self._offset(stop)):
            yield from chunk[:-1].split(b"\n")

    def search(
        self, wanted: Filter, start: int = 0, *, advance: Callable[[int], None] | None = None
    ) -> Iterator[tuple[int, bytes]]:
        """The numbers and the lines of the events that a filter accepts.

        `advance` is told how many bytes were looked through, whenever it was some.
        """
        for position, chunk in whole_lines(self._fd, self._offset(start), self.end):
            number, counted = -1, 0
            for begin, end in wanted.candidates(chunk):
                line = chunk[begin:end]
                if wanted.matches(line):
                    if number < 0:
                        number = self._number(position)
                    number += chunk.count(b"\n", counted, begin)
                    counted = begin
                    yield number, line
            if advance is not None:
                advance(len(chunk))

    def _count(self, data: bytes, position: int) -> None:
        """Count the lines that end in data, block by block."""
        at = 0
        while at < len(data):
            stop = min(len(data), at + BLOCK - (position + at) % BLOCK)
            self.count += data.count(b"\n", at, stop)
            at = stop
            if (position + at) % BLOCK == 0:
                self._before.append(self.count)
        last = data.rfind(b"\n")
        if last >= 0:
            self.end = position + last + 1

    def _number(self, position: int) -> int:
        """How many lines end before a position."""
        block = position // BLOCK
        data = os.pread(self._fd, position - block * BLOCK, block * BLOCK)
        return self._before[block] + data.count(b"\n")

    def _offset(self, sequence: int | None) -> int:
        """Where a line begins; beyond the last one, where that ends."""
        if sequence is None or sequence >= self.count:
            return self.end
        if sequence <= 0:
            return 0
        block = bisect_left(self._before, sequence) - 1
        data = os.pread(self._fd, BLOCK, block * BLOCK)
        at = -1
        for _ in range(sequence - self._before[block]):
            at = data.find(b"\n", at + 1)
        return block * BLOCK + at + 1


def session_files(directory: Path) -> list[Path]:
    """The files of the sessions in a ledger's directory, the last one begun first."""
    try:
        names = os.listdir(directory)
    except FileNotFoundError:
        return []
    found = [name for name in names if name.endswith(SUFFIX) and name != JOURNAL_FILE]
    return [directory / name for name in sorted(found, reverse=True)]


def session_id_of(path: Path) -> str:
    return path.name.removesuffix(SUFFIX)


def whole_lines(fd: int, position: int, stop: int) -> Iterator[tuple[int, bytes]]:
    """The lines between two line ends, with their LFs, in chunks with the position of each.

    Of a line that is longer than an event can be, only the beginning.
    """
    while position < stop:
        data = os.pread(fd, min(_CHUNK, stop - position), position)
        cut = data.rfind(b"\n") + 1
        if cut:
            yield position, data[:cut]
            position += cut
        elif len(data) > MAX_LINE:
            yield position, data[: MAX_LINE + 1] + b"\n"
            position = _next_line(fd, position + len(data))
        else:
            raise _cut(stop)


def _cut(stop: int) -> IntegrityError:
    return IntegrityError(
        Code.CHECKPOINT_UNMET,
        f"expected lines up to byte {stop}, found that the file ends before",
        fix="cra trace verify",
    )


def lines_backwards(fd: int, end: int) -> Iterator[bytes]:
    """The lines before a line's end, the last one first.

    A line that is longer than an event can be is cut short and ends the reading.
    """
    pending = b""
    position = end - 1
    while position > 0:
        start = max(0, position - BLOCK)
        pending = os.pread(fd, position - start, start) + pending
        position = start
        pending, *later = pending.split(b"\n")
        yield from reversed(later)
        if len(pending) > MAX_LINE:
            break
    if end > 0:
        yield pending[-MAX_LINE - 1 :]


def end_of_lines(fd: int) -> int:
    """Where the last complete line of a file ends."""
    position = os.fstat(fd).st_size
    while position > 0:
        start = max(0, position - BLOCK)
        found = os.pread(fd, position - start, start).rfind(b"\n")
        if found >= 0:
            return start + found + 1
        position = start
    return 0


def shrunk(path: Path, expected: int, found: int) -> IntegrityError:
    return IntegrityError(
        Code.CHECKPOINT_UNMET,
        f"expected at least the {expected} bytes that were read, found {found}: the file was cut",
        where=str(path),
        fix=_verify(path),
    )


def replaced(path: Path) -> IntegrityError:
    return IntegrityError(
        Code.SESSION_MISSING,
        "expected the file that was being read, found another in its place",
        where=str(path),
        fix=_verify(path),
    )


def gone(path: Path) -> IntegrityError:
    return IntegrityError(
        Code.SESSION_MISSING,
        "expected the file that was being read, found none",
        where=str(path),
        fix=_verify(path),
    )


def _next_line(fd: int, position: int) -> int:
    while data := os.pread(fd, READ_SIZE, position):
        found = data.find(b"\n")
        if found >= 0:
            return position + found + 1
        position += len(data)
    return position


def _verify(path: Path) -> str:
    return f"cra trace verify {session_id_of(path)}"
