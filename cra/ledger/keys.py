"""Signing keys: Ed25519 private keys in files outside the project, and what they sign with."""

from __future__ import annotations

import base64
import re
import stat
from pathlib import Path
from typing import TYPE_CHECKING, Final

from cra.errors import SignerRefused
from cra.ledger import files
from cra.ledger.checkpoint import KEY_NAME, Signer, VerifierKey

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.types import PrivateKeyTypes

# An Ed25519 key in PKCS 8 as RFC 8410 section 7 has it: what stands before its 32 bytes in DER, and
# the one form of the 48 bytes in PEM.
_BEFORE_KEY: Final = bytes.fromhex("302e020100300506032b657004220420")
_USUAL_PEM: Final = re.compile(
    b"-----BEGIN PRIVATE KEY-----\n([A-Za-z0-9+/]{64})\n-----END PRIVATE KEY-----\n"
)


def create_key(path: Path) -> Signer:
    """Make a new private key at path, readable by its owner alone. Never replaces one."""
    # cryptography takes 30 ms to import; only commands that touch a key pay for it.
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
    )

    private = Ed25519PrivateKey.generate()
    pem = private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())
    if not files.create_once(path, pem):
        raise SignerRefused(
            "expected no key yet, found one", where=str(path), fix="use it, or move it away"
        )
    return load_key(path)


def load_key(path: Path) -> Signer:
    """The signer of a private key file. Raises SignerRefused if it is missing, open or no Ed25519
    key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
    )

    try:
        mode = path.stat().st_mode
        data = path.read_bytes()
    except OSError as error:
        raise SignerRefused(
            f"expected a private key, found {error.strerror}", where=str(path)
        ) from None
    if stat.S_IMODE(mode) & 0o077:
        raise SignerRefused(
            f"expected a key that only its owner can read, found mode {stat.S_IMODE(mode):03o}",
            where=str(path),
            fix=f"chmod 600 {path}",
        )
    try:
        private = _private_key(data)
    except (ValueError, TypeError):
        raise SignerRefused("expected an Ed25519 key in PEM", where=str(path)) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise SignerRefused("expected an Ed25519 key, found another kind", where=str(path))
    return Signer(VerifierKey(KEY_NAME, private.public_key().public_bytes_raw()), private.sign)


def _private_key(pem: bytes) -> PrivateKeyTypes:
    """Raises ValueError or TypeError for what holds no key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
    )

    match = _USUAL_PEM.fullmatch(pem)
    der = base64.b64decode(match[1]) if match else b""
    if der.startswith(_BEFORE_KEY):
        return Ed25519PrivateKey.from_private_bytes(der.removeprefix(_BEFORE_KEY))
    # What reads any form takes as long to load as everything else about signatures.
    from cryptography.hazmat.primitives.serialization import load_pem_private_key

    return load_pem_private_key(pem, password=None)
