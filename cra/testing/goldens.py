"""Goldens as tests hold a project to them: a failure says what the command says."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import replace
from io import StringIO
from pathlib import Path
from typing import NoReturn

import pytest

from cra.cli import output
from cra.cli.ledger import trust_of
from cra.cli.project import open_config, user_dirs
from cra.cli.replay import show_reports
from cra.config import Config
from cra.errors import CraError
from cra.ledger.index import SUFFIX
from cra.replay.check import FailOn, Report, Settings, check, usual_settings
from cra.replay.golden import FOLDER
from cra.replay.manifest import NAMES, Mode
from cra.replay.record import record
from cra.replay.writing import accept
from cra.runtime.session import GovernedSession

_ACCEPT = "to accept what is so now: pytest --snapshot-update"


class Goldens:
    """The goldens of a project. With --snapshot-update, what is found becomes the golden; without
    it, nothing is written."""

    def __init__(self, project: Path, *, updates: bool) -> None:
        self.project = project
        self._updates = updates

    def check(self, name: str, *, mode: Mode | None = None, fail_on: FailOn = "breaking") -> None:
        """Replay a golden. The test fails if something differs, as `cra replay` does."""
        with _failing():
            config, manifest = self._open(name)
            if manifest is None:
                _fail(f"there is no golden {name}: cra golden record SESSION --name {name}")
            settings = replace(
                usual_settings(trust_of(config, None), os.environ, user_dirs()),
                mode=mode,
                fail_on=fail_on,
                writes=self._updates,
                refreshes=self._updates,
            )
            report = check(manifest, config, settings)
            if report.pending is not None:
                accept(report.pending)
            elif report.state != "passed":
                _fail_with(report)

    def session(self, session: GovernedSession, name: str, *, fail_on: FailOn = "breaking") -> None:
        """Compare a session, as far as it has come, with a golden. The test fails if something
        differs, as `cra replay --mode compare` does, or if there is no such golden."""
        with _failing():
            session.barrier()
            trace = session.project.config.trace_directory / f"{session.id}{SUFFIX}"
            config, manifest = self._open(name)
            if manifest is None:
                if not self._updates:
                    _fail(f"there is no golden {name}: pytest --snapshot-update records it")
                _record(config, trace, name)
                return
            settings = Settings(
                trust=trust_of(config, None), mode="compare", fail_on=fail_on, against=trace
            )
            report = check(manifest, config, settings)
            if self._updates and report.state == "different":
                _record(config, trace, name)
            elif report.state != "passed":
                _fail_with(report)

    def _open(self, name: str) -> tuple[Config, Path | None]:
        """The project's configuration, and the golden's manifest if there is one."""
        config = open_config(self.project)
        places = (self.project / FOLDER / name / file for file in NAMES)
        return config, next((place for place in places if place.is_file()), None)


def _record(config: Config, trace: Path, name: str) -> None:
    """Let a session be the golden, which has to pass on the project that it is recorded in."""
    report = record(config, trace, name, replaces=True).report
    if report.state != "passed":
        _fail_with(report)


@contextmanager
def _failing() -> Iterator[None]:
    """What cra refuses fails the test, in the words of the command."""
    try:
        yield
    except CraError as error:
        with _printed() as said:
            output.report(error, as_json=False)
        _fail(said.getvalue())


def _fail_with(report: Report) -> NoReturn:
    with _printed() as said:
        show_reports([report])
    accepting = f"\n\n{_ACCEPT}" if report.state == "different" else ""
    _fail(said.getvalue().rstrip("\n") + accepting)


@contextmanager
def _printed() -> Iterator[StringIO]:
    said = StringIO()
    with redirect_stdout(said), redirect_stderr(said):
        yield said


def _fail(text: str) -> NoReturn:
    # The lines of a test that led here say nothing about the golden.
    pytest.fail(text, pytrace=False)
