-- Places that a feed was read up to, one every few minutes and for as long as a source must keep its records: from there it can
-- be read again.
CREATE TABLE feed_place (
    feed TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    checkpoint TEXT NOT NULL,
    PRIMARY KEY (feed, at_ms)
) STRICT, WITHOUT ROWID;
