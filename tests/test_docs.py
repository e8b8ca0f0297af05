"""The documentation is what the program does: its commands run, its reference is the code's, and
its site is built without a warning."""

from __future__ import annotations

import os
import re
import shlex
import shutil
import subprocess
import sys
from itertools import takewhile
from pathlib import Path

import pytest

from cra.cli.commands import COMMANDS
from cra.cli.group import load
from cra.redaction.detect import DEFAULT, find
from docs.generate import REFERENCE, pages
from tests.console import blocks, follow_page, untrue
from tests.program import ROOT

DOCS = ROOT / "docs"
README = (ROOT / "README.md").read_text(encoding="utf-8")
RUN = {"tutorial.md": 30, "explanation/threat-model.md": 4}
# What a page has a browser fetch; a link that is followed by a person is none.
FETCHED = re.compile(
    r"<(?:script|img|link|iframe)\b[^>]*\b(?:src|href)=\"?((?:https?:)?//[^\">\s]+)"
)


def build(project: Path, site: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", str(site)],
        cwd=project,
        env={**os.environ, "NO_MKDOCS_2_WARNING": "1"},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def site(tmp_path_factory):
    place = tmp_path_factory.mktemp("built") / "site"
    done = build(ROOT, place)
    assert done.returncode == 0, done.stderr
    return place


@pytest.mark.parametrize("name", RUN)
def test_a_page_is_true_from_an_empty_directory(tmp_path, name):
    ran = follow_page(tmp_path, (DOCS / name).read_text(encoding="utf-8"))

    assert untrue(ran) == []
    assert len(ran) >= RUN[name]


@pytest.mark.parametrize("name", RUN)
def test_the_readme_leads_to_a_page(name):
    assert f"(docs/{name})" in README


def test_the_readme_is_short():
    assert len(README.split()) < 1500


def test_the_reference_is_the_one_that_the_code_makes():
    assert sorted(path.name for path in REFERENCE.iterdir()) == sorted(pages())
    stale = [
        name
        for name, text in pages().items()
        if (REFERENCE / name).read_text(encoding="utf-8") != text
    ]
    assert stale == [], "make docs"


def test_an_example_of_the_reference_is_a_command_line_that_the_program_accepts():
    shown = "".join(blocks((REFERENCE / "cli.md").read_text(encoding="utf-8"), "console"))
    lines = re.findall(r"^\$ (?:[A-Z_]+=\S+ )*cra (.*)$", shown, re.MULTILINE)

    assert len(lines) > 100
    for line in lines:
        parts = shlex.shlex(line, posix=True, punctuation_chars="|>")
        parts.whitespace_split = True
        # The rest is for the shell, or for another program.
        words = [*takewhile(lambda part: part not in ("|", ">"), parts)]
        path = next(name for name in (" ".join(words[:2]), words[0]) if name in COMMANDS)
        # Raises for an option, an argument or a value that the command does not take.
        load(path).make_context("cra", words[path.count(" ") + 1 :])


def test_the_tutorial_installs_as_the_readme_does():
    tutorial = (DOCS / "tutorial.md").read_text(encoding="utf-8")

    assert blocks(tutorial, "sh") == blocks(README, "sh")


@pytest.mark.parametrize(
    "path", sorted(DOCS.rglob("*.md")), ids=lambda path: str(path.relative_to(DOCS))
)
def test_a_page_holds_no_secret(path):
    assert find(DEFAULT, path.read_text(encoding="utf-8")) == []


def test_a_claim_of_the_threat_model_names_a_test_that_there_is():
    page = (DOCS / "explanation" / "threat-model.md").read_text(encoding="utf-8")
    named = set(re.findall(r"`(test_\w+)`", page))
    defined = {
        name
        for path in (ROOT / "tests").glob("test_*.py")
        for name in re.findall(r"^def (test_\w+)", path.read_text(encoding="utf-8"), re.M)
    }

    assert len(named) > 20
    assert named - defined == set()


def test_the_site_is_built_without_a_warning_and_fetches_nothing(site):
    made = {path: path.read_text(encoding="utf-8") for path in site.rglob("*.html")}

    assert len(made) > 30
    assert {
        str(path): found for path, text in made.items() if (found := FETCHED.findall(text))
    } == {}


def test_what_pages_link_to_outside_of_docs_is_on_the_site(site):
    protocol = (site / "specs" / "PROTOCOL" / "index.html").read_text(encoding="utf-8")
    home = (site / "index.html").read_text(encoding="utf-8")

    assert 'href="specs/PROTOCOL/"' in home
    assert 'id="71-levels"' in protocol
    assert (site / "specs" / "verify.py").read_bytes() == (ROOT / "specs/verify.py").read_bytes()
    assert [*site.rglob("*.pyc"), *site.glob("*.py")] == []


def test_a_folder_that_a_page_links_to_is_a_list_of_what_is_in_it(site):
    listed = (site / "examples" / "atlases" / "index.html").read_text(encoding="utf-8")

    for atlas in ROOT.glob("examples/atlases/*/atlas.json"):
        assert f'href="{atlas.parent.name}/"' in listed
        shown = site / "examples" / "atlases" / atlas.parent.name / "atlas.json"
        assert shown.read_bytes() == atlas.read_bytes()


def test_a_bar_in_code_in_a_table_is_a_bar_on_the_site(site):
    protocol = (site / "specs" / "PROTOCOL" / "index.html").read_text(encoding="utf-8")

    assert r'"runtime" \| "agent"' in (ROOT / "specs" / "PROTOCOL.md").read_text(encoding="utf-8")
    assert '"runtime" | "agent"' in protocol


@pytest.mark.parametrize(
    "link", ["../specs/NOTHING.md", "../../nothing.md", "howto/nothing.md", "tutorial.md#nothing"]
)
def test_a_link_to_nothing_fails_the_build(tmp_path, link):
    shutil.copytree(DOCS, tmp_path / "docs", ignore=shutil.ignore_patterns("__pycache__"))
    shutil.copy(ROOT / "mkdocs.yml", tmp_path)
    for name in ("specs", "examples"):
        (tmp_path / name).symlink_to(ROOT / name)
    (tmp_path.parent / "nothing.md").write_text("# Outside of the repository\n", encoding="utf-8")
    page = tmp_path / "docs" / "index.md"
    page.write_text(f"{page.read_text(encoding='utf-8')}\n[nowhere]({link})\n", encoding="utf-8")

    done = build(tmp_path, tmp_path / "site")

    assert done.returncode == 1
    assert "index.md" in done.stderr
    assert "nothing" in done.stderr.lower()
    assert "Aborted with 1 warnings in strict mode" in done.stdout + done.stderr
