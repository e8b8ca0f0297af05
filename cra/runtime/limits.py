"""What is used of limits, and when something of one is free again."""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

from cra.policy.rule import Limit


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
