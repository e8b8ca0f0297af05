"""Where what decides is written: rules by their ids, from the project's directory."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Final

from cra.atlas.snapshot import where_written
from cra.policy.condition import DAYS
from cra.policy.ladder import APPROVAL_TIER
from cra.policy.rule import Rule, RuleOrigin
from cra.runtime.project import Project

# Of a condition that may be as long as a schema.
_MAX_TOLD: Final = 240


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


def rules_by_id(project: Project) -> dict[str, tuple[str, ...]]:
    """What each rule says now, in a few lines, by its policy_id."""
    rules = (weighed.rule for weighed in project.policy.rules)
    return {rule.policy_id: tuple(_told(rule)) for rule in rules}


def _told(rule: Rule) -> Iterator[str]:
    """What a rule is, why, and what has to hold for it to apply."""
    yield rule.type + (f", priority {rule.priority}" if rule.priority else "")
    if rule.reason:
        yield rule.reason
    if rule.limit is not None:
        maximum, seconds, per = rule.limit
        yield f"at most {maximum:,} within {seconds:,} s per {per}"
    wanted = rule.conditions
    for name in ("agents", "roles", "scopes", "risk_tiers"):
        if names := getattr(wanted, name):
            yield f"if {name.replace('_', ' ')}: {', '.join(sorted(names))}"
    if wanted.time_window is not None:
        days, start, end, offset = wanted.time_window
        named = ", ".join(DAYS[day] for day in sorted(days))
        yield f"if time: {named}, {_clock(start)} to {_clock(end)}, {offset:+} min from UTC"
    for name in ("context", "parameters"):
        if (value := getattr(wanted, name)) is not None:
            text = json.dumps(value, ensure_ascii=False)
            cut = text if len(text) <= _MAX_TOLD else text[: _MAX_TOLD - 1] + "…"
            yield f"if {name}: {cut}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def place_now(places: Mapping[str, str], policy_id: str | None) -> str | None:
    """Where that stands now which decided once; None for what is written nowhere."""
    if policy_id is None or policy_id.startswith("default:"):
        return None
    return places.get(policy_id, "no longer there")
