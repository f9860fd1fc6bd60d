"""Retention at work: every rule in small transactions, then files whose rows are gone, each part repeatable.

What never was evidence the service erases by itself. Evidence is deleted by an officer, who signs for it with
their own key (`zhichao retention --officer`); until one does, what is due is only told.

Run hourly by each worker (`service.housekeeping`); several at once share the work. What one round deletes is
bounded, so that a backlog, after a rule was shortened, is worked off beside everything else.
"""

import asyncio
import logging
from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from typing import NamedTuple
from uuid import uuid4

from domain.acts import Act, ActKind, SignedAct
from domain.retention import OF_HITS, Rule, Term, Terms
from evidence import Signer
from evidence.acts import sign_act
from evidence.removal import remove_package
from service.officer_at_hand import ActingOfficer
from store.blob_deletion import delete_unnamed_files, delete_unreferenced, settle_aside
from store.blobs import PARTS, BlobStore
from store.connection import Pool
from store.retention import Gone, State, delete_due, due, packages_to_remove, record_removed
from store.transactions import transaction

BATCH = 500
"""Captures, messages or blobs in one transaction; of each one statement names all."""

PARTS_A_ROUND = 16
"""Of the blob store looked through for files no row names: all in sixteen hours."""

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Keeper:
    """What retention works with."""

    pool: Pool
    blobs: BlobStore
    evidence_root: Path
    terms: Terms
    service: Signer
    officer: ActingOfficer | None = None
    """Who deletes evidence; without one only what is no evidence is erased."""
    most: int = 20_000
    """Rows of one rule deleted in one round at most; of flagged passages a tenth of it."""


@dataclass(slots=True)
class Round:
    """What one round deleted."""

    rows: dict[Rule, int] = field(default_factory=dict)
    packages: list[str] = field(default_factory=list)
    blobs: int = 0

    @property
    def text(self) -> str:
        """One line for the log."""
        rows = ", ".join(f"{rule.value}: {number}" for rule, number in self.rows.items() if number)
        return f"{rows or 'no rows'}; files of {len(self.packages)} packages and {self.blobs} blobs"

    def __bool__(self) -> bool:
        """Whether anything was deleted."""
        return bool(self.packages or self.blobs or any(self.rows.values()))


class Due(NamedTuple):
    """What a rule would delete now, by what it is."""

    term: Term
    numbers: dict[str, int]


async def what_is_due(pool: Pool, terms: Terms, now: datetime) -> list[Due]:
    """Return what every rule would delete now; deletes nothing."""
    async with transaction(pool) as conn:
        return [Due(term, await due(conn, term, now)) for term in terms.values()]


async def retain(keeper: Keeper, now: datetime) -> Round:
    """Delete what the rules end, in small transactions; return what it was.

    Raises
    ------
    ServiceUnavailable
        The database is away; what was committed stays so, and the next round goes on.
    OSError
        A file cannot be deleted; the row says that it has to be, and the next round tries again.
    """
    done = Round()
    for term in keeper.terms.values():
        done.rows[term.rule] = await _by_rule(keeper, term, now)
    done.packages = await _remove_packages(keeper, now)
    await settle_aside(keeper.pool, keeper.blobs)
    while gone := await delete_unreferenced(keeper.pool, keeper.blobs, now=now, limit=BATCH):
        done.blobs += len(gone)
        if done.blobs >= keeper.most:
            break
    done.blobs += len(await _unnamed(keeper, now))
    return done


def stating(keeper: Keeper, term: Term, now: datetime) -> State:
    """Return what signs a rule's deletions: of evidence the officer, of all else the service alone."""
    officer = keeper.officer if term.rule in OF_HITS else None

    async def state(gone: Gone) -> tuple[Act, SignedAct]:
        act = Act(
            act_id=f"deletion-{uuid4().hex}",
            kind=ActKind.DELETION if officer else ActKind.ERASURE,
            officer=officer.key.officer if officer else None,
            licence=officer.licence if officer else None,
            event=gone.event,
            subject=gone.subject,
            reason=term.text,
            digests=gone.digests,
            made_at=now,
            detail={"rule": term.rule.value, "days": term.days, "deleted": len(gone.digests)},
        )
        key = officer.key if officer else None
        return act, await asyncio.to_thread(sign_act, act, key, keeper.service)  # a token may take its time

    return state


async def _by_rule(keeper: Keeper, term: Term, now: datetime) -> int:
    if term.rule in OF_HITS and keeper.officer is None:
        return 0
    state, total = stating(keeper, term, now), 0
    most = keeper.most // 10 if term.rule in OF_HITS else keeper.most
    while total < most:
        async with transaction(keeper.pool) as conn:
            number = await delete_due(conn, term, state, now=now, limit=BATCH)
        if not number:
            break
        total += number
    return total


async def _remove_packages(keeper: Keeper, now: datetime) -> list[str]:
    removed: list[str] = []
    while len(removed) < keeper.most:
        async with transaction(keeper.pool) as conn:
            folders = await packages_to_remove(conn, limit=BATCH)
        if not folders:
            break
        await asyncio.to_thread(_remove_all, keeper.evidence_root, folders)
        async with transaction(keeper.pool) as conn:
            await record_removed(conn, folders, now)
        removed += folders
    return removed


def _remove_all(evidence_root: Path, folders: Iterable[str]) -> None:
    if not evidence_root.is_dir():
        # What is not mounted is not deleted: nothing may be recorded as removed.
        raise NotADirectoryError(f"the evidence folder {evidence_root} is not there; packages stay due")
    for folder in folders:
        remove_package(evidence_root, folder)


async def _unnamed(keeper: Keeper, now: datetime) -> list[str]:
    """Delete files no row names, of this hour's part of the store."""
    first = int(now.timestamp() // 3600) * PARTS_A_ROUND
    return [
        digest
        for part in range(first, first + PARTS_A_ROUND)
        for digest in await delete_unnamed_files(
            keeper.pool, keeper.blobs, part=part % PARTS, now=now, limit=BATCH
        )
    ]
