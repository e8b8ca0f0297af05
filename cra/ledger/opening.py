"""Opening a project's ledger as its configuration and its user's key say."""

from __future__ import annotations

from cra.config import Config, UserDirs
from cra.ledger.keys import load_key
from cra.ledger.memory import Memory
from cra.ledger.store import Ledger


def ledger_of(config: Config, dirs: UserDirs) -> Ledger:
    """The project's ledger, open for writing. Raises SignerRefused, IntegrityError, WriteFailed."""
    is_begun = (config.trace_directory / "journal.trace.jsonl").exists()
    # `cra init --no-sign` lists no key: a ledger that is begun there has none either.
    signs = dirs.has_key() and (is_begun or bool(config.keys))
    return Ledger(
        config.trace_directory,
        signer=load_key(dirs.signing_key) if signs else None,
        memory=Memory(dirs.state, config.owner),
        durability=config.trace.durability,
    )
