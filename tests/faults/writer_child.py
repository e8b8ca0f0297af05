"""A process that appends to a ledger until it is told to stop, or killed; run by the suites.

    python -m tests.faults.writer_child DIRECTORY KEY SESSION THREADS SEED PAUSE

Each event is acknowledged on stdout, as `session sequence hash event_id`, when the append or the
batch around it has returned. Between two steps a thread rests for up to PAUSE seconds. It stops
when stdin ends.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from pathlib import Path

from cra.ledger.keys import load_key
from cra.ledger.store import Ledger, Session
from cra.ledger.writer import Recorded

from .payloads import BULKY, DENIED, LARGE


class Acknowledging:
    """Says on stdout what was recorded; one line is one write, so threads do not mix."""

    def __init__(self) -> None:
        self._lock = threading.Lock()

    def __call__(self, session: Session, *receipts: Recorded) -> None:
        text = "".join(
            f"{session.id} {item.sequence} {item.event_hash} {item.event_id}\n" for item in receipts
        )
        with self._lock:
            data = text.encode()
            while data:
                data = data[os.write(1, data) :]


done = threading.Event()


def write(ledger: Ledger, session: Session, chance: random.Random, pause: float) -> None:
    while not done.is_set():
        step = chance.random()
        if step < 0.5:
            acknowledge(session, session.append("action.denied", DENIED))
        elif step < 0.8:
            with session.batch(barrier=chance.random() < 0.1):
                count = chance.choice([2, 10, 100])
                receipts = [session.append("action.denied", DENIED) for _ in range(count)]
            acknowledge(session, *receipts)
        elif step < 0.92:
            with session.batch():
                receipts = [session.append("action.denied", BULKY) for _ in range(30)]
            acknowledge(session, *receipts)
        elif step < 0.95:
            acknowledge(session, session.append("action.executed", LARGE))
        elif step < 0.98:
            session.barrier()
        else:
            live_briefly(ledger)
        time.sleep(chance.uniform(0, pause))


def live_briefly(ledger: Ledger) -> None:
    session = ledger.start_session("brief")
    acknowledge(session, session.append("action.denied", DENIED))
    session.end()
    session.close()


def main(directory: str, key: str, session_id: str, threads: str, seed: str, pause: str) -> None:
    signer = None if key == "-" else load_key(Path(key))
    ledger = Ledger(Path(directory), signer=signer)
    session = ledger.session(session_id)
    chances = [random.Random(f"{seed}.{number}") for number in range(int(threads))]
    writers = [
        threading.Thread(target=write, args=(ledger, session, chance, float(pause)))
        for chance in chances
    ]
    for writer in writers:
        writer.start()
    sys.stdin.read()
    done.set()
    for writer in writers:
        writer.join()
    ledger.close()


acknowledge = Acknowledging()

if __name__ == "__main__":
    main(*sys.argv[1:])
