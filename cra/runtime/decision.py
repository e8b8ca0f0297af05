"""How a call is decided, under the session's lock: resolution, policy, limits, approval."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from itertools import islice
from operator import attrgetter
from typing import TYPE_CHECKING, Final, NamedTuple

from cra.ledger.source import later
from cra.ledger.store import Session as Record
from cra.policy.call import Call, Granted, Moment
from cra.policy.engine import Counted, decide, limits_of
from cra.policy.ladder import NOT_EXECUTABLE, Ruling
from cra.runtime.approval import Approvals, Refusal
from cra.runtime.limits import Share, free_at
from cra.runtime.record import Decided, FrozenCall
from cra.runtime.state import Held, SessionState, Use

if TYPE_CHECKING:
    from cra.resolver.request import Caller
    from cra.runtime.project import Project

# What decides where policy allows, and no resolution does.
NO_RESOLUTION: Final = "default:no-resolution"
# What denies a call that policy lets through.
BESIDE_POLICY: Final = (NO_RESOLUTION, NOT_EXECUTABLE)

_timestamp: Final[Callable[[Use], str]] = attrgetter("timestamp")


class KeyTaken(NamedTuple):
    """That a call's idempotency key was used in another session."""

    session_id: str


@dataclass(frozen=True)
class Grounds:
    """What the decisions of a session rest on."""

    project: Project
    record: Record
    state: SessionState
    caller: Caller
    approvals: Approvals

    def decide(
        self,
        call: FrozenCall,
        resolution_id: str | None,
        approval_id: str | None,
        now: str,
        *,
        lack: str | None = None,
    ) -> Decided | KeyTaken:
        """What policy says comes first: a denial names its rule, whatever else is missing.

        `lack` is why the action could not be carried out: nobody is asked for it, and no grant is
        used. What the call takes of what sessions share, limits and its key, is reserved. Raises
        UsageError for an approval that is none for the call.
        """
        held, objection = self._resolution_for(call.action.action_id, resolution_id, now)
        counted = limits_of(self.project.policy, self._asked(call, held, now, {}))
        taken = {
            one.key: sum(use.amount for use in self._recent(one, now))
            for one in counted
            if one.limit.per == "session"
        }
        shared = [one for one in counted if one.key not in taken]

        def decided() -> Decided:
            span_id = self.project.ledger.source.new_id()
            asked = self._asked(call, held, now, taken)
            ruling = decide(self.project.policy, asked)
            found = Decided(ruling, span_id, asked, held, counted)
            found = self._approved(call, found, approval_id, now)
            if found.ruling.outcome == "deny":
                return self._told_when(found, now)
            if objection is not None:
                ruling = Ruling("deny", NO_RESOLUTION, objection)
                return replace(found, ruling=ruling, approval_id=None)
            if lack is not None:
                ruling = Ruling("deny", NOT_EXECUTABLE, lack)
                return replace(found, ruling=ruling, approval_id=None)
            return found

        key = None if call.is_dry_run else call.idempotency_key
        if not shared and key is None:
            return decided()
        with self.project.reservations.locked(self.project.ledger.journal) as reservations:
            holder = reservations.holder(key) if key is not None else None
            if holder is not None:
                return KeyTaken(holder)
            taken |= {one.key: reservations.used(one.key, now) for one in shared}
            found = decided()
            if found.ruling.outcome == "allow" and not call.is_dry_run:
                for one in shared:
                    reservations.reserve(one, now, self.record.id)
                if key is not None:
                    reservations.reserve_key(key, self.record.id)
        return found

    def _asked(
        self, call: FrozenCall, held: Held | None, now: str, taken: Mapping[str, int]
    ) -> Call:
        """The call as policy sees it, under what the task of its resolution stated."""
        caller = self.caller
        return Call(
            call.action.action_id,
            caller.agent,
            caller.roles,
            caller.scopes,
            held.risk_tier if held else None,
            caller.context,
            held.context if held else {},
            moment=Moment(call.arguments, _seconds(now), taken),
        )

    def _approved(
        self, call: FrozenCall, decided: Decided, approval_id: str | None, now: str
    ) -> Decided:
        """What is decided once a grant, or a refusal, of a person is looked at."""
        asking, moment = decided.ruling, decided.asked.moment
        assert moment is not None
        if asking.outcome != "requires_approval":
            if approval_id is not None and asking.outcome == "allow":
                # Nothing is used of it, and still it says what the caller means to do.
                self.approvals.answer_to(call, asking, now, approval_id)
            return decided
        found = self.approvals.answer_to(call, asking, now, approval_id)
        if found is None:
            return decided
        if isinstance(found, Refusal):
            denied = asking._replace(outcome="deny", reason=found.reason)
            return replace(decided, ruling=denied, approval_id=found.approval_id)
        granted = moment._replace(approval=Granted(found.key))
        asked = decided.asked._replace(moment=granted)
        ruling = decide(self.project.policy, asked)
        stands_on = found.approval_id if ruling.outcome == "allow" else None
        return replace(decided, ruling=ruling, asked=asked, approval_id=stands_on)

    # Limits.

    def _recent(self, counted: Counted, now: str) -> Sequence[Use]:
        """What the session took of a limit within its window; its uses are in order of time."""
        uses = self.state.uses.get(counted.key, ())
        since = later(now, -counted.limit.window_seconds)
        return uses[bisect_right(uses, since, key=_timestamp) :]

    def _told_when(self, decided: Decided, now: str) -> Decided:
        """A denial by a limit, with the time from which the call would be let through."""
        ruling = decided.ruling
        for one in decided.counted:
            if one.rule is ruling.rule and ruling.outcome == "deny":
                at = free_at(self._shares(one, now), now, one.limit, one.amount)
                return replace(decided, possible_at=at)
        return decided

    def _shares(self, counted: Counted, now: str) -> Sequence[Share]:
        if counted.limit.per != "session":
            return self.project.reservations.shares(counted.key)
        window = counted.limit.window_seconds
        return [
            Share(later(use.timestamp, window), use.amount) for use in self._recent(counted, now)
        ]

    # Resolutions.

    def _resolution_for(
        self, action_id: str, resolution_id: str | None, now: str
    ) -> tuple[Held | None, str | None]:
        """The resolution that a call stands on, or what is wrong with it."""
        if resolution_id is not None:
            held = self.state.resolutions.get(resolution_id)
            if held is None:
                return None, f"this session has no resolution {resolution_id[:64]}"
            return held, self._objection(held, action_id, now)
        objection = None
        # Where no resolution has it, the newest one says so for all.
        is_offered = action_id in self.state.offered
        for held in reversed(self.state.newest.values()) if is_offered else self._newest():
            found = self._objection(held, action_id, now)
            if found is None:
                return held, None
            objection = objection or found
        return None, objection or "nothing was resolved in this session yet: resolve a goal first"

    def _newest(self) -> Iterator[Held]:
        return islice(reversed(self.state.newest.values()), 1)

    def _objection(self, held: Held, action_id: str, now: str) -> str | None:
        is_current = held.snapshot == self.project.snapshot.digest
        # What it does not contain may be what the change is about.
        if action_id not in held.allowed and is_current:
            return f"the resolution {held.resolution_id} does not contain it"
        if held.expires_at <= now:
            return f"the resolution {held.resolution_id} expired at {held.expires_at}"
        if not is_current:
            return (
                "the atlases, policies or settings have changed since "
                f"{held.resolution_id}: resolve again"
            )
        attested, covered = self.state.is_attested, self.record.covered_size
        if not all(attested(at, covered) for at in (held.sequence, held.rests_on)):
            return f"nobody vouches for the resolution {held.resolution_id}: resolve again"
        return None


def _seconds(timestamp: str) -> int:
    return int(datetime.fromisoformat(timestamp).timestamp())
