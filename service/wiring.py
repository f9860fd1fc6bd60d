"""The composition root: what each process is built from, made from the settings in one place."""

from dataclasses import replace
from datetime import timedelta
from functools import partial
from importlib.metadata import version
from pathlib import Path
from typing import NamedTuple

from api.wiring import Recomputed, Wiring
from domain.errors import ConfigurationError
from evidence import (
    ED25519,
    HttpAuthority,
    KeySet,
    LocalTestAuthority,
    TimeAuthority,
    TransparencyLog,
    Trust,
    VerifierKey,
    Witness,
    verify_package,
)
from evidence.cosigning import Cosigner
from evidence.policy import LAYERS, Policy
from evidence.remote_witness import RemoteWitness
from evidence.signing import Signer, key_id
from service.keys import ensure_keys, remote_witness_keys, sm2_signer
from service.officer_keys import OfficerKeyRing
from service.settings import Settings
from store.blobs import BlobStore
from store.connection import Pool


class Seals(NamedTuple):
    """What evidence is sealed and checked with."""

    keys: KeySet
    authority: TimeAuthority
    trust: Trust
    sm2: Signer | None = None
    """Who signs packages second."""
    policy: Policy | None = None
    """What a package must fulfil to become a case, where the deployment asks for more than the default."""


def seals_of(settings: Settings) -> Seals:
    """Return keys, time stamp authority and trust of this installation.

    Raises
    ------
    ConfigurationError
        The trust file does not name the service's keys: nothing sealed with them could become a case; or the
        policy cannot be used.
    """
    keys = ensure_keys(settings)
    trust = Trust.load(settings.trust_path)
    sm2 = sm2_signer(settings, keys)
    named = {key.key_id for key in trust.services} | {key.key_id for key in trust.sm2}
    if not named.issuperset(key_id(one.public_key) for one in (keys.service, sm2) if one is not None):
        raise ConfigurationError(
            f"{settings.trust_path} does not name this installation's service key; after a change of keys, "
            "write it anew with `zhichao keys trust-file --write`"
        )
    if settings.tsa_url is None:
        authority: TimeAuthority = LocalTestAuthority(settings.keys_root)
    else:
        authority = HttpAuthority(settings.tsa_url)
    return Seals(keys, authority, trust, sm2, policy_of(settings))


def policy_of(settings: Settings) -> Policy | None:
    """Return the policy that packages must fulfil to become cases, or None; errors as `Policy.load`.

    Every layer that is asked for by default still is: a deployment may want more of its evidence, not less.
    """
    if settings.policy_file is None:
        return None
    policy = Policy.load(settings.policy_file)
    return replace(policy, required_layers=policy.required_layers | frozenset(LAYERS))


def log_of(settings: Settings, keys: KeySet) -> TransparencyLog:
    """Open the transparency log for its one writer, with the witness that cosigns its heads.

    Raises
    ------
    ServiceUnavailable
        A head waits for a cosignature, and the witness is away.
    """
    return TransparencyLog(settings.log_root, keys.log, witness_of(settings, keys))


def witness_of(settings: Settings, keys: KeySet) -> Cosigner:
    """Return the witness behind ZHICHAO_WITNESS_URL, or without it the one inside this installation."""
    if settings.witness_url is not None:
        return RemoteWitness(settings.witness_url, remote_witness_keys(settings))
    return Witness(settings.own_witness_root, keys.witness, VerifierKey.of(keys.log, ED25519))


def web_wiring(settings: Settings, pool: Pool, *, demo: bool) -> Wiring:
    """Return everything the web works with."""
    keys = ensure_keys(settings)
    return Wiring(
        pool=pool,
        blobs=BlobStore(settings.blob_root),
        evidence_root=settings.evidence_root,
        verify=partial(verify_package, trust=Trust.load(settings.trust_path), policy=policy_of(settings)),
        officer_keys=OfficerKeyRing(keys.service),
        recompute=_recompute,
        version=version("zhichao"),
        demo=demo,
        secure_cookies=settings.web_https,
        session_length=timedelta(minutes=settings.session_minutes),
    )


def _recompute(folder: Path) -> Recomputed:
    from service.recomputation import recompute  # noqa: PLC0415 (numba, which no other page needs)

    return recompute(folder)
