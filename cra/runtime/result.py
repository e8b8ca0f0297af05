"""What a session answers: a resolution, and what became of a call."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from cra import canonical
from cra.errors import ApprovalPending, Denied, ExecutionFailed, ExitCode
from cra.protocol.carp import ErrorDocument, ResultDocument, Status


@dataclass(frozen=True)
class Resolution:
    """What an agent may know and do for a goal, and until when."""

    document: Mapping[str, Any]
    is_cached: bool

    @property
    def resolution_id(self) -> str:
        return str(self.document["resolution_id"])

    @property
    def decision(self) -> str:
        return str(self.document["decision"]["type"])

    @property
    def allowed(self) -> tuple[str, ...]:
        return tuple(action["action_id"] for action in self.document["allowed_actions"])


@dataclass(frozen=True)
class ExecutionResult:
    """What became of a call. `result` raises unless it succeeded, so nothing is overlooked."""

    execution_id: str
    action_id: str
    resolution_id: str | None
    status: Status
    # The request's own id, or the execution's where no document asked.
    request_id: str
    trace_id: str
    value: Any = None
    reason: str = ""
    policy_id: str | None = None
    approval_id: str | None = None
    possible_at: str | None = None
    error: ErrorDocument | None = None
    simulated: bool = False
    # Whether this is the recorded outcome of an earlier call with the same idempotency key.
    is_repeated: bool = False
    # Says what can be done about a denial, for whoever asks: most callers do not.
    remedy: Callable[[], str] | None = field(default=None, repr=False, compare=False)

    @property
    def fix(self) -> str | None:
        """What can be done by whoever did not get a result, where that is known."""
        if self.remedy is not None:
            return self.remedy()
        return self.error.get("details", {}).get("fix") if self.error else None

    @property
    def result(self) -> Any:
        """What the action returned. Raises Denied, ApprovalPending or ExecutionFailed."""
        if self.status == "denied":
            raise Denied(
                f"{self.action_id}: {self.reason} ({self.policy_id})",
                policy_id=str(self.policy_id),
                fix=self.fix,
            )
        if self.status == "pending_approval":
            raise ApprovalPending(
                f"{self.action_id}: {self.reason} ({self.policy_id})",
                where=self.approval_id,
                fix=f"have {self.approval_id} approved, then run it again",
            )
        if self.status == "error":
            assert self.error is not None
            raise ExecutionFailed(
                f"{self.action_id}: {self.error['code']}: {self.error['message']}",
                fix=self.fix
                or f"cra trace show last --event-type action.failed  (span {self.execution_id})",
            )
        return self.value

    @property
    def exit_code(self) -> ExitCode:
        return _EXIT_CODES[self.status]

    def document(self) -> ResultDocument:
        """The execution result of CARP/1.0."""
        return {
            "execution_id": self.execution_id,
            "request_id": self.request_id,
            "action_id": self.action_id,
            "resolution_id": self.resolution_id,
            "status": self.status,
            "result": canonical.wrap(self.value),
            "reason": self.reason,
            "policy_id": self.policy_id,
            "approval_id": self.approval_id,
            "possible_at": self.possible_at,
            "error": self.error,
            "simulated": self.simulated,
            "repeated": self.is_repeated,
            "trace_id": self.trace_id,
        }


_EXIT_CODES: Mapping[Status, ExitCode] = {
    "success": ExitCode.OK,
    "denied": ExitCode.NO,
    "pending_approval": ExitCode.PENDING,
    "error": ExitCode.FAILED,
}
