"""The BagIt 1.0 (RFC 8493) tag files of a package, each in exactly one spelling.

`bagit.py` is lenient by design: it strips lines, takes comments, and calls a bag valid whose tag
manifest was deleted. These readers accept only what the writers here write.
"""

import re
from collections.abc import Mapping
from typing import NamedTuple

from domain.errors import EvidenceBroken
from domain.ids import EventId, Sha256
from evidence.parsing import decimal_of, lines_of

DECLARATION = b"BagIt-Version: 1.0\nTag-File-Character-Encoding: UTF-8\n"
SOFTWARE = "zhichao evidence/1"

_LINE = re.compile(r"([0-9a-f]{64})  ([A-Za-z0-9][A-Za-z0-9._/-]*)")
_OXUM = re.compile(r"[0-9]+\.[0-9]+", re.ASCII)
_EVENT_ID = re.compile(r"[0-9a-f]{32}")


class BagInfo(NamedTuple):
    """What bag-info.txt says."""

    event_id: EventId
    supplement: int
    payload_bytes: int
    payload_files: int

    @property
    def folder(self) -> str:
        """The name the package's folder must have."""
        return folder_name(self.event_id, self.supplement)

    def __bytes__(self) -> bytes:
        """Return the file's content."""
        return (
            f"Bag-Software-Agent: {SOFTWARE}\n"
            f"External-Identifier: {self.event_id}\n"
            f"Internal-Sender-Identifier: {self.folder}\n"
            f"Payload-Oxum: {self.payload_bytes}.{self.payload_files}\n"
        ).encode()

    @classmethod
    def parse(cls, data: bytes) -> "BagInfo":
        """Read the file; raises `EvidenceBroken` where it is not as written here."""
        fields = {}
        for line in lines_of(data, "bag-info.txt"):
            name, separator, value = line.partition(": ")
            if not separator or name in fields:
                raise EvidenceBroken("bag-info.txt has a line that is not a field, or a field twice")
            fields[name] = value
        event_id, folder = fields.get("External-Identifier", ""), fields.get("Internal-Sender-Identifier", "")
        oxum = fields.get("Payload-Oxum", "")
        if not _EVENT_ID.fullmatch(event_id) or not _OXUM.fullmatch(oxum):
            raise EvidenceBroken("bag-info.txt names no event id, or has no Payload-Oxum")
        _, separator, supplement = folder.partition(".s")
        size, _, files = oxum.partition(".")
        info = cls(
            EventId(event_id),
            decimal_of(supplement, "the supplement's number") if separator else 0,
            decimal_of(size, "the payload's size"),
            decimal_of(files, "the payload's number of files"),
        )
        if bytes(info) != data:
            raise EvidenceBroken(
                "bag-info.txt has other fields, or another order, than a package of this software"
            )
        return info


def folder_name(event_id: EventId, supplement: int) -> str:
    """Return the folder of a package: `EV-<event id>`, of a supplement `EV-<event id>.s<n>`.

    Raises
    ------
    EvidenceBroken
        The id is not 32 lower-case hexadecimal characters, or the number is negative.
    """
    if not _EVENT_ID.fullmatch(event_id) or supplement < 0:
        raise EvidenceBroken(f"{event_id!r} with supplement {supplement} cannot name a package")
    return f"EV-{event_id}.s{supplement}" if supplement else f"EV-{event_id}"


def manifest_text(digests: Mapping[str, str]) -> bytes:
    """Return a manifest in the form of `sha256sum`, sorted by path; SHA-256 or SM3, both have 64 digits."""
    return "".join(f"{digests[path]}  {path}\n" for path in sorted(digests)).encode()


def parse_manifest(data: bytes, what: str) -> dict[str, Sha256]:
    """Return digests by path; raises `EvidenceBroken` where the file is not as `manifest_text` writes it.

    An SM3 manifest is read the same way: it holds SM3 digests, which are of the same length.
    """
    digests: dict[str, Sha256] = {}
    for number, line in enumerate(lines_of(data, what), start=1):
        found = _LINE.fullmatch(line)
        if not found:
            raise EvidenceBroken(f"line {number} of {what} is not a digest, two spaces and a plain path")
        digests[found[2]] = Sha256(found[1])
    if manifest_text(digests) != data:
        raise EvidenceBroken(f"{what} is not sorted, or names a path twice")
    return digests
