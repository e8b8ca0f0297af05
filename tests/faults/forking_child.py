"""Programs that fork while they record; run by the suites.

    python -m tests.faults.forking_child PROGRAM DIRECTORY STATE KEY

Exits with 0 if what it could see itself was right; the suite looks at the ledger.
"""

from __future__ import annotations

import fcntl
import os
import subprocess
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path

from cra.ledger import files
from cra.ledger.keys import load_key
from cra.ledger.memory import Memory
from cra.ledger.store import Ledger, Session

from .payloads import DENIED


def deny(session: Session, count: int) -> None:
    for _ in range(count):
        session.append("action.denied", DENIED)


def in_a_child(work: Callable[[], object], *, exits: bool = False) -> int:
    """Fork and do some work there. With `exits` the child ends as a program does, else at once."""
    pid = os.fork()
    if pid:
        return pid
    work()
    if exits:
        sys.exit(0)
    os._exit(0)


def wait_for(pid: int) -> None:
    _, status = os.waitpid(pid, 0)
    if status:
        raise AssertionError(f"the child ended with {os.waitstatus_to_exitcode(status)}")


def is_locked(path: Path) -> bool:
    with path.open() as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            return True
    return False


def in_the_middle_of_a_batch(ledger: Ledger, session: Session) -> None:
    with session.batch():
        deny(session, 2)
        pid = in_a_child(lambda: deny(session, 3))
        deny(session, 2)
    deny(session, 2)
    wait_for(pid)
    ledger.close()


def out_of_a_batch(ledger: Ledger, session: Session) -> None:
    """The child leaves the block in which it was forked, as a framework that forks does."""
    pid = 0
    with session.batch():
        deny(session, 2)
        pid = os.fork()
    if pid == 0:
        deny(session, 3)
        ledger.close()
        os._exit(0)
    deny(session, 2)
    wait_for(pid)
    ledger.close()


def while_the_background_thread_runs(ledger: Ledger, session: Session) -> None:
    for _ in range(15):
        deny(session, 5)
        pid = in_a_child(lambda: deny(session, 5))
        deny(session, 5)
        wait_for(pid)
        time.sleep(0.01)
    ledger.close()


def with_threads_before_and_after(ledger: Ledger, session: Session) -> None:
    threads = [threading.Thread(target=deny, args=(session, 200)) for _ in range(4)]
    for thread in threads[:2]:
        thread.start()
    pids = [in_a_child(lambda: _deny_in_threads(session)) for _ in range(4)]
    for thread in threads[2:]:
        thread.start()
    for thread in threads:
        thread.join()
    for pid in pids:
        wait_for(pid)
    ledger.close()


def _deny_in_threads(session: Session) -> None:
    threads = [threading.Thread(target=deny, args=(session, 20)) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def and_the_lock_stays_with_the_parent(ledger: Ledger, session: Session) -> None:
    with session.batch():
        deny(session, 1)
        wait_for(in_a_child(lambda: None))
        assert is_locked(session.paths.lock)
        wait_for(in_a_child(session.abandon))
        assert is_locked(session.paths.lock)
        subprocess.run([sys.executable, "-c", ""], check=True)
        assert is_locked(session.paths.lock)
    assert not is_locked(session.paths.lock)
    ledger.close()


def and_the_child_lives_longer(ledger: Ledger, session: Session) -> None:
    """Neither a child that does nothing nor another program keeps anybody waiting."""
    with session.batch():
        deny(session, 1)
        child = in_a_child(lambda: time.sleep(30))
        program = subprocess.Popen(["sleep", "30"], close_fds=False)
    try:
        assert not is_locked(session.paths.lock)
        ledger.close()
    finally:
        os.kill(child, 9)
        program.kill()
        program.wait()
        os.waitpid(child, 0)


def during_another_threads_work(ledger: Ledger, session: Session) -> None:
    """A ledger is being opened, and one verified, at the moment of the fork."""
    opening = session.paths.directory / "locks" / "ledger.lock"
    locks = [files.exclusive_lock(opening), files.shared_lock(session.paths.lock)]
    for lock in locks:
        lock.__enter__()
    child = in_a_child(lambda: time.sleep(30))
    for lock in locks:
        lock.__exit__(None, None, None)
    try:
        assert not is_locked(opening)
        assert not is_locked(session.paths.lock)
        ledger.close()
    finally:
        os.kill(child, 9)
        os.waitpid(child, 0)


def and_the_child_ends_as_programs_do(ledger: Ledger, session: Session) -> None:
    deny(session, 3)
    session.barrier()
    ledger.remember()
    before = ledger.memory.of_ledger(ledger.id)
    wait_for(in_a_child(lambda: None, exits=True))
    assert ledger.memory.of_ledger(ledger.id) == before
    ledger.close()


PROGRAMS = [
    in_the_middle_of_a_batch,
    out_of_a_batch,
    while_the_background_thread_runs,
    with_threads_before_and_after,
    and_the_lock_stays_with_the_parent,
    and_the_child_lives_longer,
    during_another_threads_work,
    and_the_child_ends_as_programs_do,
]


def main(name: str, directory: str, state: str, key: str) -> None:
    ledger = Ledger(Path(directory), signer=load_key(Path(key)), memory=Memory(Path(state)))
    program = {program.__name__: program for program in PROGRAMS}[name]
    program(ledger, ledger.start_session("agent"))


if __name__ == "__main__":
    main(*sys.argv[1:])
