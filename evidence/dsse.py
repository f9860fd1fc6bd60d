"""DSSE, the Dead Simple Signing Envelope, version 1.0.2 of its protocol, with one signature or two.

An envelope is stored as RFC 8785 JSON with canonical base64, so that it has one spelling only. The first
signature is the one that decides, always Ed25519; a second one vouches for the same bytes: another
algorithm's, or a countersignature.
"""

from collections.abc import Sequence
from typing import Any, NamedTuple

from domain.errors import EvidenceBroken
from evidence.parsing import Json, base64_of, base64_text, canonical_json, document_of
from evidence.signing import Signer, check_signature, key_id

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MAX_SIGNATURES = 2


class EnvelopeSignature(NamedTuple):
    """One signature and the id of the key it names, read but not verified."""

    key_id: str
    signature: bytes


class Envelope(NamedTuple):
    """A signed payload, read but not verified."""

    payload: bytes
    signatures: tuple[EnvelopeSignature, ...]

    @classmethod
    def parse(cls, data: bytes) -> "Envelope":
        """Read an envelope.

        Raises
        ------
        EvidenceBroken
            It is not in its one spelling, of another payload type, or not signed once or twice.
        """
        document = document_of(data, "the envelope")
        signatures = document.get("signatures")
        if set(document) != {"payload", "payloadType", "signatures"} or not isinstance(signatures, list):
            raise EvidenceBroken("the envelope has other members than payload, payloadType and signatures")
        if document["payloadType"] != PAYLOAD_TYPE:
            raise EvidenceBroken(f"the envelope's payload type is not {PAYLOAD_TYPE}")
        if not isinstance(document["payload"], str):
            raise EvidenceBroken("the envelope's payload is not a string")
        if not 1 <= len(signatures) <= MAX_SIGNATURES:
            raise EvidenceBroken(
                f"the envelope carries {len(signatures)} signatures; one or two belong there"
            )
        read = tuple(map(_signature_of, signatures))
        if len({signature.key_id for signature in read}) != len(read):
            raise EvidenceBroken("the envelope is signed twice with one key")
        return cls(base64_of(document["payload"], "the payload"), read)

    @property
    def key_id(self) -> str:
        """The key that the first signature names."""
        return self.signatures[0].key_id

    @property
    def signature(self) -> bytes:
        """The first signature."""
        return self.signatures[0].signature

    @property
    def pae(self) -> bytes:
        """The bytes that are signed."""
        return pre_authentication_encoding(PAYLOAD_TYPE, self.payload)

    @property
    def statement(self) -> Json:
        """The payload as a JSON document; trust it only after `check`."""
        return document_of(self.payload, "the statement")

    def check(self, public_key: bytes) -> None:
        """Check the first signature under a key from outside; raises `EvidenceBroken`."""
        if self.key_id != key_id(public_key):
            raise EvidenceBroken("the envelope names another key than the one it is checked with")
        check_signature(public_key, self.signature, self.pae, "the statement's signature")

    def check_second(self, public_key: bytes) -> None:
        """Check the second signature, Ed25519 too, under a key from outside; raises `EvidenceBroken`."""
        if len(self.signatures) < MAX_SIGNATURES or self.signatures[1].key_id != key_id(public_key):
            raise EvidenceBroken("the envelope has no second signature by the key it is checked with")
        check_signature(
            public_key, self.signatures[1].signature, self.pae, "the statement's second signature"
        )


def sign_envelope(statement: Json, signer: Signer, second: Signer | None = None) -> bytes:
    """Return a statement in an envelope; the same statement and Ed25519 keys give the same bytes."""
    payload = canonical_json(statement)
    message = pre_authentication_encoding(PAYLOAD_TYPE, payload)
    signers: Sequence[Signer] = (signer,) if second is None else (signer, second)
    return canonical_json(
        {
            "payload": base64_text(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [
                {"keyid": key_id(one.public_key), "sig": base64_text(one.sign(message))} for one in signers
            ],
        }
    )


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return PAE(type, body) of the DSSE protocol."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def _signature_of(entry: Any) -> EnvelopeSignature:
    if not isinstance(entry, dict) or set(entry) != {"keyid", "sig"}:
        raise EvidenceBroken("a signature of the envelope has other members than keyid and sig")
    if not all(isinstance(field, str) for field in entry.values()):
        raise EvidenceBroken("the envelope's members are not all strings")
    return EnvelopeSignature(entry["keyid"], base64_of(entry["sig"], "the signature"))
