"""`cra trace verify`, `prove`, `verify-proof` and `anchor`: what others can check.

What a command works with is imported when it runs: its help is read more often than it is used.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from cra.cli import output
from cra.cli.arguments import STDOUT, event_place, is_free, save
from cra.cli.ledger import Keys, level_named, open_memory, trust_of
from cra.cli.options import Json, Output, ProjectDir, TraceDir, Yes, at_least
from cra.cli.project import open_config
from cra.errors import ExitCode, IntegrityError, NotFound, UsageError
from cra.ledger import files

if TYPE_CHECKING:
    from cra.cli.answers.trace import AnchorAnswer, ProofAnswer
    from cra.config import Config
    from cra.ledger.verify import LedgerReport, Trust
    from cra.runtime.leaks import Leak

NamedSessions = Annotated[
    list[str] | None,
    typer.Option(
        "--session", "--trace-id", metavar="SESSION", help="Another way to write SESSION."
    ),
]


def verify(
    sessions: Annotated[
        list[str] | None,
        typer.Argument(
            metavar="SESSION...",
            help="Ids or how they begin, `last`, `journal`, or one path: of a ledger, a session's "
            "file, a bundle. None: the whole ledger.",
        ),
    ] = None,
    *,
    named: NamedSessions = None,
    anchor_source: Annotated[
        str | None,
        typer.Option(
            "--anchor",
            metavar="LINE|git|FILE",
            help="Heads of the journal that were kept elsewhere.",
        ),
    ] = None,
    keys: Keys = None,
    require: Annotated[
        str | None, typer.Option("--require", metavar="LEVEL", help="Fail below L0, L1, L2 or L3.")
    ] = None,
    since_verified: Annotated[
        bool, typer.Option("--since-verified", help="Read what came since the last verification.")
    ] = False,
    secrets: Annotated[
        bool, typer.Option("--secrets", help="Also look for what reads like a secret.")
    ] = False,
    cores: Annotated[
        int | None,
        typer.Option(
            "--cores",
            metavar="N",
            parser=at_least(1),
            help="How many cores to use, instead of all.",
        ),
    ] = None,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Check that what is stored is what was recorded, and say what that rests on.

    L0: the chain holds. L1: signed by a key that --key or CRA_VERIFY_KEY confirms, or your own. L2:
    it also goes on from the head that was seen here before. L3: from a head that was kept
    elsewhere. The exit code is 0 if it holds and 3 if it does not; 1 if it holds and --secrets
    found something.

      cra trace verify
      cra trace verify last --require L1 --key key.txt
      cra trace verify --anchor git
      cra trace verify evidence.zip --json
    """
    from cra.cli.subject import judge
    from cra.cli.verdicts import show_report
    from cra.ledger.reading import usable_cores

    wanted = level_named(require) if require is not None else None
    report = judge(
        [*(sessions or ()), *(named or ())],
        project,
        trace_dir,
        keys=keys,
        anchor_source=anchor_source,
        since_verified=since_verified,
        cores=cores or usable_cores(),
    )
    found = _secrets(report, project, trace_dir) if secrets else None
    return show_report(report, wanted, found, as_json=as_json)


def _secrets(report: LedgerReport, project: Path | None, trace_dir: Path | None) -> list[Leak]:
    """What reads like a secret in the chains of a report, also by the project's own rules."""
    from cra.atlas.snapshot import read_policies
    from cra.ledger.index import SUFFIX
    from cra.runtime.leaks import leaks

    config = open_config(project, trace_dir, anywhere=True)
    rules = read_policies(config.project) if config.project is not None else ()
    paths = [report.directory / f"{part.name}{SUFFIX}" for part in report.parts]
    return list(leaks((path for path in paths if path.is_file()), rules))


def prove(
    event: Annotated[
        str | None,
        typer.Argument(
            metavar="EVENT", help="SESSION:SEQUENCE, an event id, or how an event's hash begins."
        ),
    ] = None,
    anchored: Annotated[
        str | None,
        typer.Option(
            "--from", metavar="ANCHOR", help="Prove that the journal goes on from this head."
        ),
    ] = None,
    target: Output = None,
    yes: Yes = False,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    *,
    as_json: Json = False,
) -> None:
    """Write a proof that an event was recorded, which anyone can check without the ledger.

    With --from, the proof that an anchored head of the journal is a prefix of the present one.

      cra trace prove last:3 --output event.tlog-proof
      cra trace prove --from cra:...:41:9f86d0...
      cra trace verify-proof event.tlog-proof --key key.txt
    """
    from cra.ledger.anchor import parse_anchor
    from cra.ledger.proof import format_consistency, format_inclusion, prove_event, prove_prefix

    if (event is None) == (anchored is None):
        raise UsageError("expected an event or --from ANCHOR", fix="cra trace prove --help")
    config = open_config(project, trace_dir)
    directory = config.trace_directory
    with output.working("proving"):
        if anchored is not None:
            prefix = prove_prefix(directory, parse_anchor(anchored), _trust_remembered(config))
            proof = format_consistency(prefix)
        else:
            directory, name, sequence = event_place(directory, event or "")
            trust = _trust_remembered(config, directory)
            proof = format_inclusion(prove_event(directory, name, sequence, trust))
    if target == STDOUT:
        target = None
    if target is not None:
        if not is_free(target, yes=yes):
            return
        save(target, [proof])
    if as_json:
        where = str(target) if target is not None else None
        facts: ProofAnswer = {"proof": proof.decode(), "output": where}
        output.answer_json(facts)
    elif target is None:
        output.answer(proof.decode().removesuffix("\n"))
    else:
        output.answer(output.safe(str(target)))


def verify_proof(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="A proof; - for stdin.")],
    keys: Keys = None,
    *,
    as_json: Json = False,
) -> None:
    """Check a proof that cra trace prove wrote; it takes no ledger and no project.

    At L1 a key that is confirmed has signed the checkpoint: one that --key or CRA_VERIFY_KEY gives,
    or the key that was seen here for this ledger. At L0 anyone could have made the proof. The exit
    code is 0 if the proof holds and 3 if it does not.

      cra trace verify-proof event.tlog-proof --key key.txt
      cra trace prove last:3 | cra trace verify-proof -
    """
    from cra.cli.verdicts import proven_facts, show_proven
    from cra.ledger.proof import (
        MAX_PROOF,
        ConsistencyProof,
        check_proof,
        ledger_id_of,
        parse_proof,
        remembering,
    )

    data = sys.stdin.buffer.read(MAX_PROOF + 1) if str(path) == "-" else _read(path, MAX_PROOF)
    try:
        proof = parse_proof(data)
        trust = remembering(trust_of(None, keys), ledger_id_of(proof), open_memory())
        proven = check_proof(proof, trust)
    except IntegrityError as error:
        error.where = error.where or str(path)
        raise
    old = proof.anchor if isinstance(proof, ConsistencyProof) else None
    if as_json:
        output.answer_json(proven_facts(proven, old))
    else:
        show_proven(proven, old)


def anchor(
    git: Annotated[
        bool, typer.Option("--git", help="Also keep it as a git note on HEAD (refs/notes/cra).")
    ] = False,
    keys: Keys = None,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    *,
    as_json: Json = False,
) -> None:
    """Print the journal's head in one line, to keep where nobody who writes here can change it.

    Whoever has the line can tell later whether the ledger was rolled back, shortened or replaced.
    A note in git counts once it is pushed: git push origin refs/notes/cra.

      cra trace anchor
      cra trace anchor --git
      cra trace verify --anchor git
    """
    from cra.ledger.anchor import NOTES_REF, add_note, format_anchor, present_head

    config = open_config(project, trace_dir)
    directory = config.trace_directory
    head = present_head(directory, trust_of(config, keys), open_memory(config))
    line = format_anchor(head)
    commit = add_note(config.project or directory.parent, line, os.environ) if git else None
    if as_json:
        facts: AnchorAnswer = {
            "anchor": line,
            "ledger_id": head.ledger_id,
            "size": head.size,
            "root": head.root.hex(),
            "commit": commit,
        }
        output.answer_json(facts)
        return
    output.answer(line)
    if commit is not None:
        output.tell(f"noted on {commit[:12]}; push it: git push origin {NOTES_REF}")


def _trust_remembered(config: Config, directory: Path | None = None) -> Trust:
    """The key that was seen for the project's ledger, or for one in another directory, so that no
    proof rests on another."""
    from cra.ledger.proof import remembering
    from cra.ledger.verify import Trust

    own = config.trace_directory
    memory = open_memory(config if directory in (None, own) else None)
    known = memory.seen_at(directory or own)
    return remembering(Trust(), known[0] if known else None, memory)


def _read(path: Path, limit: int) -> bytes:
    data = files.read_all(path, limit)
    if data is None:
        raise NotFound("expected a proof, found no such file", where=str(path))
    return data
