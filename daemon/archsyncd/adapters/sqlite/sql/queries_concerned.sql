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
