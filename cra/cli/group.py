"""The command table as typer commands: a command's module is loaded when it is run, not before."""

from __future__ import annotations

import re
import sys
from collections.abc import Callable, Container, Sequence
from importlib import import_module
from inspect import cleandoc
from itertools import zip_longest
from typing import Annotated, Any, Final

import typer
from typer.core import TyperCommand, TyperGroup
from typer.main import (
    get_command,
    get_install_completion_arguments,
    get_params_convertors_ctx_param_name_from_function,
)

from cra.cli.commands import (
    COMMANDS,
    GROUPS,
    HELP,
    children,
    group_help,
    joined,
    summary,
    unknown,
)
from cra.cli.options import Quiet, Verbose

_COMMAND_LINE: Final = re.compile(r"(?:[A-Z_]+=\S+ )*cra ")
_HELP: Final = "help"
_COMPLETION_OPTIONS: Final = ("--install-completion", "--show-completion")


def invoke(arguments: Sequence[str]) -> int:
    """Carry out a command and return its exit code. Raises CraError, for typer's errors as well."""
    if arguments[:1] and arguments[0].partition("=")[0] in _COMPLETION_OPTIONS:
        from cra.cli.completion import hand_over_script

        return hand_over_script(arguments)
    root = LazyGroup("")
    try:
        with root.make_context("cra", list(arguments), help_option_names=list(HELP)) as context:
            return int(root.invoke(context) or 0)
    except typer.Exit as stop:
        return stop.exit_code
    except typer.Abort:
        raise KeyboardInterrupt from None
    except typer.TyperException as error:
        from cra.cli.misread import usage_error  # for a wrong command line alone

        raise usage_error(error, arguments) from None


def complete() -> int:
    """Answer the shell's question for completions, which is in the environment."""
    # Where rich is installed, typer renders the summaries with it: 40 ms for plain words.
    sys.modules["rich"] = None  # type: ignore[assignment]
    root = LazyGroup("")
    root.params += get_install_completion_arguments()
    root.main([], prog_name="cra", standalone_mode=False, help_option_names=list(HELP))
    return 0


def load(path: str) -> TyperCommand:
    """The command at a path of the table, loading its module."""
    module, _, name = COMMANDS[path][0].partition(":")
    command = _command(getattr(import_module(module), name), path.rpartition(" ")[2])
    declared = {parameter.name for parameter in command.params}
    common, _, _ = get_params_convertors_ctx_param_name_from_function(_common)
    for parameter in common:
        if parameter.name not in declared:
            parameter.expose_value = False
            command.params.append(parameter)
    return command


class LazyGroup(TyperGroup):
    """A group of the table; its help and its completions are the table's."""

    def __init__(self, path: str) -> None:
        super().__init__(name=path, rich_markup_mode=None)
        self.path = path

    def list_commands(self, ctx: Any) -> list[str]:  # noqa: ARG002
        return children(self.path)

    def get_command(self, ctx: Any, cmd_name: str) -> Any:
        path = joined(self.path, cmd_name)
        if path in GROUPS:
            return LazyGroup(path)
        if ctx.resilient_parsing:
            return _completing(path)
        return load(path) if path in COMMANDS else None

    def resolve_command(self, ctx: Any, args: list[str]) -> Any:
        if not ctx.resilient_parsing and args[0] not in children(self.path):
            raise unknown(self.path, args[0])
        return super().resolve_command(ctx, args)

    def format_help(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        formatter.write(group_help(self.path))

    def shell_complete(self, ctx: Any, incomplete: str) -> Any:
        if incomplete.startswith("-"):
            return super().shell_complete(ctx, incomplete)
        from typer._click.shell_completion import CompletionItem

        offered = {name: summary(joined(self.path, name)) for name in children(self.path)}
        if not self.path:
            offered[_HELP] = "Show help for a command, a topic or an error code"
        return [
            CompletionItem(name, help=said)
            for name, said in offered.items()
            if name.startswith(incomplete)
        ]


class Leaf(TyperCommand):
    """A command whose docstring is its help: what it does, examples, and then all the rest.

    The examples are the end of the docstring, one to a line.

    An option whose metavar is in brackets may stand without its value, which begins with a digit.
    """

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        lone = {
            name
            for parameter in self.params
            if (parameter.metavar or "").startswith("[")
            for name in parameter.opts
        }
        return super().parse_args(ctx, _valued(args, lone) if lone else args)

    def collect_usage_pieces(self, ctx: Any) -> list[str]:
        # Braces around what is required say no more than that nothing is around it.
        return [piece.strip("{}") for piece in super().collect_usage_pieces(ctx)]

    def format_help_text(self, ctx: Any, formatter: Any) -> None:  # noqa: ARG002
        (first, *prose), examples = split_help(self.help)
        formatter.write_paragraph()
        formatter.write_text(first)
        if examples:
            with formatter.section("Examples"):
                formatter.write("".join(f"  {line}\n" for line in examples))
        for paragraph in prose:
            formatter.write_paragraph()
            formatter.write_text(paragraph)


def _valued(arguments: Sequence[str], lone: Container[str]) -> list[str]:
    """A command line in which an option without a value has an empty one."""
    valued = []
    is_option = True
    for word, following in zip_longest(arguments, arguments[1:], fillvalue=""):
        is_option = is_option and word != "--"
        is_bare = is_option and word in lone and not following[:1].isdecimal()
        valued.append(f"{word}=" if is_bare else word)
    return valued


def split_help(text: str | None) -> tuple[list[str], list[str]]:
    """The paragraphs of a docstring, and the examples that its last one is, if all of its lines
    are commands.

    How they are indented says nothing: below a first line alone, nothing is left to compare with.
    """
    *prose, last = cleandoc(text or "").split("\n\n")
    lines = [line.strip() for line in last.split("\n")]
    if all(map(_COMMAND_LINE.match, lines)):
        return prose, lines
    return [*prose, last], []


def _completing(path: str) -> TyperCommand | None:
    """The command at a path, for the shell; `cra help` is one as well there."""
    from cra.cli.completion import complete_values

    if path != _HELP and path not in COMMANDS:
        return None
    command = _command(_help, _HELP) if path == _HELP else load(path)
    complete_values(command)
    return command


def _command(function: Callable[..., Any], name: str) -> TyperCommand:
    app = typer.Typer(rich_markup_mode=None, add_completion=False)
    app.command(name, cls=Leaf)(function)
    command = get_command(app)
    assert isinstance(command, Leaf)
    return command


def _common(quiet: Quiet = False, verbose: Verbose = False) -> None:
    """Holds the options of every command: their callbacks set the volume of `cra.cli.output`."""


def _help(words: Annotated[list[str] | None, typer.Argument(metavar="TOPIC")] = None) -> None:
    """Holds what `cra help` takes, which answers without typer."""
