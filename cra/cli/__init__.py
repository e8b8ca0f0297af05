"""The command line: `run` carries out one command and is the one place that catches.

A command is a plain function with typer's annotations, named in the table of `cra.cli.commands`, in
a module named after its group. It reads its arguments, calls the library, prints through
`cra.cli.output`, raises CraError, and returns an ExitCode or None.
"""

from __future__ import annotations

import errno
import os
import sys
from collections.abc import Sequence
from typing import Final

from cra.cli import output
from cra.cli.commands import COMMANDS, GROUPS, TOPICS, group_help, static_help, unknown
from cra.errors import CraError, ExitCode, NotFound, UsageError

# A disk that is full, whose user may have no more of it or no larger file, that takes nothing, or
# that fails.
_DISK: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG, errno.EROFS, errno.EIO})
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
        told = _in_words(error)
        if told is None:
            raise
        output.report(told, as_json=_wants_json(arguments), words=arguments)
        code = told.exit_code
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


def _in_words(error: OSError) -> CraError | None:
    """The system's word on a disk or on a path that the user named, in the form of every other
    error; None for what only a bug comes to."""
    reason = (error.strerror or type(error).__name__).lower()
    path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else ""
    told: CraError
    if error.errno in _DISK:
        told = CraError(
            f"expected a disk that reads and writes, found: {reason}",
            where=path or None,
            fix="make room on the disk, or mend it, then run the command again",
        )
    elif error.filename is not None:
        kind = NotFound if isinstance(error, FileNotFoundError) else UsageError
        told = kind(f"expected a path that cra can use, found: {reason}", where=path or None)
    elif isinstance(error, FileNotFoundError) and _is_nowhere():
        told = NotFound(
            "expected a working directory, found that it has been removed",
            fix="cd to a directory that is there",
        )
    else:
        return None
    told.__cause__ = error
    return told


def _is_nowhere() -> bool:
    """Whether the directory that the command was started in is gone."""
    try:
        os.getcwd()  # pathlib loads what this has no need of
    except FileNotFoundError:
        return True
    return False
