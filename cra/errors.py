"""Every error that cra raises on purpose, and the exit code each one means.

CraError
├── UsageError            the command or the call is wrong
│   ├── ConfigError       a project or user file says something cra cannot accept
│   ├── AtlasError        an atlas, its lock or a project's policies cannot be accepted
│   ├── NotFound          a session, event or file that was named does not exist
│   ├── ValueRefused      a value that canonical JSON cannot hold
│   ├── FilterError       a filter expression that cannot be read
│   ├── RequestRefused    a request that is no request of CARP/1.0, or came too late
│   ├── GoldenRefused     a golden trace or its manifest that cannot be replayed
│   ├── UnknownAction     no atlas of the project has the action
│   └── ArgumentsRefused  arguments that do not fit the action's schema
├── Denied                policy does not allow the call
├── ApprovalPending       policy asks for an approval that nobody has given
├── ExecutionFailed          the action was allowed, and failed
├── LedgerError           the ledger cannot do what was asked
│   ├── WriteFailed       an append did not reach the file; nothing of it counts
│   ├── ReadFailed        the ledger could not be read, so nothing was decided on it
│   ├── WriterStopped     an earlier fsync failed; this writer gives no more promises
│   ├── OutcomeLost       an action ran, and what came of it could not be recorded
│   ├── SessionEnded      a session that has ended accepts no event
│   ├── SessionOpen       the work needs a session that has ended
│   └── SignerRefused     a key that is missing, unreadable, weak, or not this ledger's
└── IntegrityError        what is stored is not what was recorded
"""

from __future__ import annotations

from enum import IntEnum, StrEnum
from typing import ClassVar


class ExitCode(IntEnum):
    OK = 0
    NO = 1
    USAGE = 2
    INTEGRITY = 3
    PENDING = 4
    FAILED = 5
    INTERRUPTED = 130


class CraError(Exception):
    """A failure that a user can act on: a stable code, the facts, and the way out.

    `fix` is the command or the change that mends it; `where` names a file, a line or an event.
    """

    code: ClassVar[str] = "CRA-1000"
    exit_code: ClassVar[ExitCode] = ExitCode.USAGE

    def __init__(self, message: str, *, fix: str | None = None, where: str | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.fix = fix
        self.where = where

    def __str__(self) -> str:
        """All that there is to say, for a traceback: a program has no other place for it."""
        lines = [("where", self.where), ("fix", self.fix)]
        return "\n".join([self.message, *(f"  {name}: {text}" for name, text in lines if text)])


class UsageError(CraError):
    code = "CRA-1001"


class ConfigError(UsageError):
    code = "CRA-2001"


class Fault(StrEnum):
    """What can be wrong with an atlas, its lock or a project's policies."""

    SEVERAL = "CRA-2100"
    UNREADABLE = "CRA-2101"  # no JSON or YAML of the accepted kind
    MALFORMED = "CRA-2102"  # a wrong value, a missing or an unknown key
    DUPLICATE = "CRA-2103"
    DANGLING = "CRA-2104"  # a name of something that is not there
    BAD_SCHEMA = "CRA-2105"
    BAD_EXECUTOR = "CRA-2106"
    BAD_PACKAGE = "CRA-2110"  # files that no package may have
    DEPENDENCY = "CRA-2120"
    UNLOCKED = "CRA-2130"  # the configuration and the lock name different atlases
    CHANGED = "CRA-2131"  # other bytes than the lock pins


class AtlasError(UsageError):
    code = "CRA-2100"

    def __init__(
        self, fault: Fault, message: str, *, fix: str | None = None, where: str | None = None
    ) -> None:
        super().__init__(message, fix=fix, where=where)
        self.code = fault.value  # type: ignore[misc]  # here the code is a fact, not the class


class NotFound(UsageError):
    code = "CRA-1002"


class ValueRefused(UsageError):
    code = "CRA-1003"


class FilterError(UsageError):
    code = "CRA-1004"


class RequestRefused(UsageError):
    code = "CRA-1005"


class GoldenRefused(UsageError):
    code = "CRA-1008"


class UnknownAction(UsageError):
    code = "CRA-1006"


class ArgumentsRefused(UsageError):
    code = "CRA-1007"


class Denied(CraError):
    """`policy_id` names the rule, or what decides where no rule does."""

    code = "CRA-5001"
    exit_code = ExitCode.NO

    def __init__(
        self, message: str, *, policy_id: str, fix: str | None = None, where: str | None = None
    ) -> None:
        super().__init__(message, fix=fix, where=where)
        self.policy_id = policy_id


class ApprovalPending(CraError):
    code = "CRA-5002"
    exit_code = ExitCode.PENDING


class ExecutionFailed(CraError):
    code = "CRA-5003"
    exit_code = ExitCode.FAILED


class LedgerError(CraError):
    code = "CRA-4000"
    exit_code = ExitCode.USAGE


class WriteFailed(LedgerError):
    code = "CRA-4001"


class ReadFailed(LedgerError):
    code = "CRA-4006"


class WriterStopped(LedgerError):
    code = "CRA-4002"


class OutcomeLost(LedgerError):
    code = "CRA-4007"
    exit_code = ExitCode.FAILED


class SessionEnded(LedgerError):
    code = "CRA-4003"


class SessionOpen(LedgerError):
    code = "CRA-4004"


class SignerRefused(LedgerError):
    code = "CRA-4005"


class Code(StrEnum):
    """The findings about stored data (specs/PROTOCOL.md sections 2.3, 4.1 and 7)."""

    MALFORMED_LINE = "CRA-3001"
    PAYLOAD_HASH = "CRA-3002"
    EVENT_HASH = "CRA-3003"
    BROKEN_CHAIN = "CRA-3004"
    FOREIGN_EVENT = "CRA-3005"
    AFTER_END = "CRA-3006"
    PARTIAL_LINE = "CRA-3007"
    CHECKPOINT_UNMET = "CRA-3010"
    CHECKPOINT_MALFORMED = "CRA-3011"
    SIGNATURE_WRONG = "CRA-3012"
    SIGNATURE_MISSING = "CRA-3013"
    CHECKPOINT_FOREIGN = "CRA-3014"
    JOURNAL_AHEAD = "CRA-3020"
    SESSION_MISSING = "CRA-3021"
    SESSION_UNLISTED = "CRA-3022"
    REDACTION_UNKNOWN = "CRA-3023"
    BLOB_WRONG = "CRA-3024"
    ARTIFACT_WRONG = "CRA-3025"
    ROLLED_BACK = "CRA-3030"
    LEDGER_REPLACED = "CRA-3031"
    ANCHOR_UNMET = "CRA-3032"
    PROOF_INVALID = "CRA-3033"
    LEVEL_UNMET = "CRA-3040"


class IntegrityError(CraError):
    """What is stored is not what was recorded."""

    exit_code = ExitCode.INTEGRITY

    def __init__(
        self, finding: Code, message: str, *, fix: str | None = None, where: str | None = None
    ) -> None:
        super().__init__(message, fix=fix, where=where)
        self.finding = finding
        self.code = finding.value  # type: ignore[misc]  # here the code is a fact, not the class
