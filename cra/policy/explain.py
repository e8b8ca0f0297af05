"""Why a call is decided as it is: every rule that was considered, and what would allow it."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Literal, NamedTuple, TypeAlias

from cra.config.values import nearest_of
from cra.errors import ValueRefused
from cra.policy.call import Call
from cra.policy.condition import fixed_miss
from cra.policy.engine import Policy, decide, foreign_to, key_of, matching, tiers_of
from cra.policy.ladder import Ruling, Weighed, holds, overdrawn
from cra.policy.rule import Rule

State: TypeAlias = Literal["applies", "does not apply", "undecided", "failed"]


class Considered(NamedTuple):
    """A rule whose patterns match the action; `why` is the condition, the limit or the error."""

    rule: Rule
    state: State
    why: str = ""


class Explanation(NamedTuple):
    """The decision, the ladder in its order, and what would have to change to allow the call."""

    decision: Ruling
    considered: tuple[Considered, ...]
    changes: tuple[str, ...] = ()


def explain(policy: Policy, call: Call) -> Explanation:
    """The whole ladder for a call, also the rules after the one that decides."""
    decision = decide(policy, call)
    if call.action_id not in policy.actions:
        return Explanation(decision, (), (_unknown(policy, call),))
    considered = tuple(
        _considered(policy, weighed, call) for weighed in matching(policy, call.action_id)
    )
    changes = tuple(_changes(policy, call, considered)) if decision.outcome == "deny" else ()
    return Explanation(decision, considered, changes)


def suggested_rule(policy: Policy, call: Call) -> dict[str, object]:
    """The narrowest rule that would allow a call where none does, as a policy file holds it."""
    taken = {weighed.rule.policy_id for weighed in policy.rules}
    wanted = "allow-" + call.action_id.replace(".", "-")
    numbered = (f"{wanted}-{number}" for number in range(2, len(taken) + 3))
    name = wanted if wanted not in taken else next(one for one in numbered if one not in taken)
    return {
        "policy_id": name,
        "type": "allow",
        "actions": [call.action_id],
        "conditions": {"agents": [call.agent]},
    }


def _considered(policy: Policy, weighed: Weighed, call: Call) -> Considered:
    rule = weighed.rule
    missed = foreign_to(rule, call.action_id, policy.actions, policy.grants) or fixed_miss(
        rule, call, frozenset(tiers_of(policy, call))
    )
    if missed is not None:
        return Considered(rule, "does not apply", missed)
    try:
        found = holds(weighed, call)
        if found is not True:
            missed = ", ".join(check.name for check in weighed.checks if check.test(call) is found)
            return Considered(rule, "undecided" if found is None else "does not apply", missed)
    except ValueRefused as error:
        return Considered(rule, "failed", error.message)
    if rule.limit is None:
        return Considered(rule, "applies")
    if call.moment is None:
        return Considered(rule, "undecided", "what is used")
    keyed = weighed._replace(key=key_of(rule, call))
    excess = overdrawn(keyed, rule.limit, policy.actions[call.action_id], call.moment)
    return Considered(rule, "applies" if excess else "does not apply", excess or "not used up")


def _changes(policy: Policy, call: Call, considered: tuple[Considered, ...]) -> Iterator[str]:
    """What stands against a call, each with its remedy; all of them together allow it."""
    for rule, state, why in considered:
        name = f"{rule.policy_id} ({rule.origin})"
        if state == "failed":
            yield f"mend what keeps {name} from being evaluated: {why}"
        elif state == "applies" and rule.type == "deny":
            yield f"remove the deny rule {name}, or narrow its actions or conditions"
        elif state == "applies" and rule.limit is not None:
            yield f"wait, or raise the maximum of {name}: {why}"
    allows = [one for one in considered if one.rule.type == "allow"]
    if not any(one.state in ("applies", "undecided") for one in allows):
        yield _missing_allow(policy, call, allows)


def _missing_allow(policy: Policy, call: Call, allows: list[Considered]) -> str:
    tiers = frozenset(tiers_of(policy, call))
    for rule, _, why in allows:
        if why == "grants" and fixed_miss(rule, call, tiers) is None:
            return (
                f"grant {call.action_id} to the atlas {rule.origin.atlas_id}: "
                f"its rule {rule.policy_id} would allow it"
            )
    return f"add to the project's policies: {json.dumps(suggested_rule(policy, call))}"


def _unknown(policy: Policy, call: Call) -> str:
    nearest = nearest_of(call.action_id, {name: name for name in policy.actions})
    return f"add an atlas that has it{f'; nearest: {nearest}' if nearest else ''}"
