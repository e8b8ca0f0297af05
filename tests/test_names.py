"""What exists has one name, one home and a caller: the checks that no linter makes."""

from __future__ import annotations

import ast
import re
from collections import defaultdict
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
CRA = ROOT / "cra"

Definition = ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef

# `@app.command()` hands a function to its caller; the function's own name is then free.
REGISTERING = {"callback", "command"}

# What only the outside calls, each with its caller.
CALLED_FROM_OUTSIDE = {
    "document",  # docs/generate.py
    "pytest_load_initial_conftests",  # pytest, by its name
    "read_part_main",  # the child processes of a verification, by name in `-c`
    "unwrap",  # a host program, on results that it reads back
}

# Strings that name code: "show", "cra.cli.trace:show".
REFERENCE = re.compile(r"[A-Za-z_][\w.]*(?::\w+)?")

AFTER_CONSTRUCTION = re.compile(
    r"def (test_\w*(?:_attributes|_create|_creation|_default_values|_defaults?|_enum|_enum_values"
    r"|_fields|_init|_initialization|_properties|_to_dict))\b"
)


def statements(folder: Path) -> Iterator[tuple[Path, ast.stmt]]:
    for path in sorted(folder.rglob("*.py")):
        for statement in ast.parse(path.read_text(encoding="utf-8")).body:
            yield path, statement


def is_registered(definition: Definition) -> bool:
    return any(
        isinstance(decorator, ast.Call)
        and isinstance(decorator.func, ast.Attribute)
        and decorator.func.attr in REGISTERING
        for decorator in definition.decorator_list
    )


def names_used(statement: ast.stmt) -> set[str]:
    """What a statement names; an import, a re-export and a definition's own body do not count."""
    used: set[str] = set()
    if isinstance(statement, ast.Assign) and "__all__" in map(ast.unparse, statement.targets):
        return used
    for node in ast.walk(statement):
        if isinstance(node, ast.Name):
            used.add(node.id)
        elif isinstance(node, ast.Attribute):
            used.add(node.attr)
        elif isinstance(node, ast.Constant) and REFERENCE.fullmatch(str(node.value)):
            used.update(re.split(r"[.:]", str(node.value)))
    if isinstance(statement, Definition):
        used.discard(statement.name)
    return used


def test_a_class_name_has_one_home():
    homes: dict[str, set[str]] = defaultdict(set)
    for path, statement in statements(CRA):
        if isinstance(statement, ast.ClassDef):
            homes[statement.name].add(str(path.relative_to(ROOT)))

    assert {name: where for name, where in homes.items() if len(where) > 1} == {}


def test_a_public_name_is_used_by_more_than_its_tests():
    used: set[str] = set()
    for folder in ("cra", "examples", "bench"):
        for _, statement in statements(ROOT / folder):
            used |= names_used(statement)

    unused = [
        f"{path.relative_to(ROOT)}:{statement.lineno} {statement.name}"
        for path, statement in statements(CRA)
        if isinstance(statement, Definition)
        and not statement.name.startswith("_")
        and not is_registered(statement)
        and statement.name not in used | CALLED_FROM_OUTSIDE
    ]

    assert unused == []


def test_no_test_is_named_after_construction():
    named = [
        f"{path.relative_to(ROOT)}: {name}"
        for path in sorted((ROOT / "tests").rglob("test_*.py"))
        for name in AFTER_CONSTRUCTION.findall(path.read_text(encoding="utf-8"))
    ]

    assert named == []
