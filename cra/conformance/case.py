"""The cases in specs/conformance/, read strictly; CONFORMANCE.md there says what each kind asks.

The dataclasses are the format. A file holds cases of one area, which all stand on one level.
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, Any, ClassVar, Final, Literal, TypeAlias

from cra.atlas.problem import Problems, SourceText, read_source, refusal
from cra.config.text import Node
from cra.config.values import Limits, read_value
from cra.conformance.report import Level
from cra.errors import Fault, NotFound
from cra.replay.compare import Compatibility, Order
from cra.replay.rule import FieldRule

# Of the cases in a directory; each is the area of one file, but a golden is a file of its own.
_FOLDERS: Final = ("cases", "golden")

_TestId: TypeAlias = Annotated[
    str,
    Limits("an id like policy.default-deny", pattern=r"[a-z0-9_-]+(?:\.[a-z0-9_-]+)+"),
]
_Title: TypeAlias = Annotated[str, Limits("a claim in one line", pattern=r"\S(?:.*\S)?")]
_Section: TypeAlias = Annotated[
    str,
    Limits("a section like 13.2, or a rule in one like 12 (3)", pattern=r"[0-9.]+(?: \([0-9]\))?"),
]


@dataclass(frozen=True)
class NamedCase:
    """What every case has."""

    test_id: _TestId
    # The claim that is tested, and the section of PROTOCOL.md that makes it.
    title: _Title
    section: _Section


@dataclass(frozen=True)
class DocumentCase(NamedCase):
    """Whether a document is one of a format."""

    TYPE: ClassVar[str] = "document"

    schema: Literal[
        "atlas-manifest",
        "carp-execution-result",
        "carp-request",
        "carp-resolution",
        "cra-config",
        "trace-event",
    ]
    valid: bool
    document: Any


@dataclass(frozen=True)
class TextCase(NamedCase):
    """Whether a text is an id, a pattern, a version or a range."""

    TYPE: ClassVar[str] = "text"

    of: Literal["action_id", "pattern", "version", "range"]
    text: str
    valid: bool


@dataclass(frozen=True)
class MatchCase(NamedCase):
    """Whether a pattern stands for an action id, or a range for a version."""

    TYPE: ClassVar[str] = "match"

    of: Literal["pattern", "range"]
    pattern: str
    text: str
    matches: bool


@dataclass(frozen=True)
class OrderCase(NamedCase):
    """Versions from the lowest up."""

    TYPE: ClassVar[str] = "order"

    versions: Annotated[tuple[str, ...], Limits("a list of versions", min_items=2)]


@dataclass(frozen=True)
class TakenAtlas:
    """One of the file's atlases, as a project has accepted it."""

    SHORTHAND: ClassVar[str] = "atlas"

    atlas: str
    # What its own allow rules may allow; None: all that they do.
    grants: tuple[str, ...] | None = None
    auto_load: bool = True


@dataclass(frozen=True)
class GivenWorld:
    """A project, and the sessions in it: a name, and the agent whose it is."""

    atlases: tuple[TakenAtlas, ...] = ()
    policies: tuple[Mapping[str, Any], ...] = ()
    config: Mapping[str, Any] = field(default_factory=dict)
    sessions: Mapping[str, str] = field(default_factory=lambda: {"main": "cli"})


@dataclass(frozen=True)
class ProjectCase(NamedCase):
    """Whether a project can be opened."""

    TYPE: ClassVar[str] = "project"

    given: GivenWorld
    valid: bool


@dataclass(frozen=True)
class ExchangeStep:
    """A request, what has to be in its answer, and what it leaves in the session."""

    request: Mapping[str, Any]
    # None: the request is refused.
    answer: Mapping[str, Any] | None
    # Types of events, or members of them; None: anything.
    events: tuple[Any, ...] | None = None
    session: str = "main"


@dataclass(frozen=True)
class ExchangeCase(NamedCase):
    """What is answered to requests, one after the other."""

    TYPE: ClassVar[str] = "exchange"

    given: GivenWorld
    steps: Annotated[tuple[ExchangeStep, ...], Limits("a list of steps", min_items=1)]


@dataclass(frozen=True)
class ResolutionCase(NamedCase):
    """A request and the whole resolution that answers it."""

    TYPE: ClassVar[str] = "resolution"

    given: GivenWorld
    request: Mapping[str, Any]
    resolution: Mapping[str, Any]


@dataclass(frozen=True)
class GivenEvent:
    """An event of a trace, as far as comparing it needs it; spans go by names."""

    event_type: str
    payload: Mapping[str, Any] = field(default_factory=dict)
    span: str = "session"
    parent: str | None = None


@dataclass(frozen=True)
class DiffCase(NamedCase):
    """How alike two traces are."""

    TYPE: ClassVar[str] = "diff"

    golden: Annotated[tuple[GivenEvent, ...], Limits("a list of events", min_items=1)]
    found: Annotated[tuple[GivenEvent, ...], Limits("a list of events", min_items=1)]
    compatibility: Compatibility
    # Of each what is asked for; None: anything.
    differences: tuple[Mapping[str, Any], ...] | None = None
    nondeterminism: tuple[FieldRule, ...] = ()
    order: Order = "partial"


@dataclass(frozen=True)
class ReplayCase(NamedCase):
    """What a replay of a session finds in another project, or in the same one."""

    TYPE: ClassVar[str] = "replay"

    given: GivenWorld
    requests: Annotated[tuple[Mapping[str, Any], ...], Limits("a list of requests", min_items=1)]
    compatibility: Compatibility
    differences: tuple[Mapping[str, Any], ...] | None = None
    # None: the project that was given.
    then: GivenWorld | None = None


AnyCase: TypeAlias = (
    DocumentCase
    | TextCase
    | MatchCase
    | OrderCase
    | ProjectCase
    | ExchangeCase
    | ResolutionCase
    | DiffCase
    | ReplayCase
)


@dataclass(frozen=True)
class WrittenAtlas:
    """A manifest, and the other files of its atlas by their paths."""

    manifest: Mapping[str, Any]
    files: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class CaseFile:
    """What a file holds."""

    level: Level
    cases: Annotated[tuple[AnyCase, ...], Limits("a list of cases", min_items=1)]
    atlases: Mapping[str, WrittenAtlas] = field(default_factory=dict)


def read_suite(directory: Path) -> tuple[CaseFile, ...]:
    """The files of a directory of cases, in the order of their names.

    Raises AtlasError with every mistake in them, NotFound if there is none.
    """
    problems = Problems()
    seen: dict[str, str] = {}
    found: list[CaseFile] = []
    for area, path in _paths(directory):
        source, node = read_source(os.path.relpath(path, directory), path.read_bytes(), problems)
        if node is not None:
            read = read_value(CaseFile, node, "", source.noting(Fault.MALFORMED))
            if not problems.errors:
                _check(read, node, area, source, seen)
                found.append(read)
    if problems.errors:
        raise refusal("cases", problems.errors, "mend them; CONFORMANCE.md says what a case holds")
    if not found:
        raise NotFound("expected cases in cases/ and golden/, found none", where=str(directory))
    return tuple(found)


def _paths(directory: Path) -> Iterator[tuple[str, Path]]:
    """Each file of cases, and how the ids in it begin."""
    for folder in _FOLDERS:
        for path in sorted((directory / folder).glob("*.json")):
            yield path.stem if folder == "cases" else f"{folder}.{path.stem}", path


def _check(read: CaseFile, node: Node, area: str, source: SourceText, seen: dict[str, str]) -> None:
    """What the types do not say: the ids are of the area and unique, names name something."""
    items: Sequence[Node] = node.value["cases"][1].value
    note, again, dangling = map(source.noting, (Fault.MALFORMED, Fault.DUPLICATE, Fault.DANGLING))
    for at, (case, item) in enumerate(zip(read.cases, items, strict=True)):
        test_id, place, offset = case.test_id, f"cases[{at}]", item.offset
        # The one case of a golden has no more than the name of its file.
        if not f"{test_id}.".startswith(f"{area}."):
            note(offset, f"{place}.test_id", f"an id that begins with {area}", test_id, None)
        if test_id in seen:
            found = f"{test_id}, as in {seen[test_id]}"
            again(offset, f"{place}.test_id", "each id once", found, None)
        seen.setdefault(test_id, source.file)
        for expected, name in _dangling(read, case):
            dangling(offset, place, expected, name, None)


def _dangling(read: CaseFile, case: AnyCase) -> Iterator[tuple[str, str]]:
    """The names in a case that stand for nothing, each with what it should stand for."""
    given = getattr(case, "given", GivenWorld())
    then = getattr(case, "then", None) or GivenWorld()
    for taken in (*given.atlases, *then.atlases):
        if taken.atlas not in read.atlases:
            yield "an atlas of the file", taken.atlas
    for step in getattr(case, "steps", ()):
        if step.session not in given.sessions:
            yield "a session of the case", step.session
