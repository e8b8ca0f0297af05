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

    def before(self) -> list[Execution]:
        """What the agent did last before it asked."""
        done = [
            one for one in self.state.executions.values() if one.sequence < self.approval.sequence
        ]
        return done[-_SHOWN_BEFORE:]


def approvals_in(paths: Iterable[Path], now: str) -> Iterator[FoundApproval]:
    """Every approval of those of some sessions that are open."""
    for path in paths:
        if outline(path).state(now) != "open":
            continue
        with LedgerFile(path) as session:
            state, covered = folded(session), coverage(session)
        for approval in state.approvals.values():
            standing = approval.standing(now, covered.covers)
            given = approval.decision(covered.covers)
            yield FoundApproval(session_id_of(path), state, approval, standing, given)
