"""RFC 6962 Merkle trees over leaf hashes: roots that grow with the log, and proofs from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from hashlib import sha256
from typing import Final

EMPTY_ROOT: Final = sha256(b"").digest()
_RUN_LEVEL: Final = 6
_RUN: Final = 1 << _RUN_LEVEL


def node_hash(left: bytes, right: bytes) -> bytes:
    return sha256(b"\x01" + left + right).digest()


class Range:
    """The perfect subtrees that cover leaves `begin` to `end`: all that is needed to go on.

    It holds at most two hashes per level, whatever the size of the log. Ranges that touch can be
    joined, so parts of a log can be hashed apart (transparency-dev's compact ranges).
    """

    __slots__ = ("begin", "end", "nodes")

    def __init__(self, begin: int = 0, nodes: Iterable[tuple[int, bytes]] = ()) -> None:
        self.begin = begin
        self.end = begin
        self.nodes: list[tuple[int, bytes]] = []
        for level, digest in nodes:
            self.push(digest, level)

    def push(self, digest: bytes, level: int = 0) -> None:
        """Add the subtree of 2**level leaves that starts at `end`."""
        nodes = self.nodes
        start = self.end
        self.end = start + (1 << level)
        # Two neighbours of one level join if the left one starts where their parent does.
        while nodes and nodes[-1][0] == level and start & (1 << level):
            digest = sha256(b"\x01" + nodes.pop()[1] + digest).digest()
            start -= 1 << level
            level += 1
        nodes.append((level, digest))

    def extend(self, leaves: Sequence[bytes]) -> None:
        """Push many leaves. Whole aligned runs are folded level by level, at half the cost."""
        position = 0
        while position < len(leaves):
            run = leaves[position : position + _RUN]
            if self.end % _RUN or len(run) < _RUN:
                self.push(leaves[position])
                position += 1
                continue
            position += _RUN
            while len(run) > 1:
                pairs = zip(run[::2], run[1::2], strict=True)
                run = [sha256(b"\x01" + left + right).digest() for left, right in pairs]
            self.push(run[0], _RUN_LEVEL)

    def root(self) -> bytes:
        """The root of the tree of all leaves so far; `begin` is 0."""
        nodes = self.nodes
        if not nodes:
            return EMPTY_ROOT
        digest = nodes[-1][1]
        for _, left in reversed(nodes[:-1]):
            digest = node_hash(left, digest)
        return digest


def peaks(size: int, digests: Sequence[bytes]) -> Range | None:
    """The range of the first `size` leaves from its subtree hashes, largest first; None if their
    number does not fit the size."""
    levels = [level for level in range(size.bit_length() - 1, -1, -1) if size >> level & 1]
    if len(levels) != len(digests):
        return None
    return Range(0, zip(levels, digests, strict=True))


def root_of(leaves: Sequence[bytes]) -> bytes:
    tree = Range()
    for leaf in leaves:
        tree.push(leaf)
    return tree.root()


def inclusion_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """RFC 6962 2.1.1: the hashes that lead from leaf `index` to the root of all leaves."""
    if len(leaves) == 1:
        return []
    split = _split(len(leaves))
    if index < split:
        return [*inclusion_proof(leaves[:split], index), root_of(leaves[split:])]
    return [*inclusion_proof(leaves[split:], index - split), root_of(leaves[:split])]


def root_from_inclusion(leaf: bytes, index: int, size: int, proof: Sequence[bytes]) -> bytes | None:
    """RFC 9162 2.1.3.2: the root that the proof leads to, or None if it does not fit the tree."""
    if not 0 <= index < size:
        return None
    position, last, digest = index, size - 1, leaf
    for step in proof:
        if last == 0:
            return None
        if position & 1 or position == last:
            digest = node_hash(step, digest)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            digest = node_hash(digest, step)
        position, last = position >> 1, last >> 1
    return digest if last == 0 else None


def consistency_proof(leaves: Sequence[bytes], size: int) -> list[bytes]:
    """RFC 6962 2.1.2: that the tree of the first `size` leaves is a prefix of the tree of all."""
    return _subproof(leaves, size, whole=True)


def is_consistent(
    old_size: int, old_root: bytes, new_size: int, new_root: bytes, proof: Sequence[bytes]
) -> bool:
    """RFC 9162 2.1.4.2: whether the proof leads to both roots."""
    if not 0 < old_size <= new_size:
        return False
    if old_size == new_size:
        return not proof and old_root == new_root
    path = list(proof)
    if old_size & (old_size - 1) == 0:
        path.insert(0, old_root)
    if not path:
        return False
    position, last = old_size - 1, new_size - 1
    while position & 1:
        position, last = position >> 1, last >> 1
    old = new = path[0]
    for step in path[1:]:
        if last == 0:
            return False
        if position & 1 or position == last:
            old, new = node_hash(step, old), node_hash(step, new)
            while not position & 1 and position:
                position, last = position >> 1, last >> 1
        else:
            new = node_hash(new, step)
        position, last = position >> 1, last >> 1
    return last == 0 and old == old_root and new == new_root


def _subproof(leaves: Sequence[bytes], size: int, *, whole: bool) -> list[bytes]:
    if size == len(leaves):
        return [] if whole else [root_of(leaves)]
    split = _split(len(leaves))
    if size <= split:
        return [*_subproof(leaves[:split], size, whole=whole), root_of(leaves[split:])]
    return [*_subproof(leaves[split:], size - split, whole=False), root_of(leaves[:split])]


def _split(size: int) -> int:
    """The largest power of two below size."""
    return 1 << (size - 1).bit_length() - 1
