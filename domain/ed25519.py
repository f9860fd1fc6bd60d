"""Which 32 bytes may be somebody's Ed25519 public key (RFC 8032).

A key of small order belongs to nobody: for such a key anyone writes signatures that hold over whatever bytes.
An encoding that is not canonical is a second spelling of a key, with another id. Verifiers differ over both,
so neither is ever read.
"""

_P = 2**255 - 19
_D = -121665 * pow(121666, -1, _P) % _P
"""RFC 8032, section 5.1: the field, and the curve -x^2 + y^2 = 1 + d x^2 y^2."""

PUBLIC_KEY_BYTES = 32


def is_public_key(data: bytes) -> bool:
    """Say whether these bytes may be read as a public key; they need not be a point of the curve.

    >>> is_public_key(bytes(32))
    False
    """
    if len(data) != PUBLIC_KEY_BYTES:
        return False
    y = int.from_bytes(data, "little") & (1 << 255) - 1
    # Section 5.1.3, step 1: what is not below p is not decoded.
    return y < _P and not _is_small_order(y)


def _is_small_order(y: int) -> bool:
    """Say whether eight times the points of this y are the neutral element (0, 1).

    The neutral element has y = 1, the point of order two y = -1, those of order four y = 0. A point of order
    eight doubles to one with y = 0; doubling gives that where x^2 = -y^2, which the curve's equation
    turns into d y^4 + 2 y^2 - 1 = 0.
    """
    square = y * y % _P
    return y * (square - 1) * (_D * square * square + 2 * square - 1) % _P == 0
