"""A process that verifies a ledger over and over while others write; run by the suites.

    python -m tests.faults.verifier_child DIRECTORY KEY READS SECONDS PATIENCE

It goes on until it has read so often and for so long. Prints, as JSON, how many readings there
were of each verdict, and what was found amiss. An incomplete line is amiss if it is there for
longer than PATIENCE seconds: another writer mends what a killed one left.
"""

from __future__ import annotations

import json
import sys
import time
from collections import Counter
from pathlib import Path

from cra.ledger.keys import load_key
from cra.ledger.verdict import Verdict
from cra.ledger.verify import Trust, verify_ledger


def main(directory: str, key: str, reads: str, seconds: str, patience: str) -> None:
    trust = Trust((load_key(Path(key)).key,))
    verdicts: Counter[str] = Counter()
    complaints = []
    begun = whole = time.monotonic()
    while verdicts.total() < int(reads) or time.monotonic() < begun + float(seconds):
        report = verify_ledger(Path(directory), trust)
        verdicts[report.verdict.name] += 1
        if report.verdict <= Verdict.STILLBORN:
            whole = time.monotonic()
        elif report.verdict > Verdict.INCOMPLETE or time.monotonic() > whole + float(patience):
            complaints.append(f"{report.decisive}")
    sys.stdout.write(json.dumps({"verdicts": verdicts, "complaints": complaints[:10]}))


if __name__ == "__main__":
    main(*sys.argv[1:])
