"""What has to be done now and then by some worker, and may be done by several: each part is idempotent."""

import asyncio
import logging
from datetime import UTC, datetime

from domain.errors import ZhichaoError
from evidence import remove_leftovers
from service.retention import Keeper, retain
from store.accounts import drop_expired
from store.partitions import ensure_partitions
from store.transactions import transaction

EVERY_S = 3600.0

log = logging.getLogger(__name__)


async def keep_house(keeper: Keeper) -> None:
    """Make partitions ahead, forget expired sessions, remove leftovers, delete by the rules; hourly."""
    while True:
        try:
            async with transaction(keeper.pool) as conn:
                made = await ensure_partitions(conn, datetime.now(UTC).date())
                await drop_expired(conn, datetime.now(UTC))
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
