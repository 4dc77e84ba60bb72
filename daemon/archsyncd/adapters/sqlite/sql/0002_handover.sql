-- The hand-over of orders to Archean: one row an order from when it is learnt until some time after it is closed.

-- `body` is what is sent, and holds a name and an address: it goes when Archean has the order. `lines` is a digest of what was
-- asked for. `cancel`: commercetools has cancelled it. `noted`: Archean's number stands on the order in commercetools.
-- `due_ms`: when something is to be done about it. `foreign_hand`: another system may have handed it over before us.
CREATE TABLE handover (
    order_id TEXT PRIMARY KEY,
    number TEXT,
    created_ms INTEGER NOT NULL,
    version INTEGER NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('learned', 'waiting', 'ready', 'sending', 'in_doubt', 'received', 'accepted',
        'cancelling', 'cancelled', 'part_shipped', 'shipped', 'closed', 'closed_short', 'held', 'dismissed')),
    since_ms INTEGER NOT NULL,
    reason TEXT NOT NULL DEFAULT '',
    body TEXT CHECK (length(body) <= 16777216),
    lines TEXT NOT NULL DEFAULT '',
    sent INTEGER NOT NULL DEFAULT 0 CHECK (sent >= 0),
    source_order TEXT,
    cancel INTEGER NOT NULL DEFAULT 0 CHECK (cancel IN (0, 1)),
    noted INTEGER NOT NULL DEFAULT 0 CHECK (noted IN (0, 1)),
    foreign_hand INTEGER NOT NULL DEFAULT 0 CHECK (foreign_hand IN (0, 1)),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_ms INTEGER,
    -- Nobody's name or address is kept once Archean has the order.
    CHECK (body IS NULL OR stage IN ('ready', 'sending', 'in_doubt', 'received', 'held'))
) STRICT, WITHOUT ROWID;

CREATE INDEX handover_due ON handover (created_ms, order_id) WHERE due_ms IS NOT NULL;
CREATE INDEX handover_stage ON handover (stage, since_ms);
CREATE INDEX handover_number ON handover (number) WHERE number IS NOT NULL;

-- What became of an order, step by step; `n` counts within the order.
CREATE TABLE order_event (
    order_id TEXT NOT NULL REFERENCES handover (order_id) ON DELETE CASCADE,
    n INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    stage TEXT NOT NULL,
    note TEXT NOT NULL,
    PRIMARY KEY (order_id, n)
) STRICT, WITHOUT ROWID;
