"""Secrets that stand in a ledger: recorded before they were looked for, or before a rule was."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any, Final, NamedTuple

import orjson

from cra.errors import IntegrityError
from cra.ledger.blobs import read_member
from cra.ledger.index import LedgerFile, session_id_of
from cra.policy.rule import Rule
from cra.redaction.redact import Redactor, redacted
from cra.runtime.redactors import redactor_of

# What is found is counted, and no MAC of it is kept.
_NO_SECRET: Final = bytes(32)
_BLOB: Final = b'"$blob"'
# Members that the paths of a rule begin in.
_ROOTS: Final = ("arguments", "result")


class Leak(NamedTuple):
    """An event that holds what reads like a secret, and how much of which kind."""

    session_id: str
    sequence: int
    event_type: str
    counts: Mapping[str, int]


def leaks(paths: Iterable[Path], rules: Iterable[Rule] = ()) -> Iterator[Leak]:
    """The events of sessions in which there is something that would be redacted today, by the
    kinds that always are, and by `redact` rules, whomever they are about."""
    redactor = redactor_of([rule for rule in rules if rule.type == "redact"], lambda: _NO_SECRET)
    for path in paths:
        with LedgerFile(path) as session:
            for line in session.lines(0, session.count):
                if redactor.suspects(line) is None and _BLOB not in line:
                    continue
                event = orjson.loads(line)
                counts = _counts(redactor, event, path.parent / "blobs")
                if counts:
                    where = session_id_of(path), event["sequence"], event["event_type"]
                    yield Leak(*where, counts)


def _counts(redactor: Redactor, event: dict[str, Any], blobs: Path) -> Mapping[str, int]:
    counts: Counter[str] = Counter()
    plain = Redactor(redactor.load_secret, redactor.detectors)
    for name, stored in (event.get("payload") or {}).items():
        # A blob that is not what was recorded, the verdict on the ledger tells of.
        with suppress(IntegrityError):
            value = read_member(stored, event["salt"], blobs)
            counts.update(redacted(redactor if name in _ROOTS else plain, value).counts)
    return counts
