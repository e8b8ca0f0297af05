"""Recording a golden: a session's file with all that it needs to be checked and done again."""

from __future__ import annotations

import os
import re
import shutil
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from cra.atlas.snapshot import open_snapshot
from cra.config import Config
from cra.errors import Code, GoldenRefused, IntegrityError, UsageError
from cra.ledger import files
from cra.ledger.index import JOURNAL_FILE, LedgerFile, session_id_of
from cra.ledger.verify import Trust, verify_file
from cra.ledger.writer import ChainPaths
from cra.replay.check import Report, Settings, check
from cra.replay.golden import FOLDER, LIMITS, sha256_of
from cra.replay.manifest import Artifact, Expectations, GoldenManifest, text_of
from cra.replay.mark import marks_of
from cra.replay.reading import Trace

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
ATTRIBUTES: Final = f"{FOLDER}/** -text"
_ATTRIBUTES_FILE: Final = ".gitattributes"
_MAX_ATTRIBUTES: Final = 1 << 20
_RESERVED: Final = b'"event_type":"limit.reserved"'


class RecordedGolden(NamedTuple):
    """A golden that was written, and what a replay of it says at once."""

    manifest: Path
    report: Report


def record(config: Config, session: Path, name: str, *, replaces: bool = False) -> RecordedGolden:
    """Write `goldens/NAME` from a session. It is there as a whole or not at all.

    Raises UsageError for a name that is taken or is none, GoldenRefused for a session that cannot
    be replayed, IntegrityError for one that is damaged.
    """
    assert config.project is not None  # whoever records has a project
    if not NAME.fullmatch(name):
        raise UsageError(
            f"expected a name of a-z, 0-9, '.', '_' and '-', found {name!r:.120}",
            fix="--name refund-denied",
        )
    target = config.project / FOLDER / name
    if target.exists() and not replaces:
        raise UsageError(
            f"expected a name without a golden, found {name}", where=str(target), fix="--replace"
        )
    target.parent.mkdir(exist_ok=True)
    staged = target.with_name(f".{name}.{os.getpid()}.new")
    try:
        staged.mkdir()
        manifest = _write(config, session, staged)
        report = check(staged / "manifest.json", config, Settings())
        expected = _expected(report)
        if expected:
            manifest = replace(manifest, expectations=Expectations(expected))
            _save(staged, manifest)
            report = check(staged / "manifest.json", config, Settings())
        _exchange(staged, target)
    finally:
        shutil.rmtree(staged, ignore_errors=True)
    keep_line_ends(config.project)
    return RecordedGolden(
        target / "manifest.json", replace(report, name=name, manifest=target / "manifest.json")
    )


def keep_line_ends(project: Path) -> bool:
    """Let git leave the line ends of goldens alone. Whether it had to be said."""
    path = project / _ATTRIBUTES_FILE
    known = files.read_all(path, _MAX_ATTRIBUTES) or b""
    if ATTRIBUTES.encode() in known.splitlines():
        return False
    lead = b"" if not known or known.endswith(b"\n") else b"\n"
    files.replace(path, known + lead + ATTRIBUTES.encode() + b"\n")
    return True


def _write(config: Config, session: Path, staged: Path) -> GoldenManifest:
    """The files of a golden, and the manifest that names them."""
    assert config.project is not None
    session_id = session_id_of(session)
    paths = ChainPaths(session.parent, session_id)
    # The checkpoint first: what it covers is then in the file.
    checkpoint = files.read_all(paths.checkpoint, _MAX_ATTRIBUTES)
    with LedgerFile(session) as ledger:
        data = b"".join(line + b"\n" for line in ledger.lines(0, ledger.count))
    copy = staged / session.name
    files.replace(copy, data)
    if checkpoint is not None:
        files.replace(staged / paths.checkpoint.name, checkpoint)
    _check_whole(copy, session)
    with Trace(session) as events:
        first = events.event(0)
        for event in events:
            for artifact in event.get("artifacts", ()):
                (staged / "blobs").mkdir(exist_ok=True)
                shutil.copyfile(session.parent / artifact["uri"], staged / artifact["uri"])
        steps, called = _told(events)
        ends = event["timestamp"]
    reserved = list(_reserved(session.parent, session_id, first["timestamp"], ends))
    if reserved:
        files.replace(
            staged / f"{LIMITS}.json", orjson.dumps(reserved, option=orjson.OPT_INDENT_2) + b"\n"
        )
    snapshot = open_snapshot(config.project, config)
    marks = marks_of(config.project, snapshot, called)
    manifest = GoldenManifest(
        "1.0",
        first["trace_id"],
        tuple(_artifacts(staged)),
        (),
        steps=tuple(steps),
        atlases=marks.atlases,
        policies=marks.policies,
        actions=marks.actions,
    )
    _save(staged, manifest)
    return manifest


def _check_whole(copy: Path, session: Path) -> None:
    report = verify_file(copy, Trust())
    chain = report.sessions[0]
    # A blob is looked for beside the file, where it is not yet.
    if report.verdict.exit_code != 0 and chain.code != Code.BLOB_WRONG:
        raise IntegrityError(
            chain.code or Code.MALFORMED_LINE,
            f"expected a whole session, found it {report.verdict.name}: {chain.message}",
            where=str(session),
            fix=f"cra trace verify {session_id_of(session)}",
        )
    if chain.redacted:
        raise GoldenRefused(
            f"expected a session with every payload, found {chain.redacted} redacted",
            where=str(session),
            fix="record another session",
        )
    if not chain.events:
        raise GoldenRefused("expected a session with events, found none", where=str(session))


def _told(events: Trace) -> tuple[list[str], list[str]]:
    """A session in a few words for each step, and the actions that were called."""
    steps, called = [], []
    for event in events:
        payload = event.get("payload") or {}
        match event["event_type"]:
            case "carp.request.received":
                goal = payload.get("request", {}).get("task", {}).get("goal", "")
                steps.append(f"resolve: {goal[:120]}")
            case "action.approved":
                called.append(payload["action_id"])
                steps.append(
                    f"{payload['action_id']}: allowed by {payload['decision'].get('policy_id')}"
                )
            case "action.denied":
                called.append(payload["action_id"])
                steps.append(
                    f"{payload['action_id']}: denied by {payload.get('policy_id') or 'its schema'}"
                )
            case "approval.requested":
                called.append(payload["action_id"])
                steps.append(f"{payload['action_id']}: to be approved, by {payload['policy_id']}")
            case "approval.granted" | "approval.denied" as kind:
                steps.append(f"{payload['action_id']}: {kind.partition('.')[2]} by a person")
    return steps, called


def _reserved(directory: Path, session_id: str, begins: str, ends: str) -> Iterator[dict[str, Any]]:
    """What other sessions took of limits that this one shares with them, while it counts."""
    journal = directory / JOURNAL_FILE
    if not journal.exists():
        return
    with LedgerFile(journal) as ledger:
        for line in ledger.lines(0, ledger.count):
            if _RESERVED not in line:
                continue
            event = orjson.loads(line)
            payload = event["payload"]
            is_in_time = payload["window_ends"] > begins and event["timestamp"] <= ends
            if payload["session_id"] != session_id and is_in_time:
                yield {"timestamp": event["timestamp"], **payload}


def _artifacts(staged: Path) -> Iterator[Artifact]:
    for path in sorted(staged.rglob("*")):
        if not path.is_file():
            continue
        uri = path.relative_to(staged).as_posix()
        name = {".checkpoint": "checkpoint", ".jsonl": "trace"}.get(path.suffix, path.stem)
        digest = sha256_of(path)
        assert digest is not None  # it was just written
        yield Artifact(uri if uri.startswith("blobs/") else name, uri, digest)


def _expected(report: Report) -> tuple[int, ...]:
    return tuple(
        one.golden
        for one in report.differences
        if one.type == "unverifiable" and one.golden is not None
    )


def _save(staged: Path, manifest: GoldenManifest) -> None:
    files.replace(staged / "manifest.json", text_of(manifest).encode())


def _exchange(staged: Path, target: Path) -> None:
    """Put a directory in the place of another, which goes."""
    old = target.with_name(f".{target.name}.{os.getpid()}.old")
    if target.exists():
        target.rename(old)
    try:
        staged.rename(target)
    except OSError:
        with suppress(OSError):
            old.rename(target)
        raise
    shutil.rmtree(old, ignore_errors=True)
    files.sync_directory(target.parent)
