"""An agent loop under governance: each call of a model is decided, carried out and recorded by cra.

A scripted model works at the support desk, offline. For a model of yours, write a class with the
one method of `Model`: messages and tools have the shape that APIs for chat completions take.
"""

from __future__ import annotations

import argparse
import json
import os
import shlex
import shutil
import subprocess
import sys
import tempfile
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any, Protocol, TypeAlias

from cra import Approval, ArgumentsRefused, Project, Resolution, Session, UnknownAction

Document: TypeAlias = dict[str, Any]
Approver: TypeAlias = Callable[[Approval], bool | None]

HERE = Path(__file__).resolve().parent
ATLAS = HERE.parent / "atlases" / "support-desk"
GOAL = "answer the ticket about the printer and refund it"
TURNS = 20
# What decides on a call that no valid resolution contains (specs/PROTOCOL.md section 12).
NO_RESOLUTION = "default:no-resolution"
INSTRUCTIONS = """Work at the goal with the tools. What a tool answers is what really happened.
When you are done, answer with a JSON object alone:
{"say": "…", "did": [{"tool": "…", "arguments": {…}}, …]}"""


class Model(Protocol):
    def answer(self, messages: list[Document], tools: list[Document], /) -> Document:
        """The next message of the assistant: calls in `tool_calls`, or a text in `content`."""


class ScriptedModel:
    """Says the lines of a file, whatever it is told; the last one for as long as it is asked."""

    def __init__(self, script: Path) -> None:
        self._lines = json.loads(script.read_text(encoding="utf-8"))
        self._said = 0

    def answer(self, _messages: list[Document], _tools: list[Document], /) -> Document:
        line = self._lines[min(self._said, len(self._lines) - 1)]
        self._said += 1
        if "calls" not in line:
            return {"role": "assistant", "content": json.dumps(line)}
        calls = [
            {
                "id": f"call_{self._said}_{number}",
                "type": "function",
                "function": {"name": one["tool"], "arguments": json.dumps(one["arguments"])},
            }
            for number, one in enumerate(line["calls"])
        ]
        return {"role": "assistant", "content": None, "tool_calls": calls}


def run(session: Session, model: Model, goal: str, approver: Approver) -> str | None:
    """Let a model work at a goal. Returns its last words; None if it had no turn left for them."""
    resolution = session.resolve(goal)
    known = [block["content"] for block in resolution.document["context_blocks"]]
    messages: list[Document] = [
        {"role": "system", "content": "\n\n".join([INSTRUCTIONS, *known])},
        {"role": "user", "content": goal},
    ]
    for _ in range(TURNS):
        said = model.answer(messages, tools_of(resolution))
        messages.append(said)
        if not said.get("tool_calls"):
            return said.get("content") or ""
        for call in said["tool_calls"]:
            show("model", f"{call['function']['name']} {call['function']['arguments']}")
            told = carry_out(session, resolution, call["function"], approver)
            if told.get("rule") == NO_RESOLUTION:
                # Most often its time is over. What may be done now is asked anew, once.
                resolution = session.resolve(goal)
                told = carry_out(session, resolution, call["function"], approver)
            content = json.dumps(told, ensure_ascii=False)
            show("told", content)
            messages.append({"role": "tool", "tool_call_id": call["id"], "content": content})
    return None


def tools_of(resolution: Resolution) -> list[Document]:
    """The tools that a model is offered: what the resolution allows, and nothing else."""
    return [
        {
            "type": "function",
            "function": {
                "name": tool_of(action["action_id"]),
                "description": action["description"],
                "parameters": action["parameters_schema"],
            },
        }
        for action in resolution.document["allowed_actions"]
    ]


def tool_of(action_id: str) -> str:
    """An action's id as APIs accept it for a tool: without dots. No id has a hyphen of its own."""
    return action_id.replace(".", "-")


def action_of(tool: str) -> str:
    return tool.replace("-", ".")


def carry_out(
    session: Session, resolution: Resolution, asked: Document, approver: Approver
) -> Document:
    """Have one call decided, carried out and recorded. Returns what the model is told of it."""
    action_id, arguments = action_of(asked["name"]), asked["arguments"]
    # What is no JSON stays a text, which is refused, and recorded so.
    with suppress(ValueError, RecursionError):
        arguments = json.loads(arguments)
    may = [tool_of(one) for one in resolution.allowed]
    try:
        done = session.execute(action_id, arguments, approver=approver)
    except (UnknownAction, ArgumentsRefused) as refused:
        return {"denied": refused.message, "rule": None, "you_may": may}
    if done.status == "success":
        return {"result": done.document()["result"]}
    if done.error is not None:
        return {"failed": done.error["message"]}
    answer = "denied" if done.status == "denied" else "waits_for_approval"
    others = [tool for tool in may if tool != tool_of(action_id)]
    return {answer: done.reason, "rule": done.policy_id, "you_may": others}


def report(session: Session, words: str) -> None:
    """Hold what a model says that it did against what the session has recorded, and show both."""
    try:
        closing = json.loads(words)
        said = str(closing["say"])
        claims = [(str(one["tool"]), one["arguments"]) for one in closing["did"]]
    except (ValueError, TypeError, KeyError, RecursionError):
        said, claims = words, []
    show("says", said)
    for number, claim in enumerate(claims):
        tool, arguments = claim
        # What is claimed twice has to be recorded twice.
        is_recorded = claims[:number].count(claim) < session.times_done(action_of(tool), arguments)
        verdict = "recorded" if is_recorded else "NOT RECORDED, so it did not happen"
        show("claims", f"{tool} {json.dumps(arguments)}: {verdict}")
    for line in session.stored_lines(0):
        event = json.loads(line)
        if event["event_type"] in ("action.executed", "action.failed", "action.denied"):
            rule = event["payload"].get("policy_id")
            by = f" by {rule}" if rule else ""
            show("trace", f"{event['event_type']} {event['payload']['action_id']}{by}")


def show(who: str, what: str) -> None:
    print(f"{who:9}{what if what.isprintable() else json.dumps(what)}", flush=True)


def owner(approval: Approval) -> bool:
    """Stands in for the person who decides, and is recorded as what it is: a program."""
    asked = f"{approval.action_id} {json.dumps(approval.arguments)}"
    show("owner", f"grants {asked}, asked by {approval.asked['policy_id']}")
    return True


def somebody(session: Session, seconds: float) -> Approver:
    """Whoever decides in another terminal, within some seconds."""

    def wait(approval: Approval) -> None:
        root = shlex.quote(str(session.project.root))
        show("waits", f"cra approvals grant {approval.approval_id} --project {root}")
        session.approvals.wait(approval.approval_id, seconds)

    return wait


def set_up(root: Path) -> None:
    """Make a directory a project with the support desk, and two rules of its own."""
    shutil.copytree(ATLAS, root / ATLAS.name)
    shutil.copytree(HERE / "policies", root / "policies")
    for words in (["init", "--no-sign", "--yes"], ["atlas", "add", ATLAS.name, "--yes"]):
        command = [sys.executable, "-m", "cra", *words, "--json"]
        subprocess.run(command, cwd=root, check=True, stdout=subprocess.DEVNULL)


def main() -> None:
    parser = argparse.ArgumentParser(description="Run an agent at a support desk, governed by cra.")
    parser.add_argument("--project", type=Path, help="where; made a project if it is none")
    parser.add_argument(
        "--script",
        type=Path,
        default=HERE / "script.json",
        help="a file of the model's lines (default: script.json beside this program)",
    )
    parser.add_argument("--wait", type=float, help="seconds for a person to decide on an approval")
    options = parser.parse_args()
    model = ScriptedModel(options.script)
    root = options.project or Path(tempfile.mkdtemp(prefix="cra-agent-"))
    root.mkdir(parents=True, exist_ok=True)
    if not (root / "cra.config.json").exists():
        set_up(root)
    os.chdir(root)  # where the desk looks for its file
    with Project.open() as project:
        session = project.session("desk-agent")
        reason = "failed"
        try:
            show("goal", GOAL)
            approver = owner if options.wait is None else somebody(session, options.wait)
            words = run(session, model, GOAL, approver)
            reason = "completed" if words is not None else f"no answer after {TURNS} turns"
            report(session, words or "")
        finally:
            session.end(reason)
        verdict = project.verify()
        show("ended", reason)
        show("verdict", f"{verdict.verdict.name}, {verdict.level}")
        show("record", f"{project.config.trace_directory / session.id}.trace.jsonl")


if __name__ == "__main__":
    main()
