"""What a golden was recorded on: digests of atlases, policies, and of each action that was called.

They decide nothing. A replay tells by them what has changed since, also where nothing of it was
run.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import fields
from hashlib import sha256
from pathlib import Path
from typing import Any, Final, NamedTuple

from cra import canonical
from cra.atlas.model import Action, Atlas, HostExecutor, Snapshot
from cra.ledger import files
from cra.replay.manifest import ActionMark, AtlasMark

_MAX_POLICY: Final = 1 << 20


class Marks(NamedTuple):
    atlases: Mapping[str, AtlasMark]
    policies: Mapping[str, str]
    actions: Mapping[str, ActionMark]


def marks_of(root: Path, snapshot: Snapshot, called: Iterable[str]) -> Marks:
    """The marks of a project as far as some actions depend on it."""
    actions = {
        name: snapshot.actions[name] for name in sorted(set(called)) if name in snapshot.actions
    }
    atlases = {one.atlas_id: AtlasMark(one.version, one.digest) for one in snapshot.atlases}
    return Marks(
        atlases,
        _policies(root, snapshot),
        {name: mark_of(atlas, action) for name, (atlas, action) in actions.items()},
    )


def mark_of(atlas: Atlas, action: Action) -> ActionMark:
    schemas = {"parameters": action.parameters_schema, "returns": action.returns_schema}
    executor = action.executor
    if executor is None:
        return ActionMark(_digest(schemas))
    if isinstance(executor, HostExecutor):
        return ActionMark(_digest(schemas), _digest({"type": executor.TYPE}))
    stated = {
        "type": executor.TYPE,
        **{f.name: getattr(executor, f.name) for f in fields(executor)},
    }
    code = {name: sha256(atlas.files[name]).hexdigest() for name in _code_of(atlas, stated)}
    return ActionMark(_digest(schemas), _digest(stated), _digest(code) if code else None)


def _policies(root: Path, snapshot: Snapshot) -> dict[str, str]:
    names = sorted({rule.origin.file for rule in snapshot.policies})
    found = {name: files.read_all(root / name, _MAX_POLICY) for name in names}
    return {name: sha256(data).hexdigest() for name, data in found.items() if data is not None}


def _digest(value: Any) -> str:
    return sha256(canonical.encode(_listed(value))).hexdigest()


def _listed(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {key: _listed(member) for key, member in value.items()}
    return [_listed(item) for item in value] if isinstance(value, tuple | list) else value


def _code_of(atlas: Atlas, executor: Mapping[str, Any]) -> list[str]:
    """The files of an atlas that an executor names, and the modules of it that these import.

    An import that is decided while it runs is not seen.
    """
    waiting = [name for name in _texts(executor) if name in atlas.files]
    found: set[str] = set()
    while waiting:
        name = waiting.pop()
        if name not in found:
            found.add(name)
            waiting += _imported(atlas.files, name)
    return sorted(found)


def _texts(value: Any) -> Iterator[str]:
    if isinstance(value, str):
        yield value
    elif isinstance(value, Mapping):
        for member in value.values():
            yield from _texts(member)
    elif isinstance(value, tuple | list):
        for item in value:
            yield from _texts(item)


def _imported(package: Mapping[str, bytes], name: str) -> Iterator[str]:
    if not name.endswith(".py"):
        return
    try:
        tree = ast.parse(package[name])
    except (SyntaxError, ValueError, RecursionError, MemoryError):
        return
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            modules = [one.name for one in node.names]
        elif isinstance(node, ast.ImportFrom):
            folder = name.split("/")[: -node.level] if node.level else []
            base = ".".join([*folder, *([node.module] if node.module else [])])
            modules = [base, *(f"{base}.{one.name}".strip(".") for one in node.names)]
        else:
            continue
        for module in modules:
            path = module.replace(".", "/")
            parents = [path.rsplit("/", at)[0] for at in range(path.count("/") + 1)]
            for one in parents:
                yield from (file for file in (f"{one}.py", f"{one}/__init__.py") if file in package)
