"""`cra explain`: why policy decides as it does, and what an error code means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cra.cli import output
from cra.cli.arguments import pairs, parameters_of
from cra.cli.governed import open_project
from cra.cli.options import Json, ProjectDir
from cra.cli.policy import place_of
from cra.errors import ArgumentsRefused, ExitCode, UsageError

if TYPE_CHECKING:
    from cra.policy.call import Call, Moment
    from cra.policy.explain import Considered, Explanation
    from cra.policy.ladder import Ruling
    from cra.policy.rule import Rule
    from cra.runtime.project import Project

_CODE: Final = re.compile("CRA-[0-9]{4}", re.IGNORECASE)
_CODES: Final = {
    "allow": ExitCode.OK,
    "deny": ExitCode.NO,
    "requires_approval": ExitCode.PENDING,
}
_VERDICTS: Final = {
    "allow": ("ALLOWED", "good"),
    "deny": ("DENIED", "bad"),
    "requires_approval": ("NEEDS AN APPROVAL", "warn"),
}
# Why a rule says nothing, where its own words about it would not help.
_REASONS: Final = {
    "atlas": "an atlas's rule counts for that atlas's own actions alone",
    "grants": "its atlas was not granted this action",
    "context": "the context is another",
    "time_window": "the time is outside its window",
    "parameters": "the arguments do not fit its schema",
    "not used up": "it is not used up",
}


def explain(
    action: Annotated[
        str, typer.Argument(metavar="ACTION|CODE", help="An action's id, or a code like CRA-3010.")
    ],
    *,
    params: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="An argument; can be repeated."),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--params", metavar="FILE|-", help="The arguments as a JSON object."),
    ] = None,
    agent: Annotated[str, typer.Option("--agent", metavar="NAME", help="Who asks.")] = "cli",
    roles: Annotated[
        list[str] | None,
        typer.Option("--role", metavar="ROLE", help="A role, instead of the agent's configured."),
    ] = None,
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="A scope, instead of those configured."),
    ] = None,
    risk_tier: Annotated[
        str | None,
        typer.Option("--risk-tier", metavar="TIER", help="A tier that the task states."),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option("--context", metavar="NAME=VALUE", help="What the caller states."),
    ] = None,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Say why an action is allowed or denied, or what an error code means.

    Every rule about the action is shown, rung by rung: whether it applies, why not, and which one
    decides; for a denial also what would allow the call. Without arguments it is decided as while
    resolving; with some, as at the call, now, with no limit used yet. A value of --param is read by
    the type that the action's schema gives it. Nothing is executed or recorded.

    The exit code is 0 if the call is allowed, 1 if it is denied, 4 if it needs an approval.

      cra explain ticket.close
      cra explain refund.make --param amount=120 --agent support
      cra explain refund.make --params arguments.json --json
      cra explain CRA-3010
    """
    if _CODE.fullmatch(action):
        return _explain_code(action.upper(), as_json=as_json)
    from cra.policy.explain import explain as explained

    with open_project(project) as opened:
        if action not in opened.snapshot.actions:
            raise opened.unknown_action(action)
        known = opened.config.agents.get(agent)
        call = _call(
            action,
            agent,
            frozenset(roles if roles is not None else known.roles if known else ()),
            frozenset(scopes if scopes is not None else known.scopes if known else ()),
            risk_tier,
            pairs(context or []),
        )
        if params is not None or file is not None:
            call = _at_the_call(opened, call, params or [], file)
        explanation = explained(opened.policy, call)
        if as_json:
            output.answer_json(_facts(opened, call, explanation))
        else:
            _print(opened, call, explanation)
    return _CODES[explanation.decision.outcome]


def _explain_code(code: str, *, as_json: bool) -> ExitCode:
    from cra.cli.codes import meaning_of

    meaning = meaning_of(code)
    if as_json:
        output.answer_json(meaning._asdict())
        return ExitCode.OK
    output.answer(f"{output.style(meaning.code, 'accent')}  {meaning.name}")
    output.answer(output.wrapped(meaning.meaning, indent="  "))
    output.answer(output.wrapped(f"fix: {meaning.fix}", indent="  ", hang="  "))
    output.answer(f"  exit code: {meaning.exit_code}")
    return ExitCode.OK


def _call(  # what a call consists of
    action: str,
    agent: str,
    roles: frozenset[str],
    scopes: frozenset[str],
    risk_tier: str | None,
    context: dict[str, Any],
) -> Call:
    from cra.policy.call import TIERS, Call

    tier = next((one for one in TIERS if one == risk_tier), None)
    if tier != risk_tier:
        raise UsageError(f"expected a risk tier of {', '.join(TIERS)}, found {risk_tier!r:.40}")
    return Call(action, agent, roles, scopes, tier, context=context)


def _at_the_call(opened: Project, call: Call, words: list[str], file: str | None) -> Call:
    """The call as it would be executed now. Raises ArgumentsRefused."""
    from cra.policy.engine import limits_of

    atlas, action = opened.snapshot.actions[call.action_id]
    arguments = parameters_of(words, file, action.parameters_schema)
    flaws = list(map(str, opened.schema_of(action).flaws(arguments)))
    if flaws:
        raise ArgumentsRefused(
            f"{call.action_id}: {'; '.join(flaws[:5])}", fix=f"cra atlas show {atlas.atlas_id}"
        )
    moment = _moment(arguments)
    unused = {limit.key: 0 for limit in limits_of(opened.policy, call._replace(moment=moment))}
    return call._replace(moment=moment._replace(used=unused))


def _moment(arguments: dict[str, Any]) -> Moment:
    import time

    from cra.policy.call import Moment

    return Moment(arguments, int(time.time()))


def _print(opened: Project, call: Call, explanation: Explanation) -> None:
    decision = explanation.decision
    verdict, style = _VERDICTS[decision.outcome]
    when = "while resolving" if call.moment is None else "at the call, with no limit used"
    output.answer(f"{output.style(verdict, style)}  {output.safe(call.action_id)}")
    rows = [
        ("asked by", f"{call.agent}, {when}"),
        ("rule", decision.policy_id),
        ("where", _where(opened, decision)),
        ("reason", decision.reason),
        ("risk tier", decision.risk_tier),
    ]
    for name, text in rows:
        if text:
            output.answer(output.wrapped(f"{name + ':':<11}{text}", indent="  ", hang=" " * 11))
    for rung, rules in _rungs(explanation):
        output.answer(f"\n{output.style(rung, 'accent')}")
        for considered in rules:
            _print_considered(opened, considered, call, decides=considered.rule is decision.rule)
        if rung == "require_approval" and _asks_by_tier(opened, decision):
            text = f"config:require_approval_for: applies to the risk tier {decision.risk_tier}"
            output.answer(output.wrapped(text, indent="  "))
        elif not rules:
            output.answer("  no rule about this action")
    if explanation.changes:
        output.answer("\nTo allow it:")
        for change in explanation.changes:
            output.answer(output.wrapped(f"- {change}", indent="  ", hang="  "))


def _print_considered(
    opened: Project, considered: Considered, call: Call, *, decides: bool
) -> None:
    rule, state, _ = considered
    words = _words(considered, call)
    told = state + (", and decides" if decides else "") + (f": {words}" if words else "")
    output.answer(output.wrapped(f"{rule.policy_id}: {told}", indent="  ", hang="  "))
    output.answer(f"    {output.safe(place_of(opened, rule.origin))}")


def _rungs(explanation: Explanation) -> Iterator[tuple[str, list[Considered]]]:
    from cra.policy.rule import LADDER

    for rung in LADDER:
        yield rung, [one for one in explanation.considered if one.rule.type == rung]


def _asks_by_tier(opened: Project, decision: Ruling) -> bool:
    return decision.risk_tier in opened.policy.approval_tiers


def _where(opened: Project, decision: Ruling) -> str:
    """Where that is written which decides."""
    from cra.policy.ladder import APPROVAL_TIER

    if decision.rule is not None:
        return place_of(opened, decision.rule.origin)
    if decision.policy_id == APPROVAL_TIER:
        return str(opened.config.origins["policies.require_approval_for"])
    return ""


def _words(considered: Considered, call: Call) -> str:
    """Why a rule is in the state that it is in, in words."""
    rule, state, why = considered
    if state == "undecided":
        return f"{why.replace('what is used', 'how much is used')}, known at the call"
    if state != "does not apply":
        return why
    return "; ".join(_reason(name, rule, call) for name in why.split(", "))


def _reason(name: str, rule: Rule, call: Call) -> str:
    conditions = rule.conditions
    wanted = {
        "agents": (conditions.agents, [call.agent]),
        "roles": (conditions.roles, call.roles),
        "scopes": (conditions.scopes, call.scopes),
    }
    if name in wanted:
        asked, found = (", ".join(sorted(names)) or "none" for names in wanted[name])
        return f"{name}: expected {asked}, found {found}"
    if name == "risk_tiers":
        return f"risk tier: expected {', '.join(sorted(conditions.risk_tiers))}"
    return _REASONS.get(name, name)


def _facts(opened: Project, call: Call, explanation: Explanation) -> dict[str, Any]:
    decision = explanation.decision
    return {
        "action_id": call.action_id,
        "agent": call.agent,
        "roles": sorted(call.roles),
        "scopes": sorted(call.scopes),
        "at": "resolve" if call.moment is None else "execute",
        "decision": {
            "type": decision.outcome,
            "policy_id": decision.policy_id,
            "reason": decision.reason,
            "where": _where(opened, decision) or None,
            "risk_tier": decision.risk_tier,
        },
        "needs_approval_by_tier": _asks_by_tier(opened, decision),
        "rules": [
            {
                "type": one.rule.type,
                "policy_id": one.rule.policy_id,
                "where": place_of(opened, one.rule.origin),
                "atlas_id": one.rule.origin.atlas_id,
                "state": one.state,
                "why": _words(one, call) or None,
                "decides": one.rule is decision.rule,
            }
            for one in explanation.considered
        ],
        "changes": list(explanation.changes),
    }
