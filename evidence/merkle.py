"""The Merkle tree of RFC 9162 section 2.1: hashes, inclusion and consistency proofs.

Pure functions. The tree itself is reached through `Nodes`: a callable that gives the hash of the
complete subtree of 2**level leaves that begins at leaf index * 2**level. Proofs then cost
O(log n) calls, wherever the hashes are kept.
"""

import hashlib
from collections.abc import Callable, Sequence

from domain.errors import EvidenceBroken

Nodes = Callable[[int, int], bytes]

EMPTY_ROOT = hashlib.sha256(b"").digest()


def leaf_hash(leaf: bytes) -> bytes:
    """Return the hash of one log entry (RFC 9162 section 2.1.1)."""
    return hashlib.sha256(b"\x00" + leaf).digest()


def node_hash(left: bytes, right: bytes) -> bytes:
    """Return the hash of an inner node."""
    return hashlib.sha256(b"\x01" + left + right).digest()


def fold(hashes: Sequence[bytes]) -> bytes:
    """Return the root over 2**k neighbouring hashes of one level."""
    level = list(hashes)
    while len(level) > 1:
        level = [node_hash(level[i], level[i + 1]) for i in range(0, len(level), 2)]
    return level[0]


def root(size: int, nodes: Nodes) -> bytes:
    """Return the root hash of the first `size` leaves."""
    return _range_hash(0, size, nodes) if size else EMPTY_ROOT


def inclusion_proof(index: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the path from leaf `index` to the root of `size` leaves, the leaf's sibling first."""
    if not 0 <= index < size:
        raise EvidenceBroken(f"leaf {index} is not in a log of {size} entries")
    path = []
    start, end = 0, size
    while end - start > 1:
        middle = start + _split(end - start)
        if index < middle:
            path.append(_range_hash(middle, end, nodes))
            end = middle
        else:
            path.append(_range_hash(start, middle, nodes))
            start = middle
    return path[::-1]


def consistency_proof(old_size: int, size: int, nodes: Nodes) -> list[bytes]:
    """Return the proof that the first `old_size` leaves are a prefix of `size` (section 2.1.4.1)."""
    if not 0 <= old_size <= size:
        raise EvidenceBroken(f"a log of {size} entries has no earlier state of {old_size}")
    if old_size in (0, size):
        return []
    path = []
    start, end, left = 0, size, old_size
    whole = True  # the old tree is still a complete subtree, whose hash the verifier has
    while left != end - start:
        half = _split(end - start)
        if left <= half:
            path.append(_range_hash(start + half, end, nodes))
            end = start + half
        else:
            path.append(_range_hash(start, start + half, nodes))
            start, left, whole = start + half, left - half, False
    if not whole:
        path.append(_range_hash(start, end, nodes))
    return path[::-1]


def check_inclusion(leaf: bytes, index: int, size: int, path: Sequence[bytes], root_hash: bytes) -> None:
    """Check that the entry with leaf hash `leaf` is number `index` of the tree (section 2.1.3.2).

    Raises
    ------
    EvidenceBroken
        It is not, or the path is too long or too short.
    """
    _check_hashes([leaf, root_hash, *path])
    if not 0 <= index < size:
        raise EvidenceBroken(f"leaf {index} is not in a log of {size} entries")
    position, last = index, size - 1
    reached = leaf
    for sibling in path:
        if last == 0:
            raise EvidenceBroken("the inclusion path is too long")
        if position & 1 or position == last:
            reached = node_hash(sibling, reached)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            reached = node_hash(reached, sibling)
        position >>= 1
        last >>= 1
    if last:
        raise EvidenceBroken("the inclusion path is too short")
    if reached != root_hash:
        raise EvidenceBroken("the inclusion path does not lead from this entry to the checkpoint's root")


def check_consistency(
    old_size: int, old_root: bytes, size: int, root_hash: bytes, path: Sequence[bytes]
) -> None:
    """Check that the tree of `old_size` leaves is a prefix of the tree of `size` (section 2.1.4.2).

    Raises
    ------
    EvidenceBroken
        It is not: the log was rewritten, or the proof is malformed.
    """
    _check_hashes([old_root, root_hash, *path])
    if not 0 <= old_size <= size:
        raise EvidenceBroken(f"a log of {size} entries has no earlier state of {old_size}")
    if old_size in (0, size):
        if path:
            raise EvidenceBroken("the consistency proof should be empty here")
        if old_root != (root_hash if old_size else EMPTY_ROOT):
            raise EvidenceBroken(f"two different roots of one log at size {old_size}")
        return
    path = list(path) if old_size & (old_size - 1) else [old_root, *path]
    if not path:
        raise EvidenceBroken("the consistency proof is too short")
    _walk_consistency(old_size, old_root, size, root_hash, path)


def _walk_consistency(
    old_size: int, old_root: bytes, size: int, root_hash: bytes, path: Sequence[bytes]
) -> None:
    position, last = old_size - 1, size - 1
    while position & 1:
        position >>= 1
        last >>= 1
    old_reached = reached = path[0]
    for sibling in path[1:]:
        if last == 0:
            raise EvidenceBroken("the consistency proof is too long")
        if position & 1 or position == last:
            old_reached = node_hash(sibling, old_reached)
            reached = node_hash(sibling, reached)
            while not position & 1 and position:
                position >>= 1
                last >>= 1
        else:
            reached = node_hash(reached, sibling)
        position >>= 1
        last >>= 1
    if last:
        raise EvidenceBroken("the consistency proof is too short")
    if old_reached != old_root or reached != root_hash:
        raise EvidenceBroken(f"the log at size {size} is not a continuation of the log at size {old_size}")


def _split(size: int) -> int:
    """Return the largest power of two smaller than `size`."""
    return 1 << ((size - 1).bit_length() - 1)


def _range_hash(start: int, end: int, nodes: Nodes) -> bytes:
    size = end - start
    if size & (size - 1) == 0:  # every range the recursion reaches begins at a multiple of its own split
        level = size.bit_length() - 1
        return nodes(level, start >> level)
    middle = start + _split(size)
    return node_hash(_range_hash(start, middle, nodes), _range_hash(middle, end, nodes))


def _check_hashes(hashes: Sequence[bytes]) -> None:
    for digest in hashes:
        if len(digest) != 32:
            raise EvidenceBroken(f"a hash is {len(digest)} bytes long; SHA-256 gives 32")
