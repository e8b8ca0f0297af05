"""What the viewer is given by whoever starts it, and what it remembers for the next time."""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Mapping, Sequence
from contextlib import AbstractContextManager, suppress
from pathlib import Path
from types import MappingProxyType
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import orjson

from cra.ledger import files

if TYPE_CHECKING:
    from cra.ledger.memory import Memory
    from cra.ledger.verify import Trust
    from cra.runtime.project import Project

_FILE: Final = "tui.json"
_MODE: Final = 0o600
_MAX_BYTES: Final = 262_144
# Of what was typed, for each purpose.
_MAX_TYPED: Final = 50
# What is longer was hardly typed, and counts for this time alone.
_MAX_KEPT: Final = 200

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
    # What was typed, by what it was asked for, the newest last.
    typed: Mapping[str, Sequence[str]] = MappingProxyType({})

    def with_typed(self, purpose: str, text: str) -> Choices:
        """With a text that was typed, which is kept once."""
        before = [one for one in self.typed.get(purpose, ()) if one != text]
        return self._replace(typed={**self.typed, purpose: [*before, text][-_MAX_TYPED:]})


def recall(state: Path) -> Choices:
    """The choices of the last time; without any that can be read, the usual ones."""
    path = state / _FILE
    try:
        # A text that somebody looked for may be a secret.
        if stat.S_IMODE(os.stat(path).st_mode) != _MODE:
            os.chmod(path, _MODE)
        stored: Any = orjson.loads(files.read_all(path, _MAX_BYTES) or b"")
    except (OSError, ValueError):
        return Choices()
    known = stored if isinstance(stored, dict) else {}
    default = Choices()
    kept = {
        name: known[name]
        for name, value in default._asdict().items()
        if type(known.get(name)) is type(value)
    }
    return default._replace(**kept, typed=_kept(known.get("typed")))


def remember(state: Path, choices: Choices) -> None:
    """Keep choices for the next time; where nothing can be kept, nothing is."""
    stored = {**choices._asdict(), "typed": _kept(choices.typed)}
    data = orjson.dumps(stored, option=orjson.OPT_INDENT_2) + b"\n"
    with suppress(OSError):
        state.mkdir(parents=True, exist_ok=True, mode=0o700)
        # Made for its owner alone.
        files.replace(state / _FILE, data, suffix=f".{os.getpid()}.tmp", durable=False)


def _kept(typed: Any) -> dict[str, list[str]]:
    """What is kept of texts that were typed: of each purpose the newest, and nothing long."""
    if not isinstance(typed, Mapping):
        return {}
    return {
        purpose: [one for one in texts if _is_kept(one)][-_MAX_TYPED:]
        for purpose, texts in typed.items()
        if isinstance(texts, list)
    }


def _is_kept(text: Any) -> bool:
    return isinstance(text, str) and len(text) <= _MAX_KEPT and text.isprintable()
