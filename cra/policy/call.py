"""A call as policy sees it: what is asked, by whom, and what is known when it is asked."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple, get_args

from cra.config import RiskTier

TIERS: Final[tuple[RiskTier, ...]] = get_args(RiskTier)

_NOTHING: Final[Mapping[str, Any]] = MappingProxyType({})


class Granted(NamedTuple):
    """An approval that was granted for exactly this call; `key` None: by nobody's signature."""

    key: str | None = None


class Moment(NamedTuple):
    """What is known when a call is about to be executed, and not while it is being resolved."""

    arguments: Mapping[str, Any]
    # Seconds since 1970 in UTC.
    now: int
    # By the key of each limit that `limits_of` names: how much of it is used already.
    used: Mapping[str, int] = _NOTHING
    approval: Granted | None = None


class Call(NamedTuple):
    """An action that an agent asks for. `moment` None: while resolving."""

    action_id: str
    agent: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    # What the task states; None adds nothing to the action's own tier.
    risk_tier: RiskTier | None = None
    # Set by the configuration or the host program.
    trusted_context: Mapping[str, Any] = _NOTHING
    # Stated by the caller, so it can only make a decision stricter.
    context: Mapping[str, Any] = _NOTHING
    moment: Moment | None = None
