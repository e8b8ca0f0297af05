"""A program of its own: it runs one program, and stays until nothing of that is left.

    python -I -S supervisor.py CONTROL CPU_SECONDS MEMORY_BYTES PROGRAM ARGUMENT...

CONTROL is an inherited socket, a limit of 0 is none. The supervisor says there `exec ERRNO` if the
program cannot be run, `exit STATUS` when it ended, and `clean` once no descendant lives. When the
other end of CONTROL closes, for whatever reason, everything is killed.

Every import counts here: this starts before each program.
"""

from __future__ import annotations

import _thread
import ctypes
import errno
import os
import resource
import sys
import time

IS_LINUX = sys.platform == "linux"
SIGKILL = 9
# Python ignores these two, and a program would inherit that: SIGPIPE and SIGXFSZ.
IGNORED_BY_PYTHON = (13, 25)
# From <linux/prctl.h>.
PR_SET_PDEATHSIG = 1
PR_SET_CHILD_SUBREAPER = 36
PR_SET_NO_NEW_PRIVS = 38
# How long descendants are killed before the supervisor gives up on them.
PATIENCE = 5.0


def main(control: int, cpu_seconds: int, memory_bytes: int, command: list[str]) -> None:
    libc = ctypes.CDLL(None)
    os.set_inheritable(control, False)
    if IS_LINUX:
        # Orphans become children of this process, however often they forked or left their group.
        libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    program: list[int] = []
    ended: list[int] = []
    started = _thread.allocate_lock()
    started.acquire()
    try:
        # Before the program, which may leave its user no room for one more thread.
        _thread.start_new_thread(kill_on_hangup, (control, started, program, ended))
        child = os.fork()
    except (OSError, RuntimeError):
        say(control, f"exec {errno.EAGAIN}\nclean")
        return
    if not child:
        become(command, control, cpu_seconds, memory_bytes, libc)
    program.append(child)
    started.release()
    let_go_of_stdio()
    while not ended:
        pid, status = os.wait()
        if pid == child:
            ended.append(status)
    say(control, f"exit {ended[0]}")
    if end_all(child):
        say(control, "clean")


def become(
    command: list[str], control: int, cpu_seconds: int, memory_bytes: int, libc: ctypes.CDLL
) -> None:
    try:
        os.setsid()
        for number in IGNORED_BY_PYTHON:
            libc.signal(number, None)
        if IS_LINUX:
            # A set-user-id program would outlive a kill by its user.
            libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0)
            libc.prctl(PR_SET_PDEATHSIG, SIGKILL, 0, 0, 0)
        lower(resource.RLIMIT_CORE, 0, 0)
        if cpu_seconds:
            # SIGXCPU tells the program, SIGKILL follows a second later.
            lower(resource.RLIMIT_CPU, cpu_seconds, cpu_seconds + 1)
        if memory_bytes:
            # Memory that can be written. RLIMIT_AS would also count address space that is only
            # reserved, of which runtimes like those of node and java take far more than they use.
            lower(resource.RLIMIT_DATA, memory_bytes, memory_bytes)
        os.execv(command[0], command)
    except OSError as error:
        say(control, f"exec {error.errno}")
    finally:
        os._exit(127)


def lower(kind: int, soft: int, hard: int) -> None:
    """Set a limit; one that is already lower stays."""
    _, ceiling = resource.getrlimit(kind)
    if ceiling != resource.RLIM_INFINITY:
        soft, hard = min(soft, ceiling), min(hard, ceiling)
    resource.setrlimit(kind, (soft, hard))


def let_go_of_stdio() -> None:
    """Only the program and its descendants hold the pipes: those end when they do."""
    null = os.open(os.devnull, os.O_RDWR)
    for descriptor in (0, 1, 2):
        os.dup2(null, descriptor)


def kill_on_hangup(
    control: int, started: _thread.LockType, program: list[int], ended: list[int]
) -> None:
    while os.read(control, 1):
        pass
    started.acquire()
    if not ended:
        kill_group(program[0])
        kill(program[0])


def end_all(child: int) -> bool:
    """Kill what descends from this process until nothing is left; whether that was reached."""
    # The group goes at once: what forks faster than a walk over /proc can follow is mostly in it.
    kill_group(child)
    limit = time.monotonic() + PATIENCE
    while time.monotonic() < limit:
        try:
            while os.waitpid(-1, os.WNOHANG)[0]:
                pass
        except ChildProcessError:
            return True
        for pid in descendants():
            kill(pid)
        time.sleep(0.001)
    return False


def descendants() -> list[int]:
    children: dict[int, list[int]] = {}
    for name in os.listdir("/proc") if IS_LINUX else ():
        if name.isdigit():
            parent = parent_of(name)
            children.setdefault(parent, []).append(int(name))
    found = list(children.get(os.getpid(), ()))
    for pid in found:
        found += children.get(pid, ())
    return found


def parent_of(pid: str) -> int:
    """From /proc/PID/stat, where the name of the program may hold spaces and parentheses."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as stat:
            return int(stat.read().rpartition(b")")[2].split()[1])
    except OSError:
        return 0


def kill(pid: int) -> None:
    try:
        os.kill(pid, SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def kill_group(leader: int) -> None:
    try:
        os.killpg(leader, SIGKILL)
    except (ProcessLookupError, PermissionError):
        return


def say(control: int, words: str) -> None:
    try:
        os.write(control, f"{words}\n".encode())
    except OSError:
        # Whoever listened is gone; the killing goes on all the same.
        return


if __name__ == "__main__":
    main(int(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]), sys.argv[4:])
    # Without the interpreter's tidying, which takes as long as all of the above.
    os._exit(0)
