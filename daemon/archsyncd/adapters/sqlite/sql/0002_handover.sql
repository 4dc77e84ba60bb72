-- The hand-over of orders to Archean: one row an order from when it is learnt until some time after it is closed.

-- `body` is what is sent, and holds a name and an address: it goes when Archean has the order. `lines` is a digest of what was
-- asked for. `cancel`: commercetools has cancelled it. `noted`: Archean's number stands on the order in commercetools.
-- `due_ms`: when something is to be done about it. `foreign_hand`: who may have brought it before us
-- (1: another system, 2: another run of ours that this file does not know of). `edited`: its lines changed while nobody knew
-- whether it had arrived.
-- `claimed_ms`: since when commercetools says that it was shipped, without our having booked that.
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
    foreign_hand INTEGER NOT NULL DEFAULT 0 CHECK (foreign_hand IN (0, 1, 2)),
    attempts INTEGER NOT NULL DEFAULT 0,
    due_ms INTEGER,
    claimed_ms INTEGER,
    edited INTEGER NOT NULL DEFAULT 0 CHECK (edited IN (0, 1)),
    -- Nobody's name or address is kept once Archean has the order.
    CHECK (body IS NULL OR stage IN ('ready', 'sending', 'in_doubt', 'received'))
) STRICT, WITHOUT ROWID;

CREATE INDEX handover_due ON handover (due_ms, created_ms) WHERE due_ms IS NOT NULL
    AND (stage NOT IN ('accepted', 'part_shipped', 'shipped', 'closed', 'closed_short')
    OR (cancel = 1 AND stage IN ('accepted', 'part_shipped', 'shipped')));
CREATE INDEX handover_to_note ON handover (due_ms, created_ms) WHERE due_ms IS NOT NULL AND noted = 0
    AND stage IN ('accepted', 'part_shipped', 'shipped', 'closed');
CREATE INDEX handover_stage ON handover (stage, since_ms);
CREATE INDEX handover_claimed ON handover (claimed_ms) WHERE claimed_ms IS NOT NULL;
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

-- What Archean's newest record says of each fulfilment and return, and how far it has come into commercetools.
-- `reference`: the order as the record names it; `order_id` once it is known. `content`: lines and parcels. `told_ms`: since
-- when that is the content. `due_ms`: when something is to be done about it.
CREATE TABLE advice (
    feed TEXT NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('fulfilment', 'return')),
    name TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    reference TEXT NOT NULL,
    order_id TEXT,
    status TEXT NOT NULL,
    content TEXT NOT NULL,
    stage TEXT NOT NULL CHECK (stage IN ('open', 'parked', 'due', 'booked', 'done', 'held', 'void')),
    reason TEXT NOT NULL DEFAULT '',
    delivery_key TEXT,
    shipment_state TEXT,
    booked_at TEXT,
    acknowledged INTEGER NOT NULL DEFAULT 0 CHECK (acknowledged IN (0, 1)),
    short_closed INTEGER NOT NULL DEFAULT 0 CHECK (short_closed IN (0, 1)),
    told_ms INTEGER NOT NULL,
    since_ms INTEGER NOT NULL,
    attempts INTEGER NOT NULL DEFAULT 0,
    due_ms INTEGER,
    PRIMARY KEY (feed, kind, name),
    CHECK (stage NOT IN ('due', 'booked', 'held') OR order_id IS NOT NULL)
) STRICT, WITHOUT ROWID;

CREATE INDEX advice_due ON advice (due_ms) WHERE due_ms IS NOT NULL;
CREATE INDEX advice_order ON advice (order_id) WHERE order_id IS NOT NULL;
CREATE INDEX advice_parked ON advice (reference) WHERE stage = 'parked';
CREATE INDEX advice_name ON advice (name);
CREATE INDEX advice_stage ON advice (stage, since_ms);

-- How many pieces of a line Archean can have, where an edit made more of it after the order was handed over; NULL: all.
ALTER TABLE order_line ADD COLUMN there INTEGER CHECK (there >= 0);

-- Where the feed was when a snapshot was first taken that could not be used: what came since can be read from there.
ALTER TABLE feed ADD COLUMN resume TEXT;
