"""What the name of a file says of it: whether it is a golden's, and whether an editor left it."""

from __future__ import annotations

import os
from typing import Final

from cra.replay.golden import PENDING

# How the names of what editors put beside a file begin and end, while it is open or being saved: of
# Vim, Emacs, Kate and those of JetBrains.
_SWAP: Final = (
    (".", ".swp"),
    (".", ".swo"),
    (".", ".swx"),
    ("4913", ""),
    ("", "~"),
    (".#", ""),
    ("#", "#"),
    (".", ".kate-swp"),
    ("", "___jb_tmp___"),
    ("", "___jb_old___"),
)


def is_golden_file(path: str) -> bool:
    """Whether a path below the directory of goldens is of a golden: what waits to be accepted, and
    what is just being written, is not."""
    return not any(name.endswith(PENDING) or name.startswith(".") for name in path.split(os.sep))


def is_swap(name: str) -> bool:
    """Whether a file is one that an editor makes and takes away by itself."""
    return any(name.startswith(begins) and name.endswith(ends) for begins, ends in _SWAP)
