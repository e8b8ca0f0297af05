"""Relevance: building the index of fifty atlases, and asking it and a small one for goals."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from functools import partial
from typing import Final, NamedTuple

from bench.measure import Sample, alternate, elapsed, latencies, repeated
from bench.report import Budget, Measured, Row, Table
from bench.workload import Setting
from cra.resolver.documents import documents, pack_key
from cra.resolver.relevance import Document, Relevance
from tests.corpus import corpus

_WORD: Final = re.compile(r"\w+")


class Work(NamedTuple):
    """A step, and the goals it takes."""

    step: Callable[[str], object]
    goals: Sequence[str]


def measure_relevance(setting: Setting) -> Table:
    atlases, asked = corpus()
    goals = [goal.text for goal in asked]
    large = [one for atlas in atlases for one in documents(atlas)]
    # The goals about the first atlas, which the first ten actions belong to.
    small, small_goals = large[:10], goals[:7]
    matched = {pack_key(atlas.atlas_id, atlas.context_packs[0].pack_id) for atlas in atlases}
    few, many = Relevance(small), Relevance(large)
    steps = {
        "10 actions": Work(few.score, small_goals),
        "10 actions, shared words": Work(partial(_shared_words, _bags(small)), small_goals),
        "2,000 actions": Work(many.score, goals),
        "2,000 actions, shared words": Work(partial(_shared_words, _bags(large)), goals),
        "confidence": Work(partial(_confidence, many, matched), goals),
    }
    found = alternate(
        {
            "index": partial(_timed, partial(Relevance, large)),
            "words": partial(_timed, partial(_bags, large)),
            "10 actions, new goal": partial(_first_time, small, goals),
            "2,000 actions, new goal": partial(_first_time, large, goals),
            **{name: partial(_latencies, setting, work) for name, work in steps.items()},
        },
        setting.repetitions,
    )

    def p50(name: str) -> Measured:
        return Measured(f"{name}, p50", "s", found[name]["p50"])

    rows = [
        Row(
            Measured("index of 2,000 actions", "s", found["index"]["time"]),
            (Measured("re.findall of their words", "s", found["words"]["time"]),),
            budget=Budget("≤", 0.15),
        ),
        Row(p50("10 actions"), (), (p50("10 actions, shared words"),), Budget("≤", 30e-6)),
        Row(p50("2,000 actions"), (), (p50("2,000 actions, shared words"),), Budget("≤", 1e-3)),
        Row(p50("10 actions, new goal")),
        Row(p50("2,000 actions, new goal")),
        Row(p50("confidence")),
    ]
    return Table(f"{len(large):,} actions and packs, {len(goals)} goals", rows)


def _timed(work: Callable[[], object]) -> Sample:
    return {"time": elapsed(work)}


def _latencies(setting: Setting, work: Work) -> Sample:
    count = setting.share(500, at_least=len(work.goals), at_most=2000)
    return latencies(work.step, repeated(work.goals, count))


def _first_time(given: Sequence[Document], goals: Sequence[str]) -> Sample:
    """Of an index that has not seen the goals, whose words most of a small one does not know."""
    return latencies(Relevance(given).score, goals)


def _confidence(index: Relevance, matched: set[str], goal: str) -> float:
    return index.confidence(goal, matched)


def _bags(given: Sequence[Document]) -> dict[str, set[str]]:
    return {
        document.id: {
            word for text in document.fields.values() for word in _WORD.findall(text.lower())
        }
        for document in given
    }


def _shared_words(bags: dict[str, set[str]], goal: str) -> list[tuple[int, str]]:
    """The simplest ranking there is: how many words a document has in common with the goal."""
    words = set(_WORD.findall(goal.lower()))
    shared = ((len(words & bag), id_) for id_, bag in bags.items())
    return sorted((-count, id_) for count, id_ in shared if count)
