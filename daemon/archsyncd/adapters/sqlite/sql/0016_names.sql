-- What Archean calls the goods that commercetools calls otherwise: a row for each SKU that was met under an alias, and, where
-- rules make names, for every SKU. `retired`: the name was given up; orders for it still are orders for those goods.
CREATE TABLE sku_name (
    sku TEXT PRIMARY KEY,
    archean TEXT NOT NULL,
    retired INTEGER NOT NULL DEFAULT 0 CHECK (retired IN (0, 1))
) STRICT, WITHOUT ROWID;

CREATE INDEX sku_name_archean ON sku_name (archean) WHERE retired = 0;

-- In which unit a feed told an Archean SKU last.
CREATE TABLE sku_unit (
    feed TEXT NOT NULL,
    archean TEXT NOT NULL,
    unit TEXT NOT NULL,
    PRIMARY KEY (feed, archean)
) STRICT, WITHOUT ROWID;

-- One row: the aliases by which the names above and the levels were made.
CREATE TABLE aliases_in_force (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    fingerprint TEXT NOT NULL
) STRICT;
