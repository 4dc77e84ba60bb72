-- Messages that sources push: which are known already, so that one sent again has no effect.

-- `n` rises, so the oldest have the smallest. Bounded by age and rows.
CREATE TABLE delivery (
    n INTEGER PRIMARY KEY,
    feed TEXT NOT NULL,
    id TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    UNIQUE (feed, id)
) STRICT;

-- By which time, UTC milliseconds, what a key waits for had happened: a figure of another feed that was taken later has it.
-- 0: only a level or a read of this feed's own tells.
ALTER TABLE resync ADD COLUMN since_ms INTEGER NOT NULL DEFAULT 0;
