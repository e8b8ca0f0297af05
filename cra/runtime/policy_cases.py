"""The tests of a project's policies: files of cases, and what its rules say of each."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from cra.atlas.problem import Problems, read_source, refusal
from cra.errors import Fault, NotFound
from cra.policy.fixture import Case, Result, read_cases, run_cases
from cra.runtime.project import Project

# `policies/` itself holds rules alone, and no directories.
TESTS: Final = "tests/policies"
_SUFFIXES: Final = (".json", ".yaml", ".yml")
_MAX_BYTES: Final = 1 << 20


class PlacedCase(NamedTuple):
    """A test and the file that it is in, and its line and column there."""

    file: str
    place: tuple[int, int]
    case: Case


class PlacedResult(NamedTuple):
    """What came of a test, and where that is written."""

    file: str
    place: tuple[int, int]
    result: Result


def files_of_tests(places: Sequence[Path]) -> list[Path]:
    """The files that are named, and those in directories that are. Raises NotFound."""
    found = []
    for place in places:
        if place.is_file():
            found.append(place)
            continue
        names = sorted(os.listdir(place)) if place.is_dir() else []
        # What begins with a dot is an editor's, as in `policies/`.
        found_here = (name for name in names if not name.startswith("."))
        inside = [place / name for name in found_here if name.endswith(_SUFFIXES)]
        if not inside:
            raise NotFound(
                "expected tests of policies, found none",
                where=str(place),
                fix=f"write {TESTS}/NAME.json; cra policy test --help says what it holds",
            )
        found += inside
    return found


def read_tests(paths: Sequence[Path], start: Path) -> list[PlacedCase]:
    """The tests of all files, which are named from `start`. Raises AtlasError with every mistake
    in them."""
    problems = Problems()
    found: list[PlacedCase] = []
    for path in paths:
        file = os.path.relpath(path, start)
        with open(path, "rb") as stream:
            data = stream.read(_MAX_BYTES + 1)
        source, node = read_source(file, data, problems)
        if node is not None:
            cases = read_cases(node, source.noting(Fault.MALFORMED))
            # What has a mistake has no cases.
            written = node.value["tests"][1].value if cases else ()
            found += [
                PlacedCase(file, source.place(item.offset), case)
                for item, case in zip(written, cases, strict=True)
            ]
    if problems.errors:
        raise refusal("tests", problems.errors, "cra policy test --help says what a test holds")
    return found


def run_tests_of(project: Project, tests: Sequence[PlacedCase]) -> Iterator[PlacedResult]:
    """Each test decided by the project's rules."""
    schemas = {
        action_id: action.parameters_schema
        for action_id, (_, action) in project.snapshot.actions.items()
    }
    results = run_cases(project.policy, schemas, [test.case for test in tests])
    for (file, place, _), result in zip(tests, results, strict=True):
        yield PlacedResult(file, place, result)
