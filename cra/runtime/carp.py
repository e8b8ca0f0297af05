"""CARP/1.0 as documents: a request in JSON, and the answer to it (specs/PROTOCOL.md section 13)."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from cra.errors import ArgumentsRefused, RequestRefused, UnknownAction
from cra.protocol.carp import ResultDocument
from cra.resolver.request import Request, read_request
from cra.runtime.session import GovernedSession


def answer(session: GovernedSession, text: str) -> Mapping[str, Any]:
    """The resolution or the execution result that a request is answered with, and recorded.

    Raises RequestRefused for a text that is no request to this session, and what `resolve` and
    `execute` raise; but an unknown action and arguments that do not fit are answers.
    """
    project = session.project
    request = read_request(
        text,
        now=project.ledger.source.now(),
        tolerance_seconds=project.config.policies.request_tolerance_seconds,
    )
    _check_requester(session, request)
    if request.operation == "resolve":
        return session.resolve_task(request.stated_task(), request.request_id).document
    call = request.execution
    assert call is not None  # read_request refuses a request to execute nothing
    arguments, resolution_id, request_id = call.parameters, call.resolution_id, request.request_id
    try:
        if request.operation == "validate":
            done = session.simulate(
                call.action_id, arguments, resolution_id=resolution_id, request_id=request_id
            )
        else:
            done = session.execute(
                call.action_id,
                arguments,
                resolution_id=resolution_id,
                idempotency_key=call.idempotency_key,
                request_id=request_id,
            )
    except (UnknownAction, ArgumentsRefused) as refused:
        return _refusal(session, request, call.action_id, refused)
    return done.document()


def _check_requester(session: GovernedSession, request: Request) -> None:
    stated = request.requester
    known = {
        "agent_id": (stated.agent_id, session.caller.agent),
        "session_id": (stated.session_id, session.id),
        "parent_session_id": (stated.parent_session_id, session.parent_id),
    }
    for name, (found, expected) in known.items():
        if found not in (None, expected):
            raise RequestRefused(
                f"requester.{name}: expected {expected or 'none'}, as in the session, found {found}"
            )


def _refusal(
    session: GovernedSession,
    request: Request,
    action_id: str,
    refused: UnknownAction | ArgumentsRefused,
) -> ResultDocument:
    return {
        "execution_id": None,
        "request_id": request.request_id,
        "action_id": action_id,
        "resolution_id": None,
        "status": "denied",
        "result": None,
        "reason": refused.message,
        "policy_id": None,
        "approval_id": None,
        "possible_at": None,
        "error": {"code": refused.code, "message": refused.message},
        "simulated": request.operation == "validate",
        "repeated": False,
        "trace_id": session.trace_id,
    }
