"""Text as the terms that are compared: words of any script, folded, split and stemmed."""

from __future__ import annotations

import re
import unicodedata
from collections.abc import Iterable, Iterator
from functools import lru_cache
from itertools import chain, groupby, pairwise
from typing import Final, Literal, NamedTuple, TypeAlias

import Stemmer

# A longer word is cut: it is data that was pasted, and its beginning tells it from others.
MAX_WORD: Final = 64

# English words that say nothing of a subject, what requests are wrapped in, and what is left of
# contractions at their apostrophe.
_SAYING_NOTHING: Final = """
    a about all am an and any are as at be been being but by can could do does each every for from
    had has have he her him his how i if in into is it its just may me might must my no not of on
    or our ours shall she should so some such than that the their them then there these they this
    those to too up us was we were what when where which while who whom whose why will with would
    you your yours
    also hello hey hi help kindly let like need please thank thanks want
    d didn doesn don isn ll m re s t ve wasn won
"""
_STOP_WORDS: Final = frozenset(_SAYING_NOTHING.split())

# The same word written short, as ids and goals about software have it.
_SHORT_FORMS: Final = {
    "acct": "account",
    "admin": "administrator",
    "app": "application",
    "appt": "appointment",
    "auth": "authentication",
    "config": "configuration",
    "db": "database",
    "dept": "department",
    "dir": "directory",
    "doc": "document",
    "env": "environment",
    "info": "information",
    "k8s": "kubernetes",
    "msg": "message",
    "org": "organization",
    "param": "parameter",
    "prod": "production",
    "qty": "quantity",
    "repo": "repository",
    "spec": "specification",
    "stat": "statistic",
}

# Past forms that no ending shows, of verbs that requests are made of.
_IRREGULAR: Final = {
    "begun": "begin",
    "bought": "buy",
    "broken": "break",
    "brought": "bring",
    "built": "build",
    "chosen": "choose",
    "drawn": "draw",
    "forgotten": "forget",
    "found": "find",
    "given": "give",
    "held": "hold",
    "hidden": "hide",
    "kept": "keep",
    "left": "leave",
    "lent": "lend",
    "lost": "lose",
    "made": "make",
    "met": "meet",
    "paid": "pay",
    "sent": "send",
    "shown": "show",
    "sold": "sell",
    "spent": "spend",
    "stolen": "steal",
    "taken": "take",
    "thrown": "throw",
    "told": "tell",
    "withdrawn": "withdraw",
    "written": "write",
}

# What the stemmer keeps apart: analyse and analyze, subscribe and subscription.
_ENDINGS: Final = (("yz", "ys"), ("iz", "is"), ("script", "scrib"))

# Actions are named in a conventional vocabulary of a few verbs, goals are said in everyday ones.
# Only verbs that any subject has are here; a subject's own synonyms belong into its descriptions.
_VERBS: Final = """
    create add make new generate
    delete remove erase drop discard
    get list show view read fetch display see retrieve browse
    find search locate query look
    update change edit modify adjust alter set
    send deliver dispatch
    start run launch begin execute trigger
    stop halt terminate abort cancel
    move transfer relocate
    copy duplicate clone
    check verify validate inspect
    resolve solve fix repair
    assign allocate
    merge combine join
    close finish complete
    schedule plan
    notify inform alert
    approve accept
    reject decline refuse
    enable activate
    disable deactivate
"""

_ASCII_TOKEN: Final = re.compile(r"[A-Za-z0-9]+")
_ACRONYMS: Final = re.compile(r"[A-Z]{2,}s\Z")
_PART: Final = re.compile(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|[0-9]+")
# Scripts that do not put spaces between words, and Korean, which puts few: Thai, Lao, Burmese,
# Khmer, Japanese, Chinese. So many ranges take 2 ms to compile: `re` does it for who writes so.
_UNSPACED: Final = (
    "[\u0e00-\u0eff\u1000-\u109f\u1780-\u17ff\u3005-\u30ff\u3400-\u4dbf\u4e00-\u9fff"
    "\uac00-\ud7af\uf900-\ufaff\U00020000-\U0003ffff]"
)

# Without a cache of its own: what is asked again is remembered by `_word`.
_ENGLISH: Final = Stemmer.Stemmer("english", 0)

_Kind: TypeAlias = Literal["word", "unspaced", "between"]


class Word(NamedTuple):
    """A word as it is written, folded, and the terms it stands for.

    One put together from others is first a term as a whole, and then its parts: `GitHub` is one
    word to some and two to others, `issueRefund` is two to all.
    """

    written: str
    terms: tuple[str, ...]


def words(text: str) -> list[Word]:
    """The words of a text that say something, in its order."""
    found = [_word(token[:MAX_WORD]) for token in _tokens(text)]
    return [word for word in found if word is not None]


def same_verbs(term: str) -> tuple[str, ...]:
    """The other terms that name the same operation."""
    return _SAME_VERBS.get(term, ())


def _tokens(text: str) -> Iterable[str]:
    if text.isascii():
        return _ASCII_TOKEN.findall(text)
    chunks = unicodedata.normalize("NFKC", text).split()
    return chain.from_iterable(
        _ASCII_TOKEN.findall(chunk) if chunk.isascii() else _runs(chunk) for chunk in chunks
    )


def _runs(text: str) -> Iterator[str]:
    """Runs of letters, digits and their marks; of a script without spaces each pair of letters."""
    for kind, run in groupby(text, _kind):
        if kind == "word":
            yield "".join(run)
        elif kind == "unspaced":
            letters = "".join(run)
            yield from map("".join, pairwise(letters)) if len(letters) > 1 else letters


@lru_cache(maxsize=1 << 12)
def _kind(letter: str) -> _Kind:
    # Marks belong to the letter before them: Hindi and Thai write vowels so.
    if not letter.isalnum() and unicodedata.category(letter)[0] != "M":
        return "between"
    return "unspaced" if re.match(_UNSPACED, letter) else "word"


@lru_cache(maxsize=1 << 14)
def _word(token: str) -> Word | None:
    """A token as its terms; None for a stop word."""
    folded = _folded(token)
    if not folded or folded in _STOP_WORDS:
        return None
    if _ACRONYMS.match(token):
        return Word(folded, (_stem(folded[:-1]),))
    parts = [part.lower() for part in _PART.findall(token)] if token.isascii() else []
    kept = [part for part in parts if part not in _STOP_WORDS] if len(parts) > 1 else []
    return Word(folded, (_stem(folded), *map(_stem, kept)))


def _folded(token: str) -> str:
    """Without case, and for Latin letters without accents."""
    if token.isascii():
        return token.lower()
    bare = "".join(
        letter
        for letter in unicodedata.normalize("NFKD", token.casefold())
        if not unicodedata.combining(letter)
    )
    return bare if bare.isascii() else unicodedata.normalize("NFKC", token.casefold())


def _stem(word: str) -> str:
    if not word.isascii():
        return word
    word = _IRREGULAR.get(word) or _SHORT_FORMS.get(word.removesuffix("s"), word)
    stem: str = _ENGLISH.stemWord(word)
    for ending, usual in _ENDINGS:
        if len(stem) > len(ending) and stem.endswith(ending):
            return stem.removesuffix(ending) + usual
    return stem


def _verbs_by_term() -> dict[str, tuple[str, ...]]:
    groups = [[_stem(verb) for verb in line.split()] for line in _VERBS.split("\n")]
    return {
        term: tuple(other for other in group if other != term) for group in groups for term in group
    }


_SAME_VERBS: Final = _verbs_by_term()
