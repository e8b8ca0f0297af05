"""What is used of limits, and when something of one is free again."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING, NamedTuple

from cra.ledger.source import later
from cra.policy.call import Call
from cra.policy.condition import caller_miss
from cra.policy.engine import Policy, key_of
from cra.policy.rule import Limit, Rule
from cra.resolver.request import Caller

if TYPE_CHECKING:
    from cra.runtime.reservations import Reservations
    from cra.runtime.state import SessionState


class Share(NamedTuple):
    """What a call took of a limit, and when the window that it counts in ends."""

    ends: str
    amount: int


def used(shares: Iterable[Share], now: str) -> int:
    return sum(share.amount for share in shares if share.ends > now)


def free_at(shares: Iterable[Share], now: str, limit: Limit, amount: int) -> str | None:
    """When there is room for an amount; None if there is now, or never will be."""
    taken = sorted(share for share in shares if share.ends > now)
    left = limit.maximum - sum(share.amount for share in taken)
    for share in taken:
        if left >= amount:
            return None
        left += share.amount
        if left >= amount:
            return share.ends
    return None


class LimitUse(NamedTuple):
    """A limit as it stands for a caller."""

    rule: Rule
    limit: Limit
    used: int
    # When there is room for one more, if there is none now.
    free_at: str | None

    @property
    def left(self) -> int:
        return max(0, self.limit.maximum - self.used)

    def words(self) -> str:
        what = "calls" if self.rule.type == "rate_limit" else "cost units"
        limit = self.limit
        said = (
            f"{self.rule.policy_id}: {self.left} of {limit.maximum} {what} left "
            f"per {limit.per} within {limit.window_seconds} s"
        )
        return said if self.free_at is None else f"{said}, more at {self.free_at}"


def limits_in_force(
    policy: Policy, caller: Caller, state: SessionState, reservations: Reservations, now: str
) -> Iterator[LimitUse]:
    """Every limit that is about a caller, and what is used of it in its session or beyond."""
    call = Call("", caller.agent, caller.roles, caller.scopes)
    for rule, _, _ in policy.rules:
        who = (caller.agent, caller.roles, caller.scopes)
        if rule.limit is None or caller_miss(rule.conditions, *who) is not None:
            continue
        key = key_of(rule, call)
        shares = reservations.shares(key)
        if rule.limit.per == "session":
            shares = shares_of(state, key, rule.limit)
        at = free_at(shares, now, rule.limit, 1)
        yield LimitUse(rule, rule.limit, used(shares, now), at)


def shares_of(state: SessionState, key: str, limit: Limit) -> Sequence[Share]:
    """What a session took of a limit."""
    uses = state.uses.get(key, ())
    return [Share(later(use.timestamp, limit.window_seconds), use.amount) for use in uses]
