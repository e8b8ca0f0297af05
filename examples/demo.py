"""An agent under governance, from an empty directory to a change of its rules that is noticed.

Run by `make demo`. It works in a temporary directory and leaves nothing behind.
"""

from __future__ import annotations

import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

ATLAS = Path(__file__).parent / "atlases" / "support-desk"
CRA = (sys.executable, "-m", "cra")
OWNER = "../owner.pem"
REFUND = ("execute", "refund.issue", "--param", "ticket=1042", "--param")


def main() -> None:
    with tempfile.TemporaryDirectory(prefix="cra-demo-") as place:
        home = Path(place)
        for name in ("HOME", "XDG_CONFIG_HOME", "XDG_STATE_HOME"):
            os.environ[name] = str(home / name.lower())
        shop = home / "shop"
        owner = begin(shop)
        act(shop)
        ask_the_owner(shop)
        keep_a_token_out(shop)
        prove(shop)
        try_other_rules(shop, owner)
        forge(shop)
        guard(shop, owner)
    say("If the runtime did not record it, it did not happen. If it was changed, it shows.")


def begin(project: Path) -> str:
    """A project with a rule. Returns the key of the owner, who approves refunds."""
    say("A project: a key outside it, a ledger inside it, and an atlas of things to do.")
    cra(project.parent, "init", project.name, "--yes")
    shutil.copytree(ATLAS, project / "support-desk")
    cra(project, "atlas", "add", "support-desk", "--yes")

    say("A rule of the project: refunds over 50 need the signature of the owner.")
    key = ("approvals", "key", OWNER)
    cra(project, *key)
    told = subprocess.run([*CRA, *key], cwd=project, capture_output=True, check=True, text=True)
    owner = told.stdout.strip()
    (project / "policies").mkdir()
    (project / "policies" / "refunds.json").write_text(rule(50, owner))
    return owner


def act(project: Path) -> None:
    say("What may an agent know and do for this goal? Policy answers, and the answer is recorded.")
    cra(project, "resolve", "--goal", "answer the ticket about the printer and refund it")

    say("An allowed action really runs.")
    cra(project, *REFUND, "amount=40")

    say("A denied one does not, and names its rule.")
    cra(project, *REFUND, "amount=950", expect=1)
    cra(project, "execute", "ticket.delete", "--param", "id=1042", expect=1)


def ask_the_owner(project: Path) -> None:
    say("One that needs a person waits for that person, who grants this call once.")
    cra(project, *REFUND, "amount=80", expect=4)
    cra(project, "approvals", "grant", "last", "--key", OWNER, "--reason", "it was faulty")
    cra(project, *REFUND, "amount=80")

    say("The grant is used up: the same call waits again.")
    cra(project, *REFUND, "amount=80", expect=4)


def keep_a_token_out(project: Path) -> None:
    say("A token reaches the customer, and not the record, where a mark stands for it.")
    token = "ghp_" + "aB3dE6gH9kL2" + "nP5rS8tV1xY4" + "zA7cF0hJ3mQ6"
    text = f"text=Your token is {token}"
    cra(project, "execute", "ticket.reply", "--param", "id=1042", "--param", text)
    holds = [path.name for path in project.rglob("*") if path.is_file() and has(path, token)]
    print(f"files that hold the token: {', '.join(holds)}", flush=True)
    if holds != ["desk.db"]:
        sys.exit("expected the token in desk.db, where the action put it, and nowhere else")


def prove(project: Path) -> None:
    say("This is what happened, and anyone can check it.")
    cra(project, "trace", "show", "last")
    cra(project, "trace", "verify")


def try_other_rules(project: Path, owner: str) -> None:
    say("What if the owner signed only refunds over 90? Every recorded call is decided again.")
    (project / "draft.json").write_text(rule(90, owner))
    cra(project, "policy", "backtest", "--policies", "draft.json", expect=1)


def forge(project: Path) -> None:
    say("Now somebody edits one word of a copy: the refused refund was a small one.")
    copy = project.with_name("copy")
    shutil.copytree(project, copy)
    [trace] = (copy / "cra.trace").glob("0*.trace.jsonl")
    trace.write_text(trace.read_text().replace('"amount":950', '"amount":9'))
    cra(copy, "trace", "verify", expect=3)

    say("Or cuts off the end, so that no token was ever sent.")
    lines = (project / "cra.trace" / trace.name).read_text().splitlines(keepends=True)
    trace.write_text("".join(lines[:-2]))
    cra(copy, "trace", "verify", expect=3)


def guard(project: Path, owner: str) -> None:
    say("The session is kept as a golden. Done again under today's rules, nothing is otherwise.")
    cra(project, "golden", "record", "last", "--name", "refunds")
    cra(project, "replay")

    say("Somebody tightens the rule: the owner signs refunds over 30. In CI, this fails.")
    (project / "policies" / "refunds.json").write_text(rule(30, owner))
    cra(project, "replay", expect=1)


def rule(most: int, approver: str) -> str:
    """A policy file: refunds over an amount are approved by whoever holds a key."""
    amount = {"type": "number", "exclusiveMinimum": most}
    return json.dumps(
        {
            "policy_id": "owner-signs-refunds",
            "type": "require_approval",
            "actions": ["refund.issue"],
            "reason": f"the owner signs refunds over {most}",
            "conditions": {"parameters": {"type": "object", "properties": {"amount": amount}}},
            "parameters": {"approvers": [approver]},
        }
    )


def has(path: Path, text: str) -> bool:
    return text.encode() in path.read_bytes()


def say(text: str) -> None:
    print(f"\n# {text}", flush=True)


def cra(directory: Path, *arguments: str, expect: int = 0) -> None:
    print(f"$ {shlex.join(['cra', *arguments])}", flush=True)
    # On a terminal, too, nobody is asked.
    done = subprocess.run([*CRA, *arguments], cwd=directory, stdin=subprocess.DEVNULL, check=False)
    if done.returncode != expect:
        sys.exit(f"expected exit code {expect}, found {done.returncode}")
    if expect:
        print(f"(exit code {done.returncode})", flush=True)


if __name__ == "__main__":
    main()
