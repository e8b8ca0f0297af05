"""A program: an argv made from a template, never a line for a shell.

A placeholder fills its one element, or a part of it, whatever the argument holds. A list or an
object is its canonical JSON there; an argument that is missing or null is refused, so that no
element silently falls away.

On Linux everything that descends from a program ends with it, in its group or not; elsewhere, what
is in its group, and nothing tells of what has left that. One that forks without end outside of its
group may do so faster than it is found: then only the tasks that the system allows (`ulimit -u`,
`pids.max` of a control group) bound it, and what could not be ended within seconds is said to be
`still_running`.
"""

from __future__ import annotations

import os
import signal
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from cra.atlas.model import ProcessExecutor
from cra.runtime.executors.child import PATH, Ended, Program, own_directory, run_program, scrubbed
from cra.runtime.executors.template import any_text_of, fill, with_secrets
from cra.runtime.executors.work import (
    Done,
    Failed,
    Outcome,
    Stopped,
    Work,
    parse_json,
    text_or_bytes,
)


def run(executor: ProcessExecutor, work: Work) -> Outcome:
    """With output `json`, the result is the value on stdout; else exit code, stdout and stderr."""
    _refuse_no_limit(executor)
    command = _command(executor, work.arguments)
    stdin = fill(executor.stdin or "", lambda name: any_text_of(work.arguments, name))
    with own_directory() as home:
        program = Program(
            command=command,
            environment=scrubbed(home) | _declared(executor, work),
            directory=home if executor.directory == "temporary" else work.project,
            stdin=stdin.encode(),
            max_output_bytes=executor.max_output_bytes,
            max_memory_bytes=executor.max_memory_bytes,
            max_cpu_seconds=executor.max_cpu_seconds,
        )
        ended = run_program(program, work.timeout)
    return ended if isinstance(ended, Failed) else _judged(executor, ended)


def _judged(executor: ProcessExecutor, ended: Ended) -> Outcome:
    if ended.exit_code not in executor.success:
        wanted = " or ".join(map(str, executor.success))
        found = (
            f"the signal {_signal_name(-ended.exit_code)}"
            if ended.exit_code < 0
            else ended.exit_code
        )
        details = {
            "exit_code": ended.exit_code,
            "stdout": ended.stdout,
            "stderr": ended.stderr,
        }
        return Failed("exit_code", f"expected exit code {wanted}, found {found}", details)
    if executor.output == "json":
        return Done(parse_json(ended.stdout, "stdout"))
    return Done(
        {
            "exit_code": ended.exit_code,
            "stdout": text_or_bytes(ended.stdout),
            "stderr": text_or_bytes(ended.stderr),
        }
    )


def _refuse_no_limit(executor: ProcessExecutor) -> None:
    limits = (executor.max_output_bytes, executor.max_memory_bytes, executor.max_cpu_seconds)
    if min(limits) < 1:
        raise Stopped("refused", f"expected limits of the program above 0, found {min(limits)}")


def _command(executor: ProcessExecutor, arguments: Mapping[str, Any]) -> tuple[str, ...]:
    def value(name: str) -> str:
        text = any_text_of(arguments, name)
        if text.startswith("-") and name not in executor.allow_options:
            raise Stopped(
                "refused",
                f"expected a value of {name} that is no option, found one that begins with -",
                fix=f"name {name} in allow_options if it may be one",
            )
        return text

    def no_value(name: str) -> str:
        raise Stopped(
            "refused", f"expected a fixed program, found the placeholder {name} in its place"
        )

    if not executor.command:
        raise Stopped("refused", "expected a command, found an empty one")
    program = _found(fill(executor.command[0], no_value))
    command = (program, *(fill(element, value) for element in executor.command[1:]))
    if any("\0" in element for element in command):
        raise Stopped("refused", "expected a command without NUL, found one in it")
    return command


def _found(program: str) -> str:
    """The path of a program, which is absolute or looked up on a fixed path."""
    if os.path.isabs(program):
        return program
    if "/" in program:
        raise Stopped(
            "refused", f"expected a name or an absolute path of a program, found {program!r:.80}"
        )
    for directory in PATH.split(":"):
        path = Path(directory, program)
        if path.is_file() and os.access(path, os.X_OK):
            return str(path)
    raise Stopped("not_found", f"expected the program {program} in {PATH}, found none")


def _declared(executor: ProcessExecutor, work: Work) -> dict[str, str]:
    environment = {
        name: with_secrets(text, work.secret) for name, text in executor.environment.items()
    }
    for name, text in environment.items():
        if not name or "=" in name or "\0" in name + text:
            raise Stopped(
                "refused", f"expected a variable without = and NUL, found another: {name!r:.80}"
            )
    return environment


def _signal_name(number: int) -> str:
    try:
        return signal.Signals(number).name
    except ValueError:
        return str(number)
