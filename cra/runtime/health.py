"""Whether everything that a project works with is in order: the checks of `cra doctor`, as values.

Nothing here changes the project, and each check is short: what would take long says what it left
out.
"""

from __future__ import annotations

import os
import platform
import shutil
import stat
import subprocess
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import Final, Literal, NamedTuple, TypeAlias

from cra import __version__
from cra.amount import counted
from cra.atlas.executor import secrets_of
from cra.atlas.lock import LOCK_NAME
from cra.atlas.snapshot import POLICIES, open_snapshot
from cra.config import FILE_NAME, Config, Problem, UserDirs
from cra.errors import (
    AtlasError,
    Code,
    ConfigError,
    CraError,
    IntegrityError,
    NotFound,
    SignerRefused,
)
from cra.ledger.chain import Event
from cra.ledger.checkpoint import Signer
from cra.ledger.git import run_git
from cra.ledger.index import JOURNAL_FILE, LedgerFile, session_files
from cra.ledger.memory import BRING_BACK, Memory, gone_ledger
from cra.ledger.outline import Outline, outline
from cra.ledger.source import later
from cra.ledger.store import JOURNAL, signer_of_ledger
from cra.ledger.verify import LedgerReport, Trust, verify_ledger
from cra.ledger.writer import ChainPaths
from cra.protocol.carp import CARP_VERSION
from cra.runtime.limits import limits_in_force
from cra.runtime.project import Project
from cra.runtime.state import SessionState, folded

Health: TypeAlias = Literal["OK", "WARN", "FAIL"]
# What `cra doctor --fix` does by itself.
Repair: TypeAlias = Literal["trace directory", "key"]

_ATLAS_VERSION: Final = "1.0"
_TRACE_VERSION: Final = "1.1"
# What a verification, and a fold of open sessions, gets through within half a second. A session
# costs beside its own bytes as much as so many more.
_MAX_VERIFIED: Final = 48 << 20
_PER_SESSION: Final = 32 << 10
_MAX_FOLDED: Final = 16 << 20
_LITTLE_SPACE: Final = 1 << 30
_NO_SPACE: Final = 64 << 20
_GIT_SECONDS: Final = 2
_MAX_LISTED: Final = 3


class HealthCheck(NamedTuple):
    """What was looked at, how it is, and the command that mends it."""

    name: str
    state: Health
    message: str
    fix: str | None = None
    repair: Repair | None = None


@dataclass(frozen=True)
class Surroundings:
    """What is looked at. `project` None: no project was found."""

    project: Path | None
    config: Config
    problems: Sequence[Problem]
    dirs: UserDirs
    environ: Mapping[str, str]
    # The keys to verify with, or why they cannot be read.
    trust: Trust | SignerRefused
    # RFC 3339, as events have it.
    now: str

    @property
    def directory(self) -> Path:
        return self.config.trace_directory

    @cached_property
    def running(self) -> tuple[dict[str, SessionState], int]:
        """The sessions that have not ended, as far as there is time to read them, and how many
        there is none for."""
        found: dict[str, SessionState] = {}
        unread, room = 0, _MAX_FOLDED
        for one in self.outlines:
            if one.state(self.now) not in ("open", "expired"):
                continue
            size = one.path.stat().st_size
            if size > room:
                unread += 1
                continue
            room -= size
            # What is no event of this format, the verdict on the ledger tells of.
            with suppress(IntegrityError, ValueError, KeyError), LedgerFile(one.path) as lines:
                found[one.id] = folded(lines)
        return found, unread

    @cached_property
    def opened(self) -> Project:
        """The project. Raises AtlasError or ConfigError."""
        assert self.project is not None
        snapshot = open_snapshot(self.project, self.config)
        return Project(self.config, snapshot, dirs=self.dirs, environ=self.environ)

    @cached_property
    def outlines(self) -> tuple[Outline, ...]:
        return tuple(map(outline, session_files(self.directory)))


def examine(around: Surroundings) -> Iterator[HealthCheck]:
    """Every check; those of a project only if there is one."""
    yield _runtime()
    yield from _programs(around)
    yield from _config(around)
    yield _key(around)
    if around.project is None:
        return
    yield from _trace(around)
    yield _git(around.directory, around.environ)
    yield _space(around.directory)
    yield from _atlases(around)
    if around.directory.is_dir() and os.access(around.directory, os.R_OK | os.X_OK):
        try:
            yield from _ledger(around)
            yield _intents(around)
            yield from _limits(around)
            yield from _retention(around)
        except OSError as error:
            message = f"{error.filename} cannot be read: {error.strerror}"
            yield HealthCheck("ledger", "FAIL", message, f"chmod -R u+rw {around.directory}")
    elif not around.directory.exists():
        yield from _gone(around)


def _runtime() -> HealthCheck:
    python = f"Python {platform.python_version()}, {platform.system()} {platform.machine()}"
    formats = f"CARP/{CARP_VERSION}, TRACE/{_TRACE_VERSION}, Atlas/{_ATLAS_VERSION}"
    return HealthCheck("runtime", "OK", f"cra {__version__}, {python}; {formats}")


def _programs(around: Surroundings) -> Iterator[HealthCheck]:
    """Which `cra` a shell runs; a second one may be of another version."""
    places = [Path(part) / "cra" for part in around.environ.get("PATH", "").split(os.pathsep)]
    found = {
        os.path.realpath(place): place
        for place in reversed(places)
        if place.is_file() and os.access(place, os.X_OK)
    }
    programs = [place for place in places if place in found.values()]
    programs = list(dict.fromkeys(programs))
    if not programs:
        message = "no cra on PATH: shells and hooks cannot run it by its name"
        yield HealthCheck("path", "WARN", message, "add the directory of cra to PATH")
    elif len(programs) > 1:
        listed = ", ".join(map(str, programs))
        yield HealthCheck(
            "path",
            "WARN",
            f"{len(programs)} cra on PATH, the first one runs: {listed}",
            "uninstall the others",
        )
    else:
        yield HealthCheck("path", "OK", str(programs[0]))


def _config(around: Surroundings) -> Iterator[HealthCheck]:
    if around.project is None:
        yield HealthCheck(
            "config", "FAIL", f"no {FILE_NAME} here or in a directory above", "cra init"
        )
    for problem in around.problems:
        yield HealthCheck("config", "FAIL", f"{problem.where}: {problem}", "cra config validate")
    for warning in around.config.warnings:
        yield HealthCheck("config", "WARN", warning, "cra config show")
    if around.project is not None and not around.problems:
        others = [
            f"{name} by {origin}"
            for name, origin in around.config.origins.items()
            if origin.source not in ("project", "default")
        ]
        more = f"; set elsewhere: {', '.join(others)}" if others else ""
        yield HealthCheck("config", "OK", f"{around.project / FILE_NAME}{more}")


def _key(around: Surroundings) -> HealthCheck:
    """The key, and whether the ledger is signed with one."""
    dirs, path = around.dirs, around.dirs.signing_key
    unsigned = "signer: none; whoever can write the trace directory can rewrite it, and grant"
    if not dirs.has_key():
        is_needed = around.project is not None and _is_signed(around)
        return _of_another(around, None) or HealthCheck(
            "key",
            "FAIL" if is_needed else "WARN",
            "expected a key of yours, for the configuration lists keys that sign, found none"
            if is_needed
            else unsigned,
            "cra init makes a key",
        )
    from cra.ledger.keys import load_key  # cryptography takes 30 ms to load

    try:
        signer = load_key(path)
    except SignerRefused as error:
        is_open = path.is_file() and stat.S_IMODE(path.stat().st_mode) & 0o077
        fix = error.fix or "put the key there, or leave CRA_SIGNING_KEY_FILE unset"
        return HealthCheck(
            "key", "FAIL", f"{error.message}: {path}", fix, "key" if is_open else None
        )
    mode = stat.S_IMODE(path.stat().st_mode)
    if around.project is not None and not _is_signed(around):
        return HealthCheck(
            "key",
            "WARN",
            f"{unsigned}; the key {path} is not used here",
            "cra init in a new directory begins a signed ledger",
        )
    return (
        _of_another(around, signer)
        or _unlisted(around, signer)
        or HealthCheck("key", "OK", f"{path}, mode {mode:04o}, signs as {signer.key}")
    )


def _unlisted(around: Surroundings, signer: Signer) -> HealthCheck | None:
    """Whether whoever verifies by the project's own file refuses what the key signs."""
    if not around.config.keys or str(signer.key) in around.config.keys:
        return None
    return HealthCheck(
        "key",
        "WARN",
        f"signs as {signer.key}, which keys in {FILE_NAME} does not list: others refuse the "
        "sessions and goldens that it signs",
        f'whoever decides on the project adds "{signer.key}" to keys in {FILE_NAME}',
    )


def _of_another(around: Surroundings, signer: Signer | None) -> HealthCheck | None:
    """Whether the ledger is signed with another key: then nothing can be recorded, so nothing
    runs."""
    if around.project is None or _first_event(around.directory / JOURNAL_FILE) is None:
        return None
    try:
        # Of what cannot be read, the verdict on the ledger tells.
        with suppress(IntegrityError, OSError):
            signer_of_ledger(ChainPaths(around.directory, JOURNAL), signer)
    except SignerRefused as error:
        return HealthCheck("key", "FAIL", error.message, error.fix)
    return None


def _is_signed(around: Surroundings) -> bool:
    """Whether the ledger is, or will be, signed; a project without keys begins none that is."""
    first = _first_event(around.directory / JOURNAL_FILE)
    if first is None:
        return bool(around.config.keys)
    return (first.payload or {}).get("signer") not in (None, "none")


def _first_event(path: Path) -> Event | None:
    try:
        return outline(path).first
    except OSError:
        return None


def _trace(around: Surroundings) -> Iterator[HealthCheck]:
    directory = around.directory
    if not directory.exists() and gone_ledger(_memory(around), directory) is not None:
        return  # the check of the ledger says that it is gone, and what to do about it
    if not directory.exists():
        message = f"{directory} is not there yet: the first session makes it"
        yield HealthCheck("trace", "WARN", message, "cra doctor --fix", "trace directory")
    elif not directory.is_dir():
        yield HealthCheck("trace", "FAIL", f"{directory} is no directory", "move it away")
    elif not os.access(directory, os.R_OK | os.W_OK | os.X_OK):
        message = f"{directory} cannot be written: nothing can be recorded, so nothing runs"
        yield HealthCheck("trace", "FAIL", message, f"chmod u+rwx {directory}")
    elif not os.path.lexists(directory / ".gitignore"):
        message = f"{directory} has no .gitignore: git would offer to add the ledger"
        yield HealthCheck("trace", "WARN", message, "cra doctor --fix", "trace directory")
    else:
        yield HealthCheck("trace", "OK", f"{directory} can be written")


def _git(directory: Path, environ: Mapping[str, str]) -> HealthCheck:
    """Whether git tracks what is recorded: it would rewrite it at every checkout."""
    has_git = shutil.which("git", path=environ.get("PATH")) is not None
    if not has_git or not directory.is_dir():
        what = "whether it tracks the ledger was not looked at"
        message = "nothing is recorded that git could track" if has_git else f"no git here: {what}"
        return HealthCheck("git", "OK", message)
    try:
        answer = run_git(directory, environ, "ls-files", "-z", "--", ".", timeout=_GIT_SECONDS)
    except (OSError, subprocess.TimeoutExpired):
        message = "git gave no answer: whether it tracks the ledger is not known"
        return HealthCheck("git", "WARN", message, f"git ls-files {directory}")
    tracked = [name for name in answer.stdout.split(b"\0") if name not in (b"", b".gitignore")]
    if tracked:
        message = f"git tracks {counted(len(tracked), 'file')} of {directory}"
        return HealthCheck("git", "FAIL", message, f"git rm -r --cached {directory}")
    if answer.returncode != 0 and b"not a git repository" not in answer.stderr:
        told = answer.stderr.decode(errors="replace").strip().partition("\n")[0]
        return HealthCheck("git", "WARN", f"not looked at: {told}", f"git ls-files {directory}")
    found = "no git repository" if answer.returncode else "git does not track the ledger"
    return HealthCheck("git", "OK", found)


def _space(directory: Path) -> HealthCheck:
    place = next(one for one in (directory, *directory.absolute().parents) if one.exists())
    free = shutil.disk_usage(place).free
    message = f"{_size(free)} free"
    if free < _NO_SPACE:
        return HealthCheck(
            "space", "FAIL", message, "make room: an append that fails stops the action"
        )
    if free < _LITTLE_SPACE:
        return HealthCheck(
            "space", "WARN", message, "make room; cra trace prune removes old sessions"
        )
    return HealthCheck("space", "OK", message)


def _atlases(around: Surroundings) -> Iterator[HealthCheck]:
    """The atlases against the lock, and what is odd in the rules."""
    if around.problems:
        return
    try:
        project = around.opened
        snapshot = project.snapshot
        remarks = [remark for remark in project.remarks() if not remark.is_note]
    except AtlasError as error:
        first, *each = error.message.split("\n")
        where = f" ({error.where})" if error.where else ""
        told = f"{error.code}: {', the first: '.join([first, *each[:1]])}{where}"
        if (error.where or "".join(each)).startswith(f"{POLICIES}/"):
            yield HealthCheck("policies", "FAIL", told, "cra policy check")
        else:
            yield HealthCheck("atlases", "FAIL", told, error.fix)
        return
    except CraError as error:
        yield HealthCheck("policies", "FAIL", f"{error.code}: {error.message}", error.fix)
        return
    actions = counted(len(snapshot.actions), "action")
    pinned = f", as {LOCK_NAME} has them" if snapshot.atlases else ""
    atlases = counted(len(snapshot.atlases), "atlas", "atlases")
    yield HealthCheck("atlases", "OK", f"{atlases}, {actions}{pinned}")
    rules = len(project.policy.rules)
    if not rules and not snapshot.actions:
        yield HealthCheck("policies", "OK", "no rules, and no actions that they could be about")
    elif remarks:
        found = f"{counted(len(remarks), 'finding')}, the first: {remarks[0].message}"
        yield HealthCheck("policies", "WARN", found, "cra policy check")
    else:
        yield HealthCheck("policies", "OK", f"{counted(rules, 'rule')}, no finding")
    yield from _secrets(project)


def _secrets(project: Project) -> Iterator[HealthCheck]:
    """Whether the actions get the secrets that they name: by name, never by value."""
    named: dict[str, list[str]] = {}
    for action_id, (_, action) in sorted(project.snapshot.actions.items()):
        for name in dict.fromkeys(secrets_of(action.executor) if action.executor else ()):
            named.setdefault(name, []).append(action_id)
    lacks = False
    for name, actions in named.items():
        try:
            project.secret(name)
        except ConfigError as error:
            lacks = True
            listed = ", ".join(actions[:_MAX_LISTED])
            more = f" and {left} more" if (left := len(actions) - _MAX_LISTED) > 0 else ""
            message = f"{listed}{more} cannot be carried out: {error.message}"
            yield HealthCheck("secrets", "WARN", message, error.fix)
    if named and not lacks:
        found = f"{counted(len(named), 'secret')} that actions name, each listed and set"
        yield HealthCheck("secrets", "OK", found)


def _ledger(around: Surroundings) -> Iterator[HealthCheck]:
    """The verdict, as far as it can be had within a second."""
    gone = [] if around.outlines else [*_gone(around)]
    if gone:
        yield from gone
        return
    trust = around.trust
    if isinstance(trust, SignerRefused):
        yield HealthCheck("ledger", "FAIL", f"not verified: {trust.message}", "cra config show")
        return
    try:
        report, left_out = _judged(around, trust)
    except NotFound:
        yield HealthCheck("ledger", "OK", "nothing is recorded yet")
        return
    except CraError as error:
        yield HealthCheck("ledger", "FAIL", f"cannot be read: {error.message}", "cra trace verify")
        return
    decisive = report.decisive
    if report.verdict.exit_code != 0 and decisive is not None:
        told = f"{report.verdict.name}: {decisive.name}, {decisive.code}: {decisive.message}"
        yield HealthCheck("ledger", "FAIL", told, "cra trace verify")
        return
    sessions = counted(len(report.sessions), "session")
    found = f"{sessions}, {counted(report.events, 'event')}{left_out}"
    message = f"{report.verdict.name}, {report.level}: {found}"
    yield HealthCheck("ledger", "OK", message, "cra trace verify" if left_out else None)


def _memory(around: Surroundings) -> Memory:
    return Memory(around.dirs.state, around.config.owner)


def _gone(around: Surroundings) -> Iterator[HealthCheck]:
    """Where no ledger is, there may have been one."""
    known = gone_ledger(_memory(around), around.directory)
    if known is not None:
        told = f"the ledger {known} was recorded here before, and is not here now"
        yield HealthCheck("ledger", "FAIL", f"{Code.ROLLED_BACK}: {told}", BRING_BACK)


def _judged(around: Surroundings, trust: Trust) -> tuple[LedgerReport, str]:
    """The report on all of a ledger, on what is new in it, or on the journal; and which it is."""
    memory = _memory(around)
    first = _first_event(around.directory / JOURNAL_FILE)
    ledger_id = first.header["session_id"] if first else ""
    sizes = {one.id: one.path.stat().st_size for one in around.outlines}
    whole = sum(sizes.values())
    if whole + len(sizes) * _PER_SESSION <= _MAX_VERIFIED:
        return verify_ledger(around.directory, trust, memory=memory), ""
    if memory.is_usable and _unverified(sizes, memory, ledger_id) <= _MAX_VERIFIED:
        report = verify_ledger(around.directory, trust, memory=memory, since_verified=True)
        return report, "; read from where it was last verified"
    report = verify_ledger(around.directory, trust, memory=memory, sessions=[])
    return report, f"; the journal alone, {_size(whole)} of sessions were not read"


def _unverified(sizes: Mapping[str, int], memory: Memory, ledger_id: str) -> int:
    """What there is to read of sessions, by their ids, from where each was last verified."""
    unread = 0
    for session_id, size in sizes.items():
        mark = memory.mark_of(ledger_id, session_id)
        if mark is None or mark.offset != size:
            known = mark.offset if mark is not None and mark.offset < size else 0
            unread += size - known + _PER_SESSION
    return unread


def _intents(around: Surroundings) -> HealthCheck:
    """Actions of open sessions that began and whose outcome nobody recorded."""
    sessions, unread = around.running
    found = [
        f"{session_id}: {execution.action_id}"
        for session_id, state in sessions.items()
        for execution in state.open_intents()
    ]
    were = "session was" if unread == 1 else "sessions were"
    left_out = f"; {unread} long {were} not read" if unread else ""
    if not found:
        return HealthCheck(
            "intents", "OK", f"no action of an open session is without outcome{left_out}"
        )
    listed = ", ".join(found[:_MAX_LISTED]) + (", …" if len(found) > _MAX_LISTED else "")
    return HealthCheck(
        "intents",
        "WARN",
        f"{counted(len(found), 'action')} without an outcome, running or broken off: "
        f"{listed}{left_out}",
        f"cra trace show {found[0].partition(':')[0]}",
    )


def _limits(around: Surroundings) -> Iterator[HealthCheck]:
    """What is left of the limits that open sessions are under."""
    try:
        project = around.opened
        rules = [one.rule for one in project.policy.rules if one.rule.limit is not None]
    except CraError:
        return  # the atlases and the policies have said why
    if not rules:
        return
    journal = around.directory / JOURNAL_FILE
    if journal.exists():
        project.reservations.read_on(journal)
    found = [
        use.words()
        for state in around.running[0].values()
        if state.started and not state.is_ended and state.started["expires_at"] > around.now
        for use in limits_in_force(
            project.policy,
            project.caller_of(state.started),
            state,
            project.reservations,
            around.now,
        )
        if use.used
    ]
    listed = [*dict.fromkeys(found)]
    shown = "; ".join(listed[:_MAX_LISTED]) + ("; …" if len(listed) > _MAX_LISTED else "")
    message = f"{counted(len(rules), 'limit')} in force"
    yield HealthCheck("limits", "OK", f"{message}; {shown}" if shown else message)


def _retention(around: Surroundings) -> Iterator[HealthCheck]:
    """Sessions that are older than they have to be kept."""
    days = around.config.trace.retention_days
    limit = later(around.now, -days * 86_400)
    ended = [one for one in around.outlines if one.is_ended and (one.last_activity or "") <= limit]
    # A pruning that broke off is due at once.
    due = [*(one.id for one in ended), *around.directory.glob("*.pruned")]
    left_open = [
        one
        for one in around.outlines
        if one.state(around.now) == "expired" and one.opening["expires_at"] <= limit
    ]
    if due:
        message = f"{counted(len(due), 'session')} past the retention of {counted(days, 'day')}"
        yield HealthCheck("retention", "WARN", message, "cra trace prune")
    if left_open:
        found = f"{counted(len(left_open), 'session')} expired over {counted(days, 'day')} ago"
        message = f"{found}, and never ended"
        yield HealthCheck("retention", "WARN", message, f"cra session end {left_open[0].id}")
    if not due and not left_open:
        yield HealthCheck(
            "retention", "OK", f"no session past the retention of {counted(days, 'day')}"
        )


def _size(count: int) -> str:
    if count >= 1 << 30:
        return f"{count / (1 << 30):.1f} GiB"
    return f"{count >> 20} MiB"
