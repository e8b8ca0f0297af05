"""A disk that is full is a clear error; nothing is corrupted, and with room again all goes on."""

from __future__ import annotations

import json
import os
import subprocess
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path

import pytest

from cra.errors import WriteFailed
from cra.ledger.keys import create_key
from cra.ledger.store import Session

from .children import start_child
from .harness import Promise, Promises, Site, assert_intact, assert_recorded, assert_settled, signer
from .payloads import DENIED, LARGE


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A file system of 512 KiB."""
    place = tmp_path / "disk"
    place.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=512k", "none", str(place)]
    try:
        done = subprocess.run(mount, capture_output=True, text=True, check=False)
    except FileNotFoundError:
        pytest.skip("there is no mount command")
    if done.returncode:
        pytest.skip(f"mounting is not permitted: {done.stderr.strip()}")
    yield place
    subprocess.run(["umount", "--lazy", str(place)], check=True)


def one_by_one(session: Session, promises: Promises) -> None:
    promises.add(session, session.append("action.denied", DENIED))


def in_batches(session: Session, promises: Promises) -> None:
    with session.batch():
        receipts = [session.append("action.denied", DENIED) for _ in range(50)]
    promises.add(session, *receipts)


def with_blobs(session: Session, promises: Promises) -> None:
    promises.add(session, session.append("action.executed", LARGE))


def with_barriers(session: Session, promises: Promises) -> None:
    one_by_one(session, promises)
    session.barrier()


WAYS = [one_by_one, in_batches, with_blobs, with_barriers]


def fill(session: Session, promises: Promises, way: Callable[[Session, Promises], None]) -> None:
    for _ in range(10_000):
        way(session, promises)


def use_up(disk: Path) -> Path:
    """Leave no room at all; the file that takes it is the answer."""
    filler = disk / "filler"
    with suppress(OSError), filler.open("wb", 0) as file:
        while True:
            file.write(bytes(512))
    return filler


@pytest.mark.parametrize("way", WAYS, ids=[way.__name__ for way in WAYS])
def test_a_full_disk_fails_the_append_and_nothing_else(small_disk, way):
    site, promises = Site(small_disk, signer()), Promises()
    reserve = small_disk / "reserve"
    reserve.write_bytes(bytes(100_000))
    ledger = site.open()
    session = ledger.start_session("agent")

    with pytest.raises(WriteFailed, match="No space left"):
        fill(session, promises, way)
    promises.assert_kept(site)
    assert_intact(site.verify())

    reserve.unlink()
    for _ in range(3):
        one_by_one(session, promises)
    session.barrier()
    session.end()
    ledger.close()
    promises.assert_kept(site)
    assert_settled(site.verify())


def test_a_full_disk_keeps_the_background_from_nothing_for_good(small_disk):
    """While it is full, events may be without a checkpoint; with room again they get one."""
    site = Site(small_disk, signer())
    ledger = site.open()
    session = ledger.start_session("agent")
    session.append("action.denied", DENIED)
    filler = use_up(small_disk)
    # The background thread wakes up and finds no room for a checkpoint.
    session.sync()

    filler.unlink()
    session.append("action.denied", DENIED)
    session.barrier()
    ledger.close()

    assert_settled(site.verify())


def test_a_session_cannot_be_started_on_a_full_disk_and_can_be_with_room_again(small_disk):
    site = Site(small_disk, signer())
    ledger = site.open()
    filler = use_up(small_disk)

    with pytest.raises(WriteFailed):
        ledger.start_session("agent")
    assert_intact(site.verify())

    filler.unlink()
    ledger.start_session("agent").append("action.denied", DENIED)
    ledger.close()
    assert_settled(site.verify())


def test_what_could_not_be_begun_keeps_no_file_open(small_disk):
    site = Site(small_disk, signer())
    ledger = site.open()
    use_up(small_disk)
    before = len(os.listdir("/proc/self/fd"))

    for _ in range(20):
        with pytest.raises(WriteFailed):
            ledger.start_session("agent")

    assert len(os.listdir("/proc/self/fd")) == before


def test_a_ledger_begun_on_a_full_disk_is_ignored_by_git_in_the_end(small_disk):
    site = Site(small_disk, signer())
    filler = use_up(small_disk)
    with pytest.raises(WriteFailed):
        site.open()

    filler.unlink()
    site.open().close()

    assert (site.directory / ".gitignore").read_text() == "*\n"


def test_a_file_size_limit_fails_the_append_and_nothing_else(tmp_path):
    """EFBIG, in a process that ignores the signal; then the limit is raised."""
    key = tmp_path / "keys" / "ledger.key"
    site = Site(tmp_path / "site", create_key(key))
    child = start_child("limited_child", site.directory, key)
    output, complaint = child.communicate(timeout=60)
    assert child.returncode == 0, complaint.decode()

    found = json.loads(output)

    assert "File too large" in found["error"]
    assert found["kind"] == "WriteFailed"
    assert_recorded(site, [Promise(*promise) for promise in found["promises"]])
    assert_settled(site.verify())
