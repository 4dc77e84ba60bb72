-- What health asks for; each is answered from an index or from a table of few rows.

-- name: locations_told
SELECT location, feed, told_ms FROM location_told

-- name: location_tell
INSERT INTO location_told (location, feed, told_ms) VALUES (?, ?, ?)
ON CONFLICT (location, feed) DO UPDATE SET told_ms = max(told_ms, excluded.told_ms)

-- name: location_known
INSERT INTO location_told (location, feed, told_ms) VALUES (?, ?, ?) ON CONFLICT (location, feed) DO NOTHING

-- name: locations_forget
DELETE FROM location_told WHERE location NOT IN (SELECT value FROM json_each(?1))

-- name: outbox_beyond
SELECT channel, sku, known - refl + ntrk FROM outbox INDEXED BY outbox_beyond
WHERE x_target < known AND (channel, sku) > (:channel, :sku) ORDER BY channel, sku LIMIT :limit

-- name: outbox_owed
SELECT o.channel, o.sku, o.known - o.refl + o.ntrk
FROM json_each(?1) AS w CROSS JOIN outbox AS o ON o.channel = w.value ->> 0 AND o.sku = w.value ->> 1

-- name: lines_untracked
SELECT count(*), coalesce(sum(quantity), 0) FROM order_line INDEXED BY order_line_untracked WHERE tracked = 0 AND released = 0
