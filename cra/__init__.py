"""Context Registry Agents: a governed runtime that records what an agent may do and did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cra.errors import (
        ApprovalPending,
        ArgumentsRefused,
        CraError,
        Denied,
        ExecutionFailed,
        UnknownAction,
    )
    from cra.runtime.govern import govern
    from cra.runtime.project import Project
    from cra.runtime.result import ExecutionResult, Resolution
    from cra.runtime.session import GovernedSession as Session
    from cra.runtime.state import Approval

__version__ = "0.1.0"

__all__ = [
    "Approval",
    "ApprovalPending",
    "ArgumentsRefused",
    "CraError",
    "Denied",
    "ExecutionFailed",
    "ExecutionResult",
    "Project",
    "Resolution",
    "Session",
    "UnknownAction",
    "govern",
]

_HOMES = {
    "Approval": "cra.runtime.state:Approval",
    "ExecutionResult": "cra.runtime.result:ExecutionResult",
    "Project": "cra.runtime.project:Project",
    "Resolution": "cra.runtime.result:Resolution",
    "Session": "cra.runtime.session:GovernedSession",
    "govern": "cra.runtime.govern:govern",
}


def __getattr__(name: str) -> Any:
    """A public name, loaded when it is first asked for: `cra --version` has use for none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    home, _, inside = _HOMES.get(name, f"cra.errors:{name}").partition(":")
    value = globals()[name] = getattr(import_module(home), inside)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
