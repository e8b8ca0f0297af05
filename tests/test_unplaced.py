"""Values read without places: the same as with them, and none where a mistake would be noted."""

from __future__ import annotations

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cra.atlas.manifest import load_atlas
from cra.atlas.model import Action, Capability, ContextPack
from cra.atlas.package import Package, package_of, read_package
from cra.atlas.written import SPELLINGS, Manifest
from cra.config.text import Path as Steps
from cra.config.text import placed
from cra.config.unplaced import Mistaken, UnplacedReader
from cra.config.values import read_value
from cra.errors import AtlasError
from tests.program import ROOT

ATLASES = sorted(path.parent for path in (ROOT / "examples" / "atlases").glob("*/atlas.json"))
READER = UnplacedReader(SPELLINGS)
EXECUTORS = [
    {"type": "python", "file": "a.py", "function": "f", "isolation": "process"},
    "python:tools.mail:send",
    {"type": "process", "command": ["ls"], "environment": {"A": "b"}, "success": [0, 3]},
    {
        "type": "http",
        "method": "POST",
        "url": "https://h.example/",
        "hosts": ["h.example"],
        "headers": {"Accept": "text/html"},
        "body": ["note"],
    },
    {"type": "file", "operation": "read", "root": "out", "path": "x"},
    {"type": "static", "result": {"id": [4, None]}},
]
ACTIONS = [
    {
        "action_id": "ticket.refund",
        "schema": {"type": "object", "properties": {"note": {"type": "string"}}},
        "returns_schema": None,
        "risk_tier": "low",
        "idempotent": True,
        "requires_approval": False,
        "timeout_seconds": 4,
        "rate_limit": {"max_calls": 3, "window_seconds": 60},
        "examples": [{"note": "x"}],
        "executor": executor,
    }
    for executor in EXECUTORS
]
PACK = {"pack_id": "p", "files": ["a.md"], "conditions": {"env": ["prod"]}, "max_tokens": 9}
DOCUMENTS: list[tuple[Any, Any]] = [
    *((Action, action) for action in ACTIONS),
    (Action, {"action_id": "a.b"}),
    (ContextPack, PACK),
    (ContextPack, "docs/a.md"),
    (Capability, {"capability_id": "c", "actions": ["a.b"], "context_packs": ["p"]}),
    (Capability, "refunds"),
    (tuple[Capability, ...], ["refunds", {"capability_id": "c"}]),
    (
        Manifest,
        {
            "atlas_version": "1.0",
            "id": "com.example.x",
            "version": "1.0.0",
            "dependencies": [],
            "adapters": {"a": "a.py"},
            "metadata": {"n": 1},
        },
    ),
]
JUNK: list[Any] = [
    *(None, True, 0, -1, 1.5, 2**40, "", "x", "a.b", "python", "python:x", "/"),
    *([], [0], ["a.b"], {}, {"type": "static"}, {"x": 1}, {"type": 3}),
]


def places(value: Any, path: Steps = ()) -> Iterator[Steps]:
    yield path
    parts: Any = value.items() if isinstance(value, dict) else ()
    for step, member in enumerate(value) if isinstance(value, list) else parts:
        yield from places(member, (*path, step))


@st.composite
def changed(draw: st.DrawFn) -> tuple[Any, Any]:
    """A document with something in it exchanged, taken away or added."""
    kind, written = draw(st.sampled_from(DOCUMENTS))
    *path, last = draw(st.sampled_from(list(places({"": written}))[1:]))
    outer = deepcopy({"": written})
    around: Any = outer
    for step in path:
        around = around[step]
    match draw(st.sampled_from(["exchange", "remove", "add", "nothing"])):
        case "exchange":
            around[last] = draw(st.sampled_from(JUNK))
        case "remove" if path:
            del around[last]
        case "add" if isinstance(around[last], dict):
            key = draw(st.sampled_from(["x", "type", "timeout_ms", "name", "parameters_schema"]))
            around[last][key] = draw(st.sampled_from(JUNK))
    return kind, outer[""]


@given(changed())
@example((Action, {"action_id": "a.b", "timeout_ms": 30_000, "timeout_seconds": 30}))
@example((Action, {"action_id": "a.b", "executor": {"type": "ssh"}}))
@example((Action, {"action_id": "a.b", "executor": "os.system"}))
@example((Action, {"action_id": "a.b", "executor": {"type": []}}))
@example(DOCUMENTS[-1])
def test_a_value_is_read_as_with_places_or_not_at_all(document):
    kind, written = document
    notes: list[Any] = []
    expected = read_value(kind, placed(written, 0), "", lambda *note: notes.append(note), SPELLINGS)

    if notes:
        with pytest.raises(Mistaken):
            READER.read(kind, written)
    else:
        assert READER.read(kind, written) == expected


MANIFEST = {
    "atlas_version": "1.0",
    "id": "com.example.x",
    "version": "1.0.0",
    "actions": [*[action | {"action_id": f"a.b{at}"} for at, action in enumerate(ACTIONS[3:])]],
    "policies": [
        {"policy_id": "p", "type": "allow", "actions": ["a.*"]},
        "more.yaml",
        {"policy_id": "r", "type": "deny", "conditions": {"parameters": {"type": "object"}}},
    ],
    "context_packs": ["a.md"],
    "dependencies": [],
}
FILES = {
    "a.md": b"text",
    "more.yaml": b"- policy_id: q\n  type: deny\n  actions: ['*.b3']\n",
    "actions.json": json.dumps([{"action_id": "c.d"}, {"action_id": "c.e"}]).encode(),
}


def packages() -> Iterator[Any]:
    for path in ATLASES:
        yield pytest.param(read_package(path), id=path.name)
    for name, manifest in {
        "every kind": MANIFEST,
        "actions in files": MANIFEST | {"actions": ["actions.json"]},
        "no rules": {key: value for key, value in MANIFEST.items() if key != "policies"},
    }.items():
        for indent in (None, 2):
            text = json.dumps(manifest, indent=indent).encode()
            yield pytest.param(package_of({**FILES, "atlas.json": text}), id=f"{name}, {indent}")
            yield pytest.param(
                package_of({**FILES, "atlas.yaml": text}), id=f"yaml {name}, {indent}"
            )


@pytest.mark.parametrize("package", [*packages()])
def test_an_accepted_atlas_is_the_same_when_it_is_opened_again(package: Package):
    assert load_atlas(package, "atlases/x", is_pinned=True) == load_atlas(package, "atlases/x")


@pytest.mark.parametrize(
    ("members", "where"),
    [
        ({"actions": [{"action_id": "A"}]}, "atlases/x/atlas.json:1:"),
        ({"actions": 4}, "atlases/x/atlas.json:1:"),
        ({"actions": ["none.json"]}, "atlases/x/atlas.json:1:"),
        ({"policies": [{"policy_id": "p"}]}, "atlases/x/atlas.json:1:"),
        ({"actions": [ACTIONS[2] | {"executor": {"type": "process", "command": ["-x"]}}]}, ":1:"),
    ],
)
def test_a_mistake_in_a_pinned_atlas_is_told_with_its_place(members, where):
    text = json.dumps(MANIFEST | members).encode()

    with pytest.raises(AtlasError) as caught:
        load_atlas(package_of({**FILES, "atlas.json": text}), "atlases/x", is_pinned=True)
    assert where in (caught.value.where or caught.value.message)
