"""The whole life of a passage as evidence, told from what was signed: each signature and each entry checked.

Nothing is taken from the database but the signed bytes and where to look: who acted, when and why stands in
the envelopes; whose a key is, in logged statements, which are told too; the order is the log's. An entry is
looked up in the log as it lies there today, and dated by the proof that was kept when a witness first saw it.
What the log has an entry of, and nothing stored accounts for, is told as removed (`service.history_gaps`).
"""

from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import replace
from typing import NamedTuple

from domain.errors import EvidenceBroken
from domain.ids import EventId, Sha256
from evidence import Trust, leaf_hash
from evidence.acts import leaf_of_digest
from evidence.dsse import Envelope
from evidence.report import NOT_CHECKED, NOT_VERIFIED, VERIFIED
from service.chapters import Chapter, Finding, in_log_order, without_replays
from service.history_deletions import reckon
from service.history_gaps import removed, whole_log
from service.history_officers import officers_of
from service.history_teller import Places, Teller, leaf_of
from store.connection import Connection
from store.entry_proofs import entries_known
from store.life import SignedRecord, entries_about, event_named, life_of


class History(NamedTuple):
    """A passage's life."""

    event_id: EventId
    trust_digest: str
    chapters: list[Chapter]
    log: Finding
    """Whether every entry of the log is known here, whatever it tells of."""

    @property
    def ok(self) -> bool:
        """Whether nothing is broken, unchecked or waiting, and no entry of the log unknown."""
        return self.status == VERIFIED

    @property
    def status(self) -> int:
        """Exit status: 0 everything holds, 1 something does not, 2 something could not be checked.

        What waits to be logged nobody but the database vouches for yet, so it does not hold either.
        """
        if self.broken or self.log.ok is False:
            return NOT_VERIFIED
        return NOT_CHECKED if self.unchecked or self.waiting or self.log.ok is None else VERIFIED

    @property
    def broken(self) -> list[Chapter]:
        """What does not hold."""
        return [one for one in self.chapters if False in (one.signature.ok, one.inclusion.ok)]

    @property
    def unchecked(self) -> list[Chapter]:
        """What could not be checked here, and is not broken."""
        return [one for one in self.chapters if one.signature.ok is None]

    @property
    def waiting(self) -> list[Chapter]:
        """What is not in the log yet."""
        return [one for one in self.chapters if one.inclusion.ok is None]


async def tell_history(conn: Connection, name: str, *, trust: Trust, places: Places) -> History:
    """Return the life of a passage.

    Parameters
    ----------
    conn
        The installation's database.
    name
        Id of a case, an event or a package.
    trust
        Keys, from outside.
    places
        The evidence folder and the log's.

    Raises
    ------
    NotFound
        Nothing here has this id.
    """
    event = await event_named(conn, name)
    officers = await officers_of(conn, trust=trust, places=places)
    services = [service.public_key for service in trust.services]
    reckoning = await reckon(conn, event, officers=officers.keys, services=services)
    deleted = list(reckoning.named)
    records = _with_erased(await life_of(conn, event, deleted=deleted), reckoning.named)
    leaves = [leaf for leaf in map(leaf_of, records) if leaf is not None]
    teller = Teller(trust, places, await entries_known(conn, [leaf_hash(leaf) for leaf in leaves]))
    teller.learn_acts(records, officers.keys)
    teller.learn_captures(records)
    chapters = [teller.chapter(one, officers.keys) for one in records]
    acting = {key_id for record in records for key_id in _signers(record.envelope)}
    queued = await entries_about(conn, event, deleted=deleted)
    chapters += removed(queued, [*leaves, *officers.leaves])
    told = sorted([*chapters, *(key for key in officers.chapters if key.subject in acting)], key=in_log_order)
    log = await whole_log(conn, places.log, trust=trust, reckoning=reckoning)
    return History(event, trust.digest, without_replays(told), log)


def _with_erased(records: Sequence[SignedRecord], named: Mapping[str, Sha256]) -> list[SignedRecord]:
    """Return the records; one whose words were erased has the entry that a deletion's digest gives it."""
    return [
        replace(one, leaf=leaf_of_digest(named[one.name])) if not one.envelope and one.name in named else one
        for one in records
    ]


def _signers(envelope: bytes) -> list[str]:
    """Return the keys an envelope names, believed or not."""
    with suppress(EvidenceBroken):
        return [signature.key_id for signature in Envelope.parse(envelope).signatures]
    return []
