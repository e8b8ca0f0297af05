"""The committed schemas are those of the program, closed, and accept what the program writes."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import nullcontext as does_not_raise
from pathlib import Path
from typing import Any

import pytest

from cra.cli.schema import SCHEMAS
from cra.config import ConfigFile
from cra.errors import GoldenRefused
from cra.ledger.store import Ledger
from cra.policy.schema import compile_schema
from cra.protocol.events import EVENT_TYPES
from cra.protocol.schema import document, text_of, trace_event
from cra.replay.manifest import read_manifest

ROOT = Path(__file__).parents[1]
COMMITTED = ROOT / "specs" / "schemas"
ID = "0190a5c4-9b1e-7cc3-8a6f-0123456789ab"
KINDS = {"array": list, "boolean": bool, "null": type(None), "object": dict, "string": str}

STARTED: dict[str, Any] = {
    "agent_id": "cli",
    "principal": {"type": "user", "id": "someone"},
    "scopes": ["ticket.*"],
    "ttl_seconds": 3600,
    "expires_at": "2026-01-01T01:00:00.000000Z",
    "parent_session_id": None,
    "ledger_id": ID,
    "signer": "none",
    "boot_id": "",
    "cra_version": "0.1.0",
}
RECOVERED: dict[str, Any] = {"reason": "accepted", "boot_id": ""}
POLICY = ("action_id", "policy_id", "type", "reason")
BLOB = {"$blob": "0" * 64, "bytes": 70_000}


def event_of(event_type: str, payload: dict[str, Any]) -> dict[str, Any]:
    """An event by the letter of specs/PROTOCOL.md section 2.1; a schema does not see hashes."""
    return {
        "actor": {"id": "cra", "type": "runtime"},
        "event_id": ID,
        "event_type": event_type,
        "parent_span_id": None,
        "payload_hash": "1" * 64,
        "previous_event_hash": "0" * 64,
        "sequence": 0,
        "session_id": ID,
        "severity": "info",
        "span_id": ID,
        "timestamp": "2026-01-01T00:00:00.000000Z",
        "trace_id": ID,
        "trace_version": "1.1",
        "payload": payload,
        "salt": "0" * 32,
        "event_hash": "2" * 64,
    }


def accepts(schema: Any, value: Any, root: dict[str, Any]) -> bool:
    """Whether a value meets a schema: the keywords that these schemas use, and no other."""
    return all(KEYWORDS[word](schema, value, root) for word in schema)


def of_kind(kind: str, value: Any) -> bool:
    if kind == "integer":
        return type(value) is int
    return isinstance(value, KINDS[kind])


def members(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    known = schema.get("properties", {})
    return not isinstance(value, dict) or all(
        accepts(known[name], item, root) for name, item in value.items() if name in known
    )


def other_members(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    rule = schema["additionalProperties"]
    others = value.keys() - schema.get("properties", {}) if isinstance(value, dict) else ()
    if isinstance(rule, bool):
        return rule or not others
    return all(accepts(rule, value[name], root) for name in others)


def condition(schema: dict[str, Any], value: Any, root: dict[str, Any]) -> bool:
    return not accepts(schema["if"], value, root) or accepts(schema["then"], value, root)


ANNOTATIONS = ("$schema", "$id", "$defs", "title", "description", "default", "then")
KEYWORDS: dict[str, Any] = {
    **dict.fromkeys(ANNOTATIONS, lambda _schema, _value, _root: True),
    "$ref": lambda s, v, r: accepts(r["$defs"][s["$ref"].removeprefix("#/$defs/")], v, r),
    "type": lambda s, v, _: of_kind(s["type"], v),
    "enum": lambda s, v, _: v in s["enum"],
    "const": lambda s, v, _: v == s["const"],
    "pattern": lambda s, v, _: not isinstance(v, str) or bool(re.search(s["pattern"], v)),
    "minLength": lambda s, v, _: len(v) >= s["minLength"],
    "maxLength": lambda s, v, _: len(v) <= s["maxLength"],
    "minimum": lambda s, v, _: v >= s["minimum"],
    "maximum": lambda s, v, _: v <= s["maximum"],
    "minItems": lambda s, v, _: len(v) >= s["minItems"],
    "maxItems": lambda s, v, _: len(v) <= s["maxItems"],
    "items": lambda s, v, r: all(accepts(s["items"], item, r) for item in v),
    "anyOf": lambda s, v, r: any(accepts(option, v, r) for option in s["anyOf"]),
    "allOf": lambda s, v, r: all(accepts(part, v, r) for part in s["allOf"]),
    "if": condition,
    "properties": members,
    "required": lambda s, v, _: all(name in v for name in s["required"]),
    "additionalProperties": other_members,
    "dependentRequired": lambda s, v, _: all(
        name not in v or all(other in v for other in others)
        for name, others in s["dependentRequired"].items()
    ),
}


def objects_in(schema: Any) -> Iterator[dict[str, Any]]:
    if isinstance(schema, dict):
        if "properties" in schema and "then" not in schema:
            yield schema
        for key, value in schema.items():
            if key not in {"if", "then"}:
                yield from objects_in(value)
    elif isinstance(schema, list):
        for item in schema:
            yield from objects_in(item)


@pytest.fixture(scope="module")
def events() -> dict[str, Any]:
    return trace_event()


@pytest.fixture(scope="module")
def configuration() -> dict[str, Any]:
    return document(ConfigFile, "cra-config", "x")


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_committed_schema_is_the_generated_one(name):
    generated = text_of(SCHEMAS[name][1]())

    assert (COMMITTED / f"{name}.schema.json").read_text(encoding="utf-8") == generated, (
        "run: cra schema --write specs/schemas"
    )


@pytest.mark.parametrize("name", SCHEMAS)
def test_a_schema_is_named_and_closed(name):
    schema = SCHEMAS[name][1]()

    assert schema["$id"] == f"urn:cra:schema:{name}"
    assert schema["$schema"].endswith("2020-12/schema")
    assert all(part["additionalProperties"] is False for part in objects_in(schema))


def test_every_event_type_has_its_payload_in_the_schema(events):
    conditions = {
        part["if"]["properties"]["event_type"]["const"]: part["then"]["properties"]["payload"]
        for part in events["allOf"]
    }

    assert list(conditions) == events["properties"]["event_type"]["enum"] == list(EVENT_TYPES)
    for name, row in EVENT_TYPES.items():
        payload = events["$defs"][conditions[name]["$ref"].removeprefix("#/$defs/")]
        assert payload["properties"].keys() == row.allowed
        assert set(payload.get("required", ())) == row.required


@pytest.mark.parametrize(
    ("event_type", "payload"),
    [
        ("session.started", STARTED),
        ("session.started", STARTED | {"scopes": BLOB}),
        ("ledger.recovered", RECOVERED),
        ("ledger.recovered", RECOVERED | {"unattested": [1, 2]}),
        (
            "action.executed",
            {"execution_id": "e", "action_id": "a.b", "duration_us": 1, "result": [None, 1.5]},
        ),
    ],
)
def test_an_event_as_it_is_stored_is_accepted(events, event_type, payload):
    assert accepts(events, event_of(event_type, payload), events)


def test_every_line_that_a_ledger_writes_is_accepted(events, tmp_path):
    ledger = Ledger(tmp_path)
    session = ledger.start_session("cli", scopes=("ticket.*",))
    session.append(
        "policy.evaluated", dict.fromkeys(POLICY, "x" * 100_000) | {"outcome": "applies"}
    )
    session.end()
    ledger.close()

    lines = [line for file in tmp_path.glob("*.jsonl") for line in file.read_bytes().split(b"\n")]
    stored = [json.loads(line) for line in lines if line]
    assert {event["event_type"] for event in stored} >= {"session.ended", "journal.opened"}
    assert any("artifacts" in event for event in stored)
    assert [event for event in stored if not accepts(events, event, events)] == []


def test_a_redacted_event_is_accepted(events):
    redacted = event_of("session.started", STARTED)
    del redacted["payload"], redacted["salt"]

    assert accepts(events, redacted, events)
    assert not accepts(events, redacted | {"payload": STARTED}, events)


@pytest.mark.parametrize(
    "change",
    [
        {"extra": 1},
        {"event_type": "session.begun"},
        {"event_type": "session.ended"},
        {"trace_version": "1.0"},
        {"session_id": ID.upper()},
        {"timestamp": "2026-13-01T00:00:00.000000Z"},
        {"sequence": -1},
        {"sequence": "0"},
        {"actor": {"id": "", "type": "runtime"}},
        {"actor": {"id": "cra", "type": "runtime", "role": "x"}},
        {"artifacts": []},
        {"payload": STARTED | {"extra": 1}},
        {"payload": {name: value for name, value in STARTED.items() if name != "signer"}},
        {"payload": STARTED | {"ttl_seconds": BLOB}},
        {"payload": STARTED | {"principal": {"type": "robot", "id": "x"}}},
        {"payload": STARTED | {"principal": {"type": "user", "id": "x", "also": 1}}},
        {"payload": STARTED | {"scopes": BLOB | {"more": 1}}},
        {"salt": "00"},
    ],
)
def test_an_event_that_departs_from_the_format_is_refused(events, change):
    assert not accepts(events, event_of("session.started", STARTED) | change, events)


@pytest.mark.parametrize("name", ["event_hash", "payload_hash", "actor", "parent_span_id", "salt"])
def test_an_event_without_a_member_is_refused(events, name):
    event = event_of("session.started", STARTED)
    del event[name]

    assert not accepts(events, event, events)


@pytest.mark.parametrize(
    ("text", "is_accepted"),
    [
        ((ROOT / "cra.config.json").read_text(encoding="utf-8"), True),
        ('{"trace": {"retention_days": 1}, "atlases": ["a", {"path": "b"}]}', True),
        ('{"policies": {"resolution_ttl_seconds": 0}, "runtime": {"url": null}}', True),
        ('{"trace": {"retention_days": 0}}', False),
        ('{"trace": {"retention": 1}}', False),
        ('{"policies": {"resolution_ttl_seconds": -1}}', False),
        ('{"atlases": [{"auto_load": true}]}', False),
        ('{"agents": {"a": {"role": []}}}', False),
        ('{"keys": ["x"]}', False),
    ],
)
def test_the_schema_of_the_configuration_accepts_what_cra_accepts(configuration, text, is_accepted):
    assert accepts(configuration, json.loads(text), configuration) is is_accepted


MANIFEST: dict[str, Any] = {
    "manifest_version": "1.0",
    "trace_id": ID,
    "artifacts": [{"name": "trace", "uri": f"{ID}.trace.jsonl", "sha256": "0" * 64}],
    "nondeterminism": [{"field": "payload.result.items[*].id", "rule": "normalize"}],
}


@pytest.mark.parametrize(
    ("change", "is_accepted"),
    [
        ({}, True),
        ({"mode": "execute", "order": "strict", "steps": ["ticket.read: allowed by a"]}, True),
        ({"nondeterminism": [{"field": "*.x", "rule": "tolerance", "tolerance": 0.5}]}, True),
        ({"nondeterminism": [{"field": "*.x", "rule": "tolerance", "tolerance": "1"}]}, False),
        ({"nondeterminism": [{"field": "*.x", "rule": "tolerance", "tolerance": -1}]}, False),
        ({"nondeterminism": [{"field": "*.x", "rule": "forget"}]}, False),
        ({"nondeterminism": [{"field": "a..b", "rule": "ignore"}]}, False),
        ({"expectations": {"unverifiable": [-1]}}, False),
        ({"artifacts": [{"name": "trace", "uri": "/etc", "sha256": "0" * 64}]}, False),
        ({"manifest_version": "2.0"}, False),
        ({"more": 1}, False),
    ],
)
def test_the_schema_of_a_golden_accepts_what_cra_accepts(tmp_path, change, is_accepted):
    manifest = MANIFEST | change
    (tmp_path / "manifest.json").write_text(json.dumps(manifest))
    said: Any = does_not_raise() if is_accepted else pytest.raises(GoldenRefused)

    assert compile_schema(SCHEMAS["golden-manifest"][1]()).accepts(manifest) is is_accepted
    with said:
        read_manifest(tmp_path / "manifest.json")


# The command


def cra_schema(*arguments: str, cwd: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [sys.executable, "-m", "cra", "schema", *arguments],
        cwd=cwd,
        env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True,
        encoding="utf-8",
        check=False,
    )


def test_the_command_lists_the_schemas():
    listed = json.loads(cra_schema("--json").stdout)

    assert [row["name"] for row in listed] == list(SCHEMAS)
    assert all(name in cra_schema().stdout for name in SCHEMAS)


def test_the_command_prints_a_schema():
    assert cra_schema("trace-event").stdout == text_of(trace_event())


def test_the_command_writes_schemas_to_files(tmp_path):
    answer = cra_schema("--write", "new/schemas", cwd=tmp_path)

    assert answer.stdout.splitlines() == [
        f"Wrote: new/schemas/{name}.schema.json" for name in SCHEMAS
    ]
    for name in SCHEMAS:
        file = f"{name}.schema.json"
        assert (tmp_path / "new/schemas" / file).read_bytes() == (COMMITTED / file).read_bytes()


def test_a_schema_that_does_not_exist_is_an_error():
    answer = cra_schema("trace-evnt")

    assert answer.returncode == 2
    assert "found 'trace-evnt'; did you mean trace-event?" in answer.stderr


def test_a_place_that_cannot_be_written_is_an_error(tmp_path):
    (tmp_path / "file").touch()
    answer = cra_schema("--write", "file/schemas", cwd=tmp_path)

    assert answer.returncode == 2
    assert answer.stderr.startswith("error[CRA-1001]: expected a path that cra can use")
