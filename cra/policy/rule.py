"""One rule, in the one form that every spelling is brought into (specs/PROTOCOL.md, policies)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from cra.config import RiskTier
from cra.policy.pattern import Pattern

RuleType: TypeAlias = Literal[
    "deny", "require_approval", "rate_limit", "budget", "allow", "redact", "scope"
]

# The order in which the rungs of the ladder are asked; `redact` and `scope` are no rungs.
LADDER: Final[tuple[RuleType, ...]] = (
    "deny",
    "require_approval",
    "rate_limit",
    "budget",
    "allow",
)


class RuleOrigin(NamedTuple):
    """Where a rule is written; `atlas_id` is None for the project's own."""

    file: str
    line: int
    column: int
    atlas_id: str | None = None

    def __str__(self) -> str:
        return f"{self.file}:{self.line}:{self.column}"


class TimeWindow(NamedTuple):
    """Days of the week (0 is Monday) and minutes of the day, at a fixed offset from UTC.

    A window whose end is before its start goes over midnight and belongs to the day it begins on.
    """

    days: frozenset[int] = frozenset(range(7))
    start: int = 0
    end: int = 24 * 60
    utc_offset: int = 0


class Conditions(NamedTuple):
    """What has to hold for a rule to apply; an empty member asks for nothing."""

    agents: frozenset[str] = frozenset()
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    risk_tiers: frozenset[RiskTier] = frozenset()
    time_window: TimeWindow | None = None
    # A key of the context, and the values that it may have.
    context: Mapping[str, tuple[Any, ...]] | None = None
    # A JSON Schema that the arguments have to meet.
    parameters: Mapping[str, Any] | None = None


class Limit(NamedTuple):
    """What a rate_limit (calls) or a budget (declared cost units) allows within a window."""

    maximum: int
    window_seconds: int
    per: Literal["session", "agent", "project"] = "session"


class Rule(NamedTuple):
    """A rule of a project or of an atlas."""

    policy_id: str
    type: RuleType
    # None: all actions that the rule can be about.
    patterns: tuple[Pattern, ...] | None
    priority: int
    reason: str
    conditions: Conditions
    origin: RuleOrigin
    limit: Limit | None = None
    # Keys that approve, for a require_approval rule that names some.
    approvers: tuple[str, ...] = ()
    # What a redact rule looks for, and what a scope rule leaves: as written, until they are used.
    settings: Mapping[str, Any] | None = None

    @property
    def is_unconditional(self) -> bool:
        return self.conditions == Conditions()
