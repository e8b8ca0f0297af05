"""The project and the session that a governed command works in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from shlex import quote
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cra.cli.options import agent_option
from cra.cli.project import open_config, user_dirs
from cra.cli.select import find_session, sessions_of
from cra.errors import ExitCode, IntegrityError, NotFound, UsageError
from cra.ledger.chain import decode
from cra.ledger.index import LedgerFile, session_id_of
from cra.ledger.outline import Outline, outline, way_on
from cra.ledger.source import Source
from cra.printable import naming

if TYPE_CHECKING:
    from cra.runtime.project import Project

Agent: TypeAlias = Annotated[str, agent_option("Who asks, if --session does not say.")]
SessionOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--session",
        metavar="SESSION",
        help="An id or how one begins, or `last` (begun last, by any agent). None: the agent's "
        "only open one.",
    ),
]

_MAX_LISTED: Final = 10


@contextmanager
def open_project(project: Path | None) -> Iterator[Project]:
    """The project of a command; at the end everything is on the disk.

    There is no --trace-dir: in another ledger every limit would begin anew.
    """
    from cra.atlas.snapshot import open_snapshot
    from cra.runtime.project import Project

    config = open_config(project)
    assert config.project is not None  # open_config has refused all else
    snapshot = open_snapshot(config.project, config)
    with Project(config, snapshot, dirs=user_dirs(), environ=os.environ) as opened:
        yield opened


def session_id_for(
    directory: Path,
    stated: str | None,
    agent: str,
    *,
    choice: str = "name one with --session",
) -> str | None:
    """The session that is stated, or the agent's only open one; None if it has none.

    One that is not what was recorded stands back for one that the agent began after it. `choice`
    says how to state one of several.

    Raises NotFound, UsageError if there are several, or IntegrityError for a ledger that is gone
    and for a session that is damaged and not over: neither an earlier one nor a new one is what
    the agent was about to go on with.
    """
    if stated is not None:
        path = find_session(directory, stated)
        if path.parent != directory:
            raise UsageError("expected a session of this project's ledger", where=str(path))
        return session_id_of(path)
    now = Source().now()
    outlines = [outline(path) for path in sessions_of(directory)]
    # Whose a session is whose first line cannot be read is not known: the last one may be the
    # agent's.
    own = [
        session
        for session in outlines
        if session.agent == agent or (session.first is None and session is outlines[0])
    ]
    live = [session for session in own if _may_go_on(session, now)]
    if live and live[0].state(now) == "damaged":
        _check_whole(live[0], agent)
    found = [session for session in live if session.state(now) == "open"]
    if len(found) > 1:
        # Whoever begins another one goes on without those that are not what was recorded.
        found = [found[0], *_whole(directory, found[1:])]
    if len(found) > 1:
        raise _ambiguous(agent, found, choice)
    return found[0].id if found else None


def no_session(directory: Path, agent: str, *, fix: str | None = None) -> NotFound:
    """The error for an agent without an open session, with the agents that have one."""
    named = naming(agent)
    fix = fix or f'cra resolve --goal "…"{named}, which starts one, or cra session start{named}'
    now = Source().now()
    known = map(outline, sessions_of(directory))
    # Of the newest first, and each once.
    agents = (one.agent for one in known if one.state(now) == "open")
    others = list(dict.fromkeys(filter(None, agents)))
    found = ""
    if others:
        listed = ", ".join(others[:_MAX_LISTED])
        found = f" but of {listed}" + (" and others" if others[_MAX_LISTED:] else "")
        # Also of cli, which a command line leaves out.
        fix = f"to go on with that of {others[0]}, add --agent {quote(others[0])} here; else {fix}"
    return NotFound(f"expected an open session of the agent {agent}, found none{found}", fix=fix)


def _may_go_on(session: Outline, now: str) -> bool:
    """Whether a session is open, or damaged and would otherwise be, as far as can be told."""
    expires = session.opening.get("expires_at")
    is_over = isinstance(expires, str) and expires <= now
    state = session.state(now)
    return state == "open" or (state == "damaged" and not is_over)


def _check_whole(session: Outline, agent: str) -> None:
    with LedgerFile(session.path) as log:
        sequence = 0 if session.first is None else log.count - 1
        try:
            decode(log.line(sequence))
        except IntegrityError as error:
            raise IntegrityError(
                error.finding,
                f"expected a whole session of the agent {agent} to go on with, "
                f"found it damaged: {error.message}",
                where=f"{session.path}, event {sequence}",
                fix=way_on(session.id, agent),
            ) from None


def _whole(directory: Path, sessions: list[Outline]) -> list[Outline]:
    """Those of some sessions that a verdict finds nothing bad about."""
    from cra.cli.ledger import trust_of
    from cra.ledger.verify import verify_ledger  # it takes long, and most agents have one session

    trust = trust_of(None, None)
    report = verify_ledger(directory, trust, sessions=[session.id for session in sessions])
    whole = {part.name for part in report.sessions if part.verdict.exit_code == ExitCode.OK}
    return [session for session in sessions if session.id in whole]


def _ambiguous(agent: str, found: list[Outline], choice: str) -> UsageError:
    listed = [f"  {session.id}  since {session.started}" for session in found[:_MAX_LISTED]]
    message = f"expected one open session of the agent {agent}, found {len(found)}:"
    return UsageError("\n".join([message, *listed]), fix=choice)
