"""An ingester as a process of its own, to be killed: `python -m tests.integration.ingest.ledger_process`.

Arguments: port, file. Its sink is the simplest durable one there is: numbers appended to the file and
fsynced. Prints "ready" when its subscription stands.
"""

import asyncio
import os
import sys
from collections.abc import Sequence

from ingest import Arrival, BackOff, BrokerSettings, Settled, run
from tests.integration.ingest.sinks import settled


class FileSink:
    """Appends what it stores to a file."""

    def __init__(self, path: str) -> None:
        self._file = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)

    async def store(self, arrivals: Sequence[Arrival]) -> Sequence[Settled]:
        """Append and fsync; slow enough that a kill falls between delivery and commit."""
        done = [settled(arrival) for arrival in arrivals]
        await asyncio.sleep(0.02)
        os.write(self._file, "".join(f"{one.sequence}\n" for one in done).encode())
        await asyncio.to_thread(os.fsync, self._file)
        return done


def main() -> None:
    """Ingest until killed."""
    port, path = sys.argv[1:]
    back_off = BackOff(first_s=0.02, longest_s=0.1)
    settings = BrokerSettings("127.0.0.1", int(port), client_id="ingest-under-fire", back_off=back_off)
    asyncio.run(run(settings, FileSink(path), ready=lambda: print("ready", flush=True)))


if __name__ == "__main__":
    main()
