-- Devices that sign: what their messages must carry, keys that were revoked, and what was found of each message.

-- domain.device_signatures.SignaturePolicy
ALTER TABLE device ADD COLUMN signature text NOT NULL DEFAULT 'if-keyed'
    CHECK (signature IN ('required', 'if-keyed', 'optional'));

-- Until when what was captured before the first key may arrive unsigned, by the platform's clock.
ALTER TABLE device ADD COLUMN unsigned_until timestamptz;

ALTER TABLE device_key ADD COLUMN revoked_at timestamptz;  -- from then on nothing received counts

-- domain.device_signatures.DeviceSignature, as found on arrival; null: stored before signatures were checked.
ALTER TABLE passage ADD COLUMN device_signature jsonb;
ALTER TABLE capture ADD COLUMN device_signature jsonb;
