-- Places to read a feed again from.

-- name: place_put
INSERT INTO feed_place (feed, at_ms, checkpoint) VALUES (?, ?, ?) ON CONFLICT (feed, at_ms) DO NOTHING

-- name: places_tidy
DELETE FROM feed_place WHERE feed = ? AND (at_ms < ? OR at_ms > ?)

-- name: place_before
SELECT at_ms, checkpoint FROM feed_place WHERE feed = ? AND at_ms <= ? ORDER BY at_ms DESC LIMIT 1

-- name: place_first
SELECT at_ms, checkpoint FROM feed_place WHERE feed = ? ORDER BY at_ms LIMIT 1

-- name: epoch_newest_name
SELECT name FROM feed_epoch WHERE feed = ? ORDER BY ordinal DESC LIMIT 1
