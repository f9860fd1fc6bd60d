"""Signed notes and verifier keys against the C2SP specification's own example, and fuzzed."""

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from hypothesis import given, settings
from hypothesis import strategies as st

from domain.errors import EvidenceBroken
from evidence.note import ED25519, Note, VerifierKey, sign_note
from evidence.signing import KeySigner
from tests.counts import count

# c2sp.org/signed-note, "Example".
SPEC_KEY = "example.com/foo+530d903a+AekyeRrm56hApGFkyQR4ZCbV54Id2LKaANYcrnKv3U2k"
SPEC_NOTE = (
    "This is an example message.\n\n— example.com/foo Uw2QOkn8srV1yJGh2VYRlL1Tnagv1YEq6TfXppzi2ONnc"
    "AlTgK7Ztg1ERYNZXsYjOBH3mFXmRKuwHjG1Yu72IneyaQM=\n"
).encode()

SIGNER = KeySigner("test.invalid/log", Ed25519PrivateKey.from_private_bytes(bytes(range(32))))
NOTE = sign_note("first line\nsecond line\n", SIGNER)


def test_the_example_of_the_specification_holds() -> None:
    key = VerifierKey.parse(SPEC_KEY)
    Note.parse(SPEC_NOTE).check_signed_by(key)
    assert str(key) == SPEC_KEY


def test_a_signed_note_reads_back() -> None:
    note = Note.parse(NOTE)
    note.check_signed_by(VerifierKey.of(SIGNER, ED25519))
    assert note.text == "first line\nsecond line\n"
    assert bytes(note) == NOTE


def test_signatures_by_unknown_keys_are_ignored() -> None:
    stranger = KeySigner("stranger.invalid", Ed25519PrivateKey.from_private_bytes(bytes(32)))
    line = sign_note("other\n", stranger).split(b"\n\n")[1]
    Note.parse(NOTE + line).check_signed_by(VerifierKey.of(SIGNER, ED25519))


def test_a_known_key_signing_twice_is_refused() -> None:
    line = NOTE.split(b"\n\n")[1]
    with pytest.raises(EvidenceBroken, match="2 signatures"):
        Note.parse(NOTE + line).check_signed_by(VerifierKey.of(SIGNER, ED25519))


@pytest.mark.parametrize(
    "damaged",
    [
        b"",
        b"text only\n",
        NOTE[:-1],
        NOTE.replace(b"first", b"fir\x0bst"),
        NOTE.replace(b"first", b"fir\xffst"),
        NOTE.replace(b"\n\n", b"\r\n\r\n"),
        NOTE.replace(b"test.invalid/log ", b"test.invalid+log "),
        NOTE.replace("— ".encode(), b"- "),
        NOTE.replace(b"=\n", b"\n"),
        NOTE + b"\n",
        NOTE + NOTE.split(b"\n\n")[1] * 70,
    ],
)
def test_a_malformed_note_is_refused(damaged: bytes) -> None:
    with pytest.raises(EvidenceBroken):
        Note.parse(damaged)


def test_base64_with_stray_bits_is_refused() -> None:
    head, _, tail = NOTE.rpartition(b"=\n")
    assert not tail
    other = bytes([head[-1] + 1])
    with pytest.raises(EvidenceBroken, match="canonical"):
        Note.parse(head[:-1] + other + b"=\n")


@pytest.mark.parametrize(
    "text",
    [
        "",
        "a+b",
        "a+00000000+AA==",
        SPEC_KEY.replace("530d903a", "530d903b"),
        SPEC_KEY + "=",
        "a b" + SPEC_KEY,
    ],
)
def test_a_malformed_verifier_key_is_refused(text: str) -> None:
    with pytest.raises(EvidenceBroken):
        VerifierKey.parse(text)


@settings(max_examples=count(20_000, reduced=500), deadline=None, derandomize=True)
@given(st.binary(max_size=200) | st.tuples(st.integers(0, len(NOTE)), st.binary(max_size=4)))
def test_the_parser_reads_or_refuses_any_bytes(made: bytes | tuple[int, bytes]) -> None:
    data = made if isinstance(made, bytes) else NOTE[: made[0]] + made[1] + NOTE[made[0] + len(made[1]) :]
    try:
        note = Note.parse(data)
    except EvidenceBroken:
        return
    assert bytes(note) == data, "a note has one spelling only"
