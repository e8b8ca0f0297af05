"""Any system call may fail, at any point: what was acknowledged stays, and the ledger goes on.

Each survey fails the first call, then the second, and so on, until a run meets no fault.
"""

from __future__ import annotations

import errno
import os
import shutil
import traceback
from collections.abc import Callable, Collection
from contextlib import suppress
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from cra.errors import CraError, WriterStopped
from cra.ledger.retention import prune, redact
from cra.ledger.store import Ledger, Session
from cra.ledger.verdict import Verdict
from cra.ledger.verify import LedgerReport

from .harness import (
    READS,
    SYNCS,
    Call,
    ManualSyncer,
    Promises,
    Site,
    add_bytes,
    assert_intact,
    assert_settled,
    assert_unlocked,
    begun_sessions,
    booted_as,
    die,
    forged_line,
    is_named_unattested,
    kernel,
    manual_syncing,
    partial_line,
    signer,
    stored_events,
    without_syncing,
)
from .payloads import DENIED, GRANTED, LARGE


class Died(BaseException):
    """Stands for the end of the process: nothing that the ledger does after it reaches the disk."""


@dataclass
class Fault:
    """Fails one call, or that one and all later ones; a hook of the harness's kernel."""

    kind: str
    at: int
    persists: bool = False
    calls: Collection[str] = ()
    met: int = 0
    struck: Call | None = None

    def __call__(self, call: Call, real: Callable[..., Any]) -> Any:
        if not _can_fail(self.kind, call) or (self.calls and call.name not in self.calls):
            return without_syncing(call, real)
        self.met += 1
        number = self.met - 1
        # A torn write takes two calls: one that writes a part, and one that fails.
        last = self.at + (self.kind == "torn")
        if self.at <= number and (self.persists or number <= last):
            self.struck = self.struck or call
            return _failures[self.kind](call, real, first=number == self.at)
        return without_syncing(call, real)

    @property
    def stops_writer(self) -> bool:
        """Whether the disk may have lost what was written to an event file."""
        call = self.struck
        is_failure = self.kind in {"EIO", "ENOSPC"}
        return is_failure and call is not None and call.name in SYNCS and call.is_data


def _can_fail(kind: str, call: Call) -> bool:
    if call.is_unlock or (call.name == "close" and not call.can_break_at_close):
        return False
    match kind:
        case "short":
            return call.name in {"write", "read", "pread"} and len(call.arguments) > 1
        case "torn":
            return call.name == "write"
        case "late":
            return call.name in {"rename", "unlink", "ftruncate", "open"}
        case "ENOSPC":
            return call.name not in READS
        case _:
            return True


def _fail_with(number: int) -> Callable[..., Any]:
    def fail(call: Call, real: Callable[..., Any], *, first: bool) -> Any:
        del first
        if call.name == "close":
            real(*call.arguments)
        raise OSError(number, os.strerror(number), call.path)

    return fail


def _fail_late(call: Call, real: Callable[..., Any], *, first: bool) -> Any:
    """Done, and reported as failed."""
    del first
    found = real(*call.arguments)
    if call.name == "open":
        os.close(found)
    raise OSError(errno.EIO, os.strerror(errno.EIO), call.path)


def _do_a_part(call: Call, real: Callable[..., Any], *, first: bool) -> Any:
    del first
    fd, asked, *rest = call.arguments
    return real(fd, asked[: len(asked) // 3 + 1] if call.name == "write" else asked // 3 + 1, *rest)


def _tear(call: Call, real: Callable[..., Any], *, first: bool) -> Any:
    """A part of the write arrives; the disk is full."""
    if first:
        return _do_a_part(call, real, first=first)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def _interrupt(call: Call, real: Callable[..., Any], *, first: bool) -> Any:
    """A signal is handled when the call that it came in has returned."""
    found = without_syncing(call, real)
    if not first:
        return found
    if call.name == "open":
        os.close(found)
    raise KeyboardInterrupt


def _die(call: Call, real: Callable[..., Any], *, first: bool) -> Any:
    if not first and call.name in {"close", "flock"}:
        return real(*call.arguments)
    raise Died


_failures: dict[str, Callable[..., Any]] = {
    "EIO": _fail_with(errno.EIO),
    "ENOSPC": _fail_with(errno.ENOSPC),
    "EINTR": _fail_with(errno.EINTR),
    "EMFILE": _fail_with(errno.EMFILE),
    "late": _fail_late,
    "short": _do_a_part,
    "torn": _tear,
    "Ctrl-C": _interrupt,
    "death": _die,
}


@dataclass
class Run:
    """One journey through the ledger, and what it was promised on the way."""

    site: Site
    syncer: ManualSyncer
    promises: Promises = field(default_factory=Promises)
    ledger: Ledger | None = None
    session: Session | None = None

    def append(self, session: Session, payload: dict[str, Any] = DENIED) -> None:
        event_type = "action.denied" if payload is DENIED else "action.executed"
        self.promises.add(session, session.append(event_type, payload))

    def append_together(self, session: Session, count: int) -> None:
        with session.batch():
            receipts = [session.append("action.denied", DENIED) for _ in range(count)]
        self.promises.add(session, *receipts)


def nothing_yet(site: Site) -> None:
    """A journey that begins where no ledger is."""
    site.directory.mkdir(parents=True)


def live(run: Run) -> None:
    """From the first event of a new ledger to its orderly end."""
    run.ledger = ledger = run.site.open()
    run.session = session = ledger.start_session("agent")
    run.append(session)
    run.append_together(session, 3)
    run.syncer.run()
    run.append(session, LARGE)
    session.barrier()
    run.append(session)
    child = ledger.start_session("child", parent_session_id=session.id)
    run.append(child)
    child.end()
    session.end()
    ledger.close()


def live_durably(run: Run) -> None:
    run.ledger = ledger = run.site.open(durability="always")
    run.session = session = ledger.start_session("agent")
    run.append(session)
    run.append_together(session, 3)
    run.syncer.run()
    ledger.close()


def live_among_others(run: Run) -> None:
    """Somebody without the key adds to the file while the session is open."""
    run.ledger = ledger = run.site.open()
    run.session = session = ledger.start_session("agent")
    forge_grant(run.site, session)
    run.append(session)
    run.syncer.run()
    forge_grant(run.site, session)
    session.barrier()
    forge_grant(run.site, session)
    ledger.close()


def forge_grant(site: Site, session: Session) -> None:
    line = forged_line(site, session.id, "approval.granted", GRANTED)
    add_bytes(session.paths.data, line)


def three_crashes(site: Site) -> None:
    """A ledger whose journal and first session end in the middle of a line, and more such things.

    The second session lacks only its last LF; the third has events that no checkpoint covers.
    """
    ledger = site.open()
    sessions = [ledger.start_session(f"agent{number}") for number in range(3)]
    for session in sessions:
        session.append("action.denied", DENIED)
    ledger.close()
    torn, unterminated, foreign = (site.data(session.id) for session in sessions)
    add_bytes(torn, forged_line(site, sessions[0].id, "action.denied", DENIED)[:300])
    add_bytes(unterminated, forged_line(site, sessions[1].id, "action.denied", DENIED)[:-1])
    for _ in range(2):
        add_bytes(foreign, forged_line(site, sessions[2].id, "approval.granted", GRANTED))
    head = {"session_id": sessions[0].id, "size": 1, "root": "0" * 64}
    add_bytes(site.data("journal"), forged_line(site, "journal", "journal.checkpoint", head)[:100])


def ended_sessions(site: Site) -> None:
    """Two sessions that have ended, with blobs, and one that is open."""
    ledger = site.open()
    for _ in range(2):
        session = ledger.start_session("ended")
        session.append("action.executed", LARGE)
        session.end()
    ledger.start_session("open")
    ledger.close()


def take_away(run: Run) -> None:
    """Redact an event of one session and prune another."""
    redacted, pruned, still_open = run.site.sessions()
    run.ledger = ledger = run.site.open()
    run.session = ledger.session(still_open)
    redact(ledger, redacted, 1, "private")
    prune(ledger, pruned, "old")
    run.append(run.session)
    ledger.close()


def recover(run: Run) -> None:
    run.ledger = ledger = run.site.open()
    for session_id in run.site.sessions():
        session = run.session = ledger.session(session_id)
        run.append(session)
    run.syncer.run()
    for session_id in run.site.sessions():
        ledger.session(session_id).barrier()
    ledger.close()


def power_cut(site: Site) -> None:
    """Damage beyond the checkpoint: a lost sector before a whole line."""
    with booted_as("before"):
        ledger = site.open()
        session = ledger.start_session("agent")
        session.append("action.denied", DENIED)
        ledger.close()
    line = forged_line(site, session.id, "action.denied", DENIED)
    add_bytes(site.data(session.id), bytes(100) + line[100:])


def check_nothing_foreign_counts(site: Site) -> None:
    """The two events that nobody signed for stay without a word of this ledger's key."""
    for session_id in site.sessions():
        events = stored_events(site, session_id)
        for event in events:
            if event.event_type == "approval.granted":
                assert is_named_unattested(events, event.sequence), f"attested: {event.header}"


def survey(
    root: Path,
    begin: Callable[[Site], None],
    journey: Callable[[Run], None],
    kind: str,
    *,
    persists: bool = False,
    calls: Collection[str] = (),
    step: int = 1,
    end: int = 10_000,
) -> int:
    """Run a journey once per call that it makes, failing that call. Returns the number of runs.

    It stops at a call, if `end` is given; only `calls` fail, if any are named; with a `step` one
    call in so many fails.
    """
    model = Site(root / "model", signer())
    begin(model)
    problems: list[str] = []
    for at in range(0, end, step):
        shutil.rmtree(root / "run", ignore_errors=True)
        fault = Fault(kind, at, persists, calls)
        site = model.copy(root / "run")
        try:
            _endure(site, journey, fault)
        except AssertionError as error:
            problems.append(f"{at} {_described(fault.struck, site)}: {error}")
        if fault.struck is None:
            assert not problems, "\n".join(problems)
            return at // step
        die()
    assert not problems, "\n".join(problems)
    return end // step


def _described(call: Call | None, site: Site) -> str:
    return f"{call.name} {Path(call.path).relative_to(site.root)}" if call else "no fault"


def _endure(site: Site, journey: Callable[[Run], None], fault: Fault) -> None:
    was_whole = not site.sessions()
    with manual_syncing() as syncer:
        run = Run(site, syncer)
        with kernel(site.root, fault):
            _expect_only_ours(lambda: journey(run), fault)
        with kernel(site.root, without_syncing):
            assert_unlocked(site)
            if fault.kind == "torn" and was_whole:
                _check_that_nothing_is_half_written(site)
            if fault.kind != "death":
                _let_another_process_work(run)
                _go_on(run, fault)
            die()
            _check_as_found(site, run)
            _begin_again(site, run)


def _check_that_nothing_is_half_written(site: Site) -> None:
    for name in ["journal", *site.sessions()]:
        assert partial_line(site, name) == b"", f"half a line is left in {name}"


def _expect_only_ours(work: Callable[[], None], fault: Fault) -> None:
    try:
        work()
    except CraError:
        assert fault.struck is not None
    except KeyboardInterrupt:
        assert fault.kind == "Ctrl-C"
    except Died:
        assert fault.kind == "death"
    except Exception as error:
        raise AssertionError(f"not one of our errors: {error!r}, {_origin(error)}") from error
    else:
        assert not fault.stops_writer, "closed as if the disk had kept everything"


def _origin(error: Exception) -> str:
    """Where in cra an exception came out."""
    frames = traceback.extract_tb(error.__traceback__)
    inside = [frame for frame in frames if "/cra/" in frame.filename]
    return " < ".join(f"{Path(frame.filename).name}:{frame.name}" for frame in inside[::-1][:4])


def _let_another_process_work(run: Run) -> None:
    """It finds what the fault left, and goes on from there before the first process does."""
    ledger = run.site.open()
    if run.session is not None and run.session.id in begun_sessions(run.site):
        session = ledger.session(run.session.id)
        if not session.ended:
            run.append(session)
    another = ledger.start_session("another")
    run.append(another)
    another.end()
    ledger.close()


def _go_on(run: Run, fault: Fault) -> None:
    """The same process tries again: it records, or says why not."""
    session = run.session
    if session is None:
        return
    try:
        run.append(session)
        run.syncer.run()
        session.barrier()
    except CraError as error:
        failure: CraError | None = error
    except Exception as error:
        raise AssertionError(f"not one of our errors: {error!r}, {_origin(error)}") from error
    else:
        failure = None
    if fault.stops_writer and fault.struck and fault.struck.path == str(session.paths.data):
        assert isinstance(failure, WriterStopped), f"goes on after a failed sync: {failure!r}"


def _check_as_found(site: Site, run: Run) -> None:
    run.promises.assert_kept(site)
    if run.session is not None:
        assert_intact(site.verify())


def _begin_again(site: Site, run: Run) -> None:
    """Another process opens the ledger, and everything is as it should be."""
    ledger = site.open()
    for session_id in begun_sessions(site):
        session = ledger.session(session_id)
        if not session.ended:
            run.append(session)
    session = ledger.start_session("next")
    run.append(session)
    ledger.close()
    die()
    assert_settled(site.verify())
    run.promises.assert_kept(site)
    check_nothing_foreign_counts(site)


JOURNEYS: list[tuple[Callable[[Site], None], Callable[[Run], None]]] = [
    (nothing_yet, live),
    (nothing_yet, live_durably),
    (nothing_yet, live_among_others),
    (three_crashes, recover),
    (power_cut, recover),
]
LONG_JOURNEYS = [*JOURNEYS, (ended_sessions, take_away)]


def _name(kind: str, persists: bool) -> str:
    return f"{kind}-from-then-on" if persists else f"{kind}-once"


# With the step that keeps it short: one call in so many fails.
QUICK = [("death", True, 4), ("EIO", False, 3), ("short", False, 2), ("torn", True, 1)]
LONG = [
    ("death", True),
    ("EIO", False),
    ("EIO", True),
    ("short", False),
    ("ENOSPC", False),
    ("ENOSPC", True),
    ("EINTR", False),
    ("EMFILE", True),
    ("late", False),
    ("torn", False),
    ("Ctrl-C", False),
]
NAMES = [f"{journey.__name__}-{begin.__name__}" for begin, journey in LONG_JOURNEYS]


@pytest.mark.parametrize(("begin", "journey"), JOURNEYS, ids=NAMES[:-1])
@pytest.mark.parametrize(
    ("kind", "persists", "step"), QUICK, ids=[_name(kind, lasts) for kind, lasts, _ in QUICK]
)
def test_a_failing_call_loses_nothing(ram, begin, journey, kind, persists, step):
    assert survey(ram, begin, journey, kind, persists=persists, step=step) > 3


@pytest.mark.full
@pytest.mark.parametrize(("begin", "journey"), LONG_JOURNEYS, ids=NAMES)
@pytest.mark.parametrize(("kind", "persists"), LONG, ids=[_name(*case) for case in LONG])
def test_whichever_call_fails_nothing_is_lost(ram, say, begin, journey, kind, persists):
    runs = survey(ram, begin, journey, kind, persists=persists)

    say(f"{_name(kind, persists)}, {journey.__name__}: {runs} calls failed in turn")
    assert runs > 5


def start_a_second(run: Run) -> None:
    run.ledger = ledger = run.site.open()
    ledger.start_session("second")


def one_session(site: Site) -> None:
    ledger = site.open()
    ledger.start_session("first").append("action.denied", DENIED)
    ledger.close()
    die()


def test_a_session_whose_start_was_cut_short_is_never_unlisted(ram):
    """It refuses to go on, or the journal lists it as soon as it does."""
    model = Site(ram / "model", signer())
    one_session(model)
    problems = []
    for at in range(1000):
        site = model.copy(ram / f"run{at}")
        fault = Fault("death", at, persists=True)
        with manual_syncing() as syncer, kernel(site.root, fault):
            _expect_only_ours(partial(start_a_second, Run(site, syncer)), fault)
        die()
        verdict = _continue_everything(site).verdict
        if verdict is not Verdict.INTACT and verdict is not Verdict.STILLBORN:
            problems.append((at, _described(fault.struck, site), verdict.name))
        if fault.struck is None:
            break

    assert not problems, problems


def _continue_everything(site: Site) -> LedgerReport:
    ledger = site.open()
    for session_id in site.sessions():
        with suppress(CraError):
            ledger.session(session_id).append("action.denied", DENIED)
    ledger.close()
    die()
    return site.verify()


@pytest.mark.parametrize("kind", ["death", "EIO"])
def test_what_was_begun_to_be_taken_away_is_gone_once_it_is_asked_for_again(ram, kind):
    model = Site(ram / "model", signer())
    ended_sessions(model)
    die()
    for at in range(0, 1000, 10):
        site = model.copy(ram / f"run{at}")
        fault = Fault(kind, at, persists=kind == "death")
        with manual_syncing() as syncer, kernel(site.root, fault):
            _expect_only_ours(partial(take_away, Run(site, syncer)), fault)
        die()
        assert_intact(site.verify())
        _take_the_rest_away(site, *model.sessions()[:2])
        shutil.rmtree(site.root)
        if fault.struck is None:
            return
    raise AssertionError("the faults never end")


def _take_the_rest_away(site: Site, redacted: str, pruned: str) -> None:
    ledger = site.open()
    redact(ledger, redacted, 1, "private")
    if site.data(pruned).exists() or list(site.directory.glob("*.pruned")):
        prune(ledger, pruned, "old")
    ledger.close()
    die()
    assert stored_events(site, redacted)[1].payload is None
    assert list((site.directory / "blobs").iterdir()) == []
    assert not site.data(pruned).exists()
    assert_settled(site.verify())
