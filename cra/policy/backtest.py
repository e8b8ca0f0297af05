"""Calls that were decided once, decided again under other rules.

Limits are counted as the new rules would have: what they let through takes its share of a window,
from the first call on. An approval that a call stood on counts again.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Iterator
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
    call: Call
    outcome: Outcome
    policy_id: str | None
    # The grant that it stood on.
    approval: Granted | None = None


class Flip(NamedTuple):
    """A call that other rules would have decided otherwise."""

    past: PastCall
    ruling: Ruling

    @property
    def is_wider(self) -> bool:
        return _ORDER.index(self.ruling.outcome) > _ORDER.index(self.past.outcome)


def backtest(policy: Policy, calls: Iterable[PastCall]) -> Iterator[Flip]:
    """The calls, given in the order of their times, that a policy decides otherwise."""
    taken: dict[tuple[str, str], list[tuple[int, int]]] = defaultdict(list)
    for past in calls:
        moment = past.call.moment
        assert moment is not None
        counted = limits_of(policy, past.call)
        used = {one.key: _within(taken[_place(one, past)], one, moment.now) for one in counted}
        asked = past.call._replace(moment=moment._replace(used=used, approval=past.approval))
        ruling = decide(policy, asked)
        if ruling.outcome == "allow":
            for one in counted:
                taken[_place(one, past)].append((moment.now, one.amount))
        if ruling.outcome != past.outcome:
            yield Flip(past, ruling)


def _place(counted: Counted, past: PastCall) -> tuple[str, str]:
    """Whose share it is: a session's limit begins anew in each."""
    own = past.session_id if counted.limit.per == "session" else ""
    return counted.key, own


def _within(uses: list[tuple[int, int]], counted: Counted, now: int) -> int:
    since = now - counted.limit.window_seconds
    return sum(amount for when, amount in uses if when > since)
