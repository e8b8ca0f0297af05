"""`specs/verify.py`, the second implementation, gives the answer that every vector expects."""

from __future__ import annotations

import ast
import json
import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from tests.standalone import load

SPECS = Path(__file__).parents[1] / "specs"
VECTORS = SPECS / "vectors"
LEDGERS = sorted(path.name for path in (VECTORS / "ledgers").iterdir())


verify = load(SPECS / "verify.py")


def rows(name: str) -> list[Any]:
    table: list[Any] = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    key = "file" if name.startswith("proofs") else "name"
    return [pytest.param(row, id=row[key]) for row in table]


def case_of(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((VECTORS / "ledgers" / name / "case.json").read_bytes())
    return case


def path_of(name: str, case: dict[str, Any]) -> str:
    return str(VECTORS / "ledgers" / name / case["path"])


def expected_part(expected: Any, found: Any) -> Any:
    """What was found, reduced to the members that are expected; sessions are expected all."""
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return found
    kept = {name: expected_part(value, found.get(name)) for name, value in expected.items()}
    if "sessions" in expected:
        kept["sessions"] |= {name: None for name in found["sessions"].keys() - expected["sessions"]}
    return kept


def run(*arguments: str) -> subprocess.CompletedProcess[str]:
    program = [sys.executable, "-I", "-W", "error", str(SPECS / "verify.py")]
    return subprocess.run([*program, *arguments], capture_output=True, text=True, check=False)


def arguments_of(name: str) -> list[str]:
    case = case_of(name)
    options = [f"--{option}={case[option]}" for option in ("head", "session") if case[option]]
    return [path_of(name, case), *(f"--key={key}" for key in case["keys"]), *options]


@pytest.mark.parametrize("name", LEDGERS)
def test_a_ledger_gets_its_verdict(name: str) -> None:
    case = case_of(name)
    try:
        keys = [verify.parse_key(key) for key in case["keys"]]
        head = verify.parse_head(case["head"]) if case["head"] else None
        found = verify.verify(path_of(name, case), keys, head, case["session"])
    except verify.UNREADABLE:
        found = {"exit": 2}

    assert expected_part(case["expect"], found) == case["expect"]


@pytest.mark.parametrize("row", rows("canonical.json"))
def test_json_text_has_its_canonical_form_or_none(row: dict[str, Any]) -> None:
    try:
        found = verify.parse(row["input"].encode())[1].decode()
    except ValueError:
        found = None

    assert found == row["canonical"]


@pytest.mark.parametrize("row", rows("events.json"))
def test_a_line_is_an_event_or_gets_its_code(row: dict[str, Any]) -> None:
    if row["valid"]:
        header, _, _, leaf = verify.read_event(row["line"].encode())

        assert (leaf.hex(), header["payload_hash"]) == (row["event_hash"], row["payload_hash"])
    else:
        with pytest.raises(verify.Finding, match=row["code"]):
            verify.read_event(row["line"].encode())


@pytest.mark.parametrize("row", rows("keys.json"))
def test_a_verifier_key_is_taken_or_refused(row: dict[str, Any]) -> None:
    try:
        verify.parse_key(row["vkey"])
        found = True
    except ValueError:
        found = False

    assert found is row["valid"]


@pytest.mark.parametrize("row", rows("proofs/cases.json"))
def test_a_proof_is_valid_or_not(row: dict[str, Any]) -> None:
    keys = [verify.parse_key(key) for key in row["keys"]]

    found = verify.verify(str(VECTORS / "proofs" / row["file"]), keys)

    assert (found["verdict"] == "VALID", found["level"]) == (row["valid"], row["level"])
    assert found["exit"] == (0 if row["valid"] else 3)
    assert found["code"] == row.get("code", found["code"])


PROGRAM = [
    "signed", "head-is-a-prefix", "incomplete", "stillborn", "planted-session", "rolled-back",
    "uncovered-payload-edited", "session-option-edited", "session-file", "bundle-zip",
    "key-weak", "path-missing",
]  # fmt: skip


@pytest.mark.parametrize("name", PROGRAM)
def test_the_program_says_the_same_with_its_exit_code(name: str) -> None:
    expected = case_of(name)["expect"]

    done = run(*arguments_of(name), "--json")

    assert done.returncode == expected["exit"]
    if done.returncode == 2:
        assert done.stdout == ""
        assert done.stderr.startswith("verify.py: ")
        assert done.stderr.count("\n") == 1
    else:
        assert expected_part(expected, json.loads(done.stdout)) == expected
        assert done.stderr == ""


def test_the_program_prints_a_line_for_each_chain_and_the_verdict() -> None:
    done = run(*arguments_of("worst-of-two"))

    lines = done.stdout.splitlines()
    assert [line.split()[:2] for line in lines[:-1]] == [
        ["journal", "verdict=INTACT"],
        ["0192f0c1-0000-7000-8000-000000000001", "verdict=DAMAGED"],
        ["0192f0c1-0000-7000-8000-000000000002", "verdict=TAMPERED"],
    ]
    assert lines[-1] == "TAMPERED CRA-3002"


def test_the_program_prints_whether_a_proof_is_valid() -> None:
    proofs = VECTORS / "proofs"

    assert run(str(proofs / "session-event.tlog-proof")).stdout == "VALID L0\n"
    assert run(str(proofs / "extra-edited.tlog-proof")).stdout == "INVALID CRA-3002\n"


def test_what_cannot_be_read_is_one_line_and_exit_code_2(tmp_path: Path) -> None:
    (tmp_path / "folder" / "a.trace.jsonl").mkdir(parents=True)
    (tmp_path / "pipe").mkdir()
    os.mkfifo(tmp_path / "pipe" / "journal.trace.jsonl")
    (tmp_path / "link").mkdir()
    (tmp_path / "link" / "journal.checkpoint").symlink_to("nowhere")
    (tmp_path / "bad.zip").write_bytes(b"PK\5\6" + bytes(17))
    (tmp_path / "notes.txt").write_bytes(b"hello")

    for name in ("folder", "pipe", "link", "bad.zip", "notes.txt", "missing", "missing.proof"):
        done = run(str(tmp_path / name))
        assert (done.returncode, done.stdout, done.stderr.count("\n")) == (2, "", 1), name


def test_a_link_to_a_regular_file_is_followed(tmp_path: Path) -> None:
    ledger = VECTORS / "ledgers" / "signed"
    for file in ledger.iterdir():
        (tmp_path / file.name).symlink_to(file)

    keys = [verify.parse_key(key) for key in case_of("signed")["keys"]]
    assert verify.verify(str(tmp_path), keys)["level"] == "L1"


def test_every_covered_byte_counts(tmp_path: Path) -> None:
    ledger = VECTORS / "ledgers" / "signed"
    keys = [verify.parse_key(key) for key in case_of("signed")["keys"]]
    files = {file.name: file.read_bytes() for file in ledger.iterdir() if file.name != "case.json"}
    for name, data in files.items():
        (tmp_path / name).write_bytes(data)

    for name, data in files.items():
        for position in range(0, len(data), 61):
            changed = bytearray(data)
            changed[position] ^= 1 << position % 8
            (tmp_path / name).write_bytes(changed)
            assert verify.verify(str(tmp_path), keys)["verdict"] == "TAMPERED", (name, position)
        (tmp_path / name).write_bytes(data)


def test_the_generator_makes_the_committed_bytes() -> None:
    files = load(VECTORS / "generate.py").build()

    written = {
        path.relative_to(VECTORS).as_posix(): path.read_bytes()
        for path in VECTORS.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts
    }
    by_hand = {"generate.py", "README.md"}
    assert written.keys() - by_hand == files.keys()
    assert [name for name, data in files.items() if written[name] != data] == []


def test_the_verifier_is_short_and_needs_only_the_standard_library() -> None:
    text = (SPECS / "verify.py").read_text(encoding="utf-8")
    imported = {
        name.split(".")[0]
        for node in ast.walk(ast.parse(text))
        if isinstance(node, ast.Import | ast.ImportFrom)
        for name in (
            [alias.name for alias in node.names]
            if isinstance(node, ast.Import)
            else [node.module or "."]
        )
    }

    assert len(text.splitlines()) <= 400
    assert imported <= set(sys.stdlib_module_names)
