"""Goldens as they are written: beside the present one first, then in its place.

A golden's files are in place before the manifest that names them is, so that at every moment there
is a whole golden: the one before or the one after.
"""

from __future__ import annotations

import fcntl
import os
import re
import shutil
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from glob import escape
from pathlib import Path
from typing import TYPE_CHECKING, Final

import orjson

from cra import canonical
from cra.errors import NotFound
from cra.ledger import files
from cra.ledger.blobs import store_payload
from cra.ledger.chain import Chain, Draft, decode
from cra.ledger.checkpoint import Checkpoint, Signer, seal
from cra.ledger.index import SUFFIX, LedgerFile, session_id_of
from cra.ledger.merkle import Range
from cra.replay.golden import PENDING, sha256_of
from cra.replay.manifest import NAMES, GoldenFile, GoldenManifest, read_manifest, text_of

if TYPE_CHECKING:
    from cra.replay.replay import Replayed

NAME: Final = re.compile(r"[a-z0-9][a-z0-9._-]{0,99}")
_MANIFEST: Final = NAMES[0]


def put(path: Path, data: bytes) -> None:
    """Write a file that anybody may read."""
    path.parent.mkdir(parents=True, exist_ok=True)
    with open(path, "xb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def artifacts_in(folder: Path) -> Iterator[GoldenFile]:
    """The files of a golden, as its manifest names them."""
    names = {".checkpoint": "checkpoint", ".jsonl": "trace"}
    for path in sorted(folder.rglob("*")):
        uri = path.relative_to(folder).as_posix()
        digest = sha256_of(path) if path.is_file() and uri not in NAMES else None
        if digest is not None:
            is_blob = uri.startswith("blobs/")
            yield GoldenFile(uri if is_blob else names.get(path.suffix, path.stem), uri, digest)


def write_trace(done: Replayed, folder: Path, signer: Signer | None) -> None:
    """The trace of a replay as one of its own: with what only the recording has, and a checkpoint
    over all of it."""
    session_id = session_id_of(done.trace)
    tree = Range()
    lines: list[bytes] = []
    leaves: list[bytes] = []
    ledger_id = ""
    with LedgerFile(done.trace) as ledger:
        chain: Chain | None = None
        for sequence, stored in enumerate(ledger.lines()):
            event = decode(stored)
            header, payload = event.header, dict(event.payload or {})
            if chain is None:
                chain = Chain(session_id, trace_id=header["trace_id"])
                ledger_id = payload["ledger_id"]
            salt = orjson.loads(stored)["salt"]
            artifacts = header.get("artifacts")
            changed = done.replaced.get(sequence)
            if changed is None:
                body = canonical.encode(payload)
                named = canonical.encode(artifacts).decode() if artifacts else ""
            else:
                (folder / "blobs").mkdir(exist_ok=True)
                body, named = store_payload({**payload, **changed}, (), salt, folder / "blobs")
            for artifact in artifacts or ():
                target = folder / artifact["uri"]
                target.parent.mkdir(exist_ok=True)
                shutil.copyfile(done.trace.parent / artifact["uri"], target)
            draft = Draft(
                header["event_id"],
                header["event_type"],
                header["span_id"],
                header["parent_span_id"],
                header["severity"],
                header["timestamp"],
                canonical.encode(header["actor"]).decode(),
                body,
                salt,
                named,
                canonical.encode(header["atlas"]).decode() if "atlas" in header else "",
            )
            line, leaf = chain.seal(draft)
            lines.append(line)
            leaves.append(leaf)
    tree.extend(leaves)
    put(folder / f"{session_id}{SUFFIX}", b"".join(lines))
    head = Checkpoint(f"cra.local/{ledger_id}/{session_id}", tree.end, tree.root())
    put(folder / f"{session_id}.checkpoint", seal(head, signer))


def save_manifest(folder: Path, manifest: GoldenManifest) -> None:
    (folder / _MANIFEST).unlink(missing_ok=True)
    put(folder / _MANIFEST, text_of(manifest).encode())


@contextmanager
def staged(target: Path) -> Iterator[Path]:
    """A directory beside a golden's, which goes unless it is put in its place.

    It is locked for as long as it is worked on: one that nobody holds was left by a process that
    was killed, and goes too.
    """
    target.parent.mkdir(parents=True, exist_ok=True)
    folder = target.with_name(f".{target.name}.{os.getpid()}.tmp")
    with ExitStack() as stack:
        with _alone(target.parent):
            _sweep(target)
            folder.mkdir()
            stack.enter_context(_held(folder))
        try:
            yield folder
        finally:
            shutil.rmtree(folder, ignore_errors=True)


def install(folder: Path, target: Path) -> None:
    """Let a golden be what a directory beside it holds, which goes.

    Two at once follow one another; interrupted at any moment, the golden is the old or the new one.
    """
    with _alone(target.parent):
        if not target.exists():
            folder.rename(target)
            files.sync_directory(target.parent)
            return
        new = read_manifest(folder / _MANIFEST)
        old = _named_in(target)
        for artifact in new.artifacts:
            source, place = folder / artifact.uri, target / artifact.uri
            if not source.exists() and sha256_of(place) == artifact.sha256:
                continue  # it was put in its place before whoever did it was interrupted
            place.parent.mkdir(parents=True, exist_ok=True)
            os.replace(source, place)
            files.sync_directory(place.parent)
        os.replace(folder / _MANIFEST, target / _MANIFEST)
        files.sync_directory(target)
        for uri in old - {artifact.uri for artifact in new.artifacts}:
            with suppress(FileNotFoundError):
                (target / uri).unlink()
        for name in NAMES[1:]:
            (target / name).unlink(missing_ok=True)
        shutil.rmtree(folder)


def pending_of(golden: Path) -> Path:
    """Where what differs from a golden waits, by the golden's directory."""
    return golden.with_name(golden.name + PENDING)


def all_pending(goldens: Path) -> list[Path]:
    """The directories that wait beside goldens, by name."""
    if not goldens.is_dir():
        return []
    return sorted(path for path in goldens.glob(f"*{PENDING}") if (path / _MANIFEST).is_file())


def accept(pending: Path) -> Path:
    """Let what waits be the golden. Returns the golden's directory. Raises NotFound."""
    if not (pending / _MANIFEST).is_file():
        raise NotFound(
            "expected a difference that waits, found none",
            where=str(pending),
            fix="cra replay, which writes it",
        )
    target = pending.with_name(pending.name.removesuffix(PENDING))
    install(pending, target)
    return target


def reject(pending: Path) -> None:
    """Let what waits go."""
    with _alone(pending.parent):
        # Without its manifest it is none, however far the rest is taken away.
        (pending / _MANIFEST).unlink(missing_ok=True)
        shutil.rmtree(pending, ignore_errors=True)


@contextmanager
def _alone(folder: Path) -> Iterator[None]:
    """Hold the lock on a directory of goldens."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def _held(folder: Path) -> Iterator[bool]:
    """Hold the lock on a directory that is worked on, if it is free."""
    descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            is_free = True
        except BlockingIOError:
            is_free = False
        yield is_free
    finally:
        os.close(descriptor)


def _sweep(target: Path) -> None:
    """Take away the staging directories of a golden that nobody holds."""
    for left in target.parent.glob(f".{escape(target.name)}.*.tmp"):
        # Whoever works on it may take it away just now.
        with suppress(FileNotFoundError), _held(left) as is_free:
            if is_free:
                shutil.rmtree(left, ignore_errors=True)


def tidy(golden: Path) -> None:
    """Take away what a process that was killed while it wrote or accepted has left."""
    with _alone(golden.parent):
        _sweep(golden)
        _sweep(pending_of(golden))
        named = _named_in(golden)
        for path in sorted(golden.rglob("*")) if named else ():
            uri = path.relative_to(golden).as_posix()
            is_ours = uri.endswith((SUFFIX, ".checkpoint")) or uri.startswith("blobs/")
            if is_ours and uri not in named and path.is_file():
                path.unlink(missing_ok=True)


def _named_in(target: Path) -> set[str]:
    """The files that the present manifest names; of one that cannot be read, none."""
    for name in NAMES:
        with suppress(Exception):
            return {artifact.uri for artifact in read_manifest(target / name).artifacts}
    return set()
