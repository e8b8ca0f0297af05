"""`cra atlas validate`, `list`, `show`, `actions`, `context` and `test`: nothing is changed.

What a command works with is imported when it runs: its help is read more often than it is used.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, NamedTuple

import typer

from cra.cli import output
from cra.cli.options import Json, ProjectDir
from cra.cli.output import Cell
from cra.cli.project import open_config, project_dir, user_dirs
from cra.cli.tested import Tested, show_tested
from cra.errors import ExitCode, NotFound, UsageError
from cra.printable import did_you_mean

if TYPE_CHECKING:
    from cra.atlas.model import Action, Atlas, Capability, ContextPack, Pin, Snapshot
    from cra.atlas.problem import AtlasProblem, Problems
    from cra.cli.answers.atlas import (
        AtlasActionFacts,
        AtlasActionsAnswer,
        AtlasAnswer,
        AtlasContextAnswer,
        AtlasesValidateAnswer,
        AtlasListAnswer,
        AtlasProblemFacts,
        AtlasTestAnswer,
        AtlasValidateAnswer,
        CapabilityFacts,
        ListedAtlas,
        PackFacts,
        RuleFacts,
        ScenarioFacts,
    )
    from cra.cli.answers.policy import RemarkFacts
    from cra.policy.lint import Remark
    from cra.policy.rule import Rule
    from cra.resolver.scenario import Scenario

AtlasPath = Annotated[
    Path, typer.Argument(metavar="PATH", help="A directory with an atlas.json, or a zip of one.")
]
AnyAtlas = Annotated[
    str | None,
    typer.Argument(
        metavar="ID|PATH",
        help="An atlas of the project, or where one lies. None: all of the project.",
        show_default=False,
    ),
]
AtlasName = Annotated[
    str, typer.Argument(metavar="ID|PATH", help="The atlas's id, or where it lies.")
]
OneAtlas = Annotated[str | None, typer.Option("--atlas", metavar="ID", help="Of this atlas alone.")]

# About what a token of English text or of code takes.
_BYTES_PER_TOKEN: Final = 4
_COLUMNS: Final = 80


class _Checked(NamedTuple):
    """An atlas that was read, and what is wrong or odd about it."""

    label: str
    # None: not to be read.
    atlas: Atlas | None
    problems: Problems
    remarks: Sequence[Remark]


def validate(
    what: AnyAtlas = None, *, project: ProjectDir = None, as_json: Json = False
) -> ExitCode:
    """Check an atlas: its manifest, schemas, executors, rules and scenarios.

    Every mistake is listed with its file, line and column. The exit code is 0 if there is none, and
    2 if there is any; a warning, or a remark on a rule that can never matter, is no mistake.

      cra atlas validate
      cra atlas validate com.example.support
      cra atlas validate atlases/support --json
    """
    checked = [_checked(place, label) for place, label in _places(what, project)]
    if not as_json:
        for one in checked:
            _print_checked(one)
    elif what is None:
        each: AtlasesValidateAnswer = {
            "valid": not any(one.problems.errors for one in checked),
            "atlases": [_checked_facts(one) for one in checked],
        }
        output.answer_json(each)
    else:
        facts: AtlasValidateAnswer = _checked_facts(checked[0])
        output.answer_json(facts)
    return ExitCode.USAGE if any(one.problems.errors for one in checked) else ExitCode.OK


def list_atlases(project: ProjectDir = None, *, as_json: Json = False) -> None:
    """List the atlases of the project: versions, what they hold, where they lie.

    One that is loaded on request takes part only where it is named.

      cra atlas list
      cra atlas list --json
    """
    snapshot = open_atlases(project)
    if as_json:
        facts: AtlasListAnswer = {
            "snapshot": snapshot.digest,
            "atlases": [_listed(snapshot, atlas) for atlas in snapshot.atlases],
        }
        output.answer_json(facts)
        return
    if not snapshot.atlases:
        output.tell("no atlases; cra atlas add PATH takes one into the project")
        return
    table = [
        (
            atlas.atlas_id,
            atlas.version,
            len(atlas.actions),
            len(atlas.policies),
            len(atlas.context_packs),
            "on request" if atlas.atlas_id in snapshot.on_request else "always",
            snapshot.pins[atlas.atlas_id].source,
        )
        for atlas in snapshot.atlases
    ]
    headers = ("ATLAS", "VERSION", "ACTIONS", "RULES", "PACKS", "LOADED", "SOURCE")
    output.table(table, headers, cut=("SOURCE",))


def show(atlas: AtlasName, project: ProjectDir = None, *, as_json: Json = False) -> None:
    """Show an atlas: what it holds, what its rules may allow, and what its executors reach.

    Its own rules allow no more than was accepted when it was added. --json has the schemas as well.

      cra atlas show com.example.support
      cra atlas show com.example.support --json
    """
    root = project_dir(project, required=True)
    assert root is not None
    snapshot = open_atlases(project)
    [found] = _chosen(snapshot, atlas_id_of(atlas, root, snapshot.pins))
    pin = snapshot.pins[found.atlas_id]
    if as_json:
        output.answer_json(atlas_facts(found, pin))
        return
    print_atlas(found, pin)


def actions(*, atlas: OneAtlas = None, project: ProjectDir = None, as_json: Json = False) -> None:
    """List the actions of the project's atlases: their risk, what they run and their arguments.

    An argument with ? may be left out. --json has the schemas as well.

      cra atlas actions
      cra atlas actions --atlas com.example.support --json
    """
    snapshot = open_atlases(project)
    chosen = _chosen(snapshot, atlas)
    if as_json:
        rows = [_action_facts(one, action) for one in chosen for action in one.actions]
        facts: AtlasActionsAnswer = {"actions": rows}
        output.answer_json(facts)
        return
    table = [_action_row(action) for one in chosen for action in one.actions]
    if not table:
        output.tell("no actions")
        return
    headers = ("ACTION", "RISK", "RUNS", "ARGUMENTS", "DESCRIPTION")
    output.table(table, headers, cut=("ARGUMENTS", "DESCRIPTION"))


def context(*, atlas: OneAtlas = None, project: ProjectDir = None, as_json: Json = False) -> None:
    """List the context packs of the project's atlases.

    A resolution holds those whose conditions are met, by priority, as far as its tokens go.

      cra atlas context
      cra atlas context --atlas com.example.support --json
    """
    chosen = _chosen(open_atlases(project), atlas)
    if as_json:
        rows = [_pack_facts(one, pack) for one in chosen for pack in one.context_packs]
        facts: AtlasContextAnswer = {"context_packs": rows}
        output.answer_json(facts)
        return
    table = [
        (
            pack.pack_id,
            len(pack.files),
            _tokens(one, pack),
            pack.priority,
            f"{pack.ttl_seconds} s" if pack.ttl_seconds is not None else "-",
            pack.purpose or "-",
            one.atlas_id,
        )
        for one in chosen
        for pack in one.context_packs
    ]
    if not table:
        output.tell("no context packs")
        return
    headers = ("PACK", "FILES", "TOKENS", "PRIORITY", "TTL", "PURPOSE", "ATLAS")
    output.table(table, headers, cut=("PURPOSE", "ATLAS"))


def run_tests(
    what: AnyAtlas = None, *, project: ProjectDir = None, as_json: Json = False
) -> ExitCode:
    """Run the scenarios that an atlas lists under `tests`, and replay its goldens.

    Each is decided with this atlas alone, as its files are now, its grants accepted, and the
    default configuration. Nothing is executed or recorded. Goldens are what lies in the atlas's own
    goldens/, as cra golden record wrote it. The exit code is 1 if one fails.

      cra atlas test
      cra atlas test atlases/support
      cra atlas test com.example.support --json
    """
    from cra.atlas.manifest import load_atlas
    from cra.atlas.package import read_package

    results: list[tuple[str, Tested]] = []
    for place, label in _places(what, project):
        package = read_package(place)
        atlas = load_atlas(package, label)
        found = [*tested(atlas, label), *_replayed(atlas, package.files, label)]
        results += [(atlas.atlas_id, one) for one in found]
    if not results:
        raise UsageError(
            "expected scenarios or goldens, found none",
            fix="list files of scenarios under tests in the manifest",
        )
    failed = sum(bool(one.problems) for _, one in results)
    if as_json:
        facts: AtlasTestAnswer = {
            "passed": len(results) - failed,
            "failed": failed,
            "scenarios": [_result_facts(*result) for result in results],
        }
        output.answer_json(facts)
    else:
        show_tested([one for _, one in results])
    return ExitCode.NO if failed else ExitCode.OK


# What `cra atlas add` and `lock` show as well.


def open_atlases(project: Path | None) -> Snapshot:
    """The snapshot of the project that a command works in."""
    from cra.atlas.snapshot import open_snapshot

    config = open_config(project)
    assert config.project is not None
    return open_snapshot(config.project, config)


def atlas_facts(atlas: Atlas, pin: Pin) -> AtlasAnswer:
    return {
        "atlas_id": atlas.atlas_id,
        "version": atlas.version,
        "name": atlas.name,
        "description": atlas.description,
        "source": pin.source,
        "digest": pin.digest,
        "authors": list(atlas.authors),
        "license": atlas.license,
        "homepage": atlas.homepage,
        "repository": atlas.repository,
        "domains": list(atlas.domains),
        "certification": atlas.certification,
        "capabilities": [_capability_facts(capability) for capability in atlas.capabilities],
        "dependencies": dict(atlas.dependencies),
        "actions": [_action_facts(atlas, action) for action in atlas.actions],
        "policies": [rule_facts(rule) for rule in atlas.policies],
        "context_packs": [_pack_facts(atlas, pack) for pack in atlas.context_packs],
        "tests": list(atlas.tests),
        "grants": [pattern.text for pattern in pin.grants],
        "reach": list(pin.reach),
    }


def _listed(snapshot: Snapshot, atlas: Atlas) -> ListedAtlas:
    return {
        "atlas_id": atlas.atlas_id,
        "version": atlas.version,
        "name": atlas.name,
        "source": snapshot.pins[atlas.atlas_id].source,
        "digest": atlas.digest,
        "auto_load": atlas.atlas_id not in snapshot.on_request,
        "actions": len(atlas.actions),
        "policies": len(atlas.policies),
        "context_packs": len(atlas.context_packs),
    }


def _capability_facts(capability: Capability) -> CapabilityFacts:
    return {
        "capability_id": capability.capability_id,
        "name": capability.name,
        "actions": list(capability.actions),
        "context_packs": list(capability.context_packs),
    }


def rule_facts(rule: Rule) -> RuleFacts:
    from cra.policy.condition import words_of_conditions

    return {
        "policy_id": rule.policy_id,
        "type": rule.type,
        "actions": None if rule.patterns is None else list(map(str, rule.patterns)),
        "conditions": list(words_of_conditions(rule.conditions)),
        "reason": rule.reason,
        "where": str(rule.origin),
    }


def _action_facts(atlas: Atlas, action: Action) -> AtlasActionFacts:
    from cra.atlas.executor import reach_of

    executor = action.executor
    return {
        "action_id": action.action_id,
        "atlas_id": atlas.atlas_id,
        "name": action.name,
        "description": action.description,
        "risk_tier": action.risk_tier,
        "executor": executor.TYPE if executor else None,
        "reach": list(reach_of(executor)) if executor else [],
        "idempotent": action.idempotent,
        "timeout_ms": action.timeout_ms,
        "cost": action.cost,
        "parameters_schema": action.parameters_schema,
        "returns_schema": action.returns_schema,
    }


def print_atlas(atlas: Atlas, pin: Pin) -> None:
    """What an atlas is, and what it may do where it is accepted."""
    output.answer(f"{output.style(output.safe(atlas.atlas_id), 'accent')} {atlas.version}")
    facts = {
        "name": atlas.name,
        "about": atlas.description,
        "by": ", ".join(atlas.authors),
        "license": atlas.license,
        "source": pin.source,
        "needs": ", ".join(f"{name} {text}" for name, text in atlas.dependencies.items()),
    }
    for name, value in facts.items():
        if value:
            print_wrapped(f"  {name:<8} ", output.safe(value))
    if atlas.certification is not None:
        output.answer("  says of itself that it is certified, which nothing here checks")
    _print_list(
        "Actions (an argument with ? may be left out)",
        [_action_line(action) for action in atlas.actions],
    )
    _print_list("Rules", [_rule_line(rule) for rule in atlas.policies])
    packs = [f"{pack.pack_id}: {', '.join(pack.files)}" for pack in atlas.context_packs]
    _print_list("Context", packs)
    grants = [_grant_line(atlas, pattern.text) for pattern in pin.grants]
    _print_list("Its own rules may allow", grants)
    _print_list("It can reach", pin.reach)


def print_wrapped(label: str, text: str, *, hanging: int = 0) -> None:
    """A label and words after it, in lines that begin below the words."""
    from textwrap import wrap

    room = max(_COLUMNS - len(label), 20)
    lines = wrap(
        text,
        room,
        subsequent_indent=" " * hanging,
        break_long_words=False,
        break_on_hyphens=False,
    )
    for at, line in enumerate(lines):
        output.answer(f"{' ' * len(label) if at else label}{line}")


def tell_warnings(warnings: Iterable[AtlasProblem]) -> None:
    for problem in warnings:
        output.tell(f"warning: {output.safe(f'{problem.where}: {problem}')}")


def atlas_id_of(name: str, root: Path, pins: Mapping[str, Pin]) -> str:
    """The id of the pinned atlas that has a name as its id or lies there. Raises NotFound."""
    from cra.atlas.snapshot import place_of

    if name in pins:
        return name
    place = place_of(Path(), name)
    for atlas_id, pin in pins.items():
        if place_of(root, pin.source) == place:
            return atlas_id
    raise unknown_atlas(name, pins)


def unknown_atlas(atlas_id: str, known: Iterable[str]) -> NotFound:
    return NotFound(
        f"expected an atlas of this project, found {atlas_id!r:.80}{did_you_mean(atlas_id, known)}",
        fix="cra atlas list",
    )


def _chosen(snapshot: Snapshot, atlas_id: str | None) -> Sequence[Atlas]:
    if atlas_id is None:
        return snapshot.atlases
    found = [atlas for atlas in snapshot.atlases if atlas.atlas_id == atlas_id]
    if not found:
        raise unknown_atlas(atlas_id, snapshot.pins)
    return found


def _places(what: str | None, project: Path | None) -> list[tuple[Path, str]]:
    """Where the atlases lie that are meant, and their names in messages: a path goes before an id,
    and an id may be written as its last part. Raises NotFound."""
    from cra.atlas.lock import read_lock

    if what is not None and os.path.lexists(what):
        return [(Path(what), what)]
    root = project_dir(project, required=what is None)
    pins = read_lock(root) if root is not None else {}
    if what is None and not pins:
        raise NotFound("expected an atlas in the project, found none", fix="cra atlas add PATH")
    meant = [pins[what]] if what in pins else list(pins.values())
    if what is not None and what not in pins:
        meant = [pin for each, pin in pins.items() if each.rpartition(".")[2] == what]
        if not pins:
            return [(Path(what), what)]  # what reads it says how one begins
        if len(meant) != 1:
            raise unknown_atlas(what, pins)
    assert root is not None  # only a project has pins
    return [(root / pin.source, pin.source) for pin in meant]


# Checking.


def _checked(place: Path, label: str) -> _Checked:
    from cra.atlas.manifest import read_atlas
    from cra.atlas.package import read_package
    from cra.atlas.problem import Problems
    from cra.resolver.scenario import read_scenarios

    reading = read_atlas(read_package(place), label)
    problems = Problems(list(reading.errors), list(reading.warnings))
    if reading.atlas is None:
        return _Checked(label, None, problems, ())
    read_scenarios(reading.atlas, label, problems)
    return _Checked(label, reading.atlas, problems, _remarks(reading.atlas))


def _checked_facts(one: _Checked) -> AtlasValidateAnswer:
    return {
        "valid": not one.problems.errors,
        "path": one.label,
        "atlas_id": one.atlas and one.atlas.atlas_id,
        "version": one.atlas and one.atlas.version,
        "digest": one.atlas and one.atlas.digest,
        "problems": [_problem_facts(problem) for problem in one.problems.errors],
        "warnings": [_problem_facts(problem) for problem in one.problems.warnings],
        "remarks": [_remark_facts(one.label, remark) for remark in one.remarks],
    }


def _print_checked(one: _Checked) -> None:
    problems = one.problems
    _print_problems(problems.errors, "bad")
    _print_problems(problems.warnings, "warn")
    for remark in one.remarks:
        told = _remark_facts(one.label, remark)
        kind = "warning no-allow " if remark.kind == "no-allow" else ""
        output.answer(output.safe(f"{told['where']}: {kind}{told['message']}"))
    named = f"{one.atlas.atlas_id} {one.atlas.version}" if one.atlas else one.label
    verdict = output.style("invalid", "bad") if problems.errors else output.style("valid", "good")
    output.answer(f"{verdict}: {output.safe(named)}")


def _problem_facts(problem: AtlasProblem) -> AtlasProblemFacts:
    from cra.cli.config import problem_facts

    return {"code": problem.fault, **problem_facts(problem)}


def _remarks(atlas: Atlas) -> list[Remark]:
    """What is odd about an atlas's rules, looked at alone."""
    from cra.atlas.lock import grants_of
    from cra.policy.ladder import ActionFacts
    from cra.policy.lint import lint

    facts = {
        action.action_id: ActionFacts(atlas.atlas_id, action.risk_tier, action.cost)
        for action in atlas.actions
    }
    found = lint(atlas.policies, facts, {atlas.atlas_id: grants_of(atlas)})
    alone = "it has no allow rule, so nothing runs unless the project allows it"
    return [
        remark._replace(message=alone) if remark.kind == "no-allow" else remark
        for remark in found
        if remark.kind != "no-allow" or facts
    ]


def _remark_facts(label: str, remark: Remark) -> RemarkFacts:
    return {
        "kind": remark.kind,
        "policy_id": remark.policy_id,
        "where": f"{label}/{remark.origin}" if remark.origin else label,
        "message": remark.message,
    }


def _print_problems(problems: Iterable[AtlasProblem], style: str) -> None:
    for problem in problems:
        where = output.style(output.safe(problem.where), "accent")
        kind = "warning " if style == "warn" else ""
        code = output.style(f"{kind}{problem.fault.value}", style)
        output.answer(f"{where}: {code} {output.safe(str(problem))}")


def _print_list(title: str, lines: Sequence[str]) -> None:
    if lines:
        output.answer(f"  {title}:")
        for line in lines:
            print_wrapped("    ", output.safe(line), hanging=2)


def _action_line(action: Action) -> str:
    runs = action.executor.TYPE if action.executor else "nothing: declared, not executable"
    properties = action.parameters_schema.get("properties")
    schemas = properties.values() if isinstance(properties, dict) else ()
    typed = [
        f"{name}: {words}" if (words := _words_of_type(schema)) else name
        for name, schema in zip(_arguments(action), schemas, strict=True)
    ]
    arguments = ", ".join(typed) or "no arguments"
    return f"{action.action_id}({arguments}) {action.risk_tier or 'default'} risk, runs {runs}"


def _rule_line(rule: Rule) -> str:
    from cra.policy.condition import words_of_rule

    return f"{rule.policy_id}: {words_of_rule(rule)}"


def _grant_line(atlas: Atlas, action_id: str) -> str:
    """An action that is granted, and the atlas's own rule that denies it to everybody."""
    for rule in atlas.policies:
        patterns = rule.patterns
        is_about = patterns is None or any(pattern.matches(action_id) for pattern in patterns)
        if rule.type == "deny" and rule.is_unconditional and is_about:
            return f"{action_id}, which {rule.policy_id} denies in any case"
    return action_id


def _action_row(action: Action) -> tuple[str | Cell, ...]:
    return (
        action.action_id,
        action.risk_tier or "default",
        action.executor.TYPE if action.executor else Cell("nothing", "warn"),
        " ".join(_arguments(action)) or "-",
        action.description or action.name,
    )


def _arguments(action: Action) -> list[str]:
    """The names of its arguments; one that may be left out has a question mark."""
    properties = action.parameters_schema.get("properties")
    required = action.parameters_schema.get("required", ())
    names = properties if isinstance(properties, dict) else {}
    return [name if name in required else f"{name}?" for name in names]


def _words_of_type(schema: object) -> str:
    """The type of an argument, or its values if there are only some; nothing for any."""
    if not isinstance(schema, dict):
        return ""
    if "enum" in schema:
        return "|".join(json.dumps(value, ensure_ascii=False) for value in schema["enum"])
    stated = schema.get("type", "")
    return stated if isinstance(stated, str) else "|".join(stated)


def _pack_facts(atlas: Atlas, pack: ContextPack) -> PackFacts:
    return {
        "pack_id": pack.pack_id,
        "atlas_id": atlas.atlas_id,
        "name": pack.name,
        "purpose": pack.purpose,
        "priority": pack.priority,
        "files": list(pack.files),
        "conditions": {key: list(values) for key, values in pack.conditions.items()},
        "max_tokens": pack.max_tokens,
        "token_estimate": _tokens(atlas, pack),
        "ttl_seconds": pack.ttl_seconds,
    }


def _tokens(atlas: Atlas, pack: ContextPack) -> int:
    """About how many tokens its files have, without any limit on them."""
    return sum(-(-len(atlas.files[name]) // _BYTES_PER_TOKEN) for name in pack.files)


# Scenarios.


def tested(atlas: Atlas, label: str) -> list[Tested]:
    """Each scenario of an atlas, and what came out otherwise. Raises AtlasError for mistakes."""
    from cra.runtime.scenarios import run_scenarios

    return [_told(*one) for one in run_scenarios(atlas, label, user_dirs())]


def _replayed(atlas: Atlas, package: Mapping[str, bytes], label: str) -> list[Tested]:
    """Each golden of an atlas, and what differs."""
    if not any(name.startswith("goldens/") for name in package):
        return []
    from cra.replay.atlas import check_atlas

    return [
        Tested(
            f"{label}/goldens",
            one.name,
            [] if one.state == "passed" else one.causes(),
            f"{label}/goldens/{one.name}",
        )
        for one in check_atlas(atlas, package)
    ]


def _result_facts(atlas_id: str, one: Tested) -> ScenarioFacts:
    return {
        "atlas_id": atlas_id,
        "name": one.name,
        "where": one.where,
        "passed": not one.problems,
        "problems": list(one.problems),
    }


def _told(scenario: Scenario, problems: Sequence[str]) -> Tested:
    file, _, _ = scenario.where.rsplit(":", 2)
    return Tested(file, scenario.name, problems, scenario.where)
