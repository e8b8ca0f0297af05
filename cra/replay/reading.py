"""The events of a trace as they are compared: whole, wherever a part of them is kept."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self

import orjson

from cra.errors import Code, IntegrityError
from cra.ledger.blobs import read_member
from cra.ledger.index import LedgerFile
from cra.replay.normal import Event

_BLOB: Final = b'"$blob"'
_CACHED: Final = "carp.resolution.cached"
_COMPLETED: Final = "carp.resolution.completed"
# What an answer that was given before says itself.
_OWN: Final = ("request_id", "resolution_id", "expires_at", "duration_us", "snapshot", "project")


class Trace:
    """The events of a session's file, each with its blobs, and answers in place of references."""

    def __init__(self, path: Path, replaced: Mapping[int, Mapping[str, Any]] | None = None) -> None:
        """`replaced` has other members of the payload of some events."""
        self.path = path
        self._file = LedgerFile(path)
        self._replaced = replaced or {}
        # By event id: the events that hold an answer.
        self._answers: dict[str, int] = {}

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._file.close()

    def __len__(self) -> int:
        return self._file.count

    def __iter__(self) -> Iterator[Event]:
        for sequence, line in enumerate(self._file.lines()):
            yield self._event(sequence, line)

    def event(self, sequence: int) -> Event:
        return self._event(sequence, self._file.line(sequence))

    def _event(self, sequence: int, line: bytes) -> Event:
        try:
            event: Event = orjson.loads(line)
        except orjson.JSONDecodeError as error:
            raise IntegrityError(
                Code.MALFORMED_LINE,
                f"expected event {sequence}, found a line that is no JSON",
                where=str(self.path),
                fix="cra trace verify",
            ) from error
        kind = event.get("event_type")
        payload = event.get("payload")
        if not isinstance(payload, dict):
            return event
        if _BLOB in line:
            blobs = self.path.parent / "blobs"
            for name, value in payload.items():
                payload[name] = read_member(value, event["salt"], blobs)
        if kind == _COMPLETED:
            self._answers[event["event_id"]] = sequence
        elif kind == _CACHED:
            answer = self._answers.get(str(payload.get("completed_event_id")))
            if answer is not None:
                known = self.event(answer).get("payload") or {}
                own = {name: payload[name] for name in _OWN if name in payload}
                event["payload"] = payload = {**known, **own}
        if sequence in self._replaced:
            payload |= self._replaced[sequence]
        return event
