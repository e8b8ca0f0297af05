"""One language selects events, by bytes where bytes can tell."""

from __future__ import annotations

from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cra import canonical
from cra.errors import FilterError
from cra.ledger.chain import GENESIS, Chain, Draft, decode, redact
from cra.ledger.filter import combine, containing, mentioning, parse

SESSION = "01a1fa82-d6f0-7012-9226-0aa9b454655d"
SPAN = "01a1fa82-d6f3-7013-933f-3d586cc2a629"
NOW = "2026-11-20T10:30:00.000000Z"


def line(
    payload: dict[str, Any] | None = None,
    *,
    event_type: str = "action.denied",
    severity: str = "info",
    actor: tuple[str, str] = ("runtime", "cra"),
    sequence: int = 7,
    timestamp: str = "2026-11-20T10:15:30.123456Z",
    artifacts: bytes = b"",
) -> bytes:
    chain = Chain(SESSION, trace_id=SESSION)
    chain.resume(sequence, GENESIS, ended=False, latest="")
    draft = Draft(
        SESSION,
        event_type,
        SPAN,
        None,
        severity,
        timestamp,
        canonical.encode({"id": actor[1], "type": actor[0]}).decode(),
        canonical.encode(payload or {}),
        "00" * 16,
        artifacts.decode(),
    )
    return chain.seal(draft)[0][:-1]


PAYLOAD = {
    "action_id": "ticket.close",
    "amount": 120.5,
    "flag": True,
    "items": [{"name": "pen", "n": 1}, {"name": "Ink", "n": 20}],
    "nothing": None,
    "note": 'Card declined: "no funds", née Ärger',
    "text": "12",
    "whole": 5,
}
EVENT = line(PAYLOAD, event_type="action.failed", severity="warn", actor=("tool", "post/it"))


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("", True),
        ("   ", True),
        ("type:action.failed", True),
        ("type:trace.action.failed", True),
        ('type:"action.failed"', True),
        ("type:action.*", True),
        ("type:*.failed", True),
        ("type:action.completed", False),
        ("type:action.executed", False),
        ("type:session.*", False),
        ("-type:session.*", True),
        ("severity:debug", True),
        ("severity:warn", True),
        ("severity:error", False),
        ("actor:tool", True),
        ("actor:tool/post/it", True),
        ("actor:tool/p*", True),
        ("actor:*it", True),
        ("actor:user", False),
        ("actor:*/post/it", True),
        (f"session:{SESSION}", True),
        ("session:01a1fa82", True),
        ("session:01a1fa83", False),
        (f"span:{SPAN}", True),
        (f"span:{SESSION}", False),
        ("seq:7", True),
        ("seq:8", False),
        ("seq:3..9", True),
        ("seq:7..7", True),
        ("seq:8..", False),
        ("seq:..6", False),
        ("seq:..7", True),
        ("time:2026-11-20T10", True),
        ("time:2026", True),
        ("time:2026-11-21", False),
        ("time:2026-11-20T10:15:30.123456Z", True),
        ("time:2026-11-20T10:15..2026-11-20T10:15", True),
        ("time:2026-11-20T10:16..", False),
        ("time:..2026-11-20T10:15:30", True),
        ("time:..2026-11-20T10:15:29", False),
        ('time:"2026-11-20 10:15"', True),
        ("time:2026-11-20T12:15+02:00", True),
        ("time:2026-11-20T10:15+02:00", False),
        ("time:-15m", True),
        ("time:-14m..", False),
        ("time:-1h..-14m", True),
        ("time:..-20m", False),
        ("time:-90s", False),
        ("time:-1d", True),
        ("declined", True),
        ("Declined", False),
        ("Card", True),
        ("CARD", False),
        ("text:card", True),
        ('"card declined"', True),
        ('"card  declined"', False),
        ('-"card declined"', False),
        ('text:"\\"no funds\\""', True),
        ("née", True),
        ("ärger", True),
        ("Ärger", True),
        ("ÄRGER", False),
        ("action.failed", False),
        (SESSION, False),
        ("-", False),
        ("payload.action_id=ticket.close", True),
        ('payload.action_id="ticket.close"', True),
        ("payload.action_id=ticket", False),
        ("payload.whole=5", True),
        ("payload.whole=5.0", True),
        ('payload.whole="5"', False),
        ('payload.text="12"', True),
        ("payload.text=12", False),
        ("payload.flag=true", True),
        ("payload.flag=1", False),
        ("payload.nothing=null", True),
        ("payload.missing=null", False),
        ("-payload.missing=null", True),
        ("payload.whole=9007199254740993", False),
        ('payload.items[1]={"n":20,"name":"Ink"}', True),
        ("payload.items[0].name=pen", True),
        ("payload.items[1].name=pen", False),
        ("payload.items[2].name=pen", False),
        ("payload.items[*].name=Ink", True),
        ("payload.items.name=Ink", False),
        ("payload.note[0]=C", False),
        ("payload.action_id~ticket.*", True),
        ("payload.action_id~*.close", True),
        ("payload.action_id~*.open", False),
        ("payload.whole~5", False),
        ('payload.note~"Card decl*"', True),
        ("payload.items[*].name~P*", False),
        ("payload.items[*]~P*", False),
        ("payload.amount>120", True),
        ("payload.amount>=120.5", True),
        ("payload.amount<120.5", False),
        ("payload.amount<=120.5", True),
        ("payload.flag>0", False),
        ("payload.text>1", False),
        ("payload.items[*].n>10", True),
        ("type:action.* severity:warn payload.amount>100 card", True),
        ("type:action.* severity:warn payload.amount>100 pencil", False),
        ("payload.whole=5 payload.flag=true", True),
    ],
)
def test_a_filter_accepts_what_its_terms_say(text, expected):
    wanted = parse(text, now=NOW)

    assert wanted.matches(EVENT) is expected
    # What bytes alone pass over is a part of what is refused.
    found = [EVENT[start:end] for start, end in wanted.candidates(EVENT + b"\n")]
    assert found == [EVENT] or (found == [] and not expected)


@pytest.mark.parametrize(
    ("text", "message", "fix"),
    [
        ("typ:action.*", "found typ:", 'type:, or "typ:action.*" in quotation marks'),
        ("pyload.a=1", "found pyload.a=", "payload.PATH="),
        ("payload.a:1", "found payload.a:", "payload.PATH="),
        ("seq=5", "found seq=", "seq:"),
        ("type:acton.denied", "found 'acton.denied'", "type:action.denied"),
        ("type:action.invokd", "found 'action.invokd'", "type:action.invoked"),
        ("type:acton.*", "found 'acton.*'", "type:action.*"),
        ("type:resolution.*", "found 'resolution.*'", "type:carp.resolution.*"),
        ("severity:warning", "debug, info, warn, error, found 'warning'", "severity:warn"),
        ("actor:tol/x", "runtime, agent, user, tool, found 'tol'", "actor:tool/x"),
        ("session:xyz", "an id or how one begins, found 'xyz'", None),
        ("span:", "found ''", None),
        ("seq:a..b", "a range like 10..20, found 'a..b'", None),
        ("seq:..", "found '..'", None),
        ("time:", "found ''", None),
        ("time:..", "found '..'", None),
        ("time:soon", "found 'soon'", None),
        ("time:2026-13", "found '2026-13'", None),
        ("time:2026-02-30..", "found '2026-02-30'", None),
        ("time:2026-11-20+02:00", "found '2026-11-20+02:00'", None),
        ("time:0001-01-01T00:00+02:00", "found '0001", None),
        ("time:-99999999d", "found -99999999d", None),
        ("time:-999999999d", "found -999999999d", None),
        ("text:", "found nothing", None),
        ('"never closed', 'found "never closed', "close it"),
        ('type:action.* "x"y" z', 'found "x"y" z', "close it"),
        ('"\\q"', 'a JSON string, found "\\q"', "\\\\"),
        ('"a"b', 'a JSON string, found "a"b', "\\\\"),
        ("payload.a", "=, ~, >, >=, < or <=, found nothing", "payload.a=VALUE"),
        ("payload[=1", "a path like payload.items[0].name, found payload[", None),
        ("payload.a[x]=1", "found payload.a[x]", None),
        ("payload.a..b=1", "found payload.a..b", None),
        ("payload.a>big", "a number after >, found 'big'", None),
        ("\ud800", "canonical JSON", None),
    ],
)
def test_a_mistake_is_told_with_what_was_expected_and_what_would_do(text, message, fix):
    with pytest.raises(FilterError) as caught:
        parse(text, now=NOW)

    assert message in caught.value.message
    if fix is not None:
        assert fix in (caught.value.fix or "")


def test_a_relative_time_needs_somebody_with_a_clock():
    with pytest.raises(FilterError, match="needs no clock, found -15m"):
        parse("time:-15m")


def test_options_are_terms_like_those_of_the_text():
    wanted = combine('"card declined"', severity="warn", type="action.*", span=None)

    assert wanted.matches(EVENT)
    assert not combine(None, type="session.*").matches(EVENT)
    assert not combine("pencil", type="action.*").matches(EVENT)
    with pytest.raises(FilterError):
        combine(None, severity="loud")


def test_a_search_for_small_letters_finds_an_actor_with_capitals():
    of_desk = line(actor=("agent", "Support-Ärger"))

    for text in ("support", "ärger", "Support-Ä"):
        assert mentioning(text).matches(of_desk)
    assert not mentioning("sUpport").matches(of_desk)


def test_a_glob_matches_types_of_a_later_version():
    later = line(event_type="action.paused")

    assert parse("type:action.*").matches(later)
    assert not parse("type:action.denied").matches(later)


def test_a_type_in_a_payload_is_no_event_type():
    quoting = line({"event_type": "action.executed", "severity": "error"})

    assert not parse("type:action.executed").matches(quoting)
    assert not parse("severity:error").matches(quoting)


def test_a_header_with_artifacts_is_read_like_any_other():
    listed = canonical.encode(
        [{"content_type": 'a","event_id":"b', "name": "n", "sha256": "s", "uri": "u"}]
    )

    assert parse("type:action.denied seq:7").matches(line(artifacts=listed))


def test_an_actor_is_known_by_its_name_and_not_by_its_spelling():
    odd = line(actor=("user", 'a "b" \\ ü'))

    assert parse(r'actor:"user/a \"b\" \\ ü"').matches(odd)
    assert not parse('actor:"user/a *b"').matches(odd)


def test_a_redacted_event_is_found_by_its_header_alone():
    redacted = redact(decode(EVENT))

    assert parse("type:action.failed severity:warn actor:tool").matches(redacted)
    assert not parse("declined").matches(redacted)
    assert not parse("payload.whole=5").matches(redacted)
    assert parse("-declined -payload.whole=5").matches(redacted)


@pytest.mark.parametrize(
    ("stored", "text"),
    [
        (b"", "type:*"),
        (b"{}", "-type:session.*"),
        (b"no event", "event"),
        (EVENT[:200], "type:*"),
        (b"\xff" + EVENT, "type:*"),
        (EVENT.replace(b'"id":"post/it"', b'"id":"\\q"'), "actor:tool/q"),
        (EVENT.replace(b'"amount":120.5', b'"amount":}'), "payload.whole=5"),
        (EVENT.replace(b'"whole":5', b'"whole":[9007199254740993,6]'), "payload.whole[*]=7"),
        (EVENT.replace(b'"text":"12"', b'"text":"\xff"'), "ärgernis"),
    ],
)
def test_a_malformed_line_is_refused_without_a_fault(stored, text):
    assert not parse(text).matches(stored)


# Letters with an ASCII one as their other case, and what a regex would read as its own.
_ODD = ["SIX", "\u017fix", "MARK", "mar\u212a", "A.B*C", "axbbc", 'say "SIX"', "C:\\Six"]
_SOUGHT = ["six", "mark", "a.b*c", '"say \\"six\\""', '"c:\\\\six"', "s"]


@given(
    st.lists(st.sampled_from(["alpha", "Alpha", "beta", "denied", "x" * 50, *_ODD]), max_size=12),
    st.sampled_from(
        ["alpha", "Alpha", "beta", "type:action.denied", "seq:3..", "severity:warn", *_SOUGHT]
    ),
)
@example(["Alpha", "beta"] * 20, "alpha")
def test_passing_over_lines_finds_what_asking_each_of_them_finds(words, text):
    lines = [
        line({"note": word}, sequence=number, severity="error" if number % 3 else "warn")
        for number, word in enumerate(words)
    ]
    wanted = parse(text)
    chunk = b"".join(item + b"\n" for item in lines)

    found = [chunk[start:end] for start, end in wanted.candidates(chunk)]

    assert [item for item in found if wanted.matches(item)] == [
        item for item in lines if wanted.matches(item)
    ]


def test_a_text_may_be_as_long_as_it_likes():
    text = "ab" * 20_000
    stored, another = (line({"note": text[:-1].upper() + end}) for end in "BA")
    wanted = parse(text)

    found = list(wanted.candidates(stored + b"\n" + another + b"\n"))

    assert found[0] == (0, len(stored))
    assert [wanted.matches(stored), wanted.matches(another)] == [True, False]


def test_bytes_alone_make_a_filter():
    wanted = containing(b"needle")

    assert list(wanted.candidates(b"a needle\nnone\n")) == [(0, 8)]
    assert wanted.matches(b"a needle")
