"""How events look: in a table, on a line of their own, as JSON, and one of them whole."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Final

import orjson

from cra.amount import counted
from cra.cli import output
from cra.cli.output import Cell
from cra.errors import ExitCode, IntegrityError
from cra.ledger.chain import Event, decode
from cra.ledger.outline import Coverage
from cra.ledger.summary import summarize

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


def list_events(found: list[tuple[int, bytes]], covered: Coverage) -> ExitCode:
    """Print numbered lines as a table. The code is INTEGRITY if one of them is no event."""
    events = [(number, _read(line)) for number, line in found]
    times = [event.header["timestamp"] for _, event in events if isinstance(event, Event)]
    is_one_day = len({moment[:10] for moment in times}) <= 1
    unattested = sum(not covered.attests(number) for number, _ in found)
    rows: list[list[str | int | Cell]] = []
    # A number that is typed again, as `--seq` or `SESSION:SEQ`, has no separators in it.
    room = max(len("SEQ"), *(len(str(number)) for number, _ in events))
    for number, event in events:
        place = str(number).rjust(room)
        if isinstance(event, Event):
            moment = event.header["timestamp"][:19].replace("T", " ")
            severity = _SEVERITIES[event.header["severity"]]
            summary = summarize(event.event_type, event.payload)[:_LONGEST]
            row = [place, moment[11:] if is_one_day else moment, severity, event.event_type]
        else:
            summary = event.message
            row = [place, "", _DAMAGED, ""]
        mark = [] if not unattested else ["" if covered.attests(number) else "*"]
        rows.append([*row, *mark, summary])
    marks = ["*"] if unattested else []
    output.table(
        rows, ("SEQ".rjust(room), "TIME", "SEVERITY", "TYPE", *marks, "SUMMARY"), cut=("SUMMARY",)
    )
    if unattested:
        output.tell(f"* no checkpoint covers {unattested:,} of these events: they are unattested")
    return _judged(sum(isinstance(event, IntegrityError) for _, event in events))


def list_plainly(found: Iterable[tuple[int, bytes]], covered: Coverage) -> ExitCode:
    """Print numbered lines as one record per line, its fields separated by tabs."""
    damaged = 0
    for number, line in found:
        event = _read(line)
        word = "attested" if covered.attests(number) else _UNATTESTED
        if isinstance(event, Event):
            header = event.header
            summary = summarize(event.event_type, event.payload)
            fields = [header["timestamp"], header["severity"], event.event_type, word, summary]
        else:
            damaged += 1
            fields = ["", "damaged", "", word, event.message]
        output.answer("\t".join(map(output.safe, [str(number), *fields])))
    return _judged(damaged)


def event_json(number: int | None, line: bytes, covered: Coverage | None = None) -> dict[str, Any]:
    """The members of a line as they are stored, and whether the event is attested, if known."""
    event = _read(line)
    if isinstance(event, IntegrityError):
        error = {"code": event.code, "message": event.message}
        return {"error": error} if number is None else {"sequence": number, "error": error}
    members: dict[str, Any] = orjson.loads(line)
    if number is not None and covered is not None:
        members["attested"] = covered.attests(number)
    return members


def show_event(line: bytes, covered: Coverage, *, in_journal: bool) -> None:
    """Print all of one event. Raises IntegrityError if the line is none."""
    event = decode(line)
    header = event.header
    covers = covered.attests(event.sequence)
    whole = "the journal of the ledger" if in_journal else "session"
    facts = {
        "event": f"{header['sequence']} of {whole} {header['session_id']}",
        "type": event.event_type,
        "severity": header["severity"],
        "time": header["timestamp"],
        "actor": f"{header['actor']['type']} {header['actor']['id']}",
        "span": header["span_id"],
        "parent span": header["parent_span_id"] or "none",
        "trace": header["trace_id"],
        "event id": header["event_id"],
        "atlas": " ".join(header.get("atlas", {}).values()),
        "payload hash": header["payload_hash"],
        "previous": header["previous_event_hash"],
        "event hash": event.event_hash,
        "attested": f"yes, by a checkpoint over {counted(covered.size, 'event')}"
        if covers
        else "no",
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


def _judged(damaged: int) -> ExitCode:
    if not damaged:
        return ExitCode.OK
    tell_damaged(damaged)
    return ExitCode.INTEGRITY
