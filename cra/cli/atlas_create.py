"""`cra atlas create`: a first atlas, or one of functions, an OpenAPI document or documents."""

from __future__ import annotations

import os
import shlex
import sys
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, Literal, NamedTuple

import typer

from cra.cli import output
from cra.cli.options import DryRun, Json
from cra.errors import AtlasError, Fault, NotFound, UsageError

if TYPE_CHECKING:
    from cra.adapters.imported import Imported, Mention
    from cra.cli.answers.atlas import AtlasCreateAnswer, ImportFacts, MentionFacts

# How many of a kind are printed; the README of the atlas, or `--json`, has all.
_MAX_SHOWN: Final = 20

_Kind = Literal["module", "openapi", "docs"]


class _Source(NamedTuple):
    """What an atlas is made from, as the command line names it."""

    kind: _Kind
    name: str
    base_url: str | None = None


class _Made(NamedTuple):
    """An atlas that is not written yet."""

    files: Mapping[str, bytes]
    imported: Imported
    warnings: list[Mention]


def create(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The directory; made if there is none.")
    ],
    *,
    atlas_id: Annotated[
        str | None,
        typer.Option(
            "--id", metavar="ID", help="Its id, like com.example.support, instead of local.NAME."
        ),
    ] = None,
    from_module: Annotated[
        list[str] | None,
        typer.Option(
            metavar="MODULE",
            help="Take the functions of a Python module. This runs the module's code, in a process "
            "of its own, with --dry-run as well.",
        ),
    ] = None,
    from_openapi: Annotated[
        list[Path] | None,
        typer.Option(metavar="FILE", help="Take the operations of OpenAPI 3, in JSON or YAML."),
    ] = None,
    from_docs: Annotated[
        list[Path] | None,
        typer.Option(metavar="DIR", help="Take the documents of a folder: *.md, *.rst, *.txt."),
    ] = None,
    base_url: Annotated[
        str | None,
        typer.Option(metavar="URL", help="With --from-openapi: instead of its first server."),
    ] = None,
    dry_run: DryRun = False,
    as_json: Json = False,
) -> None:
    """Write an atlas that works: a small one to begin with, or one of what you have.

    Its rules allow what reads, let a person decide on what changes something, and deny what
    deletes. What could not be carried over is said, and stands in its README.md. Nothing that is
    there is replaced.

      cra atlas create atlases/support
      cra atlas create atlases/support --id com.example.support
      cra atlas create atlases/shop --from-module shop.orders
      cra atlas create atlases/pets --from-openapi openapi.yaml
      cra atlas create atlases/handbook --from-docs docs
    """
    from cra import scaffold

    name = Path(path.absolute()).name
    known_id = atlas_id or f"local.{scaffold.word_of(name, '-')}"
    _refuse_id(known_id)
    source = _source_of(from_module, from_openapi, from_docs, base_url)
    _refuse_own(path)
    if path.exists() and (not path.is_dir() or any(path.iterdir())):
        raise UsageError(
            "expected an empty or a new directory, found something in it",
            where=str(path),
            fix=f"name another, or cra atlas validate {shlex.quote(str(path))} for what is there",
        )
    made = None
    if source is None:
        files = scaffold.atlas_files(path)
        created = [file.path for file in files]
        if not dry_run:
            scaffold.write(files, {"atlas_id": known_id, "name": name, "prefix": _prefix(known_id)})
    else:
        made = _made(source, known_id, name, str(path))
        created = [path / file for file in made.files]
        if not dry_run:
            scaffold.put({path / file: data for file, data in made.files.items()})
    place = shlex.quote(str(path))
    steps = [f"cra atlas {verb} {place}" for verb in ("validate", "test", "add")]
    if as_json:
        facts: AtlasCreateAnswer = {
            "atlas_id": known_id,
            "created": list(map(str, created)),
            "imported": None if source is None or made is None else _facts(source, made),
            "dry_run": dry_run,
            "next": steps,
        }
        output.answer_json(facts)
        return
    for file_path in created:
        what = "Would create" if dry_run else "Created"
        output.answer(f"{what}: {output.safe(str(file_path))}")
    if made is not None:
        _print_import(made)
    if not dry_run:
        output.tell("\n".join(["", "Next:", *(f"  {output.safe(step)}" for step in steps)]))


def _source_of(
    module: Sequence[str] | None,
    openapi: Sequence[Path] | None,
    docs: Sequence[Path] | None,
    base_url: str | None,
) -> _Source | None:
    """Raises UsageError for more than one, and for what does not go with it."""
    given: dict[_Kind, Sequence[str | Path] | None] = {
        "module": module,
        "openapi": openapi,
        "docs": docs,
    }
    named = [
        _Source(kind, str(name), base_url) for kind, names in given.items() for name in names or ()
    ]
    if len(named) > 1:
        found = " and ".join(f"--from-{one.kind}" for one in named)
        raise UsageError(f"expected one source of an atlas, found {found}")
    if base_url is not None and not openapi:
        raise UsageError("expected --base-url with --from-openapi, found it without")
    return named[0] if named else None


def _prefix(atlas_id: str) -> str:
    """What the ids of an atlas's actions begin with."""
    from cra import scaffold

    return scaffold.word_of(atlas_id.rpartition(".")[2], "_")[:64].rstrip("_")


def _refuse_id(atlas_id: str) -> None:
    from typing import get_args

    from cra.atlas.fields import AtlasId

    _, limits = get_args(AtlasId)
    if not limits.accept(atlas_id):
        raise UsageError(
            f"expected {limits.words}, found {atlas_id!r:.80}", fix="name one with --id"
        )


def _refuse_own(path: Path) -> None:
    """Raises UsageError for a place in a directory that a project keeps for itself."""
    from cra import config
    from cra.atlas.snapshot import POLICIES
    from cra.cli.project import user_dirs
    from cra.replay.golden import FOLDER
    from cra.runtime.policy_cases import TESTS

    place = path.resolve()
    root = config.find_project(place)
    if root is None:
        return
    # With its mistakes as well, of which others tell.
    found, _ = config.read(root, os.environ, user_dirs().config_file, {})
    kept = {
        root / POLICIES: "the project's own rules",
        root / TESTS: "the tests of the project's own rules",
        root / FOLDER: "the project's goldens",
        found.trace_directory: "what is recorded",
    }
    for own, what in kept.items():
        # A ledger may also lie around the project, and keeps nothing of it for itself then.
        if place.is_relative_to(own.resolve()) and not root.is_relative_to(own.resolve()):
            name = "NAME" if place == own.resolve() else shlex.quote(path.name)
            instead = os.path.relpath(root / "atlases")
            raise UsageError(
                f"expected a directory for an atlas, found {os.path.relpath(own)}, which is for "
                f"{what}",
                where=str(path),
                fix=f"cra atlas create {shlex.quote(instead)}/{name}",
            )


# Importing.


def _made(source: _Source, atlas_id: str, name: str, label: str) -> _Made:
    """The atlas of a source, checked as `cra atlas validate` and `test` would. Raises CraError."""
    from cra.adapters.atlas import Naming, files_of, secrets_in
    from cra.atlas.manifest import read_atlas
    from cra.atlas.package import package_of
    from cra.atlas.problem import refusal
    from cra.cli.atlas_read import tested

    prefix = _prefix(atlas_id)
    imported = _imported(source, prefix)
    if not imported.actions and not imported.context_packs:
        first = imported.left_out[:3]
        found = "; ".join(f"{one.where}: {one.words}" for one in first) or "nothing in it"
        raise UsageError(
            f"expected something that an atlas can have, found none: {found}", where=source.name
        )
    flag = f"cra atlas create --from-{source.kind}"
    files = files_of(imported, Naming(atlas_id, name, prefix, flag))
    reading = read_atlas(package_of(files), label)
    if reading.atlas is None:
        raise refusal("an atlas", reading.errors, "take less of the source, and write the rest")
    failed = [one for one in tested(reading.atlas, label) if one.problems]
    if failed:
        raise AtlasError(
            Fault.MALFORMED,
            f"expected scenarios that pass, found: {failed[0].name}: {failed[0].problems[0]}",
            where=source.name,
        )
    return _Made(files, imported, secrets_in(files))


def _imported(source: _Source, prefix: str) -> Imported:
    if source.kind == "module":
        from cra.adapters.functions import find_module, imported_functions

        # Where `python -m` would look: here first, then where modules are installed.
        roots = [str(Path.cwd()), *(root for root in sys.path if root)]
        return imported_functions(find_module(source.name, roots), prefix)
    if source.kind == "openapi":
        from cra.adapters.openapi import imported_operations, read_document

        document = read_document(source.name, _read_file(Path(source.name)))
        return imported_operations(document, source.base_url, prefix)
    from cra.adapters.documents import imported_documents, read_folder

    title = Path(source.name).absolute().name
    return imported_documents(*read_folder(Path(source.name)), title=title, prefix=prefix)


def _read_file(path: Path) -> bytes:
    from cra.adapters.openapi import MAX_BYTES

    if not path.exists():
        raise NotFound(
            "expected an OpenAPI document, found no such file",
            where=str(path),
            fix="name the file of one behind --from-openapi",
        )
    with path.open("rb") as stream:
        data = stream.read(MAX_BYTES + 1)
    if len(data) > MAX_BYTES:
        raise UsageError(
            f"expected a file of at most {MAX_BYTES} bytes, found more", where=str(path)
        )
    return data


def _facts(source: _Source, made: _Made) -> ImportFacts:
    imported = made.imported
    return {
        "source": source.name,
        "kind": source.kind,
        "actions": [action["action_id"] for action in imported.actions],
        "context_packs": [pack["pack_id"] for pack in imported.context_packs],
        "secrets": list(imported.secrets),
        "reduced": list(map(_mention_facts, imported.reduced)),
        "left_out": list(map(_mention_facts, imported.left_out)),
        "warnings": list(map(_mention_facts, made.warnings)),
    }


def _mention_facts(one: Mention) -> MentionFacts:
    return {"where": one.where, "words": one.words}


def _print_import(made: _Made) -> None:
    imported = made.imported
    counts = {
        "action": len(imported.actions),
        "context pack": len(imported.context_packs),
    }
    told = ", ".join(
        f"{count} {what}{'s' * (count != 1)}" for what, count in counts.items() if count
    )
    output.answer(f"Carried over: {told}")
    for name, what in imported.secrets.items():
        output.answer(output.fitted(f"{name}: {what}", indent="  needs the secret "))
    if imported.reduced:
        output.answer(f"Carried over in part: {len(imported.reduced)}")
        _print_mentions(imported.reduced)
    if imported.left_out:
        output.answer(f"Not carried over: {len(imported.left_out)}")
        _print_mentions(imported.left_out)
    if made.warnings:
        output.answer(output.style("Warning: what was carried over may hold secrets", "warn"))
        _print_mentions(made.warnings)


def _print_mentions(mentions: list[Mention] | tuple[Mention, ...]) -> None:
    for one in mentions[:_MAX_SHOWN]:
        output.answer(output.fitted(f"{one.where}: {one.words}", indent="  "))
    if len(mentions) > _MAX_SHOWN:
        output.answer(f"  and {len(mentions) - _MAX_SHOWN} more: README.md or --json has all")
