"""The configuration: what a project and its user have set, and where each value was set.

The dataclasses are the format: fields are keys, types and `Limits` say what each key accepts, and
the JSON Schema is made from them. All mistakes, of all sources, are reported at once.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, fields
from functools import cache
from operator import gt
from pathlib import Path
from typing import (
    Annotated,
    Any,
    ClassVar,
    Final,
    Literal,
    NamedTuple,
    TypeAlias,
    get_args,
    get_type_hints,
)

from cra.config.text import Node, Note, line_and_column, parse
from cra.config.values import WRONG, Limits, nearest_of, read_value, shown, value_of_text
from cra.errors import ConfigError

FILE_NAME: Final = "cra.config.json"

RiskTier: TypeAlias = Literal["low", "medium", "high", "critical"]
SourceName: TypeAlias = Literal["default", "user", "project", "environment", "flag"]


_Version: TypeAlias = Annotated[
    str, Limits("a version like 0.1.0", pattern=r"[0-9]+\.[0-9]+\.[0-9]+[0-9A-Za-z.+-]*")
]
_Url: TypeAlias = Annotated[str, Limits("an http or https URL", pattern=r"https?://[!-~]+")]
_Path: TypeAlias = Annotated[str, Limits("a path", pattern=r"[^\x00]+")]
_Name: TypeAlias = Annotated[str, Limits("a name", pattern=r"\S(?:.*\S)?")]
_Secret: TypeAlias = Annotated[
    str, Limits("a name of letters, digits and _", pattern=r"[A-Za-z_][A-Za-z0-9_]*")
]
KeyText: TypeAlias = Annotated[
    str,
    Limits(
        "a verifier key like cra.local+<8 hex>+<base64>",
        pattern=r"[^\s+]+\+[0-9a-f]{8}\+A[A-Za-z0-9+/]{43}",
    ),
]
_Milliseconds: TypeAlias = Annotated[
    int, Limits("milliseconds from 1 to 86400000", minimum=1, maximum=86_400_000)
]
_Days: TypeAlias = Annotated[int, Limits("days from 1 to 36500", minimum=1, maximum=36_500)]
_Seconds: TypeAlias = Annotated[int, Limits("seconds from 0 to 86400", minimum=0, maximum=86_400)]


@dataclass(frozen=True)
class RuntimeConfig:
    url: _Url | None = None
    timeout_ms: _Milliseconds = 30_000


@dataclass(frozen=True)
class TraceConfig:
    directory: _Path = "cra.trace"
    retention_days: _Days = 30
    streaming: bool = True
    durability: Literal["batch", "always"] = "batch"
    detail: Literal["compact", "full"] = "compact"


@dataclass(frozen=True)
class AtlasSource:
    """Where an atlas is; a path alone stands for one that loads by itself."""

    SHORTHAND: ClassVar[str] = "path"

    path: _Path
    auto_load: bool = True

    @classmethod
    def __get_pydantic_json_schema__(
        cls, core_schema: Any, handler: Callable[[Any], Any]
    ) -> dict[str, Any]:
        return {"anyOf": [{"type": "string", "minLength": 1}, handler(core_schema)]}


@dataclass(frozen=True)
class PolicyConfig:
    default_risk_tier: RiskTier = "medium"
    require_approval_for: tuple[RiskTier, ...] = ("high", "critical")
    # How far the time of a request may be from the time it comes at.
    request_tolerance_seconds: _Seconds = 300
    resolution_ttl_seconds: _Seconds = 3_600
    approval_ttl_seconds: _Seconds = 3_600
    # The keys that approve where a rule names none; if there are none, a person's word does.
    approvers: tuple[KeyText, ...] = ()


@dataclass(frozen=True)
class AgentConfig:
    roles: tuple[_Name, ...] = ()
    scopes: tuple[_Name, ...] = ()
    # Facts that allow rules may go by; what a caller states only makes a decision stricter.
    context: Mapping[str, Any] = field(default_factory=dict)


@dataclass(frozen=True)
class ConfigFile:
    """What `cra.config.json` and a user's `config.json` hold; every key is optional."""

    cra_version: _Version | None = None
    runtime: RuntimeConfig = RuntimeConfig()
    trace: TraceConfig = TraceConfig()
    atlases: tuple[AtlasSource, ...] = ()
    policies: PolicyConfig = PolicyConfig()
    agents: Mapping[str, AgentConfig] = field(default_factory=dict)
    keys: tuple[KeyText, ...] = ()
    secrets: tuple[_Secret, ...] = ()


class Origin(NamedTuple):
    """Which source a value has, and where in it."""

    source: SourceName
    where: str = ""

    def __str__(self) -> str:
        return self.where or self.source


@dataclass(frozen=True)
class Config(ConfigFile):
    """The settings in force, merged; `origins` has one entry per setting (`trace.directory`)."""

    project: Path | None = None
    origins: Mapping[str, Origin] = field(default_factory=dict)
    warnings: tuple[str, ...] = ()

    @property
    def trace_directory(self) -> Path:
        """Where the ledger is. A relative setting counts from the project's directory."""
        return (self.project or Path()) / self.trace.directory

    @property
    def owner(self) -> Path | None:
        """The project whose own ledger is in that directory; None if the caller names another one,
        by a flag or in the environment."""
        is_named = self.origins["trace.directory"].source in ("flag", "environment")
        return None if is_named else self.project

    def deciding(self) -> dict[str, Any]:
        """The settings that say who may do what, and whose word and whose key count."""
        agents = {name: asdict(agent) for name, agent in self.agents.items()}
        lists = {"keys": self.keys, "secrets": self.secrets}
        return {"agents": agents, "policies": asdict(self.policies), **lists}

    def settings(self) -> Iterator[tuple[str, Any, Origin]]:
        """Every setting with its value and where that comes from."""
        for name in _kinds():
            value: Any = self
            for part in name.split("."):
                value = getattr(value, part)
            yield name, value, self.origins[name]


@dataclass(frozen=True)
class Problem:
    """One mistake in a configuration. Line and column count from 1; a variable has 0."""

    file: str
    line: int
    column: int
    key: str
    expected: str
    found: str
    nearest: str | None = None

    @property
    def where(self) -> str:
        return f"{self.file}:{self.line}:{self.column}" if self.line else self.file

    def __str__(self) -> str:
        nearest = f"; nearest: {self.nearest}" if self.nearest else ""
        return f"{self.key}: expected {self.expected}, found {self.found}{nearest}"


class UserDirs(NamedTuple):
    """Where a user keeps what is no project's (the XDG base directories)."""

    config: Path
    state: Path
    keys: Path
    signing_key: Path
    # Whether the environment names the key. Such a key is never made.
    names_key: bool

    @classmethod
    def of(cls, environ: Mapping[str, str], home: Path) -> UserDirs:
        config = _xdg(environ.get("XDG_CONFIG_HOME"), home / ".config") / "cra"
        state = _xdg(environ.get("XDG_STATE_HOME"), home / ".local" / "state") / "cra"
        keys = config / "keys"
        named = environ.get("CRA_SIGNING_KEY_FILE")
        key = Path(named) if named else keys / "ledger.key"
        return cls(config, state, keys, key, names_key=bool(named))

    def has_key(self) -> bool:
        """Whether there is a key to sign with; one that the environment names has to be there."""
        return self.names_key or self.signing_key.exists()

    @property
    def config_file(self) -> Path:
        return self.config / "config.json"


class _Setting(NamedTuple):
    """A value as one source states it, and where, for what all sources together show."""

    name: str
    value: Any
    origin: Origin
    offset: int
    note: Note


_SECTIONS: Final[Mapping[str, type]] = {
    "runtime": RuntimeConfig,
    "trace": TraceConfig,
    "policies": PolicyConfig,
}

# The environment variable of each setting that stands in a section.
VARIABLES: Final[Mapping[str, str]] = {
    f"CRA_{section}_{key.name}".upper(): f"{section}.{key.name}"
    for section, kind in _SECTIONS.items()
    for key in fields(kind)
}
_PREFIXES: Final = tuple(f"CRA_{section}_".upper() for section in _SECTIONS)

_RANK: Final[Mapping[Any, int]] = {tier: rank for rank, tier in enumerate(get_args(RiskTier))}


def _is_later(tiers: tuple[str, ...], kept: tuple[str, ...]) -> bool:
    lowest, other = (min(map(_rank, each), default=len(_RANK)) for each in (tiers, kept))
    return lowest > other


def _rank(tier: str) -> int:
    return _RANK.get(tier, 0)


# Settings that decide what runs unasked, and whether a value lets more run than another.
_LOOSENS: Final[Mapping[str, Callable[[Any, Any], bool]]] = {
    "policies.default_risk_tier": lambda tier, kept: _RANK[tier] < _RANK[kept],
    "policies.require_approval_for": _is_later,
    "policies.request_tolerance_seconds": gt,
    "policies.resolution_ttl_seconds": gt,
    "policies.approval_ttl_seconds": gt,
    # With no key anybody's word counts, and a key that is not among them is one too many.
    "policies.approvers": lambda keys, kept: (
        not (set(keys) <= set(kept) and bool(keys) == bool(kept))
    ),
}


def find_project(start: Path) -> Path | None:
    """The nearest directory upwards from start that holds a cra.config.json."""
    start = start.absolute()
    return next((place for place in (start, *start.parents) if (place / FILE_NAME).is_file()), None)


def load(
    project: Path | None,
    environ: Mapping[str, str],
    user_file: Path | None,
    overrides: Mapping[str, Any],
) -> Config:
    """The configuration in force. Raises ConfigError with every mistake that `read` finds."""
    config, problems = read(project, environ, user_file, overrides)
    if not problems:
        return config
    if len(problems) == 1:
        message = str(problems[0])
    else:
        listed = [f"{problem.where}: {problem}" for problem in problems]
        message = "\n".join(
            [f"expected a configuration without mistakes, found {len(problems)}", *listed]
        )
    raise ConfigError(
        message,
        where=problems[0].where if len(problems) == 1 else None,
        fix="mend it; cra schema cra-config shows what it may hold",
    )


def read(
    project: Path | None,
    environ: Mapping[str, str],
    user_file: Path | None,
    overrides: Mapping[str, Any],
) -> tuple[Config, tuple[Problem, ...]]:
    """The configuration as far as it can be read, and what is wrong with it.

    A flag in `overrides` goes before the environment, that before the project's file, and that
    before the user's. A file that is not there sets nothing. What runs without an approval is for
    the project's file to widen: any other source may only make it less.
    """
    problems: list[Problem] = []
    found = list(_read_files(project, user_file, problems))
    found += _read_environment(environ, problems)
    for name, given in overrides.items():
        note = _noting(problems, f"the flag for {name}")
        value = read_value(_kinds()[name], Node(0, given), name, note)
        found.append(_Setting(name, value, Origin("flag"), 0, note))
    _note_loosening(found)
    values = {setting.name: setting.value for setting in found}
    origins = {name: Origin("default") for name in _kinds()}
    origins |= {setting.name: setting.origin for setting in found}
    return _assembled(values, project, origins), tuple(problems)


def _note_loosening(found: list[_Setting]) -> None:
    """Whoever starts a process chooses its environment, and nothing records that."""
    for name, loosens in _LOOSENS.items():
        stated = [each for each in found if each.name == name and each.value is not WRONG]
        if any(each.origin.source == "project" for each in stated):
            stated = [each for each in stated if each.origin.source != "user"]
        section, _, key = name.partition(".")
        kept = getattr(_SECTIONS[section](), key)
        for each in stated:
            if each.origin.source != "project" and loosens(each.value, kept):
                expected = (
                    f"nothing looser than {_words(kept)}: the project's file alone loosens it"
                )
                each.note(each.offset, name, expected, _words(each.value), None)
            kept = each.value


def _words(value: str | int | tuple[str, ...]) -> str:
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)


def _assembled(
    values: Mapping[str, Any], project: Path | None, origins: Mapping[str, Origin]
) -> Config:
    members: dict[str, Any] = {}
    sections: dict[str, dict[str, Any]] = {name: {} for name in _SECTIONS}
    for name, value in values.items():
        section, _, key = name.rpartition(".")
        if value is not WRONG:
            (sections[section] if section else members)[key] = value
    for section, kind in _SECTIONS.items():
        members[section] = kind(**sections[section])
    warnings = []
    if members["runtime"].url is not None:
        warnings.append("runtime.url is set, and this cra has no server to talk to: it is not used")
    return Config(**members, project=project, origins=origins, warnings=tuple(warnings))


def _read_files(
    project: Path | None, user_file: Path | None, problems: list[Problem]
) -> Iterator[_Setting]:
    """The settings of both files, the user's first; mistakes go into problems."""
    if user_file is not None:
        yield from _read_file(user_file, "user", problems)
    if project is not None:
        yield from _read_file(project / FILE_NAME, "project", problems)


def _read_file(
    path: Path, source: Literal["user", "project"], problems: list[Problem]
) -> Iterator[_Setting]:
    try:
        data = path.read_bytes()
    except (FileNotFoundError, NotADirectoryError):
        return
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        line = data.count(b"\n", 0, error.start) + 1
        problems.append(Problem(str(path), line, 1, "the file", "UTF-8", "other bytes"))
        return
    own: list[Problem] = []
    note = _noting(own, str(path), text)
    root = parse(text, note)
    if root is not None and not isinstance(root.value, dict):
        note(root.offset, "the file", "an object", shown(root.value), None)
    elif root is not None:
        for name, node in _settings_in(root.value, note):
            line, _ = line_and_column(text, node.offset)
            value = read_value(_kinds()[name], node, name, note)
            # A project comes from others: it does not choose where on this machine cra writes.
            if source == "project" and name == "trace.directory" and _leaves(value):
                note(node.offset, name, "a path inside the project", shown(value), None)
            # What is noted of it later comes after the mistakes of this file alone.
            later = _noting(problems, str(path), text)
            yield _Setting(name, value, Origin(source, f"{path}:{line}"), node.offset, later)
    problems += sorted(own, key=lambda problem: (problem.line, problem.column))


def _settings_in(members: Mapping[str, tuple[int, Node]], note: Note) -> Iterator[tuple[str, Node]]:
    for key, (offset, node) in members.items():
        if key in _SECTIONS:
            yield from _settings_of_section(key, node, note)
        elif key in _kinds():
            yield key, node
        else:
            tops = {name.partition(".")[0]: name.partition(".")[0] for name in _kinds()}
            inner = {name.partition(".")[2]: name for name in _kinds() if "." in name}
            note(offset, key, "a known key", "an unknown one", nearest_of(key, inner | tops))


def _settings_of_section(section: str, node: Node, note: Note) -> Iterator[tuple[str, Node]]:
    if not isinstance(node.value, dict):
        note(node.offset, section, "an object", shown(node.value), None)
        return
    known = {key.name: f"{section}.{key.name}" for key in fields(_SECTIONS[section])}
    for key, (offset, member) in node.value.items():
        if key in known:
            yield known[key], member
        else:
            nearest = nearest_of(key, known)
            note(offset, f"{section}.{key}", "a known key", "an unknown one", nearest)


def _read_environment(environ: Mapping[str, str], problems: list[Problem]) -> Iterator[_Setting]:
    for variable in sorted(environ):
        if variable in VARIABLES:
            name = VARIABLES[variable]
            kind = _kinds()[name]
            node = Node(0, value_of_text(kind, environ[variable]))
            note = _noting(problems, variable)
            value = read_value(kind, node, name, note)
            yield _Setting(name, value, Origin("environment", variable), 0, note)
        elif variable.startswith(_PREFIXES):
            nearest = nearest_of(variable, {name: name for name in VARIABLES})
            note = _noting(problems, variable)
            note(0, variable, "a known variable", "an unknown one", nearest)


@cache
def _kinds() -> Mapping[str, Any]:
    """Every setting, and the type of its value."""
    kinds: dict[str, Any] = {}
    for name, kind in get_type_hints(ConfigFile, include_extras=True).items():
        if name in _SECTIONS:
            hints = get_type_hints(kind, include_extras=True)
            kinds |= {f"{name}.{key}": inner for key, inner in hints.items()}
        else:
            kinds[name] = kind
    return kinds


def _noting(problems: list[Problem], file: str, text: str | None = None) -> Note:
    def note(offset: int, key: str, expected: str, found: str, nearest: str | None) -> None:
        line, column = line_and_column(text, offset) if text is not None else (0, 0)
        problems.append(Problem(file, line, column, key, expected, found, nearest))

    return note


def _leaves(path: Any) -> bool:
    return isinstance(path, str) and (Path(path).is_absolute() or ".." in Path(path).parts)


def _xdg(stated: str | None, default: Path) -> Path:
    # A relative path in these variables is invalid by the XDG specification and counts for nothing.
    return Path(stated) if stated and Path(stated).is_absolute() else default
