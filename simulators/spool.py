"""A station's spool: every message on disk before it is sent, and there until a receipt names it.

One append-only file of checksummed records, fsynced after each passage:

    "ZSP1" | length of payload | CRC-32 of payload | payload = length of JSON | JSON | message bodies

Rules: 1. all messages of a passage are one record, so a torn write loses the whole passage, which was
never sent, and its number is used again; 2. a sequence number once fsynced is never used for anything
else; 3. a message leaves only when a receipt of this epoch names it; 4. a torn or damaged tail is cut
off at opening; 5. compaction writes a new file beside the old one, fsyncs, renames. Dropping is not
fsynced: after a crash a message is sent twice, which the platform counts as a duplicate.
"""

import fcntl
import json
import os
import struct
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path
from typing import Any, BinaryIO, NamedTuple, Self

from domain.errors import ConflictingChange
from simulators.signing import unsigned
from simulators.wire import Draft, Message, json_bytes, number

_MAGIC = b"ZSP1"
_HEAD = struct.Struct(">4sII")
_COMPACT_BYTES = 64 * 2**20

Key = tuple[str, int]
"""Device and sequence number."""


class _Place(NamedTuple):
    offset: int
    meta: dict[str, Any]


class Spool:
    """The spool of one station, open for one process at a time.

    `pending` keys are in the order the messages were made. Messages are read from disk when sent.
    `sign` is given each message once, when it has its number.
    """

    def __init__(
        self,
        folder: Path,
        station: str,
        new_epoch: str,
        *,
        sign: Callable[[Message], Message] = unsigned,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._path = folder / f"{station}.spool"
        self._station = station
        self._sign = sign
        self._pending: dict[Key, _Place] = {}
        self._next_sequence: dict[str, int] = {}
        self.epoch = new_epoch
        self.next_passage = 0
        self._lock = (folder / f"{station}.lock").open("w")
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            self._lock.close()
            raise ConflictingChange(
                f"the spool of {station} in {folder} is open in another process; end that one first"
            ) from None
        self._file: BinaryIO = self._opened()

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the files and let go of the lock; what is pending stays."""
        self._file.close()
        self._lock.close()

    @property
    def pending(self) -> Sequence[Key]:
        """Keys of all messages no receipt has named yet, oldest first."""
        return tuple(self._pending)

    def oldest(self, count: int) -> Sequence[Key]:
        """Return the keys of up to `count` pending messages, oldest first."""
        return tuple(key for key, _ in zip(self._pending, range(count), strict=False))

    def __len__(self) -> int:
        return len(self._pending)

    def append(self, drafts: Sequence[Draft]) -> list[Message]:
        """Number the drafts of the next passage and keep them; they are on disk when this returns."""
        following = dict(self._next_sequence)
        messages = []
        for draft in drafts:
            sequence = following.get(draft.device, 1)
            following[draft.device] = sequence + 1
            made = number(draft, station=self._station, epoch=self.epoch, sequence=sequence)
            messages.append(self._sign(made))
        metas = [_meta(message) for message in messages]
        self._write({"type": "passage", "number": self.next_passage, "messages": metas}, messages)
        os.fsync(self._file.fileno())
        return messages

    def peek(self, drafts: Sequence[Draft]) -> list[int]:
        """Return the sequence numbers the drafts will get, so that the truth can be written first."""
        following = dict(self._next_sequence)
        numbers = []
        for draft in drafts:
            numbers.append(following.get(draft.device, 1))
            following[draft.device] = numbers[-1] + 1
        return numbers

    def read(self, key: Key) -> Message:
        """Return a pending message from disk."""
        place = self._pending[key]
        meta = place.meta
        body = os.pread(self._file.fileno(), meta["size"], place.offset)
        return Message(
            self._station,
            key[0],
            meta["kind"],
            self.epoch,
            key[1],
            meta["header"],
            meta["content_type"],
            body,
        )

    def drop(self, device: str, epoch: str, ranges: Iterable[Sequence[int]]) -> int:
        """Drop what a receipt names, both ends included, and nothing else; return how many that was."""
        if epoch != self.epoch:
            return 0
        kept = [list(span) for span in ranges]
        named = [
            key
            for key in self._pending
            if key[0] == device and any(first <= key[1] <= last for first, last in kept)
        ]
        if not named:
            return 0
        self._write({"type": "drop", "device": device, "ranges": kept}, ())
        size = self._file.tell()
        if size > _COMPACT_BYTES and size > 4 * sum(place.meta["size"] for place in self._pending.values()):
            self.compact()
        return len(named)

    def compact(self) -> None:
        """Write what is still pending into a new file that takes the old one's place."""
        beside = self._path.with_suffix(".new")
        with beside.open("wb") as new:
            new.write(_record(self._state_record(), ()))
            for message in map(self.read, self._pending):
                new.write(_record({"type": "kept", "messages": [_meta(message)]}, (message,)))
            new.flush()
            os.fsync(new.fileno())
        self._file.close()
        beside.rename(self._path)
        self._sync_folder()
        self._file = self._opened()

    def _opened(self) -> BinaryIO:
        if not self._path.exists():
            with self._path.open("wb") as new:
                new.write(_record(self._state_record(), ()))
                new.flush()
                os.fsync(new.fileno())
            self._sync_folder()
        file = self._path.open("r+b")
        self._pending.clear()
        sound = self._recover(file)
        if sound < self._path.stat().st_size or sound == 0:
            file.truncate(sound)
            if sound == 0:  # not even the epoch is left: this station has lost its state and starts anew
                file.write(_record(self._state_record(), ()))
                file.flush()
            os.fsync(file.fileno())
        return file

    def _recover(self, file: BinaryIO) -> int:
        """Apply every whole record; return the offset after the last one, with the file placed there."""
        sound = 0
        while True:
            file.seek(sound)
            head = file.read(_HEAD.size)
            if len(head) < _HEAD.size:
                break
            magic, length, checksum = _HEAD.unpack(head)
            payload = file.read(length) if magic == _MAGIC else b""
            if len(payload) != length or zlib.crc32(payload) != checksum or magic != _MAGIC:
                break
            self._apply(payload, sound + _HEAD.size)
            sound += _HEAD.size + length
        file.seek(sound)
        return sound

    def _write(self, entry: dict[str, Any], messages: Sequence[Message]) -> None:
        start = self._file.tell()
        record = _record(entry, messages)
        self._file.write(record)
        self._file.flush()
        self._apply(record[_HEAD.size :], start + _HEAD.size)

    def _apply(self, payload: bytes, offset: int) -> None:
        size = int.from_bytes(payload[:4], "big")
        entry = json.loads(payload[4 : 4 + size])
        if entry["type"] == "state":
            self.epoch = entry["epoch"]
            self.next_passage = entry["next_passage"]
            self._next_sequence = dict(entry["next_sequence"])
        elif entry["type"] == "drop":
            for first, last in entry["ranges"]:
                for key in [k for k in self._pending if k[0] == entry["device"] and first <= k[1] <= last]:
                    del self._pending[key]
        else:
            at = offset + 4 + size
            for meta in entry["messages"]:
                key = (meta["header"]["device"], int(meta["header"]["seq"]))
                self._pending[key] = _Place(at, meta)
                self._next_sequence[key[0]] = max(self._next_sequence.get(key[0], 1), key[1] + 1)
                at += meta["size"]
            if entry["type"] == "passage":
                self.next_passage = entry["number"] + 1

    def _state_record(self) -> dict[str, Any]:
        return {
            "type": "state",
            "epoch": self.epoch,
            "next_passage": self.next_passage,
            "next_sequence": self._next_sequence,
        }

    def _sync_folder(self) -> None:
        folder = os.open(self._path.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)


def _meta(message: Message) -> dict[str, Any]:
    return {
        "kind": message.kind,
        "header": message.header,
        "content_type": message.content_type,
        "size": len(message.body),
    }


def _record(entry: dict[str, Any], messages: Sequence[Message]) -> bytes:
    head = json_bytes(entry)
    payload = b"".join((len(head).to_bytes(4, "big"), head, *(message.body for message in messages)))
    return _HEAD.pack(_MAGIC, len(payload), zlib.crc32(payload)) + payload
