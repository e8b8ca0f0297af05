"""One session's file as a screen shows it: rows by number, growth, filters, hits, and its verdict.

Nothing here knows of a screen. What takes long takes `is_cancelled` and `advance`, so that a thread
can do it, say how far it is, and be told to stop.
"""

from __future__ import annotations

import re
import weakref
from array import array
from bisect import bisect_left
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, NamedTuple, TypeAlias

import orjson

from cra.errors import CraError, IntegrityError, NotFound, UsageError
from cra.ledger.chain import Event
from cra.ledger.filter import Filter, containing
from cra.ledger.index import JOURNAL_FILE, LedgerFile, gone, session_id_of
from cra.ledger.outline import Coverage, coverage
from cra.ledger.shown import Shown, shown
from cra.ledger.summary import summarize
from cra.printable import safe

if TYPE_CHECKING:
    from cra.ledger.verify import LedgerReport
    from cra.tui.setting import Setting

IsCancelled: TypeAlias = Callable[[], bool]
Advance: TypeAlias = Callable[[int], None]

# How many rows are read at once, and how many such pages are kept.
_PAGE: Final = 64
_MAX_PAGES: Final = 32
# Nobody reads more of an event in a row.
_LONGEST: Final = 400
# Beyond these many events a tree is no overview, and takes long to make.
MAX_TREE: Final = 100_000
_RESOLVED: Final = b'"event_type":"carp.resolution.'
# How many linked events are kept of each kind.
_MAX_LINKS: Final = 12
# How many events with the same id are looked at: of a span that goes on and on, the first ones.
_MAX_LOOKED_AT: Final = 20_000
_SPANS: Final = re.compile(
    rb'"parent_span_id":(?:null|"([0-9a-f-]{36})").*?"span_id":"([0-9a-f-]{36})"'
)
# A payload comes after the header, in which nobody but the runtime writes.
_TIMESTAMP: Final = re.compile(rb'"timestamp":"([0-9T:.-]{19,26})Z?"')
_TYPE: Final = re.compile(rb'"event_type":"([^"\\]{1,64})"')
_CLOCK: Final = re.compile(r"[0-9]{1,2}:[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?")
_MOMENT: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}(?:[T ][0-9:.]*)?Z?")

# What completes a time that is cut short.
_EARLIEST: Final = "0001-01-01T00:00:00.000000"

# What an event says of a call in one word, with how it is shown.
_OUTCOMES: Final[Mapping[str, tuple[str, str]]] = {
    "action.approved": ("allowed", "good"),
    "action.denied": ("denied", "bad"),
    "action.executed": ("done", "good"),
    "action.failed": ("failed", "bad"),
    "approval.requested": ("waits", "warn"),
    "approval.granted": ("granted", "good"),
    "approval.denied": ("refused", "bad"),
    "approval.expired": ("expired", "warn"),
    "approval.consumed": ("used", ""),
    "session.ended": ("ended", ""),
}


class Cancelled(Exception):  # nothing went wrong
    """Whoever asked for it wants it no longer."""


class Row(NamedTuple):
    """A line of the file in the words of a row; all text is safe for a terminal."""

    number: int
    time: str
    # `damaged`: the line is no event, or not the one with its number.
    severity: str
    event_type: str
    summary: str
    outcome: str = ""
    style: str = ""
    # How many microseconds what it tells of has taken; 0: nothing is said of that.
    lasted: float = 0


class Link(NamedTuple):
    """An event that has to do with another one, and how."""

    what: str
    number: int
    words: str


class Tree(NamedTuple):
    """Rows in the order of spans: each span where it begins, with those inside it."""

    order: array[int]
    depths: bytes
    # By the position of a span's first row: how many rows the span has, itself among them.
    sizes: dict[int, int]


class Judgement(NamedTuple):
    """What a verification came to, in words for a line."""

    verdict: str
    level: str
    is_sound: bool
    code: str
    message: str
    # How many events were found in order.
    events: int
    covered: int
    # Where it breaks, in words; and the event there, if it is one of the session's.
    place: str = ""
    broken: int | None = None


class OpenLog:
    """A file that is open for a screen. Its `count` is what the screen knows of, at first nothing,
    and grows only by `take`: a thread looks at the file while rows are drawn."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.file = LedgerFile(path, reads=False)
        self.count = 0
        # Closed once no thread reads it any more: its descriptor may be another file's then.
        self.close = weakref.finalize(self, self.file.close)
        self._pages: dict[tuple[int, int], list[Row]] = {}

    @property
    def name(self) -> str:
        return session_id_of(self.path)

    @property
    def is_journal(self) -> bool:
        return self.path.name == JOURNAL_FILE

    def take(self, count: int) -> None:
        """Take in that the file has grown. The last row may be judged anew by the one after it."""
        for key in [key for key in self._pages if key[1] + _PAGE > self.count - 1]:
            del self._pages[key]
        self.count = count

    def event(self, number: int) -> Shown:
        """A line with what is wrong with it. Raises NotFound, IntegrityError."""
        if not 0 <= number < self.count:
            raise NotFound(f"expected an event from 0 to {self.count - 1}, found {number}")
        [found] = shown(self.file, [(number, self.file.line(number))])
        return found

    def text(self, number: int) -> str:
        """A line as JSON to read; one that is none as it is. Raises NotFound."""
        line = self.file.line(number)
        try:
            return orjson.dumps(orjson.loads(line), option=orjson.OPT_INDENT_2).decode()
        except orjson.JSONDecodeError:
            return line.decode(errors="replace")

    def time(self, number: int) -> str:
        """When an event was recorded, by its line; empty if that does not say."""
        found = _TIMESTAMP.search(self.file.line(number))
        return found[1].decode() if found else ""

    def row(self, at: int, numbers: Sequence[int] | None = None, version: int = 0) -> Row:
        """The row at a position: of all events, or of those with some numbers, which a version
        tells from earlier ones."""
        first = at - at % _PAGE
        key = version, first
        page = self._pages.get(key)
        if page is None or at - first >= len(page):
            page = self._read(first, numbers)
            self._pages.pop(key, None)
            while len(self._pages) >= _MAX_PAGES:
                del self._pages[next(iter(self._pages))]
            self._pages[key] = page
        return page[at - first]

    def forget(self) -> None:
        """Read every row anew."""
        self._pages.clear()

    def _read(self, first: int, numbers: Sequence[int] | None) -> list[Row]:
        if numbers is None:
            stop = min(first + _PAGE, self.count)
            found = list(enumerate(self.file.lines(first, stop), first))
        else:
            chosen = numbers[first : first + _PAGE]
            found = [(number, self.file.line(number)) for number in chosen]
        return [row_of(one) for one in shown(self.file, found)]


def row_of(one: Shown) -> Row:
    """A line in the words of a row."""
    event, fault = one.event, one.fault
    words = "" if fault is None else safe(f"{fault.finding}: {fault.message}")
    if event is None:
        # What the line says of itself is nobody's word, and still what it was taken for.
        moment, said = _TIMESTAMP.search(one.line), _TYPE.search(one.line)
        kind = safe(said[1].decode(errors="replace")) if said else "no event"
        time = moment[1].decode() if moment else ""
        return Row(one.number, time, "damaged", kind, words, "damaged", "bad")
    header, payload = event.header, event.payload
    kind = safe(event.event_type)
    if fault is not None:
        return Row(one.number, header["timestamp"], "damaged", kind, words, "damaged", "bad")
    summary = safe(summarize(event.event_type, payload)[:_LONGEST])
    outcome, style = _OUTCOMES.get(event.event_type, ("", ""))
    lasted = _lasted(payload or {})
    return Row(
        one.number, header["timestamp"], header["severity"], kind, summary, outcome, style, lasted
    )


def _lasted(payload: Mapping[str, Any]) -> float:
    for name, unit in (("duration_us", 1), ("duration_ms", 1000)):
        value = payload.get(name)
        if isinstance(value, int | float) and value >= 0:
            return value * unit
    return 0


# What takes long.


def look(log: OpenLog, advance: Callable[[int, int], None] | None = None) -> int:
    """How many lines there are now. `advance` is told meanwhile how many it has found, and up to
    which byte. Raises IntegrityError for a file that is another one, or none, with what the journal
    says of that."""

    def step(position: int) -> None:
        if advance is not None:
            advance(log.file.count, position)

    try:
        return log.file.refresh(step)
    except IntegrityError as error:
        told = _journalled(log.path)
        if told is None:
            raise
        raise NotFound(told, where=str(log.path)) from error


def opened(path: Path) -> OpenLog:
    """A file with all its lines counted. Raises NotFound, IntegrityError, OSError."""
    log = begun(path)
    log.take(look(log))
    return log


def begun(path: Path) -> OpenLog:
    """A file of which nothing is counted. Raises NotFound for one that the journal says is no more,
    IntegrityError for one that is gone without a word, OSError."""
    try:
        return OpenLog(path)
    except FileNotFoundError:
        told = _journalled(path)
        raise gone(path) if told is None else NotFound(told, where=str(path)) from None


def _journalled(path: Path) -> str | None:
    """The journal's word on a file that is not the one that was opened."""
    if path.name == JOURNAL_FILE:
        return None
    from cra.ledger.tail import journal_entry

    try:
        entry = journal_entry(path.parent, session_id_of(path))
    except (CraError, OSError):
        return None
    if path.exists():
        return "the journal says that an event was redacted" if entry.redactions else None
    return "the journal says that the session was pruned" if entry.is_pruned else None


def numbers_of(
    log: OpenLog,
    wanted: Filter,
    bounds: tuple[int, int],
    is_cancelled: IsCancelled,
    advance: Callable[[array[int], int], None] | None = None,
) -> array[int]:
    """The numbers of the events that a filter accepts, between two of them.

    `advance` is handed what was found up to then, and how many bytes were looked through. Raises
    Cancelled, IntegrityError.
    """
    found: array[int] = array("Q")
    start, stop = bounds
    done = 0

    def step(count: int) -> None:
        nonlocal done
        if is_cancelled():
            raise Cancelled
        done += count
        if advance is not None:
            advance(found, done)

    if start >= stop:
        return found
    for number, _ in log.file.search(wanted, start, advance=step):
        if number >= stop:
            break
        found.append(number)
        if len(found) % 4096 == 0:
            step(0)
    return found


def tree_of(
    log: OpenLog, numbers: Sequence[int] | None, count: int, is_cancelled: IsCancelled
) -> Tree:
    """The rows of a view in the order of spans. Raises Cancelled."""
    members: dict[bytes, list[int]] = {}
    parents: dict[bytes, bytes] = {}
    lines: Iterator[tuple[int, bytes]] = (
        enumerate(log.file.lines(0, count))
        if numbers is None
        else ((number, log.file.line(number)) for number in numbers)
    )
    for number, line in lines:
        if number % 1024 == 0 and is_cancelled():
            raise Cancelled
        found = _SPANS.search(line[:2048])
        span = found[2] if found else b""
        members.setdefault(span, []).append(number)
        if found and found[1] and found[1] != span:
            parents.setdefault(span, found[1])
    # The session's own span needs no step inwards: everything is in it.
    own = _SPANS.search(next(log.file.lines(0, 1), b"")[:2048]) if count else None
    return _ordered(members, parents, own[2] if own else b"")


def _ordered(
    members: Mapping[bytes, list[int]], parents: Mapping[bytes, bytes], session: bytes
) -> Tree:
    """Each span in its parent's place, at the time when it begins."""
    inside: dict[bytes, list[bytes]] = {}
    roots: list[bytes] = []
    for span in members:
        parent = parents.get(span)
        if parent is not None and parent in members and not _is_within(parent, span, parents):
            inside.setdefault(parent, []).append(span)
        elif span != session and session in members:
            inside.setdefault(session, []).append(span)
        else:
            roots.append(span)
    order: array[int] = array("Q")
    depths = bytearray()
    sizes: dict[int, int] = {}
    # What is left to do: an event with its depth, a span to go into, or one that ends here.
    waiting: list[tuple[str, Any, int]] = [("span", root, 0) for root in reversed(roots)]
    while waiting:
        what, value, depth = waiting.pop()
        if what == "event":
            order.append(value)
            depths.append(min(depth, 255))
        elif what == "end":
            sizes[value] = len(order) - value
        else:
            own = [(number, "event", number) for number in members[value]]
            below = [(members[span][0], "span", span) for span in inside.get(value, ())]
            (_, _, head), *rest = sorted([*own, *below], key=lambda one: one[0])
            is_inner = value != session
            if is_inner:
                waiting.append(("end", len(order), 0))
            waiting += [(kind, item, depth + is_inner) for _, kind, item in reversed(rest)]
            waiting.append(("event", head, depth))
    return Tree(order, bytes(depths), sizes)


def _is_within(span: bytes | None, other: bytes, parents: Mapping[bytes, bytes]) -> bool:
    """Whether a span is somewhere inside another one: what is stored may go round in a circle."""
    seen = set()
    while span is not None and span not in seen:
        if span == other:
            return True
        seen.add(span)
        span = parents.get(span)
    return False


def folded(tree: Tree, closed: set[int]) -> tuple[array[int], array[int]]:
    """The numbers that are left where some spans are closed, each by its first event's number, and
    the positions that they have in the whole tree."""
    numbers, places = array("Q"), array("Q")
    at = 0
    while at < len(tree.order):
        numbers.append(tree.order[at])
        places.append(at)
        at += tree.sizes.get(at, 1) if tree.order[at] in closed else 1
    return numbers, places


def links_of(log: OpenLog, event: Event, count: int, is_cancelled: IsCancelled) -> list[Link]:
    """The events that have to do with one: of its span, of the span around it, and those with its
    resolution, its approval or the answer that it repeats. Raises Cancelled."""
    session = _SPANS.search(next(log.file.lines(0, 1), b"")[:2048])
    kinds = _ids_of(event, session[2].decode() if session else "")
    if not kinds:
        return []
    found: dict[str, list[Link]] = {}

    def step(_: int) -> None:
        if is_cancelled():
            raise Cancelled

    wanted = {text.encode(): kind for text, kind in kinds.items()}
    # A call leads to its resolution and not to the others there; that one leads to all of them.
    is_resolution = event.event_type.startswith("carp.resolution.")
    for at, (number, line) in enumerate(log.file.search(containing(*wanted), advance=step)):
        if number >= count or at > _MAX_LOOKED_AT:
            break
        what = next(kind for text, kind in wanted.items() if text in line)
        if what == "resolution" and (_RESOLVED in line) is is_resolution:
            continue
        known = found.setdefault(what, [])
        if number != event.sequence and len(known) < _MAX_LINKS:
            row = row_of(Shown(number, line, *_read(line)))
            known.append(Link(what, number, f"{row.event_type}  {row.summary}"))
    return [link for what in dict.fromkeys(kinds.values()) for link in found.get(what, ())]


def _read(line: bytes) -> tuple[Event | None, IntegrityError | None]:
    from cra.ledger.chain import decode

    try:
        return decode(line), None
    except IntegrityError as error:
        return None, error


def _ids_of(event: Event, session: str) -> dict[str, str]:
    """What stands in the lines of linked events, and how those are linked. The session's own span
    links everything, which says nothing."""
    header, payload = event.header, event.payload or {}
    found = {}
    if header["span_id"] != session:
        found[f'"span_id":"{header["span_id"]}"'] = "same span"
    approval = payload.get("approval_id")
    if isinstance(approval, str) and '"' not in approval:
        found[f'"approval_id":"{approval}"'] = "approval"
    for name, what in (("resolution_id", "resolution"), ("execution_id", "execution")):
        value = payload.get(name)
        if isinstance(value, str) and '"' not in value:
            found[f'"{name}":"{value}"'] = what
    answer = payload.get("completed_event_id")
    if isinstance(answer, str) and '"' not in answer:
        found[f'"event_id":"{answer}"'] = "answer"
    parent = header["parent_span_id"]
    if parent is not None and parent != session:
        found[f'"span_id":"{parent}"'] = "span around it"
    return {
        text: what for text, what in found.items() if '"' not in text[13:-1].partition('":"')[2]
    }


def judge(setting: Setting, log: OpenLog, advance: Advance | None = None) -> Judgement:
    """The verdict on a session, with the keys and the memory of whoever looks. Raises CraError."""
    from cra.ledger.verify import verify_file, verify_ledger

    path, directory, cores = log.path, log.path.parent, setting.cores
    if (directory / JOURNAL_FILE).exists():
        names = [] if path.name == JOURNAL_FILE else [session_id_of(path)]
        report = verify_ledger(
            directory,
            setting.trust,
            sessions=names,
            memory=setting.memory,
            cores=cores,
            advance=advance,
        )
    else:
        report = verify_file(path, setting.trust, cores=cores, advance=advance)
    return _judged(report, log.name, log.count)


def _judged(report: LedgerReport, name: str, count: int) -> Judgement:
    from cra.ledger.verify import JOURNAL

    own = next((part for part in report.parts if part.name == name), None)
    worst = report.decisive
    # What is wrong with the journal is said of every session: it is what vouches for them.
    told = own if own is not None and own.verdict == report.verdict else worst
    is_sound = report.verdict.exit_code == 0
    place, broken = "", None
    if told is not None and told is own and not is_sound:
        broken = own.events
        place = f"at event {broken}" if broken < count else f"after event {broken - 1}"
    elif told is not None and not is_sound:
        place = f"in the {told.name}" if told.name == JOURNAL else f"in {told.name}"
    return Judgement(
        report.verdict.name,
        str(report.level),
        is_sound,
        str(told.code) if told is not None and told.code is not None else "",
        (told.message or "") if told is not None else "",
        own.events if own is not None else 0,
        own.covered if own is not None else 0,
        place,
        broken,
    )


def covered_by(log: OpenLog) -> Coverage:
    """Which events a checkpoint covers; none if it cannot be read."""
    try:
        return coverage(log.file)
    except (CraError, OSError):
        return Coverage(0, ())


def known_of(
    setting: Setting,
) -> tuple[dict[str, str], list[str], dict[str, tuple[str, ...]]]:
    """Where every rule is written now, by its id, which actions there are, and what each rule says;
    nothing where there is no project to be read."""
    if setting.open_project is None:
        return {}, [], {}
    from cra.runtime.places import places_by_id, rules_by_id

    with setting.open_project() as project:
        return places_by_id(project), sorted(project.snapshot.actions), rules_by_id(project)


# Where somebody wants to go.


def number_at(log: OpenLog, text: str, near: int) -> int:
    """The number of the event that a text names: its number, +N or -N from here, or the first one
    at or after a time, which may be the beginning of one or of the day's. Raises UsageError."""
    words = text.strip()
    if re.fullmatch(r"[+-]?[0-9]{1,15}", words):
        step = int(words)
        wanted = near + step if words[0] in "+-" else step
        if words[0] not in "+-" and wanted >= log.count:
            raise UsageError(f"expected an event up to {log.count - 1}, found {words}")
        return max(0, min(wanted, log.count - 1))
    moment = "never"
    if _CLOCK.fullmatch(words):
        clock = words if words[1:2] != ":" else f"0{words}"
        moment = f"{_time_of(log, near)[:10]}T{clock}"
    elif _MOMENT.fullmatch(words):
        moment = words.removesuffix("Z").replace(" ", "T")
    try:
        datetime.fromisoformat(moment + _EARLIEST[len(moment) :])
    except ValueError:
        raise UsageError(
            f"expected a number or a time in UTC like 10:15, found {words or 'nothing'}"
        ) from None
    return _first_at(log, moment)


def _first_at(log: OpenLog, moment: str) -> int:
    """The first event at or after a time; the last one if there is none."""

    def is_before(number: int) -> bool:
        return _time_of(log, number) >= moment

    return min(bisect_left(range(log.count), True, key=is_before), max(0, log.count - 1))


def _time_of(log: OpenLog, number: int) -> str:
    return log.time(number) if number < log.count else ""
