"""Manifests: accepted spellings, mistakes with their places, and the schema that agrees."""

from __future__ import annotations

import json
import symtable
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import jsonschema_rs
import pytest
import yaml

from cra.atlas.manifest import ReadAtlas, load_atlas, read_atlas
from cra.atlas.manifest_schema import manifest_schema
from cra.atlas.model import Capability, ContextPack, PythonExecutor
from cra.atlas.package import package_of
from cra.errors import Fault
from cra.protocol.schema import text_of

ROOT = Path(__file__).parents[1]
SCHEMA = manifest_schema()
FILES = {"tools.py": b"def refund(amount): ...\n", "docs/refunds.md": b"thirty days"}
PARAMETERS = {"type": "object", "properties": {"note": {"type": "string"}}}
ACTION = {"action_id": "ticket.refund", "parameters_schema": PARAMETERS}
MINIMAL = {"atlas_version": "1.0", "atlas_id": "com.example.support", "version": "1.2.3"}
HTTP = {"type": "http", "method": "GET", "url": "https://h.example/", "hosts": ["h.example"]}
FILE = {"type": "file", "operation": "read", "root": "out", "path": "x"}


def reading_of(manifest: Any, files: Mapping[str, bytes] = FILES, **named: Any) -> ReadAtlas:
    text = manifest if isinstance(manifest, str) else json.dumps(manifest)
    return read_atlas(package_of({**files, "atlas.json": text.encode()}), "atlases/a", **named)


def act(**members: Any) -> dict[str, Any]:
    return {"actions": [ACTION | members]}


def process(*command: str, **members: Any) -> dict[str, Any]:
    return act(executor={"type": "process", "command": list(command)} | members)


def http(**members: Any) -> dict[str, Any]:
    return act(executor=HTTP | members)


def file(**members: Any) -> dict[str, Any]:
    return act(executor=FILE | members)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        ({"timeout_seconds": 30}, {"timeout_ms": 30_000}),
        ({"requires_approval": True}, {"requires_confirmation": True}),
        ({"executor": "python:tools:refund"}, {"executor": PythonExecutor("tools.py", "refund")}),
        ({}, {"name": "ticket.refund", "description": "", "executor": None}),
    ],
)
def test_every_spelling_of_an_action_is_accepted(written, expected):
    manifest = MINIMAL | act(**written)
    found = reading_of(manifest).atlas

    assert found is not None
    assert {key: getattr(found.actions[0], key) for key in expected} == expected
    assert jsonschema_rs.is_valid(SCHEMA, manifest)


def test_a_file_of_python_is_read_once_however_many_actions_it_carries_out(monkeypatch):
    read = []
    table = symtable.symtable
    monkeypatch.setattr(symtable, "symtable", lambda *args: read.append(args[1]) or table(*args))
    actions = [
        {"action_id": f"ticket.a{number}", "executor": f"python:tools:{name}"}
        for number, name in enumerate(["refund", "refund", "refunds"])
    ]
    found = reading_of(MINIMAL | {"actions": actions})

    assert read == ["tools.py"]
    assert [one.found for one in found.errors] == ['"refunds"']


def test_every_spelling_of_an_atlas_is_accepted():
    manifest = {
        "atlas_version": "1.0",
        "id": "com.example.x",
        "version": "1.0.0",
        "actions": [{"action_id": "a.b", "schema": PARAMETERS}, "more.yaml"],
        "context_packs": ["docs/refunds.md"],
        "capabilities": ["refunds"],
        "dependencies": [],
    }
    found = reading_of(manifest, FILES | {"more.yaml": b"- action_id: a.c\n"}).atlas

    assert found is not None
    assert (found.atlas_id, found.name, found.dependencies) == ("com.example.x",) * 2 + ({},)
    assert [each.action_id for each in found.actions] == ["a.b", "a.c"]
    assert found.actions[0].parameters_schema == PARAMETERS
    assert found.capabilities == (Capability("refunds", "refunds"),)
    assert found.context_packs == (
        ContextPack("docs/refunds.md", "docs/refunds.md", ("docs/refunds.md",)),
    )
    assert jsonschema_rs.is_valid(SCHEMA, manifest)


def test_a_manifest_in_yaml_is_the_same_atlas():
    manifest = MINIMAL | act(executor="python:tools:refund")
    from_json = reading_of(manifest).atlas
    from_yaml = load_atlas(
        package_of({**FILES, "atlas.yaml": yaml.safe_dump(manifest).encode()}), "a"
    )

    assert from_json is not None
    assert from_yaml.actions == from_json.actions


@pytest.mark.parametrize(
    ("members", "key"),
    [
        ({"atlas_version": "2.0"}, "atlas_version"),
        ({"atlas_id": "support"}, "atlas_id"),
        ({"id": "com.other"}, "id"),
        ({"version": "1.2"}, "version"),
        ({"polices": []}, "polices"),
        ({"actions": [{"name": "x"}]}, "actions[0]"),
        ({"actions": [{"action_id": "Ticket.x"}]}, "actions[0].action_id"),
        (act(schema={}), "actions[0].schema"),
        (act(timeout_ms=0), "actions[0].timeout_ms"),
        (act(risk_tier="hihg"), "actions[0].risk_tier"),
        (act(executor={"type": "pyton"}), "actions[0].executor.type"),
        (act(executor="os.system"), "actions[0].executor"),
        (process(), "actions[0].executor.command"),
        (process("pay", shell=True), "actions[0].executor.shell"),
        (http(hosts=[]), "actions[0].executor.hosts"),
        (http(headers={"A": "x\r\ny"}), "actions[0].executor.headers.A"),
    ],
)
def test_a_wrong_form_is_refused_by_the_reader_and_by_the_schema(members, key):
    reading = reading_of(MINIMAL | members)

    assert reading.atlas is None
    assert (Fault.MALFORMED, key) in [(each.fault, each.key) for each in reading.errors]
    assert not jsonschema_rs.is_valid(SCHEMA, MINIMAL | members)


@pytest.mark.parametrize(
    ("members", "fault"),
    [
        ({"policies": ["../../etc/passwd"]}, Fault.DANGLING),
        ({"context_packs": ["docs/none.md"]}, Fault.DANGLING),
        ({"actions": [ACTION, ACTION]}, Fault.DUPLICATE),
        (act(parameters_schema={"type": "x"}), Fault.BAD_SCHEMA),
        ({"metadata": {"n": 2**53}}, Fault.UNREADABLE),
        *[
            (members, Fault.BAD_EXECUTOR)
            for members in (
                act(executor="python:tools:refnd"),
                act(executor="python:none:x"),
                process("{note}"),
                process("./run"),
                process("pay", "--to={note}"),
                process("pay", "{who}"),
                process("pay", "{"),
                process("pay", "${secret:KEY}"),
                process("pay", environment={"A": "${env:X}"}),
                http(url="https://{note}/"),
                http(url="https://h.example@evil.example/"),
                http(url="https://evil.example/h.example"),
                http(url="https://h.example:8443/"),
                http(url="https://h.example/{who}"),
                http(url="http://h.example/", headers={"X": "${secret:KEY}"}),
                http(headers={"Host": "x"}),
                http(body=["note"]),
                http(query={"q": "who"}),
                file(root="/etc"),
                file(root="out/../.."),
                file(path="../x"),
                file(root="cra.trace"),
                file(root="Policies"),
                file(root=".", path="cra.config.json"),
                file(operation="write"),
            )
        ],
    ],
)
def test_a_wrong_meaning_is_refused(members, fault):
    reading = reading_of(MINIMAL | members)

    assert reading.atlas is None
    assert fault in [each.fault for each in reading.errors]


def test_the_schema_in_the_repository_is_the_one_that_the_reader_goes_by():
    stored = (ROOT / "specs/schemas/atlas-manifest.schema.json").read_text(encoding="utf-8")

    assert stored == text_of(SCHEMA)


def test_what_no_manifest_may_name_is_neither_offered_nor_read():
    for kind in ("host", "hosst"):
        reading = reading_of(MINIMAL | act(executor={"type": kind, "origin": "a:b"}))

        [problem] = reading.errors
        assert problem.expected == "one of python, process, http, file, static"
    assert "an atlas_id" in str([str(one) for one in reading_of({"atlas_version": "1.0"}).errors])
