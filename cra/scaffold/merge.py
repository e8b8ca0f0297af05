"""A template and a project that was made from it: what each has changed since, and what to do.

The project's cra.template.json has the digest of each file as its template last had it. So a file
that nobody touched is replaced, one that only its owner changed is kept, and one that both changed
is for a person to decide.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from cra.errors import ConfigError, UsageError
from cra.scaffold import init_command
from cra.scaffold.template import Part

RECORD_NAME: Final = "cra.template.json"

# `gone`: its owner has taken it away. `clash`: for a person to decide.
Move: TypeAlias = Literal["create", "gone", "same", "keep", "replace", "clash"]


class Record(NamedTuple):
    """What a project was made from, and the SHA-256 of each file as the template last had it."""

    template: str
    cra_version: str
    answers: Mapping[str, str]
    files: Mapping[str, str]

    def encode(self) -> bytes:
        return (json.dumps(self._asdict(), indent=2, ensure_ascii=False) + "\n").encode()


def read_record(root: Path) -> Record | None:
    """The record of a project; None if it was made from no template. Raises ConfigError."""
    path = root / RECORD_NAME
    if not os.path.lexists(path):
        return None
    try:
        found = json.loads(path.read_bytes())
    except OSError as error:
        raise _no_record(path, f"what cannot be read: {error.strerror}") from None
    except json.JSONDecodeError as error:
        place = f"{path}:{error.lineno}:{error.colno}"
        raise _no_record(path, "what is no JSON from there on", place) from None
    except ValueError:
        raise _no_record(path, "what is no text") from None
    if not _is_record(found):
        raise _no_record(path, "another form")
    return Record(**found)


def digests_of(parts: list[Part]) -> dict[str, str]:
    """The digest of each file as the template has it."""
    return {path: _digest(data) for part in parts for path, data in part.files.items()}


def move_of(
    root: Path, part: Part, record: Record | None, *, brings_back: bool, merges: bool
) -> Move:
    """What becomes of a part of a project."""
    found = {path: _digest(data) for path, data in files_at(root, part).items()}
    new = digests_of([part])
    known = record.files if record is not None else {}
    before = {path: digest for path, digest in known.items() if _is_in(path, part.place)}
    if not found:
        return "gone" if before and not brings_back else "create"
    if found == new:
        return "same"
    if not before:
        return "clash"
    if not merges or new == before:
        return "keep"
    return "replace" if found == before else "clash"


def files_at(root: Path, part: Part) -> dict[str, bytes]:
    """What is in the place of a part now. Raises UsageError for what is of another kind."""
    top = root / part.place
    is_file = part.place in part.files
    if not os.path.lexists(top):
        return {}
    if top.is_file() != is_file or not top.exists():
        wanted = "a file" if is_file else "a directory"
        raise UsageError(
            f"expected {wanted} or nothing, found something else",
            where=str(top),
            fix="move it away, and run this again",
        )
    paths = [top] if is_file else [path for path in sorted(top.rglob("*")) if path.is_file()]
    return {path.relative_to(root).as_posix(): path.read_bytes() for path in paths}


def beside(part: Part) -> Part:
    """A part under the name that it has beside one that is kept."""
    place = f"{part.place}.new"
    return Part(place, {place + path[len(part.place) :]: data for path, data in part.files.items()})


def is_left(root: Path, part: Part, record: Record | None) -> bool:
    """Whether nothing is beside a part, or only what the template has or had when it was recorded:
    no work of its owner's."""
    new = beside(part)
    found = {path: _digest(data) for path, data in files_at(root, new).items()}
    known = record.files if record is not None else {}
    before = {
        new.place + path[len(part.place) :]: digest
        for path, digest in known.items()
        if _is_in(path, part.place)
    }
    return found in ({}, before, digests_of([new]))


def _is_in(path: str, place: str) -> bool:
    return path == place or path.startswith(f"{place}/")


def _digest(data: bytes) -> str:
    return hashlib.sha256(data).hexdigest()


def _is_record(found: Any) -> bool:
    if not isinstance(found, dict) or found.keys() != set(Record._fields):
        return False
    texts = [found["template"], found["cra_version"]]
    for name in ("answers", "files"):
        if not isinstance(found[name], dict):
            return False
        texts += found[name].values()
    return all(isinstance(text, str) for text in texts)


def _no_record(path: Path, found: str, place: str | None = None) -> ConfigError:
    again = init_command(path.parent, "--template", "NAME")
    return ConfigError(
        f"expected what cra init recorded of a template, found {found}",
        where=place or str(path),
        fix=f"bring it back, or remove it and run {again}",
    )
