"""Which events of a session are shown: a filter that was typed, and quick ones on top of it."""

from __future__ import annotations

import json
from collections.abc import Iterable
from itertools import chain
from typing import Final, NamedTuple

from cra.ledger.filter import Filter, either, every, parse
from cra.protocol.events import EVENT_TYPES, SEVERITIES


class Quick(NamedTuple):
    """A filter that a key switches on and off."""

    # Of one kind, any of several is enough; of different kinds, each has its say.
    kind: str
    words: str
    term: str
    is_inverted: bool = False

    @property
    def told(self) -> str:
        return f"{'no' if self.is_inverted else 'only'} {self.words}"


KINDS: Final = {
    "errors": Quick("kind", "errors", "severity:error"),
    "denials": Quick("kind", "denials", "type:action.denied"),
    "approvals": Quick("kind", "approvals", "type:approval.*"),
}


def of_action(action_id: str) -> Quick:
    """The events that name an action."""
    return Quick("action", action_id, f"payload.action_id={json.dumps(action_id)}")


def of_span(span_id: str) -> Quick:
    """The events of a span."""
    return Quick("span", f"span {span_id[:13]}", f"span:{span_id}")


class Narrowing(NamedTuple):
    """What chooses events; without anything, all of them."""

    expression: str = ""
    quick: tuple[Quick, ...] = ()

    def filter(self, now: str) -> Filter | None:
        """The filter that this comes to, if it is one. Raises FilterError."""
        parts = [parse(self.expression, now)] if self.expression else []
        kinds = dict.fromkeys(one.kind for one in self.quick if not one.is_inverted)
        for kind in kinds:
            terms = [one.term for one in self.quick if one.kind == kind and not one.is_inverted]
            parts.append(either([parse(term) for term in terms]))
        parts += [parse(f"-{one.term}") for one in self.quick if one.is_inverted]
        return every(parts) if parts else None

    def toggled(self, quick: Quick) -> Narrowing:
        """With a quick filter, or without it if it is on, inverted or not."""
        left = tuple(one for one in self.quick if one.term != quick.term)
        return self._replace(quick=left if left != self.quick else (*self.quick, quick))

    def inverted(self) -> Narrowing:
        """With the quick filter that came last turned round."""
        *others, last = self.quick
        return self._replace(quick=(*others, last._replace(is_inverted=not last.is_inverted)))


_FIELDS: Final = ("type:", "severity:", "actor:", "span:", "seq:", "time:", "payload.", "text:")
_ACTORS: Final = ("runtime", "agent", "user", "tool")


def completed(text: str, actions: Iterable[str]) -> str | None:
    """What a filter that is being typed is probably going to be: its last term is completed."""
    lead, word = text[: text.rfind(" ") + 1], text[text.rfind(" ") + 1 :]
    sign, term = ("-", word[1:]) if word.startswith("-") else ("", word)
    known = chain(
        _FIELDS,
        (f"type:{name}" for name in EVENT_TYPES),
        (f"severity:{name}" for name in SEVERITIES),
        (f"actor:{name}" for name in _ACTORS),
        (f"payload.action_id={name}" for name in actions),
    )
    found = next((one for one in known if term and one.startswith(term) and one != term), None)
    return None if found is None else f"{lead}{sign}{found}"
