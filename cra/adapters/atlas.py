"""The files of an atlas, of what a source has for it: manifest, rules, scenarios, README."""

from __future__ import annotations

import json
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, NamedTuple

from cra.adapters.imported import Effect, Imported, Mention
from cra.adapters.sample import NoSample, sample_of
from cra.errors import UsageError
from cra.printable import safe
from cra.redaction.detect import DEFAULT, find

# What one file of a manifest may hold is a mebibyte.
_MAX_PART: Final = 512 << 10
_MAX_SCENARIOS: Final = 200
_MAX_ACTIONS: Final = 16 << 20
# What stands there stands in another file as well.
_SAID_AGAIN: Final = frozenset(["README.md", "tests/scenarios.json"])
# Beyond them, a reader learns nothing from one more.
_MAX_MENTIONS: Final = 1_000
_REASONS: Final[Mapping[Effect, str]] = {
    "reads": "it only reads",
    "changes": "what changes something waits for a person",
    "deletes": "nothing is deleted",
}
_DECISIONS: Final[Mapping[Effect, tuple[str, str]]] = {
    "reads": ("allow", "is allowed"),
    "changes": ("requires_approval", "waits for an approval"),
    "deletes": ("deny", "is denied"),
}


class Naming(NamedTuple):
    """How an atlas is called; `prefix` begins the ids of its actions and rules."""

    atlas_id: str
    name: str
    prefix: str
    # The command that made it, for its README.
    made_by: str


def files_of(imported: Imported, naming: Naming) -> dict[str, bytes]:
    """Every file of the atlas by its path; the manifest is the last."""
    parts = list(_parts(imported.actions))
    scenarios = list(_scenarios(imported, naming.prefix))
    rules = _rules(imported, naming.prefix)
    paths = [f"actions-{number}.json" for number in range(1, len(parts) + 1)]
    manifest = {
        "atlas_version": "1.0",
        "atlas_id": naming.atlas_id,
        "version": "0.1.0",
        "name": naming.name,
        "description": imported.title,
        "capabilities": imported.capabilities,
        "actions": paths,
        "policies": ["policies.json"] if rules else [],
        "context_packs": imported.context_packs,
        "tests": ["tests/scenarios.json"] if scenarios else [],
    }
    files = dict(imported.files)
    files |= {path: _json(part) for path, part in zip(paths, parts, strict=True)}
    if rules:
        files["policies.json"] = _json(rules)
    if scenarios:
        files["tests/scenarios.json"] = _json({"scenarios": scenarios})
    files["README.md"] = _readme(imported, naming).encode()
    files["atlas.json"] = _json({key: value for key, value in manifest.items() if value})
    return files


def secrets_in(files: Mapping[str, bytes]) -> list[Mention]:
    """What reads as a secret in the files of an atlas, each with its line."""
    return [
        Mention(f"{path}:{text.count(chr(10), 0, one.start) + 1}", f"a secret? ({one.kind})")
        for path, data in files.items()
        if path not in _SAID_AGAIN
        for text in [data.decode(errors="replace")]
        for one in find(DEFAULT, text)
    ]


def _json(value: Any) -> bytes:
    return (json.dumps(value, indent=2, ensure_ascii=False) + "\n").encode()


def _parts(actions: Iterable[Mapping[str, Any]]) -> Iterator[list[Mapping[str, Any]]]:
    part: list[Mapping[str, Any]] = []
    size = total = 0
    for action in actions:
        length = len(_json(action))
        total += length
        if total > _MAX_ACTIONS:
            raise UsageError(
                f"expected actions of at most {_MAX_ACTIONS} bytes, found more",
                fix="make an atlas of each part of the source",
            )
        if part and size + length > _MAX_PART:
            yield part
            part, size = [], 0
        part.append(action)
        size += length
    if part:
        yield part


def _ids(imported: Imported, *effects: Effect) -> list[str]:
    return [one for one, effect in imported.effects.items() if effect in effects]


def _rules(imported: Imported, prefix: str) -> list[dict[str, Any]]:
    """A rule for each effect that there is; without an allow rule, nothing that waits is done."""
    rules = [
        _rule(f"{prefix}-reads", "allow", _ids(imported, "reads"), _REASONS["reads"]),
        _rule(
            f"{prefix}-changes", "require_approval", _ids(imported, "changes"), _REASONS["changes"]
        ),
        _rule(
            f"{prefix}-approved-changes",
            "allow",
            _ids(imported, "changes"),
            "what a person has approved is done",
        ),
        _rule(f"{prefix}-deletes", "deny", _ids(imported, "deletes"), _REASONS["deletes"]),
    ]
    return [rule for rule in rules if rule["actions"]]


def _rule(policy_id: str, kind: str, actions: list[str], reason: str) -> dict[str, Any]:
    return {"policy_id": policy_id, "type": kind, "actions": actions, "reason": reason}


def _scenarios(imported: Imported, prefix: str) -> Iterator[dict[str, Any]]:
    """A call of each action whose arguments can be guessed, and what its rule says of it."""
    if not imported.actions and imported.context_packs:
        yield {
            "name": "documents let nothing be done",
            "resolve": {"goal": imported.context_packs[0]["name"]},
            "expect": {"allowed": []},
        }
    left = _MAX_SCENARIOS
    size = 0
    for action in imported.actions:
        action_id = action["action_id"]
        try:
            parameters = sample_of(action["parameters_schema"])
        except NoSample:
            continue
        effect = imported.effects[action_id]
        decision, words = _DECISIONS[effect]
        scenario = {
            "name": f"{action_id} {words}",
            "call": {"action": action_id, "parameters": parameters},
            "expect": {"decision": decision, "policy_id": f"{prefix}-{effect}"},
        }
        left -= 1
        size += len(_json(scenario))
        if left < 0 or size > _MAX_PART:
            return
        yield scenario


def _readme(imported: Imported, naming: Naming) -> str:
    blocks = [
        f"# {_escaped(naming.name)}",
        _escaped(imported.title),
        f"Made by `{naming.made_by}`.",
    ]
    if imported.actions:
        blocks.append("## What was carried over")
        blocks.append("\n".join(_table(imported)))
        blocks.append(
            "Reading is allowed, what changes something waits for an approval, and deleting is "
            "denied: see `policies.json`."
        )
    elif imported.context_packs:
        blocks.append("## What was carried over")
        blocks.append(
            "\n".join(
                f"- {_escaped(one['name'])}: {_escaped(one['pack_id'])}"
                for one in imported.context_packs
            )
        )
    blocks += imported.remarks
    if imported.secrets:
        blocks.append("## Secrets")
        blocks.append(
            "The environment that an agent's calls run in has to hold these, and `secrets` in the "
            "project's `cra.config.json` has to name them."
        )
        blocks.append(
            "\n".join(f"- `{name}`: {_escaped(what)}" for name, what in imported.secrets.items())
        )
    if imported.reduced:
        blocks.append("## What was carried over in part")
        blocks.append("\n".join(_mentions(imported.reduced)))
    blocks.append("## What was not carried over")
    blocks.append("\n".join(_mentions(imported.left_out)) or "Nothing was left out.")
    return "\n\n".join(blocks) + "\n"


def _table(imported: Imported) -> Iterator[str]:
    yield "| action | what it does | decision |"
    yield "|---|---|---|"
    for action in imported.actions:
        _, words = _DECISIONS[imported.effects[action["action_id"]]]
        yield f"| `{action['action_id']}` | {_escaped(action['name'])} | {words} |"


def _mentions(mentions: tuple[Mention, ...]) -> Iterator[str]:
    for one in mentions[:_MAX_MENTIONS]:
        yield f"- {_escaped(one.where)}: {_escaped(one.words)}"
    if len(mentions) > _MAX_MENTIONS:
        yield f"- and {len(mentions) - _MAX_MENTIONS} more"


def _escaped(text: str) -> str:
    """A text of the source as Markdown shows it: what it says is no markup of this page."""
    return "".join(f"\\{char}" if char in "\\`*_[]<>|#!&~" else char for char in safe(text))
