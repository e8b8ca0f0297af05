"""`cra execute`: carry out an action, if policy allows it now."""

from __future__ import annotations

import sys
import time
from contextlib import redirect_stdout
from functools import partial
from math import inf
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cra import canonical
from cra.cli import output
from cra.cli.approvals import ask_for, find_approval
from cra.cli.arguments import parameters_of, seconds
from cra.cli.governed import Agent, SessionOption, no_session, open_project, session_id_for
from cra.cli.options import Json, ProjectDir
from cra.errors import ExitCode, LedgerError, OutcomeLost, UsageError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cra.runtime.project import Project
    from cra.runtime.result import ExecutionResult
    from cra.runtime.session import GovernedSession
    from cra.runtime.state import Approval

# How often a call that waits looks whether its rules are still those that it was asked under.
_LOOK_SECONDS: Final = 2
_MAX_LINES: Final = 3
_MAX_LINE: Final = 200


def execute(
    action: Annotated[
        str | None,
        typer.Argument(
            metavar="ACTION",
            help="The action's id. None: the approval's.",
            show_default=False,
        ),
    ] = None,
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
        typer.Option(
            "--resolution",
            metavar="ID",
            help="An id or how one begins, or `last`. None: the latest valid one.",
        ),
    ] = None,
    approval: Annotated[
        str | None,
        typer.Option("--approval", metavar="ID", help="Make the call that was asked for."),
    ] = None,
    wait: Annotated[
        str | None,
        typer.Option(
            "--wait",
            metavar="[TIME]",
            help="Wait for an approval: 90s, 15m. None: as long as it can be decided.",
        ),
    ] = None,
    key: Annotated[
        str | None,
        typer.Option(
            "--idempotency-key",
            metavar="KEY",
            help="The same key never runs the action again, in whatever session.",
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
    failed. On a terminal you are asked for the approval.

      cra execute ticket.read --param id=4
      cra execute ticket.close --params arguments.json --dry-run
      cra execute --approval last
    """
    if action is None and approval is None:
        raise UsageError("expected an action, found none", fix="cra atlas actions")
    patience = _patience(wait)
    with open_project(project) as opened:
        given = None
        if approval is not None:
            found = find_approval(opened, approval, standing="granted")
            session, approval = session or found.session_id, found.approval.approval_id
            given = found.approval
        session_id = session_id_for(opened.config.trace_directory, session, agent)
        if session_id is None:
            raise no_session(opened.config.trace_directory, agent)
        if resolution is not None:
            from cra.cli.explain_resolution import find_resolution

            directory = opened.config.trace_directory
            resolution = find_resolution(directory, resolution, session_id).resolution_id
        working = opened.session(session_id=session_id)
        if action is None:
            assert given is not None
            action = given.action_id
        arguments = _arguments(opened, working, action, parameters or [], file, given)
        make = partial(
            working.execute, action, arguments, resolution_id=resolution, idempotency_key=key
        )
        if dry_run:
            done = working.simulate(
                action, arguments, resolution_id=resolution, approval_id=approval
            )
        else:
            done = _apart(partial(make, approval_id=approval))
            if _is_decided(opened, working, done, patience, asks=not as_json):
                done = _apart(make)
        if as_json:
            output.answer_json(done.document())
        else:
            asks_key = done.approval_id is not None and bool(
                working.approvals.find(done.approval_id).asked["approvers"]
            )
            _show(done, asks_key=asks_key)
            _tell_more(working, done)
        _secure(working, done)
    return done.exit_code


def _patience(wait: str | None) -> float:
    """The seconds that --wait has, as a duration or a number. Raises UsageError."""
    if wait is None:
        return 0
    if not wait:
        return inf
    return seconds(f"{wait}s" if wait.isdecimal() else wait)


def _apart(make: Callable[[], ExecutionResult]) -> ExecutionResult:
    """The result of a call; what its action prints is about the run, and stdout is for results."""
    with redirect_stdout(sys.stderr):
        return make()


def _secure(working: GovernedSession, done: ExecutionResult) -> None:
    """Bring the record to the disk. Raises OutcomeLost if it may not last, and the action ran."""
    try:
        working.barrier()
    except LedgerError as error:
        if done.status not in ("success", "error") or done.simulated:
            raise
        raise OutcomeLost(
            f"expected to keep the record of {done.action_id}, which has run, found: "
            f"{error.message}",
            where=f"execution {done.execution_id}",
            fix="do not run it again before you have looked what it did",
        ) from error


def _arguments(
    opened: Project,
    working: GovernedSession,
    action: str,
    words: list[str],
    file: str | None,
    given: Approval | None,
) -> dict[str, Any]:
    """The arguments that are stated, or else those that the approval was asked for with."""
    if given is not None and not words and file is None:
        return working.approvals.arguments_of(given.approval_id)
    found = opened.snapshot.actions.get(action)
    return parameters_of(words, file, found[1].parameters_schema if found is not None else {})


def _is_decided(
    opened: Project, working: GovernedSession, done: ExecutionResult, patience: float, *, asks: bool
) -> bool:
    """Whether a call that waits is worth making again: somebody granted or denied it meanwhile."""
    if done.status != "pending_approval" or done.approval_id is None:
        return False
    if patience:
        return _awaited(opened, working, done.approval_id, patience)
    return asks and ask_for(opened, working, done.approval_id)


def _awaited(opened: Project, working: GovernedSession, approval_id: str, patience: float) -> bool:
    """Whether an approval is decided within some seconds. Raises UsageError once it cannot be
    granted any more."""
    output.tell(f"waiting for the approval {approval_id}")
    end = time.monotonic() + patience
    standing, left = "pending", patience
    while standing == "pending" and left > 0:
        standing = working.approvals.wait(approval_id, min(left, _LOOK_SECONDS))
        if standing == "pending" and not opened.is_current():
            from cra.runtime.approval import no_longer_grantable

            raise no_longer_grantable()
        left = end - time.monotonic()
    if standing == "expired":
        output.tell("nobody decided before it expired: the same call asks anew")
    return standing not in ("pending", "expired")


def _show(done: ExecutionResult, *, asks_key: bool) -> None:
    match done.status:
        case "success" if done.simulated and done.value is None:
            output.answer(output.labelled("ALLOWED", "good", f": {done.reason}"))
        case "success":
            output.answer_json(canonical.wrap(done.value))
        case "denied":
            why = f"{done.reason} ({done.policy_id})"
            output.answer(output.labelled("DENIED", "bad", f": {why}"))
            if done.possible_at is not None:
                output.tell(f"possible again at {done.possible_at}")
        case "pending_approval":
            why = f"{done.reason} ({done.policy_id})"
            output.answer(output.labelled("PENDING", "warn", f": {why}"))
            if done.approval_id is not None:
                key = " --key FILE" if asks_key else ""
                output.tell(f"next: cra approvals grant {done.approval_id}{key}")
        case "error":
            assert done.error is not None
            words = f"{done.error['code']}: {done.error['message']}"
            output.answer(output.labelled("FAILED", "bad", f": {words}"))
            _tell_stderr(done.error["details"].get("stderr"))
    if done.fix is not None:
        output.tell(f"fix: {output.safe(done.fix)}")
    notes = [("repeated, not run again", done.is_repeated), ("simulated", done.simulated)]
    said = [name for name, holds in notes if holds]
    output.tell(f"execution {done.execution_id}" + (f" ({', '.join(said)})" if said else ""))


def _tell_more(working: GovernedSession, done: ExecutionResult) -> None:
    """Which event has the whole of a failure: the traceback, or what a server answered."""
    if done.status != "error" or done.fix is not None:
        return
    at = working.outcome_at(done.execution_id)
    if at is not None:
        output.tell(f"next: cra trace show {working.id} --seq {at} has all that is known of it")


def _tell_stderr(said: object) -> None:
    """The end of what a program said before it failed: the reason most often is in it."""
    lines = said.split("\n") if isinstance(said, str) else []
    last = [line for line in lines if line.strip()][-_MAX_LINES:]
    for line in last:
        shown = line if len(line) <= _MAX_LINE else f"{line[: _MAX_LINE - 1]}…"
        output.tell(f"stderr: {output.safe(shown)}")
