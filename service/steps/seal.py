"""Step 4: the sealing of a hit's package, each part's bytes stored before the next begins.

    built      `build`: folder and signed statement        (this worker)
    stamped    `stamp`: RFC 3161 token, leaf in the outbox (this worker)
    logged     the sequencer gives the leaf its place      (service.sequencer)
    complete   `finish`: the proof lies in the package     (any worker)

Every part may run twice, or stop anywhere: what the first run stored is what the second one uses.
"""

import asyncio
from dataclasses import replace
from pathlib import Path
from typing import NamedTuple

from domain.errors import ConflictingChange, EvidenceBroken, RuleViolation, ServiceUnavailable
from domain.ids import Sha256
from domain.plates import PlateReading
from evidence import (
    BuiltPackage,
    PackageContents,
    TimeAuthority,
    build,
    entry_leaf,
    published_proof,
    sign_statement,
    write_seal,
)
from evidence.bag import folder_name
from evidence.leftovers import discard_unsealed
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
from store.supplements import SupplementRequest
from store.transactions import transaction

_PROOF_ATTEMPTS = 3


class Following(NamedTuple):
    """What makes a package a supplement: its number, the package before it, and what asked for it."""

    supplement: int
    predecessor: Sha256
    """The tag manifest of the package before it."""
    requests: tuple[SupplementRequest, ...] = ()


async def build_package(
    conn: Connection,
    hit: Hit,
    reading: PlateReading,
    *,
    evidence_root: Path,
    blobs: BlobStore,
    signer: Signer,
    second: Signer | None = None,
    following: Following | None = None,
) -> Package:
    """Build and sign the package of a hit whose row the caller holds; nothing where it was built before.

    No time limit: images were bounded when they were taken in, so only a disk or a signing token can hang
    here. A thread cannot be ended, and would go on writing a folder that the job's next attempt, no longer
    kept apart by the hit's row, builds too. A job that hangs keeps its hit, and one
    of the worker's places, until the worker is started again.
    """
    supplement = following.supplement if following else 0
    package = await lock_package(conn, hit.event_id, supplement)
    if package is not None:
        return package
    built, envelope = await asyncio.to_thread(
        _built, hit, reading, following, evidence_root=evidence_root, blobs=blobs, signers=(signer, second)
    )
    return await record_built(
        conn,
        hit.event_id,
        supplement=supplement,
        folder=built.folder,
        tagmanifest=built.tagmanifest,
        envelope=envelope,
        missing=lacking(hit, captures_read(hit, reading), reading),
    )


def _built(
    hit: Hit,
    reading: PlateReading,
    following: Following | None,
    *,
    evidence_root: Path,
    blobs: BlobStore,
    signers: tuple[Signer, Signer | None],
) -> tuple[BuiltPackage, bytes]:
    captures = captures_read(hit, reading)
    contents = contents_of(hit, captures, reading, blobs)
    if following is not None:
        contents = _as_supplement(contents, following)
    try:
        built = build(evidence_root, contents)
    except ConflictingChange:
        # What the database does not know was never signed: a build that an update of the software cut off.
        discard_unsealed(evidence_root, folder_name(contents.event_id, contents.supplement))
        built = build(evidence_root, contents)
    return built, sign_statement(built, summary_of(hit, captures, reading), *signers)


def _as_supplement(contents: PackageContents, following: Following) -> PackageContents:
    return replace(
        contents,
        supplement=following.supplement,
        predecessor_tagmanifest=following.predecessor,
        event={**contents.event, "answers": [request._asdict() for request in following.requests]},
    )


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
    if not package.reached(PackageState.LOGGED):
        raise RuleViolation(f"the package {package.folder} is not in the log yet; the sequencer comes first")
    await asyncio.to_thread(_write_seal, package, evidence_root, log_root)
    await record_complete(conn, package)


def _write_seal(package: Package, evidence_root: Path, log_root: Path) -> None:
    if package.leaf_index is None or package.token is None or package.leaf is None:
        raise EvidenceBroken(f"the row of the package {package.folder} is damaged; restore it from a backup")
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
