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


def git(folder: Path, *arguments: str, stdin: str | None = None) -> str:
    command = ["git", "-C", str(folder), *arguments]
    done = subprocess.run(command, check=True, capture_output=True, text=True, input=stdin)
    return done.stdout.strip()


# Settings that name a program, each in the repository's own configuration.
SETTINGS = (
    "alias.ls-files",
    "core.alternateRefsCommand",
    "core.askPass",
    "core.editor",
    "core.fsmonitor",
    "core.pager",
    "core.sshCommand",
    "credential.helper",
    "diff.external",
    "diff.evil.command",
    "diff.evil.textconv",
    "filter.evil.clean",
    "filter.evil.process",
    "filter.evil.smudge",
    "gpg.openpgp.program",
    "gpg.program",
    "gpg.ssh.defaultKeyCommand",
    "gpg.ssh.program",
    "gpg.x509.program",
    "interactive.diffFilter",
    "pager.log",
    "pager.notes",
    "sequence.editor",
    "trailer.Cra-Anchor.cmd",
    "trailer.Cra-Anchor.command",
    "uploadpack.packObjectsHook",
)
HOOKS = ("post-checkout", "post-commit", "post-index-change", "pre-commit", "reference-transaction")


@pytest.fixture
def hostile(ledger, project, ran) -> Path:
    """A repository around a ledger, with one anchor in a trailer and an evil program everywhere."""
    ledger.start_session("tester").end()
    ledger.close()
    git(project, "init", "--quiet")
    for name, value in {"name": "A Tester", "email": "tester@example.com"}.items():
        git(project, "config", f"user.{name}", value)
    line = answer(project, "trace", "anchor")
    message = f"a change\n\nCra-Anchor: {line}\n"
    tree = git(project, "write-tree")
    signed = (
        f"tree {tree}\nauthor A <a@example.com> 1700000000 +0000\n"
        "committer A <a@example.com> 1700000000 +0000\ngpgsig -----BEGIN PGP SIGNATURE-----\n \n"
        f" iQEz\n -----END PGP SIGNATURE-----\n\n{message}"
    )
    commit = git(project, "hash-object", "-t", "commit", "-w", "--stdin", stdin=signed)
    git(project, "update-ref", "HEAD", commit)

    evil = project / "evil.sh"
    evil.write_text(f'#!/bin/sh\necho "$0 $*" >>{ran}\nexit 0\n')
    evil.chmod(0o755)
    for hook in HOOKS:
        (project / ".git" / "hooks").mkdir(exist_ok=True)
        (project / ".git" / "hooks" / hook).symlink_to(evil)
    for name in SETTINGS:
        git(project, "config", name, str(evil))
    (project / ".gitattributes").write_text("* diff=evil filter=evil\n")
    for name, value in {
        "log.showSignature": "true",
        "commit.gpgSign": "true",
        "core.hooksPath": str(project / ".git" / "hooks"),
        "protocol.ext.allow": "always",
        "extensions.partialClone": "evil",
        "remote.evil.promisor": "true",
        "remote.evil.url": f"ext::{evil} %S",
    }.items():
        git(project, "config", name, value)
    ran.unlink(missing_ok=True)
    return project


def answer(place: Path, *arguments: str) -> str:
    done = run(place, CRA, *arguments)
    assert done.returncode == 0, done
    return done.stdout.strip()


def test_no_program_that_a_repository_names_runs(hostile, ran):
    assert "L0" in answer(hostile, "trace", "verify", "--anchor", "git")
    answer(hostile, "trace", "anchor", "--git")
    answer(hostile, "trace", "verify", "--anchor", "git")
    run(hostile, CRA, "doctor")

    assert not ran.exists(), ran.read_text()


def test_an_object_that_is_missing_is_not_fetched(hostile, ran):
    absent = "1" * 40
    (hostile / ".git" / "refs" / "heads" / "absent").write_text(f"{absent}\n")
    (hostile / ".git" / "refs" / "notes").mkdir()
    (hostile / ".git" / "refs" / "notes" / "cra").write_text(f"{absent}\n")
    for arguments in (["verify", "--anchor", "git"], ["anchor", "--git"]):
        run(hostile, CRA, "trace", *arguments)
        assert not ran.exists(), ran.read_text()


def test_the_programs_that_are_planted_do_run_where_git_is_asked_plainly(hostile, ran):
    """Else the test above would show nothing."""
    git(hostile, "log", "--all")
    assert "--verify" in ran.read_text()
    for arguments in (["ls-files"], ["update-ref", "refs/heads/other", "HEAD"]):
        ran.unlink()
        git(hostile, *arguments)
        assert ran.exists(), arguments
    ran.unlink()
    subprocess.run(["git", "-C", str(hostile), "cat-file", "-p", "1" * 40], check=False)
    assert ran.exists()
