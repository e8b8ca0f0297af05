"""`cra trace diff`: two sessions, compared as a replay compares."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, get_args

import typer

from cra.cli import output
from cra.cli.options import Json, ProjectDir, TraceDir
from cra.cli.select import open_session
from cra.errors import ExitCode

if TYPE_CHECKING:
    from cra.cli.answers.replay import TraceDiffAnswer


def diff(
    one: Annotated[
        str,
        typer.Argument(metavar="A", help="An id or how one begins, `last`, or a file."),
    ],
    other: Annotated[str, typer.Argument(metavar="B", help="What it is compared with.")],
    *,
    order: Annotated[
        str,
        typer.Option(
            "--order", metavar="ORDER", help="partial, strict, unordered, subset or superset."
        ),
    ] = "partial",
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Compare two sessions: what was decided, what was done, and in what order.

    Ids, times, hashes and durations make no difference, and steps that ran at the same time have no
    order. The exit code is 1 if something of weight differs.

      cra trace diff 0190 last
      cra trace diff copy/0190….trace.jsonl last --order strict --json
    """
    from cra.cli.differences import difference_facts, show_differences
    from cra.cli.replay import one_of
    from cra.replay.compare import Order, compare
    from cra.replay.differing import tally
    from cra.replay.reading import Trace

    chosen: Order = one_of(order, get_args(Order), "--order") or "partial"
    first, second = (open_session(text, project, trace_dir) for text in (one, other))
    with Trace(first) as golden, Trace(second) as found, output.working("comparing"):
        compared = compare(golden, found, order=chosen)
    if as_json:
        facts: TraceDiffAnswer = {
            "compatibility": compared.compatibility,
            "golden_events": compared.golden_events,
            "found_events": compared.found_events,
            "differences": [*map(difference_facts, compared.differences)],
        }
        output.answer_json(facts)
    else:
        words = compared.compatibility.replace("_", " ")
        style = {"breaking": "bad", "minor": "warn"}.get(compared.compatibility, "good")
        told = f": {tally(compared.differences)}" if compared.differences else ""
        events = f"{compared.golden_events} and {compared.found_events} events"
        output.answer(f"{output.style(words, style)}{told} ({events})")
        show_differences(compared.differences, first, all_of_them=output.is_verbose())
    return ExitCode.NO if compared.compatibility == "breaking" else ExitCode.OK
