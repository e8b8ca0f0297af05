"""Two traces, compared: what is gone, what is new, what has moved, and what is another.

The steps of a trace are its spans. They are matched by what they are about, whatever their ids; the
order of two steps counts only where one had ended before the other began. What follows from another
difference comes after it.
"""

from __future__ import annotations

from bisect import bisect_left
from collections import defaultdict
from collections.abc import Callable, Collection, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import accumulate
from typing import Any, Final, Literal, Protocol, TypeAlias

from cra.replay.normal import (
    Detail,
    Event,
    Normal,
    Normaliser,
    is_within,
    objects_in,
    shown,
)
from cra.replay.rule import FieldRule
from cra.replay.value import Item, ValueChange, changes, is_lesser, text_of

Compatibility: TypeAlias = Literal["identical", "semantically_equivalent", "minor", "breaking"]
DifferenceType: TypeAlias = Literal["changed", "inserted", "removed", "moved", "unverifiable"]
Significance: TypeAlias = Literal["minor", "breaking"]
# `partial`: as the module says. `strict`: event by event. The others ask for no order: the same
# steps, none but those of the golden, or at least those.
Order: TypeAlias = Literal["partial", "strict", "unordered", "subset", "superset"]

# What the machine was up to, which is no behaviour.
_PASSED_OVER: Final = frozenset({"ledger.recovered", "project.changed"})
# Written in full detail alone: what is decided by it shows elsewhere.
_DETAILS: Final = frozenset(
    {"action.requested", "context.injected", "policy.evaluated", "policy.violated"}
)
_DECISIONS: Final[Mapping[str, str]] = {
    "action.approved": "allowed",
    "action.denied": "denied",
    "approval.requested": "to be approved",
}
_OUTCOMES: Final = frozenset({"action.executed", "action.failed"})


class Events(Protocol):
    """The events of a trace; each reading of one gives an object of its own."""

    def __iter__(self) -> Iterator[Event]: ...
    def event(self, sequence: int) -> Event: ...


@dataclass(frozen=True)
class TraceDifference:
    """One difference between a golden trace and another, and where it is in both."""

    path: str
    type: DifferenceType
    significance: Significance
    reason: str
    before: Any
    after: Any
    event_type: str
    action_id: str | None
    golden: int | None
    found: int | None
    # Whether it follows from one before it.
    follows: bool = False
    # The rule that decides otherwise now.
    policy_id: str | None = None

    @property
    def told(self) -> str:
        """The reason, with the action that it is about."""
        is_named = self.action_id is None or self.action_id in self.reason
        return self.reason if is_named else f"{self.action_id}: {self.reason}"


@dataclass(frozen=True)
class Comparison:
    """How alike two traces are, and the differences, the first divergence first."""

    compatibility: Compatibility
    differences: tuple[TraceDifference, ...]
    golden_events: int
    found_events: int
    # Fields of rules that were about nothing in either trace.
    idle_rules: tuple[str, ...] = ()


@dataclass(eq=False)
class _Step:
    """The events of one span, in order. In the session's own span, each event is a step."""

    span: int
    name: str
    events: list[tuple[int, Normal]] = field(default_factory=list)

    @property
    def first(self) -> int:
        return self.events[0][0]

    @property
    def last(self) -> int:
        return self.events[-1][0]

    @property
    def parent(self) -> int | None:
        return next((one.parent for _, one in self.events if one.parent is not None), None)

    @property
    def action_id(self) -> str | None:
        return next((one.action_id for _, one in self.events if one.action_id), None)

    @property
    def digests(self) -> tuple[bytes, ...]:
        return tuple(one.digest for _, one in self.events)

    @property
    def about(self) -> Hashable:
        """What it is about: the same call, or the same task."""
        subject = next((one.subject for _, one in self.events if one.subject), None)
        return (self.kind, subject) if subject else None

    @property
    def kind(self) -> Hashable:
        if any(
            one.event_type in _DECISIONS or one.event_type in _OUTCOMES for _, one in self.events
        ):
            return "call", self.action_id
        return self.events[0][1].event_type, self.action_id

    @property
    def decision(self) -> tuple[int, Normal] | None:
        return next((one for one in self.events if one[1].event_type in _DECISIONS), None)


class _Side:
    """One of the two traces."""

    def __init__(self, events: Events, rules: Sequence[FieldRule]) -> None:
        self._events = events
        self._normaliser = Normaliser(rules)
        self._rules = rules
        self.count = 0
        steps: dict[tuple[int, int], _Step] = {}
        own = -1
        self.normals: list[Normal] = []
        for event in events:
            sequence = self.count
            self.count += 1
            if event["event_type"] in _PASSED_OVER:
                continue
            normal = self._normaliser.take(event)
            self.normals.append(normal)
            own = normal.span if own < 0 else own
            is_own = normal.span == own
            key = (own, sequence) if is_own else (normal.span, -1)
            step = steps.get(key)
            if step is None:
                name = f"event {sequence}" if is_own else self._normaliser.name(normal.span)
                step = steps[key] = _Step(normal.span, name)
            step.events.append((sequence, normal))
        # The session's own span.
        self.own = own
        self.steps = list(steps.values())
        self.hits = list(self._normaliser.hits)

    def detail(self, sequence: int) -> Detail:
        return self._normaliser.detail(self._events.event(sequence))

    def name(self, number: int) -> str:
        return self._normaliser.name(number)


def compare(
    golden: Events, found: Events, rules: Sequence[FieldRule] = (), order: Order = "partial"
) -> Comparison:
    """How alike a trace is to a golden one."""
    sides = _Side(golden, rules), _Side(found, rules)
    one, other = sides
    idle = tuple(
        rule.field for at, rule in enumerate(rules) if not any(side.hits[at] for side in sides)
    )
    # Ids are numbered as they appear, so those of equal traces are equal.
    if one.normals == other.normals:
        return Comparison("identical", (), one.count, other.count, idle)
    found_differences = _Comparer(one, other, order).differences()
    significances = {difference.significance for difference in found_differences}
    if "breaking" in significances:
        compatibility: Compatibility = "breaking"
    else:
        compatibility = "minor" if significances else "semantically_equivalent"
    return Comparison(compatibility, found_differences, one.count, other.count, idle)


def paired(
    golden: Events, found: Events, rules: Sequence[FieldRule] = ()
) -> Iterator[tuple[int | None, int | None]]:
    """The events that a comparison holds against each other, in the order of the golden. What only
    the other trace has comes after what stands before it there."""
    one, other = _Side(golden, rules), _Side(found, rules)
    twins = {
        before[0]: after[0]
        for step, twin in _matched(one.steps, other.steps)
        for before, after in _held(step, twin)
        if before is not None and after is not None
    }
    known = set(twins.values())
    alone: defaultdict[int, list[int]] = defaultdict(list)
    last = -1
    for sequence in range(other.count):
        if sequence in known:
            last = sequence
        else:
            alone[last].append(sequence)
    yield from ((None, sequence) for sequence in alone[-1])
    for sequence in range(one.count):
        twin_at = twins.get(sequence)
        yield sequence, twin_at
        if twin_at is not None:
            yield from ((None, after) for after in alone[twin_at])


class _Comparer:
    def __init__(self, golden: _Side, found: _Side, order: Order) -> None:
        self._golden = golden
        self._found = found
        self._order = order
        self._pairs = _matched(golden.steps, found.steps)
        self._called = {
            one.action_id
            for side in (golden, found)
            for one in side.normals
            if one.event_type == "action.approved"
        }
        # Ids of the golden and those that stand for them; steps that match are the same. What was
        # no call is of the session's own span, which stands for no other.
        spans = [
            (one.span, other.span)
            for one, other in self._pairs
            if (one.span == golden.own) is (other.span == found.own)
        ]
        self._ids = dict(spans)
        self._ids_back = {other: one for one, other in spans}

    def differences(self) -> tuple[TraceDifference, ...]:
        """Those that stand for themselves first, and of these the breaking ones, each in the order
        of the golden."""
        placed = [*self._of_steps(), *self._of_order()]
        placed.sort(key=lambda one: one[0])
        found = _with_causes([difference for _, difference in placed], self._parents())
        return tuple(sorted(found, key=lambda one: (one.follows, one.significance == "minor")))

    def _parents(self) -> Callable[[TraceDifference], str | None]:
        named = {step.name: step for step in self._golden.steps}

        def parent_of(difference: TraceDifference) -> str | None:
            step = named.get(difference.path.partition("/")[0])
            return None if step is None or step.parent is None else self._golden.name(step.parent)

        return parent_of

    def _of_steps(self) -> Iterator[tuple[float, TraceDifference]]:
        twins = {id(one): other for one, other in self._pairs}
        for step in self._golden.steps:
            twin = twins.get(id(step))
            if twin is None:
                if self._order != "subset":
                    yield step.first, self._lone(step, self._golden, "removed")
                continue
            for difference in self._of_pair(step, twin):
                yield step.first, difference
        if self._order == "superset":
            return
        known = {id(other): one for one, other in self._pairs}
        before = -1.0
        for step in self._found.steps:
            twin = known.get(id(step))
            if twin is not None:
                before = float(twin.first)
                continue
            yield before + 0.5, self._lone(step, self._found, "inserted")

    def _lone(
        self, step: _Step, side: _Side, kind: Literal["inserted", "removed"]
    ) -> TraceDifference:
        """A step that only one of the two has."""
        sequence, normal = step.decision or step.events[0]
        payload = shown(side.detail(sequence).event.get("payload"))
        path = step.name if kind == "removed" else f"+{step.name}"
        return _alone(path, kind, (sequence, normal), payload, step.action_id)

    # A step that both have.

    def _of_pair(self, step: _Step, twin: _Step) -> Iterator[TraceDifference]:
        if step.digests == twin.digests:
            for pair in zip(step.events, twin.events, strict=True):
                yield from self._of_same(*pair, step)
            return
        for one, other in _held(step, twin):
            if one is None or other is None:
                yield self._lone_event(one, other, step)
            elif one[1].event_type != other[1].event_type:
                yield self._flip(step, one, other)
            else:
                yield from self._of_events(one, other, step)

    def _flip(
        self, step: _Step, one: tuple[int, Normal], other: tuple[int, Normal]
    ) -> TraceDifference:
        payloads: list[dict[str, Any]] = [
            side.detail(sequence).event.get("payload") or {}
            for side, (sequence, _) in ((self._golden, one), (self._found, other))
        ]
        before = _said(one[1].event_type, payloads[0], full=True)
        after = _said(other[1].event_type, payloads[1], full=True)
        return TraceDifference(
            f"{step.name}/decision",
            "changed",
            "breaking",
            f"the decision flipped: {before}, now {after}",
            before,
            after,
            other[1].event_type,
            step.action_id,
            one[0],
            other[0],
            policy_id=_decision_in(payloads[1]).get("policy_id"),
        )

    def _lone_event(
        self, one: tuple[int, Normal] | None, other: tuple[int, Normal] | None, step: _Step
    ) -> TraceDifference:
        """An event that only one of the two has, in a step that both have."""
        side, alone = (self._golden, one) if one is not None else (self._found, other)
        assert alone is not None
        sequence, normal = alone
        payload = shown(side.detail(sequence).event.get("payload") or {})
        path = f"{step.name}/{normal.event_type}"
        return _alone(
            path, "removed" if one is not None else "inserted", alone, payload, step.action_id
        )

    def _of_same(
        self, one: tuple[int, Normal], other: tuple[int, Normal], step: _Step
    ) -> Iterator[TraceDifference]:
        """Two events that are equal as far as they have to be, but for what they refer to."""
        (_, before), (_, after) = one, other
        are_same = all(self._same_id(*pair) for pair in zip(before.ids, after.ids, strict=True))
        if are_same and is_within(before.numbers, after.numbers):
            return
        yield from self._of_events(one, other, step)

    def _of_events(
        self, one: tuple[int, Normal], other: tuple[int, Normal], step: _Step
    ) -> Iterator[TraceDifference]:
        (golden, normal), (found, _) = one, other
        before, after = self._golden.detail(golden), self._found.detail(found)
        place = f"{step.name}/{normal.event_type}"

        def difference(
            path: str, change: ValueChange, reason: str, *, lesser: bool
        ) -> TraceDifference:
            return TraceDifference(
                f"{place}/{path}",
                change.type,
                "minor" if lesser else "breaking",
                reason,
                shown(change.before),
                shown(change.after),
                normal.event_type,
                step.action_id or _action_in(change),
                golden,
                found,
            )

        is_detail = normal.event_type in _DETAILS
        found_changes = list(changes(before.event, after.event))
        flips, rest = _flips(before.event, after.event, found_changes)
        for path, change in flips:
            reason = f"the decision flipped: {change.before}, now {change.after}"
            found_one = difference(path, change, reason, lesser=False)
            yield replace(found_one, policy_id=_rule_of(after.event, found_one.action_id))
        # How many there are says nothing where some may be missing.
        is_counted = self._order not in ("subset", "superset")
        for change in rest:
            if not is_counted and change.path[:2] == ("payload", "summary"):
                continue
            lesser = is_detail or is_lesser(change) or self._is_only_offered(change)
            yield difference(text_of(change.path), change, _reason(change), lesser=lesser)
        for path in (one for one in before.ids if one in after.ids):
            if path == "span_id" and self._is_call_now(before, after):
                continue
            if not self._same_id(before.ids[path], after.ids[path]):
                change = ValueChange((), "changed", *self._named(before.ids[path], after.ids[path]))
                reason = "it refers to another: {change.before}, now {change.after}"
                told = reason.format(change=change)
                yield difference(path.partition(" ")[0], change, told, lesser=False)
        for path in (one for one in before.numbers if one in after.numbers):
            (old, far), (new, _) = before.numbers[path], after.numbers[path]
            if abs(old - new) > far:
                change = ValueChange((), "changed", old, new)
                reason = f"beyond its tolerance of {far:g}"
                yield difference(path.partition(" ")[0], change, reason, lesser=False)

    def _same_id(self, one: int, other: int) -> bool:
        """Whether two ids stand for each other; those that are new do from now on."""
        known, back = self._ids.get(one), self._ids_back.get(other)
        if known is None and back is None:
            self._ids[one], self._ids_back[other] = other, one
            return True
        return known == other and back == one

    def _is_call_now(self, before: Detail, after: Detail) -> bool:
        """Whether one of two events is of a call, and the other of what was none."""
        own = before.ids["span_id"] == self._golden.own
        return own is not (after.ids["span_id"] == self._found.own)

    def _named(self, one: int, other: int) -> tuple[str, str]:
        """The two ids, by the golden's names where they have one."""
        back = self._ids_back.get(other)
        after = self._golden.name(back) if back is not None else f"+{self._found.name(other)}"
        return self._golden.name(one), after

    def _is_only_offered(self, change: ValueChange) -> bool:
        """Whether a change is of an action that a resolution offers, and that nobody called."""
        action_id = _action_in(change)
        is_whole = len(change.path) <= 4
        return action_id is not None and not is_whole and action_id not in self._called

    # Order.

    def _of_order(self) -> Iterator[tuple[float, TraceDifference]]:
        if self._order not in ("partial", "strict"):
            return
        is_strict = self._order == "strict"
        moved = self._moved_events() if is_strict else self._moved_steps()
        for one, found, step, is_later in moved:
            golden, normal = one
            said = f"{normal.event_type} {normal.action_id or ''}".strip()
            difference = TraceDifference(
                step.name,
                "moved",
                "breaking",
                f"another order: {said} comes {'later' if is_later else 'earlier'}",
                golden,
                found,
                normal.event_type,
                step.action_id,
                golden,
                found,
            )
            yield golden, difference

    def _moved_steps(self) -> Iterator[tuple[tuple[int, Normal], int, _Step, bool]]:
        """Steps that are on the other side of a step that they did not overlap: of those that stay
        in order, or else of one another."""
        kept = set(_longest_rising([twin.first for _, twin in self._pairs]))
        staying = [pair for at, pair in enumerate(self._pairs) if at in kept]
        rest = [pair for at, pair in enumerate(self._pairs) if at not in kept]
        moved = _on_other_side(rest, staying)
        left = [pair for at, pair in enumerate(rest) if at not in moved]
        among = _on_other_side(left, left)
        for pairs, found in ((rest, moved), (left, among)):
            for at, is_later in found.items():
                step, twin = pairs[at]
                yield step.events[0], twin.first, step, is_later

    def _moved_events(self) -> Iterator[tuple[tuple[int, Normal], int, _Step, bool]]:
        aligned = [
            (one, other[0], step)
            for step, twin in self._pairs
            for one, other in _aligned(step.events, twin.events)
            if one is not None and other is not None
        ]
        aligned.sort(key=lambda each: each[0][0])
        places = [found for _, found, _ in aligned]
        kept = set(_longest_rising(places))
        ranks = {found: rank for rank, found in enumerate(sorted(places))}
        for at, (one, found, step) in enumerate(aligned):
            if at not in kept:
                yield one, found, step, ranks[found] > at


def _alone(
    path: str,
    kind: Literal["inserted", "removed"],
    at: tuple[int, Normal],
    payload: Any,
    action_id: str | None,
) -> TraceDifference:
    """The difference that something is in one trace alone."""
    sequence, normal = at
    is_removed = kind == "removed"
    said = _said(normal.event_type, payload)
    return TraceDifference(
        path,
        kind,
        "minor" if normal.event_type in _DETAILS else "breaking",
        f"{'missing' if is_removed else 'new'}: {said}",
        payload if is_removed else None,
        None if is_removed else payload,
        normal.event_type,
        action_id,
        sequence if is_removed else None,
        None if is_removed else sequence,
    )


def _matched(golden: Sequence[_Step], found: Sequence[_Step]) -> list[tuple[_Step, _Step]]:
    """The steps that stand for each other: equal ones first, then those about the same, then those
    of one kind; among several, in order."""
    pairs: list[tuple[_Step, _Step]] = []
    left, right = list(golden), list(found)
    keys: tuple[Callable[[_Step], Hashable], ...] = (
        lambda step: step.digests,
        lambda step: step.about,
        lambda step: step.kind,
    )
    for key in keys:
        waiting: defaultdict[Hashable, list[_Step]] = defaultdict(list)
        for step in reversed(right):
            waiting[key(step)].append(step)
        taken: set[int] = set()
        rest = []
        for step in left:
            known = key(step)
            if known is not None and waiting.get(known):
                twin = waiting[known].pop()
                taken.add(id(twin))
                pairs.append((step, twin))
            else:
                rest.append(step)
        left, right = rest, [step for step in right if id(step) not in taken]
    pairs.sort(key=lambda pair: pair[0].first)
    return pairs


def _held(
    step: _Step, twin: _Step
) -> Iterator[tuple[tuple[int, Normal] | None, tuple[int, Normal] | None]]:
    """The events of two steps that are held against each other: what was decided, whatever it was,
    and those of one type."""
    one, other = step.decision, twin.decision
    if one is None or other is None or one[1].event_type == other[1].event_type:
        yield from _aligned(step.events, twin.events)
        return
    yield one, other
    for before, after in _aligned(step.events, twin.events):
        if before != one and after != other:
            yield before, after


def _aligned(
    golden: Sequence[tuple[int, Normal]], found: Sequence[tuple[int, Normal]]
) -> Iterator[tuple[tuple[int, Normal] | None, tuple[int, Normal] | None]]:
    """The events of two steps that stand for each other, in the order of the golden; what only the
    other has comes last."""
    pairs: dict[int, tuple[int, Normal]] = {}
    keys: tuple[Callable[[Normal], Hashable], ...] = (
        lambda one: one.digest,
        lambda one: (one.event_type, one.action_id),
    )
    left, right = list(range(len(golden))), list(found)
    for key in keys:
        for at in list(left):
            wanted = key(golden[at][1])
            twin = next((one for one in right if key(one[1]) == wanted), None)
            if twin is not None:
                pairs[at] = twin
                left.remove(at)
                right.remove(twin)
    for at, one in enumerate(golden):
        yield one, pairs.get(at)
    for twin in right:
        yield None, twin


def _with_causes(
    differences: Iterable[TraceDifference], parent_of: Callable[[TraceDifference], str | None]
) -> Iterator[TraceDifference]:
    """Each difference, and whether it follows from one before it: of the same step, of the step
    that it stands on, of the same action, or, for a summary, from any. That another action is
    decided otherwise follows from none."""
    broken: set[str] = set()
    flipped: set[str | None] = set()
    for difference in differences:
        span = difference.path.partition("/")[0]
        follows = difference.action_id is not None and difference.action_id in flipped
        if not is_flip(difference):
            follows = (
                follows
                or span in broken
                or parent_of(difference) in broken
                or (difference.event_type == "session.ended" and bool(broken))
            )
        if difference.significance == "breaking":
            broken.add(span)
            flipped.add(difference.action_id)
        yield replace(difference, follows=follows)


def is_flip(difference: TraceDifference) -> bool:
    """Whether an action is decided otherwise."""
    _, _, place = difference.path.partition("/")
    return place == "decision" or "resolution.decisions[" in place


def _flips(
    before: Event, after: Event, found: Sequence[ValueChange]
) -> tuple[list[tuple[str, ValueChange]], list[ValueChange]]:
    """Actions that a resolution allows and the other denies, and the changes that are not of
    these."""
    old, new = _decisions(before), _decisions(after)
    flips = []
    for action_id, said in old.items():
        now = new.get(action_id)
        if now is not None and now.partition(" ")[0] != said.partition(" ")[0]:
            path = ("payload", "resolution", "decisions", Item(action_id))
            flips.append((text_of(path), ValueChange(path, "changed", said, now)))
    flipped = {change.path[3] for _, change in flips}
    return flips, [change for change in found if not _tells_flip(change, flipped)]


def _tells_flip(change: ValueChange, flipped: Collection[str | int]) -> bool:
    """Whether a change says only that an action is decided otherwise."""
    path = change.path
    if len(path) < 4 or path[2] not in ("allowed_actions", "denied_actions"):
        return False
    return path[3] in flipped and (len(path) == 4 or path[4] == "requires_approval")


def _decisions(event: Event) -> dict[str, str]:
    """By action: what a resolution decides of it."""
    resolution = (event.get("payload") or {}).get("resolution")
    if not isinstance(resolution, dict):
        return {}
    found = {}
    for action in objects_in(resolution, "allowed_actions"):
        asks = action.get("requires_approval")
        found[str(action.get("action_id"))] = "allowed, once approved" if asks else "allowed"
    for action in objects_in(resolution, "denied_actions"):
        said = f"denied by {action.get('policy_id')}: {action.get('reason')}"
        found[str(action.get("action_id"))] = said
    return found


def _rule_of(event: Event, action_id: str | None) -> str | None:
    """The rule by which a resolution denies an action."""
    denied = objects_in(event["payload"]["resolution"], "denied_actions")
    found = (one.get("policy_id") for one in denied if one.get("action_id") == action_id)
    return next(found, None)


def _said(event_type: str, payload: Mapping[str, Any] | None, *, full: bool = False) -> str:
    """What an event says, in a few words."""
    payload = payload or {}
    word = _DECISIONS.get(event_type)
    if word is None:
        return f"{event_type} {payload.get('action_id', '')}".strip()
    told = _decision_in(payload)
    rule = told.get("policy_id")
    by = f"{word} by {rule}" if rule else word
    if full:
        reason = told.get("reason")
        return f"{by}: {reason}" if reason and event_type != "action.approved" else by
    return f"{payload.get('action_id', '')} {by}".strip()


def _decision_in(payload: Mapping[str, Any]) -> Mapping[str, Any]:
    found = payload.get("decision")
    return found if isinstance(found, dict) else payload


def _reason(change: ValueChange) -> str:
    name = next(
        (str(step) for step in reversed(change.path) if not isinstance(step, int | Item)), "it"
    )
    words = {
        "changed": "is another",
        "inserted": "is new",
        "removed": "is gone",
        "moved": "is in another order",
    }
    return f"{name} {words[change.type]}"


def _action_in(change: ValueChange) -> str | None:
    """The action that a change of a resolution is about."""
    path = change.path
    is_of_action = path[:2] == ("payload", "resolution") and len(path) > 3
    return (
        str(path[3])
        if is_of_action and path[2] in ("allowed_actions", "decisions", "denied_actions")
        else None
    )


def _longest_rising(values: Sequence[int]) -> list[int]:
    """The places of a longest rising run of values."""
    tails: list[int] = []
    places: list[int] = []
    before: list[int] = []
    for at, value in enumerate(values):
        length = bisect_left(tails, value)
        if length == len(tails):
            tails.append(value)
            places.append(at)
        else:
            tails[length] = value
            places[length] = at
        before.append(places[length - 1] if length else -1)
    kept = []
    at = places[-1] if places else -1
    while at >= 0:
        kept.append(at)
        at = before[at]
    return kept[::-1]


def _on_other_side(
    pairs: Sequence[tuple[_Step, _Step]], others: Sequence[tuple[_Step, _Step]]
) -> dict[int, bool]:
    """By place: which steps had ended before one of the others began and begin after it has ended
    in the other trace, or the other way round; and whether they come later there."""
    by_end = sorted(others, key=lambda pair: pair[0].last)
    ends = [one.last for one, _ in by_end]
    latest = list(accumulate((twin.first for _, twin in by_end), max))
    by_start = sorted(others, key=lambda pair: -pair[0].first)
    starts = [-one.first for one, _ in by_start]
    soonest = list(accumulate((twin.last for _, twin in by_start), min))
    found = {}
    for at, (step, twin) in enumerate(pairs):
        before = bisect_left(ends, step.first)
        after = bisect_left(starts, -step.last)
        if after and soonest[after - 1] < twin.first:
            found[at] = True
        elif before and latest[before - 1] > twin.last:
            found[at] = False
    return found
