"""A ledger of fixed bytes: the same ids, times and hashes in every run."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from cra import canonical
from cra.ledger.chain import Chain, Draft
from cra.ledger.checkpoint import Checkpoint, seal
from cra.ledger.merkle import Range

DESK = "01900000-0000-7000-8000-000000000001"
OTHER = "01900000-0000-7000-8000-000000000002"
LEDGER = "01900000-0000-7000-8000-0000000000ff"
SESSION_SPAN = 1

Told = tuple[str, str, int, Mapping[str, Any]]

_STARTED = {
    "agent_id": "support",
    "principal": {"type": "user", "id": "kim"},
    "scopes": ["tickets"],
    "ttl_seconds": 3600,
    "expires_at": "2026-11-20T11:00:00.000000Z",
    "parent_session_id": None,
    "ledger_id": LEDGER,
    "signer": "none",
    "boot_id": "00000000-0000-0000-0000-000000000000",
    "cra_version": "0.1.0",
}
_ARGUMENTS = {"ticket": 1042, "amount": 900, "note": "card\u001b[31m declined \u202eevil 表"}

# The type, the severity, the span and the payload of each event.
EVENTS: Sequence[Told] = (
    ("session.started", "info", SESSION_SPAN, _STARTED),
    (
        "carp.request.received",
        "info",
        2,
        {
            "request_id": "r1",
            "operation": "resolve",
            "request": {"task": {"goal": "answer ticket 1042"}},
        },
    ),
    (
        "carp.resolution.completed",
        "info",
        2,
        {
            "request_id": "r1",
            "resolution_id": "s1",
            "decision": {"type": "partial", "reason": "2 allowed, 1 denied"},
            "duration_us": 31_000,
            "allowed": ["ticket.read", "refund.issue"],
        },
    ),
    (
        "action.approved",
        "info",
        3,
        {
            "execution_id": "e1",
            "action_id": "ticket.read",
            "resolution_id": "s1",
            "arguments": {"id": 1042},
            "decision": {"type": "allow", "reason": "a rule allows it", "policy_id": "desk-work"},
        },
    ),
    (
        "action.executed",
        "info",
        3,
        {
            "execution_id": "e1",
            "action_id": "ticket.read",
            "duration_us": 5_200,
            "result": {"customer": "the library", "messages": ["The card was declined"]},
        },
    ),
    (
        "action.denied",
        "warn",
        4,
        {
            "action_id": "refund.issue",
            "arguments": _ARGUMENTS,
            "policy_id": "refund-limit",
            "reason": "refunds over 100 need a person",
            "resolution_id": "s1",
        },
    ),
    (
        "action.approved",
        "info",
        5,
        {
            "execution_id": "e2",
            "action_id": "refund.issue",
            "resolution_id": "s1",
            "arguments": {"ticket": 1042, "amount": 9},
            "decision": {"type": "allow", "reason": "a rule allows it", "policy_id": "desk-work"},
        },
    ),
    (
        "action.failed",
        "error",
        5,
        {
            "execution_id": "e2",
            "action_id": "refund.issue",
            "duration_us": 124_300,
            "error": {"code": "exception", "message": "the bank did not answer"},
        },
    ),
    (
        "session.ended",
        "info",
        SESSION_SPAN,
        {
            "reason": "completed",
            "duration_ms": 9_000,
            "summary": {"events": 9, "resolutions": 1, "actions": 2, "denials": 1},
        },
    ),
)


def _id(kind: int, number: int) -> str:
    return f"01900000-0000-7000-8{kind:03x}-{number:012x}"


def lines_of(session_id: str, told: Sequence[Told] = EVENTS, *, ends: bool = True) -> list[bytes]:
    """The lines of a session with these events, each a second after the one before it."""
    chain = Chain(session_id, trace_id=session_id)
    lines = []
    for number, (event_type, severity, span, payload) in enumerate(told):
        if event_type == "session.ended" and not ends:
            continue
        minutes, seconds = divmod(number, 60)
        hours, minutes = divmod(minutes, 60)
        draft = Draft(
            _id(1, number),
            event_type,
            _id(2, span),
            None if span in (SESSION_SPAN, 2) else _id(2, 2),
            severity,
            f"2026-11-20T{10 + hours:02}:{minutes:02}:{seconds:02}.000000Z",
            '{"id":"cra","type":"runtime"}',
            canonical.encode(payload),
            f"{number:032x}",
        )
        lines.append(chain.seal(draft)[0])
    return lines


def write_session(directory: Path, session_id: str, lines: Sequence[bytes]) -> Path:
    """The file of a session, with a checkpoint that nobody signed over all of it."""
    directory.mkdir(parents=True, exist_ok=True)
    path = directory / f"{session_id}.trace.jsonl"
    path.write_bytes(b"".join(lines))
    chain, tree = Chain(session_id, trace_id=session_id), Range()
    tree.extend([chain.check(line[:-1]) for line in lines])
    head = Checkpoint(f"cra.local/{LEDGER}/{session_id}", tree.end, tree.root())
    (directory / f"{session_id}.checkpoint").write_bytes(seal(head, None))
    return path


def many(count: int) -> list[Told]:
    """A session of so many events, every hundredth of which is a denial."""
    started, denied, done = EVENTS[0], EVENTS[5], EVENTS[4]
    return [started, *(denied if at % 100 == 0 else done for at in range(1, count))]
