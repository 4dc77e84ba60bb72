-- What people's reports rest on.

-- When a report of each kind was last told to somebody.
CREATE TABLE report_made (
    kind TEXT PRIMARY KEY CHECK (kind IN ('daily', 'weekly', 'finance')),
    made_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

-- Orders that were cancelled in commercetools after they had been sent: few among many.
CREATE INDEX handover_cancelled_late ON handover (since_ms, order_id) WHERE cancel = 1 AND sent > 0;
