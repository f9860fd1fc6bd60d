-- Keys that are followed by others or revoked, and packages that follow one another.

-- What an entry of the log is about: whoever puts it there names the kind, so that a new one changes no table.
ALTER TABLE log_outbox DROP CONSTRAINT log_outbox_kind_check;
ALTER TABLE log_outbox ADD CONSTRAINT log_outbox_kind_check CHECK (kind ~ '^[a-z][a-z-]{0,31}$');

-- Statements about the installation's keys, each logged once.
CREATE TABLE key_statement (
    key_id    text NOT NULL,                    -- sha256 of the public key that ends: rotated, or revoked
    what      text NOT NULL CHECK (what IN ('rotation', 'revocation')),
    role      text NOT NULL,
    envelope  bytea NOT NULL,
    outbox_id bigint NOT NULL REFERENCES log_outbox,
    made_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key_id, what)
);

-- Why a package is to be followed by another, where no late image asks for it; `supplement` is the one that did.
CREATE TABLE supplement_request (
    request_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    event_id     text NOT NULL,                 -- the passage's
    reason       text NOT NULL CHECK (reason IN ('re-read', 'correction')),
    note         text NOT NULL,
    requested_at timestamptz NOT NULL DEFAULT now(),
    supplement   integer CHECK (supplement > 0)
);
CREATE INDEX supplement_request_of ON supplement_request (event_id);

-- A reading counts once the package it was made for is sealed; until then nobody is shown it, or its images.
CREATE VIEW shown_reading AS
SELECT r.* FROM reading r
WHERE r.supplement = 0 OR EXISTS (
    SELECT FROM package k WHERE k.event_id = r.event_id AND k.supplement = r.supplement AND k.state = 'complete');

CREATE OR REPLACE VIEW shown_capture AS
SELECT event_id, passage_event_id, role, device_id, blob_sha256, captured_at, size_bytes, width_px, height_px,
    EXISTS (SELECT FROM shown_reading r, jsonb_array_elements(r.reading -> 'captures') AS named
            WHERE r.event_id = i.passage_event_id
              AND named ->> 'role' = i.role AND named ->> 'image_sha256' = i.blob_sha256) AS in_evidence
FROM capture i;
