"""The log: the entry's place in it, and who vouches for its head, at what time."""

from datetime import UTC, datetime, timedelta

from domain.errors import EvidenceBroken
from evidence.checkpoint import TlogProof
from evidence.merkle import check_inclusion, leaf_hash
from evidence.seal import ENTRY_FILE, PROOF_FILE
from evidence.verify.inspection import Inspection, known


def check_entry_inclusion(found: Inspection) -> str:
    """The entry is in the tree of the checkpoint."""
    proof = TlogProof.parse(found.seal(PROOF_FILE))
    head = proof.signed.checkpoint
    check_inclusion(leaf_hash(found.seal(ENTRY_FILE)), proof.leaf_index, head.size, proof.path, head.root)
    found.proof = proof
    return f"entry {proof.leaf_index} of {head.size}"


def check_checkpoint(found: Inspection) -> str:
    """The checkpoint is signed by a trusted log."""
    signed = known(found.proof, "inclusion").signed
    present = {(line.name, line.key_id) for line in signed.note.signatures}
    named = [log for log in found.trust.logs if log.name == signed.checkpoint.origin]
    # A log that has changed its key stands in the trust file with both.
    key = next((log for log in named if (log.name, log.key_id) in present), named[0] if named else None)
    if key is None:
        raise EvidenceBroken(f"the log {signed.checkpoint.origin!r} is not in the trust file")
    signed.check_log(key)
    return f"signed by the log {key.name}"


def check_witness(found: Inspection) -> str:
    """It is cosigned by a trusted witness; every trusted one that signed must hold."""
    signed = known(found.proof, "inclusion").signed
    present = {(line.name, line.key_id) for line in signed.note.signatures}
    keys = [key for key in found.trust.witnesses if (key.name, key.key_id) in present]
    if not keys:
        raise EvidenceBroken("no trusted witness has cosigned the checkpoint")
    times_s = [signed.check_witness(key) for key in keys]
    try:
        found.witnessed_at = datetime.fromtimestamp(min(times_s), UTC)
    except (ValueError, OverflowError, OSError):
        raise EvidenceBroken("the witness's time is outside any calendar") from None
    return f"cosigned by {', '.join(key.name for key in keys)}"


def check_witness_time(found: Inspection) -> str:
    """The token is hashed by the entry, so the witness saw the entry after genTime (with its accuracy)."""
    stamp, witnessed_at = known(found.stamp, "time-stamp"), known(found.witnessed_at, "witness")
    # A cosignature's time is cut to whole seconds.
    if stamp.made_at - witnessed_at > stamp.accuracy + timedelta(seconds=1):
        raise EvidenceBroken(f"witnessed at {witnessed_at.isoformat()}, before it was time-stamped")
    delay = witnessed_at - stamp.made_at
    if delay > timedelta(seconds=found.policy.log_delay_s) + stamp.accuracy:
        raise EvidenceBroken(
            f"witnessed {delay} after the time stamp; the policy allows {found.policy.log_delay_s} s"
        )
    return f"cosigned at {witnessed_at.isoformat()}"
