"""`cra session start` and `end`: where the record of some work begins and ends."""

from __future__ import annotations

from typing import TYPE_CHECKING, Annotated, Final, cast

import typer

from cra.amount import counted
from cra.cli import output
from cra.cli.arguments import principal as principal_of
from cra.cli.arguments import seconds
from cra.cli.governed import no_session, session_id_for
from cra.cli.ledger import open_ledger, said
from cra.cli.options import Json, ProjectDir, TraceDir, agent_option
from cra.cli.project import open_config
from cra.cli.select import find_session
from cra.errors import UsageError
from cra.ledger.index import SUFFIX, session_id_of
from cra.ledger.outline import outline

if TYPE_CHECKING:
    from cra.cli.answers.session import SessionEndAnswer, SessionStartAnswer
    from cra.protocol.events import SessionFinished, SessionStarted

_MAX_REASON: Final = 500
_REASON: Final = "completed"


def start(
    *,
    agent: Annotated[str, agent_option("Who acts in it.")] = "cli",
    principal: Annotated[
        str | None,
        typer.Option(
            "--principal",
            metavar="TYPE:ID",
            help="For whom it acts, instead of itself: user, service or agent.",
        ),
    ] = None,
    scopes: Annotated[
        list[str] | None,
        typer.Option("--scope", metavar="SCOPE", help="What it is limited to; can be repeated."),
    ] = None,
    ttl: Annotated[
        str | None,
        typer.Option(
            "--ttl",
            metavar="TIME",
            help="How long it is valid, instead of 1h or what its parent has left.",
        ),
    ] = None,
    parent: Annotated[
        str | None,
        typer.Option("--parent", metavar="SESSION", help="The session that it is part of."),
    ] = None,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> None:
    """Begin a session and print its id.

    Scopes only narrow: those of the agent in the configuration, and those of the parent. A session
    is over no later than its parent.

      cra session start
      cra session start --agent reviewer --principal user:me --ttl 8h
      cra session start --parent last --scope tickets
    """
    from cra.runtime.scopes import narrowed

    config = open_config(project, trace_dir)
    valid = seconds(ttl) if ttl is not None else None
    who = principal_of(principal) if principal is not None else None
    directory = config.trace_directory
    parent_id = session_id_of(find_session(directory, parent)) if parent is not None else None
    if scopes and parent is None and agent not in config.agents:
        raise UsageError(
            f"expected scopes that the configuration gives {agent}, "
            f"found {', '.join(scopes)} for an agent that it does not name",
            fix=f'name "{agent}" under agents in cra.config.json, with its scopes',
        )
    with open_ledger(config) as ledger:
        bounds = narrowed(config, ledger, agent, parent_id, scopes=scopes, ttl_seconds=valid)
        session = ledger.start_session(
            agent,
            principal=who,
            scopes=bounds.scopes,
            ttl_seconds=bounds.ttl_seconds,
            parent_session_id=parent_id,
        )
        opening = cast("SessionStarted", ledger.first_event(session.id).payload)
    if as_json:
        facts: SessionStartAnswer = {"session_id": session.id, **opening}
        output.answer_json(facts)
    else:
        output.answer(session.id)


def end(
    session: Annotated[
        str | None,
        typer.Argument(
            metavar="SESSION",
            help="An id or how one begins, or `last` (begun last, by any agent). None: the agent's "
            "only open one.",
            show_default=False,
        ),
    ] = None,
    *,
    agent: Annotated[str, agent_option("Whose, if SESSION does not say.")] = "cli",
    reason: Annotated[
        str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the session.")
    ] = _REASON,
    force: Annotated[
        bool,
        typer.Option(
            "--force",
            help="End it although an action has no outcome: it was broken off, or its outcome is "
            "given up.",
        ),
    ] = False,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> None:
    """End a session: its totals are recorded, and nothing can be added to it.

    An action that runs in it, in whatever process, could not record its outcome any more: until
    that is there, or is given up with --force, the session is not ended.

      cra session end
      cra session end --agent reviewer
      cra session end last --reason "taken over by hand"
    """
    if not 1 <= len(reason) <= _MAX_REASON:
        raise UsageError(f"expected a reason of 1 to {_MAX_REASON} characters, found {len(reason)}")
    config = open_config(project, trace_dir)
    directory = config.trace_directory
    session_id = session_id_for(directory, session, agent, choice="name the one to end")
    if session_id is None:
        raise no_session(directory, agent, fix="cra session list")
    with open_ledger(config) as ledger:
        words = reason if reason == _REASON else said(reason, ledger.id)
        ledger.session(session_id).end(words, force=force)
    last = outline(directory / f"{session_id}{SUFFIX}").last
    assert last is not None
    closing = cast("SessionFinished", last.payload)
    if as_json:
        facts: SessionEndAnswer = {"session_id": session_id, **closing}
        output.answer_json(facts)
        return
    summary = closing["summary"]
    totals = [
        counted(summary["events"], "event"),
        counted(summary["resolutions"], "resolution"),
        counted(summary["actions"], "action"),
        counted(summary["denials"], "denial"),
    ]
    output.answer(f"ended {session_id}: {', '.join(totals)}")
