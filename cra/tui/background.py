"""What takes long about one session: done in threads, which post to the screen what came of it."""

from __future__ import annotations

import time
from array import array
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Final

from textual.message import Message
from textual.screen import Screen
from textual.worker import get_current_worker

from cra.errors import CraError
from cra.ledger.filter import Filter
from cra.ledger.outline import Coverage, outline
from cra.ledger.shown import Shown
from cra.ledger.source import Source
from cra.tui.setting import Setting
from cra.tui.source import (
    Cancelled,
    IsCancelled,
    Judgement,
    Link,
    OpenLog,
    Tree,
    begun,
    covered_by,
    judge,
    known_of,
    links_of,
    look,
    numbers_of,
    tree_of,
)

_REPORT_SECONDS: Final = 0.1


class LogOpened(Message):
    """The file is there; what is in it comes with `Grown`."""

    def __init__(self, log: OpenLog, agent: str, state: str) -> None:
        super().__init__()
        self.log = log
        self.agent = agent
        self.state = state


class Undone(Message):
    """Something that was begun came to nothing, and why."""

    def __init__(self, what: str, error: Exception) -> None:
        super().__init__()
        self.what = what
        self.error = error


class Grown(Message):
    """There are more events; `position` is up to which byte they were counted, if that goes on."""

    def __init__(self, log: OpenLog, count: int, position: int | None = None) -> None:
        super().__init__()
        self.log = log
        self.count = count
        self.position = position


class Scanned(Message):
    """What a scan found since it said so last."""

    def __init__(self, scan: Scan, numbers: array[int], share: float, reached: int | None) -> None:
        super().__init__()
        self.scan = scan
        self.numbers = numbers
        self.share = share
        # Up to where it has looked, once it is there.
        self.reached = reached


class Judged(Message):
    def __init__(self, judgement: Judgement, coverage: Coverage) -> None:
        super().__init__()
        self.judgement = judgement
        self.coverage = coverage


class Verifying(Message):
    def __init__(self, share: float) -> None:
        super().__init__()
        self.share = share


class Linked(Message):
    def __init__(self, number: int, links: list[Link]) -> None:
        super().__init__()
        self.number = number
        self.links = links


class Placed(Message):
    """Where the rules are written, which actions there are, and what the rules say."""

    def __init__(
        self,
        places: dict[str, str],
        actions: Sequence[str],
        rules: Mapping[str, tuple[str, ...]] = MappingProxyType({}),
    ) -> None:
        super().__init__()
        self.places = places
        self.actions = actions
        self.rules = rules


class Ordered(Message):
    """The tree of so many events, and how long it took to make."""

    def __init__(self, tree: Tree, count: int, seconds: float, version: int) -> None:
        super().__init__()
        self.tree = tree
        self.count = count
        self.seconds = seconds
        self.version = version


class Scan:
    """A question that is asked of all events, and of those that come: where a filter holds."""

    def __init__(self, name: str, wanted: Filter) -> None:
        self.name = name
        self.wanted = wanted
        self.numbers: array[int] = array("Q")
        self.stop = 0
        self.share = 0.0
        self.is_running = False


class Background:
    """The threads of a screen that shows one session."""

    def __init__(self, screen: Screen[None], setting: Setting, path: Path) -> None:
        self._screen = screen
        self._setting = setting
        self._path = path

    def stop(self, what: str) -> None:
        self._screen.workers.cancel_group(self._screen, what)

    def open(self) -> None:
        """Open the file, and then see what is in it, the beginning first."""

        def work(is_cancelled: IsCancelled) -> None:
            log = begun(self._path)
            known = outline(self._path)
            self._post(LogOpened(log, known.agent or "", known.state(Source().now())))
            self._see(log, is_cancelled)

        self._in_thread("open", work)

    def look(self, log: OpenLog) -> None:
        """See what has been appended."""
        self._in_thread("look", lambda is_cancelled: self._see(log, is_cancelled))

    def scan(self, log: OpenLog, scan: Scan) -> None:
        """Let a scan look at the events that it has not seen."""
        if scan.is_running or scan.stop >= log.count:
            return
        scan.is_running = True
        bounds = scan.stop, log.count
        total = max(1, log.file.end)

        def work(is_cancelled: IsCancelled) -> None:
            sent, is_due = 0, _Interval()

            def advance(found: array[int], done: int) -> None:
                nonlocal sent
                if is_due():
                    self._post(Scanned(scan, found[sent:], done / total, None))
                    sent = len(found)

            found = numbers_of(log, scan.wanted, bounds, is_cancelled, advance)
            self._post(Scanned(scan, found[sent:], 1.0, bounds[1]))

        self._in_thread(scan.name, work)

    def verify(self, log: OpenLog) -> None:
        total = max(1, log.file.end)

        def work(is_cancelled: IsCancelled) -> None:
            done, is_due = 0, _Interval()

            def advance(count: int) -> None:
                nonlocal done
                if is_cancelled():
                    raise Cancelled
                done += count
                if is_due():
                    self._post(Verifying(min(1.0, done / total)))

            judgement = judge(self._setting, log, advance)
            self._post(Judged(judgement, covered_by(log)))

        self._in_thread("verify", work)

    def find_links(self, log: OpenLog, shown: Shown) -> None:
        """Find what has to do with an event."""
        event, count = shown.event, log.count
        if event is None:
            self._post(Linked(shown.number, []))
            return

        def work(is_cancelled: IsCancelled) -> None:
            self._post(Linked(shown.number, links_of(log, event, count, is_cancelled)))

        self._in_thread("links", work)

    def find_places(self) -> None:
        """Find where the rules are written, and which actions there are."""
        self._in_thread("places", lambda _: self._post(Placed(*known_of(self._setting))))

    def order(self, log: OpenLog, numbers: Sequence[int] | None, version: int) -> None:
        """Put all events, or those with some numbers, in the order of spans."""
        count = log.count

        def work(is_cancelled: IsCancelled) -> None:
            begun = time.monotonic()
            tree = tree_of(log, numbers, count, is_cancelled)
            self._post(Ordered(tree, count, time.monotonic() - begun, version))

        self._in_thread("tree", work)

    def _see(self, log: OpenLog, is_cancelled: IsCancelled) -> None:
        # The first rows at once: that is what somebody waits for.
        is_due = _Interval(begins_due=True)

        def advance(count: int, position: int) -> None:
            if is_cancelled():
                raise Cancelled
            if is_due():
                self._post(Grown(log, count, position))

        self._post(Grown(log, look(log, advance)))

    def _post(self, message: Message) -> None:
        self._screen.post_message(message)

    def _in_thread(self, what: str, work: Callable[[IsCancelled], None]) -> None:
        """Do something in a thread, in place of what is done there for the same end."""

        def guarded() -> None:
            worker = get_current_worker()
            try:
                work(lambda: worker.is_cancelled)
            except Cancelled:
                pass
            except (CraError, OSError) as error:
                if not worker.is_cancelled:
                    self._post(Undone(what, error))

        self._screen.run_worker(guarded, group=what, exclusive=True, thread=True)


class _Interval:
    """Says now and then, when it is asked, that it is time to report."""

    def __init__(self, *, begins_due: bool = False) -> None:
        self._due = 0.0 if begins_due else time.monotonic() + _REPORT_SECONDS

    def __call__(self) -> bool:
        now = time.monotonic()
        if now < self._due:
            return False
        self._due = now + _REPORT_SECONDS
        return True
