"""`cra replay`: do golden traces again under today's rules, and say what has changed."""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeVar, get_args

import typer

from cra.amount import counted
from cra.cli import output
from cra.cli.ledger import Keys, trust_of
from cra.cli.options import Json, ProjectDir, Yes
from cra.cli.project import open_config, user_dirs
from cra.cli.select import find_session
from cra.errors import ExitCode, GoldenRefused, NotFound, UsageError
from cra.printable import did_you_mean
from cra.replay.golden import FOLDER

if TYPE_CHECKING:
    from cra.cli.answers.project import ErrorFacts
    from cra.cli.answers.replay import ReplayAnswer
    from cra.config import Config
    from cra.replay.check import Report

_Word = TypeVar("_Word")

_WORDS: Final = {
    "passed": ("passed", "good"),
    "different": ("DIFFERENT", "bad"),
    "refused": ("REFUSED", "bad"),
    "integrity": ("DAMAGED", "bad"),
}
_CODES: Final = {
    "passed": ExitCode.OK,
    "different": ExitCode.NO,
    "refused": ExitCode.USAGE,
    "integrity": ExitCode.INTEGRITY,
}


def replay(
    places: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="GOLDEN",
            help="A golden's name, its manifest, or a directory for all below it. None: all of "
            "goldens.",
            show_default=False,
        ),
    ] = None,
    *,
    manifest: Annotated[
        list[str] | None,
        typer.Option(
            "--manifest",
            "-m",
            metavar="GOLDEN",
            help="Another way to write GOLDEN; can be repeated.",
        ),
    ] = None,
    mode: Annotated[
        str | None,
        typer.Option(
            "--mode",
            metavar="MODE",
            help="decide, compare, execute or verify; see cra help replay.",
        ),
    ] = None,
    order: Annotated[
        str | None,
        typer.Option(
            "--order", metavar="ORDER", help="partial, strict, unordered, subset or superset."
        ),
    ] = None,
    trace: Annotated[
        str | None,
        typer.Option("--trace", metavar="SESSION", help="What is compared in the mode compare."),
    ] = None,
    fail_on: Annotated[
        str, typer.Option("--fail-on", metavar="WEIGHT", help="breaking, minor or any.")
    ] = "breaking",
    update: Annotated[
        bool, typer.Option("--update", help="Let what was found be the golden, once it was shown.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Update in CI, where nobody looks at it, too.")
    ] = False,
    signed: Annotated[
        bool, typer.Option("--require-signed", help="Refuse a golden that no --key has signed.")
    ] = False,
    key: Keys = None,
    base: Annotated[
        str | None,
        typer.Option(
            "--base", metavar="REF", help="List the goldens changed since a git revision."
        ),
    ] = None,
    junit: Annotated[
        Path | None, typer.Option("--junit", metavar="FILE", help="Write a JUnit report.")
    ] = None,
    github: Annotated[
        bool | None,
        typer.Option("--github/--no-github", help="Annotations and a summary for GitHub Actions."),
    ] = None,
    keep: Annotated[
        Path | None,
        typer.Option("--keep", metavar="DIR", help="Keep the ledgers of the replays there."),
    ] = None,
    yes: Yes = False,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Do golden traces again under today's atlases and rules, and say what has changed.

    What was asked and what came of it is taken from the recording; what may be known and done is
    decided anew. Nothing runs, but with --mode execute, and then in a copy of the project. What
    differs is written beside the golden, for cra golden review; in CI it is not.

    The exit code is 0 if nothing differs that counts, 1 if something does, 2 for a golden that
    cannot be replayed, 3 for one that is not what was recorded.

      cra replay refund-denied
      cra replay --manifest goldens/refund-denied/manifest.json
      cra replay --fail-on minor --junit report.xml
      cra replay --mode compare --trace last refund-denied
    """
    from cra.replay.check import FailOn, check_all, is_ci, usual_settings
    from cra.replay.compare import Order
    from cra.replay.manifest import Mode

    config = open_config(project)
    chosen_mode = one_of(mode, get_args(Mode), "--mode")
    is_looked_at = not is_ci(os.environ)
    if update and not is_looked_at and not force:
        raise UsageError(
            "expected --update where somebody looks at it, found CI", fix="add --force"
        )
    if signed and not key and not os.environ.get("CRA_VERIFY_KEY"):
        raise UsageError("expected a key to hold signatures against, found none", fix="--key FILE")
    if trace is not None and chosen_mode not in (None, "compare"):
        raise UsageError(f"expected --trace in the mode compare, found {mode}")
    manifests = list(_manifests(config, [*(manifest or ()), *(places or ())]))
    settings = replace(
        usual_settings(trust_of(config, key), os.environ, user_dirs()),
        mode="compare" if trace is not None else chosen_mode,
        order=one_of(order, get_args(Order), "--order"),
        fail_on=one_of(fail_on, get_args(FailOn), "--fail-on") or "breaking",
        against=find_session(config.trace_directory, trace) if trace is not None else None,
        keep=keep.absolute() if keep is not None else None,
        is_signed=signed,
        writes=(is_looked_at or update) and trace is None,
        refreshes=update,
    )
    reports = list(_followed(check_all(manifests, config, settings), len(manifests)))
    stale = [] if is_looked_at else _stale(config, manifests)
    code = max([*(_CODES[one.state] for one in reports), ExitCode.NO if stale else ExitCode.OK])
    changed = _changed_since(config, base, manifests) if base is not None else None
    if as_json:
        output.answer_json(_facts(reports, stale, changed))
    else:
        _show(reports, stale, changed)
    if junit is not None or github is not False:
        from cra.cli.replay_reports import report_to_ci

        report_to_ci(reports, stale, junit=junit, github=github)
    if update:
        return _update(reports, code, yes=yes)
    return code


def one_of(text: str | None, words: Sequence[_Word], option: str) -> _Word | None:
    if text is None:
        return None
    for word in words:
        if word == text:
            return word
    listed = ", ".join(map(str, words))
    raise UsageError(f"expected {option} {listed}, found {text!r:.40}")


def _manifests(config: Config, places: Sequence[str]) -> Iterator[Path]:
    """The manifests that are named, each once, in the order of the names.

    What is there as a path is one, also where a golden has it for its name. Raises NotFound, or
    UsageError for one outside of the project.
    """
    from cra.replay.golden import find_manifests

    assert config.project is not None  # open_config has refused all else
    root = config.project.resolve()
    seen = set()
    for place in places or [os.path.relpath(config.project / FOLDER)]:
        found = [Path(place)]
        if not found[0].exists() and any(char in place for char in "*?["):
            found = sorted(Path().glob(place)) if not Path(place).is_absolute() else found
            if not found:
                raise NotFound("expected a golden's manifest, found none", where=place)
        elif places and not found[0].exists():
            recorded = _recorded(config)
            found = [one for one in recorded if one.parent.name == place]
            if not found:
                # A path is answered with a path.
                named = {one.parent.name: os.path.relpath(one.parent) for one in recorded}
                asked = did_you_mean(Path(place).name, named, named if "/" in place else {})
                raise NotFound(
                    f"expected a golden by its name or its path, found none{asked}",
                    where=place,
                    fix="cra golden list",
                )
        for path in (one for each in found for one in find_manifests(each)):
            real = path.resolve()
            if not real.is_relative_to(root):
                raise UsageError(
                    f"expected a golden of the project {root}, found one outside",
                    where=str(path),
                    fix=f"cra replay -C {path.parent}",
                )
            if real not in seen:
                seen.add(real)
                yield path


def _recorded(config: Config) -> list[Path]:
    from cra.replay.golden import find_manifests

    assert config.project is not None
    try:
        return find_manifests(config.project / FOLDER)
    except NotFound:
        return []


def _followed(reports: Iterable[Report], total: int) -> Iterator[Report]:
    with output.progress(total, "replaying") as advance:
        for report in reports:
            advance(1)
            yield report


def _stale(config: Config, manifests: Sequence[Path]) -> list[str]:
    """What is among the goldens of the project and belongs to none, which CI does not accept."""
    from cra.replay.golden import leftovers

    assert config.project is not None
    return [os.path.relpath(path) for path in leftovers(config.project / FOLDER, manifests)]


def _changed_since(config: Config, base: str, manifests: Sequence[Path]) -> list[str]:
    from cra.replay.base import changed_since

    assert config.project is not None
    changed = changed_since(config.project, os.environ, base)
    folders = {path.parent.resolve(): path for path in manifests}
    return [
        str(path)
        for folder, path in folders.items()
        if any(one.is_relative_to(folder) for one in changed)
    ]


def _facts(
    reports: Sequence[Report], stale: Sequence[str], changed: Sequence[str] | None
) -> ReplayAnswer:
    from cra.cli.differences import difference_facts

    return {
        "passed": sum(one.state == "passed" for one in reports),
        "failed": sum(one.state != "passed" for one in reports),
        "goldens": [
            {
                "name": one.name,
                "manifest": str(one.manifest),
                "mode": one.mode,
                "state": one.state,
                "compatibility": one.compatibility,
                "golden_events": one.golden_events,
                "found_events": one.found_events,
                "differences": [*map(difference_facts, one.differences)],
                "changed": list(one.changed),
                "unverifiable": list(one.unverifiable),
                "warnings": list(one.warnings),
                "pending": None if one.pending is None else str(one.pending),
                "error": _error(one),
            }
            for one in reports
        ],
        "left_over": list(stale),
        "changed_since_base": None if changed is None else list(changed),
    }


def _error(one: Report) -> ErrorFacts | None:
    if one.error is None:
        return None
    code, message, where, fix = one.error
    return {"code": code, "message": message, "where": where, "fix": fix}


def _show(reports: Sequence[Report], stale: Sequence[str], changed: Sequence[str] | None) -> None:
    passed = sum(one.state == "passed" for one in reports)
    failed = len(reports) - passed
    told = f"{failed} failed"
    shown = output.style(told, "bad") if failed else told
    output.answer(f"{counted(len(reports), 'golden')}: {passed} passed, {shown}\n")
    show_reports(reports)
    for path in stale:
        output.answer(output.labelled("left over", "bad", f": {path}"))
    if stale:
        output.tell("fix: cra golden review for what waits; remove what no manifest names")
    for path in changed or ():
        output.answer(f"changed since the base: {output.safe(path)}")
    _tell_next(reports)


def show_reports(reports: Sequence[Report]) -> None:
    """Print a line for each golden, and how those differ that did not pass."""
    from cra.replay.differing import tally

    room = max((len(one.name) for one in reports), default=0)
    for one in reports:
        word, style = _WORDS[one.state]
        facts: list[str] = [one.mode]
        if one.compatibility is not None:
            facts.append(one.compatibility.replace("_", " "))
        if one.differences:
            facts.append(tally(one.differences))
        padded = output.style(f"{word:<9}", style)
        output.answer(f"{padded}  {output.safe(one.name):<{room}}  {', '.join(facts)}")
    for one in reports:
        if one.state != "passed" or (one.differences and output.is_verbose()):
            _show_one(one)


def _show_one(one: Report) -> None:
    from cra.cli.differences import show_differences
    from cra.replay.golden import trace_of

    output.answer(f"\n{output.style(output.safe(one.name), 'accent')}  {one.manifest}")
    if one.error is not None:
        code, message, where, fix = one.error
        first, *others = message.split("\n")
        output.answer(output.labelled(f"  {code}", "bad", f": {first}"))
        for line in others:
            output.answer(output.wrapped(line, indent="  ", hang="  "))
        for name, text in (("where", where), ("fix", fix)):
            if text:
                output.answer(f"  {name}: {output.safe(text)}")
        return
    if one.changed:
        output.answer(
            output.wrapped(
                f"since it was recorded: {', '.join(one.changed)}", indent="  ", hang="  "
            )
        )
    try:
        show_differences(one.differences, trace_of(one.manifest), all_of_them=output.is_verbose())
    except (FileNotFoundError, GoldenRefused):
        # Another replay was here; what the differences stood among is no more.
        output.tell(f"{output.safe(one.name)}: decided on meanwhile; cra replay says how")


def _tell_next(reports: Sequence[Report]) -> None:
    for one in reports:
        for text in one.warnings:
            output.tell(f"warning: {output.safe(one.name)}: {output.safe(text)}")
        if one.unverifiable:
            what = counted(len(one.unverifiable), "call")
            output.tell(
                f"{output.safe(one.name)}: {what} cannot be decided again, as recorded", detail=True
            )
    if any(one.pending for one in reports):
        output.tell("next: cra golden review")


def _update(reports: Sequence[Report], code: ExitCode, *, yes: bool) -> ExitCode:
    """Let what was found be the goldens, if the user wants it after having seen it."""
    from cra.replay.writing import accept

    waiting = [one for one in reports if one.pending is not None]
    if not waiting:
        return code
    if code > ExitCode.NO:
        output.tell("nothing was updated: not every golden could be replayed")
        return code
    what = counted(len(waiting), "golden")
    if not output.confirm(f"Update {what}?", yes=yes):
        output.tell("nothing was updated")
        return code
    code = ExitCode.OK
    for one in waiting:
        assert one.pending is not None
        try:
            output.answer(f"Updated: {output.safe(str(accept(one.pending)))}")
        except NotFound:
            # Another replay was here, and has written or accepted what it found itself.
            output.tell(f"{output.safe(one.name)}: decided on meanwhile; cra replay says how")
            code = ExitCode.NO
    return code
