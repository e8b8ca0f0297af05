"""Reading a chain from disk: whole lines, and the place from which a writer can go on."""

from __future__ import annotations

import base64
import os
import re
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, TypeAlias

from cra.amount import counted
from cra.errors import Code, IntegrityError
from cra.ledger import chain as line_format
from cra.ledger import files
from cra.ledger.chain import MAX_LINE, Chain, Event
from cra.ledger.checkpoint import Checkpoint
from cra.ledger.files import READ_SIZE
from cra.ledger.merkle import Range, peaks

# Told of lines in the order of the chain: the sequence of the first, the lines, and whether this
# writer wrote them.
OnLines: TypeAlias = Callable[[int, list[bytes], bool], None]

_RESUME: Final = re.compile("resume ([0-9]{1,15}) ([0-9a-f]{64})((?: [A-Za-z0-9+/]{43}=)+)")


class Lines:
    """The complete lines of a file from an offset on, in lists of about a megabyte.

    `rest` is what follows the last LF. A line beyond the limit is cut short, and is the last one.
    """

    def __init__(self, fd: int, offset: int = 0, stop: int | None = None) -> None:
        self._fd = fd
        self._position = offset
        self._stop = stop
        self.rest = b""

    def __iter__(self) -> Iterator[list[bytes]]:
        while True:
            wanted = (
                READ_SIZE if self._stop is None else min(READ_SIZE, self._stop - self._position)
            )
            data = os.pread(self._fd, wanted, self._position)
            if not data:
                return
            self._position += len(data)
            lines = (self.rest + data).split(b"\n")
            self.rest = lines.pop()
            yield lines
            if len(self.rest) > MAX_LINE:
                yield [self.rest]
                return


@dataclass
class Place:
    """A point in a chain: the state there, the Merkle range up to there, and the byte offset."""

    chain: Chain
    tree: Range = field(default_factory=Range)
    offset: int = 0
    # Told of the lines that were taken in, up to about a megabyte at a time.
    on_lines: OnLines | None = None

    def read_on(self, fd: int, until: int | None = None, *, stop: int | None = None) -> bytes:
        """Check and take in the lines that follow, up to event number `until` and byte `stop`.

        Returns what follows the last LF. At a line that does not fit, the place is before it and
        IntegrityError rises, which names the event.
        """
        reader = Lines(fd, self.offset, stop)
        for lines in reader:
            if until is not None and until - self.chain.size < len(lines):
                self._take(lines[: max(0, until - self.chain.size)])
                return b""
            self._take(lines)
        return b"" if self.chain.size == until else bytes(reader.rest)

    def _take(self, lines: list[bytes]) -> None:
        check = self.chain.check
        leaves: list[bytes] = []
        try:
            for line in lines:
                leaves.append(check(line))  # noqa: PERF401  # what fitted counts if one does not
        except IntegrityError as error:
            error.where = f"event {self.chain.size}"
            raise
        finally:
            self.tree.extend(leaves)
            taken = lines[: len(leaves)]
            self.offset += sum(map(len, taken)) + len(taken)
            if self.on_lines is not None:
                self.on_lines(self.chain.size - len(taken), taken, False)

    def extension(self) -> str:
        """The checkpoint's extension line from which `resume` comes back here."""
        nodes = " ".join(base64.b64encode(digest).decode() for _, digest in self.tree.nodes)
        return f"resume {self.offset} {self.chain.head} {nodes}"


def resume(fd: int, blank: Chain, checkpoint: Checkpoint) -> Place | None:
    """The place at a checkpoint, without reading what lies below it; None if the hint is unusable.

    The range is held against the root that the checkpoint states, and the last line below the place
    against the hash in the hint.
    """
    for extension in checkpoint.extensions:
        match = _RESUME.fullmatch(extension)
        if match is None:
            continue
        tree = peaks(checkpoint.size, [base64.b64decode(word) for word in match[3].split()])
        if tree is None or tree.root() != checkpoint.root:
            return None
        return _place_at(fd, blank, tree, int(match[1]), match[2])
    return None


def scan(
    fd: int,
    blank: Chain,
    checkpoint: Checkpoint | None,
    on_lines: OnLines | None = None,
) -> Place:
    """The place at a checkpoint, having read and checked everything below it. Raises
    IntegrityError."""
    place = Place(blank.copy(), on_lines=on_lines)
    if checkpoint is None:
        return place
    place.read_on(fd, checkpoint.size)
    if place.chain.size < checkpoint.size or place.tree.root() != checkpoint.root:
        raise IntegrityError(
            Code.CHECKPOINT_UNMET,
            f"expected the {counted(checkpoint.size, 'event')} of the checkpoint, "
            f"found {place.chain.size:,} or others",
        )
    return place


def event_before(fd: int, offset: int) -> Event | None:
    """The event whose line ends at an offset, if one does."""
    start = max(0, offset - MAX_LINE - 2)
    window = os.pread(fd, offset - start, start)
    if len(window) != offset - start or window[-1:] != b"\n":
        return None
    try:
        return line_format.decode(window[:-1].rpartition(b"\n")[2])
    except IntegrityError:
        return None


def hash_before(path: Path, offset: int) -> str | None:
    """The hash of the event whose line ends at an offset of a file, if one does."""
    try:
        fd = files.open_for_reading(path)
    except FileNotFoundError:
        return None
    try:
        event = event_before(fd, offset)
    finally:
        os.close(fd)
    return event and event.event_hash


def _place_at(fd: int, blank: Chain, tree: Range, offset: int, head: str) -> Place | None:
    event = event_before(fd, offset)
    if event is None:
        return None
    header = event.header
    # A recovery may follow session.ended, so only a full reading can tell whether the session
    # ended.
    if (
        event.event_hash != head
        or event.sequence != tree.end - 1
        or header["session_id"] != blank.session_id
        or event.event_type == "ledger.recovered"
    ):
        return None
    chain = blank.copy()
    chain.trace_id = header["trace_id"]
    chain.resume(
        tree.end, head, ended=event.event_type == "session.ended", latest=header["timestamp"]
    )
    return Place(chain, tree, offset)
