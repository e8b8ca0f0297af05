"""A function of the host program, in the thread that calls it: nothing can end it but itself."""

from __future__ import annotations

from collections.abc import Callable
from contextvars import ContextVar
from dataclasses import dataclass
from types import CoroutineType
from typing import Any, Final

from cra.atlas.model import HostExecutor
from cra.errors import CraError, UsageError, ValueRefused
from cra.runtime.executors.call import stored_form
from cra.runtime.executors.work import Done, Failed, Outcome, Work


@dataclass
class HostCall:
    """A call by the host program itself: what is called, and what came of it, as it was."""

    function: Callable[..., Any]
    value: Any = None
    error: BaseException | None = None


# The call that is on its way through the session, for the executor at its end.
CURRENT: Final[ContextVar[HostCall | None]] = ContextVar("cra_host_call", default=None)


def run(executor: HostExecutor, work: Work) -> Outcome:
    call = CURRENT.get() or HostCall(executor.function)
    # What the function calls in its turn is a call of its own.
    token = CURRENT.set(None)
    try:
        call.value = call.function(**work.arguments)
        if isinstance(call.value, CoroutineType):
            call.value.close()
            raise UsageError(
                f"expected that {executor.origin} has done its work, found a coroutine that has "
                "not begun",
                fix="govern the coroutine function itself, below its other decorators",
            )
    except BaseException as error:  # noqa: BLE001  # the caller raises it once it is recorded
        call.error = error
        kind = type(error).__qualname__
        message = _text_of(error)
        details = {"type": kind, "message": message}
        return Failed("exception", f"{kind}: {message}" if message else kind, details)
    finally:
        CURRENT.reset(token)
    return Done(_recorded(call.value))


def _recorded(value: Any) -> Any:
    """What the ledger holds of a value: of one that JSON has no form for, its type."""
    try:
        return stored_form(value)
    except (ValueRefused, RecursionError):
        kind = type(value)
        return {"python_type": f"{kind.__module__}.{kind.__qualname__}"}


def _text_of(error: BaseException) -> str:
    try:
        text = error.message if isinstance(error, CraError) else str(error)
        return text.encode(errors="backslashreplace").decode()
    except Exception as failure:  # noqa: BLE001  # __str__ is the host program's code too
        return f"its text cannot be had: {type(failure).__qualname__}"
