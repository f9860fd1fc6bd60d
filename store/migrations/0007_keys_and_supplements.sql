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
