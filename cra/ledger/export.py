"""Events in the forms that other programs read: the stored lines, JSON, CSV for spreadsheets.

Each form is an iterator of whole lines with their line ends.
"""

from __future__ import annotations

import csv
import io
from collections.abc import Callable, Iterable, Iterator
from typing import Any, Final

from cra import canonical
from cra.ledger.chain import Event, decode

# A spreadsheet takes a cell that starts with one of these for a formula, or strips it and looks
# again.
_FORMULA: Final = ("=", "+", "-", "@", "\t", "\r", "\n")

_COLUMNS: Final[dict[str, Callable[[Event], Any]]] = {
    "sequence": lambda event: event.sequence,
    "timestamp": lambda event: event.header["timestamp"],
    "event_type": lambda event: event.event_type,
    "severity": lambda event: event.header["severity"],
    "actor_type": lambda event: event.header["actor"]["type"],
    "actor_id": lambda event: event.header["actor"]["id"],
    "session_id": lambda event: event.header["session_id"],
    "trace_id": lambda event: event.header["trace_id"],
    "span_id": lambda event: event.header["span_id"],
    "parent_span_id": lambda event: event.header["parent_span_id"],
    "event_id": lambda event: event.header["event_id"],
    "previous_event_hash": lambda event: event.header["previous_event_hash"],
    "payload_hash": lambda event: event.header["payload_hash"],
    "event_hash": lambda event: event.event_hash,
    "atlas": lambda event: _json(event.header.get("atlas")),
    "artifacts": lambda event: _json(event.header.get("artifacts")),
    "payload": lambda event: _json(event.payload),
}


def as_jsonl(lines: Iterable[bytes]) -> Iterator[bytes]:
    """The lines as they are stored: a copy that still verifies."""
    for line in lines:
        yield line + b"\n"


def as_json(lines: Iterable[bytes]) -> Iterator[bytes]:
    """One array of objects: the header's members, `event_hash`, and `payload`, null if redacted."""
    yield b"[\n"
    before = b""
    for line in lines:
        event = decode(line)
        if before:
            yield before + b",\n"
        before = canonical.encode(
            {**event.header, "event_hash": event.event_hash, "payload": event.payload}
        )
    if before:
        yield before + b"\n"
    yield b"]\n"


def as_csv(lines: Iterable[bytes]) -> Iterator[bytes]:
    """One row per event; a cell that a spreadsheet would take for a formula begins with a `'`."""
    yield _row(list(_COLUMNS))
    for line in lines:
        event = decode(line)
        yield _row([_cell(column(event)) for column in _COLUMNS.values()])


FORMATS: Final[dict[str, Callable[[Iterable[bytes]], Iterator[bytes]]]] = {
    "jsonl": as_jsonl,
    "json": as_json,
    "csv": as_csv,
}


def _row(cells: list[str]) -> bytes:
    text = io.StringIO()
    csv.writer(text).writerow(cells)
    return text.getvalue().encode()


def _cell(value: Any) -> str:
    text = "" if value is None else str(value)
    return f"'{text}" if text.startswith(_FORMULA) else text


def _json(value: Any) -> str | None:
    return None if value is None else canonical.encode(value).decode()
