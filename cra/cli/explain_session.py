"""`cra explain --session`: each call of a session, what decided it, and what came of it."""

from __future__ import annotations

import shlex
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cra.cli import output
from cra.cli.approvals import words_of_approver
from cra.cli.governed import open_project
from cra.cli.select import find_session
from cra.errors import ValueRefused
from cra.ledger.blobs import read_member
from cra.ledger.index import LedgerFile, session_id_of
from cra.ledger.outline import coverage, outline
from cra.ledger.source import Source
from cra.policy.rule import Rule
from cra.runtime.decision import BESIDE_POLICY, NO_RESOLUTION
from cra.runtime.history import OUTCOMES, call_of, events_of
from cra.runtime.places import place_now, places_by_id
from cra.runtime.project import Project
from cra.runtime.remedy import CALL_AGAIN, explaining, refused_by, resolving
from cra.runtime.state import SessionState

if TYPE_CHECKING:
    from cra.cli.answers.explain import AskedFacts, CallFacts, SessionCallsAnswer

_VERDICTS: Final = {
    "allow": ("ALLOWED", "good"),
    "deny": ("DENIED", "bad"),
    "requires_approval": ("WAITS", "warn"),
}
_LIST: Final = (
    "cra atlas actions lists those of atlases; a function that a program governs is known to it "
    "alone"
)


def explain_session(name: str, project: Path | None, *, as_json: bool) -> None:
    """Print the calls of a session, as the ledger and the present policy tell them."""
    with open_project(project) as opened:
        explain_calls(opened, find_session(opened.config.trace_directory, name), as_json=as_json)


def explain_calls(
    opened: Project, path: Path, execution_id: str | None = None, *, as_json: bool
) -> None:
    """Print the calls of a session, or the one that an execution was."""
    facts = _facts(opened, path, execution_id)
    if as_json:
        output.answer_json(facts)
    else:
        _print(facts)


def _facts(opened: Project, path: Path, execution_id: str | None) -> SessionCallsAnswer:
    now, known = Source().now(), outline(path)
    places = places_by_id(opened)
    calls: list[CallFacts] = []
    by_span: dict[str, CallFacts] = {}
    state = SessionState()
    for event, state in events_of(path):
        if execution_id not in (None, event["span_id"]):
            continue
        if event["event_type"] in OUTCOMES:
            call = _decided(opened, path, event, state, places)
            calls.append(call)
            by_span[event["span_id"]] = call
        elif event["event_type"] in ("action.executed", "action.failed"):
            begun = by_span.get(event["span_id"])
            if begun is not None:
                _conclude(begun, path, event)
    is_open = known.state(now) == "open"
    approvals = _approvals(path, state, now, opened.read_digest)
    for call in calls:
        call["approval"] = approvals.get(call["approval_id"])
        if call["outcome"] == "requires_approval":
            call["next"] = _after_question(call, is_open=is_open)
    return {
        "session_id": session_id_of(path),
        "agent_id": known.agent,
        "principal": known.opening.get("principal"),
        "state": known.state(now),
        "started": known.started,
        "expires_at": known.opening.get("expires_at"),
        "resolutions": [
            {
                "sequence": held.sequence,
                "resolution_id": held.resolution_id,
                "goal": held.goal,
                "expires_at": held.expires_at,
            }
            for held in state.resolutions.values()
        ],
        "calls": calls,
    }


def _decided(
    opened: Project,
    path: Path,
    event: Mapping[str, Any],
    state: SessionState,
    places: Mapping[str, str],
) -> CallFacts:
    """A call by the event that tells what was decided of it."""
    payload = event.get("payload") or {}
    decision = payload.get("decision", payload)
    policy_id = decision.get("policy_id")
    approval_id = payload.get("approval_id") or state.consumed.get(event["span_id"])
    outcome = OUTCOMES[event["event_type"]]
    return {
        "sequence": event["sequence"],
        "timestamp": event["timestamp"],
        "action_id": payload.get("action_id"),
        "outcome": outcome,
        "policy_id": policy_id,
        "where": place_now(places, policy_id),
        "reason": decision.get("reason", "") if payload else "the payload was redacted",
        "resolution_id": payload.get("resolution_id"),
        "simulated": bool(payload.get("simulated")),
        "approval_id": approval_id,
        "possible_at": payload.get("possible_at"),
        "status": "open" if outcome == "allow" and not payload.get("simulated") else None,
        "error": None,
        "approval": None,
        "next": _after_denial(opened, path, event, state)
        if outcome == "deny" and payload
        else None,
    }


def _conclude(call: CallFacts, path: Path, event: Mapping[str, Any]) -> None:
    call["status"] = "success" if event["event_type"] == "action.executed" else "error"
    error = (event.get("payload") or {}).get("error")
    if error is not None:
        told = read_member(error, event["salt"], path.parent / "blobs")
        call["error"] = {"code": told.get("code"), "message": told.get("message")}


def _after_denial(
    opened: Project, path: Path, event: Mapping[str, Any], state: SessionState
) -> str | None:
    """What can be done about a denial: a command, or when to try again."""
    payload = event["payload"]
    policy_id, action_id = payload["policy_id"], payload["action_id"]
    agent = str(state.started.get("agent_id"))
    words = [] if agent == "cli" else ["--agent", shlex.quote(agent)]
    if policy_id is None:
        return f"cra explain {action_id}" if action_id in opened.snapshot.actions else _LIST
    if policy_id in BESIDE_POLICY:
        return _beside_policy(opened, policy_id, action_id, agent)
    if "approval_id" in payload:
        return refused_by(str(payload["approval_id"]))
    rules = (one.rule for one in opened.policy.rules if one.rule.policy_id == policy_id)
    rule = next(rules, None)
    if "possible_at" in payload or (rule and rule.limit):
        until = f" until {payload['possible_at']}" if "possible_at" in payload else ""
        return f"wait{until}, or raise the maximum of {policy_id}"
    if action_id not in opened.snapshot.actions:
        return None  # a function of a program, or of an atlas that is gone: no command knows it
    command = _explaining(opened, path, event, state, rule)
    return command or " ".join(["cra explain", action_id, *words])


def _beside_policy(opened: Project, policy_id: str, action_id: str, agent: str) -> str:
    """What to do where policy would have let a call through."""
    known = opened.snapshot.actions.get(action_id)
    if policy_id == NO_RESOLUTION:
        return resolving(agent, known[0].atlas_id if known else "", opened.snapshot.on_request)
    lack = known and opened.lack_of(known[1])
    return (lack and lack.fix) or CALL_AGAIN


def _explaining(
    opened: Project, path: Path, event: Mapping[str, Any], state: SessionState, rule: Rule | None
) -> str | None:
    """The command that decides the same call again, by the rules as they are now."""
    try:
        asked = call_of(opened, path, dict(event), state)
    except ValueRefused:
        return None  # with a secret in the arguments, which is not recorded
    known = opened.config.agents.get(asked.agent)
    _, action = opened.snapshot.actions[asked.action_id]
    return explaining(rule, action, asked, known.scopes if known else ())


def _approvals(
    path: Path, state: SessionState, now: str, snapshot: str
) -> dict[str | None, AskedFacts]:
    """Each approval that was asked for: how it stands, and who decided on it."""
    with LedgerFile(path) as session:
        attests = coverage(session).covers
    return {
        approval.approval_id: {
            "standing": approval.standing(now, attests, snapshot),
            "expires_at": approval.asked["expires_at"],
            "uses": approval.uses,
            "decisions": [
                {
                    "sequence": given.sequence,
                    "decision": "granted" if given.is_grant else "denied",
                    "approver": given.payload["approver"],
                    "reason": given.payload["reason"],
                }
                for given in approval.decisions
            ],
        }
        for approval in state.approvals.values()
    }


def _after_question(call: CallFacts, *, is_open: bool) -> str | None:
    """What can be done about a call that waited."""
    if call["approval"] is None:
        return None  # a dry run asks nobody
    if is_open and call["approval"]["standing"] == "pending":
        return f"cra approvals grant {call['approval_id']}"
    if is_open and call["approval"]["standing"] == "stale":
        return CALL_AGAIN
    if is_open and call["approval"]["standing"] == "granted":
        return f"cra execute {call['action_id']} --approval {call['approval_id']}"
    return None


def _print(facts: SessionCallsAnswer) -> None:
    output.answer(f"{output.style('session', 'accent')}  {facts['session_id']}")
    rows = {
        "agent": facts["agent_id"],
        "state": facts["state"],
        "started": facts["started"],
        "valid until": facts["expires_at"],
        "calls": _counted(facts["calls"]),
    }
    for name, value in rows.items():
        if value:
            output.answer(f"  {name + ':':<13}{output.safe(str(value))}")
    for held in facts["resolutions"]:
        text = f"event {held['sequence']}, resolution {held['resolution_id']}: {held['goal']}"
        output.answer(output.wrapped(text, indent="  ", hang="  "))
    for call in facts["calls"]:
        _print_call(call)


def _counted(calls: list[CallFacts]) -> str:
    counts = Counter(_VERDICTS[call["outcome"]][0].lower() for call in calls)
    counts.update("failed" for call in calls if call["status"] == "error")
    told = ", ".join(f"{count} {what}" for what, count in counts.items())
    return f"{len(calls)}: {told}" if calls else "none"


def _print_call(call: CallFacts) -> None:
    verdict, style = _VERDICTS[call["outcome"]]
    dry = ", as a dry run" if call["simulated"] else ""
    name = output.safe(str(call["action_id"] or "?"))
    output.answer(f"\n{call['sequence']:>4}  {output.style(verdict, style)}  {name}{dry}")
    where = f" ({call['where']})" if call["where"] else ""
    rows = [
        ("rule", f"{call['policy_id']}{where}" if call["policy_id"] else ""),
        ("reason", call["reason"]),
        *_approval_rows(call),
        ("came of it", _outcome(call)),
    ]
    for what, text in rows:
        if text:
            output.answer(output.wrapped(f"{what + ':':<12}{text}", indent="      ", hang=" " * 12))
    if call["next"]:
        # In one line, to be copied.
        output.answer(f"      next:       {output.safe(call['next'])}")


def _approval_rows(call: CallFacts) -> list[tuple[str, str]]:
    approval = call["approval"]
    if approval is None:
        return []
    rows = [("approval", f"{call['approval_id']}, {approval['standing']}")]
    for given in approval["decisions"]:
        why = f": {given['reason']}" if given["reason"] else ""
        rows.append((given["decision"], f"{words_of_approver(given['approver'])}{why}"))
    return rows


def _outcome(call: CallFacts) -> str:
    if call["error"] is not None:
        return f"failed, {call['error']['code']}: {call['error']['message']}"
    told = {"success": "success", "error": "failed", "open": "nothing that was recorded"}
    return told.get(call["status"] or "", "")
