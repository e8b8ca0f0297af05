"""What `cra init` does with a template: it asks, merges, accepts its atlas and adopts a golden."""

from __future__ import annotations

import os
import shlex
from collections.abc import Iterator, Mapping, Sequence
from difflib import unified_diff
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, Literal, NamedTuple, TypeAlias

from cra import __version__, config
from cra.amount import counted
from cra.cli import output
from cra.cli.project import open_signer, user_dirs
from cra.errors import UsageError
from cra.replay.golden import FOLDER
from cra.scaffold import AGENTS_FILE, init_command, refuse_blocked
from cra.scaffold.merge import (
    RECORD_NAME,
    Record,
    beside,
    digests_of,
    files_at,
    is_left,
    move_of,
    read_record,
)
from cra.scaffold.template import Part, Template, find_template, parts_of, templates
from cra.scaffold.undo import Undo

if TYPE_CHECKING:
    from cra.atlas.model import Pin
    from cra.cli.answers.project import FromTemplateFacts

# The name of agents.md that coding agents look for.
_LINK: Final = "AGENTS.md"
_NONE: Final = "none"
_DEFAULT: Final = "minimal"
# A page of its owner's, beside which the template's changes nothing about how a project works.
_PAGE: Final = "README.md"
# How much of a difference is shown unless all of it is asked for.
_MAX_LINES: Final = 12

Decision: TypeAlias = Literal["keep", "replace", "beside"]


class Chosen(NamedTuple):
    """A template with its answers, and what was recorded of it here before."""

    template: Template
    answers: Mapping[str, str]
    record: Record | None
    is_refresh: bool
    # Whether nobody has named it: it is what the project was made from before.
    is_implied: bool = False
    # Whether its atlas is taken in, and its golden adopted, where the project has none.
    takes_in: bool = True

    @property
    def values(self) -> dict[str, Any]:
        """What its files are made with."""
        return {**self.template._asdict(), **self.answers}

    @property
    def atlas_place(self) -> str:
        return f"atlases/{self.template.atlas}"


class Moves(NamedTuple):
    """What becomes of the files of a template, each list by their places in the project."""

    parts: Sequence[Part]
    created: Sequence[str]
    replaced: Sequence[str]
    kept: Sequence[str]
    beside: Sequence[str]
    # Files of directories that are replaced.
    removed: Sequence[str]
    # Files that their owner has taken away, or lost.
    gone: Sequence[str]
    # Whether a person has yet to look at what was written beside.
    is_undecided: bool

    def __bool__(self) -> bool:
        return any((self.created, self.replaced, self.kept, self.beside, self.removed))

    @property
    def by_place(self) -> dict[str, Part]:
        return {part.place: part for part in self.parts}


class Made(NamedTuple):
    """What followed from the files: places that were made or changed, and what was accepted."""

    created: Sequence[str]
    updated: Sequence[str]
    accepted: Pin | None


def choose(
    path: Path, name: str | None, given: Sequence[str], *, is_refresh: bool, asks: bool
) -> Chosen | None:
    """The template that a project is made from, its questions answered; None for none.

    Raises UsageError for what is no template or no answer, or is another one than before.
    """
    record = read_record(path)
    if record is None and is_refresh:
        if name is None and not given:
            return None
        raise UsageError(
            f"expected a project that was made from a template, found no {RECORD_NAME}",
            where=str(path),
            fix=init_command(path, "--template", "NAME"),
        )
    stated = _split(given)
    if record is not None:
        return _again(path, record, name, stated, is_refresh=is_refresh)
    if name is None:
        if not asks:
            raise UsageError("expected a template for --set, found none", fix="--template NAME")
        name = _ask_for_template()
    if name == _NONE:
        return None
    template = find_template(name)
    answers = template.with_defaults(stated)
    if asks:
        answers |= _ask(template, [one for one in answers if one not in stated])
    return Chosen(template, answers, None, is_refresh=False)


def moves_of(path: Path, chosen: Chosen, trace_directory: str, *, force: bool, asks: bool) -> Moves:
    """What becomes of each part; whoever `asks` decides on what clashes. Raises UsageError."""
    parts = parts_of(chosen.template, {**chosen.values, "trace_directory": trace_directory})
    places: dict[str, list[str]] = {name: [] for name in ("create", "replace", "keep", "beside")}
    removed: list[str] = []
    gone: list[str] = []
    is_undecided = False
    for part in parts:
        brings_back = not chosen.is_refresh and not chosen.is_implied
        move: str = move_of(
            path, part, chosen.record, brings_back=brings_back, merges=chosen.is_refresh
        )
        if move == "keep" and force:
            move = "replace"
        elif move == "gone" and force:
            move = "create"
        elif move == "clash":
            move = "replace" if force else _decide(path, part, asks=asks)
            is_page = part.place == _PAGE and chosen.record is None
            is_undecided |= move == "beside" and not asks and not is_page
        elif move in ("keep", "gone"):
            # Its owner's change alone, which nobody has to be told of, unless it is no more there.
            known = chosen.record.files.keys() if chosen.record is not None else set()
            gone += sorted(part.files.keys() & known - files_at(path, part).keys())
            continue
        if move == "beside":
            _refuse_other(path, part, chosen.record)
        if move == "create":
            refuse_blocked(path / part.place)
        if move == "replace":
            removed += sorted(files_at(path, part).keys() - part.files.keys())
        if move in places:
            places[move].append(part.place)
    return Moves(
        parts,
        places["create"],
        places["replace"],
        places["keep"],
        [f"{place}.new" for place in places["beside"]],
        removed,
        gone,
        is_undecided,
    )


def carry_out(path: Path, chosen: Chosen, moves: Moves, undo: Undo) -> Made:
    """Write the files, take the atlas in, adopt the golden, and record the template."""
    parts = moves.by_place
    for place in (*moves.created, *moves.replaced):
        _write(path, parts[place], undo)
    for place in moves.beside:
        _write(path, beside(parts[place.removesuffix(".new")]), undo)
    planned = later(path, chosen, moves)
    if _LINK in planned.created:
        undo.link(path / _LINK, AGENTS_FILE)
    pin = _take_in(path, chosen, moves, undo)
    golden = f"{FOLDER}/{chosen.template.golden}"
    if golden in planned.created:
        _adopt(path, chosen, undo)
    record = _record(chosen, moves)
    if record != chosen.record:
        target = path / RECORD_NAME
        (undo.create if chosen.record is None else undo.replace)(target, record.encode())
    return planned._replace(accepted=pin)


def later(path: Path, chosen: Chosen, moves: Moves) -> Made:
    """What follows once the files are there, as far as it can be told."""
    created: list[str] = []
    updated: list[str] = []
    if not os.path.lexists(path / _LINK):
        created.append(_LINK)
    elif not _leads_to_agents(path):
        what = f"{output.safe(str(path / _LINK))} is a file of its own, and says nothing of"
        line = f"Read {AGENTS_FILE} before you begin."
        output.tell(f"note: {what} {AGENTS_FILE}; add a line to it: {line}")
    golden = f"{FOLDER}/{chosen.template.golden}"
    if _adopts(chosen) and not (path / golden).exists() and _is_shipped(path, chosen, moves):
        refuse_blocked(path / golden)
        if _would_pass(path):
            created.append(golden)
        else:
            output.tell(
                f"note: no golden is made: it would be signed by a key that {config.FILE_NAME} "
                "does not list; list yours, and run this again"
            )
    if _record(chosen, moves) != chosen.record:
        (created if chosen.record is None else updated).append(RECORD_NAME)
    return Made(created, updated, None)


def next_steps(path: Path, chosen: Chosen, moves: Moves, *, dry_run: bool) -> list[str]:
    """The next commands."""
    if moves.is_undecided:
        return list(_deciding_steps(path, chosen, moves))
    if chosen.is_implied and not dry_run and not _is_taken_in(path, chosen):
        return [f"cra atlas add {chosen.atlas_place}", "cra policy test", "cra replay"]
    if chosen.atlas_place in moves.replaced:
        return ["cra atlas lock", "cra policy test", "cra replay"]
    agent = f"--agent {chosen.answers['agent']}"
    return [
        f"cra resolve {agent} --goal {shlex.quote(chosen.template.goal)}",
        f"cra execute {chosen.template.call} {agent}",
        "cra replay",
    ]


def _deciding_steps(path: Path, chosen: Chosen, moves: Moves) -> Iterator[str]:
    """What to do with what was written beside. Until then the template's own steps may fail."""
    for place in moves.beside:
        yield f"diff -r {place.removesuffix('.new')} {place}"
        yield f"rm -r {place}  # once you have taken from it what you want"
    if not _is_taken_in(path, chosen):
        yield f"cra atlas add {chosen.atlas_place}"
    elif f"{chosen.atlas_place}.new" in moves.beside:
        yield "cra atlas lock"
    yield "cra policy test"


def template_facts(chosen: Chosen, moves: Moves, made: Made | None) -> FromTemplateFacts:
    pin = made.accepted if made is not None else None
    return {
        "name": chosen.template.name,
        "answers": dict(chosen.answers),
        "kept": [*moves.kept, *(place.removesuffix(".new") for place in moves.beside)],
        "beside": list(moves.beside),
        "removed": list(moves.removed),
        "gone": list(moves.gone),
        "accepted": None
        if pin is None
        else {
            "atlas_id": pin.atlas_id,
            "version": pin.version,
            "grants": [pattern.text for pattern in pin.grants],
            "reach": list(pin.reach),
        },
    }


def print_moves(path: Path, moves: Moves, made: Made | None, *, dry_run: bool) -> None:
    """What is neither made nor updated, and what was accepted."""
    for place in moves.gone:
        again = init_command(path, "--refresh", "--force")
        words = "brings it back, and replaces what you changed: see --dry-run"
        output.tell(output.safe(f"note: {path / place} is gone; {again} {words}"))
    for place in moves.removed:
        output.answer(
            f"{'Would remove' if dry_run else 'Removed'}: {output.safe(str(path / place))}"
        )
    for place in moves.kept:
        output.answer(f"Kept: {output.safe(str(path / place))}")
    for place in moves.beside:
        kept, new = (str(path / one) for one in (place.removesuffix(".new"), place))
        words = "would be beside it" if dry_run else "is beside it"
        output.answer(output.safe(f"Kept: {kept}; the template's {words}: {new}"))
    pin = made.accepted if made is not None else None
    if pin is not None:
        output.answer(f"Accepted: {pin.atlas_id} {pin.version}")
        grants = ", ".join(pattern.text for pattern in pin.grants)
        for line in (f"its own rules may allow {grants}", f"it can reach {', '.join(pin.reach)}"):
            output.answer(output.wrapped(line, indent="  ", hang="  "))


# Choosing.


def _again(
    path: Path, record: Record, name: str | None, stated: Mapping[str, str], *, is_refresh: bool
) -> Chosen:
    """The template that is recorded here. Raises UsageError for another, or for other answers
    where nothing is refreshed."""
    if name not in (None, record.template):
        raise UsageError(
            f"expected the template that is recorded here, {record.template}, found {name!r:.80}",
            fix=f"{init_command(path, '--refresh')}, or remove {path / RECORD_NAME}",
        )
    template = find_template(record.template)
    asked = {one.name for one in template.questions}
    before = {name: text for name, text in record.answers.items() if name in asked}
    answers = template.with_defaults({**before, **stated})
    if not is_refresh and any(before.get(name) != text for name, text in stated.items()):
        words = [word for name, text in stated.items() for word in ("--set", f"{name}={text}")]
        raise UsageError(
            "expected the answers that are recorded here, found others",
            fix=init_command(path, "--refresh", *words),
        )
    return Chosen(template, answers, record, is_refresh)


def _split(given: Sequence[str]) -> dict[str, str]:
    answers = {}
    for word in given:
        name, sign, text = word.partition("=")
        if not sign:
            raise UsageError(f"expected --set NAME=VALUE, found {word!r:.80}")
        if name in answers:
            raise UsageError(f"expected --set NAME=VALUE, each name once, found {word!r:.80}")
        answers[name] = text
    return answers


def _ask_for_template() -> str:
    offered = [
        (_NONE, "only what every project has"),
        *((one.name, one.about) for one in templates()),
    ]
    for at, (name, words) in enumerate(offered):
        output.tell(output.wrapped(f"{at} {name:<15} {words}", indent="  ", hang=" " * 18))
    numbers = {str(at): name for at, (name, _) in enumerate(offered)}
    while True:
        answer = output.ask("Which template? Its name or number, and enter", _DEFAULT)
        name = numbers.get(answer, answer)
        try:
            return name if name == _NONE else find_template(name).name
        except UsageError as error:
            output.tell(output.safe(error.message))


def _ask(template: Template, names: Sequence[str]) -> dict[str, str]:
    answers = {}
    for question in template.questions:
        while question.name in names and question.name not in answers:
            answer = output.ask(question.asks, question.default)
            try:
                question.refuse(answer)
            except UsageError as error:
                output.tell(output.safe(error.message))
            else:
                answers[question.name] = answer
    return answers


# Merging.


def _decide(path: Path, part: Part, *, asks: bool) -> Decision:
    """What becomes of a part that is neither as it was made nor as it would be now."""
    lines = list(_difference(files_at(path, part), part.files))
    shown = len(lines) if output.is_verbose() else _MAX_LINES
    _show(lines[:shown])
    if len(lines) > shown:
        how = "d shows them" if asks else "-v shows them"
        output.tell(f"… and {counted(len(lines) - shown, 'line')} more; {how}")
    decisions: dict[str, Decision] = {"k": "keep", "r": "replace", "b": "beside"}
    while asks:
        question = f"{part.place}: keep yours, replace it, write beside it, or see all of it?"
        answer = output.ask(output.safe(f"{question} (k/r/b/d, and enter)"), "k").lower()[:1]
        if answer == "d":
            _show(lines)
        elif answer in decisions:
            return decisions[answer]
    return "beside"


def _show(lines: Sequence[str]) -> None:
    for line in lines:
        output.tell(output.safe(line))


def _difference(before: Mapping[str, bytes], after: Mapping[str, bytes]) -> Iterator[str]:
    for name in sorted(before.keys() | after.keys()):
        if name not in before or name not in after:
            whose = "yours" if name in before else "the template's"
            yield f"only {whose}: {name}"
            continue
        old, new = (
            files[name].decode(errors="replace").removesuffix("\n").split("\n")
            for files in (before, after)
        )
        yield from unified_diff(old, new, f"{name} (yours)", f"{name} (template)", lineterm="")


def _refuse_other(path: Path, part: Part, record: Record | None) -> None:
    """Raise UsageError where something is already beside a part, and is not as it was written."""
    if not is_left(path, part, record):
        raise UsageError(
            f"expected no {beside(part).place}, found one that was changed",
            where=str(path),
            fix="take from it what you need, and remove it",
        )


def _write(path: Path, part: Part, undo: Undo) -> None:
    now = files_at(path, part)
    for name, data in part.files.items():
        if name not in now:
            undo.create(path / name, data)
        elif now[name] != data:
            undo.replace(path / name, data)
    for name in sorted(now.keys() - part.files.keys()):
        undo.remove(path / name)


def _record(chosen: Chosen, moves: Moves) -> Record:
    """What is recorded then. Only a refresh takes in what the template has by now."""
    files, version, answers = digests_of(list(moves.parts)), __version__, dict(chosen.answers)
    if chosen.record is not None and not chosen.is_refresh:
        done = {*moves.created, *moves.replaced}
        new = digests_of([part for part in moves.parts if part.place in done])
        files = {**chosen.record.files, **new}
        version, answers = chosen.record.cra_version, dict(chosen.record.answers)
    return Record(chosen.template.name, version, answers, dict(sorted(files.items())))


# What follows from the files.


def _is_shipped(path: Path, chosen: Chosen, moves: Moves) -> bool:
    """Whether the project has the atlas as it ships, or will have it: no other is accepted here."""
    place = chosen.atlas_place
    part = moves.by_place[place]
    done = {*moves.created, *moves.replaced}
    return place in done or files_at(path, part) == dict(part.files)


def _take_in(path: Path, chosen: Chosen, moves: Moves, undo: Undo) -> Pin | None:
    """Accept the atlas, if it is as it ships and the project has none of its id."""
    from cra.atlas.acceptance import source_of
    from cra.atlas.lock import LOCK_NAME, pin_of, read_lock
    from cra.cli.atlas_change import accept, read_atlas_at

    if not _adopts(chosen) or not _is_shipped(path, chosen, moves):
        return None
    current = config.load(path, {}, None, {})
    place = path / chosen.atlas_place
    atlas = read_atlas_at(place)
    known = read_lock(path).get(atlas.atlas_id)
    # A configuration that was lost lists it no more, and its pin is still what was accepted.
    if known is not None and (known.digest != atlas.digest or _is_taken_in(path, chosen)):
        return None
    undo.keep(path / config.FILE_NAME)
    undo.keep(path / LOCK_NAME)
    for name in ("blobs", "locks"):
        undo.leave_empty(current.trace_directory / name)
    undo.keep(current.trace_directory / "locks" / "project.lock")
    pin = pin_of(atlas, source_of(path, place))
    accept(current, atlas, pin)
    return pin


def _adopts(chosen: Chosen) -> bool:
    return chosen.takes_in and not chosen.is_refresh


def _is_taken_in(path: Path, chosen: Chosen) -> bool:
    """Whether both the configuration and the lock have the template's atlas."""
    from cra.atlas.lock import read_lock
    from cra.atlas.snapshot import place_of

    place = place_of(path, chosen.atlas_place)
    sources = [one.path for one in config.load(path, {}, None, {}).atlases]
    pinned = [pin.source for pin in read_lock(path).values()]
    return all(place in {place_of(path, one) for one in some} for some in (sources, pinned))


def _adopt(path: Path, chosen: Chosen, undo: Undo) -> None:
    from cra.replay.record import adopt

    current = config.load(path, {}, None, {})
    name = chosen.template.golden
    undo.leave_empty(path / FOLDER)
    undo.keep(path / FOLDER / name)
    manifest = path / chosen.atlas_place / FOLDER / name / "manifest.json"
    adopt(current, manifest, name, user_dirs().signing_key if current.keys else None)


def _would_pass(path: Path) -> bool:
    """Whether the project would take a golden that is signed by the user: it lists no keys, or
    theirs. One that is yet to be made lists theirs."""
    keys = config.load(path, {}, None, {}).keys
    signer = open_signer() if keys else None
    return not keys or (signer is not None and str(signer.key) in keys)


def _leads_to_agents(path: Path) -> bool:
    """Whether AGENTS.md is agents.md, by a link or in a file system that knows no case, or names
    it."""
    link, file = path / _LINK, path / AGENTS_FILE
    if link.is_file() and AGENTS_FILE.encode() in link.read_bytes():
        return True
    return link.exists() and file.exists() and link.samefile(file)
