"""`cra schema`: the JSON Schemas of cra's formats."""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any, Final, TypeAlias

import typer

from cra.atlas.manifest_schema import manifest_schema
from cra.cli import output
from cra.cli.options import Json
from cra.config import FILE_NAME, ConfigFile
from cra.conformance.report import ConformanceReport
from cra.errors import NotFound
from cra.policy.document_schema import policy_schema
from cra.printable import did_you_mean
from cra.protocol.carp import ResolutionDocument, ResultDocument
from cra.protocol.schema import document, text_of, trace_event
from cra.resolver.request import request_schema

if TYPE_CHECKING:
    from cra.cli.answers.project import SchemasAnswer, SchemaWriteAnswer

# Whose answers have a module of their own.
_GROUPS: Final = ("approvals", "atlas", "explain", "policy", "replay", "session", "trace")

Row: TypeAlias = tuple[str, Callable[[], dict[str, Any]]]


def _answer(
    path: str, kind: str, title: str, *, asked: str = "", about: str = "", home: str = ""
) -> dict[str, Row]:
    """The row of an answer, under the command's path; `asked` is the command line, where that says
    more, `home` the module of the type, where the path does not begin with it. The type is loaded
    when it is made a schema: it leads to most of cra."""
    name, group = path.replace(" ", "-"), home or path.partition(" ")[0]
    module = f"cra.cli.answers.{group if group in _GROUPS else 'project'}"
    told = about or f"what cra {asked or path} --json prints"
    return {name: (told, lambda: document(getattr(import_module(module), kind), name, title))}


def _golden_manifest() -> dict[str, Any]:
    from cra.replay.manifest import GoldenManifest  # it leads to what reads a ledger

    return document(GoldenManifest, "golden-manifest", "A golden's manifest")


SCHEMAS: Final[dict[str, Row]] = {
    **_answer("approvals deny", "DecidedAnswer", "A decision on an approval"),
    **_answer("approvals grant", "DecidedAnswer", "A decision on an approval"),
    **_answer("approvals key", "ApproverKeyAnswer", "The key of an approver"),
    **_answer("approvals list", "ApprovalsAnswer", "Calls that wait for an approval"),
    **_answer("approvals show", "ApprovalAnswer", "An approval"),
    **_answer("atlas actions", "AtlasActionsAnswer", "The actions of atlases"),
    **_answer("atlas add", "AtlasAddAnswer", "An atlas that is taken into a project"),
    **_answer("atlas context", "AtlasContextAnswer", "The context packs of atlases"),
    **_answer("atlas create", "AtlasCreateAnswer", "The files of a new atlas"),
    **_answer("atlas list", "AtlasListAnswer", "The atlases of a project"),
    **_answer("atlas lock", "AtlasLockAnswer", "What changed in atlases since they were accepted"),
    "atlas-manifest": ("an atlas's atlas.json or atlas.yaml", manifest_schema),
    **_answer("atlas remove", "AtlasRemoveAnswer", "An atlas that is taken out of a project"),
    **_answer("atlas show", "AtlasAnswer", "An atlas"),
    **_answer("atlas test", "AtlasTestAnswer", "A run of the scenarios of atlases"),
    **_answer("atlas validate", "ValidatedAnswer", "The mistakes in atlases"),
    "carp-execution-result": (
        "what CARP/1.0 answers to a request to execute",
        lambda: document(ResultDocument, "carp-execution-result", "An answer to execute"),
    ),
    "carp-request": ("a request of CARP/1.0", request_schema),
    "carp-resolution": (
        "what CARP/1.0 answers to a request to resolve",
        lambda: document(ResolutionDocument, "carp-resolution", "An answer to resolve"),
    ),
    **_answer("config show", "ConfigAnswer", "The settings in force"),
    **_answer("config validate", "ConfigCheckAnswer", "The mistakes in a configuration"),
    "conformance-report": (
        "what cra conformance --json prints",
        lambda: document(ConformanceReport, "conformance-report", "A run of the conformance cases"),
    ),
    "cra-config": (
        f"the project's {FILE_NAME}, and a user's config.json",
        lambda: document(ConfigFile, "cra-config", f"The configuration of cra ({FILE_NAME})"),
    ),
    **_answer("doctor", "DoctorAnswer", "The health of a project"),
    **_answer(
        "error",
        "ErrorAnswer",
        "An error",
        about="what stands on stderr when a command with --json fails",
    ),
    **_answer("explain", "ExplainAnswer", "Why a call is decided as it is", asked="explain ACTION"),
    **_answer("explain code", "CodeAnswer", "What an error code means", asked="explain CODE"),
    **_answer(
        "explain resolution",
        "ResolutionAnswer",
        "What an agent was told that it may know and do, and why",
        asked="explain --resolution ID",
    ),
    **_answer("explain rule", "RuleAnswer", "What a rule says", asked="explain RULE"),
    **_answer(
        "explain session",
        "SessionCallsAnswer",
        "The calls of a session, and what decided them",
        asked="explain --session ID or explain EXECUTION",
    ),
    **_answer("golden list", "GoldenListAnswer", "The goldens of a project", home="replay"),
    "golden-manifest": ("a golden's manifest.json or manifest.yaml", _golden_manifest),
    **_answer("golden record", "GoldenRecordAnswer", "A golden that is recorded", home="replay"),
    **_answer(
        "golden review",
        "GoldenReviewAnswer",
        "What differs from goldens, and what was decided on it",
        home="replay",
    ),
    **_answer("init", "InitAnswer", "The files of a new project"),
    "policy": ("a file in policies/", policy_schema),
    **_answer("policy backtest", "BacktestAnswer", "Recorded calls under other rules"),
    **_answer("policy check", "PolicyCheckAnswer", "Rules that are probably not meant so"),
    **_answer("policy suggest", "SuggestAnswer", "The narrowest rules that cover what was done"),
    **_answer("policy test", "PolicyTestAnswer", "A run of the tests of policies"),
    **_answer("replay", "ReplayAnswer", "Goldens under today's rules"),
    **_answer("schema", "SchemasAnswer", "The schemas of cra's formats"),
    **_answer("schema write", "SchemaWriteAnswer", "Files of schemas", asked="schema --write DIR"),
    **_answer("session end", "SessionEndAnswer", "A session that has ended"),
    **_answer("session list", "SessionListAnswer", "The sessions of a ledger"),
    **_answer("session show", "SessionAnswer", "A session"),
    **_answer(
        "session show at",
        "SessionAtAnswer",
        "A session at one of its events",
        asked="session show --at SEQ",
    ),
    **_answer("session start", "SessionStartAnswer", "A session that has begun"),
    **_answer("template list", "TemplatesAnswer", "The templates of projects"),
    **_answer("trace anchor", "AnchorAnswer", "A head to keep outside the project"),
    **_answer("trace diff", "TraceDiffAnswer", "Two sessions, compared", home="replay"),
    "trace-event": ("a line of a trace", trace_event),
    **_answer("trace export", "ExportAnswer", "A session in another form"),
    **_answer("trace list", "TraceListAnswer", "What is recorded"),
    **_answer("trace prove", "ProofAnswer", "A proof"),
    **_answer("trace prune", "PruneAnswer", "Sessions past their retention"),
    **_answer("trace redact", "RedactAnswer", "An event whose payload is taken away"),
    **_answer("trace repair", "RepairAnswer", "What a person can accept, and has"),
    **_answer("trace show", "EventsAnswer", "Events of a session"),
    **_answer("trace show seq", "EventAnswer", "An event", asked="trace show --seq N"),
    **_answer("trace stats", "StatsAnswer", "Totals over sessions"),
    **_answer(
        "trace tail",
        "TailedLine",
        "An event as it is stored",
        about="each line that cra trace tail --json prints",
    ),
    **_answer("trace verify", "VerifyAnswer", "A verdict on a ledger"),
    **_answer("trace verify-proof", "ProvenAnswer", "What a proof shows"),
    **_answer(
        "watch",
        "WatchedVerdict",
        "A verdict on a project after a change",
        about="each line that cra watch --json prints",
    ),
}


def schema(
    name: Annotated[
        str | None, typer.Argument(metavar="NAME", help="Which schema. None: all of them.")
    ] = None,
    *,
    write: Annotated[
        Path | None, typer.Option("--write", metavar="DIR", help="Write to files in DIR.")
    ] = None,
    as_json: Json = False,
) -> None:
    """Print the JSON Schema of one of cra's formats, list them, or write them to files.

    cra schema
    cra schema trace-event
    cra schema --write specs/schemas
    """
    if name is not None and name not in SCHEMAS:
        raise NotFound(
            f"expected a schema of cra's, found {name!r:.80}{did_you_mean(name, SCHEMAS)}",
            fix="cra schema lists them",
        )
    if write is not None:
        _write(write, [name] if name else list(SCHEMAS), as_json=as_json)
    elif name is not None:
        output.answer_json(SCHEMAS[name][1]())
    elif as_json:
        listed: SchemasAnswer = [
            {"name": key, "about": about, "file": _file(key)} for key, (about, _) in SCHEMAS.items()
        ]
        output.answer_json(listed)
    else:
        rows = [(key, about) for key, (about, _) in SCHEMAS.items()]
        output.table(rows, ("NAME", "SCHEMA OF"))


def _write(directory: Path, names: list[str], *, as_json: bool) -> None:
    directory.mkdir(parents=True, exist_ok=True)
    written = []
    for name in names:
        path = directory / _file(name)
        path.write_text(text_of(SCHEMAS[name][1]()), encoding="utf-8")
        written.append(str(path))
        if not as_json:
            output.answer(f"Wrote: {output.safe(str(path))}")
    if as_json:
        facts: SchemaWriteAnswer = {"written": written}
        output.answer_json(facts)


def _file(name: str) -> str:
    return f"{name}.schema.json"
