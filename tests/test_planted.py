"""Code and settings that lie where a verifier looks, and that nobody who verifies asked for."""

from __future__ import annotations

import subprocess
import sys
import zipfile
from pathlib import Path

import pytest

from cra.ledger import reading
from cra.ledger.bundle import write_bundle
from cra.ledger.keys import create_key
from cra.ledger.store import Ledger
from cra.ledger.verify import Trust

# What the program itself is started as, without the directory that Python adds for `-m`.
CRA = Path(sys.executable).with_name("cra")
LARGE = {"execution_id": "e", "action_id": "file.read", "duration_us": 1, "result": "x" * 60_000}
# Of the standard library, of the program and of what it builds on.
MODULES = ("argparse", "cra", "decimal", "hashlib", "json", "orjson", "os", "re", "sitecustomize")


@pytest.fixture
def project(tmp_path: Path) -> Path:
    folder = tmp_path / "project"
    folder.mkdir()
    (folder / "cra.config.json").write_text("{}")
    return folder


@pytest.fixture
def ledger(project: Path, tmp_path: Path) -> Ledger:
    return Ledger(project / "cra.trace", signer=create_key(tmp_path / "key"))


@pytest.fixture
def ran(tmp_path: Path) -> Path:
    """What a planted program writes when it runs."""
    return tmp_path / "ran"


def plant_modules(folder: Path, ran: Path) -> None:
    for name in MODULES:
        text = f"with open({str(ran)!r}, 'a') as file: file.write('{folder.name}/{name} ')\n"
        (folder / f"{name}.py").write_text(text)


def run(place: Path, *command: str | Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        list(map(str, command)), cwd=place, capture_output=True, text=True, check=False, timeout=120
    )


def test_no_module_of_the_directory_that_is_judged_runs(ledger, project, ran):
    session = ledger.start_session("tester")
    for _ in range(reading.PARALLEL_FROM // len(LARGE["result"]) + 1):
        session.append("action.executed", LARGE)
    session.end()
    ledger.close()
    for place in (project, ledger.directory):
        plant_modules(place, ran)

    for place in (project, ledger.directory):
        done = run(place, CRA, "trace", "verify", "--cores", "2")
        assert (done.returncode, "\nINTACT: " in done.stdout) == (0, True), done
        assert not ran.exists(), ran.read_text()


def test_a_verifier_in_an_unpacked_bundle_runs_nothing_that_lies_beside_it(ledger, ran, tmp_path):
    session = ledger.start_session("tester")
    session.end()
    ledger.close()
    write_bundle(ledger.directory, session.id, tmp_path / "bundle.zip", Trust())
    with zipfile.ZipFile(tmp_path / "bundle.zip") as archive:
        archive.extractall(tmp_path / "bundle")
        readme = archive.read("README.txt").decode()
    plant_modules(tmp_path / "bundle", ran)

    for flags in ([], ["-I"]):
        done = run(tmp_path / "bundle", sys.executable, *flags, "verify.py", ".")
        assert done.stdout.endswith("INTACT L0\n"), done
        assert not ran.exists(), ran.read_text()
    assert "python3 -I verify.py THIS_BUNDLE --key KEY" in readme
