"""The case book in SQL: what `cases.ports.CaseBook` asks for, within the caller's transaction."""

import json
from datetime import date, datetime
from typing import Any

from psycopg import errors
from psycopg.rows import class_row, dict_row
from psycopg.types.json import Jsonb

from domain.acts import SignedAct
from domain.casework import CaseFile, CaseState, Claim, Lead, QueueFilter, Review, Reviewer, Verdict
from domain.errors import ConflictingChange, NotFound, RuleViolation
from domain.ids import CaseId, Sha256, sha256_of
from store import outbox
from store.connection import Connection
from store.officer_keys import hold_key

SELECT_CASE = """
    SELECT c.case_id, c.event_id, c.captured_at, c.station_id, c.site_id, c.state, c.version, c.ocr_plate,
        c.plate, c.vehicle_code, c.adjudged_kg, c.limit_kg, c.over_kg, c.package_folder, c.tagmanifest,
        c.proposal, c.opened_at
    FROM case_file c
"""

_SELECT_REVIEW = """
    SELECT case_id, round, username, officer_id, licence, verdict, reason, note, plate_typed, seen_digests,
        idempotency_key, envelope, decided_at
    FROM review
"""


IN_QUEUE = """
    WHERE c.state = ANY(%(states)s)
      AND (%(station)s::text IS NULL OR c.station_id = %(station)s)
      AND (%(min_over)s::integer IS NULL OR c.over_kg >= %(min_over)s)
"""

BEHIND = """
      AND (%(after)s::text IS NULL OR (c.captured_at, c.case_id) >
           (SELECT a.captured_at, a.case_id FROM case_file a WHERE a.case_id = %(after)s))
"""

_UNCLAIMED = """
      AND NOT EXISTS (SELECT FROM case_claim k
                      WHERE k.case_id = c.case_id AND k.expires_at > %(now)s)
      AND NOT EXISTS (SELECT FROM review r
                      WHERE r.case_id = c.case_id AND r.officer_id = %(officer)s)
    ORDER BY c.captured_at, c.case_id LIMIT 1
    FOR UPDATE OF c SKIP LOCKED
"""


def case_from_row(row: dict[str, Any]) -> CaseFile:
    """Return the case of a row of `SELECT_CASE`."""
    return CaseFile(**{**row, "state": CaseState(row["state"])})


def queue_values(wanted: QueueFilter) -> dict[str, Any]:
    """Return what `IN_QUEUE` and `BEHIND` ask for."""
    return {
        "states": [state.value for state in wanted.states],
        "station": wanted.station,
        "min_over": wanted.min_over_kg,
        "after": wanted.after,
    }


def _review_from_row(row: dict[str, Any]) -> Review:
    return Review(**{**row, "verdict": Verdict(row["verdict"]), "envelope": bytes(row["envelope"])})


def canonical_sha256(document: object) -> Sha256:
    """Return the digest of a JSON document of integers and text, whatever order its keys came in."""
    text = json.dumps(document, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256_of(text.encode())


class PostgresCaseBook:
    """Cases on one connection. The caller opens and commits the transaction."""

    def __init__(self, conn: Connection) -> None:
        self._conn = conn

    async def insert_lead(self, lead: Lead, *, state: CaseState, at: datetime) -> bool:
        """Store a new case; False where the event already has one."""
        cursor = await self._conn.execute(
            """INSERT INTO case_file (case_id, event_id, captured_at, station_id, site_id, state, ocr_plate,
                   vehicle_code, adjudged_kg, limit_kg, over_kg, package_folder, tagmanifest, proposal,
                   opened_at, updated_at)
               VALUES (%(case_id)s, %(event_id)s, %(captured_at)s, %(station_id)s, %(site_id)s, %(state)s,
                   %(ocr_plate)s, %(vehicle_code)s, %(adjudged_kg)s, %(limit_kg)s, %(over_kg)s,
                   %(package_folder)s, %(tagmanifest)s, %(proposal)s, %(at)s, %(at)s)
               ON CONFLICT DO NOTHING""",
            {
                "case_id": lead.case_id,
                "event_id": lead.event_id,
                "captured_at": lead.captured_at,
                "station_id": lead.station_id,
                "site_id": lead.site_id,
                "state": state,
                "ocr_plate": lead.ocr_plate,
                "vehicle_code": lead.vehicle_code,
                "adjudged_kg": lead.adjudged_kg,
                "limit_kg": lead.limit_kg,
                "over_kg": lead.over_kg,
                "package_folder": lead.package_folder,
                "tagmanifest": lead.tagmanifest,
                "proposal": Jsonb(lead.proposal),
                "at": at,
            },
        )
        return cursor.rowcount == 1

    async def case_of_event(self, event_id: str) -> CaseId | None:
        """Return the case of an event, if it has one."""
        cursor = await self._conn.execute("SELECT case_id FROM case_file WHERE event_id = %s", [event_id])
        row = await cursor.fetchone()
        return None if row is None else CaseId(row[0])

    async def case(self, case_id: CaseId, *, lock: bool = False) -> CaseFile:
        """Return a case, locked for the transaction if asked; NotFound where there is none."""
        locking = " FOR UPDATE" if lock else ""
        async with self._conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(SELECT_CASE + " WHERE case_id = %s" + locking, [case_id])
            row = await cursor.fetchone()
        if row is None:
            raise NotFound(f"there is no case {case_id}")
        return case_from_row(row)

    async def next_unclaimed(self, wanted: QueueFilter, reviewer: Reviewer, now: datetime) -> CaseFile | None:
        """Lock and return the oldest case this reviewer may take, skipping what others hold or claim."""
        async with self._conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(
                SELECT_CASE + IN_QUEUE + BEHIND + _UNCLAIMED,
                {**queue_values(wanted), "officer": reviewer.officer_id, "now": now},
            )
            row = await cursor.fetchone()
        return None if row is None else case_from_row(row)

    async def set_state(self, case: CaseFile, state: CaseState, *, plate: str | None, at: datetime) -> None:
        """Move a case on from the version given; ConflictingChange where it is not that version any more."""
        cursor = await self._conn.execute(
            """UPDATE case_file SET state = %s, plate = %s, version = version + 1, updated_at = %s
               WHERE case_id = %s AND version = %s""",
            [state, plate, at, case.case_id, case.version],
        )
        if cursor.rowcount != 1:
            raise ConflictingChange("the case has moved on since it was shown; look again, then decide again")

    async def claim_of(self, case_id: CaseId) -> Claim | None:
        """Return the claim on a case, expired or not."""
        async with self._conn.cursor(row_factory=class_row(Claim)) as cursor:
            await cursor.execute(
                "SELECT case_id, username, fencing_token, expires_at FROM case_claim WHERE case_id = %s",
                [case_id],
            )
            return await cursor.fetchone()

    async def put_claim(self, case_id: CaseId, username: str, expires_at: datetime) -> Claim:
        """Give the case to a reviewer with a new, larger fencing token, replacing any claim."""
        async with self._conn.cursor(row_factory=class_row(Claim)) as cursor:
            await cursor.execute(
                """INSERT INTO case_claim (case_id, username, fencing_token, expires_at)
                   VALUES (%s, %s, nextval('claim_fencing'), %s)
                   ON CONFLICT (case_id) DO UPDATE SET username = EXCLUDED.username,
                       fencing_token = EXCLUDED.fencing_token, expires_at = EXCLUDED.expires_at
                   RETURNING case_id, username, fencing_token, expires_at""",
                [case_id, username, expires_at],
            )
            given = await cursor.fetchone()
        assert given is not None  # noqa: S101  an upsert with RETURNING always returns
        return given

    async def extend_claim(self, claim: Claim, expires_at: datetime) -> Claim:
        """Move a claim's end."""
        async with self._conn.cursor(row_factory=class_row(Claim)) as cursor:
            await cursor.execute(
                """UPDATE case_claim SET expires_at = %s WHERE case_id = %s AND fencing_token = %s
                   RETURNING case_id, username, fencing_token, expires_at""",
                [expires_at, claim.case_id, claim.fencing_token],
            )
            extended = await cursor.fetchone()
        if extended is None:
            raise ConflictingChange("your claim on this case has ended; claim it again, your draft is kept")
        return extended

    async def drop_claim(self, case_id: CaseId) -> None:
        """End the claim on a case."""
        await self._conn.execute("DELETE FROM case_claim WHERE case_id = %s", [case_id])

    async def reviewer(self, username: str, day: date) -> Reviewer:
        """Return who an account belongs to and the licence valid on `day`; NotFound for no such account."""
        async with self._conn.cursor(row_factory=class_row(Reviewer)) as cursor:
            await cursor.execute(
                """SELECT a.username, a.role, a.officer_id,
                       (SELECT max(l.number) FROM officer_licence l
                        WHERE l.officer_id = a.officer_id
                           AND %s BETWEEN l.valid_from AND l.valid_to) AS licence
                   FROM account a WHERE a.username = %s AND NOT a.disabled""",
                [day, username],
            )
            found = await cursor.fetchone()
        if found is None:
            raise NotFound(f"there is no account {username}, or it is disabled")
        return found

    async def reviews(self, case_id: CaseId) -> list[Review]:
        """Return the reviews of a case, first round first."""
        async with self._conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_SELECT_REVIEW + " WHERE case_id = %s ORDER BY round", [case_id])
            return [_review_from_row(row) for row in await cursor.fetchall()]

    async def review_by_key(self, idempotency_key: str) -> Review | None:
        """Return the review a key was used for."""
        async with self._conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(_SELECT_REVIEW + " WHERE idempotency_key = %s", [idempotency_key])
            row = await cursor.fetchone()
        return None if row is None else _review_from_row(row)

    async def add_review(self, review: Review) -> None:
        """Store a review.

        Raises
        ------
        RuleViolation
            This officer already reviewed the case.
        ConflictingChange
            The round was decided, or the idempotency key used, in the meantime.
        """
        try:
            await self._conn.execute(
                """INSERT INTO review (case_id, round, username, officer_id, licence, verdict, reason, note,
                       plate_typed, seen_digests, idempotency_key, envelope, decided_at)
                   VALUES (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s, %s)""",
                [
                    review.case_id,
                    review.round,
                    review.username,
                    review.officer_id,
                    review.licence,
                    review.verdict,
                    review.reason,
                    review.note,
                    review.plate_typed,
                    Jsonb(review.seen_digests),
                    review.idempotency_key,
                    review.envelope,
                    review.decided_at,
                ],
            )
        except errors.UniqueViolation as error:
            if error.diag.constraint_name == "review_another_officer":
                raise RuleViolation(
                    "this officer has reviewed the case in an earlier round; "
                    "another officer must do this one (行政处罚法 Art. 42)"
                ) from error
            raise ConflictingChange("this round of review is already decided; reload the page") from error

    async def on_screen(self, case: CaseFile) -> dict[str, Sha256]:
        """Return digests by part of all a reviewer decides on, as stored at this moment.

        Images that came too late for the package are no part of it.
        """
        async with self._conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(
                """SELECT p.screening, p.record, p.context,
                       (SELECT r.reading FROM shown_reading r WHERE r.event_id = p.event_id
                        ORDER BY r.supplement DESC LIMIT 1) AS reading,
                       (SELECT jsonb_agg(jsonb_build_array(k.folder, k.tagmanifest, k.state)
                                         ORDER BY k.supplement)
                        FROM package k WHERE k.event_id = p.event_id) AS packages,
                       (SELECT jsonb_agg(DISTINCT jsonb_build_array(i.role, i.blob_sha256))
                        FROM shown_capture i
                        WHERE i.passage_event_id = p.event_id AND i.in_evidence) AS images
                   FROM passage p WHERE p.event_id = %s AND p.captured_at = %s""",
                [case.event_id, case.captured_at],
            )
            parts = await cursor.fetchone()
        if parts is None:
            raise NotFound(f"the passage {case.event_id} of case {case.case_id} is not stored here")
        digests = {name: canonical_sha256(part) for name, part in parts.items()}
        digests["proposal"] = canonical_sha256(case.proposal)
        digests["tagmanifest"] = case.tagmanifest
        return digests | await self._supplements(case)

    async def sealed_folders(self, case: CaseFile) -> list[str]:
        """Return the folders of a case's package and of every supplement sealed since, in their order."""
        cursor = await self._conn.execute(
            """SELECT folder FROM package
               WHERE event_id = %s AND supplement > 0 AND state = 'complete' ORDER BY supplement""",
            [case.event_id],
        )
        return [case.package_folder, *(folder for (folder,) in await cursor.fetchall())]

    async def _supplements(self, case: CaseFile) -> dict[str, Sha256]:
        """Return the tag manifests of sealed supplements, each a part of its own: a decision names them."""
        cursor = await self._conn.execute(
            """SELECT supplement, tagmanifest FROM package
               WHERE event_id = %s AND supplement > 0 AND state = 'complete' ORDER BY supplement""",
            [case.event_id],
        )
        return {f"supplement-{number}": digest for number, digest in await cursor.fetchall()}

    async def note(
        self, case_id: CaseId, *, actor: str, what: str, detail: dict[str, Any], at: datetime
    ) -> None:
        """Add a line to the case's life, which is never changed afterwards."""
        await self._conn.execute(
            "INSERT INTO case_event (case_id, at, actor, what, detail) VALUES (%s, %s, %s, %s, %s)",
            [case_id, at, actor, what, Jsonb(detail)],
        )

    async def log_decision(self, case_id: CaseId, signed: SignedAct) -> None:
        """Put a decision's leaf into the transparency log's outbox; NotPermitted where its key has ended."""
        if signed.key_id is not None:
            await hold_key(self._conn, signed.key_id)
        await outbox.enqueue(self._conn, kind="decision", subject=case_id, leaf=signed.leaf)
