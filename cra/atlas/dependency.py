"""Whether the atlases of a project have what they ask for: present, in range, without a cycle."""

from __future__ import annotations

from collections.abc import Iterator, Sequence

from cra.atlas.model import Atlas
from cra.atlas.problem import AtlasProblem
from cra.atlas.semver import parse_range, parse_version
from cra.config.values import nearest_of
from cra.errors import Fault


def dependency_problems(atlases: Sequence[Atlas]) -> Iterator[AtlasProblem]:
    """What is missing, out of range, or depends on itself."""
    by_id = {atlas.atlas_id: atlas for atlas in atlases}
    for atlas in atlases:
        for name, text in atlas.dependencies.items():
            expected = f"{name} {text}"
            if name not in by_id:
                found = "no such atlas in the project"
                others = {one: one for one in by_id if one != atlas.atlas_id}
                yield _problem(atlas, name, expected, found, nearest_of(name, others))
            elif not parse_range(text).allows(parse_version(by_id[name].version)):
                yield _problem(atlas, name, expected, by_id[name].version)
    for cycle in _cycles({name: list(atlas.dependencies) for name, atlas in by_id.items()}):
        found = "a cycle: " + " → ".join(cycle)
        yield _problem(by_id[cycle[0]], cycle[1], "dependencies that end", found)


def _problem(
    atlas: Atlas, name: str, expected: str, found: str, nearest: str | None = None
) -> AtlasProblem:
    key = f"dependencies.{name}"
    fault = Fault.DEPENDENCY
    return AtlasProblem(atlas.atlas_id, 0, 0, key, expected, found, nearest, fault=fault)


def _cycles(graph: dict[str, list[str]]) -> Iterator[list[str]]:
    """A cycle through each atlas that closes one, as a path that ends where it begins."""
    done: set[str] = set()
    for start, first in graph.items():
        path: list[str] = []
        todo = [(start, iter(first))] if start not in done else []
        while todo:
            name, following = todo[-1]
            if len(path) < len(todo):
                path.append(name)
            after = next(following, None)
            if after is None:
                done.add(path.pop())
                todo.pop()
            elif after in path:
                yield [*path[path.index(after) :], after]
            elif after in graph and after not in done:
                todo.append((after, iter(graph[after])))
