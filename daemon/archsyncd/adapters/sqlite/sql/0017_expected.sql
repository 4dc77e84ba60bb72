-- When more is expected, as the last level that said so told; a row only where something is.
CREATE TABLE level_expected (
    location TEXT NOT NULL,
    sku TEXT NOT NULL,
    expected_at TEXT NOT NULL,
    PRIMARY KEY (location, sku)
) STRICT, WITHOUT ROWID;

-- What entries should show as expectedDelivery, and what we wrote there last; NULL: nothing. `not_before_ms`: when a write of
-- its own may go, `again`: how often that failed.
CREATE TABLE expected_delivery (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    wanted TEXT,
    written TEXT,
    not_before_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (channel, sku)
) STRICT, WITHOUT ROWID;

CREATE INDEX expected_delivery_due ON expected_delivery (not_before_ms) WHERE wanted IS NOT written;
