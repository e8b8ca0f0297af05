"""The cases, put to cra."""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, Literal, get_args

from cra import __version__
from cra import config as configuration
from cra.atlas.manifest import atlas_of
from cra.atlas.semver import parse_range, parse_version
from cra.conformance.case import (
    AnyCase,
    CaseFile,
    DiffCase,
    DocumentCase,
    ExchangeCase,
    ExchangeStep,
    GivenWorld,
    MatchCase,
    OrderCase,
    ProjectCase,
    ReplayCase,
    ResolutionCase,
    TextCase,
    WrittenAtlas,
)
from cra.conformance.match import Names
from cra.conformance.report import (
    CaseDetails,
    CaseResult,
    ConformanceReport,
    Difference,
    Level,
    RunTotals,
)
from cra.conformance.trace import GivenTrace, golden_of
from cra.conformance.world import ask, opened, recorded
from cra.errors import CraError, UsageError, ValueRefused
from cra.ledger.source import Source
from cra.policy.engine import Policy
from cra.policy.pattern import ACTION_ID, MAX_ACTION_ID, Pattern
from cra.policy.schema import Schema, compile_schema
from cra.replay.compare import Comparison, compare
from cra.replay.reading import Trace
from cra.replay.replay import replay
from cra.resolver.request import read_request
from cra.runtime.session import GovernedSession
from cra.shipped import shipped

_Atlases = Mapping[str, WrittenAtlas]


def cases_directory() -> Path:
    """The cases of the protocol that this cra speaks."""
    return shipped("specs") / "conformance"


def run_suite(files: Sequence[CaseFile], advance: Callable[[int], None]) -> ConformanceReport:
    """What cra answers to all cases; `advance` is told of each that is done."""
    started_at, began = Source().now(), time.perf_counter()
    results = []
    for file in files:
        for case in file.cases:
            results.append(_result(case, file))
            advance(1)
    passed = sum(result.status == "passed" for result in results)
    totals = RunTotals(
        started_at, _milliseconds(began), len(results), passed, len(results) - passed
    )
    return ConformanceReport("cra", __version__, _level(results), totals, tuple(results))


def _level(results: Sequence[CaseResult]) -> Literal["none"] | Level:
    """The highest level all of whose cases pass; one without cases is not reached."""
    reached: Literal["none"] | Level = "none"
    for level in get_args(Level):
        own = [result.status == "passed" for result in results if result.details.level == level]
        if not own or not all(own):
            break
        reached = level
    return reached


def _result(case: AnyCase, file: CaseFile) -> CaseResult:
    began = time.perf_counter()
    try:
        differences = tuple(_JUDGES[type(case)](case, file.atlases))
    except CraError as error:
        differences = (Difference("the run", "an answer", f"{error.code} {error.message}"),)
    return CaseResult(
        case.test_id,
        "failed" if differences else "passed",
        _milliseconds(began),
        str(differences[0]) if differences else None,
        CaseDetails(case.title, file.level, case.section, differences),
    )


def _milliseconds(began: float) -> float:
    return round((time.perf_counter() - began) * 1000, 3)


# What is well formed


def _document(case: DocumentCase, _: _Atlases) -> Iterator[Difference]:
    yield from _verdict("the schema", case.valid, _schema(case.schema).accepts(case.document))
    reader = _READERS.get(case.schema)
    if reader is not None:
        yield from _verdict("the reader", case.valid, _is_read(reader, case.document))


def _text(case: TextCase, _: _Atlases) -> Iterator[Difference]:
    yield from _verdict(case.of, case.valid, _is_read(_PARSERS[case.of], case.text))


def _match(case: MatchCase, _: _Atlases) -> Iterator[Difference]:
    if case.of == "pattern":
        found = Pattern(case.pattern).matches(case.text)
    else:
        found = parse_range(case.pattern).allows(parse_version(case.text))
    if found is not case.matches:
        yield Difference(case.pattern, _matches(case.matches), _matches(found))


def _order(case: OrderCase, _: _Atlases) -> Iterator[Difference]:
    for low, high in pairwise(case.versions):
        if not parse_version(low) < parse_version(high):
            yield Difference(f"{low}, {high}", "the lower one first", "another order")


def _project(case: ProjectCase, atlases: _Atlases) -> Iterator[Difference]:
    def policy_of(given: GivenWorld) -> Policy:
        with opened(given, atlases) as project:
            return project.policy

    yield from _verdict("the project", case.valid, _is_read(policy_of, case.given))


def _verdict(at: str, expected: bool, found: bool) -> Iterator[Difference]:
    if expected is not found:
        yield Difference(at, _validity(expected), _validity(found))


def _validity(is_valid: bool) -> str:
    return "valid" if is_valid else "refused"


def _matches(does: bool) -> str:
    return "a match" if does else "no match"


def _is_read(read: Callable[[Any], object], value: Any) -> bool:
    try:
        read(value)
    except UsageError:
        return False
    return True


def _action_id(text: str) -> None:
    if len(text) > MAX_ACTION_ID or not ACTION_ID.match(text):
        raise ValueRefused(f"expected an action id, found {text!r:.80}")


def _request(document: Mapping[str, Any]) -> None:
    # As if it came when it says: the time has cases of its own.
    now = str(document.get("timestamp"))
    read_request(json.dumps(document), now=now, tolerance_seconds=0)


def _config(document: Mapping[str, Any]) -> None:
    with TemporaryDirectory(prefix="cra-conformance-") as place:
        (Path(place) / configuration.FILE_NAME).write_text(json.dumps(document), encoding="utf-8")
        configuration.load(Path(place), {}, None, {})


_PARSERS: Final[Mapping[str, Callable[[str], object]]] = {
    "action_id": _action_id,
    "pattern": Pattern,
    "version": parse_version,
    "range": parse_range,
}
# Of the formats that come from outside.
_READERS: Final[Mapping[str, Callable[[Mapping[str, Any]], object]]] = {
    "atlas-manifest": lambda document: atlas_of(document, {}),
    "carp-request": _request,
    "cra-config": _config,
}


@cache
def _schema(name: str) -> Schema:
    path = shipped("specs") / "schemas" / f"{name}.schema.json"
    return compile_schema(json.loads(path.read_bytes()))


# What is answered, and what is recorded of it


def _exchange(case: ExchangeCase, atlases: _Atlases) -> Iterator[Difference]:
    with opened(case.given, atlases) as project:
        sessions = {name: project.session(agent) for name, agent in case.given.sessions.items()}
        names = Names({name: session.id for name, session in sessions.items()})
        for number, step in enumerate(case.steps, 1):
            session = sessions[step.session]
            found = list(_step(step, session, names, number))
            yield from found
            if found:
                # What follows depends on it.
                return


def _step(
    step: ExchangeStep, session: GovernedSession, names: Names, number: int
) -> Iterator[Difference]:
    before = session.size
    request = names.filled(step.request, session.project.ledger.source.now())
    found = ask(session, request, number)
    at = f"step {number}: answer"
    yield from names.differences(step.answer, found, at)
    events = recorded(session, before)
    if found is not None:
        yield from _flaws(_answer_schema(request), found, at)
    for event in events:
        yield from _flaws("trace-event", event, f"step {number}: {event['event_type']}")
    expected: Sequence[Any] | None = () if found is None else step.events
    if expected is not None:
        wanted = [{"event_type": one} if isinstance(one, str) else one for one in expected]
        yield from names.differences(wanted, events, f"step {number}: events")


def _resolution(case: ResolutionCase, atlases: _Atlases) -> Iterator[Difference]:
    with opened(case.given, atlases) as project:
        [agent] = case.given.sessions.values()
        session = project.session(agent)
        names = Names({name: session.id for name in case.given.sessions})
        found = ask(session, case.request, 1)
        yield from names.differences(case.resolution, found, "resolution", is_whole=True)
        yield from _flaws("carp-resolution", found, "resolution")


# What is done again


def _diff(case: DiffCase, _: _Atlases) -> Iterator[Difference]:
    one, other = GivenTrace(case.golden, "golden"), GivenTrace(case.found, "found")
    yield from _compared(case, compare(one, other, case.nondeterminism, case.order))


def _replay(case: ReplayCase, atlases: _Atlases) -> Iterator[Difference]:
    """Twice, for a replay that is not the same each time finds nothing."""
    with opened(case.given, atlases) as before, opened(case.then or case.given, atlases) as now:
        [agent] = case.given.sessions.values()
        session = before.session(agent)
        for number, request in enumerate(case.requests, 1):
            ask(session, request, number)
        session.end()
        golden = golden_of(session)
        found = []
        for at in ("first", "second"):
            done = replay(golden, now.config, now.snapshot, now.root / at)
            with Trace(golden.trace) as one, Trace(done.trace, done.replaced) as other:
                found.append(compare(one, other))
        yield from _compared(case, found[0])
        if found[0] != found[1]:
            yield Difference("a second replay", "the same", "another")


def _compared(case: DiffCase | ReplayCase, found: Comparison) -> Iterator[Difference]:
    if found.compatibility != case.compatibility:
        yield Difference("compatibility", case.compatibility, found.compatibility)
    if case.differences is not None:
        stated = [asdict(one) for one in found.differences]
        yield from Names({}).differences(list(case.differences), stated, "differences")


def _answer_schema(request: Mapping[str, Any]) -> str:
    return "carp-resolution" if request["operation"] == "resolve" else "carp-execution-result"


def _flaws(schema: str, document: Any, at: str) -> Iterator[Difference]:
    for flaw in _schema(schema).flaws(document):
        yield Difference(at, f"a document of {schema}", str(flaw))


_JUDGES: Final[Mapping[type, Callable[[Any, _Atlases], Iterator[Difference]]]] = {
    DocumentCase: _document,
    TextCase: _text,
    MatchCase: _match,
    OrderCase: _order,
    ProjectCase: _project,
    ExchangeCase: _exchange,
    ResolutionCase: _resolution,
    DiffCase: _diff,
    ReplayCase: _replay,
}
