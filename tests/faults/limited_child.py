"""A process whose files may not grow for a while; run by the suites.

    python -m tests.faults.limited_child DIRECTORY KEY

Prints, as JSON, the error that it met and the events that were acknowledged before and after.
"""

from __future__ import annotations

import json
import resource
import signal
import sys
from pathlib import Path

from cra.errors import CraError
from cra.ledger.keys import load_key
from cra.ledger.store import Ledger

from .payloads import DENIED

LIMIT = 30_000


def main(directory: str, key: str) -> None:
    signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    _, most = resource.getrlimit(resource.RLIMIT_FSIZE)
    ledger = Ledger(Path(directory), signer=load_key(Path(key)))
    session = ledger.start_session("agent")
    receipts = []
    resource.setrlimit(resource.RLIMIT_FSIZE, (LIMIT, most))
    found = None
    while found is None:
        try:
            receipts.append(session.append("action.denied", DENIED))
        except CraError as error:
            found = error
    resource.setrlimit(resource.RLIMIT_FSIZE, (most, most))
    receipts += [session.append("action.denied", DENIED) for _ in range(3)]
    session.end()
    ledger.close()
    promises = [(session.id, item.sequence, item.event_hash) for item in receipts]
    answer = {"kind": type(found).__name__, "error": found.message, "promises": promises}
    sys.stdout.write(json.dumps(answer))


if __name__ == "__main__":
    main(*sys.argv[1:])
