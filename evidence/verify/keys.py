"""The keys: each that signed was alive when the witness saw the entry, by the trust file's own dates."""

from collections.abc import Iterator
from datetime import UTC, datetime

from domain.errors import EvidenceBroken
from evidence.dsse import Envelope
from evidence.statements import ENVELOPE_FILE, TOKEN_FILE
from evidence.timestamp import check_token
from evidence.verify.inspection import Inspection, known


def check_keys(found: Inspection) -> str:
    """The keys of service, authority, log and witness were valid, and not revoked, when it was witnessed."""
    if not found.trust.lives:
        return "the trust file bounds no key's life"
    at, notes = _witnessed(found)
    notes += [found.trust.life_of(key).check(at, whose) for key, whose in _signers(found)]
    notes.append(_check_authority(found, at))
    return "; ".join(note for note in notes if note) or f"all valid at {at.isoformat()}"


def _witnessed(found: Inspection) -> tuple[datetime, list[str]]:
    """Return the first time vouched for by a witness whose own key was alive then."""
    known(found.witnessed_at, "witness")
    signed = known(found.proof, "inclusion").signed
    present = {(line.name, line.key_id) for line in signed.note.signatures}
    alive: list[tuple[datetime, str]] = []
    dead: list[EvidenceBroken] = []
    for key in found.trust.witnesses:
        if (key.name, key.key_id) not in present:
            continue
        at = datetime.fromtimestamp(signed.check_witness(key), UTC)
        try:
            alive.append((at, found.trust.life_of(key.public_key).check(at, f"the witness key {key}")))
        except EvidenceBroken as error:
            dead.append(error)
    if not alive:
        raise dead[0]
    return min(alive)[0], [note for _, note in alive]


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
    present = {(line.name, line.key_id) for line in signed.note.signatures}
    for log in found.trust.logs:
        if (log.name, log.key_id) in present:
            yield log.public_key, f"the log key {log}"


def _check_authority(found: Inspection, at: datetime) -> str:
    """Check the token under one trusted root after the other, until one that was alive carries it."""
    token, envelope = found.seal(TOKEN_FILE), found.seal(ENVELOPE_FILE)
    failed: list[EvidenceBroken] = []
    for root in found.trust.tsa_roots:
        try:
            check_token(token, envelope, (root,))
        except EvidenceBroken:
            continue
        try:
            return found.trust.life_of(root).check(at, f"the authority {root.subject.rfc4514_string()}")
        except EvidenceBroken as error:
            failed.append(error)
    raise failed[0] if failed else EvidenceBroken("not reached: it builds on time-stamp, which does not hold")
