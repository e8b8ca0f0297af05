"""Where time and randomness enter the ledger."""

from __future__ import annotations

import os
import threading
import time
import weakref
from datetime import UTC, datetime, timedelta
from typing import Final

# Hex digits of randomness fetched at a time; an event takes 47 of them.
_POOL: Final = 8192
_VARIANT: Final = dict(zip("0123456789abcdef", "89ab" * 4, strict=True))


_sources: Final[weakref.WeakSet[Source]] = weakref.WeakSet()


class Source:
    """Timestamps, ids that sort by time within a process (UUIDv7), and salts."""

    def __init__(self) -> None:
        self._second = -1
        self._second_text = ""
        self._millisecond = 0
        self._millisecond_text = ""
        self._count = 0
        self.forget()
        _sources.add(self)

    def forget(self) -> None:
        """Let go of the lock and the pool. A child that went on in its parent's pool would use the
        same salts and ids."""
        self._lock = threading.Lock()
        self._pool = ""
        self._used = _POOL

    def now(self) -> str:
        """RFC 3339 in UTC with microseconds."""
        return self.stamp()[1]

    def new_id(self) -> str:
        return self.stamp()[0]

    def stamp(self) -> tuple[str, str, str]:
        """What every event needs: an id, a timestamp, and a salt in hex."""
        microsecond = time.time_ns() // 1000
        with self._lock:
            if microsecond // 1000 > self._millisecond or self._count == 0xFFF:
                self._next_millisecond(microsecond // 1000)
            else:
                # A clock that stands still or steps back does not make ids go back.
                self._count += 1
            second, fraction = divmod(microsecond, 1_000_000)
            if second != self._second:
                self._second, self._second_text = second, _second_text(second)
            start = self._used
            self._used = end = start + 47
            if end > _POOL:
                self._pool = os.urandom(_POOL // 2).hex()
                start, self._used = 0, 47
            digits = self._pool[start : start + 47]
            return (
                f"{self._millisecond_text}{self._count:03x}-"
                f"{_VARIANT[digits[0]]}{digits[:3]}-{digits[3:15]}",
                f"{self._second_text}.{fraction:06d}Z",
                digits[15:],
            )

    def _next_millisecond(self, millisecond: int) -> None:
        self._millisecond = max(millisecond, self._millisecond + 1)
        text = f"{self._millisecond:012x}"
        self._millisecond_text = f"{text[:8]}-{text[8:]}-7"
        self._count = os.urandom(1)[0]


def _second_text(second: int) -> str:
    return datetime.fromtimestamp(second, UTC).strftime("%Y-%m-%dT%H:%M:%S")


def later(timestamp: str, seconds: float) -> str:
    """A timestamp of `Source.now` moved by some seconds."""
    # Without a time zone it takes half as long; each resolution asks.
    moved = datetime.fromisoformat(timestamp.removesuffix("Z")) + timedelta(seconds=seconds)
    return f"{moved.isoformat(timespec='microseconds')}Z"


def milliseconds_between(earlier: str, later_one: str) -> int:
    """Never negative: a clock that stepped back makes no duration."""
    delta = datetime.fromisoformat(later_one) - datetime.fromisoformat(earlier)
    return max(0, round(delta.total_seconds() * 1000))


def _after_fork() -> None:
    for source in list(_sources):
        source.forget()


os.register_at_fork(after_in_child=_after_fork)
