"""Everything that a project's atlases and policies say, read once, under one digest.

The digest of a snapshot is the SHA-256, in lower-case hex, of `cra snapshot 2` LF and the canonical
JSON of `{"atlases": {id: {"digest", "grants", "version"}}, "on_request": [id],
"policies": {path: SHA-256 of the file}, "settings": {name: value}}`: the settings in force that
decide, wherever they are set. Where an atlas lies is no part of it.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any, Final

from cra import canonical
from cra.atlas.dependency import dependency_problems
from cra.atlas.lock import LOCK_NAME, pin_of, read_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.model import Action, Atlas, Pin, Snapshot
from cra.atlas.package import package_at, read_package
from cra.atlas.problem import AtlasProblem, Problems, read_source, refusal
from cra.config import Config
from cra.errors import AtlasError, Fault, NotFound
from cra.policy.document import read_rules
from cra.policy.rule import Rule, RuleOrigin

POLICIES: Final = "policies"
_RULE_SUFFIXES: Final = (".json", ".yaml", ".yml")
_DOMAIN: Final = b"cra snapshot 2\n"
_LOCK: Final = "cra atlas lock"
_MAX_TOLD: Final = 3
_MEND: Final = "cra schema policy has what a rule may hold"
# Of a syntax no schema has the words.
_MEND_SYNTAX: Final = "mend it; cra policy check says whether all is read then"


def open_snapshot(project: Path, config: Config) -> Snapshot:
    """The snapshot of a project: what its lock pins, and its own rules.

    Raises AtlasError if the configuration and the lock name different atlases, an atlas has other
    bytes than its pin, or anything in them is wrong.
    """
    pins = read_lock(project)
    on_request = _matched(project, config, pins)
    packages = [package_at(project, pin.source, pin.atlas_id) for pin in pins.values()]
    changed = [
        f"{pin.atlas_id} ({pin.source}): {_files_told(pin.files, package.files)}"
        for pin, package in zip(pins.values(), packages, strict=True)
        if pin.digest != package.digest
    ]
    if changed:
        raise AtlasError(
            Fault.CHANGED,
            f"expected the bytes that {LOCK_NAME} pins, found others in {'; '.join(changed)}",
            fix=f"{_LOCK} shows what changed and accepts it",
        )
    atlases = [
        _pinned(load_atlas(package, pin.source, is_pinned=True), pin)
        for pin, package in zip(pins.values(), packages, strict=True)
    ]
    rules, digests = _rules_in(project / POLICIES, POLICIES)
    return _assembled(atlases, pins, rules, digests, on_request, config)


def snapshot_of(
    atlases: Iterable[Atlas], policies: Iterable[Rule] = (), config: Config | None = None
) -> Snapshot:
    """A snapshot without a project: each atlas is accepted as it is. Raises AtlasError."""
    atlases, rules = list(atlases), tuple(policies)
    pins = {atlas.atlas_id: pin_of(atlas, atlas.atlas_id) for atlas in atlases}
    # Rules that no file holds are told apart by what they are.
    digests = {rule.policy_id: hashlib.sha256(repr(rule).encode()).hexdigest() for rule in rules}
    return _assembled(atlases, pins, rules, digests, frozenset(), config or Config())


def read_policies(project: Path) -> tuple[Rule, ...]:
    """The project's own rules, of every file in `policies/`. Raises AtlasError."""
    return _rules_in(project / POLICIES, POLICIES)[0]


def where_written(snapshot: Snapshot, origin: RuleOrigin) -> str:
    """Where a rule is written, from the project's directory."""
    pin = snapshot.pins.get(origin.atlas_id or "")
    if pin is None:
        return str(origin)
    # What an action declares of itself is in no place of its own.
    return f"{pin.source}/{origin}" if origin.line else pin.source


def files_without_rules(project: Path, rules: Iterable[Rule]) -> list[str]:
    """The files in `policies/` that none of the project's rules is written in."""
    written = {rule.origin.file for rule in rules}
    return [file for file in _rules_in(project / POLICIES, POLICIES)[1] if file not in written]


def policies_at(path: Path) -> tuple[Rule, ...]:
    """The rules of a file, or of every file in a directory. Raises AtlasError or NotFound."""
    if not path.exists():
        raise NotFound("expected a file of rules, or a directory, found none", where=str(path))
    if path.is_dir():
        return _rules_in(path, str(path))[0]
    return rules_of(str(path), path.read_bytes())


def rules_of(file: str, data: bytes) -> tuple[Rule, ...]:
    """The rules that a file holds. Raises AtlasError."""
    problems = Problems()
    rules = _rules_of(file, data, problems)
    if problems.errors:
        raise _refusal(problems)
    return rules


def _matched(project: Path, config: Config, pins: Mapping[str, Pin]) -> frozenset[str]:
    """The atlases that load on request alone. The lock and the configuration have to agree."""
    configured = {place_of(project, source.path): source for source in config.atlases}
    pinned = {place_of(project, pin.source): pin for pin in pins.values()}
    unlocked = [source.path for place, source in configured.items() if place not in pinned]
    unnamed = [pin.atlas_id for place, pin in pinned.items() if place not in configured]
    for path in unlocked:
        # To lock what is not there would not help.
        package_at(project, path)
    if unlocked or unnamed:
        parts = [f"{path} is in the configuration alone" for path in unlocked]
        parts += [f"{name} is in the lock alone" for name in unnamed]
        raise AtlasError(
            Fault.UNLOCKED,
            f"expected the same atlases in the configuration and in {LOCK_NAME}, found: "
            + ", ".join(parts),
            fix=_LOCK,
        )
    return frozenset(
        pin.atlas_id for place, pin in pinned.items() if not configured[place].auto_load
    )


def _files_told(before: Mapping[str, str], now: Mapping[str, bytes]) -> str:
    """Which files of an atlas are others than its pin says, as many as a line has room for."""
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in now.items()}
    states = [
        *(f"{name} is gone" for name in sorted(before.keys() - digests.keys())),
        *(f"{name} is new" for name in sorted(digests.keys() - before.keys())),
        *(
            f"{name} is changed"
            for name in sorted(before.keys() & digests.keys())
            if before[name] != digests[name]
        ),
    ]
    more = len(states) - _MAX_TOLD
    rest = [f"and {more} more"] if more > 0 else []
    return ", ".join([*states[:_MAX_TOLD], *rest])


def place_of(project: Path, path: str) -> str:
    """One spelling of a path, by its text: what it leads to is settled when it is opened."""
    return os.path.normpath(project.absolute() / path)


def _pinned(atlas: Atlas, pin: Pin) -> Atlas:
    if (atlas.atlas_id, atlas.version) != (pin.atlas_id, pin.version):
        raise AtlasError(
            Fault.CHANGED,
            f"expected {pin.atlas_id} {pin.version} in {pin.source}, "
            f"found {atlas.atlas_id} {atlas.version}",
            fix=_LOCK,
        )
    return atlas


def _refusal(problems: Problems) -> AtlasError:
    is_syntax = all(one.fault == Fault.UNREADABLE for one in problems.errors)
    return refusal("policies", problems.errors, _MEND_SYNTAX if is_syntax else _MEND)


def _rules_in(folder: Path, label: str) -> tuple[tuple[Rule, ...], dict[str, str]]:
    """The rules in a directory, and the digest of each file, by its path below a label."""
    if not os.path.lexists(folder):
        return (), {}
    problems = Problems()
    rules: list[Rule] = []
    digests: dict[str, str] = {}
    for name, data in _rule_files(folder, label, problems):
        file = f"{label}/{name}"
        digests[file] = hashlib.sha256(data).hexdigest()
        rules += _rules_of(file, data, problems)
    if problems.errors:
        raise _refusal(problems)
    return tuple(rules), digests


def _rules_of(file: str, data: bytes, problems: Problems) -> tuple[Rule, ...]:
    source, node = read_source(file, data, problems)
    if node is None:
        return ()
    note = source.noting(Fault.MALFORMED)
    return read_rules(node, note, file=file, place=source.place, atlas_id=None)


def _rule_files(folder: Path, label: str, problems: Problems) -> Iterator[tuple[str, bytes]]:
    """The files that hold rules. A rule in a file that is passed over would protect nobody, so
    only what cannot be meant as one is."""
    for name, data in read_package(folder).files.items():
        if name.endswith(_RULE_SUFFIXES) and "/" not in name:
            yield name, data
        elif not name.startswith(".") and not name.endswith(".md"):
            expected = "rules in *.json and *.yaml, and notes in *.md, without directories"
            file = f"{label}/{name}"
            problems.errors.append(
                AtlasProblem(file, 0, 0, "the file", expected, "another", fault=Fault.MALFORMED)
            )


def _assembled(
    atlases: list[Atlas],
    pins: Mapping[str, Pin],
    rules: tuple[Rule, ...],
    digests: Mapping[str, str],
    on_request: frozenset[str],
    config: Config,
) -> Snapshot:
    errors = [*_twins(atlases), *_twin_rules(atlases, rules, pins), *dependency_problems(atlases)]
    if errors and all(problem.file.startswith(f"{POLICIES}/") for problem in errors):
        raise refusal("policies", errors, "give the project's rule another policy_id")
    if errors:
        raise refusal("atlases", errors, "mend them, or take one out of the configuration")
    ordered = tuple(sorted(atlases, key=lambda atlas: atlas.atlas_id))
    return Snapshot(
        atlases=ordered,
        pins=dict(sorted(pins.items())),
        actions=_actions(ordered),
        policies=rules,
        digest=_digest(pins, digests, on_request, config),
        on_request=on_request,
    )


def _actions(atlases: Iterable[Atlas]) -> dict[str, tuple[Atlas, Action]]:
    return {action.action_id: (atlas, action) for atlas in atlases for action in atlas.actions}


def _twins(atlases: Iterable[Atlas]) -> Iterator[AtlasProblem]:
    """Ids of atlases and of actions that two atlases have."""
    seen: dict[str, str] = {}
    ids: set[str] = set()
    for atlas in atlases:
        if atlas.atlas_id in ids:
            yield _twin(atlas.atlas_id, "atlas_id", "each atlas once", "it again")
        ids.add(atlas.atlas_id)
        for action in atlas.actions:
            other = seen.setdefault(action.action_id, atlas.atlas_id)
            if other != atlas.atlas_id:
                expected = "each action in one atlas"
                yield _twin(atlas.atlas_id, action.action_id, expected, f"it in {other} too")


def _twin_rules(
    atlases: Iterable[Atlas], rules: Iterable[Rule], pins: Mapping[str, Pin]
) -> Iterator[AtlasProblem]:
    """Ids that two rules have: a decision names one rule, so an id has to be one.

    The project's own rules come last: those can be mended in the project.
    """
    seen: dict[str, Rule] = {}
    for rule in [*(rule for atlas in atlases for rule in atlas.policies), *rules]:
        other = seen.setdefault(rule.policy_id, rule)
        if other is not rule:
            origin, first = rule.origin, other.origin
            owner = f" of the atlas {first.atlas_id}" if first.atlas_id else ""
            yield AtlasProblem(
                _path_of(origin, pins),
                origin.line,
                origin.column,
                rule.policy_id,
                "each policy_id once in a project",
                f"it at {_path_of(first, pins)}:{first.line}:{first.column}{owner} too",
                fault=Fault.DUPLICATE,
            )


def _path_of(origin: RuleOrigin, pins: Mapping[str, Pin]) -> str:
    """The file of a rule, from the project's directory."""
    pin = pins.get(origin.atlas_id or "")
    return f"{pin.source}/{origin.file}" if pin else origin.file


def _twin(file: str, key: str, expected: str, found: str) -> AtlasProblem:
    return AtlasProblem(file, 0, 0, key, expected, found, fault=Fault.DUPLICATE)


def _digest(
    pins: Mapping[str, Pin],
    rule_files: Mapping[str, str],
    on_request: Iterable[str],
    config: Config,
) -> str:
    said: dict[str, Any] = {
        "atlases": {
            name: {
                "digest": pin.digest,
                "grants": sorted(pattern.text for pattern in pin.grants),
                "version": pin.version,
            }
            for name, pin in pins.items()
        },
        "on_request": sorted(on_request),
        "policies": dict(rule_files),
        # What a configuration states of an agent need not be in canonical form.
        "settings": canonical.wrap(config.deciding()),
    }
    return hashlib.sha256(_DOMAIN + canonical.encode(said)).hexdigest()
