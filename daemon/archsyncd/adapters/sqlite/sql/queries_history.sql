-- The history of keys: written beside the outbox, folded in steps, read key by key.

-- name: history_turn
UPDATE key_history_state SET rows = rows + ?, turns = turns + 1 RETURNING turns

-- name: history_add
INSERT INTO key_history (channel, sku, n, at_ms, kind, delta, x_after, f, refl, ntrk, known, op, who)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)

-- name: history_unbasing
SELECT count(*) FROM outbox WHERE base <> 'unknown' AND op_id IS NULL AND late > 0 AND x_applied IS NOT NULL

-- name: history_unbase_all
INSERT INTO key_history (channel, sku, n, at_ms, kind, delta, x_after, f, refl, ntrk, known)
SELECT channel, sku, ?, ?, 'unbased', -late, x_applied, f, refl, ntrk, known FROM outbox
WHERE base <> 'unknown' AND op_id IS NULL AND late > 0 AND x_applied IS NOT NULL

-- name: history_state
SELECT rows, step, channel, sku, n FROM key_history_state

-- name: history_reached
UPDATE key_history_state SET rows = rows + ?, step = ?, channel = ?, sku = ?, n = ?

-- name: history_page
SELECT json_group_array(json_array(channel, sku, n, at_ms, kind, delta, x_after, f, refl, ntrk, known, op, who, count)) FROM (
    SELECT * FROM key_history WHERE (channel, sku, n) > (?, ?, ?) ORDER BY channel, sku, n LIMIT ?)

-- name: history_drop
DELETE FROM key_history WHERE channel = ? AND sku = ? AND n = ?

-- name: history_put
INSERT INTO key_history (channel, sku, n, at_ms, kind, delta, x_after, f, refl, ntrk, known, op, who, count)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (channel, sku, n) DO UPDATE SET at_ms = excluded.at_ms, kind = excluded.kind, delta = excluded.delta,
    x_after = excluded.x_after, f = excluded.f, refl = excluded.refl, ntrk = excluded.ntrk, known = excluded.known,
    op = excluded.op, who = excluded.who, count = excluded.count

-- name: history_sums
SELECT coalesce(sum(n > 0), 0), coalesce(sum(CASE WHEN n > 0 THEN delta END), 0), coalesce(sum(kind = 'drift'), 0) FROM key_history
WHERE channel = ? AND sku = ?

-- name: history_after
SELECT json_group_array(json_array(channel, sku, n, at_ms, kind, delta, x_after, f, refl, ntrk, known, op, who, count)) FROM (
    SELECT * FROM key_history WHERE channel = ? AND sku = ? AND n > ? ORDER BY n LIMIT ?)

-- name: history_newest
SELECT json_group_array(json_array(channel, sku, n, at_ms, kind, delta, x_after, f, refl, ntrk, known, op, who, count)) FROM (
    SELECT * FROM key_history WHERE channel = ? AND sku = ? AND n > 0 ORDER BY n DESC LIMIT ?)

-- name: history_drifts
SELECT json_group_array(json_array(channel, sku, n, at_ms, kind, delta, x_after, f, refl, ntrk, known, op, who, count)) FROM (
    SELECT * FROM key_history WHERE channel = ? AND sku = ? AND kind = 'drift' ORDER BY n DESC LIMIT ?)

-- name: history_current
SELECT x_applied + late FROM outbox WHERE channel = ? AND sku = ?

-- name: history_orders
SELECT n.created_ms, coalesce(h.number, n.order_id), n.quantity, n.tracked FROM order_line AS n
CROSS JOIN order_head AS h ON h.order_id = n.order_id
WHERE n.channel = ? AND n.sku = ? ORDER BY n.created_ms DESC LIMIT ?

-- name: history_cases
SELECT id, kind, state, first_ms, closed_ms, note FROM exception_case WHERE subject = ? AND scope = ? ORDER BY id DESC LIMIT ?

-- name: read_writer_put
INSERT INTO read_writer (channel, sku, who) VALUES (?, ?, ?) ON CONFLICT (channel, sku) DO UPDATE SET who = excluded.who

-- name: read_writer
SELECT who FROM read_writer WHERE channel = ? AND sku = ?

-- name: read_writer_forget
DELETE FROM read_writer WHERE channel = ? AND sku = ?
