"""Where secrets are in a text.

Found is what reads as one: `cra.redaction.kinds` has the marks. Not found are: a secret in pieces,
in two strings or with anything inserted; one that is encoded, in base64 (unless it was recorded as
bytes), in hexadecimal, in escapes like \\u0041, compressed or encrypted; one in look-alike letters
of other scripts; a password of words or with spaces; a key with no mark of its provider and no name
of a secret beside it. The patterns and field paths of a rule are for these.
"""

from __future__ import annotations

from collections.abc import Collection, Iterable
from dataclasses import dataclass
from functools import cache, cached_property
from typing import Any, Final, NamedTuple

import re2  # type: ignore[import-untyped]

from cra.redaction.check import is_assigned
from cra.redaction.kinds import BY_DEFAULT, KINDS, MEMBER

# What a rule's own pattern finds, and what is at a path that a rule names.
PATTERN: Final = "pattern"
FIELD: Final = "field"
# A value beside the name of a secret.
ASSIGNMENT: Final = "assignment"
# What bytes, and strings with a lone surrogate, are recorded as: anything may be in them.
_ENCODED: Final = rb'"\$(?:b64|wtf8)"'
_NONE: Final[frozenset[str]] = frozenset()
_RANK: Final = {kind: rank for rank, kind in enumerate([PATTERN, FIELD, *KINDS])}
# The most of a rejected candidate that is read again.
_READ_AGAIN: Final = 64


class Found(NamedTuple):
    """A secret, and where in a text it is."""

    kind: str
    start: int
    end: int


@dataclass(frozen=True)
class Detectors:
    """What is looked for: kinds of `KINDS`, and a rule's own regexes of RE2."""

    kinds: tuple[str, ...] = BY_DEFAULT
    patterns: tuple[str, ...] = ()

    def suspects(self, data: bytes) -> frozenset[str]:
        """The kinds that may be in a text, or in the strings of a JSON text; no other is."""
        found = self._anchors.Match(data)
        if not found:
            return _NONE
        if len(self.kinds) in found:
            return frozenset(self.kinds)
        return frozenset([self.kinds[at] for at in found])

    @cached_property
    def own(self) -> tuple[Any, ...]:
        return tuple(re2.compile(pattern) for pattern in self.patterns)

    @cached_property
    def _anchors(self) -> Any:
        anchors = re2.Set.SearchSet(_options())
        for kind in self.kinds:
            anchors.Add(KINDS[kind].anchor.encode())
        anchors.Add(_ENCODED)
        anchors.Compile()
        return anchors


DEFAULT: Final = Detectors()


def find(detectors: Detectors, text: str) -> list[Found]:
    """The secrets in a text, in its order; of those that overlap, one that covers all."""
    return merged(findings(detectors, text, detectors.suspects(_ascii(text))))


def findings(detectors: Detectors, text: str, suspects: Collection[str]) -> list[Found]:
    """What the suspected kinds and the own patterns find, overlaps included."""
    data = _ascii(text)
    found: list[Found] = []
    for kind in suspects:
        regex, check = _compiled(kind), KINDS[kind].check
        at = 0
        while match := regex.search(data, at):
            start, end = _span(match)
            stop = check(data, match.start(), start, end) if check else end
            if stop is None:
                at = max(start + 1, end - _READ_AGAIN)
            else:
                found.append(Found(kind, start, stop))
                at = stop
    if detectors.own:
        # Places in bytes are quick to tell. RE2 knows no lone surrogates.
        whole = data if text.isascii() else text.encode("utf-8", "replace").decode()
        for own in detectors.own:
            spans = [match.span() for match in own.finditer(whole)]
            found += [Found(PATTERN, *span) for span in spans if span[0] < span[1]]
    return found


def is_secret_member(name: str, value: str) -> bool:
    """Whether an object's member is one by its name, like {"password": …}."""
    match = _name().search(_ascii(name))
    if match is None or any(letter.isspace() for letter in value):
        return False
    data = _ascii(f"{name}:{value}")
    return is_assigned(data, match.start(), len(name) + 1, len(data)) is not None


def merged(found: Iterable[Found]) -> list[Found]:
    """Findings in order, those that overlap as one: of the kind of the longest, and of those as
    long of the most specific."""
    groups: list[list[Found]] = []
    end = -1
    for one in sorted(found, key=lambda one: one.start):
        if one.start >= end:
            groups.append([])
        groups[-1].append(one)
        end = max(end, one.end)
    return [
        Found(max(group, key=_weight).kind, group[0].start, max(one.end for one in group))
        for group in groups
    ]


def _weight(one: Found) -> tuple[int, int]:
    return one.end - one.start, -_RANK[one.kind]


def _span(match: Any) -> tuple[int, int]:
    """Where the first group is that matched."""
    spans: map[tuple[int, int]] = map(match.span, range(1, match.re.groups + 1))
    return next(span for span in spans if span[0] >= 0)


def _ascii(text: str) -> bytes:
    """A byte per character, so that places in one are places in the other."""
    return text.encode("ascii", "replace")


@cache
def _compiled(kind: str) -> Any:
    return re2.compile(KINDS[kind].pattern.encode(), _options())


@cache
def _name() -> Any:
    return re2.compile(rf"{MEMBER}\z".encode(), _options())


def _options() -> Any:
    options = re2.Options()
    options.log_errors = False
    options.encoding = re2.Options.Encoding.LATIN1
    return options
