"""A function of a file of the atlas: in a thread of this process, or in an interpreter of its own.

In this process it is trusted as cra is, and a timeout cannot end it. In its own it starts with an
empty directory and a scrubbed environment, and ends with everything that it started.
"""

from __future__ import annotations

import base64
import copy
import json
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

import cra
from cra.atlas.model import PythonExecutor
from cra.canonical import unwrap
from cra.runtime.executors.call import FunctionCall, perform
from cra.runtime.executors.thread import within
from cra.runtime.executors.work import Done, Failed, Outcome, Work

if TYPE_CHECKING:
    from cra.runtime.executors.child import Ended

_ISOLATED: Final = Path(__file__).with_name("isolated.py")
# What an isolated function may give back, and what it may print.
_MAX_OUTPUT: Final = 16 << 20


def run(executor: PythonExecutor, work: Work) -> Outcome:
    # A copy, for a function that is still running may change it.
    arguments = copy.deepcopy(dict(work.arguments))
    call = FunctionCall(work.package, work.files, executor.file, executor.function, arguments)
    if executor.isolation == "process":
        return _isolated(call, work.timeout)
    return _in_process(call, work)


def _in_process(call: FunctionCall, work: Work) -> Outcome:
    try:
        return within(work.timeout, f"cra {work.action_id}", lambda: perform(call))
    except TimeoutError:
        message = f"expected {call.function} to return in time; it cannot be ended in this process"
        return Failed("timeout", message, still_running=True)


def _isolated(call: FunctionCall, timeout: float) -> Outcome:
    # What a function of this process has no use for.
    from cra.runtime.executors.child import Program, own_directory, run_program, scrubbed

    with own_directory() as home:
        program = Program(
            command=(sys.executable, "-I", str(_ISOLATED)),
            environment=scrubbed(home),
            directory=home,
            stdin=_request(call),
            max_output_bytes=_MAX_OUTPUT,
        )
        ended = run_program(program, timeout)
    return ended if isinstance(ended, Failed) else _answered(ended)


def _request(call: FunctionCall) -> bytes:
    files = {name: base64.b64encode(data).decode() for name, data in call.files.items()}
    # Where the child finds this very package, with -I and wherever it is installed.
    home = str(Path(cra.__path__[0]).parent)
    request = {
        "home": home,
        "package": call.package,
        "files": files,
        "file": call.file,
        "function": call.function,
        "arguments": call.arguments,
    }
    return json.dumps(request).encode()


def _answered(ended: Ended) -> Outcome:
    try:
        answer = json.loads(ended.stdout)
        return Failed(**answer["failed"]) if "failed" in answer else Done(unwrap(answer["result"]))
    except (ValueError, TypeError, KeyError, RecursionError):
        # The function ended its interpreter, or wrote to the descriptor of the answer.
        details = {"exit_code": ended.exit_code, "stderr": ended.stderr}
        message = "expected the interpreter to end with a result, found that it ended without one"
        return Failed("exit_code", message, details)
