"""A process that appends to a ledger until it is told to stop, or killed; run by the suites.

    python -m tests.faults.writer_child DIRECTORY KEY SESSION HABIT THREADS SEED

Each event is acknowledged on stdout, as `session sequence hash event_id`, when the append or the
batch around it has returned. It stops when stdin ends.
"""

from __future__ import annotations

import os
import random
import sys
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

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


Step = Callable[[Ledger, Session], None]


def append_one(_: Ledger, session: Session) -> None:
    acknowledge(session, session.append("action.denied", DENIED))


def append_some(_: Ledger, session: Session) -> None:
    append_together(session, DENIED, 4)


def append_many(_: Ledger, session: Session) -> None:
    append_together(session, DENIED, 100)


def append_bulk(_: Ledger, session: Session) -> None:
    append_together(session, BULKY, 30)


def append_blob(_: Ledger, session: Session) -> None:
    acknowledge(session, session.append("action.executed", LARGE))


def hold_back(_: Ledger, session: Session) -> None:
    session.barrier()


def append_together(session: Session, payload: dict[str, Any], count: int) -> None:
    with session.batch():
        receipts = [session.append("action.denied", payload) for _ in range(count)]
    acknowledge(session, *receipts)


def live_briefly(ledger: Ledger, _: Session) -> None:
    session = ledger.start_session("brief")
    acknowledge(session, session.append("action.denied", DENIED))
    session.end()
    session.close()


# Per hundred steps. Long writes for those that are to be killed, short ones beside a verifier.
HABITS: dict[str, list[tuple[Step, int]]] = {
    "bulky": [
        (append_one, 50),
        (append_some, 15),
        (append_many, 15),
        (append_bulk, 12),
        (append_blob, 3),
        (hold_back, 3),
        (live_briefly, 2),
    ],
    "light": [
        (append_one, 66),
        (append_some, 25),
        (append_blob, 1),
        (hold_back, 5),
        (live_briefly, 3),
    ],
}


def write(ledger: Ledger, session: Session, habit: str, chance: random.Random) -> None:
    steps, weights = zip(*HABITS[habit], strict=True)
    while not done.is_set():
        chance.choices(steps, weights)[0](ledger, session)
        if habit == "light":
            time.sleep(chance.uniform(0, 0.06))


def main(directory: str, key: str, session_id: str, habit: str, threads: str, seed: str) -> None:
    signer = None if key == "-" else load_key(Path(key))
    ledger = Ledger(Path(directory), signer=signer)
    session = ledger.session(session_id)
    chances = [random.Random(f"{seed}.{number}") for number in range(int(threads))]
    writers = [
        threading.Thread(target=write, args=(ledger, session, habit, chance)) for chance in chances
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
