"""What officers' deletions account for: only those that are believed, which anybody's row is not.

A deletion names what it erased by digest, and nothing else is left of it. So each one that matters is checked
as any act is: the officer's key, the countersignature, its entry in the log.
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from typing import NamedTuple

from domain.acts import ActKind
from domain.errors import EvidenceBroken
from domain.ids import EventId, Sha256
from evidence import leaf_hash
from evidence.acts import RegisteredKey, check_act, leaf_of_digest, subjects_of
from evidence.dsse import Envelope
from store.connection import Connection
from store.life import deletions_with_places, entries_unaccounted


class Reckoning(NamedTuple):
    """What of the log is stored no more, and what deletions that are believed say to it."""

    named: dict[str, Sha256]
    """Names and digests that deletions of one passage give."""
    missing: list[int]
    """Entries that nothing stored accounts for."""
    waiting: list[int]
    """Entries that a deletion accounts for which is not in the log yet."""


async def reckon(
    conn: Connection,
    event: EventId | None,
    *,
    officers: Mapping[str, RegisteredKey],
    services: Sequence[bytes],
) -> Reckoning:
    """Hold what is stored no more against all deletions; those of `event` are told by name.

    A deletion that is not signed as it must be, or was never queued for the log, counts for nothing.
    """
    # What is missing first: a deletion comes in the transaction that erases.
    missing = {one.leaf_hash: one.leaf_index for one in await entries_unaccounted(conn)}
    named: dict[str, Sha256] = {}
    waiting: dict[bytes, int] = {}
    async for envelope, leaf_index in deletions_with_places(conn):
        with suppress(EvidenceBroken):
            statement = Envelope.parse(envelope).statement
            erased = {leaf_hash(leaf_of_digest(digest)) for _, digest in subjects_of(statement)}
            if not _about(statement, event) and erased.isdisjoint(missing):
                continue
            act = check_act(envelope, leaf_index, officers=officers, services=services)
            if act.kind is not ActKind.DELETION:
                continue
            if act.event == event:
                named |= dict(act.digests)
            for leaf in erased & missing.keys():
                index = missing.pop(leaf)
                if leaf_index is None:
                    waiting[leaf] = index
    return Reckoning(named, sorted(missing.values()), sorted(waiting.values()))


def _about(statement: Mapping[str, object], event: EventId | None) -> bool:
    predicate = statement.get("predicate")
    return event is not None and isinstance(predicate, dict) and predicate.get("event") == event
