"""A refused message comes again: after its station was registered late, or what failed was mended.

Rules
1. It goes the way of every message, from its bytes: decoded, held against the registry, screened, stored.
2. Its time of receipt stays what it was, and with it all that is judged by the clock.
3. Accepted, it is marked as resolved, and what stood in the ledger for the refusal stands for the message;
   refused again, nothing changes. Either is one transaction.
"""

from domain.errors import InputRefused
from domain.events import StatusMessage
from domain.ids import sha256_of
from domain.refusals import RefusalCode
from ingest.arrivals import Arrival, Refused
from ingest.decoders import Decoders
from service.steps.store import DatabaseSink
from store.blobs import BlobStore
from store.connection import Pool
from store.intake import Key
from store.ledger import count_again, release_refusal
from store.quarantine import lock_unresolved, resolve
from store.transactions import transaction


async def accept_again(
    pool: Pool, blobs: BlobStore, sink: DatabaseSink, decoders: Decoders, quarantine_id: int
) -> None:
    """Take a refused message as if it had not been refused.

    Raises
    ------
    InputRefused
        It still cannot be accepted, or is a status, which says nothing any more.
    NotFound
        It is not in quarantine, or was accepted meanwhile.
    """
    async with transaction(pool) as conn:
        wire = await lock_unresolved(conn, blobs, quarantine_id)
        accepted: list[Arrival] = []
        sent_again: dict[Key, int] = {}
        for one in decoders.arrivals(wire, now=wire.received_at):
            if isinstance(one, Refused):
                raise InputRefused(one.code, one.detail)
            if isinstance(one.decoded, StatusMessage):
                raise InputRefused(RefusalCode.CLOCK_IMPLAUSIBLE, "a status counts only while it is fresh")
            header = one.decoded.header
            key = Key(header.station, header.device, header.epoch, header.sequence)
            digests = {one.wire.body_sha256, sha256_of(wire.payload)}
            sent_again[key] = await release_refusal(conn, key, digests) or 0
            accepted.append(one)
        for settled in await sink.store_on(conn, accepted):
            if settled.refusal is not None:
                raise InputRefused(settled.refusal.code, settled.refusal.detail)
        for key, times in sent_again.items():
            await count_again(conn, key, times)
        await resolve(conn, quarantine_id)
