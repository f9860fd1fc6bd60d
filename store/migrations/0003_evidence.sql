-- From reading to sealing: what was read, the sealing state machine, and the log with its single writer.

CREATE TABLE reading (
    event_id   text NOT NULL,                   -- the passage's
    supplement integer NOT NULL DEFAULT 0,
    reading    jsonb NOT NULL,                  -- domain.plates.PlateReading
    plate      text,
    made_at    timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (event_id, supplement)
);

-- Captures as a reviewer is shown them. A package holds the captures that the reading it was sealed with
-- names; one that is paired afterwards is kept and listed, but no seal vouches for it: nobody decides on it.
CREATE VIEW shown_capture AS
SELECT event_id, passage_event_id, role, device_id, blob_sha256, captured_at, size_bytes, width_px, height_px,
    EXISTS (SELECT FROM reading r, jsonb_array_elements(r.reading -> 'captures') AS named
            WHERE r.event_id = i.passage_event_id
              AND named ->> 'role' = i.role AND named ->> 'image_sha256' = i.blob_sha256) AS in_evidence
FROM capture i;

-- built -> stamped -> logged -> complete; each step's bytes are stored before the next begins.
CREATE TABLE package (
    event_id          text NOT NULL,
    supplement        integer NOT NULL DEFAULT 0,
    state             text NOT NULL
        CHECK (state IN ('built', 'awaiting-time', 'stamped', 'logged', 'complete')),
    folder            text NOT NULL,            -- below the evidence folder, e.g. EV-<id>
    tagmanifest       text NOT NULL,            -- sha256
    envelope          bytea NOT NULL,
    token             bytea,
    leaf              bytea,
    leaf_sha256       bytea,
    complete          boolean NOT NULL,         -- passed the completeness gate
    missing           text[] NOT NULL DEFAULT '{}',
    built_at          timestamptz NOT NULL DEFAULT now(),
    completed_at      timestamptz,
    PRIMARY KEY (event_id, supplement)
);

-- Whatever is to be in the log is put here in the transaction of the fact it records.
CREATE TABLE log_outbox (
    outbox_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    kind        text NOT NULL CHECK (kind IN ('capture', 'package', 'decision')),
    subject     text NOT NULL,                  -- event id, EV-id or case id
    leaf        bytea NOT NULL,
    leaf_hash   bytea NOT NULL CHECK (octet_length(leaf_hash) = 32) UNIQUE,
    queued_at   timestamptz NOT NULL DEFAULT now(),
    leaf_index  bigint UNIQUE,
    logged_at   timestamptz
);

CREATE INDEX log_outbox_waiting ON log_outbox (outbox_id) WHERE leaf_index IS NULL;
CREATE INDEX log_outbox_subject ON log_outbox (subject);

-- One row: the log's head and the fencing token of its one writer.
CREATE TABLE log_head (
    only_row      boolean PRIMARY KEY DEFAULT true CHECK (only_row),
    fencing_token bigint NOT NULL DEFAULT 0,
    tree_size     bigint NOT NULL DEFAULT 0,
    root_hash     bytea,
    checkpoint    text,
    updated_at    timestamptz NOT NULL DEFAULT now()
);
INSERT INTO log_head DEFAULT VALUES;

-- Digests of originals, batched into one capture statement within 10 s of their commit.
CREATE TABLE capture_statement (
    statement_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    envelope     bytea NOT NULL,
    outbox_id    bigint NOT NULL REFERENCES log_outbox,
    made_at      timestamptz NOT NULL DEFAULT now()
);
CREATE TABLE capture_statement_subject (
    event_id     text PRIMARY KEY,              -- passage or capture event
    sha256       text NOT NULL,
    queued_at    timestamptz NOT NULL DEFAULT now(),
    statement_id bigint REFERENCES capture_statement
);
CREATE INDEX capture_statement_waiting ON capture_statement_subject (queued_at) WHERE statement_id IS NULL;

-- Why a job's last attempt failed; the job table itself keeps no errors.
CREATE TABLE job_failure (
    job_id    bigint PRIMARY KEY REFERENCES procrastinate_jobs ON DELETE CASCADE,
    error     text NOT NULL,
    failed_at timestamptz NOT NULL DEFAULT now()
);
