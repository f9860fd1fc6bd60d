"""Proofs of entries as they were when a witness first saw them; a package has its own in its folder."""

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from store.connection import Connection


class KnownEntry(NamedTuple):
    """What the database knows of an entry of the log."""

    leaf_index: int | None
    """None while it waits to be logged."""
    proof: bytes | None
    """None where the log was written before proofs were kept."""


async def keep_proofs(conn: Connection, proofs: Mapping[bytes, bytes]) -> None:
    """Store proofs by leaf hash, in the transaction that marks the entries logged; the first one stands."""
    async with conn.cursor() as cursor:
        await cursor.executemany(
            "INSERT INTO entry_proof (leaf_hash, proof) VALUES (%s, %s) ON CONFLICT DO NOTHING",
            list(proofs.items()),
        )


async def entries_known(conn: Connection, leaf_hashes: Sequence[bytes]) -> dict[bytes, KnownEntry]:
    """Return what is known of entries, by leaf hash; one that was never queued is not among them."""
    cursor = await conn.execute(
        """SELECT o.leaf_hash, CASE WHEN o.logged_at IS NOT NULL THEN o.leaf_index END, p.proof
           FROM log_outbox o LEFT JOIN entry_proof p USING (leaf_hash) WHERE o.leaf_hash = ANY(%s)""",
        [list(leaf_hashes)],
    )
    return {bytes(row[0]): KnownEntry(row[1], row[2]) for row in await cursor.fetchall()}
