-- Pieces that change hands by the configuration, and what was ordered of them before.

-- What a line was ordered as: its pieces lie on the shelf under these SKUs, though the rules, or the names of SKUs, in force
-- make another thing of the line's own. What a kit's line was handed over as (order_kit) counts before it. `terms`: the aliases
-- by which it was called otherwise, empty for a kit.
CREATE TABLE line_made (
    order_id TEXT NOT NULL REFERENCES order_head (order_id) ON DELETE CASCADE,
    line_id TEXT NOT NULL,
    component TEXT NOT NULL,
    pieces INTEGER NOT NULL CHECK (pieces > 0),
    terms TEXT NOT NULL DEFAULT '',
    PRIMARY KEY (order_id, line_id, component)
) STRICT, WITHOUT ROWID;

CREATE INDEX line_made_component ON line_made (component);

-- What the goods of a name that was given up are called since, so that orders of it that are learnt late count there.
CREATE TABLE name_successor (
    sku TEXT PRIMARY KEY,
    successor TEXT NOT NULL,
    terms TEXT NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX name_successor_of ON name_successor (successor);
