"""What ingest hands to whoever stores, and what it gets back.

Nothing that arrives is dropped: a message becomes one or more `Accepted`, or one `Refused` that goes
to quarantine with its reason. Both are settled by the sink, in one transaction a batch, and only
what is settled is acknowledged to the broker.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import timedelta
from typing import NamedTuple, Protocol

from domain.events import PAIRING_WINDOW, Decoded, Wire
from domain.refusals import RefusalCode


class Claims(NamedTuple):
    """Whose message it says it is, as far as that could be read; each part may be missing."""

    station: str | None = None
    device: str | None = None
    epoch: str | None = None
    sequence: int | None = None


class Refusal(NamedTuple):
    """Why a message lies in quarantine."""

    code: RefusalCode
    detail: str


@dataclass(frozen=True)
class Accepted:
    """A message the contract allows."""

    decoded: Decoded
    pairing_window: timedelta = PAIRING_WINDOW
    """How far apart in time a record and its captures may be; its decoder's."""

    @property
    def wire(self) -> Wire:
        """The message as received."""
        return self.decoded.wire


@dataclass(frozen=True)
class Refused:
    """A message to be kept in quarantine."""

    wire: Wire
    claims: Claims
    code: RefusalCode
    detail: str


Arrival = Accepted | Refused


@dataclass(frozen=True)
class Settled:
    """What became of one arrival, once committed.

    `sequence` is None for what has none (status, unreadable headers): no receipt can name it.
    `refusal` is the decoder's, or the sink's own: unknown station, sequence conflict.
    """

    station: str | None
    device: str | None
    epoch: str | None
    sequence: int | None
    refusal: Refusal | None = None
    proven: bool = True
    """Whether nothing speaks against its being the device's own: else the station must keep that number."""


class Sink(Protocol):
    """Whoever stores a batch durably; `service` hands one in."""

    async def store(self, arrivals: Sequence[Arrival]) -> Sequence[Settled]:
        """Commit all of `arrivals`, or none, and return what became of each, in order.

        Raises
        ------
        ServiceUnavailable
            The database or disk did not answer: the same batch is tried again, unacknowledged.
        ConfigurationError
            The installation cannot store anything as it stands; as above, until somebody puts it right.
        Exception
            Anything else is taken to lie in the batch's content: it is bisected until the offender is
            found, which then arrives again as `Refused` with STORAGE_FAILED.
        """
