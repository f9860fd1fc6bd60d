"""C2SP tlog-witness (c2sp.org/tlog-witness): what a log asks of a witness, and what it is told.

The request of `add-checkpoint`, as bytes:

    old <size the log believes the witness remembers>
    <consistency proof from there, one hash in base64 a line, at most 63>
    <empty line>
    <checkpoint, signed by the log>

A witness cosigns or refuses; each way of refusing has its HTTP status in the specification:

WitnessRefuses
├── MalformedRequest      400  it cannot be read, or is older than what it claims to continue
├── NotSignedByLog        403  by no key that the witness knows of this log
├── UnknownLog            404  the witness was not set up for this log
├── OtherSizeRemembered   409  the answer names the size that the witness remembers: prove from there
├── SplitView             409  another root at a size that was cosigned before
└── NotAContinuation      422  the proof does not lead from the remembered head to this one
"""

from collections.abc import Sequence
from http import HTTPStatus
from typing import NamedTuple, Protocol

from domain.errors import EvidenceBroken
from evidence.parsing import base64_text, decimal_of, hash_of, text_of

ADD_CHECKPOINT = "/add-checkpoint"
SIZE_TYPE = "text/x.tlog.size"
MAX_REQUEST_BYTES = 65_536
MAX_PROOF_LINES = 63


class WitnessRefuses(EvidenceBroken):
    """A witness does not cosign."""

    status = HTTPStatus.BAD_REQUEST


class MalformedRequest(WitnessRefuses):
    """The request cannot be read, or continues more than it holds."""


class NotSignedByLog(WitnessRefuses):
    """None of the checkpoint's signatures is by a key that the witness knows of this log."""

    status = HTTPStatus.FORBIDDEN


class UnknownLog(WitnessRefuses):
    """The witness was not set up for a log of this origin."""

    status = HTTPStatus.NOT_FOUND


class OtherSizeRemembered(WitnessRefuses):
    """The witness remembers a head of another size than the one the proof begins at."""

    status = HTTPStatus.CONFLICT

    def __init__(self, size: int) -> None:
        super().__init__(f"the witness has seen this log at {size} entries; a proof must begin there")
        self.size = size


class SplitView(WitnessRefuses):
    """The witness has cosigned another root at this size."""

    status = HTTPStatus.CONFLICT


class NotAContinuation(WitnessRefuses):
    """The proof does not show that the checkpoint continues what the witness remembers."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY


class Cosigner(Protocol):
    """A witness as the log sees it: in this process, or behind an address."""

    def cosign(self, checkpoint_note: bytes, old_size: int, proof: Sequence[bytes]) -> bytes:
        """Return signature lines over a checkpoint that continues the log at `old_size` entries.

        Raises
        ------
        WitnessRefuses
            It does not cosign; `OtherSizeRemembered` says from where to prove instead.
        ServiceUnavailable
            No usable answer came; the head waits and is brought again.
        """


class AddCheckpoint(NamedTuple):
    """A request, read but not verified."""

    old_size: int
    proof: tuple[bytes, ...]
    checkpoint_note: bytes

    @classmethod
    def parse(cls, body: bytes) -> "AddCheckpoint":
        """Read a request; raises `MalformedRequest` where it is not of the form above."""
        head, separator, note = body.partition(b"\n\n")
        if not separator:
            raise MalformedRequest("the request has no checkpoint")
        try:
            first, *lines = text_of(head, "the request").split("\n")
            word, _, figure = first.partition(" ")
            old_size = decimal_of(figure if word == "old" else "", "the old size")
            proof = tuple(hash_of(line, "a hash of the proof") for line in lines)
        except EvidenceBroken as error:
            raise MalformedRequest(str(error)) from None
        if len(proof) > MAX_PROOF_LINES:
            raise MalformedRequest(f"a proof has at most {MAX_PROOF_LINES} hashes")
        return cls(old_size, proof, note)

    def __bytes__(self) -> bytes:
        """Return the request's body."""
        lines = [f"old {self.old_size}", *map(base64_text, self.proof)]
        return "".join(f"{line}\n" for line in lines).encode() + b"\n" + self.checkpoint_note
