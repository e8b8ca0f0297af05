"""Guards around every test: no network, no home directory, no settings from outside."""

from __future__ import annotations

import os
import socket
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from hypothesis import settings

OUTSIDE = dict(os.environ)
FULL = OUTSIDE.get("CRA_TEST_FULL") == "1"
XDG = ("XDG_CACHE_HOME", "XDG_CONFIG_HOME", "XDG_DATA_HOME", "XDG_RUNTIME_DIR", "XDG_STATE_HOME")
# What a runner of CI sets: cra replay goes by it.
RUNNER = ("CI", "GITHUB_ACTIONS", "GITHUB_STEP_SUMMARY")
TERMINAL = ("CLICOLOR", "CLICOLOR_FORCE", "COLUMNS", "FORCE_COLOR", "LINES", "NO_COLOR")

# No deadline: a loaded machine is no failure.
settings.register_profile(
    "cra", deadline=None, derandomize="CI" in OUTSIDE, max_examples=1000 if FULL else 100
)
settings.load_profile("cra")


# What drives whole programs and screens comes through the pure core as well, and proves nothing of
# it: to count branches there takes a quarter of all tests' time.
_DRIVING = (
    "tests/faults/",
    "tests/test_cli_",
    "tests/test_error_pages.py",
    "tests/test_examples.py",
    "tests/test_howto.py",
    "tests/test_init.py",
    "tests/test_templates.py",
    "tests/test_testing.py",
    "tests/test_tui_deciding.py",
    "tests/test_tui_goldens.py",
    "tests/test_tui_pictures.py",
    "tests/test_tui_program.py",
    "tests/test_tui_reader.py",
    "tests/test_tui_screens.py",
    "tests/test_watch.py",
)


def pytest_xdist_auto_num_workers() -> int:
    """One more than there are cores: the tests of programs and screens wait half of the time."""
    return (os.cpu_count() or 1) + 1


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if item.nodeid.startswith(_DRIVING):
            item.add_marker("no_cover")
    if FULL:
        return
    for item in items:
        if item.get_closest_marker("full") or item.get_closest_marker("slow"):
            item.add_marker(pytest.mark.skip(reason="runs in make test-full"))


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """What tests counted one by one, wherever they ran, is said in one line."""
    passed = terminalreporter.stats.get("passed", [])
    counts = Counter(
        what for report in passed for name, what in report.user_properties if name == "counted"
    )
    if counts:
        found = ", ".join(f"{count} {what}" for what, count in sorted(counts.items()))
        terminalreporter.write_line(f"counted: {found}")


def _guarded(connect: Callable[..., Any]) -> Callable[..., Any]:
    # Not an OSError: the code under test may catch those.
    def guarded(sock: socket.socket, address: object) -> object:
        if sock.family != socket.AF_UNIX:
            raise RuntimeError(f"a test reached for the network: {address}")
        return connect(sock, address)

    return guarded


def _move_home(patch: pytest.MonkeyPatch, home: Path) -> None:
    patch.setenv("HOME", str(home))
    for name in XDG:
        patch.setenv(name, str(home / name.lower()))


@pytest.fixture(scope="session", autouse=True)
def _sealed(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    """Holds for fixtures of every scope, which start before a test has its own home."""
    with pytest.MonkeyPatch.context() as patch:
        for method in ("connect", "connect_ex"):
            patch.setattr(socket.socket, method, _guarded(getattr(socket.socket, method)))
        for name in OUTSIDE:
            if name.startswith("CRA_") or name in (*RUNNER, *TERMINAL):
                patch.delenv(name)
        patch.setenv("TERM", "xterm-256color")
        _move_home(patch, tmp_path_factory.mktemp("home"))
        yield


@pytest.fixture(autouse=True)
def _own_home(
    _sealed: None, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> None:
    _move_home(monkeypatch, tmp_path_factory.mktemp("home"))


@pytest.fixture(scope="session")
def outside_environ() -> dict[str, str]:
    """The environment that the run was started in, for pip: its cache and its settings."""
    return {name: value for name, value in OUTSIDE.items() if not name.startswith("CRA_")}
