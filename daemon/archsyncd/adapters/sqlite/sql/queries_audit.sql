-- The statements of an audit, which has a file of its own beside the store's: a million SKUs come and go in it.
-- `form`: what all spellings of a SKU have in common. `product`: how many published products carry it; `channel`: where it has
-- an entry, '' for nowhere.

-- name: audit_sold_table
CREATE TABLE sold (
    sku TEXT PRIMARY KEY,
    form TEXT NOT NULL,
    product INTEGER NOT NULL,
    channel TEXT NOT NULL
) STRICT, WITHOUT ROWID

-- name: audit_sent_table
CREATE TABLE sent (
    sku TEXT PRIMARY KEY,
    form TEXT NOT NULL,
    location TEXT NOT NULL
) STRICT, WITHOUT ROWID

-- name: audit_finding_table
CREATE TABLE finding (
    number INTEGER PRIMARY KEY,
    kind TEXT NOT NULL,
    name TEXT NOT NULL,
    place TEXT NOT NULL,
    says TEXT NOT NULL,
    near TEXT NOT NULL,
    differs TEXT NOT NULL
) STRICT

-- name: audit_run_table
CREATE TABLE run (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    summary TEXT NOT NULL
) STRICT

-- name: audit_sold_index
CREATE INDEX sold_form ON sold (form)

-- name: audit_sent_index
CREATE INDEX sent_form ON sent (form)

-- name: audit_sold
INSERT INTO sold (sku, form, product, channel) VALUES (?, ?, ?, ?)
ON CONFLICT (sku) DO UPDATE SET product = sold.product + excluded.product,
    channel = iif(sold.channel = '', excluded.channel, sold.channel)

-- name: audit_sent
INSERT INTO sent (sku, form, location) VALUES (?, ?, ?) ON CONFLICT (sku) DO NOTHING

-- name: audit_sizes
SELECT (SELECT count(*) FROM sold), (SELECT count(*) FROM sent)

-- name: audit_unsent
SELECT s.sku, s.form, s.product, s.channel FROM sold AS s
WHERE s.sku > ? AND (s.product > 1 OR NOT EXISTS (SELECT 1 FROM sent AS t WHERE t.sku = s.sku)) ORDER BY s.sku LIMIT ?

-- name: audit_unsold
SELECT t.sku, t.form, t.location, coalesce((SELECT s.channel FROM sold AS s WHERE s.sku = t.sku), '') FROM sent AS t
WHERE t.sku > ? AND NOT EXISTS (SELECT 1 FROM sold AS s WHERE s.sku = t.sku AND s.product > 0) ORDER BY t.sku LIMIT ?

-- name: audit_was_sent
SELECT 1 FROM sent WHERE sku = ?

-- name: audit_near_sent
SELECT t.sku, EXISTS (SELECT 1 FROM sold AS s WHERE s.sku = t.sku AND s.product > 0) FROM sent AS t
WHERE t.form = ? AND t.sku <> ? LIMIT ?

-- name: audit_near_sold
SELECT s.sku, EXISTS (SELECT 1 FROM sent AS t WHERE t.sku = s.sku) FROM sold AS s
WHERE s.form = ? AND s.sku <> ? AND s.product > 0 LIMIT ?

-- name: audit_finding
INSERT INTO finding (kind, name, place, says, near, differs) VALUES (?, ?, ?, ?, ?, ?)

-- name: audit_run
INSERT INTO run (one, summary) VALUES (1, ?)

-- name: audit_drop_sold
DROP TABLE sold

-- name: audit_drop_sent
DROP TABLE sent

-- name: audit_copy
VACUUM INTO ?

-- name: audit_last
SELECT summary FROM run

-- name: audit_findings
SELECT number, kind, name, place, says, near, differs FROM finding WHERE number > ? ORDER BY number LIMIT ?
