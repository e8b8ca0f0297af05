"""`cra trace repair`, `redact` and `prune`: changes that a person asks for; all are recorded.

What a command works with is imported when it runs: its help is read more often than it is used.
"""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from cra.amount import counted
from cra.cli import output
from cra.cli.arguments import event_place, seconds, user_name
from cra.cli.ledger import Keys, open_ledger, open_memory, said, tell_unlisted, trust_of
from cra.cli.options import DryRun, Json, ProjectDir, TraceDir, Yes
from cra.cli.output import Cell
from cra.cli.project import open_config, open_signer
from cra.cli.select import JOURNAL, find_session, refuse_gone
from cra.errors import Code, CraError, ExitCode, IntegrityError, SessionOpen, UsageError
from cra.ledger.index import SUFFIX, session_id_of

if TYPE_CHECKING:
    from cra.cli.answers.trace import (
        AcceptableFacts,
        AcceptedFacts,
        BeyondFacts,
        PruneAnswer,
        PrunedFacts,
        RedactAnswer,
        RepairAnswer,
    )
    from cra.config import Config
    from cra.ledger.memory import Memory
    from cra.ledger.repair import Acceptable, Accepted
    from cra.ledger.retention import Candidate
    from cra.ledger.verify import ChainReport, LedgerReport, Trust

Reason = Annotated[str, typer.Option("--reason", metavar="TEXT", help="Why; kept in the journal.")]

_WHERE: Final = {None: "the ledger", JOURNAL: "the journal"}
_BEYOND: Final = "beyond repair: what a checkpoint covers cannot be mended, and the verdict stays."
_BEYOND_JOURNAL: Final = (
    "beyond repair: what a checkpoint covers cannot be mended. Keep it as evidence: move the "
    "directory away; then cra trace repair --accept begins another ledger, and records the break"
)
_MISSING: Final = (
    "what is gone can be neither mended nor accepted: bring the file back, from a copy. Without it "
    "the verdict stays; other sessions go on"
)
_UNLISTED: Final = (
    "beyond repair: no writer of this ledger began it. Keep it as evidence, outside the project"
)


def repair(
    what: Annotated[
        str | None,
        typer.Argument(
            metavar="SESSION|journal",
            help="What to mend. None: the journal.",
            show_default=False,
        ),
    ] = None,
    *,
    everything: Annotated[
        bool, typer.Option("--all", help="The journal and every session.")
    ] = False,
    accept: Annotated[
        bool, typer.Option("--accept", help="Do it; without this, say what would be done.")
    ] = False,
    reason: Annotated[
        str,
        typer.Option("--reason", metavar="TEXT", help="Why a new key signs; kept in the journal."),
    ] = "accepted by a person",
    keys: Keys = None,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Mend what a crash left behind, or accept a break, so that the ledger goes on.

    Half a line at the end, which the next event mends by itself, is removed, and so is damage
    beyond the checkpoint; the bytes are kept beside the file. A journal that is not the one that
    was seen here, or that another key signed, is recorded as accepted. What lies below a signed
    checkpoint stays as it is. Without --accept the exit code is 1 if there is something to accept;
    it is 3 if something is beyond repair.

      cra trace repair
      cra trace repair last --accept
      cra trace repair --all --accept
    """
    from cra.ledger.repair import (
        Kind,
        accept_journal,
        accept_session,
        acceptable_in,
        beyond_repair,
    )

    if everything and what is not None:
        raise UsageError(f"expected --all or one of the ledger, found --all and {what!r:.60}")
    config = open_config(project, trace_dir)
    memory, signer = open_memory(config), open_signer()
    report = _judged(config, trust_of(config, keys), memory)
    name = None if everything else _chain_named(report, what)
    acceptable, evidence = acceptable_in(report, memory, signer), beyond_repair(report)
    found = [item for item in acceptable if name in (None, item.name)]
    beyond = [part for part in evidence if name in (None, part.name)]
    done: list[Accepted] = []
    if accept and any(item.name == JOURNAL for item in found):
        done += accept_journal(report, memory, signer, said(reason, report.ledger_id))
    sessions = [item for item in found if item.name != JOURNAL]
    if accept and sessions:
        with open_ledger(config) as ledger:
            done += [accept_session(ledger, item) for item in sessions]
    _show_repair(report, found, done, beyond, accepted=accept, as_json=as_json)
    if not found and not beyond and not as_json:
        output.answer(f"nothing to accept in {_WHERE.get(name, f'the session {name}')}")
    others = {item.name for item in acceptable} | {part.name for part in evidence}
    if name is not None and others - {name}:
        what_else = counted(len(others - {name}), "other finding")
        output.tell(f"not looked at: {what_else}; cra trace repair --all says more")
    if signer is not None and any(item.kind is Kind.KEY for item in done):
        tell_unlisted(config, str(signer.key))
    if beyond:
        return ExitCode.INTEGRITY
    return ExitCode.NO if found and not accept else ExitCode.OK


def redact(
    event: Annotated[
        str,
        typer.Argument(
            metavar="EVENT", help="SESSION:SEQUENCE, an event id, or how an event's hash begins."
        ),
    ],
    reason: Reason,
    *,
    yes: Yes = False,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> None:
    """Take away the payload of an event, and its blobs, from a session that has ended.

    The event stays, with its hash, and everything still proves itself. The journal says which
    payload is gone, who took it away and why. Copies and backups are not reached. A redaction that
    was interrupted is finished by asking for it again.

      cra trace redact last:4 --reason "holds a customer's name"
    """
    from cra.ledger.retention import redact as take_away

    config = open_config(project, trace_dir)
    directory, name, sequence = event_place(config.trace_directory, event)
    if directory != config.trace_directory or name == JOURNAL:
        raise UsageError(
            "expected an event of a session of this project's ledger",
            where=f"{directory / name}:{sequence}",
        )
    question = f"Take away the payload of event {sequence} of {name} for good?"
    if not output.confirm(question, yes=yes):
        output.tell("nothing was changed")
        return
    with open_ledger(config) as ledger:
        done = take_away(ledger, name, sequence, said(reason, ledger.id), actor_id=user_name())
    if as_json:
        facts: RedactAnswer = {
            "session_id": done.session_id,
            "sequence": done.sequence,
            "event_hash": done.event_hash,
            "blobs": done.blobs,
            "was_done": done.was_done,
        }
        output.answer_json(facts)
        return
    what = "was redacted before" if done.was_done else "redacted"
    output.answer(f"{what}: {done.session_id}:{done.sequence}, {counted(done.blobs, 'blob')}")


def prune(
    *,
    older_than: Annotated[
        str | None,
        typer.Option(
            "--older-than",
            metavar="TIME",
            help="Ended this long ago, as 30d, instead of trace.retention_days.",
        ),
    ] = None,
    session: Annotated[
        str | None,
        typer.Option("--session", "--trace-id", metavar="SESSION", help="This one, however old."),
    ] = None,
    reason: Reason = "",
    dry_run: DryRun = False,
    yes: Yes = False,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Remove ended sessions that are past their retention.

    The journal keeps their leaf hashes and totals, so what was exported can still be proven.
    Sessions that are open, that a limit still counts, or that are not intact stay.

      cra trace prune --dry-run
      cra trace prune --older-than 90d --yes
      cra trace prune --session 019a3c --reason "asked to"
    """
    if older_than is not None and session is not None:
        raise UsageError("expected --older-than or --session, found both")
    config = open_config(project, trace_dir)
    days = config.trace.retention_days
    age = seconds(older_than) if older_than is not None else days * 86_400
    due = _due(config, session, age)
    words = reason or (
        "asked for by id" if session is not None else f"retention of {older_than or f'{days}d'}"
    )
    is_wanted = bool(due) and not dry_run
    if is_wanted and not output.confirm(f"Remove {_counted(due)} for good?", yes=yes):
        output.tell("nothing was changed")
        return ExitCode.OK
    kept: dict[str, CraError] = {}
    if is_wanted:
        kept = _prune(config, due, words, is_named=session is not None)
    _show_pruning(due, kept, dry_run=dry_run, as_json=as_json)
    return max((error.exit_code for error in kept.values()), default=ExitCode.OK)


# Repairing.


def _judged(config: Config, trust: Trust, memory: Memory) -> LedgerReport:
    """The verdict on the ledger; on one whose directory is gone, that nothing is there."""
    from cra.cli.subject import size_of
    from cra.ledger.verify import LedgerReport, verify_ledger

    directory = config.trace_directory
    if not directory.is_dir() and memory.seen_at(directory):
        return LedgerReport(directory, None, None, [])
    with output.progress(size_of(directory, None), "verifying") as advance:
        return verify_ledger(directory, trust, memory=memory, advance=advance)


def _chain_named(report: LedgerReport, what: str | None) -> str:
    if what is None or what == JOURNAL:
        return JOURNAL
    # The journal may list a session whose file is gone.
    if any(part.name == what for part in report.sessions):
        return what
    return session_id_of(find_session(report.directory, what))


def _show_repair(
    report: LedgerReport,
    found: list[Acceptable],
    done: list[Accepted],
    beyond: list[ChainReport],
    *,
    accepted: bool,
    as_json: bool,
) -> None:
    if as_json:
        facts: RepairAnswer = {
            "acceptable": [_acceptable_facts(item) for item in found],
            "accepted": [_accepted_facts(item) for item in done],
            "beyond": [_beyond_facts(part) for part in beyond],
        }
        output.answer_json(facts)
        return
    for item in found:
        output.answer(f"{item.name}: {output.safe(item.message)}")
        if not accepted:
            output.answer(f"  --accept would {item.kind.value}")
    for fixed in done:
        output.answer(f"{output.style('accepted', 'good')}: {fixed.name}: {fixed.kind.value}")
        if fixed.removed is not None:
            kept = fixed.removed
            output.answer(
                f"  {counted(kept['bytes'], 'byte')} from {kept['offset']} on: {kept['kept_as']}"
            )
    for part in beyond:
        finding = output.safe(f"{part.code}: {part.message}")
        output.answer(f"{output.style(part.verdict.name, 'bad')}: {part.name}: {finding}")
        output.answer(f"  {_way_on(part, report.directory)}")


def _way_on(part: ChainReport, directory: Path) -> str:
    """What there is to do about a chain that is beyond repair."""
    from cra.ledger.outline import outline
    from cra.printable import naming

    if part.name == JOURNAL:
        return _BEYOND_JOURNAL
    if part.code is Code.SESSION_MISSING:
        return _MISSING
    if part.code is Code.SESSION_UNLISTED:
        return _UNLISTED
    start = f"cra session start{naming(outline(directory / f'{part.name}{SUFFIX}').agent)}"
    return f"{_BEYOND} Keep it as evidence, where it is. To go on with a new session: {start}"


def _acceptable_facts(item: Acceptable) -> AcceptableFacts:
    return {"name": item.name, "kind": item.kind.name.lower(), "message": item.message}


def _accepted_facts(item: Accepted) -> AcceptedFacts:
    return {"name": item.name, "kind": item.kind.name.lower(), "removed": item.removed}


def _beyond_facts(part: ChainReport) -> BeyondFacts:
    return {"name": part.name, "code": part.code, "message": part.message}


# Pruning.


def _due(config: Config, session: str | None, age: int) -> list[Candidate]:
    from cra.ledger.retention import is_due, plan_prune
    from cra.ledger.source import Source

    plan = plan_prune(config.trace_directory)
    if not plan:
        refuse_gone(config.trace_directory)
    if session is None:
        now = Source().now()
        return [item for item in plan if is_due(item, now, timedelta(seconds=age))]
    named = [item for item in plan if item.session_id == session]
    if named:
        return named
    session_id = session_id_of(find_session(config.trace_directory, session))
    return [item for item in plan if item.session_id == session_id]


def _prune(
    config: Config, due: list[Candidate], reason: str, *, is_named: bool
) -> dict[str, CraError]:
    """Prune one after the other, and say which could not be; one asked for by name is an error."""
    from cra.ledger.retention import prune as remove

    kept: dict[str, CraError] = {}
    with open_ledger(config) as ledger, output.progress(len(due), "pruning") as advance:
        words = said(reason, ledger.id)
        for item in due:
            try:
                remove(ledger, item.session_id, words, actor_id=user_name())
            except (SessionOpen, IntegrityError) as error:
                if is_named:
                    raise
                kept[item.session_id] = error
            advance(1)
    return kept


def _counted(due: list[Candidate]) -> str:
    size = sum(item.bytes for item in due)
    return f"{counted(len(due), 'session')} of {counted(size, 'byte')}"


def _show_pruning(
    due: list[Candidate], kept: dict[str, CraError], *, dry_run: bool, as_json: bool
) -> None:
    why = {session_id: error.message for session_id, error in kept.items()}
    if as_json:
        facts: PruneAnswer = {
            "dry_run": dry_run,
            "sessions": [_pruned_facts(item, why.get(item.session_id)) for item in due],
        }
        output.answer_json(facts)
        return
    gone = "would go" if dry_run else "pruned"
    table = [
        (
            Cell("kept", "warn") if item.session_id in why else gone,
            item.session_id,
            (item.ended_at or "-")[:16].replace("T", " "),
            item.bytes,
        )
        for item in due
    ]
    if table:
        output.table(table, ("", "SESSION", "ENDED (UTC)", "BYTES"))
    else:
        output.answer("nothing to prune")
    for session_id, reason in why.items():
        output.tell(f"kept {session_id}: {output.safe(reason)}")


def _pruned_facts(item: Candidate, kept: str | None) -> PrunedFacts:
    return {
        "session_id": item.session_id,
        "ended_at": item.ended_at,
        "bytes": item.bytes,
        "kept": kept,
    }
