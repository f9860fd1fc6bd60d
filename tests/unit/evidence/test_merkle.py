"""RFC 9162 hashing and proofs against published vectors and a slow, obvious oracle."""

import hashlib
import random
from collections.abc import Sequence

import pytest

from domain.errors import EvidenceBroken
from evidence.merkle import (
    EMPTY_ROOT,
    Nodes,
    check_consistency,
    check_inclusion,
    consistency_proof,
    fold,
    inclusion_proof,
    leaf_hash,
    root,
)

# The leaves and roots every RFC 6962 implementation is tested with (certificate-transparency-go).
VECTOR_LEAVES = [
    bytes.fromhex(text)
    for text in (
        "",
        "00",
        "10",
        "2021",
        "3031",
        "40414243",
        "5051525354555657",
        "606162636465666768696a6b6c6d6e6f",
    )
]
VECTOR_ROOTS = [
    "6e340b9cffb37a989ca544e6bb780a2c78901d3fb33738768511a30617afa01d",
    "fac54203e7cc696cf0dfcb42c92a1d9dbaf70ad9e621f4bd8d98662f00e3c125",
    "aeb6bcfe274b70a14fb067a5e5578264db0fa9b51af5e0ba159158f329e06e77",
    "d37ee418976dd95753c1c73862b9398fa2a2cf9b4ff0fdfe8b30cd95209614b7",
    "4e3bbb1f7b478dcfe71fb631631519a3bca12c9aefca1612bfce4c13a86264d4",
    "76e67dadbcdf1e10e1b74ddc608abd2f98dfb16fbce75277b5232a127f2087ef",
    "ddb89be403809e325750d3d263cd78929c2942b7942a34b77e122c9594a74c8c",
    "5dc9da79a70659a9ad559cb701ded9a2ab9d823aad2f4960cfe370eff4604328",
]
MAX_SIZE = 64


def oracle_root(hashes: Sequence[bytes]) -> bytes:
    """MTH as RFC 9162 section 2.1.1 writes it down."""
    if not hashes:
        return hashlib.sha256(b"").digest()
    if len(hashes) == 1:
        return hashes[0]
    k = 1
    while k * 2 < len(hashes):
        k *= 2
    return hashlib.sha256(b"\x01" + oracle_root(hashes[:k]) + oracle_root(hashes[k:])).digest()


def nodes_of(hashes: Sequence[bytes]) -> Nodes:
    """Complete subtrees out of a list of leaf hashes."""
    return lambda level, index: fold(hashes[index << level : (index + 1) << level])


LEAVES = [leaf_hash(b"%d" % number) for number in range(MAX_SIZE)]
ROOTS = [oracle_root(LEAVES[:size]) for size in range(MAX_SIZE + 1)]
NODES = nodes_of(LEAVES)


def test_published_roots() -> None:
    hashes = [leaf_hash(leaf) for leaf in VECTOR_LEAVES]
    for size, expected in enumerate(VECTOR_ROOTS, start=1):
        assert root(size, nodes_of(hashes)).hex() == expected
    assert EMPTY_ROOT.hex() == "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855"


def test_published_proofs() -> None:
    hashes = [leaf_hash(leaf) for leaf in VECTOR_LEAVES]
    path = inclusion_proof(5, 8, nodes_of(hashes))
    assert [digest.hex()[:16] for digest in path] == [
        "bc1a0643b12e4d2d",
        "ca854ea128ed050b",
        "d37ee418976dd957",
    ]
    consistency = consistency_proof(6, 8, nodes_of(hashes))
    assert [digest.hex()[:16] for digest in consistency] == [
        "0ebc5d3437fbe2db",
        "ca854ea128ed050b",
        "d37ee418976dd957",
    ]


def test_root_equals_the_oracle_at_every_size() -> None:
    assert [root(size, NODES) for size in range(MAX_SIZE + 1)] == ROOTS


def test_every_honest_inclusion_proof_holds() -> None:
    for size in range(1, MAX_SIZE + 1):
        for index in range(size):
            check_inclusion(LEAVES[index], index, size, inclusion_proof(index, size, NODES), ROOTS[size])


def test_every_honest_consistency_proof_holds() -> None:
    for size in range(MAX_SIZE + 1):
        for old in range(size + 1):
            check_consistency(old, ROOTS[old], size, ROOTS[size], consistency_proof(old, size, NODES))


def test_no_inclusion_proof_holds_for_another_leaf_index_or_root() -> None:
    for size in range(2, MAX_SIZE + 1):
        for index in range(size):
            path = inclusion_proof(index, size, NODES)
            other = (index + 1) % size
            with pytest.raises(EvidenceBroken):
                check_inclusion(LEAVES[other], index, size, path, ROOTS[size])
            with pytest.raises(EvidenceBroken):
                check_inclusion(LEAVES[index], other, size, path, ROOTS[size])
            with pytest.raises(EvidenceBroken):
                check_inclusion(LEAVES[index], index, size, path, ROOTS[size - 1])


def _forgeries(path: list[bytes], rng: random.Random) -> list[list[bytes]]:
    flipped = []
    for place in range(len(path)):
        damaged = bytearray(path[place])
        damaged[rng.randrange(32)] ^= 1 << rng.randrange(8)
        flipped.append([*path[:place], bytes(damaged), *path[place + 1 :]])
    longer = [[*path, bytes(32)], [bytes(32), *path]]
    shorter = [path[1:], path[:-1]] if path else []
    swapped = [[*path[:-2], path[-1], path[-2]]] if len(path) > 1 else []
    return flipped + longer + shorter + swapped


def test_no_forged_inclusion_proof_holds() -> None:
    rng = random.Random(1)
    for size in range(1, MAX_SIZE + 1):
        for index in range(size):
            for forged in _forgeries(inclusion_proof(index, size, NODES), rng):
                with pytest.raises(EvidenceBroken):
                    check_inclusion(LEAVES[index], index, size, forged, ROOTS[size])


def test_no_forged_consistency_proof_holds() -> None:
    rng = random.Random(2)
    for size in range(1, MAX_SIZE + 1):
        for old in range(size + 1):
            for forged in _forgeries(consistency_proof(old, size, NODES), rng):
                with pytest.raises(EvidenceBroken):
                    check_consistency(old, ROOTS[old], size, ROOTS[size], forged)


def test_a_leaf_is_not_taken_for_the_root_of_a_larger_log() -> None:
    with pytest.raises(EvidenceBroken, match="too short"):
        check_inclusion(LEAVES[0], 0, 2, [], LEAVES[0])


def test_a_hash_of_another_length_is_refused() -> None:
    with pytest.raises(EvidenceBroken, match="31 bytes"):
        check_inclusion(LEAVES[0], 0, 2, [bytes(31)], ROOTS[2])


@pytest.mark.parametrize(("index", "size"), [(0, 0), (5, 5), (-1, 5)])
def test_an_index_outside_the_log_is_refused(index: int, size: int) -> None:
    with pytest.raises(EvidenceBroken, match="not in a log"):
        inclusion_proof(index, size, NODES)
    with pytest.raises(EvidenceBroken, match="not in a log"):
        check_inclusion(LEAVES[0], index, size, [], ROOTS[0])
