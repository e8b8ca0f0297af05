"""Checkpoints and keys as text: C2SP signed notes over tree heads (specs/PROTOCOL.md section 4).

A checkpoint that was read has named the keys it was held against: `open_checkpoint` is the only way
to get one, and `Opened.signer` is the key that signed it, or None.
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable, Collection
from hashlib import sha256
from typing import Final, NamedTuple

from cra.errors import Code, IntegrityError, SignerRefused

KEY_NAME: Final = "cra.local"
# What a ledger without a key says instead of one.
UNSIGNED: Final = "none"
MAX_NOTE: Final = 65_536
_MAX_SIGNATURES: Final = 16
_ED25519: Final = b"\x01"
_SIGNATURE: Final = re.compile("\u2014 ([^ +\\s]+) ([A-Za-z0-9+/]+={0,2})")
_CONTROL: Final = re.compile("[\x00-\x09\x0b-\x1f]")
_SIZE: Final = re.compile("0|[1-9][0-9]{0,15}")
_MAX_SIZE: Final = 2**53 - 1
_KEY: Final = re.compile(r"([^ +\s]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/]+={0,2})")

_FIELD: Final = 2**255 - 19
# The y coordinates of the eight points of order 1, 2, 4 and 8 on edwards25519.
_SMALL_ORDER_Y: Final = frozenset(
    {
        0,
        1,
        0x05FC536D880238B13933C6D305ACDFD5F098EFF289F4C345B027B2C28F95E826,
        0x7A03AC9277FDC74EC6CC392CFA53202A0F67100D760B3CBA4FD84D3D706A17C7,
        _FIELD - 1,
    }
)


class Checkpoint(NamedTuple):
    """A tree head: of which log, over how many events, and the root."""

    origin: str
    size: int
    root: bytes
    extensions: tuple[str, ...] = ()

    def text(self) -> str:
        lines = [self.origin, str(self.size), base64.b64encode(self.root).decode()]
        return "\n".join([*lines, *self.extensions]) + "\n"


class VerifierKey(NamedTuple):
    """An Ed25519 public key under the name that signature lines give it."""

    name: str
    public: bytes

    @property
    def key_id(self) -> bytes:
        return sha256(self.name.encode() + b"\n" + _ED25519 + self.public).digest()[:4]

    def __str__(self) -> str:
        body = base64.b64encode(_ED25519 + self.public).decode()
        return f"{self.name}+{self.key_id.hex()}+{body}"


class Signer(NamedTuple):
    """A public key and what signs for it."""

    key: VerifierKey
    sign: Callable[[bytes], bytes]


class Opened(NamedTuple):
    checkpoint: Checkpoint
    signer: VerifierKey | None


def parse_key(text: str) -> VerifierKey:
    """The key that a verifier key line stands for. Raises SignerRefused."""
    match = _KEY.fullmatch(text)
    body = _canonical_base64(match[3]) if match else None
    if match is None or body is None or len(body) != 33 or body[:1] != _ED25519:
        raise SignerRefused(f"expected a key like {KEY_NAME}+<8 hex>+<base64>, found {text!r}")
    key = VerifierKey(match[1], body[1:])
    if key.key_id.hex() != match[2]:
        raise SignerRefused(f"expected the key id {key.key_id.hex()}, found {match[2]} in {text!r}")
    if is_weak_point(key.public) or not _is_on_curve(key.public):
        raise SignerRefused(f"expected an Ed25519 key of full order, found none: {text!r}")
    return key


def seal(checkpoint: Checkpoint, signer: Signer | None) -> bytes:
    """The note as it is stored: the text, an empty line, and a signature line if there is a
    signer."""
    text = checkpoint.text()
    if signer is None:
        return text.encode() + b"\n"
    blob = base64.b64encode(signer.key.key_id + signer.sign(text.encode())).decode()
    return f"{text}\n\u2014 {signer.key.name} {blob}\n".encode()


def open_checkpoint(
    note: bytes, origin: str | None, keys: Collection[VerifierKey], *, signed: bool
) -> Opened:
    """Read a checkpoint and hold it against the keys. With `signed`, one of them must have signed.

    Raises IntegrityError with the code of specs/PROTOCOL.md section 4.1.
    """
    text, signatures = _split_note(note)
    checkpoint = _parse_text(text)
    if origin is not None and checkpoint.origin != origin:
        raise IntegrityError(
            Code.CHECKPOINT_FOREIGN,
            f"expected a checkpoint of {origin}, found one of {checkpoint.origin}",
        )
    signer = None
    for name, blob in signatures:
        for key in keys:
            if key.name == name and key.key_id == blob[:4]:
                if not is_signature(key.public, text.encode(), blob[4:]):
                    raise IntegrityError(
                        Code.SIGNATURE_WRONG,
                        f"expected a signature by {key}, found one that does not fit the text",
                    )
                signer = signer or key
    if signed and signer is None:
        raise IntegrityError(
            Code.SIGNATURE_MISSING,
            f"expected a signature by {' or '.join(map(str, keys))}, "
            f"found {'other signatures' if signatures else 'none'}",
        )
    return Opened(checkpoint, signer)


def signers_of(note: bytes) -> list[str]:
    """How the verifier key lines of those begin that say they have signed; nothing is checked."""
    _, signatures = _split_note(note)
    return [f"{name}+{blob[:4].hex()}" for name, blob in signatures]


def is_signature(public: bytes, message: bytes, signature: bytes) -> bool:
    """Strict Ed25519: S below L, no weak or non-canonical point, the equation without cofactor."""
    # 30 ms of import that only a signed ledger pays.
    from cryptography.exceptions import InvalidSignature
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PublicKey,
    )

    if len(signature) != 64 or is_weak_point(public) or is_weak_point(signature[:32]):
        return False
    try:
        Ed25519PublicKey.from_public_bytes(public).verify(signature, message)
    except InvalidSignature:
        return False
    return True


def is_weak_point(encoded: bytes) -> bool:
    """Whether the encoding of a point is non-canonical, or the point is of small order."""
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return len(encoded) != 32 or y >= _FIELD or y in _SMALL_ORDER_Y


def _is_on_curve(encoded: bytes) -> bool:
    """RFC 8032 5.1.3: whether x² = (y² - 1) / (d y² + 1) has a root."""
    square = pow(int.from_bytes(encoded, "little") & (2**255 - 1), 2, _FIELD)
    d = -121665 * pow(121666, -1, _FIELD)
    ratio = (square - 1) * pow(d * square + 1, -1, _FIELD)
    return pow(ratio, (_FIELD - 1) // 2, _FIELD) == 1


def _split_note(note: bytes) -> tuple[str, list[tuple[str, bytes]]]:
    try:
        whole = note.decode()
    except UnicodeDecodeError:
        raise _malformed("text that is not UTF-8") from None
    body, separator, tail = whole.rpartition("\n\n")
    if len(note) > MAX_NOTE or not separator or not (tail == "" or tail.endswith("\n")):
        raise _malformed("no empty line, or no LF at the end")
    if _CONTROL.search(whole):
        raise _malformed("a control character")
    lines = tail.split("\n")[:-1]
    if len(lines) > _MAX_SIGNATURES:
        raise _malformed(f"more than {_MAX_SIGNATURES} signature lines")
    signatures = []
    for line in lines:
        match = _SIGNATURE.fullmatch(line)
        blob = _canonical_base64(match[2]) if match else None
        if match is None or blob is None or len(blob) < 5:
            raise _malformed("a signature line that is none")
        signatures.append((match[1], blob))
    return body + "\n", signatures


def _parse_text(text: str) -> Checkpoint:
    lines = text.split("\n")[:-1]
    if len(lines) < 3 or not all(lines):
        raise _malformed("fewer than three lines, or an empty one")
    root = _canonical_base64(lines[2])
    if not _SIZE.fullmatch(lines[1]) or int(lines[1]) > _MAX_SIZE:
        raise _malformed(f"the size {lines[1]!r}")
    if root is None or len(root) != 32:
        raise _malformed(f"the root {lines[2]!r}")
    return Checkpoint(lines[0], int(lines[1]), root, tuple(lines[3:]))


def _malformed(found: str) -> IntegrityError:
    return IntegrityError(
        Code.CHECKPOINT_MALFORMED, f"expected a checkpoint (origin, size, root), found {found}"
    )


def _canonical_base64(text: str) -> bytes | None:
    try:
        data = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        return None
    return data if base64.b64encode(data).decode() == text else None
