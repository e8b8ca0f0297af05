"""Any number of processes and threads write, read, verify, prune and fork at the same time."""

from __future__ import annotations

import json
import subprocess
import threading
import time
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest

from cra.ledger.chain import Chain, Event
from cra.ledger.keys import create_key
from cra.ledger.retention import plan_prune, prune
from cra.ledger.store import Ledger, Session

from .children import Writer, start_child, start_writer
from .forking_child import PROGRAMS
from .harness import (
    Call,
    Site,
    assert_intact,
    assert_recorded,
    assert_settled,
    covered,
    die,
    facts,
    kernel,
    manual_syncing,
    stored_events,
    tail,
    without_syncing,
)
from .payloads import DENIED

PATIENCE = 60


@pytest.fixture
def key(tmp_path: Path) -> Path:
    return tmp_path / "keys" / "ledger.key"


@pytest.fixture
def site(tmp_path: Path, key: Path) -> Site:
    return Site(tmp_path / "site", create_key(key))


class Follower:
    """A live reader of one session: it sees each event once, in order, and never half of one."""

    def __init__(self, site: Site, session_id: str) -> None:
        self._path = site.data(session_id)
        self._chain = Chain(session_id)
        self._offset = 0

    def look(self) -> None:
        events, self._offset = tail(self._path, self._offset)
        for event in events:
            self._chain.check(event.line)

    @property
    def seen(self) -> int:
        return self._chain.size


@dataclass
class Crowd:
    """Many write to one session; one process verifies all the while, some are killed."""

    site: Site
    key: Path
    threads: int
    writers: list[Writer] = field(default_factory=list)
    killed: list[Writer] = field(default_factory=list)
    session_id: str = ""

    def gather(self, processes: int) -> None:
        ledger = self.site.open()
        self.session_id = ledger.start_session("agent").id
        ledger.close()
        die()
        for _ in range(processes):
            self.add_writer()
        for writer in self.writers:
            writer.wait_for_first()

    def add_writer(self) -> None:
        seed = len(self.writers) + len(self.killed)
        self.writers.append(
            start_writer(
                self.site, self.key, self.session_id, "light", threads=self.threads, seed=seed
            )
        )

    def replace_a_writer(self) -> None:
        self.killed.append(self.writers.pop(0))
        self.killed[-1].kill()
        self.add_writer()

    def run(self, reads: int, seconds: int, *, kills: bool) -> Counter[str]:
        patience = 5 if kills else 0
        arguments = (self.site.directory, self.key, reads, seconds, patience)
        verifier = start_child("verifier_child", *arguments)
        follower = Follower(self.site, self.session_id)
        keeper = Keeper(self.site)
        next_kill = time.monotonic() + 1
        while verifier.poll() is None:
            for writer in self.writers:
                writer.listen(0.01)
            follower.look()
            keeper.tidy()
            if kills and time.monotonic() > next_kill:
                self.replace_a_writer()
                next_kill = time.monotonic() + 1
        for writer in self.writers:
            writer.stop()
        follower.look()
        return self.judge(verifier, follower) + keeper.counts

    def judge(self, verifier: subprocess.Popen[bytes], follower: Follower) -> Counter[str]:
        output, complaint = verifier.communicate()
        assert verifier.returncode == 0, complaint.decode()
        found = json.loads(output)
        assert not found["complaints"], found["complaints"]
        assert_intact(self.site.verify())
        everybody = self.writers + self.killed
        promises = [promise for writer in everybody for promise in writer.acknowledged()]
        there = [promise for promise in promises if self.site.data(promise.session_id).exists()]
        assert_recorded(self.site, there)
        events = stored_events(self.site, self.session_id)
        assert len(events) == follower.seen
        assert_no_twins(events)
        counts = {f"reads {name}": number for name, number in found["verdicts"].items()}
        counts |= {"killed": len(self.killed), "acknowledged": len(promises)}
        return Counter(counts)


def crowd(
    site: Site, key: Path, *, processes: int, threads: int, reads: int, seconds: int, kills: bool
) -> Counter[str]:
    gathered = Crowd(site, key, threads)
    try:
        gathered.gather(processes)
        return gathered.run(reads, seconds, kills=kills)
    finally:
        for writer in gathered.writers:
            writer.kill()


def assert_no_twins(events: list[Event]) -> None:
    ids = Counter(event.header["event_id"] for event in events)
    salts = Counter(event.line[-114:-82] for event in events)
    assert [item for item, count in (ids + salts).items() if count > 1] == []


class Keeper:
    """Somebody who prunes ended sessions all the while."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self.counts: Counter[str] = Counter()

    def tidy(self) -> None:
        ended = [item for item in plan_prune(self._site.directory) if item.ended_at is not None]
        if len(ended) < 3:
            return
        ledger = self._site.open()
        for candidate in ended[:2]:
            prune(ledger, candidate.session_id, "in the way")
            self.counts["pruned"] += 1
        ledger.close()
        die()


@pytest.mark.full
@pytest.mark.parametrize("kills", [False, True], ids=["undisturbed", "some-are-killed"])
def test_a_crowd_of_writers_and_readers_agrees(site, key, say, kills):
    counts = crowd(site, key, processes=3, threads=3, reads=150, seconds=5, kills=kills)

    say(f"crowd: {dict(counts)}")
    assert counts["acknowledged"] > 800


@pytest.mark.full
@pytest.mark.parametrize("kills", [False, True], ids=["undisturbed", "some-are-killed"])
@pytest.mark.parametrize(("processes", "threads"), [(2, 8), (6, 2), (4, 4)])
def test_a_large_crowd_agrees(site, key, say, processes, threads, kills):
    """All six together verify 1,200 times, each time all that was written until then."""
    counts = crowd(
        site, key, processes=processes, threads=threads, reads=200, seconds=20, kills=kills
    )

    say(f"crowd of {processes} by {threads}: {dict(counts)}")
    assert counts["acknowledged"] > 2000


@pytest.mark.parametrize("program", PROGRAMS, ids=[program.__name__ for program in PROGRAMS])
def test_a_fork(site, key, program):
    child = start_child("forking_child", program.__name__, site.directory, site.root / "state", key)
    try:
        _, complaint = child.communicate(timeout=PATIENCE)
    finally:
        child.kill()

    assert child.returncode == 0, complaint.decode()
    assert_intact(site.verify())
    for session_id in site.sessions():
        assert_no_twins(stored_events(site, session_id))


EXPECTED = {
    "in_the_middle_of_a_batch": 9,
    "out_of_a_batch": 7,
    "while_the_background_thread_runs": 225,
    "with_threads_before_and_after": 960,
}


@pytest.mark.parametrize(("program", "expected"), EXPECTED.items(), ids=list(EXPECTED))
def test_what_parent_and_child_recorded_is_all_there(site, key, program, expected):
    child = start_child("forking_child", program, site.directory, site.root / "state", key)
    child.communicate(timeout=PATIENCE)
    (session_id,) = site.sessions()

    types = Counter(event.event_type for event in stored_events(site, session_id))

    assert types["action.denied"] == expected


def in_threads(*works: Callable[[], Any]) -> list[Any]:
    """Do all at the same time; a thread that does not end is a deadlock."""
    results: list[Any] = []

    def collect(work: Callable[[], Any]) -> None:
        try:
            results.append(work())
        except BaseException as error:  # noqa: BLE001  # whatever it is, the test reports it
            results.append(error)

    threads = [threading.Thread(target=collect, args=(work,), daemon=True) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(PATIENCE)
    assert not any(thread.is_alive() for thread in threads), "threads wait for one another"
    for result in results:
        if isinstance(result, BaseException):
            raise result
    return results


def append_and_sync(session: Session) -> None:
    for number in range(60):
        session.append("action.denied", DENIED)
        if number % 7 == 0:
            session.barrier()


def test_two_ledgers_in_one_process_share_a_directory(site):
    ledgers = [site.open(), site.open()]
    first = ledgers[0].start_session("agent")
    second = ledgers[1].session(first.id)

    in_threads(
        *(lambda session=session: append_and_sync(session) for session in (first, second) * 2)
    )
    for ledger in ledgers:
        ledger.close()

    assert_settled(site.verify())
    assert sum(e.event_type == "action.denied" for e in stored_events(site, first.id)) == 240


def test_threads_that_start_and_end_sessions_do_not_disturb_one_another(site):
    ledger = site.open()

    def live() -> None:
        for _ in range(8):
            session = ledger.start_session("agent")
            append_and_sync_briefly(session)
            assert_intact(site.verify())

    in_threads(*[live] * 4)
    ledger.close()

    report = site.verify()
    assert_settled(report)
    assert len(report.sessions) == 32, facts(report)


def append_and_sync_briefly(session: Session) -> None:
    session.append("action.denied", DENIED)
    session.barrier()
    session.end()


def test_what_is_remembered_outside_is_never_ahead_of_the_disk(site):
    """Another thread remembers the journal's head while one is writing to it."""
    ledgers: list[Ledger] = []
    rememberers = []
    heads = []

    def meddle(call: Call, real: Callable[..., Any]) -> Any:
        is_growing = call.path == str(site.data("journal")) and call.name in {"write", "fdatasync"}
        for ledger in ledgers if is_growing else []:
            rememberers.append(threading.Thread(target=ledger.remember))
            rememberers[-1].start()
            rememberers[-1].join(0.1)
            head = site.memory.of_ledger(ledger.id)
            heads.append((head and head.size, covered(site, "journal")))
        return without_syncing(call, real)

    with kernel(site.root, meddle):
        ledger = site.open()
        session = ledger.start_session("agent")
        ledgers.append(ledger)
        session.append("action.denied", DENIED)
        session.barrier()
    for rememberer in rememberers:
        rememberer.join()

    assert len(heads) == 2
    assert [remembered for remembered, safe in heads if remembered > safe] == []
    assert_intact(site.verify())
    ledger.close()


def test_threads_that_remember_at_the_same_time_leave_a_memory_that_can_be_read(site):
    ledger = site.open()
    done = threading.Event()

    def remember() -> None:
        for _ in range(100):
            ledger.remember()

    def read() -> int:
        missing = 0
        while not done.is_set():
            missing += site.memory.of_ledger(ledger.id) is None
            missing += not site.memory.seen_at(site.directory)
        return missing

    def remember_together() -> int:
        try:
            in_threads(*[remember] * 4)
        finally:
            done.set()
        return 0

    ledger.remember()
    assert in_threads(remember_together, read) == [0, 0]
    ledger.close()


def test_a_late_checkpoint_replaces_no_larger_one(site):
    """While one writer's data is on its way to the disk, another one goes further."""
    others: list[Session] = []

    def overtake(call: Call, real: Callable[..., Any]) -> Any:
        if call.name == "fdatasync" and others and call.path == str(others[0].paths.data):
            other = others.pop()
            other.append("action.denied", DENIED)
            other.barrier()
        return without_syncing(call, real)

    with manual_syncing() as syncer, kernel(site.root, overtake):
        ledger, another = site.open(), site.open()
        session = ledger.start_session("agent")
        others.append(another.session(session.id))
        session.append("action.denied", DENIED)
        syncer.run()
        overtaken = not others
        assert_intact(site.verify())
        ledger.close()
        another.close()

    assert overtaken


def test_threads_that_ask_for_one_session_get_one_writer(site):
    ledger = site.open()
    session_id = ledger.start_session("agent").id
    ledger.close()
    again: Ledger = site.open()
    starting = threading.Barrier(8)

    def ask() -> Session:
        starting.wait()
        return again.session(session_id)

    assert len(set(in_threads(*[ask] * 8))) == 1
    again.close()


def test_every_ended_session_can_be_pruned_while_others_write(site):
    ledger = site.open()
    for _ in range(3):
        ledger.start_session("old").end()
    session = ledger.start_session("agent")

    def clear_up() -> None:
        for candidate in plan_prune(site.directory):
            if candidate.ended_at is not None:
                prune(ledger, candidate.session_id, "in the way")

    in_threads(clear_up, lambda: append_and_sync(session))
    ledger.close()

    assert_settled(site.verify())
    assert site.sessions() == [session.id]
