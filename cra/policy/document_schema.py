"""The JSON Schema of a policy document, from the tables that its reader goes by.

It says less than the reader checks: what is in two places at once, a regex, and a schema in a
condition, JSON Schema has no words for.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, get_origin

from cra.policy.document import (
    MEMBERS,
    ONE_OF_PARAMETERS,
    PARAMETERS,
    REQUIRED,
    REQUIRED_PARAMETERS,
    TYPES,
)
from cra.policy.rule import RuleType
from cra.policy.written import LISTS, WINDOW
from cra.protocol.schema import closed, document, named

_ABOUT: Final[Mapping[RuleType, str]] = {
    "deny": "Denies its actions, whatever else allows them.",
    "require_approval": "Has its actions wait until a person, or a key of `approvers`, grants one.",
    "rate_limit": "Allows so many calls within a window that slides.",
    "budget": "Allows so many units of the actions' cost within a window that slides.",
    "allow": "Allows its actions, if nothing before it stands against them.",
    "redact": "Has more than credentials replaced in what is recorded and in context.",
    "scope": "Leaves an agent less context.",
}
_SCALAR: Final = {"type": ["string", "number", "boolean", "null"]}
_RULE: Final = {"$ref": "#/$defs/rule"}
_RULES: Final = {"type": "array", "items": _RULE}


def policy_schema() -> dict[str, Any]:
    rules = {rule_type: _rule(rule_type) for rule_type in PARAMETERS}
    return {
        **named(
            "policy", "A rule, a list of rules, or {policies: [...]} (policies/*.json, *.yaml)"
        ),
        "anyOf": [_RULE, _RULES, closed({"policies": _RULES})],
        "$defs": {
            "rule": {"anyOf": [{"$ref": f"#/$defs/{rule_type}"} for rule_type in rules]},
            **rules,
            "conditions": _conditions(),
        },
    }


def _rule(rule_type: RuleType) -> dict[str, Any]:
    kinds = PARAMETERS[rule_type]
    required = REQUIRED_PARAMETERS.get(rule_type, ())
    members = {name: _schema_of(kind) for name, kind in kinds.items()}
    parameters = closed(
        {"reason": _schema_of(MEMBERS["reason"]), **members},
        optional={"reason", *kinds} - {*required},
    )
    if rule_type in ONE_OF_PARAMETERS:
        parameters["anyOf"] = [{"required": [name]} for name in kinds]
        required = ("parameters",)
    special = {
        "type": {"enum": [name for name, kind in TYPES.items() if kind == rule_type]},
        "conditions": {"$ref": "#/$defs/conditions"},
        "parameters": parameters,
    }
    needed = {*REQUIRED, *(["parameters"] if required else [])}
    rule = {name: special.get(name) or _schema_of(kind) for name, kind in MEMBERS.items()}
    return {"description": _ABOUT[rule_type], **closed(rule, optional={*MEMBERS} - needed)}


def _conditions() -> dict[str, Any]:
    lists = {
        name: {"type": "array", "items": _schema_of(kind), "minItems": 1}
        for name, kind in LISTS.items()
    }
    window = {name: _schema_of(kind) for name, kind in WINDOW.items()}
    values = {"anyOf": [_SCALAR, {"type": "array", "items": _SCALAR, "minItems": 1}]}
    members = {
        **lists,
        "time_window": {"minProperties": 1, **closed(window, optional={*window})},
        "context": {"type": "object", "minProperties": 1, "additionalProperties": values},
        "parameters": {"description": "A JSON Schema of the arguments.", "type": "object"},
    }
    return closed(members, optional={*members})


def _schema_of(kind: Any) -> dict[str, Any]:
    """The schema of a type, in words that every engine knows."""
    schema = document(kind, "", "")
    for word in ("$schema", "$id", "title"):
        del schema[word]
    if get_origin(kind) is tuple:
        schema["minItems"] = 1
    return _portable(schema)


def _portable(schema: dict[str, Any]) -> dict[str, Any]:
    """Without half characters in a regex: many engines refuse them, and JSON files hold none."""
    if "items" in schema:
        return schema | {"items": _portable(schema["items"])}
    if "pattern" not in schema:
        return schema
    pattern = schema["pattern"].replace(r"[^\ud800-\udfff]", r"[\s\S]")
    return schema | {"pattern": pattern.replace(r"\ud800-\udfff", "")}
