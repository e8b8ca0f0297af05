"""The power may fail at any moment: what a barrier covered stays, and the rest is never tampering.

A workload's changes to the disk are recorded; then disks are built as a power cut could have left
them after any of these changes: what was synced is there, of the rest whatever got there.
"""

from __future__ import annotations

import random
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path

import pytest

from cra.errors import CraError, IntegrityError, NotFound
from cra.ledger.store import Ledger, Session
from cra.ledger.verdict import Verdict
from cra.ledger.verify import LedgerReport

from .harness import (
    Disk,
    ManualSyncer,
    Promise,
    Promises,
    Site,
    assert_intact,
    assert_recorded,
    booted_as,
    covered,
    die,
    facts,
    kernel,
    manual_syncing,
    read_tree,
    repair_journal,
    signer,
    stored_events,
    without_syncing,
    write_tree,
)
from .payloads import DENIED, LARGE


@dataclass
class Workload:
    """Writes to a ledger, and notes after which change to the disk each promise was made."""

    site: Site
    disk: Disk
    syncer: ManualSyncer
    boot: str
    written: Promises = field(default_factory=Promises)
    durable: list[tuple[int, Promise]] = field(default_factory=list)

    def append(self, session: Session, count: int = 1) -> None:
        with session.batch():
            receipts = [session.append("action.denied", DENIED) for _ in range(count)]
        self.written.add(session, *receipts)

    def append_large(self, session: Session) -> None:
        self.written.add(session, session.append("action.executed", LARGE))

    def promise(self, *sessions: Session) -> None:
        """What these sessions hold by now is promised to survive."""
        ids = {session.id for session in sessions}
        self.durable += [
            (len(self.disk.operations), promise)
            for promise in self.written.kept
            if promise.session_id in ids
        ]

    def promised_by(self, cut: int) -> list[Promise]:
        return [promise for moment, promise in self.durable if moment <= cut]


def work(load: Workload) -> None:
    """Two ledgers on one directory take turns, as two processes do."""
    one, two = load.site.open(), load.site.open()
    first = one.start_session("first")
    load.append(first)
    load.append(first, 5)
    load.syncer.run()
    load.append(first)
    first.barrier()
    load.promise(first)
    second = two.start_session("second")
    load.append(second, 3)
    same = two.session(first.id)
    load.append(same, 4)
    load.append(first, 2)
    load.syncer.run()
    load.append_large(second)
    second.barrier()
    load.promise(second)
    load.append(second, 30)
    load.append(first, 30)
    load.syncer.run()
    second.end()
    load.promise(second)
    one.close()
    load.promise(first)
    two.close()


def work_on(load: Workload) -> None:
    """What a process does that finds a ledger after a power cut."""
    ledger = load.site.open()
    sessions = []
    for session_id in load.site.sessions():
        with suppress(CraError):
            sessions.append(ledger.session(session_id))
    for session in sessions:
        if not session.ended:
            load.append(session, 3)
            session.barrier()
            load.promise(session)
            load.append(session, 3)
    load.syncer.run()
    new = ledger.start_session("new")
    load.append(new)
    new.barrier()
    load.promise(new)
    ledger.close()


def record(site: Site, workload: Callable[[Workload], None], boot: str) -> Workload:
    site.directory.mkdir(parents=True, exist_ok=True)
    disk = Disk(site.root)
    with manual_syncing() as syncer, kernel(site.root, disk), booted_as(boot):
        load = Workload(site, disk, syncer, boot)
        workload(load)
        die()
    return load


class PowerCut:
    """One state of the disk after a power cut, and what becomes of it."""

    def __init__(self, load: Workload, cut: int, seed: int, *, repairs: bool | None) -> None:
        self.site = load.site
        self.before, self.after = load.boot, f"the boot after {load.boot}"
        self.promises = load.promised_by(cut)
        self.repairs = repairs
        write_tree(load.site.root, load.disk.after_power_cut(cut, random.Random(seed)))

    def check(self) -> Verdict:
        with kernel(self.site.root, without_syncing):
            found = self.check_as_found()
            # A session that was last written on an earlier boot is mended at once.
            if found.verdict is Verdict.DAMAGED and self.repairs is not None:
                self.check_that_only_a_reboot_mends(found)
            before = read_tree(self.site.directory)
            self.go_on(repairs=bool(self.repairs) and found.verdict is Verdict.DAMAGED)
            self.check_nothing_vanished(before)
            assert_recorded(self.site, self.promises)
            self.check_as_left()
            return found.verdict

    def check_as_found(self) -> LedgerReport:
        report = self.site.verify()
        assert report.verdict not in (Verdict.TAMPERED, Verdict.UNLISTED), facts(report)
        for part in report.parts:
            if part.verdict is Verdict.DAMAGED:
                assert part.events >= covered(self.site, part.name), facts(report)
        assert_recorded(self.site, self.promises)
        return report

    def check_as_left(self) -> None:
        """All is mended, but for what is left of a session whose start was cut short."""
        report = self.site.verify()
        assert_intact(report)
        for part in report.parts:
            is_promised = part.name == "journal" or part.name in self.promised_sessions()
            assert part.verdict is Verdict.INTACT or not is_promised, facts(report)

    def check_that_only_a_reboot_mends(self, found: LedgerReport) -> None:
        """A chain without a first event does not know on which boot it was begun."""
        damaged = next(part for part in found.parts if part.verdict is Verdict.DAMAGED)
        if not damaged.events:
            return
        with booted_as(self.before):
            try:
                ledger = self.site.open()
                if damaged.name != "journal":
                    ledger.session(damaged.name)
            except IntegrityError:
                refusal = True
            else:
                refusal = False
        die()
        assert refusal, facts(found)

    def go_on(self, *, repairs: bool) -> None:
        if repairs:
            with booted_as(self.before):
                self.repair()
        with booted_as(self.before if repairs else self.after):
            ledger = self.site.open()
            for session_id in self.site.sessions():
                self.use(ledger, session_id)
            ledger.close()
            die()

    def repair(self) -> None:
        journal = stored_events(self.site, "journal")
        if journal:
            repair_journal(self.site, journal[0].header["session_id"])
        ledger = self.site.open()
        for session_id in self.site.sessions():
            with suppress(NotFound):
                Session(ledger, session_id).repair()
        die()

    def use(self, ledger: Ledger, session_id: str) -> None:
        """Write on in a session that was promised; another may refuse, if it is not there."""
        try:
            session = ledger.session(session_id)
        except NotFound:
            assert session_id not in self.promised_sessions()
            return
        if session.ended or session_id not in self.promised_sessions():
            return
        receipt = session.append("action.denied", DENIED)
        self.promises.append(Promise(session_id, receipt.sequence, receipt.event_hash))

    def promised_sessions(self) -> set[str]:
        return {promise.session_id for promise in self.promises}

    def check_nothing_vanished(self, before: dict[str, bytes]) -> None:
        """What is no longer in a data file lies beside it."""
        for session_id in ["journal", *self.site.sessions()]:
            path = self.site.data(session_id)
            old, new = before.get(str(path), b""), path.read_bytes()
            if not new.startswith(old):
                kept = [item.read_bytes() for item in path.parent.glob(f"{session_id}.removed-*")]
                assert any(
                    old.endswith(item) and new.startswith(old[: -len(item)]) for item in kept
                )


def _is_cut(old: bytes, new: bytes, end: bytes) -> bool:
    return old.endswith(end) and new.startswith(old.removesuffix(end))


def survey(
    site: Site, states: int, *, seed: int = 0, workload: Callable[[Workload], None] = work
) -> Counter[str]:
    """Cut the power in many ways, spread over a workload. Returns how many had each verdict."""
    load = record(site, workload, "the first boot")
    counts: Counter[str] = Counter()
    problems = []
    for number, cut in enumerate(_spread(load, states)):
        try:
            power_cut = PowerCut(load, cut, seed * states + number, repairs=number % 2 == 0)
            counts[power_cut.check().name] += 1
        except (AssertionError, CraError) as error:
            problems.append(f"state {number}, cut {cut}: {error!r}"[:300])
        finally:
            die()
    assert not problems, f"{len(problems)} of {states}:\n" + "\n".join(problems[:20])
    return counts


def survey_again(site: Site, states: int, *, seed: int = 0) -> Counter[str]:
    """Cut the power a second time, while the ledger is being mended."""
    load = record(site, work, "the first boot")
    counts: Counter[str] = Counter()
    problems = []
    for number, cut in enumerate(_spread(load, states // 10)):
        chance = random.Random(seed * states + number)
        write_tree(site.root, load.disk.after_power_cut(cut, chance))
        second = record(site, work_on, "the second boot")
        second.durable += [(0, promise) for promise in load.promised_by(cut)]
        for again in _spread(second, 10):
            try:
                power_cut = PowerCut(second, again, chance.randrange(1 << 30), repairs=None)
                counts[power_cut.check().name] += 1
            except (AssertionError, CraError) as error:
                problems.append(f"state {number}, cuts {cut} and {again}: {error!r}"[:300])
            finally:
                die()
    assert not problems, f"{len(problems)} of {states}:\n" + "\n".join(problems[:20])
    return counts


def _spread(load: Workload, states: int) -> list[int]:
    cuts = len(load.disk.operations) + 1
    return [number * cuts // states for number in range(states)]


def site_at(root: Path, *, signed: bool) -> Site:
    return Site(root, signer() if signed else None)


@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_a_power_cut_takes_nothing_that_a_barrier_covered(ram, say, signed):
    counts = survey(site_at(ram, signed=signed), 800)

    say(f"states after a power cut: {dict(counts)}")
    assert counts.total() == 800


def test_a_second_power_cut_while_mending_takes_nothing_either(ram, say):
    counts = survey_again(site_at(ram, signed=True), 300)

    say(f"states after a second power cut: {dict(counts)}")
    assert counts.total() == 300


def test_the_directory_itself_is_on_the_disk_when_a_session_has_begun(ram):
    """Whoever makes a directory syncs the one that it is in."""

    def begin(load: Workload) -> None:
        load.site.directory.rmdir()
        load.site.open().start_session("agent")

    load = record(site_at(ram, signed=True), begin, "the first boot")

    synced = {operation.about for operation in load.disk.operations if operation.kind == "settle"}
    assert {str(load.site.root), str(load.site.directory)} <= synced


@pytest.mark.full
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
@pytest.mark.parametrize("seed", [1, 2])
def test_many_power_cuts_take_nothing_that_a_barrier_covered(ram, say, signed, seed):
    counts = survey(site_at(ram, signed=signed), 4000, seed=seed)

    say(f"states after a power cut: {dict(counts)}")
    assert counts.total() == 4000


@pytest.mark.full
@pytest.mark.parametrize("signed", [True, False], ids=["signed", "unsigned"])
def test_many_second_power_cuts_take_nothing_either(ram, say, signed):
    counts = survey_again(site_at(ram, signed=signed), 3000, seed=1)

    say(f"states after a second power cut: {dict(counts)}")
    assert counts.total() == 3000
