"""What has to be done now and then by some worker, and may be done by several: each part is idempotent."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

from domain.errors import ServiceUnavailable
from evidence import remove_leftovers
from store.connection import Pool
from store.partitions import ensure_partitions
from store.transactions import transaction

EVERY_S = 3600.0

log = logging.getLogger(__name__)


async def keep_house(pool: Pool, evidence_root: Path) -> None:
    """Make partitions ahead and remove half-built packages of killed workers, hourly, until cancelled."""
    while True:
        try:
            async with transaction(pool) as conn:
                made = await ensure_partitions(conn, datetime.now(UTC).date())
            removed = await asyncio.to_thread(remove_leftovers, evidence_root)
        except (ServiceUnavailable, OSError) as error:
            log.warning("housekeeping is put off: %s", error)
        else:
            if made or removed:
                log.info("made partitions %s, removed leftovers %s", made, removed)
        await asyncio.sleep(EVERY_S)
