"""The program's entrance: it answers `--version` at once and hands the rest to `cra.cli`."""

from __future__ import annotations

import sys
from typing import NoReturn

from cra import __version__


def program() -> NoReturn:
    """Run `main` as a program, which ends at once: every stream is flushed, and freeing each object
    first, which the system does anyway, takes a sixth of a command's time."""
    code = main()
    import atexit
    import os

    atexit._run_exitfuncs()  # noqa: SLF001  # what others registered is called all the same
    os._exit(code)


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] in (["--version"], ["-V"]):
        return _say(f"cra {__version__}")
    # The version is asked for by scripts, on each of their runs: it loads nothing else.
    from cra.cli import run

    return run(arguments)


def _say(text: str) -> int:
    try:
        print(text, flush=True)  # noqa: T201  # `cra.cli.output` loads what this has no need of
    except BrokenPipeError:
        return 0
    except OSError as error:
        sys.exit(f"cra: expected to write to stdout, found: {error.strerror}")
    return 0


if __name__ == "__main__":
    program()
