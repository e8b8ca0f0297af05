"""`cra schema`: the JSON Schemas of cra's formats."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Annotated, Any, Final

import typer

from cra.atlas.manifest_schema import manifest_schema
from cra.cli import output
from cra.cli.answers import (
    ApprovalAnswer,
    ApprovalFacts,
    BacktestAnswer,
    DoctorAnswer,
    ErrorAnswer,
    ExplainAnswer,
    SessionAnswer,
)
from cra.cli.options import Json
from cra.config import FILE_NAME, ConfigFile
from cra.conformance.report import ConformanceReport
from cra.errors import NotFound
from cra.policy.document_schema import policy_schema
from cra.protocol.carp import ResolutionDocument, ResultDocument
from cra.protocol.schema import document, text_of, trace_event
from cra.resolver.request import request_schema

SCHEMAS: Final[dict[str, tuple[str, Callable[[], dict[str, Any]]]]] = {
    "approvals-list": (
        "what cra approvals list --json prints",
        lambda: document(list[ApprovalFacts], "approvals-list", "Calls that wait for an approval"),
    ),
    "approvals-show": (
        "what cra approvals show --json prints",
        lambda: document(ApprovalAnswer, "approvals-show", "An approval"),
    ),
    "atlas-manifest": ("an atlas's atlas.json or atlas.yaml", manifest_schema),
    "carp-execution-result": (
        "what CARP/1.0 answers to a request to execute",
        lambda: document(ResultDocument, "carp-execution-result", "An answer to execute"),
    ),
    "carp-request": ("a request of CARP/1.0", request_schema),
    "carp-resolution": (
        "what CARP/1.0 answers to a request to resolve",
        lambda: document(ResolutionDocument, "carp-resolution", "An answer to resolve"),
    ),
    "conformance-report": (
        "what cra conformance --json prints",
        lambda: document(ConformanceReport, "conformance-report", "A run of the conformance cases"),
    ),
    "cra-config": (
        f"the project's {FILE_NAME}, and a user's config.json",
        lambda: document(ConfigFile, "cra-config", f"The configuration of cra ({FILE_NAME})"),
    ),
    "doctor": (
        "what cra doctor --json prints",
        lambda: document(DoctorAnswer, "doctor", "The health of a project"),
    ),
    "error": (
        "what stands on stderr when a command with --json fails",
        lambda: document(ErrorAnswer, "error", "An error"),
    ),
    "explain": (
        "what cra explain ACTION --json prints",
        lambda: document(ExplainAnswer, "explain", "Why a call is decided as it is"),
    ),
    "policy": ("a file in policies/", policy_schema),
    "policy-backtest": (
        "what cra policy backtest --json prints",
        lambda: document(BacktestAnswer, "policy-backtest", "Recorded calls under other rules"),
    ),
    "session-show": (
        "what cra session show --json prints",
        lambda: document(SessionAnswer, "session-show", "A session"),
    ),
    "trace-event": ("a line of a trace", trace_event),
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
            f"expected one of {', '.join(SCHEMAS)}, found {name!r}", fix="cra schema lists them"
        )
    if write is not None:
        _write(write, [name] if name else list(SCHEMAS), as_json=as_json)
    elif name is not None:
        output.answer_json(SCHEMAS[name][1]())
    elif as_json:
        output.answer_json(
            [
                {"name": key, "about": about, "file": _file(key)}
                for key, (about, _) in SCHEMAS.items()
            ]
        )
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
        output.answer_json({"written": written})


def _file(name: str) -> str:
    return f"{name}.schema.json"
