"""Running a program under its supervisor: its output, its time, and nothing of it left behind."""

from __future__ import annotations

import errno
import os
import selectors
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import IO, Any, Final

from cra.runtime.executors.work import Failed, FailureCode, Stopped

PATH: Final = "/usr/local/bin:/usr/bin:/bin"

# It has a thread when it forks, which later versions of Python warn of on stderr.
_PYTHON: Final = (sys.executable, "-I", "-S", "-W", "ignore")
_SUPERVISOR: Final = Path(__file__).with_name("supervisor.py")
# The supervisor tries to end everything for five seconds; this is how long it is waited for.
_PATIENCE: Final = 8.0
_CHUNK: Final = 65_536


@dataclass(frozen=True)
class Program:
    """What is run: `command` begins with an absolute path; a limit of 0 is none."""

    command: tuple[str, ...]
    environment: Mapping[str, str]
    directory: Path
    stdin: bytes
    max_output_bytes: int
    max_memory_bytes: int = 0
    max_cpu_seconds: int = 0


@dataclass(frozen=True)
class Ended:
    """How a program ended by itself: its exit code, or the negative number of a signal."""

    exit_code: int
    stdout: bytes
    stderr: bytes


@dataclass(frozen=True)
class _Running:
    supervisor: subprocess.Popen[bytes]
    control: socket.socket
    stdin: IO[bytes]
    stdout: IO[bytes]
    stderr: IO[bytes]


@dataclass
class _Conversation:
    """What was said by a program, and by its supervisor, until now."""

    stdin: memoryview
    limit: int
    said: dict[str, bytearray] = field(
        default_factory=lambda: {
            "stdout": bytearray(),
            "stderr": bytearray(),
            "control": bytearray(),
        }
    )


@contextmanager
def own_directory() -> Iterator[Path]:
    """A directory that is gone afterwards."""
    directory = tempfile.mkdtemp(prefix="cra-")
    try:
        yield Path(directory)
    finally:
        # What a program made unreadable for its own user stays: that is no failure of the action.
        shutil.rmtree(directory, ignore_errors=True)


def scrubbed(home: Path) -> dict[str, str]:
    """The environment that a child begins with: nothing of cra's own."""
    return {"PATH": PATH, "LANG": "C.UTF-8", "HOME": str(home), "TMPDIR": str(home)}


def run_program(program: Program, timeout: float) -> Ended | Failed:
    """Run a program; when this returns or raises, what descends from it has been killed.

    `still_running` says if some of it could not be.
    """
    deadline = time.monotonic() + timeout
    running = _start(program)
    talk = _Conversation(memoryview(program.stdin), program.max_output_bytes)
    failed = None
    try:
        failed = _converse(running, talk, deadline)
    finally:
        is_clean = _finish(running, talk)
    report = dict(line.split(" ") for line in _lines_of(talk) if " " in line)
    if failed is None and "exec" in report:
        failed = _not_run(program.command[0], int(report["exec"]))
    if failed is None and "exit" not in report:
        failed = Failed("killed", "expected the program's supervisor to end last, found it killed")
    if failed is not None:
        return replace(failed, still_running=not is_clean)
    code = os.waitstatus_to_exitcode(int(report["exit"]))
    if not is_clean:
        message = "expected all processes of the program to end when killed, found some that do not"
        return Failed("killed", message, {"exit_code": code}, still_running=True)
    return Ended(code, bytes(talk.said["stdout"]), bytes(talk.said["stderr"]))


def _start(program: Program) -> _Running:
    ours, theirs = socket.socketpair()
    limits = (str(program.max_cpu_seconds), str(program.max_memory_bytes))
    with theirs:
        channel = theirs.fileno()
        try:
            process = subprocess.Popen(
                [*_PYTHON, _SUPERVISOR, str(channel), *limits, *program.command],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
                env=program.environment,
                cwd=program.directory,
                pass_fds=(channel,),
                start_new_session=True,
            )
        except OSError as error:
            # Arguments that are too long for the system, a project that is gone.
            ours.close()
            found = error.strerror or str(error)
            message = f"expected to start {program.command[0]:.80}, found: {found}"
            raise Stopped("refused", message) from None
    assert process.stdin
    assert process.stdout
    assert process.stderr
    return _Running(process, ours, process.stdin, process.stdout, process.stderr)


def _converse(running: _Running, talk: _Conversation, deadline: float) -> Failed | None:
    """Write and read until all ends; the failure if it has to be ended instead."""
    streams: dict[str, Any] = {
        "stdout": running.stdout,
        "stderr": running.stderr,
        "control": running.control,
    }
    with selectors.DefaultSelector() as selector:
        for name, stream in streams.items():
            selector.register(stream, selectors.EVENT_READ, _reader(talk, name))
        os.set_blocking(running.stdin.fileno(), False)
        selector.register(running.stdin, selectors.EVENT_WRITE, _writer(talk))
        while selector.get_map():
            left = deadline - time.monotonic()
            if left <= 0:
                return Failed("timeout", "expected the program to end in time, and ended it")
            for key, _ in selector.select(left):
                if key.data(key.fd):
                    continue
                selector.unregister(key.fileobj)
                if key.fileobj is running.stdin:
                    running.stdin.close()
                elif key.fileobj is running.control and not _is_clean(talk):
                    return None
            for name in ("stdout", "stderr"):
                if len(talk.said[name]) > talk.limit:
                    found = f"expected at most {talk.limit} bytes on {name}, and ended the program"
                    return Failed("too_large", found, {"stream": name})
    return None


def _reader(talk: _Conversation, name: str) -> Callable[[int], bool]:
    """Reads once; False at the end."""

    def read(fd: int) -> bool:
        chunk = os.read(fd, _CHUNK)
        talk.said[name] += chunk
        return bool(chunk)

    return read


def _writer(talk: _Conversation) -> Callable[[int], bool]:
    """Writes once; False when all is written, or nobody reads it."""

    def write(fd: int) -> bool:
        try:
            written = os.write(fd, talk.stdin[:_CHUNK])
        except BrokenPipeError:
            return False
        talk.stdin = talk.stdin[written:]
        return bool(talk.stdin)

    return write


def _finish(running: _Running, talk: _Conversation) -> bool:
    """Let the supervisor kill what is left, and wait for it; whether nothing is left."""
    with running.control as control:
        with suppress(OSError):
            control.shutdown(socket.SHUT_WR)
        for stream in (running.stdin, running.stdout, running.stderr):
            stream.close()
        control.settimeout(_PATIENCE)
        try:
            while chunk := control.recv(_CHUNK):
                talk.said["control"] += chunk
            running.supervisor.wait(_PATIENCE)
        except (TimeoutError, subprocess.TimeoutExpired):
            os.killpg(running.supervisor.pid, signal.SIGKILL)
            running.supervisor.wait()
    return _is_clean(talk)


def _is_clean(talk: _Conversation) -> bool:
    return "clean" in _lines_of(talk)


def _lines_of(talk: _Conversation) -> list[str]:
    return talk.said["control"].decode().splitlines()


def _not_run(path: str, number: int) -> Failed:
    code: FailureCode = "not_found" if number == errno.ENOENT else "refused"
    found = os.strerror(number)
    return Failed(code, f"expected a program that can be run at {path}, found: {found}")
