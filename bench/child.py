"""Work in a process of its own, which measures itself: its start is not counted, its memory is."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Callable
from importlib import import_module
from pathlib import Path
from typing import Final

from bench.measure import Sample, peak_memory

ROOT: Final = Path(__file__).parents[1]
_PROGRAM: Final = "from bench.child import main; main()"

Child = subprocess.Popen[str]


def run(work: Callable[..., Sample], *arguments: object) -> Sample:
    """What a function of a module yields, and as `memory` the peak of its process."""
    return finish(start(work, *arguments))


def start(work: Callable[..., Sample], *arguments: object) -> Child:
    reference = f"{work.__module__}:{work.__name__}"
    return subprocess.Popen(
        [sys.executable, "-c", _PROGRAM, reference, json.dumps(arguments)],
        cwd=ROOT,
        stdin=subprocess.PIPE,
        stdout=subprocess.PIPE,
        text=True,
    )


def finish(child: Child) -> Sample:
    output, _ = child.communicate()
    if child.returncode != 0:
        raise RuntimeError(f"expected a measurement, found exit code {child.returncode}")
    sample: Sample = json.loads(output)
    return sample


def wait_until_ready(child: Child) -> None:
    """Wait for a child that calls `wait_for_go`."""
    assert child.stdout is not None
    child.stdout.readline()


def let_go(child: Child) -> None:
    assert child.stdin is not None
    child.stdin.write("\n")
    child.stdin.flush()


def wait_for_go() -> None:
    """In a child: say that all is prepared, and wait for the word."""
    print("ready", flush=True)
    sys.stdin.readline()


def main() -> None:
    module, _, name = sys.argv[1].partition(":")
    sample = getattr(import_module(module), name)(*json.loads(sys.argv[2]))
    print(json.dumps({"memory": peak_memory(), **sample}))
