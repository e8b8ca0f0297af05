"""`cra trace export`: a session in a form for other programs, or as a bundle that others can check.

What it works with is imported when it runs: its help is read more often than it is used.
"""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable, Iterator
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cra import __version__
from cra.amount import counted
from cra.cli import output
from cra.cli.arguments import STDOUT, is_free, naming, save
from cra.cli.filter import EventType, FilterText, Severity, filter_of
from cra.cli.ledger import Keys, trust_of
from cra.cli.options import Json, Output, ProjectDir, TraceDir, Yes
from cra.cli.project import open_config
from cra.cli.select import JOURNAL, LogName, NamedSession, open_log, the_one
from cra.errors import ExitCode, IntegrityError, UsageError
from cra.ledger.files import READ_SIZE
from cra.ledger.index import JOURNAL_FILE, SUFFIX, LedgerFile, session_id_of

if TYPE_CHECKING:
    from cra.cli.answers.trace import BundleExportAnswer, EventsExportAnswer
    from cra.ledger.filter import Filter
    from cra.ledger.verify import LedgerReport, Trust

# What turns lines into whole lines of a form.
Form: TypeAlias = Callable[[Iterable[bytes]], Iterator[bytes]]

_BUNDLE: Final = "bundle"


def export(
    session: LogName = None,
    *,
    named: NamedSession = None,
    form: Annotated[
        str, typer.Option("--format", metavar="FORMAT", help="jsonl, json, csv or bundle.")
    ] = "jsonl",
    target: Output = None,
    filter_text: FilterText = None,
    event_type: EventType = None,
    severity: Severity = None,
    force: Annotated[
        bool, typer.Option("--force", help="Bundle a session that is not intact, as evidence.")
    ] = False,
    yes: Yes = False,
    keys: Keys = None,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
    as_json: Json = False,
) -> ExitCode:
    """Write a session in a form for other programs, or as a bundle that others can check.

    jsonl is what is stored, byte for byte; json is one array; csv has a row per event. A bundle is
    a zip file that specs/verify.py and cra trace verify accept on their own; its name is the
    session's unless -o says another. The exit code is 3 if what is stored is not what was recorded.
    With --json it reports what was written to a file.

      cra trace export last --format csv --output events.csv
      cra trace export last --event-type 'action.*'
      cra trace export last --format bundle
    """
    from cra.ledger.export import FORMATS

    if form not in {*FORMATS, _BUNDLE}:
        raise UsageError(f"expected one of {', '.join(FORMATS)} or {_BUNDLE}, found {form!r:.20}")
    if force and form != _BUNDLE:
        raise UsageError("expected --force with --format bundle alone")
    wanted = filter_of(filter_text, type=event_type, severity=severity)
    path = open_log(the_one(session, named), project, trace_dir)
    if form == _BUNDLE:
        _check_bundle(path, wanted)
    target = _place(target, form, path, as_json=as_json)
    if target is not None and not is_free(target, yes=yes):
        return ExitCode.OK
    config = open_config(project, trace_dir, anywhere=True)
    # The configuration's keys are of its own ledger.
    is_own = path.resolve().is_relative_to(config.trace_directory.resolve())
    trust = trust_of(config if is_own else None, keys)
    if form == _BUNDLE:
        _export_bundle(path, target, trust, force=force, as_json=as_json)
        return ExitCode.OK
    with LedgerFile(path) as log:
        events = _write_events(log, target, FORMATS[form], wanted)
    report = _judged(path, trust)
    _tell_written(path, target, form, events, report, as_json=as_json)
    return report.verdict.exit_code if report is not None else ExitCode.OK


def _place(target: Path | None, form: str, path: Path, *, as_json: bool) -> Path | None:
    """Where the answer goes; None is stdout. Raises UsageError if that cannot take it."""
    if target is None and form == _BUNDLE:
        return Path(f"{session_id_of(path)}.zip")
    if target not in (None, STDOUT):
        return target
    if form == _BUNDLE and sys.stdout.isatty():
        raise UsageError("expected a file or a pipe for a bundle, found a terminal", fix="-o FILE")
    if as_json:
        raise UsageError(
            "expected --output FILE beside --json, which reports what was written, found none",
            fix="--format json writes the events as JSON",
        )
    return None


def _check_bundle(path: Path, wanted: Filter) -> None:
    if wanted.terms:
        raise UsageError("expected a whole session in a bundle, found a filter")
    if path.name == JOURNAL_FILE:
        raise UsageError("expected a session in a bundle, found the journal", where=str(path))


def _write_events(log: LedgerFile, target: Path | None, form: Form, wanted: Filter) -> int:
    """Write the events to a file or to stdout, and say how many there were.

    Raises IntegrityError for a line that is no event, unless the form takes it as it is.
    """
    events = 0

    def lines(advance: Callable[[int], None]) -> Iterator[bytes]:
        nonlocal events
        for line in _lines(log, wanted, advance):
            events += 1
            yield line

    # On a terminal the events themselves show how far it is.
    shows = target is not None or not sys.stdout.isatty()
    try:
        with output.progress(log.end if shows else 0, "exporting") as advance:
            parts = form(lines(advance if shows else lambda _: None))
            if target is not None:
                save(target, parts)
            elif sys.stdout.isatty():
                _show(parts)
            else:
                output.answer_bytes(parts)
    except IntegrityError as error:
        error.where = error.where or str(log.path)
        verify = f"cra trace verify {session_id_of(log.path)}"
        error.fix = error.fix or f"{verify}; --format jsonl writes what is stored as it is"
        raise
    return events


def _lines(log: LedgerFile, wanted: Filter, advance: Callable[[int], None]) -> Iterator[bytes]:
    if wanted.terms:
        yield from (line for _, line in log.search(wanted, advance=advance))
        return
    for line in log.lines():
        advance(len(line) + 1)
        yield line


def _show(parts: Iterable[bytes]) -> None:
    """Print whole lines on a terminal, which obeys nothing in them."""
    for part in parts:
        lines = part.decode(errors="backslashreplace").removesuffix("\n").removesuffix("\r")
        output.answer("\n".join(map(output.safe, lines.split("\n"))))


def _judged(path: Path, trust: Trust) -> LedgerReport | None:
    """The verdict on what was written; none on a file that is not named like a session's."""
    from cra.ledger.reading import usable_cores
    from cra.ledger.verify import verify_file, verify_ledger

    if not path.name.endswith(SUFFIX):
        return None
    name, cores = session_id_of(path), usable_cores()
    with output.progress(path.stat().st_size, "verifying") as advance:
        if not path.with_name(JOURNAL_FILE).is_file():
            return verify_file(path, trust, cores=cores, advance=advance)
        names = [] if name == JOURNAL else [name]
        return verify_ledger(path.parent, trust, sessions=names, cores=cores, advance=advance)


def _tell_written(
    path: Path,
    target: Path | None,
    form: str,
    events: int,
    report: LedgerReport | None,
    *,
    as_json: bool,
) -> None:
    bad = report.decisive if report is not None and report.verdict.exit_code else None
    if as_json:
        facts: EventsExportAnswer = {
            "output": str(target),
            "format": form,
            "session_id": session_id_of(path),
            "events": events,
            "verdict": report.verdict.name if report is not None else None,
            "code": bad.code if bad is not None else None,
        }
        output.answer_json(facts)
    elif target is not None:
        output.answer(output.safe(str(target)))
        output.tell(counted(events, "event"))
    if bad is not None:
        verdict = output.style(bad.verdict.name, "bad", sys.stderr)
        output.tell(f"warning: {verdict}: {output.safe(f'{bad.name}: {bad.code}: {bad.message}')}")


def _export_bundle(
    path: Path, target: Path | None, trust: Trust, *, force: bool, as_json: bool
) -> None:
    """Write a bundle to a file, or to stdout, which has no room for anything else then."""
    from tempfile import TemporaryDirectory

    from cra.ledger.bundle import write_bundle

    session_id = session_id_of(path)
    write = partial(write_bundle, path.parent, session_id, trust=trust, force=force)
    if target is None:
        with TemporaryDirectory(prefix="cra-") as place:
            written = Path(place) / f"{session_id}.zip"
            with output.working("exporting"):
                contents = write(written)
            with open(written, "rb") as file:
                output.answer_bytes(iter(lambda: file.read(READ_SIZE), b""))
    else:
        with naming(target), output.working("exporting"):
            contents = write(target)
    if as_json:
        facts: BundleExportAnswer = {
            "output": str(target),
            "format": "bundle",
            "session_id": contents.session_id,
            "events": contents.events,
            "blobs": contents.blobs,
            "redactions": contents.redactions,
            "key": contents.key,
            "verifier": contents.verifier,
            "verdict": contents.verdict.name,
        }
        output.answer_json(facts)
        return
    if target is not None:
        output.answer(output.safe(str(target)))
    output.tell(
        f"{counted(contents.events, 'event')}, {counted(contents.blobs, 'blob')}, "
        f"{counted(contents.redactions, 'redaction')}; {contents.verdict.name}"
    )
    digest = f"its verify.py has the SHA-256 {contents.verifier}"
    output.tell(f"{digest}, as specs/verify.py.sha256 of cra {__version__} has it")
    if contents.key is not None:
        output.tell(f"signed by {contents.key}")
