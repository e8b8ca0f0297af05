"""The JSON Schema of a manifest, from the types and the table that its reader goes by."""

from __future__ import annotations

from typing import Any, get_args

from cra.atlas.model import Executor
from cra.atlas.written import SPELLINGS, Manifest
from cra.config.values import Spelling
from cra.protocol.schema import document


def manifest_schema() -> dict[str, Any]:
    schema = document(Manifest, "atlas-manifest", "An atlas (atlas.json, atlas.yaml)")
    _close_maps(schema)
    definitions = schema["$defs"]
    for kind in get_args(Executor):
        _tag(definitions[kind.__name__], kind.TYPE)
    for kind, spelling in SPELLINGS.items():
        if kind is Manifest:
            _add_spellings(schema, spelling)
        else:
            definitions[kind.__name__] = _add_spellings(definitions[kind.__name__], spelling)
    return schema


def _close_maps(schema: Any) -> None:
    """A map has keys of its pattern alone."""
    for value in schema.values() if isinstance(schema, dict) else schema:
        if isinstance(value, dict | list):
            _close_maps(value)
    if isinstance(schema, dict) and "patternProperties" in schema:
        schema["additionalProperties"] = False


def _tag(schema: dict[str, Any], name: str) -> None:
    """The member that tells an executor from the others."""
    schema["properties"] = {"type": {"const": name}, **schema["properties"]}
    schema["required"] = ["type", *schema["required"]]


def _add_spellings(schema: dict[str, Any], spelling: Spelling) -> dict[str, Any]:
    """A schema that accepts the other spellings of its object too."""
    properties = schema["properties"]
    required = [key for key in schema.get("required", ()) if key not in spelling.defaults]
    for key, alias in spelling.aliases.items():
        properties[key] = properties[alias.field]
        if alias.kind is not None:
            properties[key] = document(alias.kind, "", "")
            for word in ("$schema", "$id", "title"):
                del properties[key][word]
        one_of_both: dict[str, Any] = {"not": {"required": [alias.field, key]}}
        if alias.field in required:
            required.remove(alias.field)
            one_of_both["anyOf"] = [{"required": [alias.field]}, {"required": [key]}]
        schema.setdefault("allOf", []).append(one_of_both)
    schema["required"] = required
    for key in spelling.empty_lists:
        properties[key] = {"anyOf": [properties[key], {"type": "array", "maxItems": 0}]}
    if spelling.shorthand is None:
        return schema
    text = {"type": "string", "pattern": f"^(?:{spelling.shorthand.pattern})$"}
    return {"anyOf": [text, schema]}
