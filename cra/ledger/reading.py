"""Reading one chain whole for verification, on one core or several."""

from __future__ import annotations

import base64
import json
import os
import subprocess
import sys
from collections.abc import Callable
from dataclasses import dataclass
from hashlib import sha256
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cra.errors import IntegrityError
from cra.ledger import files
from cra.ledger.chain import MAX_LINE, Chain, Event, decode
from cra.ledger.memory import Mark
from cra.ledger.merkle import EMPTY_ROOT, Range
from cra.ledger.place import OnLines, Place
from cra.ledger.verdict import Reading

if TYPE_CHECKING:
    from cra.protocol.events import Artifact, EventHeader

Advance: TypeAlias = Callable[[int], None]

# Below this a second process costs more than it saves.
PARALLEL_FROM: Final = 32 << 20
_CHILD: Final = (
    "import json, sys; sys.path += json.loads(sys.argv[1]); "
    "from cra.ledger.reading import read_part_main; read_part_main(sys.argv[2])"
)
# Where the package that runs was imported from, installed or not.
_HOME: Final = str(Path(__file__).parents[2])


def usable_cores() -> int:
    """How many cores this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1  # macOS keeps no process to some of them


@dataclass
class Target:
    """A chain to read: its file, whose it is, and the sizes at which the root is wanted."""

    path: Path
    session_id: str
    is_journal: bool
    marks: list[int]

    def blank(self) -> Chain:
        return Chain(self.session_id, is_journal=self.is_journal)


def read_chain(
    target: Target, *, cores: int = 1, since: Mark | None = None, advance: Advance | None = None
) -> tuple[Reading, Place]:
    """Read a chain to its end or to the first line that does not fit. Raises OSError.

    `advance` is told of bytes as they are read.
    """
    fd = files.open_for_reading(target.path)
    try:
        size = os.fstat(fd).st_size
        if cores > 1 and since is None and size >= PARALLEL_FROM:
            found = _read_parallel(target, fd, size, cores, advance)
            if found is not None:
                return found
        return _read_sequentially(target, fd, since, advance)
    finally:
        os.close(fd)


def _read_sequentially(
    target: Target, fd: int, since: Mark | None, advance: Advance | None
) -> tuple[Reading, Place]:
    reading = Reading(roots={0: EMPTY_ROOT})
    place = _starting_place(target, since)
    place.on_lines = _counting(advance)
    _watch(place.chain, target.path.parent, reading)
    try:
        for mark in sorted(set(target.marks)):
            if mark >= place.chain.size:
                place.read_on(fd, mark)
                if place.chain.size == mark:
                    reading.roots[mark] = place.tree.root()
        rest = place.read_on(fd)
        if rest:
            # A line that a writer is in the middle of is whole once the writer lets go of the lock.
            lock = target.path.parent / "locks" / target.path.name.replace(".trace.jsonl", ".lock")
            with files.shared_lock(lock):
                rest = place.read_on(fd)
        reading.rest = len(rest)
    except IntegrityError as error:
        reading.broken = error
    reading.size = place.chain.size
    reading.types = place.chain.types
    reading.clock_steps = place.chain.clock_steps
    return reading, place


def _counting(advance: Advance | None) -> OnLines | None:
    return advance and (lambda _first, lines, _own: advance(sum(map(len, lines)) + len(lines)))


def _starting_place(target: Target, since: Mark | None) -> Place:
    chain = target.blank()
    if since is None:
        return Place(chain)
    chain.trace_id = since.trace_id
    chain.resume(since.size, since.head, ended=since.ended, latest=since.latest)
    tree = Range()
    for node in since.nodes:
        level, _, digest = node.partition(":")
        tree.push(base64.b64decode(digest), int(level))
    return Place(chain, tree, since.offset)


def mark_of(place: Place, verified_on: str, redacted: int) -> Mark:
    """What lets a later reading start where this one ended."""
    chain = place.chain
    nodes = [f"{level}:{base64.b64encode(digest).decode()}" for level, digest in place.tree.nodes]
    return Mark(
        chain.size,
        place.offset,
        chain.head,
        chain.trace_id or "",
        chain.ended,
        chain.latest,
        nodes,
        verified_on,
        redacted,
    )


def _watch(chain: Chain, directory: Path, reading: Reading) -> None:
    """Collect redacted lines, and check the blobs of every event that names some."""

    def look(event: Event) -> None:
        if event.payload is None:
            reading.redacted.append((event.sequence, event.event_hash))
        elif reading.wrong_blob is None:
            for artifact in event.header.get("artifacts", ()):
                problem = _blob_problem(directory, artifact, event.line)
                if problem:
                    reading.wrong_blob = (event.sequence, problem)
                    return

    chain.on_unusual = look


def _blob_problem(directory: Path, artifact: Artifact, line: bytes) -> str | None:
    uri, expected = artifact["uri"], artifact["sha256"]
    if not uri.startswith("blobs/"):
        return None
    if uri != f"blobs/{expected}" or len(expected) != 64 or not expected.isalnum():
        return f"expected a blob named by its hash, found {uri!r:.100}"
    digest = sha256(bytes.fromhex(line[-114:-82].decode()))
    try:
        fd = files.open_for_reading(directory / uri)
    except OSError as error:
        return f"expected the blob {expected[:12]}…, found {error.strerror}"
    with os.fdopen(fd, "rb") as file:
        while data := file.read(files.READ_SIZE):
            digest.update(data)
    if digest.hexdigest() != expected:
        return f"expected the blob {expected[:12]}…, found other bytes under its name"
    return None


# Several cores: each process reads a part of the file and hands back what joins the parts.


def _read_parallel(
    target: Target, fd: int, size: int, cores: int, advance: Advance | None
) -> tuple[Reading, Place] | None:
    """None if anything is out of the ordinary: then the sequential reading says precisely what."""
    cuts = _cuts(fd, size, cores)
    marks = sorted(set(target.marks))
    jobs = [
        {
            "path": str(target.path),
            "session_id": target.session_id,
            "is_journal": target.is_journal,
            "marks": marks,
            "start": start,
            "stop": stop,
        }
        for start, stop in pairwise(cuts)
    ]
    children = [_start_child(job) for job in jobs[1:]]
    # The others are about as far as this process is.
    shared = None if advance is None else lambda count: advance(count * len(jobs))
    parts = [_read_part(jobs[0], shared)]
    for child in children:
        output, _ = child.communicate()
        if child.returncode != 0:
            parts.append(None)
        else:
            parts.append(json.loads(output))
    return _join(target, parts)


def _start_child(job: dict[str, Any]) -> subprocess.Popen[bytes]:
    """Start this interpreter with arguments made here.

    It is shut off from the working directory, which is often the one that is judged and may hold a
    json.py: the standard library comes first, then this package, then where this process looks.
    """
    places = [_HOME, *filter(os.path.isabs, sys.path)]
    return subprocess.Popen(
        [sys.executable, "-I", "-S", "-c", _CHILD, json.dumps(places), json.dumps(job)],
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        stdin=subprocess.DEVNULL,
    )


def _cuts(fd: int, size: int, parts: int) -> list[int]:
    """Offsets at line starts that divide the file into about equal parts."""
    cuts = [0]
    for index in range(1, parts):
        offset = size * index // parts
        window = os.pread(fd, MAX_LINE + 1, offset)
        found = window.find(b"\n")
        if found >= 0 and offset + found + 1 > cuts[-1]:
            cuts.append(offset + found + 1)
    return [*cuts, size]


def read_part_main(job: str) -> None:
    """The entrance of a child process: one job in, one part out."""
    sys.stdout.write(json.dumps(_read_part(json.loads(job))))


def _read_part(job: dict[str, Any], advance: Advance | None = None) -> dict[str, Any] | None:
    """Read lines between two offsets, believing the first one's place in the chain for now."""
    path = Path(job["path"])
    fd = files.open_for_reading(path)
    reading = Reading()
    chain = Chain(job["session_id"], is_journal=job["is_journal"])
    place = Place(chain, Range(), job["start"], _counting(advance))
    claimed = chain.head
    pieces: list[tuple[int, list[tuple[int, str]]]] = []
    try:
        if job["start"]:
            header = _first_header(fd, job["start"])
            chain.trace_id, claimed = header["trace_id"], header["previous_event_hash"]
            chain.resume(header["sequence"], claimed, ended=False, latest=header["timestamp"])
            place.tree = Range(chain.size)
        begin = chain.size
        _watch(chain, path.parent, reading)
        for mark in [mark for mark in job["marks"] if mark > chain.size]:
            place.read_on(fd, mark, stop=job["stop"])
            if chain.size == mark:
                pieces.append(_piece(place))
                place.tree = Range(mark)
        rest = place.read_on(fd, stop=job["stop"])
        pieces.append(_piece(place))
    except IntegrityError:
        return None
    finally:
        os.close(fd)
    return {
        "begin": begin,
        "claimed": claimed,
        "end": chain.size,
        "head": chain.head,
        "trace_id": chain.trace_id,
        "ended": chain.ended,
        "latest": chain.latest,
        "offset": place.offset,
        "rest": len(rest),
        "pieces": pieces,
        "redacted": reading.redacted,
        "wrong_blob": reading.wrong_blob,
        "types": chain.types,
        "clock_steps": chain.clock_steps,
    }


def _first_header(fd: int, offset: int) -> EventHeader:
    window = os.pread(fd, MAX_LINE + 1, offset)
    return decode(window.partition(b"\n")[0]).header


def _piece(place: Place) -> tuple[int, list[tuple[int, str]]]:
    return place.tree.end, [(level, digest.hex()) for level, digest in place.tree.nodes]


def _join(target: Target, parts: list[dict[str, Any] | None]) -> tuple[Reading, Place] | None:
    reading = Reading(roots={0: EMPTY_ROOT})
    place = Place(target.blank())
    chain, wanted = place.chain, set(target.marks)
    for part in parts:
        if part is None or part["rest"] or part["wrong_blob"] or chain.ended:
            return None
        if part["begin"] != chain.size or part["claimed"] != chain.head:
            return None
        if chain.trace_id not in (None, part["trace_id"]):
            return None
        chain.trace_id = part["trace_id"]
        for end, nodes in part["pieces"]:
            for level, digest in nodes:
                place.tree.push(bytes.fromhex(digest), level)
            if end in wanted:
                reading.roots[end] = place.tree.root()
        chain.resume(part["end"], part["head"], ended=part["ended"], latest=part["latest"])
        place.offset = part["offset"]
        reading.redacted += [(sequence, digest) for sequence, digest in part["redacted"]]
        reading.clock_steps += part["clock_steps"]
        for name, count in part["types"].items():
            reading.types[name] = reading.types.get(name, 0) + count
    reading.size = chain.size
    return reading, place
