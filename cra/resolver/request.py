"""What a request asks: a task to be resolved, or a call to be carried out (specs/PROTOCOL.md
section 13)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Annotated, Any, Final, Literal, TypeAlias, get_args

from cra import canonical
from cra.config import Problem, RiskTier
from cra.config.text import Note, line_and_column, parse
from cra.config.values import WRONG, Limits, read_value
from cra.errors import RequestRefused, ValueRefused
from cra.protocol.schema import document

MAX_GOAL: Final = 8_192
MAX_KEY: Final = 256
MAX_WORDS: Final = 256

_Id: TypeAlias = Annotated[
    str, Limits("an id of 1 to 256 printable characters", pattern="[!-~]{1,256}")
]
_Time: TypeAlias = Annotated[
    str,
    Limits(
        "a time like 2026-11-20T10:15:00Z",
        pattern=r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]{1,6})?Z",
    ),
]
_Key: TypeAlias = Annotated[
    str, Limits(f"a key of 1 to {MAX_KEY} characters", pattern=rf"[\s\S]{{1,{MAX_KEY}}}")
]
_Goal: TypeAlias = Annotated[
    str,
    Limits(
        f"a goal of 1 to {MAX_GOAL} characters, not all blank",
        pattern=r"\s*\S[\s\S]*",
        max_length=MAX_GOAL,
    ),
]


@dataclass(frozen=True)
class Caller:
    """Who asks, as the configuration or the host program says; never as the request says."""

    agent: str
    roles: frozenset[str] = frozenset()
    scopes: frozenset[str] = frozenset()
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class Task:
    """What is to be done, and what narrows it."""

    goal: str
    risk_tier: RiskTier | None = None
    hints: tuple[str, ...] = ()
    capabilities: tuple[str, ...] = ()
    atlas_ids: tuple[str, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)

    def document(self) -> dict[str, Any]:
        """What the request says of it, in the words of the format."""
        task: dict[str, Any] = {"goal": self.goal}
        if self.risk_tier is not None:
            task["risk_tier"] = self.risk_tier
        if self.hints:
            task["context_hints"] = list(self.hints)
        if self.capabilities:
            task["required_capabilities"] = list(self.capabilities)
        document: dict[str, Any] = {"task": task}
        if self.atlas_ids:
            document["atlas_ids"] = list(self.atlas_ids)
        if self.context:
            document["context"] = dict(self.context)
        return document


@dataclass(frozen=True)
class Requester:
    """Who says that it asks; the session knows who does."""

    agent_id: _Id
    session_id: _Id | None = None
    parent_session_id: _Id | None = None


@dataclass(frozen=True)
class StatedTask:
    """A task as a request writes it."""

    goal: _Goal
    risk_tier: RiskTier | None = None
    context_hints: tuple[str, ...] = ()
    required_capabilities: tuple[str, ...] = ()


@dataclass(frozen=True)
class StatedCall:
    """The call that a request asks to carry out."""

    action_id: str
    parameters: Mapping[str, Any] = field(default_factory=dict)
    resolution_id: _Id | None = None
    idempotency_key: _Key | None = None


@dataclass(frozen=True)
class Request:
    """A request of CARP/1.0. `validate` asks what `execute` would be answered."""

    carp_version: Literal["1.0"]
    request_id: _Id
    timestamp: _Time
    operation: Literal["resolve", "execute", "validate"]
    requester: Requester
    task: StatedTask | None = None
    atlas_ids: tuple[str, ...] = ()
    context: Mapping[str, Any] = field(default_factory=dict)
    execution: StatedCall | None = None

    def stated_task(self) -> Task:
        """The task of a request that has one. Raises RequestRefused."""
        assert self.task is not None  # read_request refuses a request to resolve nothing
        return task_of(
            self.task.goal,
            risk_tier=self.task.risk_tier,
            hints=self.task.context_hints,
            capabilities=self.task.required_capabilities,
            atlas_ids=self.atlas_ids,
            context=self.context,
        )


def read_request(text: str, *, now: str, tolerance_seconds: int) -> Request:
    """The request that a JSON text is. Raises RequestRefused with every mistake.

    Its time may differ from `now` by the tolerance: what was asked long ago is not asked now.
    """
    problems: list[Problem] = []

    def note(offset: int, key: str, expected: str, found: str, nearest: str | None) -> None:
        place = line_and_column(text, offset)
        problems.append(Problem("the request", *place, key, expected, found, nearest))

    node = parse(text, note)
    found = WRONG if node is None else read_value(Request, node, "", note)
    if isinstance(found, Request) and not problems:
        _check_parts(found, note)
        _check_time(found, now, tolerance_seconds, note)
    if problems:
        raise _refusal(problems)
    assert isinstance(found, Request)
    return found


def request_schema() -> dict[str, Any]:
    """The JSON Schema of a request; when it comes is beyond it."""
    schema = document(Request, "carp-request", "A request of CARP/1.0")
    nothing = {
        "task": {"const": None},
        "atlas_ids": {"maxItems": 0},
        "context": {"maxProperties": 0},
    }
    task = {"task": {"type": "object"}, "execution": {"const": None}}
    call = {"execution": {"type": "object"}, **nothing}
    parts = ((["resolve"], "task", task), (["execute", "validate"], "execution", call))
    conditions = [
        {
            "if": {"properties": {"operation": {"enum": operations}}},
            "then": {"required": [required], "properties": members},
        }
        for operations, required, members in parts
    ]
    return schema | {"allOf": conditions}


def task_of(
    goal: str,
    *,
    risk_tier: str | None = None,
    hints: tuple[str, ...] = (),
    capabilities: tuple[str, ...] = (),
    atlas_ids: tuple[str, ...] = (),
    context: Mapping[str, Any] | None = None,
) -> Task:
    """A task, its parts checked. Raises RequestRefused."""
    if not goal.strip() or len(goal) > MAX_GOAL:
        raise _refused("the goal", f"a goal of 1 to {MAX_GOAL} characters", goal)
    if len(hints) + len(capabilities) + len(atlas_ids) > MAX_WORDS:
        raise RequestRefused(f"expected at most {MAX_WORDS} hints, capabilities and atlases")
    tier: RiskTier | None = None
    for known in get_args(RiskTier):
        if risk_tier == known:
            tier = known
    if tier is None and risk_tier is not None:
        raise _refused("the risk tier", f"one of {', '.join(get_args(RiskTier))}", risk_tier)
    try:
        # A copy that nobody else holds, of what canonical JSON can hold.
        kept = canonical.decode(canonical.encode(dict(context or {})))
    except ValueRefused as error:
        raise RequestRefused(f"the context: {error.message}") from None
    return Task(goal, tier, hints, capabilities, atlas_ids, kept)


def _refused(name: str, expected: str, found: str) -> RequestRefused:
    return RequestRefused(f"{name}: expected {expected}, found {found!r:.60}")


def _check_parts(request: Request, note: Note) -> None:
    """A part that its operation has no use for would seem to say something, and say nothing."""
    if request.operation == "resolve":
        wanted, foreign = {"task"}, {"execution"}
    else:
        wanted, foreign = {"execution"}, {"task", "atlas_ids", "context"}
    for name in sorted(wanted | foreign):
        is_there = bool(getattr(request, name))
        if is_there and name in foreign:
            note(0, name, f"none in a request to {request.operation}", "one", None)
        elif not is_there and name in wanted:
            note(0, name, f"one in a request to {request.operation}", "none", None)


def _check_time(request: Request, now: str, tolerance_seconds: int, note: Note) -> None:
    try:
        away = datetime.fromisoformat(request.timestamp) - datetime.fromisoformat(now)
    except ValueError as error:
        note(0, "timestamp", "a time that there is", str(error), None)
        return
    if abs(away.total_seconds()) > tolerance_seconds:
        expected = f"a time within {tolerance_seconds} s of {now}"
        note(0, "timestamp", expected, request.timestamp, None)


def _refusal(problems: Sequence[Problem]) -> RequestRefused:
    fix = "cra schema carp-request shows what a request holds"
    if len(problems) == 1:
        return RequestRefused(str(problems[0]), where=problems[0].where, fix=fix)
    listed = [f"{problem.where}: {problem}" for problem in problems]
    first = f"expected a request without mistakes, found {len(problems)}"
    return RequestRefused("\n".join([first, *listed]), fix=fix)
