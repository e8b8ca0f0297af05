"""What a request asks to be resolved (specs/PROTOCOL.md section 13)."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Final, get_args

from cra import canonical
from cra.config import RiskTier
from cra.errors import RequestRefused, ValueRefused

CARP_VERSION: Final = "1.0"
MAX_GOAL: Final = 8_192
MAX_WORDS: Final = 256


@dataclass(frozen=True)
class Task:
    """What is to be done, and what narrows it."""

    goal: str
    risk_tier: RiskTier | None = None
    hints: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    atlas_ids: tuple[str, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """What the request says of it, in the words of the format."""
        task: dict[str, Any] = {"goal": self.goal}
        if self.risk_tier is not None:
            task["risk_tier"] = self.risk_tier
        if self.hints:
            task["context_hints"] = list(self.hints)
        if self.capabilities:
            task["required_capabilities"] = list(self.capabilities)
        document: dict[str, Any] = {"task": task}
        if self.atlas_ids:
            document["atlas_ids"] = list(self.atlas_ids)
        if self.context:
            document["context"] = dict(self.context)
        return document


def task_of(
    goal: str,
    *,
    risk_tier: str | None = None,
    hints: tuple[str, ...] = (),
    capabilities: tuple[str, ...] = (),
    atlas_ids: tuple[str, ...] = (),
    context: Mapping[str, Any] | None = None,
) -> Task:
    """A task, its parts checked. Raises RequestRefused."""
    if not goal.strip() or len(goal) > MAX_GOAL:
        raise _refused("the goal", f"a goal of 1 to {MAX_GOAL} characters", goal)
    if len(hints) + len(capabilities) + len(atlas_ids) > MAX_WORDS:
        raise RequestRefused(f"expected at most {MAX_WORDS} hints, capabilities and atlases")
    tier: RiskTier | None = None
    for known in get_args(RiskTier):
        if risk_tier == known:
            tier = known
    if tier is None and risk_tier is not None:
        raise _refused("the risk tier", f"one of {', '.join(get_args(RiskTier))}", risk_tier)
    try:
        # A copy that nobody else holds, of what canonical JSON can hold.
        kept = canonical.decode(canonical.encode(dict(context or {})))
    except ValueRefused as error:
        raise RequestRefused(f"the context: {error.message}") from None
    return Task(goal, tier, hints, capabilities, atlas_ids, kept)


def _refused(name: str, expected: str, found: str) -> RequestRefused:
    return RequestRefused(f"{name}: expected {expected}, found {found!r:.60}")
