"""How events look: in a table, on a line of their own, as JSON, and one of them whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING, Final

import orjson

from cra.amount import counted
from cra.cli import output
from cra.cli.output import Cell
from cra.errors import Code, ExitCode, IntegrityError
from cra.ledger.chain import Event, decode
from cra.ledger.outline import Coverage
from cra.ledger.shown import Shown
from cra.ledger.summary import summarize

if TYPE_CHECKING:
    from cra.cli.answers.trace import (
        CoverageFacts,
        EventAnswer,
        FaultFacts,
        LostEvent,
        ShownEvent,
        StoredEvent,
        TailedLine,
    )

# A shape and a word beside the colour: nothing is said by colour alone.
_SEVERITIES: Final = {
    "debug": Cell("· debug"),
    "info": Cell("• info"),
    "warn": Cell("▲ warn", "warn"),
    "error": Cell("✗ error", "bad"),
}
_SEVERITY_ROOM: Final = 7
_DAMAGED: Final = Cell("✗ damaged", "bad")
_UNATTESTED: Final = "unattested"
# Nobody reads more of one event in a table; `cra trace show --seq` shows it whole.
_LONGEST: Final = 300


def list_events(rows: list[Shown], covered: Coverage) -> ExitCode:
    """Print events as a table. The code is INTEGRITY if one is none, or not in its place."""
    times = [row.event.header["timestamp"] for row in rows if row.event is not None]
    is_one_day = len({moment[:10] for moment in times}) <= 1
    unattested = sum(not _covers(covered, row) for row in rows)
    table: list[list[str | int | Cell]] = []
    # A number that is typed again, as `--seq` or `SESSION:SEQ`, has no separators in it.
    room = max(len("SEQ"), *(len(str(row.number)) for row in rows))
    for row in rows:
        timestamp, severity, event_type, summary = _fields(row)
        mark = [] if not unattested else ["" if _covers(covered, row) else "*"]
        moment = timestamp[:19].replace("T", " ")
        when = moment[11:] if is_one_day else moment
        place = str(row.number).rjust(room)
        shape = _DAMAGED if severity == "damaged" else _SEVERITIES[severity]
        table.append([place, when, shape, event_type, *mark, summary[:_LONGEST]])
    marks = ["*"] if unattested else []
    headers = ("SEQ".rjust(room), "TIME", "SEVERITY", "TYPE", *marks, "SUMMARY")
    output.table(table, headers, cut=("SUMMARY",))
    if unattested:
        output.tell(f"* no checkpoint covers {unattested:,} of these events: they are unattested")
    return judged(rows)


def list_plainly(rows: Iterable[Shown], covered: Coverage) -> ExitCode:
    """Print events as one record per line, its fields separated by tabs."""
    for row in rows:
        word = "covered" if _covers(covered, row) else _UNATTESTED
        timestamp, severity, event_type, summary = _fields(row)
        fields = [str(row.number), timestamp, severity, event_type, word, summary]
        output.answer("\t".join(map(output.safe, fields)))
    return judged(rows)


def shown_facts(row: Shown, covered: Coverage) -> ShownEvent | LostEvent:
    """The members of a line as they are stored, whether a checkpoint covers them, and what is wrong
    with the event in its place."""
    return _lost(row) or _found(row, covered)


def shown_alone(row: Shown, covered: Coverage) -> EventAnswer:
    """As `shown_facts`, with the checkpoint."""
    lost = _lost(row)
    if lost is not None:
        return {**lost, **coverage_facts(covered)}
    return {**_found(row, covered), **coverage_facts(covered)}


def coverage_facts(covered: Coverage) -> CoverageFacts:
    """The checkpoint by which events are called covered."""
    return {"checkpoint": {"size": covered.size, "verified": False}}


def line_facts(line: bytes) -> TailedLine:
    """The members of a line as they are stored."""
    event = _read(line)
    if isinstance(event, IntegrityError):
        return {"error": _error(event)}
    stored: StoredEvent = orjson.loads(line)
    return stored


def show_event(row: Shown, covered: Coverage, *, in_journal: bool) -> None:
    """Print all of one event. Raises IntegrityError if the line is none."""
    if row.event is None:
        raise row.fault or IntegrityError(Code.MALFORMED_LINE, "expected an event, found none")
    event = row.event
    header = event.header
    atlas = header.get("atlas")
    whole = "the journal of the ledger" if in_journal else "session"
    checkpoint = (
        f"yes, by a checkpoint over {counted(covered.size, 'event')}, which was not verified"
    )
    facts = {
        "damaged": _told(row.fault) if row.fault is not None else "",
        "event": f"{header['sequence']} of {whole} {header['session_id']}",
        "type": event.event_type,
        "severity": header["severity"],
        "time": header["timestamp"],
        "actor": f"{header['actor']['type']} {header['actor']['id']}",
        "span": header["span_id"],
        "parent span": header["parent_span_id"] or "none",
        "trace": header["trace_id"],
        "event id": header["event_id"],
        "atlas": f"{atlas['atlas_id']} {atlas['version']}" if atlas is not None else "",
        "payload hash": header["payload_hash"],
        "previous": header["previous_event_hash"],
        "event hash": event.event_hash,
        "covered": checkpoint if _covers(covered, row) else "no",
    }
    for artifact in header.get("artifacts", ()):
        facts[f"blob {artifact['name']}"] = artifact["uri"]
    for name, value in facts.items():
        if value:
            output.answer(f"{output.safe(name):<12}  {output.safe(value)}")
    if event.payload is None:
        output.answer("payload       redacted")
    else:
        output.answer("payload")
        output.answer_json(event.payload)


def event_line(line: bytes, *, id_length: int, columns: int | None) -> str:
    """An event on one line of a stream that is not yet known to its end, cut to some columns."""
    event = _read(line)
    if isinstance(event, IntegrityError):
        return f"{output.style(*_DAMAGED)}  {output.safe(event.message)}"
    header = event.header
    severity = _SEVERITIES[header["severity"]]
    names = [header["timestamp"][11:19], *([header["session_id"][:id_length]] if id_length else [])]
    before = "  ".join([*names, f"{header['sequence']:>4}", ""])
    after = f"  {event.event_type:<15}  "
    summary = output.safe(summarize(event.event_type, event.payload)[:_LONGEST])
    room = _LONGEST if columns is None else columns - len(before) - _SEVERITY_ROOM - len(after)
    if len(summary) > room:
        summary = summary[: max(0, room - 1)] + "…"
    padding = " " * (_SEVERITY_ROOM - len(severity.text))
    return before + output.style(*severity) + padding + after + summary


def _read(line: bytes) -> Event | IntegrityError:
    try:
        return decode(line)
    except IntegrityError as error:
        return error


def tell_damaged(count: int) -> None:
    """Say how many of the lines that were read are no events."""
    what = "1 line is no event" if count == 1 else f"{count:,} lines are no events"
    output.tell(f"{what}: cra trace verify says more")


def judged(rows: Iterable[Shown]) -> ExitCode:
    """The exit code for what was shown; what is wrong with it is said."""
    faults = [row for row in rows if row.fault is not None]
    if not faults:
        return ExitCode.OK
    lost = sum(row.event is None for row in faults)
    if lost:
        tell_damaged(lost)
    if lost < len(faults):
        misplaced = len(faults) - lost
        what = "1 event is" if misplaced == 1 else f"{misplaced:,} events are"
        output.tell(f"{what} not in its place: cra trace verify says more")
    return ExitCode.INTEGRITY


def _fields(row: Shown) -> tuple[str, str, str, str]:
    """When, how severe, of which type, and what it says; `damaged` is what is none or misplaced."""
    timestamp, severity, event_type, summary = "", "damaged", "", ""
    if row.event is not None:
        header, event_type = row.event.header, row.event.event_type
        timestamp, severity = header["timestamp"], header["severity"]
        summary = summarize(event_type, row.event.payload)
    if row.fault is not None:
        severity, summary = "damaged", _told(row.fault)
    return timestamp, severity, event_type, summary


def _covers(covered: Coverage, row: Shown) -> bool:
    return row.fault is None and covered.covers(row.number)


def _told(fault: IntegrityError) -> str:
    return f"{fault.finding}: {fault.message}"


def _found(row: Shown, covered: Coverage) -> ShownEvent:
    members: ShownEvent = orjson.loads(row.line)
    members["covered"] = _covers(covered, row)
    if row.fault is not None:
        members["error"] = _error(row.fault)
    return members


def _lost(row: Shown) -> LostEvent | None:
    """What is said of a line that is no event."""
    if row.event is not None or row.fault is None:
        return None
    return {"sequence": row.number, "error": _error(row.fault)}


def _error(fault: IntegrityError) -> FaultFacts:
    return {"code": fault.finding, "message": fault.message}
