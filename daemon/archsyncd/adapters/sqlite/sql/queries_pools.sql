-- Keys that sell the same pieces.

-- name: debts_any
SELECT 1 FROM pool_debt LIMIT 1

-- name: debts_of
SELECT d.channel, d.sku, d.pieces FROM json_each(?) AS w
CROSS JOIN pool_debt AS d ON d.channel = w.value ->> 0 AND d.sku = w.value ->> 1

-- name: debt_put
INSERT INTO pool_debt (channel, sku, pieces) VALUES (?, ?, ?) ON CONFLICT (channel, sku) DO UPDATE SET pieces = excluded.pieces

-- name: debts_drop
DELETE FROM pool_debt WHERE (channel, sku) IN (SELECT w.value ->> 0, w.value ->> 1 FROM json_each(?) AS w)

-- name: fall_put
INSERT INTO pool_fall (channel, sku, at_ms, pieces) VALUES (?, ?, ?, ?)
ON CONFLICT (channel, sku, at_ms) DO UPDATE SET pieces = pool_fall.pieces + excluded.pieces

-- name: falls_any
SELECT 1 FROM pool_fall LIMIT 1

-- name: falls_of
SELECT p.channel, p.sku, sum(p.pieces) FROM json_each(?1) AS w
CROSS JOIN pool_fall AS p ON p.channel = w.value ->> 0 AND p.sku = w.value ->> 1 WHERE p.at_ms >= ?2 GROUP BY p.channel, p.sku

-- name: falls_known
DELETE FROM pool_fall WHERE at_ms < ?

-- name: waits_any
SELECT 1 FROM pool_wait LIMIT 1

-- name: wait_put
INSERT INTO pool_wait (channel, sku, for_channel, for_sku, pieces, since_ms) VALUES (?, ?, ?, ?, ?, ?)
ON CONFLICT (channel, sku, for_channel, for_sku) DO UPDATE SET pieces = excluded.pieces

-- name: waits_of
SELECT v.channel, v.sku, v.for_channel, v.for_sku, v.pieces, v.since_ms FROM json_each(?) AS w
CROSS JOIN pool_wait AS v ON v.channel = w.value ->> 0 AND v.sku = w.value ->> 1

-- name: waits_end
DELETE FROM pool_wait WHERE (channel, sku) IN (SELECT w.value ->> 0, w.value ->> 1 FROM json_each(?) AS w)

-- name: waits_over
DELETE FROM pool_wait WHERE (for_channel, for_sku) IN (SELECT w.value ->> 0, w.value ->> 1 FROM json_each(?) AS w)
RETURNING channel, sku

-- name: waits_clear
DELETE FROM pool_wait

-- name: outbox_wake
UPDATE outbox SET not_before = 0 WHERE op_id IS NULL AND due_class >= 3
    AND (channel, sku) IN (SELECT w.value ->> 0, w.value ->> 1 FROM json_each(?) AS w)

-- name: kit_put
INSERT INTO kit_key (channel, sku) VALUES (?, ?) ON CONFLICT (channel, sku) DO NOTHING

-- name: kits_after
SELECT channel, sku FROM kit_key WHERE (channel, sku) > (?, ?) ORDER BY channel, sku LIMIT ?

-- name: kit_drop
DELETE FROM kit_key WHERE channel = ? AND sku = ?

-- name: mend_pool_waits
UPDATE pool_wait SET since_ms = :now WHERE since_ms > :now
