"""Where time and randomness enter the ledger."""

from __future__ import annotations

import os
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Final

_POOL: Final = 4096


class Source:
    """Timestamps, ids that sort by time within a process (UUIDv7), and salts."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._second = -1
        self._prefix = ""
        self._millisecond = 0
        self._count = 0
        self._pool = b""
        self._used = 0
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        # A child that went on in its parent's pool would use the same salts and ids.
        self._lock = threading.Lock()
        self._pool = b""
        self._used = 0

    def now(self) -> str:
        """RFC 3339 in UTC with microseconds."""
        second, nanosecond = divmod(time.time_ns(), 1_000_000_000)
        if second != self._second:
            text = datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")
            # Two threads may both refresh; each uses the text that it made.
            self._prefix, self._second = text, second
        else:
            text = self._prefix
        return f"{text}.{nanosecond // 1000:06d}Z"

    def salt(self) -> bytes:
        with self._lock:
            return self._random(16)

    def new_id(self) -> str:
        millisecond = time.time_ns() // 1_000_000
        with self._lock:
            random = int.from_bytes(self._random(9), "big")
            if millisecond > self._millisecond:
                self._millisecond = millisecond
                self._count = random >> 64 & 0x7F
            else:
                self._count += 1
                if self._count > 0xFFF:
                    self._millisecond += 1
                    self._count = 0
            millisecond, count = self._millisecond, self._count
        return (
            f"{millisecond >> 16:08x}-{millisecond & 0xFFFF:04x}-7{count:03x}-"
            f"{0x8000 | random >> 48 & 0x3FFF:04x}-{random & 0xFFFFFFFFFFFF:012x}"
        )

    def _random(self, size: int) -> bytes:
        start = self._used
        self._used += size
        if self._used > len(self._pool):
            self._pool = os.urandom(_POOL)
            start, self._used = 0, size
        return self._pool[start : self._used]


def later(timestamp: str, seconds: float) -> str:
    """A timestamp of `Source.now` moved by some seconds."""
    moved = datetime.fromisoformat(timestamp) + timedelta(seconds=seconds)
    return moved.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def milliseconds_between(earlier: str, later_one: str) -> int:
    """Never negative: a clock that stepped back makes no duration."""
    delta = datetime.fromisoformat(later_one) - datetime.fromisoformat(earlier)
    return max(0, round(delta.total_seconds() * 1000))
