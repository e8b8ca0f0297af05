"""`cra atlas create --from-docs`: a folder of documents as context, and what of it is none."""

from __future__ import annotations

import json
import os

import pytest

from tests.program import answer, cra

TOKEN = "ghp_16C7e42F292c6912E7710c838347Ae178B4a"


@pytest.fixture
def place(tmp_path):
    answer(tmp_path, "init", "--no-sign")
    write(
        tmp_path, "docs/guides/setup.md", "---\ntitle: x\n---\n```\n# no\n```\n# Set up a desk #\n"
    )
    write(tmp_path, "docs/index.rst", "=====\nAbout\n=====\n\nAll about it.\n")
    write(tmp_path, "docs/notes.txt", "# plain words\n")
    return tmp_path


def write(place, name, text):
    path = place / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    return path


def imported(place, *more):
    return json.loads(
        answer(place, "atlas", "create", "book", "--from-docs", "docs", "--json", *more)
    )


def test_documents_come_back_from_resolve(place):
    found = imported(place)["imported"]
    assert found["context_packs"] == ["guides/setup.md", "index.rst", "notes.txt"]
    assert (found["left_out"], found["warnings"], found["actions"]) == ([], [], [])
    assert answer(place, "atlas", "validate", "book") == "valid: local.book 0.1.0"
    assert answer(place, "atlas", "test", "book").endswith("1 passed, 0 failed")
    answer(place, "atlas", "add", "book", "--yes")

    # Its exit code is 1: there is nothing that may be done.
    resolved = json.loads(cra(place, "resolve", "--goal", "set up a desk", "--json").stdout)

    first = resolved["context_blocks"][0]
    assert first["content"] == (place / "docs/guides/setup.md").read_text()
    assert first["purpose"] == "Documentation: Set up a desk"
    assert resolved["allowed_actions"] == []


def test_a_pack_is_named_by_the_first_heading_of_its_document(place):
    imported(place)

    packs = json.loads((place / "book/atlas.json").read_text())["context_packs"]
    names = {pack["pack_id"]: pack["name"] for pack in packs}
    assert "- Set up a desk: guides/setup.md\n" in (place / "book/README.md").read_text()
    assert names == {"guides/setup.md": "Set up a desk", "index.rst": "About", "notes.txt": "notes"}


def test_what_is_no_document_is_left_out_and_said(place):
    write(place, "docs/.hidden/a.md", "# a")
    write(place, "docs/page.html", "<h1>a</h1>")
    write(place, "docs/latin.md", "ä".encode("latin-1"))
    write(place, "docs/binary.md", b"a\0b")
    write(place, "docs/empty.md", " \n")
    write(place, "docs/large.md", "x" * (300 << 10))
    write(place, "docs/long.md", "line\n" * 7_000)
    write(place, "docs/a\x1b[31mb.md", "# red")
    write(place, "docs/INDEX.rst", "again")
    write(place, "secret.md", "outside")
    os.symlink("../secret.md", place / "docs/link.md")
    os.symlink("..", place / "docs/up")
    os.mkfifo(place / "docs/pipe.md")

    found = imported(place)["imported"]
    assert found["reduced"] == [
        {"where": "long.md", "words": "beyond 32000 bytes: an agent is given its beginning"}
    ]
    assert {one["where"]: one["words"] for one in found["left_out"]} == {
        ".hidden": "hidden",
        "a\x1b[31mb.md": "characters that no name in an atlas has",
        "binary.md": "binary: it has control characters",
        "empty.md": "empty",
        "index.rst": "its name differs from INDEX.rst in case or accents only",
        "large.md": "expected at most 262144 bytes, found more",
        "latin.md": "no UTF-8",
        "link.md": "a link, which may lead elsewhere",
        "page.html": "none of *.md, *.rst, *.txt",
        "pipe.md": "no file",
        "up": "a link, which may lead elsewhere",
    }
    readme = (place / "book/README.md").read_text()
    assert "- binary.md: binary: it has control characters\n" in readme
    assert answer(place, "atlas", "validate", "book").startswith("valid")


def test_nothing_that_a_document_says_reaches_the_terminal_as_it_is(place):
    write(place, "docs/evil.md", "# \x1b]0;owned\x07 \u202etitle\n")
    write(place, "docs/b\x1b[2Jc.html", "")

    said = cra(place, "atlas", "create", "book", "--from-docs", "docs")

    assert said.returncode == 0
    assert "\x1b" not in said.stdout + said.stderr
    assert "b\\x1b[2Jc.html" in said.stdout
    assert "\x1b" not in (place / "book/README.md").read_text()


def test_what_reads_as_a_secret_is_a_warning_with_its_place(place):
    write(place, "docs/ops.md", f"# Ops\n\ntoken = {TOKEN}\n")

    found = imported(place)["imported"]

    assert found["warnings"] == [{"where": "context/ops.md:3", "words": "a secret? (github_token)"}]
    assert TOKEN not in json.dumps(found)
    assert TOKEN not in (place / "book/README.md").read_text()


def test_a_dry_run_writes_nothing(place):
    found = imported(place, "--dry-run")

    assert found["dry_run"]
    assert "book/atlas.json" in found["created"]
    assert not (place / "book").exists()


@pytest.mark.parametrize("name", ["nosuch", "docs/notes.txt", "none"])
def test_a_source_without_documents_is_an_error(place, name):
    (place / "none").mkdir()

    said = cra(place, "atlas", "create", "book", "--from-docs", name)

    assert said.returncode == 2
    assert said.stderr.startswith("error[CRA-1001]: expected ")
    assert not (place / "book").exists()


def test_an_atlas_has_one_source(place):
    both = ("--from-docs", "docs", "--from-module", "json")

    assert "expected one source" in cra(place, "atlas", "create", "book", *both).stderr
    twice = ("--from-docs", "docs", "--from-docs", "docs")
    assert "expected one source" in cra(place, "atlas", "create", "book", *twice).stderr
    alone = cra(place, "atlas", "create", "book", "--base-url", "https://a.example")
    assert "--from-openapi" in alone.stderr
    assert not (place / "book").exists()


def test_nothing_is_replaced(place):
    write(place, "book/mine.md", "mine")

    assert cra(place, "atlas", "create", "book", "--from-docs", "docs").returncode == 2
    assert os.listdir(place / "book") == ["mine.md"]


def test_a_failure_in_the_middle_leaves_nothing_behind(place):
    # The first document has room in a path of the system, the last has none.
    write(place, f"docs/{'z' * 200}/{'z' * 200}.md", "# z")
    deep = "/".join(["d" * 200] * 19)

    said = cra(place, "atlas", "create", deep, "--id", "local.deep", "--from-docs", "docs")

    assert said.returncode == 2
    assert "name too long" in said.stderr.lower()
    assert not (place / ("d" * 200)).exists()
