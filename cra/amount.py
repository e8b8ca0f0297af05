"""Amounts as people read them: a count with its noun, a duration in the unit that suits it."""

from __future__ import annotations

import re
from typing import Final

_UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86_400}
_DURATION: Final = re.compile("([0-9]{1,9})([smhd])")


def counted(count: int, one: str, many: str = "") -> str:
    """A count with its noun: `1 event`, `1,234 events`; `many` is a plural that takes more than
    an s."""
    return f"{count:,} {one if count == 1 else many or one + 's'}"


def duration(microseconds: float) -> str:
    """A duration in the unit that suits it."""
    if microseconds < 999.5:
        return f"{microseconds:.0f} µs"
    if microseconds < 999_950:
        return f"{microseconds / 1e3:.1f} ms"
    if microseconds < 59_950_000:
        return f"{microseconds / 1e6:.1f} s"
    minutes, seconds = divmod(round(microseconds / 1e6), 60)
    hours, minutes = divmod(minutes, 60)
    days, hours = divmod(hours, 24)
    parts = [(days, "d"), (hours, "h"), (minutes, "min"), (seconds, "s")]
    first = next(at for at, (count, _) in enumerate(parts) if count)
    return " ".join(f"{count} {unit}" for count, unit in parts[first : first + 2] if count)


def seconds_of(text: str) -> int | None:
    """The seconds of a duration as people type it: 90s, 15m, 1h or 30d; None for what is none."""
    match = _DURATION.fullmatch(text)
    return int(match[1]) * _UNITS[match[2]] if match else None
