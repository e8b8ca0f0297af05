"""Versions and ranges of them (Semantic Versioning 2.0.0).

A range is comparisons that all have to hold, separated by commas: `^1.2`, `~1.2.3`, `>=1,<2`,
`1.x`, `*`, `1.2.3`. `^` allows what keeps the left-most number that is not zero, `~` what keeps the
minor version. A number left out is any. A prerelease fits only where a comparison names a
prerelease of the same version: who asks for `^1.2` does not get `2.0.0-rc.1`, nor `1.3.0-rc.1`.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from functools import total_ordering
from typing import Final, NamedTuple, TypeAlias

from cra.errors import ValueRefused

_NUMBER: Final = r"(?:0|[1-9][0-9]{0,17})"
_IDENTIFIER: Final = rf"(?:{_NUMBER}|[0-9]*[a-zA-Z-][0-9a-zA-Z-]*)"
_PRERELEASE: Final = rf"(?:-({_IDENTIFIER}(?:\.{_IDENTIFIER})*))?"
_BUILD: Final = r"(?:\+[0-9a-zA-Z-]+(?:\.[0-9a-zA-Z-]+)*)?"
VERSION_PATTERN: Final = (
    rf"{_NUMBER}\.{_NUMBER}\.{_NUMBER}{_PRERELEASE.replace('-(', '-(?:')}{_BUILD}"
)
# `re` compiles these for the atlases that depend on others; an import would do it for all.
_VERSION: Final = rf"({_NUMBER})\.({_NUMBER})\.({_NUMBER}){_PRERELEASE}{_BUILD}\Z"
_PART: Final = rf"({_NUMBER}|[xX*])"
_COMPARISON: Final = (
    rf"(\^|~|>=|<=|>|<|=)? *{_PART}(?:\.{_PART}(?:\.{_PART}{_PRERELEASE}{_BUILD})?)?\Z"
)

_Release: TypeAlias = tuple[int, int, int]


@total_ordering
@dataclass(frozen=True)
class Version:
    """A version; build metadata has no rank and is left out (section 10)."""

    release: _Release
    prerelease: tuple[str, ...] = ()

    def __lt__(self, other: Version) -> bool:
        return self._rank() < other._rank()

    def _rank(self) -> tuple[_Release, bool, list[tuple[bool, int, str]]]:
        """Section 11: numbers before words, a longer list after its beginning, a release last."""
        identifiers = [
            (False, int(part or -1), "") if part.isdecimal() or not part else (True, 0, part)
            for part in self.prerelease
        ]
        return self.release, not self.prerelease, identifiers


def parse_version(text: str) -> Version:
    """Raises ValueRefused for anything but a version like 1.2.3 or 1.2.3-rc.1."""
    match = re.match(_VERSION, text)
    if match is None:
        raise ValueRefused(f"expected a version like 1.2.3, found {text!r:.80}")
    major, minor, patch, prerelease = match.groups()
    return Version((int(major), int(minor), int(patch)), _identifiers(prerelease))


class _Bound(NamedTuple):
    """From `low` on, up to but without `high`."""

    low: Version
    high: Version | None
    # The release whose prereleases may fit.
    named: _Release | None

    def holds(self, version: Version) -> bool:
        return self.low <= version and (self.high is None or version < self.high)


class VersionRange(NamedTuple):
    text: str
    bounds: tuple[_Bound, ...]

    def allows(self, version: Version) -> bool:
        if version.prerelease and all(bound.named != version.release for bound in self.bounds):
            return False
        return all(bound.holds(version) for bound in self.bounds)


def parse_range(text: str) -> VersionRange:
    """Raises ValueRefused for anything that is no range."""
    return VersionRange(text, tuple(_bound(part.strip(" "), text) for part in text.split(",")))


def _bound(part: str, text: str) -> _Bound:
    match = re.match(_COMPARISON, part)
    if match is None:
        raise ValueRefused(
            f"expected a range of versions like ^1.2, ~1.2.3, >=1,<2 or 1.x, found {text!r:.80}"
        )
    operator, *parts, prerelease = match.groups()
    numbers = _numbers(parts, text)
    low = Version(_filled(numbers), _identifiers(prerelease))
    named = low.release if prerelease else None
    # The first version beyond all that begin with the numbers, without its own prereleases.
    after = _raised(numbers, len(numbers)) if len(numbers) < 3 else _next(low)
    if not numbers and operator in (">", "<"):
        # Above or below any version there is none.
        return _Bound(_ZERO, _ZERO, None)
    if operator == "^":
        return _Bound(low, _raised(numbers, _kept(numbers)), named)
    if operator == "~":
        return _Bound(low, _raised(numbers, min(len(numbers), 2)), named)
    bounds = {
        ">=": (low, None),
        ">": (after or low, None),
        "<=": (_ZERO, after),
        "<": (_ZERO, low if prerelease else Version(low.release, _LOWEST)),
    }
    return _Bound(*bounds.get(operator, (low, after)), named)


# Below every prerelease that can be written: no identifier is empty, and none ranks below it.
_LOWEST: Final = ("",)
_ZERO: Final = Version((0, 0, 0), _LOWEST)


def _numbers(parts: list[str | None], text: str) -> tuple[int, ...]:
    """The numbers before the first that is left out or any; none may come after it."""
    given = [part for part in parts if part is not None and part not in "xX*"]
    if [part for part in parts if part is not None][: len(given)] != given:
        raise ValueRefused(f"expected no number after x, found {text!r:.80}")
    return tuple(map(int, given))


def _filled(numbers: tuple[int, ...]) -> _Release:
    major, minor, patch = (*numbers, 0, 0, 0)[:3]
    return major, minor, patch


def _kept(numbers: tuple[int, ...]) -> int:
    """How many numbers `^` keeps: those up to the first that is not zero."""
    return next((at for at, number in enumerate(numbers, 1) if number), len(numbers))


def _raised(numbers: tuple[int, ...], kept: int) -> Version | None:
    """The lowest version beyond all that begin with the kept numbers; None if all do."""
    if kept == 0:
        return None
    return Version(_filled((*numbers[: kept - 1], numbers[kept - 1] + 1)), _LOWEST)


def _next(version: Version) -> Version:
    """The version right after another."""
    if version.prerelease:
        return Version(version.release, (*version.prerelease, ""))
    major, minor, patch = version.release
    return Version((major, minor, patch + 1), _LOWEST)


def _identifiers(text: str | None) -> tuple[str, ...]:
    return tuple(text.split(".")) if text else ()
