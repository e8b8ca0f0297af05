#!/usr/bin/env python3
"""Verify a TRACE/1.1 ledger, session, bundle or proof: sections 1 to 8 of PROTOCOL.md, from the text alone.

Exit codes: 0 it holds, 3 it does not hold, 2 it cannot be read. The layout is dense so that 400 lines hold all of it.
"""
# ruff: noqa: C901, E401, E501, E701, I001, PLR0912
# fmt: off

import sys
if __name__ == "__main__" and not sys.flags.safe_path: del sys.path[0]  # what lies beside this file is not to run
import argparse, base64, hashlib, json, os, re, zipfile, zlib
from contextlib import nullcontext
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

MAX_INT, MAX_DEPTH, INFINITY = 2**53 - 1, 128, float("inf")
MAX_HEADER, MAX_PAYLOAD, MAX_LINE, MAX_CHECKPOINT, MAX_PROOF = 16_384, 65_536, 82_053, 65_536, 262_144
CHAIN, PASSED, FAILED = ".trace.jsonl", ["INTACT", "STILLBORN", "INCOMPLETE"], ["UNLISTED", "DAMAGED", "TAMPERED"]
UNREADABLE = (OSError, ValueError, EOFError, RuntimeError, zipfile.BadZipFile, zlib.error)  # a hostile zip: any
SCALAR = json.JSONEncoder(ensure_ascii=False).encode  # its escapes are exactly those of RFC 8785 3.2.2.2
class Finding(Exception): """A check failed; the message is its code."""

# Section 1: canonical JSON
def numeral(token: str) -> float:
    value, whole = float(token), token.lstrip("-").isdigit()
    in_range = abs(value) <= MAX_INT or (1e21 <= abs(value) < INFINITY and not whole)  # between: integer text
    if not in_range or (value == 0 and token[0] == "-"): raise ValueError("number out of range, or negative zero")
    return int(token) if whole else value
def unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    if len(members := dict(pairs)) < len(pairs): raise ValueError("duplicate key")
    return members
def canonical(value: Any) -> str:
    if isinstance(value, dict):
        keys = sorted(value, key=lambda key: key.encode("utf-16-be"))
        return "{" + ",".join(f"{SCALAR(key)}:{canonical(value[key])}" for key in keys) + "}"
    if isinstance(value, list): return "[" + ",".join(map(canonical, value)) + "]"
    if isinstance(value, float):  # of the values that numeral lets pass, repr and ECMAScript differ in these alone
        plain = format(Decimal(repr(value)), "f") if 1e-6 <= abs(value) < 1e-4 else repr(value)
        return plain.removesuffix(".0").replace("e-0", "e-")
    return SCALAR(value)

def parse(data: bytes) -> tuple[Any, bytes]:
    """The value of JSON text and its canonical bytes; ValueError if canonical JSON does not have the value."""
    level, quoted = 0, False
    for token in re.findall(rb'\\.|["\[\]{}]', data, re.DOTALL):  # before json.loads, whose recursion it bounds
        quoted ^= token == b'"'
        level += 0 if quoted else (token in (b"[", b"{")) - (token in (b"]", b"}"))
        if level > MAX_DEPTH: raise ValueError("nested too deeply")
    hooks: dict[str, Any] = dict.fromkeys(("parse_int", "parse_float", "parse_constant"), numeral)
    value = json.loads(data.decode(), object_pairs_hook=unique, **hooks)
    return value, canonical(value).encode()  # a lone surrogate has no UTF-8, and the error is a ValueError

# Section 2: the line
ID = "[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}"
HASH, TEXT, DATE = "[0-9a-f]{64}", "(?s:.*)", "[0-9]{4}-(0[1-9]|1[0-2])-(0[1-9]|[12][0-9]|3[01])"
HEADER = {
    "actor": {"id": "(?s:.{1,256})", "type": "runtime|agent|user|tool"}, "atlas": {"atlas_id": TEXT, "version": TEXT},
    "artifacts": [{"content_type": TEXT, "name": TEXT, "sha256": TEXT, "uri": TEXT}],
    "event_type": r"(?=.{1,64}\Z)[a-z][a-z_]*(\.[a-z][a-z_]*)+", "payload_hash": HASH, "previous_event_hash": HASH,
    "parent_span_id": (ID, type(None)), "sequence": int, "severity": "debug|info|warn|error",
    "timestamp": DATE + r"T([01][0-9]|2[0-3]):[0-5][0-9]:[0-5][0-9]\.[0-9]{6}Z", "trace_version": r"1\.1",
    **dict.fromkeys(("event_id", "session_id", "span_id", "trace_id"), ID),
}
SPLIT = b'"trace_version":"1.1","payload":'
TAIL = re.compile(rb',"salt":"([0-9a-f]{32})","event_hash":"([0-9a-f]{64})"\}')
REDACTED = re.compile(rb'(.*"trace_version":"1\.1"),"event_hash":"([0-9a-f]{64})"\}', re.DOTALL)

def fits(shape: Any, value: Any) -> bool:
    """Whether a value has a shape: a pattern, an object's members, a list's elements, alternatives, or a type."""
    if isinstance(shape, str): return isinstance(value, str) and re.fullmatch(shape, value) is not None
    if isinstance(shape, dict):
        return isinstance(value, dict) and value.keys() == shape.keys() and all(fits(shape[k], value[k]) for k in shape)
    if isinstance(shape, list):
        return isinstance(value, list) and 1 <= len(value) <= 64 and all(fits(shape[0], item) for item in value)
    return any(fits(choice, value) for choice in shape) if isinstance(shape, tuple) else type(value) is shape
def sha256(*parts: bytes) -> bytes: return hashlib.sha256(b"".join(parts)).digest()

def read_event(line: bytes) -> tuple[dict[str, Any], dict[str, Any] | None, bytes, bytes]:
    """Checks 1 to 3 of section 2.3: header, payload (None in a redacted line), salt, leaf hash."""
    before, split, after = line.partition(SPLIT)
    body, tail = (after[:-123], TAIL.fullmatch(after[-123:])) if split else (b"{}", REDACTED.fullmatch(line))
    head = (before + SPLIT[:21] if split else tail[1] if tail else b"") + b"}"
    try:
        if not tail or len(head) > MAX_HEADER or len(body) > MAX_PAYLOAD: raise ValueError("length or tail")
        (header, head_text), (payload, body_text) = parse(head), parse(body)
        shape = {name: HEADER.get(name) for name in {*HEADER, *header} - ({"artifacts", "atlas"} - {*header})}
        if (head_text, body_text) != (head, body) or not fits(shape, header) or not isinstance(payload, dict):
            raise ValueError("not canonical, or not the members of a header")
    except (ValueError, TypeError):  # TypeError: a header that is no object
        raise Finding("CRA-3001") from None
    if (leaf := sha256(b"\0", head)).hex() != tail[2].decode(): raise Finding("CRA-3003")
    salt = bytes.fromhex(tail[1].decode()) if split else b""
    if split and sha256(salt, body).hex() != header["payload_hash"]: raise Finding("CRA-3002")
    return header, payload if split else None, salt, leaf

# Section 4: RFC 6962 trees, Ed25519, checkpoints
def tree_root(peaks: list[bytes]) -> str:
    root = peaks[-1] if peaks else sha256()
    for peak in peaks[-2::-1]: root = sha256(b"\1", peak, root)
    return root.hex()
def roots_from_path(known: bytes, index: int, size: int, path: list[bytes], is_leaf: bool) -> tuple[str, str]:
    """RFC 6962 2.1: the roots of the first index + 1 leaves and of all, from what is known: that leaf or the first root."""
    at, width, sides = index, size, list[bool]()
    while width > 1 if is_leaf else at + 1 < width:
        sides.append(at >= (left := 1 << (width - 1).bit_length() - 1))
        at, width = (at - left, width - left) if sides[-1] else (at, left)
    if any(sides) and not is_leaf: known, path = (path or [b""])[0], path[1:]  # else the first tree is all on the left
    if index >= size or len(path) != len(sides): raise Finding("CRA-3033")
    first = last = known
    for is_right, other in zip(reversed(sides), path, strict=True):
        first = sha256(b"\1", other, first) if is_right else first
        last = sha256(b"\1", other, last) if is_right else sha256(b"\1", last, other)
    return first.hex(), last.hex()

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
def decode_point(data: bytes) -> Point:
    sign, y = divmod(int.from_bytes(data, "little"), 2**255)
    square = (y * y - 1) * pow(D * y * y + 1, -1, P) % P
    x = pow(square, (P + 3) // 8, P)
    x = x if x * x % P == square else x * pow(2, (P - 1) // 4, P) % P
    point = (x := x if x & 1 == sign else P - x, y, 1, x * y % P)
    if len(data) != 32 or y >= P or x * x % P != square or multiply(8, point)[0] == 0: raise ValueError("weak key")
    return point

BASE = decode_point((4 * pow(5, -1, P) % P).to_bytes(32, "little"))
def is_signed(public: bytes, message: bytes, signature: bytes) -> bool:
    s, (x, y, z, t) = int.from_bytes(signature[32:], "little"), decode_point(public)
    k = int.from_bytes(hashlib.sha512(signature[:32] + public + message).digest(), "little") % L
    point = add(multiply(s % L, BASE), multiply(k, (P - x, y, z, P - t)))
    x, y = (coordinate * pow(point[2], -1, P) % P for coordinate in point[:2])
    encoded = (y | (x & 1) << 255).to_bytes(32, "little")  # canonical, and so is R if it is equal
    return s < L and len(signature) == 64 and signature[:32] == encoded and multiply(8, point)[0] != 0

BASE64 = "((?:[A-Za-z0-9+/]{4})*(?:[A-Za-z0-9+/][AQgw]==|[A-Za-z0-9+/]{2}[AEIMQUYcgkosw048]=)?)"  # canonical
ROOT, SIZE = "([A-Za-z0-9+/]{42}[AEIMQUYcgkosw048]=)\n", "(0|[1-9][0-9]{0,15})\n"
ANY, NAME = "[^\0-\x1f\ud800-\udfff]+\n", "([^\\s+\0-\x1f\ud800-\udfff]+)"
SIGNATURE = f"\u2014 {NAME} (?=.{{8}}){BASE64}\n"
NOTE = re.compile(f"(({ANY}){SIZE}{ROOT}(?:{ANY})*)\n((?:{SIGNATURE}){{0,16}})")
PROOFS, ORIGIN = re.compile(r"journal\.proof|redaction-[0-9]{1,16}\.proof"), r"cra\.local/EVENT/journal"
PROOF = re.compile(f"c2sp\\.org/tlog-proof@v1\nextra {BASE64}\nindex {SIZE}((?:{ROOT})*)\n")
PREFIX = re.compile(f"cra\\.local/consistency@v1\nold cra:({ID}):([1-9][0-9]{{0,15}}):({HASH})\n((?:{ROOT})*)\n")
Key = tuple[str, bytes, bytes]  # name, key id, public key
def parse_key(text: str) -> Key:
    parts = re.fullmatch(f"{NAME}\\+([0-9a-f]{{8}})\\+{BASE64}", text)
    data = base64.b64decode(parts[3]) if parts else b""
    if not parts or data[:1] != b"\1" or sha256(parts[1].encode(), b"\n", data).hex()[:8] != parts[2]:
        raise ValueError("not an Ed25519 verifier key, or not its key id")
    decode_point(data[1:])
    return parts[1], bytes.fromhex(parts[2]), data[1:]
def parse_head(text: str) -> tuple[str, int, str]:
    if not (parts := re.fullmatch(f"({ID}):(0|[1-9][0-9]{{0,15}}):({HASH})", text)): raise ValueError("not a head")
    return parts[1], int(parts[2]), parts[3]

def weigh(data: bytes | None, origin: str, keys: list[Key]) -> tuple[int, str, bool]:
    """Size, root and authenticity of a checkpoint, or the finding of section 4.1; the origin is a pattern."""
    if data is None: return 0, tree_root([]), False
    note = NOTE.fullmatch(data.decode(errors="surrogateescape"))
    if not note or len(data) > MAX_CHECKPOINT or int(note[3]) > MAX_INT: raise Finding("CRA-3011")
    if not re.fullmatch(origin, note[2][:-1]): raise Finding("CRA-3014")
    signatures = [(name, base64.b64decode(blob)) for name, blob in re.findall(SIGNATURE, note[5])]
    known = [(key[2], blob[4:]) for name, blob in signatures for key in keys if (name, blob[:4]) == key[:2]]
    if not all(is_signed(key, note[1].encode(), signature) for key, signature in known): raise Finding("CRA-3012")
    if keys and not known: raise Finding("CRA-3013")
    return int(note[3]), base64.b64decode(note[4]).hex(), bool(known)

# Sections 2.3, 3 and 5: files, chains, and what the journal says
Folder = str | zipfile.ZipFile
Row = tuple[str, str | None]  # verdict and code
HEADS = ("journal.session_opened", "journal.checkpoint", "journal.session_closed")
CLAIMS: dict[str, Any] = {
    **{kind: {"session_id": ID, "size": int, "root": HASH} for kind in (*HEADS, "journal.pruned")},
    "journal.redacted": {"session_id": ID, "sequence": int, "event_hash": HASH}, "ledger.recovered": {"unattested": [int]},
}

def open_file(folder: Folder, name: str) -> Any:
    """A file of a directory or zip; None if there is none. A pipe, which would make the reader wait, is an error."""
    if isinstance(folder, zipfile.ZipFile): return folder.open(name) if name in folder.namelist() else None
    path = os.path.join(folder, name)
    if not os.path.isfile(path) and os.path.exists(path): raise OSError(f"not a regular file: {path}")
    return open(path, "rb") if os.path.isfile(path) else None
def list_names(folder: Folder) -> list[str]:
    if isinstance(folder, str): return [x for x in os.listdir(folder) if os.path.exists(os.path.join(folder, x))]
    names = {entry.filename for entry in folder.infolist() if entry.compress_type in (0, 8)}  # stored, deflated
    if len(names) < len(folder.infolist()) or "journal" + CHAIN in names or folder.testzip():
        raise OSError("two files of one name, an unusual compression, a wrong checksum, or a whole ledger")
    return [name for name in names if "/" not in name]
def read_file(folder: Folder, name: str, limit: int) -> bytes | None:
    with open_file(folder, name) or nullcontext() as stream:
        return stream.read(limit + 1) if stream else None
def lacks_blob(folder: Folder, artifact: dict[str, str], salt: bytes) -> bool:
    blob_id, uri = artifact["sha256"], artifact["uri"]
    named = fits(HASH, blob_id) and uri == "blobs/" + blob_id
    try:
        with (open_file(folder, uri) if named else None) or nullcontext() as stream:
            return not stream or hashlib.file_digest(stream, lambda: hashlib.sha256(salt)).hexdigest() != blob_id
    except OSError: return True
def claim(kind: str, payload: dict[str, Any] | None) -> list[Any] | None:
    """What an event of the journal says about a session, or a ledger.recovered about events."""
    said = {name: (payload or {}).get(name) for name in CLAIMS.get(kind, ())}
    return [kind, *said.values()] if said and fits(CLAIMS[kind], said) else None

def read_chain(folder: Folder, name: str, sizes: set[int]) -> Any:
    """The lines up to the first finding, with checks 4 to 6 of section 2.3."""
    chain = SimpleNamespace(n=0, code=None, partial=False, ledger_id=None, bad_blob=INFINITY, redacted=[], claims=[])
    chain.roots, peaks, first, last, ended = {0: tree_root([])}, list[bytes](), None, "0" * 64, False
    with open_file(folder, name + CHAIN) or nullcontext() as stream:
        for line in iter(lambda: stream.readline(MAX_LINE + 1) if stream else b"", b""):
            chain.partial = not line.endswith(b"\n") and len(line) <= MAX_LINE
            if chain.partial: break
            try:
                header, payload, salt, leaf = read_event(line.removesuffix(b"\n"))
                kind, ids = header["event_type"], (header["session_id"], header["trace_id"])
                opening = ("journal.opened", ids[1]) if name == "journal" else ("session.started", name)
                if ids != (first or ids) or (not first and (kind, ids[0]) != opening): raise Finding("CRA-3005")
                if (header["sequence"], header["previous_event_hash"]) != (chain.n, last): raise Finding("CRA-3004")
                if ended and kind != "ledger.recovered": raise Finding("CRA-3006")
            except Finding as finding:
                chain.code = str(finding)
                break
            if not first: chain.ledger_id = ids[0] if name == "journal" else (payload or {}).get("ledger_id")
            if payload is None: chain.redacted.append((ids[0], chain.n, leaf.hex()))
            blobs = [a for a in header.get("artifacts", ()) if a["uri"].startswith("blobs/") and payload is not None]
            if any(lacks_blob(folder, blob, salt) for blob in blobs): chain.bad_blob = min(chain.bad_blob, chain.n)
            if name == "journal" and (said := claim(kind, payload)): chain.claims.append((chain.n, said))
            size, first, last, ended = chain.n, first or ids, leaf.hex(), ended or kind == "session.ended"
            while size & 1: leaf, size = sha256(b"\1", peaks.pop(), leaf), size >> 1
            peaks.append(leaf)
            chain.n += 1
            if chain.n in sizes: chain.roots[chain.n] = tree_root(peaks)
    return chain

def attested(claims: list[tuple[int, list[Any]]], covered: int) -> list[list[Any]]:
    """Section 5, from the last event to the first: a ledger.recovered counts only if it is attested itself."""
    counted, ranges = [], list[list[int]]()
    for index, said in reversed(claims):
        if index < covered and not any(first <= index <= last for first, last in ranges):
            counted.append(said)
            if said[0] == "ledger.recovered" and len(said[1]) == 2: ranges.append(said[1])
    return counted[::-1]

class Journal:
    """What a verifier takes from the journal, or from the proofs in a bundle."""
    def __init__(self, alone: bool):
        self.alone, self.level, self.ledger_id, self.heads = alone, 0, "", dict[str, Any]()
        self.listed, self.pruned, self.redacted = set[str](), set[str](), set[Any]()
    def hear(self, kind: str, about: Any, *said: Any) -> None:
        if kind in HEADS: self.heads[about] = said
        if kind == "journal.session_opened": self.listed.add(about)
        if kind == "journal.pruned": self.pruned.add(about)
        if kind == "journal.redacted": self.redacted.add((about, *said))

# Section 7: verdicts
def worst(rows: list[Row]) -> Row: return max(rows, key=lambda row: (PASSED + FAILED).index(row[0]))  # the first of equals
def report(row: Row, level: int, **facts: Any) -> dict[str, Any]:
    return {"verdict": row[0], "code": row[1], "level": f"L{level}" if row[0] in PASSED else None, **facts}

def judge(folder: Folder, name: str, keys: list[Key], journal: Journal, known: Any = None) -> dict[str, Any]:
    """The report on one chain. The journal comes first, with the head of it that the verifier remembers."""
    own, data = name == "journal", read_file(folder, name + ".checkpoint", MAX_CHECKPOINT)
    claimed = re.match(rb"[^\n]*\n([0-9]{1,16})\n", data or b"")
    head = (known[1:] if known else None) if own else journal.heads.get(name)
    chain = read_chain(folder, name, {int(claimed[1]) if claimed else 0, head[0] if head else 0})
    ledger_id, code, n = journal.ledger_id or (chain.ledger_id if own or journal.alone else None), None, chain.n
    origin = rf"cra\.local/{ledger_id if fits(ID, ledger_id) else ID}/{re.escape(name)}"
    try:
        c, root, authentic = weigh(data, origin, keys)
    except Finding as finding:
        c, root, authentic, code = 0, tree_root([]), False, str(finding)
    for said in attested(chain.claims, c): journal.hear(*said)
    strict, below = "TAMPERED" if keys else "DAMAGED", "TAMPERED" if authentic else "DAMAGED"
    unlisted = not own and not journal.alone and name not in journal.listed
    other = own and known and ledger_id not in (None, known[0])
    table = [
        (code, strict, code),
        (chain.code and n < c, below, chain.code),
        ((not chain.code and n < c) or chain.roots.get(c, root) != root, below, "CRA-3010"),
        (chain.code and n >= c, "DAMAGED", chain.code),
        (chain.bad_blob < n, below if chain.bad_blob < c else "DAMAGED", "CRA-3024"),
        (set(chain.redacted) - journal.redacted, strict, "CRA-3023"),
        (not own and head and (head[0] > c or chain.roots.get(*head) != head[1]), "TAMPERED", "CRA-3020"),
        (unlisted and n > 1, "UNLISTED", "CRA-3022"),
        (own and head and not other and chain.roots.get(head[0]) != head[1], "TAMPERED", "CRA-3030"),
        (other, "TAMPERED", "CRA-3031"),
        (chain.partial, "INCOMPLETE", "CRA-3007"),
        (unlisted, "STILLBORN", None),
        (True, "INTACT", None),
    ]
    row = worst([(verdict, code) for holds, verdict, code in table if holds])
    if own: journal.ledger_id, journal.level = ledger_id or "", (1 + bool(head)) * authentic * (row[0] in PASSED)
    level = int(authentic) if journal.alone else journal.level * (authentic or c == 0)
    redacted, unproven = len(chain.redacted), 0 if journal.level else len(chain.redacted)
    return report(row, level, events=n, unattested=max(n - c, 0), redacted=redacted, unauthenticated=unproven)

# Section 8: proofs and bundles
def read_text(folder: Folder, name: str) -> str:
    data = read_file(folder, name, MAX_PROOF) or b""
    return data.decode(errors="surrogateescape") if len(data) <= MAX_PROOF else ""
def read_proof(folder: Folder, name: str, keys: list[Key], origins: str) -> tuple[dict[str, Any], Any, bool]:
    """Header and payload of the event that a valid proof holds, and whether its checkpoint is authentic."""
    text = read_text(folder, name)
    if not (proof := PROOF.match(text)): raise Finding("CRA-3033")
    header, payload, _, leaf = read_event(base64.b64decode(proof[1]))
    note, index = text[proof.end() :].encode(errors="surrogateescape"), int(proof[2])
    size, root, authentic = weigh(note, origins.replace("EVENT", header["session_id"]), keys)
    _, found = roots_from_path(leaf, index, size, [base64.b64decode(line) for line in proof[3].split()], True)
    if header["sequence"] != index or found != root: raise Finding("CRA-3033")
    return header, payload, authentic

def read_prefix(text: str, keys: list[Key]) -> bool:
    """Whether the checkpoint that a valid consistency proof leads to is authentic."""
    if not (proof := PREFIX.match(text)): raise Finding("CRA-3033")
    note, path = text[proof.end() :].encode(errors="surrogateescape"), [base64.b64decode(x) for x in proof[4].split()]
    size, root, authentic = weigh(note, ORIGIN.replace("EVENT", proof[1]), keys)
    roots = roots_from_path(bytes.fromhex(proof[3]), int(proof[2]) - 1, size, path, False)
    if roots != (proof[3], root): raise Finding("CRA-3033")
    return authentic

def judge_bundle(folder: Folder, names: list[str], keys: list[Key], journal: Journal, known: Any) -> dict[str, Any]:
    """The report on as much of the journal as a bundle proves."""
    row: Row = ("INTACT", None)
    for proof in sorted(filter(PROOFS.fullmatch, names)):  # journal.proof comes first
        is_head = proof == "journal.proof"
        try:
            header, payload, authentic = read_proof(folder, proof, keys, ORIGIN)
        except Finding as finding:
            if is_head: row = ("TAMPERED" if keys else "DAMAGED", str(finding))
            continue
        if is_head: journal.ledger_id, journal.level = header["session_id"], int(authentic)
        said, kinds = claim(header["event_type"], payload), HEADS if is_head else ("journal.redacted",)
        if said and said[0] in kinds and header["session_id"] == journal.ledger_id: journal.hear(*said)
    journal.listed.update(journal.heads)
    if known and journal.ledger_id not in ("", known[0]): row = worst([row, ("TAMPERED", "CRA-3031")])
    return report(row, journal.level, events=0, bundle=True)

def verify(path: str, keys: list[Key], known: Any = None, session: str | None = None) -> dict[str, Any]:
    """The report on what a path holds; raises one of UNREADABLE if nothing can be said."""
    (parent, base), is_folder = os.path.split(path), os.path.isdir(path)
    single = base.endswith((CHAIN, "proof")) and not is_folder
    folder = (parent or ".") if single else path if is_folder else zipfile.ZipFile(path)
    names = list_names(folder)
    if single and base not in names: raise OSError(f"no such file: {path}")
    if single and not base.endswith(CHAIN):
        try:
            text, own = read_text(folder, base), rf"{ORIGIN}|cra\.local/{ID}/EVENT"
            authentic = read_prefix(text, keys) if text[:9] == "cra.local" else read_proof(folder, base, keys, own)[2]
            return {**report(("INTACT", None), int(authentic), exit=0), "verdict": "VALID"}
        except Finding as finding:
            return report(("INVALID", str(finding)), 0, exit=3)
    session, has_journal = session or (base.removesuffix(CHAIN) if single else None), "journal" + CHAIN in names
    journal, parts = Journal(alone=single and not has_journal), list[dict[str, Any]]()
    proven = "journal.proof" in names and not has_journal
    if proven and not single: parts.append(judge_bundle(folder, names, keys, journal, known))
    elif not journal.alone: parts.append(judge(folder, "journal", keys, journal, known))
    files = {name.removesuffix(CHAIN) for name in names if name.endswith(CHAIN)} - {"journal"}
    if session not in (None, "journal", *files, *journal.listed): raise OSError(f"no such session: {session}")
    wanted, sessions = (files | journal.listed) & ({session} if session else files | journal.listed), {}
    for name in sorted(wanted):
        row: Row = ("INTACT", None) if name in journal.pruned else ("TAMPERED", "CRA-3021")
        gone = report(row, journal.level, events=0, unattested=0, redacted=0, unauthenticated=0)
        sessions[name] = judge(folder, name, keys, journal) if name in files else gone
    row = worst([(part["verdict"], part["code"]) for part in (*parts, *sessions.values())])
    if row == ("INTACT", None) and not sessions and not parts[0]["events"]: raise OSError(f"nothing to verify: {path}")
    level = min(int((part["level"] or "L0")[1:]) for part in (*parts, *sessions.values()))
    return report(row, level, exit=3 if row[0] in FAILED else 0, journal=parts[0] if parts else None, sessions=sessions)

def main() -> int:
    parser = argparse.ArgumentParser(description="Verify a TRACE/1.1 ledger, session, bundle or proof.")
    parser.add_argument("path", metavar="PATH")
    parser.add_argument("--session", metavar="ID")
    parser.add_argument("--key", metavar="VKEY", action="append", default=[])
    parser.add_argument("--head", metavar="LEDGER_ID:SIZE:ROOTHEX", type=parse_head)
    parser.add_argument("--json", action="store_true")
    args = parser.parse_args()
    try:
        result = verify(args.path, [parse_key(key) for key in args.key], args.head, args.session)
    except UNREADABLE as error:
        print(f"verify.py: {type(error).__name__}: {ascii(str(error))[1:-1]}", file=sys.stderr)
        return 2
    for name, part in {"journal": result.get("journal"), **result.get("sessions", {})}.items():
        if part and not args.json: print(ascii(name)[1:-1], *(f"{fact}={part[fact]}" for fact in part))
    print(json.dumps(result) if args.json else " ".join(result[x] for x in ("verdict", "code", "level") if result[x]))
    return int(result["exit"])

if __name__ == "__main__": sys.exit(main())
