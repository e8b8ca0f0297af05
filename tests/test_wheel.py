"""The wheel, installed in a clean environment away from the checkout, is a working program."""

from __future__ import annotations

import json
import subprocess
import sys
import venv
import zipfile
from pathlib import Path

import pytest

import cra

ROOT = Path(__file__).parents[1]
TEMPLATES = {
    path.parent.name: json.loads(path.read_text())
    for path in sorted(ROOT.glob("templates/*/template.json"))
}

# One worker builds and installs once for all tests of this file.
pytestmark = pytest.mark.xdist_group("wheel")


def pip(*arguments: str | Path, environ: dict[str, str]) -> None:
    command = [sys.executable, "-m", "pip", "--quiet", "--disable-pip-version-check", *arguments]
    subprocess.run(command, env=environ, check=True)


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory, outside_environ: dict[str, str]) -> Path:
    folder = tmp_path_factory.mktemp("wheel")
    build = ("wheel", "--no-deps", "--no-build-isolation", "--wheel-dir", folder, ROOT)
    pip(*build, environ=outside_environ)
    (built,) = folder.glob("*.whl")
    return built


@pytest.fixture(scope="module")
def program(
    wheel: Path, tmp_path_factory: pytest.TempPathFactory, outside_environ: dict[str, str]
) -> Path:
    home = tmp_path_factory.mktemp("installed")
    # Without its own pip, which takes longer to install than cra does: the outer one reaches in.
    venv.create(home, with_pip=False, symlinks=True)
    target = ("--python", home / "bin" / "python")
    install = ("install", "--no-compile", "--constraint", ROOT / "constraints.txt", wheel)
    pip(*target, *install, environ=outside_environ)
    return home / "bin" / "cra"


@pytest.mark.parametrize(
    "name",
    [
        "cra/_specs/verify.py",
        "cra/_specs/verify.py.sha256",
        "cra/_specs/schemas/trace-event.schema.json",
        "cra/_specs/PROTOCOL.md",
        "cra/_specs/conformance/CONFORMANCE.md",
    ],
)
def test_the_wheel_carries_the_specification(wheel, name):
    assert name in zipfile.ZipFile(wheel).namelist()


def test_the_wheel_carries_all_of_specs_that_a_program_reads_and_no_test_input(wheel):
    carried = {
        name.removeprefix("cra/_specs/").partition("/")[0]
        for name in zipfile.ZipFile(wheel).namelist()
        if name.startswith("cra/_specs/")
    }

    kept = {path.name for path in (ROOT / "specs").iterdir() if path.name != "__pycache__"}
    assert carried == kept - {"vectors"}


def test_the_wheel_says_what_the_readme_says(wheel):
    with zipfile.ZipFile(wheel) as archive:
        [metadata] = [name for name in archive.namelist() if name.endswith(".dist-info/METADATA")]
        text = archive.read(metadata).decode()

    assert "Description-Content-Type: text/markdown\n" in text
    assert text.endswith((ROOT / "README.md").read_text())


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        ("--version", cra.__version__),
        ("trace --help", "verify"),
        ("conformance", "conformance level full"),
        ("template list", "support-desk"),
    ],
)
def test_the_installed_program_answers(program, tmp_path, arguments, expected):
    # -P and an empty folder: nothing of the checkout is importable.
    answer = subprocess.run(
        [program.with_name("python"), "-P", program, *arguments.split()],
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    assert (answer.returncode, answer.stderr) == (0, "")
    assert expected in answer.stdout


@pytest.mark.slow
@pytest.mark.parametrize("name", TEMPLATES)
def test_a_project_from_a_template_of_the_wheel_stands(program, tmp_path, name):
    facts = TEMPLATES[name]
    for line in (
        f"init --template {name} --git",
        "doctor",
        "policy check",
        "policy test",
        f"atlas validate atlases/{facts['atlas']}",
        "atlas test",
        "replay",
        f"resolve --goal {facts['goal'].split()[0]}",
        f"execute {facts['call']}",
        "init --refresh",
    ):
        done = subprocess.run(
            [program.with_name("python"), "-P", program, *line.split()],
            cwd=tmp_path,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            check=False,
        )
        assert (line, done.returncode) == (line, 0), done.stdout + done.stderr
    assert done.stdout == "nothing to do\n"


def test_the_wheel_carries_the_templates_and_the_atlases_that_they_name(wheel):
    names = zipfile.ZipFile(wheel).namelist()

    carried = {name.removeprefix("cra/_templates/") for name in names if "/_templates/" in name}
    kept = {
        str(path.relative_to(ROOT / "templates"))
        for path in (ROOT / "templates").rglob("*")
        if path.is_file()
    }
    assert carried == kept
    for facts in TEMPLATES.values():
        assert f"cra/_examples/atlases/{facts['atlas']}/atlas.json" in names
