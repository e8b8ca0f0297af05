"""What the fault suites share: a ledger to hurt, promises to hold it to, a kernel in between."""

from __future__ import annotations

import fcntl
import os
import random
import shutil
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, NamedTuple

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from cra import canonical
from cra.errors import CraError, ExitCode, IntegrityError, NotFound
from cra.ledger import files
from cra.ledger.chain import Chain, Draft, Event, decode
from cra.ledger.checkpoint import KEY_NAME, Signer, VerifierKey
from cra.ledger.memory import Memory
from cra.ledger.place import Lines
from cra.ledger.source import Source
from cra.ledger.store import JOURNAL, Ledger, Session
from cra.ledger.verdict import Verdict
from cra.ledger.verify import LedgerReport, Trust, verify_ledger
from cra.ledger.writer import ChainPaths, ChainWriter, Recorded, _live

ROOT: Final = Path(__file__).parents[2]
SUFFIX: Final = ".trace.jsonl"
SOURCE: Final = Source()


@cache
def signer() -> Signer:
    """The key of all signed ledgers here."""
    return new_signer()


def new_signer() -> Signer:
    private = Ed25519PrivateKey.generate()
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Signer(VerifierKey(KEY_NAME, public), private.sign)


@dataclass(frozen=True)
class Site:
    """A place for one ledger and the state kept outside it."""

    root: Path
    signer: Signer | None = None

    @property
    def directory(self) -> Path:
        return self.root / "trace"

    @property
    def memory(self) -> Memory:
        return Memory(self.root / "state")

    @property
    def trust(self) -> Trust:
        return Trust((self.signer.key,)) if self.signer else Trust()

    def open(self, **options: Any) -> Ledger:
        options.setdefault("source", SOURCE)
        return Ledger(self.directory, signer=self.signer, memory=self.memory, **options)

    def verify(self, memory: Memory | None = None) -> LedgerReport:
        """The verdict; where nothing is stored there is none, and the report is on nothing."""
        try:
            return verify_ledger(self.directory, self.trust, memory=memory or self.memory)
        except NotFound:
            if not self.directory.is_dir():
                raise
            return LedgerReport(self.directory, None, None, [])

    def sessions(self) -> list[str]:
        names = (path.name for path in self.directory.glob(f"*{SUFFIX}"))
        return sorted(name.removesuffix(SUFFIX) for name in names if name != f"{JOURNAL}{SUFFIX}")

    def answer(self) -> int:
        """The exit code of a verification; a path that cannot be read is named, and is a 2."""
        try:
            return int(self.verify().verdict.exit_code)
        except CraError as error:
            return int(error.exit_code)
        except OSError as error:
            if error.filename is None:
                raise AssertionError(f"no path in {error!r}") from error
            return int(ExitCode.USAGE)

    def data(self, name: str) -> Path:
        return ChainPaths(self.directory, name).data

    def checkpoint(self, name: str) -> Path:
        return ChainPaths(self.directory, name).checkpoint

    def copy(self, root: Path) -> Site:
        shutil.copytree(self.root, root, dirs_exist_ok=True)
        return Site(root, self.signer)


class Promise(NamedTuple):
    """An event that its writer was told is recorded."""

    session_id: str
    sequence: int
    event_hash: str


@dataclass
class Promises:
    """Everything that was acknowledged."""

    kept: list[Promise] = field(default_factory=list)

    def add(self, session: Session, *receipts: Recorded) -> None:
        self.kept += [Promise(session.id, item.sequence, item.event_hash) for item in receipts]

    def assert_kept(self, site: Site) -> None:
        assert_recorded(site, self.kept)


def assert_recorded(site: Site, promises: list[Promise]) -> None:
    for session_id in {promise.session_id for promise in promises}:
        stored = {event.sequence: event.event_hash for event in stored_events(site, session_id)}
        for promise in promises:
            if promise.session_id == session_id:
                assert stored.get(promise.sequence) == promise.event_hash, f"lost: {promise}"


def stored_events(site: Site, name: str) -> list[Event]:
    """The events of a file up to the first line that is none."""
    events: list[Event] = []
    path = site.data(name)
    for line in path.read_bytes().split(b"\n")[:-1] if path.exists() else []:
        try:
            events.append(decode(line))
        except IntegrityError:
            break
    return events


def begun_sessions(site: Site) -> list[str]:
    """The sessions that the journal lists and that are there: no start of theirs was cut short."""
    begun = (part for part in site.verify().sessions if part.verdict is not Verdict.STILLBORN)
    return [part.name for part in begun if site.data(part.name).exists()]


def partial_line(site: Site, name: str) -> bytes:
    """What follows the last LF of a data file."""
    path = site.data(name)
    return path.read_bytes().rpartition(b"\n")[2] if path.exists() else b""


def kept_beside(site: Site, name: str) -> list[bytes]:
    """What was cut off a data file."""
    return [path.read_bytes() for path in site.directory.glob(f"{name}.removed-*")]


def unattested_ranges(events: list[Event]) -> list[tuple[int, int]]:
    payloads = [event.payload or {} for event in events if event.event_type == "ledger.recovered"]
    return [tuple(found["unattested"]) for found in payloads if "unattested" in found]


def is_named_unattested(events: list[Event], sequence: int) -> bool:
    return any(first <= sequence <= last for first, last in unattested_ranges(events))


def covered(site: Site, name: str) -> int:
    """The size that a checkpoint file states, whoever signed it."""
    note = files.read_all(site.checkpoint(name), 65_536)
    return int(note.split(b"\n")[1]) if note else 0


def facts(report: LedgerReport) -> list[tuple[str, str, str | None]]:
    """What a failing assertion shows of a report."""
    return [(part.name, part.verdict.name, part.message) for part in report.parts]


def assert_intact(report: LedgerReport) -> None:
    assert report.verdict.exit_code == 0, facts(report)


def assert_settled(report: LedgerReport) -> None:
    """No part is in the middle of anything."""
    assert report.verdict <= Verdict.STILLBORN, facts(report)


def assert_unlocked(site: Site) -> None:
    """Nobody in this process still holds a lock, which would make everyone else wait for ever."""
    for path in (site.directory / "locks").glob("*.lock"):
        with path.open() as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise AssertionError(f"still locked: {path.name}") from None


def die() -> None:
    """Let go of every file as a process does that ends without a word."""
    for writer in list(_live):
        try:
            writer.abandon()
        except OSError:
            writer._forget()  # noqa: SLF001  # its descriptors are gone already


def repair_journal(site: Site, ledger_id: str) -> None:
    """What a person does about a journal so damaged that its ledger does not open."""
    journal = ChainWriter(
        ChainPaths(site.directory, JOURNAL),
        Chain(ledger_id, is_journal=True),
        f"cra.local/{ledger_id}/{JOURNAL}",
        source=SOURCE,
        signer=site.signer,
    )
    journal.repair()
    journal.abandon()


def tail(path: Path, offset: int) -> tuple[list[Event], int]:
    """The whole lines that a live reader finds from an offset on, and where it goes on from."""
    fd = os.open(path, os.O_RDONLY)
    try:
        lines = [line for group in Lines(fd, offset) for line in group]
    finally:
        os.close(fd)
    return [decode(line) for line in lines], offset + sum(len(line) + 1 for line in lines)


def forged_line(site: Site, name: str, event_type: str, payload: dict[str, Any]) -> bytes:
    """The next line of a chain, as anybody can write it: it takes no key."""
    last = stored_events(site, name)[-1]
    chain = Chain(last.header["session_id"], trace_id=last.header["trace_id"])
    chain.resume(last.sequence + 1, last.event_hash, ended=False, latest="")
    event_id, timestamp, salt = SOURCE.stamp()
    draft = Draft(
        event_id,
        event_type,
        last.header["session_id"],
        None,
        "info",
        timestamp,
        '{"id":"cra","type":"user"}',
        canonical.encode(payload),
        salt,
    )
    return chain.seal(draft)[0]


def add_bytes(path: Path, data: bytes) -> None:
    with path.open("ab") as file:
        file.write(data)


class TurningClock(Source):
    """A source whose clock goes on by a second each time, or by the steps it was told to take."""

    def __init__(self) -> None:
        super().__init__()
        self._steps: Iterator[int] = iter(())
        self._seconds = 10_000

    def turn(self, steps: list[int]) -> None:
        self._steps = iter(steps)

    def stamp(self) -> tuple[str, str, str]:
        event_id, _, salt = super().stamp()
        return event_id, self.now(), salt

    def now(self) -> str:
        self._seconds += next(self._steps, 1)
        minutes, seconds = divmod(self._seconds, 60)
        hours, minutes = divmod(minutes, 60)
        return f"2026-05-04T{hours:02d}:{minutes:02d}:{seconds:02d}.000000Z"


class ManualSyncer:
    """The background thread's work, done when a test says so."""

    def __init__(self) -> None:
        self._waiting: list[Any] = []

    def schedule(self, writer: Any) -> None:
        writer.is_scheduled = True
        self._waiting.append(writer)

    def run(self) -> None:
        waiting, self._waiting = self._waiting, []
        for writer in waiting:
            writer.sync()


@contextmanager
def manual_syncing() -> Iterator[ManualSyncer]:
    with pytest.MonkeyPatch.context() as patch:
        syncer = ManualSyncer()
        patch.setattr("cra.ledger.writer.SYNCER", syncer)
        yield syncer


@contextmanager
def booted_as(boot_id: str) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("cra.ledger.files.boot_id", lambda: boot_id)
        yield


# The kernel, as the ledger's modules see it.


class Call(NamedTuple):
    """A system call about a file or directory below the kernel's root."""

    name: str
    path: str
    arguments: tuple[Any, ...]
    flags: int = 0

    @property
    def is_data(self) -> bool:
        return self.path.endswith(SUFFIX)

    @property
    def is_unlock(self) -> bool:
        return self.name == "flock" and self.arguments[1] == fcntl.LOCK_UN

    @property
    def can_break_at_close(self) -> bool:
        """A descriptor through which something was written; closing others cannot go wrong."""
        return self.flags & (os.O_WRONLY | os.O_RDWR) != 0 and not self.path.endswith(".lock")


Hook = Callable[[Call, Callable[..., Any]], Any]

SYNCS: Final = frozenset({"fsync", "fdatasync"})
READS: Final = frozenset({"read", "pread", "fstat", "lseek"})
ON_DESCRIPTORS: Final = frozenset({"write", "ftruncate", "close", "flock"}) | SYNCS | READS
ON_PATHS: Final = frozenset({"open", "rename", "unlink", "link"})


class Kernel:
    """Stands in for the modules os and fcntl; calls about files below `root` go to `hook`."""

    def __init__(self, root: Path, hook: Hook) -> None:
        self._root = str(root)
        self._hook = hook
        self._names: dict[int, tuple[str, int]] = {}

    def __getattr__(self, name: str) -> Any:
        real = getattr(fcntl if name.startswith(("flock", "LOCK_")) else os, name)
        if name in ON_DESCRIPTORS:
            return lambda fd, *arguments: self._on_descriptor(name, real, fd, *arguments)
        if name in ON_PATHS:
            return lambda path, *arguments: self._on_path(name, real, path, *arguments)
        return real

    def dup(self, fd: int) -> int:
        twin = os.dup(fd)
        if fd in self._names:
            self._names[twin] = self._names[fd]
        return twin

    def _on_descriptor(self, name: str, real: Callable[..., Any], fd: int, *arguments: Any) -> Any:
        if fd not in self._names:
            return real(fd, *arguments)
        path, flags = self._names[fd]
        if name == "close":
            del self._names[fd]
        return self._hook(Call(name, path, (fd, *arguments), flags), real)

    def _on_path(
        self, name: str, real: Callable[..., Any], path: str | Path, *arguments: Any
    ) -> Any:
        if not str(path).startswith(self._root):
            return real(path, *arguments)
        found = self._hook(Call(name, str(path), (path, *arguments)), real)
        if name == "open":
            self._names[found] = str(path), arguments[0]
        return found


def without_syncing(call: Call, real: Callable[..., Any]) -> Any:
    """Do as asked, but spare the disk: nothing here loses power."""
    return None if call.name in SYNCS else real(*call.arguments)


@contextmanager
def kernel(root: Path, hook: Hook) -> Iterator[None]:
    stand_in = Kernel(root, hook)
    with pytest.MonkeyPatch.context() as patch:
        for name, module in list(sys.modules.items()):
            if name.startswith("cra.ledger."):
                for replaced in ("os", "fcntl"):
                    if hasattr(module, replaced):
                        patch.setattr(module, replaced, stand_in)
        yield


# What a power cut may leave on a disk.

SECTOR: Final = 512


class Operation(NamedTuple):
    """A change to the disk. `about` is a path, or the number of a file whose content changes."""

    kind: str
    about: Any
    value: Any = None


class Disk:
    """Records what is done to the files below a root, as a hook of `Kernel`."""

    def __init__(self, root: Path) -> None:
        self._start = read_tree(root)
        self._numbers = {path: number for number, path in enumerate(self._start)}
        self._contents = {self._numbers[path]: data for path, data in self._start.items()}
        self._open: dict[int, int] = {}
        self.operations: list[Operation] = []

    def __call__(self, call: Call, real: Callable[..., Any]) -> Any:
        found = without_syncing(call, real)
        record = getattr(self, f"_on_{call.name}", None)
        if record is not None:
            record(call, found)
        return found

    def _log(self, kind: str, about: Any, value: Any = None) -> None:
        self.operations.append(Operation(kind, about, value))

    def _on_open(self, call: Call, fd: int) -> None:
        flags = call.arguments[1]
        if flags & os.O_DIRECTORY:
            return
        if call.path not in self._numbers:
            number = len(self._contents)
            self._numbers[call.path], self._contents[number] = number, b""
            self._log("create", call.path, number)
        number = self._open[fd] = self._numbers[call.path]
        if flags & os.O_TRUNC and self._contents[number]:
            self._change(number, b"")

    def _on_write(self, call: Call, count: int) -> None:
        fd, data = call.arguments
        number = self._open[fd]
        self._change(number, self._contents[number] + bytes(data[:count]))

    def _on_ftruncate(self, call: Call, _: None) -> None:
        fd, size = call.arguments
        self._change(self._open[fd], self._contents[self._open[fd]][:size])

    def _on_fdatasync(self, call: Call, _: None) -> None:
        if Path(call.path).is_dir():
            self._log("settle", call.path)
        else:
            self._log("sync", self._numbers[call.path])

    _on_fsync = _on_fdatasync

    def _on_rename(self, call: Call, _: None) -> None:
        source, target = map(str, call.arguments)
        self._numbers[target] = self._numbers.pop(source)
        self._log("rename", source, target)

    def _on_unlink(self, call: Call, _: None) -> None:
        self._numbers.pop(call.path)
        self._log("unlink", call.path)

    def _change(self, number: int, content: bytes) -> None:
        self._contents[number] = content
        self._log("change", number, content)

    def after_power_cut(self, cut: int, chance: random.Random) -> dict[str, bytes]:
        """The files, by path, that a power cut after `cut` operations may leave."""
        entries = {path: number for number, path in enumerate(self._start)}
        pending: list[Operation] = []
        versions = {number: [data] for number, data in enumerate(self._start.values())}
        for operation in self.operations[:cut]:
            match operation.kind:
                case "create":
                    versions[operation.value] = [b""]
                    pending.append(operation)
                case "change":
                    versions[operation.about].append(operation.value)
                case "sync":
                    del versions[operation.about][:-1]
                case "settle":
                    here = [item for item in pending if _folder(item) == operation.about]
                    pending = [item for item in pending if _folder(item) != operation.about]
                    _apply(entries, here)
                case _:
                    pending.append(operation)
        _apply(entries, _survivors(pending, chance))
        return {path: _torn(versions[number], chance) for path, number in entries.items()}


def _folder(operation: Operation) -> str:
    return os.path.dirname(operation.about)


def _survivors(pending: list[Operation], chance: random.Random) -> list[Operation]:
    """Most file systems keep the order of changes to directories; none has to."""
    if chance.random() < 0.7:
        return pending[: chance.randint(0, len(pending))]
    return [operation for operation in pending if chance.random() < 0.5]


def _apply(entries: dict[str, int], operations: list[Operation]) -> None:
    created: dict[str, int] = {}
    for operation in operations:
        match operation.kind:
            case "create":
                created[operation.about] = entries[operation.about] = operation.value
            case "unlink":
                entries.pop(operation.about, None)
            case "rename" if operation.about in entries:
                entries[operation.value] = entries.pop(operation.about)


def _torn(versions: list[bytes], chance: random.Random) -> bytes:
    """A file whose first version is on the disk, and of the later ones whatever got there."""
    synced = versions[0]
    if len(versions) == 1:
        return synced
    base = chance.choice(versions)
    kept = _common_length(synced, base)
    size = chance.choice([len(base), chance.randint(kept, len(base)), max(map(len, versions))])
    content = bytearray(base[:size].ljust(size, b"\0"))
    fate = chance.choice(["kept", "zeroed", "garbled", "mixed"])
    for start in range(kept - kept % SECTOR, size, SECTOR):
        _spoil(content, max(start, kept), min(start + SECTOR, size), fate, chance)
    return bytes(content)


def _common_length(one: bytes, other: bytes) -> int:
    pairs = enumerate(zip(one, other, strict=False))
    differing = (index for index, (left, right) in pairs if left != right)
    shorter = min(len(one), len(other))
    return shorter if one[:shorter] == other[:shorter] else next(differing)


def _spoil(content: bytearray, start: int, stop: int, fate: str, chance: random.Random) -> None:
    if fate == "mixed":
        fate = chance.choice(["kept", "zeroed", "garbled"])
    if fate == "zeroed":
        content[start:stop] = bytes(stop - start)
    elif fate == "garbled":
        content[start:stop] = chance.randbytes(stop - start)


def read_tree(root: Path) -> dict[str, bytes]:
    return {str(path): path.read_bytes() for path in sorted(root.rglob("*")) if path.is_file()}


def write_tree(root: Path, tree: dict[str, bytes]) -> None:
    """Make the files below root exactly these; directories stay."""
    for path in root.rglob("*"):
        if path.is_file() and str(path) not in tree:
            path.unlink()
    for name, data in tree.items():
        Path(name).parent.mkdir(parents=True, exist_ok=True)
        Path(name).write_bytes(data)
