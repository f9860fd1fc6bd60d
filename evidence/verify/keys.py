"""The keys: each that signed was alive when the witness saw the entry, by the trust file's own dates."""

from collections.abc import Iterator
from datetime import datetime

from evidence.authority_life import check_living_token
from evidence.dsse import Envelope
from evidence.statements import ENVELOPE_FILE, TOKEN_FILE
from evidence.verify.inspection import Inspection, known
from evidence.verify.log import check_stamped_first
from evidence.witnessed import witnessed


def check_keys(found: Inspection) -> str:
    """The keys of service, authority, log and witness were valid, and not revoked, when it was witnessed."""
    if not found.trust.lives:
        return "the trust file bounds no key's life"
    at, notes = _witnessed(found)
    notes += [found.trust.life_of(key).check(at, whose) for key, whose in _signers(found)]
    known(found.stamp, "time-stamp")
    notes.append(check_living_token(found.seal(TOKEN_FILE), found.seal(ENVELOPE_FILE), found.trust, at).note)
    return "; ".join(note for note in notes if note) or f"all valid at {at.isoformat()}"


def _witnessed(found: Inspection) -> tuple[datetime, list[str]]:
    """Return the time the witnesses vouch for; one that only ended keys claim is bounded by the token."""
    known(found.witnessed_at, "witness")
    seen = witnessed(known(found.proof, "inclusion").signed, found.trust)
    if not seen.standing:
        check_stamped_first(found)
    return seen.at, list(seen.notes)


def _signers(found: Inspection) -> Iterator[tuple[bytes, str]]:
    """Yield the keys of service and log that signed, with what they are called."""
    envelope = Envelope.parse(found.seal(ENVELOPE_FILE))
    for service in found.trust.services:
        if service.key_id == envelope.key_id:
            yield service.public_key, f"the service key {service.key_id[:16]}..."
    for second in found.trust.sm2:
        if second.key_id in {signature.key_id for signature in envelope.signatures[1:]}:
            yield second.public_key, f"the SM2 key {second.key_id[:16]}..."
    signed = known(found.proof, "inclusion").signed
    for log in signed.note.signers(found.trust.logs):
        yield log.public_key, f"the log key {log}"
