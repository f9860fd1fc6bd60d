-- Intake: every message once, in the ledger; what it said, in passage or capture; or why not, in quarantine.

-- The one place where uniqueness lives. Never partitioned; kept longer than any partition.
CREATE TABLE ledger (
    station_id     text NOT NULL,
    device_id      text NOT NULL,
    epoch          text NOT NULL,
    sequence       bigint NOT NULL,
    payload_sha256 bytea NOT NULL CHECK (octet_length(payload_sha256) = 32),  -- of the body, without framing
    event_id       text NOT NULL,
    outcome        text NOT NULL CHECK (outcome IN ('passage', 'capture', 'quarantine')),
    duplicates     integer NOT NULL DEFAULT 0,
    received_at    timestamptz NOT NULL,
    PRIMARY KEY (station_id, device_id, epoch, sequence)
);

-- The shape of passage; which kind of table gets it is decided below.
CREATE TABLE passage_shape (
    event_id        text NOT NULL,
    captured_at     timestamptz NOT NULL,
    station_id      text NOT NULL,
    device_id       text NOT NULL,
    epoch           text NOT NULL,
    sequence        bigint NOT NULL,
    sent_at         timestamptz NOT NULL,
    received_at     timestamptz NOT NULL,
    stored_at       timestamptz NOT NULL DEFAULT now(),
    match_key       text NOT NULL,
    lane            smallint NOT NULL,
    speed_m_h       integer NOT NULL,
    gross_kg        integer NOT NULL,
    axle_count      smallint NOT NULL,
    axle_loads_kg   integer[] NOT NULL,
    spacings_mm     integer[] NOT NULL,
    vehicle_code    text NOT NULL,
    limit_kg        integer NOT NULL,
    over_kg         integer NOT NULL,
    outcome         text NOT NULL,              -- domain.screening.Outcome
    header          jsonb NOT NULL,             -- domain.events.MessageHeader
    record          jsonb NOT NULL,             -- domain.events.WeighRecord
    context         jsonb NOT NULL,             -- domain.registry.StationContext as of captured_at
    screening       jsonb NOT NULL,             -- domain.screening.Screening
    wire_topic      text NOT NULL,
    wire_content_type text,
    wire_properties jsonb NOT NULL,
    wire_payload    bytea NOT NULL,             -- exactly as received
    PRIMARY KEY (event_id, captured_at)
);

-- A hypertable where this database has the TimescaleDB extension, native range partitions elsewhere
-- (store.partitions makes those); what reads it is the same SQL.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_extension WHERE extname = 'timescaledb') THEN
        CREATE TABLE passage (LIKE passage_shape INCLUDING ALL);
        PERFORM create_hypertable(
            'passage', 'captured_at', chunk_time_interval => INTERVAL '7 days', create_default_indexes => false);
    ELSE
        CREATE TABLE passage (LIKE passage_shape INCLUDING ALL) PARTITION BY RANGE (captured_at);
        CREATE TABLE passage_default PARTITION OF passage DEFAULT;
    END IF;
END
$$;
DROP TABLE passage_shape;

CREATE INDEX passage_pairing ON passage (station_id, match_key, captured_at);
CREATE INDEX passage_by_time ON passage (captured_at DESC);

-- What a flagged passage still waits for. One row a flagged passage; it has no partitions, so that the
-- pipeline's lookups by event id stay cheap.
CREATE TABLE hit (
    event_id          text PRIMARY KEY,
    captured_at       timestamptz NOT NULL,
    station_id        text NOT NULL,
    match_key         text NOT NULL,
    expected_captures text[] NOT NULL,          -- as announced: device/role; by the site's profile: /role
    deadline          timestamptz NOT NULL,     -- captures later than this make a supplement
    state             text NOT NULL DEFAULT 'waiting'
        CHECK (state IN ('waiting', 'reading', 'sealing', 'sealed', 'incomplete', 'open')),
    missing           text[] NOT NULL DEFAULT '{}',
    updated_at        timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE blob (
    sha256     text PRIMARY KEY CHECK (sha256 ~ '^[0-9a-f]{64}$'),
    size_bytes bigint NOT NULL,
    stored_at  timestamptz NOT NULL DEFAULT now()
);

CREATE TABLE capture (
    event_id         text PRIMARY KEY,          -- the capture's own event
    station_id       text NOT NULL,
    device_id        text NOT NULL,
    epoch            text NOT NULL,
    sequence         bigint NOT NULL,
    captured_at      timestamptz NOT NULL,
    received_at      timestamptz NOT NULL,
    stored_at        timestamptz NOT NULL DEFAULT now(),
    match_key        text NOT NULL,
    role             text NOT NULL,
    blob_sha256      text NOT NULL REFERENCES blob,
    size_bytes       integer NOT NULL,
    content_type     text NOT NULL,
    width_px         integer NOT NULL,
    height_px        integer NOT NULL,
    passage_event_id text,                      -- null until its passage is there
    header           jsonb NOT NULL,
    meta             jsonb NOT NULL,
    wire_topic       text NOT NULL,
    wire_properties  jsonb NOT NULL,
    wire_sha256      text NOT NULL,             -- of the payload as received; differs from blob_sha256 where framed
    wire_prefix      bytea                      -- payload = prefix || image; null: the payload is a blob of its own
);

CREATE INDEX capture_of_passage ON capture (passage_event_id);
CREATE INDEX capture_unpaired ON capture (station_id, match_key, captured_at) WHERE passage_event_id IS NULL;
CREATE INDEX capture_blob ON capture (blob_sha256);

CREATE TABLE quarantine (
    quarantine_id   bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    received_at     timestamptz NOT NULL,
    stored_at       timestamptz NOT NULL DEFAULT now(),
    topic           text NOT NULL,
    station_id      text,                       -- as claimed; may be unknown
    device_id       text,
    epoch           text,
    sequence        bigint,
    code            text NOT NULL,              -- domain.refusals.RefusalCode
    detail          text NOT NULL,
    content_type    text,
    properties      jsonb NOT NULL,
    payload_sha256  text NOT NULL,
    payload_size    bigint NOT NULL,
    payload         bytea,                      -- null where it lies in the blob store under its digest
    fingerprint     bytea NOT NULL UNIQUE,      -- of all that was claimed and sent: a resend adds no row
    resolved_at     timestamptz                 -- when it was accepted after all (`zhichao quarantine replay`)
);

CREATE INDEX quarantine_by_time ON quarantine (received_at DESC);

CREATE TABLE station_status (
    station_id     text NOT NULL,
    device_id      text NOT NULL,
    state          text NOT NULL,
    sent_at        timestamptz,
    received_at    timestamptz NOT NULL,
    clock_delay_ms bigint,                      -- smallest arrival - sent_at of late: bounds the clock offset
    clock_delay_seen_at timestamptz,            -- when it was seen; forgotten after an hour
    spool_messages integer,
    software       text,
    PRIMARY KEY (station_id, device_id)
);
