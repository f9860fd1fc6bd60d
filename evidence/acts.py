"""Acts as statements: signed by the officer's own key first, countersigned by the service.

Whose a key is, is itself a logged statement (`urn:x-zhichao:keys:v1`, what: officer-key): signed by the
service, and by the key, to show that it is held. A verifier believes an act if

1. its first signature is by a key that such a statement gives to the very officer the act names;
2. its second signature is by a service key of the trust file;
3. in the log the key's statement stands before the act, and the statement that ended the key, if there is
   one, after it: the order of leaves, nobody's clock.

So the service alone makes no officer's act. It could register a key of its own in an officer's name: that
stands in the log for ever, and the officer's list of keys (`zhichao evidence officers`) shows it.
"""

import re
from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from typing import NamedTuple

from domain.acts import SERVICE_ALONE, Act, ActKind, SignedAct
from domain.errors import EvidenceBroken
from domain.ids import EventId, OfficerId, Sha256, sha256_of
from domain.units import utc_text
from evidence.dsse import Envelope, sign_envelope
from evidence.officer_keys import OfficerKey
from evidence.parsing import Json, base64_of, base64_text, canonical_json, moment_of
from evidence.signing import Signer, key_id
from evidence.statements import ENVELOPE_FILE, KEYS, STATEMENT_TYPE, check_statement, statement_leaf

ACT = "urn:x-zhichao:act:v1"

_DIGEST = re.compile("[0-9a-f]{64}")

_MEMBERS = {
    "act_id",
    "kind",
    "officer",
    "licence",
    "event",
    "subject",
    "reason",
    "made_at",
    "corrects",
    "detail",
}


class RegisteredKey(NamedTuple):
    """An officer's key as logged statements tell of it."""

    officer: OfficerId
    public_key: bytes
    registered_at: int
    """Index in the log of the statement that names it."""
    ended_at: int | None = None
    """Index of the statement that ended it."""


class KeyEntry(NamedTuple):
    """A logged statement on an officer's key."""

    leaf_index: int
    envelope: bytes


def sign_act(act: Act, key: OfficerKey | None, service: Signer) -> SignedAct:
    """Sign an act and make its entry in the log.

    Raises
    ------
    EvidenceBroken
        The key is another officer's, or there is none and the act is not one of the service alone.
    """
    if key is None and act.kind not in SERVICE_ALONE:
        raise EvidenceBroken(f"a {act.kind} is signed by an officer; the service alone cannot")
    if key is not None and key.officer != act.officer:
        raise EvidenceBroken(f"the key of officer {key.officer} cannot sign an act of officer {act.officer}")
    statement = _statement(ACT, _subjects(act), _predicate(act))
    envelope = sign_envelope(statement, service) if key is None else sign_envelope(statement, key, service)
    return SignedAct(envelope, statement_leaf(envelope), None if key is None else key.key_id)


def check_act(
    envelope: bytes,
    leaf_index: int | None,
    *,
    officers: Mapping[str, RegisteredKey],
    services: Sequence[bytes],
) -> Act:
    """Check who signed an act, and return it.

    Parameters
    ----------
    envelope
        As it was stored.
    leaf_index
        Where its entry stands in the log; None while it waits to be logged.
    officers
        Registered keys by id, as `officer_keys_of` returns them.
    services
        The trust file's service keys.

    Raises
    ------
    EvidenceBroken
        It is malformed, or one of the rules of this module does not hold.
    """
    parsed = Envelope.parse(envelope)
    act = _act_of(parsed.statement)
    if len(parsed.signatures) == 1:
        if act.kind not in SERVICE_ALONE:
            raise EvidenceBroken(
                f"the service alone signed this {act.kind}; an officer's signature is missing"
            )
        check_statement(envelope, services, ACT)
        return act
    key = officers.get(parsed.key_id)
    if key is None:
        raise EvidenceBroken(f"no logged statement gives the key {parsed.key_id[:80]} to an officer")
    if key.officer != act.officer:
        raise EvidenceBroken(f"signed by the key of officer {key.officer}, not of officer {act.officer}")
    parsed.check(key.public_key)
    countersigner = next((one for one in services if key_id(one) == parsed.signatures[1].key_id), None)
    if countersigner is None:
        raise EvidenceBroken("the countersignature is not by a trusted service key")
    parsed.check_second(countersigner)
    _check_order(key, leaf_index)
    return act


def sign_officer_key(key: OfficerKey, service: Signer, *, at: datetime) -> bytes:
    """Return the envelope that gives a key to an officer: signed by the service, then by the key itself."""
    predicate = {
        "what": "officer-key",
        "officer": key.officer,
        "ed25519": base64_text(key.public_key),
        "made_at": utc_text(at),
    }
    return sign_envelope(_statement(KEYS, [("officer-key", key.key_id)], predicate), service, key)


def sign_officer_key_end(
    ended: Sha256, officer: OfficerId, service: Signer, *, at: datetime, reason: str
) -> bytes:
    """Return the envelope that ends an officer's key, signed by the service."""
    predicate = {"what": "officer-key-end", "officer": officer, "reason": reason, "made_at": utc_text(at)}
    return sign_envelope(_statement(KEYS, [("officer-key", ended)], predicate), service)


def officer_keys_of(entries: Iterable[KeyEntry], services: Sequence[bytes]) -> dict[str, RegisteredKey]:
    """Return officers' keys by id, as logged statements in the order of the log give and end them.

    Raises
    ------
    EvidenceBroken
        A statement does not hold, gives one key twice, or ends one that was not given or has ended.
    """
    keys: dict[str, RegisteredKey] = {}
    for index, envelope in sorted(entries):
        statement = check_statement(envelope, services, KEYS)
        named, predicate = _named_key(statement), statement["predicate"]
        known = keys.get(named)
        match predicate.get("what"):
            case "officer-key" if known is None:
                keys[named] = _registered(envelope, named, predicate, index)
            case "officer-key-end" if known is not None and known.ended_at is None:
                if predicate.get("officer") != known.officer:
                    raise EvidenceBroken(f"a statement ends the key {named} as another officer's")
                keys[named] = known._replace(ended_at=index)
            case _:
                raise EvidenceBroken(f"a statement on the key {named} does not follow from those before it")
    return keys


def envelope_digest(envelope: bytes) -> Sha256:
    """Return the digest by which a later act names this one."""
    return sha256_of(envelope)


def leaf_of_digest(digest: Sha256) -> bytes:
    """Return the log entry of a statement of which only its envelope's digest is left."""
    return f"{digest}  {ENVELOPE_FILE}\n".encode()


def subjects_of(statement: Json) -> tuple[tuple[str, Sha256], ...]:
    """Return names and digests of what a statement is about; raises `EvidenceBroken` where malformed."""
    try:
        named = [(one["name"], one["digest"]["sha256"]) for one in statement["subject"]]
    except (TypeError, KeyError):
        named = [(None, None)]
    if not all(isinstance(name, str) and is_digest(digest) for name, digest in named):
        raise EvidenceBroken("the statement's subjects are malformed")
    return tuple((name, Sha256(digest)) for name, digest in named)


def is_digest(value: object) -> bool:
    """Say whether a value that somebody else wrote is a SHA-256 digest in its one spelling."""
    return isinstance(value, str) and _DIGEST.fullmatch(value) is not None


def _registered(envelope: bytes, named: str, predicate: Json, index: int) -> RegisteredKey:
    officer, written = predicate.get("officer"), predicate.get("ed25519")
    if not isinstance(officer, str) or not isinstance(written, str):
        raise EvidenceBroken("a statement on an officer's key names no officer or no key")
    public_key = base64_of(written, "an officer's key")
    if key_id(public_key) != named:
        raise EvidenceBroken("a statement on an officer's key is about another key than it holds")
    Envelope.parse(envelope).check_second(public_key)
    return RegisteredKey(OfficerId(officer), public_key, index)


def _named_key(statement: Json) -> str:
    subjects = statement["subject"]
    try:
        (subject,) = subjects
        named = subject["digest"]["sha256"]
    except (TypeError, ValueError, KeyError):
        named = None
    if not isinstance(named, str) or not isinstance(statement["predicate"], dict):
        raise EvidenceBroken("a statement on an officer's key names not exactly one key")
    return named


def _check_order(key: RegisteredKey, leaf_index: int | None) -> None:
    if leaf_index is None:
        return
    if leaf_index <= key.registered_at:
        raise EvidenceBroken("it stands in the log before the statement that gives its key to the officer")
    if key.ended_at is not None and leaf_index >= key.ended_at:
        raise EvidenceBroken(f"the officer's key had ended, at entry {key.ended_at} of the log")


def _statement(predicate_type: str, subjects: Iterable[tuple[str, Sha256]], predicate: Json) -> Json:
    return {
        "_type": STATEMENT_TYPE,
        "subject": [{"name": name, "digest": {"sha256": digest}} for name, digest in subjects],
        "predicateType": predicate_type,
        "predicate": predicate,
    }


def _subjects(act: Act) -> Sequence[tuple[str, Sha256]]:
    """Digests of what was acted on; where there are none, of the act's own words."""
    return act.digests or (("act", sha256_of(canonical_json(_predicate(act)))),)


def _predicate(act: Act) -> Json:
    return {
        "act_id": act.act_id,
        "kind": act.kind.value,
        "officer": act.officer,
        "licence": act.licence,
        "event": act.event,
        "subject": act.subject,
        "reason": act.reason,
        "made_at": utc_text(act.made_at),
        "corrects": act.corrects,
        "detail": act.detail,
    }


def _act_of(statement: Json) -> Act:
    if set(statement) != {"_type", "subject", "predicateType", "predicate"}:
        raise EvidenceBroken("the payload is not an in-toto statement")
    if (statement["_type"], statement["predicateType"]) != (STATEMENT_TYPE, ACT):
        raise EvidenceBroken(f"the statement is not of the type {ACT}")
    predicate = statement["predicate"]
    if not isinstance(predicate, dict) or set(predicate) != _MEMBERS:
        raise EvidenceBroken("the statement has other members than an act")
    text_or_none = [predicate[name] for name in ("officer", "licence", "event", "corrects")]
    text = [predicate[name] for name in ("act_id", "subject", "reason")]
    if not all(isinstance(one, str) for one in text) or not isinstance(predicate["detail"], dict):
        raise EvidenceBroken("the act's id, subject or reason is no text, or its detail no object")
    if not all(one is None or isinstance(one, str) for one in text_or_none):
        raise EvidenceBroken("the act's officer, licence, event or correction is no text")
    try:
        kind = ActKind(predicate["kind"])
    except (ValueError, TypeError):
        raise EvidenceBroken("the act is of no known kind") from None
    digests = subjects_of(statement)
    officer, licence, event, corrects = text_or_none
    return Act(
        act_id=predicate["act_id"],
        kind=kind,
        officer=None if officer is None else OfficerId(officer),
        licence=licence,
        event=None if event is None else EventId(event),
        subject=predicate["subject"],
        reason=predicate["reason"],
        digests=digests,
        made_at=moment_of(predicate["made_at"], "the act's time"),
        corrects=None if corrects is None else Sha256(corrects),
        detail=predicate["detail"],
    )
