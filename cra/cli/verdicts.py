"""Verdicts and proofs as a command says them: in lines for people, in facts for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from cra.amount import counted
from cra.cli import output
from cra.cli.output import Cell
from cra.errors import Code, ExitCode, IntegrityError
from cra.ledger.attested import signer_named
from cra.ledger.index import JOURNAL_FILE
from cra.ledger.verdict import Level, Verdict
from cra.ledger.verify import Anchor, ChainReport, LedgerReport

if TYPE_CHECKING:
    from cra.ledger.proof import Proven

# What a level rests on, in a line's worth of words.
MEANING: Final = {
    Level.L0: "the chain holds, and nothing vouches for it",
    Level.L1_UNCONFIRMED: "signed by a key that only the project's configuration names",
    Level.L1: "signed by a key that is confirmed",
    Level.L2: "signed, and it goes on from the head that was seen here before",
    Level.L3: "signed, and it goes on from a head that was kept elsewhere",
}

_COLUMNS: Final = ("VERDICT", "CHAIN", "EVENTS", "UNATTESTED", "LEVEL")


def show_report(report: LedgerReport, required: Level | None, *, as_json: bool) -> ExitCode:
    """Print a verdict, and return the exit code that it means.

    Raises IntegrityError if it holds and is below the level that is required: that was printed too.
    """
    unmet = _unmet(report, required)
    if as_json:
        output.answer_json(_report_facts(report, unmet))
    else:
        _show(report, unmet)
    if unmet is not None:
        raise unmet
    return report.verdict.exit_code


def _unmet(report: LedgerReport, required: Level | None) -> IntegrityError | None:
    if required is None or report.verdict.exit_code != ExitCode.OK or report.level >= required:
        return None
    return IntegrityError(
        Code.LEVEL_UNMET,
        f"expected the level {required}, found {report.level}: {MEANING[report.level]}",
        where=str(report.directory),
        fix="--key confirms a signature, --anchor names a head that was kept elsewhere",
    )


def _show(report: LedgerReport, unmet: IntegrityError | None) -> None:
    rows = [
        (
            Cell(part.verdict.name, _style(part.verdict)),
            part.name + (" (pruned)" if part.is_pruned else ""),
            part.events,
            part.unattested,
            str(part.level) if part.verdict.exit_code == ExitCode.OK else "-",
        )
        for part in report.parts
    ]
    if rows:
        output.table(rows, _COLUMNS)
    for part in report.parts:
        for text in [*([_finding(part)] if part.message else []), *part.warnings]:
            output.answer(f"  {part.name}: {output.safe(text)}")
    output.answer(_conclusion(report, unmet))
    for note in [*report.notes, *_key_notes(report)]:
        output.tell(f"note: {output.safe(note)}")


def _key_notes(report: LedgerReport) -> list[str]:
    """Which key would raise the level, if whoever is asking got it from its owner."""
    path = report.directory / JOURNAL_FILE
    if report.level > Level.L1_UNCONFIRMED or report.verdict.exit_code != ExitCode.OK:
        return []
    journal = report.journal
    named = signer_named(path, journal.covered) if journal is not None and path.is_file() else None
    return [f"the journal names the key {named}; --key confirms a key"] if named else []


def _conclusion(report: LedgerReport, unmet: IntegrityError | None) -> str:
    """One line from the one value that the exit code comes from."""
    verdict = output.style(report.verdict.name, _style(report.verdict))
    if unmet is not None:
        verdict = output.style(f"{report.verdict.name}, and below what is required", "bad")
    decisive = report.decisive
    if report.verdict.exit_code != ExitCode.OK and decisive is not None:
        return f"{verdict}: {decisive.name}, {decisive.code}"
    events = sum(part.events for part in report.sessions)
    what = f"{counted(len(report.sessions), 'session')}, {counted(events, 'event')}"
    return f"{verdict}: {what}; {report.level}: {MEANING[report.level]}"


def _finding(part: ChainReport) -> str:
    return f"{part.code}: {part.message}" if part.code else part.message or ""


def _style(verdict: Verdict) -> str:
    if verdict.exit_code != ExitCode.OK:
        return "bad"
    return "good" if verdict is Verdict.INTACT else "warn"


def _report_facts(report: LedgerReport, unmet: IntegrityError | None) -> dict[str, Any]:
    decisive = report.decisive
    return {
        "directory": str(report.directory),
        "ledger_id": report.ledger_id,
        "verdict": report.verdict.name,
        "code": unmet.code if unmet else decisive.code if decisive else None,
        "level": str(report.level) if report.verdict.exit_code == ExitCode.OK else None,
        "exit": int(unmet.exit_code if unmet else report.verdict.exit_code),
        "journal": _chain_facts(report.journal) if report.journal else None,
        "sessions": [_chain_facts(part) for part in report.sessions],
        "notes": report.notes,
    }


def _chain_facts(part: ChainReport) -> dict[str, Any]:
    return {
        "name": part.name,
        "verdict": part.verdict.name,
        "code": part.code,
        "message": part.message,
        "level": str(part.level) if part.verdict.exit_code == ExitCode.OK else None,
        "events": part.events,
        "unattested": part.unattested,
        "redacted": part.redacted,
        "pruned": part.is_pruned,
        "skipped": part.skipped,
        "warnings": part.warnings,
    }


def proven_facts(proven: Proven, old: Anchor | None) -> dict[str, Any]:
    from cra.ledger.anchor import format_anchor

    checkpoint, signer = proven.opened.checkpoint, proven.opened.signer
    facts: dict[str, Any] = {
        "valid": True,
        "level": str(proven.level),
        "ledger_id": proven.ledger_id,
        "signer": str(signer) if signer else None,
        "checkpoint": {
            "origin": checkpoint.origin,
            "size": checkpoint.size,
            "root": checkpoint.root.hex(),
        },
    }
    if old is not None:
        facts["anchor"] = format_anchor(old)
    if proven.event is not None:
        facts["event"] = {
            **proven.event.header,
            "event_hash": proven.event.event_hash,
            "payload": proven.event.payload,
        }
    return facts


def show_proven(proven: Proven, old: Anchor | None) -> None:
    from cra.ledger.anchor import format_anchor

    checkpoint, event = proven.opened.checkpoint, proven.event
    if event is not None:
        header = event.header
        lines = [
            (
                "event",
                f"{event.event_type} {'(redacted)' if event.payload is None else ''}".rstrip(),
            ),
            ("time", header["timestamp"]),
            ("session", f"{header['session_id']}:{event.sequence}"),
            ("hash", event.event_hash),
        ]
    else:
        assert old is not None
        lines = [("anchor", format_anchor(old))]
    lines += [
        ("ledger", proven.ledger_id),
        ("checkpoint", counted(checkpoint.size, "event")),
        ("level", f"{proven.level}: {MEANING[proven.level]}"),
    ]
    for name, value in lines:
        output.answer(f"{name + ':':<12}{output.safe(value)}")
    output.answer(f"{output.style('VALID', 'good')}, {proven.level}")
    if proven.level is Level.L0:
        output.tell("note: anyone could have made this proof; --key KEY confirms who signed it")
