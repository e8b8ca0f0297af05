"""Everything that cra prints: the answer goes to stdout, words about the run go to stderr.

Recorded data passes `safe` before a terminal sees it; `table` does that by itself. JSON is never
cut, coloured or wrapped. Colour is for terminals, and for nobody who set NO_COLOR.
"""

from __future__ import annotations

import os
import sys
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from typing import IO, TYPE_CHECKING, Any, Final, NamedTuple

from cra.errors import CraError, UsageError
from cra.printable import is_plain
from cra.printable import safe as safe  # noqa: PLC0414  # every command calls it by this module
from cra.printable import width as width  # noqa: PLC0414

if TYPE_CHECKING:
    from cra.cli.answers.project import ErrorAnswer

# Escape sequences by what they mean; a cell with any other style is printed plainly.
STYLES: Final = {"accent": "36", "good": "32", "warn": "33", "bad": "31"}

_SILENT_SECONDS: Final = 0.5
_REDRAW_SECONDS: Final = 0.1
_NARROWEST: Final = 8
_LINE: Final = 80
_GAP: Final = "  "
# From how many characters on the beginning of a secret says something of it.
_TELLING: Final = 8


class Cell(NamedTuple):
    """A table's cell with a style of STYLES."""

    text: str
    style: str = ""


class _Volume:
    quiet = False
    verbose = False


_volume: Final = _Volume()


def prepare() -> None:
    """Make both streams UTF-8 that never fails: what is no text is shown as an escape."""
    _volume.quiet = _volume.verbose = False
    for name in ("stdout", "stderr"):
        stream = getattr(sys, name)
        if stream is None:  # closed by the caller: `cra … >&-`
            setattr(sys, name, open(os.devnull, "w", encoding="utf-8"))  # noqa: SIM115
        elif hasattr(stream, "reconfigure"):
            stream.reconfigure(encoding="utf-8", errors="backslashreplace")


def settle() -> None:
    """Let go of a stream that nobody reads, so that nothing complains about it at exit."""
    for stream in (sys.stdout, sys.stderr):
        try:
            stream.flush()
        except OSError:
            nowhere = os.open(os.devnull, os.O_WRONLY)
            os.dup2(nowhere, stream.fileno())
            os.close(nowhere)


def set_quiet(value: bool) -> None:
    _volume.quiet = value


def set_verbose(value: bool) -> None:
    _volume.verbose = value


def is_quiet() -> bool:
    return _volume.quiet


def is_verbose() -> bool:
    return _volume.verbose


def answer(text: str = "") -> None:
    """Print the answer or a line of it. Recorded data in it has been through `safe`."""
    _write(text + "\n")


def answer_json(value: Any) -> None:
    """Print the answer as one JSON document."""
    _write(_json(value, indent=2) + "\n")


def answer_jsonl(values: Iterable[Any]) -> None:
    """Print the answer as one JSON document per line."""
    for value in values:
        _write(_json(value) + "\n")


def answer_bytes(parts: Iterable[bytes]) -> None:
    """Hand over the answer as it is, to a file or a pipe."""
    flush()
    for part in parts:
        try:
            sys.stdout.buffer.write(part)
        except BrokenPipeError:
            raise
        except OSError as error:
            raise _unwritable(error) from error


def flush() -> None:
    """Hand over what was printed; a command that follows events does so after each batch."""
    try:
        sys.stdout.flush()
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(error) from error


def is_abandoned() -> bool:
    """Whether the reader of stdout has left, which whoever only waits is not told."""
    from select import poll

    try:
        descriptor = sys.stdout.fileno()
    except OSError:  # no stream of the system's
        return False
    waiting = poll()
    waiting.register(descriptor, 0)  # an error and the other end's closing are told unasked
    return bool(waiting.poll(0))


def tell(text: str, *, detail: bool = False) -> None:
    """Say something about the run, unless --quiet; a detail only with --verbose."""
    if not _volume.quiet and (_volume.verbose or not detail):
        _say(_told(text) + "\n")


def report(error: CraError, *, as_json: bool, words: Sequence[str] = ()) -> None:
    """Print an error: what is wrong, where, and what mends it; with --verbose also how it came.

    What reads like a secret is not shown; one in the words of the command line, not even its
    beginning.
    """
    hide = _hiding(words)
    error.message = hide(error.message)
    error.where, error.fix = (text and hide(text) for text in (error.where, error.fix))
    if as_json:
        facts: ErrorAnswer = {
            "error": {
                "code": error.code,
                "message": error.message,
                "where": error.where,
                "fix": error.fix,
            }
        }
        _say(_json(facts) + "\n")
    else:
        first, *others = error.message.split("\n")
        label = f"error[{error.code}]:"
        lines = [f"{label} {safe(first)}"]
        lines += [f"  {safe(line)}" for line in others]
        ways = (("where", error.where), ("fix", error.fix))
        lines += [f"  {name}: {safe(text)}" for name, text in ways if text]
        told = _told("\n".join(lines)).removeprefix(label)
        _say(style(label, "bad", sys.stderr) + told + "\n")
    if _volume.verbose:
        from traceback import format_exception

        _say(hide("".join(format_exception(error))))


def discreet(text: str) -> str:
    """Text without what reads like a secret, where it may repeat what a file holds."""
    return _hiding(())(text)


def confirm(question: str, *, yes: bool) -> bool:
    """Whether the user wants it; `yes` is the answer given in advance.

    Raises UsageError where there is no terminal to ask on, and KeyboardInterrupt for no answer.
    """
    if yes:
        return True
    if not is_interactive():
        raise UsageError(f"expected a terminal to ask: {question}", fix="add --yes")
    return _reply(f"{question} [y/N] ").lower() in {"y", "yes"}


def ask(question: str, default: str) -> str:
    """What the user answers on a terminal; the default for an empty line.

    Raises KeyboardInterrupt for no answer.
    """
    return _reply(f"{question} [{safe(default)}] ") or default


def is_interactive() -> bool:
    """Whether a question can be asked and answered."""
    return sys.stdin is not None and sys.stdin.isatty() and sys.stderr.isatty()


def style(text: str, name: str, stream: IO[str] | None = None) -> str:
    """Text in a style of STYLES, if the stream (stdout unless named) shows colour."""
    if name not in STYLES or not _shows_colour(stream or sys.stdout):
        return text
    return f"\x1b[{STYLES[name]}m{text}\x1b[0m"


def table(
    rows: Iterable[Sequence[str | int | Cell]],
    headers: Sequence[str],
    *,
    cut: Collection[str] = (),
) -> None:
    """Print rows in aligned columns. One of integers, or of `?` for those that are not known, has
    them to the right and with separators.

    On a terminal that is too narrow the widest of the columns that `cut` names is shortened, with
    `…` at its end. All others stay whole, and so does everything in a file or a pipe.
    """
    body = list(rows)
    columns = range(len(headers))
    to_right = [_are_numbers([row[at] for row in body]) for at in columns]
    lines = [[Cell(header, "accent") for header in headers]]
    lines += [[_cell(value) for value in row] for row in body]
    widths = [max(width(line[at].text) for line in lines) for at in columns]
    _fit(widths, [at for at in columns if headers[at] in cut])
    for line in lines:
        parts = [_padded(line[at], widths[at], to_right=to_right[at]) for at in columns]
        _write(_GAP.join(parts).rstrip(" ") + "\n")


def wrapped(text: str, *, indent: str = "", hang: str = "") -> str:
    """Recorded text as safe lines of 80 columns; `hang` is added to the indent of all but the
    first. A word that is longer stays whole."""
    from textwrap import fill

    return fill(
        safe(text),
        _LINE,
        initial_indent=indent,
        subsequent_indent=indent + hang,
        break_long_words=False,
        break_on_hyphens=False,
    )


def labelled(label: str, name: str, text: str) -> str:
    """Recorded text, as `fitted` has it, behind a label in a style of STYLES."""
    return style(label, name) + fitted(label + text).removeprefix(label)


def fitted(text: str, *, indent: str = "") -> str:
    """Recorded text as `wrapped` has it on a terminal; elsewhere one safe line, which programs
    read."""
    return wrapped(text, indent=indent, hang="  ") if sys.stdout.isatty() else indent + safe(text)


@contextmanager
def progress(total: int, label: str) -> Iterator[Callable[[int], None]]:
    """Give `advance(count)`; a line on a terminal follows it, from half a second on."""
    done, is_drawn = 0, False
    is_shown = sys.stderr.isatty() and not _volume.quiet
    due = time.monotonic() + _SILENT_SECONDS

    def advance(count: int) -> None:
        nonlocal done, is_drawn, due
        done += count
        if is_shown and (now := time.monotonic()) >= due:
            share = f"{min(100, done * 100 // max(1, total)):3}%"
            _say(f"\r{label} {style(share, 'accent', sys.stderr)} {done:,} of {total:,}\x1b[K")
            is_drawn, due = True, now + _REDRAW_SECONDS

    try:
        yield advance
    finally:
        if is_drawn:
            _say("\r\x1b[K")


@contextmanager
def working(label: str) -> Iterator[None]:
    """Tell that work goes on which cannot say how far it is: on a terminal, from half a second
    on."""
    if not sys.stderr.isatty() or _volume.quiet:
        yield
        return
    from threading import Event, Thread

    begun, is_done = time.monotonic(), Event()

    def draw() -> None:
        pause = _SILENT_SECONDS
        while not is_done.wait(pause):
            _say(f"\r{label} {time.monotonic() - begun:.1f} s\x1b[K")
            pause = _REDRAW_SECONDS
        if pause == _REDRAW_SECONDS:
            _say("\r\x1b[K")

    drawing = Thread(target=draw, daemon=True)
    drawing.start()
    try:
        yield
    finally:
        is_done.set()
        drawing.join()


def _hiding(words: Sequence[str]) -> Callable[[str], str]:
    """What takes secrets out of a text that may repeat words, or only how they begin."""
    from cra.redaction.detect import DEFAULT, find  # 10 ms, and most commands succeed

    stated = {
        form: found.kind
        for word in words
        for found in find(DEFAULT, word)
        for secret in [word[found.start : found.end]]
        for form in (secret, repr(secret)[1:-1])
    }

    def hide(text: str) -> str:
        for secret, kind in stated.items():
            lengths = range(len(secret), _TELLING - 1, -1)
            told = next((secret[:length] for length in lengths if secret[:length] in text), None)
            text = text.replace(told, f"[redacted {kind}]") if told else text
        for found in reversed(find(DEFAULT, text)):
            text = f"{text[: found.start]}[redacted {found.kind}]{text[found.end :]}"
        return text

    return hide


def _told(text: str) -> str:
    """Words about the run in lines that a terminal has room for; elsewhere as they are.

    A line with an escape sequence, and a command to be copied, is left whole.
    """
    if not sys.stderr.isatty():
        return text
    return "\n".join(
        line
        if len(line) <= _LINE or "\x1b" in line or _is_command(line)
        else wrapped(line.lstrip(" "), indent=line[: len(line) - len(line.lstrip(" "))], hang="  ")
        for line in text.split("\n")
    )


def _is_command(line: str) -> bool:
    return line.strip().removeprefix("fix: ").removeprefix("next: ").startswith("cra ")


def _reply(question: str) -> str:
    """The line that is typed after a question. The end of input, Ctrl-D, is none: it ends the
    command as Ctrl-C does."""
    _say(question)
    line = sys.stdin.readline()
    if not line:
        raise KeyboardInterrupt
    return line.strip()


def _write(text: str) -> None:
    try:
        sys.stdout.write(text)
    except BrokenPipeError:
        raise
    except OSError as error:
        raise _unwritable(error) from error


def _unwritable(error: OSError) -> CraError:
    return CraError(f"expected to write the answer to stdout, found: {error.strerror}")


def _say(text: str) -> None:
    # What is said about the run is no reason to fail when nobody listens.
    with suppress(OSError):
        sys.stderr.write(text)
        sys.stderr.flush()


def _json(value: Any, *, indent: int | None = None) -> str:
    import json

    text = json.dumps(value, ensure_ascii=False, indent=indent)
    if text.isascii() and "\x7f" not in text:
        return text
    return "".join(
        char if char == "\n" or is_plain(char) else _escaped_in_json(char) for char in text
    )


def _escaped_in_json(char: str) -> str:
    units = char.encode("utf-16-be", "surrogatepass").hex()
    return "".join(f"\\u{units[at : at + 4]}" for at in range(0, len(units), 4))


def _shows_colour(stream: IO[str]) -> bool:
    return stream.isatty() and not os.environ.get("NO_COLOR") and os.environ.get("TERM") != "dumb"


def _columns() -> int | None:
    """How wide the reader's terminal is; None if it is no terminal."""
    stated = os.environ.get("COLUMNS", "")
    if stated.isascii() and stated.isdigit() and int(stated) > 0:
        return int(stated)
    try:
        return os.get_terminal_size(sys.stdout.fileno()).columns or None
    except OSError:
        return None


def _are_numbers(column: Sequence[str | int | Cell]) -> bool:
    rest = [value for value in column if not isinstance(value, int)]
    return len(rest) < len(column) and all(value == "?" for value in rest)


def _cell(value: str | int | Cell) -> Cell:
    if isinstance(value, Cell):
        return Cell(safe(value.text), value.style)
    return Cell(f"{value:,}" if isinstance(value, int) else safe(value))


def _fit(widths: list[int], flexible: Sequence[int]) -> None:
    available = _columns()
    if available is None:
        return
    room = available - len(_GAP) * (len(widths) - 1)
    while sum(widths) > room:
        widest = max(flexible, key=widths.__getitem__, default=None)
        if widest is None or widths[widest] <= _NARROWEST:
            return
        widths[widest] -= 1


def _padded(cell: Cell, room: int, *, to_right: bool) -> str:
    text = _shortened(cell.text, room)
    space = " " * (room - width(text))
    shown = style(text, cell.style)
    return space + shown if to_right else shown + space


def _shortened(text: str, room: int) -> str:
    if width(text) <= room:
        return text
    while width(text) >= room:
        text = text[:-1]
    return text + "…"
