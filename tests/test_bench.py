"""The benchmarks run and say what they were to measure; what they measure is no test."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

ROOT = Path(__file__).parents[1]

# One worker measures for all tests of this file.
pytestmark = pytest.mark.xdist_group("bench")

HEADERS = ["what", "ours", "spread", "ceiling", "ratio", "budget", "met?"]
ROWS = [
    "batch of 250, one lock",
    "lock per event",
    "lock per event, p50",
    "lock per event, p99",
    "durability always",
    "durability always, p50",
    "durability always, p99",
    "barrier per event",
    "barrier per event, p50",
    "barrier per event, p99",
]


def bench(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "bench", *arguments],
        cwd=ROOT,
        capture_output=True,
        text=True,
        check=False,
        timeout=300,
    )


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where the benchmarks may write."""
    return tmp_path_factory.mktemp("bench")


@pytest.fixture(scope="module")
def printed(folder: Path) -> list[str]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("TMPDIR", str(folder))
        answer = bench("append", "--quick", "--events", "100", "--json", folder / "facts.json")
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.splitlines()


@pytest.fixture
def facts(folder: Path, printed: list[str]) -> Any:
    assert printed
    return json.loads((folder / "facts.json").read_text(encoding="utf-8"))


def test_the_table_has_a_row_for_each_way_to_append(printed):
    start = next(number for number, line in enumerate(printed) if line.startswith("what "))
    rows = printed[start + 1 : start + 1 + len(ROWS)]

    assert printed[start].split() == HEADERS
    assert [row.split("  ")[0] for row in rows] == ROWS


def test_each_budget_is_said_to_be_met_or_not(printed):
    assert sum("≥" in line and line.endswith(("yes", "no")) for line in printed) == 3


def test_rivals_and_ceilings_stand_beside_it(printed):
    kinds = {line.split("  ")[0]: line.split() for line in printed}

    assert "ceiling" in kinds["write + fdatasync"]
    assert "rival" in kinds["sqlite3 WAL/FULL, 250 each"]


def test_the_file_has_the_rows_of_the_table(facts):
    assert [row["what"] for row in facts["benchmarks"]["append"]["rows"]] == ROWS


def test_nothing_stays_behind_and_no_path_is_named(folder, printed, facts):
    text = "\n".join(printed) + json.dumps(facts)

    assert [path.name for path in folder.iterdir()] == ["facts.json"]
    assert str(folder) not in text
    assert str(ROOT) not in text


def test_an_unknown_benchmark_is_refused_with_the_names_there_are():
    answer = bench("speed")

    assert answer.returncode == 2
    assert "append, writers, verify, read, tail, decide" in answer.stderr
