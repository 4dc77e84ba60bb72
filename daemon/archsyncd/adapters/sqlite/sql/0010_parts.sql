-- Snapshots that a source sends in parts among its records: kept until all parts have come, as those are acknowledged one by
-- one and nobody sends them again.

-- One row a snapshot. What its trailer says is NULL until that has come. `done`: taken, or given up; it stays for a while, so
-- that a part that is delivered once more opens nothing.
CREATE TABLE sending (
    feed TEXT NOT NULL,
    epoch TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    begun_ms INTEGER NOT NULL,
    done INTEGER NOT NULL DEFAULT 0 CHECK (done IN (0, 1)),
    parts INTEGER,
    seq_at INTEGER,
    as_of TEXT,
    locations TEXT,
    records INTEGER,
    sum_on_hand TEXT,
    PRIMARY KEY (feed, epoch, snapshot)
) STRICT, WITHOUT ROWID;

-- `items`: a JSON array of [location, SKU, seq, onHand, available, asOf, ordersIncluded, ordersThrough in milliseconds].
CREATE TABLE sending_part (
    feed TEXT NOT NULL,
    epoch TEXT NOT NULL,
    snapshot TEXT NOT NULL,
    part INTEGER NOT NULL,
    records INTEGER NOT NULL,
    rejected INTEGER NOT NULL,
    items TEXT NOT NULL,
    PRIMARY KEY (feed, epoch, snapshot, part),
    FOREIGN KEY (feed, epoch, snapshot) REFERENCES sending (feed, epoch, snapshot) ON DELETE CASCADE
) STRICT;
