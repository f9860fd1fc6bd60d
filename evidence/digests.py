"""SM3 (GB/T 32905-2016) beside SHA-256: the second digest of every payload file.

Two hash functions of unlike construction: should one of them fall, the other still holds a package.
"""

import os
from pathlib import Path

from cryptography.hazmat.primitives import hashes

_BLOCK_BYTES = 1 << 20


def sm3_of(data: bytes) -> str:
    """Return the SM3 digest of `data` as 64 lower-case hexadecimal characters.

    >>> sm3_of(b"abc")
    '66c7f0f462eeedd9d1f2d46bdc10e4e24167c4875cf2f7a2297da02b8f4ba8e0'
    """
    digest = hashes.Hash(hashes.SM3())
    digest.update(data)
    return digest.finalize().hex()


def sm3_of_file(path: Path) -> str:
    """Return the SM3 digest of a file of any size, following no symbolic link at its end."""
    digest = hashes.Hash(hashes.SM3())
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW)
    with open(descriptor, "rb") as file:
        while block := file.read(_BLOCK_BYTES):
            digest.update(block)
    return digest.finalize().hex()
