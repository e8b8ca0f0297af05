"""Order is the sequence and the chain: a clock that goes wrong is worth a warning, no more."""

from __future__ import annotations

import pytest

from cra.amount import counted
from cra.ledger.verdict import Verdict

from .harness import Site, TurningClock, facts, signer, stored_events
from .payloads import DENIED

# Steps of the clock between events, in seconds, and how often it went back.
CLOCKS = [
    ([1, 1, 1], 0),
    ([0, 0, 0], 0),
    ([600, -300, 1], 1),
    ([600, -100, -100, -100, 1], 3),
    ([-2, -1, -1, -1, -1, -1], 6),
]


@pytest.mark.parametrize(("steps", "expected"), CLOCKS, ids=[str(steps) for steps, _ in CLOCKS])
def test_a_clock_that_steps_back_is_a_warning(tmp_path, steps, expected):
    clock = TurningClock()
    site = Site(tmp_path, signer())
    ledger = site.open(source=clock)
    session = ledger.start_session("agent")
    clock.turn(steps)
    for _ in range(6):
        session.append("action.denied", DENIED)
    session.end()
    ledger.close()

    report = site.verify()

    (judged,) = report.sessions
    assert report.verdict is Verdict.INTACT, facts(report)
    assert judged.warnings == (
        [f"the clock stepped back {counted(expected, 'time')}"] if expected else []
    )


def test_a_session_that_ended_before_it_began_lasted_no_time(tmp_path):
    clock = TurningClock()
    site = Site(tmp_path, signer())
    ledger = site.open(source=clock)
    session = ledger.start_session("agent")
    clock.turn([-3600])
    session.end()
    ledger.close()

    ended = stored_events(site, session.id)[-1].payload or {}

    assert ended["duration_ms"] == 0
    assert site.verify().verdict is Verdict.INTACT
