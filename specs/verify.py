#!/usr/bin/env python3
"""Verify a TRACE/1.1 ledger, session, bundle or proof (sections 1 to 8 of PROTOCOL.md).

Written from the specification alone, with nothing but Python's standard library, so that somebody who does not
trust cra can read all of it. Exit codes: 0 it holds, 3 it does not hold, 2 it cannot be read.
"""

import argparse
import base64
import hashlib
import json
import os
import re
import struct
import sys
import zipfile
import zlib
from collections.abc import Callable
from decimal import Decimal
from types import SimpleNamespace
from typing import Any, BinaryIO, NamedTuple

MAX_INT, MAX_DEPTH, INFINITY = 2**53 - 1, 128, float("inf")
MAX_HEADER, MAX_PAYLOAD, MAX_LINE, MAX_CHECKPOINT, MAX_PROOF = 16_384, 65_536, 82_053, 65_536, 262_144
RANKS = ["INTACT", "STILLBORN", "INCOMPLETE", "UNLISTED", "DAMAGED", "TAMPERED"]
# What a hostile zip makes zipfile raise, beside OSError; ValueError is a refused argument, too.
UNREADABLE = (OSError, ValueError, EOFError, NotImplementedError, struct.error, zipfile.BadZipFile, zlib.error)


class Finding(Exception):
    """A check failed; the message is its code."""


# Section 1: canonical JSON


def numeral(token: str) -> float:
    value, whole = float(token), token.lstrip("-").isdigit()
    if value == 0 and token[0] == "-":
        raise ValueError("negative zero")
    if not abs(value) <= MAX_INT and (whole or not 1e21 <= abs(value) < INFINITY):  # below 1e21: integer text
        raise ValueError("out of range")
    return int(token) if whole else value


def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(members := dict(pairs)) < len(pairs):
        raise ValueError("duplicate key")
    return members


scalar = json.JSONEncoder(ensure_ascii=False).encode  # its escapes are exactly those of RFC 8785 3.2.2.2


def canonical(value: Any) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{scalar(key)}:{canonical(value[key])}" for key in keys) + "}"
    if isinstance(value, list):
        return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):  # what is left between ECMAScript and repr once numeral has refused the rest
        plain = format(Decimal(repr(value)), "f") if 1e-6 <= abs(value) < 1e-4 else repr(value)
        return plain.removesuffix(".0").replace("e-0", "e-")
    return scalar(value)


def parse(data: bytes) -> tuple[Any, bytes]:
    """The value of JSON text and its canonical bytes; ValueError if canonical JSON does not have the value."""
    level, quoted = 0, False
    for token in re.findall(rb'\\.|["\[\]{}]', data, re.DOTALL):  # before json.loads, whose recursion it bounds
        quoted ^= token == b'"'
        level += 0 if quoted else (token in (b"[", b"{")) - (token in (b"]", b"}"))
        if level > MAX_DEPTH:
            raise ValueError("nested too deeply")
    hooks: dict[str, Any] = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), numeral)
    value = json.loads(data.decode(), object_pairs_hook=unique, **hooks)
    return value, canonical(value).encode()  # a lone surrogate has no UTF-8, and the error is a ValueError


# Section 2: the line

ID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
HASH, TEXT, DATE = "[0-9a-f]{64}", "(?s:.*)", "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
HEADER = {
    "actor": {"id": "(?s:.{1,256})", "type": "runtime|agent|user|tool"},
    "artifacts": [{"content_type": TEXT, "name": TEXT, "sha256": TEXT, "uri": TEXT}],
    "atlas": {"atlas_id": TEXT, "version": TEXT},
    "event_type": r"(?=.{1,64}\Z)[a-z][a-z_]*(\.[a-z][a-z_]*)+",
    "parent_span_id": (ID, type(None)),
    "sequence": int,
    "severity": "debug|info|warn|error",
    "timestamp": DATE + r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z",
    "trace_version": r"1\.1",
    **dict.fromkeys(("event_id", "session_id", "span_id", "trace_id"), ID),
    **dict.fromkeys(("payload_hash", "previous_event_hash"), HASH),
}
SPLIT = b'"trace_version":"1.1","payload":'
TAIL = re.compile(rb',"salt":"([0-9a-f]{32})","event_hash":"([0-9a-f]{64})"\}')
REDACTED = re.compile(rb'(.*"trace_version":"1\.1"),"event_hash":"([0-9a-f]{64})"\}', re.DOTALL)


def fits(shape: Any, value: Any) -> bool:
    """Whether a value has a shape: a pattern, an object's members, a list's elements, alternatives, or a type."""
    if isinstance(shape, str):
        return isinstance(value, str) and re.fullmatch(shape, value) is not None
    if isinstance(shape, dict):
        members = isinstance(value, dict) and value.keys() == shape.keys()
        return members and all(fits(shape[name], value[name]) for name in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and 1 <= len(value) <= 64 and all(fits(shape[0], item) for item in value)
    return any(fits(choice, value) for choice in shape) if isinstance(shape, tuple) else type(value) is shape


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


class Event(NamedTuple):
    header: dict[str, Any]
    payload: dict[str, Any] | None  # None in a redacted line
    salt: bytes
    leaf: bytes


def read_event(line: bytes) -> Event:
    """Checks 1 to 3 of section 2.3."""
    before, split, after = line.partition(SPLIT)
    body, tail = (after[:-123], TAIL.fullmatch(after[-123:])) if split else (b"{}", REDACTED.fullmatch(line))
    try:
        if tail is None or len(line) > MAX_LINE or len(body) > MAX_PAYLOAD:
            raise ValueError("length or tail")
        head = (before + SPLIT[:21] if split else tail[1]) + b"}"
        (header, head_text), (payload, body_text) = parse(head), parse(body)
        if (head_text, body_text) != (head, body) or len(head) > MAX_HEADER or not isinstance(payload, dict):
            raise ValueError("not canonical")
        required = isinstance(header, dict) and HEADER.keys() - {"artifacts", "atlas"} <= header.keys()
        if not required or not fits({name: HEADER.get(name) for name in header}, header):
            raise ValueError("not the members of a header")
    except ValueError:
        raise Finding("CRA-3001") from None
    if (leaf := sha256(b"\0", head)).hex() != tail[2].decode():
        raise Finding("CRA-3003")
    salt = bytes.fromhex(tail[1].decode()) if split else b""
    if split and sha256(salt, body).hex() != header["payload_hash"]:
        raise Finding("CRA-3002")
    return Event(header, payload if split else None, salt, leaf)


# Section 4: RFC 6962 trees, Ed25519, checkpoints


def grow(peaks: list[bytes], size: int, leaf: bytes) -> bytes:
    """Add a leaf to a tree of which only the peaks are kept; return the new root."""
    while size & 1:
        leaf, size = sha256(b"\1", peaks.pop(), leaf), size >> 1
    peaks.append(leaf)
    for peak in peaks[-2::-1]:
        leaf = sha256(b"\1", peak, leaf)
    return leaf


def root_from_path(leaf: bytes, index: int, last: int, path: list[bytes]) -> bytes | None:
    """RFC 9162 2.1.3.2; None if the path has the wrong length."""
    for sibling in path:
        if last == 0:
            return None
        if index & 1 or index == last:
            leaf = sha256(b"\1", sibling, leaf)
            while index and not index & 1:
                index, last = index >> 1, last >> 1
        else:
            leaf = sha256(b"\1", leaf, sibling)
        index, last = index >> 1, last >> 1
    return leaf if last == 0 else None


P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
Point = tuple[int, int, int, int]  # extended coordinates: x = X/Z, y = Y/Z, xy = T/Z


def add(p: Point, q: Point) -> Point:
    a, b = (p[1] - p[0]) * (q[1] - q[0]) % P, (p[1] + p[0]) * (q[1] + q[0]) % P
    c, d = 2 * p[3] * q[3] * D % P, 2 * p[2] * q[2] % P
    e, f, g, h = b - a, d - c, d + c, b + a
    return e * f % P, g * h % P, f * g % P, e * h % P


def multiply(factor: int, point: Point) -> Point:
    total: Point = (0, 1, 1, 0)
    for bit in f"{factor:b}":
        total = add(total, total)
        total = add(total, point) if bit == "1" else total
    return total


def encode_point(point: Point) -> bytes:
    x, y = (coordinate * pow(point[2], -1, P) % P for coordinate in point[:2])
    return (y | (x & 1) << 255).to_bytes(32, "little")


def decode_point(data: bytes) -> Point:
    sign, y = divmod(int.from_bytes(data, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    x = x if x & 1 == sign else P - x
    point = (x, y, 1, x * y % P)
    if x * x % P != square or encode_point(point) != data or multiply(8, point)[0] == 0:
        raise ValueError("not a point, not its canonical encoding, or of small order")
    return point


class Key(NamedTuple):
    name: str
    key_id: bytes
    public: bytes
    point: Point


BASE = decode_point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))


def is_signed(key: Key, message: bytes, signature: bytes) -> bool:
    s = int.from_bytes(signature[32:], "little")
    k = int.from_bytes(hashlib.sha512(signature[:32] + key.public + message).digest(), "little") % L
    x, y, z, t = key.point
    r = add(multiply(s % L, BASE), multiply(k, (P - x, y, z, P - t)))
    return s < L and encode_point(r) == signature[:32] and multiply(8, r)[0] != 0  # encode_point is canonical


def base64_bytes(text: str) -> bytes:
    data = base64.b64decode(text, validate=True)
    if base64.b64encode(data).decode() != text:
        raise ValueError("base64 is not canonical")
    return data


def decimal(text: str) -> int:
    if not re.fullmatch("0|[1-9][0-9]{0,15}", text) or int(text) > MAX_INT:
        raise ValueError("not a size")
    return int(text)


def parse_key(text: str) -> Key:
    parts = re.fullmatch(r"([^\s+]+)\+([0-9a-f]{8})\+([A-Za-z0-9+/=]+)", text)
    data = base64_bytes(parts[3]) if parts else b""
    if not parts or data[:1] != b"\1" or sha256(parts[1].encode(), b"\n", data).hex()[:8] != parts[2]:
        raise ValueError(f"not a verifier key: {text}")
    return Key(parts[1], bytes.fromhex(parts[2]), data[1:], decode_point(data[1:]))


ANY, ROOT = "[^\0-\x1f]+\n", "[A-Za-z0-9+/]{43}="
SIGNATURE = "\u2014 ([^\\s\0-\x1f+]+) ([A-Za-z0-9+/=]+)\n"
CHECKPOINT = re.compile(f"(({ANY})([0-9]+)\n({ROOT})\n(?:{ANY})*)\n((?:{SIGNATURE}){{0,16}})")


class Seal(NamedTuple):
    """What a checkpoint counts as; without arguments, an absent one."""

    size: int = 0
    root: bytes | None = None
    authentic: bool = False
    code: str | None = None
    origin: str = ""

    def of(self, pattern: str) -> "Seal":
        return self if not self.origin or re.fullmatch(pattern, self.origin) else Seal(code="CRA-3014")


def weigh(data: bytes | None, keys: list[Key]) -> Seal:
    """Section 4.1, except for the origin, which is not known before the chain is read."""
    if data is None:
        return Seal()
    try:
        note = CHECKPOINT.fullmatch(data.decode()) or [""] * 6
        signatures = [(name, base64_bytes(blob)) for name, blob in re.findall(SIGNATURE, note[5])]
        text, origin, size, root = note[1], note[2][:-1], decimal(note[3]), base64_bytes(note[4])
    except ValueError:
        return Seal(code="CRA-3011")
    if len(data) > MAX_CHECKPOINT or any(len(blob) < 5 for _, blob in signatures):
        return Seal(code="CRA-3011")
    known = [(k, blob[4:]) for name, blob in signatures for k in keys if (name, blob[:4]) == (k.name, k.key_id)]
    if not all(is_signed(key, text.encode(), signature) for key, signature in known):
        return Seal(code="CRA-3012", origin=origin)
    return Seal(code="CRA-3013", origin=origin) if keys and not known else Seal(size, root, bool(known), None, origin)


# Sections 2.3, 3 and 5: files and chains

HEAD = {"session_id": ID, "size": int, "root": HASH}
CLAIMS: dict[str, Any] = {
    **dict.fromkeys(("journal.session_opened", "journal.checkpoint", "journal.session_closed", "journal.pruned"), HEAD),
    "journal.redacted": {"session_id": ID, "sequence": int, "event_hash": HASH},
    "ledger.recovered": {"unattested": [int]},
}


class Folder(NamedTuple):
    """The files of a directory or a zip."""

    names: set[str]
    open: Callable[[str], BinaryIO | None]


def open_file(path: str) -> BinaryIO | None:
    if not os.path.isfile(path) and os.path.lexists(path):  # a pipe would make the reader wait
        raise OSError(f"not a regular file: {path}")
    return open(path, "rb") if os.path.isfile(path) else None


def open_folder(path: str) -> Folder:
    if os.path.isdir(path):
        return Folder(set(os.listdir(path)), lambda name: open_file(os.path.join(path, name)))
    archive = zipfile.ZipFile(path)
    names = set(archive.namelist())
    if len(names) < len(archive.namelist()):
        raise OSError(f"two files of one name: {path}")
    return Folder(names, lambda name: archive.open(name) if name in names else None)


def read(folder: Folder, name: str, limit: int = MAX_CHECKPOINT) -> bytes | None:
    stream = folder.open(name)
    return stream.read(limit + 1) if stream else None


def claim(event: Event) -> tuple[Any, ...] | None:
    """What an event of the journal says about a session, if it says so in the right form."""
    shape = CLAIMS.get(event.header["event_type"], {})
    said = {name: (event.payload or {}).get(name) for name in shape}
    return (event.header["event_type"], *said.values()) if said and fits(shape, said) else None


def attested(claims: list[tuple[int, tuple[Any, ...]]], covered: int) -> list[tuple[Any, ...]]:
    """Section 5, from the last event to the first: a ledger.recovered counts only if it is attested itself."""
    counted, ranges = [], []
    for index, said in reversed(claims):
        if index < covered and not any(first <= index <= last for first, last in ranges):
            counted.append(said)
            if said[0] == "ledger.recovered" and len(said[1]) == 2:
                ranges.append(said[1])
    return counted[::-1]


def holds_blobs(folder: Folder, event: Event) -> bool:
    for artifact in event.header.get("artifacts", []) if event.payload is not None else []:
        if artifact["uri"].startswith("blobs/"):
            named = artifact["uri"] == "blobs/" + artifact["sha256"] and fits(HASH, artifact["sha256"])
            stream = folder.open(artifact["uri"]) if named else None
            salted = functools.partial(hashlib.sha256, event.salt)
            if not stream or hashlib.file_digest(stream, salted).hexdigest() != artifact["sha256"]:
                return False
    return True


def read_chain(folder: Folder, name: str, sizes: set[int]) -> Any:
    """Checks 4 to 6 of section 2.3, and what else the verdict needs."""
    chain = SimpleNamespace(n=0, code=None, partial=False, ledger_id=None, bad_blob=INFINITY, redacted=[], claims=[])
    chain.roots, peaks, first, last, ended = {0: sha256()}, [], None, "0" * 64, False
    stream = folder.open(name + ".trace.jsonl")
    chain.exists = stream is not None
    for line in iter(lambda: stream.readline(MAX_LINE + 1), b"") if stream else ():
        if not line.endswith(b"\n") and len(line) <= MAX_LINE:
            chain.partial = True
            break
        try:
            event = read_event(line.removesuffix(b"\n"))
            header = event.header
            ids, kind = (header["session_id"], header["trace_id"]), header["event_type"]
            if first is None:
                first = ids
                opening = ("journal.opened", ids[1]) if name == "journal" else ("session.started", name)
                if (kind, ids[0]) != opening: raise Finding("CRA-3005")
            ...
