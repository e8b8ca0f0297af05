"""The program's entrance: it answers `--version` at once and hands the rest to `cra.cli`."""

from __future__ import annotations

import sys

from cra import __version__


def main() -> int:
    arguments = sys.argv[1:]
    if arguments[:1] in (["--version"], ["-V"]):
        sys.stdout.write(f"cra {__version__}\n")
        return 0
    # The version is asked for by scripts, on each of their runs: it loads nothing else.
    from cra.cli import run

    return run(arguments)


if __name__ == "__main__":
    sys.exit(main())
