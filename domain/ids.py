"""Identifiers as distinct types, and the one derivation of an event id.

An event id is derived from what the station sent, never random, so that a message received
twice, or replayed years later, is the same event.
"""

import hashlib
import re
from typing import NewType

StationId = NewType("StationId", str)
DeviceId = NewType("DeviceId", str)
SiteId = NewType("SiteId", str)
Epoch = NewType("Epoch", str)
Sequence = NewType("Sequence", int)
EventId = NewType("EventId", str)
CaseId = NewType("CaseId", str)
OfficerId = NewType("OfficerId", str)
Sha256 = NewType("Sha256", str)
"""Lower-case hexadecimal, 64 characters."""

MAX_SEQUENCE = 2**63 - 1

PACKAGE_NAME = re.compile(r"EV-(?P<event>[0-9a-f]{32})(?:\.s(?P<supplement>[1-9][0-9]{0,17}))?")
"""Folder of a package, by `fullmatch`: of an event, or of a supplement (`evidence.bag.folder_name`)."""


def event_id(station: StationId, device: DeviceId, epoch: Epoch, sequence: Sequence) -> EventId:
    """Return the id of the event a message reports: 32 lower-case hexadecimal characters.

    >>> event_id(StationId("S1"), DeviceId("wim-1"), Epoch("e0"), Sequence(7))
    'e4f5ba4bfa45f6afff20129ad5b12fd2'
    """
    material = "\0".join(("zhichao event v1", station, device, epoch, str(sequence)))
    return EventId(hashlib.sha256(material.encode()).hexdigest()[:32])


def sha256_of(data: bytes) -> Sha256:
    """Return the SHA-256 of `data` as lower-case hexadecimal."""
    return Sha256(hashlib.sha256(data).hexdigest())
