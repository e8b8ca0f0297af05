"""What the README shows is what happens."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.console import blocks, follow
from tests.program import ROOT, answer, cra

TWO_MINUTES = (ROOT / "README.md").read_text().partition("## Two minutes")[2]


@pytest.fixture
def project(tmp_path):
    """The directory in which the README's commands were run, and what each one did."""
    return tmp_path, follow(tmp_path, blocks(TWO_MINUTES, "console")[0])


def test_the_two_minutes_are_true(project):
    _, ran = project

    assert [step.done.returncode for step in ran] == [0, 0, 0, 0, 0, 1, 0, 0]
    assert [step.seen for step in ran] == [step.shown for step in ran]
    assert ran[-1].done.stdout.splitlines()[-1].startswith("INTACT")


def test_one_changed_byte_is_tampering(project):
    place, _ = project
    [trace] = (place / "cra.trace").glob("0*.trace.jsonl")
    trace.write_bytes(trace.read_bytes().replace(b'"amount":950', b'"amount":951', 1))

    said = cra(place, "trace", "verify")

    assert said.returncode == 3
    assert "TAMPERED" in said.stdout
    assert "event 5" in said.stdout


def run(place: Path, program: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-c", program],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_python_example_runs(project):
    place, _ = project

    said = run(place, blocks(TWO_MINUTES, "python")[0] + "\nprint(tickets[0]['id'])\n")

    assert (said.stdout, said.stderr) == ("1042\n", "")
    answer(place, "trace", "verify", "--require", "L1")


def test_the_function_runs_where_a_rule_allows_it(project):
    place, _ = project
    program = blocks(TWO_MINUTES, "python")[1] + "\nprint(ship(7))\n"
    refused = run(place, program)
    (place / "policies").mkdir()
    rule = {"policy_id": "shipping", "type": "allow", "actions": ["shop.ship"]}
    (place / "policies" / "shop.json").write_text(json.dumps(rule))

    allowed = run(place, program)

    assert "Denied" in refused.stderr
    assert (allowed.stdout, allowed.stderr) == ("order 7 is on its way\n", "")
