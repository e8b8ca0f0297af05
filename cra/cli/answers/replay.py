"""What `cra replay`, `cra golden` and `cra trace diff` print."""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from typing import Any, Literal, TypeAlias

from typing_extensions import TypedDict

from cra.cli.answers.project import ErrorFacts
from cra.replay.compare import Compatibility, DifferenceType, Significance
from cra.replay.manifest import Mode, State


class DifferenceFacts(TypedDict):
    path: str
    type: DifferenceType
    significance: Significance
    reason: str
    # What stands there in the golden, and now.
    before: Any
    after: Any
    # None: of no event, such as an implementation that has changed.
    event_type: str | None
    action_id: str | None
    # The event's sequence in the golden, and in what is compared with it.
    golden: int | None
    found: int | None
    # Whether it follows from one before it.
    follows: bool
    # The rule that decides otherwise now.
    policy_id: str | None


class ReplayedGolden(TypedDict):
    name: str
    manifest: str
    mode: Mode
    state: State
    # None: not compared, in the mode verify or because of an error.
    compatibility: Compatibility | None
    golden_events: int
    found_events: int
    differences: list[DifferenceFacts]
    # What of the project is another than when it was recorded.
    changed: list[str]
    # Calls that cannot be decided again, as recorded.
    unverifiable: list[str]
    warnings: list[str]
    # Where what differs waits for cra golden review.
    pending: str | None
    error: ErrorFacts | None


class ReplayAnswer(TypedDict):
    passed: int
    failed: int
    goldens: list[ReplayedGolden]
    # What lies among the goldens and belongs to none; looked for in CI.
    left_over: list[str]
    # None: without --base.
    changed_since_base: list[str] | None


class GoldenRecordAnswer(TypedDict):
    name: str
    manifest: str
    events: int
    # What a replay says of it at once.
    compatibility: Compatibility | None
    # Calls that cannot be decided again.
    unverifiable: list[str]


class ListedGolden(TypedDict):
    name: str
    manifest: str
    steps: int
    events: int
    state: State
    compatibility: Compatibility | None
    # What of the project is another than when it was recorded.
    changed: list[str]
    # Whether a difference waits for cra golden review.
    pending: bool
    # When the manifest was written.
    modified: str
    # The SHA-256 of the manifest, which has those of all other files.
    digest: str


class GoldenListAnswer(TypedDict):
    goldens: list[ListedGolden]


class ReviewedGolden(TypedDict):
    name: str
    decision: Literal["accepted", "rejected", "skipped"]


class ReviewedAnswer(TypedDict):
    """What was decided, with --accept or --reject."""

    decided: list[ReviewedGolden]


class WaitingAnswer(TypedDict):
    """What is to be decided."""

    waiting: list[str]


GoldenReviewAnswer: TypeAlias = ReviewedAnswer | WaitingAnswer


class TraceDiffAnswer(TypedDict):
    compatibility: Compatibility
    golden_events: int
    found_events: int
    differences: list[DifferenceFacts]
