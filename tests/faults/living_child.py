"""A process that goes through the life of a session; run by the suites, under a tracer.

    python -m tests.faults.living_child DIRECTORY KEY

Acknowledges events on stdout, as `session sequence hash event_id`. An error of cra's own ends it
with exit code 9.
"""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

from cra.errors import CraError
from cra.ledger.keys import load_key
from cra.ledger.store import Ledger, Session
from cra.ledger.writer import Recorded

from .payloads import DENIED, LARGE

REFUSED = 9


def acknowledge(session: Session, *receipts: Recorded) -> None:
    for item in receipts:
        line = f"{session.id} {item.sequence} {item.event_hash} {item.event_id}\n"
        os.write(1, line.encode())


def live(directory: Path, key: Path) -> None:
    ledger = Ledger(directory, signer=load_key(key))
    session = ledger.start_session("agent")
    acknowledge(session, session.append("action.denied", DENIED))
    with session.batch():
        receipts = [session.append("action.denied", DENIED) for _ in range(3)]
    acknowledge(session, *receipts)
    time.sleep(0.06)
    acknowledge(session, session.append("action.executed", LARGE))
    session.barrier()
    acknowledge(session, session.append("action.denied", DENIED))
    session.end()
    ledger.close()


if __name__ == "__main__":
    try:
        live(*map(Path, sys.argv[1:]))
    except CraError:
        sys.exit(REFUSED)
