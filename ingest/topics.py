"""Topics of the contract: `{prefix}/{station}/{device}/{kind}`."""

from typing import NamedTuple

from domain.errors import InputRefused
from domain.ids import DeviceId, StationId
from domain.refusals import RefusalCode
from ingest.fields import is_name
from ingest.wording import shown


class Address(NamedTuple):
    """Whose message it is, and of what kind, as its topic says."""

    station: StationId
    device: DeviceId
    kind: str


def address(topic: str, *, prefix: str, kinds: tuple[str, ...]) -> Address:
    """Return what `topic` says.

    Raises
    ------
    InputRefused
        UNKNOWN_TOPIC: not of the form `{prefix}/{station}/{device}/{kind}`.
    """
    parts = topic.removeprefix(f"{prefix}/").split("/")
    if len(parts) == 3 and is_name(parts[0]) and is_name(parts[1]) and parts[2] in kinds:
        return Address(StationId(parts[0]), DeviceId(parts[1]), parts[2])
    raise InputRefused(
        RefusalCode.UNKNOWN_TOPIC,
        f"topic {shown(topic)}: publish on {prefix}/STATION/DEVICE/{'|'.join(kinds)}, where STATION and "
        "DEVICE are 1 to 32 letters, digits, '_' or '-', the first a letter or digit",
    )


def receipt_topic(station: StationId, device: DeviceId) -> str:
    """Return where the receipts of one device's messages go."""
    return f"zhichao/v1/{station}/{device}/receipt"
