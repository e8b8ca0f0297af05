"""The same faults from outside: the kernel fails a call of a real process, or kills it there."""

from __future__ import annotations

import shutil
import subprocess
import sys
from collections import Counter
from dataclasses import dataclass
from pathlib import Path

import pytest

from cra.errors import CraError
from cra.ledger.checkpoint import Signer
from cra.ledger.keys import create_key

from .harness import (
    ROOT,
    Promise,
    Site,
    assert_intact,
    assert_recorded,
    assert_settled,
    begun_sessions,
    die,
)
from .living_child import REFUSED
from .payloads import DENIED

KILLED = -9
STRACE = shutil.which("strace")


def _can_trace() -> bool:
    if STRACE is None:
        return False
    probe = [STRACE, "-o", "/dev/null", "true"]
    return subprocess.run(probe, capture_output=True, check=False).returncode == 0


pytestmark = pytest.mark.skipif(not _can_trace(), reason="strace is not there or may not trace")


@dataclass
class Traced:
    """How a traced life ended: whether the fault was met, and what was acknowledged before."""

    was_met: bool
    code: int
    promises: list[Promise]
    complaint: str


def live_with(site: Site, key: Path, call: str, what: str, number: int) -> Traced:
    log = site.root / "strace.log"
    tracing = [str(STRACE), "-f", "-qq", "-o", str(log), "-e", f"trace={call}"]
    fault = ["-e", f"inject={call}:{what}:when={number}"]
    program = [sys.executable, "-m", "tests.faults.living_child", str(site.directory), str(key)]
    done = subprocess.run(
        [*tracing, *fault, *program], cwd=ROOT, capture_output=True, text=True, check=False
    )
    lines = [line.split() for line in done.stdout.split("\n")[:-1]]
    promises = [Promise(session, int(place), digest) for session, place, digest, _ in lines]
    was_met = "INJECTED" in log.read_text() or done.returncode == KILLED
    return Traced(was_met, done.returncode, promises, done.stderr)


def check(site: Site, found: Traced) -> None:
    is_ours = found.code in (0, REFUSED, KILLED) or "write(1" in found.complaint
    assert is_ours, found.complaint
    if site.directory.exists() and site.sessions():
        assert_intact(site.verify())
    assert_recorded(site, found.promises)
    ledger = site.open()
    for session_id in begun_sessions(site):
        session = ledger.session(session_id)
        if not session.ended:
            session.append("action.denied", DENIED)
    ledger.start_session("next").append("action.denied", DENIED)
    ledger.close()
    die()
    assert_settled(site.verify())
    assert_recorded(site, found.promises)


def survey(root: Path, call: str, what: str, *, step: int) -> Counter[str]:
    """Fail every call of a kind, or one in so many, until there is no such call any more."""
    key = root / "keys" / "ledger.key"
    signer: Signer = create_key(key)
    counts: Counter[str] = Counter()
    for number in range(1, 10_000, step):
        site = Site(root / f"{number}", signer)
        site.root.mkdir()
        found = live_with(site, key, call, what, number)
        try:
            check(site, found)
        except (AssertionError, CraError) as error:
            raise AssertionError(f"{call} number {number}, {what}: {error}") from error
        counts["killed" if found.code == KILLED else f"exit {found.code}"] += 1
        if not found.was_met:
            return counts
    raise AssertionError("the faults never end")


CALLS = ["write", "fdatasync", "fsync", "rename", "ftruncate", "flock", "unlink"]
FAULTS = ["error=EIO", "error=ENOSPC", "signal=KILL"]
QUICK = [("write", "signal=KILL", 9), ("fdatasync", "error=EIO", 3), ("rename", "signal=KILL", 5)]


@pytest.mark.parametrize(("call", "what", "step"), QUICK)
def test_a_call_that_the_kernel_fails_loses_nothing(ram, call, what, step):
    assert survey(ram, call, what, step=step).total() > 1


@pytest.mark.full
@pytest.mark.parametrize("call", CALLS)
@pytest.mark.parametrize("what", FAULTS)
def test_every_call_that_the_kernel_fails_loses_nothing(ram, say, call, what):
    counts = survey(ram, call, what, step=1)

    say(f"{call} with {what}: {dict(counts)}")
    assert counts.total() > 0
