-- The stock path: levels, the outbox, orders as far as the ledger needs them, feeds, snapshots, exceptions.
-- Times are UTC milliseconds. Quantities are pieces. Keys begin with the channel (or location, or feed) that owns them.

-- One row: the lineage of this file, the project it belongs to, and the counter that op ids are drawn from. `closed`: the
-- last process that had it open left it in order.
CREATE TABLE ledger (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    id TEXT NOT NULL,
    project TEXT NOT NULL,
    host TEXT NOT NULL,
    created_ms INTEGER NOT NULL,
    run INTEGER NOT NULL DEFAULT 0,
    closed INTEGER NOT NULL DEFAULT 0 CHECK (closed IN (0, 1)),
    operations INTEGER NOT NULL DEFAULT 0,
    policies TEXT NOT NULL DEFAULT '',
    mapping TEXT NOT NULL DEFAULT '',
    in_force TEXT NOT NULL DEFAULT ''
) STRICT;

-- One row: who may write. Every writing transaction compares it.
CREATE TABLE tenure (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    name TEXT NOT NULL,
    ledger TEXT NOT NULL,
    fence INTEGER NOT NULL
) STRICT;

-- `gap_epoch`, `gap_seq`: what happened up to there is told by a held full alone or was unreadable, so movements have nothing
-- to stand on.
CREATE TABLE feed (
    name TEXT PRIMARY KEY,
    checkpoint TEXT,
    epoch INTEGER NOT NULL DEFAULT 0,
    seq INTEGER NOT NULL DEFAULT 0,
    head_seq INTEGER,
    head_at TEXT,
    sign_ms INTEGER,
    record_ms INTEGER,
    snapshot_due TEXT,
    last_full_records INTEGER,
    gap_epoch INTEGER,
    gap_seq INTEGER,
    read_total INTEGER NOT NULL DEFAULT 0,
    applied_total INTEGER NOT NULL DEFAULT 0,
    stale_total INTEGER NOT NULL DEFAULT 0,
    rejected_total INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

-- Epochs are numbered by first sight; all but the highest of a feed are retired.
CREATE TABLE feed_epoch (
    feed TEXT NOT NULL,
    ordinal INTEGER NOT NULL,
    name TEXT NOT NULL,
    PRIMARY KEY (feed, ordinal),
    UNIQUE (feed, name)
) STRICT, WITHOUT ROWID;

CREATE TABLE level (
    location TEXT NOT NULL,
    sku TEXT NOT NULL,
    feed TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    on_hand INTEGER,
    available INTEGER,
    as_of_ms INTEGER,
    orders_through_ms INTEGER,
    rev TEXT,
    PRIMARY KEY (location, sku)
) STRICT, WITHOUT ROWID;

-- Keys whose movement could not be applied: their level must be read or sent again, at or after the position.
CREATE TABLE resync (
    feed TEXT NOT NULL,
    sku TEXT NOT NULL,
    location TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    asked_ms INTEGER NOT NULL DEFAULT 0,
    PRIMARY KEY (feed, sku, location)
) STRICT, WITHOUT ROWID;

CREATE INDEX resync_asked ON resync (feed, asked_ms);

CREATE TABLE outbox (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    f INTEGER NOT NULL,
    refl INTEGER NOT NULL DEFAULT 0,
    ntrk INTEGER NOT NULL DEFAULT 0,
    known INTEGER NOT NULL DEFAULT 0,
    closed INTEGER NOT NULL DEFAULT 0,
    x_target INTEGER NOT NULL,
    x_applied INTEGER,
    base TEXT NOT NULL CHECK (base IN ('unknown', 'provisional', 'bounded', 'proven')),
    entry_id TEXT,
    version INTEGER,
    needs_type INTEGER NOT NULL DEFAULT 0 CHECK (needs_type IN (0, 1)),
    entry_created_ms INTEGER,
    op_id TEXT,
    op_kind TEXT CHECK (op_kind IN ('create', 'increment', 'set')),
    op_delta INTEGER,
    op_base INTEGER,
    in_doubt INTEGER NOT NULL DEFAULT 0 CHECK (in_doubt IN (0, 1)),
    superseded TEXT NOT NULL DEFAULT '',
    due_class INTEGER CHECK (due_class BETWEEN 1 AND 4),
    nearness INTEGER,
    since_ms INTEGER,
    run INTEGER NOT NULL DEFAULT 0,
    not_before INTEGER NOT NULL DEFAULT 0,
    attempts INTEGER NOT NULL DEFAULT 0,
    parked TEXT,
    check_due_ms INTEGER,
    read_stock INTEGER,
    read_version INTEGER,
    read_at_ms INTEGER,
    seen TEXT,
    based_at_ms INTEGER,
    late INTEGER NOT NULL DEFAULT 0 CHECK (late >= 0),
    PRIMARY KEY (channel, sku),
    CHECK (x_target = f + refl - ntrk),
    CHECK ((op_id IS NULL) = (op_delta IS NULL) AND (op_id IS NULL) = (op_base IS NULL)),
    CHECK (op_id IS NOT NULL OR in_doubt = 0),
    CHECK (base = 'unknown' OR entry_id IS NOT NULL OR x_applied IS NULL)
) STRICT, WITHOUT ROWID;

-- `parked` is always NULL in it; with it, what waits is counted from the index alone. So it is with what stands in outbox_base,
-- where `run` and `not_before` say which keys still wait: any number may, and none of their rows is read for that.
CREATE INDEX outbox_due ON outbox (due_class, nearness, since_ms, parked) WHERE due_class IS NOT NULL AND parked IS NULL;
CREATE INDEX outbox_overdue ON outbox (since_ms) WHERE due_class >= 3 AND parked IS NULL;
CREATE INDEX outbox_base ON outbox (channel, sku, parked, base, run, not_before) WHERE base = 'unknown';
CREATE INDEX outbox_doubt ON outbox (channel, sku) WHERE op_id IS NOT NULL;
CREATE INDEX outbox_check ON outbox (check_due_ms) WHERE check_due_ms IS NOT NULL AND read_at_ms IS NULL;
CREATE INDEX outbox_read ON outbox (read_at_ms) WHERE read_at_ms IS NOT NULL;
CREATE INDEX outbox_parked ON outbox (parked, channel, sku) WHERE parked IS NOT NULL;

-- One row an order with lines that still count one by one. `accepted_ms`: when Archean took it, as far as we were told.
-- `refused`: Archean rejected it; its pieces stay subtracted until commercetools cancels it too.
-- `lookup_due_ms`: while some piece is unproven, when Archean is asked for the order; `sought_ms`: since when that is so.
CREATE TABLE order_head (
    order_id TEXT PRIMARY KEY,
    number TEXT,
    version INTEGER NOT NULL,
    created_ms INTEGER NOT NULL,
    order_state TEXT NOT NULL,
    final INTEGER NOT NULL DEFAULT 0 CHECK (final IN (0, 1)),
    accepted_ms INTEGER,
    source_order TEXT,
    released INTEGER NOT NULL DEFAULT 0 CHECK (released IN (0, 1)),
    refused INTEGER NOT NULL DEFAULT 0 CHECK (refused IN (0, 1)),
    sought_ms INTEGER NOT NULL,
    lookup_due_ms INTEGER,
    refresh_due_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX order_head_number ON order_head (number) WHERE number IS NOT NULL;
CREATE INDEX order_head_lookup ON order_head (lookup_due_ms) WHERE lookup_due_ms IS NOT NULL;
CREATE INDEX order_head_refresh ON order_head (refresh_due_ms);
CREATE INDEX order_head_created ON order_head (created_ms);

-- A line counts in exactly one key, but for one that another channel's location fulfils: then once released, once not.
CREATE TABLE order_line (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    order_id TEXT NOT NULL REFERENCES order_head (order_id) ON DELETE CASCADE,
    line_id TEXT NOT NULL,
    quantity INTEGER NOT NULL CHECK (quantity >= 0),
    tracked INTEGER NOT NULL CHECK (tracked IN (0, 1)),
    created_ms INTEGER NOT NULL,
    released INTEGER NOT NULL DEFAULT 0 CHECK (released IN (0, 1)),
    PRIMARY KEY (channel, sku, order_id, line_id)
) STRICT, WITHOUT ROWID;

CREATE INDEX order_line_order ON order_line (order_id, line_id);

CREATE TABLE line_proof (
    order_id TEXT NOT NULL REFERENCES order_head (order_id) ON DELETE CASCADE,
    line_id TEXT NOT NULL,
    location TEXT NOT NULL,
    figure TEXT NOT NULL CHECK (figure IN ('available', 'onHand')),
    source TEXT NOT NULL,
    feed TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    quantity INTEGER NOT NULL,
    PRIMARY KEY (order_id, line_id, location, figure, source, feed)
) STRICT, WITHOUT ROWID;

-- Orders whose lines are all folded, kept only while a source may still tell of their creation again.
CREATE TABLE order_closed (
    order_id TEXT PRIMARY KEY,
    created_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX order_closed_created ON order_closed (created_ms);

-- What a source said of an order that we have not learnt yet; the oldest go when there are too many.
CREATE TABLE early_proof (
    reference TEXT NOT NULL,
    feed TEXT NOT NULL,
    epoch INTEGER NOT NULL,
    seq INTEGER NOT NULL,
    kind TEXT NOT NULL CHECK (kind IN ('level', 'accepted', 'shipped', 'released', 'refused')),
    source TEXT NOT NULL,
    sku TEXT NOT NULL,
    location TEXT NOT NULL,
    line_ref TEXT NOT NULL,
    quantity INTEGER,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (reference, kind, source, sku, location, line_ref)
) STRICT, WITHOUT ROWID;

CREATE INDEX early_proof_age ON early_proof (at_ms);

-- Places in commercetools' lists: the complete messages read, the sweeps. `complete_ms`: orders are complete up to there.
CREATE TABLE order_cursor (
    name TEXT PRIMARY KEY,
    created_at TEXT NOT NULL DEFAULT '',
    id TEXT NOT NULL DEFAULT '',
    complete_ms INTEGER NOT NULL DEFAULT 0
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot (
    id TEXT PRIMARY KEY,
    feed TEXT NOT NULL,
    state TEXT NOT NULL CHECK (state IN ('reading', 'held', 'applying', 'applied', 'rejected')),
    epoch TEXT NOT NULL,
    seq_at INTEGER NOT NULL,
    cursor TEXT,
    as_of TEXT,
    locations TEXT NOT NULL,
    records INTEGER NOT NULL DEFAULT 0,
    rejected INTEGER NOT NULL DEFAULT 0,
    digest TEXT NOT NULL DEFAULT '',
    reasons TEXT NOT NULL DEFAULT '',
    figures TEXT NOT NULL DEFAULT '',
    at_ms INTEGER NOT NULL
) STRICT, WITHOUT ROWID;

CREATE TABLE snapshot_item (
    snapshot_id TEXT NOT NULL REFERENCES snapshot (id) ON DELETE CASCADE,
    location TEXT NOT NULL,
    sku TEXT NOT NULL,
    seq INTEGER NOT NULL,
    on_hand INTEGER,
    available INTEGER,
    payload TEXT,
    PRIMARY KEY (snapshot_id, location, sku)
) STRICT, WITHOUT ROWID;

-- The same kind, scope and subject is the same open case; closed ones are kept for a while.
CREATE TABLE exception_case (
    id INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    scope TEXT NOT NULL,
    subject TEXT NOT NULL,
    code TEXT NOT NULL DEFAULT '',
    reason TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'open' CHECK (state IN ('open', 'waiting', 'resolved', 'dismissed')),
    count INTEGER NOT NULL DEFAULT 1,
    first_ms INTEGER NOT NULL,
    last_ms INTEGER NOT NULL,
    closed_ms INTEGER,
    payload BLOB NOT NULL DEFAULT x'' CHECK (length(payload) <= 4096),
    correlation TEXT NOT NULL DEFAULT '',
    note TEXT NOT NULL DEFAULT ''
) STRICT;

CREATE UNIQUE INDEX exception_open ON exception_case (kind, scope, subject) WHERE state IN ('open', 'waiting');
CREATE INDEX exception_closed ON exception_case (closed_ms) WHERE closed_ms IS NOT NULL;
CREATE INDEX exception_fold ON exception_case (kind, scope, code) WHERE state IN ('open', 'waiting');
