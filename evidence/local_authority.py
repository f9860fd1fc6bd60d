"""A time-stamp authority in this process, for tests and the demo: NOT FOR EVIDENCE.

It takes the machine's own clock, which is just what an authority must not be; its certificates say
so in their names, and a trust file for real use leaves its root out. The tokens are complete:
RFC 3161 responses with CMS SignedData (RFC 5652) and a signing-certificate attribute (RFC 5816).
"""

import hashlib
import secrets
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated

from cryptography import x509
from cryptography.hazmat import asn1
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec

from domain.errors import ConfigurationError
from evidence.keys import load_certificate, load_private

_Oid = x509.ObjectIdentifier

_SIGNED_DATA = _Oid("1.2.840.113549.1.7.2")
_TST_INFO = _Oid("1.2.840.113549.1.9.16.1.4")
_CONTENT_TYPE = _Oid("1.2.840.113549.1.9.3")
_MESSAGE_DIGEST = _Oid("1.2.840.113549.1.9.4")
_SIGNING_CERTIFICATE_V2 = _Oid("1.2.840.113549.1.9.16.2.47")
_SHA256 = _Oid("2.16.840.1.101.3.4.2.1")
_ECDSA_WITH_SHA256 = _Oid("1.2.840.10045.4.3.2")
_TEST_POLICY = _Oid("2.999.3161")
"""Below 2.999, which ITU-T X.660 sets aside for examples."""

_ACCURACY_S = 1


@asn1.sequence
class _Algorithm:
    algorithm: _Oid


@asn1.sequence
class _Imprint:
    hash_algorithm: _Algorithm
    hashed_message: bytes


@asn1.sequence
class _Accuracy:
    seconds: int


@asn1.sequence
class _TstInfo:
    version: int
    policy: _Oid
    message_imprint: _Imprint
    serial_number: int
    gen_time: asn1.GeneralizedTime
    accuracy: _Accuracy


@asn1.sequence
class _EssCertIdV2:
    cert_hash: bytes


@asn1.sequence
class _SigningCertificateV2:
    certs: list[_EssCertIdV2]


@asn1.sequence
class _Attribute:
    type: _Oid
    values: asn1.SetOf[asn1.TLV]


@asn1.sequence
class _IssuerAndSerial:
    issuer: asn1.TLV
    serial_number: int


@asn1.sequence
class _SignerInfo:
    version: int
    sid: _IssuerAndSerial
    digest_algorithm: _Algorithm
    signed_attributes: Annotated[asn1.SetOf[_Attribute], asn1.Implicit(0)]
    signature_algorithm: _Algorithm
    signature: bytes


@asn1.sequence
class _EncapsulatedContent:
    content_type: _Oid
    content: Annotated[bytes, asn1.Explicit(0)]


@asn1.sequence
class _SignedData:
    version: int
    digest_algorithms: asn1.SetOf[_Algorithm]
    content: _EncapsulatedContent
    certificates: Annotated[asn1.SetOf[asn1.TLV], asn1.Implicit(0)]
    signer_infos: asn1.SetOf[_SignerInfo]


@asn1.sequence
class _Token:
    content_type: _Oid
    content: Annotated[_SignedData, asn1.Explicit(0)]


@asn1.sequence
class _Status:
    status: int


@asn1.sequence
class _Response:
    status: _Status
    token: _Token


def _now() -> datetime:
    return datetime.now(UTC)


class LocalTestAuthority:
    """The test authority whose key and certificates `keys.create_keys` made.

    Parameters
    ----------
    keys_folder
        Holds tsa.pem, tsa.crt and tsa-root.crt.
    clock
        Gives the time to confirm, UTC.

    Raises
    ------
    ConfigurationError
        A file is missing, open to others, or of the wrong kind.
    """

    def __init__(self, keys_folder: Path, *, clock: Callable[[], datetime] = _now) -> None:
        key = load_private(keys_folder / "tsa.pem")
        if not isinstance(key, ec.EllipticCurvePrivateKey):
            raise ConfigurationError(f"{keys_folder / 'tsa.pem'} is not the test authority's key")
        self._key = key
        self._certificate = load_certificate(keys_folder / "tsa.crt")
        self._clock = clock

    def stamp(self, data: bytes) -> bytes:
        """Return an RFC 3161 response over `data` in DER."""
        info = asn1.encode_der(
            _TstInfo(
                version=1,
                policy=_TEST_POLICY,
                message_imprint=_Imprint(
                    hash_algorithm=_Algorithm(algorithm=_SHA256), hashed_message=hashlib.sha256(data).digest()
                ),
                serial_number=secrets.randbits(63) + 1,
                gen_time=asn1.GeneralizedTime(self._clock().astimezone(UTC).replace(microsecond=0)),
                accuracy=_Accuracy(seconds=_ACCURACY_S),
            )
        )
        certificate = self._certificate.public_bytes(serialization.Encoding.DER)
        signed = _SignedData(
            version=3,  # RFC 5652 section 5.1: the content is not id-data
            digest_algorithms=asn1.SetOf([_Algorithm(algorithm=_SHA256)]),
            content=_EncapsulatedContent(content_type=_TST_INFO, content=info),
            certificates=asn1.SetOf([asn1.decode_der(asn1.TLV, certificate)]),
            signer_infos=asn1.SetOf([self._signer_info(info, certificate)]),
        )
        token = _Token(content_type=_SIGNED_DATA, content=signed)
        return asn1.encode_der(_Response(status=_Status(status=0), token=token))

    def _signer_info(self, info: bytes, certificate: bytes) -> _SignerInfo:
        ess = _SigningCertificateV2(certs=[_EssCertIdV2(cert_hash=hashlib.sha256(certificate).digest())])
        attributes = asn1.SetOf(
            [
                _attribute(_CONTENT_TYPE, asn1.encode_der(_TST_INFO)),
                _attribute(_MESSAGE_DIGEST, asn1.encode_der(hashlib.sha256(info).digest())),
                _attribute(_SIGNING_CERTIFICATE_V2, asn1.encode_der(ess)),
            ]
        )
        issuer = asn1.decode_der(asn1.TLV, self._certificate.issuer.public_bytes())
        return _SignerInfo(
            version=1,
            sid=_IssuerAndSerial(issuer=issuer, serial_number=self._certificate.serial_number),
            digest_algorithm=_Algorithm(algorithm=_SHA256),
            signed_attributes=attributes,
            signature_algorithm=_Algorithm(algorithm=_ECDSA_WITH_SHA256),
            # RFC 5652 section 5.4: signed with the plain SET OF tag, not the implicit one it travels with.
            signature=self._key.sign(_set_of(attributes), ec.ECDSA(hashes.SHA256())),
        )


@asn1.sequence
class _SetHolder:
    attributes: asn1.SetOf[_Attribute]


def _set_of(attributes: "asn1.SetOf[_Attribute]") -> bytes:
    """Return the DER of the set alone: a sequence of one member, without the sequence's header."""
    holder = asn1.decode_der(asn1.TLV, asn1.encode_der(_SetHolder(attributes=attributes)))
    return bytes(holder.data)


def _attribute(kind: _Oid, value: bytes) -> _Attribute:
    return _Attribute(type=kind, values=asn1.SetOf([asn1.decode_der(asn1.TLV, value)]))
