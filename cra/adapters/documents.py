"""A folder of documents as context packs: one for each file of text, named by its heading."""

from __future__ import annotations

import os
import re
import unicodedata
from collections import defaultdict
from collections.abc import Iterator, Mapping
from itertools import pairwise
from pathlib import Path
from shlex import quote
from typing import Any, Final, NamedTuple

from cra.adapters.imported import ROOM, Imported, Mention, line_of
from cra.atlas.package import IGNORED, read_file
from cra.errors import AtlasError, UsageError

SUFFIXES: Final = (".md", ".rst", ".txt")
# What is eight times as long as what a resolution has room for is a book, no context.
_MAX_BYTES: Final = 256 << 10
_MAX_TOTAL: Final = 16 << 20
_MAX_FILES: Final = 1_000
_MAX_ENTRIES: Final = 20_000
_MAX_DEEP: Final = 24
_MAX_PATH: Final = 512
_UNDERLINES: Final = frozenset("=-~^\"'`*+#.:_")
_CONTROL: Final = frozenset(range(32)) - frozenset(b"\t\n\r\f")


class FolderText(NamedTuple):
    """A file of text, by its path in the folder."""

    path: str
    data: bytes


def read_folder(folder: Path) -> tuple[list[FolderText], list[Mention]]:
    """The documents below a folder, in the order of their paths, and what is no document.

    No link is followed. Raises UsageError.
    """
    if not folder.is_dir():
        found = "a file" if folder.exists() else "no such directory"
        raise UsageError(
            f"expected a directory of documents, found {found}",
            where=str(folder),
            fix=f"--from-docs {quote(str(folder.parent))}" if folder.exists() else "name another",
        )
    documents: list[FolderText] = []
    left_out: list[Mention] = []
    total = 0
    for path, wrong in _entries(folder, "", 0, [_MAX_ENTRIES]):
        data, flaw = (b"", wrong) if wrong else _read(folder / path)
        if flaw is not None:
            left_out.append(Mention(path, flaw))
            continue
        total += len(data)
        if len(documents) == _MAX_FILES or total > _MAX_TOTAL:
            raise UsageError(
                f"expected at most {_MAX_FILES} documents of {_MAX_TOTAL >> 20} MiB, found more",
                where=str(folder),
                fix="make an atlas of each part of the folder",
            )
        documents.append(FolderText(path, data))
    return documents, left_out


def imported_documents(
    documents: list[FolderText], left_out: list[Mention], *, title: str, prefix: str
) -> Imported:
    """Packs of documents, and a capability for each folder that holds some."""
    packs: list[dict[str, Any]] = []
    files: dict[str, bytes] = {}
    folders: dict[str, list[str]] = defaultdict(list)
    reduced: list[Mention] = []
    left_out = list(left_out)
    seen: dict[str, str] = {}
    for path, data in documents:
        known = seen.setdefault(unicodedata.normalize("NFC", path.casefold()), path)
        if known != path:
            left_out.append(Mention(path, f"its name differs from {known} in case or accents only"))
            continue
        if len(data) > ROOM:
            reduced.append(Mention(path, f"beyond {ROOM} bytes: an agent is given its beginning"))
        folder, _, name = path.rpartition("/")
        stem = name.rpartition(".")[0]
        files[f"context/{path}"] = data
        heading = line_of(_heading(data.decode(), name)) or line_of(stem)
        pack: dict[str, Any] = {
            "pack_id": path,
            "name": heading,
            # What a resolution shows of a pack.
            "purpose": f"Documentation: {heading}",
            "files": [f"context/{path}"],
        }
        packs.append(pack)
        folders[folder].append(path)
    return Imported(
        title=f"Documents: {title}",
        context_packs=tuple(packs),
        capabilities=tuple(_capabilities(folders, title, prefix)),
        files=files,
        remarks=(
            "Each document is a context pack of its own, named by its first heading. None has a "
            "priority, which would count for more than what a goal is about.",
            "Each folder is a capability that its documents belong to.",
        ),
        reduced=tuple(reduced),
        left_out=tuple(left_out),
    )


def _capabilities(
    folders: Mapping[str, list[str]], title: str, prefix: str
) -> Iterator[dict[str, Any]]:
    taken: set[str] = set()
    for folder, paths in folders.items():
        words = re.sub("[^a-z0-9/]+", "_", folder.lower()).strip("_/") or "documents"
        capability_id = f"{prefix}.{words}"[:200]
        if capability_id in taken:
            capability_id = f"{capability_id}_{len(taken)}"
        taken.add(capability_id)
        name = line_of(folder.replace("/", ", ")) or title
        yield {"capability_id": capability_id, "name": name, "context_packs": paths}


def _entries(
    folder: Path, prefix: str, deep: int, left: list[int]
) -> Iterator[tuple[str, str | None]]:
    """The path of each file, and why it is no document if that shows without reading it."""
    with os.scandir(folder) as found:
        entries = []
        for entry in found:
            left[0] -= 1
            if left[0] < 0:
                raise UsageError(
                    f"expected at most {_MAX_ENTRIES} files, found more", where=str(folder)
                )
            entries.append(entry)
    for entry in sorted(entries, key=lambda entry: entry.name):
        path = prefix + entry.name
        flaw = _flaw_of_entry(entry, path)
        if flaw is None and entry.is_dir(follow_symlinks=False):
            if deep == _MAX_DEEP:
                yield path, f"more than {_MAX_DEEP} folders deep"
            else:
                yield from _entries(folder / entry.name, f"{path}/", deep + 1, left)
        else:
            yield path, flaw


def _flaw_of_entry(entry: os.DirEntry[str], path: str) -> str | None:
    is_folder = entry.is_dir(follow_symlinks=False)
    categories = {unicodedata.category(char) for char in entry.name}
    is_visible = categories.isdisjoint({"Cc", "Cf", "Cs", "Zl", "Zp"})
    is_text = entry.name.lower().endswith(SUFFIXES)
    flaws = (
        (entry.name.startswith(".") or entry.name in IGNORED, "hidden"),
        (entry.is_symlink(), "a link, which may lead elsewhere"),
        (not is_visible or "\\" in entry.name, "characters that no name in an atlas has"),
        (len(os.fsencode(path)) > _MAX_PATH, f"a path longer than {_MAX_PATH} bytes"),
        (not is_folder and not entry.is_file(follow_symlinks=False), "no file"),
        (not is_folder and not is_text, "none of " + ", ".join(f"*{one}" for one in SUFFIXES)),
    )
    return next((words for is_wrong, words in flaws if is_wrong), None)


def _read(path: Path) -> tuple[bytes, str | None]:
    """The bytes of a document, or why they are none."""
    try:
        data = read_file(path, _MAX_BYTES) or b""
    except AtlasError as error:
        return b"", error.message
    try:
        text = data.decode()
    except UnicodeDecodeError:
        return b"", "no UTF-8"
    if not _CONTROL.isdisjoint(data):
        return b"", "binary: it has control characters"
    return data, None if text.strip() else "empty"


def _heading(text: str, name: str) -> str:
    """The first heading of a document; nothing if it has none."""
    lines = text.removeprefix("\ufeff").split("\n")
    is_code = False
    for line, below in pairwise([*_body(lines), ""]):
        if line.lstrip().startswith("```"):
            is_code = not is_code
        elif is_code:
            continue
        hashes = line.lstrip("#")
        if line.startswith("#") and hashes[:1] in (" ", "\t") and not name.endswith(".txt"):
            return hashes.strip(" \t#\r")
        if line.strip() and not _is_underline(line) and _is_underline(below):
            return line
    return ""


def _body(lines: list[str]) -> list[str]:
    """The lines after the settings that some generators of sites want at the top."""
    if lines[0].rstrip() != "---":
        return lines
    ends = [at for at, line in enumerate(lines) if at and line.rstrip() == "---"]
    return lines[ends[0] + 1 :] if ends else lines


def _is_underline(line: str) -> bool:
    marks = line.rstrip()
    return len(marks) > 2 and marks[0] in _UNDERLINES and len(set(marks)) == 1
