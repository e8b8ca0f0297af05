"""What an execution is given, and what comes of it."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal, NamedTuple, TypeAlias

from cra import canonical

FailureCode: TypeAlias = Literal[
    "connection",  # no connection, or one that broke
    "exception",  # the atlas's code raised
    "exit_code",  # the program ended with a code that does not mean success, or by a signal
    "http_status",
    "invalid_result",
    "killed",  # the program's supervisor was killed from outside
    "not_found",
    "redirect",
    "refused",
    "too_large",
    "timeout",
]


class Work(NamedTuple):
    """What an execution is given, beside its executor."""

    action_id: str
    # JSON values; nobody else holds them.
    arguments: Mapping[str, Any]
    # Seconds.
    timeout: float
    # All files of the atlas's snapshot: code runs from these bytes, never from the disk.
    files: Mapping[str, bytes]
    # The atlas's digest: under it, loaded code is kept.
    package: str
    # The real path of the project.
    project: Path
    # Paths, relative to the project, that no file action touches beside those that none ever does:
    # where its trace, its atlases and its goldens are.
    protected: tuple[str, ...]
    # The value of a configured secret. Raises CraError for one that is not allowed or not set.
    secret: Callable[[str], str]


@dataclass(frozen=True)
class Done:
    result: Any
    simulated: bool = False


@dataclass(frozen=True)
class Failed:
    """The action failed; `still_running`: something of it may go on, and cra cannot end it."""

    code: FailureCode
    message: str
    # JSON values; an executor puts bytes for output, of which `run` leaves the end as text.
    details: Mapping[str, Any] = field(default_factory=dict)
    still_running: bool = False


Outcome: TypeAlias = Done | Failed


class Stopped(Exception):
    """Ends an execution from wherever its failure is found. It never leaves this package."""

    def __init__(self, code: FailureCode, message: str, **details: Any) -> None:
        super().__init__(message)
        self.failed = Failed(code, message, details)


def text_or_bytes(data: bytes) -> str | bytes:
    """The text that bytes are in UTF-8; the bytes if they are none."""
    try:
        return data.decode()
    except UnicodeDecodeError:
        return data


def parse_json(data: bytes, source: str) -> Any:
    """The JSON value that a program or a server gave."""
    try:
        value = json.loads(data, parse_constant=_refuse_constant)
        if canonical.depth_of(value) <= canonical.MAX_DEPTH:
            return value
        found = "one that nests deeper"
    except RecursionError:
        found = "one that nests deeper"
    except ValueError as error:
        found = f"none: {error}"
    raise Stopped(
        "invalid_result",
        f"expected a JSON value of at most {canonical.MAX_DEPTH} levels from {source}, "
        f"found {found}",
        output=data,
    )


def _refuse_constant(name: str) -> None:
    raise ValueError(f"{name} is not JSON")
