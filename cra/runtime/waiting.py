"""The approvals of all sessions that are open, as whoever decides on them sees them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

from cra.ledger.index import LedgerFile, session_id_of
from cra.ledger.outline import coverage, outline
from cra.runtime.state import Approval, Execution, Given, SessionState, Standing, folded

_SHOWN_BEFORE: Final = 5


class FoundApproval(NamedTuple):
    """An approval with the session that it belongs to, as the ledger tells both."""

    session_id: str
    state: SessionState
    approval: Approval
    standing: Standing
    # The decision that counts.
    given: Given | None

    @property
    def is_waiting(self) -> bool:
        """Whether somebody has something to do: to decide, or to make a stale call again."""
        asked = self.approval.asked
        latest = self.state.asked.get((self.approval.action_id, asked["arguments_digest"]))
        is_latest = latest == self.approval.approval_id
        return self.standing == "pending" or (self.standing == "stale" and is_latest)

    def before(self) -> list[Execution]:
        """What the agent did last before it asked."""
        done = [
            one for one in self.state.executions.values() if one.sequence < self.approval.sequence
        ]
        return done[-_SHOWN_BEFORE:]


def approvals_in(
    paths: Iterable[Path], now: str, snapshot: str | None = None
) -> Iterator[FoundApproval]:
    """Every approval of those of some sessions that are open; `snapshot` is the digest of what the
    project says now, where that is known."""
    for path in paths:
        if outline(path).state(now) != "open":
            continue
        with LedgerFile(path) as session:
            state, covered = folded(session), coverage(session)
        for approval in state.approvals.values():
            standing = approval.standing(now, covered.covers, snapshot)
            given = approval.decision(covered.covers)
            yield FoundApproval(session_id_of(path), state, approval, standing, given)
