"""The anti-forgery code (防伪码): a short word that ties a printed picture to the originals of one package.

Rule `zhichao-anti-forgery/1`, public and without any key, so that anybody recomputes it:

1. the text is "zhichao anti-forgery 1", the event id, then the SHA-256 of every original (images, clips,
   wire payloads) in lower-case hexadecimal, each once, sorted; every line ends in a newline;
2. the code is the first 80 bits of the text's SHA-256 in base32 (RFC 4648), in four groups of four.

It proves nothing by itself, since who makes originals up computes it too. It tells a picture that was cut,
exchanged or shown with another event's words from one that belongs to a package that verifies.
"""

import base64
import hashlib
from collections.abc import Iterable

from domain.ids import EventId, Sha256

RULE = "zhichao-anti-forgery/1"

_CODE_BYTES = 10
_GROUP = 4


def anti_forgery_code(event_id: EventId, originals: Iterable[Sha256]) -> str:
    """Return the code of an event and the digests of its originals, in any order.

    >>> anti_forgery_code(EventId("0" * 32), [Sha256("5f" * 32)])
    'QL5B-6NUG-SNWJ-W6GS'
    """
    text = "".join(f"{line}\n" for line in ("zhichao anti-forgery 1", event_id, *sorted(set(originals))))
    word = base64.b32encode(hashlib.sha256(text.encode()).digest()[:_CODE_BYTES]).decode("ascii")
    return "-".join(word[at : at + _GROUP] for at in range(0, len(word), _GROUP))
