"""DSSE, the Dead Simple Signing Envelope, version 1.0.2 of its protocol, with one Ed25519 signature.

An envelope is stored as RFC 8785 JSON with canonical base64, so that it has one spelling only.
"""

from typing import NamedTuple

from domain.errors import EvidenceBroken
from evidence.parsing import Json, base64_of, base64_text, canonical_json, document_of
from evidence.signing import Signer, check_signature, key_id

PAYLOAD_TYPE = "application/vnd.in-toto+json"


class Envelope(NamedTuple):
    """A signed payload, read but not verified."""

    payload: bytes
    key_id: str
    signature: bytes

    @classmethod
    def parse(cls, data: bytes) -> "Envelope":
        """Read an envelope.

        Raises
        ------
        EvidenceBroken
            It is not in its one spelling, of another payload type, or not signed exactly once.
        """
        document = document_of(data, "the envelope")
        signatures = document.get("signatures")
        if set(document) != {"payload", "payloadType", "signatures"} or not isinstance(signatures, list):
            raise EvidenceBroken("the envelope has other members than payload, payloadType and signatures")
        if document["payloadType"] != PAYLOAD_TYPE:
            raise EvidenceBroken(f"the envelope's payload type is not {PAYLOAD_TYPE}")
        if (
            len(signatures) != 1
            or not isinstance(signatures[0], dict)
            or set(signatures[0]) != {"keyid", "sig"}
        ):
            raise EvidenceBroken("the envelope does not carry exactly one signature with its keyid")
        fields = (document["payload"], signatures[0]["keyid"], signatures[0]["sig"])
        if not all(isinstance(field, str) for field in fields):
            raise EvidenceBroken("the envelope's members are not all strings")
        payload, keyid, signature = fields
        return cls(base64_of(payload, "the payload"), keyid, base64_of(signature, "the signature"))

    @property
    def pae(self) -> bytes:
        """The bytes that are signed."""
        return pre_authentication_encoding(PAYLOAD_TYPE, self.payload)

    @property
    def statement(self) -> Json:
        """The payload as a JSON document; trust it only after `check`."""
        return document_of(self.payload, "the statement")

    def check(self, public_key: bytes) -> None:
        """Check the signature under a key from outside; raises `EvidenceBroken`."""
        if self.key_id != key_id(public_key):
            raise EvidenceBroken("the envelope names another key than the one it is checked with")
        check_signature(public_key, self.signature, self.pae, "the statement's signature")


def sign_envelope(statement: Json, signer: Signer) -> bytes:
    """Return a statement in an envelope; the same statement and key give the same bytes (RFC 8032)."""
    payload = canonical_json(statement)
    signature = signer.sign(pre_authentication_encoding(PAYLOAD_TYPE, payload))
    return canonical_json(
        {
            "payload": base64_text(payload),
            "payloadType": PAYLOAD_TYPE,
            "signatures": [{"keyid": key_id(signer.public_key), "sig": base64_text(signature)}],
        }
    )


def pre_authentication_encoding(payload_type: str, payload: bytes) -> bytes:
    """Return PAE(type, body) of the DSSE protocol."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)
