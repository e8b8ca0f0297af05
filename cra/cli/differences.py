"""Differences of two traces: in facts for programs, and side by side for people."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from shutil import get_terminal_size
from textwrap import wrap
from typing import TYPE_CHECKING, Final

from cra.cli import output
from cra.replay.compare import TraceDifference
from cra.replay.differing import MARKS, steps_around, text_of
from cra.replay.reading import Trace

if TYPE_CHECKING:
    from cra.cli.answers.replay import DifferenceFacts

_STYLES: Final = {"breaking": "bad", "minor": "warn"}
_NARROW: Final = 80
_WIDE: Final = 160
_MAX_SHOWN: Final = 10
_MAX_LINES: Final = 12


def difference_facts(one: TraceDifference) -> DifferenceFacts:
    return {
        "path": one.path,
        "type": one.type,
        "significance": one.significance,
        "reason": one.reason,
        "before": one.before,
        "after": one.after,
        "event_type": one.event_type or None,
        "action_id": one.action_id,
        "golden": one.golden,
        "found": one.found,
        "follows": one.follows,
        "policy_id": one.policy_id,
    }


def show_differences(
    differences: Sequence[TraceDifference], golden: Path, *, all_of_them: bool = False
) -> None:
    """Print differences with what is around them in the golden, the first divergence first."""
    own = [one for one in differences if all_of_them or not one.follows]
    shown = own if all_of_them else own[:_MAX_SHOWN]
    with Trace(golden) as trace:
        for one in shown:
            _show(one, trace)
    left = len(differences) - len(shown)
    if left:
        output.answer(f"\n  and {left} more; --verbose shows all, --json too")


def _show(one: TraceDifference, trace: Trace) -> None:
    told = f"{MARKS[one.type]} {one.significance}"
    mark = output.style(told, _STYLES[one.significance])
    lead = " " * len(f"  {told}  ")
    output.answer()
    head = output.wrapped(one.told, indent=lead).removeprefix(lead)
    output.answer(f"  {mark}  {head}")
    output.answer(f"    {output.safe(one.path)}")
    rows = list(_sides(one))
    if not one.follows:
        before, after = steps_around(one, trace)
        rows = [
            *((str(number), " ", words, words) for number, words in before),
            *rows,
            *((str(number), " ", words, "…") for number, words in after),
        ]
    if rows:
        _show_rows(rows)


def _sides(one: TraceDifference) -> Iterator[tuple[str, str, str, str]]:
    number = "" if one.golden is None else str(one.golden)
    before = text_of(one.before) if one.type != "inserted" else ""
    after = text_of(one.after) if one.type != "removed" else ""
    if before or after:
        yield number, MARKS[one.type], before, after


def _show_rows(rows: Sequence[tuple[str, str, str, str]]) -> None:
    """Two columns from 80 columns up, under their names."""
    room = max(_NARROW, min(_WIDE, get_terminal_size().columns))
    number = max(len(row[0]) for row in rows)
    half = (room - 4 - number - 3 - 3) // 2
    lead, gap = " " * (4 + number + 3), " " * (half - len("golden"))
    golden, now = (output.style(word, "accent") for word in ("golden", "now"))
    output.answer(f"{lead}{golden}{gap} │ {now}")
    for sequence, mark, before, after in rows:
        left, right = _lines(before, half), _lines(after, half)
        for at in range(max(len(left), len(right))):
            first = sequence if at == 0 else ""
            one = left[at] if at < len(left) else ""
            other = right[at] if at < len(right) else ""
            space = " " * (half - output.width(one))
            output.answer(f"    {first:>{number}} {mark} {one}{space} │ {other}".rstrip())


def _lines(text: str, room: int) -> list[str]:
    lines = [
        part
        for line in text.split("\n")
        for part in (wrap(output.safe(line), room, drop_whitespace=False) or [""])
    ]
    if len(lines) <= _MAX_LINES:
        return lines
    return [*lines[: _MAX_LINES - 1], f"… {len(lines) - _MAX_LINES + 1} more lines"]
