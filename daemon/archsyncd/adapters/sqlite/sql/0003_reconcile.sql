-- Reconciliation: runs over the whole inventory, what they found, and raises that wait for a person.
-- Times are UTC milliseconds. Quantities are pieces.

-- Which key an entry's id belongs to: a page of the inventory tells by it whose entry is missing, in no memory at all.
CREATE INDEX outbox_entry ON outbox (entry_id) WHERE entry_id IS NOT NULL;

-- The newest runs are kept, and what the very newest of them found. `after_id`: entries up to there are judged.
CREATE TABLE reconcile_run (
    id INTEGER PRIMARY KEY,
    mode TEXT NOT NULL CHECK (mode IN ('dry-run', 'apply')),
    cause TEXT NOT NULL,
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    state TEXT NOT NULL DEFAULT 'running' CHECK (state IN ('running', 'done', 'stopped', 'failed')),
    began_ms INTEGER NOT NULL,
    ended_ms INTEGER,
    reason TEXT NOT NULL DEFAULT '',
    after_id TEXT NOT NULL DEFAULT '',
    keys INTEGER NOT NULL DEFAULT 0,
    pages INTEGER NOT NULL DEFAULT 0,
    entries INTEGER NOT NULL DEFAULT 0,
    planned INTEGER NOT NULL DEFAULT 0
) STRICT;

CREATE UNIQUE INDEX reconcile_running ON reconcile_run (state) WHERE state = 'running';

CREATE TABLE reconcile_total (
    run_id INTEGER NOT NULL REFERENCES reconcile_run (id) ON DELETE CASCADE,
    channel TEXT NOT NULL,
    kind TEXT NOT NULL,
    keys INTEGER NOT NULL,
    pieces INTEGER NOT NULL,
    PRIMARY KEY (run_id, channel, kind)
) STRICT, WITHOUT ROWID;

CREATE TABLE reconcile_finding (
    run_id INTEGER NOT NULL REFERENCES reconcile_run (id) ON DELETE CASCADE,
    number INTEGER NOT NULL,
    kind TEXT NOT NULL,
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    entry_id TEXT NOT NULL,
    shown INTEGER,
    expected INTEGER,
    says TEXT NOT NULL,
    PRIMARY KEY (run_id, number)
) STRICT, WITHOUT ROWID;

CREATE INDEX reconcile_finding_kind ON reconcile_finding (run_id, kind);

-- Keys that were raised within the last day because their entries showed too few; never more than may be at once.
CREATE TABLE reconcile_raise (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    at_ms INTEGER NOT NULL,
    PRIMARY KEY (channel, sku)
) STRICT, WITHOUT ROWID;

-- Keys that show too few, beyond that; `allowed`: a person has let these be raised.
CREATE TABLE reconcile_held (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    pieces INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    allowed INTEGER NOT NULL DEFAULT 0 CHECK (allowed IN (0, 1)),
    PRIMARY KEY (channel, sku)
) STRICT, WITHOUT ROWID;

CREATE INDEX reconcile_held_open ON reconcile_held (channel, sku) WHERE allowed = 0;

-- What speaks against an entry: the difference that a clean read saw last (`off`, of the read at `seen_ms`), and whether another
-- program wrote it (`another`). Kept by the key and not by its case: cases fold when there are very many.
CREATE TABLE suspicion (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    off INTEGER NOT NULL DEFAULT 0,
    seen_ms INTEGER NOT NULL,
    another INTEGER NOT NULL DEFAULT 0 CHECK (another IN (0, 1)),
    PRIMARY KEY (channel, sku)
) STRICT, WITHOUT ROWID;
