"""The line format and the chain: how an event becomes a line, and what the next line must continue.

`Chain.seal` writes a line and `Chain.check` reads one; both go by the same layout and advance the
same state, so what is written and what is accepted cannot part (specs/PROTOCOL.md section 2).
"""

from __future__ import annotations

import re
from binascii import hexlify, unhexlify
from collections.abc import Callable, Mapping, Sequence
from hashlib import sha256
from typing import TYPE_CHECKING, Any, Final, NamedTuple, cast

from cra import canonical
from cra.errors import Code, IntegrityError, ValueRefused

if TYPE_CHECKING:
    from cra.protocol.events import EventHeader

MAX_HEADER: Final = 16_384
MAX_PAYLOAD: Final = 65_536
GENESIS: Final = "0" * 64

_VERSION: Final = b'"trace_version":"1.1"'
_SPLIT: Final = _VERSION + b',"payload":'
_TAIL_LENGTH: Final = 123
MAX_LINE: Final = MAX_HEADER - 1 + len(b',"payload":') + MAX_PAYLOAD + _TAIL_LENGTH
_TAIL: Final = re.compile(rb',"salt":"([0-9a-f]{32})","event_hash":"([0-9a-f]{64})"\}')
_TAIL_FORM: Final = b',"salt":"%b","event_hash":"%b"}'
_REDACTED: Final = re.compile(
    rb'(\{.*"trace_version":"1\.1"),"event_hash":"([0-9a-f]{64})"\}', re.DOTALL
)

ID: Final = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
_TIME: Final = (
    "[0-9]{4}-(?:0[1-9]|1[0-2])-(?:0[1-9]|[12][0-9]|3[01])"
    r"T(?:[01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z"
)
_TYPE: Final = r"(?=[a-z_.]{1,64}\")[a-z][a-z_]*(?:\.[a-z][a-z_]*)+"
_ACTOR_TYPES: Final = frozenset({"runtime", "agent", "user", "tool"})
_SEVERITIES: Final = frozenset({"debug", "info", "warn", "error"})

# A header in its usual shape: what stands before the payload hash, and after the session's id.
# Anything else goes the long way through `_decode_header`, which decides.
_USUAL_HEAD: Final = re.compile(
    rf'\{{"actor":\{{"id":"[ !#-\[\]-~]{{1,256}}","type":"(?:runtime|agent|user|tool)"\}},'
    rf'"event_id":"{ID}","event_type":"({_TYPE})","parent_span_id":(?:null|"{ID}"),'
    r'"payload_hash":"'.encode()
)
_USUAL_REST: Final = re.compile(
    rf'"severity":"(?:debug|info|warn|error)","span_id":"{ID}","timestamp":"({_TIME})",'
    '"trace_id":"'.encode()
)

_FULL_ID: Final = re.compile(ID)
_FULL_TIME: Final = re.compile(_TIME)
_FULL_TYPE: Final = re.compile(r"[a-z][a-z_]*(?:\.[a-z][a-z_]*)+")
_FULL_HASH: Final = re.compile("[0-9a-f]{64}")
_REQUIRED: Final = frozenset(
    [
        "actor",
        "event_id",
        "event_type",
        "parent_span_id",
        "payload_hash",
        "previous_event_hash",
        "sequence",
        "session_id",
        "severity",
        "span_id",
        "timestamp",
        "trace_id",
        "trace_version",
    ]
)
_OPTIONAL: Final = frozenset({"artifacts", "atlas"})
_ARTIFACT: Final = frozenset({"content_type", "name", "sha256", "uri"})


class Draft(NamedTuple):
    """An event before it has a place in the chain: what its writer decides.

    `actor`, `artifacts` and `atlas` are canonical JSON, the latter two perhaps empty; `salt`
    is hex.
    """

    event_id: str
    event_type: str
    span_id: str
    parent_span_id: str | None
    severity: str
    timestamp: str
    actor: str
    payload: bytes
    salt: str
    artifacts: str = ""
    atlas: str = ""


class Event(NamedTuple):
    """A line, read: its header's members, its payload (None if redacted) and the bytes
    themselves."""

    header: EventHeader
    payload: dict[str, Any] | None
    event_hash: str
    line: bytes

    @property
    def sequence(self) -> int:
        return self.header["sequence"]

    @property
    def event_type(self) -> str:
        return self.header["event_type"]


class Chain:
    """Where a chain stands: which session it is of, how many events it has, and the last one's
    hash."""

    __slots__ = (
        "clock_steps",
        "ended",
        "head",
        "is_journal",
        "latest",
        "on_unusual",
        "session_id",
        "size",
        "trace_id",
        "types",
    )

    def __init__(
        self, session_id: str, *, is_journal: bool = False, trace_id: str | None = None
    ) -> None:
        self.session_id = session_id
        self.trace_id = session_id if is_journal else trace_id
        self.is_journal = is_journal
        self.size = 0
        self.head = GENESIS
        self.ended = False
        self.latest = ""
        # What this reader came by: events per type, and timestamps before the one before.
        self.types: dict[str, int] = {}
        self.clock_steps = 0
        # Told of every event that is the first, is redacted, or has artifacts, among others.
        self.on_unusual: Callable[[Event], None] | None = None

    def copy(self) -> Chain:
        twin = Chain(self.session_id, is_journal=self.is_journal, trace_id=self.trace_id)
        twin.resume(self.size, self.head, ended=self.ended, latest=self.latest)
        return twin

    def resume(self, size: int, head: str, *, ended: bool, latest: str) -> None:
        """Go on from an event that was read elsewhere."""
        self.size, self.head, self.ended, self.latest = size, head, ended, latest

    def seal(self, draft: Draft) -> tuple[bytes, bytes]:
        """The line (with its LF) that continues the chain with a draft, and its leaf hash."""
        (
            event_id,
            event_type,
            span_id,
            parent_span_id,
            severity,
            timestamp,
            actor,
            payload,
            salt,
            artifacts,
            atlas,
        ) = draft
        payload_hash = sha256(bytes.fromhex(salt) + payload).hexdigest()
        parent = f'"{parent_span_id}"' if parent_span_id else "null"
        if artifacts:
            actor += f',"artifacts":{artifacts}'
        if atlas:
            actor += f',"atlas":{atlas}'
        header = (
            f'{{"actor":{actor},"event_id":"{event_id}","event_type":"{event_type}",'
            f'"parent_span_id":{parent},"payload_hash":"{payload_hash}",'
            f'"previous_event_hash":"{self.head}","sequence":{self.size},'
            f'"session_id":"{self.session_id}","severity":"{severity}",'
            f'"span_id":"{span_id}","timestamp":"{timestamp}",'
            f'"trace_id":"{self.trace_id}","trace_version":"1.1"'
        ).encode()
        if len(header) >= MAX_HEADER or len(payload) > MAX_PAYLOAD:
            raise ValueRefused(
                f"expected a header of at most {MAX_HEADER} and a payload of at most {MAX_PAYLOAD} "
                f"bytes, found {len(header) + 1} and {len(payload)}"
            )
        leaf = sha256(b"\x00" + header + b"}").digest()
        event_hash = leaf.hex()
        tail = f',"salt":"{salt}","event_hash":"{event_hash}"}}\n'.encode()
        self.head, self.latest = event_hash, timestamp
        self.size += 1
        if event_type == "session.ended":
            self.ended = True
        return header + b',"payload":' + payload + tail, leaf

    def check(self, line: bytes) -> bytes:
        """The leaf hash of the line (without its LF) that continues the chain.

        Raises IntegrityError with the code of the first check of section 2.3 that fails.
        """
        leaf = self._check_usual(line)
        if leaf is not None:
            return leaf
        event = decode(line)
        header = event.header
        self._check_session(header)
        if header["sequence"] != self.size or header["previous_event_hash"] != self.head:
            raise IntegrityError(
                Code.BROKEN_CHAIN,
                f"expected event {self.size} after {self.head[:12]}…, found event "
                f"{header['sequence']} after {header['previous_event_hash'][:12]}…",
            )
        if self.ended and event.event_type != "ledger.recovered":
            raise IntegrityError(
                Code.AFTER_END, f"expected nothing after session.ended, found {event.event_type}"
            )
        self._advance(event.event_hash, event.event_type, header["timestamp"])
        if self.on_unusual is not None:
            self.on_unusual(event)
        return bytes.fromhex(event.event_hash)

    def _check_usual(self, line: bytes) -> bytes | None:  # each a way out
        """`check` for a line of the usual shape in one pass over its bytes; None: look closer."""
        head = _USUAL_HEAD.match(line)
        if head is None or len(line) > MAX_LINE or self.ended or not self.size:
            return None
        link = (
            f'","previous_event_hash":"{self.head}","sequence":{self.size},'
            f'"session_id":"{self.session_id}",'
        ).encode()
        start = head.end() + 64
        # Everything up to the payload is matched, so the line is split where it must be.
        rest = _USUAL_REST.match(line, start + len(link))
        if rest is None:
            return None
        closing = f'{self.trace_id}","trace_version":"1.1","payload":'.encode()
        opened = rest.end() + len(closing)
        cut = opened - len(b',"payload":')
        payload = line[opened:-_TAIL_LENGTH]
        try:
            salt = unhexlify(line[9 - _TAIL_LENGTH : 41 - _TAIL_LENGTH])
        except ValueError:
            return None
        leaf = sha256(b"\x00" + line[:cut] + b"}").digest()
        event_hash = leaf.hex()
        if (
            line[start : rest.start()] != link
            or line[rest.end() : opened] != closing
            or line[start - 64 : start] != hexlify(sha256(salt + payload).digest())
            or line[-_TAIL_LENGTH:] != _TAIL_FORM % (hexlify(salt), event_hash.encode())
            or cut >= MAX_HEADER
            or len(payload) > MAX_PAYLOAD
            or not canonical.is_canonical_object(payload)
        ):
            return None
        self._advance(event_hash, head[1].decode(), rest[1].decode())
        return leaf

    def _check_session(self, header: Mapping[str, Any]) -> None:
        first = self.size == 0
        if first and self.trace_id is None:
            self.trace_id = header["trace_id"]
        opening = "journal.opened" if self.is_journal else "session.started"
        if header["session_id"] != self.session_id or header["trace_id"] != self.trace_id:
            raise IntegrityError(
                Code.FOREIGN_EVENT,
                f"expected an event of {self.session_id}, found one of {header['session_id']}",
            )
        if first and header["event_type"] != opening:
            raise IntegrityError(
                Code.FOREIGN_EVENT,
                f"expected {opening} as event 0, found {header['event_type']}",
            )

    def _advance(self, event_hash: str, event_type: str, timestamp: str) -> None:
        self.head = event_hash
        self.size += 1
        if timestamp < self.latest:
            self.clock_steps += 1
        self.latest = timestamp
        self.types[event_type] = self.types.get(event_type, 0) + 1
        if event_type == "session.ended":
            self.ended = True


def decode(line: bytes) -> Event:
    """Read one line (without its LF): checks 1 to 3 of section 2.3. Raises IntegrityError."""
    if len(line) > MAX_LINE:
        raise _malformed(f"a line of {len(line)} bytes, more than {MAX_LINE}")
    split = line.find(_SPLIT)
    if split < 0:
        return _decode_redacted(line)
    cut = split + len(_VERSION)
    start = cut + len(b',"payload":')
    tail = _TAIL.fullmatch(line, max(len(line) - _TAIL_LENGTH, start))
    if tail is None:
        raise _malformed('no "salt" and "event_hash" at the end')
    header_bytes = line[:cut] + b"}"
    header = _decode_header(header_bytes)
    payload_bytes = line[start : tail.start()]
    payload = _decode_object(payload_bytes, "payload", MAX_PAYLOAD)
    event_hash = _checked_event_hash(header_bytes, tail[2])
    payload_hash = sha256(bytes.fromhex(tail[1].decode()) + payload_bytes).hexdigest()
    if payload_hash != header["payload_hash"]:
        raise IntegrityError(
            Code.PAYLOAD_HASH,
            f"expected a payload with the hash {header['payload_hash'][:12]}…, "
            f"found one with {payload_hash[:12]}…",
        )
    return Event(header, payload, event_hash, line)


def redact(event: Event) -> bytes:
    """The line that is left of an event when its payload is taken away (section 6)."""
    cut = event.line.index(_VERSION) + len(_VERSION)
    return event.line[:cut] + f',"event_hash":"{event.event_hash}"}}'.encode()


def _decode_redacted(line: bytes) -> Event:
    match = _REDACTED.fullmatch(line)
    if match is None:
        raise _malformed("no event: neither a payload nor a redacted line's end")
    header_bytes = match[1] + b"}"
    header = _decode_header(header_bytes)
    return Event(header, None, _checked_event_hash(header_bytes, match[2]), line)


def _checked_event_hash(header: bytes, stated: bytes) -> str:
    event_hash = sha256(b"\x00" + header).hexdigest()
    if event_hash != stated.decode():
        raise IntegrityError(
            Code.EVENT_HASH,
            f"expected the event hash {event_hash[:12]}…, found {stated[:12].decode()}…",
        )
    return event_hash


def _decode_object(text: bytes, what: str, limit: int) -> dict[str, Any]:
    if len(text) > limit:
        raise _malformed(f"a {what} of {len(text)} bytes, more than {limit}")
    try:
        value = canonical.decode(text)
    except ValueRefused as error:
        raise _malformed(f"a {what} that is not canonical: {error.message}") from None
    if not isinstance(value, dict):
        raise _malformed(f"a {what} that is no object")
    return value


def _decode_header(text: bytes) -> EventHeader:
    header = _decode_object(text, "header", MAX_HEADER)
    names = header.keys()
    if not names >= _REQUIRED or not names <= _REQUIRED | _OPTIONAL:
        wrong = ", ".join(sorted(_REQUIRED - names | names - _REQUIRED - _OPTIONAL))
        raise _malformed(f"a header with missing or unknown members: {wrong}")
    for name, is_valid in _MEMBERS.items():
        if name in header and not is_valid(header[name]):
            raise _malformed(f"a header whose {name} is {header[name]!r:.80}")
    return cast("EventHeader", header)


def _malformed(found: str) -> IntegrityError:
    return IntegrityError(Code.MALFORMED_LINE, f"expected an event of TRACE/1.1, found {found}")


def _fits(pattern: re.Pattern[str], value: Any) -> bool:
    return isinstance(value, str) and pattern.fullmatch(value) is not None


def _is_actor(value: Any) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == {"id", "type"}
        and isinstance(value["id"], str)
        and 1 <= len(value["id"]) <= 256
        and isinstance(value["type"], str)
        and value["type"] in _ACTOR_TYPES
    )


def _are_artifacts(value: Any) -> bool:
    return (
        isinstance(value, list)
        and 1 <= len(value) <= 64
        and all(_is_text_object(item, _ARTIFACT) for item in value)
    )


def _is_text_object(value: Any, names: frozenset[str]) -> bool:
    return (
        isinstance(value, dict)
        and value.keys() == names
        and all(isinstance(item, str) for item in value.values())
    )


_MEMBERS: Final[dict[str, Callable[[Any], bool]]] = {
    "actor": _is_actor,
    "artifacts": _are_artifacts,
    "atlas": lambda value: _is_text_object(value, frozenset({"atlas_id", "version"})),
    "event_id": lambda value: _fits(_FULL_ID, value),
    "event_type": lambda value: _fits(_FULL_TYPE, value) and len(value) <= 64,
    "parent_span_id": lambda value: value is None or _fits(_FULL_ID, value),
    "payload_hash": lambda value: _fits(_FULL_HASH, value),
    "previous_event_hash": lambda value: _fits(_FULL_HASH, value),
    "sequence": lambda value: type(value) is int,
    "session_id": lambda value: _fits(_FULL_ID, value),
    "severity": lambda value: isinstance(value, str) and value in _SEVERITIES,
    "span_id": lambda value: _fits(_FULL_ID, value),
    "timestamp": lambda value: _fits(_FULL_TIME, value),
    "trace_id": lambda value: _fits(_FULL_ID, value),
    "trace_version": lambda value: value == "1.1",
}


def artifacts_of(blobs: Sequence[tuple[str, str, str]]) -> str:
    """The header's `artifacts` for blobs given as (member, id, content type)."""
    return canonical.encode(
        [
            {"content_type": kind, "name": name, "sha256": blob_id, "uri": f"blobs/{blob_id}"}
            for name, blob_id, kind in blobs
        ]
    ).decode()
