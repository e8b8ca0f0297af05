"""What a writer does about bytes that a crash left behind; nothing is lost, all of it is recorded.

Everything here is done under the chain's lock, beyond its checkpoint.
"""

from __future__ import annotations

import os
from hashlib import sha256
from pathlib import Path

from cra.errors import IntegrityError
from cra.ledger import files
from cra.ledger.chain import MAX_LINE, decode
from cra.ledger.place import Lines, Place
from cra.protocol.events import Removed


def complete_line(fd: int, place: Place, rest: bytes) -> bool:
    """Add the LF that a last line lacks, if that makes it the next event; otherwise do nothing."""
    try:
        place.chain.copy().check(rest)
    except IntegrityError:
        return False
    files.write_all(fd, b"\n")
    place.read_on(fd)
    return True


def cut(fd: int, place: Place, path: Path) -> Removed:
    """Cut the file off at a place, keeping what is cut beside it under the name in the answer."""
    digest = sha256()
    total = 0
    kept = path.with_name(f"{path.name.removesuffix('.trace.jsonl')}.removed-{place.offset}")
    copy = os.open(kept, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        while data := os.pread(fd, files.READ_SIZE, place.offset + total):
            digest.update(data)
            files.write_all(copy, data)
            total += len(data)
        files.sync(copy)
    finally:
        os.close(copy)
    name = f"{kept.name}-{digest.hexdigest()[:8]}"
    os.rename(kept, kept.with_name(name))
    files.sync_directory(path.parent)
    os.ftruncate(fd, place.offset)
    files.sync_data(fd)
    return {
        "offset": place.offset,
        "bytes": total,
        "sha256": digest.hexdigest(),
        "kept_as": name,
    }


def is_unborn(fd: int, place: Place) -> bool:
    """Whether all there is can be what a crash made of event 0, which nobody was told of."""
    return place.chain.size == 0 and os.fstat(fd).st_size <= MAX_LINE


def has_rebooted(fd: int, place: Place) -> bool:
    """Whether the machine restarted since the chain last said on which boot it was written."""
    last = ""
    for lines in Lines(fd, 0, place.offset):
        for line in lines:
            if not last or b'"event_type":"ledger.recovered"' in line:
                payload = decode(line).payload or {}
                last = payload.get("boot_id", last)
    return bool(last) and last != files.boot_id()
