"""What a session comes to: its outline, what its checkpoint covers, and totals over all events."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cra.ledger import fold
from cra.ledger.chain import decode, redact
from cra.ledger.fold import Durations, Incident, Intent, Totals
from cra.ledger.index import LedgerFile
from cra.ledger.outline import coverage, outline
from cra.ledger.store import Ledger, Session
from cra.ledger.summary import summarize

EARLY, LATE = "2000-01-01T00:00:00.000000Z", "2999-01-01T00:00:00.000000Z"
DECISION = {"type": "allow", "reason": "tickets", "policy_id": "p"}

LATER = "2100-01-01T00:00:00.000000Z"


@pytest.fixture
def ledger(tmp_path: Path) -> Ledger:
    return Ledger(tmp_path / "trace")


@pytest.fixture
def session(ledger: Ledger) -> Session:
    return ledger.start_session("demo")


def approve(session: Session, execution: str, span: str | None = None, **more: Any) -> None:
    payload = {
        "execution_id": execution,
        "action_id": "ticket.close",
        "resolution_id": None,
        "arguments": {"execution_id": "another", "text": "} {"},
        "arguments_digest": "0" * 64,
        "decision": DECISION,
    }
    session.append("action.approved", payload | more, span_id=span)


def finish(session: Session, execution: str, span: str | None = None, **more: Any) -> None:
    payload = {
        "execution_id": execution,
        "action_id": "ticket.close",
        "duration_us": 12,
        "result": {"execution_id": "another"},
    }
    session.append("action.executed", payload | more, span_id=span)


def fail(session: Session, execution: str, error: object = None) -> None:
    session.append(
        "action.failed",
        {
            "execution_id": execution,
            "action_id": "ticket.close",
            "duration_us": 12,
            "error": error or {"code": "CRA-5001", "message": "timeout"},
        },
    )


def deny(session: Session, reason: str = "no rule allows it") -> None:
    payload = {"action_id": "ticket.delete", "reason": reason, "policy_id": None}
    session.append("action.denied", payload)


def resolve(session: Session, kind: str = "allow", microseconds: Any = 100) -> str:
    return session.append(
        "carp.resolution.completed",
        {
            "request_id": "r",
            "resolution_id": "r",
            "decision": DECISION | {"type": kind},
            "snapshot": "0" * 64,
            "allowed": [],
            "expires_at": LATER,
            "duration_us": microseconds,
            "resolution": {},
        },
    ).event_id


def resolve_again(session: Session, event_id: str, microseconds: int = 10) -> None:
    payload = {"request_id": "r", "resolution_id": "r", "completed_event_id": event_id}
    payload |= {"snapshot": "0" * 64, "expires_at": LATER}
    session.append("carp.resolution.cached", payload | {"duration_us": microseconds})


def totals_of(session: Session) -> Totals:
    totals = Totals()
    totals.read(session.paths.data)
    return totals


def rewrite(session: Session, change: Callable[[bytes], bytes]) -> None:
    """Each line as another one, whether that is valid or not."""
    lines = session.paths.data.read_bytes().split(b"\n")[:-1]
    session.paths.data.write_bytes(b"".join(change(line) + b"\n" for line in lines))


def at_second(of: Callable[[int], int]) -> Callable[[bytes], bytes]:
    """Each event at a second that follows from its sequence."""

    def change(line: bytes) -> bytes:
        event = json.loads(line)
        moment = f"2026-11-20T10:00:{of(event['sequence']):02}.000000Z"
        return line.replace(event["timestamp"].encode(), moment.encode(), 1)

    return change


def redacted(*types: str) -> Callable[[bytes], bytes]:
    def change(line: bytes) -> bytes:
        event = decode(line)
        return redact(event) if event.event_type in types else line

    return change


# The outline.


def test_an_open_session_is_outlined_by_its_ends(session):
    deny(session)
    found = outline(session.paths.data)

    assert (found.id, found.agent, found.events) == (session.id, "demo", 2)
    assert found.started is not None
    assert found.last_activity is not None
    assert found.started < found.last_activity
    assert (found.state(EARLY), found.state(LATE)) == ("open", "expired")


def test_an_ended_session_is_ended_also_after_a_recovery(session):
    session.end()
    assert outline(session.paths.data).state(EARLY) == "ended"

    session.append("ledger.recovered", {"reason": "completed", "boot_id": ""})
    found = outline(session.paths.data)

    assert found.state(LATE) == "ended"
    assert found.events == 3


def test_a_session_that_goes_on_after_a_recovery_is_open(session):
    session.append("ledger.recovered", {"reason": "completed", "boot_id": ""})

    assert outline(session.paths.data).state(EARLY) == "open"


def test_a_session_of_recoveries_alone_is_damaged_and_never_a_fault(session):
    session.append("ledger.recovered", {"reason": "completed", "boot_id": ""})
    lines = session.paths.data.read_bytes().split(b"\n")
    session.paths.data.write_bytes(lines[1] + b"\n")

    assert outline(session.paths.data).state(EARLY) == "damaged"


def test_a_file_without_a_line_is_an_empty_session(tmp_path):
    path = tmp_path / "a.trace.jsonl"
    path.write_bytes(b"half")
    found = outline(path)

    assert found.state(LATE) == "empty"
    assert (found.agent, found.started, found.last_activity) == (None, None, None)


@pytest.mark.parametrize("damaged", [0, -1])
def test_an_end_that_cannot_be_read_makes_a_session_damaged(session, damaged):
    deny(session)
    lines = session.paths.data.read_bytes().split(b"\n")[:-1]
    lines[damaged] = lines[damaged].replace(b'"', b"'", 1)
    session.paths.data.write_bytes(b"\n".join(lines) + b"\n")

    assert outline(session.paths.data).state(EARLY) == "damaged"


def test_a_session_whose_first_payload_is_redacted_keeps_its_times(session):
    session.end()
    rewrite(session, redacted("session.started"))
    found = outline(session.paths.data)

    assert (found.agent, found.state(LATE)) == (None, "ended")
    assert found.started is not None


# What is attested.


def test_a_checkpoint_covers_the_events_below_its_size(session):
    deny(session)
    session.barrier()
    deny(session)
    with LedgerFile(session.paths.data) as opened:
        covered = coverage(opened)

    assert [covered.covers(number) for number in range(3)] == [True, True, False]


def test_events_that_a_recovery_names_are_not_attested_by_a_later_checkpoint(session):
    deny(session)
    session.append(
        "ledger.recovered", {"reason": "unattested", "boot_id": "", "unattested": [1, 1]}
    )
    session.append("ledger.recovered", {"reason": "completed", "boot_id": ""})
    session.barrier()
    with LedgerFile(session.paths.data) as opened:
        covered = coverage(opened)

    assert [covered.covers(number) for number in range(4)] == [True, False, True, True]


def test_without_a_checkpoint_nothing_is_attested(session):
    session.paths.checkpoint.unlink()
    with LedgerFile(session.paths.data) as opened:
        assert not coverage(opened).covers(0)


# Totals.


def test_an_intent_is_open_until_its_outcome(session):
    approve(session, "e1")
    approve(session, "e2")
    approve(session, "e3")
    finish(session, "e1")
    fail(session, "e3")
    totals = totals_of(session)

    assert totals.open_intents == [Intent(session.id, 2, "ticket.close")]
    assert totals.open_count == 1
    assert totals.actions == {("ticket.close", "success"): 1, ("ticket.close", "error"): 1}
    assert totals.failures == [Incident(session.id, 5, "ticket.close", "CRA-5001 timeout")]


@pytest.mark.parametrize(
    "more", [{"idempotency_key": "a}b"}, {"idempotency_key": "k"}, {"action_id": 'odd"id'}]
)
def test_an_intent_of_an_unusual_shape_is_read_all_the_same(session, more):
    approve(session, "e1", **more)
    approve(session, "e2", **more)
    finish(session, "e1", action_id=more.get("action_id", "ticket.close"))

    (intent,) = totals_of(session).open_intents

    assert (intent.sequence, intent.action_id) == (2, more.get("action_id", "ticket.close"))


def test_what_is_simulated_leaves_no_intent_open(session):
    approve(session, "e1", simulated=True)
    approve(session, "e2", simulated=True)
    finish(session, "e2", simulated=True)

    assert totals_of(session).open_count == 0


@pytest.mark.parametrize(
    "types", [["action.approved"], ["action.executed"], ["action.approved", "action.executed"]]
)
def test_a_redacted_intent_and_its_outcome_meet_in_their_span(ledger, session, types):
    spans = [ledger.source.new_id() for _ in range(3)]
    for number, span in enumerate(spans):
        approve(session, f"e{number}", span)
    finish(session, "e1", spans[1])
    session.end(force=True)
    rewrite(session, redacted(*types))
    totals = totals_of(session)

    assert [intent.sequence for intent in totals.open_intents] == [1, 3]
    assert totals.types["action.executed"] == 1
    name = "(redacted)" if "action.executed" in types else "ticket.close"
    assert totals.actions == {(name, "success"): 1}


def test_an_outcome_without_an_intent_opens_and_closes_nothing(session):
    approve(session, "e1")
    finish(session, "elsewhere")

    assert totals_of(session).open_count == 1


def test_open_intents_beyond_a_bound_are_counted(session, monkeypatch):
    monkeypatch.setattr(fold, "_MAX_INTENTS", 2)
    for number in range(5):
        approve(session, f"e{number}")
    finish(session, "e0")
    finish(session, "e4")
    totals = totals_of(session)

    assert totals.open_count == 3
    assert len(totals.open_intents) == 1


def test_resolutions_count_by_decision_and_cached_ones_with_the_event_they_name(session):
    allowed, denied = resolve(session), resolve(session, "deny")
    for event_id in (allowed, allowed, denied, "unknown"):
        resolve_again(session, event_id)
    totals = totals_of(session)

    assert totals.resolutions == {"allow": 3, "deny": 2, "(unknown)": 1}
    assert totals.cache_hit_ratio == pytest.approx(4 / 6)
    assert (totals.durations.count, totals.durations.total) == (6, 240)


def test_a_redacted_resolution_counts_under_a_name_of_its_own(session):
    resolve_again(session, resolve(session))
    session.end()
    rewrite(session, redacted("carp.resolution.completed", "carp.resolution.cached"))
    totals = totals_of(session)

    assert totals.resolutions == {"(redacted)": 2}
    assert totals.durations.quantile(0.5) is None


def test_the_decisions_that_are_remembered_have_a_bound(session, monkeypatch):
    monkeypatch.setattr(fold, "_MAX_RESOLUTIONS", 1)
    first, second = resolve(session), resolve(session)
    resolve_again(session, first)
    resolve_again(session, second)

    assert totals_of(session).resolutions == {"allow": 3, "(unknown)": 1}


def test_labels_beyond_a_bound_are_counted_together(session, monkeypatch):
    monkeypatch.setattr(fold, "_MAX_LABELS", 3)
    for number in range(6):
        payload = {"action_id": f"made.up{number}", "reason": "no", "policy_id": None}
        session.append("action.denied", payload)

    assert totals_of(session).actions == {
        ("made.up0", "denied"): 1,
        ("made.up1", "denied"): 1,
        ("made.up2", "denied"): 1,
        ("(other)", "denied"): 3,
    }


def test_all_denials_are_counted_and_the_first_are_kept(session):
    for number in range(fold.MAX_EXAMPLES + 5):
        deny(session, f"reason {number}")
    totals = totals_of(session)

    assert totals.denied == totals.actions["ticket.delete", "denied"] == fold.MAX_EXAMPLES + 5
    assert [denial.reason for denial in totals.denials][:2] == ["reason 0", "reason 1"]
    assert len(totals.denials) == fold.MAX_EXAMPLES


def test_anomalies_name_what_is_unusual_and_nothing_else(session):
    approve(session, "e1")
    finish(session, "e1")
    assert totals_of(session).anomalies() == {}

    approve(session, "e2")
    deny(session)
    session.append("error.occurred", {"code": "CRA-1000", "message": "a bug"})
    fail(session, "other", ["no object"])
    found = totals_of(session).anomalies()

    assert {kind: facts["count"] for kind, facts in found.items()} == {
        "open": 1,
        "failed": 2,
        "denied": 1,
    }
    assert [item["reason"] for item in found["failed"]["first"]] == ["CRA-1000 a bug", ""]


@pytest.mark.parametrize(
    ("text", "instead"),
    [
        (b'{"actor"', b'["actor"'),
        (b'"sequence":', b'"sequence":"one","was":'),
        (b'"payload":', b'"payload":[],"was":'),
        (b'"span_id":', b'"span_id":null,"was":'),
    ],
)
@pytest.mark.parametrize(
    "record",
    [
        lambda session: approve(session, "e1", idempotency_key="k"),
        lambda session: finish(session, "e1"),
        lambda session: fail(session, "e1"),
        deny,
        resolve,
        lambda session: resolve_again(session, "e"),
        lambda session: session.append("error.occurred", {"code": "c", "message": "m"}),
    ],
)
def test_lines_that_are_no_events_are_counted_as_such(session, record, text, instead):
    record(session)
    rewrite(session, lambda line: line.replace(text, instead, 1))
    totals = totals_of(session)

    # Event 0 holds nothing that is counted, so nobody looks into it.
    usual = b"payload" not in text and totals.cached
    assert totals.unreadable == (0 if usual else 1)
    assert totals.anomalies().get("unreadable") == (None if usual else {"count": 1})
    assert totals.events == 2


@pytest.mark.parametrize("line", [b"", b"no event", b'{"event_type":"' + b"x" * 99 + b'"}'])
def test_a_line_without_a_type_is_no_event(session, line):
    rewrite(session, lambda _: line)

    assert totals_of(session).unreadable == 1


def test_a_list_of_events_is_no_event(session):
    deny(session)
    rewrite(session, lambda line: b"[" + line + b"]")

    assert totals_of(session).unreadable == 1


def test_an_intent_whose_header_cannot_be_read_is_counted_and_not_listed(session):
    approve(session, "e1")
    rewrite(session, lambda line: line.replace(b'{"actor"', b'["actor"', 1))
    totals = totals_of(session)

    assert (totals.open_count, totals.open_intents) == (1, [])


def test_payloads_of_odd_types_are_counted_without_a_fault(session):
    session.append(
        "carp.resolution.completed",
        {
            "request_id": 1,
            "resolution_id": [],
            "decision": "allow",
            "snapshot": None,
            "allowed": None,
            "expires_at": None,
            "duration_us": "long",
            "resolution": {},
        },
    )
    session.append("action.denied", {"action_id": 7, "reason": None, "policy_id": None})
    totals = totals_of(session)

    assert totals.resolutions == {"(unknown)": 1}
    assert totals.actions == {("(unknown)", "denied"): 1}
    assert totals.durations.count == 0


def test_several_sessions_add_up(ledger, session):
    deny(session)
    other = ledger.start_session("other")
    deny(other)
    totals = Totals()
    told: list[int] = []
    for one in (other, session):
        totals.read(one.paths.data, advance=told.append)

    assert (totals.sessions, totals.events, totals.denied) == (2, 4, 2)
    assert totals.first == outline(session.paths.data).started
    assert totals.last == outline(other.paths.data).last_activity
    assert sum(told) == sum(os.path.getsize(one.paths.data) for one in (other, session))


def test_metrics_are_named_as_monitoring_knows_them(session):
    resolve_again(session, resolve(session, microseconds=2_000_000))
    for execution, microseconds in (("e1", 1485), ("e2", 4000), ("e3", 9000)):
        approve(session, execution)
        finish(session, execution, duration_us=microseconds)
    deny(session)
    rewrite(session, at_second(lambda sequence: 4 * sequence // 9))

    assert totals_of(session).metrics() == {
        "cra_resolutions_total": {"allow": 2},
        "cra_resolution_duration_seconds": {
            "count": 2,
            "sum": 2.00001,
            "p50": 0.00001,
            "p90": 2.0,
            "p99": 2.0,
            "max": 2.0,
        },
        "cra_cache_hit_ratio": 0.5,
        "cra_actions_total": [
            {"action_id": "ticket.close", "status": "success", "value": 3},
            {"action_id": "ticket.delete", "status": "denied", "value": 1},
        ],
        "cra_action_duration_seconds": {
            "count": 3,
            "sum": 0.014485,
            "p50": 0.004,
            "p90": 0.009,
            "p99": 0.009,
            "max": 0.009,
        },
        "cra_denial_ratio": 0.25,
        "cra_trace_events_per_second": 2.5,
        "cra_trace_events_total": {
            "action.approved": 3,
            "action.denied": 1,
            "action.executed": 3,
            "carp.resolution.cached": 1,
            "carp.resolution.completed": 1,
            "session.started": 1,
        },
    }


def test_no_events_have_no_ratio_no_rate_and_no_quantiles():
    metrics = Totals().metrics()

    for name in ("cra_cache_hit_ratio", "cra_denial_ratio", "cra_trace_events_per_second"):
        assert metrics[name] is None
    for name in ("cra_resolution_duration_seconds", "cra_action_duration_seconds"):
        assert (metrics[name]["count"], metrics[name]["p99"], metrics[name]["max"]) == (
            0,
            None,
            None,
        )


def test_a_rate_is_over_the_time_of_the_sessions_and_not_over_that_between_them(ledger, session):
    deny(session)
    other = ledger.start_session("other")
    deny(other)

    rewrite(session, at_second(lambda sequence: 2 * sequence))
    rewrite(other, at_second(lambda sequence: 30 + 2 * sequence))
    totals = Totals()
    for one in (session, other):
        totals.read(one.paths.data)

    assert totals.metrics()["cra_trace_events_per_second"] == 1.0


@pytest.mark.parametrize("moment", ["", "soon", "2026-13-01T00:00:00Z", "2026-11-20"])
def test_what_is_no_time_makes_no_rate(session, moment):
    stored = decode(session.paths.data.read_bytes().splitlines()[0]).header["timestamp"]
    deny(session)
    rewrite(
        session,
        lambda line: line.replace(
            f'"timestamp":"{stored}"'.encode(), f'"timestamp":"{moment}"'.encode()
        ),
    )

    assert totals_of(session).metrics()["cra_trace_events_per_second"] is None


def test_the_duration_of_one_action_is_told_exactly_and_that_of_a_simulated_one_is_none(session):
    approve(session, "e1")
    finish(session, "e1", duration_us=14_856)
    approve(session, "e2", simulated=True)
    finish(session, "e2", duration_us=3, simulated=True)

    found = totals_of(session).metrics()["cra_action_duration_seconds"]
    assert {name: found[name] for name in ("count", "sum", "p50", "max")} == {
        "count": 1,
        "sum": 0.014856,
        "p50": 0.014856,
        "max": 0.014856,
    }


def test_a_duration_that_no_number_holds_is_none(session):
    approve(session, "e1")
    finish(session, "e1", duration_us=4242)
    resolve_again(session, resolve(session, microseconds=4242), microseconds=4242)
    rewrite(session, lambda line: line.replace(b"4242", b"9" * 5000))
    totals = totals_of(session)

    assert (totals.action_durations.count, totals.durations.count) == (0, 0)


def test_the_duration_of_a_failed_action_counts(session):
    approve(session, "e1")
    fail(session, "e1")

    assert totals_of(session).metrics()["cra_action_duration_seconds"]["sum"] == 0.000012


def test_quantiles_are_right_to_a_percent():
    durations = Durations()
    for microseconds in range(1, 100_001):
        durations.take(microseconds)

    for share in (0.5, 0.9, 0.99, 1.0):
        assert durations.quantile(share) == pytest.approx(share * 100_000, rel=0.01)


# Words.


@pytest.mark.parametrize(
    ("event_type", "payload", "expected"),
    [
        ("action.denied", {"action_id": "a.b", "reason": "no", "policy_id": "p"}, "a.b: no (p)"),
        ("action.denied", {"action_id": "a.b", "reason": "no", "policy_id": None}, "a.b: no"),
        ("action.executed", {"action_id": "a.b", "duration_us": 5300}, "a.b in 5.3 ms: ?"),
        *[
            (
                event_type,
                {"action_id": "a.b", "policy_id": "p", "outcome": "applies", "reason": reason},
                f"<a.b: p applies{words}>",
            )
            for event_type in ("policy.evaluated", "policy.violated")
            for reason, words in (("", ""), ("late", ": late"))
        ],
        ("action.approved", {"action_id": "a.b", "simulated": True}, "simulated: a.b ?"),
        ("ledger.recovered", {"reason": "unattested", "unattested": [3, 5]}, "events [3,5]"),
        ("action.denied", {"action_id": {"odd": 1}, "reason": []}, '{"odd":1}: []'),
        ("later.type", {"b": 1, "a": None}, '{"a":null,"b":1}'),
        (
            "session.ended",
            {"reason": "r", "summary": {"events": 1, "actions": 0, "denials": 2}},
            ", 1 event, 0 actions, 2 denials",
        ),
        ("action.denied", None, "(payload redacted)"),
        ("journal.checkpoint", {"session_id": "s", "size": 1}, "1 event of session s"),
        ("journal.checkpoint", {"session_id": "s", "size": 1234}, "1,234 events of session s"),
        ("journal.checkpoint", {"session_id": "s", "size": "two"}, "two events of session s"),
        ("journal.checkpoint", {"session_id": "s"}, "? of session s"),
        ("session.ended", {"summary": {"denials": 1}}, ", 1 denial"),
        ("action.executed", {"action_id": "a.b", "result": 2**60}, "no canonical JSON"),
    ],
)
def test_a_payload_is_summed_up_in_words(event_type, payload, expected):
    assert expected in f"<{summarize(event_type, payload)}>"
