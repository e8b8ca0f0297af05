"""`cra resolve`: what an agent may know and do for a goal."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cra.amount import counted, duration
from cra.cli import output
from cra.cli.arguments import pairs
from cra.cli.governed import Agent, SessionOption, open_project, session_id_for
from cra.cli.options import Json, ProjectDir
from cra.errors import ExitCode

if TYPE_CHECKING:
    from cra.runtime.result import Resolution

_CHANGED: Final = b'"event_type":"project.changed"'
_STYLES: Final = {"allow": "good", "partial": "warn", "requires_approval": "warn", "deny": "bad"}


def resolve(
    *,
    goal: Annotated[str, typer.Option("--goal", "-g", metavar="TEXT", help="What is to be done.")],
    risk_tier: Annotated[
        str | None,
        typer.Option("--risk-tier", metavar="TIER", help="low, medium, high or critical."),
    ] = None,
    atlases: Annotated[
        list[str] | None,
        typer.Option("--atlas", metavar="ID", help="Only these atlases; can be repeated."),
    ] = None,
    capabilities: Annotated[
        list[str] | None,
        typer.Option("--capability", metavar="ID", help="Only what has it; can be repeated."),
    ] = None,
    hints: Annotated[
        list[str] | None,
        typer.Option("--hint", metavar="TEXT", help="Further words; can be repeated."),
    ] = None,
    context: Annotated[
        list[str] | None,
        typer.Option("--context", metavar="KEY=VALUE", help="A fact; it can only tighten."),
    ] = None,
    agent: Agent = "cli",
    session: SessionOption = None,
    events: Annotated[
        bool, typer.Option("--events", help="Print the appended events first, as they are stored.")
    ] = False,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Ask what an agent may know and do for a goal, and record the answer.

    Without an open session one is started. The exit code is 1 if nothing is allowed. What relevance
    and confidence are says cra help resolve.

      cra resolve --goal "close the ticket about the printer"
      cra resolve --goal "deploy" --risk-tier high --atlas com.example.devops --json
    """
    facts = pairs(context or [])
    with open_project(project) as opened:
        session_id = session_id_for(opened.config.trace_directory, session, agent)
        working = opened.session(agent, session_id=session_id)
        if session_id is None:
            output.tell(f"started the session {working.id}")
        before = working.size if session_id is not None else 0
        found = working.resolve(
            goal,
            risk_tier=risk_tier,
            hints=hints or (),
            capabilities=capabilities or (),
            atlas_ids=atlases or (),
            context=facts,
        )
        working.barrier()
        appended = working.stored_lines(before)
        has_atlas = bool(opened.snapshot.atlases)
    if any(_CHANGED in line for line in appended):
        output.tell(
            "note: the atlases, policies or settings are others than when this session resolved "
            "last"
        )
    for line in appended if events else ():
        sys.stdout.write(line.decode() + "\n")
    if as_json:
        output.answer_json(found.document)
    else:
        _show(found)
    if not has_atlas:
        output.tell("the project has no atlas, so there is nothing to know or do")
        output.tell("next: cra atlas add PATH")
    return ExitCode.NO if found.decision == "deny" else ExitCode.OK


def _show(found: Resolution) -> None:
    document = found.document
    decision = document["decision"]
    style = _STYLES[decision["type"]]
    output.answer(output.labelled(decision["type"].upper(), style, f": {decision['reason']}"))
    _show_actions(document)
    if document["allowed_actions"] and (document["denied_actions"] or document["constraints"]):
        output.answer()
    for action in document["denied_actions"]:
        why = f"{action['reason']} ({action['policy_id']})"
        output.answer(output.labelled("denied", "bad", f"  {action['action_id']}: {why}"))
    _show_constraints(document["constraints"])
    _show_context(document["context_blocks"])
    output.answer()
    output.answer(f"resolution {found.resolution_id}")
    output.answer(f"valid until {decision['expires_at']}")
    output.answer(f"confidence {_confidence(document)}")
    for step in document["next_steps"][:1]:
        output.tell(f"next: {output.safe(step)}")
    if document["allowed_actions"] and not document["next_steps"]:
        output.tell("no action has to do with the goal: cra help resolve says how it is told")


def _confidence(document: dict[str, Any] | Any) -> str:
    """The share, and of what it is one."""
    share = f"{round(document['confidence'] * 100)} %"
    if document["confidence"] and not any(map(_is_relevant, document["allowed_actions"])):
        return f"{share} of the goal's words are in the context, none in an allowed action"
    return f"{share} of the goal's words are in allowed actions or the context"


def _is_relevant(action: dict[str, Any]) -> bool:
    return bool(action["relevance"])


def _show_actions(document: dict[str, Any] | Any) -> None:
    actions = document["allowed_actions"]
    if not actions:
        return
    output.answer()
    rows = [
        (
            action["action_id"],
            action["risk_tier"],
            "approval" if action["requires_approval"] else "",
            f"{action['relevance']:.2f}",
            output.safe(action["description"]),
        )
        for action in actions
    ]
    output.table(
        rows, ("ACTION", "RISK", "NEEDS", "RELEVANCE", "DESCRIPTION"), cut=("DESCRIPTION",)
    )
    left_out = document["omitted"]["allowed"]
    if left_out:
        output.answer(f"and {left_out:,} more that are less relevant")


def _show_constraints(constraints: list[dict[str, Any]]) -> None:
    for one in constraints:
        limit = one.get("limit")
        when = ", ".join(one["undecided"]) or "what is used"
        words = f"{one['type']} {one['policy_id']} depends on {when}"
        if limit is not None:
            window = duration(limit["window_seconds"] * 1e6)
            words += f": {limit['maximum']:,} in {window} per {limit['per']}"
        output.answer(output.labelled("later", "warn", f"   {words}"))


def _show_context(blocks: list[dict[str, Any]]) -> None:
    if not blocks:
        return
    tokens = sum(block["token_estimate"] for block in blocks)
    output.answer(f"\ncontext, about {counted(tokens, 'token')}:")
    for block in blocks:
        part = "" if block["is_whole"] else " (in part)"
        words = f"{block['block_id']}{part}: {block['purpose']}".rstrip(": ")
        output.answer(output.fitted(words, indent="  "))
