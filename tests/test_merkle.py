"""Merkle trees and proofs, against RFC 6962's own definition."""

from __future__ import annotations

from hashlib import sha256

import pytest

from cra.ledger import merkle
from cra.ledger.merkle import Range

LEAVES = [sha256(b"\x00" + bytes([number])).digest() for number in range(131)]


def defined_root(leaves: list[bytes]) -> bytes:
    """RFC 6962 2.1, word for word."""
    if not leaves:
        return sha256(b"").digest()
    if len(leaves) == 1:
        return leaves[0]
    split = 1
    while split * 2 < len(leaves):
        split *= 2
    return sha256(b"\x01" + defined_root(leaves[:split]) + defined_root(leaves[split:])).digest()


def test_a_growing_range_has_the_defined_root_at_every_size():
    tree = Range()
    for size, leaf in enumerate(LEAVES):
        assert tree.root() == defined_root(LEAVES[:size])
        tree.push(leaf)


# RFC 6962 test data as used by certificate-transparency implementations: these eight leaves.
@pytest.mark.parametrize(
    ("size", "root"),
    [
        (1, "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d"),
        (2, "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125"),
        (3, "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77"),
        (4, "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7"),
        (5, "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4"),
        (6, "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef"),
        (7, "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c"),
        (8, "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328"),
    ],
)
def test_published_roots(size, root):
    inputs = [
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "6061626364656667" * 2,
    ]
    inputs[7] = "606162636465666768696a6b6c6d6e6f"
    tree = Range()
    tree.extend([sha256(b"\x00" + bytes.fromhex(text)).digest() for text in inputs[:size]])

    assert tree.root().hex() == root


@pytest.mark.parametrize("first", [0, 1, 63, 64, 65])
def test_extending_is_pushing_one_by_one(first):
    many, one = Range(), Range()
    many.extend(LEAVES[:first])
    many.extend(LEAVES[first:])
    for leaf in LEAVES:
        one.push(leaf)

    assert many.nodes == one.nodes


def test_parts_hashed_apart_join_to_the_whole():
    for cut in range(len(LEAVES)):
        left, right = Range(), Range(cut)
        left.extend(LEAVES[:cut])
        right.extend(LEAVES[cut:])
        for level, digest in right.nodes:
            left.push(digest, level)

        assert left.root() == defined_root(LEAVES)


def test_a_range_goes_on_from_its_peaks():
    for size in range(len(LEAVES)):
        tree = Range()
        tree.extend(LEAVES[:size])
        again = merkle.peaks(size, [digest for _, digest in tree.nodes])

        assert again is not None
        assert again.root() == tree.root()
        assert merkle.peaks(size, [*(digest for _, digest in tree.nodes), LEAVES[0]]) is None


def test_every_inclusion_proof_up_to_130_leaves_leads_to_the_root():
    for size in range(1, 131):
        root = merkle.root_of(LEAVES[:size])
        for index in range(size):
            proof = merkle.inclusion_proof(LEAVES[:size], index)

            assert merkle.root_from_inclusion(LEAVES[index], index, size, proof) == root


def test_every_consistency_proof_up_to_130_leaves_holds():
    for size in range(1, 131):
        root = merkle.root_of(LEAVES[:size])
        for old in range(1, size + 1):
            proof = merkle.consistency_proof(LEAVES[:size], old)
            old_root = merkle.root_of(LEAVES[:old])

            assert merkle.is_consistent(old, old_root, size, root, proof)
            assert not merkle.is_consistent(old, LEAVES[130], size, root, proof)
            assert not merkle.is_consistent(old, old_root, size, LEAVES[130], proof)
            assert not merkle.is_consistent(old, old_root, size, root, [*proof, root])


@pytest.mark.parametrize("index", [-1, 7, 8])
def test_a_leaf_outside_the_tree_has_no_root(index):
    assert merkle.root_from_inclusion(LEAVES[0], index, 7, []) is None


@pytest.mark.parametrize("change", ["shorter", "longer", "other"])
def test_a_changed_inclusion_proof_leads_elsewhere(change):
    root = merkle.root_of(LEAVES[:7])
    proof = merkle.inclusion_proof(LEAVES[:7], 3)
    changed = {"shorter": proof[:-1], "longer": [*proof, root], "other": [root, *proof[1:]]}[change]

    assert merkle.root_from_inclusion(LEAVES[3], 3, 7, changed) != root


def test_a_consistency_proof_needs_an_old_tree_and_a_path():
    root = merkle.root_of(LEAVES[:7])

    assert not merkle.is_consistent(0, merkle.EMPTY_ROOT, 7, root, [])
    assert not merkle.is_consistent(8, root, 7, root, [])
    assert not merkle.is_consistent(3, merkle.root_of(LEAVES[:3]), 7, root, [])
    assert not merkle.is_consistent(7, root, 7, root, [root])
