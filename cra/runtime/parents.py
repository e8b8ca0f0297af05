"""The parents of a session: it may act only while they may."""

from __future__ import annotations

import os
from pathlib import Path

from cra.errors import SessionEnded
from cra.ledger.outline import outline
from cra.ledger.writer import ChainPaths


class Parents:
    """The session that another is part of, the one that this is part of, and so on up.

    What was found of a session holds for as long as its file has the same size, so that each is
    asked for with one `stat`. That none is valid for less time is settled when a session begins.
    """

    def __init__(self, directory: Path, parent_id: str | None) -> None:
        # By id: where its events are, and how many bytes of them are known to have no end.
        self._known: dict[str, tuple[Path, int]] = {}
        while parent_id is not None and parent_id not in self._known:
            path = ChainPaths(directory, parent_id).data
            self._known[parent_id] = path, -1
            parent_id = outline(path).opening.get("parent_session_id") if path.exists() else None

    def check(self, now: str) -> None:
        """Raises SessionEnded once one of them is over."""
        for session_id, (path, known) in self._known.items():
            state: str = "open"
            try:
                size = os.stat(path).st_size
                if size != known:
                    state = outline(path).state(now)
            except FileNotFoundError:
                state = "gone"
            if state != "open":
                raise SessionEnded(
                    f"expected a session whose parent is open, found {session_id}, "
                    f"which is {state}",
                    fix="cra session start",
                )
            self._known[session_id] = path, size
