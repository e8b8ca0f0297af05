"""One chain on disk, written by any number of processes and threads (specs/PROTOCOL.md section 10).

The lock covers reading what others appended and appending to it, never an action or a wait. What
`batch` returned from is in the file; what a barrier returned from is on the disk and checkpointed.
"""

from __future__ import annotations

import os
import threading
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple

from cra import canonical
from cra.errors import (
    Code,
    CraError,
    IntegrityError,
    NotFound,
    SessionEnded,
    ValueRefused,
    WriteFailed,
    WriterStopped,
)
from cra.ledger import files
from cra.ledger.blobs import store_payload
from cra.ledger.chain import Chain, Draft
from cra.ledger.checkpoint import MAX_NOTE, Checkpoint, Signer, open_checkpoint, seal
from cra.ledger.place import OnLines, Place, resume, scan
from cra.ledger.recovery import complete_line, cut, has_rebooted, is_unborn
from cra.ledger.source import Source
from cra.ledger.sync import SYNCER
from cra.protocol.events import Removed, check_payload

if TYPE_CHECKING:
    from cra.redaction.redact import Redactor

Durability = Literal["batch", "always"]

_live: Final[weakref.WeakSet[ChainWriter]] = weakref.WeakSet()


@dataclass(frozen=True)
class ChainPaths:
    """Where one chain keeps its files; `name` is a session's id or `journal`."""

    directory: Path
    name: str

    @cached_property
    def data(self) -> Path:
        return self.directory / f"{self.name}.trace.jsonl"

    @cached_property
    def checkpoint(self) -> Path:
        return self.directory / f"{self.name}.checkpoint"

    @cached_property
    def lock(self) -> Path:
        return self.directory / "locks" / f"{self.name}.lock"

    @cached_property
    def blobs(self) -> Path:
        return self.directory / "blobs"


class Recorded(NamedTuple):
    """The receipt of an append."""

    sequence: int
    event_id: str
    span_id: str
    event_hash: str


class ChainWriter:
    """Appends to one chain. The threads of a process share it; another process has its own."""

    def __init__(  # noqa: PLR0913  # what a chain is, and the ledger that it belongs to
        self,
        paths: ChainPaths,
        chain: Chain,
        origin: str,
        *,
        source: Source,
        signer: Signer | None = None,
        durability: Durability = "batch",
        on_checkpoint: Callable[[int, bytes], None] | None = None,
        creates: bool = False,
        cuts_foreign: bool = False,
        on_lines: OnLines | None = None,
    ) -> None:
        """`on_lines` is told of every line that is read or written, from the first on, in order."""
        self.paths = paths
        self.origin = origin
        self._blank = chain
        self._source = source
        self._signer = signer
        self._durability = durability
        self._on_checkpoint = on_checkpoint
        self._creates = creates
        self._cuts_foreign = cuts_foreign
        self._on_lines = on_lines
        self.redactor: Redactor | None = None
        self._actors: dict[tuple[str, str], str] = {}
        self._mutex = threading.RLock()
        # Once it is set this object stays stopped, whatever is closed and opened around it.
        self._failure: CraError | None = None
        self._forget()
        _live.add(self)

    def _forget(self) -> None:
        """Hold nothing: the state before the file is opened, and that of a child after a fork."""
        self._data_fd = -1
        self._lock_fd = -1
        self._depth = 0
        self._owner = 0
        self._accepts_damage = False
        self._removed: Removed | None = None
        self._place = Place(self._blank.copy())
        self._pending: list[tuple[bytes, bytes]] = []
        self._settle()
        # Events up to here are under a checkpoint; of those beyond, these ranges are others'.
        self._covered = 0
        self._foreign: list[tuple[int, int]] = []
        # Whether there is something that `on_checkpoint` has not been told.
        self._unreported = False
        self.is_scheduled = False

    @property
    def size(self) -> int:
        return self._place.chain.size

    @property
    def ended(self) -> bool:
        return self._place.chain.ended

    @property
    def trace_id(self) -> str | None:
        return self._place.chain.trace_id

    def covered_size(self) -> int:
        """How many events are under a checkpoint on the disk, whoever wrote it."""
        with self.batch():
            if self._covered < self.size:
                checkpoint = self._read_checkpoint()
                self._covered = max(self._covered, checkpoint.size if checkpoint else 0)
            return self._covered

    def covered_head(self) -> tuple[int, bytes, int, str] | None:
        """Size, root, offset and last hash, if all of it is on the disk and under a checkpoint."""
        with self._mutex:
            place = self._place
            if not place.chain.size or self._covered < place.chain.size:
                return None
            return place.chain.size, place.tree.root(), place.offset, place.chain.head

    def batch(self, *, barrier: bool = False) -> Batch:
        """Hold the lock, see what others appended, append, let go.

        What was appended is written when the batch ends; an exception inside it drops all of it. A
        batch inside another of the same thread joins it. Raises WriteFailed, WriterStopped or
        IntegrityError.
        """
        return Batch(self, barrier)

    def append(  # noqa: PLR0913  # the members of an event that its writer may choose
        self,
        event_type: str,
        payload: Mapping[str, Any],
        *,
        span_id: str | None = None,
        parent_span_id: str | None = None,
        severity: str | None = None,
        actor_id: str = "cra",
        atlas: Mapping[str, str] | None = None,
        redactor: Redactor | None = None,
    ) -> Recorded:
        """Append one event, in a batch of its own unless this thread has one open.

        What the redactor finds does not reach the file; the writer's own, unless one is stated.
        """
        given = (span_id, parent_span_id, severity, actor_id, atlas, redactor or self.redactor)
        if self._owner == threading.get_ident():
            return self._append(event_type, payload, *given)
        with Batch(self, barrier=False):
            return self._append(event_type, payload, *given)

    def barrier(self) -> None:
        """Return when everything appended so far is on the disk and under a checkpoint."""
        with self.batch(barrier=True):
            pass

    def way_on(self) -> str:
        """The commands for a chain that is not what was recorded."""
        return f"cra trace verify {self.paths.name}"

    def repair(self) -> Removed | None:
        """Cut off damage beyond the checkpoint, keeping the bytes beside the file, and record it.

        What a checkpoint covers is never cut. Returns what was removed, or None if all was well.
        """
        with self._mutex:
            self._accepts_damage, self._removed = True, None
            try:
                self.barrier()
            finally:
                self._accepts_damage = False
            return self._removed

    def sync(self) -> None:
        """What the background thread does: sync and checkpoint, the lock free while the disk
        works."""
        self.is_scheduled = False
        try:
            self._sync()
        except IntegrityError as error:
            self._failure = error
        except WriterStopped:
            return  # and it stays so: `_sync_data` has said why
        except (WriteFailed, OSError):
            # Events are written and lack a checkpoint. The disk may have room the next time.
            SYNCER.schedule(self)

    def close(self) -> None:
        """Leave everything under a checkpoint and let go of the files."""
        with self._mutex:
            if self._data_fd < 0:
                return
            try:
                if self._covered < self.size or self._unreported:
                    self.barrier()
            finally:
                self.abandon()

    def abandon(self) -> None:
        """Let go of the files as they are."""
        with self._mutex:
            self._let_go()

    def begin_anew(self) -> None:
        """In the child of a fork: let go of the parent's descriptors. Who held the mutex there is
        not here."""
        self._mutex = threading.RLock()
        self._let_go()

    def _let_go(self) -> None:
        for fd in (self._data_fd, self._lock_fd):
            if fd >= 0:
                # What there is to say about the data, fdatasync has said.
                with suppress(OSError):
                    os.close(fd)
        self._forget()

    # What a batch does. From `enter` to `leave` the lock is held.

    def enter(self) -> None:
        self._mutex.acquire()
        try:
            self._enter()
        except BaseException:
            self._mutex.release()
            raise

    def finish(self, *, barrier: bool) -> None:
        """Write what is pending, at the end of the outermost batch or at a barrier."""
        if barrier or (self._cuts_foreign and self._pending):
            self._make_barrier()
        elif self._depth == 1 and self._pending:
            self._flush()
            self._unreported = True
            if not self.is_scheduled:
                SYNCER.schedule(self)

    def give_up(self) -> None:
        """Drop what is pending, if this is the outermost batch."""
        if self._depth == 1:
            self._drop_pending()

    def leave(self) -> None:
        self._leave()
        self._mutex.release()

    def _enter(self) -> None:
        if self._failure is not None:
            raise self._failure
        if self._depth == 0:
            self._lock()
        self._depth += 1
        self._owner = threading.get_ident()
        if self._depth > 1:
            return
        try:
            if self._cuts_foreign and self._covered < self.size and self._data_fd >= 0:
                # A barrier of ours failed, and whoever came after it may have cut its events off.
                os.close(self._data_fd)
                self._data_fd = -1
            if self._data_fd < 0:
                self._open()
            self._catch_up()
        except OSError as error:
            self._leave()
            raise self._write_failed(error) from error
        except BaseException:
            self._leave()
            raise

    def _lock(self) -> None:
        try:
            if self._lock_fd < 0:
                self._lock_fd = files.open_lock(self.paths.lock)
            files.lock(self._lock_fd)
        except OSError as error:
            raise self._write_failed(error) from error
        except BaseException:
            # A Ctrl-C that comes with the lock must not leave it behind.
            self._unlock()
            raise

    def _leave(self) -> None:
        self._depth -= 1
        if self._depth == 0:
            self._owner = 0
            self._unlock()

    def _unlock(self) -> None:
        """Let go of the lock, whatever comes in between: closing the descriptor does as well."""
        if self._lock_fd < 0:
            return
        try:
            files.unlock(self._lock_fd)
        except BaseException as error:
            os.close(self._lock_fd)
            self._lock_fd = -1
            if not isinstance(error, OSError):
                raise

    def _append(  # noqa: PLR0913, PLR0917  # `append`, once the lock is held
        self,
        event_type: str,
        payload: Mapping[str, Any],
        span_id: str | None,
        parent_span_id: str | None,
        severity: str | None,
        actor_id: str,
        atlas: Mapping[str, str] | None,
        redactor: Redactor | None,
    ) -> Recorded:
        row = check_payload(event_type, payload)
        chain = self._place.chain
        if chain.ended and event_type != "ledger.recovered":
            raise SessionEnded(
                f"expected an open session, found that {chain.session_id} has ended",
                fix="cra session start",
            )
        event_id, timestamp, salt = self._source.stamp()
        try:
            body, artifacts = store_payload(payload, row.outputs, salt, self.paths.blobs, redactor)
        except OSError as error:
            raise self._write_failed(error) from error
        draft = Draft(
            event_id,
            event_type,
            span_id or chain.session_id,
            parent_span_id,
            severity or row.severity,
            timestamp,
            self._actor(row.actor, actor_id),
            body,
            salt,
            artifacts,
            canonical.encode(atlas).decode() if atlas else "",
        )
        sequence = chain.size
        self._pending.append(chain.seal(draft))
        return Recorded(sequence, event_id, draft.span_id, chain.head)

    # Finding the place in the file.

    def _open(self) -> None:
        try:
            fd = files.open_for_append(self.paths.data, create=self._creates)
        except FileNotFoundError:
            raise NotFound(
                f"expected the session {self.paths.name}, found no such file",
                where=str(self.paths.data),
                fix="cra session list",
            ) from None
        try:
            checkpoint = self._read_checkpoint()
            # Whoever wants the lines wants all of them, so no hint helps.
            place = None
            if checkpoint is not None and self._on_lines is None:
                place = resume(fd, self._blank, checkpoint)
            self._place = place or scan(fd, self._blank, checkpoint, self._on_lines)
            if checkpoint is None and self._creates:
                # The file's own name is on the disk before that of a checkpoint over it.
                files.sync_directory(self.paths.directory)
        except IntegrityError as error:
            os.close(fd)
            raise self._located(error) from None
        except BaseException:
            os.close(fd)
            raise
        self._covered = checkpoint.size if checkpoint else 0
        self._data_fd = fd
        self._settle()

    def _read_checkpoint(self) -> Checkpoint | None:
        """The checkpoint on disk. On a signed ledger, only one that its key signed."""
        note = files.read_all(self.paths.checkpoint, MAX_NOTE)
        if note is None:
            return None
        keys = (self._signer.key,) if self._signer else ()
        return open_checkpoint(note, self.origin, keys, signed=bool(keys)).checkpoint

    def _catch_up(self) -> None:
        """Take in what others appended, and mend what a crash left behind."""
        place = self._place
        size = os.lseek(self._data_fd, 0, os.SEEK_END)
        if size < place.offset:
            raise self._located(
                IntegrityError(
                    Code.CHECKPOINT_UNMET,
                    f"expected at least {place.offset} bytes, found {size}",
                )
            )
        if size > place.offset:
            self._read_on()
            self._settle()

    def _check_linked(self) -> None:
        """Whoever removes or replaces the file leaves this process writing into nowhere."""
        if os.fstat(self._data_fd).st_nlink == 0:
            raise self._located(
                IntegrityError(
                    Code.SESSION_MISSING,
                    "expected the file that this process opened, found it removed or replaced",
                )
            )

    def _read_on(self) -> None:
        place = self._place
        first = place.chain.size
        damage, rest = None, b""
        try:
            rest = place.read_on(self._data_fd)
        except IntegrityError as error:
            damage = error
        if place.chain.size > first:
            self._foreign.append((first, place.chain.size - 1))
        if damage is not None:
            self._mend(damage)
        elif rest:
            self._finish_line(rest)
        if self._cuts_foreign and self._foreign:
            self._cut_foreign()

    def _cut_foreign(self) -> None:
        """Where every append is a barrier, cut off what no checkpoint covers: it was never
        acknowledged, and a proof of it would pass for a proof that its writer held the key."""
        checkpoint = self._read_checkpoint()
        self._covered = max(self._covered, checkpoint.size if checkpoint else 0)
        if checkpoint is None and self.size > 1:
            raise self._located(
                IntegrityError(
                    Code.CHECKPOINT_UNMET,
                    f"expected a checkpoint over the journal's {self.size} events, found none",
                )
            )
        if checkpoint is not None and self._foreign[-1][1] >= checkpoint.size:
            fd = self._data_fd
            self._place = resume(fd, self._blank, checkpoint) or scan(fd, self._blank, checkpoint)
            self._recover("unattested", cut(fd, self._place, self.paths.data))
        self._foreign.clear()

    def _mend(self, damage: IntegrityError) -> None:
        """Cut off damage beyond the checkpoint, if the machine restarted or a person said so."""
        fd, place = self._data_fd, self._place
        if self._accepts_damage:
            self._recover("accepted", cut(fd, place, self.paths.data))
        elif is_unborn(fd, place) or has_rebooted(fd, place):
            self._recover("power_loss", cut(fd, place, self.paths.data))
        else:
            raise self._located(damage)

    def _finish_line(self, rest: bytes) -> None:
        """Complete the last line if only its LF is missing; otherwise cut it off."""
        fd, place = self._data_fd, self._place
        first = place.chain.size
        # Nobody was told of an event 0 that is not whole, so it is not completed either.
        if first and complete_line(fd, place, rest):
            self._foreign.append((first, first))
            self._recover("completed", None)
        else:
            self._recover("partial_line", cut(fd, place, self.paths.data))

    def _recover(self, reason: str, removed: Removed | None) -> None:
        self._settle()
        self._removed = removed
        # Without an event 0 there is no chain to record it in; the bytes are kept all the same.
        if self._place.chain.size == 0:
            return
        payload: dict[str, Any] = {"reason": reason, "boot_id": files.boot_id()}
        if removed is not None:
            payload["removed"] = removed
        self.append("ledger.recovered", payload)
        self._flush()

    # Writing.

    def _actor(self, kind: str, name: str) -> str:
        actor = self._actors.get((kind, name))
        if actor is None:
            if not 1 <= len(name) <= 256:
                raise ValueRefused(f"expected an actor of 1 to 256 characters, found {len(name)}")
            actor = canonical.encode({"id": name, "type": kind}).decode()
            self._actors[kind, name] = actor
        return actor

    def _flush(self) -> None:
        """Write what is pending. On failure the whole lines that got through stay, the rest
        goes."""
        if not self._pending:
            return
        place = self._place
        try:
            files.write_all(self._data_fd, b"".join([line for line, _ in self._pending]))
        except OSError as error:
            self._roll_back(error)
            raise self._write_failed(error) from error
        place.tree.extend([leaf for _, leaf in self._pending])
        place.offset += sum([len(line) for line, _ in self._pending])
        first, lines = self._settled[0], [line[:-1] for line, _ in self._pending]
        # Whatever whoever listens makes of it, the file has these lines.
        self._settle()
        if self._on_lines is not None:
            self._on_lines(first, lines, True)
        if self._durability == "always":
            self._sync_data(self._data_fd)

    def _roll_back(self, error: OSError) -> None:
        place = self._place
        lines = [line for line, _ in self._pending]
        self._drop_pending()
        try:
            excess = os.fstat(self._data_fd).st_size - place.offset
            for line in lines:
                if len(line) > excess:
                    break
                excess -= len(line)
                place.tree.push(place.chain.check(line[:-1]))
                place.offset += len(line)
                if self._on_lines is not None:
                    self._on_lines(place.chain.size - 1, [line[:-1]], True)
            os.ftruncate(self._data_fd, place.offset)
        except OSError:
            self._failure = self._stopped(error)
        self._settle()

    def _settle(self) -> None:
        """The chain in memory is the chain in the file."""
        self._pending.clear()
        chain = self._place.chain
        self._settled = (chain.size, chain.head, chain.ended, chain.latest)

    def _drop_pending(self) -> None:
        self._pending.clear()
        size, head, ended, latest = self._settled
        self._place.chain.resume(size, head, ended=ended, latest=latest)

    # Syncing and checkpoints.

    def _make_barrier(self) -> None:
        try:
            self._check_linked()
            self._name_foreign()
            self._flush()
            if self._covered < self.size:
                self._sync_data(self._data_fd)
                self._write_checkpoint(self._head())
                self._unreported = True
            if self._unreported and self._on_checkpoint is not None:
                self._on_checkpoint(self.size, self._place.tree.root())
            self._unreported = False
        except OSError as error:
            raise WriteFailed(
                f"expected to bring the ledger to the disk, found {error.strerror}; "
                "what is written of it may not outlast a power cut",
                where=str(error.filename or self.paths.data),
                fix=f"make room or mend the permissions; cra trace show {self.paths.name} has what "
                "is written",
            ) from error

    def _sync(self) -> None:
        with self._mutex:
            if self._data_fd < 0 or self._failure is not None:
                return
            with self.batch():
                self._check_linked()
                self._name_foreign()
            head = self._head()
            if self._covered >= head.size:
                return
            fd = os.dup(self._data_fd)
        try:
            self._sync_data(fd)
        finally:
            os.close(fd)
        with self._mutex:
            if self._data_fd >= 0:
                with self.batch():
                    self._write_checkpoint(head)

    def _name_foreign(self) -> None:
        """Before a checkpoint covers events of others that none of theirs covers, say which."""
        if not self._foreign:
            return
        checkpoint = self._read_checkpoint()
        if checkpoint is not None:
            self._covered = max(self._covered, checkpoint.size)
        for first, last in self._foreign:
            if last >= self._covered:
                payload = {
                    "reason": "unattested",
                    "boot_id": files.boot_id(),
                    "unattested": [max(first, self._covered), last],
                }
                self.append("ledger.recovered", payload)
        self._flush()
        # Only now: a checkpoint must not cover them unnamed because this could not be written.
        self._foreign.clear()

    def _head(self) -> Checkpoint:
        place = self._place
        return Checkpoint(self.origin, place.tree.end, place.tree.root(), (place.extension(),))

    def _write_checkpoint(self, head: Checkpoint) -> None:
        present = self._read_checkpoint()
        if present is None or present.size < head.size:
            files.replace(self.paths.checkpoint, seal(head, self._signer))
        self._covered = max(self._covered, head.size)

    def _sync_data(self, fd: int) -> None:
        try:
            files.sync_data(fd)
        except OSError as error:
            # The kernel may have dropped the pages that it could not write; a second fdatasync
            # would succeed and prove nothing.
            self._failure = self._stopped(error)
            raise self._failure from error

    # Errors.

    def _stopped(self, error: OSError) -> WriterStopped:
        return WriterStopped(
            f"expected the disk to keep what was written, found {error.strerror}; "
            "this process records nothing more in this file",
            where=str(self.paths.data),
            fix=f"check the disk, then run cra trace verify {self.paths.name}",
        )

    def _write_failed(self, error: OSError) -> WriteFailed:
        return WriteFailed(
            f"expected to append to the ledger, found {error.strerror}; nothing was recorded",
            where=str(error.filename or self.paths.data),
            fix="make room or mend the permissions, then run the command again",
        )

    def _located(self, error: IntegrityError) -> IntegrityError:
        error.where = f"{self.paths.data}, {error.where}" if error.where else str(self.paths.data)
        error.fix = error.fix or self.way_on()
        return error


class Batch:
    """A context in which a writer's lock is held; made by `ChainWriter.batch`."""

    __slots__ = ("_barrier", "_forks", "_writer")

    def __init__(self, writer: ChainWriter, barrier: bool) -> None:
        self._writer = writer
        self._barrier = barrier

    def __enter__(self) -> ChainWriter:
        self._writer.enter()
        self._forks = _forks
        return self._writer

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        # A child that was forked inside the batch has no part in it: the lock is its parent's.
        if self._forks != _forks:
            return
        writer = self._writer
        try:
            if kind is None:
                writer.finish(barrier=self._barrier)
            else:
                writer.give_up()
        except BaseException:
            writer.give_up()
            raise
        finally:
            writer.leave()


# How many forks lie between this process and the one that imported the module.
_forks = 0


def _after_fork() -> None:
    """In a child: close the parent's descriptors, never unlocking, and hold nothing."""
    global _forks  # noqa: PLW0603  # a fork is a fact about the process
    _forks += 1
    for writer in list(_live):
        writer.begin_anew()


os.register_at_fork(after_in_child=_after_fork)
