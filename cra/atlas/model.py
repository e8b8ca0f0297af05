"""An atlas in the one form that every accepted spelling is brought into (specs/PROTOCOL.md)."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Annotated, Any, ClassVar, Final, Literal, NamedTuple, TypeAlias

from cra.atlas.fields import (
    ActionId,
    Argument,
    Bytes,
    Cost,
    Count,
    ExitCode,
    FilePath,
    HeaderName,
    HeaderValue,
    Host,
    Id,
    Memory,
    Milliseconds,
    Name,
    Priority,
    Seconds,
    Ttl,
    Url,
    Variable,
    Word,
)
from cra.config import RiskTier
from cra.config.values import Limits
from cra.policy.pattern import Pattern
from cra.policy.rule import Rule

_NONE: Final[Mapping[str, Any]] = MappingProxyType({})


@dataclass(frozen=True)
class PythonExecutor:
    """A function of a file of the atlas, called with the arguments as keywords."""

    TYPE: ClassVar[str] = "python"

    file: FilePath
    function: Variable
    isolation: Literal["in_process", "process"] = "in_process"


@dataclass(frozen=True)
class ProcessExecutor:
    """A program. `{name}` in an element of `command` stands for an argument and fills that element.

    An argument that begins with `-` is refused unless it is named in `allow_options`.
    """

    TYPE: ClassVar[str] = "process"

    command: Annotated[
        tuple[Word, ...], Limits("a list of a program and its arguments", min_items=1)
    ]
    allow_options: tuple[Argument, ...] = ()
    environment: Mapping[Variable, Word] = field(default_factory=dict)
    # What the program reads on stdin, with placeholders.
    stdin: Word | None = None
    output: Literal["text", "json"] = "text"
    # The exit codes that mean success.
    success: Annotated[tuple[ExitCode, ...], Limits("a list of exit codes", min_items=1)] = (0,)
    # Where the program runs: an empty directory of its own, or the project's.
    directory: Literal["temporary", "project"] = "temporary"
    max_output_bytes: Bytes = 1 << 20
    max_memory_bytes: Memory = 1 << 30
    max_cpu_seconds: Seconds = 60


@dataclass(frozen=True)
class HttpExecutor:
    """One request to an allowed host. Placeholders in `url` are percent-encoded."""

    TYPE: ClassVar[str] = "http"

    method: Literal["GET", "POST", "PUT", "PATCH", "DELETE", "HEAD"]
    url: Url
    hosts: Annotated[tuple[Host, ...], Limits("a list of hosts", min_items=1)]
    # Keys of the query and the arguments that stand there. One that is not given is left out, and a
    # list is sent as its items, each with the key.
    query: Mapping[Word, Argument] = field(default_factory=dict)
    headers: Mapping[HeaderName, HeaderValue] = field(default_factory=dict)
    # The arguments that are sent as a JSON object; None sends no body.
    body: tuple[Argument, ...] | None = None
    output: Literal["text", "json"] = "json"
    allow_private: bool = False
    max_response_bytes: Bytes = 1 << 20


# What no file executor touches: wherever it stands, for projects may lie within projects, and at
# the top of the project.
RESERVED: Final = frozenset({".git", "cra.atlases.lock", "cra.config.json", "cra.trace"})
RESERVED_AT_TOP: Final = frozenset({"atlases", "golden", "goldens", "policies"})


@dataclass(frozen=True)
class FileExecutor:
    """Reading, writing or listing below a directory of the project. `path` has placeholders."""

    TYPE: ClassVar[str] = "file"

    operation: Literal["read", "write", "list"]
    root: Word
    path: Word
    # The argument that is written.
    content: Argument = "content"
    max_bytes: Bytes = 1 << 20


@dataclass(frozen=True)
class StaticExecutor:
    """A literal. Its events say that the result is simulated."""

    TYPE: ClassVar[str] = "static"

    result: Any


@dataclass(frozen=True)
class HostExecutor:
    """A function of the host program, called with the arguments as keywords. No manifest can name
    one: `govern` declares it."""

    TYPE: ClassVar[str] = "host"
    IS_WRITTEN: ClassVar[bool] = False

    # Where it is defined, as `module:qualname`.
    origin: str
    function: Callable[..., Any] = field(compare=False)
    # What tells two functions of one origin apart: two lambdas of a scope, say.
    code: object


Executor: TypeAlias = (
    PythonExecutor | ProcessExecutor | HttpExecutor | FileExecutor | StaticExecutor
)


@dataclass(frozen=True)
class RateLimit:
    """What an action declares about itself; a limit like one of a policy's."""

    max_calls: Count
    window_seconds: Count


@dataclass(frozen=True)
class Action:
    """Something with an effect; `executor` None: declared, not executable."""

    action_id: ActionId
    name: Name
    description: str
    parameters_schema: Mapping[str, Any]
    returns_schema: Mapping[str, Any] | None = None
    # None: not stated, so the project's default holds.
    risk_tier: RiskTier | None = None
    idempotent: bool = False
    requires_confirmation: bool = False
    timeout_ms: Milliseconds | None = None
    rate_limit: RateLimit | None = None
    cost: Cost = 1
    examples: tuple[Mapping[str, Any], ...] = ()
    executor: Executor | HostExecutor | None = None


def to_be_stated(action: Action) -> str:
    """An action and each argument that it needs, as a command line has them, to be filled in."""
    needed = action.parameters_schema.get("required", ())
    return " ".join([action.action_id, *(f"--param {name}=…" for name in needed)])


@dataclass(frozen=True)
class ContextPack:
    """Files that an agent is given for a goal."""

    pack_id: Name
    name: Name
    files: Annotated[tuple[FilePath, ...], Limits("a list of paths", min_items=1)]
    purpose: str = ""
    priority: Priority = 0
    # Keys of the request's context and the values with which the pack counts.
    conditions: Mapping[
        str, Annotated[tuple[Any, ...], Limits("a list of values", min_items=1)]
    ] = field(default_factory=dict)
    max_tokens: Count | None = None
    ttl_seconds: Ttl | None = None


@dataclass(frozen=True)
class Capability:
    """A name for what an atlas can do: actions and packs that belong together."""

    capability_id: Id
    name: Name
    description: str = ""
    actions: tuple[ActionId, ...] = ()
    context_packs: tuple[Name, ...] = ()


class Atlas(NamedTuple):
    """A whole package: the manifest, normalised, and the bytes of every file it consists of."""

    atlas_id: str
    version: str
    name: str
    description: str
    actions: tuple[Action, ...]
    policies: tuple[Rule, ...]
    context_packs: tuple[ContextPack, ...]
    capabilities: tuple[Capability, ...]
    dependencies: Mapping[str, str]
    files: Mapping[str, bytes]
    digest: str
    domains: tuple[str, ...] = ()
    authors: tuple[str, ...] = ()
    license: str = ""
    homepage: str = ""
    repository: str = ""
    adapters: Mapping[str, str] = _NONE
    # Scenario files, which `cra atlas test` runs.
    tests: tuple[str, ...] = ()
    certification: Mapping[str, Any] | None = None
    metadata: Mapping[str, Any] | None = None


class Pin(NamedTuple):
    """What `cra.atlases.lock` says of one atlas: exactly these bytes, with these grants."""

    atlas_id: str
    version: str
    # Relative to the project, or absolute.
    source: str
    digest: str
    # The patterns of actions that its own allow rules may allow.
    grants: tuple[Pattern, ...]
    # The SHA-256 of each file, what its executors reach, its rules in words by their ids and what
    # holds for each action, context pack and capability: what a later change is told by. None: of
    # those the lock says nothing.
    files: Mapping[str, str] = _NONE
    reach: tuple[str, ...] = ()
    rules: Mapping[str, str] | None = None
    actions: Mapping[str, Mapping[str, str]] | None = None
    context_packs: Mapping[str, Mapping[str, str]] | None = None
    capabilities: Mapping[str, Mapping[str, str]] | None = None


class Snapshot(NamedTuple):
    """Everything a project's atlases say, read once; the digest names exactly this."""

    atlases: tuple[Atlas, ...]
    pins: Mapping[str, Pin]
    # By action id: the atlas and the action.
    actions: Mapping[str, tuple[Atlas, Action]]
    # The project's own rules, from `policies/`.
    policies: tuple[Rule, ...]
    digest: str
    # The atlases that take part only where they are named (`auto_load: false`).
    on_request: frozenset[str] = frozenset()
