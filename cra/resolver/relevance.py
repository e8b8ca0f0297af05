"""How much what a project's atlases say has to do with a goal: lexical, by BM25F, built once.

Robertson and Zaragoza, "The Probabilistic Relevance Framework: BM25 and Beyond", 3.5. A document's
relevance to a goal is

    sum of idf(t) * saturation(t, document) / sum of idf(t)        over the goal's known terms t

so 1 is what no document reaches: every term of the goal, over and over, in every field. It depends
on the document, the goal and the index, never on what else is found. A word that no document has
changes neither relevance nor order; it does lower the confidence.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence, Set
from functools import lru_cache
from itertools import chain
from math import log
from typing import Final, Literal, NamedTuple, TypeAlias

from cra.resolver.spelling import NearWords
from cra.resolver.words import Word, same_verbs, words

# What is read of a goal, of all hints together, and of one field of a document.
MAX_GOAL: Final = 4096
MAX_FIELD: Final = 1 << 14

FieldName: TypeAlias = Literal[
    "id",
    "name",
    "purpose",
    "description",
    "headings",
    "capabilities",
    "parameters",
    "parameter_descriptions",
    "examples",
    "contents",
    "subject",
]


class Document(NamedTuple):
    """What a goal may be about, and what is said of it where."""

    id: str
    fields: Mapping[FieldName, str]


class Scored(NamedTuple):
    id: str
    relevance: float


class _Field(NamedTuple):
    weight: float
    # How far a long text counts less per word, from 0 (not at all) to 1.
    normalisation: float


# What names a thing says more of it than what is told of it, and that more than its surroundings.
# Ids and names are all about as long; the others are as long as their author was patient.
_FIELDS: Final[Mapping[FieldName, _Field]] = {
    "id": _Field(2.0, 0.25),
    "name": _Field(2.0, 0.25),
    "purpose": _Field(1.0, 0.5),
    "description": _Field(1.0, 0.5),
    "headings": _Field(1.0, 0.5),
    "capabilities": _Field(1.0, 0.5),
    "parameters": _Field(0.5, 0.5),
    "parameter_descriptions": _Field(0.5, 0.75),
    "examples": _Field(0.5, 0.75),
    "contents": _Field(0.5, 0.75),
    "subject": _Field(0.5, 0.5),
}

# How soon a further occurrence adds little; the usual value.
_K1: Final = 1.2
# What a hint counts beside a word of the goal, and a word that is only nearly the one that is said.
_HINT: Final = 0.5
_SAME_VERB: Final = 0.6
_NEAR: Final = 0.6

# Goals whose terms are remembered. The longest take 100 kB each.
_REMEMBERED: Final = 256

# Documents by id, and how far each is saturated with a term, below 1.
_Postings: TypeAlias = Mapping[str, float]
# What stands for a word, and how far.
_Candidates: TypeAlias = tuple[tuple[float, _Postings], ...]


class _Text(NamedTuple):
    words: list[Word]
    terms: list[str]


class _Slot(NamedTuple):
    """A word of a goal: what it weighs, and where it or what stands for it is found."""

    term: str
    weight: float
    candidates: _Candidates


class Relevance:
    """An index over documents. Raises ValueError for two documents with one id."""

    def __init__(self, documents: Sequence[Document]) -> None:
        # An atlas says much of many actions in the same text.
        texts: dict[str, _Text] = {}
        read = {document.id: _read(document, texts) for document in documents}
        if len(read) != len(documents):
            raise ValueError(f"expected each id once, found {len(documents)} for {len(read)} ids")
        self._count = len(read)
        self._postings = _postings(read)
        self._spelling = NearWords(chain.from_iterable(text.words for text in texts.values()))
        # Each resolution of a session asks for the same few goals.
        self._slots = lru_cache(maxsize=_REMEMBERED)(self._understood)

    def score(self, goal: str, hints: Sequence[str] = ()) -> list[Scored]:
        """What has something to do with a goal, most relevant first, then by id.

        Hints are further words, which count half. Of the goal and of the hints together the first
        4,096 characters are read.
        """
        slots = self._slots(goal[:MAX_GOAL], _joined(hints))
        known = [slot for slot in slots if slot.candidates]
        total = sum(slot.weight for slot in known)
        found: dict[str, float] = {}
        for slot in known:
            share = slot.weight / total
            for id_, saturation in _best(slot.candidates).items():
                found[id_] = found.get(id_, 0.0) + share * saturation
        # Rounded, so that nobody's order hangs on the last bit of a sum.
        scored = [Scored(id_, round(relevance, 4)) for id_, relevance in found.items()]
        scored.sort(key=lambda one: (-one.relevance, one.id))
        return scored

    def confidence(self, goal: str, matched: Set[str]) -> float:
        """The share of the goal's informative terms, by idf, that one of these documents has.

        A word that no document has counts like the rarest that one has, but for numbers, which are
        arguments; what only stands for a word counts as far as it does. 0.0 without a known term.
        """
        slots = self._slots(goal[:MAX_GOAL], "")
        total = sum(slot.weight for slot in slots)
        met = sum(slot.weight * _met(slot.candidates, matched) for slot in slots)
        return round(met / total, 4) if total else 0.0

    def _understood(self, goal: str, hints: str) -> tuple[_Slot, ...]:
        """A goal's words, each once, in the order of their terms: sums have one order as well."""
        slots = {
            slot.term: slot._replace(weight=_HINT * slot.weight) for slot in self._slots_of(hints)
        }
        slots.update((slot.term, slot) for slot in self._slots_of(goal))
        return tuple(sorted(slots.values(), key=lambda slot: slot.term))

    def _slots_of(self, text: str) -> Iterable[_Slot]:
        for word in words(text):
            for term in self._known_as(word):
                candidates = self._candidates(term) or self._guesses(word)
                if candidates or not any(map(str.isdigit, term)):
                    commonest = max((len(postings) for _, postings in candidates), default=1)
                    yield _Slot(term, self._idf(commonest), candidates)

    def _known_as(self, word: Word) -> tuple[str, ...]:
        """A word put together from others is one term, unless documents have only parts of it."""
        whole, *parts = word.terms
        if whole in self._postings or self._postings.keys().isdisjoint(parts):
            return (whole,)
        return tuple(parts)

    def _candidates(self, term: str) -> _Candidates:
        """A term, its family, and other verbs for it."""
        found = dict.fromkeys(self._spelling.related(term), _NEAR)
        found.update(dict.fromkeys(same_verbs(term), _SAME_VERB))
        found[term] = 1.0
        return tuple(
            (factor, self._postings[one]) for one, factor in found.items() if one in self._postings
        )

    def _guesses(self, word: Word) -> _Candidates:
        """What a word that no document has may be misspelled for."""
        written, stem = word.written, word.terms[0]
        found = self._spelling.corrected(written)
        if not found and stem != written:
            found = self._spelling.corrected(stem)
        return tuple((_NEAR, self._postings[one]) for one in found)

    def _idf(self, documents: int) -> float:
        """What a term is worth that so many documents have; rounded, as logarithms differ."""
        return round(log(1 + (self._count - documents + 0.5) / (documents + 0.5)), 9)


def _read(document: Document, texts: dict[str, _Text]) -> dict[FieldName, list[str]]:
    """The terms of each field; `texts` keeps what was read."""
    fields: dict[FieldName, list[str]] = {}
    for name in _FIELDS:
        text = document.fields.get(name, "")
        read = texts.get(text)
        if read is None:
            found = words(text[:MAX_FIELD])
            read = texts[text] = _Text(found, list(chain.from_iterable(w.terms for w in found)))
        fields[name] = read.terms
    return fields


def _postings(documents: Mapping[str, Mapping[FieldName, list[str]]]) -> dict[str, _Postings]:
    averages = {name: _average_length(name, documents.values()) for name in _FIELDS}
    postings: defaultdict[str, dict[str, float]] = defaultdict(dict)
    for id_, fields in documents.items():
        frequencies: dict[str, float] = {}
        for name, found in fields.items():
            weight, normalisation = _FIELDS[name]
            length = len(found) / averages[name]
            step = weight / (1 - normalisation + normalisation * length)
            for term in found:
                frequencies[term] = frequencies.get(term, 0.0) + step
        for term, frequency in frequencies.items():
            postings[term][id_] = frequency / (_K1 + frequency)
    return dict(postings)


def _average_length(
    name: FieldName, documents: Iterable[Mapping[FieldName, Sequence[str]]]
) -> float:
    lengths = [len(fields[name]) for fields in documents if fields.get(name)]
    return sum(lengths) / len(lengths) if lengths else 1.0


def _best(candidates: _Candidates) -> _Postings:
    """For each document the best of what stands for one word."""
    if len(candidates) == 1 and candidates[0][0] == 1.0:
        return candidates[0][1]
    best: dict[str, float] = {}
    for factor, postings in candidates:
        for id_, saturation in postings.items():
            if factor * saturation > best.get(id_, 0.0):
                best[id_] = factor * saturation
    return best


def _met(candidates: _Candidates, matched: Set[str]) -> float:
    met = (factor for factor, postings in candidates if not matched.isdisjoint(postings))
    return max(met, default=0.0)


def _joined(hints: Sequence[str]) -> str:
    return "\n".join(hint[:MAX_GOAL] for hint in hints)[:MAX_GOAL]
