-- Which order is meant by its id, by its number, or by the name of a dispatch or return of it.

-- name: orders_concerned
SELECT w.value, o.order_id, coalesce(o.number, o.order_id), o.stage, NULL FROM json_each(?1) AS w
CROSS JOIN handover AS o ON o.order_id = w.value
UNION ALL
SELECT w.value, o.order_id, coalesce(o.number, o.order_id), o.stage, NULL FROM json_each(?1) AS w
CROSS JOIN handover AS o INDEXED BY handover_number ON o.number = w.value AND o.number IS NOT NULL
UNION ALL
SELECT w.value, o.order_id, coalesce(o.number, o.order_id), o.stage, a.stage FROM json_each(?1) AS w
CROSS JOIN advice AS a INDEXED BY advice_name ON a.name = w.value CROSS JOIN handover AS o ON o.order_id = a.order_id

-- name: orders_not_done
-- Of what is ours to carry the hand-over says how far it is; commercetools calls an order open long after that.
SELECT count(*), min(created_ms) FROM (
    SELECT created_ms FROM handover WHERE stage IN ('learned', 'waiting', 'ready', 'sending', 'in_doubt', 'received', 'accepted',
        'cancelling', 'part_shipped', 'shipped', 'held')
    UNION ALL
    SELECT h.created_ms FROM order_head AS h WHERE h.final = 0 AND h.released = 0
        AND NOT EXISTS (SELECT 1 FROM handover AS o WHERE o.order_id = h.order_id))
