"""What each error code means, and what mends it: the pages of `cra explain CRA-1234`."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from functools import cache
from textwrap import fill
from typing import Final, NamedTuple

from cra.cli.pages.page import ErrorPage
from cra.errors import Code, CraError, ExitCode, Fault, NotFound
from cra.printable import did_you_mean

_HEADINGS: Final = {"happened": "What happened", "matters": "Why it matters"}
_PREFACE: Final = """\
# Error codes

`cra explain CODE` shows one of these pages. In an example, `...` stands for what differs from case
to case, and `$SESSION` for the id of a session.
"""


class Meaning(NamedTuple):
    """What `cra.errors` calls a code, what a command that fails so ends with, and its page."""

    name: str
    exit_code: int
    page: ErrorPage


def meaning_of(code: str) -> Meaning:
    """The page of a code. Raises NotFound."""
    for found, name, exit_code in _codes():
        if found == code:
            return Meaning(name, int(exit_code), pages()[code])
    raise NotFound(
        f"expected a code of cra, found {code:.20}{did_you_mean(code, pages())}",
        fix="cra help errors",
    )


@cache
def pages() -> Mapping[str, ErrorPage]:
    """The page of each code, in the order of the codes."""
    from cra.cli.pages import stored, usage, working

    return dict(sorted({**usage.PAGES, **stored.PAGES, **working.PAGES}.items()))


def page_lines(page: ErrorPage) -> Iterator[tuple[str, list[str]]]:
    """The parts of a page under their headings, as lines for a terminal."""
    for name, heading in _HEADINGS.items():
        yield heading, [fill(getattr(page, name), 80, initial_indent="  ", subsequent_indent="  ")]
    steps = [
        line for step in page.mend for line in (step.text, f"  {step.command}") if line.strip()
    ]
    yield "How to mend it", [f"  {line}" for line in steps]
    yield "Example", [_folded(line) for line in page.example.splitlines()]


def document() -> str:
    """All pages as Markdown: docs/reference/errors.md."""
    parts = [_PREFACE]
    for code, page in pages().items():
        mend = [f"- {one.text}" + (f" `{one.command}`" if one.command else "") for one in page.mend]
        steps = "\n".join(mend)
        exits = meaning_of(code).exit_code
        parts.append(
            f"## {code}\n\n**{page.title}.** Exit code {exits}.\n\n{page.happened}\n\n"
            f"{page.matters}\n\n{steps}\n\n```console\n{page.example}```\n"
        )
    return "\n".join(parts)


def _folded(line: str) -> str:
    """A line of an example, which is folded where it is wider than a page."""
    indent = line[: len(line) - len(line.lstrip())] + "  "
    return fill(
        line.lstrip(),
        80,
        initial_indent=indent,
        subsequent_indent=f"{indent}  ",
        break_long_words=False,
        break_on_hyphens=False,
    )


def _codes() -> Iterator[tuple[str, str, ExitCode]]:
    """Every code of `cra.errors`, what it is called there, and its exit code."""
    yield from ((fault.value, fault.name, ExitCode.USAGE) for fault in Fault)
    for finding in Code:
        # What a killed writer leaves behind is found, and is nothing bad.
        is_harmless = finding is Code.PARTIAL_LINE
        exit_code = ExitCode.OK if is_harmless else ExitCode.INTEGRITY
        yield finding.value, finding.name, exit_code
    waiting: list[type[CraError]] = [CraError]
    while waiting:
        kind = waiting.pop()
        if "code" in vars(kind):
            yield kind.code, kind.__name__, kind.exit_code
        waiting += kind.__subclasses__()
