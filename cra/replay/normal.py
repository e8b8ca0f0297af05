"""Events in the form in which two runs of the same behaviour are equal.

Ids, times, hashes and durations give way to what they are, so that a value of another shape still
shows. What an id refers to counts: ids are numbered as they appear, and two traces are the same if
the numbers of one can be translated into those of the other.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from hashlib import blake2b
from typing import Any, Final, NamedTuple, TypeAlias

import orjson

from cra import canonical
from cra.ledger.chain import ID
from cra.replay.rule import FieldRule, matcher, places

Event: TypeAlias = dict[str, Any]

# Stands in the place of a value that may be another: no value of an event begins like this by
# chance.
_AWAY: Final = "\0"
_IGNORED: Final = f"{_AWAY}ignored"
_NUMBER: Final = f"{_AWAY}number"

_TIME: Final = r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\.[0-9]{6}Z"
_SHAPES: Final = {
    "id": re.compile(ID),
    "time": re.compile(_TIME),
    "hash": re.compile("[0-9a-f]{64}"),
}
# Where a reason names an id or a time, it is about that event and no other.
_PASSING: Final = re.compile(f"{ID}|{_TIME}")
_REDACTED: Final = re.compile(r"\[redacted ([a-z_]+) [0-9a-f]{8}\]")

# Members of the header: their place, their content's hash, and what all events of a session share.
_HEADER: Final = (
    "artifacts",
    "event_hash",
    "event_id",
    "payload_hash",
    "previous_event_hash",
    "salt",
    "sequence",
    "session_id",
    "severity",
    "span_id",
    "timestamp",
    "trace_id",
    "trace_version",
)
# What an event is compared as, whatever a rule says.
_KEPT: Final = ("event_type", "parent_span_id", "payload", "span_id")
# Members of a payload that name another event's span, a request or an approval.
_IDS: Final = {
    "request_id": "request",
    "resolution_id": "resolution",
    "execution_id": "span",
    "approval_id": "approval",
}
_SHAPED: Final = {
    "expires_at": "time",
    "possible_at": "time",
    "snapshot": "hash",
    "project": "hash",
    "arguments_digest": "hash",
}
_DURATIONS: Final = ("duration_us", "duration_ms")
# What the machine, the ledger or the answer's own place puts in.
_AWAY_MEMBERS: Final = (
    "binding",
    "boot_id",
    "completed_event_id",
    "cra_version",
    "ledger_id",
    "signature",
    "signer",
)
_AWAY_OF_RESOLUTION: Final = ("span_id", "timestamp", "trace_id")
# What each of these members gives way to.
_GONE: Final = "gone"
_DURATION: Final = "duration"
_BLANKED: Final = {
    **_IDS,
    **_SHAPED,
    **dict.fromkeys(_DURATIONS, _DURATION),
    **dict.fromkeys(_AWAY_MEMBERS, _GONE),
}
# How an event is called where the same answer may be given by another one.
_ALIKE: Final = {"carp.resolution.cached": "carp.resolution.completed"}


class Normal(NamedTuple):
    """An event, as far as comparing it needs it; the digests are over what may not differ."""

    event_type: str
    span: int
    parent: int | None
    action_id: str | None
    # Of what was asked for: the arguments, or the task.
    subject: bytes
    digest: bytes
    ids: tuple[int, ...]
    numbers: tuple[tuple[float, float], ...]


class Detail(NamedTuple):
    """An event with what may differ taken away, and by path what was."""

    event: Event
    ids: dict[str, int]
    numbers: dict[str, tuple[float, float]]


class Normaliser:
    """The events of one trace, in order, under the rules of a manifest."""

    def __init__(self, rules: Sequence[FieldRule] = ()) -> None:
        self._rules = [(rule, rule.path) for rule in rules]
        self._unordered = [path for rule, path in self._rules if rule.rule == "set"]
        self._numbers: dict[str, int] = {}
        self._names: list[str] = []
        self._counts: Counter[str] = Counter()
        # By rule: how many values it was about.
        self.hits: list[int] = [0] * len(rules)

    def take(self, event: Event) -> Normal:
        """The next event, which is taken apart."""
        detail = self.detail(event)
        known = detail.event
        stated = known.get("payload")
        payload = stated if isinstance(stated, dict) else {}
        action_id = payload.get("action_id")
        if "arguments" in payload:
            subject = _digest([action_id, payload["arguments"]])
        elif "request" in payload:
            subject = _digest(payload["request"])
        else:
            subject = b""
        ids = detail.ids
        return Normal(
            known["event_type"],
            ids["span_id"],
            ids.get("parent_span_id"),
            action_id if isinstance(action_id, str) else None,
            subject,
            _digest(known),
            tuple(ids.values()),
            tuple(detail.numbers.values()),
        )

    def detail(self, event: Event) -> Detail:
        """An event of the trace, which is taken apart."""
        span, parent = event["span_id"], event["parent_span_id"]
        detail = Detail(event, {"span_id": self._number("span", span)}, {})
        if parent is not None:
            detail.ids["parent_span_id"] = self._number("span", parent)
        for at, (rule, path) in enumerate(self._rules):
            is_loose = any(path[: len(one)] == one for one in self._unordered)
            for within, key in places(event, path):
                self.hits[at] += 1
                self._apply(rule, within, key, detail, is_loose=is_loose)
        for name in _HEADER:
            event.pop(name, None)
        event["parent_span_id"] = None if parent is None else f"{_AWAY}span"
        event["event_type"] = _ALIKE.get(event["event_type"], event["event_type"])
        payload = event.get("payload")
        if isinstance(payload, dict):
            self._blank(payload, detail.ids)
        return detail

    def name(self, number: int) -> str:
        """What an id is called: `span#3`, the third span of the trace."""
        return self._names[number]

    def _number(self, kind: str, text: str) -> int:
        number = self._numbers.get(text)
        if number is None:
            number = self._numbers[text] = len(self._names)
            self._counts[kind] += 1
            self._names.append(f"{kind}#{self._counts[kind]}")
        return number

    def _blank(self, payload: dict[str, Any], ids: dict[str, int]) -> None:
        for name in [*payload]:
            kind = _BLANKED.get(name)
            if kind is None:
                continue
            value = payload[name]
            if kind == _GONE:
                del payload[name]
            elif name not in _IDS:
                payload[name] = _shaped(kind, value)
            elif isinstance(value, str) and value[:1] != _AWAY:
                ids[f"payload.{name}"] = self._number(kind, value)
                payload[name] = _AWAY + kind
        _blank_reason(payload)
        if isinstance(payload.get("decision"), dict):
            _blank_reason(payload["decision"])
        if isinstance(payload.get("resolution"), dict):
            # The answer has them too.
            payload.pop("allowed", None)
            payload.pop("decision", None)
            _blank_resolution(payload["resolution"])

    def _apply(
        self, rule: FieldRule, within: Any, key: Any, detail: Detail, *, is_loose: bool
    ) -> None:
        value = within[key]
        match rule.rule:
            case "ignore":
                _ignore(within, key, is_member=within is detail.event)
            case "normalize":
                # In an array without an order, there is no first appearance.
                if isinstance(value, str | int | float) and not is_loose:
                    place = f"{rule.field} {len(detail.ids)}"
                    number = self._number(_kind(rule), f"{rule.field} {value}")
                    detail.ids[place] = number
                within[key] = _AWAY + _shape(value)
            case "tolerance" if _is_number(value):
                place = f"{rule.field} {len(detail.numbers)}"
                detail.numbers[place] = value, float(rule.tolerance)
                within[key] = _NUMBER
            case "pattern" if isinstance(value, str):
                if matcher(str(rule.pattern)).fullmatch(value):
                    within[key] = f"{_AWAY}{rule.pattern}"
            case "set" if isinstance(value, list):
                value.sort(key=canonical.text_of)


def objects_in(value: Mapping[str, Any], name: str) -> list[dict[str, Any]]:
    """The objects of an array that a value has as a member; a trace may say anything there."""
    found = value.get(name)
    return [one for one in found if isinstance(one, dict)] if isinstance(found, list) else []


def shown(value: Any) -> Any:
    """A value of a blanked event, with words for what was taken away."""
    if isinstance(value, str) and value[:1] == _AWAY:
        return f"<{value[1:]}>"
    if isinstance(value, dict):
        return {key: shown(member) for key, member in value.items()}
    if isinstance(value, list):
        return [shown(item) for item in value]
    return value


def is_within(one: Iterable[tuple[float, float]], other: Iterable[tuple[float, float]]) -> bool:
    """Whether numbers of two events are as near as their rules want them."""
    return all(abs(a - b) <= far for (a, far), (b, _) in zip(one, other, strict=True))


def _shaped(kind: str, value: Any) -> Any:
    """What stands for a value that has the shape of its kind; else the value."""
    if kind == _DURATION:
        return _AWAY + kind if type(value) is int and value >= 0 else value
    is_one = isinstance(value, str) and _SHAPES[kind].fullmatch(value)
    return _AWAY + kind if is_one else value


def _ignore(within: Any, key: Any, *, is_member: bool) -> None:
    """Take a value away; an item leaves its place, for how many there are still counts."""
    if isinstance(within, list):
        within[key] = _IGNORED
    elif not (is_member and key in _KEPT):
        del within[key]


def _blank_reason(said: dict[str, Any]) -> None:
    reason = said.get("reason")
    if isinstance(reason, str):
        said["reason"] = _PASSING.sub("…", reason)


def _blank_resolution(resolution: dict[str, Any]) -> None:
    for name in _AWAY_OF_RESOLUTION:
        resolution.pop(name, None)
    decision = resolution.get("decision")
    if isinstance(decision, dict):
        decision.pop("expires_at", None)
    for block in objects_in(resolution, "context_blocks"):
        content = block.get("content")
        # Its MAC is by a secret that another machine has not.
        if isinstance(content, str) and "[redacted " in content:
            block["content"] = _REDACTED.sub(r"[redacted \1]", content)


def _digest(value: Any) -> bytes:
    return blake2b(orjson.dumps(value, option=orjson.OPT_SORT_KEYS), digest_size=16).digest()


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _kind(rule: FieldRule) -> str:
    """What a rule's ids are called: after the last member that its path names."""
    return next((step for step in reversed(rule.path) if isinstance(step, str)), "value")


def _shape(value: Any) -> str:
    """What a value is that stands for another: as much of it as has to stay the same."""
    if isinstance(value, str):
        found = (name for name, form in _SHAPES.items() if form.fullmatch(value))
        return next(found, "text")
    if isinstance(value, bool) or value is None:
        return str(value).lower()
    if _is_number(value):
        return "whole number" if isinstance(value, int) else "number"
    return "array" if isinstance(value, list) else "object"
