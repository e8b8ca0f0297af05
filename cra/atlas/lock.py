"""`cra.atlases.lock`: which bytes of which atlases a project accepted, and what they may do.

The lock is JSON with sorted keys, one entry per atlas. A change of an atlas is told by it: which
files, which grants, what its executors reach that they did not reach before, and which rules and
facts of its actions, context packs and capabilities are gone, new or other ones: a restriction that
is lost is nowhere else to see.
"""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, Final, Literal, NamedTuple, TypeAlias

from cra.atlas.executor import facts_of, facts_of_part, reach_of
from cra.atlas.fields import ActionId, AtlasId, FilePath, SemVer, Word
from cra.atlas.model import Atlas, Pin
from cra.atlas.package import read_file
from cra.atlas.problem import Problems, read_source, refusal
from cra.config.values import WRONG, Limits, read_value
from cra.errors import AtlasError, Fault
from cra.ledger import files
from cra.policy.condition import words_of_rule
from cra.policy.pattern import MAX_ACTION_ID, PATTERN, Pattern
from cra.policy.rule import Rule

LOCK_NAME: Final = "cra.atlases.lock"
# It names every file of every atlas, and cra writes it, not a person.
MAX_LOCK_BYTES: Final = 16 << 20

_Digest: TypeAlias = Annotated[str, Limits("a SHA-256 in hex", pattern=r"[0-9a-f]{64}")]
_Pattern: TypeAlias = Annotated[
    str,
    Limits(
        "an action id or a glob like ticket.*",
        pattern=PATTERN.pattern.removesuffix(r"\Z"),
        max_length=MAX_ACTION_ID,
    ),
]
_Path: TypeAlias = Annotated[str, Limits("a path", pattern=r"[^\x00]+")]


@dataclass(frozen=True)
class LockedAtlas:
    version: SemVer
    source: _Path
    digest: _Digest
    grants: tuple[_Pattern, ...]
    files: Mapping[FilePath, _Digest]
    reach: tuple[Word, ...]
    rules: Mapping[Word, Word] | None = None
    actions: Mapping[ActionId, Mapping[Word, Word]] | None = None
    context_packs: Mapping[Word, Mapping[Word, Word]] | None = None
    capabilities: Mapping[Word, Mapping[Word, Word]] | None = None


@dataclass(frozen=True)
class LockFile:
    """What `cra.atlases.lock` holds."""

    lock_version: Literal["1"]
    atlases: Mapping[AtlasId, LockedAtlas] = field(default_factory=dict)


@dataclass(frozen=True)
class Change:
    """How an atlas differs from what was accepted of it; empty members mean no difference."""

    version: tuple[str, str] | None
    files_added: tuple[str, ...]
    files_removed: tuple[str, ...]
    files_changed: tuple[str, ...]
    # Actions that its rules allow and the accepted grants do not; grants that nothing uses now.
    grants_wider: tuple[str, ...]
    grants_unused: tuple[str, ...]
    # Programs, hosts, files, secrets and Python that its executors reach, or reach no longer.
    reach_added: tuple[str, ...]
    reach_removed: tuple[str, ...]
    # By policy_id: the rule in words, or how it read and how it reads now.
    rules_added: Mapping[str, str]
    rules_removed: Mapping[str, str]
    rules_changed: Mapping[str, tuple[str, str]]
    # By action: what holds for it, or each fact that is another one, None where none is stated.
    actions_added: Mapping[str, Mapping[str, str]]
    actions_removed: tuple[str, ...]
    actions_changed: Mapping[str, Mapping[str, tuple[str | None, str | None]]]
    # The same of context packs and of capabilities, by their ids.
    context_packs_added: Mapping[str, Mapping[str, str]]
    context_packs_removed: tuple[str, ...]
    context_packs_changed: Mapping[str, Mapping[str, tuple[str | None, str | None]]]
    capabilities_added: Mapping[str, Mapping[str, str]]
    capabilities_removed: tuple[str, ...]
    capabilities_changed: Mapping[str, Mapping[str, tuple[str | None, str | None]]]
    # The lock does not say all of what was accepted, so that some of it is not told.
    is_partly_unknown: bool = False

    def __bool__(self) -> bool:
        return any(vars(self).values())


class _PartsChange(NamedTuple):
    added: Mapping[str, Mapping[str, str]]
    removed: tuple[str, ...]
    changed: Mapping[str, Mapping[str, tuple[str | None, str | None]]]


def grants_of(atlas: Atlas) -> tuple[Pattern, ...]:
    """The actions of an atlas that its own allow rules name.

    Each by its id: a glob that is accepted today would cover what a later version adds to it.
    """
    rules = [rule for rule in atlas.policies if rule.type == "allow"]
    return tuple(
        Pattern(action_id)
        for action_id in sorted(action.action_id for action in atlas.actions)
        if any(
            rule.patterns is None or any(pattern.matches(action_id) for pattern in rule.patterns)
            for rule in rules
        )
    )


def pin_of(atlas: Atlas, source: str) -> Pin:
    """The pin that accepts an atlas as it is, with all that its rules grant."""
    return Pin(
        atlas_id=atlas.atlas_id,
        version=atlas.version,
        source=source,
        digest=atlas.digest,
        grants=grants_of(atlas),
        files={name: hashlib.sha256(data).hexdigest() for name, data in atlas.files.items()},
        reach=_reach(atlas),
        rules={rule.policy_id: _words_of(rule) for rule in atlas.policies},
        actions={action.action_id: facts_of(action) for action in atlas.actions},
        context_packs={pack.pack_id: facts_of_part(pack) for pack in atlas.context_packs},
        capabilities={one.capability_id: facts_of_part(one) for one in atlas.capabilities},
    )


def compare(pin: Pin, atlas: Atlas) -> Change:
    """What accepting an atlas would change about its pin."""
    now = pin_of(atlas, pin.source)
    common = pin.files.keys() & now.files.keys()
    is_unknown = None in (pin.rules, pin.actions, pin.context_packs, pin.capabilities)
    rules = now.rules or {}
    old_rules = rules if pin.rules is None else pin.rules
    actions = _parts_change(pin.actions, now.actions or {})
    packs = _parts_change(pin.context_packs, now.context_packs or {})
    capabilities = _parts_change(pin.capabilities, now.capabilities or {})
    return Change(
        version=(pin.version, now.version) if pin.version != now.version else None,
        files_added=_beyond(now.files, pin.files),
        files_removed=_beyond(pin.files, now.files),
        files_changed=tuple(sorted(name for name in common if pin.files[name] != now.files[name])),
        grants_wider=_uncovered(now.grants, pin.grants),
        grants_unused=tuple(
            old.text for old in pin.grants if not any(old.matches(new.text) for new in now.grants)
        ),
        reach_added=_beyond(now.reach, pin.reach),
        reach_removed=_beyond(pin.reach, now.reach),
        rules_added={name: rules[name] for name in _beyond(rules, old_rules)},
        rules_removed={name: old_rules[name] for name in _beyond(old_rules, rules)},
        rules_changed=_changed(old_rules, rules),
        actions_added=actions.added,
        actions_removed=actions.removed,
        actions_changed=actions.changed,
        context_packs_added=packs.added,
        context_packs_removed=packs.removed,
        context_packs_changed=packs.changed,
        capabilities_added=capabilities.added,
        capabilities_removed=capabilities.removed,
        capabilities_changed=capabilities.changed,
        is_partly_unknown=is_unknown and pin.digest != now.digest,
    )


def read_lock(project: Path) -> dict[str, Pin]:
    """The pins of a project; none if it has no lock. Raises AtlasError with every mistake."""
    path = project / LOCK_NAME
    data = read_file(path, MAX_LOCK_BYTES)
    if data is None:
        return {}
    problems = Problems()
    source, node = read_source(str(path), data, problems, max_bytes=MAX_LOCK_BYTES)
    lock: Any = WRONG
    if node is not None:
        lock = read_value(LockFile, node, "", source.noting(Fault.MALFORMED))
    if problems.errors:
        raise refusal("a lock", problems.errors, "cra atlas lock writes it anew")
    return {name: _pin(name, entry) for name, entry in lock.atlases.items()}


@contextmanager
def changing(trace_directory: Path) -> Iterator[None]:
    """Let one process at a time read what a project accepts and write it anew.

    It is held across no question. Raises OSError.
    """
    files.make_ledger_directory(trace_directory)
    with files.exclusive_lock(trace_directory / "locks" / "project.lock"):
        yield


def write_lock(project: Path, pins: Iterable[Pin]) -> None:
    """Put the pins in the place of the old ones: a reader finds either, never a part."""
    entries = {pin.atlas_id: _entry(pin) for pin in pins}
    lock = {"atlases": entries, "lock_version": "1"}
    text = json.dumps(lock, indent=2, sort_keys=True, ensure_ascii=False) + "\n"
    path = project / LOCK_NAME
    temporary = path.with_name(f"{LOCK_NAME}.{os.getpid()}.tmp")
    try:
        # A link that waits there would send the bytes elsewhere: the name has to be new.
        fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o644)
        with open(fd, "wb") as stream:
            stream.write(text.encode())
            stream.flush()
            os.fsync(fd)
        temporary.rename(path)
    except OSError as error:
        temporary.unlink(missing_ok=True)
        message = f"expected to write the lock, found: {error.strerror}"
        raise AtlasError(Fault.UNREADABLE, message, where=str(path)) from None


def _words_of(rule: Rule) -> str:
    """All that a rule says, in words."""
    words = words_of_rule(rule)
    return (
        f"{words}; reason {json.dumps(rule.reason, ensure_ascii=False)}" if rule.reason else words
    )


def _parts_change(
    before: Mapping[str, Mapping[str, str]] | None, now: Mapping[str, Mapping[str, str]]
) -> _PartsChange:
    """How parts of one kind differ; not at all where the lock says nothing of them."""
    old = now if before is None else before
    return _PartsChange(
        added={name: now[name] for name in _beyond(now, old)},
        removed=_beyond(old, now),
        changed={
            name: _facts_changed(facts, now[name])
            for name, facts in sorted(old.items())
            if name in now and facts != now[name]
        },
    )


def _reach(atlas: Atlas) -> tuple[str, ...]:
    executors = [action.executor for action in atlas.actions if action.executor is not None]
    return tuple(sorted({line for executor in executors for line in reach_of(executor)}))


def _changed(before: Mapping[str, str], now: Mapping[str, str]) -> dict[str, tuple[str, str]]:
    common = sorted(before.keys() & now.keys())
    return {name: (before[name], now[name]) for name in common if before[name] != now[name]}


def _facts_changed(
    before: Mapping[str, str], now: Mapping[str, str]
) -> dict[str, tuple[str | None, str | None]]:
    names = sorted(before.keys() | now.keys())
    pairs = {name: (before.get(name), now.get(name)) for name in names}
    return {name: (old, new) for name, (old, new) in pairs.items() if old != new}


def _beyond(some: Iterable[str], others: Iterable[str]) -> tuple[str, ...]:
    return tuple(sorted(set(some).difference(others)))


def _uncovered(new: Sequence[Pattern], old: Sequence[Pattern]) -> tuple[str, ...]:
    # In the text of a new glob `*` is a segment that only a `*` of an old one takes in.
    return tuple(
        pattern.text for pattern in new if not any(each.matches(pattern.text) for each in old)
    )


def _pin(atlas_id: str, entry: LockedAtlas) -> Pin:
    grants = tuple(Pattern(text) for text in entry.grants)
    return Pin(
        atlas_id,
        entry.version,
        entry.source,
        entry.digest,
        grants,
        entry.files,
        entry.reach,
        entry.rules,
        entry.actions,
        entry.context_packs,
        entry.capabilities,
    )


def _entry(pin: Pin) -> dict[str, Any]:
    told = {
        "rules": pin.rules,
        "actions": pin.actions,
        "context_packs": pin.context_packs,
        "capabilities": pin.capabilities,
    }
    return {
        "version": pin.version,
        "source": pin.source,
        "digest": pin.digest,
        "grants": [pattern.text for pattern in pin.grants],
        "files": dict(pin.files),
        "reach": list(pin.reach),
        **{key: value for key, value in told.items() if value is not None},
    }
