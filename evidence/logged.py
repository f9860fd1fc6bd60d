"""A statement's entry in the log: its inclusion, who signed the head, and keys alive when it was seen."""

from collections.abc import Sequence
from datetime import UTC, datetime
from typing import NamedTuple

from domain.errors import EvidenceBroken
from evidence.checkpoint import SignedCheckpoint, TlogProof
from evidence.dsse import Envelope
from evidence.merkle import check_inclusion, leaf_hash
from evidence.note import VerifierKey
from evidence.trust import Trust


class Place(NamedTuple):
    """Where an entry stands, and when a witness had seen it."""

    leaf_index: int
    tree_size: int
    witnessed_at: datetime


def check_logged(leaf: bytes, leaf_index: int, proof: bytes, trust: Trust) -> Place:
    """Check an entry by its proof.

    Parameters
    ----------
    leaf
        The entry, verbatim.
    leaf_index
        Where it should stand.
    proof
        A C2SP tlog-proof of it.
    trust
        Whose logs and witnesses count.

    Raises
    ------
    EvidenceBroken
        Another entry stands there, or head or witness are not to be believed.
    """
    parsed = TlogProof.parse(proof)
    head = parsed.signed.checkpoint
    if parsed.leaf_index != leaf_index:
        raise EvidenceBroken(f"its proof is of entry {parsed.leaf_index}, not of entry {leaf_index}")
    check_inclusion(leaf_hash(leaf), parsed.leaf_index, head.size, parsed.path, head.root)
    log = _signed_by(parsed.signed, trust.logs)
    if not log:
        raise EvidenceBroken(f"the head is not signed by the log {head.origin!r} of the trust file")
    parsed.signed.check_log(log[0])
    seen_at = _witnessed_at(parsed.signed, trust)
    trust.life_of(log[0].public_key).check(seen_at, f"the log key {log[0]}")
    return Place(parsed.leaf_index, head.size, seen_at)


def check_signers_alive(envelope: bytes, trust: Trust, seen_at: datetime) -> None:
    """Check that the service's keys among a statement's signers counted when its entry was seen.

    Raises
    ------
    EvidenceBroken
        One was revoked before, or not valid then.
    """
    signed = {signature.key_id for signature in Envelope.parse(envelope).signatures}
    for service in trust.services:
        if service.key_id in signed:
            trust.life_of(service.public_key).check(seen_at, f"the service key {service.key_id[:16]}...")


def _witnessed_at(signed: SignedCheckpoint, trust: Trust) -> datetime:
    """Return the first time that a trusted witness vouches for whose key was alive then."""
    keys = _signed_by(signed, trust.witnesses)
    if not keys:
        raise EvidenceBroken("no trusted witness has cosigned the head")
    alive, dead = [], []
    for key in keys:
        try:
            at = datetime.fromtimestamp(signed.check_witness(key), UTC)
            trust.life_of(key.public_key).check(at, f"the witness key {key}")
        except EvidenceBroken as error:
            dead.append(error)
        except (ValueError, OverflowError, OSError):
            dead.append(EvidenceBroken("the witness's time is outside any calendar"))
        else:
            alive.append(at)
    if not alive:
        raise dead[0]
    return min(alive)


def _signed_by(signed: SignedCheckpoint, keys: Sequence[VerifierKey]) -> list[VerifierKey]:
    present = {(line.name, line.key_id) for line in signed.note.signatures}
    return [key for key in keys if (key.name, key.key_id) in present]
