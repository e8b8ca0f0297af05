"""JSON Schemas (draft 2020-12), made from the types that the program itself goes by.

The only module that loads pydantic.
"""

from __future__ import annotations

import json
from typing import Any, Final, get_args

from cra.protocol.events import EVENT_TYPES, SEVERITIES, ActorType

_DRAFT: Final = "https://json-schema.org/draft/2020-12/schema"
_TEXT: Final = {"type": "string"}
_DEFINITIONS: Final = {
    "blob": {
        "description": "Stands for a large member; the value is in blobs/ (section 3).",
        "type": "object",
        "properties": {"$blob": {"$ref": "#/$defs/hash"}, "bytes": {"type": "integer"}},
        "required": ["$blob", "bytes"],
        "additionalProperties": False,
    },
    "hash": {"type": "string", "pattern": "^[0-9a-f]{64}$"},
    "id": {
        "type": "string",
        "pattern": "^[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$",
    },
}


def trace_event() -> dict[str, Any]:
    """The schema of a line of a trace (specs/PROTOCOL.md sections 2.1, 3 and 6)."""
    payloads, definitions = _payloads()
    members = _header() | {
        "payload": {"type": "object"},
        "salt": {"type": "string", "pattern": "^[0-9a-f]{32}$"},
        "event_hash": {"$ref": "#/$defs/hash"},
    }
    return {
        **named("trace-event", "An event of TRACE/1.1 as it is stored"),
        "description": "A line without payload and salt is a redacted one.",
        **closed(members, optional={"artifacts", "atlas", "payload", "salt"}),
        "dependentRequired": {"payload": ["salt"], "salt": ["payload"]},
        "allOf": [
            {
                "if": {"properties": {"event_type": {"const": name}}},
                "then": {"properties": {"payload": payload}},
            }
            for name, payload in payloads.items()
        ],
        "$defs": _DEFINITIONS | definitions,
    }


def document(kind: Any, name: str, title: str) -> dict[str, Any]:
    """The schema of a closed document that a dataclass describes, a typed dictionary, a list or a
    union of them."""
    from pydantic import TypeAdapter  # takes 100 ms, for this command alone

    body: dict[str, Any] = _tidied(TypeAdapter(kind).json_schema())
    return named(name, title) | body


def text_of(schema: dict[str, Any]) -> str:
    """A schema as it stands in its file."""
    return json.dumps(schema, indent=2, ensure_ascii=False) + "\n"


def named(name: str, title: str) -> dict[str, Any]:
    return {"$schema": _DRAFT, "$id": f"urn:cra:schema:{name}", "title": title}


def _header() -> dict[str, Any]:
    """The members of section 2.1."""
    a_hash, an_id = {"$ref": "#/$defs/hash"}, {"$ref": "#/$defs/id"}
    actor_id = {"type": "string", "minLength": 1, "maxLength": 256}
    artifact = {name: _TEXT for name in ("content_type", "name", "sha256", "uri")}
    time = (
        "^[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
        r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z$"
    )
    return {
        "actor": closed({"id": actor_id, "type": {"enum": list(get_args(ActorType))}}),
        "artifacts": {"type": "array", "minItems": 1, "maxItems": 64, "items": closed(artifact)},
        "atlas": closed({"atlas_id": _TEXT, "version": _TEXT}),
        "event_id": an_id,
        "event_type": {"enum": list(EVENT_TYPES)},
        "parent_span_id": {"anyOf": [an_id, {"type": "null"}]},
        "payload_hash": a_hash,
        "previous_event_hash": a_hash,
        "sequence": {"type": "integer", "minimum": 0, "maximum": 2**53 - 1},
        "session_id": an_id,
        "severity": {"enum": list(SEVERITIES)},
        "span_id": an_id,
        "timestamp": {"type": "string", "pattern": time},
        "trace_id": an_id,
        "trace_version": {"const": "1.1"},
    }


def closed(members: dict[str, Any], *, optional: set[str] | None = None) -> dict[str, Any]:
    return {
        "type": "object",
        "properties": members,
        "required": [name for name in members if name not in (optional or ())],
        "additionalProperties": False,
    }


def _payloads() -> tuple[dict[str, Any], dict[str, Any]]:
    """A reference for each event type, and the definitions that the references name."""
    from pydantic import TypeAdapter
    from pydantic.json_schema import JsonSchemaMode

    mode: JsonSchemaMode = "validation"
    adapters: list[tuple[str, JsonSchemaMode, TypeAdapter[Any]]] = [
        (name, mode, TypeAdapter(row.payload)) for name, row in EVENT_TYPES.items()
    ]
    references, shared = TypeAdapter.json_schemas(adapters)
    definitions: dict[str, Any] = _tidied(shared)["$defs"]
    payloads = {name: reference for (name, _), reference in references.items()}
    for name in {reference["$ref"].rpartition("/")[2] for reference in payloads.values()}:
        members = definitions[name]["properties"]
        for key, schema in members.items():
            if _may_be_large(schema):
                members[key] = {"anyOf": [schema, {"$ref": "#/$defs/blob"}]}
    return payloads, definitions


def _may_be_large(schema: dict[str, Any]) -> bool:
    """Whether a member's value can outgrow a line, so that a blob may stand for it (section 3)."""
    if "anyOf" in schema:
        return any(map(_may_be_large, schema["anyOf"]))
    kind = schema.get("type")
    return (
        "$ref" in schema
        or kind in {"array", "object"}
        or (kind == "string" and "enum" not in schema)
    )


def _tidied(schema: Any) -> Any:
    """A generated schema with its objects closed, and without titles that repeat names."""
    if isinstance(schema, list):
        return [_tidied(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    tidied: dict[str, Any] = {}
    for key, value in schema.items():
        if key in {"properties", "$defs"}:
            tidied[key] = {name: _tidied(inner) for name, inner in value.items()}
        elif key != "title":
            tidied[key] = _tidied(value)
    if "properties" in tidied:
        tidied["additionalProperties"] = False
    return tidied
