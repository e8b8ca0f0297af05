"""Checkpoints as C2SP signed notes."""

from __future__ import annotations

import base64

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given
from hypothesis import strategies as st

from cra.errors import Code, IntegrityError, SignerRefused
from cra.ledger.checkpoint import (
    KEY_NAME,
    Checkpoint,
    Signer,
    VerifierKey,
    is_signature,
    is_weak_point,
    open_checkpoint,
    parse_key,
    seal,
    signers_of,
)

ORIGIN = "cra.local/ledger/session"
HEAD = Checkpoint(ORIGIN, 7, bytes(32), ("resume 1 2 3",))


def signer(seed: int, name: str = KEY_NAME) -> Signer:
    private = Ed25519PrivateKey.from_private_bytes(bytes([seed]) * 32)
    return Signer(VerifierKey(name, private.public_key().public_bytes_raw()), private.sign)


ALICE, BOB = signer(1), signer(2)


def finding(note: bytes, *keys: VerifierKey, signed: bool = True) -> Code:
    with pytest.raises(IntegrityError) as caught:
        open_checkpoint(note, ORIGIN, keys, signed=signed)
    return caught.value.finding


def test_a_sealed_checkpoint_opens_with_its_key():
    opened = open_checkpoint(seal(HEAD, ALICE), ORIGIN, [BOB.key, ALICE.key], signed=True)

    assert opened.checkpoint == HEAD
    assert opened.signer == ALICE.key


def test_who_says_to_have_signed_is_known_by_the_beginning_of_the_key():
    [beginning] = signers_of(seal(HEAD, ALICE))

    assert str(ALICE.key).startswith(f"{beginning}+")
    assert not str(BOB.key).startswith(beginning)
    assert signers_of(seal(HEAD, None)) == []


def test_an_unsigned_checkpoint_opens_where_no_signature_is_expected():
    opened = open_checkpoint(seal(HEAD, None), None, [], signed=False)

    assert opened.checkpoint == HEAD
    assert opened.signer is None


def test_the_key_of_the_published_signed_note_verifies_it():
    # The worked example of golang.org/x/mod/sumdb/note, from which C2SP's signed-note descends.
    key = parse_key("PeterNeumann+c74f20a3+ARpc2QcUPDhMQegwxbzhKqiBfsVkmqq/LDE4izWy10TW")
    text = (
        "If you think cryptography is the answer to your problem,\n"
        "then you don't know what your problem is.\n"
    )
    blob = base64.b64decode(
        "x08go/ZJkuBS9UG/SffcvIAQxVBtiFupLLr8pAcElZInNIuGUgYN1FFYC2pZSNXgKvqfqdngotpRZb6KE6RyyBwJnAM="
    )

    assert blob[:4] == key.key_id
    assert is_signature(key.public, text.encode(), blob[4:])
    assert not is_signature(key.public, text.encode() + b" ", blob[4:])


def test_the_published_checkpoint_is_read():
    note = (
        "example.com/behind-the-sofa\n20852163\nCsUYapGGPo4dkMgIAUqom/Xajj7h2fB2MPA3j2jxq2I=\n\n"
        "\u2014 example.com/behind-the-sofa Az3grlgtzPICa5OS8npVmf1Myq/5IZniMp+ZJurmRDeOoRDe4URYN7"
        "u5/Zhcyv2q1gGzGku9nTo+zyWE+xeMcTOAYQ8=\n"
    ).encode()

    opened = open_checkpoint(note, None, [], signed=False)

    assert (opened.checkpoint.origin, opened.checkpoint.size) == (
        "example.com/behind-the-sofa",
        20852163,
    )


def test_a_key_line_reads_back():
    assert parse_key(str(ALICE.key)) == ALICE.key


@pytest.mark.parametrize(
    "text",
    [
        "",
        "cra.local",
        "cra.local+00000000+AQ==",
        str(ALICE.key).replace("+" + ALICE.key.key_id.hex(), "+00000000"),
        str(ALICE.key) + "\n",
        str(ALICE.key)[:-1] + "?",
        f"cra.local+{VerifierKey('cra.local', bytes(32)).key_id.hex()}+"
        + base64.b64encode(b"\x01" + bytes(32)).decode(),
    ],
)
def test_a_key_line_that_is_none_or_weak_is_refused(text):
    with pytest.raises(SignerRefused, match="expected"):
        parse_key(text)


@pytest.mark.parametrize(
    ("note", "code"),
    [
        (seal(HEAD, None), Code.SIGNATURE_MISSING),
        (seal(HEAD, BOB), Code.SIGNATURE_MISSING),
        (seal(HEAD, signer(1, "other.name")), Code.SIGNATURE_MISSING),
        (seal(HEAD._replace(origin="cra.local/else"), ALICE), Code.CHECKPOINT_FOREIGN),
        (seal(HEAD, ALICE).replace(b"\n7\n", b"\n8\n"), Code.SIGNATURE_WRONG),
        (seal(HEAD, ALICE)[:-2] + b"\n", Code.CHECKPOINT_MALFORMED),
        (seal(HEAD, ALICE)[:-1], Code.CHECKPOINT_MALFORMED),
        (seal(HEAD, ALICE).replace(b"\n7\n", b"\n07\n"), Code.CHECKPOINT_MALFORMED),
        (seal(HEAD, ALICE).replace(b"\n7\n", b"\n9999999999999999\n"), Code.CHECKPOINT_MALFORMED),
        (seal(HEAD, ALICE).replace(b"\n7\n", b"\n7 \n"), Code.CHECKPOINT_MALFORMED),
        (seal(HEAD._replace(root=bytes(31)), ALICE), Code.CHECKPOINT_MALFORMED),
        (seal(HEAD, ALICE).replace(b"AAA=\n", b"AAB=\n"), Code.CHECKPOINT_MALFORMED),
        (seal(HEAD, ALICE).replace(b"resume", b"\nresume"), Code.CHECKPOINT_MALFORMED),
        (seal(HEAD, ALICE) + "\u2014 cra.local AAAA\n".encode(), Code.CHECKPOINT_MALFORMED),
        (seal(HEAD, ALICE) + b"- cra.local AAAAAAAA\n", Code.CHECKPOINT_MALFORMED),
        (b"\xff" + seal(HEAD, ALICE), Code.CHECKPOINT_MALFORMED),
        (b"one\ntwo\n\n", Code.CHECKPOINT_MALFORMED),
        (b"", Code.CHECKPOINT_MALFORMED),
        (seal(HEAD, ALICE) + "\u2014 x.y AAAAAAAA\n".encode() * 16, Code.CHECKPOINT_MALFORMED),
        (seal(HEAD._replace(extensions=("x" * 70_000,)), ALICE), Code.CHECKPOINT_MALFORMED),
    ],
)
def test_a_checkpoint_that_cannot_be_trusted_says_why(note, code):
    assert finding(note, ALICE.key) == code


@pytest.mark.parametrize("char", ["\x00", "\t", "\r", "\x1f"])
def test_a_control_character_is_none_of_a_checkpoint(char):
    note = seal(HEAD._replace(extensions=(f"an{char}extension",)), ALICE)

    assert finding(note, ALICE.key) == Code.CHECKPOINT_MALFORMED


def test_a_wrong_signature_is_found_even_where_none_is_expected():
    assert finding(seal(HEAD, ALICE).replace(b"\n7\n", b"\n8\n"), ALICE.key, signed=False) == (
        Code.SIGNATURE_WRONG
    )


def test_signatures_of_others_are_passed_over():
    note = seal(HEAD, BOB) + seal(HEAD, ALICE).splitlines(keepends=True)[-1]

    assert open_checkpoint(note, ORIGIN, [ALICE.key], signed=True).signer == ALICE.key


FIELD = 2**255 - 19


@pytest.mark.parametrize("y", [0, 1, FIELD - 1, FIELD, FIELD + 1, 2**255 - 1])
@pytest.mark.parametrize("sign", [0, 1])
def test_small_and_non_canonical_points_are_weak(y, sign):
    assert is_weak_point((y | sign << 255).to_bytes(32, "little"))


def test_a_key_of_full_order_is_not_weak():
    assert not is_weak_point(ALICE.key.public)


@given(st.binary(max_size=70))
def test_no_bytes_pass_for_a_signature(signature):
    assert not is_signature(ALICE.key.public, b"text", signature)


def test_a_signature_with_a_large_scalar_is_refused():
    order = 2**252 + 27742317777372353535851937790883648493
    good = ALICE.sign(b"text")
    scalar = int.from_bytes(good[32:], "little") + order

    assert not is_signature(ALICE.key.public, b"text", good[:32] + scalar.to_bytes(32, "little"))
