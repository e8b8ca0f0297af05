"""The examples are what they say: each is valid, passes its own tests, and does what it shows."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import pytest

from tests.program import ROOT, answer

EXAMPLES = ROOT / "examples"
ATLASES = sorted(path.parent for path in EXAMPLES.glob("atlases/*/atlas.json"))
of_each_atlas = pytest.mark.parametrize("atlas", ATLASES, ids=lambda path: path.name)


@of_each_atlas
def test_an_example_passes_its_own_scenarios(tmp_path, atlas):
    found = json.loads(answer(tmp_path, "atlas", "test", atlas, "--json"))

    assert found["failed"] == 0
    assert found["passed"] >= 2


@of_each_atlas
def test_an_example_has_no_warning(tmp_path, atlas):
    found = json.loads(answer(tmp_path, "atlas", "validate", atlas, "--json"))

    assert found["warnings"] == []


def added(place: Path, name: str) -> Path:
    """A project with one of the examples."""
    shutil.copytree(EXAMPLES / "atlases" / name, place / name)
    answer(place, "init")
    answer(place, "atlas", "add", name, "--yes")
    return place


def test_the_desk_is_one_file_of_the_project_wherever_its_commands_are_run(tmp_path):
    shop = added(tmp_path, "support-desk")
    answer(shop, "resolve", "--goal", "answer the ticket about the printer")
    answer(shop / "support-desk", "execute", "ticket.close", "--param", "id=1042")

    [ticket] = json.loads(answer(shop, "execute", "ticket.list"))

    assert ticket["id"] == 1043
    assert list(shop.rglob("desk.db")) == [shop / "desk.db"]
