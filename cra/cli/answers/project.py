"""What `cra init`, `doctor`, `watch`, `config` and `schema` print, and any command that fails."""

# No `from __future__ import annotations` here: it would hide NotRequired from `__optional_keys__`.

from typing import Any, NotRequired, TypeAlias

from typing_extensions import TypedDict

from cra.config import SourceName
from cra.runtime.health import Health
from cra.watch.part import Part


class ErrorFacts(TypedDict):
    code: str
    message: str
    # The file, the address or the setting that is meant.
    where: str | None
    # What mends it, often a command.
    fix: str | None


class ErrorAnswer(TypedDict):
    """What stands on stderr when a command fails."""

    error: ErrorFacts


class TakenInFacts(TypedDict):
    """An atlas that was taken into a project with what its own rules may allow, and reach."""

    atlas_id: str
    version: str
    grants: list[str]
    reach: list[str]


class FromTemplateFacts(TypedDict):
    """What a project has of its template."""

    name: str
    answers: dict[str, str]
    # Files that are not as the template has them, and stay so.
    kept: list[str]
    # The same files as the template has them, under names beside theirs.
    beside: list[str]
    removed: list[str]
    # Files of the template that their owner has taken away, or lost.
    gone: list[str]
    accepted: TakenInFacts | None


class InitAnswer(TypedDict):
    """What `cra init` made, or with --dry-run would make."""

    created: list[str]
    updated: list[str]
    # The ledger that was recorded here before, and is not here now.
    gone_ledger: str | None
    dry_run: bool
    # Commands to go on with.
    next: list[str]
    # Of a project that is made from a template.
    template: NotRequired[FromTemplateFacts]


class TemplateQuestionFacts(TypedDict):
    name: str
    asks: str
    default: str
    # The answers that can be, in words.
    expected: str


class TemplateFacts(TypedDict):
    name: str
    about: str
    # The example atlas that a project gets.
    atlas: str
    questions: list[TemplateQuestionFacts]


TemplatesAnswer: TypeAlias = list[TemplateFacts]


class CheckFacts(TypedDict):
    name: str
    state: Health
    message: str
    fix: str | None
    can_fix: bool


class DoctorAnswer(TypedDict):
    checks: list[CheckFacts]
    # What --fix did, in words.
    mended: list[str]
    healthy: bool


class ProjectFindingFacts(TypedDict):
    """What is not as it is meant to be."""

    part: Part
    # Whether it is odd rather than wrong.
    warning: bool
    code: str | None
    message: str
    # A file, and line and column where they are known, from the project's directory.
    where: str | None
    # The command that mends it or tells more.
    fix: str | None


class WatchedVerdict(TypedDict):
    """What `cra watch` says after a change, in each line."""

    time: str
    # Whether nothing is wrong.
    passed: bool
    # Whether all was looked at: false if what it rests on is wrong.
    complete: bool
    # Files, from the project's directory; none if this was asked for.
    changed: list[str]
    # From when the change was noticed.
    seconds: float
    atlases: int
    rules: int
    policy_tests: int
    scenarios: int
    goldens: int
    # Those that atlases have for themselves, which `cra replay` does not count.
    goldens_of_atlases: int
    # Those that do not depend on what has changed.
    goldens_as_before: int
    findings: list[ProjectFindingFacts]


class SettingFacts(TypedDict):
    # What the setting may be, the schema cra-config says.
    value: Any
    source: SourceName
    # A file and a line, or a variable.
    where: str | None


class ConfigAnswer(TypedDict):
    project: str | None
    # By the setting's name, such as trace.directory.
    settings: dict[str, SettingFacts]


class ProblemFacts(TypedDict):
    """A mistake in a file. Line and column count from 1; a variable has 0."""

    file: str
    line: int
    column: int
    key: str
    expected: str
    found: str
    nearest: str | None


class ConfigCheckAnswer(TypedDict):
    valid: bool
    files: list[str]
    problems: list[ProblemFacts]
    warnings: list[str]


class SchemaFacts(TypedDict):
    name: str
    about: str
    file: str


SchemasAnswer: TypeAlias = list[SchemaFacts]


class SchemaWriteAnswer(TypedDict):
    written: list[str]
