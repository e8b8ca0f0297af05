"""The command line: `run` carries out one command and is the one place that catches.

A command is a plain function with typer's annotations, named in the table of `cra.cli.commands`, in
a module named after its group. It reads its arguments, calls the library, prints through
`cra.cli.output`, raises CraError, and returns an ExitCode or None.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Sequence
from typing import Final

from cra.cli import output
from cra.cli.commands import COMMANDS, GROUPS, TOPICS, group_help, static_help, unknown
from cra.errors import CraError, ExitCode, NotFound, UsageError

_COMPLETION: Final = "_CRA_COMPLETE"


def run(arguments: Sequence[str]) -> int:
    """Carry out one command line and return its exit code; a bug keeps its traceback."""
    output.prepare()
    code: int = ExitCode.OK
    try:
        code = _answer(arguments)
        output.flush()
    except BrokenPipeError:
        output.tell("the reader of stdout has left", detail=True)
    except KeyboardInterrupt:
        output.tell("\ninterrupted" if sys.stderr.isatty() else "interrupted")
        code = ExitCode.INTERRUPTED
    except CraError as error:
        output.report(error, as_json=_wants_json(arguments), words=arguments)
        code = error.exit_code
    except OSError as error:
        if error.filename is None:
            raise
        output.report(_about_a_path(error), as_json=_wants_json(arguments), words=arguments)
        code = ExitCode.USAGE
    output.settle()
    return code


def _answer(arguments: Sequence[str]) -> int:
    if os.environ.get(_COMPLETION):
        from cra.cli.group import complete

        return complete()
    text = static_help(arguments)
    if text is not None:
        output.answer(text)
        return ExitCode.OK
    if arguments[0] == "help":
        return _help(arguments[1:])
    # typer takes four times as long to load as all of the above.
    from cra.cli.group import invoke

    return invoke(arguments)


def _help(words: Sequence[str]) -> int:
    """`cra help`, `cra help TOPIC`, `cra help COMMAND` and `cra help CODE`."""
    path = " ".join(words)
    if path in TOPICS:
        from cra.cli.topics import topic

        output.answer(topic(path))
    elif path in COMMANDS:
        return _answer([*words, "--help"])
    elif path in GROUPS:
        output.answer(group_help(path))
    elif path.upper().startswith("CRA-"):
        return _answer(["explain", path])
    else:
        raise unknown("", path, others=TOPICS)
    return ExitCode.OK


def _wants_json(arguments: Sequence[str]) -> bool:
    # Looked up in the words themselves: an error in reading them is told in JSON as well.
    own = arguments[: arguments.index("--")] if "--" in arguments else arguments
    return "--json" in own


def _about_a_path(error: OSError) -> CraError:
    """The system's word on a path that the user named, in the form of every other error."""
    kind = NotFound if isinstance(error, FileNotFoundError) else UsageError
    reason = (error.strerror or type(error).__name__).lower()
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    fixed = kind(f"expected a path that cra can use, found: {reason}", where=path or None)
    fixed.__cause__ = error
    return fixed
