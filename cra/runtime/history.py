"""What the ledger tells of calls that were decided, for whoever decides them again."""

from __future__ import annotations

from collections import defaultdict, deque
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any, Final, NamedTuple, TypeAlias

from cra import canonical
from cra.errors import ValueRefused
from cra.ledger.blobs import read_member
from cra.ledger.index import JOURNAL_FILE, LedgerFile, session_files, session_id_of
from cra.policy.backtest import PastCall, PastUse
from cra.policy.call import Call, Granted, Moment
from cra.policy.engine import Policy
from cra.policy.ladder import Outcome
from cra.runtime.decision import BESIDE_POLICY
from cra.runtime.project import Project
from cra.runtime.reservations import LIMIT
from cra.runtime.state import SessionState, event_of

# The events that tell what was decided of a call.
OUTCOMES: dict[str, Outcome] = {
    "action.approved": "allow",
    "action.denied": "deny",
    "approval.requested": "requires_approval",
}
_NO_ARGUMENTS: Final = "with a secret in the arguments, which is not recorded"
_EPOCH: Final = datetime(1970, 1, 1)  # noqa: DTZ001  # as `_microseconds` reads timestamps
# Longer than a decision takes; what lies further back is of a window of another length.
_MOMENT: Final = 10_000_000
# What reserved nothing comes after what did at the same time.
_LAST: Final = 1 << 62


class Reserved(NamedTuple):
    """What a call took of a limit that sessions share, as the journal tells it."""

    at: int
    number: int
    key: str
    amount: int


_Order: TypeAlias = tuple[int, int, str, int]


@dataclass
class History:
    """Past calls in the order in which they took of limits, and how many could not be told."""

    past: list[PastCall | PastUse] = field(default_factory=list)
    # Calls that were let through with arguments that are not recorded.
    without_arguments: list[PastCall] = field(default_factory=list)
    left_out: dict[str, int] = field(default_factory=dict)

    @property
    def calls(self) -> list[PastCall]:
        """The calls that were chosen, and can be decided again."""
        return [one for one in self.past if isinstance(one, PastCall) and one.is_chosen]

    @property
    def left_out_with_arguments(self) -> dict[str, int]:
        """Why calls are left out by whoever does not ask for their arguments."""
        return {why: count for why, count in self.left_out.items() if why != _NO_ARGUMENTS}


def past_calls(
    project: Project, *, since: str = "", agent: str | None = None, session_id: str | None = None
) -> History:
    """The calls of all sessions. Those from a time on, of an agent and of a session are chosen.

    Raises IntegrityError.
    """
    history = History()
    directory = project.config.trace_directory
    reserved = _reserved(directory / JOURNAL_FILE, project.policy)
    ordered: list[tuple[_Order, PastCall | PastUse]] = []
    for path in session_files(directory):
        name = session_id_of(path)
        reader = _SessionCalls(project, history, path, reserved.pop(name, deque()))
        for event, state in events_of(path):
            if event["event_type"] in OUTCOMES:
                is_chosen = (
                    event["timestamp"] >= since
                    and agent in (None, state.started.get("agent_id"))
                    and session_id in (None, name)
                )
                ordered += reader.read(event, state, is_chosen=is_chosen)
        ordered += reader.rest()
    # A session that is gone has taken what it took.
    for name, shares in reserved.items():
        ordered += [_used(name, share) for share in shares]
    ordered.sort(key=lambda one: one[0])
    history.past = [past for _, past in ordered]
    return history


def events_of(path: Path) -> Iterator[tuple[dict[str, Any], SessionState]]:
    """Each event of a session, and the session as it was before it. Raises IntegrityError."""
    state = SessionState()
    with LedgerFile(path) as session:
        for sequence, line in enumerate(session.lines(0, session.count)):
            event = event_of(line, sequence)
            yield event, state
            state.take(event)


@dataclass
class _SessionCalls:
    """The calls of a session, and what they took of limits that sessions share.

    A reservation is written before its call's intent, and both under the session's lock: what a
    session reserved since its last intent is the next one's.
    """

    project: Project
    history: History
    path: Path
    reserved: deque[Reserved]

    def read(
        self, event: dict[str, Any], state: SessionState, *, is_chosen: bool
    ) -> Iterator[tuple[_Order, PastCall | PastUse]]:
        name, sequence = session_id_of(self.path), event["sequence"]
        payload = event.get("payload") or {}
        # A clock that stepped back takes no use out of its window.
        at, number = _microseconds(max(event["timestamp"], state.latest)), _LAST
        if "possible_at" in payload:
            # It was decided on a moment before it was recorded.
            at = min(at, _microseconds(payload["possible_at"]) - 1)
        shares = self._shares(event)
        past = self._past(event, state, at, is_chosen=is_chosen)
        if past is None:
            yield from (_used(name, share) for share in shares)
            shared = {share.key for share in shares}
            own = {key: cost for key, cost in _counted(event).items() if key not in shared}
            if own:
                yield (at, number, name, sequence), PastUse(name, at, own)
            return
        for share in shares:
            if share.key in _counted(event):
                at, number = share.at, share.number
            else:
                # Its intent was never recorded.
                yield _used(name, share)
        yield (at, number, name, sequence), past._replace(at=at)

    def rest(self) -> Iterator[tuple[_Order, PastUse]]:
        """What was reserved, and led to no intent."""
        return (_used(session_id_of(self.path), share) for share in self.reserved)

    def _shares(self, event: Mapping[str, Any]) -> list[Reserved]:
        found: list[Reserved] = []
        if event["event_type"] == "action.approved":
            until = _microseconds(event["timestamp"])
            while self.reserved and self.reserved[0].at <= until:
                found.append(self.reserved.popleft())
        return found

    def _past(
        self, event: dict[str, Any], state: SessionState, at: int, *, is_chosen: bool
    ) -> PastCall | None:
        """The call that an event decided; None if it cannot be decided again."""
        payload, outcome = event.get("payload"), OUTCOMES[event["event_type"]]
        if payload is not None and payload.get("simulated"):
            return None
        why = self._objection(payload, outcome)
        past = None
        if payload is not None and why is None:
            decision = payload.get("decision", payload)
            past = PastCall(
                session_id_of(self.path),
                event["sequence"],
                event["timestamp"],
                at,
                call_without_arguments(self.project, event, state),
                outcome,
                decision["policy_id"],
                _approval(event, state),
                is_chosen,
            )
            try:
                return past._replace(call=call_of(self.project, self.path, event, state))
            except ValueRefused:
                why = _NO_ARGUMENTS
        if is_chosen and why is not None:
            self.history.left_out[why] = self.history.left_out.get(why, 0) + 1
            self.history.without_arguments += [past] if past and outcome == "allow" else []
        return None

    def _objection(self, payload: Mapping[str, Any] | None, outcome: Outcome) -> str | None:
        """Why a call is left out."""
        if payload is None:
            return "redacted"
        if "arguments" not in payload or payload.get("policy_id") in BESIDE_POLICY:
            return "not decided by policy"
        if outcome == "deny" and "approval_id" in payload:
            return "denied by a person"
        if payload["action_id"] not in self.project.snapshot.actions:
            return "of no atlas of the project, or of a host program"
        return None


def call_of(project: Project, path: Path, event: dict[str, Any], state: SessionState) -> Call:
    """The call that an event decided, as policy saw it. Raises ValueRefused if a part of it is not
    recorded."""
    stored = read_member(event["payload"]["arguments"], event["salt"], path.parent / "blobs")
    seconds = int(datetime.fromisoformat(event["timestamp"]).timestamp())
    found = call_without_arguments(project, event, state)
    return found._replace(moment=Moment(canonical.unwrap(stored), seconds))


def call_without_arguments(project: Project, event: dict[str, Any], state: SessionState) -> Call:
    """The call that an event decided, as policy saw it before there were arguments."""
    caller, payload = project.caller_of(state.started), event["payload"]
    held = state.resolutions.get(payload.get("resolution_id") or "")
    return Call(
        payload["action_id"],
        caller.agent,
        caller.roles,
        caller.scopes,
        held.risk_tier if held else None,
        caller.context,
        held.context if held else {},
    )


def _approval(event: dict[str, Any], state: SessionState) -> Granted | None:
    """The grant that an allowed call consumed."""
    approval_id = state.consumed.get(event["span_id"])
    approval = state.approvals.get(approval_id or "")
    if event["event_type"] != "action.approved" or approval is None:
        return None
    given = next((one for one in approval.decisions if one.is_grant), None)
    return Granted(given.payload["approver"].get("key") if given else None)


def _counted(event: Mapping[str, Any]) -> Mapping[str, int]:
    """What an intent took of limits."""
    payload = event.get("payload") or {}
    found: Mapping[str, int] = {} if payload.get("simulated") else payload.get("counted", {})
    return found


def _reserved(journal: Path, policy: Policy) -> dict[str, deque[Reserved]]:
    """By session, what was reserved of limits that sessions share, in the order of the journal."""
    rules = [weighed.rule for weighed in policy.rules]
    windows = {one.policy_id: one.limit.window_seconds for one in rules if one.limit is not None}
    found: dict[str, deque[Reserved]] = defaultdict(deque)
    if not journal.exists():
        return found
    latest = 0
    with LedgerFile(journal) as lines:
        for number, line in enumerate(lines.lines(0, lines.count)):
            payload = None
            if LIMIT in line:
                event = event_of(line, number)
                payload = event.get("payload")
            if payload is not None:
                # It was taken a moment before it was recorded, and its window tells when.
                stated = _microseconds(event["timestamp"])
                window = windows.get(payload["policy_id"], 0) * 1_000_000
                began = _microseconds(payload["window_ends"]) - window
                latest = max(latest, began if 0 <= stated - began < _MOMENT else stated)
                share = Reserved(latest, number, payload["key"], payload["cost"])
                found[payload["session_id"]].append(share)
    return found


def _used(session_id: str, share: Reserved) -> tuple[_Order, PastUse]:
    order = (share.at, share.number, session_id, 0)
    return order, PastUse(session_id, share.at, {share.key: share.amount})


def _microseconds(timestamp: str) -> int:
    moment = datetime.fromisoformat(timestamp.removesuffix("Z"))
    return (moment - _EPOCH) // timedelta(microseconds=1)
