"""A golden on disk: its manifest and the trace beside it, checked before anything is compared."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Collection, Iterable, Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import orjson

from cra.config import FILE_NAME
from cra.errors import Code, GoldenRefused, IntegrityError, NotFound
from cra.ledger import files
from cra.ledger.checkpoint import MAX_NOTE, signers_of
from cra.ledger.index import SUFFIX, LedgerFile, session_id_of
from cra.ledger.verdict import Level
from cra.ledger.verify import Trust, verify_file
from cra.ledger.writer import ChainPaths
from cra.replay.manifest import NAMES, GoldenFile, GoldenManifest, read_manifest
from cra.shipped import shipped

if TYPE_CHECKING:
    from jsonschema_rs import Validator

FOLDER: Final = "goldens"
LIMITS: Final = "limits"
# The ending of a directory with what a replay found otherwise, until it is accepted or rejected.
PENDING: Final = ".new"
_BRING_BACK: Final = "bring back the files as they were recorded"
_MAX_ARTIFACT: Final = 1 << 32


@dataclass(frozen=True)
class Golden:
    """A golden trace, with the manifest that names it."""

    path: Path
    manifest: GoldenManifest
    trace: Path
    # Whose checkpoint vouches for it.
    level: Level = Level.L0

    @property
    def name(self) -> str:
        return self.path.parent.name

    def artifact(self, name: str) -> Path | None:
        """The file that the manifest has under a name."""
        uri = next((one.uri for one in self.manifest.artifacts if one.name == name), None)
        return None if uri is None else self.path.parent / uri


def find_manifests(place: Path) -> list[Path]:
    """The manifest that a path names, or those in a directory and below, by name.

    Raises NotFound if there is none.
    """
    if place.is_file():
        return [place]
    found = sorted(_manifests_below(place)) if place.is_dir() else []
    if not found:
        raise NotFound(
            "expected a golden's manifest, found none",
            where=str(place),
            fix="cra golden record SESSION --name NAME",
        )
    return found


def open_golden(path: Path, trust: Trust) -> Golden:
    """A golden whose files are those that its manifest names, and whose trace is whole.

    Raises GoldenRefused for a manifest that cannot be read, IntegrityError for other files.
    """
    manifest = read_manifest(path)
    folder = path.parent.resolve()
    for artifact in manifest.artifacts:
        _check_artifact(path, folder, artifact)
    trace = _trace_of(path, manifest)
    report = verify_file(trace, trust)
    chain = report.sessions[0]
    if report.verdict.exit_code != 0:
        raise IntegrityError(
            chain.code or Code.MALFORMED_LINE,
            f"expected a whole trace, found it {report.verdict.name}: {chain.message}",
            where=str(trace),
            fix=_way_out(chain.code, trace, trust),
        )
    if chain.redacted:
        raise GoldenRefused(
            f"expected every payload of a golden, found {chain.redacted} redacted",
            where=str(trace),
            fix="record another session",
        )
    if not chain.events:
        raise GoldenRefused("expected a trace with events, found none", where=str(trace))
    _check_events(trace, manifest)
    return Golden(path, manifest, trace, report.level)


def manifest_in(folder: Path) -> Path:
    """The manifest of a golden's directory, in whatever form it is written."""
    found = (folder / name for name in NAMES if (folder / name).is_file())
    return next(found, folder / NAMES[0])


def trace_of(manifest: Path) -> Path:
    """The trace that a manifest names. Raises GoldenRefused."""
    return _trace_of(manifest, read_manifest(manifest))


def leftovers(goldens: Path, manifests: Iterable[Path]) -> Iterator[Path]:
    """What lies in a directory of goldens and belongs to none: directories without a manifest,
    files that no manifest names, and what waits to be accepted."""
    if not goldens.is_dir():
        return
    chosen = {path.parent.resolve() for path in manifests}
    for child in sorted(goldens.iterdir()):
        if child.name.startswith(".") or not child.is_dir():
            continue
        manifest = manifest_in(child)
        if not manifest.is_file() or child.name.endswith(PENDING):
            yield child
        elif child.resolve() in chosen:
            # What cannot be read is refused itself, and names nothing.
            with suppress(GoldenRefused):
                named = {artifact.uri for artifact in read_manifest(manifest).artifacts}
                yield from _unnamed(child, named)


def _unnamed(folder: Path, named: Collection[str]) -> Iterator[Path]:
    for path in sorted(folder.rglob("*")):
        uri = path.relative_to(folder).as_posix()
        if path.is_file() and uri not in named and uri not in NAMES:
            yield path


def sha256_of(path: Path) -> str | None:
    """The digest of a file's bytes, or None if there is none."""
    try:
        with open(files.open_for_reading(path), "rb") as file:
            return hashlib.file_digest(file, "sha256").hexdigest()
    except FileNotFoundError:
        return None


def _manifests_below(place: Path) -> Iterator[Path]:
    for child in place.iterdir():
        if child.name in NAMES and child.is_file():
            yield child
        elif _may_hold_goldens(child):
            yield from _manifests_below(child)


def _may_hold_goldens(place: Path) -> bool:
    is_ours = place.is_dir() and not place.is_symlink()
    return is_ours and not place.name.startswith(".") and not place.name.endswith(PENDING)


def _way_out(code: Code | None, trace: Path, trust: Trust) -> str:
    """What mends a trace that is not whole. Of one that a key signed which is not trusted, the key
    is as likely a colleague's as the files are another's."""
    note = files.read_all(ChainPaths(trace.parent, session_id_of(trace)).checkpoint, MAX_NOTE)
    if code is not Code.SIGNATURE_MISSING or note is None or not (signers := signers_of(note)):
        return "bring back the files as they were recorded, or record it anew"
    key = " and ".join(signers)
    if trust.confirmed:
        return f"give the key that signed it, {key}, with --key; if nobody has it, {_BRING_BACK}"
    return (
        f"a key signed it that keys in {FILE_NAME} does not list, {key}: if it is a colleague's, "
        f"whoever decides on the project adds it there; if it is nobody's, {_BRING_BACK}"
    )


def _check_artifact(path: Path, folder: Path, artifact: GoldenFile) -> None:
    file = folder / artifact.uri
    # Of links that lead round in a circle, `Path.resolve` makes an error of its own.
    if not Path(os.path.realpath(file)).is_relative_to(folder):
        raise GoldenRefused(
            f"expected {artifact.name} below the manifest, found it outside",
            where=f"{path}: {artifact.uri}",
            fix="a golden's files are in its own directory, without links out of it",
        )
    try:
        found = sha256_of(file)
    except OSError as error:
        raise GoldenRefused(
            f"expected {artifact.name} as a file, found: {error.strerror}", where=str(file)
        ) from error
    if found == artifact.sha256:
        return
    words = "none" if found is None else f"{found[:12]}…"
    if found is not None and _has_other_line_ends(file, artifact.sha256):
        words += ": its line ends were changed to CRLF"
    raise IntegrityError(
        Code.ARTIFACT_WRONG,
        f"expected {artifact.name} with the digest {artifact.sha256[:12]}…, found {words}",
        where=str(file),
        fix=f"git checkout -- {artifact.uri}; `goldens/** -text` in .gitattributes keeps git from "
        "changing line ends",
    )


def _check_events(trace: Path, manifest: GoldenManifest) -> None:
    """A chain holds whatever it was made of: what is done again has to have the form of events."""
    form = _form_of_events()
    with LedgerFile(trace) as ledger:
        for sequence, line in enumerate(ledger.lines()):
            event = orjson.loads(line)
            if not form.is_valid(event):
                raise GoldenRefused(
                    f"expected event {sequence} in the form of TRACE/1.1, found another",
                    where=str(trace),
                    fix="record it anew; cra schema trace-event says which form",
                )
            if sequence == 0:
                _check_beginning(event, trace, manifest)


def _check_beginning(first: Mapping[str, Any], trace: Path, manifest: GoldenManifest) -> None:
    if first["event_type"] != "session.started":
        raise GoldenRefused(
            f"expected the trace of a session, found one that begins with {first['event_type']}",
            where=str(trace),
            fix="cra golden record SESSION --name NAME",
        )
    if first["trace_id"] != manifest.trace_id:
        raise IntegrityError(
            Code.ARTIFACT_WRONG,
            f"expected the trace {manifest.trace_id}, found {first['trace_id']}",
            where=str(trace),
            fix="bring back the files as they were recorded, or record it anew",
        )


@cache
def _form_of_events() -> Validator:
    from jsonschema_rs import validator_for

    path = shipped("specs") / "schemas" / "trace-event.schema.json"
    return validator_for(orjson.loads(path.read_bytes()))


def _has_other_line_ends(file: Path, expected: str) -> bool:
    data = files.read_all(file, _MAX_ARTIFACT) or b""
    return b"\r\n" in data and (
        hashlib.sha256(data.replace(b"\r\n", b"\n")).hexdigest() == expected
    )


def _trace_of(path: Path, manifest: GoldenManifest) -> Path:
    found = [one.uri for one in manifest.artifacts if one.uri.endswith(SUFFIX)]
    if len(found) != 1:
        raise GoldenRefused(
            f"expected one trace (*{SUFFIX}) among the artifacts, found {len(found)}",
            where=str(path),
            fix="cra golden record SESSION --name NAME",
        )
    return path.parent / found[0]
