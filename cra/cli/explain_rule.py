"""`cra explain RULE`: what a rule says, where it is written, and which actions it is about."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cra.cli import output
from cra.cli.atlas_read import rule_facts
from cra.policy.condition import words_of_rule
from cra.policy.rule import LADDER, Rule
from cra.runtime.places import place_of

if TYPE_CHECKING:
    from cra.cli.answers.explain import RuleAnswer, WrittenRule
    from cra.runtime.project import Project


def explain_rule(opened: Project, policy_id: str, *, as_json: bool) -> bool:
    """Print the rules that have an id, of which an atlas may have one of its own. Returns whether
    there is any."""
    found = [_facts(opened, rule) for rule in _rules(opened) if rule.policy_id == policy_id]
    if found and as_json:
        answer: RuleAnswer = {"policy_id": policy_id, "rules": found}
        output.answer_json(answer)
    elif found:
        for at, facts in enumerate(found):
            _print(facts, is_first=at == 0)
    return bool(found)


def _rules(opened: Project) -> list[Rule]:
    read = opened.snapshot
    written = [*read.policies, *(rule for atlas in read.atlases for rule in atlas.policies)]
    # What is on no rung decides nothing, and is a rule all the same.
    others = [rule for rule in written if rule.type not in LADDER]
    return [*(weighed.rule for weighed in opened.policy.rules), *others]


def _facts(opened: Project, rule: Rule) -> WrittenRule:
    return {
        **rule_facts(rule),
        "where": place_of(opened, rule.origin),
        "atlas_id": rule.origin.atlas_id,
        "words": words_of_rule(rule),
        "about": _about(opened, rule),
    }


def _about(opened: Project, rule: Rule) -> list[str]:
    """The actions of the project that a rule is about; an atlas's is about its own alone."""
    return [
        action_id
        for action_id, (atlas, _) in opened.snapshot.actions.items()
        if rule.origin.atlas_id in (None, atlas.atlas_id)
        and (rule.patterns is None or any(one.matches(action_id) for one in rule.patterns))
    ]


def _print(facts: WrittenRule, *, is_first: bool) -> None:
    if not is_first:
        output.answer()
    output.answer(output.style(output.safe(facts["policy_id"]), "accent"))
    rows = [
        ("atlas", facts["atlas_id"]),
        ("where", facts["where"]),
        ("says", facts["words"]),
        ("reason", facts["reason"]),
        ("about", ", ".join(facts["about"]) or "no action of this project"),
    ]
    for name, text in rows:
        if text:
            output.answer(output.wrapped(f"{name + ':':<8}{text}", indent="  ", hang=" " * 8))
