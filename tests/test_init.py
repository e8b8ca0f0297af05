"""`cra init`: it makes a project once, and never touches what is there."""

from __future__ import annotations

import json
import os
import shutil
import stat
import subprocess
import sys
from pathlib import Path

import pytest

import cra
from cra.config import UserDirs, load
from cra.ledger.keys import load_key
from tests import program

ROOT = Path(__file__).parents[1]
FILES = [
    "cra.trace/.gitignore",
    "agents.md",
    "cra.atlases.lock",
    "cra.config.json",
    ".gitattributes",
]


def cra_init(*arguments: str, cwd: Path, **environ: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cra", "init", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT), **environ},
        stdin=subprocess.DEVNULL,
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def contents(folder: Path) -> dict[str, bytes]:
    paths = [path for path in folder.rglob("*") if path.is_file()]
    return {str(path.relative_to(folder)): path.read_bytes() for path in paths}


def user_key() -> Path:
    return UserDirs.of(os.environ, Path.home()).signing_key


def test_it_makes_a_project_and_says_what_it_made(tmp_path):
    answer = cra_init(cwd=tmp_path)

    assert answer.returncode == 0
    assert answer.stdout.splitlines() == [f"Created: {name}" for name in (user_key(), *FILES)]
    assert sorted(contents(tmp_path)) == sorted(FILES)
    assert (tmp_path / "cra.trace/.gitignore").read_text() == "*\n"
    assert "  cra atlas create my-atlas\n  cra atlas add my-atlas\n" in answer.stderr


def test_it_says_that_it_makes_a_project_within_another(tmp_path):
    cra_init(cwd=tmp_path)
    inner = tmp_path / "inner"

    tried = cra_init("inner", "--dry-run", cwd=tmp_path)
    assert not inner.exists()
    made = cra_init("inner", "--json", cwd=tmp_path)

    told = f"note: {tmp_path} is a project, and this is another one in it\n"
    assert (tried.stderr, made.stderr) == (told, told)
    assert cra_init("inner", cwd=tmp_path).stderr == ""
    assert (inner / "cra.config.json").is_file()


def test_the_project_lists_the_users_key_which_only_the_user_can_read(tmp_path):
    cra_init(cwd=tmp_path)
    config = load(tmp_path, {}, None, {})

    assert config.keys == (str(load_key(user_key()).key),)
    assert config.cra_version == cra.__version__
    assert stat.S_IMODE(user_key().stat().st_mode) == 0o600
    assert b"PRIVATE" not in b"".join(contents(tmp_path).values())


def test_the_second_run_has_nothing_to_do(tmp_path):
    cra_init(cwd=tmp_path)
    before = contents(tmp_path)
    answer = cra_init(cwd=tmp_path)

    assert (answer.returncode, answer.stdout, answer.stderr) == (0, "nothing to do\n", "")
    assert contents(tmp_path) == before


def test_a_second_project_uses_the_same_key(tmp_path):
    cra_init("one", cwd=tmp_path)
    answer = cra_init("two", cwd=tmp_path)

    assert answer.stdout.splitlines() == [f"Created: two/{name}" for name in FILES]
    assert load(tmp_path / "one", {}, None, {}).keys == load(tmp_path / "two", {}, None, {}).keys


def test_what_a_colleague_types_in_a_fresh_clone_leads_to_a_signed_ledger(tmp_path):
    """The configuration comes with the clone and lists another's key; the ledger does not."""
    cra_init("theirs", cwd=tmp_path)
    clone = tmp_path / "clone"
    shutil.copytree(tmp_path / "theirs", clone, ignore=shutil.ignore_patterns("cra.trace"))
    user_key().unlink()

    resolving = ("resolve", "--goal", "look round")
    refused = program.cra(clone, *resolving)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "expected a key of yours" in refused.stderr
    assert "fix: cra init makes one" in refused.stderr
    assert not (clone / "cra.trace").exists()

    made = cra_init(cwd=clone)
    assert f"Created: {user_key()}" in made.stdout
    assert f'add "{load_key(user_key()).key}" to keys' in made.stderr
    # As long as nobody has listed it.
    assert f'add "{load_key(user_key()).key}" to keys' in cra_init(cwd=clone).stderr
    assert program.cra(clone, *resolving).returncode == 1
    verified = program.cra(clone, "trace", "verify")
    assert verified.returncode == 0
    assert "INTACT: 1 session" in verified.stdout
    assert program.cra(clone, "doctor").returncode == 0


def test_without_signing_there_is_no_key(tmp_path):
    answer = cra_init("--no-sign", cwd=tmp_path)

    assert answer.stdout.splitlines() == [f"Created: {name}" for name in FILES]
    assert not user_key().exists()
    assert json.loads((tmp_path / "cra.config.json").read_text()) == {
        "cra_version": cra.__version__
    }


def test_what_is_there_is_kept(tmp_path):
    (tmp_path / "cra.config.json").write_text('{"trace": {"directory": "records"}}')
    (tmp_path / "agents.md").write_text("mine")
    (tmp_path / ".gitattributes").write_text("*.png binary")
    answer = cra_init("--no-sign", cwd=tmp_path)

    assert answer.stdout == (
        "Created: records/.gitignore\nCreated: cra.atlases.lock\nUpdated: .gitattributes\n"
    )
    assert "agents.md says nothing about cra; cra init --yes adds a block to it" in answer.stderr
    assert contents(tmp_path) == {
        "cra.config.json": b'{"trace": {"directory": "records"}}',
        "agents.md": b"mine",
        ".gitattributes": b"*.png binary\ngoldens/** -text\n",
        "records/.gitignore": b"*\n",
        "cra.atlases.lock": b'{\n  "lock_version": "1",\n  "atlases": {}\n}\n',
    }


@pytest.mark.parametrize("mine", ["mine", "mine\n", ""])
def test_yes_adds_the_block_after_what_the_user_wrote(tmp_path, mine):
    (tmp_path / "agents.md").write_text(mine)
    answer = cra_init("--no-sign", "--yes", cwd=tmp_path)
    text = (tmp_path / "agents.md").read_text(encoding="utf-8")

    assert "Updated: agents.md\n" in answer.stdout
    assert text.startswith(mine)
    assert "\n<!-- cra:begin -->\n" in text
    assert text.endswith("<!-- cra:end -->\n")
    assert cra_init("--no-sign", "--yes", cwd=tmp_path).stdout == "nothing to do\n"


def test_the_block_that_is_added_to_a_project_from_a_template_says_its_agent(tmp_path):
    place = tmp_path / "my desk"
    place.mkdir()
    (place / "agents.md").write_text("mine\n")

    first = cra_init(place.name, "--template", "minimal", cwd=tmp_path)
    added = cra_init(place.name, "--yes", cwd=tmp_path)

    assert "my desk/agents.md says nothing about cra; cra init 'my desk' --yes adds" in first.stderr
    assert added.stdout == "Updated: my desk/agents.md\n"
    steps = "  cd 'my desk'\n  cra resolve --agent assistant --goal 'say hello to a visitor'\n"
    assert f"Next:\n{steps}" in first.stderr
    assert f"Next:\n{steps}" in added.stderr
    text = (place / "agents.md").read_text(encoding="utf-8")
    assert text.startswith("mine\n\n<!-- cra:begin -->\n")
    assert text.endswith("that are known to work.\n<!-- cra:end -->\n")
    assert "You are the agent `assistant`" in text


def test_a_project_that_has_an_atlas_is_not_told_to_make_one(tmp_path):
    cra_init("--template", "minimal", cwd=tmp_path)
    (tmp_path / ".gitattributes").unlink()

    assert cra_init(cwd=tmp_path).stderr == "\nNext:\n  cra doctor\n"


@pytest.mark.parametrize("how", [[], ["--yes"], ["--refresh"]])
def test_a_block_that_does_not_end_is_told_of_and_left(tmp_path, how):
    cra_init("new", cwd=tmp_path)
    file = tmp_path / "new" / "agents.md"
    whole = file.read_text(encoding="utf-8").replace("has a TTL", "grows old")
    file.write_text(whole.replace("<!-- cra:end -->\n", "Mine.\n"), encoding="utf-8")
    before = file.read_bytes()

    told = cra_init("new", *how, cwd=tmp_path)

    assert (told.returncode, told.stdout, file.read_bytes()) == (0, "nothing to do\n", before)
    assert told.stderr == (
        "note: new/agents.md has <!-- cra:begin --> and no <!-- cra:end --> after it, so cra's "
        "block is not renewed; put that line where the block ends, then cra init new --refresh\n"
    )
    file.write_text(whole + "Mine.\n", encoding="utf-8")
    assert cra_init("new", "--refresh", cwd=tmp_path).stdout == "Updated: new/agents.md\n"


@pytest.mark.parametrize("kind", ["a directory", "a link that leads nowhere"])
@pytest.mark.parametrize("name", ["cra.config.json", "cra.atlases.lock", "agents.md"])
def test_what_has_the_name_of_a_file_and_is_none_is_named_by_a_dry_run_as_well(
    tmp_path, name, kind
):
    if kind == "a directory":
        (tmp_path / name).mkdir()
    else:
        (tmp_path / name).symlink_to("nowhere")

    for how in ([], ["--dry-run"]):
        answer = cra_init("--template", "minimal", *how, cwd=tmp_path)
        assert (answer.returncode, answer.stdout) == (2, "")
        assert answer.stderr == (
            f"error[CRA-1001]: expected a file or nothing, found {kind}\n"
            f"  where: {name}\n"
            "  fix: move it away, and run this again\n"
        )
    assert os.listdir(tmp_path) == [name]


def test_an_empty_word_is_no_directory(tmp_path):
    answer = cra_init("", "--yes", cwd=tmp_path)

    assert (answer.returncode, answer.stdout, contents(tmp_path)) == (2, "", {})
    assert answer.stderr == (
        "error[CRA-1001]: expected a directory, found an empty word\n"
        "  fix: cra init, for where you are\n"
    )


def test_the_end_of_input_is_no_answer_to_a_question(tmp_path):
    (tmp_path / "agents.md").write_text("mine")
    told = program.at_terminal(
        tmp_path, "init", "--template", "minimal", "--no-git", typed="\n\x04"
    )

    assert told[0] == 130
    assert "Add cra's block at the end of agents.md? [y/N]" in told[1]
    assert contents(tmp_path) == {"agents.md": b"mine"}

    program.answer(tmp_path, "init", "--template", "minimal")
    before = contents(tmp_path)
    for words in (["atlas", "remove", "com.example.hello-world"], ["atlas", "lock"]):
        (tmp_path / "atlases" / "hello-world" / "more.md").write_text("more")
        before["atlases/hello-world/more.md"] = b"more"
        assert program.at_terminal(tmp_path, *words, typed="\x04")[0] == 130
        assert contents(tmp_path) == before


def test_the_block_is_the_one_of_this_repository(tmp_path):
    cra_init("--no-sign", cwd=tmp_path)
    block = (tmp_path / "agents.md").read_text(encoding="utf-8")

    assert block in (ROOT / "agents.md").read_text(encoding="utf-8")


def test_a_dry_run_changes_nothing(tmp_path):
    answer = cra_init("new", "--dry-run", cwd=tmp_path)

    assert answer.stdout.splitlines()[1:] == [f"Would create: new/{name}" for name in FILES]
    assert contents(tmp_path) == {}
    assert not user_key().exists()


def test_the_same_facts_come_as_json(tmp_path):
    answer = cra_init("new", "--no-sign", "--json", cwd=tmp_path)

    assert json.loads(answer.stdout) == {
        "created": [f"new/{name}" for name in FILES],
        "updated": [],
        "gone_ledger": None,
        "dry_run": False,
        "next": [
            "cd new",
            "cra atlas create my-atlas",
            "cra atlas add my-atlas",
            'cra resolve --goal "…"',
        ],
    }


def test_a_key_that_the_environment_names_has_to_be_there(tmp_path):
    missing = str(tmp_path / "no.key")
    answer = cra_init(cwd=tmp_path, CRA_SIGNING_KEY_FILE=missing)

    assert answer.returncode == 2
    assert answer.stderr.startswith("error[CRA-4005]: expected a private key")
    assert contents(tmp_path) == {}


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("file", "", "expected a directory, found a file"),
        ("cra.config.json/..", "", "expected a directory or nothing, found a file\n"),
    ],
)
def test_a_place_that_is_no_directory_is_an_error(tmp_path, name, text, said):
    (tmp_path / Path(name).parts[0]).write_text(text)
    answer = cra_init(name, cwd=tmp_path)

    assert (answer.returncode, answer.stdout) == (2, "")
    assert said in answer.stderr


def test_a_project_with_mistakes_is_left_alone(tmp_path):
    (tmp_path / "cra.config.json").write_text('{"trace": {"directory": "/etc"}}')
    answer = cra_init(cwd=tmp_path)

    assert answer.returncode == 2
    assert "expected a path inside the project" in answer.stderr
    assert sorted(contents(tmp_path)) == ["cra.config.json"]


def test_a_ledger_that_was_here_before_is_missed_at_once_and_can_be_let_go(tmp_path):
    project = tmp_path / "project"
    program.answer(tmp_path, "init", project)
    session = program.answer(project, "session", "start")
    begun = json.loads(program.answer(project, "session", "show", session, "--json"))["ledger_id"]
    shutil.rmtree(project)

    again = cra_init(str(project), cwd=tmp_path)
    facts = json.loads(cra_init(str(project), "--json", cwd=tmp_path).stdout)
    doctor = program.cra(project, "doctor")

    assert again.returncode == 0
    assert f"warning: the ledger {begun} was recorded here before" in again.stderr
    assert "if it is meant to be gone: cra trace repair --accept\n" in again.stderr
    assert facts["gone_ledger"] == begun
    assert facts["next"][:2] == [f"cd {project}", "cra trace repair --accept"]
    assert (doctor.returncode, f"the ledger {begun} was" in " ".join(doctor.stdout.split())) == (
        1,
        True,
    )
    program.answer(project, "trace", "repair", "--accept")
    program.answer(project, "session", "start")
    assert "warning" not in cra_init(str(project), cwd=tmp_path).stderr
