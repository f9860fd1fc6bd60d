"""Step 4: the sealing of a hit's package, each part's bytes stored before the next begins.

    built      `build`: folder and signed statement        (this worker)
    stamped    `stamp`: RFC 3161 token, leaf in the outbox (this worker)
    logged     the sequencer gives the leaf its place      (service.sequencer)
    complete   `finish`: the proof lies in the package     (any worker)

Every part may run twice, or stop anywhere: what the first run stored is what the second one uses.
"""

import asyncio
from pathlib import Path

from domain.errors import EvidenceBroken, RuleViolation, ServiceUnavailable
from domain.plates import PlateReading
from evidence import (
    BuiltPackage,
    TimeAuthority,
    build,
    entry_leaf,
    published_proof,
    sign_statement,
    write_seal,
)
from evidence.signing import Signer
from service.steps.contents import contents_of, lacking, summary_of
from service.steps.read import captures_read
from store.blobs import BlobStore
from store.connection import Connection, Pool
from store.hits import Hit
from store.packages import (
    Package,
    PackageState,
    lock_package,
    record_awaiting_time,
    record_built,
    record_complete,
    record_stamped,
)
from store.transactions import transaction

_PROOF_ATTEMPTS = 3


async def build_package(
    conn: Connection,
    hit: Hit,
    reading: PlateReading,
    *,
    evidence_root: Path,
    blobs: BlobStore,
    signer: Signer,
) -> Package:
    """Build and sign the package of a hit whose row the caller holds; nothing where it was built before."""
    package = await lock_package(conn, hit.event_id)
    if package is not None:
        return package
    built, envelope = await asyncio.to_thread(_built, hit, reading, evidence_root, blobs, signer)
    return await record_built(
        conn,
        hit.event_id,
        folder=built.folder,
        tagmanifest=built.tagmanifest,
        envelope=envelope,
        missing=lacking(hit, captures_read(hit, reading), reading),
    )


def _built(
    hit: Hit, reading: PlateReading, evidence_root: Path, blobs: BlobStore, signer: Signer
) -> tuple[BuiltPackage, bytes]:
    captures = captures_read(hit, reading)
    built = build(evidence_root, contents_of(hit, captures, reading, blobs))
    return built, sign_statement(built, summary_of(hit, captures, reading), signer)


async def stamp(pool: Pool, package: Package, authority: TimeAuthority) -> None:
    """Have a built package time-stamped and queue its leaf for the log; nothing where that was done before.

    The authority is asked outside any transaction: it may take seconds, or be away for hours. Of two
    stamps that cross, the one stored first stands.

    Raises
    ------
    ServiceUnavailable
        The authority did not answer; the package awaits it.
    """
    if package.reached(PackageState.STAMPED):
        return
    try:
        token = await asyncio.to_thread(authority.stamp, package.envelope)
    except ServiceUnavailable:
        async with transaction(pool) as conn:
            await record_awaiting_time(conn, package)
        raise
    leaf = entry_leaf(package.tagmanifest, package.envelope, token)
    async with transaction(pool) as conn:
        await record_stamped(conn, package, token=token, leaf=leaf)


async def finish(conn: Connection, package: Package, *, evidence_root: Path, log_root: Path) -> None:
    """Write the seal of a logged package, whose row the caller holds; nothing where it is complete.

    Raises
    ------
    RuleViolation
        The package is not in the log yet.
    """
    if package.state is PackageState.COMPLETE:
        return
    await asyncio.to_thread(_write_seal, package, evidence_root, log_root)
    await record_complete(conn, package)


def _write_seal(package: Package, evidence_root: Path, log_root: Path) -> None:
    if package.leaf_index is None or package.token is None or package.leaf is None:
        raise RuleViolation(f"the package {package.folder} is not in the log yet; the sequencer comes first")
    write_seal(
        evidence_root,
        package.folder,
        envelope=package.envelope,
        token=package.token,
        leaf=package.leaf,
        proof=_proof(log_root, package.leaf_index),
    )


def _proof(log_root: Path, index: int) -> bytes:
    """Read the proof beside the log's writer, who may replace a file between two reads of ours."""
    for _ in range(_PROOF_ATTEMPTS - 1):
        try:
            return published_proof(log_root, index)
        except (EvidenceBroken, OSError):
            continue
    return published_proof(log_root, index)
