"""What is wrong in the files of an atlas: each mistake with its file, line, column and code."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Sequence
from dataclasses import dataclass, field
from functools import cached_property
from itertools import accumulate
from typing import Any, Final

from cra import canonical
from cra.config import Problem
from cra.config.text import MAX_BYTES, Node, Note, parse, plain
from cra.config.values import shown
from cra.errors import AtlasError, Fault, ValueRefused

YAML_SUFFIXES: Final = (".yaml", ".yml")


@dataclass(frozen=True)
class AtlasProblem(Problem):
    """A mistake, with the code under which `cra explain` tells more."""

    fault: Fault = field(kw_only=True)


@dataclass(frozen=True)
class Problems:
    """Where mistakes and warnings are gathered while files are read."""

    errors: list[AtlasProblem] = field(default_factory=list)
    warnings: list[AtlasProblem] = field(default_factory=list)


@dataclass(frozen=True)
class SourceText:
    """One file: its text, where an offset in it is, and how a mistake in it is noted."""

    file: str
    text: str
    problems: Problems

    def place(self, offset: int) -> tuple[int, int]:
        """Line and column, from 1. The index of lines makes many places in one file cheap."""
        line = bisect_right(self._line_starts, offset)
        return line, offset - self._line_starts[line - 1] + 1

    @cached_property
    def _line_starts(self) -> list[int]:
        return [0, *accumulate(len(line) + 1 for line in self.text.split("\n"))][:-1]

    def noting(self, fault: Fault, *, is_warning: bool = False) -> Note:
        gathered = self.problems.warnings if is_warning else self.problems.errors

        def note(offset: int, key: str, expected: str, found: str, nearest: str | None) -> None:
            place = self.place(offset)
            problem = AtlasProblem(self.file, *place, key, expected, found, nearest, fault=fault)
            gathered.append(problem)

        return note


def read_source(
    file: str, data: bytes, problems: Problems, *, max_bytes: int = MAX_BYTES
) -> tuple[SourceText, Node | None]:
    """The nodes of a JSON or YAML file, by its suffix; None, and noted, if it is neither."""
    text = data.decode(errors="replace")
    source = SourceText(file, text, problems)
    note = source.noting(Fault.UNREADABLE)
    try:
        data.decode()
    except UnicodeDecodeError as error:
        offset = len(data[: error.start].decode())
        note(offset, "the file", "UTF-8", "other bytes", None)
        return source, None
    if file.endswith(YAML_SUFFIXES):
        from cra.config.yaml_text import parse_yaml

        root = parse_yaml(text, note)
    else:
        root = parse(text, note, max_bytes=max_bytes)
    if root is not None and not _is_canonical(plain(root)):
        _note_uncanonical(root, "", note)
        return source, None
    return source, root


def _is_canonical(value: Any) -> bool:
    try:
        canonical.encode(value)
    except ValueRefused:
        return False
    return True


def _note_uncanonical(node: Node, name: str, note: Note) -> None:
    """What schemas, rules and literals say is hashed and sent, so it has to have canonical JSON."""
    value = node.value
    if isinstance(value, dict):
        for key, (offset, member) in value.items():
            if not _is_canonical(key):
                note(offset, name or "the file", "text in keys", "half a character", None)
            _note_uncanonical(member, f"{name}.{key}" if name else key, note)
    elif isinstance(value, list):
        for at, item in enumerate(value):
            _note_uncanonical(item, f"{name}[{at}]", note)
    elif not _is_canonical(value):
        expected = "text" if isinstance(value, str) else "a number up to 2^53"
        note(node.offset, name or "the file", expected, shown(value), None)


def refusal(what: str, errors: Sequence[Problem], fix: str) -> AtlasError:
    """The error that tells of all mistakes at once."""
    if len(errors) == 1:
        (only,) = errors
        fault = only.fault if isinstance(only, AtlasProblem) else Fault.MALFORMED
        return AtlasError(fault, str(only), where=only.where, fix=fix)
    listed = [f"{problem.where}: {problem}" for problem in errors]
    first = f"expected {what} without mistakes, found {len(errors)}"
    return AtlasError(Fault.SEVERAL, "\n".join([first, *listed]), fix=fix)
