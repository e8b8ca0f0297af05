"""Record a small trace, verify it, tamper with a copy, and see the copy refused.

Run by `make demo`. It works in a temporary directory and leaves nothing behind.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from cra.ledger.keys import load_key
from cra.ledger.store import Ledger


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cra-demo-") as place:
        home = Path(place)
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = str(home / name.lower())
        tell(home / "desk")


def tell(project: Path) -> None:
    say("A project: a key outside it, a ledger inside it.")
    cra(project.parent, "init", project.name)

    say("An agent asks for three actions. Each one is recorded before it runs, and after.")
    record(project)
    cra(project, "trace", "show", "last")

    say("Anyone can check that this is what was recorded.")
    cra(project, "trace", "verify")

    say("Now somebody edits one word of a copy: the refused refund was a different one.")
    copy = project.with_name("copy")
    shutil.copytree(project, copy)
    [trace] = (copy / "cra.trace").glob("0*.trace.jsonl")
    trace.write_text(trace.read_text().replace('"amount":950', '"amount":9'))
    cra(copy, "trace", "verify", expect=3)

    say("Or cuts off the end, so that the refusal never happened.")
    lines = (project / "cra.trace" / trace.name).read_text().splitlines(keepends=True)
    trace.write_text("".join(lines[:-2]))
    cra(copy, "trace", "verify", expect=3)
    say("If the runtime did not record it, it did not happen. If it was changed, it shows.")


def record(project: Path) -> None:
    """What a governed agent leaves behind: two actions that ran and one that was denied."""
    keys = Path(os.environ["XDG_CONFIG_HOME"]) / "cra" / "keys"
    ledger = Ledger(project / "cra.trace", signer=load_key(keys / "ledger.key"))
    session = ledger.start_session("support-agent")
    for number, (action, arguments) in enumerate(
        [
            ("ticket.read", {"ticket": "T-1042"}),
            ("ticket.reply", {"ticket": "T-1042", "text": "We are looking into it."}),
        ]
    ):
        span = ledger.source.new_id()
        session.append(
            "action.approved",
            {
                "execution_id": f"execution-{number}",
                "action_id": action,
                "resolution_id": None,
                "arguments": arguments,
                "arguments_digest": "0" * 64,
                "decision": {"type": "allow", "reason": "policy support-basics allows it"},
            },
            span_id=span,
        )
        session.append(
            "action.executed",
            {
                "execution_id": f"execution-{number}",
                "action_id": action,
                "duration_us": 1200,
                "result": {"ok": True},
            },
            span_id=span,
            actor_id=action,
        )
    session.append(
        "action.denied",
        {
            "action_id": "payment.refund",
            "reason": "refunds over 100 need a person",
            "policy_id": "refund-limit",
            "arguments": {"ticket": "T-1042", "amount": 950},
        },
    )
    session.end()
    ledger.close()


def say(text: str) -> None:
    print(f"\n# {text}", flush=True)


def cra(directory: Path, *arguments: str, expect: int = 0) -> None:
    print(f"$ cra {' '.join(arguments)}", flush=True)
    done = subprocess.run([sys.executable, "-m", "cra", *arguments], cwd=directory, check=False)
    if done.returncode != expect:
        sys.exit(f"expected exit code {expect}, found {done.returncode}")
    if expect:
        print(f"(exit code {done.returncode})", flush=True)


if __name__ == "__main__":
    main()
