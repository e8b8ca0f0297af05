"""A project under governance: its atlases, its policy, its ledger, and the sessions in it.

A command that only looks at rules opens a project as well: what sessions, resolving and the ledger
are made of is loaded by the methods that use it.
"""

from __future__ import annotations

import json
import os
import shutil
import threading
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import nullcontext, suppress
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any, Final, Self, TypeAlias

from cra import config as configuration
from cra.atlas.executor import secrets_of
from cra.atlas.model import Action, Atlas, Snapshot, to_be_stated
from cra.atlas.snapshot import (
    POLICIES,
    files_without_rules,
    open_snapshot,
    read_policies,
    snapshot_of,
)
from cra.config import AgentConfig, Config, UserDirs, find_project
from cra.errors import ArgumentsRefused, ConfigError, CraError, LedgerError, UnknownAction
from cra.policy.engine import Policy, compile_policy
from cra.policy.ladder import ActionFacts
from cra.policy.pattern import Pattern
from cra.policy.rule import Conditions, Limit, Rule, RuleOrigin
from cra.policy.schema import Schema, compile_schema
from cra.printable import did_you_mean, naming

if TYPE_CHECKING:
    from cra.ledger.store import Ledger
    from cra.ledger.verify import LedgerReport
    from cra.policy.lint import Remark
    from cra.protocol.events import Principal
    from cra.resolver.request import Caller
    from cra.resolver.resolve import World
    from cra.runtime.redactors import Redactors
    from cra.runtime.reservations import Reservations
    from cra.runtime.session import GovernedSession

# A manifest, or a manifest and the other files of its atlas by their paths.
GivenAtlas: TypeAlias = Mapping[str, Any] | tuple[Mapping[str, Any], Mapping[str, bytes]]

_GIVEN_POLICIES: Final = "given.json"
_MAX_FLAWS: Final = 5
_HOST_AGENT: Final = "host"
_HOST_TTL_SECONDS: Final = 86_400

_projects: Final[weakref.WeakSet[Project]] = weakref.WeakSet()


class Project:
    """An open project. What it says is read once; sessions decide by that reading."""

    def __init__(
        self,
        config: Config,
        snapshot: Snapshot,
        *,
        dirs: UserDirs,
        environ: Mapping[str, str],
        ledger: Ledger | None = None,
    ) -> None:
        self.config = config
        # What was read, and with what the host program declares.
        self._read = self.snapshot = snapshot
        self._host_actions: dict[str, Action] = {}
        self.root = (config.project or Path()).resolve()
        places = [config.trace_directory, *(Path(source.path) for source in config.atlases)]
        found = (os.path.relpath(self.root / place, self.root) for place in places)
        # What no file action touches: the trace, and where the atlases come from.
        self.protected = tuple(place for place in found if not place.startswith(".."))
        self._dirs = dirs
        self._environ = environ
        self._ledger = ledger
        self._schemas: dict[str, Schema] = {}
        self._sessions: dict[str, GovernedSession] = {}
        # Both follow from the snapshot, and are made anew when it is another.
        self._compiled: tuple[Snapshot, Policy] | None = None
        self._world: World | None = None
        # With the time of the next one.
        self._host_session: tuple[GovernedSession, str] | None = None
        self._removal: Callable[[], object] | None = None
        self.forget_threads()
        _projects.add(self)

    def __repr__(self) -> str:
        return f"<Project {self.root}>"

    def forget_threads(self) -> None:
        """Start with a free lock and count anew; in a child, the thread that held the parent's or
        was in the middle of counting may not exist."""
        # Held while the ledger or a session is opened, or an action declared.
        self._lock = threading.RLock()
        self._redactors: tuple[Snapshot, Redactors] | None = None
        self._reservations: Reservations | None = None

    @classmethod
    def open(cls, path: str | Path = ".", *, environ: Mapping[str, str] | None = None) -> Project:
        """The project at a path, or the nearest one above it. Raises ConfigError, AtlasError."""
        environ = os.environ if environ is None else environ
        root = find_project(Path(path))
        if root is None:
            raise ConfigError(
                f"expected a cra project, found no {configuration.FILE_NAME}",
                where=str(Path(path).absolute()),
                fix="cra init, or Project.temporary() for a script",
            )
        dirs = UserDirs.of(environ, Path.home())
        config = configuration.load(root, environ, dirs.config_file, {})
        return cls(config, open_snapshot(root, config), dirs=dirs, environ=environ)

    @classmethod
    def temporary(
        cls,
        atlases: Sequence[GivenAtlas] = (),
        policies: Sequence[Mapping[str, Any]] = (),
        *,
        config: Mapping[str, Any] | None = None,
    ) -> Project:
        """A project for a test or a script, in a directory that goes when it is closed.

        Each atlas is accepted with all that it grants, `policies` are the project's own rules, and
        `config` is what its cra.config.json holds. Nothing of the user's is read or written, and
        the ledger is not signed. Raises AtlasError, ConfigError.
        """
        from tempfile import mkdtemp

        from cra.atlas.manifest import atlas_of
        from cra.ledger.store import Ledger

        root = Path(mkdtemp(prefix="cra-")).resolve()
        try:
            (root / configuration.FILE_NAME).write_text(json.dumps(config or {}), encoding="utf-8")
            (root / POLICIES).mkdir()
            rules = json.dumps([*policies])
            (root / POLICIES / _GIVEN_POLICIES).write_text(rules, encoding="utf-8")
            settings = configuration.load(root, {}, None, {})
            given = (one if isinstance(one, tuple) else (one, {}) for one in atlases)
            found = [atlas_of(manifest, files) for manifest, files in given]
            snapshot = snapshot_of(found, read_policies(root), settings)
            ledger = Ledger(settings.trace_directory)
        except BaseException:
            shutil.rmtree(root, ignore_errors=True)
            raise
        dirs = UserDirs.of({}, root)
        project = cls(settings, snapshot, dirs=dirs, environ={}, ledger=ledger)
        project._removal = weakref.finalize(project, _remove, root, ledger, os.getpid())
        return project

    @property
    def read_digest(self) -> str:
        """The digest of what was read, whatever the host program declares."""
        return self._read.digest

    def is_current(self) -> bool:
        """Whether what was read is what there is to read now. What cannot be read is about to be
        changed, and may be as it was afterwards."""
        try:
            config = configuration.load(self.root, self._environ, self._dirs.config_file, {})
            return open_snapshot(self.root, config).digest == self.read_digest
        except CraError:
            return True

    @property
    def policy(self) -> Policy:
        known, snapshot = self._compiled, self.snapshot
        if known is None or known[0] is not snapshot:
            known = self._compiled = snapshot, self._compile(snapshot)
        return known[1]

    def policy_under(self, rules: Sequence[Rule]) -> Policy:
        """The policy with these rules in place of the project's own. Raises ConfigError."""
        return self._compile(self.snapshot._replace(policies=tuple(rules)))

    def _compile(self, snapshot: Snapshot) -> Policy:
        policies = self.config.policies
        rules = [
            *snapshot.policies,
            *(rule for atlas in snapshot.atlases for rule in (*atlas.policies, *_declared(atlas))),
        ]
        facts = {
            action_id: ActionFacts(atlas.atlas_id, action.risk_tier, action.cost)
            for action_id, (atlas, action) in snapshot.actions.items()
        }
        grants = {atlas_id: pin.grants for atlas_id, pin in snapshot.pins.items()}
        return compile_policy(
            rules,
            facts,
            grants,
            require_approval_for=policies.require_approval_for,
            default_tier=policies.default_risk_tier,
            approvers=policies.approvers,
        )

    def remarks(self) -> tuple[Remark, ...]:
        """What is probably not meant in the rules of the project and of its atlases."""
        from cra.policy.lint import empty_file, lint

        read, policy = self.snapshot, self.policy
        rules = [*read.policies, *(rule for atlas in read.atlases for rule in atlas.policies)]
        has_files = self.config.project is not None
        empty = files_without_rules(self.root, read.policies) if has_files else []
        return (*map(empty_file, empty), *lint(rules, policy.actions, policy.grants))

    def schema_of(self, action: Action) -> Schema:
        """What an action's arguments have to meet."""
        schema = self._schemas.get(action.action_id)
        if schema is None:
            schema = self._schemas[action.action_id] = compile_schema(action.parameters_schema)
        return schema

    @property
    def world(self) -> World:
        known, policy = self._world, self.policy
        if known is None or known.policy is not policy:
            from cra.resolver.resolve import world_of

            snapshot, ttl_seconds = self.snapshot, self.config.policies.resolution_ttl_seconds
            known = self._world = world_of(snapshot, policy, ttl_seconds)
        return known

    def declare(self, action: Action) -> None:
        """Let the host program's atlas have an action. Raises UsageError if another has its id.

        A new one changes the snapshot: what was resolved before confers nothing any more.
        """
        from cra.runtime.host import id_taken, with_host

        with self._lock:
            known = self._host_actions.get(action.action_id)
            if known == action:
                return
            if known is not None:
                raise id_taken(action.action_id, "for another function, or in another form,")
            declared = {**self._host_actions, action.action_id: action}
            self.snapshot = with_host(self._read, declared)
            self._host_actions = declared

    @property
    def ledger(self) -> Ledger:
        if self._ledger is None:
            from cra.ledger.opening import ledger_of

            with self._lock:
                self._ledger = self._ledger or ledger_of(self.config, self._dirs)
        return self._ledger

    @property
    def redactors(self) -> Redactors:
        if self._redactors is None or self._redactors[0] is not self.snapshot:
            from cra.runtime.redactors import Redactors, secret_in

            secret_file = self._dirs.keys / f"{self.ledger.id}.redaction"
            found = Redactors(self.snapshot, lambda: secret_in(secret_file))
            self._redactors = self.snapshot, found
        return self._redactors[1]

    @property
    def reservations(self) -> Reservations:
        if self._reservations is None:
            from cra.runtime.reservations import Reservations

            with self._lock:
                self._reservations = self._reservations or Reservations()
        return self._reservations

    def session(  # noqa: PLR0913  # what a session is begun with
        self,
        agent: str = "agent",
        *,
        session_id: str | None = None,
        principal: Principal | None = None,
        scopes: Sequence[str] | None = None,
        roles: Sequence[str] = (),
        context: Mapping[str, Any] | None = None,
        ttl_seconds: int | None = None,
        parent: str | None = None,
    ) -> GovernedSession:
        """A new session, or the one with an id, which may have been begun by another process.

        Scopes only narrow: those of the agent in the configuration, and those of the parent. Roles
        and context are added to those of the configuration: the host program answers for them. It
        is valid for an hour unless stated, and no longer than its parent.
        """
        from cra.runtime.scopes import narrowed
        from cra.runtime.session import GovernedSession
        from cra.runtime.state import SessionState

        if session_id is not None:
            return self._existing(session_id)
        bounds = narrowed(
            self.config, self.ledger, agent, parent, scopes=scopes, ttl_seconds=ttl_seconds
        )
        state = SessionState()
        started = {"agent_id": agent, "roles": roles, "scopes": bounds.scopes}
        record = self.ledger.start_session(
            agent,
            principal=principal,
            scopes=bounds.scopes,
            roles=roles,
            context=context or {},
            ttl_seconds=bounds.ttl_seconds,
            parent_session_id=parent,
            on_lines=state.read,
            redactor=self.redactors.of(self.caller_of(started), None),
        )
        session = GovernedSession(self, record, state)
        self._sessions[session.id] = session
        return session

    def _existing(self, session_id: str) -> GovernedSession:
        from cra.runtime.session import GovernedSession
        from cra.runtime.state import SessionState

        # Two threads that open the same session share it, and the one fold that is told of it.
        with self._lock:
            session = self._sessions.get(session_id)
            if session is None:
                state = SessionState()
                record = self.ledger.session(session_id, on_lines=state.read)
                session = self._sessions[session_id] = GovernedSession(self, record, state)
            return session

    def host_session(self) -> GovernedSession:
        """The session of the calls that the host program makes itself, as the agent `host`.

        A program may run for long: when the time of one is over, another follows.
        """
        from cra.ledger.source import later

        with self._lock:
            now = self.ledger.source.now()
            if self._host_session is None or self._host_session[1] <= now:
                session = self.session(_HOST_AGENT, ttl_seconds=_HOST_TTL_SECONDS)
                # Earlier than it ends, for a call has to be decided on by then.
                self._host_session = session, later(now, _HOST_TTL_SECONDS - 60)
            return self._host_session[0]

    def caller_of(self, started: Mapping[str, Any]) -> Caller:
        """Who acts in a session: its agent and scopes, and the roles and facts that the project and
        the host program that began it give it."""
        from cra.resolver.request import Caller

        agent = str(started["agent_id"])
        known = self.config.agents.get(agent, AgentConfig())
        return Caller(
            agent,
            frozenset((*known.roles, *started.get("roles", ()))),
            frozenset(started.get("scopes", ())),
            {**started.get("context", {}), **known.context},
        )

    def unknown_action(self, action_id: str) -> UnknownAction:
        asked = did_you_mean(action_id, self.snapshot.actions)
        return UnknownAction(
            f"expected an action of this project's atlases, found {action_id!r:.80}{asked}",
            fix="cra atlas actions; a function that a program governs is known to it alone",
        )

    def misfit(
        self,
        action_id: str,
        flaws: Sequence[str],
        *,
        agent: str | None = None,
        command: str = "cra execute",
    ) -> ArgumentsRefused:
        """The error for arguments that do not fit a known action's schema."""
        from cra.runtime.host import HOST

        atlas, action = self.snapshot.actions[action_id]
        call = f"{command} {to_be_stated(action)}{naming(agent)}"
        return ArgumentsRefused(
            f"{action_id}: {'; '.join(flaws[:_MAX_FLAWS])}",
            # No command knows the functions of a program.
            fix=None
            if atlas.atlas_id == HOST
            else f"{call}, by what cra atlas show {atlas.atlas_id} says",
        )

    def secret(self, name: str) -> str:
        """The value of a secret that the configuration allows. Raises ConfigError."""
        if name not in self.config.secrets:
            raise ConfigError(
                f"expected a secret that the configuration lists, found {name}",
                fix=f'add "{name}" to secrets in {configuration.FILE_NAME}',
            )
        value = self._environ.get(name)
        if not value:
            found = "none" if value is None else "an empty one"
            raise ConfigError(
                f"expected a value of the secret {name} in the environment, found {found}",
                fix=f"set {name} in the environment that cra runs in",
            )
        return value

    def lack_of(self, action: Action) -> ConfigError | None:
        """Which secret an action names and would not get, so that it cannot be carried out."""
        for name in secrets_of(action.executor) if action.executor is not None else ():
            try:
                self.secret(name)
            except ConfigError as error:
                return error
        return None

    def verify(self) -> LedgerReport:
        """The verdict on the ledger, by the keys of the configuration and the user's own; `cra
        trace verify` answers more questions. Raises NotFound, SignerRefused."""
        from cra.ledger.checkpoint import parse_key
        from cra.ledger.keys import load_key
        from cra.ledger.memory import Memory
        from cra.ledger.verify import Trust, verify_ledger

        listed = tuple(map(parse_key, self.config.keys))
        own = load_key(self._dirs.signing_key).key if self._dirs.has_key() else None
        memory = Memory(self._dirs.state, self.config.owner)
        trust = Trust(unconfirmed=listed, own=own)
        return verify_ledger(self.config.trace_directory, trust, memory=memory)

    def close(self) -> None:
        """Bring everything to the disk and let go of the files."""
        # Opened with the first session.
        if self._ledger is not None:
            self._ledger.close()
        self._sessions.clear()
        self._host_session = None
        if self._removal is not None:
            self._removal()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        # What went wrong before says more than what goes wrong because of it.
        with suppress(LedgerError) if error is not None else nullcontext():
            self.close()


def _declared(atlas: Atlas) -> Iterator[Rule]:
    """What actions say of themselves, as rules: a confirmation is an approval, a rate is a limit.

    A colon is in no policy_id of a document.
    """
    origin = RuleOrigin(atlas.atlas_id, 0, 0, atlas.atlas_id)
    for action in atlas.actions:
        patterns = (Pattern(action.action_id),)
        if action.requires_confirmation:
            yield Rule(
                f"action:{action.action_id}:confirmation",
                "require_approval",
                patterns,
                0,
                "the action asks for a confirmation",
                Conditions(),
                origin,
            )
        if action.rate_limit is not None:
            yield Rule(
                f"action:{action.action_id}:rate",
                "rate_limit",
                patterns,
                0,
                "the action limits its own rate",
                Conditions(),
                origin,
                Limit(action.rate_limit.max_calls, action.rate_limit.window_seconds),
            )


def _remove(root: Path, ledger: Ledger, owner: int) -> None:
    """What is left of a temporary project goes, but not when a forked child of its owner ends."""
    if os.getpid() != owner:
        return
    try:
        ledger.close()
    finally:
        shutil.rmtree(root, ignore_errors=True)


def _after_fork() -> None:
    for project in list(_projects):
        project.forget_threads()


os.register_at_fork(after_in_child=_after_fork)
