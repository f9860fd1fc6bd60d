"""A sequencer in a process of its own, to be frozen: the victim of test_sequencer_frozen.

Usage: python -m tests.integration.service.sequencer_process DATABASE_URL DATA FROZEN_AFTER_S PAUSE_S

Before each append it says "assigned N" and pauses: the moment between the indices and the log.
"""

import asyncio
import sys
import time
from functools import partial
from pathlib import Path
from unittest import mock

from pydantic import SecretStr

from evidence import TransparencyLog
from service import sequencer
from service.keys import ensure_keys
from service.settings import Settings
from store.outbox import LogEntry, take_log


def main(url: str, data: Path, frozen_after_s: float, pause_s: float) -> None:
    """Write the log until killed."""
    settings = Settings(data=data, database_url=SecretStr(url))
    append = sequencer._append

    def paused(log: TransparencyLog, entries: list[LogEntry]) -> None:
        sys.stdout.write(f"assigned {len(entries)}\n")
        sys.stdout.flush()
        time.sleep(pause_s)
        append(log, entries)

    with mock.patch.multiple(
        sequencer,
        _append=paused,
        take_log=partial(take_log, frozen_after_s=frozen_after_s),
        ROUND_S=0.05,
        TRY_AGAIN_S=0.05,
    ):
        asyncio.run(sequencer.run_sequencer(settings, ensure_keys(settings)))


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]), float(sys.argv[3]), float(sys.argv[4]))
