"""A process that verifies a ledger once and says what it answered and what it cost; for the suites.

python -m tests.faults.reader_child ROOT KEY [as-nobody]
"""

from __future__ import annotations

import json
import os
import resource
import sys
from pathlib import Path

from cra.ledger.keys import load_key

from .harness import Site

NOBODY = 65534


def main(root: str, key: str, *options: str) -> None:
    signer = load_key(Path(key))
    # A path from here, so that the folders above may stay closed.
    os.chdir(root)
    if "as-nobody" in options:
        os.setuid(NOBODY)
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    answer = Site(Path(), signer).answer()
    after = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    sys.stdout.write(json.dumps({"answer": answer, "growth_kb": after - before}))


if __name__ == "__main__":
    main(*sys.argv[1:])
