"""A golden, done again: the recorded requests, calls and approvals, under today's rules.

The session that is asked is the runtime's own, on a ledger of its own, with the golden's time as
the clock. What came of the actions is taken from the recording, or, if they run, from a copy of the
project. What the session wrote is then compared with the golden.
"""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Final, get_args

import orjson

from cra import canonical
from cra.atlas.model import Action, HostExecutor, Snapshot
from cra.config import Config, RiskTier, UserDirs
from cra.errors import CraError, GoldenRefused, UsageError, ValueRefused
from cra.ledger.store import Ledger
from cra.policy.engine import matching
from cra.policy.ladder import NOT_EXECUTABLE
from cra.policy.schema import compile_schema
from cra.replay.clock import ReplaySource
from cra.replay.golden import LIMITS, Golden
from cra.replay.normal import Event, objects_in
from cra.replay.reading import Trace
from cra.resolver.request import Task, task_of
from cra.runtime.executors.work import Done, Failed, Outcome
from cra.runtime.host import HOST
from cra.runtime.project import Project
from cra.runtime.record import FrozenCall
from cra.runtime.result import ExecutionResult
from cra.runtime.session import GovernedSession, IntendedCall

_CALLS: Final = frozenset({"action.approved", "action.denied", "approval.requested"})
_DETAILS: Final = frozenset({"action.requested", "policy.evaluated", "policy.violated"})
# Keywords of a schema that say nothing of a value.
_ANNOTATIONS: Final = frozenset({"$comment", "default", "description", "examples", "title"})
# Keywords of an object's schema that say nothing of the values of its members.
_PLAIN: Final = _ANNOTATIONS | {"$schema", "additionalProperties", "properties", "required", "type"}
# What is kept of a call of another session that took of a shared limit.
_TAKEN: Final = {
    "timestamp": str,
    "session_id": str,
    "policy_id": str,
    "key": str,
    "cost": int,
    "window_ends": str,
}
# How a denial begins that names a resolution which the session has not; nothing else names it.
_NO_SUCH_RESOLUTION: Final = "this session has no resolution "
# Stands in the place of a secret, which is not recorded.
_SECRET: Final = "[redacted]"


@dataclass(frozen=True)
class Replayed:
    """What a replay wrote, and what it could not do, by the event of the golden."""

    trace: Path
    # Members of payloads that are taken from the golden, by the event that has them.
    replaced: Mapping[int, Mapping[str, Any]]
    # What was refused, or not decided, and why.
    refused: Mapping[int, str]
    unverifiable: Mapping[int, str]


def replay(
    golden: Golden,
    config: Config,
    snapshot: Snapshot,
    directory: Path,
    *,
    runs_with: Mapping[str, str] | None = None,
) -> Replayed:
    """Do a golden again, with a ledger in a directory of its own.

    Nothing runs, unless there is an environment for it: then the actions do, in the project.
    """
    with Trace(golden.trace) as events:
        first = events.event(0)
        is_full, host_actions = False, set()
        for event in events:
            is_full = is_full or event["event_type"] in _DETAILS
            if event.get("atlas", {}).get("atlas_id") == HOST:
                host_actions.add(event["payload"]["action_id"])
        # What is accepted in the place of this golden has other ids than it.
        source = ReplaySource(first["timestamp"], first["event_hash"].encode())
        settings = replace(
            config,
            trace=replace(
                config.trace, directory=str(directory), detail="full" if is_full else "compact"
            ),
        )
        project = Project(
            settings,
            snapshot,
            # The user's own key and secrets have no part in it.
            dirs=UserDirs.of({}, directory.with_name(f"{directory.name}.user")),
            environ=runs_with or {},
            ledger=Ledger(directory, source=source),
        )
        with project:
            player = _Player(
                project,
                source,
                events,
                _reserved(golden),
                frozenset(host_actions),
                runs_with is not None,
            )
            for event in events:
                player.take(event)
                if player.session_id is None:
                    raise GoldenRefused(
                        f"expected a session that can begin, found: {player.refused[0]}",
                        where=str(golden.trace),
                    )
            player.finish()
            session_id = player.session.id
        return Replayed(
            directory / f"{session_id}.trace.jsonl",
            player.replaced,
            player.refused,
            player.unverifiable,
        )


@dataclass
class _Player:
    project: Project
    source: ReplaySource
    events: Trace
    reserved: list[dict[str, Any]]
    # Actions that were called and are functions of a host program.
    host_actions: Collection[str]
    runs: bool
    replaced: dict[int, dict[str, Any]] = field(default_factory=dict)
    refused: dict[int, str] = field(default_factory=dict)
    unverifiable: dict[int, str] = field(default_factory=dict)
    _session: GovernedSession | None = None
    _own_span: str = ""
    # By the golden's span: calls that are allowed and not concluded, and what came of them.
    _intents: dict[str, IntendedCall] = field(default_factory=dict)
    _outcomes: dict[str, Outcome] = field(default_factory=dict)
    _called: set[str] = field(default_factory=set)
    # What stands for an id of the golden.
    _resolutions: dict[str, str] = field(default_factory=dict)
    _approvals: dict[str, str] = field(default_factory=dict)
    # By the golden's approval: why the call that it is about cannot be decided.
    _undecided: dict[str, str] = field(default_factory=dict)
    # By the golden's span: the grant that the call stands on.
    _consumed: dict[str, str] = field(default_factory=dict)

    @property
    def session_id(self) -> str | None:
        return None if self._session is None else self._session.id

    @property
    def session(self) -> GovernedSession:
        assert self._session is not None  # a trace begins with the session
        return self._session

    def take(self, event: Event) -> None:
        """Do what an event of the golden says was done; what follows from it is not read."""
        self._reserve_until(event["timestamp"])
        self.source.set(max(event["timestamp"], self.source.now()))
        step = _STEPS.get(event["event_type"])
        if step is None:
            return
        try:
            step(self, event, event.get("payload") or {})
        except CraError as error:
            self.refused[event["sequence"]] = error.message

    def finish(self) -> None:
        """Conclude what ran and had no outcome in the golden."""
        for span, outcome in self._outcomes.items():
            intent = self._intents.pop(span, None)
            if intent is not None:
                self.session.conclude(intent, outcome, 0)

    def start(self, event: Event, payload: Mapping[str, Any]) -> None:
        self._own_span = event["span_id"]
        agent, stated = payload["agent_id"], payload["scopes"]
        known = self.project.config.agents.get(agent)
        # What the configuration gives less of today is not there today.
        scopes = [one for one in stated if known is None or one in known.scopes]
        self._session = self.project.session(
            agent,
            principal=payload["principal"],
            scopes=scopes,
            roles=payload.get("roles", ()),
            context=payload.get("context"),
            ttl_seconds=payload["ttl_seconds"],
        )
        # The parent is in another trace.
        self.replaced[0] = {"parent_session_id": payload["parent_session_id"]}

    def resolve(self, event: Event, payload: Mapping[str, Any]) -> None:
        if payload.get("operation") != "resolve":
            return
        task = _task_in(payload["request"])
        answer = self._answer_of(event)
        self._declare(answer)
        if answer["event_type"] == "carp.resolution.completed":
            # In the golden it was not answered from memory, or in another process.
            self.session.forget_resolved()
        found = self.session.resolve_task(task, payload["request_id"])
        recorded = (answer.get("payload") or {}).get("resolution_id")
        if recorded is not None:
            self._resolutions[recorded] = found.document["resolution_id"]

    def call(self, event: Event, payload: Mapping[str, Any]) -> None:
        span = event["span_id"]
        # What was no call has no span of its own.
        if span in self._called and span != self._own_span:
            return
        self._called.add(span)
        call = self._frozen(event, payload)
        if call is None:
            return
        why = self.unverifiable.get(event["sequence"])
        if why is not None and "approval_id" in payload:
            self._undecided[payload["approval_id"]] = why
        found = self._intended(
            replace(call, is_dry_run=bool(payload.get("simulated"))),
            self._resolution_of(payload),
            self._consumed.pop(span, None),
            # What the surroundings had is taken from the recording, as what came of a call is.
            payload["reason"] if payload.get("policy_id") == NOT_EXECUTABLE else None,
        )
        if isinstance(found, ExecutionResult):
            if found.approval_id is not None and "approval_id" in payload:
                self._approvals[payload["approval_id"]] = found.approval_id
            return
        self._intents[span] = found
        at = event["sequence"]
        if self.runs and at not in self.unverifiable:
            executor = call.action.executor
            if isinstance(executor, HostExecutor):
                self.unverifiable[at] = "a function of a host program, which cra cannot run"
            else:
                self._outcomes[span] = self.session.run(call)

    def consume(self, event: Event, payload: Mapping[str, Any]) -> None:
        approval_id = self._approvals.get(payload["approval_id"])
        if approval_id is not None:
            self._consumed[event["span_id"]] = approval_id

    def conclude(self, event: Event, payload: Mapping[str, Any]) -> None:
        span = event["span_id"]
        intent = self._intents.pop(span, None)
        if intent is None:
            return
        outcome = self._outcomes.pop(span, None)
        at = self.session.size
        if outcome is None:
            outcome, kept = _recorded(payload)
            if kept:
                self.replaced[at] = kept
            if "result" in kept and intent.call.action.returns_schema is not None:
                self.unverifiable[event["sequence"]] = (
                    "returns_schema reads a result that is redacted"
                )
        self.session.conclude(intent, outcome, payload.get("duration_us", 0))

    def decide(self, event: Event, payload: Mapping[str, Any]) -> None:
        why = self._undecided.get(payload["approval_id"])
        if why is not None:
            self.unverifiable[event["sequence"]] = why
        approval_id = self._approvals.get(payload["approval_id"])
        if approval_id is not None:
            self.session.approvals.repeat(approval_id, payload)

    def end(self, _: Event, payload: Mapping[str, Any]) -> None:
        self.finish()
        self.session.end(payload["reason"], force=True)

    def _answer_of(self, event: Event) -> Event:
        """The event that answers a request: of the same span, a little later."""
        for sequence in range(event["sequence"] + 1, len(self.events)):
            found = self.events.event(sequence)
            if found["span_id"] == event["span_id"] and found["event_type"] in _ANSWERS:
                return found
        return {"event_type": "", "payload": {}}

    def _resolution_of(self, payload: Mapping[str, Any]) -> str | None:
        """The resolution that a call named, or stood on."""
        stated, reason = payload.get("resolution_id"), payload.get("reason", "")
        if stated is None and reason.startswith(_NO_SUCH_RESOLUTION):
            return str(reason).removeprefix(_NO_SUCH_RESOLUTION)
        return None if stated is None else self._resolutions.get(stated, stated)

    def _intended(
        self,
        call: FrozenCall,
        resolution_id: str | None,
        approval_id: str | None,
        lack: str | None,
    ) -> IntendedCall | ExecutionResult:
        """The decision on a call; it stands on the grant that it stood on, if that still counts."""
        approvals = self.session.approvals
        if approval_id is not None and approvals.standing(approval_id) == "granted":
            with suppress(UsageError):
                return self.session.intend(call, resolution_id, approval_id, lack=lack)
        return self.session.intend(call, resolution_id, None, lack=lack)

    def _declare(self, answer: Event) -> None:
        """The functions of the host program that an answer of the golden knows. Of one that it
        denies, it knows the name."""
        resolution = (answer.get("payload") or {}).get("resolution") or {}
        for action in objects_in(resolution, "allowed_actions"):
            if action.get("atlas_id") == HOST:
                self._declare_one(action)
        for action in objects_in(resolution, "denied_actions"):
            if action.get("action_id") in self.host_actions:
                self._declare_one({"action_id": action["action_id"]})

    def _declare_one(self, shown: Mapping[str, Any]) -> None:
        action = _host_action(shown)
        if action is not None and action.action_id not in self.project.snapshot.actions:
            self.project.declare(action)

    def _frozen(self, event: Event, payload: Mapping[str, Any]) -> FrozenCall | None:
        """The call that an event decided on; None if it was refused, as it was then."""
        action_id, at = payload["action_id"], event["sequence"]
        key, request_id = payload.get("idempotency_key"), payload.get("request_id")
        if "arguments" not in payload:
            # What did not fit was not recorded, but that it did not.
            if action_id in self.project.snapshot.actions:
                self.unverifiable[at] = "the arguments did not fit, and are not recorded"
            self.session.refuse(action_id, payload["reason"], request_id)
            return None
        try:
            arguments = _unwrapped(payload["arguments"])
        except ValueRefused:
            return self._with_secrets(event, payload)
        return self.session.freeze(action_id, arguments, key, request_id)

    def _with_secrets(self, event: Event, payload: Mapping[str, Any]) -> FrozenCall | None:
        """A call whose arguments are known in part: nothing is refused or run for the rest."""
        found = self.project.snapshot.actions.get(payload["action_id"])
        at = event["sequence"]
        if found is None:
            self.session.freeze(payload["action_id"], {})
        assert found is not None  # freeze has raised
        atlas, action = found
        names = {name for name, value in payload["arguments"].items() if _holds_secret(value)}
        arguments = _unwrapped(_without_secrets(payload["arguments"]))
        read = _names_read(names, action, self.project)
        if read:
            what = ", ".join(read)
            self.unverifiable[at] = f"a rule or the schema reads {what}, which is redacted"
        elif self.runs:
            what = ", ".join(sorted(names))
            self.unverifiable[at] = f"it is not run, since {what} is redacted"
        flaws = [
            flaw
            for flaw in compile_schema(action.parameters_schema).flaws(arguments)
            if not (flaw.path and flaw.path[0] in names)
        ]
        if flaws:
            words = [flaw.said_of("the arguments") for flaw in flaws]
            misfit = self.project.misfit(action.action_id, words)
            self.session.refuse(action.action_id, misfit.message, payload.get("request_id"))
            raise misfit
        redactor = self.project.redactors.of(self.session.caller, atlas.atlas_id, action.action_id)
        return FrozenCall(
            atlas,
            action,
            arguments,
            payload["arguments"],
            payload.get("arguments_digest", ""),
            redactor,
            payload.get("idempotency_key"),
            payload.get("request_id"),
        )

    def _reserve_until(self, now: str) -> None:
        """What other sessions took of shared limits, at the time when they did."""
        while self.reserved and self.reserved[0]["timestamp"] <= now:
            taken = dict(self.reserved.pop(0))
            self.source.set(max(taken.pop("timestamp"), self.source.now()))
            self.project.ledger.journal.append("limit.reserved", taken)


_ANSWERS: Final = frozenset({"carp.resolution.completed", "carp.resolution.cached"})
_STEPS: Final[Mapping[str, Callable[[_Player, Event, Mapping[str, Any]], None]]] = {
    "session.started": _Player.start,
    "carp.request.received": _Player.resolve,
    **dict.fromkeys(_CALLS, _Player.call),
    "approval.consumed": _Player.consume,
    "action.executed": _Player.conclude,
    "action.failed": _Player.conclude,
    "approval.granted": _Player.decide,
    "approval.denied": _Player.decide,
    "session.ended": _Player.end,
}


def _reserved(golden: Golden) -> list[dict[str, Any]]:
    path = golden.artifact(LIMITS)
    if path is None:
        return []
    try:
        found = orjson.loads(path.read_bytes())
    except orjson.JSONDecodeError:
        found = None
    is_whole = isinstance(found, list) and all(
        isinstance(one, dict)
        and one.keys() == _TAKEN.keys()
        and all(isinstance(one[name], kind) for name, kind in _TAKEN.items())
        for one in found
    )
    if not is_whole:
        raise GoldenRefused(
            "expected what other sessions took of limits, found something else",
            where=str(path),
            fix="record it anew",
        )
    taken: list[dict[str, Any]] = found
    return taken


def _task_in(request: Mapping[str, Any]) -> Task:
    """The task that is recorded. Raises UsageError for what is none, RequestRefused."""
    stated = request.get("task")
    task: Mapping[str, Any] = stated if isinstance(stated, dict) else {}
    goal, context = task.get("goal"), request.get("context")
    words = [
        task.get("context_hints", []),
        task.get("required_capabilities", []),
        request.get("atlas_ids", []),
    ]
    are_words = all(
        isinstance(one, list) and all(isinstance(word, str) for word in one) for one in words
    )
    if not (isinstance(goal, str) and are_words and isinstance(context, dict | None)):
        raise UsageError("expected a task in the recorded request, found something else")
    hints, capabilities, atlas_ids = map(tuple, words)
    return task_of(
        goal,
        risk_tier=task.get("risk_tier"),
        hints=hints,
        capabilities=capabilities,
        atlas_ids=atlas_ids,
        context=context,
    )


def _unwrapped(value: Any) -> Any:
    """A recorded value as it was. Raises ValueRefused for one with a secret, UsageError for one
    that nothing was recorded as."""
    try:
        return canonical.unwrap(value)
    except (TypeError, ValueError) as error:
        raise UsageError("expected a recorded value, found marks that stand for none") from error


def _recorded(payload: Mapping[str, Any]) -> tuple[Outcome, dict[str, Any]]:
    """The outcome that is recorded, and what of it only the recording can say."""
    if "error" in payload:
        error = payload["error"]
        details = error.get("details", {})
        are_words = all(isinstance(error.get(name), str) for name in ("code", "message"))
        if not (are_words and isinstance(details, dict)):
            raise UsageError("expected a recorded error, found something else")
        is_running = bool(payload.get("still_running"))
        return Failed(error["code"], error["message"], details, is_running), {"error": error}
    is_simulated = bool(payload.get("simulated"))
    try:
        return Done(_unwrapped(payload["result"]), is_simulated), {}
    except ValueRefused:
        result = _unwrapped(_without_secrets(payload["result"]))
        return Done(result, is_simulated), {"result": payload["result"]}


def _host_action(shown: Mapping[str, Any]) -> Action | None:
    """A function of a host program, as a resolution of the golden has it; None if it is none."""

    def function(**_: Any) -> Any:
        raise UsageError("expected no call of a function of another program")

    action_id = shown.get("action_id")
    name, description = shown.get("name", action_id), shown.get("description", "")
    schema, tier = shown.get("parameters_schema", {}), shown.get("risk_tier")
    are_words = all(isinstance(word, str) for word in (action_id, name, description))
    if not (
        are_words and isinstance(schema, dict) and (tier is None or tier in get_args(RiskTier))
    ):
        return None
    return Action(
        action_id=str(action_id),
        name=str(name),
        description=str(description),
        parameters_schema=schema,
        executor=HostExecutor(str(name), function, None),
        risk_tier=tier,
    )


def _is_secret(value: Any) -> bool:
    return isinstance(value, dict) and "$redacted" in value


def _holds_secret(value: Any) -> bool:
    if _is_secret(value):
        return True
    if isinstance(value, dict):
        return any(map(_holds_secret, value.values()))
    return isinstance(value, list) and any(map(_holds_secret, value))


def _without_secrets(value: Any) -> Any:
    if _is_secret(value):
        return _SECRET
    if isinstance(value, dict):
        return {key: _without_secrets(member) for key, member in value.items()}
    return [_without_secrets(item) for item in value] if isinstance(value, list) else value


def _names_read(names: Collection[str], action: Action, project: Project) -> list[str]:
    """Those of some arguments whose values the schema or a rule looks at."""
    rules = [one.rule for one in matching(project.policy, action.action_id)]
    schemas = [rule.conditions.parameters for rule in rules if rule.conditions.parameters]
    return sorted(
        name
        for name in names
        if _reads(action.parameters_schema, name, _ANNOTATIONS | {"type"})
        or any(_reads(schema, name, _ANNOTATIONS) for schema in schemas)
    )


def _reads(schema: Mapping[str, Any], name: str, harmless: Collection[str]) -> bool:
    """Whether a schema says of a member more than some keywords do."""
    if not _PLAIN.issuperset(schema):
        return True
    stated = schema.get("properties", {}).get(name, {})
    return not isinstance(stated, dict) or not stated.keys() <= set(harmless)
