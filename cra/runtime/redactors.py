"""What is redacted for whom: the kinds that always are, and what `redact` rules add."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any

from cra.atlas.model import Snapshot
from cra.errors import ConfigError
from cra.ledger import files
from cra.policy.condition import caller_miss
from cra.policy.rule import Rule
from cra.policy.vocabulary import Flaw
from cra.redaction.detect import Detectors
from cra.redaction.kinds import BY_DEFAULT
from cra.redaction.redact import Redactor, field_path, reworded
from cra.resolver.request import Caller

_SECRET_BYTES = 32


class Redactors:
    """The redactors of a project, one for each set of rules, made when first asked for."""

    def __init__(self, snapshot: Snapshot, load_secret: Callable[[], bytes]) -> None:
        rules = [*snapshot.policies, *(one for atlas in snapshot.atlases for one in atlas.policies)]
        self._rules = [rule for rule in rules if rule.type == "redact"]
        self._load_secret = load_secret
        self._made: dict[tuple[int, ...], Redactor] = {}

    def of(self, caller: Caller, atlas_id: str | None, action_id: str | None = None) -> Redactor:
        """What is redacted of a call, or of an atlas's context, or of what a caller says.

        A condition that is not about who calls does not keep a rule from holding.
        """
        chosen = tuple(
            number
            for number, rule in enumerate(self._rules)
            if _is_about(rule, caller, atlas_id, action_id)
        )
        redactor = self._made.get(chosen)
        if redactor is None:
            rules = [self._rules[at] for at in chosen]
            redactor = self._made[chosen] = redactor_of(rules, lambda: self.secret)
        return redactor

    @cached_property
    def secret(self) -> bytes:
        """Asked for when something is redacted for the first time."""
        return self._load_secret()

    @classmethod
    def of_nobody(cls, snapshot: Snapshot) -> Redactors:
        """For words that nobody will compare with others: no secret is looked up or made."""
        return cls(snapshot, lambda: secrets.token_bytes(_SECRET_BYTES))


def redactor_of(rules: Sequence[Rule], load_secret: Callable[[], bytes]) -> Redactor:
    """What always is redacted, and what all of these rules add."""
    stated = [rule.settings or {} for rule in rules]
    kinds = dict.fromkeys(kind for one in stated for kind in one.get("kinds", ()))
    patterns = dict.fromkeys(text for one in stated for text in one.get("patterns", ()))
    paths = frozenset(field_path(text) for one in stated for text in one.get("fields", ()))
    return Redactor(load_secret, Detectors((*BY_DEFAULT, *kinds), tuple(patterns)), paths)


def _is_about(rule: Rule, caller: Caller, atlas_id: str | None, action_id: str | None) -> bool:
    if rule.origin.atlas_id not in (None, atlas_id):
        return False
    if caller_miss(rule.conditions, caller.agent, caller.roles, caller.scopes) is not None:
        return False
    if rule.patterns is None:
        return True
    return action_id is not None and any(one.matches(action_id) for one in rule.patterns)


def misfits(redactor: Redactor, arguments: Any, flaws: Sequence[Flaw]) -> list[str]:
    """Mistakes in arguments, in words. Of a value only the beginning is shown, in which a secret
    is not to be known again: if there is one in the arguments, no value is."""
    if flaws and reworded(redactor, arguments).value != arguments:
        flaws = [
            flaw._replace(found="another, not shown since the arguments hold a secret")
            for flaw in flaws
        ]
    return [reworded(redactor, flaw.said_of("the arguments")).value for flaw in flaws]


def secret_in(path: Path) -> bytes:
    """The secret that a file outside the project holds, made if there is none."""
    try:
        if not path.exists():
            # Where another process was first, its secret is the project's.
            files.create_once(path, secrets.token_bytes(_SECRET_BYTES))
        return path.read_bytes()
    except OSError as error:
        raise ConfigError(
            f"expected a place for the secret that tells equal redacted values, found "
            f"{error.strerror}",
            where=str(path),
            fix="mend the permissions, or set XDG_CONFIG_HOME to a directory of your own",
        ) from error
