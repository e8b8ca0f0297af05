"""What commands print with --json is what `cra schema` says of it."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from collections import defaultdict
from collections.abc import Iterator
from contextlib import chdir, closing, redirect_stderr, redirect_stdout
from io import StringIO
from pathlib import Path
from random import Random
from typing import Any

import pytest

from cra.cli import run
from cra.cli.commands import COMMANDS
from cra.cli.group import load
from cra.cli.project import user_dirs
from cra.cli.schema import SCHEMAS
from cra.ledger.keys import load_key
from cra.ledger.memory import Memory
from cra.ledger.store import Ledger
from cra.policy.schema import compile_schema
from cra.protocol.schema import trace_event
from tests.governed import rule, write_rules
from tests.program import at_terminal
from tests.secrets_corpus import KEYS

DESK = Path(__file__).parents[1] / "examples" / "atlases" / "support-desk"
# Commands whose answers have a schema of another name.
OTHERWISE = {
    "resolve": "carp-resolution",
    "execute": "carp-execution-result",
    "conformance": "conformance-report",
    "trace replay": "replay",
}
# Schemas of what is read or stored, and of the report that tests/test_conformance.py looks at.
NOT_PRINTED = {
    "atlas-manifest",
    "carp-request",
    "conformance-report",
    "cra-config",
    "golden-manifest",
    "policy",
    "trace-event",
}

RULES = [
    rule("a-person-looks", "require_approval", "ticket.reply", reason="replies are public"),
    rule("no-closing", "deny", "ticket.close", conditions={"roles": ["clerk"]}),
    rule(
        "few-lists", "rate_limit", "ticket.list", parameters={"max_calls": 9, "window_seconds": 9}
    ),
    rule("nothing-there", "deny", "invoice.send"),
    rule("of-a-program", "allow", "report.*"),
]
DRAFT = [rule("no-reading", "deny", "ticket.read")]
TESTS = [
    {"name": name, "call": {"action": "ticket.delete", "parameters": {"id": 1}}, "expect": expect}
    for name, expect in [("kept", {"decision": "deny"}), ("gone", {"decision": "allow"})]
]
DENIED = {"action_id": "ticket.delete", "reason": "no rule allows it", "policy_id": None}
APPROVED = {
    "execution_id": "e",
    "action_id": "a.b",
    "resolution_id": None,
    "arguments": {},
    "arguments_digest": "",
    "decision": {"type": "allow", "reason": "", "policy_id": "p"},
}
EXECUTED = {
    "execution_id": "f",
    "action_id": "a.b",
    "duration_us": 1,
    "result": KEYS["github_token"][0](Random(1)) + " " * 70_000,
}
FAILED = {
    "execution_id": "g",
    "action_id": "a.b",
    "duration_us": 1,
    "error": {"code": "CRA-5003", "message": "it failed"},
}
pytestmark = pytest.mark.xdist_group("answers")

COMMIT = """
git init --quiet
git config user.name "A Tester"
git config user.email tester@example.com
git commit --quiet --allow-empty -m begin
"""


class Printed:
    """What commands printed in a directory, by the name of their schema."""

    def __init__(self, place: Path) -> None:
        self.place = place
        self.found: dict[str, list[Any]] = defaultdict(list)

    def ask(self, name: str, line: str, code: int = 0) -> Any:
        out, err = StringIO(), StringIO()
        with chdir(self.place), redirect_stdout(out), redirect_stderr(err):
            ended = run([*line.split(), "--json"])
        assert ended == code, f"{line}: {ended}\n{out.getvalue()}{err.getvalue()}"
        text = (err if name == "error" else out).getvalue()
        said = text.splitlines() if name == "trace-tail" else [text]
        self.found[name] += map(json.loads, said)
        return self.found[name][-1]

    def ask_at_terminal(self, name: str, line: str) -> None:
        code, screen = at_terminal(self.place, *line.split(), "--json", typed="y\n")
        assert code == 0, screen
        self.found[name].append(json.loads(screen.partition("[y/N]")[2]))

    def watch(self) -> None:
        """Ask for the first verdict of a command that goes on until it is ended."""
        command = [sys.executable, "-m", "cra", "watch", "--json"]
        with subprocess.Popen(command, cwd=self.place, stdout=subprocess.PIPE) as process:
            assert process.stdout is not None
            self.found["watch"].append(json.loads(process.stdout.readline()))
            process.terminate()


@pytest.fixture(scope="module")
def printed(tmp_path_factory: pytest.TempPathFactory) -> dict[str, list[Any]]:
    """What every command prints, in states that make a difference."""
    desk = Printed(tmp_path_factory.mktemp("desk"))
    ask_about_a_project(desk)
    ask_about_calls(desk)
    ask_about_atlases(desk)
    ledger = Printed(tmp_path_factory.mktemp("ledger"))
    ask_about_a_ledger(ledger)
    ask_about_a_bad_ledger(ledger)
    guarded = Printed(tmp_path_factory.mktemp("guarded"))
    ask_about_goldens(guarded)
    found = (desk.found, ledger.found, guarded.found)
    return {name: [one for each in found for one in each[name]] for name in set().union(*found)}


def ask_about_a_project(desk: Printed) -> None:
    desk.ask("init", "init --no-sign --dry-run")
    desk.ask("init", "init --no-sign")
    desk.ask("init", "init elsewhere --no-sign --template minimal")
    desk.ask("template-list", "template list")
    shutil.copytree(DESK, desk.place / "atlases" / "support-desk")
    desk.ask("atlas-add", "atlas add atlases/support-desk --dry-run")
    desk.ask("atlas-add", "atlas add atlases/support-desk --yes")
    write_rules(desk.place, *RULES)
    (desk.place / "draft.json").write_text(json.dumps(DRAFT))
    (desk.place / "tests.json").write_text(json.dumps({"tests": TESTS}))
    desk.ask("doctor", "doctor")
    desk.ask("config-show", "config show")
    desk.ask("config-validate", "config validate")
    desk.ask("schema", "schema")
    desk.ask("schema-write", "schema error --write schemas")
    desk.ask("policy-check", "policy check", 1)
    desk.ask("policy-test", "policy test tests.json", 1)
    desk.ask("approvals-key", "approvals key approver.pem")
    desk.ask("approvals-key", "approvals key approver.pem")
    desk.ask("explain-code", "explain CRA-3010")
    for line in ("explain no.action", "session show none", "doctor --none"):
        desk.ask("error", line, 2)


def ask_about_calls(desk: Printed) -> None:
    """Calls of each kind: done, failed, denied, granted, refused and still waiting."""
    desk.ask("carp-resolution", "resolve --goal ticket")
    desk.ask("carp-execution-result", "execute ticket.list")
    desk.ask("carp-execution-result", "execute ticket.read -p id=1042")
    desk.ask("carp-execution-result", "execute ticket.read -p id=1", 5)
    desk.ask("carp-execution-result", "execute ticket.delete -p id=1", 1)
    for decision in ("grant", "deny", None):
        line = f"execute ticket.reply -p id=1042 -p text={decision}"
        desk.ask("carp-execution-result", line, 4)
        if decision is not None:
            desk.ask_at_terminal(f"approvals-{decision}", f"approvals {decision} last")
    desk.ask("explain", "explain ticket.close")
    desk.ask("explain", "explain ticket.close -p id=1042 --role clerk", 1)
    desk.ask("explain", "explain ticket.reply", 4)
    desk.ask("explain-rule", f"explain {RULES[0]['policy_id']}")
    desk.ask("explain-resolution", "explain --resolution last")
    desk.ask("explain-session", "explain --session last")
    desk.ask("session-show", "session show last")
    for at in range(15):
        desk.ask("session-show-at", f"session show last --at {at}")
    desk.ask("approvals-list", "approvals list")
    every = desk.ask("approvals-list", "approvals list --all")
    for one in every:
        desk.ask("approvals-show", f"approvals show {one['approval_id']}")
    desk.ask("policy-backtest", "policy backtest --policies draft.json", 1)
    desk.ask("policy-suggest", "policy suggest")
    write_rules(desk.place, *DRAFT)
    desk.ask("explain-resolution", "explain --resolution last")


def ask_about_atlases(desk: Printed) -> None:
    for name in ("actions", "context", "list", "test"):
        desk.ask(f"atlas-{name}", f"atlas {name}")
    desk.ask("atlas-show", "atlas show com.example.support-desk")
    desk.ask("atlas-lock", "atlas lock --check")
    atlas = desk.place / "atlases" / "support-desk"
    manifest = json.loads((atlas / "atlas.json").read_text())
    manifest["version"] = "2.0.0"
    manifest["actions"][0]["risk_tier"] = "high"
    del manifest["actions"][1]["executor"]
    del manifest["policies"][2]
    (atlas / "atlas.json").write_text(json.dumps(manifest))
    desk.ask("atlas-test", "atlas test atlases/support-desk", 1)
    desk.ask("atlas-lock", "atlas lock --check", 1)
    desk.ask("atlas-lock", "atlas lock --yes")
    manifest["policies"] = [rule("all-go", "deny", "*"), rule("never-asked", "allow")]
    (atlas / "atlas.json").write_text(json.dumps(manifest))
    desk.ask("atlas-validate", "atlas validate atlases/support-desk")
    desk.ask("atlas-validate", "atlas validate")
    (atlas / "atlas.json").write_text(json.dumps({**manifest, "version": 2}))
    desk.ask("atlas-validate", "atlas validate", 2)
    desk.ask("atlas-validate", "atlas validate atlases/support-desk", 2)
    desk.ask("atlas-remove", "atlas remove com.example.support-desk --yes")
    desk.ask("atlas-create", "atlas create atlases/new --dry-run")
    key = KEYS["github_token"][0](Random(1))
    (desk.place / "docs").mkdir()
    (desk.place / "docs/a.md").write_text(f"# A\n\ntoken = {key}\n")
    (desk.place / "docs/b.html").write_text("")
    desk.ask("atlas-create", "atlas create atlases/new --from-docs docs")
    (desk.place / "cra.config.json").write_text('{"trace": {"directory": 1}}')
    desk.ask("config-validate", "config validate", 2)
    desk.ask("doctor", "doctor", 1)


def ask_about_a_ledger(ledger: Printed) -> None:
    place = ledger.place
    ledger.ask("init", "init")
    subprocess.run(["sh", "-ec", COMMIT], cwd=place, check=True, capture_output=True)
    old = record(place)
    anchor = ledger.ask("trace-anchor", "trace anchor --git")["anchor"]
    begun = ledger.ask("session-start", "session start --principal user:me --ttl 8h")["session_id"]
    ledger.ask("session-list", "session list --limit 1")
    ledger.ask("session-show", f"session show {old}")
    ledger.ask("session-end", "session end")
    ledger.ask("trace-list", "trace list")
    ledger.ask("trace-list", "trace list --anomalies")
    ledger.ask("trace-show", f"trace show {old}")
    ledger.ask("trace-show-seq", f"trace show {old}:2")
    ledger.ask("trace-tail", f"trace tail {old}")
    ledger.ask("trace-stats", "trace stats")
    ledger.ask("trace-export", f"trace export {old} -o kept.jsonl")
    ledger.ask("trace-export", f"trace export {old} --format bundle -o kept.zip")
    ledger.ask("trace-verify", "trace verify")
    ledger.ask("trace-verify", "trace verify --secrets --anchor git", 1)
    ledger.ask("trace-verify", "trace verify ./kept.zip")
    ledger.ask("trace-prove", f"trace prove {old}:2 -o event.proof")
    ledger.ask("trace-prove", f"trace prove --from {anchor}")
    ledger.ask("trace-prove", f"trace prove --from {anchor} -o head.proof")
    ledger.ask("trace-verify-proof", "trace verify-proof event.proof")
    ledger.ask("trace-verify-proof", "trace verify-proof head.proof")
    for _ in range(2):
        ledger.ask("trace-redact", f"trace redact {old}:2 --reason key --yes")
    ledger.ask("trace-show", f"trace show {old}")
    ledger.ask("trace-prune", "trace prune --older-than 0d --dry-run")
    with open(place / "cra.trace" / f"{begun}.trace.jsonl", "ab") as file:
        file.write(b'{"half":')
    ledger.ask("trace-verify", "trace verify")
    ledger.ask("trace-repair", "trace repair --all", 1)
    ledger.ask("trace-repair", "trace repair --all --accept")


def ask_about_a_bad_ledger(ledger: Printed) -> None:
    """What is printed of lines that are none, and of others than were recorded."""
    bad = record(ledger.place)
    path = ledger.place / "cra.trace" / f"{bad}.trace.jsonl"
    whole = path.read_bytes()
    path.write_bytes(whole.replace(b"it failed", b"it worked"))
    ledger.ask("trace-tail", f"trace tail {bad}", 3)
    ledger.ask("trace-verify", "trace verify", 3)
    lines = whole.split(b"\n")
    path.write_bytes(b"\n".join([lines[0], b"rubbish", *lines[3:]]))
    ledger.ask("trace-show", f"trace show {bad}", 3)
    ledger.ask("trace-show-seq", f"trace show {bad}:1", 3)
    ledger.ask("trace-show-seq", f"trace show {bad}:2", 3)
    ledger.ask("trace-list", "trace list --anomalies")
    ledger.ask("session-list", "session list")
    ledger.ask("trace-export", f"trace export {bad} -o bad.jsonl", 3)
    ledger.ask("trace-verify", "trace verify", 3)
    ledger.ask("trace-repair", "trace repair --all", 3)
    ledger.ask("trace-prune", "trace prune --older-than 0d --yes", 3)
    (ledger.place / "empty.trace.jsonl").touch()
    ledger.ask("session-show", "session show empty.trace.jsonl")


def ask_about_goldens(desk: Printed) -> None:
    """Goldens that pass, that differ, that cannot be replayed, and that are damaged."""
    shutil.copytree(DESK, desk.place / "support-desk")
    desk.ask("init", "init --no-sign")
    desk.ask("atlas-add", "atlas add support-desk --yes")
    desk.ask("carp-resolution", "resolve --goal ticket")
    desk.ask("carp-execution-result", "execute ticket.read -p id=1042")
    reply = "execute ticket.reply -p id=1042 -p text=" + KEYS["github_token"][0](Random(1))
    desk.ask("carp-execution-result", reply)
    desk.ask("golden-list", "golden list")
    desk.ask("golden-record", "golden record last --name desk")
    subprocess.run(["sh", "-ec", COMMIT], cwd=desk.place, check=True, capture_output=True)
    for line in ("replay", "trace replay --mode verify", "replay --base HEAD"):
        desk.ask("replay", line)
    desk.ask("trace-diff", "trace diff last last")
    write_rules(desk.place, *DRAFT)
    desk.ask("replay", "replay", 1)
    desk.ask("golden-list", "golden list")
    desk.ask("golden-review", "golden review", 1)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("CI", "true")
        desk.ask("replay", "replay", 1)
    desk.ask("golden-review", "golden review --accept")
    desk.ask("golden-review", "golden review")
    [golden, other] = (desk.place / "goldens" / name for name in ("desk", "other"))
    shutil.copytree(golden, other)
    (other / "manifest.json").write_text('{"manifest_version": "2.0"}')
    desk.ask("replay", "replay", 2)
    [trace] = golden.glob("*.trace.jsonl")
    trace.write_bytes(trace.read_bytes().replace(b"ticket", b"parcel"))
    desk.ask("replay", "replay", 3)
    desk.ask("golden-list", "golden list")
    desk.watch()
    desk.ask("trace-diff", f"trace diff last {trace}", 1)


def record(place: Path) -> str:
    """A session with all that a person may want to look at, and with a secret."""
    signer, memory = load_key(user_dirs().signing_key), Memory(user_dirs().state)
    with closing(Ledger(place / "cra.trace", signer=signer, memory=memory)) as ledger:
        session = ledger.start_session("tester")
        session.append("action.approved", APPROVED)
        session.append("action.executed", EXECUTED, atlas={"atlas_id": "a", "version": "1"})
        session.append("action.failed", FAILED)
        session.append("action.denied", DENIED)
        session.end()
        return session.id


@pytest.mark.parametrize("name", [name for name in SCHEMAS if name not in NOT_PRINTED])
def test_what_is_printed_is_as_its_schema_says(printed: dict[str, list[Any]], name: str):
    assert [flaws(name, value) for value in printed[name]] == [[]] * len(printed[name])
    # What is empty proves nothing: each part of the schema has been there.
    schema = SCHEMAS[name][1]()
    seen = {part for value in printed[name] for part in parts_of(schema, schema, value)}
    parts = {part for part, body in schema.get("$defs", {}).items() if "properties" in body}
    assert seen >= parts
    assert seen


def test_every_command_with_json_has_a_schema():
    asked = [path for path in COMMANDS if "--json" in options_of(path)]

    assert {OTHERWISE.get(path, path.replace(" ", "-")) for path in asked} <= SCHEMAS.keys()
    assert len(asked) > len(COMMANDS) / 2


def test_an_event_is_printed_with_the_members_that_it_is_stored_with():
    [stored, _] = SCHEMAS["trace-tail"][1]()["anyOf"]
    event = SCHEMAS["trace-tail"][1]()["$defs"][stored["$ref"].removeprefix("#/$defs/")]

    assert event["properties"].keys() == trace_event()["properties"].keys()
    assert set(event["required"]) == set(trace_event()["required"])


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("error", {"error": {"code": "CRA-1000", "message": "", "where": None}}),
        ("error", {"error": {"code": "C", "message": "", "where": None, "fix": None, "x": 1}}),
        ("doctor", {"checks": [], "mended": [], "healthy": "yes"}),
        ("approvals-list", {}),
        ("trace-tail", {"error": {"code": "CRA-1000", "message": ""}}),
    ],
)
def test_an_answer_that_departs_from_its_schema_is_seen(name: str, value: Any):
    assert flaws(name, value) != []


def flaws(name: str, value: Any) -> list[Any]:
    return list(compile_schema(SCHEMAS[name][1]()).flaws(value))


def options_of(path: str) -> set[str]:
    return {option for parameter in load(path).params for option in parameter.opts}


def parts_of(root: dict[str, Any], schema: dict[str, Any], value: Any) -> Iterator[str]:
    """The definitions of a schema that a value goes through; the whole is one, too."""
    yield schema.get("$ref", "#").rpartition("/")[2]
    if "$ref" in schema:
        schema = root["$defs"][schema["$ref"].removeprefix("#/$defs/")]
    for option in schema.get("anyOf", ()):
        if compile_schema({**option, "$defs": root.get("$defs", {})}).accepts(value):
            yield from parts_of(root, option, value)
    members = schema.get("properties", {})
    others = schema.get("additionalProperties")
    if isinstance(value, dict):
        for name, inner in value.items():
            if name in members or isinstance(others, dict):
                yield from parts_of(root, members.get(name, others), inner)
    elif isinstance(value, list) and isinstance(schema.get("items"), dict):
        for inner in value:
            yield from parts_of(root, schema["items"], inner)
