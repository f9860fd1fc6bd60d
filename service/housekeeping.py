"""What has to be done now and then by some worker, and may be done by several: each part is idempotent."""

import asyncio
import logging
from datetime import UTC, datetime

from domain.errors import ZhichaoError
from evidence import remove_leftovers
from service.retention import Keeper, retain
from store.partitions import ensure_partitions
from store.transactions import transaction

EVERY_S = 3600.0

log = logging.getLogger(__name__)


async def keep_house(keeper: Keeper) -> None:
    """Make partitions ahead, remove half-built packages, delete by the rules; hourly, until cancelled."""
    while True:
        try:
            async with transaction(keeper.pool) as conn:
                made = await ensure_partitions(conn, datetime.now(UTC).date())
            removed = await asyncio.to_thread(remove_leftovers, keeper.evidence_root)
            deleted = await retain(keeper, datetime.now(UTC))
        except (ZhichaoError, OSError) as error:
            log.warning("housekeeping is put off: %s", error)
        else:
            if made or removed:
                log.info("made partitions %s, removed leftovers %s", made, removed)
            if deleted:
                log.info("deleted at the end of retention: %s", deleted.text)
        await asyncio.sleep(EVERY_S)
