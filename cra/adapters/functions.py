"""The functions of a Python module as actions, with a copy of its file.

The module is found without running anything, and its copy is loaded in a process of its own: as an
isolated action's is, with an empty directory and a scrubbed environment. So what is read is what
will run, an import that the atlas cannot make fails here, and code that ends its interpreter or
never returns does no harm to the command. It is the user's own code, and nothing more is kept from
it.
"""

from __future__ import annotations

import ast
import base64
import json
import os
import re
import shlex
import sys
from collections.abc import Iterator, Mapping, Sequence
from difflib import get_close_matches
from importlib.machinery import PathFinder
from pathlib import Path, PurePosixPath
from typing import Any, Final, NamedTuple

import cra
from cra.adapters.described import CALL
from cra.adapters.imported import MAX_DESCRIPTION, Effect, Imported, Mention, about, line_of
from cra.atlas.package import digest_of
from cra.errors import UsageError
from cra.policy.pattern import ACTION_ID, MAX_ACTION_ID
from cra.policy.schema import flaws_of
from cra.runtime.executors.child import Program, own_directory, run_program, scrubbed
from cra.runtime.executors.work import Failed
from cra.runtime.signature import fitting

_INSPECTED: Final = Path(__file__).with_name("inspected.py")
_TIMEOUT: Final = 60.0
_REACHED: Final = "go to the directory that it is imported from, or install it"
_MAX_OUTPUT: Final = 16 << 20
_MAX_FILES: Final = 200
_MAX_BYTES: Final = 4 << 20
_SUFFIX: Final = ".py"
_DOTTED: Final = re.compile(r"[A-Za-z_][A-Za-z0-9_]*(?:\.[A-Za-z_][A-Za-z0-9_]*)*")
# What the code beside the module calls it.
_ALIAS: Final = "_module"

_READING: Final = frozenset(["get", "list", "read", "find", "search", "count", "show"])
_DELETING: Final = frozenset(["delete", "remove", "drop", "purge"])
# `get_or_create` and `read_and_clear` do more than they begin with.
_JOINING: Final = frozenset({"and", "or"})
# What the copies of the files are modules of.
_PRIVATE: Final = re.compile(r"_cra_atlas_[0-9a-f]{32}\.?")
_WORD: Final = re.compile("[A-Z]+(?![a-z])|[A-Z]?[a-z]+|[0-9]+")


class ModuleSource(NamedTuple):
    """The file of a module and those that it needs, by their paths in the atlas, and where each was
    found."""

    name: str
    file: str
    files: Mapping[str, bytes]
    origins: Mapping[str, str]
    needed: tuple[Mention, ...]


def effect_of(name: str) -> Effect:
    """What a function does, as far as its name says it; who says nothing of it changes things."""
    words = [word.lower() for word in _WORD.findall(name)]
    if not _DELETING.isdisjoint(words):
        return "deletes"
    is_reading = words[:1] and words[0] in _READING and _JOINING.isdisjoint(words)
    return "reads" if is_reading else "changes"


def find_module(name: str, roots: Sequence[str]) -> ModuleSource:
    """The source of a module, by its dotted name, below some directories. Raises UsageError."""
    if not _DOTTED.fullmatch(name) or _is_file_name(name):
        raise UsageError(
            f"expected a module like shop.orders, found {name!r:.80}", fix=_meant(name)
        )
    place, is_package = _located(name, roots)
    steps = name.split(".")
    if is_package and list(_relative_imports(place.read_bytes())):
        raise UsageError(
            f"expected a module, found the package {name}, whose file imports others of it",
            where=_shown(place),
            fix=f"name one of its modules: {name}.NAME",
        )
    sources = {f"{steps[-1]}.py": place} if is_package else _with_siblings(place, steps)
    files = {path: origin.read_bytes() for path, origin in sources.items()}
    size = sum(map(len, files.values()))
    if len(files) > _MAX_FILES or size > _MAX_BYTES:
        raise UsageError(
            f"expected at most {_MAX_FILES} files of {_MAX_BYTES >> 20} MiB, found more",
            where=str(place),
        )
    origins = {path: _shown(origin) for path, origin in sources.items()}
    mentions = tuple(_foreign_imports(files, origins))
    return ModuleSource(name, next(iter(files)), files, origins, mentions)


def imported_functions(source: ModuleSource, prefix: str) -> Imported:
    """Actions of the public functions. Runs the module's code, in a process of its own.

    Raises UsageError for a module that cannot be loaded from the atlas.
    """
    found = _inspected(source)
    files = dict(source.files)
    if found["code"]:
        calls = "calls.py" if "calls.py" not in files else "calls_with_json.py"
        files[calls] = _code(source.file, found["code"])
    reduced, left_out = (
        [Mention(_place(source, file, line), words) for file, line, words in found[key]]
        for key in ("reduced", "left_out")
    )
    actions: dict[str, dict[str, Any]] = {}
    effects: dict[str, Effect] = {}
    for function in found["functions"]:
        name = function["name"]
        action_id = f"{prefix}.{fitting(name)}"
        flaw = _flaw_of(function, action_id, actions)
        if flaw is not None:
            left_out.append(Mention(source.origins[source.file], f"{name}: {flaw}"))
            continue
        effects[action_id] = effect_of(name)
        actions[action_id] = {
            "action_id": action_id,
            "name": line_of(function["description"].rstrip(".")) or line_of(name.replace("_", " ")),
            "description": line_of(function["description"], MAX_DESCRIPTION),
            # A name says nothing of what is at stake.
            "risk_tier": "high" if effects[action_id] == "deletes" else "medium",
            "parameters_schema": function["parameters_schema"],
            **(
                {"returns_schema": function["returns_schema"]} if function["returns_schema"] else {}
            ),
            "executor": {
                "type": "python",
                "file": calls if function["is_wrapped"] else source.file,
                "function": CALL + name if function["is_wrapped"] else name,
                "isolation": "process",
            },
        }
    packs, about_files = about(f"Functions of {source.name}", found["documentation"])
    files |= about_files
    capability = {
        "capability_id": f"{prefix}.functions",
        "name": line_of(source.name),
        "description": line_of(found["about"], MAX_DESCRIPTION),
        "actions": list(actions),
        "context_packs": [pack["pack_id"] for pack in packs],
    }
    return Imported(
        title=line_of(found["about"], MAX_DESCRIPTION) or f"Functions of {source.name}",
        actions=tuple(actions.values()),
        effects=effects,
        context_packs=packs,
        capabilities=(capability,),
        files=files,
        remarks=(
            f"The code is a copy of the module `{source.name}`: a change there is none here.",
            "Each call runs in a process of its own, with an empty directory and without the "
            'environment; without `"isolation": "process"` in `actions-1.json` it runs within cra.',
            "What a function does is read off its name: get, list, read, find, search, count and "
            "show read; delete, remove, drop and purge delete.",
            *(
                [f"`{calls}` makes the arguments that JSON has no form for, and JSON of results."]
                if found["code"]
                else []
            ),
        ),
        reduced=(*source.needed, *reduced),
        left_out=tuple(left_out),
    )


def _flaw_of(function: Mapping[str, Any], action_id: str, taken: Mapping[str, Any]) -> str | None:
    name = function["name"]
    if action_id in taken:
        return f"another function is {action_id} already"
    is_plain = name.isascii() and name.isidentifier()
    if not is_plain or not ACTION_ID.match(action_id) or len(action_id) > MAX_ACTION_ID:
        return "its name makes no action id"
    for key in ("parameters_schema", "returns_schema"):
        flaws = flaws_of(function[key]) if function[key] else ()
        if flaws:
            return f"a schema that cra does not accept: {flaws[0]}"
    return None


# Finding


def _is_file_name(name: str) -> bool:
    """Whether a name that could be a module's is that of a file here."""
    return name.endswith(_SUFFIX) and Path(name).is_file()


def _meant(name: str) -> str | None:
    """The module that a path leads to, as one names it from where it is imported from."""
    if not name.endswith(_SUFFIX):
        return None
    path = Path(os.path.relpath(name))
    # A directory without a file of its own may hold modules, and need be no package.
    folder = path.parent
    while (folder / "__init__.py").is_file() and folder != Path():
        folder = folder.parent
    module = ".".join(path.relative_to(folder).with_suffix("").parts)
    if not path.is_file() or not _DOTTED.fullmatch(module):
        return None
    way = "" if folder == Path() else f"cd {shlex.quote(str(folder))}, and "
    return f"did you mean {way}--from-module {module}?"


def _near(name: str, where: Sequence[str] | None) -> str | None:
    """The module of a directory whose name is nearest."""
    names = sorted(
        {
            entry.stem
            for root in where or ()
            if os.path.isdir(root)
            for entry in Path(root).iterdir()
            if entry.suffix == _SUFFIX or (entry / "__init__.py").is_file()
        }
    )
    nearest = get_close_matches(name, names, n=1)
    return nearest[0] if nearest else None


def _located(name: str, roots: Sequence[str]) -> tuple[Path, bool]:
    """The file of a module, and whether it is a package's."""
    where: Sequence[str] | None = roots
    spec = None
    found = ""
    for step in name.split("."):
        around, found = found, f"{found}.{step}".removeprefix(".")
        places = where
        # Not importlib.util.find_spec, which runs the packages around the module.
        spec = None if where is None else PathFinder.find_spec(found, where)
        where = None if spec is None else spec.submodule_search_locations
        if spec is None:
            # Of all that is installed, only what lies here is likely to be meant.
            near = _near(step, places if around else roots[:1])
            module = f"{around}.{near}".removeprefix(".")
            raise UsageError(
                f"expected a module that can be found from here, found no {found}",
                fix=f"did you mean --from-module {module}? If not, {_REACHED}"
                if near is not None
                else _REACHED,
            )
    assert spec is not None
    if spec.origin is None or not spec.origin.endswith(".py"):
        found = spec.origin or f"{name}, a package without a file"
        raise UsageError(f"expected a module with a file of Python, found {found}")
    return Path(spec.origin), spec.submodule_search_locations is not None


def _with_siblings(place: Path, steps: Sequence[str]) -> dict[str, Path]:
    """The file of a module, and the files of its package that relative imports lead to.

    A module without such imports needs no folders around it.
    """
    data = place.read_bytes()
    if not list(_relative_imports(data)):
        return {f"{steps[-1]}.py": place}
    top = place.parents[len(steps) - 1]
    first = PurePosixPath(*steps).with_suffix(".py")
    found = {str(first): place}
    waiting = [first]
    while waiting and len(found) <= _MAX_FILES:
        path = waiting.pop()
        for level, base, names in _relative_imports(found[str(path)].read_bytes()):
            package = path.parents[level - 1] if level <= len(path.parents) else None
            if package is None or str(package) == ".":
                continue
            target = package / base.replace(".", "/") if base else package
            for one in _files_meant(top, target, names):
                if str(one) not in found:
                    found[str(one)] = top / one
                    waiting.append(one)
    return found


def _files_meant(top: Path, target: PurePosixPath, names: Sequence[str]) -> Iterator[PurePosixPath]:
    """The files that `from target import names` reads."""
    if (top / target).with_suffix(".py").is_file():
        yield target.with_suffix(".py")
        return
    inner = [target / f"{name}.py" for name in names]
    yield from (one for one in inner if (top / one).is_file())
    init = target / "__init__.py"
    if not all((top / one).is_file() for one in inner) and (top / init).is_file():
        yield init


def _relative_imports(data: bytes) -> Iterator[tuple[int, str, list[str]]]:
    for node in _imports(data):
        if isinstance(node, ast.ImportFrom) and node.level:
            yield node.level, node.module or "", [alias.name for alias in node.names]


def _foreign_imports(files: Mapping[str, bytes], origins: Mapping[str, str]) -> Iterator[Mention]:
    """What the files import that is neither Python's nor the atlas's."""
    seen = set()
    for path, data in files.items():
        for node in _imports(data):
            names = [alias.name for alias in node.names]
            if isinstance(node, ast.ImportFrom):
                names = [] if node.level else [node.module or ""]
            for name in names:
                top = name.partition(".")[0]
                if top and top not in sys.stdlib_module_names and top not in seen:
                    seen.add(top)
                    words = f"imports {top}, which has to be installed where the atlas runs"
                    yield Mention(f"{origins[path]}:{node.lineno}", words)


def _imports(data: bytes) -> Iterator[ast.Import | ast.ImportFrom]:
    try:
        tree = ast.parse(data)
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        # Loading it says what is wrong with it, and where.
        return
    yield from (node for node in ast.walk(tree) if isinstance(node, ast.Import | ast.ImportFrom))


def _shown(path: Path) -> str:
    """A path as short as it can be said from here."""
    here = os.path.relpath(path)
    return str(path) if here.startswith("..") else here


# Reading


def _inspected(source: ModuleSource) -> Mapping[str, Any]:
    package = f"sha256:{digest_of(source.files)}"
    request = {
        # Where the child finds this very package, with -I and wherever it is installed.
        "home": str(Path(cra.__path__[0]).parent),
        "package": package,
        "files": {name: base64.b64encode(data).decode() for name, data in source.files.items()},
        "file": source.file,
        "name": _ALIAS,
    }
    with own_directory() as home:
        program = Program(
            command=(sys.executable, "-I", str(_INSPECTED)),
            environment=scrubbed(home),
            directory=home,
            stdin=json.dumps(request).encode(),
            max_output_bytes=_MAX_OUTPUT,
        )
        ended = run_program(program, _TIMEOUT)
    if isinstance(ended, Failed):
        found = f"a program that fails: {ended.message}"
        if ended.code == "timeout":
            found = f"one that does not end within {_TIMEOUT:g} s"
        raise _unloadable(source, found, source.origins[source.file])
    try:
        said = json.loads(ended.stdout)
    except ValueError:
        found = f"it ended its interpreter with the exit code {ended.exit_code}"
        raise _unloadable(source, found, source.origins[source.file]) from None
    if "failed" in said:
        file, line = said["frame"] or ["", 0]
        place = _place(source, file, line)
        raise _unloadable(source, said["failed"], place)
    found_there: Mapping[str, Any] = said["found"]
    return found_there


def _unloadable(source: ModuleSource, found: str, where: str) -> UsageError:
    found = _PRIVATE.sub(lambda name: "" if name[0].endswith(".") else "the atlas", found)
    is_import = found.startswith(("ModuleNotFoundError", "ImportError"))
    return UsageError(
        f"expected a module that can be loaded from an atlas, found {line_of(found, 300)}",
        where=where,
        fix="install what it imports, or import it relatively (from . import other), which takes "
        "the file along"
        if is_import
        else f"mend {source.name}: it is loaded with an empty directory and environment",
    )


def _place(source: ModuleSource, file: str, line: int) -> str:
    """A place in the user's own files, of one in their copies."""
    path = file.partition(">/")[2]
    origin = source.origins.get(path, source.origins[source.file])
    return f"{origin}:{line}" if path in source.origins and line else origin


def _code(file: str, parts: Sequence[str]) -> bytes:
    """The file that calls the module for those who have JSON only."""
    folder, _, name = file.removesuffix(".py").rpartition("/")
    package = f".{folder.replace('/', '.')}"
    needed = [one for one in ("dataclasses", "enum") if any(f"{one}." in part for part in parts)]
    head = [
        '"""Calls functions with what JSON has no form for. Made by `cra atlas create`."""',
        "\n".join(
            [*(f"import {one}" for one in needed), f"from {package} import {name} as {_ALIAS}"]
        ),
    ]
    return ("\n\n\n".join(["\n\n".join(head), *parts]) + "\n").encode()
