-- Weighing by the platform: waveforms beside their passages, what weighed them, and whether it drifts.

-- domain.weighing.Weighing; null where the station weighed.
ALTER TABLE passage ADD COLUMN weighing jsonb;

-- A waveform, or another large body, lies in the blob store; wire_payload then holds only what came before it (MQTT 3.1.1's frame).
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

-- The drift test of one lane of a weighing device, for each calibration or certificate it weighed under: an
-- alarm ends with what it was raised against, and passages of that time that come late still meet it.
CREATE TABLE drift (
    station_id  text NOT NULL,
    device_id   text NOT NULL,
    lane        smallint NOT NULL,
    basis       text NOT NULL,                  -- calibration:VERSION or certificate:NUMBER
    state       jsonb NOT NULL,                 -- weigh.calibration.drift.DriftState, after the last axle counted
    alarm_since timestamptz,                    -- capture of the last axle of the batch that raised it
    updated_at  timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (station_id, device_id, lane, basis),
    FOREIGN KEY (station_id, device_id) REFERENCES device
);

-- Steer axles not yet counted into the drift test; written with their passages, and deleted by whoever counts
-- them, in one transaction with the test's new state: each counts once.
CREATE TABLE drift_sample (
    event_id    text PRIMARY KEY,
    station_id  text NOT NULL,
    device_id   text NOT NULL,
    lane        smallint NOT NULL,
    basis       text NOT NULL,
    captured_at timestamptz NOT NULL,
    steer_kg    integer NOT NULL CHECK (steer_kg > 0)
);
