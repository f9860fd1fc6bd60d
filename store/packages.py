"""The sealing of a package as a persisted state machine: each step's bytes are stored before the next begins.

    built ──────────────► stamped ──► logged ──► complete
      └──► awaiting-time ────┘

built           the folder lies on disk, its tag manifest is signed: `envelope`
awaiting-time   the time stamp authority did not answer; tried again
stamped         `token` holds the time stamp, `leaf` is in the log's outbox
logged          the leaf has its index in the log
complete        the proof lies in the package; nothing is ever written to it again

Every step may be repeated: a step that was already taken changes nothing, and what the first one
stored is what later steps use. The caller holds the row (`lock_package`) over its step.
"""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from psycopg.rows import class_row

from domain.errors import ConflictingChange, RuleViolation
from domain.ids import EventId, Sha256
from store.connection import Connection
from store.outbox import enqueue, leaf_hash


class PackageState(StrEnum):
    """How far sealing has come."""

    BUILT = "built"
    AWAITING_TIME = "awaiting-time"
    STAMPED = "stamped"
    LOGGED = "logged"
    COMPLETE = "complete"


_ORDER = list(PackageState)


@dataclass(frozen=True, slots=True)
class Package:
    """A package's row; `passed` says whether the completeness gate let it pass."""

    event_id: EventId
    supplement: int
    state: PackageState
    folder: str
    tagmanifest: Sha256
    envelope: bytes
    token: bytes | None
    leaf: bytes | None
    leaf_sha256: bytes | None
    passed: bool
    missing: list[str]
    built_at: datetime
    completed_at: datetime | None
    leaf_index: int | None

    def __post_init__(self) -> None:
        """Turn the column's text into the state it names."""
        object.__setattr__(self, "state", PackageState(self.state))

    def reached(self, state: PackageState) -> bool:
        """Whether the package is in `state` or beyond it."""
        return _ORDER.index(self.state) >= _ORDER.index(state)


_SELECT = """
SELECT package.event_id, supplement, state, folder, tagmanifest, envelope, token, package.leaf, leaf_sha256,
    complete AS passed, missing, built_at, completed_at, outbox.leaf_index
FROM package LEFT JOIN log_outbox AS outbox ON outbox.leaf_hash = package.leaf_sha256
"""


async def lock_package(conn: Connection, event_id: EventId, supplement: int = 0) -> Package | None:
    """Return a package and hold its row until the caller's transaction ends; None where none was built."""
    async with conn.cursor(row_factory=class_row(Package)) as cursor:
        await cursor.execute(
            _SELECT + "WHERE package.event_id = %s AND supplement = %s FOR UPDATE OF package",
            [event_id, supplement],
        )
        return await cursor.fetchone()


async def lock_latest_package(conn: Connection, event_id: EventId) -> Package | None:
    """Return an event's last package, a supplement or the first, and hold its row; None where none is there.

    None too where it was deleted at the end of its retention: nothing follows it. The caller holds the
    hit's row, so that no later one is built meanwhile.
    """
    async with conn.cursor(row_factory=class_row(Package)) as cursor:
        await cursor.execute(
            _SELECT + "WHERE package.event_id = %s AND package.deletion_id IS NULL "
            "ORDER BY supplement DESC LIMIT 1 FOR UPDATE OF package",
            [event_id],
        )
        return await cursor.fetchone()


async def record_built(
    conn: Connection,
    event_id: EventId,
    *,
    supplement: int = 0,
    folder: str,
    tagmanifest: Sha256,
    envelope: bytes,
    missing: tuple[str, ...] = (),
) -> Package:
    """Store that the package was built and signed; return its row, locked.

    Raises
    ------
    ConflictingChange
        It was built before with other content: a sealed package is never rewritten, make a supplement.
    """
    await conn.execute(
        """
        INSERT INTO package (event_id, supplement, state, folder, tagmanifest, envelope, complete, missing)
        VALUES (%s, %s, 'built', %s, %s, %s, %s, %s)
        ON CONFLICT (event_id, supplement) DO NOTHING
        """,
        [event_id, supplement, folder, tagmanifest, envelope, not missing, list(missing)],
    )
    package = await lock_package(conn, event_id, supplement)
    if package is None or package.tagmanifest != tagmanifest:
        raise ConflictingChange(
            f"the package {folder} was built before with other content; what is new belongs in a supplement"
        )
    return package


async def record_awaiting_time(conn: Connection, package: Package) -> None:
    """Store that the time stamp authority did not answer; nothing where the stamp is there already."""
    await conn.execute(
        """
        UPDATE package SET state = 'awaiting-time' WHERE event_id = %s AND supplement = %s AND state = 'built'
        """,
        [package.event_id, package.supplement],
    )


async def record_stamped(conn: Connection, package: Package, *, token: bytes, leaf: bytes) -> None:
    """Store the time stamp and queue the leaf for the log; the first token stored stands."""
    cursor = await conn.execute(
        """
        UPDATE package SET state = 'stamped', token = %s, leaf = %s, leaf_sha256 = %s
        WHERE event_id = %s AND supplement = %s AND state IN ('built', 'awaiting-time')
        """,
        [token, leaf, leaf_hash(leaf), package.event_id, package.supplement],
    )
    if cursor.rowcount == 1:
        await enqueue(conn, kind="package", subject=package.folder, leaf=leaf)


async def record_logged(conn: Connection, leaf_hashes: list[bytes]) -> list[tuple[EventId, int]]:
    """Store for packages stamped with these leaves that they are in the log; return event and supplement.

    Called by the sequencer in the transaction that marks the leaves, so the two cannot disagree.
    """
    cursor = await conn.execute(
        """
        UPDATE package SET state = 'logged' WHERE leaf_sha256 = ANY(%s) AND state = 'stamped'
        RETURNING event_id, supplement
        """,
        [leaf_hashes],
    )
    return [(EventId(event_id), supplement) for event_id, supplement in await cursor.fetchall()]


async def record_complete(conn: Connection, package: Package) -> None:
    """Store that the proof lies in the package; repeated, it changes nothing.

    Raises
    ------
    RuleViolation
        The package is not in the log yet.
    """
    cursor = await conn.execute(
        """
        UPDATE package SET state = 'complete', completed_at = coalesce(completed_at, now())
        WHERE event_id = %s AND supplement = %s AND state IN ('logged', 'complete')
        """,
        [package.event_id, package.supplement],
    )
    if cursor.rowcount != 1:
        raise RuleViolation(f"the package {package.folder} cannot be complete before it is in the log")
