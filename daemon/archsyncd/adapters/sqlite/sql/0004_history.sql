-- The history of each key: one row a change of what is applied (x_applied + late), whatever its cause.

-- `n`: the turn in which it was added, 0 is the opening: the sum of all that is older than what is kept. `x_after` NULL: there was no
-- entry. `count`: how many changes were folded into the row. `who`: who had written the entry last.
CREATE TABLE key_history (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    n INTEGER NOT NULL,
    at_ms INTEGER NOT NULL,
    kind TEXT NOT NULL,
    delta INTEGER NOT NULL,
    x_after INTEGER,
    f INTEGER NOT NULL,
    refl INTEGER NOT NULL,
    ntrk INTEGER NOT NULL,
    known INTEGER NOT NULL,
    op TEXT NOT NULL DEFAULT '',
    who TEXT NOT NULL DEFAULT '' CHECK (length(who) <= 200),
    count INTEGER NOT NULL DEFAULT 1 CHECK (count >= 1),
    PRIMARY KEY (channel, sku, n)
) STRICT, WITHOUT ROWID;

-- One row. `rows`: of key_history. `turns`: how often rows were added, all of one turn to keys of their own. `step`: how far the
-- present pass folds; the key up to which it has come, and its row.
CREATE TABLE key_history_state (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    rows INTEGER NOT NULL,
    turns INTEGER NOT NULL DEFAULT 0,
    step INTEGER NOT NULL DEFAULT 0,
    channel TEXT NOT NULL DEFAULT '',
    sku TEXT NOT NULL DEFAULT '',
    n INTEGER NOT NULL DEFAULT -1
) STRICT;

-- Who had written an entry last that a read found not to be as it should; until that read is judged.
CREATE TABLE read_writer (
    channel TEXT NOT NULL,
    sku TEXT NOT NULL,
    who TEXT NOT NULL CHECK (length(who) <= 200),
    PRIMARY KEY (channel, sku)
) STRICT, WITHOUT ROWID;

-- The cases of one SKU, open and closed.
CREATE INDEX exception_subject ON exception_case (subject);

-- What was applied before there was a history is its opening; nobody knows since when.
INSERT INTO key_history (channel, sku, n, at_ms, kind, delta, x_after, f, refl, ntrk, known)
SELECT channel, sku, 0, 0, 'opening', x_applied + late, x_applied + late, f, refl, ntrk, known FROM outbox
WHERE x_applied IS NOT NULL;
INSERT INTO key_history_state (one, rows) SELECT 1, count(*) FROM key_history;
