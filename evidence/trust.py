"""The trust file: every key and root a verifier relies on, published apart from any package.

    {"format": "zhichao-trust/1",
     "services":  [{"name": "...", "ed25519": "<base64>"}],
     "logs":      ["<name>+<id>+<key>"],
     "witnesses": ["<name>+<id>+<key>"],
     "time_authorities": [{"name": "...", "root_pem": "..."}],
     "devices":   [{"station": "...", "device": "...", "ed25519": "<base64>"}],
     "sm2":       [{"name": "...", "sm2": "<base64>"}]}

`devices` may be left out: then no message need be signed by a key of the file. So may `sm2`, public keys in
DER: a statement's second signature by one of them must hold.
Logs and witnesses are C2SP verifier keys. A key with a life of its own (`evidence.key_life`) is written as
an object with any of "valid_from", "valid_to", "revoked_at"; a log or witness then as {"key": "...", ...}.
The file's SHA-256 is what is read out, printed or put on paper, so that two people can see they rely on
the same keys.
"""

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from types import MappingProxyType
from typing import Any, NamedTuple

from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.serialization import Encoding

from domain.ed25519 import is_public_key
from domain.errors import ConfigurationError, EvidenceBroken
from domain.ids import Sha256, sha256_of
from evidence.key_life import LIFE_MEMBERS, KeyLife
from evidence.keys import KeySet
from evidence.keys_folder import BoundedKey
from evidence.note import COSIGNATURE, ED25519, VerifierKey
from evidence.parsing import Json, base64_of, base64_text, loose_document_of
from evidence.signing import Signer, key_id
from evidence.sm2 import Sm2Key, checked_sm2_key

FORMAT = "zhichao-trust/1"

_MEMBERS = {"format", "services", "logs", "witnesses", "time_authorities"}
_DEVICES = "devices"
_SM2 = "sm2"


class ServiceKey(NamedTuple):
    """A key that may sign statements."""

    name: str
    public_key: bytes

    @property
    def key_id(self) -> str:
        """The id by which an envelope names the key."""
        return key_id(self.public_key)


class TrustedDevice(NamedTuple):
    """A key that may sign a device's messages."""

    station: str
    device: str
    public_key: bytes
    life: KeyLife


class Trust(NamedTuple):
    """What a verifier relies on."""

    services: tuple[ServiceKey, ...]
    logs: tuple[VerifierKey, ...]
    witnesses: tuple[VerifierKey, ...]
    tsa_roots: tuple[x509.Certificate, ...]
    digest: Sha256
    """SHA-256 of the file's bytes."""
    lives: Mapping[str, KeyLife] = MappingProxyType({})
    """Of keys that have bounds, by `trusted_id`; not of devices' keys."""
    devices: tuple[TrustedDevice, ...] = ()
    sm2: tuple[Sm2Key, ...] = ()

    def life_of(self, key: bytes | x509.Certificate) -> KeyLife:
        """Return the life of a raw public key or a root; without bounds where the file gives none."""
        return self.lives.get(trusted_id(key), KeyLife())

    @classmethod
    def load(cls, path: Path) -> "Trust":
        """Read a trust file.

        Raises
        ------
        ConfigurationError
            It cannot be read or is malformed.
        """
        try:
            return cls.parse(path.read_bytes())
        except OSError as error:
            raise ConfigurationError(f"the trust file {path} cannot be read: {error.strerror}") from None

    @classmethod
    def parse(cls, data: bytes) -> "Trust":
        """Read a trust file's bytes; raises `ConfigurationError` where they are malformed."""
        try:
            document = _document(data)
            trust = cls(
                tuple(map(_service_of, document["services"])),
                tuple(_verifier_key(entry, ED25519) for entry in document["logs"]),
                tuple(_verifier_key(entry, COSIGNATURE) for entry in document["witnesses"]),
                tuple(_root_of(entry) for entry in document["time_authorities"]),
                sha256_of(data),
                devices=tuple(map(_device_of, document.get(_DEVICES, []))),
                sm2=tuple(map(_sm2_of, document.get(_SM2, []))),
            )
            return trust._replace(lives=_lives(trust, document))
        except (EvidenceBroken, TypeError, KeyError, AttributeError, ValueError) as error:
            raise ConfigurationError(
                f"the trust file cannot be used: {error}; get it anew from its publisher"
            ) from None


PARTS = {
    "service": "services",
    "log": "logs",
    "witness": "witnesses",
    "tsa": "time_authorities",
    "sm2": "sm2",
}
"""The trust file's list of each role's keys."""


def trust_file(
    keys: KeySet,
    *,
    tsa_roots: Sequence[x509.Certificate] | None = None,
    bounded: Sequence[BoundedKey] = (),
    sm2: Signer | None = None,
) -> Json:
    """Return the trust file of a deployment's own keys.

    Parameters
    ----------
    keys
        The deployment's keys.
    tsa_roots
        Roots of the real time-stamp authorities; without them the test authority's root is named.
    bounded
        Keys that are not in use any more, or whose life has bounds.
    sm2
        Who signs second, by SM2.
    """
    roots = [keys.tsa_root] if tsa_roots is None else tsa_roots
    document: dict[str, Any] = {
        "services": [service_entry(keys.service)],
        "logs": [str(VerifierKey.of(keys.log, ED25519))],
        "witnesses": [str(VerifierKey.of(keys.witness, COSIGNATURE))],
        "time_authorities": [
            {
                "name": root.subject.rfc4514_string(),
                "root_pem": root.public_bytes(Encoding.PEM).decode("ascii"),
            }
            for root in roots
        ],
    }
    if sm2 is not None:
        document[_SM2] = [{"name": sm2.name, "sm2": base64_text(sm2.public_key)}]
    for key in bounded:
        others = [entry for entry in document.get(PARTS[key.role], []) if entry != key.entry]
        document[PARTS[key.role]] = [*others, _with_life(key)]
    return {"format": FORMAT} | document


def entry_of(role: str, signer: Signer) -> Any:
    """Return the trust file's entry of a service's, log's or witness's key."""
    if role == "service":
        return service_entry(signer)
    return str(VerifierKey.of(signer, COSIGNATURE if role == "witness" else ED25519))


def service_entry(signer: Signer) -> Json:
    """Return the trust file's entry of a service key."""
    return {"name": signer.name, "ed25519": base64_text(signer.public_key)}


def keys_by_id(document: Json) -> dict[str, tuple[str, Any]]:
    """Return the role and the entry, without its life, of every key in a trust file, by `trusted_id`.

    Raises
    ------
    ConfigurationError
        The document is malformed.
    """
    trust = Trust.parse(trust_bytes(document))
    roles = [role for role, part in PARTS.items() for _ in document.get(part, [])]
    return {
        trusted_id(key): (role, _without_life(entry))
        for role, (key, entry) in zip(roles, _with_entries(trust, document), strict=True)
    }


def trust_bytes(document: Json) -> bytes:
    """Return a trust file's bytes, laid out for people; the same document gives the same bytes."""
    return (json.dumps(document, indent=2, sort_keys=True, ensure_ascii=False) + "\n").encode()


def trusted_id(key: bytes | x509.Certificate) -> str:
    """Return the id of a raw public key (`signing.key_id`), or the SHA-256 of a certificate."""
    return key_id(key) if isinstance(key, bytes) else key.fingerprint(hashes.SHA256()).hex()


def _with_life(key: BoundedKey) -> Any:
    life = key.life.members()
    return ({"key": key.entry} if isinstance(key.entry, str) else key.entry) | life if life else key.entry


def _without_life(entry: Any) -> Any:
    if isinstance(entry, str):
        return entry
    own = {name: value for name, value in entry.items() if name not in LIFE_MEMBERS}
    return own["key"] if set(own) == {"key"} else own


def _document(data: bytes) -> Json:
    document = loose_document_of(data, "the trust file")
    if document.get("format") != FORMAT or set(document) - {_DEVICES, _SM2} != _MEMBERS:
        raise EvidenceBroken(f"it is not of the format {FORMAT}")
    return document


def _lives(trust: Trust, document: Json) -> dict[str, KeyLife]:
    """Return the bounds of all keys that have some; no key may stand in the file twice, with two lives."""
    lives: dict[str, KeyLife] = {}
    seen: set[str] = set()
    for key, entry in _with_entries(trust, document):
        key_name = trusted_id(key)
        if key_name in seen:
            raise EvidenceBroken(f"it names the key {key_name} twice")
        seen.add(key_name)
        life = KeyLife() if isinstance(entry, str) else KeyLife.of(entry, f"the key {key_name[:16]}...")
        if life != KeyLife():
            lives[key_name] = life
    return lives


def _with_entries(trust: Trust, document: Json) -> Iterator[tuple[bytes | x509.Certificate, Any]]:
    yield from zip((one.public_key for one in trust.services), document["services"], strict=True)
    yield from zip((one.public_key for one in trust.logs), document["logs"], strict=True)
    yield from zip((one.public_key for one in trust.witnesses), document["witnesses"], strict=True)
    yield from zip(trust.tsa_roots, document["time_authorities"], strict=True)
    yield from zip((one.public_key for one in trust.sm2), document.get(_SM2, []), strict=True)


def _service_of(entry: Any) -> ServiceKey:
    _check_members(entry, {"name", "ed25519"})
    return ServiceKey(str(entry["name"]), _ed25519_of(entry, "a service key"))


def _sm2_of(entry: Any) -> Sm2Key:
    _check_members(entry, {"name", "sm2"})
    return Sm2Key(str(entry["name"]), checked_sm2_key(base64_of(entry["sm2"], "an SM2 key")))


def _device_of(entry: Any) -> TrustedDevice:
    _check_members(entry, {"station", "device", "ed25519"})
    station, device = str(entry["station"]), str(entry["device"])
    life = KeyLife.of(entry, f"a key of {station}/{device}")
    return TrustedDevice(station, device, _ed25519_of(entry, "a device's key"), life)


def _ed25519_of(entry: Any, what: str) -> bytes:
    public_key = base64_of(entry["ed25519"], what)
    if not is_public_key(public_key):
        raise EvidenceBroken(f"{what} is not an Ed25519 key of 32 bytes, or one for which anybody can sign")
    return public_key


def _verifier_key(entry: Any, kind: int) -> VerifierKey:
    if not isinstance(entry, str):
        _check_members(entry, {"key"})
        entry = entry["key"]
    key = VerifierKey.parse(entry)
    if key.kind != kind:
        raise EvidenceBroken(f"the key {key.name} is of type {key.kind}; here belongs one of type {kind}")
    return key


def _root_of(entry: Any) -> x509.Certificate:
    _check_members(entry, {"name", "root_pem"})
    return x509.load_pem_x509_certificate(entry["root_pem"].encode())


def _check_members(entry: Any, own: set[str]) -> None:
    """Refuse members nobody knows: a revocation misspelt must not pass for none."""
    if not isinstance(entry, dict) or set(entry) - LIFE_MEMBERS != own:
        raise EvidenceBroken(f"an entry has other members than {', '.join(sorted(own))} and the key's life")
