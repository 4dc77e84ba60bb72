-- Every statement the store runs, by name. Lists of keys arrive as JSON arrays, and many rows leave as one.
-- A statement with one VALUES row is repeated row-wise for many sets of parameters.

-- name: ledger
SELECT id, project, host, created_ms, run, operations, policies, mapping, in_force FROM ledger

-- name: ledger_insert
INSERT INTO ledger (one, id, project, host, created_ms) VALUES (1, ?, ?, ?, ?)

-- name: ledger_run
UPDATE ledger SET run = run + 1, closed = 0 RETURNING run

-- name: ledger_close
UPDATE ledger SET closed = 1

-- name: ledger_move
UPDATE ledger SET project = ?, host = ?

-- name: ledger_policies
UPDATE ledger SET policies = ?, mapping = ?, in_force = ?

-- name: operations_take
UPDATE ledger SET operations = operations + ? RETURNING operations

-- name: tenure
SELECT name, ledger, fence FROM tenure

-- name: tenure_set
INSERT INTO tenure (one, name, ledger, fence) VALUES (1, ?1, ?2, ?3)
ON CONFLICT (one) DO UPDATE SET name = excluded.name, ledger = excluded.ledger, fence = excluded.fence
WHERE excluded.fence >= tenure.fence

-- name: tenure_holds
SELECT 1 FROM tenure WHERE name = ? AND ledger = ? AND fence = ?

-- name: feed
SELECT checkpoint, epoch, seq, snapshot_due, last_full_records, head_seq, head_at FROM feed WHERE name = ?

-- name: feed_insert
INSERT INTO feed (name) VALUES (?) ON CONFLICT (name) DO NOTHING

-- name: feed_progress
UPDATE feed SET checkpoint = ?, epoch = ?, seq = max(?, CASE WHEN epoch = ?2 THEN seq ELSE 0 END), head_seq = ?,
    head_at = ?, sign_ms = coalesce(?, sign_ms), record_ms = coalesce(?, record_ms), read_total = read_total + ?,
    applied_total = applied_total + ?, stale_total = stale_total + ?, rejected_total = rejected_total + ?
WHERE name = ?

-- name: feed_counts
UPDATE feed SET read_total = read_total + ?, applied_total = applied_total + ?, stale_total = stale_total + ?,
    rejected_total = rejected_total + ? WHERE name = ?

-- name: feed_snapshot_due
UPDATE feed SET snapshot_due = ?1, resume = iif(?1 IS NULL, NULL, resume) WHERE name = ?2

-- name: feed_resumed
UPDATE feed SET checkpoint = coalesce(iif(?5, resume, NULL), ?1, checkpoint), epoch = ?2,
    seq = CASE WHEN epoch = ?2 THEN seq ELSE 0 END, snapshot_due = NULL, resume = NULL, sign_ms = ?3 WHERE name = ?4

-- name: feed_resumes_from
UPDATE feed SET resume = coalesce(resume, ?1) WHERE name = ?2 AND snapshot_due IS NOT NULL
    AND epoch <= coalesce((SELECT e.ordinal FROM feed_epoch AS e WHERE e.feed = ?2 AND e.name = ?3), epoch)

-- name: feed_gap
UPDATE feed SET gap_epoch = ?, gap_seq = ? WHERE name = ?

-- name: feed_gap_up_to
UPDATE feed SET gap_epoch = ?1, gap_seq = ?2 WHERE name = ?3 AND (gap_epoch IS NULL OR (gap_epoch, gap_seq) < (?1, ?2))

-- name: feed_gap_closed
UPDATE feed SET gap_epoch = NULL, gap_seq = NULL WHERE name = ? AND (gap_epoch, gap_seq) <= (?, ?)

-- name: feed_missed
SELECT gap_epoch, gap_seq FROM feed WHERE name = ?

-- name: feed_last_full
UPDATE feed SET last_full_records = ? WHERE name = ?

-- name: epoch
SELECT ordinal FROM feed_epoch WHERE feed = ? AND name = ?

-- name: epoch_highest
SELECT coalesce(max(ordinal), 0) FROM feed_epoch WHERE feed = ?

-- name: epoch_insert
INSERT INTO feed_epoch (feed, ordinal, name) VALUES (?, ?, ?)

-- name: levels_by_place
SELECT json_group_array(json_array(l.location, l.sku, l.feed, l.epoch, l.seq, l.on_hand, l.available, l.as_of_ms, l.orders_through_ms, l.rev, l.lapsed))
FROM json_each(?) AS w CROSS JOIN level AS l ON l.location = w.value ->> 0 AND l.sku = w.value ->> 1

-- name: levels_at
SELECT json_group_array(json_array(l.location, l.sku, l.feed, l.epoch, l.seq, l.on_hand, l.available, l.as_of_ms, l.orders_through_ms, l.rev, l.lapsed))
FROM json_each(?2) AS w CROSS JOIN level AS l ON l.location = ?1 AND l.sku = w.value

-- name: level_of_feed
SELECT 1 FROM level WHERE location = ? AND feed = ? LIMIT 1

-- name: feeds_of_location
SELECT name FROM feed WHERE EXISTS (SELECT 1 FROM level AS l WHERE l.location = ? AND l.feed = feed.name)

-- name: level_source
SELECT coalesce((SELECT feed FROM level WHERE location = ?1 AND sku = ?2), (SELECT feed FROM level WHERE location = ?1 LIMIT 1))

-- name: level_put
INSERT INTO level (location, sku, feed, epoch, seq, on_hand, available, as_of_ms, orders_through_ms, rev, lapsed)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (location, sku) DO UPDATE SET feed = excluded.feed, epoch = excluded.epoch, seq = excluded.seq,
    on_hand = excluded.on_hand, available = excluded.available, as_of_ms = excluded.as_of_ms,
    orders_through_ms = excluded.orders_through_ms, rev = excluded.rev, lapsed = excluded.lapsed

-- name: levels_after
SELECT location, sku FROM level WHERE location = ? AND sku > ? ORDER BY sku LIMIT ?

-- name: level_locations
WITH RECURSIVE place (location) AS (
    SELECT min(location) FROM level
    UNION ALL
    SELECT (SELECT min(l.location) FROM level AS l WHERE l.location > place.location) FROM place
    WHERE place.location IS NOT NULL
) SELECT location FROM place WHERE location IS NOT NULL

-- name: resync_put
INSERT INTO resync (feed, sku, location, epoch, seq) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (feed, sku, location) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq
WHERE (excluded.epoch, excluded.seq) > (resync.epoch, resync.seq)

-- name: resync_any
SELECT 1 FROM resync LIMIT 1

-- name: resync_among
SELECT r.sku, r.location, r.epoch, r.seq FROM json_each(?2) AS w
CROSS JOIN resync AS r ON r.feed = ?1 AND r.sku = w.value ->> 0 AND r.location = w.value ->> 1

-- name: resync_settled
DELETE FROM resync WHERE (feed, sku, location) IN (SELECT ?1, w.value ->> 0, w.value ->> 1 FROM json_each(?2) AS w) AND EXISTS (
    SELECT 1 FROM level AS l WHERE l.location = resync.location AND l.sku = resync.sku AND l.feed = resync.feed
    AND (l.epoch, l.seq) >= (resync.epoch, resync.seq)) RETURNING sku, location

-- name: resync_next
SELECT feed, sku, location FROM resync WHERE feed = ? AND asked_ms <= ? ORDER BY asked_ms LIMIT ?

-- name: resync_asked
UPDATE resync SET asked_ms = ? WHERE feed = ? AND sku = ?

-- name: outbox_for_merge
SELECT json_group_array(json_array(o.channel, o.sku, o.f, o.refl, o.ntrk, o.known, o.closed, o.x_applied + o.late, o.base, o.entry_id, o.op_id, o.x_target, o.since_ms, o.due_class, o.nearness))
FROM json_each(?2) AS w CROSS JOIN outbox AS o ON o.channel = ?1 AND o.sku = w.value

-- name: outbox_insert
INSERT INTO outbox (channel, sku, f, refl, ntrk, known, x_target, base, parked) VALUES (?, ?, ?, ?, ?, ?, ?, 'unknown', ?)

-- name: outbox_retarget
WITH now (f, refl, ntrk, known, x_target, due_class, nearness, since_ms, channel, sku) AS (VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
UPDATE outbox SET f = now.f, refl = now.refl, ntrk = now.ntrk, known = now.known, x_target = now.x_target, due_class =
    now.due_class, nearness = now.nearness, since_ms = now.since_ms
FROM now WHERE outbox.channel = now.channel AND outbox.sku = now.sku

-- name: outbox_by_key
SELECT json_group_array(json_array(o.channel, o.sku, o.f, o.refl, o.ntrk, o.known, o.closed, o.x_target, o.x_applied, o.base, o.entry_id, o.version,
    o.needs_type, o.entry_created_ms, o.op_id, o.op_kind, o.op_delta, o.op_base, o.in_doubt, o.superseded, o.due_class,
    o.nearness, o.since_ms, o.run, o.not_before, o.attempts, o.parked, o.check_due_ms, o.read_stock, o.read_version, o.read_at_ms, o.seen,
    o.based_at_ms, o.late))
FROM json_each(?) AS w CROSS JOIN outbox AS o ON o.channel = w.value ->> 0 AND o.sku = w.value ->> 1

-- name: outbox_put
WITH now (channel, sku, closed, x_applied, base, entry_id, version, needs_type, entry_created_ms, op_id, op_kind,
    op_delta, op_base, in_doubt, superseded, due_class, nearness, since_ms, run, not_before, attempts, parked,
    check_due_ms, read_stock, read_version, read_at_ms, seen, based_at_ms, late) AS (
    VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?))
UPDATE outbox SET closed = now.closed, x_applied = now.x_applied, base = now.base, entry_id = now.entry_id, version =
    now.version, needs_type = now.needs_type, entry_created_ms = now.entry_created_ms, op_id = now.op_id, op_kind
    = now.op_kind, op_delta = now.op_delta, op_base = now.op_base, in_doubt = now.in_doubt, superseded =
    now.superseded, due_class = now.due_class, nearness = now.nearness, since_ms = now.since_ms, run = now.run,
    not_before = now.not_before, attempts = now.attempts, parked = now.parked, check_due_ms = now.check_due_ms,
    read_stock = now.read_stock, read_version = now.read_version, read_at_ms = now.read_at_ms, seen = now.seen,
    based_at_ms = now.based_at_ms, late = now.late
FROM now WHERE outbox.channel = now.channel AND outbox.sku = now.sku

-- name: outbox_due
SELECT channel, sku, due_class FROM outbox
WHERE due_class IS NOT NULL AND parked IS NULL
    AND (run <> :run OR not_before <= :now OR (due_class <= 2 AND attempts = 0))
    AND due_class <= :highest AND channel NOT IN (SELECT value FROM json_each(:paused))
ORDER BY due_class, nearness, since_ms LIMIT :limit

-- name: outbox_overdue
SELECT channel, sku, due_class FROM outbox INDEXED BY outbox_overdue
WHERE due_class >= 3 AND parked IS NULL AND since_ms < :before AND (run <> :run OR not_before <= :now)
    AND due_class <= :highest AND channel NOT IN (SELECT value FROM json_each(:paused))
ORDER BY since_ms LIMIT :limit

-- name: outbox_due_count
SELECT count(*) FROM (
    SELECT 1 FROM outbox WHERE due_class IS NOT NULL AND parked IS NULL
        AND (run <> :run OR not_before <= :now OR (due_class <= 2 AND attempts = 0))
        AND due_class <= :highest AND channel NOT IN (SELECT value FROM json_each(:paused))
    LIMIT :limit)

-- name: outbox_increases_count
SELECT count(*) FROM outbox WHERE due_class IS NOT NULL AND parked IS NULL AND due_class >= 3
    AND channel NOT IN (SELECT value FROM json_each(?))

-- name: outbox_backlog
SELECT due_class, count(*), min(since_ms) FROM outbox WHERE due_class IS NOT NULL AND parked IS NULL GROUP BY due_class

-- name: outbox_doubtful
SELECT count(*), min(since_ms) FROM outbox WHERE op_id IS NOT NULL AND in_doubt = 1

-- name: outbox_unlooked
SELECT count(*) FROM (SELECT 1 FROM outbox WHERE base = 'unknown' AND parked IS NULL LIMIT ?)

-- name: outbox_in_doubt
SELECT channel, sku, entry_id FROM outbox WHERE op_id IS NOT NULL AND in_doubt = 1 AND (run <> :run OR not_before <= :now) LIMIT :limit

-- name: outbox_all_in_doubt
UPDATE outbox SET in_doubt = 1, due_class = NULL, nearness = NULL WHERE op_id IS NOT NULL AND in_doubt = 0

-- name: outbox_doubts
SELECT count(*) FROM outbox WHERE op_id IS NOT NULL

-- name: outbox_unknown
SELECT channel, sku FROM outbox WHERE base = 'unknown' AND (run <> :run OR not_before <= :now)
    AND (channel, sku) > (:channel, :sku) ORDER BY channel, sku LIMIT :limit

-- name: outbox_unknown_next
SELECT min(CASE WHEN run = ? THEN not_before ELSE 0 END) FROM outbox WHERE base = 'unknown'

-- name: outbox_check_all
UPDATE outbox SET check_due_ms = max(coalesce(check_due_ms, 0), ?), read_stock = NULL, read_version = NULL, read_at_ms = NULL
WHERE base <> 'unknown' AND entry_id IS NOT NULL

-- name: outbox_unbase_all
UPDATE outbox SET base = 'unknown', due_class = NULL, nearness = NULL, since_ms = NULL, check_due_ms = NULL,
    read_stock = NULL, read_version = NULL, read_at_ms = NULL, based_at_ms = NULL, late = 0
WHERE base <> 'unknown' AND op_id IS NULL

-- name: outbox_proven
SELECT channel, sku FROM outbox WHERE (channel, sku) > (?, ?) AND base = 'proven' AND entry_id IS NOT NULL
ORDER BY channel, sku LIMIT ?

-- name: outbox_check_some
UPDATE outbox SET check_due_ms = coalesce(check_due_ms, ?1)
WHERE (channel, sku) IN (SELECT w.value ->> 0, w.value ->> 1 FROM json_each(?2) AS w)

-- name: outbox_check_due
SELECT channel, sku, entry_id FROM outbox WHERE check_due_ms <= :before AND read_at_ms IS NULL AND op_id IS NULL
    AND entry_id IS NOT NULL AND base <> 'unknown' ORDER BY check_due_ms LIMIT :limit

-- name: outbox_check_read
SELECT channel, sku FROM outbox WHERE read_at_ms IS NOT NULL AND check_due_ms IS NOT NULL AND read_at_ms <= :before
    ORDER BY read_at_ms LIMIT :limit

-- name: outbox_parked
SELECT channel, sku FROM outbox WHERE parked = ? AND (channel, sku) > (?, ?) ORDER BY channel, sku LIMIT ?

-- name: outbox_parked_count
SELECT parked, count(*) FROM outbox WHERE parked IS NOT NULL GROUP BY parked

-- name: outbox_count
SELECT count(*) FROM outbox

-- name: outbox_out_of_step
SELECT count(*), coalesce(sum(parked IS NULL AND (due_class IS NOT NULL OR op_id IS NOT NULL)), 0),
    coalesce(sum(parked IS NOT NULL), 0)
FROM outbox WHERE base <> 'proven' OR x_applied IS NOT x_target

-- name: outbox_channels
WITH RECURSIVE place (channel) AS (
    SELECT min(channel) FROM outbox
    UNION ALL
    SELECT (SELECT min(o.channel) FROM outbox AS o WHERE o.channel > place.channel) FROM place WHERE place.channel IS NOT NULL
) SELECT channel FROM place WHERE channel IS NOT NULL

-- name: outbox_after
SELECT channel, sku FROM outbox WHERE channel = ? AND sku > ? ORDER BY sku LIMIT ?

-- name: outbox_plan
SELECT channel, sku, x_applied + late, x_target, known, base, entry_id, parked, due_class FROM outbox
WHERE (channel, sku) > (:channel, :sku) AND (base <> 'proven' OR x_applied IS NOT x_target OR entry_id IS NULL)
ORDER BY channel, sku LIMIT :limit

-- name: lines_any
SELECT 1 FROM order_line LIMIT 1

-- name: tracked_any
SELECT 1 WHERE EXISTS (SELECT 1 FROM order_line WHERE tracked = 1) OR EXISTS (SELECT 1 FROM outbox WHERE closed <> 0)

-- name: lines_by_key
SELECT n.channel, n.sku, n.order_id, n.line_id, n.quantity, n.tracked, n.released, n.created_ms, h.accepted_ms, n.there
FROM json_each(?) AS w CROSS JOIN order_line AS n ON n.channel = w.value ->> 0 AND n.sku = w.value ->> 1
CROSS JOIN order_head AS h ON h.order_id = n.order_id

-- name: lines_by_order
SELECT n.channel, n.sku, n.order_id, n.line_id, n.quantity, n.tracked, n.released, n.created_ms, h.accepted_ms, n.there
FROM json_each(?) AS w CROSS JOIN order_line AS n ON n.order_id = w.value CROSS JOIN order_head AS h ON h.order_id = n.order_id

-- name: proofs_by_order
SELECT p.order_id, p.line_id, p.location, p.figure, p.source, p.feed, p.epoch, p.seq, p.quantity
FROM json_each(?) AS w CROSS JOIN line_proof AS p ON p.order_id = w.value

-- name: heads_by_reference
SELECT h.order_id, h.number FROM json_each(?) AS w CROSS JOIN order_head AS h ON h.order_id = w.value
UNION SELECT h.order_id, h.number FROM json_each(?1) AS w CROSS JOIN order_head AS h ON h.number = w.value

-- name: closed_by_reference
SELECT c.order_id FROM json_each(?) AS w CROSS JOIN order_closed AS c ON c.order_id = w.value

-- name: heads_by_id
SELECT h.order_id, h.number, h.version, h.created_ms, h.order_state, h.final, h.accepted_ms, h.source_order, h.released, h.refused
FROM json_each(?) AS w CROSS JOIN order_head AS h ON h.order_id = w.value

-- name: head_put
INSERT INTO order_head (order_id, number, version, created_ms, order_state, final, accepted_ms, source_order, released,
    sought_ms, lookup_due_ms, refresh_due_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (order_id) DO UPDATE SET number = excluded.number, version = excluded.version,
    order_state = excluded.order_state, final = excluded.final,
    accepted_ms = coalesce(order_head.accepted_ms, excluded.accepted_ms),
    source_order = coalesce(order_head.source_order, excluded.source_order), refresh_due_ms = excluded.refresh_due_ms

-- name: head_accepted
UPDATE order_head SET accepted_ms = coalesce(accepted_ms, ?), source_order = coalesce(source_order, ?), refused = 0
WHERE order_id = ?

-- name: head_refused
UPDATE order_head SET refused = 1 WHERE order_id = ? RETURNING order_state, number

-- name: heads_unaccept
UPDATE order_head SET accepted_ms = NULL WHERE accepted_ms IS NOT NULL AND released = 0 AND order_id IN (
    SELECT n.order_id FROM order_line AS n WHERE n.channel IN (SELECT value FROM json_each(?))) RETURNING order_id

-- name: head_released
UPDATE order_head SET released = 1, lookup_due_ms = NULL WHERE order_id = ?

-- name: head_deleted
UPDATE order_head SET order_state = ?, final = 1, lookup_due_ms = ? WHERE order_id = ?

-- name: head_lookup_due
UPDATE order_head SET lookup_due_ms = ? WHERE order_id = ?

-- name: heads_seek
UPDATE order_head SET lookup_due_ms = ?1, sought_ms = ?1
WHERE lookup_due_ms IS NULL AND released = 0 AND order_id IN (SELECT value FROM json_each(?2))
    -- Archean cannot know what nobody has told it.
    AND NOT EXISTS (SELECT 1 FROM handover AS o WHERE o.order_id = order_head.order_id AND o.sent = 0 AND o.foreign_hand <> 1
        AND o.stage IN ('learned', 'waiting', 'ready', 'held'))

-- name: heads_to_look_up
SELECT order_id, number, accepted_ms, sought_ms, order_state, created_ms FROM order_head
WHERE lookup_due_ms <= ? ORDER BY lookup_due_ms LIMIT ?

-- name: heads_to_refresh
SELECT order_id FROM order_head WHERE refresh_due_ms <= ? ORDER BY refresh_due_ms LIMIT ?

-- name: head_refresh_due
UPDATE order_head SET refresh_due_ms = ? WHERE order_id = ?

-- name: heads_refresh_soon
UPDATE order_head SET refresh_due_ms = ?1 WHERE refresh_due_ms > ?1

-- name: heads_uncounted
SELECT 1 FROM order_head WHERE version = 0 AND order_state <> 'Deleted' AND released = 0 LIMIT 1

-- name: heads_recount
UPDATE order_head SET version = 0, refresh_due_ms = 0, lookup_due_ms = CASE WHEN released OR EXISTS (SELECT 1
        FROM handover AS o WHERE o.order_id = order_head.order_id AND o.sent = 0 AND o.foreign_hand <> 1
        AND o.stage IN ('learned', 'waiting', 'ready', 'held')) THEN lookup_due_ms ELSE ?1 END,
    sought_ms = CASE WHEN lookup_due_ms IS NULL THEN ?1 ELSE sought_ms END

-- name: mend_checks
UPDATE outbox SET check_due_ms = :soon WHERE read_at_ms IS NULL AND check_due_ms > :beyond

-- name: mend_waits
UPDATE outbox SET since_ms = :now WHERE due_class IS NOT NULL AND parked IS NULL AND since_ms > :now

-- name: mend_heads
UPDATE order_head SET lookup_due_ms = CASE WHEN lookup_due_ms > :beyond THEN :now ELSE lookup_due_ms END,
    refresh_due_ms = CASE WHEN refresh_due_ms > :beyond THEN :now ELSE refresh_due_ms END,
    sought_ms = min(sought_ms, :now), accepted_ms = min(accepted_ms, :now)
WHERE lookup_due_ms > :beyond OR refresh_due_ms > :beyond OR sought_ms > :now OR accepted_ms > :now

-- name: mend_resyncs
UPDATE resync SET asked_ms = 0 WHERE asked_ms > :now

-- name: mend_early
UPDATE early_proof SET at_ms = :now WHERE at_ms > :now

-- name: head_delete
DELETE FROM order_head WHERE order_id = ?

-- name: heads_count
SELECT (SELECT count(*) FROM order_head), (SELECT min(created_ms) FROM order_head)

-- name: closed_put
INSERT INTO order_closed (order_id, created_ms) VALUES (?, ?) ON CONFLICT (order_id) DO NOTHING

-- name: closed_purge
DELETE FROM order_closed WHERE created_ms < ?

-- name: closed_add
UPDATE outbox SET closed = closed + ? WHERE channel = ? AND sku = ?

-- name: line_put
INSERT INTO order_line (channel, sku, order_id, line_id, quantity, tracked, created_ms, released) VALUES (?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (channel, sku, order_id, line_id) DO UPDATE SET quantity = excluded.quantity, tracked = excluded.tracked

-- name: line_more
UPDATE order_line SET quantity = quantity + ? WHERE channel = ? AND sku = ? AND order_id = ? AND line_id = ?

-- name: line_there
UPDATE order_line SET there = coalesce(there, ?) WHERE channel = ? AND sku = ? AND order_id = ? AND line_id = ?

-- name: line_there_more
UPDATE order_line SET there = max(there, ?) WHERE channel = ? AND sku = ? AND order_id = ? AND line_id = ?

-- name: lines_there_whole
UPDATE order_line SET there = NULL WHERE order_id = ? AND there IS NOT NULL RETURNING channel, sku

-- name: line_delete
DELETE FROM order_line WHERE channel = ? AND sku = ? AND order_id = ? AND line_id = ?

-- name: lines_release
UPDATE order_line SET released = 1 WHERE order_id = ? AND tracked = 1 RETURNING channel, sku

-- name: lines_untracked_of_order
DELETE FROM order_line WHERE order_id = ? AND tracked = 0 RETURNING channel, sku

-- name: lines_untrack_older
UPDATE order_line SET tracked = 0 WHERE channel = ? AND sku = ? AND tracked = 1 AND created_ms < ?

-- name: lines_in_window
SELECT created_ms FROM order_line WHERE channel = ? AND sku = ? AND created_ms BETWEEN ? AND ?

-- name: lines_known_after
SELECT coalesce(sum(quantity), 0) FROM order_line WHERE channel = ? AND sku = ? AND tracked = 1 AND created_ms > ?

-- name: proof_put
INSERT INTO line_proof (order_id, line_id, location, figure, source, feed, epoch, seq, quantity) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (order_id, line_id, location, figure, source, feed) DO UPDATE
    SET epoch = excluded.epoch, seq = excluded.seq, quantity = excluded.quantity
    WHERE excluded.epoch > line_proof.epoch OR (excluded.epoch = line_proof.epoch AND (
        (excluded.quantity > line_proof.quantity AND excluded.seq <> line_proof.seq)
        OR (excluded.quantity = line_proof.quantity AND excluded.seq < line_proof.seq)))

-- name: proofs_of_shipment
SELECT line_id, location, epoch, seq, quantity FROM line_proof
WHERE order_id = ? AND feed = ? AND source = ? AND figure = 'onHand'

-- name: proof_shrink
UPDATE line_proof SET quantity = ?1 WHERE order_id = ?2 AND line_id = ?3 AND location = ?4 AND figure = 'onHand' AND source = ?5
    AND feed = ?6

-- name: proof_drop
DELETE FROM line_proof WHERE order_id = ? AND line_id = ? AND location = ? AND figure = 'onHand' AND source = ? AND feed = ?

-- name: proofs_of_acceptance
-- `times` is what levels imply of an acceptance, and no word of the source.
SELECT line_id, feed, epoch FROM line_proof WHERE order_id = ? AND figure = 'available' AND source <> 'times'

-- name: proofs_from
UPDATE line_proof SET seq = ?1 WHERE order_id = ?2 AND feed = ?3 AND epoch = ?4 AND seq > ?1 AND figure = 'available'
    AND source <> 'times' AND line_id IN (SELECT value FROM json_each(?5))

-- name: proofs_withdraw
DELETE FROM line_proof WHERE feed = ? AND epoch < ? RETURNING order_id

-- name: proofs_doubt_dispatches
DELETE FROM line_proof WHERE feed = ?1 AND figure = 'onHand'
    AND (location = '' OR location IN (SELECT value FROM json_each(?2))) RETURNING order_id

-- name: early_doubt_dispatches
DELETE FROM early_proof WHERE feed = ? AND kind = 'shipped'

-- name: early_put
INSERT INTO early_proof (reference, feed, epoch, seq, kind, source, sku, location, line_ref, quantity, at_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (reference, kind, source, sku, location, line_ref) DO UPDATE SET feed = excluded.feed,
    epoch = excluded.epoch, seq = excluded.seq, quantity = excluded.quantity, at_ms = excluded.at_ms
    WHERE excluded.feed = early_proof.feed AND (excluded.epoch > early_proof.epoch
        OR (excluded.epoch = early_proof.epoch AND excluded.quantity > early_proof.quantity))

-- name: early_newer
SELECT 1 FROM early_proof WHERE reference = ? AND kind = 'shipped' AND source = ? AND feed = ? AND (epoch, seq) > (?, ?) LIMIT 1

-- name: early_restate
DELETE FROM early_proof WHERE reference = ? AND kind = 'shipped' AND source = ? AND feed = ? AND (epoch, seq) < (?, ?)

-- name: early_take
DELETE FROM early_proof WHERE reference IN (?, ?) RETURNING feed, epoch, seq, kind, source, sku, location, line_ref, quantity, at_ms

-- name: early_count
SELECT count(*) FROM early_proof

-- name: early_evict
DELETE FROM early_proof WHERE (reference, kind, source, sku, location, line_ref) IN (
    SELECT reference, kind, source, sku, location, line_ref FROM early_proof ORDER BY at_ms LIMIT ?)

-- name: early_expire
DELETE FROM early_proof WHERE at_ms < ?

-- name: early_withdraw
DELETE FROM early_proof WHERE feed = ? AND epoch < ?

-- name: cursor
SELECT created_at, id, complete_ms FROM order_cursor WHERE name = ?

-- name: cursor_put
INSERT INTO order_cursor (name, created_at, id, complete_ms) VALUES (?, ?, ?, ?)
ON CONFLICT (name) DO UPDATE SET created_at = excluded.created_at, id = excluded.id,
    complete_ms = max(order_cursor.complete_ms, excluded.complete_ms)

-- name: snapshot_insert
INSERT INTO snapshot (id, feed, state, epoch, seq_at, cursor, as_of, locations, at_ms) VALUES (?, ?, 'reading', ?, ?, ?, ?, ?, ?)

-- name: snapshot_by_id
SELECT id, feed, state, epoch, seq_at, cursor, as_of, locations, records, rejected, digest, reasons, figures, at_ms FROM snapshot WHERE id = ?

-- name: snapshots
SELECT id, feed, state, epoch, seq_at, cursor, as_of, locations, records, rejected, digest, reasons, figures, at_ms
FROM snapshot ORDER BY at_ms DESC LIMIT ?

-- name: snapshot_state
UPDATE snapshot SET state = ?, records = ?, rejected = ?, digest = ?, reasons = ?, figures = ? WHERE id = ?

-- name: snapshot_moves
UPDATE snapshot SET state = ? WHERE id = ? AND state = ?

-- name: snapshot_drop_unfinished
DELETE FROM snapshot WHERE feed = ? AND state = 'reading'

-- name: snapshot_drop_old
-- The last applied one of each feed and scope stays: the next is compared with it.
DELETE FROM snapshot WHERE at_ms < ? AND (state = 'rejected' OR (state = 'applied' AND EXISTS (
    SELECT 1 FROM snapshot AS n WHERE n.feed = snapshot.feed AND n.locations = snapshot.locations
    AND n.state = 'applied' AND n.at_ms > snapshot.at_ms)))

-- name: snapshot_before
SELECT records FROM snapshot WHERE feed = ? AND locations = ? AND state = 'applied' ORDER BY at_ms DESC LIMIT 1

-- name: snapshot_items_drop
DELETE FROM snapshot_item WHERE snapshot_id = ?

-- name: snapshots_held
SELECT id, locations FROM snapshot WHERE feed = ? AND state = 'held' AND id <> ?

-- name: snapshots_unfinished
SELECT id, feed, state, epoch, seq_at, cursor, as_of, locations, records, rejected, digest, reasons, figures, at_ms
FROM snapshot WHERE state = 'applying' ORDER BY at_ms

-- name: snapshot_resumed
-- A cursor that stays is one that reading waits for.
UPDATE snapshot SET cursor = NULL WHERE id = ?

-- name: snapshot_item_put
INSERT INTO snapshot_item (snapshot_id, location, sku, seq, on_hand, available, payload) VALUES (?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (snapshot_id, location, sku) DO NOTHING

-- name: snapshot_items
SELECT location, sku, seq, on_hand, available, payload FROM snapshot_item
WHERE snapshot_id = ? AND (location, sku) > (?, ?) ORDER BY location, sku LIMIT ?

-- name: snapshot_places
SELECT location, count(*) FROM snapshot_item WHERE snapshot_id = ? GROUP BY location

-- name: snapshot_sums
-- Two halves, since a sum may leave 64 bits.
SELECT count(*), coalesce(sum(on_hand / 1000000000), 0), coalesce(sum(on_hand % 1000000000), 0)
FROM snapshot_item WHERE snapshot_id = ?

-- name: snapshot_against_levels
-- An item that is not newer than what is kept changes nothing; a level that lapsed gives way to any full that is.
WITH pair AS (
    SELECT CASE :sells WHEN 'onHand' THEN l.on_hand ELSE l.available END AS before,
        CASE :sells WHEN 'onHand' THEN i.on_hand ELSE i.available END AS after,
        l.on_hand IS NOT i.on_hand OR l.available IS NOT i.available AS differs,
        l.feed <> :feed OR (l.epoch, l.seq) < (:epoch, i.seq)
            OR l.lapsed AND (l.epoch, l.seq) <= (:epoch, max(i.seq, :seq)) AS newer
    FROM snapshot_item AS i JOIN level AS l ON l.location = i.location AND l.sku = i.sku
    WHERE i.snapshot_id = :snapshot AND i.location = :location
) SELECT count(*), coalesce(sum(before > 0), 0), coalesce(sum(newer AND before > 0 AND after <= 0), 0),
    coalesce(sum(newer AND differs), 0),
    CAST(total(CASE WHEN newer THEN max(after - coalesce(before, 0), 0) END) AS INTEGER),
    CAST(total(CASE WHEN newer THEN max(coalesce(before, 0) - after, 0) END) AS INTEGER),
    coalesce(sum(NOT newer), 0) FROM pair

-- name: snapshot_largest_changes
WITH pair AS (
    SELECT i.sku AS sku, CASE :sells WHEN 'onHand' THEN l.on_hand ELSE l.available END AS before,
        CASE :sells WHEN 'onHand' THEN i.on_hand ELSE i.available END AS after
    FROM snapshot_item AS i LEFT JOIN level AS l ON l.location = i.location AND l.sku = i.sku
    WHERE i.snapshot_id = :snapshot AND i.location = :location
        AND (l.sku IS NULL OR l.feed <> :feed OR (l.epoch, l.seq) < (:epoch, i.seq)
            OR l.lapsed AND (l.epoch, l.seq) <= (:epoch, max(i.seq, :seq)))
) SELECT sku, before, after FROM pair WHERE before IS NOT after
ORDER BY abs(coalesce(after, 0) - coalesce(before, 0)) DESC, sku LIMIT :most

-- name: levels_in_location
SELECT count(*), coalesce(sum(CASE :sells WHEN 'onHand' THEN on_hand ELSE available END > 0), 0) FROM level WHERE location = :location

-- name: levels_taken_before_epoch
SELECT max(as_of_ms) FROM level WHERE location = ? AND feed = ? AND epoch < ?

-- name: levels_above
SELECT count(*) FROM level WHERE location = :location AND CASE :sells WHEN 'onHand' THEN on_hand ELSE available END > :maximum

-- name: levels_absent
SELECT l.location, l.sku FROM level AS l WHERE l.location = ?2 AND l.sku > ?3 AND l.feed = ?4
    AND (l.epoch, l.seq) <= (?5, ?6) AND (l.on_hand IS NOT NULL OR l.available IS NOT NULL)
    AND NOT EXISTS (SELECT 1 FROM snapshot_item AS i WHERE i.snapshot_id = ?1 AND i.location = l.location AND i.sku = l.sku)
ORDER BY l.sku LIMIT ?7

-- name: levels_absent_in_stock
SELECT count(*) FROM level AS l WHERE l.location = :location AND l.feed = :feed AND (l.epoch, l.seq) <= (:epoch, :seq)
    AND CASE :sells WHEN 'onHand' THEN l.on_hand ELSE l.available END > 0
    AND NOT EXISTS (SELECT 1 FROM snapshot_item AS i
        WHERE i.snapshot_id = :snapshot AND i.location = l.location AND i.sku = l.sku)

-- name: case_open
INSERT INTO exception_case (kind, scope, subject, code, reason, first_ms, last_ms, payload, correlation)
VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?6, ?7, ?8)
ON CONFLICT (kind, scope, subject) WHERE state IN ('open', 'waiting') DO UPDATE SET count = count + 1,
    last_ms = excluded.last_ms, reason = excluded.reason, code = excluded.code,
    payload = excluded.payload, correlation = excluded.correlation
RETURNING id, count

-- name: case_fold_count
SELECT count(*) FROM exception_case WHERE kind = ? AND scope = ? AND code = ? AND state IN ('open', 'waiting')

-- name: case_known
SELECT 1 FROM exception_case WHERE kind = ? AND scope = ? AND subject = ? AND state IN ('open', 'waiting')

-- name: case_resolve
UPDATE exception_case SET state = 'resolved', closed_ms = ?4, note = ?5
WHERE kind = ?1 AND scope = ?2 AND subject = ?3 AND state IN ('open', 'waiting') RETURNING id, code

-- name: case_close
UPDATE exception_case SET state = ?, closed_ms = ?, note = ? WHERE id = ? AND state IN ('open', 'waiting')
RETURNING kind, scope, subject

-- name: case_by_id
SELECT id, kind, scope, subject, reason, code, state, count, first_ms, last_ms, payload, correlation, note FROM exception_case WHERE id = ?

-- name: cases
SELECT id, kind, scope, subject, reason, code, state, count, first_ms, last_ms, payload, correlation, note FROM exception_case
WHERE (:state = '' OR state = :state) AND (:kind = '' OR kind = :kind) AND (:subject = '' OR subject = :subject) AND id > :after
ORDER BY id LIMIT :limit

-- name: case_any
SELECT 1 FROM exception_case WHERE kind = ? AND state IN ('open', 'waiting') LIMIT 1

-- name: case_code
SELECT code FROM exception_case WHERE kind = ? AND scope = ? AND subject = ? AND state IN ('open', 'waiting')

-- name: cases_count
SELECT kind, count(*), sum(count), min(first_ms) FROM exception_case WHERE state IN ('open', 'waiting') GROUP BY kind

-- name: cases_purge
DELETE FROM exception_case WHERE closed_ms < ?1 OR id IN (SELECT id FROM (
    SELECT id, row_number() OVER (PARTITION BY kind, scope ORDER BY closed_ms DESC, id DESC) AS place
    FROM exception_case WHERE closed_ms IS NOT NULL) WHERE place > ?2)

-- name: case_healable
SELECT kind, subject FROM exception_case
WHERE kind IN ('invalid_record', 'held_level') AND scope = ? AND state IN ('open', 'waiting') LIMIT 5000

-- name: cases_of_files
-- A folded one names no file, and closes with the last that does.
SELECT kind, subject, payload FROM exception_case
WHERE kind IN ('refused_file', 'awaited_file') AND scope = ? AND state IN ('open', 'waiting') AND subject NOT LIKE '(folded)%'
LIMIT 5000

-- name: cases_of_no_key
SELECT subject FROM exception_case WHERE kind = 'invalid_record' AND scope = ? AND state IN ('open', 'waiting')
    AND last_ms < ? AND subject NOT LIKE '% at %'
    AND (subject LIKE 'seq %' OR subject LIKE 'a record %' OR subject LIKE '%line _% %' OR subject LIKE '%record _% %')
LIMIT 5000

-- name: feeds
SELECT name, checkpoint, epoch, seq, head_seq, head_at, sign_ms, record_ms, snapshot_due, last_full_records, read_total,
    applied_total, stale_total, rejected_total FROM feed ORDER BY name

-- name: digest_outbox
SELECT channel, sku, f, refl, ntrk, known, closed, x_target FROM outbox ORDER BY channel, sku

-- name: digest_levels
SELECT location, sku, feed, epoch, seq, on_hand, available FROM level ORDER BY location, sku

-- name: handover_meet
INSERT INTO handover (order_id, number, created_ms, version, stage, since_ms, cancel, foreign_hand, due_ms)
VALUES (:order_id, :number, :created_ms, :version, 'learned', :now, :cancel, :foreign_hand, :now)
ON CONFLICT (order_id) DO NOTHING

-- name: handover_adopt
INSERT INTO handover (order_id, number, created_ms, version, stage, since_ms, source_order, cancel, foreign_hand, due_ms)
SELECT h.order_id, h.number, h.created_ms, h.version, iif(h.accepted_ms IS NULL, 'learned', 'accepted'), ?1, h.source_order,
    0, 1, ?1
FROM order_head AS h
WHERE h.final = 0 AND h.released = 0 AND NOT EXISTS (SELECT 1 FROM handover AS o WHERE o.order_id = h.order_id)

-- name: handover_claim
UPDATE handover SET claimed_ms = ?1 WHERE order_id = ?2 AND claimed_ms IS NULL
    AND stage NOT IN ('shipped', 'closed', 'closed_short', 'cancelled', 'dismissed')

-- name: handover_unclaim
UPDATE handover SET claimed_ms = NULL WHERE order_id = ?

-- name: handover_claims
SELECT order_id FROM handover WHERE claimed_ms < ? ORDER BY claimed_ms LIMIT ?

-- name: handover_changed
UPDATE handover SET version = :version, number = coalesce(number, :number), cancel = :cancel, edited = :edited,
    -- What was written down and has not reached Archean is of an order that was another one.
    body = iif(stage = 'ready', NULL, body),
    due_ms = CASE WHEN stage IN ('learned', 'waiting', 'ready') OR (stage = 'held' AND sent = 0)
            OR (:cancel > cancel AND stage NOT IN ('cancelled', 'closed', 'closed_short', 'dismissed'))
        THEN :now ELSE due_ms END
WHERE order_id = :order_id AND version < :version

-- name: handover_put_down
UPDATE handover SET foreign_hand = 1, body = NULL, stage = iif(stage = 'ready', 'waiting', stage)
WHERE sent = 0 AND stage IN ('learned', 'waiting', 'ready', 'held')

-- name: handover_forget_begin
DELETE FROM order_cursor WHERE name = ?

-- name: handover_of_before
UPDATE handover SET foreign_hand = 2 WHERE sent = 0 AND foreign_hand = 0 AND stage IN ('learned', 'waiting', 'ready', 'held')

-- name: handover_untaken
SELECT order_id FROM handover WHERE order_id IN (SELECT value FROM json_each(?))
    AND stage IN ('learned', 'waiting', 'ready', 'sending', 'in_doubt', 'received', 'held')

-- name: handover_get
SELECT order_id, number, created_ms, version, stage, since_ms, reason, body, lines, sent, source_order, cancel, noted,
    foreign_hand, attempts, due_ms, edited
FROM handover WHERE order_id = ?

-- name: handover_find
SELECT order_id FROM handover WHERE order_id = ?1 UNION SELECT order_id FROM handover WHERE number = ?1 LIMIT 2

-- name: handover_due
SELECT order_id, number, created_ms, version, stage, since_ms, reason, body, lines, sent, source_order, cancel, noted,
    foreign_hand, attempts, due_ms, edited
FROM handover WHERE due_ms <= ? AND (stage NOT IN ('accepted', 'part_shipped', 'shipped', 'closed', 'closed_short')
    OR (cancel = 1 AND stage IN ('accepted', 'part_shipped', 'shipped')))
ORDER BY due_ms, created_ms LIMIT ?

-- name: handover_to_note
SELECT order_id, number, created_ms, version, stage, since_ms, reason, body, lines, sent, source_order, cancel, noted,
    foreign_hand, attempts, due_ms, edited
FROM handover INDEXED BY handover_to_note
WHERE stage IN ('accepted', 'part_shipped', 'shipped', 'closed') AND noted = 0 AND due_ms <= ?
ORDER BY due_ms, created_ms LIMIT ?

-- name: handover_list
SELECT order_id, number, created_ms, version, stage, since_ms, reason, NULL, lines, sent, source_order, cancel, noted,
    foreign_hand, attempts, due_ms, edited
FROM handover WHERE stage = ? ORDER BY since_ms, order_id LIMIT ?

-- name: handover_put
UPDATE handover SET stage = :stage, since_ms = :since_ms, reason = :reason, body = :body, lines = :lines, sent = :sent,
    source_order = :source_order, cancel = :cancel, noted = :noted, foreign_hand = :foreign_hand, attempts = :attempts, edited = :edited,
    due_ms = :due_ms, version = :version
WHERE order_id = :order_id

-- name: handover_counts
SELECT stage, count(*), min(since_ms) FROM handover
WHERE stage IN ('learned', 'waiting', 'ready', 'sending', 'in_doubt', 'received', 'accepted', 'cancelling', 'part_shipped',
    'shipped', 'held')
GROUP BY stage

-- name: handover_stalled
-- What waited for its payment, or was held, is late only from when it could go.
SELECT order_id, number, stage, reason FROM handover AS o
WHERE stage IN ('ready', 'sending', 'in_doubt', 'received', 'learned', 'cancelling') AND created_ms < ?1
    AND coalesce((SELECT min(e.at_ms) FROM order_event AS e WHERE e.order_id = o.order_id AND e.stage = 'ready'
        AND e.n > (SELECT max(w.n) FROM order_event AS w WHERE w.order_id = o.order_id AND w.stage IN ('waiting', 'held'))),
        created_ms) < ?1
ORDER BY created_ms LIMIT ?2

-- name: handover_waiting_long
SELECT order_id, number, stage, reason FROM handover WHERE stage = 'waiting' AND since_ms < ? ORDER BY since_ms LIMIT ?

-- name: handover_purge
DELETE FROM handover WHERE order_id IN (SELECT order_id FROM handover
    WHERE stage IN ('cancelled', 'closed', 'closed_short', 'dismissed') AND since_ms < ? LIMIT ?)

-- name: handover_look_again
UPDATE handover SET due_ms = ? WHERE stage IN ('waiting', 'held') AND sent = 0

-- name: handover_all_in_doubt
SELECT order_id FROM handover WHERE stage = 'sending'

-- name: event_put
INSERT INTO order_event (order_id, n, at_ms, stage, note)
SELECT ?1, coalesce(max(n), 0) + 1, ?2, ?3, ?4 FROM order_event WHERE order_id = ?1
HAVING count(*) < 500

-- name: events
SELECT at_ms, stage, note FROM order_event WHERE order_id = ? ORDER BY n

-- name: handover_among
SELECT order_id, number FROM handover WHERE order_id IN (SELECT value FROM json_each(?1))
UNION SELECT order_id, number FROM handover WHERE number IN (SELECT value FROM json_each(?1))

-- name: advice_get
SELECT feed, kind, name, epoch, seq, reference, order_id, status, content, stage, reason, delivery_key, shipment_state,
    booked_at, acknowledged, short_closed, told_ms, since_ms, attempts, due_ms
FROM advice WHERE feed = ? AND kind = ? AND name = ?

-- name: advice_put
INSERT INTO advice (feed, kind, name, epoch, seq, reference, order_id, status, content, stage, reason, delivery_key,
    shipment_state, booked_at, acknowledged, short_closed, told_ms, since_ms, attempts, due_ms)
VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
ON CONFLICT (feed, kind, name) DO UPDATE SET epoch = excluded.epoch, seq = excluded.seq, reference = excluded.reference,
    order_id = excluded.order_id, status = excluded.status, content = excluded.content, stage = excluded.stage,
    reason = excluded.reason, delivery_key = excluded.delivery_key, shipment_state = excluded.shipment_state,
    booked_at = excluded.booked_at, acknowledged = excluded.acknowledged, short_closed = excluded.short_closed,
    told_ms = excluded.told_ms, since_ms = excluded.since_ms, attempts = excluded.attempts, due_ms = excluded.due_ms

-- name: advice_due
SELECT feed, kind, name, epoch, seq, reference, order_id, status, content, stage, reason, delivery_key, shipment_state,
    booked_at, acknowledged, short_closed, told_ms, since_ms, attempts, due_ms
FROM advice WHERE due_ms <= ? ORDER BY due_ms LIMIT ?

-- name: advice_of_order
SELECT feed, kind, name, epoch, seq, reference, order_id, status, content, stage, reason, delivery_key, shipment_state,
    booked_at, acknowledged, short_closed, told_ms, since_ms, attempts, due_ms
FROM advice WHERE order_id = ? ORDER BY told_ms, name LIMIT 1000

-- name: advice_parked_for
SELECT feed, kind, name, epoch, seq, reference, order_id, status, content, stage, reason, delivery_key, shipment_state,
    booked_at, acknowledged, short_closed, told_ms, since_ms, attempts, due_ms
FROM advice INDEXED BY advice_parked WHERE stage = 'parked' AND reference IN (?, ?)

-- name: advice_counts
SELECT kind, stage, count(*), min(since_ms) FROM advice WHERE stage IN ('parked', 'due', 'booked', 'held')
GROUP BY kind, stage

-- name: advice_purge
DELETE FROM advice WHERE (feed, kind, name) IN (SELECT feed, kind, name FROM advice
    WHERE stage IN ('done', 'void', 'open', 'parked') AND since_ms < ? LIMIT ?)

-- name: advice_held
SELECT feed, kind, name, epoch, seq, reference, order_id, status, content, stage, reason, delivery_key, shipment_state,
    booked_at, acknowledged, short_closed, told_ms, since_ms, attempts, due_ms
FROM advice WHERE name = ? AND stage = 'held'

-- name: advice_short
SELECT feed, kind, name, epoch, seq, reference, order_id, status, content, stage, reason, delivery_key, shipment_state,
    booked_at, acknowledged, short_closed, told_ms, since_ms, attempts, due_ms
FROM advice WHERE name = ? AND kind = 'fulfilment' AND short_closed = 0

-- name: advice_unsettled
SELECT feed, kind, name, epoch, seq, reference, order_id, status, content, stage, reason, delivery_key, shipment_state,
    booked_at, acknowledged, short_closed, told_ms, since_ms, attempts, due_ms
FROM advice WHERE name = ? AND stage IN ('held', 'parked')

-- name: advice_stalled
SELECT feed, kind, name, epoch, seq, reference, order_id, status, content, stage, reason, delivery_key, shipment_state,
    booked_at, acknowledged, short_closed, told_ms, since_ms, attempts, due_ms
FROM advice WHERE stage IN ('due', 'booked') AND since_ms < ? ORDER BY since_ms LIMIT ?
