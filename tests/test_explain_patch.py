"""The patch of `cra explain`: applied as its users apply it, it lets the call through."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.governed import ALLOW, configure, rule, write_project
from tests.program import ROOT, cra

NO = rule("no-notes", "deny", "ticket.note", reason="not today")
ASK = rule("ask-first", "require_approval", "ticket.note")
PAY = rule("no-pay", "deny", "ticket.pay", reason="é")
NOTE = "ticket.note"

PROGRAMS = (("git", "apply"), ("patch", "-p1", "--binary"))


@pytest.fixture
def place(tmp_path: Path) -> Path:
    return write_project(tmp_path / "project", ALLOW)


def wrote(place: Path, text: str, name: str = "more.json") -> Path:
    path = place / "policies" / name
    path.write_bytes(text.encode())
    return path


def patch_of(place: Path, *asked: str, code: int = 1) -> bytes:
    """What --patch prints, byte by byte."""
    done = subprocess.run(
        [sys.executable, "-m", "cra", "explain", *asked, "--patch"],
        cwd=place,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        check=False,
        timeout=120,
    )
    assert done.returncode == code, done.stderr
    return done.stdout


def apply(place: Path, patch: bytes, program: tuple[str, ...] = PROGRAMS[0]) -> None:
    done = subprocess.run(program, cwd=place, input=patch, capture_output=True, check=False)
    assert done.returncode == 0, (patch, done.stdout, done.stderr)


def explained(place: Path, *asked: str) -> Any:
    return json.loads(cra(place, "explain", *asked, "--json").stdout)


def refused(place: Path, *asked: str) -> str:
    done = cra(place, "explain", *asked, "--patch")
    assert (done.returncode, done.stdout) == (2, "")
    return done.stderr


def shaped(rules: Any, indent: int | None = None) -> str:
    return json.dumps(rules, indent=indent, ensure_ascii=False)


SHAPES = {
    "alone": shaped(NO, 2) + "\n",
    "alone, without an end of line": shaped(NO),
    "only one of a list": shaped([NO], 2) + "\n",
    "first": shaped([NO, PAY], 2) + "\n",
    "middle": shaped([PAY, NO, {**PAY, "policy_id": "z"}], 1),
    "last": shaped([PAY, NO], 2) + "\n",
    "twice": shaped([NO, PAY, {**NO, "policy_id": "again"}], 2) + "\n",
    "in an object": shaped({"policies": [PAY, NO]}, 2) + "\n",
    "minified": json.dumps([PAY, NO, {**PAY, "policy_id": "z"}], separators=(",", ":")),
    "with CRLF": shaped([PAY, NO], 2).replace("\n", "\r\n") + "\r\n",
}


@pytest.mark.parametrize("program", PROGRAMS, ids=[name for name, *_ in PROGRAMS])
@pytest.mark.parametrize("shape", SHAPES)
def test_the_patch_takes_the_deny_rules_out_and_the_call_is_allowed(place, shape, program):
    path = wrote(place, SHAPES[shape])

    apply(place, patch_of(place, NOTE), program)

    assert cra(place, "explain", NOTE).stdout.startswith("ALLOWED  ticket.note\n")
    left = explained(place, "ticket.pay")["decision"]["policy_id"]
    assert left == ("no-pay" if "no-pay" in SHAPES[shape] else "desk-allows")
    assert path.exists() is not shape.startswith("alone")


@pytest.mark.parametrize("program", PROGRAMS, ids=[name for name, *_ in PROGRAMS])
def test_the_patch_adds_the_narrowest_rule_where_none_allows(tmp_path, program):
    place = write_project(tmp_path / "project")

    apply(place, patch_of(place, NOTE, "--agent", "desk"), program)

    assert explained(place, NOTE, "--agent", "desk")["decision"]["type"] == "allow"
    assert explained(place, NOTE, "--agent", "other")["decision"]["type"] == "deny"
    assert explained(place, "ticket.pay", "--agent", "desk")["decision"]["type"] == "deny"


def test_a_patch_that_lifts_a_bound_on_arguments_says_so(tmp_path):
    short = {"type": "object", "properties": {"text": {"type": "string", "maxLength": 3}}}
    bounded = rule("short-notes", "allow", conditions={"parameters": short})
    place = write_project(tmp_path / "project", bounded)
    asked = (NOTE, "-p", "file=x", "-p", "text=long")

    done = cra(place, "explain", *asked, "--patch")
    [change] = explained(place, *asked)["changes"]
    note = "this allows whatever arguments, and so lifts the bound of short-notes"

    assert f"note: {note}" in done.stderr
    assert note in change
    assert note not in cra(place, "explain", "ticket.read", "-p", "id=1", "--patch").stderr


def test_the_patch_leaves_a_file_alone_that_has_the_name_of_the_new_one(tmp_path):
    place = write_project(tmp_path / "project")
    there = wrote(place, shaped(PAY), "allow-ticket-note.json")

    apply(place, patch_of(place, NOTE))

    assert there.read_text() == shaped(PAY)
    assert explained(place, NOTE)["decision"]["where"] == "policies/allow-ticket-note-1.json:1:1"


def test_the_patch_has_all_the_changes_that_are_needed(tmp_path):
    place = write_project(tmp_path / "project", PAY)
    wrote(place, shaped([NO, PAY | {"policy_id": "z"}]), "my rules.json")
    wrote(place, shaped(NO | {"policy_id": "also"}))

    apply(place, patch_of(place, NOTE))

    assert explained(place, NOTE)["decision"]["type"] == "allow"
    assert sorted(path.name for path in (place / "policies").iterdir()) == [
        "allow-ticket-note.json", "my rules.json", "rules.json"]  # fmt: skip


def test_the_patch_for_a_call_that_waits_takes_out_what_asks(place):
    wrote(place, shaped([ASK, PAY, {**ASK, "policy_id": "ask-again"}], 2))

    apply(place, patch_of(place, NOTE, code=4))

    assert explained(place, NOTE)["decision"]["type"] == "allow"
    assert explained(place, "ticket.pay")["decision"]["policy_id"] == "no-pay"


def test_the_patch_for_a_denial_leaves_the_approval_and_says_so(place):
    wrote(place, shaped([NO, ASK], 2))

    done = cra(place, "explain", NOTE, "--patch")
    leads_to = explained(place, NOTE)["patch"]["leads_to"]
    apply(place, done.stdout.encode())

    assert done.stderr == "note: with it, a rule asks for an approval (ask-first)\n"
    assert (leads_to["type"], leads_to["policy_id"]) == ("requires_approval", "ask-first")
    assert explained(place, NOTE)["decision"]["policy_id"] == "ask-first"


def test_the_patch_is_for_the_call_with_its_arguments(place):
    over = {"properties": {"file": {"const": "x"}}, "required": ["file"]}
    wrote(place, shaped(rule("no-x", "deny", conditions={"parameters": over})))

    assert "nothing to patch" in refused(place, NOTE)
    apply(place, patch_of(place, NOTE, "-p", "file=x"))

    assert explained(place, NOTE, "-p", "file=x")["decision"]["type"] == "allow"


@pytest.mark.parametrize(
    ("name", "rules", "asked", "said"),
    [
        ("m.yaml", shaped(NO), [], "found it in YAML"),
        (
            "m.json",
            shaped(rule("most", "rate_limit", parameters={"max_calls": 0, "window_seconds": 9})),
            ["-p", "file=x"],
            "fix: wait, or raise the maximum of most (policies/m.json:1:1)",
        ),
    ],
)
def test_where_no_patch_is_to_be_had_the_reason_is_told(place, name, rules, asked, said):
    wrote(place, rules, name)

    assert said in refused(place, NOTE, *asked)
    facts = explained(place, NOTE, *asked)
    assert facts["patch"] is None
    assert facts["no_patch"] in refused(place, NOTE, *asked)
    assert "no patch: expected" in cra(place, "explain", NOTE, *asked).stdout


def test_a_rule_of_an_atlas_is_not_patched(tmp_path):
    place = write_project(tmp_path / "project", ALLOW)
    manifest = place / "atlases/desk/atlas.json"
    manifest.write_text(json.dumps(json.loads(manifest.read_text()) | {"policies": [NO]}))
    assert cra(place, "atlas", "lock", "--yes").returncode == 0

    assert "no-notes, which the atlas com.example.desk states" in refused(place, NOTE)
    page = " ".join(cra(place, "explain", NOTE).stdout.split())
    assert page.endswith(
        "To allow it: - have the deny rule no-notes (atlases/desk/atlas.json:1:2553) changed by "
        "whoever owns the atlas com.example.desk, where it is made, and accept that with cra atlas "
        "lock"
    )


@pytest.mark.parametrize("asks", [True, False])
def test_what_asks_for_an_approval_after_a_change_is_told_beside_it(place, asks):
    no = rule("no-closing", "deny", "ticket.close")
    ask = rule("ask-first", "require_approval", "ticket.close")
    wrote(place, shaped([no, ask] if asks else [no], 2))
    configure(place, policies={"require_approval_for": ["medium", "high", "critical"]})
    waits = ["config:require_approval_for, which has the risk tier medium"]
    if asks:
        waits.insert(0, "ask-first (policies/more.json:9:3)")
    page = " ".join(cra(place, "explain", "ticket.close").stdout.split())

    assert explained(place, "ticket.close")["waits_then"] == waits
    assert f" - then it waits for an approval, by {' and '.join(waits)} as a patch" in page
    apply(place, patch_of(place, "ticket.close"))
    assert explained(place, "ticket.close")["decision"]["type"] == "requires_approval"
    assert explained(place, "ticket.close")["waits_then"] == []


def test_a_caller_that_no_rule_can_name_gets_no_patch(tmp_path):
    place = write_project(tmp_path / "project")

    assert "conditions.agents[0]: expected a name" in refused(place, NOTE, "--agent", " ")


def test_a_new_rule_with_the_name_of_a_redact_rule_is_no_patch(tmp_path):
    place = write_project(tmp_path / "project")
    wrote(place, shaped(rule("allow-ticket-note", "redact", parameters={"kinds": ["email"]})))

    assert "that no rule has, found allow-ticket-note" in refused(place, NOTE)


def test_the_patch_is_applied_from_the_projects_directory_wherever_the_repository_begins(tmp_path):
    place = write_project(tmp_path / "project")
    (place / "policies/rules.json").unlink()
    (place / "policies").rmdir()
    subprocess.run(["git", "init", "-q"], cwd=tmp_path, check=True)

    apply(place, patch_of(place, NOTE))

    assert explained(place, NOTE)["decision"]["where"] == "policies/allow-ticket-note.json:1:1"


@pytest.mark.parametrize("others", [["--json"], []])
def test_only_an_action_has_a_patch(place, others):
    asked = [NOTE] if others else ["CRA-3010"]

    assert "--patch" in refused(place, *asked, *others)


def test_a_short_patch_is_shown_and_a_long_one_named(tmp_path):
    place = write_project(tmp_path / "project")
    short = cra(place, "explain", NOTE).stdout
    long = cra(place, "explain", NOTE, "--agent", "a" * 120).stdout

    assert "\n    +++ b/policies/allow-ticket-note.json\n" in short
    assert '\n    +  "policy_id": "allow-ticket-note",\n' in short
    assert "as a patch: see --patch" in long
    assert "+++" not in long


def test_what_is_allowed_instead_is_told(place):
    wrote(place, shaped(NO))

    assert "\nAllowed instead: ticket.sort, ticket.close, ticket.die\n" in cra(
        place, "explain", NOTE).stdout  # fmt: skip
    assert len(explained(place, NOTE)["alternatives"]) == 3
    assert explained(place, "ticket.read")["alternatives"] == []
