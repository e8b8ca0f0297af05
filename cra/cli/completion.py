"""What the shell completes: the words that an option or an argument takes, by its name and help.

Nothing is verified and nothing is told: what cannot be read completes nothing. zsh evaluates what
it is given, so only words of plain characters are offered, and no others are said of them.
"""

from __future__ import annotations

import os
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import partial
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final, TypeAlias

from cra.cli import output
from cra.cli.commands import COMMANDS, GROUPS, TOPICS, summary
from cra.errors import CraError, ExitCode, UsageError
from cra.printable import did_you_mean

if TYPE_CHECKING:
    from typer._click.shell_completion import CompletionItem
    from typer.core import TyperCommand

    from cra.config import Config

# A word, and what is said of it.
Offer: TypeAlias = tuple[str, str]
# What finds the words that begin as what is typed does, for the parameters that stand before it.
Finder: TypeAlias = Callable[[Mapping[str, Any], str], Iterator[Offer]]

_SHOW: Final = "--show-completion"
# The variable by which a shell asks.
_ASKED: Final = "_CRA_COMPLETE"
_SHELLS: Final = ("bash", "zsh", "fish")
_WORD: Final = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")
_SPOKEN: Final = frozenset(" .,-_/@+=?%#")
_MAX_SPOKEN: Final = 60
# Words that a help text has in backquotes, like `last`, can be typed as they are.
_LITERAL: Final = re.compile("`([a-z]+)`")
# So many of the newest sessions are described, and looked through for approvals.
_LOOKED_AT: Final = 50
# Who began a session, and for which goal, is in its first lines.
_BEGINNING: Final = 16_384
_FIRST_LINES: Final = 4


def hand_over_script(words: Sequence[str]) -> ExitCode:
    """Show or install what has a shell ask for completions: the shell that is named, or else the
    one that is running. Raises UsageError for another."""
    from typer._completion_shared import _get_shell_name, get_completion_script, install

    option, sign, stated = words[0].partition("=")
    named = [stated, *words[1:]] if sign else list(words[1:])
    known = f"{', '.join(_SHELLS[:-1])} or {_SHELLS[-1]}"
    if len(named) > 1:
        raise UsageError(f"expected one shell, found {' '.join(named)!r:.80}", fix=f"cra {option}")
    shell = named[0] if named else _get_shell_name()
    if shell not in _SHELLS:
        found = "no shell that runs this" if shell is None else repr(shell[:40])
        nearest = did_you_mean(shell.lower(), _SHELLS) if shell is not None else ""
        raise UsageError(
            f"expected {known}, found {found}{nearest}",
            fix=f"cra {option} {nearest.removesuffix('?').split()[-1] if nearest else _SHELLS[0]}",
        )
    if option == _SHOW:
        output.answer(get_completion_script(prog_name="cra", complete_var=_ASKED, shell=shell))
    else:
        _, path = install(shell, "cra", _ASKED)
        output.answer(f"{shell} completion installed in {output.safe(str(path))}")
        output.tell("it takes effect in the next shell that you start")
    return ExitCode.OK


def complete_values(command: TyperCommand) -> None:
    """Let the parameters of a command complete what they take."""
    for parameter in command.params:
        names = [name.removeprefix("--") for name in parameter.opts if name.startswith("--")]
        finders = [_OPTIONS[name] for name in names if name in _OPTIONS][:1]
        if not names:
            kinds = (parameter.metavar or "").strip("[].").split("|")
            finders = [_ARGUMENTS[kind] for kind in kinds if kind in _ARGUMENTS]
        literal = _LITERAL.findall(getattr(parameter, "help", None) or "")
        if finders or literal:
            # What typer has for it is found again at each completion, by the types of a function.
            parameter.shell_complete = partial(  # type: ignore[method-assign]
                _completions, finders, literal
            )


def spoken(text: str) -> str:
    """What is said of a word, without the characters that a shell may take for more than that."""
    kept = "".join(char if char.isalnum() or char in _SPOKEN else " " for char in text)
    return " ".join(kept.split())[:_MAX_SPOKEN].rstrip()


def _completions(
    finders: list[Finder], literal: list[str], ctx: Any, incomplete: str
) -> list[CompletionItem]:
    from typer._click.shell_completion import CompletionItem

    found = [(word, "") for word in literal if word.startswith(incomplete)]
    for finder in finders:
        try:
            found += finder(ctx.params, incomplete)
        except (CraError, OSError):
            continue  # whoever runs the command is told
    return [
        CompletionItem(word, help=spoken(said) or None)
        for word, said in found
        if _WORD.fullmatch(word) and word.lower().startswith(incomplete.lower())
    ]


def _sessions(stated: Mapping[str, Any], typed: str) -> Iterator[Offer]:
    """The newest first, with the agent and the goal of each."""
    from cra.ledger.index import session_files, session_id_of

    directory = _config(stated).trace_directory
    ids = map(session_id_of, session_files(directory))
    fitting = (one for one in ids if one.startswith(typed.lower()))
    for one in islice(fitting, _LOOKED_AT):
        yield one, _beginning(directory, one)
    for one in fitting:
        yield one, ""


def _approvals(stated: Mapping[str, Any], typed: str) -> Iterator[Offer]:  # noqa: ARG001
    from cra.ledger.index import session_files
    from cra.ledger.source import Source
    from cra.runtime.waiting import approvals_in

    newest = session_files(_config(stated).trace_directory)[:_LOOKED_AT]
    for one in approvals_in(newest, Source().now()):
        if one.standing in ("pending", "granted"):
            yield one.approval.approval_id, f"{one.standing} {one.approval.action_id}"


def _actions(stated: Mapping[str, Any], typed: str) -> Iterator[Offer]:  # noqa: ARG001
    from cra.atlas.snapshot import open_snapshot

    config = _config(stated)
    if config.project is not None:
        actions = open_snapshot(config.project, config).actions
        for action_id, (_, action) in sorted(actions.items()):
            yield action_id, action.description or action.name


def _atlases(stated: Mapping[str, Any], typed: str) -> Iterator[Offer]:  # noqa: ARG001
    from cra.atlas.lock import read_lock

    project = _config(stated).project
    if project is not None:
        for atlas_id, pin in read_lock(project).items():
            yield atlas_id, f"{pin.version} {pin.source}"


def _goldens(stated: Mapping[str, Any], typed: str) -> Iterator[Offer]:  # noqa: ARG001
    project = _config(stated).project
    for path in sorted(project.glob("goldens/*/manifest.json")) if project is not None else ():
        name = path.parent.name.removesuffix(".new")
        yield name, "differs and waits" if name != path.parent.name else ""


def _agents(stated: Mapping[str, Any], typed: str) -> Iterator[Offer]:  # noqa: ARG001
    for name, known in sorted(_config(stated).agents.items()):
        yield name, ", ".join(known.roles)


def _templates(stated: Mapping[str, Any], typed: str) -> Iterator[Offer]:  # noqa: ARG001
    from cra.scaffold.template import templates

    yield from ((one.name, one.about) for one in templates())


def _codes(stated: Mapping[str, Any], typed: str) -> Iterator[Offer]:  # noqa: ARG001
    # Most who explain something explain an action.
    if typed[:1] in ("C", "c"):
        from cra.cli.codes import pages

        yield from ((code, page.title) for code, page in pages().items())


def _topics(stated: Mapping[str, Any], typed: str) -> Iterator[Offer]:
    words = " ".join(stated.get("words") or ())
    group = f"{words} " if words in GROUPS and words else ""
    for path in (*GROUPS, *COMMANDS):
        if path.startswith(group) and path and " " not in path.removeprefix(group):
            yield path.removeprefix(group), summary(path)
    if not words:
        yield from ((topic, "") for topic in TOPICS)
        yield from _codes(stated, typed)


def _beginning(directory: Path, session_id: str) -> str:
    """The agent and the goal of a session, as far as its first lines tell them."""
    from cra.ledger.index import SUFFIX
    from cra.ledger.outline import readable

    with open(directory / f"{session_id}{SUFFIX}", "rb") as stream:
        lines = stream.read(_BEGINNING).split(b"\n")[:-1]
    said = []
    for event in filter(None, map(readable, lines[:_FIRST_LINES])):
        payload: Any = event.payload or {}
        if event.event_type == "session.started":
            said.append(str(payload.get("agent_id", "")))
        elif event.event_type == "carp.request.received":
            said.append(str(payload.get("request", {}).get("task", {}).get("goal", "")))
            break
    return " - ".join(said)


def _config(stated: Mapping[str, Any]) -> Config:
    """The configuration for the words before, without a word about it. Raises ConfigError."""
    from cra import config
    from cra.cli.project import project_dir, user_dirs

    # What no command has taken in yet is text.
    project, directory = stated.get("project"), stated.get("trace_dir")
    place = project_dir(project and Path(project), required=directory is None)
    overrides = {} if directory is None else {"trace.directory": os.path.abspath(directory)}
    return config.load(place, os.environ, user_dirs().config_file, overrides)


_OPTIONS: Final[dict[str, Finder]] = {
    "agent": _agents,
    "approval": _approvals,
    "atlas": _atlases,
    "manifest": _goldens,
    "parent": _sessions,
    "session": _sessions,
    "template": _templates,
    "trace": _sessions,
}
_ARGUMENTS: Final[dict[str, Finder]] = {
    "A": _sessions,
    "ACTION": _actions,
    "APPROVAL": _approvals,
    "B": _sessions,
    "CODE": _codes,
    "GOLDEN": _goldens,
    "ID": _atlases,
    "SESSION": _sessions,
    "TOPIC": _topics,
}
