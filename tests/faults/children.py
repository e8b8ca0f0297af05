"""The processes that the suites start, listen to, and kill."""

from __future__ import annotations

import select
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

from .harness import ROOT, Promise, Site


@dataclass
class Writer:
    """A child process that appends, and what it has acknowledged so far."""

    process: subprocess.Popen[bytes]
    output: bytearray = field(default_factory=bytearray)

    def listen(self, seconds: float) -> None:
        """Take in acknowledgements for a while; the pipe would fill up otherwise."""
        deadline = time.monotonic() + seconds
        while (left := deadline - time.monotonic()) > 0:
            if select.select([self.process.stdout], [], [], left)[0]:
                data = self.process.stdout.read1(1 << 16)  # type: ignore[union-attr]
                if not data:
                    return
                self.output += data

    def wait_for_first(self) -> None:
        while not self.output:
            assert self.process.poll() is None, self.process.stderr.read()  # type: ignore[union-attr]
            self.listen(0.01)

    def kill(self) -> None:
        if self.process.returncode is None:
            self.process.kill()
            self.listen(60)
            self.process.communicate()

    def stop(self) -> None:
        """Let it end in order."""
        self.process.stdin.close()  # type: ignore[union-attr]
        self.listen(60)
        self.process.stdin = None
        _, complaint = self.process.communicate()
        assert self.process.returncode == 0, complaint.decode()

    def acknowledged(self) -> list[Promise]:
        """The last line may be cut: an acknowledgement that did not arrive is none."""
        lines = [line.split() for line in self.output.decode().split("\n")[:-1]]
        return [Promise(session, int(number), digest) for session, number, digest, _ in lines]


def start_writer(
    site: Site, key: Path | None, session_id: str, habit: str, *, threads: int, seed: int
) -> Writer:
    arguments = (site.directory, key or "-", session_id, habit, threads, seed)
    return Writer(start_child("writer_child", *arguments))


def start_child(module: str, *arguments: object) -> subprocess.Popen[bytes]:
    return subprocess.Popen(
        [sys.executable, "-m", f"tests.faults.{module}", *map(str, arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
