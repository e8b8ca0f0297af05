"""How a command tells of the tests that it ran."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import groupby
from typing import NamedTuple

from cra.cli import output


class Tested(NamedTuple):
    """A test, and what came out otherwise than it expects; nothing if it passed."""

    file: str
    name: str
    problems: Sequence[str]
    # Where it is written, if that says more than the file.
    where: str = ""


def show_tested(found: Sequence[Tested]) -> None:
    for file, tests in groupby(found, lambda test: test.file):
        output.answer(output.style(output.safe(file), "accent"))
        for _, name, problems, where in tests:
            verdict = output.style("FAILED", "bad") if problems else output.style("passed", "good")
            told = output.wrapped(name, indent=" " * 10).lstrip(" ")
            output.answer(f"  {verdict}  {told}")
            for problem in [*problems, where] if problems and where else problems:
                output.answer(output.wrapped(problem, indent=" " * 10))
    failed = sum(bool(test.problems) for test in found)
    told = f"{failed} failed"
    output.answer(f"{len(found) - failed} passed, {output.style(told, 'bad') if failed else told}")
