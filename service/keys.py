"""The installation's keys and trust file: made on the first start, never replaced.

The trust file is written from the keys once. If it later disagrees with them, that is for a person
to settle (`zhichao doctor` says so, `zhichao keys trust-file --write` writes it anew): somebody may already
verify packages with the published one.
"""

from collections.abc import Sequence
from functools import partial
from typing import Any

from domain.errors import ConfigurationError, EvidenceBroken, ServiceUnavailable
from evidence import COSIGNATURE, KeySet, Trust, VerifierKey, create_keys, load_keys, trust_bytes, trust_file
from evidence.keys import InToken, load_certificate
from evidence.keys_folder import BoundedKey, bounded_keys
from evidence.sm2 import Sm2Signer
from evidence.token_signer import Token, TokenSigner
from evidence.witness_keys import load_witness_key, published_witness_key
from service.device_trust import devices_listed
from service.settings import Settings


def ensure_keys(settings: Settings) -> KeySet:
    """Return the installation's keys; make them, and the trust file, where there are none.

    Raises
    ------
    ConfigurationError
        Keys cannot be read, are open to others, or are gone while their log is still there.
    """
    folder = settings.keys_root
    if not folder.exists() or not any(folder.iterdir()):
        _refuse_orphaned_evidence(settings)
        create_keys(folder, name=settings.key_name, in_token=in_token(settings))
    keys = keys_of(settings)
    if not settings.trust_path.exists():
        settings.trust_path.parent.mkdir(parents=True, exist_ok=True)
        settings.trust_path.write_bytes(expected_trust(settings, keys))
    return keys


def keys_of(settings: Settings) -> KeySet:
    """Return the installation's keys, the service's from its token if it has one; errors as `load_keys`."""
    return load_keys(settings.keys_root, in_token=in_token(settings))


def in_token(settings: Settings) -> InToken | None:
    """Return what signs with the token's key, or None where the service's key is a file."""
    if settings.pkcs11_module is None:
        return None
    if settings.pkcs11_pin_file is None:
        raise ConfigurationError(
            "ZHICHAO_PKCS11_MODULE is set, ZHICHAO_PKCS11_PIN_FILE is not; name the file"
        )
    token = Token(settings.pkcs11_module, settings.pkcs11_token, settings.pkcs11_pin_file)
    return partial(TokenSigner, token=token, key_label=settings.pkcs11_key)


def expected_trust(settings: Settings, keys: KeySet) -> bytes:
    """Return what the trust file must hold for these keys, former ones too, and this time stamp authority."""
    return trust_bytes(trust_document(settings, keys, bounded_keys(keys.folder)))


def trust_document(settings: Settings, keys: KeySet, bounded: Sequence[BoundedKey] = ()) -> dict[str, Any]:
    """Return a trust file's content for the keys in use and any others whose life has bounds."""
    roots = None
    if settings.tsa_certificate_file is not None:
        roots = [load_certificate(settings.tsa_certificate_file)]
    document = trust_file(keys, tsa_roots=roots, bounded=bounded, sm2=sm2_signer(settings, keys))
    document |= devices_listed(settings.trust_path)
    apart = witness_apart(settings)
    if apart is not None:
        document["witnesses"] = _witnesses(settings, keys, apart, document["witnesses"])
    return document


def publishable_trust(settings: Settings, keys: KeySet) -> bytes:
    """Return `expected_trust`, if it may be published.

    Raises
    ------
    ConfigurationError
        Another witness cosigns, and the one of this installation would still be trusted beside it.
    """
    if own_witness_stands(settings, keys):
        raise ConfigurationError(
            f"{settings.witness_url} cosigns, but the witness key of this installation, which its operator "
            "holds, has no end yet: `zhichao keys rotate witness --write-trust` ends it and writes the file"
        )
    return expected_trust(settings, keys)


def sm2_signer(settings: Settings, keys: KeySet) -> Sm2Signer | None:
    """Return who signs packages second, if anybody does; errors as `Sm2Signer`."""
    if settings.sm2_key_file is None:
        return None
    return Sm2Signer(keys.service.name, settings.sm2_key_file)


def witness_apart(settings: Settings) -> VerifierKey | None:
    """Return the published key of the witness outside this installation, None where none is named."""
    # The demo's witness has an address only while it runs.
    local = settings.witness_apart_root / "keys"
    published = settings.witness_key
    if settings.witness_url is None:
        published = published_witness_key(load_witness_key(local)) if local.exists() else None
    if published is None:
        return None
    try:
        apart = VerifierKey.parse(published)
    except EvidenceBroken as error:
        raise ConfigurationError(f"ZHICHAO_WITNESS_KEY: {error}") from None
    if apart.kind != COSIGNATURE:
        raise ConfigurationError(f"ZHICHAO_WITNESS_KEY is the key of the log {apart.name}, not of a witness")
    return apart


def remote_witness_keys(settings: Settings) -> list[VerifierKey]:
    """Return whose cosignatures the log takes from ZHICHAO_WITNESS_URL: the key of that witness alone.

    Raises
    ------
    ServiceUnavailable
        The trust file does not name it, or names an end of its life: nobody would believe what it cosigns.
    """
    apart, trust = witness_apart(settings), Trust.load(settings.trust_path)
    if apart is None or apart not in trust.witnesses or trust.life_of(apart.public_key).end is not None:
        raise ServiceUnavailable(
            f"{settings.trust_path} does not name the witness of ZHICHAO_WITNESS_KEY, or its key has ended; "
            "`zhichao keys rotate witness --write-trust` names it; the log's new head waits"
        )
    return [apart]


def own_witness_used(settings: Settings) -> bool:
    """Say whether the witness inside this installation has ever cosigned."""
    return (settings.own_witness_root / "head").exists()


def own_witness_stands(settings: Settings, keys: KeySet) -> bool:
    """Say whether another witness cosigns while the one inside, which has cosigned too, has no end."""
    used = settings.witness_url is not None and own_witness_used(settings)
    return used and not _is_ended(keys, str(VerifierKey.of(keys.witness, COSIGNATURE)))


def _is_ended(keys: KeySet, entry: str) -> bool:
    return any(one.entry == entry and one.life.end is not None for one in bounded_keys(keys.folder))


def _witnesses(settings: Settings, keys: KeySet, apart: VerifierKey, entries: list[Any]) -> list[Any]:
    """Name the witness apart, and our own only where packages cosigned by it may be about."""
    own = str(VerifierKey.of(keys.witness, COSIGNATURE))
    unwanted = {str(apart)}
    if not own_witness_used(settings) or _is_ended(keys, own):
        unwanted.add(own)  # in force, that is; its entry with the end of its life stays
    others = [entry for entry in entries if not isinstance(entry, str) or entry not in unwanted]
    bounded = any(isinstance(entry, dict) and entry["key"] == str(apart) for entry in others)
    return others if bounded else [str(apart), *others]


def _refuse_orphaned_evidence(settings: Settings) -> None:
    """New keys would make a log that was signed with lost ones look forged."""
    log = settings.log_root
    if log.is_dir() and any(log.iterdir()):
        raise ConfigurationError(
            f"{settings.keys_root} holds no keys, but {log} holds a log signed with some; "
            "restore the keys, or start with a new data folder"
        )
