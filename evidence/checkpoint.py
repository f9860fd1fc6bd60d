"""C2SP tlog-checkpoint, tlog-cosignature (cosignature/v1) and tlog-proof: the log's signed texts.

A checkpoint is a signed note of three lines: the log's origin, the tree's size, its root. A witness
adds a line that signs the same text with its own time in front. A proof puts an entry's index and
path before a checkpoint, so that all of it can be checked offline.
"""

from collections.abc import Iterable, Sequence
from typing import NamedTuple

from domain.errors import EvidenceBroken
from evidence.note import COSIGNATURE, Note, NoteSignature, VerifierKey, sign_note, signature_line
from evidence.parsing import base64_text, decimal_of, hash_of, text_of
from evidence.signing import Signer, check_signature

PROOF_HEADER = "c2sp.org/tlog-proof@v1"

_MAX_PATH = 64


class Checkpoint(NamedTuple):
    """A log's head: what its signers vouch for."""

    origin: str
    size: int
    root: bytes

    @classmethod
    def parse(cls, text: str) -> "Checkpoint":
        """Read the text of a checkpoint; extension lines and the empty tree are refused.

        Raises
        ------
        EvidenceBroken
            It is not of the form origin, size, root.
        """
        lines = text.split("\n")
        if len(lines) != 4 or lines[3] or not lines[0]:
            raise EvidenceBroken("a checkpoint has exactly three lines: origin, size and root")
        size = decimal_of(lines[1], "the checkpoint's size")
        if size == 0:
            raise EvidenceBroken("the checkpoint is of an empty log")
        return cls(lines[0], size, hash_of(lines[2], "the checkpoint's root"))

    @property
    def text(self) -> str:
        """The text that is signed."""
        return f"{self.origin}\n{self.size}\n{base64_text(self.root)}\n"

    def sign(self, signer: Signer) -> bytes:
        """Return this checkpoint as a note signed by the log."""
        return sign_note(self.text, signer)


class SignedCheckpoint(NamedTuple):
    """A checkpoint with its note, read but not verified."""

    checkpoint: Checkpoint
    note: Note

    @classmethod
    def parse(cls, data: bytes) -> "SignedCheckpoint":
        """Read a signed checkpoint; raises `EvidenceBroken` where it is malformed."""
        note = Note.parse(data)
        return cls(Checkpoint.parse(note.text), note)

    def check_log(self, key: VerifierKey) -> None:
        """Check that the log itself signed, and that the origin is the log's name."""
        if self.checkpoint.origin != key.name:
            raise EvidenceBroken(f"the checkpoint is of the log {self.checkpoint.origin!r}, not {key.name!r}")
        self.note.check_signed_by(key)

    def log_of(self, logs: Iterable[VerifierKey]) -> VerifierKey:
        """Return the key by which the log itself signed, among trusted ones of its name, once it holds.

        Raises
        ------
        EvidenceBroken
            None of them signed, or the signature does not hold.
        """
        origin = self.checkpoint.origin
        signers = self.note.signers(key for key in logs if key.name == origin)
        if not signers:
            raise EvidenceBroken(f"it is not signed by a log of the trust file; its origin is {origin!r}")
        self.check_log(signers[0])
        return signers[0]

    def check_witness(self, key: VerifierKey) -> int:
        """Check the witness's cosignature and return its time in POSIX seconds."""
        stamped = self.note.signature_by(key)
        if len(stamped) != 72:
            raise EvidenceBroken(
                f"the cosignature by {key.name} is {len(stamped)} bytes long; it should be 72"
            )
        posix_s = int.from_bytes(stamped[:8], "big")
        message = _cosigned_message(posix_s, self.note.text)
        check_signature(key.public_key, stamped[8:], message, f"the cosignature by {key.name}")
        return posix_s


def cosignature(text: str, signer: Signer, posix_s: int) -> bytes:
    """Return a witness's signature line over a checkpoint's text at its own time."""
    key = VerifierKey.of(signer, COSIGNATURE)
    signature = signer.sign(_cosigned_message(posix_s, text))
    return signature_line(NoteSignature(signer.name, key.key_id, posix_s.to_bytes(8, "big") + signature))


class TlogProof(NamedTuple):
    """An inclusion proof with its checkpoint, read but not verified."""

    leaf_index: int
    path: tuple[bytes, ...]
    signed: SignedCheckpoint

    @classmethod
    def parse(cls, data: bytes) -> "TlogProof":
        """Read a tlog-proof; the unauthenticated `extra` line is refused.

        Raises
        ------
        EvidenceBroken
            It is malformed, or its index lies outside the checkpoint's tree.
        """
        head, separator, note = data.partition(b"\n\n")
        if not separator:
            raise EvidenceBroken("the proof has no checkpoint")
        lines = text_of(head, "the proof").split("\n")
        if lines[0] != PROOF_HEADER or len(lines) < 2 or not lines[1].startswith("index "):
            raise EvidenceBroken(f"the proof does not begin with {PROOF_HEADER} and an index")
        if len(lines) - 2 > _MAX_PATH:
            raise EvidenceBroken("the proof's path is too long for any log")
        index = decimal_of(lines[1].removeprefix("index "), "the proof's index")
        path = tuple(hash_of(line, "a hash of the proof") for line in lines[2:])
        signed = SignedCheckpoint.parse(note)
        if index >= signed.checkpoint.size:
            raise EvidenceBroken(
                f"the proof's index {index} is not in a log of {signed.checkpoint.size} entries"
            )
        return cls(index, path, signed)


def proof_text(index: int, path: Sequence[bytes], checkpoint_note: bytes) -> bytes:
    """Return a tlog-proof."""
    lines = [PROOF_HEADER, f"index {index}", *map(base64_text, path)]
    return "".join(f"{line}\n" for line in lines).encode() + b"\n" + checkpoint_note


def _cosigned_message(posix_s: int, text: str) -> bytes:
    return f"cosignature/v1\ntime {posix_s}\n{text}".encode()
