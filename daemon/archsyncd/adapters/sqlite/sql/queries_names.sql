-- Names and units that sources use for SKUs.

-- name: names_claim
INSERT INTO sku_name (sku, archean) VALUES (?, ?)
ON CONFLICT (sku) DO UPDATE SET archean = excluded.archean, retired = 0 WHERE retired = 1

-- name: names_give
UPDATE sku_name SET archean = ?, retired = 0 WHERE sku = ?

-- name: levels_telling
SELECT sku FROM level WHERE location = ?1 AND sku IN (SELECT value FROM json_each(?2))
    AND (on_hand IS NOT NULL OR available IS NOT NULL)

-- name: names_of
SELECT n.sku, n.archean, n.retired FROM json_each(?1) AS w JOIN sku_name AS n ON n.sku = w.value

-- name: name_called
SELECT sku FROM sku_name WHERE archean = ?1 AND sku <> ?1 AND retired = 0 LIMIT 1

-- name: names_retire
UPDATE sku_name SET retired = 1 WHERE sku IN (SELECT value FROM json_each(?1))

-- name: names_keep
-- A name that had no row when it was given up was Archean's own.
INSERT INTO sku_name (sku, archean, retired) VALUES (?, ?, 1) ON CONFLICT (sku) DO NOTHING

-- name: units_of
SELECT archean, unit FROM sku_unit WHERE feed = ?1 AND archean IN (SELECT value FROM json_each(?2))

-- name: units_any
SELECT 1 FROM sku_unit WHERE feed = ? LIMIT 1

-- name: unit_put
INSERT INTO sku_unit (feed, archean, unit) VALUES (?, ?, ?)
ON CONFLICT (feed, archean) DO UPDATE SET unit = excluded.unit

-- name: aliases_fingerprint
SELECT fingerprint FROM aliases_in_force

-- name: aliases_put
INSERT INTO aliases_in_force (one, fingerprint, units) VALUES (1, ?, ?)
ON CONFLICT (one) DO UPDATE SET fingerprint = excluded.fingerprint, units = excluded.units

-- name: aliases_change
-- What no terms have as their fingerprint: whatever they are at the next start, they are put in force anew.
INSERT INTO aliases_in_force (one, fingerprint) VALUES (1, 'changing')
ON CONFLICT (one) DO UPDATE SET fingerprint = excluded.fingerprint

-- name: units_text
SELECT units FROM aliases_in_force

-- name: level_names
SELECT l.sku, coalesce(n.archean, l.sku), l.on_hand IS NOT NULL OR l.available IS NOT NULL, u.unit
FROM level AS l LEFT JOIN sku_name AS n ON n.sku = l.sku AND n.retired = 0
    LEFT JOIN sku_unit AS u ON u.feed = l.feed AND u.archean = coalesce(n.archean, l.sku)
WHERE l.location = ? AND l.sku > ? ORDER BY l.sku LIMIT ?

-- name: levels_retire
UPDATE level SET on_hand = NULL, available = NULL, lapsed = 1
WHERE location = ?1 AND sku IN (SELECT value FROM json_each(?2))

-- name: level_recount
UPDATE level SET on_hand = ?, available = ?, lapsed = 1 WHERE location = ? AND sku = ?

-- name: resyncs_retire
DELETE FROM resync WHERE location = ?1 AND sku IN (SELECT value FROM json_each(?2))

-- name: snapshots_unjudged
SELECT id, feed, state, epoch, seq_at FROM snapshot WHERE state IN ('reading', 'held', 'applying')

-- name: sendings_unfinished
SELECT DISTINCT feed FROM sending WHERE done = 0

-- name: feeds_tell_anew
UPDATE feed SET snapshot_due = ?

-- name: levels_any
SELECT 1 FROM level LIMIT 1

-- name: levels_told_by
SELECT sku FROM level WHERE location = ?1 AND feed = ?2 AND sku IN (SELECT value FROM json_each(?3))
