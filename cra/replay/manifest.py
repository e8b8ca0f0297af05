"""A golden's manifest: which files it consists of, what may differ, and what it was recorded on."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, Final, Literal, TypeAlias

from cra.amount import counted
from cra.atlas.problem import Problems, read_source
from cra.config.text import MAX_BYTES
from cra.config.values import WRONG, Limits, read_value
from cra.errors import Fault, GoldenRefused, NotFound
from cra.ledger import files
from cra.ledger.chain import ID
from cra.replay.compare import Order
from cra.replay.rule import FieldRule

NAMES: Final = ("manifest.json", "manifest.yaml", "manifest.yml")
# `decide`: today's rules on the recorded calls, nothing runs. `compare`: another trace with it.
# `execute`: the actions run in a copy of the project. `verify`: its files alone.
Mode: TypeAlias = Literal["decide", "compare", "execute", "verify"]
# What came of it. `integrity`: it is not what was recorded, and was compared with nothing.
State: TypeAlias = Literal["passed", "different", "refused", "integrity"]

_Id: TypeAlias = Annotated[str, Limits("an id (UUIDv7)", pattern=ID)]
Hash: TypeAlias = Annotated[str, Limits("a SHA-256 in lower-case hex", pattern="[0-9a-f]{64}")]
_Name: TypeAlias = Annotated[str, Limits("a name", pattern=r"[^\x00-\x1f]{1,256}")]
_Sequence: TypeAlias = Annotated[int, Limits("a whole number from 0 on", minimum=0)]
_Uri: TypeAlias = Annotated[
    str,
    Limits(
        "a path below the manifest, with /",
        pattern=r"[^/\\\x00-\x1f][^\\\x00-\x1f]*",
        max_length=1_000,
    ),
]


@dataclass(frozen=True)
class GoldenFile:
    """A file of the golden, by its path from the manifest."""

    name: _Name
    uri: _Uri
    sha256: Hash


@dataclass(frozen=True)
class AtlasMark:
    version: str
    digest: Hash


@dataclass(frozen=True)
class ActionMark:
    """An action that was called, as it was: its schemas, how it is executed, and the code."""

    schema: Hash
    executor: Hash | None = None
    code: Hash | None = None


@dataclass(frozen=True)
class Expectations:
    """What is known to be so."""

    # Events of calls that cannot be decided again, since a secret in them is not recorded.
    unverifiable: tuple[_Sequence, ...] = ()


@dataclass(frozen=True)
class GoldenManifest:
    """What a golden's manifest holds."""

    manifest_version: Literal["1.0"]
    trace_id: _Id
    artifacts: tuple[GoldenFile, ...]
    nondeterminism: tuple[FieldRule, ...]
    # For whoever reads it: what the trace tells, step by step.
    steps: tuple[str, ...] = ()
    mode: Mode = "decide"
    order: Order = "partial"
    expectations: Expectations = Expectations()
    atlases: Mapping[str, AtlasMark] = field(default_factory=dict)
    policies: Mapping[str, Hash] = field(default_factory=dict)
    actions: Mapping[str, ActionMark] = field(default_factory=dict)


def read_manifest(path: Path) -> GoldenManifest:
    """The manifest in a file. Raises GoldenRefused with every mistake, NotFound."""
    data = files.read_all(path, MAX_BYTES)
    if data is None:
        raise NotFound(
            "expected a golden's manifest, found none", where=str(path), fix="cra golden list"
        )
    problems = Problems()
    source, node = read_source(str(path), data, problems)
    note = source.noting(Fault.MALFORMED)
    found = WRONG if node is None else read_value(GoldenManifest, node, "", note)
    if isinstance(found, GoldenManifest) and not problems.errors:
        for at, rule in enumerate(found.nondeterminism):
            problem = rule.problem()
            if problem is not None:
                note(0, f"nondeterminism[{at}]", *problem, None)
    if problems.errors:
        first = f"expected a golden's manifest, found {counted(len(problems.errors), 'mistake')}"
        listed = [f"{problem.where}: {problem}" for problem in problems.errors]
        raise GoldenRefused(
            "\n".join([first, *listed]), where=str(path), fix="cra schema golden-manifest"
        )
    assert isinstance(found, GoldenManifest)
    return found


def at_rest(mode: Mode) -> Mode:
    """In which mode a golden is looked at while nothing may run and there is no other trace to
    compare it with."""
    return "decide" if mode in ("decide", "execute") else "verify"


def text_of(manifest: GoldenManifest) -> str:
    """A manifest as it is written; what has its usual value is left out."""
    stated = {
        each.name: value
        for each in fields(manifest)
        if (value := getattr(manifest, each.name)) or each.default is MISSING
    }
    usual = {"mode": "decide", "order": "partial", "expectations": Expectations()}
    document = {
        key: _plain(value)
        for key, value in stated.items()
        if not (key in usual and value == usual[key])
    }
    return json.dumps(document, indent=2, ensure_ascii=False) + "\n"


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        members = {each.name: getattr(value, each.name) for each in fields(value)}
        return {key: _plain(member) for key, member in members.items() if member is not None}
    if isinstance(value, Mapping):
        return {key: _plain(member) for key, member in value.items()}
    return [_plain(item) for item in value] if isinstance(value, tuple) else value
