-- Expected deliveries.

-- name: expected_put
INSERT INTO level_expected (location, sku, expected_at) VALUES (?, ?, ?)
ON CONFLICT (location, sku) DO UPDATE SET expected_at = excluded.expected_at

-- name: expected_drop
DELETE FROM level_expected WHERE location = ? AND sku = ?

-- name: expected_after
SELECT sku FROM level_expected WHERE location = ? AND sku > ? ORDER BY sku LIMIT ?

-- name: expected_of
SELECT sku, min(expected_at) FROM level_expected
WHERE location IN (SELECT value FROM json_each(?1)) AND sku IN (SELECT value FROM json_each(?2)) GROUP BY sku

-- name: expected_delivery_want
INSERT INTO expected_delivery (channel, sku, wanted) VALUES (?, ?, ?)
ON CONFLICT (channel, sku) DO UPDATE SET wanted = excluded.wanted WHERE wanted IS NOT excluded.wanted

-- name: expected_delivery_clear
UPDATE expected_delivery SET wanted = NULL WHERE channel = ? AND sku = ? AND wanted IS NOT NULL

-- name: expected_delivery_forget
DELETE FROM expected_delivery WHERE channel NOT IN (SELECT value FROM json_each(?1))

-- name: deliveries_after
SELECT sku FROM expected_delivery WHERE channel = ? AND sku > ? ORDER BY sku LIMIT ?

-- name: deliveries_due
SELECT d.channel, d.sku, d.wanted, o.entry_id, o.version
FROM expected_delivery AS d INDEXED BY expected_delivery_due JOIN outbox AS o ON o.channel = d.channel AND o.sku = d.sku
WHERE d.wanted IS NOT d.written AND d.not_before_ms <= ?1 AND o.entry_id IS NOT NULL AND o.version IS NOT NULL
    AND o.op_id IS NULL AND o.due_class IS NULL AND o.parked IS NULL AND o.base <> 'unknown'
    AND d.channel NOT IN (SELECT value FROM json_each(?2))
ORDER BY d.not_before_ms LIMIT ?3

-- name: deliveries_any
SELECT 1 FROM expected_delivery WHERE wanted IS NOT written LIMIT 1

-- name: deliveries_among
SELECT d.channel, d.sku, d.wanted FROM json_each(?1) AS w JOIN expected_delivery AS d ON d.channel = w.value ->> 0 AND d.sku = w.value ->> 1
WHERE d.wanted IS NOT d.written

-- name: deliveries_settled
SELECT d.channel, d.sku, d.written FROM json_each(?1) AS w JOIN expected_delivery AS d ON d.channel = w.value ->> 0 AND d.sku = w.value ->> 1
WHERE d.wanted IS d.written

-- name: expected_delivery_written
UPDATE expected_delivery SET written = ?3, not_before_ms = ?4 WHERE channel = ?1 AND sku = ?2

-- name: expected_delivery_off
UPDATE expected_delivery SET not_before_ms = ?3 WHERE channel = ?1 AND sku = ?2

-- name: expected_delivery_gone
DELETE FROM expected_delivery WHERE channel = ? AND sku = ? AND wanted IS NULL AND written IS NULL

-- name: expected_delivery_version
UPDATE outbox SET version = ?4 WHERE channel = ?1 AND sku = ?2 AND entry_id = ?3 AND op_id IS NULL

-- name: deliveries_of
SELECT channel, wanted, written FROM expected_delivery WHERE sku = ?

-- name: mend_expected
UPDATE expected_delivery SET not_before_ms = :now WHERE not_before_ms > :now
