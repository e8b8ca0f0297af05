"""What somebody who can write the ledger's files, but has no key, can and cannot do unseen."""

from __future__ import annotations

import base64
import random
import shutil
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from cra import canonical
from cra.errors import Code, CraError, IntegrityError, SignerRefused
from cra.ledger.chain import Chain, Draft, Event, artifacts_of
from cra.ledger.chain import redact as redacted_line
from cra.ledger.checkpoint import KEY_NAME, Checkpoint, VerifierKey, parse_key, seal
from cra.ledger.memory import Memory
from cra.ledger.merkle import root_of
from cra.ledger.store import Ledger, Session
from cra.ledger.verdict import Level, Verdict
from cra.ledger.verify import LedgerReport, Trust, verify_ledger

from .harness import (
    SOURCE,
    Site,
    add_bytes,
    die,
    facts,
    forged_line,
    is_named_unattested,
    kernel,
    new_signer,
    read_tree,
    signer,
    stored_events,
    without_syncing,
    write_tree,
)
from .payloads import DENIED, GRANTED, REQUESTED

LEVELS = ["L0", "L1", "L2"]


@dataclass(frozen=True)
class Victim:
    """A ledger of three sessions, and copies of its files from earlier on.

    `first` and `second` have ended, `third` is open. `early` was taken when `second` had begun.
    """

    site: Site
    level: str
    ledger_id: str
    first: str
    second: str
    third: str
    early: dict[str, bytes]
    whole: dict[str, bytes]

    def restore(self) -> None:
        self.site.directory.mkdir(exist_ok=True)
        write_tree(self.site.root, self.whole)

    def judge(self) -> LedgerReport:
        memory = self.site.memory if self.level == "L2" else Memory(None)
        return self.site.verify(memory)


def prepare(root: Path, level: str) -> Victim:
    site = Site(root, None if level == "L0" else signer())
    with kernel(root, without_syncing):
        ledger = site.open()
        first, second = ledger.start_session("first"), ledger.start_session("second")
        for session in (first, second):
            for number in range(4):
                session.append("action.denied", DENIED | {"reason": f"reason {number}"})
            session.barrier()
        early = read_tree(site.directory)
        third = ledger.start_session("third")
        third.append("action.denied", DENIED)
        first.end()
        second.append("approval.requested", REQUESTED)
        second.end()
        ledger.close()
        die()
    return Victim(site, level, ledger.id, first.id, second.id, third.id, early, read_tree(root))


@pytest.fixture(scope="module")
def prepared(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Victim]:
    return {level: prepare(tmp_path_factory.mktemp(level), level) for level in LEVELS}


@pytest.fixture
def victim(request: pytest.FixtureRequest, prepared: dict[str, Victim]) -> Iterator[Victim]:
    chosen = prepared[request.param]
    chosen.restore()
    yield chosen
    die()


# How the attacks change files.


def lines_of(path: Path) -> list[bytes]:
    return path.read_bytes().split(b"\n")[:-1]


def put_lines(path: Path, lines: list[bytes]) -> None:
    path.write_bytes(b"".join(line + b"\n" for line in lines))


def change_lines(victim: Victim, change: Callable[[list[bytes]], list[bytes]]) -> None:
    path = victim.site.data(victim.first)
    put_lines(path, change(lines_of(path)))


def draft_of(event: Event, payload: dict[str, Any] | None = None) -> Draft:
    """What it takes to write an event again, with another payload."""
    header, body = event.header, event.payload if payload is None else payload
    artifacts = [(a["name"], a["sha256"], a["content_type"]) for a in header.get("artifacts", ())]
    return Draft(
        header["event_id"],
        header["event_type"],
        header["span_id"],
        header["parent_span_id"],
        header["severity"],
        header["timestamp"],
        canonical.encode(header["actor"]).decode(),
        canonical.encode(body),
        event.line[-114:-82].decode(),
        artifacts_of(artifacts) if artifacts else "",
    )


Change = Callable[[str, list[Event]], list[Draft]]


def rewrite_everything(victim: Victim, change: Change, forger: Any = None) -> None:
    """Do all that can be done without the ledger's key: every chain, root and checkpoint anew."""
    site = victim.site
    leaves = {}
    for session_id in site.sessions():
        drafts = change(session_id, stored_events(site, session_id))
        leaves[session_id] = write_chain(site, session_id, victim.ledger_id, drafts, forger)
    journal = []
    for event in stored_events(site, "journal"):
        payload = dict(event.payload or {})
        known = leaves.get(payload.get("session_id", ""))
        if known is not None and "root" in payload:
            payload["size"] = min(payload["size"], len(known))
            payload["root"] = root_of(known[: payload["size"]]).hex()
        journal.append(draft_of(event, payload))
    write_chain(site, "journal", victim.ledger_id, journal, forger)


def write_chain(
    site: Site, name: str, ledger_id: str, drafts: list[Draft], forger: Any
) -> list[bytes]:
    is_journal = name == "journal"
    chain = Chain(ledger_id if is_journal else name, is_journal=is_journal, trace_id=name)
    chain.trace_id = chain.session_id
    sealed = [chain.seal(draft) for draft in drafts]
    leaves = [leaf for _, leaf in sealed]
    site.data(name).write_bytes(b"".join(line for line, _ in sealed))
    head = Checkpoint(f"cra.local/{ledger_id}/{name}", len(leaves), root_of(leaves))
    site.checkpoint(name).write_bytes(seal(head, forger))
    return leaves


# The attacks.


def edit_a_payload(victim: Victim) -> None:
    change_lines(victim, lambda lines: [line.replace(b"reason 1", b"Reason 1") for line in lines])


def edit_event_0(victim: Victim) -> None:
    change_lines(victim, lambda lines: [lines[0].replace(b"first", b"First"), *lines[1:]])


def edit_a_header(victim: Victim) -> None:
    def change(lines: list[bytes]) -> list[bytes]:
        return [
            *lines[:2],
            lines[2].replace(b'"severity":"warn"', b'"severity":"info"'),
            *lines[3:],
        ]

    change_lines(victim, change)


def insert_an_event(victim: Victim) -> None:
    other = lines_of(victim.site.data(victim.second))
    change_lines(victim, lambda lines: [*lines[:3], other[3], *lines[3:]])


def insert_a_well_made_event(victim: Victim) -> None:
    def change(lines: list[bytes]) -> list[bytes]:
        put_lines(victim.site.data(victim.first), lines[:3])
        made = forged_line(victim.site, victim.first, "approval.granted", GRANTED)
        return [*lines[:3], made[:-1], *lines[3:]]

    change_lines(victim, change)


def delete_an_event(victim: Victim) -> None:
    change_lines(victim, lambda lines: [*lines[:2], *lines[3:]])


def swap_two_events(victim: Victim) -> None:
    change_lines(victim, lambda lines: [lines[0], lines[2], lines[1], *lines[3:]])


def duplicate_an_event(victim: Victim) -> None:
    change_lines(victim, lambda lines: [*lines[:3], lines[2], *lines[3:]])


def drop_the_first_events(victim: Victim) -> None:
    change_lines(victim, lambda lines: lines[3:])


def add_a_member(victim: Victim) -> None:
    added = b'"approved_by":"ceo","payload":'
    change_lines(victim, lambda lines: [line.replace(b'"payload":', added, 1) for line in lines])


def add_a_member_at_the_end(victim: Victim) -> None:
    change_lines(victim, lambda lines: [line[:-1] + b',"approved":true}' for line in lines])


def duplicate_a_key(victim: Victim) -> None:
    key = b'"reason":"reason 1"'
    both = b'"reason":"no objection",' + key
    change_lines(victim, lambda lines: [line.replace(key, both) for line in lines])


def write_minus_zero(victim: Victim) -> None:
    change_lines(victim, lambda lines: [*lines[:-1], lines[-1].replace(b":0,", b":-0,")])


def write_whitespace(victim: Victim) -> None:
    change_lines(
        victim, lambda lines: [line.replace(b',"reason"', b', "reason"') for line in lines]
    )


def append_blank_lines(victim: Victim) -> None:
    add_bytes(victim.site.data(victim.first), b"\n\n")


def truncate(victim: Victim) -> None:
    change_lines(victim, lambda lines: lines[:-3])


def truncate_in_the_middle_of_a_line(victim: Victim) -> None:
    path = victim.site.data(victim.first)
    path.write_bytes(path.read_bytes()[:-300])


def truncate_and_adjust_all_else(victim: Victim) -> None:
    def change(session_id: str, events: list[Event]) -> list[Draft]:
        kept = events[:-2] if session_id == victim.first else events
        return [draft_of(event) for event in kept]

    rewrite_everything(victim, change)


def empty_the_file(victim: Victim) -> None:
    victim.site.data(victim.first).write_bytes(b"")


def empty_the_file_and_its_checkpoint(victim: Victim) -> None:
    victim.site.data(victim.first).write_bytes(b"")
    victim.site.checkpoint(victim.first).unlink()


def rewrite_history(victim: Victim) -> None:
    rewrite_everything(victim, _other_reasons)


def rewrite_history_with_another_key(victim: Victim) -> None:
    rewrite_everything(victim, _other_reasons, forger=new_signer())


def _other_reasons(session_id: str, events: list[Event]) -> list[Draft]:
    del session_id
    drafts = []
    for event in events:
        payload = dict(event.payload or {})
        if "reason" in payload:
            payload["reason"] = "all was well"
        drafts.append(draft_of(event, payload))
    return drafts


def put_back(victim: Victim, *paths: Path) -> None:
    for path in paths:
        path.write_bytes(victim.early[str(path)])


def roll_back_a_session(victim: Victim) -> None:
    put_back(victim, victim.site.data(victim.first), victim.site.checkpoint(victim.first))


def roll_back_the_data_alone(victim: Victim) -> None:
    put_back(victim, victim.site.data(victim.first))


def roll_back_everything(victim: Victim) -> None:
    shutil.rmtree(victim.site.directory)
    victim.site.directory.mkdir()
    write_tree(victim.site.directory, victim.early)


def roll_back_the_journal(victim: Victim) -> None:
    put_back(victim, victim.site.data("journal"), victim.site.checkpoint("journal"))


def delete_a_session(victim: Victim) -> None:
    victim.site.data(victim.first).unlink()
    victim.site.checkpoint(victim.first).unlink()


def delete_a_session_and_what_the_journal_says_of_it(victim: Victim) -> None:
    """The third session began last: an authentic older journal does not know it."""
    roll_back_everything(victim)


def delete_the_journal(victim: Victim) -> None:
    victim.site.data("journal").unlink()
    victim.site.checkpoint("journal").unlink()


def delete_the_journals_checkpoint(victim: Victim) -> None:
    victim.site.checkpoint("journal").unlink()


def delete_a_checkpoint(victim: Victim) -> None:
    victim.site.checkpoint(victim.first).unlink()


def delete_everything(victim: Victim) -> None:
    shutil.rmtree(victim.site.directory)
    victim.site.directory.mkdir()


def begin_anew(victim: Victim) -> None:
    delete_everything(victim)
    ledger = Ledger(victim.site.directory, source=SOURCE)
    ledger.start_session("impostor").end()
    ledger.close()


def begin_anew_with_another_key(victim: Victim) -> None:
    delete_everything(victim)
    ledger = Ledger(victim.site.directory, source=SOURCE, signer=new_signer())
    ledger.start_session("impostor").end()
    ledger.close()


def swap_two_sessions(victim: Victim) -> None:
    for place in (victim.site.data, victim.site.checkpoint):
        one, other = place(victim.first), place(victim.second)
        first, second = one.read_bytes(), other.read_bytes()
        one.write_bytes(second)
        other.write_bytes(first)


def put_another_sessions_checkpoint(victim: Victim) -> None:
    other = victim.site.checkpoint(victim.second).read_bytes()
    victim.site.checkpoint(victim.first).write_bytes(other)


def add_a_session_of_ones_own(victim: Victim) -> None:
    made = SOURCE.new_id()
    drafts = [draft_of(event) for event in stored_events(victim.site, victim.first)]
    write_chain(victim.site, made, victim.ledger_id, drafts, None)


def strip_a_signature(victim: Victim) -> None:
    for name in (victim.first, "journal"):
        path = victim.site.checkpoint(name)
        path.write_bytes(path.read_bytes().partition(b"\n\n")[0] + b"\n\n")


def sign_with_another_key(victim: Victim) -> None:
    for name in (victim.first, "journal"):
        path = victim.site.checkpoint(name)
        origin, size, root = path.read_text().split("\n")[:3]
        head = Checkpoint(origin, int(size), base64.b64decode(root))
        path.write_bytes(seal(head, new_signer()))


def forge_a_pruning(victim: Victim) -> None:
    """Say in the journal that a session was pruned, and delete it."""
    add_bytes(victim.site.data("journal"), _forged_pruning(victim))
    delete_a_session(victim)


def forge_a_pruning_and_the_journals_checkpoint(victim: Victim) -> None:
    forge_a_pruning(victim)
    drafts = [draft_of(event) for event in stored_events(victim.site, "journal")]
    write_chain(victim.site, "journal", victim.ledger_id, drafts, None)


def _forged_pruning(victim: Victim) -> bytes:
    payload = {
        "session_id": victim.first,
        "size": 6,
        "root": "0" * 64,
        "leaves": "",
        "totals": {},
        "reason": "retention",
    }
    return forged_line(victim.site, "journal", "journal.pruned", payload)


def redact_an_event(victim: Victim) -> None:
    event = stored_events(victim.site, victim.first)[2]
    change_lines(victim, lambda lines: [*lines[:2], redacted_line(event), *lines[3:]])


def redact_an_event_and_forge_the_entry(victim: Victim) -> None:
    event = stored_events(victim.site, victim.first)[2]
    payload = {
        "session_id": victim.first,
        "sequence": 2,
        "event_hash": event.event_hash,
        "reason": "private",
    }
    line = forged_line(victim.site, "journal", "journal.redacted", payload)
    add_bytes(victim.site.data("journal"), line)
    redact_an_event(victim)


def redact_an_event_and_forge_the_journal(victim: Victim) -> None:
    redact_an_event_and_forge_the_entry(victim)
    drafts = [draft_of(event) for event in stored_events(victim.site, "journal")]
    write_chain(victim.site, "journal", victim.ledger_id, drafts, None)


Attack = Callable[[Victim], None]

# At L0 nothing is signed: whoever rewrites everything consistently, or puts everything back, is not
# detected. At L1 only what an authentic older copy of the whole ledger shows is not detected.
ATTACKS: list[tuple[Attack, str]] = [
    (edit_a_payload, "L0 L1 L2"),
    (edit_event_0, "L0 L1 L2"),
    (edit_a_header, "L0 L1 L2"),
    (insert_an_event, "L0 L1 L2"),
    (insert_a_well_made_event, "L0 L1 L2"),
    (delete_an_event, "L0 L1 L2"),
    (swap_two_events, "L0 L1 L2"),
    (duplicate_an_event, "L0 L1 L2"),
    (drop_the_first_events, "L0 L1 L2"),
    (add_a_member, "L0 L1 L2"),
    (add_a_member_at_the_end, "L0 L1 L2"),
    (duplicate_a_key, "L0 L1 L2"),
    (write_minus_zero, "L0 L1 L2"),
    (write_whitespace, "L0 L1 L2"),
    (append_blank_lines, "L0 L1 L2"),
    (truncate, "L0 L1 L2"),
    (truncate_in_the_middle_of_a_line, "L0 L1 L2"),
    (truncate_and_adjust_all_else, "L1 L2"),
    (empty_the_file, "L0 L1 L2"),
    (empty_the_file_and_its_checkpoint, "L0 L1 L2"),
    (rewrite_history, "L1 L2"),
    (rewrite_history_with_another_key, "L1 L2"),
    (roll_back_a_session, "L0 L1 L2"),
    (roll_back_the_data_alone, "L0 L1 L2"),
    (roll_back_the_journal, "L0 L1 L2"),
    (roll_back_everything, "L2"),
    (delete_a_session, "L0 L1 L2"),
    (delete_a_session_and_what_the_journal_says_of_it, "L2"),
    (delete_the_journal, "L0 L1 L2"),
    (delete_the_journals_checkpoint, "L0 L1 L2"),
    (delete_a_checkpoint, "L0 L1 L2"),
    (delete_everything, "L2"),
    (begin_anew, "L1 L2"),
    (begin_anew_with_another_key, "L1 L2"),
    (swap_two_sessions, "L0 L1 L2"),
    (put_another_sessions_checkpoint, "L0 L1 L2"),
    (add_a_session_of_ones_own, "L0 L1 L2"),
    (strip_a_signature, "L1 L2"),
    (sign_with_another_key, "L1 L2"),
    (forge_a_pruning, "L0 L1 L2"),
    (forge_a_pruning_and_the_journals_checkpoint, "L1 L2"),
    (redact_an_event, "L0 L1 L2"),
    (redact_an_event_and_forge_the_entry, "L0 L1 L2"),
    (redact_an_event_and_forge_the_journal, "L1 L2"),
]


@pytest.mark.parametrize("victim", LEVELS, indirect=True)
@pytest.mark.parametrize(
    ("attack", "detected_at"), ATTACKS, ids=[attack.__name__ for attack, _ in ATTACKS]
)
def test_an_attack_is_detected_from_its_level_on(victim, attack, detected_at, record_property):
    attack(victim)

    report = victim.judge()

    is_detected = report.verdict.exit_code == 3
    assert is_detected == (victim.level in detected_at.split()), facts(report)
    if is_detected:
        record_property("counted", f"attacks seen at {victim.level}")


@pytest.mark.parametrize("victim", ["L1", "L2"], indirect=True)
@pytest.mark.parametrize("attack", [attack for attack, _ in ATTACKS])
def test_no_attack_leaves_a_signed_ledger_at_its_level(victim, attack):
    """Whoever requires the level is told, whatever the verdict says."""
    before = victim.judge().level
    attack(victim)

    after = victim.judge()

    assert before == Level[victim.level]
    if attack not in (roll_back_everything, delete_a_session_and_what_the_journal_says_of_it):
        assert after.level < before
    else:
        assert after.level < before or victim.level == "L1"


@pytest.mark.parametrize("victim", LEVELS, indirect=True)
def test_the_ledger_before_any_attack_is_intact(victim):
    report = victim.judge()

    assert report.verdict is Verdict.INTACT, facts(report)
    assert report.level == Level[victim.level]


@pytest.mark.parametrize("victim", ["L2"], indirect=True)
@pytest.mark.parametrize(
    "attack", [begin_anew, begin_anew_with_another_key, delete_everything, roll_back_everything]
)
def test_a_writer_does_not_go_on_in_a_ledger_that_is_not_the_one_it_knows(victim, attack):
    attack(victim)
    die()

    with pytest.raises(CraError):
        victim.site.open()


# An event that somebody without the key appends confers nothing, whoever writes after it.


def grant_yourself(site: Site, session_id: str) -> int:
    line = forged_line(site, session_id, "approval.granted", GRANTED)
    add_bytes(site.data(session_id), line)
    return stored_events(site, session_id)[-1].sequence


@pytest.mark.parametrize("victim", ["L1", "L2"], indirect=True)
@pytest.mark.parametrize("were_open", [True, False], ids=["open-before", "opened-after"])
def test_a_forged_grant_is_never_attested(victim, were_open):
    check_that_a_forged_grant_is_never_attested(victim, were_open=were_open)


def check_that_a_forged_grant_is_never_attested(victim: Victim, *, were_open: bool) -> None:
    """Two honest writers go on, with a barrier each; both name what neither of them wrote."""
    site, session_id = victim.site, victim.third
    ledgers = [site.open(), site.open()]
    sessions = [ledger.session(session_id) for ledger in ledgers if were_open]
    sequence = grant_yourself(site, session_id)

    sessions = sessions or [ledger.session(session_id) for ledger in ledgers]
    for session in sessions * 2:
        session.append("action.denied", DENIED)
        session.barrier()
    for ledger in ledgers:
        ledger.close()

    events = stored_events(site, session_id)
    assert events[sequence].event_type == "approval.granted"
    assert is_named_unattested(events, sequence)
    assert site.verify().verdict is Verdict.INTACT


@pytest.mark.parametrize("victim", ["L1"], indirect=True)
def test_no_honest_event_between_forged_ones_is_called_unattested(victim):
    site, session_id = victim.site, victim.third
    ledger = site.open()
    session = ledger.session(session_id)
    forged, honest = [], []
    for _ in range(3):
        forged.append(grant_yourself(site, session_id))
        honest.append(session.append("action.denied", DENIED).sequence)
    session.barrier()
    ledger.close()

    events = stored_events(site, session_id)
    assert [number for number in forged if not is_named_unattested(events, number)] == []
    assert [number for number in honest if is_named_unattested(events, number)] == []


def cut_the_end(path: Path) -> None:
    path.write_bytes(path.read_bytes()[:-300])


def remove(path: Path) -> None:
    path.unlink()


def replace_by_a_copy(path: Path) -> None:
    copy = path.with_suffix(".copy")
    copy.write_bytes(path.read_bytes())
    copy.rename(path)


@pytest.mark.parametrize("victim", LEVELS, indirect=True)
@pytest.mark.parametrize("meddle", [cut_the_end, remove, replace_by_a_copy])
def test_a_writer_that_is_open_notices_what_is_done_to_its_file(victim, meddle):
    ledger = victim.site.open()
    session = ledger.session(victim.third)
    meddle(session.paths.data)

    with pytest.raises(IntegrityError):
        append_and_hold(session)


def append_and_hold(session: Session) -> None:
    session.append("action.denied", DENIED)
    session.barrier()


# Keys.


WEAK_POINTS = [bytes(32), b"\1" + bytes(31), b"\xec" + b"\xff" * 30 + b"\x7f", b"\xff" * 32]


@pytest.mark.parametrize("point", WEAK_POINTS, ids=lambda point: point.hex()[:8])
def test_a_weak_key_is_refused(point):
    with pytest.raises(SignerRefused):
        parse_key(str(VerifierKey(KEY_NAME, point)))


@pytest.mark.parametrize("victim", ["L1"], indirect=True)
@pytest.mark.parametrize(
    ("trust", "expected"),
    [
        (Trust((new_signer().key,)), (Verdict.TAMPERED, Code.SIGNATURE_MISSING)),
        (Trust(unconfirmed=(new_signer().key,)), (Verdict.TAMPERED, Code.SIGNATURE_MISSING)),
        (Trust(own=new_signer().key), (Verdict.INTACT, None)),
        (Trust(), (Verdict.INTACT, None)),
        (Trust(unconfirmed=(signer().key,)), (Verdict.INTACT, None)),
        (Trust((signer().key,)), (Verdict.INTACT, None)),
    ],
    ids=["unknown", "unconfirmed-unknown", "own-not-named", "none", "unconfirmed", "confirmed"],
)
def test_a_verifier_with_another_key_sees_no_signature(victim, trust, expected):
    report = verify_ledger(victim.site.directory, trust)

    assert (report.verdict, report.parts[0].code) == expected
    assert (report.level >= Level.L1) == (trust == Trust((signer().key,)))


# Every bit.


def small_site(root: Path, *, signed: bool) -> Site:
    """A session of four events, with the least of a journal."""
    site = Site(root, signer() if signed else None)
    with kernel(root, without_syncing):
        ledger = site.open()
        session = ledger.start_session("agent")
        session.append("action.denied", DENIED)
        session.append("approval.requested", REQUESTED)
        session.end()
        ledger.close()
        die()
    return site


def flips(data: bytes, *, every_bit: bool) -> Iterator[bytes]:
    """The data with one bit turned: each one, or one of each byte."""
    chance = random.Random(len(data))
    for position in range(len(data)):
        for bit in range(8) if every_bit else [chance.randrange(8)]:
            flipped = bytearray(data)
            flipped[position] ^= 1 << bit
            yield bytes(flipped)


FILES = ["journal.trace.jsonl", "journal.checkpoint", "session.trace.jsonl", "session.checkpoint"]


def path_of(site: Site, name: str) -> Path:
    return site.directory / name.replace("session", site.sessions()[0])


def survey_flips(site: Site, name: str, *, every_bit: bool) -> tuple[int, list[int]]:
    """How many flips there were, and which of them nobody noticed."""
    path = path_of(site, name)
    data = path.read_bytes()
    unnoticed, number = [], -1
    for number, flipped in enumerate(flips(data, every_bit=every_bit)):
        path.write_bytes(flipped)
        if verify_ledger(site.directory, site.trust).verdict.exit_code != 3:
            unnoticed.append(number)
    path.write_bytes(data)
    return number + 1, unnoticed


@pytest.mark.parametrize("name", FILES)
def test_a_flipped_bit_in_any_byte_is_detected(ram, name):
    count, unnoticed = survey_flips(small_site(ram, signed=True), name, every_bit=False)

    assert unnoticed == []
    assert count > 300


@pytest.mark.full
@pytest.mark.parametrize("name", FILES)
def test_every_flipped_bit_is_detected(ram, say, name):
    count, unnoticed = survey_flips(small_site(ram, signed=True), name, every_bit=True)

    say(f"{count} bits of {name} turned, {len(unnoticed)} unnoticed")
    assert unnoticed == []


@pytest.mark.parametrize(
    "name",
    [pytest.param(name, marks=pytest.mark.full if "jsonl" in name else ()) for name in FILES],
)
def test_a_writer_meets_a_flipped_bit_with_an_error_of_ours_or_none(ram, name):
    """On an unsigned ledger, whose checkpoints anybody can have written."""
    site = small_site(ram / "model", signed=False)
    model = read_tree(site.root)
    path = path_of(site, name)
    for flipped in flips(path.read_bytes(), every_bit=False):
        write_tree(site.root, model)
        path.write_bytes(flipped)
        with kernel(site.root, without_syncing):
            meet(site)


def meet(site: Site) -> None:
    try:
        ledger = site.open()
        for session_id in site.sessions():
            ledger.session(session_id)
        ledger.close()
    except CraError:
        return
    finally:
        die()


HINTS = [
    "resume 99999999999999999999 {hash} {peak}",
    "resume " + "9" * 5000 + " {hash} {peak}",
    "resume ² {hash} {peak}",
    "resume 10 {hash} not-base64!",
    "resume 10 {hash} =",
    "resume 10",
    "resume -1 {hash} {peak}",
    "resume 0 {hash} {peak}",
]


@pytest.mark.parametrize("hint", HINTS, ids=lambda hint: hint[:24])
def test_a_writer_does_not_trip_over_a_hint(tmp_path, hint):
    """The line that says where to go on from is not believed, nor relied on."""
    site = small_site(tmp_path, signed=False)
    ledger = site.open()
    session = ledger.start_session("agent")
    ledger.close()
    die()
    path = site.checkpoint(session.id)
    origin, size, root = path.read_text().split("\n")[:3]
    filled = hint.format(hash="0" * 64, peak=root)
    path.write_text(f"{origin}\n{size}\n{root}\n{filled}\n\n")

    ledger = site.open()
    ledger.session(session.id).append("action.denied", DENIED)
    ledger.close()

    assert site.verify().verdict is Verdict.INTACT


@pytest.mark.parametrize(
    "damage",
    [
        b"",
        b"{}",
        b"[]",
        b"\xff\xfe",
        b"null",
        b'{"ledger_id": 1}',
        b"[" * 60_000,
        b"x" * 100_000,
        b'{"ledger_id":"x","size":"many","root":"zz","signer":"none"}',
        b'{"ledger_id":"x","size":1,"root":"zz","signer":7}',
        b'{"ledger_id":"x","size":1,"root":null,"signer":"cra.local+bad"}',
    ],
    ids=lambda damage: ascii(damage[:30])[2:-1],
)
def test_a_damaged_memory_is_a_missing_memory(tmp_path, damage):
    site = small_site(tmp_path, signed=True)
    for path in (tmp_path / "state").rglob("*.json"):
        path.write_bytes(damage)

    assert site.verify().verdict is Verdict.INTACT
    meet(site)
