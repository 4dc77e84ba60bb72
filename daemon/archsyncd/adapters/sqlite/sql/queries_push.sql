-- Messages that sources push, and keys whose level another feed tells.

-- name: deliveries_seen
SELECT d.id FROM json_each(?2) AS w CROSS JOIN delivery AS d ON d.feed = ?1 AND d.id = w.value

-- name: delivery_put
INSERT INTO delivery (feed, id, at_ms) VALUES (?, ?, ?) ON CONFLICT (feed, id) DO NOTHING

-- name: deliveries_old
DELETE FROM delivery WHERE n IN (SELECT n FROM delivery ORDER BY n LIMIT ?2) AND at_ms < ?1

-- name: deliveries_beyond
DELETE FROM delivery WHERE n <= (SELECT max(n) FROM delivery) - ?

-- name: resync_since
UPDATE resync SET since_ms = max(since_ms, ?1)
WHERE feed = ?2 AND (sku, location) IN (SELECT w.value ->> 0, w.value ->> 1 FROM json_each(?3) AS w)

-- name: resync_want
INSERT INTO resync (feed, sku, location, epoch, seq) VALUES (?, ?, '', ?, 0)
ON CONFLICT (feed, sku, location) DO UPDATE SET asked_ms = 0

-- name: resync_overtaken
DELETE FROM resync WHERE (feed, sku, location) IN (
    SELECT r.feed, r.sku, r.location FROM json_each(?2) AS w CROSS JOIN feed AS f
    CROSS JOIN resync AS r ON r.feed = f.name AND r.sku = w.value ->> 0 AND r.location = w.value ->> 1
    WHERE f.name <> ?1 AND r.since_ms > 0 AND r.since_ms < w.value ->> 2) RETURNING feed, sku, location

-- name: resync_answered
DELETE FROM resync WHERE feed = ?1 AND sku = ?2
    AND (location = '' OR location IN (SELECT w.value FROM json_each(?3) AS w)) RETURNING location

-- name: mend_deliveries
UPDATE delivery SET at_ms = :now WHERE at_ms > :now

-- name: mend_resyncs_since
UPDATE resync SET since_ms = :now WHERE since_ms > :now
