"""Text for other programs: by a program of this machine's desktop, or through the terminal."""

from __future__ import annotations

import base64
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
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
_TMUX: Final = ("tmux", "load-buffer", "-w", "-")


def copy(text: str, environ: Mapping[str, str], write: Callable[[str], None]) -> str:
    """Copy a text, and say which way it went; `write` reaches the terminal."""
    if "SSH_TTY" not in environ:
        for needed, command in _PROGRAMS:
            if (not needed or needed in environ) and _is_taken(command, text, environ):
                return f"copied with {command[0]}"
    # Its own buffer, and with -w the clipboard of the terminal it is shown on: what is handed on
    # through it in a wrapping reaches that one only where passing through is allowed.
    has_buffer = "TMUX" in environ and _is_taken(_TMUX, text, environ)
    sequence = base64.b64encode(text.encode()).decode()
    if len(sequence) > _MAX_SEQUENCE:
        return (
            "copied into tmux's buffer alone: it is longer than terminals take"
            if has_buffer
            else "not copied: it is longer than terminals take"
        )
    handed = f"\x1b]52;c;{sequence}\a"
    if "TMUX" in environ:
        handed = f"\x1bPtmux;\x1b{handed}\x1b\\"
    write(handed)
    told = "handed to the terminal (OSC 52), which copies it if it can"
    return f"copied into tmux's buffer, and {told}" if has_buffer else told


def _is_taken(command: Sequence[str], text: str, environ: Mapping[str, str]) -> bool:
    """Whether a program is there and has taken the text."""
    path = shutil.which(command[0], path=environ.get("PATH"))
    if path is None:
        return False
    try:
        done = subprocess.run(
            [path, *command[1:]],
            input=text.encode(),
            env=environ,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            check=False,
            timeout=_SECONDS,
        )
    except (OSError, subprocess.SubprocessError):
        return False
    return done.returncode == 0
