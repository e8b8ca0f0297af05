"""Calls that were decided once, decided again under other rules.

Limits are counted as the new rules would have: what they let through takes its share of a window,
from the first call on, and what cannot be decided again takes what it took. An approval that a call
stood on counts again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator, Mapping
from typing import Final, NamedTuple

from cra.policy.call import Call, Granted
from cra.policy.engine import Counted, Policy, decide, limits_of
from cra.policy.ladder import Outcome, Ruling

# From the strictest on: what stands further right lets more happen.
_ORDER: Final[tuple[Outcome, ...]] = ("deny", "requires_approval", "allow")


class PastCall(NamedTuple):
    """A call as the ledger tells it, with what was decided."""

    session_id: str
    sequence: int
    timestamp: str
    # When it took of limits, or would have: microseconds.
    at: int
    call: Call
    outcome: Outcome
    policy_id: str | None
    # The grant that it stood on.
    approval: Granted | None = None
    # Whether anybody asks about it; every call takes of limits.
    is_chosen: bool = True


class PastUse(NamedTuple):
    """What a call that cannot be decided again took of limits, by their keys."""

    session_id: str
    at: int
    taken: Mapping[str, int]


class Flip(NamedTuple):
    """A call that other rules would have decided otherwise."""

    past: PastCall
    ruling: Ruling

    @property
    def is_wider(self) -> bool:
        return _ORDER.index(self.ruling.outcome) > _ORDER.index(self.past.outcome)


def backtest(policy: Policy, calls: Iterable[PastCall | PastUse]) -> Iterator[Flip]:
    """The chosen calls that a policy decides otherwise; all are given, in the order of time."""
    taken: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for past in calls:
        if isinstance(past, PastUse):
            for key, amount in past.taken.items():
                for place in ((key, ""), (key, past.session_id)):
                    taken[place].append((past.at, amount))
            continue
        moment = past.call.moment
        assert moment is not None
        counted = limits_of(policy, past.call)
        used = {one.key: _within(taken[_place(one, past)], one, past.at) for one in counted}
        asked = past.call._replace(moment=moment._replace(used=used, approval=past.approval))
        ruling = decide(policy, asked)
        if ruling.outcome == "allow":
            for one in counted:
                taken[_place(one, past)].append((past.at, one.amount))
        if past.is_chosen and ruling.outcome != past.outcome:
            yield Flip(past, ruling)


def _place(counted: Counted, past: PastCall) -> tuple[str, str]:
    """Whose share it is: a session's limit begins anew in each."""
    own = past.session_id if counted.limit.per == "session" else ""
    return counted.key, own


def _within(uses: list[tuple[int, int]], counted: Counted, now: int) -> int:
    since = now - counted.limit.window_seconds * 1_000_000
    return sum(amount for when, amount in uses if when > since)
