"""The viewer without a terminal: pressed keys, and what is seen then."""

from __future__ import annotations

import asyncio
import re
from collections.abc import Awaitable, Callable
from html import unescape
from pathlib import Path
from typing import Any

from textual.pilot import Pilot

from cra.ledger.memory import Memory
from cra.ledger.verify import Trust
from cra.tui.app import TraceApp
from cra.tui.setting import OpenProject, Setting

WIDE, SMALL = (120, 36), (80, 24)
_TEXT = re.compile(r'<text[^>]* x="([\d.]+)"[^>]*-line-(\d+)\)"[^>]*>([^<]*)</text>')
# How wide a column is in the picture.
_COLUMN = 12.2

Script = Callable[[Pilot[None]], Awaitable[Any]]


def setting_of(
    directory: Path, *, project: OpenProject | None = None, root: Path | None = None
) -> Setting:
    state = directory.parent / "state"
    # With SSH_TTY, copies go to the terminal and no program of the machine is run.
    environ = {"SSH_TTY": "/dev/pts/0"}
    return Setting(directory, state, Trust(), Memory(None), environ, "kim", project, root)


def reading(path: Path, **options: Any) -> TraceApp:
    """The viewer on one session."""
    return TraceApp(setting_of(path.parent), path, **options)


def viewed(
    app: TraceApp, script: Script, size: tuple[int, int] = WIDE, *, notifies: bool = False
) -> Any:
    """What a script comes to that presses keys in the viewer, which may tell of something over its
    lower right corner."""

    async def driven() -> Any:
        async with app.run_test(size=size, notifications=notifies) as pilot:
            await settled(pilot)
            return await script(pilot)

    return asyncio.run(driven())


async def press(pilot: Pilot[None], *keys: str) -> str:
    """What is seen once everything has come to rest after some keys."""
    await pilot.press(*keys)
    return await settled(pilot)


async def until(pilot: Pilot[None], words: str) -> str:
    """What is seen once some words are, however long the machine takes."""
    for _ in range(60):
        shown = await settled(pilot)
        if words in shown:
            return shown
    raise AssertionError(f"expected {words}, found {shown}")


async def settled(pilot: Pilot[None]) -> str:
    """What is seen once no thread works, and none is about to."""
    await at_rest(pilot)
    return seen(pilot)


async def at_rest(pilot: Pilot[None]) -> None:
    """Wait until no thread works, and none is about to."""
    quiet = 0
    while quiet < 4:
        await pilot.pause(0.05)
        is_busy = any(not worker.is_finished for worker in pilot.app.workers)
        quiet = 0 if is_busy else quiet + 1


def seen(pilot: Pilot[None]) -> str:
    """The lines of the screen."""
    lines: dict[int, str] = {}
    for x, line, text in _TEXT.findall(pilot.app.export_screenshot()):
        words = unescape(text).replace("\xa0", " ").rstrip("\n")
        known = lines.get(int(line), "").ljust(round(float(x) / _COLUMN))
        lines[int(line)] = known + words
    return "\n".join(text for _, text in sorted(lines.items()))
