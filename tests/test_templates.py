"""`cra init --template`: a project that stands, and that is merged with a later template."""

from __future__ import annotations

import pytest

from cra.redaction.detect import DEFAULT, find
from tests.console import follow_page, untrue
from tests.program import ROOT, answer

TEMPLATES = sorted(path.parent.name for path in ROOT.glob("templates/*/template.json"))
of_each_template = pytest.mark.parametrize("name", TEMPLATES)


@of_each_template
def test_the_page_of_a_project_is_true(tmp_path, name):
    answer(tmp_path, "init", "--template", name)
    page = (tmp_path / "README.md").read_text()

    ran = follow_page(tmp_path, page)

    assert untrue(ran) == []
    assert len(ran) > 5
    assert find(DEFAULT, page) == []
