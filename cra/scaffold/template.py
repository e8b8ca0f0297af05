"""The templates that `cra init` makes projects from: what each asks, and what it consists of.

A template is a directory of templates/ with a template.json. What is in its `files/` goes into the
project, and so does what is in `project/files`. Its atlas is one of the examples, byte for byte.
"""

from __future__ import annotations

import json
import re
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final, NamedTuple

from cra.errors import UsageError
from cra.printable import did_you_mean
from cra.scaffold.render import render
from cra.shipped import shipped

_FACTS: Final = "template.json"
_COMMON: Final = "project"
_FILLED: Final = ".j2"
_LIST: Final = "cra template list"


class Question(NamedTuple):
    """What a template asks; the answer stands in the files of the project."""

    name: str
    asks: str
    default: str
    # A regular expression of the answers that can be, and the same in words.
    pattern: str
    expected: str

    def refuse(self, answer: str) -> None:
        """Raise UsageError for what is no answer."""
        if not re.fullmatch(self.pattern, answer):
            raise UsageError(
                f"expected {self.expected} as {self.name}, found {answer!r:.80}",
                fix=f"--set {self.name}={self.default}",
            )


class Template(NamedTuple):
    """A kind of project."""

    name: str
    about: str
    # An example atlas, the golden of it that guards the project, and the agent's first two steps.
    atlas: str
    golden: str
    goal: str
    call: str
    # Whether its actions work on a git repository.
    on_git: bool
    questions: tuple[Question, ...]

    def with_defaults(self, answers: Mapping[str, str]) -> dict[str, str]:
        """An answer to each question. Raises UsageError for what is none, or is not asked."""
        names = [question.name for question in self.questions]
        for name in answers:
            if name not in names:
                raise UsageError(
                    f"expected one of {', '.join(names)}, found {name!r:.80}"
                    + did_you_mean(name, names),
                    fix=_LIST,
                )
        found = {one.name: answers.get(one.name, one.default) for one in self.questions}
        for question in self.questions:
            question.refuse(found[question.name])
        return found


class Part(NamedTuple):
    """A file of a project, or a directory that is one thing, and what the template has in it."""

    # From the project's directory.
    place: str
    files: Mapping[str, bytes]


def templates() -> list[Template]:
    """All that there are, the smallest first."""
    found = [_read(path) for path in shipped("templates").glob(f"*/{_FACTS}")]
    return sorted(found, key=lambda one: (one.name != "minimal", one.name))


def find_template(name: str) -> Template:
    """Raises UsageError."""
    known = {one.name: one for one in templates()}
    if name not in known:
        raise UsageError(
            f"no such template: {name!r:.80}{did_you_mean(name, known)}",
            fix=f"{_LIST}: {', '.join(known)}",
        )
    return known[name]


def parts_of(template: Template, values: Mapping[str, Any]) -> list[Part]:
    """What a project from a template consists of, in the order of the places."""
    atlas = shipped("examples") / "atlases" / template.atlas
    place = f"atlases/{template.atlas}"
    own = {f"{place}/{name}": atlas.joinpath(name).read_bytes() for name in _names_in(atlas)}
    parts = [Part(place, own)]
    for folder in (_COMMON, template.name):
        files = shipped("templates") / folder / "files"
        for name in _names_in(files):
            target = name.removesuffix(_FILLED)
            if name == target:
                data = files.joinpath(name).read_bytes()
            else:
                data = render(f"{folder}/files/{name}", values).encode()
            parts.append(Part(target, {target: data}))
    return sorted(parts)


def _read(path: Path) -> Template:
    facts = json.loads(path.read_bytes())
    questions = tuple(Question(**one) for one in facts.pop("questions"))
    return Template(name=path.parent.name, questions=questions, **facts)


def _names_in(folder: Path) -> Iterator[str]:
    for path in sorted(folder.rglob("*")):
        # What Python leaves beside a file that somebody has imported is no part of it.
        if path.is_file() and "__pycache__" not in path.parts:
            yield path.relative_to(folder).as_posix()
