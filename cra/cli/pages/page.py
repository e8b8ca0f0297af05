"""What a page of an error code holds."""

from __future__ import annotations

from typing import NamedTuple


class Step(NamedTuple):
    """A way to mend it, with the command for it, if there is one."""

    text: str
    command: str = ""


class ErrorPage(NamedTuple):
    """In the example, `...` stands for what differs from case to case."""

    title: str
    happened: str
    matters: str
    mend: tuple[Step, ...]
    example: str
