-- Figures of each minute of the last day, for the status page's charts. Nothing depends on them.

CREATE TABLE sample (
    at_ms INTEGER PRIMARY KEY CHECK (at_ms % 60000 = 0),
    verdict INTEGER NOT NULL CHECK (verdict BETWEEN 0 AND 2),
    near_zero INTEGER NOT NULL,
    decreases INTEGER NOT NULL,
    from_zero INTEGER NOT NULL,
    increases INTEGER NOT NULL,
    oldest_decrease_ms INTEGER,
    requests REAL,
    limit_rate REAL NOT NULL,
    cases INTEGER NOT NULL,
    behind_ms INTEGER
) STRICT;
