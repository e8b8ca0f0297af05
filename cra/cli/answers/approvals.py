"""What `cra approvals` prints."""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from typing import Literal, TypeAlias

from typing_extensions import TypedDict

from cra.protocol.events import ApprovalDenied, ApprovalGranted, ApprovalRequested
from cra.runtime.state import Progress, Standing


class GrantedFacts(ApprovalGranted):
    decision: Literal["granted"]


class DeniedFacts(ApprovalDenied):
    decision: Literal["denied"]


class ApprovalFacts(ApprovalRequested):
    state: Standing
    session_id: str
    goal: str | None
    uses: int
    decisions: list[GrantedFacts | DeniedFacts]


ApprovalsAnswer: TypeAlias = list[ApprovalFacts]


class EarlierCall(TypedDict):
    timestamp: str
    action_id: str
    status: Progress


class ApprovalAnswer(ApprovalFacts):
    # What the agent did last before it asked.
    before: list[EarlierCall]


class DecidedAnswer(TypedDict):
    """What `cra approvals grant` and `deny` did."""

    approval_id: str
    action_id: str
    session_id: str
    decision: Literal["granted", "denied"]


class ApproverKeyAnswer(TypedDict):
    # The verifier key, as `approvers` list it.
    key: str
    file: str
    # Whether there was none before.
    created: bool
