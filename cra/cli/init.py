"""`cra init`: make a directory a project."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cra import __version__, config, scaffold
from cra.cli import output
from cra.cli.options import DryRun, Json, Yes
from cra.cli.project import user_dirs
from cra.errors import UsageError
from cra.ledger.memory import BRING_BACK, LET_GO, Memory, gone_ledger
from cra.replay.line_ends import ATTRIBUTES_FILE, keep_line_ends, keeps_line_ends

if TYPE_CHECKING:
    from cra.cli.answers.project import InitAnswer


def init(
    path: Annotated[
        Path, typer.Argument(metavar="PATH", help="The directory; made if there is none.")
    ] = Path(),
    *,
    no_sign: Annotated[
        bool, typer.Option("--no-sign", help="Make no key, and list none in the configuration.")
    ] = False,
    dry_run: DryRun = False,
    yes: Yes = False,
    as_json: Json = False,
) -> None:
    """Make a directory a cra project: its configuration, its ledger's place, and agents.md.

    It also makes your signing key, if you have none, and has git leave goldens as they are. Nothing
    that is there is replaced, so it can be run again at any time.

      cra init
      cra init my-agent --no-sign
      cra init --dry-run
    """
    if path.exists() and not path.is_dir():
        raise UsageError("expected a directory, found a file", where=str(path))
    _tell_of_project_above(path)
    dirs = user_dirs()
    current = config.load(path, {}, None, {})
    files = scaffold.missing_files(path, current.trace.directory)
    signs = not no_sign and any(file.path.name == config.FILE_NAME for file in files)
    makes_key = not no_sign and not dirs.has_key()
    created = [dirs.signing_key] * makes_key + [file.path for file in files]
    updated = [path / scaffold.AGENTS_FILE] * _adds_block(path, yes=yes, dry_run=dry_run)
    if not keeps_line_ends(path):
        attributes = path / ATTRIBUTES_FILE
        (updated if attributes.exists() else created).append(attributes)
    if not dry_run:
        key = str(scaffold.user_signer(dirs).key) if signs or makes_key else None
        values = {
            "version": __version__,
            "key": key,
            "trace_directory": current.trace.directory,
        }
        scaffold.write(files, values)
        keep_line_ends(path)
        if path / scaffold.AGENTS_FILE in updated:
            scaffold.append_block(path, values)
        if makes_key:
            from cra.cli.ledger import tell_unlisted

            tell_unlisted(current, str(key))
    gone = gone_ledger(Memory(dirs.state, path.absolute()), current.trace_directory)
    steps = [
        *([] if path == Path() else [f"cd {path}"]),
        *([] if gone is None else [LET_GO]),
        "cra atlas create my-atlas",
        "cra atlas add my-atlas",
        'cra resolve --goal "…"',
    ]
    if as_json:
        facts: InitAnswer = {
            "created": list(map(str, created)),
            "updated": list(map(str, updated)),
            "gone_ledger": gone,
            "dry_run": dry_run,
            "next": steps,
        }
        output.answer_json(facts)
        return
    _print("Would create" if dry_run else "Created", created)
    _print("Would update" if dry_run else "Updated", updated)
    if not created and not updated:
        output.answer("nothing to do")
    if gone is not None:
        output.tell(f"warning: the ledger {gone} was recorded here before, and is not here now")
        output.tell(f"  {BRING_BACK}")
    if (created or updated) and not dry_run:
        output.tell("\n".join(["", "Next:", *(f"  {output.safe(step)}" for step in steps)]))


def _tell_of_project_above(path: Path) -> None:
    above = config.find_project(path.resolve().parent)
    if above is not None and not (path / config.FILE_NAME).is_file():
        output.tell(f"note: {output.safe(str(above))} is a project, and this is another one in it")


def _adds_block(path: Path, *, yes: bool, dry_run: bool) -> bool:
    """Whether agents.md, if it is the user's own, is to get cra's block."""
    if not scaffold.lacks_block(path):
        return False
    if yes or (output.is_interactive() and not dry_run):
        return output.confirm(f"Add cra's block at the end of {scaffold.AGENTS_FILE}?", yes=yes)
    output.tell(f"{scaffold.AGENTS_FILE} says nothing about cra; cra init --yes adds a block to it")
    return False


def _print(what: str, paths: Sequence[Path]) -> None:
    for path in paths:
        output.answer(f"{what}: {output.safe(str(path))}")
