"""A session under governance: resolve a goal, execute an action, and the record of both.

Everything with an effect goes through `execute`: schema, policy, intent, action, outcome. The lock
of the session is held while the decision is taken and recorded, never while the action runs.
"""

from __future__ import annotations

import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, TypeAlias

import orjson

from cra import canonical
from cra.atlas.model import Action
from cra.errors import (
    CraError,
    NotFound,
    OutcomeLost,
    SessionEnded,
    UsageError,
    ValueRefused,
)
from cra.ledger.blobs import read_member
from cra.ledger.index import LedgerFile
from cra.ledger.source import later
from cra.ledger.store import Session as Record
from cra.ledger.writer import ChainWriter
from cra.policy.ladder import NOT_EXECUTABLE
from cra.policy.ladder import Outcome as Answer
from cra.policy.schema import compile_schema
from cra.protocol.carp import Status
from cra.redaction.redact import redacted, reworded
from cra.resolver.request import MAX_KEY, Task, task_of
from cra.runtime.approval import Approvals
from cra.runtime.decision import Grounds, KeyTaken
from cra.runtime.executors import run
from cra.runtime.executors.work import Done, Failed, Outcome, Work
from cra.runtime.parents import Parents
from cra.runtime.record import (
    Decided,
    FrozenCall,
    error_of,
    record_change,
    record_consumption,
    record_context,
    record_denial,
    record_evaluation,
    record_intent,
    record_outcome,
    record_redactions,
    record_refusal,
    record_request,
    record_resolution,
)
from cra.runtime.redactors import misfits
from cra.runtime.remedy import CALL_AGAIN, remedy_of
from cra.runtime.result import ExecutionResult, Resolution
from cra.runtime.state import Execution, SessionState

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cra.protocol.events import Approver
    from cra.redaction.redact import Redactor
    from cra.resolver.resolve import World
    from cra.runtime.project import Project
    from cra.runtime.state import Approval

    Approving: TypeAlias = Callable[[Approval], bool | None]
    AsyncApproving: TypeAlias = Callable[[Approval], Awaitable[bool | None]]

_STATUS: Final[Mapping[Answer, Status]] = {
    "allow": "success",
    "deny": "denied",
    "requires_approval": "pending_approval",
}

# From this tier on, the intent is on the disk before the action runs.
_BARRIER_TIERS: Final = frozenset({"medium", "high", "critical"})
# How a key begins that `wrap` keeps from passing for one of its markers.
_MARKER: Final = b'"$'
_MAX_NAME: Final = 256


@dataclass(frozen=True)
class IntendedCall:
    """A call that is allowed, whose intent is recorded, and which has not run."""

    call: FrozenCall
    decided: Decided
    found: ExecutionResult


class GovernedSession:
    """A session of a project. Threads and tasks may share it; each call has its own span."""

    def __init__(self, project: Project, record: Record, state: SessionState) -> None:
        assert record.trace_id is not None  # what was begun or opened has been read
        self.id = record.id
        self.trace_id = record.trace_id
        self.parent_id: str | None = state.started["parent_session_id"]
        self.caller = project.caller_of(state.started)
        self.project = project
        self._record = record
        self._state = state
        self._parents = Parents(project.ledger.directory, state.started["parent_session_id"])
        self._source = project.ledger.source
        self.approvals = Approvals(project, record, state, self.caller.agent)
        self._grounds = Grounds(project, record, state, self.caller, self.approvals)
        record.redactor = project.redactors.of(self.caller, None)
        self._is_full = project.config.trace.detail == "full"
        # By task: what was resolved before, and the event that says it.
        self._resolved: dict[bytes, tuple[bytes, str]] = {}

    def __repr__(self) -> str:
        return f"<GovernedSession {self.id} of {self.caller.agent}>"

    # Resolving.

    def resolve(
        self,
        goal: str,
        *,
        risk_tier: str | None = None,
        hints: Sequence[str] = (),
        capabilities: Sequence[str] = (),
        atlas_ids: Sequence[str] = (),
        context: Mapping[str, Any] | None = None,
    ) -> Resolution:
        """What this session's agent may know and do for a goal. Raises RequestRefused, NotFound."""
        task = task_of(
            goal,
            risk_tier=risk_tier,
            hints=tuple(hints),
            capabilities=tuple(capabilities),
            atlas_ids=tuple(atlas_ids),
            context=context,
        )
        return self.resolve_task(task, self._source.new_id())

    def forget_resolved(self) -> None:
        """Resolve anew what was resolved before."""
        self._resolved.clear()

    async def resolve_async(self, goal: str, **narrowed: Any) -> Resolution:
        """`resolve` for a task, with the same arguments: the event loop runs on meanwhile."""
        import asyncio

        return await asyncio.to_thread(self.resolve, goal, **narrowed)

    def resolve_task(self, task: Task, request_id: str) -> Resolution:
        """`resolve` for a task that a request states. Raises UsageError for a known request id."""
        began = time.perf_counter_ns()
        stated = task.document()
        world = self.project.world
        key = world.snapshot.digest.encode() + canonical.encode(stated)
        known = self._resolved.get(key)
        text, redactions = (known[0], []) if known else self._answered(world, task)
        # Each answer is a value of its own: whoever changes one changes nothing else.
        body = orjson.loads(text)
        now = self._source.now()
        expires_at = min(later(now, body["ttl_seconds"]), self._state.started["expires_at"])
        document = {
            "resolution_id": self._source.new_id(),
            "request_id": request_id,
            "timestamp": now,
            **body,
            "decision": {**body["decision"], "expires_at": expires_at},
            "trace_id": self.trace_id,
            "span_id": self._source.new_id(),
        }
        received = {"request_id": request_id, "operation": "resolve", "request": stated}
        with self._record.batch() as writer:
            self._check_open(now)
            self._check_new(request_id)
            writer.append(
                "carp.request.received",
                received,
                span_id=document["span_id"],
                actor_id=self.caller.agent,
            )
            read, before = self.project.read_digest, self._state.project
            if before not in (None, read):
                record_change(writer, before, read, document["span_id"])
            record_redactions(writer, redactions, document["span_id"])
            if self._is_full and known is None:
                self._record_details(writer, task, document)
            recorded = record_resolution(
                writer,
                document,
                snapshot=world.snapshot.digest,
                read=read,
                duration=(time.perf_counter_ns() - began) // 1000,
                completed=known[1] if known else None,
            )
        if known is None:
            self._resolved[key] = text, recorded.event_id
        return Resolution(document, is_cached=known is not None)

    def _answered(self, world: World, task: Task) -> tuple[bytes, list[dict[str, Any]]]:
        """A resolution whose context holds no secret, and what was taken out, block by block."""
        # Relevance is 10 ms to import, and whoever only executes has no use for it.
        from cra.resolver.resolve import resolve

        found = resolve(world, self.caller, task)
        told = []
        for block in found["context_blocks"]:
            atlas_id = block["source"].partition("@")[0]
            redactor = self.project.redactors.of(self.caller, atlas_id)
            block["content"], counts = reworded(redactor, block["content"])
            if counts:
                kinds = ", ".join(sorted(counts))
                count = sum(counts.values())
                told.append({"block_id": block["block_id"], "reason": kinds, "count": count})
        return canonical.encode(found), told

    def _record_details(self, writer: ChainWriter, task: Task, document: Mapping[str, Any]) -> None:
        from cra.resolver.resolve import call_for

        for action in (*document["allowed_actions"], *document["denied_actions"]):
            call = call_for(self.caller, task, action["action_id"])
            record_evaluation(writer, self.project.policy, call, document["span_id"])
        record_context(writer, document)

    # Executing.

    def execute(  # noqa: PLR0913  # what a call may state
        self,
        action_id: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        resolution_id: str | None = None,
        idempotency_key: str | None = None,
        request_id: str | None = None,
        approval_id: str | None = None,
        approver: Approving | None = None,
    ) -> ExecutionResult:
        """Carry out an action, if policy allows it now, and record both.

        Without a resolution, the latest valid one that contains the action is used; without an
        approval, any grant for the call. If one has to be asked for, `approver` is: it returns True
        to grant this call, False to refuse it, None to leave that to others: what they decided
        by then counts, else the call waits. Raises UnknownAction or ArgumentsRefused, which are
        recorded as denials, and UsageError for an idempotency key that stands for another call or
        a request id that the session has seen.
        """
        call = self.freeze(action_id, arguments, idempotency_key, request_id)
        found = self._attempt(call, resolution_id, approval_id)
        if approver is None or found.approval_id is None or found.status != "pending_approval":
            return found
        answer = approver(self.approvals.find(found.approval_id))
        return self._follow(call, found, answer, approver)

    def simulate(
        self,
        action_id: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        resolution_id: str | None = None,
        request_id: str | None = None,
        approval_id: str | None = None,
    ) -> ExecutionResult:
        """What `execute` would be answered, decided fully and recorded as simulated.

        Nothing runs, no limit and no grant is consumed, and nobody is asked.
        """
        call = self.freeze(action_id, arguments, None, request_id)
        return self._attempt(replace(call, is_dry_run=True), resolution_id, approval_id)

    async def execute_async(  # what a call may state
        self,
        action_id: str,
        arguments: Mapping[str, Any] | None = None,
        *,
        resolution_id: str | None = None,
        idempotency_key: str | None = None,
        approval_id: str | None = None,
        approver: Approving | AsyncApproving | None = None,
    ) -> ExecutionResult:
        """`execute` for a task: the event loop runs on while the action does, and an approver may
        be a coroutine function."""
        import asyncio  # 50 ms that only a program with a loop pays, and it has paid them

        call = await asyncio.to_thread(self.freeze, action_id, arguments, idempotency_key, None)
        found = await asyncio.to_thread(self._attempt, call, resolution_id, approval_id)
        if approver is None or found.approval_id is None or found.status != "pending_approval":
            return found
        answer = approver(self.approvals.find(found.approval_id))
        if not isinstance(answer, bool | None):
            answer = await answer
        return await asyncio.to_thread(self._follow, call, found, answer, approver)

    def freeze(
        self,
        action_id: str,
        arguments: Mapping[str, Any] | None,
        idempotency_key: str | None = None,
        request_id: str | None = None,
    ) -> FrozenCall:
        """A call that nobody else can change. Raises UnknownAction or ArgumentsRefused, which are
        recorded."""
        _check_key(idempotency_key)
        frozen = self._freeze(action_id, {} if arguments is None else arguments, request_id)
        return replace(frozen, idempotency_key=idempotency_key, request_id=request_id)

    def _attempt(
        self,
        call: FrozenCall,
        resolution_id: str | None,
        approval_id: str | None,
        *,
        is_new: bool = True,
    ) -> ExecutionResult:
        lack = self.project.lack_of(call.action)
        why = lack.message if lack is not None else None
        found = self.intend(call, resolution_id, approval_id, is_new=is_new, lack=why)
        if isinstance(found, ExecutionResult):
            return found
        began = time.perf_counter_ns()
        outcome = self.run(call)
        return self.conclude(found, outcome, (time.perf_counter_ns() - began) // 1000)

    def intend(
        self,
        call: FrozenCall,
        resolution_id: str | None,
        approval_id: str | None,
        *,
        is_new: bool = True,
        lack: str | None = None,
    ) -> IntendedCall | ExecutionResult:
        """Decide on a call and record the decision; one that is allowed still has to run and be
        concluded. `lack` is why it could not run: then it is denied."""
        with self._record.batch() as writer:
            now = max(self._source.now(), self._state.latest)
            self._check_open(now)
            earlier = self._earlier(call, self._state, self._record.covered_size)
            if earlier is None:
                if is_new:
                    self._check_new(call.request_id)
                answer = self._grounds.decide(call, resolution_id, approval_id, now, lack=lack)
                if isinstance(answer, Decided):
                    if self._is_full:
                        self._record_request(writer, call, answer)
                    decided = self._record_decision(call, answer, now)
                    if _needs_barrier(call, decided):
                        writer.barrier()
        if earlier is not None:
            return self._repeated(earlier, call.request_id, self.trace_id)
        if isinstance(answer, KeyTaken):
            return self._repeated_elsewhere(call, answer.session_id)
        ruling = decided.ruling
        found = ExecutionResult(
            decided.span_id,
            call.action.action_id,
            decided.resolution_id,
            _STATUS[ruling.outcome],
            call.request_id or decided.span_id,
            self.trace_id,
            reason=ruling.reason,
            policy_id=ruling.policy_id,
            # Nobody is asked for what is only tried.
            approval_id=None if call.is_dry_run else decided.approval_id,
            possible_at=decided.possible_at,
            simulated=call.is_dry_run,
            remedy=partial(self._remedy, call, decided) if ruling.outcome == "deny" else None,
        )
        if ruling.outcome != "allow" or call.is_dry_run:
            return found
        return IntendedCall(call, decided, found)

    def conclude(self, intent: IntendedCall, outcome: Outcome, duration_us: int) -> ExecutionResult:
        """Record what came of a call. Raises OutcomeLost if that fails."""
        call, decided, found = intent.call, intent.decided, intent.found
        outcome = _checked(call.action, outcome)
        try:
            # Whoever asks again with the same key, wherever, is to find what came of it.
            with self._record.batch(barrier=call.idempotency_key is not None):
                record_outcome(self._record, call, decided, outcome, duration_us)
        except CraError as error:
            raise OutcomeLost(
                f"expected to record what came of {call.action.action_id}, which has run, "
                f"found: {error.message}",
                where=f"execution {decided.span_id}",
                fix=f"look what it did; cra session show {self.id} lists it as an open intent",
            ) from error
        if isinstance(outcome, Done):
            return replace(found, value=outcome.result, simulated=outcome.simulated)
        return replace(found, status="error", error=error_of(outcome))

    def _remedy(self, call: FrozenCall, decided: Decided) -> str:
        known = self.project.config.agents.get(self.caller.agent)
        configured = known.scopes if known else ()
        policy, on_request = self.project.policy, self.project.snapshot.on_request
        if decided.ruling.policy_id == NOT_EXECUTABLE:
            lack = self.project.lack_of(call.action)
            return (lack and lack.fix) or CALL_AGAIN
        return remedy_of(decided, call, policy, configured, on_request)

    def _follow(
        self,
        call: FrozenCall,
        found: ExecutionResult,
        answer: bool | None,
        approver: Callable[..., object],
    ) -> ExecutionResult:
        """What becomes of a call that waits, once the host program has answered."""
        assert found.approval_id is not None
        if answer is None:
            if self.approvals.standing(found.approval_id) in ("pending", "expired"):
                return found
            return self._attempt(call, found.resolution_id, None, is_new=False)
        name = getattr(approver, "__qualname__", type(approver).__qualname__)
        by: Approver = {"how": "program", "name": name[:_MAX_NAME]}
        if answer:
            self.approvals.grant(found.approval_id, by)
        else:
            self.approvals.deny(found.approval_id, by)
        return self._attempt(
            call, found.resolution_id, found.approval_id if answer else None, is_new=False
        )

    @property
    def size(self) -> int:
        """How many events are recorded."""
        return self._record.size

    def stored_lines(self, first: int) -> list[bytes]:
        """The events from a sequence on, as they are stored."""
        with LedgerFile(self._record.paths.data) as stored:
            return [stored.line(sequence) for sequence in range(first, self._record.size)]

    def times_done(self, action_id: str, arguments: Mapping[str, Any] | None = None) -> int:
        """How often this session has carried out an action with these arguments, by its record: a
        claim of what was done is held against this."""
        found = self.project.snapshot.actions.get(action_id)
        if found is None:
            return 0
        redactor = self.project.redactors.of(self.caller, found[0].atlas_id, action_id)
        try:
            text = canonical.encode(dict(arguments or {}))
        except (ValueRefused, TypeError, ValueError):
            return 0  # no call has such arguments
        _, digest = _as_recorded(redactor, canonical.decode(text), text)
        with self._record.batch():
            return sum(
                (one.action_id, one.arguments_digest, one.status) == (action_id, digest, "success")
                for one in self._state.executions.values()
            )

    def outcome_at(self, execution_id: str) -> int | None:
        """The number of the event that says what came of an execution of this session; None if
        there is none."""
        with self._record.batch():
            found = self._state.executions.get(execution_id)
        return found.concluded_at if found is not None and found.status != "open" else None

    def end(self, reason: str = "completed", *, force: bool = False) -> None:
        """End the session: nothing can be added to it.

        Raises UsageError while an action has no outcome, in whatever process. With `force` it is
        ended all the same: an action that still runs raises OutcomeLost where it was called.
        """
        self._record.end(reason, force=force)

    def barrier(self) -> None:
        """Return when all that was recorded is on the disk and under a checkpoint."""
        self._record.barrier()

    def _freeze(
        self, action_id: str, arguments: Mapping[str, Any], request_id: str | None
    ) -> FrozenCall:
        """The call with arguments of its own. Raises UnknownAction or ArgumentsRefused."""
        found = self.project.snapshot.actions.get(action_id)
        if found is None:
            # Whoever calls made the name up, so there may be a secret in it.
            redactor = self.project.redactors.of(self.caller, None)
            named = str(reworded(redactor, action_id).value)
            raise self._refused(named, self.project.unknown_action(named), request_id)
        atlas, action = found
        redactor = self.project.redactors.of(self.caller, atlas.atlas_id, action_id)
        try:
            if not isinstance(arguments, Mapping):
                raise TypeError(f"expected arguments by name, found a {type(arguments).__name__}")
            text = canonical.encode(dict(arguments))
            frozen = canonical.decode(text)
            flaws = list(self.project.schema_of(action).flaws(frozen))
            words = misfits(redactor, frozen, flaws)
        except (ValueRefused, TypeError, ValueError) as refused:
            words = [reworded(redactor, str(refused)).value]
        if words:
            misfit = self.project.misfit(action_id, words, agent=self.caller.agent)
            raise self._refused(action_id, misfit, request_id)
        recorded, digest = _as_recorded(redactor, frozen, text)
        return FrozenCall(atlas, action, frozen, recorded, digest, redactor)

    def _refused(self, action_id: str, error: CraError, request_id: str | None) -> CraError:
        self.refuse(action_id, error.message, request_id)
        return error

    def refuse(self, action_id: str, reason: str, request_id: str | None) -> None:
        """Record a call that is none: no such action, or arguments that do not fit."""
        with self._record.batch() as writer:
            self._check_open(self._source.now())
            self._check_new(request_id)
            record_refusal(writer, action_id, reason, request_id)

    def _record_request(self, writer: ChainWriter, call: FrozenCall, decided: Decided) -> None:
        record_request(writer, call, decided)
        is_denied = decided.ruling.outcome == "deny"
        record_evaluation(
            writer,
            self.project.policy,
            decided.asked,
            decided.span_id,
            parent=decided.parent,
            violated=decided.ruling.policy_id if is_denied else None,
        )

    # Deciding, under the session's lock.

    def _check_open(self, now: str) -> None:
        """A session that is over accepts no request, and nothing can be recorded in it."""
        if self._state.is_ended:
            raise SessionEnded(
                f"expected an open session, found that {self.id} has ended", fix="cra session start"
            )
        expires_at = self._state.started["expires_at"]
        if expires_at <= now:
            raise UsageError(
                f"expected a session that is valid, found that {self.id} expired at {expires_at}",
                fix="cra session start",
            )
        self._parents.check(now)

    def _check_new(self, request_id: str | None) -> None:
        if request_id in self._state.requests:
            raise UsageError(
                f"expected a request that this session has not answered, found {request_id} again",
                fix="give each request an id of its own",
            )

    def _earlier(
        self, call: FrozenCall, folded: SessionState, covered: Callable[[], int]
    ) -> Execution | None:
        """The call of a session that an idempotency key stands for; None for a new key or none."""
        key = call.idempotency_key
        earlier = folded.by_key.get(key) if key is not None else None
        if earlier is None or call.is_dry_run:
            return None
        action = call.action.action_id
        if (earlier.action_id, earlier.arguments_digest) != (action, call.digest):
            is_same = earlier.action_id == action
            used = (
                f"{action} with other arguments"
                if is_same
                else f"another action, {earlier.action_id}"
            )
            raise UsageError(
                f"expected an idempotency key of this call, found that {key!r:.80} was used for "
                f"{used}",
                fix="use another key",
            )
        vouched = folded.is_attested(earlier.concluded_at, covered)
        if earlier.outcome is None or not vouched:
            is_lost = earlier.status == "open" or earlier.outcome is not None
            state = "was never recorded" if is_lost else "has been redacted"
            raise UsageError(
                f"expected an outcome of {action} with the idempotency key {key!r:.80}, "
                f"found that it {state}; it is not run again",
                where=earlier.execution_id,
                fix="look what it did, then use another key",
            )
        return earlier

    def _repeated_elsewhere(self, call: FrozenCall, session_id: str) -> ExecutionResult:
        """The recorded outcome of a call of another session, which used the key first."""
        found, ledger = SessionState(), self.project.ledger
        state = "is not recorded"
        try:
            ledger.read_attested(session_id, found.read)
        except NotFound:
            state = "went with its session"
        agent = found.started.get("agent_id")
        if found.size and agent != self.caller.agent:
            raise UsageError(
                f"expected an idempotency key of the agent {self.caller.agent}, "
                f"found that {agent or 'another one'} has used {call.idempotency_key!r:.80}",
                fix="use another key",
            )
        earlier = self._earlier(call, found, lambda: found.size)
        if earlier is None:
            raise UsageError(
                f"expected an outcome with the idempotency key {call.idempotency_key!r:.80}, "
                f"found that it {state}; it is not run again",
                where=f"session {session_id}",
                fix="look what it did, then use another key",
            )
        trace_id = ledger.first_event(session_id).header["trace_id"]
        return self._repeated(earlier, call.request_id, trace_id)

    def _record_decision(self, call: FrozenCall, decided: Decided, now: str) -> Decided:
        """Record what was decided, and which approval is asked for, if one is."""
        match decided.ruling.outcome:
            case "deny":
                record_denial(self._record, call, decided)
            case "allow":
                if decided.approval_id is not None and not call.is_dry_run:
                    record_consumption(self._record, call, decided)
                record_intent(self._record, call, decided)
            case "requires_approval":
                asked_for = self.approvals.ask(self._record, call, decided, now)
                return replace(decided, approval_id=asked_for)
        return decided

    # Carrying out, without the lock.

    def run(self, call: FrozenCall) -> Outcome:
        """Carry out a call that is allowed."""
        action, atlas = call.action, call.atlas
        assert action.executor is not None  # what has none is in no resolution
        work = Work(
            action.action_id,
            # What the action does to its arguments does not change what was recorded.
            canonical.decode(canonical.encode(call.arguments)),
            (action.timeout_ms or self.project.config.runtime.timeout_ms) / 1000,
            atlas.files,
            atlas.digest,
            self.project.root,
            self.project.protected,
            self.project.secret,
        )
        return run(action.executor, work)

    def _repeated(
        self, earlier: Execution, request_id: str | None, trace_id: str
    ) -> ExecutionResult:
        """The recorded outcome of an earlier call, as if it had been made now."""
        assert earlier.outcome is not None
        payload, salt = earlier.outcome
        is_error = earlier.status == "error"
        stored = read_member(
            payload["error" if is_error else "result"], salt, self._record.paths.blobs
        )
        try:
            value = canonical.unwrap(stored)
        except ValueRefused:
            raise UsageError(
                f"expected an outcome of {earlier.action_id} with the idempotency key "
                f"{earlier.idempotency_key!r:.80}, found one that holds a secret, which was not "
                "recorded; it is not run again",
                where=earlier.execution_id,
                fix="look what it did, then use another key",
            ) from None
        return ExecutionResult(
            earlier.execution_id,
            earlier.action_id,
            earlier.resolution_id,
            "error" if is_error else "success",
            request_id or earlier.execution_id,
            trace_id,
            value=None if is_error else value,
            error=value if is_error else None,
            simulated=bool(payload.get("simulated")),
            is_repeated=True,
        )


def _as_recorded(redactor: Redactor, frozen: Any, text: bytes) -> tuple[Any, str]:
    """Arguments without what is secret in them, and the digest of that form; `text` is theirs."""
    recorded = redacted(redactor, canonical.wrap(frozen) if _MARKER in text else frozen).value
    if recorded is not frozen:
        text = canonical.encode(recorded)
    return recorded, sha256(text).hexdigest()


def _checked(action: Action, outcome: Outcome) -> Outcome:
    """The outcome, held against what the action says it returns."""
    if isinstance(outcome, Failed) or action.returns_schema is None:
        return outcome
    try:
        flaws = list(map(str, compile_schema(action.returns_schema).flaws(outcome.result)))
    except ValueRefused as refused:
        flaws = [refused.message]
    if not flaws:
        return outcome
    return Failed("invalid_result", f"the result does not fit returns_schema: {flaws[0]}")


def _needs_barrier(call: FrozenCall, decided: Decided) -> bool:
    """Whether the record has to last before anything follows: an effect that is grave, or the
    answer of a person, who can grant only what a checkpoint covers."""
    if call.is_dry_run or decided.ruling.outcome == "deny":
        return False
    return decided.ruling.risk_tier in _BARRIER_TIERS or decided.approval_id is not None


def _check_key(key: object) -> None:
    if key is not None and not (isinstance(key, str) and 1 <= len(key) <= MAX_KEY):
        raise UsageError(
            f"expected an idempotency key of 1 to {MAX_KEY} characters, found {key!r:.60}"
        )
