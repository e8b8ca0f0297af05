"""What to do about a denial: the command that shows the decision again, or what has to change.

`cra explain` decides anew, so the command states all that the decision rests on.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Collection, Iterable, Mapping
from typing import Any, Final

from cra.atlas.model import Action, HostExecutor
from cra.policy.call import Call
from cra.policy.engine import Policy
from cra.policy.explain import explain
from cra.policy.rule import Rule
from cra.runtime.decision import NO_RESOLUTION
from cra.runtime.record import Decided, FrozenCall

# What is left to do where nothing stands in the way any more.
CALL_AGAIN: Final = "have the call made again"
# Who asks in a command that does not say.
_AGENT: Final = "cli"
_MAX_COMMAND: Final = 500
# The types of JSON Schema whose values a word of a command stands for, whatever they are.
_PLAIN: Final = {str: "string", bool: "boolean", int: "integer", float: "number"}


def remedy_of(
    decided: Decided,
    call: FrozenCall,
    policy: Policy,
    configured: Iterable[str],
    on_request: Collection[str] = (),
) -> str:
    """What can be done by whoever meets a denial; `configured` are the scopes of the agent, and
    `on_request` the atlases that take part only where they are named."""
    ruling, rule, asked = decided.ruling, decided.ruling.rule, decided.asked
    if decided.approval_id is not None:
        return refused_by(decided.approval_id)
    if ruling.policy_id == NO_RESOLUTION:
        return resolving(asked.agent, policy.actions[asked.action_id].atlas_id, on_request)
    if rule is not None and rule.limit is not None:
        return f"wait, or raise the maximum of {rule.policy_id}"
    if isinstance(call.action.executor, HostExecutor):
        # No command knows the functions of a program.
        return "; ".join(change.words for change in explain(policy, asked).changes)
    return explaining(rule, call.action, asked, configured) or (
        "cra trace show last --event-type action.denied"
    )


def refused_by(approval_id: str) -> str:
    """What to do about a denial by a person: the decision is with what was asked for."""
    return f"cra approvals show {approval_id} says who refused it, and until when"


def resolving(agent: str, atlas_id: str, on_request: Collection[str]) -> str:
    """The command that asks for a resolution with the actions of an atlas in it."""
    words = [] if agent == _AGENT else [f"--agent {shlex.quote(agent)}"]
    named = [f"--atlas {atlas_id}"] if atlas_id in on_request else []
    return " ".join(["cra resolve", *words, '--goal "…"', *named])


def explaining(
    rule: Rule | None, action: Action, asked: Call, configured: Iterable[str]
) -> str | None:
    """The command that decides the same by a rule; None for a call that no short command states."""
    facts = [_fact(name, value) for name, value in asked.context.items()]
    stated = [*_agent_words(asked)]
    if asked.scopes != frozenset(configured):
        # An empty one: it has none at all.
        stated += [f"--scope {shlex.quote(scope)}" for scope in sorted(asked.scopes) or [""]]
    if asked.risk_tier is not None:
        stated.append(f"--risk-tier {asked.risk_tier}")
    stated += [f"--context {shlex.quote(fact)}" for fact in facts if fact is not None]
    command = " ".join([_with_arguments(rule, action, asked), *stated])
    return None if None in facts or len(command) > _MAX_COMMAND else command


def deciding_again(action_id: str, arguments: Mapping[str, Any], agent: str = _AGENT) -> str:
    """The command that decides on a call anew, whatever its arguments are."""
    stated = "" if agent == _AGENT else f" --agent {shlex.quote(agent)}"
    given = shlex.quote(json.dumps(arguments))
    return f"printf %s {given} | cra explain {shlex.quote(action_id)} --params -{stated}"


def _agent_words(asked: Call) -> list[str]:
    return [] if asked.agent == _AGENT else [f"--agent {shlex.quote(asked.agent)}"]


def _with_arguments(rule: Rule | None, action: Action, asked: Call) -> str:
    command = f"cra explain {action.action_id}"
    arguments = asked.moment.arguments if asked.moment else {}
    if not arguments and not _is_of_the_call(rule):
        return command
    words = [_argument(action, name, value) for name, value in arguments.items()]
    if words and None not in words:
        return " ".join([command, *(f"-p {shlex.quote(word)}" for word in words if word)])
    return deciding_again(action.action_id, arguments)


def _is_of_the_call(rule: Rule | None) -> bool:
    """Whether a rule is undecided as long as there are no arguments."""
    wanted = rule.conditions if rule else None
    return wanted is not None and (wanted.parameters is not None or wanted.time_window is not None)


def _argument(action: Action, name: str, value: Any) -> str | None:
    """An argument as NAME=VALUE; None if it might be read as something else."""
    schema = action.parameters_schema.get("properties", {}).get(name)
    kind = schema.get("type") if isinstance(schema, dict) else None
    found = _PLAIN.get(type(value))
    is_read_so = found == kind or (found, kind) == ("integer", "number")
    return _word(name, value) if is_read_so else None


def _fact(name: str, value: Any) -> str | None:
    """A fact of the context as NAME=VALUE; None if it might be read as something else."""
    if isinstance(value, str):
        try:
            json.loads(value)
        except (ValueError, RecursionError):
            return _word(name, value)
        return None
    return _word(name, value) if value is None or type(value) in _PLAIN else None


def _word(name: str, value: Any) -> str | None:
    text = value if isinstance(value, str) else json.dumps(value)
    return f"{name}={text}" if name and "=" not in name and text.isprintable() else None
