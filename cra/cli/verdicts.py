"""Verdicts and proofs as a command says them: in lines for people, in facts for programs."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from cra.amount import counted
from cra.cli import output
from cra.cli.output import Cell
from cra.errors import Code, ExitCode, IntegrityError
from cra.ledger.attested import signer_named
from cra.ledger.index import JOURNAL_FILE
from cra.ledger.verdict import Level, Verdict
from cra.ledger.verify import Anchor, AnchorSource, ChainReport, LedgerReport

if TYPE_CHECKING:
    from collections.abc import Iterator

    from cra.cli.answers.trace import (
        ChainFacts,
        LeakFacts,
        ProvenAnswer,
        ProvenFacts,
        VerifyAnswer,
    )
    from cra.ledger.proof import Proven
    from cra.runtime.leaks import Leak

# What a level rests on, in a line's worth of words.
MEANING: Final = {
    Level.L0: "the chain holds, and nothing vouches for it",
    Level.L1_UNCONFIRMED: "signed by a key that only the project's configuration names",
    Level.L1: "signed by a key that is confirmed",
    Level.L2: "signed, and it goes on from the head that was seen here before",
    Level.L3: "signed, and it goes on from a head that was kept elsewhere",
}
# How far away an anchor is, as far as that is known.
_ANCHORED: Final[dict[AnchorSource, str]] = {
    "line": "the head that --anchor states",
    "file": "a head in the file that --anchor names",
    "git": "a head noted in this repository, which is as far away as its other copies",
}

_MAX_SECRETS: Final = 20
_COLUMNS: Final = ("VERDICT", "CHAIN", "EVENTS", "UNATTESTED", "LEVEL")


def show_report(
    report: LedgerReport, required: Level | None, secrets: list[Leak] | None, *, as_json: bool
) -> ExitCode:
    """Print a verdict, and what was found if secrets were looked for. Returns the exit code that
    both mean.

    Raises IntegrityError if it holds and is below the level that is required: that was printed too.
    """
    unmet = _unmet(report, required)
    code = report.verdict.exit_code
    if secrets and code == ExitCode.OK:
        code = ExitCode.NO
    if as_json:
        output.answer_json(_report_facts(report, unmet, code, secrets))
    else:
        _show(report, unmet)
        _show_secrets(secrets)
    if unmet is not None:
        raise unmet
    return code


def _show_secrets(secrets: list[Leak] | None) -> None:
    """The events that hold what reads like a secret, with the command that takes it away."""
    if secrets is None:
        return
    for one in secrets[:_MAX_SECRETS]:
        kinds = ", ".join(f"{count} {kind}" for kind, count in sorted(one.counts.items()))
        place = f"{one.session_id}:{one.sequence}"
        output.answer(f"  {output.style('secret', 'warn')}  {place}  {one.event_type}: {kinds}")
    if len(secrets) > _MAX_SECRETS:
        output.answer(f"  and {len(secrets) - _MAX_SECRETS} more; --json has all")
    what = counted(len(secrets), "event")
    output.answer(f"secrets: {what} with what reads like one" if secrets else "secrets: none found")
    for way in _ways_out(secrets):
        output.tell(f"fix: {way}")


def _ways_out(secrets: list[Leak]) -> Iterator[str]:
    """What takes the first of them out of the ledger: an event, its session, or nothing."""
    from cra.ledger.retention import NEEDED
    from cra.ledger.store import JOURNAL

    own = [one for one in secrets if one.session_id != JOURNAL]
    for one in [one for one in own if one.event_type not in NEEDED][:1]:
        place = f"{one.session_id}:{one.sequence}"
        yield f'cra trace redact {place} --reason "…", once its session has ended'
    for one in [one for one in own if one.event_type in NEEDED][:1]:
        yield (
            f"cra trace prune --session {one.session_id}, once it has ended: "
            f"{one.event_type} goes with its session alone"
        )
    if len(own) < len(secrets):
        yield "nothing is taken out of the journal: change what is secret in it where it is used"


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
        found = [_finding(part)] if part.message else []
        for text in [*found, *_reservations([part]), *part.warnings]:
            output.answer(output.fitted(f"{part.name}: {text}", indent="  "))
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
    """The conclusion from the one value that the exit code comes from."""
    verdict, style = report.verdict.name, _style(report.verdict)
    if unmet is not None:
        verdict, style = f"{verdict}, and below what is required", "bad"
    decisive = report.decisive
    if report.verdict.exit_code != ExitCode.OK and decisive is not None:
        return output.labelled(verdict, style, f": {decisive.name}, {decisive.code}")
    what = f"{counted(len(report.sessions), 'session')}, {counted(report.events, 'event')}"
    what = "; ".join([what, *_reservations(report.sessions)])
    meaning = MEANING[report.level]
    if report.level is Level.L3 and report.anchored_in is not None:
        meaning = f"signed, and it goes on from {_ANCHORED[report.anchored_in]}"
    return output.labelled(verdict, style, f": {what}; {report.level}: {meaning}")


def _reservations(parts: list[ChainReport]) -> list[str]:
    """What a verdict does not rest on a reading of: events passed over, payloads taken away."""
    said = []
    skipped = sum(part.skipped for part in parts)
    if skipped:
        day = min(part.verified_on for part in parts if part.verified_on is not None)
        said.append(f"{counted(skipped, 'event')} not read again, as verified on {day} (UTC)")
    redacted = sum(part.redacted for part in parts)
    if redacted:
        said.append(f"{counted(redacted, 'payload')} redacted")
    return said


def _finding(part: ChainReport) -> str:
    return f"{part.code}: {part.message}" if part.code else part.message or ""


def _style(verdict: Verdict) -> str:
    if verdict.exit_code != ExitCode.OK:
        return "bad"
    return "good" if verdict is Verdict.INTACT else "warn"


def _report_facts(
    report: LedgerReport, unmet: IntegrityError | None, code: ExitCode, secrets: list[Leak] | None
) -> VerifyAnswer:
    decisive = report.decisive
    return {
        "directory": str(report.directory),
        "ledger_id": report.ledger_id,
        "verdict": report.verdict.name,
        "code": unmet.finding if unmet else decisive.code if decisive else None,
        "level": str(report.level) if report.verdict.exit_code == ExitCode.OK else None,
        "anchor": report.anchored_in,
        "exit": int(unmet.exit_code if unmet else code),
        "journal": _chain_facts(report.journal) if report.journal else None,
        "sessions": [_chain_facts(part) for part in report.sessions],
        "notes": report.notes,
        "secrets": None if secrets is None else [_leak_facts(one) for one in secrets],
    }


def _leak_facts(leak: Leak) -> LeakFacts:
    return {
        "session_id": leak.session_id,
        "sequence": leak.sequence,
        "event_type": leak.event_type,
        "counts": leak.counts,
    }


def _chain_facts(part: ChainReport) -> ChainFacts:
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
        "verified_on": part.verified_on,
        "warnings": part.warnings,
    }


def proven_facts(proven: Proven, old: Anchor | None) -> ProvenAnswer:
    from cra.ledger.anchor import format_anchor

    checkpoint, signer = proven.opened.checkpoint, proven.opened.signer
    facts: ProvenFacts = {
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
    event = proven.event
    if event is None:
        assert old is not None
        return {**facts, "anchor": format_anchor(old)}
    return {
        **facts,
        "event": {**event.header, "event_hash": event.event_hash, "payload": event.payload},
    }


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
