-- The registry: who and what may weigh, photograph and decide, each fact with its validity dates.
-- Looked up as of the passage, never as of now.

CREATE TABLE site (
    site_id text PRIMARY KEY
);

-- What a site was like from one day to another: a bridge's limit may be lowered, lanes added. Periods of one
-- site do not overlap (store.registry checks it when loading).
CREATE TABLE site_facts (
    site_id              text NOT NULL REFERENCES site,
    name                 text NOT NULL,
    road                 text NOT NULL,
    stake                text NOT NULL,                -- 桩号, e.g. K123+450
    direction            text NOT NULL,
    lanes                smallint NOT NULL CHECK (lanes BETWEEN 1 AND 16),
    gross_limit_kg       integer CHECK (gross_limit_kg > 0),  -- own lower limit (bridge, sign)
    completeness_profile text NOT NULL,
    valid_from           date NOT NULL,
    valid_to             date CHECK (valid_to >= valid_from),  -- last day it holds
    PRIMARY KEY (site_id, valid_from)
);

CREATE TABLE station (
    station_id text PRIMARY KEY,
    site_id    text NOT NULL REFERENCES site    -- for good: one that moves gets a new name
);

CREATE TABLE device (
    station_id text NOT NULL REFERENCES station,
    device_id  text NOT NULL,
    kind       text NOT NULL CHECK (kind IN ('wim', 'camera', 'gateway')),
    decoder    text NOT NULL DEFAULT 'native',
    valid_from date NOT NULL,
    valid_to   date,
    PRIMARY KEY (station_id, device_id)
);

CREATE TABLE device_key (
    station_id text NOT NULL,
    device_id  text NOT NULL,
    key_id     text NOT NULL,
    public_key bytea NOT NULL CHECK (octet_length(public_key) = 32),  -- Ed25519
    valid_from timestamptz NOT NULL,
    valid_to   timestamptz,
    PRIMARY KEY (station_id, device_id, key_id),
    FOREIGN KEY (station_id, device_id) REFERENCES device
);

CREATE TABLE certificate (
    station_id         text NOT NULL,
    device_id          text NOT NULL,
    number             text NOT NULL,
    issued_by          text NOT NULL,
    accuracy_class     text NOT NULL,
    mpe_in_service_ppm integer NOT NULL CHECK (mpe_in_service_ppm BETWEEN 0 AND 500000),
    min_speed_m_h      integer NOT NULL,
    max_speed_m_h      integer NOT NULL CHECK (max_speed_m_h > min_speed_m_h),
    lanes              smallint[] NOT NULL,
    valid_from         date NOT NULL,
    valid_to           date NOT NULL CHECK (valid_to >= valid_from),  -- last day it holds
    PRIMARY KEY (station_id, device_id, number),
    FOREIGN KEY (station_id, device_id) REFERENCES device
);

CREATE TABLE announcement (
    site_id       text NOT NULL REFERENCES site,
    number        text NOT NULL,
    published_on  date NOT NULL,
    in_force_from date NOT NULL CHECK (in_force_from >= published_on),
    in_force_to   date,
    PRIMARY KEY (site_id, number)
);

CREATE TABLE legal_basis (
    site_id      text NOT NULL REFERENCES site,
    citation     text NOT NULL,
    liable_party text NOT NULL CHECK (liable_party IN ('owner', 'driver', 'unsettled')),
    valid_from   date NOT NULL,
    valid_to     date,
    PRIMARY KEY (site_id, valid_from)
);

CREATE TABLE officer (
    officer_id text PRIMARY KEY,
    name       text NOT NULL
);

CREATE TABLE officer_licence (       -- 执法证
    officer_id text NOT NULL REFERENCES officer,
    number     text NOT NULL,
    valid_from date NOT NULL,
    valid_to   date NOT NULL,
    PRIMARY KEY (officer_id, number)
);
