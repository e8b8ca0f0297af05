"""Where what decides is written: rules by their ids, from the project's directory."""

from __future__ import annotations

from collections.abc import Mapping

from cra.atlas.snapshot import where_written
from cra.policy.ladder import APPROVAL_TIER
from cra.policy.rule import RuleOrigin
from cra.runtime.project import Project


def place_of(project: Project, origin: RuleOrigin) -> str:
    """Where a rule is written, from the project's directory."""
    return where_written(project.snapshot, origin)


def places_by_id(project: Project) -> dict[str, str]:
    """Where everything is written now that decides, by its policy_id."""
    tiers = str(project.config.origins["policies.require_approval_for"])
    rules = (weighed.rule for weighed in project.policy.rules)
    return {rule.policy_id: place_of(project, rule.origin) for rule in rules} | {
        APPROVAL_TIER: tiers
    }


def place_now(places: Mapping[str, str], policy_id: str | None) -> str | None:
    """Where that stands now which decided once; None for what is written nowhere."""
    if policy_id is None or policy_id.startswith("default:"):
        return None
    return places.get(policy_id, "no longer there")
