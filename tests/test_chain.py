"""The line format: what is written is accepted, and nothing else is."""

from __future__ import annotations

import json
from hashlib import sha256

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from cra import canonical
from cra.errors import Code, IntegrityError, ValueRefused
from cra.ledger import chain as line_format
from cra.ledger.chain import MAX_HEADER, MAX_LINE, MAX_PAYLOAD, Chain, Draft, decode, redact
from cra.ledger.source import Source
from tests.test_canonical import JSON

SOURCE = Source()
SESSION = SOURCE.new_id()
ACTOR = '{"id":"cra","type":"runtime"}'


def draft(event_type: str = "action.denied", payload: bytes = b'{"a":1}', **changes) -> Draft:
    event_id, timestamp, salt = SOURCE.stamp()
    given = Draft(event_id, event_type, SESSION, None, "info", timestamp, ACTOR, payload, salt)
    return given._replace(**changes)


def begun() -> tuple[Chain, Chain]:
    """A chain that wrote its first event, and one that read it."""
    writer, reader = Chain(SESSION, trace_id=SESSION), Chain(SESSION)
    line, leaf = writer.seal(draft("session.started"))
    assert reader.check(line[:-1]) == leaf
    return writer, reader


def finding(reader: Chain, line: bytes) -> Code:
    before = (reader.size, reader.head)
    with pytest.raises(IntegrityError) as caught:
        reader.check(line)
    assert (reader.size, reader.head) == before
    return caught.value.finding


@given(st.dictionaries(st.text(st.characters(exclude_categories=["Cs"])), JSON))
def test_what_is_sealed_is_accepted_and_reads_back(payload):
    writer, reader = begun()
    line, leaf = writer.seal(draft(payload=canonical.encode(payload)))

    assert reader.check(line[:-1]) == leaf
    assert reader.head == writer.head
    event = decode(line[:-1])
    assert event.payload == payload
    assert event.event_hash == leaf.hex()
    assert (event.sequence, event.event_type) == (1, "action.denied")


def test_a_line_is_built_as_the_specification_says():
    writer, _ = begun()
    head = writer.head
    made = draft(payload=b'{"z":null}', parent_span_id=SOURCE.new_id())
    line, leaf = writer.seal(made)

    stored = json.loads(line)
    salt = bytes.fromhex(stored.pop("salt"))
    event_hash = stored.pop("event_hash")
    payload = rfc8785.dumps(stored.pop("payload"))
    header = rfc8785.dumps(stored)
    assert stored["payload_hash"] == sha256(salt + payload).hexdigest()
    assert event_hash == sha256(b"\x00" + header).hexdigest() == leaf.hex()
    assert stored["previous_event_hash"] == head
    assert line == (
        header[:-1]
        + b',"payload":'
        + payload
        + f',"salt":"{salt.hex()}","event_hash":"{event_hash}"}}\n'.encode()
    )


@given(st.data())
def test_no_changed_byte_is_accepted(data):
    writer, reader = begun()
    line = bytearray(writer.seal(draft(payload=b'{"a":[1,2.5,null],"b":"x"}'))[0][:-1])
    position = data.draw(st.integers(0, len(line) - 1))
    kind = data.draw(st.sampled_from(["replace", "insert", "delete"]))
    letter = data.draw(st.integers(0, 255))
    if kind == "delete":
        del line[position]
    elif kind == "insert":
        line.insert(position, letter)
    else:
        line[position] ^= letter or 1

    finding(reader, bytes(line))


ARTIFACT = line_format.artifacts_of([("result", "ab" * 32, "application/json")])
ODD = {
    "artifacts": draft(artifacts=ARTIFACT),
    "atlas": draft(atlas='{"atlas_id":"org.example","version":"1.0.0"}'),
    "an actor beyond ASCII": draft(actor='{"id":"J\u00fcrgen \\"x\\"","type":"user"}'),
}


@pytest.mark.parametrize("case", ODD)
def test_an_unusual_line_is_accepted_and_looked_at(case):
    writer, reader = begun()
    seen = []
    reader.on_unusual = seen.append
    line, leaf = writer.seal(ODD[case])

    assert reader.check(line[:-1]) == leaf
    assert [event.line for event in seen] == [line[:-1]]


def test_a_redacted_line_keeps_its_place_in_the_chain():
    writer, reader = begun()
    line, leaf = writer.seal(draft(payload=b'{"secret":1}'))
    after, _ = writer.seal(draft())
    kept = redact(decode(line[:-1]))

    assert b"secret" not in kept
    assert decode(kept).payload is None
    assert reader.check(kept) == leaf
    reader.check(after[:-1])


def spoil(line: bytes, old: bytes, new: bytes, *, rehash: bool = True) -> bytes:
    """Change a header and make its event hash fit again, as a forger would."""
    assert old in line
    line = line.replace(old, new, 1)
    cut = line.find(b',"payload":')
    leaf = sha256(b"\x00" + line[:cut] + b"}").hexdigest()
    return line[:-66] + leaf.encode() + b'"}' if rehash else line


SPOILT = {
    "session": (
        f'"session_id":"{SESSION}"',
        f'"session_id":"{SOURCE.new_id()}"',
        Code.FOREIGN_EVENT,
    ),
    "trace": (f'"trace_id":"{SESSION}"', f'"trace_id":"{SOURCE.new_id()}"', Code.FOREIGN_EVENT),
    "sequence": ('"sequence":1', '"sequence":2', Code.BROKEN_CHAIN),
    "sequence as a float": ('"sequence":1', '"sequence":1.5', Code.MALFORMED_LINE),
    "negative sequence": ('"sequence":1', '"sequence":-1', Code.BROKEN_CHAIN),
    "severity": ('"severity":"info"', '"severity":"fine"', Code.MALFORMED_LINE),
    "severity of another kind": ('"severity":"info"', '"severity":{}', Code.MALFORMED_LINE),
    "actor type": ('"type":"runtime"', '"type":"root"', Code.MALFORMED_LINE),
    "actor type of another kind": ('"type":"runtime"', '"type":[]', Code.MALFORMED_LINE),
    "actor without a name": ('"id":"cra"', '"id":""', Code.MALFORMED_LINE),
    "actor of another kind": (ACTOR, '"cra"', Code.MALFORMED_LINE),
    "actor with more": ('"type":"runtime"}', '"type":"runtime","z":1}', Code.MALFORMED_LINE),
    "event type": (
        '"event_type":"action.denied"',
        '"event_type":"Action.denied"',
        Code.MALFORMED_LINE,
    ),
    "long event type": ('"action.denied"', '"action.' + "d" * 60 + '"', Code.MALFORMED_LINE),
    "parent": ('"parent_span_id":null', '"parent_span_id":"x"', Code.MALFORMED_LINE),
    "version": (
        '"trace_version":"1.1","payload"',
        '"trace_version":"1.2","payload"',
        Code.MALFORMED_LINE,
    ),
    "missing member": ('"severity":"info",', "", Code.MALFORMED_LINE),
    "unknown member": ('"trace_version"', '"trace_value":1,"trace_version"', Code.MALFORMED_LINE),
    "order": ('"severity":"info","span_id"', '"span_id":"x","severity"', Code.MALFORMED_LINE),
    "white space": ('"severity":"info"', '"severity": "info"', Code.MALFORMED_LINE),
    "payload hash": ('"payload_hash":"', '"payload_hash":"x', Code.MALFORMED_LINE),
}


@pytest.mark.parametrize("case", SPOILT)
def test_a_forged_header_is_found(case):
    old, new, code = SPOILT[case]
    writer, reader = begun()
    line = spoil(writer.seal(draft())[0][:-1], old.encode(), new.encode())

    assert finding(reader, line) == code


@pytest.mark.parametrize(
    "stamp", ["2026-13-01T00:00:00.000000Z", "2026-01-01T24:00:00.000000Z", "x"]
)
def test_a_timestamp_out_of_range_is_found(stamp):
    writer, reader = begun()

    assert finding(reader, writer.seal(draft(timestamp=stamp))[0][:-1]) == Code.MALFORMED_LINE


@pytest.mark.parametrize(
    ("artifacts", "atlas"),
    [
        ("[]", ""),
        ('[{"name":"x"}]', ""),
        ("[1]", ""),
        ("{}", ""),
        (ARTIFACT.replace('"application/json"', "1"), ""),
        ("[" + ",".join([ARTIFACT[1:-1]] * 65) + "]", ""),
        ("", "{}"),
        ("", '"x"'),
        ("", '{"atlas_id":"x"}'),
    ],
)
def test_artifacts_and_atlas_of_another_shape_are_found(artifacts, atlas):
    writer, reader = begun()
    line, _ = writer.seal(draft(artifacts=artifacts, atlas=atlas))

    assert finding(reader, line[:-1]) == Code.MALFORMED_LINE


def test_hashes_that_do_not_fit_are_told_apart():
    writer, reader = begun()
    line = writer.seal(draft())[0][:-1]

    assert finding(reader, line.replace(b'{"a":1}', b'{"a":2}')) == Code.PAYLOAD_HASH
    assert finding(reader, line.replace(b'"info"', b'"warn"')) == Code.EVENT_HASH
    other = b"1" if line[-3:-2] == b"0" else b"0"
    assert finding(reader, line[:-3] + other + line[-2:]) == Code.EVENT_HASH


@pytest.mark.parametrize(
    "payload",
    [
        b'{"b":1,"a":1}',
        b'{"a":1,"a":1}',
        b'{"a":-0}',
        b'{"a":1.0}',
        b"[1]",
        b"{",
        b"",
        b'{"a":"\xff"}',
    ],
)
def test_a_payload_that_is_no_canonical_object_is_found(payload):
    writer, reader = begun()

    assert finding(reader, writer.seal(draft(payload=payload))[0][:-1]) == Code.MALFORMED_LINE


@pytest.mark.parametrize(
    "line",
    [
        b"",
        b"\x00" * 200,
        b"{}",
        b'"trace_version":"1.1","payload":',
        b'{"trace_version":"1.1","event_hash":"' + b"0" * 64 + b'"}',
        b"\xef\xbb\xbf{}",
        b"x" * (MAX_LINE + 1),
        b"[" * 70_000,
    ],
)
def test_what_is_no_event_is_found(line):
    assert finding(begun()[1], line) == Code.MALFORMED_LINE


def test_a_line_may_end_in_nothing_but_lf():
    writer, reader = begun()
    line = writer.seal(draft())[0][:-1]

    for spoilt in (line + b"\r", line + b" ", b" " + line, line + b"\x00"):
        assert finding(reader, spoilt) == Code.MALFORMED_LINE


def test_order_is_held_against_the_chain():
    writer, reader = begun()
    first, second = writer.seal(draft())[0][:-1], writer.seal(draft())[0][:-1]

    assert finding(reader, second) == Code.BROKEN_CHAIN
    reader.check(first)
    assert finding(reader, first) == Code.BROKEN_CHAIN
    reader.check(second)


def test_the_first_event_opens_what_it_claims_to():
    assert finding(Chain(SESSION), Chain(SESSION, trace_id=SESSION).seal(draft())[0][:-1]) == (
        Code.FOREIGN_EVENT
    )
    journal = Chain(SESSION, is_journal=True)
    line = journal.seal(draft("journal.opened"))[0][:-1]
    Chain(SESSION, is_journal=True).check(line)
    assert finding(Chain(SESSION), line) == Code.FOREIGN_EVENT
    assert finding(Chain(SOURCE.new_id(), is_journal=True), line) == Code.FOREIGN_EVENT


def test_after_the_end_only_a_recovery_follows():
    writer, reader = begun()
    ended = writer.seal(draft("session.ended"))[0][:-1]
    branch = writer.copy()
    reader.check(ended)

    assert finding(reader, branch.seal(draft())[0][:-1]) == Code.AFTER_END
    reader.check(writer.seal(draft("ledger.recovered"))[0][:-1])


def test_a_clock_that_steps_back_is_counted_and_accepted():
    writer, reader = begun()
    for stamp in ("2026-01-02T00:00:00.000000Z", "2026-01-01T00:00:00.000000Z"):
        reader.check(writer.seal(draft(timestamp=stamp))[0][:-1])

    assert reader.clock_steps == 2
    assert reader.types == {"session.started": 1, "action.denied": 2}


def test_limits_are_inclusive():
    writer, reader = begun()
    room = MAX_PAYLOAD - len(b'{"a":""}')
    line, _ = writer.seal(draft(payload=b'{"a":"' + b"x" * room + b'"}'))
    reader.check(line[:-1])
    with pytest.raises(ValueRefused, match="at most"):
        writer.seal(draft(payload=b'{"a":"' + b"x" * (room + 1) + b'"}'))
    with pytest.raises(ValueRefused, match="at most"):
        writer.seal(draft(actor='{"id":"' + "x" * MAX_HEADER + '","type":"user"}'))


def test_a_payload_or_header_one_byte_too_long_is_found(monkeypatch):
    writer, reader = begun()
    monkeypatch.setattr(line_format, "MAX_PAYLOAD", MAX_PAYLOAD + 1)
    line, _ = writer.seal(draft(payload=b'{"a":"' + b"x" * (MAX_PAYLOAD - 7) + b'"}'))
    monkeypatch.undo()

    assert finding(reader, line[:-1]) == Code.MALFORMED_LINE
