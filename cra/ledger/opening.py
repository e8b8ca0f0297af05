"""Opening a project's ledger as its configuration and its user's key say."""

from __future__ import annotations

from cra.config import Config, UserDirs
from cra.errors import SignerRefused
from cra.ledger.keys import load_key
from cra.ledger.memory import Memory
from cra.ledger.store import Ledger


def ledger_of(config: Config, dirs: UserDirs) -> Ledger:
    """The project's ledger, open for writing. Raises SignerRefused, IntegrityError, WriteFailed.

    Where the configuration lists keys nobody believes a ledger without a signature, so that none is
    begun without a key.
    """
    is_begun = (config.trace_directory / "journal.trace.jsonl").exists()
    if config.keys and not is_begun and not dirs.has_key():
        raise SignerRefused(
            "expected a key of yours, since the configuration lists keys that sign the ledger, "
            "found none",
            where=str(dirs.signing_key),
            fix="cra init makes one",
        )
    # `cra init --no-sign` lists no key: a ledger that is begun there has none either.
    signs = dirs.has_key() and (is_begun or bool(config.keys))
    return Ledger(
        config.trace_directory,
        signer=load_key(dirs.signing_key) if signs else None,
        memory=Memory(dirs.state, config.owner),
        durability=config.trace.durability,
    )
