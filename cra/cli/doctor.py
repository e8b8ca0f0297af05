"""`cra doctor`: whether everything here is in order, and the command that mends what is not."""

from __future__ import annotations

import os
import re
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cra import __version__, config, scaffold
from cra.amount import counted
from cra.cli import output
from cra.cli.ledger import trust_of
from cra.cli.options import Json, ProjectDir, TraceDir
from cra.cli.project import open_signer, refuse_nowhere, user_dirs
from cra.config import FILE_NAME, Config, find_project
from cra.errors import ExitCode, SignerRefused
from cra.ledger.checkpoint import parse_key
from cra.ledger.source import Source

if TYPE_CHECKING:
    from cra.cli.answers.project import CheckFacts, DoctorAnswer
    from cra.ledger.verify import Trust
    from cra.runtime.health import HealthCheck, Surroundings

_STYLES: Final = {"OK": "good", "WARN": "warn", "FAIL": "bad"}


def doctor(
    *,
    fix: Annotated[
        bool,
        typer.Option("--fix", help="Make a missing trace directory, close an open key (0600)."),
    ] = False,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Check that everything here is in order: cra, the key, the project, and what is recorded.

    Each line is OK, WARN or FAIL, with the command that mends it; -q leaves out what is OK. Nothing
    is changed without --fix. The exit code is 1 if anything fails. The lines can be pasted into a
    report: your home directory is written ~.

      cra doctor
      cra doctor --fix
      cra doctor --json
    """
    from cra.runtime.health import examine

    around = _surroundings(project, trace_dir)
    checks = list(examine(around))
    mended = _mend(around, checks) if fix else []
    if mended:
        checks = list(examine(_surroundings(project, trace_dir)))
    states = [check.state for check in checks]
    if as_json:
        facts: DoctorAnswer = {
            "checks": [_facts(check) for check in checks],
            "mended": mended,
            "healthy": "FAIL" not in states,
        }
        output.answer_json(facts)
    else:
        _print(checks, mended)
    return ExitCode.NO if "FAIL" in states else ExitCode.OK


def _surroundings(stated: Path | None, trace_dir: Path | None) -> Surroundings:
    """What there is to look at, also where it is not as any other command wants it."""
    from cra.runtime.health import Surroundings

    if stated is not None:
        refuse_nowhere(stated)
    place = find_project(Path()) if stated is None else stated.absolute()
    if place is not None and not (place / FILE_NAME).is_file():
        place = None
    overrides = {} if trace_dir is None else {"trace.directory": str(trace_dir.absolute())}
    dirs = user_dirs()
    loaded, problems = config.read(place, os.environ, dirs.config_file, overrides)
    trust = _trust(loaded)
    return Surroundings(place, loaded, problems, dirs, os.environ, trust, Source().now())


def _trust(loaded: Config) -> Trust | SignerRefused:
    """Whom to trust, or why that cannot be told; a bad key of the user's own has a check."""
    from cra.ledger.verify import Trust

    try:
        listed = Trust((), tuple(map(parse_key, loaded.keys)))
        try:
            open_signer()
        except SignerRefused:
            return listed
        return trust_of(loaded, None)
    except SignerRefused as error:
        return error


def _mend(around: Surroundings, checks: Sequence[HealthCheck]) -> list[str]:
    """Do what is safe to do without a question, and say what it was."""
    mended = []
    repairs = {check.repair for check in checks}
    if "key" in repairs:
        around.dirs.signing_key.chmod(0o600)
        mended.append(_shown(f"chmod 600 {around.dirs.signing_key}"))
    if "trace directory" in repairs and around.project is not None:
        missing = scaffold.missing_files(around.project, around.config.trace.directory)
        files = [file for file in missing if file.path.parent == around.directory]
        scaffold.write(files, {"version": __version__})
        mended += [_shown(f"made {file.path}") for file in files]
    return mended


def _print(checks: Sequence[HealthCheck], mended: Sequence[str]) -> None:
    for line in mended:
        output.answer(f"{'mended':<8}{output.safe(line)}")
    for check in checks:
        if check.state == "OK" and output.is_quiet():
            continue
        state = output.style(f"{check.state:<6}", _STYLES[check.state])
        text = _shown(f"{check.name + ':':<11}{check.message}")
        output.answer(state + output.wrapped(text, indent=" " * 6, hang=" " * 11)[6:])
        if check.fix is not None and check.state != "OK":
            output.answer(output.wrapped(_shown(f"fix: {check.fix}"), indent=" " * 17, hang="  "))
    failures = sum(check.state == "FAIL" for check in checks)
    warnings = sum(check.state == "WARN" for check in checks)
    output.tell(f"{counted(len(checks), 'check')}: {failures} FAIL, {warnings} WARN")


def _facts(check: HealthCheck) -> CheckFacts:
    return {
        "name": check.name,
        "state": check.state,
        "message": _shown(check.message),
        "fix": _shown(check.fix) if check.fix is not None else None,
        "can_fix": check.repair is not None,
    }


def _shown(text: str) -> str:
    """Text without the name of the home directory."""
    homes = {str(Path.home()), os.path.realpath(Path.home())} - {"/"}
    for home in sorted(homes, key=len, reverse=True):
        text = re.sub(rf"{re.escape(home)}(?![\w.-])", "~", text)
    return text
