"""The seal: who signed the package, when it was time-stamped, and what the log's entry says of both."""

from datetime import timedelta

from domain.errors import EvidenceBroken
from domain.ids import sha256_of
from evidence.dsse import Envelope
from evidence.package import TAG_MANIFEST
from evidence.parsing import moment_of
from evidence.seal import ENTRY_FILE, PAE_FILE, SIGNATURE_FILE
from evidence.sm2 import Sm2Key, check_sm2_signature
from evidence.statements import ENVELOPE_FILE, PACKAGE, TOKEN_FILE, check_statement, entry_leaf
from evidence.timestamp import check_token
from evidence.verify.inspection import Inspection, known


def check_package_statement(found: Inspection) -> str:
    """It is signed by a trusted service key, about this package and this event."""
    data = found.seal(ENVELOPE_FILE)
    services = found.trust.services
    statement = check_statement(data, [service.public_key for service in services], PACKAGE)
    envelope = Envelope.parse(data)
    if (found.seal(PAE_FILE), found.seal(SIGNATURE_FILE)) != (envelope.pae, envelope.signature):
        raise EvidenceBroken(f"{PAE_FILE} or {SIGNATURE_FILE} is not the envelope's")
    digest = sha256_of(found.read(TAG_MANIFEST))
    if statement["subject"] != [{"name": TAG_MANIFEST, "digest": {"sha256": digest}}]:
        raise EvidenceBroken("the statement is about another package's tag manifest")
    event, predicate = known(found.event, "event"), statement["predicate"]
    same = ("event_id", "supplement", "predecessor")
    if not isinstance(predicate, dict) or any(predicate.get(k, "") != event.get(k) for k in same):
        raise EvidenceBroken("statement and event name different events, supplements or predecessors")
    said, second = f"signed by key {envelope.key_id[:16]}...", _second_signer(found, envelope)
    if second is not None:
        return f"{said}, and by the SM2 key {second.key_id[:16]}..."
    unchecked = "; its second signature is by a key not in the trust file, and was not checked"
    return said + (unchecked if envelope.signatures[1:] else "")


def check_sm2(found: Inspection) -> str:
    """It is signed a second time, by a trusted SM2 key."""
    key = _second_signer(found, Envelope.parse(found.seal(ENVELOPE_FILE)))
    if key is None:
        raise EvidenceBroken("the statement is not signed by a trusted SM2 key")
    return f"signed by SM2, by key {key.key_id[:16]}..."


def _second_signer(found: Inspection, envelope: Envelope) -> Sm2Key | None:
    """Return the trusted SM2 key that signed second; None where none did, or one that is not in the file."""
    for second in envelope.signatures[1:]:
        for key in found.trust.sm2:
            if key.key_id == second.key_id:
                check_sm2_signature(key.public_key, second.signature, envelope.pae)
                return key
    return None


def check_time_stamp(found: Inspection) -> str:
    """The token is over this envelope, under a trusted authority's root."""
    found.stamp = check_token(found.seal(TOKEN_FILE), found.seal(ENVELOPE_FILE), found.trust.tsa_roots)
    return f"{found.stamp.made_at.isoformat()} by {found.stamp.authority}"


def check_times(found: Inspection) -> str:
    """captured <= genTime <= captured + allowed delay, each with its stated tolerance.

    A supplement has no last moment: a correction may come months later, and its time says so.
    """
    event, stamp = known(found.event, "event"), known(found.stamp, "time-stamp")
    supplement = known(found.info, "bag-info").supplement
    captured_at = moment_of(event["captured_at"], "the event's captured_at")
    ahead = stamp.accuracy + timedelta(seconds=found.policy.clock_tolerance_s)
    if captured_at - stamp.made_at > ahead:
        raise EvidenceBroken(f"time-stamped at {stamp.made_at.isoformat()}, before it was captured")
    delay = stamp.made_at - captured_at
    if not supplement and delay > timedelta(seconds=found.policy.allowed_delay_s) + stamp.accuracy:
        raise EvidenceBroken(
            f"time-stamped {delay} after capture; the policy allows {found.policy.allowed_delay_s} s"
        )
    first = "; that it was captured then is for its first package to show" if supplement else ""
    return f"time-stamped {max(delay, timedelta(0))} after capture{first}"


def check_entry(found: Inspection) -> str:
    """The log's entry holds the digests of tag manifest, envelope and token."""
    digest = sha256_of(found.read(TAG_MANIFEST))
    leaf = entry_leaf(digest, found.seal(ENVELOPE_FILE), found.seal(TOKEN_FILE))
    if found.seal(ENTRY_FILE) != leaf:
        raise EvidenceBroken("the log entry does not hold the digests of tag manifest, envelope and token")
    return "holds tag manifest, envelope and token"
