"""A command line that typer cannot read: what was expected, and what was probably meant."""

from __future__ import annotations

import re
import shlex
from collections.abc import Mapping, Sequence
from contextlib import suppress
from itertools import takewhile
from typing import TYPE_CHECKING, Any, Final

from typer._click.exceptions import MissingParameter, NoSuchOption
from typer.core import TyperArgument

from cra.cli.commands import COMMANDS, joined, nearest_path
from cra.cli.group import LazyGroup, load, split_help
from cra.errors import CraError, UsageError
from cra.printable import did_you_mean

if TYPE_CHECKING:
    from typer import TyperException

_EXTRA: Final = re.compile(r"Got unexpected extra argument\(s\) \((.*)\)", re.DOTALL)
_PARAM: Final = "--param"
# What tells which there are to name: an example of the help has those of another project.
_LISTED: Final = {
    "approvals deny": "cra approvals list",
    "approvals grant": "cra approvals list",
    "atlas add": "cra atlas create PATH makes one",
    "atlas remove": "cra atlas list",
    "atlas show": "cra atlas list",
    "trace diff": "cra trace list",
    "trace redact": "cra trace show last",
    "trace verify-proof": "cra trace prove EVENT makes one",
}


def usage_error(error: TyperException, arguments: Sequence[str]) -> UsageError:
    """typer's word on a command line, in the form of every other error."""
    path = nearest_path(arguments)
    message, fix = error.format_message().rstrip("."), f"cra {joined(path, '--help')}"
    context = getattr(error, "ctx", None)
    extra = _EXTRA.fullmatch(message)
    if isinstance(error, NoSuchOption):
        message = f"{error.message}{_other_option(error, context, arguments)}"
        if context is not None and isinstance(context.command, LazyGroup):
            fix = _in_order(error.option_name, path, arguments) or fix
    elif isinstance(error, MissingParameter) and context is not None:
        message, fix = _missing(error, context, path, arguments)
    elif extra:
        message = f"expected no more words, found {extra[1]}"
        if context is not None and _PARAM in _options(context):
            message += _as_parameter(extra[1], arguments) or _named(extra[1], context.params)
    return UsageError(message[:1].lower() + message[1:], fix=fix)


def _options(context: Any) -> list[str]:
    return [name for known in context.command.params for name in known.opts]


def _other_option(error: NoSuchOption, context: Any, arguments: Sequence[str]) -> str:
    """The question whether another option was meant, or an argument of the action."""
    if context is None:
        return ""
    if isinstance(context.command, LazyGroup):
        return "; a command stands before its options"
    # Two dashes alone make short names alike.
    known = {name.lstrip("-"): name for name in _options(context)}
    stated = error.option_name.lstrip("-")
    asked = did_you_mean(stated, [name for name in known if len(name) > 1], known)
    if stated == "last" and "session" in known:
        asked = f"; did you mean {known['session']} last?"
    if asked:
        return asked
    if _PARAM not in known.values():
        return ""
    begins = (at for at, word in enumerate(arguments) if word.startswith(error.option_name))
    at = next(begins, None)
    if at is None:  # one of several letters behind one dash
        return ""
    word, *following = arguments[at : at + 2]
    pair = word.lstrip("-") if "=" in word else f"{stated}={(following or ['…'])[0]}"
    return f"; did you mean {_PARAM} {shlex.quote(pair) if pair.isascii() else pair}?"


def _in_order(option: str, group: str, arguments: Sequence[str]) -> str | None:
    """The line with the options behind the command; None if no command in it has the option."""
    rest = arguments[len(group.split()) :]
    for at in range(len(rest)):
        words = [*group.split(), *rest[at:]]
        path = nearest_path(words)
        if path in COMMANDS and any(option in known.opts for known in load(path).params):
            behind = [*rest[:at], *words[len(path.split()) :]]
            return " ".join([f"cra {path}", *map(shlex.quote, behind)])
    return None


def _missing(
    error: MissingParameter, context: Any, path: str, arguments: Sequence[str]
) -> tuple[str, str]:
    """What is expected and not there, and an example that has it."""
    assert error.param is not None
    _, examples = split_help(context.command.help)
    fix = examples[0]
    name = next((one for one in error.param.opts if one.startswith("--")), "")
    if not name:
        found = f"expected {error.param.metavar or error.param.name}, found none"
        return found, _LISTED.get(path, fix)
    is_bare = not any(isinstance(one, TyperArgument) for one in context.command.params)
    given = arguments[len(path.split()) :]
    words = list(takewhile(lambda word: not word.startswith("-"), given))
    if not is_bare or not words:
        if words:
            fix = f"{shlex.join(['cra', *arguments])} {name} {error.param.metavar}"
        return f"expected {name}, found none", fix
    # What a shell without quotes has taken apart.
    meant = f"{name} {shlex.quote(' '.join(words))}"
    fix = " ".join([f"cra {path} {meant}", *map(shlex.quote, given[len(words) :])])
    return f"expected {name}, found none; did you mean {meant}?", fix


def _as_parameter(extra: str, arguments: Sequence[str]) -> str:
    """The question whether the first of the words too many was to stand behind --param, or in one
    word with the name there."""
    at, word = next(
        ((at, one) for at, one in enumerate(arguments) if f"{extra} ".startswith(f"{one} ")),
        (0, ""),
    )
    is_value = arguments[max(at - 2, 0)] in (_PARAM, "-p") and "=" not in arguments[at - 1]
    pair = f"{arguments[at - 1]}={word}" if is_value else word
    return f"; did you mean {_PARAM} {shlex.quote(pair)}?" if "=" in pair else ""


def _named(extra: str, stated: Mapping[str, Any]) -> str:
    """The question whether a value without a name was to be the action's only argument."""
    from cra.cli.governed import open_project

    if " " in extra or stated.get("approval"):
        return ""
    needed: list[str] = []
    # Whoever writes the line rightly is told what is wrong with the project.
    with suppress(CraError, OSError), open_project(stated.get("project")) as opened:
        found = opened.snapshot.actions.get(str(stated.get("action")))
        needed = list(found[1].parameters_schema.get("required", ())) if found else []
    name = needed[0] if len(needed) == 1 else "NAME"
    return f"; did you mean {_PARAM} {shlex.quote(f'{name}={extra}')}?"
