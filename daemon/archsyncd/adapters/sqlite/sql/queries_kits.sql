-- Kits as they were handed over, and what was sold where by the rules before.

-- name: kits_of_orders
SELECT o.order_id, o.line_id, p.component, p.pieces
FROM json_each(?) AS w CROSS JOIN order_kit AS o ON o.order_id = w.value CROSS JOIN kit_part AS p ON p.version = o.version
ORDER BY o.order_id, o.line_id, p.component

-- name: kit_version
INSERT INTO kit_made (sku, components, apart) VALUES (?1, ?2, ?3)
ON CONFLICT (sku, components) DO UPDATE SET apart = max(apart, excluded.apart) RETURNING version

-- name: kit_part_put
INSERT INTO kit_part (component, version, pieces) VALUES (?, ?, ?) ON CONFLICT (component, version) DO NOTHING

-- name: order_kits_drop
DELETE FROM order_kit WHERE order_id = ?

-- name: order_kit_put
INSERT INTO order_kit (order_id, line_id, version) VALUES (?, ?, ?)

-- name: kits_apart_any
SELECT 1 FROM kit_made WHERE apart = 1 LIMIT 1

-- name: kits_apart
-- By component: keys of what is no such kit any more and was handed over as one, with lines that are still counted.
SELECT DISTINCT n.channel, p.component, n.sku
FROM json_each(?) AS w CROSS JOIN kit_part AS p ON p.component = w.value ->> 1
CROSS JOIN kit_made AS m ON m.version = p.version AND m.apart = 1
CROSS JOIN order_line AS n ON n.channel = w.value ->> 0 AND n.sku = m.sku
CROSS JOIN order_kit AS o ON o.order_id = n.order_id AND o.line_id = n.line_id AND o.version = m.version

-- name: kits_apart_parts
-- The components of lines of these keys that were handed over as what the kit is not any more.
SELECT DISTINCT n.channel, p.component
FROM json_each(?) AS w CROSS JOIN order_line AS n ON n.channel = w.value ->> 0 AND n.sku = w.value ->> 1
CROSS JOIN order_kit AS o ON o.order_id = n.order_id AND o.line_id = n.line_id
CROSS JOIN kit_made AS m ON m.version = o.version AND m.apart = 1
CROSS JOIN kit_part AS p ON p.version = o.version

-- name: kits_made
SELECT version, sku, components, apart FROM kit_made

-- name: kit_apart
UPDATE kit_made SET apart = ? WHERE version = ?

-- name: kits_forget
DELETE FROM kit_made WHERE NOT EXISTS (SELECT 1 FROM order_kit AS o WHERE o.version = kit_made.version)

-- name: pool_past
SELECT locations, kits FROM pool_past

-- name: pool_past_put
INSERT INTO pool_past (one, locations, kits) VALUES (1, ?, ?)
ON CONFLICT (one) DO UPDATE SET locations = excluded.locations, kits = excluded.kits

-- name: pool_past_drop
DELETE FROM pool_past
