"""The witness: remembers the largest head it has seen of a log and cosigns only its continuations.

Rules (c2sp.org/tlog-cosignature, tlog-witness), in the order they are checked:

1. the checkpoint's origin must be the log's name, and one of its signatures by a known key of the log;
2. the proof must begin at the size of the remembered head, so a smaller head never comes through;
3. a head of the same size must have the same root: anything else is a split view;
4. a larger head must come with a proof that it continues the remembered one;
5. the new head is on the disk before its cosignature leaves the witness;
6. a witness that has been ended, because another has taken its place, cosigns nothing any more.

What the log signed and the witness refuses under 3 or 4 is kept: together with the remembered head, which
the log signed too, it proves to anybody that the log has shown two histories.

It runs under its own key, folder and clock, so that it can be put under another administration.
"""

import fcntl
import hashlib
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from http import HTTPStatus
from pathlib import Path
from typing import NamedTuple

from domain.errors import EvidenceBroken, ServiceUnavailable
from evidence.checkpoint import Checkpoint, SignedCheckpoint, cosignature
from evidence.cosigning import (
    SIZE_TYPE,
    AddCheckpoint,
    MalformedRequest,
    NotAContinuation,
    NotSignedByLog,
    OtherSizeRemembered,
    SplitView,
    UnknownLog,
    WitnessRefuses,
)
from evidence.durable import make_folders, read_regular, replace
from evidence.merkle import EMPTY_ROOT, check_consistency
from evidence.note import COSIGNATURE, VerifierKey
from evidence.parsing import decimal_of, text_of
from evidence.signing import Signer

MOST_REFUSED_KEPT = 100

_HEAD = "head"
_REFUSED = "refused"
_MAX_HEAD_BYTES = 65_536
_PLAIN = "text/plain; charset=utf-8"


def _posix_now_s() -> int:
    return int(time.time())


class Witness:
    """A witness of one log.

    Parameters
    ----------
    folder
        Where the remembered head is kept; the witness's own, never the log's.
    signer
        The witness's key.
    log_keys
        The log's published key, or several of one name while it changes keys.
    clock
        Gives POSIX seconds.
    """

    def __init__(
        self, folder: Path, signer: Signer, *log_keys: VerifierKey, clock: Callable[[], int] = _posix_now_s
    ) -> None:
        self._folder = folder
        self._signer = signer
        self._log_keys = log_keys
        self._origin = log_keys[0].name
        self._clock = clock
        self._ended = folder / f"ended-{VerifierKey.of(signer, COSIGNATURE).key_id.hex()}"

    def remembered_size(self) -> int:
        """Return the size of the largest head cosigned so far, 0 before the first."""
        return self._head().size

    def end(self) -> int:
        """Cosign nothing more by this key, and return since when, in POSIX seconds; the same every time."""
        with self._alone():
            if not self._ended.exists():
                replace(self._ended, f"{self._clock()}\n".encode())
            ended = read_regular(self._ended, max_bytes=_MAX_HEAD_BYTES).removesuffix(b"\n")
            return decimal_of(text_of(ended, "the witness's end"), "the witness's end")

    def cosign(self, checkpoint_note: bytes, old_size: int, proof: Sequence[bytes]) -> bytes:
        """Return a cosignature line over the checkpoint.

        Parameters
        ----------
        checkpoint_note
            The checkpoint signed by the log.
        old_size
            Size of the head that the proof begins at; must be the remembered one.
        proof
            Consistency proof from there; empty at the first head or the same size.

        Raises
        ------
        WitnessRefuses
            The head is not a continuation of the remembered one, or not the log's.
        ServiceUnavailable
            This witness has been ended: another has to be asked.
        """
        signed = self._signed_by_log(checkpoint_note)
        new = signed.checkpoint
        if old_size > new.size:
            raise MalformedRequest(f"a head of {new.size} entries cannot continue one of {old_size}")
        with self._alone():
            if self._ended.exists():
                raise ServiceUnavailable(
                    f"the witness {self._signer.name} was ended, since another cosigns in its place: set "
                    "ZHICHAO_WITNESS_URL and start the processes again; the log's new head waits"
                )
            head = self._head()
            if head.size != old_size:
                raise OtherSizeRemembered(head.size)
            try:
                _check_continues(head, new, proof)
            except WitnessRefuses:
                self._keep_refused(new, checkpoint_note)
                raise
            if new.size > head.size:
                replace(self._folder / _HEAD, checkpoint_note)
            return cosignature(signed.note.text, self._signer, self._clock())

    def _signed_by_log(self, checkpoint_note: bytes) -> SignedCheckpoint:
        if len(checkpoint_note) > _MAX_HEAD_BYTES:
            raise MalformedRequest(f"a checkpoint has at most {_MAX_HEAD_BYTES} bytes")
        try:
            signed = SignedCheckpoint.parse(checkpoint_note)
        except EvidenceBroken as error:
            raise MalformedRequest(str(error)) from None
        if signed.checkpoint.origin != self._origin:
            raise UnknownLog(f"this is the witness of {self._origin!r}, not of {signed.checkpoint.origin!r}")
        for key in self._log_keys:
            try:
                signed.check_log(key)
            except EvidenceBroken:
                continue
            return signed
        raise NotSignedByLog(f"the checkpoint is not signed by a key of {self._origin!r} known here")

    def _head(self) -> Checkpoint:
        path = self._folder / _HEAD
        if not path.exists():
            return Checkpoint(self._origin, 0, EMPTY_ROOT)
        head = _checkpoint_of(read_regular(path, max_bytes=_MAX_HEAD_BYTES))
        if head.origin != self._origin:
            raise EvidenceBroken(
                f"the witness remembers another log, {head.origin!r}; give it its own folder"
            )
        return head

    def _keep_refused(self, head: Checkpoint, checkpoint_note: bytes) -> None:
        folder = self._folder / _REFUSED
        make_folders(folder)
        if len(list(folder.iterdir())) < MOST_REFUSED_KEPT:
            name = f"{head.size}-{hashlib.sha256(checkpoint_note).hexdigest()[:16]}.checkpoint"
            replace(folder / name, checkpoint_note)

    @contextmanager
    def _alone(self) -> Iterator[None]:
        make_folders(self._folder)
        with (self._folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield


class Answer(NamedTuple):
    """What a witness answers to a request."""

    status: HTTPStatus
    content_type: str
    body: bytes


def answer(witnesses: Mapping[str, Witness], body: bytes) -> Answer:
    """Return the answer to an `add-checkpoint` request, by the witnesses of each log by its origin."""
    try:
        request = AddCheckpoint.parse(body)
        witness = witnesses.get(_origin_of(request.checkpoint_note))
        if witness is None:
            raise UnknownLog("this witness does not know a log of this origin")
        lines = witness.cosign(request.checkpoint_note, request.old_size, request.proof)
    except OtherSizeRemembered as refusal:
        return Answer(refusal.status, SIZE_TYPE, f"{refusal.size}\n".encode())
    except WitnessRefuses as refusal:
        return Answer(refusal.status, _PLAIN, f"{refusal}\n".encode())
    return Answer(HTTPStatus.OK, _PLAIN, lines)


def _origin_of(checkpoint_note: bytes) -> str:
    try:
        return SignedCheckpoint.parse(checkpoint_note).checkpoint.origin
    except EvidenceBroken as error:
        raise MalformedRequest(str(error)) from None


def _checkpoint_of(data: bytes) -> Checkpoint:
    """Read a remembered head: a signed note, or its text alone as earlier versions kept it."""
    if b"\n\n" in data:
        return SignedCheckpoint.parse(data).checkpoint
    return Checkpoint.parse(text_of(data, "the witness's head"))


def _check_continues(head: Checkpoint, new: Checkpoint, proof: Sequence[bytes]) -> None:
    if new.size == head.size and new.root != head.root:
        raise SplitView(f"two different roots of one log at size {new.size}; both are kept")
    try:
        check_consistency(head.size, head.root, new.size, new.root, proof)
    except EvidenceBroken as error:
        raise NotAContinuation(str(error)) from None
