"""What `zhichao quarantine replay` does: refused messages come again, one transaction each."""

from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import replace

from domain.errors import InputRefused, NotFound
from ingest.limits import Limits
from ingest.runner import choose
from service.reach import database_of
from service.settings import Settings
from service.steps.replay import accept_again
from service.steps.screen import Screener
from service.steps.store import DatabaseSink
from store.blobs import BlobStore
from store.connection import open_pool
from store.migrate import migrate
from store.quarantine import unresolved
from store.transactions import transaction


async def replay_quarantine(
    settings: Settings, ids: Sequence[int], *, code: str | None, say: Callable[[str], None]
) -> Counter[str]:
    """Take refused messages again: those of `ids`, or else all, of one code if one is given.

    Returns
    -------
    Counter[str]
        How many were `accepted`, and how many `kept`; each that was kept is said, with its reason.
    """
    blobs = BlobStore(settings.blob_root)
    decoders = choose(None, replace(Limits(), max_payload_bytes=settings.max_payload_bytes))
    counts: Counter[str] = Counter(accepted=0, kept=0)
    async with database_of(settings) as url:
        await migrate(url)
        pool = await open_pool(url, application_name="zhichao replay")
        try:
            sink = DatabaseSink(pool, blobs, Screener(settings), capture_wait=settings.capture_deadline)
            async with transaction(pool) as conn:
                wanted = list(ids) or await unresolved(conn, code=code)
            for quarantine_id in wanted:
                try:
                    await accept_again(pool, blobs, sink, decoders, quarantine_id)
                except (InputRefused, NotFound) as error:
                    say(f"{quarantine_id} is kept: {error}")
                    counts["kept"] += 1
                else:
                    counts["accepted"] += 1
        finally:
            await pool.close()
    return counts
