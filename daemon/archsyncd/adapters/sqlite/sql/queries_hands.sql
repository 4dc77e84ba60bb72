-- Pieces that change hands by the configuration.

-- name: made_any
SELECT 1 FROM line_made LIMIT 1

-- name: made_of_orders
SELECT m.order_id, m.line_id, m.component, m.pieces FROM json_each(?) AS w CROSS JOIN line_made AS m ON m.order_id = w.value
ORDER BY m.order_id, m.line_id, m.component

-- name: made_with
SELECT DISTINCT n.channel, m.component, n.sku
FROM json_each(?) AS w CROSS JOIN line_made AS m ON m.component = w.value ->> 1
CROSS JOIN order_line AS n ON n.order_id = m.order_id AND n.line_id = m.line_id AND n.channel = w.value ->> 0

-- name: made_parts
SELECT DISTINCT n.channel, m.component
FROM json_each(?) AS w CROSS JOIN order_line AS n ON n.channel = w.value ->> 0 AND n.sku = w.value ->> 1
CROSS JOIN line_made AS m ON m.order_id = n.order_id AND m.line_id = n.line_id

-- name: made_put
-- The open lines of a key were ordered as these components, each with its pieces, unless something is known of a line already.
INSERT INTO line_made (order_id, line_id, component, pieces, terms)
SELECT n.order_id, n.line_id, c.value ->> 0, c.value ->> 1, ?1
FROM order_line AS n CROSS JOIN json_each(?2) AS c
WHERE n.channel = ?3 AND n.sku = ?4 AND n.released = 0 AND instr(n.line_id, '/') = 0
    AND NOT EXISTS (SELECT 1 FROM order_kit AS o WHERE o.order_id = n.order_id AND o.line_id = n.line_id)
    AND NOT EXISTS (SELECT 1 FROM line_made AS m WHERE m.order_id = n.order_id AND m.line_id = n.line_id)
ON CONFLICT (order_id, line_id, component) DO NOTHING

-- name: made_drop
DELETE FROM line_made WHERE order_id = ? AND line_id = ?

-- name: made_take
-- Components whose goods are called otherwise by these terms, which are not noted of them yet.
DELETE FROM line_made WHERE component IN (SELECT value FROM json_each(?1)) AND terms <> ?2
RETURNING order_id, line_id, component, pieces

-- name: made_give
INSERT INTO line_made (order_id, line_id, component, pieces, terms) VALUES (?, ?, ?, ?, ?)
ON CONFLICT (order_id, line_id, component) DO UPDATE SET pieces = line_made.pieces + excluded.pieces, terms = excluded.terms

-- name: made_of_itself
-- A line that was ordered as what its SKU is called again is a line like any other.
DELETE FROM line_made WHERE component IN (SELECT value FROM json_each(?1)) AND EXISTS (SELECT 1 FROM order_line AS n
    WHERE n.order_id = line_made.order_id AND n.line_id = line_made.line_id AND n.sku = line_made.component)

-- name: successors_any
SELECT 1 FROM name_successor LIMIT 1

-- name: successors_of
SELECT s.sku, s.successor, s.terms FROM json_each(?) AS w CROSS JOIN name_successor AS s ON s.sku = w.value

-- name: successors_to
SELECT s.sku, s.successor FROM json_each(?) AS w CROSS JOIN name_successor AS s ON s.successor = w.value WHERE s.sku <> s.successor

-- name: successors_before
SELECT s.sku, s.successor FROM json_each(?1) AS w CROSS JOIN name_successor AS s ON s.successor = w.value WHERE s.terms <> ?2

-- name: successor_put
INSERT INTO name_successor (sku, successor, terms) VALUES (?, ?, ?)
ON CONFLICT (sku) DO UPDATE SET successor = excluded.successor, terms = excluded.terms

-- name: successors_itself
DELETE FROM name_successor WHERE sku = successor

-- name: lines_of_channel
SELECT sku, order_id, line_id FROM order_line WHERE channel = ?1 AND (sku, order_id, line_id) > (?2, ?3, ?4)
ORDER BY sku, order_id, line_id LIMIT ?5

-- name: proofs_join
-- What was told of one line (at a location; "" for all) was told of another as well: pieces add up, the later position counts.
INSERT INTO line_proof (order_id, line_id, location, figure, source, feed, epoch, seq, quantity)
SELECT order_id, ?1, location, figure, source, feed, epoch, seq, quantity FROM line_proof
WHERE order_id = ?2 AND line_id = ?3 AND feed <> '' AND (location = ?4 OR ?4 = '')
ON CONFLICT (order_id, line_id, location, figure, source, feed) DO UPDATE SET
    quantity = line_proof.quantity + excluded.quantity,
    seq = CASE WHEN excluded.epoch = line_proof.epoch THEN max(excluded.seq, line_proof.seq)
        WHEN excluded.epoch > line_proof.epoch THEN excluded.seq ELSE line_proof.seq END,
    epoch = max(excluded.epoch, line_proof.epoch)

-- name: proofs_gone
DELETE FROM line_proof WHERE order_id = ?1 AND line_id = ?2 AND (location = ?3 OR ?3 = '')

-- name: debts_all
SELECT channel, sku FROM pool_debt
