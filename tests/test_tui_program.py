"""`cra trace tui` as its users start it: on a terminal, and without one."""

from __future__ import annotations

import os
import pty
import re
import select
import signal
import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import pytest

from tests.governed import ALLOW, rule, write_project
from tests.program import ROOT, answer, cra

_SHOWN = re.compile(rb"\x1b\[[0-9;?]*[A-Za-z]|\x1b[()][A-Z0-9]|\x1b[=>78]")


class Terminal:
    """`cra` on a terminal of its own, with what it has drawn so far."""

    def __init__(self, place: Path, *arguments: str, before: Sequence[str] = ()) -> None:
        self._ours, its = pty.openpty()
        self.drawn = b""
        self.process = subprocess.Popen(
            [*before, sys.executable, "-m", "cra", *arguments],
            cwd=place,
            env={
                **os.environ,
                "PYTHONPATH": str(ROOT),
                "COLUMNS": "120",
                "LINES": "36",
                "TEXTUAL_ANIMATIONS": "none",
            },
            stdin=its,
            stdout=its,
            stderr=its,
            start_new_session=True,
        )
        os.close(its)

    def until(self, words: str, seconds: float = 30) -> None:
        """Wait until some words are drawn."""
        begun, end = len(self.drawn), time.monotonic() + seconds
        while words.encode() not in _SHOWN.sub(b"", self.drawn[max(0, begun - 200) :]):
            assert time.monotonic() < end, _SHOWN.sub(b"", self.drawn).decode(errors="replace")
            self._read()

    def type(self, keys: str) -> None:
        os.write(self._ours, keys.encode())

    def close(self) -> int:
        """Read on until it ends. Returns the exit code."""
        while self._read():
            pass
        os.close(self._ours)
        return self.process.wait(30)

    def hang_up(self) -> int:
        """Take the terminal away."""
        os.close(self._ours)
        self.process.send_signal(signal.SIGHUP)
        try:
            return self.process.wait(30)
        finally:
            self.process.kill()

    def _read(self) -> bool:
        waiting = select.poll()
        waiting.register(self._ours, select.POLLIN)
        if not waiting.poll(200):
            return self.process.poll() is None
        try:
            part = os.read(self._ours, 65_536)
        except OSError:  # nobody holds the other end any more
            return False
        self.drawn += part
        return bool(part)


@pytest.fixture
def place(tmp_path):
    asking = rule("closing-needs-a-person", "require_approval", "ticket.close")
    project = write_project(tmp_path / "project", ALLOW, asking)
    answer(project, "session", "start", "--agent", "cli")
    answer(project, "resolve", "--goal", "do everything that can be done with a ticket")
    return project


def test_it_opens_searches_and_gives_the_terminal_back(place):
    terminal = Terminal(place, "trace", "tui", "--session", "last")
    terminal.until("session.started")
    terminal.until("INTACT")
    terminal.type("/everything\r")
    terminal.until("hit")
    terminal.type("q")
    terminal.until("by begun")
    terminal.type("q")

    assert terminal.close() == 0
    # The screen as it was before, with its cursor, and without reports of the mouse.
    end = terminal.drawn[-400:]
    for restoring in (b"\x1b[?1049l", b"\x1b[?25h"):
        assert restoring in end
    assert b"Traceback" not in terminal.drawn


@pytest.mark.parametrize("pager", ["there-is-none", "'x", " ", "[/x]"])
def test_a_pager_that_cannot_be_run_leaves_the_viewer_as_it_was(place, pager):
    terminal = Terminal(
        place, "trace", "tui", "--session", "last", before=("env", f"PAGER={pager}")
    )
    terminal.until("session.started")
    terminal.type("o")
    terminal.until("set PAGER")
    terminal.type("q")
    terminal.until("by begun")
    terminal.type("q")

    assert terminal.close() == 0


def test_an_interrupt_in_a_pager_is_for_the_pager(place):
    pager = f"{sys.executable} -c 'import time; print(\"reads\", flush=True); time.sleep(60)'"
    terminal = Terminal(
        place, "trace", "tui", "--session", "last", before=("env", f"PAGER={pager}")
    )
    terminal.until("INTACT")
    terminal.type("o")
    terminal.until("reads")
    os.killpg(terminal.process.pid, signal.SIGINT)
    terminal.until("INTACT")
    terminal.type("\x11")

    assert terminal.close() == 0


def test_a_file_is_looked_at_from_anywhere(place, tmp_path):
    [path] = (place / "cra.trace").glob("0*.trace.jsonl")
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    terminal = Terminal(elsewhere, "trace", "tui", "--session", str(path))
    terminal.until("session.started")
    terminal.until("INTACT")
    terminal.type("q")
    terminal.until("by begun")
    terminal.type("q")

    assert terminal.close() == 0
    assert list(elsewhere.iterdir()) == []


def test_a_call_that_waits_goes_on_once_it_is_granted_there(place):
    waiting = subprocess.Popen(
        [sys.executable, "-m", "cra", "execute", "ticket.close", "-p", "file=closed", "--wait"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    terminal = Terminal(place, "trace", "visualize")
    terminal.until("by begun")
    terminal.type("A")
    terminal.until("1 call waits")
    terminal.type("g")
    terminal.until("any number of times")
    terminal.type("\r")
    terminal.until("granted once")

    done, said = waiting.communicate(timeout=60)
    terminal.type("\x11")

    assert (waiting.returncode, terminal.close()) == (0, 0), said
    assert "done" in done
    assert (place / "closed").read_text() == "done\n"


@pytest.mark.parametrize("before", [(), ("env", "--ignore-signal=HUP")])
def test_it_ends_when_its_terminal_goes(place, before):
    terminal = Terminal(place, "trace", "tui", before=before)
    terminal.until("by begun")

    assert terminal.hang_up() == -signal.SIGHUP


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_ends_it_and_the_terminal_is_given_back(place, number):
    terminal = Terminal(place, "trace", "tui")
    terminal.until("by begun")
    terminal.process.send_signal(number)

    assert terminal.close() == (130 if number == signal.SIGINT else -number)
    end = terminal.drawn[-400:]
    for restoring in (b"\x1b[?1049l", b"\x1b[?25h", b"\x1b[?1000l"):
        assert restoring in end
    assert b"Traceback" not in terminal.drawn


def test_without_a_terminal_it_says_so_and_what_there_is_instead(place):
    done = cra(place, "trace", "tui")

    assert done.returncode == 2
    assert "expected a terminal to draw on, found none" in done.stderr
    assert "cra trace list" in done.stderr
    assert done.stdout == ""


def test_a_session_that_is_not_there_is_refused_before_anything_is_drawn(place):
    terminal = Terminal(place, "trace", "tui", "--session", "ffff")

    assert terminal.close() == 2
    assert b"\x1b[?1049h" not in terminal.drawn
    assert b"expected the session ffff, found none" in terminal.drawn
