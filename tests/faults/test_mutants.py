"""The suites are worth what they catch: each of these faults in the ledger fails one of them."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cra.errors import CraError
from cra.ledger import files, recovery
from cra.ledger.place import Place
from cra.ledger.writer import ChainWriter

from . import test_attacks, test_concurrency, test_power_loss, test_syscalls
from .harness import Site, signer

Patch = pytest.MonkeyPatch
Check = Callable[[Path], object]


def do_nothing(*_: object) -> None:
    return None


def say_yes(*_: object) -> bool:
    return True


# The mutants.


def ignore_short_writes(patch: Patch) -> None:
    def write_once(fd: int, data: bytes) -> None:
        files.os.write(fd, data)

    patch.setattr(files, "write_all", write_once)


def leave_half_a_line_behind(patch: Patch) -> None:
    def drop_only(writer: Any, error: OSError) -> None:
        del error
        writer.give_up()

    patch.setattr(ChainWriter, "_roll_back", drop_only)


def ignore_a_partial_line(patch: Patch) -> None:
    patch.setattr(ChainWriter, "_finish_line", do_nothing)


def sync_no_data(patch: Patch) -> None:
    patch.setattr(ChainWriter, "_sync_data", do_nothing)


def write_the_checkpoint_before_the_data(patch: Patch) -> None:
    sync_data = _own(ChainWriter, "_sync_data")

    def checkpoint_first(writer: Any, fd: int) -> None:
        _own(ChainWriter, "_write_checkpoint")(writer, _own(ChainWriter, "_head")(writer))
        sync_data(writer, fd)

    patch.setattr(ChainWriter, "_sync_data", checkpoint_first)


def go_on_after_a_failed_sync(patch: Patch) -> None:
    def try_to_sync(_: Any, fd: int) -> None:
        try:
            files.os.fdatasync(fd)
        except OSError:
            return

    patch.setattr(ChainWriter, "_sync_data", try_to_sync)


def name_nothing_foreign(patch: Patch) -> None:
    patch.setattr(ChainWriter, "_name_foreign", do_nothing)


def hold_no_lock(patch: Patch) -> None:
    write_all = files.write_all

    def slowly(fd: int, data: bytes) -> None:
        time.sleep(0.001)
        write_all(fd, data)

    # On a slow disk another writer gets in between the look at the end and the write.
    patch.setattr(files, "write_all", slowly)
    patch.setattr(files, "lock", do_nothing)
    patch.setattr(files, "unlock", do_nothing)


def replace_a_larger_checkpoint(patch: Patch) -> None:
    patch.setattr(ChainWriter, "_read_checkpoint", do_nothing)


def sync_no_directory(patch: Patch) -> None:
    patch.setattr(files, "sync_directory", do_nothing)


def rename_before_the_file_is_synced(patch: Patch) -> None:
    stage = files.stage

    def unsynced(path: Path, data: bytes, *, suffix: str, **_: object) -> Path:
        return stage(path, data, suffix=suffix, durable=False)

    patch.setattr(files, "stage", unsynced)


def cut_without_keeping(patch: Patch) -> None:
    def cut(fd: int, place: Place, *_: object) -> dict[str, object]:
        recovery.os.ftruncate(fd, place.offset)
        return {"offset": place.offset, "bytes": 0, "sha256": "0" * 64, "kept_as": ""}

    patch.setattr("cra.ledger.writer.cut", cut)


def mend_whatever_is_damaged(patch: Patch) -> None:
    patch.setattr("cra.ledger.writer.has_rebooted", say_yes)


def _own(owner: Any, name: str) -> Any:
    return getattr(owner, name)


# The suites.


def short_writes(root: Path) -> None:
    test_syscalls.survey(root, test_syscalls.nothing_yet, test_syscalls.live_durably, "short")


def torn_writes(root: Path) -> None:
    test_syscalls.survey(root, test_syscalls.nothing_yet, test_syscalls.live_durably, "torn")


def failing_syncs(root: Path) -> None:
    journey = test_syscalls.live_durably
    test_syscalls.survey(root, test_syscalls.nothing_yet, journey, "EIO", calls={"fdatasync"})


def crashes(root: Path) -> None:
    begin, journey = test_syscalls.three_crashes, test_syscalls.recover
    test_syscalls.survey(root, begin, journey, "death", persists=True, end=5)


def forged_events(root: Path) -> None:
    victim = test_attacks.prepare(root, "L1")
    test_attacks.check_that_a_forged_grant_is_never_attested(victim, were_open=True)


def power_cuts(root: Path) -> None:
    test_power_loss.survey(Site(root, signer()), 200)


def two_ledgers(root: Path) -> None:
    test_concurrency.test_two_ledgers_in_one_process_share_a_directory(Site(root, signer()))


def late_checkpoints(root: Path) -> None:
    test_concurrency.test_a_late_checkpoint_replaces_no_larger_one(Site(root, signer()))


MUTANTS: list[tuple[Callable[[Patch], None], Check]] = [
    (ignore_short_writes, short_writes),
    (leave_half_a_line_behind, torn_writes),
    (ignore_a_partial_line, crashes),
    (sync_no_data, power_cuts),
    (write_the_checkpoint_before_the_data, power_cuts),
    (go_on_after_a_failed_sync, failing_syncs),
    (name_nothing_foreign, forged_events),
    (hold_no_lock, two_ledgers),
    (replace_a_larger_checkpoint, late_checkpoints),
    (sync_no_directory, power_cuts),
    (rename_before_the_file_is_synced, power_cuts),
    (cut_without_keeping, power_cuts),
    (mend_whatever_is_damaged, power_cuts),
]


@pytest.mark.parametrize(
    ("mutate", "check"), MUTANTS, ids=[mutate.__name__ for mutate, _ in MUTANTS]
)
def test_a_mutant_is_caught(ram, monkeypatch, mutate, check):
    mutate(monkeypatch)

    with pytest.raises((AssertionError, CraError)):
        check(ram)


@pytest.mark.parametrize("check", sorted({check for _, check in MUTANTS}, key=lambda c: c.__name__))
def test_the_ledger_as_it_is_passes(ram, check):
    check(ram)
