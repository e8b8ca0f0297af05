"""Every error code has a page, and the example on it is what the program prints."""

from __future__ import annotations

import importlib
import json
import os
import pkgutil
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

import cra as package
from cra.cli.codes import pages
from cra.cli.commands import COMMANDS
from cra.errors import Code, CraError, Fault
from tests.program import ROOT, answer, cra

PROGRAMS = f"""
cra() {{ {shlex.quote(sys.executable)} -m cra "$@"; }}
python() {{ {shlex.quote(sys.executable)} "$@"; }}
"""
BEGUN = f"""
cra init
mkdir atlases policies
cp -r {ROOT}/examples/atlases/support-desk atlases
cra atlas add atlases/support-desk --yes
cra resolve --goal "answer the ticket about the printer"
cra execute ticket.read -p id=1042
"""
OTHER_PROJECT = """
mkdir ../other
cd ../other
cra init
cra resolve --goal "anything"
cd ../project
"""
# What has to be so before the example of a page, where it does not show that itself.
BEFORE = {
    "CRA-1008": "cra golden record last --name one",
    "CRA-3005": "OTHER=01900000-0000-7000-8000-000000000000",
    "CRA-3006": f"""
        cp -r {ROOT}/specs/vectors/ledgers/event-after-the-end archive
        SESSION=$(basename archive/0*.trace.jsonl .trace.jsonl)
    """,
    "CRA-3020": """
        cp -r cra.trace before
        cra execute ticket.list
        cp before/$SESSION.* cra.trace
    """,
    "CRA-3021": "cra session start",
    "CRA-3022": f"{OTHER_PROJECT}OTHER=$(basename ../other/cra.trace/0*.trace.jsonl .trace.jsonl)",
    "CRA-3023": r"""python - cra.trace/$SESSION.trace.jsonl <<'END'
import re, sys
from pathlib import Path
path = Path(sys.argv[1])
lines = path.read_bytes().split(b"\n")
lines[3] = re.sub(rb',"payload":.*"salt":"[0-9a-f]{32}"', b"", lines[3])
path.write_bytes(b"\n".join(lines))
END""",
    "CRA-3024": """
        sed -i '/^def list_tickets/,/return/s/"subject": what/"subject": what * 9999/' \
            atlases/support-desk/desk.py
        cra atlas lock --yes
        cra resolve --goal "list the tickets"
        cra execute ticket.list
    """,
    "CRA-3025": "cra golden record last --name one",
    "CRA-3031": f"cra trace verify; {OTHER_PROJECT}",
    "CRA-3032": """
        cp -r cra.trace older
        cra execute ticket.list
        cra trace anchor > anchor.txt
        rm -r cra.trace ~/.local/state
        mv older cra.trace
    """,
    "CRA-4002": r"""
        printf 'import os\ndef fail(fd): raise OSError(5, "Input/output error")\n' > fault.py
        (cat fault.py; echo 'os.fdatasync = fail') > sitecustomize.py
        export PYTHONPATH=$PYTHONPATH:$PWD
    """,
    "CRA-4007": r"""
        limit='import resource; resource.setrlimit(resource.RLIMIT_FSIZE, (9, -1))'
        sed -i "s/^def list_tickets.*/&\n    $limit; return []/" atlases/support-desk/desk.py
        cra atlas lock --yes
        cra resolve --goal "list the tickets"
    """,
    "CRA-5002": """
        echo '[{"policy_id": "ask-before-closing", "type": "require_approval",
            "actions": ["ticket.close"], "reason": "a person closes tickets"}]' > policies/ask.json
        cra resolve --goal "close the ticket"
    """,
}
# Programs are told these by an exception, and `cra execute` by its verdict.
WITHOUT_THE_CODE = {"CRA-1003", "CRA-5001", "CRA-5002", "CRA-5003"}
# Python's own, for an exception that nobody catches.
UNCAUGHT = {"CRA-1003": 1}


def in_shell(place: Path, script: str) -> subprocess.CompletedProcess[str]:
    environ = {name: value for name, value in os.environ.items() if not name.startswith("XDG_")}
    return subprocess.run(
        ["bash", "-c", f"exec 2>&1\n{PROGRAMS}\n{script}"],
        cwd=place / "project",
        env={**environ, "HOME": str(place / "home"), "PYTHONPATH": str(ROOT)},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        encoding="utf-8",
        check=False,
        timeout=120,
    )


@pytest.fixture(scope="module")
def begun(tmp_path_factory):
    place = tmp_path_factory.mktemp("begun")
    for name in ("home", "project"):
        (place / name).mkdir()
    done = in_shell(place, f"set -e\n{BEGUN}")
    assert done.returncode == 0, done.stdout
    return place


def codes_in_the_code() -> set[str]:
    """The code of every error that a module of cra defines, and of every finding and fault."""
    for module in pkgutil.walk_packages(package.__path__, "cra."):
        if not module.name.endswith("__main__"):
            importlib.import_module(module.name)
    found = {member.value for kind in (Code, Fault) for member in kind}
    waiting: list[type[CraError]] = [CraError]
    while waiting:
        kind = waiting.pop()
        found.add(kind.code)
        waiting += kind.__subclasses__()
    return found


def test_every_error_has_a_page_and_every_page_an_error():
    assert codes_in_the_code() == set(pages())


def test_no_code_is_named_in_the_program_that_has_no_page():
    named = {
        code
        for path in (ROOT / "cra").rglob("*.py")
        for code in re.findall(r"\bCRA-[1-9][0-9]{3}\b", path.read_text(encoding="utf-8"))
    }

    assert named - set(pages()) == {"CRA-1234", "CRA-2999", "CRA-3000", "CRA-3999", "CRA-5999"}


@pytest.mark.parametrize("code", pages())
def test_the_example_of_a_page_is_what_the_program_prints(begun, tmp_path, code):
    place = tmp_path / "copy"
    shutil.copytree(begun, place, symlinks=True)
    example = pages()[code].example
    commands = [
        f"printf '%s\\n' {shlex.quote(line)}\n{line.removeprefix('$ ')}"
        for line in example.splitlines()
        if line.startswith("$ ")
    ]
    session = "SESSION=$(basename cra.trace/0*.trace.jsonl .trace.jsonl)"
    before = f"{{\n{BEFORE.get(code, ':')}\n}} > ../before.txt 2>&1"
    done = in_shell(place, "\n".join([session, before, *commands]))

    pattern = ".*".join(map(re.escape, example.split("...")))
    said = (place / "before.txt").read_text()
    assert re.fullmatch(pattern, done.stdout, re.DOTALL), f"{said}\n{done.stdout}\n{example}"
    assert code in example or code in WITHOUT_THE_CODE
    facts = json.loads(answer(tmp_path, "explain", code, "--json"))
    assert done.returncode == UNCAUGHT.get(code, facts["exit_code"])


@pytest.mark.parametrize("code", pages())
def test_a_page_fits_eighty_columns_and_has_each_of_its_parts(code, tmp_path):
    page = answer(tmp_path, "explain", code)
    facts = json.loads(answer(tmp_path, "explain", code.lower(), "--json"))

    assert [line for line in page.split("\n") if len(line) > 80] == []
    headings = ["What happened", "Why it matters", "How to mend it", "Example"]
    assert [line for line in page.split("\n") if line in headings] == headings
    words = " ".join(page.split())
    told = [*(step["text"] for step in facts["mend"]), facts["happened"], facts["matters"]]
    assert [text for text in told if " ".join(text.split()) not in words] == []
    assert page.startswith(f"{code}  {facts['title']}\n{facts['name']}, exit code ")


def test_the_commands_that_mend_something_exist(tmp_path):
    steps = [step.command for page in pages().values() for step in page.mend]
    commands = {step for step in steps if re.match("cra [a-z]", step)}

    assert len(commands) > 20
    for command in commands - {"cra help filters", "cra help COMMAND"}:
        words = shlex.split(command)[1:]
        two = " ".join(words[:2])
        shown = answer(tmp_path, *(two if two in COMMANDS else words[0]).split(), "--help")
        assert [word for word in words if word.startswith("-") and f" {word}" not in shown] == []


def test_the_topic_errors_lists_every_code_with_its_title(tmp_path):
    listed = answer(tmp_path, "help", "errors").split("\n")

    assert {f"  {code}  {page.title}" for code, page in pages().items()} <= set(listed)


@pytest.mark.parametrize(
    "asked", ["explain CRA-3O10", "explain cra-301", "explain CRA3010", "help CRA-30110"]
)
def test_a_code_that_is_none_is_answered_with_one_that_is(tmp_path, asked):
    done = cra(tmp_path, *asked.split())

    assert done.returncode == 2
    assert re.search(r"expected a code of cra, found \S+; did you mean CRA-30\d\d\?", done.stderr)
    assert "fix: cra help errors" in done.stderr


def test_help_for_a_code_is_its_page(tmp_path):
    assert answer(tmp_path, "help", "cra-3010") == answer(tmp_path, "explain", "CRA-3010")


def test_the_pages_are_loaded_when_one_is_asked_for():
    program = "import sys, cra.cli.codes; print(*sys.modules)"
    done = subprocess.run(
        [sys.executable, "-c", program], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert "cra.cli.pages.page" in done.stdout.split()
    assert "cra.cli.pages.stored" not in done.stdout.split()
