"""The ledger that a command works on, and whom a verifier of it trusts."""

from __future__ import annotations

import os
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TypeAlias

import typer

from cra.cli import output
from cra.cli.project import open_signer, user_dirs
from cra.config import FILE_NAME, Config, find_project
from cra.config import read as read_config
from cra.errors import SignerRefused, UsageError
from cra.ledger import files
from cra.ledger.checkpoint import VerifierKey, parse_key
from cra.ledger.memory import Memory
from cra.ledger.verdict import Level

if TYPE_CHECKING:
    from cra.ledger.store import Ledger
    from cra.ledger.verify import Trust

Keys: TypeAlias = Annotated[
    list[str] | None,
    typer.Option(
        "--key",
        metavar="VKEY|FILE",
        help="A verifier key that confirms signatures, or a file with one (CRA_VERIFY_KEY).",
    ),
]

_MAX_KEYS: Final = 65_536


def open_memory(config: Config | None = None) -> Memory:
    """What is remembered; of a project's own ledger, if its configuration is given."""
    return Memory(user_dirs().state, config.owner if config is not None else None)


def config_of(directory: Path, here: Config | None = None) -> Config | None:
    """The configuration of the project whose own ledger is in a directory: of the one that the
    caller stands in, or of the one that the directory is in."""
    there = find_project(directory.resolve())
    found = [here] if here is not None else []
    if there is not None:
        found.append(read_config(there, os.environ, None, {})[0])
    return next((one for one in found if _owns(one, directory)), None)


def _owns(config: Config, directory: Path) -> bool:
    return config.owner is not None and directory.resolve() == config.trace_directory.resolve()


@contextmanager
def open_ledger(config: Config) -> Iterator[Ledger]:
    """The project's ledger, open for writing; at the end everything is on the disk."""
    from cra.ledger.opening import ledger_of

    ledger = ledger_of(config, user_dirs())
    try:
        yield ledger
    finally:
        ledger.close()


def said(reason: str, ledger_id: str | None) -> str:
    """What a person says, as the ledger keeps it: with words in the place of secrets."""
    from cra.redaction.redact import Redactor, reworded
    from cra.runtime.redactors import secret_in

    secret_file = user_dirs().keys / f"{ledger_id}.redaction"
    return str(reworded(Redactor(lambda: secret_in(secret_file)), reason).value)


def tell_unlisted(config: Config, key: str) -> None:
    """Who has the project alone, verifies with the keys that its configuration lists."""
    if config.keys and key not in config.keys:
        output.tell(
            f"note: {FILE_NAME} does not list the key that signs now; whoever verifies by that "
            f'file needs it: add "{key}" to keys'
        )


def trust_of(config: Config | None, stated: Sequence[str] | None) -> Trust:
    """Whom to trust (specs/PROTOCOL.md section 4.1). Raises SignerRefused."""
    from cra.ledger.verify import Trust

    words = [*(stated or ()), *os.environ.get("CRA_VERIFY_KEY", "").split()]
    confirmed = [key for word in words for key in _keys(word)]
    # Whoever says which key it has to be does not mean any that the project may have added.
    listed = config.keys if config is not None and not confirmed else ()
    return Trust(tuple(confirmed), tuple(map(parse_key, listed)), own=_own_key())


def level_named(text: str) -> Level:
    """The level of `--require`. Raises UsageError."""
    levels = {str(level): level for level in Level if level is not Level.L1_UNCONFIRMED}
    if text.upper() not in levels:
        raise UsageError(f"expected one of {', '.join(levels)}, found {text!r:.20}")
    return levels[text.upper()]


def _keys(word: str) -> list[VerifierKey]:
    """The key that a word is, or those in the file that it names."""
    data = files.read_all(Path(word), _MAX_KEYS) if Path(word).is_file() else None
    if data is None:
        return [parse_key(word)]
    lines = data.decode(errors="replace").split("\n")
    return [parse_key(line.strip()) for line in lines if line.strip()]


def _own_key() -> VerifierKey | None:
    try:
        signer = open_signer()
    except SignerRefused as error:
        # Verification needs no private key; without this one a level may be missing.
        output.tell(f"warning: {output.safe(error.message)}: {output.safe(error.where or '')}")
        return None
    return signer.key if signer else None
