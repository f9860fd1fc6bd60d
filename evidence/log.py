"""The transparency log: RFC 9162 hashing, C2SP checkpoints and static tiles, a single writer.

An append goes through these states, each durable before the next, so that a kill at any moment
loses nothing that was signed and signs nothing twice:

1. tiles that hold the new leaves are written;
2. the new checkpoint, signed by the log, becomes `checkpoint.pending`: from here it only goes forward,
   because the witness may have remembered it;
3. the witness cosigns it against the head it remembers;
4. the cosigned note replaces `checkpoint`, and `checkpoint.pending` goes.

Before step 2 the tiles beyond the old checkpoint mean nothing and are overwritten. After it,
whoever opens the log for writing next finishes steps 3 and 4. Who may append is decided outside
(the database's fencing token); the lock on the folder catches a second writer all the same.
"""

import fcntl
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

from domain.errors import ConflictingChange, EvidenceBroken
from evidence.checkpoint import Checkpoint, SignedCheckpoint, proof_text
from evidence.cosigning import Cosigner, OtherSizeRemembered
from evidence.durable import fsync_folder, make_folders, read_regular, replace
from evidence.merkle import consistency_proof, inclusion_proof, root
from evidence.note import ED25519, VerifierKey
from evidence.signing import Signer
from evidence.tiles import WIDTH, Tiles

_CHECKPOINT = "checkpoint"
_PENDING = "checkpoint.pending"
_MAX_NOTE_BYTES = 65_536
_COSIGN_ATTEMPTS = 3


def published_proof(folder: Path, index: int) -> bytes:
    """Return the C2SP tlog-proof of one entry of the log in a folder, which another process may be writing.

    Raises
    ------
    EvidenceBroken
        The published checkpoint does not cover the entry, or a file cannot be read (try again: a
        writer may just have replaced it).
    """
    note = read_regular(folder / _CHECKPOINT, max_bytes=_MAX_NOTE_BYTES)
    size = SignedCheckpoint.parse(note).checkpoint.size
    return proof_text(index, inclusion_proof(index, size, Tiles(folder).node), note)


class TransparencyLog:
    """A log in a folder that can be served as static files.

    Parameters
    ----------
    folder
        The log's folder; made at the first append.
    signer
        The log's key; its name is the log's origin.
    witness
        Cosigns every checkpoint before it is published.
    """

    def __init__(self, folder: Path, signer: Signer, witness: Cosigner) -> None:
        self._folder = folder
        self._signer = signer
        self._witness = witness
        self._tiles = Tiles(folder)
        with self._alone():
            self._finish_pending()
            self._size = self._published_size()

    @property
    def size(self) -> int:
        """Number of entries under the published checkpoint."""
        return self._size

    @property
    def checkpoint_note(self) -> bytes:
        """The published checkpoint with all its signatures.

        Raises
        ------
        EvidenceBroken
            The log is empty or damaged.
        """
        return read_regular(self._folder / _CHECKPOINT, max_bytes=_MAX_NOTE_BYTES)

    def append(self, leaf_hashes: Sequence[bytes]) -> Checkpoint:
        """Append entries by their leaf hashes (`merkle.leaf_hash`) and publish the new head.

        Raises
        ------
        ConflictingChange
            Another writer has appended since this log was opened: open it again.
        EvidenceBroken
            A hash is not 32 bytes, the log is damaged, or the witness refuses.
        """
        if not leaf_hashes or any(len(digest) != 32 for digest in leaf_hashes):
            raise EvidenceBroken("an append needs at least one leaf hash, each of 32 bytes")
        with self._alone():
            self._finish_pending()
            if self._published_size() != self._size:
                raise ConflictingChange("another writer has appended to this log; open it again to go on")
            size = self._size + len(leaf_hashes)
            self._tiles.append(self._size, leaf_hashes)
            head = Checkpoint(self._signer.name, size, root(size, self._tiles.node))
            replace(self._folder / _PENDING, head.sign(self._signer))
            self._finish_pending()
            self._tiles.drop_partials(self._size, size)
            self._size = size
        return head

    def leaf_hashes(self, start: int, stop: int) -> list[bytes]:
        """Return the leaf hashes of entries start..stop-1, to see what an append that was cut off wrote."""
        if not 0 <= start <= stop <= self._size:
            raise EvidenceBroken(f"entries {start} to {stop} are not in a log of {self._size} entries")
        found: list[bytes] = []
        for number in range(start // WIDTH, -(-stop // WIDTH)):
            width = min(WIDTH, stop - number * WIDTH)
            found += self._tiles.hashes(0, number, width)[max(0, start - number * WIDTH) :]
        return found

    def inclusion_proof(self, index: int) -> bytes:
        """Return the C2SP tlog-proof of one entry under the published checkpoint."""
        return published_proof(self._folder, index)

    def consistency_proof(self, old_size: int) -> list[bytes]:
        """Return the proof that the published head continues the log at `old_size` entries."""
        return consistency_proof(old_size, self._size, self._tiles.node)

    def _finish_pending(self) -> None:
        """Steps 3 and 4 of an append; nothing where none was begun."""
        pending = self._folder / _PENDING
        if not pending.exists():
            return
        note = read_regular(pending, max_bytes=_MAX_NOTE_BYTES)
        size = self._own(note).size
        if size > self._published_size():
            replace(self._folder / _CHECKPOINT, note + self._cosigned(note, size))
        pending.unlink()
        fsync_folder(self._folder)

    def _cosigned(self, note: bytes, size: int) -> bytes:
        """Return the witness's lines; the published head is where it should be, and is tried first."""
        old_size = self._published_size()
        for _ in range(_COSIGN_ATTEMPTS):
            try:
                proof = consistency_proof(old_size, size, self._tiles.node)
                return self._witness.cosign(note, old_size, proof)
            except OtherSizeRemembered as other:
                if other.size > size:
                    raise EvidenceBroken(
                        f"the witness has seen {other.size} entries, this log has {size}: "
                        "the log was restored from an old copy; bring back its newest state"
                    ) from None
                old_size = other.size
        raise ConflictingChange("the witness is cosigning other heads of this log at the same time")

    def _published_size(self) -> int:
        if not (self._folder / _CHECKPOINT).exists():
            return 0
        head = self._own(self.checkpoint_note)
        if root(head.size, self._tiles.node) != head.root:
            raise EvidenceBroken("the log's tiles do not have the root of its checkpoint; restore the log")
        return head.size

    def _own(self, note: bytes) -> Checkpoint:
        signed = SignedCheckpoint.parse(note)
        signed.check_log(VerifierKey.of(self._signer, ED25519))
        return signed.checkpoint

    @contextmanager
    def _alone(self) -> Iterator[None]:
        make_folders(self._folder)
        with (self._folder / "lock").open("ab") as lock:
            try:
                fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise ConflictingChange("another process is writing to this log; only one may") from None
            yield
