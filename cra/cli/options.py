"""The options that commands share, each declared once.

A command writes `as_json: Json = False`. Every command has --quiet and --verbose without saying so.
"""

from __future__ import annotations

from pathlib import Path
from typing import Annotated, TypeAlias

import typer

from cra.cli import output

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
