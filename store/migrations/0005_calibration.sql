-- Weighing by the platform: waveforms beside their passages, what weighed them, and whether it drifts.

-- domain.weighing.Weighing; null where the station weighed.
ALTER TABLE passage ADD COLUMN weighing jsonb;

-- A large body lies in the blob store; wire_payload then holds only what came before it (MQTT 3.1.1's frame).
ALTER TABLE passage ADD COLUMN wire_blob text REFERENCES blob;

CREATE INDEX passage_wire_blob ON passage (wire_blob) WHERE wire_blob IS NOT NULL;

-- One row a version, never changed and never deleted: passages name the one that weighed them.
CREATE TABLE calibration_state (
    station_id   text NOT NULL,
    device_id    text NOT NULL,
    lane         smallint NOT NULL,
    version      integer NOT NULL,
    valid_from   timestamptz NOT NULL,
    digest       text NOT NULL CHECK (digest ~ '^[0-9a-f]{64}$'),
    document     jsonb NOT NULL,                -- weigh.calibration.state.CalibrationState
    installed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (station_id, device_id, lane, version),
    FOREIGN KEY (station_id, device_id) REFERENCES device
);

-- Steer axles that have not yet been counted into the drift test; written with their passages, and deleted by
-- whoever counts them, so that each counts once.
CREATE TABLE drift_sample (
    event_id    text PRIMARY KEY,
    station_id  text NOT NULL,
    device_id   text NOT NULL,
    lane        smallint NOT NULL,
    captured_at timestamptz NOT NULL,
    steer_kg    integer NOT NULL CHECK (steer_kg > 0)
);

CREATE INDEX drift_sample_by_lane ON drift_sample (station_id, device_id, lane, captured_at);

-- The drift test of one lane of a weighing device.
CREATE TABLE drift (
    station_id  text NOT NULL,
    device_id   text NOT NULL,
    lane        smallint NOT NULL,
    state       jsonb NOT NULL,                 -- the test's own state, after the last sample counted
    alarm_since timestamptz,                    -- capture of the sample at which the alarm went on; null: off
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (station_id, device_id, lane),
    FOREIGN KEY (station_id, device_id) REFERENCES device
);
