"""`cra trace tui`: see what agents do, as they do it."""

from __future__ import annotations

import os
import sys
from functools import partial
from typing import Annotated

import typer

from cra.cli.arguments import user_name
from cra.cli.filter import FilterText
from cra.cli.options import ProjectDir, TraceDir, at_least
from cra.cli.project import open_config, user_dirs
from cra.cli.select import JOURNAL, find_log, is_path
from cra.errors import ExitCode, UsageError


def tui(
    *,
    session: Annotated[
        str | None,
        typer.Option(
            "--session",
            "--trace-id",
            metavar="SESSION",
            help="Open this one: an id or how one begins, `last`, `journal`, or a file.",
        ),
    ] = None,
    filter_text: FilterText = None,
    mouse: Annotated[
        bool | None,
        typer.Option("--mouse/--no-mouse", help="Leave it to the terminal; the next time as well."),
    ] = None,
    at: Annotated[
        int | None,
        typer.Option("--at", metavar="SEQ", parser=at_least(0), help="Begin at this event."),
    ] = None,
    project: ProjectDir = None,
    trace_dir: TraceDir = None,
) -> ExitCode:
    """Look at sessions on the whole screen: follow, search, filter, compare, decide.

    ? shows the keys. It needs a terminal; cra trace list, show, tail and diff say the same without
    one. --filter and --at are about one session, the last one unless you say which.

      cra trace tui
      cra trace tui --session last --filter type:action.denied
    """
    _require_terminal()
    if session is None and (filter_text is not None or at is not None):
        session = "last"
    is_told = session is not None and is_path(session)
    config = open_config(project, trace_dir, anywhere=is_told)
    path = None if session is None else find_log(config.trace_directory, session)
    if filter_text is not None:
        from cra.cli.filter import filter_of

        filter_of(filter_text)
    from cra.cli.governed import open_project
    from cra.cli.ledger import config_of, open_memory, trust_of
    from cra.ledger.reading import usable_cores
    from cra.tui.app import TraceApp, run
    from cra.tui.setting import Setting

    directory = config.trace_directory if path is None or path.name == JOURNAL else path.parent
    is_own = directory.resolve() == config.trace_directory.resolve()
    has_project = config.project is not None and trace_dir is None and is_own
    setting = Setting(
        directory.absolute(),
        user_dirs().state,
        trust_of(config if is_own else None, None),
        open_memory(config_of(directory, config)),
        os.environ,
        user_name(),
        partial(open_project, config.project) if has_project else None,
        config.project if has_project else None,
        usable_cores(),
    )
    app = TraceApp(setting, path, expression=filter_text or "", at=at, has_mouse=mouse)
    return ExitCode(run(app))


def _require_terminal() -> None:
    """Raise UsageError without a terminal that can be drawn on."""
    for stream in (sys.stdin, sys.stdout):
        if stream is None or not stream.isatty():
            raise UsageError(
                "expected a terminal to draw on, found none",
                fix="cra trace list, show, tail and diff need none",
            )
    if os.environ.get("TERM", "dumb") == "dumb":
        raise UsageError(
            "expected a terminal that can be drawn on, found TERM=dumb",
            fix="cra trace list, show, tail and diff print lines",
        )
