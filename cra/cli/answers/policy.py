"""What `cra policy` prints."""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from collections.abc import Mapping
from typing import Any

from typing_extensions import TypedDict

from cra.policy.ladder import Outcome
from cra.policy.lint import Kind
from cra.policy.suggest import SuggestedRule, SuggestedTest


class RemarkFacts(TypedDict):
    """What is right by the letter of a rule, and probably not meant."""

    kind: Kind
    policy_id: str | None
    where: str
    message: str


class PlacedRemark(RemarkFacts):
    # None: of the project.
    atlas_id: str | None


class PolicyCheckAnswer(TypedDict):
    # How many rules were looked at.
    rules: int
    findings: list[PlacedRemark]
    # What may well be meant.
    notes: list[PlacedRemark]


class ExpectedDecision(TypedDict):
    decision: Outcome
    # None: whatever rule decides.
    policy_id: str | None


class FoundDecision(TypedDict):
    decision: Outcome
    policy_id: str
    reason: str


class PolicyCaseFacts(TypedDict):
    file: str
    name: str
    passed: bool
    expected: ExpectedDecision
    found: FoundDecision
    problem: str | None


class PolicyTestAnswer(TypedDict):
    tests: list[PolicyCaseFacts]
    passed: int
    failed: int


class NewDecision(TypedDict):
    type: Outcome
    policy_id: str
    reason: str


class RecordedDecision(TypedDict):
    type: Outcome
    policy_id: str | None


class FlipFacts(TypedDict):
    session_id: str
    sequence: int
    timestamp: str
    agent_id: str
    action_id: str
    arguments: Mapping[str, Any]
    before: RecordedDecision
    after: NewDecision
    widened: bool


class BacktestAnswer(TypedDict):
    calls: int
    # By the reason, how many calls could not be decided again.
    left_out: dict[str, int]
    widened: int
    counts: dict[str, int]
    flips: list[FlipFacts]


class SuggestAnswer(TypedDict):
    """A policy file and the file of its tests, in one."""

    policies: list[SuggestedRule]
    tests: list[SuggestedTest]
    # By the reason, how many calls could not be decided again.
    left_out: dict[str, int]
