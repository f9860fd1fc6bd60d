-- Cases, reviews and the people who make them.

CREATE TABLE account (
    username      text PRIMARY KEY CHECK (username ~ '^[a-z][a-z0-9._-]{1,31}$'),
    password_hash text NOT NULL,                -- argon2id
    role          text NOT NULL CHECK (role IN ('reviewer', 'supervisor', 'administrator')),
    officer_id    text REFERENCES officer,
    demo          boolean NOT NULL DEFAULT false,
    disabled      boolean NOT NULL DEFAULT false,
    created_at    timestamptz NOT NULL DEFAULT now(),
    UNIQUE (username, officer_id)
);

CREATE TABLE web_session (
    token_sha256 bytea PRIMARY KEY,
    username     text NOT NULL REFERENCES account ON DELETE CASCADE,
    csrf_token   text NOT NULL,
    created_at   timestamptz NOT NULL DEFAULT now(),
    expires_at   timestamptz NOT NULL
);
CREATE INDEX web_session_expiry ON web_session (expires_at);

-- Failed sign-ins by who was tried and from where; back-off survives a restart and spans processes.
CREATE TABLE login_failure (
    subject       text PRIMARY KEY,
    failures      integer NOT NULL,
    blocked_until timestamptz NOT NULL,
    last_at       timestamptz NOT NULL
);

CREATE TABLE case_file (
    case_id         text PRIMARY KEY,           -- derived from the event id: one lead an event
    event_id        text NOT NULL UNIQUE,
    captured_at     timestamptz NOT NULL,
    station_id      text NOT NULL,
    site_id         text NOT NULL,
    state           text NOT NULL CHECK (state IN
        ('awaiting-first', 'awaiting-second', 'awaiting-third', 'confirmed', 'rejected')),
    version         integer NOT NULL DEFAULT 1,
    ocr_plate       text,
    plate           text,                       -- as two reviewers typed it; null until confirmed
    vehicle_code    text NOT NULL,
    adjudged_kg     integer NOT NULL,
    limit_kg        integer NOT NULL,
    over_kg         integer NOT NULL CHECK (over_kg > 0),
    package_folder  text NOT NULL,
    tagmanifest     text NOT NULL,
    proposal        jsonb NOT NULL,             -- cases.penalty.Proposal
    opened_at       timestamptz NOT NULL DEFAULT now(),
    updated_at      timestamptz NOT NULL DEFAULT now(),
    CHECK ((state = 'confirmed') = (plate IS NOT NULL))
);
CREATE INDEX case_file_queue ON case_file (state, captured_at, case_id);

CREATE TABLE case_claim (
    case_id       text PRIMARY KEY REFERENCES case_file,
    username      text NOT NULL REFERENCES account,
    fencing_token bigint NOT NULL,
    expires_at    timestamptz NOT NULL
);
CREATE SEQUENCE claim_fencing;

CREATE TABLE review (
    case_id         text NOT NULL REFERENCES case_file,
    round           smallint NOT NULL CHECK (round BETWEEN 1 AND 3),
    username        text NOT NULL,
    officer_id      text NOT NULL REFERENCES officer,
    licence         text NOT NULL,
    verdict         text NOT NULL CHECK (verdict IN ('confirm', 'reject')),
    reason          text NOT NULL,
    note            text NOT NULL DEFAULT '',
    plate_typed     text CHECK ((verdict = 'confirm') = (plate_typed IS NOT NULL)),
    seen_digests    jsonb NOT NULL,             -- what was on screen: digests by part
    idempotency_key text NOT NULL UNIQUE,
    envelope        bytea NOT NULL,             -- the signed decision statement
    decided_at      timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (case_id, round),
    CONSTRAINT review_another_officer UNIQUE (case_id, officer_id),  -- 行政处罚法 Art. 42: at least two
    FOREIGN KEY (username, officer_id) REFERENCES account (username, officer_id)
);

-- The life of a case, in order.
CREATE TABLE case_event (
    case_event_id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    case_id       text NOT NULL REFERENCES case_file,
    at            timestamptz NOT NULL DEFAULT now(),
    actor         text NOT NULL,
    what          text NOT NULL,
    detail        jsonb NOT NULL DEFAULT '{}'
);
CREATE INDEX case_event_of ON case_event (case_id, case_event_id);

-- Reviews and events are append only, for this software too (行政处罚法 Art. 47: the whole process is kept).
CREATE FUNCTION refuse_rewriting() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION '% is append only', TG_TABLE_NAME USING ERRCODE = 'restrict_violation';
END $$;

CREATE TRIGGER review_append_only BEFORE UPDATE OR DELETE ON review
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER case_event_append_only BEFORE UPDATE OR DELETE ON case_event
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
