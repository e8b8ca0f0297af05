"""What a person reads on a terminal of 80 columns is no wider than it."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from tests import governed
from tests.governed import rule
from tests.program import answer, at_terminal, cra

LONG = "Nobody may do this without a second pair of eyes, for it cannot be taken back at all"
RULES = [
    governed.ALLOW,
    rule("desk-never-closes-tickets", "deny", "ticket.close", reason=LONG),
    rule("desk-asks-somebody-first", "require_approval", "ticket.note", reason=LONG),
    {**governed.limit("desk-notes-are-few", "session", 5), "reason": LONG},
    rule(
        "desk-only-in-the-week",
        "deny",
        "ticket.sort",
        conditions={"time_window": {"days": ["sat"]}, "parameters": {"required": ["items"]}},
    ),
]
SCENARIO = {
    "name": f"tickets are found: {LONG}",
    "call": {"action": "ticket.read", "parameters": {"id": 1}},
    "expect": {"decision": "allow", "policy_id": "a-rule-that-is-in-no-atlas-of-this-project"},
}


@pytest.fixture(scope="module")
def project(tmp_path_factory):
    place = tmp_path_factory.mktemp("wide")
    governed.write_project(place, *RULES)
    atlas = place / "atlases" / "tested"
    atlas.mkdir()
    manifest = {"atlas_version": "1.0", "atlas_id": "com.tested", "version": "1.0.0"}
    listed = {**manifest, "tests": ["scenarios.json"], "actions": [governed.MANIFEST["actions"][0]]}
    (atlas / "atlas.json").write_text(json.dumps(listed))
    (atlas / "desk.py").write_bytes(governed.CODE)
    (atlas / "scenarios.json").write_text(json.dumps({"scenarios": [SCENARIO]}))
    (place / "cra.config.json").write_text(
        json.dumps({"atlases": ["atlases/desk"], "trace": {"detail": "full"}})
    )
    answer(place, "init", "--no-sign")
    answer(place, "resolve", "--goal", governed.GOAL)
    cra(place, "execute", "ticket.note", "--param", "file=/tmp/none")
    return place


@pytest.mark.parametrize(
    "arguments",
    [
        ("--help",),
        ("atlas", "--help"),
        ("resolve", "--goal", governed.GOAL),
        ("execute", "ticket.note", "-p", "file=none"),
        ("execute", "ticket.close", "-p", "file=none"),
        ("execute", "ticket.fail", "-p", f"why={LONG}"),
        ("atlas", "test", "atlases/tested"),
        ("session", "show", "last"),
        ("trace", "show", "last"),
        ("trace", "verify"),
        ("trace", "verify", "last"),
        ("config", "show"),
        ("config", "show", "--no-such-option"),
        ("atlas", "add", "atlases/no-such-atlas-of-this-project-nor-of-any-other-that-is-known"),
        ("trace", "show", "a-session-that-is-in-no-ledger-of-this-project-nor-of-any-other"),
    ],
    ids=" ".join,
)
def test_no_line_is_wider_than_the_terminal(project: Path, arguments: tuple[str, ...]):
    _, screen = at_terminal(project, *arguments, typed="n\n" * 9, COLUMNS="80")

    assert screen.strip()
    assert [line for line in map(str.rstrip, screen.splitlines()) if is_too_wide(line)] == []


def is_too_wide(line: str) -> bool:
    """One id, hash or path, behind its name, or a command may be: who cuts it makes it useless."""
    is_whole = re.fullmatch(r"\s*(?:[\w ]{,17}:?\s+)?\S+|\s*(?:(?:next|fix): )?cra .*", line)
    return len(line) > 80 and is_whole is None
