"""The conditions of a rule, compiled into checks of a call.

What the caller states (its context, the tier of its task) only tightens: an allow rule holds
without it as well, and any other rule holds if it holds with or without it.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable, Iterator, Mapping
from typing import Any, Final, NamedTuple, TypeAlias

from cra.config import RiskTier
from cra.config.values import shown
from cra.errors import ValueRefused
from cra.policy.call import Call
from cra.policy.rule import Conditions, Rule, TimeWindow
from cra.policy.schema import compile_schema, shape_of

# Whether a condition holds; None: not to be told while resolving. Raises ValueRefused.
Test: TypeAlias = Callable[[Call], bool | None]

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


class Check(NamedTuple):
    """One condition, by its key in the document."""

    name: str
    test: Test


def caller_miss(
    wanted: Conditions, agent: str, roles: frozenset[str], scopes: frozenset[str]
) -> str | None:
    """The first condition on who calls that does not hold, whatever is called."""
    if wanted.agents and agent not in wanted.agents:
        return "agents"
    if wanted.roles and not wanted.roles & roles:
        return "roles"
    return "scopes" if wanted.scopes and not wanted.scopes & scopes else None


def fixed_miss(rule: Rule, call: Call, tiers: frozenset[RiskTier]) -> str | None:
    """The first condition on who calls that does not hold.

    `tiers` are the action's own and the effective one.
    """
    wanted = rule.conditions
    missed = caller_miss(wanted, call.agent, call.roles, call.scopes)
    if missed is not None:
        return missed
    if wanted.risk_tiers:
        fits = tiers <= wanted.risk_tiers if rule.type == "allow" else tiers & wanted.risk_tiers
        if not fits:
            return "risk_tiers"
    return None


def words_of_conditions(wanted: Conditions) -> tuple[str, ...]:
    """What has to hold for a rule to apply, each condition in a few words; nothing for none."""
    named = {
        "for the agent": wanted.agents,
        "for the role": wanted.roles,
        "with the scope": wanted.scopes,
        "at the risk": wanted.risk_tiers,
    }
    words = [f"{what} {' or '.join(sorted(names))}" for what, names in named.items() if names]
    words += [
        f"if {key} is {' or '.join(map(shown, values))}"
        for key, values in (wanted.context or {}).items()
    ]
    if wanted.time_window is not None:
        words.append(_words_of_window(wanted.time_window))
    if wanted.parameters is not None:
        words.append(f"if the arguments fit {_text(wanted.parameters)}")
    return tuple(words)


def words_of_rule(rule: Rule) -> str:
    """All that a rule says but for its reason, in words: two that differ read differently."""
    about = "everything" if rule.patterns is None else ", ".join(map(str, rule.patterns))
    limit = rule.limit
    words = [rule.type, about]
    if limit is not None:
        words.append(f"to {limit.maximum} in {limit.window_seconds} s per {limit.per}")
    if rule.approvers:
        words.append(f"by {' or '.join(rule.approvers)}")
    if rule.settings:
        words.append(_text(rule.settings))
    if rule.priority:
        words.append(f"with priority {rule.priority}")
    return " ".join([*words, ", ".join(words_of_conditions(rule.conditions))]).rstrip()


def _words_of_window(window: TimeWindow) -> str:
    days = " or ".join(DAYS[day] for day in sorted(window.days))
    sign, offset = "-" if window.utc_offset < 0 else "+", abs(window.utc_offset)
    hours = f"{_clock(window.start)} to {_clock(window.end)} UTC{sign}{_clock(offset)}"
    return f"on {days} {hours}" if len(window.days) < len(DAYS) else f"from {hours}"


def _clock(minutes: int) -> str:
    return f"{minutes // 60:02}:{minutes % 60:02}"


def _text(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def checks_of(rule: Rule) -> tuple[Check, ...]:
    """The conditions that each call has to be looked at for. Raises ValueRefused for a bad one."""
    return tuple(_checks(rule.conditions, grants=rule.type == "allow"))


def _checks(wanted: Conditions, *, grants: bool) -> Iterator[Check]:
    if wanted.context is not None:
        yield Check("context", _context_test(wanted.context, grants=grants))
    if wanted.time_window is not None:
        yield Check("time_window", _time_test(wanted.time_window))
    if wanted.parameters is not None:
        yield Check("parameters", _parameters_test(wanted.parameters, grants=grants))


def _context_test(wanted: Mapping[str, tuple[Any, ...]], *, grants: bool) -> Test:
    pairs = [(key, frozenset(map(_tagged, values))) for key, values in wanted.items()]

    def test(call: Call) -> bool:
        for key, accepted in pairs:
            fits = _fits(call.trusted_context, key, accepted)
            # Asked in any case: a value that cannot be compared is an error.
            if not grants and _fits(call.context, key, accepted):
                fits = True
            if not fits:
                return False
        return True

    return test


def _fits(context: Mapping[str, Any], key: str, accepted: frozenset[tuple[bool, Any]]) -> bool:
    if key not in context:
        return False
    value = context[key]
    if type(value) not in _SCALARS or (type(value) is float and not math.isfinite(value)):
        raise ValueRefused(
            f"expected a text, a number, true, false or null as {key} of the context, "
            f"found {'another number' if type(value) is float else type(value).__name__}"
        )
    return _tagged(value) in accepted


def _tagged(value: Any) -> tuple[bool, Any]:
    # In Python, True == 1.
    return isinstance(value, bool), value


_SCALARS: Final = frozenset([str, int, float, bool, type(None)])


def _time_test(window: TimeWindow) -> Test:
    def test(call: Call) -> bool | None:
        if call.moment is None:
            return None
        if type(call.moment.now) is not int:
            raise ValueRefused(f"expected a time in whole seconds, found {call.moment.now!r}")
        day, minute = divmod(call.moment.now // 60 + window.utc_offset, 24 * 60)
        # 1970-01-01 is a Thursday.
        today, yesterday = (day + 3) % 7 in window.days, (day + 2) % 7 in window.days
        if window.start < window.end:
            return today and window.start <= minute < window.end
        return (today and minute >= window.start) or (yesterday and minute < window.end)

    return test


def _parameters_test(schema: Mapping[str, Any], *, grants: bool) -> Test:
    wanted = compile_schema(schema, typed=True)
    # Arguments of other types than a rule is about do not escape it.
    shape = None if grants else compile_schema(shape_of(schema))

    def test(call: Call) -> bool | None:
        if call.moment is None:
            return None
        arguments = call.moment.arguments
        if wanted.accepts(arguments):
            return True
        if shape is not None and not shape.validator.is_valid(arguments):
            raise ValueRefused(f"in the arguments, {shape.flaws(arguments)[0]}")
        return False

    return test
