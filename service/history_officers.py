"""Officers' keys as the log tells of them: each statement's signature and place checked."""

from collections.abc import Sequence
from contextlib import suppress
from typing import NamedTuple

from domain.errors import EvidenceBroken
from evidence import Trust, leaf_hash, statement_leaf
from evidence.acts import KeyEntry, RegisteredKey, officer_keys_of
from service.chapters import NEVER_LOGGED, Chapter, Finding
from service.history_deletions import reckon
from service.history_gaps import whole_log
from service.history_teller import Places, Teller, key_named_in
from store.connection import Connection
from store.entry_proofs import entries_known
from store.life import SignedRecord
from store.officer_keys import key_statements


class Officers(NamedTuple):
    """What statements on officers' keys give."""

    chapters: list[Chapter]
    """One a statement; its subject is the key that the row names."""
    keys: dict[str, RegisteredKey]
    """By id; a key with a statement that does not hold is left out."""
    leaves: list[bytes]
    """The entries of these statements."""


async def officers_of(conn: Connection, *, trust: Trust, places: Places) -> Officers:
    """Return officers' keys by the statements on them, each looked up in the log as it lies there."""
    given = await key_statements(conn)
    records = [SignedRecord(one.what, one.key_id, one.what, one.envelope, None, one.made_at) for one in given]
    leaves = [statement_leaf(one.envelope) for one in records]
    teller = Teller(trust, places, await entries_known(conn, [leaf_hash(leaf) for leaf in leaves]))
    chapters = [teller.key_chapter(one) for one in records]
    return Officers(chapters, registered(records, chapters, trust), leaves)


async def whole_log_by(conn: Connection, officers: Officers, *, trust: Trust, places: Places) -> Finding:
    """Say whether every entry of the log is known, counting the deletions of officers whose keys hold."""
    services = [service.public_key for service in trust.services]
    reckoning = await reckon(conn, None, officers=officers.keys, services=services)
    return await whole_log(conn, places.log, trust=trust, reckoning=reckoning)


def registered(
    records: Sequence[SignedRecord], chapters: Sequence[Chapter], trust: Trust
) -> dict[str, RegisteredKey]:
    """Return the keys that statements which hold give, with their places as they were found in the log."""
    services = [service.public_key for service in trust.services]
    by_key: dict[str, list[KeyEntry]] = {}
    doubtful: set[str] = set()
    for record, chapter in zip(records, chapters, strict=True):
        named = {record.subject}
        with suppress(EvidenceBroken):
            named.add(key_named_in(record.envelope))
        if False in (chapter.signature.ok, chapter.inclusion.ok):
            doubtful |= named
        place = NEVER_LOGGED if chapter.leaf_index is None else chapter.leaf_index
        by_key.setdefault(record.subject, []).append(KeyEntry(place, record.envelope))
    keys: dict[str, RegisteredKey] = {}
    for key_id, entries in by_key.items():
        if key_id not in doubtful:
            with suppress(EvidenceBroken):
                keys |= officer_keys_of(entries, services)
    return keys
