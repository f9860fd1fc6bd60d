-- Officers' own keys, and acts: what is done with evidence after it is sealed.

-- A key is made at its officer's first sign-in. It lies here only as the password opens it; ended, not even so.
CREATE TABLE officer_key (
    key_id     text PRIMARY KEY CHECK (key_id ~ '^[0-9a-f]{64}$'),  -- sha256 of the public key
    username   text NOT NULL,
    officer_id text NOT NULL,
    public_key bytea NOT NULL CHECK (octet_length(public_key) = 32),
    locked     bytea,
    made_at    timestamptz NOT NULL,
    ended_at   timestamptz,
    CHECK ((locked IS NULL) = (ended_at IS NOT NULL)),
    FOREIGN KEY (username, officer_id) REFERENCES account (username, officer_id)
);
CREATE UNIQUE INDEX officer_key_in_use ON officer_key (username) WHERE ended_at IS NULL;

-- Statements that give a key to an officer, and end it.
CREATE TABLE officer_key_statement (
    key_id    text NOT NULL REFERENCES officer_key,
    what      text NOT NULL CHECK (what IN ('officer-key', 'officer-key-end')),
    envelope  bytea NOT NULL,
    outbox_id bigint NOT NULL REFERENCES log_outbox,
    made_at   timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (key_id, what)
);

-- The key as this session's token opens it; the token itself is not stored.
ALTER TABLE web_session ADD COLUMN key_id text REFERENCES officer_key;
ALTER TABLE web_session ADD COLUMN locked_key bytea;
ALTER TABLE web_session ADD CHECK ((key_id IS NULL) = (locked_key IS NULL));

-- Every act but reviews, which lie in their own table.
CREATE TABLE act (
    act_id     text PRIMARY KEY,
    kind       text NOT NULL CHECK (kind ~ '^[a-z][a-z-]{0,31}$'),
    event_id   text,                            -- the passage's
    subject    text NOT NULL,                   -- case, package folder or event
    officer_id text REFERENCES officer,         -- null: somebody looked who is no officer
    key_id     text REFERENCES officer_key,     -- null: the service noted it, and signed alone
    envelope   bytea NOT NULL,
    leaf_hash  bytea NOT NULL UNIQUE REFERENCES log_outbox (leaf_hash),
    made_at    timestamptz NOT NULL,
    CHECK ((key_id IS NULL) = (kind IN ('access', 'erasure')))
);
CREATE INDEX act_of_event ON act (event_id, made_at);
CREATE INDEX act_of_subject ON act (subject, made_at);

-- Proofs of entries as they were when a witness first saw them: they date the entry.
CREATE TABLE entry_proof (
    leaf_hash bytea PRIMARY KEY REFERENCES log_outbox (leaf_hash),
    proof     bytea NOT NULL                    -- C2SP tlog-proof
);

CREATE TRIGGER act_append_only BEFORE UPDATE OR DELETE ON act
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
CREATE TRIGGER officer_key_statement_append_only BEFORE UPDATE OR DELETE ON officer_key_statement
    FOR EACH ROW EXECUTE FUNCTION refuse_rewriting();
