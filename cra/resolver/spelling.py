"""Words that are nearly another one: of the same family, or spelled wrong."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterable, Iterator
from typing import Final

from cra.resolver.words import Word

# The stemmer leaves some of a long word's endings: verifi and verif, reconcili and reconcil.
_LONG: Final = 5
_ENDING: Final = 3
# Short words are too close to one another to be guessed at, and long ones are data.
_GUESSED: Final = range(5, 25)


class NearWords:
    """The terms of an index, and the words that they were written as."""

    def __init__(self, vocabulary: Iterable[Word]) -> None:
        self._by_deletion: dict[str, set[str]] = {}
        known: set[str] = set()
        for word in set(vocabulary):
            known.update(word.terms)
            self._add(word.written, word.terms[0])
            for part in word.terms[1:]:
                self._add(part, part)
        self._known = frozenset(known)
        self._terms = sorted(known)

    def related(self, term: str) -> Iterator[str]:
        """Long terms that another begins with, up to a short ending."""
        for length in range(max(_LONG, len(term) - _ENDING), len(term)):
            if term[:length] in self._known:
                yield term[:length]
        if len(term) < _LONG:
            return
        for at in range(bisect_right(self._terms, term), len(self._terms)):
            longer = self._terms[at]
            if not longer.startswith(term):
                return
            if len(longer) - len(term) <= _ENDING:
                yield longer

    def corrected(self, written: str) -> list[str]:
        """Terms of words with one letter more, less, other or in another place.

        The first letter is hardly ever wrong, and words that differ in it are mostly others.
        """
        if len(written) not in _GUESSED:
            return []
        shorter = {written, *_deletions(written)} & self._by_deletion.keys()
        return sorted({term for one in shorter for term in self._by_deletion[one]})

    def _add(self, written: str, term: str) -> None:
        if len(written) in _GUESSED and written.isalpha():
            for shorter in (written, *_deletions(written)):
                self._by_deletion.setdefault(shorter, set()).add(term)


def _deletions(word: str) -> list[str]:
    """A word without one of its letters, each but the first."""
    return [word[:at] + word[at + 1 :] for at in range(1, len(word))]
