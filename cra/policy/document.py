"""Policy documents: one rule, a list of rules, or `{"policies": [...]}` (specs/PROTOCOL.md).

policy_id    letters, digits and . _ -
type         deny, require_approval (or requires_approval), rate_limit, budget, allow, redact,
             scope
actions      action ids and globs; left out: all actions
priority     a whole number, 0 unless stated; the higher is asked first
reason       here or in `parameters`, for the one who is denied
description  for the readers of the document
conditions   agents, roles, scopes, risk_tiers, time_window, context, parameters
parameters   by type. rate_limit: max_calls, window_seconds, per; budget: max_cost,
             window_seconds, per; require_approval: approvers; redact: kinds, patterns, fields;
             scope: max_context_tokens, context_packs
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from itertools import chain
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args, get_origin

from cra.config import KeyText
from cra.config.text import Node, Note
from cra.config.values import UNREAD, Limits, shown
from cra.errors import ValueRefused
from cra.policy.engine import duplicates
from cra.policy.pattern import MAX_ACTION_ID, PATTERN, Pattern
from cra.policy.rule import Conditions, Limit, Rule, RuleOrigin, RuleType
from cra.policy.vocabulary import flaw_of_refusal
from cra.policy.written import Name, below, members_of, read_conditions, read_list, read_or

_PolicyId: TypeAlias = Annotated[
    str,
    Limits(
        "a policy_id of letters, digits and . _ -, at most 128 of them",
        pattern="[A-Za-z0-9][A-Za-z0-9._-]{0,127}",
    ),
]
_Text: TypeAlias = Annotated[
    str, Limits("a text of 1 to 500 characters", pattern=r"[^\ud800-\udfff]{1,500}")
]
_Pattern: TypeAlias = Annotated[
    str,
    Limits(
        "an action id or a glob like ticket.*",
        pattern=PATTERN.pattern.removesuffix(r"\Z"),
        max_length=MAX_ACTION_ID,
    ),
]
_Priority: TypeAlias = Annotated[
    int, Limits("a whole number from -1000000 to 1000000", minimum=-1_000_000, maximum=1_000_000)
]
_Amount: TypeAlias = Annotated[
    int, Limits("a whole number from 0 to 1000000000", minimum=0, maximum=1_000_000_000)
]
_Window: TypeAlias = Annotated[
    int, Limits("seconds from 1 to 31622400", minimum=1, maximum=31_622_400)
]
_Per: TypeAlias = Literal["session", "agent", "project"]
# Personal data that is redacted on request; credentials always are.
_Kind: TypeAlias = Literal["email", "phone", "iban", "ssn"]
_Field: TypeAlias = Annotated[
    str,
    Limits("keys with points between them, like customer.email", pattern=r"[^.]+(?:\.[^.]+)*"),
]
_Type: TypeAlias = Literal[RuleType, "requires_approval"]

TYPES: Final[Mapping[str, RuleType]] = {
    **{name: name for name in get_args(RuleType)},
    "requires_approval": "require_approval",
}
# What a rule holds, and the types of it. The reader and the JSON Schema go by these tables.
MEMBERS: Final[Mapping[str, Any]] = {
    "policy_id": _PolicyId,
    "type": _Type,
    "actions": tuple[_Pattern, ...],
    "priority": _Priority,
    "reason": _Text,
    "description": _Text,
    "conditions": UNREAD,
    "parameters": UNREAD,
}
REQUIRED: Final = ("policy_id", "type")
# What `parameters` holds beside a reason.
PARAMETERS: Final[Mapping[RuleType, Mapping[str, Any]]] = {
    "deny": {},
    "require_approval": {"approvers": tuple[KeyText, ...]},
    "rate_limit": {"max_calls": _Amount, "window_seconds": _Window, "per": _Per},
    "budget": {"max_cost": _Amount, "window_seconds": _Window, "per": _Per},
    "allow": {},
    "redact": {
        "kinds": tuple[_Kind, ...],
        "patterns": tuple[str, ...],
        "fields": tuple[_Field, ...],
    },
    "scope": {"max_context_tokens": _Amount, "context_packs": tuple[Name, ...]},
}
# Of which of them some have to be there: all that are named, or at least one of any.
REQUIRED_PARAMETERS: Final[Mapping[RuleType, tuple[str, ...]]] = {
    "rate_limit": ("max_calls", "window_seconds"),
    "budget": ("max_cost", "window_seconds"),
}
ONE_OF_PARAMETERS: Final[frozenset[RuleType]] = frozenset(["redact", "scope"])


def read_rules(
    node: Node,
    note: Note,
    *,
    file: str,
    place: Callable[[int], tuple[int, int]],
    atlas_id: str | None = None,
    is_pinned: bool = False,
) -> tuple[Rule, ...]:
    """The rules of a document that are without mistakes; every mistake is noted.

    `place` has the line and the column of an offset. Of a pinned document no schema is compiled.
    """
    rules: list[Rule] = []
    offsets: dict[int, tuple[int, str]] = {}
    for name, item in _items(node, note):
        origin = RuleOrigin(file, *place(item.offset), atlas_id)
        rule = _read_rule(item, name, note, origin, is_pinned=is_pinned)
        if rule is not None:
            rules.append(rule)
            offsets[id(rule)] = item.offset, below(name, "policy_id")
    for again, first in duplicates(rules):
        offset, name = offsets[id(again)]
        note(offset, name, "each policy_id once", f"{again.policy_id} as at {first.origin}", None)
    return tuple(rules)


def _items(node: Node, note: Note) -> Iterator[tuple[str, Node]]:
    """The nodes of the rules, each with its name in messages."""
    if isinstance(node.value, dict) and "policies" in node.value:
        name, items = "policies", members_of(node, "", ["policies"], note)["policies"]
    else:
        name, items = "", node
    if isinstance(items.value, list):
        yield from ((f"{name}[{at}]", item) for at, item in enumerate(items.value))
    elif name:
        note(items.offset, name, "a list of rules", shown(items.value), None)
    else:
        yield name, items


def _read_rule(
    node: Node, name: str, note: Note, origin: RuleOrigin, *, is_pinned: bool
) -> Rule | None:
    mistakes = 0

    def noting(offset: int, key: str, expected: str, found: str, nearest: str | None) -> None:
        nonlocal mistakes
        mistakes += 1
        note(offset, key, expected, found, nearest)

    rule = _rule_of(node, name, noting, origin, is_pinned=is_pinned)
    return None if mistakes else rule


def _rule_of(node: Node, name: str, note: Note, origin: RuleOrigin, *, is_pinned: bool) -> Rule:
    members = members_of(node, name, MEMBERS, note)
    for key in REQUIRED:
        if key not in members:
            note(node.offset, below(name, key), f"a {key}", "none", None)

    def value(key: str, default: Any) -> Any:
        return read_or(default, MEMBERS[key], members.get(key), below(name, key), note)

    stated = _read_type(members.get("type"), below(name, "type"), note)
    rule_type: RuleType = stated or "deny"
    value("description", "")
    parameters: dict[str, Node] = {}
    if "parameters" in members:
        known = ("reason", *(PARAMETERS[rule_type] if stated else chain(*PARAMETERS.values())))
        parameters = members_of(members["parameters"], below(name, "parameters"), known, note)
    return Rule(
        policy_id=value("policy_id", ""),
        type=rule_type,
        patterns=_read_patterns(members.get("actions"), below(name, "actions"), note),
        priority=value("priority", 0),
        reason=_read_reason(members.get("reason"), parameters.pop("reason", None), name, note),
        conditions=read_conditions(
            members["conditions"], below(name, "conditions"), note, is_pinned=is_pinned
        )
        if "conditions" in members
        else Conditions(),
        origin=origin,
        **_READERS[rule_type](
            rule_type, Node(node.offset, parameters), below(name, "parameters"), note
        ),
    )


def _read_type(node: Node | None, name: str, note: Note) -> RuleType | None:
    """The type of a rule. A mistake lists and suggests one spelling of each type."""
    if node is not None and isinstance(node.value, str) and node.value in TYPES:
        return TYPES[node.value]
    found: RuleType | None = read_or(None, RuleType, node, name, note)
    return found


def _read_reason(outer: Node | None, inner: Node | None, name: str, note: Note) -> str:
    if outer is not None and inner is not None:
        note(inner.offset, below(name, "parameters.reason"), "the reason once", "it again", None)
    place = below(name, "reason" if inner is None else "parameters.reason")
    reason: str = read_or("", _Text, outer or inner, place, note)
    return reason


def _read_patterns(node: Node | None, name: str, note: Note) -> tuple[Pattern, ...] | None:
    if node is None:
        return None
    patterns = []
    for at, text in enumerate(read_list(str, node, name, note)):
        try:
            patterns.append(Pattern(text if isinstance(text, str) else "*"))
        except ValueRefused as error:
            flaw = flaw_of_refusal(error)
            note(node.value[at].offset, f"{name}[{at}]", flaw.expected, flaw.found, None)
    return tuple(patterns)


# The readers of `parameters`. Each returns what it adds to the rule.


def _read_nothing(_type: RuleType, _node: Node, _name: str, _note: Note) -> dict[str, Any]:
    return {}


def _read_limit(rule_type: RuleType, node: Node, name: str, note: Note) -> dict[str, Any]:
    members: dict[str, Node] = node.value
    for key in REQUIRED_PARAMETERS[rule_type]:
        if key not in members:
            note(node.offset, below(name, key), f"a {key}", "none", None)
    kinds, defaults = PARAMETERS[rule_type], (0, 1, "session")
    maximum, window_seconds, per = (
        read_or(default, kinds[key], members.get(key), below(name, key), note)
        for key, default in zip(kinds, defaults, strict=True)
    )
    return {"limit": Limit(maximum, window_seconds, per)}


def _read_redaction(rule_type: RuleType, node: Node, name: str, note: Note) -> dict[str, Any]:
    settings = _read_settings(rule_type, node, name, note)
    for at, pattern in enumerate(settings.get("patterns", ())):
        mistake = _mistake_in_regex(pattern)
        if mistake:
            place = node.value["patterns"].value[at].offset
            note(
                place,
                f"{name}.patterns[{at}]",
                "a regex of RE2 for one character or more",
                mistake,
                None,
            )
    return {"settings": settings}


def _read_scope(rule_type: RuleType, node: Node, name: str, note: Note) -> dict[str, Any]:
    settings = _read_settings(rule_type, node, name, note)
    tokens = node.value.get("max_context_tokens")
    if tokens is not None:
        kind, place = PARAMETERS[rule_type]["max_context_tokens"], below(name, "max_context_tokens")
        settings["max_context_tokens"] = read_or(0, kind, tokens, place, note)
    return {"settings": settings}


def _read_settings(rule_type: RuleType, node: Node, name: str, note: Note) -> dict[str, Any]:
    if not node.value:
        note(node.offset, name, "at least one setting", "none", None)
    return _read_lists(rule_type, node, name, note)


def _read_lists(rule_type: RuleType, node: Node, name: str, note: Note) -> dict[str, Any]:
    return {
        key: read_list(get_args(kind)[0], node.value[key], below(name, key), note)
        for key, kind in PARAMETERS[rule_type].items()
        if key in node.value and get_origin(kind) is tuple
    }


def _mistake_in_regex(pattern: Any) -> str | None:
    # Few documents have one, and it is an extension module.
    import re2  # type: ignore[import-untyped]

    if not isinstance(pattern, str):
        return None
    options = re2.Options()
    options.log_errors = False
    try:
        is_empty = re2.compile(pattern, options).match("") is not None
    except re2.error as error:
        return f"{shown(pattern)}: {error.args[0].decode(errors='replace')}"
    return f"{shown(pattern)}, which matches the empty text" if is_empty else None


_READERS: Final[Mapping[RuleType, Callable[[RuleType, Node, str, Note], dict[str, Any]]]] = {
    "deny": _read_nothing,
    "require_approval": _read_lists,
    "rate_limit": _read_limit,
    "budget": _read_limit,
    "allow": _read_nothing,
    "redact": _read_redaction,
    "scope": _read_scope,
}
