-- Retention: what was deleted and under which rule, what is held, and blobs that nothing refers to.

-- One row a statement; what it names by digest is no longer here. Its entry in the log is never deleted.
CREATE TABLE deletion (
    deletion_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    rule        text NOT NULL,                  -- domain.retention.Rule
    act_id      text NOT NULL REFERENCES act,   -- the signed statement
    made_at     timestamptz NOT NULL
);

-- As long as a hold is not released, no rule deletes what it covers.
CREATE TABLE legal_hold (
    hold_id            bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind               text NOT NULL CHECK (kind IN ('event', 'case', 'vehicle', 'quarantine')),
    subject            text NOT NULL,           -- event id, case id, plate, or number in quarantine
    reason             text NOT NULL CHECK (reason <> ''),
    placed_by          text NOT NULL,
    placed_at          timestamptz NOT NULL,
    placed_act         text NOT NULL REFERENCES act,
    released_by        text,
    released_at        timestamptz CHECK (released_at >= placed_at),
    release_reason     text CHECK (release_reason <> ''),
    released_act       text REFERENCES act,
    CHECK (num_nulls(released_by, released_at, release_reason, released_act) IN (0, 4))
);
CREATE INDEX legal_hold_in_force ON legal_hold (kind, subject) WHERE released_at IS NULL;

-- A correction is an officer's act; a re-read, and what late images ask for, the service's own doing.
ALTER TABLE supplement_request ADD COLUMN act_id text REFERENCES act;
ALTER TABLE supplement_request ADD CONSTRAINT correction_is_an_act CHECK ((reason = 'correction') = (act_id IS NOT NULL));

ALTER TABLE hit ADD COLUMN deletion_id bigint REFERENCES deletion;
ALTER TABLE package ADD COLUMN deletion_id bigint REFERENCES deletion;
ALTER TABLE package ADD COLUMN files_removed_at timestamptz CHECK (files_removed_at IS NULL OR deletion_id IS NOT NULL);

-- From then on wire_payload is empty and wire_blob null: the figures are all that is left.
ALTER TABLE passage ADD COLUMN erased_at timestamptz;
ALTER TABLE quarantine ADD COLUMN erased_at timestamptz;
CREATE INDEX passage_not_erased ON passage (stored_at) WHERE erased_at IS NULL;
CREATE INDEX quarantine_not_erased ON quarantine (stored_at) WHERE erased_at IS NULL;
CREATE INDEX capture_by_storing ON capture (stored_at);

-- Since when no row refers to a blob, as far as the last deletion knew; asked anew before its file goes.
ALTER TABLE blob ADD COLUMN unreferenced_at timestamptz;
CREATE INDEX blob_unreferenced ON blob (unreferenced_at) WHERE unreferenced_at IS NOT NULL;
CREATE INDEX capture_wire_blob ON capture (wire_sha256) WHERE wire_prefix IS NULL;
CREATE INDEX quarantine_blob ON quarantine (payload_sha256) WHERE payload IS NULL;

CREATE VIEW blob_reference AS
SELECT blob_sha256 AS sha256 FROM capture
UNION ALL SELECT wire_sha256 FROM capture WHERE wire_prefix IS NULL
UNION ALL SELECT wire_blob FROM passage WHERE wire_blob IS NOT NULL
UNION ALL SELECT payload_sha256 FROM quarantine WHERE payload IS NULL AND erased_at IS NULL;

-- Which passages a hold covers or covered; of a vehicle, those at which its plate was read, by any camera and
-- as any candidate, or typed, in any review: rather one too many than one that was held and is deleted.
CREATE VIEW hold_cover AS
SELECT hold_id, released_at, subject AS event_id FROM legal_hold WHERE kind = 'event'
UNION ALL  -- of a capture that was held before it was paired: the passage it belongs to by now
SELECT l.hold_id, l.released_at, c.passage_event_id FROM legal_hold l JOIN capture c ON c.event_id = l.subject
WHERE l.kind = 'event' AND c.passage_event_id IS NOT NULL
UNION ALL
SELECT l.hold_id, l.released_at, c.event_id FROM legal_hold l JOIN case_file c ON c.case_id = l.subject
WHERE l.kind = 'case'
UNION ALL
SELECT l.hold_id, l.released_at, c.event_id FROM legal_hold l
JOIN case_file c ON l.subject IN (c.plate, c.ocr_plate)
WHERE l.kind = 'vehicle'
UNION ALL
SELECT l.hold_id, l.released_at, c.event_id FROM legal_hold l
JOIN review v ON v.plate_typed = l.subject JOIN case_file c USING (case_id)
WHERE l.kind = 'vehicle'
UNION ALL
SELECT l.hold_id, l.released_at, r.event_id FROM legal_hold l
JOIN reading r ON jsonb_path_exists(
    r.reading, '$.** ? (@.text == $plate || @.trailer_text == $plate)', jsonb_build_object('plate', l.subject))
WHERE l.kind = 'vehicle';

CREATE VIEW held_event AS SELECT event_id FROM hold_cover WHERE released_at IS NULL;

-- The process of a case is kept as it was (行政处罚法 Art. 47), but for the plate, once the evidence itself was
-- deleted under a rule and a logged statement says so. The log still has the digest of each decision.
CREATE FUNCTION refuse_rewriting_of_reviews() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF NEW.note = '' AND NEW.envelope = '' AND (NEW.plate_typed IS NULL OR NEW.plate_typed = 'erased')
            AND to_jsonb(NEW) - ARRAY['note', 'envelope', 'plate_typed']
                = to_jsonb(OLD) - ARRAY['note', 'envelope', 'plate_typed']
            AND EXISTS (SELECT FROM case_file c JOIN hit h ON h.event_id = c.event_id
                        WHERE c.case_id = NEW.case_id AND h.deletion_id IS NOT NULL)
        THEN
            RETURN NEW;
        END IF;
    END IF;
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

DROP TRIGGER review_append_only ON review;
CREATE TRIGGER review_append_only BEFORE UPDATE OR DELETE ON review
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting_of_reviews();
