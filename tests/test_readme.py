"""What the README shows is what happens."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.program import ROOT, answer, cra

README = (ROOT / "README.md").read_text()
EXAMPLE = ROOT / "examples" / "atlases" / "support-desk"


def block(language: str, *, number: int = 0) -> str:
    """A block of the two minutes."""
    text = README.partition("## Two minutes")[2]
    found: list[str] = re.findall(f"```{language}\n(.*?)```", text, re.DOTALL)
    return found[number]


def steps() -> list[tuple[list[str], str]]:
    """The commands of the two minutes, and what is shown below each."""
    parts = re.split(r"^\$ ", block("console"), flags=re.MULTILINE)
    commands = (part.partition("\n") for part in parts[1:])
    return [(shlex.split(command, comments=True), shown) for command, _, shown in commands]


@pytest.fixture
def project(tmp_path):
    """The directory in which the README's commands were run, and what each one did."""
    done = []
    for words, shown in steps():
        if words[0] == "cp":
            shutil.copytree(EXAMPLE, tmp_path / EXAMPLE.name)
        else:
            assert words[0] == "cra"
            done.append((cra(tmp_path, *words[1:]), shown))
    return tmp_path, done


def test_the_two_minutes_are_true(project):
    _, done = project

    assert [said.returncode for said, _ in done] == [0, 0, 0, 0, 1, 0, 0]
    assert [said.stdout for said, shown in done if shown] == [shown for _, shown in done if shown]
    assert done[-1][0].stdout.splitlines()[-1].startswith("INTACT")


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

    said = run(place, block("python") + "\nprint(tickets[0]['id'])\n")

    assert (said.stdout, said.stderr) == ("1042\n", "")
    answer(place, "trace", "verify", "--require", "L1")


def test_the_function_runs_where_a_rule_allows_it(project):
    place, _ = project
    program = block("python", number=1) + "\nprint(ship(7))\n"
    refused = run(place, program)
    (place / "policies").mkdir()
    rule = {"policy_id": "shipping", "type": "allow", "actions": ["shop.ship"]}
    (place / "policies" / "shop.json").write_text(json.dumps(rule))

    allowed = run(place, program)

    assert "Denied" in refused.stderr
    assert (allowed.stdout, allowed.stderr) == ("order 7 is on its way\n", "")
