"""What keeps git from changing the bytes of goldens. Loads little: `cra init` says it as well."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cra.ledger import files

ATTRIBUTES_FILE: Final = ".gitattributes"

_LINE: Final = b"goldens/** -text"
_MAX_BYTES: Final = 1 << 20


def keeps_line_ends(project: Path) -> bool:
    """Whether git is told to leave the line ends of goldens alone."""
    return _LINE in (files.read_all(project / ATTRIBUTES_FILE, _MAX_BYTES) or b"").splitlines()


def keep_line_ends(project: Path) -> None:
    """Tell git so, after what else it is told."""
    if keeps_line_ends(project):
        return
    path = project / ATTRIBUTES_FILE
    is_open = path.exists() and path.read_bytes()[-1:] not in {b"", b"\n"}
    with path.open("ab") as file:
        file.write(b"\n" * is_open + _LINE + b"\n")
