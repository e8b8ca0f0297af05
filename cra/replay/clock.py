"""Time and ids of a replay: the time is the golden's, and the ids are the same in each run."""

from __future__ import annotations

from datetime import datetime
from hashlib import sha256

from cra.ledger.source import Source


class ReplaySource(Source):
    """The clock stands where it is set. Ids and salts are counted from a seed, for nothing here is
    secret."""

    def __init__(self, now: str, seed: bytes) -> None:
        super().__init__()
        self._seed = seed
        self._first = int.from_bytes(sha256(seed).digest()[:8], "big")
        self._given = 0
        self.set(now)

    def set(self, now: str) -> None:
        self._now = now
        milliseconds = int(datetime.fromisoformat(now).timestamp() * 1000)
        text = f"{milliseconds:012x}"
        self._prefix = f"{text[:8]}-{text[8:]}-7"

    def stamp(self) -> tuple[str, str, str]:
        with self._lock:
            self._given += 1
            given = self._given
        salt = sha256(b"%b%d" % (self._seed, given)).hexdigest()[:32]
        count = (self._first + given) & (1 << 60) - 1
        high, low = divmod(count, 1 << 48)
        return f"{self._prefix}{high:03x}-8000-{low:012x}", self._now, salt
