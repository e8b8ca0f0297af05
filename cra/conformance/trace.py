"""Traces of cases: events that a case states, and a session as the golden of a replay."""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from hashlib import sha256
from typing import Any, Final

from cra.conformance.case import GivenEvent
from cra.ledger.writer import ChainPaths
from cra.replay.golden import Golden
from cra.replay.manifest import GoldenManifest
from cra.replay.normal import Event
from cra.runtime.session import GovernedSession

_NAMED: Final = re.compile("<(id|hash):([a-z0-9-]+)>|<time>")


class GivenTrace:
    """Events of a case with the members that it leaves out. A name stands for another id in each
    trace, as in two runs."""

    def __init__(self, events: Sequence[GivenEvent], side: str) -> None:
        self._events = events
        self._side = side

    def __iter__(self) -> Iterator[Event]:
        return (self.event(sequence) for sequence in range(len(self._events)))

    def event(self, sequence: int) -> Event:
        given = self._events[sequence]
        return {
            "actor": {"id": "cra", "type": "runtime"},
            "event_type": given.event_type,
            "parent_span_id": None if given.parent is None else self._id(given.parent),
            "payload": self._filled(given.payload),
            "sequence": sequence,
            "span_id": self._id(given.span),
            "timestamp": self._time(),
        }

    def _id(self, name: str) -> str:
        digits = sha256(f"{self._side} {name}".encode()).hexdigest()
        return f"{digits[:8]}-{digits[8:12]}-7{digits[12:15]}-8{digits[15:18]}-{digits[18:30]}"

    def _time(self) -> str:
        return f"2026-01-0{len(self._side) % 9 + 1}T00:00:00.000000Z"

    def _filled(self, value: Any) -> Any:
        if isinstance(value, dict):
            return {key: self._filled(member) for key, member in value.items()}
        if isinstance(value, list):
            return [self._filled(item) for item in value]
        return _NAMED.sub(self._value, value) if isinstance(value, str) else value

    def _value(self, named: re.Match[str]) -> str:
        match named[1]:
            case "id":
                return self._id(named[2])
            case "hash":
                return sha256(f"{self._side} {named[2]}".encode()).hexdigest()
        return self._time()


def golden_of(session: GovernedSession) -> Golden:
    """A session as if it had been recorded, without copying it."""
    session.barrier()
    trace = ChainPaths(session.project.config.trace_directory, session.id).data
    manifest = GoldenManifest("1.0", session.trace_id, (), ())
    return Golden(trace.with_name("manifest.json"), manifest, trace)
