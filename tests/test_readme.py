"""What the README shows is what happens."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from hashlib import sha256
from pathlib import Path

import pytest

from tests.console import blocks, follow
from tests.program import ROOT, answer, at_terminal, cra

TWO_MINUTES = (ROOT / "README.md").read_text().partition("## Two minutes")[2]


@pytest.fixture
def project(tmp_path):
    """The directory in which the README's commands were run, and what each one did."""
    return tmp_path, follow(tmp_path, blocks(TWO_MINUTES, "console")[0])


def test_the_two_minutes_are_true(project):
    _, ran = project

    assert [step.done.returncode for step in ran] == [0, 0, 0, 0, 1, 1, 4, 0, 0, 0, 0, 3, 0, 0]
    assert [step.seen for step in ran] == [step.shown for step in ran]
    assert ran[9].done.stdout.splitlines()[-1].startswith("INTACT: 1 session, 7 events; L2")


def test_a_call_that_waits_is_granted_where_it_was_asked_for_and_afterwards(project):
    place, _ = project
    call = ("execute", "refund.issue", "--param", "ticket=1042", "--param")

    code, screen = at_terminal(place, "approvals", "grant", "last", typed="y\n")
    assert (code, "amount" in screen) == (0, True)
    assert cra(place, *call, "amount=80").returncode == 0

    code, screen = at_terminal(place, *call, "amount=70", typed="y\n")
    assert (code, '"amount": 70' in screen) == (0, True)
    assert cra(place, *call, "amount=70").returncode == 4


def test_what_guards_it_in_ci_is_true_and_passes(project):
    place, _ = project

    ran = follow(place, blocks(TWO_MINUTES, "console")[1])

    assert [step.done.returncode for step in ran] == [0, 0, 0]
    assert ran[1].done.stdout.startswith("2 goldens: 2 passed, 0 failed\n")


def test_the_installation_that_is_shown_needs_nothing_but_python():
    [block] = blocks(TWO_MINUTES, "sh")

    made, installed = block.splitlines()
    assert made.startswith("python3 -m venv ")
    assert installed == "pip install ."


def test_the_pages_that_are_linked_exist():
    page = (ROOT / "README.md").read_text()
    links = [link for link in re.findall(r"\]\(([^)]*)\)", page) if "://" not in link]

    assert {"examples/lnav/", "specs/verify.py.sha256"} <= {*links}
    assert [link for link in links if not (ROOT / link).exists()] == []


def test_the_digest_of_the_verifier_is_published(project):
    """`sha256sum verify.py > verify.py.sha256` in specs/ writes it anew."""
    _, ran = project
    digest = sha256((ROOT / "specs" / "verify.py").read_bytes()).hexdigest()

    assert (ROOT / "specs" / "verify.py.sha256").read_text() == f"{digest}  verify.py\n"
    assert f"its verify.py has the SHA-256 {digest}, as specs/verify.py.sha256" in (
        ran[-2].done.stderr
    )


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
    [ours] = [
        one
        for one in json.loads(answer(place, "session", "list", "--json"))["sessions"]
        if one["agent_id"] == "reviewer"
    ]
    assert ours["state"] == "ended"
    answer(place, "trace", "verify", "--require", "L1")


def test_the_function_runs_where_a_rule_allows_it(project):
    place, _ = project
    program = blocks(TWO_MINUTES, "python")[1] + "\nprint(ship(7))\n"
    refused = run(place, program)
    rule = {"policy_id": "shipping", "type": "allow", "actions": ["shop.ship"]}
    (place / "policies" / "shop.json").write_text(json.dumps(rule))

    allowed = run(place, program)

    assert "Denied" in refused.stderr
    assert (allowed.stdout, allowed.stderr) == ("order 7 is on its way\n", "")
