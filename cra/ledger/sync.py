"""The background thread that brings written events to the disk and under a checkpoint."""

from __future__ import annotations

import os
import sys
import threading
import time
from typing import Final, Protocol

# Events are synced at most about this long after they were written.
DELAY: Final = 0.045


class Syncable(Protocol):
    is_scheduled: bool

    def sync(self) -> None: ...


class Syncer:
    """One daemon thread per process, started with the first event that is written."""

    def __init__(self) -> None:
        self._forget()
        os.register_at_fork(after_in_child=self._forget)

    def _forget(self) -> None:
        self._lock = threading.Lock()
        self._wake = threading.Event()
        self._waiting: list[Syncable] = []
        self._thread: threading.Thread | None = None

    def schedule(self, writer: Syncable) -> None:
        with self._lock:
            writer.is_scheduled = True
            self._waiting.append(writer)
            if self._thread is None:
                self._thread = threading.Thread(target=self._run, name="cra-sync", daemon=True)
                self._thread.start()
        self._wake.set()

    def _run(self) -> None:
        while True:
            self._wake.wait()
            time.sleep(DELAY)
            with self._lock:
                self._wake.clear()
                waiting, self._waiting = self._waiting, []
            for writer in waiting:
                try:
                    writer.sync()
                except Exception:  # noqa: BLE001  # a fault at one file is told; the others wait
                    found = (*sys.exc_info(), threading.current_thread())
                    threading.excepthook(threading.ExceptHookArgs(found))


SYNCER: Final = Syncer()
