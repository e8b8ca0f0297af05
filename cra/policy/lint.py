"""What is right by the letter and probably not meant: rules that can never matter, and gaps."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final, Literal, NamedTuple, TypeAlias

from cra.policy.engine import foreign_to, in_order
from cra.policy.ladder import ActionFacts
from cra.policy.pattern import Pattern
from cra.policy.rule import Rule, RuleOrigin

Kind: TypeAlias = Literal[
    "no-allow",
    "no-rules",
    "matches-nothing",
    "allows-nothing",
    "beyond-grants",
    "shadowed",
    "unreachable",
    "unreachable-limit",
]

_PROGRAMS: Final = "functions that a program governs are not looked at"


class Remark(NamedTuple):
    """One oddity in words. `origin` None: of the rules as a whole; without a line: of an atlas."""

    kind: Kind
    message: str
    policy_id: str | None = None
    origin: RuleOrigin | None = None

    @property
    def is_note(self) -> bool:
        """Whether it may well be meant: what allows nothing here opens nothing."""
        return self.kind == "allows-nothing"


class _Reach(NamedTuple):
    """A rule of the ladder and the actions that it says something about."""

    rule: Rule
    actions: frozenset[str]


def lint(
    rules: Sequence[Rule],
    actions: Mapping[str, ActionFacts],
    grants: Mapping[str, Sequence[Pattern]],
) -> tuple[Remark, ...]:
    """The findings about rules, as `compile_policy` is given them, in the ladder's order."""
    reaches = [
        _Reach(
            rule,
            frozenset(
                name
                for name in _matched(rule.patterns, actions)
                if foreign_to(rule, name, actions, grants) is None
            ),
        )
        for rule in in_order(rules)
    ]
    findings = [finding for rule in rules for finding in _idle_patterns(rule, actions)]
    findings += _beyond_grants(rules, actions, grants)
    findings += _shadowed(reaches)
    findings += _unreachable(reaches)
    findings += _without_allow(reaches, actions)
    return tuple(findings)


def empty_file(file: str) -> Remark:
    """The finding about a file of a project's rules that holds none."""
    return Remark("no-rules", f"{file} holds no rule", origin=RuleOrigin(file, 1, 1))


def _without_allow(
    reaches: Iterable[_Reach], actions: Mapping[str, ActionFacts]
) -> Iterator[Remark]:
    allows = [reach for reach in reaches if _may_allow(reach, actions)]
    if not allows:
        yield Remark("no-allow", "no rule allows any action of any atlas: all are denied")
        return
    allowed = {actions[name].atlas_id for reach in allows for name in reach.actions}
    for atlas_id in sorted({facts.atlas_id for facts in actions.values()} - allowed):
        message = f"no rule allows any action of {atlas_id}: all of its are denied"
        yield Remark("no-allow", message, origin=RuleOrigin("", 0, 0, atlas_id))


def _may_allow(reach: _Reach, actions: Mapping[str, ActionFacts]) -> bool:
    """Whether a rule allows something; in a project without atlases, functions of a program."""
    is_for_programs = not actions and reach.rule.origin.atlas_id is None
    return reach.rule.type == "allow" and (bool(reach.actions) or is_for_programs)


def _matched(patterns: Iterable[Pattern] | None, names: Iterable[str]) -> list[str]:
    if patterns is None:
        return list(names)
    wanted = tuple(patterns)
    return [name for name in names if any(pattern.matches(name) for pattern in wanted)]


def _idle_patterns(rule: Rule, actions: Mapping[str, ActionFacts]) -> Iterator[Remark]:
    """Patterns without an action. What a program governs is known to it alone, so that a project's
    rule may be about that."""
    atlas_id = rule.origin.atlas_id
    known = [name for name, facts in actions.items() if atlas_id in (None, facts.atlas_id)]
    whose = "of its atlas" if atlas_id else f"of any atlas; {_PROGRAMS}"
    is_note = atlas_id is None and rule.type == "allow"
    for pattern in rule.patterns or ():
        if not _matched([pattern], known):
            message = f"{rule.policy_id}: {pattern} matches no action {whose}"
            kind: Kind = "allows-nothing" if is_note else "matches-nothing"
            yield Remark(kind, message, rule.policy_id, rule.origin)


def _beyond_grants(
    rules: Iterable[Rule],
    actions: Mapping[str, ActionFacts],
    grants: Mapping[str, Sequence[Pattern]],
) -> Iterator[Remark]:
    for rule in rules:
        beyond = [
            name
            for name in _matched(rule.patterns, actions)
            if foreign_to(rule, name, actions, grants) == "grants"
        ]
        if beyond:
            message = (
                f"{rule.policy_id} allows {_listed(beyond)}, "
                f"which {rule.origin.atlas_id} was not granted: it does not count there"
            )
            yield Remark("beyond-grants", message, rule.policy_id, rule.origin)


def _shadowed(reaches: Sequence[_Reach]) -> Iterator[Remark]:
    """Rules that are never the one that decides: an earlier one always is."""
    earlier: list[_Reach] = []
    for reach in reaches:
        rule = reach.rule
        # Each limit is counted, whatever other limits there are.
        if rule.limit is not None or not reach.actions:
            continue
        for first in earlier:
            if _replaces(first.rule, rule) and reach.actions <= first.actions:
                message = (
                    f"{rule.policy_id} never decides: {first.rule.policy_id} "
                    f"({first.rule.origin}) is asked before it and has no conditions"
                )
                yield Remark("shadowed", message, rule.policy_id, rule.origin)
                break
        if reach.rule.is_unconditional:
            earlier.append(reach)


def _replaces(first: Rule, rule: Rule) -> bool:
    return first.type == rule.type and (
        not rule.approvers or set(first.approvers) == set(rule.approvers)
    )


def _unreachable(reaches: Sequence[_Reach]) -> Iterator[Remark]:
    """Rules whose every action an unconditional rule denies."""
    denies = [one for one in reaches if one.rule.type == "deny" and one.rule.is_unconditional]
    denied = frozenset(name for one in denies for name in one.actions)
    for rule, actions in reaches:
        if rule.type == "deny" or not actions or not actions <= denied:
            continue
        by = _listed([one.rule.policy_id for one in denies if one.actions & actions])
        kind: Kind = "unreachable" if rule.limit is None else "unreachable-limit"
        message = f"{rule.policy_id} is never reached: all that it is about is denied by {by}"
        yield Remark(kind, message, rule.policy_id, rule.origin)


def _listed(names: Sequence[str]) -> str:
    rest = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + rest
