"""A statement's entry in the log: its inclusion, who signed the head, and keys alive when it was seen."""

from datetime import datetime
from pathlib import Path
from typing import NamedTuple

from domain.errors import EvidenceBroken
from evidence.checkpoint import TlogProof
from evidence.dsse import Envelope
from evidence.head_stamps import stamped_by
from evidence.log import published_proof
from evidence.merkle import check_inclusion, leaf_hash
from evidence.trust import Trust
from evidence.witnessed import witnessed


class Place(NamedTuple):
    """Where an entry stands, and when a witness had seen it."""

    leaf_index: int
    tree_size: int
    witnessed_at: datetime


def check_logged(
    leaf: bytes, leaf_index: int, proof: bytes, trust: Trust, *, known_by: datetime | None = None
) -> Place:
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
    known_by
        When somebody else vouched for a head that holds this entry. It dates the entry where only witnesses
        whose keys have ended cosigned (`evidence.witnessed`): later than it was, but nobody's to choose.

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
    log = parsed.signed.log_of(trust.logs)
    seen = witnessed(parsed.signed, trust)
    seen_at = seen.at if seen.standing else known_by
    if seen_at is None:
        raise EvidenceBroken(
            "only witnesses whose keys have ended cosigned its head, and nobody else has dated one with it: "
            "whoever has such a key may have written any time"
        )
    trust.life_of(log.public_key).check(seen_at, f"the log key {log}")
    return Place(parsed.leaf_index, head.size, seen_at)


def check_published(
    leaf: bytes, leaf_index: int, log_folder: Path, kept: bytes | None, trust: Trust
) -> Place:
    """Look an entry up in a log as it lies there, and date it by the proof that was kept when it was logged.

    Where only witnesses whose keys have ended cosigned that proof, the entry is dated by the first stamped
    head that holds it, or by the published one: later than it was, but by nobody who could choose.

    Raises
    ------
    EvidenceBroken
        It is not in the log, or nobody to be believed vouches for it.
    """
    ended = any(trust.life_of(key.public_key).end is not None for key in trust.witnesses)
    stamped = stamped_by(log_folder, leaf, leaf_index, trust) if ended else None
    place = check_logged(leaf, leaf_index, published_proof(log_folder, leaf_index), trust, known_by=stamped)
    if kept is None:
        return place
    return check_logged(leaf, leaf_index, kept, trust, known_by=stamped or place.witnessed_at)


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
