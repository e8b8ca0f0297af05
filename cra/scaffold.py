"""What `cra init` and `cra atlas create` put into a directory, and the user's key."""

from __future__ import annotations

import os
import re
from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from cra.atlas.lock import LOCK_NAME
from cra.config import FILE_NAME, UserDirs
from cra.shipped import shipped

if TYPE_CHECKING:
    from cra.ledger.checkpoint import Signer

AGENTS_FILE: Final = "agents.md"
BLOCK_BEGIN: Final = "<!-- cra:begin -->"

_AGENTS: Final = "minimal/agents.md.j2"


class NewFile(NamedTuple):
    """A file that is to be made, and the template it is made from."""

    path: Path
    template: str


def missing_files(root: Path, trace_directory: str) -> list[NewFile]:
    """What a project in root lacks. cra.config.json comes last: it is what makes a project."""
    wanted = [
        NewFile(root / trace_directory / ".gitignore", "minimal/gitignore.j2"),
        NewFile(root / AGENTS_FILE, _AGENTS),
        NewFile(root / LOCK_NAME, "minimal/cra.atlases.lock.j2"),
        NewFile(root / FILE_NAME, "minimal/cra.config.json.j2"),
    ]
    return [file for file in wanted if not os.path.lexists(file.path)]


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


def write(files: Sequence[NewFile], values: Mapping[str, Any]) -> None:
    """Render and write files. Never replaces one: FileExistsError if one has appeared meanwhile."""
    put({file.path: _render(file.template, values).encode() for file in files})


def put(files: Mapping[Path, bytes]) -> None:
    """Write files where there are none, in their order, all or none: what was made by then is taken
    away again. FileExistsError if one has appeared meanwhile."""
    with ExitStack() as undo:
        for path, data in files.items():
            _make_folder(path.parent, undo)
            with path.open("xb") as stream:
                undo.callback(path.unlink)
                stream.write(data)
        undo.pop_all()


def _make_folder(path: Path, undo: ExitStack) -> None:
    if path.is_dir():
        return
    _make_folder(path.parent, undo)
    path.mkdir()
    undo.callback(path.rmdir)


def append_block(root: Path, values: Mapping[str, Any]) -> None:
    """Put cra's block after what agents.md holds."""
    path = root / AGENTS_FILE
    block = _render(_AGENTS, values)
    is_open = path.read_bytes()[-1:] not in {b"", b"\n"}
    with path.open("a", encoding="utf-8", newline="\n") as stream:
        stream.write(("\n" if is_open else "") + "\n" + block)


def user_signer(dirs: UserDirs) -> Signer:
    """The user's signer; its key is made if there is none. Raises SignerRefused."""
    from cra.ledger.keys import create_key, load_key

    if dirs.has_key():
        return load_key(dirs.signing_key)
    return create_key(dirs.signing_key)


def _render(name: str, values: Mapping[str, Any]) -> str:
    from jinja2 import FileSystemLoader, StrictUndefined  # takes 50 ms, for this command alone
    from jinja2.sandbox import SandboxedEnvironment

    environment = SandboxedEnvironment(
        loader=FileSystemLoader(shipped("templates")),
        undefined=StrictUndefined,
        keep_trailing_newline=True,
        autoescape=False,
    )
    return environment.get_template(name).render(values)
