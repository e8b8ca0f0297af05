"""What the first and the last line of a session's screen say."""

from __future__ import annotations

import shlex
from array import array
from bisect import bisect_left
from pathlib import Path
from typing import Final, NamedTuple

from rich.cells import cell_len

from cra.amount import counted
from cra.printable import safe
from cra.tui.background import Scan
from cra.tui.listing import Part, wrapped
from cra.tui.narrowing import Narrowing
from cra.tui.source import Judgement

# How much of an id tells sessions apart.
_SHORT: Final = 13
# Text with its style in Textual's words.
Told = tuple[str, str]


def in_words(error: Exception) -> str:
    """What is wrong, in a line that is safe to show."""
    if isinstance(error, OSError):
        name = f": {Path(error.filename).name}" if isinstance(error.filename, str | Path) else ""
        return safe(f"{error.strerror or error}{name}")
    return safe(str(error).split("\n")[0])


def fault_lines(told: str, where: str | None, fix: str | None, columns: int) -> list[list[Part]]:
    """What is wrong, where, and the way out, in lines of so many columns."""
    lines: list[list[Part]] = [
        [(part, "bad")] for text in told.split("\n") for part in wrapped(safe(text), columns)
    ]
    for name, text in (("where", where), ("fix", fix)):
        if text:
            lines += [[(part, "dim")] for part in wrapped(f"{name}: {safe(text)}", columns)]
    return lines


class Trusted(NamedTuple):
    """How far a session can be trusted, as far as that is known."""

    judgement: Judgement | None = None
    # How much of it is verified, while it is.
    share: float | None = None
    problem: str = ""

    @property
    def told(self) -> Told:
        """The verdict in a few words."""
        found = self.judgement
        if self.problem:
            return f"not verified: {self.problem[:40]}", "bold $text-warning"
        if found is None:
            share = f" {self.share:.0%}" if self.share else ""
            return f"verifying{share}", "dim"
        again = " …" if self.share is not None else ""
        if found.is_sound:
            style = "bold $text-success" if found.verdict == "INTACT" else "bold $text-warning"
            return f"✓ {found.verdict} {found.level}{again}", style
        return f"✗ {found.verdict} {safe(found.place)}{again}", "bold $text-error"

    def explained(self, name: str) -> str:
        """What the verdict on a session rests on."""
        found = self.judgement
        if found is None:
            return self.problem or "it is being verified"
        place = f" {found.place}" if found.place else ""
        words = [f"{found.verdict}{safe(place)}, {found.level}"]
        words.append(safe(f"{found.code} {found.message}").strip())
        words.append(f"{counted(found.events, 'event')} in order, {found.covered:,} covered")
        words.append(safe(f"cra trace verify {shlex.quote(name)}"))
        return "\n".join(filter(None, words))


def head_of(name: str, place: tuple[str, str], chosen: Narrowing, columns: int) -> list[Told]:
    """Which session it is, whose, in which state, and which of its events are shown.

    What narrows them comes first where there is no room for all, and then whose it is.
    """
    agent, state = place
    own = [(f"  {safe(agent)}", ""), (f"  {state}", "dim")]
    clock = ("  times in UTC", "dim")
    narrowed = [(f"  {safe(one.told)}", "$text-warning") for one in chosen.quick]
    if chosen.expression:
        narrowed.insert(0, (f"  filter {safe(chosen.expression)}", "$text-warning"))
    heads = []
    short = name[:_SHORT]
    for known, whose in ((name, [*own, clock]), (name, own), (short, own), (short, [])):
        lead = [("cra trace  ", "bold $text-primary"), (safe(known), "bold")]
        heads.append([*lead, *whose, *narrowed])
    fitting = [head for head in heads if sum(cell_len(text) for text, _ in head) <= columns]
    return (fitting or heads[-1:])[0]


def hits_of(scan: Scan, words: str, number: int | None) -> Told:
    """How many events a search has found, and which of them an event is."""
    at = place_in(scan.numbers, number)
    place = f"{at + 1:,} of " if at is not None else ""
    going = f" … {scan.share:.0%}" if scan.is_running else ""
    hits = counted(len(scan.numbers), "hit")
    return f"  {safe(words)[:20]}: {place}{hits}{going}", "$text-primary"


def place_in(numbers: array[int], number: int | None) -> int | None:
    """Where a number is among some that rise; None if it is not."""
    at = bisect_left(numbers, number) if number is not None else len(numbers)
    return at if at < len(numbers) and numbers[at] == number else None
