"""Which events a command is about: the options that all who list events have, and their filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cra.errors import FilterError
from cra.ledger.source import Source

if TYPE_CHECKING:
    from cra.ledger.filter import Filter

FilterText: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--filter", metavar="EXPR", help="Only events that fit this filter: cra help filters."
    ),
]
EventType: TypeAlias = Annotated[
    str | None, typer.Option("--event-type", metavar="GLOB", help="Only events of these types.")
]
Severity: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--severity",
        metavar="LEVEL",
        help="Only at least this severe: debug, info, warn or error.",
    ),
]

# The options that stand for a term of a filter, by the term's key.
_OPTIONS: Final = {
    "type": "--event-type",
    "severity": "--severity",
    "actor": "--actor",
    "span": "--span",
}


def filter_of(text: str | None, **options: str | None) -> Filter:
    """The filter of an expression and of the options, named like the keys that they stand for.

    Raises FilterError, about an option in the words of the command line.
    """
    from cra.ledger.filter import combine

    now = Source().now()
    for key, value in options.items():
        try:
            combine(None, now, **{key: value})
        except FilterError as error:
            option = _OPTIONS[key]
            error.where = option
            if error.fix is not None:
                error.fix = f"{option} {error.fix.removeprefix(f'{key}:')}"
            raise
    return combine(text, now, **options)
