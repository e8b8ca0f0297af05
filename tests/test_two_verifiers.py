"""`cra trace verify` and `specs/verify.py` say the same of whatever somebody made of a ledger.

The vectors are what the protocol demands; this is what nobody thought of, and what no vector can
hold: links, directories and pipes in the place of files.
"""

from __future__ import annotations

import json
import os
import random
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cra.cli import run
from cra.ledger.bundle import write_bundle
from cra.ledger.keys import create_key
from cra.ledger.retention import redact
from cra.ledger.store import Ledger
from cra.ledger.verify import Trust
from tests.standalone import load

SPECS = Path(__file__).parents[1] / "specs"
FULL = os.environ.get("CRA_TEST_FULL") == "1"
DENIED = {"action_id": "ticket.delete", "reason": "no rule allows it", "policy_id": None}
RESULT = {"execution_id": "e", "action_id": "file.read", "duration_us": 1, "result": "x" * 70_000}
Change = Callable[[random.Random, Path], None]


other = load(SPECS / "verify.py")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, list[str]]:
    """A signed ledger with a redaction and a blob, and a bundle of it, both unpacked; and keys."""
    place = tmp_path_factory.mktemp("made")
    signer = create_key(place / "key")
    ledger = Ledger(place / "ledger", signer=signer)
    for _ in range(2):
        session = ledger.start_session("tester")
        for _ in range(3):
            session.append("action.denied", DENIED)
        session.append("action.executed", RESULT)
        session.end()
    redact(ledger, session.id, 2, "a name")
    ledger.start_session("another").append("action.denied", DENIED)
    ledger.close()
    trust = Trust((signer.key,))
    write_bundle(ledger.directory, session.id, place / "bundle.zip", trust)
    with zipfile.ZipFile(place / "bundle.zip") as archive:
        archive.extractall(place / "bundle")
    for name in ("README.txt", "key.txt", "verify.py"):
        (place / "bundle" / name).unlink()
    shutil.rmtree(ledger.directory / "locks")
    return place, [str(signer.key)]


@pytest.fixture(autouse=True)
def _no_memory(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_STATE_HOME", os.devnull)


def said_by_cra(path: Path, keys: list[str], capsys: Any) -> tuple[int, Any, Any]:
    code = run(["trace", "verify", str(path), *(f"--key={key}" for key in keys), "--json"])
    text = capsys.readouterr().out
    if not text:
        return code, None, None
    found = json.loads(text)
    parts = {part["name"]: (part["verdict"], part["code"]) for part in found["sessions"]}
    return code, (found["verdict"], found["code"], found["level"]), parts


def said_by_the_other(path: Path, keys: list[str]) -> tuple[int, Any, Any]:
    try:
        found = other.verify(str(path), [other.parse_key(key) for key in keys])
    except other.UNREADABLE:
        return 2, None, None
    parts = {name: (part["verdict"], part["code"]) for name, part in found["sessions"].items()}
    return found["exit"], (found["verdict"], found["code"], found["level"]), parts


def agree(path: Path, keys: list[str], capsys: Any, *, why: object = "") -> tuple[int, Any, Any]:
    one, two = said_by_cra(path, keys, capsys), said_by_the_other(path, keys)
    assert one == two, why
    return one


def pick(chance: random.Random, place: Path) -> Path:
    return chance.choice(sorted(path for path in place.rglob("*") if path.is_file()))


def flip(chance: random.Random, place: Path) -> None:
    path = pick(chance, place)
    data = bytearray(path.read_bytes())
    if data:
        data[chance.randrange(len(data))] ^= 1 << chance.randrange(8)
        path.write_bytes(data)


def cut(chance: random.Random, place: Path) -> None:
    path = pick(chance, place)
    data = path.read_bytes()
    path.write_bytes(data[: chance.randrange(len(data) + 1)])


def grow(chance: random.Random, place: Path) -> None:
    with pick(chance, place).open("ab") as file:
        file.write(chance.choice([b"\n", b"x", b"{}\n", bytes(90_000), b"\xff\n"]))


def remove(chance: random.Random, place: Path) -> None:
    pick(chance, place).unlink()


def swap(chance: random.Random, place: Path) -> None:
    one, two = pick(chance, place), pick(chance, place)
    first, second = one.read_bytes(), two.read_bytes()
    one.write_bytes(second)
    two.write_bytes(first)


def copy(chance: random.Random, place: Path) -> None:
    data = pick(chance, place).read_bytes()
    (place / pick(chance, place).name).write_bytes(data)


def rename(chance: random.Random, place: Path) -> None:
    path = pick(chance, place)
    path.rename(path.with_name(chance.choice(["notes", "0" * 36]) + "".join(path.suffixes)))


def reorder(chance: random.Random, place: Path) -> None:
    """Drop, repeat or exchange a line, perhaps for one of another file."""
    path, foreign = pick(chance, place), pick(chance, place)
    lines = path.read_bytes().splitlines(keepends=True) or [b""]
    others = foreign.read_bytes().splitlines(keepends=True) or [b""]
    at = chance.randrange(len(lines))
    lines[at : at + chance.randrange(2)] = chance.sample(others, chance.randrange(2))
    path.write_bytes(b"".join(lines))


def strip(chance: random.Random, place: Path) -> None:
    """Take the signatures from a checkpoint or a proof, or double them."""
    path = pick(chance, place)
    text, _, signature = path.read_bytes().rpartition(b"\n\n")
    path.write_bytes(text + b"\n\n" + chance.choice([b"", signature + signature]))


def occupy(chance: random.Random, place: Path) -> None:
    """Put a directory or a link that leads nowhere in the place of a file."""
    path = pick(chance, place)
    path.unlink()
    match chance.randrange(4):
        case 0:
            path.mkdir()
        case 1:
            path.symlink_to("nowhere")
        case 2:
            path.symlink_to(path.name)
        case _:
            os.mkfifo(path)


CHANGES: list[Change] = [
    flip, cut, grow, remove, swap, copy, rename, reorder, reorder, strip, occupy,
]  # fmt: skip


@pytest.mark.parametrize("what", ["ledger", "bundle"])
@pytest.mark.parametrize("seed", range(60 if FULL else 4))
def test_both_say_the_same_of_what_was_changed(made, what, seed, tmp_path, capsys):
    place, known = made
    chance = random.Random(f"{what} {seed}")
    for number in range(40):
        path = tmp_path / str(number)
        shutil.copytree(place / what, path)
        done = [chance.choice(CHANGES) for _ in range(chance.randint(1, 2))]
        for change in done:
            change(chance, path)
        keys = chance.choice([known, known, []])
        targets = [path, *sorted(path.glob("*.trace.jsonl"))]
        for target in (path, chance.choice(targets)):
            names = [change.__name__ for change in done]
            agree(target, keys, capsys, why=(names, keys, str(target)))


def test_both_say_the_same_of_a_zip_file_whatever_is_broken_in_it(made, tmp_path, capsys):
    place, keys = made
    whole = (place / "bundle.zip").read_bytes()
    path = tmp_path / "b.zip"
    codes = set()
    for start in range(0, len(whole), 311):
        path.write_bytes(whole[:start] + bytes(20) + whole[start + 20 :])
        codes.add(agree(path, keys, capsys, why=start)[0])
    assert 2 in codes


def test_both_find_nothing_to_verify_in_a_folder_of_anything(tmp_path, capsys):
    (tmp_path / "notes.txt").write_text("x")
    (tmp_path / "below").mkdir()

    for path in (tmp_path, tmp_path / "below", tmp_path / "notes.txt", tmp_path / "missing"):
        for keys in ([], ["cra.local+79e9614f+AerhyHk7VZfEs/SQ52rDEXLEOWkPjuFBQruFGmH5pJ8O"]):
            assert agree(path, keys, capsys) == (2, None, None)


@pytest.mark.parametrize("way", ["nowhere", "itself"])
def test_a_session_that_is_a_link_to_nothing_is_missing(made, way, tmp_path, capsys):
    place, keys = made
    shutil.copytree(place / "ledger", tmp_path / "ledger")
    path = sorted((tmp_path / "ledger").glob("0*.trace.jsonl"))[0]
    path.unlink()
    path.symlink_to("nowhere" if way == "nowhere" else path.name)

    code, found, parts = agree(tmp_path / "ledger", keys, capsys)
    assert (code, found) == (3, ("TAMPERED", "CRA-3021", None))
    assert parts[path.name.partition(".")[0]] == ("TAMPERED", "CRA-3021")
    assert agree(path, keys, capsys) == (2, None, None)


def test_a_link_to_a_file_is_that_file(made, tmp_path, capsys):
    place, keys = made
    for path in (place / "ledger").rglob("*"):
        link = tmp_path / "ledger" / path.relative_to(place / "ledger")
        link.parent.mkdir(exist_ok=True)
        if path.is_file():
            link.symlink_to(path)

    assert agree(tmp_path / "ledger", keys, capsys)[:2] == (0, ("INTACT", None, "L1"))
