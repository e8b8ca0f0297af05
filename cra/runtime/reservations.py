"""Limits that sessions share: what each took is in the journal, read under the journal's lock."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any, Final

import orjson

from cra.ledger import files
from cra.ledger.place import Lines
from cra.ledger.source import later
from cra.ledger.writer import ChainWriter
from cra.policy.engine import Counted
from cra.runtime.limits import Share, used

_WORD: Final = b'"event_type":"limit.reserved"'


class Reservations:
    """What is reserved of shared limits, read from the journal as far as it goes."""

    def __init__(self) -> None:
        self._offset = 0
        self._taken: dict[str, list[Share]] = defaultdict(list)
        self._journal: ChainWriter | None = None

    @contextmanager
    def locked(self, journal: ChainWriter) -> Iterator[Reservations]:
        """Hold the journal's lock: what is counted here stays true until the end of the block."""
        with journal.batch():
            self._journal = journal
            self._read_on(journal)
            try:
                yield self
            finally:
                self._journal = None

    def used(self, key: str, now: str) -> int:
        """How much is taken of a limit within its window, whoever vouches for it."""
        return used(self.shares(key), now)

    def shares(self, key: str) -> Sequence[Share]:
        """What was reserved of a limit, as far as the journal was read."""
        return self._taken.get(key, ())

    def reserve(self, counted: Counted, now: str, session_id: str) -> None:
        assert self._journal is not None
        payload: dict[str, Any] = {
            "session_id": session_id,
            "policy_id": counted.rule.policy_id,
            "key": counted.key,
            "cost": counted.amount,
            "window_ends": later(now, counted.limit.window_seconds),
        }
        self._journal.append("limit.reserved", payload)

    def _read_on(self, journal: ChainWriter) -> None:
        fd = files.open_for_reading(journal.paths.data)
        try:
            for lines in Lines(fd, self._offset):
                for line in lines:
                    self._offset += len(line) + 1
                    if _WORD in line:
                        payload = orjson.loads(line).get("payload") or {}
                        self._taken[payload["key"]].append(
                            Share(payload["window_ends"], payload["cost"])
                        )
        finally:
            os.close(fd)
