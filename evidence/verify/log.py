"""The log: the entry's place in it, and who vouches for its head, at what time."""

from datetime import datetime, timedelta

from domain.errors import EvidenceBroken
from evidence.checkpoint import TlogProof
from evidence.merkle import check_inclusion, leaf_hash
from evidence.seal import ENTRY_FILE, PROOF_FILE
from evidence.timestamp import Stamp
from evidence.verify.inspection import Inspection, known, some
from evidence.witnessed import cosigned_times, witnessed


def check_entry_inclusion(found: Inspection) -> str:
    """The entry is in the tree of the checkpoint."""
    proof = TlogProof.parse(found.seal(PROOF_FILE))
    head = proof.signed.checkpoint
    check_inclusion(leaf_hash(found.seal(ENTRY_FILE)), proof.leaf_index, head.size, proof.path, head.root)
    found.proof = proof
    return f"entry {proof.leaf_index} of {head.size}"


def check_checkpoint(found: Inspection) -> str:
    """The checkpoint is signed by a trusted log."""
    return f"signed by the log {known(found.proof, 'inclusion').signed.log_of(found.trust.logs).name}"


def check_witness(found: Inspection) -> str:
    """It is cosigned by a trusted witness; every trusted one that signed must hold."""
    signed = known(found.proof, "inclusion").signed
    cosigned = cosigned_times(signed, found.trust.witnesses)
    try:
        found.witnessed_at = witnessed(signed, found.trust).at
    except EvidenceBroken:  # none of their keys was alive: that is for the layer `keys` to say
        found.witnessed_at = max(at for _, at in cosigned)
    trusted = {(key.name, key.key_id) for key in (*found.trust.logs, *found.trust.witnesses)}
    unknown = [line.name for line in signed.note.signatures if (line.name, line.key_id) not in trusted]
    ignored = f"; not checked, by keys nobody here trusts: {some(unknown)}" if unknown else ""
    return f"cosigned by {', '.join(key.name for key, _ in cosigned)}{ignored}"


def check_witness_time(found: Inspection) -> str:
    """The token is hashed by the entry, so the witness saw the entry after genTime (with its accuracy)."""
    stamp, witnessed_at = check_stamped_first(found)
    delay = witnessed_at - stamp.made_at
    if delay > timedelta(seconds=found.policy.log_delay_s) + stamp.accuracy:
        raise EvidenceBroken(
            f"witnessed {delay} after the time stamp; the policy allows {found.policy.log_delay_s} s"
        )
    return f"cosigned at {witnessed_at.isoformat()}"


def check_stamped_first(found: Inspection) -> tuple[Stamp, datetime]:
    """Check that the witness does not claim to have seen the entry before its token was made; return both."""
    stamp, witnessed_at = known(found.stamp, "time-stamp"), known(found.witnessed_at, "witness")
    # A cosignature's time is cut to whole seconds.
    if stamp.made_at - witnessed_at > stamp.accuracy + timedelta(seconds=1):
        raise EvidenceBroken(f"witnessed at {witnessed_at.isoformat()}, before it was time-stamped")
    return stamp, witnessed_at
