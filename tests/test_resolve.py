"""Resolving: what is offered, refused, ordered and cut, for which caller."""

from __future__ import annotations

import json
from typing import Any

import pytest

from cra.atlas.manifest import atlas_of
from cra.atlas.snapshot import snapshot_of
from cra.config import RiskTier
from cra.config.text import parse
from cra.errors import NotFound, RequestRefused
from cra.policy.document import read_rules
from cra.policy.engine import compile_policy
from cra.policy.ladder import ActionFacts
from cra.resolver.request import MAX_GOAL, Caller, task_of
from cra.resolver.resolve import MAX_ACTIONS, MAX_TOKENS, World, resolve, world_of
from tests.corpus import corpus

CLI = Caller("cli")
ALLOW = {"policy_id": "all", "type": "allow"}


def action(action_id: str, description: str = "", **more: Any) -> dict[str, Any]:
    return {
        "action_id": action_id,
        "name": action_id,
        "description": description or action_id,
        "risk_tier": "low",
        "parameters_schema": {"type": "object"},
        "executor": {"type": "static", "result": 1},
        **more,
    }


def atlas(atlas_id: str = "com.a", files: dict[str, bytes] | None = None, **more: Any) -> Any:
    manifest = {
        "atlas_version": "1.0",
        "atlas_id": atlas_id,
        "version": "1.0.0",
        "name": atlas_id,
        "description": "",
        "actions": [],
        **more,
    }
    return atlas_of(manifest, files or {})


def world(*atlases: Any, rules: list[dict[str, Any]] | None = None) -> World:
    mistakes: list[Any] = []
    node = parse(
        json.dumps(rules if rules is not None else [ALLOW]), lambda *it: mistakes.append(it)
    )
    assert node is not None
    own = read_rules(node, lambda *it: mistakes.append(it), file="own", place=lambda _: (1, 1))
    assert mistakes == []
    snapshot = snapshot_of(atlases, own)
    policy = compile_policy(
        [*own, *(rule for one in atlases for rule in one.policies)],
        {
            name: ActionFacts(home.atlas_id, known.risk_tier)
            for name, (home, known) in snapshot.actions.items()
        },
        {},
        require_approval_for=frozenset[RiskTier](["critical"]),
        default_tier="medium",
    )
    return world_of(snapshot, policy, 600)


TICKETS = [
    action("ticket.read", "Read a ticket"),
    action("ticket.close", "Close a ticket"),
    action("ticket.delete", "Delete a ticket"),
]


def offered(found: dict[str, Any]) -> list[str]:
    return [one["action_id"] for one in found["allowed_actions"]]


def test_what_fits_the_goal_comes_first():
    found = resolve(world(atlas(actions=TICKETS)), CLI, task_of("delete a ticket"))

    assert offered(found)[0] == "ticket.delete"
    assert found["decision"]["type"] == "allow"


def test_the_same_question_has_the_same_answer():
    asked = task_of("close the ticket", hints=("old",), context={"env": "test"})
    here, there = (world(atlas(actions=TICKETS)) for _ in range(2))

    assert resolve(here, CLI, asked) == resolve(there, CLI, asked)


def test_without_rules_nothing_is_allowed():
    found = resolve(world(atlas(actions=TICKETS), rules=[]), CLI, task_of("close"))

    assert (found["decision"]["type"], offered(found)) == ("deny", [])
    assert {one["policy_id"] for one in found["denied_actions"]} == {"default:no-rule-allows"}


def test_a_denial_names_its_rule_and_its_pattern():
    deny = {"policy_id": "kept", "type": "deny", "actions": ["*.delete"], "reason": "kept"}
    found = resolve(world(atlas(actions=TICKETS), rules=[ALLOW, deny]), CLI, task_of("delete"))

    assert found["decision"]["type"] == "partial"
    assert found["denied_actions"] == [
        {"action_id": "ticket.delete", "reason": "kept", "policy_id": "kept"}
    ]
    assert found["denylist"] == [{"pattern": "*.delete", "reason": "kept"}]


@pytest.mark.parametrize(
    ("conditions", "is_listed"),
    [
        ({"agents": ["cli"]}, True),
        ({"agents": ["other"]}, False),
        ({"roles": ["support"]}, True),
        ({"roles": ["other"]}, False),
        ({"scopes": ["tickets"]}, True),
        ({"scopes": ["other"]}, False),
        ({"context": {"env": "test"}}, False),
        ({"parameters": {"type": "object"}}, False),
        ({"time_window": {"start": "09:00", "end": "10:00"}}, False),
        ({"risk_tiers": ["low"]}, False),
    ],
)
def test_the_denylist_holds_what_is_denied_to_this_caller_whatever_it_states(conditions, is_listed):
    deny = {"policy_id": "no", "type": "deny", "conditions": conditions}
    caller = Caller("cli", frozenset(["support"]), frozenset(["tickets"]))
    found = resolve(world(atlas(actions=TICKETS), rules=[ALLOW, deny]), caller, task_of("x"))

    assert [one["pattern"] for one in found["denylist"]] == ["*"] * is_listed


@pytest.mark.parametrize(
    ("actions", "listed"),
    [(["*.delete"], ["ticket.delete"]), (["mail.*"], []), (None, ["ticket.read", "ticket.delete"])],
)
def test_the_denylist_denies_nothing_that_a_rule_of_another_atlas_is_not_about(actions, listed):
    deny = {"policy_id": "no", "type": "deny"} | ({"actions": actions} if actions else {})
    tickets = atlas(actions=[TICKETS[0], TICKETS[2]], policies=[deny])
    mail = atlas("com.b", actions=[action("mail.delete")])
    found = resolve(world(tickets, mail), CLI, task_of("x"))

    assert "mail.delete" in offered(found)
    assert [one["pattern"] for one in found["denylist"]] == listed


def test_what_is_decided_at_the_call_is_named_as_a_constraint():
    rules = [
        ALLOW,
        {
            "policy_id": "cap",
            "type": "deny",
            "actions": ["ticket.close"],
            "conditions": {"parameters": {"type": "object", "required": ["force"]}},
        },
        {
            "policy_id": "rate",
            "type": "rate_limit",
            "parameters": {"max_calls": 3, "window_seconds": 60, "per": "agent"},
        },
    ]
    found = resolve(world(atlas(actions=TICKETS), rules=rules), CLI, task_of("close"))

    constraints = {one["policy_id"]: one for one in found["constraints"]}
    assert constraints["cap"]["undecided"] == ["parameters"]
    assert constraints["cap"]["actions"] == ["ticket.close"]
    assert constraints["rate"]["limit"] == {"maximum": 3, "window_seconds": 60, "per": "agent"}
    assert len(constraints["rate"]["actions"]) == 3


@pytest.mark.parametrize(
    ("tiers", "expected"),
    [(["critical"], "requires_approval"), (["low", "critical"], "partial"), (["low"], "allow")],
)
def test_the_decision_says_whether_approvals_are_needed(tiers, expected):
    actions = [action(f"ticket.a{at}", risk_tier=tier) for at, tier in enumerate(tiers)]
    found = resolve(world(atlas(actions=actions)), CLI, task_of("ticket"))

    assert found["decision"]["type"] == expected
    assert [one["requires_approval"] for one in found["allowed_actions"]] == [
        tier == "critical" for tier in tiers
    ]


def test_the_next_steps_begin_with_what_needs_no_approval_and_then_with_what_is_relevant():
    actions = [
        action("ticket.escalate", "Escalate a ticket", risk_tier="critical"),
        action("ticket.read", "Read a ticket"),
        action("ticket.close", "Close a ticket before others escalate"),
    ]

    found = resolve(world(atlas(actions=actions)), CLI, task_of("escalate a ticket"))

    assert offered(found)[0] == "ticket.escalate"
    assert found["next_steps"] == [
        "cra execute ticket.close",
        "cra execute ticket.read",
        "cra execute ticket.escalate",
    ]


def test_what_has_nothing_to_do_with_the_goal_is_offered_and_no_next_step():
    actions = [action("ticket.read", "Read a ticket"), action("tower.ring", "Ring the bell")]

    found = resolve(world(atlas(actions=actions)), CLI, task_of("ring"))
    lost = resolve(world(atlas(actions=actions)), CLI, task_of("play chess"))

    assert offered(found) == ["tower.ring", "ticket.read"]
    assert found["next_steps"] == ["cra execute tower.ring"]
    assert (len(offered(lost)), lost["next_steps"]) == (2, [])


def test_the_task_can_raise_the_tier_and_never_lower_it():
    risky, calm = (
        resolve(world(atlas(actions=TICKETS)), CLI, task_of("close", risk_tier=tier))
        for tier in ("critical", "low")
    )

    assert risky["decision"]["type"] == "requires_approval"
    assert calm["decision"]["type"] == "allow"


def test_an_action_without_an_executor_is_declared_and_not_offered():
    bare = action("ticket.wish")
    del bare["executor"]
    found = resolve(world(atlas(actions=[*TICKETS, bare])), CLI, task_of("wish"))

    [refused] = found["denied_actions"]
    assert refused["policy_id"] == "default:not-executable"


def test_only_the_atlases_that_are_named_are_asked():
    both = world(atlas(actions=TICKETS), atlas("com.b", actions=[action("mail.send")]))

    assert offered(resolve(both, CLI, task_of("x", atlas_ids=("com.b",)))) == ["mail.send"]
    with pytest.raises(NotFound, match=r"com\.c"):
        resolve(both, CLI, task_of("x", atlas_ids=("com.c",)))


def test_only_what_has_the_required_capabilities_is_offered():
    capability = {"capability_id": "reading", "name": "Reading", "actions": ["ticket.read"]}
    known = world(atlas(actions=TICKETS, capabilities=[capability]))

    found = resolve(known, CLI, task_of("x", capabilities=("reading",)))
    missing = resolve(known, CLI, task_of("x", capabilities=("reading", "flying")))

    assert offered(found) == ["ticket.read"]
    assert missing["decision"]["type"] == "deny"
    assert "flying" in missing["decision"]["reason"]


def test_the_least_relevant_of_very_many_are_left_out_and_counted():
    many = [action(f"thing.number{at}", "Count things") for at in range(MAX_ACTIONS + 5)]
    found = resolve(world(atlas(actions=[*many, TICKETS[1]])), CLI, task_of("close a ticket"))

    assert len(found["allowed_actions"]) == MAX_ACTIONS
    assert offered(found)[0] == "ticket.close"
    assert found["omitted"] == {"allowed": 6, "denied": 0}


def test_a_rate_that_an_action_states_is_shown():
    limited = action("ticket.mail", rate_limit={"max_calls": 2, "window_seconds": 60})
    found = resolve(world(atlas(actions=[limited])), CLI, task_of("mail"))

    assert found["allowed_actions"][0]["rate_limit"] == {"max_calls": 2, "window_seconds": 60}


def pack(pack_id: str, *files: str, **more: Any) -> dict[str, Any]:
    return {"pack_id": pack_id, "name": pack_id, "files": list(files), **more}


def sources(found: dict[str, Any]) -> list[str]:
    return [block["block_id"] for block in found["context_blocks"]]


def test_context_comes_by_priority_and_then_by_relevance():
    files = {"a.md": b"About mail.\n", "b.md": b"About tickets.\n", "c.json": b"{}\n"}
    packs = [pack("a", "a.md"), pack("b", "b.md"), pack("c", "c.json", priority=5)]
    known = world(atlas(actions=TICKETS, context_packs=packs, files=files))

    found = resolve(known, CLI, task_of("tickets"))

    assert sources(found) == ["com.a/c/c.json", "com.a/b/b.md", "com.a/a/a.md"]
    assert [block["content_type"] for block in found["context_blocks"]] == [
        "application/json",
        "text/markdown",
        "text/markdown",
    ]


def test_a_pack_with_conditions_counts_where_they_hold():
    packs = [pack("a", "a.md", conditions={"env": ["prod"], "eu": [True]})]
    known = world(atlas(actions=TICKETS, context_packs=packs, files={"a.md": b"x\n"}))

    for context, expected in [
        ({"env": "prod", "eu": True}, 1),
        ({"env": "prod", "eu": 1}, 0),
        ({"env": "test", "eu": True}, 0),
        ({}, 0),
    ]:
        assert len(sources(resolve(known, CLI, task_of("x", context=context)))) == expected


def test_what_the_host_says_of_the_context_goes_before_what_the_caller_says():
    packs = [pack("a", "a.md", conditions={"env": ["prod", "live"]})]
    known = world(atlas(actions=TICKETS, context_packs=packs, files={"a.md": b"x\n"}))
    caller = Caller("cli", context={"env": "test"})

    assert sources(resolve(known, caller, task_of("x", context={"env": "prod"}))) == []


def test_context_is_cut_to_the_budget_at_the_end_of_a_line():
    line = b"a line of forty characters and a newline\n"
    files = {"long.txt": line * 2000, "late.txt": line}
    packs = [pack("long", "long.txt", priority=1), pack("late", "late.txt")]
    known = world(atlas(actions=TICKETS, context_packs=packs, files=files))

    found = resolve(known, CLI, task_of("x"))

    [block, *_] = found["context_blocks"]
    assert not block["is_whole"]
    assert block["content"].endswith("newline\n")
    assert sum(block["token_estimate"] for block in found["context_blocks"]) <= MAX_TOKENS


def test_the_budget_holds_for_every_goal_of_a_project_of_fifty_atlases():
    atlases, goals = corpus()
    known = world(*atlases)
    texts = [text for one in atlases for text in one.files.values()]
    assert sum(map(len, texts)) > 4 * MAX_TOKENS

    for goal in goals:
        blocks = resolve(known, CLI, task_of(goal.text))["context_blocks"]
        assert blocks
        estimates = [-(len(block["content"].encode()) // -4) for block in blocks]
        assert estimates == [block["token_estimate"] for block in blocks]
        assert sum(estimates) <= MAX_TOKENS


def test_a_packs_own_budget_and_ttl_hold_as_well():
    line = b"a line of forty characters and a newline\n"
    packs = [pack("a", "a.txt", "b.txt", max_tokens=50, ttl_seconds=10)]
    files = {"a.txt": line * 100, "b.txt": line}
    known = world(atlas(actions=TICKETS, context_packs=packs, files=files))

    blocks = resolve(known, CLI, task_of("x"))["context_blocks"]

    assert [(block["ttl_seconds"], block["token_estimate"] <= 50) for block in blocks] == [
        (10, True)
    ]


def test_scope_rules_cut_the_context_of_those_that_they_are_about():
    files = {"a.md": b"x\n" * 400, "b.md": b"y\n"}
    packs = [pack("a", "a.md"), pack("b", "b.md")]
    rules = [
        ALLOW,
        {"policy_id": "s1", "type": "scope", "parameters": {"context_packs": ["a", "b"]}},
        {
            "policy_id": "s2",
            "type": "scope",
            "conditions": {"agents": ["cli"]},
            "parameters": {"context_packs": ["b"], "max_context_tokens": 40},
        },
    ]
    known = world(atlas(actions=TICKETS, context_packs=packs, files=files), rules=rules)

    assert sources(resolve(known, CLI, task_of("x"))) == ["com.a/b/b.md"]
    assert len(sources(resolve(known, Caller("other"), task_of("x")))) == 2


def test_confidence_falls_with_what_nothing_knows():
    known = world(atlas(actions=TICKETS))
    sure, unsure = (
        resolve(known, CLI, task_of(goal))["confidence"]
        for goal in ("close ticket", "close the quantum harpsichord")
    )

    assert sure == 1
    assert 0 < unsure < 1


@pytest.mark.parametrize(
    ("rules", "kind", "counts"),
    [
        ([ALLOW], "allow", "3 allowed"),
        ([ALLOW, {**ALLOW, "type": "require_approval", "policy_id": "ask"}],
         "requires_approval", "3 to be approved"),
        ([ALLOW, {"policy_id": "kept", "type": "deny", "actions": ["*.delete"]},
          {"policy_id": "ask", "type": "require_approval", "actions": ["*.close"]}],
         "partial", "1 allowed, 1 denied, 1 to be approved"),
    ],
)  # fmt: skip
def test_a_goal_of_which_nothing_is_found_is_said_to_be_one(rules, kind, counts):
    known = world(atlas(actions=TICKETS), rules=rules)
    lost, found = (resolve(known, CLI, task_of(goal)) for goal in ("play chess", "close a ticket"))

    assert (lost["confidence"], lost["decision"]) == (
        0,
        {"type": kind, "reason": f"none of the goal's words was found; all actions: {counts}"},
    )
    assert (found["decision"]["type"], "words" in found["decision"]["reason"]) == (kind, False)


def test_a_word_that_only_the_context_has_was_found():
    pack = {"pack_id": "chess", "name": "Chess", "files": ["chess.md"], "purpose": "Playing chess"}
    known = world(
        atlas(actions=TICKETS, context_packs=[pack], files={"chess.md": b"# Chess\n\nPlay.\n"})
    )

    found = resolve(known, CLI, task_of("play chess"))

    assert found["confidence"] > 0
    assert found["decision"]["reason"] == "everything that was found is allowed"


def test_a_word_that_only_a_denied_action_has_was_found():
    kept = {"policy_id": "kept", "type": "deny", "actions": ["*.delete"]}

    found = resolve(world(atlas(actions=TICKETS), rules=[ALLOW, kept]), CLI, task_of("delete"))

    assert found["confidence"] == 0
    assert found["decision"]["reason"] == "2 allowed, 1 denied"


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ({"goal": ""}, "the goal"),
        ({"goal": " \n"}, "the goal"),
        ({"goal": "x" * (MAX_GOAL + 1)}, "the goal"),
        ({"goal": "x", "risk_tier": "extreme"}, "the risk tier"),
        ({"goal": "x", "risk_tier": ["low"]}, "the risk tier"),
        ({"goal": "x", "context": {"a": float("nan")}}, "the context"),
        ({"goal": "x", "hints": ("y",) * 300}, "at most"),
    ],
)
def test_a_task_that_cannot_be_meant_is_refused(arguments, expected):
    with pytest.raises(RequestRefused, match=expected):
        task_of(**arguments)


def test_a_task_is_recorded_with_all_that_it_states():
    stated = task_of(
        "x",
        risk_tier="high",
        hints=("h",),
        capabilities=("c",),
        atlas_ids=("com.a",),
        context={"k": 1},
    )

    assert stated.document() == {
        "task": {
            "goal": "x",
            "risk_tier": "high",
            "context_hints": ["h"],
            "required_capabilities": ["c"],
        },
        "atlas_ids": ["com.a"],
        "context": {"k": 1},
    }
    assert task_of("x").document() == {"task": {"goal": "x"}}


def test_what_the_caller_changes_afterwards_does_not_change_the_task():
    context = {"k": [1]}
    stated = task_of("x", context=context)

    context["k"].append(2)

    assert stated.context == {"k": [1]}
