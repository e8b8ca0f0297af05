"""The files of an atlas, read once from a directory or a zip file, and the digest that names them.

The tree digest is the SHA-256, in lower-case hex, of these bytes:

    "cra atlas tree 1" LF
    for each file, in the order of the UTF-8 bytes of its path:
        length of the path       8 bytes, big-endian
        path                     UTF-8, relative, segments separated by `/`
        length of the contents   8 bytes, big-endian
        contents

Directories, modes and times are no part of it: a directory and a zip file of the same files have
the same digest. What `IGNORED` names is not read, is no part of the digest, and can never run.
"""

from __future__ import annotations

import errno
import hashlib
import os
import shlex
import stat
import unicodedata
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from io import BytesIO
from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

from cra.errors import AtlasError, Fault

if TYPE_CHECKING:
    from zipfile import ZipFile, ZipInfo

# What tools leave behind, by the exact name of a file or directory at any depth.
IGNORED: Final = frozenset(
    {".DS_Store", ".git", ".hg", ".svn", "Thumbs.db", "__MACOSX", "__pycache__"}
)
MAX_FILES: Final = 10_000
MAX_TOTAL_BYTES: Final = 64 << 20
MAX_NAME_BYTES: Final = 255
MAX_PATH_BYTES: Final = 1024
MAX_FOLDERS_DEEP: Final = 32
# A zip file may unpack to this much, and to so many times its own size beyond that.
_FREE_BYTES: Final = 1 << 20
_MAX_RATIO: Final = 100
# A link is refused, and a pipe keeps nobody waiting.
_FLAGS: Final = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
_DIGEST_DOMAIN: Final = b"cra atlas tree 1\n"
_CENTRAL_ENTRY: Final = b"PK\x01\x02"
_EMPTY: Final = frozenset({"", ".", ".."})
_ENCRYPTED: Final = 0x41
_UTF_8_NAME: Final = 0x800


class Package(NamedTuple):
    """Every file by its path, and their digest."""

    files: Mapping[str, bytes]
    digest: str


def read_package(path: Path) -> Package:
    """The package at path. Raises AtlasError for what no package may hold.

    Links are never followed, and a file that is exchanged while it is read gains nothing: each is
    opened below the descriptor of its directory and judged by its own descriptor.
    """
    with _mapping_errors(path):
        try:
            fd = os.open(path, _FLAGS)
        except FileNotFoundError:
            raise _absent(path) from None
        try:
            mode = os.fstat(fd).st_mode
            if stat.S_ISDIR(mode):
                return _package(path, _files_below(path, fd))
            if stat.S_ISREG(mode):
                return _package(path, _files_packed(path, _read_open(path, fd, MAX_TOTAL_BYTES)))
        finally:
            os.close(fd)
    raise _refused(path, "", "a directory or a zip file", "something else")


def package_at(project: Path, source: str, atlas_id: str | None = None) -> Package:
    """The package of an atlas that a project names; `atlas_id` if it is pinned. Raises AtlasError,
    also for one that is gone."""
    place = project / source
    if os.path.lexists(place):
        return read_package(place)
    named = f"the atlas {atlas_id}" if atlas_id else "an atlas that the configuration lists"
    way_out = (
        f"cra atlas remove {atlas_id}"
        if atlas_id
        else f'take "{source}" out of `atlases` in cra.config.json'
    )
    raise AtlasError(
        Fault.DANGLING,
        f"expected {named} at {source}, found nothing there",
        where=str(place),
        fix=f"{way_out}, or put it there",
    )


def read_file(path: Path, limit: int) -> bytes | None:
    """The bytes of one regular file; None if there is none. Raises AtlasError."""
    with _mapping_errors(path):
        try:
            fd = os.open(path, _FLAGS)
        except FileNotFoundError:
            return None
        try:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                raise _refused(path, "", "a file", "something else")
            return _read_open(path, fd, limit)
        finally:
            os.close(fd)


def package_of(files: Mapping[str, bytes]) -> Package:
    """The package of files that are in memory, held to the same rules."""
    return _package(Path("atlas"), iter(files.items()))


def digest_of(files: Mapping[str, bytes]) -> str:
    """The tree digest."""
    digest = hashlib.sha256(_DIGEST_DOMAIN)
    for name, data in sorted((name.encode(), data) for name, data in files.items()):
        digest.update(len(name).to_bytes(8) + name + len(data).to_bytes(8))
        digest.update(data)
    return digest.hexdigest()


def _package(place: Path, found: Iterator[tuple[str, bytes]]) -> Package:
    """Files gathered under the limits, each by one name however a file system spells it."""
    files: dict[str, bytes] = {}
    seen: dict[str, str] = {}
    total = 0
    for name, data in found:
        fault = _fault_of_name(name)
        if fault is not None:
            raise _refused(place, name, *fault)
        if name in files:
            raise _refused(place, name, "each file once", "it again")
        _refuse_twins(place, name, seen)
        total += len(data)
        if len(files) == MAX_FILES:
            raise _refused(place, "", f"at most {MAX_FILES} files", "more")
        if total > MAX_TOTAL_BYTES:
            raise _refused(place, "", f"at most {MAX_TOTAL_BYTES} bytes in all", "more")
        files[name] = data
    folders = {name[:at] for name in files for at, char in enumerate(name) if char == "/"}
    for name in sorted(folders & files.keys()):
        raise _refused(place, name, "a file or a directory", "both under one name")
    ordered = dict(sorted(files.items()))
    return Package(ordered, digest_of(ordered))


def _fault_of_name(name: str) -> tuple[str, str] | None:
    """What a path has to be, and what it is, if it may not be a path of a package."""
    segments = name.split("/")
    # Controls, invisible characters that turn the reading order, surrogates, line separators.
    if any(unicodedata.category(char) in ("Cc", "Cf", "Cs", "Zl", "Zp") for char in name):
        return "a path of visible characters in UTF-8", "others"
    longest = max(len(segment.encode()) for segment in segments)
    faults = (
        (name.startswith("/"), "a relative path", "an absolute one"),
        ("\\" in name, "a path with / between names", "a backslash"),
        (not _EMPTY.isdisjoint(segments), "a path of names", "an empty one, . or .."),
        (len(segments) > MAX_FOLDERS_DEEP, f"at most {MAX_FOLDERS_DEEP} names in a path", "more"),
        (longest > MAX_NAME_BYTES, f"names of at most {MAX_NAME_BYTES} bytes", f"{longest} bytes"),
        (len(name.encode()) > MAX_PATH_BYTES, f"a path of at most {MAX_PATH_BYTES} bytes", "more"),
    )
    return next(((expected, found) for wrong, expected, found in faults if wrong), None)


def _refuse_twins(place: Path, name: str, seen: dict[str, str]) -> None:
    """No two names, of files or directories, may be one where case or composition is not told
    apart: what such a file system holds would depend on the order of writing."""
    at = 0
    while at != len(name):
        at = name.find("/", at + 1)
        at = len(name) if at == -1 else at
        part = name[:at]
        known = seen.setdefault(_folded(part), part)
        if known != part:
            raise _refused(place, name, "names that differ beyond case and accents", f"{known} too")


def _folded(name: str) -> str:
    if name.isascii():
        return name.lower()
    return unicodedata.normalize("NFC", unicodedata.normalize("NFD", name).casefold())


# Directories


def _files_below(place: Path, fd: int, prefix: str = "") -> Iterator[tuple[str, bytes]]:
    with os.scandir(fd) as entries:
        # Folders count as well, so that empty ones cannot be without end.
        found = [entry for entry, _ in zip(entries, range(2 * MAX_FILES + 1), strict=False)]
    if len(found) > 2 * MAX_FILES:
        raise _refused(place, prefix, f"at most {MAX_FILES} files", "more")
    for entry in sorted(found, key=lambda entry: entry.name):
        name = prefix + entry.name
        if entry.name in IGNORED:
            continue
        fault = _fault_of_name(name)
        if fault is not None:
            raise _refused(place, name, *fault)
        # Asked before opening, for opening a device can already do something.
        if not (entry.is_file(follow_symlinks=False) or entry.is_dir(follow_symlinks=False)):
            raise _refused(place, name, "a file or a directory", _kind_of(entry))
        yield from _files_at(place, fd, entry.name, name)


def _files_at(place: Path, parent: int, entry: str, name: str) -> Iterator[tuple[str, bytes]]:
    with _mapping_errors(place / name):
        fd = os.open(entry, _FLAGS, dir_fd=parent)
        try:
            mode = os.fstat(fd).st_mode
            if stat.S_ISDIR(mode):
                yield from _files_below(place, fd, f"{name}/")
            elif stat.S_ISREG(mode):
                yield name, _read_open(place / name, fd, MAX_TOTAL_BYTES)
            else:
                raise _refused(place, name, "a file or a directory", "something else")
        finally:
            os.close(fd)


def _kind_of(entry: os.DirEntry[str]) -> str:
    return "a link" if entry.is_symlink() else "a device, a pipe or a socket"


def _read_open(path: Path, fd: int, size: int) -> bytes:
    parts = []
    left = size
    while part := os.read(fd, 1 << 20):
        parts.append(part)
        left -= len(part)
        if left < 0:
            raise _refused(path, "", f"at most {size} bytes", "more")
    return b"".join(parts)


# Zip files


def _files_packed(place: Path, packed: bytes) -> Iterator[tuple[str, bytes]]:
    import struct
    import zipfile  # takes 8 ms, and most atlases are directories
    import zlib

    # Counted before zipfile makes an object of each entry.
    if packed.count(_CENTRAL_ENTRY) > 2 * MAX_FILES:
        raise _refused(place, "", f"at most {MAX_FILES} files", "more")
    left = min(MAX_TOTAL_BYTES, _FREE_BYTES + _MAX_RATIO * len(packed))
    try:
        with zipfile.ZipFile(BytesIO(packed)) as archive:
            for member in archive.infolist():
                name = _name_of_member(place, member)
                if name is None:
                    continue
                data = _unpacked(place, archive, member, left)
                left -= len(data)
                yield name, data
    except (zipfile.BadZipFile, zlib.error, struct.error, EOFError, ValueError) as error:
        raise _refused(place, "", "a whole zip file", str(error) or "a cut one") from None
    except (NotImplementedError, RuntimeError, OverflowError) as error:
        raise _refused(place, "", "a plain zip file", str(error)) from None


def _name_of_member(place: Path, member: ZipInfo) -> str | None:
    """The path of a member that is a file; None for a directory and for what is ignored."""
    name = member.orig_filename
    if name != member.filename or not (name.isascii() or member.flag_bits & _UTF_8_NAME):
        raise _refused(place, member.filename, "a name that is read in one way", "several ways")
    if not IGNORED.isdisjoint(name.split("/")):
        return None
    if member.flag_bits & _ENCRYPTED:
        raise _refused(place, name, "a readable member", "an encrypted one")
    kind = stat.S_IFMT(member.external_attr >> 16)
    is_folder = name.endswith("/")
    if kind not in (0, stat.S_IFDIR if is_folder else stat.S_IFREG):
        found = "a link" if kind == stat.S_IFLNK else "something else"
        raise _refused(place, name, "a file or a directory", found)
    if not is_folder:
        return name
    fault = _fault_of_name(name.removesuffix("/"))
    if fault is not None:
        raise _refused(place, name, *fault)
    return None


def _unpacked(place: Path, archive: ZipFile, member: ZipInfo, left: int) -> bytes:
    with archive.open(member) as stream:
        # One byte more than may come; what the archive says of sizes is not believed.
        data = stream.read(left + 1)
    if len(data) > left:
        name = member.filename
        raise _refused(place, name, f"{left} bytes at most from here on", "more")
    return data


@contextmanager
def _mapping_errors(path: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        if error.errno == errno.ELOOP:
            raise _refused(path, "", "a file or a directory", "a link") from None
        found = error.strerror or str(error)
        raise _refused(path, "", "readable files", f"{found[:1].lower()}{found[1:]}") from None


def _absent(path: Path) -> AtlasError:
    return AtlasError(
        Fault.DANGLING,
        "expected an atlas, a directory or a zip file, found nothing there",
        where=str(path),
        fix=f"cra atlas create {shlex.quote(str(path))} begins one",
    )


def _refused(place: Path, name: str, expected: str, found: str) -> AtlasError:
    shown = f"{name!r}: " if name else ""
    return AtlasError(
        Fault.BAD_PACKAGE, f"{shown}expected {expected}, found {found}", where=str(place)
    )
