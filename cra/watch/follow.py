"""Looks at a project that follow its changes, each at a state that has settled."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import TYPE_CHECKING, Final, NamedTuple

from cra.watch.look import Around, Kept, Look, look
from cra.watch.seen import Places, Seen, places_of, see

if TYPE_CHECKING:
    from watchfiles._rust_notify import RustNotify

# How often the system is asked for events, how long they are gathered, and for how long nothing may
# change before it counts as settled: an editor writes, moves and removes within less.
_STEP_MS: Final = 20
_GATHER_MS: Final = 200
_QUIET_MS: Final = 60
# Where no events come, as on some network file systems, a change is found this much later.
_IDLE_MS: Final = 3_000
_POLL_MS: Final = 300
# As watchfiles has them.
_ADDED: Final = 1
_DELETED: Final = 3


class FollowedLook(NamedTuple):
    """A look at a state that held from its beginning to its end."""

    look: Look
    # The files that are not as they were at the look before it; none at the first.
    changed: tuple[str, ...]
    # Since the change was noticed, or since it was asked for.
    seconds: float


class Follower:
    """Follows a project. Each look is at what the files hold, and keeps of the one before it what
    does not depend on what has changed."""

    def __init__(self, around: Around) -> None:
        self._around = around
        self._places = Places()
        self._kept = Kept()
        self._watcher: RustNotify | None = None
        self._watched: dict[str, tuple[int, int]] = {}
        self._seen: Seen | None = None
        self._noticed: float | None = None

    def look(self, stops: Callable[[], bool], *, anew: bool = False) -> FollowedLook | None:
        """Look at the project; `anew`: also at what has not changed. None if `stops` says so first.

        What changes meanwhile is looked at again, so that no answer is about a mixture.
        """
        begun, self._noticed = self._noticed or time.monotonic(), None
        kept = Kept() if anew else self._kept
        while not stops():
            before = self._settled()
            found = look(self._around, kept, partial(self._is_late, before, stops))
            after = self._see()
            if found is not None and not after.differs(before):
                last, self._seen = self._seen or after, after
                self._kept = found.kept
                return FollowedLook(found, tuple(after.changed(last)), time.monotonic() - begun)
        return None

    def has_changed(self, stops: Callable[[], bool]) -> bool:
        """Wait until something has changed since the last look; False if `stops` says so first.

        Raises KeyboardInterrupt for a signal whose handler raises.
        """
        while not stops():
            # First, for a look that was given up has taken the events.
            if self._seen is None or self._see().differs(self._seen):
                self._noticed = time.monotonic()
                return True
            self._wait(_IDLE_MS, stops)
        return False

    def _is_late(self, before: Seen, stops: Callable[[], bool]) -> bool:
        """Whether a look that has begun would be about what is not there any more."""
        return stops() or (self._wait(1) and self._see().differs(before))

    def _settled(self) -> Seen:
        """What is there once nothing changes any more."""
        found = self._see()
        # The first look waits for nobody.
        while self._seen is not None:
            self._wait(_QUIET_MS)
            before, found = found, self._see()
            if found == before:
                break
        return found

    def _see(self) -> Seen:
        """What is there now; a change of it from now on will be noticed."""
        while True:
            self._places = places_of(self._around, self._places)
            seen = see(self._places)
            if self._watcher is not None and seen.directories == self._watched:
                return seen
            self._watch(seen.directories)

    def _watch(self, directories: dict[str, tuple[int, int]]) -> None:
        """Have the system tell of changes in these directories."""
        # It takes 100 ms to load.
        from watchfiles._rust_notify import RustNotify

        if self._watcher is not None:
            self._watcher.close()
        paths = sorted(directories)
        self._watcher, self._watched = None, {}
        for polls in (False, True):  # where it tells of no more directories, they are polled
            try:
                self._watcher = RustNotify(paths, False, polls, _POLL_MS, False, True)
            except FileNotFoundError:
                return  # one has gone since it was seen, and whoever asked sees again
            except (OSError, RuntimeError):
                if polls:
                    raise
            else:
                self._watched = directories
                return

    def _wait(self, milliseconds: int, stops: Callable[[], bool] | None = None) -> bool:
        """Wait for a change where it matters, no longer than that, or until `stops` says so;
        whether there may have been one."""
        assert self._watcher is not None  # what is seen is watched
        until = time.monotonic() + milliseconds / 1_000
        event = None if stops is None else _Event(stops)
        while (left := round((until - time.monotonic()) * 1_000)) > 0:
            try:
                told = self._watcher.watch(_GATHER_MS, min(_STEP_MS, left), left, event)
            except RuntimeError:  # a name that is no text: what has happened, seeing tells
                time.sleep(min(left, _POLL_MS) / 1_000)
                return True
            if told == "signal":
                raise KeyboardInterrupt
            if isinstance(told, str):
                return False
            # A directory that has gone and come is another one, whatever its number is.
            if any(kind in (_ADDED, _DELETED) and path in self._watched for kind, path in told):
                self._watched = {}
            if any(self._places.is_near(path) for _, path in told):
                return True
        return False


class _Event(NamedTuple):
    """What watchfiles asks whether to go on waiting."""

    stops: Callable[[], bool]

    def is_set(self) -> bool:
        return self.stops()
