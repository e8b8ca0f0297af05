"""Scenarios of an atlas: what its own rules give an agent for a goal, and say of a call.

    {"scenarios": [
      {"name": "a reader finds tickets", "agent": "cli", "roles": ["reader"], "scopes": [],
       "resolve": {"goal": "find a ticket", "context": {"region": "eu"}},
       "expect": {"decision": "partial", "allowed": ["ticket.find"],
                  "denied": {"ticket.delete": "no-deletes"}}},
      {"name": "a refund over 100 asks", "roles": ["agent"],
       "call": {"action": "refund.make", "parameters": {"amount": 120}},
       "expect": {"decision": "requires_approval", "policy_id": "refund-cap"}}]}

A file is JSON or YAML and holds `scenarios` alone; a key that is not named here is a mistake.

- Who asks: `agent` (else cli), `roles`, `scopes`, and `trusted_context`, which the configuration
  would set. All are optional.
- Either `resolve` (`goal`, and if wanted `context`, `risk_tier`, `context_hints` and
  `required_capabilities`, as in a request) or `call` (`action`, and if wanted `parameters`,
  `context`, `risk_tier`; at noon on a Monday, with nothing of a limit used).
- `expect` of `resolve`: `decision` (allow, deny, partial or requires_approval); `allowed`, all
  actions that are offered, no more and no fewer; `denied`, some that are not, each with the rule
  that denies it. At least one of the three.
- `expect` of `call`: `decision` (allow, deny or requires_approval), and if wanted `policy_id`.

Scenarios are decided and never executed.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Final, Literal, NamedTuple, TypeAlias

from cra.atlas.model import Atlas
from cra.atlas.problem import Problems, SourceText, read_source
from cra.config import RiskTier
from cra.config.text import Node, Note
from cra.config.values import shown, with_article
from cra.errors import Fault, RequestRefused
from cra.policy.call import Call, Moment
from cra.policy.fixture import NOON, Case, flaw_of_action, flaw_of_arguments, run_cases
from cra.policy.ladder import NOT_EXECUTABLE, Outcome
from cra.policy.written import Name, below, members_of, read_list, read_or, read_plain
from cra.resolver.request import Caller, Task, task_of
from cra.resolver.resolve import World, resolve

Decision: TypeAlias = Literal["allow", "deny", "partial", "requires_approval"]

_WHO: Final = ("agent", "roles", "scopes", "trusted_context")
_RESOLVE: Final = ("goal", "context", "risk_tier", "context_hints", "required_capabilities")
_CALL: Final = ("action", "parameters", "context", "risk_tier")


class Expected(NamedTuple):
    """What a resolution has to say; None: anything."""

    decision: Decision | None
    allowed: frozenset[str] | None
    denied: Mapping[str, str]


@dataclass(frozen=True)
class Scenario:
    """One scenario and where it stands: a goal and what is expected of it, or a call."""

    name: str
    where: str
    caller: Caller
    goal: tuple[Task, Expected] | None
    call: Case | None


def read_scenarios(atlas: Atlas, label: str, problems: Problems) -> tuple[Scenario, ...]:
    """The scenarios of an atlas; every mistake is noted, and then they are not to be run."""
    found: list[Scenario] = []
    for name in atlas.tests:
        source, node = read_source(f"{label}/{name}", atlas.files[name], problems)
        if node is not None:
            found += _ScenarioReader(atlas, source).scenarios(node)
    return tuple(found)


def run_scenario(world: World, scenario: Scenario) -> tuple[str, ...]:
    """What came out otherwise than expected, in words; nothing if all is as expected."""
    if scenario.goal is not None:
        task, expected = scenario.goal
        return tuple(_differences(expected, resolve(world, scenario.caller, task)))
    case = scenario.call
    assert case is not None
    action_id = case.call.action_id
    _, action = world.snapshot.actions[action_id]
    if action.executor is None:
        # Such an action is in no resolution, so no call of it is ever allowed.
        if case.outcome == "deny" and case.policy_id in (None, NOT_EXECUTABLE):
            return ()
        expected_by = f"{case.outcome} by {case.policy_id or 'any rule'}"
        return (f"expected {expected_by}, found deny by {NOT_EXECUTABLE}",)
    [result] = run_cases(world.policy, {action_id: action.parameters_schema}, [case])
    return () if result.problem is None else (result.problem,)


def _differences(expected: Expected, found: Mapping[str, Any]) -> Iterator[str]:
    decision = found["decision"]
    if expected.decision not in (None, decision["type"]):
        yield (
            f"decision: expected {expected.decision}, found {decision['type']}: "
            f"{decision['reason']}"
        )
    allowed = {action["action_id"] for action in found["allowed_actions"]}
    if expected.allowed is not None and expected.allowed != allowed:
        yield f"allowed: expected {_listed(expected.allowed)}, found {_listed(allowed)}"
    denied = {action["action_id"]: action["policy_id"] for action in found["denied_actions"]}
    for action_id, policy_id in expected.denied.items():
        if action_id not in denied:
            instead = "it allowed" if action_id in allowed else "it not offered"
            yield f"denied.{action_id}: expected {policy_id}, found {instead}"
        elif denied[action_id] != policy_id:
            yield f"denied.{action_id}: expected {policy_id}, found {denied[action_id]}"


def _listed(names: Iterable[str]) -> str:
    return ", ".join(sorted(names)) or "none"


@dataclass(frozen=True)
class _ScenarioReader:
    atlas: Atlas
    source: SourceText

    @property
    def note(self) -> Note:
        return self.source.noting(Fault.MALFORMED)

    def scenarios(self, root: Node) -> list[Scenario]:
        listed = members_of(root, "", ["scenarios"], self.note).get("scenarios")
        if listed is None or not isinstance(listed.value, list) or not listed.value:
            found = "none" if listed is None else "an empty list"
            if listed is not None and not isinstance(listed.value, list):
                found = shown(listed.value)
            self.note(root.offset, "scenarios", "a list of one scenario or more", found, None)
            return []
        return [self._scenario(item, f"scenarios[{at}]") for at, item in enumerate(listed.value)]

    def _scenario(self, node: Node, place: str) -> Scenario:
        members = members_of(node, place, ["name", *_WHO, "resolve", "call", "expect"], self.note)
        for key in ("name", "expect"):
            if key not in members:
                self.note(node.offset, below(place, key), with_article(key), "none", None)
        if len(members.keys() & {"resolve", "call"}) != 1:
            found = "both" if "call" in members else "none of them"
            self.note(node.offset, place, "either resolve or call", found, None)
        caller = Caller(
            read_or("cli", Name, members.get("agent"), below(place, "agent"), self.note),
            frozenset(self._names(members, "roles", place)),
            frozenset(self._names(members, "scopes", place)),
            self._object(members, "trusted_context", place),
        )
        name = read_or("", Name, members.get("name"), below(place, "name"), self.note)
        expect = members.get("expect", Node(node.offset, {}))
        line, column = self.source.place(node.offset)
        goal = call = None
        if "resolve" in members:
            task = self._task(members["resolve"], below(place, "resolve"))
            goal = task, self._expected(expect, below(place, "expect"))
        elif "call" in members:
            call = self._case(name, caller, members["call"], expect, place)
        return Scenario(name, f"{self.source.file}:{line}:{column}", caller, goal, call)

    def _task(self, node: Node, place: str) -> Task:
        members = members_of(node, place, _RESOLVE, self.note)
        try:
            return task_of(
                read_or("", str, members.get("goal"), below(place, "goal"), self.note),
                risk_tier=self._tier(members, place),
                hints=self._names(members, "context_hints", place),
                capabilities=self._names(members, "required_capabilities", place),
                context=self._object(members, "context", place),
            )
        except RequestRefused as error:
            _, _, words = error.message.partition("expected ")
            expected, _, found = words.partition(", found ")
            self.note(node.offset, below(place, "goal"), expected, found, None)
            return Task("?")

    def _expected(self, node: Node, place: str) -> Expected:
        members = members_of(node, place, ("decision", "allowed", "denied"), self.note)
        if not members:
            self.note(node.offset, place, "decision, allowed or denied", "none of them", None)
        allowed = None
        if "allowed" in members:
            allowed = frozenset(self._actions(members["allowed"], below(place, "allowed")))
        denied = (
            self._denied(members["denied"], below(place, "denied")) if "denied" in members else {}
        )
        decision = read_or(
            None, Decision, members.get("decision"), below(place, "decision"), self.note
        )
        return Expected(decision, allowed, denied)

    def _actions(self, node: Node, place: str) -> Iterator[str]:
        """The ids in a list, which may be empty: that nothing is allowed is worth expecting."""
        if not isinstance(node.value, list):
            self.note(node.offset, place, "a list of action ids", shown(node.value), None)
            return
        for at, item in enumerate(node.value):
            yield self._action(item, f"{place}[{at}]")

    def _denied(self, node: Node, place: str) -> dict[str, str]:
        if not isinstance(node.value, dict):
            expected = "an object of action ids and policy ids"
            self.note(node.offset, place, expected, shown(node.value), None)
            return {}
        denied = {}
        for key, (offset, member) in node.value.items():
            self._known(key, offset, below(place, key))
            denied[key] = read_or("", Name, member, below(place, key), self.note)
        return denied

    def _case(self, name: str, caller: Caller, node: Node, expect: Node, place: str) -> Case:
        inner = below(place, "call")
        members = members_of(node, inner, _CALL, self.note)
        action_id = self._action(
            members.get("action", Node(node.offset, "")), below(inner, "action")
        )
        parameters = self._object(members, "parameters", inner)
        self._check_parameters(action_id, parameters, members.get("parameters", node), inner)
        call = Call(
            action_id,
            caller.agent,
            caller.roles,
            caller.scopes,
            self._tier(members, inner),
            caller.context,
            self._object(members, "context", inner),
        )
        outer = below(place, "expect")
        wanted = members_of(expect, outer, ("decision", "policy_id"), self.note)
        if "decision" not in wanted:
            self.note(expect.offset, below(outer, "decision"), "a decision", "none", None)
        return Case(
            name,
            call,
            Moment(parameters, NOON),
            {},
            read_or("deny", Outcome, wanted.get("decision"), below(outer, "decision"), self.note),
            read_or(None, Name, wanted.get("policy_id"), below(outer, "policy_id"), self.note),
        )

    def _check_parameters(
        self, action_id: str, parameters: Mapping[str, Any], node: Node, place: str
    ) -> None:
        for action in self.atlas.actions:
            if action.action_id == action_id:
                flaw = flaw_of_arguments(action_id, parameters, action.parameters_schema)
                if flaw is not None:
                    name = below(place, "parameters")
                    self.note(node.offset, name, flaw.expected, flaw.found, flaw.nearest)

    def _action(self, node: Node, place: str) -> str:
        if not isinstance(node.value, str):
            self.note(node.offset, place, "an action id", shown(node.value), None)
            return ""
        self._known(node.value, node.offset, place)
        return node.value

    def _known(self, action_id: str, offset: int, place: str) -> None:
        flaw = flaw_of_action(action_id, (action.action_id for action in self.atlas.actions))
        if flaw is not None:
            note = self.source.noting(Fault.DANGLING)
            note(offset, place, flaw.expected, flaw.found, flaw.nearest)

    def _names(self, members: Mapping[str, Node], key: str, place: str) -> tuple[str, ...]:
        node = members.get(key)
        if node is None or node.value == []:
            return ()
        return read_list(Name, node, below(place, key), self.note)

    def _tier(self, members: Mapping[str, Node], place: str) -> RiskTier | None:
        tier: RiskTier | None = read_or(
            None, RiskTier, members.get("risk_tier"), below(place, "risk_tier"), self.note
        )
        return tier

    def _object(self, members: Mapping[str, Node], key: str, place: str) -> dict[str, Any]:
        if key not in members:
            return {}
        found = read_plain(members[key], below(place, key), self.note)
        if not isinstance(found, dict):
            self.note(members[key].offset, below(place, key), "an object", shown(found), None)
            return {}
        return found
