"""Files below a directory of the project: read, written, listed.

Each directory on the way is opened in the one above it, and no link is followed: what is swapped
meanwhile cannot lead elsewhere.
"""

from __future__ import annotations

import errno
import heapq
import os
import re
import stat
import unicodedata
from base64 import b64encode
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Any, Final

from cra.atlas.model import RESERVED, RESERVED_AT_TOP, FileExecutor
from cra.runtime.executors.template import fill, text_of
from cra.runtime.executors.work import (
    Done,
    FailureCode,
    Outcome,
    Stopped,
    Work,
    text_or_bytes,
)

_MAX_ENTRIES: Final = 1_000
_DIRECTORY: Final = os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC
_CODES: Final[Mapping[int, FailureCode]] = {
    errno.ENOENT: "not_found",
    errno.EFBIG: "too_large",
    errno.ENOSPC: "too_large",
    errno.EDQUOT: "too_large",
}


def run(executor: FileExecutor, work: Work) -> Outcome:
    root = _parts(executor.root)
    path = _parts(_path(executor.path, work.arguments))
    where = "/".join((*root, *path)) or "."
    if _is_protected((*root, *path), work.protected):
        raise Stopped("refused", f"expected a file of the project's work, found {where}: cra's own")
    try:
        with _directory(work.project, root) as top:
            if executor.operation == "read":
                return _read(top, path, executor.max_bytes)
            if executor.operation == "write":
                return _write(top, path, _content(executor, work.arguments))
            return _list(
                top, path, lambda name: _is_protected((*root, *path, name), work.protected)
            )
    except OSError as error:
        found = os.strerror(error.errno or 0)
        code = _CODES.get(error.errno or 0, "refused")
        raise Stopped(code, f"expected to {executor.operation} {where}, found: {found}") from None


def _path(template: str, arguments: Mapping[str, Any]) -> str:
    """A value that is the whole path may have directories; one that is a part of it has none."""
    is_whole = re.fullmatch(r"\{[^{}]*\}", template) is not None

    def value(name: str) -> str:
        text = text_of(arguments, name)
        if "/" in text and not is_whole:
            raise Stopped("refused", f"expected a value of {name} without /, found {text!r:.80}")
        return text

    return fill(template, value)


def _parts(path: str) -> tuple[str, ...]:
    """The names that a relative path is made of; `.` has none."""
    if path == ".":
        return ()
    parts = tuple(path.split("/"))
    if any(part in ("", ".", "..") for part in parts):
        raise Stopped("refused", f"expected a relative path without .., found {path!r:.80}")
    # Controls, formats (which a file system may ignore), halves of surrogate pairs, line ends.
    if any(unicodedata.category(mark) in ("Cc", "Cf", "Cs", "Zl", "Zp") for mark in path):
        raise Stopped("refused", f"expected a path of visible characters, found {path!r:.80}")
    return parts


def _is_protected(parts: tuple[str, ...], protected: tuple[str, ...]) -> bool:
    """Whether a path of the project is one that only cra and its user change, or is below one.

    Compared as a file system that knows no case, and no two spellings of a letter, compares.
    """
    folded = [_folded(part) for part in parts]
    if not RESERVED.isdisjoint(folded) or not RESERVED_AT_TOP.isdisjoint(folded[:1]):
        return True
    for path in protected:
        beginning = [_folded(part) for part in path.split("/") if part not in ("", ".")]
        if folded[: len(beginning)] == beginning:
            return True
    return False


def _folded(name: str) -> str:
    return unicodedata.normalize("NFKC", unicodedata.normalize("NFKC", name).casefold())


@contextmanager
def _directory(start: Path | int, parts: tuple[str, ...], *, make: bool = False) -> Iterator[int]:
    """A directory below another one, opened name by name and never through a link."""
    current = os.open(start, _DIRECTORY) if isinstance(start, Path) else os.dup(start)
    try:
        for name in parts:
            if make:
                with suppress(FileExistsError):
                    os.mkdir(name, 0o755, dir_fd=current)
            following = os.open(name, _DIRECTORY, dir_fd=current)
            os.close(current)
            current = following
        yield current
    finally:
        os.close(current)


def _read(top: int, path: tuple[str, ...], limit: int) -> Done:
    """Text if the bytes are UTF-8, else base64."""
    *above, name = _to_a_file(path)
    with _directory(top, tuple(above)) as directory:
        # A pipe keeps nobody waiting.
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
        fd = os.open(name, flags, dir_fd=directory)
    with os.fdopen(fd, "rb") as file:
        found = os.fstat(fd)
        if not stat.S_ISREG(found.st_mode):
            raise Stopped("refused", f"expected a file, found something else: {name!r:.80}")
        if found.st_nlink > 1:
            # The other name may be that of a protected file.
            raise Stopped(
                "refused", f"expected a file of one name, found links to it: {name!r:.80}"
            )
        data = file.read(limit + 1)
    if len(data) > limit:
        raise Stopped("too_large", f"expected at most {limit} bytes, found more in {name!r:.80}")
    content = text_or_bytes(data)
    if isinstance(content, str):
        return Done({"encoding": "utf-8", "content": content, "bytes": len(data)})
    return Done({"encoding": "base64", "content": b64encode(data).decode(), "bytes": len(data)})


def _write(top: int, path: tuple[str, ...], data: bytes) -> Done:
    """All of it or nothing, however the machine stops."""
    *above, name = _to_a_file(path)
    with _directory(top, tuple(above), make=True) as directory:
        is_new = _is_new(directory, name)
        temporary = f".cra-{os.urandom(8).hex()}.tmp"
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        fd = os.open(temporary, flags, 0o600, dir_fd=directory)
        try:
            with os.fdopen(fd, "wb") as file:
                file.write(data)
                file.flush()
                os.fchmod(fd, 0o644)
                os.fsync(fd)
            # A link that has come into the file's place meanwhile is replaced, not followed.
            os.rename(temporary, name, src_dir_fd=directory, dst_dir_fd=directory)
        except BaseException:
            with suppress(FileNotFoundError):
                os.unlink(temporary, dir_fd=directory)
            raise
        os.fsync(directory)
    return Done({"bytes": len(data), "created": is_new})


def _is_new(directory: int, name: str) -> bool:
    try:
        found = os.stat(name, dir_fd=directory, follow_symlinks=False)
    except FileNotFoundError:
        return True
    if not stat.S_ISREG(found.st_mode):
        raise Stopped("refused", f"expected a file or none, found something else: {name!r:.80}")
    return False


def _list(top: int, path: tuple[str, ...], is_hidden: Callable[[str], bool]) -> Done:
    """The first names in order; links and what is neither file nor directory are `other`."""
    with _directory(top, path) as directory, os.scandir(directory) as entries:
        kinds = {entry.name: _kind_of(entry) for entry in entries if not is_hidden(entry.name)}
    names = heapq.nsmallest(_MAX_ENTRIES, kinds)
    listed = [{"name": name, "type": kinds[name]} for name in names]
    return Done({"entries": listed, "total": len(kinds)})


def _kind_of(entry: os.DirEntry[str]) -> str:
    if entry.is_file(follow_symlinks=False):
        return "file"
    return "directory" if entry.is_dir(follow_symlinks=False) else "other"


def _to_a_file(path: tuple[str, ...]) -> tuple[str, ...]:
    if not path:
        raise Stopped("refused", "expected the path of a file, found that of the directory")
    return path


def _content(executor: FileExecutor, arguments: Mapping[str, Any]) -> bytes:
    text = arguments.get(executor.content)
    if not isinstance(text, str):
        raise Stopped("refused", f"expected text as {executor.content}, found none")
    data = text.encode()
    if len(data) > executor.max_bytes:
        raise Stopped(
            "too_large", f"expected at most {executor.max_bytes} bytes, found {len(data)}"
        )
    return data
