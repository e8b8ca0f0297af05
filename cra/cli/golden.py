"""`cra golden`: record golden traces, list them, and decide on what differs from them."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal

import typer

from cra.amount import counted
from cra.cli import output
from cra.cli.options import Json, ProjectDir, Yes
from cra.cli.project import open_config
from cra.cli.select import SessionName, find_session
from cra.errors import ExitCode, NotFound, UsageError
from cra.printable import did_you_mean

if TYPE_CHECKING:
    from cra.cli.answers.replay import (
        GoldenListAnswer,
        GoldenRecordAnswer,
        ListedGolden,
        ReviewedAnswer,
        ReviewedGolden,
        WaitingAnswer,
    )
    from cra.config import Config

# Of a manifest's digest in a table; --json has all of it.
_SHOWN_DIGITS: Final = 12
_QUESTION: Final = "accept [a], reject [r], skip [s], details [d], edit [e], quit [q], then enter? "


def record(
    session: SessionName,
    *,
    name: Annotated[
        str, typer.Option("--name", "-n", metavar="NAME", help="What the golden is called.")
    ],
    replaces: Annotated[
        bool, typer.Option("--replace", help="Record it in the place of one of that name.")
    ] = False,
    yes: Yes = False,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Make a golden trace of a session: goldens/NAME, to be committed.

    It holds the session's events with their checkpoint, and a manifest that says on which atlases
    and rules it was recorded. It is replayed at once: what a fresh recording cannot be held
    against, its manifest says. Lines in .gitattributes keep git from changing its line ends.

      cra golden record last --name refund-denied
    """
    from cra.replay.record import record as record_golden

    config = open_config(project)
    path = find_session(config.trace_directory, session)
    _refuse_secrets(path, yes=yes)
    done = record_golden(config, path, name, replaces=replaces)
    report = done.report
    if as_json:
        facts: GoldenRecordAnswer = {
            "name": name,
            "manifest": os.path.relpath(done.manifest),
            "events": report.golden_events,
            "compatibility": report.compatibility,
            "unverifiable": list(report.unverifiable),
        }
        output.answer_json(facts)
    else:
        place = os.path.relpath(done.manifest)
        output.answer(f"Recorded: {output.safe(place)}, {counted(report.golden_events, 'event')}")
        for text in report.unverifiable:
            output.answer(output.wrapped(f"cannot be decided again: {text}", indent="  "))
    if report.state != "passed":
        output.tell("note: it differs already; cra replay says how")
        return ExitCode.NO
    output.tell(
        f"next: git add {output.safe(os.path.relpath(done.manifest.parent))} .gitattributes"
    )
    output.tell("next: cra replay")
    return ExitCode.OK


def list_goldens(*, project: ProjectDir = None, as_json: Json = False) -> None:
    """List the golden traces: how long they are, what a replay says of them, and what has changed.

    Nothing runs, also where a manifest says that actions do.

    cra golden list
    """
    from cra.cli.ledger import trust_of
    from cra.replay.check import Settings, check_all
    from cra.replay.golden import FOLDER, find_manifests, sha256_of
    from cra.replay.manifest import read_manifest
    from cra.replay.writing import pending_of

    config = open_config(project)
    assert config.project is not None
    folder = config.project / FOLDER
    try:
        manifests = find_manifests(folder)
    except NotFound:
        manifests = []
    rows: list[ListedGolden] = []
    settings = Settings(trust=trust_of(config, None), is_at_rest=True)
    for report in check_all(manifests, config, settings):
        steps = () if report.error else read_manifest(report.manifest).steps
        waits = pending_of(report.manifest.parent).is_dir()
        rows.append(
            {
                "name": report.name,
                "manifest": os.path.relpath(report.manifest),
                "steps": len(steps),
                "events": report.golden_events,
                "state": report.state,
                "compatibility": report.compatibility,
                "changed": list(report.changed),
                "pending": waits,
                "modified": _modified(report.manifest),
                "digest": sha256_of(report.manifest) or "",
            }
        )
    if as_json:
        facts: GoldenListAnswer = {"goldens": rows}
        output.answer_json(facts)
        return
    if not rows:
        output.tell("no golden: cra golden record SESSION --name NAME makes one")
        return
    table = [
        (
            row["name"],
            row["steps"],
            row["compatibility"] or row["state"],
            row["modified"][:10],
            row["digest"][:_SHOWN_DIGITS],
            "waits" if row["pending"] else "",
            ", ".join(row["changed"]),
        )
        for row in rows
    ]
    headers = ("GOLDEN", "STEPS", "VERDICT", "WRITTEN", "DIGEST", "REVIEW", "CHANGED SINCE")
    output.table(table, headers, cut=("CHANGED SINCE",))


def review(
    names: Annotated[
        list[str] | None,
        typer.Argument(metavar="GOLDEN", help="Only these goldens.", show_default=False),
    ] = None,
    *,
    accepts: Annotated[bool, typer.Option("--accept", help="Accept all of them.")] = False,
    rejects: Annotated[bool, typer.Option("--reject", help="Reject all of them.")] = False,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Decide on what a replay found otherwise, one golden after the other.

    A replay that differs writes NAME.new beside the golden. Accepted, it is the golden; rejected,
    it goes. The exit code is 1 while something waits.

      cra golden review
      cra golden review refund-denied --accept
    """
    if accepts and rejects:
        raise UsageError("expected one of --accept and --reject, found both")
    config = open_config(project)
    waiting = _waiting(config, names or [])
    done: list[ReviewedGolden] = []
    if not waiting and not as_json:
        output.answer("nothing waits")
    is_asked = not (accepts or rejects)
    if is_asked and waiting and (as_json or not output.is_interactive()):
        _list_waiting(waiting, as_json=as_json)
        return ExitCode.NO
    for pending in waiting:
        choice = "a" if accepts else "r" if rejects else _ask(pending)
        if choice == "q":
            break
        done.append(_decide(pending, choice, as_json=as_json))
    if as_json:
        facts: ReviewedAnswer = {"decided": done}
        output.answer_json(facts)
    left = sum(one["decision"] == "skipped" for one in done) + len(waiting) - len(done)
    return ExitCode.NO if left else ExitCode.OK


def _refuse_secrets(path: Path, *, yes: bool) -> None:
    """Ask before something that reads like a secret is committed. Raises UsageError."""
    from cra.runtime.leaks import leaks

    found = list(leaks([path]))
    if found:
        places = ", ".join(str(one.sequence) for one in found[:5])
        what = counted(len(found), "event")
        question = f"{what} hold what reads like a secret ({places}). Record it all the same?"
        if not output.confirm(question, yes=yes):
            raise UsageError(
                "expected a session without secrets, found what reads like one",
                where=str(path),
                fix="cra trace verify --secrets says where",
            )


def _modified(path: Path) -> str:
    from cra.cli.arguments import time_of_file

    return time_of_file(path)


def _waiting(config: Config, names: list[str]) -> list[Path]:
    from cra.replay.golden import FOLDER, PENDING
    from cra.replay.writing import all_pending

    assert config.project is not None
    found = all_pending(config.project / FOLDER)
    if not names:
        return found
    by_name = {path.name.removesuffix(PENDING): path for path in found}
    for name in names:
        if name not in by_name:
            raise NotFound(
                f"expected a golden with a difference that waits, found none for {name!r:.80}"
                f"{did_you_mean(name, by_name)}",
                fix="cra golden review",
            )
    return [by_name[name] for name in names]


def _list_waiting(waiting: list[Path], *, as_json: bool) -> None:
    if as_json:
        facts: WaitingAnswer = {"waiting": [os.path.relpath(path) for path in waiting]}
        output.answer_json(facts)
        return
    for path in waiting:
        output.answer(output.safe(os.path.relpath(path)))
    output.tell("next: cra golden review on a terminal, or with --accept or --reject")


def _ask(pending: Path) -> str:
    """What the user decides, having seen the differences."""
    _show(pending, all_of_them=False)
    while True:
        sys.stderr.write(f"\n{_QUESTION}")
        sys.stderr.flush()
        line = sys.stdin.readline()
        choice = line.strip().lower()[:1] if line else "q"
        if choice == "d":
            _show(pending, all_of_them=True)
        elif choice == "e":
            _edit(pending)
        elif choice in {"a", "r", "s", "q"}:
            return choice


def _show(pending: Path, *, all_of_them: bool) -> None:
    from cra.cli.differences import show_differences
    from cra.replay.differing import compare_pending, golden_of, tally

    compared = compare_pending(pending)
    golden = golden_of(pending)
    comparison = compared.comparison
    output.answer(
        f"\n{output.style(output.safe(golden.name), 'accent')}  "
        f"{comparison.compatibility.replace('_', ' ')}, {tally(comparison.differences)}"
    )
    show_differences(comparison.differences, compared.golden, all_of_them=all_of_them)


def _edit(pending: Path) -> None:
    """Open both in the user's editor; what it is called is the user's own word."""
    import shlex
    import subprocess

    from cra.replay.golden import PENDING, manifest_in, trace_of

    golden = pending.with_name(pending.name.removesuffix(PENDING))
    stated = os.environ.get("VISUAL") or os.environ.get("EDITOR") or "vi"
    paths = [str(trace_of(manifest_in(each))) for each in (golden, pending)]
    try:
        subprocess.run([*shlex.split(stated), *paths], check=False)
    except (OSError, ValueError) as error:
        found = error.strerror if isinstance(error, OSError) else stated
        output.tell(f"expected an editor, found {output.safe(str(found))}: set EDITOR")


def _decide(pending: Path, choice: str, *, as_json: bool) -> ReviewedGolden:
    from cra.replay.golden import PENDING
    from cra.replay.writing import accept, reject

    name = pending.name.removesuffix(PENDING)
    word: Literal["accepted", "rejected", "skipped"]
    match choice:
        case "a":
            accept(pending)
            word = "accepted"
        case "r":
            reject(pending)
            word = "rejected"
        case _:
            word = "skipped"
    if not as_json:
        output.answer(f"{word.capitalize()}: {output.safe(name)}")
    return {"name": name, "decision": word}
