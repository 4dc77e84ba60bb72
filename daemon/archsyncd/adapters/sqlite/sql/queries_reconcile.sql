-- Statements of reconciliation: runs, pages of the inventory against the outbox, raises that wait for a person.

-- name: reconcile_begin
INSERT INTO reconcile_run (mode, cause, channel, sku, began_ms, keys) VALUES (?, ?, ?, ?, ?, (SELECT count(*) FROM outbox))
ON CONFLICT (state) WHERE state = 'running' DO NOTHING

-- name: reconcile_current
SELECT id, mode, cause, channel, sku, state, began_ms, after_id, keys, pages, entries, planned, ended_ms, reason
FROM reconcile_run WHERE state = 'running'

-- name: reconcile_run
SELECT id, mode, cause, channel, sku, state, began_ms, after_id, keys, pages, entries, planned, ended_ms, reason
FROM reconcile_run WHERE id = ?

-- name: reconcile_newest
SELECT id, mode, cause, channel, sku, state, began_ms, after_id, keys, pages, entries, planned, ended_ms, reason
FROM reconcile_run WHERE ?1 = '' OR cause = ?1 ORDER BY id DESC LIMIT 1

-- name: reconcile_place
SELECT after_id FROM reconcile_run WHERE id = ? AND state = 'running'

-- name: reconcile_move
UPDATE reconcile_run SET after_id = ?, pages = pages + ?, entries = entries + ?, planned = planned + ? WHERE id = ?

-- name: reconcile_end
UPDATE reconcile_run SET state = ?, reason = ?, ended_ms = ? WHERE id = ? AND state = 'running'

-- name: reconcile_runs_purge
-- The newest of each cause stays: from it the next night's is reckoned.
DELETE FROM reconcile_run WHERE id <= (SELECT max(id) FROM reconcile_run) - ?
    AND id NOT IN (SELECT max(id) FROM reconcile_run GROUP BY cause)

-- name: reconcile_findings_purge
DELETE FROM reconcile_finding WHERE run_id <= (SELECT max(id) FROM reconcile_run) - ?

-- name: reconcile_total_add
INSERT INTO reconcile_total (run_id, channel, kind, keys, pieces) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (run_id, channel, kind) DO UPDATE SET keys = keys + excluded.keys, pieces = pieces + excluded.pieces

-- name: reconcile_totals
SELECT channel, kind, keys, pieces FROM reconcile_total WHERE run_id = ?

-- name: reconcile_finding_count
SELECT count(*) FROM reconcile_finding WHERE run_id = ? AND kind = ?

-- name: reconcile_finding_last
SELECT coalesce(max(number), 0) FROM reconcile_finding WHERE run_id = ?

-- name: reconcile_finding_put
INSERT INTO reconcile_finding (run_id, number, kind, channel, sku, entry_id, shown, expected, says) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: reconcile_findings
SELECT number, kind, channel, sku, entry_id, shown, expected, says FROM reconcile_finding
WHERE run_id = ? AND number > ? ORDER BY number LIMIT ?

-- name: reconcile_orders
SELECT n.channel, n.sku, sum(CASE WHEN n.tracked = 1 AND n.created_ms > ?2 THEN n.quantity ELSE 0 END),
    max(n.created_ms BETWEEN ?2 - ?3 AND ?2 + ?3)
FROM json_each(?1) AS w CROSS JOIN order_line AS n ON n.channel = w.value ->> 0 AND n.sku = w.value ->> 1
WHERE n.created_ms >= ?2 - ?3 GROUP BY n.channel, n.sku

-- name: reconcile_between
SELECT entry_id, channel, sku FROM outbox INDEXED BY outbox_entry
WHERE entry_id > ?1 AND entry_id <= ?2 AND (?3 = '' OR channel = ?3) ORDER BY entry_id LIMIT ?4

-- name: reconcile_of_sku
SELECT o.entry_id, o.channel, o.sku FROM json_each(?2) AS w CROSS JOIN outbox AS o ON o.channel = w.value AND o.sku = ?1
WHERE o.entry_id > ?4 AND o.entry_id <= ?5 AND (?3 = '' OR o.channel = ?3)

-- name: reconcile_known_skus
SELECT DISTINCT o.sku FROM json_each(?1) AS c CROSS JOIN json_each(?2) AS s CROSS JOIN outbox AS o
    ON o.channel = c.value AND o.sku = s.value

-- name: cases_among
SELECT e.scope, e.subject FROM json_each(?2) AS w CROSS JOIN exception_case AS e
    ON e.kind = ?1 AND e.scope = w.value ->> 0 AND e.subject = w.value ->> 1 AND e.state IN ('open', 'waiting')

-- name: cases_unseen
SELECT scope, subject FROM exception_case
WHERE kind = ? AND state IN ('open', 'waiting') AND last_ms < ? ORDER BY id LIMIT ?

-- name: raise_known
SELECT 1 FROM reconcile_raise WHERE channel = ? AND sku = ?

-- name: raise_count
SELECT count(*) FROM reconcile_raise

-- name: raise_put
INSERT INTO reconcile_raise (channel, sku, at_ms) VALUES (?, ?, ?)
ON CONFLICT (channel, sku) DO UPDATE SET at_ms = excluded.at_ms

-- name: raises_over
DELETE FROM reconcile_raise WHERE at_ms < ?

-- name: raises_forget
DELETE FROM reconcile_raise

-- name: held_any
SELECT 1 FROM reconcile_held WHERE allowed = 0 LIMIT 1

-- name: held_count
SELECT count(*), coalesce(sum(pieces), 0) FROM reconcile_held WHERE allowed = 0

-- name: held_known
SELECT allowed FROM reconcile_held WHERE channel = ? AND sku = ?

-- name: held_put
INSERT INTO reconcile_held (channel, sku, pieces, at_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (channel, sku) DO UPDATE SET pieces = excluded.pieces, at_ms = excluded.at_ms

-- name: held_drop
DELETE FROM reconcile_held WHERE channel = ? AND sku = ?

-- name: held_some
SELECT channel, sku FROM reconcile_held WHERE allowed = 0 LIMIT ?

-- name: held_allow
UPDATE reconcile_held SET allowed = 1, at_ms = ?1
WHERE (channel, sku) IN (SELECT w.value ->> 0, w.value ->> 1 FROM json_each(?2) AS w)

-- name: held_allowed_over
DELETE FROM reconcile_held WHERE allowed = 1 AND at_ms < ?

-- name: outbox_check_now
UPDATE outbox SET check_due_ms = ?1 WHERE check_due_ms > ?1 AND op_id IS NULL AND superseded = ''
    AND (channel, sku) IN (SELECT w.value ->> 0, w.value ->> 1 FROM json_each(?2) AS w)

-- name: keys_lately
SELECT keys FROM reconcile_run WHERE keys > 0 ORDER BY id DESC LIMIT 1

-- name: suspicion
SELECT off, seen_ms, another FROM suspicion WHERE channel = ? AND sku = ?

-- name: suspicion_off
INSERT INTO suspicion (channel, sku, off, seen_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (channel, sku) DO UPDATE SET off = excluded.off, seen_ms = excluded.seen_ms

-- name: suspicion_another
INSERT INTO suspicion (channel, sku, seen_ms, another) VALUES (?, ?, ?, 1)
ON CONFLICT (channel, sku) DO UPDATE SET off = 0, seen_ms = excluded.seen_ms, another = 1

-- name: suspicion_drop
DELETE FROM suspicion WHERE channel = ? AND sku = ?

-- name: suspicion_count
SELECT count(*) FROM suspicion
