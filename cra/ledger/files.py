"""The system calls of the ledger: whole writes, atomic replacement, locks that survive a fork.

Everything that reaches the disk goes through here, so that a test can make any call of it fail.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

READ_SIZE: Final = 1 << 20
_NO_FLUSH: Final = frozenset({errno.EINVAL, errno.ENOTSUP, errno.ENOTTY})


def write_all(fd: int, data: bytes) -> None:
    """Write all of data. A short write is not an error to the kernel, only to the next reader."""
    written = os.write(fd, data)
    while written < len(data):
        written += os.write(fd, memoryview(data)[written:])


def read_all(path: Path, limit: int) -> bytes | None:
    """The bytes of a file, or None if there is none. One byte more than the limit shows an
    excess."""
    try:
        fd = open_for_reading(path)
    except FileNotFoundError:
        return None
    try:
        parts = []
        while limit >= 0 and (part := os.read(fd, min(limit + 1, READ_SIZE))):
            parts.append(part)
            limit -= len(part)
        return b"".join(parts)
    finally:
        os.close(fd)


def open_for_reading(path: Path) -> int:
    """Open a regular file. A pipe in its place keeps nobody waiting: it raises OSError.

    A link that leads nowhere is no file, in whichever way it does.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), str(path)) from error
        raise
    if not stat.S_ISREG(os.fstat(fd).st_mode):
        os.close(fd)
        raise OSError(errno.EINVAL, "Not a regular file", str(path))
    return fd


def replace(path: Path, data: bytes, *, suffix: str = ".tmp", durable: bool = True) -> None:
    """Put data at path so that a crash leaves either the old bytes or the new ones; if it need not
    be `durable`, a crash of the system may leave neither.

    Without a lock around it, the suffix of the temporary file has to be the caller's own.
    """
    temporary = stage(path, data, suffix=suffix, durable=durable)
    os.rename(temporary, path)
    if durable:
        sync_directory(path.parent)


def create_once(path: Path, data: bytes) -> bool:
    """Make a file for its owner alone, whole or not at all. Whether it is there now because of
    this call: one that was there is never replaced."""
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    staged = stage(path, data, suffix=f".{os.getpid()}.tmp")
    try:
        os.link(staged, path)
    except FileExistsError:
        return False
    finally:
        remove(staged)
    sync_directory(path.parent)
    return True


def stage(path: Path, data: bytes, *, suffix: str, durable: bool = True) -> Path:
    """Write data to a temporary file beside path."""
    temporary = path.with_name(path.name + suffix)
    fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_TRUNC | os.O_CLOEXEC, 0o600)
    try:
        write_all(fd, data)
        if durable:
            sync(fd)
    except OSError:
        os.close(fd)
        remove(temporary)
        raise
    os.close(fd)
    return temporary


def remove(path: Path) -> None:
    try:
        os.unlink(path)
    except FileNotFoundError:
        return


def make_directory(path: Path) -> None:
    """Make a directory and those above it, each on the disk when this returns."""
    if path.is_dir():
        return
    make_directory(path.parent)
    with suppress(FileExistsError):
        os.mkdir(path)
    sync_directory(path.parent)


def make_ledger_directory(path: Path) -> None:
    """Make the directory of a ledger, with those in it; git ignores all of it."""
    make_directory(path)
    for name in ("locks", "blobs"):
        (path / name).mkdir(exist_ok=True, mode=0o700)
    if not (path / ".gitignore").exists():
        # The locks are in there: until now nobody holds one.
        own = f".{os.getpid()}.{threading.get_ident()}.tmp"
        replace(path / ".gitignore", b"*\n", suffix=own)


def sync_data(fd: int) -> None:
    """Return when the data of a file is on the disk."""
    if not _is_flushed(fd):
        os.fdatasync(fd)


def sync(fd: int) -> None:
    """Return when a file or a directory is on the disk."""
    if not _is_flushed(fd):
        os.fsync(fd)


def _is_flushed(fd: int) -> bool:
    """Whether the disk has emptied its own cache. On macOS it has to be asked to: fsync stops short
    of that there, and there is no fdatasync."""
    flush = getattr(fcntl, "F_FULLFSYNC", None)
    if flush is None:
        return False
    try:
        fcntl.fcntl(fd, flush)
    except OSError as error:
        if error.errno not in _NO_FLUSH:
            raise
        # A file system that knows of no such cache, over a network say.
        os.fsync(fd)
    return True


def sync_directory(path: Path) -> None:
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        sync(fd)
    finally:
        os.close(fd)


def open_for_append(path: Path, *, create: bool) -> int:
    flags = os.O_RDWR | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
    return os.open(path, flags | (os.O_CREAT if create else 0), 0o600)


def open_lock(path: Path) -> int:
    return os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)


def lock(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_EX)


def unlock(fd: int) -> None:
    fcntl.flock(fd, fcntl.LOCK_UN)


@contextmanager
def exclusive_lock(path: Path) -> Iterator[None]:
    fd = open_lock(path)
    try:
        lock(fd)
        yield
    finally:
        _let_go(fd)


@contextmanager
def shared_lock(path: Path) -> Iterator[bool]:
    """Wait for writers for as long as they hold the lock; False where no lock can be had.

    It opens an existing file for reading only, so a reader leaves no trace in the project.
    """
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except OSError:
        yield False
        return
    try:
        fcntl.flock(fd, fcntl.LOCK_SH)
        yield True
    finally:
        _let_go(fd)


def _let_go(fd: int) -> None:
    """Unlock and close: a child forked meanwhile holds the descriptor too, so that closing alone
    would not let go; and closing does where unlocking fails."""
    try:
        with suppress(OSError):
            unlock(fd)
    finally:
        os.close(fd)


def boot_id() -> str:
    """What tells one run of this machine's kernel from the next; empty where nothing does."""
    data = read_all(Path("/proc/sys/kernel/random/boot_id"), 64)
    return data.decode().strip() if data else ""
