-- Health of the data: when locations were last told, and what finds keys that more was ordered of than there is.

-- One row for each location that is sold and each feed that has told of it. `told_ms`: when it last told a level of it.
CREATE TABLE location_told (
    location TEXT NOT NULL,
    feed TEXT NOT NULL,
    told_ms INTEGER NOT NULL,
    PRIMARY KEY (location, feed)
) STRICT, WITHOUT ROWID;

-- Keys whose entry should stand below nothing.
CREATE INDEX outbox_beyond ON outbox (channel, sku) WHERE x_target < known;

-- Pieces that commercetools does not count itself.
CREATE INDEX order_line_untracked ON order_line (quantity) WHERE tracked = 0 AND released = 0;
