"""`cra atlas add`, `lock` and `remove`: what a project accepts.

What a command works with is imported when it runs: its help is read more often than it is used.
"""

from __future__ import annotations

import json
import shlex
from collections.abc import Iterable, Iterator, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final

import typer

from cra.cli import output
from cra.cli.arguments import save
from cra.cli.atlas_read import (
    AtlasName,
    AtlasPath,
    atlas_facts,
    atlas_id_of,
    print_atlas,
    print_wrapped,
    tell_warnings,
)
from cra.cli.options import DryRun, Json, ProjectDir, Yes
from cra.cli.project import open_config, project_dir
from cra.config import FILE_NAME
from cra.errors import AtlasError, ExitCode, UsageError

if TYPE_CHECKING:
    from cra.atlas.acceptance import Acceptance
    from cra.atlas.lock import Change
    from cra.atlas.model import Atlas, Pin
    from cra.cli.answers.atlas import (
        AcceptanceFacts,
        AtlasAddAnswer,
        AtlasLockAnswer,
        AtlasRemoveAnswer,
        ChangeFacts,
    )
    from cra.config import Config

_NOTHING: Final = "nothing was changed"
# Facts of an action that say nothing of what it may do.
_DESCRIBING: Final = frozenset(
    ["name", "description", "idempotent", "parameters_schema", "returns_schema", "examples"]
)
# How many files of a change are printed.
_MAX_FILES: Final = 12


def add(
    path: AtlasPath,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    project: ProjectDir = None,
    as_json: Json = False,
) -> None:
    """Take an atlas into the project: pin its bytes, and accept what it may do.

    It shows the actions that the atlas's own rules may allow, and the programs, hosts, files and
    secrets that its executors reach. The pin goes into cra.atlases.lock, the path into
    cra.config.json; the files stay where they are.

      cra atlas add atlases/support
      cra atlas add support.zip --dry-run
      cra atlas add atlases/support --yes
    """
    from cra.atlas.acceptance import source_of
    from cra.atlas.lock import pin_of

    config = open_config(project)
    root = _root(config)
    atlas = read_atlas_at(path)
    pin = pin_of(atlas, source_of(root, path))
    is_done, _ = _with_pin(config, atlas, pin)
    _refuse_surrounding(root, path)
    facts: AtlasAddAnswer = {
        "dry_run": dry_run,
        "added": not is_done and not dry_run,
        **atlas_facts(atlas, pin),
    }
    if not as_json:
        print_atlas(atlas, pin)
    if not is_done and not dry_run:
        if not output.confirm(f"Add {atlas.atlas_id}, with all that it may do?", yes=yes):
            output.tell(_NOTHING)
            return
        accept(config, atlas, pin)
    if as_json:
        output.answer_json(facts)
    elif is_done:
        output.answer(f"nothing to do: {atlas.atlas_id} is in the project, as it is")
    else:
        output.answer(f"{'would add' if dry_run else 'added'}: {atlas.atlas_id} {atlas.version}")


def lock(
    *,
    check: Annotated[
        bool,
        typer.Option("--check", help="Change nothing; the exit code is 1 if something is changed."),
    ] = False,
    yes: Yes = False,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Show what changed in the project's atlases since they were accepted, and accept it.

    An atlas that differs from its pin is not opened until then. --check is for CI.

      cra atlas lock
      cra atlas lock --check
      cra atlas lock --yes
    """
    from cra.atlas.acceptance import acceptances, refuse_misfits
    from cra.atlas.lock import LOCK_NAME, changing, write_lock

    root = project_dir(project, required=True)
    assert root is not None
    seen = _stored(root)
    config = open_config(project)
    pins, is_broken = _read_pins(root)
    found = acceptances(root, config.atlases, pins)
    changed = [one for one in found if one.state != "same"]
    refuse_misfits(root, [one.atlas for one in found if one.atlas is not None])
    is_due = bool(changed) or is_broken
    if not as_json:
        for one in changed:
            _print_acceptance(one)
    accepted = is_due and not check and output.confirm(f"Accept it in {LOCK_NAME}?", yes=yes)
    if accepted:
        with changing(config.trace_directory):
            if _stored(root) != seen:
                raise UsageError(
                    "expected the atlases as they were shown, found others in the project by now",
                    fix="cra atlas lock",
                )
            write_lock(root, [one.after for one in found if one.after is not None])
    if as_json:
        facts: AtlasLockAnswer = {
            "changed": is_due,
            "accepted": accepted,
            "atlases": [_acceptance_facts(one) for one in found],
        }
        output.answer_json(facts)
    elif not is_due:
        output.answer(f"nothing changed: {len(found)} atlas{'es' * (len(found) != 1)}")
    else:
        output.answer("accepted" if accepted else "not accepted")
    return ExitCode.NO if is_due and not accepted else ExitCode.OK


def remove(
    atlas: AtlasName,
    *,
    dry_run: DryRun = False,
    yes: Yes = False,
    project: ProjectDir = None,
    as_json: Json = False,
) -> None:
    """Take an atlas out of the project: its pin and its entry in the configuration.

    Its files are kept.

      cra atlas remove com.example.support
      cra atlas remove atlases/support --dry-run
    """
    from cra.atlas.lock import changing, write_lock

    config = open_config(project)
    root = _root(config)
    pin, _ = _without_pin(root, atlas)
    atlas_id = pin.atlas_id
    if not dry_run:
        if not output.confirm(f"Remove {atlas_id}? Its files are kept.", yes=yes):
            output.tell(_NOTHING)
            return
        with changing(config.trace_directory):
            pin, pins = _without_pin(root, atlas)
            write_lock(root, pins)
            _write_sources(config, _listed(config, without=[pin]))
    if as_json:
        facts: AtlasRemoveAnswer = {
            "dry_run": dry_run,
            "removed": not dry_run,
            "atlas_id": atlas_id,
            "version": pin.version,
            "source": pin.source,
        }
        output.answer_json(facts)
        return
    what = "would remove" if dry_run else "removed"
    output.answer(f"{what}: {atlas_id}; its files are in {output.safe(pin.source)}")


# Adding and removing.


def _root(config: Config) -> Path:
    assert config.project is not None
    return config.project


def accept(config: Config, atlas: Atlas, pin: Pin) -> None:
    """Put an atlas into the project's lock and its configuration. Raises UsageError or AtlasError
    if it does not go with what is there."""
    from cra.atlas.lock import changing, write_lock

    with changing(config.trace_directory):
        _, pins = _with_pin(config, atlas, pin)
        write_lock(_root(config), pins)
        _write_sources(config, [*_listed(config, without=[pin]), pin.source])


def read_atlas_at(path: Path) -> Atlas:
    """The atlas at a path, its warnings told. Raises AtlasError with every mistake."""
    from cra.atlas.manifest import read_atlas
    from cra.atlas.package import read_package
    from cra.atlas.problem import Problems, refusal
    from cra.resolver.scenario import read_scenarios

    reading = read_atlas(read_package(path), str(path))
    problems = Problems(list(reading.errors), list(reading.warnings))
    if reading.atlas is not None:
        read_scenarios(reading.atlas, str(path), problems)
    if reading.atlas is None or problems.errors:
        fix = f"mend it; cra atlas validate {shlex.quote(str(path))}"
        raise refusal("an atlas", problems.errors, fix)
    tell_warnings(problems.warnings)
    return reading.atlas


def _with_pin(config: Config, atlas: Atlas, pin: Pin) -> tuple[bool, list[Pin]]:
    """Whether an atlas is in the project as it is, and the pins of now with its own among them.

    Raises UsageError or AtlasError if it does not go with them.
    """
    from cra.atlas.acceptance import pinned_atlases, refuse_misfits
    from cra.atlas.lock import read_lock

    root = _root(config)
    pins = read_lock(root)
    is_done = _is_added(config, pins.pop(atlas.atlas_id, None), pin)
    refuse_misfits(root, [*pinned_atlases(root, pins.values()), atlas])
    return is_done, [*pins.values(), pin]


def _without_pin(root: Path, atlas: str) -> tuple[Pin, list[Pin]]:
    """The pin of an atlas, by its id or its place, that no other needs, and the others of now.

    Raises UsageError.
    """
    from cra.atlas.acceptance import dependents
    from cra.atlas.lock import read_lock

    pins = read_lock(root)
    atlas_id = atlas_id_of(atlas, root, pins)
    pin = pins.pop(atlas_id)
    needing = dependents(root, pins, atlas_id)
    if needing:
        raise UsageError(
            f"expected an atlas that no other needs, found {atlas_id}, "
            f"which {', '.join(needing)} needs",
            fix=f"cra atlas remove {needing[0]}",
        )
    return pin, [*pins.values()]


def _is_added(config: Config, known: Pin | None, pin: Pin) -> bool:
    """Whether an atlas is in the project as it is. Raises UsageError if another of its id is."""
    from cra.atlas.snapshot import place_of

    if known is None:
        return False
    root = _root(config)
    place = place_of(root, pin.source)
    if place_of(root, known.source) != place:
        raise UsageError(
            f"expected an atlas that is not in the project, found {pin.atlas_id} "
            f"from {known.source}",
            fix=f"cra atlas remove {pin.atlas_id}",
        )
    if known.digest != pin.digest:
        raise UsageError(
            f"expected an atlas that is not in the project, found {pin.atlas_id}, "
            "which has changed since it was added",
            fix="cra atlas lock",
        )
    return any(place_of(root, source.path) == place for source in config.atlases)


def _refuse_surrounding(root: Path, path: Path) -> None:
    """An atlas that holds the project would change with every event and every pin."""
    if root.resolve().is_relative_to(path.resolve()):
        raise UsageError(
            "expected an atlas in a directory of its own, found one around the project",
            where=str(path),
        )


def _listed(config: Config, *, without: Iterable[Pin]) -> list[Any]:
    """The entries of `atlases` as they are written, but for those of some pins."""
    from cra.atlas.snapshot import place_of

    root = _root(config)
    document = _document(root)
    # What a user's own file lists is in force only while the project's file lists nothing.
    in_force = [
        source.path if source.auto_load else {"path": source.path, "auto_load": False}
        for source in config.atlases
    ]
    gone = {place_of(root, pin.source) for pin in without}
    return [
        entry
        for entry in document.get("atlases", in_force)
        if place_of(root, entry if isinstance(entry, str) else entry["path"]) not in gone
    ]


def _stored(root: Path) -> list[bytes | None]:
    """What says which atlases a project accepts."""
    from cra.atlas.lock import LOCK_NAME

    paths = [root / FILE_NAME, root / LOCK_NAME]
    return [path.read_bytes() if path.exists() else None for path in paths]


def _document(root: Path) -> dict[str, Any]:
    document: dict[str, Any] = json.loads((root / FILE_NAME).read_bytes())
    return document


def _write_sources(config: Config, entries: Sequence[Any]) -> None:
    root = _root(config)
    document = {**_document(root), "atlases": list(entries)}
    text = json.dumps(document, indent=2, ensure_ascii=False) + "\n"
    save(root / FILE_NAME, [text.encode()])


# Locking.


def _read_pins(root: Path) -> tuple[Mapping[str, Pin], bool]:
    """The pins, and whether the lock is broken: then it is written anew."""
    from cra.atlas.lock import read_lock

    try:
        return read_lock(root), False
    except AtlasError as error:
        output.tell(f"warning: {output.safe(f'{error.where}: {error.message}')}")
        return {}, True


def _print_acceptance(one: Acceptance) -> None:
    pin, change = one.pin, one.change
    if one.state == "new":
        assert one.atlas is not None
        output.answer(f"{output.style('new', 'warn')}: {pin.atlas_id}")
        print_atlas(one.atlas, pin)
        return
    label = output.style(one.state, "warn")
    output.answer(f"{label}: {output.safe(f'{pin.atlas_id} in {pin.source}')}")
    if change is None:
        output.answer("  configured no more; its pin goes")
        return
    assert one.before is not None
    if one.state == "moved":
        output.answer(f"  from {output.safe(one.before.source)}")
    for words, values in _change_lines(change):
        print_wrapped(f"  {words:<16} ", output.safe(", ".join(values)))
    if change.is_partly_unknown:
        words = "the lock does not hold all of what was accepted before"
        print_wrapped(f"  {'not told':<16} ", words)
    for words, line in _restriction_lines(change):
        print_wrapped(f"  {words:<16} ", output.safe(line), hanging=2)


def _change_lines(change: Change) -> list[tuple[str, Sequence[str]]]:
    lines: list[tuple[str, Sequence[str]]] = [
        ("version", [" → ".join(change.version)] if change.version else []),
        ("now allows", change.grants_wider),
        ("allows no more", change.grants_unused),
        ("now reaches", change.reach_added),
        ("reaches no more", change.reach_removed),
        ("files added", _first(change.files_added)),
        ("files removed", _first(change.files_removed)),
        ("files changed", _first(change.files_changed)),
    ]
    return [(words, values) for words, values in lines if values]


def _restriction_lines(change: Change) -> Iterator[tuple[str, str]]:
    """What is there no more, anew or otherwise, each in a line of its own."""
    for name, rule in change.rules_removed.items():
        yield "rule gone", f"{name}: {rule}"
    for name, rule in change.rules_added.items():
        yield "new rule", f"{name}: {rule}"
    for name, (before, now) in change.rules_changed.items():
        yield "rule changed", f"{name}: {before} → {now}"
    if change.actions_removed:
        yield "actions gone", ", ".join(change.actions_removed)
    for name, facts in change.actions_added.items():
        shown = {fact: value for fact, value in facts.items() if fact not in _DESCRIBING}
        about = ", ".join(f"{fact} {value}" for fact, value in shown.items())
        yield "new action", f"{name}: {about or 'nothing stated'}"
    for name, pairs in change.actions_changed.items():
        for fact, (old, new) in pairs.items():
            lower = " (lower)" if fact == "risk_tier" and _is_lower(old, new) else ""
            yield (
                "action changed",
                f"{name}: {fact} {old or 'unstated'} → {new or 'unstated'}{lower}",
            )
    yield from _part_lines(
        "pack",
        change.context_packs_added,
        change.context_packs_removed,
        change.context_packs_changed,
    )
    yield from _part_lines(
        "capability",
        change.capabilities_added,
        change.capabilities_removed,
        change.capabilities_changed,
    )


def _part_lines(
    what: str,
    added: Mapping[str, Mapping[str, str]],
    removed: Sequence[str],
    changed: Mapping[str, Mapping[str, tuple[str | None, str | None]]],
) -> Iterator[tuple[str, str]]:
    for name in removed:
        yield f"{what} gone", name
    for name, facts in added.items():
        yield (
            f"new {what}",
            f"{name}: {', '.join(f'{fact} {text}' for fact, text in facts.items())}",
        )
    for name, pairs in changed.items():
        for fact, (old, new) in pairs.items():
            yield f"{what} changed", f"{name}: {fact} {old or 'unstated'} → {new or 'unstated'}"


def _is_lower(before: str | None, now: str | None) -> bool:
    from typing import get_args

    from cra.config import RiskTier

    tiers = get_args(RiskTier)
    return before in tiers and now in tiers and tiers.index(now) < tiers.index(before)


def _first(names: Sequence[str]) -> Sequence[str]:
    """As many names as a person reads; `--json` has all."""
    if len(names) <= _MAX_FILES:
        return names
    return [*names[:_MAX_FILES], f"and {len(names) - _MAX_FILES} more"]


def _acceptance_facts(one: Acceptance) -> AcceptanceFacts:
    change = one.change if one.state != "same" else None
    return {
        "atlas_id": one.pin.atlas_id,
        "source": one.pin.source,
        "state": one.state,
        "grants": [pattern.text for pattern in one.pin.grants],
        "reach": list(one.pin.reach),
        "change": None if change is None else _change_facts(change),
    }


def _change_facts(change: Change) -> ChangeFacts:
    return {
        "version": change.version,
        "files_added": change.files_added,
        "files_removed": change.files_removed,
        "files_changed": change.files_changed,
        "grants_wider": change.grants_wider,
        "grants_unused": change.grants_unused,
        "reach_added": change.reach_added,
        "reach_removed": change.reach_removed,
        "rules_added": change.rules_added,
        "rules_removed": change.rules_removed,
        "rules_changed": change.rules_changed,
        "actions_added": change.actions_added,
        "actions_removed": change.actions_removed,
        "actions_changed": change.actions_changed,
        "context_packs_added": change.context_packs_added,
        "context_packs_removed": change.context_packs_removed,
        "context_packs_changed": change.context_packs_changed,
        "capabilities_added": change.capabilities_added,
        "capabilities_removed": change.capabilities_removed,
        "capabilities_changed": change.capabilities_changed,
        "is_partly_unknown": change.is_partly_unknown,
    }
