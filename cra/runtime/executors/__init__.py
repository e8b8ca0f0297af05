"""Executors: the code that carries out what was decided, one module per kind, loaded when an action
of that kind is executed: each takes something else, sockets, processes or a loader of code.

What fails is a value; only a bug of cra raises. No value of a secret that an execution was handed
leaves in its outcome.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from cra.atlas.model import (
    Executor,
    FileExecutor,
    HostExecutor,
    HttpExecutor,
    ProcessExecutor,
    PythonExecutor,
    StaticExecutor,
)
from cra.errors import CraError
from cra.runtime.executors.work import Failed, Outcome, Stopped, Work

# How much of an output a failure carries.
_EXCERPT: Final = 2_000


def run(executor: Executor | HostExecutor, work: Work) -> Outcome:
    """Carry out one action. A Ctrl-C passes through once everything that was started is ended."""
    handed: dict[str, str] = {}

    def secret(name: str) -> str:
        try:
            value = work.secret(name)
        except CraError as error:
            raise Stopped("refused", error.message, fix=error.fix) from None
        if not value:
            raise Stopped("refused", f"expected a value of the secret {name}, found an empty one")
        handed[value] = name
        return value

    try:
        outcome = _carried_out(executor, work._replace(secret=secret))
    except Stopped as stopped:
        outcome = stopped.failed
    if handed:
        from cra.runtime.executors.mask import masked

        outcome = masked(outcome, handed)
    return _with_excerpts(outcome) if isinstance(outcome, Failed) else outcome


def _carried_out(executor: Executor | HostExecutor, work: Work) -> Outcome:
    match executor:
        case FileExecutor():
            from cra.runtime.executors import file

            return file.run(executor, work)
        case HostExecutor():
            from cra.runtime.executors import host

            return host.run(executor, work)
        case HttpExecutor():
            from cra.runtime.executors import http

            return http.run(executor, work)
        case ProcessExecutor():
            from cra.runtime.executors import process

            return process.run(executor, work)
        case PythonExecutor():
            from cra.runtime.executors import python

            return python.run(executor, work)
        case StaticExecutor():
            from cra.runtime.executors import static

            return static.run(executor, work)


def _with_excerpts(failed: Failed) -> Failed:
    """Only the end of each output. Cut any earlier, half of a secret would be found by no mask."""
    details = {
        name: value[-_EXCERPT:].decode(errors="replace") if isinstance(value, bytes) else value
        for name, value in failed.details.items()
    }
    return replace(failed, details=details)
