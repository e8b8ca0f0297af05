"""Totals over sessions: what was resolved, done, refused and left open, in one pass over the lines.

It reads what is stored and believes it; `cra trace verify` is what judges it. Redacted events count
by their headers.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable
from itertools import accumulate
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeVar

import orjson

from cra.ledger import files
from cra.ledger.index import end_of_lines, whole_lines
from cra.ledger.source import milliseconds_between

if TYPE_CHECKING:
    from cra.ledger.facts import (
        Anomalies,
        CallStatus,
        DurationMetric,
        IncidentFacts,
        IntentFacts,
        Metrics,
    )

# How many failures and denials are kept as examples; all are counted.
MAX_EXAMPLES: Final = 20
# Beyond these many, memory is worth more than one more of them told apart.
_MAX_LABELS: Final = 1_000
_MAX_INTENTS: Final = 20_000
_MAX_RESOLUTIONS: Final = 65_536
_MAX_TYPE: Final = 64

_REDACTED: Final = "(redacted)"
_UNKNOWN: Final = "(unknown)"
_OTHER: Final = "(other)"

_TYPE: Final = b'"event_type":"'
_TIMESTAMP: Final = re.compile(rb'"timestamp":"([^"]*)"')
# The payloads that fill ledgers, in their usual shape: members are in the order of their names, and
# what stands here cannot stand inside a string. Anything else is parsed.
_HEADER: Final = 500
_ACTION: Final = re.compile(rb'"payload":\{"action_id":"([^"\\]*)",')
_APPROVED: Final = re.compile(
    rb'"payload":\{"action_id":"([^"\\]*)","arguments":.*,"execution_id":"([^"\\]*)",'
    rb'"resolution_id":(?:null|"[^"\\]*")\},"salt":'
)
_EXECUTED: Final = re.compile(
    rb'"payload":\{"action_id":"([^"\\]*)","duration_us":([0-9]{1,15}),"execution_id":"([^"\\]*)",'
)
_CACHED: Final = re.compile(
    rb'"payload":\{"completed_event_id":"([^"\\]*)","duration_us":([0-9]{1,15}),'
)


class Intent(NamedTuple):
    """An approved action without an outcome: what it did is not known."""

    session_id: str
    sequence: int
    action_id: str

    def facts(self) -> IntentFacts:
        return {
            "session_id": self.session_id,
            "sequence": self.sequence,
            "action_id": self.action_id,
        }


class Incident(NamedTuple):
    """An event that a person may want to look at."""

    session_id: str
    sequence: int
    action_id: str
    reason: str

    def facts(self) -> IncidentFacts:
        return {
            "session_id": self.session_id,
            "sequence": self.sequence,
            "action_id": self.action_id,
            "reason": self.reason,
        }


class Durations:
    """Durations in microseconds, rounded up to three digits, so that any number of them fits."""

    def __init__(self) -> None:
        self.count = 0
        self.total = 0
        self.longest = 0
        self._buckets: dict[int, int] = {}

    def take(self, microseconds: Any) -> None:
        if type(microseconds) is int and microseconds >= 0:
            unit = 10 ** max(0, len(str(microseconds)) - 3)
            rounded = -(-microseconds // unit) * unit
            self._buckets[rounded] = self._buckets.get(rounded, 0) + 1
            self.longest = max(self.longest, microseconds)
            self.count += 1
            self.total += microseconds

    def quantile(self, share: float) -> int | None:
        """The duration that a share of all do not exceed; None if there are none."""
        ordered = sorted(self._buckets)
        below = accumulate(self._buckets[duration] for duration in ordered)
        reached = zip(ordered, below, strict=True)
        found = next((us for us, count in reached if count >= share * self.count), None)
        return None if found is None else min(found, self.longest)

    def metric(self) -> DurationMetric:
        """How many there are, and in seconds their sum, quantiles and maximum."""
        return {
            "count": self.count,
            "sum": self.total / 1e6,
            "p50": _seconds(self.quantile(0.5)),
            "p90": _seconds(self.quantile(0.9)),
            "p99": _seconds(self.quantile(0.99)),
            "max": _seconds(self.longest if self.count else None),
        }


def _seconds(microseconds: int | None) -> float | None:
    return None if microseconds is None else microseconds / 1e6


class _Parsed(NamedTuple):
    """What the totals need of an event."""

    event_id: str
    session_id: str
    span_id: str
    sequence: int
    payload: dict[str, Any]
    is_redacted: bool

    def text(self, name: str) -> str:
        value = self.payload.get(name)
        return value if isinstance(value, str) else ""

    @property
    def action_id(self) -> str:
        return self.text("action_id") or (_REDACTED if self.is_redacted else _UNKNOWN)

    @property
    def is_simulated(self) -> bool:
        return self.payload.get("simulated") is True


class Totals:
    """What happened in the sessions that `read` was given, in memory that has a bound.

    Intents that are open by the ten thousand are counted, and no longer listed.
    """

    def __init__(self) -> None:
        self.sessions = 0
        self.events = 0
        self.unreadable = 0
        self.first: str | None = None
        self.last: str | None = None
        self.types: dict[str, int] = {}
        self.resolutions: dict[str, int] = {}
        self.cached = 0
        self.durations = Durations()
        self.action_durations = Durations()
        self.milliseconds = 0
        self.actions: dict[tuple[str, CallStatus], int] = {}
        self.failures: list[Incident] = []
        self.denials: list[Incident] = []
        # Open intents by their execution, each with its action and its header's bytes.
        self._open: dict[bytes, tuple[bytes, bytes]] = {}
        # Those whose payload is redacted, by their span.
        self._open_redacted: dict[str, Intent] = {}
        self._open_beyond = 0
        # The last completed resolutions, for the cached ones that name them.
        self._decisions: dict[bytes, str] = {}

    @property
    def open_intents(self) -> list[Intent]:
        """Intents without an outcome, as they came."""
        found = [*self._open_redacted.values()]
        for action_id, header in self._open.values():
            event = _parse(header[:-1] + b"}")
            if event is not None:
                found.append(Intent(event.session_id, event.sequence, action_id.decode()))
        return sorted(found)

    @property
    def open_count(self) -> int:
        return len(self._open) + len(self._open_redacted) + self._open_beyond

    @property
    def failed(self) -> int:
        return self.types.get("action.failed", 0) + self.types.get("error.occurred", 0)

    @property
    def denied(self) -> int:
        return self.types.get("action.denied", 0)

    @property
    def cache_hit_ratio(self) -> float | None:
        """The share of resolutions that were answered from the cache; None if there were none."""
        total = sum(self.resolutions.values())
        return self.cached / total if total else None

    def anomalies(self) -> Anomalies:
        """What a person may want to look at: examples of each kind, and how many there are."""
        found: Anomalies = {}
        if self.open_count:
            first = [intent.facts() for intent in self.open_intents[:MAX_EXAMPLES]]
            found["open"] = {"count": self.open_count, "first": first}
        if self.failed:
            failures = [incident.facts() for incident in self.failures]
            found["failed"] = {"count": self.failed, "first": failures}
        if self.denied:
            denials = [incident.facts() for incident in self.denials]
            found["denied"] = {"count": self.denied, "first": denials}
        if self.unreadable:
            found["unreadable"] = {"count": self.unreadable}
        return found

    def metrics(self) -> Metrics:
        """The totals under the names that monitoring knows them by; durations in seconds."""
        calls = sum(self.actions.values())
        return {
            "cra_resolutions_total": dict(sorted(self.resolutions.items())),
            "cra_resolution_duration_seconds": self.durations.metric(),
            "cra_cache_hit_ratio": self.cache_hit_ratio,
            "cra_actions_total": [
                {"action_id": action_id, "status": status, "value": count}
                for (action_id, status), count in sorted(self.actions.items())
            ],
            "cra_action_duration_seconds": self.action_durations.metric(),
            "cra_denial_ratio": self.denied / calls if calls else None,
            "cra_trace_events_per_second": (
                self.events / self.milliseconds * 1000 if self.milliseconds else None
            ),
            "cra_trace_events_total": dict(sorted(self.types.items())),
        }

    def read(self, path: Path, *, advance: Callable[[int], None] | None = None) -> None:
        """Take in a session's file. `advance` is told of bytes as they are read. Raises OSError."""
        self.sessions += 1
        first, last = "", ""
        fd = files.open_for_reading(path)
        try:
            for _, chunk in whole_lines(fd, 0, end_of_lines(fd)):
                lines = chunk[:-1].split(b"\n")
                for line in lines:
                    self._take(line)
                for moment in _moments(lines):
                    first, last = min(first or moment, moment), max(last, moment)
                if advance is not None:
                    advance(len(chunk))
        finally:
            os.close(fd)
        if first:
            self.first = min(self.first or first, first)
            self.last = max(self.last or last, last)
            self.milliseconds += _milliseconds(first, last)

    def _take(self, line: bytes) -> None:
        self.events += 1
        start = line.find(_TYPE) + len(_TYPE)
        kind = line[start : line.find(b'"', start)].decode(errors="replace")
        if start < len(_TYPE) or len(kind) > _MAX_TYPE:
            self.unreadable += 1
            return
        _count(self.types, kind)
        match kind:
            case "action.approved":
                self._take_intent(line)
            case "action.executed":
                self._take_success(line)
            case "action.failed":
                self._take_failure(line)
            case "action.denied":
                self._take_denial(line)
            case "error.occurred":
                self._take_error(line)
            case "carp.resolution.completed":
                self._take_resolution(line)
            case "carp.resolution.cached":
                self._take_cached(line)

    def _take_intent(self, line: bytes) -> None:
        usual = _APPROVED.search(line, _HEADER)
        if usual is not None:
            self._open_intent(usual[2], usual[1], line[: usual.start()])
            return
        event = self._parsed(line)
        # What is simulated changed nothing, whatever became of it.
        if event is None or event.is_simulated:
            return
        if event.is_redacted:
            intent = Intent(event.session_id, event.sequence, _REDACTED)
            self._open_redacted[event.span_id] = intent
        else:
            header = line[: line.index(b'"payload":')]
            self._open_intent(event.text("execution_id").encode(), event.action_id.encode(), header)

    def _open_intent(self, execution_id: bytes, action_id: bytes, header: bytes) -> None:
        if len(self._open) < _MAX_INTENTS:
            self._open[execution_id] = action_id, header
        else:
            self._open_beyond += 1

    def _take_success(self, line: bytes) -> None:
        usual = _EXECUTED.search(line, _HEADER)
        if usual is not None and self._open.pop(usual[3], None) is not None:
            self.action_durations.take(int(usual[2]))
            _count(self.actions, (usual[1].decode(), "success"))
            return
        event = self._parsed(line)
        if event is not None:
            self._close_intent(event)
            _count(self.actions, (event.action_id, "success"))

    def _take_failure(self, line: bytes) -> None:
        event = self._parsed(line)
        if event is not None:
            self._close_intent(event)
            _count(self.actions, (event.action_id, "error"))
            error = event.payload.get("error")
            words = error if isinstance(error, dict) else {}
            self._keep(self.failures, event, f"{words.get('code', '')} {words.get('message', '')}")

    def _close_intent(self, event: _Parsed) -> None:
        if not event.is_simulated:
            self.action_durations.take(event.payload.get("duration_us"))
        execution_id = event.text("execution_id").encode()
        if self._open.pop(execution_id, None) or event.is_simulated:
            return
        # One of the two is redacted, and the span that they share tells (section 9).
        if self._open_redacted.pop(event.span_id, None):
            return
        span = b'"span_id":"%b"' % event.span_id.encode()
        for key, (_, header) in self._open.items():
            if event.is_redacted and span in header:
                del self._open[key]
                return
        self._open_beyond = max(0, self._open_beyond - 1)

    def _take_denial(self, line: bytes) -> None:
        usual = _ACTION.search(line, _HEADER)
        if usual is not None and len(self.denials) >= MAX_EXAMPLES:
            _count(self.actions, (usual[1].decode(), "denied"))
            return
        event = self._parsed(line)
        if event is not None:
            _count(self.actions, (event.action_id, "denied"))
            self._keep(self.denials, event, event.text("reason"))

    def _take_error(self, line: bytes) -> None:
        event = self._parsed(line)
        if event is not None:
            self._keep(self.failures, event, f"{event.text('code')} {event.text('message')}")

    def _take_resolution(self, line: bytes) -> None:
        event = self._parsed(line)
        if event is None:
            return
        decision = event.payload.get("decision")
        kind = decision.get("type") if isinstance(decision, dict) else None
        name = kind if isinstance(kind, str) else _REDACTED if event.is_redacted else _UNKNOWN
        if len(self._decisions) >= _MAX_RESOLUTIONS:
            del self._decisions[next(iter(self._decisions))]
        self._decisions[event.event_id.encode()] = name
        _count(self.resolutions, name)
        self.durations.take(event.payload.get("duration_us"))

    def _take_cached(self, line: bytes) -> None:
        self.cached += 1
        usual = _CACHED.search(line, _HEADER)
        if usual is not None:
            _count(self.resolutions, self._decisions.get(usual[1], _UNKNOWN))
            self.durations.take(int(usual[2]))
            return
        event = self._parsed(line)
        if event is not None:
            _count(self.resolutions, _REDACTED if event.is_redacted else _UNKNOWN)

    def _keep(self, examples: list[Incident], event: _Parsed, reason: str) -> None:
        if len(examples) < MAX_EXAMPLES:
            incident = Incident(event.session_id, event.sequence, event.action_id, reason.strip())
            examples.append(incident)

    def _parsed(self, line: bytes) -> _Parsed | None:
        event = _parse(line)
        if event is None:
            self.unreadable += 1
        return event


def _moments(lines: list[bytes]) -> list[str]:
    """The first and the last time of some lines in a row."""
    found = map(_TIMESTAMP.search, (lines[0], lines[-1]))
    return [match[1].decode(errors="replace") for match in found if match is not None]


def _milliseconds(first: str, last: str) -> int:
    try:
        return milliseconds_between(first, last)
    except (TypeError, ValueError):  # what is stored need not be times
        return 0


def _parse(line: bytes) -> _Parsed | None:
    try:
        event = orjson.loads(line)
    except orjson.JSONDecodeError:
        return None
    if not isinstance(event, dict):
        return None
    event_id, session_id, span_id, sequence, payload = (
        event.get(name) for name in ("event_id", "session_id", "span_id", "sequence", "payload")
    )
    is_redacted = "payload" not in event
    if (
        isinstance(event_id, str)
        and isinstance(session_id, str)
        and isinstance(span_id, str)
        and type(sequence) is int
        and (is_redacted or isinstance(payload, dict))
    ):
        return _Parsed(event_id, session_id, span_id, sequence, payload or {}, is_redacted)
    return None


_Label = TypeVar("_Label", str, "tuple[str, CallStatus]")


def _count(counts: dict[_Label, int], label: _Label) -> None:
    """Count under a label, or with the rest if there are too many labels already."""
    if label not in counts and len(counts) >= _MAX_LABELS:
        label = _OTHER if isinstance(label, str) else (_OTHER, label[1])
    counts[label] = counts.get(label, 0) + 1
