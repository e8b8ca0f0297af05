"""`cra conformance`: whether this cra answers as the protocol says."""

from __future__ import annotations

from collections import Counter
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, get_args

import typer

from cra.cli import output
from cra.cli.options import Json
from cra.conformance.report import Level
from cra.errors import ExitCode

if TYPE_CHECKING:
    from cra.conformance.report import CaseResult, ConformanceReport


def conformance(
    directory: Annotated[
        Path | None,
        typer.Argument(metavar="DIR", help="Other cases than those of this cra's protocol."),
    ] = None,
    *,
    as_json: Json = False,
) -> ExitCode:
    """Run the cases that every implementation of the protocol answers alike.

    Each case has a project of its own in a temporary directory; nothing of yours is read or
    written. The exit code is 1 if a case fails. specs/conformance/CONFORMANCE.md says what the
    cases and the levels are.

      cra conformance
      cra conformance --json
    """
    from cra.conformance.case import read_suite
    from cra.conformance.run import cases_directory, run_suite

    files = read_suite(directory or cases_directory())
    with output.progress(sum(len(file.cases) for file in files), "cases") as advance:
        report = run_suite(files, advance)
    if as_json:
        output.answer_json(asdict(report))
    else:
        _print(report)
    return ExitCode.NO if report.test_run.failed else ExitCode.OK


def _print(report: ConformanceReport) -> None:
    areas = Counter((result.details.level, _area(result)) for result in report.results)
    failed = [result for result in report.results if result.status == "failed"]
    failures = Counter(map(_area, failed))
    levels = get_args(Level)
    rows = [
        (area, level, total - failures[area], failures[area])
        for (level, area), total in sorted(areas.items(), key=lambda row: levels.index(row[0][0]))
    ]
    output.table(rows, ("AREA", "LEVEL", "PASSED", "FAILED"))
    for result in failed:
        output.answer(f"{output.style('FAILED', 'bad')}  {output.safe(result.test_id)}")
        title = f"{result.details.title} (section {result.details.section})"
        output.answer(output.wrapped(title, indent="  "))
        for difference in result.details.differences:
            output.answer(f"  {output.style(output.safe(difference.at), 'accent')}")
            output.answer(output.wrapped(f"expected  {difference.expected}", indent="    "))
            output.answer(output.wrapped(f"found     {difference.found}", indent="    "))
    run = report.test_run
    verdict = output.style(report.conformance_level, "bad" if failed else "good")
    output.answer(
        f"conformance level {verdict}: {run.passed} of {run.total} cases passed "
        f"in {run.duration_ms / 1000:.1f} s"
    )


def _area(result: CaseResult) -> str:
    return result.test_id.partition(".")[0]
