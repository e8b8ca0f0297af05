"""Which way a copy goes inside tmux."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from cra.tui.clipboard import copy

WRAPPED = "\x1bPtmux;\x1b\x1b]52;c;dGV4dA==\a\x1b\\"


@pytest.fixture
def programs(tmp_path) -> Path:
    """Where a tmux stands that keeps what it is given, and with which arguments and server."""
    folder = tmp_path / "bin"
    folder.mkdir()
    program = folder / "tmux"
    program.write_text(
        f'#!/bin/sh\nread text\necho "$* [$TMUX] $text" > {tmp_path}/taken\nexit ${{FAIL:-0}}\n'
    )
    program.chmod(0o755)
    return folder


def inside_tmux(programs: Path, **more: str) -> dict[str, str]:
    path = f"{programs}:{os.environ['PATH']}"
    return {"SSH_TTY": "/dev/pts/0", "TMUX": "server", "PATH": path, **more}


def test_a_copy_inside_tmux_is_in_its_buffer_and_goes_on_to_the_terminal(programs, tmp_path):
    sent: list[str] = []

    told = copy("text", inside_tmux(programs), sent.append)

    assert (tmp_path / "taken").read_text() == "load-buffer -w - [server] text\n"
    assert sent == [WRAPPED]
    assert told.startswith("copied into tmux's buffer, and handed to the terminal (OSC 52)")


def test_a_copy_that_is_too_long_for_a_terminal_is_in_the_buffer_of_tmux_alone(programs):
    sent: list[str] = []

    told = copy("x" * 80_000, inside_tmux(programs), sent.append)

    assert told == "copied into tmux's buffer alone: it is longer than terminals take"
    assert sent == []


def test_a_tmux_that_does_not_take_it_is_not_said_to_have_it(programs):
    sent: list[str] = []

    told = copy("text", inside_tmux(programs, FAIL="1"), sent.append)

    assert sent == [WRAPPED]
    assert told.startswith("handed to the terminal (OSC 52)")
    assert copy("x" * 80_000, inside_tmux(programs, FAIL="1"), sent.append).startswith("not copied")


def test_outside_of_tmux_it_is_not_asked(programs, tmp_path):
    environ = inside_tmux(programs)
    del environ["TMUX"]

    copy("text", environ, lambda _: None)

    assert not (tmp_path / "taken").exists()
