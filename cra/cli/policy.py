"""`cra policy check` and `test`: whether the rules of a project say what they are meant to say."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cra.amount import counted
from cra.cli import output
from cra.cli.governed import open_project
from cra.cli.options import Json, ProjectDir
from cra.cli.tested import Tested, show_tested
from cra.errors import ExitCode
from cra.runtime.places import place_of
from cra.runtime.policy_cases import TESTS, files_of_tests, read_tests, run_tests_of

if TYPE_CHECKING:
    from cra.cli.answers.policy import (
        PlacedRemark,
        PolicyCaseFacts,
        PolicyCheckAnswer,
        PolicyTestAnswer,
    )
    from cra.policy.fixture import Result
    from cra.policy.lint import Remark
    from cra.runtime.project import Project


def check(project: ProjectDir = None, *, as_json: Json = False) -> ExitCode:
    """Look for rules that are right by the letter and probably not meant.

    Patterns that match no action, rules that never decide or are never reached, allow rules of an
    atlas beyond what it was granted, and a project that allows nothing. The exit code is 1 if any
    is found, and 2 if a rule cannot be read at all. An allow rule of the project that matches
    nothing is only noted: it opens nothing, and may be about functions of your own programs.

      cra policy check
      cra policy check --json
    """
    with open_project(project) as opened:
        remarks = opened.remarks()
        rules = len(opened.policy.rules)
        notes = [_remark_facts(opened, remark) for remark in remarks if remark.is_note]
        found = [_remark_facts(opened, remark) for remark in remarks if not remark.is_note]
    if as_json:
        answer: PolicyCheckAnswer = {"rules": rules, "findings": found, "notes": notes}
        output.answer_json(answer)
    else:
        for facts in [*notes, *found]:
            place = output.style(output.safe(facts["where"]), "accent")
            kind = f"note, {facts['kind']}" if facts in notes else facts["kind"]
            output.answer(f"{place}: {kind}")
            output.answer(output.wrapped(facts["message"], indent="  "))
        count = counted(len(found), "finding")
        verdict = output.style(count, "warn") if found else output.style("no finding", "good")
        output.answer(f"{verdict} in {counted(rules, 'rule')}")
    return ExitCode.NO if found else ExitCode.OK


def run_tests(
    files: Annotated[
        list[Path] | None,
        typer.Argument(
            metavar="FILE|DIR...",
            help=f"Files of tests, or where they are. None: {TESTS}/ of the project.",
            show_default=False,
        ),
    ] = None,
    *,
    project: ProjectDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Run tests of the policies: tables of calls, and the decisions that are expected of them.

    The files are *.json and *.yaml in tests/policies/ of the project, or those that are named. Each
    holds {"tests": [{"name", "call", "expect"}]}; a call has an `action` and may have `parameters`,
    `agent`, `roles`, `scopes`, `context`, `trusted_context`, `risk_tier`, `time` (a Monday at noon
    unless stated) and `used` (by policy_id, how much of a limit is used); expect has a `decision`
    (allow, requires_approval or deny) and may have a `policy_id`. The exit code is 1 if a test
    fails, and one fails whose call is none: no such action, or arguments that do not fit. Nothing
    is recorded.

      cra policy test
      cra policy test tests/policies/refunds.json
    """
    with open_project(project) as opened:
        tests = read_tests(files_of_tests(files or [opened.root / TESTS]), Path())
        results = [(file, result) for file, _, result in run_tests_of(opened, tests)]
    failed = sum(result.problem is not None for _, result in results)
    if as_json:
        facts: PolicyTestAnswer = {
            "tests": [_result_facts(file, result) for file, result in results],
            "passed": len(results) - failed,
            "failed": failed,
        }
        output.answer_json(facts)
    else:
        show_tested(
            [
                Tested(file, result.case.name, [result.problem] if result.problem else [])
                for file, result in results
            ]
        )
    return ExitCode.NO if failed else ExitCode.OK


def _remark_facts(opened: Project, remark: Remark) -> PlacedRemark:
    return {
        "kind": remark.kind,
        "message": remark.message,
        "policy_id": remark.policy_id,
        "where": place_of(opened, remark.origin) if remark.origin else "policies",
        "atlas_id": remark.origin.atlas_id if remark.origin else None,
    }


def _result_facts(file: str, result: Result) -> PolicyCaseFacts:
    return {
        "file": file,
        "name": result.case.name,
        "passed": result.problem is None,
        "expected": {"decision": result.case.outcome, "policy_id": result.case.policy_id},
        "found": {
            "decision": result.decision.outcome,
            "policy_id": result.decision.policy_id,
            "reason": result.decision.reason,
        },
        "problem": result.problem,
    }
