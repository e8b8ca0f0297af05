"""`cra policy backtest` and `suggest`: what other rules would have decided, and which suffice."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from cra.cli import output
from cra.cli.arguments import seconds
from cra.cli.governed import open_project
from cra.cli.options import Json, ProjectDir
from cra.cli.select import find_session, refuse_gone
from cra.errors import ExitCode
from cra.ledger.index import session_id_of
from cra.ledger.source import Source, later

if TYPE_CHECKING:
    from cra.cli.answers.policy import BacktestAnswer, SuggestAnswer
    from cra.policy.backtest import Flip
    from cra.policy.suggest import SuggestedRule
    from cra.runtime.history import History
    from cra.runtime.project import Project

Since: TypeAlias = Annotated[
    str | None,
    typer.Option("--since", metavar="TIME", help="Only calls of the last 7d, 12h, 30m."),
]
OfAgent: TypeAlias = Annotated[
    str | None, typer.Option("--agent", metavar="NAME", help="Only calls of this agent.")
]

_MAX_EXAMPLES: Final = 20


def backtest(
    *,
    policies: Annotated[
        Path | None,
        typer.Option(
            "--policies", metavar="DIR|FILE", help="Rules in place of those in policies/."
        ),
    ] = None,
    since: Since = None,
    agent: OfAgent = None,
    allow_widening: Annotated[
        bool, typer.Option("--allow-widening", help="Exit with 0 though more would be allowed.")
    ] = False,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Decide every recorded call again, and list those that would be decided otherwise.

    Without --policies the rules are those of the project as they are now. Nothing is recorded, and
    nothing runs. The exit code is 1 if a call would be let further than it was: denied before and
    allowed, say.

      cra policy backtest --policies drafts/
      cra policy backtest --since 7d --agent reviewer --json
    """
    from cra.atlas.snapshot import policies_at
    from cra.policy.backtest import backtest as decide_again

    with open_project(project) as opened:
        history = _history(opened, since, agent)
        policy = opened.policy_under(policies_at(policies)) if policies else opened.policy
        flips = list(decide_again(policy, history.past))
    if as_json:
        output.answer_json(_facts(history, flips))
    else:
        _show(history, flips)
    is_wider = any(flip.is_wider for flip in flips)
    return ExitCode.NO if is_wider and not allow_widening else ExitCode.OK


def suggest(
    *,
    session: Annotated[
        str | None,
        typer.Option(
            "--session", metavar="SESSION", help="Only one: an id or how one begins, or `last`."
        ),
    ] = None,
    since: Since = None,
    agent: OfAgent = None,
    tests: Annotated[
        bool, typer.Option("--tests", help="Print the tests for the rules, not the rules.")
    ] = False,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Print the narrowest allow rules that cover what agents were let do.

    What is printed is a policy file, or with --tests the table that tests it: a call for each
    action, with what these rules and the project's other rules say of it. The exit code is 1 if
    nothing was let through.

      cra policy suggest --session last
      cra policy suggest --since 7d > used.json
      cra policy suggest --since 7d --tests > tests/policies/used.json
    """
    from cra.policy.suggest import suggested_rules, suggested_tests

    with open_project(project) as opened:
        history = _history(opened, since, agent, session)
        calls = [*history.calls, *history.without_arguments]
        rules = suggested_rules(calls)
        policy = opened.policy_under(_with_others(opened, rules))
        cases = suggested_tests(policy, calls)
        _tell_of_atlases(opened)
    # What a rule says is not about arguments, what a test states is.
    left_out = history.left_out if tests else history.left_out_with_arguments
    _tell_left_out(left_out)
    if as_json:
        facts: SuggestAnswer = {"policies": rules, "tests": cases, "left_out": left_out}
        output.answer_json(facts)
    elif rules:
        printed = {"tests": cases} if tests else rules
        output.answer(json.dumps(printed, indent=2, ensure_ascii=False))
    if not rules:
        output.tell("no recorded call was allowed: there is nothing to suggest")
    return ExitCode.OK if rules else ExitCode.NO


def _history(
    opened: Project, since: str | None, agent: str | None, session: str | None = None
) -> History:
    from cra.runtime.history import past_calls

    begin = later(Source().now(), -seconds(since)) if since is not None else ""
    directory = opened.config.trace_directory
    session_id = session_id_of(find_session(directory, session)) if session is not None else None
    history = past_calls(opened, since=begin, agent=agent, session_id=session_id)
    if not history.calls:
        refuse_gone(directory)
    return history


def _with_others(opened: Project, rules: list[SuggestedRule]) -> tuple[Any, ...]:
    """The suggested rules, and all of the project's but those that allow."""
    from cra.atlas.snapshot import rules_of

    others = [rule for rule in opened.snapshot.policies if rule.type != "allow"]
    return (*others, *rules_of("the suggestion", json.dumps(rules).encode()))


def _tell_of_atlases(opened: Project) -> None:
    granted = [
        f"{atlas.atlas_id} ({rule.policy_id})"
        for atlas in opened.snapshot.atlases
        for rule in atlas.policies
        if rule.type == "allow" and opened.snapshot.pins[atlas.atlas_id].grants
    ]
    if granted:
        output.tell(f"note: rules of atlases allow by themselves: {', '.join(granted)}")


def _show(history: History, flips: list[Flip]) -> None:
    for flip in flips[:_MAX_EXAMPLES]:
        past, ruling = flip.past, flip.ruling
        style = "warn" if flip.is_wider else "accent"
        change = output.style(f"{past.outcome} → {ruling.outcome}", style)
        place = f"{past.session_id}:{past.sequence}"
        output.answer(f"{change}  {output.safe(past.call.action_id)}  {place}")
        moment = past.call.moment
        arguments = json.dumps(dict(moment.arguments) if moment else {}, ensure_ascii=False)
        said = f"{past.call.agent} {arguments}"
        output.answer(output.wrapped(said, indent="    ", hang="  "))
        why = f"{ruling.reason} ({ruling.policy_id}); before: {past.policy_id}"
        output.answer(output.wrapped(why, indent="    ", hang="  "))
    if len(flips) > _MAX_EXAMPLES:
        output.answer(f"and {len(flips) - _MAX_EXAMPLES:,} more; --json has all")
    if flips:
        output.answer()
    for change, count in sorted(_counts(flips).items()):
        output.answer(f"{count:>6}  {change}")
    flipped = f"{len(flips):,} of {len(history.calls):,} calls would be decided otherwise"
    wider = sum(flip.is_wider for flip in flips)
    told = output.style(f"{wider} let further", "warn") if wider else "none let further"
    output.answer(f"{flipped}, {told}")
    _tell_left_out(history.left_out)


def _counts(flips: list[Flip]) -> Counter[str]:
    return Counter(f"{flip.past.outcome} → {flip.ruling.outcome}" for flip in flips)


def _tell_left_out(left_out: Mapping[str, int]) -> None:
    for why, count in sorted(left_out.items()):
        output.tell(f"left out: {count} {why}")


def _facts(history: History, flips: list[Flip]) -> BacktestAnswer:
    return {
        "calls": len(history.calls),
        "left_out": history.left_out,
        "widened": sum(flip.is_wider for flip in flips),
        "counts": _counts(flips),
        "flips": [
            {
                "session_id": flip.past.session_id,
                "sequence": flip.past.sequence,
                "timestamp": flip.past.timestamp,
                "agent_id": flip.past.call.agent,
                "action_id": flip.past.call.action_id,
                "arguments": flip.past.call.moment.arguments if flip.past.call.moment else {},
                "before": {"type": flip.past.outcome, "policy_id": flip.past.policy_id},
                "after": {
                    "type": flip.ruling.outcome,
                    "policy_id": flip.ruling.policy_id,
                    "reason": flip.ruling.reason,
                },
                "widened": flip.is_wider,
            }
            for flip in flips
        ],
    }
