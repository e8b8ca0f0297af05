"""The change to a project's own rules that lets a call through, as a patch of their files."""

from __future__ import annotations

import json
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from itertools import count
from typing import NamedTuple

from cra.atlas.problem import YAML_SUFFIXES
from cra.atlas.snapshot import POLICIES, rules_of
from cra.errors import UsageError
from cra.policy.call import Call
from cra.policy.engine import decide, duplicates
from cra.policy.explain import Remedy
from cra.policy.ladder import Ruling
from cra.policy.patch import Rewritten, diff_of, without_rules
from cra.policy.rule import Rule
from cra.runtime.project import Project


class Patch(NamedTuple):
    """A unified diff, and how the call is decided once it is applied."""

    diff: str
    leads_to: Ruling


def patch_of(project: Project, call: Call, changes: Sequence[Remedy]) -> Patch:
    """All the changes as one patch, with paths from the project's directory.

    Raises UsageError if there is nothing to change, or if it takes more than the project's rules in
    JSON; AtlasError if the rule that would be added cannot be written.
    """
    if not changes:
        raise UsageError("expected a call that is not allowed, found one that is: nothing to patch")
    gone: dict[str, list[tuple[int, int]]] = defaultdict(list)
    files: list[Rewritten] = []
    for change in changes:
        if change.goes is not None:
            _check_patchable(change.goes)
            origin = change.goes.origin
            gone[origin.file].append((origin.line, origin.column))
        elif change.comes is not None:
            text = json.dumps(change.comes, indent=2, ensure_ascii=False) + "\n"
            files.append(Rewritten(_new_file(project, change.comes), None, text))
        else:
            raise UsageError(
                "expected a change of the project's rules to be enough, found that it takes more",
                fix=change.words,
            )
    for file, places in gone.items():
        before = (project.root / file).read_bytes().decode()
        files.append(Rewritten(file, before, without_rules(before, places)))
    rules = [*_rules_after(project, files)]
    # The engine looks at rules of the ladder alone.
    for again, first in duplicates(rules):
        raise UsageError(
            f"expected a policy_id for a new rule that no rule has, found {again.policy_id}",
            where=str(first.origin),
        )
    return Patch(diff_of(files), decide(project.policy_under(rules), call))


def _check_patchable(rule: Rule) -> None:
    origin = rule.origin
    if origin.atlas_id is not None:
        raise UsageError(
            f"expected a rule of the project, found {rule.policy_id}, which the atlas "
            f"{origin.atlas_id} states",
            fix="have whoever owns the atlas change it there, and accept that with cra atlas lock",
        )
    if origin.file.endswith(YAML_SUFFIXES):
        raise UsageError(
            f"expected {rule.policy_id} in a JSON file, found it in YAML, where what belongs to a "
            "rule is not told by its place alone",
            where=str(origin),
        )


def _new_file(project: Project, rule: Mapping[str, object]) -> str:
    """A file that is not there yet, named after the rule that it is for."""
    names = (f"{rule['policy_id']}{f'-{at}' if at else ''}.json" for at in count())
    return next(
        f"{POLICIES}/{name}" for name in names if not (project.root / POLICIES / name).exists()
    )


def _rules_after(project: Project, files: Sequence[Rewritten]) -> Iterator[Rule]:
    named = {one.file for one in files}
    yield from (rule for rule in project.snapshot.policies if rule.origin.file not in named)
    for one in files:
        if one.after is not None:
            yield from rules_of(one.file, one.after.encode())
