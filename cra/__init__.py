"""Context Registry Agents: a governed runtime that records what an agent may do and did."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from cra.errors import ApprovalPending, CraError, Denied, ExecutionFailed
    from cra.runtime.govern import govern
    from cra.runtime.project import Project

__version__ = "0.1.0"

__all__ = ["ApprovalPending", "CraError", "Denied", "ExecutionFailed", "Project", "govern"]


def __getattr__(name: str) -> Any:
    """A public name, loaded when it is first asked for: `cra --version` has use for none."""
    if name not in __all__:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    from importlib import import_module

    homes = {"Project": "cra.runtime.project", "govern": "cra.runtime.govern"}
    value = globals()[name] = getattr(import_module(homes.get(name, "cra.errors")), name)
    return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
