"""cra gives the answer that every vector expects, as `specs/verify.py` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cra import canonical
from cra.cli import run
from cra.cli.project import user_dirs
from cra.errors import IntegrityError, SignerRefused, UsageError, ValueRefused
from cra.ledger.anchor import parse_anchor
from cra.ledger.chain import decode
from cra.ledger.checkpoint import parse_key
from cra.ledger.memory import Head, Memory
from cra.ledger.proof import check_proof, parse_proof
from cra.ledger.verify import Trust
from tests.program import cra

VECTORS = Path(__file__).parents[1] / "specs" / "vectors"


def rows(name: str) -> list[Any]:
    table = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return [pytest.param(row, id=row.get("name") or row["file"]) for row in table]


LEDGERS = sorted(path.name for path in (VECTORS / "ledgers").iterdir())
# These are given to the program as well, each as a process of its own.
PROGRAM = ["signed", "head-is-a-prefix", "bundle-zip", "bundle-session-missing", "key-weak", "crlf"]


def case_of(name: str) -> dict[str, Any]:
    case: dict[str, Any] = json.loads((VECTORS / "ledgers" / name / "case.json").read_bytes())
    return case


def arguments_of(name: str) -> list[str]:
    """The command for a case. The head that it remembers is put into its state directory."""
    case = case_of(name)
    path = (VECTORS / "ledgers" / name / case["path"]).resolve()
    options = [f"--key={key}" for key in case["keys"]]
    if case["head"]:
        try:
            head = parse_anchor(f"cra:{case['head']}")
        except UsageError:
            options.append(f"--anchor=cra:{case['head']}")
        else:
            known = Head(head.ledger_id, head.size, head.root.hex(), "none")
            Memory(user_dirs().state).remember(path, known)
    if case["session"]:
        return ["trace", "verify", case["session"], f"--trace-dir={path}", *options, "--json"]
    return ["trace", "verify", str(path), *options, "--json"]


def expected_part(expected: Any, found: Any) -> Any:
    """What was found, reduced to the members that are expected; sessions are expected all."""
    if not isinstance(expected, dict) or not isinstance(found, dict):
        return found
    kept = {name: expected_part(value, found.get(name)) for name, value in expected.items()}
    if "sessions" in expected:
        kept["sessions"] |= {name: None for name in found["sessions"].keys() - expected["sessions"]}
    return kept


def check(name: str, code: int, said: str) -> None:
    """Compare an answer with the one that is expected, and with its exit code."""
    expected = case_of(name)["expect"]
    if expected["exit"] == 2:
        assert (code, said) == (2, "")
        return
    found = json.loads(said)
    found["sessions"] = {part["name"]: part for part in found["sessions"]}
    for session_id, part in expected.get("sessions", {}).items():
        # cra says it in a warning.
        unproven = part.pop("unauthenticated", 0)
        warnings = found["sessions"].get(session_id, {}).get("warnings", [])
        assert any("unauthenticated" in text for text in warnings) >= bool(unproven)
    assert expected_part(expected, found) == expected
    assert code == expected["exit"]


@pytest.mark.parametrize("name", LEDGERS)
def test_the_command_gives_a_ledger_its_verdict(name, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    code = run(arguments_of(name))

    check(name, code, capsys.readouterr().out)


@pytest.mark.parametrize("name", PROGRAM)
def test_the_program_gives_a_ledger_its_verdict(name, tmp_path):
    done = cra(tmp_path, *arguments_of(name))

    check(name, done.returncode, done.stdout)


@pytest.mark.parametrize("row", rows("canonical.json"))
def test_canonical_json(row):
    try:
        text = canonical.encode(json.loads(row["input"], parse_constant=lambda _: float("nan")))
    except (ValueError, ValueRefused, RecursionError):
        text = None
    given = row["input"].encode("utf-8", "surrogatepass")
    try:
        canonical.decode(given)
        is_canonical = True
    except ValueRefused:
        is_canonical = False

    assert is_canonical == (row["canonical"] is not None and given == row["canonical"].encode())
    if row["canonical"] is not None:
        assert text == row["canonical"].encode()


@pytest.mark.parametrize("row", rows("events.json"))
def test_single_events(row):
    line = row["line"].encode("utf-8", "surrogatepass")
    if not row["valid"]:
        with pytest.raises(IntegrityError) as caught:
            decode(line)
        assert caught.value.finding.value == row["code"]
        return
    event = decode(line)
    assert event.event_hash == row["event_hash"]
    assert event.header["payload_hash"] == row["payload_hash"]


@pytest.mark.parametrize("row", rows("keys.json"))
def test_verifier_keys(row):
    try:
        parse_key(row["vkey"])
    except SignerRefused:
        assert not row["valid"]
    else:
        assert row["valid"]


@pytest.mark.parametrize("row", rows("proofs/cases.json"))
def test_proofs(row):
    trust = Trust(tuple(parse_key(key) for key in row["keys"]))
    try:
        proven = check_proof(parse_proof((VECTORS / "proofs" / row["file"]).read_bytes()), trust)
    except IntegrityError as error:
        found = False, None, error.finding.value
    else:
        found = True, str(proven.level), None

    assert found[:2] == (row["valid"], row["level"])
    assert found[2] == row.get("code", found[2])
