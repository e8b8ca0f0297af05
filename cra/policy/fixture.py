"""Tests beside policies: tables of calls and the decisions that are expected of them.

    {"tests": [{"name": "refunds over 100 are denied",
                "call": {"action": "refund.make", "parameters": {"amount": 120}, "agent": "cli"},
                "expect": {"decision": "deny", "policy_id": "refund-cap"}}]}

A call may also have `roles`, `scopes`, `context`, `trusted_context`, `risk_tier`, `time` (a Monday
at noon unless stated) and `used`: by policy_id, how much of a limit is used already (else nothing).
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from datetime import datetime
from typing import Annotated, Any, Final, NamedTuple, TypeAlias

from cra.config import RiskTier
from cra.config.text import Node, Note
from cra.config.values import Limits, nearest_of, shown, with_article
from cra.policy.call import Call, Moment
from cra.policy.engine import Policy, decide, limits_of
from cra.policy.ladder import UNKNOWN_ACTION, Outcome, Ruling
from cra.policy.schema import compile_schema
from cra.policy.vocabulary import Flaw
from cra.policy.written import Name, below, members_of, read_list, read_or, read_plain

# A Monday at noon, UTC.
NOON: Final = 1_767_614_400

_Time: TypeAlias = Annotated[
    str,
    Limits(
        "a time like 2026-11-20T10:15:00Z",
        pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:Z|[+-][0-9]{2}:[0-9]{2})",
    ),
]
_Used: TypeAlias = Annotated[int, Limits("a whole number from 0 on", minimum=0)]
_CALL: Final = (
    "action",
    "parameters",
    "agent",
    "roles",
    "scopes",
    "context",
    "trusted_context",
    "risk_tier",
    "time",
    "used",
)


class Case(NamedTuple):
    """One test: a call, how much of which limits is used, and what is expected."""

    name: str
    call: Call
    moment: Moment
    used: Mapping[str, int]
    outcome: Outcome
    policy_id: str | None


class Result(NamedTuple):
    """What a test found; `problem` None: what it expected."""

    case: Case
    decision: Ruling
    problem: str | None


def read_cases(node: Node, note: Note) -> tuple[Case, ...]:
    """The tests of a document; every mistake is noted, and then none of them counts."""
    tests = members_of(node, "", ["tests"], note).get("tests")
    if tests is None or not isinstance(tests.value, list) or not tests.value:
        found = "none" if tests is None else shown(tests.value)
        note(node.offset, "tests", "a list of one test or more", found, None)
        return ()
    return tuple(_read_case(item, f"tests[{at}]", note) for at, item in enumerate(tests.value))


def run_cases(
    policy: Policy, schemas: Mapping[str, Mapping[str, Any]], cases: Iterable[Case]
) -> tuple[Result, ...]:
    """Each test decided by a policy and compared with what it expects.

    `schemas` are those of the arguments, by action: a call that is none passes no test, but the one
    that expects just that of an action.
    """
    return tuple(_result(policy, schemas, case) for case in cases)


def flaw_of_action(action_id: str, known: Iterable[str]) -> Flaw | None:
    """What is wrong with the id of an action, if none has it."""
    names = {name: name for name in known}
    if action_id in names:
        return None
    found = shown(action_id) if action_id else "none"
    return Flaw(("action",), "an action of an atlas", found, nearest_of(action_id, names))


def flaw_of_arguments(
    action_id: str, arguments: Mapping[str, Any], schema: Mapping[str, Any]
) -> Flaw | None:
    """What is wrong with arguments: those that do not fit are refused before policy is asked."""
    flaws = compile_schema(schema).flaws(arguments)
    if not flaws:
        return None
    expected = f"arguments that fit the schema of {action_id}"
    return Flaw(("parameters",), expected, flaws[0].said_of("the arguments"))


def _result(policy: Policy, schemas: Mapping[str, Mapping[str, Any]], case: Case) -> Result:
    call = case.call._replace(moment=case.moment)
    limits = limits_of(policy, call)
    used = {limit.key: case.used.get(limit.rule.policy_id, 0) for limit in limits}
    decision = decide(policy, call._replace(moment=case.moment._replace(used=used)))
    flaw = _flaw_of_call(schemas, case)
    foreign = sorted(case.used.keys() - {limit.rule.policy_id for limit in limits})
    if flaw is not None:
        problem = str(flaw)
    elif foreign:
        problem = f"expected `used` to name limits that count this call, found {foreign[0]}"
    elif decision.outcome != case.outcome or case.policy_id not in (None, decision.policy_id):
        expected = f"{case.outcome} by {case.policy_id or 'any rule'}"
        found = f"{decision.outcome} by {decision.policy_id}"
        problem = f"expected {expected}, found {found}: {decision.reason}"
    else:
        return Result(case, decision, None)
    return Result(case, decision, problem)


def _flaw_of_call(schemas: Mapping[str, Mapping[str, Any]], case: Case) -> Flaw | None:
    action_id = case.call.action_id
    if case.policy_id == UNKNOWN_ACTION:
        return None
    return flaw_of_action(action_id, schemas) or flaw_of_arguments(
        action_id, case.moment.arguments, schemas[action_id]
    )


def _read_case(node: Node, name: str, note: Note) -> Case:
    members = members_of(node, name, ("name", "call", "expect"), note)
    for key in ("name", "call", "expect"):
        if key not in members:
            note(node.offset, below(name, key), with_article(key), "none", None)
    nothing = Node(node.offset, {})
    call, moment, used = _read_call(members.get("call", nothing), below(name, "call"), note)
    place = below(name, "expect")
    expected = members_of(members.get("expect", nothing), place, ("decision", "policy_id"), note)
    if "expect" in members and "decision" not in expected:
        note(members["expect"].offset, below(place, "decision"), "a decision", "none", None)
    return Case(
        read_or("", Name, members.get("name"), below(name, "name"), note),
        call,
        moment,
        used,
        read_or("deny", Outcome, expected.get("decision"), below(place, "decision"), note),
        read_or(None, Name, expected.get("policy_id"), below(place, "policy_id"), note),
    )


def _read_call(node: Node, name: str, note: Note) -> tuple[Call, Moment, Mapping[str, int]]:
    members = members_of(node, name, _CALL, note)
    if "action" not in members:
        note(node.offset, below(name, "action"), "an action", "none", None)

    def value(key: str, kind: Any, default: Any) -> Any:
        return read_or(default, kind, members.get(key), below(name, key), note)

    def names(key: str) -> frozenset[str]:
        place = below(name, key)
        return frozenset(read_list(Name, members[key], place, note) if key in members else ())

    def plain_object(key: str) -> Mapping[str, Any]:
        if key not in members:
            return {}
        found: Mapping[str, Any] = read_plain(members[key], below(name, key), note)
        if not isinstance(found, dict):
            note(members[key].offset, below(name, key), "an object", shown(found), None)
        return found

    call = Call(
        action_id=value("action", Name, ""),
        agent=value("agent", Name, "cli"),
        roles=names("roles"),
        scopes=names("scopes"),
        risk_tier=value("risk_tier", RiskTier, None),
        trusted_context=plain_object("trusted_context"),
        context=plain_object("context"),
    )
    now = _read_time(members.get("time"), below(name, "time"), note)
    used = value("used", Mapping[str, _Used], {})
    return call, Moment(plain_object("parameters"), now), used


def _read_time(node: Node | None, name: str, note: Note) -> int:
    text = read_or("", _Time, node, name, note)
    if node is None or not text:
        return NOON
    try:
        return int(datetime.fromisoformat(text).timestamp())
    except ValueError as error:
        note(node.offset, name, "a time that there is", f"{shown(text)}: {error}", None)
        return NOON
