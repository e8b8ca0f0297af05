"""Executors: the code that carries out what was decided, one module per kind.

What fails is a value; only a bug of cra raises. No value of a secret that an execution was handed
leaves in its outcome.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Any, Final

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
from cra.runtime.executors import file, host, http, process, python, static
from cra.runtime.executors.mask import masked
from cra.runtime.executors.work import Failed, Outcome, Stopped, Work

EXECUTORS: Final[Mapping[type[Executor | HostExecutor], Callable[[Any, Work], Outcome]]] = {
    FileExecutor: file.run,
    HostExecutor: host.run,
    HttpExecutor: http.run,
    ProcessExecutor: process.run,
    PythonExecutor: python.run,
    StaticExecutor: static.run,
}

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
        outcome = EXECUTORS[type(executor)](executor, replace(work, secret=secret))
    except Stopped as stopped:
        outcome = stopped.failed
    outcome = masked(outcome, handed) if handed else outcome
    return _with_excerpts(outcome) if isinstance(outcome, Failed) else outcome


def _with_excerpts(failed: Failed) -> Failed:
    """Only the end of each output. Cut any earlier, half of a secret would be found by no mask."""
    details = {
        name: value[-_EXCERPT:].decode(errors="replace") if isinstance(value, bytes) else value
        for name, value in failed.details.items()
    }
    return replace(failed, details=details)
