"""RFC 3161 time stamps: asking an authority for one, and checking one offline.

What is stored as `statement.tsr` is the authority's whole response (TimeStampResp, the form that
`openssl ts -verify -in` reads), byte for byte. Such a response can be altered without breaking its
signature, so it is trusted only together with the log entry that holds its digest.
"""

import hashlib
import urllib.error
import urllib.request
from datetime import UTC, datetime, timedelta
from typing import NamedTuple, Protocol
from urllib.parse import urlsplit

import rfc3161_client
from cryptography import x509
from rfc3161_client import TimeStampRequest, TimeStampResponse, VerificationError

from domain.errors import ConfigurationError, EvidenceBroken, ServiceUnavailable

_MAX_TOKEN_BYTES = 65_536
_COARSEST = timedelta(hours=1)
_SHA256 = x509.ObjectIdentifier("2.16.840.1.101.3.4.2.1")


class TimeAuthority(Protocol):
    """Somebody independent who confirms that bytes existed at a time."""

    def stamp(self, data: bytes) -> bytes:
        """Return an RFC 3161 response over the SHA-256 of `data`, in DER.

        Raises
        ------
        ServiceUnavailable
            No usable answer came; the package stays `awaiting-time` and is tried again.
        """


class Stamp(NamedTuple):
    """What a token says, once its signature holds."""

    made_at: datetime
    accuracy: timedelta
    """As stated by the authority; zero where it states none (RFC 3161 leaves that to its policy)."""
    authority: str
    """The signing certificate's subject."""


class HttpAuthority:
    """An RFC 3161 authority behind an HTTP or HTTPS address (section 3.4).

    Parameters
    ----------
    url
        The authority's address.
    timeout_s
        How long to wait for an answer.
    """

    def __init__(self, url: str, *, timeout_s: float = 10.0) -> None:
        if urlsplit(url).scheme not in ("http", "https"):
            raise ConfigurationError(f"a time-stamp authority is reached by http or https, not by {url!r}")
        self._url = url
        self._timeout_s = timeout_s

    def stamp(self, data: bytes) -> bytes:
        """Return the authority's response, checked for status, imprint and nonce, not yet for trust."""
        request = (
            rfc3161_client.TimestampRequestBuilder()
            .data(data)
            .hash_algorithm(rfc3161_client.base.HashAlgorithm.SHA256)
            .build()
        )
        token = self._ask(request.as_bytes())
        try:
            _check_answer(_decoded(token), request, data)
        except EvidenceBroken as error:
            raise ServiceUnavailable(
                f"the time-stamp authority {self._url} gave no usable answer: {error}"
            ) from None
        return token

    def _ask(self, body: bytes) -> bytes:
        headers = {"Content-Type": "application/timestamp-query"}
        request = urllib.request.Request(self._url, data=body, headers=headers, method="POST")  # noqa: S310 - scheme checked above
        try:
            with urllib.request.urlopen(request, timeout=self._timeout_s) as answer:  # noqa: S310
                token = answer.read(_MAX_TOKEN_BYTES + 1)
        except (urllib.error.URLError, OSError, ValueError) as error:
            raise ServiceUnavailable(
                f"the time-stamp authority {self._url} did not answer: {error}"
            ) from None
        if len(token) > _MAX_TOKEN_BYTES:
            raise ServiceUnavailable(
                f"the time-stamp authority {self._url} answered over {_MAX_TOKEN_BYTES} bytes"
            )
        return bytes(token)


def check_token(token: bytes, data: bytes, roots: tuple[x509.Certificate, ...]) -> Stamp:
    """Check a token's signature, imprint and chain, and return what it says.

    Certificates need to have been valid at the token's own time, not now.

    Raises
    ------
    EvidenceBroken
        Anything does not hold, or the bytes are no token.
    """
    if not roots:
        raise EvidenceBroken("the trust file names no time-stamp authority")
    response = _decoded(token)
    _check_imprint(response, data)
    builder = rfc3161_client.VerifierBuilder(roots=list(roots))
    try:
        builder.build().verify_message(response, data)
        signer = _signing_certificate(response)
        accuracy = _accuracy(response)
        made_at = response.tst_info.gen_time.astimezone(UTC)
    except VerificationError as error:
        raise EvidenceBroken(f"the time stamp does not hold: {error}") from None
    except Exception as error:  # noqa: BLE001 - two parsers with no documented set of errors, on hostile bytes
        raise EvidenceBroken(f"the time stamp cannot be read: {error}") from None
    if accuracy > _COARSEST:
        raise EvidenceBroken(f"the time stamp is accurate to {accuracy} only; that proves no time")
    return Stamp(made_at, accuracy, signer.subject.rfc4514_string())


def certificate_in(token: bytes) -> x509.Certificate:
    """Return the certificate of whoever signed a token, as the token carries it; nothing is verified.

    Raises
    ------
    EvidenceBroken
        The bytes are no token, or carry none.
    """
    response = _decoded(token)
    try:
        return _signing_certificate(response)
    except EvidenceBroken:
        raise
    except Exception as error:  # noqa: BLE001 - as in check_token
        raise EvidenceBroken(f"the time stamp cannot be read: {error}") from None


def _decoded(token: bytes) -> TimeStampResponse:
    try:
        response = rfc3161_client.decode_timestamp_response(token)
        status = response.status
    except Exception as error:  # noqa: BLE001 - as in check_token
        raise EvidenceBroken(f"the time stamp cannot be read: {error}") from None
    # RFC 3161, 2.4.2, lets "granted with modifications" (1) carry a token too: another one than was asked
    # for, and the status is not signed. None is sealed with it, so none is believed.
    if status != 0:
        raise EvidenceBroken(f"the authority did not grant the time stamp (status {status})")
    return response


def _check_answer(response: TimeStampResponse, request: TimeStampRequest, data: bytes) -> None:
    _check_imprint(response, data)
    if response.tst_info.nonce != request.nonce:
        raise EvidenceBroken("it answers another request: the nonce differs")


def _check_imprint(response: TimeStampResponse, data: bytes) -> None:
    try:
        imprint = response.tst_info.message_imprint
        algorithm, digest = imprint.hash_algorithm, imprint.message
    except Exception as error:  # noqa: BLE001 - as in check_token
        raise EvidenceBroken(f"the time stamp cannot be read: {error}") from None
    if algorithm != _SHA256:
        raise EvidenceBroken("the time stamp is not over a SHA-256 digest")
    if digest != hashlib.sha256(data).digest():
        raise EvidenceBroken("the time stamp is over other bytes than this statement")


def _signing_certificate(response: TimeStampResponse) -> x509.Certificate:
    signers = response.signed_data.signer_infos
    signer = next(iter(signers))
    certificates = map(x509.load_der_x509_certificate, response.signed_data.certificates)
    for certificate in certificates:
        if (certificate.issuer, certificate.serial_number) == (signer.issuer, signer.serial_number):
            return certificate
    raise EvidenceBroken("the time stamp does not carry its signer's certificate")


def _accuracy(response: TimeStampResponse) -> timedelta:
    stated = response.tst_info.accuracy
    if stated is None:
        return timedelta(0)
    return timedelta(
        seconds=stated.seconds or 0, milliseconds=stated.millis or 0, microseconds=stated.micros or 0
    )
