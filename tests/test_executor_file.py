"""Files of the project: confined, never through a link, never cra's own."""

from __future__ import annotations

import base64
import os
import stat

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cra.atlas.model import FileExecutor
from cra.runtime.executors import run
from cra.runtime.executors.work import Done, Failed
from tests.executing import work_of


@pytest.fixture
def project(tmp_path):
    """A project in a directory with a neighbour that nothing may reach."""
    outside = tmp_path / "outside"
    outside.mkdir()
    (outside / "secret.txt").write_text("secret")
    project = tmp_path / "project"
    (project / "data" / "inner").mkdir(parents=True)
    (project / "data" / "a.txt").write_text("text")
    (project / "policies").mkdir()
    (project / "policies" / "rules.json").write_text("{}")
    (project / "cra.trace").mkdir()
    (project / "cra.trace" / "journal.trace.jsonl").write_text("line\n")
    (project / "cra.config.json").write_text("{}")
    return project


def act(project, operation, path, *, root="data", content="new", template="{path}", **options):
    executor = FileExecutor(operation, root, template, **options)
    arguments = {"path": path, "content": content}
    protected = ("cra.trace", "atlases/Support")
    return run(executor, work_of(arguments, project=project, protected=protected))


def everything_in(directory):
    return {
        str(path.relative_to(directory)): path.read_bytes() if path.is_file() else None
        for path in directory.rglob("*")
    }


def refused(outcome, code="refused"):
    assert isinstance(outcome, Failed), outcome
    assert outcome.code == code
    return True


def test_what_was_written_is_read_back(project):
    assert act(project, "write", "new/deep/b.txt", content="ä\n") == Done(
        {"bytes": 3, "created": True}
    )
    assert act(project, "read", "new/deep/b.txt") == Done(
        {"encoding": "utf-8", "content": "ä\n", "bytes": 3}
    )
    assert stat.S_IMODE((project / "data/new/deep/b.txt").stat().st_mode) == 0o644
    assert os.listdir(project / "data/new/deep") == ["b.txt"]


def test_writing_replaces_a_file_whole(project):
    before = (project / "data/a.txt").open()
    with before:
        assert act(project, "write", "a.txt").result["created"] is False
        assert before.read() == "text"

    assert (project / "data/a.txt").read_text() == "new"


def test_bytes_that_are_no_text_are_read_as_base64(project):
    (project / "data/b").write_bytes(b"\xff\0")

    result = act(project, "read", "b").result

    assert (result["encoding"], base64.b64decode(result["content"])) == ("base64", b"\xff\0")


def test_a_listing_is_sorted_and_says_what_each_entry_is(project):
    (project / "data/link").symlink_to("a.txt")
    os.mkfifo(project / "data/Pipe")

    assert act(project, "list", ".").result == {
        "entries": [
            {"name": "Pipe", "type": "other"},
            {"name": "a.txt", "type": "file"},
            {"name": "inner", "type": "directory"},
            {"name": "link", "type": "other"},
        ],
        "total": 4,
    }


def test_a_long_listing_is_cut_and_says_how_long_it_is(project):
    for number in range(1_100):
        (project / f"data/inner/{number:04}").write_text("")

    result = act(project, "list", "inner").result

    assert (len(result["entries"]), result["total"]) == (1_000, 1_100)
    assert result["entries"][-1]["name"] == "0999"


def test_a_listing_of_the_project_has_nothing_of_cra(project):
    names = [entry["name"] for entry in act(project, "list", ".", root=".").result["entries"]]

    assert names == ["data"]


TRAVERSALS = [
    "..",
    "../outside/secret.txt",
    "inner/../../../outside/secret.txt",
    "inner/..",
    "./a.txt",
    "/etc/passwd",
    "//etc/passwd",
    "",
    "/",
    "inner/",
    "inner//a.txt",
    "a.txt\0",
    "a\nb",
    "a\x1b[2J",
    "a\u202egpj.exe",
    "a\u2028b",
    ".g\u200cit/config",
]


@pytest.mark.parametrize("operation", ["read", "write", "list"])
@pytest.mark.parametrize("path", TRAVERSALS)
def test_a_path_that_is_not_plainly_below_the_root_is_refused(project, operation, path):
    before = everything_in(project.parent)

    assert refused(act(project, operation, path))
    assert everything_in(project.parent) == before


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=200)
@given(
    parts=st.lists(st.sampled_from(["..", ".", "", "a.txt", "inner", "link", "\0", "~", "x"])),
    operation=st.sampled_from(["read", "write", "list"]),
)
def test_no_path_leads_out_of_the_root(project, parts, operation):
    link = project / "data/link"
    if not link.is_symlink():
        link.symlink_to(project.parent / "outside")
    outside = everything_in(project.parent / "outside")

    outcome = act(project, operation, "/".join(parts))

    assert everything_in(project.parent / "outside") == outside
    assert "secret" not in repr(outcome)


PROTECTED = [
    "cra.trace/journal.trace.jsonl",
    "cra.trace",
    "CRA.Trace/journal.trace.jsonl",
    "\uff43ra.trace/new",
    "data/nested/cra.trace/x",
    "policies/rules.json",
    "POLICIES/new.json",
    "policies",
    "cra.config.json",
    "Cra.Config.JSON",
    "cra.atlases.lock",
    ".git/config",
    ".GIT/hooks/pre-commit",
    "data/module/.git/config",
    "golden/refund.jsonl",
    "goldens/refund.jsonl",
    "atlases/support/atlas.json",
    "Atlases/SUPPORT/tool.py",
    "atlases/new/atlas.json",
]


@pytest.mark.parametrize("operation", ["read", "write", "list"])
@pytest.mark.parametrize("path", PROTECTED)
def test_what_is_cras_own_is_not_touched(project, operation, path):
    before = everything_in(project)

    assert refused(act(project, operation, path, root="."))
    assert everything_in(project) == before


@pytest.mark.parametrize("root", ["cra.trace", "policies", "..", "/", "", "data/../..", "POLICIES"])
def test_a_root_that_is_cras_own_or_elsewhere_is_refused(project, root):
    assert refused(act(project, "read", "rules.json", root=root))
    assert refused(act(project, "write", "new.json", root=root))


def test_a_file_beside_a_protected_one_is_not_protected(project):
    for path in ("policies.md", "data/atlases/x", "data/policies/x", ".gitignore"):
        assert isinstance(act(project, "write", path, root="."), Done)


@pytest.mark.parametrize("operation", ["read", "write", "list"])
@pytest.mark.parametrize(
    ("link", "target", "path"),
    [
        ("data/out", "../../outside", "out/secret.txt"),
        ("data/out", "../../outside", "out"),
        ("data/file", "../../outside/secret.txt", "file"),
        ("data/ledger", "../cra.trace", "ledger/journal.trace.jsonl"),
        ("data/own", "inner", "own/x"),
        ("data/own", "a.txt", "own"),
        ("data/gone", "nowhere", "gone"),
        ("data/loop", "loop", "loop"),
    ],
)
def test_no_link_is_followed_wherever_it_leads(project, operation, link, target, path):
    (project / link).symlink_to(target)
    before = everything_in(project.parent)

    assert refused(act(project, operation, path))
    assert everything_in(project.parent) == before
    assert (project / link).is_symlink()


def test_a_root_that_is_a_link_is_refused(project):
    (project / "linked").symlink_to("../outside")

    assert refused(act(project, "read", "secret.txt", root="linked"))


def test_a_second_name_of_a_protected_file_is_refused(project):
    os.link(project / "cra.trace/journal.trace.jsonl", project / "data/other")

    assert refused(act(project, "read", "other"))
    act(project, "write", "other")
    assert (project / "cra.trace/journal.trace.jsonl").read_text() == "line\n"


@pytest.mark.parametrize("operation", ["read", "write"])
def test_a_directory_that_becomes_a_link_between_two_opens_leads_nowhere(
    project, monkeypatch, operation
):
    (project / "data/inner/secret.txt").write_text("mine")
    real_open = os.open

    def swapping(path, flags, mode=0o777, *, dir_fd=None):
        if path == "secret.txt" or str(path).startswith(".cra-"):
            inner = project / "data/inner"
            if not inner.is_symlink():
                inner.rename(project / "data/moved")
                inner.symlink_to(project.parent / "outside")
        return real_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swapping)
    outcome = act(project, operation, "inner/secret.txt")

    assert (project / "data/inner").is_symlink()
    assert (project.parent / "outside/secret.txt").read_text() == "secret"
    assert (project / "data/moved/secret.txt").read_text() == ("mine", "new")[operation == "write"]
    assert "'secret'" not in repr(outcome)


def test_a_link_that_comes_before_the_open_is_refused(project, monkeypatch):
    real_open = os.open

    def swapping(path, flags, mode=0o777, *, dir_fd=None):
        if path == "inner":
            (project / "data/inner").rmdir()
            (project / "data/inner").symlink_to(project.parent / "outside")
        return real_open(path, flags, mode, dir_fd=dir_fd)

    monkeypatch.setattr(os, "open", swapping)

    assert refused(act(project, "read", "inner/secret.txt"))


def test_a_pipe_keeps_nobody_waiting(project):
    os.mkfifo(project / "data/pipe")

    assert refused(act(project, "read", "pipe"))
    assert refused(act(project, "write", "pipe"))


@pytest.mark.parametrize(
    ("operation", "path", "code"),
    [
        ("read", "absent", "not_found"),
        ("read", "absent/x", "not_found"),
        ("list", "absent", "not_found"),
        ("read", "inner", "refused"),
        ("write", "inner", "refused"),
        ("list", "a.txt", "refused"),
        ("write", "a.txt/b", "refused"),
        ("read", ".", "refused"),
        ("write", ".", "refused"),
        ("read", "x" * 300, "refused"),
        ("read", None, "refused"),
        ("read", ["a.txt"], "refused"),
    ],
)
def test_what_is_not_there_or_of_another_kind_is_a_failure(project, operation, path, code):
    assert refused(act(project, operation, path), code)


def test_a_root_that_is_missing_is_not_made(project):
    assert refused(act(project, "write", "a.txt", root="absent"), "not_found")
    assert not (project / "absent").exists()


@pytest.mark.parametrize("content", [None, 1, {"a": 1}, ["x"]])
def test_only_text_is_written(project, content):
    assert refused(act(project, "write", "a.txt", content=content))
    assert (project / "data/a.txt").read_text() == "text"


def test_more_than_the_limit_is_neither_read_nor_written(project):
    assert isinstance(act(project, "read", "a.txt", max_bytes=4), Done)
    assert refused(act(project, "read", "a.txt", max_bytes=3), "too_large")
    assert refused(act(project, "write", "a.txt", content="ää", max_bytes=3), "too_large")
    assert (project / "data/a.txt").read_text() == "text"


def test_a_write_that_fails_leaves_the_old_file_and_no_other(project, monkeypatch):
    def full(_fd):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", full)

    assert refused(act(project, "write", "a.txt"), "too_large")
    assert os.listdir(project / "data") in (["a.txt", "inner"], ["inner", "a.txt"])
    assert (project / "data/a.txt").read_text() == "text"


@pytest.mark.parametrize(
    ("template", "path", "outcome"),
    [
        ("{path}.txt", "a", Done),
        ("inner/{path}", "x", Failed),
        ("{path}.txt", "inner/../a", Failed),
        ("notes/{path}", "a/b", Failed),
        ("{path}{path}", ".", Failed),
        ("{other}", "a.txt", Failed),
        ("a.txt", "ignored", Done),
        ("${secret:TOKEN}", "x", Failed),
    ],
)
def test_a_value_fills_its_place_in_the_path(project, template, path, outcome):
    assert isinstance(act(project, "read", path, template=template), outcome)
