"""`cra execute`: carry out an action, if policy allows it now."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Annotated

import typer

from cra.cli import output
from cra.cli.arguments import parameters_of
from cra.cli.governed import Agent, SessionOption, no_session, open_project, session_id_for
from cra.cli.options import Json, ProjectDir
from cra.errors import ExitCode

if TYPE_CHECKING:
    from cra.runtime.result import ExecutionResult


def execute(
    action: Annotated[str, typer.Argument(metavar="ACTION", help="The action's id.")],
    *,
    parameters: Annotated[
        list[str] | None,
        typer.Option(
            "--param", "-p", metavar="NAME=VALUE", help="An argument, read as the schema has it."
        ),
    ] = None,
    file: Annotated[
        str | None,
        typer.Option("--params", metavar="FILE|-", help="The arguments as a JSON object."),
    ] = None,
    resolution: Annotated[
        str | None,
        typer.Option("--resolution", metavar="ID", help="The resolution; the latest valid one."),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key", metavar="KEY", help="The same key never runs the action again."
        ),
    ] = None,
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Decide and record, run and consume nothing.")
    ] = False,
    agent: Agent = "cli",
    session: SessionOption = None,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Carry out an action of an earlier resolution, if policy allows it now, and record both.

    The exit code is 0 if it succeeded, 1 if it was denied, 4 if it needs an approval, 5 if it
    failed.

      cra execute ticket.read --param id=4
      cra execute ticket.close --params arguments.json --dry-run
    """
    with open_project(project) as opened:
        session_id = session_id_for(opened.config.trace_directory, session, agent)
        if session_id is None:
            raise no_session(agent)
        found = opened.snapshot.actions.get(action)
        schema = found[1].parameters_schema if found is not None else {}
        arguments = parameters_of(parameters or [], file, schema)
        working = opened.session(session_id=session_id)
        try:
            done = working.execute(
                action,
                arguments,
                resolution_id=resolution,
                idempotency_key=key,
                dry_run=dry_run,
            )
        finally:
            working.barrier()
    if as_json:
        output.answer_json(done.document())
    else:
        _show(done)
    return done.exit_code


def _show(done: ExecutionResult) -> None:
    match done.status:
        case "success" if done.simulated and done.value is None:
            output.answer(f"{output.style('ALLOWED', 'good')}: {output.safe(done.reason)}")
        case "success":
            output.answer(json.dumps(done.value, indent=2, ensure_ascii=False, default=repr))
        case "denied":
            why = f"{done.reason} ({done.policy_id})"
            output.answer(f"{output.style('DENIED', 'bad')}: {output.safe(why)}")
            output.tell(f"fix: cra explain {done.action_id}")
        case "pending_approval":
            why = f"{done.reason} ({done.policy_id})"
            output.answer(f"{output.style('PENDING', 'warn')}: {output.safe(why)}")
        case "error":
            assert done.error is not None
            words = f"{done.error['code']}: {done.error['message']}"
            output.answer(f"{output.style('FAILED', 'bad')}: {output.safe(words)}")
    notes = [("repeated, not run again", done.is_repeated), ("simulated", done.simulated)]
    said = [name for name, holds in notes if holds]
    output.tell(f"execution {done.execution_id}" + (f" ({', '.join(said)})" if said else ""))
