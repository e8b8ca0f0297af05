"""Resolving a goal: the context and the actions that an agent gets for it, and what it does not.

The same snapshot, caller and task give the same answer, byte for byte; ids and times are added by
whoever records it.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from cra.atlas.model import Action, Atlas, ContextPack, Snapshot, to_be_stated
from cra.errors import NotFound
from cra.policy.call import Call
from cra.policy.condition import caller_miss
from cra.policy.engine import Policy, decide
from cra.policy.ladder import NOT_EXECUTABLE, Constraint, Ruling
from cra.policy.pattern import Pattern
from cra.policy.rule import Rule
from cra.printable import naming
from cra.protocol.carp import AllowedAction, ContextBlock, DeniedAction, DenyPattern, PendingRule
from cra.resolver.documents import documents, pack_key
from cra.resolver.relevance import Relevance
from cra.resolver.request import Caller, Task

# What an agent is shown at most; what is left out is counted in `omitted`.
MAX_ACTIONS: Final = 64
MAX_TOKENS: Final = 8_000
# About what a token of English text or of code takes.
_BYTES_PER_TOKEN: Final = 4
# A piece of a block below this says too little to be worth giving.
_SMALLEST_PIECE: Final = 32

_TYPES: Final = {
    "md": "text/markdown",
    "json": "application/json",
    "yaml": "application/yaml",
    "yml": "application/yaml",
    "csv": "text/csv",
    "html": "text/html",
}

# How an agent that holds several resolutions puts them together.
_MERGE_RULES: Final = {
    "allowed_actions": "each by its own resolution",
    "denylist": "union",
    "ttl_seconds": "minimum",
}


@dataclass(frozen=True, eq=False)
class World:
    """What a goal is resolved against."""

    snapshot: Snapshot
    policy: Policy
    relevance: Relevance
    ttl_seconds: int


def world_of(snapshot: Snapshot, policy: Policy, ttl_seconds: int) -> World:
    indexed = [document for atlas in snapshot.atlases for document in documents(atlas)]
    return World(snapshot, policy, Relevance(indexed), ttl_seconds)


def resolve(world: World, caller: Caller, task: Task) -> dict[str, Any]:
    """What the caller may know and do for the task. Raises NotFound for an unknown atlas."""
    atlases = _chosen_atlases(world.snapshot, task)
    scores = dict(world.relevance.score(task.goal, task.hints))
    judged = [
        (action, atlas, _decided(world, action, call_for(caller, task, action.action_id)))
        for atlas in atlases
        for action in _offered(atlas, task)
    ]
    # A stable sort: what is equally relevant stays in the atlas's order.
    judged.sort(key=lambda one: -scores.get(one[0].action_id, 0.0))
    allowed = [one for one in judged if one[2].outcome != "deny"]
    denied = [one for one in judged if one[2].outcome == "deny"]
    shown, refused = allowed[:MAX_ACTIONS], denied[:MAX_ACTIONS]
    blocks, packs = _context(world, atlases, caller, task, scores)
    missing = _missing_capabilities(atlases, task)
    matched = {action.action_id for action, _, _ in shown} | packs
    confidence = world.relevance.confidence(task.goal, matched)
    is_found = confidence > 0 or any(action.action_id in scores for action, _, _ in judged)
    return {
        "decision": _overall(shown, refused, missing, is_found=is_found),
        "context_blocks": blocks,
        "allowed_actions": [_shown(*one, scores) for one in shown],
        "denied_actions": [_refusal(action, decision) for action, _, decision in refused],
        "denylist": _denylist(world.snapshot, atlases, caller),
        "constraints": _constraints([*shown, *refused]),
        "omitted": {"allowed": len(allowed) - len(shown), "denied": len(denied) - len(refused)},
        "merge_rules": _MERGE_RULES,
        "next_steps": _next_steps(shown, scores, caller.agent),
        "confidence": _share(confidence),
        "ttl_seconds": world.ttl_seconds,
    }


def _chosen_atlases(snapshot: Snapshot, task: Task) -> Sequence[Atlas]:
    if not task.atlas_ids:
        return [one for one in snapshot.atlases if one.atlas_id not in snapshot.on_request]
    known = {atlas.atlas_id: atlas for atlas in snapshot.atlases}
    for atlas_id in task.atlas_ids:
        if atlas_id not in known:
            raise NotFound(
                f"expected an atlas of this project ({', '.join(known) or 'none'}), "
                f"found {atlas_id!r:.80}",
                fix="cra atlas list",
            )
    return [atlas for atlas in snapshot.atlases if atlas.atlas_id in task.atlas_ids]


def _offered(atlas: Atlas, task: Task) -> Sequence[Action]:
    """The actions of an atlas, those of the required capabilities if there are any."""
    if not task.capabilities:
        return atlas.actions
    named = {
        action_id
        for capability in atlas.capabilities
        if capability.capability_id in task.capabilities
        for action_id in capability.actions
    }
    return [action for action in atlas.actions if action.action_id in named]


def _missing_capabilities(atlases: Sequence[Atlas], task: Task) -> list[str]:
    there = {one.capability_id for atlas in atlases for one in atlas.capabilities}
    return [name for name in task.capabilities if name not in there]


def call_for(caller: Caller, task: Task, action_id: str) -> Call:
    """The call that policy is asked about while a task is resolved."""
    return Call(
        action_id,
        caller.agent,
        caller.roles,
        caller.scopes,
        task.risk_tier,
        caller.context,
        task.context,
    )


def _decided(world: World, action: Action, call: Call) -> Ruling:
    if action.executor is None:
        return Ruling("deny", NOT_EXECUTABLE, "declared, not executable")
    return decide(world.policy, call)


def _overall(
    allowed: Sequence[tuple[Action, Atlas, Ruling]],
    denied: Sequence[tuple[Action, Atlas, Ruling]],
    missing: Sequence[str],
    *,
    is_found: bool,
) -> dict[str, Any]:
    """The answer in a word and in a line; `is_found`: the goal has to do with some of it."""
    asking = sum(decision.outcome == "requires_approval" for _, _, decision in allowed)
    if missing:
        kind, reason = "deny", f"no atlas has the capability {', '.join(missing)}"
    elif not allowed:
        kind, reason = "deny", "nothing is allowed for this goal"
    else:
        counts = {
            "allowed": len(allowed) - asking,
            "denied": len(denied),
            "to be approved": asking,
        }
        told = ", ".join(f"{count} {what}" for what, count in counts.items() if count)
        if asking == len(allowed):
            kind, reason = "requires_approval", "everything that is allowed needs an approval"
        elif denied or asking:
            kind, reason = "partial", told
        else:
            kind, reason = "allow", "everything that was found is allowed"
        if not is_found:
            reason = f"none of the goal's words was found; all actions: {told}"
    return {"type": kind, "reason": reason}


def _shown(
    action: Action, atlas: Atlas, decision: Ruling, scores: Mapping[str, float]
) -> AllowedAction:
    assert decision.risk_tier is not None  # only an unknown action has none
    shown: AllowedAction = {
        "action_id": action.action_id,
        "atlas_id": atlas.atlas_id,
        "name": action.name,
        "description": action.description,
        "parameters_schema": dict(action.parameters_schema),
        "risk_tier": decision.risk_tier,
        "requires_approval": decision.outcome == "requires_approval",
        "relevance": _share(scores.get(action.action_id, 0.0)),
    }
    if action.rate_limit is not None:
        shown["rate_limit"] = {
            "max_calls": action.rate_limit.max_calls,
            "window_seconds": action.rate_limit.window_seconds,
        }
    return shown


def _share(value: float) -> float:
    """As canonical JSON has it: 1.0 is 1, and what is written so is encoded ten times as fast."""
    return int(value) if value.is_integer() else value


def _refusal(action: Action, decision: Ruling) -> DeniedAction:
    return {
        "action_id": action.action_id,
        "reason": decision.reason,
        "policy_id": decision.policy_id,
    }


def _denylist(snapshot: Snapshot, atlases: Sequence[Atlas], caller: Caller) -> list[DenyPattern]:
    """The patterns that are denied to this caller whatever it states."""
    rules: list[tuple[Rule, Atlas | None]] = [(rule, None) for rule in snapshot.policies]
    rules += [(rule, atlas) for atlas in atlases for rule in atlas.policies]
    return [
        {"pattern": pattern, "reason": rule.reason}
        for rule, atlas in rules
        if rule.type == "deny" and _is_about(rule, caller)
        for pattern in _denied_by(rule, atlas)
    ]


def _denied_by(rule: Rule, atlas: Atlas | None) -> list[str]:
    """A rule's patterns; of an atlas's rule the actions, for it says nothing about others'."""
    patterns = (Pattern("*"),) if rule.patterns is None else rule.patterns
    if atlas is None:
        return [pattern.text for pattern in patterns]
    ids = [action.action_id for action in atlas.actions]
    return [one for one in ids if any(pattern.matches(one) for pattern in patterns)]


def _is_about(rule: Rule, caller: Caller) -> bool:
    wanted = rule.conditions
    if wanted.context is not None or wanted.parameters is not None:
        return False
    if wanted.time_window is not None or wanted.risk_tiers:
        return False
    return _fits(rule, caller)


def _fits(rule: Rule, caller: Caller) -> bool:
    """Whether a rule is about a caller, as far as that is a matter of who it is."""
    return caller_miss(rule.conditions, caller.agent, caller.roles, caller.scopes) is None


def _constraints(judged: Sequence[tuple[Action, Atlas, Ruling]]) -> list[PendingRule]:
    """What is decided when an action is executed, with the actions that it is about."""
    found: dict[str, tuple[Constraint, list[str]]] = {}
    for action, _, decision in judged:
        for constraint in decision.constraints:
            key = f"{constraint.rule.origin.atlas_id}/{constraint.rule.policy_id}"
            found.setdefault(key, (constraint, []))[1].append(action.action_id)
    return [_constraint(constraint, actions) for constraint, actions in found.values()]


def _constraint(constraint: Constraint, actions: list[str]) -> PendingRule:
    rule = constraint.rule
    assert rule.type != "redact"
    assert rule.type != "scope"  # neither is a rung of the ladder
    stated: PendingRule = {
        "policy_id": rule.policy_id,
        "type": rule.type,
        "actions": sorted(actions),
        "reason": rule.reason,
        "undecided": list(constraint.undecided),
    }
    if rule.limit is not None:
        stated["limit"] = {
            "maximum": rule.limit.maximum,
            "window_seconds": rule.limit.window_seconds,
            "per": rule.limit.per,
        }
    return stated


def _next_steps(
    allowed: Sequence[tuple[Action, Atlas, Ruling]], scores: Mapping[str, float], agent: str
) -> list[str]:
    """The calls to begin with: the most relevant ones, and first what needs no approval.

    What has nothing to do with the goal is offered, and is no step towards it.
    """
    fitting = [one for one in allowed if scores.get(one[0].action_id, 0.0) > 0]
    in_order = sorted(fitting, key=lambda one: one[2].outcome == "requires_approval")
    return [f"cra execute {to_be_stated(action)}{naming(agent)}" for action, _, _ in in_order[:3]]


# Context.


def _context(
    world: World,
    atlases: Sequence[Atlas],
    caller: Caller,
    task: Task,
    scores: Mapping[str, float],
) -> tuple[list[ContextBlock], set[str]]:
    """The blocks that fit into the budget, and the keys of the packs that they are of."""
    left, only = _scope(world.snapshot, caller)
    stated = {**task.context, **caller.context}
    packs = [
        (atlas, pack, scores.get(pack_key(atlas.atlas_id, pack.pack_id), 0.0))
        for atlas in atlases
        for pack in atlas.context_packs
        if _applies(pack, stated) and (only is None or pack.pack_id in only)
    ]
    packs.sort(key=lambda one: (-one[1].priority, -one[2], one[0].atlas_id, one[1].pack_id))
    blocks: list[ContextBlock] = []
    included = set()
    for atlas, pack, _ in packs:
        room = min(left, pack.max_tokens or left)
        for file in pack.files:
            block = _block(world, atlas, pack, file, room)
            if block is not None:
                blocks.append(block)
                included.add(pack_key(atlas.atlas_id, pack.pack_id))
                room -= block["token_estimate"]
                left -= block["token_estimate"]
    return blocks, included


def _scope(snapshot: Snapshot, caller: Caller) -> tuple[int, set[str] | None]:
    """The token budget and the packs that the project's scope rules leave to a caller."""
    tokens, only = MAX_TOKENS, None
    for rule in snapshot.policies:
        # It only restricts, so a condition that is not decided here does not keep it from holding.
        if rule.type == "scope" and rule.settings is not None and _fits(rule, caller):
            tokens = min(tokens, rule.settings.get("max_context_tokens", tokens))
            packs = rule.settings.get("context_packs")
            if packs is not None:
                only = set(packs) if only is None else only & set(packs)
    return tokens, only


def _applies(pack: ContextPack, stated: Mapping[str, Any]) -> bool:
    return all(
        key in stated and any(_same(stated[key], value) for value in accepted)
        for key, accepted in pack.conditions.items()
    )


def _same(one: Any, other: Any) -> bool:
    # In Python, True == 1.
    return isinstance(one, bool) == isinstance(other, bool) and bool(one == other)


def _block(
    world: World, atlas: Atlas, pack: ContextPack, file: str, room: int
) -> ContextBlock | None:
    data = atlas.files[file]
    is_whole = _tokens(data) <= room
    if not is_whole:
        data = data[: room * _BYTES_PER_TOKEN]
        data = data[: data.rfind(b"\n") + 1]
    if not data or (not is_whole and _tokens(data) < _SMALLEST_PIECE):
        return None
    ttl = pack.ttl_seconds
    return {
        "block_id": f"{pack_key(atlas.atlas_id, pack.pack_id)}/{file}",
        "source": f"{atlas.atlas_id}@{atlas.version}",
        "purpose": pack.purpose,
        "content_type": _TYPES.get(file.rpartition(".")[2].lower(), "text/plain"),
        "content": data.decode("utf-8", errors="replace"),
        "is_whole": is_whole,
        "priority": pack.priority,
        "token_estimate": _tokens(data),
        "ttl_seconds": world.ttl_seconds if ttl is None else min(ttl, world.ttl_seconds),
    }


def _tokens(data: bytes) -> int:
    return -(-len(data) // _BYTES_PER_TOKEN)
