"""The examples are what they say: each atlas is valid, and passes its own scenarios."""

from __future__ import annotations

import json

import pytest

from tests.program import ROOT, answer

ATLASES = sorted(path.parent for path in (ROOT / "examples" / "atlases").glob("*/atlas.json"))


@pytest.mark.parametrize("atlas", ATLASES, ids=lambda path: path.name)
def test_an_example_passes_its_own_scenarios(tmp_path, atlas):
    found = json.loads(answer(tmp_path, "atlas", "test", atlas, "--json"))

    assert found["failed"] == 0
    assert found["passed"] >= 2


@pytest.mark.parametrize("atlas", ATLASES, ids=lambda path: path.name)
def test_an_example_has_no_warning(tmp_path, atlas):
    found = json.loads(answer(tmp_path, "atlas", "validate", atlas, "--json"))

    assert found["warnings"] == []
