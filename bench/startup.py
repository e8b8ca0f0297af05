"""Command start-up: what a person or a script waits for, beside an empty interpreter."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Mapping
from functools import partial
from pathlib import Path
from typing import Final, NamedTuple

from bench.child import ROOT
from bench.measure import Sample, alternate, elapsed
from bench.report import Budget, Measured, Row, Table
from bench.workload import EVENT_TYPE, PAYLOADS, Setting
from cra.atlas.lock import pin_of, write_lock
from cra.atlas.manifest import load_atlas
from cra.atlas.package import read_package
from cra.config import FILE_NAME, UserDirs
from cra.ledger.keys import create_key
from cra.ledger.store import Ledger

EVENTS: Final = 20
EMPTY: Final = "python -c pass"
LIBRARY: Final = "from cra import Project, govern"
ATLASES: Final = ROOT / "examples" / "atlases"
# The lines of the script that an installation makes.
SCRIPT: Final = "import sys\nfrom cra.__main__ import main\nsys.exit(main())\n"
POLICY_TEST: Final = {
    "name": "tickets stay",
    "call": {"action": "ticket.delete", "parameters": {"id": 1042}},
    "expect": {"decision": "deny"},
}


class Command(NamedTuple):
    arguments: tuple[str, ...]
    times_empty: float
    is_signed: bool = False


COMMANDS: Final[dict[str, Command]] = {
    "cra --version": Command(("--version",), 2),
    "cra --help": Command(("--help",), 6),
    "cra trace list": Command(("trace", "list"), 9),
    "cra trace show last": Command(("trace", "show", "last"), 9),
    "cra trace verify": Command(("trace", "verify"), 9),
    "cra trace verify, signed": Command(("trace", "verify"), 9, is_signed=True),
    "cra atlas list": Command(("atlas", "list"), 15),
    "cra explain": Command(("explain", "ticket.close"), 15),
    "cra policy test": Command(("policy", "test"), 15),
    "cra doctor": Command(("doctor",), 15),
    "cra resolve": Command(("resolve", "--agent", "bench", "--goal", "greet somebody"), 15),
    "cra execute": Command(
        ("execute", "--agent", "bench", "greeting.say", "--param", "name=World"), 15
    ),
    "cra resolve, signed": Command(
        ("resolve", "--agent", "bench", "--goal", "greet somebody"), 15, is_signed=True
    ),
}


def measure_startup(setting: Setting) -> Table:
    with setting.folder() as directory:
        script = directory / "cra"
        script.write_text(SCRIPT, encoding="utf-8")
        projects = {
            is_signed: _make_project(directory / f"signed-{is_signed}", is_signed=is_signed)
            for is_signed in (False, True)
        }
        runs = {EMPTY: partial(_start, ["-c", "pass"], projects[False])}
        for name, command in COMMANDS.items():
            words = [str(script), *command.arguments]
            runs[name] = partial(_start, words, projects[command.is_signed])
        runs[LIBRARY] = partial(_start, ["-c", LIBRARY], projects[False])
        # The first start compiles the modules, and shows whether the command does its work.
        codes = {name: run() for name, run in runs.items()}
        repetitions = 5 * setting.repetitions
        found = alternate(
            {name: partial(_timed, run) for name, run in runs.items() if codes[name] == 0},
            repetitions,
        )
    empty = Measured(EMPTY, "s", found[EMPTY]["time"])
    rows = [
        Row(
            Measured(name, "s", found[name]["time"]),
            (empty,),
            budget=Budget("≤", command.times_empty, is_ratio=True),
        )
        for name, command in COMMANDS.items()
        if name in found
    ]
    rows.append(Row(Measured(LIBRARY, "s", found[LIBRARY]["time"]), (empty,)))
    missing = [f"{name}: exit code {code}" for name, code in codes.items() if code]
    return Table(f"a session of {EVENTS} events, {repetitions} runs of each", rows, missing)


class Project(NamedTuple):
    directory: Path
    environment: Mapping[str, str]


def _make_project(directory: Path, *, is_signed: bool) -> Project:
    directory.mkdir()
    home = directory / "home"
    key = create_key(UserDirs.of({}, home).signing_key) if is_signed else None
    atlases = [str(ATLASES / name) for name in ("hello-world", "support-desk")]
    settings = {"keys": [str(key.key)] if key else [], "atlases": atlases}
    (directory / FILE_NAME).write_text(json.dumps(settings), encoding="utf-8")
    found = {path: load_atlas(read_package(Path(path)), path) for path in atlases}
    write_lock(directory, [pin_of(atlas, path) for path, atlas in found.items()])
    tests = directory / "tests" / "policies"
    tests.mkdir(parents=True)
    (tests / "tickets.json").write_text(json.dumps({"tests": [POLICY_TEST]}), encoding="utf-8")
    ledger = Ledger(directory / "cra.trace", signer=key)
    session = ledger.start_session("bench")
    for payload in PAYLOADS[:EVENTS]:
        session.append(EVENT_TYPE, payload)
    ledger.close()
    environment = {
        **os.environ,
        "HOME": str(home),
        "PYTHONPATH": str(ROOT),
        # An installation has compiled modules, whatever is set where the benchmarks run.
        "PYTHONDONTWRITEBYTECODE": "",
    }
    return Project(directory, environment)


def _start(words: list[str], project: Project) -> int:
    return subprocess.run(
        [sys.executable, *words],
        cwd=project.directory,
        env=project.environment,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
        check=False,
    ).returncode


def _timed(run: partial[int]) -> Sample:
    return {"time": elapsed(run)}
