"""Signing keys: Ed25519 private keys in files outside the project, and what they sign with."""

from __future__ import annotations

import os
import stat
from pathlib import Path

from cra.errors import SignerRefused
from cra.ledger import files
from cra.ledger.checkpoint import KEY_NAME, Signer, VerifierKey


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
    path.parent.mkdir(parents=True, exist_ok=True, mode=0o700)
    staged = files.stage(path, pem, suffix=f".{os.getpid()}.tmp")
    try:
        os.link(staged, path)
    except FileExistsError:
        raise SignerRefused(
            "expected no key yet, found one", where=str(path), fix="use it, or move it away"
        ) from None
    finally:
        files.remove(staged)
    files.sync_directory(path.parent)
    return load_key(path)


def load_key(path: Path) -> Signer:
    """The signer of a private key file. Raises SignerRefused if it is missing, open or no Ed25519
    key."""
    from cryptography.hazmat.primitives.asymmetric.ed25519 import (
        Ed25519PrivateKey,
    )
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        PublicFormat,
        load_pem_private_key,
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
        private = load_pem_private_key(data, password=None)
    except (ValueError, TypeError):
        raise SignerRefused("expected an Ed25519 key in PEM", where=str(path)) from None
    if not isinstance(private, Ed25519PrivateKey):
        raise SignerRefused("expected an Ed25519 key, found another kind", where=str(path))
    public = private.public_key().public_bytes(Encoding.Raw, PublicFormat.Raw)
    return Signer(VerifierKey(KEY_NAME, public), private.sign)
