"""`cra explain --resolution`: what an agent was told that it may know and do, and why."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Final, NamedTuple

import orjson

from cra.cli import output
from cra.cli.governed import open_project
from cra.cli.select import find_session, sessions_of
from cra.errors import NotFound, UsageError
from cra.ledger.blobs import read_member
from cra.ledger.filter import containing
from cra.ledger.index import LedgerFile, session_id_of
from cra.ledger.outline import readable
from cra.ledger.source import Source
from cra.policy.call import Call
from cra.policy.engine import decide
from cra.runtime.places import place_now, places_by_id
from cra.runtime.project import Project
from cra.runtime.state import Held, SessionState, folded

if TYPE_CHECKING:
    from cra.cli.answers.explain import PlacedRule, ResolutionAnswer, ResolvedAction
    from cra.policy.ladder import Outcome
    from cra.protocol.carp import AllowedAction, BlockFacts, ContextBlock, ResolutionDocument
    from cra.protocol.events import Decision

_TYPES: Final = frozenset(["carp.resolution.completed", "carp.resolution.cached"])
_STYLES: Final = {"allow": "good", "requires_approval": "warn", "deny": "bad"}
_MAX_LISTED: Final = 10
_NOT_RECORDED: Final = "not recorded, and the project has changed since"


class FoundResolution(NamedTuple):
    path: Path
    resolution_id: str


def explain_resolution(name: str, project: Path | None, *, as_json: bool) -> None:
    """Print a resolution of any session, as the ledger and the present policy tell it."""
    with open_project(project) as opened:
        facts = _facts(opened, find_resolution(opened.config.trace_directory, name))
    if as_json:
        output.answer_json(facts)
    else:
        _print(facts)


def find_resolution(directory: Path, name: str, session_id: str | None = None) -> FoundResolution:
    """The resolution that an id, the beginning of one or `last` names, in a session or in any.

    Raises NotFound, or UsageError for several.
    """
    fitting: list[tuple[str, FoundResolution]] = []
    within = "the ledger" if session_id is None else f"the session {session_id}"
    one_session = [] if session_id is None else [find_session(directory, session_id)]
    for path in one_session or sessions_of(directory):
        with LedgerFile(path) as session:
            for _, line in session.search(containing(b'"event_type":"carp.resolution.')):
                event = readable(line)
                if event is None or event.event_type not in _TYPES or event.payload is None:
                    continue
                resolution_id = str(event.payload["resolution_id"])
                if name == "last" or (name and resolution_id.startswith(name.lower())):
                    found = FoundResolution(path, resolution_id)
                    fitting.append((event.header["timestamp"], found))
    if not fitting:
        what = "a resolution" if name == "last" else f"the resolution {name!r:.60}"
        raise NotFound(
            f"expected {what} in {within}, found none",
            fix=f"cra explain --session {session_id or 'last'} lists those of a session",
        )
    if name != "last" and len(fitting) > 1:
        listed = [f"  {found.resolution_id}" for _, found in fitting[:_MAX_LISTED]]
        first = f"expected one resolution, found {len(fitting)} whose id begins with {name}:"
        raise UsageError("\n".join([first, *listed]), fix="name one with more of its id")
    return max(fitting)[1]


def _facts(opened: Project, found: FoundResolution) -> ResolutionAnswer:
    with LedgerFile(found.path) as session:
        state = folded(session)
        held = state.resolutions.get(found.resolution_id)
        if held is None:
            raise NotFound(
                f"expected the answer of {found.resolution_id}, found it redacted",
                fix=f"cra trace show {session_id_of(found.path)}",
            )
        (line,) = session.lines(held.rests_on, held.rests_on + 1)
        (own,) = session.lines(held.sequence, held.sequence + 1)
    answer, blobs = orjson.loads(line), opened.config.trace_directory / "blobs"
    payload, salt = answer["payload"], answer["salt"]
    document: ResolutionDocument = read_member(payload["resolution"], salt, blobs)
    decision: Decision = read_member(payload["decision"], salt, blobs)
    places = places_by_id(opened)
    return {
        "resolution_id": held.resolution_id,
        "session_id": session_id_of(found.path),
        "agent_id": state.started.get("agent_id"),
        "principal": state.started.get("principal"),
        "goal": held.goal,
        "risk_tier": held.risk_tier,
        "context": dict(held.context),
        "timestamp": orjson.loads(own)["timestamp"],
        "expires_at": held.expires_at,
        "is_expired": held.expires_at <= Source().now(),
        "snapshot": held.snapshot,
        "is_current_snapshot": held.snapshot == opened.snapshot.digest,
        "decision": decision,
        "confidence": document["confidence"],
        "actions": [
            *(
                _allowed(opened, state, held, action, places)
                for action in document["allowed_actions"]
            ),
            *(
                _action(action["action_id"], "deny", action["policy_id"], action["reason"], places)
                for action in document["denied_actions"]
            ),
        ],
        "omitted": document["omitted"],
        "constraints": [
            {**one, "where": place_now(places, one["policy_id"])} for one in document["constraints"]
        ],
        "context_blocks": [_without_content(block) for block in document["context_blocks"]],
    }


def _allowed(
    opened: Project, state: SessionState, held: Held, shown: AllowedAction, places: dict[str, str]
) -> ResolvedAction:
    """An allowed action. Which rule allowed it is not recorded: the same rules say it again."""
    outcome: Outcome = "requires_approval" if shown["requires_approval"] else "allow"
    policy_id, reason = None, _NOT_RECORDED
    if held.snapshot == opened.snapshot.digest:
        caller = opened.caller_of(state.started)
        call = Call(
            shown["action_id"],
            caller.agent,
            caller.roles,
            caller.scopes,
            held.risk_tier,
            caller.context,
            held.context,
        )
        ruling = decide(opened.policy, call)
        # The configuration, which is no part of the snapshot, may say otherwise by now.
        if ruling.outcome == outcome:
            policy_id, reason = ruling.policy_id, ruling.reason
    facts = _action(shown["action_id"], outcome, policy_id, reason, places)
    return {**facts, "risk_tier": shown["risk_tier"], "relevance": shown["relevance"]}


def _action(
    action_id: str, outcome: Outcome, policy_id: str | None, reason: str, places: dict[str, str]
) -> ResolvedAction:
    return {
        "action_id": action_id,
        "outcome": outcome,
        "policy_id": policy_id,
        "where": place_now(places, policy_id),
        "reason": reason,
        "risk_tier": None,
        "relevance": None,
    }


def _without_content(block: ContextBlock) -> BlockFacts:
    return {
        "block_id": block["block_id"],
        "content_type": block["content_type"],
        "is_whole": block["is_whole"],
        "priority": block["priority"],
        "purpose": block["purpose"],
        "source": block["source"],
        "token_estimate": block["token_estimate"],
        "ttl_seconds": block["ttl_seconds"],
    }


def _print(facts: ResolutionAnswer) -> None:
    decision = facts["decision"]
    output.answer(f"{output.style('resolution', 'accent')}  {facts['resolution_id']}")
    expired = ", which has passed" if facts["is_expired"] else ""
    same = "the project's" if facts["is_current_snapshot"] else "not the project's any more"
    rows = {
        "agent": facts["agent_id"],
        "session": facts["session_id"],
        "goal": facts["goal"],
        "risk tier": facts["risk_tier"],
        "given at": facts["timestamp"],
        "valid until": f"{facts['expires_at']}{expired}",
        "snapshot": f"{facts['snapshot'][:16]}…, {same}",
        "decision": f"{decision['type']}: {decision['reason']}",
        "confidence": f"{round(facts['confidence'] * 100)} %",
    }
    for name, value in rows.items():
        if value:
            text = f"{name + ':':<13}{value}"
            output.answer(output.wrapped(text, indent="  ", hang=" " * 13))
    output.answer("\nactions, the most relevant first:")
    for action in facts["actions"]:
        _print_action(action)
    left_out = facts["omitted"]["allowed"] + facts["omitted"]["denied"]
    if left_out:
        output.answer(f"  and {left_out} more that are less relevant")
    _print_constraints(facts["constraints"])
    _print_context(facts["context_blocks"])


def _print_action(action: ResolvedAction) -> None:
    outcome = output.style(action["outcome"].replace("_", " "), _STYLES[action["outcome"]])
    said = [f"risk {action['risk_tier']}"] if action["risk_tier"] else []
    said += [f"relevance {action['relevance']:.2f}"] if action["relevance"] is not None else []
    told = f" ({', '.join(said)})" if said else ""
    output.answer(f"  {output.safe(action['action_id'])}: {outcome}{told}")
    where = f" ({action['where']})" if action["where"] else ""
    rule = action["policy_id"] or "by a rule that is"
    separator = ": " if action["policy_id"] else " "
    text = f"{rule}{where}{separator}{action['reason']}"
    output.answer(output.wrapped(text, indent="    ", hang="  "))


def _print_constraints(constraints: list[PlacedRule]) -> None:
    if not constraints:
        return
    output.answer("\ndecided at execute:")
    for one in constraints:
        when = ", ".join(one["undecided"]) or "what is used"
        limit = one.get("limit")
        much = (
            f": {limit['maximum']} in {limit['window_seconds']} s per {limit['per']}"
            if limit
            else ""
        )
        text = (
            f"{one['policy_id']} ({one['where']}), {one['type']}, by {when}{much}; "
            f"about {', '.join(one['actions'])}"
        )
        output.answer(output.wrapped(text, indent="  ", hang="  "))


def _print_context(blocks: list[BlockFacts]) -> None:
    if not blocks:
        return
    output.answer("\ncontext, by priority and among equals by relevance:")
    for block in blocks:
        part = "whole" if block["is_whole"] else "in part, as far as it had room"
        text = (
            f"{block['block_id']}: priority {block['priority']}, "
            f"about {block['token_estimate']} tokens, {part}; from {block['source']}"
        )
        output.answer(output.wrapped(text, indent="  ", hang="  "))
        if block["purpose"]:
            output.answer(output.wrapped(f"for: {block['purpose']}", indent="    ", hang="  "))
