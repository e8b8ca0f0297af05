"""What each entrance of the program may load, looked up in a fresh interpreter.

A stopwatch on a shared machine is no judge of start-up time; the set of loaded modules is.
"""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ATLASES = Path(__file__).parents[1] / "examples" / "atlases"

# Its own package has what reads and writes every form of a key.
KEY_FORMS = "cryptography.hazmat.primitives.serialization"
HEAVY = {
    "Stemmer",
    "asyncio",
    "click",
    # What only those who work in a session need, and only those who run a program.
    "cra.runtime.session",
    "cra.runtime.executors.child",
    "cryptography",
    KEY_FORMS,
    "dataclasses",
    "jinja2",
    "jsonschema_rs",
    "orjson",
    "pydantic",
    "re2",
    "rich",
    "textual",
    "typer",
    "watchfiles",
    "yaml",
}
NOTHING: set[str] = set()
COMMAND = {"click", "dataclasses", "typer"}
LEDGER = COMMAND | {"orjson"}
SIGNED = LEDGER | {"cryptography"}
VALIDATING = LEDGER | {"jsonschema_rs"}
GOVERNED = LEDGER | {"re2", "cra.runtime.session"}

# A command line, the exit code that shows that it did its work, and what it may load of HEAVY.
ENTRANCES = [
    ("--version", 0, NOTHING),
    ("--help", 0, NOTHING),
    ("init elsewhere --no-sign", 0, LEDGER | {"jinja2"}),
    (
        "init elsewhere --no-sign --template minimal",
        0,
        VALIDATING | GOVERNED | SIGNED | {"Stemmer", "jinja2", "pydantic"},
    ),
    ("template list", 0, LEDGER),
    ("schema", 0, LEDGER),
    ("schema --write elsewhere", 0, LEDGER | {"pydantic"}),
    ("doctor", 0, LEDGER),
    ("explain CRA-3010", 0, LEDGER),
    ("explain ticket.close", 0, LEDGER),
    ("explain refund.issue --param ticket=4 --param amount=9", 0, VALIDATING),
    ("explain --resolution last", 0, LEDGER),
    ("explain --session last", 0, LEDGER | {"re2"}),
    ("policy check", 0, LEDGER),
    ("policy test", 0, VALIDATING),
    ("atlas create made", 0, LEDGER | {"jinja2"}),
    (f"atlas create made --from-docs {ATLASES / 'devops'}", 0, GOVERNED | {"Stemmer"}),
    ("atlas list", 0, LEDGER),
    ("atlas show com.example.support-desk", 0, LEDGER),
    ("atlas actions", 0, LEDGER),
    ("atlas context", 0, LEDGER),
    ("atlas lock --check", 0, LEDGER),
    (f"atlas validate {ATLASES / 'hello-world'}", 0, VALIDATING | {"Stemmer"}),
    ("resolve --goal greet", 0, GOVERNED | {"Stemmer"}),
    ("execute greeting.say --param name=World", 0, VALIDATING | GOVERNED),
    ("conformance", 0, VALIDATING | GOVERNED | {"Stemmer"}),
    ("config show", 0, LEDGER),
    ("config validate", 0, LEDGER | {"pydantic"}),
    ("session start", 0, SIGNED),
    ("session list", 0, LEDGER),
    ("session show last", 0, LEDGER),
    ("session end last", 0, SIGNED),
    ("replay", 0, VALIDATING | GOVERNED | SIGNED | {"Stemmer"}),
    ("golden list", 0, VALIDATING | GOVERNED | SIGNED | {"Stemmer"}),
    ("golden review", 0, LEDGER),
    ("watch --help", 0, COMMAND),
    ("watch -C elsewhere", 2, COMMAND | {"re2"}),
    ("trace diff last last", 0, LEDGER),
    ("session show last --at 0", 0, LEDGER),
    ("trace --help", 0, NOTHING),
    ("trace list", 0, LEDGER),
    ("trace show last", 0, LEDGER),
    ("trace tail --help", 0, LEDGER),
    ("trace tui --help", 0, LEDGER),
    ("trace tui", 2, LEDGER | {"re2"}),
    ("trace verify last", 0, SIGNED),
    ("trace repair last", 0, SIGNED),
    ("trace export last", 0, LEDGER),
    ("trace stats last", 0, LEDGER),
    ("trace prove --help", 0, LEDGER),
    ("trace verify-proof --help", 0, LEDGER),
    ("trace anchor", 0, SIGNED),
    ("trace redact --help", 0, LEDGER),
    ("trace prune --dry-run", 0, SIGNED),
]

# The last line of stderr is the answer: the program has stdout to itself.
PROGRAM = """
import sys
code = 0
try:
    from cra.__main__ import main
    code = main()
except SystemExit as stop:
    code = stop.code
print(code or 0, *sys.modules, file=sys.stderr)
"""


def run(arguments: str, folder: Path) -> tuple[int, set[str], str]:
    answer = subprocess.run(
        [sys.executable, "-c", PROGRAM, *shlex.split(arguments)],
        cwd=folder,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        check=True,
        timeout=60,
    )
    *said, last = answer.stderr.splitlines()
    code, *modules = last.split()
    return int(code), HEAVY.intersection(modules), answer.stdout + "\n".join(said)


@pytest.fixture(scope="module")
def recorded(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("project")
    tests = folder / "tests" / "policies"
    tests.mkdir(parents=True)
    deleting = {"action": "ticket.delete", "parameters": {"id": 1042}}
    stays = {"name": "stays", "call": deleting, "expect": {"decision": "deny"}}
    (tests / "tickets.json").write_text(json.dumps({"tests": [stays]}), encoding="utf-8")
    begun = [
        "init --no-sign",
        f"atlas add {ATLASES / 'hello-world'} --yes",
        f"atlas add {ATLASES / 'support-desk'} --yes",
        "session start --agent cli",
        "resolve --goal greet",
        "golden record last --name greet",
    ]
    for arguments in begun:
        code, _, said = run(arguments, folder)
        assert code == 0, said
    return folder


@pytest.fixture
def project(recorded: Path, tmp_path: Path) -> Path:
    return shutil.copytree(recorded, tmp_path / "project")


@pytest.mark.parametrize(
    ("arguments", "expected", "allowed"), ENTRANCES, ids=[line for line, *_ in ENTRANCES]
)
def test_an_entrance_loads_only_what_it_uses(project, arguments, expected, allowed):
    code, loaded, said = run(arguments, project)

    assert code == expected, said
    assert loaded <= allowed


def test_a_signed_ledger_takes_nothing_but_signatures_from_their_library(tmp_path):
    for arguments in ("init", "session start --agent cli", "session end last"):
        run(arguments, tmp_path)

    for arguments in ("trace verify", "doctor", "session start --agent cli"):
        code, loaded, said = run(arguments, tmp_path)
        assert code == 0, said
        assert "cryptography" in loaded
        assert loaded <= SIGNED
