"""What the tests of the executors share: work to hand over, and a look at what is left behind."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path
from typing import Any

from cra.errors import ConfigError
from cra.runtime.executors.work import Work

SECRETS = {"TOKEN": 'tok"en/42', "LINES": "a\r\nX-Evil: 1", "EMPTY": ""}


def secret(name: str) -> str:
    if name not in SECRETS:
        raise ConfigError(f"expected a secret of the configuration, found {name}")
    return SECRETS[name]


def work_of(
    arguments: Mapping[str, Any] | None = None,
    *,
    timeout: float = 20.0,
    files: Mapping[str, bytes] | None = None,
    package: str | None = None,
    project: Path = Path("/"),
    protected: tuple[str, ...] = (),
) -> Work:
    files = files or {}
    if package is None:
        package = f"sha256:{sha256(repr(sorted(files.items())).encode()).hexdigest()}"
    return Work("ticket.send", arguments or {}, timeout, files, package, project, protected, secret)


def processes_with(mark: str) -> list[str]:
    """The processes that have a text in their environment, as only a child's child inherits it."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            if mark.encode() in (process / "environ").read_bytes():
                found.append((process / "cmdline").read_text().replace("\0", " "))
        except OSError:
            continue
    return found
