"""Payloads as they are stored: canonical bytes, with members that are too large kept as blobs."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from cra import canonical
from cra.errors import Code, IntegrityError, ValueRefused
from cra.ledger import files
from cra.ledger.chain import MAX_PAYLOAD, artifacts_of

if TYPE_CHECKING:
    from cra.redaction.redact import Redactor

# What the members that stay may take together; the rest is room for the references.
_ROOM: Final = MAX_PAYLOAD // 2
# What is written for people, or by them.
_SPOKEN: Final = frozenset(
    {"context", "decision", "details", "error", "message", "reason", "request", "resolution"}
)
# What may tell a secret; arguments have been looked through by whoever took their digest.
_TELLING: Final = _SPOKEN | {"result"}
# How a key that looks like one of wrap's markers begins, or a string that only looks like one.
_MARKER: Final = b'"$'


def store_payload(
    payload: Mapping[str, Any],
    outputs: Sequence[str],
    salt: str,
    directory: Path,
    redactor: Redactor | None = None,
) -> tuple[bytes, str]:
    """The payload's bytes and the header's artifacts; every blob among them is durable.

    The members that are outputs are wrapped if they need to be, and what is secret is replaced.
    Raises ValueRefused for another value that canonical JSON cannot hold. Depth alone is no reason.
    """
    suspected = redactor if payload.keys() & _TELLING else None
    try:
        body = canonical.encode(payload)
    except ValueRefused:
        if not outputs and canonical.depth_of(payload) <= canonical.MAX_DEPTH:
            raise
    else:
        if suspected is not None and suspected.suspects(body) is None:
            suspected = None
        is_plain = not (outputs and _MARKER in body)
        if suspected is None and len(body) <= MAX_PAYLOAD and is_plain:
            return body, ""
    if suspected is not None:
        stored = _without_secrets(suspected, payload, outputs)
    else:
        stored = {
            name: canonical.wrap(value) if name in outputs else value
            for name, value in payload.items()
        }
    if canonical.depth_of(stored) <= canonical.MAX_DEPTH:
        body = canonical.encode(stored)
        if len(body) <= MAX_PAYLOAD:
            return body, ""
    return _with_blobs(stored, bytes.fromhex(salt), directory)


def _without_secrets(
    redactor: Redactor, payload: Mapping[str, Any], outputs: Sequence[str]
) -> dict[str, Any]:
    """A result with objects in the place of secrets, so that it can be told from any other, and
    what people write and read with words. Arguments have been redacted by whoever took their
    digest, and ids and keys are what other events name.
    """
    from cra.redaction.redact import redacted, reworded

    stored: dict[str, Any] = {}
    for name, value in payload.items():
        if name == "result":
            stored[name] = redacted(redactor, canonical.wrap(value)).value
            continue
        said = reworded(redactor, value).value if name in _SPOKEN else value
        stored[name] = canonical.wrap(said) if name in outputs else said
    return stored


def read_member(value: Any, salt: str, directory: Path) -> Any:
    """What a stored member stands for: itself, or the value of the blob that it names.

    Raises IntegrityError if the blob is not what was recorded.
    """
    if not (isinstance(value, dict) and value.keys() == {"$blob", "bytes"}):
        return value
    path = directory / str(value["$blob"])
    data = files.read_all(path, int(value["bytes"]))
    if data is None or sha256(bytes.fromhex(salt) + data).hexdigest() != value["$blob"]:
        raise IntegrityError(
            Code.BLOB_WRONG,
            f"expected the blob {value['$blob'][:12]}…, found {'none' if data is None else 'other'}"
            " bytes",
            where=str(path),
            fix="cra trace verify",
        )
    return json.loads(data)


def _with_blobs(payload: dict[str, Any], salt: bytes, directory: Path) -> tuple[bytes, str]:
    texts = {name: canonical.text_of(value) for name, value in payload.items()}
    excess = sum(map(len, texts.values())) - _ROOM
    blobs = []
    for name in sorted(texts, key=lambda name: (-len(texts[name]), name)):
        text = texts[name]
        # One level is the payload's own.
        if excess > 0 or canonical.depth_of(payload[name]) >= canonical.MAX_DEPTH:
            excess -= len(text)
            blob_id = sha256(salt + text).hexdigest()
            files.replace(directory / blob_id, text)
            payload[name] = {"$blob": blob_id, "bytes": len(text)}
            blobs.append((name, blob_id, "application/json"))
    return canonical.encode(payload), artifacts_of(blobs)
