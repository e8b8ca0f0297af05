"""The how-to pages are what they say, each from an empty directory to its end."""

from __future__ import annotations

import pytest

from tests.console import follow_page, untrue
from tests.program import ROOT

PAGES = sorted(ROOT.glob("docs/howto/*.md"))
of_each_page = pytest.mark.parametrize("page", PAGES, ids=lambda path: path.stem)


@of_each_page
def test_a_page_is_true(tmp_path, page):
    ran = follow_page(tmp_path, page.read_text())

    assert untrue(ran) == []
    assert len(ran) > 10


@of_each_page
def test_the_readme_leads_to_a_page(page):
    assert f"(docs/howto/{page.name})" in (ROOT / "README.md").read_text()
