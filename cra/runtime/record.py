"""What a governed call leaves in the ledger: which event, with which members (PROTOCOL.md)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from cra.atlas.model import Action, Atlas
from cra.ledger.writer import ChainWriter, Recorded
from cra.policy.call import Call
from cra.policy.engine import Counted, Policy
from cra.policy.explain import explain
from cra.policy.ladder import Ruling
from cra.protocol.carp import ErrorDocument
from cra.redaction.redact import Redactor
from cra.runtime.executors.work import Done, Failed, Outcome
from cra.runtime.state import Held


@dataclass(frozen=True)
class FrozenCall:
    """A call as it is decided on and carried out: from here on nobody else can change it."""

    atlas: Atlas
    action: Action
    arguments: Mapping[str, Any]
    # As they are recorded: what is secret is replaced. The digest is over this form.
    recorded: Mapping[str, Any]
    digest: str
    redactor: Redactor
    idempotency_key: str | None = None
    # Of a request that came as a document.
    request_id: str | None = None
    is_dry_run: bool = False

    @property
    def named(self) -> dict[str, str]:
        return {"atlas_id": self.atlas.atlas_id, "version": self.atlas.version}


@dataclass(frozen=True)
class Decided:
    """The answer to a call, with what it rests on."""

    ruling: Ruling
    span_id: str
    # The call as policy saw it.
    asked: Call
    held: Held | None = None
    counted: tuple[Counted, ...] = ()
    # The approval that the call waits for, stands on, or was refused by.
    approval_id: str | None = None
    # When a limit that denies it has room again.
    possible_at: str | None = None

    @property
    def parent(self) -> str | None:
        return self.held.span_id if self.held else None

    @property
    def resolution_id(self) -> str | None:
        return self.held.resolution_id if self.held else None


def record_resolution(
    writer: ChainWriter,
    document: Mapping[str, Any],
    *,
    snapshot: str,
    read: str,
    duration: int,
    completed: str | None,
) -> Recorded:
    """The answer itself, or the name of the event that holds it."""
    decision = document["decision"]
    common = {
        "request_id": document["request_id"],
        "resolution_id": document["resolution_id"],
        "snapshot": snapshot,
        "expires_at": decision["expires_at"],
        "duration_us": duration,
    }
    span_id = document["span_id"]
    if read != snapshot:
        common["project"] = read
    if completed is not None:
        payload = common | {"completed_event_id": completed}
        return writer.append("carp.resolution.cached", payload, span_id=span_id)
    payload = common | {
        "decision": {"type": decision["type"], "reason": decision["reason"]},
        "allowed": [action["action_id"] for action in document["allowed_actions"]],
        "resolution": {name: value for name, value in document.items() if name not in common},
    }
    return writer.append("carp.resolution.completed", payload, span_id=span_id)


def record_change(writer: ChainWriter, before: str, after: str, span_id: str) -> None:
    """That the session goes by other atlases, rules or settings than before."""
    payload = {"what": "atlases, policies or settings", "before": before, "after": after}
    writer.append("project.changed", payload, span_id=span_id)


def record_redactions(
    writer: ChainWriter, redacted: Sequence[Mapping[str, Any]], span_id: str
) -> None:
    """That secrets were taken out of blocks of context before the agent saw them."""
    for payload in redacted:
        writer.append("context.redacted", payload, span_id=span_id)


def record_context(writer: ChainWriter, document: Mapping[str, Any]) -> None:
    """In full detail: each block of context that the agent is given."""
    for block in document["context_blocks"]:
        payload = {key: block[key] for key in ("block_id", "source", "token_estimate")}
        writer.append("context.injected", payload, span_id=document["span_id"])


def record_request(writer: ChainWriter, call: FrozenCall, decided: Decided) -> None:
    """In full detail: that the agent asks for a call."""
    payload = {"action_id": call.action.action_id, "arguments": call.recorded}
    _append(writer, "action.requested", payload, call, decided, actor_id=decided.asked.agent)


def record_evaluation(
    writer: ChainWriter,
    policy: Policy,
    asked: Call,
    span_id: str,
    *,
    parent: str | None = None,
    violated: str | None = None,
) -> None:
    """In full detail: what each rule about an action says; `violated` is the one that denies."""
    for rule, state, why in explain(policy, asked).considered:
        payload = {
            "action_id": asked.action_id,
            "policy_id": rule.policy_id,
            "type": rule.type,
            "outcome": state,
            "reason": why or rule.reason,
        }
        event_type = "policy.violated" if rule.policy_id == violated else "policy.evaluated"
        writer.append(event_type, payload, span_id=span_id, parent_span_id=parent)


def record_refusal(
    writer: ChainWriter, action_id: str, reason: str, request_id: str | None
) -> None:
    """A call that is none: no such action, or arguments that do not fit."""
    payload = {"action_id": action_id[:256], "reason": reason, "policy_id": None}
    writer.append("action.denied", payload | _stated(request_id))


def record_denial(writer: ChainWriter, call: FrozenCall, decided: Decided) -> None:
    payload: dict[str, Any] = {
        "action_id": call.action.action_id,
        "reason": decided.ruling.reason,
        "policy_id": decided.ruling.policy_id,
        "arguments": call.recorded,
        "resolution_id": decided.resolution_id,
        **_stated(call.request_id),
    }
    if decided.approval_id is not None:
        payload["approval_id"] = decided.approval_id
    if decided.possible_at is not None:
        payload["possible_at"] = decided.possible_at
    if call.is_dry_run:
        payload["simulated"] = True
    _append(writer, "action.denied", payload, call, decided)


def record_question(
    writer: ChainWriter, call: FrozenCall, decided: Decided, payload: Mapping[str, Any]
) -> None:
    """That an approval is needed for exactly this call."""
    said = {**payload, **_stated(call.request_id)}
    if call.is_dry_run:
        said["simulated"] = True
    _append(writer, "approval.requested", said, call, decided)


def record_expiry(writer: ChainWriter, approval_id: str, action_id: str) -> None:
    """That an approval was not decided, or not used, while there was time."""
    writer.append("approval.expired", {"approval_id": approval_id, "action_id": action_id})


def record_consumption(writer: ChainWriter, call: FrozenCall, decided: Decided) -> None:
    """That a call takes one use of the grant that it stands on."""
    payload = {
        "approval_id": decided.approval_id,
        "action_id": call.action.action_id,
        "execution_id": decided.span_id,
    }
    _append(writer, "approval.consumed", payload, call, decided)


def record_intent(writer: ChainWriter, call: FrozenCall, decided: Decided) -> None:
    """What is about to be done, and by which decision."""
    ruling = decided.ruling
    payload: dict[str, Any] = {
        "execution_id": decided.span_id,
        "action_id": call.action.action_id,
        "resolution_id": decided.resolution_id,
        "arguments": call.recorded,
        "arguments_digest": call.digest,
        "decision": {"type": "allow", "reason": ruling.reason, "policy_id": ruling.policy_id},
        **_stated(call.request_id),
    }
    if decided.counted:
        payload["counted"] = {one.key: one.amount for one in decided.counted}
    if call.idempotency_key is not None:
        payload["idempotency_key"] = call.idempotency_key
    if call.is_dry_run:
        payload["simulated"] = True
    _append(writer, "action.approved", payload, call, decided)


def record_outcome(
    writer: ChainWriter, call: FrozenCall, decided: Decided, outcome: Outcome, duration: int
) -> None:
    payload: dict[str, Any] = {
        "execution_id": decided.span_id,
        "action_id": call.action.action_id,
        "duration_us": duration,
    }
    if isinstance(outcome, Done):
        payload["result"] = outcome.result
        if outcome.simulated:
            payload["simulated"] = True
    else:
        payload["error"] = error_of(outcome)
        if outcome.still_running:
            payload["still_running"] = True
    event_type = "action.executed" if isinstance(outcome, Done) else "action.failed"
    _append(writer, event_type, payload, call, decided, actor_id=call.action.action_id)


def _stated(request_id: str | None) -> dict[str, str]:
    return {} if request_id is None else {"request_id": request_id}


def error_of(outcome: Failed) -> ErrorDocument:
    return {"code": outcome.code, "message": outcome.message, "details": dict(outcome.details)}


def _append(  # what all events of a call have
    writer: ChainWriter,
    event_type: str,
    payload: Mapping[str, Any],
    call: FrozenCall,
    decided: Decided,
    *,
    actor_id: str = "cra",
) -> None:
    writer.append(
        event_type,
        payload,
        span_id=decided.span_id,
        parent_span_id=decided.parent,
        actor_id=actor_id,
        atlas=call.named,
        redactor=call.redactor,
    )
