"""Why a call is decided as it is: every rule that was considered, and what would allow it."""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Mapping
from difflib import SequenceMatcher
from functools import partial
from itertools import islice
from typing import Final, Literal, NamedTuple, TypeAlias

from cra.config.values import nearest_of
from cra.errors import ValueRefused
from cra.policy.call import Call
from cra.policy.condition import fixed_miss
from cra.policy.engine import Policy, decide, foreign_to, key_of, matching, tiers_of
from cra.policy.ladder import APPROVAL_TIER, Ruling, Weighed, holds, overdrawn
from cra.policy.rule import Rule, RuleOrigin

State: TypeAlias = Literal["applies", "does not apply", "undecided", "failed"]

_MAX_ALTERNATIVES: Final = 3


class Considered(NamedTuple):
    """A rule whose patterns match the action; `why` is the condition, the limit or the error."""

    rule: Rule
    state: State
    why: str = ""


class Remedy(NamedTuple):
    """What would have to change, in words, and the rule that goes or comes if that is all."""

    words: str
    goes: Rule | None = None
    comes: Mapping[str, object] | None = None
    # What it would let through beside the call, where that is more than it seems.
    note: str | None = None


class Explanation(NamedTuple):
    """The decision, the ladder in its order, and what would have to change to allow the call."""

    decision: Ruling
    considered: tuple[Considered, ...]
    changes: tuple[Remedy, ...] = ()
    # What asks for an approval of a denied call once all that is changed.
    waits_then: tuple[str, ...] = ()


def explain(policy: Policy, call: Call, place_of: Callable[[RuleOrigin], str] = str) -> Explanation:
    """The whole ladder for a call, also the rules after the one that decides.

    `place_of` says where a rule is written, for the words about it.
    """
    decision = decide(policy, call)
    if call.action_id not in policy.actions:
        return Explanation(decision, (), (_unknown(policy, call),))
    considered = tuple(
        _considered(policy, weighed, call) for weighed in matching(policy, call.action_id)
    )
    changes: Iterator[Remedy] = iter(())
    waits_then: Iterator[str] = iter(())
    named = partial(_named, place_of=place_of)
    if decision.outcome == "deny":
        changes = _changes(policy, call, considered, named)
        waits_then = _asking(policy, decision, considered, named)
    elif decision.outcome == "requires_approval":
        changes = _without_asking(policy, decision, considered, named)
    return Explanation(decision, considered, tuple(changes), tuple(waits_then))


def alternatives(policy: Policy, call: Call, offered: Collection[str]) -> tuple[str, ...]:
    """The few actions most like a known one that the same caller may do, as while resolving.

    Those are `offered` that can be carried out; only those of the same atlas, or whose ids begin
    with the same word, are looked at.
    """
    asked = call.action_id
    atlas_id, word = policy.actions[asked].atlas_id, asked.partition(".")[0] + "."
    likeness = SequenceMatcher(b=asked, autojunk=False)

    def unlikeness(action_id: str) -> tuple[bool, float, str]:
        likeness.set_seq1(action_id)
        return not action_id.startswith(word), -likeness.ratio(), action_id

    near = sorted(
        (
            action_id
            for action_id, facts in policy.actions.items()
            if (facts.atlas_id == atlas_id or action_id.startswith(word))
            and action_id != asked
            and action_id in offered
        ),
        key=unlikeness,
    )
    allowed = (
        action_id
        for action_id in near
        if decide(policy, call._replace(action_id=action_id, moment=None)).outcome == "allow"
    )
    return tuple(islice(allowed, _MAX_ALTERNATIVES))


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


def _changes(
    policy: Policy, call: Call, considered: tuple[Considered, ...], named: Callable[[Rule], str]
) -> Iterator[Remedy]:
    """What stands against a call, each with its remedy; with all of them it is allowed, or waits
    for the approval that it needs."""
    for rule, state, why in considered:
        name = named(rule)
        if state == "failed":
            yield Remedy(f"mend what keeps {name} from being evaluated: {why}")
        elif state == "applies" and rule.type == "deny":
            words = f"remove the deny rule {name}, or narrow its actions or conditions"
            yield Remedy(_by_owner(rule, name) or words, goes=rule)
        elif state == "applies" and rule.limit is not None:
            yield Remedy(
                f"wait, or {_by_owner(rule, name) or f'raise the maximum of {name}'}: {why}"
            )
    allows = [one for one in considered if one.rule.type == "allow"]
    if not any(one.state in ("applies", "undecided") for one in allows):
        yield _missing_allow(policy, call, allows, named)


def _without_asking(
    policy: Policy,
    decision: Ruling,
    considered: tuple[Considered, ...],
    named: Callable[[Rule], str],
) -> Iterator[Remedy]:
    """What asks for an approval, each with what would let the call through without one."""
    for rule, state, _ in considered:
        if state == "applies" and rule.type == "require_approval":
            name = named(rule)
            words = _by_owner(rule, name) or f"remove the require_approval rule {name}"
            yield Remedy(f"have it approved, or {words}", goes=rule)
    tier = decision.risk_tier
    if tier in policy.approval_tiers:
        yield Remedy(f"have it approved, or raise policies.require_approval_for above {tier}")


def _asking(
    policy: Policy,
    decision: Ruling,
    considered: tuple[Considered, ...],
    named: Callable[[Rule], str],
) -> Iterator[str]:
    for rule, state, _ in considered:
        if state == "applies" and rule.type == "require_approval":
            yield named(rule)
    if decision.risk_tier in policy.approval_tiers:
        yield f"{APPROVAL_TIER}, which has the risk tier {decision.risk_tier}"


def _by_owner(rule: Rule, name: str) -> str | None:
    """What is done about a rule that an atlas states, which no project changes."""
    atlas_id = rule.origin.atlas_id
    if atlas_id is None:
        return None
    return (
        f"have the {rule.type} rule {name} changed by whoever owns the atlas {atlas_id}, where it "
        "is made, and accept that with cra atlas lock"
    )


def _named(rule: Rule, place_of: Callable[[RuleOrigin], str]) -> str:
    # What an action declares of itself is in no place of its own.
    return f"{rule.policy_id} ({place_of(rule.origin)})" if rule.origin.line else rule.policy_id


def _missing_allow(
    policy: Policy, call: Call, allows: list[Considered], named: Callable[[Rule], str]
) -> Remedy:
    tiers = frozenset(tiers_of(policy, call))
    for rule, _, why in allows:
        if why == "grants" and fixed_miss(rule, call, tiers) is None:
            return Remedy(
                f"grant {call.action_id} to the atlas {rule.origin.atlas_id}: "
                f"its rule {rule.policy_id} would allow it"
            )
    added = suggested_rule(policy, call)
    words = f"add to the project's policies: {json.dumps(added)}"
    bounds = [named(rule) for rule, _, why in allows if "parameters" in why.split(", ")]
    if not bounds:
        return Remedy(words, comes=added)
    note = f"this allows whatever arguments, and so lifts the bound of {', '.join(bounds)}"
    return Remedy(f"{words}; {note}", comes=added, note=note)


def _unknown(policy: Policy, call: Call) -> Remedy:
    nearest = nearest_of(call.action_id, {name: name for name in policy.actions})
    return Remedy(f"add an atlas that has it{f'; nearest: {nearest}' if nearest else ''}")
