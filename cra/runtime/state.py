"""What the events of a session say of it: the fold that every call decides on.

It takes each event once, in the order of the chain, whoever wrote it; the writer of the session has
checked every line before.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final, Literal, TypeAlias

import orjson

from cra.config import RiskTier
from cra.errors import Code, IntegrityError
from cra.ledger.index import LedgerFile
from cra.ledger.verdict import doubted_ranges, unattested_bounds

if TYPE_CHECKING:
    from cra.protocol.events import ApprovalRequested

_Payload = Mapping[str, Any]

Standing: TypeAlias = Literal["pending", "stale", "granted", "denied", "expired", "used up"]
Progress: TypeAlias = Literal["open", "success", "error"]


@dataclass(frozen=True)
class Held:
    """A resolution of the session, as far as a call depends on it."""

    resolution_id: str
    span_id: str
    sequence: int
    # The event with the answer: another one, if the answer was given before.
    rests_on: int
    snapshot: str
    allowed: frozenset[str]
    expires_at: str
    # What the task stated: the tier and the context tighten a call as they tightened it.
    goal: str = ""
    risk_tier: RiskTier | None = None
    context: _Payload = field(default_factory=dict)


@dataclass
class Execution:
    """An intent of the session and what became of it."""

    execution_id: str
    action_id: str
    resolution_id: str | None
    arguments_digest: str
    idempotency_key: str | None
    sequence: int
    timestamp: str
    status: Progress = "open"
    # The outcome's payload and salt, for whoever asks again with the same key.
    outcome: tuple[_Payload, str] | None = None
    concluded_at: int = -1


@dataclass(frozen=True)
class Use:
    """What a call took of a limit, and when."""

    timestamp: str
    amount: int


@dataclass(frozen=True)
class Given:
    """A decision on an approval, as an event tells it."""

    sequence: int
    is_grant: bool
    payload: Mapping[str, Any]


@dataclass
class Approval:
    """What was asked for, every decision on it, and how often it was used."""

    approval_id: str
    sequence: int
    asked: ApprovalRequested
    salt: str
    decisions: list[Given] = field(default_factory=list)
    uses: int = 0

    @property
    def action_id(self) -> str:
        return self.asked["action_id"]

    @property
    def arguments(self) -> Mapping[str, Any]:
        return self.asked["arguments"]

    def decision(self, attested: Callable[[int], bool]) -> Given | None:
        """The first one that somebody vouches for: later ones change nothing."""
        return next((given for given in self.decisions if attested(given.sequence)), None)

    def standing(
        self, now: str, attested: Callable[[int], bool], snapshot: str | None = None
    ) -> Standing:
        """How it stands; `stale` if it was asked for under another snapshot than the one that is
        given, so that no grant would count."""
        given = self.decision(attested)
        if given is None and self.asked["expires_at"] <= now:
            return "expired"
        if given is None:
            is_stale = snapshot not in (None, self.asked["binding"]["snapshot"])
            return "stale" if is_stale else "pending"
        if given.payload["expires_at"] <= now:
            return "expired"
        if not given.is_grant:
            return "denied"
        allowed = given.payload["uses"]
        return "granted" if allowed is None or self.uses < allowed else "used up"


@dataclass
class SessionState:
    """A session, folded."""

    size: int = 0
    started: _Payload = field(default_factory=dict)
    is_ended: bool = False
    # What was read of the project when the session resolved last.
    project: str | None = None
    requests: set[str] = field(default_factory=set)
    # By the span of a request: the goal, the tier and the context that its task states.
    tasks: dict[str, tuple[str, RiskTier | None, _Payload]] = field(default_factory=dict)
    resolutions: dict[str, Held] = field(default_factory=dict)
    # By the answer that they rest on, the newest last.
    newest: dict[int, Held] = field(default_factory=dict)
    # Every action that a resolution contains.
    offered: set[str] = field(default_factory=set)
    # By the event that holds the answer.
    completed: dict[str, Held] = field(default_factory=dict)
    executions: dict[str, Execution] = field(default_factory=dict)
    by_key: dict[str, Execution] = field(default_factory=dict)
    # By the span of a call: the approval that it consumed.
    consumed: dict[str, str] = field(default_factory=dict)
    # By the key of a limit.
    uses: dict[str, list[Use]] = field(default_factory=lambda: defaultdict(list))
    approvals: dict[str, Approval] = field(default_factory=dict)
    # By action and digest of its arguments: the approval that was asked for last.
    asked: dict[tuple[str, str], str] = field(default_factory=dict)
    latest: str = ""
    _own: set[int] = field(default_factory=set)
    _doubts: list[tuple[int, range]] = field(default_factory=list)

    def read(self, first: int, lines: list[bytes], is_own: bool) -> None:
        """Take in the lines from a sequence on, except those that were taken in already."""
        for sequence, line in enumerate(lines, first):
            if sequence < self.size:
                continue
            if sequence > self.size:
                raise IntegrityError(
                    Code.MALFORMED_LINE,
                    f"expected event {self.size} next, which could not be taken in before, "
                    f"found event {sequence}",
                    fix="cra trace verify",
                )
            if is_own:
                self._own.add(sequence)
            self.take(event_of(line, sequence))

    def take(self, event: _Payload) -> None:
        """Take in the next event. Raises IntegrityError if its payload is none of its type."""
        self.latest = max(self.latest, event["timestamp"])
        take = _TAKERS.get(event["event_type"])
        if take is not None:
            try:
                take(self, event)
            except (KeyError, TypeError, AttributeError) as error:
                raise IntegrityError(
                    Code.MALFORMED_LINE,
                    f"expected the payload of {event['event_type']} in event {self.size}, "
                    "found another",
                    fix="cra trace verify",
                ) from error
        self.size += 1

    def is_attested(self, sequence: int, covered_size: Callable[[], int]) -> bool:
        """Whether an event may confer something: this process wrote it, or a checkpoint of its
        writer covers it and no other writer doubts it (specs/PROTOCOL.md section 5).

        How much is covered is asked for only if that decides: it takes a look at the disk.
        """
        if sequence in self._own:
            return True
        covered = covered_size()
        if sequence >= covered:
            return False
        voiced = [(at, named) for at, named in self._doubts if at in self._own or at < covered]
        return not any(sequence in doubt for doubt in doubted_ranges(voiced))

    def open_intents(self) -> list[Execution]:
        return [item for item in self.executions.values() if item.status == "open"]


def event_of(line: bytes, sequence: int) -> dict[str, Any]:
    """The event of a stored line, as it stands there. Raises IntegrityError if it is none."""
    try:
        event: dict[str, Any] = orjson.loads(line)
    except orjson.JSONDecodeError as error:
        raise IntegrityError(
            Code.MALFORMED_LINE,
            f"expected event {sequence}, found a line that is no JSON",
            fix="cra trace verify",
        ) from error
    return event


def folded(session: LedgerFile) -> SessionState:
    """A session as its file tells it, for whoever only reads. Raises IntegrityError."""
    state = SessionState()
    state.read(0, list(session.lines(0, session.count)), is_own=False)
    return state


def _hold(state: SessionState, held: Held) -> None:
    state.resolutions[held.resolution_id] = held
    state.newest.pop(held.rests_on, None)
    state.newest[held.rests_on] = held


def _start(state: SessionState, event: _Payload) -> None:
    state.started = event.get("payload") or {}


def _end(state: SessionState, event: _Payload) -> None:  # noqa: ARG001  # a taker of the table
    state.is_ended = True


def _doubt(state: SessionState, event: _Payload) -> None:
    bounds = unattested_bounds(event.get("payload"))
    if bounds is not None:
        state._doubts.append((event["sequence"], bounds))  # noqa: SLF001  # the fold is one subject


def _request(state: SessionState, event: _Payload) -> None:
    payload = event.get("payload") or {}
    state.requests.add(str(payload.get("request_id")))
    request = payload.get("request", {})
    state.tasks[event["span_id"]] = (
        request.get("task", {}).get("goal", ""),
        request.get("task", {}).get("risk_tier"),
        request.get("context", {}),
    )


def _resolve(state: SessionState, event: _Payload) -> None:
    payload = event.get("payload")
    if payload is None:
        return  # redacted: it confers nothing any more
    held = Held(
        payload["resolution_id"],
        event["span_id"],
        event["sequence"],
        event["sequence"],
        payload["snapshot"],
        frozenset(payload["allowed"]),
        payload["expires_at"],
        *state.tasks[event["span_id"]],
    )
    state.project = payload.get("project", payload["snapshot"])
    state.completed[event["event_id"]] = held
    state.offered |= held.allowed
    _hold(state, held)


def _resolve_again(state: SessionState, event: _Payload) -> None:
    payload = event.get("payload") or {}
    state.project = payload.get("project", payload.get("snapshot"))
    held = state.completed.get(payload.get("completed_event_id", ""))
    if held is not None:
        again = replace(
            held,
            resolution_id=payload["resolution_id"],
            span_id=event["span_id"],
            sequence=event["sequence"],
            rests_on=held.sequence,
            expires_at=payload["expires_at"],
            snapshot=payload["snapshot"],
        )
        _hold(state, again)


def _ask(state: SessionState, event: _Payload) -> None:
    payload = event.get("payload")
    if payload is None:
        return  # redacted: nobody can grant it any more
    _see(state, payload)
    if not payload.get("simulated"):
        approval_id = payload["approval_id"]
        state.approvals.setdefault(
            approval_id, Approval(approval_id, event["sequence"], payload, event["salt"])
        )
        state.asked[payload["action_id"], payload["arguments_digest"]] = approval_id


def _give(state: SessionState, event: _Payload) -> None:
    payload = event.get("payload")
    approval = state.approvals.get(payload["approval_id"]) if payload else None
    if approval is not None and payload is not None:
        is_grant = event["event_type"] == "approval.granted"
        approval.decisions.append(Given(event["sequence"], is_grant, payload))


def _consume(state: SessionState, event: _Payload) -> None:
    # Whoever wrote it: what was consumed counts.
    approval = state.approvals.get((event.get("payload") or {}).get("approval_id", ""))
    if approval is not None:
        approval.uses += 1
        state.consumed[event["span_id"]] = approval.approval_id


def _see(state: SessionState, payload: _Payload) -> None:
    """No later request has the id of one that was answered."""
    if "request_id" in payload:
        state.requests.add(payload["request_id"])


def _deny(state: SessionState, event: _Payload) -> None:
    _see(state, event.get("payload") or {})


def _intend(state: SessionState, event: _Payload) -> None:
    payload = event.get("payload") or {}
    _see(state, payload)
    if payload.get("simulated"):
        return
    execution = Execution(
        event["span_id"],
        payload.get("action_id", ""),
        payload.get("resolution_id"),
        payload.get("arguments_digest", ""),
        payload.get("idempotency_key"),
        event["sequence"],
        event["timestamp"],
    )
    state.executions[execution.execution_id] = execution
    if execution.idempotency_key is not None:
        state.by_key.setdefault(execution.idempotency_key, execution)
    for key, amount in payload.get("counted", {}).items():
        # A clock that stepped back takes no use out of its window.
        state.uses[key].append(Use(state.latest, amount))


def _conclude(state: SessionState, event: _Payload) -> None:
    execution = state.executions.get(event["span_id"])
    if execution is None or execution.status != "open":
        return
    execution.status = "success" if event["event_type"] == "action.executed" else "error"
    execution.concluded_at = event["sequence"]
    payload = event.get("payload")
    if payload is not None and execution.idempotency_key is not None:
        execution.outcome = payload, event["salt"]


_TAKERS: Final[Mapping[str, Callable[[SessionState, _Payload], None]]] = {
    "session.started": _start,
    "session.ended": _end,
    "ledger.recovered": _doubt,
    "carp.request.received": _request,
    "carp.resolution.completed": _resolve,
    "carp.resolution.cached": _resolve_again,
    "approval.requested": _ask,
    "approval.granted": _give,
    "approval.denied": _give,
    "approval.consumed": _consume,
    "action.approved": _intend,
    "action.denied": _deny,
    "action.executed": _conclude,
    "action.failed": _conclude,
}
