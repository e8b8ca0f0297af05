"""What sessions share, limits and idempotency keys: what each took is in the journal, which is read
under its lock."""

from __future__ import annotations

import os
from collections import defaultdict
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import orjson

from cra.ledger import files
from cra.ledger.place import Lines
from cra.ledger.source import later
from cra.ledger.writer import ChainWriter
from cra.policy.engine import Counted
from cra.runtime.limits import Share, used

LIMIT: Final = b'"event_type":"limit.reserved"'
_KEY: Final = b'"event_type":"idempotency.reserved"'


class Reservations:
    """What is reserved of shared limits, and which keys are, read from the journal as far as it
    goes."""

    def __init__(self) -> None:
        self._offset = 0
        self._taken: dict[str, list[Share]] = defaultdict(list)
        # By idempotency key: the session that used it first.
        self._holders: dict[str, str] = {}
        self._journal: ChainWriter | None = None

    @contextmanager
    def locked(self, journal: ChainWriter) -> Iterator[Reservations]:
        """Hold the journal's lock: what is counted here stays true until the end of the block."""
        with journal.batch():
            self._journal = journal
            self.read_on(journal.paths.data)
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

    def holder(self, key: str) -> str | None:
        """The session that used an idempotency key, whoever vouches for it."""
        return self._holders.get(key)

    def reserve_key(self, key: str, session_id: str) -> None:
        assert self._journal is not None
        payload = {"session_id": session_id, "idempotency_key": key}
        self._journal.append("idempotency.reserved", payload)

    def read_on(self, journal: Path) -> None:
        """Take in what the journal has gained; without its lock, what counts then may have more."""
        fd = files.open_for_reading(journal)
        try:
            for lines in Lines(fd, self._offset):
                for line in lines:
                    self._offset += len(line) + 1
                    if LIMIT in line:
                        payload = orjson.loads(line).get("payload") or {}
                        self._taken[payload["key"]].append(
                            Share(payload["window_ends"], payload["cost"])
                        )
                    elif _KEY in line:
                        payload = orjson.loads(line).get("payload") or {}
                        self._holders.setdefault(payload["idempotency_key"], payload["session_id"])
        finally:
            os.close(fd)
