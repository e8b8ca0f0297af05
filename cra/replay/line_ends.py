"""What keeps git from changing the bytes of goldens. Loads little: `cra init` says it as well."""

from __future__ import annotations

from pathlib import Path
from typing import Final

from cra.ledger import files

ATTRIBUTES_FILE: Final = ".gitattributes"

# Files whose digests are held against what was recorded or accepted.
GOLDENS: Final = b"goldens/** -text"
ATLASES: Final = b"atlases/** -text"
_MAX_BYTES: Final = 1 << 20


def keeps_line_ends(project: Path, line: bytes = GOLDENS) -> bool:
    """Whether git is told to leave the line ends of files alone."""
    return line in (files.read_all(project / ATTRIBUTES_FILE, _MAX_BYTES) or b"").splitlines()


def keep_line_ends(project: Path, line: bytes = GOLDENS) -> None:
    """Tell git so, after what else it is told."""
    if keeps_line_ends(project, line):
        return
    path = project / ATTRIBUTES_FILE
    is_open = path.exists() and path.read_bytes()[-1:] not in {b"", b"\n"}
    with path.open("ab") as file:
        file.write(b"\n" * is_open + line + b"\n")
