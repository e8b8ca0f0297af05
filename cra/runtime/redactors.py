"""What is redacted for whom: the kinds that always are, and what `redact` rules add."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Sequence
from functools import cached_property
from pathlib import Path

from cra.errors import ConfigError
from cra.ledger import files
from cra.policy.condition import caller_miss
from cra.policy.rule import Rule
from cra.redaction.detect import Detectors
from cra.redaction.kinds import BY_DEFAULT
from cra.redaction.redact import Redactor, field_path
from cra.resolver.request import Caller

_SECRET_BYTES = 32


class Redactors:
    """The redactors of a project, one for each set of rules, made when first asked for."""

    def __init__(self, rules: Sequence[Rule], secret_file: Path) -> None:
        self._rules = [rule for rule in rules if rule.type == "redact"]
        self._secret_file = secret_file
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
        """The project's, kept outside it; made when something is redacted for the first time."""
        try:
            return _secret_in(self._secret_file)
        except OSError as error:
            raise ConfigError(
                f"expected a place for the secret that tells equal redacted values, found "
                f"{error.strerror}",
                where=str(self._secret_file),
                fix="mend the permissions, or set XDG_CONFIG_HOME to a directory of your own",
            ) from error


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


def _secret_in(path: Path) -> bytes:
    if not path.exists():
        # Where another process was first, its secret is the project's.
        files.create_once(path, secrets.token_bytes(_SECRET_BYTES))
    return path.read_bytes()
