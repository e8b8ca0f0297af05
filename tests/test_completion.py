"""What the shell completes, asked as bash, zsh and fish ask it."""

from __future__ import annotations

import os
import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests import governed
from tests.program import ROOT, answer, cra

TEMPLATES = ["minimal", "coding-agent", "data-analytics", "devops", "support-desk"]
GOALS = ("read a ticket", "close `id` \\$(touch bad) 'quoted' \"twice\"; <all>: tickets")


@pytest.fixture(scope="module")
def desk(tmp_path_factory):
    place = tmp_path_factory.mktemp("completed")
    asks = governed.rule("desk-asks", "require_approval", "ticket.close")
    governed.write_project(place, governed.ALLOW, asks)
    agents = {"reviewer": {"roles": ["lead"]}, "*.?": {}}
    governed.configure(place, agents=agents)
    for agent, goal in zip(("cli", "reviewer"), GOALS, strict=True):
        answer(place, "resolve", "--goal", goal, "--agent", agent)
    assert cra(place, "execute", "ticket.close", "-p", "file=none").returncode == 4
    answer(place, "golden", "record", "last", "--name", "one")
    return place


def completed(place: Path, line: str, shell: str = "fish", **environ: str) -> list[str]:
    """The lines that a shell is given for a command line with the cursor at its end."""
    asked = {
        "_CRA_COMPLETE": f"complete_{shell}",
        "_TYPER_COMPLETE_ARGS": line,
        "_TYPER_COMPLETE_FISH_ACTION": "get-args",
    }
    done = cra(place, **asked, **environ)
    assert (done.returncode, done.stderr) == (0, "")
    return done.stdout.rstrip("\n").split("\n")


def words(place: Path, line: str, **environ: str) -> list[str]:
    return [offer.split("\t")[0] for offer in completed(place, line, **environ)]


def sessions_of(place: Path) -> list[str]:
    found = (place / "cra.trace").glob("*-*.trace.jsonl")
    return sorted((path.name.partition(".")[0] for path in found), reverse=True)


@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("cra execute ticket.p", ["ticket.pay", "ticket.pretend"]),
        ("cra explain ticket.pa", ["ticket.pay"]),
        ("cra explain CRA-301", [f"CRA-301{digit}" for digit in range(5)]),
        ("cra explain cra-500", ["CRA-5001", "CRA-5002", "CRA-5003"]),
        ("cra atlas show c", ["com.example.desk"]),
        ("cra resolve --atlas ", ["com.example.desk"]),
        ("cra session start --agent ", ["reviewer"]),
        ("cra golden review ", ["one"]),
        ("cra replay ", ["one"]),
        ("cra trace replay o", ["one"]),
        ("cra replay --manifest ", ["one"]),
        ("cra trace show j", ["journal"]),
        ("cra session show j", [""]),
        ("cra trace diff l", ["last"]),
        ("cra init --template de", ["devops"]),
        ("cra init -t ", TEMPLATES),
        ("cra help filt", ["filters"]),
        ("cra help atlas c", ["create", "context"]),
        ("cra help CRA-100", [f"CRA-100{digit}" for digit in range(9)]),
        ("cra hel", ["help"]),
    ],
)
def test_words_of_the_project_are_completed(desk, line, expected):
    assert words(desk, line) == expected


def test_sessions_are_completed_newest_first_with_their_agent_and_goal(desk):
    newest, oldest = sessions_of(desk)

    assert completed(desk, "cra session show ") == [
        "last",
        f"{newest}\treviewer - close id touch bad quoted twice all tickets",
        f"{oldest}\tcli - read a ticket",
    ]
    assert words(desk, f"cra execute --session {newest[:-1]}") == [newest]
    assert words(desk, f"cra trace show {oldest[:-1].upper()}") == [oldest]


def test_approvals_are_completed_with_what_they_are_about(desk):
    last, waiting = completed(desk, "cra approvals grant ")

    assert last == "last"
    assert re.fullmatch(r"[0-9a-f-]{36}\tpending ticket\.close", waiting)


def test_the_project_that_an_option_or_the_environment_names_is_asked(desk, tmp_path):
    ledger = f"--trace-dir {desk / 'cra.trace'}"

    assert words(tmp_path, f"cra execute -C {desk} ticket.pa") == ["ticket.pay"]
    assert words(tmp_path, "cra execute ticket.pa", CRA_PROJECT=str(desk)) == ["ticket.pay"]
    assert words(tmp_path, f"cra session show {ledger} ") == ["last", *sessions_of(desk)]


@pytest.mark.parametrize("line", ["cra execute ", "cra atlas show ", "cra golden review "])
def test_without_a_project_nothing_is_completed_and_nothing_is_said(tmp_path, line):
    assert completed(tmp_path, line) == [""]


def test_an_atlas_that_is_not_the_accepted_one_completes_no_action(tmp_path):
    place = governed.write_project(tmp_path)
    (place / "atlases" / "desk" / "desk.py").write_text("changed = 1")

    assert completed(place, "cra execute ") == [""]


def test_what_zsh_evaluates_holds_nothing_that_it_would_carry_out(desk):
    (desk / "goldens" / "$(touch bad)").mkdir(exist_ok=True)
    (desk / "goldens" / "$(touch bad)" / "manifest.json").write_text("{}")
    offered = "\n".join(
        line
        for asked in ("session show", "golden review", "session start --agent")
        for line in completed(desk, f"cra {asked} ", "zsh")
    )

    assert '"reviewer - close id touch bad quoted twice all tickets"' in offered
    inside = offered.replace("_arguments '*: :((", "").replace("))'", "")
    assert re.findall(r"[^\w\s\".:@+=?%#,/-]", inside) == []
    assert "*.?" not in inside


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
def test_the_shell_that_is_named_gets_its_own_script(tmp_path, shell):
    shown = answer(tmp_path, "--show-completion", shell)
    assert answer(tmp_path, f"--show-completion={shell}") == shown
    assert f"complete_{shell}" in shown

    told = answer(tmp_path, "--install-completion", shell, HOME=str(tmp_path))

    [line] = told.splitlines()
    place = Path(line.removeprefix(f"{shell} completion installed in "))
    assert place.is_relative_to(tmp_path)
    assert place.read_text().strip() == shown


@pytest.mark.parametrize("option", ["--show-completion", "--install-completion"])
@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["nosh"], "expected bash, zsh or fish, found 'nosh'\n"),
        (["zhs"], "found 'zhs'; did you mean zsh?\n  fix: cra {option} zsh\n"),
        (["bash", "fish"], "expected one shell, found 'bash fish'\n"),
    ],
)
def test_another_word_than_a_shell_is_refused(tmp_path, option, words, said):
    done = cra(tmp_path, option, *words, HOME=str(tmp_path))

    assert (done.returncode, done.stdout) == (2, "")
    assert said.format(option=option) in done.stderr
    assert list(tmp_path.iterdir()) == []


def test_the_shell_that_is_running_is_meant_where_none_is_named(tmp_path):
    script = f"{shlex.quote(sys.executable)} -m cra --show-completion; true"
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=tmp_path,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=True,
    )

    assert done.stdout.rstrip("\n") == answer(tmp_path, "--show-completion", "bash")


def test_bash_completes_with_the_script_that_is_shown(desk, tmp_path):
    program = tmp_path / "cra"
    program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} -m cra "$@"\n')
    program.chmod(0o755)
    script = """
        source <(cra --show-completion bash)
        COMP_WORDS=(cra session show "") COMP_CWORD=3
        _cra_completion cra
        printf '%s\\n' "${COMPREPLY[@]}"
    """
    done = subprocess.run(
        ["bash", "--norc", "-c", script],
        cwd=desk,
        env={
            **os.environ,
            "PATH": f"{tmp_path}:{os.environ['PATH']}",
            "PYTHONPATH": str(ROOT),
            "_TYPER_COMPLETE_TEST_DISABLE_SHELL_DETECTION": "1",
        },
        capture_output=True,
        encoding="utf-8",
        check=True,
    )

    assert done.stdout.splitlines() == ["last", *sessions_of(desk)]


@pytest.mark.parametrize(
    ("line", "other"),
    [
        ("cra session show ", {"cra.atlas.snapshot", "cra.runtime.project"}),
        ("cra execute ", {"cra.runtime.session"}),
        ("cra approvals grant ", {"cra.runtime.session"}),
    ],
)
def test_completion_loads_what_it_reads_and_verifies_nothing(desk, line, other):
    program = (
        "import sys\nfrom cra.__main__ import main\n"
        "try:\n    main()\nexcept SystemExit:\n    pass\n"
        "print(*(name for name, module in sys.modules.items() if module), file=sys.stderr)"
    )
    done = subprocess.run(
        [sys.executable, "-c", program],
        cwd=desk,
        env={
            **os.environ,
            "PYTHONPATH": str(ROOT),
            "_CRA_COMPLETE": "complete_zsh",
            "_TYPER_COMPLETE_ARGS": line,
        },
        capture_output=True,
        encoding="utf-8",
        check=True,
    )
    heavy = {
        "cra.ledger.verify",
        "cryptography",
        "jsonschema_rs",
        "pydantic",
        "re2",
        "rich",
        "yaml",
    }

    assert done.stdout.count("\n") > 1
    assert not set(done.stderr.split()) & (heavy | other)
