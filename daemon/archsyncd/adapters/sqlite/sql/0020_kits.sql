-- Kits as they were handed over, and what was sold where by the rules before.

-- What a kit was made of when an order of it was written down to be sent; many orders have the same. `apart`: the rules in
-- force make another thing of that SKU, so that its components' own figures must count what was handed over of it.
CREATE TABLE kit_made (
    version INTEGER PRIMARY KEY,
    sku TEXT NOT NULL,
    components TEXT NOT NULL,
    apart INTEGER NOT NULL CHECK (apart IN (0, 1)),
    UNIQUE (sku, components)
) STRICT;

CREATE INDEX kit_made_apart ON kit_made (apart) WHERE apart = 1;

CREATE TABLE kit_part (
    component TEXT NOT NULL,
    version INTEGER NOT NULL REFERENCES kit_made (version) ON DELETE CASCADE,
    pieces INTEGER NOT NULL CHECK (pieces > 0),
    PRIMARY KEY (component, version)
) STRICT, WITHOUT ROWID;

CREATE INDEX kit_part_version ON kit_part (version);

-- The line of a kit as it was handed over. It stays as long as a dispatch or a return of the order may come.
CREATE TABLE order_kit (
    order_id TEXT NOT NULL REFERENCES handover (order_id) ON DELETE CASCADE,
    line_id TEXT NOT NULL,
    version INTEGER NOT NULL REFERENCES kit_made (version),
    PRIMARY KEY (order_id, line_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX order_kit_version ON order_kit (version);

-- What channels sold a location, and what was a kit, by rules before those in force: what that still shows, or owes, is
-- waited for. One row at most; none where all of that is settled.
CREATE TABLE pool_past (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    locations TEXT NOT NULL,
    kits TEXT NOT NULL
) STRICT;
