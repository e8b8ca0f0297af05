"""`cra init`: make a directory a project."""

from __future__ import annotations

import os
import shlex
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, NamedTuple

import typer

from cra import __version__, config, scaffold
from cra.atlas.lock import LOCK_NAME
from cra.cli import output
from cra.cli.options import DryRun, Json, Yes
from cra.cli.project import user_dirs
from cra.errors import ExitCode, UsageError
from cra.ledger.git import run_git
from cra.ledger.memory import BRING_BACK, LET_GO, Memory, gone_ledger
from cra.replay.line_ends import (
    ATLASES,
    ATTRIBUTES_FILE,
    GOLDENS,
    keep_line_ends,
    keeps_line_ends,
)
from cra.scaffold.merge import RECORD_NAME
from cra.scaffold.undo import Undo, undoing

if TYPE_CHECKING:
    from cra.cli.answers.project import InitAnswer
    from cra.cli.from_template import Chosen, Made, Moves
    from cra.config import Config

_OWN_STEPS: Final = (
    "cra atlas create my-atlas",
    "cra atlas add my-atlas",
    'cra resolve --goal "…"',
)


def _directory(text: str) -> Path:
    if not text:
        raise UsageError(
            "expected a directory, found an empty word", fix="cra init, for where you are"
        )
    return Path(text)


class Lacking(NamedTuple):
    """What a directory lacks that every project has, and what of it is to be changed."""

    files: Sequence[scaffold.NewFile]
    key: Path | None
    lists_key: bool
    # Of .gitattributes, and whether that is there.
    lines: Sequence[bytes]
    has_attributes: bool
    adds_block: bool = False
    renews_block: bool = False
    makes_git: bool = False


class Run(NamedTuple):
    """What a run of `cra init` is about to do, or has done."""

    path: Path
    current: Config
    lacking: Lacking
    chosen: Chosen | None
    moves: Moves | None
    dry_run: bool


def init(
    path: Annotated[
        Path,
        typer.Argument(
            metavar="PATH", parser=_directory, help="The directory; made if there is none."
        ),
    ] = Path(),
    *,
    template: Annotated[
        str | None,
        typer.Option(
            "--template", "-t", metavar="NAME", help="What to make it from; see cra template list."
        ),
    ] = None,
    answers: Annotated[
        list[str] | None,
        typer.Option("--set", metavar="NAME=VALUE", help="Answer a question of the template."),
    ] = None,
    refresh: Annotated[
        bool, typer.Option("--refresh", help="Merge what the template has by now.")
    ] = False,
    force: Annotated[
        bool, typer.Option("--force", help="Replace files that differ from the template's.")
    ] = False,
    git: Annotated[
        bool | None, typer.Option("--git/--no-git", help="Make it a git repository, if it is none.")
    ] = None,
    no_sign: Annotated[
        bool, typer.Option("--no-sign", help="Make no key, and list none in the configuration.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> ExitCode:
    """Make a directory a cra project: its configuration, its ledger's place, and agents.md.

    It also makes your signing key, if you have none, and has git leave goldens as they are. Nothing
    that is there is replaced, so it can be run again at any time.

    On a terminal it asks which template to begin from; --template, --set, --git and --yes answer in
    advance. What comes from a template can be merged with a later one by --refresh. A file that you
    have changed is kept, and you are asked; without a terminal the new one is written beside it, as
    NAME.new, and the exit code is 1. What fails is taken back.

      cra init
      cra init my-agent --no-sign
      cra init my-desk --template support-desk --set refund_limit=20 --git
      cra init --refresh --dry-run
    """
    if path.exists() and not path.is_dir():
        raise UsageError("expected a directory, found a file", where=str(path))
    scaffold.refuse_other_things(path)
    is_new = not (path / config.FILE_NAME).is_file()
    if refresh and is_new:
        raise UsageError(
            f"expected a project to refresh, found no {config.FILE_NAME}",
            where=str(path),
            fix=scaffold.init_command(path),
        )
    _tell_of_project_above(path)
    asks = output.is_interactive() and not yes
    chosen = None
    current = config.load(path, {}, None, {})
    missing = scaffold.missing_files(path, current.trace.directory)
    for file in missing:
        scaffold.refuse_blocked(file.path)
    lost = {file.path.name for file in missing}
    is_named = template is not None or bool(answers) or refresh
    is_remade = _is_from_template(path) and (bool(lost) or scaffold.lacks_block(path))
    if is_named or is_remade or (asks and is_new):
        from cra.cli.from_template import choose, moves_of

        chosen = choose(path, template, answers or (), is_refresh=refresh, asks=asks)
        if chosen is not None and is_remade and not is_named:
            takes_in = not lost.isdisjoint({config.FILE_NAME, LOCK_NAME})
            chosen = chosen._replace(is_implied=True, takes_in=takes_in)
    makes_git = _makes_git(path, git, asks=asks and is_new and not dry_run)
    moves = None
    if chosen is not None:
        directory = current.trace.directory
        moves = moves_of(path, chosen, directory, force=force, asks=asks and not dry_run)
    lacking = _lacking(path, current, chosen, no_sign=no_sign)._replace(
        adds_block=_adds_block(path, yes=yes, dry_run=dry_run),
        renews_block=refresh and scaffold.block_is_old(path, _values(current, None, chosen)),
        makes_git=makes_git,
    )
    run = Run(path, current, lacking, chosen, moves, dry_run)
    made = None if dry_run else _carry_out(run)
    return _report(run, made, as_json=as_json)


def _lacking(path: Path, current: Config, chosen: Chosen | None, *, no_sign: bool) -> Lacking:
    dirs = user_dirs()
    files = scaffold.missing_files(path, current.trace.directory)
    lines = [GOLDENS] if chosen is None else [GOLDENS, ATLASES]
    return Lacking(
        files=files,
        key=None if no_sign or dirs.has_key() else dirs.signing_key,
        lists_key=not no_sign and any(file.path.name == config.FILE_NAME for file in files),
        lines=[line for line in lines if not keeps_line_ends(path, line)],
        has_attributes=(path / ATTRIBUTES_FILE).exists(),
    )


def _carry_out(run: Run) -> Made | None:
    """Do all of it, or nothing: what was made goes again if something fails, but for the key, which
    is not the project's."""
    lacking, path = run.lacking, run.path
    key = None
    if lacking.key is not None or lacking.lists_key:
        key = str(scaffold.user_signer(user_dirs()).key)
    values = _values(run.current, key, run.chosen)
    with undoing() as undo:
        for file, data in scaffold.rendered(lacking.files, values):
            undo.create(file, data)
        if lacking.lines:
            undo.keep(path / ATTRIBUTES_FILE)
            for line in lacking.lines:
                keep_line_ends(path, line)
        if lacking.adds_block:
            scaffold.add_block(path, values, undo)
        if lacking.renews_block:
            scaffold.renew_block(path, values, undo)
        made = None
        if run.chosen is not None and run.moves is not None:
            from cra.cli.from_template import carry_out

            made = carry_out(path, run.chosen, run.moves, undo)
        if lacking.makes_git:
            _make_repository(path, undo)
    # Whoever has cloned a project is told each time until the key is listed.
    if run.current.keys and user_dirs().has_key():
        from cra.cli.ledger import tell_unlisted

        tell_unlisted(run.current, key or str(scaffold.user_signer(user_dirs()).key))
    return made


def _values(current: Config, key: str | None, chosen: Chosen | None) -> dict[str, Any]:
    facts = {"about": None, "agent": None} if chosen is None else chosen.values
    return {
        **facts,
        "version": __version__,
        "key": key,
        "trace_directory": current.trace.directory,
    }


def _report(run: Run, made: Made | None, *, as_json: bool) -> ExitCode:
    lacking, path, moves = run.lacking, run.path, run.moves
    created, updated = _changes(run)
    if run.chosen is not None and moves is not None:
        from cra.cli.from_template import later

        more = made if made is not None else later(path, run.chosen, moves)
        created += [path / place for place in (*moves.created, *more.created)]
        updated += [path / place for place in (*moves.replaced, *more.updated)]
    if lacking.makes_git:
        created.append(path / ".git")
    gone = gone_ledger(Memory(user_dirs().state, path.absolute()), run.current.trace_directory)
    steps = _steps(run, is_gone=gone is not None)
    code = ExitCode.NO if moves is not None and moves.is_undecided else ExitCode.OK
    if as_json:
        facts: InitAnswer = {
            "created": list(map(str, created)),
            "updated": list(map(str, updated)),
            "gone_ledger": gone,
            "dry_run": run.dry_run,
            "next": steps,
        }
        if run.chosen is not None and moves is not None:
            from cra.cli.from_template import template_facts

            facts["template"] = template_facts(run.chosen, moves, made)
        output.answer_json(facts)
        return code
    _print("Would create" if run.dry_run else "Created", created)
    _print("Would update" if run.dry_run else "Updated", updated)
    if moves is not None:
        from cra.cli.from_template import print_moves

        print_moves(path, moves, made, dry_run=run.dry_run)
    if not created and not updated and (moves is None or not moves):
        output.answer("nothing to do")
    if gone is not None:
        output.tell(f"warning: the ledger {gone} was recorded here before, and is not here now")
        output.tell(f"  {BRING_BACK}")
    if (created or updated) and not run.dry_run:
        output.tell("\n".join(["", "Next:", *(f"  {output.safe(step)}" for step in steps)]))
    return code


def _changes(run: Run) -> tuple[list[Path], list[Path]]:
    """What every project has: the files that are made, and those that are changed."""
    lacking, path = run.lacking, run.path
    created = [lacking.key] if lacking.key is not None else []
    created += [file.path for file in lacking.files]
    has_block = lacking.adds_block or lacking.renews_block
    updated = [path / scaffold.AGENTS_FILE] * has_block
    if lacking.lines:
        (updated if lacking.has_attributes else created).append(path / ATTRIBUTES_FILE)
    return created, updated


def _steps(run: Run, *, is_gone: bool) -> list[str]:
    steps = [] if run.path == Path() else [f"cd {shlex.quote(str(run.path))}"]
    steps += [LET_GO] if is_gone else []
    if run.chosen is None or run.moves is None:
        has_atlas = bool(run.current.atlases) or _is_from_template(run.path)
        return [*steps, *(("cra doctor",) if has_atlas else _OWN_STEPS)]
    if run.chosen.template.on_git and not (_is_in_repository(run.path) or run.lacking.makes_git):
        steps.append("git init")
    from cra.cli.from_template import next_steps

    return [*steps, *next_steps(run.path, run.chosen, run.moves, dry_run=run.dry_run)]


def _tell_of_project_above(path: Path) -> None:
    above = config.find_project(path.resolve().parent)
    if above is not None and not (path / config.FILE_NAME).is_file():
        output.tell(f"note: {output.safe(str(above))} is a project, and this is another one in it")


def _adds_block(path: Path, *, yes: bool, dry_run: bool) -> bool:
    """Whether agents.md, if it is the user's own, is to get cra's block."""
    file = path / scaffold.AGENTS_FILE
    if scaffold.has_open_block(path):
        output.tell(
            f"note: {output.safe(str(file))} has {scaffold.BLOCK_BEGIN} and no "
            f"{scaffold.BLOCK_END} after it, so cra's block is not renewed; put that line where "
            f"the block ends, then {scaffold.init_command(path, '--refresh')}"
        )
    if not scaffold.lacks_block(path):
        return False
    if yes or (output.is_interactive() and not dry_run):
        return output.confirm(f"Add cra's block at the end of {scaffold.AGENTS_FILE}?", yes=yes)
    adds = f"{scaffold.init_command(path, '--yes')} adds a block to it"
    output.tell(output.safe(f"{file} says nothing about cra; {adds}"))
    return False


def _is_from_template(path: Path) -> bool:
    return os.path.lexists(path / RECORD_NAME)


def _makes_git(path: Path, stated: bool | None, *, asks: bool) -> bool:
    """Whether the directory is to become a git repository: never one within another."""
    if stated is False or _is_in_repository(path):
        return False
    return bool(stated) or (asks and output.confirm("Make it a git repository?", yes=False))


def _is_in_repository(path: Path) -> bool:
    place = path.resolve()
    return any((each / ".git").exists() for each in (place, *place.parents))


def _make_repository(path: Path, undo: Undo) -> None:
    undo.keep(path / ".git")
    try:
        done = run_git(path, os.environ, "init", "--quiet")
    except FileNotFoundError:
        raise UsageError("expected git, found none", fix="install it, or --no-git") from None
    if done.returncode != 0:
        said = done.stderr.decode(errors="replace").strip()
        raise UsageError(f"expected git to make a repository, it said: {said:.300}", fix="--no-git")


def _print(what: str, paths: Sequence[Path]) -> None:
    for path in paths:
        output.answer(f"{what}: {output.safe(str(path))}")
