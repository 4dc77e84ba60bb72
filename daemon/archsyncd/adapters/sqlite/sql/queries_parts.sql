-- Snapshots sent in parts.

-- name: sending_begin
INSERT INTO sending (feed, epoch, snapshot, begun_ms) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING

-- name: sending_done
SELECT done FROM sending WHERE feed = ? AND epoch = ? AND snapshot = ?

-- name: sending_part_put
-- A part that comes again is the same part.
INSERT INTO sending_part (feed, epoch, snapshot, part, records, rejected, items) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT DO NOTHING

-- name: sending_close
UPDATE sending SET parts = ?, seq_at = ?, as_of = ?, locations = ?, records = ?, sum_on_hand = ?
WHERE feed = ? AND epoch = ? AND snapshot = ? AND done = 0

-- name: sending_whole
-- Those of which every part up to the number in the trailer has come, the oldest first.
SELECT s.feed, s.epoch, s.snapshot, s.parts, s.seq_at, s.as_of, s.locations, s.records, s.sum_on_hand FROM sending AS s
WHERE s.feed = ? AND s.done = 0 AND s.parts = (SELECT count(*) FROM sending_part AS p WHERE p.feed = s.feed
    AND p.epoch = s.epoch AND p.snapshot = s.snapshot AND p.part BETWEEN 1 AND s.parts)
ORDER BY s.begun_ms, s.snapshot LIMIT 1

-- name: sending_next_part
SELECT part, items, rejected FROM sending_part WHERE feed = ? AND epoch = ? AND snapshot = ? AND part > ?
ORDER BY part LIMIT 1

-- name: sending_open
SELECT s.epoch, s.snapshot, s.begun_ms, s.parts, (SELECT count(*) FROM sending_part AS p WHERE p.feed = s.feed
    AND p.epoch = s.epoch AND p.snapshot = s.snapshot), (SELECT coalesce(sum(p.records), 0) FROM sending_part AS p
    WHERE p.feed = s.feed AND p.epoch = s.epoch AND p.snapshot = s.snapshot)
FROM sending AS s WHERE s.feed = ? AND s.done = 0 ORDER BY s.begun_ms DESC, s.snapshot DESC

-- name: sending_end
UPDATE sending SET done = 1 WHERE feed = ? AND epoch = ? AND snapshot = ?

-- name: sending_parts_drop
DELETE FROM sending_part WHERE feed = ? AND epoch = ? AND snapshot = ?

-- name: sending_forget
-- The newest ones that are done are remembered.
DELETE FROM sending WHERE feed = ?1 AND done = 1 AND begun_ms < (SELECT s.begun_ms FROM sending AS s WHERE s.feed = ?1
    AND s.done = 1 ORDER BY s.begun_ms DESC LIMIT 1 OFFSET ?2)

-- name: mend_sendings
-- One that began ahead of time would never be given up.
UPDATE sending SET begun_ms = :now WHERE begun_ms > :now
