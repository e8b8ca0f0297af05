"""The options that commands share, each declared once.

A command writes `as_json: Json = False`. Every command has --quiet and --verbose without saying so.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, TypeAlias

import typer

from cra.cli import output


def at_least(least: int) -> Callable[[str | int], int]:
    """What reads a whole number from `least` on, for an option."""

    def read(text: str | int) -> int:
        digits = str(text)
        if not re.fullmatch("[0-9]{1,15}", digits) or int(digits) < least:
            found = digits if re.fullmatch("-?[0-9]{1,15}", digits) else repr(digits[:40])
            raise typer.BadParameter(f"expected a whole number from {least} on, found {found}")
        return int(digits)

    return read


def agent_option(told: str) -> Any:
    """The option that says who acts. Whoever is one agent for a while says so once, in the
    environment; an option that only chooses what is shown does not go by that."""
    return typer.Option("--agent", metavar="NAME", envvar="CRA_AGENT", help=told)


Json: TypeAlias = Annotated[bool, typer.Option("--json", help="Print the same facts as JSON.")]
Quiet: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--quiet", "-q", callback=output.set_quiet, help="Print the answer and errors only."
    ),
]
Verbose: TypeAlias = Annotated[
    bool,
    typer.Option(
        "--verbose", "-v", callback=output.set_verbose, help="Say more about the run on stderr."
    ),
]
Yes: TypeAlias = Annotated[bool, typer.Option("--yes", "-y", help="Answer yes to every question.")]
Output: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--output", "-o", metavar="FILE", help="Write to a file, whole or not at all; - is stdout."
    ),
]
DryRun: TypeAlias = Annotated[
    bool, typer.Option("--dry-run", help="Say what would change, and change nothing.")
]
ProjectDir: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--project",
        "-C",
        metavar="DIR",
        envvar="CRA_PROJECT",
        help="The project's directory, instead of the nearest one upwards.",
    ),
]
TraceDir: TypeAlias = Annotated[
    Path | None,
    typer.Option(
        "--trace-dir",
        metavar="DIR",
        help="The ledger's directory, instead of the configured one (CRA_TRACE_DIRECTORY).",
    ),
]
