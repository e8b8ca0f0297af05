"""What an executor has to keep to beside the types of its members, and what it can reach."""

from __future__ import annotations

import hashlib
import json
import re
import symtable
from collections.abc import Iterator, Mapping
from dataclasses import MISSING, fields
from typing import Any, Final, NamedTuple

from cra.atlas.model import (
    RESERVED,
    RESERVED_AT_TOP,
    Action,
    Capability,
    ContextPack,
    Executor,
    FileExecutor,
    HostExecutor,
    HttpExecutor,
    ProcessExecutor,
    PythonExecutor,
)
from cra.config.text import Path
from cra.config.values import nearest_of, shown

# What is expected where a file is named that is not there.
A_FILE: Final = "a file of the atlas"
# `{name}` stands for an argument, `${secret:NAME}` for a secret that the configuration allows, and
# a doubled brace for a brace.
_TOKEN: Final = re.compile(
    r"\$\{secret:(?P<secret>[A-Za-z_][A-Za-z0-9_]*)\}"
    r"|\{(?P<name>[A-Za-z_][A-Za-z0-9_.-]*)\}"
    r"|\{\{|\}\}|(?P<brace>[{}])"
)
_SECRET: Final = re.compile(r"\$\{secret:([A-Za-z_][A-Za-z0-9_]*)\}")
_PLACEHOLDER: Final = re.compile(r"\{([A-Za-z_][A-Za-z0-9_.-]*)\}")

# How long a fact of an action is that stands in the lock as it is.
_MAX_FACT: Final = 500

# Headers that say where a request ends and whom it is for: the connection's own business.
RESERVED_HEADERS: Final = frozenset(
    {"accept-encoding", "connection", "content-length", "expect", "host", "keep-alive"}
    | {"proxy-authorization", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade"}
)
_ADDRESS: Final = re.compile(
    r"(https?)://(\[[0-9a-f:.]+\]|[a-z0-9.-]+)(?::([1-9][0-9]{0,4}))?(?=[/?]|\Z)"
)
_PORTS: Final = {"http": "80", "https": "443"}


class Mistake(NamedTuple):
    """Something wrong in an action, at a path in it."""

    path: Path
    expected: str
    found: str
    nearest: str | None = None


class BoundNames(NamedTuple):
    """The names that a file of Python binds at its top, each under itself; or its mistake."""

    names: Mapping[str, str]
    mistake: Mistake | None = None
    # Whether it may bind names that only who runs it knows.
    has_others: bool = False


def mistakes_in(action: Action, files: Mapping[str, bytes]) -> Iterator[Mistake]:
    """What is wrong with an action's executor; paths begin at the executor."""
    names = _parameters_of(action)
    executor = action.executor
    if isinstance(executor, PythonExecutor):
        yield from _mistakes_of_python(executor, files)
    elif isinstance(executor, ProcessExecutor):
        yield from _mistakes_of_process(executor, names)
    elif isinstance(executor, HttpExecutor):
        yield from _mistakes_of_http(executor, names)
    elif isinstance(executor, FileExecutor):
        yield from _mistakes_of_file(executor, names)


def names_in(file: str, data: bytes) -> BoundNames:
    """What a file of Python binds; it reads the whole file."""
    try:
        module = symtable.symtable(data.decode(), file, "exec")
    except (SyntaxError, ValueError, RecursionError, MemoryError) as error:
        return BoundNames({}, Mistake(("file",), "a file of Python", f"a mistake in it: {error}"))
    names = {
        symbol.get_name(): symbol.get_name()
        for symbol in module.get_symbols()
        if symbol.is_assigned() or symbol.is_imported()
    }
    return BoundNames(names, has_others=b"import *" in data)


def missing_function(executor: PythonExecutor, bound: BoundNames) -> Mistake | None:
    """The mistake of an executor whose file is no Python or binds no such name."""
    if bound.mistake is not None or bound.has_others or executor.function in bound.names:
        return bound.mistake
    nearest = nearest_of(executor.function, bound.names)
    return Mistake(
        ("function",), f"a function of {executor.file}", shown(executor.function), nearest
    )


def reach_of(executor: Executor | HostExecutor) -> Iterator[str]:
    """What an executor can run, call and touch, in words that can be compared."""
    if isinstance(executor, PythonExecutor):
        yield f"python {executor.file}"
        if executor.isolation == "in_process":
            yield "python in this process"
    elif isinstance(executor, ProcessExecutor):
        yield f"program {executor.command[0]}"
        if executor.directory == "project":
            yield "programs in the project's directory"
    elif isinstance(executor, HttpExecutor):
        yield from (f"host {host}" for host in executor.hosts)
        if executor.allow_private:
            yield "private addresses"
    elif isinstance(executor, FileExecutor):
        yield f"file {executor.operation} {executor.root}"
    yield from (f"secret {name}" for name in secrets_of(executor))


def secrets_of(executor: Executor | HostExecutor) -> Iterator[str]:
    """The names of the secrets that an executor takes, in the order in which it names them."""
    for text in _texts_with_secrets(executor).values():
        yield from _SECRET.findall(text)


def facts_of(action: Action) -> dict[str, str]:
    """What an action says of itself and what its executor does, in texts that can be compared.

    What is as it is unless stated is left out.
    """
    stated: dict[str, Any] = {
        "risk_tier": action.risk_tier,
        "requires_confirmation": action.requires_confirmation or None,
        "rate_limit": action.rate_limit
        and f"{action.rate_limit.max_calls} in {action.rate_limit.window_seconds} s",
        "timeout_ms": action.timeout_ms,
        "cost": None if action.cost == 1 else action.cost,
        "name": action.name,
        "description": action.description or None,
        "idempotent": action.idempotent or None,
        "parameters_schema": dict(action.parameters_schema) or None,
        "returns_schema": action.returns_schema,
        "examples": action.examples or None,
        "executor": action.executor and action.executor.TYPE,
    }
    if action.executor is not None and not isinstance(action.executor, HostExecutor):
        stated |= {f"executor.{name}": value for name, value in _unusual(action.executor).items()}
    return {name: _fact(value) for name, value in stated.items() if value is not None}


def facts_of_part(part: ContextPack | Capability) -> dict[str, str]:
    """The same of what belongs together."""
    return {
        name: _fact(value)
        for name, value in _unusual(part).items()
        if name not in ("pack_id", "capability_id")
    }


def _unusual(value: Executor | ContextPack | Capability) -> dict[str, Any]:
    """The members that are not as they are unless stated."""
    found = {}
    for member in fields(value):
        factory = member.default_factory
        usual = member.default if factory is MISSING else factory()
        now = getattr(value, member.name)
        if now != usual:
            found[member.name] = now
    return found


def _fact(value: Any) -> str:
    """A value as a text; a long one by its digest, for no lock needs a second copy of it."""
    # No text of a lock has NUL.
    is_plain = isinstance(value, str) and "\0" not in value
    text = value if is_plain else json.dumps(value, ensure_ascii=False)
    if len(text) <= _MAX_FACT:
        return text
    return f"sha256 {hashlib.sha256(text.encode('utf-8', 'surrogatepass')).hexdigest()}"


def _texts_with_secrets(executor: Executor | HostExecutor) -> Mapping[str, str]:
    if isinstance(executor, ProcessExecutor):
        return executor.environment
    return executor.headers if isinstance(executor, HttpExecutor) else {}


def _parameters_of(action: Action) -> dict[str, str]:
    properties = action.parameters_schema.get("properties", {})
    return {name: name for name in properties} if isinstance(properties, dict) else {}


def _mistakes_of_python(executor: PythonExecutor, files: Mapping[str, bytes]) -> Iterator[Mistake]:
    if executor.file not in files:
        nearest = nearest_of(executor.file, {name: name for name in files})
        yield Mistake(("file",), A_FILE, shown(executor.file), nearest)
    elif not executor.file.endswith(".py"):
        yield Mistake(("file",), "a file of Python, *.py", shown(executor.file))


def _mistakes_of_process(executor: ProcessExecutor, names: Mapping[str, str]) -> Iterator[Mistake]:
    program = executor.command[0]
    is_placed = program.startswith("/") or "/" not in program
    if not program or program.startswith("-") or _TOKEN.search(program) or not is_placed:
        expected = "the name of a program, or its absolute path"
        yield Mistake(("command", 0), expected, shown(program))
    filled: dict[str, str] = {}
    for at, element in enumerate(executor.command[1:], 1):
        yield from _mistakes_of_template(element, names, ("command", at))
        inside = [match["name"] for match in _TOKEN.finditer(element) if match["name"]]
        filled |= {name: name for name in inside}
        if inside and not _PLACEHOLDER.fullmatch(element):
            expected = "a placeholder that fills its whole element"
            yield Mistake(("command", at), expected, shown(element))
    for at, name in enumerate(executor.allow_options):
        if name not in filled:
            expected = "a placeholder of the command"
            yield Mistake(("allow_options", at), expected, shown(name), nearest_of(name, filled))
    if executor.stdin is not None:
        yield from _mistakes_of_template(executor.stdin, names, ("stdin",))
    for key, text in executor.environment.items():
        if "${" in _SECRET.sub("", text):
            yield Mistake(("environment", key), "secrets as ${secret:NAME}", shown(text))


def _mistakes_of_http(executor: HttpExecutor, names: Mapping[str, str]) -> Iterator[Mistake]:
    yield from _mistakes_of_url(executor)
    yield from _mistakes_of_template(executor.url, names, ("url",))
    if executor.body is not None and executor.method in ("GET", "HEAD"):
        yield Mistake(("body",), f"no body with {executor.method}", "one")
    for at, name in enumerate(executor.body or ()):
        if name not in names:
            yield _no_parameter(("body", at), shown(name), nearest_of(name, names))
    for key, name in executor.query.items():
        if name not in names:
            yield _no_parameter(("query", key), shown(name), nearest_of(name, names))
    seen: set[str] = set()
    is_open = executor.url.startswith("http:") and not executor.allow_private
    for key, text in executor.headers.items():
        path = ("headers", key)
        if key.lower() in RESERVED_HEADERS:
            yield Mistake(path, "a header that the connection does not set", key)
        if key.lower() in seen:
            yield Mistake(path, "each header once", "it again")
        seen.add(key.lower())
        if is_open and _SECRET.search(text):
            yield Mistake(path, "https for a secret", "http")
        yield from _mistakes_of_template(text, names, path, with_secrets=True)


def _mistakes_of_url(executor: HttpExecutor) -> Iterator[Mistake]:
    url = executor.url
    match = _ADDRESS.match(url)
    if match is None or "\\" in url or "#" in url:
        expected = "a URL with a literal host in lower case, without user, \\ and fragment"
        yield Mistake(("url",), expected, shown(url))
        return
    scheme, host, port = match.groups()
    usual = _PORTS[scheme]
    listed = {name if _has_port(name) else f"{name}:{usual}": name for name in executor.hosts}
    if f"{host}:{port or usual}" not in listed:
        hosts = {name: name for name in executor.hosts}
        found = f"{host}:{port}" if port else host
        expected = "one of its hosts: " + ", ".join(hosts)
        yield Mistake(("url",), expected, shown(found), nearest_of(found, hosts))


def _has_port(host: str) -> bool:
    return ":" in host.rpartition("]")[2]


def _mistakes_of_file(executor: FileExecutor, names: Mapping[str, str]) -> Iterator[Mistake]:
    for key, text in (("root", executor.root), ("path", executor.path)):
        parts = text.split("/")
        if (text != "." and any(part in ("", ".", "..") for part in parts)) or "\\" in text:
            yield Mistake((key,), "a relative path of names", shown(text))
    yield from _mistakes_of_template(executor.path, names, ("path",))
    if _TOKEN.search(executor.root):
        yield Mistake(("root",), "a literal path", shown(executor.root))
    parts = [part for part in f"{executor.root}/{executor.path}".split("/") if part != "."]
    if parts and parts[0].casefold() in RESERVED | RESERVED_AT_TOP:
        yield Mistake(("root",), "a path that is not cra's own", shown(parts[0]))
    if executor.operation == "write" and executor.content not in names:
        nearest = nearest_of(executor.content, names)
        yield _no_parameter(("content",), shown(executor.content), nearest)


def _mistakes_of_template(
    text: str, names: Mapping[str, str], path: Path, *, with_secrets: bool = False
) -> Iterator[Mistake]:
    for match in _TOKEN.finditer(text):
        name = match["name"]
        if name and name not in names:
            yield _no_parameter(path, match[0], nearest_of(name, names))
        elif match["brace"]:
            yield Mistake(path, "{name} or a doubled brace", shown(text))
        elif match["secret"] and not with_secrets:
            # Process lists show arguments, and records show addresses.
            yield Mistake(path, "secrets only in headers and environment", match[0])


def _no_parameter(path: Path, found: str, nearest: str | None) -> Mistake:
    return Mistake(path, "a parameter of the action", found, nearest)
