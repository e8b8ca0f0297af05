"""`cra session list` and `show`: which sessions there are, and what one of them was given."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cra.amount import counted, duration
from cra.cli import output
from cra.cli.options import Json, ProjectDir, TraceDir, at_least
from cra.cli.output import Cell
from cra.cli.project import open_config, project_dir
from cra.cli.select import SessionName, open_session, sessions_of, short_length
from cra.cli.trace_read import (
    Limit,
    Offset,
    moment,
    page_facts,
    read_totals,
    state_cell,
    tell_none,
    tell_rest,
)
from cra.errors import AtlasError
from cra.ledger.index import JOURNAL_FILE, LedgerFile
from cra.ledger.outline import Outline, outline
from cra.ledger.source import Source

if TYPE_CHECKING:
    from cra.cli.answers.session import (
        LimitFacts,
        SessionAnswer,
        SessionFacts,
        SessionListAnswer,
    )
    from cra.runtime.limits import LimitUse

# How many open intents are printed; `--json` has all.
_MAX_INTENTS: Final = 20
_LABELS: Final = {"session_id": "session", "agent_id": "agent", "ttl_seconds": "valid for"}


def list_sessions(
    *,
    limit: Limit = 50,
    offset: Offset = 0,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> None:
    """List the sessions of the ledger, the newest first: whose they are, and until when.

    cra session list
    cra session list --json
    """
    directory = open_config(project, trace_dir).trace_directory
    paths = sessions_of(directory)
    sessions = [outline(path) for path in paths[offset : offset + limit]]
    now = Source().now()
    if as_json:
        page: SessionListAnswer = {
            "sessions": [_facts(session, now) for session in sessions],
            **page_facts(len(sessions), len(paths), offset),
        }
        output.answer_json(page)
        return
    if not sessions:
        tell_none(directory, paths)
        return
    length = short_length(paths)
    headers = ("SESSION", "AGENT", "STATE", "PRINCIPAL", "STARTED (UTC)", "EXPIRES (UTC)")
    table = [_row(session, length, now) for session in sessions]
    output.table(table, headers, cut=("AGENT", "PRINCIPAL"))
    tell_rest("session", len(sessions), len(paths), offset)


def show(
    session: SessionName,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    *,
    at: Annotated[
        int | None,
        typer.Option(
            "--at",
            metavar="SEQ",
            parser=at_least(0),
            help="What it was at that event: resolutions, approvals, limits, open intents.",
        ),
    ] = None,
    as_json: Json = False,
) -> None:
    """Show a session: its agent, principal, scopes, times and totals, and what is left open in it.

    cra session show last
    cra session show last --at 7
    cra session show last --json
    """
    path = open_session(session, project, trace_dir)
    if at is not None:
        from cra.cli.session_at import show_at

        show_at(path, at, as_json=as_json)
        return
    found, totals = outline(path), read_totals([path])
    facts = _facts(found, Source().now())
    intents = totals.open_intents
    limits = _limits(found, project, trace_dir)
    if as_json:
        answer: SessionAnswer = {
            **facts,
            "totals": totals.types,
            "open_intents": [intent.facts() for intent in intents],
            "limits": [_limit_facts(one) for one in limits],
        }
        output.answer_json(answer)
        return
    for name, value in facts.items():
        if value is not None:
            if name == "ttl_seconds" and isinstance(value, int):
                words = duration(value * 1e6)
            else:
                words = _words(value) or "none"
            label = f"{_LABELS.get(name, name.replace('_', ' ')):<17}  "
            # A path and a hash stay on the line of their name, however long they are.
            is_prose = " " in words
            told = output.wrapped(label + words, hang=" " * len(label))
            output.answer(told if is_prose else label + output.safe(words))
    output.answer("events by type")
    for kind, count in sorted(totals.types.items()):
        output.answer(f"  {output.safe(kind):<27}  {count:,}")
    for one in limits:
        told = output.wrapped(f"limit              {one.words()}", hang=" " * 19)
        shown = output.style("limit", "warn" if not one.left else "accent")
        output.answer(shown + told.removeprefix("limit"))
    for intent in intents[:_MAX_INTENTS]:
        words = f"event {intent.sequence}, {intent.action_id}"
        output.answer(f"{output.style('open intent', 'warn')}        {output.safe(words)}")
    if totals.open_count > _MAX_INTENTS:
        output.answer(f"and {counted(totals.open_count - _MAX_INTENTS, 'more open intent')}")


def _limits(session: Outline, project: Path | None, trace_dir: Path | None) -> list[LimitUse]:
    """The limits of a session that is open, as the rules of its project are now."""
    now = Source().now()
    if session.state(now) != "open" or trace_dir is not None:
        return []
    root = project_dir(project, required=False)
    if root is None or session.path.parent != open_config(root).trace_directory:
        return []
    from cra.cli.governed import open_project
    from cra.runtime.limits import limits_in_force
    from cra.runtime.state import folded

    try:
        with open_project(root) as opened, LedgerFile(session.path) as lines:
            state, reservations = folded(lines), opened.reservations
            reservations.read_on(session.path.with_name(JOURNAL_FILE))
            caller = opened.caller_of(state.started)
            return list(limits_in_force(opened.policy, caller, state, reservations, now))
    except AtlasError as error:
        output.tell(f"limits are not shown: {error.code}: {output.safe(error.message)}")
        return []


def _limit_facts(one: LimitUse) -> LimitFacts:
    return {
        "policy_id": one.rule.policy_id,
        "type": "budget" if one.rule.type == "budget" else "rate_limit",
        "per": one.limit.per,
        "maximum": one.limit.maximum,
        "window_seconds": one.limit.window_seconds,
        "used": one.used,
        "left": one.left,
        "free_at": one.free_at,
    }


def _facts(session: Outline, now: str) -> SessionFacts:
    """What event 0 says of a session, beside what a list says of it."""
    opening = session.opening
    return {
        **session.facts(now),
        "expires_at": opening.get("expires_at"),
        "ttl_seconds": opening.get("ttl_seconds"),
        "principal": opening.get("principal"),
        "scopes": opening.get("scopes"),
        "parent_session_id": opening.get("parent_session_id"),
        "trace_id": session.first.header["trace_id"] if session.first else None,
        "ledger_id": opening.get("ledger_id"),
        "signer": opening.get("signer"),
        "cra_version": opening.get("cra_version"),
        "path": str(session.path),
    }


def _row(session: Outline, length: int, now: str) -> list[str | int | Cell]:
    return [
        session.id[:length],
        session.agent or "?",
        state_cell(session, now),
        _words(session.opening.get("principal", "?")),
        moment(session.started)[:16],
        moment(_words(session.opening.get("expires_at", "")))[:16],
    ]


def _words(value: Any) -> str:
    """What a member of a payload says, whatever it is."""
    if isinstance(value, dict):
        return " ".join(str(value[name]) for name in sorted(value, reverse=True))
    if isinstance(value, int):
        return f"{value:,}"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)
