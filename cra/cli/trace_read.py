"""`cra trace list`, `show`, `tail` and `stats`: reading what is recorded."""

from __future__ import annotations

import os
import shutil
import sys
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from cra.amount import counted, duration
from cra.cli import output
from cra.cli.filter import EventType, FilterText, Severity, filter_of
from cra.cli.options import Json, ProjectDir, TraceDir, at_least
from cra.cli.output import Cell
from cra.cli.project import open_config
from cra.cli.select import (
    JOURNAL,
    LogName,
    LogOrAll,
    NamedSession,
    find_execution,
    find_session,
    open_log,
    sessions_of,
    short_length,
    stated,
    the_one,
)
from cra.errors import ExitCode, IntegrityError, NotFound, UsageError
from cra.ledger.index import LedgerFile, session_id_of
from cra.ledger.outline import Coverage, Outline, coverage, outline
from cra.ledger.source import Source

if TYPE_CHECKING:
    from cra.cli.answers.trace import (
        AnomalousSession,
        EventsAnswer,
        PageFacts,
        StatsAnswer,
        TraceListAnswer,
    )
    from cra.ledger.facts import Anomalies, Metrics, OutlineFacts
    from cra.ledger.filter import Filter
    from cra.ledger.fold import Totals

Limit: TypeAlias = Annotated[
    int, typer.Option("--limit", metavar="N", parser=at_least(1), help="How many at most.")
]
Offset: TypeAlias = Annotated[
    int, typer.Option("--offset", metavar="N", parser=at_least(0), help="How many to pass over.")
]
# How many examples of one kind of anomaly are printed.
_MAX_EXAMPLES: Final = 5
_STATES: Final = {"open": "good", "expired": "warn", "damaged": "bad"}


def list_traces(
    *,
    anomalies: Annotated[
        bool, typer.Option("--anomalies", help="Only those with open intents, failures, denials.")
    ] = False,
    agent: Annotated[
        str | None, typer.Option("--agent", metavar="NAME", help="Only this agent's.")
    ] = None,
    trace: Annotated[
        str | None,
        typer.Option(
            "--session",
            "--trace-id",
            metavar="ID",
            help="Only this session, or all of a trace: one and those that are part of it.",
        ),
    ] = None,
    full: Annotated[bool, typer.Option("--full", help="Show ids whole.")] = False,
    limit: Limit = 50,
    offset: Offset = 0,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> None:
    """List what is recorded, the newest session first.

    A session is open, ended, expired (its time is over), empty, or damaged. An open intent is an
    approved action without an outcome: it is under way, or its process died.

      cra trace list
      cra trace list --anomalies --agent reviewer
    """
    directory = open_config(project, trace_dir).trace_directory
    paths = sessions_of(directory)
    if trace == "last":
        trace = session_id_of(find_session(directory, trace))
    chosen = [path for path in paths if _is_wanted(path, agent, trace)]
    found = _anomalies(chosen) if anomalies else {}
    if anomalies:
        chosen = list(found)
    page = [outline(path) for path in chosen[offset : offset + limit]]
    now = Source().now()
    if as_json:
        rows = [_traced(session, now, found) for session in page]
        facts: TraceListAnswer = {
            "sessions": rows,
            **page_facts(len(rows), len(chosen), offset),
        }
        output.answer_json(facts)
        return
    length = None if full else short_length(paths)
    if anomalies:
        for session in page:
            _print_anomalies(session, session.id[:length], found[session.path], now)
    elif page:
        headers = ("SESSION", "AGENT", "STATE", "EVENTS", "STARTED (UTC)", "LAST ACTIVITY")
        output.table([_row(session, length, now) for session in page], headers, cut=("AGENT",))
    tell_rest("session", len(page), len(chosen), offset)
    if not page:
        tell_none(directory, paths)


def show(
    session: LogName = None,
    *,
    named: NamedSession = None,
    seq: Annotated[
        int | None,
        typer.Option(
            "--seq", metavar="N", parser=at_least(0), help="All of the event with this number."
        ),
    ] = None,
    filter_text: FilterText = None,
    event_type: EventType = None,
    severity: Severity = None,
    actor: Annotated[
        str | None, typer.Option("--actor", metavar="GLOB", help="Only by this TYPE or TYPE/ID.")
    ] = None,
    span: Annotated[
        str | None, typer.Option("--span", metavar="ID", help="Only of this span.")
    ] = None,
    limit: Limit = 100,
    offset: Offset = 0,
    plain: Annotated[
        bool, typer.Option("--plain", help="A line per event, its fields separated by tabs.")
    ] = False,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Show the events of a session, or all of one event.

    In place of a session, the id that cra execute prints names the events of that execution.

    A filter has terms, and all must hold, such as type:GLOB, severity:LEVEL, seq:A..B, time:-15m..,
    payload.PATH=VALUE and words of the payload: cra help filters has all of them.

      cra trace show last
      cra trace show last --seq 3
      cra trace show last --filter 'type:action.* -severity:warn time:-15m..'
      cra trace show last --filter 'payload.arguments.amount>100 card' --json
    """
    from cra.cli.events import coverage_facts, judged, list_events, list_plainly, shown_facts
    from cra.ledger.shown import shown

    name, at = _place(the_one(session, named))
    path, execution = _log_of(name, project, trace_dir)
    wanted = filter_of(
        filter_text, type=event_type, severity=severity, actor=actor, span=span or execution
    )
    if seq is not None and at is not None:
        raise UsageError(f"expected one number of an event, found {at} and --seq {seq}")
    seq = at if seq is None else seq
    if seq is not None and wanted.terms:
        raise UsageError("expected --seq alone, found a filter beside it", fix="leave one out")
    with LedgerFile(path) as ledger:
        covered = _coverage(ledger)
        if seq is not None:
            return _show_one(ledger, seq, covered, as_json=as_json)
        lines, total = _select(ledger, wanted, limit, offset)
        found = shown(ledger, lines)
    if as_json:
        facts: EventsAnswer = {
            "events": [shown_facts(row, covered) for row in found],
            **page_facts(len(found), total, offset),
            **coverage_facts(covered),
        }
        output.answer_json(facts)
        return judged(found)
    if not found:
        output.tell("no event that fits" if wanted.terms else "no event there")
        return ExitCode.OK
    _tell_unverified(path)
    if not plain:
        _tell_session(outline(path))
    code = list_plainly(found, covered) if plain else list_events(found, covered)
    tell_rest("event", len(found), total, offset)
    return code


def tail(
    session: LogOrAll = None,
    *,
    named: NamedSession = None,
    follows: Annotated[
        bool, typer.Option("--follow", "-f", help="Go on with events as they are recorded.")
    ] = False,
    lines: Annotated[
        int,
        typer.Option(
            "--lines", "-n", metavar="N", parser=at_least(0), help="How many events to begin with."
        ),
    ] = 10,
    filter_text: FilterText = None,
    event_type: EventType = None,
    severity: Severity = None,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Show the last events of a session, or of all sessions, and with -f those that follow.

    A file that is cut, replaced or removed meanwhile ends it with exit code 3, as does an event
    that does not follow the one before it.

      cra trace tail -f
      cra trace tail last -n 20 --severity warn
    """
    from cra.cli.events import event_line, line_facts
    from cra.ledger.outline import readable
    from cra.ledger.tail import Notice, Tail, follow

    code = ExitCode.OK
    name = stated(session, named)
    path = None if name is None else open_log(name, project, trace_dir)
    directory = path.parent if path else open_config(project, trace_dir).trace_directory
    wanted = filter_of(filter_text, type=event_type, severity=severity)
    tailed = Tail(directory, path, wanted=wanted, last=lines)
    sessions = [] if path else sessions_of(directory)
    length = short_length(sessions) if path is None else 0
    if path is None and not sessions:
        tell_none(directory, sessions)
    for batch in follow(tailed, output.is_abandoned) if follows else [tailed.poll()]:
        for update in batch:
            if isinstance(update, Notice):
                name = output.safe(update.session_id)
                output.tell(f"session {name}: the journal says that it was {update.what}")
                continue
            if readable(update) is None:
                code = ExitCode.INTEGRITY
            if as_json:
                output.answer_jsonl([line_facts(update)])
            else:
                output.answer(event_line(update, id_length=length, columns=_columns()))
        output.flush()
    if tailed.alarm is not None:
        raise tailed.alarm
    return code


def stats(
    session: LogOrAll = None,
    *,
    named: NamedSession = None,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> None:
    """Count what is recorded in a session, or in all: resolutions, actions, events, with rates and
    durations.

    It believes what is stored: cra trace verify is what judges it. Events per second are over the
    time from the first to the last event of each session. As JSON, durations are in seconds.

      cra trace stats last
      cra trace stats --json
    """
    name = stated(session, named)
    if name is None:
        paths = sessions_of(open_config(project, trace_dir).trace_directory)
    else:
        paths = [open_log(name, project, trace_dir)]
    totals = read_totals(paths)
    if as_json:
        facts: StatsAnswer = {
            "sessions": totals.sessions,
            "first": totals.first,
            "last": totals.last,
            **totals.metrics(),
        }
        output.answer_json(facts)
        return
    times = f", {moment(totals.first)} to {moment(totals.last)} (UTC)" if totals.first else ""
    sessions, events = counted(totals.sessions, "session"), counted(totals.events, "event")
    output.answer(f"{sessions}, {events}{times}")
    rows = list(_metric_rows(totals.metrics()))
    if totals.events:
        output.answer()
        room = max(len(value) for _, _, value in rows)
        table = [(name, labels, value.rjust(room)) for name, labels, value in rows]
        output.table(table, ("METRIC", "LABELS", "VALUE".rjust(room)), cut=("LABELS",))
    if totals.unreadable:
        from cra.cli.events import tell_damaged

        tell_damaged(totals.unreadable)


# What `cra session` shows in the same way.


def read_totals(paths: Sequence[Path]) -> Totals:
    """The totals over some sessions, with progress on a terminal."""
    from cra.ledger.fold import Totals

    totals = Totals()
    with output.progress(sum(path.stat().st_size for path in paths), "reading") as advance:
        for path in paths:
            totals.read(path, advance=advance)
    return totals


def moment(timestamp: str | None) -> str:
    """A time to the second."""
    return timestamp[:19].replace("T", " ") if timestamp else "?"


def state_cell(session: Outline, now: str) -> Cell:
    state = session.state(now)
    return Cell(state, _STATES.get(state, ""))


def page_facts(shown: int, total: int, offset: int) -> PageFacts:
    return {"total_count": total, "has_more": offset + shown < total}


def tell_rest(what: str, shown: int, total: int, offset: int) -> None:
    """A list that is not whole says so."""
    if 0 < shown < total:
        rest = f"; --offset {offset + shown} shows more" if offset + shown < total else ""
        output.tell(f"{shown:,} of {counted(total, what)}{rest}")


def tell_none(directory: Path, paths: Sequence[Path]) -> None:
    if paths:
        output.tell("no such session")
    else:
        output.tell(f"no session in {output.safe(str(directory))}: cra session start begins one")


def _is_wanted(path: Path, agent: str | None, trace: str | None) -> bool:
    """Whether a session is of an agent, and the one or part of the one whose id begins so."""
    if agent is None and trace is None:
        return True
    session = outline(path)
    ids = (session.id, str(session.first.header["trace_id"]) if session.first else "")
    return agent in (None, session.agent) and any(
        name.startswith((trace or "").lower()) for name in ids
    )


def _row(session: Outline, length: int | None, now: str) -> list[str | int | Cell]:
    return [
        session.id[:length],
        session.agent or "?",
        state_cell(session, now),
        "?" if session.events is None else session.events,
        moment(session.started)[:16],
        moment(session.last_activity)[:16],
    ]


def _traced(
    session: Outline, now: str, found: Mapping[Path, Anomalies]
) -> OutlineFacts | AnomalousSession:
    facts = session.facts(now)
    if session.path in found:
        return {**facts, "anomalies": found[session.path]}
    return facts


def _anomalies(paths: Sequence[Path]) -> dict[Path, Anomalies]:
    """What is unusual in each session that has something unusual."""
    from cra.ledger.fold import Totals

    found = {}
    with output.progress(sum(path.stat().st_size for path in paths), "reading") as advance:
        for path in paths:
            totals = Totals()
            totals.read(path, advance=advance)
            if anomalies := totals.anomalies():
                found[path] = anomalies
    return found


def _print_anomalies(session: Outline, name: str, found: Anomalies, now: str) -> None:
    output.answer(output.safe(f"{name}  {session.agent or '?'}  {session.state(now)}"))
    kinds: Mapping[str, Any] = {**found}
    for kind, facts in kinds.items():
        label = output.style(f"{kind:<10}", "warn")
        items = facts.get("first", [])[:_MAX_EXAMPLES]
        for item in items:
            reason = f": {item['reason']}" if item.get("reason") else ""
            words = f"event {item['sequence']}, {item['action_id']}{reason}"
            output.answer(f"  {label}  {output.safe(words)}")
        if facts["count"] > len(items):
            rest = "more" if items else "lines"
            output.answer(f"  {label}  {facts['count'] - len(items)} {rest}")


def _tell_session(session: Outline) -> None:
    name = session.id if session.id == JOURNAL else f"session {session.id}"
    agent = f" of {session.agent}" if session.agent else ""
    output.tell(output.safe(f"{name}{agent}, begun {moment(session.started)[:16]} UTC"))


def _tell_unverified(path: Path) -> None:
    output.tell(f"as it is stored; cra trace verify {output.safe(session_id_of(path))} proves it")


def _coverage(ledger: LedgerFile) -> Coverage:
    try:
        return coverage(ledger)
    except IntegrityError as error:
        # What is stored can be read all the same; nothing covers it.
        output.tell(f"{output.safe(error.message)}: cra trace verify says more")
        return Coverage(0, ())


def _show_one(ledger: LedgerFile, seq: int, covered: Coverage, *, as_json: bool) -> ExitCode:
    from cra.cli.events import judged, show_event, shown_alone
    from cra.ledger.shown import shown

    [row] = shown(ledger, [(seq, ledger.line(seq))])
    if as_json:
        output.answer_json(shown_alone(row, covered))
    else:
        show_event(row, covered, in_journal=session_id_of(ledger.path) == JOURNAL)
        _tell_unverified(ledger.path)
    return judged([row])


def _log_of(name: str, project: Path | None, trace_dir: Path | None) -> tuple[Path, str | None]:
    """The log that a name is of, and the execution in it, if it names one. Raises as `open_log`."""
    try:
        return open_log(name, project, trace_dir), None
    except NotFound:
        found = find_execution(open_config(project, trace_dir).trace_directory, name)
        if found is None:
            raise
        return found, name.lower()


def _place(text: str) -> tuple[str, int | None]:
    """A session, and the number of its event that SESSION:SEQ names."""
    name, _, number = text.rpartition(":")
    is_place = bool(name) and "/" not in text and number.isascii() and number.isdecimal()
    return (name, int(number)) if is_place else (text, None)


def _select(
    ledger: LedgerFile, wanted: Filter, limit: int, offset: int
) -> tuple[list[tuple[int, bytes]], int]:
    """A page of the events that a filter accepts, and how many it accepts in all."""
    if not wanted.terms:
        return list(enumerate(ledger.lines(offset, offset + limit), offset)), ledger.count
    found, total = [], 0
    with output.progress(ledger.end, "searching") as advance:
        for total, event in enumerate(ledger.search(wanted, advance=advance), 1):
            if offset < total <= offset + limit:
                found.append(event)
    return found, total


def _columns() -> int | None:
    if sys.stdout.isatty() or "COLUMNS" in os.environ:
        return shutil.get_terminal_size().columns
    return None


def _metric_rows(metrics: Metrics) -> Iterator[tuple[str, str, str]]:
    """Each value of the metrics with its labels."""
    for name, value in metrics.items():
        if isinstance(value, list):
            for item in value:
                yield name, f"{item['action_id']} {item['status']}", f"{item['value']:,}"
        elif isinstance(value, dict):
            for label, number in value.items():
                if number is not None and value.get("count", 1):
                    is_time = name.endswith("_seconds") and label != "count"
                    yield name, label, duration(number * 1e6) if is_time else f"{number:,}"
        elif isinstance(value, float):
            yield name, "", f"{value:,.3f}"
