"""The project and the session that a governed command works in."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cra.cli.project import open_config, user_dirs
from cra.cli.select import find_session
from cra.errors import NotFound, UsageError
from cra.ledger.index import session_files, session_id_of
from cra.ledger.outline import Outline, outline
from cra.ledger.source import Source

if TYPE_CHECKING:
    from cra.runtime.project import Project

Agent: TypeAlias = Annotated[
    str, typer.Option("--agent", metavar="NAME", help="Who asks, if --session does not say.")
]
SessionOption: TypeAlias = Annotated[
    str | None,
    typer.Option(
        "--session",
        metavar="SESSION",
        help="An id or how one begins, or `last`; the agent's only open one if left out.",
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


def session_id_for(directory: Path, stated: str | None, agent: str) -> str | None:
    """The session that is stated, or the agent's only open one; None if it has none.

    Raises NotFound, or UsageError if there are several.
    """
    if stated is not None:
        path = find_session(directory, stated)
        if path.parent != directory:
            raise UsageError("expected a session of this project's ledger", where=str(path))
        return session_id_of(path)
    if not directory.is_dir():
        return None
    now = Source().now()
    found = [
        session
        for session in map(outline, session_files(directory))
        if session.agent == agent and session.state(now) == "open"
    ]
    if len(found) > 1:
        raise _ambiguous(agent, found)
    return found[0].id if found else None


def no_session(agent: str) -> NotFound:
    return NotFound(
        f"expected an open session of the agent {agent}, found none",
        fix='cra resolve --goal "…", which starts one, or cra session start',
    )


def _ambiguous(agent: str, found: list[Outline]) -> UsageError:
    listed = [f"  {session.id}  since {session.started}" for session in found[:_MAX_LISTED]]
    message = f"expected one open session of the agent {agent}, found {len(found)}:"
    return UsageError("\n".join([message, *listed]), fix="name one with --session")
