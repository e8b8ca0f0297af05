"""cra gives the answer that every vector expects, as `specs/verify.py` does."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

from cra import canonical
from cra.errors import CraError, IntegrityError, SignerRefused, ValueRefused
from cra.ledger.anchor import parse_anchor
from cra.ledger.chain import decode
from cra.ledger.checkpoint import parse_key
from cra.ledger.memory import Head, Memory
from cra.ledger.proof import check_proof, parse_proof
from cra.ledger.verify import ChainReport, LedgerReport, Trust, verify_file, verify_ledger

VECTORS = Path(__file__).parents[1] / "specs" / "vectors"


def rows(name: str) -> list[Any]:
    table = json.loads((VECTORS / name).read_text(encoding="utf-8"))
    return [pytest.param(row, id=row.get("name") or row["file"]) for row in table]


def case_of(name: str) -> dict[str, Any]:
    return json.loads((VECTORS / "ledgers" / name / "case.json").read_bytes())


def is_bundle(name: str) -> bool:
    folder = VECTORS / "ledgers" / name
    return bool(list(folder.rglob("*.proof")) + list(folder.rglob("*.zip")))


LEDGERS = [
    path.name for path in sorted((VECTORS / "ledgers").iterdir()) if not is_bundle(path.name)
]


def judge(name: str, case: dict[str, Any], state: Path) -> LedgerReport:
    path = (VECTORS / "ledgers" / name / case["path"]).resolve()
    trust = Trust(tuple(parse_key(key) for key in case["keys"]))
    memory = Memory(None)
    if case["head"]:
        head = parse_anchor(f"cra:{case['head']}")
        memory = Memory(state)
        memory.remember(path, Head(head.ledger_id, head.size, head.root.hex(), "none"))
    if path.name.endswith(".trace.jsonl"):
        if (path.parent / "journal.trace.jsonl").exists():
            return verify_ledger(path.parent, trust, sessions=[path.name.partition(".")[0]])
        return verify_file(path, trust)
    sessions = [case["session"]] if case["session"] else None
    return verify_ledger(path, trust, sessions=sessions, memory=memory)


def facts(part: ChainReport) -> dict[str, Any]:
    return {
        "verdict": part.verdict.name,
        "code": part.code and part.code.value,
        "events": part.events,
        "unattested": part.unattested,
    }


def reduced(expected: dict[str, Any], found: dict[str, Any]) -> dict[str, Any]:
    return {name: found[name] for name in expected if name in found}


@pytest.mark.parametrize("name", LEDGERS)
def test_a_ledger_gets_its_verdict(name, tmp_path):
    case = case_of(name)
    expected = case["expect"]
    if expected["exit"] == 2:
        with pytest.raises((CraError, ValueError)):
            judge(name, case, tmp_path)
        return
    report = judge(name, case, tmp_path)

    decisive = report.decisive
    found = {
        "verdict": report.verdict.name,
        "exit": int(report.verdict.exit_code),
        "code": decisive.code.value if decisive and decisive.code else None,
        "level": str(report.level) if report.verdict.exit_code == 0 else None,
        "journal": report.journal and facts(report.journal),
        "sessions": {part.name: facts(part) for part in report.sessions},
    }
    wanted = {
        name: value for name, value in expected.items() if name not in ("journal", "sessions")
    }
    assert reduced(wanted, found) == wanted
    assert found["sessions"].keys() == expected["sessions"].keys()
    for part, facts_wanted in expected["sessions"].items():
        common = facts_wanted.keys() & found["sessions"][part].keys()
        assert {key: found["sessions"][part][key] for key in common} == {
            key: facts_wanted[key] for key in common
        }
    if expected.get("journal"):
        assert reduced(expected["journal"], found["journal"]) == {
            key: value for key, value in expected["journal"].items() if key in found["journal"]
        }


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
    except IntegrityError:
        assert not row["valid"]
    else:
        assert (row["valid"], row["level"]) == (True, str(proven.level))
