"""`cra init --template`: a project that stands, and that is merged with a later template."""

from __future__ import annotations

import json
import os
import re
import shutil
import signal
from pathlib import Path

import pytest
import yaml

import cra as package
from cra.config import UserDirs
from cra.ledger.keys import load_key
from cra.redaction.detect import DEFAULT, find
from tests.console import follow, follow_page, untrue
from tests.program import ROOT, answer, at_terminal, cra

TEMPLATES = {
    path.parent.name: json.loads(path.read_text())
    for path in sorted(ROOT.glob("templates/*/template.json"))
}
of_each_template = pytest.mark.parametrize("name", TEMPLATES)
# Answers that are as far from the defaults as can be.
FAR = {
    "agent": "a-2",
    "refund_limit": "99",
    "commits_per_hour": "1",
    "reads_per_hour": "10",
    "tests_per_hour": "99",
}
README = "# Mine\n"


def far_answers(name: str) -> list[str]:
    asked = [question["name"] for question in TEMPLATES[name]["questions"]]
    return [word for one in asked for word in ("--set", f"{one}={FAR[one]}")]


def tree(place: Path) -> dict[str, object]:
    """Everything in a directory: the bytes of files, where links lead, and directories."""
    found: dict[str, object] = {}
    for path in sorted(place.rglob("*")):
        name = str(path.relative_to(place))
        if path.is_symlink():
            found[name] = f"-> {path.readlink()}"
        else:
            found[name] = path.read_bytes() if path.is_file() else None
    return found


def made(place: Path, name: str = "minimal", *how: str) -> Path:
    answer(place.parent, "init", place, "--template", name, *how)
    return place


@of_each_template
def test_a_project_from_a_template_stands(tmp_path, name):
    facts = TEMPLATES[name]
    project = made(tmp_path / "project", name, "--git")

    for line in (
        "doctor",
        "config validate",
        "policy check",
        "policy test",
        f"atlas validate atlases/{facts['atlas']}",
        "atlas test",
        "atlas lock --check",
        "replay --fail-on any",
        "replay --require-signed --key " + json.loads(
            (project / "cra.config.json").read_text())["keys"][0],
        f"resolve --goal {facts['goal'].split()[0]}",
        f"execute {facts['call']}",
        "trace verify --require L1",
    ):  # fmt: skip
        done = cra(project, *line.split())
        assert (line, done.returncode, done.stdout + done.stderr)[:2] == (line, 0), done


@of_each_template
def test_the_page_of_a_project_is_true_whatever_the_answers(tmp_path, name):
    project = made(tmp_path / "project", name, "--no-sign", *far_answers(name))
    page = (project / "README.md").read_text()

    ran = follow_page(project, page)

    assert untrue(ran) == []
    assert len(ran) > 5
    assert re.search(r"^DENIED: .* \([a-z-]+\)$", page, re.MULTILINE)
    assert find(DEFAULT, page) == []


@of_each_template
def test_the_commands_that_come_next_work(tmp_path, name):
    told = json.loads(answer(tmp_path, "init", "new", "--template", name, "--json"))

    ran = follow(tmp_path, f"$ {' && '.join(told['next'])}\n")

    assert untrue(ran) == []
    assert [line.split()[:2] for line in told["next"][-3:]] == [
        ["cra", "resolve"],
        ["cra", "execute"],
        ["cra", "replay"],
    ]


@of_each_template
def test_the_answers_stand_in_the_rules_and_their_tests(tmp_path, name):
    project = made(tmp_path / "project", name, *far_answers(name))

    tests = json.loads(answer(project, "policy", "test", "--json"))
    asked = [one["name"] for one in TEMPLATES[name]["questions"]]
    rules = "".join(path.read_text() for path in project.glob("policies/*"))

    assert (tests["failed"], tests["passed"] >= 2) == (0, True)
    assert [one for one in asked if one != "agent" and FAR[one] not in rules] == []
    assert '"agent": "a-2"' in next(project.glob("tests/policies/*")).read_text()


@of_each_template
@pytest.mark.parametrize("answers", ["defaults", "far"])
def test_the_golden_reacts_to_a_rule_of_the_projects_own_that_misses_its_action(
    tmp_path, name, answers
):
    project = made(tmp_path / "project", name, *(far_answers(name) if answers == "far" else []))
    [file] = project.glob("policies/*.json")
    rule = json.loads(file.read_text())
    answer(project, "replay", "--fail-on", "any")

    file.write_text(json.dumps({**rule, "actions": [f"{rule['actions'][0]}x"]}))

    assert cra(project, "replay", "--fail-on", "any").returncode == 1
    # A limit on a rate decides nothing until it is used up, and no golden is that long.
    is_decided = rule["type"] != "rate_limit"
    assert cra(project, "replay").returncode == (1 if is_decided else 0)


@of_each_template
def test_the_atlas_is_the_example_byte_for_byte_and_what_it_may_do_is_told(tmp_path, name):
    facts = TEMPLATES[name]
    told = json.loads(answer(tmp_path, "init", "new", "--template", name, "--json"))

    place = Path("atlases") / facts["atlas"]
    assert tree(tmp_path / "new" / place) == {
        path: data
        for path, data in tree(ROOT / "examples" / place).items()
        if "__pycache__" not in path
    }
    accepted = told["template"]["accepted"]
    lock = json.loads((tmp_path / "new" / "cra.atlases.lock").read_text())["atlases"]
    assert accepted["atlas_id"] == f"com.example.{facts['atlas']}"
    assert lock[accepted["atlas_id"]]["grants"] == accepted["grants"] != []
    assert lock[accepted["atlas_id"]]["source"] == str(place)


def test_the_workflow_checks_the_project(tmp_path, monkeypatch):
    project = made(tmp_path / "project", "support-desk", "--no-sign")
    follow(
        project,
        "$ git init --quiet && git add . && git -c user.name=A -c user.email=a@example.com "
        "commit --quiet -m begin && git update-ref refs/remotes/origin/main HEAD\n",
    )
    [file] = project.glob(".github/workflows/*.yml")
    [job] = yaml.safe_load(file.read_text())["jobs"].values()
    commands = [step["run"] for step in job["steps"] if step.get("run", "").startswith("cra ")]
    monkeypatch.setenv("CI", "true")
    monkeypatch.setenv("GITHUB_BASE_REF", "main")

    passed = follow(project, *(f"$ {line}\n" for line in commands))
    denying = {"policy_id": "nothing", "type": "deny", "actions": ["*"]}
    (project / "policies" / "nothing.json").write_text(json.dumps(denying))
    failed = follow(project, *(f"$ {line}\n" for line in commands))

    assert untrue(passed) == []
    assert [one.done.returncode for one in failed[-2:]] == [1, 1]  # policy test and replay
    used = [step["uses"] for step in job["steps"] if "uses" in step]
    assert [one for one in used if not re.fullmatch(r"actions/[a-z-]+@v[0-9]+", one)] == []


def test_a_ledger_of_the_project_is_no_business_of_git(tmp_path):
    project = made(tmp_path / "project", "support-desk", "--git")
    answer(project, "resolve", "--goal", "answer a ticket")
    answer(project, "execute", "ticket.list")

    [listed] = follow(project, "$ git status --porcelain --untracked-files=all\n")

    names = [line[3:] for line in listed.done.stdout.splitlines()]
    assert "goldens/printer/manifest.json" in names
    assert [one for one in names if one.startswith(("cra.trace", "desk.db"))] == []


def test_no_golden_is_made_that_the_project_would_refuse(tmp_path):
    """The configuration lists a colleague's key, and not the one that would sign."""
    answer(tmp_path, "init")
    key = UserDirs.of(os.environ, Path.home()).signing_key
    key.unlink()

    done = cra(tmp_path, "init", "--template", "minimal")
    config = json.loads((tmp_path / "cra.config.json").read_text())
    config["keys"].append(str(load_key(key).key))
    (tmp_path / "cra.config.json").write_text(json.dumps(config))
    again = cra(tmp_path, "init", "--template", "minimal")

    assert (done.returncode, again.returncode) == (0, 0)
    assert "note: no golden is made" in done.stderr
    assert again.stdout == "Created: goldens/hello\n"
    answer(tmp_path, "replay")


# Again.


@pytest.mark.parametrize("name", ["minimal", "support-desk"])
def test_the_second_run_has_nothing_to_do(tmp_path, name):
    project = made(tmp_path / "project", name)
    before = tree(project)

    for how in (["--template", name], ["--refresh"], ["--refresh", "--force"], []):
        done = cra(project, "init", *how)
        assert (how, done.returncode, done.stdout, done.stderr) == (how, 0, "nothing to do\n", "")
    assert tree(project) == before


def test_a_changed_file_is_kept_and_one_that_is_gone_comes_back(tmp_path):
    project = made(tmp_path / "project")
    (project / "README.md").write_text(README)
    (project / "policies" / "greetings.json").unlink()

    done = cra(project, "init", "--template", "minimal")

    assert (done.returncode, done.stdout) == (0, "Created: policies/greetings.json\n")
    assert (project / "README.md").read_text() == README
    assert cra(project, "init", "--refresh").stdout == "nothing to do\n"


def test_what_was_there_before_is_kept_and_the_templates_is_beside_it(tmp_path):
    (tmp_path / "README.md").write_text(README)
    done = cra(tmp_path, "init", "--template", "minimal")

    assert done.returncode == 0
    assert "Kept: README.md; the template's is beside it: README.md.new\n" in done.stdout
    assert "-# Mine\n+# A minimal cra project\n" in done.stderr
    assert re.search(r"\n… and [0-9]+ lines more; -v shows them\n", done.stderr)
    assert len(done.stderr.partition("… and")[0].splitlines()) == 12
    assert (tmp_path / "README.md").read_text() == README
    assert (tmp_path / "README.md.new").read_text().startswith("# A minimal cra project\n")
    assert cra(tmp_path, "replay").returncode == 0
    again = cra(tmp_path, "init", "--template", "minimal")
    assert (again.returncode, again.stdout) == (0, "nothing to do\n")


def test_a_rule_that_was_there_before_waits_for_a_decision_and_v_shows_all_of_it(tmp_path):
    for name in ("README.md", "policies/greetings.json"):
        (tmp_path / name).parent.mkdir(exist_ok=True)
        (tmp_path / name).write_text("[]\n")

    done = cra(tmp_path, "init", "--template", "minimal", "-v", "--dry-run")

    assert done.returncode == 1
    assert '+  "policy_id": "few-greetings",\n' in done.stderr
    assert "lines more" not in done.stderr
    assert "+## Keep it current\n" in done.stderr


def test_force_replaces_what_was_there_before(tmp_path):
    (tmp_path / "README.md").write_text(README)
    (tmp_path / "README.md").chmod(0o640)
    told = json.loads(answer(tmp_path, "init", "--template", "minimal", "--force", "--json"))

    assert "README.md" in told["updated"]
    assert (tmp_path / "README.md").read_text().startswith("# A minimal cra project\n")
    assert (tmp_path / "README.md").stat().st_mode & 0o777 == 0o640
    assert not (tmp_path / "README.md.new").exists()


def test_an_atlas_of_the_same_place_that_is_another_is_not_accepted(tmp_path):
    own = tmp_path / "atlases" / "hello-world"
    shutil.copytree(ROOT / "examples" / "atlases" / "hello-world", own)
    manifest = (own / "atlas.json").read_text()
    (own / "atlas.json").write_text(manifest.replace('"^[A-Z ]{2,}$"', '"^[a-z]$"'))
    before = tree(own)

    done = cra(tmp_path, "init", "--template", "minimal")

    assert done.returncode == 1
    assert tree(own) == before
    assert "Accepted" not in done.stdout
    assert json.loads((tmp_path / "cra.atlases.lock").read_text())["atlases"] == {}
    assert (tmp_path / "atlases" / "hello-world.new" / "atlas.json").read_text() == manifest
    assert not (tmp_path / "goldens").exists()


def test_while_something_is_undecided_what_comes_next_is_to_decide_it(tmp_path):
    own = tmp_path / "atlases" / "hello-world"
    shutil.copytree(ROOT / "examples" / "atlases" / "hello-world", own)
    (own / "README.md").write_text(README)

    done = cra(tmp_path, "init", "--template", "minimal")

    steps = [
        "diff -r atlases/hello-world atlases/hello-world.new",
        "rm -r atlases/hello-world.new  # once you have taken from it what you want",
        "cra atlas add atlases/hello-world",
        "cra policy test",
    ]
    assert done.stderr.endswith("Next:\n" + "".join(f"  {step}\n" for step in steps))
    assert own.joinpath("README.md").read_text() == README
    steps[2] += " --yes"
    ran = follow(tmp_path, *(f"$ {step}\n" for step in steps[1:]))
    assert [one.done.returncode for one in ran] == [0, 0, 0]


def test_another_template_and_other_answers_need_a_refresh(tmp_path):
    project = made(tmp_path / "project", "support-desk")
    before = tree(project)

    other = cra(project, "init", "--template", "devops")
    beside = cra(tmp_path, "init", "project", "--template", "devops")
    changed = cra(project, "init", "--set", "refund_limit=20")

    assert (other.returncode, changed.returncode) == (2, 2)
    assert "expected the template that is recorded here, support-desk" in other.stderr
    assert "fix: cra init --refresh, or remove cra.template.json\n" in other.stderr
    assert "fix: cra init project --refresh, or remove project/cra.template.json\n" in beside.stderr
    assert "fix: cra init --refresh --set refund_limit=20" in changed.stderr
    assert tree(project) == before


def test_a_refresh_takes_other_answers_and_keeps_the_rest(tmp_path):
    project = made(tmp_path / "project", "support-desk", "--set", "agent=clerk")

    told = json.loads(answer(project, "init", "--refresh", "--set", "refund_limit=20", "--json"))

    assert told["template"]["answers"] == {"agent": "clerk", "refund_limit": "20"}
    assert told["updated"] == [
        "README.md",
        "policies/refunds.json",
        "tests/policies/refunds.json",
        "cra.template.json",
    ]
    assert json.loads(answer(project, "policy", "test", "--json"))["failed"] == 0


# A later cra.


@pytest.fixture
def later(tmp_path):
    """A cra whose template `minimal` says more than that of this checkout."""
    home = tmp_path / "later"
    shutil.copytree(
        ROOT / "cra", home / "cra", ignore=shutil.ignore_patterns("__pycache__", "_templates")
    )
    shutil.copytree(ROOT / "templates", home / "templates")
    shutil.copytree(ROOT / "examples" / "atlases", home / "examples" / "atlases")
    (home / "specs").symlink_to(ROOT / "specs")
    return home


def change(file: Path, before: str, after: str) -> None:
    text = file.read_text(encoding="utf-8")
    assert before in text
    file.write_text(text.replace(before, after), encoding="utf-8")


def test_a_refresh_replaces_keeps_and_asks_by_who_changed_what(tmp_path, later):
    project = made(tmp_path / "project")
    files = later / "templates" / "minimal" / "files"
    change(files / "policies" / "greetings.json.j2", "20 times", "twenty times")  # by cra alone
    change(files / "README.md.j2", "A minimal cra project", "The smallest one")  # by both
    (project / "README.md").write_text(README)
    tests = project / "tests" / "policies" / "greetings.json"  # by its owner alone
    tests.write_text(tests.read_text().replace("has to wait", "waits"))
    (project / ".github" / "workflows" / "cra.yml").unlink()

    done = cra(project, "init", "--refresh", PYTHONPATH=str(later))

    assert done.returncode == 1
    assert done.stdout == (
        "Updated: policies/greetings.json\n"
        "Updated: cra.template.json\n"
        "Kept: README.md; the template's is beside it: README.md.new\n"
    )
    assert "+# The smallest one\n" in done.stderr
    assert "twenty" in (project / "policies" / "greetings.json").read_text()
    assert (project / "README.md").read_text() == README
    assert "waits" in tests.read_text()
    assert not (project / ".github" / "workflows" / "cra.yml").exists()
    assert "note: .github/workflows/cra.yml is gone; cra init --refresh --force " in done.stderr
    again = cra(project, "init", "--refresh", PYTHONPATH=str(later))
    assert (again.returncode, again.stdout) == (0, "nothing to do\n")
    assert json.loads(answer(project, "init", "--refresh", "--json", PYTHONPATH=str(later)))[
        "template"
    ]["gone"] == [".github/workflows/cra.yml"]
    cra(project, "init", "--refresh", "--force", PYTHONPATH=str(later))
    assert (project / ".github" / "workflows" / "cra.yml").exists()


def test_a_file_that_is_gone_from_the_atlas_is_named_and_comes_back_by_force(tmp_path):
    project = made(tmp_path / "project", "support-desk")
    code = project / "atlases" / "support-desk" / "desk.py"
    code.unlink()

    for how in (["--refresh"], ["--template", "support-desk"]):
        done = cra(project, "init", *how)
        assert (done.returncode, done.stdout) == (0, "nothing to do\n")
        assert "note: atlases/support-desk/desk.py is gone; " in done.stderr
        assert not code.exists()
    answer(project, "init", "--refresh", "--force")
    answer(project, "atlas", "lock", "--check")


@pytest.mark.parametrize("lost", [["cra.config.json"], ["cra.atlases.lock"], ["cra.trace"],
                                  ["cra.config.json", "cra.atlases.lock"]])  # fmt: skip
def test_a_project_that_has_lost_a_file_gets_back_what_its_template_has_of_it(tmp_path, lost):
    project = made(tmp_path / "project", "support-desk")
    (project / "policies" / "refunds.json").unlink()
    for name in lost:
        path = project / name
        shutil.rmtree(path) if path.is_dir() else path.unlink()

    told = cra(project, "init")

    assert told.returncode == 0
    assert "cra execute ticket.read -p id=1042 --agent desk" in told.stderr
    assert ("Accepted" in told.stdout) is (lost != ["cra.trace"])
    assert "note: policies/refunds.json is gone; " in told.stderr
    assert not (project / "policies" / "refunds.json").exists()
    answer(project, "atlas", "lock", "--check")
    listed = json.loads(answer(project, "atlas", "list", "--json"))
    assert "com.example.support-desk" in json.dumps(listed)


def test_a_lost_lock_accepts_no_atlas_that_its_owner_has_changed(tmp_path):
    project = made(tmp_path / "project", "support-desk")
    with (project / "atlases" / "support-desk" / "desk.py").open("a") as code:
        code.write("# mine\n")
    for name in ("cra.config.json", "cra.atlases.lock"):
        (project / name).unlink()

    told = cra(project, "init")

    assert "Accepted" not in told.stdout
    assert "Next:\n  cra atlas add atlases/support-desk\n" in told.stderr
    answer(project, "atlas", "add", "atlases/support-desk", "--yes")


def test_only_a_refresh_takes_in_a_later_template(tmp_path, later):
    project = made(tmp_path / "project")
    rules = later / "templates" / "minimal" / "files" / "policies" / "greetings.json.j2"
    change(rules, "20 times", "twenty times")
    (project / "README.md").unlink()

    again = cra(project, "init", "--template", "minimal", PYTHONPATH=str(later))
    refreshed = cra(project, "init", "--refresh", PYTHONPATH=str(later))

    assert again.stdout == "Created: README.md\n"
    assert refreshed.stdout == "Updated: policies/greetings.json\nUpdated: cra.template.json\n"


@pytest.mark.parametrize(
    ("typed", "kept", "is_beside"),
    [("k\n", True, False), ("r\n", False, False), ("x\nd\nb\n", True, True)],
)  # fmt: skip
def test_a_person_decides_on_what_both_have_changed(tmp_path, later, typed, kept, is_beside):
    project = made(tmp_path / "project")
    page = project / "README.md"
    page.write_text(README)
    change(
        later / "templates" / "minimal" / "files" / "README.md.j2", "A minimal cra project", "Small"
    )

    code, screen = at_terminal(project, "init", "--refresh", typed=typed, PYTHONPATH=str(later))

    assert code == 0
    question = "README.md: keep yours, replace it, write beside it, or see all of it?"
    assert f"{question} (k/r/b/d, and enter) [k]" in screen
    assert ("-# Mine" in screen.partition(question)[2]) is ("d" in typed)
    assert (page.read_text() == README) is kept
    assert (project / "README.md.new").exists() is is_beside


def test_what_stands_beside_a_file_is_replaced_unless_somebody_has_worked_on_it(tmp_path, later):
    project = made(tmp_path / "project")
    (project / "README.md").write_text(README)
    page = later / "templates" / "minimal" / "files" / "README.md.j2"
    for before, after in [("A minimal cra project", "Small"), ("Small", "Smaller")]:
        change(page, f"title %}}{before}", f"title %}}{after}")
        cra(project, "init", "--refresh", PYTHONPATH=str(later))
        assert (project / "README.md.new").read_text().startswith(f"# {after}\n")
    (project / "README.md.new").write_text("half merged")
    change(page, "Smaller", "Smallest")
    before = tree(project)

    done = cra(project, "init", "--refresh", PYTHONPATH=str(later))

    assert (done.returncode, tree(project) == before) == (2, True)
    assert "expected no README.md.new, found one that was changed" in done.stderr


def test_a_later_atlas_comes_as_a_whole_and_waits_for_its_owner_to_accept_it(tmp_path, later):
    project = made(tmp_path / "project")
    atlas = later / "examples" / "atlases" / "hello-world"
    change(atlas / "atlas.json", "nobody is shouted at", "shouting is rude")
    (atlas / "policy-tests.json").unlink()

    done = cra(project, "init", "--refresh", PYTHONPATH=str(later))

    assert done.returncode == 0
    assert "Removed: atlases/hello-world/policy-tests.json\n" in done.stdout
    assert "Accepted" not in done.stdout
    assert done.stderr.endswith("  cra atlas lock\n  cra policy test\n  cra replay\n")
    assert cra(project, "resolve", "--goal", "greet").returncode == 2
    answer(project, "atlas", "lock", "--yes")
    answer(project, "policy", "test")


def test_an_atlas_that_its_owner_has_changed_is_not_mixed_with_a_later_one(tmp_path, later):
    project = made(tmp_path / "project")
    change(later / "examples" / "atlases" / "hello-world" / "greeting.py", "Hello", "Good day")
    own = project / "atlases" / "hello-world"
    (own / "notes.md").write_text("mine")
    before = tree(own)

    done = cra(project, "init", "--refresh", PYTHONPATH=str(later))

    assert done.returncode == 1
    assert tree(own) == before
    new = tree(project / "atlases" / "hello-world.new")
    assert b"Good day" in new["greeting.py"]
    assert "only yours: atlases/hello-world/notes.md\n" in done.stderr


def test_a_refresh_renews_what_is_between_the_marks_of_agents_md_alone(tmp_path, later):
    project = made(tmp_path / "project")
    agents = project / "agents.md"
    agents.write_text(f"Above.\n{agents.read_text(encoding='utf-8')}Below.\n", encoding="utf-8")
    before = agents.read_text(encoding="utf-8")
    change(later / "templates" / "project" / "agents.md.j2", "has a TTL", "grows old")

    done = cra(project, "init", "--refresh", PYTHONPATH=str(later))

    assert done.stdout == "Updated: agents.md\n"
    assert agents.read_text(encoding="utf-8") == before.replace("has a TTL", "grows old")


@of_each_template
def test_another_name_of_the_agent_stands_everywhere_after_a_refresh(tmp_path, name):
    project = made(tmp_path / "project", name)
    agents = project / "agents.md"
    with agents.open("a") as file:
        file.write("Mine.\n")
    before = json.loads((project / "cra.template.json").read_text())["answers"]["agent"]

    told = json.loads(answer(project, "init", "--refresh", "--set", "agent=zoe", "--json"))

    text = agents.read_text(encoding="utf-8")
    assert told["updated"][0] == "agents.md"
    assert "You are the agent `zoe`: say `--agent zoe`" in text
    assert f"`{before}`" not in text
    assert text.endswith("Mine.\n")
    assert cra(project, "init", "--refresh").stdout == "nothing to do\n"


def test_a_refresh_of_a_project_without_a_template_renews_the_block(tmp_path, later):
    answer(tmp_path / "later", "init", tmp_path / "project")
    project = tmp_path / "project"
    change(later / "templates" / "project" / "agents.md.j2", "has a TTL", "grows old")

    assert cra(project, "init", "--refresh").stdout == "nothing to do\n"
    done = cra(project, "init", "--refresh", PYTHONPATH=str(later))

    assert done.stdout == "Updated: agents.md\n"
    assert "grows old" in (project / "agents.md").read_text(encoding="utf-8")


def test_a_refresh_from_a_template_needs_its_record(tmp_path):
    answer(tmp_path, "init")
    before = tree(tmp_path)

    done = cra(tmp_path, "init", "--refresh", "--template", "minimal")

    assert (done.returncode, tree(tmp_path) == before) == (2, True)
    assert "found no cra.template.json" in done.stderr
    assert "fix: cra init --template NAME" in done.stderr


@pytest.mark.parametrize(
    ("text", "found", "place"),
    [
        ("{\n", "what is no JSON from there on", ":2:1"),
        ("\udcff", "what is no text", ""),
        ("[]", "another form", ""),
        ('{"template": "minimal"}', "another form", ""),
        ('{"a": {}}', "another form", ""),
        (None, "what cannot be read: Is a directory", ""),
    ],
)
def test_a_record_that_is_none_is_an_error(tmp_path, text, found, place):
    project = made(tmp_path / "project")
    record = project / "cra.template.json"
    record.unlink()
    if text is None:
        record.mkdir()
    else:
        record.write_bytes(text.encode(errors="surrogateescape"))

    done = cra(tmp_path, "init", "project", "--refresh")

    assert (done.returncode, done.stderr) == (
        2,
        f"error[CRA-2001]: expected what cra init recorded of a template, found {found}\n"
        f"  where: project/cra.template.json{place}\n"
        "  fix: bring it back, or remove it and run cra init project --template NAME\n",
    )


@pytest.mark.parametrize("kind", ["file", "link"])
@pytest.mark.parametrize("name", ["policies", "cra.trace", "goldens", "atlases", ".github"])
def test_what_is_in_the_way_of_a_directory_is_named_by_a_dry_run_as_well(tmp_path, name, kind):
    place = tmp_path / "new"
    place.mkdir()
    if kind == "file":
        (place / name).write_text("mine")
    else:
        (place / name).symlink_to("nowhere")
    before = tree(tmp_path)

    tried = cra(tmp_path, "init", "new", "--template", "minimal", "--dry-run")
    done = cra(tmp_path, "init", "new", "--template", "minimal")

    found = "a file" if kind == "file" else "a link that leads nowhere"
    told = (
        f"error[CRA-1001]: expected a directory or nothing, found {found}\n"
        f"  where: new/{name}\n"
        "  fix: move it away, and run this again\n"
    )
    assert (tried.returncode, tried.stdout, tried.stderr) == (2, "", told)
    assert (done.returncode, done.stdout, done.stderr) == (2, "", told)
    assert tree(tmp_path) == before


def test_the_record_names_template_version_answers_and_digests(tmp_path):
    record = json.loads((made(tmp_path / "project") / "cra.template.json").read_text())

    assert record["template"] == "minimal"
    assert record["cra_version"] == package.__version__
    assert record["answers"] == {"agent": "assistant"}
    assert "atlases/hello-world/greeting.py" in record["files"]
    assert not any(name.startswith(("goldens/", "cra.")) for name in record["files"])


# Failing.


def git_that(place: Path, does: str) -> str:
    """A PATH whose git does something else."""
    (place / "git").write_text(f"#!/bin/sh\n{does}\n")
    (place / "git").chmod(0o755)
    return f"{place}:{os.environ['PATH']}"


@pytest.mark.parametrize(
    ("does", "code", "said"),
    [
        ("echo no room >&2; exit 1", 2, "it said: no room"),
        ("mkdir .git; kill -INT $PPID; sleep 5", 130, ""),
    ],
    ids=["an error", "a Ctrl-C"],
)
@pytest.mark.parametrize("is_project", [False, True])
def test_what_fails_in_the_middle_is_taken_back(tmp_path, does, code, said, is_project):
    place = tmp_path / "place"
    (tmp_path / "bin").mkdir()
    (place / "policies").mkdir(parents=True)
    (place / "README.md").write_text(README)
    if is_project:
        answer(place, "init")
    before = tree(place)
    path = git_that(tmp_path / "bin", does)

    done = cra(place, "init", "--template", "minimal", "--force", "--git", PATH=path)

    assert done.returncode in (code, -signal.SIGINT)
    assert said in done.stderr
    assert tree(place) == before
    answer(place, "init", "--template", "minimal", "--force", "--git")


def test_an_atlas_that_does_not_go_with_the_project_leaves_nothing_behind(tmp_path):
    answer(tmp_path, "init")
    answer(tmp_path, "atlas", "create", "atlases/own")
    manifest = tmp_path / "atlases" / "own" / "atlas.json"
    change(manifest, "own.count_words", "greeting.say")
    change(tmp_path / "atlases" / "own" / "policies.json", "own.count_words", "greeting.say")
    change(manifest, ',\n  "tests": ["tests/scenarios.json"]', "")
    answer(tmp_path, "atlas", "add", "atlases/own", "--yes")
    before = tree(tmp_path)

    done = cra(tmp_path, "init", "--template", "minimal")

    assert done.returncode == 2
    assert "greeting.say" in done.stderr
    assert tree(tmp_path) == before


def test_a_dry_run_changes_nothing_and_says_all(tmp_path):
    (tmp_path / "README.md").write_text(README)
    before = tree(tmp_path)
    tried = cra(tmp_path, "init", "--template", "minimal", "--git", "--dry-run")
    assert tree(tmp_path) == before
    done = cra(tmp_path, "init", "--template", "minimal", "--git")

    assert (tried.returncode, done.returncode) == (0, 0)
    said = tried.stdout.replace("Would create", "Created").replace("would be beside", "is beside")
    assert done.stdout.startswith(said)
    assert done.stdout.removeprefix(said).startswith("Accepted: com.example.hello-world 1.0.0\n")


# AGENTS.md.


def knows_no_case(place: Path) -> bool:
    (place / "probe").touch()
    return (place / "PROBE").exists()


def test_agents_md_is_found_under_the_name_that_coding_agents_look_for(tmp_path):
    project = made(tmp_path / "project")

    assert (project / "AGENTS.md").samefile(project / "agents.md")
    names = [path.name for path in project.iterdir() if path.name.lower() == "agents.md"]
    assert len(names) == (1 if knows_no_case(tmp_path) else 2)


def test_a_fresh_clone_without_the_link_gets_it_again(tmp_path):
    project = made(tmp_path / "project")
    shutil.rmtree(project / "cra.trace")
    if not knows_no_case(tmp_path):
        (project / "AGENTS.md").unlink()

    answer(project, "init")

    assert (project / "AGENTS.md").samefile(project / "agents.md")


def test_an_agents_md_in_capitals_of_its_owners_own_is_left_and_told_of(tmp_path):
    if knows_no_case(tmp_path):
        pytest.skip("this file system does not tell the two names apart")
    (tmp_path / "AGENTS.md").write_text("mine")

    done = cra(tmp_path, "init", "--template", "minimal")

    assert done.returncode == 0
    assert (tmp_path / "AGENTS.md").read_text() == "mine"
    line = "Read agents.md before you begin."
    assert (
        "note: AGENTS.md is a file of its own, and says nothing of agents.md; add a line to it: "
        f"{line}\n" in done.stderr
    )
    (tmp_path / "AGENTS.md").write_text(f"mine\n{line}\n")
    again = cra(tmp_path, "init", "--template", "minimal")
    assert (again.stdout, again.stderr) == ("nothing to do\n", "")


def test_two_names_of_one_file_are_left_as_they_are(tmp_path):
    """As on a file system that does not tell them apart: both names are there, and one file."""
    (tmp_path / "agents.md").write_text("mine\n")
    if not knows_no_case(tmp_path):
        (tmp_path / "AGENTS.md").hardlink_to(tmp_path / "agents.md")

    done = cra(tmp_path, "init", "--template", "minimal", "--dry-run")

    assert "AGENTS.md" not in done.stdout + done.stderr


# Asking.


def test_a_terminal_is_asked_and_wrong_answers_are_asked_again(tmp_path):
    typed = "suport-desk\nsupport-desk\nclerk\n0\n20\ny\n"

    code, screen = at_terminal(tmp_path, "init", "desk", typed=typed)

    project = tmp_path / "desk"
    assert code == 0
    assert "did you mean support-desk?" in screen
    assert "Which template? Its name or number, and enter [minimal]" in screen
    assert re.search(r"\n  1 minimal +The smallest project", screen)
    assert "Refunds above which amount wait for a person? [50]" in screen
    assert "expected a whole number from 1 to 99 as refund_limit, found '0'" in screen
    assert json.loads((project / "cra.template.json").read_text())["answers"] == {
        "agent": "clerk",
        "refund_limit": "20",
    }
    assert (project / ".git").is_dir()
    assert cra(project, "replay").returncode == 0


@pytest.mark.parametrize(
    ("arguments", "typed", "template"),
    [
        ([], "\n\n\n", "minimal"),
        ([], "none\n\n", None),
        ([], "0\n\n", None),
        ([], "9\n4\n\n\n\n", "devops"),
        (["--template", "devops", "--set", "agent=me", "--no-git"], "7\n", "devops"),
        (["--template", "minimal", "--yes"], "", "minimal"),
        (["--yes"], "", None),
    ],
    ids=["defaults", "none", "number of none", "number", "in advance", "yes", "yes alone"],
)
def test_what_is_answered_in_advance_is_not_asked(tmp_path, arguments, typed, template):
    code, _ = at_terminal(tmp_path, "init", *arguments, typed=typed)

    record = tmp_path / "cra.template.json"
    found = json.loads(record.read_text()) if record.exists() else {"template": None}
    assert (code, found["template"]) == (0, template)
    assert (tmp_path / "cra.config.json").is_file()
    assert not (tmp_path / ".git").exists()


@pytest.mark.parametrize("typed", ["\x04", "\n\x04", "\n\n\x04"])
def test_the_end_of_input_at_a_question_makes_nothing(tmp_path, typed):
    code, screen = at_terminal(tmp_path, "init", "new", typed=typed)

    assert (code, tree(tmp_path)) == (130, {})
    assert screen.endswith("\r\ninterrupted\r\n")


def test_the_end_of_input_at_a_conflict_changes_nothing(tmp_path):
    (tmp_path / "README.md").write_text(README)

    code, screen = at_terminal(tmp_path, "init", "--template", "minimal", "--set", "agent=me",
                               "--no-git", typed="\x04")  # fmt: skip

    assert (code, tree(tmp_path)) == (130, {"README.md": README.encode()})
    assert "README.md: keep yours, replace it" in screen


def test_a_project_that_is_there_is_not_asked_about(tmp_path):
    project = made(tmp_path / "project")

    assert at_terminal(project, "init", typed="") == (0, "nothing to do\r\n")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ("--template devop", "no such template: 'devop'; did you mean devops?"),
        ("--template zzz", "fix: cra template list"),
        ("--template project", "no such template: 'project'"),
        ("--set agent=me", "expected a template for --set, found none"),
        ("--template minimal --set agent", "expected --set NAME=VALUE, found 'agent'"),
        ("--template minimal --set agent=a --set agent=b", "each name once, found 'agent=b'"),
        ("--template minimal --set agnet=me", "did you mean agent?"),
        ("--template minimal --set agent=Me", "expected a name of a-z, 0-9 and - as agent"),
        ("--template minimal --set agent=", "expected a name of a-z, 0-9 and - as agent"),
        ("--template support-desk --set refund_limit=100", "a whole number from 1 to 99"),
    ],
)
def test_what_cannot_be_is_an_error_before_anything_is_made(tmp_path, arguments, said):
    done = cra(tmp_path, "init", *arguments.split())

    assert (done.returncode, done.stdout) == (2, "")
    assert said in done.stderr
    assert tree(tmp_path) == {}


def test_a_repository_is_not_made_within_another(tmp_path):
    answer(tmp_path, "init", "--git")
    told = json.loads(answer(tmp_path, "init", "inner", "-t", "devops", "--git", "--json"))

    assert (tmp_path / ".git").is_dir()
    assert not (tmp_path / "inner" / ".git").exists()
    assert "git init" not in told["next"]


def test_the_list_describes_each_template(tmp_path):
    listed = json.loads(answer(tmp_path, "template", "list", "--json"))
    shown = answer(tmp_path, "template", "list")

    assert listed[0]["name"] == "minimal"
    assert {one["name"]: one["atlas"] for one in listed} == {
        name: facts["atlas"] for name, facts in TEMPLATES.items()
    }
    for one in listed:
        assert f"{one['name']}\n  {one['about'][:40]}" in shown
        assert [f"--set {each['name']}=" for each in one["questions"] if
                f"--set {each['name']}={each['default']}" not in shown] == []  # fmt: skip
