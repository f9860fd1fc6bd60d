"""Public keys that belong to nobody: found among all points by plain arithmetic on the curve."""

import base64
import hashlib
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey, Ed25519PublicKey
from pydantic import ValidationError

from domain.ed25519 import is_public_key
from domain.errors import ConfigurationError, EvidenceBroken
from evidence import COSIGNATURE, Trust, VerifierKey, create_keys, trust_bytes, trust_file
from evidence.note import ED25519
from evidence.signing import check_signature
from store.registry_file import DeviceKeyEntry

P = 2**255 - 19
D = -121665 * pow(121666, P - 2, P) % P
ORDER = 2**252 + 27742317777372353535851937790883648493
"""RFC 8032, section 5.1: the order of the base point; the whole group has eight times as many."""

Point = tuple[int, int]


def _add(one: Point, other: Point) -> Point:
    (x1, y1), (x2, y2) = one, other
    product = D * x1 * x2 * y1 * y2
    return (
        (x1 * y2 + x2 * y1) * pow(1 + product, P - 2, P) % P,
        (y1 * y2 + x1 * x2) * pow(1 - product, P - 2, P) % P,
    )


def _times(number: int, point: Point) -> Point:
    total = (0, 1)
    for bit in bin(number)[2:]:
        total = _add(total, total)
        if bit == "1":
            total = _add(total, point)
    return total


def _point(y: int) -> Point | None:
    """Recover a point from its y, as section 5.1.3 does."""
    square = (y * y - 1) * pow(D * y * y + 1, P - 2, P) % P
    x = pow(square, (P + 3) // 8, P)
    if x * x % P != square:
        x = x * pow(2, (P - 1) // 4, P) % P
    return (x, y) if x * x % P == square else None


def _small_points() -> set[Point]:
    """Multiply points by the base point's order: what is left has order eight or less."""
    seeds = (int.from_bytes(hashlib.sha256(bytes([n])).digest(), "little") % P for n in range(24))
    generators = [_times(ORDER, point) for y in seeds if (point := _point(y)) is not None]
    return {_times(k, one) for one in generators for k in range(8)}


def _encoded(y: int, sign: int) -> bytes:
    return (y | sign << 255).to_bytes(32, "little")


SMALL = sorted(_encoded(y, x & 1) for x, y in _small_points())


def test_there_are_eight_points_of_small_order() -> None:
    assert len(SMALL) == 8


@pytest.mark.parametrize("data", SMALL)
def test_a_key_of_small_order_is_nobodys(data: bytes) -> None:
    assert not is_public_key(data)
    assert not is_public_key(bytes([*data[:31], data[31] ^ 0x80]))


@pytest.mark.parametrize("beyond", range(19))
def test_a_key_spelt_another_way_is_no_key(beyond: int) -> None:
    for sign in (0, 1):
        assert not is_public_key(_encoded(P + beyond, sign))


def test_real_keys_are_keys_and_other_lengths_are_none() -> None:
    keys = [Ed25519PrivateKey.generate().public_key().public_bytes_raw() for _ in range(32)]
    assert all(map(is_public_key, keys))
    assert not is_public_key(keys[0][:31])
    assert not is_public_key(keys[0] + b"\0")


@pytest.mark.parametrize("data", SMALL)
def test_no_device_is_registered_with_a_key_that_anybody_signs_for(data: bytes) -> None:
    entry = {
        "station_id": "S1",
        "device_id": "wim-1",
        "key_id": "k1",
        "public_key": base64.b64encode(data).decode(),
        "valid_from": "2026-03-20T08:00:00Z",
    }
    with pytest.raises(ValidationError, match="anybody can sign"):
        DeviceKeyEntry.model_validate(entry)


@pytest.mark.parametrize("data", SMALL)
def test_no_trust_file_names_a_key_that_anybody_signs_for(data: bytes, tmp_path: Path) -> None:
    keys = create_keys(tmp_path / "keys")
    service = {"name": "x/service", "ed25519": base64.b64encode(data).decode()}
    device = {"station": "S1", "device": "wim-1", "ed25519": service["ed25519"]}
    for forged in (
        {"services": [service]},
        {"logs": [str(VerifierKey("x/log", ED25519, data))]},
        {"witnesses": [str(VerifierKey("x/witness", COSIGNATURE, data))]},
        {"devices": [device]},
    ):
        with pytest.raises(ConfigurationError, match="anybody can sign"):
            Trust.parse(trust_bytes(trust_file(keys) | forged))


def test_a_signature_that_holds_for_every_message_is_none() -> None:
    """Under the neutral element, R = 0 and S = 0 sign whatever there is; the library lets that pass."""
    neutral = _encoded(1, 0)
    anything = neutral + bytes(32)
    Ed25519PublicKey.from_public_bytes(neutral).verify(anything, b"any message")
    with pytest.raises(EvidenceBroken, match="anybody"):
        check_signature(neutral, anything, b"any message", "a statement")
