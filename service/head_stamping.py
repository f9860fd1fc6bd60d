"""Has the log's head time-stamped once a day, by whichever worker comes first; an outage is waited out."""

import asyncio
import logging
from datetime import UTC, datetime
from pathlib import Path

from domain.errors import EvidenceBroken, ServiceUnavailable
from evidence import TimeAuthority
from evidence.head_stamps import stamp_heads

EVERY_S = 600.0

log = logging.getLogger(__name__)


async def keep_heads_stamped(log_root: Path, authority: TimeAuthority, *, every_s: float = EVERY_S) -> None:
    """Look now and then whether a day's head waits for its token, until cancelled."""
    while True:
        try:
            # Our clock only says which day's file it is; the time is the authority's.
            today = datetime.now(UTC).date()
            for day in await asyncio.to_thread(stamp_heads, log_root, authority, today):
                log.info("the log's head of %s is time-stamped", day)
        except (ServiceUnavailable, EvidenceBroken, OSError) as error:
            log.warning("the log's head of the day waits for its time stamp: %s", error)
        await asyncio.sleep(every_s)
