-- Keys that sell the same pieces: channels that share a location, kits and their components.

-- What a key owes beyond its part of what it shares, in its own pieces; the others leave as many. A key that owes nothing
-- has no row.
CREATE TABLE pool_debt (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    pieces INTEGER NOT NULL CHECK (pieces > 0),
    PRIMARY KEY (channel, sku)
) STRICT, WITHOUT ROWID;

-- An increase that waits until another key of its pool is down to its part. Some of those it waits for, never many.
CREATE TABLE pool_wait (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    for_channel TEXT NOT NULL,
    for_sku TEXT NOT NULL,
    pieces INTEGER,
    since_ms INTEGER NOT NULL,
    PRIMARY KEY (channel, sku, for_channel, for_sku)
) STRICT, WITHOUT ROWID;

CREATE INDEX pool_wait_for ON pool_wait (for_channel, for_sku);

-- What was taken from a key that shares its pieces, by the second (commercetools' clock): orders from before it may not be
-- known yet. Gone once they are.
CREATE TABLE pool_fall (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    pieces INTEGER NOT NULL CHECK (pieces > 0),
    PRIMARY KEY (channel, sku, at_ms)
) STRICT, WITHOUT ROWID;

CREATE INDEX pool_fall_age ON pool_fall (at_ms);

-- Keys that were reckoned as kits, so that they are reckoned anew when they are kits no more.
CREATE TABLE kit_key (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    PRIMARY KEY (channel, sku)
) STRICT, WITHOUT ROWID;
