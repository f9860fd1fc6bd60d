"""A witness behind an address: the log's side of C2SP tlog-witness over HTTP.

Nothing is taken from the answer but cosignatures that verify under a key of the trust file. What the witness
refuses because of the log's history is an `EvidenceBroken`; that it is away, or not set up for this log, is a
`ServiceUnavailable`: the head waits, and is brought again.
"""

import http.client
import weakref
from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple
from urllib.parse import urlsplit

from domain.errors import ConfigurationError, EvidenceBroken, ServiceUnavailable
from evidence.checkpoint import SignedCheckpoint
from evidence.cosigning import (
    ADD_CHECKPOINT,
    SIZE_TYPE,
    AddCheckpoint,
    NotAContinuation,
    OtherSizeRemembered,
    SplitView,
)
from evidence.note import VerifierKey, signature_line
from evidence.parsing import decimal_of

_MAX_ANSWER_BYTES = 65_536
_SAID = 200
"""How much of a refusal's text is repeated."""


class _Answer(NamedTuple):
    status: int
    content_type: str
    body: bytes


class RemoteWitness:
    """A witness reached by HTTP or HTTPS; not to be used by two threads at once.

    Parameters
    ----------
    url
        The witness's submission prefix.
    keys
        Its published keys; a cosignature by any of them counts.
    timeout_s
        How long to wait for a connection, and for each part of the answer.
    """

    def __init__(self, url: str, keys: Sequence[VerifierKey], *, timeout_s: float = 10.0) -> None:
        try:
            parts = urlsplit(url)
            port = parts.port
        except ValueError:
            raise ConfigurationError(f"{url!r} is not the address of a witness") from None
        if parts.scheme not in ("http", "https") or not parts.hostname or parts.query or parts.fragment:
            raise ConfigurationError(f"a witness is reached by http or https, not by {url!r}")
        if not keys:
            raise ConfigurationError("the trust file names no witness; add the published key of the witness")
        kind = http.client.HTTPSConnection if parts.scheme == "https" else http.client.HTTPConnection
        self._connection = kind(parts.hostname, port, timeout=timeout_s)
        # The connection is kept open, as the specification asks; it ends with whoever asks through it.
        weakref.finalize(self, self._connection.close)
        self._path = parts.path.rstrip("/") + ADD_CHECKPOINT
        self._url = url
        self._keys = tuple(keys)

    def cosign(self, checkpoint_note: bytes, old_size: int, proof: Sequence[bytes]) -> bytes:
        """Return the witness's signature lines, each verified; errors as `Cosigner.cosign`."""
        answer = self._ask(bytes(AddCheckpoint(old_size, tuple(proof), checkpoint_note)))
        if answer.status == HTTPStatus.OK:
            return self._verified(checkpoint_note, answer.body)
        said = answer.body[:_SAID].decode("utf-8", "replace").strip()
        if answer.status == HTTPStatus.CONFLICT:
            if answer.content_type.partition(";")[0].strip() == SIZE_TYPE:
                raise OtherSizeRemembered(self._size_of(answer.body))
            raise SplitView(f"the witness {self._url} has cosigned another head of this log: {said}")
        if answer.status == HTTPStatus.UNPROCESSABLE_ENTITY:
            raise NotAContinuation(f"the witness {self._url} refuses this log's history: {said}")
        raise ServiceUnavailable(
            f"the witness {self._url} answers {answer.status} ({said}); 403 and 404 mean that it has to be "
            "given this log's key"
        )

    def _verified(self, checkpoint_note: bytes, lines: bytes) -> bytes:
        try:
            own = SignedCheckpoint.parse(checkpoint_note)
            offered = SignedCheckpoint.parse(checkpoint_note + lines)
            known = {(key.name, key.key_id): key for key in self._keys}
            kept = b""
            for line in offered.note.signatures[len(own.note.signatures) :]:
                key = known.pop((line.name, line.key_id), None)
                if key is not None:
                    offered._replace(note=own.note._replace(signatures=(line,))).check_witness(key)
                    kept += signature_line(line)
        except EvidenceBroken as error:
            raise ServiceUnavailable(f"the witness {self._url} gives no usable answer: {error}") from None
        if not kept:
            raise ServiceUnavailable(
                f"the witness {self._url} signs with a key that is not in the trust file; compare its "
                "published key with the trust file's witnesses"
            )
        return kept

    def _size_of(self, body: bytes) -> int:
        try:
            return decimal_of(body.decode("ascii", "replace").removesuffix("\n"), "the remembered size")
        except EvidenceBroken as error:
            raise ServiceUnavailable(f"the witness {self._url} gives no usable answer: {error}") from None

    def _ask(self, body: bytes) -> _Answer:
        """Send a request, once more where the kept connection has ended meanwhile."""
        try:
            try:
                return self._asked_once(body)
            except ConnectionError:  # RemoteDisconnected among them
                return self._asked_once(body)
        except (http.client.HTTPException, OSError) as error:
            raise ServiceUnavailable(
                f"the witness {self._url} does not answer ({error or type(error).__name__}); "
                "the log's new head waits for it"
            ) from None

    def _asked_once(self, body: bytes) -> _Answer:
        try:
            self._connection.request("POST", self._path, body, {"Content-Type": "text/plain; charset=utf-8"})
            response = self._connection.getresponse()
            data = response.read(_MAX_ANSWER_BYTES + 1)
        except BaseException:
            self._connection.close()
            raise
        if len(data) > _MAX_ANSWER_BYTES:
            self._connection.close()
            raise ServiceUnavailable(f"the witness {self._url} answers over {_MAX_ANSWER_BYTES} bytes")
        return _Answer(response.status, response.headers.get("Content-Type", ""), data)
