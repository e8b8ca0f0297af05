"""How far a grant goes: what a person says of it, and the words in which it is told."""

from __future__ import annotations

from datetime import UTC, date, datetime, time, timedelta

from cra.amount import counted, seconds_of
from cra.errors import UsageError
from cra.ledger.source import later
from cra.runtime.approval import Scope
from cra.runtime.waiting import FoundApproval


def moment(text: str, now: str) -> str | None:
    """The timestamp of a time to come, or of the end of a duration; None for what is neither.

    A time without a zone is one of this machine's, and one without a date is of today. Raises
    UsageError for one that is over, or that is further than there are dates.
    """
    length, clock = seconds_of(text), _clock(text)
    try:
        if length is not None:
            found = later(now, length)
        elif clock is not None:
            found = _timestamp(datetime.combine(_day(now, clock), clock))
        else:
            found = _timestamp(datetime.fromisoformat(text))
    except ValueError:
        return None
    except OverflowError:
        raise UsageError(f"expected a time before the year 10000, found {text:.40}") from None
    if found > now:
        return found
    tomorrow = f"{_day(now, clock) + timedelta(days=1)}T{clock}" if clock is not None else ""
    raise UsageError(
        f"expected a time to come, found {text:.40}",
        fix=f"for tomorrow: {tomorrow}" if tomorrow else None,
    )


def _clock(text: str) -> time | None:
    """A time of the day. A bare number is none: it may count something."""
    try:
        return time.fromisoformat("0" * (text[1:2] == ":") + text) if ":" in text else None
    except ValueError:
        return None


def _day(now: str, clock: time) -> date:
    """Which day it is where a time is meant."""
    return datetime.fromisoformat(now).astimezone(clock.tzinfo).date()


def _timestamp(stated: datetime) -> str:
    """Raises ValueError or OverflowError for what no zone reaches."""
    plain = stated.astimezone(UTC).replace(tzinfo=None)
    return f"{plain.isoformat(timespec='microseconds')}Z"


def scope_of(
    found: FoundApproval,
    *,
    times: int | None,
    until: str | None,
    for_session: bool,
    any_arguments: bool,
) -> Scope:
    """One call, unless more is said: so many, all until a time, or all of the session.

    Raises UsageError for a number that no grant has.
    """
    if for_session:
        end = str(found.state.started["expires_at"])
        return Scope(None, min(until, end) if until else end, any_arguments)
    if times is None and until is None:
        times = 1
    return Scope(times, until, any_arguments)


def words_of(scope: Scope, now: str) -> str:
    """How far it goes, as `3 times, until 17:30:00Z`; on another day with its date."""
    often = "any number of times" if scope.uses is None else counted(scope.uses, "time")
    parts = ["once" if scope.uses == 1 else often]
    if scope.until is not None:
        begin = 11 if scope.until[:10] == now[:10] else 0
        parts.append(f"until {scope.until[begin:19]}Z")
    if scope.any_arguments:
        parts.append("with any arguments")
    return ", ".join(parts)
