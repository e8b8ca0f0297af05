"""A project's ledger: the journal, its sessions, and the rules for beginning and ending them."""

from __future__ import annotations

import atexit
import os
import re
import threading
import weakref
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cra import __version__, canonical
from cra.errors import (
    Code,
    CraError,
    IntegrityError,
    NotFound,
    ReadFailed,
    SessionEnded,
    SignerRefused,
    UsageError,
    WriteFailed,
)
from cra.ledger import files
from cra.ledger.attested import attested_events, signer_named
from cra.ledger.chain import MAX_LINE, Chain, Event, decode
from cra.ledger.checkpoint import MAX_NOTE, UNSIGNED, Signer, open_checkpoint
from cra.ledger.memory import Head, Memory, check_known, check_not_gone
from cra.ledger.outline import outline, way_on
from cra.ledger.place import Lines, OnLines, scan
from cra.ledger.source import Source, later, milliseconds_between
from cra.ledger.writer import ChainPaths, ChainWriter, Durability
from cra.protocol.events import Principal

if TYPE_CHECKING:
    from cra.redaction.redact import Redactor

JOURNAL: Final = "journal"
# What to do where the key that signs a ledger is not the user's.
NO_KEY: Final = (
    "bring the ledger's key back, or set CRA_SIGNING_KEY_FILE to it; if it is lost: "
    "cra init makes another, then cra trace repair --accept"
)
_OTHER_KEY: Final = "set CRA_SIGNING_KEY_FILE to the ledger's key, or cra trace repair --accept"
_MAX_NAME: Final = 256
# As a configuration and its rules name agents; half a character is in no event.
_NAME: Final = re.compile(r"[^\s\ud800-\udfff](?:[^\n\ud800-\udfff]*[^\s\ud800-\udfff])?")
_OUTCOMES: Final = frozenset({"action.executed", "action.failed"})

_open_ledgers: Final[weakref.WeakSet[Ledger]] = weakref.WeakSet()


class Session(ChainWriter):
    """One session of a ledger, open for appending."""

    def __init__(
        self,
        ledger: Ledger,
        session_id: str,
        *,
        trace_id: str | None = None,
        on_lines: OnLines | None = None,
    ) -> None:
        self.id = session_id
        self._ledger = ledger
        self._is_listed = trace_id is None
        super().__init__(
            ChainPaths(ledger.directory, session_id),
            Chain(session_id, trace_id=trace_id),
            f"cra.local/{ledger.id}/{session_id}",
            source=ledger.source,
            signer=ledger.signer,
            durability=ledger.durability,
            creates=trace_id is not None,
            on_checkpoint=self._report,
            on_lines=on_lines,
        )

    def end(self, reason: str = "completed", *, force: bool = False) -> None:
        """Append session.ended with its totals, and close the session's record in the journal.

        Raises UsageError, unless by `force`, while an action has no outcome: one that still runs,
        in whatever process, could not record its own any more.
        """
        with self.batch(barrier=True):
            if self.ended:
                raise SessionEnded(
                    f"expected an open session, found that {self.id} has ended",
                    fix=f"cra session show {self.id}",
                )
            types: Counter[str] = Counter()
            started = None
            intents: dict[str, Event] = {}
            for event in self._events():
                started = started or event.header["timestamp"]
                types[event.event_type] += 1
                if event.event_type == "action.approved":
                    intents[event.header["span_id"]] = event
                elif event.event_type in _OUTCOMES:
                    intents.pop(event.header["span_id"], None)
            if not force:
                self._refuse_open(intents.values())
            duration = milliseconds_between(started or "", self._source.now()) if started else 0
            summary = {
                "events": types.total() + 1,
                "resolutions": types["carp.resolution.completed"] + types["carp.resolution.cached"],
                "actions": types["action.executed"] + types["action.failed"],
                "denials": types["action.denied"],
            }
            self.append(
                "session.ended", {"reason": reason, "duration_ms": duration, "summary": summary}
            )
        self._ledger.remember()

    def way_on(self) -> str:
        try:
            agent = outline(self.paths.data).agent
        except (OSError, IntegrityError):  # it is gone, or shrinks meanwhile
            agent = None
        return way_on(self.id, agent)

    def _events(self) -> Iterator[Event]:
        try:
            yield from read_events(self.paths.data)
        except IntegrityError as error:
            error.fix = self.way_on()
            raise

    def _refuse_open(self, intents: Iterable[Event]) -> None:
        payloads = [(event.sequence, event.payload or {}) for event in intents]
        found = [
            f"{payload.get('action_id')} (event {sequence})"
            for sequence, payload in payloads
            if not payload.get("simulated")
        ]
        if found:
            more = f" and of {len(found) - 1} more" if len(found) > 1 else ""
            raise UsageError(
                "expected an outcome of each action in the session, "
                f"found none of {found[0]}{more}, running or broken off",
                where=str(self.paths.data),
                fix=f"wait for it; if it was broken off: cra session end {self.id} --force",
            )

    def _report(self, size: int, root: bytes) -> None:
        if not self._is_listed:
            event_type = "journal.session_opened"
        elif self.ended:
            event_type = "journal.session_closed"
        else:
            event_type = "journal.checkpoint"
        head = {"session_id": self.id, "size": size, "root": root.hex()}
        with self._ledger.journal.batch(barrier=True) as journal:
            journal.append(event_type, head)
        self._is_listed = True


class Ledger:
    """The ledger in a directory, made if there is none."""

    def __init__(
        self,
        directory: Path,
        *,
        signer: Signer | None = None,
        memory: Memory | None = None,
        durability: Durability = "batch",
        source: Source | None = None,
        accept_breaks: bool = False,
    ) -> None:
        """Open a ledger, or begin one signed by `signer`.

        Raises SignerRefused if the ledger is signed by another key, IntegrityError if it is not the
        ledger that `memory` knows. With `accept_breaks` neither is asked: `cra.ledger.repair` is,
        which records in the journal what it accepts.
        """
        self.directory = directory
        self.durability = durability
        self.source = source or Source()
        self.memory = memory or Memory(None)
        self._sessions: dict[str, Session] = {}
        self.forget_lock()
        if not accept_breaks:
            # No other is begun, nor a directory of one left, where one was seen before.
            check_not_gone(self.memory, directory)
        try:
            files.make_ledger_directory(directory)
            with files.exclusive_lock(directory / "locks" / "ledger.lock"):
                self.id, self.signer, self.journal = self._open_journal(
                    signer, is_known=not accept_breaks
                )
        except OSError as error:
            raise WriteFailed(
                f"expected a directory for the ledger, found {error.strerror}",
                where=str(error.filename or directory),
                fix="mend the permissions, or name another directory",
            ) from error
        _open_ledgers.add(self)

    def start_session(  # noqa: PLR0913  # what a session is begun with
        self,
        agent_id: str,
        *,
        principal: Principal | None = None,
        scopes: tuple[str, ...] = (),
        roles: Sequence[str] = (),
        context: Mapping[str, Any] | None = None,
        ttl_seconds: int = 3600,
        parent_session_id: str | None = None,
        on_lines: OnLines | None = None,
        redactor: Redactor | None = None,
    ) -> Session:
        """Begin a session; when this returns it is on the disk and listed in the journal.

        Whatever its own time, it expires no later than its parent. Raises UsageError for an agent
        that no event could name, ValueRefused for what no event can hold: then there is no session.
        """
        _check_name(agent_id)
        trace_id = session_id = self.source.new_id()
        expires_at = later(self.source.now(), ttl_seconds)
        if parent_session_id is not None:
            parent = self.first_event(parent_session_id)
            trace_id = parent.header["trace_id"]
            expires_at = min(expires_at, (parent.payload or {}).get("expires_at", expires_at))
        opening: dict[str, Any] = {
            "agent_id": agent_id,
            "principal": principal or {"type": "agent", "id": agent_id},
            "scopes": list(scopes),
            "ttl_seconds": ttl_seconds,
            "expires_at": expires_at,
            "parent_session_id": parent_session_id,
            "ledger_id": self.id,
            "signer": self._signer_name(),
            "boot_id": files.boot_id(),
            "cra_version": __version__,
        }
        if roles:
            opening["roles"] = list(roles)
        if context:
            opening["context"] = dict(context)
        canonical.encode(opening)  # what is refused leaves no file
        session = Session(self, session_id, trace_id=trace_id, on_lines=on_lines)
        session.redactor = redactor
        with _let_go_on_failure(session), session.batch(barrier=True):
            session.append("session.started", opening)
        with self._lock:
            self._sessions[session_id] = session
        self.remember()
        return session

    def session(self, session_id: str, *, on_lines: OnLines | None = None) -> Session:
        """An existing session, open for appending. Raises NotFound or IntegrityError.

        `on_lines` is told of every line that is read or written, from the first on, in order.
        """
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:
                self._check_listed(session_id)
                session = Session(self, session_id, on_lines=on_lines)
                with _let_go_on_failure(session):
                    session.barrier()
                self._sessions[session_id] = session
            return session

    def first_event(self, session_id: str) -> Event:
        path = ChainPaths(self.directory, session_id).data
        event = next(read_events(path), None) if path.exists() else None
        if event is None:
            raise NotFound(
                f"expected the session {session_id}, found none",
                where=str(path),
                fix="cra session list",
            )
        return event

    def read_attested(self, session_id: str, on_lines: OnLines) -> None:
        """Tell of the events of a session that a checkpoint covers, without writing to it.

        Raises NotFound for a session whose file is gone, and IntegrityError where the events are
        not those of the checkpoint.
        """
        paths = ChainPaths(self.directory, session_id)
        keys = (self.signer.key,) if self.signer else ()
        note = files.read_all(paths.checkpoint, MAX_NOTE)
        try:
            fd = files.open_for_reading(paths.data)
        except FileNotFoundError:
            raise NotFound(
                f"expected the session {session_id}, found none", where=str(paths.data)
            ) from None
        try:
            if note is not None:
                origin = f"cra.local/{self.id}/{session_id}"
                opened = open_checkpoint(note, origin, keys, signed=bool(keys))
                scan(fd, Chain(session_id), opened.checkpoint, on_lines)
        finally:
            os.close(fd)

    def remember(self) -> None:
        """Keep the journal's head outside the project."""
        # A child after a fork has not read the journal, and knows nothing worth remembering.
        found = self.journal.covered_head()
        if found is not None:
            size, root, offset, last = found
            head = Head(self.id, size, root.hex(), self._signer_name(), offset, last)
            self.memory.remember(self.directory, head)

    def close(self) -> None:
        """Bring everything to the disk and let go of the files."""
        with self._lock:
            sessions, self._sessions = list(self._sessions.values()), {}
        with ExitStack() as stack:
            stack.callback(_open_ledgers.discard, self)
            stack.callback(self.journal.close)
            stack.callback(self.remember)
            for session in sessions:
                stack.callback(session.close)

    def _check_listed(self, session_id: str) -> None:
        """Refuse a session that the journal does not list: its start was never acknowledged, or it
        was not begun by a writer of this ledger at all."""
        paths = ChainPaths(self.directory, session_id)
        opening = {"journal.session_opened"}
        try:
            with self.journal.batch() as journal:
                listed = attested_events(journal.paths.data, journal.size, session_id, opening)
        except OSError as error:
            raise _read_failed(error, self.journal.paths.data) from error
        if not listed:
            if paths.data.exists() and _first_event_of(paths) is None:
                # What a crash made of event 0 is put aside, so that it is no damage for ever.
                with Session(self, session_id).batch() as unborn:
                    pass
                unborn.abandon()
            raise NotFound(
                f"expected a session that the journal lists, found {session_id}, which it does not",
                where=str(paths.data),
                fix="cra trace verify",
            )

    def forget_lock(self) -> None:
        """Start with a free lock; in a child, the thread that held the parent's may not exist."""
        self._lock = threading.Lock()

    def _open_journal(
        self, signer: Signer | None, *, is_known: bool
    ) -> tuple[str, Signer | None, ChainWriter]:
        paths = ChainPaths(self.directory, JOURNAL)
        first = _first_event_of(paths)
        if first is None and paths.checkpoint.exists():
            raise IntegrityError(
                Code.CHECKPOINT_UNMET,
                "expected the journal that its checkpoint covers, found none",
                where=str(paths.data),
                fix="cra trace verify",
            )
        ledger_id = first.header["session_id"] if first else self.source.new_id()
        if is_known:
            check_known(self.memory, self.directory, ledger_id, paths.data)
        if first and is_known:
            signer = signer_of_ledger(paths, signer)
        journal = ChainWriter(
            paths,
            Chain(ledger_id, is_journal=True),
            f"cra.local/{ledger_id}/journal",
            source=self.source,
            signer=signer,
            creates=True,
            cuts_foreign=True,
        )
        with _let_go_on_failure(journal), journal.batch(barrier=True):
            if journal.size == 0:
                journal.append(
                    "journal.opened",
                    {
                        "ledger_id": ledger_id,
                        "signer": str(signer.key) if signer else UNSIGNED,
                        "boot_id": files.boot_id(),
                        "cra_version": __version__,
                    },
                )
        return ledger_id, signer, journal

    def _signer_name(self) -> str:
        return str(self.signer.key) if self.signer else UNSIGNED


def _check_name(agent: str) -> None:
    """Refuse an agent that cannot be the actor of an event (section 2.1), or that no rule names."""
    is_short = 1 <= len(agent) <= _MAX_NAME
    if is_short and _NAME.fullmatch(agent):
        return
    raise UsageError(
        f"expected an agent's name of 1 to {_MAX_NAME} characters, "
        f"found {repr(agent) if is_short else len(agent)}",
        fix="--agent NAME, on one line and without white space at its ends",
    )


@contextmanager
def _let_go_on_failure(writer: ChainWriter) -> Iterator[None]:
    """What cannot be begun keeps no file open."""
    try:
        yield
    except BaseException:
        writer.abandon()
        raise


def read_events(path: Path) -> Iterator[Event]:
    """The events of a file, each checked on its own.

    Raises IntegrityError at one that is malformed, ReadFailed, or FileNotFoundError.
    """
    sequence = 0
    try:
        fd = files.open_for_reading(path)
        try:
            for lines in Lines(fd):
                for line in lines:
                    yield decode(line)
                    sequence += 1
        finally:
            os.close(fd)
    except IntegrityError as error:
        error.where, error.fix = f"{path}, event {sequence}", "cra trace verify"
        raise
    except FileNotFoundError:
        raise
    except OSError as error:
        raise _read_failed(error, path) from error


def _read_failed(error: OSError, path: Path) -> ReadFailed:
    return ReadFailed(
        f"expected to read the ledger, found {error.strerror}",
        where=str(path),
        fix="check the disk and the permissions, then run the command again",
    )


def _first_event_of(journal: ChainPaths) -> Event | None:
    """The journal's event 0; None if its writer died before it was whole."""
    try:
        return next(read_events(journal.data), None)
    except FileNotFoundError:
        return None
    except IntegrityError:
        if journal.checkpoint.exists() or journal.data.stat().st_size > MAX_LINE:
            raise
        return None


def signer_of_ledger(paths: ChainPaths, signer: Signer | None) -> Signer | None:
    """The signer that a ledger goes on with: its own key, or none if it never had one.

    `paths` are the journal's. Raises SignerRefused if the key is missing or is another one,
    IntegrityError for a checkpoint that cannot be read.
    """
    note = files.read_all(paths.checkpoint, MAX_NOTE)
    covered = 0
    if note is not None:
        keys = (signer.key,) if signer else ()
        opened = open_checkpoint(note, None, keys, signed=False)
        if signer is not None and opened.signer == signer.key:
            return signer
        covered = opened.checkpoint.size
    named = signer_named(paths.data, covered) or UNSIGNED
    if named == UNSIGNED:
        return None
    if signer is not None and str(signer.key) == named:
        return signer
    raise SignerRefused(
        f"expected the key {named}, which signs this ledger, "
        f"found {signer.key if signer else 'no key'}",
        where=str(paths.data),
        fix=NO_KEY if signer is None else _OTHER_KEY,
    )


def _after_fork() -> None:
    for ledger in list(_open_ledgers):
        ledger.forget_lock()


os.register_at_fork(after_in_child=_after_fork)


@atexit.register
def _close_all() -> None:
    for ledger in list(_open_ledgers):
        with suppress(CraError):
            ledger.close()
