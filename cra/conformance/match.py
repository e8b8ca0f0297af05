"""What an answer has to be, with placeholders for what nobody can know before.

An expected object asks for its own members and no more, a list for as many items in their order,
and `<id>`, `<time>`, `<share>`, `<text>`, `<texts>` and `<any>` for a value of that kind. One with
a name, as `<id:call>`, is the same value wherever it stands in a case, and of ids two names are two
values.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterator, Mapping
from datetime import datetime
from typing import Any, Final

from cra.conformance.report import Difference
from cra.ledger.source import later

_PLACEHOLDER: Final = re.compile(r"<(id|time|share|text|texts|any)(?::([a-z][a-z0-9-]*))?>")
_NOW: Final = re.compile(r"<now([+-][0-9]{1,6})?>")
_ID: Final = re.compile("[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}")
_TIME: Final = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}(?:\.[0-9]+)?Z")


class Names:
    """What the named placeholders of a case stand for, as far as that is known."""

    def __init__(self, ids: Mapping[str, str]) -> None:
        self._known: dict[str, Any] = {f"<id:{name}>": value for name, value in ids.items()}

    def filled(self, value: Any, now: str) -> Any:
        """A request with the values of its placeholders; one that stands for nothing is left."""
        if isinstance(value, dict):
            return {key: self.filled(member, now) for key, member in value.items()}
        if isinstance(value, list):
            return [self.filled(item, now) for item in value]
        moved = _NOW.fullmatch(value) if isinstance(value, str) else None
        if moved is not None:
            return later(now, int(moved[1] or 0))
        return self._known.get(value, value) if isinstance(value, str) else value

    def differences(
        self, expected: Any, found: Any, at: str, *, is_whole: bool = False
    ) -> Iterator[Difference]:
        """Where a value is not the expected one; `is_whole`: an object has no other members."""
        placeholder = _PLACEHOLDER.fullmatch(expected) if isinstance(expected, str) else None
        if placeholder is not None:
            if not self._stands_for(placeholder, found):
                yield Difference(at, self._meaning(expected), _text(found))
        elif isinstance(expected, dict) and isinstance(found, dict):
            yield from self._members(expected, found, at, is_whole)
        elif isinstance(expected, list) and isinstance(found, list):
            if len(expected) != len(found):
                yield Difference(at, f"{len(expected)} items", f"{len(found)}: {_text(found)}")
            for number, (one, other) in enumerate(zip(expected, found, strict=False)):
                yield from self.differences(one, other, f"{at}[{number}]", is_whole=is_whole)
        # In Python, True == 1.
        elif isinstance(expected, bool) != isinstance(found, bool) or expected != found:
            yield Difference(at, _text(expected), _text(found))

    def _members(
        self, expected: dict[str, Any], found: dict[str, Any], at: str, is_whole: bool
    ) -> Iterator[Difference]:
        for key, value in expected.items():
            if key in found:
                inner = self.differences(value, found[key], f"{at}.{key}", is_whole=is_whole)
                yield from inner
            else:
                yield Difference(f"{at}.{key}", _text(value), "no such member")
        for key in sorted(found.keys() - expected.keys()) if is_whole else ():
            yield Difference(f"{at}.{key}", "no such member", _text(found[key]))

    def _meaning(self, placeholder: str) -> str:
        if placeholder not in self._known:
            return placeholder
        return f"{placeholder}, which is {_text(self._known[placeholder])}"

    def _stands_for(self, placeholder: re.Match[str], found: Any) -> bool:
        whole, (kind, name) = placeholder[0], placeholder.groups()
        if not _KINDS[kind](found):
            return False
        if name is None:
            return True
        if whole not in self._known and kind == "id" and found in self._known.values():
            return False
        return bool(self._known.setdefault(whole, found) == found)


def _text(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and value != ""


def _is_time(value: Any) -> bool:
    if not isinstance(value, str) or not _TIME.fullmatch(value):
        return False
    try:
        datetime.fromisoformat(value)
    except ValueError:
        return False
    return True


_KINDS: Final[Mapping[str, Callable[[Any], bool]]] = {
    "id": lambda value: isinstance(value, str) and _ID.fullmatch(value) is not None,
    "time": _is_time,
    "share": lambda value: type(value) in (int, float) and 0 <= value <= 1,
    "text": _is_text,
    "texts": lambda value: isinstance(value, list) and all(map(_is_text, value)),
    "any": lambda _: True,
}
