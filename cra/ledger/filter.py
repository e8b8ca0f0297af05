"""The language that selects events: one for the command line, the viewer and programs.

    type:action.* severity:warn -actor:tool payload.action_id~ticket.* "card declined"

All terms, separated by spaces, must hold; `-` before one negates it. A value in double quotes is a
JSON string, so it may hold spaces. The terms:

    type:GLOB  severity:LEVEL  actor:TYPE[/ID]  session:ID  span:ID    globs; at least; beginnings
    seq:A..B  time:A..B                    open at either end; a time may be cut short, or -15m
    WORD  "SOME WORDS"  text:WORD          text in the payload; capitals count if there are any
    payload.PATH=VALUE  ~GLOB  >N  >=N  <N  <=N        PATH like items[0].name, items[*].name

Bytes decide as far as they can: JSON is read only where a term asks for a value in the payload.
"""

from __future__ import annotations

import operator
import re
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from fnmatch import translate
from functools import cache, lru_cache, partial
from typing import Any, Final, NamedTuple, TypeAlias, get_args

import orjson

from cra import canonical
from cra.errors import FilterError, ValueRefused

_TAIL_LENGTH: Final = 123

# Compiled when they are first used: a command that only opens a session needs none of them.
_TOKEN: Final = r'\s*(-?)((?:[^\s"]|"(?:[^"\\]|\\.)*")+)(?=\s|$)'
_KEYED: Final = r"([A-Za-z_][\w.$\[\]*-]*)(:|>=|<=|=|~|>|<)(?s:(.*))"
_PATH: Final = r"payload((?:\.[^.\[\]]+|\[(?:[0-9]+|\*)\])+)"
_STEP: Final = r"\.([^.\[\]]+)|\[([0-9]+|\*)\]"
_ID: Final = "[0-9a-f][0-9a-f-]{0,35}"
_TIME: Final = (
    r"([0-9]{4}(?:-[0-9]{2}(?:-[0-9]{2}(?:[T ][0-9]{2}(?::[0-9]{2}(?::[0-9]{2}(?:\.[0-9]{1,6})?)?)?"
    r")?)?)?)(Z|[+-][0-9]{2}:[0-9]{2})?"
)
_RELATIVE: Final = "-([0-9]{1,9})([smhd])"
_UNITS: Final = {"s": "seconds", "m": "minutes", "h": "hours", "d": "days"}
# What completes a time that is cut short to one that can be checked.
_EARLIEST: Final = "0001-01-01T00:00:00.000000"
_COMPARISONS: Final[dict[str, Callable[[Any, Any], bool]]] = {
    ">": operator.gt,
    ">=": operator.ge,
    "<": operator.lt,
    "<=": operator.le,
}

# So many lines in letters of any case are found one by one, by so much of the text: for a long one
# RE2 lacks the memory to be fast.
_FEW: Final = 8
_MOST: Final = 64

_Step: TypeAlias = str | int | None


@cache
def _header() -> re.Pattern[bytes]:
    return re.compile(
        rb'\{"actor":\{"id":"(?P<actor_id>(?:[^"\\]|\\.)*)","type":"(?P<actor>[a-z]*)"\}'
        rb'(?:,"a.*?)?,"event_id":"[^"]*","event_type":"(?P<type>[^"]*)","parent_span_id":[^,]*,'
        rb'"payload_hash":"[^"]*","previous_event_hash":"[^"]*","sequence":(?P<seq>[0-9]+),'
        rb'"session_id":"(?P<session>[^"]*)","severity":"(?P<severity>[^"]*)",'
        rb'"span_id":"(?P<span>[^"]*)","timestamp":"(?P<time>[^"]*)","trace_id":"[^"]*",'
        rb'"trace_version":"1\.1"(?P<payload>,"payload":)?'
    )


class Needle(NamedTuple):
    """Every line that a term accepts contains one of these; `folded`: in letters of any case."""

    texts: tuple[bytes, ...]
    folded: bool = False

    def is_in(self, chunk: bytes) -> bool:
        return any(_find(text, chunk, folded=self.folded) >= 0 for text in self.texts)

    def lines_in(self, chunk: bytes) -> Iterable[tuple[int, int]]:
        """Where the lines stand that contain one of the texts."""
        if len(self.texts) == 1:
            return _lines_with(self.texts[0], chunk, folded=self.folded)
        return sorted(
            {at for text in self.texts for at in _lines_with(text, chunk, folded=self.folded)}
        )


_EVERY_LINE: Final = Needle((b"",))


class _Record:
    """One line, taken apart as far as the terms ask for it."""

    __slots__ = ("_value", "header", "line")

    def __init__(self, line: bytes, header: re.Match[bytes]) -> None:
        self.line = line
        self.header = header
        self._value: Any = None

    def text(self, name: str) -> str:
        return self.header[name].decode(errors="replace")

    @property
    def payload(self) -> bytes:
        """The payload's bytes; of a redacted event, none."""
        return self.line[self.header.end() : -_TAIL_LENGTH] if self.header["payload"] else b""

    @property
    def value(self) -> Any:
        """The payload; of a redacted or unreadable event, an empty one."""
        if self._value is None:
            self._value = _loaded(self.payload, {})
        return self._value


class Term(NamedTuple):
    test: Callable[[_Record], bool]
    needle: Needle | None = None
    is_negated: bool = False


@dataclass(frozen=True)
class Filter:
    """A predicate over the lines of a ledger; without terms it accepts all of them."""

    terms: tuple[Term, ...] = ()
    needles: tuple[Needle, ...] = ()

    def matches(self, line: bytes) -> bool:
        """Whether the event in a line (without its LF) is accepted. What is no event never is."""
        if not self.terms:
            return True
        header = _header().match(line)
        if header is None:
            return False
        record = _Record(line, header)
        for test, _, is_negated in self.terms:  # noqa: SIM110  # faster than a generator
            if test(record) is is_negated:
                return False
        return True

    def candidates(self, chunk: bytes) -> Iterable[tuple[int, int]]:
        """Where the lines stand, in a chunk of lines that each end in LF, that might be accepted.

        It passes over the others without looking at them one by one.
        """
        if not all(needle.is_in(chunk) for needle in self.needles):
            return ()
        return (self.needles or (_EVERY_LINE,))[0].lines_in(chunk)


def parse(text: str, now: str | None = None) -> Filter:
    """The filter that an expression stands for. Times like `-15m` are counted from `now`.

    Raises FilterError.
    """
    return _filter(_terms(text, now))


def combine(text: str | None, now: str | None = None, **options: str | None) -> Filter:
    """The filter of an expression and of options named like its keys; None stands for no term.

    Raises FilterError.
    """
    terms = list(_terms(text or "", now))
    for key, value in options.items():
        if value is not None:
            terms.append(_KEYS[key](value, now))
    return _filter(terms)


def containing(*texts: bytes) -> Filter:
    """The filter that accepts every line with one of some texts in it."""
    return Filter(needles=(Needle(texts),))


def mentioning(text: str) -> Filter:
    """The filter of a search: a text in the payload, the type or the actor's id; capitals count if
    there are any. Raises FilterError."""
    in_string = _text(text, None)
    word = canonical.encode(text)[1:-1].decode()
    # Somebody may also type what they see of a payload, its quotation marks and all.
    ways = [in_string] if word == text else [in_string, _stored(text.encode())]
    is_exact = text != text.lower()

    def holds(record: _Record) -> bool:
        if any(way.test(record) for way in ways):
            return True
        names = map(record.text, ("type", "actor", "actor_id"))
        return any(word in (name if is_exact else name.lower()) for name in names)

    needles = [way.needle for way in ways if way.needle is not None]
    texts = tuple(text for needle in needles for text in needle.texts)
    is_folded = not is_exact
    return _filter([Term(holds, Needle(texts, is_folded) if len(needles) == len(ways) else None)])


def either(choices: Sequence[Filter]) -> Filter:
    """The filter that accepts what one of some filters accepts."""

    def holds(record: _Record) -> bool:
        return any(
            all(test(record) is not is_negated for test, _, is_negated in one.terms)
            for one in choices
        )

    first = [one.needles[0] for one in choices if one.needles]
    is_sought = len(first) == len(choices) and not any(needle.folded for needle in first)
    texts = tuple(text for needle in first for text in needle.texts)
    return _filter([Term(holds, Needle(texts) if is_sought else None)])


def every(parts: Iterable[Filter]) -> Filter:
    """The filter that accepts what all of some filters accept."""
    return _filter(term for one in parts for term in one.terms)


def _filter(terms: Iterable[Term]) -> Filter:
    ordered = tuple(terms)
    needles = {term.needle for term in ordered if term.needle and not term.is_negated}
    # The longest is the rarest, as a rule, and one case is found faster than both.
    order = sorted(needles, key=lambda needle: (needle.folded, -min(map(len, needle.texts))))
    return Filter(ordered, tuple(order))


def _lines_with(text: bytes, chunk: bytes, *, folded: bool) -> Iterator[tuple[int, int]]:
    hit, hits = _find(text, chunk, folded=folded), 0
    while 0 <= hit < len(chunk):
        end = chunk.index(b"\n", hit)
        yield chunk.rfind(b"\n", 0, hit) + 1, end
        hits += 1
        if folded and hits == _FEW:
            # Where there are many, a copy in small letters costs less than the searches.
            chunk, folded = chunk.lower(), False
        hit = _find(text, chunk, end + 1, folded=folded)


def _find(text: bytes, chunk: bytes, start: int = 0, *, folded: bool) -> int:
    """Where a text begins, from a place on; below 0: nowhere."""
    if not folded:
        return chunk.find(text, start)
    hit = _in_any_case(text).search(chunk, start)
    return -1 if hit is None else int(hit.start())


@lru_cache(maxsize=64)
def _in_any_case(text: bytes) -> Any:
    """What finds a text in ASCII letters of any case, without a copy in small ones."""
    # Few commands look for a word, and it is an extension module.
    import re2  # type: ignore[import-untyped]

    options = re2.Options()
    options.encoding = re2.Options.Encoding.LATIN1
    options.case_sensitive = False
    options.literal = True
    return re2.compile(text, options)


def _terms(text: str, now: str | None) -> Iterator[Term]:
    position = 0
    while text[position:].strip():
        token = re.compile(_TOKEN).match(text, position)
        if token is None:
            raise FilterError(
                f"expected each quotation mark to be closed, found {text[position:].strip()}",
                fix='close it; inside quotation marks write \\" for one',
            )
        position = token.end()
        yield _term(token[2], now)._replace(is_negated=bool(token[1]))


def _term(token: str, now: str | None) -> Term:
    keyed = re.fullmatch(_KEYED, token)
    if keyed is None:
        if token.startswith("payload."):
            raise FilterError(
                f"expected {token} to be followed by =, ~, >, >=, < or <=, found nothing",
                fix=f"{token}=VALUE, or in quotation marks to search for the text",
            )
        return _text(_unquoted(token), now)
    key, sign, value = keyed.groups()
    if key.startswith(("payload.", "payload[")) and sign != ":":
        return _payload(key, sign, value)
    if key not in _KEYS or sign != ":":
        raise _unknown_key(key, sign, token)
    return _KEYS[key](_unquoted(value), now)


def _unquoted(value: str) -> str:
    if not value.startswith('"'):
        return value
    try:
        found: str = orjson.loads(value)
    except orjson.JSONDecodeError:
        raise FilterError(
            f"expected a JSON string, found {value}", fix="write \\\\ for a backslash"
        ) from None
    return found


# The terms about the header. Each takes a value and the present time.


def _type(value: str, _now: str | None) -> Term:
    # The table takes as long to load as the rest of a reading command; most filters need none.
    from cra.protocol.events import ALIASES, EVENT_TYPES, matching_types

    names = matching_types(value)
    if not names:
        is_glob = _fixed(value) != value
        globs = {name.rpartition(".")[0] + ".*" for name in EVENT_TYPES}
        known = globs if is_glob else {*EVENT_TYPES, *ALIASES}
        raise FilterError(
            f"expected an event type or a glob over them, found {value!r}",
            fix=_nearest("type:", value.removeprefix("trace."), sorted(known)),
        )
    glob = value.removeprefix("trace.")
    if _fixed(glob) == glob:
        (name,) = names
        stored = name.encode()
        needle = Needle((b'"event_type":"%b"' % stored,))
        return Term(lambda record: record.header["type"] == stored, needle)
    # The glob itself, not `names`: a later version's types match as well.
    accepts = re.compile(translate(glob)).match
    needle = Needle((f'"event_type":"{_fixed(glob)}'.encode(),))
    return Term(lambda record: accepts(record.text("type")) is not None, needle)


def _severity(value: str, _now: str | None) -> Term:
    from cra.protocol.events import SEVERITIES

    if value not in SEVERITIES:
        raise FilterError(
            f"expected {', '.join(SEVERITIES)}, found {value!r}",
            fix=_nearest("severity:", value, SEVERITIES),
        )
    wanted = [level.encode() for level in SEVERITIES[SEVERITIES.index(value) :]]
    needle = Needle(tuple(b'"severity":"%b"' % level for level in wanted))
    return Term(lambda record: record.header["severity"] in wanted, needle)


def _actor(value: str, _now: str | None) -> Term:
    from cra.protocol.events import ActorType

    kinds = get_args(ActorType)
    stated, slash, rest = value.partition("/")
    is_fixed = _fixed(stated) == stated
    if is_fixed and stated not in kinds:
        raise FilterError(
            f"expected {', '.join(kinds)}, found {stated!r}",
            fix=f"actor:{_nearest('', stated, kinds)}{slash}{rest}",
        )
    needle = Needle((f'","type":"{stated}"}}'.encode(),)) if is_fixed else None
    accepts = re.compile(translate(value)).match

    def test(record: _Record) -> bool:
        kind = record.text("actor")
        name = _loaded(b'"' + record.header["actor_id"] + b'"', "")
        return bool(accepts(kind) or accepts(f"{kind}/{name}"))

    return Term(test, needle)


def _id(group: str, member: str, value: str, _now: str | None) -> Term:
    if not re.fullmatch(_ID, value):
        raise FilterError(f"expected an id or how one begins, found {value!r}")
    start = value.encode()
    needle = Needle((b'"%b":"%b' % (member.encode(), start),))
    return Term(lambda record: record.header[group].startswith(start), needle)


def _sequence(value: str, _now: str | None) -> Term:
    first, dots, last = value.partition("..")
    bounds = [first, last if dots else first]
    if not any(bounds) or not all(re.fullmatch("[0-9]{0,16}", bound) for bound in bounds):
        raise FilterError(f"expected a number or a range like 10..20, found {value!r}")
    low = int(bounds[0] or 0)
    high = int(bounds[1]) if bounds[1] else None
    needle = Needle((f'"sequence":{low},'.encode(),)) if low == high else None

    def test(record: _Record) -> bool:
        number = int(record.header["seq"])
        return low <= number and (high is None or number <= high)

    return Term(test, needle)


def _time(value: str, now: str | None) -> Term:
    first, dots, last = value.partition("..")
    if not dots and not re.fullmatch(_RELATIVE, first):
        last = first
    low = _instant(first, now)
    high = _instant(last, now)
    if not low and not high:
        raise FilterError(f"expected a time or a range like 2026-11-20T10..11, found {value!r}")
    needle = Needle((f'"timestamp":"{_common(low, high)}'.encode(),))

    def test(record: _Record) -> bool:
        found = record.text("time")
        return found >= low and (not high or found[: len(high)] <= high)

    return Term(test, needle)


def _instant(value: str, now: str | None) -> str:
    """A time as the beginning of a timestamp; an open end is empty."""
    relative = re.fullmatch(_RELATIVE, value)
    if relative is not None:
        return _before(now, relative)
    if not value:
        return ""
    try:
        return _in_utc(value)
    except (ValueError, OverflowError):
        raise FilterError(
            f"expected a time like 2026-11-20T10:15:00Z, its beginning, or -15m, found {value!r}"
        ) from None


def _in_utc(value: str) -> str:
    match = re.fullmatch(_TIME, value)
    if match is None:
        raise ValueError(value)
    text, offset = match[1].replace(" ", "T"), match[2] or "Z"
    moment = datetime.fromisoformat(text + _EARLIEST[len(text) :] + offset)
    if offset == "Z":
        return text
    if len(text) < len("2026-11-20T10:15"):
        raise ValueError("an offset moves minutes")
    return moment.astimezone(UTC).isoformat(timespec="microseconds")[: len(text)]


def _before(now: str | None, relative: re.Match[str]) -> str:
    if now is None:
        raise FilterError(f"expected a time that needs no clock, found {relative[0]}")
    ago = timedelta(**{_UNITS[relative[2]]: int(relative[1])})
    try:
        return (datetime.fromisoformat(now) - ago).isoformat(timespec="microseconds")[:26]
    except OverflowError:
        raise FilterError(f"expected a time that there was, found {relative[0]}") from None


# The terms about the payload.


def _text(value: str, _now: str | None) -> Term:
    if not value:
        raise FilterError("expected a text to search for, found nothing")
    try:
        # As it is stored: inside a JSON string.
        stored = canonical.encode(value)[1:-1]
    except ValueRefused as error:
        raise FilterError(error.message) from None
    return _stored(stored)


def _stored(text: bytes) -> Term:
    """A text as it stands in a line; capitals count if there are any."""
    word = text.decode()
    if word != word.lower():
        return Term(lambda record: text in record.payload, Needle((text,)))
    if word.isascii():
        needle = Needle((text[:_MOST],), folded=True)
        return Term(lambda record: text in record.payload.lower(), needle)
    # Bytes know the two cases of ASCII letters only.
    return Term(lambda record: word in record.payload.decode(errors="replace").lower())


def _payload(key: str, sign: str, value: str) -> Term:
    match = re.fullmatch(_PATH, key)
    if match is None:
        raise FilterError(f"expected a path like payload.items[0].name, found {key}")
    path = [
        name or (None if index == "*" else int(index))
        for name, index in re.findall(_STEP, match[1])
    ]
    test, stored = _value_test(sign, value)
    if isinstance(path[-1], str):
        stored = canonical.encode(path[-1]) + b":" + stored

    def holds(record: _Record) -> bool:
        return stored in record.payload and any(map(test, _at(record.value, path)))

    return Term(holds, Needle((stored,)) if stored else None)


def _value_test(sign: str, value: str) -> tuple[Callable[[Any], bool], bytes]:
    """A test of values, and how those that pass it are stored, or begin."""
    if sign == "=":
        wanted = _literal(value)
        return lambda found: _canonical(found) == wanted, wanted
    if sign == "~":
        glob = _unquoted(value)
        accepts = re.compile(translate(glob)).match
        start = canonical.encode(_fixed(glob))[:-1]
        return lambda found: isinstance(found, str) and accepts(found) is not None, start
    try:
        bound = float(value)
    except ValueError:
        raise FilterError(f"expected a number after {sign}, found {value!r}") from None
    compare = _COMPARISONS[sign]
    return lambda found: type(found) in (int, float) and compare(found, bound), b""


def _literal(value: str) -> bytes:
    """The canonical bytes of a JSON value, or of the text as it stands."""
    try:
        return canonical.encode(orjson.loads(value))
    except (orjson.JSONDecodeError, ValueRefused):
        return canonical.encode(value)


def _canonical(value: Any) -> bytes:
    """The canonical bytes of a value; none for one that only a malformed event holds."""
    try:
        return canonical.encode(value)
    except ValueRefused:
        return b""


def _loaded(text: bytes, otherwise: Any) -> Any:
    """What JSON text means; something else for the text of a redacted or malformed event."""
    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        return otherwise


def _at(value: Any, path: Sequence[_Step]) -> list[Any]:
    """The values at a path; None in it stands for each item of an array."""
    found = [value]
    for step in path:
        if isinstance(step, str):
            found = [item[step] for item in found if isinstance(item, dict) and step in item]
        else:
            arrays = [item for item in found if isinstance(item, list)]
            kept = slice(step, None if step is None else step + 1)
            found = [item for array in arrays for item in array[kept]]
    return found


_KEYS: Final[Mapping[str, Callable[[str, str | None], Term]]] = {
    "type": _type,
    "severity": _severity,
    "actor": _actor,
    "session": partial(_id, "session", "session_id"),
    "span": partial(_id, "span", "span_id"),
    "seq": _sequence,
    "time": _time,
    "text": _text,
}


def _fixed(glob: str) -> str:
    """How everything that a glob matches begins."""
    return re.split(r"[*?\[]", glob, maxsplit=1)[0]


def _common(low: str, high: str) -> str:
    """How both begin."""
    same = [left == right for left, right in zip(low, high, strict=False)]
    return low[: [*same, False].index(False)]


def _unknown_key(key: str, sign: str, token: str) -> FilterError:
    forms = [f"{name}:" for name in _KEYS] + ["payload.PATH="]
    return FilterError(
        f"expected one of {' '.join(forms)}, found {key}{sign}",
        fix=_nearest("", key, forms) + f', or "{token}" in quotation marks to search for the text',
    )


def _nearest(prefix: str, found: str, known: Iterable[str]) -> str:
    # Only a mistake pays for this import.
    from difflib import get_close_matches

    nearest = get_close_matches(found, known, n=1, cutoff=0.0)
    return prefix + nearest[0]
