"""`cra explain`: why policy decides as it does, and what an error code means."""

from __future__ import annotations

import re
from collections.abc import Iterator
from functools import partial
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cra.cli import output
from cra.cli.arguments import pairs, parameters_of
from cra.cli.governed import open_project
from cra.cli.options import Json, ProjectDir, agent_option
from cra.cli.select import find_execution
from cra.errors import ExitCode, UnknownAction, UsageError
from cra.ledger.index import SUFFIX
from cra.runtime.places import place_of

if TYPE_CHECKING:
    from pathlib import Path

    from cra.cli.answers.explain import CodeAnswer, ExplainAnswer, PatchFacts
    from cra.policy.call import Call, Moment
    from cra.policy.explain import Considered, Explanation
    from cra.policy.ladder import Ruling
    from cra.policy.rule import Rule
    from cra.redaction.redact import Redactor
    from cra.runtime.patch import Patch
    from cra.runtime.project import Project

_CODE: Final = "CRA-"
# A code, also as it is mistyped: without its dash.
_SPELLED: Final = re.compile(r"CRA(-|[_ ]?[0-9]+\Z)", re.IGNORECASE)
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
# A longer or wider patch is left to --patch.
_MAX_PATCH_LINES: Final = 24
_MAX_PATCH_COLUMNS: Final = 120
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
        str | None,
        typer.Argument(
            metavar="ACTION|RULE|EXECUTION|CODE",
            help="The id of an action, a rule or an execution, or a code like CRA-3010; cra help "
            "errors lists all.",
            show_default=False,
        ),
    ] = None,
    *,
    resolution: Annotated[
        str | None,
        typer.Option("--resolution", metavar="ID", help="An id or how one begins, or `last`."),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option(
            "--session",
            metavar="ID",
            help="An id or how one begins, or `last` (begun last, by any agent).",
        ),
    ] = None,
    params: Annotated[
        list[str] | None,
        typer.Option("--param", "-p", metavar="NAME=VALUE", help="An argument; can be repeated."),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--params", metavar="FILE|-", help="The arguments as a JSON object."),
    ] = None,
    agent: Annotated[str, agent_option("Who asks.")] = "cli",
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
    patch: Annotated[
        bool, typer.Option("--patch", help="Print only the patch that would allow the call.")
    ] = False,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Say why an action is allowed or denied, what was decided, or what a rule or a code means.

    Every rule about the action is shown, rung by rung: whether it applies, why not, and which one
    decides; for a denial, or where an approval is needed, also what would allow the call, and what
    is allowed instead. Without arguments it is decided as while resolving; with some, as at the
    call, now, with no limit used yet. A value of --param is read by the type that the action's
    schema gives it. Nothing is executed or recorded.

    --patch prints the change of the project's rules that would allow the call, for `git apply` or
    `patch -p1` in the project's directory.

    --resolution and --session tell what the ledger has instead: each action of a resolution, or
    each call of a session, with the rule that decided and where that is written now; the id that
    cra execute prints stands for its one call.

    The exit code is 0 if the call is allowed, 1 if it is denied, 4 if it needs an approval.

      cra explain ticket.close
      cra explain refund.make --param amount=120 --agent support
      cra explain refund.make --params arguments.json --json
      cra explain ticket.close --patch | git apply
      cra explain --resolution last
      cra explain --session last --json
      cra explain no-large-refunds
      cra explain CRA-3010
    """
    if [action, resolution, session].count(None) != 2:
        raise UsageError(
            "expected one of an action, --resolution and --session",
            fix="cra explain ACTION, or cra explain --session last",
        )
    is_of_a_call = patch or any([params, file, roles, scopes, risk_tier, context])
    if action is None:
        if is_of_a_call:
            raise UsageError("expected options of a call with an action alone, found them without")
        return _explain_recorded(resolution, session, project, as_json=as_json)
    # No action's id has a capital.
    is_code = _SPELLED.match(action) is not None
    if patch and (as_json or is_code):
        raise UsageError("expected --patch with an action and without --json, which has the patch")
    if is_code:
        return _explain_code(action.upper(), as_json=as_json)
    with open_project(project) as opened:
        is_other = action not in opened.snapshot.actions and not is_of_a_call
        if is_other and _is_told(opened, action, as_json=as_json):
            return ExitCode.OK
        call = _call(opened, action, agent, roles, scopes, risk_tier)
        call = call._replace(context=pairs(context or []))
        if action not in opened.snapshot.actions:
            raise _unknown(opened, call, action)
        if params is not None or file is not None:
            call = _at_the_call(opened, call, params or [], file)
        return _explain_call(opened, call, patch=patch, as_json=as_json)


def _is_told(opened: Project, name: str, *, as_json: bool) -> bool:
    """Whether a name that is no action's is a rule's or an execution's, which is then printed."""
    from cra.cli.explain_rule import explain_rule

    if explain_rule(opened, name, as_json=as_json):
        return True
    path = find_execution(opened.config.trace_directory, name)
    if path is not None:
        from cra.cli.explain_session import explain_calls

        explain_calls(opened, path, name.lower(), as_json=as_json)
    return path is not None


def _unknown(opened: Project, call: Call, name: str) -> UnknownAction:
    """The error for what is none of all that can be explained by its name alone."""
    from cra.cli.codes import pages

    error = opened.unknown_action(_reworded(opened, call, name))
    if f"{_CODE}{name}" in pages():
        error.fix = f"cra explain {_CODE}{name}"
    elif name == "last" or _is_session(opened, name):
        error.fix = f"cra explain --session {name}"
    return error


def _is_session(opened: Project, name: str) -> bool:
    return (opened.config.trace_directory / f"{name}{SUFFIX}").is_file() and "/" not in name


def _explain_call(opened: Project, call: Call, *, patch: bool, as_json: bool) -> ExitCode:
    from cra.policy.explain import explain as explained

    explanation = explained(opened.policy, call, partial(place_of, opened))
    if patch:
        _print_patch(opened, call, explanation)
    elif as_json:
        output.answer_json(_facts(opened, call, explanation))
    else:
        _print(opened, call, explanation)
    return _CODES[explanation.decision.outcome]


def _explain_recorded(
    resolution: str | None, session: str | None, project: Path | None, *, as_json: bool
) -> ExitCode:
    if resolution is not None:
        from cra.cli.explain_resolution import explain_resolution

        explain_resolution(resolution, project, as_json=as_json)
    elif session is not None:
        from cra.cli.explain_session import explain_session

        explain_session(session, project, as_json=as_json)
    return ExitCode.OK


def _explain_code(code: str, *, as_json: bool) -> ExitCode:
    from cra.cli.codes import meaning_of, page_lines

    name, exit_code, page = meaning_of(code)
    if as_json:
        facts: CodeAnswer = {
            "code": code,
            "name": name,
            "title": page.title,
            "happened": page.happened,
            "matters": page.matters,
            "mend": [{"text": one.text, "command": one.command or None} for one in page.mend],
            "example": page.example,
            "exit_code": exit_code,
        }
        output.answer_json(facts)
        return ExitCode.OK
    output.answer(f"{output.style(code, 'accent')}  {page.title}")
    output.answer(f"{name}, exit code {exit_code}")
    for heading, lines in page_lines(page):
        output.answer(f"\n{output.style(heading, 'accent')}")
        for line in lines:
            output.answer(line)
    return ExitCode.OK


def _call(  # who asks for what
    opened: Project,
    action: str,
    agent: str,
    roles: list[str] | None,
    scopes: list[str] | None,
    risk_tier: str | None,
) -> Call:
    from cra.policy.call import TIERS, Call

    tier = next((one for one in TIERS if one == risk_tier), None)
    if tier != risk_tier:
        raise UsageError(f"expected a risk tier of {', '.join(TIERS)}, found {risk_tier!r:.40}")
    known = opened.config.agents.get(agent)
    return Call(
        action,
        agent,
        frozenset(roles if roles is not None else known.roles if known else ()),
        frozenset(scopes if scopes is not None else known.scopes if known else ()),
        tier,
    )


def _redactor(
    opened: Project, call: Call, atlas_id: str | None = None, action_id: str | None = None
) -> Redactor:
    """What takes secrets out of an error; the project's own would begin a ledger."""
    from cra.resolver.request import Caller
    from cra.runtime.redactors import Redactors

    caller = Caller(call.agent, call.roles, call.scopes, call.context)
    return Redactors.of_nobody(opened.snapshot).of(caller, atlas_id, action_id)


def _reworded(opened: Project, call: Call, name: str) -> str:
    from cra.redaction.redact import reworded

    return str(reworded(_redactor(opened, call), name).value)


def _at_the_call(opened: Project, call: Call, words: list[str], file: str | None) -> Call:
    """The call as it would be executed now. Raises ArgumentsRefused."""
    from cra.policy.engine import key_of, matching

    atlas, action = opened.snapshot.actions[call.action_id]
    arguments = parameters_of(words, file, action.parameters_schema)
    flaws = list(opened.schema_of(action).flaws(arguments))
    if flaws:
        from cra.runtime.redactors import misfits

        redactor = _redactor(opened, call, atlas.atlas_id, call.action_id)
        words = misfits(redactor, arguments, flaws)
        raise opened.misfit(call.action_id, words, agent=call.agent, command="cra explain")
    moment = _moment(arguments)
    rules = [one.rule for one in matching(opened.policy, call.action_id)]
    # Also of limits that a deny rule before them leaves unasked: they are shown as well.
    unused = {key_of(rule, call): 0 for rule in rules if rule.limit is not None}
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
    silent = []
    for rung, rules in _rungs(explanation):
        asks_by_tier = rung == "require_approval" and _asks_by_tier(opened, decision)
        if not rules and not asks_by_tier:
            silent.append(rung)
            continue
        output.answer(f"\n{output.style(rung, 'accent')}")
        for considered in rules:
            _print_considered(opened, considered, call, decides=considered.rule is decision.rule)
        if asks_by_tier:
            text = f"config:require_approval_for: applies to the risk tier {decision.risk_tier}"
            output.answer(output.wrapped(text, indent="  "))
    if silent:
        output.answer(f"\nno rule about it: {', '.join(silent)}")
    if explanation.changes:
        _print_changes(opened, call, explanation)


def _print_changes(opened: Project, call: Call, explanation: Explanation) -> None:
    instead = _alternatives(opened, call, explanation)
    if instead:
        output.answer(f"\nAllowed instead: {output.safe(', '.join(instead))}")
    output.answer("\nTo allow it:")
    for change in explanation.changes:
        output.answer(output.wrapped(f"- {change.words}", indent="  ", hang="  "))
    if explanation.waits_then:
        told = f"- then it waits for an approval, by {' and '.join(explanation.waits_then)}"
        output.answer(output.wrapped(told, indent="  ", hang="  "))
    if any(one.goes is not None and one.goes.origin.atlas_id for one in explanation.changes):
        # Whose that is, and where it is changed, is said already.
        return
    found = _patch_or_why_not(opened, call, explanation)
    if isinstance(found, str):
        output.answer(output.wrapped(f"no patch: {found}", indent="  ", hang="  "))
        return
    lines = found.diff.removesuffix("\n").split("\n")
    if len(lines) > _MAX_PATCH_LINES or max(map(len, lines)) > _MAX_PATCH_COLUMNS:
        output.answer("  as a patch: see --patch")
        return
    output.answer("  as a patch, which --patch prints alone:\n")
    for line in lines:
        output.answer(f"    {output.safe(line)}".rstrip(" "))


def _print_patch(opened: Project, call: Call, explanation: Explanation) -> None:
    from cra.runtime.patch import patch_of

    found = patch_of(opened, call, explanation.changes)
    output.answer(found.diff.removesuffix("\n"))
    for change in explanation.changes:
        if change.note is not None:
            output.tell(f"note: {output.safe(change.note)}")
    if found.leads_to.outcome != "allow":
        ruling = found.leads_to
        output.tell(f"note: with it, {output.safe(f'{ruling.reason} ({ruling.policy_id})')}")


def _patch_or_why_not(opened: Project, call: Call, explanation: Explanation) -> Patch | str:
    from cra.runtime.patch import patch_of

    try:
        return patch_of(opened, call, explanation.changes)
    except UsageError as error:
        return error.message


def _alternatives(opened: Project, call: Call, explanation: Explanation) -> tuple[str, ...]:
    """What the caller may do instead of what it may not."""
    from cra.policy.explain import alternatives

    if explanation.decision.outcome == "allow":
        return ()
    actions = opened.snapshot.actions
    offered = {name for name, (_, action) in actions.items() if action.executor is not None}
    return alternatives(opened.policy, call, offered)


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


def _facts(opened: Project, call: Call, explanation: Explanation) -> ExplainAnswer:
    decision = explanation.decision
    patch, no_patch = _patch_facts(opened, call, explanation)
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
        "alternatives": list(_alternatives(opened, call, explanation)),
        "changes": [change.words for change in explanation.changes],
        "waits_then": list(explanation.waits_then),
        "patch": patch,
        "no_patch": no_patch,
    }


def _patch_facts(
    opened: Project, call: Call, explanation: Explanation
) -> tuple[PatchFacts | None, str | None]:
    """The patch and the decision that it leads to, or why there is none."""
    found = _patch_or_why_not(opened, call, explanation) if explanation.changes else None
    if found is None or isinstance(found, str):
        return None, found
    ruling = found.leads_to
    patch: PatchFacts = {
        "diff": found.diff,
        "leads_to": {
            "type": ruling.outcome,
            "policy_id": ruling.policy_id,
            "reason": ruling.reason,
        },
    }
    return patch, None
