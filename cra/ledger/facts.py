"""What is told of sessions to programs: by an outline and by totals, with all their members."""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from typing import Literal, NotRequired, TypeAlias

from typing_extensions import TypedDict

from cra.ledger.outline import State

CallStatus: TypeAlias = Literal["success", "error", "denied"]


class OutlineFacts(TypedDict):
    """A session by its first and last lines; what is null is not known."""

    session_id: str
    agent_id: str | None
    state: State
    events: int | None
    started: str | None
    last_activity: str | None


class IntentFacts(TypedDict):
    """An approved action without an outcome: what it did is not known."""

    session_id: str
    sequence: int
    action_id: str


class IncidentFacts(IntentFacts):
    """An action that failed or was denied."""

    reason: str


class OpenIntents(TypedDict):
    count: int
    # The first of them, as examples.
    first: list[IntentFacts]


class Incidents(TypedDict):
    count: int
    # The first of them, as examples.
    first: list[IncidentFacts]


class UnreadableFacts(TypedDict):
    count: int


class Anomalies(TypedDict):
    """What a person may want to look at, of each kind that there is."""

    open: NotRequired[OpenIntents]
    failed: NotRequired[Incidents]
    denied: NotRequired[Incidents]
    unreadable: NotRequired[UnreadableFacts]


class DurationMetric(TypedDict):
    """How many there are, and in seconds their sum, quantiles and maximum; null if there are
    none."""

    count: int
    sum: float
    p50: float | None
    p90: float | None
    p99: float | None
    max: float | None


class ActionMetric(TypedDict):
    action_id: str
    status: CallStatus
    value: int


class Metrics(TypedDict):
    """Totals under the names that monitoring knows them by; durations in seconds."""

    # By the decision.
    cra_resolutions_total: dict[str, int]
    cra_resolution_duration_seconds: DurationMetric
    cra_cache_hit_ratio: float | None
    cra_actions_total: list[ActionMetric]
    cra_action_duration_seconds: DurationMetric
    cra_denial_ratio: float | None
    cra_trace_events_per_second: float | None
    # By the type of event.
    cra_trace_events_total: dict[str, int]
