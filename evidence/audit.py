"""The auditor: follows a log from outside and finds it out if it shows two histories.

What is checked, each by itself:

- `checkpoint`  the head is signed by a log of the trust file;
- `witness`     a trusted witness has cosigned it, and every one that was asked for;
- `root`        the tiles give the head's root; a full audit recomputes it from every entry;
- `continues`   the head continues the one this auditor saw last, by a proof from the tiles;
- `other head`  so it is with heads that others have seen, whichever is the longer;
- `time stamps` the heads stamped day by day are the log's own, and older states of this one.

A consistency proof built from untrusted tiles is checked like any other: that the tiles are made up does not
help a log, since the proof has to lead to both signed roots.
"""

from collections.abc import Callable, Sequence
from functools import partial
from typing import NamedTuple

from domain.errors import EvidenceBroken, ServiceUnavailable
from evidence.audit_report import AuditReport, Check, Contradiction, Verdict
from evidence.checkpoint import Checkpoint, SignedCheckpoint
from evidence.head_stamps import check_stamped_heads, stamped_dates
from evidence.log_copy import CHECKPOINT, MAX_NOTE_BYTES, CopiedTiles, LogCopy, recomputed_root
from evidence.merkle import check_consistency, consistency_proof, root
from evidence.note import VerifierKey
from evidence.trust import Trust
from evidence.witnessed import witnessed


class OtherHead(NamedTuple):
    """A head that somebody else has seen."""

    label: str
    note: bytes
    copy: LogCopy | None = None
    """Where tiles of it are, if they are: needed where it is ahead of the log audited."""


class Head(NamedTuple):
    """A head whose signature by the log holds."""

    note: bytes
    checkpoint: Checkpoint
    signed: SignedCheckpoint
    key: VerifierKey
    copy: LogCopy | None


class Contradicted(EvidenceBroken):
    """Two heads signed by one log are not of one history."""

    def __init__(self, first: Head, second: Head, detail: str) -> None:
        super().__init__(detail)
        self.contradiction = Contradiction(first.note, second.note, detail)


class Auditor:
    """One audit of one log.

    Parameters
    ----------
    copy
        The log's files.
    trust
        Whose signatures count.
    """

    def __init__(self, copy: LogCopy, trust: Trust) -> None:
        self._copy = copy
        self._trust = trust
        self._checks: list[Check] = []
        self._contradictions: list[Contradiction] = []

    def audit(
        self,
        *,
        last: bytes | None = None,
        others: Sequence[OtherHead] = (),
        witnesses: Sequence[VerifierKey] = (),
        full: bool = False,
    ) -> AuditReport:
        """Look at everything and report.

        Parameters
        ----------
        last
            The note of the head this auditor saw last.
        others
            Heads that others have seen.
        witnesses
            Witnesses that must have cosigned, beside one of the trust file.
        full
            Recompute the root from every entry, and check every time-stamped head.
        """
        found: list[Head] = []
        stamped: list[bytes | None] = []
        # Before the head is read: of a log that grows meanwhile, no stamped head is then younger than it.
        self._check("time stamps", lambda: self._listed(stamped))
        listing = self._checks.pop()
        self._check("checkpoint", lambda: self._checkpoint(found))
        head = found[0] if found else None
        if head is not None:
            self._check("witness", lambda: self._witness(head, witnesses))
            self._check("root", lambda: self._root(head, full=full))
            if last is not None:
                self._check("continues", lambda: self._continues(head, last))
            for other in others:
                self._check(f"other head {other.label}", partial(self._other, head, other))
            if stamped:
                self._check("time stamps", lambda: self._time_stamps(head, stamped[0], full=full))
            else:
                self._checks.append(listing)
        note = None if head is None else head.note
        return AuditReport(self._copy.place, note, self._trust.digest, self._checks, self._contradictions)

    def _check(self, name: str, look: Callable[[], str]) -> None:
        try:
            detail = look()
            verdict = Verdict.HOLDS
        except _NothingThere as nothing:
            verdict, detail = Verdict.ABSENT, str(nothing)
        except (_NotComparable, ServiceUnavailable) as error:
            verdict, detail = Verdict.UNCHECKED, str(error)
        except EvidenceBroken as error:
            verdict, detail = Verdict.BROKEN, str(error)
            if isinstance(error, Contradicted):
                self._contradictions.append(error.contradiction)
        self._checks.append(Check(name, verdict, detail))

    def _checkpoint(self, found: list[Head]) -> str:
        note = self._copy.read(CHECKPOINT, max_bytes=MAX_NOTE_BYTES)
        if note is None:
            raise EvidenceBroken("there is no checkpoint")
        head = self._signed(note, self._copy)
        found.append(head)
        return f"{head.checkpoint.size} entries, signed by {head.checkpoint.origin}"

    def _witness(self, head: Head, required: Sequence[VerifierKey]) -> str:
        missing = set(required) - set(head.signed.note.signers(required))
        if missing:
            raise EvidenceBroken(f"{', '.join(sorted(key.name for key in missing))} has not cosigned")
        asked = tuple(dict.fromkeys((*self._trust.witnesses, *required)))
        seen = witnessed(head.signed, self._trust._replace(witnesses=asked))
        self._trust.life_of(head.key.public_key).check(seen.at, f"the log key {head.key}")
        names = ", ".join(key.name for key in seen.keys)
        if not seen.standing:
            raise _NotComparable(
                f"cosigned by {names} only, whose key has ended: whoever has it may have written any time; "
                "audit again when another witness has cosigned"
            )
        return f"cosigned by {names}, first at {seen.at.isoformat()}"

    def _root(self, head: Head, *, full: bool) -> str:
        size = head.checkpoint.size
        tiles = CopiedTiles(self._copy, size)
        if (recomputed_root(tiles, size) if full else root(size, tiles.node)) != head.checkpoint.root:
            raise EvidenceBroken("the log's tiles do not give the root it signed")
        return f"recomputed from all {size} entries" if full else "given by the tiles along its right edge"

    def _continues(self, head: Head, last: bytes) -> str:
        seen = self._signed(last, None)
        self._check_one_history(seen, head)
        return f"{head.checkpoint.size - seen.checkpoint.size} entries more than the last time"

    def _other(self, head: Head, other: OtherHead) -> str:
        try:
            found = self._signed(other.note, other.copy)
        except EvidenceBroken as error:
            raise _NotComparable(f"it says nothing about this log: {error}") from None
        shorter, longer = sorted((head, found), key=lambda one: one.checkpoint.size)
        self._check_one_history(shorter, longer)
        return f"of one history, at {found.checkpoint.size} entries"

    def _listed(self, stamped: list[bytes | None]) -> str:
        stamped.append(stamped_dates(self._copy))
        return "listed"

    def _time_stamps(self, head: Head, listed: bytes | None, *, full: bool) -> str:
        if listed is None:
            raise _NothingThere("no head has been time-stamped yet")
        return check_stamped_heads(
            self._copy, listed, self._trust, lambda note: self._is_earlier(note, head), all_days=full
        )

    def _is_earlier(self, note: bytes, head: Head) -> None:
        self._check_one_history(self._signed(note, None), head)

    def _check_one_history(self, shorter: Head, longer: Head) -> None:
        old, new = shorter.checkpoint, longer.checkpoint
        if old.size > new.size:
            raise Contradicted(shorter, longer, f"the log went back from {old.size} to {new.size} entries")
        if old.size == new.size:
            if old.root != new.root:
                raise Contradicted(shorter, longer, f"split view: two different heads of {new.size} entries")
            return
        if longer.copy is None:
            raise _NotComparable(
                f"it is ahead, at {new.size} entries; name a copy of that log, or audit later"
            )
        tiles = CopiedTiles(longer.copy, new.size)
        proof = consistency_proof(old.size, new.size, tiles.node)
        try:
            check_consistency(old.size, old.root, new.size, new.root, proof)
        except EvidenceBroken as error:
            raise Contradicted(shorter, longer, str(error)) from None

    def _signed(self, note: bytes, copy: LogCopy | None) -> Head:
        """Return a head that a log of the trust file has signed; all heads of an audit are of that one."""
        signed = SignedCheckpoint.parse(note)
        return Head(note, signed.checkpoint, signed, signed.log_of(self._trust.logs), copy)


class _NotComparable(Exception):
    """What was found says neither yes nor no."""


class _NothingThere(Exception):
    """There is nothing to look at, and there need not be."""
