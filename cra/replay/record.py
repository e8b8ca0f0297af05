"""Recording a golden: a session's file with all that it needs to be checked and done again."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Final, NamedTuple

import orjson

from cra.atlas.snapshot import open_snapshot
from cra.canonical import MAX_INTEGER
from cra.config import FILE_NAME, Config
from cra.errors import Code, GoldenRefused, UsageError
from cra.ledger import files
from cra.ledger.attested import signer_named
from cra.ledger.checkpoint import MAX_NOTE, parse_key, signers_of
from cra.ledger.index import JOURNAL_FILE, LedgerFile, session_id_of
from cra.ledger.verify import Trust
from cra.ledger.writer import ChainPaths
from cra.replay.check import Report, save_with_expectations, write_replayed
from cra.replay.golden import FOLDER, LIMITS, open_golden
from cra.replay.line_ends import keep_line_ends
from cra.replay.manifest import GoldenManifest
from cra.replay.mark import marks_of
from cra.replay.reading import Trace
from cra.replay.replay import replay
from cra.replay.step import told
from cra.replay.writing import (
    NAME,
    artifacts_in,
    install,
    put,
    staged,
)

_RESERVED: Final = b'"event_type":"limit.reserved"'


class RecordedGolden(NamedTuple):
    """A golden that was written, and what a replay of it says at once."""

    manifest: Path
    report: Report


def record(config: Config, session: Path, name: str, *, replaces: bool = False) -> RecordedGolden:
    """Write `goldens/NAME` from a session. It is there as a whole or not at all.

    Raises UsageError for a name that is taken or is none, GoldenRefused for a session that cannot
    be replayed, that is damaged, or that no key has signed which the project lists.
    """
    assert config.project is not None  # whoever records has a project
    if not NAME.fullmatch(name) or name.endswith(".new"):
        raise UsageError(
            f"expected a name of a-z, 0-9, '.', '_' and '-', found {name!r:.120}",
            fix="--name refund-denied",
        )
    target = config.project / FOLDER / name
    if target.exists() and not replaces:
        raise UsageError(
            f"expected a name without a golden, found {name}", where=str(target), fix="--replace"
        )
    trust = Trust(unconfirmed=tuple(map(parse_key, config.keys)))
    with staged(target) as folder:
        report = save_with_expectations(folder, _written(config, session, folder), config, trust)
        if report.error is not None and report.state == "integrity":
            code, message, _, _ = report.error
            if code == Code.SIGNATURE_MISSING:
                raise _unlisted(session)
            raise GoldenRefused(
                f"expected a whole session, found {code}: {message}",
                where=str(session),
                fix=f"cra trace verify {session_id_of(session)}",
            )
        install(folder, target)
    keep_line_ends(config.project)
    path = target / "manifest.json"
    return RecordedGolden(path, replace(report, name=name, manifest=path))


def adopt(config: Config, manifest: Path, name: str, key: Path | None) -> RecordedGolden:
    """Write `goldens/NAME` from a golden of an atlas: what this project decides on its steps,
    signed with a key file. Nothing runs: what came of the actions is the recording's.

    A project that lists keys refuses what none of them has signed, so a copy would not do. Raises
    CraError for a golden that cannot be replayed here.
    """
    root = config.project
    assert root is not None  # whoever adopts has a project
    golden = open_golden(manifest, Trust())
    snapshot = open_snapshot(root, config)
    target = root / FOLDER / name
    with TemporaryDirectory(prefix="cra-replay-") as own, staged(target) as folder:
        done = replay(golden, config, snapshot, Path(own) / "ledger")
        now = marks_of(root, snapshot, golden.manifest.actions)
        report = write_replayed(golden, done, now, folder, (config, key))
        install(folder, target)
    path = target / "manifest.json"
    return RecordedGolden(path, replace(report, name=name, manifest=path))


def _unlisted(session: Path) -> GoldenRefused:
    """Why a golden of a session would be refused by whoever replays it in this project."""
    note = files.read_all(ChainPaths(session.parent, session_id_of(session)).checkpoint, MAX_NOTE)
    signers = signers_of(note) if note is not None else []
    # Also one that no checkpoint covers yet: that it is the one which signed, its id says.
    named = signer_named(session.parent / JOURNAL_FILE, MAX_INTEGER)
    keys = [named if named and named.startswith(signer) else signer for signer in signers]
    if not keys:
        return GoldenRefused(
            f"expected a session signed by a key that keys in {FILE_NAME} lists, found it unsigned",
            where=str(session),
            fix="cra doctor says what signs here",
        )
    return GoldenRefused(
        f"expected a session signed by a key that keys in {FILE_NAME} lists, "
        f"found it signed by {' and '.join(keys)}",
        where=str(session),
        fix=f'whoever decides on the project adds "{keys[0]}" to keys in {FILE_NAME}; until then '
        "every replay refuses what it has signed",
    )


def _written(config: Config, session: Path, folder: Path) -> GoldenManifest:
    """The files of a golden, and the manifest that names them."""
    assert config.project is not None
    session_id = session_id_of(session)
    paths = ChainPaths(session.parent, session_id)
    # The checkpoint first: what it covers is then in the file.
    checkpoint = files.read_all(paths.checkpoint, MAX_NOTE)
    with LedgerFile(session) as ledger:
        if not ledger.count:
            raise GoldenRefused("expected a session with events, found none", where=str(session))
        put(folder / session.name, b"".join(line + b"\n" for line in ledger.lines()))
    if checkpoint is not None:
        put(folder / paths.checkpoint.name, checkpoint)
    with Trace(session) as events:
        first = events.event(0)
        for event in events:
            if event.get("payload") is None:
                raise GoldenRefused(
                    f"expected a session with every payload, found event {event['sequence']} "
                    "redacted",
                    where=str(session),
                    fix="record another session",
                )
            for artifact in event.get("artifacts", ()):
                (folder / "blobs").mkdir(exist_ok=True)
                shutil.copyfile(session.parent / artifact["uri"], folder / artifact["uri"])
        reserved = list(_reserved(session, first["timestamp"], event["timestamp"]))
        steps, called = told(events)
    if reserved:
        text = orjson.dumps(reserved, option=orjson.OPT_INDENT_2)
        put(folder / f"{LIMITS}.json", text + b"\n")
    marks = marks_of(config.project, open_snapshot(config.project, config), called)
    return GoldenManifest(
        "1.0",
        first["trace_id"],
        tuple(artifacts_in(folder)),
        (),
        steps=steps,
        atlases=marks.atlases,
        policies=marks.policies,
        actions=marks.actions,
    )


def _reserved(session: Path, begins: str, ends: str) -> Iterator[dict[str, Any]]:
    """What other sessions took of limits that are shared, as far as it could count in this one."""
    journal = session.parent / JOURNAL_FILE
    if not journal.exists():
        return
    own = session_id_of(session)
    with LedgerFile(journal) as ledger:
        for line in ledger.lines():
            if _RESERVED not in line:
                continue
            event = orjson.loads(line)
            payload = event["payload"]
            counts = payload["window_ends"] > begins and event["timestamp"] <= ends
            if counts and payload["session_id"] != own:
                yield {"timestamp": event["timestamp"], **payload}
