"""Makes the vectors beside it: `python generate.py`. Twice gives the same bytes.

Inputs come from a few encoders written from PROTOCOL.md. Every expected answer is data in a table below, written by
hand from the text and never taken from a verifier. A row changes one thing, so that a differing answer names one rule.
"""

# ruff: noqa: E501

from __future__ import annotations

import base64
import hashlib
import io
import json
import shutil
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import rfc8785
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

HERE = Path(__file__).parent
Files = dict[str, bytes]


# Encoders: sections 1 to 4 and 8


def canonical(value: Any) -> bytes:
    return rfc8785.dumps(value)


def sha256(*parts: bytes) -> bytes:
    return hashlib.sha256(b"".join(parts)).digest()


def b64(data: bytes) -> str:
    return base64.b64encode(data).decode()


def uid(number: int) -> str:
    return f"0192f0c1-0000-7000-8000-{number:012x}"


def tree_root(leaves: list[bytes]) -> bytes:
    if len(leaves) < 2:
        return leaves[0] if leaves else sha256()
    half = 1 << (len(leaves) - 1).bit_length() - 1
    return sha256(b"\1", tree_root(leaves[:half]), tree_root(leaves[half:]))


def tree_path(index: int, leaves: list[bytes]) -> list[bytes]:
    if len(leaves) < 2:
        return []
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if index < half:
        return [*tree_path(index, leaves[:half]), tree_root(leaves[half:])]
    return [*tree_path(index - half, leaves[half:]), tree_root(leaves[:half])]


def tree_prefix(size: int, leaves: list[bytes], *, whole: bool = True) -> list[bytes]:
    """The consistency proof of RFC 6962 2.1.2."""
    if size == len(leaves):
        return [] if whole else [tree_root(leaves)]
    half = 1 << (len(leaves) - 1).bit_length() - 1
    if size <= half:
        return [*tree_prefix(size, leaves[:half], whole=whole), tree_root(leaves[half:])]
    return [*tree_prefix(size - half, leaves[half:], whole=False), tree_root(leaves[:half])]


def key_id(public: bytes, name: str, kind: bytes = b"\1") -> bytes:
    return sha256(name.encode(), b"\n", kind, public)[:4]


def vkey(public: bytes, name: str = "cra.local", kind: bytes = b"\1") -> str:
    return f"{name}+{key_id(public, name, kind).hex()}+{b64(kind + public)}"


def signature_line(name: str, blob: bytes) -> str:
    return f"\u2014 {name} {b64(blob)}\n"


class Key:
    def __init__(self, seed: str, name: str = "cra.local"):
        self.name, self.seed = name, sha256(seed.encode())
        self.private = Ed25519PrivateKey.from_private_bytes(self.seed)
        self.public = self.private.public_key().public_bytes_raw()
        self.id = key_id(self.public, name)
        self.vkey = vkey(self.public, name)

    def __str__(self) -> str:
        return self.vkey

    def line(self, text: str) -> str:
        return signature_line(self.name, self.id + self.private.sign(text.encode()))


A, B, WITNESS = Key("a"), Key("b"), Key("witness", "witness.example")
LEDGER, OTHER_LEDGER, ONE, TWO, THREE = uid(0xA), uid(0xB), uid(1), uid(2), uid(3)
LOG, NOTE = ".trace.jsonl", ".checkpoint"
JOURNAL_LOG, JOURNAL_NOTE = "journal" + LOG, "journal" + NOTE


def seal_line(head: bytes, body: bytes, salt: bytes) -> bytes:
    """A line without its LF (section 2)."""
    leaf = sha256(b"\0", head).hex()
    tail = f',"salt":"{salt.hex()}","event_hash":"{leaf}"}}'
    return head[:-1] + b',"payload":' + body + tail.encode()


def split_line(line: bytes) -> tuple[dict[str, Any], bytes, bytes]:
    head, _, rest = line.partition(b',"payload":')
    return json.loads(head + b"}"), rest[:-123], bytes.fromhex(rest[-114:-82].decode())


def line_hash(line: bytes) -> bytes:
    return bytes.fromhex(line[-66:-2].decode())


def redact(line: bytes) -> bytes:
    return line.partition(b',"payload":')[0] + line[-81:]


DROP = object()


def remake(
    line: bytes, *, head: Any = None, body: bytes | None = None, after: Any = None, **members: Any
) -> bytes:
    """A line with other header members or payload and with the hashes that then are right.

    `head` and `after` change the bytes of the header, before it is hashed, and of the line.
    """
    header, old_body, salt = split_line(line)
    body = old_body if body is None else body
    header |= {"payload_hash": sha256(salt, body).hex()} | members
    text = canonical({name: value for name, value in header.items() if value is not DROP})
    line = seal_line(head(text) if head else text, body, salt)
    return bytes(after(line)) if after else line


def rechain(lines: list[bytes]) -> list[bytes]:
    """What an attacker does who changes lines and then makes sequence and chain fit again."""
    done: list[bytes] = []
    for line in lines:
        before = line_hash(done[-1]).hex() if done else "0" * 64
        done.append(remake(line, sequence=len(done), previous_event_hash=before))
    return done


class Chain:
    def __init__(self, name: str, session_id: str, trace_id: str):
        self.name, self.session_id, self.trace_id = name, session_id, trace_id
        self.lines: list[bytes] = []
        self.blobs: Files = {}

    @property
    def leaves(self) -> list[bytes]:
        return [line_hash(line) for line in self.lines]

    def add(
        self,
        event_type: str,
        payload: Any = None,
        *,
        blob: tuple[str, bytes] | None = None,
        **members: Any,
    ) -> None:
        n, number = len(self.lines), int(self.session_id[-12:], 16)
        salt = sha256(self.session_id.encode(), bytes([n]))[:16]
        payload = {"n": n} if payload is None else payload
        if blob is not None:
            name, data = blob
            blob_id = sha256(salt, data).hex()
            uri = "blobs/" + blob_id
            self.blobs[uri] = data
            payload |= {name: {"$blob": blob_id, "bytes": len(data)}}
            members["artifacts"] = [
                {"content_type": "application/json", "name": name, "sha256": blob_id, "uri": uri}
            ]
        body = canonical(payload)
        header = {
            "actor": {"id": "cra", "type": "runtime"},
            "event_id": uid(number * 4096 + 2 * n),
            "event_type": event_type,
            "parent_span_id": None,
            "payload_hash": sha256(salt, body).hex(),
            "previous_event_hash": line_hash(self.lines[-1]).hex() if n else "0" * 64,
            "sequence": n,
            "session_id": self.session_id,
            "severity": "info",
            "span_id": uid(number * 4096 + 2 * n + 1),
            "timestamp": f"2026-01-02T03:04:{n:02d}.000000Z",
            "trace_id": self.trace_id,
            "trace_version": "1.1",
        }
        self.lines.append(seal_line(canonical(header | members), body, salt))


def note_text(chain: Chain, ledger_id: str, size: int | None = None) -> str:
    size = len(chain.lines) if size is None else size
    return f"cra.local/{ledger_id}/{chain.name}\n{size}\n{b64(tree_root(chain.leaves[:size]))}\n"


def signed(text: str, *keys: Key) -> bytes:
    return (text + "\n" + "".join(key.line(text) for key in keys)).encode()


class Ledger:
    """Writes as section 10 says: the session's checkpoint, the journal's event, the journal's checkpoint."""

    def __init__(self, *keys: Key, ledger_id: str = LEDGER):
        self.id, self.keys = ledger_id, keys
        self.journal = Chain("journal", ledger_id, ledger_id)
        self.chains = {"journal": self.journal}
        self.notes: Files = {}
        self.journal.add("journal.opened", {"boot_id": uid(0xB007), "ledger_id": ledger_id})
        self.seal(self.journal)

    def seal(self, chain: Chain, size: int | None = None) -> None:
        self.notes[chain.name + NOTE] = signed(note_text(chain, self.id, size), *self.keys)

    def record(self, event_type: str, payload: Any, **options: Any) -> None:
        self.journal.add(event_type, payload, **options)
        self.seal(self.journal)

    def head(self, chain: Chain, size: int | None = None) -> dict[str, Any]:
        leaves = chain.leaves[:size]
        return {
            "root": tree_root(leaves).hex(),
            "session_id": chain.session_id,
            "size": len(leaves),
        }

    def start(self, session_id: str, trace_id: str | None = None) -> Chain:
        chain = self.chains[session_id] = Chain(session_id, session_id, trace_id or session_id)
        chain.add("session.started", {"boot_id": uid(0xB007), "ledger_id": self.id})
        return chain

    def open(self, session_id: str, trace_id: str | None = None) -> Chain:
        chain = self.start(session_id, trace_id)
        self.barrier(chain, "journal.session_opened")
        return chain

    def barrier(self, chain: Chain, event_type: str = "journal.checkpoint") -> None:
        self.seal(chain)
        self.record(event_type, self.head(chain))

    def close(self, chain: Chain) -> None:
        chain.add("session.ended")
        self.barrier(chain, "journal.session_closed")

    def redacted(
        self, chain: Chain, sequence: int, event_hash: str | None = None
    ) -> dict[str, Any]:
        event_hash = event_hash or chain.leaves[sequence].hex()
        return {"event_hash": event_hash, "sequence": sequence, "session_id": chain.session_id}

    def pruned(self, chain: Chain) -> dict[str, Any]:
        return self.head(chain) | {"leaves": "".join(leaf.hex() for leaf in chain.leaves)}

    def files(self) -> Files:
        logs = {chain.name + LOG: join(chain.lines) for chain in self.chains.values()}
        blobs: Files = {}
        for chain in self.chains.values():
            blobs |= chain.blobs
        return logs | self.notes | blobs


def join(lines: list[bytes]) -> bytes:
    return b"".join(line + b"\n" for line in lines)


def edit(files: Files, name: str, change: Callable[[list[bytes]], list[bytes]]) -> Files:
    return files | {name: join(change(files[name].split(b"\n")[:-1]))}


def without(files: Files, *names: str) -> Files:
    return {name: data for name, data in files.items() if name not in names}


def proof(chain: Chain, index: int, note: bytes, size: int | None = None) -> bytes:
    leaves = chain.leaves[:size]
    lines = ["c2sp.org/tlog-proof@v1", f"extra {b64(chain.lines[index])}", f"index {index}"]
    return "\n".join([*lines, *map(b64, tree_path(index, leaves)), "", ""]).encode() + note


def prefix(chain: Chain, size: int, note: bytes) -> bytes:
    old = tree_root(chain.leaves[:size]).hex()
    lines = ["cra.local/consistency@v1", f"old cra:{chain.session_id}:{size}:{old}"]
    return "\n".join([*lines, *map(b64, tree_prefix(size, chain.leaves)), "", ""]).encode() + note


def archive(files: Files, method: int = zipfile.ZIP_STORED) -> bytes:
    with zipfile.ZipFile(buffer := io.BytesIO(), "w") as target:
        for name in sorted(files):
            entry = zipfile.ZipInfo(name)
            entry.create_system, entry.external_attr = 3, 0o644 << 16
            target.writestr(entry, files[name], method)
    return buffer.getvalue()


# Ed25519 signatures that a strict verifier refuses (section 4); affine arithmetic, for the generator alone

P, L = 2**255 - 19, 2**252 + 27742317777372353535851937790883648493
D = -121665 * pow(121666, -1, P) % P
BASE = (
    15112221349535400772501151409588531511454012693041857206046113283949847762202,
    4 * pow(5, -1, P) % P,
)
# A point of order 8: it doubles to one of order 4, which doubles to (0, -1).
TORSION_Y = 55188659117513257062467267217118295137698188065244968500265048394206261417927


def add_points(p: tuple[int, int], q: tuple[int, int]) -> tuple[int, int]:
    t = D * p[0] * p[1] * q[0] * q[1] % P
    x = (p[0] * q[1] + q[0] * p[1]) * pow(1 + t, -1, P) % P
    return x, (p[1] * q[1] + p[0] * q[0]) * pow(1 - t, -1, P) % P


def multiply(factor: int, point: tuple[int, int]) -> tuple[int, int]:
    total = (0, 1)
    for bit in f"{factor:b}":
        total = add_points(total, total)
        total = add_points(total, point) if bit == "1" else total
    return total


def encode_point(point: tuple[int, int]) -> bytes:
    return (point[1] | (point[0] & 1) << 255).to_bytes(32, "little")


def forge(key: Key, text: str, nonce: tuple[int, bytes]) -> str:
    """A signature line with R given as (r, encoding): S = r + SHA-512(R || A || M) a."""
    r, encoded = nonce
    digest = bytearray(hashlib.sha512(key.seed).digest()[:32])
    digest[0], digest[31] = digest[0] & 248, digest[31] & 63 | 64
    k = int.from_bytes(hashlib.sha512(encoded + key.public + text.encode()).digest(), "little")
    s = (r + k * int.from_bytes(digest, "little")) % L
    return signature_line(key.name, key.id + encoded + s.to_bytes(32, "little"))


def torsion_point() -> tuple[int, int]:
    y2 = TORSION_Y * TORSION_Y % P
    square = (y2 - 1) * pow(D * y2 + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    return (x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P), TORSION_Y


def plus_order(key: Key, text: str) -> str:
    """The signature with S + L in place of S."""
    signature = key.private.sign(text.encode())
    s = int.from_bytes(signature[32:], "little") + L
    return signature_line(key.name, key.id + signature[:32] + s.to_bytes(32, "little"))


# Section 1: name, JSON text, canonical text (None: no such value; ...: the text itself)

# fmt: off
CANONICAL: list[tuple[str, str, Any]] = [
    ("null", "null", ...), ("true", "true", ...), ("false", "false", ...),
    ("zero", "0", ...), ("one", "1", ...), ("minus-one", "-1", ...),
    ("one-point-zero", "1.0", "1"), ("one-exponent", "1e0", "1"), ("hundred-exponent", "1E+2", "100"),
    ("zero-point-zero", "0.0", "0"), ("zero-exponent", "0e5", "0"),
    ("largest-integer", "9007199254740991", ...), ("smallest-integer", "-9007199254740991", ...),
    ("integer-2-53", "9007199254740992", None), ("integer-minus-2-53", "-9007199254740992", None),
    ("integer-2-53-plus-1", "9007199254740993", None), ("integer-of-22-digits", "1000000000000000000000", None),
    ("integer-of-24-digits", "100000000000000000000000", None), ("integer-of-5000-digits", "1" * 5000, None),
    ("float-2-53", "9007199254740992.0", None), ("float-minus-2-53", "-9007199254740992.0", None),
    ("float-1e16", "1e16", None), ("float-1e20", "1e20", None), ("float-largest-integer", "9007199254740991.0", "9007199254740991"),
    ("float-1e15", "1e15", "1000000000000000"), ("float-1e21", "1e21", "1e+21"), ("float-minus-1e21", "-1e21", "-1e+21"),
    ("rfc8785-b-min", "5e-324", ...), ("rfc8785-b-minus-min", "-5e-324", ...),
    ("rfc8785-b-max", "1.7976931348623157e308", "1.7976931348623157e+308"),
    ("rfc8785-b-minus-max", "-1.7976931348623157e308", "-1.7976931348623157e+308"),
    ("rfc8785-b-2e68", "295147905179352825856.0", None),
    ("rfc8785-b-9.99e22", "9.999999999999997e22", "9.999999999999997e+22"), ("rfc8785-b-1e23", "1e23", "1e+23"),
    ("rfc8785-b-1.00e23", "1.0000000000000001e23", "1.0000000000000001e+23"),
    ("rfc8785-b-9.97e20", "999999999999999700000.0", None), ("rfc8785-b-9.99e20", "999999999999999900000.0", None),
    ("rfc8785-b-9.99e-7", "9.999999999999997e-7", ...), ("rfc8785-b-1e-6", "1e-6", "0.000001"),
    ("rfc8785-b-3-2", "333333333.3333332", ...), ("rfc8785-b-3-25", "333333333.33333325", ...),
    ("rfc8785-b-3-3", "333333333.3333333", ...), ("rfc8785-b-3-4", "333333333.3333334", ...),
    ("rfc8785-b-3-43", "333333333.33333343", ...), ("rfc8785-b-3e-6", "-3.3333333333333333e-6", "-0.0000033333333333333333"),
    ("rfc8785-b-even", "1424953923781206.25", "1424953923781206.2"),
    ("float-1e-7", "0.0000001", "1e-7"), ("float-1.5e-7", "0.00000015", "1.5e-7"), ("float-1e-5", "1e-5", "0.00001"),
    ("float-1.5e-5", "1.5e-05", "0.000015"), ("float-1e-10", "1e-10", ...), ("float-tenth", "0.10", "0.1"),
    ("float-long", "0.1000000000000000055511151231257827", "0.1"), ("float-underflow", "1e-400", "0"),
    ("negative-zero", "-0", None), ("negative-zero-float", "-0.0", None), ("negative-zero-exponent", "-0e3", None),
    ("negative-underflow", "-1e-400", None), ("overflow", "1e400", None), ("minus-overflow", "-1e400", None),
    ("nan", "NaN", None), ("infinity", "Infinity", None), ("minus-infinity", "-Infinity", None),
    ("leading-zero", "01", None), ("plus", "+1", None), ("bare-point", "1.", None), ("no-integer", ".5", None),
    ("hexadecimal", "0x10", None), ("bare-exponent", "1e", None),
    ("empty-string", '""', ...), ("string", '"a"', ...), ("solidus", '"\\/"', '"/"'), ("ascii-escape", '"\\u0041"', '"A"'),
    ("two-character-escapes", '"\\b\\t\\n\\f\\r\\"\\\\"', ...), ("long-form-escapes", '"\\u0008\\u0009\\u000A\\u000c\\u000D\\u0022\\u005c"', '"\\b\\t\\n\\f\\r\\"\\\\"'),
    ("control-escapes", '"\\u0000\\u001F"', '"\\u0000\\u001f"'), ("delete", '"\\u007f"', '"\x7f"'),
    ("line-separators", '"\\u0085\\u2028\\u2029"', '"\x85\u2028\u2029"'), ("non-bmp-escape", '"\\uD83D\\uDE00"', '"\U0001f600"'),
    ("non-bmp", '"\U0001f600"', ...), ("noncharacter", '"\\uffff"', '"\uffff"'), ("not-normalised", '"A\u030a"', ...),
    ("lone-high-surrogate", '"\\ud800"', None), ("lone-low-surrogate", '"\\udc00"', None), ("reversed-surrogates", '"\\udc00\\ud800"', None),
    ("lone-surrogate-in-key", '{"\\ud800":1}', None), ("surrogate-then-text", '"\\ud83da"', None),
    ("raw-control", '"\x01"', None), ("raw-newline", '"\n"', None), ("unknown-escape", '"\\x41"', None), ("short-escape", '"\\u12"', None),
    ("unterminated-string", '"a', None), ("single-quotes", "'a'", None),
    ("empty-array", "[]", ...), ("array", "[1,[2,[3]]]", ...), ("array-whitespace", " [ 1 ,\t2\r\n] ", "[1,2]"), ("array-comma", "[1,]", None),
    ("empty-object", "{}", ...), ("object-order", '{"b":1,"a":{"d":1,"c":2}}', '{"a":{"c":2,"d":1},"b":1}'), ("object-comma", '{"a":1,}', None),
    ("key-order-by-length", '{"aa":1,"a":2,"":3}', '{"":3,"a":2,"aa":1}'), ("key-order-case", '{"a":1,"A":2,"_":3}', '{"A":2,"_":3,"a":1}'),
    ("key-order-digits", '{"2":1,"10":2,"1":3}', '{"1":3,"10":2,"2":1}'),
    ("key-order-utf-16", '{"\ufb33":1,"\U0001f600":2}', '{"\U0001f600":2,"\ufb33":1}'),
    ("key-order-rfc8785", '{"\u20ac":1,"\\r":2,"\ufb33":3,"1":4,"\U0001f600":5,"\x80":6,"\xf6":7}', '{"\\r":2,"1":4,"\x80":6,"\xf6":7,"\u20ac":1,"\U0001f600":5,"\ufb33":3}'),
    ("duplicate-key", '{"a":1,"a":1}', None), ("duplicate-key-escaped", '{"a":1,"\\u0061":2}', None), ("duplicate-key-nested", '[{"k":{"a":1,"b":2,"a":3}}]', None),
    ("unquoted-key", "{a:1}", None), ("nesting-128", "[" * 128 + "]" * 128, ...), ("nesting-129", "[" * 129 + "]" * 129, None),
    ("nesting-128-objects", '{"a":' * 127 + "[]" + "}" * 127, ...), ("nesting-129-objects", '{"a":' * 128 + "[]" + "}" * 128, None),
    ("nesting-20000", "[" * 20000, None), ("brackets-in-string", '"' + "[" * 200 + '"', ...), ("nesting-side-by-side", "[" + "[]," * 199 + "[]]", ...),
    ("trailing-garbage", "1 2", None), ("trailing-nul", "1\x00", None), ("empty", "", None), ("byte-order-mark", "\ufeff1", None),
    ("comment", "1//", None), ("no-break-space", "\xa01", None), ("capital-literal", "True", None),
]
# fmt: on


def canonical_json() -> bytes:
    rows = [
        {"name": name, "input": text, "canonical": text if result is ... else result}
        for name, text, result in CANONICAL
    ]
    return table(rows)


def table(rows: list[dict[str, Any]]) -> bytes:
    return ("[\n" + ",\n".join(json.dumps(row) for row in rows) + "\n]\n").encode()


# Section 4: verifier keys, and whether a verifier takes them

# fmt: off
KEYS: list[tuple[str, str, bool]] = [
    ("good", A.vkey, True), ("other-name", WITNESS.vkey, True),
    ("wrong-key-id", A.vkey.replace(A.id.hex(), "00000000"), False), ("upper-case-key-id", A.vkey.replace(A.id.hex(), A.id.hex().upper()), False),
    ("not-ed25519", vkey(A.public, kind=b"\2"), False), ("short", vkey(A.public[:31]), False), ("long", vkey(A.public + b"\0"), False),
    ("no-name", vkey(A.public, ""), False), ("space-in-name", vkey(A.public, "cra local"), False), ("two-parts", "cra.local+" + A.id.hex(), False),
    ("base64-padded", A.vkey + "=", False), ("base64-url-safe", B.vkey.replace("/", "_"), False), ("empty", "", False),
    ("identity", vkey(encode_point((0, 1))), False), ("order-2", vkey(encode_point((0, P - 1))), False),
    ("order-4", vkey(bytes(32)), False), ("order-8", vkey(encode_point(torsion_point())), False),
    ("y-beyond-p", vkey((P + 3).to_bytes(32, "little")), False), ("identity-beyond-p", vkey((P + 1).to_bytes(32, "little")), False),
    ("zero-x-with-sign", vkey((1 | 1 << 255).to_bytes(32, "little")), False),
    ("not-on-the-curve", vkey((2).to_bytes(32, "little")), False),
]
# fmt: on


def verifier_keys() -> bytes:
    return table([{"name": name, "vkey": text, "valid": valid} for name, text, valid in KEYS])


# Section 2: one line, checks 1 to 3 of section 2.3: name, code (None: valid), what `remake` changes


def sub(old: bytes, new: bytes) -> Callable[[bytes], bytes]:
    def change(data: bytes) -> bytes:
        if old not in data:
            raise ValueError(f"{old!r} is not there")
        return data.replace(old, new, 1)

    return change


def before(text: bytes) -> Callable[[bytes], bytes]:
    return lambda data: text + data


def behind(text: bytes) -> Callable[[bytes], bytes]:
    return lambda data: data + text


def always(text: bytes) -> Callable[[bytes], bytes]:
    return lambda _: text


def salt_upper(line: bytes) -> bytes:
    return line[:-114] + line[-114:-82].upper() + line[-82:]


def hash_upper(line: bytes) -> bytes:
    return line[:-66] + line[-66:-2].upper() + line[-2:]


def other_salt(line: bytes) -> bytes:
    return line[:-114] + b"0" * 32 + line[-82:]


def other_hash(line: bytes) -> bytes:
    return line[:-66] + b"0" * 64 + line[-2:]


def nested(levels: int) -> bytes:
    """A payload of so many levels, itself the first."""
    return b'{"a":' + b"[" * (levels - 1) + b"]" * (levels - 1) + b"}"


def payload_of(size: int) -> bytes:
    return b'{"a":"' + b"a" * (size - 8) + b'"}'


def artifact(**members: Any) -> dict[str, Any]:
    return {
        "content_type": "text/plain",
        "name": "a",
        "sha256": "",
        "uri": "https://example.com/a",
    } | members


def header_of(size: int) -> dict[str, Any]:
    """An `artifacts` member that makes the header of the plain line so many bytes long."""
    spare = size - len(plain().partition(b',"payload":')[0] + b"}")
    return {
        "artifacts": [
            artifact(
                name="a" * (spare - len(b'"artifacts":,') - len(canonical([artifact(name="")])))
            )
        ]
    }


def plain() -> bytes:
    return closed().chains[ONE].lines[2]


def closed(*keys: Key) -> Ledger:
    """One session of five events that has ended; a journal of four."""
    ledger = Ledger(*keys)
    session = ledger.open(ONE)
    session.add("carp.request.received")
    session.add("carp.resolution.completed")
    ledger.barrier(session)
    session.add("error.occurred")
    ledger.close(session)
    return ledger


# fmt: off
UPPER, V4, ODD = uid(0xABC).upper(), "0192f0c1-0000-4000-8000-000000000001", "0192f0c1-0000-7000-c000-000000000001"
REQUIRED = [
    "actor", "event_id", "event_type", "parent_span_id", "payload_hash", "previous_event_hash", "sequence", "session_id",
    "severity", "span_id", "timestamp", "trace_id", "trace_version",
]
EVENTS: list[tuple[str, str | None, dict[str, Any]]] = [
    ("plain", None, {}), ("redacted", None, {"after": redact}),
    *[(f"actor-{kind}", None, {"actor": {"id": "x", "type": kind}}) for kind in ("runtime", "agent", "user", "tool")],
    ("actor-id-256", None, {"actor": {"id": "a" * 256, "type": "user"}}), ("actor-id-256-non-bmp", None, {"actor": {"id": "\U0001f600" * 256, "type": "user"}}),
    ("actor-id-newline", None, {"actor": {"id": "\n", "type": "user"}}), ("artifact", None, {"artifacts": [artifact()]}),
    ("artifact-empty-strings", None, {"artifacts": [artifact(content_type="", name="", sha256="", uri="")]}),
    ("artifacts-64", None, {"artifacts": [artifact()] * 64}), ("atlas", None, {"atlas": {"atlas_id": "a", "version": "1"}}),
    ("event-type-short", None, {"event_type": "a.b"}), ("event-type-underscores", None, {"event_type": "a_.b__c.d"}),
    ("event-type-64", None, {"event_type": "a." + "b" * 62}), ("event-type-unknown", None, {"event_type": "weather.changed"}),
    ("parent-span", None, {"parent_span_id": uid(7)}), ("sequence-largest", None, {"sequence": 2**53 - 1}),
    *[(f"severity-{name}", None, {"severity": name}) for name in ("debug", "info", "warn", "error")],
    ("timestamp-latest", None, {"timestamp": "9999-12-31T23:59:59.999999Z"}), ("timestamp-earliest", None, {"timestamp": "0000-01-01T00:00:00.000000Z"}),
    ("timestamp-february-31", None, {"timestamp": "2026-02-31T00:00:00.000000Z"}),
    ("payload-empty", None, {"body": b"{}"}), ("payload-nesting-128", None, {"body": nested(128)}),
    ("payload-line-separators", None, {"body": '{"a":"\x85\u2028\u2029"}'.encode()}), ("payload-split-text", None, {"body": canonical({"a": '"trace_version":"1.1","payload":{}'})}),
    ("payload-65536", None, {"body": payload_of(65536)}), ("header-16384", None, header_of(16384)),
    ("line-longest", None, {"body": payload_of(65536)} | header_of(16384)), ("redacted-header-16384", None, {"after": redact} | header_of(16384)),

    *[(f"{name.replace('_', '-')}-missing", "CRA-3001", {name: DROP}) for name in REQUIRED],
    ("actor-string", "CRA-3001", {"actor": "cra"}), ("actor-unknown-member", "CRA-3001", {"actor": {"id": "x", "name": "x", "type": "user"}}),
    ("actor-without-type", "CRA-3001", {"actor": {"id": "x"}}), ("actor-id-empty", "CRA-3001", {"actor": {"id": "", "type": "user"}}),
    ("actor-id-257", "CRA-3001", {"actor": {"id": "a" * 257, "type": "user"}}), ("actor-id-number", "CRA-3001", {"actor": {"id": 1, "type": "user"}}),
    ("actor-type-unknown", "CRA-3001", {"actor": {"id": "x", "type": "robot"}}), ("actor-type-newline", "CRA-3001", {"actor": {"id": "x", "type": "user\n"}}),
    ("artifacts-empty", "CRA-3001", {"artifacts": []}), ("artifacts-65", "CRA-3001", {"artifacts": [artifact()] * 65}),
    ("artifacts-object", "CRA-3001", {"artifacts": artifact()}), ("artifacts-null", "CRA-3001", {"artifacts": None}),
    ("artifact-unknown-member", "CRA-3001", {"artifacts": [artifact(size="1")]}), ("artifact-without-uri", "CRA-3001", {"artifacts": [{"content_type": "", "name": "", "sha256": ""}]}),
    ("artifact-number", "CRA-3001", {"artifacts": [artifact(sha256=1)]}), ("atlas-unknown-member", "CRA-3001", {"atlas": {"atlas_id": "a", "sha256": "", "version": "1"}}),
    ("atlas-without-version", "CRA-3001", {"atlas": {"atlas_id": "a"}}), ("atlas-number", "CRA-3001", {"atlas": {"atlas_id": "a", "version": 1}}),
    ("atlas-null", "CRA-3001", {"atlas": None}), ("event-id-upper-case", "CRA-3001", {"event_id": UPPER}), ("event-id-v4", "CRA-3001", {"event_id": V4}),
    ("event-id-variant", "CRA-3001", {"event_id": ODD}), ("event-id-newline", "CRA-3001", {"event_id": uid(5) + "\n"}), ("event-id-null", "CRA-3001", {"event_id": None}),
    ("event-id-short", "CRA-3001", {"event_id": uid(5)[:-1]}), ("event-id-arabic-digit", "CRA-3001", {"event_id": uid(5)[:-1] + "\u0665"}),
    ("event-type-no-dot", "CRA-3001", {"event_type": "started"}), ("event-type-upper-case", "CRA-3001", {"event_type": "Session.started"}),
    ("event-type-empty-part", "CRA-3001", {"event_type": "a..b"}), ("event-type-last-dot", "CRA-3001", {"event_type": "a.b."}), ("event-type-digit", "CRA-3001", {"event_type": "a.b2"}),
    ("event-type-underscore-first", "CRA-3001", {"event_type": "a._b"}), ("event-type-65", "CRA-3001", {"event_type": "a." + "b" * 63}), ("event-type-newline", "CRA-3001", {"event_type": "a.b\n"}),
    ("parent-span-empty", "CRA-3001", {"parent_span_id": ""}), ("parent-span-number", "CRA-3001", {"parent_span_id": 0}),
    ("payload-hash-upper-case", "CRA-3001", {"payload_hash": "A" * 64}), ("payload-hash-63", "CRA-3001", {"payload_hash": "a" * 63}), ("payload-hash-null", "CRA-3001", {"payload_hash": None}),
    ("previous-hash-upper-case", "CRA-3001", {"previous_event_hash": "A" * 64}), ("previous-hash-65", "CRA-3001", {"previous_event_hash": "a" * 65}), ("previous-hash-null", "CRA-3001", {"previous_event_hash": None}),
    ("sequence-string", "CRA-3001", {"sequence": "2"}), ("sequence-fraction", "CRA-3001", {"sequence": 2.5}), ("sequence-true", "CRA-3001", {"sequence": True}), ("sequence-null", "CRA-3001", {"sequence": None}),
    ("sequence-point-zero", "CRA-3001", {"head": sub(b'"sequence":2', b'"sequence":2.0')}), ("sequence-2-53", "CRA-3001", {"head": sub(b'"sequence":2', b'"sequence":9007199254740992')}),
    ("sequence-leading-zero", "CRA-3001", {"head": sub(b'"sequence":2', b'"sequence":02')}), ("sequence-minus-zero", "CRA-3001", {"head": sub(b'"sequence":2', b'"sequence":-0')}),
    ("session-id-v4", "CRA-3001", {"session_id": V4}), ("session-id-null", "CRA-3001", {"session_id": None}), ("severity-unknown", "CRA-3001", {"severity": "fatal"}), ("severity-upper-case", "CRA-3001", {"severity": "INFO"}),
    ("span-id-null", "CRA-3001", {"span_id": None}), ("trace-id-null", "CRA-3001", {"trace_id": None}),
    *[(f"timestamp-{name}", "CRA-3001", {"timestamp": text}) for name, text in [
        ("no-fraction", "2026-01-02T03:04:05Z"), ("milliseconds", "2026-01-02T03:04:05.000Z"), ("offset", "2026-01-02T03:04:05.000000+00:00"),
        ("month-13", "2026-13-02T03:04:05.000000Z"), ("month-00", "2026-00-02T03:04:05.000000Z"), ("day-32", "2026-01-32T03:04:05.000000Z"),
        ("day-00", "2026-01-00T03:04:05.000000Z"), ("hour-24", "2026-01-02T24:00:00.000000Z"), ("minute-60", "2026-01-02T03:60:05.000000Z"),
        ("second-60", "2026-01-02T03:04:60.000000Z"), ("lower-case", "2026-01-02t03:04:05.000000z"), ("space", "2026-01-02 03:04:05.000000Z"),
        ("newline", "2026-01-02T03:04:05.000000Z\n"), ("arabic-digit", "202\u0666-01-02T03:04:05.000000Z"), ("number", 0),
    ]],
    ("trace-version-1.0", "CRA-3001", {"trace_version": "1.0"}), ("trace-version-number", "CRA-3001", {"trace_version": 1.1}),
    ("header-unknown-member", "CRA-3001", {"level": 1}), ("header-unknown-last-member", "CRA-3001", {"zone": "utc"}),
    ("header-whitespace", "CRA-3001", {"head": sub(b'"sequence":2', b'"sequence": 2')}), ("header-escape", "CRA-3001", {"head": sub(b'"cra"', b'"\\u0063ra"')}),
    ("header-order", "CRA-3001", {"head": sub(b'{"id":"cra","type":"runtime"}', b'{"type":"runtime","id":"cra"}')}),
    ("header-duplicate-member", "CRA-3001", {"head": sub(b'"sequence":2', b'"sequence":2,"sequence":2')}), ("header-lone-surrogate", "CRA-3001", {"head": sub(b'"cra"', b'"\\ud800"')}),
    ("header-array", "CRA-3001", {"head": lambda text: b"[" + text[1:]}), ("header-16385", "CRA-3001", header_of(16385)), ("redacted-header-16385", "CRA-3001", {"after": redact} | header_of(16385)),
    ("payload-array", "CRA-3001", {"body": b"[]"}), ("payload-null", "CRA-3001", {"body": b"null"}), ("payload-string", "CRA-3001", {"body": b'"a"'}), ("payload-nothing", "CRA-3001", {"body": b""}),
    ("payload-whitespace", "CRA-3001", {"body": b'{"a": 1}'}), ("payload-space-first", "CRA-3001", {"body": b' {"a":1}'}), ("payload-order", "CRA-3001", {"body": b'{"b":1,"a":2}'}),
    ("payload-order-of-code-points", "CRA-3001", {"body": '{"\ufb33":1,"\U0001f600":2}'.encode()}), ("payload-duplicate-key", "CRA-3001", {"body": b'{"a":1,"a":1}'}),
    ("payload-duplicate-key-nested", "CRA-3001", {"body": b'{"a":[{"b":1,"b":2}]}'}), ("payload-one-point-zero", "CRA-3001", {"body": b'{"a":1.0}'}), ("payload-exponent", "CRA-3001", {"body": b'{"a":1e2}'}),
    ("payload-minus-zero", "CRA-3001", {"body": b'{"a":-0}'}), ("payload-2-53", "CRA-3001", {"body": b'{"a":9007199254740992}'}), ("payload-1e20", "CRA-3001", {"body": b'{"a":100000000000000000000}'}),
    ("payload-nan", "CRA-3001", {"body": b'{"a":NaN}'}), ("payload-1e400", "CRA-3001", {"body": b'{"a":1e400}'}), ("payload-lone-surrogate", "CRA-3001", {"body": b'{"a":"\\ud800"}'}),
    ("payload-escaped-solidus", "CRA-3001", {"body": b'{"a":"\\/"}'}), ("payload-escaped-letter", "CRA-3001", {"body": b'{"a":"\\u0041"}'}), ("payload-escaped-separator", "CRA-3001", {"body": b'{"a":"\\u2028"}'}),
    ("payload-upper-case-escape", "CRA-3001", {"body": b'{"a":"\\u001F"}'}), ("payload-long-escape", "CRA-3001", {"body": b'{"a":"\\u000a"}'}), ("payload-raw-tab", "CRA-3001", {"body": b'{"a":"\t"}'}),
    ("payload-comma", "CRA-3001", {"body": b'{"a":1,}'}), ("payload-two", "CRA-3001", {"body": b"{}{}"}), ("payload-nesting-129", "CRA-3001", {"body": nested(129)}), ("payload-nesting-9000", "CRA-3001", {"body": nested(9000)}),
    ("payload-65537", "CRA-3001", {"body": payload_of(65537)}),
    ("salt-upper-case", "CRA-3001", {"body": b'{"a":1}', "after": salt_upper}), ("salt-31", "CRA-3001", {"after": lambda line: line[:-114] + line[-113:]}),
    ("salt-missing", "CRA-3001", {"after": lambda line: line[:-123] + line[-81:]}), ("event-hash-upper-case", "CRA-3001", {"after": hash_upper}),
    ("member-after-event-hash", "CRA-3001", {"after": lambda line: line[:-1] + b',"z":1}'}), ("byte-order-mark", "CRA-3001", {"after": before(b"\xef\xbb\xbf")}),
    ("space-before", "CRA-3001", {"after": before(b" ")}), ("space-behind", "CRA-3001", {"after": behind(b" ")}), ("carriage-return", "CRA-3001", {"after": behind(b"\r")}),
    ("nul-behind", "CRA-3001", {"after": behind(b"\0")}), ("last-byte-missing", "CRA-3001", {"after": lambda line: line[:-1]}), ("line-separator-and-line", "CRA-3001", {"after": lambda line: line + "\u2028".encode() + line}),
    ("empty-line", "CRA-3001", {"after": always(b"")}), ("empty-object", "CRA-3001", {"after": always(b"{}")}), ("null", "CRA-3001", {"after": always(b"null")}), ("text", "CRA-3001", {"after": always(b"hello")}),
    ("split-text-alone", "CRA-3001", {"after": always(b'"trace_version":"1.1","payload":')}), ("tail-alone", "CRA-3001", {"after": lambda line: line[-123:]}),
    ("redacted-with-salt", "CRA-3001", {"after": lambda line: line.partition(b',"payload":')[0] + line[-123:]}), ("redacted-event-hash-upper-case", "CRA-3001", {"after": lambda line: hash_upper(redact(line))}),
    ("redacted-unknown-member", "CRA-3001", {"level": 1, "after": redact}), ("redacted-whitespace", "CRA-3001", {"head": sub(b'"sequence":2', b'"sequence": 2'), "after": redact}),

    ("event-hash-other", "CRA-3003", {"after": other_hash}), ("header-edited", "CRA-3003", {"after": sub(b'"severity":"info"', b'"severity":"warn"')}),
    ("sequence-edited", "CRA-3003", {"after": sub(b'"sequence":2', b'"sequence":3')}), ("redacted-event-hash-other", "CRA-3003", {"after": lambda line: other_hash(redact(line))}),
    ("redacted-header-edited", "CRA-3003", {"after": lambda line: sub(b'"info"', b'"warn"')(redact(line))}), ("header-and-payload-edited", "CRA-3003", {"after": lambda line: sub(b'"info"', b'"warn"')(sub(b'{"n":2}', b'{"n":3}')(line))}),
    ("payload-edited", "CRA-3002", {"after": sub(b'{"n":', b'{"n":1')}), ("payload-emptied", "CRA-3002", {"after": sub(b'{"n":2}', b"{}")}),
    ("salt-edited", "CRA-3002", {"after": other_salt}), ("payload-hash-other", "CRA-3002", {"payload_hash": "0" * 64}),
]
# fmt: on


def event_line(name: str, line: bytes | None = None) -> tuple[bytes, str | None]:
    """The line of a row of EVENTS, made from `line`, and its code."""
    [(code, changes)] = [(code, changes) for row, code, changes in EVENTS if row == name]
    return remake(line or plain(), **changes), code


def events() -> bytes:
    rows = []
    for name, code, changes in EVENTS:
        line = remake(plain(), **changes)
        row = {
            "name": name,
            "valid": code is None,
            "code": code,
            "event_hash": None,
            "payload_hash": None,
        }
        if code is None:
            header = json.loads(
                line.partition(b',"payload":' if b',"payload":' in line else b',"event_hash"')[0]
                + b"}"
            )
            row |= {"event_hash": line_hash(line).hex(), "payload_hash": header["payload_hash"]}
        rows.append(row | {"line": line.decode()})
    return table(rows)


# Whole ledgers


def brief(*keys: Key) -> Ledger:
    """One session of two events that has ended; a journal of three."""
    ledger = Ledger(*keys)
    ledger.close(ledger.open(ONE))
    return ledger


def running(*keys: Key) -> Ledger:
    """One session of five events, of which three are covered; a journal of three."""
    ledger = Ledger(*keys)
    session = ledger.open(ONE)
    session.add("carp.request.received")
    session.add("carp.resolution.completed")
    ledger.barrier(session)
    session.add("action.approved")
    session.add("action.executed")
    return ledger


def two(*keys: Key) -> Ledger:
    """The closed session and another of three events; a journal of six."""
    ledger = closed(*keys)
    session = ledger.open(TWO)
    session.add("carp.request.received")
    session.add("carp.resolution.completed")
    ledger.barrier(session)
    return ledger


def with_blob(*keys: Key, covered: bool = True) -> Ledger:
    """The running session and an event 5 that keeps its result in a blob; covered, or not."""
    ledger = running(*keys)
    session = ledger.chains[ONE]
    session.add("action.executed", blob=("result", canonical(["a large result"])))
    if covered:
        ledger.barrier(session)
    return ledger


def redacted(*keys: Key, covered: bool = True, **told: Any) -> Files:
    """The closed session with event 2 redacted; `told` is what the journal says otherwise than that."""
    ledger = closed(*keys)
    ledger.record("journal.redacted", ledger.redacted(ledger.chains[ONE], 2) | told)
    if not covered:
        ledger.seal(ledger.journal, 4)
    return edit(ledger.files(), ONE + LOG, at(2, redact))


def pruned(*keys: Key, covered: bool = True, **told: Any) -> Ledger:
    ledger = closed(*keys)
    payload = ledger.pruned(ledger.chains[ONE])
    ledger.record("journal.pruned", payload | told)
    if not covered:
        ledger.seal(ledger.journal, 4)
    return ledger


def gone(files: Files, session_id: str = ONE) -> Files:
    return without(files, session_id + LOG, session_id + NOTE)


def at(index: int, change: Callable[[bytes], bytes]) -> Callable[[list[bytes]], list[bytes]]:
    return lambda lines: [*lines[:index], change(lines[index]), *lines[index + 1 :]]


def rolled_back(ledger: Ledger, size: int = 3) -> Files:
    """An earlier state of the session and of its checkpoint, both genuine."""
    chain = ledger.chains[ONE]
    note = signed(note_text(chain, ledger.id, size), *ledger.keys)
    return ledger.files() | {ONE + LOG: join(chain.lines[:size]), ONE + NOTE: note}


def forged_tail(
    event_type: str,
    payload: dict[str, Any],
    *,
    recovered: bool,
    base: Callable[..., Ledger] = closed,
) -> Ledger:
    """An event that somebody else put behind the journal's checkpoint; then, perhaps, found by the writer."""
    ledger = base(A)
    covered = len(ledger.journal.lines)
    ledger.journal.add(event_type, payload)
    if recovered:
        ledger.record("ledger.recovered", {"unattested": [covered, covered]})
    return ledger


def head(ledger: Ledger, size: int, ledger_id: str = LEDGER, digest: str | None = None) -> str:
    return f"{ledger_id}:{size}:{digest or tree_root(ledger.journal.leaves[:size]).hex()}"


class Case(NamedTuple):
    files: Files
    description: str
    overall: str
    journal: str | None
    sessions: tuple[str, ...]
    options: dict[str, Any]

    def expected(self) -> dict[str, Any]:
        """An answer is `VERDICT [code] [level] [events/unattested] [member=number]…`; the exit code follows section 7."""
        parts: dict[str, Any] = {"level": None} | answer(self.overall)
        exits = {
            "INTACT": 0,
            "STILLBORN": 0,
            "INCOMPLETE": 0,
            "UNLISTED": 3,
            "DAMAGED": 3,
            "TAMPERED": 3,
            "REFUSED": 2,
            "BROKEN": 3,
        }
        parts["exit"] = exits[parts["verdict"]]
        if parts["verdict"] in ("REFUSED", "BROKEN"):
            return {"exit": parts["exit"]}
        sessions = zip((ONE, TWO, THREE), self.sessions, strict=False)
        answers = [*sessions, *self.options.get("more", {}).items()]
        parts["sessions"] = {session_id: answer(text) for session_id, text in answers if text}
        parts["journal"] = answer(self.journal) if self.journal else None
        return parts

    def written(self) -> Files:
        options: dict[str, Any] = {"keys": [str(key) for key in self.options.get("keys", [A])]}
        options |= {name: self.options.get(name) for name in ("head", "session")} | {
            "path": self.options.get("path", ".")
        }
        case = {"description": self.description, **options, "expect": self.expected()}
        return self.files | {"case.json": (json.dumps(case, indent=2) + "\n").encode()}


def answer(text: str) -> dict[str, Any]:
    verdict, *words = text.split()
    facts: dict[str, Any] = {"verdict": verdict, "code": None}
    for word in words:
        if word.startswith("CRA-"):
            facts["code"] = word
        elif "/" in word:
            facts["events"], facts["unattested"] = map(int, word.split("/"))
        elif "=" in word:
            facts[word.partition("=")[0]] = int(word.partition("=")[2])
        else:
            facts["level"] = word
    return facts


def case(
    files: Files,
    description: str,
    overall: str,
    journal: str | None,
    *sessions: str,
    **options: Any,
) -> Case:
    return Case(files, description, overall, journal, sessions, options)


def running_with(event_type: str, payload: Any = None, **members: Any) -> Files:
    """The running session with one more event, all of it covered."""
    ledger = running(A)
    ledger.chains[ONE].add(event_type, payload, **members)
    ledger.barrier(ledger.chains[ONE])
    return ledger.files()


def with_child() -> Files:
    ledger = closed(A)
    ledger.open(TWO, ONE)
    return ledger.files()


def blob_redacted() -> Files:
    """The event with the blob is redacted, and the blob gone."""
    ledger = with_blob(A)
    session = ledger.chains[ONE]
    ledger.close(session)
    ledger.record("journal.redacted", ledger.redacted(session, 5))
    return edit(without(ledger.files(), *session.blobs), ONE + LOG, at(5, redact))


def first_redacted() -> Files:
    ledger = closed(A)
    ledger.record("journal.redacted", ledger.redacted(ledger.chains[ONE], 0))
    return edit(ledger.files(), ONE + LOG, at(0, redact))


def pruned_with_blob() -> Ledger:
    ledger = closed(A)
    leaves = ledger.pruned(ledger.chains[ONE])["leaves"]
    ledger.record(
        "journal.pruned", ledger.head(ledger.chains[ONE]), blob=("leaves", canonical(leaves))
    )
    return ledger


def half_a_barrier() -> Files:
    ledger = running(A)
    ledger.seal(ledger.chains[ONE])
    ledger.journal.add("journal.checkpoint", ledger.head(ledger.chains[ONE]))
    return ledger.files()


def covering_nothing() -> Files:
    """A session of three events whose recorded head and checkpoint have size 0."""
    ledger = Ledger(A)
    session = ledger.start(ONE)
    ledger.record("journal.session_opened", ledger.head(session, 0))
    session.add("carp.request.received")
    session.add("carp.resolution.completed")
    ledger.seal(session, 0)
    return ledger.files()


def recovered_after_the_end() -> Files:
    ledger = closed(A)
    ledger.chains[ONE].add("ledger.recovered", {"boot_id": uid(0xB007)})
    ledger.barrier(ledger.chains[ONE])
    return ledger.files()


def with_largest_payload() -> Files:
    return edit(
        running(A).files(), ONE + LOG, at(4, lambda line: remake(line, body=payload_of(65536)))
    )


def valid_cases() -> dict[str, Case]:
    signed_files, unsigned_files, tail = closed(A).files(), closed().files(), running(A)
    tail_files, still = tail.files(), Ledger(A)
    still.start(ONE)
    text = note_text(closed(A).chains[ONE], LEDGER) + "resume 1 2 3\nanything at all\n"
    long_signature = signature_line("witness.example", b"\4\4\4\4" + bytes(72))
    extended = signed(text, *[WITNESS] * 14, A) + long_signature.encode()

    odd = two(A)
    damaged = edit(odd.files(), TWO + LOG, at(1, sub(b'{"n":1}', b'{"n":9}')))
    alone = {name: signed_files[name] for name in (ONE + LOG, ONE + NOTE)}
    strange = {
        "text": 'a\r\n\u2028\u2029\x85\x7f \U0001f600 \ufb33 \\ "',
        "\U0001f600": 1,
        "\ufb33": 2,
    }

    # fmt: off
    return {
        "journal-alone": case(Ledger(A).files(), "a journal and no session", "INTACT L1", "INTACT 1/0"),
        "unsigned": case(unsigned_files, "one ended session, no key", "INTACT L0", "INTACT 4/0", "INTACT 5/0", keys=[]),
        "signed": case(signed_files, "one ended session, signed by the key that is known", "INTACT L1", "INTACT 4/0", "INTACT 5/0"),
        "signed-key-unknown": case(signed_files, "the verifier knows no key", "INTACT L0", "INTACT 4/0", "INTACT 5/0", keys=[]),
        "signed-by-one-of-the-known": case(signed_files, "the verifier knows two keys, and one of them signed", "INTACT L1", "INTACT 4/0", "INTACT 5/0", keys=[B, A]),
        "signed-by-two": case(closed(A, B).files(), "two keys signed, the verifier knows the second", "INTACT L1", "INTACT 4/0", "INTACT 5/0", keys=[B]),
        "two-sessions": case(odd.files(), "an ended session and a running one", "INTACT L1", "INTACT 6/0", "INTACT 5/0", "INTACT 3/0"),
        "child-session": case(with_child(), "a session with the trace_id of another", "INTACT L1", "INTACT 5/0", "INTACT 5/0", "INTACT 1/0"),
        "blob": case(with_blob(A).files(), "a large value in a blob", "INTACT L1", "INTACT 4/0", "INTACT 6/0"),
        "artifacts-elsewhere": case(running_with("action.executed", artifacts=[artifact(), artifact(uri="blob/x"), artifact(uri="/blobs/x")]), "artifacts whose uri does not start with blobs/ are not checked", "INTACT L1", "INTACT 4/0", "INTACT 6/0"),
        "redacted": case(redacted(A), "a redacted line that the journal records", "INTACT L1", "INTACT 5/0", "INTACT 5/0 redacted=1 unauthenticated=0"),
        "redacted-unsigned": case(redacted(), "the same without a key: unauthenticated", "INTACT L0", "INTACT 5/0", "INTACT 5/0 redacted=1 unauthenticated=1", keys=[]),
        "redacted-event-0": case(first_redacted(), "event 0 is redacted", "INTACT L1", "INTACT 5/0", "INTACT 5/0 redacted=1"),
        "redacted-blob": case(blob_redacted(), "the blob of a redacted line is gone", "INTACT L1", "INTACT 6/0", "INTACT 7/0 redacted=1"),
        "pruned": case(gone(pruned(A).files()), "a pruned session without its files", "INTACT L1", "INTACT 5/0", "INTACT 0/0"),
        "pruned-leaves-in-a-blob": case(gone(pruned_with_blob().files()), "the leaves are in a blob of the journal", "INTACT L1", "INTACT 5/0", "INTACT 0/0"),
        "pruned-files-kept": case(pruned(A).files(), "a pruned session whose files are still there", "INTACT L1", "INTACT 5/0", "INTACT 5/0"),
        "pruned-checkpoint-kept": case(without(pruned(A).files(), ONE + LOG), "the session file of a pruned session is gone, its checkpoint is not", "INTACT L1", "INTACT 5/0", "INTACT 0/0"),
        "running": case(tail_files, "two events behind the checkpoint", "INTACT L1", "INTACT 3/0", "INTACT 5/2"),
        "between-two-checkpoints": case(half_a_barrier(), "stopped before the last step of a barrier", "INTACT L1", "INTACT 4/1", "INTACT 5/0"),
        "checkpoint-of-size-0": case(covering_nothing(), "a checkpoint that covers nothing", "INTACT L1", "INTACT 2/0", "INTACT 3/3"),
        "no-checkpoint-yet": case(without(covering_nothing(), ONE + NOTE), "a listed session without a checkpoint, recorded with size 0", "INTACT L1", "INTACT 2/0", "INTACT 3/3"),
        "checkpoint-extensions": case(signed_files | {ONE + NOTE: extended}, "extension lines and 16 signature lines, one of them long", "INTACT L1", "INTACT 4/0", "INTACT 5/0"),
        "stillborn": case(still.files(), "one event, and the journal does not list the session", "STILLBORN L1", "INTACT 1/0", "STILLBORN 1/1"),
        "stillborn-empty": case(Ledger(A).files() | {ONE + LOG: b""}, "an empty file", "STILLBORN L1", "INTACT 1/0", "STILLBORN 0/0"),
        "stillborn-no-journal": case({ONE + LOG: still.files()[ONE + LOG]}, "one event and no journal", "STILLBORN L0", "INTACT 0/0", "STILLBORN 1/1", keys=[]),
        "incomplete": case(tail_files | {ONE + LOG: tail_files[ONE + LOG] + b'{"actor":{"id"'}, "part of a line at the end", "INCOMPLETE CRA-3007 L1", "INTACT 3/0", "INCOMPLETE CRA-3007 5/2"),
        "incomplete-only-the-lf": case(tail_files | {ONE + LOG: tail_files[ONE + LOG][:-1]}, "the last line lacks its LF and is not an event", "INCOMPLETE CRA-3007 L1", "INTACT 3/0", "INCOMPLETE CRA-3007 4/1"),
        "incomplete-stillborn": case(Ledger(A).files() | {ONE + LOG: b'{"actor"'}, "part of the first line", "INCOMPLETE CRA-3007 L1", "INTACT 1/0", "INCOMPLETE CRA-3007 0/0"),
        "incomplete-journal": case(tail_files | {JOURNAL_LOG: tail_files[JOURNAL_LOG] + b"{"}, "part of a line at the end of the journal", "INCOMPLETE CRA-3007 L1", "INCOMPLETE CRA-3007 3/0", "INTACT 5/2"),
        "incomplete-zeros": case(tail_files | {ONE + LOG: tail_files[ONE + LOG] + bytes(4096)}, "zeros at the end, as a power loss leaves them", "INCOMPLETE CRA-3007 L1", "INTACT 3/0", "INCOMPLETE CRA-3007 5/2"),
        "recovered-in-a-session": case(running_with("ledger.recovered", {"unattested": [3, 4]}), "the writer found two events that it had not written", "INTACT L1", "INTACT 4/0", "INTACT 6/0"),
        "recovered-after-the-end": case(recovered_after_the_end(), "ledger.recovered is the one event that may follow session.ended", "INTACT L1", "INTACT 5/0", "INTACT 6/0"),
        "recovered-in-the-journal": case(forged_tail("error.occurred", {"n": 4}, recovered=True).files(), "a foreign event of the journal that says nothing about a session", "INTACT L1", "INTACT 6/0", "INTACT 5/0"),
        "strange-text": case(running_with("action.executed", strange), "no separator but LF ends a line", "INTACT L1", "INTACT 4/0", "INTACT 6/0"),
        "clock-backwards": case(running_with("action.executed", timestamp="2020-01-01T00:00:00.000000Z"), "a timestamp before the one before it", "INTACT L1", "INTACT 4/0", "INTACT 6/0"),
        "unknown-event-type": case(running_with("weather.changed"), "a type that section 9 does not have", "INTACT L1", "INTACT 4/0", "INTACT 6/0"),
        "largest-payload": case(with_largest_payload(), "a payload of 65,536 bytes", "INTACT L1", "INTACT 3/0", "INTACT 5/2"),
        "other-files": case(signed_files | {f"locks/{ONE}.lock": b"", "notes.txt": b"x", TWO + NOTE: b"x"}, "files that are not part of the ledger", "INTACT L1", "INTACT 4/0", "INTACT 5/0"),
        "head-is-the-end": case(signed_files, "the remembered head is the journal's end", "INTACT L2", "INTACT 4/0", "INTACT 5/0", head=head(closed(A), 4)),
        "head-is-a-prefix": case(signed_files, "the remembered head is a prefix of the journal", "INTACT L2", "INTACT 4/0", "INTACT 5/0", head=head(closed(A), 2)),
        "head-unsigned": case(unsigned_files, "a remembered head does not make up for a signature", "INTACT L0", "INTACT 4/0", "INTACT 5/0", head=head(closed(), 4), keys=[]),
        "rolled-back-everywhere": case(edit(signed_files, JOURNAL_LOG, lambda lines: lines[:3]) | {JOURNAL_NOTE: signed(note_text(closed(A).journal, LEDGER, 3), A)}, "the journal and its checkpoint as they once were: only a remembered head tells", "INTACT L1", "INTACT 3/0", "INTACT 5/0"),
        "session-file": case(alone, "a session file and its checkpoint, on their own", "INTACT L1", None, "INTACT 5/0", path=ONE + LOG),
        "session-file-no-checkpoint": case({ONE + LOG: alone[ONE + LOG]}, "a session file, on its own", "INTACT L0", None, "INTACT 5/5", path=ONE + LOG, keys=[]),
        "session-file-one-event": case({ONE + LOG: still.files()[ONE + LOG]}, "on its own it is not stillborn", "INTACT L0", None, "INTACT 1/1", path=ONE + LOG, keys=[]),
        "session-file-in-a-ledger": case(signed_files, "a session file beside its journal is judged by it", "INTACT L1", "INTACT 4/0", "INTACT 5/0", path=ONE + LOG),
        "session-option": case(damaged, "only the first session is asked for; the second is edited", "INTACT L1", "INTACT 6/0", "INTACT 5/0", session=ONE),
        "session-option-edited": case(damaged, "only the edited session is asked for", "TAMPERED CRA-3002", "INTACT 6/0", "", "TAMPERED CRA-3002 1/0", session=TWO),
    }
    # fmt: on


# Rows of EVENTS put in the place of event 2, which is covered, and of event 4, which is not

LINES = [
    "byte-order-mark", "carriage-return", "empty-line", "event-hash-other", "event-id-v4", "event-type-missing", "header-duplicate-member", "header-edited",
    "header-order", "header-unknown-member", "header-whitespace", "payload-duplicate-key", "payload-edited", "payload-hash-other", "payload-lone-surrogate",
    "payload-minus-zero", "payload-nan", "payload-nesting-129", "payload-one-point-zero", "payload-order", "salt-edited", "trace-version-1.0",
]  # fmt: skip


def line_cases() -> dict[str, Case]:
    cases: dict[str, Case] = {}
    for name in LINES:
        for place, ledger, index, verdict, journal in [
            ("covered", closed(A), 2, "TAMPERED", "INTACT 4/0"),
            ("uncovered", running(A), 4, "DAMAGED", "INTACT 3/0"),
            ("unsigned", closed(), 2, "DAMAGED", "INTACT 4/0"),
        ]:
            if place != "covered" and not name.startswith(("payload-e", "header-e", "salt")):
                continue
            old = ledger.chains[ONE].lines[index]
            new, code = event_line(name, old)
            files = edit(ledger.files(), ONE + LOG, at(index, always(new)))
            found = f"{verdict} {code}"
            counts = "4/1" if index == 4 else "2/0"
            keys = [] if place == "unsigned" else [A]
            text = f"event {index} is malformed or altered as in {name} of events.json"
            cases[f"{place}-{name}"] = case(
                files, text, found, journal, f"{found} {counts}", keys=keys
            )
    return cases


def chain_cases() -> dict[str, Case]:
    """Checks 4 to 6 of section 2.3, and what truncation and rewriting leave."""

    def with_lines(change: Callable[[list[bytes]], list[bytes]]) -> Files:
        return edit(closed(A).files(), ONE + LOG, change)

    def remade(index: int, **members: Any) -> Callable[[list[bytes]], list[bytes]]:
        return at(index, lambda line: remake(line, **members))

    def copied(lines: list[bytes]) -> bytes:
        return remake(lines[2], sequence=3, previous_event_hash=line_hash(lines[2]).hex())

    # fmt: off
    rows: list[tuple[str, str, Callable[[list[bytes]], list[bytes]], str]] = [
        ("event-0-edited", "the payload of event 0", at(0, sub(b'"boot_id"', b'"boot_ie"')), "TAMPERED CRA-3002 0/0"),
        ("event-inserted", "a forged event 3", lambda x: [*x[:3], copied(x), *x[3:]], "TAMPERED CRA-3004 4/0"),
        ("event-inserted-rechained", "a forged event 3, and the chain made to fit", lambda x: rechain([*x[:3], x[2], *x[3:]]), "TAMPERED CRA-3010 6/1"),
        ("event-deleted", "event 2 is missing", lambda x: [*x[:2], *x[3:]], "TAMPERED CRA-3004 2/0"),
        ("event-deleted-rechained", "event 2 is missing, and the chain made to fit", lambda x: rechain([*x[:2], *x[3:]]), "TAMPERED CRA-3010 4/0"),
        ("event-edited-rechained", "event 2 is altered, and the chain made to fit", lambda x: rechain(at(2, lambda line: remake(line, body=b"{}"))(x)), "TAMPERED CRA-3010 5/0"),
        ("events-swapped", "events 2 and 3", lambda x: [x[0], x[1], x[3], x[2], x[4]], "TAMPERED CRA-3004 2/0"),
        ("event-repeated", "event 2 twice", lambda x: [*x[:3], *x[2:]], "TAMPERED CRA-3004 3/0"),
        ("first-event-dropped", "the file begins with event 1", lambda x: x[1:], "TAMPERED CRA-3005 0/0"),
        ("truncated", "the last two events are missing", lambda x: x[:3], "TAMPERED CRA-3010 3/0"),
        ("emptied", "the file is empty", lambda _: [], "TAMPERED CRA-3010 0/0"),
        ("session-id-foreign", "event 2 is of another session", remade(2, session_id=TWO), "TAMPERED CRA-3005 2/0"),
        ("trace-id-foreign", "event 2 is of another trace", remade(2, trace_id=TWO), "TAMPERED CRA-3005 2/0"),
        ("event-0-type", "event 0 is not session.started", remade(0, event_type="session.ended"), "TAMPERED CRA-3005 0/0"),
        ("event-0-of-a-journal", "event 0 is journal.opened", remade(0, event_type="journal.opened"), "TAMPERED CRA-3005 0/0"),
        ("event-0-sequence-1", "sequences begin with 0", remade(0, sequence=1), "TAMPERED CRA-3004 0/0"),
        ("event-0-previous-hash", "the hash before event 0 is 64 zeros", remade(0, previous_event_hash="1" * 64), "TAMPERED CRA-3004 0/0"),
        ("sequence-gap", "event 2 says 3", remade(2, sequence=3), "TAMPERED CRA-3004 2/0"),
        ("sequence-negative", "event 2 says -2, which is an integer", remade(2, sequence=-2), "TAMPERED CRA-3004 2/0"),
        ("previous-hash", "event 2 follows another event", remade(2, previous_event_hash="1" * 64), "TAMPERED CRA-3004 2/0"),
        ("foreign-before-sequence", "event 2 is of another session and says 3: check 4 comes first", remade(2, session_id=TWO, sequence=3), "TAMPERED CRA-3005 2/0"),
        ("ended-in-the-middle", "event 2 is session.ended", lambda x: rechain(remade(2, event_type="session.ended")(x)), "TAMPERED CRA-3006 3/0"),
        ("event-after-the-end", "event 5 follows session.ended", lambda x: rechain([*x, x[3]]), "DAMAGED CRA-3006 5/0"),
        ("second-end", "event 5 is session.ended again", lambda x: rechain([*x, x[4]]), "DAMAGED CRA-3006 5/0"),
        ("event-after-the-end-and-recovery", "event 6 follows session.ended and ledger.recovered", lambda x: rechain([*x, remake(x[3], event_type="ledger.recovered"), x[3]]), "DAMAGED CRA-3006 6/1"),
    ]
    whole = closed(A).files()[ONE + LOG]
    noise = b"".join(sha256(b"noise", bytes([n])) for n in range(40))
    tail = running(A).files()
    files: list[tuple[str, str, Files, str, str]] = [
        ("truncated-in-a-line", "the file ends in the middle of event 3", closed(A).files() | {ONE + LOG: whole[:2800]}, "INTACT 4/0", "TAMPERED CRA-3010 3/0"),
        ("crlf", "lines end in CR LF", closed(A).files() | {ONE + LOG: whole.replace(b"\n", b"\r\n")}, "INTACT 4/0", "TAMPERED CRA-3001 0/0"),
        ("line-separators", "lines end in U+2028", closed(A).files() | {ONE + LOG: whole.replace(b"\n", "\u2028".encode())}, "INTACT 4/0", "TAMPERED CRA-3010 0/0"),
        ("zeros", "4,096 zeros", closed(A).files() | {ONE + LOG: bytes(4096)}, "INTACT 4/0", "TAMPERED CRA-3010 0/0"),
        ("noise", "random bytes", closed(A).files() | {ONE + LOG: noise}, "INTACT 4/0", "TAMPERED CRA-3001 0/0"),
        ("blank-line-behind", "an empty line at the end", tail | {ONE + LOG: tail[ONE + LOG] + b"\n"}, "INTACT 3/0", "DAMAGED CRA-3001 5/2"),
        ("line-too-long", "a line of 82,054 bytes at the end", tail | {ONE + LOG: tail[ONE + LOG] + b"a" * 82054 + b"\n"}, "INTACT 3/0", "DAMAGED CRA-3001 5/2"),
        ("rest-too-long", "82,054 bytes without LF at the end: too long for any line", tail | {ONE + LOG: tail[ONE + LOG] + bytes(82054)}, "INTACT 3/0", "DAMAGED CRA-3001 5/2"),
    ]
    # fmt: on
    files = [
        (name, text, with_lines(change), "INTACT 4/0", found) for name, text, change, found in rows
    ] + files
    return {
        name: case(data, text, found.rpartition(" ")[0], journal, found)
        for name, text, data, journal, found in files
    }


def file_cases() -> dict[str, Case]:
    """Files deleted, rolled back, exchanged, planted, rewritten."""
    ledger, both = closed(A), two(A)
    files, unsigned, pair = ledger.files(), closed().files(), both.files()
    rewritten = edit(
        unsigned, ONE + LOG, lambda x: rechain(at(2, lambda line: remake(line, body=b"{}"))(x))
    )
    chain = Chain(ONE, ONE, ONE)
    chain.lines = rewritten[ONE + LOG].split(b"\n")[:-1]
    sealed = rewritten | {ONE + NOTE: signed(note_text(chain, LEDGER))}

    planted = Ledger()
    planted.start(TWO).add("carp.request.received")
    planted.chains[TWO].add("carp.resolution.completed")
    planted.seal(planted.chains[TWO])
    plant = {TWO + LOG: planted.files()[TWO + LOG]}
    other = Ledger(A, ledger_id=OTHER_LEDGER)
    other.open(TWO).add("carp.request.received")
    other.barrier(other.chains[TWO])
    copy = {name: other.files()[name] for name in (TWO + LOG, TWO + NOTE)}
    logs_swapped = pair | {ONE + LOG: pair[TWO + LOG], TWO + LOG: pair[ONE + LOG]}
    all_swapped = logs_swapped | {ONE + NOTE: pair[TWO + NOTE], TWO + NOTE: pair[ONE + NOTE]}
    ended = edit(pair, ONE + LOG, lambda x: rechain([*x, x[3]]))
    edited_two = at(1, sub(b'{"n":1}', b'{"n":9}'))

    # fmt: off
    return {
        "session-deleted": case(gone(files), "session file and checkpoint are gone", "TAMPERED CRA-3021", "INTACT 4/0", "TAMPERED CRA-3021 0/0"),
        "session-deleted-unsigned": case(gone(unsigned), "the same without a key", "TAMPERED CRA-3021", "INTACT 4/0", "TAMPERED CRA-3021 0/0", keys=[]),
        "session-file-deleted": case(without(files, ONE + LOG), "the session file is gone, its checkpoint is there", "TAMPERED CRA-3021", "INTACT 4/0", "TAMPERED CRA-3021 0/0"),
        "checkpoint-deleted": case(without(files, ONE + NOTE), "the session's checkpoint is gone", "TAMPERED CRA-3020", "INTACT 4/0", "TAMPERED CRA-3020 5/5"),
        "checkpoint-deleted-unsigned": case(without(unsigned, ONE + NOTE), "the same without a key", "TAMPERED CRA-3020", "INTACT 4/0", "TAMPERED CRA-3020 5/5", keys=[]),
        "rolled-back": case(rolled_back(ledger), "session file and checkpoint as they once were", "TAMPERED CRA-3020", "INTACT 4/0", "TAMPERED CRA-3020 3/0"),
        "rolled-back-unsigned": case(rolled_back(closed()), "the same without a key", "TAMPERED CRA-3020", "INTACT 4/0", "TAMPERED CRA-3020 3/0", keys=[]),
        "rolled-back-without-checkpoint": case(without(rolled_back(ledger), ONE + NOTE), "an old session file and no checkpoint", "TAMPERED CRA-3020", "INTACT 4/0", "TAMPERED CRA-3020 3/3"),
        "truncated-unsigned": case(edit(unsigned, ONE + LOG, lambda x: x[:3]), "the last two events are missing, no key", "DAMAGED CRA-3010", "INTACT 4/0", "DAMAGED CRA-3010 3/0", keys=[]),
        "rewritten-unsigned": case(rewritten, "event 2 is altered and the chain made to fit, no key", "TAMPERED CRA-3020", "INTACT 4/0", "TAMPERED CRA-3020 5/0", keys=[]),
        "rewritten-and-sealed-unsigned": case(sealed, "the same, and the checkpoint made to fit", "TAMPERED CRA-3020", "INTACT 4/0", "TAMPERED CRA-3020 5/0", keys=[]),
        "all-rewritten-unsigned": case(unsigned, "a whole ledger without signatures in the place of a signed one", "TAMPERED CRA-3013", "TAMPERED CRA-3013 4/4", "TAMPERED CRA-3013 5/5"),
        "all-rewritten-other-key": case(closed(B).files(), "a whole ledger signed by another key", "TAMPERED CRA-3013", "TAMPERED CRA-3013 4/4", "TAMPERED CRA-3013 5/5"),
        "all-checkpoints-deleted": case(without(files, ONE + NOTE, JOURNAL_NOTE), "no checkpoint is left: no journal event is attested", "UNLISTED CRA-3022", "INTACT 4/4", "UNLISTED CRA-3022 5/5"),
        "sessions-swapped": case(logs_swapped, "two session files under each other's name", "TAMPERED CRA-3005", "INTACT 6/0", "TAMPERED CRA-3005 0/0", "TAMPERED CRA-3005 0/0"),
        "sessions-swapped-with-checkpoints": case(all_swapped, "their checkpoints, too", "TAMPERED CRA-3014", "INTACT 6/0", "TAMPERED CRA-3014 0/0", "TAMPERED CRA-3014 0/0"),
        "checkpoint-of-another-session": case(pair | {ONE + NOTE: pair[TWO + NOTE]}, "a genuine checkpoint under the wrong name", "TAMPERED CRA-3014", "INTACT 6/0", "TAMPERED CRA-3014 5/5", "INTACT 3/0"),
        "checkpoint-of-the-journal": case(files | {ONE + NOTE: files[JOURNAL_NOTE]}, "the journal's checkpoint in the place of the session's", "TAMPERED CRA-3014", "INTACT 4/0", "TAMPERED CRA-3014 5/5"),
        "checkpoint-of-another-ledger": case(files | {ONE + NOTE: signed(note_text(ledger.chains[ONE], OTHER_LEDGER), A)}, "the origin names another ledger", "TAMPERED CRA-3014", "INTACT 4/0", "TAMPERED CRA-3014 5/5"),
        "planted-session": case(files | plant, "a session that the journal does not list", "UNLISTED CRA-3022", "INTACT 4/0", "INTACT 5/0", "UNLISTED CRA-3022 3/3"),
        "planted-session-sealed": case(files | plant | {TWO + NOTE: planted.notes[TWO + NOTE]}, "with a checkpoint that nobody signed", "TAMPERED CRA-3013", "INTACT 4/0", "INTACT 5/0", "TAMPERED CRA-3013 3/3"),
        "planted-session-unsigned": case(unsigned | plant | {TWO + NOTE: planted.notes[TWO + NOTE]}, "the same without a key", "UNLISTED CRA-3022", "INTACT 4/0", "INTACT 5/0", "UNLISTED CRA-3022 3/0", keys=[]),
        "session-of-another-ledger": case(files | copy, "a session of another ledger, signed by the same key", "TAMPERED CRA-3014", "INTACT 4/0", "INTACT 5/0", "TAMPERED CRA-3014 2/2"),
        "session-named-otherwise": case(files | {"notes.trace.jsonl": b"hello\n"}, "a file whose name is not an id is judged all the same", "DAMAGED CRA-3001", "INTACT 4/0", "INTACT 5/0", more={"notes": "DAMAGED CRA-3001 0/0"}),
        "worst-of-two": case(edit(ended, TWO + LOG, edited_two), "one session is damaged, the other tampered with: the worse verdict and its code", "TAMPERED CRA-3002", "INTACT 6/0", "DAMAGED CRA-3006 5/0", "TAMPERED CRA-3002 1/0"),
        "first-of-two": case(edit(edit(pair, ONE + LOG, lambda x: x[:3]), TWO + LOG, edited_two), "two are tampered with: the code of the first by id", "TAMPERED CRA-3010", "INTACT 6/0", "TAMPERED CRA-3010 3/0", "TAMPERED CRA-3002 1/0"),
    }
    # fmt: on


def checkpoint_cases() -> dict[str, Case]:
    """Section 4, with the session's checkpoint; where a key can sign the malformed text, it has."""
    ledger = brief(A)
    session = ledger.chains[ONE]
    text, files = note_text(session, LEDGER), ledger.files()
    digest = b64(tree_root(session.leaves))
    good, spare = A.line(text), digest[:-2] + chr(ord(digest[-2]) + 1) + "="
    wrong = bytearray(A.private.sign(text.encode()))
    wrong[20] ^= 1
    wrong_line = signature_line(A.name, A.id + wrong)
    torsion = torsion_point()
    mixed = encode_point(add_points(multiply(12345, BASE), torsion))

    def lines(*signatures: str) -> bytes:
        return (text + "\n" + "".join(signatures)).encode()

    # fmt: off
    malformed: list[tuple[str, str, bytes]] = [
        ("size-leading-zero", "size 02", signed(text.replace("\n2\n", "\n02\n"), A)), ("size-plus", "size +2", signed(text.replace("\n2\n", "\n+2\n"), A)),
        ("size-space", "a space behind the size", signed(text.replace("\n2\n", "\n2 \n"), A)), ("size-2-53", "size 2^53", signed(text.replace("\n2\n", "\n9007199254740992\n"), A)),
        ("size-negative", "size -2", signed(text.replace("\n2\n", "\n-2\n"), A)), ("size-arabic", "size in Arabic digits", signed(text.replace("\n2\n", "\n\u0662\n"), A)),
        ("size-missing", "no size line", signed(text.replace("\n2\n", "\n"), A)), ("root-missing", "no root line", signed(text.replace(digest + "\n", ""), A)),
        ("root-spare-bits", "the base64 has spare bits set", signed(text.replace(digest, spare), A)), ("root-without-padding", "the base64 has no padding", signed(text.replace(digest, digest[:-1]), A)),
        ("root-url-safe", "the other base64 alphabet", signed(text.replace(digest, "-_" + digest[2:]), A)), ("root-31-bytes", "a short root", signed(text.replace(digest, b64(tree_root(session.leaves)[:31])), A)),
        ("root-hexadecimal", "the root in hexadecimal", signed(text.replace(digest, tree_root(session.leaves).hex()), A)),
        ("last-lf-missing", "the last line has no LF", lines(good)[:-1]), ("empty-line-missing", "no empty line", (text + good).encode()), ("empty-file", "nothing", b""), ("only-lf", "one LF", b"\n"),
        ("text-alone", "the text without its empty line", text.encode()), ("two-empty-lines", "two empty lines", (text + "\n\n" + good).encode()), ("empty-extension", "an empty extension line", signed(text + "\nx\n", A)),
        ("crlf", "lines end in CR LF", lines(good).replace(b"\n", b"\r\n")), ("cr-in-text", "a CR in the signed text", signed(text + "x\r\n", A)), ("tab-in-text", "a tab in the signed text", signed(text + "x\ty\n", A)),
        ("not-utf-8", "a byte that is not UTF-8", lines(good) + b"\xe2\x80\x94 x\xff AAAAAAAAAAA=\n"), ("seventeen-signatures", "17 signature lines", lines(*[WITNESS.line(text)] * 16, good)),
        ("hyphen", "a hyphen for the dash", lines(good.replace("\u2014", "-"))), ("two-spaces", "two spaces before the signature", lines(good.replace("cra.local ", "cra.local  "))),
        ("space-behind", "a space behind the signature", lines(good[:-1] + " \n")), ("no-key-name", "a signature line without a name", lines(good, signature_line("", WITNESS.id + bytes(64)))),
        ("plus-in-name", "a plus in a key name", lines(good, signature_line("a+b", WITNESS.id + bytes(64)))), ("no-break-space-in-name", "a Unicode space in a key name", lines(good, signature_line("a\xa0b", WITNESS.id + bytes(64)))),
        ("signature-not-base64", "another key's signature is not base64", lines(good, "\u2014 witness.example ????\n")), ("signature-spare-bits", "another key's base64 has spare bits set", lines(good, "\u2014 witness.example AAAAAAAAAAB=\n")),
        ("text-behind", "a line behind the signatures", lines(good) + b"x\n"), ("too-large", "65,537 bytes", signed(text + "x" * (65537 - len(lines(good)) - 1) + "\n", A)),
    ]
    untrusted: list[tuple[str, str, bytes, str]] = [
        ("signature-wrong", "one bit of the signature", lines(wrong_line), "CRA-3012"), ("signature-of-other-text", "a genuine signature of another checkpoint", lines(A.line(text.replace("\n2\n", "\n1\n"))), "CRA-3012"),
        ("signature-wrong-then-right", "a wrong and a right signature of the same key", lines(wrong_line, good), "CRA-3012"), ("signature-right-then-wrong", "the other way round", lines(good, wrong_line), "CRA-3012"),
        ("signature-63-bytes", "a short signature of a known key", lines(signature_line(A.name, A.id + A.private.sign(text.encode())[:63])), "CRA-3012"), ("signature-65-bytes", "a long signature of a known key", lines(signature_line(A.name, A.id + A.private.sign(text.encode()) + b"\0")), "CRA-3012"),
        ("signature-s-beyond-order", "S + L in the place of S", lines(plus_order(A, text)), "CRA-3012"), ("signature-small-order-r", "R is the identity, and the equation holds", lines(forge(A, text, (0, encode_point((0, 1))))), "CRA-3012"),
        ("signature-mixed-order-r", "R has a part of order 8: right only for those who multiply by the cofactor", lines(forge(A, text, (12345, mixed))), "CRA-3012"),
        ("signature-zeros", "64 zeros", lines(signature_line(A.name, A.id + bytes(64))), "CRA-3012"), ("signature-without-last-lf", "the signature is over the text without its last LF", lines(A.line(text[:-1])), "CRA-3012"),
        ("signature-with-empty-line", "the signature is over the text and the empty line", lines(A.line(text + "\n")), "CRA-3012"), ("signature-by-other-key-under-this-id", "another key signs under this key's id", lines(signature_line(A.name, A.id + B.private.sign(text.encode()))), "CRA-3012"),
        ("signature-stripped", "no signature line", lines(), "CRA-3013"), ("signature-of-unknown-key", "another key of the same name", lines(B.line(text)), "CRA-3013"),
        ("signature-under-other-name", "this key's id under another name", lines(good.replace("cra.local", "cra.other")), "CRA-3013"), ("signature-under-other-id", "this key's name with another id", lines(signature_line(A.name, b"\0\0\0\0" + A.private.sign(text.encode()))), "CRA-3013"),
        ("origin-before-signature", "another origin and a wrong signature: the first row of 4.1", lines(wrong_line).replace(ONE.encode(), TWO.encode()), "CRA-3014"), ("origin-and-no-signature", "another origin and no signature", lines().replace(ONE.encode(), TWO.encode()), "CRA-3014"),
        ("origin-upper-case", "the origin in capitals", signed(text.replace("cra.local", "CRA.LOCAL"), A), "CRA-3014"), ("origin-longer", "something behind the origin", signed(text.replace(ONE, ONE + "/"), A), "CRA-3014"),
    ]
    signed_lies: list[tuple[str, str, bytes, str]] = [
        ("size-over-the-file", "the key signed size 3", signed(text.replace("\n2\n", "\n3\n"), A), "2/0"), ("root-wrong", "the key signed another root", signed(text.replace(digest, b64(bytes(32))), A), "2/0"),
        ("size-0-root-wrong", "the key signed size 0 with a root that is not that of nothing", signed(text.replace("\n2\n", "\n0\n"), A), "2/2"), ("size-largest", "the key signed size 2^53 - 1", signed(text.replace("\n2\n", "\n9007199254740991\n"), A), "2/0"),
    ]
    alone = {ONE + LOG: files[ONE + LOG]}
    bad, lie = text.replace("\n2\n", "\n02\n"), text.replace(digest, b64(bytes(32)))
    cases = {
        "checkpoint-malformed-unsigned": case(brief().files() | {ONE + NOTE: signed(bad)}, "without a key a malformed checkpoint counts as size 0, which the journal's recorded head exceeds", "TAMPERED CRA-3020", "INTACT 3/0", "TAMPERED CRA-3020 2/2", keys=[]),
        "checkpoint-root-wrong-unsigned": case(brief().files() | {ONE + NOTE: signed(lie)}, "another root, no key", "DAMAGED CRA-3010", "INTACT 3/0", "DAMAGED CRA-3010 2/0", keys=[]),
        "checkpoint-signature-wrong-key-unknown": case(files | {ONE + NOTE: lines(wrong_line)}, "signatures of keys that the verifier does not know are ignored", "INTACT L0", "INTACT 3/0", "INTACT 2/0", keys=[]),
        "session-file-checkpoint-malformed": case(alone | {ONE + NOTE: signed(bad)}, "a session file on its own, its checkpoint malformed, no key", "DAMAGED CRA-3011", None, "DAMAGED CRA-3011 2/2", path=ONE + LOG, keys=[]),
        "session-file-checkpoint-of-another": case(alone | {ONE + NOTE: signed(text.replace(ONE, TWO))}, "a session file on its own, the checkpoint of another session, no key", "DAMAGED CRA-3014", None, "DAMAGED CRA-3014 2/2", path=ONE + LOG, keys=[]),
        "session-file-checkpoint-of-another-ledger": case(alone | {ONE + NOTE: signed(text.replace(LEDGER, OTHER_LEDGER))}, "a session file on its own names its ledger in event 0", "DAMAGED CRA-3014", None, "DAMAGED CRA-3014 2/2", path=ONE + LOG, keys=[]),
        "session-file-key-missing": case(alone | {ONE + NOTE: lines()}, "a session file on its own, expected to be signed", "TAMPERED CRA-3013", None, "TAMPERED CRA-3013 2/2", path=ONE + LOG),
    }
    # fmt: on
    for name, why, note in malformed:
        cases["checkpoint-" + name] = case(
            files | {ONE + NOTE: note},
            why,
            "TAMPERED CRA-3011",
            "INTACT 3/0",
            "TAMPERED CRA-3011 2/2",
        )
    for name, why, note, code in untrusted:
        cases["checkpoint-" + name] = case(
            files | {ONE + NOTE: note},
            why,
            f"TAMPERED {code}",
            "INTACT 3/0",
            f"TAMPERED {code} 2/2",
        )
    for name, why, note, counts in signed_lies:
        cases["checkpoint-" + name] = case(
            files | {ONE + NOTE: note},
            why,
            "TAMPERED CRA-3010",
            "INTACT 3/0",
            f"TAMPERED CRA-3010 {counts}",
        )
    return cases


def blob_cases() -> dict[str, Case]:
    def stored(change: Callable[[bytes, bytes], tuple[dict[str, Any], Files]]) -> Files:
        """The running session and an event whose artifact is what `change` makes of its salt and the stored bytes."""
        ledger, data = running(A), b'["x"]'
        session = ledger.chains[ONE]
        salt = sha256(ONE.encode(), bytes([5]))[:16]
        told, blobs = change(salt, data)
        session.add("action.executed", artifacts=[artifact(**told)])
        ledger.barrier(session)
        return ledger.files() | blobs

    def named(blob_id: str, uri: str | None = None) -> dict[str, Any]:
        return {"sha256": blob_id, "uri": uri or "blobs/" + blob_id}

    covered, uncovered, unsigned = with_blob(A), with_blob(A, covered=False), with_blob()
    (name,) = covered.chains[ONE].blobs
    leaves = pruned_with_blob()
    no_leaves = without(gone(leaves.files()), *leaves.journal.blobs)
    # fmt: off
    rows: list[tuple[str, str, Files]] = [
        ("missing", "the blob is gone", without(covered.files(), name)), ("altered", "one byte more", covered.files() | {name: b'["a large result"] '}), ("emptied", "an empty blob", covered.files() | {name: b""}),
        ("uri-climbs", "a uri that leaves the folder", stored(lambda _, data: (named("../x"), {"x": data}))), ("uri-of-another", "the uri names another file than the hash", stored(lambda salt, data: (named(sha256(salt, data).hex(), "blobs/x"), {"blobs/x": data}))),
        ("id-without-salt", "the id is the hash of the bytes alone", stored(lambda _, data: (named(sha256(data).hex()), {"blobs/" + sha256(data).hex(): data}))),
        ("id-upper-case", "the id in capitals", stored(lambda salt, data: (named(sha256(salt, data).hex().upper()), {"blobs/" + sha256(salt, data).hex().upper(): data}))), ("folder", "the uri is the folder", stored(lambda *_: (named("", "blobs/"), {}))),
    ]
    cases = {f"blob-{label}": case(files, why, "TAMPERED CRA-3024", "INTACT 4/0", "TAMPERED CRA-3024 6/0") for label, why, files in rows}
    return cases | {
        "blob-missing-uncovered": case(without(uncovered.files(), name), "the blob of an event behind the checkpoint", "DAMAGED CRA-3024", "INTACT 3/0", "DAMAGED CRA-3024 6/3"),
        "blob-missing-unsigned": case(without(unsigned.files(), name), "the blob is gone, no key", "DAMAGED CRA-3024", "INTACT 4/0", "DAMAGED CRA-3024 6/0", keys=[]),
        "blob-missing-in-the-journal": case(no_leaves, "the leaves of a pruned session are gone", "TAMPERED CRA-3024", "TAMPERED CRA-3024 5/0", "INTACT 0/0"),
    }
    # fmt: on


def journal_cases() -> dict[str, Case]:
    ledger = closed(A)
    files, unsigned, tail = ledger.files(), closed().files(), running(A).files()
    text = note_text(ledger.journal, LEDGER)
    old = {JOURNAL_NOTE: signed(note_text(ledger.journal, LEDGER, 3), A)}
    older = edit(files, JOURNAL_LOG, lambda lines: lines[:3])
    guest = Ledger()
    guest.start(TWO).add("carp.request.received")
    guest.chains[TWO].add("carp.resolution.completed")
    plant = {TWO + LOG: guest.files()[TWO + LOG]}
    back = rolled_back(ledger)
    opened, first = ledger.head(guest.chains[TWO]), ledger.head(ledger.chains[ONE], 3)
    unopened = closed(A)
    unopened.record("ledger.recovered", {"unattested": [1, 1]})
    unheaded = closed(A)
    unheaded.record("ledger.recovered", {"unattested": [2, 3]})
    backward = closed(A)
    backward.record("ledger.recovered", {"unattested": [3, 1]})
    self_redacted = edit(files, JOURNAL_LOG, at(2, redact))

    def journal(change: Callable[[list[bytes]], list[bytes]]) -> Files:
        return edit(files, JOURNAL_LOG, change)

    def remade(index: int, **members: Any) -> Files:
        return journal(at(index, lambda line: remake(line, **members)))

    # fmt: off
    cases = {
        "journal-deleted": case(without(files, JOURNAL_LOG), "its checkpoint is still there", "TAMPERED CRA-3010", "TAMPERED CRA-3010 0/0", "UNLISTED CRA-3022 5/0"),
        "journal-and-checkpoint-deleted": case(without(files, JOURNAL_LOG, JOURNAL_NOTE), "no session is listed", "UNLISTED CRA-3022", "INTACT 0/0", "UNLISTED CRA-3022 5/0"),
        "journal-checkpoint-deleted": case(without(files, JOURNAL_NOTE), "no journal event is attested", "UNLISTED CRA-3022", "INTACT 4/4", "UNLISTED CRA-3022 5/0"),
        "all-deleted-but-the-journal-checkpoint": case({JOURNAL_NOTE: files[JOURNAL_NOTE]}, "a checkpoint that covers a journal which is gone", "TAMPERED CRA-3010", "TAMPERED CRA-3010 0/0"),
        "journal-emptied": case(files | {JOURNAL_LOG: b""}, "an empty journal", "TAMPERED CRA-3010", "TAMPERED CRA-3010 0/0", "UNLISTED CRA-3022 5/0"),
        "journal-truncated": case(older, "the last event is missing", "TAMPERED CRA-3010", "TAMPERED CRA-3010 3/0", "INTACT 5/0"),
        "journal-truncated-unsigned": case(edit(unsigned, JOURNAL_LOG, lambda lines: lines[:3]), "the same without a key", "DAMAGED CRA-3010", "DAMAGED CRA-3010 3/0", "INTACT 5/0", keys=[]),
        "journal-edited": case(journal(at(1, sub(b'"size":1', b'"size":2'))), "the event that lists the session", "TAMPERED CRA-3002", "TAMPERED CRA-3002 1/0", "UNLISTED CRA-3022 5/0"),
        "journal-edited-unsigned": case(edit(unsigned, JOURNAL_LOG, at(3, sub(b'"size":5', b'"size":4'))), "the last event, no key", "DAMAGED CRA-3002", "DAMAGED CRA-3002 3/0", "INTACT 5/0", keys=[]),
        "journal-event-deleted": case(journal(lambda x: [*x[:2], *x[3:]]), "event 2 is missing", "TAMPERED CRA-3004", "TAMPERED CRA-3004 2/0", "INTACT 5/0"),
        "journal-rewritten": case(journal(lambda x: rechain([x[0], x[1], remake(x[2], body=b"{}"), x[3]])), "event 2 is altered, and the chain made to fit", "TAMPERED CRA-3010", "TAMPERED CRA-3010 4/0", "INTACT 5/0"),
        "journal-event-0-type": case(remade(0, event_type="session.started"), "event 0 is not journal.opened", "TAMPERED CRA-3005", "TAMPERED CRA-3005 0/0", "UNLISTED CRA-3022 5/0"),
        "journal-trace-id": case(remade(0, trace_id=ONE), "session_id and trace_id differ", "TAMPERED CRA-3005", "TAMPERED CRA-3005 0/0", "UNLISTED CRA-3022 5/0"),
        "journal-damaged-tail": case(tail | {JOURNAL_LOG: tail[JOURNAL_LOG] + b"hello\n"}, "a line that is no event, behind the checkpoint", "DAMAGED CRA-3001", "DAMAGED CRA-3001 3/0", "INTACT 5/2"),
        "journal-of-another-ledger": case(files | Ledger(A, ledger_id=OTHER_LEDGER).files(), "a genuine journal of another ledger", "TAMPERED CRA-3014", "INTACT 1/0", "TAMPERED CRA-3014 5/5"),
        "journal-line-redacted": case(self_redacted, "a redacted line of the journal itself", "TAMPERED CRA-3023", "TAMPERED CRA-3023 4/0", "INTACT 5/0"),
        "journal-checkpoint-malformed": case(files | {JOURNAL_NOTE: signed(text.replace("\n4\n", "\n04\n"), A)}, "it counts as size 0", "TAMPERED CRA-3011", "TAMPERED CRA-3011 4/4", "UNLISTED CRA-3022 5/0"),
        "journal-checkpoint-malformed-unsigned": case(unsigned | {JOURNAL_NOTE: b"hello"}, "the same without a key", "DAMAGED CRA-3011", "DAMAGED CRA-3011 4/4", "UNLISTED CRA-3022 5/0", keys=[]),
        "journal-checkpoint-of-a-session": case(files | {JOURNAL_NOTE: files[ONE + NOTE]}, "another origin", "TAMPERED CRA-3014", "TAMPERED CRA-3014 4/4", "UNLISTED CRA-3022 5/0"),
        "journal-checkpoint-signature-wrong": case(files | {JOURNAL_NOTE: signed(text).replace(b"\n\n", b"\n\n" + A.line(text + "x").encode())}, "another text was signed", "TAMPERED CRA-3012", "TAMPERED CRA-3012 4/4", "UNLISTED CRA-3022 5/0"),
        "journal-checkpoint-stripped": case(files | {JOURNAL_NOTE: signed(text)}, "no signature line", "TAMPERED CRA-3013", "TAMPERED CRA-3013 4/4", "UNLISTED CRA-3022 5/0"),
        "journal-checkpoint-rolled-back": case(files | old, "the checkpoint as it once was: the event behind it is not attested", "INTACT L1", "INTACT 4/1", "INTACT 5/0"),

        "recovered-names-the-opening": case(unopened.files(), "the event that lists the session is named unattested", "UNLISTED CRA-3022", "INTACT 5/0", "UNLISTED CRA-3022 5/0"),
        "recovered-names-heads": case({**rolled_back(unheaded, 1), JOURNAL_LOG: unheaded.files()[JOURNAL_LOG]}, "both ends of a range are in it: of the heads only that of size 1 is left", "INTACT L1", "INTACT 5/0", "INTACT 1/0"),
        "recovered-range-backward": case(backward.files(), "a range from 3 to 1 names nothing", "INTACT L1", "INTACT 5/0", "INTACT 5/0"),

        "redacted-not-recorded": case(edit(files, ONE + LOG, at(2, redact)), "the journal records no redaction", "TAMPERED CRA-3023", "INTACT 4/0", "TAMPERED CRA-3023 5/0"),
        "redacted-not-recorded-unsigned": case(edit(unsigned, ONE + LOG, at(2, redact)), "the same without a key", "DAMAGED CRA-3023", "INTACT 4/0", "DAMAGED CRA-3023 5/0", keys=[]),
        "redacted-not-recorded-uncovered": case(edit(tail, ONE + LOG, at(4, redact)), "behind the checkpoint", "TAMPERED CRA-3023", "INTACT 3/0", "TAMPERED CRA-3023 5/2"),
        "redacted-other-hash": case(redacted(A, event_hash="0" * 64), "the journal records another hash", "TAMPERED CRA-3023", "INTACT 5/0", "TAMPERED CRA-3023 5/0"),
        "redacted-other-sequence": case(redacted(A, sequence=3), "the journal records another sequence", "TAMPERED CRA-3023", "INTACT 5/0", "TAMPERED CRA-3023 5/0"),
        "redacted-other-session": case(redacted(A, session_id=TWO), "the journal records another session", "TAMPERED CRA-3023", "INTACT 5/0", "TAMPERED CRA-3023 5/0"),
        "redacted-uncovered-record": case(redacted(A, covered=False), "the journal's checkpoint does not cover the record", "TAMPERED CRA-3023", "INTACT 5/1", "TAMPERED CRA-3023 5/0"),
        "redacted-uncovered-record-unsigned": case(redacted(covered=False), "the same without a key", "DAMAGED CRA-3023", "INTACT 5/1", "DAMAGED CRA-3023 5/0", keys=[]),
        "redacted-and-edited": case(edit(redacted(A), ONE + LOG, at(2, sub(b'"info"', b'"warn"'))), "the header of a redacted line", "TAMPERED CRA-3003", "INTACT 5/0", "TAMPERED CRA-3003 2/0"),
        "redacted-session-file": case({ONE + LOG: redacted(A)[ONE + LOG], ONE + NOTE: files[ONE + NOTE]}, "on its own, with nothing to allow it", "TAMPERED CRA-3023", None, "TAMPERED CRA-3023 5/0", path=ONE + LOG),

        "pruned-uncovered": case(gone(pruned(A, covered=False).files()), "the journal's checkpoint does not cover the pruning", "TAMPERED CRA-3021", "INTACT 5/1", "TAMPERED CRA-3021 0/0"),
        "pruned-another-session": case(gone(pruned(A, session_id=TWO).files()), "another session was pruned", "TAMPERED CRA-3021", "INTACT 5/0", "TAMPERED CRA-3021 0/0"),
        "pruned-and-edited": case(edit(pruned(A).files(), ONE + LOG, at(2, sub(b'{"n":2}', b'{"n":9}'))), "a pruned session whose files are there is verified", "TAMPERED CRA-3002", "INTACT 5/0", "TAMPERED CRA-3002 2/0"),

        "head-of-a-longer-journal": case(older | old, "the journal and its checkpoint are rolled back", "TAMPERED CRA-3030", "TAMPERED CRA-3030 3/0", "INTACT 5/0", head=head(ledger, 4)),
        "head-root-differs": case(files, "another journal of the same id", "TAMPERED CRA-3030", "TAMPERED CRA-3030 4/0", "INTACT 5/0", head=head(ledger, 4, digest="0" * 64)),
        "head-root-differs-unsigned": case(unsigned, "the same without a key", "TAMPERED CRA-3030", "TAMPERED CRA-3030 4/0", "INTACT 5/0", head=head(ledger, 2, digest="0" * 64), keys=[]),
        "head-of-another-ledger": case(files, "the ledger was begun anew", "TAMPERED CRA-3031", "TAMPERED CRA-3031 4/0", "INTACT 5/0", head=head(ledger, 4, OTHER_LEDGER)),
        "head-and-nothing": case({}, "everything was deleted", "TAMPERED CRA-3030", "TAMPERED CRA-3030 0/0", head=head(ledger, 4)),
        "head-and-an-edited-journal": case(journal(at(3, sub(b'"size":5', b'"size":4'))), "the code of the first row that applies", "TAMPERED CRA-3002", "TAMPERED CRA-3002 3/0", "INTACT 5/0", head=head(ledger, 4)),
    }
    forged: list[tuple[str, str, str, dict[str, Any], Files, str, tuple[str, ...]]] = [
        ("lists", "lists a planted session", "journal.session_opened", opened, plant, "UNLISTED CRA-3022", ("INTACT 5/0", "UNLISTED CRA-3022 3/3")),
        ("prunes", "prunes a session that then was deleted", "journal.pruned", ledger.pruned(ledger.chains[ONE]), {}, "TAMPERED CRA-3021", ("TAMPERED CRA-3021 0/0",)),
        ("redacts", "redacts an event", "journal.redacted", ledger.redacted(ledger.chains[ONE], 2), {ONE + LOG: redacted(A)[ONE + LOG]}, "TAMPERED CRA-3023", ("TAMPERED CRA-3023 5/0",)),
        ("rewinds", "records an older head for a session that then was rolled back", "journal.checkpoint", first, {name: back[name] for name in (ONE + LOG, ONE + NOTE)}, "TAMPERED CRA-3020", ("TAMPERED CRA-3020 3/0",)),
        ("recovers", "names the last head unattested, for a session that then was rolled back", "ledger.recovered", {"unattested": [3, 3]}, {name: back[name] for name in (ONE + LOG, ONE + NOTE)}, "TAMPERED CRA-3020", ("TAMPERED CRA-3020 3/0",)),
    ]
    # fmt: on
    for name, why, event_type, payload, others, overall, sessions in forged:
        for recovered, counts in ((False, "5/1"), (True, "6/0")):
            made = forged_tail(event_type, payload, recovered=recovered).files() | others
            made = gone(made) if name == "prunes" else made
            label, text = ("-recovered", ", and the writer found it") if recovered else ("", "")
            cases[f"forged-event-{name}{label}"] = case(
                made,
                f"a forged event of the journal {why}{text}",
                overall,
                f"INTACT {counts}",
                *sessions,
            )
    return cases


def refused_cases() -> dict[str, Case]:
    """Nothing can be said: exit code 2, and no verdict."""
    files = brief(A).files()
    identity = vkey(encode_point((0, 1)))
    # fmt: off
    rows: list[tuple[str, str, dict[str, Any]]] = [
        ("key-weak", "a verifier key of small order", {"keys": [identity]}), ("key-malformed", "a verifier key with a wrong id", {"keys": [A.vkey.replace(A.id.hex(), "00000000")]}),
        ("key-weak-beside-a-good-one", "one refused key is enough", {"keys": [A, identity]}), ("session-unknown", "no session of that id", {"session": TWO}),
        ("head-leading-zero", "a size that begins with 0", {"head": f"{LEDGER}:03:{'0' * 64}"}), ("head-root-short", "a root of 63 digits", {"head": f"{LEDGER}:3:{'0' * 63}"}),
        ("path-missing", "no such file", {"path": "nothing.trace.jsonl"}), ("path-missing-folder", "no such directory", {"path": "nothing"}),
    ]
    # fmt: on
    return {name: case(files, why, "REFUSED", None, **options) for name, why, options in rows}


def nothing_cases() -> dict[str, Case]:
    """INTACT would be about nothing, or the path cannot be read: exit code 2."""
    ledger = closed(A)
    files, bundle = ledger.files(), bundled(ledger)
    empty = Chain("journal", LEDGER, LEDGER)
    guest = closed(A)
    guest.record("journal.checkpoint", guest.head(guest.chains[ONE], 1) | {"session_id": TWO})
    opened = {"journal.proof": proof(ledger.journal, 0, ledger.notes[JOURNAL_NOTE])}
    twice = archive(bundle | {"journal.prooF": bundle["journal.proof"]})
    # fmt: off
    rows: list[tuple[str, str, Files, dict[str, Any]]] = [
        ("folder-empty", "a directory with nothing in it", {}, {"keys": []}), ("folder-empty-key", "and a key is known", {}, {}),
        ("folder-of-other-files", "no ledger, session or proof among the files", {"notes.txt": b"x", f"below/{ONE}{LOG}": files[ONE + LOG], ONE + NOTE: files[ONE + NOTE]}, {}),
        ("journal-file-empty", "a journal without an event and without a session", {JOURNAL_LOG: b""}, {"keys": []}),
        ("journal-of-no-events", "and its checkpoint of size 0", {JOURNAL_LOG: b"", JOURNAL_NOTE: signed(note_text(empty, LEDGER), A)}, {}),
        ("bundle-without-a-session", "a valid proof, of an event that names no session", opened, {}),
        ("session-option-unlisted", "the journal mentions the session that is asked for and does not list it", guest.files(), {"session": TWO}),
    ]
    zips: list[tuple[str, str, bytes]] = [
        ("empty", "a zip file with nothing in it", archive({})), ("of-other-files", "no session or proof among the files", archive({"notes.txt": b"x"})),
        ("in-a-folder", "the bundle in a folder of its own", archive({f"session/{name}": data for name, data in bundle.items()})),
        ("with-a-journal", "a bundle and a journal", archive(bundle | {JOURNAL_LOG: files[JOURNAL_LOG]})), ("of-a-ledger", "a whole ledger", archive(files)),
        ("bzip2", "entries compressed with bzip2", archive(bundle, zipfile.ZIP_BZIP2)), ("name-twice", "journal.proof is there twice", twice.replace(b"journal.prooF", b"journal.proof")),
        ("altered", "a byte of the session is not what its checksum says", archive(bundle).replace(b'{"n":2}', b'{"n":9}')), ("altered-beside", "a byte of a file that nobody looks at", archive(bundle | {"notes.txt": b"hello"}).replace(b"hello", b"hallo")),
        ("altered-line", "a line that is none, and the checksum of the one that was", archive(bundle).replace(b'{"actor"', b'["actor"')),
        ("truncated", "the first half of the file", archive(bundle)[: len(archive(bundle)) // 2]), ("is-none", "text under the name of a zip file", b"hello\n"),
    ]
    # fmt: on
    rows += [(f"zip-{name}", why, {"b.zip": data}, {"path": "b.zip"}) for name, why, data in zips]
    return {name: case(made, why, "REFUSED", None, **options) for name, why, made, options in rows}


# Section 8


def bundled(ledger: Ledger, index: int | None = None) -> Files:
    """The first session of a ledger and the proof that the journal holds its head."""
    index = len(ledger.journal.lines) - 1 if index is None else index
    session = ledger.chains[ONE]
    held = {
        name: data for name, data in ledger.files().items() if name.startswith(ONE)
    } | session.blobs
    return held | {"journal.proof": proof(ledger.journal, index, ledger.notes[JOURNAL_NOTE])}


def bundle_cases() -> dict[str, Case]:
    ledger = closed(A)
    files, unsigned = bundled(ledger), bundled(closed())
    told = closed(A)
    told.record("journal.redacted", told.redacted(told.chains[ONE], 2))
    blacked = edit(bundled(told, 3), ONE + LOG, at(2, redact))
    allowed = {"redaction-2.proof": proof(told.journal, 4, told.notes[JOURNAL_NOTE])}
    other = closed(A)
    other.record("journal.redacted", other.redacted(other.chains[ONE], 3))
    not_allowed = {"redaction-2.proof": proof(other.journal, 4, other.notes[JOURNAL_NOTE])}
    both = two(A)
    wrong_session = bundled(both) | {ONE + LOG: files[ONE + LOG]}
    blob = with_blob(A)
    back = {name: rolled_back(ledger)[name] for name in (ONE + LOG, ONE + NOTE)}
    note = ledger.notes[JOURNAL_NOTE]
    broken = proof(ledger.journal, 3, note).replace(
        b64(tree_path(3, ledger.journal.leaves)[0]).encode(), b64(bytes(32)).encode()
    )
    guest = Ledger(A)
    guest.start(TWO).add("journal.session_closed", ledger.head(ledger.chains[ONE], 3))
    guest.seal(guest.chains[TWO])
    from_session = proof(guest.chains[TWO], 1, guest.notes[TWO + NOTE])
    stranger = Ledger(A, ledger_id=OTHER_LEDGER)
    stranger.record("journal.session_closed", ledger.head(ledger.chains[ONE]))
    # fmt: off
    return {
        "bundle": case(files, "a session and the proof of its head", "INTACT L1", "INTACT", "INTACT 5/0"),
        "bundle-zip": case({"session.zip": archive(files)}, "the same in a zip", "INTACT L1", "INTACT", "INTACT 5/0", path="session.zip"),
        "bundle-key-unknown": case(files, "the verifier knows no key", "INTACT L0", "INTACT", "INTACT 5/0", keys=[]),
        "bundle-unsigned": case(unsigned, "nobody signed", "INTACT L0", "INTACT", "INTACT 5/0", keys=[]),
        "bundle-of-an-older-head": case(bundled(ledger, 2), "the proof is of a head below the checkpoint", "INTACT L1", "INTACT", "INTACT 5/0"),
        "bundle-with-blob": case(bundled(blob), "the blob is in it", "INTACT L1", "INTACT", "INTACT 6/0"),
        "bundle-redacted": case(blacked | allowed, "a redacted line and the proof that allows it", "INTACT L1", "INTACT", "INTACT 5/0 redacted=1"),
        "bundle-other-files": case(files | {"verifier.txt": b"x", "key.txt": b"x"}, "what travels with it for convenience", "INTACT L1", "INTACT", "INTACT 5/0"),

        "bundle-edited": case(edit(files, ONE + LOG, at(2, sub(b'{"n":2}', b'{"n":9}'))), "event 2 is altered", "TAMPERED CRA-3002", "INTACT", "TAMPERED CRA-3002 2/0"),
        "bundle-edited-unsigned": case(edit(unsigned, ONE + LOG, at(2, sub(b'{"n":2}', b'{"n":9}'))), "the same without a key", "DAMAGED CRA-3002", "INTACT", "DAMAGED CRA-3002 2/0", keys=[]),
        "bundle-rolled-back": case(files | back, "session file and checkpoint as they once were", "TAMPERED CRA-3020", "INTACT", "TAMPERED CRA-3020 3/0"),
        "bundle-stripped": case(files | {ONE + NOTE: signed(note_text(ledger.chains[ONE], LEDGER))}, "the session's checkpoint is not signed", "TAMPERED CRA-3013", "INTACT", "TAMPERED CRA-3013 5/5"),
        "bundle-session-missing": case({"journal.proof": files["journal.proof"]}, "the proof alone", "TAMPERED CRA-3021", "INTACT", "TAMPERED CRA-3021 0/0"),
        "bundle-of-another-session": case(wrong_session, "the proof is of another session's head", "TAMPERED CRA-3021", "INTACT", "UNLISTED CRA-3022 5/0", "TAMPERED CRA-3021 0/0"),
        "bundle-of-another-ledger": case(files | {"journal.proof": proof(stranger.journal, 1, stranger.notes[JOURNAL_NOTE])}, "the journal of another ledger, signed by the same key", "TAMPERED CRA-3014", "INTACT", "TAMPERED CRA-3014 5/5"),
        "bundle-redaction-not-proved": case(blacked, "a redacted line and no proof", "TAMPERED CRA-3023", "INTACT", "TAMPERED CRA-3023 5/0"),
        "bundle-redaction-of-another-event": case(edit(bundled(other, 3), ONE + LOG, at(2, redact)) | not_allowed, "the proof is of another redaction", "TAMPERED CRA-3023", "INTACT", "TAMPERED CRA-3023 5/0"),
        "bundle-blob-missing": case(without(bundled(blob), *blob.chains[ONE].blobs), "the blob is gone", "TAMPERED CRA-3024", "INTACT", "TAMPERED CRA-3024 6/0"),
        "bundle-proof-broken": case(files | {"journal.proof": broken}, "the path does not lead to the root", "BROKEN", None),
        "bundle-proof-stripped": case(files | {"journal.proof": proof(ledger.journal, 3, signed(note_text(ledger.journal, LEDGER)))}, "the journal's checkpoint is not signed", "BROKEN", None),
        "bundle-proof-malformed": case(files | {"journal.proof": b"hello"}, "no proof", "BROKEN", None),
        "bundle-proof-of-a-session": case({**files, **back, "journal.proof": from_session}, "an event of a session that looks like a head: the checkpoint is not the journal's", "BROKEN", None),
        "bundle-proof-without-head": case(bundled(told, 4), "the event proved is journal.redacted, which records no head", "BROKEN", None),
    }
    # fmt: on


def unknown_ledger_cases() -> dict[str, Case]:
    """Section 4.1: where the ledger's id cannot be read, any will do, and the rest of the origin has to fit."""
    ledger = closed(A)
    session, files = ledger.chains[ONE], ledger.files()
    alone = {name: files[name] for name in (ONE + LOG, ONE + NOTE)}
    nameless = Chain(ONE, ONE, ONE)
    nameless.add("session.started", {"boot_id": uid(0xB007)})
    foreign = {ONE + NOTE: signed(note_text(session, OTHER_LEDGER), A)}
    text = note_text(session, LEDGER).replace(ONE, TWO)
    first = always(session.lines[0])
    zipped = archive({"x": b"x"})
    blob = with_blob(A)
    (name,) = blob.chains[ONE].blobs
    listed = closed(A)
    listed.record("journal.session_opened", listed.head(session) | {"session_id": "notes"})
    # fmt: off
    return {
        "journal-event-0-of-a-session": case(edit(files, JOURNAL_LOG, at(0, first)), "the journal begins with the session's event 0", "TAMPERED CRA-3005", "TAMPERED CRA-3005 0/0", "UNLISTED CRA-3022 5/0"),
        "journal-event-0-of-another-ledger": case(edit(files, JOURNAL_LOG, at(0, always(Ledger(A, ledger_id=OTHER_LEDGER).journal.lines[0]))), "event 0 is one, of another ledger", "TAMPERED CRA-3014", "TAMPERED CRA-3014 1/1", "TAMPERED CRA-3014 5/5"),
        "no-journal-another-ledger": case(alone | foreign, "no journal says which ledger it is", "UNLISTED CRA-3022", "INTACT 0/0", "UNLISTED CRA-3022 5/0"),
        "no-journal-another-session": case(alone | {ONE + NOTE: signed(text, A)}, "the checkpoint of another session all the same", "TAMPERED CRA-3014", "INTACT 0/0", "TAMPERED CRA-3014 5/5"),
        "session-file-without-ledger-id": case({ONE + LOG: join(nameless.lines), ONE + NOTE: signed(note_text(nameless, OTHER_LEDGER), A)}, "event 0 names no ledger", "INTACT L1", None, "INTACT 1/0", path=ONE + LOG),
        "session-file-event-0-redacted": case(edit(alone, ONE + LOG, at(0, redact)) | foreign, "event 0 says nothing any more", "TAMPERED CRA-3023", None, "TAMPERED CRA-3023 5/0", path=ONE + LOG),
        "session-file-and-a-zip": case(alone | {ONE + LOG: alone[ONE + LOG] + zipped}, "a session file that a program for zip files would open", "INCOMPLETE CRA-3007 L1", None, "INCOMPLETE CRA-3007 5/0", path=ONE + LOG),
        "pruned-without-a-root": case(gone(pruned(A, root=None).files()), "a pruning that is not of its type's shape says nothing", "TAMPERED CRA-3021", "INTACT 5/0", "TAMPERED CRA-3021 0/0"),
        "opened-without-an-id": case(listed.files(), "an opening whose session_id is no id says nothing", "INTACT L1", "INTACT 5/0", "INTACT 5/0"),
        "blob-is-a-folder": case(without(blob.files(), name) | {name + "/x": b"x"}, "a directory in the place of the blob", "TAMPERED CRA-3024", "INTACT 4/0", "TAMPERED CRA-3024 6/0"),
    }
    # fmt: on


def bundle_proof_cases() -> dict[str, Case]:
    """What stands for the journal in a bundle, and what else may be in one."""
    ledger, both, still = closed(A), two(A), Ledger(A)
    files, note = bundled(ledger), ledger.notes[JOURNAL_NOTE]
    still.start(TWO)
    second = {name: data for name, data in both.files().items() if name.startswith(TWO)}
    newborn = {TWO + LOG: still.files()[TWO + LOG]}
    good = files["journal.proof"]
    broken = good.replace(
        b64(tree_path(3, ledger.journal.leaves)[0]).encode(), b64(bytes(32)).encode()
    )
    unsigned = proof(ledger.journal, 3, signed(note_text(ledger.journal, LEDGER)))
    of_session = proof(ledger.chains[ONE], 4, ledger.notes[ONE + NOTE])
    edited = b64(sub(b'"size":5', b'"size":4')(ledger.journal.lines[3]))
    large = good + "\u2014 x ".encode() + b64(bytes(200_000)).encode() + b"\n"

    def zipped(contents: Files) -> Files:
        return {"b.zip": archive(contents)}

    # fmt: off
    cases = {
        "bundle-two-sessions": case(files | second, "a session that the proof does not name", "UNLISTED CRA-3022", "INTACT", "INTACT 5/0", "UNLISTED CRA-3022 3/0"),
        "bundle-two-sessions-zip": case(zipped(files | second), "the same in a zip file", "UNLISTED CRA-3022", "INTACT", "INTACT 5/0", "UNLISTED CRA-3022 3/0", path="b.zip"),
        "bundle-second-session-of-one-event": case(zipped(files | newborn), "the second has one event", "STILLBORN L1", "INTACT", "INTACT 5/0", "STILLBORN 1/1", path="b.zip"),
        "bundle-session-named-otherwise": case(zipped(files | {"notes.trace.jsonl": b"hello\n"}), "a session file whose name is not an id", "DAMAGED CRA-3001", "INTACT", "INTACT 5/0", more={"notes": "DAMAGED CRA-3001 0/0"}, path="b.zip"),
        "bundle-zip-without-proof": case(zipped(without(files, "journal.proof")), "no session is listed", "UNLISTED CRA-3022", "INTACT", "UNLISTED CRA-3022 5/0", path="b.zip"),
        "bundle-zip-without-proof-one-event": case(zipped(newborn), "one event that nothing lists", "STILLBORN L0", "INTACT", "", "STILLBORN 1/1", path="b.zip"),
        "bundle-proof-of-the-opening": case(bundled(ledger, 0), "a valid proof of an event that records no head", "UNLISTED CRA-3022", "INTACT", "UNLISTED CRA-3022 5/0"),
    }
    rows: list[tuple[str, str, bytes, str]] = [
        ("hello", "journal.proof is no proof", b"hello", "CRA-3033"), ("empty", "journal.proof is empty", b"", "CRA-3033"), ("path", "its hashes do not lead to the root", broken, "CRA-3033"),
        ("index", "its index is not the sequence", good.replace(b"index 3", b"index 2"), "CRA-3033"), ("prefix", "a valid consistency proof in its place", prefix(ledger.journal, 2, note), "CRA-3033"),
        ("line", "its line is altered", good.replace(b64(ledger.journal.lines[3]).encode(), edited.encode()), "CRA-3002"), ("note", "its checkpoint is malformed", good.replace(b"\n4\n", b"\n04\n"), "CRA-3011"),
        ("session", "a valid proof of an event of the session", of_session, "CRA-3014"), ("stripped", "nobody signed its checkpoint", unsigned, "CRA-3013"), ("large", "more than 262,144 bytes", large, "CRA-3033"),
        ("other-key", "another key signed its checkpoint", proof(ledger.journal, 3, signed(note_text(ledger.journal, LEDGER), B)), "CRA-3013"),
        ("signature", "another text was signed", proof(ledger.journal, 3, (note_text(ledger.journal, LEDGER) + "\n" + A.line("x")).encode()), "CRA-3012"),
    ]
    # fmt: on
    for name, why, data, code in rows:
        found = f"TAMPERED {code}"
        cases[f"bundle-head-{name}"] = case(
            files | {"journal.proof": data}, why, found, found, "UNLISTED CRA-3022 5/0"
        )
    cases["bundle-head-hello-unsigned"] = case(
        bundled(closed()) | {"journal.proof": b"hello"},
        "journal.proof is no proof, and no key is known",
        "DAMAGED CRA-3033",
        "DAMAGED CRA-3033",
        "UNLISTED CRA-3022 5/0",
        keys=[],
    )
    return cases


def prefix_proofs() -> list[tuple[str, str, bytes, list[Key], str | None, str | None]]:
    """Consistency proofs of a journal of six events: name, description, file, keys, level, code."""
    ledger = two(A)
    journal, note = ledger.journal, ledger.notes[JOURNAL_NOTE]
    good, text = prefix(journal, 3, note), note_text(ledger.journal, LEDGER)
    path = [b64(item) for item in tree_prefix(3, journal.leaves)]
    root = tree_root(journal.leaves[:3]).hex()
    session = signed(note_text(ledger.chains[ONE], LEDGER), A)

    def changed(old: str, new: str) -> bytes:
        return sub(old.encode(), new.encode())(good)

    # fmt: off
    bad: list[tuple[str, str, bytes, str]] = [
        ("root-other", "another old root", changed(root, "0" * 64), "CRA-3033"), ("size-other", "another old size", changed(":3:", ":2:"), "CRA-3033"),
        ("size-beyond", "an old size of seven", changed(":3:", ":7:"), "CRA-3033"), ("size-0", "an old size of 0", changed(":3:", ":0:"), "CRA-3033"),
        ("size-leading-zero", "size 03", changed(":3:", ":03:"), "CRA-3033"), ("root-upper-case", "the old root in capitals", changed(root, root.upper()), "CRA-3033"),
        ("hash-altered", "a hash is zeros", changed(path[1], b64(bytes(32))), "CRA-3033"), ("hash-missing", "the last hash is missing", changed(path[-1] + "\n", ""), "CRA-3033"),
        ("hash-too-many", "one hash more", changed(path[-1] + "\n", path[-1] + "\n" + path[-1] + "\n"), "CRA-3033"), ("hashes-swapped", "from the root downwards", changed("\n".join(path), "\n".join(reversed(path))), "CRA-3033"),
        ("hashes-all-missing", "no hashes", changed("\n".join([*path, ""]), ""), "CRA-3033"), ("whole-and-a-hash", "the same size and a hash", sub(b"\n\n", b"\n" + path[0].encode() + b"\n\n")(prefix(journal, 6, note)), "CRA-3033"),
        ("old-missing", "no old line", changed(f"old cra:{LEDGER}:3:{root}\n", ""), "CRA-3033"), ("title-other", "another version", changed("@v1", "@v2"), "CRA-3033"), ("crlf", "lines end in CR LF", good.replace(b"\n", b"\r\n"), "CRA-3033"),
        ("of-another-ledger", "the old head is of another ledger", changed(f"cra:{LEDGER}", f"cra:{OTHER_LEDGER}"), "CRA-3014"), ("to-a-session", "the checkpoint of a session", prefix(journal, 3, session), "CRA-3014"),
        ("stripped", "nobody signed, and a key is known", prefix(journal, 3, signed(text)), "CRA-3013"), ("signature-wrong", "another text was signed", prefix(journal, 3, (text + "\n" + A.line(text + "x")).encode()), "CRA-3012"),
        ("note-missing", "the file ends behind the hashes", good.partition(b"\n\n")[0] + b"\n\n", "CRA-3011"),
    ]
    # fmt: on
    rows: list[tuple[str, str, bytes, list[Key], str | None, str | None]] = [
        (
            f"prefix-{size}-of-6",
            f"the first {size} of six",
            prefix(journal, size, note),
            [A],
            "L1",
            None,
        )
        for size in range(1, 7)
    ]
    rows += [("prefix-key-unknown", "the verifier knows no key", good, [], "L0", None)]
    return rows + [(f"prefix-{name}", why, data, [A], None, code) for name, why, data, code in bad]


def proofs() -> Files:
    ledger = closed(A)
    session, journal = ledger.chains[ONE], ledger.journal
    note, journal_note = ledger.notes[ONE + NOTE], ledger.notes[JOURNAL_NOTE]
    text = note_text(session, LEDGER)
    good, single = proof(session, 2, note), Ledger(A)
    path = [b64(item) for item in tree_path(2, session.leaves)]
    edited = b64(sub(b'{"n":2}', b'{"n":9}')(session.lines[2]))
    extra = b64(session.lines[2])
    other = signed(text.replace(b64(tree_root(session.leaves)), b64(bytes(32))), A)
    wrong = (text + "\n" + A.line(text + "x")).encode()

    def changed(old: str, new: str) -> bytes:
        return sub(old.encode(), new.encode())(good)

    # fmt: off
    rows: list[tuple[str, str, bytes, list[Key], str | None]] = [
        ("session-event", "an event of a session", good, [A], "L1"), ("first-event", "event 0", proof(session, 0, note), [A], "L1"), ("last-event", "the last event, whose path is short", proof(session, 4, note), [A], "L1"),
        ("journal-event", "an event of the journal", proof(journal, 3, journal_note), [A], "L1"), ("only-event", "a tree of one leaf: no path", proof(single.journal, 0, single.notes[JOURNAL_NOTE]), [A], "L1"),
        ("older-checkpoint", "a checkpoint of size 3", proof(session, 1, signed(note_text(session, LEDGER, 3), A), 3), [A], "L1"),
        ("key-unknown", "the verifier knows no key", good, [], "L0"), ("unsigned", "nobody signed, and no key is known", proof(session, 2, signed(text)), [], "L0"),
        ("stripped", "nobody signed, and a key is known", proof(session, 2, signed(text)), [A], None), ("other-key", "another key signed", proof(session, 2, signed(text, B)), [A], None),
        ("signature-wrong", "the signature is of another text", proof(session, 2, wrong), [A], None), ("checkpoint-malformed", "the checkpoint has no empty line", good.replace(b"\n\n\xe2", b"\n\xe2"), [A], None),
        ("checkpoint-of-another-root", "the key signed another root", proof(session, 2, other), [A], None), ("checkpoint-of-another-session", "the origin names another session", proof(session, 2, signed(text.replace(ONE, TWO), A)), [A], None),
        ("checkpoint-missing", "the file ends behind the path", good.partition(b"\n\n")[0] + b"\n\n", [A], None), ("checkpoint-too-small", "size 2 and index 2", proof(session, 2, signed(note_text(session, LEDGER, 2), A)), [A], None),
        ("index-other", "the index is not the sequence", changed("index 2", "index 3"), [A], None), ("index-leading-zero", "index 02", changed("index 2", "index 02"), [A], None), ("index-missing", "no index", changed("index 2\n", ""), [A], None),
        ("extra-missing", "no extra", changed(f"extra {extra}\n", ""), [A], None), ("extra-edited", "the payload is altered", changed(extra, edited), [A], None), ("extra-with-lf", "the line has its LF", changed(extra, b64(session.lines[2] + b"\n")), [A], None),
        ("extra-not-base64", "extra is the line itself", changed(extra, session.lines[2].decode()), [A], None), ("extra-of-another-event", "the line of event 1", changed(extra, b64(session.lines[1])), [A], None),
        ("title-missing", "the first line is missing", good.partition(b"\n")[2], [A], None), ("title-other", "another version", changed("@v1", "@v2"), [A], None),
        ("hash-altered", "a hash of the path is zeros", changed(path[0], b64(bytes(32))), [A], None), ("hash-missing", "the path lacks its last hash", changed(path[-1] + "\n", ""), [A], None),
        ("hash-too-many", "the path has one hash more", changed(path[-1] + "\n", path[-1] + "\n" + path[-1] + "\n"), [A], None), ("hashes-swapped", "the path is from the root downwards", changed("\n".join(path), "\n".join(reversed(path))), [A], None),
        ("hash-of-31-bytes", "a hash is short", changed(path[0], b64(tree_path(2, session.leaves)[0][:31])), [A], None), ("empty-line-missing", "no empty line behind the path", good.replace(b"\n\n", b"\n", 1), [A], None),
        ("crlf", "lines end in CR LF", good.replace(b"\n", b"\r\n"), [A], None), ("empty", "an empty file", b"", [A], None), ("noise", "bytes that are not UTF-8", b"\xff\xfe" * 40, [A], None),
    ]
    # fmt: on
    told = [
        {
            "file": f"{name}.tlog-proof",
            "description": why,
            "keys": list(map(str, keys)),
            "valid": level is not None,
            "level": level,
        }
        for name, why, _, keys, level in rows
    ]
    made = {f"{name}.tlog-proof": data for name, _, data, _, _ in rows}
    for name, why, data, keys, level, code in prefix_proofs():
        row: dict[str, Any] = {"file": f"{name}.proof", "description": why}
        row |= {"keys": list(map(str, keys)), "valid": level is not None, "level": level}
        told.append(row | {"code": code})
        made[f"{name}.proof"] = data
    return made | {"cases.json": table(told)}


LEDGERS = (
    valid_cases,
    line_cases,
    chain_cases,
    file_cases,
    checkpoint_cases,
    blob_cases,
    journal_cases,
    refused_cases,
    nothing_cases,
    unknown_ledger_cases,
    bundle_cases,
    bundle_proof_cases,
)


def build() -> Files:
    """Every generated file, by its path below this directory."""
    files = {
        "canonical.json": canonical_json(),
        "events.json": events(),
        "keys.json": verifier_keys(),
    }
    for group in LEDGERS:
        for name, made in group().items():
            for file, data in made.written().items():
                if files.setdefault(f"ledgers/{name}/{file}", data) is not data:
                    raise ValueError(f"two cases are called {name}")
    return files | {f"proofs/{name}": data for name, data in proofs().items()}


def main() -> None:
    for folder in ("ledgers", "proofs"):
        shutil.rmtree(HERE / folder, ignore_errors=True)
    for name, data in build().items():
        (HERE / name).parent.mkdir(parents=True, exist_ok=True)
        (HERE / name).write_bytes(data)


if __name__ == "__main__":
    main()
