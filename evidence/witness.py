"""The witness: remembers the largest head it has seen of a log and cosigns only its continuations.

Rules (c2sp.org/tlog-cosignature, tlog-witness):

1. the checkpoint must be signed by the log's own key, and its origin must be the log's name;
2. a head smaller than the remembered one is refused;
3. a head of the same size must have the same root: anything else is a split view;
4. a larger head must come with a proof that it continues the remembered one;
5. the new head is on the disk before its cosignature leaves the witness.

It runs under its own key, folder and clock, so that it can be put under another administration.
"""

import fcntl
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from domain.errors import EvidenceBroken
from evidence.checkpoint import Checkpoint, SignedCheckpoint, cosignature
from evidence.durable import make_folders, read_regular, replace
from evidence.merkle import EMPTY_ROOT, check_consistency
from evidence.note import VerifierKey
from evidence.parsing import text_of
from evidence.signing import Signer

_HEAD = "head"
_MAX_HEAD_BYTES = 65_536


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
    log_key
        The log's published key.
    clock
        Gives POSIX seconds.
    """

    def __init__(
        self, folder: Path, signer: Signer, log_key: VerifierKey, *, clock: Callable[[], int] = _posix_now_s
    ) -> None:
        self._folder = folder
        self._signer = signer
        self._log_key = log_key
        self._clock = clock

    def remembered_size(self) -> int:
        """Return the size of the largest head cosigned so far, 0 before the first."""
        return self._head().size

    def cosign(self, checkpoint_note: bytes, proof: Sequence[bytes]) -> bytes:
        """Return a cosignature line over the checkpoint.

        Parameters
        ----------
        checkpoint_note
            The checkpoint signed by the log.
        proof
            Consistency proof from `remembered_size()`; empty at the first head or the same size.

        Raises
        ------
        EvidenceBroken
            The head is not a continuation of the remembered one, or not the log's.
        """
        signed = SignedCheckpoint.parse(checkpoint_note)
        signed.check_log(self._log_key)
        new = signed.checkpoint
        with self._alone():
            head = self._head()
            if new.size < head.size:
                raise EvidenceBroken(
                    f"the witness has seen this log at {head.size} entries and refuses a head of {new.size}"
                )
            check_consistency(head.size, head.root, new.size, new.root, proof)
            if new.size > head.size:
                replace(self._folder / _HEAD, new.text.encode())
            return cosignature(signed.note.text, self._signer, self._clock())

    def _head(self) -> Checkpoint:
        path = self._folder / _HEAD
        if not path.exists():
            return Checkpoint(self._log_key.name, 0, EMPTY_ROOT)
        head = Checkpoint.parse(text_of(read_regular(path, max_bytes=_MAX_HEAD_BYTES), "the witness's head"))
        if head.origin != self._log_key.name:
            raise EvidenceBroken(
                f"the witness remembers another log, {head.origin!r}; give it its own folder"
            )
        return head

    @contextmanager
    def _alone(self) -> Iterator[None]:
        make_folders(self._folder)
        with (self._folder / "lock").open("ab") as lock:
            fcntl.flock(lock, fcntl.LOCK_EX)
            yield
