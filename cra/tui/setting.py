"""What the viewer is given by whoever starts it, and what it remembers for the next time."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import orjson

from cra.ledger import files

if TYPE_CHECKING:
    from cra.ledger.memory import Memory
    from cra.ledger.verify import Trust
    from cra.runtime.project import Project

_FILE: Final = "tui.json"
_MAX_BYTES: Final = 65_536

OpenProject: TypeAlias = "Callable[[], AbstractContextManager[Project]]"


class Setting(NamedTuple):
    """Where the viewer works, whom it trusts, and what it may ask of the project."""

    directory: Path
    state: Path
    trust: Trust
    memory: Memory
    environ: Mapping[str, str]
    # Who decides on approvals here.
    user: str
    # None without a project: a ledger alone has no rules, no goldens, and nobody who could decide.
    open_project: OpenProject | None = None
    root: Path | None = None
    cores: int = 1


class Choices(NamedTuple):
    """How a person wants to see things."""

    theme: str = "cra-dark"
    relative: bool = False
    tree: bool = False
    details: bool = True
    bars: bool = False
    mouse: bool = True


def recall(state: Path) -> Choices:
    """The choices of the last time; without any that can be read, the usual ones."""
    try:
        stored: Any = orjson.loads(files.read_all(state / _FILE, _MAX_BYTES) or b"")
    except (OSError, ValueError):
        return Choices()
    known = stored if isinstance(stored, dict) else {}
    default = Choices()
    kept = {
        name: known[name]
        for name, value in default._asdict().items()
        if type(known.get(name)) is type(value)
    }
    return default._replace(**kept)


def remember(state: Path, choices: Choices) -> None:
    """Keep choices for the next time; where nothing can be kept, nothing is."""
    temporary = state / f"{_FILE}.{os.getpid()}.tmp"
    with suppress(OSError):
        state.mkdir(parents=True, exist_ok=True)
        temporary.write_bytes(orjson.dumps(choices._asdict(), option=orjson.OPT_INDENT_2) + b"\n")
        os.replace(temporary, state / _FILE)
