"""Versions and ranges, and the dependencies of atlases on one another."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pytest

from cra.atlas.manifest import atlas_of
from cra.atlas.model import Atlas
from cra.atlas.semver import parse_range, parse_version
from cra.atlas.snapshot import snapshot_of
from cra.errors import AtlasError, Fault, ValueRefused

# Semantic Versioning 2.0.0, section 11, and a little beyond its example.
ORDER = [
    "0.0.0-0",
    "0.0.0",
    "0.9.9",
    "1.0.0-1",
    "1.0.0-2",
    "1.0.0-10",
    "1.0.0--",
    "1.0.0-A",
    "1.0.0-alpha",
    "1.0.0-alpha.1",
    "1.0.0-alpha.beta",
    "1.0.0-beta",
    "1.0.0-beta.2",
    "1.0.0-beta.11",
    "1.0.0-rc.1",
    "1.0.0",
    "1.0.1",
    "1.10.0",
    "2.0.0",
]


def test_versions_have_the_precedence_of_the_specification():
    for lower, higher in pairwise(map(parse_version, ORDER)):
        assert lower < higher
        assert not higher <= lower


@pytest.mark.parametrize(
    "text", ["", "1.2", "1.2.3.4", "01.2.3", "1.2.3-01", "1.2.3-", "v1.2.3", "1.2.3\n", "1.2.x"]
)
def test_anything_else_is_no_version(text):
    with pytest.raises(ValueRefused):
        parse_version(text)


@pytest.mark.parametrize(
    ("text", "inside", "outside"),
    [
        ("1.2.3", "1.2.3 1.2.3+b", "1.2.2 1.2.4 1.2.3-rc.1 1.2.4-0"),
        ("1.2.3-rc.1", "1.2.3-rc.1", "1.2.3-rc.1.0 1.2.3-rc.2 1.2.3"),
        ("^1.2.3", "1.2.3 1.9.0", "1.2.2 2.0.0 2.0.0-rc.1 1.3.0-rc.1"),
        ("^0.2.3", "0.2.3 0.2.9", "0.2.2 0.3.0"),
        ("^0.0.3", "0.0.3", "0.0.2 0.0.4"),
        ("^0.0", "0.0.9", "0.1.0"),
        ("^0", "0.9.9", "1.0.0"),
        ("^1.2.3-rc.1", "1.2.3-rc.1 1.2.3-rc.2 1.3.0", "1.2.3-beta 1.2.4-rc.1 2.0.0"),
        ("~1.2.3", "1.2.3 1.2.9", "1.2.2 1.3.0"),
        ("~1", "1.9.0", "2.0.0"),
        (">=1,<2", "1.0.0 1.9.9", "0.9.9 2.0.0 2.0.0-rc.1 1.5.0-rc.1"),
        (">1", "2.0.0", "1.0.0 1.9.9"),
        (">1.2.3-a", "1.2.3-a.0 1.2.3-b 1.2.3", "1.2.3-a"),
        ("<=1", "0.1.0 1.9.9", "2.0.0"),
        ("<1.2.3", "1.2.2 0.0.0", "1.2.3 1.2.3-rc.1"),
        ("1.x", "1.0.0 1.9.9", "2.0.0 0.9.9"),
        ("1.2.*", "1.2.9", "1.3.0"),
        ("*", "0.0.0 9.9.9", "1.0.0-rc.1"),
        (">*", "", "0.0.0 9.9.9"),
    ],
)
def test_a_range_allows_what_it_says(text, inside, outside):
    found = parse_range(text)

    assert [each for each in inside.split() if not found.allows(parse_version(each))] == []
    assert [each for each in outside.split() if found.allows(parse_version(each))] == []


@pytest.mark.parametrize("text", ["", "1,", "soon", "1 2", "^", "~>1", "!=1", "1.x.3", "01", "1\n"])
def test_anything_else_is_no_range(text):
    with pytest.raises(ValueRefused, match="expected"):
        parse_range(text)


def atlas(name: str, version: str = "1.0.0", **needs: str) -> Atlas:
    manifest: dict[str, Any] = {
        "atlas_version": "1.0",
        "atlas_id": f"com.{name}",
        "version": version,
        "dependencies": {f"com.{other}": text for other, text in needs.items()},
    }
    return atlas_of(manifest, {})


def test_dependencies_that_are_present_and_in_range_are_accepted():
    snapshot = snapshot_of([atlas("a", b="^1"), atlas("b", "1.9.0", c="~2.1"), atlas("c", "2.1.3")])

    assert [each.atlas_id for each in snapshot.atlases] == ["com.a", "com.b", "com.c"]


@pytest.mark.parametrize(
    ("needs", "message"),
    [
        ([("a", "1.0.0", {"b": "^1"})], "expected com.b ^1, found no such atlas in the project"),
        ([("a", "1.0.0", {"b": "^1"}), ("b", "2.0.0", {})], "expected com.b ^1, found 2.0.0"),
        ([("a", "1.0.0", {"a": "*"})], "found a cycle: com.a → com.a"),
        (
            [("x", "1.0.0", {"a": "*"}), ("a", "1.0.0", {"b": "*"}), ("b", "1.0.0", {"a": "*"})],
            "found a cycle: com.a → com.b → com.a",
        ),
    ],
)
def test_a_missing_a_wrong_and_a_circular_dependency_are_refused(needs, message):
    with pytest.raises(AtlasError) as caught:
        snapshot_of([atlas(name, version, **others) for name, version, others in needs])

    assert caught.value.code == Fault.DEPENDENCY
    assert message in caught.value.message
