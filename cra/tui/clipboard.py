"""Text for other programs: by a program of this machine's desktop, or through the terminal."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable, Mapping
from typing import Final

# What terminals accept of an OSC 52 sequence, in characters of base64.
_MAX_SEQUENCE: Final = 74_000
_SECONDS: Final = 2
_PROGRAMS: Final = (
    ("", ("pbcopy",)),
    ("", ("clip.exe",)),
    ("WAYLAND_DISPLAY", ("wl-copy",)),
    ("DISPLAY", ("xclip", "-selection", "clipboard")),
)


def copy(text: str, environ: Mapping[str, str], write: Callable[[str], None]) -> str:
    """Copy a text, and say which way it went; `write` reaches the terminal."""
    if "SSH_TTY" not in environ:
        for needed, (program, *arguments) in _PROGRAMS:
            path = shutil.which(program) if not needed or needed in environ else None
            if path is not None and _taken_by([path, *arguments], text):
                return f"copied with {program}"
    sequence = base64.b64encode(text.encode()).decode()
    if len(sequence) > _MAX_SEQUENCE:
        return "not copied: it is longer than terminals take"
    command = f"\x1b]52;c;{sequence}\a"
    if "TMUX" in environ:
        command = f"\x1bPtmux;\x1b{command}\x1b\\"
    write(command)
    return "handed to the terminal (OSC 52), which copies it if it can"


def _taken_by(command: list[str], text: str) -> bool:
    try:
        done = subprocess.run(
            command,
            input=text.encode(),
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
