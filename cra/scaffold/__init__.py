"""What `cra init` and `cra atlas create` put into a directory, and the user's key."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cra.atlas.lock import LOCK_NAME
from cra.config import FILE_NAME, UserDirs
from cra.errors import UsageError
from cra.scaffold.render import render
from cra.scaffold.undo import Undo, undoing

if TYPE_CHECKING:
    from cra.ledger.checkpoint import Signer

AGENTS_FILE: Final = "agents.md"
BLOCK_BEGIN: Final = "<!-- cra:begin -->"
BLOCK_END: Final = "<!-- cra:end -->"

_AGENTS: Final = "project/agents.md.j2"


class NewFile(NamedTuple):
    """A file that is to be made, and the template it is made from."""

    path: Path
    template: str


def missing_files(root: Path, trace_directory: str) -> list[NewFile]:
    """What a project in root lacks. cra.config.json comes last: it is what makes a project."""
    wanted = [
        NewFile(root / trace_directory / ".gitignore", "project/gitignore.j2"),
        NewFile(root / AGENTS_FILE, _AGENTS),
        NewFile(root / LOCK_NAME, "project/cra.atlases.lock.j2"),
        NewFile(root / FILE_NAME, "project/cra.config.json.j2"),
    ]
    return [file for file in wanted if not os.path.lexists(file.path)]


def refuse_blocked(path: Path) -> None:
    """Raise UsageError where something on the way to a new file is no directory."""
    for each in path.parents:
        if os.path.lexists(each) and not each.is_dir():
            raise _in_the_way(each, "a directory")


def refuse_other_things(root: Path) -> None:
    """Raise UsageError for what is no file and has the name of one that every project has."""
    for name in (FILE_NAME, LOCK_NAME, AGENTS_FILE):
        path = root / name
        if os.path.lexists(path) and not path.is_file():
            raise _in_the_way(path, "a file")


def init_command(path: Path, *words: str) -> str:
    """`cra init` of a directory, as it is typed where its path was."""
    place = [] if path == Path() else [str(path)]
    return shlex.join(["cra", "init", *place, *words])


def atlas_files(root: Path) -> list[NewFile]:
    """What a new atlas in root consists of. The manifest comes last: it is what makes an atlas."""
    names = (
        "actions.py",
        "context/guide.md",
        "policies.json",
        "tests/scenarios.json",
        "atlas.json",
    )
    return [NewFile(root / name, f"atlas/{name}.j2") for name in names]


def word_of(text: str, joint: str) -> str:
    """A text as one word of an id, in lower case, its parts held together by `joint`."""
    word = re.sub(r"[^a-z0-9]+", joint, text.lower()).strip(joint)
    return word if word[:1].isalpha() else f"atlas{joint}{word}".rstrip(joint)


def lacks_block(root: Path) -> bool:
    """Whether there is an agents.md of the user's own that says nothing about cra."""
    path = root / AGENTS_FILE
    return path.is_file() and BLOCK_BEGIN.encode() not in path.read_bytes()


def has_open_block(root: Path) -> bool:
    """Whether cra's block in agents.md begins and does not end, so that nobody can renew it."""
    path = root / AGENTS_FILE
    _, begin, rest = (path.read_bytes() if path.is_file() else b"").partition(BLOCK_BEGIN.encode())
    return bool(begin) and BLOCK_END.encode() not in rest


def rendered(files: Sequence[NewFile], values: Mapping[str, Any]) -> list[tuple[Path, bytes]]:
    """The files that are to be made, with what goes into them."""
    return [(file.path, render(file.template, values).encode()) for file in files]


def write(files: Sequence[NewFile], values: Mapping[str, Any]) -> None:
    """Render and write files, as `put` does."""
    put(dict(rendered(files, values)))


def put(files: Mapping[Path, bytes]) -> None:
    """Write files where there are none, in their order, all or none. FileExistsError if one has
    appeared meanwhile."""
    with undoing() as undo:
        for path, data in files.items():
            undo.create(path, data)


def add_block(root: Path, values: Mapping[str, Any], undo: Undo) -> None:
    """Put cra's block after what agents.md holds."""
    path = root / AGENTS_FILE
    before = path.read_bytes()
    gap = "\n" if before[-1:] in {b"", b"\n"} else "\n\n"
    undo.replace(path, before + gap.encode() + _block(values))


def block_is_old(root: Path, values: Mapping[str, Any]) -> bool:
    """Whether agents.md has a block of cra's that says another thing than it says now."""
    path = root / AGENTS_FILE
    before = path.read_bytes() if path.is_file() else b""
    return _with_block(before, values) not in (None, before)


def renew_block(root: Path, values: Mapping[str, Any], undo: Undo) -> None:
    """Let cra's block in agents.md say what it says now. What is around it stays."""
    path = root / AGENTS_FILE
    after = _with_block(path.read_bytes(), values)
    assert after is not None  # block_is_old has found it
    undo.replace(path, after)


def user_signer(dirs: UserDirs) -> Signer:
    """The user's signer; its key is made if there is none. Raises SignerRefused."""
    from cra.ledger.keys import create_key, load_key

    if dirs.has_key():
        return load_key(dirs.signing_key)
    return create_key(dirs.signing_key)


def _in_the_way(path: Path, expected: str) -> UsageError:
    if not path.exists():
        found = "a link that leads nowhere"
    elif path.is_dir():
        found = "a directory"
    else:
        found = "a file" if path.is_file() else "something else"
    return UsageError(
        f"expected {expected} or nothing, found {found}",
        where=str(path),
        fix="move it away, and run this again",
    )


def _block(values: Mapping[str, Any]) -> bytes:
    text, end, _ = render(_AGENTS, values).partition(BLOCK_END)
    return f"{text}{end}\n".encode()


def _with_block(text: bytes, values: Mapping[str, Any]) -> bytes | None:
    """A text with cra's block as it is now in the place of the one that it has; None without one
    that begins and ends."""
    before, begin, rest = text.partition(BLOCK_BEGIN.encode())
    _, end, after = rest.partition(BLOCK_END.encode())
    if not begin or not end:
        return None
    return before + _block(values).rstrip(b"\n") + after
