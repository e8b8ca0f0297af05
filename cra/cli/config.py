"""`cra config`: what is set, where, and whether it is right."""

from __future__ import annotations

import os
from dataclasses import asdict, is_dataclass
from typing import TYPE_CHECKING, Any

from cra.cli import output
from cra.cli.options import Json, ProjectDir, TraceDir
from cra.cli.project import open_config, project_dir, user_dirs
from cra.config import FILE_NAME, AtlasSource, read
from cra.errors import ExitCode

if TYPE_CHECKING:
    from cra.cli.answers.project import (
        ConfigAnswer,
        ConfigCheckAnswer,
        ProblemFacts,
        SettingFacts,
    )
    from cra.config import Problem


def show(project: ProjectDir = None, trace_dir: TraceDir = None, *, as_json: Json = False) -> None:
    """Show every setting, its value, and where the value comes from.

    Flags go before the environment, the environment before the project's file, and that before your
    own file.

      cra config show
      CRA_TRACE_DURABILITY=always cra config show --json
    """
    config = open_config(project, trace_dir, anywhere=True)
    if as_json:
        settings: dict[str, SettingFacts] = {
            name: {"value": _plain(value), "source": origin.source, "where": origin.where or None}
            for name, value, origin in config.settings()
        }
        place = str(config.project) if config.project else None
        facts: ConfigAnswer = {"project": place, "settings": settings}
        output.answer_json(facts)
        return
    # A place in the project is shown from there; the rest of its path is the same in every row.
    rows = [
        (
            name,
            _text(value),
            output.Cell(
                str(origin).removeprefix(f"{config.project}/"), "accent" if origin.where else ""
            ),
        )
        for name, value, origin in config.settings()
    ]
    output.table(rows, ("SETTING", "VALUE", "ORIGIN"), cut=("VALUE", "ORIGIN"))


def validate(project: ProjectDir = None, *, as_json: Json = False) -> ExitCode:
    """Check the project's configuration, your own, and the variables that change them.

    The exit code is 0 if all of them are right, and 2 if any is not; every mistake is listed.

      cra config validate
      cra config validate --json
    """
    place = project_dir(project, required=True)
    assert place is not None
    user_file = user_dirs().config_file
    config, problems = read(place, os.environ, user_file, {})
    files = [str(path) for path in (place / FILE_NAME, user_file) if path.exists()]
    if as_json:
        facts: ConfigCheckAnswer = {
            "valid": not problems,
            "files": files,
            "problems": [problem_facts(problem) for problem in problems],
            "warnings": list(config.warnings),
        }
        output.answer_json(facts)
    else:
        for problem in problems:
            where = output.style(output.safe(problem.where), "accent")
            output.answer(f"{where}: {output.safe(str(problem))}")
        for warning in config.warnings:
            output.tell(f"warning: {warning}")
        verdict = output.style("invalid", "bad") if problems else output.style("valid", "good")
        output.answer(f"{verdict}: {output.safe(', '.join(files))}")
    return ExitCode.USAGE if problems else ExitCode.OK


def problem_facts(problem: Problem) -> ProblemFacts:
    return {
        "file": problem.file,
        "line": problem.line,
        "column": problem.column,
        "key": problem.key,
        "expected": problem.expected,
        "found": problem.found,
        "nearest": problem.nearest,
    }


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, tuple):
        return [_plain(item) for item in value]
    if isinstance(value, dict):
        return {key: _plain(item) for key, item in value.items()}
    return value


def _text(value: Any) -> str:
    """A value in a table: words for words, JSON for what has parts."""
    if isinstance(value, str):
        return value
    if isinstance(value, AtlasSource):
        return value.path if value.auto_load else f"{value.path} (not loaded)"
    if isinstance(value, tuple):
        return ", ".join(map(_text, value)) or "none"
    from json import dumps

    return "none" if value is None or value == {} else dumps(_plain(value), ensure_ascii=False)
