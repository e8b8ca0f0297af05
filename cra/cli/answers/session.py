"""What `cra session` prints."""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from typing import Literal

from typing_extensions import TypedDict

from cra.cli.answers.trace import PageFacts
from cra.ledger.facts import IntentFacts, OutlineFacts
from cra.protocol.events import Principal, SessionFinished, SessionStarted
from cra.runtime.standing import SessionAtFacts


class SessionStartAnswer(SessionStarted):
    session_id: str


class SessionEndAnswer(SessionFinished):
    session_id: str


class SessionFacts(OutlineFacts):
    """What is null is not known: the session is empty or damaged."""

    expires_at: str | None
    ttl_seconds: int | None
    principal: Principal | None
    scopes: list[str] | None
    parent_session_id: str | None
    trace_id: str | None
    ledger_id: str | None
    signer: str | None
    cra_version: str | None
    path: str


class SessionListAnswer(PageFacts):
    sessions: list[SessionFacts]


class LimitFacts(TypedDict):
    policy_id: str
    type: Literal["rate_limit", "budget"]
    per: Literal["session", "agent", "project"]
    maximum: int
    window_seconds: int
    used: int
    left: int
    free_at: str | None


class SessionAnswer(SessionFacts):
    """What is null is not known: the session is empty or damaged."""

    # How many events there are of each type.
    totals: dict[str, int]
    open_intents: list[IntentFacts]
    limits: list[LimitFacts]


class SessionAtAnswer(SessionAtFacts):
    """What a session was when one of its events was recorded, by its ledger alone."""
