"""An agent under governance, from an empty directory to a refused forgery.

Run by `make demo`. It works in a temporary directory and leaves nothing behind.
"""

from __future__ import annotations

import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ATLAS = Path(__file__).parent / "atlases" / "support-desk"


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cra-demo-") as place:
        home = Path(place)
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = str(home / name.lower())
        tell(home / "shop")


def tell(project: Path) -> None:
    say("A project: a key outside it, a ledger inside it, and an atlas of things to do.")
    cra(project.parent, "init", project.name)
    shutil.copytree(ATLAS, project / "support-desk")
    cra(project, "atlas", "add", "support-desk", "--yes")

    say("What may an agent know and do for this goal? Policy answers, and the answer is recorded.")
    cra(project, "resolve", "--goal", "answer the ticket about the printer and refund it")

    say("An allowed action really runs.")
    cra(project, "execute", "ticket.read", "--param", "id=1042")
    cra(project, "execute", "refund.issue", "--param", "ticket=1042", "--param", "amount=40")

    say("A denied one does not, and names its rule.")
    forbidden = ("refund.issue", "--param", "ticket=1042", "--param", "amount=950")
    cra(project, "execute", *forbidden, expect=1)
    cra(project, "execute", "ticket.delete", "--param", "id=1042", expect=1)

    say("This is what happened, and anyone can check it.")
    cra(project, "trace", "show", "last")
    cra(project, "trace", "verify")

    say("Now somebody edits one word of a copy: the refused refund was a small one.")
    copy = project.with_name("copy")
    shutil.copytree(project, copy)
    [trace] = (copy / "cra.trace").glob("0*.trace.jsonl")
    trace.write_text(trace.read_text().replace('"amount":950', '"amount":9'))
    cra(copy, "trace", "verify", expect=3)

    say("Or cuts off the end, so that nothing was ever refused.")
    lines = (project / "cra.trace" / trace.name).read_text().splitlines(keepends=True)
    trace.write_text("".join(lines[:-2]))
    cra(copy, "trace", "verify", expect=3)
    say("If the runtime did not record it, it did not happen. If it was changed, it shows.")


def say(text: str) -> None:
    print(f"\n# {text}", flush=True)


def cra(directory: Path, *arguments: str, expect: int = 0) -> None:
    print(f"$ {shlex.join(['cra', *arguments])}", flush=True)
    done = subprocess.run([sys.executable, "-m", "cra", *arguments], cwd=directory, check=False)
    if done.returncode != expect:
        sys.exit(f"expected exit code {expect}, found {done.returncode}")
    if expect:
        print(f"(exit code {done.returncode})", flush=True)


if __name__ == "__main__":
    main()
