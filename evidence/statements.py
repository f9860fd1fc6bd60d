"""What is signed and logged: in-toto Statements v1 about packages, captures, decisions and keys.

Each names its subjects by SHA-256, so that a statement and its log entry carry no personal data
beyond what the acting software puts into a decision. The log's leaf is never the statement itself but lines
in the form of `sha256sum`, which anyone can check with that tool.
"""

import hashlib
from collections.abc import Sequence
from datetime import datetime
from typing import Any

from domain.errors import EvidenceBroken
from domain.ids import EventId, Sha256
from domain.units import utc_text
from evidence.dsse import Envelope, sign_envelope
from evidence.note import VerifierKey
from evidence.package import SEAL, TAG_MANIFEST, BuiltPackage
from evidence.parsing import Json, base64_text, canonical_json
from evidence.signing import Signer, key_id

STATEMENT_TYPE = "https://in-toto.io/Statement/v1"
PACKAGE = "urn:x-zhichao:evidence-package:v1"
CAPTURES = "urn:x-zhichao:captures:v1"
DECISION = "urn:x-zhichao:decision:v1"
KEYS = "urn:x-zhichao:keys:v1"
TRUST_FILE = "trust-file"

ENVELOPE_FILE = "statement.dsse.json"
TOKEN_FILE = "statement.tsr"  # noqa: S105 - a file name


def sign_statement(
    built: BuiltPackage, contents_summary: Json, signer: Signer, second: Signer | None = None
) -> bytes:
    """Return the envelope that says what a built package is.

    Parameters
    ----------
    built
        The package, as `package.build` returned it.
    contents_summary
        What the reader should see of the content without opening it; integers and text only.
    signer
        The service's key.
    second
        Who signs the same bytes after it, by another algorithm.
    """
    predicate = {
        "event_id": built.event_id,
        "supplement": built.supplement,
        "predecessor": built.predecessor_tagmanifest,
        "summary": contents_summary,
    }
    return sign_envelope(_statement(PACKAGE, [(TAG_MANIFEST, built.tagmanifest)], predicate), signer, second)


def sign_capture_statement(items: Sequence[tuple[EventId, Sha256]], signer: Signer, at: datetime) -> bytes:
    """Return the envelope that fixes digests of originals before anything is read from them.

    Raises
    ------
    EvidenceBroken
        There are no items.
    """
    if not items:
        raise EvidenceBroken("a capture statement needs at least one original")
    return sign_envelope(_statement(CAPTURES, list(items), {"made_at": utc_text(at)}), signer)


def sign_decision(decision: Json, signer: Signer) -> bytes:
    """Return the envelope of a review decision; its subject is the decision's own canonical JSON."""
    digest = hashlib.sha256(canonical_json(decision)).hexdigest()
    return sign_envelope(_statement(DECISION, [("decision", digest)], decision), signer)


def sign_rotation(role: str, ended: Signer, follower: Signer, *, at: datetime, valid_to: datetime) -> bytes:
    """Return the envelope by which a key names its follower, who signs second to show that it is held."""
    return sign_envelope(_rotation(role, ended, follower, at, valid_to), ended, follower)


def sign_witness_change(
    ended: VerifierKey, follower: VerifierKey, signer: Signer, *, at: datetime, valid_to: datetime
) -> bytes:
    """Return the envelope by which a witness apart follows another; it does not sign: its key is not here."""
    return sign_envelope(_rotation("witness", ended, follower, at, valid_to), signer)


def sign_revocation(
    role: str, revoked: Sha256, signer: Signer, *, at: datetime, revoked_at: datetime, reason: str
) -> bytes:
    """Return the envelope that says from when on a key counts no more, signed by the service."""
    predicate = {
        "what": "revocation",
        "role": role,
        "reason": reason,
        "revoked_at": utc_text(revoked_at),
        "made_at": utc_text(at),
    }
    return sign_envelope(_statement(KEYS, [("revoked", revoked)], predicate), signer)


def sign_trust_file(digest: Sha256, signer: Signer, *, at: datetime) -> bytes:
    """Return the envelope that says which trust file was published, signed by the service."""
    predicate = {"what": TRUST_FILE, "made_at": utc_text(at)}
    return sign_envelope(_statement(KEYS, [(TRUST_FILE, digest)], predicate), signer)


def check_statement(envelope: bytes, service_keys: Sequence[bytes], predicate_type: str) -> Json:
    """Check an envelope by any of the trusted service keys, and return its statement.

    Raises
    ------
    EvidenceBroken
        It is malformed, signed by a key not trusted, or of another predicate type.
    """
    parsed = Envelope.parse(envelope)
    public_key = next((key for key in service_keys if key_id(key) == parsed.key_id), None)
    if public_key is None:
        raise EvidenceBroken(f"the statement is signed by the key {parsed.key_id[:80]}, which is not trusted")
    parsed.check(public_key)
    statement = parsed.statement
    if set(statement) != {"_type", "subject", "predicateType", "predicate"}:
        raise EvidenceBroken("the payload is not an in-toto statement")
    if (statement["_type"], statement["predicateType"]) != (STATEMENT_TYPE, predicate_type):
        raise EvidenceBroken(f"the statement is not of the type {predicate_type}")
    return statement


def entry_leaf(tagmanifest: Sha256, envelope: bytes, token: bytes) -> bytes:
    """Return a package's log entry: three lines for `sha256sum -c`, run in the package's folder."""
    lines = (
        (tagmanifest, TAG_MANIFEST),
        (hashlib.sha256(envelope).hexdigest(), f"{SEAL}/{ENVELOPE_FILE}"),
        (hashlib.sha256(token).hexdigest(), f"{SEAL}/{TOKEN_FILE}"),
    )
    return "".join(f"{digest}  {path}\n" for digest, path in lines).encode()


def statement_leaf(envelope: bytes) -> bytes:
    """Return the log entry of a capture or decision statement: one line for `sha256sum -c`."""
    return f"{hashlib.sha256(envelope).hexdigest()}  {ENVELOPE_FILE}\n".encode()


def _rotation(
    role: str, ended: Signer | VerifierKey, follower: Signer | VerifierKey, at: datetime, valid_to: datetime
) -> Json:
    predicate = {
        "what": "rotation",
        "role": role,
        "name": ended.name,
        "ended": base64_text(ended.public_key),
        "follower": base64_text(follower.public_key),
        "valid_to": utc_text(valid_to),
        "made_at": utc_text(at),
    }
    subjects = [("ended", key_id(ended.public_key)), ("follower", key_id(follower.public_key))]
    return _statement(KEYS, subjects, predicate)


def _statement(predicate_type: str, subjects: Sequence[tuple[str, str]], predicate: dict[str, Any]) -> Json:
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects],
        "predicateType": predicate_type,
        "predicate": predicate,
    }
